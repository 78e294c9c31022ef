"""The statements that change the catalogue, each function within the transaction of its caller."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import psycopg
from packaging.utils import NormalizedName

from pypi_registry._filenames import canonical_version, identity_of
from pypi_registry._records import FileRecord
from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import Deletion, NameStatus, Package, PackageFile, Project, Status, Upload
from pypi_registry.stores._rows import (
    FILE,
    PACKAGE,
    metadata_as_json,
    microseconds_of,
    read_files,
    read_package,
    text_as_blob,
)
from pypi_registry.stores.postgres import variants

_UNIQUE_FILES = ("files_by_name", "files_by_identity")

# All rows that an upload depends on, in one statement: each statement is a round trip.
_LOOK_UP = f"""
SELECT
    (SELECT status FROM statuses WHERE project_id = %(project)s AND name = %(name)s),
    EXISTS (SELECT FROM projects WHERE id = %(project)s AND path = %(path)s)
        AND EXISTS (SELECT FROM project_roots WHERE project_id = %(project)s AND root = %(root)s),
    EXISTS (SELECT FROM publications WHERE name = %(name)s AND root = %(root)s AND project_id = %(project)s),
    p.metadata, {PACKAGE}
FROM (SELECT) one LEFT JOIN packages p
    ON p.project_id = %(project)s AND p.normalized_name = %(name)s AND p.canonical_version = %(version)s
