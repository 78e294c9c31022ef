"""The spool: request bodies, and responses that wait for their client, in memory or in files without a name.

It knows nothing of HTTP. Files of the spool take at most half of the disk space that would be free without them.
"""

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, cast

from waitress.buffers import FileBasedBuffer, OverflowableBuffer

IN_MEMORY = 512 * 1024
"""Bytes of one body that stay in memory."""

ALL_IN_MEMORY = 64 * 1024**2
"""Bytes of all bodies together that stay in memory."""

RESPONSE_IN_MEMORY = 64 * 1024
"""Bytes of one response that wait in memory for a client that reads slowly."""

_BUFFER = 64 * 1024


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Spool:
    """A folder for temporary files, and how much is in it. Any thread may use it."""

    def __init__(self, folder: Path, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
        self.folder = folder
        self._free_bytes = free_bytes
        self._lock = Lock()
        self._on_disk = 0
        self._in_memory = 0

    def restore(self) -> None:
        """Create the folder again if it was deleted: some systems delete folders that were not used for days."""
        with suppress(OSError):  # is_dir() raises, too, if the disk is broken or a folder above may not be searched
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700)

    def open(self) -> BinaryIO:
        """Create a file that is gone when it is closed. Writing raises an `OSError` if the spool has no space."""
        file = tempfile.TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115  # the caller closes it
        return cast("BinaryIO", io.BufferedRandom(_SpoolFile(self, file), _BUFFER))

    def has_space(self, size: int) -> bool:
        """Return whether `size` more bytes fit on the disk.

        What is in use, with the new bytes, must be at most half of what would be free without the spool:
        ``used + size <= (free + used) / 2``.
        """
        try:
            return self._on_disk + 2 * size <= self._free_bytes(self.folder)
        except OSError:  # the folder is missing: open() raises an error that says more
            return True

    def take_disk(self, size: int) -> None:
        with self._lock:
            if not self.has_space(size):
                raise OSError(errno.ENOSPC, "the spool uses half of the free disk space", str(self.folder))
            self._on_disk += size

    def release_disk(self, size: int) -> None:
        with self._lock:
            self._on_disk -= size

    def take_memory(self, size: int) -> bool:
        """Reserve memory for a body, and return whether there was enough."""
        with self._lock:
            fits = self._in_memory + size <= ALL_IN_MEMORY
            self._in_memory += size if fits else 0
            return fits

    def release_memory(self, size: int) -> None:
        with self._lock:
            self._in_memory -= size


class _SpoolFile(io.RawIOBase):
    """A temporary file whose bytes are counted until it is closed."""

    def __init__(self, spool: Spool, file: Any) -> None:
        self._spool = spool
        self._file = file
        self._taken = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return cast("int", self._file.readinto(buffer))

    def write(self, data: Any) -> int:
        self._spool.take_disk(len(data))
        self._taken += len(data)
        return cast("int", self._file.write(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return cast("int", self._file.seek(offset, whence))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._spool.release_disk(self._taken)
        super().close()


class Body:
    """The body of a request while it arrives."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file: BinaryIO = io.BytesIO()
        self._memory = 0
        self._on_disk = False
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        """Store the next bytes.

        :raises OSError: if the disk or the spool is full, or there are no descriptors left.
        """
        if not self._on_disk:
            if self._size + len(data) <= IN_MEMORY and self._spool.take_memory(len(data)):
                self._memory += len(data)
            else:
                self._move_to_disk()
        self._file.write(data)
        self._size += len(data)

    def _move_to_disk(self) -> None:
        file = self._spool.open()
        try:
            file.write(cast("io.BytesIO", self._file).getbuffer())
        except OSError:
            _discard(file)
            raise
        self._release_memory()
        self._file, self._on_disk = file, True

    def finish(self) -> None:
        """Let `getfile` begin with the first byte.

        :raises OSError: if the last bytes cannot be written.
        """
        self._file.seek(0)

    def getfile(self) -> BinaryIO:
        return self._file

    def close(self) -> None:
        """Delete the body."""
        _discard(self._file)
        self._release_memory()

    def _release_memory(self) -> None:
        self._spool.release_memory(self._memory)
        self._memory = 0


def _discard(file: BinaryIO) -> None:
    with suppress(OSError):  # closing writes what is still in the buffer, and raises if that fails; it closes as well
        file.close()


class ResponseBuffer(OverflowableBuffer):
    """waitress's buffer of a response, whose files are in the spool."""

    def __init__(self, spool: Spool) -> None:
        super().__init__(RESPONSE_IN_MEMORY)
        self._spool = spool

    def _set_large_buffer(self) -> None:
        before: Any = self.buf
        file: Any = self._spool.open()
        try:
            self.buf = cast("Any", FileBasedBuffer(file, before))
        except OSError:
            _discard(file)
            raise
        before.close()
        self.overflowed = True

    def close(self) -> None:
        with suppress(OSError):  # as in _discard
            super().close()
