import os
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.errors import FileTaken, OutcomeUnknown, StorageFull, StorageUnavailable, UploadsRefused
from pypi_registry.model import (
    Digests,
    NameStatus,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
)
from pypi_registry.stores.sqlite import SQLiteCatalogue, pool, writers
from pypi_registry.stores.sqlite import catalogue as sqlite_catalogue
from pypi_registry.stores.sqlite.pool import ConnectionPool
from pypi_registry.stores.sqlite.schema import MANY, SCHEMA_VERSION, UnknownSchema

TOOLS = Project(1, "acme/tools")
IN_TOOLS, IN_TWO = Projects([TOOLS]), Projects([TOOLS, Project(2, "acme/libs")])
DEMO = canonicalize_name("demo")
AT = datetime(2026, 1, 2, tzinfo=UTC)
SHORT_TIMEOUT = 0.05  # seconds

pytestmark = pytest.mark.filterwarnings(
    # Python warns of what the tests of forking are about.
    "ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"
)


def upload(filename: str, version: str = "1.0") -> Upload:
    return Upload("demo", DEMO, version, filename, 4, Digests("a" * 64), "")


def add(catalogue: SQLiteCatalogue, filename: str) -> PackageFile:
    return catalogue.add(TOOLS, upload(filename), "0" * 32, AT, "")


def filenames(catalogue: SQLiteCatalogue) -> list[str]:
    listing = catalogue.listing(IN_TOOLS, DEMO)
    return [file.filename for file in listing.files] if listing else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.db"


@pytest.fixture
def catalogue(path: Path) -> Iterator[SQLiteCatalogue]:
    opened = SQLiteCatalogue(path)
    yield opened
    opened.close()


# The file


def test_the_file_and_its_folders_are_made(tmp_path: Path) -> None:
    SQLiteCatalogue(str(tmp_path / "a" / "b" / "catalogue.db")).close()
    assert (tmp_path / "a" / "b" / "catalogue.db").is_file()


def revisions(catalogue: SQLiteCatalogue) -> list[object]:
    return [catalogue.revision(projects, name) for projects in (IN_TOOLS, IN_TWO) for name in (DEMO, None)]


def test_everything_is_there_when_the_file_is_opened_again(path: Path) -> None:
    first = SQLiteCatalogue(path)
    metadata = PackageMetadata(summary="summary")
    added = first.add(TOOLS, replace(upload("demo-1.0.zip"), metadata=metadata), "0" * 32, AT, "ada")
    before = revisions(first)
    first.close()

    second = SQLiteCatalogue(path)
    details = second.package(TOOLS.id, added.package.id)
    assert details is not None
    assert (details.files, details.metadata) == ([added], metadata)
    assert list(second.names(IN_TOOLS)) == ["demo"]
    assert revisions(second) == before
    assert second.publications(DEMO) == [("acme", 1)]
    assert list(second.project_paths()) == [(1, "acme/tools")]
    with pytest.raises(FileTaken):
        add(second, "demo-1.0.zip")
    assert add(second, "demo-1.0.tar.gz").id > added.id
    second.close()


def test_changes_and_deletions_are_there_when_the_file_is_opened_again(path: Path) -> None:
    first = SQLiteCatalogue(path)
    kept, file, gone = (first.add(TOOLS, upload(f"{version}.zip", version), version * 32, AT, "") for version in "123")
    yanked = first.yank(TOOLS, kept.package.id, "broken", "")
    first.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED, "done"), "")
    first.delete_file(TOOLS, file.id, "")
    first.delete_package(TOOLS, gone.package.id, "")
    before = revisions(first)
    first.close()

    second = SQLiteCatalogue(path)
    assert second.packages(IN_TOOLS, PackageQuery()) == ([yanked], 1)
    listing = second.listing(IN_TOOLS, DEMO)
    assert listing is not None
    assert [each.filename for each in listing.files] == ["1.zip"]
    assert listing.statuses == {TOOLS.id: NameStatus(Status.ARCHIVED, "done")}
    assert revisions(second) == before
    with pytest.raises(UploadsRefused):
        add(second, "3.zip")
    second.set_status(TOOLS, DEMO, NameStatus(), "")
    again = second.add(TOOLS, upload("3.zip", "3"), "0" * 32, AT, "")
    assert again.id > gone.id
    assert again.package.id > gone.package.id
    second.close()


