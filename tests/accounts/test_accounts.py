import hashlib
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry._paths import id_from_path
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, TokenKind, User, wildcards
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal
from pypi_registry.directory import Ref
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.forwarding import PYPI, Forward
from pypi_registry.model import Group, Project, Visibility

# The directory

DIRECTORY = Accounts(
    projects=[
        ProjectConfig(id=1, path="Acme/tools", name="The tools", visibility=Visibility.PUBLIC),
        ProjectConfig(id=2, path="acme/libs/One", visibility=Visibility.INTERNAL),
        ProjectConfig(id=3, path="acme/libs/deep/er/two"),
        ProjectConfig(id=4, path="acme2/three"),
        ProjectConfig(id=5, path="acme/libs-old/four"),
    ],
    groups=[
        GroupConfig(id=1, path="acme", name="Acme", visibility=Visibility.INTERNAL),
        GroupConfig(path="acme/libs/deep", visibility=Visibility.PUBLIC),
        GroupConfig(id=99, path="Empty/Group"),
    ],
)


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (1, "Acme/tools"),
        (2, "acme/libs/One"),
        ("Acme/tools", "Acme/tools"),
        ("acme/tools", "Acme/tools"),
        ("ACME/TOOLS", "Acme/tools"),
        ("acme/libs/one", "acme/libs/One"),
        ("ACME/libs/deep/ER/two", "acme/libs/deep/er/two"),
    ],
)
def test_a_project_is_found_by_its_id_and_by_its_path_in_any_case(ref: Ref, path: str) -> None:
    project = DIRECTORY.project(ref)
    assert project is not None
    assert project.path == path


@pytest.mark.parametrize(
    "ref",
    [0, 6, 99, -1, "", "acme", "acme/libs", "tools", "acme/tool", "acme/tools/", "/acme/tools", "acme/tools/x", "1"],
)
def test_a_reference_to_no_project_returns_none(ref: Ref) -> None:
    assert DIRECTORY.project(ref) is None


def test_a_project_has_its_configured_name_and_visibility() -> None:
    assert DIRECTORY.project(1) == Project(1, "Acme/tools", "The tools", Visibility.PUBLIC)
    assert DIRECTORY.project(2) == Project(2, "acme/libs/One", "", Visibility.INTERNAL)
    assert DIRECTORY.project(3) == Project(3, "acme/libs/deep/er/two", "", Visibility.PRIVATE)


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (1, "acme"),
        (99, "Empty/Group"),
        ("acme", "acme"),
        ("ACME", "acme"),
        ("empty/group", "Empty/Group"),
        ("acme/libs/deep", "acme/libs/deep"),
        (id_from_path("acme/libs/deep"), "acme/libs/deep"),
        ("acme2", "acme2"),
        ("Acme2", "acme2"),
        (id_from_path("acme2"), "acme2"),
        ("acme/libs", "acme/libs"),
        (id_from_path("acme/libs"), "acme/libs"),
        ("acme/libs/deep/er", "acme/libs/deep/er"),
        ("Empty", "Empty"),
    ],
)
def test_a_group_is_found_by_its_id_and_by_its_path_in_any_case(ref: Ref, path: str) -> None:
    group = DIRECTORY.group(ref)
    assert group is not None
    assert group.path == path


@pytest.mark.parametrize(
    "ref", [0, 2, -1, "", "acme/tools", "acme/libs/one", "acme/", "/acme", "acm", "libs", "1", id_from_path("acme")]
)
def test_a_reference_to_no_group_returns_none(ref: Ref) -> None:
    assert DIRECTORY.group(ref) is None


def test_a_group_has_its_configured_name_and_visibility() -> None:
    assert DIRECTORY.group("acme") == Group(1, "acme", "Acme", Visibility.INTERNAL)
    id_ = id_from_path("acme/libs/deep")
    assert DIRECTORY.group("acme/libs/deep") == Group(id_, "acme/libs/deep", "", Visibility.PUBLIC)


