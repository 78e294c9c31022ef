"""Faults that a registry can have, as values: pass them to `FakeRegistry.fault`.

A fault is between the client and the registry. It changes the registry's response, or responds instead of the
registry. A changed response was rendered by the registry, so it differs from the true response in nothing else. For a
fault of your own, derive from `Fault` or `PageFault`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import quote

from pypi_registry._api.errors import error_response
from pypi_registry._http.response import Response as Response
from pypi_registry._http.response import bytes_response, json_response, redirect_response, status_line
from pypi_registry._pages.simple import MediaType
from pypi_registry.errors import InvalidToken, NotFound
from pypi_registry.testing.requests import Kind, RecordedRequest
from pypi_registry.testing.server import ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_GetResponse: TypeAlias = Callable[["WSGIEnvironment"], Response]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and the functions that a fault can call for it."""

    request: RecordedRequest
    environ: "WSGIEnvironment"
    get_response: _GetResponse
    """Returns the response that the client would receive without this fault."""
    pause: Callable[[float | None], None]
    """Waits for a number of seconds, or without end if it is None.

    :raises ConnectionDropped: if the registry is stopped or cleared, or the client times out.
    """


class Fault:
    """The base of all faults."""

    kinds: ClassVar[tuple[Kind, ...]] = ()
    """The kinds of request that the fault affects; empty for all. Other requests are not added to `FaultRule.met`."""

    def injected(self, snapshot: Callable[[], _GetResponse]) -> "Fault":
        """Return the fault that requests meet, when it is injected; by default this one.

        :param snapshot: returns a function that always responds as the registry does at the time of the call.
        """
        return self

    def respond(self, exchange: Exchange) -> Response:
        """Return the faulty response.

        :raises ConnectionDropped: to end the connection instead; the iteration of a body may raise it, too.
        """
        raise NotImplementedError


def _check_number(name: str, value: object, kind: type | UnionType, *, least: int | None = None) -> None:
    """Reject a value that would only fail at a request, in the thread of the server.

    :raises TypeError: if it is not a number of this kind.
    :raises ValueError: if it is below `least`.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name}= must be a number: {value!r}")
    if least is not None and not value >= least:  # type: ignore[operator]  # the check above leaves int and float
        raise ValueError(f"{name}= must be at least {least}: {value!r}")


# Instead of the response


@dataclass(frozen=True)
class Status(Fault):
    """Responds with a status instead of what was requested."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Such as ``{"Retry-After": "1"}``."""
    message: str = ""
    """In the body and in the status line; empty means the standard reason phrase."""

    def __post_init__(self) -> None:
        _check_number("status", self.status, int)
        if not 200 <= self.status <= 599:  # RFC 9110, section 15: 1xx are no final responses, others are invalid
            raise ValueError(f"status= must be the number of an HTTP status, from 200 to 599: {self.status!r}")
        if not isinstance(self.headers, Mapping):
            raise TypeError(f'headers= must be a mapping, such as {{"Retry-After": "1"}}: {self.headers!r}')

    def respond(self, exchange: Exchange) -> Response:
        line = status_line(self.status, self.message)
        if self.status in (204, 304):  # RFC 9110: they have no content
            return Response(line, [*self.headers.items()])
        return json_response(line, {"message": line}, *self.headers.items())


@dataclass(frozen=True)
class ExpiredToken(Fault):
    """Responds as if the token of the request had expired."""

    def respond(self, exchange: Exchange) -> Response:
        return error_response(InvalidToken("expired"))


@dataclass(frozen=True)
class RedirectLoop(Fault):
    """Redirects to the URL of the request."""

    def respond(self, exchange: Exchange) -> Response:
        environ = exchange.environ
        path = quote(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""), encoding="latin-1", safe="/+!")
        return redirect_response(environ.get("REQUEST_URI") or path)


@dataclass(frozen=True)
class Disconnect(Fault):
    """Ends the connection without a response."""

    def respond(self, exchange: Exchange) -> Response:
        raise ConnectionDropped("a fault was injected")


@dataclass(frozen=True)
class Hang(Fault):
    """Never responds, until the client times out, or the registry is stopped or cleared."""

    def respond(self, exchange: Exchange) -> Response:
        exchange.pause(None)
        raise AssertionError("a pause without end has ended")


# While the response is sent


@dataclass(frozen=True)
class Delay(Fault):
    """Delays the first byte of the response."""

    seconds: float

    def __post_init__(self) -> None:
        _check_number("seconds", self.seconds, int | float, least=0)

    def respond(self, exchange: Exchange) -> Response:
        exchange.pause(self.seconds)
        return exchange.get_response(exchange.environ)


@dataclass(frozen=True)
class SlowBody(Fault):
    """Sends the body in small chunks, with a pause between them."""

    size: int = 1024
    """Bytes per chunk."""
    seconds: float = 0.1
    """Between two chunks."""

    def __post_init__(self) -> None:
        _check_number("size", self.size, int, least=1)
        _check_number("seconds", self.seconds, int | float, least=0)

    def respond(self, exchange: Exchange) -> Response:
        return _with_body(exchange.get_response(exchange.environ), lambda body: self._chunks(body, exchange))

    def _chunks(self, body: bytes, exchange: Exchange) -> Iterator[bytes]:
        for start in range(0, len(body), self.size):
            if start:
                exchange.pause(self.seconds)
            yield body[start : start + self.size]


