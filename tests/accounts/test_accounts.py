import hashlib
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry import PYPI
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, TokenKind, User
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal
from pypi_registry.directory import Ref, id_from_path
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.forwarding import Forward
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
def test_a_project_is_found_by_its_number_and_by_its_path_in_any_case(ref: Ref, path: str) -> None:
    project = DIRECTORY.project(ref)
    assert project is not None
    assert project.path == path


@pytest.mark.parametrize(
    "ref",
    [0, 6, 99, -1, "", "acme", "acme/libs", "tools", "acme/tool", "acme/tools/", "/acme/tools", "acme/tools/x", "1"],
)
def test_what_is_no_project_is_not_found(ref: Ref) -> None:
    assert DIRECTORY.project(ref) is None


def test_a_project_has_what_was_declared_of_it() -> None:
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
def test_a_group_is_found_by_its_number_and_by_its_path_in_any_case(ref: Ref, path: str) -> None:
    group = DIRECTORY.group(ref)
    assert group is not None
    assert group.path == path


@pytest.mark.parametrize(
    "ref", [0, 2, -1, "", "acme/tools", "acme/libs/one", "acme/", "/acme", "acm", "libs", "1", id_from_path("acme")]
)
def test_what_is_no_group_is_not_found(ref: Ref) -> None:
    assert DIRECTORY.group(ref) is None


def test_a_group_has_what_was_declared_of_it() -> None:
    assert DIRECTORY.group("acme") == Group(1, "acme", "Acme", Visibility.INTERNAL)
    number = id_from_path("acme/libs/deep")
    assert DIRECTORY.group("acme/libs/deep") == Group(number, "acme/libs/deep", "", Visibility.PUBLIC)


@pytest.mark.parametrize("path", ["acme2", "acme/libs", "acme/libs/deep/er", "acme/libs-old", "Empty"])
def test_a_group_that_is_only_a_part_of_a_path_is_private_and_has_a_number_of_its_own(path: str) -> None:
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
def test_a_group_holds_what_is_below_it_however_deep(group: str, projects: list[str]) -> None:
    found = DIRECTORY.group(group)
    assert found is not None
    assert sorted(project.path for project in DIRECTORY.projects_in(found)) == projects


@pytest.mark.parametrize("path", ["nobody", "acme/tools", "acm"])
def test_a_group_that_is_not_here_holds_nothing(path: str) -> None:
    assert list(DIRECTORY.projects_in(Group(1, path))) == []


def test_a_group_may_be_asked_for_in_any_case() -> None:
    assert len(DIRECTORY.projects_in(Group(0, "ACME/Libs"))) == 2


def test_nobody_can_change_what_a_group_holds() -> None:
    assert isinstance(DIRECTORY.projects_in(Group(0, "acme/libs")), tuple)


@pytest.mark.parametrize("order", [1, -1], ids=["as declared", "backwards"])
def test_all_places_below_a_root_group_agree_on_it_whatever_their_case(order: int) -> None:
    # What was published anywhere below a root group is not forwarded from anywhere below it, so they must agree.
    projects = [ProjectConfig(id=1, path="Acme/tools"), ProjectConfig(id=2, path="acme/libs/one")]
    accounts = Accounts(projects=projects[::order], groups=[GroupConfig(path="ACME/libs")])
    places = [accounts.project(1), accounts.project(2), accounts.group("acme"), accounts.group("acme/libs")]
    assert len({place.root for place in places if place is not None}) == 1


def test_an_entry_is_what_was_declared_of_a_project() -> None:
    entry = ProjectConfig(id=1, path="acme/tools", job_token_allowlist=("acme/deploy",))
    accounts = Accounts(projects=[entry])
    project = accounts.project(1)
    assert project is not None
    assert accounts.entry(project) == entry


