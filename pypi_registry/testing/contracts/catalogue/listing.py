"""What the Packages API lists: `packages`, `package`, `package_files`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pypi_registry.model import Package, PackageQuery, Project
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    ELSEWHERE,
    LIBS,
    TOOLS,
    CatalogueHooks,
    add,
    listed,
    upload,
)

_EVERYWHERE = [TOOLS.id, LIBS.id, ELSEWHERE.id]


class Listing(CatalogueHooks):
    """The tests of `Catalogue.packages`, `package` and `package_files`."""

    def test_a_list_has_the_packages_of_its_projects(self) -> None:
        catalogue = self.make_catalogue()
        assert listed(catalogue, [TOOLS.id]) == ([], 0)
        files = [add(catalogue, project, f"demo-{project.id}.zip") for project in (TOOLS, LIBS, ELSEWHERE)]
        add(catalogue, TOOLS, "demo-again.zip")
        assert listed(catalogue, [TOOLS.id]) == ([files[0].package], 1)
        for group in ([LIBS.id, TOOLS.id], (TOOLS.id, LIBS.id, TOOLS.id)):
            assert listed(catalogue, group) == ([files[0].package, files[1].package], 2)
        assert listed(catalogue, [7], PackageQuery(offset=3, limit=5)) == ([], 0)

    def test_a_name_is_found_by_any_part_in_any_case_with_every_character_literal(self) -> None:
        catalogue = self.make_catalogue()
        for name in _NAMES:
            add(catalogue, TOOLS, upload(f"{name}.zip", name))
        assert _names_with(catalogue, _PARTS) == _PARTS

    def test_a_list_is_filtered_by_whole_name_and_by_version_as_they_were_uploaded(self) -> None:
        catalogue = self.make_catalogue()
        for name, version in (("My.Pkg", "1.0"), ("my_pkg", "2.0"), ("my-pkg2", "1.0"), ("other", "1.0.0")):
            add(catalogue, TOOLS, upload(f"{name}-{version}.zip", name, version))

        def found(**query: Any) -> list[str]:
            packages, total = listed(catalogue, [TOOLS.id], PackageQuery(**query))
            assert total == len(packages)
            return [f"{package.name} {package.version}" for package in packages]

        assert found(normalized_name="my-pkg") == ["My.Pkg 1.0", "my_pkg 2.0"]
        assert found(normalized_name="my") == found(normalized_name="") == found(normalized_name="My.Pkg") == []
        assert found(version="1.0") == ["My.Pkg 1.0", "my-pkg2 1.0"]
        assert found(version="1.0.0") == ["other 1.0.0"]
        assert found(version="1") == found(version="%") == found(version="1.0\0") == []
        assert found(normalized_name="my-pkg", version="2.0") == ["my_pkg 2.0"]
        assert found(name="pkg", version="1.0") == ["My.Pkg 1.0", "my-pkg2 1.0"]
        assert found(name="my_", normalized_name="my-pkg", version="2.0") == ["my_pkg 2.0"]
        assert found(name="my_", normalized_name="my-pkg", version="1.0") == []

    def test_a_list_has_every_order_with_ties_by_id(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        for order, expected in _ORDERED.items():
            query = PackageQuery(order_by=order)
            ascending = [packages[number] for number in expected]
            assert listed(catalogue, _EVERYWHERE, query) == (ascending, 6), order
            backwards = replace(query, descending=True)
            assert listed(catalogue, _EVERYWHERE, backwards) == (ascending[::-1], 6), order

    def test_a_list_has_every_page_of_every_order(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        for order, expected in _ORDERED.items():
            for descending in (False, True):
                whole = [packages[number] for number in expected][:: -1 if descending else 1]
                for offset in range(8):
                    for limit in (None, 0, 1, 2, 6, 10**12):
                        query = PackageQuery(order_by=order, descending=descending, offset=offset, limit=limit)
                        end = None if limit is None else offset + limit
                        assert listed(catalogue, _EVERYWHERE, query) == (whole[offset:end], 6), query

    def test_a_page_counts_what_the_filter_lets_through(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        query = PackageQuery(name="ALPHA", order_by="version", descending=True, offset=1, limit=1)
        assert listed(catalogue, _EVERYWHERE, query) == ([packages[3]], 3)
        assert listed(catalogue, [TOOLS.id, LIBS.id], query) == ([packages[1]], 2)
        assert listed(catalogue, _EVERYWHERE, replace(query, offset=10**9)) == ([], 3)
        assert listed(catalogue, [], query) == ([], 0)

    def test_the_order_by_project_follows_a_project_that_moved(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        add(catalogue, Project(LIBS.id, "zeta/libs"), upload("again.zip", "beta", "1.10"))
        found, _ = listed(catalogue, _EVERYWHERE, PackageQuery(order_by="project_path"))
        assert found == [packages[number] for number in (1, 4, 2, 5, 0, 3)]

    def test_a_package_is_found_by_its_id_only_within_the_projects(self) -> None:
        catalogue = self.make_catalogue()
        package = add(catalogue, LIBS, "demo-1.0.zip").package
        assert catalogue.package([LIBS.id], package.id) == package
        assert catalogue.package((TOOLS.id, LIBS.id), package.id) == package
        assert catalogue.package([TOOLS.id, ELSEWHERE.id], package.id) is None
        for number in (0, -1, package.id + 1000, 10**18 - 1):
            assert catalogue.package([LIBS.id], number) is None, number

    def test_the_files_of_a_package_are_its_own_oldest_first(self) -> None:
        catalogue = self.make_catalogue()
        mine = [add(catalogue, TOOLS, f"demo-1.0-{number}.zip") for number in (2, 1)]
        add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
        add(catalogue, LIBS, "demo-1.0-2.zip")
        mine.append(add(catalogue, TOOLS, upload("demo-1.0-0.zip", version="1"), at=AT + timedelta(days=1)))
        assert list(catalogue.package_files(mine[0].package)) == mine


def _names_with(catalogue: Catalogue, parts: Iterable[str]) -> dict[str, list[str]]:
    found = {part: listed(catalogue, [TOOLS.id], PackageQuery(name=part)) for part in parts}
    assert all(total == len(packages) for packages, total in found.values())
    return {part: [package.name for package in packages] for part, (packages, _) in found.items()}


def _publish_rows(catalogue: Catalogue) -> list[Package]:
    return [
        add(catalogue, project, upload(f"{number}.zip", name, version), at=AT + timedelta(days=days)).package
        for number, (project, name, version, days) in enumerate(_ROWS)
    ]


_NAMES = ["Foo", "foo.bar", "a_b", "a-b2", "Kiwi"]
_PARTS: dict[str, list[str]] = {
    "": _NAMES,
    "foo": ["Foo", "foo.bar"],
    "FOO": ["Foo", "foo.bar"],
    "oO": ["Foo", "foo.bar"],
    "o.b": ["foo.bar"],
    "o-b": [],
    "a_b": ["a_b"],
    "a-b": ["a-b2"],
    "_": ["a_b"],
    "%": [],
    "f%r": [],
    "*": [],
    "?": [],
    "[a-z]": [],
    "\\": [],
    "'": [],
    "foo ": [],
    "2": ["a-b2"],
    "kIWI": ["Kiwi"],
    "é": [],
    "ﬀoo": [],
    "☃" * 1000: [],
    "\0": [],
    "foo\0": [],
}

# By id "0" to "5": project, name, version, days since the first.
_ROWS: list[tuple[Project, str, str, int]] = [
    (LIBS, "beta", "1.10", 1),
    (TOOLS, "Alpha", "1.9", 3),
    (ELSEWHERE, "alpha", "2.0", 0),
    (LIBS, "Alpha", "1.9", 1),
    (TOOLS, "beta", "10.0", 2),
    (ELSEWHERE, "beta", "1.10", 1),
]
_ORDERED: dict[Any, list[int]] = {
    "created_at": [2, 0, 3, 5, 4, 1],
    "name": [1, 3, 2, 0, 4, 5],  # upper case first, letter by letter
    "version": [0, 5, 1, 3, 4, 2],  # as text
    "project_path": [0, 3, 1, 4, 2, 5],
}
