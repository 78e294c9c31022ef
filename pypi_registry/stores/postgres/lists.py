"""Lists of packages and of names: which index serves which list.

A list is read in one of four ways, none of which reads all packages if there are many:

- *Merge* the first packages of each project, if the projects are few: an index per project has each order.
- *Walk* the index of all packages that has the order, and skip those of other projects; from the nearer end.
- *By path*: skip whole projects by their number of packages, then sort the packages of the projects on the page.
- *Find* at most `MAX_TOTAL` packages that match a filter, by its index, and sort them. If there are more, they are
  frequent enough to walk.

PostgreSQL chooses the indexes; the statements leave it no choice that depends on an estimate, and sequential scans are
disabled in the transaction.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import psycopg
from packaging.utils import NormalizedName

from pypi_registry.model import Package, PackageQuery
from pypi_registry.storage import MAX_TOTAL
from pypi_registry.stores._rows import PACKAGE, read_package
from pypi_registry.stores._search import MIN_CHARS_FOR_PARTIAL_MATCHING, search_words
from pypi_registry.stores.postgres.selections import Selection

_MAX_LIMIT = 2**63 - 1  # of int8
_OF_PROJECTS = "p.project_id = ANY(%(ids)s)"
# Conditions on an expression that no index has: PostgreSQL must use the index that the statement is about.
_OF_PROJECTS_BY_NO_INDEX = "p.project_id + 0 = ANY(%(ids)s)"


def packages(
    connection: psycopg.Connection[Any], selection: Selection, query: PackageQuery
) -> tuple[Sequence[Package], int | None]:
    """Return a page of a list, and the total up to `MAX_TOTAL`. The caller has begun a snapshot transaction."""
    words = search_words(query.name)
    if words is None or not selection.ids:
        return [], 0
    return _List(connection, selection, query).page(words)


def names(connection: psycopg.Connection[Any], selection: Selection) -> list[NormalizedName]:
    """Return the names that have a package in the projects, sorted."""
    statement = "SELECT DISTINCT name FROM project_revisions WHERE project_id = ANY(%s) AND name > '' ORDER BY name"
    return [name for (name,) in connection.execute(statement, (selection.ids,))]


@dataclass(frozen=True, slots=True)
class _Window:
    """Which packages of a list a page shows."""

    offset: int
    limit: int

    @property
    def end(self) -> int:
        return min(self.offset + self.limit, _MAX_LIMIT)


class _Filter(NamedTuple):
    """The packages that match one part of a query."""

    condition: str
    """A condition on a package p, for which PostgreSQL can use no index, except that of a name in a project."""
    source: str
    """Tables, with p among them, and a condition: at least the packages that match, by an index."""


class _List:
    """One request for a page of a list."""

    def __init__(self, connection: psycopg.Connection[Any], selection: Selection, query: PackageQuery) -> None:
        self._connection = connection
        self._selection = selection
        self._query = query
        self._values: dict[str, Any] = {"ids": selection.ids}

    def page(self, words: Sequence[str]) -> tuple[list[Package], int | None]:
        query = self._query
        window = _Window(query.offset, sys.maxsize if query.limit is None else query.limit)
        count = self._count()
        if filters := self._filters(words):
            return self._matching(filters, count, window)
        total = count if count <= MAX_TOTAL else None
        if window.offset >= count:
            return [], total
        if query.order_by == "project_path":
            return self._by_path(window), total
        if self._selection.is_few:
            return self._merged(window), total
        if total is not None:
            return self._sorted(window), total
        return self._from_nearer_end(window, count), total

    # Without a filter

    def _count(self) -> int:
        statement = "SELECT coalesce(sum(package_count), 0)::int8 FROM projects WHERE id = ANY(%(ids)s)"
        [[count]] = self._rows(statement)
        return int(count)

    def _merged(self, window: _Window, condition: str = "true") -> list[Package]:
        order = self._order()
        return self._packages(
            f"SELECT p.id FROM unnest(%(ids)s::int8[]) j(id) CROSS JOIN LATERAL (SELECT p.id, p.{self._query.order_by} "
            f"FROM packages p WHERE p.project_id = j.id AND {condition} ORDER BY {order} LIMIT %(end)s) p "
            f"ORDER BY {order}",
            window,
            end=window.end,
        )

    def _sorted(self, window: _Window) -> list[Package]:
        return self._packages(
            f"WITH p AS MATERIALIZED (SELECT p.id, p.{self._query.order_by} FROM packages p WHERE {_OF_PROJECTS}) "
            f"SELECT p.id FROM p ORDER BY {self._order()}",
            window,
        )

    def _from_nearer_end(self, window: _Window, count: int) -> list[Package]:
        """Walk from the end of the list that is nearer to the page."""
        limit = min(window.limit, count - window.offset)
        if window.offset <= count // 2:
            return self._walk(_Window(window.offset, limit))
        return self._walk(_Window(count - window.offset - limit, limit), backwards=True)[::-1]

    def _walk(self, window: _Window, condition: str = "true", *, backwards: bool = False) -> list[Package]:
        order = self._order(backwards=backwards)
        return self._packages(
            f"SELECT p.id FROM packages p WHERE {_OF_PROJECTS_BY_NO_INDEX} AND {condition} ORDER BY {order}", window
        )

    def _by_path(self, window: _Window) -> list[Package]:
        """Skip whole projects; projects with the same path are sorted together."""
        direction = self._direction()
        statement = (
            "SELECT id, before FROM (SELECT id, sum(package_count) OVER by_path AS reached, sum(package_count) OVER "
            "by_path - sum(package_count) OVER (PARTITION BY path) AS before FROM projects WHERE id = ANY(%(ids)s) "
            f"WINDOW by_path AS (ORDER BY path {direction})) w WHERE reached > %(offset)s AND before < %(end)s"
        )
        rows = self._rows(statement, offset=window.offset, end=window.end).fetchall()
        if not rows:
            return []
        skipped = int(min(before for _, before in rows))
        return self._packages(
            "SELECT p.id FROM packages p JOIN projects w ON w.id = p.project_id WHERE p.project_id = ANY(%(on_page)s) "
            f"ORDER BY w.path {direction}, p.id {direction}",
            _Window(window.offset - skipped, window.limit),
            on_page=[id_ for id_, _ in rows],
        )

    # With a filter

    def _filters(self, words: Sequence[str]) -> list[_Filter]:
        """Return the filters of the query, the one that matches the fewest packages first."""
        query, filters = self._query, list[_Filter]()
        if query.normalized_name is not None:
            self._values["normalized_name"] = query.normalized_name
            condition = "p.normalized_name = %(normalized_name)s"
            filters.append(
                _Filter(
                    condition,
                    "project_revisions r JOIN packages p ON p.project_id = r.project_id AND p.normalized_name = r.name "
                    "WHERE r.name = %(normalized_name)s",
                )
            )
        for number, word in enumerate(sorted(words, key=len, reverse=True)):
            filters.append(self._word(word, f"word{number}"))
        if query.version:
            self._values["version"] = query.version
            filters.append(_Filter("p.version || '' = %(version)s", "packages p WHERE p.version = %(version)s"))
        return filters

    def _word(self, word: str, parameter: str) -> _Filter:
        """Return the filter for one word of a search."""
        if len(word) < MIN_CHARS_FOR_PARTIAL_MATCHING:
            self._values[parameter] = _spellings(word)
            return _Filter(f"p.name || '' = ANY(%({parameter})s)", f"packages p WHERE p.name = ANY(%({parameter})s)")
        self._values[parameter] = word
        self._values[f"{parameter}_trigrams"] = _trigrams(word)
        return _Filter(
            f"strpos(lower(p.name), %({parameter})s) > 0",
            f"packages p WHERE name_trigrams(p.name) @> %({parameter}_trigrams)s::text[]",
        )

    def _matching(self, filters: Sequence[_Filter], count: int, window: _Window) -> tuple[list[Package], int | None]:
        """Find the packages that match, and sort them; walk if they are too many to count."""
        condition = " AND ".join(filter_.condition for filter_ in filters)
        if count <= MAX_TOTAL:
            source = f"packages p WHERE {_OF_PROJECTS} AND {condition}"
        else:
            source = f"{filters[0].source} AND {_OF_PROJECTS_BY_NO_INDEX} AND {condition}"
        by_path = self._query.order_by == "project_path"
        key = "project_id" if by_path else self._query.order_by
        join = "JOIN projects w ON w.id = p.project_id" if by_path else ""
        [[total, ids]] = self._rows(
            f"WITH p AS MATERIALIZED (SELECT p.id, p.{key} FROM {source} LIMIT {MAX_TOTAL + 1}) "
            "SELECT (SELECT count(*) FROM p), "
            f"array(SELECT p.id FROM p {join} ORDER BY {self._order()} LIMIT %(limit)s OFFSET %(offset)s)",
            limit=window.limit,
            offset=window.offset,
        )
        if total <= MAX_TOTAL:
            return self._read(ids), int(total)
        if by_path:
            return self._walk_by_path(window, condition), None
        return self._merged(window, condition) if self._selection.is_few else self._walk(window, condition), None

    def _walk_by_path(self, window: _Window, condition: str) -> list[Package]:
        """Read one project after the other. The subqueries keep their order, so that the last sort is incremental."""
        direction = self._direction()
        return self._packages(
            f"SELECT p.id FROM (SELECT id, path FROM projects WHERE id = ANY(%(ids)s) ORDER BY path {direction} "
            "OFFSET 0) w CROSS JOIN LATERAL (SELECT p.id FROM packages p WHERE p.project_id = w.id "
            f"AND {condition} OFFSET 0) p ORDER BY w.path {direction}, p.id {direction}",
            window,
        )

    # Statements

    def _direction(self, *, backwards: bool = False) -> str:
        return "DESC" if self._query.descending != backwards else "ASC"

    def _order(self, *, backwards: bool = False) -> str:
        direction = self._direction(backwards=backwards)
        column = "w.path" if self._query.order_by == "project_path" else f"p.{self._query.order_by}"
        return f"{column} {direction}, p.id {direction}"

    def _rows(self, statement: str, **values: object) -> psycopg.Cursor[Any]:
        return self._connection.execute(statement, self._values | values)

    def _packages(self, statement: str, window: _Window, **values: object) -> list[Package]:
        """Return the packages of the page, given the statement for the ids of the whole list in their order."""
        values |= {"limit": window.limit, "offset": window.offset}
        page = self._rows(f"{statement} LIMIT %(limit)s OFFSET %(offset)s", **values)
        return self._read([id_ for (id_,) in page])

    def _read(self, ids: Sequence[int]) -> list[Package]:
        """Read only the rows of the page: whole rows are longer than the columns that the order needs."""
        rows = self._connection.execute(f"SELECT {PACKAGE} FROM packages p WHERE p.id = ANY(%s)", ([*ids],))
        by_id = {row[0]: read_package(*row) for row in rows}
        return [by_id[id_] for id_ in ids]


def _spellings(word: str) -> list[str]:
    """Return a word of one or two characters in upper and lower case.

    >>> _spellings("a1")
    ['a1', 'A1']
    """
    cases = product(*(dict.fromkeys((letter, letter.upper())) for letter in word))
    return ["".join(letters) for letters in cases]


def _trigrams(word: str) -> list[str]:
    """Return four trigrams of a word, evenly spread: more of them would exclude few names.

    >>> _trigrams("abcdefgh")
    ['abc', 'bcd', 'def', 'fgh']
    """
    starts = dict.fromkeys(number * (len(word) - 3) // 3 for number in range(4))
    return [word[start : start + 3] for start in starts]
