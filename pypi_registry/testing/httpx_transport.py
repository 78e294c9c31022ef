"""A way to a fake registry without a socket, for users of httpx.

What is broken off, and what takes longer than the client's timeout, is to them what it is on a network.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import httpx
from anyio.to_thread import run_sync

from pypi_registry.testing.fake import FakeRegistry
from pypi_registry.testing.server import PATIENCE, ClientTimeout, ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class HttpxTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers all that a ``httpx.Client`` asks, or a ``httpx.AsyncClient``, from a registry.

    A wait that is longer than the client's timeout is a timeout at once.
    """

    def __init__(self, registry: FakeRegistry) -> None:
        self._application = registry.app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        def patient(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            environ[PATIENCE] = request.extensions.get("timeout", {}).get("read")
            return self._application(environ, start_response)

        with _as_on_a_network("Server disconnected without sending a response."):
            answer = httpx.WSGITransport(patient).handle_request(request)
        answer.stream = _Body(cast(httpx.SyncByteStream, answer.stream))
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return await run_sync(self.handle_request, request)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, body: httpx.SyncByteStream) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        with _as_on_a_network("peer closed connection without sending complete message body"):
            yield from self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = iter(self)
        while (chunk := await run_sync(next, chunks, None)) is not None:
            yield chunk

    def close(self) -> None:
        self._body.close()

    async def aclose(self) -> None:
        self.close()


@contextmanager
def _as_on_a_network(broken: str) -> Iterator[None]:
    try:
        yield
    except ClientTimeout as error:
        raise httpx.ReadTimeout("The read operation timed out") from error
    except ConnectionDropped as error:
        raise httpx.RemoteProtocolError(broken) from error
