"""Errors become responses: a status line, headers, and GitLab's JSON body."""

import json
from collections.abc import Iterator

import pytest

from pypi_registry._api.errors import error_response, internal_error_response
from pypi_registry._http import errors as http_errors
from pypi_registry._http.errors import (
    InvalidParameter,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    PreconditionFailed,
)
from pypi_registry._http.response import VARY
from pypi_registry._publishing.form import RegistrationNotSupported
from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidRequest,
    InvalidToken,
    InvalidUpload,
    InvalidVersion,
    NotFound,
    OutcomeUnknown,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
    VariantConflict,
)

Headers = list[tuple[str, str]]

BASIC = ("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"')
BEARER = ("WWW-Authenticate", 'Bearer error="invalid_token"')
EXPIRED = "Token is expired. You can either do re-authorization or token refresh."
REVOKED = "Token was revoked. You have to re-authorize from the user."
HIGHER = "The request requires higher privileges than provided by the access token."
TOO_LARGE = "File is too large (it must be smaller than 10 bytes)"
CONFLICT = "demo-1.0-py3-none-any-x.whl contradicts other wheels: a provider differs"
TAKEN = "File name has already been taken (demo-1.0.tar.gz already exists)"
INVALID_NAME = "'é' must consist of ASCII letters and digits, with '.', '-' and '_' only between them"

# The status line; further keys of the body, whose key "message" is the status line unless it is given; further headers.
RESPONSES: list[tuple[RegistryError, str, dict[str, object], Headers]] = [
    (RegistryError(), "500 Internal Server Error", {}, []),
    (InvalidName("é"), f"400 Bad request - {INVALID_NAME}", {}, []),
    (InvalidVersion("1.0_1", 3), "400 Bad request - '1.0_1' is not a valid version: unexpected '_1'", {}, []),
    (
        InvalidRequest(["status is missing", "reason must be a string"]),
        "400 Bad request - Validation failed: status is missing, reason must be a string",
        {"errors": ["status is missing", "reason must be a string"]},
        [],
    ),
    (
        InvalidUpload(["content is missing", "name is missing"]),
        "400 Bad request - Validation failed: content is missing, name is missing",
        {"errors": ["content is missing", "name is missing"]},
        [],
    ),
    (
        FileTaken("demo-1.0.tar.gz"),
        f"400 Bad request - Validation failed: {TAKEN}",
        {"errors": [TAKEN]},
        [],
    ),
    (
        VariantConflict("demo-1.0-py3-none-any-x.whl", ["a provider differs"]),
        f"400 Bad request - Validation failed: {CONFLICT}",
        {"errors": [CONFLICT]},
        [],
    ),
    (FileTooLarge(10), f"400 Bad request - {TOO_LARGE}", {"errors": [TOO_LARGE]}, []),
    (FileTooLarge(10, declared=True), f"413 Request Entity Too Large - {TOO_LARGE}", {"errors": [TOO_LARGE]}, []),
    (
        InvalidParameter("sort"),
        "400 sort does not have a valid value",
        {"message": None, "error": "sort does not have a valid value"},
        [],
    ),
    (
        InvalidParameter("page", "is invalid"),
        "400 page is invalid",
        {"message": None, "error": "page is invalid"},
        [],
    ),
    (NotAuthenticated(), "401 Unauthorized", {}, [BASIC]),
    (InvalidToken(), "401 Unauthorized", {}, [BASIC]),
    (
        InvalidToken("expired"),
        "401 Unauthorized - Token expired",
        {"message": None, "error": "invalid_token", "error_description": EXPIRED},
        [BASIC, BEARER],
    ),
    (
        InvalidToken("revoked"),
        "401 Unauthorized - Token revoked",
        {"message": None, "error": "invalid_token", "error_description": REVOKED},
        [BASIC, BEARER],
    ),
    (InvalidToken("odd"), "401 Unauthorized - Token odd", {"message": "401 Unauthorized"}, [BASIC]),
    (Forbidden(), "403 Forbidden", {}, []),
    (Forbidden("Package protected."), "403 Forbidden - Package protected.", {}, []),
    (UploadsRefused("demo", "archived"), "403 Forbidden - demo is archived and accepts no uploads", {}, []),
    (
        InsufficientScope("api"),
        "403 Forbidden - the token lacks the scope api",
        {"message": None, "error": "insufficient_scope", "error_description": HIGHER, "scope": "api"},
        [],
    ),
    (NotFound(), "404 Not Found", {}, []),
    (NotFound("Package"), "404 Package Not Found", {}, []),
    (NoSuchRoute(), "404 Not Found", {"message": None, "error": "404 Not Found"}, []),
    (
        MethodNotAllowed(["GET", "HEAD"]),
        "405 Not Allowed",
        {"message": None, "error": "405 Not Allowed"},
        [("Allow", "GET, HEAD")],
    ),
    (
        MethodNotAllowed(["POST"], "publish elsewhere"),
        "405 Not Allowed - publish elsewhere",
        {"message": None, "error": "405 Not Allowed - publish elsewhere"},
        [("Allow", "POST")],
    ),
    (RegistrationNotSupported(), "410 Gone - a name need not be registered, upload a file instead", {}, []),
    (LengthRequired(), "411 Length Required - send a Content-Length", {}, []),
    (PreconditionFailed(), "412 Precondition Failed", {}, []),
    (OutcomeUnknown("not known"), "503 Service Unavailable - not known", {}, [("Retry-After", "5")]),
    (StorageUnavailable("busy"), "503 Service Unavailable - busy", {}, [("Retry-After", "5")]),
    (StorageFull(), "507 Insufficient Storage", {}, []),
]


@pytest.mark.parametrize(("error", "status", "body", "headers"), RESPONSES, ids=lambda value: repr(value)[:60])
def test_an_error_becomes_a_response(
    error: RegistryError, status: str, body: dict[str, object], headers: Headers
) -> None:
    response = error_response(error)
    data = b"".join(response.body)
    assert response.status == status
    assert json.loads(data) == {key: text for key, text in ({"message": status} | body).items() if text is not None}
    assert sorted(response.headers) == sorted(
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
            VARY,
            *headers,
        ]
    )


