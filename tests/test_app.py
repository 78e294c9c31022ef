"""The application: what a registry is constructed from, and what becomes of the errors of its collaborators."""

import base64
import errno
import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._open_access import OpenDirectory
from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable
from pypi_registry.forwarding import PYPI, Forward
from pypi_registry.model import Projects
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

SDIST = ("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))
FORM = {"name": "demo", "version": "1.0"}


class Broken:
    """Stands for any collaborator, and raises an error in every method."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object, **options: object) -> None:
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


# What a registry is constructed from


def test_without_arguments_every_path_is_a_project_and_everyone_publishes(client_of: ClientOf) -> None:
    client = client_of(Registry())
    client.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], status=201)
    client.post("/projects/acme%2Ftools/packages/pypi", FORM, upload_files=[SDIST], status=201)
    assert "demo-1.0.tar.gz" in client.get("/projects/7/packages/pypi/simple/demo/")
    assert "demo-1.0.tar.gz" in client.get("/groups/acme/-/packages/pypi/simple/demo/")


def test_two_registries_share_nothing(client_of: ClientOf) -> None:
    first, second = client_of(Registry()), client_of(Registry())
    first.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], status=201)
    second.get("/projects/7/packages/pypi/simple/demo/", status=404)


def test_nothing_is_forwarded_by_default(client_of: ClientOf) -> None:
    client = client_of(Registry())
    for path in ("/projects/7/packages/pypi/simple/demo/", "/groups/acme/-/packages/pypi/simple/demo/"):
        assert client.get(path, status=404).json == {"message": "404 Package Not Found"}


@pytest.mark.parametrize(
    "forward_to",
    [
        pytest.param(PYPI, id="a URL"),
        pytest.param(lambda namespace, name: PYPI, id="a function"),
        pytest.param(lambda namespace, name: Forward(PYPI), id="a function that returns a Forward"),
    ],
)
def test_a_name_is_forwarded_if_forward_to_is_given(client_of: ClientOf, forward_to: Any) -> None:
    client = client_of(Registry(forward_to=forward_to))
    response = client.get("/projects/7/packages/pypi/simple/demo/", status=302)
    assert response.headers["Location"] == f"{PYPI}demo/"


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
def test_a_missing_argument_is_named(given: dict[str, Any], needed: str) -> None:
    with pytest.raises(TypeError) as caught:
        Registry(**given)
    assert f"needs {needed}" in str(caught.value) or f"and {needed}" in str(caught.value)


def test_the_error_for_stores_without_auth_names_allow_all() -> None:
    with pytest.raises(TypeError, match=r"auth=AllowAll\(\) lets everyone do anything"):
        Registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def test_a_catalogue_without_project_paths_needs_a_directory() -> None:
    class Rows:
        """A catalogue without the optional methods."""

    catalogue: Any = Rows()
    with pytest.raises(TypeError, match=r"directory=.*project_paths"):
        Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs())
    Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs(), directory=OpenDirectory(_CATALOGUE))


@pytest.mark.parametrize(
    "options",
    [
        {"forward_to": True},
        {"forward_to": ""},
        {"forward_to": "mirror.example"},
        {"forward_to": "https://mirror.example/\r\nX-Injected: yes"},
        {"forward_to": Forward(PYPI)},
        {"max_file_size": 0},
        {"max_file_size": -1},
        {"max_file_size": "3 GiB"},
        {"max_file_size": 1e9},
        {"max_file_size": True},
        {"verify": "strict"},
        {"fallback": "/"},
        {"on_event": "print"},
        {"on_event": []},
    ],
    ids=str,
)
def test_an_invalid_option_is_named(options: dict[str, Any]) -> None:
    [name] = options
    with pytest.raises(TypeError, match=f"^{name}= must be "):
        Registry(**options)


@pytest.mark.parametrize("name", ["forward_to", "verify", "fallback", "on_event", "auth", "directory"])
def test_an_option_may_be_none(name: str) -> None:
    options: dict[str, Any] = {name: None}
    Registry(**options)


def test_an_empty_store_is_used_even_if_it_is_false() -> None:
    class Falsy(MemoryCatalogue):
        def __len__(self) -> int:
            return 0

    catalogue = Falsy()
    registry = Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs())
    environ = create_environ(
        "/projects/7/packages/pypi", method="POST", data={**FORM, "content": (io.BytesIO(SDIST[2]), SDIST[1])}
    )
    _, status, _ = run_wsgi_app(registry, environ)
    assert status == "201 Created"
    project = OpenDirectory(catalogue).project(7)
    assert project is not None
    assert catalogue.names(Projects([project])) == ["demo"]


def test_allow_all_works_with_a_directory_of_the_application(client_of: ClientOf) -> None:
    catalogue = MemoryCatalogue()
    directory = OpenDirectory(catalogue)
    client = client_of(Registry(auth=AllowAll(), directory=directory, catalogue=catalogue, blobs=MemoryBlobs()))
    client.post("/projects/acme%2Ftools/packages/pypi", FORM, upload_files=[SDIST], status=201)
    assert "demo-1.0.tar.gz" in client.get("/groups/acme/-/packages/pypi/simple/demo/")


# Errors of collaborators

COLLABORATORS = pytest.mark.parametrize("part", ["directory", "auth", "catalogue", "blobs"])


@COLLABORATORS
@pytest.mark.parametrize("error", [RuntimeError("a defect"), RegistryError("a defect")], ids=repr)
def test_an_unexpected_error_is_500_and_logged_without_a_secret(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, part: str, error: Exception
) -> None:
    client = client_of(with_broken(part, error))
    pair = base64.b64encode(b"ada:s3cr3t-basic").decode()
    response = client.post(
        "/projects/7/packages/pypi?private_token=s3cr3t-query",
        FORM,
        upload_files=[SDIST],
        headers={"Authorization": f"Basic {pair}", "Deploy-Token": "s3cr3t-header"},
        status=500,
    )
    assert response.status == "500 Internal Server Error"
    assert response.content_type == "application/json"
    assert response.json == {"message": "500 Internal Server Error"}
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("pypi_registry", logging.ERROR)
    assert "a defect" in caplog.text
    assert "/projects/7/packages/pypi" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert pair not in caplog.text


def test_a_path_cannot_add_a_line_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    environ = create_environ() | {"PATH_INFO": "/projects/7/packages/pypi/files/ab/x\r\nERROR all is lost"}
    _, status, _ = run_wsgi_app(with_broken("catalogue", RuntimeError("a defect")), environ)
    assert status == "500 Internal Server Error"
    assert len(caplog.records[0].getMessage().splitlines()) == 1


@COLLABORATORS
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StorageFull(), "507 Insufficient Storage"),
        (StorageUnavailable("the catalogue is busy"), "503 Service Unavailable - the catalogue is busy"),
    ],
    ids=["full", "unavailable"],
)
def test_an_error_of_a_store_is_its_response_and_one_line_of_the_log(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, part: str, error: RegistryError, message: str
) -> None:
    client = client_of(with_broken(part, error))
    response = client.post("/projects/7/packages/pypi", FORM, upload_files=[SDIST], expect_errors=True)
    assert response.status == message
    assert response.json == {"message": message}
    assert response.headers.get("Retry-After") == ("5" if message.startswith("503") else None)
    (record,) = caplog.records
    assert record.getMessage() == f"'POST' '/projects/7/packages/pypi': {error}"
    assert record.exc_info is None


def test_a_log_line_has_the_cause_and_a_response_has_not(caplog: pytest.LogCaptureFixture) -> None:
    error = StorageUnavailable("files cannot be read")
    error.__cause__ = OSError(errno.EROFS, "read-only", "/srv/secret/files")
    body, status, _ = run_wsgi_app(with_broken("catalogue", error), create_environ("/projects/7/packages/pypi/simple"))
    assert status == "503 Service Unavailable - files cannot be read"
    assert b"/srv" not in b"".join(body)
    assert "/srv/secret/files" in caplog.text


def test_a_long_path_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for error in (RuntimeError("a defect"), StorageUnavailable("busy")):
        environ = create_environ() | {"PATH_INFO": f"/projects/{'x' * 7900}/packages/pypi/simple"}
        run_wsgi_app(with_broken("directory", error), environ)
    assert len(caplog.records) == 2
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)


# HEAD, and paths of nothing


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/projects/7/packages/pypi/simple/absent/", 302),
        ("/projects/7/packages/pypi/simple/-/", 404),
        ("/projects/a%2F%2Fb/packages/pypi/simple", 404),
        ("/groups/acme/-/packages/pypi", 405),
        ("/nowhere", 404),
    ],
)
def test_a_refusal_of_head_has_the_headers_of_get_and_no_body(client_of: ClientOf, path: str, status: int) -> None:
    client = client_of(Registry(forward_to="https://mirror.example/simple/"))
    get, head = (method(path, status=status) for method in (client.get, client.head))
    assert get.body
    assert head.body == b""
    assert head.headers == get.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/projects",
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
def test_an_unknown_path_is_404_with_the_key_error(client_of: ClientOf, path: str) -> None:
    client = client_of(Registry())
    for method in ("GET", "POST", "OPTIONS"):
        response = client.app.request(client.prefix + path, method=method, status=404)
        assert response.content_type == "application/json"
        assert response.json == {"error": "404 Not Found"}
