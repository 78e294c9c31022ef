"""``python -m pypi_registry check``: files looked into as an upload would be, with nothing left out."""

import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pypi_registry.distributions import verify

_WIDTH = 30  # characters of the bar
_OFTEN = 0.1  # seconds between two drawings


def check(paths: Sequence[Path]) -> int:
    """Print one line a fault; give 0 if there is none, 1 if there are some, 2 if a file could not be read."""
    status = 0
    for path in paths:
        try:
            with _opened(path) as stream:
                faults = verify(stream, path.name, budget=None).faults
        except OSError as error:
            print(f"pypi_registry: {_shown(path)}: {error.strerror or error}", file=sys.stderr)
            status = 2
            continue
        for fault in faults:
            print(f"{_shown(path)}: {fault}")
        status = max(status, 1 if faults else 0)
    return status


def _shown(path: Path) -> str:
    """Give a path on one line, in characters that any terminal takes; names of files may hold what they like."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(path))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file; a person at a terminal sees how far it was read."""
    raw = _Watched(path) if sys.stderr.isatty() else io.FileIO(path)
    with io.BufferedReader(raw) as stream:
        yield stream


class _Watched(io.FileIO):
    """A file that draws a bar of how much of it was read, and wipes it away in the end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._title = _shown(Path(path.name))
        self._size = os.fstat(self.fileno()).st_size
        self._read = 0  # bytes, some of a zip's more than once
        self._drawn_at = time.monotonic()

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # any buffer will do
        count = super().readinto(buffer) or 0
        self._read += count
        if time.monotonic() - self._drawn_at > _OFTEN:
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
