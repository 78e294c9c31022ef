"""Connections to PostgreSQL: leased from psycopg's pool, bounded in time, replaced if they are lost.

Time. A request must get its response within five seconds, even if the database refuses connections, its packets are
lost, or it accepts a statement and never answers. libpq limits the first two. For the third, each
connection has a deadline while it is leased, after which psycopg stops waiting, and the connection is closed.

Lost connections. After a restart of the database, all idle connections are lost, which is noticed when they are used:
examining each one before would cost every request a round trip. So a call that failed because a connection was lost is
tried again on the next one, until the time is up. That is safe for a call that only reads, and for a transaction whose
COMMIT was not sent. If it was sent, `outcome` decides.

Forks. psycopg's pool has threads, which do not exist in a child, and connections, which parent and child must not
share. So there is one pool per process: the first use in a process creates it. That of the parent stays referenced in
the child and is not used; psycopg closes no connection that another process opened.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool as Pool
from psycopg_pool import PoolClosed, PoolTimeout

from pypi_registry.errors import OutcomeUnknown, StorageUnavailable
from pypi_registry.stores.postgres.failures import AWAY, is_in_doubt, is_transient, translated
from pypi_registry.stores.postgres.outcome import BEGIN, LIMITS, Transaction, was_committed
from pypi_registry.stores.postgres.schema import UnknownSchema, require_present_schema
from pypi_registry.stores.postgres.texts import text_adapters

_log = logging.getLogger("pypi_registry")

_T = TypeVar("_T")

_TIME_LIMIT = 4.5  # seconds for one call
_FOR_OUTCOME = 1.5  # seconds of `_TIME_LIMIT` that are left if a COMMIT gets no answer
_RECONNECT_TIMEOUT = 3.0  # seconds; the pool waits twice as long after each attempt, and begins again after this time
_POLL = 0.05  # seconds between two queries for the outcome of a transaction
_INTERVAL = 0.1  # seconds after which psycopg lets Python handle signals

_OTHER_SCHEMA = (
    "the tables of the catalogue are missing, or belong to another version; run: pypi-registry migrate --catalogue URL"
)

BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_SNAPSHOT_BY_INDEX = f"{BEGIN_SNAPSHOT}; {LIMITS}; SET LOCAL enable_seqscan = off"
"""For lists: PostgreSQL estimates how many rows match, and would read a whole table where it expects many."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection that does not wait for an answer after its deadline."""

    deadline = inf
    """In `time.monotonic`."""
    is_checked = False
    """Whether its database was found to have the schema of this version."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect as psycopg does, and call the option `report` with the error, or with None if there is none.

        The pool connects in a thread, and its `PoolTimeout` does not state why no connection was there in time.
        """
        report: Callable[[psycopg.Error | None], object] = options.pop("report", lambda failure: None)
        failure: psycopg.Error | None = None
        try:
            return super().connect(conninfo, **options)
        except psycopg.Error as error:
            failure = error
            raise
        finally:
            report(failure)

    def wait(self, gen: PQGen[_T], interval: float = _INTERVAL, timeout: float | None = None) -> _T:
        """Run a generator of psycopg, as its own method does, until the deadline."""
        if self.deadline == inf:
            return super().wait(gen, interval)
        return waiting.wait(_until(gen, self.deadline), self.pgconn.socket, interval)


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[_T]):
    """The result of one transaction."""

    result: _T | None
    lost: Transaction | None = None
    """The transaction, if its connection was lost."""
    committing: bool = False
    """Whether COMMIT had been sent then."""


Work: TypeAlias = Callable[[Connection], _T]


