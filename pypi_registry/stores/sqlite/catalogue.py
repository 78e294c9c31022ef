"""A catalogue in one SQLite file, for any number of threads and processes on one machine.

Write-ahead log, so that readers never wait for a writer; ``synchronous=FULL``, so that what was acknowledged survives a
power cut. Not for a network file system: SQLite's locks do not hold there.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, Package, PackageFile, PackageMetadata, PackageQuery, Project, Status, Upload
from pypi_registry.stores.sqlite.changes import LastChange, Memory
from pypi_registry.stores.sqlite.pool import ConnectionPool
from pypi_registry.stores.sqlite.rows import FILE, PACKAGE, microseconds_of, read_file, read_package
from pypi_registry.stores.sqlite.schema import UnknownSchema as UnknownSchema
from pypi_registry.stores.sqlite.schema import make_schema

_ALL_PROJECTS, _LAST_CHANGE = -1, -2
_INDEX = ""
_T = TypeVar("_T")
_UNKNOWN: Any = object()

_SERIAL = "SELECT serial FROM revisions WHERE project_id = ? AND name = ?"
_KEPT_LARGE = range(1000, 20_000)  # files, of about a kilobyte each
_ABOUT = [field.name for field in fields(PackageMetadata)]
_ORDERS = {
    "created_at": "p.created_at",
    "name": "p.name",
    "version": "p.version",
    "project_path": "(SELECT path FROM publishers w WHERE w.project_id = p.project_id)",
}


class _Large(NamedTuple):
    """The files of a large page that was made last, by their numbers: most will be on the next one too."""

    of: tuple[object, ...] = ()
    files: Mapping[int, PackageFile] = MappingProxyType({})


class SQLiteCatalogue:
    """Keeps rows in an SQLite file, which is made if it is missing, with its folder.

    :raises UnknownSchema: if the file was made by a newer version of this package.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path).absolute()  # a daemon goes elsewhere
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._connections = ConnectionPool(path)
        self._last_change = LastChange(path)
        self._memory, self._large = Memory(None), _Large()
        try:
            with self._connections.transaction() as connection:
                make_schema(connection, str(path))
                self._change(connection)  # the file may have been put here without what stands beside it
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections that no thread is using; the catalogue opens new ones if it is used again."""
        self._connections.close()
        # The next file may be an older one.
        self._last_change, self._memory, self._large = LastChange(self._path), Memory(None), _Large()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        canonical = canonicalize_version(upload.version)
        with self._connections.transaction() as connection:
            status, has_name, is_remembered, *found = _look_up(connection, project, upload.normalized_name, canonical)
            if status in (Status.ARCHIVED, Status.QUARANTINED):
                raise UploadsRefused(upload.normalized_name, status)
            package = _published_again(connection, found, upload)
            package = package or _insert_package(connection, project, upload, canonical, at)
            file = _insert_file(connection, package, upload, key, at)
            if not is_remembered:
                _remember(connection, project, upload.normalized_name)
            self._raise_revisions(connection, project.id, upload.normalized_name, index=not has_name)
        return file

    def delete_file(self, file: PackageFile) -> str | None:
        with self._connections.transaction() as connection:
            row = connection.execute("SELECT key FROM files WHERE id = ?", (file.id,)).fetchone()
            if row is None:
                return None
            connection.execute("DELETE FROM files WHERE id = ?", (file.id,))
            self._raise_revisions(connection, file.package.project_id, file.package.normalized_name, index=False)
        return str(row[0])

    def delete_package(self, package: Package) -> Sequence[str]:
        with self._connections.transaction() as connection:
            rows = connection.execute("SELECT key FROM files WHERE package_id = ?", (package.id,)).fetchall()
            connection.execute("DELETE FROM files WHERE package_id = ?", (package.id,))
            if not connection.execute("DELETE FROM packages WHERE id = ?", (package.id,)).rowcount:
                return []
            was_last = not _has_name(connection, package.project_id, package.normalized_name)
            self._raise_revisions(connection, package.project_id, package.normalized_name, index=was_last)
        return [key for (key,) in rows]

    def yank(self, package: Package, reason: str | None) -> Package | None:
        with self._connections.transaction() as connection:
            if not connection.execute("UPDATE packages SET yanked = ? WHERE id = ?", (reason, package.id)).rowcount:
                return None
            self._raise_revisions(connection, package.project_id, package.normalized_name, index=False)
        return replace(package, yanked=reason)

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        with self._connections.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO statuses (project_id, name, status, reason) VALUES (?, ?, ?, ?)",
                (project.id, name, status.status, status.reason),
            )
            self._raise_revisions(connection, project.id, name, index=False)

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        one_of, value = _one_of(projects)
        return self._remembered(
            _agreed,
            "SELECT DISTINCT s.status, s.reason FROM packages p LEFT JOIN statuses s "
            "ON s.project_id = p.project_id AND s.name = p.normalized "
            f"WHERE p.project_id {one_of} AND p.normalized = ?",
            value,
            name,
        )

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        wanted = (
            "FROM packages p WHERE p.project_id IN (SELECT value FROM json_each(?)) "
            "AND instr(lower(p.name), lower(?)) AND ? IN ('', p.version) AND ifnull(?, p.normalized) = p.normalized"
        )
        values = json.dumps(projects), query.name, query.version, query.normalized_name
        direction = "DESC" if query.descending else "ASC"
        with self._connections.reading() as connection:
            connection.execute("BEGIN")  # so that the page and the total are of one moment
            try:
                rows = connection.execute(
                    f"SELECT {PACKAGE} {wanted} "
                    f"ORDER BY {_ORDERS[query.order_by]} {direction}, p.id {direction} LIMIT ? OFFSET ?",
                    (*values, -1 if query.limit is None else query.limit, query.offset),
                ).fetchall()
                [total] = connection.execute(f"SELECT count(*) {wanted}", values).fetchone()
            finally:
                if connection.in_transaction:  # or an error has ended it
                    connection.execute("ROLLBACK")
        return [read_package(*row) for row in rows], total

    def package(self, projects: Sequence[int], number: int) -> Package | None:
        rows = self._rows(
            f"SELECT {PACKAGE} FROM packages p WHERE p.id = ? AND p.project_id IN (SELECT value FROM json_each(?))",
            number,
            json.dumps(projects),
        )
        return read_package(*rows[0]) if rows else None

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        return [read_file(*row) for row in self._rows(f"{FILE} WHERE p.id = ? ORDER BY f.id", package.id)]

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        statement = (
            "SELECT 1 FROM packages WHERE normalized = ? AND project_id IN (SELECT value FROM json_each(?)) LIMIT 1"
        )
        return bool(self._rows(statement, name, json.dumps(projects)))

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        one_of, value = _one_of(projects)
        rows = self._rows(f"SELECT DISTINCT normalized FROM packages WHERE project_id {one_of} ORDER BY 1", value)
        return [name for (name,) in rows]

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        one_of, value = _one_of(projects)
        where, values = f"WHERE p.project_id {one_of} AND p.normalized = ?", (value, name)
        known = self._large if self._large.of == values else _Large()
        if known.files:
            files = self._renewed(known.files, where, values)
        else:
            rows = self._rows(f"{FILE} {where}", *values)
            files = {row[0]: read_file(*row) for row in sorted(rows)}  # SQLite would make a table of all to order them
        if len(files) in _KEPT_LARGE:
            self._large = _Large(values, files)
        return [*files.values()]

    def _renewed(
        self, known: Mapping[int, PackageFile], where: str, values: tuple[object, ...]
    ) -> Mapping[int, PackageFile]:
        """Give files of which most are known: of a row only the yank of its package ever changes."""
        rows = self._rows(f"SELECT f.id, p.yanked FROM files f JOIN packages p ON p.id = f.package_id {where}", *values)
        new = [number for number, yanked in rows if number not in known or known[number].package.yanked != yanked]
        files = self._rows(f"{FILE} WHERE f.id IN (SELECT value FROM json_each(?))", json.dumps(new)) if new else []
        read = {row[0]: read_file(*row) for row in files}
        numbers = sorted(number for number, _ in rows)
        found = ((number, read.get(number) or known.get(number)) for number in numbers)
        return {number: file for number, file in found if file is not None}  # deleted in between, else

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        one_of, value = _one_of(projects)
        return self._remembered(
            _newest,
            f"{FILE} WHERE f.sha256 = ? AND f.filename = ? AND f.project_id {one_of} ORDER BY f.id DESC LIMIT 1",
            sha256,
            filename,
            value,
        )

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        if not projects:
            return 0
        project = projects[0] if len(projects) == 1 else _ALL_PROJECTS
        return self._remembered(_serial, _SERIAL, project, _INDEX if name is None else name)

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        rows = self._remembered(list, "SELECT root, project_id FROM published WHERE name = ?", name)
        return any(published_in == root or project in projects for published_in, project in rows)

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        if projects is None:
            return self._rows("SELECT project_id, path FROM publishers ORDER BY project_id")
        return self._rows(
            "SELECT project_id, path FROM publishers "
            "WHERE project_id IN (SELECT value FROM json_each(?)) ORDER BY project_id",
            json.dumps(projects),
        )

    def core_metadata(self, file: PackageFile) -> bytes | None:
        rows = self._rows("SELECT data FROM core_metadata WHERE file_id = ?", file.id)
        return bytes(rows[0][0]) if rows else None

    def about(self, package: Package) -> PackageMetadata:
        rows = self._rows("SELECT about FROM packages WHERE id = ?", package.id)
        return PackageMetadata(**json.loads(rows[0][0])) if rows else PackageMetadata()

    def _raise_revisions(
        self, connection: sqlite3.Connection, project: int, name: NormalizedName, *, index: bool
    ) -> None:
        names = [name, _INDEX] if index else [name]
        self._change(connection, [(place, changed, 1) for place in (project, _ALL_PROJECTS) for changed in names])

    def _change(self, connection: sqlite3.Connection, raised: Sequence[tuple[int, str, int]] = ()) -> None:
        """Announce the change that this transaction is, and raise the revisions of places."""
        rows = [*raised, (_LAST_CHANGE, "", self._last_change.announce())]
        connection.execute(
            f"INSERT INTO revisions (project_id, name, serial) VALUES {', '.join(['(?, ?, ?)'] * len(rows))} "
            "ON CONFLICT (project_id, name) DO UPDATE "
            f"SET serial = CASE project_id WHEN {_LAST_CHANGE} THEN excluded.serial ELSE serial + 1 END",
            [*chain(*rows)],
        )

    def _remembered(self, read: Callable[[list[Any]], _T], statement: str, *values: object) -> _T:
        """Read what is asked again and again out of its rows; from memory, if nothing was changed since."""
        memory, announced = self._memory, self._last_change.read()
        if announced is None:
            return read(self._rows(statement, *values))
        if memory.change != announced:
            if [(announced,)] != self._rows(_SERIAL, _LAST_CHANGE, ""):
                return read(self._rows(statement, *values))  # a change is being made, or came to nothing
            memory = self._memory = Memory(announced)
        answer: _T = memory.answers.get((statement, values), _UNKNOWN)
        if answer is _UNKNOWN:
            rows = self._rows(statement, *values)
            answer = read(rows)
            memory.keep((statement, values), rows, answer)
        return answer

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._connections.reading() as connection:
            return connection.execute(statement, values).fetchall()


def _one_of(projects: Sequence[int]) -> tuple[str, object]:
    """Give a condition on a project's id, and its value: for one project without a table of JSON, which costs more."""
    if len(projects) == 1:
        return "= ?", projects[0]
    return "IN (SELECT value FROM json_each(?))", json.dumps(projects)


