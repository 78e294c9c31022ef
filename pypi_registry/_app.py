"""The application: collaborators in, one request out."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pypi_registry._api.access import require_same_origin
from pypi_registry._api.call import Call, Services
from pypi_registry._api.cors import allow_every_page
from pypi_registry._api.failures import failure_response
from pypi_registry._api.routes import match, match_namespace, respond
from pypi_registry._http.draining import Drains
from pypi_registry._http.errors import NoSuchRoute
from pypi_registry._http.request import Request
from pypi_registry._http.response import Response
from pypi_registry._index_urls import is_index_url
from pypi_registry._open_access import AllowAll, OpenDirectory
from pypi_registry._pages.cache import PageCache
from pypi_registry._publishing.form import MAX_FIELDS
from pypi_registry._publishing.publish import Stores
from pypi_registry.auth import Auth
from pypi_registry.directory import Directory
from pypi_registry.distributions import Verify, verify
from pypi_registry.events import Event
from pypi_registry.forwarding import ForwardTo
from pypi_registry.storage import Blobs, Catalogue, ProjectPaths
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FILE_SIZE = 3 * 1024**3
"""GitLab's default limit of a PyPI file, in bytes."""


class Registry:
    """GitLab's PyPI package registry, as a WSGI application.

    Mount it under ``/api/v4`` in your application, or run it alone under any WSGI server. Without arguments it is open
    to everyone and stores everything in memory: every path is a project, and a group contains the projects below its
    path.

    :param directory: finds the projects and groups of your application.
    :param auth: decides who may do what. ``AllowAll()`` lets everyone do anything.
    :param catalogue: stores packages and files as rows; in memory by default.
    :param blobs: stores the bytes of files; in memory by default.
    :param forward_to: the simple index to which callers are redirected for names that are not in this registry; a
        function of the project or group and the normalized name; or None, the default, for nowhere.
    :param max_file_size: bytes; a file must be smaller.
    :param verify: checks every uploaded file, given a stream and a file name, and returns a
        :class:`~pypi_registry.distributions.Report`. None accepts any file.
    :param fallback: your own WSGI application for paths that do not belong to this registry, so that it can have paths
        below the mount point; it receives the request unchanged. A path with slashes in its id belongs to the registry
        if the directory has that project or group. Without a fallback, the response is 404.
    :param on_event: is called after each change with one of :mod:`pypi_registry.events`, in the thread of the request.
    :raises TypeError: if an argument is missing that another one needs, so that nothing is open by accident.
    """

    def __init__(
        self,
        *,
        directory: Directory | None = None,
        auth: Auth | None = None,
        catalogue: Catalogue | None = None,
        blobs: Blobs | None = None,
        forward_to: ForwardTo = None,
        max_file_size: int = MAX_FILE_SIZE,
        verify: Verify | None = verify,
        fallback: "WSGIApplication | None" = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if auth is None and (directory is not None or catalogue is not None or blobs is not None):
            raise TypeError(
                "Registry() needs auth= to decide who may do what; auth=AllowAll() lets everyone do anything"
            )
        if directory is None and not isinstance(auth, AllowAll | None):
            raise TypeError("Registry() needs directory= with auth=, to find projects and groups")
        if (catalogue is None) != (blobs is None):
            raise TypeError("Registry() needs catalogue= and blobs= together: rows are of no use without their bytes")
        if not (forward_to is None or callable(forward_to) or is_index_url(forward_to)):
            raise TypeError(
                f"forward_to= must be the http(s) URL of a simple index, a function or None: {forward_to!r}"
            )
        if type(max_file_size) is not int or max_file_size <= 0:
            raise TypeError(f"max_file_size= must be a number of bytes above 0: {max_file_size!r}")
        if not (verify is None or callable(verify)):
            raise TypeError(f"verify= must be a function of a stream and a file name, or None: {verify!r}")
        if not (fallback is None or callable(fallback)):
            raise TypeError(f"fallback= must be a WSGI application or None: {fallback!r}")
        if not (on_event is None or callable(on_event)):
            raise TypeError(f"on_event= must be a function of an event, or None: {on_event!r}")
        catalogue = MemoryCatalogue() if catalogue is None else catalogue
        self._fallback = fallback
        self._drains = Drains()
        self._services = Services(
            directory=_open_directory(catalogue) if directory is None else directory,
            auth=AllowAll() if auth is None else auth,
            stores=Stores(catalogue, MemoryBlobs() if blobs is None else blobs, on_event),
            forward_to=forward_to,
            max_file_size=max_file_size,
            verify=verify,
            pages=PageCache(),
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        response = self._respond(request)
        if response is None:
            assert self._fallback is not None
            return self._fallback(environ, start_response)
        cut = None
        if request.has_body:
            longest = self._services.max_file_size + MAX_FIELDS
            cut = self._drains.drain(request.body, environ, longest=longest, authenticated=request.is_authenticated)
            request.notes["received"] = request.body.received
        body = response.send(environ, start_response)
        return body if cut is None else cut.after(body)

    def _call(self, request: Request) -> Call | None:
        """Match a request with the routes; None if no route matches."""
        path_info = request.environ.get("PATH_INFO", "")
        try:
            call = Call(request, match(path_info), self._services)
        except NoSuchRoute:
            call = None
        if self._fallback is None and (call is None or (call.match.route.has_page and _lists_nothing(call))):
            namespace = match_namespace(path_info)
            other = namespace and Call(request, namespace, self._services)
            # Without another route it is one of a namespace, whether that exists or not: a stranger must not see a
            # difference between a private namespace and none.
            if other and (call is None or other.find_namespace() is not None):
                return other
        return call

    def _respond(self, request: Request) -> Response | None:
        """Respond to a request; None if it belongs to the fallback.

        The fallback is not called here, so that its errors do not have ours as their context.
        """
        call = None
        try:
            call = self._call(request)
            if self._fallback is not None and (call is None or not _is_ours(call)):
                return None
            if call is not None:
                request.notes["route"] = call.match.route.path
            require_same_origin(request)
            if call is None:
                raise NoSuchRoute
            response = respond(call)
        except Exception as error:
            response = failure_response(request, call, error)
        return allow_every_page(response) if call is not None and call.is_for_every_page else response


def _is_ours(call: Call) -> bool:
    """Return whether a path that matches a route belongs to the registry, and not to the fallback.

    Servers decode the slashes of an id, so ``/projects/1/repository/branches/packages`` matches the route of a project
    ``1/repository/branches``. It belongs to the registry only if there is such a project. An id of a package or a file
    is a number.
    """
    if call.match.route.yields or not call.match.has_numeric_ids:
        return False
    namespace = call.match.parameters["group" if call.match.is_group else "project"]
    return "/" not in namespace or call.find_namespace() is not None


def _lists_nothing(call: Call) -> bool:
    """Return whether a request is for the packages of a project or a group that does not exist."""
    return call.match.route.path.endswith("/packages") and call.find_namespace() is None


def _open_directory(catalogue: Catalogue) -> Directory:
    if not isinstance(catalogue, ProjectPaths):
        raise TypeError("Registry() needs directory=, because this catalogue has no project_paths()")
    return OpenDirectory(catalogue)
