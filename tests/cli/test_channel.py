"""What one connection, and all connections together, may use: with a clock of the test, and the loop turned by it."""

import errno
import io
import logging
import os
import random
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from pypi_registry._cli import listener
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.channel import Channel
from pypi_registry._cli.limits import Limits
from pypi_registry._cli.listener import affordable_connections
from pypi_registry._cli.request_parser import HEAD_BLOCK
from pypi_registry._cli.server import THREADS, Server, listen
from pypi_registry._cli.spool import Spool
from pypi_registry._http.response import Response, json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOCAL = "127.0.0.1"
PATIENCE = 10.0
REFUSED = json_response("401 Unauthorized", {"message": "401 Unauthorized"}, ("WWW-Authenticate", 'Basic realm="x"'))
LARGE = 300_000
"""Bytes of a response: more than the buffers of a socket in these tests take."""


class Application:
    """Answers ``/large`` with `LARGE` bytes, ``/body`` with the length of the body, all else with its path."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.go = Event()
        self.go.set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.paths.append(path)
        assert self.go.wait(PATIENCE)
        if path in RESPONSES:
            return RESPONSES[path](environ, start_response)
        body = {"/large": LARGE * b"x", "/body": b""}.get(path, path.encode())
        if path == "/body":
            body = str(len(environ["wsgi.input"].read())).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


def _file(content: bytes, length: int, status: str = "200 OK") -> Callable[..., Iterable[bytes]]:
    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(status, [("Content-Length", str(length))])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(content), 4096)
        return wrapped

    return respond


def _pieces(*pieces: bytes, length: int) -> Callable[..., Iterable[bytes]]:
    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(length))])
        return iter(pieces)

    return respond


RESPONSES = {
    "/whole": _file(b"12345", 5),
    "/long": _file(b"1234567", 5),
    "/short": _file(b"123", 5),
    "/empty": _file(b"", 5),
    "/short-range": _file(b"123", 5, "206 Partial Content"),
    "/short-large": _file(LARGE * b"x", LARGE + 10),
    "/short-iterator": _pieces(b"1", b"23", length=5),
    "/empty-iterator": _pieces(length=5),
}


class Running:
    """A server whose loop is turned by the test, with a clock that only the test moves."""

    def __init__(self, spool: Path, **options: Any) -> None:
        self.application = Application()
        self.log = io.StringIO()
        self.now = 1000.0
        log = AccessLog(self.application, self.log)
        self.refused: list[tuple[str, str]] = []
        options["refused"] = lambda method, status: self.refused.append((method, status))
        self.server = Server(log, log, listen(LOCAL, 0), spool, clock=lambda: self.now, **options)
        self.server.limit_bodies(10**9)
        self._clients = ExitStack()
        self.turns = 0

    def turn(self) -> None:
        self.server._turn(timeout=0.001)
        self.turns += 1

    def turn_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen; the log: {self.log.getvalue()}"
            self.turn()

    def settle(self) -> None:
        """Turn until nothing more happens: the last turns find no event, and no thread works."""
        for _ in range(8):
            self.turn()
            time.sleep(0.001)  # lets a thread of the application go on

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    def connect(self, *data: bytes, source: str = LOCAL, window: int | None = None) -> "Client":
        connection = self._clients.enter_context(socket.socket())
        if window is not None:  # so that the system takes little of a response that nobody reads
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, window)
        connection.bind((source, 0))
        connection.connect(self.server.address)
        connection.setblocking(False)
        client = Client(self, connection)
        known = {*self.channels}
        self.turn_until(lambda: {*self.channels} - known or client.read() or client.is_closed)
        if window is not None:
            for channel in {*self.channels} - known:
                channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, window)
        client.send(*data)
        return client

    @property
    def channels(self) -> list[Channel]:
        return [*self.server._listener.active_channels.values()]

    @property
    def lines(self) -> list[str]:
        """The lines of the log, without their changing parts."""
        return re.findall(r'(".*" \d{3}) \S+ \d\.\d{3}$', self.log.getvalue(), re.MULTILINE)

    @property
    def refused_lines(self) -> list[tuple[str, str]]:
        """The method and the status of each line of a request that did not reach the application."""
        return re.findall(r'"(\S+) .*" (\d{3}) - 0\.000', self.log.getvalue())

    def stop(self) -> None:
        self.application.go.set()
        self._clients.close()
        for channel in self.channels:
            channel.close()
        self.server._listener.task_dispatcher.shutdown()
        self.server._listener.close()


class Client:
    def __init__(self, running: Running, connection: socket.socket) -> None:
        self._running = running
        self.connection = connection
        self.received = b""
        self.is_closed = False

    def send(self, *data: bytes) -> None:
        """Send all of it, while the server receives."""
        for each in data:
            rest = memoryview(each)

            def send_some() -> bool:
                nonlocal rest
                with suppress(BlockingIOError):
                    rest = rest[self.connection.send(rest) :]
                return not rest

            self._running.turn_until(send_some)
        self._running.turn()

    def read(self) -> bytes:
        """Read what has arrived."""
        try:
            while not self.is_closed and (data := self.connection.recv(1024**2)):
                self.received += data
            self.is_closed = True
        except BlockingIOError:
            pass
        except ConnectionError:
            self.is_closed = True
        return self.received

    def read_until(self, size: int) -> bytes:
        self._running.turn_until(lambda: len(self.read()) >= size)
        return self.received

    def read_to_end(self) -> bytes:
        self._running.turn_until(lambda: self.read() is not None and self.is_closed)
        return self.received

    @property
    def statuses(self) -> list[int]:
        return [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d{3})", self.read())]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    monkeypatch.setattr(tempfile, "tempdir", None)  # undoes what a server sets
    started: list[Running] = []

    def start(**options: Any) -> Running:
        started.append(Running(tmp_path, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()
        assert each.refused == each.refused_lines, "metrics count what the access log shows"


@pytest.fixture
def running(run: Callable[..., Running]) -> Running:
    return run()


def request(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: registry.example", *headers, "", ""]).encode()


# One request at a time


def test_pipelined_requests_are_answered_in_their_order(running: Running) -> None:
    client = running.connect(b"".join(request(f"/{number}") for number in range(300)))
    running.turn_until(lambda: client.read().count(b"HTTP/1.1 200") == 300)
    assert re.findall(rb"/(\d+)(?=HTTP|$)", client.received) == [str(number).encode() for number in range(300)]


def test_no_request_is_run_before_the_previous_response_was_sent(running: Running) -> None:
    pipelined = 5000 * request("/large")
    client = running.connect(window=4096)
    with suppress(BlockingIOError):  # as much as the system takes
        while True:
            client.connection.send(pipelined)
            running.settle()
    [channel] = running.channels
    assert len(running.application.paths) <= 20, "as many as the buffers of the system take"
    assert len(channel._ahead) <= HEAD_BLOCK
    assert not channel.readable()
    assert sum(len(each) for each in channel.outbufs) <= LARGE
    before = len(running.application.paths)
    running.turn_until(lambda: client.read().count(b"HTTP/1.1 200") > 3 * before)


def test_a_response_that_nobody_reads_occupies_no_thread(running: Running) -> None:
    unread = [running.connect(50 * request("/large"), window=4096) for _ in range(2 * THREADS)]
    running.settle()
    assert running.connect(request("/a")).read_until(1).startswith(b"HTTP/1.1 200")
    assert len(unread) == 2 * THREADS


def test_a_response_that_waits_is_in_the_spool(running: Running) -> None:
    running.connect(50 * request("/large"), window=4096)
    running.settle()
    [channel] = running.channels
    assert channel.total_outbufs_len > 64 * 1024
    assert running.server._spool._on_disk >= channel.total_outbufs_len
    channel.handle_close()
    running.turn_until(lambda: running.server._spool._on_disk == 0)  # the thread closes the request after its response


@pytest.mark.parametrize("rest", ["body", "chunks"])
def test_what_follows_a_body_is_received_only_as_far_as_it_is_bounded(running: Running, rest: str) -> None:
    running.application.go.clear()
    head = request("/body", "Content-Length: 5" if rest == "body" else "Transfer-Encoding: chunked", method="POST")
    body = b"12345" if rest == "body" else b"5\r\n12345\r\n0\r\n\r\n"
    client = running.connect()
    client.connection.sendall(head + body + 600 * request("/a"))
    running.turn_until(lambda: running.application.paths)
    running.settle()
    assert len(running.channels[0]._ahead) <= HEAD_BLOCK
    running.application.go.set()
    running.turn_until(lambda: client.read().count(b"HTTP/1.1 200") == 601)


# The head of a large upload


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def choosy(run: Callable[..., Running], asked: list[str]) -> Running:
    """A server that knows nobody except the holder of a token."""

    def refuse(environ: "WSGIEnvironment") -> Response | None:
        asked.append(environ["PATH_INFO"])
        return None if environ.get("HTTP_PRIVATE_TOKEN") == "known" else REFUSED

    return run(refuse=refuse)


MEGABYTE = 1024**2


def upload(size: int, *headers: str) -> bytes:
    return request("/body", f"Content-Length: {size}", *headers, method="POST")


@pytest.mark.parametrize(
    "head",
    [
        upload(MEGABYTE + 1),
        upload(10**18),
        upload(MEGABYTE + 1, "Expect: 100-continue"),
        upload(MEGABYTE + 1, "PRIVATE-TOKEN: unknown"),
        request("/body", "Transfer-Encoding: chunked", method="POST"),
        request("/body", "Content-Length: 9999999", method="GET"),
    ],
)
def test_a_large_body_is_refused_when_its_head_is_complete(choosy: Running, asked: list[str], head: bytes) -> None:
    client = choosy.connect(head)
    answer = client.read_to_end()
    assert client.statuses == [401], "without a 100 before it"
    assert b"WWW-Authenticate: Basic" in answer.replace(b"Www", b"WWW")
    assert answer.endswith(b'{"message": "401 Unauthorized"}')
    assert (asked, choosy.application.paths) == (["/body"], [])
    assert choosy.lines == [f'"{head.partition(b" ")[0].decode()} /body" 401']


def test_the_rest_of_a_refused_body_is_dropped_for_some_seconds(choosy: Running) -> None:
    client = choosy.connect(upload(10**8))
    client.read_to_end()
    client.send(5 * MEGABYTE * b"x")
    choosy.turn_until(lambda: choosy.server._spool._on_disk == choosy.server._spool._in_memory == 0)
    assert choosy.channels
    choosy.advance(5)
    assert not choosy.channels


def test_a_connection_whose_rest_is_dropped_ends_with_its_client(choosy: Running) -> None:
    client = choosy.connect(upload(10**8))
    client.read_to_end()
    client.connection.close()
    choosy.turn_until(lambda: not choosy.channels)


@pytest.mark.parametrize("size", [MEGABYTE + 1, MEGABYTE, 5])
def test_the_body_of_a_known_caller_and_a_small_body_are_received(choosy: Running, asked: list[str], size: int) -> None:
    known = ["PRIVATE-TOKEN: known"] if size > MEGABYTE else []
    client = choosy.connect(upload(size, *known, "Expect: 100-continue"))
    choosy.turn_until(lambda: client.statuses == [100])
    client.send(size * b"x")
    choosy.turn_until(lambda: client.read().endswith(b"\r\n\r\n" + str(size).encode()))
    assert client.statuses == [100, 200]
    assert len(asked) == len(known)


def test_100_is_not_sent_for_a_body_of_no_bytes(running: Running) -> None:
    client = running.connect(upload(0, "Expect: 100-continue"))
    running.turn_until(lambda: client.read().endswith(b"\r\n\r\n0"))
    assert client.statuses == [200]


# Time


@pytest.mark.parametrize("sent", [b"GET /a HT", b"\r\nG", request("/a")[:-2]])
def test_a_head_that_takes_too_long_is_408(running: Running, sent: bytes) -> None:
    client = running.connect()
    running.advance(19)
    client.send(sent)
    running.advance(19)
    assert not client.read() and not client.is_closed
    client.send(b"x")
    running.advance(1)
    assert client.read_to_end().startswith(b"HTTP/1.0 408 Request Timeout")
    assert running.lines == ['"- -" 408']


def test_a_connection_without_a_request_is_closed_as_early_as_a_head(running: Running) -> None:
    client = running.connect()
    blank = running.connect(b"\r\n")
    running.advance(19)
    blank.send(b"\r\n")
    assert not client.is_closed and len(running.channels) == 2
    running.advance(1)
    assert client.read_to_end() == blank.read_to_end() == b""
    assert running.lines == []


def test_an_idle_connection_stays_open_longer(running: Running) -> None:
    client = running.connect(request("/a"))
    client.read_until(10)
    running.advance(119)
    client.send(request("/b"))
    running.turn_until(lambda: client.statuses == [200, 200])
    running.advance(120)
    client.read_to_end()


def test_a_body_that_is_too_slow_is_408(running: Running) -> None:
    client = running.connect(upload(10**6))
    for second in range(31, 61):
        running.now += 1
        client.send(10_000 * b"x")
        assert not client.read(), second
    running.advance(29)  # 30 seconds of grace, and 30 for 300,000 bytes
    assert not client.read()
    running.advance(1)
    assert client.read_to_end().startswith(b"HTTP/1.1 408")
    assert running.lines == ['"POST /body" 408']
    running.advance(5)
    assert not running.channels


def test_a_body_that_stops_is_408_however_fast_it_was(running: Running) -> None:
    client = running.connect(upload(10**8), 10**6 * b"x")
    running.settle()
    running.advance(119)
    assert not client.read()
    running.advance(1)
    assert client.read_to_end().startswith(b"HTTP/1.1 408")
    running.turn_until(lambda: running.server._spool._on_disk == 0)  # the thread closes the request after its response


def test_a_request_in_progress_has_no_deadline(running: Running) -> None:
    running.application.go.clear()
    client = running.connect(request("/a"))
    running.turn_until(lambda: running.application.paths)
    running.advance(100_000)
    running.application.go.set()
    running.turn_until(lambda: client.statuses == [200])


def test_a_response_that_is_not_read_is_given_up_after_a_while(running: Running) -> None:
    client = running.connect(50 * request("/large"), window=4096)
    running.settle()
    [channel] = running.channels
    while running.channels:
        assert running.now < channel.deadline()  # the system may take a little more now and then
        running.advance(5)
    assert running.now >= 1120
    assert client.read_to_end()


# Many connections


SMALL = Limits(connections=20, share=10)


def test_one_address_has_a_part_of_the_connections(run: Callable[..., Running]) -> None:
    running = run(limits=SMALL)
    first, second = (running.connect(b"GET /", source="127.0.0.2") for _ in range(2))
    other = running.connect(b"GET /")
    running.now += 1
    third = running.connect(request("/a"), source="127.0.0.2")
    running.turn_until(lambda: third.statuses == [200])
    assert first.read_to_end() == b"", "the one that has waited longest made room"
    second.read(), other.read()
    assert not second.is_closed and not other.is_closed


def test_behind_a_proxy_one_address_has_all_connections(run: Callable[..., Running]) -> None:
    running = run(limits=SMALL, limits_addresses=False)
    clients = [running.connect(b"GET /") for _ in range(20)]
    assert len(running.channels) == 20
    running.connect(request("/a")).read_until(10)
    assert len(running.channels) == 20
    assert sum(client.read() == b"" and client.is_closed for client in clients) == 1


def test_half_sent_heads_do_not_keep_others_out(run: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    running = run(limits=SMALL)
    for _ in range(200):
        running.connect(b"GET / HTTP/1.1\r\n")
        assert len(running.channels) <= 2
    running.connect(request("/a")).read_until(10)
    assert [record.getMessage() for record in caplog.records] == [
        "127.0.0.1 has reached the limit of connections per address"
    ]


def test_a_connection_with_a_request_is_not_closed_to_make_room(run: Callable[..., Running]) -> None:
    running = run(limits=SMALL)
    running.application.go.clear()
    busy = [running.connect(request("/a")) for _ in range(2)]
    running.turn_until(lambda: len(running.application.paths) == 2)
    assert running.connect().read_to_end() == b""
    running.application.go.set()
    running.turn_until(lambda: [client.statuses for client in busy] == [[200], [200]])


def test_the_connection_that_was_used_last_stays_open(run: Callable[..., Running]) -> None:
    running = run(limits=SMALL)
    used = running.connect(request("/a"))
    used.read_until(10)
    running.now += 1
    silent = running.connect()
    running.now += 1
    used.send(request("/b"))
    running.turn_until(lambda: used.statuses == [200, 200])
    running.connect()
    assert silent.read_to_end() == b""
    used.read()
    assert not used.is_closed


def test_stalled_uploads_make_room_after_some_seconds(run: Callable[..., Running]) -> None:
    running = run(limits=SMALL)
    for _ in range(2):
        running.connect(upload(1000), b"x")
    assert running.connect().read_to_end() == b""
    running.advance(10)
    running.connect(request("/a")).read_until(10)
    assert running.lines == ['"POST /body" 408', '"GET /a" 200']


def test_a_full_server_accepts_no_connection_while_all_are_busy(run: Callable[..., Running]) -> None:
    running = run(limits=Limits(connections=2), limits_addresses=False)
    running.application.go.clear()
    busy = [running.connect(request("/a")) for _ in range(2)]
    running.turn_until(lambda: len(running.application.paths) == 2)
    with socket.create_connection(running.server.address) as waiting:
        running.settle()
        assert len(running.channels) == 2 and not running.server._listener.readable()
        running.application.go.set()
        running.turn_until(lambda: all(client.statuses == [200] for client in busy))
        waiting.sendall(request("/b"))
        running.turn_until(lambda: "/b" in running.application.paths)


# Descriptors


class Exhausted:
    """A listening socket of a process that has no descriptor left, until it has some again."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.attempts = 0
        self.is_exhausted = True

    def accept(self) -> tuple[socket.socket, object]:
        self.attempts += 1
        if self.is_exhausted:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self.real.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def test_accepting_pauses_while_there_is_no_descriptor(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    listening: Any = running.server._listener
    listening.socket = exhausted = Exhausted(listening.socket)
    with socket.create_connection(running.server.address) as waiting:
        running.settle()
        assert exhausted.attempts == 1
        for _ in range(20):
            running.advance(1)
        assert 10 <= exhausted.attempts <= 21
        assert len(caplog.records) == 1
        running.advance(60)
        assert len(caplog.records) == 2, "one line a minute"
        exhausted.is_exhausted = False
        running.advance(1)
        waiting.sendall(request("/a"))
        running.turn_until(lambda: running.lines == ['"GET /a" 200'])


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "connections"),
    [
        pytest.param(20_000, 20_000, None, 1000, id="enough"),
        pytest.param(1024, 524_288, 2128, 1000, id="raised as far as is needed"),
        pytest.param(256, 1024, 1024, 448, id="raised to the hard limit"),
        pytest.param(1024, 1024, 1024, 448, id="nothing to raise"),
        pytest.param(64, 64, 64, 1, id="too few"),
        pytest.param(-1, -1, None, 1000, id="unlimited"),
    ],
)
def test_connections_are_as_many_as_descriptors_allow(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, connections: int
) -> None:
    resource = pytest.importorskip("resource")
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: found.append(limits))
    assert affordable_connections(1000) == connections
    assert found == ([] if raised is None else [(raised, hard)])