class ConnectionPool:
    """Runs functions that use a connection.

    :param parameters: those of libpq.
    :param prepare_threshold: psycopg's; None if statements must not be prepared.
    :param url: names the database in messages, without a password.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        min_size: int,
        max_size: int,
        prepare_threshold: int | None,
        url: str,
    ) -> None:
        self._options = {
            **parameters,
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
            "context": _Context(),
            "report": self._report,
        }
        self._failure: psycopg.OperationalError | None = None  # of the last attempt to connect
        self._min_size, self._max_size = min_size, max_size
        self._url = url
        self._by_process: dict[int, Pool[Connection]] = {}

    def check_schema(self) -> None:
        """Connect, and check that the tables are those of this version.

        :raises UnknownSchema: if they are not.
        :raises StorageUnavailable: if the database cannot answer now.
        """
        try:
            self.read(lambda connection: None)
        except StorageUnavailable as error:
            if isinstance(error.__cause__, UnknownSchema):
                raise error.__cause__ from None
            raise

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        pool = self._by_process.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

    # Running functions

    def read(self, work: Work[_T]) -> _T:
        """Run a function that reads with one statement; again if the connection was lost.

        :raises StorageUnavailable: if the database cannot answer now.
        """
        return self._run(lambda connection, deadline: work(connection))

    def read_snapshot(self, work: Work[_T], begin: str = BEGIN_SNAPSHOT) -> _T:
        """Run a function whose statements all read one consistent state; again if the connection was lost.

        :raises StorageUnavailable: if the database cannot answer now.
        """

        def in_transaction(connection: Connection, deadline: float) -> _T:
            connection.execute(begin, prepare=False)
            result = work(connection)
            connection.execute("COMMIT", prepare=False)
            return result

        return self._run(in_transaction)

    def change(self, lock: int, work: Work[_T], is_stored: Callable[[Connection, _T], bool] | None = None) -> _T:
        """Run a function in a transaction that no other one with the same lock overlaps, and commit it.

        It is run again if it was certainly not committed, and another attempt may succeed. An exception rolls back.

        :param is_stored: finds the row that the function inserted, if it inserted one. It is called if the connection
            was lost during COMMIT.
        :raises StorageUnavailable: if the database cannot answer now.
        :raises StorageFull: if it has no space.
        :raises OutcomeUnknown: if it is not known whether the transaction was committed.
        """

        def attempt(connection: Connection, deadline: float) -> _Attempt[_T]:
            transaction, committing, result = _begin(connection, lock), False, None
            try:
                result = work(connection)
                connection.deadline, committing = deadline - _FOR_OUTCOME, True
                connection.execute("COMMIT", prepare=False)
            except psycopg.Error as error:
                if not is_in_doubt(error, connection):
                    raise
                _log.warning("the connection to the database was lost in a transaction: %s", error)
                return _Attempt(result, transaction, committing)
            return _Attempt(result)

        deadline = time.monotonic() + _TIME_LIMIT
        while True:
            made = self._run(attempt, deadline)
            if made.lost is None or self._was_committed(made, made.lost, is_stored, deadline):
                return cast(_T, made.result)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lease a connection whose statements all read one consistent state, without a deadline.

        :raises StorageUnavailable: if the database cannot answer now.
        """
        with self._without_deadline(BEGIN_SNAPSHOT) as connection:
            yield connection

    @contextmanager
    def maintenance(self) -> Iterator[Connection]:
        """Lease a connection in a transaction without a deadline, which is committed at the end of the ``with`` block.

        Each statement reads what was committed before it begins.

        :raises StorageUnavailable: if the database cannot answer now; the transaction may have been committed.
        """
        with self._without_deadline("BEGIN ISOLATION LEVEL READ COMMITTED") as connection:
            yield connection
            connection.execute("COMMIT", prepare=False)

    @contextmanager
    def _without_deadline(self, begin: str) -> Iterator[Connection]:
        try:
            with self._lease(time.monotonic() + _TIME_LIMIT) as connection:
                connection.deadline = inf
                connection.execute(begin, prepare=False)
                yield connection
        except psycopg.Error as error:
            raise translated(error) or error from error

    def _run(self, work: Callable[[Connection, float], _T], deadline: float | None = None) -> _T:
        deadline = deadline or time.monotonic() + _TIME_LIMIT
        attempts = self._max_size + 2  # every connection may be lost
        while True:
            attempts -= 1
            try:
                with self._lease(deadline) as connection:
                    return work(connection, deadline)
            except psycopg.Error as error:
                if not is_transient(error) or not attempts or time.monotonic() > deadline:
                    raise translated(error) or error from error

    def _was_committed(
        self,
        made: "_Attempt[_T]",
        lost: Transaction,
        is_stored: Callable[[Connection, _T], bool] | None,
        deadline: float,
    ) -> bool:
        """Return whether a transaction whose connection was lost was committed, and end it if it is in progress.

        If its COMMIT was not sent, it was not; but its session may still hold the lock.

        :raises OutcomeUnknown: if that cannot be known in time.
        :raises StorageUnavailable: if the database does not answer in time, and COMMIT was not sent.
        """
        while time.monotonic() < deadline:
            with suppress(psycopg.Error, StorageUnavailable):  # the database may still be unreachable
                with self._lease(deadline) as connection:
                    if made.committing and is_stored and is_stored(connection, cast(_T, made.result)):
                        return True
                    found = was_committed(connection, lost)
                if found is not None:
                    return found
            time.sleep(_POLL)  # a session that ends notifies no one
        if not made.committing:
            raise StorageUnavailable(AWAY)
        reason = "it is not known whether the change was committed: the database did not answer"
        _log.error(reason)
        raise OutcomeUnknown(reason)

    # Connections

    @contextmanager
    def _lease(self, deadline: float) -> Iterator[Connection]:
        """Lease a connection for the length of a ``with`` block; roll back what was not committed."""
        pool = self._pool()
        try:
            connection = pool.getconn(max(0.01, deadline - time.monotonic()))
        except (PoolTimeout, PoolClosed) as error:
            raise StorageUnavailable(AWAY) from self._failure or error
        try:
            connection.deadline = deadline
            if not connection.is_checked:
                self._check_schema(connection)
            yield connection
        finally:
            _settle(connection)
            pool.putconn(connection)

    def _report(self, failure: psycopg.Error | None) -> None:
        # Without its traceback, whose frames have the password.
        self._failure = None if failure is None else psycopg.OperationalError(str(failure))

    def _check_schema(self, connection: Connection) -> None:
        try:
            require_present_schema(connection, self._url)
        except UnknownSchema as error:  # clients see the reason of a StorageUnavailable, but not where the database is
            _log.error("%s", error)
            raise StorageUnavailable(_OTHER_SCHEMA) from error
        connection.is_checked = True

    def _pool(self) -> Pool[Connection]:
        pid = os.getpid()
        pool = self._by_process.get(pid)
        if pool is None:
            # No lock, which another thread could hold during a fork: of two threads, one creates a pool in vain
            pool = self._by_process.setdefault(pid, self._new_pool())
        if pool.closed:
            pool.open()
        return pool

    def _new_pool(self) -> Pool[Connection]:
        return Pool(
            "",
            connection_class=Connection,
            kwargs=self._options,
            min_size=self._min_size,
            max_size=self._max_size,
            open=False,
            timeout=_TIME_LIMIT,
            reconnect_timeout=_RECONNECT_TIMEOUT,
        )


class _Context:
    """The adapters of every connection."""

    adapters = text_adapters()
    connection = None


def _begin(connection: Connection, lock: int) -> Transaction:
    cursor = connection.execute(BEGIN.format(lock=lock), prepare=False)
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    assert row is not None
    return Transaction(*row[:3])


def _settle(connection: Connection) -> None:
    """Roll back a transaction that is open; close a connection that waits for an answer."""
    status = connection.pgconn.transaction_status
    if status == TransactionStatus.IDLE:
        return
    if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK", prepare=False)
            return
    connection.close()


def _until(generator: PQGen[_T], deadline: float) -> PQGen[_T]:
    """Run a generator of psycopg until the deadline."""
    try:
        wanted = next(generator)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:  # the interval passed without an answer
                raise psycopg.OperationalError("the database did not answer in time")
            wanted = generator.send(ready)
    except StopIteration as done:
        result: _T = done.value
        return result
