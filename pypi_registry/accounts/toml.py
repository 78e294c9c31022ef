"""Reads a ``registry.toml``: for each of its tables, the keys and how to read the value of each.

An unknown key is an error, because a mistyped ``visibility`` must not open a project.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pypi_registry._index_urls import is_index_url
from pypi_registry.accounts.config import (
    HIDDEN,
    GroupConfig,
    InvalidConfig,
    ProjectConfig,
    ProtectionRule,
    Role,
    Token,
    TokenKind,
    User,
)
from pypi_registry.model import Visibility

Reader = Callable[[str, object], Any]
"""Takes a key, for messages, and the value that TOML has for it; returns the value of the configuration."""


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings of a file, as keyword arguments of `Accounts`.

    :raises InvalidConfig: for the first problem.
    :raises OSError: if the file cannot be read.
    """
    return parse_settings(path.read_bytes())


def parse_settings(data: bytes) -> dict[str, Any]:
    """Return the settings in the bytes of a file, as keyword arguments of `Accounts`.

    :raises InvalidConfig: for the first problem.
    """
    try:
        text = data.decode("utf-8-sig")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidConfig("", None, f"this is not UTF-8 from byte {error.start} on") from None
    except (ValueError, RecursionError) as error:  # also an integer of 5,000 digits, and a thousand nested brackets
        last = len(text.rstrip().splitlines())
        where = str(error).replace("(at end of document)", f"(at line {last}, end of document)")
        raise InvalidConfig("", None, f"this is not TOML: {where}") from None
    return _renamed({"forward_to": "forwarding"}, _table(_FILE, (), "", document))


def _table(readers: Mapping[str, Reader], required: tuple[str, ...], key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidConfig(key, _shown(key, value), "must be a table")
    prefix = f"{key}." if key else ""
    for name in value:
        if name not in readers:
            close = difflib.get_close_matches(name, readers, 1)
            advice = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(readers)}"
            raise InvalidConfig(f"{prefix}{_safe_name(name)}", HIDDEN, f"there is no such key; {advice}")
    for name in required:
        if name not in value:
            raise InvalidConfig(f"{prefix}{name}", None, "is missing")
    return {name: readers[name](f"{prefix}{name}", inner) for name, inner in value.items()}


def _renamed(names: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in settings.items()}


def _config(
    create: Callable[..., Any],
    readers: Mapping[str, Reader],
    required: tuple[str, ...],
    names: Mapping[str, str] = MappingProxyType({}),
) -> Reader:
    """Return a reader of tables. `names` has the fields that have a different name from their key."""
    return lambda key, value: create(**_renamed(names, _table(readers, required, key, value)))


def _list(read: Reader, key: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidConfig(key, _shown(key, value), "must be an array")
    return tuple(read(f"{key}[{position}]", item) for position, item in enumerate(value, 1))


def _safe_name(name: str) -> str:
    # An unusual key may be a secret in the wrong position, or contain control characters for a terminal.
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,24}", name) else "(not shown)"


def _shown(key: str, value: object) -> object:
    # A table of a token may hold a secret.
    return HIDDEN if re.fullmatch(r"tokens(\[[0-9]+\])?", key) else value


def _of_type(wanted: type, words: str, key: str, value: object) -> object:
    if type(value) is not wanted:  # isinstance would accept True as an int
        raise InvalidConfig(key, _shown(key, value), f"must be {words}")
    return value


_flag = partial(_of_type, bool, "true or false")
_text = partial(_of_type, str, "a string")
_integer = partial(_of_type, int, "an integer")


def _non_empty_text(key: str, value: object) -> object:
    if not _text(key, value):
        raise InvalidConfig(key, value, "must not be empty")
    return value


def _digest(key: str, value: object) -> object:
    if not isinstance(value, str):
        raise InvalidConfig(key, HIDDEN, "must be a string")
    return value


