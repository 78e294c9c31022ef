"""The commands of docs/scaling.md, typed one after the other: from a data folder to a database and a bucket."""

import json
import os
from pathlib import Path

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.programs import SCRIPTS
from tests.clients.served import served
from tests.clients.terminal import Terminal
from tests.clients.wire import get, upload
from tests.ports import free_port
from tests.postgres import Cluster
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, moto
from tests.test_docs import PAGES, ROOT, text_of

pytestmark = pytest.mark.slow

LINES = [line.strip() for line in text_of(PAGES["scaling.md"]).splitlines()]


def line(beginning: str) -> str:
    """Return the only line of the page with this beginning."""
    [found] = [line for line in LINES if line.startswith(beginning)]
    return found


def test_the_steps_to_a_database_and_a_bucket_to_the_letter(postgres: Cluster, tmp_path: Path) -> None:
    migrate, copy, serve = (line(f"pypi-registry {command} ") for command in ("migrate", "copy", "serve"))
    with moto() as bucket:
        instead = {
            "postgresql://registry@db.example/registry": postgres.create_database("scaling"),
            "s3://packages/registry": f"s3://{bucket.new_bucket()}/registry",
        }
        environment = {
            "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": bucket.endpoint,
            "AWS_ALLOW_HTTP": "true",
        }
        terminal = Terminal(tmp_path, free_port(), instead, environment)
        data = tmp_path / "pypi-registry-data"
        terminal.type(migrate)
        with served(data) as old:
            publish(old.api, old.secret, "demo-1.0.tar.gz")
            assert "1 file copied" in terminal.type(copy)
            publish(old.api, old.secret, "demo-2.0.tar.gz")
        assert "1 file copied" in terminal.type(copy)
        (data / "catalogue.sqlite3").unlink()
        with terminal.running(serve):
            api = f"http://127.0.0.1:{terminal.port}/api/v4"
            publish(api, old.secret, "demo-3.0.tar.gz")
            page = get(f"{api}/projects/1/packages/pypi/simple/demo/", old.secret).body.decode()
            assert [f"demo-{number}.0.tar.gz" in page for number in (1, 2, 3)] == [True] * 3
    # What the page lists as remaining in the folder; no store was created there again.
    assert not (data / "catalogue.sqlite3").exists()
    lines = [json.loads(line) for line in (data / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["version"] for line in lines] == ["1.0", "2.0", "3.0"]
    assert (data / "registry.toml").exists() and (data / "tmp").exists()


def publish(api: str, secret: str, filename: str) -> None:
    version = filename.removeprefix("demo-").removesuffix(".tar.gz")
    fields = {"name": "demo", "version": version}
    address = f"{api}/projects/1/packages/pypi"
    assert upload(address, secret, fields, filename, distribution(filename)).status == 201
