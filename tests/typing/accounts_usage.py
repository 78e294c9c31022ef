"""`pypi_registry.accounts`, used as a stranger uses it: read by type checkers, run by nobody."""

from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

from packaging.utils import NormalizedName

from pypi_registry import Registry
from pypi_registry.accounts import (
    Accounts,
    GroupConfig,
    InvalidConfig,
    ProjectConfig,
    ProtectionRule,
    Role,
    Token,
    TokenKind,
    User,
    token_digest,
)
from pypi_registry.auth import Auth, AuthScheme, Credentials, Principal
from pypi_registry.directory import Directory
from pypi_registry.model import Group, Project, Visibility


def from_python() -> Accounts:
    return Accounts(
        projects=[
            ProjectConfig(
                id=42,
                path="acme/tools",
                name="Tools",
                visibility=Visibility.INTERNAL,
                job_token_allowlist=("acme/website",),
                protect=(ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER, minimum_delete=Role.OWNER),),
            )
        ],
        groups=[
            GroupConfig(path="acme", id=1, forward=False, reserved=("acme-*",)),
            GroupConfig(path="acme/open", forward="https://mirror.example/simple/", forward_always=("requests",)),
        ],
        users=[User(name="ada", admin=True, roles={"acme": Role.OWNER})],
        tokens=[
            Token(sha256=token_digest("secret"), user="ada", scopes=frozenset({"api"})),
            Token(sha256="0" * 64, kind=TokenKind.DEPLOY, on="acme", expires=datetime(2027, 1, 1, tzinfo=UTC)),
        ],
        forward_to="https://mirror.example/simple/",
        max_file_size=1000,
        reserved=["internal-*"],
        forward_always=["pip"],
    )


def from_a_file(path: Path) -> Registry:
    try:
        accounts = Accounts.from_toml(path)
    except InvalidConfig as error:
        assert_type((error.key, error.fault, error.file), tuple[str, str, str])
        raise
    return Registry(
        directory=accounts, auth=accounts, forward_to=accounts.forward_to, max_file_size=accounts.max_file_size
    )


def contracts(accounts: Accounts) -> tuple[Directory, Auth]:
    assert_type(accounts.project(42), Project | None)
    assert_type(accounts.group("acme"), Group | None)
    assert_type(accounts.authenticate(Credentials(AuthScheme.BEARER, "secret"), {}), Principal)
    assert_type(accounts.forward_to(Group(1, "acme"), NormalizedName("demo")), str | None)
    return accounts, accounts


def roles() -> None:
    assert_type(Role.OWNER > Role.GUEST, bool)
    assert_type([kind.value for kind in TokenKind], list[str])