def test_what_was_added_is_there_without_a_close(path: Path, catalogue: SQLiteCatalogue) -> None:
    add(catalogue, "demo-1.0.zip")
    other = SQLiteCatalogue(path)
    assert filenames(other) == ["demo-1.0.zip"]
    add(other, "demo-1.0.tar.gz")
    other.close()
    assert filenames(catalogue) == ["demo-1.0.zip", "demo-1.0.tar.gz"]


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, -1])
def test_a_file_of_another_schema_is_refused_and_left_alone(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(UnknownSchema) as caught:
        SQLiteCatalogue(path)
    assert (caught.value.path, caught.value.found) == (str(path), version)
    assert str(caught.value) == f"{path} has the schema version {version}, " + (
        "so it is not a catalogue of this program"
        if version < 0
        else f"but this program supports only versions up to {SCHEMA_VERSION}: install the newer version again, or "
        f"restore the copy that it made before it migrated the file, such as {path}.before-{SCHEMA_VERSION}"
    )
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is a letter, and no database\n" * 100)
    with pytest.raises(StorageUnavailable, match="the catalogue is damaged"):
        SQLiteCatalogue(path)
    assert path.read_bytes() == b"this is a letter, and no database\n" * 100


# Several projects


@pytest.fixture(params=[100, 1], ids=["few projects", "many projects"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many projects are few."""
    count: int = request.param
    monkeypatch.setattr(sqlite_catalogue, "_FEW", count)
    return count


def test_a_project_that_changed_while_it_was_away_changes_the_revision_of_the_group_it_returns_to(
    catalogue: SQLiteCatalogue,
) -> None:
    package = add(catalogue, "demo-1.0.zip").package
    group = Projects([Project(TOOLS.id, "moved/tools"), Project(9, "moved/empty")])
    before = [catalogue.revision(group, name) for name in (DEMO, None)]
    catalogue.yank(TOOLS, package.id, "changed in its old group", "")
    catalogue.add(TOOLS, replace(upload("other-1.0.zip"), normalized_name=canonicalize_name("other")), "0" * 32, AT, "")
    after = [catalogue.revision(group, name) for name in (DEMO, None)]
    assert all(was != now for was, now in zip(before, after, strict=True))


def publish_in_many(path: Path, projects: Sequence[Project], name: str) -> None:
    """Insert a package of a name in each project, in one transaction and without files."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for project in projects:
            connection.execute("INSERT OR IGNORE INTO projects (id, path) VALUES (?, ?)", (project.id, project.path))
            connection.execute("INSERT OR IGNORE INTO project_roots VALUES (?, ?)", (project.id, project.root))
            connection.execute(
                "INSERT INTO packages (project_id, name, normalized_name, version, canonical_version, metadata, "
                "created_at) VALUES (?, ?, ?, '0', '0', '{}', 0)",
                (project.id, name, name),
            )


@pytest.mark.parametrize("mine", [1, 2, 5])
@pytest.mark.parametrize("others", [4, 98, 120])
def test_the_revision_of_several_projects_changes_with_each_of_them_and_with_no_other_group(
    catalogue: SQLiteCatalogue, path: Path, mine: int, others: int
) -> None:
    of_mine = [Project(number, f"mine/{number}") for number in range(1, 1 + mine)]
    of_others = [Project(number, f"other/{number}") for number in range(1001, 1001 + others)]
    group = Projects([*of_mine, *(Project(number, f"mine/empty/{number}") for number in range(2001, 2001 + MANY))])
    publish_in_many(path, of_others, DEMO)
    for project in [*of_mine, of_others[0], of_others[-1]]:
        catalogue.add(project, upload("1.zip"), "0" * 32, AT, "")
        before = [catalogue.revision(group, name) for name in (DEMO, None)]
        new = replace(upload("2.zip", "2"), name="new", normalized_name=canonicalize_name("new"))
        for each in (new, upload("3.zip", "3")):
            catalogue.add(project, each, "0" * 32, AT, "")
        after = [catalogue.revision(group, name) for name in (DEMO, None)]
        assert [was != now for was, now in zip(before, after, strict=True)] == [project in of_mine] * 2
    assert catalogue.revision(group, canonicalize_name("absent")) is None


@pytest.mark.parametrize("change", ["yank", "delete"])
def test_a_change_while_fewer_projects_have_a_page_changes_the_revision_when_they_are_many_again(
    catalogue: SQLiteCatalogue, path: Path, change: str
) -> None:
    """The revisions of root groups are not written for a page that few projects have."""
    package = catalogue.add(TOOLS, upload("demo-1.0.zip"), "0" * 32, AT, "").package
    others = [Project(number, f"other/{number}") for number in range(1001, 1000 + MANY)]
    publish_in_many(path, others, DEMO)
    group = Projects([TOOLS, *(Project(number, f"acme/{number}") for number in range(2001, 2001 + MANY))])
    many = catalogue.revision(group, DEMO)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM packages WHERE project_id = ?", (others[0].id,))
    few = catalogue.revision(group, DEMO)
    if change == "yank":
        catalogue.yank(TOOLS, package.id, "broken", "")
    else:
        catalogue.delete_package(TOOLS, package.id, "")
        publish_in_many(path, [Project(1000, "other/1000")], DEMO)
    few_later = catalogue.revision(group, DEMO)
    publish_in_many(path, [others[0]], DEMO)
    many_later = catalogue.revision(group, DEMO)
    found = [many, few, few_later, many_later]
    assert len(set(found)) == 4, found


def test_a_file_of_several_projects_is_the_newest_that_is_not_quarantined(catalogue: SQLiteCatalogue, few: int) -> None:
    projects = [Project(number, f"acme/{number}") for number in range(1, 6)]
    added = [catalogue.add(project, upload("demo-1.0.zip"), "0" * 32, AT, "") for project in projects]
    mine = Projects(projects[:4])

    def found() -> tuple[PackageFile, Status]:
        file = catalogue.file(mine, "a" * 64, "demo-1.0.zip")
        assert file is not None
        return file.file, file.status.status

    assert found() == (added[3], Status.ACTIVE)
    for number, expected in ((3, 2), (1, 2), (2, 0)):
        catalogue.set_status(projects[number], DEMO, NameStatus(Status.QUARANTINED), "")
        assert found() == (added[expected], Status.ACTIVE)
    catalogue.set_status(projects[0], DEMO, NameStatus(Status.QUARANTINED), "")
    assert found() == (added[3], Status.QUARANTINED)
    for digest, filename in (("b" * 64, "demo-1.0.zip"), ("a" * 64, "demo-1.0.whl")):
        assert catalogue.file(mine, digest, filename) is None
    assert catalogue.file(Projects(), "a" * 64, "demo-1.0.zip") is None


def test_the_copies_of_a_file_in_other_projects_cost_nothing(catalogue: SQLiteCatalogue) -> None:
    add(catalogue, "demo-1.0.zip")
    ticks: list[None] = []
    with catalogue._pool.lease() as connection:
        connection.set_progress_handler(lambda: ticks.append(None), 10)

    def cost() -> int:
        ticks.clear()
        catalogue.file(IN_TWO, "a" * 64, "demo-1.0.zip")
        return len(ticks)

    before = cost()
    assert before
    for number in range(100, 300):
        catalogue.add(Project(number, f"other/{number}"), upload("demo-1.0.zip"), "0" * 32, AT, "")
    assert cost() <= before + 2


# Other connections and processes

SCRIPT = """
import sys
from datetime import UTC, datetime
from pypi_registry.errors import FileTaken
from pypi_registry.model import Digests, Project, Upload
from pypi_registry.stores.sqlite import SQLiteCatalogue

path, me = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
catalogue = SQLiteCatalogue(path)
won = 0
for count in range(10):
    for filename in (f"demo-1.0-{me}-{count}.zip", f"demo-1.0-{count}.zip"):
        upload = Upload("demo", "demo", "1.0", filename, 4, Digests("a" * 64), "")
        try:
            catalogue.add(Project(1, "acme/tools"), upload, "0" * 32, datetime.now(UTC), "")
            won += 1
        except FileTaken:
            pass
catalogue.close()
print(won)
"""


def test_processes_that_add_at_once_lose_nothing_and_take_no_name_twice(path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]

    catalogue = SQLiteCatalogue(path)
    listing = catalogue.listing(IN_TOOLS, DEMO)
    catalogue.close()
    assert listing is not None
    files = listing.files
    assert sum(won) == len(files) == 30
    assert len({file.filename for file in files}) == 30
    assert len({file.id for file in files}) == 30
    assert len({file.package.id for file in files}) == 1


class FailingFlush(sqlite3.Connection):
    """Stands for a disk that takes a transaction and then fails to say so."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(statement, *values)


def test_a_commit_that_may_be_found_done_later_is_no_refusal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SQLiteCatalogue(path).close()
    catalogue = SQLiteCatalogue(path)
    catalogue.close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, factory=FailingFlush, **options))
    with pytest.raises(OutcomeUnknown, match="it is not known whether the change was committed"):
        add(catalogue, "demo-1.0.zip")
    catalogue.close()


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_POLL", SHORT_TIMEOUT)
    monkeypatch.setattr(pool, "_OPEN_TIMEOUT", SHORT_TIMEOUT)
    monkeypatch.setattr(pool, "_CREATE_TIMEOUT", SHORT_TIMEOUT)
    monkeypatch.setattr(writers, "BLOCKED", SHORT_TIMEOUT)
    monkeypatch.setattr(writers, "PATIENCE", SHORT_TIMEOUT)


@pytest.fixture
def another(path: Path, short_timeout: None) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else to the same file."""
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def test_a_writer_that_waits_too_long_is_told_to_come_again(
    another: sqlite3.Connection, catalogue: SQLiteCatalogue
) -> None:
    add(catalogue, "demo-1.0.zip")
    another.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable):
        add(catalogue, "demo-1.1.zip")
    assert filenames(catalogue) == ["demo-1.0.zip"]
    another.execute("ROLLBACK")
    add(catalogue, "demo-1.1.zip")
    assert filenames(catalogue) == ["demo-1.0.zip", "demo-1.1.zip"]


def test_a_file_that_is_locked_from_the_beginning_is_unavailable(another: sqlite3.Connection, path: Path) -> None:
    another.execute("CREATE TABLE t (x)")
    another.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageUnavailable):
        SQLiteCatalogue(path)


def test_a_file_that_is_locked_when_a_connection_is_opened_is_unavailable(
    another: sqlite3.Connection, catalogue: SQLiteCatalogue
) -> None:
    catalogue.close()
    another.execute("PRAGMA locking_mode = EXCLUSIVE")
    another.execute("BEGIN IMMEDIATE")
    acts: list[Callable[[], object]] = [lambda: catalogue.names(IN_TOOLS), lambda: add(catalogue, "demo-1.0.zip")]
    for act in acts:
        with pytest.raises(StorageUnavailable):
            act()


def test_a_full_disk_is_named_and_what_was_there_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SQLiteCatalogue(path).close()
    usual = sqlite3.connect

    def small(*args: Any, **options: Any) -> Any:
        connection = usual(*args, **options)
        connection.execute("PRAGMA max_page_count = 80")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    catalogue = SQLiteCatalogue(path)
    added: list[PackageFile] = []

    def fill(first: int) -> None:
        for number in range(first, first + 100):
            long = replace(upload(f"demo-{number}.zip", str(number)), metadata=PackageMetadata(description="x" * 4000))
            added.append(catalogue.add(TOOLS, long, "0" * 32, AT, ""))

    with pytest.raises(StorageFull):
        fill(0)
    assert len(added) > 5
    revision = catalogue.revision(IN_TOOLS, DEMO)
    with pytest.raises(StorageFull):
        fill(1000)
    listing = catalogue.listing(IN_TOOLS, DEMO)
    assert listing is not None
    assert list(listing.files) == added
    assert catalogue.revision(IN_TOOLS, DEMO) == revision
    catalogue.close()


def test_any_other_error_of_sqlite_stays_what_it_is(path: Path, catalogue: SQLiteCatalogue) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TABLE publications")
    connection.close()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        add(catalogue, "demo-1.0.zip")
    assert filenames(catalogue) == []


# Connections


class Watched(sqlite3.Connection):
    """A connection that says whether it was closed; Python warns of one that was not only since 3.13."""

    opened: list["Watched"]
    open = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.opened.append(self)

    def close(self) -> None:
        super().close()
        self.open = False


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Watched]]:
    """Every connection that is opened."""
    monkeypatch.setattr(Watched, "opened", [], raising=False)
    usual = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        return usual(*args, factory=Watched, **options)

    monkeypatch.setattr(sqlite3, "connect", watched)
    yield Watched.opened
    for connection in Watched.opened:
        connection.close()


