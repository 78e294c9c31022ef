"""Which old versions of a name are to be removed: pure decisions."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from packaging.version import Version

from pypi_registry.model import Package

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Kind(Enum):
    """The kinds of version that a rule may be limited to (version specifiers specification)."""

    PRE_RELEASE = auto()
    """Alpha, beta, release candidate; not one that is also a developmental release."""
    DEV_RELEASE = auto()
    """Developmental release."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which versions of each name are removed: those that meet all conditions. `keep`, `older_than` or both are set."""

    keep: int | None = None
    """How many of the highest versions are kept."""
    older_than: datetime | None = None
    """A version is removed if its newest file was uploaded before this time."""
    kinds: Collection[Kind] = ()
    """Only versions of these kinds are removed; empty means all versions."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a name."""

    package: Package
    uploaded_at: datetime
    """When its newest file was uploaded; aware, UTC."""


def parse_age(text: str) -> timedelta | None:
    """Return an age such as ``90d``, ``12w`` or ``36h``; None if the text is not an age.

    >>> parse_age("90d"), parse_age("90"), parse_age("0d")
    (datetime.timedelta(days=90), None, None)
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text, re.ASCII)
    return int(match[1]) * _UNITS[match[2]] if match else None


def removable(candidates: Iterable[Candidate], rule: Rule) -> Sequence[Candidate]:
    """Return which versions of one name are to be removed, the lowest first.

    Two versions always stay: the highest one, and the highest one that is not yanked, which pip installs.
    """
    ordered = sorted(candidates, key=lambda each: (Version(each.package.version), each.package.id))
    kept = {each.package.id for each in ordered[-(rule.keep or 1) :]}
    kept |= {each.package.id for each in [each for each in ordered if each.package.yanked is None][-1:]}
    return [each for each in ordered if each.package.id not in kept and _is_meant(each, rule)]


def _is_meant(candidate: Candidate, rule: Rule) -> bool:
    if rule.older_than is not None and candidate.uploaded_at >= rule.older_than:
        return False
    return not rule.kinds or kind_of(Version(candidate.package.version)) in rule.kinds


def kind_of(version: Version) -> Kind | None:
    """Return the kind of a version; None for a final or a post release.

    >>> kind_of(Version("1.0rc1")), kind_of(Version("1.0rc1.dev2")), kind_of(Version("1.0.post1"))
    (<Kind.PRE_RELEASE: 1>, <Kind.DEV_RELEASE: 2>, None)
    """
    if version.is_devrelease:
        return Kind.DEV_RELEASE
    return Kind.PRE_RELEASE if version.is_prerelease else None