@dataclass(frozen=True)
class Truncate(Fault):
    """Ends the connection in the middle of the body; Content-Length is that of the whole body."""

    after: int | None = None
    """How many bytes of the body are sent; None for half of them."""

    def __post_init__(self) -> None:
        if self.after is not None:
            _check_number("after", self.after, int, least=0)

    def respond(self, exchange: Exchange) -> Response:
        return _with_body(exchange.get_response(exchange.environ), self._beginning)

    def _beginning(self, body: bytes) -> Iterator[bytes]:
        yield body[: len(body) // 2 if self.after is None else self.after]
        raise ConnectionDropped("a fault was injected")


def _with_body(response: Response, change: Callable[[bytes], Iterable[bytes]]) -> Response:
    return Response(response.status, response.headers, change(b"".join(response.body)))


# Core metadata


@dataclass(frozen=True)
class MissingMetadata(Fault):
    """Responds with 404 to requests for core metadata that the page offers."""

    kinds: ClassVar[tuple[Kind, ...]] = ("metadata",)

    def respond(self, exchange: Exchange) -> Response:
        return error_response(NotFound("Metadata"))


@dataclass(frozen=True)
class WrongMetadata(Fault):
    """Serves core metadata with a different version, so that its digest differs from the one on the page."""

    kinds: ClassVar[tuple[Kind, ...]] = ("metadata",)

    version: str = "0.dev0"

    def respond(self, exchange: Exchange) -> Response:
        def change(body: bytes) -> bytes:
            return re.sub(rb"(?m)^Version: .*$", f"Version: {self.version}".encode(), body)

        return _rewritten(_fresh_response(exchange), change)


# Pages


class PageFault(Fault):
    """The base of faults in the simple page of a package."""

    kinds: ClassVar[tuple[Kind, ...]] = ("page",)

    def respond(self, exchange: Exchange) -> Response:
        response = _fresh_response(exchange)
        is_json = dict(response.headers).get("Content-Type") == MediaType.JSON
        return _rewritten(response, self._change_json if is_json else self.change_html)

    def _change_json(self, body: bytes) -> bytes:
        page = json.loads(body)
        for file in page["files"]:
            self.change_file(file)
        return json.dumps(page).encode()

    def change_file(self, file: dict[str, Any]) -> None:
        """Change the object of a file in a JSON page, in place."""

    def change_html(self, body: bytes) -> bytes:
        """Return the changed HTML page."""
        return body


def _fresh_response(exchange: Exchange) -> Response:
    """Get the whole response, also if the client has it in its cache, and not compressed."""
    environ = {**exchange.environ, "REQUEST_METHOD": "GET"}
    for header in ("HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_ENCODING"):
        environ.pop(header, None)
    return exchange.get_response(environ)


def _rewritten(response: Response, change: Callable[[bytes], bytes]) -> Response:
    if not response.status.startswith("200"):
        return response
    body = change(b"".join(response.body))
    content_type = dict(response.headers)["Content-Type"]
    headers = [each for each in response.headers if each[0] not in ("Content-Type", "Content-Length", "ETag")]
    return bytes_response(response.status, content_type, body, *headers, ("ETag", f'"{sha256(body).hexdigest()[:32]}"'))


@dataclass(frozen=True)
class WrongHash(PageFault):
    """Shows a wrong digest for each file."""

    def change_file(self, file: dict[str, Any]) -> None:
        file["hashes"] = {"sha256": _other_digest(file["hashes"]["sha256"])}

    def change_html(self, body: bytes) -> bytes:
        return re.sub(rb"(?<=#sha256=)\w+", lambda found: _other_digest(found[0].decode()).encode(), body)


def _other_digest(digest: str) -> str:
    return sha256(digest.encode()).hexdigest()


@dataclass(frozen=True)
class NoUploadTime(PageFault):
    """Omits the upload times, which HTML pages never have."""

    def change_file(self, file: dict[str, Any]) -> None:
        file.pop("upload-time", None)


# Pages of packages, and the index

_PAGES: tuple[Kind, ...] = ("page", "index")


@dataclass(frozen=True)
class WrongContentType(Fault):
    """Sends pages with the wrong Content-Type."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES
    content_type: str = "application/json"

    def respond(self, exchange: Exchange) -> Response:
        response = _fresh_response(exchange)
        headers = [
            ("Content-Type", self.content_type) if name == "Content-Type" else (name, value)
            for name, value in response.headers
        ]
        return Response(response.status, headers, response.body)


@dataclass(frozen=True)
class HtmlOnly(Fault):
    """Serves pages as HTML only, whatever the client accepts."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES

    def respond(self, exchange: Exchange) -> Response:
        return exchange.get_response({**exchange.environ, "HTTP_ACCEPT": MediaType.TEXT_HTML.value, "QUERY_STRING": ""})


@dataclass(frozen=True)
class StalePage(Fault):
    """Shows pages as they were when the fault was injected, like a mirror that is out of date."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES

    def injected(self, snapshot: Callable[[], _GetResponse]) -> Fault:
        return _Snapshot(snapshot())


@dataclass(frozen=True)
class _Snapshot(StalePage):
    get_response: _GetResponse

    def respond(self, exchange: Exchange) -> Response:
        return self.get_response(exchange.environ)
