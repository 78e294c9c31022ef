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
    """Return whether the database and the log at the path are these files, so that the next start reads them."""
    return _inode(path) == files.database and _inode(f"{path}-wal") == files.log


def why_not_created(path: str) -> str:
    """Return why a database that is missing must not be created; empty if it is not missing, or may be created.

    If it was created before, an empty one in its place would hide that its rows are lost, and names that were published
    would be redirected to another index.
    """
    if _inode(path) is not None:
        return ""
    if has_content(f"{path}-wal"):
        return f"the catalogue is missing, but {path}-wal has changes of it: restore both or none"
    if os.path.lexists(_marker(path)):
        return f"the catalogue is missing: restore it, or delete {_marker(path)} to begin with an empty one"
    return ""


def mark_as_created(path: str) -> None:
    """Create the file that shows `why_not_created` that there was a database."""
    with suppress(OSError):  # the file exists, or the folder is read-only, where no database can be created either
        os.close(os.open(_marker(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _marker(path: str) -> str:
    return f"{path}-created"


def has_content(path: str) -> bool:
    """Return whether there is a file that is not empty."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def ends_within_a_page(path: str, page_size: int) -> bool:
    """Return whether a database lacks a part of its last page, because a copy of it is not complete.

    SQLite rounds the number of pages up, and reads zeros. A database with a log may end so: a power cut can stop SQLite
    while it copies a page from the log, and it copies that page again.

    :raises OSError: if the file is missing, or the disk cannot be read.
    """
    return not has_content(f"{path}-wal") and os.stat(path).st_size % page_size > 0


def set_aside(path: str, *, delete: bool) -> None:
    """Delete or rename a file that SQLite would otherwise use for another database."""
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
