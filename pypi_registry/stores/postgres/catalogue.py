"""A catalogue in a PostgreSQL database, for any number of servers.

Isolation. One page or one file is read with one statement, which needs no transaction. A list, or a page of very many
projects, takes several statements, in REPEATABLE READ, where all of them see one consistent state. Changes run in READ
COMMITTED under a lock of the name (`pypi_registry.stores.postgres.outcome`).
"""

from collections.abc import Collection, Hashable, Iterator, Sequence, Set
from datetime import datetime
from typing import Any

from packaging.utils import NormalizedName

from pypi_registry._records import Record
from pypi_registry.model import (
    Deletion,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
    VariantsHistory,
)
from pypi_registry.storage import MAX_PUBLICATIONS
from pypi_registry.stores._rows import (
    FILE,
    FILE_COLUMNS,
    LISTED,
    PACKAGE,
    WITH_STATUS,
    read_file_with_status,
    read_files,
    read_metadata,
    read_package,
    read_status,
    read_text,
)
from pypi_registry.stores.postgres import changes, checks, lists, records, variants
from pypi_registry.stores.postgres.changes import lock_of
from pypi_registry.stores.postgres.conninfo import parsed, shown
from pypi_registry.stores.postgres.pool import BEGIN_SNAPSHOT_BY_INDEX, Connection, ConnectionPool
from pypi_registry.stores.postgres.selections import FEW, Selections

_INDEX = ""  # the name of the index in the tables of revisions
_MANY = 100  # a page that so many projects have gets the revisions of root groups
_FROM_CONNINFO: Any = object()

_NEWEST_OFFERED_FIRST = "ORDER BY s.status IS NOT DISTINCT FROM 'quarantined', f.id DESC LIMIT 1"

_REVISION = "SELECT revision FROM project_revisions WHERE name = %s AND project_id = %s"
_REVISIONS_OF_FEW = (
    "SELECT project_id, revision FROM project_revisions WHERE name = %s AND project_id = ANY(%s) ORDER BY project_id"
)
# Both results in one round trip; the number of rows in the first one decides which of them counts. The order is that of
# the primary key: without it, PostgreSQL expects to find 100 rows of a frequent name soon if it reads the whole table.
_REVISIONS_OF_MANY = f"""
(SELECT project_id, NULL AS root, revision FROM project_revisions WHERE name = %(name)s
    ORDER BY name, project_id LIMIT {_MANY})
UNION ALL SELECT NULL, root, revision FROM root_revisions WHERE name = %(name)s AND root = ANY(%(roots)s)
"""


