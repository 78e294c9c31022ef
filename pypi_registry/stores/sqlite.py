"""A catalogue in one SQLite file, for any number of threads and processes on one machine.

Write-ahead log, so that readers never wait for a writer; ``synchronous=FULL``, so that what was acknowledged survives a
power cut. Not for a network file system: SQLite's locks do not hold there.
"""

import json
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakSet

from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry.errors import FileTaken, RegistryError, StorageFull, StorageUnavailable, UploadsRefused
from pypi_registry.model import About, Digests, NameStatus, Package, PackageFile, PackageQuery, Project, Status, Upload

SCHEMA_VERSION = 1
"""Kept in ``PRAGMA user_version``."""

_SCHEMA = """
CREATE TABLE packages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- an id is never used twice
    project_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    normalized TEXT NOT NULL,
    version TEXT NOT NULL,
    canonical TEXT NOT NULL,               -- 1.0 and 1.0.0 are one package
    about TEXT NOT NULL,                   -- JSON
    created_at INTEGER NOT NULL,           -- microseconds since 1970, UTC
    yanked TEXT,                           -- NULL: it is not
    UNIQUE (project_id, normalized, canonical)
);
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    package_id INTEGER NOT NULL REFERENCES packages,
    project_id INTEGER NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    md5 TEXT,
    blake2_256 TEXT,
    requires_python TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,          -- microseconds since 1970, UTC
    key TEXT NOT NULL,
    UNIQUE (project_id, filename)
);
CREATE INDEX files_by_package ON files (package_id);
CREATE INDEX files_by_digest ON files (sha256);
CREATE TABLE statuses (
    project_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (project_id, name)
) WITHOUT ROWID;
CREATE TABLE revisions (
    project_id INTEGER NOT NULL,           -- -1: of all projects
    name TEXT NOT NULL,                    -- empty: of the index
    serial INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) WITHOUT ROWID;
CREATE TABLE published (                   -- what is written here stays, whatever is deleted or moved
    name TEXT NOT NULL,
    root TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    PRIMARY KEY (name, root, project_id)
) WITHOUT ROWID;
CREATE TABLE publishers (
    project_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL
);
"""

_PATIENCE = 30.0  # seconds that a writer waits for other writers, in its process and in others
_ALL_PROJECTS = -1
_INDEX = ""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PACKAGE = "p.id, p.project_id, p.name, p.normalized, p.version, p.created_at, p.yanked"
_FILE = f"""
SELECT f.id, f.filename, f.size, f.sha256, f.md5, f.blake2_256, f.requires_python, f.uploaded_at, f.key, {_PACKAGE}
FROM files f JOIN packages p ON p.id = f.package_id
"""
_ORDERS = {
    "created_at": "p.created_at",
    "name": "p.name",
    "version": "p.version",
    "project_path": "(SELECT path FROM publishers w WHERE w.project_id = p.project_id)",
}


class UnknownSchema(RegistryError):
    """Says that a file was made by a newer version of this package, or is no catalogue."""

    def __init__(self, path: str, found: int) -> None:
        super().__init__(path, found)
        self.path = path
        self.found = found

    def __str__(self) -> str:
        return f"{self.path} has the schema version {self.found}, and this program knows {SCHEMA_VERSION}"


