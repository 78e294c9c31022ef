"""A file that shows on a terminal how much of it was read."""

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_WIDTH = 30  # characters of the bar
_INTERVAL = 0.1  # seconds between two updates


def printable(path: Path) -> str:
    """Return a path on one line, without control characters: a file name may hold any."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(path))


@contextmanager
def open_with_progress(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; draw a progress bar if the standard error stream is a terminal."""
    raw = _ObservedFile(path) if sys.stderr.isatty() else io.FileIO(path)
    with io.BufferedReader(raw) as stream:
        yield stream


class _ObservedFile(io.FileIO):
    """A file that draws a bar of how much of it was read, and erases the bar when it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._title = printable(Path(path.name))
        self._size = os.fstat(self.fileno()).st_size
        self._read = 0  # bytes; of a zip archive some are read more than once
        self._drawn_at = time.monotonic()

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # a subset of buffers
        count = super().readinto(buffer) or 0
        self._read += count
        if time.monotonic() - self._drawn_at > _INTERVAL:
            self._draw()
        return count

    def _draw(self) -> None:
        part = min(1, self._read / max(1, self._size))
        bar = ("#" * round(part * _WIDTH)).ljust(_WIDTH, ".")
        print(f"\r[{bar}] {part:4.0%} {self._title}", end="\x1b[K", file=sys.stderr, flush=True)
        self._drawn_at = time.monotonic()

    def close(self) -> None:
        if not self.closed:
            print("\r", end="\x1b[K", file=sys.stderr, flush=True)
        super().close()
