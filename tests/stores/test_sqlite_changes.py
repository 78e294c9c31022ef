"""What a catalogue remembers is true: whoever changes something, however it ends, and whatever becomes of the file."""

import errno
import mmap
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_registry.errors import FileTaken, StorageFull, StorageUnavailable
from pypi_registry.model import Digests, NameStatus, PackageFile, PackageQuery, Project, Status, Upload
from pypi_registry.stores import sqlite
from pypi_registry.stores.sqlite import SQLiteCatalogue, changes
from pypi_registry.stores.sqlite.changes import LastChange

TOOLS, DEMO = Project(1, "acme/tools"), canonicalize_name("demo")
SHA256 = "a" * 64
FILENAME = "demo-1.0.tar.gz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def beside(path: Path) -> Path:
    return path.with_name("catalogue.sqlite-changes")


@pytest.fixture
def ours(statements: list[str], path: Path) -> Iterator[SQLiteCatalogue]:
    with closing(SQLiteCatalogue(path)) as catalogue:
        add(catalogue, FILENAME)
        yield catalogue


@pytest.fixture
def theirs(ours: SQLiteCatalogue, path: Path) -> Iterator[SQLiteCatalogue]:
    """As another process has it."""
    with closing(SQLiteCatalogue(path)) as catalogue:
        yield catalogue


def add(catalogue: SQLiteCatalogue, filename: str, name: str = "demo", version: str = "1.0") -> PackageFile:
    upload = Upload(name, canonicalize_name(name), version, filename, 4, Digests(SHA256), "")
    return catalogue.add(TOOLS, upload, "0" * 32, datetime(2026, 1, 1, tzinfo=UTC))


def said(catalogue: SQLiteCatalogue) -> tuple[object, ...]:
    """All that is remembered."""
    return (
        catalogue.revision([1], DEMO),
        catalogue.revision([1], None),
        catalogue.revision([1, 2], DEMO),
        catalogue.revision([1], canonicalize_name("other")),
        catalogue.file([1], SHA256, FILENAME),
        catalogue.file([1, 2], SHA256, "other-1.0.tar.gz"),
        catalogue.status([1], DEMO),
        catalogue.was_published("acme", DEMO),
        catalogue.was_published("acme", canonicalize_name("other")),
    )


def afresh(path: Path) -> tuple[object, ...]:
    """What a catalogue says that remembers nothing."""
    with closing(SQLiteCatalogue(path)) as catalogue:
        return said(catalogue)


def test_nothing_is_asked_twice_while_nothing_changes(ours: SQLiteCatalogue, statements: list[str]) -> None:
    first = said(ours)
    statements.clear()
    assert said(ours) == first
    assert statements == []


CHANGES: dict[str, Callable[[SQLiteCatalogue, PackageFile], object]] = {
    "an upload": lambda catalogue, file: add(catalogue, "demo-1.0.zip"),
    "an upload of another name": lambda catalogue, file: add(catalogue, "other-1.0.tar.gz", "other"),
    "a status": lambda catalogue, file: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED, "bad")),
    "a yank": lambda catalogue, file: catalogue.yank(file.package, "broken"),
    "a file is deleted": lambda catalogue, file: catalogue.delete_file(file),
    "a package is deleted": lambda catalogue, file: catalogue.delete_package(file.package),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_whoever_changes_something_is_believed_at_once(
    change: str, whose: str, ours: SQLiteCatalogue, theirs: SQLiteCatalogue, path: Path
) -> None:
    before = said(ours), said(theirs)
    file = ours.file([1], SHA256, FILENAME)
    assert file is not None
    CHANGES[change](ours if whose == "ours" else theirs, file)
    after = said(ours), said(theirs)
    assert after[0] == after[1] == afresh(path)
    assert after != before


