"""The application: collaborators in, one request out. Errors become responses here, and only here."""

import json
import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from pypi_registry._api.routes import Route, endpoint, locate
from pypi_registry._http.request import VARY, Call, Response, Services, bytes_response, json_response, status_line
from pypi_registry._pages.cache import PageCache
from pypi_registry._publishing.publish import FORM_ROOM
from pypi_registry.auth import AllowAll, Auth
from pypi_registry.directory import Directory, OpenDirectory
from pypi_registry.distributions import Verify, verify
from pypi_registry.errors import (
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidParameter,
    InvalidRequest,
    InvalidToken,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    RegistryError,
)
from pypi_registry.forwarding import PYPI, ForwardTo, is_index
from pypi_registry.storage import Blobs, Catalogue
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger("pypi_registry")


class Registry:
    """GitLab's PyPI package registry, as a WSGI application.

    A host mounts it under ``/api/v4``, or any server runs it alone. Given nothing, it is open to anybody and lives in
    memory: every id is a project, and a group holds the projects below its path.

    :param directory: the host's projects and groups.
    :param auth: who may do what. ``AllowAll()`` lets anyone do anything.
    :param catalogue: where packages and files are listed; in memory by default.
    :param blobs: where the bytes are kept; in memory by default.
    :param forward_to: the simple index to which a caller who may read is sent for a name that is not here; None for
        nowhere; or a function of the project or group and the normalized name. The public PyPI by default.
    :param max_file_size: bytes; a file must be smaller.
    :param verify: looks into every file that is uploaded, and names its faults; it gets a stream and a file name, and
        gives :class:`~pypi_registry.distributions.Findings`. None takes files at their word, whatever they hold.
    :param fallback: the host's own WSGI application for addresses that are none of ours, so that it keeps what else it
        has below the mount point; it gets the request untouched. An address with a path in place of an id is ours if
        the directory knows that project or group. None answers all others with 404.
    :raises TypeError: if a part is missing that another one needs, so that nothing is open by accident.
    """

    def __init__(
        self,
        *,
        directory: Directory | None = None,
        auth: Auth | None = None,
        catalogue: Catalogue | None = None,
        blobs: Blobs | None = None,
        forward_to: ForwardTo = PYPI,
        max_file_size: int = 3 * 1024**3,
        verify: Verify | None = verify,
        fallback: "WSGIApplication | None" = None,
    ) -> None:
        if auth is None and (directory is not None or catalogue is not None or blobs is not None):
            raise TypeError("Registry() needs auth= to say who may do what; auth=Open() lets anyone do anything")
        if directory is None and not isinstance(auth, AllowAll | None):
            raise TypeError("Registry() needs directory= to say which projects and groups exist, as it was given auth=")
        if (catalogue is None) != (blobs is None):
            raise TypeError("Registry() needs catalogue= and blobs= together: a row is of no use without its bytes")
        if not (forward_to is None or callable(forward_to) or is_index(forward_to)):
            raise TypeError(f"forward_to= must be a simple index's http(s) address, a function or None: {forward_to!r}")
        if type(max_file_size) is not int or max_file_size <= 0:
            raise TypeError(f"max_file_size= must be a number of bytes above 0: {max_file_size!r}")
        if not (verify is None or callable(verify)):
            raise TypeError(f"verify= must be a function of a stream and a file name, or None: {verify!r}")
        if not (fallback is None or callable(fallback)):
            raise TypeError(f"fallback= must be a WSGI application or None: {fallback!r}")
        catalogue = MemoryCatalogue() if catalogue is None else catalogue
        if directory is None:
            directory = OpenDirectory(catalogue)
        if auth is None or isinstance(auth, AllowAll):
            auth = (auth or AllowAll()).over(directory)
        self._fallback = fallback
        self._collaborators = Services(
            *(directory, auth, catalogue, MemoryBlobs() if blobs is None else blobs),
            *(forward_to, max_file_size, verify, PageCache()),
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        call = Call(environ, self._collaborators)
        fallback: WSGIApplication | None = None
        try:
            route, call.address = locate(environ.get("PATH_INFO", ""))
            if self._fallback is not None and _is_the_hosts(call):
                raise NoSuchRoute
            answer = _answer(call, route)
        except RegistryError as error:
            if isinstance(error, NoSuchRoute):
                fallback = self._fallback
            answer = refuse(error)
            answer.headers.extend([VARY, ("Cache-Control", "no-store")])
        except Exception:
            _log.exception("%s %r failed", call.method, environ.get("PATH_INFO"))
            answer = json_response("500 Internal Server Error", {"message": "500 Internal Server Error"})
        if fallback is not None:  # and not above, or our error would stand in the traceback of each of the host's
            return fallback(environ, start_response)
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            call.body.drain(longest=self._collaborators.max_file_size + FORM_ROOM)
        return answer.send(environ, start_response)


_SAFE = ("GET", "HEAD")
"""Browsers keep Basic credentials, and would send them with whatever a stranger's page makes them do."""


def _is_the_hosts(call: Call) -> bool:
    """Tell whether an address that has the form of one of ours cannot be one.

    Servers decode the slashes of an id, so ``/projects/1/repository/branches/packages`` may be asked of a project
    ``1/repository/branches``: it is if there is such a project. What has no number is no package.
    """
    parts = call.address.parts
    if not all(parts.get(number, "0").isdecimal() for number in ("package_id", "package_file_id")):
        return True
    return "/" in (parts.get("project") or parts["group"]) and call.place() is None


def _answer(call: Call, route: Route) -> Response:
    if call.method == "OPTIONS":
        return Response("204 No Content", [("Allow", ", ".join(route.allowed))])
    if call.method not in _SAFE and call.header("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site"):
        raise Forbidden("a browser sent this for another site")
    return endpoint(route, call.method)(call)


_BASIC = ("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"')

# GitLab answers these in OAuth's form (RFC 6750).
_TOKEN_REASONS = {
    "expired": "Token is expired. You can either do re-authorization or token refresh.",
    "revoked": "Token was revoked. You have to re-authorize from the user.",
}


def refuse(error: RegistryError) -> Response:
    """Make the response of an error, with GitLab's body."""
    sentence = str(error)
    message, status = f"{error.status} {sentence}", status_line(error.status, sentence)
    match error:
        case InvalidRequest():
            return json_response(status, {"message": message, "errors": error.faults})
        case FileTooLarge():
            return json_response(status, {"message": message, "errors": [sentence.partition(" - ")[2]]})
        case NotAuthenticated():
            return json_response(status, {"message": message}, _BASIC)
        case InvalidToken() if error.reason in _TOKEN_REASONS:
            body = {"error": "invalid_token", "error_description": _TOKEN_REASONS[error.reason]}
            return json_response(status, body, _BASIC, ("WWW-Authenticate", 'Bearer error="invalid_token"'))
        case InvalidToken():
            return json_response(status, {"message": "401 Unauthorized"}, _BASIC)
        case InsufficientScope():
            description = "The request requires higher privileges than provided by the access token."
            body = {"error": "insufficient_scope", "error_description": description, "scope": error.scope}
            return json_response(status, body)
        case InvalidParameter():
            return json_response(status, {"error": sentence})
        case MethodNotAllowed():
            return json_response(status, {"error": message}, ("Allow", ", ".join(error.allowed)))
        case NoSuchRoute():
            return json_response(status, {"error": message})
        case _:
            return bytes_response(status, "application/json", _message(message))


@lru_cache(maxsize=256)  # most say one of a few sentences
def _message(message: str) -> bytes:
    return json.dumps({"message": message}).encode()
