"""The accounts themselves: a directory, an auth and the forwarding rules, from one immutable set of entries."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from packaging.utils import NormalizedName

from pypi_registry.accounts.config import (
    GroupConfig,
    InvalidConfig,
    ProjectConfig,
    Role,
    Token,
    TokenKind,
    User,
    token_digest,
)
from pypi_registry.accounts.principal import TokenPrincipal
from pypi_registry.accounts.toml import read_settings
from pypi_registry.accounts.validation import check
from pypi_registry.accounts.wildcards import matches
from pypi_registry.auth import AuthScheme, Credentials, Principal
from pypi_registry.directory import Ref, id_from_path
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.forwarding import PYPI, Forward
from pypi_registry.model import Group, Project, is_below, paths_above

JOB_USER = "gitlab-ci-token"
"""The user name with which a job shows its token, and nobody else's."""


class Accounts:
    """Users, roles, tokens, projects and groups: give it to `Registry` as ``directory`` and as ``auth``.

    It never changes, so it needs no locks; to change anything, make a new one.

    :param forward_to: whether names that are not here are looked for in the public PyPI, or the URL of another simple
        index. Give `Registry` the method of this name.
    :param max_file_size: bytes; for whoever builds the `Registry`.
    :param reserved: patterns of names that are never forwarded.
    :param forward_always: patterns of names that are forwarded although somebody once published them here.
    :raises InvalidSetting: if an entry names what does not exist, or two entries are at odds.
    """

    def __init__(
        self,
        *,
        projects: Iterable[ProjectConfig] = (),
        groups: Iterable[GroupConfig] = (),
        users: Iterable[User] = (),
        tokens: Iterable[Token] = (),
        forward_to: bool | str = True,
        max_file_size: int = 3 * 1024**3,
        reserved: Iterable[str] = (),
        forward_always: Iterable[str] = (),
    ) -> None:
        if isinstance(reserved, str) or isinstance(forward_always, str):
            raise TypeError("reserved= and forward_always= are lists of patterns, not one text")
        projects, groups, users, tokens = [*projects], [*groups], [*users], [*tokens]
        check(projects, groups, users, tokens)
        self.max_file_size = max_file_size
        self._forward_to = _index(forward_to, PYPI)
        self._reserved = tuple(reserved)
        self._forward_always = tuple(forward_always)
        self._users = {user.name: user for user in users}
        self._roles = {user.name: _by_path(user.roles) for user in users}
        self._tokens = {token.sha256.lower(): token for token in tokens}
        self._entries = {entry.id: entry for entry in projects}
        self._projects = {entry.path.lower(): _project(entry) for entry in projects}
        self._project_ids = {project.id: project for project in self._projects.values()}
        self._settings = {entry.path.lower(): entry for entry in groups}
        self._groups = dict(_all_groups(projects, groups))
        self._group_ids = {group.id: group for group in self._groups.values()}
        self._nobody = TokenPrincipal(
            self, anonymous=True, person=False, signed_in=_nowhere, role=_no_role, member_below=_nowhere
        )
        self._holders: dict[str, TokenPrincipal] = {}  # by the digest of the token, once it was used
        inside: dict[str, list[Project]] = {path: [] for path in self._groups}
        for project in self._projects.values():
            for path in paths_above(project.path.lower()):
                inside[path].append(project)
        self._projects_in = {path: tuple(found) for path, found in inside.items()}

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read a ``registry.toml``.

        :raises InvalidSetting: if anything in it is wrong; it names file, key and value.
        :raises OSError: if it cannot be read.
        """
        try:
            return cls(**read_settings(Path(path)))
        except InvalidConfig as error:
            raise InvalidConfig(error.key, error.value, error.fault, str(path)) from None

    def project(self, ref: Ref) -> Project | None:
        return self._projects.get(ref.lower()) if isinstance(ref, str) else self._project_ids.get(ref)

    def group(self, ref: Ref) -> Group | None:
        return self._groups.get(ref.lower()) if isinstance(ref, str) else self._group_ids.get(ref)

    def projects_in(self, group: Group) -> Sequence[Project]:
        return self._projects_in.get(group.path.lower(), ())

    def entry(self, project: Project) -> ProjectConfig:
        """Give what was declared of a project; no rules if it is somebody else's."""
        known = self._projects.get(project.path.lower())
        return self._entries[known.id] if known else ProjectConfig(id=project.id, path=project.path)

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        token = self._token(credentials) if credentials and credentials.secret else None
        if token is None:
            return self._nobody
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if not reads and token.kind is TokenKind.PERSONAL and "api" not in token.scopes:
            raise InsufficientScope("api")
        holder = self._holders.get(token.sha256)
        if holder is None:  # two threads may both make one, and they are the same
            holder = self._holders[token.sha256] = self._holder(token)
        return holder

    def _token(self, credentials: Credentials) -> Token | None:
        """Find the token of a request; None makes it an anonymous one.

        :raises InvalidToken: where GitLab does not go on as if nothing had been shown.
        """
        token = self._tokens.get(token_digest(credentials.secret))
        if token is not None and token.kind in _kinds_taken(credentials):
            lapse = _lapse(token)
            if not lapse:
                return token
            if token.kind is TokenKind.PERSONAL:
                raise InvalidToken(lapse)
        if credentials.presented in _SURE or credentials.user == JOB_USER:
            raise InvalidToken
        return None

    def _holder(self, token: Token) -> TokenPrincipal:
        if token.kind is TokenKind.DEPLOY:
            role = Role.DEVELOPER if "write_package_registry" in token.scopes else Role.REPORTER
            role_at = partial(_role_below, token.on.lower(), role)
            return TokenPrincipal(
                self, anonymous=False, person=False, signed_in=_nowhere, role=role_at, member_below=_nowhere
            )
        user, roles = self._users[token.user], self._roles[token.user]
        least = Role.ADMIN if user.admin else Role.NO_ACCESS
        lets_in = partial(self._lets_job_in, token.on.lower()) if token.kind is TokenKind.JOB else _everywhere
        return TokenPrincipal(
            self,
            anonymous=False,
            person=True,
            signed_in=lets_in,
            role=lambda path: _inherited(roles, path, least) if lets_in(path) else Role.NO_ACCESS,
            member_below=lambda path: user.admin or any(is_below(member_of, path.lower()) for member_of in roles),
        )

    def _lets_job_in(self, job_project: str, path: str) -> bool:
        """Tell whether a job of a project may come in at a path; a group keeps no list."""
        project = self._projects.get(path.lower())
        if project is None or path.lower() == job_project:
            return True
        return job_project in map(str.lower, self.entry(project).job_token_allowlist)

    def forward_to(self, where: Project | Group, name: NormalizedName) -> str | None:
        """Choose the index in which to look for a name that is not here; None for no other."""
        above = [self._settings[path] for path in self._lineage(where) if path in self._settings]
        # The page of a group shows the projects of the groups below it, so what they keep for themselves counts too.
        below = [entry for path, entry in self._settings.items() if is_below(path, where.path.lower())]
        if matches([*self._reserved, *(pattern for entry in above + below for pattern in entry.reserved)], name):
            return None
        index = self._forward_to
        for entry in above:
            index = index if entry.forward is None else _index(entry.forward, self._forward_to or PYPI)
        always = [*self._forward_always, *(pattern for entry in above for pattern in entry.forward_always)]
        return Forward(index) if index is not None and matches(always, name) else index

    @staticmethod
    def _lineage(where: Project | Group) -> list[str]:
        path = where.path.lower()
        return [*paths_above(path), path]


