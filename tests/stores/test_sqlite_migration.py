"""Files that older versions of the package created; ``data/create.py`` describes what they hold."""

import errno
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._records import FileRecord
from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused
from pypi_registry.model import (
    Digests,
    Listing,
    NameStatus,
    Package,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
)
from pypi_registry.stores.sqlite import SQLiteCatalogue, UnknownSchema, copies
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION

DATA = Path(__file__).with_name("data")
TOOLS, LIBS, ALONE = Project(1, "Acme/tools"), Project(2, "Moved/libs"), Project(10**15, "alone")
EVERYWHERE = Projects([TOOLS, LIBS, ALONE])
DEMO, OTHER, EMPTY, ABSENT = (canonicalize_name(name) for name in ("demo-x", "other", "empty", "absent"))
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DAY = timedelta(days=1)

PACKAGES = [
    Package(1, TOOLS.id, "Demo.X", DEMO, "1.0", AT),
    Package(2, TOOLS.id, "demo-x", DEMO, "2.0", AT + 2 * DAY, "broken"),
    Package(3, TOOLS.id, "other", OTHER, "1.0", AT + 3 * DAY),
    Package(4, LIBS.id, "demo-x", DEMO, "1.0", AT + 4 * DAY),
    Package(5, ALONE.id, "empty", EMPTY, "1.0", AT + 5 * DAY),  # without files
    Package(7, LIBS.id, "other", OTHER, "3.0", AT + 7 * DAY),
]
FILES = {1: "demo_x-1.0.zip", 2: "demo_x-1.0.tar.gz", 3: "demo_x-2.0.zip", 4: "other-1.0.zip", 5: "demo_x-1.0.zip"}
PUBLICATIONS = {
    "demo-x": [("acme", 1), ("acme", 2)],
    "other": [("acme", 1), ("moved", 2)],
    "empty": [("alone", ALONE.id)],
    "gone": [("alone", ALONE.id)],
}


@pytest.fixture(params=range(1, SCHEMA_VERSION), ids="schema {}".format)  # a new step needs a file of the one before
def schema(request: pytest.FixtureRequest) -> int:
    version: int = request.param
    return version


