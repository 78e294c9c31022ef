"""What a response says to a caller who may not have it: every route, method, kind of token and visibility.

The cases are generated from the table of routes. Two registries are compared: one has the package of a route, the
other has nothing of it, or no such project at all. A caller who may not read must get the same response from both, in
each byte and header. No response may hold a word of a package that its caller may not read, nor any secret.
"""

import hashlib
import io
import itertools
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

from pypi_registry import Registry
from pypi_registry._api.call import Dialect
from pypi_registry._api.routes import ROUTES, Route
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User
from pypi_registry.accounts.config import TokenKind
from pypi_registry.distributions import verify
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import Variant, make_sdist, make_wheel

SECRET = "s3cr3t"  # every token has it
CANARY = "canary"  # every package of the first registry has it in its name, its metadata and its project's path
PAST = datetime(2001, 1, 1, tzinfo=UTC)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
VISIBILITIES = {visibility: id_ for id_, visibility in enumerate(Visibility, 1)}
ALLOWING = "allowing/deploy"  # the project of jobs that an allowlist names

GITLABS_TABLE = {
    # GitLab's specifications of its endpoints: the statuses for a project that a caller may not see, and for one that
    # is not there. GitLab looks for the project before it looks at the token. So a simple page that asks an anonymous
    # caller for a token, and a token that is refused, show that there is something.
    ("anonymous", Dialect.PYPI): (401, 404),
    ("unknown", Dialect.PYPI): (401, 404),
    **{(name, dialect): (401, 404) for name in ("expired", "revoked") for dialect in Dialect},
}

DEPENDENCY_CONFUSION = 404, 302
"""A name that was published in the root group is never redirected (docs/security.md), which those learn who may read
anything of it: here a job, which may read the group, but not this project of it."""


@dataclass(frozen=True)
class Caller:
    """Someone with one token, or with none."""

    name: str
    headers: Mapping[str, str]
    reads: frozenset[Visibility]
    """The projects and groups whose packages this caller may read."""

    @property
    def is_job(self) -> bool:
        """Whether this caller sees the groups of its user, without the projects that do not let its jobs in.

        Only projects have an allowlist (GitLab's manual, "CI/CD job token").
        """
        return self.name.startswith("job")

    def __str__(self) -> str:
        return self.name


def _token(name: str, kind: TokenKind = TokenKind.PERSONAL, **settings: Any) -> Token:
    return Token(sha256=hashlib.sha256(f"{SECRET}-{name}".encode()).hexdigest(), kind=kind, name=name, **settings)


ROLES = [role for role in Role if Role.NO_ACCESS < role < Role.ADMIN]
USERS = {role.name.lower(): role for role in ROLES}
API, READ_API = frozenset({"api"}), frozenset({"read_api"})
DEPLOY_READ, DEPLOY_WRITE = frozenset({"read_package_registry"}), frozenset({"write_package_registry"})
ALL, OPEN, SIGNED_IN = (
    frozenset(Visibility),
    frozenset({Visibility.PUBLIC}),
    frozenset({Visibility.PUBLIC, Visibility.INTERNAL}),
)

TOKENS: dict[str, tuple[Token, frozenset[Visibility]]] = {
    **{name: (_token(name, user=name, scopes=API), ALL) for name in [*USERS, "admin"]},
    **{f"{name} reads": (_token(f"{name} reads", user=name, scopes=READ_API), ALL) for name in [*USERS, "admin"]},
    "stranger": (_token("stranger", user="stranger", scopes=API), SIGNED_IN),
    "expired": (_token("expired", user="owner", scopes=API, expires=PAST), frozenset()),
    "revoked": (_token("revoked", user="owner", scopes=API, revoked=True), frozenset()),
    "deploy elsewhere": (_token("deploy elsewhere", TokenKind.DEPLOY, scopes=DEPLOY_WRITE, path="elsewhere"), OPEN),
    "job elsewhere": (_token("job elsewhere", TokenKind.JOB, user="owner", path="elsewhere/app"), OPEN),
    "job let in": (_token("job let in", TokenKind.JOB, user="owner", path=ALLOWING), ALL),
    **{
        f"deploy {word} {visibility}": (
            _token(f"deploy {word} {visibility}", TokenKind.DEPLOY, scopes=scopes, path=f"{visibility}-group"),
            frozenset({Visibility.PUBLIC, visibility}),
        )
        for visibility in Visibility
        for word, scopes in (("reads", DEPLOY_READ), ("writes", DEPLOY_WRITE))
    },
}


