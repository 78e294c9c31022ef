"""Checks of the whole configuration, for a file and for Python alike: references, duplicates, formats."""

import re
from collections.abc import Iterable, Sequence

from pypi_registry._paths import MAX_DIGITS, fold, is_valid_path, paths_above
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


def validate(
    projects: Sequence[ProjectConfig], groups: Sequence[GroupConfig], users: Sequence[User], tokens: Sequence[Token]
) -> None:
    """Check that every reference exists, and that no two settings contradict each other.

    :raises InvalidConfig: for the first problem.
    """
    _validate_ids_and_paths("projects", projects)
    _validate_ids_and_paths("groups", groups)
    project_paths = {fold(config.path) for config in projects}
    group_paths = {fold(config.path) for config in groups}
    for path in project_paths | group_paths:
        group_paths.update(paths_above(path))
    for position, project in enumerate(projects, 1):
        for path in project.job_token_allowlist:
            if not is_valid_path(path):
                key = f"projects[{position}].job_token_allowlist"
                raise InvalidConfig(key, path, "is not the full path of a project")
        if fold(project.path) in group_paths:
            raise InvalidConfig(f"projects[{position}].path", project.path, "is the path of a group")
    _validate_users(users, project_paths | group_paths)
    user_names = {user.name for user in users}
    for position, token in enumerate(tokens, 1):
        _validate_token(f"tokens[{position}]", token, user_names, project_paths, group_paths)
    _validate_unique("tokens", "sha256", [token.sha256.lower() for token in tokens], hidden=True)


def _validate_ids_and_paths(table: str, configs: Sequence[ProjectConfig | GroupConfig]) -> None:
    for position, config in enumerate(configs, 1):
        if not is_valid_path(config.path):
            problem = "must be segments of ASCII letters, digits, '.', '-' and '_', with '/' between them"
            raise InvalidConfig(f"{table}[{position}].path", config.path, problem)
        if config.id is not None and not 0 <= config.id < 10**MAX_DIGITS:
            raise InvalidConfig(f"{table}[{position}].id", config.id, f"must have at most {MAX_DIGITS} digits")
    _validate_unique(table, "path", [fold(config.path) for config in configs])
    _validate_unique(table, "id", [config.id for config in configs])


def _validate_users(users: Sequence[User], paths: set[str]) -> None:
    for position, user in enumerate(users, 1):
        for path, role in user.roles.items():
            if not Role.GUEST <= role <= Role.OWNER:
                raise InvalidConfig(f"users[{position}].roles", path, f"{role!r} is not a role in a project or group")
            if fold(path) not in paths:
                raise InvalidConfig(f"users[{position}].roles", path, "there is no such project or group")
        spellings = dict[str, str]()
        for path in user.roles:
            if (other := spellings.setdefault(fold(path), path)) != path:
                raise InvalidConfig(f"users[{position}].roles", path, f"this is the same path as {other!r}")
    _validate_unique("users", "name", [user.name for user in users])


def _validate_token(key: str, token: Token, users: set[str], project_paths: set[str], group_paths: set[str]) -> None:
    # What does not apply to a kind of token is ignored: the user of a deploy token, the path of a personal one.
    kind, path = token.kind, fold(token.path)
    if re.fullmatch("[0-9a-fA-F]{64}", token.sha256) is None:
        raise InvalidConfig(f"{key}.sha256", HIDDEN, "must be 64 hexadecimal digits, the SHA-256 of the secret")
    if kind is not TokenKind.DEPLOY and token.user not in users:
        raise InvalidConfig(f"{key}.user", token.user, f"a {kind} token needs a user, and there is no such user")
    if kind is TokenKind.JOB and path not in project_paths:
        raise InvalidConfig(f"{key}.on", token.path, "a job token needs a project, and there is no such project")
    if kind is TokenKind.DEPLOY and path not in project_paths and path not in group_paths:
        problem = "a deploy token needs a project or group, and there is no such project or group"
        raise InvalidConfig(f"{key}.on", token.path, problem)
    scopes = SCOPES[kind]
    if scopes and not (token.scopes and scopes.issuperset(token.scopes)):
        problem = f"a {kind} token needs one or both of {' and '.join(sorted(scopes))}, and no other scope"
        raise InvalidConfig(f"{key}.scopes", sorted(token.scopes), problem)
    if token.expires is not None and token.expires.tzinfo is None:
        raise InvalidConfig(f"{key}.expires", token.expires, "must have an offset, such as Z")


def _validate_unique(table: str, key: str, values: Iterable[object], *, hidden: bool = False) -> None:
    seen = dict[object, int]()
    for position, value in enumerate(values, 1):
        if value is not None and value in seen:
            shown = HIDDEN if hidden else value
            raise InvalidConfig(f"{table}[{position}].{key}", shown, f"{table}[{seen[value]}] has the same")
        seen[value] = position
