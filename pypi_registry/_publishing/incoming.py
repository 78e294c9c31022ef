"""A file that is still arriving, as a stream that can be read at once."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO


@contextmanager
def incoming_file(chunks: Iterator[bytes], read_back: Callable[[], BinaryIO]) -> Iterator[BinaryIO]:
    """Give a file as a stream while it arrives, and wait for the rest of it in the end.

    One that came in a single chunk, as most do, is all there: it is read in memory, and not opened where it is kept.
    """
    first, second = next(chunks, b""), next(chunks, None)
    if second is None:
        yield io.BytesIO(first)
        return
    rest = IncomingFile(chain((first, second), chunks), read_back)
    del first, second  # or they would be in memory as long as the file arrives
    with rest:
        yield io.BufferedReader(rest)
        rest.await_all()


class IncomingFile(io.RawIOBase):
    """Gives the bytes of a file as they come, and those that have come from where they are kept.

    Whoever reads forward, as a gzipped tar is read, reads along with the upload, and nothing twice. Whoever goes
    elsewhere, as one must in a zip archive, waits until all of it has come.
    """

    def __init__(self, chunks: Iterator[bytes], read_back: Callable[[], BinaryIO]) -> None:
        """Begin with what is to come; `read_back` opens what came."""
        self._chunks = chunks
        self._read_back = read_back
        self._rest = memoryview(b"")  # of the last chunk, what nobody has read
        self._arrived = 0
        self._kept: BinaryIO | None = None
        self._error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # any buffer will do
        if self._kept is not None:
            data = memoryview(self._kept.read(len(buffer)))
        else:
            if not self._rest:
                self._rest = memoryview(self._next())
            data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        at = self.tell()
        if (offset, whence) in ((at, os.SEEK_SET), (0, os.SEEK_CUR)):
            return at
        if self._kept is None:
            self.await_all()
            self._kept = self._read_back()
            self._kept.seek(at)
            self._rest = memoryview(b"")
        return self._kept.seek(offset, whence)

    def tell(self) -> int:
        return self._kept.tell() if self._kept is not None else self._arrived - len(self._rest)

    def await_all(self) -> None:
        """Wait until all of it has come.

        :raises Exception: whatever ended it early, even if the reader took no notice.
        """
        while self._next():
            pass
        if self._error is not None:
            raise self._error

    def _next(self) -> bytes:
        try:
            chunk = next(filter(None, self._chunks), b"")
        except BaseException as error:
            self._error = error
            raise
        self._arrived += len(chunk)
        return chunk

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        super().close()