@pytest.fixture
def path(schema: int, tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.sqlite3"
    shutil.copy(DATA / f"schema{schema}.sqlite3", path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema,)
    return path


@pytest.fixture
def catalogue(path: Path) -> Iterator[SQLiteCatalogue]:
    with closing(SQLiteCatalogue(path)) as opened:
        yield opened


def upload(filename: str, name: str = "demo-x", version: str = "9.0") -> Upload:
    return Upload(name, canonicalize_name(name), version, filename, 4, Digests("a" * 64), "")


def test_every_package_and_yank_is_kept(catalogue: SQLiteCatalogue) -> None:
    assert catalogue.packages(EVERYWHERE, PackageQuery(order_by="created_at")) == (PACKAGES, 6)
    for package in PACKAGES:
        details = catalogue.package(package.project_id, package.id)
        assert details is not None
        assert details.package == package
    assert catalogue.packages(EVERYWHERE, PackageQuery(name="DEMO")) == ([PACKAGES[n] for n in (0, 1, 3)], 3)
    assert catalogue.packages(EVERYWHERE, PackageQuery(order_by="project_path", limit=2)) == (
        [PACKAGES[0], PACKAGES[1]],
        6,
    )


def test_the_metadata_of_the_last_upload_is_kept(catalogue: SQLiteCatalogue) -> None:
    for package, number in zip(PACKAGES, (1, 2, 3, 4, 5, 7), strict=True):
        details = catalogue.package(package.project_id, package.id)
        assert details is not None
        assert details.metadata == PackageMetadata(summary=f"summary {number} é", keywords="a,b")


def test_a_package_without_files_is_kept_and_has_an_empty_page(catalogue: SQLiteCatalogue) -> None:
    assert catalogue.listing(Projects([ALONE]), EMPTY) == Listing([], {ALONE.id: NameStatus()})
    assert catalogue.revision(Projects([ALONE]), EMPTY) is not None
    details = catalogue.package(ALONE.id, 5)
    assert details is not None
    assert details.files == []


def test_every_file_is_kept(catalogue: SQLiteCatalogue, schema: int) -> None:
    listing = catalogue.listing(Projects([TOOLS]), DEMO)
    assert listing is not None
    assert {file.id: file.filename for file in listing.files} == {id_: FILES[id_] for id_ in (1, 2, 3)}
    first = listing.files[0]
    assert first.package == PACKAGES[0]
    assert (first.size, first.digests, first.requires_python) == (4, Digests("0" * 64, "0" * 32, None), "")
    assert (first.uploaded_at, first.blob_key, first.uploaded_by) == (AT, "0" * 32, "")
    assert listing.files[1].requires_python == ">=3.8"
    for file, data in zip(listing.files, [b"Name: Demo.X\n", None, b""], strict=True):
        assert catalogue.core_metadata(file.id) == (data if schema >= 2 else None)
        assert (file.core_metadata_sha256 is None) == (catalogue.core_metadata(file.id) is None)
        found = catalogue.file(EVERYWHERE, file.digests.sha256, file.filename)
        assert found is not None
        assert found.file == file


def identities(catalogue: SQLiteCatalogue) -> dict[int, str | None]:
    return {record.file.id: record.identity for record in catalogue.records() if isinstance(record, FileRecord)}


def test_every_file_has_its_identity(catalogue: SQLiteCatalogue) -> None:
    assert identities(catalogue) == {
        1: "demo_x-1.zip",
        2: "demo_x-1.tar.gz",
        3: "demo_x-2.zip",
        4: "other-1.zip",
        5: "demo_x-1.zip",
        8: "other-3.zip",
    }


def test_of_several_spellings_the_oldest_file_has_the_identity(path: Path, schema: int) -> None:
    without = ", identity = NULL" if schema >= 4 else ""  # as the step to schema 4 leaves them
    with closing(sqlite3.connect(path)) as connection:
        for id_, filename in [(103, "Demo.X-1.0.zip"), (101, "demo-x-1.zip"), (102, "else-1.0.zip"), (104, "x.exe")]:
            connection.executescript(
                "CREATE TEMP TABLE double AS SELECT * FROM files WHERE id = 1; "
                f"UPDATE double SET id = {id_}, filename = '{filename}'{without}; "
                "INSERT INTO files SELECT * FROM double; DROP TABLE double"
            )
    with closing(SQLiteCatalogue(path)) as catalogue:
        found = identities(catalogue)
        assert (found[1], found[101], found[102], found[103], found[104]) == ("demo_x-1.zip", None, None, None, None)
        for holder in (1, 101, 103):
            with pytest.raises(FileTaken):
                catalogue.add(TOOLS, upload("DEMO_X-1.0.zip", version="1.0"), "f" * 32, AT, "")
            assert catalogue.delete_file(TOOLS, holder, "") is not None
        catalogue.add(TOOLS, upload("DEMO_X-1.0.zip", version="1.0"), "f" * 32, AT, "")


def test_every_status_is_kept(catalogue: SQLiteCatalogue) -> None:
    listing = catalogue.listing(Projects([TOOLS, LIBS]), DEMO)
    assert listing is not None
    assert listing.statuses == {TOOLS.id: NameStatus(), LIBS.id: NameStatus(Status.QUARANTINED, "malware")}
    for project, name in ((LIBS, "demo-x"), (TOOLS, "absent")):
        with pytest.raises(UploadsRefused):
            catalogue.add(project, upload("new.zip", name), "f" * 32, AT, "")


def test_every_publication_and_path_is_kept(catalogue: SQLiteCatalogue) -> None:
    found = {name: [*catalogue.publications(canonicalize_name(name))] for name in PUBLICATIONS}
    assert found == PUBLICATIONS
    assert catalogue.project_paths() == [(1, "Acme/tools"), (2, "Moved/libs"), (ALONE.id, "alone")]
    assert catalogue.names(EVERYWHERE) == [DEMO, EMPTY, OTHER]


def test_every_page_has_a_revision(catalogue: SQLiteCatalogue) -> None:
    for projects in (Projects([TOOLS]), Projects([LIBS]), Projects([TOOLS, LIBS]), EVERYWHERE):
        assert catalogue.revision(projects, DEMO) is not None
        assert catalogue.revision(projects, None) is not None
    assert catalogue.revision(EVERYWHERE, ABSENT) is None


def test_uploads_go_on(catalogue: SQLiteCatalogue) -> None:
    selections = Projects([TOOLS]), Projects([TOOLS, LIBS])
    before = [catalogue.revision(projects, DEMO) for projects in selections]
    with pytest.raises(FileTaken):
        catalogue.add(TOOLS, upload("demo_x-1.0.zip"), "f" * 32, AT, "ada")
    again = catalogue.add(TOOLS, upload("demo_x-1.0.whl", version="1.0.0"), "f" * 32, AT, "ada")
    assert again.package == PACKAGES[0]
    new = catalogue.add(TOOLS, upload("new-1.0.zip", "Brand-New"), "f" * 32, AT, "ada")
    # 7 and 8 were used for what was deleted.
    assert (again.id, new.id, new.package.id, new.uploaded_by) == (9, 10, 8, "ada")
    assert catalogue.packages(EVERYWHERE, PackageQuery(name="nd-n")) == ([new.package], 1)
    after = [catalogue.revision(projects, DEMO) for projects in selections]
    assert all(was != now for was, now in zip(before, after, strict=True))
    deletion = catalogue.delete_file(LIBS, 8, "")
    assert deletion is not None
    assert deletion.package_deleted


def test_a_package_without_files_gets_files_again(catalogue: SQLiteCatalogue) -> None:
    before = catalogue.revision(Projects([ALONE]), EMPTY)
    file = catalogue.add(ALONE, upload("empty-1.0.zip", "empty", "1.0"), "f" * 32, AT, "")
    assert file.package == PACKAGES[4]
    assert catalogue.revision(Projects([ALONE]), EMPTY) != before


def test_a_migration_happens_once(path: Path) -> None:
    def revisions() -> list[object]:
        with closing(SQLiteCatalogue(path)) as catalogue:
            return [catalogue.revision(projects, DEMO) for projects in (Projects([TOOLS]), EVERYWHERE)]

    assert revisions() == revisions()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_migrated_file_has_the_schema_of_a_new_one(path: Path, tmp_path: Path) -> None:
    SQLiteCatalogue(path).close()
    SQLiteCatalogue(tmp_path / "new.sqlite3").close()

    def schema_of(file: Path) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
            return {(name, re.sub("--.*", "", sql)) for name, sql in rows}  # without comments

    assert schema_of(path) == schema_of(tmp_path / "new.sqlite3")


def test_a_failed_migration_changes_nothing(path: Path, schema: int, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE packages ADD COLUMN variants")  # the last statement fails
        connection.commit()
        schema_before = connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()
    before = path.read_bytes()
    with pytest.raises(sqlite3.OperationalError, match="duplicate column name: variants"):
        SQLiteCatalogue(path)
    assert (copies_beside(path), caplog.records) == ([], [])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema,)
        assert connection.execute("SELECT name, sql FROM sqlite_schema").fetchall() == schema_before
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, -1, 0])
def test_a_file_of_a_newer_version_is_refused(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(UnknownSchema):
        SQLiteCatalogue(path)


# The copy before the migration


def copies_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.glob(f"{path.name}.before-*"))


