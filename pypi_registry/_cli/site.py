"""What ``serve`` serves: the registry at GitLab's URLs, and a landing page at ``/``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry._api.routes import API_PREFIX
from pypi_registry._app import Registry
from pypi_registry._http.request import origin
from pypi_registry._http.response import Response, bytes_response, json_response
from pypi_registry._pages.browser import render_landing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Site:
    """A WSGI application around a registry, which may be replaced while requests are in progress."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._dispatcher = DispatcherMiddleware(_landing, {API_PREFIX: self._call_registry})

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._dispatcher(environ, start_response)

    def _call_registry(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self.registry(environ, start_response)


def _landing(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    return _landing_response(environ).send(environ, start_response)


def _landing_response(environ: "WSGIEnvironment") -> Response:
    if environ.get("PATH_INFO", "") not in ("", "/"):
        return json_response("404 Not Found", {"error": "404 Not Found"})
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return json_response("405 Method Not Allowed", {"error": "405 Not Allowed"}, ("Allow", "GET, HEAD"))
    return bytes_response(
        "200 OK",
        "text/html; charset=utf-8",
        render_landing(origin(environ), API_PREFIX),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    )
