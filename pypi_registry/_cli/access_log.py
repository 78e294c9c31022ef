"""The access log of ``serve``: one line per request. No query string and no header is logged, so no secret is."""

import json
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO
from urllib.parse import quote

from pypi_registry._http.notes import Notes, take_notes
from pypi_registry._http.request import read_credentials
from pypi_registry._http.response import Headers
from pypi_registry.accounts.config import SECRET_PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Finished = Callable[["WSGIEnvironment", int, Notes], object]
"""Receives the environ, the status and the notes of a request that has its response."""

_SHOWN = 300
"""Characters of one field in a line."""


def _ignore(environ: "WSGIEnvironment", status: int, notes: Notes) -> None:
    return None


class AccessLog:
    """WSGI middleware that writes who requested what, when, with which result.

    :param finished: is called with each request, also with those that the server itself refuses.
    """

    def __init__(self, application: "WSGIApplication", stream: TextIO, finished: Finished = _ignore) -> None:
        self._application = application
        self._stream = stream
        self._finished = finished

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        status, length = "500", "-"  # what the server responds if the application raises an exception
        notes = take_notes(environ)

        def observed(line: str, headers: Headers, /, *exc_info: Any) -> Any:
            nonlocal status, length
            status, length = line[:3], dict(headers).get("Content-Length", "-")
            return start_response(line, headers, *exc_info)

        try:
            return self._application(environ, observed)  # unchanged: the server recognizes its own file wrapper
        finally:
            if "is_routine" not in notes:
                self.write_request(environ, status, length, time.perf_counter() - started)

    def write_request(self, environ: "WSGIEnvironment", status: str, length: str, seconds: float) -> None:
        """Write the line of a request; `length` is that of the response in bytes, ``-`` if it is not known."""
        # quote() leaves no character with which a client could write a line of its own.
        path = quote(environ.get("PATH_INFO", "").encode("latin-1", "replace"), safe="/+!@:,;=")
        path = quote(environ.get("SCRIPT_NAME", "")) + path
        notes = _without_secrets(environ)
        client = environ.get("REMOTE_ADDR") or "-"
        self.write(client, environ["REQUEST_METHOD"], path, status, length, seconds, notes)
        self._finished(environ, int(status), notes)

    def write(
        self,
        client: str,
        method: str,
        path: str,
        status: str,
        length: str,
        seconds: float,
        notes: Notes | None = None,
    ) -> None:
        """Write one line, as `write_request` does, of a request whose head may be malformed."""
        now, method = datetime.now(UTC), quote(method, safe="")
        line = f'{client} {now:%Y-%m-%dT%H:%M:%SZ} "{method} {path}" {status} {length} {seconds:.3f}'
        line += _shown(status, notes or {})
        # The reader of the log has closed it, its disk is full, or there is none: requests go on. A stream that was
        # closed raises ValueError, and one that is None AttributeError.
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(line + "\n")
            self._stream.flush()


def _shown(status: str, notes: Notes) -> str:
    """Return what is shown of the notes, ``user="ada" file="demo-1.0.tar.gz" reason="…"``, each only if there is one.

    All other statuses explain themselves, or are explained by an error in the log.
    """
    reasons = {"400": notes.get("reason"), "401": notes.get("refused_token"), "403": notes.get("reason")}
    shown = {"user": notes.get("principal"), "file": notes.get("filename"), "reason": reasons.get(status)}
    return "".join(f" {key}={_quoted(text)}" for key, text in shown.items() if text)


def _quoted(text: str) -> str:
    r"""Quote a text for a line, as JSON does.

    >>> print(_quoted('a "user"'), _quoted("line\nfeed"), _quoted("\u2028"), _quoted("é"))
    "a \"user\"" "line\nfeed" "\u2028" "é"
    """
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return json.dumps(text, ensure_ascii=not text.isprintable())


_ChosenByClients = Literal["filename", "package", "version", "reason"]
_CHOSEN_BY_CLIENTS: tuple[_ChosenByClients, ...] = ("filename", "package", "version", "reason")
_SECRET = re.compile(f"{SECRET_PREFIX}[A-Za-z0-9_-]{{40}}")
_HIDDEN = "(not shown)"
_SHORTEST_SECRET = 8  # characters; a shorter text is part of many words


def _without_secrets(environ: "WSGIEnvironment") -> Notes:
    """Return the notes of a request, without its secret and those that look like one of ours.

    A client may have sent its token in the wrong field.
    """
    notes = take_notes(environ).copy()
    chosen = [key for key in _CHOSEN_BY_CLIENTS if notes.get(key)]
    if chosen:
        credentials = read_credentials(environ, job_header=True)
        secret = "" if credentials is None else credentials.secret
        for key in chosen:
            text = _SECRET.sub(_HIDDEN, notes[key])
            notes[key] = text.replace(secret, _HIDDEN) if len(secret) >= _SHORTEST_SECRET else text
    return notes
