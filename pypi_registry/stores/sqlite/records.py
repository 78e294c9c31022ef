"""Reading and writing a whole catalogue as records."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_version

from pypi_registry._filenames import identity_of
from pypi_registry._paths import root_of
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
from pypi_registry.model import Package, PackageFile, Upload
from pypi_registry.stores._rows import (
    FILE,
    PACKAGE,
    metadata_as_json,
    microseconds_of,
    read_file,
    read_metadata,
    read_package,
    read_status,
    read_text,
    read_variants,
    text_as_blob,
    variants_as_blob,
)
from pypi_registry.stores.sqlite.schema import index_new_names

_PACKAGES = f"SELECT p.metadata, p.variants, {PACKAGE} FROM packages p"
_FILES = (
    f"SELECT c.data, f.identity, {FILE}, {PACKAGE} FROM files f JOIN packages p ON p.id = f.package_id "
    "LEFT JOIN core_metadata c ON c.file_id = f.id"
)


def read_all(connection: sqlite3.Connection) -> Iterator[Record]:
    """Yield every record; a package before its files, a project before its packages."""
    yield from _last_ids(connection)
    for copied in connection.execute("SELECT package_id, file_id FROM copied_up_to"):
        yield CopiedRecord(*copied)
    for id_, path in connection.execute("SELECT id, path FROM projects WHERE path != '' ORDER BY id"):
        yield ProjectRecord(id_, path)
    for row in connection.execute(f"{_PACKAGES} ORDER BY p.id"):
        yield _package_record(row)
    for row in connection.execute(f"{_FILES} ORDER BY f.id"):
        yield _file_record(row)
    for id_, name, *status in connection.execute("SELECT project_id, name, status, reason FROM statuses"):
        yield StatusRecord(id_, name, read_status(*status))
    for name, root, id_ in connection.execute("SELECT name, root, project_id FROM publications"):
        yield PublicationRecord(name, root, id_)


def restore(connection: sqlite3.Connection, record: Record) -> None:
    """Write a record with its ids, within the transaction of the caller.

    :raises ValueError: if another record has its id, its file name or its identity, or the package of a file is
        missing.
    """
    try:
        match record:
            case LastIdsRecord():
                _restore_last_ids(connection, record)
            case CopiedRecord():
                _restore_copied(connection, record)
            case ProjectRecord():
                _restore_project(connection, record)
            case PackageRecord():
                _restore_package(connection, record)
            case FileRecord():
                _restore_file(connection, record)
            case StatusRecord():
                _restore_status(connection, record)
            case PublicationRecord():
                _restore_publication(connection, record)
    except sqlite3.IntegrityError as error:
        raise ValueError(f"another record is in conflict with {record}: {error}") from error


def insert_file(
    connection: sqlite3.Connection,
    file: Upload | PackageFile,
    package: Package,
    *,
    at: datetime,
    blob_key: str,
    by: str,
    core_metadata: bytes | None,
    core_metadata_sha256: str | None,
    id_: int | None = None,
    identity: str | None = None,
) -> int:
    """Insert a file with its core metadata, with a fresh id if there is none; return the id.

    :raises sqlite3.IntegrityError: if the project has a file with this name or identity, or another file has the id.
    """
    id_ = connection.execute(
        "INSERT INTO files (id, package_id, project_id, filename, size, sha256, md5, blake2_256, requires_python, "
        "uploaded_at, blob_key, core_metadata_sha256, uploaded_by, identity, variant) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id_,
            package.id,
            package.project_id,
            file.filename,
            file.size,
            file.digests.sha256,
            file.digests.md5,
            file.digests.blake2_256,
            file.requires_python,
            microseconds_of(at),
            blob_key,
            core_metadata_sha256,
            by,
            identity,
            file.variant,
        ),
    ).lastrowid
    assert id_ is not None
    if core_metadata is not None:
        connection.execute(
            "INSERT INTO core_metadata (file_id, data) VALUES (?, ?)", (id_, text_as_blob(core_metadata))
        )
    return id_


def delete_file(connection: sqlite3.Connection, file_id: int, package: Package) -> None:
    """Delete a file. If an older version stored other spellings of its name, the oldest of these gets its identity."""
    statement = "SELECT identity FROM files WHERE id = ?"
    [identity] = connection.execute(statement, (file_id,)).fetchone()
    connection.execute("DELETE FROM files WHERE id = ?", (file_id,))
    if identity is None:
        return
    statement = "SELECT id, filename FROM files WHERE package_id = ? AND identity IS NULL ORDER BY id"
    for id_, filename in connection.execute(statement, (package.id,)):
        if identity_of(filename, package.normalized_name, package.version) == identity:
            connection.execute("UPDATE files SET identity = ? WHERE id = ?", (identity, id_))
            return


def listed(connection: sqlite3.Connection, blob_keys: Collection[str]) -> Set[str]:
    """Return those of these keys that a file has, also a file whose package is missing."""
    statement = "SELECT blob_key FROM files WHERE blob_key IN (SELECT value FROM json_each(?))"
    return {key for (key,) in connection.execute(statement, (json.dumps([*blob_keys]),))}


def insert_root(connection: sqlite3.Connection, project_id: int, root: str) -> None:
    """Store that a project is in a root group, or was."""
    connection.execute("INSERT OR IGNORE INTO project_roots (project_id, root) VALUES (?, ?)", (project_id, root))


def _last_ids(connection: sqlite3.Connection) -> Iterator[LastIdsRecord]:
    last = dict(connection.execute("SELECT name, seq FROM sqlite_sequence WHERE name IN ('packages', 'files')"))
    if any(last.values()):
        yield LastIdsRecord(last.get("packages", 0), last.get("files", 0))


def _restore_last_ids(connection: sqlite3.Connection, record: LastIdsRecord) -> None:
    # SQLite's documentation of AUTOINCREMENT: "Applications can modify the sqlite_sequence table". It has no index.
    for table, last in (("packages", record.package), ("files", record.file)):
        updated = connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, table))
        if not updated.rowcount and last:
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def _restore_copied(connection: sqlite3.Connection, record: CopiedRecord) -> None:
    connection.execute(
        "INSERT INTO copied_up_to (id, package_id, file_id) VALUES (1, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET package_id = excluded.package_id, file_id = excluded.file_id",
        (record.package, record.file),
    )


def _restore_project(connection: sqlite3.Connection, record: ProjectRecord) -> None:
    connection.execute(
        "INSERT INTO projects (id, path) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET path = excluded.path WHERE path != excluded.path",
        (record.id, record.path),
    )
    insert_root(connection, record.id, root_of(record.path))


def _restore_package(connection: sqlite3.Connection, record: PackageRecord) -> None:
    package = record.package
    row = connection.execute(f"{_PACKAGES} WHERE p.id = ?", (package.id,)).fetchone()
    found = None if row is None else _package_record(row)
    if found == record:
        return
    if found is not None and replace(found.package, yanked=package.yanked) == package:
        connection.execute(
            "UPDATE packages SET metadata = ?, variants = ? WHERE id = ?",
            (metadata_as_json(record.metadata), variants_as_blob(record.variants), package.id),
        )
        if found.package.yanked != package.yanked:  # a trigger changes the revision of its page
            connection.execute("UPDATE packages SET yanked = ? WHERE id = ?", (package.yanked, package.id))
        return
    connection.execute(
        "INSERT INTO packages (id, project_id, name, normalized_name, version, canonical_version, metadata, "
        "created_at, yanked, variants) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            package.id,
            package.project_id,
            package.name,
            package.normalized_name,
            package.version,
            canonicalize_version(package.version),
            metadata_as_json(record.metadata),
            microseconds_of(package.created_at),
            package.yanked,
            variants_as_blob(record.variants),
        ),
    )
    index_new_names(connection)


def _restore_file(connection: sqlite3.Connection, record: FileRecord) -> None:
    file = record.file
    row = connection.execute(f"{_FILES} WHERE f.id = ?", (file.id,)).fetchone()
    if row is not None and _file_record(row) == record:
        return
    statement = "SELECT 1 FROM packages WHERE id = ? AND project_id = ?"
    if not connection.execute(statement, (file.package.id, file.package.project_id)).fetchone():
        raise ValueError(f"the package of {file.filename} is missing")
    insert_file(
        connection,
        file,
        file.package,
        at=file.uploaded_at,
        blob_key=file.blob_key,
        by=file.uploaded_by,
        core_metadata=record.core_metadata,
        core_metadata_sha256=file.core_metadata_sha256,
        id_=file.id,
        identity=record.identity,
    )


def _restore_status(connection: sqlite3.Connection, record: StatusRecord) -> None:
    connection.execute(
        "INSERT INTO statuses (project_id, name, status, reason) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (project_id, name) DO UPDATE SET status = excluded.status, reason = excluded.reason "
        "WHERE (status, reason) != (excluded.status, excluded.reason)",
        (record.project_id, record.name, record.status.status, record.status.reason),
    )


def _restore_publication(connection: sqlite3.Connection, record: PublicationRecord) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO publications (name, root, project_id) VALUES (?, ?, ?)",
        (record.name, record.root, record.project_id),
    )
    insert_root(connection, record.project_id, record.root)


def _package_record(row: Any) -> PackageRecord:
    metadata, variants, *package = row
    return PackageRecord(read_package(*package), read_metadata(metadata), read_variants(variants))


def _file_record(row: Any) -> FileRecord:
    core_metadata, identity, *file = row
    return FileRecord(read_file(*file), None if core_metadata is None else read_text(core_metadata), identity)