def test_a_low_limit_of_descriptors_lowers_the_number_of_connections(
    run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "affordable_connections", lambda wanted: 3)
    running = run(limits_addresses=False)
    for _ in range(6):
        running.connect(b"GET")
    assert len(running.channels) == 3
    assert caplog.records[0].getMessage() == "the limit of open files allows only 3 connections"


# Responses that end too early


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/short", b"123"),
        ("/empty", b""),
        ("/short-range", b"123"),
        ("/short-large", LARGE * b"x"),
        ("/short-iterator", b"123"),
        ("/empty-iterator", b""),
    ],
)
def test_a_response_that_ends_too_early_closes_the_connection(
    running: Running, caplog: pytest.LogCaptureFixture, path: str, sent: bytes
) -> None:
    client = running.connect(request(path))
    head, _, body = client.read_to_end().partition(b"\r\n\r\n")
    assert body == sent
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length and int(length[1]) > len(sent), "the client can see that something is missing"
    assert not running.channels
    [record] = caplog.records
    assert record.levelno >= logging.WARNING and record.exc_info is None


@pytest.mark.parametrize("path", ["/whole", "/long"])
def test_a_file_is_sent_up_to_its_content_length(running: Running, path: str) -> None:
    client = running.connect(2 * request(path))
    running.turn_until(lambda: client.read().count(b"\r\n\r\n12345") == 2)


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_that_cannot_be_read_closes_the_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](Broken(b"12345"))
        return wrapped

    monkeypatch.setitem(RESPONSES, "/broken", respond)
    assert running.connect(request("/broken")).read_to_end().endswith(b"\r\n\r\n")
    assert "cannot be read" in caplog.text


