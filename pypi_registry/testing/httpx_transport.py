"""A transport for httpx that reaches a fake registry without a socket."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import httpx
from anyio.to_thread import run_sync

from pypi_registry.testing.fake import FakeRegistry
from pypi_registry.testing.server import CLIENT_TIMEOUT, ClientTimeout, ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class HttpxTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends every request of an ``httpx.Client`` or an ``httpx.AsyncClient`` to a registry.

    A dropped connection raises the same error as on a network. A wait longer than the timeout of the client raises the
    timeout at once.
    """

    def __init__(self, registry: FakeRegistry) -> None:
        self._application = registry.app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        def with_timeout(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            environ[CLIENT_TIMEOUT] = request.extensions.get("timeout", {}).get("read")
            return self._application(environ, start_response)

        with _errors_of_httpx("Server disconnected without sending a response."):
            response = httpx.WSGITransport(with_timeout).handle_request(request)
        response.stream = _Body(cast(httpx.SyncByteStream, response.stream))
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return await run_sync(self.handle_request, request)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, body: httpx.SyncByteStream) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx("peer closed connection without sending complete message body"):
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
def _errors_of_httpx(message_if_dropped: str) -> Iterator[None]:
    """Raise what httpx raises on a network."""
    try:
        yield
    except ClientTimeout as error:
        raise httpx.ReadTimeout("The read operation timed out") from error
    except ConnectionDropped as error:
        raise httpx.RemoteProtocolError(message_if_dropped) from error