@pytest.mark.parametrize("path", ["acme2", "acme/libs", "acme/libs/deep/er", "acme/libs-old", "Empty"])
def test_a_group_that_is_only_a_part_of_a_path_is_private_and_has_an_id_from_its_path(path: str) -> None:
    assert DIRECTORY.group(path) == Group(id_from_path(path), path, "", Visibility.PRIVATE)


@pytest.mark.parametrize(
    ("group", "projects"),
    [
        ("acme", ["Acme/tools", "acme/libs-old/four", "acme/libs/One", "acme/libs/deep/er/two"]),
        ("ACME", ["Acme/tools", "acme/libs-old/four", "acme/libs/One", "acme/libs/deep/er/two"]),
        ("acme/libs", ["acme/libs/One", "acme/libs/deep/er/two"]),
        ("acme/libs/deep", ["acme/libs/deep/er/two"]),
        ("acme/libs/deep/er", ["acme/libs/deep/er/two"]),
        ("acme2", ["acme2/three"]),
        ("acme/libs-old", ["acme/libs-old/four"]),
        ("Empty/Group", []),
        ("empty", []),
    ],
)
def test_a_group_contains_the_projects_below_it_at_any_depth(group: str, projects: list[str]) -> None:
    found = DIRECTORY.group(group)
    assert found is not None
    assert sorted(project.path for project in DIRECTORY.projects_in(found)) == projects


@pytest.mark.parametrize("path", ["unknown", "acme/tools", "acm"])
def test_a_group_that_does_not_exist_contains_nothing(path: str) -> None:
    assert list(DIRECTORY.projects_in(Group(1, path))) == []


def test_the_case_of_a_group_does_not_matter_for_its_projects() -> None:
    assert len(DIRECTORY.projects_in(Group(0, "ACME/Libs"))) == 2


@pytest.mark.parametrize("path", ["acme", "acme/libs", "Empty"])
def test_the_projects_of_a_group_are_the_same_object_at_each_call(path: str) -> None:
    assert DIRECTORY.projects_in(Group(0, path)) is DIRECTORY.projects_in(Group(0, path.upper()))


def test_groups_with_equal_projects_share_one_object() -> None:
    # Then what is computed for one of them is used for both.
    accounts = Accounts(projects=[ProjectConfig(id=1, path="acme/libs/one")])
    assert accounts.projects_in(Group(0, "acme")) is accounts.projects_in(Group(0, "acme/libs"))


@pytest.mark.parametrize("order", [1, -1], ids=["as declared", "backwards"])
def test_everything_below_a_root_group_has_the_same_root_in_any_case(order: int) -> None:
    # A name that was published anywhere below a root group is not forwarded from anywhere below it.
    projects = [ProjectConfig(id=1, path="Acme/tools"), ProjectConfig(id=2, path="acme/libs/one")]
    accounts = Accounts(projects=projects[::order], groups=[GroupConfig(path="ACME/libs")])
    found = [accounts.project(1), accounts.project(2), accounts.group("acme"), accounts.group("acme/libs")]
    assert len({namespace.root for namespace in found if namespace is not None}) == 1


def test_the_configuration_may_come_from_generators() -> None:
    def once(*configs: Any) -> Iterable[Any]:
        yield from configs

    secret = "s3cr3t"
    token = Token(sha256=hashlib.sha256(secret.encode()).hexdigest(), user="ada", scopes=frozenset({"api"}))
    accounts = Accounts(
        projects=once(ProjectConfig(id=1, path="acme/tools")),
        groups=once(GroupConfig(path="acme")),
        users=once(User(name="ada", roles={"acme": Role.OWNER})),
        tokens=once(token),
        reserved=once("acme-*"),
        forward_always=once("numpy"),
    )
    tools = accounts.project(1)
    assert tools is not None
    principal = accounts.authenticate(Credentials(AuthScheme.BASIC, secret), tools, {"REQUEST_METHOD": "GET"})
    assert principal.can(Ability.CREATE_PACKAGE, tools)
    for _ in range(2):
        assert accounts.forward_to(tools, NormalizedName("acme-x")) is None
        assert isinstance(accounts.forward_to(tools, NormalizedName("numpy")), Forward)


