"""Which projects of a list have packages."""

import json
import sqlite3
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from pypi_registry.model import Projects

FEW = 100
"""Up to this number, projects are listed one by one; the functions here read none of their rows."""

_MAX_CACHED = 16  # each may hold the ids of all projects


@dataclass(frozen=True, slots=True)
class Selection:
    """The projects of a list."""

    ids: Collection[int]
    """If they were more than a few: only those that have packages."""
    is_everything: bool
    """Whether no other project has packages, by a number that other programs may change: never decides on access."""
    key: Hashable
    """`Projects.cache_key` of the projects."""

    @property
    def is_few(self) -> bool:
        """Whether they are listed one by one."""
        return len(self.ids) <= FEW

    @property
    def ids_as_json(self) -> str:
        """The ids as one parameter: SQLite has a limit for their number."""
        return json.dumps([*self.ids])

    def condition(self, connection: sqlite3.Connection, column: str) -> tuple[str, dict[str, int]]:
        """Return the condition that the id of a project is one of these, with the values of its parameters.

        It may use the SQL function ``is_wanted``, which this method then defines on the connection. That costs 20 µs or
        more, because SQLite prepares all statements again.
        """
        if self.is_everything:
            return "true", {}
        if len(self.ids) == 1:
            [id_] = self.ids
            return f"{column} = :project_id", {"project_id": id_}
        connection.create_function("is_wanted", 1, frozenset(self.ids).__contains__)
        return f"is_wanted({column})", {}


class Selections:
    """Selects the projects that have packages, perhaps from 100,000 projects.

    It caches selections until a project of the catalogue gets its first package or loses its last one. Without the
    cache, each list of a group reads the ids of all projects that have packages: 5 ms if they are 10,000.
    """

    def __init__(self) -> None:
        self._cached: dict[Hashable, tuple[int, Selection]] = {}

    def of(self, connection: sqlite3.Connection, projects: Projects) -> Selection:
        """Return those of the projects that have packages. The caller has begun a transaction."""
        if len(projects) <= FEW:
            return Selection(projects.ids, is_everything=False, key=projects.cache_key)
        [revision] = connection.execute("SELECT projects FROM list_revisions").fetchone()
        cached = self._cached.get(projects.cache_key)
        if cached is not None and cached[0] == revision:
            return cached[1]
        selection = _select(connection, projects)
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached[projects.cache_key] = revision, selection
        return selection


def _select(connection: sqlite3.Connection, projects: Projects) -> Selection:
    published = connection.execute("SELECT id FROM projects WHERE package_count > 0").fetchall()
    ids = frozenset(id_ for (id_,) in published if id_ in projects)
    return Selection(ids, is_everything=len(ids) == len(published), key=projects.cache_key)
