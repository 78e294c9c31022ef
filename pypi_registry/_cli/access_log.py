"""The access log of ``serve``: one line per request. No query string and no header is logged, so no secret is."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from pypi_registry._http.notes import is_routine
from pypi_registry._http.response import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class AccessLog:
    """WSGI middleware that writes who requested what, when, with which result."""

    def __init__(self, application: "WSGIApplication", stream: TextIO) -> None:
        self._application = application
        self._stream = stream

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        status, length = "500", "-"  # what the server responds if the application raises an exception

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
        self.write(environ.get("REMOTE_ADDR") or "-", environ["REQUEST_METHOD"], path, status, length, seconds)

    def write(self, client: str, method: str, path: str, status: str, length: str, seconds: float) -> None:
        """Write one line, as `write_request` does, of a request whose head may be malformed."""
        now, method = datetime.now(UTC), quote(method, safe="")
        # The reader of the log has closed it, its disk is full, or there is none: requests go on. A stream that was
        # closed raises ValueError, and one that is None AttributeError.
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(f'{client} {now:%Y-%m-%dT%H:%M:%SZ} "{method} {path}" {status} {length} {seconds:.3f}\n')
            self._stream.flush()
