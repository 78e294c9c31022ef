"""A check that repairs, beside a server and its clients: it harms nothing of theirs, and finds what it must."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pypi_registry._records import FileRecord
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.served import Served, served

pytestmark = pytest.mark.slow

CLIENTS, RUNS = 3, 4


def test_a_check_that_repairs_harms_nothing_of_a_registry_in_use(tmp_path: Path) -> None:
    data, stop = tmp_path / "data", Event()
    with served(data) as server, ThreadPoolExecutor(CLIENTS + 1) as pool:
        running = [pool.submit(use, server, server.secret, number, stop) for number in range(CLIENTS)]
        aging = pool.submit(age_listed_blobs, data, stop)
        try:
            for number in range(RUNS):
                garbage = plant_garbage(data, number)
                problems, status = fsck(data, "--digests", "--repair", "--drop-missing")
                assert status == 0, problems
                # Bytes whose row a client deleted a moment ago may be among them. No file ever is.
                assert {problem["kind"] for problem in problems} == {"unlisted-blob"}, problems
                assert garbage in {problem["blob_key"] for problem in problems}
                assert not (data / "files" / garbage[0] / garbage).exists()
        finally:
            stop.set()
        files = {name: content for each in running for name, content in each.result().items()}
        assert aging.result() > 0
        deletions = sum(" 204 " in line for line in server.access_lines)
        assert len(files) >= CLIENTS * 3 and deletions >= CLIENTS, "too little happened to prove anything"
        for filename, content in files.items():
            assert wire.get(file_address(server, filename, content), server.secret).body == content
        assert not [line for line in server.access_lines if '" 5' in line]
        server.stop()
    assert fsck(data, "--digests") == ([], 0)


def use(server: Served, secret: str, client: int, stop: Event) -> dict[str, bytes]:
    """Publish files, and delete every third one; return the others."""
    project = f"{server.api}/projects/1/packages"
    kept: dict[str, bytes] = {}
    number = 0
    while not stop.is_set():
        number += 1
        version = f"{client}.{number}"
        filename = f"demo-{version}.tar.gz"
        content = distribution(filename, size=300_000 if number % 5 == 0 else 3_000)
        fields = {"name": "demo", "version": version}
        assert wire.upload(f"{project}/pypi", secret, fields, filename, content).status == 201
        kept[filename] = content
        if number % 3 == 0:
            listed = json.loads(wire.get(f"{project}?package_version={version}", secret).body)
            [package] = [each for each in listed if each["version"] == version]
            assert wire.request("DELETE", f"{project}/{package['id']}", wire.login(secret)).status == 204
            del kept[filename]
    return kept


def age_listed_blobs(data: Path, stop: Event) -> int:
    """Make the bytes of every file two days old, so that deleting a file leaves bytes that a check deletes, too."""
    aged, past = 0, time.time() - 2 * 24 * 3600
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3", create=False)) as catalogue:
        while not stop.wait(0.2):  # not to take the time of the server from it
            for record in catalogue.records():
                if isinstance(record, FileRecord):
                    key = record.file.blob_key
                    with suppress(FileNotFoundError):
                        os.utime(data / "files" / key[0] / key, (past, past))
                        aged += 1
    return aged


def plant_garbage(data: Path, number: int) -> str:
    key = f"{number:032x}"
    path = data / "files" / key[0] / key
    path.write_bytes(b"x")
    os.utime(path, (0, 0))
    return key


def fsck(data: Path, *options: str) -> tuple[list[dict[str, Any]], int]:
    command = [sys.executable, "-W", "error", "-m", "pypi_registry", "fsck", "--json", "--data", str(data), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return json.loads(done.stdout)["problems"], done.returncode


def file_address(server: Served, filename: str, content: bytes) -> str:
    return f"{server.api}/projects/1/packages/pypi/files/{sha256(content).hexdigest()}/{filename}"
