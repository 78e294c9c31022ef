"""Which queries are known to match more packages than are counted."""

import sqlite3
from collections.abc import Hashable

_MAX_CACHED = 1_000


class FrequentQueries:
    """Caches that a query matched more than `MAX_TOTAL` packages, which stays true until packages are removed.

    Without the cache, a search for a frequent word finds that many packages each time: 10 to 30 ms.
    """

    def __init__(self) -> None:
        self._cached: dict[Hashable, int] = {}

    def has(self, connection: sqlite3.Connection, query: Hashable) -> bool:
        """Return whether the query is known to match more. The caller has begun a transaction."""
        return query in self._cached and self._cached[query] == _removals(connection)

    def add(self, connection: sqlite3.Connection, query: Hashable) -> None:
        """Cache that the query matched more, in the transaction of the caller.

        A query is small: `search_words` bounds its search for names, and it matched stored names and versions.
        """
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached[query] = _removals(connection)


def _removals(connection: sqlite3.Connection) -> int:
    [revision] = connection.execute("SELECT removals FROM list_revisions").fetchone()
    return int(revision)