class SQLiteCatalogue:
    """Keeps rows in an SQLite file, which is made if it is missing, with its folder.

    :raises UnknownSchema: if the file was made by a newer version of this package.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._idle: deque[sqlite3.Connection] = deque()
        # SQLite's own waiting polls: eight uploads at once take ten times as long to the slowest without this.
        self._writing = Lock()
        _CATALOGUES.add(self)
        try:
            with self._transaction() as connection:
                self._make_schema(connection)
        except BaseException:
            self.close()
            raise

    def _make_schema(self, connection: sqlite3.Connection) -> None:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        is_new = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if found != (0 if is_new else SCHEMA_VERSION):
            raise UnknownSchema(str(self._path), found)
        if is_new:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
        # Written each time, so that a catalogue that cannot be written is found now and not by an upload.
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the connections that no thread is using; the catalogue opens new ones if it is used again."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        with self._transaction() as connection:
            _refuse_if_closed(connection, project, upload.normalized)
            package, is_new_name = _package(connection, project, upload, at)
            file = _insert_file(connection, package, upload, key, at)
            _remember(connection, project, upload.normalized)
            _raise_revisions(connection, project.id, upload.normalized, index=is_new_name)
        return file

    def delete_file(self, file: PackageFile) -> str | None:
        with self._transaction() as connection:
            row = connection.execute("SELECT key FROM files WHERE id = ?", (file.id,)).fetchone()
            if row is None:
                return None
            connection.execute("DELETE FROM files WHERE id = ?", (file.id,))
            _raise_revisions(connection, file.package.project_id, file.package.normalized, index=False)
        return str(row[0])

    def delete_package(self, package: Package) -> Sequence[str]:
        with self._transaction() as connection:
            rows = connection.execute("SELECT key FROM files WHERE package_id = ?", (package.id,)).fetchall()
            connection.execute("DELETE FROM files WHERE package_id = ?", (package.id,))
            if not connection.execute("DELETE FROM packages WHERE id = ?", (package.id,)).rowcount:
                return []
            was_last = not _has_name(connection, package.project_id, package.normalized)
            _raise_revisions(connection, package.project_id, package.normalized, index=was_last)
        return [key for (key,) in rows]

    def yank(self, package: Package, reason: str | None) -> Package | None:
        with self._transaction() as connection:
            if not connection.execute("UPDATE packages SET yanked = ? WHERE id = ?", (reason, package.id)).rowcount:
                return None
            _raise_revisions(connection, package.project_id, package.normalized, index=False)
        return replace(package, yanked=reason)

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO statuses (project_id, name, status, reason) VALUES (?, ?, ?, ?)",
                (project.id, name, status.status, status.reason),
            )
            _raise_revisions(connection, project.id, name, index=False)

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        rows = self._rows(
            "SELECT DISTINCT s.status, s.reason FROM packages p LEFT JOIN statuses s "
            "ON s.project_id = p.project_id AND s.name = p.normalized "
            "WHERE p.project_id IN (SELECT value FROM json_each(?)) AND p.normalized = ?",
            json.dumps(projects),
            name,
        )
        found = {NameStatus(Status(status or Status.ACTIVE), reason or "") for status, reason in rows}
        return found.pop() if len(found) == 1 else NameStatus()

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        wanted = (
            "FROM packages p WHERE p.project_id IN (SELECT value FROM json_each(?)) "
            "AND instr(lower(p.name), lower(?)) AND ? IN ('', p.version) AND ifnull(?, p.normalized) = p.normalized"
        )
        values = json.dumps(projects), query.name, query.version, query.normalized
        direction = "DESC" if query.descending else "ASC"
        rows = self._rows(
            f"SELECT {_PACKAGE} {wanted} "
            f"ORDER BY {_ORDERS[query.order_by]} {direction}, p.id {direction} LIMIT ? OFFSET ?",
            *values,
            -1 if query.limit is None else query.limit,
            query.offset,
        )
        [(total,)] = self._rows(f"SELECT count(*) {wanted}", *values)
        return [_read_package(*row) for row in rows], total

    def package(self, projects: Sequence[int], number: int) -> Package | None:
        rows = self._rows(
            f"SELECT {_PACKAGE} FROM packages p WHERE p.id = ? AND p.project_id IN (SELECT value FROM json_each(?))",
            number,
            json.dumps(projects),
        )
        return _read_package(*rows[0]) if rows else None

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        return [_file(*row) for row in self._rows(f"{_FILE} WHERE p.id = ? ORDER BY f.id", package.id)]

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        statement = (
            "SELECT 1 FROM packages WHERE normalized = ? AND project_id IN (SELECT value FROM json_each(?)) LIMIT 1"
        )
        return bool(self._rows(statement, name, json.dumps(projects)))

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        rows = self._rows(
            "SELECT DISTINCT normalized FROM packages WHERE project_id IN (SELECT value FROM json_each(?)) ORDER BY 1",
            json.dumps(projects),
        )
        return [name for (name,) in rows]

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        rows = self._rows(
            f"{_FILE} WHERE p.project_id IN (SELECT value FROM json_each(?)) AND p.normalized = ? ORDER BY f.id",
            json.dumps(projects),
            name,
        )
        return [_file(*row) for row in rows]

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        rows = self._rows(
            f"{_FILE} WHERE f.sha256 = ? AND f.filename = ? "
            "AND f.project_id IN (SELECT value FROM json_each(?)) ORDER BY f.id DESC LIMIT 1",
            sha256,
            filename,
            json.dumps(projects),
        )
        return _file(*rows[0]) if rows else None

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        if not projects:
            return 0
        project = projects[0] if len(projects) == 1 else _ALL_PROJECTS
        rows = self._rows(
            "SELECT serial FROM revisions WHERE project_id = ? AND name = ?", project, _INDEX if name is None else name
        )
        return int(rows[0][0]) if rows else 0

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        statement = (
            "SELECT 1 FROM published WHERE name = ? "
            "AND (root = ? OR project_id IN (SELECT value FROM json_each(?))) LIMIT 1"
        )
        return bool(self._rows(statement, name, root, json.dumps(projects)))

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        if projects is None:
            return self._rows("SELECT project_id, path FROM publishers ORDER BY project_id")
        return self._rows(
            "SELECT project_id, path FROM publishers "
            "WHERE project_id IN (SELECT value FROM json_each(?)) ORDER BY project_id",
            json.dumps(projects),
        )

    def about(self, package: Package) -> About:
        rows = self._rows("SELECT about FROM packages WHERE id = ?", package.id)
        return About(**json.loads(rows[0][0])) if rows else About()

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if not self._writing.acquire(timeout=_PATIENCE):
            raise StorageUnavailable("the catalogue is busy")
        try:
            with self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        finally:
            self._writing.release()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to one thread; opening one costs more than what is asked of it."""
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            try:
                yield connection
            finally:
                self._idle.append(connection)
        except sqlite3.OperationalError as error:
            raise _translated(error) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _use_write_ahead_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection


