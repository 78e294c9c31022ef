import errno
import os
from pathlib import Path
from unittest import mock

import pytest

from pypi_registry._disk import create_folder, disk_errors_as_storage_errors
from pypi_registry.errors import StorageFull, StorageUnavailable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a folder can be flushed on POSIX only")


def flushed_by_creating(folder: Path) -> list[tuple[int, int]]:
    """Create a folder, and return the device and the inode of each folder that was flushed."""
    flushed = []

    def fsync(descriptor: int) -> None:
        stat = os.fstat(descriptor)
        flushed.append((stat.st_dev, stat.st_ino))

    with mock.patch.object(os, "fsync", fsync):
        create_folder(folder)
    return flushed


def identity(folder: Path) -> tuple[int, int]:
    return folder.stat().st_dev, folder.stat().st_ino


def test_the_name_of_each_created_folder_is_flushed(tmp_path: Path) -> None:
    flushed = flushed_by_creating(tmp_path / "a" / "b")
    assert sorted(flushed) == sorted([identity(tmp_path), identity(tmp_path / "a")])


def test_the_name_of_an_existing_folder_is_flushed_since_a_crash_may_have_come_before(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert flushed_by_creating(tmp_path / "a") == [identity(tmp_path)]


def test_a_parent_that_may_not_be_read_is_no_error(tmp_path: Path) -> None:
    with mock.patch.object(os, "open", side_effect=PermissionError):  # root, who may run the tests, may read all
        create_folder(tmp_path / "a")
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable), (errno.ENOENT, StorageUnavailable)],
)
def test_an_error_of_the_disk_is_the_cause_of_an_error_of_the_store(
    number: int, kind: type[StorageFull | StorageUnavailable]
) -> None:
    error = OSError(number, os.strerror(number), "/srv/secret")
    with pytest.raises(kind) as caught, disk_errors_as_storage_errors():
        raise error
    assert caught.value.__cause__ is error
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [OSError(errno.EEXIST, "exists"), OSError("no number"), ValueError(), KeyboardInterrupt()]
)
def test_other_errors_pass_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, disk_errors_as_storage_errors():
        raise error
    assert caught.value is error
