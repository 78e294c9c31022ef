"""Whether anything was changed in an SQLite file, and what is remembered of it until then.

A look-up costs SQLite four to fifteen microseconds, and three times as much under a busy server; to know that nothing
was changed costs half of one.
"""

import os
import secrets
from collections.abc import Hashable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import finalize

_BYTES = 8
_REMEMBERED = 2000  # look-ups, of up to two kilobytes each


class Memory:
    """What a catalogue said after a change, which is true until the next."""

    def __init__(self, change: int | None) -> None:
        self.change = change
        self.rows: dict[Hashable, Sequence[Any]] = {}

    def keep(self, question: Hashable, rows: Sequence[Any]) -> None:
        if len(self.rows) >= _REMEMBERED:
            self.rows.clear()
        self.rows[question] = rows


class LastChange:
    """A number in a file beside the catalogue, in which each change of any process announces itself.

    A change that has waited for all others takes a new number, writes it here, keeps it among its rows and is
    committed, in this order. So if the rows already had the number that stands here, what they say from then on is true
    as long as it stands here: whatever is committed later stands here before. A change that came to nothing leaves a
    number that no rows have, and nothing is remembered until the next.

    On Windows, which has no ``pread``, nothing ever is.
    """

    def __init__(self, catalogue: Path) -> None:
        self._catalogue = catalogue
        self._path = catalogue.with_name(f"{catalogue.name}-changes")
        self._opening = Lock()
        self._descriptor: int | None = None

    def read(self) -> int | None:
        """Give the number of the last change, or of one that is being made; None if nobody knows."""
        if not hasattr(os, "pread"):
            return None
        data = os.pread(self._opened(), _BYTES, 0)
        return int.from_bytes(data, "little") if len(data) == _BYTES else None

    def announce(self) -> int:
        """Give a new number, for a change that is about to be committed and has waited for all others."""
        number = secrets.randbits(_BYTES * 8 - 1)  # SQLite's integers have a sign
        if hasattr(os, "pwrite"):
            os.pwrite(self._opened(), number.to_bytes(_BYTES, "little"), 0)
        return number

    def _opened(self) -> int:
        if self._descriptor is None:
            with self._opening:
                if self._descriptor is None:
                    mode = self._catalogue.stat().st_mode & 0o666
                    self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, mode)
                    # Open for as long as anybody may ask: its number, once closed, is soon another file's.
                    finalize(self, os.close, self._descriptor).atexit = False
        return self._descriptor
