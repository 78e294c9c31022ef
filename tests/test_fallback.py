"""Which paths below the mount point belong to the application that mounts the registry."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project, Projects

ClientOf = Callable[[Registry], Any]


class SmallDirectory:
    """A directory of two projects and two groups, which records the projects that it was called with."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []

    def project(self, ref: Ref) -> Project | None:
        self.refs.append(ref)
        tools, branches = Project(1, "acme/tools"), Project(2, "repository/branches")
        return {1: tools, "acme/tools": tools, "repository/branches": branches}.get(ref)

    def group(self, ref: Ref) -> Group | None:
        return {"acme": Group(1, "acme"), "acme/libs": Group(2, "acme/libs")}.get(str(ref))

    def projects_in(self, group: Group) -> Projects:
        return Projects()


class Application:
    """An application that responds to everything, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.requests.append((environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["wsgi.input"].read(3)))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"mine"]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def directory() -> SmallDirectory:
    return SmallDirectory()


def test_an_error_of_the_fallback_passes_through_without_context(directory: SmallDirectory) -> None:
    def failing(environ: object, start_response: object) -> list[bytes]:
        raise RuntimeError("of the application")

    registry = Registry(directory=directory, auth=AllowAll(), fallback=failing)
    for path in ("/issues", SIMILAR_PATHS[0]):
        with pytest.raises(RuntimeError, match="of the application") as caught:
            run_wsgi_app(registry, create_environ(path))
        assert caught.value.__context__ is None


SIMILAR_PATHS = (
    "/projects/1/repository/branches/packages",
    "/projects/1/packages/generic/packages/1.0",
    "/projects/1/packages/generic/packages/1",
    "/projects/1/packages/generic/packages/1/package_files/2/download",
    "/projects/1/packages/npm/packages/pypi/simple",
    "/projects/1/packages/npm/packages/pypi/simple/demo/",
    "/projects/1/packages/composer",
    "/projects/1/packages/npm/package_files/",
    "/projects/1/packages/1/package_files/all",
    "/projects/acme/tools/packages/maven",
    "/groups/acme/-/epics/packages",
    "/groups/acme/-/-/packages/pypi/simple",
)


def test_a_path_without_a_route_belongs_to_the_application_with_its_body(
    client_of: ClientOf, application: Application
) -> None:
    client = client_of(Registry(fallback=application))
    assert client.post("/projects/7/issues%2F1", b"abc", status=200).body == b"mine"
    assert application.requests == [(client.prefix, "/projects/7/issues/1", b"abc")]
    for ours in ("/projects/7/packages/pypi/simple/", "/projects/7/packages/pypi"):
        client.get(ours, status="*")
    assert len(application.requests) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", SIMILAR_PATHS)
def test_a_similar_path_belongs_to_the_application(
    client_of: ClientOf, application: Application, directory: SmallDirectory, path: str, method: str
) -> None:
    client = client_of(Registry(directory=directory, auth=AllowAll(), fallback=application))
    client.app.request(
        client.prefix + path, method=method, body=b"abc", headers={"Sec-Fetch-Site": "same-site"}, status=200
    )
    assert application.requests == [(client.prefix, path, b"abc")]


@pytest.mark.parametrize("path", SIMILAR_PATHS)
def test_without_a_fallback_the_registry_responds(client_of: ClientOf, directory: SmallDirectory, path: str) -> None:
    response = client_of(Registry(directory=directory, auth=AllowAll())).get(path, status="4*")
    assert response.status_int in (400, 404, 405)
    assert response.json


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/projects/1/packages", 200),
        ("/projects/acme/tools/packages", 200),  # a server has decoded the slash
        ("/projects/acme%2Ftools/packages/pypi/simple/", 200),
        ("/projects/repository/branches/packages/", 200),  # there is a project with this path
        ("/groups/acme/libs/-/packages/pypi/simple", 200),
        ("/projects/acme/tools/packages/7", 404),
        ("/projects/acme/tools/packages/pypi", 405),
        ("/projects/8/packages", 404),  # it has no other meaning
        ("/projects/8/packages/7", 404),
        ("/groups/none/-/packages/pypi/simple", 404),
    ],
)
def test_any_other_path_belongs_to_the_registry(
    client_of: ClientOf, application: Application, directory: SmallDirectory, path: str, status: int
) -> None:
    client_of(Registry(directory=directory, auth=AllowAll(), fallback=application)).get(path, status=status)
    assert application.requests == []


def test_a_project_is_looked_up_once(client_of: ClientOf, application: Application, directory: SmallDirectory) -> None:
    client = client_of(Registry(directory=directory, auth=AllowAll(), fallback=application))
    client.get("/projects/acme/tools/packages/pypi/simple", status=200)
    assert directory.refs == ["acme/tools"]
