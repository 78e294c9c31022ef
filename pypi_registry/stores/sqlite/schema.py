"""The tables of `SQLiteCatalogue`, and the steps by which the file of an older version gets them.

Derived tables are kept by triggers, so that they are also correct after a change by another program, such as
``sqlite3``:

- ``projects.package_count``, ``list_revisions``, ``names`` and ``name_search``, from which lists are read;
- ``project_revisions`` and ``root_revisions``, from which `Catalogue.revision` is read.

A trigger writes a revision with ``UPDATE``, or with ``INSERT`` where ``NOT EXISTS`` was checked, or with an upsert.
It cannot use ``INSERT OR IGNORE`` or ``INSERT OR REPLACE``: SQLite's manual, "CREATE TRIGGER": "if an ON CONFLICT
clause is specified as part of the statement causing the trigger to fire, then the conflict handling policy of the outer
statement is used instead."

A program that replaces rows with ``REPLACE`` or ``OR REPLACE`` deletes rows without firing the triggers, unless it sets
``PRAGMA recursive_triggers = ON``; SQLite's default is off. ``docs/serve.md`` forbids it. A trigger refuses to replace
a package by another, because the number of packages would stay wrong.

A search for names reads ``name_search``, an FTS5 table of trigrams. A new name costs FTS5 0.4 ms, because each
transaction adds a segment that is merged later. So `index_new_names` adds names 256 at a time, and a search reads the
names after ``name_search_end`` as they are. No trigger does it: each statement whose triggers may write into an FTS5
table begins a transaction of FTS5, which costs every upload 20 µs.

``root_revisions`` are read only for a page that `MANY` projects have, so the triggers write them only for such pages.
Its row with an empty root group is renewed when that many projects have the page (again). So no
revision from before is equal to a later one, whatever changed while fewer projects had the page.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from pypi_registry._filenames import identity_of
from pypi_registry.errors import RegistryError
from pypi_registry.stores.sqlite.files_at import has_content

_REQUIRED_SQLITE = (3, 34)  # the trigram tokenizer of FTS5: https://sqlite.org/releaselog/3_34_0.html

MANY = 100
"""A page that so many projects have gets revisions per root group. The triggers contain this number."""

_NAMES_AT_ONCE = 256

_TABLES = """
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
)
--
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
)
--
CREATE INDEX files_by_package ON files (package_id)
--
CREATE INDEX files_by_digest ON files (sha256)
--
CREATE TABLE statuses (
    project_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (project_id, name)
) WITHOUT ROWID
--
CREATE TABLE revisions (
    project_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    serial INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) WITHOUT ROWID
