"""Administrators' mistakes: the file of a running catalogue is removed, moved, replaced, restored or changed."""

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.errors import OutcomeUnknown, StorageUnavailable
from pypi_registry.model import Digests, Package, PackageFile, PackageQuery, Project, Projects, Upload
from pypi_registry.stores.sqlite import SQLiteCatalogue, lists, pool
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION

TOOLS = Project(1, "acme/tools")
IN_TOOLS = Projects([TOOLS])
DEMO = canonicalize_name("demo")
AT = datetime(2026, 1, 2, tzinfo=UTC)
PATIENT = 30.0  # seconds after which a test fails

pytestmark = pytest.mark.skipif(os.name != "posix", reason="an open file cannot be removed there")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers examine the file each time."""
    monkeypatch.setattr(pool, "_CHECK_INTERVAL", 0.0)


@dataclass
class Running:
    """A catalogue that is open: the first file is in a backup, too; the second was added after it."""

    path: Path
    backup: Path
    catalogue: SQLiteCatalogue

    def add(self, filename: str) -> PackageFile:
        upload = Upload("demo", DEMO, "1.0", filename, 4, Digests("a" * 64), "")
        return self.catalogue.add(TOOLS, upload, "0" * 32, AT, "")

    @property
    def filenames(self) -> list[str]:
        listing = self.catalogue.listing(IN_TOOLS, DEMO)
        return [file.filename for file in listing.files] if listing else []

    def filenames_after_restart(self) -> list[str]:
        self.catalogue.close()
        self.catalogue = SQLiteCatalogue(self.path)
        with self.catalogue._pool.lease() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return self.filenames

    @property
    def logs(self) -> list[Path]:
        return [self.path.with_name(f"{self.path.name}{end}") for end in ("-wal", "-shm")]

    def is_unavailable(self) -> bool:
        acts: list[Callable[[], object]] = [
            lambda: self.filenames,
            lambda: self.add("refused.zip"),
            lambda: self.catalogue.revision(IN_TOOLS, DEMO),
            lambda: self.catalogue.packages(IN_TOOLS, PackageQuery()),
            lambda: self.catalogue.yank(TOOLS, 1, "", ""),
        ]
        for act in acts:
            with pytest.raises(StorageUnavailable):
                act()
        return True


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "data"
    running = Running(folder / "catalogue.db", tmp_path / "backup.db", SQLiteCatalogue(folder / "catalogue.db"))
    running.add("1.zip")
    copy(running.path, running.backup)
    running.add("2.zip")
    assert running.filenames == ["1.zip", "2.zip"]
    yield running
    running.catalogue.close()


def copy(source: Path, target: Path) -> None:
    """Copy by SQLite's backup API, as ``.backup`` and ``.restore`` of the program ``sqlite3`` do."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    reading.backup(writing)
    reading.close()
    writing.close()


def test_a_removed_catalogue_is_unavailable_and_not_created(running: Running) -> None:
    running.path.unlink()
    assert running.is_unavailable()
    assert not running.path.exists()


def test_a_removed_catalogue_is_opened_when_it_is_there_again(running: Running) -> None:
    for path in (running.path, *running.logs):
        path.unlink()
    assert running.is_unavailable()
    shutil.copy(running.backup, running.path)
    assert running.filenames == ["1.zip"]
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "3.zip"]


def test_a_log_that_stayed_is_not_applied_to_an_older_catalogue(running: Running) -> None:
    running.path.unlink()
    assert running.is_unavailable()
    shutil.copy(running.backup, running.path)
    assert running.filenames == ["1.zip"]
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "3.zip"]


def test_a_catalogue_that_an_older_one_replaces_is_opened(running: Running) -> None:
    os.replace(running.backup, running.path)  # noqa: PTH105  # what administrators do
    running.add("3.zip")
    assert running.filenames == ["1.zip", "3.zip"]
    assert running.filenames_after_restart() == ["1.zip", "3.zip"]


def test_a_moved_catalogue_has_all_changes_and_can_be_moved_back(running: Running) -> None:
    moved = running.path.with_name("moved.db")
    running.path.rename(moved)
    running.backup.rename(running.path)
    assert running.filenames == ["1.zip"]
    shutil.copy(moved, running.backup)  # without its log
    moved.rename(running.path)
    assert running.filenames_after_restart() == ["1.zip", "2.zip"]
    shutil.copy(running.backup, moved)
    alone = SQLiteCatalogue(moved)
    listing = alone.listing(IN_TOOLS, DEMO)
    alone.close()
    assert listing is not None
    assert len(listing.files) == 2


