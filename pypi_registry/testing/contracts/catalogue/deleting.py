"""What is left when a file or a package is gone: `delete_file`, `delete_package`."""

from dataclasses import replace
from datetime import timedelta

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, Package, PackageMetadata, Status
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    DEMO,
    ELSEWHERE,
    LIBS,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    listed,
    upload,
)
from pypi_registry.testing.contracts.threads import raised


class Deleting(CatalogueHooks):
    """The tests of `Catalogue.delete_file` and `delete_package`."""

    def test_a_deleted_file_gives_back_its_key_and_is_gone_from_everywhere(self) -> None:
        catalogue = self.make_catalogue()
        kept = add(catalogue, TOOLS, "demo-1.0.zip", key="1" * 32)
        file = add(catalogue, TOOLS, replace(upload(), core_metadata=b"Name: demo\n"), key="2" * 32)
        assert catalogue.core_metadata(file) == b"Name: demo\n"
        assert catalogue.delete_file(file) == "2" * 32
        assert list(catalogue.files([TOOLS.id], DEMO)) == [kept]
        assert list(catalogue.package_files(file.package)) == [kept]
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.tar.gz") is None
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == kept
        assert catalogue.core_metadata(file) is None

    def test_a_file_deleted_twice_is_harmless_and_gives_no_key(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(file)
        before = everything(catalogue)
        assert catalogue.delete_file(file) is None
        assert everything(catalogue) == before
        again = add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.delete_file(file) is None
        assert list(catalogue.files([TOOLS.id], DEMO)) == [again]

    def test_a_package_stays_with_no_file_left(self) -> None:
        catalogue = self.make_catalogue()
        said = PackageMetadata(summary="summary")
        file = add(catalogue, TOOLS, replace(upload(), about=said))
        catalogue.delete_file(file)
        assert catalogue.has_name([TOOLS.id], DEMO)
        assert list(catalogue.names([TOOLS.id])) == ["demo"]
        assert catalogue.package([TOOLS.id], file.package.id) == file.package
        assert listed(catalogue, [TOOLS.id]) == ([file.package], 1)
        assert list(catalogue.package_files(file.package)) == list(catalogue.files([TOOLS.id], DEMO)) == []
        assert catalogue.about(file.package) == said
        assert add(catalogue, TOOLS, upload("another.zip", version="1.0.0")).package == file.package

    def test_the_name_and_the_address_of_a_deleted_file_are_free_at_once(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(file)
        other = add(catalogue, TOOLS, upload("demo-1.0.zip", "other", "2.0"), key="f" * 32)
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == other
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.delete_file(other) == "f" * 32
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") is None

    def test_what_is_deleted_uncovers_the_file_that_was_the_newest_before(self) -> None:
        catalogue = self.make_catalogue()
        old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        catalogue.delete_file(new)
        assert catalogue.file([TOOLS.id, LIBS.id], "a" * 64, "demo-1.0.zip") == old
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")

    def test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere(self) -> None:
        catalogue = self.make_catalogue()
        files = [
            add(
                catalogue,
                TOOLS,
                replace(
                    upload(f"demo-1.0-{number}.zip", version=version), core_metadata=b"", about=PackageMetadata("2.1")
                ),
                key=f"{number:032}",
            )
            for number, version in enumerate(["1.0", "1.0.0", "1"])
        ]
        other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
        (package,) = {file.package for file in files}
        assert sorted(catalogue.delete_package(package)) == [file.key for file in files]
        assert catalogue.package([TOOLS.id], package.id) is None
        assert listed(catalogue, [TOOLS.id]) == ([other.package], 1)
        assert list(catalogue.package_files(package)) == []
        assert list(catalogue.files([TOOLS.id], DEMO)) == [other]
        assert [catalogue.file([TOOLS.id], "a" * 64, file.filename) for file in files] == [None, None, None]
        assert [catalogue.core_metadata(file) for file in files] == [None, None, None]
        assert catalogue.about(package) == PackageMetadata()
        assert catalogue.has_name([TOOLS.id], DEMO)

    def test_a_package_without_files_gives_back_no_keys(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(file)
        assert list(catalogue.delete_package(file.package)) == []
        assert not catalogue.has_name([TOOLS.id], DEMO)

    def test_a_package_deleted_twice_is_harmless(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(file.package)
        before = everything(catalogue)
        assert list(catalogue.delete_package(file.package)) == []
        assert catalogue.delete_file(file) is None
        assert catalogue.yank(file.package, "late") is None
        assert catalogue.yank(file.package, None) is None
        assert everything(catalogue) == before
        again = add(catalogue, TOOLS, "demo-1.0.zip")
        assert list(catalogue.delete_package(file.package)) == []
        assert list(catalogue.files([TOOLS.id], DEMO)) == [again]
        assert again.package.yanked is None

    def test_what_was_deleted_may_be_published_again_as_something_new(self) -> None:
        catalogue = self.make_catalogue()
        old = add(catalogue, TOOLS, replace(upload("demo-1.0.zip", "Demo", "1.0"), core_metadata=b"old"))
        catalogue.yank(old.package, "broken")
        catalogue.delete_package(old.package)
        later = AT + timedelta(days=1)
        new = add(catalogue, TOOLS, upload("demo-1.0.zip", "DEMO", "1.0.0"), at=later)
        assert new.package == Package(new.package.id, TOOLS.id, "DEMO", DEMO, "1.0.0", later)
        assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == new
        assert catalogue.core_metadata(new) is None

    def test_deleting_in_one_project_touches_no_other(self) -> None:
        catalogue = self.make_catalogue()
        file, twin = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        one, other = add(catalogue, TOOLS, "demo-1.1.zip"), add(catalogue, ELSEWHERE, "demo-1.1.zip")
        before = [catalogue.revision([place.id], name) for place in (LIBS, ELSEWHERE) for name in (DEMO, None)]
        catalogue.delete_file(one)
        catalogue.delete_package(file.package)
        assert list(catalogue.files([TOOLS.id, LIBS.id, ELSEWHERE.id], DEMO)) == [twin, other]
        assert list(catalogue.names([TOOLS.id, LIBS.id])) == ["demo"]
        after = [catalogue.revision([place.id], name) for place in (LIBS, ELSEWHERE) for name in (DEMO, None)]
        assert after == before

    def test_a_name_that_takes_no_uploads_can_be_yanked_and_deleted_and_still_takes_none(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip", key="1" * 32)
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED, "done"))
        assert catalogue.yank(file.package, "bad") == replace(file.package, yanked="bad")
        assert catalogue.delete_file(file) == "1" * 32
        assert list(catalogue.delete_package(file.package)) == []
        assert catalogue.status([TOOLS.id], DEMO) == NameStatus()
        raised(UploadsRefused, add, catalogue, TOOLS, "demo-1.0.zip")
