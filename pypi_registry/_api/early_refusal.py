"""The refusal of a caller whom the auth does not know, before the body of the request has arrived."""

from typing import TYPE_CHECKING

from pypi_registry._api.call import Dialect, authenticate
from pypi_registry._api.errors import error_response
from pypi_registry._api.routes import match
from pypi_registry._http.errors import NoSuchRoute, NotAuthenticated
from pypi_registry._http.response import Response
from pypi_registry.auth import Auth
from pypi_registry.errors import RegistryError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def refuse_unknown_caller(auth: Auth, environ: "WSGIEnvironment", path_info: str) -> Response | None:
    """Return the response to a caller without valid credentials; None if the auth knows the caller.

    A server that stores a body before it calls the registry asks this first. What a known caller may do is not
    checked: this is a bound on what strangers can store, and the registry still decides on every request.

    :param path_info: the path below the mount point of the registry; its API decides which credentials count.
    """
    try:
        dialect = match(path_info).route.dialect
    except NoSuchRoute:
        dialect = Dialect.PYPI
    try:
        if authenticate(auth, environ, dialect).anonymous:
            raise NotAuthenticated
    except RegistryError as error:
        return error_response(error)
    return None