def _callers() -> Iterator[Caller]:
    yield Caller("anonymous", {}, OPEN)
    yield Caller("unknown", _basic(f"{SECRET}-nobody"), OPEN)
    for name, (token, reads) in TOKENS.items():
        user = "gitlab-ci-token" if token.kind is TokenKind.JOB else "any"
        yield Caller(name, _basic(f"{SECRET}-{name}", user), reads)


def _basic(secret: str, user: str = "any") -> dict[str, str]:
    return {"Authorization": str(EnvironBuilder(auth=(user, secret)).headers["Authorization"])}


CALLERS = list(_callers())


@cache
def accounts(with_projects: bool) -> Accounts:
    # Other ids, so that nothing is at the paths of the cases.
    ids = VISIBILITIES if with_projects else {each: id_ + 100 for each, id_ in VISIBILITIES.items()}
    groups = [GroupConfig(id=id_, path=f"{each}-group", visibility=each) for each, id_ in ids.items()]
    projects = [
        ProjectConfig(id=id_, path=f"{each}-group/{CANARY}", visibility=each, job_token_allowlist=(ALLOWING,))
        for each, id_ in ids.items()
    ]
    everywhere = {f"{each}-group" for each in VISIBILITIES}
    return Accounts(
        projects=[*projects, ProjectConfig(id=90, path="elsewhere/app"), ProjectConfig(id=91, path=ALLOWING)],
        groups=groups,
        users=[
            *(User(name=name, roles=dict.fromkeys(everywhere, role)) for name, role in USERS.items()),
            User(name="admin", admin=True),
            User(name="stranger"),
        ],
        tokens=[token for token, _ in TOKENS.values()],
        forwarding="https://mirror.example/simple",
    )


SDIST = make_sdist(f"{CANARY}-demo", "1.0", headers=[("Summary", f"{CANARY} summary"), ("Author", f"{CANARY} author")])
DIGEST = hashlib.sha256(SDIST.data).hexdigest()
VARIANT = make_wheel(f"{CANARY}-demo", "1.0", variant=Variant(CANARY))
RELEASE = f"{CANARY}_demo-1.0"
VARIANTS = hashlib.sha256((verify(io.BytesIO(VARIANT.data), VARIANT.filename).variant or "").encode()).hexdigest()


def registry(*, projects: bool = True, packages: bool = True) -> Registry:
    """Make a registry whose projects of each visibility have a package, or none, or which has no such projects."""
    found = accounts(projects).registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())
    for id_ in VISIBILITIES.values() if projects and packages else ():
        for each in (SDIST, VARIANT):
            form = {"name": f"{CANARY}-demo", "version": "1.0", "content": (io.BytesIO(each.data), each.filename)}
            path = f"/projects/{id_}/packages/pypi"
            response = Client(found).post(path, data=form, headers=_basic(f"{SECRET}-owner"))
            assert response.status_code == 201, response.text
    return found


@dataclass(frozen=True)
class Case:
    """One request."""

    route: Route
    method: str
    visibility: Visibility

    def __str__(self) -> str:
        return f"{self.method} {self.route.path} {self.visibility}"

    @property
    def is_group(self) -> bool:
        return ":group" in self.route.path

    @property
    def path(self) -> str:
        id_ = VISIBILITIES[self.visibility]
        values = {"project": str(id_), "group": str(id_), "name": f"{CANARY}-demo", "sha256": DIGEST}
        values |= {"filename": SDIST.filename, "package_id": str(id_), "package_file_id": str(id_)}
        values |= {"release": RELEASE, "sha256": VARIANTS} if ":release" in self.route.path else {}
        return re.sub(r":(\w+)", lambda found: values[found[1]], self.route.path)

    def send(self, registry: Registry, caller: Caller, **headers: str) -> "Answer":
        body = {"json": {"yanked": True, "status": "archived"}} if self.method == "PATCH" else {}
        response = Client(registry).open(
            self.path,
            method=self.method,
            headers={**caller.headers, **headers},
            **body,  # type: ignore[arg-type]  # a dict of options
        )
        return Answer(response.status, tuple(sorted(response.headers)), response.data)


@dataclass(frozen=True)
class Answer:
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status.split()[0])

    @property
    def text(self) -> str:
        return f"{self.status} {self.headers} {self.body.decode('utf-8', 'replace')}"


