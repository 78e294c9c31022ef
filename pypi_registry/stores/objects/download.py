"""An object as a stream."""

import io
from collections.abc import Iterator

from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.objects.failures import obstore_errors_as_storage_errors


class Download(io.RawIOBase):
    """Reads the chunks of a response forward. It raises `StorageUnavailable` if the response ends early or late.

    So a server that copies it to a client breaks the connection instead of ending the response. The first chunk is
    received at once: if that fails, the client still gets the status of an error.
    """

    def __init__(self, chunks: Iterator[bytes], length: int) -> None:
        self._chunks: Iterator[bytes] | None = chunks
        self._length = length
        self._received = 0
        self._rest = self._receive()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        if not self._rest and size:
            self._rest = self._receive()
        data, self._rest = self._rest[:size], self._rest[size:]  # the whole chunk is not copied
        return data

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # any writable buffer
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._chunks, self._rest = None, b""  # which ends the request
        super().close()

    def _receive(self) -> bytes:
        if self._chunks is None:
            raise ValueError("read of a closed stream")
        with obstore_errors_as_storage_errors():
            chunk = next(filter(None, self._chunks), b"")
        self._received += len(chunk)
        if self._received > self._length or (not chunk and self._received < self._length):
            raise StorageUnavailable(f"the object store sent {self._received} bytes instead of {self._length}")
        return chunk


def cut(chunks: Iterator[bytes], positions: range, part: range) -> Iterator[bytes]:
    """Yield the bytes of a part from a response that has the bytes at `positions`."""
    if positions == part:
        yield from chunks
        return
    position = positions.start
    for chunk in chunks:
        yield chunk[max(part.start - position, 0) : max(part.stop - position, 0)]
        position += len(chunk)
        if position >= part.stop:
            return
