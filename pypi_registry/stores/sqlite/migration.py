"""Brings the file of an older version to the present schema, after a copy of it was made."""

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path

from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.sqlite.copies import copy_before_migration
from pypi_registry.stores.sqlite.failures import primary_code
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION, migrate, schema_version

_log = logging.getLogger("pypi_registry")


class CopyFailed(Exception):
    """There is no space, or no permission, for the copy that is made before a migration."""

    def __init__(self, path: str, version: int, reason: str) -> None:
        super().__init__(path, version, reason)
        self.path = path
        self.version = version
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the copy {self.path}.before-{self.version}, which is made before the migration, cannot be written: "
            f"{self.reason}; nothing was migrated"
        )


def migrate_file(connection: sqlite3.Connection, path: str) -> None:
    """Create the tables that are missing, in one transaction. A file of an older version is copied first.

    The copy is made while the write lock is held, so it has everything that the older version wrote. If the migration
    fails, the copy is deleted again: the file itself is unchanged. A migration is logged, as a warning, so that it is
    shown without a configuration of logging; the creation of a file is not.

    :raises StorageUnavailable: if the copy cannot be written; its cause is a `CopyFailed`.
    :raises UnknownSchema: if the file was created by a newer version of this package, or is not a catalogue.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = schema_version(connection, path)  # now under the lock: another process may have migrated the file
        copy = _copy(path, found) if 0 < found < SCHEMA_VERSION else None
        try:
            migrate(connection, path)
            connection.execute("COMMIT")
        except BaseException as error:
            # After an error of the disk in a commit, it is not known whether the file was migrated.
            if copy is not None and primary_code(error) != sqlite3.SQLITE_IOERR:
                with suppress(OSError):
                    copy.unlink()
            raise
        if copy is not None:
            message = "%s: migrated from schema version %d to %d; a copy of the older catalogue is %s"
            _log.warning(message, path, found, SCHEMA_VERSION, copy)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _copy(path: str, found: int) -> Path:
    try:
        return copy_before_migration(path, found)
    except (OSError, sqlite3.Error) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise StorageUnavailable("the catalogue cannot be copied before its migration") from CopyFailed(
            path, found, reason
        )