class WithoutSeekable:
    """A file as the oldest ones: it has no ``seekable``."""

    def __init__(self, content: bytes) -> None:
        file = io.BytesIO(content)
        self.read, self.seek, self.tell, self.close = file.read, file.seek, file.tell, file.close


@pytest.mark.parametrize(("content", "rest"), [(b"12345", b"12345"), (b"123", b"123")])
def test_a_file_needs_no_method_to_tell_that_it_can_seek(
    running: Running, monkeypatch: pytest.MonkeyPatch, content: bytes, rest: bytes
) -> None:
    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](WithoutSeekable(content))
        return wrapped

    monkeypatch.setitem(RESPONSES, "/old", respond)
    assert running.connect(request("/old", "Connection: close")).read_to_end().endswith(b"\r\n\r\n" + rest)


# The spool


class Disk:
    """A disk whose other users take some of it."""

    size = 10 * MEGABYTE
    spool: Spool

    def __call__(self, folder: Path) -> int:
        return self.size - self.spool._on_disk


@pytest.fixture
def small(run: Callable[..., Running]) -> Running:
    running = run()
    disk = Disk()
    disk.spool = running.server._spool
    running.server._spool._free_bytes = disk
    return running


@pytest.mark.parametrize("continued", [True, False])
def test_a_body_larger_than_half_of_the_free_disk_is_507(small: Running, *, continued: bool) -> None:
    client = small.connect(upload(5 * MEGABYTE + 1, *["Expect: 100-continue"] * continued))
    answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 507 Insufficient Storage")
    assert answer.endswith(b'{"message": "507 Insufficient Storage"}')
    assert small.lines == ['"POST /body" 507']


