"""Translates errors of PostgreSQL to errors of the contract, and decides when a transaction is tried again."""

import logging
from collections.abc import Mapping

import psycopg
from psycopg_pool import PoolTimeout

from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable

_log = logging.getLogger("pypi_registry")

AWAY = "the database of the catalogue does not answer"

# By SQLSTATE, or its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_REASONS: Mapping[str, str] = {
    "08": AWAY,
    "57P": AWAY,  # it is shut down, or starts
    "3D": AWAY,  # there is no such database now
    "28": "the database of the catalogue refuses the user of this program",
    "42501": "the user of this program may not use the tables of the catalogue",
    "25006": "the database of the catalogue is read-only",
    "40": "the catalogue is busy",
    "55P03": "the catalogue is busy",
    "57014": "the catalogue is busy",  # a statement was cancelled, by its time limit or by an administrator
    "53": "the database of the catalogue lacks memory or connections",
    "58": "the database of the catalogue cannot read or write its files",
    "XX001": "the catalogue is damaged",
    "XX002": "the catalogue is damaged",
}
_FULL = "53100"
_LOGGED = ("28", "42501", "53", "58", "XX")

# After these errors a transaction was not committed, and may succeed on another connection, or after the transaction
# with which it was in conflict.
_TRANSIENT = ("08", "57P", "25006", "40001", "40P01")
_UNKNOWN = ("08007", "40003")  # PostgreSQL's own names: transaction resolution, or statement completion, unknown


def is_transient(error: BaseException) -> bool:
    """Return whether a transaction that failed before its COMMIT may succeed if it is tried again."""
    if isinstance(error, PoolTimeout) or not isinstance(error, psycopg.Error):
        return False
    return _is_without_answer(error) or (error.sqlstate or "").startswith(_TRANSIENT)


def is_in_doubt(error: psycopg.Error, connection: psycopg.Connection) -> bool:
    """Return whether a COMMIT that failed with this error may have committed: the server did not refuse it."""
    return _is_without_answer(error) or connection.closed or error.sqlstate in _UNKNOWN


def translated(error: BaseException | None) -> RegistryError | None:
    """Return the error of the contract for an error of psycopg; None if it must pass through.

    Its sentence contains no text of psycopg, which may name hosts and users.
    """
    if not isinstance(error, psycopg.Error):
        return None
    if _is_without_answer(error):
        return StorageUnavailable(AWAY)
    state = error.sqlstate or ""
    if state == _FULL:
        return StorageFull()
    for length in (5, 3, 2):
        if state[:length] in _REASONS:
            if state.startswith(_LOGGED):
                _log.error("%s: %s", _REASONS[state[:length]], error)
            return StorageUnavailable(_REASONS[state[:length]])
    return None


def _is_without_answer(error: psycopg.Error) -> bool:
    """Return whether libpq or psycopg raised an error itself: the connection was lost, or the time was up."""
    return error.sqlstate is None and isinstance(error, psycopg.OperationalError)
