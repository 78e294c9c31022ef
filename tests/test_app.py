import base64
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import PYPI, AllowAll, Registry, errors
from pypi_registry._app import refuse
from pypi_registry.directory import OpenDirectory
from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidParameter,
    InvalidRequest,
    InvalidToken,
    InvalidUpload,
    InvalidVersion,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RegistrationNotSupported,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
)
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

SDIST = ("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))
FORM = {"name": "demo", "version": "1.0"}


class Broken:
    """Takes the place of any collaborator and raises, whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object) -> None:
            raise self.error

        return fail


def with_broken(part: str, error: Exception) -> Registry:
    catalogue = MemoryCatalogue()
    parts: dict[str, Any] = {
        "directory": OpenDirectory(catalogue),
        "auth": AllowAll(),
        "catalogue": catalogue,
        "blobs": MemoryBlobs(),
    }
    return Registry(**parts | {part: Broken(error)})


# What a registry is built from


def test_given_nothing_every_id_is_a_project_and_anyone_publishes(client_of: ClientOf) -> None:
    client = client_of(Registry())
    client.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], status=201)
    client.post("/projects/acme%2Ftools/packages/pypi", FORM, upload_files=[SDIST], status=201)
    assert "demo-1.0.tar.gz" in client.get("/projects/7/packages/pypi/simple/demo/")
    assert "demo-1.0.tar.gz" in client.get("/groups/acme/-/packages/pypi/simple/demo/")


def test_two_registries_share_nothing(client_of: ClientOf) -> None:
    first, second = client_of(Registry(forward_to=None)), client_of(Registry(forward_to=None))
    first.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], status=201)
    second.get("/projects/7/packages/pypi/simple/demo/", status=404)


def test_what_is_not_here_goes_to_the_public_index_by_default(client_of: ClientOf) -> None:
    answer = client_of(Registry()).get("/projects/7/packages/pypi/simple/demo/", status=302)
    assert answer.headers["Location"] == f"{PYPI}demo/"


@pytest.mark.parametrize(
    ("length", "status"), [(3 * 1024**3 + 64 * 1024**2, 413), (3 * 1024**3 + 64 * 1024**2 - 1, 400)]
)
def test_a_file_has_less_than_3_gib_by_default(length: int, status: int) -> None:
    environ = create_environ("/projects/7/packages/pypi", method="POST", content_type="multipart/form-data; boundary=x")
    _, answered, _ = run_wsgi_app(Registry(), environ | {"CONTENT_LENGTH": str(length)})
    assert answered.startswith(f"{status} ")


_CATALOGUE = MemoryCatalogue()


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        pytest.param({"catalogue": _CATALOGUE, "blobs": MemoryBlobs()}, "auth=", id="stores without auth"),
        pytest.param({"catalogue": _CATALOGUE}, "auth=", id="a catalogue alone"),
        pytest.param({"blobs": MemoryBlobs()}, "auth=", id="blobs alone"),
        pytest.param({"directory": OpenDirectory(_CATALOGUE)}, "auth=", id="a directory without auth"),
        pytest.param({"auth": Broken(KeyError())}, "directory=", id="auth without a directory"),
        pytest.param({"auth": AllowAll(), "catalogue": _CATALOGUE}, "blobs=", id="a catalogue without blobs"),
        pytest.param({"auth": AllowAll(), "blobs": MemoryBlobs()}, "catalogue=", id="blobs without a catalogue"),
        pytest.param(
            {"auth": Broken(KeyError()), "catalogue": _CATALOGUE, "blobs": MemoryBlobs()},
            "directory=",
            id="auth and stores without a directory",
        ),
    ],
)
def test_a_missing_part_is_named(given: dict[str, Any], needed: str) -> None:
    with pytest.raises(TypeError) as caught:
        Registry(**given)
    assert f"needs {needed}" in str(caught.value) or f"and {needed}" in str(caught.value)


def test_a_store_without_auth_is_told_how_to_be_open() -> None:
    with pytest.raises(TypeError, match=r"auth=Open\(\) lets anyone do anything"):
        Registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def test_an_empty_store_is_used_although_it_may_be_falsy() -> None:
    class Falsy(MemoryCatalogue):
        def __len__(self) -> int:
            return 0

    catalogue = Falsy()
    environ = create_environ(
        "/projects/7/packages/pypi", method="POST", data={**FORM, "content": (io.BytesIO(SDIST[2]), SDIST[1])}
    )
    _, status, _ = run_wsgi_app(Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs()), environ)
    assert status == "201 Created"
    assert catalogue.names([7]) == ["demo"]


def test_open_works_over_stores_and_over_a_directory_of_the_host(client_of: ClientOf) -> None:
    catalogue = MemoryCatalogue()
    registry = Registry(
        auth=AllowAll(), directory=OpenDirectory(catalogue), catalogue=catalogue, blobs=MemoryBlobs(), forward_to=None
    )
    client = client_of(registry)
    client.post("/projects/acme%2Ftools/packages/pypi", FORM, upload_files=[SDIST], status=201)
    assert "demo-1.0.tar.gz" in client.get("/groups/acme/-/packages/pypi/simple/demo/")


# Errors become responses


@pytest.mark.parametrize("part", ["directory", "auth", "catalogue", "blobs"])
def test_a_collaborator_that_fails_is_500_and_logged_without_a_secret(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    client = client_of(with_broken(part, RuntimeError("the host's own trouble")))
    pair = base64.b64encode(b"ada:s3cr3t-basic").decode()
    answer = client.post(
        "/projects/7/packages/pypi?private_token=s3cr3t-query",
        FORM,
        upload_files=[SDIST],
        headers={"Authorization": f"Basic {pair}", "Deploy-Token": "s3cr3t-header"},
        status=500,
    )
    assert answer.status == "500 Internal Server Error"
    assert answer.content_type == "application/json"
    assert answer.json == {"message": "500 Internal Server Error"}
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("pypi_registry", logging.ERROR)
    assert "the host's own trouble" in caplog.text
    assert "/projects/7/packages/pypi" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert pair not in caplog.text


def test_a_request_writes_no_line_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    environ = create_environ() | {"PATH_INFO": "/projects/7/packages/pypi/files/ab/x\r\nERROR all is lost"}
    _, status, _ = run_wsgi_app(with_broken("catalogue", RuntimeError("trouble")), environ)
    assert status == "500 Internal Server Error"
    assert len(caplog.records[0].getMessage().splitlines()) == 1


@pytest.mark.parametrize("part", ["directory", "auth", "catalogue", "blobs"])
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (StorageFull(), "507 Insufficient Storage", "507 Insufficient Storage"),
        (
            StorageUnavailable("the catalogue is busy"),
            "503 Service Unavailable - the catalogue is busy",
            "503 Service Unavailable - the catalogue is busy",
        ),
    ],
    ids=["full", "unavailable"],
)
def test_a_store_that_cannot_answer_says_so(
    client_of: ClientOf, part: str, error: RegistryError, status: str, message: str
) -> None:
    client = client_of(with_broken(part, error))
    answer = client.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], expect_errors=True)
    assert answer.status == status
    assert answer.json == {"message": message}


BASIC = ("WWW-Authenticate", 'Basic realm="GitLab Packages Registry"')
BEARER = ("WWW-Authenticate", 'Bearer error="invalid_token"')
EXPIRED = "Token is expired. You can either do re-authorization or token refresh."
REVOKED = "Token was revoked. You have to re-authorize from the user."
HIGHER = "The request requires higher privileges than provided by the access token."
INVALID_NAME = "'é' is not made of ASCII letters and digits, with '.', '-' and '_' between them"

REFUSALS: list[tuple[RegistryError, str, dict[str, object], list[tuple[str, str]]]] = [
    (InvalidName("é"), f"400 {INVALID_NAME}", {"message": f"400 {INVALID_NAME}"}, []),
    (
        InvalidVersion("1.0_1", 3),
        "400 '1.0_1' is not a version from '_1' on",
        {"message": "400 '1.0_1' is not a version from '_1' on"},
        [],
    ),
    (
        InvalidUpload(["content is missing", "name is missing"]),
        "400 Bad request - Validation failed: content is missing, name is missing",
        {
            "message": "400 Bad request - Validation failed: content is missing, name is missing",
            "errors": ["content is missing", "name is missing"],
        },
        [],
    ),
    (
        FileTaken("demo-1.0.tar.gz"),
        "400 Bad request - Validation failed: File name has already been taken (demo-1.0.tar.gz already exists)",
        {
            "message": "400 Bad request - Validation failed: "
            "File name has already been taken (demo-1.0.tar.gz already exists)",
            "errors": ["File name has already been taken (demo-1.0.tar.gz already exists)"],
        },
        [],
    ),
    (
        FileTooLarge(10),
        "400 Bad request - File is too large (it must be smaller than 10 bytes)",
        {
            "message": "400 Bad request - File is too large (it must be smaller than 10 bytes)",
            "errors": ["File is too large (it must be smaller than 10 bytes)"],
        },
        [],
    ),
    (
        FileTooLarge(10, status=413),
        "413 Request Entity Too Large - File is too large (it must be smaller than 10 bytes)",
        {
            "message": "413 Request Entity Too Large - File is too large (it must be smaller than 10 bytes)",
            "errors": ["File is too large (it must be smaller than 10 bytes)"],
        },
        [],
    ),
    (
        InvalidRequest(["status is missing", "reason must be a text"]),
        "400 Bad request - Validation failed: status is missing, reason must be a text",
        {
            "message": "400 Bad request - Validation failed: status is missing, reason must be a text",
            "errors": ["status is missing", "reason must be a text"],
        },
        [],
    ),
    (
        InvalidParameter("sort"),
        "400 sort does not have a valid value",
        {"error": "sort does not have a valid value"},
        [],
    ),
    (NotAuthenticated(), "401 Unauthorized", {"message": "401 Unauthorized"}, [BASIC]),
    (InvalidToken(), "401 Unauthorized", {"message": "401 Unauthorized"}, [BASIC]),
    (
        InvalidToken("expired"),
        "401 Unauthorized - Token expired",
        {"error": "invalid_token", "error_description": EXPIRED},
        [BASIC, BEARER],
    ),
    (
        InvalidToken("revoked"),
        "401 Unauthorized - Token revoked",
        {"error": "invalid_token", "error_description": REVOKED},
        [BASIC, BEARER],
    ),
    (Forbidden(), "403 Forbidden", {"message": "403 Forbidden"}, []),
    (
        Forbidden("Package protected."),
        "403 Forbidden - Package protected.",
        {"message": "403 Forbidden - Package protected."},
        [],
    ),
    (
        UploadsRefused("demo", "archived"),
        "403 Forbidden - demo is archived and takes no uploads",
        {"message": "403 Forbidden - demo is archived and takes no uploads"},
        [],
    ),
    (
        InsufficientScope("api"),
        "403 Forbidden - the token lacks the scope api",
        {"error": "insufficient_scope", "error_description": HIGHER, "scope": "api"},
        [],
    ),
    (NotFound(), "404 Not Found", {"message": "404 Not Found"}, []),
    (NotFound("Package"), "404 Package Not Found", {"message": "404 Package Not Found"}, []),
    (NoSuchRoute(), "404 Not Found", {"error": "404 Not Found"}, []),
    (
        MethodNotAllowed(["GET", "HEAD"]),
        "405 Not Allowed",
        {"error": "405 Not Allowed"},
        [("Allow", "GET, HEAD")],
    ),
    (
        MethodNotAllowed(["POST"], "go elsewhere"),
        "405 Not Allowed - go elsewhere",
        {"error": "405 Not Allowed - go elsewhere"},
        [("Allow", "POST")],
    ),
    (
        RegistrationNotSupported(),
        "410 Gone - a name need not be registered, upload a file instead",
        {"message": "410 Gone - a name need not be registered, upload a file instead"},
        [],
    ),
    (
        LengthRequired(),
        "411 Length Required - send a Content-Length",
        {"message": "411 Length Required - send a Content-Length"},
        [],
    ),
    (PreconditionFailed(), "412 Precondition Failed", {"message": "412 Precondition Failed"}, []),
    (StorageUnavailable("busy"), "503 Service Unavailable - busy", {"message": "503 Service Unavailable - busy"}, []),
    (StorageFull(), "507 Insufficient Storage", {"message": "507 Insufficient Storage"}, []),
]


@pytest.mark.parametrize(("error", "status", "body", "headers"), REFUSALS, ids=lambda value: repr(value)[:60])
def test_an_error_becomes_a_response(
    error: RegistryError, status: str, body: dict[str, object], headers: list[tuple[str, str]]
) -> None:
    answer = refuse(error)
    data = b"".join(answer.body)
    assert answer.status == status
    assert json.loads(data) == body
    assert sorted(answer.headers) == sorted(
        [("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers]
    )


def test_every_error_of_the_package_is_in_the_table_above() -> None:
    classes = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, RegistryError)}
    assert {type(error) for error, *_ in REFUSALS} == classes - {RegistryError}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("x" * 5000, id="long"),
        pytest.param("a\r\nSet-Cookie: b=c", id="CR LF"),
        pytest.param("a\nb\rc\x00d\x0be\x85f\u2028g\x7fh", id="controls"),
        pytest.param("naïve ☃ 日本", id="beyond latin-1"),
        pytest.param("\udc80", id="a lone surrogate"),
    ],
)
def test_a_reason_phrase_is_short_printable_latin_1_and_the_body_says_all(fault: str) -> None:
    answer = refuse(InvalidUpload([fault]))
    code, _, phrase = answer.status.partition(" ")
    assert code == "400"
    assert phrase.startswith("Bad request - Validation failed: ")
    assert len(phrase) <= 200
    assert phrase.encode("latin-1").decode("latin-1").isprintable()
    assert json.loads(b"".join(answer.body))["errors"] == [fault]


# Methods and addresses

READ, PUBLISH = "GET, HEAD, OPTIONS", "POST, OPTIONS"
STATUS, PACKAGE, FILE = "GET, PATCH, HEAD, OPTIONS", "GET, PATCH, DELETE, HEAD, OPTIONS", "DELETE, OPTIONS"
ALLOWED = [
    ("/projects/7/packages/pypi/simple", READ),
    ("/projects/7/packages/pypi/simple/demo/", STATUS),
    ("/projects/7/packages/pypi/files/{sha256}/demo-1.0.tar.gz", READ),
    ("/projects/7/packages/pypi", PUBLISH),
    ("/groups/acme/-/packages/pypi/simple", READ),
    ("/groups/acme/-/packages/pypi/simple/demo/", READ),
    ("/groups/acme/-/packages/pypi/files/{sha256}/demo-1.0.tar.gz", READ),
    ("/groups/acme/-/packages/pypi", "OPTIONS"),
    ("/projects/7/packages", READ),
    ("/groups/acme/packages", READ),
    ("/projects/7/packages/{package}", PACKAGE),
    ("/projects/7/packages/{package}/package_files", READ),
    ("/projects/7/packages/{package}/package_files/{file}", FILE),
    ("/projects/7/packages/{package}/package_files/{file}/download", READ),
]


@pytest.fixture
def filled(client_of: ClientOf) -> Any:
    catalogue = MemoryCatalogue()
    client = client_of(
        Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs(), forward_to="https://mirror.example/simple/")
    )
    for project in ("7", "acme%2Ftools"):
        client.post(f"/projects/{project}/packages/pypi", FORM, upload_files=[SDIST], status=201)
    (file,) = catalogue.files([7], canonicalize_name("demo"))
    client.known = {"sha256": file.digests.sha256, "package": file.package.id, "file": file.id}
    return client


@pytest.mark.parametrize(
    ("address", "status"),
    [
        *[(address, 200) for address, allowed in ALLOWED if "GET" in allowed],
        ("/projects/7/packages/pypi/simple/absent/", 302),
        ("/projects/7/packages/pypi/simple/-/", 404),
        ("/projects/a%2F%2Fb/packages/pypi/simple", 404),
        ("/projects/7/packages/pypi", 405),
        ("/groups/acme/-/packages/pypi", 405),
        ("/nowhere", 404),
    ],
)
def test_head_is_a_get_without_a_body(filled: Any, address: str, status: int) -> None:
    get, head = (method(address.format(**filled.known), status=status) for method in (filled.get, filled.head))
    assert get.body
    assert head.body == b""
    assert head.headers == get.headers


@pytest.mark.parametrize(("address", "allowed"), ALLOWED)
def test_options_tells_the_methods(filled: Any, address: str, allowed: str) -> None:
    answer = filled.app.options(filled.prefix + address.format(**filled.known), status=204)
    assert answer.headers["Allow"] == allowed
    assert answer.body == b""


@pytest.mark.parametrize(("address", "allowed"), ALLOWED)
def test_another_method_is_405_and_tells_the_methods(filled: Any, address: str, allowed: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {*allowed.split(", ")}:
        answer = filled.app.request(filled.prefix + address.format(**filled.known), method=method, status=405)
        assert answer.headers["Allow"] == allowed
        assert answer.json["error"].startswith("405 Not Allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/projects",
        "/projects/7",
        "/projects//packages",
        "/projects/7/packages/1/package_files/2/x",
        "/projects/7/packages/pypi/simple/a/b",
        "/projects/7/packages/pypi/files/abc",
        "/projects//packages/pypi/simple",
        "/groups/acme/packages/pypi/simple",
        "/groups/acme/packages/1",
        "/PROJECTS/7/packages/pypi/simple",
    ],
)
def test_an_unknown_address_is_404_with_the_key_error(client_of: ClientOf, path: str) -> None:
    client = client_of(Registry())
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.app.request(client.prefix + path, method=method, status=404)
        assert answer.content_type == "application/json"
        assert answer.json == {"error": "404 Not Found"}


@pytest.mark.parametrize(
    "options",
    [
        {"forward_to": True},
        {"forward_to": ""},
        {"forward_to": "mirror.example"},
        {"forward_to": "https://mirror.example/\r\nX-Injected: yes"},
        {"max_file_size": 0},
        {"verify": "strict"},
        {"fallback": "/"},
        {"max_file_size": -1},
        {"max_file_size": "3 GiB"},
        {"max_file_size": True},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(options))):
        Registry(**options)