def test_a_catalogue_that_is_moved_away_and_back_is_used_again(running: Running) -> None:
    moved = running.path.with_name("moved.db")
    running.path.rename(moved)
    assert running.is_unavailable()
    moved.rename(running.path)
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "2.zip", "3.zip"]


def test_a_moved_folder_is_unavailable_until_it_is_back(running: Running) -> None:
    folder = running.path.parent
    folder.rename(folder.with_name("moved"))
    assert running.is_unavailable()
    assert not folder.exists()
    folder.with_name("moved").rename(folder)
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "2.zip", "3.zip"]


@pytest.mark.parametrize("removed", [[0], [1], [0, 1]], ids=["log", "shared memory", "both"])
def test_a_log_that_is_removed_loses_nothing(running: Running, removed: list[int]) -> None:
    for number in removed:
        running.logs[number].unlink()
    assert running.filenames == ["1.zip", "2.zip"]
    running.add("3.zip")
    # As after a power cut: what is in the files is all that there is.
    killed = running.path.parent.with_name("killed")
    shutil.copytree(running.path.parent, killed)
    survivor = SQLiteCatalogue(killed / running.path.name)
    listing = survivor.listing(IN_TOOLS, DEMO)
    survivor.close()
    assert listing is not None
    assert len(listing.files) == 3
    assert running.filenames_after_restart() == ["1.zip", "2.zip", "3.zip"]


def test_a_log_that_is_removed_while_it_is_read_is_unavailable_until_it_is_not_read(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CLOSE_TIMEOUT", 0.05)
    reading = running.catalogue.records()
    next(reading)
    running.logs[0].unlink()
    assert running.is_unavailable()
    assert len([*reading]) > 1
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "2.zip", "3.zip"]


@pytest.mark.parametrize("remove", [True, False], ids=["removed", "replaced"])
def test_a_change_that_is_committed_into_another_file_is_not_acknowledged(running: Running, remove: bool) -> None:
    """The bytes of an upload stay after this error, so that a catalogue that is moved back lists no file without."""

    def act() -> None:
        with running.catalogue._pool.transaction() as connection:
            connection.execute("UPDATE packages SET yanked = 'lost'")
            if remove:
                running.path.unlink()
            else:
                running.backup.rename(running.path)

    with pytest.raises(OutcomeUnknown, match="it is not known whether the change was committed: its file was"):
        act()
    if remove:
        assert running.is_unavailable()
    else:
        assert running.filenames == ["1.zip"]


def test_a_change_is_not_acknowledged_if_a_reader_has_opened_another_file_meanwhile(running: Running) -> None:
    def act() -> None:
        with running.catalogue._pool.transaction() as connection:
            connection.execute("UPDATE packages SET yanked = 'lost'")
            running.backup.rename(running.path)
            assert running.filenames == ["1.zip"]

    with pytest.raises(OutcomeUnknown, match="it is not known"):
        act()


@pytest.mark.parametrize("content", [b"", b"this is a letter, and no database\n" * 100], ids=["empty", "a letter"])
def test_what_is_no_catalogue_is_unavailable_and_unchanged(running: Running, content: bytes) -> None:
    running.path.unlink()
    running.path.write_bytes(content)
    assert running.is_unavailable()
    assert running.path.read_bytes() == content
    shutil.copy(running.backup, running.path)
    assert running.filenames == ["1.zip"]


