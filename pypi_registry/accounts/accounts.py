"""`Accounts`: a directory, an auth and forwarding rules, from one immutable configuration."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from packaging.utils import NormalizedName

from pypi_registry._app import Registry
from pypi_registry._paths import fold
from pypi_registry.accounts.config import GroupConfig, InvalidConfig, ProjectConfig, Role, Token, TokenKind, User
from pypi_registry.accounts.forwarding import ForwardingRules
from pypi_registry.accounts.namespaces import Namespaces
from pypi_registry.accounts.principal import ReadableCache, TokenPrincipal
from pypi_registry.accounts.tokens import token_digest
from pypi_registry.accounts.toml import read_settings
from pypi_registry.accounts.validation import validate
from pypi_registry.auth import AuthScheme, Credentials, Principal
from pypi_registry.directory import Ref
from pypi_registry.distributions import Verify
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.events import Event
from pypi_registry.forwarding import Forward, ForwardTo
from pypi_registry.model import Group, Namespace, Project, Projects
from pypi_registry.storage import Blobs, Catalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class RegistryOptions(TypedDict, total=False):
    """The options of `Registry` that `Accounts.registry` passes on."""

    forward_to: ForwardTo
    max_file_size: int
    verify: Verify | None
    fallback: "WSGIApplication | None"
    on_event: Callable[[Event], object] | None


class Accounts:
    """Users, roles, tokens, projects and groups: a `Directory` and an `Auth`. `registry` returns a registry with them.

    It never changes, and any thread may use it. To change anything, create a new one.

    :param forwarding: whether names that are not in this registry are forwarded to PyPI, or the URL of another simple
        index to which they are forwarded.
    :param max_file_size: bytes; a file must be smaller.
    :param reserved: patterns of names that are never forwarded.
    :param forward_always: patterns of names that are forwarded although they were once published here.
    :raises InvalidConfig: if a setting refers to something that does not exist, or two settings contradict each other.
    """

    def __init__(
        self,
        *,
        projects: Iterable[ProjectConfig] = (),
        groups: Iterable[GroupConfig] = (),
        users: Iterable[User] = (),
        tokens: Iterable[Token] = (),
        forwarding: bool | str = True,
        max_file_size: int = 3 * 1024**3,
        reserved: Iterable[str] = (),
        forward_always: Iterable[str] = (),
    ) -> None:
        if isinstance(reserved, str) or isinstance(forward_always, str):
            raise TypeError("reserved= and forward_always= must be lists of patterns, not one text")
        projects, groups, users, tokens = [*projects], [*groups], [*users], [*tokens]
        validate(projects, groups, users, tokens)
        self.max_file_size = max_file_size
        self._namespaces = Namespaces(projects, groups)
        self._forwarding = ForwardingRules(forwarding, reserved, forward_always, groups)
        self._users = {user.name: user for user in users}
        self._roles = {user.name: {fold(path): role for path, role in user.roles.items()} for user in users}
        self._tokens = {token.sha256.lower(): token for token in tokens}
        self._cache = ReadableCache()
        self._anonymous = TokenPrincipal(self._namespaces, self._cache, anonymous=True)
        self._principals: dict[str, TokenPrincipal] = {}  # by the digest of the token, after its first use

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Return the accounts of a ``registry.toml``.

        :raises InvalidConfig: if anything in the file is wrong; it names the file, the key and the value.
        :raises OSError: if the file cannot be read.
        """
        try:
            return cls(**read_settings(Path(path)))
        except InvalidConfig as error:
            raise InvalidConfig(error.key, error.value, error.problem, str(path)) from None

    def registry(self, *, catalogue: Catalogue, blobs: Blobs, **options: Unpack[RegistryOptions]) -> Registry:
        """Return a registry with these projects, groups, users and tokens, forwarding rules and limit.

        The options are those of `Registry`. `forward_to` replaces all forwarding rules of the accounts except one:
        names that are reserved are never forwarded. ``forward_to=None`` forwards nothing.

        >>> from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
        >>> registry = Accounts().registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), max_file_size=10**9)
        """
        settings: RegistryOptions = {
            "forward_to": self.forward_to,
            "max_file_size": self.max_file_size,
            **options,
        }
        if "forward_to" in options:
            settings["forward_to"] = self._forwarding.except_reserved(options["forward_to"])
        return Registry(directory=self, auth=self, catalogue=catalogue, blobs=blobs, **settings)

    def project(self, ref: Ref) -> Project | None:
        return self._namespaces.project(ref)

    def group(self, ref: Ref) -> Group | None:
        return self._namespaces.group(ref)

    def projects_in(self, group: Group) -> Projects:
        return self._namespaces.projects_in(group)

    def all_projects(self) -> Projects:
        """Return the projects of all groups, the same object at each call. The landing page of ``serve`` lists them."""
        return self._namespaces.all_projects

    def forward_to(self, namespace: Namespace, name: NormalizedName) -> str | Forward | None:
        """Return the simple index to which a name that is not in this registry is forwarded; None for nowhere."""
        return self._forwarding.forward_to(namespace, name)

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        if credentials is None or not credentials.secret:
            return self._anonymous
        token = self._tokens.get(token_digest(credentials.secret))
        if token is not None and token.kind not in _accepted_kinds(credentials):
            token = None
        reason = "" if token is None else _why_invalid(token)
        if token is None or reason:
            return self._without_token(credentials, token, reason)
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        # GitLab's manual, "Personal access tokens": read_api is for reading only.
        if not reads and token.kind is TokenKind.PERSONAL and "api" not in token.scopes:
            raise InsufficientScope("api", *_names(token))
        return self._principals.get(token.sha256) or self._principals.setdefault(token.sha256, self._principal(token))

    def _without_token(self, credentials: Credentials, token: Token | None, reason: str) -> Principal:
        """Return the anonymous caller of a request whose token is unknown (None), expired or revoked.

        :raises InvalidToken: if GitLab does not continue as for an anonymous request.
        """
        names = ("", "") if token is None else _names(token)
        if token is not None and token.kind is TokenKind.PERSONAL:
            raise InvalidToken(reason, *names)
        if credentials.scheme in _NEVER_ANONYMOUS or credentials.user == JOB_USER:
            raise InvalidToken("", *names)
        if token is None:
            return self._anonymous
        # As anonymous as a caller without a token; only logs show the difference. One object per token, for the cache.
        anonymous = replace(self._anonymous, via=f"{reason} {names[1]}")
        return self._principals.setdefault(f"{token.sha256} {reason}", anonymous)

    def _principal(self, token: Token) -> TokenPrincipal:
        name, via = _names(token)
        if token.kind is TokenKind.DEPLOY:
            # A deploy token that may publish may also read, as in GitLab.
            role = Role.DEVELOPER if "write_package_registry" in token.scopes else Role.REPORTER
            return TokenPrincipal(self._namespaces, self._cache, name, via, roles={fold(token.path): role})
        return TokenPrincipal(
            self._namespaces,
            self._cache,
            name,
            via,
            is_user=True,
            is_admin=self._users[token.user].admin,
            roles=self._roles[token.user],
            job_project=fold(token.path) if token.kind is TokenKind.JOB else None,
        )


