"""Patterns of names, as in GitLab's protection rules: ``*`` stands for anything, spellings are alike."""

from collections.abc import Iterable

from packaging.utils import NormalizedName, canonicalize_name


def matches(patterns: Iterable[str], name: NormalizedName) -> bool:
    """Tell whether any of the patterns is one of this name.

    >>> matches(["Acme_*"], NormalizedName("acme-tools")), matches(["acme"], NormalizedName("acme-tools"))
    (True, False)
    """
    return any(_matches(canonicalize_name(pattern), name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    # By hand, as a regular expression with several stars takes its time with a long name that a stranger chose.
    first, *middle = pattern.split("*")
    if not middle:
        return name == first
    last = middle.pop()
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
