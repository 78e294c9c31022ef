"""A registry with accounts: the responses to clients, by tables of GitLab's rules."""

import base64
import hashlib
import io
import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.utils import NormalizedName
from webtest import TestApp
from werkzeug.test import EnvironBuilder, run_wsgi_app

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, User
from pypi_registry.events import Event, Published
from pypi_registry.forwarding import Forward
from pypi_registry.model import Project, Projects, Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

VISIBILITIES = [str(visibility) for visibility in Visibility]
IDS = {visibility: id_ for id_, visibility in enumerate(VISIBILITIES, 1)}
ROLES = {
    "guest": Role.GUEST,
    "reporter": Role.REPORTER,
    "developer": Role.DEVELOPER,
    "maintainer": Role.MAINTAINER,
    "owner": Role.OWNER,
}
PAST = datetime(2001, 1, 1, tzinfo=UTC)

# Every secret contains a word by which a test finds a leak.
LEAK = "s3cr3t"
LATIN, UNICODE, COLONS, LONG = (
    f"{LEAK}-pässwört-ß",
    f"{LEAK}-日本-ключ",
    f"{LEAK}:with::colons:",
    f"{LEAK}-" + "x" * 10_000,
)
TOKENS: dict[str, dict[str, Any]] = {
    **{f"{LEAK}-{user}": {"user": user} for user in [*ROLES, "admin", "stranger"]},
    f"{LEAK}-read-api": {"user": "owner", "scopes": frozenset({"read_api"})},
    f"{LEAK}-expired": {"user": "owner", "expires": PAST},
    f"{LEAK}-revoked": {"user": "owner", "revoked": True},
    **{secret: {"user": "owner"} for secret in (LATIN, UNICODE, COLONS, LONG)},
}


def make_accounts(max_file_size: int = 3 * 1024**3) -> Accounts:
    """A group of each visibility with a project of the same visibility, and a user with each role in all groups."""
    return Accounts(
        projects=[
            ProjectConfig(
                id=id_,
                path=f"{visibility}-group/tools",
                visibility=Visibility(visibility),
                protect=(ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER),),
            )
            for visibility, id_ in IDS.items()
        ],
        groups=[
            GroupConfig(id=id_, path=f"{visibility}-group", visibility=Visibility(visibility))
            for visibility, id_ in IDS.items()
        ],
        users=[
            *(
                User(name=name, roles={f"{visibility}-group": role for visibility in VISIBILITIES})
                for name, role in ROLES.items()
            ),
            User(name="admin", admin=True),
            User(name="stranger"),
        ],
        tokens=[
            Token(
                sha256=hashlib.sha256(secret.encode()).hexdigest(),
                **{"scopes": frozenset({"api"}), **settings},
            )
            for secret, settings in TOKENS.items()
        ],
        forwarding="https://mirror.example/simple",
        max_file_size=max_file_size,
        reserved=["secret-*"],
    )


def make_registry(accounts: Accounts, catalogue: Any = None) -> Registry:
    return accounts.registry(catalogue=MemoryCatalogue() if catalogue is None else catalogue, blobs=MemoryBlobs())


def names_in(catalogue: MemoryCatalogue, *ids: int) -> list[str]:
    return [*catalogue.names(Projects(Project(id_, "any/path") for id_ in ids))]