def still_open(connections: list[Watched]) -> int:
    return sum(connection.open for connection in connections)


def test_readers_wait_for_no_writer_and_a_commit_reaches_the_disk(path: Path, connections: list[Watched]) -> None:
    catalogue = SQLiteCatalogue(path)
    add(catalogue, "demo-1.0.zip")
    assert still_open(connections) > 0
    for connection in connections:
        if connection.open:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    catalogue.close()


def test_close_leaves_no_connection(path: Path, connections: list[Watched]) -> None:
    catalogue = SQLiteCatalogue(path)
    start = Barrier(4)

    def act(number: int) -> None:
        start.wait()
        for count in range(5):
            add(catalogue, f"demo-{number}-{count}.zip")
            filenames(catalogue)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(4)))
    catalogue.close()
    assert connections
    assert still_open(connections) == 0


def test_close_twice_is_harmless_and_the_catalogue_can_be_used_again(path: Path, connections: list[Watched]) -> None:
    catalogue = SQLiteCatalogue(path)
    catalogue.close()
    catalogue.close()
    add(catalogue, "demo-1.0.zip")
    assert filenames(catalogue) == ["demo-1.0.zip"]
    catalogue.close()
    assert still_open(connections) == 0


def test_one_thread_needs_one_connection(path: Path, connections: list[Watched]) -> None:
    catalogue = SQLiteCatalogue(path)
    before = len(connections)
    for count in range(5):
        add(catalogue, f"demo-{count}.zip")
        filenames(catalogue)
        with pytest.raises(FileTaken):
            add(catalogue, f"demo-{count}.zip")
    catalogue.close()
    assert len(connections) <= before + 1


