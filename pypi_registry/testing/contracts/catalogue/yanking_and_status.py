"""What is said of packages and names without changing a file: `yank`, `set_status`, `status`."""

from dataclasses import replace

from packaging.utils import canonicalize_name

from pypi_registry.model import NameStatus, PackageMetadata, Status
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    ELSEWHERE,
    LIBS,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    filenames,
    listed,
    upload,
)

_ARCHIVED, _DEPRECATED = NameStatus(Status.ARCHIVED, "done"), NameStatus(Status.DEPRECATED, "done")


class Marking(CatalogueHooks):
    """The tests of `Catalogue.yank`, `set_status` and `status`."""

    def test_a_yanked_package_is_so_in_every_way_that_it_is_read(self) -> None:
        catalogue = self.make_catalogue()
        package = add(catalogue, TOOLS, "demo-1.0.zip").package
        add(catalogue, TOOLS, upload("demo-1.0.tar.gz", version="1.0.0"))
        other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0")).package
        twin = add(catalogue, LIBS, "demo-1.0.zip").package
        for yanked in ("", "broken on 3.11; é ☃", None, "x" * 10_000):
            changed = replace(package, yanked=yanked)
            assert catalogue.yank(package, yanked) == changed
            assert catalogue.package([TOOLS.id], package.id) == changed
            assert listed(catalogue, [TOOLS.id, LIBS.id]) == ([changed, other, twin], 3)
            assert [file.package for file in catalogue.package_files(package)] == [changed, changed]
            assert [file.package for file in catalogue.files([TOOLS.id], DEMO)] == [changed, changed, other]
            found = catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.tar.gz")
            assert found is not None
            assert found.package == changed

    def test_what_a_mark_does_not_speak_of_stays_as_it_was(self) -> None:
        catalogue = self.make_catalogue()
        said = PackageMetadata("2.1", "a@host.example", "summary", "one, two", "description", "text/markdown")
        sent = replace(upload(), about=said, core_metadata=b"Name: demo\n", requires_python=">=3.8")
        file = add(catalogue, TOOLS, sent)
        for yanked in ("broken", None):
            catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, yanked or ""))
            catalogue.yank(file.package, yanked)
            package = replace(file.package, yanked=yanked)
            assert list(catalogue.files([TOOLS.id], DEMO)) == [replace(file, package=package)]
            assert (catalogue.about(package), catalogue.core_metadata(file)) == (said, b"Name: demo\n")
            assert catalogue.status([TOOLS.id], DEMO) == NameStatus(Status.DEPRECATED, yanked or "")

    def test_a_file_that_comes_to_a_yanked_package_is_yanked(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.yank(first.package, "broken")
        second = add(catalogue, TOOLS, "demo-1.0.tar.gz")
        assert second.package == replace(first.package, yanked="broken")
        catalogue.delete_file(first)
        catalogue.delete_file(second)
        assert add(catalogue, TOOLS, "demo-1.0.zip").package.yanked == "broken"

    def test_yanking_moves_no_file_to_another_place_in_the_order(self) -> None:
        catalogue = self.make_catalogue()
        files = [add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number))) for number in range(3)]
        catalogue.yank(files[0].package, "")
        assert filenames(catalogue.files([TOOLS.id], DEMO)) == filenames(files)

    def test_a_name_is_active_until_something_else_is_said(self) -> None:
        catalogue = self.make_catalogue()
        assert catalogue.status([TOOLS.id], DEMO) == NameStatus()
        add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.status([TOOLS.id], DEMO) == NameStatus(Status.ACTIVE, "")

    def test_a_status_is_given_back_with_its_reason_until_the_next(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        add(catalogue, LIBS, "demo-1.0.zip")
        for status in (*Status, Status.ACTIVE):
            for reason in ("", "é ☃ ' \""):
                catalogue.set_status(TOOLS, DEMO, NameStatus(status, reason))
                found = catalogue.status([TOOLS.id], DEMO)
                assert found == NameStatus(status, reason)
                assert type(found.status) is Status
                assert catalogue.status([TOOLS.id], OTHER) == catalogue.status([LIBS.id], DEMO) == NameStatus()

    def test_a_status_may_be_said_before_there_is_anything_of_the_name(self) -> None:
        catalogue = self.make_catalogue()
        catalogue.set_status(TOOLS, DEMO, _DEPRECATED)
        assert catalogue.status([TOOLS.id], DEMO) == NameStatus()
        assert list(catalogue.names([TOOLS.id])) == []
        add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.status([TOOLS.id], DEMO) == _DEPRECATED

    def test_the_status_of_several_projects_is_what_they_agree_on(self) -> None:
        catalogue = self.make_catalogue()
        for number, (said, expected) in enumerate(_SAID):
            name = canonicalize_name(f"demo-{number}")
            for project, status in zip((TOOLS, LIBS), said, strict=True):
                add(catalogue, project, upload(f"{name}.zip", name))
                if status is not None:
                    catalogue.set_status(project, name, status)
            for projects in ([TOOLS.id, LIBS.id], [LIBS.id, TOOLS.id], [TOOLS.id, LIBS.id, ELSEWHERE.id]):
                assert catalogue.status(projects, name) == expected, said

    def test_projects_without_the_name_have_no_say_in_its_status(self) -> None:
        catalogue = self.make_catalogue()
        everywhere = [ELSEWHERE.id, TOOLS.id, LIBS.id]
        add(catalogue, LIBS, upload("other-1.0.zip", "other"))
        catalogue.set_status(ELSEWHERE, DEMO, _DEPRECATED)
        assert catalogue.status(everywhere, DEMO) == NameStatus()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.set_status(TOOLS, DEMO, _ARCHIVED)
        assert catalogue.status(everywhere, DEMO) == _ARCHIVED
        gone = add(catalogue, LIBS, "demo-1.0.zip")
        assert catalogue.status(everywhere, DEMO) == NameStatus()
        catalogue.delete_file(gone)
        assert catalogue.status(everywhere, DEMO) == NameStatus()  # it still has the package
        catalogue.delete_package(gone.package)
        assert catalogue.status(everywhere, DEMO) == _ARCHIVED
        catalogue.delete_package(file.package)
        assert catalogue.status(everywhere, DEMO) == NameStatus()


# What each of two projects says, if anything; and what both together are.
_SAID: list[tuple[list[NameStatus | None], NameStatus]] = [
    ([_ARCHIVED, _ARCHIVED], _ARCHIVED),
    ([_ARCHIVED, _DEPRECATED], NameStatus()),
    ([_ARCHIVED, replace(_ARCHIVED, reason="")], NameStatus()),
    ([_ARCHIVED, None], NameStatus()),
    ([_ARCHIVED, NameStatus()], NameStatus()),
    ([NameStatus(), None], NameStatus()),
    ([NameStatus(Status.ACTIVE, "kept up"), None], NameStatus()),
]
