import os
from pathlib import Path
from unittest import mock

import pytest

from pypi_registry._disk import create_folder

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
