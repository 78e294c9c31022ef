"""Reading and writing a whole catalogue as records."""

from collections.abc import Collection, Iterator, Set
from contextlib import closing
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
from packaging.utils import canonicalize_version

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
from pypi_registry.errors import FileTaken
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
    variants_as_blob,
)
from pypi_registry.stores.postgres.changes import insert_root, lock_of, restore_file

_ROWS_AT_ONCE = 1_000  # that a cursor of the server returns per round trip

_PACKAGES = f"SELECT p.metadata, p.variants, {PACKAGE} FROM packages p"
_FILES = (
    f"SELECT c.data, f.identity, {FILE}, {PACKAGE} FROM files f JOIN packages p ON p.id = f.package_id "
    "LEFT JOIN core_metadata c ON c.file_id = f.id"
)


def read_all(connection: psycopg.Connection[Any]) -> Iterator[Record]:
    """Yield every record; a package before its files, a project before its packages."""
    yield from _last_ids(connection)
    for copied in connection.execute("SELECT package_id, file_id FROM copied_up_to"):
        yield CopiedRecord(*copied)
    for id_, path in read_rows(connection, "SELECT id, path FROM projects WHERE path != '' ORDER BY id"):
        yield ProjectRecord(id_, path)
    for row in read_rows(connection, f"{_PACKAGES} ORDER BY p.id"):
        yield _package_record(row)
    for row in read_rows(connection, f"{_FILES} ORDER BY f.id"):
        yield _file_record(row)
    for id_, name, *status in read_rows(connection, "SELECT project_id, name, status, reason FROM statuses"):
        yield StatusRecord(id_, name, read_status(*status))
    for name, root, id_ in read_rows(connection, "SELECT name, root, project_id FROM publications"):
        yield PublicationRecord(name, root, id_)


def lock_of_record(record: Record) -> int:
    """Return the number of the lock under which a record is written."""
    match record:
        case PackageRecord():
            return lock_of(record.package.project_id, record.package.normalized_name)
        case FileRecord():
            return lock_of(record.file.package.project_id, record.file.package.normalized_name)
        case ProjectRecord():
            return lock_of(record.id, "")
        case LastIdsRecord() | CopiedRecord():
            return lock_of(0, "")
        case StatusRecord() | PublicationRecord():
            return lock_of(record.project_id, record.name)


def restore(connection: psycopg.Connection[Any], record: Record) -> None:
    """Write a record with its ids, within the transaction of the caller.

    :raises ValueError: if another record has its id or its file name, or the package of a file is missing.
    """
    try:
        match record:
            case LastIdsRecord():
                for table, last in (("packages", record.package), ("files", record.file)):
                    if last:
                        _advance(connection, table, last)
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
    except (psycopg.IntegrityError, FileTaken) as error:
        raise ValueError(f"another record is in conflict with {record}: {error}") from error


def listed(connection: psycopg.Connection[Any], blob_keys: Collection[str]) -> Set[str]:
    """Return those of these keys that a file has, also a file whose package is missing."""
    statement = "SELECT blob_key FROM files WHERE blob_key = ANY(%s)"
    return {key for (key,) in connection.execute(statement, ([*blob_keys],))}


def read_rows(connection: psycopg.Connection[Any], statement: str) -> Iterator[Any]:
    """Yield rows from a cursor of the server, so that only some of them are in memory."""
    with closing(connection.cursor("records")) as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(statement)
        yield from cursor


def _last_ids(connection: psycopg.Connection[Any]) -> Iterator[LastIdsRecord]:
    last = [
        value if is_called else 0
        for table in ("packages", "files")
        for value, is_called in connection.execute(f"SELECT last_value, is_called FROM {table}_id_seq")
    ]
    if any(last):
        yield LastIdsRecord(*last)


def _restore_copied(connection: psycopg.Connection[Any], record: CopiedRecord) -> None:
    connection.execute(
        "INSERT INTO copied_up_to (id, package_id, file_id) VALUES (1, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET package_id = excluded.package_id, file_id = excluded.file_id",
        (record.package, record.file),
    )


def _restore_project(connection: psycopg.Connection[Any], record: ProjectRecord) -> None:
    connection.execute(
        "INSERT INTO projects AS w (id, path) VALUES (%s, %s) "
        "ON CONFLICT (id) DO UPDATE SET path = excluded.path WHERE w.path != excluded.path",
        (record.id, record.path),
    )
    insert_root(connection, record.id, root_of(record.path))


def _restore_package(connection: psycopg.Connection[Any], record: PackageRecord) -> None:
    package = record.package
    row = connection.execute(f"{_PACKAGES} WHERE p.id = %s", (package.id,)).fetchone()
    found = None if row is None else _package_record(row)
    if found == record:
        return
    if found is not None and replace(found.package, yanked=package.yanked) == package:
        connection.execute(
            "UPDATE packages SET metadata = %s, variants = %s WHERE id = %s",
            (metadata_as_json(record.metadata), variants_as_blob(record.variants), package.id),
        )
        if found.package.yanked != package.yanked:  # a trigger changes the revision of its page
            connection.execute("UPDATE packages SET yanked = %s WHERE id = %s", (package.yanked, package.id))
        return
    _advance(connection, "packages", package.id)
    connection.execute(
        "INSERT INTO packages (id, project_id, name, normalized_name, version, canonical_version, metadata, "
        "created_at, yanked, variants) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
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


def _restore_file(connection: psycopg.Connection[Any], record: FileRecord) -> None:
    file = record.file
    row = connection.execute(f"{_FILES} WHERE f.id = %s", (file.id,)).fetchone()
    if row is not None and _file_record(row) == record:
        return
    statement = "SELECT 1 FROM packages WHERE id = %s AND project_id = %s"
    if not connection.execute(statement, (file.package.id, file.package.project_id)).fetchone():
        raise ValueError(f"the package of {file.filename} is missing")
    _advance(connection, "files", file.id)
    restore_file(connection, record)


def _restore_status(connection: psycopg.Connection[Any], record: StatusRecord) -> None:
    connection.execute(
        "INSERT INTO statuses AS s (project_id, name, status, reason) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (project_id, name) DO UPDATE SET status = excluded.status, reason = excluded.reason "
        "WHERE (s.status, s.reason) != (excluded.status, excluded.reason)",
        (record.project_id, record.name, record.status.status.value, record.status.reason),
    )


def _restore_publication(connection: psycopg.Connection[Any], record: PublicationRecord) -> None:
    connection.execute(
        "INSERT INTO publications (name, root, project_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (record.name, record.root, record.project_id),
    )
    insert_root(connection, record.project_id, record.root)


def _advance(connection: psycopg.Connection[Any], table: LiteralString, id_: int) -> None:
    """Let the sequence of a table continue after an id.

    ``setval`` could set it below an id that another transaction gets at this moment, so no other transaction may
    insert.
    """
    ahead = f"SELECT 1 FROM {table}_id_seq WHERE last_value < %s OR last_value = %s AND NOT is_called"
    if connection.execute(ahead, (id_, id_)).fetchone():
        connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(f"SELECT setval('{table}_id_seq', greatest(%s, last_value)) FROM {table}_id_seq", (id_,))


def _package_record(row: Any) -> PackageRecord:
    metadata, variants, *package = row
    return PackageRecord(read_package(*package), read_metadata(metadata), read_variants(variants))


def _file_record(row: Any) -> FileRecord:
    core_metadata, identity, *file = row
    return FileRecord(read_file(*file), None if core_metadata is None else read_text(core_metadata), identity)