def test_bodies_that_use_half_of_the_free_disk_together_are_507(small: Running) -> None:
    first = small.connect(upload(3 * MEGABYTE))
    second = small.connect(upload(4 * MEGABYTE))
    first.send(2 * MEGABYTE * b"x")
    second.send(4 * MEGABYTE * b"x")
    assert second.read_to_end().startswith(b"HTTP/1.1 507")
    assert small.connect(request("/a")).read_until(10).startswith(b"HTTP/1.1 200"), "other requests go on"
    first.send(MEGABYTE * b"x")
    small.turn_until(lambda: first.statuses == [200])
    small.settle()
    small.turn_until(lambda: small.server._spool._on_disk == 0)  # the thread closes the request after its response


def test_chunks_without_end_are_507_before_the_disk_is_full(small: Running) -> None:
    client = small.connect(request("/body", "Transfer-Encoding: chunked", method="POST"))
    for _ in range(20):
        client.send(b"80000\r\n" + 0x80000 * b"x" + b"\r\n")
        assert small.server._spool._on_disk <= 5 * MEGABYTE
    assert client.read_to_end().startswith(b"HTTP/1.1 507")
    small.turn_until(lambda: small.server._spool._on_disk == 0)  # the thread closes the request after its response


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EMFILE, 503), (errno.EIO, 503)]
)
def test_an_error_of_the_spool_is_a_clear_response(
    running: Running, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def fail(self: Spool) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Spool, "open", fail)
    client = running.connect(upload(2 * MEGABYTE), MEGABYTE * b"x")
    client.read_to_end()
    assert client.statuses == [status]
    assert running.lines == [f'"POST /body" {status}']
    running.connect(request("/a")).read_until(10)


