"""What caches may keep, for whom, and when they hold it already."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from wsgiref.validate import validator

import pytest
from packaging.utils import canonicalize_name
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.wrappers import Request, Response

from pypi_registry import Registry
from pypi_registry._api.cache_control import if_none_match
from pypi_registry._http.request import Call, Services
from pypi_registry._pages.cache import PageCache
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.auth import Ability, AllowAll, Auth, Credentials, Principal, Subject
from pypi_registry.directory import OpenDirectory
from pypi_registry.errors import InvalidToken
from pypi_registry.model import Digests, Group, NameStatus, Project, Status, Upload, Visibility
from pypi_registry.storage import Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

ClientOf = Callable[[Registry], Any]

PAGE, PRIVATE_PAGE = "no-cache", "private, no-cache"
FILE, PRIVATE_FILE = "public, max-age=31536000, immutable", "private, max-age=31536000, immutable"
CALLER = ["Authorization", "Cookie", "PRIVATE-TOKEN", "DEPLOY-TOKEN", "JOB-TOKEN"]

# A host: three groups that all may see, and one that only its members do


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
KEY = 32 * "0"


def catalogue(blobs: MemoryBlobs) -> MemoryCatalogue:
    """Give a catalogue with the very same file in each project, which has metadata."""
    with blobs.create(KEY) as blob:
        blob.write(DATA)
        blob.commit()
    rows = MemoryCatalogue()
    for entry in PROJECTS:
        upload = Upload("demo", canonicalize_name("demo"), "1.0", "demo-1.0.zip", len(DATA), Digests(SHA256), "")
        rows.add(Project(entry.id, entry.path), replace(upload, core_metadata=METADATA), KEY, datetime.now(UTC))
    return rows


def hosted(auth: Auth = ACCOUNTS, blobs: MemoryBlobs | None = None, forward_to: str | None = None) -> Registry:
    blobs = blobs or MemoryBlobs()
    return Registry(directory=ACCOUNTS, auth=auth, catalogue=catalogue(blobs), blobs=blobs, forward_to=forward_to)


def basic(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"} if token else {}


def project(number: int) -> str:
    return f"/projects/{number}/packages/pypi"


def group(path: str) -> str:
    return f"/groups/{path}/-/packages/pypi"


PAGES = ["simple", "simple/", "simple/demo", "simple/demo/"]
FILES = [f"files/{SHA256}/demo-1.0.zip", f"files/{SHA256}/demo-1.0.zip.metadata"]
DOWNLOAD = "/projects/{}/packages/{}/package_files/{}/download"


# Who may keep an answer


@pytest.fixture
def client(client_of: ClientOf) -> Any:
    return client_of(hosted())


PLACES = [
    pytest.param(project(1), None, True, id="nobody, of a public project"),
    pytest.param(project(1), "member", True, id="a member, of a public project"),
    pytest.param(project(1), "wrong", True, id="a wrong password, of a public project"),
    pytest.param(project(2), "member", False, id="a member, of a private project"),
    pytest.param(project(3), "stranger", False, id="a user, of an internal project"),
    pytest.param(group("world"), None, True, id="nobody, of a group in which all is public"),
    pytest.param(group("world"), "stranger", True, id="a user, of a group in which all is public"),
    pytest.param(group("acme"), None, True, id="nobody, of a group in which not all is public"),
    pytest.param(group("acme"), "stranger", True, id="a user who sees no more than nobody"),
    pytest.param(group("vault"), "member", False, id="a member, of a private group in which all is public"),
]


@pytest.mark.parametrize(
    ("where", "token", "public"), [*PLACES, pytest.param(group("acme"), "member", False, id="more")]
)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_whoever_would_get_the_same(
    client: Any, where: str, page: str, token: str | None, public: bool
) -> None:
    answer = client.get(f"{where}/{page}", headers=basic(token), status=200)
    assert answer.headers.getall("Cache-Control") == [PAGE if public else PRIVATE_PAGE]
    _assert_the_same_is_said_otherwise(client, f"{where}/{page}", token, answer)


# The newest of the files that are the same is that of the last project: acme/closed for its members.
@pytest.mark.parametrize(
    ("where", "token", "public"), [*PLACES, pytest.param(group("acme"), "member", False, id="more")]
)
@pytest.mark.parametrize("file", FILES, ids=["file", "metadata"])
def test_a_file_is_for_ever_for_whoever_may_read_its_project_and_its_group(
    client: Any, where: str, file: str, token: str | None, public: bool
) -> None:
    answer = client.get(f"{where}/{file}", headers=basic(token), status=200)
    assert answer.body == (METADATA if file.endswith(".metadata") else DATA)
    assert answer.headers.getall("Cache-Control") == [FILE if public else PRIVATE_FILE]
    _assert_the_same_is_said_otherwise(client, f"{where}/{file}", token, answer)


def _assert_the_same_is_said_otherwise(client: Any, path: str, token: str | None, got: Any) -> None:
    head = client.head(path, headers=basic(token), status=200)
    assert head.headers == got.headers
    same = client.get(path, headers={**basic(token), "If-None-Match": got.headers["ETag"]}, status=304)
    for name in ("Cache-Control", "ETag", "Vary"):
        assert same.headers.getall(name) == got.headers.getall(name)
    assert set(got.headers["Vary"].split(", ")) == {"Accept", "Accept-Encoding", *CALLER}


def test_a_page_of_hatch_is_kept_as_the_other(client: Any) -> None:
    for number, token, expected in [(1, None, PAGE), (1, "member", PAGE), (2, "member", PRIVATE_PAGE)]:
        answer = client.get(f"{project(number)}/%2Bsimple/demo/", headers=basic(token), status=200)
        assert answer.headers["Cache-Control"] == expected


@pytest.mark.parametrize(
    ("number", "token", "expected"), [(1, None, FILE), (1, "member", FILE), (2, "member", PRIVATE_FILE)]
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
        (f"{project(2)}/{FILES[0]}", None, 401),
        (f"{project(2)}/{FILES[1]}", None, 401),
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
    client = client_of(hosted(forward_to="https://mirror.example/simple/"))
    answer = client.get(f"{project(1)}/simple/absent/", headers=basic(token), status=302)
    assert answer.headers["Cache-Control"] == PRIVATE_PAGE
    assert set(CALLER) <= set(answer.headers["Vary"].split(", "))


def test_where_the_bytes_lie_is_not_known_for_ever(client_of: ClientOf) -> None:
    class Elsewhere(MemoryBlobs):
        def open(self, key: str) -> Redirect:  # type: ignore[override]  # one of the three that the contract knows
            return Redirect("https://objects.example/signed?until=soon")

    answer = client_of(hosted(blobs=Elsewhere())).get(f"{project(1)}/{FILES[0]}", status=302)
    assert answer.headers["Cache-Control"] == PRIVATE_PAGE


@pytest.mark.parametrize("known", ["*", f'"{SHA256}"', f'"{hashlib.sha256(METADATA).hexdigest()}"'])
@pytest.mark.parametrize("file", FILES, ids=["file", "metadata"])
@pytest.mark.parametrize("where", [project(1), group("world")])
def test_what_is_quarantined_is_not_confirmed_either(client_of: ClientOf, where: str, file: str, known: str) -> None:
    blobs = MemoryBlobs()
    rows = catalogue(blobs)
    for entry in PROJECTS:
        rows.set_status(Project(entry.id, entry.path), canonicalize_name("demo"), NameStatus(Status.QUARANTINED))
    client = client_of(Registry(directory=ACCOUNTS, auth=ACCOUNTS, catalogue=rows, blobs=blobs))
    answer = client.get(f"{where}/{file}", headers={"If-None-Match": known}, status=403)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


# How it is asked


@dataclass
class Asked:
    """Asks the accounts, and remembers what it was shown."""

    seen: list[tuple[Credentials | None, Mapping[str, object]]]

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        self.seen.append((credentials, environ))
        return ACCOUNTS.authenticate(credentials, environ)


def ask(registry: Registry, path: str, **environ: object) -> tuple[str, str]:
    """Give the status line and the Cache-Control header."""
    _, status, headers = run_wsgi_app(registry, create_environ(path) | environ)
    return status, headers["Cache-Control"]


TOLD = {
    "HTTP_AUTHORIZATION": basic("member")["Authorization"],
    "HTTP_PRIVATE_TOKEN": "member",
    "HTTP_DEPLOY_TOKEN": "member",
    "HTTP_JOB_TOKEN": "member",
    "HTTP_COOKIE": "session=member",
    "HTTP_X_FORWARDED_USER": "member",
    "HTTP_X_FORWARDED_FOR": "10.0.0.1",
    "QUERY_STRING": "private_token=member",
    "REMOTE_USER": "member",
    "REMOTE_ADDR": "10.0.0.1",
    "AUTH_TYPE": "Basic",
    "SSL_CLIENT_S_DN": "CN=member",
    "beaker.session": "member",
    "wsgi.input": BytesIO(b"member"),
}


@pytest.mark.parametrize("path", [f"{project(1)}/simple/", f"{project(1)}/{FILES[0]}"], ids=["page", "file"])
def test_nobody_shows_nothing_and_is_a_caller_like_any_other(path: str) -> None:
    asked = Asked([])
    status, _ = ask(hosted(asked), path, HTTP_HOST="registry.example:8443", SCRIPT_NAME="/api/v4", **TOLD)
    assert status == "200 OK"
    (credentials, shown), (none, bare) = asked.seen
    assert credentials is not None
    assert none is None
    assert "member" not in repr(bare)
    assert "10.0.0.1" not in repr(bare)
    assert bare["wsgi.input"].read() == b""  # type: ignore[attr-defined]
    run_wsgi_app(validator(Response("fine")), dict(bare), buffered=True)  # wsgiref's own idea of an environ
    same = Request(dict(bare))
    assert (same.method, same.host, same.script_root) == ("GET", "registry.example:8443", "/api/v4")
    assert same.path == path == Request(dict(shown)).path


def test_a_page_for_nobody_in_particular_needs_no_second_question() -> None:
    asked = Asked([])
    assert ask(hosted(asked), f"{project(1)}/simple/") == ("200 OK", PAGE)
    assert len(asked.seen) == 1


def test_nor_does_a_page_for_members_only() -> None:
    asked = Asked([])
    answer = ask(hosted(asked), f"{project(2)}/simple/", HTTP_AUTHORIZATION=TOLD["HTTP_AUTHORIZATION"])
    assert answer == ("200 OK", PRIVATE_PAGE)
    assert len(asked.seen) == 1


def test_a_public_page_for_somebody_needs_one_question_more() -> None:
    asked = Asked([])
    answer = ask(hosted(asked), f"{project(1)}/simple/", HTTP_AUTHORIZATION=TOLD["HTTP_AUTHORIZATION"])
    assert answer == ("200 OK", PAGE)
    assert len(asked.seen) == 2


class Anything:
    """A principal that may do anything."""

    def __init__(self, anonymous: bool) -> None:
        self.anonymous = anonymous

    def can(self, ability: Ability, subject: Subject) -> bool:
        return True

    def readable(self, place: Group) -> Sequence[Project]:
        return ACCOUNTS.projects_in(place)


@dataclass
class Strange:
    """A host that knows everybody, and does something of its own for nobody."""

    for_nobody: Callable[[], Principal]

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        return Anything(anonymous=False) if credentials else self.for_nobody()


def fails(error: Exception) -> Callable[[], Principal]:
    def fail(*_: object) -> Principal:
        raise error

    return fail


def with_failing(name: str) -> Principal:
    nobody = Anything(anonymous=True)
    setattr(nobody, name, fails(RuntimeError("the database is away")))
    return nobody


@pytest.mark.parametrize(
    "for_nobody",
    [
        pytest.param(fails(InvalidToken()), id="is 401 for nobody"),
        pytest.param(fails(KeyError("beaker.session")), id="needs a key of its own"),
        pytest.param(lambda: Anything(anonymous=False), id="takes nobody for somebody"),
        pytest.param(lambda: with_failing("can"), id="fails about a right"),
    ],
)
@pytest.mark.parametrize("where", [project(1), group("world")])
def test_a_host_that_has_no_nobody_keeps_all_private(where: str, for_nobody: Callable[[], Principal]) -> None:
    registry, token = hosted(Strange(for_nobody)), basic("x")["Authorization"]
    for page in PAGES:
        assert ask(registry, f"{where}/{page}", HTTP_AUTHORIZATION=token) == ("200 OK", PRIVATE_PAGE)
    for file in FILES:
        assert ask(registry, f"{where}/{file}", HTTP_AUTHORIZATION=token) == ("200 OK", PRIVATE_FILE)


@pytest.mark.parametrize("number", [2, 3], ids=["private", "internal"])
def test_what_is_not_called_public_is_not_shared_though_everybody_may_read_it(number: int) -> None:
    registry, token = hosted(Strange(lambda: Anything(anonymous=True))), basic("x")["Authorization"]
    assert ask(registry, f"{project(number)}/simple/", HTTP_AUTHORIZATION=token) == ("200 OK", PRIVATE_PAGE)
    assert ask(registry, f"{project(1)}/simple/", HTTP_AUTHORIZATION=token) == ("200 OK", PAGE)
    for file in FILES:
        assert ask(registry, f"{project(number)}/{file}") == ("200 OK", PRIVATE_FILE)


def test_a_host_that_cannot_list_for_nobody_keeps_the_pages_of_its_groups_private() -> None:
    registry, token = hosted(Strange(lambda: with_failing("readable"))), basic("x")["Authorization"]
    assert ask(registry, f"{group('world')}/simple/", HTTP_AUTHORIZATION=token) == ("200 OK", PRIVATE_PAGE)
    assert ask(registry, f"{project(1)}/simple/", HTTP_AUTHORIZATION=token) == ("200 OK", PAGE)


def test_a_host_that_trusts_an_address_does_not_give_its_files_to_the_world() -> None:
    class Office:
        def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
            if environ.get("REMOTE_ADDR") == "10.0.0.1":
                return Anything(anonymous=True)
            return ACCOUNTS.authenticate(None, environ)

    registry = hosted(Office())
    for file in FILES:
        assert ask(registry, f"{project(2)}/{file}", REMOTE_ADDR="10.0.0.1") == ("200 OK", PRIVATE_FILE)
        assert ask(registry, f"{project(1)}/{file}", REMOTE_ADDR="10.0.0.1") == ("200 OK", FILE)
        assert ask(registry, f"{project(2)}/{file}", REMOTE_ADDR="10.0.0.2") == ("401 Unauthorized", "no-store")


# Entity tags


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="empty"),
        pytest.param('"abc"', True, id="equal"),
        pytest.param('W/"abc"', True, id="weakly equal, which counts here"),
        pytest.param('"x", "abc"', True, id="one of several"),
        pytest.param('"x",W/"abc" ,"y"', True, id="one of several, weak"),
        pytest.param('"a,b", "abc"', True, id="after one with a comma"),
        pytest.param("*", True, id="any"),
        pytest.param(" * ", True, id="any, with blanks"),
        pytest.param('"abcd"', False, id="longer"),
        pytest.param('"ab"', False, id="shorter"),
        pytest.param('"ABC"', False, id="another case"),
        pytest.param('"x", "y"', False, id="none of several"),
        pytest.param("abc", False, id="without quotes"),
        pytest.param('"abc', False, id="half quoted"),
        pytest.param('"*"', False, id="a star that is a tag"),
        pytest.param('"x, W/"abc', False, id="in between two tags"),
        pytest.param(",,;", False, id="garbage"),
        pytest.param(100_000 * '"', False, id="quotes"),
    ],
)
def test_a_client_holds_what_its_tags_name(header: str | None, expected: bool) -> None:
    rows = MemoryCatalogue()
    parts = Services(OpenDirectory(rows), AllowAll(), rows, MemoryBlobs(), None, 1000, None, PageCache())
    call = Call({"REQUEST_METHOD": "GET"} | ({} if header is None else {"HTTP_IF_NONE_MATCH": header}), parts)
    assert if_none_match(call, '"abc"') is expected
