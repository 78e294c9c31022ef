"""How a registry may misbehave, as values: give them to `FakeRegistry.fault`.

A fault stands between a client and the honest answer: it asks for that answer and spoils it, or does not even ask. What
it spoils was really rendered, so it stays a lie about the registry as it is. To write one of your own, derive from
`Fault` or `PageFault`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import quote

from pypi_registry._app import refuse
from pypi_registry._http.request import Response as Response
from pypi_registry._http.request import bytes_response, json_response, redirect_response, status_line
from pypi_registry._pages.simple import MediaType
from pypi_registry.errors import InvalidToken, NotFound
from pypi_registry.testing.requests import Kind, RecordedRequest
from pypi_registry.testing.server import ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Ask: TypeAlias = Callable[["WSGIEnvironment"], Response]
"""Gives the answer to a request."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request on its way to its answer."""

    request: RecordedRequest
    environ: "WSGIEnvironment"
    ask: Ask
    """Gives the answer that there would be without this fault."""
    pause: Callable[[float | None], None]
    """Waits so many seconds, or with None for ever; raises `ConnectionDropped` if the registry is stopped or cleared."""


class Fault:
    """Something that a registry does wrong."""

    kinds: ClassVar[tuple[Kind, ...]] = ()
    """The kinds of request that it can happen to, so that no other uses it up; empty for all."""

    def planted(self, ask: Callable[[], Ask]) -> "Fault":
        """Give what is met from now on; `ask` makes what answers for ever as the registry does now."""
        return self

    def answer(self, exchange: Exchange) -> Response:
        """Answer wrongly."""
        raise NotImplementedError


# Instead of an answer


@dataclass(frozen=True)
class Status(Fault):
    """Answers with a status, in place of what was asked for."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Such as ``{"Retry-After": "1"}``."""
    message: str = ""
    """Said in the body and in the status line; empty means the status's own phrase."""

    def answer(self, exchange: Exchange) -> Response:
        line = status_line(self.status, self.message)
        if self.status in (204, 304):  # which end with their head
            return Response(line, [*self.headers.items()])
        return json_response(line, {"message": line}, *self.headers.items())


@dataclass(frozen=True)
class ExpiredToken(Fault):
    """Answers as if the token of the request had expired."""

    def answer(self, exchange: Exchange) -> Response:
        return refuse(InvalidToken("expired"))


@dataclass(frozen=True)
class RedirectLoop(Fault):
    """Sends the client to where it is."""

    def answer(self, exchange: Exchange) -> Response:
        environ = exchange.environ
        here = quote(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""), encoding="latin-1", safe="/+!")
        return redirect_response(environ.get("REQUEST_URI") or here)


@dataclass(frozen=True)
class Disconnect(Fault):
    """Ends the connection without an answer."""

    def answer(self, exchange: Exchange) -> Response:
        raise ConnectionDropped("a fault was asked for")


@dataclass(frozen=True)
class Hang(Fault):
    """Takes a request, and never answers; until the client gives up, or the registry is stopped or cleared."""

    def answer(self, exchange: Exchange) -> Response:
        exchange.pause(None)
        raise AssertionError("for ever is over")


# On the way


@dataclass(frozen=True)
class Delay(Fault):
    """Lets a client wait for the first byte of an answer."""

    seconds: float

    def answer(self, exchange: Exchange) -> Response:
        exchange.pause(self.seconds)
        return exchange.ask(exchange.environ)


@dataclass(frozen=True)
class SlowBody(Fault):
    """Sends a body in drops."""

    size: int = 1024
    """Bytes of a drop."""
    seconds: float = 0.1
    """Between one drop and the next."""

    def answer(self, exchange: Exchange) -> Response:
        return _with_body(exchange.ask(exchange.environ), lambda body: self._drops(body, exchange))

    def _drops(self, body: bytes, exchange: Exchange) -> Iterator[bytes]:
        for start in range(0, len(body), self.size):
            if start:
                exchange.pause(self.seconds)
            yield body[start : start + self.size]