def test_changing_an_argument_later_has_no_effect() -> None:
    projects, reserved = [ProjectConfig(id=1, path="acme/tools")], ["acme-*"]
    accounts = Accounts(projects=projects, reserved=reserved)
    projects.clear()
    reserved.clear()
    tools = accounts.project("acme/tools")
    assert tools is not None
    assert accounts.forward_to(tools, NormalizedName("acme-x")) is None


# Tokens: which principal a request has

PAST, FUTURE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)

# Each principal may read one private project, by which the tests recognize it.
HOMES = ("ada", "puller", "pusher", "bob", "coder")

PERSONAL: dict[str, Any] = {"user": "ada", "scopes": frozenset({"api"})}
READ_API: dict[str, Any] = {"user": "ada", "scopes": frozenset({"read_api"})}
PULLER: dict[str, Any] = {
    "kind": TokenKind.DEPLOY,
    "path": "homes/puller",
    "scopes": frozenset({"read_package_registry"}),
}
PUSHER: dict[str, Any] = {
    "kind": TokenKind.DEPLOY,
    "path": "homes/pusher",
    "scopes": frozenset({"write_package_registry"}),
}
JOB: dict[str, Any] = {"kind": TokenKind.JOB, "user": "bob", "path": "homes/bob"}

TOKENS: dict[str, dict[str, Any]] = {
    "personal": PERSONAL,
    "personal-expires-later": PERSONAL | {"expires": FUTURE},
    "personal-both-scopes": PERSONAL | {"scopes": frozenset({"api", "read_api"})},
    "personal-read-api": READ_API,
    "personal-expired": PERSONAL | {"expires": PAST},
    "personal-revoked": PERSONAL | {"revoked": True},
    "personal-read-api-expired": READ_API | {"expires": PAST},
    "personal-read-api-revoked": READ_API | {"revoked": True},
    "pérsönàl-ß-日本": PERSONAL,
    "personal:with::colons:": PERSONAL,
    "personal-long-" + "x" * 10_000: PERSONAL,
    " personal with blanks ": PERSONAL,
    "deploy-read": PULLER,
    "deploy-write": PUSHER,
    "deploy-read-expires-later": PULLER | {"expires": FUTURE},
    "deploy-read-expired": PULLER | {"expires": PAST},
    "deploy-write-revoked": PUSHER | {"revoked": True},
    "job": JOB,
    "job-expires-later": JOB | {"expires": FUTURE},
    "job-expired": JOB | {"expires": PAST},
    "job-revoked": JOB | {"revoked": True},
}


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


HOLDERS = Accounts(
    projects=[ProjectConfig(id=id_, path=f"homes/{name}") for id_, name in enumerate(HOMES)],
    users=[
        User(name="ada", roles={"homes/ada": Role.DEVELOPER}),
        User(name="bob", roles={"homes/bob": Role.DEVELOPER}),
    ],
    tokens=[Token(sha256=sha256(secret), **settings) for secret, settings in TOKENS.items()],
)


def authenticate(credentials: Credentials | None, method: str) -> Principal:
    return HOLDERS.authenticate(credentials, None, {"REQUEST_METHOD": method})


def who(principal: Principal) -> str:
    """Return the homes that a principal may read, each with a star if it may publish there."""
    projects = [project for name in HOMES if (project := HOLDERS.project(f"homes/{name}"))]
    assert len(projects) == len(HOMES)
    homes = [
        project.path.removeprefix("homes/") + ("*" if principal.can(Ability.CREATE_PACKAGE, project) else "")
        for project in projects
        if principal.can(Ability.READ_PACKAGE, project)
    ]
    return "+".join(homes) or ("anonymous" if principal.anonymous else "known")


