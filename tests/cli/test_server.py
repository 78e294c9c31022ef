import errno
import io
import os
import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pypi_registry._cli import server
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.limits import Limits
from pypi_registry._cli.server import Server, listen

T = TypeVar("T")

LOCAL = "127.0.0.1"
PATIENCE = 10.0

# The socket


def test_port_0_chooses_a_free_port() -> None:
    with listen(LOCAL, 0) as first, listen(LOCAL, 0) as second:
        assert first.getsockname()[0] == LOCAL
        assert len({0, first.getsockname()[1], second.getsockname()[1]}) == 3


def test_a_port_in_use_is_named() -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError) as raised:
            listen(LOCAL, port)
    assert (raised.value.errno, raised.value.filename) == (errno.EADDRINUSE, f"{LOCAL}:{port}")


def test_of_two_servers_that_listen_on_one_port_the_second_is_refused() -> None:
    with listen(LOCAL, 0) as first, pytest.raises(OSError) as raised:
        listen(LOCAL, first.getsockname()[1]).close()
    assert raised.value.errno == errno.EADDRINUSE


def test_a_port_is_free_again_while_its_old_connections_linger() -> None:
    with listen(LOCAL, 0) as first:
        first.listen()
        port = first.getsockname()[1]
        client = socket.create_connection((LOCAL, port))
        connection, _ = first.accept()
        connection.close()  # the side that closes first lingers
        client.close()
    listen(LOCAL, port).close()


def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError) as raised:
        listen("nobody.example", 8080)
    assert raised.value.filename == "nobody.example:8080"
    assert raised.value.strerror == "Name or service not known"


# The server