def test_a_change_that_is_not_committed_yet_is_neither_believed_nor_missed_later(
    ours: SQLiteCatalogue, theirs: SQLiteCatalogue, path: Path
) -> None:
    before = said(ours)
    announced, go_on = Event(), Event()

    def change() -> None:
        with theirs._connections.transaction() as connection:
            theirs._raise_revisions(connection, 1, DEMO, index=True)
            announced.set()
            go_on.wait(60)

    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(change)
        announced.wait(60)
        assert [said(ours) for _ in range(3)] == [before] * 3
        go_on.set()
        changing.result()
    assert said(ours) == afresh(path) != before


@pytest.mark.parametrize("end", ["it is refused", "its process is gone"])
def test_a_change_that_came_to_nothing_harms_nobody(
    end: str, ours: SQLiteCatalogue, theirs: SQLiteCatalogue, statements: list[str], path: Path
) -> None:
    before = said(ours)
    if end == "it is refused":
        with suppress(FileTaken):
            add(theirs, FILENAME)
    else:
        theirs._last_change.announce()
    assert said(ours) == before
    add(theirs, "demo-1.0.zip")
    assert said(ours) == afresh(path) != before
    said(ours)
    statements.clear()
    said(ours)
    assert statements == []  # and from the next change on it is remembered again


def test_a_catalogue_that_was_put_here_alone_is_remembered_too(path: Path, beside: Path, statements: list[str]) -> None:
    with closing(SQLiteCatalogue(path)) as catalogue:
        add(catalogue, FILENAME)
        first = said(catalogue)
    beside.unlink()
    with closing(SQLiteCatalogue(path)) as catalogue:
        assert said(catalogue) == first
        statements.clear()
        assert said(catalogue) == first
    assert statements == []


@pytest.mark.parametrize("content", [b"\xff" * 8, b"\0" * 100], ids=repr)
def test_what_is_beside_it_may_be_anything(ours: SQLiteCatalogue, path: Path, beside: Path, content: bytes) -> None:
    before = said(ours)
    beside.write_bytes(content)
    assert said(ours) == before
    add(ours, "demo-1.0.zip")
    assert said(ours) == afresh(path) != before


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 100], ids=repr)
def test_what_is_beside_it_may_have_been_anything(path: Path, beside: Path, content: bytes) -> None:
    with closing(SQLiteCatalogue(path)) as catalogue:
        add(catalogue, FILENAME)
    beside.write_bytes(content)
    with closing(SQLiteCatalogue(path)) as ours, closing(SQLiteCatalogue(path)) as theirs:
        before = said(ours), said(theirs)
        add(ours, "demo-1.0.zip")
        assert said(ours) == said(theirs) == afresh(path) != before[0] == before[1]


def test_a_file_that_is_there_and_has_no_number_yet_is_no_harm(path: Path, beside: Path) -> None:
    path.touch()
    beside.write_bytes(b"1234")
    change = LastChange(path)
    assert change.read() is None
    assert change.announce() == change.read()


def not_mapped(*args: object, **options: object) -> mmap.mmap:
    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        pytest.param(mmap, "mmap", not_mapped, id="the file system maps no files"),
        pytest.param(changes, "_IS_COHERENT", False, id="what is mapped may be old"),
    ],
)
def test_where_the_number_cannot_be_mapped_nothing_is_remembered(
    where: object, name: str, value: object, path: Path, monkeypatch: pytest.MonkeyPatch, statements: list[str]
) -> None:
    monkeypatch.setattr(where, name, value)
    with closing(SQLiteCatalogue(path)) as ours, closing(SQLiteCatalogue(path)) as theirs:
        add(ours, FILENAME)
        before = said(ours)
        statements.clear()
        assert said(ours) == before
        assert statements != []
        add(theirs, "demo-1.0.zip")
        assert said(ours) == afresh(path) != before


