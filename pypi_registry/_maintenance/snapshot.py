"""All records and blobs of one check, in a temporary database.

A registry may have millions of files. The rows are joined with the blobs by a database, because neither contract states
an order, and a set of all keys would be the largest thing in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from packaging.utils import canonicalize_version

from pypi_registry._filenames import identity_of
from pypi_registry._maintenance.temporary import TemporaryDatabase
from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.model import Digests

T = TypeVar("T")

# Without constraints: a catalogue whose own constraints have failed must be readable, too.
_TABLES = """
CREATE TABLE projects (id INTEGER PRIMARY KEY, path TEXT);
CREATE TABLE packages (id INTEGER, project_id INTEGER, name TEXT, version TEXT, canonical_version TEXT);
CREATE TABLE files (
    id INTEGER, package_id INTEGER, project_id INTEGER, name TEXT, version TEXT, filename TEXT, size INTEGER,
    sha256 TEXT, md5 TEXT, blake2_256 TEXT, blob_key TEXT, identity TEXT
);
CREATE TABLE publications (name TEXT, project_id INTEGER, PRIMARY KEY (name, project_id)) WITHOUT ROWID;
CREATE TABLE blobs (key TEXT PRIMARY KEY, size INTEGER, stored_at REAL) WITHOUT ROWID;
"""
# After the rows, which SQLite then sorts once.
_INDEXES = """
CREATE INDEX packages_by_id ON packages (id);
CREATE INDEX packages_by_version ON packages (project_id, name, canonical_version);
CREATE INDEX files_by_id ON files (id);
CREATE INDEX files_by_package ON files (package_id);
CREATE INDEX files_by_name ON files (project_id, filename);
CREATE INDEX files_by_identity ON files (project_id, identity, id) WHERE identity IS NOT NULL;
CREATE INDEX files_by_key ON files (blob_key);
"""

_FILE = (
    "f.id, f.project_id, p.path, f.name, f.version, f.filename, f.size, f.sha256, f.md5, f.blake2_256, f.blob_key "
    "FROM files f LEFT JOIN projects p ON p.id = f.project_id"
)
_PACKAGE = "k.id, k.project_id, p.path, k.name, k.version FROM packages k LEFT JOIN projects p ON p.id = k.project_id"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the catalogue."""

    id: int
    project_id: int
    path: str | None
    name: str
    version: str
    filename: str
    size: int
    digests: Digests
    blob_key: str


@dataclass(frozen=True, slots=True)
class PackageRow:
    """A package of the catalogue."""

    id: int
    project_id: int
    path: str | None
    name: str
    version: str