--
CREATE TABLE published (                   -- rows stay, whatever is deleted or moved
    name TEXT NOT NULL,
    root TEXT NOT NULL,
    project_id INTEGER NOT NULL,
    PRIMARY KEY (name, root, project_id)
) WITHOUT ROWID
--
CREATE TABLE publishers (
    project_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL
)
"""

_CORE_METADATA = """
ALTER TABLE files ADD COLUMN metadata_sha256 TEXT
--
CREATE TABLE core_metadata (
    file_id INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,
    data BLOB NOT NULL
)
"""


def _has_many(name: str, many: int = MANY) -> str:
    """Return the SQL condition that at least so many projects have the page of a name."""
    return f"EXISTS (SELECT 1 FROM project_revisions WHERE name = {name} LIMIT 1 OFFSET {many - 1})"


# Columns get the names that the contracts have. ``files.identity`` is the same for all spellings of a file name of one
# release, and NULL for all but the oldest file of them.
_LISTS_AND_REVISIONS = f"""
ALTER TABLE packages RENAME COLUMN normalized TO normalized_name
--
ALTER TABLE packages RENAME COLUMN canonical TO canonical_version
--
ALTER TABLE packages RENAME COLUMN about TO metadata
--
ALTER TABLE files RENAME COLUMN key TO blob_key
--
ALTER TABLE files RENAME COLUMN metadata_sha256 TO core_metadata_sha256
--
ALTER TABLE files ADD COLUMN uploaded_by TEXT NOT NULL DEFAULT ''
--
ALTER TABLE files ADD COLUMN identity TEXT
--
DROP INDEX files_by_digest
--
CREATE INDEX files_by_digest ON files (sha256, filename, project_id)
--
CREATE UNIQUE INDEX files_by_identity ON files (project_id, identity) WHERE identity IS NOT NULL
--
ALTER TABLE published RENAME TO publications
--
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,                       -- as of the last change; empty if only another program wrote rows
    package_count INTEGER NOT NULL DEFAULT 0  -- written by triggers; never decides on access
)
--
CREATE INDEX projects_by_path ON projects (path)
--
CREATE TABLE list_revisions (                 -- one row of random values, for what a process caches about lists
    projects INTEGER NOT NULL,                -- changes when a project gets its first package or loses its last one
    removals INTEGER NOT NULL                 -- changes with each change but a new package with the highest id
)
--
CREATE TABLE project_roots (                  -- each root group in which a project ever was
    project_id INTEGER NOT NULL,
    root TEXT NOT NULL,
    PRIMARY KEY (project_id, root)
) WITHOUT ROWID
--
CREATE TABLE project_revisions (              -- one row for each name that has a package in a project
    name TEXT NOT NULL,                       -- empty: the index of the project
    project_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,                -- random
    PRIMARY KEY (name, project_id)
) WITHOUT ROWID
--
CREATE TABLE root_revisions (                 -- of pages that at least {MANY} projects have
    name TEXT NOT NULL,
    root TEXT NOT NULL,                       -- empty: renewed when the page gets its {MANY}th project
    revision INTEGER NOT NULL,
    PRIMARY KEY (name, root)
) WITHOUT ROWID
--
CREATE TABLE names (                          -- of packages, as uploaded, each once
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
)
--
CREATE TABLE name_search_end (                -- one row: names with a greater id are not in name_search yet
    name_id INTEGER NOT NULL
)
--
INSERT INTO projects (id, path, package_count)
SELECT id, max(path), sum(package_count) FROM (
    SELECT project_id AS id, path, 0 AS package_count FROM publishers
    UNION ALL SELECT project_id, '', count(*) FROM packages GROUP BY project_id
) GROUP BY id
--
INSERT INTO list_revisions (projects, removals) VALUES (random(), random())
--
INSERT INTO project_roots (project_id, root)
SELECT project_id, root FROM publications
UNION SELECT project_id, lower(substr(path, 1, instr(path || '/', '/') - 1)) FROM publishers
--
INSERT INTO project_revisions (name, project_id, revision)
SELECT name, project_id, random() FROM (
    SELECT normalized_name AS name, project_id FROM packages
    UNION SELECT '', project_id FROM packages
)
--
INSERT INTO root_revisions (name, root, revision)
SELECT name, '', random() FROM project_revisions GROUP BY name HAVING count(*) >= {MANY}
--
INSERT INTO names (name) SELECT DISTINCT name FROM packages
--
DROP TABLE publishers
--
DROP TABLE revisions
--
CREATE INDEX packages_by_age ON packages (created_at, id, project_id)
--
CREATE INDEX packages_by_name ON packages (name, id, project_id)
--
CREATE INDEX packages_by_version ON packages (version, id, project_id)
--
CREATE VIRTUAL TABLE name_search USING fts5 (
    name, content = 'names', content_rowid = 'id', tokenize = 'trigram', detail = 'none', columnsize = 0
)
--
INSERT INTO name_search (name_search) VALUES ('rebuild')
--
INSERT INTO name_search_end (name_id) SELECT ifnull(max(id), 0) FROM names
--
CREATE TRIGGER names_deleted AFTER DELETE ON names WHEN OLD.id <= (SELECT name_id FROM name_search_end) BEGIN
    INSERT INTO name_search (name_search, rowid, name) VALUES ('delete', OLD.id, OLD.name);
END
--
CREATE TRIGGER project_revisions_inserted AFTER INSERT ON project_revisions
WHEN {_has_many("NEW.name")} BEGIN
    INSERT INTO root_revisions (name, root, revision)
    SELECT NEW.name, root, NEW.revision FROM project_roots WHERE project_id = NEW.project_id
    ON CONFLICT (name, root) DO UPDATE SET revision = excluded.revision;
    INSERT INTO root_revisions (name, root, revision)
    SELECT NEW.name, '', random() WHERE NOT {_has_many("NEW.name", MANY + 1)}
    ON CONFLICT (name, root) DO UPDATE SET revision = excluded.revision;
END
--
CREATE TRIGGER project_revisions_updated AFTER UPDATE ON project_revisions
WHEN {_has_many("NEW.name")} BEGIN
    INSERT INTO root_revisions (name, root, revision)
    SELECT NEW.name, root, NEW.revision FROM project_roots WHERE project_id = NEW.project_id
    ON CONFLICT (name, root) DO UPDATE SET revision = excluded.revision;
