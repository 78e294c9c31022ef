"""Full paths of projects and groups, such as ``acme/libs/tools``. Pure functions."""

import hashlib
import re
import string

MAX_DIGITS = 18
"""Decimal digits of an id at most, so that every id fits into 64 bits."""

_MAX_PATH = 1_000  # characters; in an open registry anyone may choose a path
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# GitLab's manual, "Rules for project and group names": letters, digits, '_', '-' and '.', not beginning with '-'.
_PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*")


def is_valid_path(text: str) -> bool:
    """Return whether a project or a group can have this full path.

    >>> is_valid_path("acme/libs/my.tools_2"), is_valid_path("acme//tools"), is_valid_path("acme/../tools")
    (True, False, False)
    """
    return len(text) <= _MAX_PATH and _PATH.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


def fold(text: str) -> str:
    """Return a path as paths are compared: GitLab ignores their case. Only ASCII letters have one.

    In Unicode the Kelvin sign is an upper-case "k", so `str.lower` would find a project at a path that it has not.

    >>> fold("Acme/Tools"), fold("acme/\N{KELVIN SIGN}it") == "acme/kit"
    ('acme/tools', False)
    """
    return text.lower() if text.isascii() else text.translate(_LOWER)


def id_from_path(path: str) -> int:
    """Derive an id from a path: the same on every machine and in any order of uploads.

    The id has 15 digits, so that programs which store JSON numbers as doubles do not round it. Case is ignored, as in
    GitLab.

    >>> id_from_path("acme/tools") == id_from_path("Acme/Tools")
    True
    """
    digest = hashlib.sha256(fold(path).encode()).digest()
    return int.from_bytes(digest[:8]) % 10**15


def last_segment(path: str) -> str:
    """Return the last segment of a path.

    >>> last_segment("acme/libs/tools")
    'tools'
    """
    return path.rpartition("/")[2]


def root_of(path: str) -> str:
    """Return the root group of a path in lower case, because GitLab ignores the case of paths.

    >>> root_of("Acme/libs/tools")
    'acme'
    """
    return fold(path.partition("/")[0])


def is_below(path: str, group: str) -> bool:
    """Return whether a path is inside the group at `group`, at any depth.

    >>> is_below("acme/libs/tools", "acme"), is_below("acme2/tools", "acme")
    (True, False)
    """
    return path.startswith(f"{group}/")


def paths_above(path: str) -> list[str]:
    """Return the paths of the groups that contain a path, the root group first.

    >>> paths_above("acme/libs/tools")
    ['acme', 'acme/libs']
    """
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments))]
