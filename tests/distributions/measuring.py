"""What reading a file costs: bytes, places and memory, never time."""

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Counted(io.BytesIO):
    """Bytes that know how many of them were given out, and whether anybody went elsewhere."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.given = 0
        self.largest = 0
        """Bytes asked for at once."""
        self.moved = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.given += len(data)
        self.largest = max(self.largest, 2**63 if size is None or size < 0 else size)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.moved = True
        return super().seek(offset, whence)


@dataclass(slots=True)
class Peak:
    """The most memory that was held at once, in bytes, beyond what was held before."""

    bytes: int = 0


@contextmanager
def peak() -> Iterator[Peak]:
    """Measure what the block needs at most; it is known behind the block."""
    found = Peak()
    tracemalloc.start()
    try:
        yield found
        _, found.bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