class Application:
    """Responds hello; waits at ``/wait`` for `go`; responds at ``/body`` with the number of bytes that it received."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/wait":
            self.reached.set()
            assert self.go.wait(PATIENCE)
        body = b"hello"
        if environ["PATH_INFO"] == "/body":
            body = str(len(environ["wsgi.input"].read())).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


class Running:
    """A server that runs in the main thread, as signals require, while a test is its client in another thread."""

    def __init__(self, application: Application, server: Server, log: io.StringIO) -> None:
        self.application = application
        self.server = server
        self.address = server.address
        self.log = log
        self._was_signalled = False

    def run(self, act: Callable[[], T]) -> T:
        """Serve until `act` has sent a signal; return its result."""
        acting: list[Future[T]] = []
        with ThreadPoolExecutor(1) as pool:
            self.server.run(lambda: acting.append(pool.submit(self._end_by_a_signal, act)))
            return acting[0].result()

    def _end_by_a_signal(self, act: Callable[[], T]) -> T:
        try:
            return act()
        finally:
            if not self._was_signalled:  # a second signal would arrive after the server has restored the handlers
                self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._was_signalled = True
        stop(number)

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.address, timeout=PATIENCE) as connection:
            yield connection

    def get(self, path: str) -> int:
        with self.connected() as connection:
            connection.sendall(request(path))
            return answer(connection)[0]

    def lines(self) -> list[str]:
        """The lines of the log, without their changing parts."""
        found = re.findall(
            r'^127\.0\.0\.1 \S+ (".*" \d{3}) \S+ \d\.\d{3}(?: reason="[^"]+")?$', self.log.getvalue(), re.MULTILINE
        )
        assert len(found) == len(self.log.getvalue().splitlines()), self.log.getvalue()
        return found


def request(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: registry.example", *headers, "", ""]).encode()


def answer(connection: socket.socket) -> tuple[int, bytes]:
    with HTTPResponse(connection) as response:
        response.begin()
        return response.status, response.read()


def stop(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def signals_are_restored() -> Iterator[None]:
    """Let a signal that the server does not handle fail the test, instead of ending all tests."""

    def unhandled(number: int, frame: object) -> None:
        raise AssertionError(f"signal {number} was not handled")

    before = {number: signal.signal(number, unhandled) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    assert all(signal.getsignal(number) is unhandled for number in before), "the server did not restore them"
    for number, disposition in before.items():
        signal.signal(number, disposition)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(tempfile, "tempdir", None)  # undoes what a server sets
    return started(tmp_path, Limits(stop_seconds=PATIENCE / 2))


def started(spool: Path, limits: Limits) -> Running:
    application, stream = Application(), io.StringIO()
    log = AccessLog(application, stream)
    return Running(application, Server(log, log, listen(LOCAL, 0), spool, limits=limits), stream)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_serves_until_a_signal(running: Running, number: signal.Signals) -> None:
    def act() -> list[int]:
        statuses = [running.get("/a"), running.get("/b")]
        running.stop(number)
        return statuses

    assert running.run(act) == [200, 200]
    assert running.lines() == ['"GET /a" 200', '"GET /b" 200']


def test_the_port_is_closed_after_a_signal(running: Running) -> None:
    running.run(lambda: running.get("/"))
    with pytest.raises(ConnectionRefusedError), running.connected():
        pass


def test_it_accepts_connections_as_soon_as_it_is_created(running: Running) -> None:
    with running.connected() as early:
        early.sendall(request("/"))
        assert running.run(lambda: answer(early)) == (200, b"hello")


@pytest.mark.parametrize("clients", [1, 5])
def test_requests_that_arrived_before_the_signal_are_answered(running: Running, clients: int) -> None:
    connections = [socket.create_connection(running.address, timeout=PATIENCE) for _ in range(clients)]
    try:
        for connection in connections:
            connection.sendall(request("/"))
        running.server.run(ready=stop)
        assert [answer(connection)[0] for connection in connections] == clients * [200]
    finally:
        for connection in connections:
            connection.close()


def test_queued_requests_are_answered_although_an_earlier_client_has_disconnected(running: Running) -> None:
    with running.connected():
        pass  # disconnected again
    with running.connected() as first, running.connected() as second:
        for connection in (first, second):
            connection.sendall(request("/"))
        running.server.run(ready=stop)
        assert [answer(connection)[0] for connection in (first, second)] == [200, 200]


def test_a_request_in_progress_is_answered_after_the_signal(running: Running) -> None:
    def act() -> tuple[int, bytes]:
        with running.connected() as connection:
            connection.sendall(request("/wait"))
            assert running.application.reached.wait(PATIENCE)
            running.stop()
            wait_until_closed(running)
            running.application.go.set()
            return answer(connection)

    assert running.run(act) == (200, b"hello")


def test_a_request_that_is_arriving_is_answered_after_the_signal(running: Running) -> None:
    def act() -> tuple[int, bytes]:
        with running.connected() as connection:
            connection.sendall(request("/body", "Content-Length: 10", method="POST") + b"12345")
            running.get("/")  # what was sent before has arrived
            running.stop()
            wait_until_closed(running)
            connection.sendall(b"67890")
            return answer(connection)

    assert running.run(act) == (200, b"10")


def test_idle_connections_do_not_delay_the_stop(running: Running) -> None:
    def act() -> None:
        with running.connected() as silent, running.connected() as idle:
            idle.sendall(request("/"))
            assert answer(idle) == (200, b"hello")  # and is kept open, as in HTTP/1.1
            started = time.monotonic()
            running.stop()
            assert silent.recv(1) == idle.recv(1) == b""
            assert time.monotonic() - started < PATIENCE / 2

    running.run(act)


def test_an_unfinished_request_delays_the_stop_only_for_the_grace_period(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)  # undoes what a server sets
    running = started(tmp_path, Limits(stop_seconds=0.3))

    def act() -> None:
        with running.connected() as connection:
            connection.sendall(request("/body", "Content-Length: 10", method="POST") + b"12345")
            running.get("/")
            running.stop()
            assert connection.recv(1) == b""

    running.run(act)


def wait_until_closed(running: Running) -> None:
    """Wait until the server accepts no more connections, because it has handled the signal."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with running.connected():
                time.sleep(0.01)
        except ConnectionError:
            return
    raise AssertionError("it still accepts connections")


ENORMOUS = 32 * 1024
"""Bytes of a head that are too many."""


