"""Translates errors of SQLite to errors of the contract."""

import logging
import sqlite3
from collections.abc import Mapping

from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable

_log = logging.getLogger("pypi_registry")

ERRORS = (sqlite3.Error, MemoryError)
"""What Python raises for an error of SQLite; `MemoryError` for ``SQLITE_NOMEM``."""

# By the primary result code: https://sqlite.org/rescode.html
_REASONS: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "the catalogue is busy",
    sqlite3.SQLITE_LOCKED: "the catalogue is busy",
    sqlite3.SQLITE_PROTOCOL: "the catalogue is busy",
    sqlite3.SQLITE_READONLY: "the catalogue is read-only",
    sqlite3.SQLITE_IOERR: "the catalogue cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "the catalogue cannot be read or written",
    sqlite3.SQLITE_PERM: "the catalogue cannot be read or written",
    sqlite3.SQLITE_CORRUPT: "the catalogue is damaged",
    sqlite3.SQLITE_NOTADB: "the catalogue is damaged",
    sqlite3.SQLITE_NOMEM: "there is no memory for the catalogue",
}
_LOGGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}


def primary_code(error: BaseException | None) -> int:
    """Return the primary result code of an error of SQLite; 0 (``SQLITE_OK``) if it is another error."""
    if isinstance(error, MemoryError):
        return sqlite3.SQLITE_NOMEM
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translated(error: BaseException | None) -> RegistryError | None:
    """Return the error of the contract for an error of SQLite; None if it must pass through."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull()
    if code not in _REASONS:
        return None
    if code in _LOGGED:
        _log.error("%s: %s", _REASONS[code], error)
    return StorageUnavailable(_REASONS[code])