def test_what_is_remembered_is_bounded(ours: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_REMEMBERED", 5)
    for number in range(100):
        assert ours.revision([1], canonicalize_name(f"name-{number}")) == 0
        assert len(ours._memory.answers) <= 5


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_whoever_may_write_the_catalogue_may_write_what_is_beside_it(path: Path, beside: Path) -> None:
    path.touch(0o660)
    path.chmod(0o660)
    before = os.umask(0o077)
    try:
        SQLiteCatalogue(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(beside.stat().st_mode) == 0o660


def test_numbers_are_never_the_same(path: Path) -> None:
    path.touch()
    change = LastChange(path)
    numbers = [change.announce() for _ in range(1000)]
    assert len({*numbers}) == 1000
    assert change.read() == LastChange(path).read() == numbers[-1]


def test_a_link_to_a_catalogue_is_the_same_catalogue(ours: SQLiteCatalogue, path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    with closing(SQLiteCatalogue(tmp_path / "link")) as theirs:
        add(theirs, "demo-1.0.zip")
        before = said(theirs)
        add(ours, "demo-1.0.whl")
        assert said(theirs) == said(ours) != before


def test_a_catalogue_stays_where_it_is_when_its_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a daemon goes to the root
    with closing(SQLiteCatalogue("here/catalogue.sqlite")) as catalogue:
        add(catalogue, FILENAME)
        before = said(catalogue)
        catalogue.close()
        monkeypatch.chdir("/")
        assert said(catalogue) == before
        add(catalogue, "demo-1.0.zip")


def test_a_catalogue_that_is_closed_may_get_an_older_file(ours: SQLiteCatalogue, path: Path, tmp_path: Path) -> None:
    before = said(ours)
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(tmp_path / "backup")) as backup:
        connection.backup(backup)
    add(ours, "demo-1.0.zip")
    assert said(ours) != before
    ours.close()
    (tmp_path / "backup").replace(path)
    assert said(ours) == before


def test_a_catalogue_that_is_closed_opens_what_is_beside_it_again(
    ours: SQLiteCatalogue, path: Path, beside: Path
) -> None:
    said(ours)
    ours.close()
    beside.unlink()
    with closing(SQLiteCatalogue(path)) as theirs:
        add(theirs, "demo-1.0.zip")
        assert said(ours) == said(theirs)


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageUnavailable)]
)
def test_a_change_that_cannot_be_announced_is_not_made(
    number: int, raised: type[Exception], ours: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = said(ours)

    def pwrite(*args: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(raised):
        add(ours, "demo-1.0.zip")
    monkeypatch.undo()
    assert said(ours) == before


def test_what_is_remembered_is_bounded_in_bytes(ours: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_BYTES", 10_000)
    for number in range(100):
        ours.file([1], SHA256, f"{number}{'x' * 1000}")
        ours.file([*range(100)], SHA256, f"{number}")
        assert sum(len(str(question)) for question in ours._memory.answers) < 20_000
    ours.file([1], SHA256, "x" * 100_000)
    assert sum(len(str(question)) for question in ours._memory.answers) < 20_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_daemon_may_close_all_that_it_inherited(ours: SQLiteCatalogue, path: Path, tmp_path: Path) -> None:
    before = said(ours)
    child = os.fork()
    if not child:  # nothing of pytest's may run here, nor anything be raised
        code = 1
        with suppress(BaseException):
            os.closerange(3, 256)
            others = [os.open(tmp_path / f"other-{number}", os.O_RDWR | os.O_CREAT) for number in range(40)]
            if said(ours) == before:
                add(ours, "demo-1.0.zip")
                code = 2 * any(os.fstat(other).st_size for other in others)
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert said(ours) == afresh(path) != before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_beside_it_belongs_to_the_catalogues_owner(path: Path, beside: Path) -> None:
    path.touch()
    os.chown(path, 1000, 1001)
    SQLiteCatalogue(path).close()
    assert (beside.stat().st_uid, beside.stat().st_gid) == (1000, 1001)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are of POSIX")
@pytest.mark.parametrize("exists", [False, True], ids=["nothing", "a file"])
def test_a_link_in_its_place_is_not_followed(path: Path, beside: Path, tmp_path: Path, exists: bool) -> None:
    # Whoever owns the folder would be given whatever root may write.
    target = tmp_path / "target"
    if exists:
        target.write_bytes(b"")
    beside.symlink_to(target)
    with pytest.raises(StorageUnavailable):
        SQLiteCatalogue(path)
    assert target.read_bytes() == b"" if exists else not target.exists()


# Large pages


@pytest.fixture
def pages_of_three_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_KEPT_LARGE", range(3, 6))


ACTS = ["add", "add", "add", "yank", "unyank", "delete file", "delete package"]


@pytest.mark.usefixtures("pages_of_three_are_large")
@given(
    changes=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 9)), min_size=5, max_size=20),
    projects=st.sampled_from([[1], [1, 2]]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_large_page_all_is_true_whatever_was_changed(
    changes: list[tuple[str, int]], projects: list[int], tmp_path: Path
) -> None:
    path = tmp_path / secrets.token_hex(8)
    with closing(SQLiteCatalogue(path)) as ours, closing(SQLiteCatalogue(path)) as theirs:
        for act, number in changes:
            files = ours.files(projects, DEMO)
            file = files[number % len(files)] if files else None
            match act:
                case "add":
                    with suppress(FileTaken):
                        add(theirs, f"demo-{number}.zip", version=f"{number % 3}")
                case _ if file is None:
                    pass
                case "yank" | "unyank":
                    theirs.yank(file.package, f"reason {number}" if act == "yank" else None)
                case "delete file":
                    theirs.delete_file(file)
                case "delete package":
                    theirs.delete_package(file.package)
            assert ours.files(projects, DEMO) == all_files(theirs)


def all_files(catalogue: SQLiteCatalogue) -> list[PackageFile]:
    """Read all files in another way, which remembers nothing."""
    packages, _ = catalogue.packages([1], PackageQuery())
    files = [file for package in packages for file in catalogue.package_files(package)]
    return sorted(files, key=lambda file: file.id)


@pytest.mark.usefixtures("pages_of_three_are_large")
def test_of_a_large_page_only_what_is_new_is_read(ours: SQLiteCatalogue, statements: list[str]) -> None:
    for number in range(3):
        add(ours, f"demo-{number}.zip")
    before = ours.files([1], DEMO)
    new = add(ours, "demo-4.zip")
    statements.clear()
    assert ours.files([1], DEMO) == [*before, new]
    light, full = statements
    assert light.startswith("SELECT f.id, p.yanked ")
    assert f"json_each('[{new.id}]')" in full


@pytest.mark.usefixtures("pages_of_three_are_large")
def test_a_file_that_is_deleted_in_between_is_not_on_a_large_page(
    ours: SQLiteCatalogue, theirs: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add(ours, f"demo-{number}.zip")
    before = ours.files([1], DEMO)
    new = add(ours, "demo-4.zip")
    rows = ours._rows

    def delayed(statement: str, *values: object) -> list[Any]:
        found = rows(statement, *values)
        if statement.startswith("SELECT f.id, p.yanked "):
            theirs.delete_file(new)
        return found

    monkeypatch.setattr(ours, "_rows", delayed)
    assert ours.files([1], DEMO) == before


@pytest.mark.usefixtures("pages_of_three_are_large")
def test_a_catalogue_that_is_closed_knows_no_large_page(path: Path, tmp_path: Path) -> None:
    with closing(SQLiteCatalogue(path)) as catalogue:
        for number in range(3):
            add(catalogue, f"demo-{number}.zip")
        assert len(catalogue.files([1], DEMO)) == 3
        catalogue.close()
        with closing(SQLiteCatalogue(tmp_path / "other")) as other:
            kept = [add(other, f"demo-other-{number}.zip") for number in range(3)]
        (tmp_path / "other").replace(path)
        assert catalogue.files([1], DEMO) == kept