END
--
CREATE TRIGGER project_revisions_deleted AFTER DELETE ON project_revisions
WHEN {_has_many("OLD.name")} BEGIN
    INSERT INTO root_revisions (name, root, revision)
    SELECT OLD.name, root, random() FROM project_roots WHERE project_id = OLD.project_id
    ON CONFLICT (name, root) DO UPDATE SET revision = excluded.revision;
END
--
CREATE TRIGGER projects_inserted AFTER INSERT ON projects BEGIN
    UPDATE projects SET package_count = (SELECT count(*) FROM packages WHERE project_id = NEW.id) WHERE id = NEW.id;
    UPDATE list_revisions SET projects = random();
END
--
CREATE TRIGGER projects_updated AFTER UPDATE OF package_count ON projects
WHEN (OLD.package_count > 0) != (NEW.package_count > 0) BEGIN
    UPDATE list_revisions SET projects = random();
END
--
CREATE TRIGGER projects_deleted BEFORE DELETE ON projects
WHEN EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'the project has packages');
END
--
CREATE TRIGGER packages_replaced BEFORE INSERT ON packages
WHEN EXISTS (SELECT 1 FROM packages WHERE id = NEW.id) OR EXISTS (
    SELECT 1 FROM packages WHERE project_id = NEW.project_id AND normalized_name = NEW.normalized_name
    AND canonical_version = NEW.canonical_version
) BEGIN
    SELECT RAISE(ABORT, 'the package exists');
END
--
CREATE TRIGGER packages_inserted AFTER INSERT ON packages BEGIN
    INSERT INTO projects (id, path, package_count) VALUES (NEW.project_id, '', 1)
    ON CONFLICT (id) DO UPDATE SET package_count = package_count + 1;
    INSERT INTO names (name) SELECT NEW.name WHERE NOT EXISTS (SELECT 1 FROM names WHERE name = NEW.name);
END
--
CREATE TRIGGER packages_inserted_between AFTER INSERT ON packages WHEN NEW.id < (SELECT max(id) FROM packages) BEGIN
    UPDATE list_revisions SET removals = random();
END
--
CREATE TRIGGER packages_inserted_first AFTER INSERT ON packages
WHEN NOT EXISTS (SELECT 1 FROM project_revisions WHERE name = NEW.normalized_name AND project_id = NEW.project_id) BEGIN
    INSERT INTO project_revisions (name, project_id, revision)
    VALUES (NEW.normalized_name, NEW.project_id, random()), ('', NEW.project_id, random())
    ON CONFLICT (name, project_id) DO UPDATE SET revision = excluded.revision;
END
--
CREATE TRIGGER packages_deleted AFTER DELETE ON packages BEGIN
    UPDATE list_revisions SET removals = random();
    UPDATE projects SET package_count = package_count - 1 WHERE id = OLD.project_id;
    DELETE FROM names WHERE name = OLD.name AND NOT EXISTS (SELECT 1 FROM packages WHERE name = OLD.name);
    UPDATE project_revisions SET revision = random() WHERE name = OLD.normalized_name AND project_id = OLD.project_id;
    UPDATE project_revisions SET revision = random() WHERE name = '' AND project_id = OLD.project_id
    AND NOT EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.project_id AND normalized_name = OLD.normalized_name);
    DELETE FROM project_revisions WHERE name = OLD.normalized_name AND project_id = OLD.project_id
    AND NOT EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.project_id AND normalized_name = OLD.normalized_name);
    DELETE FROM project_revisions WHERE name = '' AND project_id = OLD.project_id
    AND NOT EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.project_id);
END
--
CREATE TRIGGER packages_updated AFTER UPDATE OF version, canonical_version, yanked ON packages BEGIN
    UPDATE list_revisions SET removals = random();
    UPDATE project_revisions SET revision = random() WHERE name = NEW.normalized_name AND project_id = NEW.project_id;
END
--
CREATE TRIGGER packages_renamed AFTER UPDATE OF name ON packages BEGIN
    UPDATE list_revisions SET removals = random();
    INSERT INTO names (name) SELECT NEW.name WHERE NOT EXISTS (SELECT 1 FROM names WHERE name = NEW.name);
    DELETE FROM names WHERE name = OLD.name AND NOT EXISTS (SELECT 1 FROM packages WHERE name = OLD.name);
    UPDATE project_revisions SET revision = random() WHERE name = NEW.normalized_name AND project_id = NEW.project_id;
