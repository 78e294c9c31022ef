"""Whether a transaction was committed if its COMMIT got no answer.

The connection broke, or the time was up. The server may have committed, may never have received the COMMIT, or may
still process it: a row that is absent at this moment may appear later. PostgreSQL itself knows the outcome:
``pg_xact_status`` returns ``committed``, ``aborted`` or ``in progress`` for the id of a transaction, which each change
reads in its first statement. A transaction that is in progress is ended by terminating its session, which is found by
the same id: the id of the session would not work, because PgBouncer reports one of its own. A session in the middle of
a COMMIT completes it before it ends, so the result is correct in both cases. This also covers deletions, which leave no
row to look for.

The id of a transaction means nothing to a server that took over without having received everything (an asynchronous
standby), or to a restored one; there it may belong to another transaction. Such a server is on another timeline, which
each change therefore reads, too.

After a crash, PostgreSQL assigns the id again if nothing of the transaction had reached the disk: then ``committed`` is
the outcome of another one. So each change also reads two timestamps that a restart, or the recovery from a crash,
changes. If one has changed, the transaction is certainly over, and counts as not committed unless its row is found: a
change that is done twice has the same result, except that a deletion finds nothing to delete the second time.
"""

from typing import Any, NamedTuple

import psycopg


class Transaction(NamedTuple):
    """How the server names a transaction."""

    id: str
    """``xid8``, as text."""
    timeline: str
    run: str
    """When the server was started, and when it discarded its statistics, as it does when it recovers from a crash."""


LIMITS = "SET LOCAL statement_timeout = 5000; SET LOCAL idle_in_transaction_session_timeout = 5000"
"""Milliseconds after which the server ends a transaction whose client is gone: it would not notice that for hours."""

_RUN = (
    "concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), "
    "extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()))"
)

BEGIN = f"""
BEGIN ISOLATION LEVEL READ COMMITTED; {LIMITS};
SELECT pg_current_xact_id()::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), {_RUN},
    pg_advisory_xact_lock({{lock}})
"""
"""Begins a transaction under a lock; the columns of `Transaction` are first in the row that the SELECT returns.

In the isolation level READ COMMITTED, each statement after it sees what was committed before the lock was acquired. In
REPEATABLE READ, the statements would see the state before the lock, and updates would fail.
"""

_STATUS = f"""
SELECT CASE
    WHEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) != %(timeline)s THEN NULL
    WHEN {_RUN} != %(run)s THEN 'over'
    ELSE pg_xact_status(%(id)s::xid8) END
"""
_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = %(id)s::xid8::xid"


def was_committed(connection: psycopg.Connection[Any], transaction: Transaction) -> bool | None:
    """Return whether a transaction was committed; None if that cannot be known yet, or from this server.

    After a restart it is False, whatever the outcome was. If it is still in progress, its session is terminated.
    """
    row = connection.execute(_STATUS, transaction._asdict()).fetchone()
    match row:
        case ("committed",):
            return True
        case ("aborted",) | ("over",):
            return False
        case ("in progress",):
            connection.execute(_TERMINATE, transaction._asdict())
    return None
