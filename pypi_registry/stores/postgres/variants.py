"""The statements about wheel variants (PEP 825), each function within the transaction of its caller."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry.model import Package, PackageFile, Projects, Upload, VariantsHistory
from pypi_registry.storage import check_variant, variants_after
from pypi_registry.stores._rows import STATUS, read_status, read_variants, variants_as_blob

_HISTORIES = f"""
SELECT p.project_id, p.variants, {STATUS} FROM packages p
LEFT JOIN statuses s ON s.project_id = p.project_id AND s.name = p.normalized_name
WHERE p.project_id = ANY(%s) AND p.normalized_name = %s AND p.canonical_version = %s
AND p.variants IS NOT NULL ORDER BY p.id
"""


def add(connection: psycopg.Connection[Any], upload: Upload, file: PackageFile) -> None:
    """Store the variants of a package to which a file was added.

    :raises VariantConflict: if the file contradicts the others; the transaction must not be committed then.
    """
    if upload.variant is not None:
        check_variant(upload, _variants(connection, file.package, but=file))
        _update(connection, file.package)


def delete(connection: psycopg.Connection[Any], file: PackageFile) -> None:
    """Store the variants of a package from which a file was deleted."""
    if file.variant is not None:
        _update(connection, file.package)


def _update(connection: psycopg.Connection[Any], package: Package) -> None:
    row = connection.execute("SELECT variants FROM packages WHERE id = %s", (package.id,)).fetchone()
    assert row is not None
    contents = variants_after(read_variants(row[0]), _variants(connection, package))
    connection.execute("UPDATE packages SET variants = %s WHERE id = %s", (variants_as_blob(contents), package.id))


def _variants(connection: psycopg.Connection[Any], package: Package, but: PackageFile | None = None) -> Iterator[str]:
    statement = "SELECT variant FROM files WHERE package_id = %s AND id != %s AND variant IS NOT NULL ORDER BY id"
    rows = connection.execute(statement, (package.id, 0 if but is None else but.id))
    return (variant for (variant,) in rows)


def histories(
    connection: psycopg.Connection[Any], projects: Projects, name: NormalizedName, version: str
) -> Sequence[VariantsHistory]:
    """Implement `KeepsVariants.variants`."""
    if len(projects) == 1:
        ids = [*projects.ids]
    else:
        with_name = connection.execute("SELECT project_id FROM project_revisions WHERE name = %s", (name,))
        ids = [id_ for (id_,) in with_name if id_ in projects]
    rows = connection.execute(_HISTORIES, (ids, name, canonicalize_version(version))).fetchall()
    return [VariantsHistory(id_, read_status(*status), read_variants(blob)) for id_, blob, *status in rows]
