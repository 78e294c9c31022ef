"""A ``registry.toml`` becomes entries: a table of keys for each of its tables, and how to read each value.

An unknown key is an error: a mistyped ``visibility`` must not open a project.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

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
from pypi_registry.forwarding import is_index
from pypi_registry.model import Visibility

Reader = Callable[[str, object], Any]
"""Takes the key, for messages, and what TOML has there; gives what an entry wants."""


def read_settings(path: Path) -> dict[str, Any]:
    """Read a file into the keyword arguments of `Accounts`.

    :raises InvalidSetting: for the first fault.
    :raises OSError: if the file cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidConfig("", None, f"this is not UTF-8 from byte {error.start} on") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise InvalidConfig("", None, f"this is not TOML: {error}") from None
    return _table(_FILE, (), "", document)


def _table(readers: Mapping[str, Reader], required: tuple[str, ...], key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidConfig(key, _shown(key, value), "must be a table")
    place = f"{key}." if key else ""
    for name in value:
        if name not in readers:
            close = difflib.get_close_matches(name, readers, 1)
            advice = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(readers)}"
            raise InvalidConfig(f"{place}{_plain(name)}", HIDDEN, f"there is no such key; {advice}")
    for name in required:
        if name not in value:
            raise InvalidConfig(f"{place}{name}", None, "is missing")
    return {name: readers[name](f"{place}{name}", inner) for name, inner in value.items()}


def _entry(make: Callable[..., Any], readers: Mapping[str, Reader], required: tuple[str, ...]) -> Reader:
    return lambda key, value: make(**_table(readers, required, key, value))


def _list(read: Reader, key: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidConfig(key, _shown(key, value), "must be a list")
    return tuple(read(f"{key}[{number}]", item) for number, item in enumerate(value, 1))


def _plain(name: str) -> str:
    # A key that could be no key may be a secret in the wrong place, or hold what a terminal obeys.
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,24}", name) else "(not shown)"


def _shown(key: str, value: object) -> object:
    return HIDDEN if re.fullmatch(r"tokens(\[[0-9]+\])?", key) else value


def _of_type(wanted: type, words: str, key: str, value: object) -> object:
    if type(value) is not wanted:  # True is an int to isinstance
        raise InvalidConfig(key, _shown(key, value), f"must be {words}")
    return value


_flag = partial(_of_type, bool, "true or false")
_text = partial(_of_type, str, "a text")
_number = partial(_of_type, int, "a whole number")


def _some_text(key: str, value: object) -> object:
    if not _text(key, value):
        raise InvalidConfig(key, value, "must not be empty")
    return value


def _digest(key: str, value: object) -> object:
    if not isinstance(value, str):
        raise InvalidConfig(key, HIDDEN, "must be a text")
    return value


def _choice(choices: Mapping[str, Enum], key: str, value: object) -> Enum:
    if not isinstance(value, str) or value not in choices:
        raise InvalidConfig(key, value, f"must be one of {', '.join(choices)}")
    return choices[value]


def _positive(key: str, value: object) -> object:
    if type(value) is not int or value <= 0:
        raise InvalidConfig(key, value, "must be a whole number of bytes above 0")
    return value


def _forward(key: str, value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and "@" in value:
        raise InvalidConfig(key, HIDDEN, "must hold no user and no password: every client would be shown them")
    if not isinstance(value, str) or not is_index(value):
        shown = value if isinstance(value, str | int | float) and "?" not in str(value) else HIDDEN
        raise InvalidConfig(key, shown, "must be true, false or the http(s) address of a simple index")
    return value


def _pattern(key: str, value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._*-]+", value):
        raise InvalidConfig(key, value, "must be a name, in which * stands for anything")
    return value


def _moment(key: str, value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidConfig(key, value, "must be a date and a time with an offset, such as 2027-01-01T00:00:00Z")
    return value


def _roles(key: str, value: object) -> dict[str, Role]:
    if not isinstance(value, dict):
        raise InvalidConfig(key, value, "must be a table of paths and roles")
    return {path: _role(f'{key}."{path}"', role) for path, role in value.items()}


def _names(*roles: Role) -> dict[str, Role]:
    return {role.name.lower(): role for role in roles}


_role: Callable[[str, object], Any] = partial(
    _choice, _names(Role.GUEST, Role.REPORTER, Role.DEVELOPER, Role.MAINTAINER, Role.OWNER)
)
_texts = partial(_list, _some_text)
_patterns = partial(_list, _pattern)
_visibility = partial(_choice, {str(visibility): visibility for visibility in Visibility})


def _scopes(key: str, value: object) -> frozenset[str]:
    return frozenset(_texts(key, value))


def _protection(key: str, value: object) -> ProtectionRule:
    rule: ProtectionRule = _protection_entry(key, value)
    if rule.minimum_push is None and rule.minimum_delete is None:
        raise InvalidConfig(key, rule.name, "needs minimum_push, minimum_delete or both")
    return rule


_protection_entry = _entry(
    ProtectionRule,
    {
        "name": _pattern,
        "minimum_push": partial(_choice, _names(Role.MAINTAINER, Role.OWNER, Role.ADMIN)),
        "minimum_delete": partial(_choice, _names(Role.OWNER, Role.ADMIN)),
    },
    ("name",),
)

_group = _entry(
    GroupConfig,
    {
        "id": _number,
        "path": _text,
        "name": _text,
        "visibility": _visibility,
        "forward": _forward,
        "reserved": _patterns,
        "forward_always": _patterns,
    },
    ("path",),
)

_project = _entry(
    ProjectConfig,
    {
        "id": _number,
        "path": _text,
        "name": _text,
        "visibility": _visibility,
        "job_token_allowlist": _texts,
        "protect": partial(_list, _protection),
    },
    ("id", "path"),
)

_user = _entry(User, {"name": _some_text, "admin": _flag, "roles": _roles}, ("name",))

_token = _entry(
    Token,
    {
        "name": _text,
        "kind": partial(_choice, {str(kind): kind for kind in TokenKind}),
        "user": _text,
        "scopes": _scopes,
        "on": _text,
        "sha256": _digest,
        "expires": _moment,
        "revoked": _flag,
    },
    ("kind", "sha256"),
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
