"""Accounts behind a registry: what clients are answered, against GitLab's tables."""

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
from werkzeug.test import EnvironBuilder, run_wsgi_app

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, User
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

VISIBILITIES = [str(visibility) for visibility in Visibility]
NUMBERS = {visibility: number for number, visibility in enumerate(VISIBILITIES, 1)}
ROLES = {
    "guest": Role.GUEST,
    "reporter": Role.REPORTER,
    "developer": Role.DEVELOPER,
    "maintainer": Role.MAINTAINER,
    "owner": Role.OWNER,
}
PAST = datetime(2001, 1, 1, tzinfo=UTC)

# Every secret holds the word by which a leak is found. The user of a token is its first word.
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


def make_accounts() -> Accounts:
    """A group of each visibility with a project of the same, in which somebody has each of the roles."""
    return Accounts(
        projects=[
            ProjectConfig(
                id=number,
                path=f"{visibility}-group/tools",
                visibility=Visibility(visibility),
                protect=(ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER),),
            )
            for visibility, number in NUMBERS.items()
        ],
        groups=[
            GroupConfig(id=number, path=f"{visibility}-group", visibility=Visibility(visibility))
            for visibility, number in NUMBERS.items()
        ],
        users=[
            *(
                User(name=name, roles={f"{place}-group": role for place in VISIBILITIES})
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
        forward_to="https://mirror.example/simple",
        reserved=["secret-*"],
    )


def make_registry(accounts: Accounts, catalogue: Any = None) -> Registry:
    return Registry(
        directory=accounts,
        auth=accounts,
        catalogue=MemoryCatalogue() if catalogue is None else catalogue,
        blobs=MemoryBlobs(),
        forward_to=accounts.forward_to,
        max_file_size=accounts.max_file_size,
    )


SDIST = ("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))
SHA256 = hashlib.sha256(SDIST[2]).hexdigest()
FORM = {"name": "demo", "version": "1.0"}


def basic(secret: str, user: str = "anybody", encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{secret}'.encode(encoding)).decode('ascii')}"}


def caller(name: str) -> dict[str, str]:
    """The headers of somebody: of nobody, of somebody with a wrong token, or of a user."""
    if name == "anonymous":
        return {}
    return basic(f"{LEAK}-{name}")


@pytest.fixture(scope="module")
def filled() -> Registry:
    """A registry with a file in each project, which the tests only read."""
    registry = make_registry(make_accounts())
    for number in NUMBERS.values():
        builder = EnvironBuilder(
            f"/projects/{number}/packages/pypi",
            method="POST",
            data={**FORM, SDIST[0]: (io.BytesIO(SDIST[2]), SDIST[1])},
            headers=[*basic(f"{LEAK}-owner").items()],
        )
        assert run_wsgi_app(registry, builder.get_environ())[1] == "201 Created"
    return registry


BASIC = 'Basic realm="GitLab Packages Registry"'
BEARER = 'Bearer error="invalid_token"'
MESSAGES = {401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found"}


def check_refusal(answer: Any, status: int) -> None:
    """GitLab's body, and a challenge if, and only if, credentials could help."""
    assert answer.status == MESSAGES[status]
    assert answer.content_type == "application/json"
    assert answer.json == {"message": MESSAGES[status]}
    assert answer.headers.getall("WWW-Authenticate") == ([BASIC] if status == 401 else [])


# Reading (section "Who gets what" of the reference; "newest": a guest reads)
#
# Who may read is a question to the principal, and has its table in test_principals.py; here stand the statuses.

PROJECT_READS = [
    ("public", "anonymous", 200),
    ("public", "wrong", 200),
    ("internal", "stranger", 200),
    ("internal", "wrong", 401),
    ("private", "guest", 200),
    ("private", "stranger", 404),
    ("private", "anonymous", 401),
]
# An internal group is known to everybody who is signed in, but its packages are for its members.
GROUP_READS = [
    ("public", "anonymous", 200),
    ("internal", "guest", 200),
    ("internal", "stranger", 403),
    ("internal", "wrong", 401),
    ("private", "guest", 200),
    ("private", "stranger", 404),
    ("private", "anonymous", 401),
]

PROJECT_ADDRESSES = {
    "index": "/projects/{number}/packages/pypi/simple",
    "index by path": "/projects/{visibility}-group%2Ftools/packages/pypi/simple/",
    "page": "/projects/{visibility}-group%2Ftools/packages/pypi/simple/Demo",
    "file": f"/projects/{{number}}/packages/pypi/files/{SHA256}/{SDIST[1]}",
}
GROUP_ADDRESSES = {
    "index": "/groups/{number}/-/packages/pypi/simple/",
    "index by path": "/groups/{visibility}-group/-/packages/pypi/simple",
    "page": "/groups/{visibility}-group/-/packages/pypi/simple/demo/",
    "file": f"/groups/{{number}}/-/packages/pypi/files/{SHA256}/{SDIST[1]}",
}


def check_read(answer: Any, status: int, address: str) -> None:
    if status != 200:
        check_refusal(answer, status)
        return
    assert answer.status == "200 OK"
    assert answer.headers.getall("WWW-Authenticate") == []
    if "/files/" in address:
        assert answer.body == SDIST[2]
    else:
        assert "demo" in answer.text


@pytest.mark.parametrize(("visibility", "name", "status"), PROJECT_READS)
@pytest.mark.parametrize("address", PROJECT_ADDRESSES)
def test_who_reads_a_project(
    client_of: ClientOf, filled: Registry, address: str, visibility: str, name: str, status: int
) -> None:
    path = PROJECT_ADDRESSES[address].format(visibility=visibility, number=NUMBERS[visibility])
    check_read(client_of(filled).get(path, headers=caller(name), expect_errors=True), status, path)


@pytest.mark.parametrize(("visibility", "name", "status"), GROUP_READS)
@pytest.mark.parametrize("address", GROUP_ADDRESSES)
def test_who_reads_a_group(
    client_of: ClientOf, filled: Registry, address: str, visibility: str, name: str, status: int
) -> None:
    path = GROUP_ADDRESSES[address].format(visibility=visibility, number=NUMBERS[visibility])
    check_read(client_of(filled).get(path, headers=caller(name), expect_errors=True), status, path)


@pytest.mark.parametrize(
    ("kind", "visibility", "name", "status"),
    [*(("projects", *row) for row in PROJECT_READS), *(("groups", *row) for row in GROUP_READS)],
)
def test_only_who_may_read_is_sent_elsewhere_for_what_is_not_here(
    client_of: ClientOf, filled: Registry, kind: str, visibility: str, name: str, status: int
) -> None:
    place = f"/projects/{NUMBERS[visibility]}" if kind == "projects" else f"/groups/{NUMBERS[visibility]}/-"
    answer = client_of(filled).get(f"{place}/packages/pypi/simple/absent/", headers=caller(name), expect_errors=True)
    if status == 200:
        assert answer.status_int == 302
        assert answer.headers["Location"] == "https://mirror.example/simple/absent/"
    else:
        check_refusal(answer, status)
        assert "Location" not in answer.headers


@pytest.mark.parametrize("place", ["/projects/1", "/groups/1/-"])
@pytest.mark.parametrize("name", ["secret-tool", "Secret_Tool", "SECRET.x"])
def test_a_reserved_name_is_told_to_be_nowhere(client_of: ClientOf, filled: Registry, place: str, name: str) -> None:
    answer = client_of(filled).get(f"{place}/packages/pypi/simple/{name}/", headers=caller("owner"), status=404)
    assert answer.json == {"message": "404 Package Not Found"}


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
            ProjectConfig(id=number, path=f"acme/{visibility}", visibility=Visibility(visibility))
            for visibility, number in NUMBERS.items()
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
    for number in NUMBERS.values():
        filename = f"demo-1.{number}.tar.gz"
        file = ("content", filename, distribution(filename))
        form = {"name": "demo", "version": f"1.{number}"}
        address = f"/projects/{number}/packages/pypi"
        client.post(address, form, upload_files=[file], headers=caller("admin"), status=201)
    page = client.get("/groups/acme/-/packages/pypi/simple/demo/", headers=caller(name)).text
    for visibility, number in NUMBERS.items():
        filename = f"demo-1.{number}.tar.gz"
        assert (f">{filename}<" in page) == (visibility in readable)
        digest = hashlib.sha256(distribution(filename)).hexdigest()
        address = f"/groups/acme/-/packages/pypi/files/{digest}/{filename}"
        client.get(address, headers=caller(name), status=200 if visibility in readable else 404)


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
    address = f"/projects/{visibility}-group%2Ftools/packages/pypi"
    answer = client.post(address, FORM, upload_files=[SDIST], headers=caller(name), expect_errors=True)
    if status == 201:
        assert answer.status == "201 Created"
        assert answer.json == {"message": "201 Created"}
        assert catalogue.names([NUMBERS[visibility]]) == ["demo"]
    else:
        check_refusal(answer, status)
        assert catalogue.names([*NUMBERS.values()]) == []


@pytest.mark.parametrize(("visibility", "name", "status"), UPLOADS)
def test_who_may_not_publish_is_told_so_whatever_was_sent(
    client_of: ClientOf, filled: Registry, visibility: str, name: str, status: int
) -> None:
    address = f"/projects/{NUMBERS[visibility]}/packages/pypi"
    answer = client_of(filled).post(address, {"nonsense": "1"}, headers=caller(name), expect_errors=True)
    if status == 201:
        assert answer.status_int == 400
    else:
        check_refusal(answer, status)


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
def test_a_protected_name_needs_more(client_of: ClientOf, package: str, name: str, status: int) -> None:
    catalogue = MemoryCatalogue()
    client = client_of(make_registry(make_accounts(), catalogue))
    file = ("content", "core_x-1.0.tar.gz", distribution("core_x-1.0.tar.gz"))
    form = {"name": package, "version": "1.0"}
    answer = client.post(
        "/projects/1/packages/pypi", form, upload_files=[file], headers=caller(name), expect_errors=True
    )
    assert answer.status_int == status
    if name == "developer":
        assert answer.status == "403 Forbidden - Package protected."
        assert answer.json == {"message": "403 Forbidden - Package protected."}
    assert catalogue.names([1]) == (["core-x"] if status == 201 else [])


# Tokens that are known to be bad

ADDRESSES = [
    ("GET", "/projects/1/packages/pypi/simple"),
    ("GET", "/projects/1/packages/pypi/simple/demo/"),
    ("GET", f"/projects/1/packages/pypi/files/{SHA256}/{SDIST[1]}"),
    ("GET", "/groups/1/-/packages/pypi/simple"),
    ("GET", "/groups/1/-/packages/pypi/simple/demo/"),
    ("GET", f"/groups/1/-/packages/pypi/files/{SHA256}/{SDIST[1]}"),
    ("POST", "/projects/1/packages/pypi"),
]
LAPSES = {
    "expired": "Token is expired. You can either do re-authorization or token refresh.",
    "revoked": "Token was revoked. You have to re-authorize from the user.",
}


def ask(client: Any, method: str, address: str, headers: dict[str, str]) -> Any:
    if method == "POST":
        return client.post(address, FORM, upload_files=[SDIST], headers=headers, expect_errors=True)
    return client.get(address, headers=headers, expect_errors=True)


@pytest.mark.parametrize(
    ("method", "address", "lapse", "form"),
    [
        *((*address, "expired", "Basic") for address in ADDRESSES),
        *((*ADDRESSES[1], "expired", form) for form in ("Bearer", "PRIVATE-TOKEN")),
        *((*ADDRESSES[1], "revoked", form) for form in ("Basic", "Bearer", "PRIVATE-TOKEN")),
    ],
)
def test_a_lapsed_token_is_401_even_where_anyone_may_read(
    client_of: ClientOf, filled: Registry, method: str, address: str, lapse: str, form: str
) -> None:
    secret = f"{LEAK}-{lapse}"
    headers = {
        "Basic": basic(secret),
        "Bearer": {"Authorization": f"Bearer {secret}"},
        "PRIVATE-TOKEN": {"PRIVATE-TOKEN": secret},
    }[form]
    answer = ask(client_of(filled), method, address, headers)
    assert answer.status_int == 401
    assert answer.content_type == "application/json"
    assert answer.json == {"error": "invalid_token", "error_description": LAPSES[lapse]}
    assert sorted(answer.headers.getall("WWW-Authenticate")) == [BASIC, BEARER]


@pytest.mark.parametrize(
    ("method", "address", "form"),
    [
        *((*address, "Bearer") for address in ADDRESSES),
        *((*ADDRESSES[1], form) for form in ("PRIVATE-TOKEN", "gitlab-ci-token")),
    ],
)
def test_an_unknown_token_of_a_certain_kind_is_401_even_where_anyone_may_read(
    client_of: ClientOf, filled: Registry, method: str, address: str, form: str
) -> None:
    secret = f"{LEAK}-wrong"
    headers = {
        "Bearer": {"Authorization": f"Bearer {secret}"},
        "PRIVATE-TOKEN": {"PRIVATE-TOKEN": secret},
        "gitlab-ci-token": basic(secret, "gitlab-ci-token"),
    }[form]
    check_refusal(ask(client_of(filled), method, address, headers), 401)


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_token_that_only_reads_does_not_publish(client_of: ClientOf, visibility: str) -> None:
    catalogue = MemoryCatalogue()
    client = client_of(make_registry(make_accounts(), catalogue))
    address = f"/projects/{NUMBERS[visibility]}/packages/pypi"
    answer = ask(client, "POST", address, basic(f"{LEAK}-read-api"))
    assert answer.status_int == 403
    assert answer.content_type == "application/json"
    assert answer.json == {
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api",
    }
    assert answer.headers.getall("WWW-Authenticate") == []
    assert catalogue.names([*NUMBERS.values()]) == []


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("addresses", [PROJECT_ADDRESSES, GROUP_ADDRESSES], ids=["project", "group"])
def test_a_token_that_only_reads_reads(
    client_of: ClientOf, filled: Registry, addresses: dict[str, str], visibility: str
) -> None:
    client = client_of(filled)
    for address in addresses.values():
        path = address.format(visibility=visibility, number=NUMBERS[visibility])
        check_read(client.get(path, headers=basic(f"{LEAK}-read-api")), 200, path)
        assert client.head(path, headers=basic(f"{LEAK}-read-api")).status_int == 200


# How secrets arrive

PRIVATE_PAGE = f"/projects/{NUMBERS['private']}/packages/pypi/simple/demo/"
PUBLIC_PAGE = f"/projects/{NUMBERS['public']}/packages/pypi/simple/demo/"


def raw(data: bytes) -> str:
    """Bytes in a header, as WSGI has them."""
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
    "basic in small letters": {"Authorization": basic(f"{LEAK}-owner")["Authorization"].replace("Basic", "basic")},
    "PRIVATE-TOKEN": {"PRIVATE-TOKEN": f"{LEAK}-owner"},
    "PRIVATE-TOKEN in UTF-8": {"PRIVATE-TOKEN": raw(UNICODE.encode())},
    "PRIVATE-TOKEN in latin-1": {"PRIVATE-TOKEN": raw(LATIN.encode("latin-1"))},
    "PRIVATE-TOKEN of 10 kB": {"PRIVATE-TOKEN": LONG},
    "Bearer": {"Authorization": f"Bearer {LEAK}-owner"},
    "Bearer in UTF-8": {"Authorization": raw(f"Bearer {LATIN}".encode())},
    "Bearer in latin-1": {"Authorization": raw(f"Bearer {LATIN}".encode("latin-1"))},
}


@pytest.mark.parametrize("headers", ARRIVALS.values(), ids=ARRIVALS)
def test_a_secret_is_recognized_however_it_arrives(
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
    "a DEPLOY-TOKEN of a person": {"DEPLOY-TOKEN": f"{LEAK}-owner"},
    "a JOB-TOKEN of a person": {"JOB-TOKEN": f"{LEAK}-owner"},
}


@pytest.mark.parametrize("headers", NO_CREDENTIALS.values(), ids=NO_CREDENTIALS)
def test_what_is_not_recognized_is_nobody(client_of: ClientOf, filled: Registry, headers: dict[str, str]) -> None:
    client = client_of(filled)
    check_read(client.get(PUBLIC_PAGE, headers=headers, expect_errors=True), 200, PUBLIC_PAGE)
    check_refusal(client.get(PRIVATE_PAGE, headers=headers, expect_errors=True), 401)


@pytest.mark.parametrize("key", ["private_token", "access_token", "job_token"])
def test_a_secret_in_the_query_is_not_taken(client_of: ClientOf, filled: Registry, key: str) -> None:
    answer = client_of(filled).get(f"{PRIVATE_PAGE}?{key}={LEAK}-owner", expect_errors=True)
    check_refusal(answer, 401)


# Ids that are of nothing come before everything else

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
@pytest.mark.parametrize(("method", "address"), UNKNOWN)
def test_an_unknown_id_is_404_whoever_asks(
    client_of: ClientOf, filled: Registry, method: str, address: str, name: str
) -> None:
    check_refusal(ask(client_of(filled), method, address.format("999"), caller(name)), 404)


@pytest.mark.parametrize("ref", ["no%2Fbody", "public-group%2Ftool", "nobody", "9" * 19, "-1", "01x", "%00", "%C3%A9"])
@pytest.mark.parametrize(("method", "address"), [UNKNOWN[0], UNKNOWN[3], UNKNOWN[4]])
def test_whatever_is_no_id_is_404_before_a_bad_token_is_401(
    client_of: ClientOf, filled: Registry, method: str, address: str, ref: str
) -> None:
    check_refusal(ask(client_of(filled), method, address.format(ref), caller("expired")), 404)


def test_a_project_is_no_group_and_a_group_is_no_project(client_of: ClientOf, filled: Registry) -> None:
    client = client_of(filled)
    for address in [
        "/groups/public-group%2Ftools/-/packages/pypi/simple",
        "/projects/public-group/packages/pypi/simple",
    ]:
        check_refusal(client.get(address, headers=caller("admin"), expect_errors=True), 404)


# A private name is never sent away


@pytest.mark.parametrize("order", [1, -1], ids=["as declared", "backwards"])
@pytest.mark.parametrize("asked", ["/projects/2", "/projects/acme%2Fopen", "/groups/acme/-", "/groups/ACME/-"])
def test_a_name_published_under_a_root_group_stays_there_whatever_the_case_of_its_path(
    client_of: ClientOf, asked: str, order: int
) -> None:
    # A hidden project published a name: whoever asks for it elsewhere in the same root group must not be sent to a
    # public index, where a stranger could have taken the name (dependency confusion).
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
        forward_to="https://mirror.example/simple",
    )
    client = client_of(make_registry(accounts))
    client.post("/projects/1/packages/pypi", FORM, upload_files=[SDIST], headers=caller("owner"), status=201)
    answer = client.get(f"{asked}/packages/pypi/simple/demo/", expect_errors=True)
    assert answer.status_int == 404
    assert answer.json == {"message": "404 Package Not Found"}
    assert client.get(f"{asked}/packages/pypi/simple/other/").status_int == 302


# No secret is ever shown


class Failing(MemoryCatalogue):
    """A catalogue that fails where a page is asked for, so that there is a traceback in the log."""

    def files(self, projects: Any, name: NormalizedName) -> Any:
        raise RuntimeError("the catalogue failed")

    def revision(self, projects: Any, name: NormalizedName | None) -> int:
        return 1


def all_forms(secret: str) -> Iterator[dict[str, str]]:
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
def test_no_answer_and_no_log_shows_a_secret(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    caplog.set_level(logging.DEBUG)
    accounts = make_accounts()
    client = client_of(make_registry(accounts, Failing()))
    places = ["/projects/1", "/projects/3", "/groups/3/-", "/projects/9"]
    requests = [("GET", "/simple/demo/"), ("GET", f"/files/{SHA256}/x.zip"), ("POST", "")]
    statuses = set()
    shown = [repr(accounts)]
    for headers, place, (method, path) in itertools.product(all_forms(secret), places, requests):
        address = f"{client.prefix}{place}/packages/pypi{path}?private_token={LEAK}"
        answer = client.app.request(address, method=method, headers=headers, expect_errors=True)
        statuses.add(answer.status_int)
        shown += [answer.status, repr(answer.headers), answer.text]
    shown += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert {404, 500} <= statuses  # there was something that could have been shown
    assert "the catalogue failed" in caplog.text
    encoded = base64.b64encode(f"ada:{secret}".encode()).decode()
    assert not [text for text in shown if LEAK in text or encoded in text]