def test_a_response_that_the_spool_cannot_store_closes_the_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(running.server._spool, "_free_bytes", lambda folder: 0)
    client = running.connect(50 * request("/large"), window=4096)
    running.turn_until(lambda: not running.channels)
    client.read_to_end()
    assert "cut off, because the spool cannot store it" in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_the_memory_of_all_bodies_is_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypi_registry._cli.spool.ALL_IN_MEMORY", MEGABYTE)
    clients = [running.connect(upload(400_001), 400_000 * b"x") for _ in range(6)]
    running.settle()
    spool = running.server._spool
    assert spool._in_memory <= MEGABYTE < spool._on_disk
    for client in clients:
        client.send(b"x")
        client.read_until(10)
    running.settle()
    assert spool._in_memory == spool._on_disk == 0


def test_an_upload_that_its_client_ends_is_logged_and_deleted(running: Running) -> None:
    for body in (b"x", 2 * MEGABYTE * b"x"):
        client = running.connect(upload(5 * MEGABYTE), body)
        client.connection.close()
        running.turn_until(lambda: not running.channels)
    assert running.lines == 2 * ['"POST /body" 499']
    running.turn_until(lambda: running.server._spool._on_disk == running.server._spool._in_memory == 0)


# Malformed and excessive requests


def _random(seed: int) -> bytes:
    return random.Random(seed).randbytes(40_000)


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        pytest.param(request("/a", *(f"X-{number}: x" for number in range(99))), [200], id="100 header lines"),
        pytest.param(request("/a", *(f"X-{number}: x" for number in range(100))), [431], id="101 header lines"),
        pytest.param(request("/a", *100_000 * ["X: x"]), [431], id="100,000 header lines"),
        pytest.param(request("/a", *100_000 * ["X-a: x"]), [431], id="100,000 header lines, one byte each"),
        pytest.param(b"GET /" + 1_000_000 * b"x" + b" HTTP/1.1\r\n\r\n", [431], id="a request line of 1 MB"),
        pytest.param(1_000_000 * b"x", [431], id="1 MB without an end"),
        pytest.param(request("/a", "X: " + 32_000 * "x"), [200], id="a long header"),
        pytest.param(request("/a", "X: a", " b"), [400], id="obs-fold"),
        pytest.param(request("/a", "X: a", "\tb"), [400], id="obs-fold with a tabulator"),
        pytest.param(request("/a", "X: a\n b"), [400], id="obs-fold after a line feed"),
        pytest.param(request("/a", "X: a\nY: b"), [400], id="a bare line feed"),
        pytest.param(request("/a", "X: a\rY: b"), [400], id="a bare carriage return"),
        pytest.param(request("/a", "X: a\0b"), [400], id="a NUL"),
        pytest.param(request("/a", "X : a"), [400], id="a space before the colon"),
        pytest.param(request("/body", "Content-Length: 5", "Transfer-Encoding: chunked"), [400], id="two lengths"),
        pytest.param(request("/body", "Transfer-Encoding: chunked", "Content-Length: 5"), [400], id="two lengths, too"),
        pytest.param(request("/body", "Content-Length: 5", "Content-Length: 6"), [400], id="contradicting lengths"),
        pytest.param(request("/body", "Content-Length: " + 5000 * "9"), [400], id="a length of 5,000 digits"),
        pytest.param(request("/body", "Content-Length: -5"), [400], id="a negative length"),
        pytest.param(request("/body", "Content-Length: +5"), [400], id="a length with a sign"),
        pytest.param(request("/body", "Transfer-Encoding: chunked, chunked"), [400], id="chunked twice"),
        pytest.param(
            request("/body", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            [400],
            id="chunked in two lines",
        ),
        pytest.param(b"POST /body HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", [400], id="chunked in HTTP/1.0"),
        pytest.param(b"POST /body HTTP/2.0\r\nTransfer-Encoding: chunked\r\n\r\n", [400], id="chunked in HTTP/2.0"),
        pytest.param(request("http://[::1/a"), [400], id="an invalid host"),
        pytest.param(b"GET /a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", [400], id="two hosts"),
        pytest.param(request("/a b"), [400], id="a space in the path"),
        pytest.param(request("/a", method="get"), [400], id="a method in small letters"),
        pytest.param(b" \r\n\r\n" + request("/a"), [400], id="white space"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", [400], id="TLS"),
        pytest.param(5000 * b"\r\n" + request("/a"), [200], id="blank lines"),
        pytest.param(request("/a") + b"garbage\r\n\r\n" + request("/a"), [200, 400], id="pipelined garbage"),
        pytest.param(request("/a") + _random(1), [200, 400], id="pipelined random bytes"),
    ],
)
def test_heads_at_and_beyond_the_limits(
    running: Running, caplog: pytest.LogCaptureFixture, data: bytes, statuses: list[int]
) -> None:
    client = running.connect(data[:HEAD_BLOCK], data[HEAD_BLOCK:])
    running.turn_until(lambda: len(client.statuses) == len(statuses))
    running.settle()
    assert client.statuses == statuses
    assert caplog.records == [], "no exception reached waitress"


