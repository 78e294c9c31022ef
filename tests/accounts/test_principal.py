"""What somebody may do, against tables of GitLab's rules.

Every expectation is a row of a table, or is computed from words (a role, a visibility), never from the package's own
numbers and paths.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, TokenKind, User
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal
from pypi_registry.model import Group, PackageName, Project, Visibility

SECRET = "s3cr3t"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()

ROLES = {
    "guest": Role.GUEST,
    "reporter": Role.REPORTER,
    "developer": Role.DEVELOPER,
    "maintainer": Role.MAINTAINER,
    "owner": Role.OWNER,
}
VISIBILITIES = [str(visibility) for visibility in Visibility]


def personal(roles: Mapping[str, str] = {}, *, admin: bool = False) -> dict[str, Any]:
    """The users and tokens of somebody with roles, each on a path."""
    user = User(name="ada", admin=admin, roles={path: ROLES[role] for path, role in roles.items()})
    return {"users": [user], "tokens": [Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"}))]}


def deploy(on: str, *scopes: str) -> dict[str, Any]:
    return {"tokens": [Token(sha256=DIGEST, kind=TokenKind.DEPLOY, on=on, scopes=frozenset(scopes))]}


def job(on: str, roles: Mapping[str, str], *, admin: bool = False) -> dict[str, Any]:
    entries = personal(roles, admin=admin)
    return {**entries, "tokens": [Token(sha256=DIGEST, kind=TokenKind.JOB, user="ada", on=on)]}


def who_has(accounts: Accounts) -> Principal:
    """Whoever has the secret."""
    credentials = Credentials(AuthScheme.BASIC, SECRET, "gitlab-ci-token")
    principal = accounts.authenticate(credentials, {"REQUEST_METHOD": "GET"})
    assert not principal.anonymous
    return principal


def nobody(accounts: Accounts) -> Principal:
    return accounts.authenticate(None, {"REQUEST_METHOD": "GET"})


def project(accounts: Accounts, path: str) -> Project:
    found = accounts.project(path)
    assert found is not None
    return found


def group(accounts: Accounts, path: str) -> Group:
    found = accounts.group(path)
    assert found is not None
    return found


# Projects
#
# acme/libs/tools is the project that is asked for; around it stand others, in which somebody may have a role.

SUBJECT = "acme/libs/tools"
AROUND = [
    "acme/app",
    "acme/libs/other",
    "acme/libs-old/x",
    "acme/libs/deep/er",
    "elsewhere/tools",
    "acm/x",
    "libs/tools",
]


def world(visibility: str, entries: dict[str, Any], allowlist: tuple[str, ...] = ()) -> Accounts:
    subject = ProjectConfig(
        id=1, path="Acme/libs/Tools", visibility=Visibility(visibility), job_token_allowlist=allowlist
    )
    others = [ProjectConfig(id=number, path=path) for number, path in enumerate(AROUND, 2)]
    return Accounts(projects=[subject, *others], **entries)


def abilities(principal: Principal, subject: Project) -> str:
    """What somebody may do in a project: see it, read its packages, publish."""
    words = {
        "see": Ability.READ_PROJECT,
        "read": Ability.READ_PACKAGE,
        "publish": Ability.CREATE_PACKAGE,
    }
    return " ".join(word for word, ability in words.items() if principal.can(ability, subject))


def by_visibility(entries: dict[str, Any], allowlist: tuple[str, ...] = ()) -> dict[str, str]:
    """What whoever has the secret may do in the project, if that has each of the visibilities."""
    worlds = {visibility: world(visibility, entries, allowlist) for visibility in VISIBILITIES}
    return {
        visibility: abilities(who_has(accounts), project(accounts, SUBJECT)) for visibility, accounts in worlds.items()
    }


# GitLab's table of roles (section "Who gets what" of the reference), "newest": a guest reads.
ALLOWED: dict[str, dict[str, str]] = {
    "anonymous": {"public": "see read", "internal": "", "private": ""},
    "signed in": {"public": "see read", "internal": "see read", "private": ""},
    "guest": {"public": "see read", "internal": "see read", "private": "see read"},
    "reporter": {"public": "see read", "internal": "see read", "private": "see read"},
    "developer": {"public": "see read publish", "internal": "see read publish", "private": "see read publish"},
    "maintainer": {"public": "see read publish", "internal": "see read publish", "private": "see read publish"},
    "owner": {"public": "see read publish", "internal": "see read publish", "private": "see read publish"},
    "admin": {"public": "see read publish", "internal": "see read publish", "private": "see read publish"},
    # A deploy token is nobody's, so that what is open to those who are signed in is not open to it.
    "a deploy token of another place": {"public": "see read", "internal": "", "private": ""},
}

COUNTS = ["acme/libs/tools", "ACME/Libs/TOOLS", "acme/libs", "acme", "Acme"]
DOES_NOT_COUNT = ["acme/app", "acme/libs/other", "acme/libs-old", "acme/libs/deep", "elsewhere", "acm", "libs/tools"]


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_holds_in_its_project_and_in_all_below_its_group(role: str, place: str) -> None:
    assert by_visibility(personal({place: role})) == ALLOWED[role]


@pytest.mark.parametrize("place", DOES_NOT_COUNT)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_in_another_place_is_none(role: str, place: str) -> None:
    assert by_visibility(personal({place: role})) == ALLOWED["signed in"]


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_an_admin_may_do_everything_everywhere(visibility: str) -> None:
    accounts = world(visibility, personal(admin=True))
    for path in [SUBJECT, *AROUND]:
        assert abilities(who_has(accounts), project(accounts, path)) == "see read publish"


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_low_role_takes_nothing_from_an_admin(visibility: str) -> None:
    accounts = world(visibility, personal({SUBJECT: "guest"}, admin=True))
    assert abilities(who_has(accounts), project(accounts, SUBJECT)) == ALLOWED["admin"][visibility]


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_nobody_in_particular_sees_only_what_is_public(visibility: str) -> None:
    accounts = world(visibility, personal({"acme": "owner"}, admin=True))
    assert abilities(nobody(accounts), project(accounts, SUBJECT)) == ALLOWED["anonymous"][visibility]


@pytest.mark.parametrize(
    ("roles", "highest"),
    [
        ({"acme": "owner", "acme/libs/tools": "guest"}, "owner"),
        ({"acme/libs/tools": "guest", "acme": "owner"}, "owner"),
        ({"acme": "guest", "acme/libs/tools": "developer"}, "developer"),
        ({"acme": "guest", "acme/libs": "developer", "acme/libs/tools": "reporter"}, "developer"),
        ({"acme": "reporter", "acme/libs": "guest"}, "reporter"),
        ({"acme": "guest", "acme/app": "owner"}, "guest"),
        ({"acme/libs-old": "owner", "acme/libs": "reporter"}, "reporter"),
        # Two spellings of one path
        ({"acme": "developer", "Acme": "guest"}, "developer"),
        ({"Acme": "guest", "acme": "developer"}, "developer"),
    ],
    ids=lambda value: " ".join(f"{path}={role}" for path, role in value.items()) if isinstance(value, dict) else value,
)
def test_the_highest_role_wins(roles: dict[str, str], highest: str) -> None:
    assert by_visibility(personal(roles)) == ALLOWED[highest]


READ, WRITE = "read_package_registry", "write_package_registry"


@pytest.mark.parametrize("place", COUNTS)
@pytest.mark.parametrize(
    ("scopes", "like"),
    [((READ,), "reporter"), ((WRITE,), "developer"), ((READ, WRITE), "developer")],
    ids=["reading", "writing", "both"],
)
def test_a_deploy_token_reads_or_publishes_in_its_place_and_below(
    scopes: tuple[str, ...], like: str, place: str
) -> None:
    assert by_visibility(deploy(place, *scopes)) == ALLOWED[like]


@pytest.mark.parametrize("place", DOES_NOT_COUNT)
@pytest.mark.parametrize("scope", [READ, WRITE])
def test_a_deploy_token_of_another_place_is_nobody_in_particular(scope: str, place: str) -> None:
    assert by_visibility(deploy(place, scope)) == ALLOWED["a deploy token of another place"]


# Where a job may not come in it is like somebody who is not even signed in: what is public is there for all.
BY_JOB = {
    "its own project": ("acme/libs/tools", (), True),
    "its own project, spelled otherwise": ("ACME/libs/tools", (), True),
    "a project that is let in": ("elsewhere/tools", ("elsewhere/tools",), True),
    "a project that is let in, spelled otherwise": ("elsewhere/tools", ("x/y", "Elsewhere/TOOLS"), True),
    "a project that is not let in": ("elsewhere/tools", (), False),
    "a project of the same group": ("acme/libs/other", (), False),
    "a project when others are let in": ("elsewhere/tools", ("acme/app", "elsewhere/tool", "tools"), False),
    "a project whose group is named": ("elsewhere/tools", ("elsewhere",), False),
}


@pytest.mark.parametrize("role", ["signed in", *ROLES, "admin"])
@pytest.mark.parametrize("case", BY_JOB)
def test_a_job_acts_as_its_user_where_it_may_come_in(case: str, role: str) -> None:
    on, allowlist, comes_in = BY_JOB[case]
    roles = {SUBJECT: role} if role in ROLES else {}
    entries = job(on, roles, admin=role == "admin")
    assert by_visibility(entries, allowlist) == ALLOWED[role if comes_in else "anonymous"]


def test_being_let_in_is_no_right_to_let_others_in() -> None:
    # tools lets in jobs of elsewhere; a job of tools may not come into elsewhere for that.
    accounts = world("private", job(SUBJECT, {"elsewhere": "owner"}), ("elsewhere/tools",))
    assert abilities(who_has(accounts), project(accounts, "elsewhere/tools")) == ""


# Groups
#
# acme/libs is the group that is asked for.

NEITHER, KNOWS, READS = "", "know", "know read"

GROUPS: dict[str, tuple[dict[str, Any] | None, dict[str, str]]] = {
    # who; what they may do if the group is public, internal, private
    "anonymous": (None, {"public": READS, "internal": NEITHER, "private": NEITHER}),
    "a non-member": (personal(), {"public": READS, "internal": KNOWS, "private": NEITHER}),
    "a member of another group": (
        personal({"elsewhere": "owner", "acme/libs-old": "owner", "acme/app": "owner"}),
        {"public": READS, "internal": KNOWS, "private": NEITHER},
    ),
    **{
        f"a {role} of the group": (
            personal({"acme/libs": role}),
            {"public": READS, "internal": READS, "private": READS},
        )
        for role in ROLES
    },
    **{
        f"a {role} of the group above": (
            personal({"ACME": role}),
            {"public": READS, "internal": READS, "private": READS},
        )
        for role in ROLES
    },
    **{
        f"a {role} of {words} only": (
            personal({path: role}),
            {"public": READS, "internal": KNOWS, "private": KNOWS},
        )
        for role in ROLES
        for words, path in {"a group below": "acme/libs/deep", "a project in it": "Acme/Libs/other"}.items()
    },
    "an admin": (personal(admin=True), {"public": READS, "internal": READS, "private": READS}),
    **{
        f"a deploy token with {scope} on {words}": (
            deploy(path, scope),
            {"public": READS, "internal": READS, "private": READS},
        )
        for scope in [READ, WRITE]
        for words, path in {"the group": "acme/LIBS", "the group above": "acme"}.items()
    },
    **{
        f"a deploy token with {scope} on {words}": (
            deploy(path, scope),
            {"public": READS, "internal": NEITHER, "private": NEITHER},
        )
        for scope in [READ, WRITE]
        for words, path in {
            "a group below": "acme/libs/deep",
            "a project in it": "acme/libs/other",
            "another group": "elsewhere",
            "a group of a similar name": "acme/libs-old",
        }.items()
    },
    # A group keeps no list of projects whose jobs may come in, so a job is its user there.
    "a job of a member": (
        job("elsewhere/tools", {"acme/libs": "guest"}),
        {"public": READS, "internal": READS, "private": READS},
    ),
    "a job of a member of something below": (
        job("elsewhere/tools", {"acme/libs/deep": "owner"}),
        {"public": READS, "internal": KNOWS, "private": KNOWS},
    ),
    "a job of a non-member in it": (
        job("acme/libs/other", {}),
        {"public": READS, "internal": KNOWS, "private": NEITHER},
    ),
    "a job of an admin": (
        job("elsewhere/tools", {}, admin=True),
        {"public": READS, "internal": READS, "private": READS},
    ),
}


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("caller", GROUPS)
def test_who_knows_a_group_and_who_reads_its_packages(caller: str, visibility: str) -> None:
    entries, expected = GROUPS[caller]
    accounts = Accounts(
        projects=[ProjectConfig(id=number, path=path) for number, path in enumerate(AROUND)],
        groups=[GroupConfig(path="Acme/libs", visibility=Visibility(visibility))],
        **entries or {},
    )
    principal = who_has(accounts) if entries else nobody(accounts)
    libs = group(accounts, "acme/libs")
    words = {"know": Ability.READ_GROUP, "read": Ability.READ_PACKAGE}
    found = " ".join(word for word, ability in words.items() if principal.can(ability, libs))
    assert found == expected[visibility]


@pytest.mark.parametrize("caller", ["anonymous", "signed in", "guest of a group", "admin"])
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_nobody_publishes_to_a_group(visibility: str, caller: str) -> None:
    entries = personal({"acme": "guest"} if caller == "guest of a group" else {}, admin=caller == "admin")
    accounts = Accounts(
        projects=[ProjectConfig(id=1, path="acme/tools")],
        groups=[GroupConfig(path="acme", visibility=Visibility(visibility))],
        **entries,
    )
    principal = nobody(accounts) if caller == "anonymous" else who_has(accounts)
    assert not principal.can(Ability.CREATE_PACKAGE, group(accounts, "acme"))


# What somebody reads below a group: in each of three groups stands a project of each visibility.

TREE = [
    f"{place}/{visibility}" for place in ["acme", "acme/libs", "acme/libs/deep", "else"] for visibility in VISIBILITIES
]
IN_LIBS = [path for path in TREE if path.startswith("acme/libs/")]
PUBLIC = [path for path in IN_LIBS if path.endswith("/public")]
NOT_PRIVATE = [path for path in IN_LIBS if not path.endswith("/private")]

READABLE: dict[str, tuple[dict[str, Any] | None, list[str]]] = {
    "anonymous": (None, PUBLIC),
    "a non-member": (personal(), NOT_PRIVATE),
    "a guest of the group": (personal({"acme/libs": "guest"}), IN_LIBS),
    "a guest of the group above": (personal({"ACME": "guest"}), IN_LIBS),
    "a guest of a group below": (
        personal({"acme/libs/deep": "guest"}),
        [*NOT_PRIVATE, "acme/libs/deep/private"],
    ),
    "a guest of a project in it": (personal({"acme/libs/private": "guest"}), [*NOT_PRIVATE, "acme/libs/private"]),
    "an owner of another group": (personal({"else": "owner"}), NOT_PRIVATE),
    "an owner of a project beside it": (personal({"acme/private": "owner"}), NOT_PRIVATE),
    "an admin": (personal(admin=True), IN_LIBS),
    "a deploy token of the group": (deploy("acme/libs", READ), IN_LIBS),
    "a deploy token of the group above": (deploy("acme", WRITE), IN_LIBS),
    "a deploy token of a group below": (
        deploy("acme/libs/deep", READ),
        [*PUBLIC, "acme/libs/deep/internal", "acme/libs/deep/private"],
    ),
    "a deploy token of a project in it": (deploy("acme/libs/private", READ), [*PUBLIC, "acme/libs/private"]),
    "a deploy token of another group": (deploy("else", READ), PUBLIC),
    # A job sees its own project, those that let it in, and what is public.
    "a job in the group": (
        job("acme/libs/private", {"acme": "owner"}),
        [*PUBLIC, "acme/libs/private", "acme/libs/deep/private"],
    ),
    "a job elsewhere": (job("else/private", {"acme": "owner"}), PUBLIC),
    "a job of a non-member": (job("acme/libs/internal", {}), [*PUBLIC, "acme/libs/internal"]),
    "a job of an admin": (job("else/private", {}, admin=True), PUBLIC),
}


@pytest.mark.parametrize("asked", ["acme/libs", "Acme/LIBS"])
@pytest.mark.parametrize("caller", READABLE)
def test_what_somebody_reads_below_a_group(caller: str, asked: str) -> None:
    entries, expected = READABLE[caller]
    accounts = Accounts(
        projects=[
            ProjectConfig(
                id=number,
                path=path,
                visibility=Visibility(path.rpartition("/")[2]),
                job_token_allowlist=("acme/libs/private",) if path == "acme/libs/deep/private" else (),
            )
            for number, path in enumerate(TREE)
        ],
        **entries or {},
    )
    principal = who_has(accounts) if entries else nobody(accounts)
    readable = [found.path for found in principal.readable(group(accounts, asked))]
    assert sorted(readable) == sorted(expected)


@pytest.mark.parametrize("caller", READABLE)
def test_what_is_readable_below_a_group_is_what_may_be_read_one_by_one(caller: str) -> None:
    entries, _ = READABLE[caller]
    accounts = Accounts(
        projects=[
            ProjectConfig(id=number, path=path, visibility=Visibility(path.rpartition("/")[2]))
            for number, path in enumerate(TREE)
        ],
        **entries or {},
    )
    principal = who_has(accounts) if entries else nobody(accounts)
    for path in ["acme", "acme/libs", "acme/libs/deep", "else"]:
        one_by_one = {
            inside
            for inside in TREE
            if inside.startswith(f"{path}/") and "read" in abilities(principal, project(accounts, inside))
        }
        assert {found.path for found in principal.readable(group(accounts, path))} == one_by_one


# Protection rules


def protected(entries: dict[str, Any], *rules: ProtectionRule) -> tuple[Principal, Accounts]:
    accounts = Accounts(
        projects=[
            ProjectConfig(id=1, path="acme/tools", visibility=Visibility.PUBLIC, protect=rules),
            ProjectConfig(id=2, path="acme/other", visibility=Visibility.PUBLIC),
        ],
        **entries,
    )
    return who_has(accounts), accounts


def may_push(entries: dict[str, Any], name: str, *rules: ProtectionRule) -> bool:
    principal, accounts = protected(entries, *rules)
    return principal.can(Ability.CREATE_PACKAGE, PackageName(project(accounts, "acme/tools"), NormalizedName(name)))


RANKS = ["developer", "maintainer", "owner", "admin"]
MINIMA = {"maintainer": Role.MAINTAINER, "owner": Role.OWNER, "admin": Role.ADMIN}


@pytest.mark.parametrize("minimum", MINIMA)
@pytest.mark.parametrize("role", RANKS)
@pytest.mark.parametrize("place", ["acme", "acme/tools"])
def test_a_protected_name_needs_the_role_of_its_rule(place: str, role: str, minimum: str) -> None:
    entries = personal(admin=True) if role == "admin" else personal({place: role})
    expected = RANKS.index(role) >= RANKS.index(minimum)
    assert may_push(entries, "core-x", ProtectionRule(name="core-*", minimum_push=MINIMA[minimum])) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("core-*", "core-x", True),
        ("core-*", "core-x-y", True),
        ("core-*", "core", False),
        ("core-*", "my-core-x", False),
        ("core-*", "corex", False),
        ("core*", "core", True),
        ("core*", "corex", True),
        ("*-core", "my-core", True),
        ("*-core", "my-core-x", False),
        ("*core*", "my-core-x", True),
        ("c*e", "core", True),
        ("c*e", "cores", False),
        ("*", "anything", True),
        ("core", "core", True),
        ("core", "core-x", False),
        ("Core_X", "core-x", True),
        ("CORE.X", "core-x", True),
        ("core-_.x", "core-x", True),
        ("Core__*", "core-x", True),
        ("core.x", "coreyx", False),
        ("co*.x*", "core-x1", True),
    ],
)
def test_a_rule_means_a_name_in_any_spelling(pattern: str, name: str, meant: bool) -> None:
    rule = ProtectionRule(name=pattern, minimum_push=Role.MAINTAINER)
    assert may_push(personal({"acme": "developer"}), name, rule) == (not meant)


@pytest.mark.parametrize("order", [1, -1], ids=["weak first", "strong first"])
@pytest.mark.parametrize(("role", "allowed"), [("developer", False), ("maintainer", False), ("owner", True)])
def test_of_several_rules_each_must_be_met(role: str, allowed: bool, order: int) -> None:
    rules = [
        ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER),
        ProtectionRule(name="*-x", minimum_push=Role.OWNER),
        ProtectionRule(name="other", minimum_push=Role.ADMIN),
    ]
    assert may_push(personal({"acme": role}), "core-x", *rules[::order]) == allowed


@pytest.mark.parametrize("role", ["developer", "maintainer", "owner"])
def test_a_rule_for_deleting_leaves_publishing_to_people_as_it_is(role: str) -> None:
    assert may_push(personal({"acme": role}), "core-x", ProtectionRule(name="core-*", minimum_delete=Role.ADMIN))


def test_a_rule_is_for_its_project_only() -> None:
    rule = ProtectionRule(name="*", minimum_push=Role.ADMIN)
    principal, accounts = protected(personal({"acme": "developer"}), rule)
    name = NormalizedName("core-x")
    assert not principal.can(Ability.CREATE_PACKAGE, PackageName(project(accounts, "acme/tools"), name))
    assert principal.can(Ability.CREATE_PACKAGE, PackageName(project(accounts, "acme/other"), name))


def test_a_rule_takes_no_right_to_the_project() -> None:
    principal, accounts = protected(personal({"acme": "developer"}), ProtectionRule(name="*", minimum_push=Role.ADMIN))
    assert abilities(principal, project(accounts, "acme/tools")) == "see read publish"


@pytest.mark.parametrize("place", ["acme", "acme/tools"])
@pytest.mark.parametrize(
    "rule",
    [
        ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER),
        ProtectionRule(name="core-*", minimum_push=Role.ADMIN),
        ProtectionRule(name="core-*", minimum_delete=Role.OWNER),
        ProtectionRule(name="core-*", minimum_push=Role.OWNER, minimum_delete=Role.OWNER),
    ],
    ids=["maintainers push", "admins push", "owners delete", "owners push and delete"],
)
def test_a_deploy_token_never_publishes_a_protected_name(rule: ProtectionRule, place: str) -> None:
    # Any rule that means the name blocks a deploy token (CheckRuleExistenceService in GitLab's sources).
    assert not may_push(deploy(place, WRITE), "core-x", rule)
    assert may_push(deploy(place, WRITE), "other", rule)


@pytest.mark.parametrize(("role", "allowed"), [("developer", False), ("maintainer", True), ("owner", True)])
def test_a_job_publishes_a_protected_name_as_its_user_would(role: str, allowed: bool) -> None:
    rule = ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER)
    assert may_push(job("acme/tools", {"acme": role}), "core-x", rule) == allowed