END
--
CREATE TRIGGER packages_moved AFTER UPDATE OF project_id, normalized_name ON packages BEGIN
    UPDATE list_revisions SET removals = random();
    UPDATE projects SET package_count = package_count - 1 WHERE id = OLD.project_id;
    INSERT INTO projects (id, path, package_count) VALUES (NEW.project_id, '', 1)
    ON CONFLICT (id) DO UPDATE SET package_count = package_count + 1;
    INSERT INTO project_revisions (name, project_id, revision)
    SELECT NEW.normalized_name, NEW.project_id, random() UNION ALL SELECT '', NEW.project_id, random() WHERE true
    ON CONFLICT (name, project_id) DO UPDATE SET revision = excluded.revision;
    UPDATE project_revisions SET revision = random()
    WHERE name IN (OLD.normalized_name, '') AND project_id = OLD.project_id;
    DELETE FROM project_revisions WHERE name = OLD.normalized_name AND project_id = OLD.project_id
    AND NOT EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.project_id AND normalized_name = OLD.normalized_name);
    DELETE FROM project_revisions WHERE name = '' AND project_id = OLD.project_id
    AND NOT EXISTS (SELECT 1 FROM packages WHERE project_id = OLD.project_id);
END
--
CREATE TRIGGER files_inserted AFTER INSERT ON files BEGIN
    UPDATE project_revisions SET revision = random()
    WHERE (name, project_id) = (SELECT normalized_name, project_id FROM packages WHERE id = NEW.package_id);
END
--
CREATE TRIGGER files_deleted AFTER DELETE ON files BEGIN
    UPDATE project_revisions SET revision = random()
    WHERE (name, project_id) = (SELECT normalized_name, project_id FROM packages WHERE id = OLD.package_id);
END
--
CREATE TRIGGER files_updated AFTER UPDATE ON files BEGIN
    UPDATE project_revisions SET revision = random()
    WHERE (name, project_id) = (SELECT normalized_name, project_id FROM packages WHERE id = OLD.package_id);
    UPDATE project_revisions SET revision = random()
    WHERE (name, project_id) = (SELECT normalized_name, project_id FROM packages WHERE id = NEW.package_id);
END
--
CREATE TRIGGER statuses_inserted AFTER INSERT ON statuses BEGIN
    UPDATE project_revisions SET revision = random() WHERE name = NEW.name AND project_id = NEW.project_id;
END
--
CREATE TRIGGER statuses_deleted AFTER DELETE ON statuses BEGIN
    UPDATE project_revisions SET revision = random() WHERE name = OLD.name AND project_id = OLD.project_id;
END
--
CREATE TRIGGER statuses_updated AFTER UPDATE ON statuses BEGIN
    UPDATE project_revisions SET revision = random() WHERE name = OLD.name AND project_id = OLD.project_id;
    UPDATE project_revisions SET revision = random() WHERE name = NEW.name AND project_id = NEW.project_id;