class Snapshot:
    """Records and blobs, to be joined. Used by one thread."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(_TABLES)

    def close(self) -> None:
        self._database.close()

    # Filling

    def add(self, record: Record) -> None:
        """Add a record."""
        match record:
            case ProjectRecord():
                self._database.insert("projects", record.id, record.path)
            case PackageRecord(package):
                canonical = canonicalize_version(package.version)
                row = package.id, package.project_id, package.normalized_name, package.version, canonical
                self._database.insert("packages", *row)
            case FileRecord(file):
                package, digests = file.package, file.digests
                self._database.insert(
                    "files",
                    *(file.id, package.id, package.project_id, package.normalized_name, package.version),
                    *(file.filename, file.size, digests.sha256, digests.md5, digests.blake2_256, file.blob_key),
                    identity_of(file.filename, package.normalized_name, package.version),
                )
            case PublicationRecord():
                self._database.insert("publications", record.name, record.project_id)
            case StatusRecord() | LastIdsRecord() | CopiedRecord():
                pass  # a status holds also while the name has no package

    def sort(self) -> None:
        """Build the indexes, after the last record was added."""
        for statement in _INDEXES.split(";"):  # executescript would end the transaction
            self._database.write(statement)

    def add_blobs(self, blobs: Iterable[tuple[str, int, datetime]]) -> None:
        """Add blobs."""
        for key, size, stored_at in blobs:
            self._database.insert("blobs", key, size, stored_at.timestamp())

    # Reading

    def count(self, table: str) -> int:
        return self._database.value(f"SELECT count(*) FROM {table}")

    def bytes_of_files(self) -> int:
        """Return the sum of the sizes of the blobs that files have."""
        statement = "SELECT ifnull(sum(b.size), 0) FROM files f JOIN blobs b ON b.key = f.blob_key"
        return self._database.value(statement)

    def files_with_stored_size(self) -> Iterator[tuple[FileRow, int | None]]:
        """Yield every file, with the size of its blob; None if it has none."""
        for *row, stored in self._database.read(
            f"SELECT {_FILE.replace(' FROM', ', b.size FROM')} LEFT JOIN blobs b ON b.key = f.blob_key ORDER BY f.id"
        ):
            yield _file(row), stored

    def unlisted(self, before: datetime) -> Iterator[tuple[str, int]]:
        """Yield key and size of each blob without a file that was stored before a time."""
        yield from self._database.read(
            "SELECT key, size FROM blobs WHERE stored_at < ? "
            "AND NOT EXISTS (SELECT 1 FROM files WHERE blob_key = blobs.key)",
            (before.timestamp(),),
        )

    def files_without_package(self) -> Iterator[FileRow]:
        condition = "NOT EXISTS (SELECT 1 FROM packages WHERE id = f.package_id AND project_id = f.project_id)"
        return self._files(condition)

    def files_with_a_shared(self, column: str, within: str = "") -> Iterator[FileRow]:
        """Yield the files that have the same value in a column as an older file.

        :param within: a column that must be the same, too.
        """
        same = f"AND other.{within} = f.{within}" if within else ""
        return self._files(
            f"EXISTS (SELECT 1 FROM files other WHERE other.{column} = f.{column} {same} AND other.rowid < f.rowid)"
        )

    def respelled_files(self) -> Iterator[tuple[FileRow, str]]:
        """Yield each file whose name is another spelling of that of an older file, with the name of the oldest one."""
        oldest = (
            "SELECT other.filename FROM files other WHERE other.project_id = f.project_id "
            "AND other.identity = f.identity ORDER BY other.id LIMIT 1"
        )
        statement = f"SELECT * FROM (SELECT ({oldest}) AS oldest, {_FILE}) WHERE oldest != filename ORDER BY id"
        for name, *row in self._database.read(statement):
            yield _file(row), name

    def packages_without_file(self) -> Iterator[PackageRow]:
        return self._packages("NOT EXISTS (SELECT 1 FROM files WHERE package_id = k.id)")

    def packages_without_project(self) -> Iterator[PackageRow]:
        return self._packages("p.id IS NULL")

    def packages_without_publication(self) -> Iterator[PackageRow]:
        return self._packages(
            "NOT EXISTS (SELECT 1 FROM publications WHERE name = k.name AND project_id = k.project_id)"
        )

    def packages_twice(self) -> Iterator[PackageRow]:
        """Yield the packages that have the id, or the project, name and version, of another one before them."""
        return self._packages(
            "EXISTS (SELECT 1 FROM packages other WHERE other.id = k.id AND other.rowid < k.rowid) OR EXISTS ("
            "SELECT 1 FROM packages other WHERE other.project_id = k.project_id AND other.name = k.name "
            "AND other.canonical_version = k.canonical_version AND other.rowid < k.rowid)"
        )

    def _files(self, condition: str) -> Iterator[FileRow]:
        return map(_file, self._database.read(f"SELECT {_FILE} WHERE {condition} ORDER BY f.id"))

    def _packages(self, condition: str) -> Iterator[PackageRow]:
        rows = self._database.read(f"SELECT {_PACKAGE} WHERE {condition} ORDER BY k.id")
        return (PackageRow(*row) for row in rows)


def _file(row: Any) -> FileRow:
    id_, project_id, path, name, version, filename, size, sha256, md5, blake2_256, key = row
    digests = Digests(sha256, md5, blake2_256)
    return FileRow(id_, project_id, path, name, version, filename, size, digests, key)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items."""
    remaining = iter(items)
    while batch := [*islice(remaining, size)]:
        yield batch