JOB_USER = "gitlab-ci-token"
"""The user name that a client must send with a job token in Basic authentication."""

# The kinds of token that GitLab looks for in each scheme (lib/gitlab/auth/auth_finders.rb).
_ACCEPTED_KINDS = {
    AuthScheme.BASIC: {TokenKind.DEPLOY, TokenKind.PERSONAL},
    AuthScheme.BEARER: {TokenKind.PERSONAL, TokenKind.JOB},
    AuthScheme.PRIVATE_TOKEN: {TokenKind.PERSONAL},
    AuthScheme.DEPLOY_TOKEN: {TokenKind.DEPLOY},
    AuthScheme.JOB_TOKEN: {TokenKind.JOB},
}
_ACCEPTED_FROM_JOBS = _ACCEPTED_KINDS[AuthScheme.BASIC] | {TokenKind.JOB}

_NEVER_ANONYMOUS = {AuthScheme.BEARER, AuthScheme.PRIVATE_TOKEN, AuthScheme.JOB_TOKEN}
"""The schemes in which GitLab returns 401 for an unknown secret, and does not treat the request as anonymous."""


def _accepted_kinds(credentials: Credentials) -> set[TokenKind]:
    if credentials.scheme is AuthScheme.BASIC and credentials.user == JOB_USER:
        return _ACCEPTED_FROM_JOBS
    return _ACCEPTED_KINDS[credentials.scheme]


def _names(token: Token) -> tuple[str, str]:
    """Return the name of the principal of a token, and the kind and the name of the token."""
    via = f"{token.kind} token {token.name}".rstrip()
    return via if token.kind is TokenKind.DEPLOY else token.user, via


def _why_invalid(token: Token) -> str:
    """Return why a token is no longer valid, as in `InvalidToken`; empty if it is valid."""
    if token.expires is not None and token.expires <= datetime.now(UTC):
        return "expired"
    return "revoked" if token.revoked else ""