CASES = [
    Case(route, method, visibility)
    for route, method, visibility in itertools.product(ROUTES, METHODS, VISIBILITIES)
    if method != "OPTIONS"  # it asks for the methods of a route, whatever is there
]
ACCEPTS = ("*/*", "text/html,application/xhtml+xml")  # a program, and a browser


@pytest.fixture(scope="module")
def filled() -> Registry:
    return registry()


@pytest.fixture(scope="module")
def empty() -> Registry:
    return registry(packages=False)


@pytest.fixture(scope="module")
def without() -> Registry:
    return registry(projects=False)


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_who_may_not_read_learns_nothing_of_packages(caller: Caller, filled: Registry, empty: Registry) -> None:
    tried = 0
    for case, accept in itertools.product(CASES, ACCEPTS):
        if case.visibility not in caller.reads:
            tried += 1
            found = case.send(filled, caller, Accept=accept)
            other = case.send(empty, caller, Accept=accept)
            if (found.code, other.code) == DEPENDENCY_CONFUSION and caller.is_job and case.is_group:
                continue
            assert found == other, f"{case}, {accept}"
            assert CANARY not in found.text.lower(), f"{case}, {accept}"
            assert found.code >= 400 or (case.is_group and caller.is_job), f"{case}, {accept}"
    assert tried or caller.reads == ALL


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_who_may_not_see_a_project_does_not_learn_that_it_is_there_beyond_gitlabs_table(
    caller: Caller, filled: Registry, without: Registry
) -> None:
    for case, accept in itertools.product(CASES, ACCEPTS):
        if case.visibility is not Visibility.PRIVATE or case.visibility in caller.reads:
            continue
        if case.is_group and caller.is_job:
            continue
        there, missing = case.send(filled, caller, Accept=accept), case.send(without, caller, Accept=accept)
        is_page = case.route.dialect is Dialect.PACKAGES and "html" in accept
        dialect = Dialect.PYPI if is_page else case.route.dialect  # a browser is asked for a password
        if there != missing:
            assert (there.code, missing.code) == GITLABS_TABLE.get((caller.name, dialect)), f"{case}, {accept}"


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_who_may_read_does(caller: Caller, filled: Registry) -> None:
    """Otherwise the tests above would hold for a registry that refuses everything."""
    tails = "/packages/pypi/simple/:name", "/packages/pypi/files/:sha256/:release-variants.json"
    for tail, visibility in itertools.product(tails, VISIBILITIES):
        route = next(route for route in ROUTES if route.path == f"/projects/:project{tail}")
        answer = Case(route, "GET", visibility).send(filled, caller)
        assert (answer.code == 200 and CANARY in answer.text) == (visibility in caller.reads), f"{visibility}"


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_an_entity_tag_of_another_caller_never_brings_a_304_to_who_may_not_read(
    caller: Caller, filled: Registry
) -> None:
    owner = next(each for each in CALLERS if each.name == "owner")
    for case, accept in itertools.product(CASES, ACCEPTS):
        if case.method not in ("GET", "HEAD"):
            continue
        tag = dict(case.send(filled, owner, Accept=accept).headers).get("ETag")
        for sent in filter(None, (tag, "*")):
            answer = case.send(filled, caller, Accept=accept, **{"If-None-Match": sent})
            if case.visibility not in caller.reads:
                assert answer.code >= 400 or (case.is_group and caller.is_job), f"{case}, {accept}"
                assert CANARY not in answer.text.lower(), f"{case}, {accept}"


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_a_shared_cache_may_store_only_what_everyone_may_read(caller: Caller, filled: Registry) -> None:
    for case, accept in itertools.product(CASES, ACCEPTS):
        if case.method not in ("GET", "HEAD"):
            continue
        answer = case.send(filled, caller, Accept=accept)
        headers = dict(answer.headers)
        policy = headers.get("Cache-Control", "")
        private = "private" in policy or "no-store" in policy
        is_known = caller.name not in ("anonymous", "unknown")  # an unknown token is none
        if case.visibility is not Visibility.PUBLIC or is_known or answer.code >= 400:
            assert private, f"{case}, {accept}: {answer.code} {policy!r}"
        assert "Authorization" in headers.get("Vary", ""), f"{case}, {accept}"


def test_no_secret_is_in_any_response_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    filled = registry()  # another one for each run: the owner's token deletes packages
    for caller, case in itertools.product(CALLERS, CASES):
        assert SECRET not in case.send(filled, caller).text.lower(), f"{caller}: {case}"
    assert SECRET not in caplog.text.lower()
    for each in (filled, accounts(True)):
        assert SECRET not in repr(each)
