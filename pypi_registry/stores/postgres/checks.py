"""The checks of the tables against each other, which `PostgresCatalogue.inconsistencies` runs.

Each check reads one consistent state, while servers write. A repair follows from other rows only. It locks the tables
that it reads and writes, because a statement that waits for a row of another transaction would not see the other rows
that this transaction has written.

PostgreSQL itself checks its files: ``pg_amcheck`` compares indexes with their tables.
"""

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

from packaging.utils import canonicalize_version
from psycopg.errors import UniqueViolation

from pypi_registry._filenames import identity_of
from pypi_registry.stores._checks import FILES_OF_OTHER_PROJECTS, INVALID_STATUSES, Check
from pypi_registry.stores.postgres.changes import lock_of
from pypi_registry.stores.postgres.pool import Connection, ConnectionPool
from pypi_registry.stores.postgres.records import read_rows
from pypi_registry.stores.postgres.schema import STEPS

Inconsistency: TypeAlias = tuple[str, bool, bool]
"""What `ChecksItself.inconsistencies` yields."""


_ROOTS = "SELECT id, lower(split_part(path, '/', 1) COLLATE \"C\") AS root FROM projects WHERE path != ''"
_PAGES = "SELECT normalized_name AS name, project_id FROM packages UNION SELECT '', project_id FROM packages"
_NUMBER = "(SELECT count(*) FROM packages WHERE project_id = projects.id)"

_CHECKS = (
    FILES_OF_OTHER_PROJECTS,
    Check(
        "the file {} ({!r}) refers to the package {}, which does not exist",
        "SELECT id, filename, package_id FROM files WHERE NOT EXISTS (SELECT FROM packages WHERE id = package_id)",
    ),
    INVALID_STATUSES,
    Check(
        "the project {} has packages, but no row",
        "SELECT DISTINCT project_id FROM packages WHERE NOT EXISTS (SELECT FROM projects WHERE id = project_id)",
        "INSERT INTO projects (id, path, package_count) SELECT project_id, '', count(*) FROM packages "
        "WHERE NOT EXISTS (SELECT FROM projects WHERE id = project_id) GROUP BY project_id",
    ),
    Check(
        "the project {} has {} packages, but its row has the number {}",
        f"SELECT id, {_NUMBER}, package_count FROM projects WHERE package_count != {_NUMBER}",
        f"UPDATE projects SET package_count = {_NUMBER} WHERE package_count != {_NUMBER}",
    ),
    Check(
        "the root group {1!r} of project {0} is not in project_roots",
        f"{_ROOTS} EXCEPT SELECT project_id, root FROM project_roots",
        f"INSERT INTO project_roots (project_id, root) {_ROOTS} EXCEPT SELECT project_id, root FROM project_roots",
    ),
    Check(
        "the page {!r} of project {} has no revision",
        f"({_PAGES}) EXCEPT SELECT name, project_id FROM project_revisions",
        f"INSERT INTO project_revisions (name, project_id) ({_PAGES}) "
        "EXCEPT SELECT name, project_id FROM project_revisions",
    ),
    Check(
        "the page {!r} of project {} has a revision, but no package",
        f"SELECT name, project_id FROM project_revisions EXCEPT ({_PAGES})",
        "DELETE FROM project_revisions WHERE (name, project_id) IN "
        f"(SELECT name, project_id FROM project_revisions EXCEPT ({_PAGES}))",
    ),
)


def inconsistencies(pool: ConnectionPool, *, repair: bool) -> Iterator[Inconsistency]:
    """Implement `ChecksItself`."""
    with pool.snapshot() as connection:
        missing = [*_missing(connection)]
    for sentence in missing:
        yield sentence, False, False
    for check in _CHECKS:
        with pool.snapshot() as connection:
            rows = connection.execute(check.find).fetchall()
        repairs = bool(rows and repair and check.repair)
        if repairs:
            _repair(pool, check.repair)
        for row in rows:
            yield check.sentence.format(*row), bool(check.repair), repairs
    with pool.snapshot() as connection:
        for sentence in _of_packages(connection):
            yield sentence, False, False
    yield from _identities(pool, repair)


def _repair(pool: ConnectionPool, statement: str) -> None:
    with pool.maintenance() as connection:
        connection.execute(
            "LOCK TABLE packages, projects, project_roots, project_revisions IN SHARE ROW EXCLUSIVE MODE"
        )
        connection.execute(statement)


# The schema

_CREATED = re.compile(r"CREATE (?:UNIQUE )?(TABLE|INDEX|FUNCTION|TRIGGER) (\w+)")
_EXISTING = """
SELECT CASE relkind WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
UNION ALL SELECT 'FUNCTION', proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'TRIGGER', tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = current_schema()::regnamespace AND tgenabled != 'D'
"""


def _missing(connection: Connection) -> Iterator[str]:
    existing = {(kind, name) for kind, name in connection.execute(_EXISTING)}
    for kind, name in _CREATED.findall("".join(STEPS)):
        if (kind, name) not in existing:
            yield f"the {kind.lower()} {name} is missing{', or disabled' if kind == 'TRIGGER' else ''}"


# What only Python compares


def _of_packages(connection: Connection) -> Iterator[str]:
    statement = "SELECT id, version, canonical_version, metadata FROM packages ORDER BY id"
    for id_, version, canonical_version, metadata in read_rows(connection, statement):
        if canonical_version != canonicalize_version(version):
            yield f"the package {id_} has the version {version!r}, but the canonical version {canonical_version!r}"
        try:
            json.loads(metadata)
        except ValueError:
            yield f"the package {id_} has metadata that cannot be read"


def _identities(pool: ConnectionPool, repair: bool) -> Iterator[Inconsistency]:
    """Yield each file whose identity is wrong, and after them each file that lacks its identity.

    Of several spellings of one file name, the oldest file has the identity.
    """
    for condition in ("f.identity IS NOT NULL", "f.identity IS NULL"):
        statement = (
            "SELECT f.id, f.project_id, f.filename, f.identity, p.normalized_name, p.version FROM files f "
            f"JOIN packages p ON p.id = f.package_id WHERE {condition} ORDER BY f.id"
        )
        with pool.snapshot() as connection:
            wrong = [
                (id_, project_id, filename, found, expected)
                for id_, project_id, filename, found, name, version in read_rows(connection, statement)
                if (expected := identity_of(filename, name, version)) != found
            ]
        for id_, project_id, filename, found, expected in wrong:
            if found is not None:
                sentence = f"the file {id_} ({filename!r}) has the identity {found!r} instead of {expected!r}"
            elif _has_identity(pool, project_id, expected):
                continue
            else:
                sentence = (
                    f"no file of the project {project_id} has the identity {expected!r}, which another spelling of "
                    f"{filename!r} must not get"
                )
            yield sentence, True, repair and _set_identity(pool, id_, found, None if found is not None else expected)


def _has_identity(pool: ConnectionPool, project_id: int, identity: str | None) -> bool:
    statement = "SELECT FROM files WHERE project_id = %s AND identity = %s"
    values = project_id, identity
    return pool.read(lambda connection: connection.execute(statement, values).fetchone()) is not None


def _set_identity(pool: ConnectionPool, file_id: int, found: str | None, new: str | None) -> bool:
    """Set an identity that is still the one that was found; return False if another file has just got the new one."""
    statement = "UPDATE files SET identity = %s WHERE id = %s AND identity IS NOT DISTINCT FROM %s"

    def work(connection: Connection) -> None:
        connection.execute(statement, (new, file_id, found))

    try:
        pool.change(lock_of(0, ""), work)
    except UniqueViolation:
        return False
    return True
