"""`ObjectBlobs` with real programs: rclone as the object store, which is killed; pip; the memory of a process."""

import hashlib
import io
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from webtest import TestApp

from pypi_registry import AllowAll, Registry
from pypi_registry.errors import StorageUnavailable
from pypi_registry.storage import Redirect
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.testing.archives import distribution
from pypi_registry.testing.server import Server
from tests.stores.azurite import use_azurite
from tests.stores.buckets import Moto, Rclone, new_bucket, raw_server, rclone, received_head, use_endpoint
from tests.stores.gcs import use_gcs

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef" * 2
MEGABYTE = 1024**2


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rclone]:
    """rclone of this test alone, which obstore uses."""
    with rclone(tmp_path / "served") as served:
        use_endpoint(monkeypatch, served.endpoint)
        yield served


def put(blobs: ObjectBlobs, data: bytes, key: str = KEY) -> None:
    digest = hashlib.sha256(data).hexdigest()
    blobs.put(key, io.BytesIO(data), size=len(data), sha256=digest, filename="demo-1.0.tar.gz")


def test_a_bucket_that_is_killed_in_the_middle_of_an_upload_has_nothing_of_it(mortal: Rclone) -> None:
    blobs = ObjectBlobs(f"s3://{new_bucket(mortal.endpoint)}")
    data = secrets.token_bytes(40 * MEGABYTE)

    class KillsWhenRead(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 20 * MEGABYTE:
                mortal.kill()
            return super().read(size)

    digest = hashlib.sha256(data).hexdigest()
    with pytest.raises(StorageUnavailable):
        blobs.put(KEY, KillsWhenRead(data), size=len(data), sha256=digest, filename="demo-1.0.tar.gz")
    mortal.start()
    assert blobs.open(KEY, size=len(data)) is None
    assert [*blobs.keys()] == []
    put(blobs, data)
    assert [(key, size) for key, size, _ in [*blobs.keys()]] == [(KEY, len(data))]


def test_a_bucket_that_is_killed_in_the_middle_of_a_download_is_an_error(mortal: Rclone) -> None:
    blobs = ObjectBlobs(f"s3://{new_bucket(mortal.endpoint)}")
    data = secrets.token_bytes(40 * MEGABYTE)
    put(blobs, data)
    stream = blobs.open(KEY, size=len(data))
    assert stream is not None and not isinstance(stream, Redirect)
    with stream:
        received = stream.read(MEGABYTE)
        mortal.kill()
        assert data.startswith(received)
        with pytest.raises(StorageUnavailable):
            stream.read()


FILENAME = "demo-1.0-py3-none-any.whl"
DATA = distribution(FILENAME, size=MEGABYTE)
PYPI = "/projects/7/packages/pypi"
ADDRESS = f"{PYPI}/files/{hashlib.sha256(DATA).hexdigest()}/{FILENAME}"


def published(blobs: ObjectBlobs) -> Registry:
    registry = Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=blobs)
    form, content = {"name": "demo", "version": "1.0"}, [("content", FILENAME, DATA)]
    TestApp(registry).post(PYPI, form, upload_files=content, status=201)
    return registry


def test_a_bucket_that_was_away_is_used_again_without_a_restart(mortal: Rclone) -> None:
    app = TestApp(published(ObjectBlobs(f"s3://{new_bucket(mortal.endpoint)}/prefix")))
    form, content = {"name": "demo", "version": "2.0"}, [("content", FILENAME.replace("1.0", "2.0"), b"")]
    content[0] = (content[0][0], content[0][1], distribution(content[0][1]))
    for _ in range(2):
        mortal.kill()
        app.get(ADDRESS, status=503)
        app.head(ADDRESS, status=503)
        app.post(PYPI, form, upload_files=content, status=503)
        app.get(f"{PYPI}/simple/demo/", status=200)
        mortal.start()
        assert app.get(ADDRESS, status=200).body == DATA
        assert app.get(ADDRESS, headers={"Range": "bytes=100-199"}, status=206).body == DATA[100:200]
    app.post(PYPI, form, upload_files=content, status=201)


