"""Patterns of names, as in GitLab's protection rules: ``*`` stands for anything, spellings are alike."""

import re
from collections.abc import Iterable

from packaging.utils import NormalizedName, canonicalize_name


def matches(patterns: Iterable[str], name: NormalizedName) -> bool:
    """Tell whether any of the patterns is one of this name.

    >>> matches(["Acme_*"], NormalizedName("acme-tools")), matches(["acme"], NormalizedName("acme-tools"))
    (True, False)
    """
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, canonicalize_name(pattern).split("*"))))
