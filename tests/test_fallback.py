"""What of the addresses below the mount point is the host's own."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project

ClientOf = Callable[[Registry], Any]


class Places:
    """A directory of few places, which remembers the projects that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Ref] = []

    def project(self, ref: Ref) -> Project | None:
        self.asked.append(ref)
        tools, branches = Project(1, "acme/tools"), Project(2, "repository/branches")
        return {1: tools, "acme/tools": tools, "repository/branches": branches}.get(ref)

    def group(self, ref: Ref) -> Group | None:
        return {"acme": Group(1, "acme"), "acme/libs": Group(2, "acme/libs")}.get(str(ref))

    def projects_in(self, group: Group) -> Sequence[Project]:
        return []


class Host:
    """An application that answers everything, and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["wsgi.input"].read(3)))
        start_response("200 OK", [("Content-Type", "text/host"), ("Content-Length", "4")])
        return [b"host"]


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def places() -> Places:
    return Places()


def test_an_error_of_the_hosts_is_its_own(places: Places) -> None:
    def failing(environ: object, start_response: object) -> list[bytes]:
        raise RuntimeError("of the host")

    registry = Registry(directory=places, auth=AllowAll(), fallback=failing)
    for path in ("/issues", LOOKING_LIKE_OURS[0]):
        with pytest.raises(RuntimeError, match="of the host") as caught:
            run_wsgi_app(registry, create_environ(path))
        assert caught.value.__context__ is None


LOOKING_LIKE_OURS = (
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


def test_what_is_none_of_our_addresses_is_the_hosts_own_untouched(client_of: ClientOf, host: Host) -> None:
    client = client_of(Registry(fallback=host))
    assert client.post("/projects/7/issues%2F1", b"abc", status=200).body == b"host"
    assert host.seen == [(client.prefix, "/projects/7/issues/1", b"abc")]
    for ours in ("/projects/7/packages/pypi/simple/", "/projects/7/packages/pypi"):
        client.get(ours, status="*")
    assert len(host.seen) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", LOOKING_LIKE_OURS)
def test_what_only_looks_like_one_is_the_hosts_own_too(
    client_of: ClientOf, host: Host, places: Places, path: str, method: str
) -> None:
    client = client_of(Registry(directory=places, auth=AllowAll(), fallback=host))
    client.app.request(
        client.prefix + path, method=method, body=b"abc", headers={"Sec-Fetch-Site": "same-site"}, status=200
    )
    assert host.seen == [(client.prefix, path, b"abc")]


@pytest.mark.parametrize("path", LOOKING_LIKE_OURS)
def test_without_a_fallback_it_is_answered_as_one_of_ours(client_of: ClientOf, places: Places, path: str) -> None:
    answer = client_of(Registry(directory=places, auth=AllowAll())).get(path, status="4*")
    assert answer.status_int in (400, 404, 405)
    assert answer.json


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/projects/1/packages", 200),
        ("/projects/acme/tools/packages", 200),  # a server has decoded the slash
        ("/projects/acme%2Ftools/packages/pypi/simple/", 200),
        ("/projects/repository/branches/packages/", 200),  # of a project that is called so
        ("/groups/acme/libs/-/packages/pypi/simple", 200),
        ("/projects/acme/tools/packages/7", 404),
        ("/projects/acme/tools/packages/pypi", 405),
        ("/projects/8/packages", 404),  # could be nothing else
        ("/projects/8/packages/7", 404),
        ("/groups/none/-/packages/pypi/simple", 404),
    ],
)
def test_what_can_only_be_ours_never_comes_to_the_host(
    client_of: ClientOf, host: Host, places: Places, path: str, status: int
) -> None:
    client_of(Registry(directory=places, auth=AllowAll(), fallback=host)).get(path, status=status)
    assert host.seen == []


def test_a_directory_is_asked_only_once_for_an_address(client_of: ClientOf, host: Host, places: Places) -> None:
    client = client_of(Registry(directory=places, auth=AllowAll(), fallback=host))
    client.get("/projects/acme/tools/packages/pypi/simple", status=200)
    assert places.asked == ["acme/tools"]