def test_an_unknown_schema_leaves_no_connection(path: Path, connections: list[Watched]) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UnknownSchema):
        SQLiteCatalogue(path)
    assert (len(connections), still_open(connections)) == (2, 0)


def test_what_is_no_database_leaves_no_connection(path: Path, connections: list[Watched]) -> None:
    path.write_bytes(b"this is a letter, and no database\n" * 100)
    with pytest.raises(StorageUnavailable, match="the catalogue is damaged"):
        SQLiteCatalogue(path)
    assert (len(connections), still_open(connections)) == (1, 0)


class Broken:
    """A connection to a file that cannot be read any more: SQLite ends the transaction itself."""

    in_transaction = False

    def execute(self, statement: str, *_: object) -> None:
        if statement != "BEGIN":
            error = sqlite3.OperationalError(
                "disk I/O error" if statement != "ROLLBACK" else "no transaction is active"
            )
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR if statement != "ROLLBACK" else sqlite3.SQLITE_ERROR
            raise error

    def close(self) -> None:
        pass


def test_a_page_of_a_broken_disk_is_unavailable(catalogue: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue._pool, "acquire", Broken)
    with pytest.raises(StorageUnavailable):
        catalogue.packages(IN_TOOLS, PackageQuery())


# Forks

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def fork(act: Callable[[], None]) -> int:
    """Do a thing in a child, which is killed if it hangs; give its process id."""
    process = os.fork()
    if process == 0:
        signal.alarm(60)  # ends what hangs; on a busy machine a few seconds are none
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return process