def outcome(scheme: AuthScheme, user: str, secret: str, method: str) -> str:
    try:
        principal = authenticate(Credentials(scheme, secret, user), method)
    except InvalidToken as error:
        return f"401 {error.reason}".rstrip()
    except InsufficientScope as error:
        return f"403 {error.scope}"
    return who(principal)


WAYS = {
    "Basic with any user": (AuthScheme.BASIC, "ada"),
    "Basic without a user": (AuthScheme.BASIC, ""),
    "Basic with gitlab-ci-token": (AuthScheme.BASIC, "gitlab-ci-token"),
    "Basic with GitLab-CI-Token": (AuthScheme.BASIC, "GitLab-CI-Token"),
    "Bearer": (AuthScheme.BEARER, ""),
    "PRIVATE-TOKEN": (AuthScheme.PRIVATE_TOKEN, ""),
    "DEPLOY-TOKEN": (AuthScheme.DEPLOY_TOKEN, ""),
    "JOB-TOKEN": (AuthScheme.JOB_TOKEN, ""),
}

# lib/gitlab/auth/auth_finders.rb: the result by Basic with gitlab-ci-token, by Basic with any other user, by Bearer,
# PRIVATE-TOKEN, DEPLOY-TOKEN, JOB-TOKEN.
Row = tuple[str, str, str, str, str, str]
ADA: Row = ("ada*", "ada*", "ada*", "ada*", "anonymous", "401")
EXPIRED: Row = ("401 expired", "401 expired", "401 expired", "401 expired", "anonymous", "401")
REVOKED: Row = ("401 revoked", "401 revoked", "401 revoked", "401 revoked", "anonymous", "401")
UNKNOWN: Row = ("401", "anonymous", "401", "401", "anonymous", "401")
ANYONE: Row = ("anonymous", "anonymous", "anonymous", "anonymous", "anonymous", "anonymous")
PULLED: Row = ("puller", "puller", "401", "401", "puller", "401")
PUSHED: Row = ("pusher*", "pusher*", "401", "401", "pusher*", "401")
BOB: Row = ("bob*", "anonymous", "bob*", "401", "anonymous", "bob*")

KINDS: dict[str, tuple[str, Row]] = {
    "personal": ("personal", ADA),
    "personal that expires later": ("personal-expires-later", ADA),
    "personal with api and read_api": ("personal-both-scopes", ADA),
    "personal with read_api": ("personal-read-api", ADA),
    "expired personal": ("personal-expired", EXPIRED),
    "revoked personal": ("personal-revoked", REVOKED),
    "expired personal with read_api": ("personal-read-api-expired", EXPIRED),
    "revoked personal with read_api": ("personal-read-api-revoked", REVOKED),
    "personal beyond ASCII": ("pérsönàl-ß-日本", ADA),
    "personal with colons": ("personal:with::colons:", ADA),
    "personal of 10 kB": ("personal-long-" + "x" * 10_000, ADA),
    "personal with blanks": (" personal with blanks ", ADA),
    "deploy that reads": ("deploy-read", PULLED),
    "deploy that writes": ("deploy-write", PUSHED),
    "deploy that expires later": ("deploy-read-expires-later", PULLED),
    "expired deploy": ("deploy-read-expired", UNKNOWN),
    "revoked deploy": ("deploy-write-revoked", UNKNOWN),
    "job": ("job", BOB),
    "job that expires later": ("job-expires-later", BOB),
    "expired job": ("job-expired", UNKNOWN),
    "revoked job": ("job-revoked", UNKNOWN),
    "unknown": ("no-such-secret", UNKNOWN),
    "unknown of 10 kB": ("x" * 10_000, UNKNOWN),
    "unknown beyond ASCII": ("pérsönàl", UNKNOWN),
    "unknown with NUL": ("personal\0", UNKNOWN),
    "unknown with a lone surrogate": ("personal\udc80", UNKNOWN),
    "unknown with colons": ("ada:personal", UNKNOWN),
    "the digest of a secret": (sha256("personal"), UNKNOWN),
    "a secret in another case": ("PERSONAL", UNKNOWN),
    "a secret with a blank at its end": ("personal ", UNKNOWN),
    "the beginning of a secret": ("persona", UNKNOWN),
    "the name of a user": ("ada", UNKNOWN),
    "empty": ("", ANYONE),
}
READING, WRITING = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")


