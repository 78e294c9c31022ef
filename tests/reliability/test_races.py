"""Threads and processes that publish, delete, yank and read at once, over one data folder.

Exactly one of the uploads of one name wins, and readers find the bytes of every listed file.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.clients.served import served, until
from tests.reliability.load import Load, Registry
from tests.servers.running import APPLICATION, SECRET, free_port, process

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
