"""The queue of writers, with a clock of its own, and then with a real other program."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.errors import FileTaken, StorageUnavailable
from pypi_registry.model import Digests, PackageFile, Project, Projects, Upload
from pypi_registry.stores.sqlite import SQLiteCatalogue, writers
from pypi_registry.stores.sqlite.writers import BLOCKED, PATIENCE, WriterQueue

TOOLS = Project(1, "acme/tools")
DEMO = canonicalize_name("demo")
AT = datetime(2026, 1, 2, tzinfo=UTC)
PATIENT = 30.0  # seconds after which a test fails


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Queue:
    """A queue whose first writer is this thread; the others wait in threads of their own, one after the other."""

    clock: Clock
    queue: WriterQueue
    threads: ThreadPoolExecutor
    order: list[int] = field(default_factory=list)
    version: int = 7
    since: float = 1000.0

    def join(self, number: int) -> "Future[None]":
        """Let another writer join, and return when it waits."""
        before = len(self.queue._waiting)

        def write() -> None:
            self.queue.acquire()
            self.order.append(number)
            self.queue.release()

        joined = self.threads.submit(write)
        while len(self.queue._waiting) == before and not joined.done():
            time.sleep(0.001)  # nothing tells that a thread waits
        return joined

    def fail(self, seconds: float) -> None:
        """Let attempts of the first writer fail for some seconds."""
        for _ in range(round(seconds * 4)):
            self.clock.now += 0.25
            self.queue.blocked(self.since, self.version)


@pytest.fixture
def first() -> Iterator[Queue]:
    clock = Clock()
    queue = WriterQueue(4, clock)
    queue.acquire()
    with ThreadPoolExecutor(50) as threads:
        yield Queue(clock, queue, threads)
        queue.release()


def test_writers_come_in_their_order_however_many_they_are(first: Queue) -> None:
    joined = [first.join(number) for number in range(49)]
    first.queue.begun()
    first.queue.release()
    for each in joined:
        each.result(PATIENT)
    assert first.order == [*range(49)]
    first.queue.acquire()


def test_a_short_lock_of_another_program_limits_nobody(first: Queue) -> None:
    joined = [first.join(number) for number in range(9)]
    first.fail(BLOCKED)
    assert not any(each.done() for each in joined)
    first.queue.begun()
    first.queue.release()
    for each in joined:
        each.result(PATIENT)
    first.queue.acquire()


def test_a_long_lock_of_another_program_limits_the_queue(first: Queue) -> None:
    joined = [first.join(number) for number in range(9)]
    first.fail(BLOCKED + 0.5)
    for refused in joined[3:]:  # the first writer of the queue is one of the four
        with pytest.raises(StorageUnavailable, match="busy"):
            refused.result(PATIENT)
    assert not any(each.done() for each in joined[:3])
    with pytest.raises(StorageUnavailable):
        first.join(9).result(PATIENT)
    first.queue.begun()  # the other program is done
    first.queue.release()
    for each in joined[:3]:
        each.result(PATIENT)
    assert first.order == [0, 1, 2]
    first.queue.acquire()


def test_after_five_seconds_every_writer_that_waited_so_long_is_refused(first: Queue) -> None:
    joined = [first.join(number) for number in range(2)]
    first.fail(PATIENCE / 2)
    late = first.join(2)
    with pytest.raises(StorageUnavailable):
        first.fail(PATIENCE)
    assert first.clock.now == first.since + PATIENCE + 0.25, "counted from the first attempt that failed"
    for each in joined:
        with pytest.raises(StorageUnavailable):
            each.result(PATIENT)
    assert not late.done()
    first.queue.release()
    late.result(PATIENT)
    first.queue.acquire()


def test_a_lock_that_others_pass_on_among_each_other_is_no_long_one(first: Queue) -> None:
    joined = [first.join(number) for number in range(9)]
    for _ in range(40):
        first.version += 1  # another program has committed meanwhile
        first.fail(0.5)
    assert not any(each.done() for each in joined)


def test_a_lock_of_long_ago_does_not_count(first: Queue) -> None:
    first.fail(BLOCKED + 0.5)
    first.clock.now += 60  # no writer, so nobody knows when it ended
    first.since = first.clock.now
    joined = [first.join(number) for number in range(9)]
    first.fail(BLOCKED)
    assert not any(each.done() for each in joined)


def test_a_wait_for_ones_own_process_does_not_count_as_one_for_another_program(first: Queue) -> None:
    first.clock.now += 60  # a long queue before
    first.fail(PATIENCE)


def test_a_queue_that_does_not_move_is_left(first: Queue) -> None:
    with pytest.raises(StorageUnavailable):
        first.queue.acquire(0.01)
    assert not first.queue._waiting


def test_a_queue_that_moves_is_not_left(first: Queue) -> None:
    """Each timeout counts from the last move."""
    behind = first.join(0)
    waiting = first.threads.submit(first.queue.acquire, 0.1)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline and not waiting.done():  # others take their turns meanwhile
        first.queue._moves += 1
        time.sleep(0.01)  # shorter than the timeout
    first.queue.release()
    waiting.result(PATIENT)
    behind.result(PATIENT)


def test_a_fork_overtakes(first: Queue) -> None:
    joined = first.join(0)
    fork = first.threads.submit(first.queue.acquire, PATIENT, first=True)
    while len(first.queue._waiting) < 2:
        time.sleep(0.001)  # nothing tells that a thread waits
    first.queue.release()
    fork.result(PATIENT)
    assert not joined.done()


@pytest.mark.parametrize("given", [0, -1, True, 1.5, None])
def test_at_least_one_writer_may_wait(tmp_path: Path, given: int) -> None:
    with pytest.raises(ValueError, match="max_waiting_writers="):
        SQLiteCatalogue(tmp_path / "catalogue.db", max_waiting_writers=given)


# With another program


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.db"


@pytest.fixture
def catalogue(path: Path) -> Iterator[SQLiteCatalogue]:
    opened = SQLiteCatalogue(path)
    yield opened
    opened.close()


@pytest.fixture
def another(path: Path, catalogue: SQLiteCatalogue) -> Iterator[sqlite3.Connection]:
    """A connection of another program that holds the write lock."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def add(catalogue: SQLiteCatalogue, filename: str) -> PackageFile:
    return catalogue.add(TOOLS, Upload("demo", DEMO, "1.0", filename, 4, Digests("a" * 64), ""), "0" * 32, AT, "")


