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
    """Return the refusal for a caller without valid credentials; None if the auth accepts the credentials.

    A server that stores a body before it calls the registry calls this function first. It does not check the abilities
    of the caller: it only prevents strangers from filling the disk, and the registry still decides on every request.

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
