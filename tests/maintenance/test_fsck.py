"""A check finds each kind of damage, repairs what it may, and harms nothing that another program does meanwhile."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pypi_registry._maintenance.fsck import Check, Options, Progress
from pypi_registry._maintenance.problems import Kind, Repair
from pypi_registry._maintenance.reading import UnreadableCatalogue
from pypi_registry._records import FileRecord, PackageRecord, Record
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import Digests, Project, Status
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import IN_TOOLS, LIBS, TOOLS, files_of, publish_history
from tests.maintenance.damage import DAMAGES, DATA, FIRST, OTHER, SECOND, Stores, missing
from tests.testing.mutants.wrapping import BlobsWrapper, CatalogueWrapper

DIGESTS = Options(digests=True)
REPAIR = Options(digests=True, repair=True)
DROP = Options(digests=True, repair=True, drop_missing=True)


@pytest.fixture(params=["memory", "sqlite and files"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryCatalogue(), MemoryBlobs())
        return
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(tmp_path / "files"))


def test_a_healthy_registry_has_no_problems(stores: Stores) -> None:
    assert stores.check(DIGESTS) == []
    for project in (TOOLS, LIBS):
        stores.publish(project=project, core_metadata=b"Name: demo")
        stores.publish(SECOND, project)
    stores.catalogue.delete_file(LIBS, stores.publish("demo-2.0.zip", LIBS, version="2.0").id, "")
    assert [problem.kind for problem in stores.check(DIGESTS)] == [Kind.UNLISTED_BLOB]  # as after a crash
    assert len(stores.check(REPAIR)) == 1
    assert stores.check(DIGESTS) == []


def test_moved_projects_and_statuses_of_deleted_names_are_no_problem(stores: Stores) -> None:
    publish_history(stores.catalogue)  # its files have no bytes
    assert {problem.kind for problem in stores.check(DROP)} == {Kind.MISSING_BLOB}
    assert stores.check(DIGESTS) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_repaired_where_it_may_be_and_then_gone(stores: Stores, name: str) -> None:
    damage = DAMAGES[name]
    healthy = stores.publish()
    assert stores.check(DIGESTS) == []
    damage.make(stores)

    [problem] = stores.check(DIGESTS)
    assert (problem.kind, problem.repair, problem.repaired) == (damage.kind, damage.repair, False)
    assert damage.detail in problem.detail
    assert stores.check(DIGESTS) == [problem], "a check without repair changes nothing"
    assert stores.check(Options()) == ([] if damage.only_with_digests else [problem])

    [after_repair] = stores.check(REPAIR)
    assert after_repair.repaired is (damage.repair is Repair.REPAIR)
    assert stores.check(DIGESTS) == ([] if after_repair.repaired else [problem])

    found = stores.check(DROP)
    assert [each.repaired for each in found] == ([] if after_repair.repaired else [damage.repair is not None])
    assert stores.check(DIGESTS) == ([problem] if damage.repair is None else [])
    assert healthy in files_of(stores.catalogue, IN_TOOLS)
    assert stores.has(healthy.blob_key)


def test_a_problem_names_the_file(stores: Stores) -> None:
    missing(stores)
    [problem] = stores.check()
    [file] = files_of(stores.catalogue, IN_TOOLS)
    assert (problem.project_id, problem.project) == (TOOLS.id, TOOLS.path)
    assert (problem.package, problem.version, problem.filename) == ("demo", "1.0", SECOND)
    assert (problem.file_id, problem.blob_key) == (file.id, file.blob_key)


def test_a_corrected_size_changes_the_page(stores: Stores) -> None:
    file = stores.publish()
    stores.catalogue.correct_size(file.id, 3)
    before = stores.catalogue.revision(IN_TOOLS, file.package.normalized_name)
    stores.check(REPAIR)
    assert stores.catalogue.revision(IN_TOOLS, file.package.normalized_name) != before
    assert files_of(stores.catalogue, IN_TOOLS) == [file]


def test_a_dropped_row_takes_its_wrong_bytes_with_it(stores: Stores) -> None:
    file = stores.publish()
    stores.replace(file.blob_key, OTHER)
    stores.check(REPAIR)
    assert (stores.filenames(), stores.has(file.blob_key)) == ({FIRST}, True)
    stores.check(DROP)
    assert (stores.filenames(), stores.has(file.blob_key)) == (set(), False)


def test_a_dropped_row_leaves_bytes_that_another_row_has(stores: Stores) -> None:
    file = stores.publish()
    stores.publish(SECOND, key=file.blob_key, size=3)
    wrong = stores.publish("demo-1.0-py2-none-any.whl", key=file.blob_key, digests=Digests("0" * 64))
    found = stores.check(DROP)
    assert [each.file_id for each in found if each.repair is Repair.DROP_MISSING] == [wrong.id]
    assert stores.has(file.blob_key)
    assert stores.filenames() == {FIRST, SECOND}


# Ages


@pytest.mark.parametrize(
    ("age", "is_found"),
    [
        (timedelta(days=1, seconds=60), True),
        pytest.param(timedelta(hours=23, minutes=59), False, id="younger than a day"),
        pytest.param(timedelta(days=-30), False, id="in the future"),
    ],
)
def test_only_blobs_older_than_a_day_count(stores: Stores, age: timedelta, is_found: bool) -> None:
    key = stores.put("b" * 32)
    found = stores.check(REPAIR, now=datetime.now(UTC) + age)
    assert [problem.blob_key for problem in found] == ([key] if is_found else [])
    assert stores.has(key) is not is_found


def test_by_default_now_is_now(stores: Stores) -> None:
    key = stores.put("b" * 32)
    assert [*Check(stores.catalogue, stores.blobs, REPAIR).problems()] == []
    assert stores.has(key)


# What other programs do meanwhile


class Hooked(CatalogueWrapper):
    """Calls a function before or after a method."""

    def __init__(self, inner: Any, **hooks: Callable[[], object]) -> None:
        super().__init__(inner)
        self.hooks = hooks

    def records(self) -> Iterator[Record]:
        yield from super().records()
        self.hooks.get("after_records", lambda: None)()

    def listed(self, blob_keys: Any) -> Any:
        self.hooks.pop("before_listed", lambda: None)()
        return super().listed(blob_keys)

    def file(self, *args: Any) -> Any:
        self.hooks.pop("before_file", lambda: None)()
        return super().file(*args)


class HookedBlobs(BlobsWrapper):
    def __init__(self, inner: Any, **hooks: Callable[[], object]) -> None:
        super().__init__(inner)
        self.hooks = hooks

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        yield from super().keys()
        self.hooks.get("after_keys", lambda: None)()

    def open(self, key: str, **options: Any) -> Any:
        self.hooks.pop("before_open", lambda: None)()
        return super().open(key, **options)


def test_a_file_that_is_published_after_the_rows_were_read_is_no_problem(stores: Stores) -> None:
    stores.publish()
    hooked = Stores(Hooked(stores.catalogue, after_records=lambda: stores.publish(SECOND)), stores.blobs)
    assert hooked.check(DROP) == []
    assert stores.filenames() == {FIRST, SECOND}
    assert stores.check(DIGESTS) == []


def test_a_blob_whose_row_is_added_just_before_it_would_be_deleted_is_kept(stores: Stores) -> None:
    key = stores.put("c" * 32)
    hooked = Stores(Hooked(stores.catalogue, before_listed=lambda: stores.publish(key=key)), stores.blobs)
    assert hooked.check(DROP) == []
    assert stores.has(key)
    assert stores.check(DIGESTS) == []


def test_a_blob_that_is_deleted_after_its_row_is_no_problem(stores: Stores) -> None:
    # The registry deleted the row before the rows were read, and deletes the bytes after the blobs were listed.
    key = stores.put("c" * 32)
    hooked = Stores(stores.catalogue, HookedBlobs(stores.blobs, after_keys=lambda: stores.blobs.delete(key)))
    assert hooked.check(DIGESTS) == []


@pytest.mark.parametrize("moment", ["after_records", "before_file"])
def test_a_file_that_is_deleted_meanwhile_is_not_missing(stores: Stores, moment: str) -> None:
    file, kept = stores.publish(), stores.publish(SECOND)

    def delete() -> None:
        stores.catalogue.delete_file(TOOLS, file.id, "")
        stores.blobs.delete(file.blob_key)

    hook = {moment: delete}
    if moment == "before_file":
        stores.blobs.delete(file.blob_key)
    assert Stores(Hooked(stores.catalogue, **hook), stores.blobs).check(DROP) == []
    assert files_of(stores.catalogue, IN_TOOLS) == [kept]


@pytest.mark.parametrize("row_too", [True, False])
def test_a_file_whose_bytes_go_before_they_are_read(stores: Stores, row_too: bool) -> None:
    file = stores.publish()

    def delete() -> None:
        if row_too:
            stores.catalogue.delete_file(TOOLS, file.id, "")
        stores.blobs.delete(file.blob_key)

    found = Stores(stores.catalogue, HookedBlobs(stores.blobs, before_open=delete)).check(DIGESTS)
    assert [problem.kind for problem in found] == ([] if row_too else [Kind.MISSING_BLOB])


def test_a_file_that_has_its_bytes_again_is_not_missing(stores: Stores) -> None:
    file = stores.publish()
    stores.blobs.delete(file.blob_key)
    hooked = Stores(stores.catalogue, HookedBlobs(stores.blobs, after_keys=lambda: stores.put(file.blob_key)))
    assert hooked.check(DROP) == []
    assert stores.check(DIGESTS) == []


def test_a_file_that_is_published_again_under_the_same_name_is_not_dropped(stores: Stores) -> None:
    stores.blobs.delete(stores.publish().blob_key)

    def publish_again() -> None:
        [old] = files_of(stores.catalogue, IN_TOOLS)
        stores.catalogue.delete_file(TOOLS, old.id, "")
        stores.publish()

    assert Stores(Hooked(stores.catalogue, before_file=publish_again), stores.blobs).check(DROP) == []
    assert stores.filenames() == {FIRST}
    assert stores.check(DIGESTS) == []


def test_the_path_of_a_project_that_moved_meanwhile_is_kept(stores: Stores) -> None:
    missing(stores)
    stores.publish()
    moved = Project(TOOLS.id, "moved/tools")
    hooked = Hooked(
        stores.catalogue, after_records=lambda: stores.catalogue.yank(moved, _package_id(stores), "old", "")
    )
    assert len(Stores(hooked, stores.blobs).check(DROP)) == 1
    assert [*hooked.project_paths()] == [(TOOLS.id, "moved/tools")]


def _package_id(stores: Stores) -> int:
    return files_of(stores.catalogue, IN_TOOLS)[0].package.id


# Stores that cannot be read, or not be repaired


def test_a_store_that_redirects_is_checked_without_digests(stores: Stores) -> None:
    class Redirecting(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            return Redirect(f"https://bucket.example/{key}")

    stores.publish()
    missing(stores)
    wrong = stores.publish("demo-1.0-py2-none-any.whl")
    stores.catalogue.correct_size(wrong.id, 3)
    key = stores.put("d" * 32)
    redirecting = Stores(stores.catalogue, Redirecting(stores.blobs))
    found = {problem.kind: problem for problem in redirecting.check()}
    assert {*found} == {Kind.UNLISTED_BLOB, Kind.MISSING_BLOB, Kind.WRONG_SIZE}
    assert found[Kind.WRONG_SIZE].repair is None
    [unreadable] = [each for each in redirecting.check(DIGESTS) if each.kind is Kind.UNREADABLE_BLOB]
    assert unreadable.filename == FIRST
    redirecting.check(DROP)
    assert stores.filenames() == {FIRST, "demo-1.0-py2-none-any.whl"}
    assert not stores.has(key)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), StorageUnavailable("not now")])
def test_bytes_that_cannot_be_read_are_reported_and_the_row_is_kept(stores: Stores, error: Exception) -> None:
    class Failing(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            raise error

    file = stores.publish()
    [problem] = Stores(stores.catalogue, Failing(stores.blobs)).check(DROP)
    assert (problem.kind, problem.file_id, problem.repaired) == (Kind.UNREADABLE_BLOB, file.id, False)
    assert str(error) in problem.detail
    assert stores.filenames() == {FIRST}


def test_a_repair_that_fails_is_reported_and_the_check_goes_on(stores: Stores) -> None:
    class Failing(BlobsWrapper):
        def delete(self, key: str) -> None:
            if key == "a" * 32:
                raise PermissionError(13, "Permission denied")
            super().delete(key)

    keys = [stores.put(letter * 32) for letter in "abc"]
    found = Stores(stores.catalogue, Failing(stores.blobs)).check(REPAIR)
    assert [(problem.blob_key, problem.repaired) for problem in found] == [
        (keys[0], False),
        (keys[1], True),
        (keys[2], True),
    ]
    assert ["Permission denied" in problem.detail for problem in found].count(True) == 1


def test_a_row_that_cannot_be_read_ends_the_check_before_anything_is_deleted(stores: Stores) -> None:
    class Failing(CatalogueWrapper):
        def records(self) -> Iterator[Record]:
            for record in super().records():
                if isinstance(record, FileRecord):
                    Status("none")  # as of a row that another program wrote
                yield record

    stores.publish()
    key = stores.put("a" * 32)
    with pytest.raises(UnreadableCatalogue) as caught:
        Stores(Failing(stores.catalogue), stores.blobs).check(DROP)
    assert "'none' is not a valid Status" in str(caught.value)
    assert stores.has(key)


def test_rows_that_constraints_should_have_prevented_are_found(stores: Stores) -> None:
    class Doubling(CatalogueWrapper):
        def records(self) -> Iterator[Record]:
            for record in super().records():
                yield record
                if isinstance(record, FileRecord | PackageRecord):
                    yield record

    stores.publish()
    details = {problem.detail for problem in Stores(Doubling(stores.catalogue), stores.blobs).check()}
    assert details == {
        "another package has its id, or its project, name and version",
        "another file has its id",
        "another file of the project has its name",
        "another file has its bytes",
    }


def test_a_file_without_its_package_is_found(stores: Stores) -> None:
    class WithoutPackages(CatalogueWrapper):
        def records(self) -> Iterator[Record]:
            return (record for record in super().records() if not isinstance(record, PackageRecord))

    stores.publish()
    [problem] = Stores(WithoutPackages(stores.catalogue), stores.blobs).check()
    assert problem.detail == "its package is missing"


# Work


def test_progress_counts_rows_blobs_and_then_files_or_bytes(stores: Stores) -> None:
    for filename in (FIRST, SECOND):
        stores.publish(filename)
    seen: list[Progress] = []
    check = Check(stores.catalogue, stores.blobs, Options(), on_progress=seen.append)
    assert [*check.problems()] == []
    assert (check.files, check.blobs) == (2, 2)
    assert [each for each in seen if each.unit == "files"] == [Progress("files", 1, 2), Progress("files", 2, 2)]
    assert [each.done for each in seen if each.unit == "blobs"] == [1, 2]
    assert [each.done for each in seen if each.unit == "rows"] == [1, 2, 3, 4, 5, 6]
    seen.clear()
    assert [*Check(stores.catalogue, stores.blobs, DIGESTS, on_progress=seen.append).problems()] == []
    total = 2 * len(DATA)
    assert [each for each in seen if each.total is not None] == [
        Progress("bytes", len(DATA), total),
        Progress("bytes", total, total),
    ]


def test_bytes_are_read_only_where_they_must_be(stores: Stores) -> None:
    opened: list[str] = []

    class Counting(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            opened.append(key)
            return super().open(key, size=size, part=part)

    files = [stores.publish(filename) for filename in (FIRST, SECOND)]
    counting = Stores(stores.catalogue, Counting(stores.blobs))
    assert counting.check() == []
    assert opened == []
    stores.catalogue.correct_size(files[0].id, 3)
    counting.check()
    assert opened == [files[0].blob_key]


def test_many_unlisted_blobs_are_looked_up_together(stores: Stores) -> None:
    batches: list[int] = []

    class Counting(CatalogueWrapper):
        def listed(self, blob_keys: Any) -> Any:
            batches.append(len(blob_keys))
            return super().listed(blob_keys)

    for number in range(250):
        stores.put(f"{number:032x}")
    assert len(Stores(Counting(stores.catalogue), stores.blobs).check(REPAIR)) == 250
    assert batches == [100, 100, 50]
    assert [*stores.blobs.keys()] == []


# Files that are no blobs


def test_incomplete_files_older_than_a_day_are_deleted_by_a_repair_alone(tmp_path: Path) -> None:
    FileBlobs(tmp_path)
    young, old = tmp_path / "incoming" / "young", tmp_path / "incoming" / "old"
    for path in (young, old):
        path.write_bytes(b"x")
    past = datetime.now(UTC).timestamp() - 25 * 3600
    os.utime(old, (past, past))
    stores = Stores(MemoryCatalogue(), FileBlobs(tmp_path, create=False))
    [problem] = stores.check()
    assert problem.kind is Kind.INCONSISTENT_BLOBS
    assert "incoming/old" in problem.detail
    assert old.exists()
    assert [each.repaired for each in stores.check(Options(repair=True))] == [True]
    assert (young.exists(), old.exists()) == (True, False)
    assert stores.check() == []


@pytest.mark.parametrize("name", ["notes.txt", "0" + "a" * 31])
def test_other_files_among_the_blobs_are_reported_and_kept(tmp_path: Path, name: str) -> None:
    stores = Stores(MemoryCatalogue(), FileBlobs(tmp_path))
    (tmp_path / "1" / name).write_bytes(b"x")
    [problem] = stores.check(DROP)
    assert (problem.kind, problem.detail, problem.repaired) == (
        Kind.INCONSISTENT_BLOBS,
        f"1/{name} is not a blob",
        False,
    )
    assert (tmp_path / "1" / name).exists()


def test_without_create_a_folder_is_neither_created_nor_changed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileBlobs(tmp_path / "new", create=False)
    assert not (tmp_path / "new").exists()
