"""GitLab's Packages API, the statuses of PEP 792, and who gets what of it.

The tables are those of GitLab's specifications; they run over the accounts that come with the package, and some rows of
them over a host's own directory and auth. One row, one test.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from packaging.utils import canonicalize_name

from pypi_registry import Registry
from pypi_registry._paths import is_below
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, TokenKind, User
from pypi_registry.accounts import token_digest as digest_of
from pypi_registry.auth import Ability, AuthScheme, Credentials, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidToken
from pypi_registry.model import (
    Deletion,
    Digests,
    Group,
    Namespace,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    PackageName,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
    Visibility,
)
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution, name_and_version

ClientOf = Callable[[Registry], Any]


@pytest.fixture(params=["", "/api/v4"], ids=["root", "mounted"])
def client_of(client_of: ClientOf) -> ClientOf:
    """The tables run at the root and, all of them only with --slow, where GitLab has them."""
    return client_of


MOUNTED = pytest.mark.parametrize(
    "client_of", ["", pytest.param("/api/v4", marks=pytest.mark.everywhere)], ids=["root", "mounted"], indirect=True
)

AT = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
MIRROR = "https://mirror.example/simple/"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
CHALLENGE = 'Basic realm="GitLab Packages Registry"'

# The places: a group of each visibility with a project of the same, and more below the public one

TOOLS = Project(1, "pub/tools", visibility=Visibility.PUBLIC)
INTERNAL = Project(2, "int/tools", visibility=Visibility.INTERNAL)
PRIVATE = Project(3, "priv/tools", visibility=Visibility.PRIVATE)
DEEP = Project(4, "pub/sub/deep", visibility=Visibility.PUBLIC)
HIDDEN = Project(5, "pub/hidden", visibility=Visibility.PRIVATE)
OTHER = Project(6, "elsewhere/other", visibility=Visibility.PRIVATE)
PROJECTS = [TOOLS, INTERNAL, PRIVATE, DEEP, HIDDEN, OTHER]
GROUPS = [
    Group(10, "pub", "Acme & <Sons>", Visibility.PUBLIC),
    Group(20, "int", visibility=Visibility.INTERNAL),
    Group(30, "priv", visibility=Visibility.PRIVATE),
    Group(40, "pub/sub", visibility=Visibility.PUBLIC),
]
BY_VISIBILITY = {"public": TOOLS, "internal": INTERNAL, "private": PRIVATE}
GROUP_OF = {"public": 10, "internal": 20, "private": 30}

LEVELS = {"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50, "admin": 60, "stranger": 0}
"""Who shows their own name as token; a role is held in the three groups."""
NEEDED = {
    Ability.READ_PROJECT: LEVELS["guest"],
    Ability.READ_GROUP: LEVELS["guest"],
    Ability.READ_PACKAGE: LEVELS["guest"],
    Ability.CREATE_PACKAGE: LEVELS["developer"],
    Ability.YANK_PACKAGE: LEVELS["developer"],
    Ability.DESTROY_PACKAGE: LEVELS["maintainer"],
    Ability.ADMIN_PACKAGE: LEVELS["maintainer"],
}


class Host:
    """A host's own directory and auth: the places and the levels above."""

    def project(self, ref: Ref) -> Project | None:
        return next((project for project in PROJECTS if ref in (project.id, project.path)), None)

    def group(self, ref: Ref) -> Group | None:
        return next((group for group in GROUPS if ref in (group.id, group.path)), None)

    def projects_in(self, group: Group) -> Projects:
        return Projects(project for project in PROJECTS if is_below(project.path, group.path))

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> "Somebody":
        level = LEVELS.get(credentials.secret) if credentials else None
        if credentials and level is None and credentials.scheme is not AuthScheme.BASIC:
            raise InvalidToken
        return Somebody(credentials.secret if credentials and level is not None else "", level)


@dataclass
class Somebody:
    name: str
    level: int | None
    via: str = "token"

    @property
    def anonymous(self) -> bool:
        return self.level is None

    def _level_in(self, place: Project | Group) -> int:
        held = self.level or 0
        return held if held == LEVELS["admin"] or place.root != "elsewhere" else 0

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            free = not subject.name.startswith("core-") or self._level_in(subject.project) >= LEVELS["owner"]
            return free and ability in (Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE)
        needed = NEEDED.get(ability)
        if needed is None:
            return False
        if self._level_in(subject) >= needed or needed > LEVELS["guest"]:
            return self._level_in(subject) >= needed
        internal = subject.visibility is Visibility.INTERNAL and not self.anonymous
        if isinstance(subject, Group) and ability is Ability.READ_PACKAGE:
            internal = False
        return internal or subject.visibility is Visibility.PUBLIC


GUARDED = (ProtectionRule(name="core-*", minimum_push=Role.OWNER, minimum_delete=Role.OWNER),)


def accounts(
    protect: Sequence[ProtectionRule] = GUARDED, allowlist: Sequence[str] = (), tokens: Sequence[Token] = ()
) -> Accounts:
    """Give the same places and people out of the package's own accounts."""
    roles = {name: Role(level) for name, level in LEVELS.items() if 0 < level < LEVELS["admin"]}
    return Accounts(
        projects=[
            ProjectConfig(
                id=project.id,
                path=project.path,
                visibility=project.visibility,
                protect=tuple(protect),
                job_token_allowlist=tuple(allowlist),
            )
            for project in PROJECTS
        ],
        groups=[
            GroupConfig(id=group.id, path=group.path, name=group.name, visibility=group.visibility) for group in GROUPS
        ],
        users=[
            *(User(name=name, roles=dict.fromkeys(("pub", "int", "priv"), role)) for name, role in roles.items()),
            User(name="admin", admin=True),
            User(name="stranger"),
        ],
        tokens=[
            *(Token(sha256=digest_of(name), user=name, scopes=frozenset({"api"})) for name in LEVELS),
            *tokens,
        ],
    )


WORLDS: Mapping[str, Callable[[], Any]] = {"accounts": accounts, "host": Host}


def basic(token: str, user: str = "__token__") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


class Site:
    """A registry, the stores behind it, and a client in front of it."""

    def __init__(
        self, client_of: ClientOf, host: Any = None, catalogue: Any = None, forward_to: str | None = MIRROR
    ) -> None:
        host = host or accounts()
        self.catalogue = catalogue or MemoryCatalogue()
        self.blobs = MemoryBlobs()
        self.client = client_of(
            Registry(directory=host, auth=host, catalogue=self.catalogue, blobs=self.blobs, forward_to=forward_to)
        )
        self._keys = 0

    def put(
        self,
        project: Project = TOOLS,
        filename: str = "demo-1.0.tar.gz",
        data: bytes = b"demo",
        *,
        at: datetime = AT,
        name: str = "",
        metadata: PackageMetadata | None = None,
        requires_python: str = "",
    ) -> PackageFile:
        """Publish without HTTP, so that times are known."""
        stem = filename.removesuffix(".tar.gz")
        guessed, version = stem.split("-")[:2] if stem.endswith(".whl") else stem.rsplit("-", 1)
        name = name or guessed
        self._keys += 1
        key = f"{self._keys:032x}"
        digests = Digests(hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest())
        self.blobs.put(key, BytesIO(data), size=len(data), sha256=digests.sha256, filename=filename)
        upload = Upload(
            name,
            canonicalize_name(name),
            version,
            filename,
            len(data),
            digests,
            requires_python,
            metadata or PackageMetadata(),
        )
        file: PackageFile = self.catalogue.add(project, upload, key, at, "ada")
        return file

    def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        status: int | str = 200,
        *,
        accept: str = "",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        raw: bytes | None = None,
    ) -> Any:
        """Send a request; `data` goes as JSON, `raw` as it is."""
        sent = {**(basic(token) if token else {}), **({"Accept": accept} if accept else {}), **(headers or {})}
        options: dict[str, Any] = {}
        if data is not None or raw is not None:
            options["body"] = json.dumps(data).encode() if raw is None else raw
            sent["Content-Type"] = "application/json"
        return self.client.app.request(self.client.prefix + path, method=method, headers=sent, status=status, **options)

    def upload(self, filename: str, token: str = "owner", status: int = 201, project: int = 1) -> Any:
        """Publish as twine does."""
        name, version = name_and_version(filename)
        form = {":action": "file_upload", "protocol_version": "1", "name": name, "version": version}
        files = [("content", filename, distribution(filename))]
        address = f"/projects/{project}/packages/pypi"
        return self.client.post(address, form, upload_files=files, headers=basic(token), status=status)

    def listed(self, path: str, token: str = "owner") -> list[str]:
        """List packages, each as name and version."""
        return [f"{entity['name']} {entity['version']}" for entity in self.ask("GET", path, token).json]

    def filenames(
        self, name: str = "demo", place: str = "/projects/1/packages/pypi", token: str = "owner"
    ) -> list[str]:
        page = self.ask("GET", f"{place}/simple/{name}/", token, accept=SIMPLE_JSON)
        return [file["filename"] for file in page.json["files"]]

    def state(self, project: Project) -> object:
        """Give everything that a request could have changed."""
        projects = Projects([project])
        packages, _ = self.catalogue.packages(projects, PackageQuery())
        listings = [self.catalogue.listing(projects, package.normalized_name) for package in packages]
        return listings, [self.catalogue.package(project.id, package.id) for package in packages]


@pytest.fixture
def site(client_of: ClientOf) -> Site:
    return Site(client_of)


def package_path(file: PackageFile) -> str:
    return f"/projects/{file.package.project_id}/packages/{file.package.id}"


def file_path(file: PackageFile) -> str:
    return f"{package_path(file)}/package_files/{file.id}"


def simple_path(file: PackageFile) -> str:
    return f"/projects/{file.package.project_id}/packages/pypi/simple/{file.package.normalized_name}"


# Who gets what (GitLab's specifications of the Packages API)


@dataclass(frozen=True)
class Act:
    """Something that somebody tries to do to a package."""

    method: str
    path: Callable[[PackageFile], str]
    done: int
    """The status if it is done."""
    data: object = None
    accept: str = ""


ACTS = {
    "list": Act("GET", lambda file: f"/projects/{file.package.project_id}/packages", 200),
    "list as a page": Act("GET", lambda file: f"/projects/{file.package.project_id}/packages", 200, None, BROWSER),
    "show": Act("GET", package_path, 200),
    "show as a page": Act("GET", package_path, 200, None, BROWSER),
    "list files": Act("GET", lambda file: f"{package_path(file)}/package_files", 200),
    "download": Act("GET", lambda file: f"{file_path(file)}/download", 200),
    "yank": Act("PATCH", package_path, 200, {"yanked": "broken"}),
    "delete a package": Act("DELETE", package_path, 204),
    "delete a file": Act("DELETE", file_path, 204),
    "deprecate": Act("PATCH", simple_path, 200, {"status": "deprecated"}),
}


def assert_refused(answer: Any) -> None:
    status = answer.status_int
    if answer.content_type == "text/html":
        assert_refused_by_a_page(answer)
    elif status == 404:
        assert re.fullmatch("404 ((Project|Group|Package) )?Not Found", answer.json["message"])
        assert set(answer.json) == {"message"}
    else:
        assert answer.content_type == "application/json"
        assert answer.json == {"message": {401: "401 Unauthorized", 403: "403 Forbidden"}[status]}
    assert answer.headers.get("WWW-Authenticate") == (CHALLENGE if status == 401 else None)