def error_classes(base: type[RegistryError] = RegistryError) -> Iterator[type[RegistryError]]:
    yield base
    for subclass in base.__subclasses__():
        yield from error_classes(subclass)


def test_every_error_has_a_row_in_the_table_above() -> None:
    modules = {"pypi_registry.errors", http_errors.__name__, RegistrationNotSupported.__module__}
    assert {type(error) for error, *_ in RESPONSES} == {each for each in error_classes() if each.__module__ in modules}


def test_an_error_of_an_application_has_the_status_of_its_base() -> None:
    class Busy(StorageUnavailable):
        pass

    assert error_response(Busy("the pool is empty")).status == "503 Service Unavailable - the pool is empty"


def test_the_response_of_a_defect_says_nothing_about_it() -> None:
    response = internal_error_response()
    assert response.status == "500 Internal Server Error"
    assert json.loads(b"".join(response.body)) == {"message": "500 Internal Server Error"}


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param("x" * 5000, id="long"),
        pytest.param("a\r\nSet-Cookie: b=c", id="CR LF"),
        pytest.param("a\nb\rc\x00d\x0be\x85f\u2028g\x7fh", id="control characters"),
        pytest.param("naïve ☃ 日本", id="beyond latin-1"),
        pytest.param("\udc80", id="a lone surrogate"),
    ],
)
def test_a_reason_phrase_is_short_printable_latin_1_and_the_body_has_all_of_it(problem: str) -> None:
    response = error_response(InvalidUpload([problem]))
    code, _, phrase = response.status.partition(" ")
    assert code == "400"
    assert phrase.startswith("Bad request - Validation failed: ")
    assert len(phrase) <= 200
    assert phrase.encode("latin-1").decode("latin-1").isprintable()
    assert json.loads(b"".join(response.body))["errors"] == [problem]
