"""A disk that is full, read-only or taken away, without a restart; and a start on such a disk."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypi_registry import AllowAll, Registry
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import PackageQuery, Project, Projects
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution
from tests.reliability.changes import SIMPLE, Client
from tests.reliability.small_disk import MIB, SmallDisk, small_disk

RESERVE = 8 * MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@dataclass
class Served:
    """A registry as ``serve`` opens it."""

    folder: Path
    catalogue: SQLiteCatalogue
    client: Client

    @classmethod
    def open(cls, folder: Path) -> "Served":
        catalogue = SQLiteCatalogue(folder / "catalogue.sqlite3", reserve=RESERVE)
        return cls(
            folder,
            catalogue,
            Client(Registry(auth=AllowAll(), catalogue=catalogue, blobs=FileBlobs(folder / "files"))),
        )

    def upload(self, number: int, size: int = MIB) -> int:
        filename = f"demo-{number}.0.tar.gz"
        data = distribution(filename, size=size) if size else distribution(filename)
        status: int = self.client.upload(filename, data).status_int
        return status

    def delete(self, number: int) -> int:
        status: int = self.client.delete(self.client.package("demo", f"{number}.0")).status_int
        return status

    @property
    def listed(self) -> int:
        files: list[object] = self.client.get(f"{SIMPLE}/demo/").json["files"]
        return len(files)

    @property
    def reserve(self) -> Path:
        return self.folder / "catalogue.sqlite3-reserve"


@pytest.fixture
def served(disk: SmallDisk) -> Iterator[Served]:
    served = Served.open(disk.folder)
    yield served
    served.catalogue.close()


def fill_by_uploads(served: Served) -> int:
    """Upload until there is no room; return how many files are stored."""
    for number in range(1, 100):
        status = served.upload(number)
        if status != 201:
            assert status == 507
            return number - 1
    raise AssertionError("the disk was never full")


def test_deletes_work_on_a_full_disk_and_then_uploads(disk: SmallDisk, served: Served) -> None:
    assert served.reserve.stat().st_size == RESERVE
    stored = fill_by_uploads(served)
    disk.fill()  # to the last byte
    assert served.listed == stored > 5
    assert served.upload(50, size=0) == 507
    for number in range(1, stored + 1):
        assert served.delete(number) == 204
    assert served.upload(50) == 201
    assert served.reserve.exists(), "there is room for the reserve again"
    disk.make_room()
    assert served.upload(51) == 201
    assert served.listed == 2


def test_uploads_do_not_take_the_room_of_deletions(disk: SmallDisk, served: Served) -> None:
    for number in range(1, 4):
        assert served.upload(number, size=0) == 201
    disk.fill()
    assert served.delete(1) == 204  # the reserve is given up
    assert not served.reserve.exists()
    refused = 0
    for number in range(10, 60):
        refused += served.upload(number, size=MIB // 4) == 507
    assert refused, "the last room is not for uploads"
    assert disk.free > RESERVE // 4
    assert served.delete(2) == 204
    disk.make_room()
    assert served.delete(3) == 204
    assert served.reserve.exists()


@pytest.mark.parametrize("change", ["yank", "quarantine"])
def test_what_protects_users_works_on_a_full_disk(disk: SmallDisk, served: Served, change: str) -> None:
    assert served.upload(1, size=0) == 201
    disk.fill()
    while served.upload(2, size=0) == 201:  # until the log has no room left either
        served.delete(2)
        disk.fill()
    path, body = {
        "yank": (served.client.package("demo", "1.0"), {"yanked": "malware"}),
        "quarantine": (f"{SIMPLE}/demo", {"status": "quarantined", "reason": "malware"}),
    }[change]
    assert served.client.patch(path, body).status_int == 200


def test_a_full_registry_starts_for_reading_and_deleting(disk: SmallDisk) -> None:
    served = Served.open(disk.folder)
    stored = fill_by_uploads(served)
    served.catalogue.close()
    disk.fill()
    again = Served.open(disk.folder)
    assert again.listed == stored
    assert again.delete(1) == 204
    again.catalogue.close()


def test_a_full_registry_without_a_reserve_starts_for_reading(disk: SmallDisk) -> None:
    served = Served.open(disk.folder)
    assert served.upload(1, size=0) == 201
    served.catalogue.close()
    served.reserve.unlink()
    disk.fill()
    again = Served.open(disk.folder)
    assert again.listed == 1
    assert again.upload(2, size=0) in (503, 507)
    assert again.delete(1) in (503, 507)
    disk.make_room()
    assert again.upload(2, size=0) == 201  # without a restart
    assert again.delete(1) == 204
    again.catalogue.close()


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_a_read_only_disk_is_read_and_becomes_writable_without_a_restart(disk: SmallDisk, killed: bool) -> None:
    folder = disk.folder / "data"
    served = Served.open(folder)
    assert served.upload(1, size=0) == 201
    if killed:
        shutil.copytree(folder, disk.folder / "killed")
    served.catalogue.close()
    with disk.read_only():
        again = Served.open(disk.folder / "killed" if killed else folder)
        assert again.listed == 1
        assert again.upload(2, size=0) == 503
        assert again.delete(1) == 503
        assert again.listed == 1
        again.catalogue.close()  # a file that is open for writing would keep the disk from being read-only
        assert again.listed == 1
    assert again.upload(2, size=0) == 201
    assert again.delete(1) == 204
    assert again.listed == 1
    again.catalogue.close()


def test_a_catalogue_is_not_created_on_a_read_only_disk(disk: SmallDisk) -> None:
    with disk.read_only(), pytest.raises((OSError, StorageUnavailable)):
        SQLiteCatalogue(disk.folder / "catalogue.sqlite3")


def test_a_change_by_another_program_is_seen_after_a_start_on_a_read_only_disk(disk: SmallDisk) -> None:
    """A container may have a folder read-only in which a program of the host writes."""
    folder = disk.folder / "data"
    served = Served.open(folder)
    assert served.upload(1, size=0) == 201
    served.catalogue.close()
    with disk.read_only():
        reading = SQLiteCatalogue(folder / "catalogue.sqlite3")
        assert reading.packages(Projects([Project(1, "acme/tools")]), PackageQuery())
    with closing(sqlite3.connect(folder / "catalogue.sqlite3")) as other:
        other.execute("UPDATE packages SET version = 'another'")
        other.commit()
        with reading._pool.lease() as connection:
            assert connection.execute("SELECT version FROM packages").fetchall() == [("another",)]
    reading.close()


# Out of descriptors

WITHOUT_DESCRIPTORS = """
import os, resource, sys
from tests.reliability.test_small_disk import Served
from pathlib import Path

served = Served.open(Path(sys.argv[1]))
assert served.upload(1, size=0) == 201
served.catalogue.close()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/", os.O_RDONLY))
except OSError:
    pass
for left in range(4):
    response = served.client.upload("demo-2.0.tar.gz", b"not even verified")
    assert response.status_int in (400, 503), response
    if not left:
        assert response.status_int == 503 and response.headers["Retry-After"] == "5", response
    page = served.client._app.get("/projects/acme%2Ftools/packages/pypi/simple/demo/", status="*")
    assert page.status_int in (200, 503), page
    os.close(held.pop())
for descriptor in held:
    os.close(descriptor)
assert served.upload(2, size=0) == 201
assert served.listed == 2
print("recovered")
"""


def test_out_of_descriptors_is_unavailable_and_passes(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.stdout == "recovered\n", run.stderr
