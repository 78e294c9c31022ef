"""Tests of what simple pages and downloads read: which rows `names`, `listing` and `file` return, in which order.

The rows that the Packages API reads are in `package_lists`.
"""

from dataclasses import replace

from pypi_registry.model import FileWithStatus, Listing, NameStatus, PackageQuery, Project, Projects, Status
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    EVERYWHERE,
    IN_ACME,
    IN_LIBS,
    IN_OUTSIDE,
    IN_THREE,
    IN_TOOLS,
    LIBS,
    OTHER,
    OUTSIDE,
    SHA256,
    TOOLS,
    CatalogueHooks,
    add,
    deleted,
    details,
    filenames,
    files_of,
    find,
    listed,
    listing,
    statuses_of,
    upload,
)

_ARCHIVED, _QUARANTINED = NameStatus(Status.ARCHIVED, "old"), NameStatus(Status.QUARANTINED, "malware")


class PagesAndFiles(CatalogueHooks):
    """Tests of `Catalogue.names`, `listing` and `file`."""

    def test_names_are_sorted_and_unique(self) -> None:
        catalogue = self.make_catalogue()
        for project, name in ((TOOLS, "zeta"), (LIBS, "Zeta"), (TOOLS, "A.b"), (LIBS, "a-c"), (OUTSIDE, "hidden")):
            add(catalogue, project, upload(f"{name}.zip", name))
        add(catalogue, TOOLS, upload("zeta-2.zip", "ZETA", "2.0"))
        add(catalogue, TOOLS, upload("ab.zip", "ab"))
        assert [*catalogue.names(IN_ACME)] == ["a-b", "a-c", "ab", "zeta"]
        assert [*catalogue.names(Projects([LIBS, TOOLS]))] == ["a-b", "a-c", "ab", "zeta"]
        assert [*catalogue.names(IN_LIBS)] == ["a-c", "zeta"]
        assert all(isinstance(name, str) for name in catalogue.names(IN_LIBS))

    def test_a_name_is_there_while_it_has_a_package(self) -> None:
        catalogue = self.make_catalogue()
        assert listing(catalogue, IN_TOOLS) is None
        first, second = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        assert listing(catalogue, IN_THREE) == Listing((first, second), {TOOLS.id: NameStatus()})
        assert listing(catalogue, Projects([LIBS, OUTSIDE])) is None
        assert listing(catalogue, IN_TOOLS, OTHER) is None
        catalogue.delete_file(TOOLS, first.id, "")
        assert listing(catalogue, IN_TOOLS) == Listing((second,), {TOOLS.id: NameStatus()})
        assert [*catalogue.names(IN_TOOLS)] == ["demo"]
        catalogue.delete_package(TOOLS, second.package.id, "")
        assert listing(catalogue, IN_TOOLS) is None
        assert [*catalogue.names(IN_TOOLS)] == []

    def test_a_listing_has_the_files_of_its_name_and_projects_oldest_first(self) -> None:
        catalogue = self.make_catalogue()
        for number, project in enumerate((TOOLS, LIBS, TOOLS, OUTSIDE, LIBS)):
            add(catalogue, project, upload(f"demo-{9 - number}.zip", version=str(9 - number % 2)))
        add(catalogue, TOOLS, upload("other.zip", "other"))
        assert filenames(files_of(catalogue, IN_TOOLS)) == ["demo-9.zip", "demo-7.zip"]
        for projects in (IN_ACME, Projects([LIBS, TOOLS])):
            assert filenames(files_of(catalogue, projects)) == ["demo-9.zip", "demo-8.zip", "demo-7.zip", "demo-5.zip"]

    def test_a_listing_has_the_files_of_one_name_of_every_project(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        other = add(catalogue, LIBS, upload("demo-1.0.zip", sha256="b" * 64))
        copy = add(catalogue, OUTSIDE, "demo-1.0.zip")
        assert files_of(catalogue, EVERYWHERE) == [first, other, copy]
        assert files_of(catalogue, IN_ACME) == [first, other]
        catalogue.delete_file(LIBS, other.id, "")
        assert files_of(catalogue, EVERYWHERE) == [first, copy]

    def test_a_listing_has_the_status_in_each_project_that_has_the_name(self) -> None:
        catalogue = self.make_catalogue()
        for project, status in ((TOOLS, _ARCHIVED), (LIBS, NameStatus()), (OUTSIDE, _QUARANTINED)):
            add(catalogue, project, "demo-1.0.zip")
            catalogue.set_status(project, DEMO, status, "")
        add(catalogue, TOOLS, upload("other.zip", "other"))
        for project in EVERYWHERE:
            catalogue.set_status(project, OTHER, _QUARANTINED, "")
        assert statuses_of(catalogue, EVERYWHERE) == {
            TOOLS.id: _ARCHIVED,
            LIBS.id: NameStatus(),
            OUTSIDE.id: _QUARANTINED,
        }
        assert statuses_of(catalogue, IN_ACME) == {TOOLS.id: _ARCHIVED, LIBS.id: NameStatus()}
        # The other projects have a status of this name, but no package.
        assert statuses_of(catalogue, EVERYWHERE, OTHER) == {TOOLS.id: _QUARANTINED}

    def test_a_name_may_have_many_files_and_a_project_many_names(self) -> None:
        catalogue = self.make_catalogue()
        files = [add(catalogue, TOOLS, f"demo-{number:03}.zip") for number in range(101)]
        found = details(catalogue, files[0].package)
        assert files_of(catalogue, IN_TOOLS) == files
        assert found and [*found.files] == files
        names = [f"name-{number:03}" for number in range(101)]
        for name in names:
            add(catalogue, LIBS, upload(f"{name}.zip", name))
        assert [*catalogue.names(IN_LIBS)] == names
        packages, total = listed(catalogue, IN_LIBS)
        assert ([package.name for package in packages], total) == (names, 101)
        assert [*deleted(catalogue.delete_package(TOOLS, files[0].package.id, "")).files] == files

    def test_of_several_files_with_one_name_and_digest_the_newest_is_found(self) -> None:
        catalogue = self.make_catalogue()
        old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        other = add(catalogue, OUTSIDE, upload("demo-1.0.zip", sha256="b" * 64))
        assert find(catalogue, IN_THREE, "demo-1.0.zip") == new
        assert find(catalogue, Projects([TOOLS, LIBS, OUTSIDE]), "demo-1.0.zip") == new
        assert find(catalogue, Projects([TOOLS, OUTSIDE]), "demo-1.0.zip") == old
        assert find(catalogue, IN_THREE, "demo-1.0.zip", "b" * 64) == other

    def test_a_quarantined_file_is_found_only_if_every_other_is_quarantined(self) -> None:
        catalogue = self.make_catalogue()
        files = {project: add(catalogue, project, "demo-1.0.zip") for project in (TOOLS, LIBS, OUTSIDE)}
        for quarantined, expected in ((OUTSIDE, LIBS), (LIBS, TOOLS)):
            catalogue.set_status(quarantined, DEMO, _QUARANTINED, "")
            found = catalogue.file(IN_THREE, SHA256, "demo-1.0.zip")
            assert found == FileWithStatus(files[expected], NameStatus())
        catalogue.set_status(TOOLS, DEMO, replace(_QUARANTINED, reason="all are"), "")
        assert catalogue.file(IN_THREE, SHA256, "demo-1.0.zip") == FileWithStatus(files[OUTSIDE], _QUARANTINED)

    def test_a_file_is_found_with_the_status_of_its_name_in_its_project(self) -> None:
        catalogue = self.make_catalogue()
        old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        for status in (NameStatus(), NameStatus(Status.DEPRECATED), _ARCHIVED):
            catalogue.set_status(LIBS, DEMO, status, "")
            catalogue.set_status(LIBS, OTHER, _QUARANTINED, "")
            assert catalogue.file(IN_ACME, SHA256, "demo-1.0.zip") == FileWithStatus(new, status)
        assert catalogue.file(IN_TOOLS, SHA256, "demo-1.0.zip") == FileWithStatus(old, NameStatus())

    def test_a_file_is_found_by_its_project_its_digest_and_its_name(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        for projects, sha256, filename in _NO_FILE:
            assert catalogue.file(projects, sha256, filename) is None, (projects, sha256, filename)
        assert find(catalogue, IN_TOOLS, "demo-1.0.zip") == file
        for file_id in (0, -1, file.id + 1000, 10**18 - 1):
            assert catalogue.core_metadata(file_id) is None, file_id

    def test_without_projects_there_is_nothing(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        none = Projects()
        assert [*catalogue.names(none)] == []
        assert catalogue.listing(none, DEMO) is None
        assert catalogue.file(none, SHA256, "demo-1.0.zip") is None
        assert listed(catalogue, none) == ([], 0)
        assert catalogue.revision(none, DEMO) is catalogue.revision(none, None) is None

    def test_a_group_may_have_thousands_of_projects(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, LIBS, "demo-1.0.zip")
        add(catalogue, OUTSIDE, "demo-1.0.zip")
        projects = Projects(Project(number, f"acme/{number}") for number in range(5000, 0, -1))
        assert listing(catalogue, projects) == Listing((file,), {LIBS.id: NameStatus()})
        assert [*catalogue.names(projects)] == ["demo"]
        assert find(catalogue, projects, "demo-1.0.zip") == file
        assert listed(catalogue, projects) == ([file.package], 1)
        before = [catalogue.revision(projects, name) for name in (DEMO, None)]
        assert None not in before
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        add(catalogue, LIBS, "demo-1.1.zip")
        after = [catalogue.revision(projects, name) for name in (DEMO, None)]
        assert all(was != now for was, now in zip(before, after, strict=True))

    def test_a_returned_sequence_belongs_to_the_caller(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        page, package = catalogue.listing(IN_TOOLS, DEMO), catalogue.package(TOOLS.id, file.package.id)
        assert page is not None
        assert package is not None
        for returned in (
            page.files,
            page.statuses,
            package.files,
            catalogue.names(IN_TOOLS),
            catalogue.packages(IN_TOOLS, PackageQuery())[0],
            catalogue.publications(DEMO),
        ):
            if isinstance(returned, list | dict):
                returned.clear()
        again = details(catalogue, file.package)
        assert listing(catalogue, IN_TOOLS) == Listing((file,), {TOOLS.id: NameStatus()})
        assert again and [*again.files] == [file]
        assert [*catalogue.names(IN_TOOLS)] == ["demo"]
        assert listed(catalogue, IN_TOOLS) == ([file.package], 1)
        assert [*catalogue.publications(DEMO)] == [("acme", TOOLS.id)]


_NO_FILE = [
    (IN_LIBS, SHA256, "demo-1.0.zip"),
    (IN_OUTSIDE, SHA256, "demo-1.0.zip"),
    (IN_TOOLS, "b" * 64, "demo-1.0.zip"),
    (IN_TOOLS, "a" * 63, "demo-1.0.zip"),
    (IN_TOOLS, SHA256, "Demo-1.0.zip"),
    (IN_TOOLS, SHA256, "demo-1.0%"),
    (IN_TOOLS, SHA256, "demo-1.0_zip"),
    (IN_TOOLS, "", ""),
    (IN_TOOLS, "a\0", "\0"),
]
