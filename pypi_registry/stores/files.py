"""Bytes as files below a folder, for any number of threads and processes.

A blob is written below ``incoming/`` and renamed when its bytes are on the disk. So a reader sees the whole blob or
nothing, also after a crash.
"""

import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pypi_registry._disk import create_folder, disk_errors_as_storage_errors, sync_folder
from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.storage import Redirect

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_KEY = re.compile("[0-9a-f]{32}")
_DAY = 24 * 60 * 60
_BLOCK = 1024**2
_WRITE_BACK = 4 * 1024**2  # bytes that wait in memory before the disk begins to write them

# A folder per first digit of a key. All are created at the start, because creating one and flushing its name to the
# disk takes as long as an upload.
_DIGITS = "0123456789abcdef"

_CAN_RENAME_OPEN_FILES = os.name == "posix"


class FileBlobs:
    """Stores bytes as files. Implements `Blobs`, `CreatesFiles`, `EnumerableBlobs`, `ChecksItself` and
    `ChecksHealth`.

    Files that a killed process left incomplete are deleted at the next start, if they are older than a day.

    :param folder: is created if it is missing.
    :param accel: the URL path at which nginx has the folder as an ``internal`` location, such as ``/blobs/``. Then
        nginx sends the files, and no thread of this process waits for slow clients. With None, this process sends them.
    :param create: False changes nothing at the start: for a program that works on the data of a registry that runs.
    :raises FileNotFoundError: if `create` is False and the folder is missing.
    """

    def __init__(self, folder: str | os.PathLike[str], *, accel: str | None = None, create: bool = True) -> None:
        if accel is not None and not (accel.startswith("/") and accel.endswith("/")):
            raise ValueError(f"accel= must begin and end with a slash: {accel!r}")
        self._accel = accel
        root = Path(folder).absolute()  # a daemon changes its working directory
        self._folder, self._incoming = str(root), str(root / "incoming")
        if not create:
            os.stat(self._incoming)
            return
        create_folder(root)
        os.makedirs(self._incoming, exist_ok=True)
        for digit in _DIGITS:
            (root / digit).mkdir(exist_ok=True)
        sync_folder(root)
        with suppress(OSError):  # the disk may be read-only: then a registry is opened for reading
            for name in self._abandoned():
                self._delete_incoming(name)

    def new_file(self) -> BinaryIO:
        with disk_errors_as_storage_errors():
            return self._create(secrets.token_hex(16))

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        folder = self._folder_of(key)
        path = f"{folder}/{key}"
        with disk_errors_as_storage_errors():
            if _CAN_RENAME_OPEN_FILES and isinstance(file, _NewFile) and file.folder == self._incoming:
                file.move(path)
            else:
                with self._create(key) as copy:
                    file.seek(0)
                    shutil.copyfileobj(file, copy, _BLOCK)
                    copy.move(path)
            try:
                # The bytes, then the name, then the folder that holds the name: in this order a power cut leaves no
                # file without its bytes.
                sync_folder(folder)
            except BaseException:
                with suppress(OSError):  # the error before it is the one that counts
                    os.unlink(path)
                raise

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        path = self.path_of(key)
        with disk_errors_as_storage_errors():
            try:
                if self._accel is not None:
                    _require_size(key, os.stat(path).st_size, size)
                    return Redirect(f"{self._accel}{key[0]}/{key}", internal=True)
                stream = open(path, "rb", buffering=0)  # noqa: SIM115  # the caller closes it
            except FileNotFoundError:
                return None
            try:
                _require_size(key, os.fstat(stream.fileno()).st_size, size)
            except BaseException:
                stream.close()
                raise
        return stream if part is None else cast(BinaryIO, _Part(stream, part))

    def delete(self, key: str) -> None:
        with disk_errors_as_storage_errors(), suppress(FileNotFoundError):
            os.unlink(self.path_of(key))

    def path_of(self, key: str) -> str:
        """Return where the bytes of a key are, or would be. A file there is never changed, only deleted."""
        return f"{self._folder_of(key)}/{key}"

    def flush_names(self) -> None:
        """Flush the names in all folders to the disk: for a program that has created files by itself."""
        for digit in _DIGITS:
            sync_folder(f"{self._folder}/{digit}")

    def link(self, key: str, path: str | os.PathLike[str]) -> None:
        """Create a hard link to the bytes of a key, for a program that exports them to a folder on the same disk.

        :raises OSError: if the key does not exist, or the file system cannot link there.
        """
        os.link(self.path_of(key), path)

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        for digit in _DIGITS:
            with os.scandir(f"{self._folder}/{digit}") as entries:
                for entry in entries:
                    try:
                        stat = entry.stat()
                    except FileNotFoundError:  # it was deleted meanwhile
                        continue
                    if _is_blob(digit, entry.name):
                        yield entry.name, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)

    def inconsistencies(self, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
        for name in self._abandoned():
            if repair:
                self._delete_incoming(name)
            yield f"the incomplete file incoming/{name} was left by a process that was killed", True, repair
        for digit in _DIGITS:
            for name in os.listdir(f"{self._folder}/{digit}"):
                if not _is_blob(digit, name):
                    yield f"{digit}/{name} is not a blob", False, False

    def check_health(self) -> None:
        with disk_errors_as_storage_errors(), os.scandir(self._incoming) as entries:
            next(entries, None)

    def _abandoned(self) -> list[str]:
        """Return the names of incomplete files that are older than a day."""
        found = []
        for name in os.listdir(self._incoming):
            with suppress(FileNotFoundError):  # another process may delete it, too
                if os.stat(f"{self._incoming}/{name}").st_mtime < time.time() - _DAY:
                    found.append(name)
        return found

    def _delete_incoming(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._incoming}/{name}")

    def _create(self, name: str) -> "_NewFile":
        return _NewFile(self._incoming, name)

    def _folder_of(self, key: str) -> str:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key: 32 lower-case hexadecimal digits")
        return f"{self._folder}/{key[0]}"


def _is_blob(digit: str, name: str) -> bool:
    return name.startswith(digit) and _KEY.fullmatch(name) is not None


class _NewFile(io.BufferedRandom):
    """A new file that is deleted when it is closed, unless it was moved."""

    def __init__(self, folder: str, name: str) -> None:
        path = f"{folder}/{name}"
        super().__init__(_NewRawFile(path, "xb+"))
        self._path: str | None = path
        self.folder: str | None = folder
        """None when the file was moved or closed."""

    def move(self, path: str) -> None:
        """Flush the bytes to the disk and rename the file. It stays open where an open file can be renamed."""
        assert self._path is not None
        self.flush()
        os.fsync(self.fileno())
        if not _CAN_RENAME_OPEN_FILES:
            super().close()
        os.replace(self._path, path)
        self._path = self.folder = None

    def close(self) -> None:
        # Closing flushes the buffer, which fails on a full disk. The bytes of a file that was not moved do not matter,
        # and those of one that was moved were flushed to the disk before.
        with suppress(OSError, StorageFull, StorageUnavailable):
            super().close()
        path, self._path, self.folder = self._path, None, None
        if path is not None:
            with suppress(OSError):  # a broken disk: a start deletes the file when it is older than a day
                os.unlink(path)


class _NewRawFile(io.FileIO):
    _written = _writing_back = 0  # bytes

    def write(self, data: "ReadableBuffer", /) -> int:
        with disk_errors_as_storage_errors():
            written = super().write(data)
        self._written += written
        if self._written - self._writing_back >= _WRITE_BACK:
            self._begin_write_back()
        return written

    def _begin_write_back(self) -> None:
        # Linux begins to write these bytes to the disk, and drops only those from its cache that are already there
        # (mm/fadvise.c, POSIX_FADV_DONTNEED). Otherwise the client waits for the whole file after its last byte: on an
        # ordinary disk 190 ms for 200 MB, instead of 12 ms.
        if hasattr(os, "posix_fadvise"):
            length = self._written - self._writing_back
            with suppress(OSError):  # not every file system implements it
                os.posix_fadvise(self.fileno(), self._writing_back, length, os.POSIX_FADV_DONTNEED)
        self._writing_back = self._written


class _Part(io.RawIOBase):
    """A part of a file, as a stream.

    It is seekable, so that waitress sends it without a thread that waits for the client.
    """

    def __init__(self, stream: io.FileIO, part: range) -> None:
        self._stream = stream
        self._part = part
        self._position = 0
        stream.seek(part.start)

    @property
    def fileno(self) -> None:  # type: ignore[override]  # hides the method of the base class
        # A server that has a file descriptor would send more of the file than the part.
        raise AttributeError("a part of a file has no file descriptor")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # any writable buffer
        left = len(self._part) - self._position
        size = self._stream.readinto(memoryview(buffer)[:left])
        self._position += size
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._part)}[whence]
        self._position = max(0, min(base + offset, len(self._part)))
        self._stream.seek(self._part.start + self._position)
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._stream.close()
        super().close()


def _require_size(key: str, stored: int, size: int) -> None:
    if stored != size:
        raise StorageUnavailable(f"the blob {key} has {stored} bytes instead of {size}")
