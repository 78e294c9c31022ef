"""The tables of `SQLiteCatalogue`, and how an older file comes to have them."""

import sqlite3

from pypi_registry.errors import RegistryError

_FIRST = """
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
    project_id INTEGER NOT NULL,           -- -1: of all projects; -2: the number of the last change
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

_CORE_METADATA = """
ALTER TABLE files ADD COLUMN metadata_sha256 TEXT;
CREATE TABLE core_metadata (
    file_id INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    data BLOB NOT NULL
);
"""

_STEPS = (_FIRST, _CORE_METADATA)  # what was released stays as it is: a change is a step more

SCHEMA_VERSION = len(_STEPS)
"""Kept in ``PRAGMA user_version``."""


class UnknownSchema(RegistryError):
    """Says that a file was made by a newer version of this package, or is no catalogue."""

    def __init__(self, path: str, found: int) -> None:
        super().__init__(path, found)
        self.path = path
        self.found = found

    def __str__(self) -> str:
        return f"{self.path} has the schema version {self.found}, and this program knows {SCHEMA_VERSION}"


def make_schema(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables that are missing, within the transaction of the caller.

    :raises UnknownSchema: if the file was made by a newer version of this package, or is no catalogue.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if found not in ((0,) if is_new else range(1, SCHEMA_VERSION + 1)):
        raise UnknownSchema(path, found)
    for step in _STEPS[found:]:
        for statement in step.split(";\n"):
            connection.execute(statement)
    # Written each time, so that a catalogue that cannot be written is found now and not by an upload.
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
