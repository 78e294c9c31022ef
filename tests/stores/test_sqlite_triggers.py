"""Changes that another program makes with SQL: the triggers keep what is derived from the rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.errors import RegistryError
from pypi_registry.model import Digests, NameStatus, PackageQuery, Project, Projects, Status, Upload
from pypi_registry.stores.sqlite import SQLiteCatalogue, selections

TOOLS, LIBS = Project(1, "acme/tools"), Project(2, "acme/libs")
IN_TOOLS, IN_LIBS, IN_ACME = Projects([TOOLS]), Projects([LIBS]), Projects([TOOLS, LIBS])
DEMO, OTHER = canonicalize_name("demo"), canonicalize_name("other")

# A change of the page of ``demo`` in the project TOOLS, and whether it changes the index
CHANGES = {
    "UPDATE packages SET yanked = 'broken' WHERE id = 1": False,
    "UPDATE packages SET version = '1.00' WHERE id = 1": False,
    "UPDATE packages SET name = 'Demo' WHERE id = 1": False,
    "UPDATE packages SET normalized_name = 'renamed' WHERE id = 1": True,
    "UPDATE packages SET project_id = 2 WHERE id = 1": True,
    "UPDATE files SET requires_python = '>=3' WHERE id = 1": False,
    "UPDATE OR REPLACE files SET filename = 'new.zip' WHERE id = 1": False,
    "UPDATE files SET package_id = 3 WHERE id = 1": False,
    "DELETE FROM files WHERE id = 1": False,
    "DELETE FROM files": False,
    "DELETE FROM packages WHERE id IN (1, 2)": True,
    "UPDATE statuses SET reason = 'new' WHERE name = 'demo'": False,
    "UPDATE OR REPLACE statuses SET name = 'demo' WHERE name = 'other'": False,
    "DELETE FROM statuses": False,
    "REPLACE INTO statuses VALUES (1, 'demo', 'archived', '')": False,
    "INSERT OR IGNORE INTO files SELECT 9, 1, 1, 'x.zip', 4, 'aa', NULL, NULL, '', 0, 'k', NULL, '', NULL, NULL": False,
}

DERIVED = {
    "names": (
        "SELECT name FROM names ORDER BY name",
        "SELECT DISTINCT name FROM packages ORDER BY name",
    ),
    "project_revisions": (
        "SELECT name, project_id FROM project_revisions ORDER BY 1, 2",
        "SELECT '', project_id FROM packages UNION SELECT normalized_name, project_id FROM packages ORDER BY 1, 2",
    ),
    "package_count": (
        "SELECT id, package_count FROM projects WHERE package_count != 0 ORDER BY id",
        "SELECT project_id, count(*) FROM packages GROUP BY 1 ORDER BY 1",
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def catalogue(path: Path) -> Iterator[SQLiteCatalogue]:
    with closing(SQLiteCatalogue(path)) as opened:
        for project, name, version in (
            (TOOLS, "demo", "1.0"),
            (TOOLS, "demo", "2.0"),
            (TOOLS, "other", "1.0"),
            (LIBS, "other", "1.0"),
        ):
            filename = f"{name}-{version}.zip"
            sent = Upload(name, canonicalize_name(name), version, filename, 4, Digests("a" * 64), "")
            opened.add(project, sent, "0" * 32, datetime(2026, 1, 2, tzinfo=UTC), "")
        for name_ in (DEMO, OTHER):
            opened.set_status(TOOLS, name_, NameStatus(Status.DEPRECATED, "old"), "")
        yield opened


def execute(path: Path, statement: str) -> None:
    """Do what the program ``sqlite3`` does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
        for derived, rows in DERIVED.values():
            assert connection.execute(derived).fetchall() == connection.execute(rows).fetchall()


@pytest.mark.parametrize("statement", CHANGES)
def test_a_change_by_another_program_changes_the_revisions(
    catalogue: SQLiteCatalogue, path: Path, statement: str
) -> None:
    before = [catalogue.revision(projects, DEMO) for projects in (IN_TOOLS, IN_ACME)]
    index = [catalogue.revision(projects, None) for projects in (IN_TOOLS, IN_ACME)]
    libs = catalogue.revision(IN_LIBS, OTHER)
    execute(path, statement)
    after = [catalogue.revision(projects, DEMO) for projects in (IN_TOOLS, IN_ACME)]
    assert all(was != now for was, now in zip(before, after, strict=True))
    index_after = [catalogue.revision(projects, None) for projects in (IN_TOOLS, IN_ACME)]
    assert [was != now for was, now in zip(index, index_after, strict=True)] == [CHANGES[statement]] * 2
    if statement != "DELETE FROM files":
        assert catalogue.revision(IN_LIBS, OTHER) == libs