def _silent(connection: socket.socket) -> None:
    while received_head(connection):
        pass


@pytest.mark.parametrize(
    ("bucket", "use"),
    [("s3://bucket", use_endpoint), ("gs://bucket", use_gcs), ("az://container", use_azurite)],
    ids=["S3", "GCS", "Azure"],
)
def test_a_bucket_that_accepts_and_does_not_answer_is_unavailable_within_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, bucket: str, use: Callable[[pytest.MonkeyPatch, str], None]
) -> None:
    with raw_server(_silent) as url:
        use(monkeypatch, url)
        blobs = ObjectBlobs(bucket)
        acts: list[Callable[[], object]] = [
            lambda: blobs.open(KEY, size=1),
            lambda: blobs.open(KEY, size=1, part=range(0)),
            lambda: blobs.delete(KEY),
            lambda: put(blobs, b"x"),
        ]
        unavailable: list[bool] = []

        def run(act: Callable[[], object]) -> None:
            with pytest.raises(StorageUnavailable, match="does not answer in time"):
                act()
            unavailable.append(True)

        threads = [threading.Thread(target=run, args=(act,), daemon=True) for act in acts]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
        assert unavailable == [True] * len(acts)


_DOWNLOADS = """
import hashlib, sys, threading
from pypi_registry.stores.objects import ObjectBlobs

url, size, count, digest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
blobs = ObjectBlobs(url)

def resident(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) // 1024

def download():
    found = hashlib.sha256()
    with blobs.open("0123456789abcdef" * 2, size=size) as stream:
        while data := stream.read(262144):
            found.update(data)
    assert found.hexdigest() == digest

with blobs.open("0123456789abcdef" * 2, size=size, part=range(1000)) as stream:
    stream.read()  # the connections, the threads and the certificates
before = resident("VmRSS")
threads = [threading.Thread(target=download) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
@pytest.mark.parametrize("size", [32 * MEGABYTE, pytest.param(200 * MEGABYTE, marks=pytest.mark.long)])
def test_eight_downloads_at_once_need_less_than_16_mib(mortal: Rclone, size: int) -> None:
    url = f"s3://{new_bucket(mortal.endpoint)}"
    data = secrets.token_bytes(size)
    put(ObjectBlobs(url), data)
    command = [sys.executable, "-c", _DOWNLOADS, url, str(size), "8", hashlib.sha256(data).hexdigest()]
    # glibc's malloc gives each thread memory of its own, which it does not return.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment)
    print(f"8 downloads of {size // MEGABYTE} MiB: {ended.stdout.strip()} MiB more")
    assert int(ended.stdout) < 16


def test_pip_finds_a_redirected_file_in_its_cache(s3: Moto, tmp_path: Path) -> None:
    registry = published(ObjectBlobs(f"s3://{s3.new_bucket()}", deliver="redirect"))
    server = Server(registry)
    try:
        requests = []
        hour = None
        for number in range(3):
            s3.sent.clear()
            before = int(time.time()) // 3600
            _pip_install(server.port, s3.endpoint, tmp_path / str(number), tmp_path / "cache")
            requests.append(s3.lines)
            if hour == before == int(time.time()) // 3600:
                break  # two installations in one hour; at its end, the third one is the second of the next hour
            hour = before
    finally:
        server.stop()
    assert requests[0] == ["GET X-Amz-Algorithm"]
    assert requests[-1] == []
    assert (tmp_path / "0" / "demo-1.0.dist-info").is_dir()


def _pip_install(port: int, bucket: str, target: Path, cache: Path) -> None:
    hosts = [f"127.0.0.1:{port}", bucket.removeprefix("http://")]
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--no-deps", "--target", str(target)]
    command += ["--cache-dir", str(cache), "--index-url", f"http://{hosts[0]}{PYPI}/simple"]
    command += [option for host in hosts for option in ("--trusted-host", host)]
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    for name in [name for name in environment if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
        del environment[name]
    ended = subprocess.run([*command, "demo"], capture_output=True, text=True, timeout=120, env=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
