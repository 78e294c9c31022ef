"""Accounts, and what is known about them: the suites and the mutants run over these."""

from typing import TypeVar

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Role, Token, TokenKind, User
from pypi_registry.accounts import token_digest as digest
from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials
from pypi_registry.directory import Directory, Ref
from pypi_registry.model import Visibility
from pypi_registry.testing.contracts import UNKNOWN_TOKENS, Caller, KnownAuth, KnownDirectory

A = TypeVar("A", bound=Accounts)

READS = frozenset({Ability.READ_PROJECT, Ability.READ_PACKAGE})
PUBLISHES = READS | {Ability.CREATE_PACKAGE}
DEVELOPS = PUBLISHES | {Ability.YANK_PACKAGE}
MAINTAINS = DEVELOPS | {Ability.DESTROY_PACKAGE, Ability.ADMIN_PACKAGE}
KNOWS_GROUP = frozenset({Ability.READ_GROUP})
READS_GROUP = KNOWS_GROUP | {Ability.READ_PACKAGE}
NOT_READING = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")

PUBLIC, INTERNAL, PRIVATE = "Acme/public", "acme/libs/Internal", "acme/libs/deep/private"
BESIDE, OTHER = "acme/libs-old/private", "other/private"
PROJECTS = {PUBLIC: 1, INTERNAL: 2, PRIVATE: 3, BESIDE: 4, OTHER: 5}
GROUPS = {
    "acme": [PUBLIC, INTERNAL, PRIVATE, BESIDE],
    "acme/libs": [INTERNAL, PRIVATE],
    "acme/libs/deep": [PRIVATE],
    "acme/libs-old": [BESIDE],
    "acme/empty": [],
    "other": [OTHER],
}
GUARDED = (PRIVATE, "core-x")
ABSENT: list[Ref] = ["", "missing", "libs", "acme/nothing", 0, 7, 10**18 - 1]


def personal(user: str, secret: str, scope: str = "api", *, revoked: bool = False) -> Token:
    return Token(sha256=digest(secret), user=user, scopes=frozenset({scope}), revoked=revoked)


FOR_ALL = {"acme": READS_GROUP}
IN_PRIVATE = FOR_ALL | dict.fromkeys(("acme/libs", "acme/libs/deep", "acme/empty"), KNOWS_GROUP)

ADA = Caller(
    Credentials(AuthScheme.BASIC, "secret of ada", "ada"),
    {PUBLIC: READS, INTERNAL: DEVELOPS, PRIVATE: DEVELOPS, BESIDE: READS},
    FOR_ALL
    | {
        "acme/libs": READS_GROUP,
        "acme/libs/deep": READS_GROUP,
        "acme/libs-old": KNOWS_GROUP,
        "acme/empty": KNOWS_GROUP,
    },
    denied_names={GUARDED: {Ability.CREATE_PACKAGE}},
    name="ada",
)
CALLERS = {
    "a developer": ADA,
    "her token that reads": Caller(
        Credentials(AuthScheme.PRIVATE_TOKEN, "secret of ada that reads"),
        ADA.projects,
        ADA.groups,
        ADA.denied_names,
        excluded_methods=NOT_READING,
        name="ada",
    ),
    "a maintainer": Caller(
        Credentials(AuthScheme.BEARER, "secret of bob"),
        {PUBLIC: READS, INTERNAL: READS, PRIVATE: MAINTAINS},
        IN_PRIVATE,
        denied_names={GUARDED: {Ability.DESTROY_PACKAGE}},
        name="bob",
    ),
    "a stranger": Caller(
        Credentials(AuthScheme.BASIC, "secret of eve", "eve"),
        {PUBLIC: READS, INTERNAL: READS},
        FOR_ALL | {"acme/empty": KNOWS_GROUP},
        name="eve",
    ),
    "an admin": Caller(
        Credentials(AuthScheme.BASIC, "secret of root"),
        dict.fromkeys(PROJECTS, MAINTAINS),
        dict.fromkeys(GROUPS, READS_GROUP),
        name="root",
    ),
    "a deploy token": Caller(
        Credentials(AuthScheme.DEPLOY_TOKEN, "secret that deploys"),
        {PUBLIC: READS, INTERNAL: PUBLISHES, PRIVATE: PUBLISHES},
        FOR_ALL | {"acme/libs": READS_GROUP, "acme/libs/deep": READS_GROUP},
        denied_names={GUARDED: {Ability.CREATE_PACKAGE}},
        name="deploy token CI",
    ),
    "a job": Caller(
        Credentials(AuthScheme.BASIC, "secret of a job", "gitlab-ci-token"),
        {PUBLIC: READS, PRIVATE: MAINTAINS},
        IN_PRIVATE,
        denied_names={GUARDED: {Ability.DESTROY_PACKAGE}},
        name="bob",
    ),
}


def accounts(kind: type[A]) -> A:
    return kind(
        projects=[
            ProjectConfig(id=1, path=PUBLIC, visibility=Visibility.PUBLIC),
            ProjectConfig(id=2, path=INTERNAL, visibility=Visibility.INTERNAL),
            ProjectConfig(
                id=3,
                path=PRIVATE,
                protect=(ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER, minimum_delete=Role.OWNER),),
                job_token_allowlist=("ACME/public",),
            ),
            ProjectConfig(id=4, path=BESIDE),
            ProjectConfig(id=5, path=OTHER),
        ],
        groups=[
            GroupConfig(id=1, path="acme", visibility=Visibility.PUBLIC),
            GroupConfig(id=9, path="acme/empty", visibility=Visibility.INTERNAL),
        ],
        users=[
            User(name="ada", roles={"acme/libs": Role.DEVELOPER, BESIDE: Role.GUEST}),
            User(name="bob", roles={PRIVATE: Role.MAINTAINER}),
            User(name="eve"),
            User(name="root", admin=True),
        ],
        tokens=[
            personal("ada", "secret of ada"),
            personal("ada", "secret of ada that reads", "read_api"),
            personal("ada", "secret of ada, revoked", revoked=True),
            personal("bob", "secret of bob"),
            personal("eve", "secret of eve"),
            personal("root", "secret of root"),
            Token(
                sha256=digest("secret that deploys"),
                kind=TokenKind.DEPLOY,
                path="ACME/libs",
                name="CI",
                scopes=frozenset({"write_package_registry"}),
            ),
            Token(sha256=digest("secret of a job"), kind=TokenKind.JOB, path="acme/public", user="bob"),
        ],
    )


def known_directory(directory: Directory) -> KnownDirectory:
    """State that a directory contains what these accounts do."""
    return KnownDirectory(directory, PROJECTS, GROUPS, ABSENT)


def known_auth(auth: Auth, directory: Directory) -> KnownAuth:
    """State that an auth knows the callers that these accounts do."""
    return KnownAuth(
        auth,
        directory,
        CALLERS,
        anonymous=Caller(None, {PUBLIC: READS}, FOR_ALL, anonymous=True),
        invalid_tokens=[
            *UNKNOWN_TOKENS,
            Credentials(AuthScheme.BASIC, "secret of ada, revoked", "ada"),
            Credentials(AuthScheme.BASIC, "a wrong job token", "gitlab-ci-token"),
            Credentials(AuthScheme.PRIVATE_TOKEN, "secret that deploys"),
        ],
    )
