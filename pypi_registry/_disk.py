"""Disk functions of the stores and the command line: errors, and names that survive a power cut."""

import errno
import os
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import TracebackType

from pypi_registry.errors import StorageFull, StorageUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Errors that an administrator can mend, or that pass with time: a disk that is read-only, broken or not mounted, a
# damaged file system, a folder that is missing or belongs to another user, a folder or a link where a file is needed,
# too few file descriptors or too little memory.
_UNAVAILABLE: frozenset[int] = frozenset(
    {
        errno.EACCES,
        errno.EBADMSG,
        errno.EBUSY,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOENT,
        errno.ENOMEM,
        errno.ENOTCONN,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
    # Linux returns EUCLEAN, "Structure needs cleaning", where ext4 or XFS finds itself damaged.
    | {getattr(errno, name) for name in ("EUCLEAN", "EREMOTEIO") if hasattr(errno, name)}
)


class disk_errors_as_storage_errors:  # noqa: N801  # it reads as a verb where it is used, like contextlib.suppress
    """Raise `StorageFull` or `StorageUnavailable` for errors of the disk; other errors pass through.

    The message has no path: clients see it. The cause has it.
    """

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in _FULL:
            raise StorageFull from error
        if error.errno in _UNAVAILABLE:
            raise StorageUnavailable(f"files cannot be read or written: {os.strerror(error.errno)}") from error


def create_folder(path: Path, mode: int = 0o777) -> None:
    """Create a folder and its missing parents, and flush their names to the disk.

    Otherwise a power cut could lose the folder with everything that was flushed into it. The name of an existing folder
    is flushed, too, because a crash may have come between its creation and its flush.
    """
    created = list(takewhile(lambda folder: not folder.exists(), path.parents))
    try:
        path.mkdir(mode, parents=True, exist_ok=True)
    except FileExistsError as error:  # a file is there
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
    for folder in (path, *created):
        with suppress(PermissionError):  # a parent that this user may not read belongs to an administrator
            sync_folder(folder.parent)


def sync_folder(folder: Path | str) -> None:
    """Flush the names in a folder to the disk."""
    if os.name != "posix":
        return  # a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
