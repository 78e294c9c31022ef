"""What the pages of names and the downloads are made from: `names`, `has_name`, `files`, `file`."""

from collections.abc import Sequence

from packaging.utils import canonicalize_name

from pypi_registry.model import NameStatus, PackageQuery
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    ELSEWHERE,
    LIBS,
    TOOLS,
    CatalogueHooks,
    add,
    filenames,
    listed,
    upload,
)


class Reading(CatalogueHooks):
    """The tests of `Catalogue.names`, `has_name`, `files` and `file`."""

    def test_names_are_each_there_once_and_sorted(self) -> None:
        catalogue = self.make_catalogue()
        for project, name in ((TOOLS, "zeta"), (LIBS, "Zeta"), (TOOLS, "A.b"), (LIBS, "a-c"), (ELSEWHERE, "hidden")):
            add(catalogue, project, upload(f"{name}.zip", name))
        add(catalogue, TOOLS, upload("zeta-2.zip", "ZETA", "2.0"))
        add(catalogue, TOOLS, upload("ab.zip", "ab"))
        assert list(catalogue.names([TOOLS.id, LIBS.id])) == ["a-b", "a-c", "ab", "zeta"]
        assert list(catalogue.names([LIBS.id, TOOLS.id, LIBS.id])) == ["a-b", "a-c", "ab", "zeta"]
        assert list(catalogue.names([LIBS.id])) == ["a-c", "zeta"]
        assert all(isinstance(name, str) for name in catalogue.names([LIBS.id]))

    def test_a_name_is_there_while_it_has_a_package_with_files_or_without(self) -> None:
        catalogue = self.make_catalogue()
        assert not catalogue.has_name([TOOLS.id], DEMO)
        first, second = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        assert catalogue.has_name([TOOLS.id], DEMO)
        assert catalogue.has_name((LIBS.id, TOOLS.id), DEMO)
        assert not catalogue.has_name([LIBS.id, ELSEWHERE.id], DEMO)
        assert not catalogue.has_name([TOOLS.id], canonicalize_name("dem"))
        catalogue.delete_file(first)
        catalogue.delete_package(second.package)
        assert catalogue.has_name([TOOLS.id], DEMO)
        assert list(catalogue.names([TOOLS.id])) == ["demo"]
        catalogue.delete_package(first.package)
        assert not catalogue.has_name([TOOLS.id], DEMO)
        assert list(catalogue.names([TOOLS.id])) == []

    def test_files_are_those_of_the_name_and_of_the_projects_oldest_first(self) -> None:
        catalogue = self.make_catalogue()
        for number, project in enumerate((TOOLS, LIBS, TOOLS, ELSEWHERE, LIBS)):
            add(catalogue, project, upload(f"demo-{9 - number}.zip", version=str(9 - number % 2)))
        add(catalogue, TOOLS, upload("other.zip", "other"))
        assert filenames(catalogue.files([TOOLS.id], DEMO)) == ["demo-9.zip", "demo-7.zip"]
        for projects in ([TOOLS.id, LIBS.id], [LIBS.id, TOOLS.id], (LIBS.id, TOOLS.id, LIBS.id)):
            found = filenames(catalogue.files(projects, DEMO))
            assert found == ["demo-9.zip", "demo-8.zip", "demo-7.zip", "demo-5.zip"]

    def test_there_may_be_more_than_a_page_of_anything(self) -> None:
        catalogue = self.make_catalogue()
        files = [add(catalogue, TOOLS, f"demo-{number:03}.zip") for number in range(101)]
        assert list(catalogue.files([TOOLS.id], DEMO)) == list(catalogue.package_files(files[0].package)) == files
        names = [f"name-{number:03}" for number in range(101)]
        for name in names:
            add(catalogue, LIBS, upload(f"{name}.zip", name))
        assert list(catalogue.names([LIBS.id])) == names
        packages, total = listed(catalogue, [LIBS.id])
        assert ([package.name for package in packages], total) == (names, 101)
        assert sorted(catalogue.delete_package(files[0].package)) == sorted(file.key for file in files)

    def test_of_several_files_the_newest_of_that_name_and_digest_is_found(self) -> None:
        catalogue = self.make_catalogue()
        old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        other = add(catalogue, ELSEWHERE, upload("demo-1.0.zip", sha256="b" * 64))
        everywhere = [LIBS.id, TOOLS.id, ELSEWHERE.id]
        assert catalogue.file(everywhere, "a" * 64, "demo-1.0.zip") == new
        assert catalogue.file(everywhere[::-1], "a" * 64, "demo-1.0.zip") == new
        assert catalogue.file([TOOLS.id, ELSEWHERE.id], "a" * 64, "demo-1.0.zip") == old
        assert catalogue.file(everywhere, "b" * 64, "demo-1.0.zip") == other

    def test_a_file_needs_its_project_its_digest_and_its_name(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        for projects, sha256, filename in _NO_FILE:
            assert catalogue.file(projects, sha256, filename) is None, (projects, sha256, filename)
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == file

    def test_no_projects_hold_nothing(self) -> None:
        catalogue = self.make_catalogue()
        package = add(catalogue, TOOLS, "demo-1.0.zip").package
        none: Sequence[int]
        for none in ([], ()):
            assert list(catalogue.names(none)) == []
            assert not catalogue.has_name(none, DEMO)
            assert list(catalogue.files(none, DEMO)) == []
            assert catalogue.file(none, "a" * 64, "demo-1.0.zip") is None
            assert catalogue.package(none, package.id) is None
            assert listed(catalogue, none) == ([], 0)
            assert catalogue.status(none, DEMO) == NameStatus()
            assert catalogue.revision(none, DEMO) == catalogue.revision(none, None) == 0
            assert list(catalogue.publishers(none)) == []

    def test_a_group_may_have_thousands_of_projects(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, LIBS, "demo-1.0.zip")
        projects = [*range(5000, 0, -1)]
        assert list(catalogue.files(projects, DEMO)) == [file]
        assert list(catalogue.names(projects)) == ["demo"]
        assert catalogue.has_name(projects, DEMO)
        assert catalogue.file(projects, "a" * 64, "demo-1.0.zip") == file
        assert catalogue.package(projects, file.package.id) == file.package
        assert listed(catalogue, projects) == ([file.package], 1)
        assert catalogue.status(projects, DEMO) == NameStatus()
        assert catalogue.revision(projects, DEMO) > 0
        assert catalogue.was_published("", DEMO, projects)
        assert list(catalogue.publishers(projects)) == [(LIBS.id, "acme/libs")]

    def test_what_was_given_is_the_callers_own(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        for given in (
            catalogue.files([TOOLS.id], DEMO),
            catalogue.package_files(file.package),
            catalogue.names([TOOLS.id]),
            catalogue.packages([TOOLS.id], PackageQuery())[0],
            catalogue.publishers(),
        ):
            if isinstance(given, list):
                given.clear()
        assert list(catalogue.files([TOOLS.id], DEMO)) == list(catalogue.package_files(file.package)) == [file]
        assert list(catalogue.names([TOOLS.id])) == ["demo"]
        assert listed(catalogue, [TOOLS.id]) == ([file.package], 1)
        assert list(catalogue.publishers()) == [(TOOLS.id, "acme/tools")]


_NO_FILE = [
    ([LIBS.id], "a" * 64, "demo-1.0.zip"),
    ([TOOLS.id], "b" * 64, "demo-1.0.zip"),
    ([TOOLS.id], "a" * 63, "demo-1.0.zip"),
    ([TOOLS.id], "a" * 64, "Demo-1.0.zip"),
    ([TOOLS.id], "a" * 64, "demo-1.0%"),
    ([TOOLS.id], "a" * 64, "demo-1.0_zip"),
    ([TOOLS.id], "", ""),
    ([TOOLS.id], "a\0", "\0"),
]
