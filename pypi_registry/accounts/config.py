"""What accounts are made of: the tables of ``registry.toml`` as values, each for itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from pypi_registry.errors import RegistryError
from pypi_registry.model import Visibility

SECRET_PREFIX = "registry-"
"""How every secret begins that is made here, so that one in a wrong place is known, by us and by scanners."""


class InvalidConfig(RegistryError, ValueError):
    """Says which setting is wrong, and how."""

    def __init__(self, key: str, value: object, fault: str, file: str = "") -> None:
        if isinstance(value, str) and SECRET_PREFIX in value:
            value = HIDDEN
        super().__init__(key, value, fault, file)
        self.key = key
        """``projects[2].visibility`` is in the second ``[[projects]]``; empty if the file as a whole is wrong."""
        self.value = value
        """`HIDDEN` where a secret could have been put by mistake, None where there is no value."""
        self.fault = fault
        self.file = file
        """Empty if the settings came from Python."""

    def __str__(self) -> str:
        setting = self.key if self.value is None else f"{self.key} = {self.value!r}"
        return ": ".join(part for part in (self.file, setting, self.fault) if part)


class _Hidden:
    def __repr__(self) -> str:
        return "(not shown)"

    def __reduce__(self) -> str:
        return "HIDDEN"


HIDDEN = _Hidden()
"""Stands for a value that no message may show."""


class Role(IntEnum):
    """GitLab's roles, each of which may do what the lower ones may."""

    NO_ACCESS = 0
    GUEST = 10
    REPORTER = 20
    DEVELOPER = 30
    MAINTAINER = 40
    OWNER = 50
    ADMIN = 60
    """Of the whole registry."""


class TokenKind(StrEnum):
    """GitLab's kinds of token."""

    PERSONAL = "personal"
    DEPLOY = "deploy"
    JOB = "job"


SCOPES: Mapping[TokenKind, frozenset[str]] = {
    TokenKind.PERSONAL: frozenset({"api", "read_api"}),
    TokenKind.DEPLOY: frozenset({"read_package_registry", "write_package_registry"}),
    TokenKind.JOB: frozenset(),
}
"""What a token of each kind may be allowed; where there is a choice it needs at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRule:
    """A rule that keeps names of a project for some roles."""

    name: str
    """A pattern in which ``*`` stands for anything; spellings of a name are alike."""
    minimum_push: Role | None = None
    """None leaves publishing as it is."""
    minimum_delete: Role | None = None
    """None leaves deleting as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """A group with settings; groups that are only parts of paths need none."""

    path: str
    id: int | None = None
    """None: a number that derives from the path."""
    name: str = ""
    visibility: Visibility = Visibility.PRIVATE
    forward: bool | str | None = None
    """Whether, or to which simple index, names are forwarded from here and below; None: as around it."""
    reserved: tuple[str, ...] = ()
    """Patterns of names that are never forwarded from here and below."""
    forward_always: tuple[str, ...] = ()
    """Patterns of names that are forwarded although somebody here once published them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """A project with settings."""

    id: int
    path: str
    name: str = ""
    visibility: Visibility = Visibility.PRIVATE
    job_token_allowlist: tuple[str, ...] = ()
    """Full paths of projects whose job tokens may come in; they need not exist."""
    protect: tuple[ProtectionRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may hold personal tokens and run jobs."""

    name: str
    admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Full path of a project, or of a group and so of everything below it -> role; the highest wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, known by its digest alone."""

    sha256: str
    """Of the secret's UTF-8 bytes, lower-case hexadecimal."""
    kind: TokenKind = TokenKind.PERSONAL
    name: str = ""
    """For people."""
    user: str = ""
    """Whose personal token it is, or who runs the job; says nothing of a deploy token."""
    scopes: frozenset[str] = frozenset()
    on: str = ""
    """Full path: the group or project of a deploy token, the project of a job; says nothing of a personal token."""
    expires: datetime | None = None
    """Aware; None means never."""
    revoked: bool = False


def token_digest(secret: str) -> str:
    """Give what is kept of a secret.

    A secret is long and random, so that a plain digest cannot be reversed, and costs a request nothing.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
