"""Lists of packages and of names: which index serves which list.

A list is read in one of three ways, none of which reads all packages if there are many:

- *Find* all packages that match, by an index, and sort them. If there are more than `MAX_TOTAL`, which the total would
  have to count anyway, they are frequent enough to walk. If they are many, their total is cached (`frequent.py`), and a
  page that is near the beginning is reached by a walk.
- *Walk* the index that has the order of the list, and skip packages that do not match. Long lists are walked from the
  nearer end. A deep page of a project with more than `MAX_TOTAL` packages among very many others costs the most.
- *By path*: skip whole projects by their number of packages, then sort the packages of the projects on the page.

Derived tables never decide which projects a caller may read: in the end, pages and names are filtered by the projects
of the caller, whatever a statement found.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from packaging.utils import NormalizedName

from pypi_registry.model import Package, PackageQuery, Projects
from pypi_registry.storage import MAX_TOTAL
from pypi_registry.stores._rows import PACKAGE, read_package
from pypi_registry.stores._search import MIN_CHARS_FOR_PARTIAL_MATCHING, search_words
from pypi_registry.stores.sqlite.frequent import MANY, FrequentQueries, FrequentQuery
from pypi_registry.stores.sqlite.selections import Selection

_SHALLOW = 1_000  # packages up to which a list is walked from its start without counting it

_INDEXES = {"created_at": "packages_by_age", "name": "packages_by_name", "version": "packages_by_version"}
"""By the column of a package by which a list is ordered: the index that has this order."""

_OF_PROJECTS = "json_each(:ids) j CROSS JOIN packages p ON p.project_id = j.value"
_FILTERED = "p.id, p.project_id, p.name, p.normalized_name, p.version"
"""The columns that the conditions of a list read."""

_OF_IDS = "json_each(:ids) j CROSS JOIN packages p ON p.id = j.value"


class _Filter(NamedTuple):
    """The packages that match a query."""

    condition: str
    """A condition on a package p; empty if all match."""
    source: str
    """Tables, with p among them, and a condition: the packages that match by one part of the query, by an index."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Which packages of a list a page shows."""

    offset: int
    limit: int

    @property
    def end(self) -> int:
        return self.offset + self.limit


def packages(
    connection: sqlite3.Connection,
    projects: Projects,
    selection: Selection,
    query: PackageQuery,
    frequent: FrequentQueries,
) -> tuple[Sequence[Package], int | None]:
    """Return a page of a list, and the total up to `MAX_TOTAL`. The caller has begun a transaction."""
    words = search_words(query.name)
    if words is None or not selection.ids:
        return [], 0
    page, total = _List(connection, selection, query, frequent).page(words)
    return [package for package in page if package.project_id in projects], total


def names(connection: sqlite3.Connection, selection: Selection) -> list[NormalizedName]:
    """Return the names that have a package in the projects, sorted."""
    if selection.is_few:
        statement = (
            "SELECT DISTINCT normalized_name FROM packages "
            "WHERE project_id IN (SELECT value FROM json_each(?)) ORDER BY normalized_name"
        )
        rows = connection.execute(statement, (selection.ids_as_json,))
    else:
        # Not the condition of the selection, which may leave the projects out
        connection.create_function("is_wanted", 1, frozenset(selection.ids).__contains__)
        rows = connection.execute(
            "SELECT DISTINCT name FROM project_revisions WHERE name > '' AND is_wanted(project_id) ORDER BY name"
        )
    return [name for (name,) in rows]