def rows_of(path: Path) -> tuple[int, list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [version] = connection.execute("PRAGMA user_version").fetchone()
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return version, [(name, connection.execute(f"SELECT * FROM {name}").fetchall()) for name in sorted(tables)]


def test_a_copy_of_the_older_file_is_kept(path: Path, schema: int) -> None:
    before = rows_of(path)
    SQLiteCatalogue(path).close()
    copy = path.with_name(f"{path.name}.before-{schema}")
    assert rows_of(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copies_beside(path) == [copy.name]
    SQLiteCatalogue(path).close()
    assert copies_beside(path) == [copy.name], "a file of this version is not copied"


def test_a_migration_is_logged_once(path: Path, schema: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        SQLiteCatalogue(path).close()
    copy = f"{path}.before-{schema}"
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        (
            "pypi_registry",
            "WARNING",
            f"{path}: migrated from schema version {schema} to {SCHEMA_VERSION}; "
            f"a copy of the older catalogue is {copy}",
        )
    ]
    Path(copy).rename(path)  # someone went back
    Path(copy).write_text("of an earlier migration", encoding="utf-8")
    caplog.clear()
    SQLiteCatalogue(path).close()
    assert caplog.messages[0].endswith(f"a copy of the older catalogue is {copy}.2")


def test_the_creation_of_a_file_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SQLiteCatalogue(tmp_path / "new.sqlite3").close()
    assert caplog.records == []


def test_what_was_only_in_the_log_of_the_older_version_is_in_the_copy(path: Path, schema: int) -> None:
    with closing(sqlite3.connect(path)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.execute("UPDATE packages SET version = '7.7' WHERE id = 3")
        older.commit()
        assert path.with_name(f"{path.name}-wal").stat().st_size > 0
        SQLiteCatalogue(path).close()
        with closing(sqlite3.connect(f"{path}.before-{schema}")) as copy:
            assert copy.execute("SELECT version FROM packages WHERE id = 3").fetchone() == ("7.7",)


def test_the_copy_can_be_migrated_again(path: Path, schema: int) -> None:
    SQLiteCatalogue(path).close()
    path.unlink()
    path.with_name(f"{path.name}.before-{schema}").rename(path)
    test_every_package_and_yank_is_kept(SQLiteCatalogue(path))


def test_an_older_copy_is_not_replaced(path: Path, schema: int) -> None:
    first = path.with_name(f"{path.name}.before-{schema}")
    first.write_text("an older copy", encoding="utf-8")
    before = rows_of(path)
    SQLiteCatalogue(path).close()
    assert first.read_text(encoding="utf-8") == "an older copy"
    assert copies_beside(path) == [first.name, f"{first.name}.2"]
    assert rows_of(path.with_name(f"{first.name}.2")) == before


@pytest.mark.parametrize("step", ["_sync_file", "sync_folder"])
def test_without_room_for_the_copy_nothing_is_migrated(
    path: Path, schema: int, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(path: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = path.read_bytes()
    monkeypatch.setattr(copies, step, full)
    with pytest.raises(StorageUnavailable, match="cannot be copied before its migration") as caught:
        SQLiteCatalogue(path)
    assert str(caught.value.__cause__) == (
        f"the copy {path}.before-{schema}, which is made before the migration, cannot be written: "
        "No space left on device; nothing was migrated"
    )
    monkeypatch.undo()
    assert len(path.read_bytes()) == len(before)
    assert rows_of(path)[0] == schema
    assert [each.name for each in path.parent.iterdir() if "before" in each.name] == []
    test_every_package_and_yank_is_kept(SQLiteCatalogue(path))


def test_an_incomplete_copy_of_a_killed_process_is_written_anew(path: Path, schema: int) -> None:
    incomplete = path.with_name(f"{path.name}.before-{schema}.incomplete")
    incomplete.write_bytes(b"half of it")
    SQLiteCatalogue(path).close()
    assert copies_beside(path) == [f"{path.name}.before-{schema}"]


def test_of_two_processes_at_once_one_copies_and_migrates(path: Path, schema: int) -> None:
    before = rows_of(path)
    program = (
        "import sys; from pypi_registry.stores.sqlite import SQLiteCatalogue; SQLiteCatalogue(sys.argv[1]).close()"
    )
    command = [sys.executable, "-c", program, str(path)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    [logged] = "".join(each.communicate(timeout=60)[1] for each in running).splitlines()
    assert [each.returncode for each in running] == [0, 0, 0]
    assert f"migrated from schema version {schema}" in logged
    assert copies_beside(path) == [f"{path.name}.before-{schema}"]
    assert rows_of(path.with_name(f"{path.name}.before-{schema}")) == before
    assert rows_of(path)[0] == SCHEMA_VERSION


def test_replacing_a_yank_is_seen(catalogue: SQLiteCatalogue) -> None:
    assert catalogue.yank(TOOLS, 2, None, "") == replace(PACKAGES[1], yanked=None)