def exit_code(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@forks
def test_a_child_and_its_parent_use_the_catalogue_alike(catalogue: SQLiteCatalogue) -> None:
    add(catalogue, "demo-1.zip")

    def act() -> None:
        assert filenames(catalogue) == ["demo-1.zip"]
        add(catalogue, "demo-2.zip")
        catalogue.close()

    assert exit_code(fork(act)) == 0
    assert filenames(catalogue) == ["demo-1.zip", "demo-2.zip"]
    add(catalogue, "demo-3.zip")


@forks
@pytest.mark.parametrize("used", [False, True], ids=["just opened", "used before the fork"])
def test_a_parent_that_closes_takes_nothing_from_its_child(path: Path, used: bool) -> None:
    # A server that is loaded before it forks, a daemon whose first process ends: SQLite's locks are not inherited, but
    # what it knows of them in memory is, so the parent believes that it is the last and removes the log.
    catalogue = SQLiteCatalogue(path)
    if used:
        add(catalogue, "demo-0.zip")
    added, close = os.pipe(), os.pipe()

    def act() -> None:
        add(catalogue, "demo-1.zip")
        os.write(added[1], b"!")
        os.read(close[0], 1)
        add(catalogue, "demo-2.zip")

    child = fork(act)
    os.close(added[1])  # so that the next line ends even if the child does
    os.read(added[0], 1)
    catalogue.close()
    os.write(close[1], b"!")
    assert exit_code(child) == 0
    for descriptor in (added[0], *close):
        os.close(descriptor)

    again = SQLiteCatalogue(path)
    found = filenames(again)
    again.close()
    assert found[-2:] == ["demo-1.zip", "demo-2.zip"]


@forks
def test_a_fork_waits_for_the_upload_that_another_thread_is_in_the_middle_of(catalogue: SQLiteCatalogue) -> None:
    begun = Event()

    def change() -> None:
        with catalogue._pool.transaction() as connection:
            connection.execute("UPDATE packages SET name = name")
            begun.set()
            time.sleep(0.2)  # so that the fork comes in the middle; nothing tells when it has begun to wait

    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(change)
        assert begun.wait(30) or changing.result()
        child = fork(lambda: add_one(catalogue, "demo-1.zip"))
        changing.result()
    add(catalogue, "demo-2.zip")
    assert exit_code(child) == 0
    assert sorted(filenames(catalogue)) == ["demo-1.zip", "demo-2.zip"]


@forks
def test_forks_while_others_read_and_write_leave_children_that_do_both(catalogue: SQLiteCatalogue) -> None:
    over = Event()

    def work(number: int) -> int:
        count = 0
        while not over.is_set():
            add(catalogue, f"demo-{number}.{count}.zip")
            assert filenames(catalogue)
            count += 1
        return count

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work, number) for number in range(3)]
        children = [fork(partial(add_one, catalogue, f"child-{number}.zip")) for number in range(5)]
        codes = [exit_code(child) for child in children]
        over.set()
        done = sum(worker.result() for worker in working)
    assert codes == [0] * 5
    assert len(filenames(catalogue)) == done + 5