def _choice(choices: Mapping[str, Enum], key: str, value: object) -> Enum:
    if not isinstance(value, str) or value not in choices:
        raise InvalidConfig(key, value, f"must be one of {', '.join(choices)}")
    return choices[value]


def _positive(key: str, value: object) -> object:
    if type(value) is not int or value <= 0:
        raise InvalidConfig(key, value, "must be a number of bytes, an integer above 0")
    return value


def _forward(key: str, value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and "@" in value:
        raise InvalidConfig(key, HIDDEN, "must not contain a user or a password, because every client would see them")
    if not isinstance(value, str) or not is_index_url(value):
        shown = value if isinstance(value, str | int | float) and "?" not in str(value) else HIDDEN
        raise InvalidConfig(key, shown, "must be true, false or the http(s) URL of a simple index")
    return value


def _pattern(key: str, value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._*-]+", value):
        raise InvalidConfig(key, value, "must be a name, in which * matches any text")
    return value


def _datetime(key: str, value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidConfig(key, value, "must be a date and a time with an offset, such as 2027-01-01T00:00:00Z")
    return value


def _roles(key: str, value: object) -> dict[str, Role]:
    if not isinstance(value, dict):
        raise InvalidConfig(key, value, "must be a table of paths and roles")
    return {path: _role(f'{key}."{path}"', role) for path, role in value.items()}


def _names(*roles: Role) -> dict[str, Role]:
    return {role.name.lower(): role for role in roles}


ROLES: Mapping[str, Role] = _names(Role.GUEST, Role.REPORTER, Role.DEVELOPER, Role.MAINTAINER, Role.OWNER)
"""The roles that a user can have in a project or a group, by their names in the file."""

_role: Callable[[str, object], Any] = partial(_choice, ROLES)
_texts = partial(_list, _non_empty_text)
_patterns = partial(_list, _pattern)
_visibility = partial(_choice, {str(visibility): visibility for visibility in Visibility})


def _scopes(key: str, value: object) -> frozenset[str]:
    return frozenset(_texts(key, value))


def _protection(key: str, value: object) -> ProtectionRule:
    rule: ProtectionRule = _protection_rule(key, value)
    if rule.minimum_push is None and rule.minimum_delete is None:
        raise InvalidConfig(key, rule.name, "needs minimum_push, minimum_delete or both")
    return rule


_protection_rule = _config(
    ProtectionRule,
    {
        "name": _pattern,
        "minimum_push": partial(_choice, _names(Role.MAINTAINER, Role.OWNER, Role.ADMIN)),
        "minimum_delete": partial(_choice, _names(Role.OWNER, Role.ADMIN)),
    },
    ("name",),
)

_group = _config(
    GroupConfig,
    {
        "id": _integer,
        "path": _text,
        "name": _text,
        "visibility": _visibility,
        "forward": _forward,
        "reserved": _patterns,
        "forward_always": _patterns,
    },
    ("path",),
)

_project = _config(
    ProjectConfig,
    {
        "id": _integer,
        "path": _text,
        "name": _text,
        "visibility": _visibility,
        "job_token_allowlist": _texts,
        "protect": partial(_list, _protection),
    },
    ("id", "path"),
)

_user = _config(User, {"name": _non_empty_text, "admin": _flag, "roles": _roles}, ("name",))

_token = _config(
    Token,
    {
        "name": _text,
        "kind": partial(_choice, {str(kind): kind for kind in TokenKind}),
        "user": _text,
        "scopes": _scopes,
        "on": _text,
        "sha256": _digest,
        "expires": _datetime,
        "revoked": _flag,
    },
    ("kind", "sha256"),
    {"on": "path"},
)

_FILE: Mapping[str, Reader] = {
    "forward_to": _forward,
    "max_file_size": _positive,
    "reserved": _patterns,
    "forward_always": _patterns,
    "groups": partial(_list, _group),
    "projects": partial(_list, _project),
    "users": partial(_list, _user),
    "tokens": partial(_list, _token),
}