"""

_FILE_AND_CORE_METADATA = """
file AS (
    INSERT INTO files ({id_column}package_id, project_id, filename, size, sha256, md5, blake2_256, requires_python,
        uploaded_at, blob_key, core_metadata_sha256, uploaded_by, identity, variant)
    VALUES ({id}{package}, %(project)s, %(filename)s, %(size)s, %(sha256)s, %(md5)s, %(blake2_256)s,
        %(requires_python)s, %(at)s, %(blob_key)s, %(core_metadata_sha256)s, %(by)s, %(identity)s, %(variant)s)
    RETURNING id
), core_metadata AS (
    INSERT INTO core_metadata (file_id, data)
    SELECT id, %(core_metadata)s::bytea FROM file WHERE %(core_metadata)s::bytea IS NOT NULL
)
"""

_INSERT_FILE = f"""
WITH {_FILE_AND_CORE_METADATA.format(id_column="", id="", package="%(package)s")}
SELECT %(package)s, id FROM file
"""

_RESTORE_FILE = f"""
WITH {_FILE_AND_CORE_METADATA.format(id_column="id, ", id="%(id)s, ", package="%(package)s")}
SELECT %(package)s, id FROM file
"""

# One statement for all that a new package needs, because its trigger locks the row of the project until the end of the
# transaction: other new packages of the project wait for it.
_INSERT_PACKAGE_AND_FILE = f"""
WITH publication AS (
    INSERT INTO publications (name, root, project_id) VALUES (%(normalized_name)s, %(root)s, %(project)s)
    ON CONFLICT DO NOTHING
), package AS (
    INSERT INTO packages (project_id, name, normalized_name, version, canonical_version, metadata, created_at)
    VALUES (%(project)s, %(name)s, %(normalized_name)s, %(version)s, %(canonical_version)s, %(metadata)s, %(at)s)
    RETURNING id
), {_FILE_AND_CORE_METADATA.format(id_column="", id="", package="(SELECT id FROM package)")}
SELECT package.id, file.id FROM package, file
"""


def lock_of(project_id: int, name: str) -> int:
    """Return the number of the lock under which a name of a project is changed.

    A lock of the transaction, which PostgreSQL keeps in memory, so that changes of one name follow each other: a
    package would otherwise be deleted with its last file while another file is added to it.
    """
    digest = blake2b(f"{project_id}/{name}".encode(), digest_size=8, person=b"pypi_registry").digest()
    return int.from_bytes(digest, "big", signed=True)


class _Found(NamedTuple):
    """The facts that an upload depends on before it inserts rows."""

    status: str | None
    has_project: bool
    """Whether the present path and root group of the project are stored."""
    has_publication: bool
    metadata: str | None
    package: Package | None


def add(
    connection: psycopg.Connection[Any], project: Project, upload: Upload, blob_key: str, at: datetime, by: str
) -> PackageFile:
    """Implement `Catalogue.add`."""
    file = _add(connection, project, upload, blob_key, at, by)
    variants.add(connection, upload, file)
    return file


def _add(
    connection: psycopg.Connection[Any], project: Project, upload: Upload, blob_key: str, at: datetime, by: str
) -> PackageFile:
    version = canonical_version(upload.version)
    found = _look_up(connection, project, upload.normalized_name, version)
    if found.status is not None and not Status(found.status).accepts_uploads:
        raise UploadsRefused(upload.normalized_name, found.status)
    if not found.has_project:
        connection.execute(
            "INSERT INTO projects (id, path) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET path = excluded.path",
            (project.id, project.path),
        )
        insert_root(connection, project.id, project.root)
    metadata = metadata_as_json(upload.metadata)
    if found.package is None:
        return _insert_package_and_file(connection, project, upload, version, metadata, blob_key, at, by)
    if not found.has_publication:  # the project has moved
        connection.execute(
            "INSERT INTO publications (name, root, project_id) VALUES (%s, %s, %s)",
            (upload.normalized_name, project.root, project.id),
        )
    if metadata != found.metadata:
        connection.execute("UPDATE packages SET metadata = %s WHERE id = %s", (metadata, found.package.id))
    values = {
        "package": found.package.id,
        **_values(upload, project.id, upload.identity, upload.core_metadata, blob_key, at, by),
    }
    _, file_id = _inserted(connection, _INSERT_FILE, upload.filename, values)
    return _as_stored(file_id, found.package, upload, blob_key, at, by)


def delete_file(connection: psycopg.Connection[Any], project: Project, file_id: int) -> Deletion | None:
    """Implement `Catalogue.delete_file`."""
    files = _files(connection, "f.id = %s AND f.project_id = %s", file_id, project.id)
    if not files:
        return None
    _follow(connection, project)
    package = files[0].package
    _delete_file(connection, file_id, package)
    variants.delete(connection, files[0])
    deleted = connection.execute(
        "DELETE FROM packages WHERE id = %s AND NOT EXISTS (SELECT FROM files WHERE package_id = packages.id)",
        (package.id,),
    )
    return Deletion(package, files, package_deleted=deleted.rowcount > 0)


def delete_package(connection: psycopg.Connection[Any], project: Project, package_id: int) -> Deletion | None:
    """Implement `Catalogue.delete_package`."""
    package = _package(connection, project.id, package_id)
    if package is None:
        return None
    _follow(connection, project)
    files = _files(connection, "f.package_id = %s", package_id)
    connection.execute("DELETE FROM files WHERE package_id = %s", (package_id,))
    connection.execute("DELETE FROM packages WHERE id = %s", (package_id,))
    return Deletion(package, files, package_deleted=True)


def yank(connection: psycopg.Connection[Any], project: Project, package_id: int, reason: str | None) -> Package | None:
    """Implement `Catalogue.yank`."""
    if _package(connection, project.id, package_id) is None:
        return None
    _follow(connection, project)
    connection.execute("UPDATE packages SET yanked = %s WHERE id = %s", (reason, package_id))
    return _package(connection, project.id, package_id)


def set_status(connection: psycopg.Connection[Any], project: Project, name: NormalizedName, status: NameStatus) -> None:
    """Implement `Catalogue.set_status`."""
    _follow(connection, project)
    connection.execute(
        "INSERT INTO statuses (project_id, name, status, reason) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (project_id, name) DO UPDATE SET status = excluded.status, reason = excluded.reason",
        (project.id, name, status.status.value, status.reason),
    )


def restore_file(connection: psycopg.Connection[Any], record: FileRecord) -> None:
    """Insert a file with its core metadata and its id.

    :raises FileTaken: if the project has a file with this name, or with this identity.
    """
    file = record.file
    values = _values(
        file, file.package.project_id, record.identity, record.core_metadata, file.blob_key, file.uploaded_at,
        file.uploaded_by,
    )  # fmt: skip
    _inserted(connection, _RESTORE_FILE, file.filename, {"id": file.id, "package": file.package.id, **values})


def insert_root(connection: psycopg.Connection[Any], project_id: int, root: str) -> None:
    """Store that a project is in a root group, or was."""
    connection.execute(
        "INSERT INTO project_roots (project_id, root) VALUES (%s, %s) ON CONFLICT DO NOTHING", (project_id, root)
    )


def is_stored(connection: psycopg.Connection[Any], file: PackageFile) -> bool:
    """Return whether the row of an added file exists, by its blob key, which no other upload has."""
    statement = "SELECT 1 FROM files WHERE id = %s AND blob_key = %s"
    return connection.execute(statement, (file.id, file.blob_key)).fetchone() is not None


def _delete_file(connection: psycopg.Connection[Any], file_id: int, package: Package) -> None:
    """Delete a file. If an older version stored other spellings of its name, the oldest of these gets its identity."""
    deleted = connection.execute("DELETE FROM files WHERE id = %s RETURNING identity", (file_id,)).fetchone()
    if deleted in (None, (None,)):
        return
    statement = "SELECT id, filename FROM files WHERE package_id = %s AND identity IS NULL ORDER BY id"
    for id_, filename in connection.execute(statement, (package.id,)):
        if (identity_of(filename, package.normalized_name, package.version),) == deleted:
            connection.execute("UPDATE files SET identity = %s WHERE id = %s", (*deleted, id_))
            return


def _look_up(connection: psycopg.Connection[Any], project: Project, name: NormalizedName, version: str) -> _Found:
    values = {"project": project.id, "path": project.path, "root": project.root, "name": name, "version": version}
    row = connection.execute(_LOOK_UP, values).fetchone()
    assert row is not None
    status, has_project, has_publication, metadata, *package = row
    return _Found(status, has_project, has_publication, metadata, None if metadata is None else read_package(*package))


def _follow(connection: psycopg.Connection[Any], project: Project) -> None:
    """Store where a project is now: it may have moved since its last change.

    A change after this renews the revisions of its new root group and of the old ones.
    """
    connection.execute(
        "UPDATE projects SET path = %s WHERE id = %s AND path != %s", (project.path, project.id, project.path)
    )
    insert_root(connection, project.id, project.root)


def _insert_package_and_file(
    connection: psycopg.Connection[Any],
    project: Project,
    upload: Upload,
    version: str,
    metadata: str,
    blob_key: str,
    at: datetime,
    by: str,
) -> PackageFile:
    values = {
        "root": project.root,
        "name": upload.name,
        "normalized_name": upload.normalized_name,
        "version": upload.version,
        "canonical_version": version,
        "metadata": metadata,
        **_values(upload, project.id, upload.identity, upload.core_metadata, blob_key, at, by),
    }
    package_id, file_id = _inserted(connection, _INSERT_PACKAGE_AND_FILE, upload.filename, values)
    package = Package(package_id, project.id, upload.name, upload.normalized_name, upload.version, at)
    return _as_stored(file_id, package, upload, blob_key, at, by)


def _values(
    file: Upload | PackageFile,
    project_id: int,
    identity: str | None,
    core_metadata: bytes | None,
    blob_key: str,
    at: datetime,
    by: str,
) -> dict[str, Any]:
    """Return the parameters of `_FILE_AND_CORE_METADATA`."""
    return {
        "project": project_id,
        "filename": file.filename,
        "size": file.size,
        "sha256": file.digests.sha256,
        "md5": file.digests.md5,
        "blake2_256": file.digests.blake2_256,
        "requires_python": file.requires_python,
        "at": microseconds_of(at),
        "blob_key": blob_key,
        "core_metadata_sha256": file.core_metadata_sha256,
        "by": by,
        "identity": identity,
        "variant": file.variant,
        "core_metadata": None if core_metadata is None else text_as_blob(core_metadata),
    }


def _inserted(
    connection: psycopg.Connection[Any], statement: str, filename: str, values: Mapping[str, Any]
) -> tuple[int, int]:
    """Insert a file, perhaps with its package; return their ids.

    :raises FileTaken: if the project has a file with this name, or with this identity.
    """
    try:
        row = connection.execute(statement, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name in _UNIQUE_FILES:
            raise FileTaken(filename) from error
        raise
    assert row is not None
    return row[0], row[1]


def _as_stored(file_id: int, package: Package, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
    return PackageFile(
        id=file_id,
        package=package,
        filename=upload.filename,
        size=upload.size,
        digests=upload.digests,
        requires_python=upload.requires_python,
        uploaded_at=at,
        blob_key=blob_key,
        core_metadata_sha256=upload.core_metadata_sha256,
        uploaded_by=by,
        variant=upload.variant,
    )


def _files(connection: psycopg.Connection[Any], condition: str, *values: object) -> list[PackageFile]:
    statement = f"SELECT {FILE}, {PACKAGE} FROM files f JOIN packages p ON p.id = f.package_id WHERE {condition}"
    return read_files(connection.execute(statement, values))


def _package(connection: psycopg.Connection[Any], project_id: int, package_id: int) -> Package | None:
    statement = f"SELECT {PACKAGE} FROM packages p WHERE p.id = %s AND p.project_id = %s"
    row = connection.execute(statement, (package_id, project_id)).fetchone()
    return None if row is None else read_package(*row)