# All that an upload must know. With other threads at work, each statement may be a wait for the interpreter.
_LOOK_UP = f"""
SELECT
    (SELECT status FROM statuses WHERE project_id = :project AND name = :name),
    EXISTS (SELECT 1 FROM packages WHERE project_id = :project AND normalized = :name),
    EXISTS (SELECT 1 FROM published WHERE name = :name AND root = :root AND project_id = :project)
        AND EXISTS (SELECT 1 FROM publishers WHERE project_id = :project AND path = :path),
    {PACKAGE}
FROM (SELECT 1) LEFT JOIN packages p
    ON p.project_id = :project AND p.normalized = :name AND p.canonical = :canonical
"""


def _look_up(connection: sqlite3.Connection, project: Project, name: NormalizedName, canonical: str) -> tuple[Any, ...]:
    """Give the name's status, whether it is here, whether it is remembered with the project, and the package's row."""
    values = {
        "project": project.id,
        "path": project.path,
        "root": project.root,
        "name": name,
        "canonical": canonical,
    }
    found: tuple[Any, ...] = connection.execute(_LOOK_UP, values).fetchone()
    return found


def _has_name(connection: sqlite3.Connection, project: int, name: NormalizedName) -> bool:
    statement = "SELECT 1 FROM packages WHERE project_id = ? AND normalized = ? LIMIT 1"
    return connection.execute(statement, (project, name)).fetchone() is not None