@dataclass(frozen=True)
class Truncate(Fault):
    """Breaks a body off: the head has announced all of it, and the connection ends."""

    after: int | None = None
    """How many bytes arrive; None for half of them."""

    def answer(self, exchange: Exchange) -> Response:
        return _with_body(exchange.ask(exchange.environ), self._begun)

    def _begun(self, body: bytes) -> Iterator[bytes]:
        yield body[: len(body) // 2 if self.after is None else self.after]
        raise ConnectionDropped("a fault was asked for")


def _with_body(answer: Response, change: Callable[[bytes], Iterable[bytes]]) -> Response:
    return Response(answer.status, answer.headers, change(b"".join(answer.body)))


# Core metadata


@dataclass(frozen=True)
class MissingMetadata(Fault):
    """Has no core metadata, which the page promises."""

    kinds: ClassVar[tuple[Kind, ...]] = ("metadata",)

    def answer(self, exchange: Exchange) -> Response:
        return refuse(NotFound("Metadata"))


@dataclass(frozen=True)
class WrongMetadata(Fault):
    """Serves the core metadata of another version than the page promises."""

    kinds: ClassVar[tuple[Kind, ...]] = ("metadata",)

    version: str = "0.dev0"

    def answer(self, exchange: Exchange) -> Response:
        def change(body: bytes) -> bytes:
            return re.sub(rb"(?m)^Version: .*$", f"Version: {self.version}".encode(), body)

        return _rewritten(_asked_anew(exchange), change)


# Pages


class PageFault(Fault):
    """Something wrong with the simple page of a package."""

    kinds: ClassVar[tuple[Kind, ...]] = ("page",)

    def answer(self, exchange: Exchange) -> Response:
        answer = _asked_anew(exchange)
        is_json = dict(answer.headers).get("Content-Type") == MediaType.JSON
        return _rewritten(answer, self._change_json if is_json else self.change_html)

    def _change_json(self, body: bytes) -> bytes:
        page = json.loads(body)
        for file in page["files"]:
            self.change_file(file)
        return json.dumps(page).encode()

    def change_file(self, file: dict[str, Any]) -> None:
        """Change what a JSON page says of a file, in place."""

    def change_html(self, body: bytes) -> bytes:
        """Change an HTML page."""
        return body


def _asked_anew(exchange: Exchange) -> Response:
    """Ask as somebody who has nothing of the answer yet, and takes it as it is."""
    environ = {**exchange.environ, "REQUEST_METHOD": "GET"}
    for header in ("HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_ENCODING"):
        environ.pop(header, None)
    return exchange.ask(environ)


def _rewritten(answer: Response, change: Callable[[bytes], bytes]) -> Response:
    if not answer.status.startswith("200"):
        return answer
    body = change(b"".join(answer.body))
    content_type = dict(answer.headers)["Content-Type"]
    kept = [each for each in answer.headers if each[0] not in ("Content-Type", "Content-Length", "ETag")]
    return bytes_response(answer.status, content_type, body, *kept, ("ETag", f'"{sha256(body).hexdigest()[:32]}"'))


@dataclass(frozen=True)
class WrongHash(PageFault):
    """Shows a digest of each file that is not the file's."""

    def change_file(self, file: dict[str, Any]) -> None:
        file["hashes"] = {"sha256": _another(file["hashes"]["sha256"])}

    def change_html(self, body: bytes) -> bytes:
        return re.sub(rb"(?<=#sha256=)\w+", lambda found: _another(found[0].decode()).encode(), body)


def _another(digest: str) -> str:
    return sha256(digest.encode()).hexdigest()


@dataclass(frozen=True)
class NoUploadTime(PageFault):
    """Leaves out when files were uploaded, which HTML never has."""

    def change_file(self, file: dict[str, Any]) -> None:
        file.pop("upload-time", None)


# Pages, and the index of them

_PAGES: tuple[Kind, ...] = ("page", "index")


@dataclass(frozen=True)
class WrongContentType(Fault):
    """Calls a page something else."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES
    content_type: str = "application/json"

    def answer(self, exchange: Exchange) -> Response:
        answer = _asked_anew(exchange)
        headers = [
            ("Content-Type", self.content_type) if name == "Content-Type" else (name, value)
            for name, value in answer.headers
        ]
        return Response(answer.status, headers, answer.body)


@dataclass(frozen=True)
class HtmlOnly(Fault):
    """Knows no JSON, whatever a client takes."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES

    def answer(self, exchange: Exchange) -> Response:
        return exchange.ask({**exchange.environ, "HTTP_ACCEPT": MediaType.TEXT_HTML.value, "QUERY_STRING": ""})


@dataclass(frozen=True)
class StalePage(Fault):
    """Shows pages as they were when the fault was planted, as a mirror or a cache does that is behind."""

    kinds: ClassVar[tuple[Kind, ...]] = _PAGES

    def planted(self, ask: Callable[[], Ask]) -> Fault:
        return _AsItWas(ask())


@dataclass(frozen=True)
class _AsItWas(StalePage):
    ask: Ask

    def answer(self, exchange: Exchange) -> Response:
        return self.ask(exchange.environ)
