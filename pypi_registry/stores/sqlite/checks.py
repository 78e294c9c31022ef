"""What SQLite and the derived tables state about themselves: the checks of `SQLiteCatalogue.inconsistencies`.

Each check reads one consistent state, while other programs write. A repair is one statement that finds the rows again,
so that a change in between cannot make it wrong; it follows from other rows only.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from packaging.utils import canonicalize_version

from pypi_registry.stores._checks import FILES_OF_OTHER_PROJECTS, INVALID_STATUSES, Check
from pypi_registry.stores.sqlite.pool import ConnectionPool
from pypi_registry.stores.sqlite.schema import ADD_IDENTITIES, create_functions, migrate

_IDENTITY = "identity_of(f.filename, p.normalized_name, p.version)"

# A repair may fire the triggers of the tables, so the order matters: `names` comes before `name_search`.
_CHECKS = (
    Check("the catalogue has {} rows in list_revisions", "SELECT count(*) FROM list_revisions HAVING count(*) != 1"),
    Check("the catalogue has {} rows in name_search_end", "SELECT count(*) FROM name_search_end HAVING count(*) != 1"),
    FILES_OF_OTHER_PROJECTS,
    Check(
        "the package {} has the version {!r}, but the canonical version {!r}",
        "SELECT id, version, canonical_version FROM packages WHERE canonical_version != canonicalize_version(version)",
    ),
    Check(
        "the package {} has metadata or a time that cannot be read",
        "SELECT id FROM packages WHERE NOT json_valid(metadata) OR typeof(created_at) != 'integer'",
    ),
    Check(
        "the file {} has a size or a time that cannot be read",
        "SELECT id FROM files WHERE typeof(size) != 'integer' OR typeof(uploaded_at) != 'integer'",
    ),
    INVALID_STATUSES,
    Check(
        "the project {} has packages, but no row",
        "SELECT DISTINCT project_id FROM packages WHERE project_id NOT IN (SELECT id FROM projects)",
        "INSERT INTO projects (id, path) "
        "SELECT DISTINCT project_id, '' FROM packages WHERE project_id NOT IN (SELECT id FROM projects)",
    ),
    Check(
        "the project {} has {} packages, but its row has the number {}",
        "SELECT id, (SELECT count(*) FROM packages WHERE project_id = projects.id) AS number, package_count "
        "FROM projects WHERE package_count != number",
        "UPDATE projects SET package_count = (SELECT count(*) FROM packages WHERE project_id = projects.id) "
        "WHERE package_count != (SELECT count(*) FROM packages WHERE project_id = projects.id)",
    ),
    Check(
        "the file {} ({!r}) has the identity {!r} instead of {!r}",
        f"SELECT f.id, f.filename, f.identity, {_IDENTITY} AS computed FROM files f JOIN packages p "
        "ON p.id = f.package_id WHERE f.identity IS NOT NULL AND f.identity IS NOT computed",
        "UPDATE files SET identity = NULL WHERE id IN (SELECT f.id FROM files f JOIN packages p ON p.id = f.package_id "
        f"WHERE f.identity IS NOT NULL AND f.identity IS NOT {_IDENTITY})",
    ),
    Check(
        "no file of the project {} has the identity {!r}, which another spelling of {!r} must not get",
        f"SELECT f.project_id, {_IDENTITY} AS computed, f.filename, min(f.id) FROM files f JOIN packages p "
        "ON p.id = f.package_id WHERE f.identity IS NULL AND computed IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM files other WHERE other.project_id = f.project_id AND other.identity = computed) "
        "GROUP BY f.project_id, computed",
        ADD_IDENTITIES,
    ),
    Check(
        "the root group {!r} of project {} is not in project_roots",
        "SELECT lower(substr(path, 1, instr(path || '/', '/') - 1)) AS root, id FROM projects WHERE path != '' "
        "AND NOT EXISTS (SELECT 1 FROM project_roots r WHERE r.project_id = projects.id AND r.root = "
        "lower(substr(path, 1, instr(path || '/', '/') - 1)))",
        "INSERT INTO project_roots (project_id, root) "
        "SELECT id, lower(substr(path, 1, instr(path || '/', '/') - 1)) FROM projects WHERE path != '' "
        "AND NOT EXISTS (SELECT 1 FROM project_roots r WHERE r.project_id = projects.id AND r.root = "
        "lower(substr(path, 1, instr(path || '/', '/') - 1)))",
    ),
    Check(
        "the page {!r} of project {} has no revision",
        "SELECT normalized_name, project_id FROM packages UNION SELECT '', project_id FROM packages "
        "EXCEPT SELECT name, project_id FROM project_revisions",
        "INSERT INTO project_revisions (name, project_id, revision) SELECT page, project_id, random() FROM ("
        "SELECT normalized_name AS page, project_id FROM packages UNION SELECT '', project_id FROM packages "
        "EXCEPT SELECT name, project_id FROM project_revisions)",
    ),
    Check(
        "the page {!r} of project {} has a revision, but no package",
        "SELECT name, project_id FROM project_revisions "
        "EXCEPT SELECT normalized_name, project_id FROM packages EXCEPT SELECT '', project_id FROM packages",
        "DELETE FROM project_revisions WHERE (name, project_id) IN (SELECT name, project_id FROM project_revisions "
        "EXCEPT SELECT normalized_name, project_id FROM packages EXCEPT SELECT '', project_id FROM packages)",
    ),
    Check(
        "the name {!r} of a package is not in the list of names",
        "SELECT name FROM packages EXCEPT SELECT name FROM names",
        "INSERT INTO names (name) SELECT name FROM packages EXCEPT SELECT name FROM names",
    ),
    Check(
        "the name {!r} is in the list of names, but no package has it",
        "SELECT name FROM names EXCEPT SELECT name FROM packages",
        "DELETE FROM names WHERE name NOT IN (SELECT name FROM packages)",
    ),
)

_SEARCH_REPAIR = (
    "INSERT INTO name_search (name_search) VALUES ('rebuild')",
    "UPDATE name_search_end SET name_id = ifnull((SELECT max(id) FROM names), 0)",
)


def inconsistencies(pool: ConnectionPool, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
    """Implement `ChecksItself`."""
    with pool.snapshot() as connection:
        _create_functions(connection)
        found = [(f"SQLite: {problem}", False, False) for problem in _of_sqlite(connection)]
    yield from found
    for check in _CHECKS:
        yield from _run(pool, check, repair)
    yield from _check_search(pool, repair)


def _run(pool: ConnectionPool, check: Check, repair: bool) -> Iterator[tuple[str, bool, bool]]:
    with pool.snapshot() as connection:
        _create_functions(connection)
        rows = connection.execute(check.find).fetchall()
    repairs = bool(rows and repair and check.repair)
    if repairs:
        _execute(pool, [check.repair])
    for row in rows:
        yield check.sentence.format(*row), bool(check.repair), repairs


def _check_search(pool: ConnectionPool, repair: bool) -> Iterator[tuple[str, bool, bool]]:
    with pool.snapshot() as connection:
        disagrees = _search_disagrees(connection)
    if disagrees:
        if repair:
            _execute(pool, _SEARCH_REPAIR)
        yield "the search for names disagrees with the list of names", True, repair


def _execute(pool: ConnectionPool, statements: Sequence[str]) -> None:
    with pool.transaction() as connection:
        _create_functions(connection)
        for statement in statements:
            connection.execute(statement)


def _of_sqlite(connection: sqlite3.Connection) -> Iterator[str]:
    try:
        for (text,) in connection.execute("PRAGMA integrity_check"):
            if text != "ok":
                yield str(text)
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield f"row {row} of {table} refers to a row of {parent} that does not exist"
    except sqlite3.DatabaseError as error:  # of a schema that it cannot read
        yield str(error)
        return
    missing = _schema_in_memory() - _schema(connection)
    for kind, name in sorted(missing):
        yield f"the {kind} {name} is missing"


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return {*connection.execute("SELECT type, name FROM sqlite_schema")}


def _schema_in_memory() -> set[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection, ":memory:")
        return _schema(connection)


def _search_disagrees(connection: sqlite3.Connection) -> bool:
    """Return whether the index holds other trigrams than a new one of the same names would.

    FTS5's own check compares the index with all of `names`, but the newest names are not in the index yet.
    """
    statements = (
        "CREATE VIRTUAL TABLE temp.expected USING fts5 "
        "(name, content = '', tokenize = 'trigram', detail = 'none', columnsize = 0)",
        "INSERT INTO temp.expected (rowid, name) "
        "SELECT id, name FROM names WHERE id <= (SELECT name_id FROM name_search_end)",
        "CREATE VIRTUAL TABLE temp.expected_terms USING fts5vocab ('temp', 'expected', 'instance')",
        "CREATE VIRTUAL TABLE temp.found_terms USING fts5vocab ('main', 'name_search', 'instance')",
    )
    for statement in statements:  # the caller rolls back, which deletes the temporary tables
        connection.execute(statement)
    expected, found = "SELECT term, doc FROM temp.expected_terms", "SELECT term, doc FROM temp.found_terms"
    differences = f"SELECT 1 FROM ({expected} EXCEPT {found}) UNION ALL SELECT 1 FROM ({found} EXCEPT {expected})"
    return connection.execute(f"{differences} LIMIT 1").fetchone() is not None


def _create_functions(connection: sqlite3.Connection) -> None:
    create_functions(connection)
    connection.create_function("canonicalize_version", 1, _canonicalized, deterministic=True)


def _canonicalized(version: Any) -> str | None:
    return canonicalize_version(version) if isinstance(version, str) else None
