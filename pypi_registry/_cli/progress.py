"""How much of some long work is done: a bar on a terminal; elsewhere nothing, or one line a minute."""

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
_MINUTE = 60  # seconds between two lines where there is no terminal


def printable(text: str | Path) -> str:
    """Return a text or a path on one line, without control characters: a file name may hold any."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "file"), counted(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


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
        _draw(part, self._title)
        self._drawn_at = time.monotonic()

    def close(self) -> None:
        if not self.closed:
            _erase()
        super().close()


class Meter:
    """Shows how much of some work is done, on the standard error stream."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._on_terminal = sys.stderr.isatty()
        self._shown_at = time.monotonic()
        self._is_drawn = False

    def show(self, unit: str, done: int, total: int | None) -> None:
        """Show how many things are done; the total is None while it is not known."""
        now = time.monotonic()
        if now - self._shown_at <= (_INTERVAL if self._on_terminal else _MINUTE):
            return
        self._shown_at = now
        text = f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"
        if not self._on_terminal:
            print(f"{self._title}: {text}", file=sys.stderr, flush=True)
            return
        self._is_drawn = True
        _draw(0 if total is None else min(1, done / max(1, total)), text)

    def erase(self) -> None:
        """Erase the bar, before another line is printed."""
        if self._is_drawn:
            self._is_drawn = False
            _erase()


def _draw(part: float, text: str) -> None:
    bar = ("#" * round(part * _WIDTH)).ljust(_WIDTH, ".")
    print(f"\r[{bar}] {part:4.0%} {text}", end="\x1b[K", file=sys.stderr, flush=True)


def _erase() -> None:
    print("\r", end="\x1b[K", file=sys.stderr, flush=True)
