"""SIGKILL at a random moment while eight clients publish, delete, yank and read."""

import json
import random
from functools import partial
from pathlib import Path

import pytest

from tests.clients.served import Served, served, until
from tests.reliability.load import Load, Registry

CLIENTS, READERS = 8, 2


def registry_of(server: Served, secret: str) -> Registry:
    return Registry([f"{server.api}/projects/1"], secret)


def survive(kills: int, folder: Path) -> Load:
    """Kill a server under load again and again, and check the promises after each restart."""
    load, choose, secret = Load(CLIENTS, READERS), random.Random(11), ""
    for kill in range(kills + 1):
        with served(folder / "data") as server:
            secret = secret or server.secret
            registry = registry_of(server, secret)
            load.check(registry)
            if kill == kills:
                break
            load.start(registry)
            wanted = choose.randrange(1, 60)  # so many requests get their responses before the kill
            until(partial(load.has_done, wanted))
            server.kill()
            load.stop()
    return load


@pytest.mark.slow
def test_every_promise_holds_after_some_kills_under_load(tmp_path: Path) -> None:
    load = survive(5, tmp_path)
    print(json.dumps({"kills": 5, **load.counts}))
    assert load.counts["lost"] > 0


@pytest.mark.long
def test_every_promise_holds_after_200_kills_under_load(tmp_path: Path) -> None:
    load = survive(200, tmp_path)
    print(json.dumps({"kills": 200, **load.counts}))
    assert load.counts["lost"] > 200
