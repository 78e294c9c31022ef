import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client as WerkzeugClient
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._api.routes import ROUTES, match
from pypi_registry._http.errors import NoSuchRoute
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project, Projects
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

PROJECT, GROUP = "/projects/:project/packages/pypi", "/groups/:group/-/packages/pypi"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "address", "captured"),
    [
        ("/projects/42/packages/pypi/simple", f"{PROJECT}/simple", {"project": "42"}),
        ("/projects/acme/tools/packages/pypi/simple", f"{PROJECT}/simple", {"project": "acme/tools"}),
        ("/projects/a/b/c/d/e/packages/pypi", PROJECT, {"project": "a/b/c/d/e"}),
        ("/projects/acme%2ftools/packages/pypi", PROJECT, {"project": "acme/tools"}),
        (
            "/projects/a.b/c-d_e/packages/pypi/simple/Demo",
            f"{PROJECT}/simple/:name",
            {"project": "a.b/c-d_e", "name": "Demo"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/demo-1.0+x.tar.gz",
            f"{PROJECT}/files/:sha256/:filename",
            {"project": "42", "sha256": "abc", "filename": "demo-1.0+x.tar.gz"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/demo-1.0-py3-none-any.whl.metadata",
            f"{PROJECT}/files/:sha256/:filename.metadata",
            {"project": "42", "sha256": "abc", "filename": "demo-1.0-py3-none-any.whl"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/demo-metadata",
            f"{PROJECT}/files/:sha256/:filename",
            {"project": "42", "sha256": "abc", "filename": "demo-metadata"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/.metadata",
            f"{PROJECT}/files/:sha256/:filename",
            {"project": "42", "sha256": "abc", "filename": ".metadata"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/demo-1.0-variants.json",
            f"{PROJECT}/files/:sha256/:release-variants.json",
            {"project": "42", "sha256": "abc", "release": "demo-1.0"},
        ),
        (
            "/projects/42/packages/pypi/files/abc/demo-1.0.variants.json",
            f"{PROJECT}/files/:sha256/:filename",
            {"project": "42", "sha256": "abc", "filename": "demo-1.0.variants.json"},
        ),
        (
            "/projects/acme/tools/packages/pypi/+simple/demo",
            f"{PROJECT}/+simple/:name",
            {"project": "acme/tools", "name": "demo"},
        ),
        ("/groups/42/-/packages/pypi", GROUP, {"group": "42"}),
        ("/groups/acme/-/packages/pypi/simple", f"{GROUP}/simple", {"group": "acme"}),
        ("/groups/acme/libs/-/packages/pypi/simple/x", f"{GROUP}/simple/:name", {"group": "acme/libs", "name": "x"}),
        (
            "/groups/acme/-/packages/pypi/files/abc/x.whl",
            f"{GROUP}/files/:sha256/:filename",
            {"group": "acme", "sha256": "abc", "filename": "x.whl"},
        ),
        (
            "/groups/acme/-/packages/pypi/files/abc/x.whl.metadata",
            f"{GROUP}/files/:sha256/:filename.metadata",
            {"group": "acme", "sha256": "abc", "filename": "x.whl"},
        ),
        (
            "/groups/acme/-/packages/pypi/files/abc/demo-1.0-variants.json",
            f"{GROUP}/files/:sha256/:release-variants.json",
            {"group": "acme", "sha256": "abc", "release": "demo-1.0"},
        ),
        # Packages and projects whose names are words of the addresses
        ("/projects/1/packages/pypi/simple/simple", f"{PROJECT}/simple/:name", {"project": "1", "name": "simple"}),
        ("/projects/1/packages/pypi/simple/pypi", f"{PROJECT}/simple/:name", {"project": "1", "name": "pypi"}),
        ("/projects/packages/pypi/packages/pypi", PROJECT, {"project": "packages/pypi"}),
        ("/projects/packages/pypi/packages/pypi/simple", f"{PROJECT}/simple", {"project": "packages/pypi"}),
        ("/projects/a/packages/pypi/simple/packages/pypi", PROJECT, {"project": "a/packages/pypi/simple"}),
        (
            "/projects/a/packages/pypi/simple/packages/pypi/simple",
            f"{PROJECT}/simple",
            {"project": "a/packages/pypi/simple"},
        ),
        (
            "/projects/a/packages/pypi/simple/packages/pypi/simple/demo",
            f"{PROJECT}/simple/:name",
            {"project": "a/packages/pypi/simple", "name": "demo"},
        ),
        (
            "/projects/a/packages/pypi/files/packages/pypi/files/abc/x.whl",
            f"{PROJECT}/files/:sha256/:filename",
            {"project": "a/packages/pypi/files", "sha256": "abc", "filename": "x.whl"},
        ),
        ("/groups/projects/groups/-/packages/pypi/simple", f"{GROUP}/simple", {"group": "projects/groups"}),
    ],
)
def test_a_path_is_matched_on_its_tail(path: str, address: str, captured: dict[str, str], slash: str) -> None:
    found = match(path + slash)
    assert found.route.path == address
    assert found.parameters == captured
    assert found.trailing_slash == bool(slash)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/projects/packages/pypi",
        "/projects//packages/pypi",
        "/projects/42/packages/pypi//",
        "/projects/42/packages/pypi/simple//",
        "/projects/42/packages/pypi/simple/a/b",
        "/projects/42/packages/pypi/files/abc",
        "/projects/42/packages/pypi/files/abc/x/y",
        "/projects/42/packages/pypi/simple2",
        "/projects/42/packages/pypi/ simple/demo",
        "/projects/42/packages/pypi/ysimple/demo",
        "/projects/42/packages/pypi/+simple/a/b",
        "/groups/acme/-/packages/pypi/+simple/demo",
        "/projects/42/packages/pypi/authorize",
        "/groups/acme/packages/pypi/simple",
        "/groups/-/packages/pypi/simple",
        "/x/projects/42/packages/pypi/simple",
        "/projects/42/packages/pypi/simple\n",
    ],
)
def test_any_other_path_is_no_route(path: str) -> None:
    with pytest.raises(NoSuchRoute):
        match(path)


# Every method at every address


READING, STATUSES = "GET, HEAD, OPTIONS", "GET, PATCH, HEAD, OPTIONS"
PUBLISH, LISTED = (
    "packages are published to a project: /projects/:id/packages/pypi",
    "/projects/:id/packages/pypi/simple",
)
METHODS: dict[str, tuple[str, str]] = {
    f"{PROJECT}/files/:sha256/:filename.metadata": (READING, ""),
    f"{PROJECT}/files/:sha256/:filename": (READING, ""),
    f"{PROJECT}/files/:sha256/:release-variants.json": (READING, ""),
    f"{PROJECT}/simple": (READING, PUBLISH),
    f"{PROJECT}/simple/:name": (STATUSES, PUBLISH),
    f"{PROJECT}/+simple/:name": (READING, PUBLISH),
    "/projects/:project": (READING, ""),
    "/groups/:group": (READING, ""),
    PROJECT: ("POST, OPTIONS", f"packages are published here by POST, and listed at {LISTED}"),
    f"{GROUP}/files/:sha256/:filename.metadata": (READING, ""),
    f"{GROUP}/files/:sha256/:filename": (READING, ""),
    f"{GROUP}/files/:sha256/:release-variants.json": (READING, ""),
    f"{GROUP}/simple": (READING, PUBLISH),
    f"{GROUP}/simple/:name": (READING, PUBLISH),
    GROUP: ("OPTIONS", PUBLISH),
    "/projects/:project/packages": (READING, ""),
    "/groups/:group/packages": (READING, ""),
    "/projects/:project/packages/:package_id": ("GET, PATCH, DELETE, HEAD, OPTIONS", ""),
    "/projects/:project/packages/:package_id/package_files": (READING, ""),
    "/projects/:project/packages/:package_id/package_files/:package_file_id": ("DELETE, OPTIONS", ""),
    "/projects/:project/packages/:package_id/package_files/:package_file_id/download": (READING, ""),
}


def test_every_route_is_in_the_table() -> None:
    assert sorted(METHODS) == sorted(route.path for route in ROUTES)


@pytest.fixture
def filled(client_of: Callable[[Registry], Any]) -> Callable[[str, str], Any]:
    """Give a function that asks with a method, at the address of a route in which there is something."""
    filename = "demo-1.0-py3-none-any.whl"
    registry = Registry(forward_to=None)
    client = client_of(registry)
    form, content = {"name": "demo", "version": "1.0"}, [("content", filename, distribution(filename))]
    client.post("/projects/acme%2Ftools/packages/pypi", form, upload_files=content, status=201)
    variant = "demo-1.0-py3-none-any-fast.whl"
    content = [("content", variant, distribution(variant))]
    client.post("/projects/acme%2Ftools/packages/pypi", form, upload_files=content, status=201)
    page = client.get("/projects/acme%2Ftools/packages/pypi/simple/demo?format=application/vnd.pypi.simple.v1%2Bjson")
    variants = page.json["files"][-1]
    package = client.get("/projects/acme%2Ftools/packages").json[0]["id"]
    file = client.get(f"/projects/acme%2Ftools/packages/{package}/package_files").json[0]
    parts = {
        ":project": "acme%2Ftools",
        ":group": "acme",
        ":sha256": file["file_sha256"],
        ":filename": filename,
        ":release": variants["filename"].removesuffix("-variants.json"),
        ":name": "demo",
        ":package_id": str(package),
        ":package_file_id": str(file["id"]),
    }

    def ask(address: str, method: str) -> TestResponse:
        digest = {":sha256": variants["hashes"]["sha256"]} if ":release" in address else {}
        path = re.sub(r":\w+", lambda part: (parts | digest)[part[0]], address)
        return WerkzeugClient(client.app.app).open(client.prefix + path, method=method)

    return ask


@pytest.mark.everywhere
@pytest.mark.parametrize("address", METHODS)
def test_every_method_at_an_address_is_answered_or_405_with_those_that_are(
    filled: Callable[[str, str], Any], address: str
) -> None:
    allowed, advice = METHODS[address]
    sentence = f"405 Not Allowed - {advice}" if advice else "405 Not Allowed"
    # PROPFIND stands for all that nobody thought of. Last come those that change what the others look at.
    for method in ("OPTIONS", "HEAD", "GET", "PROPFIND", "TRACE", "PUT", "POST", "PATCH", "DELETE"):
        answer = filled(address, method)
        if method == "OPTIONS":
            assert (answer.status, answer.data) == ("204 No Content", b"")
            assert answer.headers["Allow"] == allowed
            assert "Content-Length" not in answer.headers  # RFC 9110, 8.6
        elif method in allowed.split(", "):
            assert answer.status_code != 405
            assert "Allow" not in answer.headers
        else:
            assert answer.status == sentence
            assert answer.headers["Allow"] == allowed
            assert answer.headers["Content-Type"] == "application/json"
            if method != "HEAD":
                assert answer.json == {"error": sentence}


@pytest.mark.everywhere
@pytest.mark.parametrize("address", METHODS)
def test_head_has_the_headers_of_get_and_no_body(filled: Callable[[str, str], Any], address: str) -> None:
    got, head = filled(address, "GET"), filled(address, "HEAD")
    assert got.status_code == (200 if "GET" in METHODS[address][0] else 405)
    assert head.status == got.status
    assert head.headers == got.headers
    assert head.data == b""
    assert int(got.headers["Content-Length"]) == len(got.data) > 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_upload_address_says_what_it_is_for(filled: Callable[[str, str], Any], slash: str, method: str) -> None:
    answer = filled(f"{PROJECT}{slash}", method)
    assert answer.status == f"405 Not Allowed - packages are published here by POST, and listed at {LISTED}"
    assert answer.headers["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("page", [f"{PROJECT}/simple", f"{PROJECT}/simple/:name", f"{GROUP}/simple"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_upload_to_a_simple_page_is_told_where_to_go(
    filled: Callable[[str, str], Any], slash: str, page: str
) -> None:
    # uv asks for this: "are you using the simple index URL instead of the upload URL?"
    answer = filled(f"{page}{slash}", "POST")
    assert answer.status == f"405 Not Allowed - {PUBLISH}"


# What servers make of an id


class EmptyDirectory:
    """A directory without projects, which records the references that it was called with."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []

    def project(self, ref: Ref) -> Project | None:
        self.refs.append(ref)
        return None

    def group(self, ref: Ref) -> Group | None:
        self.refs.append(ref)
        return None

    def projects_in(self, group: Group) -> Projects:
        return Projects()


def ask(registry: Registry, path_info: str, **environ: object) -> tuple[str, bytes]:
    """Call with a path exactly as a server hands it on."""
    body, status, _ = run_wsgi_app(registry, create_environ() | {"PATH_INFO": path_info} | environ)
    return status, b"".join(body)


@pytest.mark.parametrize("place", ["/projects/{}/packages/pypi/simple", "/groups/{}/-/packages/pypi/simple/demo/"])
@pytest.mark.parametrize(
    ("text", "refs"),
    [
        pytest.param("42", [42], id="number"),
        pytest.param("1" * 18, [int("1" * 18)], id="18 digits"),
        pytest.param("1" * 19, [], id="19 digits"),
        pytest.param("1" * 5000, [], id="5000 digits"),
        pytest.param("-1", [], id="below zero"),
        pytest.param("+1", ["+1"], id="a plus is no number"),
        pytest.param("acme/tools", ["acme/tools"], id="decoded by the server"),
        pytest.param("acme%2Ftools", ["acme/tools"], id="left as it was"),
        pytest.param("acme%2ftools", ["acme/tools"], id="left in lower case"),
        pytest.param("acme%252Ftools", ["acme%2Ftools"], id="unquoted only once"),
        pytest.param("%34%32", [42], id="a quoted number"),
        pytest.param("a/b%2Fc/d", ["a/b/c/d"], id="half decoded"),
        pytest.param("my.libs/tools-2_x", ["my.libs/tools-2_x"], id="dots, dashes, underscores"),
        pytest.param("a+b", ["a+b"], id="a plus is no blank"),
        pytest.param("caf\xc3\xa9/x", ["café/x"], id="UTF-8 as latin-1"),
        pytest.param("\xff/x", ["\ufffd/x"], id="not UTF-8"),
        pytest.param("caf%C3%A9/x", ["café/x"], id="quoted UTF-8"),
        pytest.param("☃/x", ["?/x"], id="beyond latin-1, against WSGI"),
    ],
)
def test_an_id_is_read_from_what_the_server_hands_on(place: str, text: str, refs: list[Ref]) -> None:
    directory = EmptyDirectory()
    status, body = ask(Registry(directory=directory, auth=AllowAll()), place.format(text))
    assert directory.refs == refs
    assert status == "404 Not Found"
    assert body == b'{"message": "404 Not Found"}'


@pytest.mark.parametrize(
    "path_info",
    [
        pytest.param("http://host.example/projects/42/packages/pypi/simple", id="absolute form"),
        pytest.param("https://host.example:8080/projects/42/packages/pypi/simple", id="absolute form with a port"),
        pytest.param("http://host.example//projects/42/packages/pypi/simple", id="absolute form, two slashes"),
        pytest.param("//projects/42/packages/pypi/simple", id="two slashes"),
        pytest.param("///projects/42/packages/pypi/simple/", id="three slashes"),
        pytest.param("projects/42/packages/pypi/simple", id="no slash"),
    ],
)
def test_a_path_begins_at_the_first_segment(path_info: str) -> None:
    directory = EmptyDirectory()
    ask(Registry(directory=directory, auth=AllowAll()), path_info)
    assert directory.refs == [42]


@pytest.mark.parametrize("path_info", ["", "/", "//", "http://host.example", "http://host.example/", "http://"])
def test_the_mount_point_itself_is_no_endpoint(path_info: str) -> None:
    assert ask(Registry(), path_info) == ("404 Not Found", b'{"error": "404 Not Found"}')


@pytest.mark.parametrize(
    "text",
    [
        "acme/../tools",
        "../acme/tools",
        "acme/./tools",
        "acme%2F..%2Ftools",
        "%2E%2E/tools",
        "acme//tools",
        "/acme/tools",
        "acme/tools/",
        "acme%2Ftools%2F",
        "acme\\tools",
        "acme/to ols",
        "acme/\0",
        "a\nb",
        "-acme/tools",
        "caf\xc3\xa9/x",
        "1" * 19,
        "-1",
    ],
)
def test_an_id_that_could_not_be_a_path_is_unknown_even_where_every_id_is_a_project(text: str) -> None:
    status, _ = ask(Registry(), f"/projects/{text}/packages/pypi/simple")
    assert status == "404 Not Found"


@pytest.mark.parametrize(
    "path_info",
    [
        "/projects/acme\0/tools/packages/pypi/simple",
        "/projects/acme%00%2Ftools/packages/pypi/simple",
        "/groups/acme\0/-/packages/pypi/simple",
        "/projects/42/packages/pypi/simple/de\0mo/",
        "/projects/42/packages/pypi/files/abc/demo\0.whl",
        "/projects/42/packages/pypi/files/a\0c/demo.whl",
    ],
)
def test_a_nul_is_unknown_and_reaches_no_collaborator(path_info: str) -> None:
    # PostgreSQL, for one, accepts no NUL in a text: in the directory or catalogue of an application it would be a 500.
    asked: list[object] = []

    class Directory(EmptyDirectory):
        def project(self, ref: Ref) -> Project:
            asked.append(ref)
            return Project(42, "acme/tools")

        def group(self, ref: Ref) -> Group:
            asked.append(ref)
            return Group(1, "acme")

    class Rows(MemoryCatalogue):
        def file(self, projects: Projects, sha256: str, filename: str) -> None:
            asked.extend([sha256, filename])

    registry = Registry(directory=Directory(), auth=AllowAll(), catalogue=Rows(), blobs=MemoryBlobs(), forward_to=None)
    status, _ = ask(registry, path_info)
    assert status.startswith("404 ")
    assert "\\x00" not in repr(asked)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "project",
    [
        "42",
        "acme%2Ftools",
        "acme%2ftools",
        "acme/tools",
        "a/b%2Fc/d/e",
        "packages/pypi",
        "packages%2Fpypi",
        "a/packages/pypi/simple",
        "a%2Fpackages%2Fpypi%2Fsimple",
        "my.libs/tools-2_x",
    ],
)
def test_what_is_uploaded_by_an_id_is_listed_by_it(project: str, slash: str) -> None:
    registry = Registry(forward_to=None)
    form = {"name": "demo", "version": "1.0", "content": (io.BytesIO(distribution("demo-1.0.zip")), "demo-1.0.zip")}
    environ = create_environ(method="POST", data=form)
    here = f"/projects/{project}/packages/pypi"
    _, status, _ = run_wsgi_app(registry, environ | {"PATH_INFO": f"{here}{slash}"})
    assert status == "201 Created"
    assert b"demo-1.0.zip" in ask(registry, f"{here}/simple/demo{slash}")[1]
    assert b">demo</a>" in ask(registry, f"{here}/simple{slash}")[1]


@pytest.mark.parametrize(
    "mangled",
    [
        pytest.param({"QUERY_STRING": None, "SCRIPT_NAME": None, "CONTENT_LENGTH": None}, id="missing"),
        pytest.param({"CONTENT_LENGTH": "", "CONTENT_TYPE": "", "QUERY_STRING": "", "SCRIPT_NAME": ""}, id="empty"),
        pytest.param({"HTTP_HOST": None, "SERVER_SOFTWARE": None, "REMOTE_ADDR": None}, id="no host"),
    ],
)
def test_a_page_needs_little_of_an_environ(mangled: dict[str, str | None]) -> None:
    environ = create_environ() | {"PATH_INFO": "/projects/42/packages/pypi/simple"} | mangled
    body, status, _ = run_wsgi_app(Registry(), {key: value for key, value in environ.items() if value is not None})
    assert status == "200 OK"
    assert b"Links for 42" in b"".join(body)


def test_an_environ_without_a_path_is_the_mount_point() -> None:
    environ = create_environ()
    del environ["PATH_INFO"]
    _, status, _ = run_wsgi_app(Registry(), environ)
    assert status == "404 Not Found"
