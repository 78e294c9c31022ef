"""No statement of the store reads a whole table: its query plans, as ``EXPLAIN QUERY PLAN`` shows them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.storage import Catalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue, catalogue
from pypi_registry.testing.contracts import CatalogueContract
from tests.stores.test_sqlite_lists import SELECTIONS, fill, list_everything
from tests.stores.test_sqlite_lists import limits as limits

# Plans that scan, by a part of the statement, with the reason. "SCAN x" without an index reads the rows of a table.
SCANS = {
    # Tables of one row
    "FROM list_revisions": r"SCAN list_revisions",
    "FROM name_search_end": r"SCAN name_search_end",
    "FROM copied_up_to": r"SCAN copied_up_to",
    # SQLite's own table of the highest ids: one row for each table, and it has no index
    "sqlite_sequence": r"SCAN sqlite_sequence",
    # The settings of FTS5
    "name_search_config": r"SCAN main\.name_search_config",
    # At most 256 names, which are not indexed yet
    "names WHERE id > (SELECT name_id FROM name_search_end)": r"SEARCH names USING INTEGER PRIMARY KEY \(rowid>\?\)",
    # At most 1,000 packages, which were added since the total of a search was cached
    "SELECT count(*) FROM packages p WHERE p.id >": r"SEARCH p USING INTEGER PRIMARY KEY \(rowid>\?\)",
    # The result of a search, which is a subquery where the packages are sorted
    "UNION ALL SELECT id FROM names WHERE id >": r"SCAN s",
    # Values that the statement brings along, and virtual tables, which search their own index
    "json_each": r"SCAN \w+ VIRTUAL TABLE INDEX 1:",
    "MATCH": r"SCAN name_search VIRTUAL TABLE INDEX 0:M\d",
    "pragma_": r"SCAN pragma_\w+ VIRTUAL TABLE INDEX 0:",
    "FROM (SELECT 1)": r"SCAN (\(subquery-\d+\)|CONSTANT ROW)",
    # An index in the order of the list, up to LIMIT
    "INDEXED BY": r"SCAN (p|w) USING (COVERING )?INDEX (packages|projects)_by_\w+",
    # The result of such a scan, which has a LIMIT of its own; its INDEXED BY allows no other plan
    "SELECT p.id FROM (SELECT p.id, p.project_id, p.name, p.normalized_name, p.version FROM": r"SCAN p",
    # One row per project: until as many packages are counted, until the page is reached, or once for a selection
    "SELECT id, package_count FROM projects": r"SCAN projects",
    "SELECT path, id, package_count FROM projects": r"SCAN projects USING INDEX projects_by_path",
    "SELECT id FROM projects WHERE package_count > 0": r"SCAN projects",
    "SELECT id, path FROM projects WHERE path != '' ORDER BY id": r"SCAN projects",
    # The names of an index, and enumeration
    "SELECT DISTINCT name FROM project_revisions": r"SEARCH project_revisions USING PRIMARY KEY \(name>\?\)",
    "SELECT p.metadata, p.variants": r"SCAN p",
    "SELECT c.data, f.identity": r"SCAN f",
    "SELECT blob_key FROM files WHERE blob_key IN": r"SCAN files",
    "FROM statuses": r"SCAN statuses",
    "FROM publications": r"SCAN publications",
    "SELECT 1 FROM sqlite_schema LIMIT 1": r"SCAN sqlite_schema",
}
SKIPPED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "--", "CREATE", "DROP", "ALTER")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every statement that a connection executes, by its text without literals."""
    found: dict[str, str] = {}
    connect = sqlite3.connect

    def note(statement: str) -> None:
        if not statement.strip().startswith(SKIPPED):
            found.setdefault(_without_literals(statement), statement)

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(note)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return found


def _without_literals(statement: str) -> str:
    return re.sub(r"'[^']*'|\d+", "?", statement)


def scans(path: Path, statements: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the steps of plans that scan, with their statements."""
    with closing(sqlite3.connect(path)) as connection:
        connection.set_trace_callback(None)
        connection.create_function("is_wanted", 1, lambda _: True)
        for statement in statements.values():
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                if step.startswith("SCAN") or re.search(r"USING INTEGER PRIMARY KEY \(rowid>", step):
                    yield statement, step


def unexpected(path: Path, statements: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (statement, step)
        for statement, step in scans(path, statements)
        if not any(part in statement and re.fullmatch(pattern, step) for part, pattern in SCANS.items())
    ]


class Contract(CatalogueContract):
    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: list[SQLiteCatalogue] = []

    def make_catalogue(self) -> Catalogue:
        return self.reopen(self)

    def reopen(self, _: object) -> Catalogue:
        self._opened.append(SQLiteCatalogue(self._folder / f"{len(self._opened)}.sqlite3"))
        return self._opened[-1]

    def close(self) -> None:
        for opened in self._opened:
            opened.close()


def test_no_statement_of_the_contract_scans_a_table(tmp_path: Path, statements: dict[str, str]) -> None:
    SQLiteCatalogue(tmp_path / "catalogue.sqlite3").close()
    migration = {*statements}
    with closing(Contract(tmp_path)) as contract:
        names = [name for name in dir(Contract) if name.startswith("test_") and "up_to_10_000" not in name]
        # The tests of threads and of durability execute the same statements.
        slow = {
            name for base in Contract.__mro__ if base.__name__ in ("Concurrency", "Durability") for name in vars(base)
        }
        for name in sorted({*names} - slow):
            with suppress(SkipTest):
                getattr(contract, name)()
    for name in migration:
        del statements[name]
    for part in ("INSERT INTO files", "DELETE FROM packages", "UPDATE packages", "project_revisions", "core_metadata"):
        assert any(part in statement for statement in statements), f"no statement has {part}"
    assert unexpected(tmp_path / "catalogue.sqlite3", statements) == []


@pytest.mark.usefixtures("limits")
def test_no_statement_of_a_list_scans_a_table(tmp_path: Path, statements: dict[str, str]) -> None:
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as opened:
        fill(opened)
        statements.clear()
        list_everything(opened)
    assert len(statements) > 20
    assert unexpected(tmp_path / "catalogue.sqlite3", statements) == []


@pytest.mark.parametrize("few", [1, 3, 100])
def test_no_statement_for_many_projects_scans_a_table(
    tmp_path: Path, statements: dict[str, str], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(catalogue, "_FEW", few)
    monkeypatch.setattr(catalogue, "MANY", few)
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as opened:
        fill(opened)
        statements.clear()
        for projects in SELECTIONS.values():
            for name in (canonicalize_name("a1"), None):
                opened.revision(projects, name)
            opened.file(projects, "a" * 64, "1.zip")
    assert any("root_revisions" in statement for statement in statements) == (few < 100)
    assert unexpected(tmp_path / "catalogue.sqlite3", statements) == []


def test_the_test_notices_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    SQLiteCatalogue(path).close()
    for statement in (
        "SELECT id FROM packages WHERE canonical_version = '1'",
        "SELECT id FROM files WHERE blob_key = ''",
        "SELECT id FROM packages ORDER BY version",
        "SELECT id FROM packages WHERE id > 5",
        "SELECT project_id FROM project_revisions WHERE project_id = 1",
    ):
        assert unexpected(path, {"": statement}), statement
