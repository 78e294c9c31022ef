"""Disk space that is reserved for deletions: on a full disk SQLite cannot delete a row."""

import os
from contextlib import suppress
from pathlib import Path

_PIECE = 1024**2


class Reserve:
    """A file that occupies space until a deletion needs it.

    :param path: where the file is, on the disk of the catalogue.
    :param size: bytes; 0 reserves no space.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._is_released = size > 0

    def release(self) -> bool:
        """Delete the file; return whether there was one."""
        if not self._size:
            return False
        self._is_released = True
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def release_if_full(self) -> bool:
        """Delete the file if the disk is full; return whether this has freed space."""
        return self._free() < _PIECE and self.release()

    @property
    def has_space_for_uploads(self) -> bool:
        """Whether an upload may use disk space. Without the file, half of its size must stay free for deletions."""
        return not self._is_released or self._free() >= self._size // 2

    def restore(self) -> None:
        """Create the file again if it was deleted and the disk has space for it and a little more."""
        if not self._is_released:
            return
        try:
            found = self._path.stat().st_size
        except OSError:
            found = 0
        if found == self._size:
            self._is_released = False
        elif self._free() + found >= self._size + _PIECE:
            self._create()

    def _create(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _allocate(descriptor, self._size)
            finally:
                os.close(descriptor)
        except OSError:  # another program was faster, or the disk is read-only
            with suppress(OSError):
                self._path.unlink()
        else:
            self._is_released = False

    def _free(self) -> int:
        try:
            status = os.statvfs(self._path.parent)
        except (OSError, AttributeError):  # Windows has no statvfs
            return 2 * self._size
        return status.f_bavail * status.f_frsize


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for _ in range(0, size, _PIECE):  # random bytes, because a file system may compress others
        os.write(descriptor, os.urandom(min(_PIECE, size)))
