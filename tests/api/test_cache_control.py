"""Which caches may store a response."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from webtest import TestApp

from pypi_registry import AllowAll, Project, Registry, Visibility
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.auth import Auth, Credentials, Principal
from pypi_registry.model import Digests, Namespace, NameStatus, Status, Upload
from pypi_registry.storage import Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.contracts.catalogue.samples import variant

ClientOf = Callable[[Registry], Any]

PAGE, PRIVATE_PAGE = "no-cache", "private, no-cache"
FILE, PRIVATE_FILE = "public, max-age=31536000, s-maxage=3600, immutable", "private, max-age=31536000, immutable"
CALLER = ["Authorization", "Cookie", "PRIVATE-TOKEN", "DEPLOY-TOKEN", "JOB-TOKEN"]

# Three public groups and a private one


PROJECTS = [
    ProjectConfig(id=1, path="acme/open", visibility=Visibility.PUBLIC),
    ProjectConfig(id=2, path="acme/closed", visibility=Visibility.PRIVATE),
    ProjectConfig(id=3, path="inner/known", visibility=Visibility.INTERNAL),
    ProjectConfig(id=4, path="world/one", visibility=Visibility.PUBLIC),
    ProjectConfig(id=5, path="world/two", visibility=Visibility.PUBLIC),
    ProjectConfig(id=6, path="vault/window", visibility=Visibility.PUBLIC),
]
ACCOUNTS = Accounts(
    projects=PROJECTS,
    groups=[GroupConfig(path=path, visibility=Visibility.PUBLIC) for path in ("acme", "inner", "world")],
    users=[User(name="member", roles=dict.fromkeys(["acme", "vault"], Role.MAINTAINER)), User(name="stranger")],
    tokens=[Token(user=name, scopes=frozenset({"api"}), sha256=token_digest(name)) for name in ("member", "stranger")],
)
DATA, METADATA = b"a file", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
SHA256 = hashlib.sha256(DATA).hexdigest()
VARIANT = variant("fast", "v3").encode()
KEY = 32 * "0"


def catalogue(blobs: MemoryBlobs) -> MemoryCatalogue:
    """Return a catalogue with the same file, which has core metadata, in each project."""
    blobs.put(KEY, BytesIO(DATA), size=len(DATA), sha256=SHA256, filename="demo-1.0.zip")
    rows = MemoryCatalogue()
    for entry in PROJECTS:
        upload = Upload("demo", canonicalize_name("demo"), "1.0", "demo-1.0.zip", len(DATA), Digests(SHA256), "")
        rows.add(Project(entry.id, entry.path), replace(upload, core_metadata=METADATA), KEY, datetime.now(UTC), "")
        wheel = replace(upload, filename="demo-1.0-py3-none-any-fast.whl", variant=VARIANT.decode())
        rows.add(Project(entry.id, entry.path), wheel, 32 * "1", datetime.now(UTC), "")
    return rows


def registry(auth: Auth = ACCOUNTS, blobs: MemoryBlobs | None = None, forward_to: str | None = None) -> Registry:
    blobs = blobs or MemoryBlobs()
    return Registry(directory=ACCOUNTS, auth=auth, catalogue=catalogue(blobs), blobs=blobs, forward_to=forward_to)


def basic(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"} if token else {}


def project(number: int) -> str:
    return f"/projects/{number}/packages/pypi"


def group(path: str) -> str:
    return f"/groups/{path}/-/packages/pypi"


PAGES = ["simple", "simple/", "simple/demo", "simple/demo/"]
FILES = {
    f"files/{SHA256}/demo-1.0.zip": DATA,
    f"files/{SHA256}/demo-1.0.zip.metadata": METADATA,
    f"files/{hashlib.sha256(VARIANT).hexdigest()}/demo-1.0-variants.json": VARIANT,
}
FILE_PATH, METADATA_PATH, VARIANTS_PATH = FILES
DOWNLOAD = "/projects/{}/packages/{}/package_files/{}/download"


@pytest.fixture
def client(client_of: ClientOf) -> Any:
    return client_of(registry())


CASES = [
    pytest.param(project(1), None, True, id="anonymous, of a public project"),
    pytest.param(project(1), "wrong", True, id="a wrong password, of a public project"),
    pytest.param(project(1), "member", False, id="a member, of a public project"),
    pytest.param(project(2), "member", False, id="a member, of a private project"),
    pytest.param(project(3), "stranger", False, id="a user, of an internal project"),
    pytest.param(group("world"), None, True, id="anonymous, of a group with public projects"),
    pytest.param(group("world"), "stranger", False, id="a user, of a group with public projects"),
    pytest.param(group("acme"), None, True, id="anonymous, of a group with a private project, too"),
    pytest.param(group("acme"), "member", False, id="a member, of a group with a private project, too"),
    pytest.param(group("vault"), "member", False, id="a member, of a private group with a public project"),
]


@pytest.mark.parametrize(("base", "token", "shared"), CASES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_be_shared_if_the_namespace_is_public_and_the_caller_anonymous(
    client: Any, base: str, page: str, token: str | None, shared: bool
) -> None:
    response = client.get(f"{base}/{page}", headers=basic(token), status=200)
    assert response.headers.getall("Cache-Control") == [PAGE if shared else PRIVATE_PAGE]
    _assert_head_and_304_have_the_same_headers(client, f"{base}/{page}", token, response)


@pytest.mark.parametrize(("base", "token", "shared"), CASES)
@pytest.mark.parametrize("file", FILES, ids=["file", "metadata", "variants"])
def test_a_file_may_be_shared_if_the_namespace_is_public_and_the_caller_anonymous(
    client: Any, base: str, file: str, token: str | None, shared: bool
) -> None:
    response = client.get(f"{base}/{file}", headers=basic(token), status=200)
    assert response.body == FILES[file]
    assert response.headers.getall("Cache-Control") == [FILE if shared else PRIVATE_FILE]
    _assert_head_and_304_have_the_same_headers(client, f"{base}/{file}", token, response)


def _assert_head_and_304_have_the_same_headers(client: Any, path: str, token: str | None, got: Any) -> None:
    head = client.head(path, headers=basic(token), status=200)
    assert head.headers == got.headers
    same = client.get(path, headers={**basic(token), "If-None-Match": got.headers["ETag"]}, status=304)
    for name in ("Cache-Control", "ETag", "Vary"):
        assert same.headers.getall(name) == got.headers.getall(name)
    assert set(got.headers["Vary"].split(", ")) == {"Accept", "Accept-Encoding", *CALLER}


def test_a_page_of_hatch_is_kept_as_the_other(client: Any) -> None:
    for number, token, expected in [(1, None, PAGE), (1, "member", PRIVATE_PAGE), (2, "member", PRIVATE_PAGE)]:
        answer = client.get(f"{project(number)}/%2Bsimple/demo/", headers=basic(token), status=200)
        assert answer.headers["Cache-Control"] == expected


@pytest.mark.parametrize(
    ("number", "token", "expected"), [(1, None, FILE), (1, "member", PRIVATE_FILE), (2, "member", PRIVATE_FILE)]
)
def test_a_download_of_the_packages_api_is_kept_as_a_file(
    client: Any, number: int, token: str | None, expected: str
) -> None:
    packages = client.get(f"/projects/{number}/packages", headers=basic(token)).json
    files = client.get(f"/projects/{number}/packages/{packages[0]['id']}/package_files", headers=basic(token))
    path = DOWNLOAD.format(number, packages[0]["id"], files.json[0]["id"])
    assert client.get(path, headers=basic(token), status=200).headers["Cache-Control"] == expected


@pytest.mark.parametrize("token", [None, "member"])
def test_a_list_of_the_packages_api_is_for_its_caller_alone(client: Any, token: str | None) -> None:
    answer = client.get("/projects/1/packages", headers=basic(token), status=200)
    assert answer.headers["Cache-Control"] == PRIVATE_PAGE  # it has links for those who may delete


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        (f"{project(2)}/simple/", None, 401),
        (f"{project(2)}/{FILE_PATH}", None, 401),
        (f"{project(2)}/{METADATA_PATH}", None, 401),
        (f"{project(2)}/{VARIANTS_PATH}", None, 401),
        (f"{project(1)}/files/{SHA256}/demo-1.0-variants.json", None, 404),
        (f"{project(2)}/simple/", "stranger", 404),
        (f"{project(1)}/simple/absent/", None, 404),
        (f"{project(1)}/files/{SHA256}/absent-1.0.zip", None, 404),
        (project(1), None, 405),
        ("/nowhere", None, 404),
    ],
)
def test_a_refusal_is_not_kept(client: Any, path: str, token: str | None, status: int) -> None:
    answer = client.get(path, headers=basic(token), status=status)
    assert answer.headers["Cache-Control"] == "no-store"
    assert {"Accept", "Accept-Encoding", *CALLER} == set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize("token", [None, "member"])
def test_where_else_to_look_is_for_its_caller_alone(client_of: ClientOf, token: str | None) -> None:
    client = client_of(registry(forward_to="https://mirror.example/simple/"))
    answer = client.get(f"{project(1)}/simple/absent/", headers=basic(token), status=302)
    assert answer.headers["Cache-Control"] == PRIVATE_PAGE
    assert set(CALLER) <= set(answer.headers["Vary"].split(", "))


def test_where_the_bytes_lie_is_not_known_for_ever(client_of: ClientOf) -> None:
    class Elsewhere(MemoryBlobs):
        def open(self, key: str, *, size: int, part: range | None = None) -> Redirect:  # type: ignore[override]  # a store that redirects
            return Redirect("https://objects.example/signed?until=soon")

    answer = client_of(registry(blobs=Elsewhere())).get(f"{project(1)}/{FILE_PATH}", status=302)
    assert answer.headers["Cache-Control"] == PRIVATE_PAGE


@pytest.mark.parametrize("known", ["*", *(f'"{hashlib.sha256(content).hexdigest()}"' for content in FILES.values())])
@pytest.mark.parametrize("file", FILES, ids=["file", "metadata", "variants"])
@pytest.mark.parametrize("where", [project(1), group("world")])
def test_what_is_quarantined_is_not_confirmed_either(client_of: ClientOf, where: str, file: str, known: str) -> None:
    blobs = MemoryBlobs()
    rows = catalogue(blobs)
    for entry in PROJECTS:
        rows.set_status(Project(entry.id, entry.path), canonicalize_name("demo"), NameStatus(Status.QUARANTINED), "")
    client = client_of(Registry(directory=ACCOUNTS, auth=ACCOUNTS, catalogue=rows, blobs=blobs))
    answer = client.get(f"{where}/{file}", headers={"If-None-Match": known}, status=403)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


class TrustsTheNetwork:
    """An auth that lets anonymous callers read everything, as one that trusts the address of the client does."""

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        return AllowAll().authenticate(None, namespace, environ)


@pytest.mark.parametrize("base", [project(2), project(3), group("vault")])
def test_what_is_not_public_is_never_shared_though_an_anonymous_caller_may_read_it(
    client_of: ClientOf, base: str
) -> None:
    client = client_of(registry(TrustsTheNetwork()))
    assert client.get(f"{base}/simple/", status=200).headers["Cache-Control"] == PRIVATE_PAGE
    assert client.get(f"{base}/{FILE_PATH}", status=200).headers["Cache-Control"] == PRIVATE_FILE


def test_a_file_of_a_private_project_in_a_public_group_is_not_shared(client_of: ClientOf) -> None:
    # Of equal files of a group the newest one counts, which is in acme/closed.
    client = client_of(registry(TrustsTheNetwork()))
    assert client.get(f"{group('acme')}/{FILE_PATH}", status=200).headers["Cache-Control"] == PRIVATE_FILE


@pytest.mark.parametrize("token", [None, "member"])
@pytest.mark.parametrize("path", [f"{project(1)}/simple/", f"{project(1)}/{FILE_PATH}", f"{group('acme')}/simple/"])
def test_the_application_authenticates_each_request_once(path: str, token: str | None) -> None:
    calls: list[Credentials | None] = []

    class Counting:
        def authenticate(
            self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
        ) -> Principal:
            calls.append(credentials)
            return ACCOUNTS.authenticate(credentials, namespace, environ)

    TestApp(registry(Counting())).get(path, headers=basic(token), status=200)
    assert len(calls) == 1