def test_entries_may_come_from_generators() -> None:
    def once(*entries: Any) -> Iterable[Any]:
        yield from entries

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
    principal = accounts.authenticate(Credentials(AuthScheme.BASIC, secret), {"REQUEST_METHOD": "GET"})
    assert principal.can(Ability.CREATE_PACKAGE, tools)
    for _ in range(2):
        assert accounts.forward_to(tools, NormalizedName("acme-x")) is None
        assert isinstance(accounts.forward_to(tools, NormalizedName("numpy")), Forward)


def test_what_was_given_may_be_changed_later_without_effect() -> None:
    projects, reserved = [ProjectConfig(id=1, path="acme/tools")], ["acme-*"]
    accounts = Accounts(projects=projects, reserved=reserved)
    projects.clear()
    reserved.clear()
    tools = accounts.project("acme/tools")
    assert tools is not None
    assert accounts.forward_to(tools, NormalizedName("acme-x")) is None


# Tokens: who somebody is

PAST, FUTURE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)

# Everybody may read a private project of their own, by which they are known.
HOMES = ("ada", "puller", "pusher", "bob", "coder")

PERSONAL: dict[str, Any] = {"user": "ada", "scopes": frozenset({"api"})}
READ_API: dict[str, Any] = {"user": "ada", "scopes": frozenset({"read_api"})}
PULLER: dict[str, Any] = {
    "kind": TokenKind.DEPLOY,
    "on": "homes/puller",
    "scopes": frozenset({"read_package_registry"}),
}
PUSHER: dict[str, Any] = {
    "kind": TokenKind.DEPLOY,
    "on": "homes/pusher",
    "scopes": frozenset({"write_package_registry"}),
}
JOB: dict[str, Any] = {"kind": TokenKind.JOB, "user": "bob", "on": "homes/bob"}

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
    projects=[ProjectConfig(id=number, path=f"homes/{name}") for number, name in enumerate(HOMES)],
    users=[
        User(name="ada", roles={"homes/ada": Role.DEVELOPER}),
        User(name="bob", roles={"homes/bob": Role.DEVELOPER}),
    ],
    tokens=[Token(sha256=sha256(secret), **settings) for secret, settings in TOKENS.items()],
)


def authenticate(credentials: Credentials | None, method: str) -> Principal:
    return HOLDERS.authenticate(credentials, {"REQUEST_METHOD": method})


def who(principal: Principal) -> str:
    """Name a principal by the homes that it may read, each with a star if it may publish there."""
    projects = [project for name in HOMES if (project := HOLDERS.project(f"homes/{name}"))]
    assert len(projects) == len(HOMES)
    homes = [
        project.path.removeprefix("homes/") + ("*" if principal.can(Ability.CREATE_PACKAGE, project) else "")
        for project in projects
        if principal.can(Ability.READ_PACKAGE, project)
    ]
    return "+".join(homes) or ("nobody" if principal.anonymous else "somebody")


def outcome(presented: AuthScheme, user: str, secret: str, method: str) -> str:
    try:
        principal = authenticate(Credentials(presented, secret, user), method)
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

# GitLab's table (section "Authentication" of the reference): by Basic with gitlab-ci-token, by Basic with any other
# user, by Bearer, PRIVATE-TOKEN, DEPLOY-TOKEN, JOB-TOKEN.
Row = tuple[str, str, str, str, str, str]
ADA: Row = ("ada*", "ada*", "ada*", "ada*", "nobody", "401")
EXPIRED: Row = ("401 expired", "401 expired", "401 expired", "401 expired", "nobody", "401")
REVOKED: Row = ("401 revoked", "401 revoked", "401 revoked", "401 revoked", "nobody", "401")
UNKNOWN: Row = ("401", "nobody", "401", "401", "nobody", "401")
ANYONE: Row = ("nobody", "nobody", "nobody", "nobody", "nobody", "nobody")
PULLED: Row = ("puller", "puller", "401", "401", "puller", "401")
PUSHED: Row = ("pusher*", "pusher*", "401", "401", "pusher*", "401")
BOB: Row = ("bob*", "nobody", "bob*", "401", "nobody", "bob*")

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
    "a secret with a blank more": ("personal ", UNKNOWN),
    "the beginning of a secret": ("persona", UNKNOWN),
    "a name of a user": ("ada", UNKNOWN),
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
def test_who_a_request_is_from(kind: str, method: str) -> None:
    found = {way: outcome(*WAYS[way], KINDS[kind][0], method) for way in WAYS}
    assert found == {way: expected(kind, way, method) for way in WAYS}


