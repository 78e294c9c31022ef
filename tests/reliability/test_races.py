"""Threads and processes that publish, delete, yank and read at once, over one data folder.

Exactly one of the uploads of one name wins, and readers find the bytes of every listed file.
"""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.served import served, until
from tests.ports import free_port
from tests.reliability.changes import TAKEN, Client, Stored
from tests.reliability.load import Load, Registry
from tests.servers.running import APPLICATION, SECRET, process

GUNICORN = ("-m", "gunicorn", "--workers", "4", "--worker-class", "gthread", "--threads", "2", APPLICATION)

Running = Callable[[Path], AbstractContextManager[Registry]]


@contextmanager
def serving(folder: Path) -> Iterator[Registry]:
    with served(folder / "data") as server:
        yield Registry([f"{server.api}/projects/1"], server.secret)


@contextmanager
def one_gunicorn(folder: Path) -> Iterator[Registry]:
    with _gunicorns(folder, 1) as registry:
        yield registry


@contextmanager
def two_gunicorns(folder: Path) -> Iterator[Registry]:
    with _gunicorns(folder, 2) as registry:
        yield registry


@contextmanager
def _gunicorns(folder: Path, number: int) -> Iterator[Registry]:
    with ExitStack() as stack:
        ports = [free_port() for _ in range(number)]
        for port in ports:
            command = [sys.executable, *GUNICORN, "--bind", f"127.0.0.1:{port}"]
            stack.enter_context(process(command, folder, port))
        yield Registry([f"http://127.0.0.1:{port}/api/v4/projects/1" for port in ports], SECRET)


def race(registry: Registry, responses: int) -> Load:
    """Let each of eight writers get so many responses, beside two readers, and check the promises."""
    load = Load(writers=8, readers=2)
    load.start(registry)
    try:
        until(lambda: load.each_has_done(responses), seconds=600)
    finally:
        load.stop()
    load.check(registry)
    return load


@pytest.mark.parametrize("count", [8, 50])
def test_one_of_the_uploads_of_one_name_is_201_and_the_others_are_400(tmp_path: Path, count: int) -> None:
    filename = "demo-1.0.tar.gz"
    start = Barrier(count)
    with closing(Stored.open(tmp_path)) as stored:

        def upload(number: int) -> int:
            client, data = Client(stored.registry), distribution(filename, payload=str(number).encode())
            start.wait()
            response = client.upload(filename, data)
            assert response.status_int == 201 or TAKEN in response.text
            return int(response.status_int)

        with ThreadPoolExecutor(count) as threads:
            statuses = [*threads.map(upload, range(count))]
        assert sorted(statuses) == [201] + [400] * (count - 1)
        assert [*Client(stored.registry).state()["demo"][1]] == [filename]
        assert len([*stored.blobs.keys()]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("running", [serving, one_gunicorn, two_gunicorns], ids=lambda running: running.__name__)
def test_no_race_is_lost(running: Running, tmp_path: Path) -> None:
    with running(tmp_path) as registry:
        load = race(registry, responses=15)
    print(json.dumps(load.counts))
    assert load.counts["races won"] > 0 and load.counts["read"] > 0 and load.counts["lost"] == 0


@pytest.mark.long
@pytest.mark.parametrize("running", [serving, one_gunicorn, two_gunicorns], ids=lambda running: running.__name__)
def test_no_race_is_lost_in_a_long_run(running: Running, tmp_path: Path) -> None:
    with running(tmp_path) as registry:
        load = race(registry, responses=400)
    print(json.dumps(load.counts))
    assert load.counts["lost"] == 0
