"""A pool of connections to one SQLite file: one thread per connection, one writer at a time, none across a fork.

If another program replaces the file. A connection keeps the file that it opened, also if that was removed or
replaced since then: a change would be acknowledged, and its rows would be lost at the next start. So the pool
compares which files are at the path with those that its connections opened: twice a second, and
after each commit, before it is acknowledged. The log (``-wal``) and its index (``-shm``) count, too.

Why forks need hooks. A server may load the application, open the catalogue and then fork its workers. SQLite's manual,
"How To Corrupt An SQLite Database File": "Do not open an SQLite database connection, then fork(2), then try to use that
database connection in the child process." The child inherits the memory of the connection, which records that file
locks are held, but not the locks themselves: it would write without any lock. Therefore:

1. Before a fork, in the parent: take the locks of every pool, so that no thread starts to write or to open a
   connection, close the idle connections, and wait until the other threads have released theirs, which closes them.
   The wait is bounded: a thread may fork while it holds a connection itself.
2. After it, in the parent: release the locks. Connections are opened again when they are needed.
3. After it, in the child: forget what is left of the parent's connections without closing them, and start with an
   empty pool and new locks. The other threads do not exist in the child, so no thread would release the old locks.

The registry of pools and the lists that the hooks use are global to the process, because a fork is.
"""

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from types import TracebackType
from weakref import WeakSet

from pypi_registry.errors import OutcomeUnknown, StorageUnavailable
from pypi_registry.stores.sqlite.failures import ERRORS, primary_code, translated
from pypi_registry.stores.sqlite.files_at import (
    Files,
    are_at,
    ends_within_a_page,
    files_at,
    has_content,
    mark_as_created,
    set_aside,
    why_not_created,
)
from pypi_registry.stores.sqlite.migration import migrate_file
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION, UnknownSchema, require_features, schema_version
from pypi_registry.stores.sqlite.writers import WriterQueue

_log = logging.getLogger("pypi_registry")

MAX_WAITING_WRITERS = 4

_POLL = 0.25  # seconds for which SQLite itself waits for a lock; then the queue of writers examines what holds it
_CREATE_TIMEOUT = 30.0  # seconds that a start waits for other processes that create or migrate the file
_OPEN_TIMEOUT = 1.0  # the same for a connection that is opened later
_CLOSE_TIMEOUT = 5.0  # seconds that a fork, or a change of the log, waits for the connections of other threads
_CHECK_INTERVAL = 0.5  # seconds after which a reader examines which files are at the path
_ATTEMPTS = 3  # to open a file that is replaced at this moment
_CANNOT_WRITE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)


@dataclass(frozen=True, eq=False, slots=True)
class _Generation:
    """Connections that opened the same files."""

    files: Files
    is_immutable: bool
    """Whether SQLite could create no log, because nothing can be written, and reads the database alone."""
    is_read_only: bool
    """Whether the database could not be written when it was opened."""


