"""``GET /projects/:id`` and ``GET /groups/:id``, which GitLab's clients request first."""

from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, TokenKind, User, token_digest
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

ACCOUNTS = Accounts(
    projects=[
        ProjectConfig(id=1, path="acme/open", name="Open", visibility=Visibility.PUBLIC),
        ProjectConfig(id=2, path="acme/inside", visibility=Visibility.INTERNAL),
        ProjectConfig(id=3, path="acme/libs/secret"),
        ProjectConfig(id=4, path="main/packages", visibility=Visibility.PUBLIC),
    ],
    groups=[
        GroupConfig(path="acme", id=10, name="Acme", visibility=Visibility.PUBLIC),
        GroupConfig(path="acme/libs", id=11),
    ],
    users=[User(name="member", roles={"acme/libs": Role.GUEST}), User(name="nobody")],
    tokens=[
        *(
            Token(kind=TokenKind.PERSONAL, user=name, scopes=frozenset({"read_api"}), sha256=token_digest(name))
            for name in ("member", "nobody")
        ),
        Token(
            kind=TokenKind.DEPLOY,
            path="acme/libs",
            scopes=frozenset({"read_package_registry"}),
            sha256=token_digest("deploy"),
        ),
    ],
)


def registry(**options: Any) -> Registry:
    return ACCOUNTS.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), **options)


@pytest.fixture
def client() -> Any:
    return TestApp(registry(), lint=True, extra_environ={"SCRIPT_NAME": "/api/v4", "HTTP_HOST": "registry.example"})


@pytest.mark.parametrize("ref", ["1", "acme%2Fopen", "acme/open", "1/", "Acme%2FOpen/"])
def test_a_project_has_the_keys_of_gitlab(client: Any, ref: str) -> None:
    assert client.get(f"/projects/{ref}").json == {
        "id": 1,
        "name": "Open",
        "path": "open",
        "path_with_namespace": "acme/open",
        "visibility": "public",
        "web_url": "http://registry.example/acme/open",
    }


@pytest.mark.parametrize(
    ("ref", "number", "full_path"), [("10", 10, "acme"), ("acme", 10, "acme"), ("acme%2Flibs", 11, "acme/libs")]
)
def test_a_group_has_the_keys_of_gitlab(client: Any, ref: str, number: int, full_path: str) -> None:
    assert client.get(f"/groups/{ref}", headers={"PRIVATE-TOKEN": "member"}).json == {
        "id": number,
        "name": "Acme" if number == 10 else "libs",
        "path": full_path.rpartition("/")[2],
        "full_path": full_path,
        "visibility": "public" if number == 10 else "private",
        "web_url": f"http://registry.example/groups/{full_path}",
    }


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/projects/1", {"", "member", "nobody", "deploy"}),
        ("/projects/2", {"member", "nobody"}),
        ("/projects/3", {"member", "deploy"}),
        ("/projects/9", set()),
        ("/groups/acme", {"", "member", "nobody", "deploy"}),
        ("/groups/11", {"member", "deploy"}),
        ("/groups/none", set()),
    ],
)
def test_only_those_who_may_know_a_project_or_group_see_it(client: Any, path: str, who: set[str]) -> None:
    for secret in ("", "member", "nobody", "deploy"):
        header = "DEPLOY-TOKEN" if secret == "deploy" else "PRIVATE-TOKEN"
        answer = client.get(path, headers={header: secret} if secret else {}, status="*")
        assert answer.status_int == (200 if secret in who else 404)
        assert answer.headers["Cache-Control"] == ("private, no-cache" if secret in who else "no-store")
        assert "Authorization" in answer.headers["Vary"]
        if secret not in who:
            assert answer.json == {"message": f"404 {'Group' if 'groups' in path else 'Project'} Not Found"}
            assert "WWW-Authenticate" not in answer.headers


def test_a_project_whose_name_is_packages_is_found_by_its_path(client: Any) -> None:
    assert client.get("/projects/main%2Fpackages").json["id"] == 4
    assert client.get("/projects/main%2Fpackages/packages").json == []


@pytest.mark.parametrize("path", ["/projects/1", "/groups/acme"])
def test_only_get_and_head_are_allowed(client: Any, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(path, method=method, status=405).headers["Allow"] == "GET, HEAD, OPTIONS"
    assert client.head(path, status=200).body == b""


@pytest.mark.parametrize(
    "path", ["/projects/1", "/projects/acme%2Fopen", "/projects/9", "/groups/acme", "/groups/acme/libs"]
)
def test_with_a_fallback_the_address_belongs_to_the_application(path: str) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"mine"]

    client = TestApp(registry(fallback=application), lint=True)
    assert client.get(path).body == b"mine"
