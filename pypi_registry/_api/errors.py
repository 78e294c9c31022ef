"""Errors become responses: a status, GitLab's wording, and a JSON body."""

from collections.abc import Mapping

from pypi_registry._http.errors import (
    InvalidParameter,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    PreconditionFailed,
)
from pypi_registry._http.response import VARY, Response, json_response, status_line
from pypi_registry.errors import (
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidRequest,
    InvalidToken,
    InvalidVersion,
    NotAuthenticated,
    NotFound,
    RegistrationNotSupported,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
)

# Error -> status and GitLab's phrase, to which " - " and the sentence of the error are added.
_STATUSES: Mapping[type[RegistryError], tuple[int, str]] = {
    InvalidName: (400, "Bad request"),
    InvalidVersion: (400, "Bad request"),
    InvalidParameter: (400, "Bad request"),
    InvalidRequest: (400, "Bad request"),
    FileTooLarge: (400, "Bad request"),
    NotAuthenticated: (401, "Unauthorized"),
    InvalidToken: (401, "Unauthorized"),
    Forbidden: (403, "Forbidden"),
    InsufficientScope: (403, "Forbidden"),
    UploadsRefused: (403, "Forbidden"),
    NotFound: (404, "Not Found"),
    MethodNotAllowed: (405, "Not Allowed"),
    RegistrationNotSupported: (410, "Gone"),
    LengthRequired: (411, "Length Required"),
    PreconditionFailed: (412, "Precondition Failed"),
    StorageUnavailable: (503, "Service Unavailable"),
    StorageFull: (507, "Insufficient Storage"),
}
_WITHOUT_SENTENCE = (NotAuthenticated, PreconditionFailed, StorageFull)

_CHALLENGE = ("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"')

# GitLab describes these in OAuth's form (RFC 6750, 3).
_TOKEN_DESCRIPTIONS = {
    "expired": "Token is expired. You can either do re-authorization or token refresh.",
    "revoked": "Token was revoked. You have to re-authorize from the user.",
}


def error_response(error: RegistryError) -> Response:
    """Make the response of an error, with GitLab's body."""
    status, reason = _status(error)
    message = f"{status} {reason}"
    headers: list[tuple[str, str]] = []
    body: dict[str, object] = {"message": message}
    match error:
        case InvalidRequest():
            body["errors"] = error.problems
        case FileTooLarge():
            body["errors"] = [str(error)]
        case NotAuthenticated():
            headers = [_CHALLENGE]
        case InvalidToken() if error.reason in _TOKEN_DESCRIPTIONS:
            body = {"error": "invalid_token", "error_description": _TOKEN_DESCRIPTIONS[error.reason]}
            headers = [_CHALLENGE, ("WWW-Authenticate", 'Bearer error="invalid_token"')]
        case InvalidToken():
            body, headers = {"message": "401 Unauthorized"}, [_CHALLENGE]
        case InsufficientScope():
            description = "The request requires higher privileges than provided by the access token."
            body = {"error": "insufficient_scope", "error_description": description, "scope": error.scope}
        case InvalidParameter():
            body = {"error": str(error)}
        case MethodNotAllowed():
            body, headers = {"error": message}, [("Allow", ", ".join(error.allowed))]
        case NoSuchRoute():
            body = {"error": message}
    return json_response(status_line(status, reason), body, *headers, VARY, ("Cache-Control", "no-store"))


def internal_error_response() -> Response:
    """Make the response of an error that is a defect; it was logged."""
    return json_response("500 Internal Server Error", {"message": "500 Internal Server Error"})


def _status(error: RegistryError) -> tuple[int, str]:
    """Return the status of an error, and the reason: GitLab's phrase with the sentence of the error."""
    status, phrase = next((_STATUSES[each] for each in type(error).__mro__ if each in _STATUSES), (500, ""))
    sentence = str(error)
    match error:
        case InvalidRequest():
            return status, f"{phrase} - Validation failed: {sentence}"
        case InvalidParameter():
            return status, sentence
        case FileTooLarge() if error.declared:
            return 413, f"Request Entity Too Large - {sentence}"
        case NotFound():
            return status, f"{error.what} {phrase}".lstrip()
        case InvalidToken():
            return status, f"{phrase} - Token {error.reason}" if error.reason else phrase
        case Forbidden():
            return status, f"{phrase} - {error.reason}" if error.reason else phrase
        case MethodNotAllowed():
            return status, f"{phrase} - {error.advice}" if error.advice else phrase
        case _ if isinstance(error, _WITHOUT_SENTENCE) or not phrase:
            return status, phrase
        case _:
            return status, f"{phrase} - {sentence}"