SDIST = ("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))
SHA256 = hashlib.sha256(SDIST[2]).hexdigest()
FORM = {"name": "demo", "version": "1.0"}


def basic(secret: str, user: str = "any", encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{secret}'.encode(encoding)).decode('ascii')}"}


def caller(name: str) -> dict[str, str]:
    """The headers of a request: anonymous, with a wrong token, or with the token of a user."""
    if name == "anonymous":
        return {}
    return basic(f"{LEAK}-{name}")


@pytest.fixture(scope="module")
def filled() -> Registry:
    """A registry with a file in each project, which no test changes."""
    registry = make_registry(make_accounts())
    for id_ in IDS.values():
        builder = EnvironBuilder(
            f"/projects/{id_}/packages/pypi",
            method="POST",
            data={**FORM, SDIST[0]: (io.BytesIO(SDIST[2]), SDIST[1])},
            headers=[*basic(f"{LEAK}-owner").items()],
        )
        assert run_wsgi_app(registry, builder.get_environ())[1] == "201 Created"
    return registry


BASIC = 'Basic realm="GitLab Packages Registry"'
BEARER = 'Bearer error="invalid_token"'
MESSAGES = {401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found"}


def check_refusal(response: Any, status: int) -> None:
    """GitLab's body, and a challenge if, and only if, credentials could help."""
    assert response.status == MESSAGES[status]
    assert response.content_type == "application/json"
    assert response.json == {"message": MESSAGES[status]}
    assert response.headers.getall("WWW-Authenticate") == ([BASIC] if status == 401 else [])


# Reading (GitLab's manual, "Roles and permissions"; a guest reads, as in the newest GitLab)
#
# Who may read is decided by the principal, and its table is in test_principal.py. Here are the statuses.

PROJECT_READS = [
    ("public", "anonymous", 200),
    ("public", "wrong", 200),
    ("internal", "stranger", 200),
    ("internal", "wrong", 401),
    ("private", "guest", 200),
    ("private", "stranger", 404),
    ("private", "anonymous", 401),
]
# Every user sees an internal group, but only its members read its packages.
GROUP_READS = [
    ("public", "anonymous", 200),
    ("internal", "guest", 200),
    ("internal", "stranger", 403),
    ("internal", "wrong", 401),
    ("private", "guest", 200),
    ("private", "stranger", 404),
    ("private", "anonymous", 401),
]

PROJECT_URLS = {
    "index": "/projects/{id}/packages/pypi/simple",
    "index by path": "/projects/{visibility}-group%2Ftools/packages/pypi/simple/",
    "page": "/projects/{visibility}-group%2Ftools/packages/pypi/simple/Demo",
    "file": f"/projects/{{id}}/packages/pypi/files/{SHA256}/{SDIST[1]}",
}
GROUP_URLS = {
    "index": "/groups/{id}/-/packages/pypi/simple/",
    "index by path": "/groups/{visibility}-group/-/packages/pypi/simple",
    "page": "/groups/{visibility}-group/-/packages/pypi/simple/demo/",
    "file": f"/groups/{{id}}/-/packages/pypi/files/{SHA256}/{SDIST[1]}",
}


def check_read(response: Any, status: int, url: str) -> None:
    if status != 200:
        check_refusal(response, status)
        return
    assert response.status == "200 OK"
    assert response.headers.getall("WWW-Authenticate") == []
    if "/files/" in url:
        assert response.body == SDIST[2]
    else:
        assert "demo" in response.text


@pytest.mark.parametrize(("visibility", "name", "status"), PROJECT_READS)
@pytest.mark.parametrize("url", PROJECT_URLS)
def test_who_reads_a_project(
    client_of: ClientOf, filled: Registry, url: str, visibility: str, name: str, status: int
) -> None:
    path = PROJECT_URLS[url].format(visibility=visibility, id=IDS[visibility])
    check_read(client_of(filled).get(path, headers=caller(name), expect_errors=True), status, path)


@pytest.mark.parametrize(("visibility", "name", "status"), GROUP_READS)
@pytest.mark.parametrize("url", GROUP_URLS)
def test_who_reads_a_group(
    client_of: ClientOf, filled: Registry, url: str, visibility: str, name: str, status: int
) -> None:
    path = GROUP_URLS[url].format(visibility=visibility, id=IDS[visibility])
    check_read(client_of(filled).get(path, headers=caller(name), expect_errors=True), status, path)


@pytest.mark.parametrize(
    ("kind", "visibility", "name", "status"),
    [*(("projects", *row) for row in PROJECT_READS), *(("groups", *row) for row in GROUP_READS)],
)
def test_only_a_caller_who_may_read_is_redirected_for_a_missing_name(
    client_of: ClientOf, filled: Registry, kind: str, visibility: str, name: str, status: int
) -> None:
    base = f"/projects/{IDS[visibility]}" if kind == "projects" else f"/groups/{IDS[visibility]}/-"
    response = client_of(filled).get(f"{base}/packages/pypi/simple/absent/", headers=caller(name), expect_errors=True)
    if status == 200:
        assert response.status_int == 302
        assert response.headers["Location"] == "https://mirror.example/simple/absent/"
    else:
        check_refusal(response, status)
        assert "Location" not in response.headers


@pytest.mark.parametrize("base", ["/projects/1", "/groups/1/-"])
@pytest.mark.parametrize("name", ["secret-tool", "Secret_Tool", "SECRET.x"])
def test_a_reserved_name_is_not_found(client_of: ClientOf, filled: Registry, base: str, name: str) -> None:
    response = client_of(filled).get(f"{base}/packages/pypi/simple/{name}/", headers=caller("owner"), status=404)
    assert response.json == {"message": "404 Package Not Found"}


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("anonymous", ["public"]),
        ("wrong", ["public"]),
        ("stranger", ["public", "internal"]),
        ("guest", ["public", "internal", "private"]),
    ],
)
def test_a_group_shows_what_its_reader_may_read(client_of: ClientOf, name: str, readable: list[str]) -> None:
    # Three projects in one public group.
    accounts = Accounts(
        projects=[
            ProjectConfig(id=id_, path=f"acme/{visibility}", visibility=Visibility(visibility))
            for visibility, id_ in IDS.items()
        ],
        groups=[GroupConfig(path="acme", visibility=Visibility.PUBLIC)],
        users=[
            *(User(name=name, roles={"acme/private": role}) for name, role in ROLES.items()),
            User(name="admin", admin=True),
            User(name="stranger"),
        ],
        tokens=[
            Token(sha256=hashlib.sha256(secret.encode()).hexdigest(), user=settings["user"], scopes=frozenset({"api"}))
            for secret, settings in TOKENS.items()
        ],
    )
    client = client_of(make_registry(accounts))
    for id_ in IDS.values():
        filename = f"demo-1.{id_}.tar.gz"
        file = ("content", filename, distribution(filename))
        form = {"name": "demo", "version": f"1.{id_}"}
        url = f"/projects/{id_}/packages/pypi"
        client.post(url, form, upload_files=[file], headers=caller("admin"), status=201)
    page = client.get("/groups/acme/-/packages/pypi/simple/demo/", headers=caller(name)).text
    for visibility, id_ in IDS.items():
        filename = f"demo-1.{id_}.tar.gz"
        assert (f">{filename}<" in page) == (visibility in readable)
        digest = hashlib.sha256(distribution(filename)).hexdigest()
        url = f"/groups/acme/-/packages/pypi/files/{digest}/{filename}"
        client.get(url, headers=caller(name), status=200 if visibility in readable else 404)


# Publishing

UPLOADS = [
    ("public", "developer", 201),
    ("public", "anonymous", 401),
    ("public", "stranger", 403),
    ("internal", "stranger", 403),
    ("private", "admin", 201),
    ("private", "reporter", 403),
    ("private", "stranger", 404),
    ("private", "wrong", 401),
]


@pytest.mark.parametrize(("visibility", "name", "status"), UPLOADS)
def test_who_publishes(client_of: ClientOf, visibility: str, name: str, status: int) -> None:
    catalogue = MemoryCatalogue()
    client = client_of(make_registry(make_accounts(), catalogue))
    url = f"/projects/{visibility}-group%2Ftools/packages/pypi"
    response = client.post(url, FORM, upload_files=[SDIST], headers=caller(name), expect_errors=True)
    if status == 201:
        assert response.status == "201 Created"
        assert response.json == {"message": "201 Created"}
        assert names_in(catalogue, IDS[visibility]) == ["demo"]
    else:
        check_refusal(response, status)
        assert names_in(catalogue, *IDS.values()) == []


@pytest.mark.parametrize(("visibility", "name", "status"), UPLOADS)
def test_permission_is_checked_before_the_form(
    client_of: ClientOf, filled: Registry, visibility: str, name: str, status: int
) -> None:
    url = f"/projects/{IDS[visibility]}/packages/pypi"
    response = client_of(filled).post(url, {"nonsense": "1"}, headers=caller(name), expect_errors=True)
    if status == 201:
        assert response.status_int == 400
    else:
        check_refusal(response, status)


@pytest.mark.parametrize(
    ("package", "name", "status"),
    [
        ("core-x", "developer", 403),
        ("Core_X", "developer", 403),
        ("CORE.x", "developer", 403),
        ("core-x", "maintainer", 201),
        ("core-x", "reporter", 403),
    ],
)
def test_a_protected_name_needs_a_higher_role(client_of: ClientOf, package: str, name: str, status: int) -> None:
    catalogue = MemoryCatalogue()
    client = client_of(make_registry(make_accounts(), catalogue))
    file = ("content", "core_x-1.0.tar.gz", distribution("core_x-1.0.tar.gz"))
    form = {"name": package, "version": "1.0"}
    response = client.post(
        "/projects/1/packages/pypi", form, upload_files=[file], headers=caller(name), expect_errors=True
    )
    assert response.status_int == status
    if name == "developer":
        assert response.status == "403 Forbidden - Package protected."
        assert response.json == {"message": "403 Forbidden - Package protected."}
    assert names_in(catalogue, 1) == (["core-x"] if status == 201 else [])


# Tokens that are no longer valid

REQUESTS = [
    ("GET", "/projects/1/packages/pypi/simple"),
    ("GET", "/projects/1/packages/pypi/simple/demo/"),
    ("GET", f"/projects/1/packages/pypi/files/{SHA256}/{SDIST[1]}"),
    ("GET", "/groups/1/-/packages/pypi/simple"),
    ("GET", "/groups/1/-/packages/pypi/simple/demo/"),
    ("GET", f"/groups/1/-/packages/pypi/files/{SHA256}/{SDIST[1]}"),
    ("POST", "/projects/1/packages/pypi"),
]
DESCRIPTIONS = {
    "expired": "Token is expired. You can either do re-authorization or token refresh.",
    "revoked": "Token was revoked. You have to re-authorize from the user.",
}


def ask(client: Any, method: str, url: str, headers: dict[str, str]) -> Any:
    if method == "POST":
        return client.post(url, FORM, upload_files=[SDIST], headers=headers, expect_errors=True)
    return client.get(url, headers=headers, expect_errors=True)


@pytest.mark.parametrize(
    ("method", "url", "reason", "scheme"),
    [
        *((*url, "expired", "Basic") for url in REQUESTS),
        *((*REQUESTS[1], "expired", scheme) for scheme in ("Bearer", "PRIVATE-TOKEN")),
        *((*REQUESTS[1], "revoked", scheme) for scheme in ("Basic", "Bearer", "PRIVATE-TOKEN")),
    ],
)
def test_an_expired_or_revoked_token_is_401_even_for_a_public_project(
    client_of: ClientOf, filled: Registry, method: str, url: str, reason: str, scheme: str
) -> None:
    secret = f"{LEAK}-{reason}"
    headers = {
        "Basic": basic(secret),
        "Bearer": {"Authorization": f"Bearer {secret}"},
        "PRIVATE-TOKEN": {"PRIVATE-TOKEN": secret},
    }[scheme]
    response = ask(client_of(filled), method, url, headers)
    assert response.status_int == 401
    assert response.content_type == "application/json"
    assert response.json == {"error": "invalid_token", "error_description": DESCRIPTIONS[reason]}
    assert sorted(response.headers.getall("WWW-Authenticate")) == [BASIC, BEARER]


@pytest.mark.parametrize(
    ("method", "url", "scheme"),
    [
        *((*url, "Bearer") for url in REQUESTS),
        *((*REQUESTS[1], scheme) for scheme in ("PRIVATE-TOKEN", "gitlab-ci-token")),
    ],
)
def test_an_unknown_token_in_these_schemes_is_401_even_for_a_public_project(
    client_of: ClientOf, filled: Registry, method: str, url: str, scheme: str
) -> None:
    secret = f"{LEAK}-wrong"
    headers = {
        "Bearer": {"Authorization": f"Bearer {secret}"},
        "PRIVATE-TOKEN": {"PRIVATE-TOKEN": secret},
        "gitlab-ci-token": basic(secret, "gitlab-ci-token"),
    }[scheme]
    check_refusal(ask(client_of(filled), method, url, headers), 401)


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_token_with_read_api_does_not_publish(client_of: ClientOf, visibility: str) -> None:
    catalogue = MemoryCatalogue()
    client = client_of(make_registry(make_accounts(), catalogue))
    url = f"/projects/{IDS[visibility]}/packages/pypi"
    response = ask(client, "POST", url, basic(f"{LEAK}-read-api"))
    assert response.status_int == 403
    assert response.content_type == "application/json"
    assert response.json == {
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api",
    }
    assert response.headers.getall("WWW-Authenticate") == []
    assert names_in(catalogue, *IDS.values()) == []


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("urls", [PROJECT_URLS, GROUP_URLS], ids=["project", "group"])
def test_a_token_with_read_api_reads(
    client_of: ClientOf, filled: Registry, urls: dict[str, str], visibility: str
) -> None:
    client = client_of(filled)
    for url in urls.values():
        path = url.format(visibility=visibility, id=IDS[visibility])
        check_read(client.get(path, headers=basic(f"{LEAK}-read-api")), 200, path)
        assert client.head(path, headers=basic(f"{LEAK}-read-api")).status_int == 200


# How clients send secrets

PRIVATE_PAGE = f"/projects/{IDS['private']}/packages/pypi/simple/demo/"
PUBLIC_PAGE = f"/projects/{IDS['public']}/packages/pypi/simple/demo/"


def raw(data: bytes) -> str:
    """The text that WSGI has for the bytes of a header."""
    return data.decode("latin-1")


ARRIVALS = {
    "Basic in UTF-8": basic(LATIN),
    "Basic in latin-1": basic(LATIN, encoding="latin-1"),
    "Basic beyond latin-1": basic(UNICODE),
    "Basic without a user": basic(f"{LEAK}-owner", ""),
    "Basic with a user that is not ASCII": basic(f"{LEAK}-owner", "ädä", "latin-1"),
    "Basic with gitlab-ci-token": basic(f"{LEAK}-owner", "gitlab-ci-token"),
    "Basic with the user of another": basic(f"{LEAK}-owner", "stranger"),
    "Basic with colons": basic(COLONS),
    "Basic of 10 kB": basic(LONG),
    "basic in lower case": {"Authorization": basic(f"{LEAK}-owner")["Authorization"].replace("Basic", "basic")},
    "PRIVATE-TOKEN": {"PRIVATE-TOKEN": f"{LEAK}-owner"},
    "PRIVATE-TOKEN in UTF-8": {"PRIVATE-TOKEN": raw(UNICODE.encode())},
    "PRIVATE-TOKEN in latin-1": {"PRIVATE-TOKEN": raw(LATIN.encode("latin-1"))},
    "PRIVATE-TOKEN of 10 kB": {"PRIVATE-TOKEN": LONG},
    "Bearer": {"Authorization": f"Bearer {LEAK}-owner"},
    "Bearer in UTF-8": {"Authorization": raw(f"Bearer {LATIN}".encode())},
    "Bearer in latin-1": {"Authorization": raw(f"Bearer {LATIN}".encode("latin-1"))},
}


@pytest.mark.parametrize("headers", ARRIVALS.values(), ids=ARRIVALS)
def test_a_secret_is_accepted_in_every_scheme_and_encoding(
    client_of: ClientOf, filled: Registry, headers: dict[str, str]
) -> None:
    check_read(client_of(filled).get(PRIVATE_PAGE, headers=headers, expect_errors=True), 200, PRIVATE_PAGE)


NO_CREDENTIALS = {
    "unknown": basic(f"{LEAK}-wrong"),
    "unknown of 10 kB": basic(LEAK + "y" * 10_000),
    "unknown in latin-1": basic(f"{LEAK}-é", encoding="latin-1"),
    "empty": basic(""),
    "empty, from a job": basic("", "gitlab-ci-token"),
    "the user is the secret": basic("", f"{LEAK}-owner"),
    "the digest of the secret": basic(hashlib.sha256(f"{LEAK}-owner".encode()).hexdigest()),
    "not base64": {"Authorization": f"Basic {LEAK}-owner"},
    "not ASCII": {"Authorization": raw(f"Basic {LATIN}".encode())},
    "without a colon": {"Authorization": f"Basic {base64.b64encode(f'{LEAK}-owner'.encode()).decode()}"},
    "nothing": {"Authorization": "Basic"},
    "another scheme": {"Authorization": f"Digest {LEAK}-owner"},
    "no scheme": {"Authorization": f"{LEAK}-owner"},
    "an empty Bearer": {"Authorization": "Bearer "},
    "an empty PRIVATE-TOKEN": {"PRIVATE-TOKEN": ""},
    "a personal token as DEPLOY-TOKEN": {"DEPLOY-TOKEN": f"{LEAK}-owner"},
    "a personal token as JOB-TOKEN": {"JOB-TOKEN": f"{LEAK}-owner"},
}


@pytest.mark.parametrize("headers", NO_CREDENTIALS.values(), ids=NO_CREDENTIALS)
def test_unknown_credentials_are_anonymous(client_of: ClientOf, filled: Registry, headers: dict[str, str]) -> None:
    client = client_of(filled)
    check_read(client.get(PUBLIC_PAGE, headers=headers, expect_errors=True), 200, PUBLIC_PAGE)
    check_refusal(client.get(PRIVATE_PAGE, headers=headers, expect_errors=True), 401)


@pytest.mark.parametrize("key", ["private_token", "access_token", "job_token"])
def test_a_secret_in_the_query_is_ignored(client_of: ClientOf, filled: Registry, key: str) -> None:
    response = client_of(filled).get(f"{PRIVATE_PAGE}?{key}={LEAK}-owner", expect_errors=True)
    check_refusal(response, 401)


# Unknown ids are checked before credentials

UNKNOWN = [
    ("GET", "/projects/{}/packages/pypi/simple"),
    ("GET", "/projects/{}/packages/pypi/simple/demo/"),
    ("GET", f"/projects/{{}}/packages/pypi/files/{SHA256}/{SDIST[1]}"),
    ("POST", "/projects/{}/packages/pypi"),
    ("GET", "/groups/{}/-/packages/pypi/simple"),
    ("GET", "/groups/{}/-/packages/pypi/simple/demo/"),
    ("GET", f"/groups/{{}}/-/packages/pypi/files/{SHA256}/{SDIST[1]}"),
]


@pytest.mark.parametrize("name", ["anonymous", "admin", "expired"])
@pytest.mark.parametrize(("method", "url"), UNKNOWN)
def test_an_unknown_id_is_404_for_every_caller(
    client_of: ClientOf, filled: Registry, method: str, url: str, name: str
) -> None:
    check_refusal(ask(client_of(filled), method, url.format("999"), caller(name)), 404)


@pytest.mark.parametrize(
    "ref", ["not%2Fknown", "public-group%2Ftool", "unknown", "9" * 19, "-1", "01x", "%00", "%C3%A9"]
)
@pytest.mark.parametrize(("method", "url"), [UNKNOWN[0], UNKNOWN[3], UNKNOWN[4]])
def test_an_unknown_path_is_404_even_with_an_expired_token(
    client_of: ClientOf, filled: Registry, method: str, url: str, ref: str
) -> None:
    check_refusal(ask(client_of(filled), method, url.format(ref), caller("expired")), 404)


def test_a_project_is_not_a_group_and_a_group_is_not_a_project(client_of: ClientOf, filled: Registry) -> None:
    client = client_of(filled)
    for url in [
        "/groups/public-group%2Ftools/-/packages/pypi/simple",
        "/projects/public-group/packages/pypi/simple",
    ]:
        check_refusal(client.get(url, headers=caller("admin"), expect_errors=True), 404)


# Private names are never forwarded


@pytest.mark.parametrize("order", [1, -1], ids=["as declared", "backwards"])
@pytest.mark.parametrize("base", ["/projects/2", "/projects/acme%2Fopen", "/groups/acme/-", "/groups/ACME/-"])
def test_a_name_published_under_a_root_group_is_not_forwarded_from_it_in_any_case(
    client_of: ClientOf, base: str, order: int
) -> None:
    # The name was published in a private project. A request for it elsewhere in the same root group must not be
    # redirected to a public index, where a stranger may have published under this name (dependency confusion).
    projects = [
        ProjectConfig(id=1, path="Acme/hidden"),
        ProjectConfig(id=2, path="acme/open", visibility=Visibility.PUBLIC),
    ]
    accounts = Accounts(
        projects=projects[::order],
        groups=[GroupConfig(path="aCme", visibility=Visibility.PUBLIC)],
        users=[User(name="owner", roles={"acme": Role.OWNER})],
        tokens=[
            Token(sha256=hashlib.sha256(f"{LEAK}-owner".encode()).hexdigest(), user="owner", scopes=frozenset({"api"}))
        ],
        forwarding="https://mirror.example/simple",
    )
    client = client_of(make_registry(accounts))
    client.post("/projects/1/packages/pypi", FORM, upload_files=[SDIST], headers=caller("owner"), status=201)
    response = client.get(f"{base}/packages/pypi/simple/demo/", expect_errors=True)
    assert response.status_int == 404
    assert response.json == {"message": "404 Package Not Found"}
    assert client.get(f"{base}/packages/pypi/simple/other/").status_int == 302


# The options of Accounts.registry


def upload(registry: Registry, content: bytes = SDIST[2]) -> Any:
    files = [(SDIST[0], SDIST[1], content)]
    url = f"/projects/{IDS['private']}/packages/pypi"
    return TestApp(registry, lint=True).post(
        url, FORM, upload_files=files, headers=caller("developer"), expect_errors=True
    )


@pytest.mark.parametrize(
    ("options", "status"),
    [({}, 400), ({"max_file_size": len(SDIST[2]) + 1}, 201), ({"max_file_size": len(SDIST[2])}, 400)],
    ids=["the limit of the accounts", "a higher limit", "an equal limit"],
)
def test_the_limit_of_the_accounts_holds_unless_an_option_replaces_it(options: dict[str, Any], status: int) -> None:
    accounts = make_accounts(max_file_size=10)
    registry = accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), **options)
    assert upload(registry).status_int == status


