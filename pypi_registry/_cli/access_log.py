"""The access log of ``serve``: one line per request. No query string and no header is logged, so no secret is."""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from pypi_registry._api.log_fields import LOG_FIELDS
from pypi_registry._http.notes import is_routine
from pypi_registry._http.request import read_credentials
from pypi_registry._http.response import Headers
from pypi_registry.accounts.config import SECRET_PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Finished = Callable[["WSGIEnvironment", int, Mapping[str, str]], object]
"""Receives the environ, the status and the log fields of a request that has its response."""

_SHOWN = 300
"""Characters of one field in a line."""


def _ignore(environ: "WSGIEnvironment", status: int, fields: Mapping[str, str]) -> None:
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
        environ.setdefault(LOG_FIELDS, {})

        def note(line: str, headers: Headers, /, *exc_info: Any) -> Any:
            nonlocal status, length
            status, length = line[:3], dict(headers).get("Content-Length", "-")
            return start_response(line, headers, *exc_info)

        try:
            return self._application(environ, note)  # unchanged: the server recognizes its own file wrapper
        finally:
            if not is_routine(environ):
                self.write_request(environ, status, length, time.perf_counter() - started)

    def write_request(self, environ: "WSGIEnvironment", status: str, length: str, seconds: float) -> None:
        """Write the line of a request; `length` is that of the response in bytes, ``-`` if it is not known."""
        # quote() leaves no character with which a client could write a line of its own.
        path = quote(environ.get("PATH_INFO", "").encode("latin-1", "replace"), safe="/+!@:,;=")
        path = quote(environ.get("SCRIPT_NAME", "")) + path
        fields = _without_secrets(environ)
        client = environ.get("REMOTE_ADDR") or "-"
        self.write(client, environ["REQUEST_METHOD"], path, status, length, seconds, fields)
        self._finished(environ, int(status), fields)

    def write(
        self,
        client: str,
        method: str,
        path: str,
        status: str,
        length: str,
        seconds: float,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Write one line, as `write_request` does, of a request whose head may be malformed."""
        now, method = datetime.now(UTC), quote(method, safe="")
        line = f'{client} {now:%Y-%m-%dT%H:%M:%SZ} "{method} {path}" {status} {length} {seconds:.3f}'
        line += _shown(status, fields or {})
        # The reader of the log has closed it, its disk is full, or there is none: requests go on. A stream that was
        # closed raises ValueError, and one that is None AttributeError.
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(line + "\n")
            self._stream.flush()


_REASONS = {"400": "reason", "401": "refused_token", "403": "reason"}
"""The field that explains a status. All others explain themselves, or are explained by an error in the log."""


def _shown(status: str, fields: Mapping[str, str]) -> str:
    """Return the fields that are shown, ``user="ada" file="demo-1.0.tar.gz" reason="…"``, each only if there is one."""
    reason = fields.get(_REASONS.get(status, ""), "")
    shown = {"user": fields.get("principal"), "file": fields.get("filename"), "reason": reason}
    return "".join(f" {key}={_quoted(text)}" for key, text in shown.items() if text)


def _quoted(text: str) -> str:
    r"""Quote a text for a line, as JSON does.

    >>> print(_quoted('a "user"'), _quoted("line\nfeed"), _quoted("\u2028"), _quoted("é"))
    "a \"user\"" "line\nfeed" "\u2028" "é"
    """
    if len(text) > _SHOWN:
        text = f"{text[:_SHOWN]}…"
    return json.dumps(text, ensure_ascii=not text.isprintable())


_CHOSEN_BY_CLIENTS = ("filename", "package", "version", "reason")
_SECRET = re.compile(f"{SECRET_PREFIX}[A-Za-z0-9_-]{{40}}")
_HIDDEN = "(not shown)"
_SHORTEST_SECRET = 8  # characters; a shorter text is part of many words


def _without_secrets(environ: "WSGIEnvironment") -> dict[str, str]:
    """Return the log fields of a request, without its secret and those that look like one of ours.

    A client may have sent its token in the wrong field.
    """
    fields: dict[str, str] = dict(environ.get(LOG_FIELDS) or ())
    chosen = [key for key in _CHOSEN_BY_CLIENTS if fields.get(key)]
    if chosen:
        credentials = read_credentials(environ, job_header=True)
        secret = "" if credentials is None else credentials.secret
        for key in chosen:
            text = _SECRET.sub(_HIDDEN, fields[key])
            fields[key] = text.replace(secret, _HIDDEN) if len(secret) >= _SHORTEST_SECRET else text
    return fields
