"""What strangers can do to ``serve`` without a proxy, on a real port, and what real clients see."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pypi_registry.testing.archives import make_wheel
from tests.clients import wire
from tests.clients.programs import Programs
from tests.clients.served import PATIENCE, Served, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc, and connects from 127.0.0.2"),
]

PUBLIC = """
forward_to = false
[[projects]]
id = 1
path = "main/packages"
visibility = "public"
"""


@pytest.fixture
def server(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture(scope="module")
def enormous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of 200 MB."""
    made = make_wheel("demo", "1.0", files={"demo/data": os.urandom(200 * 1000**2)})
    return made.write_to(tmp_path_factory.mktemp("enormous"))


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_clients_show_the_refusal_of_200_megabytes(
    server: Served, programs: Programs, enormous: Path, client: str
) -> None:
    address, written = f"{server.api}/projects/1/packages/pypi", _bytes_written(server)
    if client == "twine":
        shown = programs.twine_upload(address, "wrong", enormous, status=1)
    else:
        login = ["--username", "any", "--password", "wrong"]
        shown = programs.run("uv", "publish", "--publish-url", address, *login, enormous, status=2)
    assert "401 Unauthorized" in shown
    assert {line.split()[4] for line in server.access_lines if '"POST ' in line} == {"401"}
    assert _bytes_written(server) - written < 1000**2, "nothing of it was stored"
    assert "Traceback" not in server.err


def _bytes_written(server: Served) -> int:
    found = re.search(r"^wchar: (\d+)", Path(f"/proc/{server.process.pid}/io").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


@contextmanager
def _connections(server: Served, number: int, data: bytes) -> Iterator[list[socket.socket]]:
    """Open connections, at most 90 from one address, and send something on each without waiting."""
    with ExitStack() as stack:
        opened = []
        for index in range(number):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((f"127.0.0.{2 + index // 90}", 0))
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            opened.append(connection)
            _send(connection, data)
        yield opened


def _send(connection: socket.socket, data: bytes) -> None:
    sent = 0
    try:
        while sent < len(data):
            sent += connection.send(data[sent:])
    except OSError:  # it takes no more, or was closed to make room
        pass


@pytest.mark.parametrize("from_one_address", [True, False])
def test_1001_half_sent_heads_do_not_stop_the_server(server: Served, *, from_one_address: bool) -> None:
    with ExitStack() as stack:
        if from_one_address:
            for _ in range(1001):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                _send(connection, b"GET / HTTP/1.1\r\nHost: x\r\n")
        else:
            stack.enter_context(_connections(server, 1001, b"GET / HTTP/1.1\r\nHost: x\r\n"))
        assert wire.get(f"{server.site}/").status == 200
        assert len(server.err.splitlines()) <= 3


def _status(server: Served, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def _descriptors(server: Served) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


def _cpu_seconds(server: Served) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rests(server: Served) -> bool:
    before = _cpu_seconds(server)
    time.sleep(1)  # a loop that spins would use a second
    return _cpu_seconds(server) - before < 0.2


@pytest.mark.parametrize("number", [1, 200])
def test_pipelined_requests_that_nobody_reads_take_little(serve: Callable[..., Served], number: int) -> None:
    server = serve()
    project = f"{server.api}/projects/1/packages"
    for index in range(300):  # a page of some 60 kB
        made = make_wheel("demo", f"1.{index}")
        fields = {":action": "file_upload", "name": "demo", "version": f"1.{index}"}
        assert wire.upload(f"{project}/pypi", server.secret, fields, made.filename, made.data).status == 201
    toml = server.data / "registry.toml"
    toml.write_text(toml.read_text().replace('visibility = "private"       # public', 'visibility = "public" # public'))
    page = f"{project}/pypi/simple/demo/"
    until(lambda: wire.get(page).status == 200)
    before = _status(server, "VmRSS")
    pipelined = f"GET {page.removeprefix(server.site)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    pipelined *= 1_000_000 // len(pipelined)
    with _connections(server, number, pipelined):
        until(lambda: _rests(server))
        assert _status(server, "VmHWM") - before < 16 * 1024**2 + number * 128 * 1024
        assert _descriptors(server) < 64 + 2 * number
        assert wire.get(page).status == 200
    assert "Traceback" not in server.err


def test_a_server_without_descriptors_waits_for_some(tmp_path: Path) -> None:
    low = 160
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({low}, {low}));"
        # More connections are allowed than there are descriptors.
        "from pypi_registry._cli import listener, main; listener._RESERVED = -1000;"
        f"raise SystemExit(main.main(['serve', '--port', '0', '--data', {str(tmp_path / 'data')!r}]))"
    )
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=stdout, stderr=stderr)
    try:
        until(lambda: "Serving on" in out.read_text())
        found = re.search(r"127\.0\.0\.1:(\d+)", out.read_text().splitlines()[-1])
        assert found
        address = ("127.0.0.1", int(found[1]))
        with ExitStack() as stack:
            for index in range(220):
                connection = stack.enter_context(socket.socket())
                connection.bind((f"127.0.0.{2 + index // 10}", 0))
                connection.connect(address)
            until(lambda: "connections cannot be accepted" in err.read_text())
            started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            time.sleep(3)  # what would be 3 s of a spinning loop
            ended = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            ticks = sum(map(int, ended)) - sum(map(int, started))
            assert ticks < 1.5 * os.sysconf("SC_CLK_TCK")
            assert err.read_text().count("\n") <= 3
        assert wire.get(f"http://127.0.0.1:{address[1]}/").status == 200
    finally:
        process.kill()
        process.wait(PATIENCE)
