"""Which projects of a list have packages."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from pypi_registry.model import Projects

FEW = 100
"""Up to this number, projects are listed one by one."""

_MAX_CACHED = 16  # each may hold the ids of 100,000 projects

_REVISIONS = "SELECT root, revision FROM root_revisions WHERE name = '' AND root = ANY(%s) ORDER BY root"
_WITH_PACKAGES = "SELECT id FROM projects WHERE id = ANY(%s) AND package_count > 0"


@dataclass(frozen=True, slots=True)
class Selection:
    """The projects of a list."""

    ids: Sequence[int]
    """If they were more than a few: only those that have packages."""

    @property
    def is_few(self) -> bool:
        """Whether they are listed one by one."""
        return len(self.ids) <= FEW


class Selections:
    """Selects the projects that have packages, perhaps from 100,000 projects.

    It caches selections until an index changes in one of the root groups. Without the cache, each list of a group sends
    the ids of all its projects and reads their rows.
    """

    def __init__(self) -> None:
        self._cached: dict[Hashable, tuple[Hashable, Selection]] = {}

    def of(self, connection: psycopg.Connection[Any], projects: Projects) -> Selection:
        """Return those of the projects that have packages. The caller has begun a snapshot transaction."""
        if len(projects) <= FEW:
            return Selection([*projects.ids])
        revisions = tuple(connection.execute(_REVISIONS, ([*projects.roots],)).fetchall())
        cached = self._cached.get(projects.cache_key)
        if cached is not None and cached[0] == revisions:
            return cached[1]
        rows = connection.execute(_WITH_PACKAGES, ([*projects.ids],))
        selection = Selection([id_ for (id_,) in rows])
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached[projects.cache_key] = revisions, selection
        return selection
