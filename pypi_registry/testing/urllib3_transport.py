"""A pool manager of urllib3 that reaches a fake registry without a socket.

urllib3 itself writes requests and reads responses; only the socket is replaced. So incomplete responses, dropped
connections, redirects and retries have the same effect as on a network. A wait longer than the timeout of the client
raises the timeout at once.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from pypi_registry.testing.fake import FakeRegistry
from pypi_registry.testing.server import CLIENT_TIMEOUT, ClientTimeout, serve_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def pool_manager(registry: FakeRegistry, **options: Any) -> urllib3.PoolManager:
    """Create a pool manager that sends every ``http`` request to a registry, whatever its host.

    :param options: the arguments of :class:`urllib3.PoolManager`.
    """
    manager = urllib3.PoolManager(**options)
    pool = type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": _connection_class(registry.app)})
    manager.pool_classes_by_scheme = {"http": pool}
    return manager


def _connection_class(application: "WSGIApplication") -> type[HTTPConnection]:
    class Connection(HTTPConnection):
        is_connected: ClassVar[bool] = True  # without a socket, nothing can be disconnected

        def connect(self) -> None:
            self.sock = _ClientSocket(application, self.port)  # has all methods of a socket that urllib3 calls

    return Connection


class _ClientSocket:
    """The socket of the client. When the client begins to read, its request is complete, and the server responds."""

    def __init__(self, application: "WSGIApplication", port: int) -> None:
        self._application = application
        self._port = port
        self._sent = bytearray()
        self._timeout: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        self._sent += data

    def makefile(self, *mode: object) -> io.BufferedReader:
        connection = _ServerSocket(bytes(self._sent))
        self._sent.clear()

        def with_timeout(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
            environ[CLIENT_TIMEOUT] = self._timeout
            try:
                yield from self._application(environ, start_response)
            except ClientTimeout:
                connection.timed_out = True
                raise

        serve_connection(with_timeout, connection, ("127.0.0.1", 0), port=self._port)
        return io.BufferedReader(_Received(bytes(connection.response), timed_out=connection.timed_out))

    def close(self) -> None:
        pass


class _ServerSocket:
    """The socket of the server."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.response = bytearray()
        self.timed_out = False

    def makefile(self, *mode: object) -> io.BytesIO:
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        self.response += data


class _Received(io.RawIOBase):
    """The received bytes; after the last one the end of the stream, or a timeout."""

    def __init__(self, data: bytes, *, timed_out: bool) -> None:
        self._stream = io.BytesIO(data)
        self._timed_out = timed_out

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._stream.readinto(buffer)
        if self._timed_out and not size:
            raise TimeoutError("timed out")
        return size
