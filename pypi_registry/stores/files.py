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

_KEY = re.compile("[0-9a-f]{32}")
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
        place = Path(folder).absolute()  # a daemon goes elsewhere
        incoming = place / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for letter in _LETTERS:
            (place / letter).mkdir(exist_ok=True)
        _sync_folder(str(place))
        self._folder, self._incoming = str(place), str(incoming)
        for left in incoming.iterdir():
            with suppress(FileNotFoundError):  # another process may be doing the same
                if left.stat().st_mtime < time.time() - _DAY:
                    left.unlink()

    @contextmanager
    def create(self, key: str) -> Iterator["_NewFile"]:
        folder, incoming = self._folder_of(key), f"{self._incoming}/{key}"
        with _full_disk_named():
            stream = open(incoming, "xb")  # noqa: SIM115 - closed below, before its remains are removed
            file = _NewFile(stream, incoming, folder, key)
            try:
                with stream:
                    yield file
            finally:
                if not file.is_moved:
                    with suppress(FileNotFoundError):
                        os.unlink(incoming)

    def open(self, key: str) -> BinaryIO | Redirect | None:
        place = f"{self._folder_of(key)}/{key}"
        try:
            if self._accel is not None:
                os.stat(place)  # a disk that cannot be read is an error, and no file that is not there
                return Redirect(f"{self._accel}{key[0]}/{key}", internal=True)
            return open(place, "rb", buffering=0)
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._folder_of(key)}/{key}")

    def _folder_of(self, key: str) -> str:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key: 32 lower-case hexadecimal digits")
        return f"{self._folder}/{key[0]}"


class _NewFile:
    def __init__(self, stream: BinaryIO, incoming: str, folder: str, key: str) -> None:
        self._stream = stream
        self._incoming = incoming
        self._folder = folder
        self._place = f"{folder}/{key}"
        self._size = self._begun = 0
        self.is_moved = False

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)
        if self._size - self._begun >= (_AHEAD if self._begun else 1):  # a small file is written while we look into it
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
        return open(self._incoming, "rb")

    def commit(self) -> None:
        # Bytes, then name, then the folder that holds the name: in this order a power cut leaves no file without bytes.
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()  # Windows moves no open file
        os.replace(self._incoming, self._place)
        self.is_moved = True
        try:
            _sync_folder(self._folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(self._place)
            raise


def _sync_folder(folder: str) -> None:
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
