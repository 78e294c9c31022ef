"""Lists of packages and of names: which index serves which list.

A list is read in one of four ways, none of which reads all packages if there are many:

- *Walk* an index that has the order of the list, and skip packages of other projects. Long lists are walked from the
  nearer end. For one project there are indexes of its own.
- *Merge* the first packages of each project, if there are few projects.
- *By path*: skip whole projects by their number of packages, then sort the packages of the projects on the page.
- *Find* all packages that match the query by the index that promises the fewest, and sort them. If there are more than
  `MAX_TOTAL`, which the total would have to count anyway, they are frequent enough to walk.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from packaging.utils import NormalizedName

from pypi_registry.model import Package, PackageQuery
from pypi_registry.storage import MAX_TOTAL
from pypi_registry.stores.sqlite.frequent import FrequentQueries
from pypi_registry.stores.sqlite.rows import PACKAGE, read_package
from pypi_registry.stores.sqlite.selections import Selection

_SHALLOW = 1_000  # packages that are read from each of few projects

# GitLab, lib/gitlab/sql/pattern.rb: MIN_CHARS_FOR_PARTIAL_MATCHING = 3
_MIN_CHARS_FOR_PARTIAL_MATCHING = 3

# The columns of a package by which a list is ordered, with the indexes that have this order
_INDEXES = {
    "created_at": ("packages_by_age", "project_packages_by_age"),
    "name": ("packages_by_name", "project_packages_by_name"),
    "version": ("packages_by_version", "project_packages_by_version"),
}


class _Filter(NamedTuple):
    """The packages that match a query."""

    condition: str
    """A condition on a package p; empty if all match."""
    source: str
    """Tables, with p among them, and a condition: the packages that match by one part of the query, by an index."""


def packages(
    connection: sqlite3.Connection, selection: Selection, query: PackageQuery, frequent: FrequentQueries
) -> tuple[Sequence[Package], int | None]:
    """Return a page of a list, and the total up to `MAX_TOTAL`. The caller has begun a transaction."""
    return _List(connection, selection, query, frequent).page()


def names(connection: sqlite3.Connection, selection: Selection) -> list[NormalizedName]:
    """Return the names that have a package in the projects, sorted."""
    if selection.is_few:
        statement = (
            "SELECT DISTINCT normalized_name FROM packages "
            "WHERE project_id IN (SELECT value FROM json_each(?)) ORDER BY normalized_name"
        )
        rows = connection.execute(statement, (selection.ids_as_json,))
    else:
        selection.register(connection)
        statement = (
            f"SELECT DISTINCT name FROM project_revisions WHERE name > '' AND {selection.condition('project_id')} "
            "ORDER BY name"
        )
        rows = connection.execute(statement)
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
        self._offset, self._limit = query.offset, sys.maxsize if query.limit is None else query.limit
        self._values: dict[str, Any] = {}
        if len(selection.ids) == 1:
            [self._values["project_id"]] = selection.ids

    def page(self) -> tuple[list[Package], int | None]:
        filter_ = self._filter()
        if filter_ is None or not self._selection.ids:
            return [], 0
        count = self._count(MAX_TOTAL)
        if filter_.condition:
            return self._matching(filter_, count)
        total = count if count <= MAX_TOTAL else None
        if self._offset >= count and total is not None:
            return [], total
        if self._query.order_by == "project_path":
            return self._by_path(), total
        return self._by_column(count), total

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

    def _by_column(self, count: int) -> list[Package]:
        """Merge or walk, from the end of the list that is nearer to the page."""
        backwards = False
        if self._offset + self._limit > _SHALLOW and self._offset > 0:
            count = self._count(sys.maxsize)
            self._limit = max(0, min(self._limit, count - self._offset))
            backwards = self._offset > count // 2
        if backwards:
            self._offset = count - self._offset - self._limit
        order = self._order("{}", descending=self._query.descending != backwards)
        is_few = self._selection.is_few and len(self._selection.ids) > 1
        if is_few and (count <= MAX_TOTAL or self._offset + self._limit <= _SHALLOW):
            page = self._merge(order)
        else:
            page = self._walk(order)
        return page[::-1] if backwards else page

    def _merge(self, order: str) -> list[Package]:
        end = min(self._offset + self._limit, sys.maxsize)
        _, index = _INDEXES[self._query.order_by]
        first = f"SELECT f.id FROM packages f INDEXED BY {index} WHERE f.project_id = j.value"
        return self._packages(
            f"SELECT p.id FROM json_each(:ids) j CROSS JOIN packages p "
            f"ON p.id IN ({first} ORDER BY {order.format('f', 'f')} LIMIT :end) ORDER BY {order.format('p', 'p')}",
            ids=self._selection.ids_as_json,
            end=end,
        )

    def _walk(self, order: str, condition: str = "true") -> list[Package]:
        of_all, of_project = _INDEXES[self._query.order_by]
        index = of_project if len(self._selection.ids) == 1 and not self._selection.is_everything else of_all
        return self._packages(
            f"SELECT p.id FROM packages p INDEXED BY {index} WHERE {condition} AND "
            f"{self._wanted('p.project_id')} ORDER BY {order.format('p', 'p')}"
        )

    def _by_path(self) -> list[Package]:
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
                if reached >= self._offset + self._limit:
                    break
                if reached <= self._offset:  # the page begins after the last path
                    ids, skipped = [], reached
            last_path = path
            ids.append(id_)
            reached += package_count
        self._offset -= skipped
        return self._packages(
            "SELECT p.id FROM json_each(:ids) j CROSS JOIN projects w ON w.id = j.value "
            f"CROSS JOIN packages p ON p.project_id = w.id ORDER BY {self._path_order}",
            ids=json.dumps(ids),
        )

    # With a filter

    def _filter(self) -> _Filter | None:
        """Return what the query looks for; None if no package can match."""
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
        if not query.name.isascii() or "\0" in query.name:  # names of packages are ASCII
            return None
        words = [*dict.fromkeys(query.name.lower().split())]
        for number, word in enumerate(sorted(words, key=len, reverse=True)):
            parts.append(self._word(word, f"word{number}"))
        if query.version:
            self._values["version"] = query.version
            parts.append(("p.version = :version", "packages p WHERE p.version = :version"))
        return _Filter(" AND ".join(condition for condition, _ in parts), parts[0][1] if parts else "")

    def _word(self, word: str, parameter: str) -> tuple[str, str]:
        """Return the condition that a word of a search is, and where packages that match it are found."""
        if len(word) < _MIN_CHARS_FOR_PARTIAL_MATCHING:
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

    def _matching(self, filter_: _Filter, count: int) -> tuple[list[Package], int | None]:
        values, key = {}, (self._selection.key, filter_.condition, *self._values.values())
        if self._frequent.has(self._connection, key):
            return self._walk_filtered(filter_), None
        if count <= MAX_TOTAL:  # no index can promise fewer rows for certain
            values["ids"] = self._selection.ids_as_json
            source = "json_each(:ids) j CROSS JOIN packages p ON p.project_id = j.value WHERE true"
        else:
            source = f"{filter_.source} AND {self._wanted('p.project_id')}"
        rows = self._rows(
            f"SELECT p.id FROM {source} AND {filter_.condition} LIMIT {MAX_TOTAL + 1}", **values
        ).fetchall()
        if len(rows) > MAX_TOTAL:
            self._frequent.add(self._connection, key)
            return self._walk_filtered(filter_), None
        order, join = self._order("p", descending=self._query.descending), ""
        if self._query.order_by == "project_path":
            order, join = self._path_order, "JOIN projects w ON w.id = p.project_id"
        found = f"SELECT p.id FROM json_each(:ids) j CROSS JOIN packages p ON p.id = j.value {join} ORDER BY {order}"
        return self._packages(found, ids=json.dumps([id_ for (id_,) in rows])), len(rows)

    def _walk_filtered(self, filter_: _Filter) -> list[Package]:
        if self._query.order_by != "project_path":
            return self._walk(self._order("{}", descending=self._query.descending), filter_.condition)
        return self._packages(
            "SELECT p.id FROM projects w INDEXED BY projects_by_path CROSS JOIN packages p ON p.project_id = w.id "
            f"WHERE {self._wanted('w.id')} AND {filter_.condition} ORDER BY {self._path_order}"
        )

    # Statements

    def _wanted(self, column: str) -> str:
        """Return a condition on the id of a project, after the function that it uses was defined."""
        self._selection.register(self._connection)  # 20 µs or more, because SQLite prepares all statements again
        return self._selection.condition(column)

    def _order(self, table: str, *, descending: bool) -> str:
        direction = "DESC" if descending else "ASC"
        return f"{table}.{self._query.order_by} {direction}, {table}.id {direction}"

    @property
    def _path_order(self) -> str:
        direction = "DESC" if self._query.descending else "ASC"
        return f"w.path {direction}, p.id {direction}"

    def _rows(self, statement: str, **values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, self._values | values)

    def _packages(self, statement: str, **values: object) -> list[Package]:
        """Return the packages of the page, given the statement for the ids of the whole list in their order."""
        page = self._rows(f"{statement} LIMIT :limit OFFSET :offset", limit=self._limit, offset=self._offset, **values)
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
