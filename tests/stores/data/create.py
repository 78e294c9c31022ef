"""Create a catalogue with an older version of the package, as a data file for the tests of migrations.

Usage: PYTHONPATH=CHECKOUT python create.py FILE

``schema1.sqlite3`` was created by commit bd13230^ and ``schema2.sqlite3`` by commit 019f895, the last ones that wrote
these schemas. Both versions publish, yank, archive and delete the same; only schema 2 stores core metadata.
``schema3.sqlite3`` is ``schema2.sqlite3`` after commit 216c311 migrated it, and ``schema4.sqlite3`` is
``schema3.sqlite3`` after commit 1b323dc migrated it.
"""

import importlib
import sqlite3
import sys
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.utils import canonicalize_name

# The modules of the older version, of which the type checker knows nothing
model: Any = importlib.import_module("pypi_registry.model")
sqlite: Any = importlib.import_module("pypi_registry.stores.sqlite")

Project = model.Project
TOOLS, LIBS, ALONE = Project(1, "Acme/tools"), Project(2, "acme/deep/libs"), Project(10**15, "alone")
MOVED = Project(2, "Moved/libs")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

FILES: list[tuple[Any, ...]] = [
    (TOOLS, "Demo.X", "1.0", "demo_x-1.0.zip", b"Name: Demo.X\n"),
    (TOOLS, "demo-x", "1", "demo_x-1.0.tar.gz", None),
    (TOOLS, "demo-x", "2.0", "demo_x-2.0.zip", b""),
    (TOOLS, "other", "1.0", "other-1.0.zip", None),
    (LIBS, "demo-x", "1.0", "demo_x-1.0.zip", None),
    (ALONE, "empty", "1.0", "empty-1.0.zip", None),
    (ALONE, "gone", "1.0", "gone-1.0.zip", None),
    (MOVED, "other", "3.0", "other-3.0.zip", None),
]


def main() -> None:
    catalogue = sqlite.SQLiteCatalogue(sys.argv[1])
    added = [
        catalogue.add(project, _upload(number, *rest), f"{number:032x}", AT + timedelta(days=number))
        for number, (project, *rest) in enumerate(FILES)
    ]
    catalogue.yank(added[2].package, "broken")
    quarantined = model.NameStatus(model.Status.QUARANTINED, "malware")
    catalogue.set_status(LIBS, canonicalize_name("demo-x"), quarantined)
    catalogue.set_status(TOOLS, canonicalize_name("absent"), model.NameStatus(model.Status.ARCHIVED, ""))
    catalogue.delete_file(added[5])
    catalogue.delete_package(added[6].package)
    catalogue.close()
    with closing(sqlite3.connect(sys.argv[1])) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _upload(number: int, name: str, version: str, filename: str, core_metadata: bytes | None) -> Any:
    values = {
        "name": name,
        "normalized": canonicalize_name(name),
        "version": version,
        "filename": filename,
        "size": 4 + number,
        "digests": model.Digests(f"{number:064x}", f"{number:032x}", None),
        "requires_python": ">=3.8" if number % 2 else "",
        "about": model.About(summary=f"summary {number} é", keywords="a,b"),
        "core_metadata": core_metadata,
    }
    known = {field.name for field in fields(model.Upload)}
    return model.Upload(**{name: value for name, value in values.items() if name in known})


if __name__ == "__main__":
    main()
