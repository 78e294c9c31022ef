"""The file of an upload while it is still arriving, as a stream that can already be read."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO, TypeVar

from pypi_registry._disk import disk_errors_as_storage_errors
from pypi_registry.storage import Blobs

_Result = TypeVar("_Result")


def new_file(blobs: Blobs) -> BinaryIO:
    """Create the file into which an upload is received: in the store if it can, otherwise as a temporary file.

    :raises StorageFull: if there is no space.
    :raises StorageUnavailable: if files cannot be written now.
    """
    # By attribute, as isinstance() with the protocol `CreatesFiles` is slow.
    create: Callable[[], BinaryIO] | None = getattr(blobs, "new_file", None)
    if create is not None:
        return create()
    with disk_errors_as_storage_errors():
        return tempfile.TemporaryFile()


def read_while_it_arrives(chunks: Iterator[bytes], file: BinaryIO, read: Callable[[BinaryIO], _Result]) -> _Result:
    """Return the result of a function that reads a file while it arrives, and write its bytes to `file`.

    After the call all bytes are in `file`, even if `read` did not read its stream to the end. A file that arrives in
    one chunk, as most do, is read from memory.

    :param file: empty, and open for reading and writing.

    :raises StorageFull: if there is no space, even if `read` ignored this error. The same holds for
        `StorageUnavailable`, and for every error of `chunks`.
    """
    first, second = next(chunks, b""), next(chunks, None)
    if second is None:
        _write(file, first)
        result = read(io.BytesIO(first))
    else:
        incoming = IncomingFile(chain((first, second), chunks), file)
        del first, second  # otherwise they would stay in memory while the file arrives
        with incoming:
            result = read(io.BufferedReader(incoming))
            incoming.receive_all()
    with disk_errors_as_storage_errors():
        file.flush()
    return result


class IncomingFile(io.RawIOBase):
    """Reads the bytes of a file as they arrive, and writes each chunk to another file.

    A caller that reads forward, as one reads a gzipped tar, receives the chunks themselves. A caller that seeks, as one
    must in a zip archive, waits until the whole file has arrived, and then reads the other file.
    """

    def __init__(self, chunks: Iterator[bytes], file: BinaryIO) -> None:
        """Read `chunks`, and write them to `file`, which is empty; closing this does not close it."""
        self._chunks = chunks
        self._file = file
        self._unread = memoryview(b"")  # the rest of the last chunk
        self._arrived = 0
        self._reads_file = False
        self._error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # any writable buffer
        if self._reads_file:
            data = memoryview(self._file.read(len(buffer)))
        else:
            if not self._unread:
                self._unread = memoryview(self._receive())
            data, self._unread = self._unread[: len(buffer)], self._unread[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        position = self.tell()
        if (offset, whence) in ((position, os.SEEK_SET), (0, os.SEEK_CUR)):
            return position
        if not self._reads_file:
            self.receive_all()
            self._file.seek(position)
            self._reads_file = True
            self._unread = memoryview(b"")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell() if self._reads_file else self._arrived - len(self._unread)

    def receive_all(self) -> None:
        """Wait until the whole file has arrived.

        :raises Exception: the error that ended the file early, also if it was raised before.
        """
        while self._receive():
            pass

    def _receive(self) -> bytes:
        if self._error is not None:
            raise self._error
        try:
            chunk = next(filter(None, self._chunks), b"")
            _write(self._file, chunk)
        except BaseException as error:
            self._error = error
            raise
        self._arrived += len(chunk)
        return chunk


def _write(file: BinaryIO, chunk: bytes) -> None:
    with disk_errors_as_storage_errors():
        file.write(chunk)