class _List:
    """One request for a page of a list."""

    def __init__(
        self, connection: sqlite3.Connection, selection: Selection, query: PackageQuery, frequent: FrequentQueries
    ) -> None:
        self._connection = connection
        self._selection = selection
        self._query = query
        self._frequent = frequent
        self._values: dict[str, Any] = {}

    def page(self, words: Sequence[str]) -> tuple[list[Package], int | None]:
        query = self._query
        window = _Window(query.offset, sys.maxsize if query.limit is None else query.limit)
        filter_ = self._filter(words)
        count = self._count(MAX_TOTAL)
        if filter_.condition:
            return self._matching(filter_, count, window)
        total = count if count <= MAX_TOTAL else None
        if total is not None and window.offset >= count:
            return [], total
        if query.order_by == "project_path":
            return self._by_path(window), total
        if total is not None and not self._selection.is_everything:
            return self._sorted(_OF_PROJECTS, window, ids=self._selection.ids_as_json), total
        return self._from_nearer_end(window), total

    # Without a filter

    def _count(self, at_most: int) -> int:
        """Return how many packages the projects have; if there are more than `at_most`, some number above it."""
        if self._selection.is_few:
            statement = "SELECT w.id, w.package_count FROM json_each(:ids) j JOIN projects w ON w.id = j.value"
            rows = self._rows(statement, ids=self._selection.ids_as_json)
        else:
            rows = self._rows("SELECT id, package_count FROM projects")
        count = 0
        for id_, package_count in rows:
            if id_ in self._selection.ids:
                count += package_count
                if count > at_most:
                    break
        return count

    def _from_nearer_end(self, window: _Window) -> list[Package]:
        """Walk from the end of the list that is nearer to the page."""
        if window.end <= _SHALLOW or window.offset == 0:
            return self._walk(window)
        count = self._count(sys.maxsize)
        limit = max(0, min(window.limit, count - window.offset))
        if window.offset <= count // 2:
            return self._walk(_Window(window.offset, limit))
        return self._walk(_Window(count - window.offset - limit, limit), backwards=True)[::-1]

    def _walk(self, window: _Window, condition: str = "true", *, backwards: bool = False) -> list[Package]:
        order = self._order(backwards=backwards)
        return self._packages(
            f"SELECT p.id FROM packages p INDEXED BY {_INDEXES[self._query.order_by]} "
            f"WHERE {self._wanted('p.project_id')} AND {condition} ORDER BY {order}",
            window,
        )

    def _by_path(self, window: _Window) -> list[Package]:
        """Skip whole projects; projects with the same path are taken together."""
        descending = "DESC" if self._query.descending else "ASC"
        if self._selection.is_few:
            rows = self._rows(
                "SELECT w.path, w.id, w.package_count FROM json_each(:ids) j JOIN projects w ON w.id = j.value "
                f"ORDER BY w.path {descending}",
                ids=self._selection.ids_as_json,
            )
        else:
            rows = self._rows(f"SELECT path, id, package_count FROM projects ORDER BY path {descending}")
        ids: list[int] = []
        last_path, skipped, reached = None, 0, 0
        for path, id_, package_count in rows:
            if id_ not in self._selection.ids:
                continue
            if path != last_path:
                if reached >= window.end:
                    break
                if reached <= window.offset:  # the page begins after the last path
                    ids, skipped = [], reached
            last_path = path
            ids.append(id_)
            reached += package_count
        return self._packages(
            "SELECT p.id FROM json_each(:ids) j CROSS JOIN projects w ON w.id = j.value "
            f"CROSS JOIN packages p ON p.project_id = w.id ORDER BY {self._path_order}",
            _Window(window.offset - skipped, window.limit),
            ids=json.dumps(ids),
        )

    # With a filter

    def _filter(self, words: Sequence[str]) -> _Filter:
        """Return the filter of the query, with the words of its search for names."""
        query, parts = self._query, list[tuple[str, str]]()
        if query.normalized_name is not None:
            self._values["normalized_name"] = query.normalized_name
            parts.append(
                (
                    "p.normalized_name = :normalized_name",
                    "project_revisions r CROSS JOIN packages p "
                    "ON p.project_id = r.project_id AND p.normalized_name = r.name WHERE r.name = :normalized_name",
                )
            )
        for number, word in enumerate(sorted(words, key=len, reverse=True)):
            parts.append(self._word(word, f"word{number}"))
        if query.version:
            self._values["version"] = query.version
            parts.append(("p.version = :version", "packages p WHERE p.version = :version"))
        return _Filter(" AND ".join(condition for condition, _ in parts), parts[0][1] if parts else "")

    def _word(self, word: str, parameter: str) -> tuple[str, str]:
        """Return the condition for one word of a search, and where packages that match it are found."""
        if len(word) < MIN_CHARS_FOR_PARTIAL_MATCHING:
            self._values[parameter] = json.dumps(_spellings(word))
            condition = f"p.name IN (SELECT value FROM json_each(:{parameter}))"
            return condition, f"packages p WHERE {condition}"
        self._values[parameter] = word
        self._values[f"{parameter}_match"] = _match(word)
        return (
            f"instr(lower(p.name), :{parameter})",
            f"(SELECT rowid AS id FROM name_search WHERE name_search MATCH :{parameter}_match "
            "UNION ALL SELECT id FROM names WHERE id > (SELECT name_id FROM name_search_end)) s "
            f"CROSS JOIN names n ON n.id = s.id AND instr(lower(n.name), :{parameter}) "
            "CROSS JOIN packages p ON p.name = n.name WHERE true",
        )

    def _matching(self, filter_: _Filter, count: int, window: _Window) -> tuple[list[Package], int | None]:
        key = (self._selection.key, filter_.condition, *self._values.values())
        known = self._frequent.get(self._connection, key, lambda last_id: self._count_after(last_id, filter_))
        values: dict[str, str] = {}
        if count <= MAX_TOTAL:
            source, values["ids"] = f"{_OF_PROJECTS} WHERE {filter_.condition}", self._selection.ids_as_json
        else:
            source = f"{filter_.source} AND {self._wanted('p.project_id')} AND {filter_.condition}"
        if known is not None:
            page = self._frequent_page(filter_, known, window)
            total = None if known.total > MAX_TOTAL else known.total
            return self._sorted(source, window, **values) if page is None else page, total
        rows = self._rows(f"SELECT p.id FROM {source} LIMIT {MAX_TOTAL + 1}", **values).fetchall()
        if len(rows) > min(MAX_TOTAL, MANY):
            self._frequent.add(self._connection, key, len(rows))
        if len(rows) > MAX_TOTAL:
            return self._walk_filtered(filter_, window), None
        return self._sorted(_OF_IDS, window, ids=json.dumps([id_ for (id_,) in rows])), len(rows)

    def _count_after(self, last_id: int, filter_: _Filter) -> int:
        statement = (
            "SELECT count(*) FROM packages p "
            f"WHERE p.id > :last_id AND {self._wanted('p.project_id')} AND {filter_.condition}"
        )
        [count] = self._rows(statement, last_id=last_id).fetchone()
        return int(count)

    def _frequent_page(self, filter_: _Filter, query: FrequentQuery, window: _Window) -> list[Package] | None:
        """Walk to a page if that passes fewer packages than match; None if it does not."""
        if query.total > MAX_TOTAL:
            return self._walk_filtered(filter_, window)
        # If the matches are spread evenly, a walk to the end of the page passes so many packages. If they are not,
        # the walk ends where a sort is cheaper.
        if window.end * query.last_id > query.total**2:
            return None
        page = self._walk_filtered(filter_, window, at_most=query.total)
        return page if len(page) == max(0, min(window.limit, query.total - window.offset)) else None

    def _sorted(self, source: str, window: _Window, **values: str) -> list[Package]:
        """Sort all packages p of a source."""
        if self._query.order_by != "project_path":
            return self._packages(f"SELECT p.id FROM {source} ORDER BY {self._order()}", window, **values)
        return self._packages(
            f"SELECT p.id FROM (SELECT p.id, p.project_id FROM {source}) p JOIN projects w ON w.id = p.project_id "
            f"ORDER BY {self._path_order}",
            window,
            **values,
        )

    def _walk_filtered(self, filter_: _Filter, window: _Window, at_most: int | None = None) -> list[Package]:
        """Walk, and skip what does not match; end after `at_most` packages, matching or not."""
        if self._query.order_by == "project_path":
            walked = "projects w INDEXED BY projects_by_path CROSS JOIN packages p ON p.project_id = w.id"
            order = self._path_order
        else:
            walked = f"packages p INDEXED BY {_INDEXES[self._query.order_by]}"
            order = self._order()
        condition = f"{self._wanted('p.project_id')} AND {filter_.condition}"
        if at_most is None:
            return self._packages(f"SELECT p.id FROM {walked} WHERE {condition} ORDER BY {order}", window)
        # The outer SELECT keeps the order of the inner one: SQLite runs it as a coroutine
        nearest = f"SELECT {_FILTERED} FROM {walked} ORDER BY {order} LIMIT {at_most}"
        return self._packages(f"SELECT p.id FROM ({nearest}) p WHERE {condition}", window)

    # Statements

    def _wanted(self, column: str) -> str:
        """Return the condition that the id of a project is one of the list."""
        condition, values = self._selection.condition(self._connection, column)
        self._values |= values
        return condition

    def _order(self, *, backwards: bool = False) -> str:
        direction = "DESC" if self._query.descending != backwards else "ASC"
        return f"p.{self._query.order_by} {direction}, p.id {direction}"

    @property
    def _path_order(self) -> str:
        direction = "DESC" if self._query.descending else "ASC"
        return f"w.path {direction}, p.id {direction}"

    def _rows(self, statement: str, **values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, self._values | values)

    def _packages(self, statement: str, window: _Window, **values: object) -> list[Package]:
        """Return the packages of the page, given the statement for the ids of the whole list in their order."""
        values |= {"limit": window.limit, "offset": window.offset}
        page = self._rows(f"{statement} LIMIT :limit OFFSET :offset", **values)
        found = [id_ for (id_,) in page]
        rows = self._connection.execute(
            f"SELECT {PACKAGE} FROM json_each(?) j CROSS JOIN packages p ON p.id = j.value", (json.dumps(found),)
        )
        by_id = {row[0]: read_package(*row) for row in rows}
        return [by_id[id_] for id_ in found]


def _spellings(word: str) -> list[str]:
    """Return a word of one or two characters in upper and lower case.

    >>> _spellings("a1")
    ['a1', 'A1']
    """
    cases = product(*(dict.fromkeys((letter, letter.upper())) for letter in word))
    return ["".join(letters) for letters in cases]


def _match(word: str) -> str:
    """Return the FTS5 query for the names that contain four trigrams of a word, evenly spread.

    More of them would exclude few names, and each costs as much as the first one.

    >>> _match("abcdefgh")
    '"abc" AND "bcd" AND "def" AND "fgh"'
    """
    starts = dict.fromkeys(number * (len(word) - 3) // 3 for number in range(4))
    return " AND ".join('"{}"'.format(word[start : start + 3].replace('"', '""')) for start in starts)