@pytest.mark.parametrize(
    ("head", "status", "line"),
    [
        pytest.param(b"this is no request\r\n\r\n", 400, '"- -" 400', id="no request"),
        pytest.param(b"GET /secret HTTP/1.1 x\r\n\r\n", 400, '"- -" 400', id="more than a request"),
        pytest.param(request("/secret", "no header"), 400, '"- -" 400', id="no header"),
        pytest.param(request("/a?secret", "Content-Length: x"), 400, '"GET /a" 400', id="bad length"),
        pytest.param(request("/a?secret", "Transfer-Encoding: secret"), 501, '"GET /a" 501', id="unknown encoding"),
        pytest.param(request("/secret", "X: " + 2 * ENORMOUS * "x"), 431, '"- -" 431', id="enormous head"),
        pytest.param(request("/a?secret", "Content-Length: 999999999", method="POST"), 413, '"POST /a" 413', id="body"),
    ],
)
def test_a_request_that_the_server_itself_refuses_is_logged_and_does_not_delay_the_stop(
    running: Running, head: bytes, status: int, line: str
) -> None:
    running.server.limit_bodies(1000)

    def act() -> tuple[int, float]:
        with running.connected() as connection:
            connection.sendall(head)
            found = answer(connection)[0]
            connection.settimeout(PATIENCE / 4)
            assert connection.recv(1) == b""  # a connection that is kept would never be closed
            return found, time.monotonic()

    found, stopped = running.run(act)
    assert time.monotonic() - stopped < PATIENCE / 2
    assert found == status
    assert running.lines() == [line]
    assert "secret" not in running.log.getvalue()


def test_the_limit_of_a_body_is_that_of_a_file_and_the_form_around_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_FIELDS", 100)
    running.server.limit_bodies(1000)

    def post(size: int) -> int:
        with running.connected() as connection:
            connection.sendall(request("/body", f"Content-Length: {size}", method="POST") + size * b"x")
            return answer(connection)[0]

    def act() -> list[int]:
        before = [post(1099), post(1100)]
        running.server.limit_bodies(2000)
        return [*before, post(2099), post(2100)]

    assert running.run(act) == [200, 413, 200, 413]


def test_a_deleted_spool_is_created_again(running: Running, tmp_path: Path) -> None:
    size = 2 * 1024**2

    def act() -> tuple[int, bytes]:
        tmp_path.rmdir()
        with running.connected() as connection:
            connection.sendall(request("/body", f"Content-Length: {size}", method="POST") + size * b"x")
            return answer(connection)

    assert running.run(act) == (200, str(size).encode())
    assert os.name != "posix" or tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_spool_that_cannot_be_examined_does_not_stop_the_server(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined = 0

    def broken(folder: Path) -> bool:
        nonlocal examined
        examined += 1
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(Path, "is_dir", broken)
    assert running.run(lambda: [running.get("/"), running.get("/")]) == [200, 200]
    assert examined > 1


def test_requests_without_a_large_body_succeed_without_a_spool(running: Running, tmp_path: Path) -> None:
    def act() -> int:
        tmp_path.rmdir()
        tmp_path.write_text("in the way", encoding="utf-8")
        return running.get("/")

    assert running.run(act) == 200


def test_a_large_body_without_a_spool_is_503(running: Running, tmp_path: Path) -> None:
    def act() -> int:
        tmp_path.rmdir()
        tmp_path.write_text("in the way", encoding="utf-8")
        with running.connected() as connection:
            connection.sendall(request("/body", "Content-Length: 2000000", method="POST") + 2_000_000 * b"x")
            return answer(connection)[0]

    assert running.run(act) == 503


def test_large_bodies_are_stored_in_the_spool(running: Running, tmp_path: Path) -> None:
    folders: list[str] = []
    ordinary = tempfile.TemporaryFile

    def noted(*arguments: Any, **options: Any) -> Any:
        folders.append(str(options["dir"]))
        return ordinary(*arguments, **options)

    size = 2 * 1024**2

    def act() -> tuple[int, bytes]:
        with pytest.MonkeyPatch.context() as patch, running.connected() as connection:
            patch.setattr(tempfile, "TemporaryFile", noted)
            connection.sendall(request("/body", f"Content-Length: {size}", method="POST") + size * b"x")
            return answer(connection)

    assert running.run(act) == (200, str(size).encode())
    assert folders and set(folders) == {str(tmp_path)}
