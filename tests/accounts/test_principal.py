"""What a principal may do, by tables of GitLab's rules.

Every expectation is a row of a table, or is computed from words (a role, a visibility), never from the numbers and
paths of the package.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, TokenKind, User
from pypi_registry.accounts.principal import TokenPrincipal
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
    """A user with roles, each at a path, and their personal token."""
    user = User(name="ada", admin=admin, roles={path: ROLES[role] for path, role in roles.items()})
    return {"users": [user], "tokens": [Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"}))]}


def deploy(path: str, *scopes: str) -> dict[str, Any]:
    return {"tokens": [Token(sha256=DIGEST, kind=TokenKind.DEPLOY, path=path, scopes=frozenset(scopes))]}


def job(path: str, roles: Mapping[str, str], *, admin: bool = False) -> dict[str, Any]:
    configs = personal(roles, admin=admin)
    return {**configs, "tokens": [Token(sha256=DIGEST, kind=TokenKind.JOB, user="ada", path=path)]}


def holder(accounts: Accounts) -> TokenPrincipal:
    """The principal of the token."""
    credentials = Credentials(AuthScheme.BASIC, SECRET, "gitlab-ci-token")
    principal = accounts.authenticate(credentials, None, {"REQUEST_METHOD": "GET"})
    assert isinstance(principal, TokenPrincipal)
    assert not principal.anonymous
    return principal


def anonymous(accounts: Accounts) -> TokenPrincipal:
    principal = accounts.authenticate(None, None, {"REQUEST_METHOD": "GET"})
    assert isinstance(principal, TokenPrincipal)
    return principal


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
# acme/libs/tools is the subject; a user may have roles in the projects around it.

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


def world(visibility: str, configs: dict[str, Any], allowlist: tuple[str, ...] = ()) -> Accounts:
    subject = ProjectConfig(
        id=1, path="Acme/libs/Tools", visibility=Visibility(visibility), job_token_allowlist=allowlist
    )
    others = [ProjectConfig(id=id_, path=path) for id_, path in enumerate(AROUND, 2)]
    return Accounts(projects=[subject, *others], **configs)


def abilities(principal: Principal, subject: Project) -> str:
    """What a principal may do: see a project, read its packages, publish, yank, delete, set the status of a name."""
    words = {
        "see": Ability.READ_PROJECT,
        "read": Ability.READ_PACKAGE,
        "publish": Ability.CREATE_PACKAGE,
        "yank": Ability.YANK_PACKAGE,
        "delete": Ability.DESTROY_PACKAGE,
        "set": Ability.ADMIN_PACKAGE,
    }
    return " ".join(word for word, ability in words.items() if principal.can(ability, subject))


def by_visibility(configs: dict[str, Any], allowlist: tuple[str, ...] = ()) -> dict[str, str]:
    """What the holder of the token may do in the project, for each visibility that the project may have."""
    worlds = {visibility: world(visibility, configs, allowlist) for visibility in VISIBILITIES}
    return {
        visibility: abilities(holder(accounts), project(accounts, SUBJECT)) for visibility, accounts in worlds.items()
    }


# GitLab's manual, "Roles and permissions". A guest reads, as in the newest GitLab (merge request 177267).
DEVELOPS, ALL = "see read publish yank", "see read publish yank delete set"
ALLOWED: dict[str, dict[str, str]] = {
    "anonymous": {"public": "see read", "internal": "", "private": ""},
    "signed in": {"public": "see read", "internal": "see read", "private": ""},
    "guest": {"public": "see read", "internal": "see read", "private": "see read"},
    "reporter": {"public": "see read", "internal": "see read", "private": "see read"},
    "developer": {"public": DEVELOPS, "internal": DEVELOPS, "private": DEVELOPS},
    "maintainer": {"public": ALL, "internal": ALL, "private": ALL},
    "owner": {"public": ALL, "internal": ALL, "private": ALL},
    "admin": {"public": ALL, "internal": ALL, "private": ALL},
    # A deploy token reads and publishes, and cannot change what was published.
    "a deploy token that reads": {"public": "see read", "internal": "see read", "private": "see read"},
    "a deploy token that writes": {
        "public": "see read publish",
        "internal": "see read publish",
        "private": "see read publish",
    },
    # A deploy token has no user, so it may not read what is internal.
    "a deploy token of another path": {"public": "see read", "internal": "", "private": ""},
}

COUNTS = ["acme/libs/tools", "ACME/Libs/TOOLS", "acme/libs", "acme", "Acme"]
DOES_NOT_COUNT = ["acme/app", "acme/libs/other", "acme/libs-old", "acme/libs/deep", "elsewhere", "acm", "libs/tools"]


@pytest.mark.parametrize("path", COUNTS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_holds_in_its_project_and_in_everything_below_its_group(role: str, path: str) -> None:
    assert by_visibility(personal({path: role})) == ALLOWED[role]


@pytest.mark.parametrize("path", DOES_NOT_COUNT)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_at_another_path_does_not_count(role: str, path: str) -> None:
    assert by_visibility(personal({path: role})) == ALLOWED["signed in"]


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_an_admin_may_do_everything_everywhere(visibility: str) -> None:
    accounts = world(visibility, personal(admin=True))
    for path in [SUBJECT, *AROUND]:
        assert abilities(holder(accounts), project(accounts, path)) == ALL


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_low_role_does_not_limit_an_admin(visibility: str) -> None:
    accounts = world(visibility, personal({SUBJECT: "guest"}, admin=True))
    assert abilities(holder(accounts), project(accounts, SUBJECT)) == ALLOWED["admin"][visibility]


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_an_anonymous_caller_reads_only_what_is_public(visibility: str) -> None:
    accounts = world(visibility, personal({"acme": "owner"}, admin=True))
    assert abilities(anonymous(accounts), project(accounts, SUBJECT)) == ALLOWED["anonymous"][visibility]


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
    ],
    ids=lambda value: " ".join(f"{path}={role}" for path, role in value.items()) if isinstance(value, dict) else value,
)
def test_the_highest_role_wins(roles: dict[str, str], highest: str) -> None:
    assert by_visibility(personal(roles)) == ALLOWED[highest]


READ, WRITE = "read_package_registry", "write_package_registry"


@pytest.mark.parametrize("path", COUNTS)
@pytest.mark.parametrize(
    ("scopes", "like"),
    [
        ((READ,), "a deploy token that reads"),
        ((WRITE,), "a deploy token that writes"),
        ((READ, WRITE), "a deploy token that writes"),
    ],
    ids=["reading", "writing", "both"],
)
def test_a_deploy_token_reads_or_publishes_at_its_path_and_below(scopes: tuple[str, ...], like: str, path: str) -> None:
    assert by_visibility(deploy(path, *scopes)) == ALLOWED[like]


@pytest.mark.parametrize("path", DOES_NOT_COUNT)
@pytest.mark.parametrize("scope", [READ, WRITE])
def test_a_deploy_token_of_another_path_reads_only_what_is_public(scope: str, path: str) -> None:
    assert by_visibility(deploy(path, scope)) == ALLOWED["a deploy token of another path"]


# A job token that may not access a project is treated as anonymous there: it reads only what is public.
BY_JOB = {
    "its own project": ("acme/libs/tools", (), True),
    "its own project, in another case": ("ACME/libs/tools", (), True),
    "an allowlisted project": ("elsewhere/tools", ("elsewhere/tools",), True),
    "an allowlisted project, in another case": ("elsewhere/tools", ("x/y", "Elsewhere/TOOLS"), True),
    "a project that is not allowlisted": ("elsewhere/tools", (), False),
    "a project of the same group": ("acme/libs/other", (), False),
    "a project when only others are allowlisted": ("elsewhere/tools", ("acme/app", "elsewhere/tool", "tools"), False),
    "a project of an allowlisted group": ("elsewhere/tools", ("elsewhere",), False),
}


@pytest.mark.parametrize("role", ["signed in", *ROLES, "admin"])
@pytest.mark.parametrize("case", BY_JOB)
def test_a_job_has_the_roles_of_its_user_where_it_is_allowlisted(case: str, role: str) -> None:
    path, allowlist, has_access = BY_JOB[case]
    roles = {SUBJECT: role} if role in ROLES else {}
    configs = job(path, roles, admin=role == "admin")
    assert by_visibility(configs, allowlist) == ALLOWED[role if has_access else "anonymous"]


def test_an_allowlist_works_in_one_direction_only() -> None:
    # The allowlist of tools names elsewhere. Jobs of tools may not access elsewhere because of it.
    accounts = world("private", job(SUBJECT, {"elsewhere": "owner"}), ("elsewhere/tools",))
    assert abilities(holder(accounts), project(accounts, "elsewhere/tools")) == ""


# Groups
#
# acme/libs is the subject.

NEITHER, SEES, READS = "", "see", "see read"

GROUPS: dict[str, tuple[dict[str, Any] | None, dict[str, str]]] = {
    # caller; what they may do if the group is public, internal, private
    "anonymous": (None, {"public": READS, "internal": NEITHER, "private": NEITHER}),
    "a non-member": (personal(), {"public": READS, "internal": SEES, "private": NEITHER}),
    "a member of another group": (
        personal({"elsewhere": "owner", "acme/libs-old": "owner", "acme/app": "owner"}),
        {"public": READS, "internal": SEES, "private": NEITHER},
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
            {"public": READS, "internal": SEES, "private": SEES},
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
    # A group has no allowlist, so a job has the roles of its user there.
    "a job of a member": (
        job("elsewhere/tools", {"acme/libs": "guest"}),
        {"public": READS, "internal": READS, "private": READS},
    ),
    "a job of a member of something below": (
        job("elsewhere/tools", {"acme/libs/deep": "owner"}),
        {"public": READS, "internal": SEES, "private": SEES},
    ),
    "a job of a non-member in it": (
        job("acme/libs/other", {}),
        {"public": READS, "internal": SEES, "private": NEITHER},
    ),
    "a job of an admin": (
        job("elsewhere/tools", {}, admin=True),
        {"public": READS, "internal": READS, "private": READS},
    ),
}


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("caller", GROUPS)
def test_who_sees_a_group_and_who_reads_its_packages(caller: str, visibility: str) -> None:
    configs, expected = GROUPS[caller]
    accounts = Accounts(
        projects=[ProjectConfig(id=id_, path=path) for id_, path in enumerate(AROUND)],
        groups=[GroupConfig(path="Acme/libs", visibility=Visibility(visibility))],
        **configs or {},
    )
    principal = holder(accounts) if configs else anonymous(accounts)
    libs = group(accounts, "acme/libs")
    words = {"see": Ability.READ_GROUP, "read": Ability.READ_PACKAGE}
    found = " ".join(word for word, ability in words.items() if principal.can(ability, libs))
    assert found == expected[visibility]


@pytest.mark.parametrize("caller", ["anonymous", "signed in", "guest of a group", "admin"])
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_no_caller_publishes_to_a_group(visibility: str, caller: str) -> None:
    configs = personal({"acme": "guest"} if caller == "guest of a group" else {}, admin=caller == "admin")
    accounts = Accounts(
        projects=[ProjectConfig(id=1, path="acme/tools")],
        groups=[GroupConfig(path="acme", visibility=Visibility(visibility))],
        **configs,
    )
    principal = anonymous(accounts) if caller == "anonymous" else holder(accounts)
    assert not principal.can(Ability.CREATE_PACKAGE, group(accounts, "acme"))


# What a caller reads below a group: each of three groups has a project of each visibility.

TREE = [
    f"{group}/{visibility}" for group in ["acme", "acme/libs", "acme/libs/deep", "else"] for visibility in VISIBILITIES
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
    # A job reads its own project, those whose allowlist names it, and what is public.
    "a job in the group": (
        job("acme/libs/private", {"acme": "owner"}),
        [*PUBLIC, "acme/libs/private", "acme/libs/deep/private"],
    ),
    "a job elsewhere": (job("else/private", {"acme": "owner"}), PUBLIC),
    "a job of a non-member": (job("acme/libs/internal", {}), [*PUBLIC, "acme/libs/internal"]),
    "a job of an admin": (job("else/private", {}, admin=True), PUBLIC),
}


@pytest.mark.parametrize("path", ["acme/libs", "Acme/LIBS"])
@pytest.mark.parametrize("caller", READABLE)
def test_what_a_caller_reads_below_a_group(caller: str, path: str) -> None:
    configs, expected = READABLE[caller]
    accounts = Accounts(
        projects=[
            ProjectConfig(
                id=id_,
                path=path,
                visibility=Visibility(path.rpartition("/")[2]),
                job_token_allowlist=("acme/libs/private",) if path == "acme/libs/deep/private" else (),
            )
            for id_, path in enumerate(TREE)
        ],
        **configs or {},
    )
    principal = holder(accounts) if configs else anonymous(accounts)
    readable = [found.path for found in principal.readable(accounts.projects_in(group(accounts, path)))]
    assert sorted(readable) == sorted(expected)


# Protection rules


def protected(configs: dict[str, Any], *rules: ProtectionRule) -> tuple[Principal, Accounts]:
    accounts = Accounts(
        projects=[
            ProjectConfig(id=1, path="acme/tools", visibility=Visibility.PUBLIC, protect=rules),
            ProjectConfig(id=2, path="acme/other", visibility=Visibility.PUBLIC),
        ],
        **configs,
    )
    return holder(accounts), accounts


def may_push(configs: dict[str, Any], name: str, *rules: ProtectionRule) -> bool:
    return may_use(Ability.CREATE_PACKAGE, configs, name, *rules)


def may_delete(configs: dict[str, Any], name: str, *rules: ProtectionRule) -> bool:
    return may_use(Ability.DESTROY_PACKAGE, configs, name, *rules)


def may_use(ability: Ability, configs: dict[str, Any], name: str, *rules: ProtectionRule) -> bool:
    principal, accounts = protected(configs, *rules)
    return principal.can(ability, PackageName(project(accounts, "acme/tools"), NormalizedName(name)))


RANKS = ["developer", "maintainer", "owner", "admin"]
MINIMA = {"maintainer": Role.MAINTAINER, "owner": Role.OWNER, "admin": Role.ADMIN}


@pytest.mark.parametrize("minimum", MINIMA)
@pytest.mark.parametrize("role", RANKS)
@pytest.mark.parametrize("path", ["acme", "acme/tools"])
def test_a_protected_name_needs_the_role_of_its_rule(path: str, role: str, minimum: str) -> None:
    configs = personal(admin=True) if role == "admin" else personal({path: role})
    expected = RANKS.index(role) >= RANKS.index(minimum)
    assert may_push(configs, "core-x", ProtectionRule(name="core-*", minimum_push=MINIMA[minimum])) == expected
    assert may_delete(configs, "core-x", ProtectionRule(name="core-*", minimum_delete=MINIMA[minimum])) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
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
def test_a_rule_applies_to_every_spelling_of_a_name(pattern: str, name: str, matches: bool) -> None:
    rule = ProtectionRule(name=pattern, minimum_push=Role.MAINTAINER)
    assert may_push(personal({"acme": "developer"}), name, rule) == (not matches)


@pytest.mark.parametrize("order", [1, -1], ids=["weak first", "strong first"])
@pytest.mark.parametrize(("role", "allowed"), [("developer", False), ("maintainer", False), ("owner", True)])
def test_every_rule_for_a_name_must_be_met(role: str, allowed: bool, order: int) -> None:
    rules = [
        ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER),
        ProtectionRule(name="*-x", minimum_push=Role.OWNER),
        ProtectionRule(name="other", minimum_push=Role.ADMIN),
    ]
    assert may_push(personal({"acme": role}), "core-x", *rules[::order]) == allowed


@pytest.mark.parametrize("role", ["developer", "maintainer", "owner"])
def test_a_rule_for_deleting_does_not_limit_a_user_who_publishes(role: str) -> None:
    assert may_push(personal({"acme": role}), "core-x", ProtectionRule(name="core-*", minimum_delete=Role.ADMIN))


@pytest.mark.parametrize("role", ["maintainer", "owner"])
def test_a_rule_for_publishing_does_not_limit_a_user_who_deletes(role: str) -> None:
    assert may_delete(personal({"acme": role}), "core-x", ProtectionRule(name="core-*", minimum_push=Role.ADMIN))


def test_a_rule_applies_to_its_project_only() -> None:
    rule = ProtectionRule(name="*", minimum_push=Role.ADMIN)
    principal, accounts = protected(personal({"acme": "developer"}), rule)
    name = NormalizedName("core-x")
    assert not principal.can(Ability.CREATE_PACKAGE, PackageName(project(accounts, "acme/tools"), name))
    assert principal.can(Ability.CREATE_PACKAGE, PackageName(project(accounts, "acme/other"), name))


def test_a_rule_does_not_limit_what_a_role_may_do_in_the_project() -> None:
    principal, accounts = protected(personal({"acme": "developer"}), ProtectionRule(name="*", minimum_push=Role.ADMIN))
    assert abilities(principal, project(accounts, "acme/tools")) == DEVELOPS


@pytest.mark.parametrize("path", ["acme", "acme/tools"])
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
def test_a_deploy_token_never_publishes_a_protected_name(rule: ProtectionRule, path: str) -> None:
    # Any rule for the name blocks a deploy token (app/services/packages/protection/check_rule_existence_service.rb).
    assert not may_push(deploy(path, WRITE), "core-x", rule)
    assert may_push(deploy(path, WRITE), "other", rule)


@pytest.mark.parametrize(("role", "allowed"), [("developer", False), ("maintainer", True), ("owner", True)])
def test_a_job_publishes_a_protected_name_if_its_user_may(role: str, allowed: bool) -> None:
    rule = ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER)
    assert may_push(job("acme/tools", {"acme": role}), "core-x", rule) == allowed


# Names, for "published by" and the audit log


@pytest.mark.parametrize(
    ("token", "name", "via"),
    [
        (Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"})), "ada", "personal token"),
        (Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"}), name="laptop"), "ada", "personal token laptop"),
        (Token(sha256=DIGEST, kind=TokenKind.JOB, user="ada", path="acme/tools", name="ci"), "ada", "job token ci"),
        (
            Token(sha256=DIGEST, kind=TokenKind.DEPLOY, path="acme", scopes=frozenset({READ}), name="prod"),
            "deploy token prod",
            "deploy token prod",
        ),
        # The user of a deploy token does not apply, so it must not be the name.
        (
            Token(sha256=DIGEST, kind=TokenKind.DEPLOY, path="acme", scopes=frozenset({READ}), user="ada"),
            "deploy token",
            "deploy token",
        ),
    ],
    ids=["personal", "personal with a name", "job", "deploy", "deploy without a name"],
)
def test_the_name_of_a_principal_is_its_user_or_its_deploy_token(token: Token, name: str, via: str) -> None:
    accounts = Accounts(
        projects=[ProjectConfig(id=1, path="acme/tools")], users=[User(name="ada", admin=True)], tokens=[token]
    )
    principal = holder(accounts)
    assert (principal.name, principal.via) == (name, via)


def test_an_anonymous_principal_has_no_name() -> None:
    principal = anonymous(Accounts())
    assert (principal.name, principal.via, principal.anonymous) == ("", "", True)


# Why not, for logs


CREATE, DESTROY = Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE
RULE = ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER)


@pytest.mark.parametrize(
    ("configs", "ability", "name", "words"),
    [
        ({}, CREATE, "", "this needs a token"),
        (personal(), CREATE, "", "the user has no role there"),
        (personal({"acme": "guest"}), CREATE, "", "the role guest does not allow create_package"),
        (personal({"acme": "developer"}), DESTROY, "", "the role developer does not allow destroy_package"),
        (deploy("other", "write_package_registry"), CREATE, "", "the token belongs to another project or group"),
        (
            deploy("acme", "read_package_registry"),
            CREATE,
            "",
            "the scopes of the token do not allow create_package",
        ),
        (job("acme/app", {"acme": "owner"}), CREATE, "", "jobs of acme/app have no access there"),
        (job("acme/tools", {"acme": "guest"}), CREATE, "", "the role guest does not allow create_package"),
        (
            personal({"acme": "developer"}),
            CREATE,
            "core-x",
            "a protection rule for this name requires the role maintainer, not developer",
        ),
        (
            deploy("acme", "write_package_registry"),
            CREATE,
            "core-x",
            "a protection rule for this name excludes deploy tokens",
        ),
    ],
)
def test_a_principal_explains_why_it_has_no_ability(
    configs: dict[str, Any], ability: Ability, name: str, words: str
) -> None:
    others = [ProjectConfig(id=2, path="acme/app"), ProjectConfig(id=3, path="other/app")]
    accounts = Accounts(projects=[ProjectConfig(id=1, path="acme/tools", protect=(RULE,)), *others], **configs)
    principal = holder(accounts) if configs else anonymous(accounts)
    tools = project(accounts, "acme/tools")
    subject = PackageName(tools, NormalizedName(name)) if name else tools
    assert not principal.can(ability, subject)
    assert principal.why_not(ability, subject) == words
