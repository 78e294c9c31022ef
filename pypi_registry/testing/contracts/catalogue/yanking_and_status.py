"""Tests of `yank` and `set_status`: what they change in packages, files and listings, and what they leave unchanged.

Uploads that a status refuses are in `adding`.
"""

from dataclasses import replace

from pypi_registry.errors import UploadsRefused
from pypi_registry.model import Listing, NameStatus, PackageDetails, PackageMetadata, Status
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_ACME,
    IN_LIBS,
    IN_TOOLS,
    LIBS,
    OTHER,
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
from pypi_registry.testing.contracts.threads import raised


class YankingAndStatus(CatalogueHooks):
    """Tests of `Catalogue.yank` and `set_status`."""

    def test_every_reading_method_returns_a_yanked_package_as_yanked(self) -> None:
        catalogue = self.make_catalogue()
        package = add(catalogue, TOOLS, "demo-1.0.zip").package
        add(catalogue, TOOLS, upload("demo-1.0.tar.gz", version="1.0.0"))
        other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0")).package
        twin = add(catalogue, LIBS, "demo-1.0.zip").package
        for yanked in ("", "broken on 3.11; é ☃", None, "x" * 10_000):
            changed = replace(package, yanked=yanked)
            assert catalogue.yank(TOOLS, package.id, yanked, "ada") == changed
            found = details(catalogue, package)
            assert found and [found.package, *(file.package for file in found.files)] == 3 * [changed]
            assert listed(catalogue, IN_ACME) == ([changed, other, twin], 3)
            assert [file.package for file in files_of(catalogue, IN_TOOLS)] == [changed, changed, other]
            file = find(catalogue, IN_TOOLS, "demo-1.0.tar.gz")
            assert file and file.package == changed

    def test_yanks_and_statuses_change_nothing_else(self) -> None:
        catalogue = self.make_catalogue()
        metadata = PackageMetadata("2.1", "a@example.org", "summary", "one, two", "description", "text/markdown")
        sent = upload(metadata=metadata, core_metadata=b"Name: demo\n", requires_python=">=3.8")
        file = add(catalogue, TOOLS, sent, by="ada")
        for yanked in ("broken", None):
            status = NameStatus(Status.DEPRECATED, yanked or "")
            catalogue.set_status(TOOLS, DEMO, status, "bob")
            catalogue.yank(TOOLS, file.package.id, yanked, "bob")
            package = replace(file.package, yanked=yanked)
            changed = replace(file, package=package)
            assert listing(catalogue, IN_TOOLS) == Listing((changed,), {TOOLS.id: status})
            assert details(catalogue, package) == PackageDetails(package, (changed,), metadata)
            assert catalogue.core_metadata(file.id) == b"Name: demo\n"

    def test_a_file_that_is_added_to_a_yanked_package_is_yanked(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.yank(TOOLS, first.package.id, "broken", "")
        second = add(catalogue, TOOLS, "demo-1.0.tar.gz")
        assert second.package == replace(first.package, yanked="broken")
        catalogue.delete_file(TOOLS, first.id, "")
        assert files_of(catalogue, IN_TOOLS) == [second]

    def test_yanking_does_not_change_the_order_of_files(self) -> None:
        catalogue = self.make_catalogue()
        files = [add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number))) for number in range(3)]
        catalogue.yank(TOOLS, files[0].package.id, "", "")
        assert filenames(files_of(catalogue, IN_TOOLS)) == filenames(files)

    def test_a_status_holds_with_its_reason_until_the_next(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        add(catalogue, LIBS, "demo-1.0.zip")
        for status in (*Status, Status.ACTIVE):
            for reason in ("", "é ☃ \0 ' \""):
                catalogue.set_status(TOOLS, DEMO, NameStatus(status, reason), "ada")
                found = statuses_of(catalogue, IN_TOOLS)[TOOLS.id]
                assert found == NameStatus(status, reason)
                assert type(found.status) is Status
                assert statuses_of(catalogue, IN_TOOLS, OTHER) == {TOOLS.id: NameStatus()}
                assert statuses_of(catalogue, IN_LIBS) == {LIBS.id: NameStatus()}

    def test_a_status_holds_while_the_name_has_no_package(self) -> None:
        catalogue = self.make_catalogue()
        archived = NameStatus(Status.ARCHIVED, "old")
        catalogue.set_status(TOOLS, DEMO, archived, "")
        assert listing(catalogue, IN_TOOLS) is None
        assert [*catalogue.names(IN_TOOLS)] == []
        assert [*catalogue.publications(DEMO)] == []
        raised(UploadsRefused, add, catalogue, TOOLS, "demo-1.0.zip")
        deprecated = replace(archived, status=Status.DEPRECATED)
        catalogue.set_status(TOOLS, DEMO, deprecated, "")
        for number in range(2):
            file = add(catalogue, TOOLS, f"demo-{number}.zip")
            assert listing(catalogue, IN_TOOLS) == Listing((file,), {TOOLS.id: deprecated})
            catalogue.delete_file(TOOLS, file.id, "")

    def test_a_quarantined_name_can_be_yanked_and_deleted_and_stays_quarantined(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED, "malware"), "")
        yanked = catalogue.yank(TOOLS, file.package.id, "bad", "")
        assert yanked and yanked.yanked == "bad"
        assert deleted(catalogue.delete_file(TOOLS, file.id, "")).package_deleted
        raised(UploadsRefused, add, catalogue, TOOLS, "demo-1.0.zip")
