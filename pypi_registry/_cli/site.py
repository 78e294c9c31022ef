"""What ``serve`` serves: the registry at GitLab's URLs, health checks, and a landing page at ``/``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pypi_registry._api.access import REVALIDATE, require_same_origin
from pypi_registry._api.errors import error_response
from pypi_registry._api.routes import API_PREFIX
from pypi_registry._app import Registry
from pypi_registry._http.request import Request, mount_url
from pypi_registry._http.response import VARY, Response, html_response, json_response
from pypi_registry._pages.browser import render_landing
from pypi_registry.errors import Forbidden
from pypi_registry.health import Health

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Site:
    """A WSGI application around a registry, which may be replaced while requests are in progress."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        stores = registry._services.stores
        self._health = Health(stores.catalogue, stores.blobs)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # Not werkzeug's DispatcherMiddleware, whose time grows with the square of the slashes in a path: 256 KiB of
        # them, waitress's default limit, took 49 s.
        path: str = environ.get("PATH_INFO", "")
        if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + API_PREFIX
            environ["PATH_INFO"] = path.removeprefix(API_PREFIX)
            return self.registry(environ, start_response)
        if path.startswith("/-/"):
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/-"
            environ["PATH_INFO"] = path.removeprefix("/-")
            return self._health(environ, start_response)
        return _landing_response(environ, path).send(environ, start_response)


def _landing_response(environ: "WSGIEnvironment", path: str) -> Response:
    try:
        require_same_origin(Request(environ))
    except Forbidden as error:
        return error_response(error)
    if path not in ("", "/"):
        return json_response("404 Not Found", {"error": "404 Not Found"})
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return json_response("405 Method Not Allowed", {"error": "405 Not Allowed"}, ("Allow", "GET, HEAD"))
    return html_response("200 OK", render_landing(mount_url(environ), API_PREFIX), VARY, REVALIDATE)
