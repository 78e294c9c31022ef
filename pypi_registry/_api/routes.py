"""The router: a table of paths, methods and endpoints.

An id may contain slashes, because some servers have decoded ``%2F`` already. So a path is matched by its fixed tail,
and everything before the last possible tail is the id. Werkzeug's ``Map`` cannot do that, and takes fifty times as
long.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from packaging.utils import NormalizedName

from pypi_registry._api import namespaces, packages, pypi
from pypi_registry._api.call import Call, Dialect, Match
from pypi_registry._api.pypi import Endpoint
from pypi_registry._http.errors import MethodNotAllowed, NoSuchRoute
from pypi_registry._http.request import read_path
from pypi_registry._http.response import Response
from pypi_registry._names import MAX_LENGTH, normalize
from pypi_registry._paths import MAX_DIGITS
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidName


class Route(NamedTuple):
    """A path, and the endpoint of each method; HEAD is handled as GET."""

    path: str
    endpoints: Mapping[str, Endpoint]
    dialect: Dialect = Dialect.PYPI
    advice: str = ""
    """Sent to clients that use another method."""
    has_page: bool = False
    """Whether a browser gets web pages here, also for errors."""
    yields: bool = False
    """Whether the path belongs to the `fallback` if there is one."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """The methods, for an Allow header."""
        head = ("HEAD",) if "GET" in self.endpoints else ()
        return (*self.endpoints, *head, "OPTIONS")


_TO_PROJECTS = "packages are published to a project: /projects/:id/packages/pypi"
_TO_THE_INDEX = "packages are published here by POST, and listed at /projects/:id/packages/pypi/simple"

ROUTES = (
    Route(  # the most frequent one first
        "/projects/:project/packages/pypi/simple/:name",
        {"GET": pypi.package, "PATCH": pypi.set_status},
        advice=_TO_PROJECTS,
    ),
    Route("/projects/:project/packages/pypi/simple", {"GET": pypi.index}, advice=_TO_PROJECTS),
    # Before the route of files, which would match these two, too.
    Route("/projects/:project/packages/pypi/files/:sha256/:filename.metadata", {"GET": pypi.core_metadata}),
    Route("/projects/:project/packages/pypi/files/:sha256/:release-variants.json", {"GET": pypi.variants}),
    Route("/projects/:project/packages/pypi/files/:sha256/:filename", {"GET": pypi.file}),
    Route("/projects/:project/packages/pypi/+simple/:name", {"GET": pypi.published}, advice=_TO_PROJECTS),
    Route("/projects/:project/packages/pypi", {"POST": pypi.upload}, advice=_TO_THE_INDEX),
    Route("/groups/:group/-/packages/pypi/files/:sha256/:filename.metadata", {"GET": pypi.core_metadata}),
    Route("/groups/:group/-/packages/pypi/files/:sha256/:release-variants.json", {"GET": pypi.variants}),
    Route("/groups/:group/-/packages/pypi/files/:sha256/:filename", {"GET": pypi.file}),
    Route("/groups/:group/-/packages/pypi/simple", {"GET": pypi.index}, advice=_TO_PROJECTS),
    Route("/groups/:group/-/packages/pypi/simple/:name", {"GET": pypi.package}, advice=_TO_PROJECTS),
    # GitLab's manual gives this URL to those who authenticate for a group, also for publishing.
    Route("/groups/:group/-/packages/pypi", {}, advice=_TO_PROJECTS),
    Route("/projects/:project/packages", {"GET": packages.list_packages}, Dialect.PACKAGES, has_page=True),
    Route("/groups/:group/packages", {"GET": packages.list_packages}, Dialect.PACKAGES, has_page=True),
    Route(
        "/projects/:project/packages/:package_id",
        {"GET": packages.show_package, "PATCH": packages.change_package, "DELETE": packages.delete_package},
        Dialect.PACKAGES,
        has_page=True,
    ),
    Route("/projects/:project/packages/:package_id/package_files", {"GET": packages.list_files}, Dialect.PACKAGES),
    Route(
        "/projects/:project/packages/:package_id/package_files/:package_file_id",
        {"DELETE": packages.delete_file},
        Dialect.PACKAGES,
    ),
    Route(
        "/projects/:project/packages/:package_id/package_files/:package_file_id/download",
        {"GET": packages.download_file},
        Dialect.PACKAGES,
    ),
    Route("/projects/:project", {"GET": namespaces.show_namespace}, Dialect.PACKAGES, yields=True),
    Route("/groups/:group", {"GET": namespaces.show_namespace}, Dialect.PACKAGES, yields=True),
)

_MAX_PATH = 8_000  # characters: GitLab's servers and nginx accept no longer ones, and matching takes its time
_MAX_CACHED_PATH = 200  # characters: clients request the same short paths again and again


def match(path_info: str) -> Match:
    """Match a ``PATH_INFO`` with the routes.

    >>> found = match("/projects/acme%2Ftools/packages/pypi/simple/Demo/")
    >>> found.ref, found.name, found.trailing_slash
    ('acme/tools', 'demo', True)

    :raises NoSuchRoute: if no route matches.
    """
    if len(path_info) > _MAX_PATH:
        raise NoSuchRoute
    return _cached_match(path_info) if len(path_info) <= _MAX_CACHED_PATH else _cached_match.__wrapped__(path_info)


@lru_cache(maxsize=4096)
def _cached_match(path_info: str) -> Match:
    path = read_path(path_info)
    for route in ROUTES:
        found = _pattern(route.path).fullmatch(path)
        if found is not None:
            parameters = found.groupdict()
            is_group = "group" in parameters
            namespace = "group" if is_group else "project"
            parameters[namespace] = unquote(parameters[namespace])  # some servers leave %2F in an id
            name = _name(parameters.get("name", ""))
            has_numeric_ids = all(_is_number(parameters.get(each, "0")) for each in ("package_id", "package_file_id"))
            ref = _ref(parameters[namespace])
            return Match(route, parameters, is_group, ref, name, path.endswith("/"), has_numeric_ids)
    raise NoSuchRoute


def match_namespace(path_info: str) -> Match | None:
    """Match a ``PATH_INFO`` that may be that of a project or a group whose id is a full path with decoded slashes.

    Only the directory knows whether it is. ``/projects/main/packages`` may also be the packages of the project `main`.
    """
    found = _NAMESPACE.fullmatch(read_path(path_info)) if len(path_info) <= _MAX_PATH else None
    if found is None or "/packages/" in found["path"] or "/-/" in found["path"]:
        return None
    return _match_of(found["kind"], "", found["path"])


_NAMESPACE = re.compile(r"/(?P<kind>project|group)s/(?P<path>[^/]+/.*[^/])/?")


def packages_match(path: str, *, is_group: bool = False, package_id: str | None = None) -> Match:
    """Return the match of the list of packages of a project or a group, given by its full path, or of one package."""
    kind = "group" if is_group else "project"
    if package_id is None:
        return _match_of(kind, "/packages", path)
    return _match_of(kind, "/packages/:package_id", path, package_id=package_id)


def _match_of(kind: str, tail: str, path: str, **parameters: str) -> Match:
    [route] = [route for route in ROUTES if route.path == f"/{kind}s/:{kind}{tail}"]
    ref = None if "\0" in path else path
    return Match(route, {kind: path, **parameters}, kind == "group", ref, None, False, True)


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Compile a path: an id is as long as possible, any other parameter is one segment; a final slash is optional.

    An id at the end is one segment, too. Otherwise every path below ``/projects/`` would be one of a project.
    """
    ids = re.sub(r":(project|group)(?!$)", r"(?P<\1>.+)", re.escape(path))
    return re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/\\0]+)", ids) + "/?")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()  # alone it accepts the digits of all scripts


def _ref(text: str) -> Ref | None:
    """Return the id or the full path in ``:id``; None if no project or group can have it.

    >>> _ref("42"), _ref("acme/libs/tools"), _ref("1" * 19)
    (42, 'acme/libs/tools', None)
    """
    if re.fullmatch("-?[0-9]+", text):  # GitLab: whatever looks like a number is an id
        return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None
    return None if "\0" in text else text


def _name(text: str) -> NormalizedName | None:
    try:
        return normalize(text) if len(text) <= MAX_LENGTH else None
    except InvalidName:
        return None


def respond(call: Call) -> Response:
    """Respond to a request whose route is known.

    :raises MethodNotAllowed: if the route has no endpoint for the method.
    """
    route, method = call.match.route, call.request.method
    if method == "OPTIONS":
        is_simple_api = route.dialect is Dialect.PYPI and "GET" in route.endpoints
        preflight = pypi.preflight(call) if is_simple_api else []
        return Response("204 No Content", [("Allow", ", ".join(route.allowed)), *preflight])
    endpoint = route.endpoints.get("GET" if method == "HEAD" else method)
    if endpoint is None:
        raise MethodNotAllowed(route.allowed, route.advice)
    return endpoint(call)