@pytest.mark.parametrize("method", [*READING, *WRITING])
@pytest.mark.parametrize("kind", ["personal", "personal with read_api", "deploy that reads", "job"])
def test_every_method_but_get_and_head_writes(kind: str, method: str) -> None:
    way = "Basic with gitlab-ci-token"
    assert outcome(*WAYS[way], KINDS[kind][0], method) == expected(kind, way, method)


@pytest.mark.parametrize("method", [*READING, *WRITING])
def test_a_request_without_credentials_is_from_nobody(method: str) -> None:
    principal = authenticate(None, method)
    assert principal.anonymous
    assert who(principal) == "nobody"


@pytest.mark.parametrize("secret", ["personal", "deploy-read", "deploy-write"])
def test_somebody_with_a_token_is_not_anonymous_even_where_they_may_do_nothing(secret: str) -> None:
    assert not authenticate(Credentials(AuthScheme.BASIC, secret), "GET").anonymous


def test_a_job_is_not_anonymous() -> None:
    assert not authenticate(Credentials(AuthScheme.BASIC, "job", "gitlab-ci-token"), "GET").anonymous


def test_a_digest_in_capitals_is_of_the_same_secret() -> None:
    token = Token(sha256=sha256("s3cr3t").upper(), user="ada", scopes=frozenset({"api"}))
    accounts = Accounts(users=[User(name="ada")], tokens=[token])
    assert not accounts.authenticate(Credentials(AuthScheme.BASIC, "s3cr3t"), {"REQUEST_METHOD": "GET"}).anonymous


def test_nobody_holds_the_digest_of_an_empty_secret() -> None:
    token = Token(sha256=sha256(""), user="ada", scopes=frozenset({"api"}))
    accounts = Accounts(users=[User(name="ada", admin=True)], tokens=[token])
    for presented, user in itertools.product(AuthScheme, ["", "ada", "gitlab-ci-token"]):
        assert accounts.authenticate(Credentials(presented, "", user), {"REQUEST_METHOD": "GET"}).anonymous


@pytest.mark.parametrize("secret", [secret for secret in TOKENS if len(secret) > 6])
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
        projects=[ProjectConfig(id=number, path=path) for number, path in enumerate(PROJECTS)],
        groups=[GroupConfig(path=path, **settings) for path, settings in groups.items()],
        **top,
    )


def forwarded(accounts: Accounts, where: str, name: str) -> str | None:
    place = accounts.project(where) or accounts.group(where)
    assert place is not None
    return accounts.forward_to(place, NormalizedName(name))


EVERYWHERE = [*PROJECTS, "acme", "acme/libs", "acme/libs/deep", "acme/tools", "acme2", "other"]
BELOW_LIBS = ["acme/libs", "acme/libs/one", "acme/libs/deep", "acme/libs/deep/two"]
BELOW_DEEP = ["acme/libs/deep", "acme/libs/deep/two"]
BELOW_ACME = [where for where in EVERYWHERE if where == "acme" or where.startswith("acme/")]