def test_a_catalogue_is_opened_when_it_is_copied_whole(running: Running) -> None:
    content = running.backup.read_bytes()
    running.path.unlink()
    for size in (*range(0, len(content), len(content) // 5), len(content) - 1):
        with running.path.open("wb") as file:
            file.write(content[:size])
        assert running.is_unavailable()
    running.path.write_bytes(content)
    running.add("3.zip")
    assert running.filenames_after_restart() == ["1.zip", "3.zip"]


def test_a_disk_that_cannot_tell_the_length_of_a_catalogue_makes_it_unavailable(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str, page_size: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    running.catalogue.close()
    with monkeypatch.context() as patched:
        patched.setattr(pool, "ends_within_a_page", fail)
        assert running.is_unavailable()
    assert running.filenames == ["1.zip", "2.zip"]


def test_a_newer_catalogue_is_unavailable_and_its_path_is_not_shown(running: Running) -> None:
    connection = sqlite3.connect(running.backup)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    running.backup.rename(running.path)
    with pytest.raises(StorageUnavailable) as caught:
        running.add("3.zip")
    assert str(running.path) not in str(caught.value)


def test_an_older_catalogue_is_migrated(running: Running) -> None:
    shutil.copy(Path(__file__).with_name("data") / "schema2.sqlite3", running.backup)
    running.backup.rename(running.path)
    running.add("3.zip")
    assert running.catalogue.package(TOOLS.id, 1) is not None
    assert "3.zip" in running.filenames_after_restart()


def test_a_start_does_not_replace_a_catalogue_whose_log_is_still_there(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    moved = running.path.with_name("moved.db")
    running.path.rename(moved)
    SQLiteCatalogue(running.path).close()
    assert re.search("the catalogue is missing, but .*-wal has changes of it", caplog.text)
    moved.rename(running.path)
    assert running.filenames == ["1.zip", "2.zip"]


def test_a_worker_that_starts_while_the_catalogue_is_missing_does_not_create_it(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (running.path, *running.logs):
        path.unlink()
    worker = SQLiteCatalogue(running.path)
    assert "the catalogue is missing: restore it, or delete" in caplog.text
    with pytest.raises(StorageUnavailable):
        worker.names(IN_TOOLS)
    assert not running.path.exists()
    shutil.copy(running.backup, running.path)
    assert [*worker.names(IN_TOOLS)] == [DEMO]
    worker.close()


def test_a_catalogue_is_created_again_if_its_mark_is_deleted(running: Running) -> None:
    for path in (running.path, *running.logs, running.path.with_name(f"{running.path.name}-created")):
        path.unlink()
    SQLiteCatalogue(running.path).close()
    assert running.path.exists()


# Restored, or changed, by SQLite


def test_a_restore_by_sqlite_has_effect_at_once(running: Running) -> None:
    before = running.catalogue.revision(IN_TOOLS, DEMO)
    copy(running.backup, running.path)
    assert running.filenames == ["1.zip"]
    restored = running.catalogue.revision(IN_TOOLS, DEMO)
    running.add("3.zip")
    assert running.filenames == ["1.zip", "3.zip"]
    assert len({before, restored, running.catalogue.revision(IN_TOOLS, DEMO)}) == 3


@pytest.mark.parametrize("restore", [copy, shutil.move], ids=["by SQLite", "as a file"])
def test_a_search_is_not_frequent_any_more_in_an_older_catalogue(
    running: Running, monkeypatch: pytest.MonkeyPatch, restore: Callable[[Path, Path], object]
) -> None:
    monkeypatch.setattr(lists, "MAX_TOTAL", 3)

    def publish(version: str) -> None:
        upload = Upload("demo", DEMO, version, f"{version}.zip", 4, Digests("a" * 64), "")
        running.catalogue.add(TOOLS, upload, "0" * 32, AT, "")

    def total() -> int | None:
        found: tuple[object, int | None] = running.catalogue.packages(IN_TOOLS, PackageQuery(name="demo"))
        return found[1]

    for version in ("2.0", "3.0", "4.0"):
        publish(version)
    assert total() is None
    restore(running.backup, running.path)
    assert total() == 1


def test_a_change_by_another_program_has_effect_at_once(running: Running) -> None:
    def packages() -> list[Package]:
        return [*running.catalogue.packages(IN_TOOLS, PackageQuery())[0]]

    before = running.catalogue.revision(IN_TOOLS, DEMO), packages()
    other = sqlite3.connect(running.path)
    other.execute("UPDATE packages SET yanked = 'by sqlite3'")
    other.commit()
    other.close()
    after = running.catalogue.revision(IN_TOOLS, DEMO), packages()
    assert before[0] != after[0]
    assert [package.yanked for package in after[1]] == ["by sqlite3"]


def test_many_threads_survive_a_change_of_the_file(running: Running) -> None:
    over = Event()

    def work(number: int) -> int:
        count = 0
        while not over.is_set():
            try:
                running.add(f"{number}.{count}.zip")
                assert running.filenames
            except (StorageUnavailable, OutcomeUnknown):
                continue
            count += 1
        return count

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work, number) for number in range(10, 14)]
        try:
            for _ in range(5):
                copied = running.backup.with_name("copied.db")
                shutil.copy(running.backup, copied)
                os.replace(copied, running.path)  # noqa: PTH105
                for path in (running.path, *running.logs):
                    path.unlink(missing_ok=True)
                shutil.copy(running.backup, running.path)
        finally:
            over.set()
        for worker in working:
            worker.result(PATIENT)
    last = running.add("last.zip")
    assert running.filenames[0] == "1.zip"
    assert last.filename in running.filenames_after_restart()


# How soon


def test_readers_notice_within_a_second_and_examine_the_file_no_more_than_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CHECK_INTERVAL", 0.5)
    now = 1000.0
    path = tmp_path / "catalogue.db"
    SQLiteCatalogue(path).close()
    connections = pool.ConnectionPool(path, clock=lambda: now)
    with connections.lease():
        pass
    path.unlink()
    with connections.lease():
        pass
    now += 1.0
    with pytest.raises(StorageUnavailable), connections.lease():
        pass
    connections.close()
