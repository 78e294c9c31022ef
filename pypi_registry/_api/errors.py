"""Errors become responses: a status, GitLab's wording, and a JSON body."""

from collections.abc import Callable, Mapping
from typing import Any

from pypi_registry._http.errors import (
    InvalidParameter,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    PreconditionFailed,
)
from pypi_registry._http.response import VARY, Response, json_response, status_line
from pypi_registry._publishing.form import RegistrationNotSupported
from pypi_registry.errors import (
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidRequest,
    InvalidToken,
    InvalidVersion,
    NotFound,
    OutcomeUnknown,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
)

# RFC 9110, 10.2.3: "When sent with a 503 (Service Unavailable) response, Retry-After indicates how long the service is
# expected to be unavailable to the client." In seconds.
_RETRY_AFTER = ("Retry-After", "5")

# GitLab's realm.
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"')


def error_response(error: RegistryError) -> Response:
    """Make the response of an error, with GitLab's wording: a phrase, " - " and the sentence of the error."""
    for kind in type(error).__mro__:
        if kind in _RESPONSES:
            return _RESPONSES[kind](error)
    raise TypeError(f"{error!r} is not a RegistryError")


def internal_error_response() -> Response:
    """Make the response of an error that is a defect; it was logged."""
    return json_response("500 Internal Server Error", {"message": "500 Internal Server Error"})


def _message(status: int, reason: str, *headers: tuple[str, str], **more: object) -> Response:
    return _response(status, reason, {"message": f"{status} {reason}", **more}, *headers)


def _error(status: int, reason: str, *headers: tuple[str, str]) -> Response:
    return _response(status, reason, {"error": f"{status} {reason}"}, *headers)


def _response(status: int, reason: str, body: Mapping[str, object], *headers: tuple[str, str]) -> Response:
    return json_response(status_line(status, reason), body, *headers, VARY, ("Cache-Control", "no-store"))


def _invalid_request(error: InvalidRequest) -> Response:
    return _message(400, f"Bad request - Validation failed: {error}", errors=error.problems)


def _file_too_large(error: FileTooLarge) -> Response:
    # 413 where no byte of the body had to be read.
    status, phrase = (413, "Request Entity Too Large") if error.declared else (400, "Bad request")
    return _message(status, f"{phrase} - {error}", errors=[str(error)])


# GitLab describes these in OAuth's form (RFC 6750, 3).
_TOKEN_DESCRIPTIONS = {
    "expired": "Token is expired. You can either do re-authorization or token refresh.",
    "revoked": "Token was revoked. You have to re-authorize from the user.",
}


def _invalid_token(error: InvalidToken) -> Response:
    reason = f"Unauthorized - Token {error.reason}" if error.reason else "Unauthorized"
    description = _TOKEN_DESCRIPTIONS.get(error.reason)
    if description is None:
        return _response(401, reason, {"message": "401 Unauthorized"}, _CHALLENGE)
    body = {"error": "invalid_token", "error_description": description}
    return _response(401, reason, body, _CHALLENGE, ("WWW-Authenticate", 'Bearer error="invalid_token"'))


def _insufficient_scope(error: InsufficientScope) -> Response:
    description = "The request requires higher privileges than provided by the access token."
    body = {"error": "insufficient_scope", "error_description": description, "scope": error.scope}
    return _response(403, f"Forbidden - {error}", body)


def _forbidden(error: Forbidden) -> Response:
    return _message(403, f"Forbidden - {error.reason}" if error.reason else "Forbidden")


def _method_not_allowed(error: MethodNotAllowed) -> Response:
    reason = f"Not Allowed - {error.advice}" if error.advice else "Not Allowed"
    return _error(405, reason, ("Allow", ", ".join(error.allowed)))


# The class of an error, or its nearest base, decides.
_RESPONSES: Mapping[type[BaseException], Callable[[Any], Response]] = {
    InvalidName: lambda error: _message(400, f"Bad request - {error}"),
    InvalidVersion: lambda error: _message(400, f"Bad request - {error}"),
    InvalidParameter: lambda error: _response(400, str(error), {"error": str(error)}),
    InvalidRequest: _invalid_request,
    FileTooLarge: _file_too_large,
    NotAuthenticated: lambda error: _message(401, "Unauthorized", _CHALLENGE),
    InvalidToken: _invalid_token,
    Forbidden: _forbidden,
    InsufficientScope: _insufficient_scope,
    UploadsRefused: lambda error: _message(403, f"Forbidden - {error}"),
    NotFound: lambda error: _message(404, f"{error.what} Not Found".lstrip()),
    NoSuchRoute: lambda error: _error(404, "Not Found"),
    MethodNotAllowed: _method_not_allowed,
    RegistrationNotSupported: lambda error: _message(410, f"Gone - {error}"),
    LengthRequired: lambda error: _message(411, f"Length Required - {error}"),
    PreconditionFailed: lambda error: _message(412, "Precondition Failed"),
    RegistryError: lambda error: _message(500, "Internal Server Error"),
    OutcomeUnknown: lambda error: _message(503, f"Service Unavailable - {error}", _RETRY_AFTER),
    StorageUnavailable: lambda error: _message(503, f"Service Unavailable - {error}", _RETRY_AFTER),
    StorageFull: lambda error: _message(507, "Insufficient Storage"),
}
