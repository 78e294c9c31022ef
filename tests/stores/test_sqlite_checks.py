"""What the catalogue finds wrong with its own file, and repairs, while it is used."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pypi_registry._records import Record
from pypi_registry.model import PackageQuery
from pypi_registry.stores.sqlite import SQLiteCatalogue, UnknownSchema
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION, migrate
from pypi_registry.testing.contracts.catalogue.samples import (
    IN_TOOLS,
    TOOLS,
    add,
    answers,
    publish_history,
    upload,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def catalogue(path: Path) -> Iterator[SQLiteCatalogue]:
    with closing(SQLiteCatalogue(path)) as catalogue:
        publish_history(catalogue)
        yield catalogue


def damage(path: Path, script: str) -> None:
    """Change the file as another program does that leaves the triggers and the foreign keys out."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def without_triggers(table: str, statement: str) -> str:
    """Return a script that runs a statement without the triggers of a table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection, "")
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
        ).fetchall()
    drop = "".join(f"DROP TRIGGER {name};" for name, _ in triggers)
    return f"BEGIN; {drop} {statement}; {''.join(f'{sql};' for _, sql in triggers)} COMMIT;"


def found(catalogue: SQLiteCatalogue, *, repair: bool = False) -> list[tuple[str, bool, bool]]:
    return [*catalogue.inconsistencies(repair=repair)]


def test_a_catalogue_that_was_used_has_no_inconsistencies(catalogue: SQLiteCatalogue) -> None:
    # More names than are added to the index for searches at once, of which some are deleted again.
    for number in range(300):
        file = add(catalogue, TOOLS, upload(f"n{number}-1.0.zip", f"n{number}"))
        if number % 3 == 0:
            catalogue.delete_file(TOOLS, file.id, "")
    assert found(catalogue) == []


REPAIRABLE = {
    "a number of packages": ("UPDATE projects SET package_count = 7 WHERE id = 1", "its row has the number 7"),
    "a project": (
        without_triggers("projects", "DELETE FROM projects WHERE id = 1"),
        "the project 1 has packages, but no row",
    ),
    "a root group": ("DELETE FROM project_roots WHERE root = 'moved'", "'moved' of project 2 is not in project_roots"),
    "a revision": (
        without_triggers("project_revisions", "DELETE FROM project_revisions WHERE name = 'demo' AND project_id = 1"),
        "the page 'demo' of project 1 has no revision",
    ),
    "the revision of an index": (
        without_triggers("project_revisions", "DELETE FROM project_revisions WHERE name = '' AND project_id = 1"),
        "the page '' of project 1 has no revision",
    ),
    "a revision too many": (
        "INSERT INTO project_revisions (name, project_id, revision) VALUES ('gone', 1, 5)",
        "the page 'gone' of project 1 has a revision, but no package",
    ),
    "an identity": (
        "UPDATE files SET identity = NULL WHERE id = 1",
        "no file of the project 1 has the identity 'demo-1.zip', which another spelling of 'demo-1.0.zip' must not get",
    ),
    "a wrong identity": (
        "UPDATE files SET identity = 'demo-7.zip' WHERE id = 1",
        "the file 1 ('demo-1.0.zip') has the identity 'demo-7.zip' instead of 'demo-1.zip'",
    ),
    "a name": (
        without_triggers("names", "DELETE FROM names WHERE name = 'demo'"),
        "the name 'demo' of a package is not in the list of names",
    ),
    "a name too many": ("INSERT INTO names (name) VALUES ('gone')", "the name 'gone' is in the list of names"),
    "a name in the search": (
        "INSERT INTO name_search (rowid, name) VALUES (99, 'gone'); UPDATE name_search_end SET name_id = 99",
        "the search for names disagrees",
    ),
    "names that are not in the search": (
        "UPDATE name_search_end SET name_id = (SELECT max(id) FROM names)",
        "the search for names disagrees",
    ),
}


@pytest.mark.parametrize("name", REPAIRABLE)
def test_a_derived_row_is_found_repaired_and_then_right(catalogue: SQLiteCatalogue, path: Path, name: str) -> None:
    script, sentence = REPAIRABLE[name]
    before = {key: value for key, value in answers(catalogue).items() if key != "project_paths"}
    damage(path, script)
    first = found(catalogue)
    assert [sentence in text for text, _, _ in first].count(True) == 1
    assert {(repairable, repaired) for _, repairable, repaired in first} == {(True, False)}
    assert found(catalogue) == first, "without repair nothing changes"
    assert all(repaired for _, _, repaired in found(catalogue, repair=True))
    assert found(catalogue) == []
    assert {key: value for key, value in answers(catalogue).items() if key != "project_paths"} == before
    searched, _ = catalogue.packages(IN_TOOLS, PackageQuery(name="demo"))
    assert [package.name for package in searched] == ["demo"]


UNREPAIRABLE = {
    "a file in another project": (
        "UPDATE files SET project_id = 9 WHERE id = 1",
        "the file 1 ('demo-1.0.zip') is in project 9, but its package 1 is in project 1",
    ),
    "a canonical version": (
        "UPDATE packages SET canonical_version = '7' WHERE id = 1",
        "the package 1 has the version '1.0', but the canonical version '7'",
    ),
    "metadata": ("UPDATE packages SET metadata = '{' WHERE id = 1", "the package 1 has metadata or a time"),
    "a size": ("UPDATE files SET size = 'x' WHERE id = 1", "the file 1 has a size or a time"),
    "a status": (
        "UPDATE statuses SET status = 'bad' WHERE project_id = 1",
        "in project 1 is 'bad', which is not a status",
    ),
    "a package that is missing": (
        without_triggers("packages", "DELETE FROM packages WHERE id = 1"),
        "SQLite: row 1 of files refers to a row of packages that does not exist",
    ),
    "a trigger": ("DROP TRIGGER files_updated", "SQLite: the trigger files_updated is missing"),
    "an index": ("DROP INDEX files_by_package", "SQLite: the index files_by_package is missing"),
    "the row of revisions": ("DELETE FROM list_revisions", "the catalogue has 0 rows in list_revisions"),
    "the end of the search": ("DELETE FROM name_search_end", "the catalogue has 0 rows in name_search_end"),
}


@pytest.mark.parametrize("name", UNREPAIRABLE)
def test_what_cannot_be_derived_is_found_and_kept(catalogue: SQLiteCatalogue, path: Path, name: str) -> None:
    script, sentence = UNREPAIRABLE[name]
    damage(path, script)
    rows = content(path, "files", "packages", "statuses")
    texts = [text for text, repairable, repaired in found(catalogue, repair=True) if not repaired]
    assert any(sentence in text for text in texts), texts
    assert content(path, "files", "packages", "statuses") == rows


def test_a_damaged_index_is_found(catalogue: SQLiteCatalogue, path: Path) -> None:
    # The definition of the index changes, and its entries do not.
    damage(
        path,
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX files_by_package ON files (size)' "
        "WHERE name = 'files_by_package'",
    )
    with closing(SQLiteCatalogue(path, create=False)) as opened:
        assert any(text.startswith("SQLite: ") for text, _, _ in opened.inconsistencies(repair=False))


def content(path: Path, *tables: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def test_keys_are_listed_of_files_whose_package_is_missing(catalogue: SQLiteCatalogue, path: Path) -> None:
    file = add(catalogue, TOOLS, upload("kept-1.0.zip", "kept"), key="a" * 32)
    damage(path, without_triggers("packages", f"DELETE FROM packages WHERE id = {file.package.id}"))
    records: list[Record] = [*catalogue.records()]
    assert file not in [getattr(record, "file", None) for record in records]
    assert catalogue.listed(["a" * 32, "b" * 32]) == {"a" * 32}


def test_other_connections_can_write_while_a_check_waits(catalogue: SQLiteCatalogue, path: Path) -> None:
    damage(path, "UPDATE projects SET package_count = 7")
    steps = catalogue.inconsistencies(repair=True)
    for number, _ in enumerate(steps):
        add(catalogue, TOOLS, upload(f"between-{number}.zip", version=f"2.{number}"))
    assert found(catalogue) == []


# Opening without creating


def test_without_create_a_missing_file_stays_missing(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        SQLiteCatalogue(path, create=False)
    assert caught.value.filename == str(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (
            SCHEMA_VERSION - 1,
            "of an older version of this program. For a backup, stop the registry",
        ),
        (SCHEMA_VERSION + 1, f"this program supports only versions up to {SCHEMA_VERSION}"),
        (0, "has the schema version 0, so it is not a catalogue of this program"),
    ],
)
def test_without_create_another_schema_is_refused_and_not_changed(path: Path, version: int, sentence: str) -> None:
    SQLiteCatalogue(path).close()
    damage(path, f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(UnknownSchema) as caught:
        SQLiteCatalogue(path, create=False)
    assert sentence in str(caught.value)
    assert path.read_bytes() == before


def test_without_create_nothing_is_written(catalogue: SQLiteCatalogue, path: Path) -> None:
    files = path, path.with_name(f"{path.name}-wal")
    before = [each.read_bytes() for each in files]
    with closing(SQLiteCatalogue(path, create=False)) as opened:
        assert [*opened.records()] == [*catalogue.records()]
        assert found(opened) == []
        assert [each.read_bytes() for each in files] == before


def test_without_create_a_file_is_read_where_sqlite_can_create_nothing(catalogue: SQLiteCatalogue, path: Path) -> None:
    """A full disk has no room for the -shm; here a link has its name, which SQLite does not follow."""
    records = [*catalogue.records()]
    catalogue.close()
    path.with_name(f"{path.name}-shm").symlink_to("missing")
    with closing(SQLiteCatalogue(path, create=False)) as opened:
        assert [*opened.records()] == records
        assert found(opened) == []


def test_without_create_a_log_that_cannot_be_read_is_an_error(catalogue: SQLiteCatalogue, path: Path) -> None:
    copy = path.with_name("copy.sqlite3")
    for end in ("", "-wal"):
        copy.with_name(f"{copy.name}{end}").write_bytes(path.with_name(f"{path.name}{end}").read_bytes())
    copy.with_name(f"{copy.name}-shm").symlink_to("missing")
    with pytest.raises(sqlite3.OperationalError):
        SQLiteCatalogue(copy, create=False)