END
"""

# Of the files whose names are spellings of one, the oldest gets the identity; `add` refuses a further spelling.
ADD_IDENTITIES = """
UPDATE files SET identity = oldest.identity FROM (
    SELECT min(f.id) AS id, identity_of(f.filename, p.normalized_name, p.version) AS identity
    FROM files f JOIN packages p ON p.id = f.package_id
    GROUP BY f.project_id, identity_of(f.filename, p.normalized_name, p.version)
) AS oldest
WHERE files.id = oldest.id AND oldest.identity IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM files other WHERE other.project_id = files.project_id AND other.identity = oldest.identity
)
"""

_COPIED = """
CREATE TABLE copied_up_to (                -- of a copy: up to these ids, rows come from its source
    id INTEGER PRIMARY KEY CHECK (id = 1), -- no second row
    package_id INTEGER NOT NULL,
    file_id INTEGER NOT NULL
)
"""

# ``files.variant`` is canonical JSON, and NULL if the file is no wheel variant. ``packages.variants`` is a JSON list of
# each content that the variants JSON of the package has had, perhaps compressed, and NULL if there was none. A comment
# in the statement would become a part of the definition of the table, and end it.
_VARIANTS = """
ALTER TABLE files ADD COLUMN variant TEXT
--
ALTER TABLE packages ADD COLUMN variants BLOB
"""

# A released step never changes: a change of the schema is a new step. Statements are separated by a line of two dashes,
# because a trigger contains semicolons.
STEPS = (_TABLES, _CORE_METADATA, _LISTS_AND_REVISIONS, f"{ADD_IDENTITIES}--{_COPIED}", _VARIANTS)

SCHEMA_VERSION = len(STEPS)
"""The value of ``PRAGMA user_version``."""


class UnknownSchema(RegistryError):
    """A file has the schema of a different version of this package and is not migrated, or is not a catalogue."""

    def __init__(self, path: str, found: int) -> None:
        super().__init__(path, found)
        self.path = path
        self.found = found

    def __str__(self) -> str:
        has = f"{self.path} has the schema version {self.found}"
        if self.found > SCHEMA_VERSION:
            return (
                f"{has}, but this program supports only versions up to {SCHEMA_VERSION}: install the newer version "
                "again, or restore the copy that it made before it migrated the file, "
                f"such as {self.path}.before-{SCHEMA_VERSION}"
            )
        if 0 < self.found < SCHEMA_VERSION:
            return (
                f"{has} of an older version of this program. For a backup, stop the registry and copy its folder, or "
                "use the older version. Then start the registry with this version, which copies the catalogue alone to "
                f"{self.path}.before-{self.found}, and migrates it to version {SCHEMA_VERSION}"
            )
        return f"{has}, so it is not a catalogue of this program"


def require_features(connection: sqlite3.Connection) -> None:
    """Check the SQLite library that Python uses.

    :raises RegistryError: if it cannot search names by trigrams.
    """
    has_fts5 = connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
    if sqlite3.sqlite_version_info < _REQUIRED_SQLITE or not has_fts5:
        raise RegistryError(
            f"Python's sqlite3 module uses SQLite {sqlite3.sqlite_version} {'with' if has_fts5 else 'without'} FTS5; "
            "the catalogue needs SQLite 3.34 or newer with FTS5: install such a library, or a Python that contains one"
        )


def require_present_schema(path: Path) -> None:
    """Check the version of a file without changing it.

    :raises FileNotFoundError: if it is missing.
    :raises UnknownSchema: if it has a different version, older or newer, or is not a catalogue.
    :raises sqlite3.Error: if it cannot be read, or is not a database.
    """
    path.stat()
    # SQLite would create a missing file; with mode=ro it raises instead: another program may delete it in between.
    try:
        found = _user_version(path, "mode=ro")
    except sqlite3.OperationalError:
        # On a full or a read-only disk SQLite cannot create its -shm. As in the pool, the file is read alone then.
        if has_content(f"{path}-wal"):
            raise
        found = _user_version(path, "mode=ro&immutable=1")
    if found != SCHEMA_VERSION:
        raise UnknownSchema(str(path), found)


def _user_version(path: Path, parameters: str) -> int:
    with closing(sqlite3.connect(f"{path.as_uri()}?{parameters}", uri=True)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return found


def schema_version(connection: sqlite3.Connection, path: str) -> int:
    """Return the version of the tables; 0 if there are none.

    :raises UnknownSchema: if the file was created by a newer version of this package, or is not a catalogue.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == SCHEMA_VERSION:
        return found
    is_new = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if found not in ((0,) if is_new else range(1, SCHEMA_VERSION)):
        raise UnknownSchema(path, found)
    return found


def create_functions(connection: sqlite3.Connection) -> None:
    """Create the functions that statements of a migration, a check or a repair call."""
    connection.create_function("identity_of", 3, identity_of, deterministic=True)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Create the tables that are missing, within the transaction of the caller.

    :raises UnknownSchema: if the file was created by a newer version of this package, or is not a catalogue.
    """
    create_functions(connection)
    for step in STEPS[schema_version(connection, path) :]:
        for statement in step.split("\n--\n"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def index_new_names(connection: sqlite3.Connection) -> None:
    """Add the names that are not in ``name_search`` yet if they are many, within the transaction of the caller."""
    [last] = connection.execute("SELECT ifnull(max(id), 0) FROM names").fetchone()
    [end] = connection.execute("SELECT name_id FROM name_search_end").fetchone()
    if last - end >= _NAMES_AT_ONCE:
        connection.execute(
            "INSERT INTO name_search (rowid, name) "
            "SELECT id, name FROM names WHERE id > (SELECT name_id FROM name_search_end)"
        )
        connection.execute("UPDATE name_search_end SET name_id = ?", (last,))