class PostgresCatalogue:
    """Stores rows in a PostgreSQL database.

    Implements `Catalogue`, `KeepsVariants`, `ProjectPaths`, `Enumerable` and `ChecksItself`.

    It connects when it is used first, and again in a process that was forked. ``pypi-registry migrate`` or `migrate`
    creates the tables; in a database without them, or with those of another version, every method raises
    `StorageUnavailable`, and `check_schema` raises `UnknownSchema`. Each method ends within five seconds, also if the
    database cannot be reached, except `records`, which takes as long as there are records.

    For example::

        catalogue = PostgresCatalogue("postgresql://registry@db.example.org/registry")

    :param conninfo: a URL or a connection string, as libpq understands it:
        https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING. A URL may also contain
        ``prepare_threshold=none``.
    :param min_size: connections that stay open while they are not used.
    :param max_size: connections that are open at once, in each process. Requests wait for one for some seconds.
    :param prepare_threshold: how often a statement is executed before the server prepares it; None never prepares one,
        which PgBouncer before 1.21 needs in its transaction mode.
    :raises ValueError: if an argument is not valid; the message does not contain `conninfo`.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        min_size: int = 1,
        max_size: int = 10,
        prepare_threshold: int | None = _FROM_CONNINFO,
    ) -> None:
        if type(min_size) is not int or min_size < 0:
            raise ValueError(f"min_size= must be a number of connections: {min_size!r}")
        if type(max_size) is not int or max_size < max(1, min_size):
            raise ValueError(f"max_size= must be a number of connections, at least min_size: {max_size!r}")
        parameters, threshold = parsed(conninfo)
        self._selections = Selections()
        self._pool = ConnectionPool(
            parameters,
            min_size=min_size,
            max_size=max_size,
            prepare_threshold=threshold if prepare_threshold is _FROM_CONNINFO else prepare_threshold,
            url=shown(parameters),
        )

    def close(self) -> None:
        """Close the connections of this process; the catalogue opens new ones when it is used again."""
        self._pool.close()

    def check_schema(self) -> None:
        """Connect, and check that the tables are those of this version: for a program that starts a server.

        :raises UnknownSchema: if they are missing, older or newer.
        :raises StorageUnavailable: if the database cannot be reached.
        """
        self._pool.check_schema()

    # Changes

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        return self._pool.change(
            lock_of(project.id, upload.normalized_name),
            lambda connection: changes.add(connection, project, upload, blob_key, at, by),
            changes.is_stored,
        )

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        statement = (
            "SELECT p.normalized_name FROM files f JOIN packages p ON p.id = f.package_id "
            "WHERE f.id = %s AND f.project_id = %s"
        )
        lock = self._lock_of(statement, file_id, project.id)
        if lock is None:
            return None
        return self._pool.change(lock, lambda connection: changes.delete_file(connection, project, file_id))

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        lock = self._lock_of_package(project, package_id)
        if lock is None:
            return None
        return self._pool.change(lock, lambda connection: changes.delete_package(connection, project, package_id))

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        lock = self._lock_of_package(project, package_id)
        if lock is None:
            return None
        return self._pool.change(lock, lambda connection: changes.yank(connection, project, package_id, reason))

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        lock = lock_of(project.id, name)
        self._pool.change(lock, lambda connection: changes.set_status(connection, project, name, status))

    def _lock_of_package(self, project: Project, package_id: int) -> int | None:
        statement = "SELECT normalized_name FROM packages WHERE id = %s AND project_id = %s"
        return self._lock_of(statement, package_id, project.id)

    def _lock_of(self, statement: str, id_: int, project_id: int) -> int | None:
        """Return the lock of the name that a row has; None if there is no such row."""
        row = self._pool.read(lambda connection: connection.execute(statement, (id_, project_id)).fetchone())
        return None if row is None else lock_of(project_id, row[0])

    # Simple pages and files

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        page = _INDEX if name is None else name
        if len(projects) == 1:
            row = self._pool.read(lambda connection: connection.execute(_REVISION, (page, *projects.ids)).fetchone())
            return None if row is None else row[0]
        if len(projects) <= _MANY:
            values = page, [*projects.ids]
            return (
                tuple(self._pool.read(lambda connection: connection.execute(_REVISIONS_OF_FEW, values).fetchall()))
                or None
            )
        return self._revision_of_many(projects, page)

    def _revision_of_many(self, projects: Projects, page: str) -> Hashable | None:
        """Return the revisions of those projects that have the page; None if none of them has it.

        If at least `_MANY` projects of the catalogue have the page, their revisions would cost too much: then it
        returns those of their root groups, without a check that one of the projects has it. Such a page can be stale
        for a project that moved to a root group, was not changed there, moved away, was changed, and moved back: the
        catalogue stores where a project is only when it changes something in the project.
        """
        values = {"name": page, "roots": [*projects.roots]}
        rows = self._pool.read(lambda connection: connection.execute(_REVISIONS_OF_MANY, values).fetchall())
        of_projects = [(id_, revision) for id_, root, revision in rows if root is None]
        if len(of_projects) == _MANY:
            return tuple(sorted((root, revision) for _, root, revision in rows if root is not None))
        return tuple(sorted(row for row in of_projects if row[0] in projects)) or None

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        return self._pool.read_snapshot(
            lambda connection: lists.names(connection, self._selections.of(connection, projects)),
            BEGIN_SNAPSHOT_BY_INDEX,
        )

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        if len(projects) <= FEW:
            rows = self._pool.read(lambda connection: _listed(connection, [*projects.ids], name))
        else:
            rows = self._pool.read_snapshot(lambda connection: _listed_in_many(connection, projects, name))
        if not rows:
            return None
        project_column = FILE_COLUMNS + 1
        statuses = {row[project_column]: row[-2:] for row in rows}
        return Listing(
            read_files(row[:-2] for row in rows), {id_: read_status(*columns) for id_, columns in statuses.items()}
        )

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        if len(projects) <= FEW:
            where = "WHERE f.project_id = ANY(%s) AND f.filename = %s AND f.sha256 = %s"
            statement, values = f"{WITH_STATUS} {where} {_NEWEST_OFFERED_FIRST}", ([*projects.ids], filename, sha256)
            row = self._pool.read(lambda connection: connection.execute(statement, values).fetchone())
        else:
            row = self._pool.read_snapshot(lambda connection: _file_of_many(connection, projects, sha256, filename))
        return None if row is None else read_file_with_status(row)

    def core_metadata(self, file_id: int) -> bytes | None:
        statement = "SELECT data FROM core_metadata WHERE file_id = %s"
        row = self._pool.read(lambda connection: connection.execute(statement, (file_id,)).fetchone())
        return None if row is None else read_text(row[0])

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        statement = f"SELECT root, project_id FROM publications WHERE name = %s LIMIT {MAX_PUBLICATIONS}"
        return self._pool.read(lambda connection: connection.execute(statement, (name,)).fetchall())

    # The Packages API

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        return self._pool.read_snapshot(
            lambda connection: lists.packages(connection, self._selections.of(connection, projects), query),
            BEGIN_SNAPSHOT_BY_INDEX,
        )

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        statement = (
            f"SELECT p.metadata, {FILE}, {PACKAGE} FROM packages p LEFT JOIN files f ON f.package_id = p.id "
            "WHERE p.id = %s AND p.project_id = %s"
        )
        values = package_id, project_id
        rows = self._pool.read(lambda connection: connection.execute(statement, values).fetchall())
        if not rows:
            return None
        files = read_files(row[1:] for row in rows)
        return PackageDetails(read_package(*rows[0][1 + FILE_COLUMNS :]), files, read_metadata(rows[0][0]))

    # KeepsVariants

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        return self._pool.read_snapshot(lambda connection: variants.histories(connection, projects, name, version))

    # ProjectPaths

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        statement = "SELECT id, path FROM projects WHERE path != '' ORDER BY id"
        if ids is None:
            return self._pool.read(lambda connection: connection.execute(statement).fetchall())
        statement = "SELECT id, path FROM projects WHERE id = ANY(%s) AND path != '' ORDER BY id"
        return self._pool.read(lambda connection: connection.execute(statement, ([*ids],)).fetchall())

    # Enumerable

    def records(self) -> Iterator[Record]:
        """Yield every record, in one consistent state. The iterator holds a connection until it ends or is closed."""
        with self._pool.snapshot() as connection:
            yield from records.read_all(connection)

    def restore(self, record: Record) -> None:
        self._pool.change(records.lock_of_record(record), lambda connection: records.restore(connection, record))

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        return self._pool.read(lambda connection: records.listed(connection, blob_keys))

    def correct_size(self, file_id: int, size: int) -> bool:
        statement = "UPDATE files SET size = %s WHERE id = %s"
        lock = lock_of(0, "")  # it changes no name, so only another change of a size waits for it
        return self._pool.change(lock, lambda connection: connection.execute(statement, (size, file_id)).rowcount > 0)

    # ChecksItself

    def inconsistencies(self, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
        return checks.inconsistencies(self._pool, repair=repair)


def _listed(connection: Connection, ids: Sequence[int], name: NormalizedName) -> list[Any]:
    where = "WHERE p.project_id = ANY(%s) AND p.normalized_name = %s"
    return connection.execute(LISTED + where, (ids, name)).fetchall()


def _listed_in_many(connection: Connection, projects: Projects, name: NormalizedName) -> list[Any]:
    """Return the rows of a name in those of the projects that have it, which are few in most cases."""
    with_name = connection.execute("SELECT project_id FROM project_revisions WHERE name = %s", (name,))
    return _listed(connection, [id_ for (id_,) in with_name if id_ in projects], name)


def _file_of_many(connection: Connection, projects: Projects, sha256: str, filename: str) -> Any:
    """Return the row of the newest copy that is not quarantined; of the newest one if all are; None if there is none.

    There may be very many copies, so only the ids of all are read, from an index, and rows from the newest on.
    """
    copies = connection.execute(
        "SELECT id, project_id FROM files WHERE sha256 = %s AND filename = %s", (sha256, filename)
    )
    ids = sorted((id_ for id_, project_id in copies if project_id in projects), reverse=True)
    newest = None
    for start in range(0, len(ids), FEW):
        statement = f"{WITH_STATUS} WHERE f.id = ANY(%s) {_NEWEST_OFFERED_FIRST}"
        row = connection.execute(statement, (ids[start : start + FEW],)).fetchone()
        newest = newest or row
        if row and row[0] != Status.QUARANTINED:
            return row
    return newest
