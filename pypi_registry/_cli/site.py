"""What ``serve`` serves: the registry at GitLab's addresses, a page for people at ``/``, a line for every request."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from pypi_registry._app import Registry
from pypi_registry._http.request import Headers, Response, bytes_response, json_response, origin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOUNT = "/api/v4"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A registry of Python packages</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ max-width: 46rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif }}
  pre {{ overflow-x: auto; padding: .8rem 1rem; border: 1px solid #8886; border-radius: .4rem }}
</style>
<h1>A registry of Python packages</h1>
<p>Programs publish to this registry and install from it at the addresses of GitLab's PyPI package registry.
<code>USER</code> is any word, <code>TOKEN</code> a token that somebody here gave you, and <code>1</code> the number of
a project or its path, written as <code>group%2Fproject</code>.</p>
<h2>Publish</h2>
<pre>twine upload --repository-url {api}/projects/1/packages/pypi \\
    --username USER --password TOKEN dist/*</pre>
<h2>Install</h2>
<pre>pip install --index-url {index_of_project} mypypipackage</pre>
<p>From all projects of a group:</p>
<pre>pip install --index-url {index_of_group} mypypipackage</pre>
</html>
"""


class Site:
    """A WSGI application around a registry, which may be replaced while requests are under way."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path == MOUNT or path.startswith(f"{MOUNT}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + MOUNT
            environ["PATH_INFO"] = path.removeprefix(MOUNT)
            return self.registry(environ, start_response)
        return _answer(environ, path).send(environ, start_response)


class AccessLog:
    """Writes a line for each request: who, when, what, how it ended. No query string and no header, so no secret."""

    def __init__(self, application: "WSGIApplication", stream: TextIO) -> None:
        self._application = application
        self._stream = stream

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        status, length = "500", "-"

        def note(line: str, headers: Headers, /, *exc_info: Any) -> Any:
            nonlocal status, length
            status, length = line[:3], dict(headers).get("Content-Length", "-")
            return start_response(line, headers, *exc_info)

        try:
            return self._application(environ, note)  # untouched: the server knows its own file wrapper
        finally:
            seconds = time.perf_counter() - started
            # quote() leaves no character with which a client could write a line of its own.
            path = quote(environ.get("PATH_INFO", "").encode("latin-1", "replace"), safe="/+!@:,;=")
            path = quote(environ.get("SCRIPT_NAME", "")) + path
            self.write(environ.get("REMOTE_ADDR") or "-", environ["REQUEST_METHOD"], path, status, length, seconds)

    def write(self, client: str, method: str, path: str, status: str, length: str, seconds: float) -> None:
        """Write one line; `length` is the answer's, in bytes, and ``-`` if it is not known."""
        now, method = datetime.now(UTC), quote(method, safe="")
        with suppress(OSError):  # whoever read the log is gone; the requests are not
            self._stream.write(f'{client} {now:%Y-%m-%dT%H:%M:%SZ} "{method} {path}" {status} {length} {seconds:.3f}\n')
            self._stream.flush()


def _answer(environ: "WSGIEnvironment", path: str) -> Response:
    if path not in ("", "/"):
        return json_response("404 Not Found", {"error": "404 Not Found"})
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return json_response("405 Method Not Allowed", {"error": "405 Not Allowed"}, ("Allow", "GET, HEAD"))
    scheme, _, host = origin(environ).partition("://")
    body = _PAGE.format(
        api=escape(f"{scheme}://{host}{MOUNT}"),
        index_of_project=escape(f"{scheme}://USER:TOKEN@{host}{MOUNT}/projects/1/packages/pypi/simple"),
        index_of_group=escape(f"{scheme}://USER:TOKEN@{host}{MOUNT}/groups/GROUP/-/packages/pypi/simple"),
    )
    return bytes_response(
        "200 OK",
        "text/html; charset=utf-8",
        body.encode(),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    )