def expected(kind: str, way: str, method: str) -> str:
    ci, basic, bearer, private_token, deploy_token, job_token = KINDS[kind][1]
    columns = {
        "Basic with gitlab-ci-token": ci,
        "Bearer": bearer,
        "PRIVATE-TOKEN": private_token,
        "DEPLOY-TOKEN": deploy_token,
        "JOB-TOKEN": job_token,
    }
    answer = columns.get(way, basic)
    if kind == "personal with read_api" and method in WRITING and answer == "ada*":
        return "403 api"  # GitLab's manual: read_api is for reading only, whatever its user may do
    return answer


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", KINDS)
def test_which_principal_a_request_has(kind: str, method: str) -> None:
    found = {way: outcome(*WAYS[way], KINDS[kind][0], method) for way in WAYS}
    assert found == {way: expected(kind, way, method) for way in WAYS}


@pytest.mark.parametrize("method", [*READING, *WRITING])
@pytest.mark.parametrize("kind", ["personal", "personal with read_api", "deploy that reads", "job"])
def test_every_method_except_get_and_head_writes(kind: str, method: str) -> None:
    way = "Basic with gitlab-ci-token"
    assert outcome(*WAYS[way], KINDS[kind][0], method) == expected(kind, way, method)


@pytest.mark.parametrize("method", [*READING, *WRITING])
def test_a_request_without_credentials_is_anonymous(method: str) -> None:
    principal = authenticate(None, method)
    assert principal.anonymous
    assert who(principal) == "anonymous"


@pytest.mark.parametrize("secret", ["personal", "deploy-read", "deploy-write"])
def test_the_holder_of_a_token_is_not_anonymous(secret: str) -> None:
    assert not authenticate(Credentials(AuthScheme.BASIC, secret), "GET").anonymous


def test_a_job_is_not_anonymous() -> None:
    assert not authenticate(Credentials(AuthScheme.BASIC, "job", "gitlab-ci-token"), "GET").anonymous


def test_a_digest_in_upper_case_matches_the_same_secret() -> None:
    token = Token(sha256=sha256("s3cr3t").upper(), user="ada", scopes=frozenset({"api"}))
    accounts = Accounts(users=[User(name="ada")], tokens=[token])
    credentials = Credentials(AuthScheme.BASIC, "s3cr3t")
    assert not accounts.authenticate(credentials, None, {"REQUEST_METHOD": "GET"}).anonymous


def test_an_empty_secret_is_anonymous_even_if_a_token_has_its_digest() -> None:
    token = Token(sha256=sha256(""), user="ada", scopes=frozenset({"api"}))
    accounts = Accounts(users=[User(name="ada", admin=True)], tokens=[token])
    for scheme, user in itertools.product(AuthScheme, ["", "ada", "gitlab-ci-token"]):
        assert accounts.authenticate(Credentials(scheme, "", user), None, {"REQUEST_METHOD": "GET"}).anonymous


@pytest.mark.parametrize("secret", [secret for secret in TOKENS if len(secret) > 8])
def test_no_repr_shows_a_secret(secret: str) -> None:
    credentials = Credentials(AuthScheme.BASIC, secret, "gitlab-ci-token")
    shown = [repr(HOLDERS), repr(credentials), str(credentials)]
    try:
        shown.append(repr(authenticate(credentials, "POST")))
    except (InvalidToken, InsufficientScope) as error:
        shown += [repr(error), str(error), repr(error.args)]
    assert len(shown) > 3
    assert not [text for text in shown if secret in text]