def assert_refused_by_a_page(answer: Any) -> None:
    assert answer.request.accept.header_value == BROWSER or "text/html" in answer.request.accept.header_value
    assert f"<h1>{answer.status}</h1>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def show_token(caller: str) -> str:
    return {"anonymous": "", "wrong token": "wrong"}.get(caller, caller)


# Who may do what is a question to the principal, and has its table in tests/accounts/test_principals.py. Here stand the
# statuses of each kind of request. A wrong token by Basic is as good as none.
BY_HAND = [
    ("public", "anonymous", "list", 200),
    ("public", "anonymous", "list as a page", 200),
    ("public", "anonymous", "show as a page", 200),
    ("public", "anonymous", "download", 200),
    ("public", "anonymous", "delete a package", 403),
    ("public", "anonymous", "delete a file", 403),
    ("public", "anonymous", "yank", 403),
    ("public", "anonymous", "deprecate", 401),
    ("public", "wrong token", "list", 200),
    ("public", "stranger", "delete a package", 403),
    ("public", "guest", "yank", 403),
    ("internal", "anonymous", "list", 404),
    ("internal", "anonymous", "list as a page", 401),
    ("internal", "stranger", "list", 200),
    ("internal", "stranger", "yank", 403),
    ("private", "anonymous", "list", 404),
    ("private", "anonymous", "show", 404),
    ("private", "anonymous", "show as a page", 401),
    ("private", "anonymous", "list files", 404),
    ("private", "anonymous", "download", 404),
    ("private", "anonymous", "yank", 404),
    ("private", "anonymous", "delete a package", 404),
    ("private", "anonymous", "delete a file", 404),
    ("private", "anonymous", "deprecate", 401),
    ("private", "wrong token", "list as a page", 401),
    ("private", "stranger", "list", 404),
    ("private", "stranger", "list as a page", 404),
    ("private", "stranger", "show as a page", 404),
    ("private", "stranger", "yank", 404),
    ("private", "stranger", "delete a package", 404),
    ("private", "stranger", "deprecate", 404),
    ("private", "guest", "list", 200),
    ("private", "guest", "list as a page", 200),
    ("private", "guest", "show", 200),
    ("private", "guest", "list files", 200),
    ("private", "guest", "download", 200),
    ("private", "guest", "yank", 403),
    ("private", "reporter", "yank", 403),
    ("private", "developer", "yank", 200),
    ("private", "developer", "delete a package", 403),
    ("private", "developer", "delete a file", 403),
    ("private", "developer", "deprecate", 403),
    ("private", "maintainer", "delete a package", 204),
    ("private", "maintainer", "deprecate", 200),
    ("private", "admin", "delete a file", 204),
]
# A host's own directory and auth are asked the same: one row for each status.
BY_A_HOST = [
    ("public", "anonymous", "list", 200),
    ("private", "anonymous", "show as a page", 401),
    ("private", "developer", "delete a package", 403),
    ("internal", "anonymous", "download", 404),
    ("private", "maintainer", "delete a package", 204),
]


@pytest.mark.parametrize(
    ("world", "visibility", "caller", "act", "status"),
    [*(("accounts", *row) for row in BY_HAND), *(("host", *row) for row in BY_A_HOST)],
)
def test_who_may_do_what(client_of: ClientOf, world: str, visibility: str, caller: str, act: str, status: int) -> None:
    site, project, wanted = Site(client_of, WORLDS[world]()), BY_VISIBILITY[visibility], ACTS[act]
    file = site.put(project)
    before = site.state(project)
    answer = site.ask(
        wanted.method, wanted.path(file), show_token(caller), status, data=wanted.data, accept=wanted.accept
    )
    if status >= 400:
        assert_refused(answer)
    assert (site.state(project) == before) == (wanted.method == "GET" or status >= 400)


GROUP_LISTS = [
    ("accounts", "public", "anonymous", "", 200),
    ("accounts", "internal", "anonymous", "", 404),
    ("accounts", "internal", "wrong token", "", 404),
    ("accounts", "internal", "stranger", "", 403),
    ("accounts", "private", "stranger", "", 404),
    ("accounts", "private", "guest", "", 200),
    ("accounts", "public", "anonymous", BROWSER, 200),
    ("accounts", "internal", "anonymous", BROWSER, 401),
    ("accounts", "internal", "stranger", BROWSER, 403),
    ("accounts", "private", "wrong token", BROWSER, 401),
    ("accounts", "private", "stranger", BROWSER, 404),
    ("accounts", "private", "guest", BROWSER, 200),
    ("host", "internal", "stranger", "", 403),
    ("host", "internal", "guest", "", 200),
]


@pytest.mark.parametrize(
    ("world", "visibility", "caller", "accept", "status"),
    [
        pytest.param(*row, id=f"{row[0]}, {row[1]}, {row[2]}, {'browser' if row[3] else 'program'}")
        for row in GROUP_LISTS
    ],
)
def test_who_may_list_a_group(
    client_of: ClientOf, world: str, visibility: str, caller: str, accept: str, status: int
) -> None:
    site = Site(client_of, WORLDS[world]())
    site.put(BY_VISIBILITY[visibility])
    path = f"/groups/{GROUP_OF[visibility]}/packages"
    answer = site.ask("GET", path, show_token(caller), status, accept=accept)
    if status >= 400:
        assert_refused(answer)
    elif not accept:
        assert [entity["name"] for entity in answer.json] == ["demo"]


@pytest.mark.parametrize("token", ["", "admin"])
@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/projects/99/packages", "Project"),
        ("GET", "/projects/no%2Fwhere/packages/1", "Project"),
        ("DELETE", "/projects/99/packages/1", "Project"),
        ("PATCH", "/projects/99/packages/1", "Project"),
        ("GET", "/groups/nobody/packages", "Group"),
        ("GET", "/groups/99/packages", "Group"),
    ],
)
def test_what_does_not_exist_is_404_for_all(site: Site, method: str, path: str, what: str, token: str) -> None:
    answer = site.ask(method, path, token, 404)
    assert answer.json == {"message": f"404 {what} Not Found"}
    assert_refused(site.ask(method, path, token, 404, accept=BROWSER))  # never asked for a password in vain


@pytest.mark.parametrize(("path", "what"), [("/projects/3/packages", "Project"), ("/groups/30/packages", "Group")])
@pytest.mark.parametrize("token", ["", "stranger"])
def test_what_is_hidden_looks_like_what_does_not_exist(site: Site, path: str, what: str, token: str) -> None:
    answer = site.ask("GET", path, token, 404)
    assert answer.json == {"message": f"404 {what} Not Found"}
    unknown = re.sub(r"\d+", "99", path)
    assert answer.body == site.ask("GET", unknown, token, 404).body
    shown = [site.ask("GET", place, "stranger", 404, accept=BROWSER).body for place in (path, unknown)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("number", ["99", "999999999999999999", "0"])
def test_an_unknown_package_is_404(site: Site, method: str, number: str) -> None:
    site.put()
    answer = site.ask(method, f"/projects/1/packages/{number}", "owner", 404, data={"yanked": True})
    assert "Not Found" in answer.json["message"]


@pytest.mark.parametrize("number", ["pypi2", "-1", "1.0", "%C2%B2", "%D9%A1", "1%00", "9" * 19, "1e3"])
def test_a_package_id_that_is_no_number_is_invalid(site: Site, number: str) -> None:
    site.put()
    answer = site.ask("GET", f"/projects/1/packages/{number}", "owner", "*")
    assert answer.status_int in (400, 404)
    if answer.status_int == 400:
        assert answer.json == {"error": "package_id is invalid"}


@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/package_files"), ("DELETE", "/package_files/{file}")],
)
def test_a_package_is_found_in_its_own_project_only(site: Site, method: str, tail: str) -> None:
    file = site.put(DEEP)
    before = site.state(DEEP)
    path = f"/projects/1/packages/{file.package.id}{tail.format(file=file.id)}"
    site.ask(method, path, "admin", 404, data={"yanked": True})
    assert site.state(DEEP) == before


@pytest.mark.parametrize(("method", "tail", "status"), [("GET", "/download", 404), ("DELETE", "", 404)])
def test_a_file_is_found_in_its_own_package_only(site: Site, method: str, tail: str, status: int) -> None:
    one, two = site.put(), site.put(filename="demo-2.0.tar.gz")
    path = f"{package_path(one)}/package_files/{two.id}{tail}"
    site.ask(method, path, "admin", status)
    assert site.filenames() == ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]


# Tokens

DEPLOY_READ, DEPLOY_WRITE = frozenset({"read_package_registry"}), frozenset({"write_package_registry"})
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def job(secret: str, user: str, path: str, **more: Any) -> Token:
    return Token(sha256=digest_of(secret), kind=TokenKind.JOB, user=user, path=path, **more)


def deploy(secret: str, scopes: frozenset[str], path: str, **more: Any) -> Token:
    return Token(sha256=digest_of(secret), kind=TokenKind.DEPLOY, scopes=scopes, path=path, **more)


def personal(secret: str, user: str, scope: str = "api", **more: Any) -> Token:
    return Token(sha256=digest_of(secret), user=user, scopes=frozenset({scope}), **more)


TOKENS = [
    personal("reading", "owner", "read_api"),
    personal("expired", "owner", expires=PAST),
    personal("revoked", "owner", revoked=True),
    deploy("deploy-reads", DEPLOY_READ, "priv/tools"),
    deploy("deploy-writes", DEPLOY_WRITE, "priv/tools"),
    deploy("deploy-group", DEPLOY_WRITE, "priv"),
    deploy("deploy-elsewhere", DEPLOY_WRITE, "int"),
    deploy("deploy-expired", DEPLOY_WRITE, "priv", expires=PAST),
    deploy("deploy-revoked", DEPLOY_WRITE, "priv", revoked=True),
    job("job-owner", "owner", "priv/tools"),
    job("job-guest", "guest", "priv/tools"),
    job("job-other", "owner", "elsewhere/other"),
    job("job-outside", "owner", "pub/tools"),
    job("job-expired", "owner", "priv/tools", expires=PAST),
    job("job-revoked", "owner", "priv/tools", revoked=True),
]


def by(kind: str, secret: str) -> dict[str, str]:
    """Show a secret in one of the ways."""
    return {
        "Basic": lambda: basic(secret, "anybody"),
        "Basic as a job": lambda: basic(secret, "gitlab-ci-token"),
        "Bearer": lambda: {"Authorization": f"Bearer {secret}"},
    }.get(kind, lambda: {kind: secret})()


@pytest.fixture
def tokens(client_of: ClientOf) -> Site:
    return Site(client_of, accounts(allowlist=["elsewhere/other"], tokens=TOKENS))


PERSONAL_WAYS = ["Basic", "Basic as a job", "Bearer", "PRIVATE-TOKEN"]
DEPLOY_WAYS = ["Basic", "Basic as a job", "DEPLOY-TOKEN"]
JOB_WAYS = ["Basic as a job", "Bearer", "JOB-TOKEN"]

