"""Whether anything was changed in an SQLite file, and what is remembered of it until then.

A look-up costs SQLite four to fifteen microseconds, and three times as much under a busy server. To know that nothing
was changed costs a look into memory, and no call of the system, at which other threads would get the interpreter.
"""

import errno
import mmap
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from sys import getsizeof
from threading import Lock
from typing import Any
from weakref import WeakSet, finalize

from pypi_registry.errors import StorageFull, StorageUnavailable

# Whether what is written is seen at once where it is mapped: with one cache for both (https://sqlite.org/mmap.html,
# "unified buffer cache"), which OpenBSD does not have.
_IS_COHERENT = os.name == "posix" and not sys.platform.startswith("openbsd")
_BYTES = 8
_REMEMBERED = 2000  # look-ups
_MOST_BYTES = 8 * 1024**2  # of what they ask and say: a group may have thousands of projects, an address be long

Question = tuple[str, tuple[object, ...]]
"""A statement and its values."""


class Memory:
    """What a catalogue said after a change, which is true until the next."""

    def __init__(self, change: int | None) -> None:
        self.change = change
        self.answers: dict[Question, Any] = {}
        self._bytes = 0

    def keep(self, question: Question, rows: Sequence[Any], answer: object) -> None:
        """Keep an answer, which was made of rows."""
        size = sum(getsizeof(value) for values in (question[1], *rows) for value in values)
        if len(self.answers) >= _REMEMBERED or self._bytes + size > _MOST_BYTES:
            self.answers.clear()
            self._bytes = 0
        if size <= _MOST_BYTES:
            self.answers[question] = answer
            self._bytes += size


class LastChange:
    """A number in a file beside the catalogue, in which each change of any process announces itself.

    A change that has waited for all others takes a new number, writes it here, keeps it among its rows and is
    committed, in this order. So if the rows already had the number that stands here, what they say from then on is true
    as long as it stands here: whatever is committed later stands here before. A change that came to nothing leaves a
    number that no rows have, and nothing is remembered until the next.

    The number is read from the mapped file. Half of an old one and half of a new one would be one that no rows have. On
    Windows and OpenBSD, where a file and what is mapped of it may differ, nothing is ever remembered. Whoever empties
    the file under a running process ends it, as with SQLite's ``-shm``.
    """

    def __init__(self, catalogue: Path) -> None:
        self._catalogue = catalogue.resolve()  # by whatever link it is opened, as SQLite does for its log
        self._path = self._catalogue.with_name(f"{self._catalogue.name}-changes")
        self._forget()
        _ALL.add(self)

    def read(self) -> int | None:
        """Give the number of the last change, or of one that is being made; None if nobody knows."""
        number = self._number or self._map()
        return None if number is None else number[0]

    def announce(self) -> int:
        """Give a new number, for a change that is about to be committed and has waited for all others.

        :raises StorageFull: if there is no room for it.
        :raises StorageUnavailable: if it cannot be written now.
        """
        number = secrets.randbits(_BYTES * 8 - 1)  # SQLite's integers have a sign
        if _IS_COHERENT:
            try:
                os.pwrite(self._opened(), number.to_bytes(_BYTES, sys.byteorder), 0)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StorageFull from error
                raise StorageUnavailable(f"{self._path.name} cannot be written") from error
        return number

    def after_fork_in_child(self) -> None:
        """Open the file anew: a daemon closes all that it inherits, and the number of this is then another file's."""
        if self._close is not None:
            self._close()
        self._forget()

    def _forget(self) -> None:
        self._opening = Lock()
        self._descriptor: int | None = None
        self._number: memoryview[int] | None = None
        self._close: finalize[..., LastChange] | None = None

    def _map(self) -> "memoryview[int] | None":
        if not _IS_COHERENT:
            return None
        try:
            descriptor = self._opened()
            self._number = memoryview(mmap.mmap(descriptor, _BYTES, prot=mmap.PROT_READ)).cast("Q")
        except (OSError, ValueError):  # not every file system lets files be mapped, and no number may be there yet
            return None
        return self._number

    def _opened(self) -> int:
        if self._descriptor is None:
            with self._opening:
                if self._descriptor is None:
                    descriptor = self._open()
                    # Open for as long as anybody may ask: its number, once closed, is soon another file's.
                    self._close = finalize(self, os.close, descriptor)
                    self._close.atexit = False
                    self._descriptor = descriptor
        return self._descriptor

    def _open(self) -> int:
        """Open the file; if it is made, then for all who may write the catalogue, as SQLite makes its log."""
        catalogue = self._catalogue.stat()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # a link is none of ours, and may lead anywhere
            return os.open(self._path, os.O_RDWR | os.O_NOFOLLOW)
        with suppress(PermissionError):  # a file system without owners and modes
            os.fchmod(descriptor, catalogue.st_mode & 0o666)  # whatever the umask is
            if os.geteuid() == 0:
                os.fchown(descriptor, catalogue.st_uid, catalogue.st_gid)
        return descriptor


_ALL: WeakSet[LastChange] = WeakSet()


def _after_fork_in_child() -> None:
    for change in [*_ALL]:
        change.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