@pytest.mark.parametrize(
    ("options", "location"),
    [
        ({}, "https://mirror.example/simple/absent/"),
        ({"forward_to": "https://other.example/simple"}, "https://other.example/simple/absent/"),
        ({"forward_to": lambda namespace, name: f"https://{name}.example"}, "https://absent.example/absent/"),
        ({"forward_to": None}, None),
    ],
    ids=["the index of the accounts", "another index", "a function", "None"],
)
def test_the_forwarding_of_the_accounts_holds_unless_an_option_replaces_it(
    options: dict[str, Any], location: str | None
) -> None:
    registry = make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), **options)
    url = f"/projects/{IDS['public']}/packages/pypi/simple/absent/"
    response = TestApp(registry, lint=True).get(url, status=302 if location else 404)
    assert response.headers.get("Location") == location


@pytest.mark.parametrize(
    "forward_to",
    [
        "https://other.example/simple",
        lambda namespace, name: f"https://{name}.example",
        lambda namespace, name: Forward("https://other.example/simple", even_if_published=True),
    ],
    ids=["a URL", "a function", "a function that forwards published names"],
)
@pytest.mark.parametrize("namespace", [f"projects/{IDS['public']}", f"groups/{IDS['public']}/-"])
def test_an_option_does_not_forward_reserved_names(forward_to: Any, namespace: str) -> None:
    registry = make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), forward_to=forward_to)
    client = TestApp(registry, lint=True)
    client.get(f"/{namespace}/packages/pypi/simple/absent/", status=302)
    client.get(f"/{namespace}/packages/pypi/simple/Secret_Name/", status=404)


