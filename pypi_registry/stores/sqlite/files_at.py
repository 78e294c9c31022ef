"""Which files are at the path of a catalogue: the database, its log and the memory that processes share."""

import os
from contextlib import suppress
from typing import NamedTuple


class Files(NamedTuple):
    """The device and inode of each file; None if it is missing."""

    database: tuple[int, int] | None
    log: tuple[int, int] | None
    memory: tuple[int, int] | None


def files_at(path: str) -> Files:
    """Return which files are at the path now."""
    return Files(_inode(path), _inode(f"{path}-wal"), _inode(f"{path}-shm"))


def are_at(path: str, files: Files) -> bool:
    """Return whether what was committed into these files is what the next start reads: the database and its log."""
    return _inode(path) == files.database and _inode(f"{path}-wal") == files.log


def has_content(path: str) -> bool:
    """Return whether there is a file that is not empty."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def set_aside(path: str, *, delete: bool) -> None:
    """Take a file away from where SQLite would use it for another database: delete or rename it."""
    with suppress(FileNotFoundError):  # another process was faster
        if delete:
            os.unlink(path)
        else:
            os.replace(path, f"{path}.replaced")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:  # missing, or the disk cannot be read
        return None
    return status.st_dev, status.st_ino
