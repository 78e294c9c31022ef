"""``pypi-registry backup``: what is copied, in which order, and that the result is a registry."""

import errno
import io
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli.data_folder import DataFolder
from pypi_registry._cli.main import main
from pypi_registry._maintenance import backup as maintenance
from pypi_registry._records import FileRecord
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue, copies
from pypi_registry.testing.contracts.catalogue.samples import TOOLS
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores

Output = pytest.CaptureFixture[str]

CONFIG = "# the configuration\n"
LINES = '{"action": "published"}\n'
LINKED = "; linked files share the disk with the registry"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        stores = Stores(catalogue, FileBlobs(data / "files"))
        stores.publish()
        (data / "registry.toml").write_text(CONFIG, encoding="utf-8")
        (data / "audit.jsonl").write_text(LINES, encoding="utf-8")
        yield stores


def backup(data: Path, target: Path, *options: str) -> int:
    return main(["backup", "--data", str(data), *options, str(target)])


def files_in(target: Path) -> dict[str, bytes]:
    """Return the listed files of a folder with their bytes, each compared with its size."""
    blobs, found = FileBlobs(target / "files", create=False), dict[str, bytes]()
    with closing(SQLiteCatalogue(target / "catalogue.sqlite3", create=False)) as catalogue:
        for record in catalogue.records():
            if isinstance(record, FileRecord):
                stream = blobs.open(record.file.blob_key, size=record.file.size)
                assert isinstance(stream, io.FileIO)
                with stream:
                    found[record.file.filename] = stream.read()
    return found


def is_clean(target: Path) -> bool:
    return main(["fsck", "--digests", "--data", str(target)]) == 0


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup is on another file system."""

    def refuse(*args: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_a_backup_has_the_catalogue_the_files_the_audit_log_and_the_configuration(
    data: Path, stores: Stores, target: Path, capsys: Output
) -> None:
    assert backup(data, target) == 0
    assert capsys.readouterr() == (f"{target}: 1 file: 1 linked, 0 copied, 0 present, 0 deleted{LINKED}\n", "")
    assert {path.name for path in target.iterdir()} == {"catalogue.sqlite3", "files", "registry.toml", "audit.jsonl"}
    assert files_in(target) == {FIRST: DATA}
    assert (target / "registry.toml").read_text(encoding="utf-8") == CONFIG
    assert (target / "audit.jsonl").read_text(encoding="utf-8") == LINES
    assert is_clean(target)


def test_nobody_else_can_read_it(data: Path, stores: Stores, target: Path) -> None:
    (data / "registry.toml").chmod(0o644)
    backup(data, target)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (target, *target.glob("*.*"))}
    assert modes == {"backup": 0o700, "catalogue.sqlite3": 0o600, "registry.toml": 0o600, "audit.jsonl": 0o600}


def test_nobody_else_can_read_the_files_in_a_folder_that_was_created_by_hand(
    data: Path, stores: Stores, target: Path
) -> None:
    target.mkdir(mode=0o755)
    backup(data, target)
    assert (target / "files").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("no_links")
def test_the_next_backup_copies_new_files_and_deletes_those_that_are_no_longer_listed(
    data: Path, stores: Stores, target: Path, capsys: Output
) -> None:
    backup(data, target)
    first = stores.filenames()
    stores.publish(SECOND)
    assert backup(data, target) == 0
    assert backup(data, target) == 0
    [record] = [
        each for each in stores.catalogue.records() if isinstance(each, FileRecord) and {each.file.filename} == first
    ]
    stores.catalogue.delete_file(TOOLS, record.file.id, "")
    stores.blobs.delete(record.file.blob_key)
    assert backup(data, target) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{target}: 1 file: 0 linked, 1 copied, 0 present, 0 deleted",
        f"{target}: 2 files: 0 linked, 1 copied, 1 present, 0 deleted",
        f"{target}: 2 files: 0 linked, 0 copied, 2 present, 0 deleted",
        f"{target}: 1 file: 0 linked, 0 copied, 1 present, 1 deleted",
    ]
    assert files_in(target) == {SECOND: DATA}
    assert is_clean(target)


def test_a_linked_file_stays_when_the_registry_deletes_its_own(data: Path, stores: Stores, target: Path) -> None:
    backup(data, target)
    shutil.rmtree(data / "files")
    assert files_in(target) == {FIRST: DATA}


def test_a_copy_of_another_size_is_replaced(data: Path, stores: Stores, target: Path) -> None:
    backup(data, target)
    [copy] = (target / "files").glob("[0-9a-f]/*")
    copy.unlink()
    copy.write_bytes(b"half")
    assert backup(data, target) == 0
    assert files_in(target) == {FIRST: DATA}


# While clients change the registry


def while_copying(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Call a function when the catalogue was copied, and before the first file is."""
    copy_files = maintenance.Backup._copy_files

    def changed(self: maintenance.Backup, copy: SQLiteCatalogue) -> Any:
        change()
        return copy_files(self, copy)

    monkeypatch.setattr(maintenance.Backup, "_copy_files", changed)


