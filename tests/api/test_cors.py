"""CORS: which responses a page of another origin may read (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from webtest import TestApp

from pypi_registry import AllowAll, Project, Registry, Visibility
from pypi_registry._cli.site import Site
from pypi_registry._paths import id_from_path
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.auth import Ability, Auth, Principal, Subject
from pypi_registry.model import Digests, Upload
from pypi_registry.storage import Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.contracts.catalogue.samples import variant

ClientOf = Callable[[Registry], Any]

PROJECTS = [
    ProjectConfig(id=1, path="acme/open", visibility=Visibility.PUBLIC),
    ProjectConfig(id=2, path="acme/closed", visibility=Visibility.PRIVATE),
    ProjectConfig(id=3, path="inner/known", visibility=Visibility.INTERNAL),
    ProjectConfig(id=4, path="vault/window", visibility=Visibility.PUBLIC),
]
ACCOUNTS = Accounts(
    projects=PROJECTS,
    groups=[GroupConfig(path=path, visibility=Visibility.PUBLIC) for path in ("acme", "inner")],
    users=[User(name="member", roles=dict.fromkeys(["acme", "vault"], Role.MAINTAINER)), User(name="stranger")],
    tokens=[Token(user=name, scopes=frozenset({"api"}), sha256=token_digest(name)) for name in ("member", "stranger")],
    forwarding="https://mirror.example/simple/",
)
DATA, METADATA = b"a file", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
SHA256, KEY = hashlib.sha256(DATA).hexdigest(), 32 * "0"
FILE = f"files/{SHA256}/demo-1.0.zip"
VARIANT = variant("fast", "v3")
VARIANTS = f"files/{hashlib.sha256(VARIANT.encode()).hexdigest()}/demo-1.0-variants.json"
READS = ["simple", "simple/", "simple/demo", "simple/demo/", FILE, f"{FILE}.metadata", VARIANTS]
PAGE = {"Origin": "https://notebook.example"}

OPEN, CLOSED, KNOWN, WINDOW, MISSING = (f"/projects/{number}/packages/pypi" for number in (1, 2, 3, 4, 99))
ACME, INNER, VAULT, NOBODY = (f"/groups/{path}/-/packages/pypi" for path in ("acme", "inner", "vault", "nobody"))


def registry(auth: Auth = ACCOUNTS, blobs: MemoryBlobs | None = None) -> Registry:
    blobs = blobs or MemoryBlobs()
    blobs.put(KEY, BytesIO(DATA), size=len(DATA), sha256=SHA256, filename="demo-1.0.zip")
    rows = MemoryCatalogue()
    for entry in PROJECTS:
        upload = Upload("demo", canonicalize_name("demo"), "1.0", "demo-1.0.zip", len(DATA), Digests(SHA256), "")
        rows.add(Project(entry.id, entry.path), replace(upload, core_metadata=METADATA), KEY, datetime.now(UTC), "")
        wheel = replace(upload, filename="demo-1.0-py3-none-any-fast.whl", variant=VARIANT)
        rows.add(Project(entry.id, entry.path), wheel, 32 * "1", datetime.now(UTC), "")
    forward_to = "https://mirror.example/simple/"
    return Registry(directory=ACCOUNTS, auth=auth, catalogue=rows, blobs=blobs, forward_to=forward_to)


def basic(token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"} if token else {}


def cors(response: Any) -> dict[str, list[str]]:
    """Return the headers of CORS, each with all its values."""
    names = [name for name in response.headers if name.lower().startswith("access-control-")]
    return {name: response.headers.getall(name) for name in names}


READABLE = {
    "Access-Control-Allow-Origin": ["*"],
    "Access-Control-Expose-Headers": ["Accept-Ranges, Content-Disposition, Content-Range, ETag"],
}


@pytest.fixture
def client(client_of: ClientOf) -> Any:
    return client_of(registry())


@pytest.mark.parametrize(
    ("base", "token", "readable"),
    [
        pytest.param(OPEN, "", True, id="anonymous, of a public project"),
        pytest.param(OPEN, "wrong", True, id="a wrong password, of a public project"),
        pytest.param(OPEN, "member", False, id="a member, of a public project"),
        pytest.param(OPEN, "stranger", False, id="a user, of a public project"),
        pytest.param(CLOSED, "member", False, id="a member, of a private project"),
        pytest.param(KNOWN, "stranger", False, id="a user, of an internal project"),
        pytest.param(ACME, "", True, id="anonymous, of a public group with a private project, too"),
        pytest.param(ACME, "member", False, id="a member, of a public group with a private project, too"),
        pytest.param(VAULT, "member", False, id="a member, of a private group"),
        pytest.param(WINDOW, "", True, id="anonymous, of a public project in a private group"),
    ],
)
@pytest.mark.parametrize("path", READS)
def test_pages_of_every_origin_may_read_what_everyone_may_read(
    client: Any, base: str, token: str, readable: bool, path: str
) -> None:
    expected = READABLE if readable else {}
    for headers in ({}, PAGE):  # the same for all callers, so that caches may share it
        response = client.get(f"{base}/{path}", headers=basic(token) | headers, status=200)
        assert cors(response) == expected
        assert "Origin" not in ", ".join(response.headers.getall("Vary"))
        assert cors(client.head(f"{base}/{path}", headers=basic(token) | headers, status=200)) == expected
        known = {"If-None-Match": response.headers["ETag"]}
        assert cors(client.get(f"{base}/{path}", headers=basic(token) | headers | known, status=304)) == expected


# micropip resolves relative URLs in HTML only, and requests JSON.
@pytest.mark.parametrize(
    ("base", "token", "sent", "files"),
    [
        pytest.param(OPEN, "", PAGE, "{api}/projects/1/packages/pypi/files/", id="a page, of a public project"),
        pytest.param(
            "/projects/acme%2Fopen/packages/pypi", "", PAGE, "{api}/projects/1/packages/pypi/files/", id="path"
        ),
        pytest.param(ACME, "", PAGE, f"{{api}}/groups/{id_from_path('acme')}/-/packages/pypi/files/", id="of a group"),
        pytest.param(OPEN, "", {}, "../../files/", id="a program"),
        pytest.param(OPEN, "member", PAGE, "../../files/", id="a page that may not read it"),
        pytest.param(CLOSED, "member", PAGE, "../../files/", id="a private project"),
    ],
)
def test_a_json_page_has_absolute_urls_for_pages_of_other_origins(
    client: Any, base: str, token: str, sent: dict[str, str], files: str
) -> None:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json, */*;q=0.01"}
    answer = client.get(f"{base}/simple/demo/", headers=sent | accept | basic(token), status=200)
    url = answer.json["files"][0]["url"]
    assert url == files.format(api=f"http://localhost:80{client.prefix}") + f"{SHA256}/demo-1.0.zip"
    varies = "Origin" in ", ".join(answer.headers.getall("Vary"))
    assert varies is (not token)
    html = client.get(f"{base}/simple/demo/", headers=sent | basic(token), status=200)
    assert f'href="../../files/{SHA256}' in html.text
    if files.startswith("{api}"):
        assert client.app.get(url, status=200).body == DATA
        assert client.get(f"{base}/simple/demo/", headers=accept).headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("base", [CLOSED, KNOWN, MISSING, VAULT, NOBODY])
@pytest.mark.parametrize("path", READS)
def test_no_page_may_read_why_something_is_refused(client: Any, base: str, path: str) -> None:
    response = client.get(f"{base}/{path}", headers=PAGE, status=[401, 404])
    assert cors(response) == {}


def test_a_page_may_read_parts_of_files_and_the_errors_of_a_public_project(client: Any) -> None:
    for headers, status in (({"Range": "bytes=2-3"}, 206), ({"Range": "bytes=99-"}, 416)):
        assert cors(client.get(f"{OPEN}/{FILE}", headers=PAGE | headers, status=status)) == READABLE
    # micropip requests the next index after a 404; a response that it may not read is an error of the network.
    assert cors(client.get(f"{OPEN}/files/{SHA256}/other-1.0.zip", headers=PAGE, status=404)) == READABLE
    assert cors(client.get(f"{OPEN}/simple/closed", headers=PAGE, status=302)) == READABLE
    assert cors(client.get(f"{OPEN}/simple/not%20a%20name", headers=PAGE, status=404)) == READABLE


def test_a_page_may_read_that_a_file_is_quarantined(client: Any) -> None:
    status = {"status": "quarantined"}
    client.app.patch_json(f"{client.prefix}{OPEN}/simple/demo", status, headers=basic("member"), status=200)
    assert cors(client.get(f"{OPEN}/{FILE}", headers=PAGE, status=403)) == READABLE


def test_a_page_may_follow_a_file_to_another_store(client_of: ClientOf) -> None:
    class Elsewhere(MemoryBlobs):
        def open(self, key: str, *, size: int, part: range | None = None) -> Any:
            return Redirect("https://bucket.example/signed")

    client = client_of(registry(blobs=Elsewhere()))
    assert cors(client.get(f"{OPEN}/{FILE}", headers=PAGE, status=302)) == READABLE
    assert cors(client.get(f"{CLOSED}/{FILE}", headers=PAGE | basic("member"), status=302)) == {}


@pytest.mark.parametrize(
    "path",
    ["/projects/1", "/projects/1/packages", "/projects/1/packages/1", "/projects/1/packages/1/package_files", "/x"],
)
def test_nothing_else_is_for_pages_of_other_origins(client: Any, path: str) -> None:
    for token in ("", "member"):
        assert cors(client.get(path, headers=PAGE | basic(token), status="*")) == {}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert cors(client.app.request(client.prefix + path, method=method, headers=PAGE, status="*")) == {}


@pytest.mark.parametrize("auth", [None, AllowAll()], ids=["nothing passed", "AllowAll"])
def test_an_open_registry_is_for_no_page_of_another_origin(client_of: ClientOf, auth: AllowAll | None) -> None:
    client = client_of(Registry() if auth is None else registry(auth))
    for base in (OPEN, ACME):
        assert cors(client.get(f"{base}/simple/", headers=PAGE, status=200)) == {}
        assert cors(preflight(client, f"{base}/simple/")) == {}


def test_a_public_group_is_not_for_other_origins_if_strangers_read_private_projects_in_it(client_of: ClientOf) -> None:
    class Visitor:
        """An anonymous caller whom the application knows by the network."""

        name = via = ""
        anonymous = True

        def can(self, ability: Ability, subject: Subject) -> bool:
            return ability in (Ability.READ_PROJECT, Ability.READ_GROUP, Ability.READ_PACKAGE)

    class ByNetwork:
        def authenticate(self, *_: object) -> Principal:
            return Visitor()

    client = client_of(registry(ByNetwork()))
    for base, readable in ((OPEN, True), (CLOSED, False), (ACME, False)):
        for path in READS:
            expected = READABLE if readable else {}
            assert cors(client.get(f"{base}/{path}", headers=PAGE, status=200)) == expected
        assert bool(cors(preflight(client, f"{base}/simple/"))) is readable


# Preflights


def preflight(client: Any, path: str, method: str = "GET", **headers: str) -> Any:
    sent = PAGE | {"Access-Control-Request-Method": method} | headers
    return client.app.options(client.prefix + path, headers=sent, status=204)


def paths(base: str) -> Iterator[str]:
    yield from (f"{base}/{path}" for path in (*READS, "simple/other", f"files/{64 * '0'}/x-1.0.zip"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("base", [OPEN, ACME, WINDOW])
def test_a_page_may_request_what_everyone_may_read(client: Any, base: str, method: str) -> None:
    for path in paths(base):
        headers = cors(preflight(client, path, method))
        assert headers["Access-Control-Allow-Origin"] == ["*"]
        assert headers["Access-Control-Allow-Methods"] == ["GET, HEAD"]
        assert "Access-Control-Allow-Credentials" not in headers
        names = headers["Access-Control-Allow-Headers"][0].lower().split(", ")
        assert {"accept", "cache-control", "if-none-match", "range", "user-agent"} < {*names}
        # With these a request has an answer that no page may read.
        assert not {"*", "authorization", "cookie", "private-token", "deploy-token", "job-token"} & {*names}


def test_a_preflight_of_something_private_is_refused_as_that_of_something_missing(client: Any) -> None:
    def answers(base: str) -> list[tuple[str, list[tuple[str, str]]]]:
        found = (preflight(client, path) for path in paths(base))
        return [(answer.status, [*answer.headers.items()]) for answer in found]

    assert answers(CLOSED) == answers(KNOWN) == answers(MISSING)
    assert answers(VAULT) == answers(NOBODY)
    assert all(not name.startswith("Access-Control") for _, headers in answers(CLOSED) for name, _ in headers)


def test_only_a_preflight_for_reading_is_allowed(client: Any) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "get", ""):
        assert cors(preflight(client, f"{OPEN}/simple/demo", method)) == {}
    for path in (OPEN, "/projects/1", "/projects/1/packages", "/projects/1/packages/1"):
        assert cors(preflight(client, path)) == {}
    assert cors(preflight(client, f"{OPEN}/simple/", **basic("member"))) == {}
    plain = client.app.options(f"{client.prefix}{OPEN}/simple/", status=204)
    assert (cors(plain), plain.headers["Allow"]) == ({}, "GET, HEAD, OPTIONS")


def test_the_response_to_a_preflight_names_the_headers_on_which_it_depends(client: Any) -> None:
    for base in (OPEN, CLOSED):
        vary = ", ".join(preflight(client, f"{base}/simple/").headers.getall("Vary")).split(", ")
        assert {"Origin", "Access-Control-Request-Method", "Authorization", "Cookie"} <= {*vary}


def test_a_page_reads_from_serve_as_well() -> None:
    blobs, rows = MemoryBlobs(), MemoryCatalogue()
    site = TestApp(Site(ACCOUNTS.registry(catalogue=rows, blobs=blobs)))
    assert cors(site.get(f"/api/v4{OPEN}/simple/", headers=PAGE, status=200)) == READABLE
    for path in ("/", "/sign-in", "/acme/open/-/packages"):
        assert cors(site.get(path, headers=PAGE, status="*")) == {}
