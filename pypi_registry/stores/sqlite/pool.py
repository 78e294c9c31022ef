"""Connections to one SQLite file: lent to one thread at a time, one writer at a time, and none across a fork."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from types import TracebackType
from weakref import WeakSet

from pypi_registry.errors import StorageFull, StorageUnavailable

_PATIENCE = 30.0  # seconds that a writer waits for other writers, in its process and in others
_FORK_PATIENCE = 5.0  # seconds that a fork waits for what other threads are in the middle of


class ConnectionPool:
    """Lends connections, and makes one when none is idle: opening one costs more than what is asked of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: set[sqlite3.Connection] = set()
        self._idle: deque[sqlite3.Connection] = deque()
        # SQLite's own waiting polls: eight uploads at once take ten times as long to the slowest without this.
        self._writing = Lock()
        self._opening = Lock()
        self._forking = False
        with _fork:  # which goes through all of them
            _ALL.add(self)

    def close(self) -> None:
        """Close the connections that no thread is using."""
        with suppress(IndexError):
            while True:
                self._close(self._idle.pop())

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for changes, which are all made or none.

        :raises StorageUnavailable: if the file cannot be written now.
        :raises StorageFull: if there is no room.
        :raises OSError: if nobody knows whether the changes were made.
        """
        if not self._writing.acquire(timeout=_PATIENCE):
            raise StorageUnavailable("the catalogue is busy")
        try:
            with self.reading() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    _commit(connection)
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        finally:
            self._writing.release()

    def reading(self) -> "_Loan":
        """Lend a connection.

        :raises StorageUnavailable: if the file cannot be read now.
        """
        return _Loan(self)

    def take(self) -> sqlite3.Connection:
        """Give a connection that nobody is using."""
        try:
            return self._idle.pop()
        except IndexError:
            with self._opening:
                connection = self._connect()
                self._open.add(connection)
            return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        if self._forking:
            self._close(connection)
        elif connection in self._open:  # it was lent before a fork otherwise, and is the parent's
            self._idle.append(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self._open.discard(connection)

    def before_fork(self, deadline: float) -> list[Lock]:
        """Close every connection, and let none be opened until the locks that are given back are released.

        A child believes that it holds the locks of the connections it inherits, and it holds none: its next connection
        would write without any, or wait for a thread that the child does not have.
        """
        locks = [self._writing, self._opening]
        taken = [lock for lock in locks if lock.acquire(timeout=max(0, deadline - time.monotonic()))]
        self._forking = True
        self.close()
        while self._open and time.monotonic() < deadline:
            time.sleep(0.001)  # whoever has one closes it on giving it back, and tells nobody
            self.close()  # one that came back just before it was known that this process forks
        return taken

    def after_fork(self) -> None:
        """Go on, in the parent."""
        self._forking = False

    def after_fork_in_child(self) -> None:
        """Begin anew: of the other threads, which may have been in the middle of something, there is none."""
        _INHERITED.append((self._open, self._idle))  # to collect them would be to close them
        self._open, self._idle = set(), deque()
        self._writing, self._opening, self._forking = Lock(), Lock(), False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _use_write_ahead_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class _Loan:
    """A connection for the length of a ``with``; a generator would cost as much as half of the look-up."""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: ConnectionPool) -> None:
        self._connections = connections

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._connections.take()
        except sqlite3.OperationalError as error:
            raise _translated(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connections.give_back(self._connection)
        if isinstance(error, sqlite3.OperationalError):
            raise _translated(error) from error


_ALL: WeakSet[ConnectionPool] = WeakSet()
_INHERITED: list[object] = []
_HELD: list[Lock] = []
_fork = RLock()  # a signal's handler may fork while its thread waits to do so


def _before_fork() -> None:
    _fork.acquire()
    deadline = time.monotonic() + _FORK_PATIENCE
    for connections in [*_ALL]:
        _HELD.extend(connections.before_fork(deadline))


def _after_fork_in_parent() -> None:
    for connections in [*_ALL]:
        connections.after_fork()
    while _HELD:
        _HELD.pop().release()
    _fork.release()


def _after_fork_in_child() -> None:
    global _fork
    for connections in [*_ALL]:
        connections.after_fork_in_child()
    _HELD.clear()
    _fork = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
            raise
        # All of it may stand in the log, of which only the flush failed; then it is done after the next start.
        raise OSError(f"whether the catalogue holds the change is not known: {error}") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # this statement alone does not wait while another process does the same
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _translated(error: sqlite3.OperationalError) -> Exception:
    match error.sqlite_errorcode & 0xFF:  # the primary code
        case sqlite3.SQLITE_FULL:
            return StorageFull()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageUnavailable("the catalogue is busy")
        case sqlite3.SQLITE_READONLY:
            return StorageUnavailable("the catalogue is read-only")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return StorageUnavailable("the catalogue cannot be read or written")
        case _:
            return error