def test_an_option_that_is_no_index_is_refused() -> None:
    with pytest.raises(TypeError, match="forward_to= must be"):
        make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), forward_to="mirror.example")


@pytest.mark.parametrize(("options", "status"), [({}, 400), ({"verify": None}, 201)], ids=["default", "None"])
def test_verify_is_passed_on(options: dict[str, Any], status: int) -> None:
    registry = make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), **options)
    assert upload(registry, b"no archive").status_int == status


def test_fallback_is_passed_on() -> None:
    def application(environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the application"]

    registry = make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), fallback=application)
    assert TestApp(registry, lint=True).get("/projects/1/issues").text == "the application"


def test_an_event_names_the_user_and_the_token() -> None:
    events: list[Event] = []
    registry = make_accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), on_event=events.append)
    upload(registry)
    [published] = events
    assert isinstance(published, Published)
    assert (published.actor.name, published.actor.via) == ("developer", "personal token")
    assert [file.uploaded_by for file in published.files] == ["developer"]


# No secret is ever shown


class Failing(MemoryCatalogue):
    """A catalogue that fails for every page, so that the log has a traceback."""

    def listing(self, projects: Projects, name: NormalizedName) -> Any:
        raise RuntimeError("the catalogue failed")

    def revision(self, projects: Projects, name: NormalizedName | None) -> int:
        return 1


