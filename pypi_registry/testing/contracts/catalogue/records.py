"""Tests of the optional `Enumerable`: `records` and `restore`, by which whole catalogues are checked and copied."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import FileTaken
from pypi_registry.model import NameStatus, PackageMetadata, Status
from pypi_registry.storage import Catalogue, Enumerable, KeepsVariants
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    EVERYWHERE,
    IN_ACME,
    IN_LIBS,
    IN_TOOLS,
    LIBS,
    MOVED_TOOLS,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    answers,
    as_enumerable,
    everything,
    files_of,
    publish_history,
    revisions,
    upload,
)
from pypi_registry.testing.contracts.threads import raised

R = TypeVar("R", bound=Record)
_ARCHIVED = NameStatus(Status.ARCHIVED, "old")


class Records(CatalogueHooks):
    """Tests of `Enumerable`."""

    def test_the_records_are_everything_and_a_package_comes_before_its_files(self) -> None:
        catalogue = self.make_catalogue()
        source = as_enumerable(catalogue)
        assert [*source.records()] == []
        publish_history(catalogue)
        records = [*source.records()]
        assert len(records) == len({*records})
        files = [*files_of(catalogue, EVERYWHERE, DEMO), *files_of(catalogue, EVERYWHERE, OTHER)]
        assert {(record.file, record.core_metadata) for record in _only(FileRecord, records)} == {
            (file, catalogue.core_metadata(file.id)) for file in files
        }
        found = [catalogue.package(*key) for key in {(file.package.project_id, file.package.id) for file in files}]
        assert {replace(record, variants=()) for record in _only(PackageRecord, records)} == {
            PackageRecord(each.package, each.metadata) for each in found if each
        }
        if isinstance(catalogue, KeepsVariants):
            kept = [catalogue.variants(IN_TOOLS, DEMO, version) for version in ("1.0", "3.0")]
            contents = {tuple(history.contents) for histories in kept for history in histories}
            assert {record.variants for record in _only(PackageRecord, records)} == {(), *contents}
        assert {*_only(ProjectRecord, records)} == {
            ProjectRecord(TOOLS.id, "acme/tools"),
            ProjectRecord(LIBS.id, "moved/libs"),
        }
        assert StatusRecord(LIBS.id, DEMO, _ARCHIVED) in records
        assert {*_only(PublicationRecord, records)} == {
            PublicationRecord(name, *pair) for name in (DEMO, OTHER) for pair in catalogue.publications(name)
        }
        position = {record: number for number, record in enumerate(records)}
        projects = {record.id: position[record] for record in _only(ProjectRecord, records)}
        packages = {record.package.id: position[record] for record in _only(PackageRecord, records)}
        for package in _only(PackageRecord, records):
            assert projects[package.package.project_id] < position[package]
        for file in _only(FileRecord, records):
            assert packages[file.file.package.id] < position[file]

    def test_records_restore_the_answers_of_a_catalogue_in_another_one(self) -> None:
        # In both directions: into a catalogue of this package, and from one.
        catalogue, other = self.make_catalogue(), MemoryCatalogue()
        target = as_enumerable(catalogue)
        publish_history(other)
        _restore(other.records(), target)
        assert answers(catalogue) == answers(other)
        back = MemoryCatalogue()
        _restore(target.records(), back)
        assert answers(back) == answers(other)

    def test_the_identity_of_a_file_is_restored(self) -> None:
        target = as_enumerable(self.make_catalogue())
        source = MemoryCatalogue()
        file = add(source, TOOLS, "demo-1.0.zip")
        records = [
            replace(record, identity="demo-1.0") if isinstance(record, FileRecord) else record
            for record in source.records()
        ]
        _restore(records, target)
        assert _only(FileRecord, target.records()) == [FileRecord(file, None, "demo-1.0")]

    def test_the_highest_ids_are_recorded_also_those_of_what_was_deleted(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        kept, gone = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        catalogue.delete_package(TOOLS, gone.package.id, "")
        [last] = _only(LastIdsRecord, target.records())
        assert last.package >= gone.package.id > kept.package.id
        assert last.file >= gone.id > kept.id

    def test_restored_highest_ids_are_not_used_again_and_never_lowered(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        target.restore(LastIdsRecord(1000, 2000))
        target.restore(LastIdsRecord(3, 4))
        added = add(catalogue, TOOLS, "demo-1.0.zip")
        assert (added.package.id > 1000, added.id > 2000) == (True, True)
        target.restore(LastIdsRecord(added.package.id + 1000, added.id + 1000))
        later = add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        assert (later.package.id > added.package.id + 1000, later.id > added.id + 1000) == (True, True)

    def test_the_ids_up_to_which_a_catalogue_is_a_copy_are_those_that_were_restored_last(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        publish_history(catalogue)
        assert _only(CopiedRecord, target.records()) == []
        [last] = _only(LastIdsRecord, target.records())
        before = everything(catalogue)
        for copied in (CopiedRecord(1000, 2000), CopiedRecord(3, 4), CopiedRecord(5, 6)):
            target.restore(copied)
            assert [*target.records()][:2] == [last, copied]
            assert everything(catalogue) == before
        target.restore(LastIdsRecord(last.package + 1000, last.file + 1000))
        add(catalogue, TOOLS, upload("demo-9.zip", version="9"))
        assert _only(CopiedRecord, target.records()) == [CopiedRecord(5, 6)]

    def test_a_record_replaces_an_older_state_of_itself(self) -> None:
        catalogue, other = self.make_catalogue(), MemoryCatalogue()
        target = as_enumerable(catalogue)
        file = add(other, TOOLS, "demo-1.0.zip")
        add(other, LIBS, "demo-1.0.zip")
        _restore(other.records(), target)
        seen = [revisions(catalogue, [DEMO], [IN_TOOLS, IN_LIBS])]
        changes: list[Callable[[], object]] = [
            lambda: other.yank(TOOLS, file.package.id, "broken", ""),
            lambda: other.yank(TOOLS, file.package.id, "worse", ""),
            lambda: other.yank(TOOLS, file.package.id, None, ""),
            lambda: other.set_status(TOOLS, DEMO, _ARCHIVED, ""),
            lambda: other.set_status(TOOLS, DEMO, NameStatus(), ""),
        ]
        for change in changes:
            change()
            _restore(other.records(), target)
            assert answers(catalogue) == answers(other)
            seen.append(revisions(catalogue, [DEMO], [IN_TOOLS, IN_LIBS]))
        of_tools = [found[IN_TOOLS, DEMO] for found in seen]
        assert len({*of_tools}) == len(of_tools)
        assert {found[IN_LIBS, DEMO] for found in seen} == {seen[0][IN_LIBS, DEMO]}
        # Neither metadata nor a path are on a simple page.
        metadata = PackageMetadata("2.1", "a@example.org", "new", "one", "two", "text/plain")
        add(other, MOVED_TOOLS, upload("demo-1.0.tar.gz", metadata=metadata))
        _restore([record for record in other.records() if not isinstance(record, FileRecord)], target)
        assert _metadata_of(catalogue, file.package.id) == metadata
        assert ProjectRecord(TOOLS.id, MOVED_TOOLS.path) in [*target.records()]
        assert revisions(catalogue, [DEMO], [IN_TOOLS, IN_LIBS]) == seen[-1]

    def test_the_record_of_an_added_file_has_its_identity(self) -> None:
        catalogue = self.make_catalogue()
        source = as_enumerable(catalogue)
        sent = upload("My.Pkg-1.0-py3.py2-none-any.whl", "my-pkg")
        assert sent.identity is not None
        add(catalogue, TOOLS, sent)
        add(catalogue, TOOLS, upload("file.zip", "other"))
        assert {record.file.filename: record.identity for record in _only(FileRecord, source.records())} == {
            sent.filename: sent.identity,
            "file.zip": None,
        }

    def test_while_a_restored_spelling_of_a_name_is_left_no_other_is_published(self) -> None:
        # A registry from before identities may hold several spellings; the oldest file has the identity.
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        unrelated = add(catalogue, TOOLS, "file.zip")
        doubles = [
            replace(first, id=unrelated.id + number, filename=spelling, blob_key=f"{number}" * 32)
            for number, spelling in enumerate(["Demo-1.0.zip", "demo-1.zip"], 1)
        ]
        _restore([FileRecord(replace(unrelated, id=unrelated.id + 3, filename="demo-x.zip"), None)], target)
        _restore([FileRecord(double, None) for double in reversed(doubles)], target)
        for held in (first, *doubles):
            identities = {record.file.id: record.identity for record in _only(FileRecord, target.records())}
            assert {id_ for id_, identity in identities.items() if identity} == {held.id}
            raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.0.zip")
            assert catalogue.delete_file(TOOLS, held.id, "") is not None
        add(catalogue, TOOLS, "demo-1.0.0.zip")

    def test_a_spelling_without_the_identity_is_deleted_alone(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        double = replace(first, id=first.id + 100, filename="Demo-1.0.zip")
        _restore([FileRecord(double, None)], target)
        catalogue.delete_file(TOOLS, double.id, "")
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.zip")
        assert files_of(catalogue, IN_TOOLS) == [first]

    def test_restoring_a_record_again_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        publish_history(catalogue)
        before = everything(catalogue)
        _restore([*target.records()], target)
        assert everything(catalogue) == before

    def test_a_record_in_conflict_with_another_raises_value_error_and_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        file, other = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, upload("other-1.0.zip", "other"))
        missing = replace(file.package, id=other.id + 1000, version="3.0")
        conflicts: list[Record] = [
            FileRecord(replace(file, filename="demo-1.0.tar.gz"), None),
            FileRecord(replace(file, id=other.id + 1001), None),
            FileRecord(replace(file, id=other.id + 1001, filename="demo-3.0.zip", package=missing), None),
            FileRecord(
                replace(file, id=other.id + 1001, filename="Demo-1.0.zip"), None, upload("demo-1.0.zip").identity
            ),
            PackageRecord(replace(file.package, version="2.0"), PackageMetadata()),
            PackageRecord(replace(file.package, project_id=LIBS.id), PackageMetadata()),
        ]
        before = everything(catalogue)
        for record in conflicts:
            raised(ValueError, target.restore, record)
            assert everything(catalogue) == before, record

    def test_what_is_added_after_a_restore_has_fresh_ids(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        source = MemoryCatalogue()
        for number in range(5):
            last = add(source, TOOLS, upload(f"demo-{number}.zip", version=str(number)))
        _restore(source.records(), target)
        fresh = add(catalogue, TOOLS, upload("demo-5.zip", version="5"))
        known = (
            {file.id for file in files_of(source, IN_TOOLS)},
            {file.package.id for file in files_of(source, IN_TOOLS)},
        )
        assert fresh.id not in known[0]
        assert fresh.package.id not in known[1]
        assert files_of(catalogue, IN_TOOLS)[-2:] == [last, fresh]

    def test_a_restored_file_changes_the_revision_of_its_page(self) -> None:
        catalogue = self.make_catalogue()
        target = as_enumerable(catalogue)
        source = MemoryCatalogue()
        add(source, TOOLS, "demo-1.0.zip")
        add(source, LIBS, "demo-1.0.zip")
        seen = [revisions(catalogue, [DEMO], [IN_TOOLS, IN_ACME])]
        for number in range(2):
            _restore(source.records(), target)
            seen.append(revisions(catalogue, [DEMO], [IN_TOOLS, IN_ACME]))
            add(source, TOOLS, f"demo-1.0-{number}.zip")
        assert None not in seen[1].values()
        assert all(seen[1][projects, DEMO] != seen[2][projects, DEMO] for projects in (IN_TOOLS, IN_ACME))
        assert catalogue.revision(IN_LIBS, DEMO) is not None

    def test_listed_are_the_blob_keys_of_files_as_they_are_now(self) -> None:
        catalogue = self.make_catalogue()
        source = as_enumerable(catalogue)
        keys = [letter * 32 for letter in "abc"]
        files = [add(catalogue, TOOLS, f"demo-1.0-{key[0]}.zip", key=key) for key in keys[:2]]
        assert source.listed([*keys]) == {*keys[:2]}
        assert source.listed([keys[1], keys[2]]) == {keys[1]}
        assert source.listed([]) == set()
        catalogue.delete_file(TOOLS, files[0].id, "")
        assert source.listed(keys) == {keys[1]}
        catalogue.delete_package(TOOLS, files[1].package.id, "")
        assert source.listed(keys) == set()

    def test_a_corrected_size_changes_one_file_and_the_revision_of_its_page(self) -> None:
        catalogue = self.make_catalogue()
        source = as_enumerable(catalogue)
        file, other = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, "demo-1.0.tar.gz")
        seen = revisions(catalogue, [DEMO], [IN_TOOLS, IN_ACME])
        assert source.correct_size(file.id, 5)
        assert files_of(catalogue, IN_TOOLS) == [replace(file, size=5), other]
        now = revisions(catalogue, [DEMO], [IN_TOOLS, IN_ACME])
        assert all(now[projects, DEMO] != seen[projects, DEMO] for projects in (IN_TOOLS, IN_ACME))
        assert not source.correct_size(other.id + 1000, 5)

    def test_records_are_of_one_moment(self) -> None:
        catalogue = self.make_catalogue()
        source = as_enumerable(catalogue)
        files = [add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number))) for number in range(60)]
        expected = [*source.records()]
        records = source.records()
        first = next(records)
        for file in files[::2]:
            catalogue.delete_file(TOOLS, file.id, "")
        add(catalogue, TOOLS, upload("late.zip", version="late1"))
        catalogue.set_status(TOOLS, DEMO, _ARCHIVED, "")
        unchanged = [first, *records] == expected
        assert unchanged  # pytest would take seconds to show how two long lists differ


def _metadata_of(catalogue: Catalogue, package_id: int) -> PackageMetadata | None:
    found = catalogue.package(TOOLS.id, package_id)
    return None if found is None else found.metadata


def _only(kind: type[R], records: Iterable[Record]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def _restore(records: Iterable[Record], target: Enumerable) -> None:
    for record in records:
        target.restore(record)
