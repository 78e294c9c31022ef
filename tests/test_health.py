"""Liveness and readiness: what they answer, how often they ask, and what a store that hangs costs."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event, Thread, active_count
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry._cli.access_log import AccessLog
from pypi_registry.errors import StorageUnavailable
from pypi_registry.health import Health
from pypi_registry.storage import ChecksHealth
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue

OK = {"status": "ok"}


def failed(*names: str) -> dict[str, Any]:
    return {"status": "failed", **{f"{name}_check": [{"status": "failed"}] for name in names}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked(MemoryCatalogue):
    """A catalogue that counts the questions, and answers as a test wants."""

    def __init__(self, answer: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.asked = 0
        self.answer = answer

    def publications(self, name: Any) -> Any:
        self.asked += 1
        self.answer()
        return super().publications(name)


def refuse() -> None:
    raise StorageUnavailable("the database at db.internal is gone") from OSError("no route to 192.0.2.7")


@pytest.mark.parametrize("path", ["/liveness", "/readiness", "/readiness/"])
def test_a_registry_that_works_is_ready(path: str) -> None:
    client = TestApp(Health(MemoryCatalogue(), MemoryBlobs()), lint=True)
    answer = client.get(path, status=200)
    assert answer.json == OK
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-store")
    assert client.head(path, status=200).body == b""


def test_other_paths_and_methods_are_refused() -> None:
    client = TestApp(Health(MemoryCatalogue(), MemoryBlobs()), lint=True)
    for path in ("/", "/health", "/readiness/x", "/liveness/readiness"):
        assert client.get(path, status=404).json == {"error": "404 Not Found"}
    assert client.post("/readiness", status=405).headers["Allow"] == "GET, HEAD"


def test_a_store_that_does_not_answer_is_named_and_nothing_else(tmp_path: Path) -> None:
    client = TestApp(Health(Asked(refuse), MemoryBlobs()), lint=True)
    answer = client.get("/readiness", status=503)
    assert answer.json == failed("catalogue")
    assert "internal" not in answer.text
    assert "blobs" not in answer.text
    assert client.get("/liveness", status=200).json == OK


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[SQLiteCatalogue, FileBlobs]]:
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as catalogue:
        yield catalogue, FileBlobs(tmp_path / "files")


def test_a_disk_that_is_not_mounted_and_a_catalogue_that_is_missing_are_noticed(
    tmp_path: Path, stores: tuple[SQLiteCatalogue, FileBlobs]
) -> None:
    clock = Clock()
    client = TestApp(Health(*stores, clock=clock))
    client.get("/readiness", status=200)
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    clock.now += 1
    assert client.get("/readiness", status=503).json == failed("blobs")
    stores[0].close()
    (tmp_path / "catalogue.sqlite3").rename(tmp_path / "catalogue.elsewhere")
    clock.now += 1
    assert client.get("/readiness", status=503).json == failed("catalogue", "blobs")
    (tmp_path / "elsewhere").rename(tmp_path / "files")
    (tmp_path / "catalogue.elsewhere").rename(tmp_path / "catalogue.sqlite3")
    clock.now += 1
    assert client.get("/readiness", status=200).json == OK


def test_a_store_may_have_a_check_of_its_own() -> None:
    class Bucket(MemoryBlobs):
        def check_health(self) -> None:
            refuse()

    assert isinstance(Bucket(), ChecksHealth)
    assert Health(MemoryCatalogue(), Bucket()).unavailable() == ["blobs"]


def test_a_result_is_kept_for_a_second() -> None:
    clock, catalogue = Clock(), Asked()
    health = Health(catalogue, MemoryBlobs(), clock=clock)
    for seconds, asked in ((0, 1), (0.9, 1), (1.0, 2), (1.5, 2), (2.1, 3)):
        clock.now = seconds
        assert health.unavailable() == []
        assert catalogue.asked == asked
    catalogue.answer = refuse
    assert health.unavailable() == []
    clock.now = 3.2
    assert health.unavailable() == health.unavailable() == ["catalogue"]
    assert catalogue.asked == 4


def test_requests_at_once_share_one_question() -> None:
    may_answer, catalogue = Event(), Asked()
    catalogue.answer = lambda: may_answer.wait(30)
    health, begun, results = Health(catalogue, MemoryBlobs(), timeout=30), Barrier(9), list[list[str]]()

    def ask() -> None:
        begun.wait(30)
        results.append(health.unavailable())

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    may_answer.set()
    for thread in threads:
        thread.join(30)
    assert results == 8 * [[]]
    assert catalogue.asked == 1


def test_a_store_that_hangs_occupies_one_thread_and_no_request_waits_for_it_again() -> None:
    clock, hanging, catalogue = Clock(), Event(), Asked()
    catalogue.answer = lambda: hanging.wait(60)
    health = Health(catalogue, MemoryBlobs(), timeout=0.01, clock=clock)
    before = active_count()
    assert health.unavailable() == ["catalogue"]
    for _ in range(50):
        clock.now += 10
        assert health.unavailable() == ["catalogue"]
    assert catalogue.asked == 1
    assert active_count() <= before + 1
    hanging.set()
    run = health._probes[0]._last
    assert run is not None
    run.thread.join(30)
    assert health.unavailable() == []
    clock.now += 10
    assert health.unavailable() == []
    assert catalogue.asked == 2


def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock, catalogue = Clock(), Asked(refuse)
    health = Health(catalogue, MemoryBlobs(), clock=clock)
    with caplog.at_level(logging.INFO, "pypi_registry"):
        for answer in (refuse, refuse, refuse, lambda: None, lambda: None):
            catalogue.answer = answer
            health.unavailable()
            clock.now += 10
    assert [record.getMessage() for record in caplog.records] == [
        "readiness: catalogue: the database at db.internal is gone (no route to 192.0.2.7)",
        "readiness: catalogue: the store answers again",
    ]


def test_the_access_log_has_only_those_that_fail() -> None:
    clock, catalogue, stream = Clock(), Asked(), io.StringIO()
    client = TestApp(AccessLog(Health(catalogue, MemoryBlobs(), clock=clock), stream))
    client.get("/liveness", status=200)
    client.get("/readiness", status=200)
    assert stream.getvalue() == ""
    clock.now += 10
    catalogue.answer = refuse
    client.get("/readiness", status=503)
    assert ' "GET /readiness" 503 ' in stream.getvalue()
