"""How many packages match a query that matches many."""

import sqlite3
from collections.abc import Callable, Hashable
from typing import NamedTuple

MANY = 1_000
"""If a query matches more packages, its total is cached. After this many new packages, it is computed again."""

_MAX_CACHED = 1_000


class FrequentQuery(NamedTuple):
    """A query that matches many packages."""

    total: int
    """How many packages it matches; if they are more than `MAX_TOTAL`, any number above it."""
    last_id: int
    """The highest id of all packages, so there are not more packages than this number."""
    removals: Hashable
    """Changes when packages are removed or changed."""


class FrequentQueries:
    """Caches the totals of queries that match many packages.

    A total is valid until packages are removed or changed; added packages are counted. Without the cache, a
    search for a frequent word finds all packages that match it each time: 10 to 30 ms.
    """

    def __init__(self) -> None:
        self._cached: dict[Hashable, FrequentQuery] = {}

    def get(
        self, connection: sqlite3.Connection, query: Hashable, count_after: Callable[[int], int]
    ) -> FrequentQuery | None:
        """Return a query with its present total; None if it must be computed. The caller has begun a transaction.

        :param count_after: counts the packages that match and have a greater id than this one.
        """
        cached = self._cached.get(query)
        if cached is None:
            return None
        removals, last_id = _state(connection)
        if removals != cached.removals or last_id - cached.last_id > MANY:
            return None
        if last_id > cached.last_id:
            cached = FrequentQuery(cached.total + count_after(cached.last_id), last_id, removals)
            self._cached[query] = cached
        return cached

    def add(self, connection: sqlite3.Connection, query: Hashable, total: int) -> None:
        """Cache the total of a query, in the transaction of the caller.

        A query is small: `search_words` bounds its search for names, and it matched stored names and versions.
        """
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        removals, last_id = _state(connection)
        self._cached[query] = FrequentQuery(total, last_id, removals)


def _state(connection: sqlite3.Connection) -> tuple[Hashable, int]:
    """Return what changes when packages are removed or changed, and the highest id.

    SQLite's backup API, by which ``.restore`` of the program ``sqlite3`` works, increments the schema version of the
    database that it writes into. Then there may be fewer packages, with the same revision as at the time of the backup.
    """
    removals, version, last_id = connection.execute(
        "SELECT removals, (SELECT schema_version FROM pragma_schema_version), "
        "(SELECT ifnull(max(id), 0) FROM packages) FROM list_revisions"
    ).fetchone()
    return (removals, version), last_id
