"""Which versions are removed, as a table."""

from datetime import UTC, datetime, timedelta

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._maintenance.prune import Candidate, Kind, Rule, kind_of, parse_age, removable
from pypi_registry.model import Package

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BOTH = frozenset(Kind)
PRE, DEV = frozenset({Kind.PRE_RELEASE}), frozenset({Kind.DEV_RELEASE})


def keep(number: int, kinds: frozenset[Kind] = frozenset()) -> Rule:
    return Rule(keep=number, kinds=kinds)


def older_than(days: int, kinds: frozenset[Kind] = frozenset()) -> Rule:
    return Rule(older_than=NOW - timedelta(days), kinds=kinds)


def keep_and_older_than(number: int, days: int, kinds: frozenset[Kind] = frozenset()) -> Rule:
    return Rule(number, NOW - timedelta(days), kinds)


def candidates(text: str) -> list[Candidate]:
    """Return versions from a text: ``1.0@30!`` is 30 days old and yanked."""
    found = []
    for number, word in enumerate(text.split()):
        version, _, age = word.removesuffix("!").partition("@")
        yanked = "" if word.endswith("!") else None
        package = Package(number, 1, "demo", NormalizedName("demo"), version, NOW, yanked)
        found.append(Candidate(package, NOW - timedelta(int(age or 0))))
    return found


@pytest.mark.parametrize(
    ("versions", "rule", "removed"),
    [
        # Versions are compared as versions, in whatever order they were published.
        ("1.10 1.9 1.2", keep(1), "1.2 1.9"),
        ("1.10 1.9 1.2", keep(2), "1.2"),
        ("1.10 1.9 1.2", keep(3), ""),
        ("1.10 1.9 1.2", keep(100), ""),
        ("2.0rc1 2.0 2.0.post1 2.0.dev1 1!0.1", keep(1), "2.0.dev1 2.0rc1 2.0 2.0.post1"),
        ("1.0+local 1.0", keep(1), "1.0"),
        ("1.0", keep(1), ""),
        ("", keep(1), ""),
        # The N highest of all versions stay; of the others only the kinds are removed.
        ("1.0 1.1a1 1.1 1.2.dev1 1.2", keep(2, PRE), "1.1a1"),
        ("1.0 1.1a1 1.1 1.2.dev1 1.2", keep(1, DEV), "1.2.dev1"),
        ("1.0 1.1a1 1.1 1.2.dev1 1.2", keep(2, DEV), ""),
        ("1.0 1.1a1 1.1 1.2.dev1 1.2", keep(1, BOTH), "1.1a1 1.2.dev1"),
        ("1.0a1 1.0b1 1.0rc1", keep(1, PRE), "1.0a1 1.0b1"),
        ("1.0rc1.dev2 1.0", keep(1, PRE), ""),
        ("1.0rc1.dev2 1.0", keep(1, DEV), "1.0rc1.dev2"),
        ("1.0.post1.dev1 2.0", keep(1, DEV), "1.0.post1.dev1"),
        ("1.0.post1 2.0", keep(1, BOTH), ""),
        # By age: a version is as old as its newest file, and the highest stays at any age.
        ("1.0@400 1.1@100 1.2@10", older_than(90), "1.0 1.1"),
        ("1.0@90 1.1", older_than(90), ""),
        ("1.0@91 1.1", older_than(90), "1.0"),
        ("2.0@400 1.0@1", older_than(90), ""),
        # Both conditions hold.
        ("1.0@400 1.1@300 1.2@200 1.3@1", keep_and_older_than(2, 90), "1.0 1.1"),
        ("1.0@400 1.1@1 1.2@1 1.3@1", keep_and_older_than(2, 90), "1.0"),
        ("1.0@400 1.1@300 1.2@200", keep_and_older_than(3, 90), ""),
        ("1.0@1 1.1@1 1.2@1", keep_and_older_than(1, 90), ""),
        ("1.0@400! 1.1@400 1.2@400! 1.3@400!", keep_and_older_than(1, 90), "1.0 1.2"),
        ("1.0@400 1.1.dev1@400 1.1.dev2@1 1.1@400 1.2@1", keep_and_older_than(1, 90, DEV), "1.1.dev1"),
        ("1.0@400 1.1@400", older_than(90), "1.0"),
        ("1.0@400 1.1a1@400 1.1@1", older_than(90, PRE), "1.1a1"),
        # What pip installs stays, too.
        ("1.0 2.0 3.0!", keep(1), "1.0"),
        ("1.0 2.0! 3.0!", keep(1), "2.0"),
        ("1.0! 2.0!", keep(1), "1.0"),
        ("1.0@400 2.0@400 3.0@1!", older_than(90), "1.0"),
    ],
)
def test_which_versions_are_removed(versions: str, rule: Rule, removed: str) -> None:
    assert [each.package.version for each in removable(candidates(versions), rule)] == removed.split()


@pytest.mark.parametrize(
    ("text", "hours"), [("36h", 36), ("90d", 90 * 24), ("12w", 12 * 7 * 24), ("99999d", 99999 * 24)]
)
def test_ages(text: str, hours: int) -> None:
    assert parse_age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5d", "1 d", "90D", "1y", "100000d", "٣d", "1d\n"])
def test_texts_that_are_no_ages(text: str) -> None:
    assert parse_age(text) is None


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("1.0", None),
        ("1.0.post1", None),
        ("1.0a1", Kind.PRE_RELEASE),
        ("1.0rc1.post1", Kind.PRE_RELEASE),
        ("1.0.dev1", Kind.DEV_RELEASE),
        ("1.0a1.dev1", Kind.DEV_RELEASE),
    ],
)
def test_each_version_is_of_one_kind_or_none(version: str, kind: Kind | None) -> None:
    assert kind_of(Version(version)) is kind
