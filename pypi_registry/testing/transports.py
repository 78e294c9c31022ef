"""Ways to a fake registry without a socket, for users of urllib3 and of requests.

Their own code does all but the sending of bytes, so what they make of an answer, of a broken one, and of none, is what
they would make of it on a network. A wait that is longer than the client's timeout is a timeout at once.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from pypi_registry.testing.fake import FakeRegistry
from pypi_registry.testing.server import PATIENCE, ClientTimeout, converse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from requests.adapters import HTTPAdapter


def pool_manager(registry: FakeRegistry, **options: Any) -> urllib3.PoolManager:
    """Make a pool manager whose requests, wherever they go, all come to a registry.

    :param options: those of :class:`urllib3.PoolManager`.
    """
    manager = urllib3.PoolManager(**options)
    pool = type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": _connecting_to(registry.app)})
    manager.pool_classes_by_scheme = {"http": pool}
    return manager


def requests_adapter(registry: FakeRegistry, **options: Any) -> "HTTPAdapter":
    """Make an adapter that a session of requests mounts at the registry's `url`.

    :param options: those of requests' ``HTTPAdapter``.
    """
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
            self.poolmanager = pool_manager(registry, num_pools=connections, maxsize=maxsize, block=block, **more)

    return Adapter(**options)


def _connecting_to(application: "WSGIApplication") -> type[HTTPConnection]:
    class Connection(HTTPConnection):
        is_connected: ClassVar[bool] = True  # there is nothing that could be dropped

        def connect(self) -> None:
            self.sock = _NoSocket(application, self.port)  # all that is asked of a socket

    return Connection


class _NoSocket:
    """Looks like a socket to a client: what is sent is answered when the client begins to read."""

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
        served = _Served(bytes(self._sent))
        self._sent.clear()

        def patient(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
            environ[PATIENCE] = self._timeout
            try:
                yield from self._application(environ, start_response)
            except ClientTimeout:
                served.timed_out = True
                raise

        converse(patient, served, ("127.0.0.1", 0), port=self._port)
        return io.BufferedReader(_Answered(bytes(served.answer), timed_out=served.timed_out))

    def close(self) -> None:
        pass


class _Served:
    """Looks like a socket to the server."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answer = bytearray()
        self.timed_out = False

    def makefile(self, *mode: object) -> io.BytesIO:
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        self.answer += data


class _Answered(io.RawIOBase):
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