# secret, ways -> status on the private project of: list, show, download, yank, delete, deprecate
NO_SCOPE, NO = "insufficient_scope", "403 Forbidden"
TOKEN_ROWS: list[tuple[str, list[str], tuple[object, ...]]] = [
    ("owner", PERSONAL_WAYS, (200, 200, 200, 200, 204, 200)),
    ("reading", PERSONAL_WAYS, (200, 200, 200, NO_SCOPE, NO_SCOPE, NO_SCOPE)),
    ("deploy-reads", DEPLOY_WAYS, (200, 200, 200, NO, NO, NO)),
    ("deploy-writes", DEPLOY_WAYS, (200, 200, 200, NO, NO, NO)),
    ("deploy-group", DEPLOY_WAYS, (200, 200, 200, NO, NO, NO)),
    ("deploy-elsewhere", ["Basic", "DEPLOY-TOKEN"], (404, 404, 404, 404, 404, 404)),
    ("job-owner", ["Basic as a job", "Bearer"], (200, 200, 200, 200, 204, 200)),
    # the simple page's address is of the PyPI endpoints, which take no such header
    ("job-owner", ["JOB-TOKEN"], (200, 200, 200, 200, 204, 401)),
    ("job-guest", ["Basic as a job", "Bearer"], (200, 200, 200, NO, NO, NO)),
    ("job-guest", ["JOB-TOKEN"], (200, 200, 200, NO, NO, 401)),
    ("job-other", ["Basic as a job", "Bearer"], (200, 200, 200, 200, 204, 200)),
    ("job-other", ["JOB-TOKEN"], (200, 200, 200, 200, 204, 401)),
    ("job-outside", ["Basic as a job", "Bearer"], (404, 404, 404, 404, 404, 404)),
    ("job-outside", ["JOB-TOKEN"], (404, 404, 404, 404, 404, 401)),
    ("job-owner", ["Basic"], (404, 404, 404, 404, 404, 401)),
]
TOKEN_ACTS = ["list", "show", "download", "yank", "delete a package", "deprecate"]


@pytest.mark.parametrize(
    ("secret", "way", "outcomes"),
    [
        pytest.param(secret, way, outcomes, id=f"{secret}, {way}")
        for secret, ways, outcomes in TOKEN_ROWS
        for way in ways
    ],
)
def test_what_a_token_may_do(tokens: Site, secret: str, way: str, outcomes: tuple[object, ...]) -> None:
    for number, (act, outcome) in enumerate(zip(TOKEN_ACTS, outcomes, strict=True)):
        file, wanted = tokens.put(PRIVATE, f"demo{number}-1.0.tar.gz"), ACTS[act]
        before = tokens.state(PRIVATE)
        status = outcome if isinstance(outcome, int) else 403
        answer = tokens.ask(wanted.method, wanted.path(file), status=status, headers=by(way, secret), data=wanted.data)
        if outcome == NO_SCOPE:
            assert answer.json["error"] == "insufficient_scope"
            assert answer.json["scope"] == "api"
            assert "WWW-Authenticate" not in answer.headers
        elif status >= 400:
            assert_refused(answer)
        assert (tokens.state(PRIVATE) == before) == (status >= 400 or wanted.method == "GET")


EXPIRED = "Token is expired. You can either do re-authorization or token refresh."
REVOKED = "Token was revoked. You have to re-authorize from the user."

# secret, ways -> on a public project: a status, or the description of an OAuth error
BAD_TOKENS: list[tuple[str, list[str], object]] = [
    ("expired", PERSONAL_WAYS, EXPIRED),
    ("revoked", PERSONAL_WAYS, REVOKED),
    ("unknown", ["Basic", "DEPLOY-TOKEN"], 200),
    ("unknown", ["Basic as a job", "Bearer", "PRIVATE-TOKEN", "JOB-TOKEN"], 401),
    ("deploy-expired", ["Basic", "DEPLOY-TOKEN"], 200),
    ("deploy-revoked", ["Basic", "DEPLOY-TOKEN"], 200),
    ("deploy-writes", ["PRIVATE-TOKEN", "JOB-TOKEN"], 401),
    ("job-expired", JOB_WAYS, 401),
    ("job-revoked", JOB_WAYS, 401),
    ("job-owner", ["PRIVATE-TOKEN"], 401),
    ("job-owner", ["Basic", "DEPLOY-TOKEN"], 200),
    ("owner", ["JOB-TOKEN"], 401),
    ("owner", ["DEPLOY-TOKEN"], 200),
    ("ünïcode", ["Basic"], 200),
    ("x" * 10_000, ["Basic"], 200),
    ("x" * 10_000, ["PRIVATE-TOKEN", "JOB-TOKEN"], 401),
]


@pytest.mark.parametrize(
    ("secret", "way", "outcome"),
    [
        pytest.param(secret, way, outcome, id=f"{secret[:20]}, {way}")
        for secret, ways, outcome in BAD_TOKENS
        for way in ways
    ],
)
def test_what_a_bad_token_reads_of_a_public_project(tokens: Site, secret: str, way: str, outcome: object) -> None:
    file = tokens.put(TOOLS)
    status = outcome if isinstance(outcome, int) else 401
    for path in ("/projects/1/packages", "/groups/10/packages", package_path(file), f"{file_path(file)}/download"):
        answer = tokens.ask("GET", path, status=status, headers=by(way, secret))
        if isinstance(outcome, str):
            assert answer.json == {"error": "invalid_token", "error_description": outcome}
            assert "Bearer" in ", ".join(answer.headers.getall("WWW-Authenticate"))
        elif outcome == 401:
            assert_refused(answer)


# secret, group -> what is listed; a status where nothing is
GROUP_TOKENS: list[tuple[str, str, object]] = [
    ("deploy-group", "priv", ["private"]),
    ("deploy-reads", "priv", 404),
    ("deploy-elsewhere", "priv", 404),
    ("deploy-group", "pub", ["public"]),  # as anybody, and not all that it can reach
    ("job-owner", "priv", ["private"]),
    ("job-other", "priv", ["private"]),
    ("job-outside", "priv", []),
    ("job-outside", "pub", ["public"]),
    ("job-other", "pub", ["public", "hidden"]),
    ("reading", "pub", ["public", "hidden"]),
]


@pytest.mark.parametrize(("secret", "group", "listed"), GROUP_TOKENS)
def test_what_a_token_sees_of_a_group(tokens: Site, secret: str, group: str, listed: object) -> None:
    for project, name in ((TOOLS, "public"), (HIDDEN, "hidden"), (PRIVATE, "private"), (OTHER, "other")):
        tokens.put(project, f"{name}-1.0.tar.gz")
    headers = by("Basic as a job", secret)
    status = listed if isinstance(listed, int) else 200
    answer = tokens.ask("GET", f"/groups/{group}/packages", status=status, headers=headers)
    if status == 200:
        assert [entity["name"] for entity in answer.json] == listed


@pytest.mark.parametrize("secret", ["job-owner", "unknown"])
def test_a_job_token_header_is_nothing_to_the_pypi_endpoints(tokens: Site, secret: str) -> None:
    tokens.put(TOOLS)
    tokens.put(PRIVATE)
    headers = {"JOB-TOKEN": secret}
    tokens.ask("GET", "/projects/1/packages/pypi/simple/demo/", headers=headers)
    tokens.ask("GET", "/projects/3/packages/pypi/simple/demo/", headers=headers, status=401)


@pytest.mark.parametrize("parameter", ["private_token", "job_token", "access_token"])
@pytest.mark.parametrize("path", ["/projects/3/packages", "/projects/3/packages/{id}", "/groups/30/packages"])
def test_a_secret_in_the_address_is_not_taken(tokens: Site, parameter: str, path: str) -> None:
    file = tokens.put(PRIVATE)
    for secret in ("owner", "job-owner"):
        address = f"{path.format(id=file.package.id)}?{parameter}={secret}"
        tokens.ask("GET", address, status=404)
        assert_refused(tokens.ask("GET", address, status=401, accept=BROWSER))


def test_the_roles_of_a_person_do_not_mend_a_bad_token(tokens: Site) -> None:
    file = tokens.put(PRIVATE)
    for secret in ("expired", "revoked"):
        tokens.ask("DELETE", package_path(file), secret, 401)
    assert tokens.filenames(place="/projects/3/packages/pypi") == ["demo-1.0.tar.gz"]


# A browser is no weapon: tests/api/test_other_origins.py has the table of what counts as another site

CHANGES = {name: act for name, act in ACTS.items() if act.method != "GET"}


@pytest.mark.parametrize("sent_for", ["cross-site", "same-site", "same-origin", "none"])
@pytest.mark.parametrize("act", CHANGES)
def test_what_a_browser_sends_for_another_site_is_refused(site: Site, act: str, sent_for: str) -> None:
    file, wanted = site.put(), CHANGES[act]
    before = site.state(TOOLS)
    status = 403 if sent_for.endswith("-site") else wanted.done
    headers = {"Sec-Fetch-Site": sent_for}
    answer = site.ask(wanted.method, wanted.path(file), "owner", status, headers=headers, data=wanted.data)
    if status == 403:
        assert answer.json["message"].startswith("403 Forbidden")
    assert (site.state(TOOLS) == before) == (status == 403)


