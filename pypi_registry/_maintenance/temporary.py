"""A temporary database for data that would be too large for memory: it joins and sorts the rows of a registry.

SQLite deletes its file when the connection is closed; another program never sees it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from pypi_registry.errors import RegistryError


class NoTemporarySpace(RegistryError):
    """The temporary database cannot be written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the temporary file cannot be written: {self.reason}; set SQLITE_TMPDIR to a folder with more space"


class TemporaryDatabase:
    """A database that is deleted when it is closed. Used by one thread.

    :param tables: the statements that create its tables.
    """

    def __init__(self, tables: str) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # an empty name is a temporary file
        self._database.execute("PRAGMA cache_size = -16384")  # KiB; the only part of it in memory
        self._database.execute("PRAGMA temp_store = FILE")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.executescript(tables)
        self._database.execute("BEGIN")  # one transaction: nothing of it must survive

    def close(self) -> None:
        self._database.close()

    def insert(self, table: str, *values: object) -> None:
        """Insert a row, or replace the one with its primary key."""
        marks = ", ".join("?" * len(values))
        self.write(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)

    def write(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that writes.

        :raises NoTemporarySpace: if there is no space.
        """
        try:
            self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise NoTemporarySpace(str(error)) from error

    def read(self, statement: str, values: Sequence[object] = ()) -> Iterator[Any]:
        """Yield the rows that a statement selects."""
        return self._database.execute(statement, values)

    def value(self, statement: str, values: Sequence[object] = ()) -> int:
        """Return the only number that a statement selects."""
        [[number]] = self._database.execute(statement, values)
        return int(number)