# Forwarding

MIRROR, OTHER = "https://mirror.example/simple/", "https://other.example/simple/"

# Three root groups; acme has projects of its own, in libs, and in libs/deep.
PROJECTS = ["acme/app", "acme/libs/one", "acme/libs/deep/two", "acme/tools/three", "acme2/four", "other/five"]

Settings = dict[str, dict[str, Any]]


def forwarder(groups: Settings, **top: Any) -> Accounts:
    return Accounts(
        projects=[ProjectConfig(id=id_, path=path) for id_, path in enumerate(PROJECTS)],
        groups=[GroupConfig(path=path, **settings) for path, settings in groups.items()],
        **top,
    )


def forwarded(accounts: Accounts, where: str, name: str) -> str | Forward | None:
    namespace = accounts.project(where) or accounts.group(where)
    assert namespace is not None
    return accounts.forward_to(namespace, NormalizedName(name))


EVERYWHERE = [*PROJECTS, "acme", "acme/libs", "acme/libs/deep", "acme/tools", "acme2", "other"]
BELOW_LIBS = ["acme/libs", "acme/libs/one", "acme/libs/deep", "acme/libs/deep/two"]
BELOW_DEEP = ["acme/libs/deep", "acme/libs/deep/two"]
BELOW_ACME = [where for where in EVERYWHERE if where == "acme" or where.startswith("acme/")]