def test_a_file_that_is_deleted_meanwhile_is_not_listed(
    data: Path, stores: Stores, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = stores.publish(SECOND)

    def delete() -> None:
        stores.catalogue.delete_file(TOOLS, deleted.id, "")
        stores.blobs.delete(deleted.blob_key)

    while_copying(monkeypatch, delete)
    assert backup(data, target) == 0
    assert files_in(target) == {FIRST: DATA}
    assert is_clean(target)


def test_a_file_that_is_published_meanwhile_is_in_the_next_backup(
    data: Path, stores: Stores, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_copying(monkeypatch, lambda: SECOND in stores.filenames() or stores.publish(SECOND))
    assert backup(data, target) == 0
    assert files_in(target) == {FIRST: DATA}
    assert is_clean(target)
    assert backup(data, target) == 0
    assert files_in(target) == {FIRST: DATA, SECOND: DATA}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", ["_copy_bytes", "finish"])
def test_a_backup_that_is_killed_leaves_the_earlier_one(
    data: Path, stores: Stores, target: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def kill(*args: object) -> None:
        raise Killed

    backup(data, target)
    stores.publish(SECOND)
    with monkeypatch.context() as patch:
        patch.setattr(maintenance.Backup, step, kill)
        with pytest.raises(Killed):
            backup(data, target)
    assert files_in(target) == {FIRST: DATA}
    assert backup(data, target) == 0
    assert files_in(target) == {FIRST: DATA, SECOND: DATA}
    assert not [*target.glob("*.new*")]


# What is wrong with a registry, or with the folder


def test_a_file_without_its_bytes_is_reported_and_the_others_are_copied(
    data: Path, stores: Stores, target: Path, capsys: Output
) -> None:
    lost = stores.publish(SECOND)
    stores.blobs.delete(lost.blob_key)
    assert backup(data, target) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{SECOND} (file {lost.id}, blob {lost.blob_key}): its bytes are missing",
        f"{target}: 1 file: 1 linked, 0 copied, 0 present, 0 deleted; 1 without their bytes: see pypi-registry fsck"
        + LINKED,
    ]


@pytest.mark.usefixtures("no_links")
def test_a_file_that_the_disk_cannot_read_is_reported(
    data: Path, stores: Stores, target: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(maintenance._Source):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            with Path(os.devnull).open("wb") as unreadable:
                os.dup2(unreadable.fileno(), self.fileno())

    monkeypatch.setattr(maintenance, "_Source", Broken)
    assert backup(data, target) == 1
    assert "its bytes cannot be read: Bad file descriptor" in capsys.readouterr().out


def test_a_damaged_catalogue_does_not_replace_an_earlier_backup(
    data: Path, stores: Stores, target: Path, capsys: Output
) -> None:
    backup(data, target)
    stores.catalogue.close()  # type: ignore[attr-defined]  # of SQLiteCatalogue, not of the contract
    path = data / "catalogue.sqlite3"
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 2 : 4096 * 40] = bytes(4096 * 38)
    path.write_bytes(damaged)
    capsys.readouterr()
    assert backup(data, target) == 2
    assert capsys.readouterr().err.startswith(f"pypi-registry: {path}: the catalogue is damaged")
    assert files_in(target) == {FIRST: DATA}


def test_without_room_the_earlier_backup_stays(
    data: Path, stores: Stores, target: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    backup(data, target)
    stores.publish(SECOND)
    monkeypatch.setattr(copies, "_sync_file", full)
    capsys.readouterr()
    assert backup(data, target) == 2
    assert capsys.readouterr().err == (
        f"pypi-registry: {target}: there is not enough space for the backup; "
        "an earlier backup in this folder is unchanged\n"
    )
    assert files_in(target) == {FIRST: DATA}


def test_a_log_beside_an_earlier_backup_does_not_damage_the_new_one(data: Path, stores: Stores, target: Path) -> None:
    backup(data, target)
    with closing(SQLiteCatalogue(target / "catalogue.sqlite3")) as served:  # and killed
        served.yank(TOOLS, 1, "broken", "")
        shutil.copy(target / "catalogue.sqlite3-wal", target.with_name("log"))
    shutil.copy(target.with_name("log"), target / "catalogue.sqlite3-wal")
    assert backup(data, target) == 0
    assert is_clean(target)
    assert not (target / "catalogue.sqlite3-wal").exists()


def test_without_the_configuration_the_packages_are_backed_up_and_the_status_is_1(
    data: Path, stores: Stores, target: Path, tmp_path: Path, capsys: Output
) -> None:
    (data / "registry.toml").rename(tmp_path / "elsewhere.toml")
    missing = f"{data}/registry.toml is missing: name the configuration in use with --config; the backup"
    assert backup(data, target) == 1
    assert capsys.readouterr().err == f"{missing} cannot be served without a registry.toml\n"
    assert (files_in(target), (target / "registry.toml").exists()) == ({FIRST: DATA}, False)
    assert backup(data, target, "--config", str(tmp_path / "elsewhere.toml")) == 0
    assert capsys.readouterr().err == ""
    assert backup(data, target) == 1
    assert capsys.readouterr().err == f"{missing} has the registry.toml of an earlier backup\n"
    assert (target / "registry.toml").read_text(encoding="utf-8") == CONFIG


def test_the_configuration_in_use_may_be_elsewhere(
    data: Path, stores: Stores, target: Path, tmp_path: Path, capsys: Output
) -> None:
    elsewhere = tmp_path / "other.toml"
    assert backup(data, target, "--config", str(elsewhere)) == 2
    assert capsys.readouterr().err == f"pypi-registry: {elsewhere}: No such file or directory\n"
    elsewhere.write_text("# elsewhere\n", encoding="utf-8")
    assert backup(data, target, "--config", str(elsewhere)) == 0
    assert (target / "registry.toml").read_text(encoding="utf-8") == "# elsewhere\n"


@pytest.mark.parametrize("name", ["notes.txt", ".git"])
def test_a_folder_of_something_else_is_refused(
    data: Path, stores: Stores, target: Path, capsys: Output, name: str
) -> None:
    target.mkdir()
    (target / name).touch()
    assert backup(data, target) == 2
    assert capsys.readouterr().err == (
        f"pypi-registry: {target}: this is not the folder of a backup: it has {name!r}\n"
    )
    assert [each.name for each in target.iterdir()] == [name]


@pytest.mark.parametrize("inside", [".", "backup", ".."])
def test_a_backup_is_outside_of_the_data_folder(data: Path, stores: Stores, capsys: Output, inside: str) -> None:
    assert backup(data, data / inside) == 2
    assert "a backup must be outside the data folder" in capsys.readouterr().err


def test_a_folder_that_is_served_is_refused(data: Path, stores: Stores, target: Path, capsys: Output) -> None:
    with DataFolder(target).locked():
        assert backup(data, target) == 2
    assert capsys.readouterr().err == f"pypi-registry: {target}: another serve, or a backup, uses this folder\n"


def test_without_a_registry_nothing_is_created(data: Path, target: Path, capsys: Output) -> None:
    assert backup(data, target) == 2
    assert capsys.readouterr().err == f"pypi-registry: {data}/catalogue.sqlite3: No such file or directory\n"
    assert not target.exists()


def test_a_catalogue_of_an_older_version_is_not_backed_up(
    data: Path, stores: Stores, target: Path, capsys: Output
) -> None:
    with closing(sqlite3.connect(data / "catalogue.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert backup(data, target) == 2
    assert "start the registry with this version" in capsys.readouterr().err
    assert not target.exists()


def test_a_catalogue_in_postgresql_is_backed_up_by_its_own_tools(data: Path, target: Path, capsys: Output) -> None:
    urls = "--catalogue", "postgresql://localhost/registry", "--blobs", "s3://bucket/registry"
    assert backup(data, target, *urls) == 2
    assert "pg_dump" in capsys.readouterr().err
    assert not target.exists()