def _published_again(connection: sqlite3.Connection, row: Sequence[Any], upload: Upload) -> Package | None:
    """Give the package of an upload, if it is there, with what the upload says about it."""
    if row[0] is None:
        return None
    connection.execute("UPDATE packages SET about = ? WHERE id = ?", (_about(upload), row[0]))
    return read_package(*row)


def _insert_package(
    connection: sqlite3.Connection, project: Project, upload: Upload, canonical: str, at: datetime
) -> Package:
    number = connection.execute(
        "INSERT INTO packages (project_id, name, normalized, version, canonical, about, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(project.id, upload.name, upload.normalized_name, upload.version, canonical),
            *(_about(upload), microseconds_of(at)),
        ),
    ).lastrowid
    assert number is not None
    return Package(number, project.id, upload.name, upload.normalized_name, upload.version, at)


def _about(upload: Upload) -> str:
    return json.dumps({field: getattr(upload.about, field) for field in _ABOUT})


def _insert_file(
    connection: sqlite3.Connection, package: Package, upload: Upload, key: str, at: datetime
) -> PackageFile:
    digests, requires_python, metadata_sha256 = upload.digests, upload.requires_python, upload.metadata_sha256
    values = (
        *(package.id, package.project_id, upload.filename, upload.size, digests.sha256, digests.md5),
        *(digests.blake2_256, requires_python, microseconds_of(at), key, metadata_sha256),
    )
    try:
        number = connection.execute(
            "INSERT INTO files (package_id, project_id, filename, size, sha256, md5, blake2_256, requires_python, "
            "uploaded_at, key, metadata_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        ).lastrowid
    except sqlite3.IntegrityError as error:
        raise FileTaken(upload.filename) from error
    assert number is not None
    if upload.core_metadata is not None:
        connection.execute("INSERT INTO core_metadata (file_id, data) VALUES (?, ?)", (number, upload.core_metadata))
    return PackageFile(
        *(number, package, upload.filename, upload.size, digests, requires_python, at, key, metadata_sha256)
    )


def _serial(rows: Sequence[Any]) -> int:
    return int(rows[0][0]) if rows else 0


def _agreed(rows: Sequence[Any]) -> NameStatus:
    found = {NameStatus(Status(status or Status.ACTIVE), reason or "") for status, reason in rows}
    return found.pop() if len(found) == 1 else NameStatus()


def _newest(rows: Sequence[Any]) -> PackageFile | None:
    return read_file(*rows[0]) if rows else None


def _remember(connection: sqlite3.Connection, project: Project, name: NormalizedName) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO published (name, root, project_id) VALUES (?, ?, ?)", (name, project.root, project.id)
    )
    connection.execute(
        "INSERT INTO publishers (project_id, path) VALUES (?, ?) "
        "ON CONFLICT (project_id) DO UPDATE SET path = excluded.path WHERE path != excluded.path",
        (project.id, project.path),
    )