@forks
@pytest.mark.parametrize("held", ["queue", "lock"])
def test_a_fork_in_the_middle_of_ones_own_work_waits_for_a_while_and_stops_no_child(
    catalogue: SQLiteCatalogue, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CLOSE_TIMEOUT", 0.05)
    with ExitStack() as stack:
        if held == "queue":
            catalogue._pool._writers.acquire()
            stack.callback(catalogue._pool._writers.release)
        else:
            stack.enter_context(catalogue._pool._open_lock)
        code = exit_code(fork(lambda: add_one(catalogue, "demo-1.zip")))
    assert code == 0
    assert filenames(catalogue) == ["demo-1.zip"]
    assert exit_code(fork(lambda: add_one(catalogue, "demo-2.zip"))) == 0


@forks
def test_a_fork_in_the_middle_of_ones_own_look_up_leaves_the_child_no_connection(
    catalogue: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CLOSE_TIMEOUT", 0.05)
    connections = catalogue._pool

    def act() -> None:
        connections.release(leased)
        assert connections.acquire() is not leased
        add(catalogue, "demo-1.zip")

    with connections.lease() as leased:
        assert exit_code(fork(act)) == 0
    with connections.lease() as again:
        assert again is leased


class BusyQueue(writers.WriterQueue):
    """A queue that does not move. The first time that a caller waits in it, something happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(1)
        self._meanwhile = [meanwhile]

    def acquire(self, timeout: float = 0.0, *, first: bool = False) -> None:
        while self._meanwhile:
            self._meanwhile.pop()()
        raise StorageUnavailable("the catalogue is busy")


@forks
def test_a_signal_may_fork_while_a_fork_waits(catalogue: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def handler(*_: object) -> None:
        codes.append(exit_code(fork(lambda: add_one(catalogue, "demo-1.zip"))))

    def act() -> None:  # in a process of its own, which an alarm ends if it hangs
        signal.signal(signal.SIGUSR1, handler)
        queue = BusyQueue(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        with monkeypatch.context() as patch:
            patch.setattr(catalogue._pool, "_writers", queue)
            # Our hooks alone, as in a fork: a real one also takes the lock of concurrent.futures.thread, which is not
            # reentrant. If that module was imported after ours, the second fork waits for it for ever.
            pool._before_fork()
            pool._after_fork_in_parent()
        assert codes == [0]
        assert exit_code(fork(lambda: add_one(catalogue, "demo-2.zip"))) == 0
        add(catalogue, "demo-3.zip")

    assert exit_code(fork(act)) == 0
    assert sorted(filenames(catalogue)) == ["demo-1.zip", "demo-2.zip", "demo-3.zip"]


@forks
def test_catalogues_may_be_opened_while_others_fork(path: Path) -> None:
    over = Event()

    def act() -> None:  # in a process of its own, which an alarm ends if it hangs
        def work() -> None:
            while not over.is_set():
                [ConnectionPool(path) for _ in range(50)]

        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(2) as threads:
            working = [threads.submit(work) for _ in range(2)]
            codes = [exit_code(fork(lambda: None)) for _ in range(20)]
            over.set()
            for worker in working:
                worker.result()
        assert codes == [0] * 20

    assert exit_code(fork(act)) == 0


def add_one(catalogue: SQLiteCatalogue, filename: str) -> None:
    add(catalogue, filename)
