"""A refused body is read for a while, and never stops a thread: with a clock, timers and sockets of our own."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._http import draining
from pypi_registry._http.body import DRAINED, Body
from pypi_registry._http.draining import MAX_ANONYMOUS, PATIENCE, Cut, Drains

MB = 1000**2


@dataclass
class Timer:
    at: float
    function: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class World:
    """A clock that only a slow sender advances, and the timers that it sets off."""

    now: float = 1000.0
    timers: list[Timer] = field(default_factory=list)

    def start_timer(self, seconds: float, function: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, function))
        return self.timers[-1]

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            if not timer.is_cancelled:
                self.now = max(self.now, timer.at)
                timer.function()
        self.now = end

    def drains(self) -> Drains:
        return Drains(clock=lambda: self.now, start_timer=self.start_timer)


@dataclass
class Connection:
    """A socket and its sender, who sends `piece` bytes every `seconds`, for ever."""

    world: World
    piece: int = 1
    seconds: float = 20.0
    shut: list[int] = field(default_factory=list)
    queued: list[bytes] = field(default_factory=list)
    served: int = 0
    in_read: Callable[[], object] = lambda: None

    def read(self, size: int = -1) -> bytes:
        """Read like gunicorn: until all bytes are there, or until the reading side is shut."""
        arrived = 0
        self.in_read()
        while arrived < size and socket.SHUT_RD not in self.shut:
            self.world.advance(self.seconds)
            if socket.SHUT_RD not in self.shut:
                arrived += min(self.piece, size - arrived)
        self.served += arrived
        return bytes(arrived)

    def shutdown(self, side: int) -> None:
        self.shut.append(side)

    def recv(self, size: int) -> bytes:
        return self.queued.pop(0) if self.queued else b""

    def environ(self, length: int | None = 10 * MB, key: str = "gunicorn.socket", **more: object) -> dict[str, Any]:
        declared = {} if length is None else {"CONTENT_LENGTH": str(length)}
        return {key: self, "wsgi.input": self, "wsgi.input_terminated": True, **declared, **more}

    def drain(
        self, drains: Drains, *, longest: int = 10**12, authenticated: bool = False, **environ: Any
    ) -> Cut | None:
        sent = self.environ(**environ)
        return drains.drain(Body(sent), sent, longest=longest, authenticated=authenticated)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize("length", [None, 10, 10 * MB, 10**15])
def test_a_sender_of_one_byte_in_twenty_seconds_is_read_for_five(
    world: World, key: str, authenticated: bool, length: int | None
) -> None:
    connection = Connection(world)
    assert connection.drain(world.drains(), key=key, authenticated=authenticated, length=length) is not None
    assert connection.shut == [socket.SHUT_RD]
    assert (connection.served, PATIENCE) == (0, 5.0)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 4.9])
def test_a_sender_of_few_bytes_is_cut_however_often_they_come(world: World, seconds: float) -> None:
    connection, began = Connection(world, piece=1, seconds=seconds), world.now
    connection.drain(world.drains())
    assert connection.shut == [socket.SHUT_RD]
    assert 5 <= world.now - began <= 5 + 2 * seconds


def test_each_megabyte_gives_one_second_more(world: World) -> None:
    began = world.now
    connection = Connection(world, piece=32_768, seconds=0.065536)  # half a megabyte a second: 5 s and 5 s more
    connection.drain(world.drains(), length=10**9)
    assert connection.shut == [socket.SHUT_RD]
    assert 9 < world.now - began < 11


def test_a_sender_of_more_than_a_megabyte_a_second_is_read_to_the_end(world: World) -> None:
    connection = Connection(world, piece=64_000, seconds=0.03)
    assert connection.drain(world.drains(), length=200 * MB) is None
    assert connection.shut == []
    assert connection.served == 200 * MB
    world.advance(1000)
    assert connection.shut == []  # the connection may carry other requests


@pytest.mark.parametrize("length", [None, 10**15])
def test_a_body_of_unknown_or_great_length_is_not_read_to_its_end(world: World, length: int | None) -> None:
    connection = Connection(world, piece=MB, seconds=0.01)
    assert connection.drain(world.drains(), length=length, longest=10**9) is None
    assert connection.served == DRAINED


def test_a_body_that_was_read_takes_no_timer(world: World) -> None:
    connection = Connection(world, piece=10, seconds=0)
    sent = connection.environ(10)
    body = Body(sent)
    body.read(10)
    assert world.drains().drain(body, sent, longest=1000, authenticated=False) is None
    assert world.timers == []


def test_chunks_that_were_read_to_their_end_take_no_timer(world: World) -> None:
    connection = Connection(world, shut=[socket.SHUT_RD])
    sent = connection.environ(None)
    body = Body(sent)
    assert body.read(10) == b""
    assert world.drains().drain(body, sent, longest=1000, authenticated=False) is None
    assert world.timers == []


@pytest.mark.parametrize("error", [OSError(), ValueError("closed"), RuntimeError("the server's own")], ids=repr)
def test_an_error_of_the_server_ends_the_timer(world: World, error: Exception) -> None:
    def fail() -> None:
        raise error

    connection = Connection(world, in_read=fail)
    assert connection.drain(world.drains()) is None
    world.advance(1000)
    assert connection.shut == []


def test_without_a_thread_for_a_timer_nothing_waits(world: World) -> None:
    def no_thread(seconds: float, function: Callable[[], None]) -> Timer:
        raise RuntimeError("can't start new thread")

    connection = Connection(world)
    assert connection.drain(Drains(clock=lambda: world.now, start_timer=no_thread)) is not None
    assert connection.shut == [socket.SHUT_RD]
    assert connection.served == 0


# Without a socket


@pytest.mark.parametrize(
    "environ", [{"key": "another.socket"}, {"SERVER_PROTOCOL": "HTTP/2"}, {"SERVER_PROTOCOL": "HTTP/2.0"}], ids=str
)
@pytest.mark.parametrize(("authenticated", "served"), [(True, 1000), (False, 0)])
def test_without_a_socket_only_the_body_of_an_authenticated_caller_is_read(
    world: World, environ: dict[str, Any], authenticated: bool, served: int
) -> None:
    connection = Connection(world, piece=10, seconds=0)
    assert connection.drain(world.drains(), authenticated=authenticated, length=1000, **environ) is None
    assert (connection.served, connection.shut) == (served, [])


# Many at once


def test_of_the_bodies_of_anonymous_callers_two_are_read_at_one_time(world: World) -> None:
    began, drains = world.now, world.drains()
    most = 0

    def begin() -> None:
        nonlocal most
        most = max(most, sum(1 for each in connections if not each.shut))
        if len(connections) < 100:
            connections.append(Connection(world, in_read=begin))
            connections[-1].drain(drains)

    connections: list[Connection] = []
    begin()
    assert (most, MAX_ANONYMOUS) == (2, 2)
    assert [each.shut for each in connections] == [[socket.SHUT_RD]] * 100
    assert world.now - began <= 2 * 20  # of the last two; the others did not wait at all


def test_the_bodies_of_authenticated_callers_do_not_end_each_other(world: World) -> None:
    waiting = 0

    def begin() -> None:
        nonlocal waiting
        if len(connections) < 10:
            connections.append(Connection(world, in_read=begin))
            connections[-1].drain(drains, authenticated=True)
        else:
            waiting = sum(1 for each in connections if not each.shut)

    connections: list[Connection] = []
    drains = world.drains()
    begin()
    assert waiting == 10


def test_a_body_that_has_ended_counts_no_more(world: World) -> None:
    drains = world.drains()
    for _ in range(10):
        connection = Connection(world, piece=MB, seconds=0)
        assert connection.drain(drains) is None
    slow = Connection(world)
    slow.drain(drains)
    assert connection.shut == []


# After the response


class ResponseBody:
    """The body of a response, which records when it is closed."""

    def __init__(self, log: list[object]) -> None:
        self.log = log

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one", b"two"])

    def close(self) -> None:
        self.log.append("closed")


def test_a_connection_that_was_cut_ends_with_the_response(world: World) -> None:
    connection = Connection(world, queued=[b"GET /secret HTTP/1.1", b"\r\n\r\n"])
    cut = connection.drain(world.drains())
    assert cut is not None
    log: list[object] = []
    body = cut.after(ResponseBody(log))
    assert [*body] == [b"one", b"two"]
    assert connection.shut == [socket.SHUT_RD]
    body.close()  # type: ignore[attr-defined]  # a server calls it if it is there (PEP 3333)
    assert log == ["closed"]
    assert connection.shut == [socket.SHUT_RD, socket.SHUT_WR]
    assert connection.queued == []  # a server would take them for a request


def test_a_body_without_close_is_ended_as_well(world: World) -> None:
    connection = Connection(world)
    Cut(connection).after([b"one"]).close()  # type: ignore[attr-defined]  # as above
    assert connection.shut == [socket.SHUT_WR]


def test_real_sockets_are_shut_and_what_arrives_later_is_no_request() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        theirs.sendall(b"x" * 10)
        environ = {
            "gunicorn.socket": ours,
            "wsgi.input": stream,
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": "100",
        }
        now = 0.0

        def start_timer(seconds: float, function: Callable[[], None]) -> threading.Timer:
            def fire() -> None:
                nonlocal now
                now += seconds
                function()

            timer = threading.Timer(0, fire)  # while the read below waits
            timer.start()
            return timer

        drains = Drains(clock=lambda: now, start_timer=start_timer)
        cut = drains.drain(Body(environ), environ, longest=1000, authenticated=False)
        assert cut is not None
        body = cut.after([b"refused"])
        ours.sendall(b"".join(body))
        body.close()  # type: ignore[attr-defined]  # as above
        assert theirs.recv(100) == b"refused"
        assert theirs.recv(100) == b""
        assert ours.recv(100) == b""


def test_an_encrypted_socket_stays_encrypted() -> None:
    # SSLSocket.shutdown() drops the encryption, and the response would follow in the clear.
    ours, theirs = socket.socketpair()
    with theirs:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False) as wrapped:
            before = wrapped._sslobj  # type: ignore[attr-defined]  # what shutdown() sets to None
            drain = draining._Drain(Body({}), wrapped, lambda: 0.0, lambda *_: Timer(0, lambda: None))
            drain.cut()
            assert wrapped._sslobj is before  # type: ignore[attr-defined]  # as above


# Over HTTP


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_the_registry_ends_the_connection_of_a_slow_sender(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr("pypi_registry._app.Drains", world.drains)
    connection = Connection(world)
    environ = create_environ("/nowhere", method=method) | connection.environ()
    body, status, _ = run_wsgi_app(Registry(auth=AllowAll()), environ)
    assert status == "404 Not Found"
    assert b"".join(body) == (b"" if method == "HEAD" else b'{"error": "404 Not Found"}')
    body.close()  # type: ignore[attr-defined]  # as above
    assert connection.shut == [socket.SHUT_RD, socket.SHUT_WR]


def test_a_published_upload_starts_no_timer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypi_registry._app.Drains", world.drains)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\ndemo\r\n'
        b'--b\r\nContent-Disposition: form-data; name="version"\r\n\r\n1.0\r\n'
        b'--b\r\nContent-Disposition: form-data; name="content"; filename="demo-1.0.tar.gz"\r\n\r\nx\r\n--b--\r\n'
    )
    environ = create_environ("/projects/a/packages/pypi", method="POST", data=form)
    environ |= {"gunicorn.socket": Connection(world), "CONTENT_TYPE": "multipart/form-data; boundary=b"}
    _, status, _ = run_wsgi_app(Registry(verify=None), environ)
    assert status == "201 Created"
    assert world.timers == []
