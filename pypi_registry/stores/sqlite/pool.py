"""A pool of connections to one SQLite file: one thread per connection, one writer at a time, none across a fork.

Why forks need hooks. A server may load the application, open the catalogue and then fork its workers. SQLite's manual,
"How To Corrupt An SQLite Database File": "Do not open an SQLite database connection, then fork(2), then try to use that
database connection in the child process." The child inherits the memory of the connection, which records that file
locks are held, but not the locks themselves: it would write without any lock. Therefore:

1. Before a fork, in the parent: take the locks of every pool, so that no thread starts to write or to open a
   connection, close the idle connections, and wait until the other threads have released theirs, which closes them.
   The wait is bounded: a thread may fork while it holds a connection itself.
2. After it, in the parent: release the locks. Connections are opened again when they are needed.
3. After it, in the child: forget what is left of the parent's connections without closing them, and start with an
   empty pool and new locks. The other threads do not exist in the child, so nobody would release the old locks.

The registry of pools and the lists that the hooks use are global to the process, because a fork is.
"""

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

_BUSY_TIMEOUT = 30.0  # seconds that a writer waits for other writers, of its process and of others
_FORK_TIMEOUT = 5.0  # seconds that a fork waits for the connections of other threads


class ConnectionPool:
    """Leases connections. It opens one if none is idle, which costs more than most queries."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: set[sqlite3.Connection] = set()
        self._idle: deque[sqlite3.Connection] = deque()
        # SQLite waits for a lock by polling: without this lock, the slowest of eight uploads at once takes ten times
        # as long.
        self._write_lock = Lock()
        self._open_lock = Lock()
        self._forking = False
        with _fork_lock:  # a hook may be iterating over the registry
            _pools.add(self)

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(IndexError):
            while True:
                self._close(self._idle.pop())

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lease a connection for one transaction that writes; an exception rolls it back.

        :raises StorageUnavailable: if the file cannot be written now.
        :raises StorageFull: if there is no room.
        :raises OSError: if it is not known whether the transaction was committed.
        """
        if not self._write_lock.acquire(timeout=_BUSY_TIMEOUT):
            raise StorageUnavailable("the catalogue is busy")
        try:
            with self.lease() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    _commit(connection)
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        finally:
            self._write_lock.release()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lease a connection whose statements all read the state of one moment.

        :raises StorageUnavailable: if the file cannot be read now.
        """
        with self.lease() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # SQLite itself ends a transaction after some errors
                    connection.execute("ROLLBACK")

    def lease(self) -> "_Lease":
        """Lease a connection for the length of a ``with`` block.

        :raises StorageUnavailable: if the file cannot be read now.
        """
        return _Lease(self)

    def acquire(self) -> sqlite3.Connection:
        """Return a connection that no other thread uses, until it is released."""
        try:
            return self._idle.pop()
        except IndexError:
            with self._open_lock:
                connection = self._connect()
                self._open.add(connection)
            return connection

    def release(self, connection: sqlite3.Connection) -> None:
        """Make a connection idle; close it if a fork waits for it."""
        if self._forking:
            self._close(connection)
        elif connection in self._open:  # otherwise it was acquired before a fork and belongs to the parent
            self._idle.append(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self._open.discard(connection)

    def before_fork(self, deadline: float) -> list[Lock]:
        """Close every connection, and return the locks that keep other threads from opening one."""
        locks = [self._write_lock, self._open_lock]
        taken = [lock for lock in locks if lock.acquire(timeout=max(0, deadline - time.monotonic()))]
        self._forking = True
        self.close()
        while self._open and time.monotonic() < deadline:
            time.sleep(0.001)  # threads close their connections on release without a notification
            self.close()  # a thread may have released one just before it could see `_forking`
        return taken

    def after_fork_in_parent(self) -> None:
        """Make released connections idle again."""
        self._forking = False

    def after_fork_in_child(self) -> None:
        """Start with an empty pool and new locks."""
        _inherited.append((self._open, self._idle))
        self._open, self._idle = set(), deque()
        self._write_lock, self._open_lock, self._forking = Lock(), Lock(), False

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Otherwise SQLite opens a temporary file for each statement that changes more than 16 pages, as an upload
            # with its triggers does.
            connection.execute("PRAGMA temp_store = MEMORY")
            _use_write_ahead_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class _Lease:
    """A connection for the length of a ``with`` block.

    It is a class because a generator with ``contextmanager`` costs half as much as the look-up that it is used for.
    """

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._pool.acquire()
        except sqlite3.OperationalError as error:
            raise _translated(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.release(self._connection)
        if isinstance(error, sqlite3.OperationalError):
            raise _translated(error) from error


_pools: WeakSet[ConnectionPool] = WeakSet()
_inherited: list[object] = []  # keeps the parent's connections referenced: garbage collection would close them
_held_locks: list[Lock] = []
_fork_lock = RLock()  # reentrant: a signal handler may fork while its thread waits in `_before_fork`


def _before_fork() -> None:
    _fork_lock.acquire()
    deadline = time.monotonic() + _FORK_TIMEOUT
    for pool in [*_pools]:
        _held_locks.extend(pool.before_fork(deadline))


def _after_fork_in_parent() -> None:
    for pool in [*_pools]:
        pool.after_fork_in_parent()
    while _held_locks:
        _held_locks.pop().release()
    _fork_lock.release()


def _after_fork_in_child() -> None:
    global _fork_lock
    for pool in [*_pools]:
        pool.after_fork_in_child()
    _held_locks.clear()
    _fork_lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
            raise
        # If only the flush failed, the log may hold the whole transaction, which is then applied after a restart.
        raise OSError(f"it is not known whether the catalogue holds the change: {error}") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # SQLite's busy timeout does not apply to this statement
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # another process switches the mode; SQLite offers nothing to wait for


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