# What GitLab looks for in each place (lib/gitlab/auth/auth_finders.rb).
_TAKEN = {
    AuthScheme.BASIC: {TokenKind.DEPLOY, TokenKind.PERSONAL},
    AuthScheme.BEARER: {TokenKind.PERSONAL, TokenKind.JOB},
    AuthScheme.PRIVATE_TOKEN: {TokenKind.PERSONAL},
    AuthScheme.DEPLOY_TOKEN: {TokenKind.DEPLOY},
    AuthScheme.JOB_TOKEN: {TokenKind.JOB},
}
_TAKEN_OF_JOBS = _TAKEN[AuthScheme.BASIC] | {TokenKind.JOB}
_SURE = {AuthScheme.BEARER, AuthScheme.PRIVATE_TOKEN, AuthScheme.JOB_TOKEN}
"""Where a secret that is not found is 401, and not an anonymous request."""


def _kinds_taken(credentials: Credentials) -> set[TokenKind]:
    if credentials.presented is AuthScheme.BASIC and credentials.user == JOB_USER:
        return _TAKEN_OF_JOBS
    return _TAKEN[credentials.presented]


def _lapse(token: Token) -> str:
    """Say why a token is good no more; empty if it is."""
    if token.expires is not None and token.expires <= datetime.now(UTC):
        return "expired"
    return "revoked" if token.revoked else ""


def _nowhere(path: str) -> bool:
    return False


def _everywhere(path: str) -> bool:
    return True


def _no_role(path: str) -> Role:
    return Role.NO_ACCESS


def _role_below(top: str, role: Role, path: str) -> Role:
    return role if path.lower() == top or is_below(path.lower(), top) else Role.NO_ACCESS


def _inherited(roles: Mapping[str, Role], path: str, least: Role) -> Role:
    path = path.lower()
    return max([least, *(roles.get(place, Role.NO_ACCESS) for place in [*paths_above(path), path])])


def _by_path(roles: Mapping[str, Role]) -> Mapping[str, Role]:
    found: dict[str, Role] = {}
    for path, role in roles.items():
        found[path.lower()] = max(role, found.get(path.lower(), Role.NO_ACCESS))
    return found


def _index(setting: bool | str, default: str) -> str | None:
    if isinstance(setting, str):
        return setting
    return default if setting else None


def _project(entry: ProjectConfig) -> Project:
    return Project(entry.id, entry.path, entry.name, entry.visibility)


def _all_groups(projects: Sequence[ProjectConfig], groups: Sequence[GroupConfig]) -> Iterator[tuple[str, Group]]:
    """Give each group by its path in lower case: those that are parts of paths, then those that were declared."""
    for path in [*(entry.path for entry in projects), *(entry.path for entry in groups)]:
        for above in paths_above(path):
            yield above.lower(), Group(id_from_path(above), above)
    for group in groups:
        number = id_from_path(group.path) if group.id is None else group.id
        yield group.path.lower(), Group(number, group.path, group.name, group.visibility)