def all_schemes(secret: str) -> Iterator[dict[str, str]]:
    for user in ["", "ada", "gitlab-ci-token"]:
        yield basic(secret, user)
    header = raw(secret.encode())
    yield {"Authorization": f"Bearer {header}"}
    yield {"Authorization": f"Basic {header}"}
    for name in ["PRIVATE-TOKEN", "DEPLOY-TOKEN", "JOB-TOKEN"]:
        yield {name: header}


@pytest.mark.parametrize(
    "secret",
    [
        *(f"{LEAK}-{name}" for name in ["owner", "stranger", "read-api", "expired", "revoked", "wrong"]),
        *(LATIN, UNICODE, LONG),
    ],
    ids=lambda secret: secret[:20],
)
def test_no_response_and_no_log_shows_a_secret(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    caplog.set_level(logging.DEBUG)
    accounts = make_accounts()
    client = client_of(make_registry(accounts, Failing()))
    bases = ["/projects/1", "/projects/3", "/groups/3/-", "/projects/9"]
    requests = [("GET", "/simple/demo/"), ("GET", f"/files/{SHA256}/x.zip"), ("POST", "")]
    statuses = set()
    shown = [repr(accounts)]
    for headers, base, (method, path) in itertools.product(all_schemes(secret), bases, requests):
        url = f"{client.prefix}{base}/packages/pypi{path}?private_token={LEAK}"
        response = client.app.request(url, method=method, headers=headers, expect_errors=True)
        statuses.add(response.status_int)
        shown += [response.status, repr(response.headers), response.text]
    shown += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert {404, 500} <= statuses  # both kinds of error were covered
    assert "the catalogue failed" in caplog.text
    encoded = base64.b64encode(f"ada:{secret}".encode()).decode()
    assert not [text for text in shown if LEAK in text or encoded in text]
