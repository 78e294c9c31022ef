"""A catalogue in one SQLite file, for any number of threads and processes on one machine.

It uses a write-ahead log, so that readers never wait for a writer, and ``synchronous=FULL``, so that an acknowledged
change survives a power cut. It does not work on a network file system, where SQLite's locks do not hold.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence, Set
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from packaging.utils import NormalizedName

from pypi_registry._disk import create_folder
from pypi_registry._filenames import canonical_version
from pypi_registry._records import Record
from pypi_registry.errors import FileTaken, StorageFull, UploadsRefused
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
    metadata_as_json,
    microseconds_of,
    read_file_with_status,
    read_files,
    read_metadata,
    read_package,
    read_status,
    read_text,
)
from pypi_registry.stores.sqlite import checks, lists, records, variants
from pypi_registry.stores.sqlite.copies import copy_database
from pypi_registry.stores.sqlite.frequent import FrequentQueries
from pypi_registry.stores.sqlite.pool import MAX_WAITING_WRITERS, ConnectionPool
from pypi_registry.stores.sqlite.reserve import Reserve
from pypi_registry.stores.sqlite.schema import MANY, index_new_names, require_present_schema
from pypi_registry.stores.sqlite.selections import Selections

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_INDEX = ""  # the name of the index in the tables of revisions
_FEW = 100  # projects of which `file` reads one row each

_NEWEST_OFFERED_FIRST = "ORDER BY s.status IS 'quarantined', f.id DESC"

# All rows that an upload depends on, in one statement: each statement may wait for the interpreter's lock.
_LOOK_UP = f"""
SELECT
    (SELECT status FROM statuses WHERE project_id = :project AND name = :name),
    EXISTS (SELECT 1 FROM projects WHERE id = :project AND path = :path)
        AND EXISTS (SELECT 1 FROM project_roots WHERE project_id = :project AND root = :root),
    EXISTS (SELECT 1 FROM publications WHERE name = :name AND root = :root AND project_id = :project),
    {PACKAGE}
FROM (SELECT 1) LEFT JOIN packages p
    ON p.project_id = :project AND p.normalized_name = :name AND p.canonical_version = :version
