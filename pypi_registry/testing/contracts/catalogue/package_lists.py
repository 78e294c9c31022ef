"""Tests of what the Packages API lists: `PackageQuery` with `packages` and its total, and `package` with its details.

The rows that simple pages and downloads read are in `pages_and_files`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pypi_registry.model import Package, PackageDetails, PackageMetadata, PackageQuery, Project, Projects
from pypi_registry.storage import MAX_TOTAL, Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    IN_ACME,
    IN_LIBS,
    IN_THREE,
    IN_TOOLS,
    LIBS,
    OUTSIDE,
    TOOLS,
    CatalogueHooks,
    add,
    details,
    listed,
    upload,
)


class PackageLists(CatalogueHooks):
    """Tests of `Catalogue.packages` and `package`."""

    def test_a_list_has_the_packages_of_its_projects(self) -> None:
        catalogue = self.make_catalogue()
        assert listed(catalogue, IN_TOOLS) == ([], 0)
        files = [add(catalogue, project, f"demo-{project.id}.zip") for project in (TOOLS, LIBS, OUTSIDE)]
        add(catalogue, TOOLS, "demo-again.zip")
        assert listed(catalogue, IN_TOOLS) == ([files[0].package], 1)
        for projects in (IN_ACME, Projects([LIBS, TOOLS])):
            assert listed(catalogue, projects) == ([files[0].package, files[1].package], 2)
        assert listed(catalogue, Projects([Project(7, "acme/7")]), PackageQuery(offset=3, limit=5)) == ([], 0)

    def test_a_search_finds_every_word_literally_and_in_any_case(self) -> None:
        catalogue = self.make_catalogue()
        for number, name in enumerate(_NAMES):
            add(catalogue, TOOLS, upload(f"{number}.zip", name))
        found = {search: listed(catalogue, IN_TOOLS, PackageQuery(name=search)) for search in _SEARCHES}
        assert {search: [package.name for package in packages] for search, (packages, _) in found.items()} == _SEARCHES
        assert all(total == len(packages) for packages, total in found.values())

    def test_a_list_is_filtered_by_name_and_by_version_as_uploaded(self) -> None:
        catalogue = self.make_catalogue()
        for name, version in (("My.Pkg", "1.0"), ("my_pkg", "2.0"), ("my-pkg2", "1.0"), ("other", "1.0.0")):
            add(catalogue, TOOLS, upload(f"{name}-{version}.zip", name, version))

        def found(**query: Any) -> list[str]:
            packages, total = listed(catalogue, IN_TOOLS, PackageQuery(**query))
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

    def test_a_list_has_every_order_and_ties_follow_by_id(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        for order, expected in _ORDERED.items():
            query = PackageQuery(order_by=order)
            ascending = [packages[number] for number in expected]
            assert listed(catalogue, IN_THREE, query) == (ascending, 6), order
            assert listed(catalogue, IN_THREE, replace(query, descending=True)) == (ascending[::-1], 6), order

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
                        assert listed(catalogue, IN_THREE, query) == (whole[offset:end], 6), query

    def test_a_total_counts_what_the_query_finds(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        query = PackageQuery(name="ALPHA", order_by="version", descending=True, offset=1, limit=1)
        assert listed(catalogue, IN_THREE, query) == ([packages[3]], 3)
        assert listed(catalogue, IN_ACME, query) == ([packages[1]], 2)
        assert listed(catalogue, IN_THREE, replace(query, offset=10**9)) == ([], 3)
        assert listed(catalogue, Projects(), query) == ([], 0)

    def test_a_total_is_exact_up_to_10_000_and_then_none(self) -> None:
        catalogue = self.make_catalogue()
        names = [f"demo-{number:04}" for number in range(MAX_TOTAL)]
        self.fill(catalogue, (upload(f"{name}.zip", name) for name in names))
        page = PackageQuery(order_by="name", offset=MAX_TOTAL - 1, limit=2)
        [last], total = listed(catalogue, IN_ACME, page)
        assert (last.name, total) == (names[-1], MAX_TOTAL)
        one_more = add(catalogue, LIBS, upload("other-1.0.zip", "other-demo", "2.0")).package
        assert listed(catalogue, IN_ACME, page) == ([last, one_more], None)
        assert listed(catalogue, IN_TOOLS, page) == ([last], MAX_TOTAL)
        assert listed(catalogue, IN_ACME, PackageQuery(name="demo", limit=0)) == ([], None)
        assert listed(catalogue, IN_ACME, PackageQuery(version="2.0")) == ([one_more], 1)

    def test_the_order_by_project_follows_a_project_that_moved(self) -> None:
        catalogue = self.make_catalogue()
        packages = _publish_rows(catalogue)
        moved = Project(LIBS.id, "zeta/libs")
        add(catalogue, moved, upload("again.zip", "beta", "1.10"))
        found, _ = listed(catalogue, Projects([TOOLS, moved, OUTSIDE]), PackageQuery(order_by="project_path"))
        assert found == [packages[number] for number in (1, 4, 2, 5, 0, 3)]

    def test_a_package_is_found_only_in_its_project(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, LIBS, "demo-1.0.zip")
        assert details(catalogue, file.package) == PackageDetails(file.package, (file,), PackageMetadata())
        for project_id in (TOOLS.id, OUTSIDE.id, 7, 0):
            assert catalogue.package(project_id, file.package.id) is None, project_id
        for package_id in (0, -1, file.package.id + 1000, 10**18 - 1):
            assert catalogue.package(LIBS.id, package_id) is None, package_id

    def test_a_package_has_its_own_files_oldest_first(self) -> None:
        catalogue = self.make_catalogue()
        files = [add(catalogue, TOOLS, f"demo-1.0-{number}.zip") for number in (2, 1)]
        add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
        add(catalogue, LIBS, "demo-1.0-2.zip")
        files.append(add(catalogue, TOOLS, upload("demo-1.0-0.zip", version="1"), at=AT + timedelta(days=1)))
        found = details(catalogue, files[0].package)
        assert found and [*found.files] == files
        assert listed(catalogue, IN_LIBS)[1] == 1


def _publish_rows(catalogue: Catalogue) -> Sequence[Package]:
    return [
        add(catalogue, project, upload(f"{number}.zip", name, version), at=AT + timedelta(days=days)).package
        for number, (project, name, version, days) in enumerate(_ROWS)
    ]


_NAMES = ["Foo", "foo.bar", "a_b", "a-b2", "Kiwi", "Ab", "x"]
_SEARCHES: dict[str, list[str]] = {
    "": _NAMES,
    " \t": _NAMES,
    # Words of three or more characters match any part.
    "foo": ["Foo", "foo.bar"],
    "FOO": ["Foo", "foo.bar"],
    "o.b": ["foo.bar"],
    "O.BAR": ["foo.bar"],
    "a_b": ["a_b"],
    "-b2": ["a-b2"],
    "kIWI": ["Kiwi"],
    # Shorter words match a whole name.
    "ab": ["Ab"],
    "X": ["x"],
    "fo": [],
    "_": [],
    "b2": [],
    # All words must match.
    "bar foo": ["foo.bar"],
    " foo\t.BAR \n": ["foo.bar"],
    "x x": ["x"],
    "foo x": [],
    "foo kiwi": [],
    # Every character is literal.
    "o-b": [],
    "a.b": [],
    "%": [],
    "f%o": [],
    "___": [],
    "%%%": [],
    "*": [],
    "foo*": [],
    "f?o": [],
    "[a-z]": [],
    "^foo": [],
    "\\": [],
    "'": [],
    '"foo"': [],
    "foo OR kiwi": [],
    "-foo": [],
    "name:foo": [],
    "foo\0": [],
    "\0": [],
    "é": [],
    "☃" * 1000: [],
    # Only ASCII letters have two cases; in Unicode these fold to "kiwi" and to "ffoo".
    "\N{KELVIN SIGN}iwi": [],
    "\N{LATIN SMALL LIGATURE FF}oo": [],
}

# By their index: project, name, version, days since the first.
_ROWS: list[tuple[Project, str, str, int]] = [
    (LIBS, "beta", "1.10", 1),
    (TOOLS, "Alpha", "1.9", 3),
    (OUTSIDE, "alpha", "2.0", 0),
    (LIBS, "Alpha", "1.9", 1),
    (TOOLS, "beta", "10.0", 2),
    (OUTSIDE, "beta", "1.10", 1),
]
_ORDERED: dict[Any, list[int]] = {
    "created_at": [2, 0, 3, 5, 4, 1],
    "name": [1, 3, 2, 0, 4, 5],  # upper case first, letter by letter
    "version": [0, 5, 1, 3, 4, 2],  # as text
    "project_path": [0, 3, 1, 4, 2, 5],
}
