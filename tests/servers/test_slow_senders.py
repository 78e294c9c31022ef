"""Anonymous callers who send a refused body slowly do not stop gunicorn, and every client sees why it is refused."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.programs import Programs
from tests.clients.wire import login, request
from tests.servers.running import SECRET, SERVERS, running

pytestmark = pytest.mark.slow

PLACE = "/api/v4/projects/acme%2Ftools/packages/pypi"
_GUNICORN = next(server for server in SERVERS if server.name == "gunicorn gthread")  # with 4 threads
_NGINX = "proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;"
KINDS = {
    "gunicorn": _GUNICORN,
    "nginx": replace(_GUNICORN, nginx=_NGINX),
    "uwsgi": next(server for server in SERVERS if server.name == "uwsgi"),
    "nginx in front of uwsgi": next(server for server in SERVERS if server.name == "nginx in front of uwsgi"),
    "nginx that buffers nothing": replace(_GUNICORN, nginx=f"{_NGINX} proxy_request_buffering off;"),
}
BUFFERED = ("nginx", "nginx in front of uwsgi")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def host(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if missing := KINDS[kind].missing():
        pytest.skip(missing)
    with running(KINDS[kind], tmp_path_factory.mktemp("server")) as host:
        yield host


def connect(host: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(host).port or 0), timeout=60)


def head(length: int, more: str = "") -> bytes:
    return f"POST {PLACE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def test_100_anonymous_senders_of_few_bytes_stop_nobody(kind: str, host: str) -> None:
    ended = Event()
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(host)) for _ in range(100)]

        def send() -> None:
            # More often than in 20 seconds, so that no timeout of a server between two bytes ends them.
            while not ended.wait(2):
                for sender in senders:
                    with suppress(OSError):  # its connection was ended
                        sender.sendall(b"x")

        for sender in senders:
            sender.sendall(head(10**6) + b"x")
        thread = Thread(target=send)
        thread.start()
        try:
            # While any sender is read to its end, or for as long as it likes, none of these is answered.
            statuses = [request("GET", f"{host}{PLACE}/simple/", login(SECRET)).status for _ in range(20)]
            assert statuses == [200] * 20
            if kind not in BUFFERED:  # which waits for the whole body before it asks
                answers = [sender.recv(1000).split(b"\r\n")[0] for sender in senders]
                assert answers == [b"HTTP/1.1 401 Unauthorized"] * 100
        finally:
            ended.set()
            thread.join()


def test_what_a_slow_sender_sends_after_the_refusal_is_no_request(kind: str, host: str) -> None:
    if kind in BUFFERED:
        pytest.skip("nginx waits for the whole body")
    with connect(host) as sender:
        sender.sendall(head(600_000) + b"x")
        assert sender.recv(1000).startswith(b"HTTP/1.1 401 ")
        received = b""
        try:
            for _ in range(100):
                sender.sendall(f"GET {PLACE}/simple/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 100)
                time.sleep(0.001)  # or all of it could be sent before the first of it has arrived
            while data := sender.recv(65536):
                received += data
        except ConnectionError:
            pass
        assert b"HTTP/1.1" not in received


@pytest.mark.parametrize("client", ["twine", "uv", "curl", "curl at 300 kB/s"])
def test_a_client_with_a_wrong_token_sees_the_refusal(kind: str, host: str, client: str, tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(distribution(wheel.name, size=60 * 1000**2))
    if client == "twine":
        output = programs.twine_upload(host + PLACE, "wrong", wheel, status=1)
        assert "401 Unauthorized" in output
    elif client == "uv":
        output = programs.run(
            *("uv", "publish", "--publish-url", host + PLACE, "--username", "any", "--password", "wrong", wheel),
            status=2,
        )
        assert "401 Unauthorized" in output
    elif not shutil.which("curl"):
        pytest.skip("there is no curl")
    else:
        rate = ["--limit-rate", "300k"] if "at" in client else []
        if rate and kind in BUFFERED:
            pytest.skip("nginx waits for the whole body")
        command = [
            "curl",
            "-s",
            *rate,
            "-u",
            "any:wrong",
            "-F",
            f"content=@{wheel}",
            "-w",
            "%{http_code}",
            host + PLACE,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        assert done.stdout.endswith("401")
