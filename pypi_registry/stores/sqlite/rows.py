"""How packages and files stand in rows: the columns, and what is made of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.utils import NormalizedName

from pypi_registry.model import Digests, Package, PackageFile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PACKAGE = "p.id, p.project_id, p.name, p.normalized, p.version, p.created_at, p.yanked"
"""The columns of a package, of the table ``packages`` as p."""

FILE = f"""
SELECT f.id, f.filename, f.size, f.sha256, f.md5, f.blake2_256, f.requires_python, f.uploaded_at, f.key,
    f.metadata_sha256, {PACKAGE}
FROM files f JOIN packages p ON p.id = f.package_id
"""
"""Gives the rows that `read_file` takes, of the tables ``files`` as f and ``packages`` as p; a condition follows."""


def read_file(
    number: int,
    filename: str,
    size: int,
    sha256: str,
    md5: str | None,
    blake2_256: str | None,
    requires_python: str,
    microseconds: int,
    key: str,
    metadata_sha256: str | None,
    *package: Any,
) -> PackageFile:
    """Make a file of the columns that `FILE` asks for."""
    digests = Digests(sha256, md5, blake2_256)
    return PackageFile(
        *(number, read_package(*package), filename, size, digests, requires_python, _moment(microseconds)),
        *(key, metadata_sha256),
    )


def read_package(
    number: int,
    project: int,
    name: str,
    normalized_name: NormalizedName,
    version: str,
    microseconds: int,
    yanked: str | None,
) -> Package:
    """Make a package of the columns of `PACKAGE`."""
    return Package(number, project, name, normalized, version, _moment(microseconds), yanked)


def microseconds_of(at: datetime) -> int:
    """Give a moment as it stands in rows: microseconds since 1970, UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
