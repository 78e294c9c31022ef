"""A WSGI server on a free port of the loopback interface: threaded, with keep-alive, and stopped at once.

An application that raises `ConnectionDropped` ends its connection at once.
"""

# werkzeug.serving would be shorter, but it closes every connection after one response, does not close a connection
# whose application raised ConnectionError before its response began, and needs a real socket, which the transports
# do not have.

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
    """Ends a connection without the rest of its response."""


class ClientTimeout(ConnectionDropped):
    """A fault would wait longer than the client does."""


CLIENT_TIMEOUT = "pypi_registry.testing.client_timeout"
"""In the environ: the timeout of the client in seconds, or None. So a timeout without a socket takes no time."""


class Server:
    """Serves an application, from its creation until `stop`."""

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
        """Close all connections, also in the middle of a response, and wait until all threads have ended."""
        self._stopping = True
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()  # ends accept()
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
            serve_connection(self.application, connection, address, port=self.port)
        finally:
            connection.close()
            with self._lock:
                del self._open[current_thread()]


def serve_connection(application: "WSGIApplication", connection: Any, address: tuple[str, int], *, port: int) -> None:
    """Serve the requests of a connection until it ends.

    :param connection: a socket, or an object with its methods `makefile` and `sendall`.
    """
    with suppress(OSError):  # the client has closed the connection, or the server is being stopped
        server: Any = _ServerInfo(application, port)
        _RequestHandler(connection, address, server)


class _ServerInfo:
    """The attributes of a server that the request handler of the standard library reads."""

    def __init__(self, application: "WSGIApplication", port: int) -> None:
        self.application = application
        self.base_environ = {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port), "SCRIPT_NAME": ""}


class _RequestHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pypi_registry.testing"
    server: Any

    def handle(self) -> None:
        BaseHTTPRequestHandler.handle(self)  # WSGIRequestHandler handles only one request

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and self.parse_request():
            self._respond()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
        pass

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "")
        body = LimitedStream(cast(IO[bytes], self.rfile), int(length) if length.isdecimal() else 0)
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True  # this server does not read a chunked body
        try:
            for data in self._message(self._environ(body)):
                self.wfile.write(data)
        except ConnectionDropped:
            self.close_connection = True
        except OSError:
            raise  # the client has closed the connection
        except Exception:
            _log.exception("%s %r failed", self.command, self.path)
            self.close_connection = True
        if not body.is_exhausted:
            self.close_connection = True  # the rest would be read as the next request

    def _environ(self, body: LimitedStream) -> "WSGIEnvironment":
        environ: WSGIEnvironment = self.get_environ()
        if "Content-Type" not in self.headers:
            del environ["CONTENT_TYPE"]  # the standard library guesses one
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
        """Yield the response: its head together with the first chunk of the body, then the other chunks."""
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
            self.close_connection = True  # the end of the body is the end of the connection
        more = [("Date", self.date_time_string())]
        if self.close_connection:
            more.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in chain(headers, more))]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
