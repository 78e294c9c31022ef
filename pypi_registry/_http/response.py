"""Responses: a status line, headers and a body, and the ways to make one."""

import json
from collections.abc import Iterable
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Headers = list[tuple[str, str]]

# Different callers get different responses at one URL, so no cache may mix them up. An application may know its callers
# by a cookie.
VARY = ("Vary", "Accept, Accept-Encoding, Authorization, Cookie, PRIVATE-TOKEN, DEPLOY-TOKEN, JOB-TOKEN")


# No page has a script, an image or a frame. So a browser runs and loads nothing, even if a text were not escaped.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HTML_HEADERS = ("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff")
"""The headers of every response in HTML."""


class Response(NamedTuple):
    """A response that has not been sent yet."""

    status: str
    """The whole status line, ``200 OK``."""
    headers: Headers
    body: Iterable[bytes] = ()

    def send(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Start the response and return its body; of a HEAD request without the body."""
        start_response(self.status, self.headers)
        if environ["REQUEST_METHOD"] != "HEAD":
            return self.body  # unchanged: a server recognizes its own file wrapper
        # RFC 9110, 9.3.2: "the server MUST NOT send content in the response". Most servers would send it.
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
        return ()


def bytes_response(status: str, content_type: str, body: bytes, *headers: tuple[str, str]) -> Response:
    """Make a response of bytes in memory."""
    return Response(
        status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers], [body] if body else []
    )


def html_response(status: str, body: bytes, *headers: tuple[str, str]) -> Response:
    """Make an HTML response, whose page runs no script."""
    return bytes_response(status, "text/html; charset=utf-8", body, *HTML_HEADERS, *headers)


def json_response(status: str, body: object, *headers: tuple[str, str]) -> Response:
    """Make a JSON response."""
    return bytes_response(status, "application/json", json.dumps(body).encode(), *headers)


def redirect_response(url: str, *headers: tuple[str, str]) -> Response:
    """Redirect a client, for this request only: CacheControl (pip, poetry) keeps a 301 for ever.

    The body is HTML without an anchor: uv before 0.12 reads it as a simple page, and fails on any other type.
    """
    text = f"<!DOCTYPE html>\n<title>Found</title>\nThis resource has been moved temporarily to {escape(url)}.\n"
    return html_response("302 Found", text.encode(), ("Location", url), *headers)


_MAX_REASON = 200


def status_line(status: int, reason: str = "") -> str:
    r"""Return a status line with a reason phrase; by default the standard one.

    twine and hatch show their users nothing but the reason phrase.

    >>> status_line(400, "Bad request - é is\r\nno ☃")
    '400 Bad request - é is no ?'
    >>> status_line(404)
    '404 Not Found'
    """
    # A line break here is header injection on five servers; a character outside latin-1 closes the connection on seven.
    words = " ".join(reason.split()).encode("latin-1", "replace").decode("latin-1")
    if not words.isprintable():
        words = "".join(letter if letter.isprintable() else "?" for letter in words)
    return f"{status} {words[:_MAX_REASON].rstrip() or HTTPStatus(status).phrase}"
