"""`pypi_registry.accounts` as an application uses it. Type checkers read this file; nothing runs it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

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
from pypi_registry.distributions import verify
from pypi_registry.events import Event
from pypi_registry.forwarding import Forward
from pypi_registry.model import Group, Project, Projects, Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


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
            Token(sha256="0" * 64, kind=TokenKind.DEPLOY, path="acme", expires=datetime(2027, 1, 1, tzinfo=UTC)),
        ],
        forwarding="https://mirror.example/simple/",
        max_file_size=1000,
        reserved=["internal-*"],
        forward_always=["pip"],
    )


def from_a_file(path: Path) -> Registry:
    try:
        accounts = Accounts.from_toml(path)
    except InvalidConfig as error:
        assert_type((error.key, error.problem, error.file), tuple[str, str, str])
        raise
    return accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def with_options(accounts: Accounts, on_event: Callable[[Event], object], application: "WSGIApplication") -> Registry:
    stores = MemoryCatalogue(), MemoryBlobs()
    accounts.registry(catalogue=stores[0], blobs=stores[1], forward_to=None, verify=None, fallback=None, on_event=None)
    accounts.registry(catalogue=stores[0], blobs=stores[1], forward_to="https://mirror.example/simple/")
    accounts.registry(catalogue=stores[0], blobs=stores[1], max_file_size="1 GB")  # type: ignore[arg-type]
    accounts.registry(catalogue=stores[0], blobs=stores[1], auth=accounts)  # type: ignore[call-arg]
    return accounts.registry(
        catalogue=stores[0],
        blobs=stores[1],
        max_file_size=1000,
        verify=verify,
        fallback=application,
        on_event=on_event,
    )


def contracts(accounts: Accounts) -> tuple[Directory, Auth]:
    assert_type(accounts.project(42), Project | None)
    assert_type(accounts.group("acme"), Group | None)
    assert_type(accounts.authenticate(Credentials(AuthScheme.BEARER, "secret"), None, {}), Principal)
    assert_type(accounts.projects_in(Group(1, "acme")), Projects)
    assert_type(accounts.forward_to(Group(1, "acme"), NormalizedName("demo")), str | Forward | None)
    return accounts, accounts


def roles() -> None:
    assert_type(Role.OWNER > Role.GUEST, bool)
    assert_type([kind.value for kind in TokenKind], list[str])
