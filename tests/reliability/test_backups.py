"""Backups of a registry while clients publish, delete, yank and read: each is a registry with all of its files."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

import pytest

from pypi_registry._cli.main import main
from pypi_registry._records import FileRecord
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.clients.served import served, until
from tests.clients.wire import get, login, request
from tests.maintenance.damage import FIRST, SECOND, Stores
from tests.reliability.load import JSON, Load, Registry
from tests.reliability.small_disk import MIB, small_disk

pytestmark = pytest.mark.slow

CLIENTS, READERS, BACKUPS = 4, 1, 5


def back_up(data: Path, target: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pypi_registry", "backup", "--data", data, target], capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def download_all(api: str, secret: str) -> int:
    """Download every file that the project lists, compare each with its digest, and return their number."""
    index = f"{api}/projects/1/packages/pypi/simple/"
    headers = {**login(secret), "Accept": JSON}
    number = 0
    for project in json.loads(request("GET", index, headers).body)["projects"]:
        page = f"{index}{project['name']}/"
        for file in json.loads(request("GET", page, headers).body)["files"]:
            answer = get(urljoin(page, file["url"]), secret)
            assert (answer.status, sha256(answer.body).hexdigest()) == (200, file["hashes"]["sha256"])
            number += 1
    return number


def test_each_backup_under_load_is_a_registry_with_all_of_its_files(tmp_path: Path) -> None:
    load, target, printed = Load(CLIENTS, READERS), tmp_path / "backup", []
    with served(tmp_path / "data") as server:
        secret = server.secret
        registry = Registry([f"{server.api}/projects/1"], secret)
        load.start(registry)
        for number in range(BACKUPS):
            until(partial(load.has_done, 60 * (number + 1)))  # so many requests got their responses before the backup
            printed.append(back_up(server.data, target))
            shutil.copytree(target, tmp_path / f"restored{number}")
        load.stop()
    for number in range(BACKUPS):
        folder = tmp_path / f"restored{number}"
        assert main(["fsck", "--digests", "--data", str(folder)]) == 0
        summary = re.search(r": ([0-9,]+) files?: ", printed[number])
        assert summary
        assert len(listed(folder / "catalogue.sqlite3")) == int(summary[1].replace(",", "")) > 0
    with served(folder) as restored:
        assert download_all(restored.api, secret) == len(listed(folder / "catalogue.sqlite3"))
    assert any(", 0 deleted" not in line for line in printed)


def test_a_backup_is_served_by_its_own_folder_and_backed_up_again(tmp_path: Path) -> None:
    """Restoring is ``serve --data DEST``, also of a folder that is served and backed up later."""
    data, target = tmp_path / "data", tmp_path / "backup"
    load = Load(1, 0)
    with served(data) as server:
        secret = server.secret
        registry = Registry([f"{server.api}/projects/1"], secret)
        load.start(registry)
        until(partial(load.has_done, 10))
        load.stop()
        back_up(data, target)
        shutil.copy(target / "catalogue.sqlite3", tmp_path / "copy.sqlite3")
        with served(target) as restored:
            assert download_all(restored.api, secret) == len(listed(tmp_path / "copy.sqlite3"))
        assert (target / "catalogue.sqlite3-created").exists()
        back_up(data, target)
        assert main(["fsck", "--digests", "--data", str(target)]) == 0


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(tmp_path / "data" / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(tmp_path / "data" / "files"))


def test_on_another_disk_files_are_copied_and_a_full_disk_keeps_the_earlier_backup(
    tmp_path: Path, stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    stores.publish()
    (tmp_path / "data" / "registry.toml").touch()
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        target = disk.folder / "backup"
        command = ["backup", "--data", str(tmp_path / "data"), str(target)]
        assert main(command) == 0
        assert ": 1 file: 0 linked, 1 copied, 0 present" in capsys.readouterr().out
        stores.publish(SECOND)
        refused = 0
        disk.fill()
        while main(command) == 2:
            assert capsys.readouterr().err.startswith(
                f"pypi-registry: {target}: there is not enough space for the backup"
            )
            disk.make_room()
            assert listed(target / "catalogue.sqlite3") == [FIRST]
            assert main(["fsck", "--digests", "--data", str(target)]) == 0
            capsys.readouterr()
            refused += 1
            disk.fill(leaving=refused * 32 * 1024)
        assert refused > 2
        assert listed(target / "catalogue.sqlite3") == [FIRST, SECOND]


@pytest.mark.parametrize("left", [0, 40_000, 100_000])
def test_a_full_disk_migrates_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], left: int) -> None:
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        path = disk.folder / "catalogue.sqlite3"
        shutil.copy(Path(__file__).parents[1] / "stores" / "data" / "schema2.sqlite3", path)
        disk.fill(leaving=left)
        assert main(["serve", "--port", "0", "--data", str(disk.folder)]) == 2
        print(capsys.readouterr().err)
        disk.make_room()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert [*disk.folder.glob("*.before-*")] == []


def listed(path: Path) -> list[str]:
    with closing(SQLiteCatalogue(path, create=False)) as catalogue:
        return [record.file.filename for record in catalogue.records() if isinstance(record, FileRecord)]
