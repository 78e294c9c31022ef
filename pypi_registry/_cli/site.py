"""What ``serve`` serves: the registry, health checks, and web pages, all at GitLab's URLs."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from pypi_registry._api.access import require_same_origin
from pypi_registry._api.failures import failure_response
from pypi_registry._api.links import API_PREFIX, SITE
from pypi_registry._app import Registry
from pypi_registry._cli import front
from pypi_registry._http.errors import MethodNotAllowed, NoSuchRoute
from pypi_registry._http.negotiation import prefers_html
from pypi_registry._http.request import Request, mount_path, read_path
from pypi_registry._http.response import VARY, Response, redirect_response
from pypi_registry.health import Health

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class _Route(NamedTuple):
    """A path, and the endpoint of GET and HEAD."""

    path: re.Pattern[str]
    endpoint: Callable[..., Response]
    """Receives the services of the registry, the request, and the named groups of the pattern."""
    label: str
    """The path as the table of the API writes it, for metrics."""


_ROUTES = (
    _Route(re.compile("/"), front.show_landing, "/"),
    _Route(re.compile("/sign-in"), front.sign_in, "/sign-in"),
    _Route(re.compile("/groups/(?P<group>.+)/-/packages/?"), front.show_packages_of_group, "/groups/:group/-/packages"),
    _Route(
        re.compile("/(?P<project>.+)/-/packages(/(?P<package_id>[0-9]+))?/?"),
        front.show_packages_of_project,
        "/:project/-/packages",
    ),
)

_METHODS = ("GET", "HEAD")
_MAX_PATH = 8_000  # characters, as in the API
_MAX_DEPTH = 100  # segments of a path from which a reference to the landing page is relative


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
        if path in _API and _is_visit(environ):
            response = redirect_response("../" * path.count("/", 1), VARY, front.NO_STORE)
            return response.send(environ, start_response)
        if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
            environ["SCRIPT_NAME"] = front.api_mount(environ)
            environ["PATH_INFO"] = path.removeprefix(API_PREFIX)
            environ[SITE] = None
            return self.registry(environ, start_response)
        if path.startswith("/-/"):
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/-"
            environ["PATH_INFO"] = path.removeprefix("/-")
            return self._health(environ, start_response)
        return self._respond(Request(environ)).send(environ, start_response)

    def _respond(self, request: Request) -> Response:
        environ = request.environ
        path = read_path(environ.get("PATH_INFO", ""))
        depth = path.count("/") - 1
        environ[SITE] = "../" * depth if depth <= _MAX_DEPTH else f"{mount_path(environ)}/"
        services = self.registry._services
        try:
            require_same_origin(request)
            if len(environ.get("PATH_INFO", "")) > _MAX_PATH:
                raise NoSuchRoute
            for route in _ROUTES:
                if found := route.path.fullmatch(path):
                    request.notes["route"] = route.label
                    if request.method not in _METHODS:
                        raise MethodNotAllowed(_METHODS)
                    return route.endpoint(services, request, **found.groupdict())
            return front.show_namespace(services, request, path[1:])
        except Exception as error:
            return failure_response(request, None, error)


_API = (API_PREFIX, f"{API_PREFIX}/")


def _is_visit(environ: "WSGIEnvironment") -> bool:
    return environ["REQUEST_METHOD"] in _METHODS and prefers_html(environ.get("HTTP_ACCEPT") or "")