# top level, groups, index of places that a rule speaks of, those places, index of all others
CHOICES: dict[str, tuple[dict[str, Any], Settings, str | None, list[str], str | None]] = {
    "nothing said": ({}, {}, PYPI, EVERYWHERE, PYPI),
    "on": ({"forward_to": True}, {}, PYPI, EVERYWHERE, PYPI),
    "off": ({"forward_to": False}, {}, None, EVERYWHERE, None),
    "a mirror": ({"forward_to": MIRROR}, {}, MIRROR, EVERYWHERE, MIRROR),
    "off in a group": ({}, {"acme": {"forward": False}}, None, BELOW_ACME, PYPI),
    "off in a group, spelled otherwise": ({}, {"ACME": {"forward": False}}, None, BELOW_ACME, PYPI),
    "off in a group below": ({}, {"acme/libs": {"forward": False}}, None, BELOW_LIBS, PYPI),
    "off in a group, with a mirror": (
        {"forward_to": MIRROR},
        {"acme": {"forward": False}},
        None,
        BELOW_ACME,
        MIRROR,
    ),
    "on in a group only": ({"forward_to": False}, {"acme": {"forward": True}}, PYPI, BELOW_ACME, None),
    "another mirror in a group": (
        {"forward_to": MIRROR},
        {"acme": {"forward": OTHER}},
        OTHER,
        BELOW_ACME,
        MIRROR,
    ),
    "a mirror in a group, off elsewhere": (
        {"forward_to": False},
        {"acme/libs/deep": {"forward": MIRROR}},
        MIRROR,
        BELOW_DEEP,
        None,
    ),
    # In a group, true is the registry's own index, or the public one if the registry has none.
    "on in a group, with a mirror": ({"forward_to": MIRROR}, {"acme": {"forward": True}}, MIRROR, BELOW_ACME, MIRROR),
    "a group that says nothing": ({"forward_to": MIRROR}, {"acme": {}}, MIRROR, BELOW_ACME, MIRROR),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_group_decides_for_itself_and_for_all_below(name: str) -> None:
    top, groups, index, places, elsewhere = CHOICES[name]
    accounts = forwarder(groups, **top)
    answers = {where: forwarded(accounts, where, "demo") for where in EVERYWHERE}
    assert answers == {where: index if where in places else elsewhere for where in EVERYWHERE}
    assert not [answer for answer in answers.values() if isinstance(answer, Forward)]


# What acme, acme/libs and acme/libs/deep say, and where acme/libs/deep/two is forwarded to.
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
def test_the_deepest_group_that_says_anything_wins(
    acme: bool | str | None, libs: bool | str | None, deep: bool | str | None, index: str | None
) -> None:
    # Declared from the inside out, so that the order in the file is not what decides.
    groups: Settings = {
        "acme/libs/deep": {"forward": deep},
        "acme/libs": {"forward": libs},
        "acme": {"forward": acme},
    }
    accounts = forwarder(groups)
    assert forwarded(accounts, "acme/libs/deep/two", "demo") == index
    assert forwarded(accounts, "acme/libs/deep", "demo") == index


# top level, groups, the places from which acme-x is not forwarded
RESERVED: dict[str, tuple[dict[str, Any], Settings, list[str]]] = {
    "nowhere": ({}, {}, []),
    "everywhere": ({"reserved": ["acme-*"]}, {}, EVERYWHERE),
    "everywhere, to the letter": ({"reserved": ["acme-x"]}, {}, EVERYWHERE),
    "everywhere, spelled otherwise": ({"reserved": ["Acme__X"]}, {}, EVERYWHERE),
    "everywhere, as one of many": ({"reserved": ["a", "acme-*", "b"]}, {}, EVERYWHERE),
    "in a root group": ({}, {"acme": {"reserved": ("acme-*",)}}, BELOW_ACME),
    "in a root group, spelled otherwise": ({}, {"AcMe": {"reserved": ("ACME.*",)}}, BELOW_ACME),
    # The page of acme shows the projects of libs, so what libs keeps for itself is kept there too.
    "in a group below": ({}, {"acme/libs": {"reserved": ("acme-*",)}}, [*BELOW_LIBS, "acme"]),
    "in a group far below": ({}, {"acme/libs/deep": {"reserved": ("acme-*",)}}, [*BELOW_DEEP, "acme/libs", "acme"]),
    "in two groups": (
        {},
        {"acme/tools": {"reserved": ("acme-*",)}, "acme/libs/deep": {"reserved": ("acme-*",)}},
        [*BELOW_DEEP, "acme/libs", "acme", "acme/tools", "acme/tools/three"],
    ),
    "another name": ({"reserved": ["acme", "acme-y*", "x"]}, {"acme": {"reserved": ("y",)}}, []),
}


@pytest.mark.parametrize("rule", RESERVED)
def test_a_reserved_name_is_never_forwarded(rule: str) -> None:
    top, groups, places = RESERVED[rule]
    accounts = forwarder(groups, forward_to=MIRROR, **top)
    answers = {where: forwarded(accounts, where, "acme-x") for where in EVERYWHERE}
    assert answers == {where: None if where in places else MIRROR for where in EVERYWHERE}
    assert {forwarded(accounts, where, "numpy") for where in EVERYWHERE} == {MIRROR}


@pytest.mark.parametrize("rule", [rule for rule in RESERVED if RESERVED[rule][2]])
def test_reserving_beats_releasing_at_every_level(rule: str) -> None:
    top, groups, places = RESERVED[rule]
    released = {path: {**groups.get(path, {}), "forward_always": ("*",)} for path in {*groups, "other"}}
    accounts = forwarder(released, forward_to=MIRROR, forward_always=["acme-*"], **top)
    answers = {where: forwarded(accounts, where, "acme-x") for where in EVERYWHERE}
    assert {where for where, answer in answers.items() if answer is None} == set(places)
    assert {where for where, answer in answers.items() if isinstance(answer, Forward)} == {*EVERYWHERE} - {*places}


# top level, groups, the places for which numpy is released
RELEASED: dict[str, tuple[dict[str, Any], Settings, list[str]]] = {
    "nowhere": ({}, {}, []),
    "everywhere": ({"forward_always": ["numpy"]}, {}, EVERYWHERE),
    "everywhere, by a pattern": ({"forward_always": ["x", "Num*"]}, {}, EVERYWHERE),
    "in a root group": ({}, {"acme": {"forward_always": ("numpy",)}}, BELOW_ACME),
    "in a root group, spelled otherwise": ({}, {"ACME": {"forward_always": ("NUMPY",)}}, BELOW_ACME),
    # A group does not release a name for the groups around it.
    "in a group below": ({}, {"acme/libs": {"forward_always": ("numpy",)}}, BELOW_LIBS),
    "another name": ({"forward_always": ["num"]}, {"acme": {"forward_always": ("numpy-*",)}}, []),
}


@pytest.mark.parametrize("index", [PYPI, MIRROR], ids=["the public index", "a mirror"])
@pytest.mark.parametrize("rule", RELEASED)
def test_a_released_name_is_forwarded_whoever_published_it(rule: str, index: str) -> None:
    top, groups, places = RELEASED[rule]
    accounts = forwarder(groups, forward_to=index, **top)
    answers = {where: forwarded(accounts, where, "numpy") for where in EVERYWHERE}
    assert set(answers.values()) == {index}
    assert {where for where, answer in answers.items() if isinstance(answer, Forward)} == set(places)
    assert not [where for where in EVERYWHERE if isinstance(forwarded(accounts, where, "scipy"), Forward)]


def test_a_released_name_goes_nowhere_where_nothing_does() -> None:
    accounts = forwarder({"acme": {"forward_always": ("numpy",)}}, forward_to=False, forward_always=["numpy"])
    assert {forwarded(accounts, where, "numpy") for where in EVERYWHERE} == {None}


def test_a_released_name_goes_where_its_group_forwards_to() -> None:
    accounts = forwarder({"acme": {"forward": OTHER}}, forward_to=MIRROR, forward_always=["numpy"])
    answer = forwarded(accounts, "acme/libs/one", "numpy")
    assert answer == OTHER
    assert isinstance(answer, Forward)


def test_a_limit_is_passed_on() -> None:
    assert Accounts(max_file_size=1234).max_file_size == 1234
    assert Accounts().max_file_size == 3 * 1024**3
