"""Bytes in a folder: one file a blob.

A blob is written under ``incoming/`` and moved to its place when its bytes are on the disk, so a reader sees all of it
or nothing, also after a crash. Any number of threads and processes may share a folder.
"""

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pypi_registry.errors import StorageFull
from pypi_registry.storage import Redirect

_DAY = 24 * 60 * 60

_AHEAD = 4 * 1024**2  # bytes that wait in memory before the disk begins to write them

# A folder for each first digit of a key, made in advance: to make one and flush its name takes as long as an upload.
_LETTERS = "0123456789abcdef"


class FileBlobs:
    """Keeps bytes as files below a folder, which is made if it is missing.

    What a killed process left half written is removed at the next start, if it is older than a day.

    :param accel: the address at which nginx has the folder, as an ``internal`` location such as ``/blobs/``; then nginx
        sends the files, and no thread of this process waits for slow clients. None sends them from here.
    """

    def __init__(self, folder: str | os.PathLike[str], *, accel: str | None = None) -> None:
        if accel is not None and not (accel.startswith("/") and accel.endswith("/")):
            raise ValueError(f"accel= must begin and end with a slash: {accel!r}")
        self._accel = accel
        self._folder = Path(folder).absolute()  # a daemon goes elsewhere
        self._incoming = self._folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for letter in _LETTERS:
            (self._folder / letter).mkdir(exist_ok=True)
        _sync_folder(self._folder)
        for left in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # another process may be doing the same
                if left.stat().st_mtime < time.time() - _DAY:
                    left.unlink()

    @contextmanager
    def create(self, key: str) -> Iterator["_NewFile"]:
        place, incoming = self._place(key), self._incoming / key
        with _full_disk_named():
            stream = incoming.open("xb")
            file = _NewFile(stream, incoming, place)
            try:
                with stream:
                    yield file
            finally:
                if not file.is_moved:
                    incoming.unlink(missing_ok=True)

    def open(self, key: str) -> BinaryIO | Redirect | None:
        place = self._place(key)
        if self._accel is not None:
            return Redirect(f"{self._accel}{key[0]}/{key}", internal=True) if place.exists() else None
        try:
            return place.open("rb", buffering=0)
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        self._place(key).unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        if re.fullmatch("[0-9a-f]{32}", key) is None:
            raise ValueError(f"{key!r} is not a key: 32 lower-case hexadecimal digits")
        return self._folder / key[0] / key


class _NewFile:
    def __init__(self, stream: BinaryIO, incoming: Path, place: Path) -> None:
        self._stream = stream
        self._incoming = incoming
        self._place = place
        self._size = self._begun = 0
        self.is_moved = False

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)
        if self._size - self._begun >= _AHEAD:
            self._begin_flushing()

    def _begin_flushing(self) -> None:
        # The disk writes while the rest arrives, and the flush at the end finds little to do. What is not on the disk
        # yet is not dropped by this, whatever its name says (Linux, mm/fadvise.c).
        if hasattr(os, "posix_fadvise"):
            self._stream.flush()
            length = self._size - self._begun
            with suppress(OSError):  # not every file system takes advice
                os.posix_fadvise(self._stream.fileno(), self._begun, length, os.POSIX_FADV_DONTNEED)
        self._begun = self._size

    def read_back(self) -> BinaryIO:
        self._stream.flush()
        return self._incoming.open("rb")

    def commit(self) -> None:
        # Bytes, then name, then the folder that holds the name: in this order a power cut leaves no file without bytes.
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()  # Windows moves no open file
        self._incoming.replace(self._place)
        self.is_moved = True
        try:
            _sync_folder(self._place.parent)
        except BaseException:
            self._place.unlink(missing_ok=True)
            raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