class ConnectionPool:
    """Leases connections. It opens one if none is idle, which costs more than most queries.

    Only `create` creates the file. If it is removed or replaced later, connections are refused until there is a
    catalogue again; then new connections are opened.

    :param max_waiting_writers: how many writers may wait while another program holds the write lock.
    :param free_space: is called if a connection cannot be opened on a full disk; returns whether it has freed space.
    :param opened: is called after the first connection to other files was opened: caches may be invalid for them.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_waiting_writers: int = MAX_WAITING_WRITERS,
        opened: Callable[[], None] = lambda: None,
        free_space: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = str(path)
        self._uri = path.as_uri()
        self._opened = opened
        self._free_space = free_space
        self._clock = clock
        self._max_waiting_writers = max_waiting_writers
        self._open: dict[sqlite3.Connection, _Generation] = {}
        self._idle: deque[sqlite3.Connection] = deque()
        self._current: _Generation | None = None
        self._check_at = 0.0
        self._writers = WriterQueue(max_waiting_writers, clock)
        self._open_lock = Lock()
        self._forking = False
        with _fork_lock:  # a hook may be iterating over the registry
            _pools.add(self)

    def create(self) -> None:
        """Create the file if it is missing, and migrate it if it is of an older version.

        A file that was created before is not created again, also not by another process: a server may start a worker
        while the file is missing. Connections are refused until it is restored.

        :raises UnknownSchema: if it is not a catalogue of this version or an older one.
        :raises StorageUnavailable: if that is not possible now.
        :raises StorageFull: if there is no space.
        """
        if reason := why_not_created(self._path):
            _log.error("%s", reason)
            return
        try:
            with self._open_lock:
                connection = self._open_connection(create=True)
        except ERRORS as error:
            raise translated(error) or error from error
        self.release(connection)
        mark_as_created(self._path)

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(IndexError):
            while True:
                self._close(self._idle.pop())

    def transaction(self) -> "_Transaction":
        """Lease a connection for one transaction that writes, in a ``with`` block; an exception rolls it back.

        :raises StorageUnavailable: if the file cannot be written now.
        :raises StorageFull: if there is no space.
        :raises OutcomeUnknown: if it is not known whether the transaction was committed, and will stay.
        """
        return _Transaction(self)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lease a connection whose statements all read one consistent state.

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
        if self._clock() >= self._check_at:
            self._check()
        try:
            while True:
                connection = self._idle.pop()
                if self._open.get(connection) is self._current:
                    return connection
                self._close(connection)  # it was released while the generation ended
        except IndexError:
            with self._open_lock:
                return self._open_connection()

    def release(self, connection: sqlite3.Connection) -> None:
        """Make a connection idle; close it if a fork waits for it, or if other files are at the path now."""
        generation = self._open.get(connection)
        if generation is None:
            return  # it was acquired before a fork and belongs to the parent
        # SQLite does not notice changes of a file that it has opened as immutable.
        if self._forking or generation is not self._current or generation.is_immutable:
            self._close(connection)
        else:
            self._idle.append(connection)

    def discard(self, connection: sqlite3.Connection) -> None:
        """Release a connection by closing it, after an error that may have made its caches invalid."""
        if connection in self._open:
            self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        with suppress(*ERRORS):  # the connection is closed even if a step before that fails
            connection.close()
        self._open.pop(connection, None)

    # Writing

    def begin(self) -> sqlite3.Connection:
        """Wait for the turn of the caller, and return a connection with a transaction that may write."""
        since = self._clock()
        self._writers.acquire()
        try:
            return self._begin(since)
        except BaseException:
            self._writers.release()
            raise

    def _begin(self, since: float) -> sqlite3.Connection:
        connection = self._writable()
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if primary_code(error) != sqlite3.SQLITE_BUSY:
                        raise
                    self._writers.blocked(since, _version(connection))
                else:
                    self._writers.begun()
                    return connection
        except BaseException:
            self.discard(connection)
            raise

    def _writable(self) -> sqlite3.Connection:
        connection = self.acquire()
        if self._is_read_only(connection):  # the disk was read-only then, and may be writable now
            self._current = None
            self.discard(connection)
            connection = self.acquire()
            if self._is_read_only(connection):  # SQLite would begin the transaction, and refuse the first change in it
                self.discard(connection)
                raise StorageUnavailable("the catalogue is read-only")
        return connection

    def _is_read_only(self, connection: sqlite3.Connection) -> bool:
        generation = self._open.get(connection)
        return generation is not None and generation.is_read_only

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit, and check that the next start opens the file that was written.

        :raises OutcomeUnknown: if it does not, or if it is not known whether the transaction was committed.
        """
        _commit(connection)
        generation = self._open.get(connection)
        if generation is None or generation is not self._current or not are_at(self._path, generation.files):
            self._check_at = 0.0
            reason = "it is not known whether the change was committed: its file was removed or replaced"
            _log.error(reason)
            raise OutcomeUnknown(reason)

    def end(self, connection: sqlite3.Connection) -> None:
        """End a transaction, roll it back if it was not committed, and let the next writer begin."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except ERRORS:  # the error before it is the one that counts
            self.discard(connection)
        else:
            self.release(connection)
        finally:
            self._writers.release()

    # Opening

    def _check(self) -> None:
        """Examine which files are at the path, and end the generation if they have changed.

        :raises StorageUnavailable: if there is no database.
        """
        now, files, current = self._clock(), files_at(self._path), self._current
        if files.database is None:
            raise StorageUnavailable("the catalogue is missing")
        if current is not None and files != current.files:
            with self._open_lock:
                if current is self._current and self._has_open(current):
                    self._end_generation(current)
        self._check_at = now + _CHECK_INTERVAL

    def _has_open(self, generation: _Generation) -> bool:
        return generation in [*self._open.values()]  # a copy: other threads close connections

    def _end_generation(self, generation: _Generation) -> None:
        """Close the idle connections, and let the others be closed on release. The caller holds the lock for opening.

        The log belongs to the database of the generation. If that was moved, the log must be applied to it, and must
        not be applied to a database that is at the path now.
        """
        is_applied = self._apply_log()
        files = files_at(self._path)
        self._current = None
        if files.database not in (None, generation.files.database) and files.log == generation.files.log is not None:
            set_aside(f"{self._path}-wal", delete=is_applied)
            set_aside(f"{self._path}-shm", delete=True)
        self.close()

    def _apply_log(self) -> bool:
        """Write the log of the generation into its database, wherever it is; return whether all of it is there."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return False
        try:
            [is_busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not is_busy
        except ERRORS:
            return False
        finally:
            self.release(connection)

    def _open_connection(self, *, create: bool = False) -> sqlite3.Connection:
        """Open a connection to the files that are at the path. The caller holds the lock for opening."""
        for _ in range(_ATTEMPTS):
            before, current = files_at(self._path), self._current
            if before.database is None and not create:
                raise StorageUnavailable("the catalogue is missing")
            if current is not None and not self._has_open(current):
                current = None
            if current is not None and before != current.files:
                self._end_generation(current)
                current = None
            if current is None:
                self._wait_for_log(before)
            connection, is_immutable = self._connect(create=create)
            files = files_at(self._path)
            if current is None and (create or files.database == before.database):
                is_read_only = is_immutable or not os.access(self._path, os.W_OK)
                self._current = current = _Generation(files, is_immutable, is_read_only)
                self._open[connection] = current
                self._opened()
                return connection
            if current is not None and files == current.files:
                self._open[connection] = current
                return connection
            connection.close()
        raise StorageUnavailable("the catalogue is being replaced")

    def _wait_for_log(self, files: Files) -> None:
        """Wait until no connection uses another log of the same database: SQLite would confuse the two."""
        deadline = self._clock() + _CLOSE_TIMEOUT
        while any(generation.files.database == files.database for generation in [*self._open.values()]):
            if self._clock() > deadline:
                raise StorageUnavailable("the log of the catalogue was removed while it was read")
            time.sleep(0.001)  # threads close their connections on release without a notification

    def _connect(self, *, create: bool) -> tuple[sqlite3.Connection, bool]:
        """Connect; return also whether the file could be opened only as immutable."""
        try:
            return self._connected("rwc" if create else "rw", create=create), False
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _CANNOT_WRITE:
                raise
            if self._free_space():
                return self._connect(create=create)
            if has_content(f"{self._path}-wal"):
                raise
            # SQLite's manual, "Write-Ahead Logging", on read-only databases: the -shm and -wal files must exist, or
            # there must be write permission on the directory so that they can be created, or the connection is opened
            # "using the immutable query parameter".
            try:
                return self._connected("ro&immutable=1", create=False), True
            except (*ERRORS, StorageUnavailable):
                raise error from None

    def _connected(self, mode: str, *, create: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._uri}?mode={mode}", uri=True, timeout=_POLL, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Otherwise SQLite opens a temporary file for each statement that changes more than 16 pages, as an upload
            # with its triggers does.
            connection.execute("PRAGMA temp_store = MEMORY")
            deadline = self._clock() + (_CREATE_TIMEOUT if create else _OPEN_TIMEOUT)
            _until(deadline, lambda: self._prepare(connection, create=create))
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, create: bool) -> None:
        try:
            found = schema_version(connection, self._path)
            if found == 0 and not create:
                raise UnknownSchema(self._path, found)
        except UnknownSchema as error:
            if create:
                raise
            _log.error("%s", error)
            raise StorageUnavailable(
                "the file at the path of the catalogue is not a catalogue of this version"
            ) from error
        [page_size] = connection.execute("PRAGMA page_size").fetchone()
        try:
            is_cut = ends_within_a_page(self._path, page_size)
        except OSError as error:  # the file was just removed, or the disk fails
            raise StorageUnavailable(f"the catalogue cannot be read: {error.strerror}") from error
        if is_cut:
            raise StorageUnavailable("the file of the catalogue is not complete: it ends in the middle of a page")
        [journal_mode] = connection.execute("PRAGMA journal_mode").fetchone()
        if journal_mode != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        if found < SCHEMA_VERSION:
            require_features(connection)
            migrate_file(connection, self._path)

    # Forks

    def before_fork(self, deadline: float) -> list[Callable[[], None]]:
        """Close every connection; return the functions that let other threads open one again."""
        undo: list[Callable[[], None]] = []
        with suppress(StorageUnavailable):
            self._writers.acquire(max(0, deadline - time.monotonic()), first=True)
            undo.append(self._writers.release)
        if self._open_lock.acquire(timeout=max(0, deadline - time.monotonic())):
            undo.append(self._open_lock.release)
        self._forking = True
        self.close()
        while self._open and time.monotonic() < deadline:
            time.sleep(0.001)  # threads close their connections on release without a notification
            self.close()  # a thread may have made one idle before it could see `_forking`
        return undo

    def after_fork_in_parent(self) -> None:
        """Make released connections idle again."""
        self._forking = False

    def after_fork_in_child(self) -> None:
        """Start with an empty pool, another queue and new locks."""
        _inherited.append((self._open, self._idle))
        self._open, self._idle, self._current, self._check_at = {}, deque(), None, 0.0
        self._writers = WriterQueue(self._max_waiting_writers, self._clock)
        self._open_lock, self._forking = Lock(), False


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
        except ERRORS as error:
            raise translated(error) or error from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._pool.release(self._connection)
            return
        reason = translated(error)
        if reason is None:
            self._pool.release(self._connection)
        else:
            self._pool.discard(self._connection)
            raise reason from error


