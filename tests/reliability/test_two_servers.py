"""Two servers over PostgreSQL and a bucket keep every promise while servers, database and bucket fail."""

import json
from pathlib import Path

import pytest

from tests.reliability.two_servers import brief, perform, started, whole


@pytest.mark.slow
def test_every_promise_holds_while_some_things_fail(tmp_path: Path) -> None:
    with started(tmp_path, outage=1.5) as run:
        counts = perform(run, brief(run))
    print(json.dumps(counts))
    assert run.seen.counts.total() > 0
    assert run.load.counts["pages of each server compared"] > 0


@pytest.mark.long
def test_every_promise_holds_while_each_thing_fails(tmp_path: Path) -> None:
    with started(tmp_path, outage=10) as run:
        counts = perform(run, whole(run, kills=100))
    print(json.dumps(counts))
    assert run.seen.counts.total() > 0