def test_a_project_that_another_program_replaces_keeps_its_packages(
    catalogue: SQLiteCatalogue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "FEW", 1)
    before = catalogue.packages(IN_ACME, PackageQuery())
    for count in (0, 7):
        execute(path, f"REPLACE INTO projects (id, path, package_count) VALUES (2, 'acme/renamed', {count})")
        assert catalogue.packages(IN_ACME, PackageQuery()) == before
    execute(path, "INSERT INTO projects (id, path, package_count) VALUES (3, 'acme/empty', 7)")
    assert catalogue.packages(IN_ACME, PackageQuery()) == before


@pytest.mark.parametrize(
    "values",
    ["NULL, 1, 'demo', 'demo', '1.0', '1', '{}', 0, NULL, NULL", "1, 1, 'x', 'x', '1', '1', '{}', 0, NULL, NULL"],
)
def test_another_program_cannot_replace_a_package(catalogue: SQLiteCatalogue, path: Path, values: str) -> None:
    before = catalogue.packages(IN_TOOLS, PackageQuery()), catalogue.listing(IN_TOOLS, DEMO)
    with pytest.raises(sqlite3.IntegrityError, match="the package exists"):
        execute(path, f"REPLACE INTO packages VALUES ({values})")
    assert (catalogue.packages(IN_TOOLS, PackageQuery()), catalogue.listing(IN_TOOLS, DEMO)) == before


def test_another_program_cannot_delete_a_project_with_packages(catalogue: SQLiteCatalogue, path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="the project has packages"):
        execute(path, "DELETE FROM projects WHERE id = 2")
    for table in ("core_metadata", "files", "packages"):
        execute(path, f"DELETE FROM {table}")
    execute(path, "DELETE FROM projects WHERE id = 2")


def test_a_package_that_another_program_inserts_is_listed_and_found(catalogue: SQLiteCatalogue, path: Path) -> None:
    execute(
        path,
        "INSERT INTO packages (project_id, name, normalized_name, version, canonical_version, metadata, created_at) "
        "VALUES (3, 'Brand.New', 'brand-new', '1', '1', '{}', 0)",
    )
    third = Projects([Project(3, "acme/third")])
    [package], total = catalogue.packages(third, PackageQuery(name="and.n"))
    assert (package.name, total) == ("Brand.New", 1)
    assert catalogue.names(third) == ["brand-new"]
    assert catalogue.revision(third, package.normalized_name) is not None
    assert catalogue.project_paths() == [(1, "acme/tools"), (2, "acme/libs")]  # its path is not known


def test_a_deletion_of_everything_by_another_program_leaves_nothing_to_show(
    catalogue: SQLiteCatalogue, path: Path
) -> None:
    for table in ("core_metadata", "files", "packages"):
        execute(path, f"DELETE FROM {table}")
    for projects in (IN_TOOLS, IN_LIBS, IN_ACME):
        assert catalogue.revision(projects, DEMO) is None
        assert catalogue.revision(projects, None) is None
        assert catalogue.packages(projects, PackageQuery(name="demo")) == ([], 0)


def test_the_revisions_of_a_restored_backup_are_never_those_of_newer_pages(
    catalogue: SQLiteCatalogue, path: Path
) -> None:
    execute(path, "UPDATE packages SET yanked = 'one' WHERE id = 1")
    one = catalogue.revision(IN_TOOLS, DEMO)
    execute(path, "UPDATE packages SET yanked = NULL WHERE id = 1")
    execute(path, "UPDATE packages SET yanked = 'one' WHERE id = 1")
    assert catalogue.revision(IN_TOOLS, DEMO) != one


def test_a_library_without_trigram_search_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 33, 0))
    with pytest.raises(RegistryError, match=r"SQLite 3\.34 or newer with FTS5"):
        SQLiteCatalogue(path)