CHUNKED = request("/body", "Transfer-Encoding: chunked", method="POST")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"5\r\n12345\r\n0\r\n\r\n", 5),
        (b"5;a=b\r\n12345\r\n000A\r\n1234567890\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", 15),
        (10 * b"1\r\nx\r\n" + b"0\r\n\r\n", 10),
        (b"0\r\n\r\n", 0),
        (b"5;a=" + 4080 * b"x" + b"\r\n12345\r\n0\r\n\r\n", 5),
        (b"5\r\n123456\r\n", 400),
        (b"5\r\n12345\n", None),
        (b"x\r\n", 400),
        (b"\r\n", 400),
        (b"-5\r\n", 400),
        (b"0x5\r\n", 400),
        (b"5 \r\n", 400),
        (b"5\n", None),
        (17 * b"1" + b"\r\n", 400),
        (5000 * b"F", 400),
        (b"5;" + 100_000 * b"x", 400),
        (b"5;" + 4095 * b"x" + b"\r\n12345\r\n0\r\n\r\n", 400),
        (b"5;=\0\r\n", 400),
        (20 * (b"1;" + 1000 * b"a" + b"\r\nx\r\n") + b"0\r\n\r\n", 400),
        (b"0\r\n" + 1000 * (b"X: " + 100 * b"x" + b"\r\n") + b"\r\n", 400),
        (b"0\r\n" + 100_000 * b"x", 400),
        (b"FFFFFFFFFFFFFFF\r\n" + 1000 * b"x", None),
    ],
)
def test_chunks_at_and_beyond_the_limits(
    running: Running, caplog: pytest.LogCaptureFixture, body: bytes, answer: int | None
) -> None:
    client = running.connect(CHUNKED, body)
    running.settle()
    if answer is None:  # it may still end well
        assert client.statuses == []
    elif answer == 400:
        running.turn_until(lambda: client.statuses == [400])
    else:
        running.turn_until(lambda: client.read().endswith(b"\r\n\r\n" + str(answer).encode()))
    assert caplog.records == []


@pytest.mark.parametrize(
    "data",
    [
        request("/a", "Accept: x"),
        request("/body", "Content-Length: 20", method="POST") + 20 * b"x",
        CHUNKED + b"5;a=b\r\n12345\r\n000A\r\n1234567890\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
def test_a_request_may_arrive_in_pieces_of_any_size(running: Running, data: bytes) -> None:
    whole = running.connect(data)
    running.turn_until(lambda: whole.statuses == [200] and not whole.received.endswith(b"\r\n"))  # the body, too
    client = running.connect()
    for number in range(len(data)):
        client.send(data[number : number + 1])
    running.turn_until(lambda: client.statuses == [200] and not client.received.endswith(b"\r\n"))
    assert client.received.split(b"\r\n")[-1] == whole.received.split(b"\r\n")[-1]
    for cut in range(1, len(data)):
        client = running.connect(data[:cut], data[cut:])
        client.read_until(len(whole.received))
        assert client.statuses == [200]
        client.connection.close()
