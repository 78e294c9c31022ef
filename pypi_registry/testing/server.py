"""A WSGI server on a free port of this machine: small, threaded, and one that can be stopped at once.

Connections are kept alive, as clients expect. An application that raises `ConnectionDropped` ends its connection at once.
"""

import logging
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from itertools import chain
from threading import Lock, Thread, current_thread
from typing import IO, TYPE_CHECKING, Any, cast
from wsgiref.simple_server import WSGIRequestHandler

from werkzeug.wsgi import LimitedStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_log = logging.getLogger("pypi_registry")


class ConnectionDropped(ConnectionError):
    """Ends a connection without the rest of its answer."""


class ClientTimeout(ConnectionDropped):
    """Says that a client would have given up by now, which said how long it waits: `PATIENCE` in the environ."""


PATIENCE = "pypi_registry.testing.patience"
"""Seconds; so that without a socket a timeout needs no time."""


class Server:
    """Serves an application, from its making until it is stopped."""

    def __init__(self, application: "WSGIApplication") -> None:
        self.application = application
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._stopping = False
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}
        self._accepting = Thread(target=self._accept, name="fake registry", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """End all connections, whatever goes on in them, and wait until nothing of the server is left."""
        self._stopping = True
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()  # or it would go on waiting for somebody
        self._accepting.join()
        self._listening.close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join()

    def _accept(self) -> None:
        while True:
            connection, address = self._listening.accept()
            if self._stopping:
                connection.close()
                return
            thread = Thread(target=self._serve, args=(connection, address), name="fake registry", daemon=True)
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            converse(self.application, connection, address, port=self.port)
        finally:
            connection.close()
            with self._lock:
                del self._open[current_thread()]


def converse(application: "WSGIApplication", connection: Any, address: tuple[str, int], *, port: int) -> None:
    """Answer the requests of a connection, or of what looks like one, until it ends."""
    with suppress(OSError):  # the client went away, or the server is being stopped
        host: Any = _Host(application, port)
        _Conversation(connection, address, host)


class _Host:
    """What the standard library's request handler asks of its server."""

    def __init__(self, application: "WSGIApplication", port: int) -> None:
        self.application = application
        self.base_environ = {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port), "SCRIPT_NAME": ""}


class _Conversation(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pypi_registry.testing"
    server: Any

    def handle(self) -> None:
        BaseHTTPRequestHandler.handle(self)  # that of the WSGI handler takes one request only

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and self.parse_request():
            self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name is given
        pass

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "")
        body = LimitedStream(cast(IO[bytes], self.rfile), int(length) if length.isdecimal() else 0)
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True  # where such a body ends is not known here
        try:
            for data in self._message(self._environ(body)):
                self.wfile.write(data)
        except ConnectionDropped:
            self.close_connection = True
        except OSError:
            raise  # the client went away
        except Exception:
            _log.exception("%s %r failed", self.command, self.path)
            self.close_connection = True
        if not body.is_exhausted:
            self.close_connection = True  # the rest would be taken for the next request

    def _environ(self, body: LimitedStream) -> "WSGIEnvironment":
        environ: WSGIEnvironment = self.get_environ()
        if "Content-Type" not in self.headers:
            del environ["CONTENT_TYPE"]  # a guess
        if "Transfer-Encoding" not in self.headers:
            environ["wsgi.input_terminated"] = True
        return {
            **environ,
            "REQUEST_URI": self.path,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.errors": self.get_stderr(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def _message(self, environ: "WSGIEnvironment") -> Iterator[bytes]:
        """Give the answer as it goes over the wire; its head together with the first bytes of its body."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *exc_info: object) -> Any:
            started[:] = [(status, headers)]
            return None

        chunks: Iterable[bytes] = self.server.application(environ, start_response)
        try:
            iterator = iter(chunks)
            first = next(iterator, b"")
            yield self._head(*started[0]) + first
            yield from iterator
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _head(self, status: str, headers: list[tuple[str, str]]) -> bytes:
        names = {name.lower() for name, _ in headers}
        if "content-length" not in names and status[:3] not in ("204", "304"):
            self.close_connection = True  # nothing else tells where the body ends
        more = [("Date", self.date_time_string())]
        if self.close_connection:
            more.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in chain(headers, more))]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