"""


def _on_a_full_disk_too(
    method: "Callable[Concatenate[SQLiteCatalogue, _Arguments], _Result]",
) -> "Callable[Concatenate[SQLiteCatalogue, _Arguments], _Result]":
    """Let a method use the reserved space if the disk is full."""

    @wraps(method)
    def change(self: "SQLiteCatalogue", /, *args: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        try:
            result = method(self, *args, **options)
        except StorageFull:
            if not self._reserve.release():
                raise
            return method(self, *args, **options)
        self._reserve.restore()
        return result

    return change


class SQLiteCatalogue:
    """Stores rows in an SQLite file.

    Implements `Catalogue`, `KeepsVariants`, `ProjectPaths`, `Enumerable` and `ChecksItself`.

    The file is created if it is missing, with its folder; the file of an older version is migrated. If the file
    is removed later, no process creates it again, because an empty file ``…-created`` beside it shows that it existed:
    until the catalogue is restored, every method raises `StorageUnavailable`. If another catalogue replaces the file,
    that one is opened within a second.

    :param create: False neither creates nor migrates a file: for a program that works on the data of a registry that
        runs.
    :param max_waiting_writers: how many threads may wait while another program has held the write lock for more than a
        second. Further threads then raise `StorageUnavailable` at once, and the waiting ones after 5 seconds. Threads
        of this process wait for each other without a limit. Choose fewer than your server has threads, so that some
        threads can read.
    :param reserve: bytes that are kept free for deletions, yanks and statuses, in a file ``…-reserve`` beside the
        catalogue: SQLite cannot delete a row on a full disk. 0 keeps none.
    :raises UnknownSchema: if the file was created by a newer version of this package, or is not a catalogue; without
        `create` also if it was created by an older version.
    :raises FileNotFoundError: if `create` is False and the file is missing.
    :raises StorageUnavailable: if the file cannot be read or created.
    :raises RegistryError: if Python's SQLite is older than 3.34 or has no FTS5.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        max_waiting_writers: int = MAX_WAITING_WRITERS,
        reserve: int = 0,
    ) -> None:
        if type(max_waiting_writers) is not int or max_waiting_writers < 1:
            raise ValueError(f"max_waiting_writers= must be a number above 0: {max_waiting_writers!r}")
        if type(reserve) is not int or reserve < 0:
            raise ValueError(f"reserve= must be a number of bytes: {reserve!r}")
        path = Path(path).absolute()  # a daemon changes its working directory
        if create:
            create_folder(path.parent)
        else:
            require_present_schema(path)
        self._reserve = Reserve(path.with_name(f"{path.name}-reserve"), reserve)
        self._pool = ConnectionPool(
            path,
            max_waiting_writers=max_waiting_writers,
            opened=self._clear_caches,
            free_space=self._reserve.release_if_full,
        )
        try:
            if create:
                self._pool.create()
        except BaseException:
            self.close()
            raise
        self._reserve.restore()

    def _clear_caches(self) -> None:
        self._selections, self._frequent = Selections(), FrequentQueries()

    def close(self) -> None:
        """Close the connections that no thread uses; the catalogue opens new ones when it is used again."""
        self._pool.close()

    # Changes

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        version = canonical_version(upload.version)
        self._reserve.restore()
        if not self._reserve.has_space_for_uploads:
            raise StorageFull
        with self._pool.transaction() as connection:
            found = _look_up(connection, project, upload.normalized_name, version)
            if found.status is not None and not Status(found.status).accepts_uploads:
                raise UploadsRefused(upload.normalized_name, found.status)
            if not found.has_project:
                _upsert_project(connection, project)
            if not found.has_publication:
                _insert_publication(connection, project, upload.normalized_name)
                index_new_names(connection)
            if found.package is None:
                package = _insert_package(connection, project, upload, version, at)
            else:
                package = found.package
                _update_metadata(connection, package, upload)
            file = _insert_file(connection, package, upload, blob_key, at, by)
            variants.add(connection, upload, file)
            return file

    @_on_a_full_disk_too
    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        with self._pool.transaction() as connection:
            files = _files(connection, "f.id = ? AND f.project_id = ?", file_id, project.id)
            if not files:
                return None
            _follow(connection, project)
            package = files[0].package
            records.delete_file(connection, file_id, package)
            variants.delete(connection, files[0])
            deleted = connection.execute(
                "DELETE FROM packages WHERE id = ? AND NOT EXISTS (SELECT 1 FROM files WHERE package_id = packages.id)",
                (package.id,),
            )
            return Deletion(package, files, package_deleted=deleted.rowcount > 0)

    @_on_a_full_disk_too
    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        with self._pool.transaction() as connection:
            package = _package(connection, project.id, package_id)
            if package is None:
                return None
            _follow(connection, project)
            files = _files(connection, "f.package_id = ?", package_id)
            connection.execute("DELETE FROM files WHERE package_id = ?", (package_id,))
            connection.execute("DELETE FROM packages WHERE id = ?", (package_id,))
            return Deletion(package, files, package_deleted=True)

    @_on_a_full_disk_too
    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        with self._pool.transaction() as connection:
            if _package(connection, project.id, package_id) is None:
                return None
            _follow(connection, project)
            connection.execute(
                "UPDATE packages SET yanked = ? WHERE id = ? AND project_id = ?", (reason, package_id, project.id)
            )
            return _package(connection, project.id, package_id)

    @_on_a_full_disk_too
    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        with self._pool.transaction() as connection:
            _follow(connection, project)
            connection.execute(
                "INSERT INTO statuses (project_id, name, status, reason) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (project_id, name) DO UPDATE SET status = excluded.status, reason = excluded.reason",
                (project.id, name, status.status, status.reason),
            )

    # Simple pages and files

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        page = _INDEX if name is None else name
        ids = projects.ids
        with self._pool.lease() as connection:
            if len(ids) == 1:
                statement = "SELECT revision FROM project_revisions WHERE name = ? AND project_id = ?"
                row = connection.execute(statement, (page, ids[0])).fetchone()
                return None if row is None else row[0]
            return _revision_of_several(connection, projects, page)

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        with self._pool.snapshot() as connection:
            return lists.names(connection, self._selections.of(connection, projects))

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        with self._pool.lease() as connection:
            if len(projects) == 1:
                where, values = "WHERE p.project_id = ? AND p.normalized_name = ?", (*projects.ids, name)
                rows = connection.execute(LISTED + where, values).fetchall()
            else:
                rows = _listed_in_several(connection, projects, name)
        if not rows:
            return None
        project_column = FILE_COLUMNS + 1
        statuses = {row[project_column]: row[-2:] for row in rows}
        return Listing(
            read_files(row[:-2] for row in rows), {id_: read_status(*columns) for id_, columns in statuses.items()}
        )

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        with self._pool.lease() as connection:
            if len(projects) == 1:
                where = "WHERE f.project_id = ? AND f.filename = ? AND f.sha256 = ?"
                row = connection.execute(WITH_STATUS + where, (*projects.ids, filename, sha256)).fetchone()
                return row and read_file_with_status(row)
            row = _file_of_several(connection, projects, sha256, filename)
            return row and read_file_with_status(row)

    def core_metadata(self, file_id: int) -> bytes | None:
        with self._pool.lease() as connection:
            row = connection.execute("SELECT data FROM core_metadata WHERE file_id = ?", (file_id,)).fetchone()
        return None if row is None else read_text(row[0])

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        statement = f"SELECT root, project_id FROM publications WHERE name = ? LIMIT {MAX_PUBLICATIONS}"
        with self._pool.lease() as connection:
            return connection.execute(statement, (name,)).fetchall()

    # The Packages API

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        with self._pool.snapshot() as connection:  # the page and the total must be consistent
            selection = self._selections.of(connection, projects)
            return lists.packages(connection, projects, selection, query, self._frequent)

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        statement = (
            f"SELECT p.metadata, {FILE}, {PACKAGE} FROM packages p LEFT JOIN files f ON f.package_id = p.id "
            "WHERE p.id = ? AND p.project_id = ?"
        )
        with self._pool.lease() as connection:
            rows = connection.execute(statement, (package_id, project_id)).fetchall()
        if not rows:
            return None
        files = read_files(row[1:] for row in rows)
        return PackageDetails(read_package(*rows[0][1 + FILE_COLUMNS :]), files, read_metadata(rows[0][0]))

    # KeepsVariants

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        with self._pool.snapshot() as connection:
            return variants.histories(connection, projects, name, version)

    # ProjectPaths

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        with self._pool.lease() as connection:
            if ids is None:
                return connection.execute("SELECT id, path FROM projects WHERE path != '' ORDER BY id").fetchall()
            statement = (
                "SELECT id, path FROM projects WHERE id IN (SELECT value FROM json_each(?)) AND path != '' ORDER BY id"
            )
            return connection.execute(statement, (json.dumps([*ids]),)).fetchall()

    # Enumerable

    def records(self) -> Iterator[Record]:
        """Yield every record, in one consistent state. The iterator holds a connection until it ends or is closed."""
        with self._pool.snapshot() as connection:
            yield from records.read_all(connection)

    def restore(self, record: Record) -> None:
        with self._pool.transaction() as connection:
            records.restore(connection, record)

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        with self._pool.lease() as connection:
            return records.listed(connection, blob_keys)

    def correct_size(self, file_id: int, size: int) -> bool:
        with self._pool.transaction() as connection:
            return connection.execute("UPDATE files SET size = ? WHERE id = ?", (size, file_id)).rowcount > 0

    def copy_to(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the file in one consistent state, durably and atomically; an existing file is replaced.

        Other threads and programs may change the catalogue meanwhile; they do not wait.

        :raises StorageUnavailable: if the catalogue cannot be read.
        :raises StorageFull: if there is no space for the copy.
        :raises OSError: if the copy cannot be written.
        """
        with self._pool.lease() as connection:
            copy_database(connection, Path(path).absolute())

    # ChecksItself

    def inconsistencies(self, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
        return checks.inconsistencies(self._pool, repair=repair)


class _Found(NamedTuple):
    """The facts that an upload depends on before it inserts rows."""

    status: str | None
    has_project: bool
    """Whether the present path and root group of the project are stored."""
    has_publication: bool
    package: Package | None


def _look_up(connection: sqlite3.Connection, project: Project, name: NormalizedName, version: str) -> _Found:
    values = {
        "project": project.id,
        "path": project.path,
        "root": project.root,
        "name": name,
        "version": version,
    }
    status, has_project, has_publication, *package = connection.execute(_LOOK_UP, values).fetchone()
    return _Found(status, has_project, has_publication, None if package[0] is None else read_package(*package))


def _upsert_project(connection: sqlite3.Connection, project: Project) -> None:
    connection.execute(
        "INSERT INTO projects (id, path) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET path = excluded.path",
        (project.id, project.path),
    )
    records.insert_root(connection, project.id, project.root)


def _insert_publication(connection: sqlite3.Connection, project: Project, name: NormalizedName) -> None:
    connection.execute(
        "INSERT INTO publications (name, root, project_id) VALUES (?, ?, ?)", (name, project.root, project.id)
    )


def _follow(connection: sqlite3.Connection, project: Project) -> None:
    """Store where a project is now: it may have moved since its last change.

    A change after this renews the revisions of its new root group and of the old ones.
    """
    connection.execute(
        "UPDATE projects SET path = ? WHERE id = ? AND path != ?", (project.path, project.id, project.path)
    )
    records.insert_root(connection, project.id, project.root)


def _insert_package(
    connection: sqlite3.Connection, project: Project, upload: Upload, canonical_version: str, at: datetime
) -> Package:
    id_ = connection.execute(
        "INSERT INTO packages (project_id, name, normalized_name, version, canonical_version, metadata, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            project.id,
            upload.name,
            upload.normalized_name,
            upload.version,
            canonical_version,
            metadata_as_json(upload.metadata),
            microseconds_of(at),
        ),
    ).lastrowid
    assert id_ is not None
    return Package(id_, project.id, upload.name, upload.normalized_name, upload.version, at)


def _update_metadata(connection: sqlite3.Connection, package: Package, upload: Upload) -> None:
    connection.execute("UPDATE packages SET metadata = ? WHERE id = ?", (metadata_as_json(upload.metadata), package.id))


def _insert_file(
    connection: sqlite3.Connection, package: Package, upload: Upload, blob_key: str, at: datetime, by: str
) -> PackageFile:
    core_metadata_sha256 = upload.core_metadata_sha256
    try:
        id_ = records.insert_file(
            connection,
            upload,
            package,
            at=at,
            blob_key=blob_key,
            by=by,
            core_metadata=upload.core_metadata,
            core_metadata_sha256=core_metadata_sha256,
            identity=upload.identity,
        )
    except sqlite3.IntegrityError as error:
        raise FileTaken(upload.filename) from error
    return PackageFile(
        id=id_,
        package=package,
        filename=upload.filename,
        size=upload.size,
        digests=upload.digests,
        requires_python=upload.requires_python,
        uploaded_at=at,
        blob_key=blob_key,
        core_metadata_sha256=core_metadata_sha256,
        uploaded_by=by,
        variant=upload.variant,
    )


def _files(connection: sqlite3.Connection, condition: str, *values: object) -> list[PackageFile]:
    statement = f"SELECT {FILE}, {PACKAGE} FROM files f JOIN packages p ON p.id = f.package_id WHERE {condition}"
    return read_files(connection.execute(statement, values))


def _package(connection: sqlite3.Connection, project_id: int, package_id: int) -> Package | None:
    statement = f"SELECT {PACKAGE} FROM packages p WHERE p.id = ? AND p.project_id = ?"
    row = connection.execute(statement, (package_id, project_id)).fetchone()
    return None if row is None else read_package(*row)


def _revision_of_several(connection: sqlite3.Connection, projects: Projects, page: str) -> Hashable | None:
    """Return the revisions of those projects that have the page; None if none of them has it.

    If at least `MANY` projects of the catalogue have the page and the caller reads more than that many, their revisions
    would cost too much: then it returns those of their root groups, without a check that one of the projects has it.
    Such a page can be stale for a project that moved to a root group, was not changed there, moved away, was changed,
    and moved back: the catalogue stores where a project is only when it changes something in the project.
    """
    statement = f"SELECT project_id, revision FROM project_revisions WHERE name = ? LIMIT {MANY}"
    rows = connection.execute(statement, (page,)).fetchall()
    if len(rows) == MANY and len(projects) <= MANY:
        statement = (
            "SELECT project_id, revision FROM project_revisions "
            "WHERE name = ? AND project_id IN (SELECT value FROM json_each(?)) ORDER BY project_id"
        )
        rows = connection.execute(statement, (page, json.dumps(projects.ids))).fetchall()
    elif len(rows) == MANY:
        statement = (
            "SELECT root, revision FROM root_revisions "
            "WHERE name = ? AND root IN (SELECT value FROM json_each(?)) ORDER BY root"
        )
        return tuple(connection.execute(statement, (page, json.dumps(["", *projects.roots]))).fetchall())
    return tuple([row for row in rows if row[0] in projects]) or None


def _file_of_several(connection: sqlite3.Connection, projects: Projects, sha256: str, filename: str) -> Any:
    """Return the row of the newest copy that is not quarantined; of the newest one if all are; None if there is none.

    There may be very many copies, so only the ids of all are read, from an index, and rows from the newest on.
    """
    if len(projects) <= _FEW:
        where = "WHERE f.project_id IN (SELECT value FROM json_each(?)) AND f.filename = ? AND f.sha256 = ?"
        values = (json.dumps(projects.ids), filename, sha256)
        return connection.execute(f"{WITH_STATUS} {where} {_NEWEST_OFFERED_FIRST} LIMIT 1", values).fetchone()
    statement = "SELECT id, project_id FROM files WHERE sha256 = ? AND filename = ?"
    copies = connection.execute(statement, (sha256, filename))
    ids = sorted((id_ for id_, project_id in copies if project_id in projects), reverse=True)
    newest = None
    for start in range(0, len(ids), _FEW):
        where = "WHERE f.id IN (SELECT value FROM json_each(?))"
        batch = json.dumps(ids[start : start + _FEW])
        row = connection.execute(f"{WITH_STATUS} {where} {_NEWEST_OFFERED_FIRST} LIMIT 1", (batch,)).fetchone()
        newest = newest or row
        if row and row[0] != Status.QUARANTINED:
            return row
    return newest


def _listed_in_several(connection: sqlite3.Connection, projects: Projects, name: NormalizedName) -> list[Any]:
    """Return the rows of a name in those of the projects that have it, which are few in most cases."""
    with_name = connection.execute("SELECT project_id FROM project_revisions WHERE name = ?", (name,))
    ids = json.dumps([id_ for (id_,) in with_name if id_ in projects])
    where = "WHERE p.project_id IN (SELECT value FROM json_each(?)) AND p.normalized_name = ?"
    return connection.execute(LISTED + where, (ids, name)).fetchall()
