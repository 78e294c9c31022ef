"""What must be true of entries taken together, whether they come from a file or from Python."""

import re
from collections.abc import Iterable, Sequence

from pypi_registry.accounts.config import (
    HIDDEN,
    SCOPES,
    GroupConfig,
    InvalidConfig,
    ProjectConfig,
    Role,
    Token,
    TokenKind,
    User,
)
from pypi_registry.directory import MAX_DIGITS, is_valid_path
from pypi_registry.model import paths_above


def check(
    projects: Sequence[ProjectConfig], groups: Sequence[GroupConfig], users: Sequence[User], tokens: Sequence[Token]
) -> None:
    """Refuse entries that name what does not exist, or are at odds with each other.

    :raises InvalidSetting: for the first fault.
    """
    _check_places("projects", projects)
    _check_places("groups", groups)
    project_paths = {entry.path.lower() for entry in projects}
    group_paths = {entry.path.lower() for entry in groups}
    for path in project_paths | group_paths:
        group_paths.update(paths_above(path))
    for number, project in enumerate(projects, 1):
        for path in project.job_token_allowlist:
            if not is_valid_path(path):
                raise InvalidConfig(f"projects[{number}].job_token_allowlist", path, "is no full path of a project")
        if project.path.lower() in group_paths:
            raise InvalidConfig(f"projects[{number}].path", project.path, "this is the path of a group")
    _check_users(users, project_paths | group_paths)
    for number, token in enumerate(tokens, 1):
        _check_token(f"tokens[{number}]", token, {user.name for user in users}, project_paths, group_paths)
    _once("tokens", "sha256", [token.sha256.lower() for token in tokens], hidden=True)


def _check_places(table: str, entries: Sequence[ProjectConfig | GroupConfig]) -> None:
    for number, entry in enumerate(entries, 1):
        if not is_valid_path(entry.path):
            raise InvalidConfig(
                f"{table}[{number}].path", entry.path, "must be segments of ASCII letters, digits, '.', '-', '_'"
            )
        if entry.id is not None and not 0 <= entry.id < 10**MAX_DIGITS:
            raise InvalidConfig(f"{table}[{number}].id", entry.id, f"must be a number of at most {MAX_DIGITS} digits")
    _once(table, "path", [entry.path.lower() for entry in entries])
    _once(table, "id", [entry.id for entry in entries])


def _check_users(users: Sequence[User], paths: set[str]) -> None:
    for number, user in enumerate(users, 1):
        for path, role in user.roles.items():
            if not Role.GUEST <= role <= Role.OWNER:
                raise InvalidConfig(f"users[{number}].roles", path, f"{role!r} is no role in a project or a group")
            if path.lower() not in paths:
                raise InvalidConfig(f"users[{number}].roles", path, "there is no such project or group")
    _once("users", "name", [user.name for user in users])


def _check_token(key: str, token: Token, users: set[str], project_paths: set[str], group_paths: set[str]) -> None:
    # What says nothing of a kind of token is let be: the user of a deploy token, the place of a personal one.
    kind = token.kind
    places = project_paths if kind is TokenKind.JOB else project_paths | group_paths
    if re.fullmatch("[0-9a-fA-F]{64}", token.sha256) is None:
        raise InvalidConfig(f"{key}.sha256", HIDDEN, "must be 64 hexadecimal digits, the SHA-256 of the secret")
    if kind is not TokenKind.DEPLOY and token.user not in users:
        raise InvalidConfig(f"{key}.user", token.user, f"a {kind} token needs a user, and there is none of this name")
    if kind is not TokenKind.PERSONAL and token.on.lower() not in places:
        raise InvalidConfig(f"{key}.on", token.on, f"a {kind} token needs a place, and there is none of this path")
    allowed = SCOPES[kind]
    if allowed and not (token.scopes and allowed.issuperset(token.scopes)):
        words = " or ".join(sorted(allowed))
        raise InvalidConfig(f"{key}.scopes", sorted(token.scopes), f"a {kind} token needs {words}")
    if token.expires is not None and token.expires.tzinfo is None:
        raise InvalidConfig(f"{key}.expires", token.expires, "must have an offset, such as Z")


def _once(table: str, key: str, values: Iterable[object], *, hidden: bool = False) -> None:
    seen = dict[object, int]()
    for number, value in enumerate(values, 1):
        if value is not None and value in seen:
            shown = HIDDEN if hidden else value
            raise InvalidConfig(f"{table}[{number}].{key}", shown, f"{table}[{seen[value]}] has the same")
        seen[value] = number