def race(act: Callable[[int], object], count: int) -> list[object]:
    """Let threads act at the same moment; return what each returned or raised."""
    start = Barrier(count)

    def run(number: int) -> object:
        start.wait()
        try:
            return act(number)
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(count) as threads:
        return [*threads.map(run, range(count))]


@pytest.mark.parametrize("count", [8, 50])
def test_one_of_many_that_race_for_a_name_wins_and_the_others_learn_that_it_is_taken(
    catalogue: SQLiteCatalogue, count: int
) -> None:
    results = race(lambda number: add(catalogue, "demo-1.0.zip"), count)
    assert results.count(FileTaken) == count - 1
    assert [result for result in results if isinstance(result, PackageFile)]


def test_many_that_write_at_once_all_succeed(catalogue: SQLiteCatalogue) -> None:
    results = race(lambda number: add(catalogue, f"demo-{number}.zip").filename, 50)
    assert results == [f"demo-{number}.zip" for number in range(50)]


def test_reading_does_not_wait_while_another_program_lets_nobody_write(
    catalogue: SQLiteCatalogue, another: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine uploads wait. Some are refused while it reads; in the end, all are, and nothing was written."""
    monkeypatch.setattr(writers, "BLOCKED", 0.3)
    monkeypatch.setattr(writers, "PATIENCE", 1.0)
    refused: list[int] = []

    def write(number: int) -> None:
        with pytest.raises(StorageUnavailable, match="busy"):
            add(catalogue, f"demo-{number}.zip")
        refused.append(number)

    with ThreadPoolExecutor(9) as threads:
        waiting = [threads.submit(write, number) for number in range(9)]
        reads = 0
        while len(refused) < 9:
            assert catalogue.listing(Projects([TOOLS]), DEMO) is None
            reads += len(refused) in (0, 5)  # before the limit applies, and while four wait
        for each in waiting:
            each.result()
    assert reads > 20
    another.execute("COMMIT")
    assert add(catalogue, "demo-1.zip").filename == "demo-1.zip"


def test_writers_wait_for_another_program_that_is_quick(
    catalogue: SQLiteCatalogue, another: sqlite3.Connection
) -> None:
    with ThreadPoolExecutor(9) as threads:
        waiting = [threads.submit(add, catalogue, f"demo-{number}.zip") for number in range(9)]
        while len(catalogue._pool._writers._waiting) < 8:
            time.sleep(0.001)  # nothing tells that a thread waits
        another.execute("COMMIT")
        assert [each.result().filename for each in waiting]


def test_waiting_writers_have_no_connection(catalogue: SQLiteCatalogue, another: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(9) as threads:
        waiting = [threads.submit(add, catalogue, f"demo-{number}.zip") for number in range(9)]
        while len(catalogue._pool._writers._waiting) < 8:
            time.sleep(0.001)  # nothing tells that a thread waits
        assert len(catalogue._pool._open) == 1
        another.execute("COMMIT")
        for each in waiting:
            each.result()
