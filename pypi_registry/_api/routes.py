"""The small router: a table of method, address and endpoint.

An id may hold slashes, because some servers have decoded ``%2F`` already. So an address is matched on its fixed tail,
and what lies before the last possible tail is the id. Werkzeug's ``Map`` costs fifty times as much and cannot do that.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from pypi_registry._api import packages, pypi
from pypi_registry._api.addresses import Address, read_path
from pypi_registry._http.request import Call, Response
from pypi_registry.errors import MethodNotAllowed, NoSuchRoute

Endpoint = Callable[[Call], Response]


class Route(NamedTuple):
    """An address, and what answers it for each method; HEAD is answered as GET."""

    address: str
    endpoints: Mapping[str, Endpoint]
    advice: str = ""
    """Said to those who come with another method."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """The methods, for an Allow header."""
        head = ("HEAD",) if "GET" in self.endpoints else ()
        return (*self.endpoints, *head, "OPTIONS")


_TO_PROJECTS = "packages are published to a project: /projects/:id/packages/pypi"
_TO_THE_INDEX = "packages are published here by POST, and listed at /projects/:id/packages/pypi/simple"

ROUTES = (
    Route(  # the one that is asked most comes first
        "/projects/:project/packages/pypi/simple/:name",
        {"GET": pypi.package, "PATCH": pypi.set_status},
        _TO_PROJECTS,
    ),
    Route("/projects/:project/packages/pypi/simple", {"GET": pypi.index}, _TO_PROJECTS),
    # Before that of files, none of which has such an ending.
    Route("/projects/:project/packages/pypi/files/:sha256/:filename.metadata", {"GET": pypi.core_metadata}),
    Route("/projects/:project/packages/pypi/files/:sha256/:filename", {"GET": pypi.file}),
    Route("/projects/:project/packages/pypi/+simple/:name", {"GET": pypi.published}, _TO_PROJECTS),
    Route("/projects/:project/packages/pypi", {"POST": pypi.upload}, _TO_THE_INDEX),
    Route("/groups/:group/-/packages/pypi/files/:sha256/:filename.metadata", {"GET": pypi.core_metadata}),
    Route("/groups/:group/-/packages/pypi/files/:sha256/:filename", {"GET": pypi.file}),
    Route("/groups/:group/-/packages/pypi/simple", {"GET": pypi.index}, _TO_PROJECTS),
    Route("/groups/:group/-/packages/pypi/simple/:name", {"GET": pypi.package}, _TO_PROJECTS),
    # GitLab's manual sends those who authenticate for a group to this address, for publishing too.
    Route("/groups/:group/-/packages/pypi", {}, _TO_PROJECTS),
    Route("/projects/:project/packages", {"GET": packages.list_packages}),
    Route("/groups/:group/packages", {"GET": packages.list_packages}),
    Route(
        "/projects/:project/packages/:package_id",
        {
            "GET": packages.show_package,
            "PATCH": packages.change_package,
            "DELETE": packages.delete_package,
        },
    ),
    Route("/projects/:project/packages/:package_id/package_files", {"GET": packages.list_files}),
    Route("/projects/:project/packages/:package_id/package_files/:package_file_id", {"DELETE": packages.delete_file}),
    Route(
        "/projects/:project/packages/:package_id/package_files/:package_file_id/download",
        {"GET": packages.download_file},
    ),
)


@cache
def _pattern(address: str) -> re.Pattern[str]:
    """Compile an address: an id is as long as it can be, any other part is one segment; a final slash is optional."""
    ids = re.sub(r":(project|group)", r"(?P<\1>.+)", re.escape(address))
    return re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/\\0]+)", ids) + "/?")


def find(path: str) -> tuple[Route, Mapping[str, str]]:
    """Find the route of a path, decoded and below the mount point, and what the path holds for its parts.

    >>> find("/projects/acme%2Ftools/packages/pypi/simple/demo/")[1]
    {'project': 'acme/tools', 'name': 'demo'}

    :raises NoSuchRoute: if there is none.
    """
    for route in ROUTES:
        match = _pattern(route.address).fullmatch(path)
        if match is not None:
            # Some servers leave %2F in an id.
            return route, {part: unquote(text) if part in _IDS else text for part, text in match.groupdict().items()}
    raise NoSuchRoute


_IDS = ("project", "group")


def locate(path_info: str) -> tuple[Route, Address]:
    """Find the route of a ``PATH_INFO``, and read the address that it is.

    :raises NoSuchRoute: if there is none.
    """
    return _located(path_info) if len(path_info) <= _USUAL else _locate(path_info)


def _locate(path_info: str) -> tuple[Route, Address]:
    path = read_path(path_info)
    route, parts = find(path)
    return route, Address.read(path, parts)


_USUAL = 200  # characters, of those that are remembered: clients ask for the same again and again
_located = lru_cache(maxsize=4096)(_locate)


def endpoint(route: Route, method: str) -> Endpoint:
    """Choose what answers a method.

    :raises MethodNotAllowed: if nothing does.
    """
    chosen = route.endpoints.get("GET" if method == "HEAD" else method)
    if chosen is None:
        raise MethodNotAllowed(route.allowed, route.advice)
    return chosen