@pytest.mark.parametrize("sent_for", ["cross-site", "same-site", "same-origin", "none"])
def test_an_upload_for_another_site_is_refused(site: Site, sent_for: str) -> None:
    form = {"name": "demo", "version": "1.0"}
    headers = basic("owner") | {"Sec-Fetch-Site": sent_for}
    status = 403 if sent_for.endswith("-site") else 201
    content = [("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))]
    site.client.post("/projects/1/packages/pypi", form, upload_files=content, headers=headers, status=status)
    site.ask("GET", "/projects/1/packages/pypi/simple/demo/", status=302 if status == 403 else 200)


@pytest.mark.parametrize("act", ["list", "show", "show as a page", "download"])
def test_links_from_other_sites_work(site: Site, act: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    site.ask("GET", ACTS[act].path(site.put()), "owner", headers=headers, accept=ACTS[act].accept)


# Protection rules: pattern, minimum for push, minimum for delete -> whether a maintainer may yank, and may delete

RULES: list[tuple[str, str, Role | None, Role | None, bool, bool]] = [
    ("Demo", "demo", Role.OWNER, None, False, True),
    ("Demo", "demo", None, Role.OWNER, True, False),
    ("Demo", "demo", Role.MAINTAINER, Role.MAINTAINER, True, True),
    ("my.pkg", "My__Pkg", Role.OWNER, Role.OWNER, False, False),
]


@pytest.mark.parametrize(("pattern", "name", "push", "delete", "may_yank", "may_delete"), RULES)
def test_a_rule_protects_what_it_matches(
    client_of: ClientOf,
    pattern: str,
    name: str,
    push: Role | None,
    delete: Role | None,
    may_yank: bool,
    may_delete: bool,
) -> None:
    rule = ProtectionRule(name=pattern, minimum_push=push, minimum_delete=delete)
    for act in ("yank", "delete a file", "delete a package"):
        site, wanted = Site(client_of, accounts([rule])), ACTS[act]
        file = site.put(filename=f"{name}-1.0.tar.gz")
        allowed = may_yank if act == "yank" else may_delete
        before = site.state(TOOLS)
        status = wanted.done if allowed else 403
        answer = site.ask(wanted.method, wanted.path(file), "maintainer", status, data=wanted.data)
        if not allowed:
            sentence = "Package protected." if act == "yank" else "Package is deletion protected."
            assert answer.json == {"message": f"403 Forbidden - {sentence}"}
            assert site.state(TOOLS) == before


@pytest.mark.parametrize(
    ("world", "act", "caller", "outcome"),
    [
        *(
            ("accounts", act, caller, outcome)
            for act in ("yank", "delete a file", "delete a package")
            for caller, outcome in [("owner", "done"), ("maintainer", "protected"), ("guest", "403 Forbidden")]
        ),
        ("accounts", "delete a package", "anonymous", "403 Forbidden"),
        ("host", "yank", "maintainer", "protected"),
        ("host", "delete a package", "maintainer", "protected"),
    ],
)
def test_a_rule_is_asked_after_the_role(client_of: ClientOf, world: str, act: str, caller: str, outcome: str) -> None:
    site, wanted = Site(client_of, WORLDS[world]()), ACTS[act]
    file = site.put(filename="core-tools-1.0.tar.gz")
    sentence = "Package protected." if act == "yank" else "Package is deletion protected."
    status = wanted.done if outcome == "done" else 403
    answer = site.ask(wanted.method, wanted.path(file), show_token(caller), status, data=wanted.data)
    if status == 403:
        message = f"403 Forbidden - {sentence}" if outcome == "protected" else outcome
        assert answer.json == {"message": message}


# Lists


def filled(client_of: ClientOf, catalogue: Any = None) -> Site:
    """Give a registry with packages in several projects, published in this order."""
    site = Site(client_of, catalogue=catalogue)
    rows = [
        (TOOLS, "beta-1.0.tar.gz", 5),
        (TOOLS, "alpha-1.1.tar.gz", 4),
        (DEEP, "delta-1.0.tar.gz", 3),
        (TOOLS, "alpha-1.0.tar.gz", 2),
        (HIDDEN, "secret-1.0.tar.gz", 1),
        (TOOLS, "my_under-2.0.tar.gz", 6),
    ]
    for project, filename, minutes in rows:
        site.put(project, filename, at=AT + timedelta(minutes=minutes))
    site.put(TOOLS, "beta-1.0-py3-none-any.whl", name="beta", at=AT + timedelta(minutes=9))
    return site


@pytest.fixture
def full(client_of: ClientOf) -> Site:
    return filled(client_of)


A0, A1, B, U, D, S = "alpha 1.0", "alpha 1.1", "beta 1.0", "my_under 2.0", "delta 1.0", "secret 1.0"
PROJECT_LISTS: Mapping[str, list[str]] = {
    "": [A0, A1, B, U],
    "order_by=created_at": [A0, A1, B, U],
    "order_by=created_at&sort=asc": [A0, A1, B, U],
    "sort=desc": [U, B, A1, A0],
    "order_by=name": [A1, A0, B, U],
    "order_by=name&sort=desc": [U, B, A0, A1],
    "order_by=version&package_name=alpha": [A0, A1],
    "order_by=version&sort=desc&package_name=alpha": [A1, A0],
    "package_name=alpha": [A0, A1],
    "package_name=ALP": [A0, A1],
    "package_name=a": [],  # a word of one or two letters matches only a whole name
    "package_name=lp": [],
    "package_name=lph": [A0, A1],
    "package_name=alp+pha": [A0, A1],
    "package_name=alp+bet": [],
    "package_name=_": [],
    "package_name=y_u": [U],
    "package_name=%25": [],
    "package_name=nothing": [],
    "package_name=": [A0, A1, B, U],
    "package_name=alpha%00": [],
    "package_name=%FF%27%22": [],
    "package_version=1.0": [A0, B],
    "package_version=1": [],
    "package_version=1.%2A": [],
    "package_version=1.0&package_name=alpha": [A0],
    "package_type=pypi": [A0, A1, B, U],
    "package_type=npm": [],
    "package_type=maven": [],
    "package_type=terraform_module": [],
    "status=default": [A0, A1, B, U],
    "status=hidden": [],
    "status=error": [],
    "status=processing": [],
    "status=pending_destruction": [],
    "status=deprecated": [],
    "include_versionless=true": [A0, A1, B, U],
    "include_versionless=False": [A0, A1, B, U],
    "include_versionless=": [A0, A1, B, U],
    "per_page=1": [A0],
    "per_page=1&page=3": [B],
    "per_page=3&page=2": [U],
    "per_page=3&page=3": [],
    "page=1": [A0, A1, B, U],
    "page=&per_page=": [A0, A1, B, U],
    "page=2": [],
    "unknown=parameter": [A0, A1, B, U],
}


@pytest.mark.parametrize("query", PROJECT_LISTS)
def test_the_list_of_a_project(full: Site, query: str) -> None:
    assert full.listed(f"/projects/1/packages?{query}", "guest") == PROJECT_LISTS[query]


GROUP_QUERIES: Mapping[tuple[str, str, str], list[str]] = {
    ("pub", "guest", ""): [S, A0, D, A1, B, U],
    ("pub", "stranger", ""): [A0, D, A1, B, U],
    ("pub", "", ""): [A0, D, A1, B, U],
    ("10", "guest", "sort=desc"): [U, B, A1, D, A0, S],
    ("pub%2Fsub", "guest", ""): [D],
    ("40", "", ""): [D],
    ("pub", "guest", "exclude_subgroups=true"): [S, A0, A1, B, U],
    ("pub", "", "exclude_subgroups=true"): [A0, A1, B, U],
    ("pub", "guest", "exclude_subgroups=false"): [S, A0, D, A1, B, U],
    ("pub%2Fsub", "guest", "exclude_subgroups=true"): [D],
    ("pub", "guest", "package_name=secret"): [S],
    ("pub", "stranger", "package_name=secret"): [],
    ("pub", "guest", "package_version=1.0"): [S, A0, D, B],
    ("pub", "guest", "package_type=conan"): [],
    ("pub", "guest", "status=hidden"): [],
    ("pub", "guest", "per_page=2&page=2"): [D, A1],
    ("int", "guest", ""): [],
}


@pytest.mark.parametrize(("group", "token", "query"), GROUP_QUERIES)
def test_the_list_of_a_group(full: Site, group: str, token: str, query: str) -> None:
    assert full.listed(f"/groups/{group}/packages?{query}", token) == GROUP_QUERIES[group, token, query]


def test_another_store_gives_the_same_lists(client_of: ClientOf, tmp_path: Path) -> None:
    catalogue = SQLiteCatalogue(tmp_path / "catalogue.db")
    site = filled(client_of, catalogue)
    assert {query: site.listed(f"/projects/1/packages?{query}") for query in PROJECT_LISTS} == PROJECT_LISTS
    lists = {row: site.listed(f"/groups/{row[0]}/packages?{row[2]}", row[1]) for row in GROUP_QUERIES}
    assert lists == GROUP_QUERIES
    catalogue.close()


class Many(MemoryCatalogue):
    """A catalogue with more packages than are counted."""

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        found, _ = super().packages(projects, query)
        return found, None


@pytest.mark.parametrize("path", ["/projects/1/packages", "/groups/pub/packages"])
def test_a_list_of_more_packages_than_are_counted_has_no_total_and_no_last_page(client_of: ClientOf, path: str) -> None:
    # GitLab's manual, "Pagination response headers".
    site = Site(client_of, catalogue=Many())
    for number in range(5):
        site.put(filename=f"demo-{number}.0.tar.gz", data=bytes([number]))
    for page, relations in ((1, ["next", "first"]), (2, ["prev", "next", "first"]), (3, ["prev", "first"])):
        answer = site.ask("GET", f"{path}?per_page=2&page={page}")
        assert len(answer.json) == (2 if page < 3 else 1)
        assert re.findall('rel="([a-z]+)"', answer.headers["Link"]) == relations
        assert "X-Total" not in answer.headers and "X-Total-Pages" not in answer.headers
        assert answer.headers["X-Next-Page"] == (str(page + 1) if page < 3 else "")
        assert answer.headers["X-Prev-Page"] == (str(page - 1) if page > 1 else "")
    for name in ("one", "two", "three"):
        site.put(filename=f"{name}-1.0.tar.gz")
    shown = site.ask("GET", f"{path}?per_page=2&page=2", accept=BROWSER)
    assert "more than 10,000 versions" in shown.text
    assert "Previous" in shown.text
    assert "Next" in site.ask("GET", f"{path}?per_page=2", accept=BROWSER).text


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_a_group_is_ordered_by_the_paths_of_its_projects(full: Site, sort: str) -> None:
    entities = full.ask("GET", f"/groups/pub/packages?order_by=project_path&sort={sort}", "guest").json
    paths = ["pub/hidden", "pub/sub/deep", *4 * ["pub/tools"]]
    assert [entity["project_path"] for entity in entities] == (paths if sort == "asc" else paths[::-1])
    assert {entity["project_path"]: entity["project_id"] for entity in entities} == {
        "pub/hidden": 5,
        "pub/sub/deep": 4,
        "pub/tools": 1,
    }


@pytest.mark.parametrize("order", ["created_at", "version", "type"])
def test_ties_are_in_the_order_of_publishing(site: Site, order: str) -> None:
    for name in ("c", "a", "b"):
        site.put(filename=f"{name}-1.0.tar.gz")
    assert site.listed(f"/projects/1/packages?order_by={order}") == ["c 1.0", "a 1.0", "b 1.0"]


BAD_VALUES = [
    "order_by=size",
    "order_by=",
    "order_by=project_path",
    "order_by=id%3B%20DROP%20TABLE%20packages",
    "sort=up",
    "sort=ASC",
    "package_type=python",
    "package_type=",
    "status=broken",
    "status=yanked",
    "include_versionless=maybe",
    "sort=up&package_type=npm",  # also beside a filter that nothing here meets
    "sort=up&status=hidden",
]


@pytest.mark.parametrize("query", BAD_VALUES)
def test_a_bad_value_in_a_query_is_400(site: Site, query: str) -> None:
    problem = f"{query.partition('=')[0]} does not have a valid value"
    assert site.ask("GET", f"/projects/1/packages?{query}", status=400).json == {"error": problem}
    assert f"<h1>400 {problem}</h1>" in site.ask("GET", f"/projects/1/packages?{query}", status=400, accept=BROWSER)


# dry-types' documentation of `Params::Bool`, by which GitLab's API reads booleans.
TRUE_WORDS = ["1", "on", "On", "ON", "t", "true", "True", "TRUE", "T", "y", "yes", "Yes", "YES", "Y"]
FALSE_WORDS = ["0", "off", "Off", "OFF", "f", "false", "False", "FALSE", "F", "n", "no", "No", "NO", "N"]


def test_booleans_are_the_words_that_gitlab_reads(full: Site) -> None:
    def listed(word: str) -> list[str]:
        return full.listed(f"/groups/pub/packages?exclude_subgroups={word}", "")

    without, with_subgroups = [A0, A1, B, U], [A0, D, A1, B, U]
    assert {word: listed(word) for word in TRUE_WORDS} == dict.fromkeys(TRUE_WORDS, without)
    words = ["", *FALSE_WORDS]
    assert {word: listed(word) for word in words} == dict.fromkeys(words, with_subgroups)
    for word in ("tRUE", "oN", "2", "01", "%20true", "yes%20", "null", "none", "enabled"):
        for name in ("exclude_subgroups", "include_versionless"):
            answer = full.ask("GET", f"/groups/pub/packages?{name}={word}", status=400)
            assert answer.json == {"error": f"{name} does not have a valid value"}


@pytest.mark.parametrize(
    "query", [*(bad for bad in BAD_VALUES if "project_path" not in bad), "exclude_subgroups=maybe", "order_by=path"]
)
def test_a_bad_value_in_a_query_of_a_group_is_400(site: Site, query: str) -> None:
    answer = site.ask("GET", f"/groups/10/packages?{query}", status=400)
    assert answer.json == {"error": f"{query.partition('=')[0]} does not have a valid value"}


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=%20", "page=1.5", "page=%D9%A1", "per_page=0", "per_page=x", "per_page=-5"],
)
@pytest.mark.parametrize("path", ["/groups/10/packages", "{files}"])
def test_a_bad_page_is_400(site: Site, path: str, query: str) -> None:
    files = f"{package_path(site.put())}/package_files"
    answer = site.ask("GET", f"{path.format(files=files)}?{query}", status=400)
    assert list(answer.json) == ["error"]
    assert answer.json["error"].startswith(f"{query.partition('=')[0]} ")


def test_nobody_is_told_of_a_bad_value_where_they_may_not_read(site: Site) -> None:
    site.ask("GET", "/projects/3/packages?order_by=size", status=404)
    site.ask("GET", "/projects/3/packages?order_by=size", status=401, accept=BROWSER)


# Paging


def links(answer: Any) -> dict[str, str]:
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers["Link"])
    return {rel: url for url, rel in found}


def follow(site: Site, path: str) -> tuple[list[str], list[Any]]:
    """Follow rel="next" to the end, as a program does."""
    names: list[str] = []
    answers = []
    while path:
        answer = site.ask("GET", path, "guest")
        answers.append(answer)
        names += [entity.get("name") or entity["file_name"] for entity in answer.json]
        url = urlsplit(links(answer).get("next", ""))
        assert url.path.startswith(site.client.prefix) or not url.path
        path = f"{url.path.removeprefix(site.client.prefix)}?{url.query}" if url.path else ""
        assert len(answers) < 50
    return names, answers


@MOUNTED
@pytest.mark.parametrize("path", ["/projects/1/packages", "/projects/pub%2Ftools/packages", "/groups/pub/packages"])
@pytest.mark.parametrize(("query", "pages"), [("per_page=2", 4), ("per_page=7", 1), ("per_page=3&sort=desc", 3)])
def test_the_links_lead_through_all_pages(client_of: ClientOf, path: str, query: str, pages: int) -> None:
    site = Site(client_of)
    for number in range(7):
        site.put(filename=f"demo{number}-1.0.tar.gz")
    names, answers = follow(site, f"{path}?{query}&package_name=dem")
    wanted = [f"demo{number}" for number in range(7)]
    assert names == (wanted[::-1] if "desc" in query else wanted)
    assert len(answers) == pages
    per_page = int(query[9])
    for number, answer in enumerate(answers, 1):
        headers = {
            name: answer.headers[name] for name in answer.headers if name.startswith("X-") and "Type" not in name
        }
        assert headers == {
            "X-Total": "7",
            "X-Total-Pages": str(pages),
            "X-Per-Page": str(per_page),
            "X-Page": str(number),
            "X-Next-Page": str(number + 1) if number < pages else "",
            "X-Prev-Page": str(number - 1) if number > 1 else "",
        }
        there = {"first", "last"} | ({"next"} if number < pages else set()) | ({"prev"} if number > 1 else set())
        assert set(links(answer)) == there
        for rel, url in links(answer).items():
            wanted_page = {"first": 1, "last": pages, "next": number + 1, "prev": number - 1}[rel]
            asked = parse_qs(urlsplit(url).query)
            assert asked["page"] == [str(wanted_page)]
            assert asked["package_name"] == ["dem"]
            assert url.replace(":80/", "/").startswith(f"http://localhost{site.client.prefix}/")


@pytest.mark.parametrize(
    ("query", "shown"), [("", 20), ("per_page=100", 100), ("per_page=101", 100), ("per_page=9999", 100)]
)
@pytest.mark.parametrize("path", ["/projects/1/packages", "/groups/10/packages"])
def test_a_page_has_twenty_entries_and_at_most_a_hundred(site: Site, path: str, query: str, shown: int) -> None:
    for number in range(105):
        site.put(filename=f"demo-{number}.tar.gz")
    answer = site.ask("GET", f"{path}?{query}")
    assert len(answer.json) == shown
    assert answer.headers["X-Per-Page"] == str(shown)
    assert answer.headers["X-Total"] == "105"
    assert answer.headers["X-Total-Pages"] == str(-(-105 // shown))


@pytest.mark.parametrize("page", [3, 100, 999_999_999])
def test_a_page_beyond_the_last_is_empty(site: Site, page: int) -> None:
    for number in range(4):
        site.put(filename=f"demo-{number}.tar.gz")
    answer = site.ask("GET", f"/projects/1/packages?per_page=2&page={page}")
    assert answer.json == []
    assert answer.headers["X-Total"] == "4"
    assert answer.headers["X-Next-Page"] == ""
    assert "next" not in links(answer)


@pytest.mark.parametrize("client_of", [""], ids=["root"], indirect=True)
def test_the_links_are_right_below_a_prefix_that_is_not_ascii(site: Site) -> None:
    site.put()
    prefix = "/ü".encode().decode("latin-1")  # as WSGI hands it on
    answer = site.client.app.get("/projects/1/packages", extra_environ={"SCRIPT_NAME": prefix})
    assert urlsplit(links(answer)["first"]).path == "/%C3%BC/projects/1/packages"


def test_nothing_is_one_empty_page(site: Site) -> None:
    answer = site.ask("GET", "/projects/1/packages")
    assert answer.json == []
    assert [answer.headers[f"X-{name}"] for name in ("Total", "Page", "Next-Page", "Prev-Page")] == ["0", "1", "", ""]


def test_the_count_is_of_what_the_caller_may_read(client_of: ClientOf) -> None:
    site = filled(client_of)
    totals = [site.ask("GET", "/groups/pub/packages", who).headers["X-Total"] for who in ("guest", "stranger", "")]
    assert totals == ["6", "5", "5"]


def test_a_list_answers_head_with_the_same_headers(site: Site) -> None:
    site.put()
    got = site.ask("GET", "/projects/1/packages")
    head = site.ask("HEAD", "/projects/1/packages")
    assert head.body == b""
    assert head.headers["Link"] == got.headers["Link"]
    assert head.headers["X-Total"] == "1"


@pytest.mark.parametrize("path", ["/projects/1/packages", "{package}", "{package}/package_files"])
@pytest.mark.parametrize("accept", ["", BROWSER], ids=["program", "browser"])
def test_no_cache_mistakes_one_caller_for_another(site: Site, path: str, accept: str) -> None:
    answer = site.ask("GET", path.format(package=package_path(site.put())), accept=accept)
    assert {"Accept", "Authorization", "PRIVATE-TOKEN", "JOB-TOKEN"} <= set(answer.headers["Vary"].split(", "))
    assert "no-cache" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/projects/3/packages", "/groups/30/packages", "{package}"])
@pytest.mark.parametrize(("accept", "status"), [("*/*", 404), (BROWSER, 401)], ids=["program", "browser"])
def test_a_refusal_that_depends_on_the_caller_says_so(site: Site, path: str, accept: str, status: int) -> None:
    # A cache may keep a 404 as it likes, and would show a program's to a browser, or to those who may read.
    path = path.format(package=package_path(site.put(PRIVATE)))
    answer = site.ask("GET", path, accept=accept, status=status)
    assert {"Accept", "Authorization"} <= set(answer.headers.get("Vary", "").split(", "))


# Entities


@MOUNTED
def test_a_package_is_shown_with_the_keys_of_gitlab_and_ours(client_of: ClientOf) -> None:
    site = Site(client_of)
    file = site.put(filename="My.Pkg-1.0.tar.gz")
    number, here = file.package.id, f"http://localhost{site.client.prefix}/projects/1/packages/{file.package.id}"
    shown = site.ask("GET", package_path(file), "maintainer").json
    shown["_links"]["delete_api_path"] = shown["_links"]["delete_api_path"].replace("localhost:80/", "localhost/")
    assert shown == {
        "id": number,
        "name": "My.Pkg",
        "version": "1.0",
        "package_type": "pypi",
        "status": "default",
        "_links": {"web_path": f"/pub/tools/-/packages/{number}", "delete_api_path": here},
        "created_at": "2024-05-06T07:08:09.123Z",
        "last_downloaded_at": None,
        "tags": [],
        "versions": [],
        "yanked": False,
    }
    (listed,) = site.ask("GET", "/projects/1/packages", "maintainer").json
    assert set(shown) - set(listed) == {"versions"}
    (grouped,) = site.ask("GET", "/groups/pub/packages", "maintainer").json
    assert set(grouped) - set(listed) == {"project_id", "project_path"}
    site.ask("DELETE", urlsplit(here).path.removeprefix(site.client.prefix), "maintainer", 204)


@pytest.mark.parametrize("caller", ["anonymous", "developer", "maintainer"])
def test_the_address_to_delete_at_is_shown_to_those_who_may(client_of: ClientOf, caller: str) -> None:
    site = Site(client_of)
    shown = site.ask("GET", package_path(site.put()), show_token(caller)).json
    lists = [site.ask("GET", f"/{place}/packages", show_token(caller)).json for place in ("projects/1", "groups/10")]
    for entity in (shown, lists[0][0], lists[1][0]):
        assert ("delete_api_path" in entity["_links"]) == (caller == "maintainer")


def test_the_other_versions_are_those_of_the_same_name_and_project(site: Site) -> None:
    one = site.put(filename="My.Pkg-1.0.tar.gz")
    two = site.put(filename="my_pkg-2.0.tar.gz", at=AT + timedelta(hours=1))
    site.put(filename="mypkg-3.0.tar.gz")
    site.put(DEEP, "my_pkg-4.0.tar.gz")
    versions = site.ask("GET", package_path(one)).json["versions"]
    assert versions == [{"id": two.package.id, "version": "2.0", "created_at": "2024-05-06T08:08:09.123Z", "tags": []}]
    assert [other["id"] for other in site.ask("GET", package_path(two)).json["versions"]] == [one.package.id]


def test_the_files_of_a_package(site: Site) -> None:
    file = site.put(data=b"some bytes")
    wheel = site.put(filename="demo-1.0-py3-none-any.whl", name="demo", at=AT + timedelta(seconds=1))
    site.put(filename="demo-2.0.tar.gz")
    assert wheel.package.id == file.package.id
    first, second = site.ask("GET", f"{package_path(file)}/package_files").json
    assert first == {
        "id": file.id,
        "package_id": file.package.id,
        "created_at": "2024-05-06T07:08:09.123Z",
        "file_name": "demo-1.0.tar.gz",
        "size": 10,
        "file_md5": hashlib.md5(b"some bytes").hexdigest(),
        "file_sha1": None,
        "file_sha256": hashlib.sha256(b"some bytes").hexdigest(),
        "uploaded_by": "ada",
    }
    assert (second["id"], second["file_name"]) == (wheel.id, "demo-1.0-py3-none-any.whl")


C, X, Y = "demo-1.0.tar.gz", "demo-1.0-py2-none-any.whl", "demo-1.0-py3-none-any.whl"
FILE_LISTS: Mapping[str, list[str]] = {
    "": [C, Y, X],
    "order_by=id": [C, Y, X],
    "order_by=id&sort=desc": [X, Y, C],
    "order_by=created_at": [Y, X, C],
    "order_by=created_at&sort=desc": [C, X, Y],
    "order_by=file_name": [X, Y, C],
    "order_by=file_name&sort=desc": [C, Y, X],
    "per_page=2": [C, Y],
    "per_page=2&page=2": [X],
    "per_page=500": [C, Y, X],
}


@pytest.mark.parametrize("query", FILE_LISTS)
def test_the_order_of_the_files_of_a_package(site: Site, query: str) -> None:
    for minutes, filename in ((3, C), (1, Y), (2, X)):
        file = site.put(filename=filename, name="demo", at=AT + timedelta(minutes=minutes))
    answer = site.ask("GET", f"{package_path(file)}/package_files?{query}")
    assert [entity["file_name"] for entity in answer.json] == FILE_LISTS[query]
    assert answer.headers["X-Total"] == "3"


@pytest.mark.parametrize("query", ["order_by=name", "order_by=size", "sort=x"])
def test_a_bad_order_of_files_is_400(site: Site, query: str) -> None:
    answer = site.ask("GET", f"{package_path(site.put())}/package_files?{query}", status=400)
    assert answer.json == {"error": f"{query.partition('=')[0]} does not have a valid value"}


def test_the_links_lead_through_all_files(site: Site) -> None:
    for filename in (C, X, Y):
        file = site.put(filename=filename, name="demo")
    names, answers = follow(site, f"{package_path(file)}/package_files?per_page=1")
    assert names == [C, X, Y]
    assert len(answers) == 3


# Download


@pytest.mark.parametrize("size", [0, 1, 1000, 600_000])
def test_a_downloaded_file_is_the_one_that_was_published(site: Site, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    file = site.put(data=data)
    answer = site.ask("GET", f"{file_path(file)}/download")
    assert answer.body == data
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Length"] == str(size)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="demo-1.0.tar.gz"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=0-1", 206, b"01"),
        ("bytes=5-", 206, b"56789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-100", 206, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_a_part_of_a_file_may_be_asked_for(site: Site, wanted: str, status: int, body: bytes) -> None:
    file = site.put(data=b"0123456789")
    answer = site.ask("GET", f"{file_path(file)}/download", status=status, headers={"Range": wanted})
    assert answer.body == body


def test_a_download_that_is_known_already_is_not_sent_again(site: Site) -> None:
    address = f"{file_path(site.put())}/download"
    known = {"If-None-Match": site.ask("GET", address).headers["ETag"]}
    assert site.ask("GET", address, status=304, headers=known).body == b""
    head = site.ask("HEAD", address)
    assert head.headers["Content-Length"] == "4" and head.body == b""


# Deleting


def hrefs(page: Any) -> list[str]:
    return re.findall(r'<a href="([^"]*)"', page.text)


def test_a_deleted_file_is_gone_at_once_and_its_package_stays_with_the_others(site: Site) -> None:
    file, kept = site.put(), site.put(filename="demo-1.0-py3-none-any.whl", name="demo")
    link = f"/projects/1/packages/pypi/files/{file.digests.sha256}/{file.filename}"
    site.ask("GET", link)
    assert site.ask("DELETE", file_path(file), "maintainer", 204).body == b""
    assert site.filenames() == [kept.filename]
    assert [entity["id"] for entity in site.ask("GET", f"{package_path(file)}/package_files").json] == [kept.id]
    for path in (link, f"{file_path(file)}/download", link.replace("/projects/1/", "/groups/pub/-/")):
        site.ask("GET", path, "owner", 404)
    site.ask("DELETE", file_path(file), "maintainer", 404)
    assert site.blobs.open(file.blob_key, size=file.size) is None
    assert site.blobs.open(kept.blob_key, size=kept.size) is not None


def test_a_package_is_deleted_with_its_last_file(site: Site) -> None:
    file, other = site.put(), site.put(filename="demo-1.0-py3-none-any.whl", name="demo")
    site.ask("PATCH", package_path(file), "owner", data={"yanked": "broken"})
    site.ask("DELETE", file_path(file), "maintainer", 204)
    site.ask("GET", package_path(file))
    site.ask("DELETE", file_path(other), "maintainer", 204)
    for place in ("/projects/1/packages/pypi", "/groups/pub/-/packages/pypi"):
        site.ask("GET", f"{place}/simple/demo/", "owner", 404)
        assert "demo" not in site.ask("GET", f"{place}/simple/")
    assert site.listed("/projects/1/packages") == []
    for path in (package_path(file), f"{package_path(file)}/package_files"):
        site.ask("GET", path, "owner", 404)
    again = site.put()
    assert (again.package.id == file.package.id, again.package.yanked) == (False, None)


def test_a_deleted_package_is_gone_at_once_with_all_its_files(site: Site) -> None:
    file, wheel = site.put(), site.put(filename="demo-1.0-py3-none-any.whl", name="demo")
    kept = site.put(filename="demo-2.0.tar.gz", data=b"other")
    assert site.ask("DELETE", package_path(file), "maintainer", 204).body == b""
    assert site.listed("/projects/1/packages") == ["demo 2.0"]
    assert site.filenames() == [kept.filename]
    assert site.ask("GET", package_path(kept)).json["versions"] == []
    for path in (package_path(file), f"{package_path(file)}/package_files", f"{file_path(wheel)}/download"):
        site.ask("GET", path, "owner", 404)
    site.ask("GET", f"/projects/1/packages/pypi/files/{file.digests.sha256}/{file.filename}", "owner", 404)
    site.ask("DELETE", package_path(file), "maintainer", 404)
    assert [site.blobs.open(gone.blob_key, size=gone.size) for gone in (file, wheel)] == [None, None]
    assert site.blobs.open(kept.blob_key, size=kept.size) is not None


@pytest.mark.parametrize("token", ["owner", "stranger", ""])
@pytest.mark.parametrize("place", ["/projects/1", "/groups/pub/-", "/projects/4", "/groups/pub%2Fsub/-"])
def test_a_deleted_name_is_never_forwarded(site: Site, place: str, token: str) -> None:
    site.ask("GET", f"{place}/packages/pypi/simple/demo/", token, 302)
    site.ask("DELETE", package_path(site.put()), "maintainer", 204)
    answer = site.ask("GET", f"{place}/packages/pypi/simple/demo/", token, 404)
    assert answer.json == {"message": "404 Package Not Found"}
    assert "demo" not in site.ask("GET", f"{place}/packages/pypi/simple/", token)


@pytest.mark.parametrize("delete", [package_path, file_path], ids=["package", "file"])
@pytest.mark.parametrize("times", [1, 3])
def test_what_was_deleted_may_be_published_again_at_once(site: Site, delete: Any, times: int) -> None:
    site.upload("demo-1.0.tar.gz")
    for _ in range(times):
        site.upload("demo-1.0.tar.gz", status=400)
        (package,) = site.ask("GET", "/projects/1/packages").json
        (entity,) = site.ask("GET", f"/projects/1/packages/{package['id']}/package_files").json
        path = f"/projects/1/packages/{package['id']}"
        site.ask("DELETE", path if delete is package_path else f"{path}/package_files/{entity['id']}", "owner", 204)
        site.upload("demo-1.0.tar.gz")
        assert site.filenames() == ["demo-1.0.tar.gz"]
        link = f"/projects/1/packages/pypi/files/{entity['file_sha256']}/demo-1.0.tar.gz"
        assert site.ask("GET", link).body == distribution("demo-1.0.tar.gz")


@pytest.mark.parametrize("act", ["delete a package", "delete a file"])
@pytest.mark.parametrize(
    ("seconds", "status"), [(-1, 412), (0, 204), (3600, 204), (None, 204)], ids=["before", "same", "later", "nonsense"]
)
def test_what_has_changed_since_is_not_deleted(site: Site, act: str, seconds: int | None, status: int) -> None:
    since = "yesterday" if seconds is None else format_datetime(AT + timedelta(seconds=seconds), usegmt=True)
    file = site.put()
    answer = site.ask("DELETE", ACTS[act].path(file), "owner", status, headers={"If-Unmodified-Since": since})
    if status == 412:
        assert answer.json == {"message": "412 Precondition Failed"}
        assert site.filenames() == ["demo-1.0.tar.gz"]


class Racing(MemoryCatalogue):
    """Deletes a package or a file just before the request does."""

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        super().delete_package(project, package_id, by)
        return super().yank(project, package_id, reason, by)

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        super().delete_package(project, package_id, by)
        return super().delete_package(project, package_id, by)

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        super().delete_file(project, file_id, by)
        return super().delete_file(project, file_id, by)


@pytest.mark.parametrize("act", ["yank", "delete a package", "delete a file"])
def test_what_somebody_else_deleted_meanwhile_is_404(client_of: ClientOf, act: str) -> None:
    site, wanted = Site(client_of, catalogue=Racing()), ACTS[act]
    assert_refused(site.ask(wanted.method, wanted.path(site.put()), "owner", 404, data=wanted.data))


# Yanking: what is sent -> what the entity says, data-yanked on the HTML page
YANKS: list[tuple[object, object, str | None]] = [
    (True, True, ""),
    ("", True, ""),
    ("broken on 3.11; use 1.1", "broken on 3.11; use 1.1", "broken on 3.11; use 1.1"),
    ("</a><script>alert(1)</script> \"'&", "</a><script>alert(1)</script> \"'&", None),
    ("ünïcode ☃ 🐍", "ünïcode ☃ 🐍", "ünïcode ☃ 🐍"),
    ("false", "false", "false"),
    (" ", " ", " "),
    ("x" * 1000, "x" * 1000, "x" * 1000),
    ("☃" * 1000, "☃" * 1000, "☃" * 1000),
    (False, False, None),
]


@pytest.mark.parametrize(("sent", "shown", "attribute"), YANKS, ids=[repr(row[0])[:20] for row in YANKS])
def test_a_package_is_yanked(site: Site, sent: object, shown: object, attribute: str | None) -> None:
    file, other = site.put(), site.put(filename="demo-2.0.tar.gz")
    answer = site.ask("PATCH", package_path(file), "developer", data={"yanked": sent})
    assert answer.json["yanked"] == shown and type(answer.json["yanked"]) is type(shown)
    assert answer.json["id"] == file.package.id and answer.json["_links"]["web_path"]
    assert site.ask("GET", package_path(file)).json["yanked"] == shown
    assert [entity["yanked"] for entity in site.ask("GET", "/projects/1/packages").json] == [shown, False]
    assert site.ask("GET", package_path(other)).json["yanked"] is False
    for place in ("/projects/1/packages/pypi", "/groups/pub/-/packages/pypi"):
        page = site.ask("GET", f"{place}/simple/demo/", accept=SIMPLE_JSON).json
        assert [entry.get("yanked", False) for entry in page["files"]] == [shown, False]
        html = site.ask("GET", f"{place}/simple/demo/", accept="text/html").text
        assert html.count("data-yanked") == (0 if shown is False else 1)
        assert "<script" not in html
        if attribute is not None:
            assert f'data-yanked="{attribute}"' in html


def test_yanking_is_taken_back(site: Site) -> None:
    file = site.put()
    for sent, shown in (("one", "one"), ("two", "two"), (True, True), (False, False), (False, False), ("3", "3")):
        assert site.ask("PATCH", package_path(file), "owner", data={"yanked": sent}).json["yanked"] == shown
        page = site.ask("GET", "/projects/1/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
        assert page["files"][0].get("yanked", False) == shown


def test_a_file_added_to_a_yanked_package_is_yanked_and_can_be_had(site: Site) -> None:
    file = site.put()
    site.ask("PATCH", package_path(file), "owner", data={"yanked": "no"})
    site.put(filename="demo-1.0-py3-none-any.whl", name="demo")
    page = site.ask("GET", "/projects/1/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
    assert [entry["yanked"] for entry in page["files"]] == ["no", "no"]
    assert site.ask("GET", f"{file_path(file)}/download").body == b"demo"
    assert site.ask("GET", f"/projects/1/packages/pypi/files/{file.digests.sha256}/{file.filename}").body == b"demo"


HUGE = json.dumps({"yanked": "x" * 300_000}).encode()
BAD_BODIES: Mapping[str, bytes] = {
    "null": b'{"yanked": null}',
    "zero": b'{"yanked": 0}',
    "one": b'{"yanked": 1}',
    "a float": b'{"yanked": 1.5}',
    "not a number": b'{"yanked": NaN}',
    "an array": b'{"yanked": ["x"]}',
    "an object": b'{"yanked": {"reason": "x"}}',
    "nothing": b"{}",
    "NUL": b'{"yanked": "a\\u0000b"}',
    "a line break": b'{"yanked": "a\\nb"}',
    "a carriage return": b'{"yanked": "a\\rb"}',
    "a tab": b'{"yanked": "a\\tb"}',
    "escape": b'{"yanked": "\\u001b[31m"}',
    "delete": b'{"yanked": "\\u007f"}',
    "a C1 control": b'{"yanked": "\\u0085"}',
    "a raw control character": b'{"yanked": "a\x01b"}',
    "a high surrogate": b'{"yanked": "\\ud800"}',
    "a low surrogate": b'{"yanked": "x\\udfff"}',
    "raw surrogates": b'{"yanked": "\xed\xa0\x80"}',
    "an unknown key": b'{"yanked": true, "reason": "x"}',
    "another key": b'{"yank": true}',
    "a key with a surrogate": b'{"yanked": true, "\\ud800": 1}',
    "a key with a line break": b'{"yanked": true, "a\\r\\nSet-Cookie: b": 1}',
    "a key in capitals": b'{"Yanked": true}',
    "no JSON": b"yanked=true",
    "half of JSON": b'{"yanked": tr',
    "no body": b"",
    "an array around it": b'[{"yanked": true}]',
    "a text": b'"yanked"',
    "true": b"true",
    "latin-1": b'{"yanked": "\xe9"}',
    "deep": b"[" * 50_000,
    "deep in the object": b'{"yanked": ' + b"[" * 30_000,
    "a number without end": b'{"yanked": ' + b"9" * 10_000 + b"}",
    "too long": json.dumps({"yanked": "x" * 1001}).encode(),
    "huge": HUGE,
    "huge and no JSON": b"x" * 300_000,
}


def assert_bad_request(answer: Any) -> None:
    assert answer.content_type == "application/json"
    assert answer.json["message"].startswith("400 Bad request - ")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_body_that_does_not_say_how_to_yank_is_400(site: Site, body: str) -> None:
    file = site.put()
    before = site.state(TOOLS)
    assert_bad_request(site.ask("PATCH", package_path(file), "owner", 400, raw=BAD_BODIES[body]))
    assert site.state(TOOLS) == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_the_type_of_a_body_is_not_looked_at(site: Site, kind: str) -> None:
    file = site.put()
    headers = {"Content-Type": kind} if kind else {}
    site.client.app.request(
        site.client.prefix + package_path(file),
        method="PATCH",
        body=b'{"yanked": "broken"}',
        headers=basic("owner") | headers,
        status=200,
    )
    assert site.ask("GET", package_path(file)).json["yanked"] == "broken"


def test_who_may_not_yank_is_told_nothing_of_the_body(site: Site) -> None:
    file = site.put()
    site.ask("PATCH", package_path(file), "guest", 403, raw=HUGE)
    site.ask("PATCH", package_path(file), "", 403, raw=b"no JSON")


# Statuses (PEP 792)


def declare(site: Site, status: str, reason: str | None = None, project: int = 1, code: int = 200, **more: Any) -> Any:
    data = {"status": status} if reason is None else {"status": status, "reason": reason}
    address = f"/projects/{project}/packages/pypi/simple/{more.pop('name', 'demo')}"
    return site.ask("PATCH", address, more.pop("token", "maintainer"), code, data=data, **more)


# status -> uploads, files offered
STATUSES = {"active": (201, True), "deprecated": (201, True), "archived": (403, True), "quarantined": (403, False)}


@pytest.mark.parametrize("reason", [None, "", "moved to <b>other</b> \"&'"], ids=["no reason", "empty", "a reason"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_shown_and_enforced(site: Site, status: str, reason: str | None) -> None:
    file = site.put()
    answer = declare(site, status, reason)
    assert answer.json["status"] == status
    uploads, offered = STATUSES[status]

    page = site.ask("GET", "/projects/1/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
    wanted = {"status": status} | ({"reason": reason} if reason else {})
    if status == "active" and not reason:
        assert page.get("project-status", wanted) == wanted
    else:
        assert page["project-status"] == wanted
    assert page["meta"]["api-version"] in ("1.4", "1.5")
    assert [entry["filename"] for entry in page["files"]] == ([file.filename] if offered else [])

    html = site.ask("GET", "/projects/1/packages/pypi/simple/demo/", accept="text/html").text
    assert ('<meta name="pypi:project-status" content="' in html) == (status != "active" or bool(reason))
    if status != "active":
        assert f'<meta name="pypi:project-status" content="{status}">' in html
        assert ("pypi:project-status-reason" in html) == bool(reason)
    assert "<b>" not in html
    assert ("demo-1.0.tar.gz" in html) == offered

    sha256 = file.digests.sha256
    for place in ("/projects/1", "/groups/pub/-"):
        path = f"{place}/packages/pypi/files/{sha256}/{file.filename}"
        refused = site.ask("GET", path, "owner", 200 if offered else 403)
        if not offered:
            assert refused.json["message"].startswith("403 Forbidden")
    refused = site.upload("demo-2.0.tar.gz", status=uploads)
    if uploads == 403:
        assert refused.json["message"].startswith("403 Forbidden - ")
        assert status in refused.json["message"]
        site.upload("demo-1.0.tar.gz", status=403)
        assert site.listed("/projects/1/packages") == ["demo 1.0"]
    site.upload("other-1.0.tar.gz")


@pytest.mark.parametrize("spelling", ["demo-tool", "Demo.Tool", "DEMO__tool", "demo-tool/"])
def test_a_status_is_of_every_spelling_of_a_name(site: Site, spelling: str) -> None:
    site.put(filename="Demo.Tool-1.0.tar.gz")
    declare(site, "archived", name=spelling)
    site.upload("demo_tool-2.0.tar.gz", status=403)
    site.upload("demotool-2.0.tar.gz")


@pytest.mark.parametrize("last", STATUSES)
@pytest.mark.parametrize("first", STATUSES)
def test_a_status_replaces_the_one_before(site: Site, first: str, last: str) -> None:
    file = site.put()
    declare(site, first, "for a reason")
    declare(site, last)
    page = site.ask("GET", "/projects/1/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
    assert page.get("project-status", {"status": "active"}) == {"status": last}
    uploads, offered = STATUSES[last]
    path = f"/projects/1/packages/pypi/files/{file.digests.sha256}/{file.filename}"
    site.ask("GET", path, status=200 if offered else 403)
    site.upload("demo-2.0.tar.gz", status=uploads)


@pytest.mark.parametrize("place", ["/projects/1/packages/pypi", "/groups/pub/-/packages/pypi"])
@pytest.mark.parametrize("accept", [SIMPLE_JSON, "text/html"], ids=["JSON", "HTML"])
def test_no_page_outlives_a_change(site: Site, place: str, accept: str) -> None:
    file = site.put()
    tags = []
    changes: list[tuple[str, str, object]] = [
        ("PATCH", package_path(file), {"yanked": True}),
        ("PATCH", package_path(file), {"yanked": "reason"}),
        ("PATCH", simple_path(file), {"status": "deprecated"}),
        ("PATCH", simple_path(file), {"status": "deprecated", "reason": "old"}),
        ("PATCH", simple_path(file), {"status": "quarantined"}),
        ("DELETE", file_path(file), None),
    ]
    for method, path, data in changes:
        answer = site.ask("GET", f"{place}/simple/demo/", accept=accept)
        assert answer.headers["ETag"] not in tags
        tags.append(answer.headers["ETag"])
        site.ask(method, path, "owner", 204 if method == "DELETE" else 200, data=data)
        known = {"If-None-Match": answer.headers["ETag"]}
        if method != "DELETE":  # what is in quarantine shows no files anyway
            site.ask("GET", f"{place}/simple/demo/", accept=accept, headers=known)


def test_files_in_quarantine_are_not_to_be_had_by_the_packages_api(site: Site) -> None:
    file = site.put()
    declare(site, "quarantined")
    answer = site.ask("GET", f"{file_path(file)}/download", "owner", 403)
    assert answer.json["message"].startswith("403 Forbidden")
    declare(site, "active")
    assert site.ask("GET", f"{file_path(file)}/download").body == b"demo"


def test_a_status_is_of_one_project(site: Site) -> None:
    site.put()
    site.put(DEEP, "demo-2.0.tar.gz")
    declare(site, "quarantined")
    assert site.filenames() == []
    assert site.filenames(place="/projects/4/packages/pypi") == ["demo-2.0.tar.gz"]
    site.upload("demo-3.0.tar.gz", project=4)


# of the public project, of the one below, whether both are seen -> status of the group's page, files on it
MERGED = [
    ("active", "active", None, ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("deprecated", "deprecated", "deprecated", ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("archived", "archived", "archived", ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("archived", "deprecated", None, ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("archived", "active", None, ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("active", "deprecated", None, ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]),
    ("quarantined", "active", None, ["demo-2.0.tar.gz"]),
    ("active", "quarantined", None, ["demo-1.0.tar.gz"]),
    ("quarantined", "archived", None, ["demo-2.0.tar.gz"]),
    ("quarantined", "quarantined", "quarantined", []),
]


@pytest.mark.parametrize(("one", "two", "merged", "files"), MERGED)
def test_a_group_shows_a_status_if_all_its_projects_agree(
    site: Site, one: str, two: str, merged: str | None, files: list[str]
) -> None:
    site.put()
    site.put(DEEP, "demo-2.0.tar.gz", b"deep")
    site.put(DEEP, "unrelated-1.0.tar.gz")
    declare(site, one)
    declare(site, two, project=4)
    page = site.ask("GET", "/groups/pub/-/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
    assert page.get("project-status", {}).get("status", "active") == (merged or "active")
    assert [entry["filename"] for entry in page["files"]] == files
    html = site.ask("GET", "/groups/pub/-/packages/pypi/simple/demo/", accept="text/html").text
    assert ("pypi:project-status" in html) == (merged is not None)
    for filename, data in (("demo-1.0.tar.gz", b"demo"), ("demo-2.0.tar.gz", b"deep")):
        path = f"/groups/pub/-/packages/pypi/files/{hashlib.sha256(data).hexdigest()}/{filename}"
        site.ask("GET", path, "owner", 200 if filename in files else 403)


def test_reasons_that_differ_are_no_agreement_on_the_reason(site: Site) -> None:
    site.put()
    site.put(DEEP, "demo-2.0.tar.gz")
    declare(site, "deprecated", "one")
    declare(site, "deprecated", "two", project=4)
    page = site.ask("GET", "/groups/pub/-/packages/pypi/simple/demo/", accept=SIMPLE_JSON).json
    assert "reason" not in page.get("project-status", {})


def test_what_a_caller_may_not_read_has_no_say_in_a_status(site: Site) -> None:
    site.put()
    site.put(HIDDEN, "demo-2.0.tar.gz")
    declare(site, "archived")
    path = "/groups/pub/-/packages/pypi/simple/demo/"
    for token, shown in (("", True), ("guest", False), ("stranger", True)):
        assert ("project-status" in site.ask("GET", path, token, accept=SIMPLE_JSON).json) == shown


@pytest.mark.parametrize("quarantined", [1, 4], ids=["the older", "the newer"])
def test_a_file_that_a_group_offers_can_be_had_although_its_twin_is_in_quarantine(site: Site, quarantined: int) -> None:
    site.put()
    site.put(DEEP)
    declare(site, "quarantined", project=quarantined)
    place = "/groups/pub/-/packages/pypi"
    assert site.filenames(place=place) == ["demo-1.0.tar.gz"]
    assert site.ask("GET", f"{place}/files/{hashlib.sha256(b'demo').hexdigest()}/demo-1.0.tar.gz").body == b"demo"


def test_a_name_that_is_not_here_has_no_status(site: Site) -> None:
    assert declare(site, "archived", code=404).json == {"message": "404 Package Not Found"}
    site.put(DEEP)
    declare(site, "archived", code=404)  # it is another project's
    assert declare(site, "archived", name="-no-name-", code=404).json == {"message": "404 Package Not Found"}


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_a_name_whose_packages_are_deleted_can_be_opened_again(site: Site, status: str) -> None:
    file = site.put()
    declare(site, status)
    site.ask("DELETE", package_path(file), "maintainer", 204)
    site.ask("PATCH", "/projects/1/packages/pypi/simple/demo", "maintainer", "*", data={"status": "active"})
    site.upload("demo-1.0.tar.gz")
    assert site.filenames() == ["demo-1.0.tar.gz"]


BAD_STATUSES: Mapping[str, bytes] = {
    **{key: BAD_BODIES[key] for key in ("no JSON", "half of JSON", "no body", "true", "deep", "huge", "nothing")},
    "unknown": b'{"status": "broken"}',
    "in capitals": b'{"status": "Archived"}',
    "empty": b'{"status": ""}',
    "null": b'{"status": null}',
    "true as status": b'{"status": true}',
    "an array": b'{"status": ["archived"]}',
    "an object": b'{"status": {"archived": true}}',
    "only a reason": b'{"reason": "x"}',
    "an unknown key": b'{"status": "archived", "yanked": true}',
    "a reason that is a number": b'{"status": "archived", "reason": 1}',
    "a reason that is true": b'{"status": "archived", "reason": true}',
    "a reason that is an array": b'{"status": "archived", "reason": []}',
    "NUL": b'{"status": "archived", "reason": "\\u0000"}',
    "a line break": b'{"status": "archived", "reason": "a\\nb"}',
    "a surrogate": b'{"status": "archived", "reason": "\\udc00"}',
    "a status with a surrogate": b'{"status": "\\udc00"}',
}


@pytest.mark.parametrize("body", BAD_STATUSES)
def test_a_body_that_does_not_say_a_status_is_400(site: Site, body: str) -> None:
    file = site.put()
    before = site.state(TOOLS)
    assert_bad_request(site.ask("PATCH", simple_path(file), "owner", 400, raw=BAD_STATUSES[body]))
    assert site.state(TOOLS) == before


def test_a_status_comes_from_the_store_and_not_from_a_look_before(client_of: ClientOf) -> None:
    class Late(MemoryCatalogue):
        """Archives the name while an upload is on its way."""

        def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
            if upload.version == "2.0":
                self.set_status(project, upload.normalized_name, NameStatus(Status.ARCHIVED), by)
            return super().add(project, upload, blob_key, at, by)

    site = Site(client_of, catalogue=Late())
    site.put()
    site.upload("demo-2.0.tar.gz", status=403)
    assert site.filenames() == ["demo-1.0.tar.gz"]


def test_a_status_of_a_group_is_nothing_to_set(site: Site) -> None:
    site.put()
    address = "/groups/pub/-/packages/pypi/simple/demo"
    answer = site.ask("PATCH", address, "admin", 405, data={"status": "archived"})
    assert "PATCH" not in answer.headers["Allow"]


# Pages

HOSTILE = "</pre></title><script>alert(1)</script><img src=x onerror=alert(1)> \"'& {{7*7}}"


@pytest.fixture
def no_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    monkeypatch.delitem(sys.modules, "pypi_registry._pages.markdown", raising=False)


@MOUNTED
@pytest.mark.usefixtures("no_renderer")
def test_the_pages_lead_from_the_list_to_the_bytes(client_of: ClientOf) -> None:
    site = Site(client_of)
    site.put(PRIVATE, "demo-2.0.tar.gz")
    file = site.put(PRIVATE, requires_python=">=3.11")
    prefix = site.client.prefix

    def opened(url: str, on: Any) -> Any:
        path = urlsplit(urljoin(on.request.url, url)).path
        return site.ask("GET", path.removeprefix(prefix), "guest", accept=BROWSER)

    listed = site.ask("GET", "/projects/3/packages", "guest", accept=BROWSER)
    (address,) = [url for url in hrefs(listed) if url.endswith(f"packages/{file.package.id}")]
    shown = opened(address, listed)
    for text in ("&gt;=3.11", file.digests.sha256, "2024-05-06", "[gitlab]", "4 B", ".pypirc"):
        assert text in shown.text
    assert "You will need a personal access token." in shown.text
    assert f"{prefix}/projects/3/packages/pypi/simple" in shown.text
    (download,) = [url for url in hrefs(shown) if "package_files" in url]
    assert opened(download, shown).body == b"demo"
    (other,) = [url for url in hrefs(shown) if url.startswith("./") and "package_files" not in url]
    assert "demo 2.0" in opened(other, shown).text
    project, group = [url for url in hrefs(shown) if url.endswith("packages") or url == "."][::-1]
    assert f'href="./{file.package.id}">demo</a>' in opened(project, shown).text
    assert f"packages/{file.package.id}" in opened(group, shown).text


@pytest.mark.usefixtures("no_renderer")
@pytest.mark.parametrize("path", ["/projects/1/packages", "/groups/10/packages", "{package}"])
def test_a_page_is_escaped_and_runs_nothing(site: Site, path: str) -> None:
    texts = dict.fromkeys(("summary", "description", "keywords"), HOSTILE)
    metadata = PackageMetadata(**texts, description_content_type="text/html")
    file = site.put(metadata=metadata, requires_python=">3<script>'\"")
    site.ask("PATCH", package_path(file), "owner", data={"yanked": HOSTILE})
    answer = site.ask("GET", path.format(package=package_path(file)), accept=BROWSER)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text and "<img" not in answer.text and "<Sons>" not in answer.text
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'" and "form-action" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Accept" in answer.headers["Vary"].split(", ")


@pytest.mark.parametrize("name", ["package_name", "%22%3E%3Cscript%3E"])
@pytest.mark.parametrize("path", ["/projects/1/packages", "/groups/10/packages"])
def test_a_query_is_escaped(site: Site, path: str, name: str) -> None:
    for number in range(3):
        site.put(filename=f"demo-{number}.tar.gz")
    query = f"{name}=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&per_page=1&page=2"
    answer = site.ask("GET", f"{path}?{query}", accept=BROWSER)
    assert "<script" not in answer.text


def test_a_hostile_host_header_is_not_shown(site: Site) -> None:
    file = site.put()
    hostile = {"Host": 'evil"><script>alert(1)</script>'}
    answer = site.ask("GET", package_path(file), accept=BROWSER, headers=hostile)
    assert "<script" not in answer.text and "evil" not in answer.text
    assert "evil" not in site.ask("GET", "/projects/1/packages", headers=hostile).headers["Link"]


def test_the_page_of_a_list_is_searched_and_turned(site: Site) -> None:
    for number in range(45):
        site.put(filename=f"demo{number:02}-1.0.tar.gz")
    site.put(filename="other-1.0.tar.gz")

    def turned(query: str) -> tuple[int, list[str]]:
        answer = site.ask("GET", f"/projects/1/packages?{query}", accept=BROWSER)
        found = [url.replace("&amp;", "&") for url in hrefs(answer)]
        return sum("packages/" in url for url in found), [url for url in found if url.startswith("?")]

    rows, turns = turned("package_name=demo")
    assert rows == 20
    assert [parse_qs(turn[1:]) for turn in turns] == [{"package_name": ["demo"], "page": ["2"]}]
    rows, turns = turned(turns[0][1:])
    assert rows == 20
    assert [parse_qs(turn[1:])["page"] for turn in turns] == [["1"], ["3"]]
    rows, turns = turned(turns[1][1:])
    assert rows == 5
    assert [parse_qs(turn[1:])["page"] for turn in turns] == [["2"]]
    assert turned("package_name=other") == (1, [])


# Accept -> whether a page is sent
ACCEPTS = {
    "": False,
    "*/*": False,
    "application/json": False,
    "application/json, text/plain, */*": False,
    "application/json, text/html;q=0.5": False,
    "text/html": True,
    BROWSER: True,
    "text/html, */*;q=0.1": True,
    "image/png": False,
    "nonsense": False,
}


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("path", ["/projects/3/packages", "/groups/30/packages", "{package}"])
def test_only_a_browser_gets_a_page(site: Site, path: str, accept: str) -> None:
    path = path.format(package=package_path(site.put(PRIVATE)))
    html = ACCEPTS[accept]
    answer = site.ask("GET", path, "guest", accept=accept)
    assert answer.content_type == ("text/html" if html else "application/json")
    refused = site.ask("GET", path, status=401 if html else 404, accept=accept)
    assert_refused(refused)


@MOUNTED
@pytest.mark.parametrize("ref", ["1", "pub%2Ftools"])
def test_all_addresses_over_a_store_on_disk(client_of: ClientOf, ref: str, tmp_path: Path) -> None:
    catalogue = SQLiteCatalogue(tmp_path / "catalogue.db")
    site = Site(client_of, catalogue=catalogue)
    site.upload("demo-1.0.tar.gz")
    (package,) = site.ask("GET", f"/projects/{ref}/packages/").json
    here = f"/projects/{ref}/packages/{package['id']}"
    assert site.ask("GET", f"{here}/").json["versions"] == []
    (file,) = site.ask("GET", f"{here}/package_files").json
    download = site.ask("GET", f"{here}/package_files/{file['id']}/download")
    assert download.body == distribution("demo-1.0.tar.gz")
    site.ask("PATCH", here, "owner", data={"yanked": True})
    simple = f"/projects/{ref}/packages/pypi/simple/demo"
    site.ask("PATCH", simple, "owner", data={"status": "archived"})
    site.upload("demo-2.0.tar.gz", status=403)
    page = site.ask("GET", simple, accept=SIMPLE_JSON).json
    assert page["project-status"] == {"status": "archived"} and page["files"][0]["yanked"] is True
    site.ask("DELETE", f"{here}/package_files/{file['id']}", "owner", 204)
    site.ask("DELETE", here, "owner", 404)
    assert site.ask("GET", f"/projects/{ref}/packages").json == []
    site.ask("GET", simple, "owner", 404)
    site.ask("PATCH", simple, "owner", data={"status": "active"})
    site.upload("demo-1.0.tar.gz")
    catalogue.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/projects/1/packages"),
        ("DELETE", "/projects/1/packages"),
        ("PUT", "{package}"),
        ("POST", "{package}"),
        ("POST", "{package}/package_files"),
        ("GET", "{file}"),
        ("PATCH", "{file}"),
        ("DELETE", "{file}/download"),
        ("POST", "/groups/10/packages"),
    ],
)
def test_what_there_is_no_method_for_is_405(site: Site, method: str, path: str) -> None:
    file = site.put()
    answer = site.ask(method, path.format(package=package_path(file), file=file_path(file)), "admin", 405)
    assert method not in answer.headers["Allow"].split(", ")
    assert answer.json["error"].startswith("405 ")