# The settings of all, those of groups, the index of the paths that a setting affects, these paths, the index of others.
CHOICES: dict[str, tuple[dict[str, Any], Settings, str | None, list[str], str | None]] = {
    "defaults": ({}, {}, PYPI, EVERYWHERE, PYPI),
    "on": ({"forwarding": True}, {}, PYPI, EVERYWHERE, PYPI),
    "off": ({"forwarding": False}, {}, None, EVERYWHERE, None),
    "a mirror": ({"forwarding": MIRROR}, {}, MIRROR, EVERYWHERE, MIRROR),
    "off in a group": ({}, {"acme": {"forward": False}}, None, BELOW_ACME, PYPI),
    "off in a group, in another case": ({}, {"ACME": {"forward": False}}, None, BELOW_ACME, PYPI),
    "off in a group below": ({}, {"acme/libs": {"forward": False}}, None, BELOW_LIBS, PYPI),
    "off in a group, with a mirror": (
        {"forwarding": MIRROR},
        {"acme": {"forward": False}},
        None,
        BELOW_ACME,
        MIRROR,
    ),
    "on in a group only": ({"forwarding": False}, {"acme": {"forward": True}}, PYPI, BELOW_ACME, None),
    "another mirror in a group": (
        {"forwarding": MIRROR},
        {"acme": {"forward": OTHER}},
        OTHER,
        BELOW_ACME,
        MIRROR,
    ),
    "a mirror in a group, off elsewhere": (
        {"forwarding": False},
        {"acme/libs/deep": {"forward": MIRROR}},
        MIRROR,
        BELOW_DEEP,
        None,
    ),
    # In a group, true means the index of the registry, or PyPI if the registry forwards nothing.
    "on in a group, with a mirror": ({"forwarding": MIRROR}, {"acme": {"forward": True}}, MIRROR, BELOW_ACME, MIRROR),
    "a group without a setting": ({"forwarding": MIRROR}, {"acme": {}}, MIRROR, BELOW_ACME, MIRROR),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_setting_of_a_group_holds_for_everything_below(name: str) -> None:
    top, groups, index, paths, elsewhere = CHOICES[name]
    accounts = forwarder(groups, **top)
    answers = {where: forwarded(accounts, where, "demo") for where in EVERYWHERE}
    assert answers == {where: index if where in paths else elsewhere for where in EVERYWHERE}
    assert not [answer for answer in answers.values() if isinstance(answer, Forward)]


# The settings of acme, acme/libs and acme/libs/deep, and the index to which acme/libs/deep/two forwards.
@pytest.mark.parametrize(
    ("acme", "libs", "deep", "index"),
    [
        (False, None, None, None),
        (False, MIRROR, None, MIRROR),
        (False, MIRROR, False, None),
        (False, MIRROR, OTHER, OTHER),
        (False, True, None, PYPI),
        (False, True, False, None),
        (MIRROR, None, None, MIRROR),
        (MIRROR, False, None, None),
        (MIRROR, False, OTHER, OTHER),
        (MIRROR, None, False, None),
        (MIRROR, True, None, PYPI),
        (True, False, True, PYPI),
        (None, None, False, None),
        (None, OTHER, None, OTHER),
        (None, None, None, PYPI),
    ],
)
def test_the_setting_of_the_deepest_group_wins(
    acme: bool | str | None, libs: bool | str | None, deep: bool | str | None, index: str | None
) -> None:
    # Declared from the inside out, to show that the order does not matter.
    groups: Settings = {
        "acme/libs/deep": {"forward": deep},
        "acme/libs": {"forward": libs},
        "acme": {"forward": acme},
    }
    accounts = forwarder(groups)
    assert forwarded(accounts, "acme/libs/deep/two", "demo") == index
    assert forwarded(accounts, "acme/libs/deep", "demo") == index


# The settings of all, those of groups, the paths from which acme-x is not forwarded.
RESERVED: dict[str, tuple[dict[str, Any], Settings, list[str]]] = {
    "nowhere": ({}, {}, []),
    "everywhere": ({"reserved": ["acme-*"]}, {}, EVERYWHERE),
    "everywhere, without a wildcard": ({"reserved": ["acme-x"]}, {}, EVERYWHERE),
    "everywhere, in another spelling": ({"reserved": ["Acme__X"]}, {}, EVERYWHERE),
    "everywhere, as one of many": ({"reserved": ["a", "acme-*", "b"]}, {}, EVERYWHERE),
    "in a root group": ({}, {"acme": {"reserved": ("acme-*",)}}, BELOW_ACME),
    "in a root group, in another spelling": ({}, {"AcMe": {"reserved": ("ACME.*",)}}, BELOW_ACME),
    # The page of acme shows the projects of libs, so the names that libs reserves are reserved there, too.
    "in a group below": ({}, {"acme/libs": {"reserved": ("acme-*",)}}, [*BELOW_LIBS, "acme"]),
    "in a group far below": ({}, {"acme/libs/deep": {"reserved": ("acme-*",)}}, [*BELOW_DEEP, "acme/libs", "acme"]),
    "in two groups": (
        {},
        {"acme/tools": {"reserved": ("acme-*",)}, "acme/libs/deep": {"reserved": ("acme-*",)}},
        [*BELOW_DEEP, "acme/libs", "acme", "acme/tools", "acme/tools/three"],
    ),
    "in a root group, with another name in a group below": (
        {},
        {"acme": {"reserved": ("acme-*",)}, "acme/libs": {"reserved": ("other",)}},
        BELOW_ACME,
    ),
    "another name": ({"reserved": ["acme", "acme-y*", "x"]}, {"acme": {"reserved": ("y",)}}, []),
}


@pytest.mark.parametrize("rule", RESERVED)
def test_a_reserved_name_is_never_forwarded(rule: str) -> None:
    top, groups, paths = RESERVED[rule]
    accounts = forwarder(groups, forwarding=MIRROR, **top)
    answers = {where: forwarded(accounts, where, "acme-x") for where in EVERYWHERE}
    assert answers == {where: None if where in paths else MIRROR for where in EVERYWHERE}
    assert {forwarded(accounts, where, "numpy") for where in EVERYWHERE} == {MIRROR}


@pytest.mark.parametrize("rule", [rule for rule in RESERVED if RESERVED[rule][2]])
def test_a_reserved_name_is_not_forwarded_even_if_another_setting_always_forwards_it(rule: str) -> None:
    top, groups, paths = RESERVED[rule]
    always = {path: {**groups.get(path, {}), "forward_always": ("*",)} for path in {*groups, "other"}}
    accounts = forwarder(always, forwarding=MIRROR, forward_always=["acme-*"], **top)
    answers = {where: forwarded(accounts, where, "acme-x") for where in EVERYWHERE}
    assert {where for where, answer in answers.items() if answer is None} == set(paths)
    assert {where for where, answer in answers.items() if isinstance(answer, Forward)} == {*EVERYWHERE} - {*paths}


# The settings of all, those of groups, the paths from which numpy is always forwarded.
FORWARDED_ALWAYS: dict[str, tuple[dict[str, Any], Settings, list[str]]] = {
    "nowhere": ({}, {}, []),
    "everywhere": ({"forward_always": ["numpy"]}, {}, EVERYWHERE),
    "everywhere, by a pattern": ({"forward_always": ["x", "Num*"]}, {}, EVERYWHERE),
    "in a root group": ({}, {"acme": {"forward_always": ("numpy",)}}, BELOW_ACME),
    "in a root group, in another spelling": ({}, {"ACME": {"forward_always": ("NUMPY",)}}, BELOW_ACME),
    # The setting does not hold for the groups that contain the group.
    "in a group below": ({}, {"acme/libs": {"forward_always": ("numpy",)}}, BELOW_LIBS),
    "in a root group, with another name in a group below": (
        {},
        {"acme": {"forward_always": ("numpy",)}, "acme/libs": {"forward_always": ("other",)}},
        BELOW_ACME,
    ),
    "another name": ({"forward_always": ["num"]}, {"acme": {"forward_always": ("numpy-*",)}}, []),
}


@pytest.mark.parametrize("index", [PYPI, MIRROR], ids=["PyPI", "a mirror"])
@pytest.mark.parametrize("rule", FORWARDED_ALWAYS)
def test_forward_always_forwards_a_name_that_was_published_here(rule: str, index: str) -> None:
    top, groups, paths = FORWARDED_ALWAYS[rule]
    accounts = forwarder(groups, forwarding=index, **top)
    answers = {where: forwarded(accounts, where, "numpy") for where in EVERYWHERE}
    always = Forward(index, even_if_published=True)
    assert answers == {where: always if where in paths else index for where in EVERYWHERE}
    assert not [where for where in EVERYWHERE if isinstance(forwarded(accounts, where, "scipy"), Forward)]


def test_forward_always_forwards_nothing_where_forwarding_is_off() -> None:
    accounts = forwarder({"acme": {"forward_always": ("numpy",)}}, forwarding=False, forward_always=["numpy"])
    assert {forwarded(accounts, where, "numpy") for where in EVERYWHERE} == {None}


def test_forward_always_uses_the_index_of_the_group() -> None:
    accounts = forwarder({"acme": {"forward": OTHER}}, forwarding=MIRROR, forward_always=["numpy"])
    assert forwarded(accounts, "acme/libs/one", "numpy") == Forward(OTHER, even_if_published=True)


def test_the_limit_of_a_file_is_an_attribute() -> None:
    assert Accounts(max_file_size=1234).max_file_size == 1234
    assert Accounts().max_file_size == 3 * 1024**3


def test_forwarding_does_not_scan_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {f"acme/group-{position}": {"reserved": (f"name-{position}-*",)} for position in range(1000)}
    accounts = forwarder(groups, forwarding=MIRROR)
    matched = []
    monkeypatch.setattr(wildcards, "_rest_matches", lambda *arguments: matched.append(arguments))
    assert forwarded(accounts, "acme", "name-777-x") == MIRROR  # since no pattern is compared now
    assert len(matched) == 1
