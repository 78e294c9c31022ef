"""The server of the fake registry, over a socket."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from pypi_registry.testing.server import ConnectionDropped, Server

TIMEOUT = 30


@contextmanager
def served(application: Callable[..., Iterable[bytes]]) -> Iterator[Server]:
    server = Server(application)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def connected(server: Server) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    try:
        yield connection
    finally:
        connection.close()


def received(server: Server, request: bytes) -> bytes:
    """Send bytes, and return everything that is received until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']} {len(body)}".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


def test_a_connection_is_reused() -> None:
    with served(echo) as server, connected(server) as connection:
        connection.connect()
        first = connection.sock
        for number, body in enumerate([b"", b"12345", b"x" * 100_000]):
            connection.request("PUT", f"/{number}?q=%41", body)
            response = connection.getresponse()
            assert response.read() == f"PUT /{number}?q=%41 {len(body)}".encode()
            assert response.headers["Connection"] is None
            assert response.headers["Date"]
        assert connection.sock is first


@pytest.mark.parametrize(
    ("head", "reused"),
    [
        ("GET / HTTP/1.1", True),
        ("GET / HTTP/1.1\r\nConnection: close", False),
        ("GET / HTTP/1.0", False),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", False),
    ],
)
def test_a_connection_is_closed_if_the_client_requests_it_or_the_end_of_the_body_is_unknown(
    head: str, reused: bool
) -> None:
    with served(echo) as server:
        response = received(server, f"{head}\r\n\r\nGET /last HTTP/1.0\r\n\r\n".encode())
    assert response.count(b"HTTP/1.1 200 OK") == 1 + reused
    assert response.count(b"Connection: close") == 1


def test_a_response_without_a_length_ends_with_the_connection() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"one "
        yield b"two"

    with served(application) as server, connected(server) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.headers["Connection"], response.read()) == ("close", b"one two")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_response_that_cannot_have_a_body_needs_no_length(status: str) -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, [])
        return []

    with served(application) as server, connected(server) as connection:
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b""
        assert connection.sock


def test_the_reason_phrase_is_sent() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("400 Validation failed: é", [("Content-Length", "0")])
        return []

    with served(application) as server, connected(server) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().reason == "Validation failed: é"


def test_expect_100_continue_is_answered() -> None:
    request = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    with served(echo) as server:
        response = received(server, request)
    assert response.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert response.endswith(b"POST /? 3")


def test_the_rest_of_a_body_is_not_read_as_a_request() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("413 Content Too Large", [("Content-Length", "0")])
        return []

    rest = b"GET /stolen HTTP/1.1\r\n\r\n"
    with served(application) as server:
        response = received(server, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(rest), rest))
    assert response.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "request_", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"]
)
def test_an_invalid_request_is_refused_and_the_next_one_is_served(request_: bytes) -> None:
    with served(echo) as server:
        assert b" 200 " not in received(server, request_).split(b"\r\n")[0]
        assert b"200 OK" in received(server, b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("request_", [b"", b"GET / HTT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_client_that_disconnects_does_not_affect_others(request_: bytes) -> None:
    with served(echo) as server:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
                connection.sendall(request_)
        assert b"200 OK" in received(server, b"GET / HTTP/1.0\r\n\r\n")


def test_a_connection_dropped_in_the_body_leaves_it_incomplete() -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            raise ConnectionDropped

        def close(self) -> None:
            closed.append(True)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "8")])
        return Body()

    with served(application) as server, connected(server) as connection:
        connection.request("GET", "/")
        with pytest.raises(IncompleteRead) as caught:
            connection.getresponse().read()
    assert caught.value.partial == b"half"
    assert closed == [True]


def test_a_connection_dropped_before_the_response_has_none() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise ConnectionDropped

    with served(application) as server, connected(server) as connection:
        connection.request("GET", "/")
        with pytest.raises(RemoteDisconnected):
            connection.getresponse()


def test_an_error_is_logged_and_closes_only_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise ZeroDivisionError("an error on purpose")
        return echo(environ, start_response)

    with served(application) as server:
        assert received(server, b"GET /broken HTTP/1.1\r\n\r\n") == b""
        assert b"200 OK" in received(server, b"GET / HTTP/1.0\r\n\r\n")
    assert "an error on purpose" in caplog.text


def test_many_connections_are_served_concurrently() -> None:
    with served(echo) as server:
        connections = [HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT) for _ in range(20)]
        for connection in connections:
            connection.request("GET", "/")
        assert {connection.getresponse().read() for connection in reversed(connections)} == {b"GET /? 0"}
        for connection in connections:
            connection.close()
