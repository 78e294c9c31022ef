"""The columns and joins that the SQL catalogues share, and how their rows become the data types of the model."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.utils import NormalizedName

from pypi_registry.model import (
    Digests,
    FileWithStatus,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    Status,
)

_COMPRESSED_FROM = 16 * 1024  # bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PACKAGE = "p.id, p.project_id, p.name, p.normalized_name, p.version, p.created_at, p.yanked"
"""The columns that `read_package` reads, of the table ``packages`` as p."""

FILE = (
    "f.id, f.filename, f.size, f.sha256, f.md5, f.blake2_256, f.requires_python, f.uploaded_at, f.blob_key, "
    "f.core_metadata_sha256, f.uploaded_by, f.variant"
)
"""The columns that `read_file` reads before those of `PACKAGE`, of the table ``files`` as f."""

STATUS = "s.status, s.reason"
"""The columns that `read_status` reads, of the table ``statuses`` as s, which is joined with ``LEFT JOIN``."""

LISTED = f"""
SELECT {FILE}, {PACKAGE}, {STATUS}
FROM packages p LEFT JOIN files f ON f.package_id = p.id
LEFT JOIN statuses s ON s.project_id = p.project_id AND s.name = p.normalized_name
"""
"""The files of packages with the status of their names, without a condition."""

WITH_STATUS = f"""
SELECT {STATUS}, {FILE}, {PACKAGE}
FROM files f JOIN packages p ON p.id = f.package_id
LEFT JOIN statuses s ON s.project_id = p.project_id AND s.name = p.normalized_name
"""
"""The columns that `read_file_with_status` reads, without a condition."""

_METADATA = [field.name for field in fields(PackageMetadata)]

FILE_COLUMNS = FILE.count(",") + 1


def read_package(
    id: int,  # noqa: A002  # the name of the column
    project_id: int,
    name: str,
    normalized_name: NormalizedName,
    version: str,
    created_at: int,
    yanked: str | None,
) -> Package:
    """Return a package from the columns of `PACKAGE`."""
    return Package(id, project_id, name, normalized_name, version, datetime_of(created_at), yanked)


def read_file(
    id: int,  # noqa: A002  # the name of the column
    filename: str,
    size: int,
    sha256: str,
    md5: str | None,
    blake2_256: str | None,
    requires_python: str,
    uploaded_at: int,
    blob_key: str,
    core_metadata_sha256: str | None,
    uploaded_by: str,
    variant: str | None,
    *package: Any,
) -> PackageFile:
    """Return a file from the columns of `FILE` and `PACKAGE`."""
    return PackageFile(
        id=id,
        package=read_package(*package),
        filename=filename,
        size=size,
        digests=Digests(sha256, md5, blake2_256),
        requires_python=requires_python,
        uploaded_at=datetime_of(uploaded_at),
        blob_key=blob_key,
        core_metadata_sha256=core_metadata_sha256,
        uploaded_by=uploaded_by,
        variant=variant,
    )


def read_files(rows: Iterable[Any]) -> list[PackageFile]:
    """Return files, the oldest first, from rows of `FILE` and `PACKAGE`; packages without a file are left out.

    Sorting here is cheaper than ``ORDER BY``, for which SQLite copies each row into a temporary table.
    """
    return [read_file(*row) for row in sorted(row for row in rows if row[0] is not None)]


def read_status(status: str | None, reason: str | None) -> NameStatus:
    """Return a status from the columns of `STATUS`; active if there is no row."""
    return NameStatus() if status is None else NameStatus(Status(status), reason or "")


def read_file_with_status(row: Any) -> FileWithStatus:
    """Return a file with its status from the columns of `STATUS`, `FILE` and `PACKAGE`."""
    return FileWithStatus(read_file(*row[2:]), read_status(row[0], row[1]))


def metadata_as_json(metadata: PackageMetadata) -> str:
    """Return the text that the column ``metadata`` holds."""
    return json.dumps({name: getattr(metadata, name) for name in _METADATA})


def variants_as_blob(contents: Sequence[str]) -> bytes | None:
    """Return what the column ``packages.variants`` holds: JSON, compressed if it is long, or NULL if there are none."""
    return text_as_blob(json.dumps([*contents]).encode()) if contents else None


def read_variants(blob: bytes | None) -> tuple[str, ...]:
    """Return the contents that the column ``packages.variants`` holds."""
    return () if blob is None else tuple(json.loads(read_text(blob)))


def text_as_blob(data: bytes) -> bytes:
    """Return what a column for core metadata or JSON holds: NUL and zlib's stream for a long text, otherwise the text.

    A small archive can contain a megabyte of core metadata, so the catalogue must not grow by its uncompressed size.
    Neither core metadata nor JSON begins with NUL. Short texts are not compressed, because that would cost an upload
    more time than the saved space is worth.
    """
    return data if len(data) < _COMPRESSED_FROM else b"\0" + zlib.compress(data, 1)


def read_text(blob: bytes) -> bytes:
    """Return the text that `text_as_blob` stored."""
    return zlib.decompress(memoryview(blob)[1:]) if blob[:1] == b"\0" else bytes(blob)


def read_metadata(text: str) -> PackageMetadata:
    """Return the metadata that the column ``metadata`` holds."""
    return PackageMetadata(**json.loads(text))


def microseconds_of(at: datetime) -> int:
    """Return a time as the rows hold it: microseconds since 1970, UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def datetime_of(microseconds: int) -> datetime:
    """Return the time, aware and in UTC, that a row holds as microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)