_CATALOGUES: WeakSet[SQLiteCatalogue] = WeakSet()
_INHERITED: list[object] = []


def _before_fork() -> None:
    # A child believes that it holds the locks of the connections it inherits, and it holds none: its next connection
    # would write without any. So there are none to inherit, unless a thread is in the middle of something.
    for catalogue in [*_CATALOGUES]:
        catalogue.close()


def _after_fork_in_child() -> None:
    for catalogue in [*_CATALOGUES]:
        _INHERITED.append(catalogue._idle)  # what a thread gave back in between; to collect it would be to close it
        catalogue._idle, catalogue._writing = deque(), Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # this statement alone does not wait while another process does the same
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _refuse_if_closed(connection: sqlite3.Connection, project: Project, name: NormalizedName) -> None:
    row = connection.execute(
        "SELECT status FROM statuses WHERE project_id = ? AND name = ?", (project.id, name)
    ).fetchone()
    if row is not None and row[0] in (Status.ARCHIVED, Status.QUARANTINED):
        raise UploadsRefused(name, row[0])


def _has_name(connection: sqlite3.Connection, project: int, name: NormalizedName) -> bool:
    statement = "SELECT 1 FROM packages WHERE project_id = ? AND normalized = ? LIMIT 1"
    return connection.execute(statement, (project, name)).fetchone() is not None


def _package(connection: sqlite3.Connection, project: Project, upload: Upload, at: datetime) -> tuple[Package, bool]:
    """Find or make the package of an upload; tell whether the project had none of its name."""
    about = json.dumps(asdict(upload.about))
    row = connection.execute(
        f"SELECT {_PACKAGE} FROM packages p WHERE project_id = ? AND normalized = ? AND canonical = ?",
        (project.id, upload.normalized, canonicalize_version(upload.version)),
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE packages SET about = ? WHERE id = ?", (about, row[0]))
        return _read_package(*row), False
    is_new_name = not _has_name(connection, project.id, upload.normalized)
    number = connection.execute(
        "INSERT INTO packages (project_id, name, normalized, version, canonical, about, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(project.id, upload.name, upload.normalized, upload.version, canonicalize_version(upload.version)),
            *(about, _microseconds(at)),
        ),
    ).lastrowid
    assert number is not None
    return Package(number, project.id, upload.name, upload.normalized, upload.version, at), is_new_name


def _insert_file(
    connection: sqlite3.Connection, package: Package, upload: Upload, key: str, at: datetime
) -> PackageFile:
    digests, requires_python = upload.digests, upload.requires_python
    try:
        number = connection.execute(
            "INSERT INTO files (package_id, project_id, filename, size, sha256, md5, blake2_256, requires_python, "
            "uploaded_at, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(package.id, package.project_id, upload.filename, upload.size, *astuple(digests)),
                *(requires_python, _microseconds(at), key),
            ),
        ).lastrowid
    except sqlite3.IntegrityError as error:
        raise FileTaken(upload.filename) from error
    assert number is not None
    return PackageFile(number, package, upload.filename, upload.size, digests, requires_python, at, key)


def _file(
    number: int,
    filename: str,
    size: int,
    sha256: str,
    md5: str | None,
    blake2_256: str | None,
    requires_python: str,
    microseconds: int,
    key: str,
    *package: Any,
) -> PackageFile:
    digests = Digests(sha256, md5, blake2_256)
    return PackageFile(
        number, _read_package(*package), filename, size, digests, requires_python, _moment(microseconds), key
    )


def _read_package(
    number: int,
    project: int,
    name: str,
    normalized: NormalizedName,
    version: str,
    microseconds: int,
    yanked: str | None,
) -> Package:
    return Package(number, project, name, normalized, version, _moment(microseconds), yanked)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _remember(connection: sqlite3.Connection, project: Project, name: NormalizedName) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO published (name, root, project_id) VALUES (?, ?, ?)", (name, project.root, project.id)
    )
    connection.execute(
        "INSERT INTO publishers (project_id, path) VALUES (?, ?) "
        "ON CONFLICT (project_id) DO UPDATE SET path = excluded.path WHERE path != excluded.path",
        (project.id, project.path),
    )


def _raise_revisions(connection: sqlite3.Connection, project: int, name: NormalizedName, *, index: bool) -> None:
    names = [name, _INDEX] if index else [name]
    connection.executemany(
        "INSERT INTO revisions (project_id, name, serial) VALUES (?, ?, 1) "
        "ON CONFLICT (project_id, name) DO UPDATE SET serial = serial + 1",
        [(place, changed) for place in (project, _ALL_PROJECTS) for changed in names],
    )


def _translated(error: sqlite3.OperationalError) -> Exception:
    match error.sqlite_errorcode & 0xFF:  # the primary code
        case sqlite3.SQLITE_FULL:
            return StorageFull()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageUnavailable("the catalogue is busy")
        case sqlite3.SQLITE_READONLY:
            return StorageUnavailable("the catalogue is read-only")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return StorageUnavailable("the catalogue cannot be read or written")
        case _:
            return error