class _Transaction:
    """A transaction that writes, for the length of a ``with`` block. It is a class for the same reason."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._pool.begin()
        except ERRORS as error:
            raise translated(error) or error from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self._pool.commit(self._connection)
        except ERRORS as failed:
            raise translated(failed) or failed from failed
        finally:
            self._pool.end(self._connection)
        if error is not None and (reason := translated(error)) is not None:
            raise reason from error


_pools: WeakSet[ConnectionPool] = WeakSet()
_inherited: list[object] = []  # keeps the parent's connections referenced: garbage collection would close them
_undo: list[Callable[[], None]] = []
# Reentrant: a signal handler may fork while its thread waits in `_before_fork`. That works only if
# `concurrent.futures.thread`, whose own lock for forks is not reentrant, was imported before this module.
_fork_lock = RLock()


def _before_fork() -> None:
    _fork_lock.acquire()
    deadline = time.monotonic() + _CLOSE_TIMEOUT
    for pool in [*_pools]:
        _undo.extend(pool.before_fork(deadline))


def _after_fork_in_parent() -> None:
    for pool in [*_pools]:
        pool.after_fork_in_parent()
    while _undo:
        _undo.pop()()
    _fork_lock.release()


def _after_fork_in_child() -> None:
    global _fork_lock
    for pool in [*_pools]:
        pool.after_fork_in_child()
    _undo.clear()
    _fork_lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_IOERR:
            raise
        # If only the flush failed, the log may hold the whole transaction, which is then applied after a restart.
        _log.error("it is not known whether the change was committed: %s", error)
        raise OutcomeUnknown("it is not known whether the change was committed") from error


def _version(connection: sqlite3.Connection) -> int:
    """Return a number that changes with each commit of another connection; 0 if it cannot be read."""
    try:
        return int(connection.execute("PRAGMA data_version").fetchone()[0])
    except ERRORS:  # the other program excludes readers, too
        return 0


def _until(deadline: float, act: Callable[[], None]) -> None:
    """Repeat an action while another program holds a lock: SQLite's own timeout does not apply to every statement."""
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # SQLite offers nothing to wait for
