"""Tests of `delete_file` and `delete_package`: what they return, what is deleted, and what is free or unchanged then.

Publications, which stay, are in `history`; restarts are in `durability`.
"""

from datetime import timedelta

from pypi_registry.errors import FileTaken
from pypi_registry.model import Deletion, Package, PackageDetails, PackageMetadata
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    DEMO,
    IN_ACME,
    IN_LIBS,
    IN_OUTSIDE,
    IN_THREE,
    IN_TOOLS,
    LIBS,
    OUTSIDE,
    TOOLS,
    CatalogueHooks,
    add,
    deleted,
    details,
    everything,
    files_of,
    find,
    listed,
    revisions,
    upload,
)
from pypi_registry.testing.contracts.threads import raised


class Deleting(CatalogueHooks):
    """Tests of `Catalogue.delete_file` and `delete_package`."""

    def test_a_deleted_file_is_returned_and_gone(self) -> None:
        catalogue = self.make_catalogue()
        kept = add(catalogue, TOOLS, "demo-1.0.zip")
        file = add(catalogue, TOOLS, upload(core_metadata=b"Name: demo\n"))
        assert find(catalogue, IN_TOOLS, "demo-1.0.tar.gz") == file
        assert catalogue.core_metadata(file.id) == b"Name: demo\n"
        assert deleted(catalogue.delete_file(TOOLS, file.id, "ada")) == Deletion(file.package, (file,), False)
        found = details(catalogue, file.package)
        assert files_of(catalogue, IN_TOOLS) == [kept]
        assert found and [*found.files] == [kept]
        assert find(catalogue, IN_TOOLS, "demo-1.0.tar.gz") is None
        assert find(catalogue, IN_TOOLS, "demo-1.0.zip") == kept
        assert catalogue.core_metadata(file.id) is None

    def test_a_package_is_deleted_with_its_last_file(self) -> None:
        catalogue = self.make_catalogue()
        first, second = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, "demo-1.0.tar.gz")
        other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
        catalogue.delete_file(TOOLS, first.id, "")
        assert details(catalogue, first.package) == PackageDetails(first.package, (second,), PackageMetadata())
        assert listed(catalogue, IN_TOOLS) == ([first.package, other.package], 2)
        assert deleted(catalogue.delete_file(TOOLS, second.id, "")) == Deletion(second.package, (second,), True)
        assert listed(catalogue, IN_TOOLS) == ([other.package], 1)
        assert details(catalogue, first.package) is None
        assert deleted(catalogue.delete_file(TOOLS, other.id, "")).package_deleted
        assert catalogue.listing(IN_TOOLS, DEMO) is None
        assert [*catalogue.names(IN_TOOLS)] == []
        assert catalogue.delete_package(TOOLS, other.package.id, "") is None

    def test_a_file_is_deleted_once(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(TOOLS, file.id, "")
        before = everything(catalogue)
        assert catalogue.delete_file(TOOLS, file.id, "") is None
        assert everything(catalogue) == before
        again = add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.delete_file(TOOLS, file.id, "") is None
        assert files_of(catalogue, IN_TOOLS) == [again]

    def test_the_name_of_a_deleted_file_is_free_at_once(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(TOOLS, file.id, "")
        other = add(catalogue, TOOLS, upload("demo-1.0.zip", "other", "2.0"))
        assert find(catalogue, IN_TOOLS, "demo-1.0.zip") == other
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(TOOLS, other.package.id, "")
        assert find(catalogue, IN_TOOLS, "demo-1.0.zip") is None
        add(catalogue, TOOLS, "demo-1.0.zip")

    def test_other_spellings_of_the_name_of_a_deleted_file_are_free_at_once(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(TOOLS, file.id, "")
        other = add(catalogue, TOOLS, "Demo-1.zip")
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(TOOLS, other.package.id, "")
        add(catalogue, TOOLS, "demo-1.0.zip")

    def test_after_the_newest_file_was_deleted_the_next_one_is_found(self) -> None:
        catalogue = self.make_catalogue()
        old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        catalogue.delete_file(LIBS, new.id, "")
        assert find(catalogue, IN_ACME, "demo-1.0.zip") == old
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")

    def test_a_deleted_package_is_returned_with_its_files_and_gone(self) -> None:
        catalogue = self.make_catalogue()
        files = [
            add(catalogue, TOOLS, upload(f"demo-1.0-{number}.zip", version=version, core_metadata=b""))
            for number, version in enumerate(["1.0", "1.0.0", "1"])
        ]
        other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
        [package] = {file.package for file in files}
        catalogue.yank(TOOLS, package.id, "broken", "")
        deletion = deleted(catalogue.delete_package(TOOLS, package.id, "ada"))
        assert (deletion.package.id, deletion.package.yanked, deletion.package_deleted) == (package.id, "broken", True)
        assert [(file.id, file.blob_key) for file in deletion.files] == [(file.id, file.blob_key) for file in files]
        assert details(catalogue, package) is None
        assert listed(catalogue, IN_TOOLS) == ([other.package], 1)
        assert files_of(catalogue, IN_TOOLS) == [other]
        assert [find(catalogue, IN_TOOLS, file.filename) for file in files] == [None, None, None]
        assert [catalogue.core_metadata(file.id) for file in files] == [None, None, None]

    def test_a_package_is_deleted_once(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(TOOLS, file.package.id, "")
        before = everything(catalogue)
        assert catalogue.delete_package(TOOLS, file.package.id, "") is None
        assert catalogue.delete_file(TOOLS, file.id, "") is None
        assert catalogue.yank(TOOLS, file.package.id, "late", "") is None
        assert catalogue.yank(TOOLS, file.package.id, None, "") is None
        assert everything(catalogue) == before
        again = add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.delete_package(TOOLS, file.package.id, "") is None
        assert files_of(catalogue, IN_TOOLS) == [again]

    def test_a_deleted_version_that_is_uploaded_again_is_a_new_package(self) -> None:
        catalogue = self.make_catalogue()
        later = AT + timedelta(days=1)
        for name, by_file in (("first", True), ("second", False)):
            sent = upload(f"{name}.zip", name, core_metadata=b"old", metadata=PackageMetadata(summary="old"))
            old = add(catalogue, TOOLS, sent)
            catalogue.yank(TOOLS, old.package.id, "broken", "")
            if by_file:
                catalogue.delete_file(TOOLS, old.id, "")
            else:
                catalogue.delete_package(TOOLS, old.package.id, "")
            new = add(catalogue, TOOLS, upload(f"{name}.zip", name.upper(), "1.0.0"), at=later)
            package = Package(new.package.id, TOOLS.id, name.upper(), sent.normalized_name, "1.0.0", later)
            assert new.package == package
            assert package.id != old.package.id
            assert find(catalogue, IN_TOOLS, f"{name}.zip") == new
            assert details(catalogue, package) == PackageDetails(package, (new,), PackageMetadata())
            assert catalogue.core_metadata(new.id) is None

    def test_deleting_in_one_project_changes_no_other(self) -> None:
        catalogue = self.make_catalogue()
        file, twin = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
        one, other = add(catalogue, TOOLS, "demo-1.1.zip"), add(catalogue, OUTSIDE, "demo-1.1.zip")
        before = revisions(catalogue, selections=[IN_LIBS, IN_OUTSIDE])
        catalogue.delete_file(TOOLS, one.id, "")
        catalogue.delete_package(TOOLS, file.package.id, "")
        assert files_of(catalogue, IN_THREE) == [twin, other]
        assert [*catalogue.names(IN_ACME)] == ["demo"]
        assert revisions(catalogue, selections=[IN_LIBS, IN_OUTSIDE]) == before

    def test_an_id_of_another_project_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, LIBS, "demo-1.0.zip")
        before = everything(catalogue)
        assert catalogue.delete_file(LIBS, file.id, "") is None
        assert catalogue.delete_package(LIBS, file.package.id, "") is None
        assert catalogue.yank(LIBS, file.package.id, "broken", "") is None
        assert catalogue.delete_file(OUTSIDE, file.id, "") is None
        assert catalogue.package(LIBS.id, file.package.id) is None
        assert everything(catalogue) == before
