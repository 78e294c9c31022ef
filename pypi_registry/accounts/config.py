"""The tables of ``registry.toml`` as data types, and the error that names a wrong setting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from pypi_registry.errors import RegistryError
from pypi_registry.model import Visibility

SECRET_PREFIX = "registry-"
"""The beginning of every secret that this package creates, so that people and scanners recognize a leaked one."""


class InvalidConfig(RegistryError, ValueError):
    """Names the setting that is wrong, and the problem."""

    def __init__(self, key: str, value: object, problem: str, file: str = "") -> None:
        if isinstance(value, str) and SECRET_PREFIX in value:
            value = HIDDEN
        super().__init__(key, value, problem, file)
        self.key = key
        """The key as in ``registry.toml``, also if the settings came from Python; empty if the file cannot be parsed.

        ``projects[2].visibility`` is in the second ``[[projects]]``.
        """
        self.value = value
        """The wrong value; `HIDDEN` if it may be a secret, None if there is no value."""
        self.problem = problem
        self.file = file
        """The path of the file; empty if the settings came from Python."""

    def __str__(self) -> str:
        setting = self.key if self.value is None else f"{self.key} = {self.value!r}"
        return ": ".join(part for part in (self.file, setting, self.problem) if part)


class _Hidden:
    def __repr__(self) -> str:
        return "(not shown)"

    def __reduce__(self) -> str:
        return "HIDDEN"


HIDDEN = _Hidden()
"""Replaces a value that no message may show."""


class Role(IntEnum):
    """GitLab's roles. Each role has all abilities of the lower ones (GitLab's manual, "Roles and permissions")."""

    NO_ACCESS = 0
    GUEST = 10
    REPORTER = 20
    DEVELOPER = 30
    MAINTAINER = 40
    OWNER = 50
    ADMIN = 60
    """An administrator of the whole registry; not a role in a project or group."""


class TokenKind(StrEnum):
    """The kinds of token, as in GitLab."""

    PERSONAL = "personal"
    DEPLOY = "deploy"
    JOB = "job"


SCOPES: Mapping[TokenKind, frozenset[str]] = {
    TokenKind.PERSONAL: frozenset({"api", "read_api"}),
    TokenKind.DEPLOY: frozenset({"read_package_registry", "write_package_registry"}),
    TokenKind.JOB: frozenset(),
}
"""The scopes that each kind of token may have. A token needs at least one, if its kind has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRule:
    """Requires a higher role to publish or delete packages with certain names (GitLab's package protection rules)."""

    name: str
    """A pattern for names, in which ``*`` matches any text; all spellings of a name are equal."""
    minimum_push: Role | None = None
    """The role that publishing needs; None adds no requirement."""
    minimum_delete: Role | None = None
    """The role that deleting needs; None adds no requirement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """A group with settings. A group without settings need not be declared: it exists if a path contains it."""

    path: str
    id: int | None = None
    """None: an id that derives from the path."""
    name: str = ""
    """For people; empty means the last segment of the path."""
    visibility: Visibility = Visibility.PRIVATE
    forward: bool | str | None = None
    """Whether names are forwarded from this group and all below it, or the URL of another simple index for them.

    None: as in the group above, or as for the whole registry.
    """
    reserved: tuple[str, ...] = ()
    """Patterns of names that are never forwarded from this group, from those below it, and from those above it."""
    forward_always: tuple[str, ...] = ()
    """Patterns of names that are forwarded from this group and all below it although they were once published here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """A project with its settings."""

    id: int
    path: str
    name: str = ""
    """For people; empty means the last segment of the path."""
    visibility: Visibility = Visibility.PRIVATE
    job_token_allowlist: tuple[str, ...] = ()
    """Full paths of the projects whose job tokens may access this one; they need not exist."""
    protect: tuple[ProtectionRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, to whom personal tokens and job tokens belong."""

    name: str
    admin: bool = False
    """Whether the user may do everything in the whole registry."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Role by the full path of a project or group. A role in a group holds for everything below; the highest wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token. Only the digest of its secret is stored. A field that does not apply to its kind is ignored."""

    sha256: str
    """Digest of the secret in UTF-8, hexadecimal: `token_digest`."""
    kind: TokenKind = TokenKind.PERSONAL
    name: str = ""
    """For people and for the audit log."""
    user: str = ""
    """The name of the user to whom a personal token belongs, or who runs the job; a deploy token has no user."""
    scopes: frozenset[str] = frozenset()
    """Personal: ``api``, ``read_api``. Deploy: ``read_package_registry``, ``write_package_registry``. Job: none."""
    path: str = ""
    """Full path of the project or group of a deploy token, or of the project of a job; in ``registry.toml``: ``on``."""
    expires: datetime | None = None
    """Aware; None means never."""
    revoked: bool = False
