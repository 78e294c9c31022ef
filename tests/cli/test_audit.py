"""``--audit`` of `serve`: where the audit log is, and what it survives."""

import argparse
import json
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli.audit import add_audit, audit_log
from pypi_registry._cli.location import Location
from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.served import Served, served, until
from tests.reliability.load import Load
from tests.reliability.test_kills import registry_of


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_audit(parser)
    return parser.parse_args(arguments)


def test_the_audit_log_is_in_the_data_folder(tmp_path: Path) -> None:
    log = audit_log(Location.of(tmp_path), parsed())
    assert log is not None and log.path == str(tmp_path / "audit.jsonl")
    assert not [*tmp_path.iterdir()], "its first line creates it"


def test_another_file_is_created_at_once(tmp_path: Path) -> None:
    log = audit_log(Location.of(tmp_path / "data"), parsed("--audit", str(tmp_path / "log")))
    assert log is not None and log.path == str(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == b""
    with pytest.raises(OSError, match="No such file"):
        audit_log(Location.of(tmp_path), parsed("--audit", str(tmp_path / "missing" / "log")))


def test_it_can_be_off(tmp_path: Path) -> None:
    assert audit_log(Location.of(tmp_path), parsed("--audit", "off")) is None


def read(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def upload(server: Served, secret: str, filename: str) -> int:
    name, version = filename.removesuffix(".tar.gz").split("-")
    fields = {"name": name, "version": version}
    url = f"{server.api}/projects/1/packages/pypi"
    return wire.upload(url, secret, fields, filename, distribution(filename)).status


@pytest.mark.slow
def test_serve_writes_both_logs_and_survives_rotation(tmp_path: Path) -> None:
    audit = tmp_path / "data" / "audit.jsonl"
    with served(tmp_path / "data") as server:
        secret = server.secret
        assert upload(server, secret, "demo-1.0.tar.gz") == 201
        audit.rename(tmp_path / "audit.1")
        assert upload(server, secret, "demo-1.1.tar.gz") == 201
        assert upload(server, secret, "demo-1.1.tar.gz") == 400
        assert upload(server, "registry-unknown", "demo-1.2.tar.gz") == 401
        assert upload(server, "registry-unknown", "demo-1.2.tar.gz") == 401
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert ' user="owner" file="demo-1.0.tar.gz"' in server.err
        assert "already been taken" in server.err and secret not in server.err
    shown = [(line["action"], line["principal"], line.get("count")) for line in read(tmp_path / "audit.1", audit)]
    assert shown == [
        ("Published", "owner", None),
        ("Published", "owner", None),
        ("UploadRefused", "owner", None),
        ("SignInFailed", "", 1),
        ("SignInFailed", "", 1),
    ]


@pytest.mark.slow
def test_a_kill_loses_no_line_of_an_acknowledged_change(tmp_path: Path) -> None:
    load, secret = Load(8, 2), ""
    for kill in range(4):
        with served(tmp_path / "data") as server:
            secret = secret or server.secret
            registry = registry_of(server, secret)
            load.check(registry)
            if kill == 3:
                break
            load.start(registry)
            until(partial(load.has_done, 40))
            server.kill()
            load.stop()
    lines = read(tmp_path / "data" / "audit.jsonl")
    actions, lost = Counter(line["action"] for line in lines), load.counts["lost"]
    assert lost > 0
    acknowledged = {
        "Published": load.counts["published"] + load.counts["races won"],
        "PackageDeleted": load.counts["deleted"],
    }
    for action, count in acknowledged.items():
        assert count <= actions[action] <= count + lost, action  # a request without a response may have been done
    yanked = actions["Yanked"] + actions["Unyanked"]
    assert load.counts["yanked"] <= yanked <= load.counts["yanked"] + lost
    digests = {file["sha256"] for line in lines if line["action"] == "Published" for file in line["files"]}
    assert {digest for winners in load.races.winners.values() for digest in winners} <= digests


@pytest.mark.slow
def test_a_running_registry_obeys_the_commands_within_seconds(tmp_path: Path) -> None:
    """The second day: a project, a person and a token are added, used, and revoked."""
    command = [sys.executable, "-m", "pypi_registry"]
    data = ["--data", str(tmp_path / "data")]

    def run(*arguments: str) -> str:
        return subprocess.run([*command, *arguments, *data], capture_output=True, text=True, check=True).stdout

    def status(secret: str, project: int) -> int:
        url = f"{server.api}/projects/{project}/packages/pypi/simple/"
        return wire.request("GET", url, wire.login(secret)).status

    with served(tmp_path / "data") as server:
        assert upload(server, server.secret, "demo-1.0.tar.gz") == 201
        assert run("project", "add", "acme/tools") == "created project acme/tools: id 2\n"
        run("user", "add", "ada", "--role", "acme=developer")
        secret = run("token", "add", "--user", "ada", "--name", "laptop").strip()
        until(lambda: status(secret, 2) == 200)
        assert status(secret, 1) == 404
        run("token", "revoke", "laptop")
        until(lambda: status(secret, 2) == 401)
        run("user", "remove", "ada")
        assert status(server.secret, 1) == 200
