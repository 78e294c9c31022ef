from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.accounts.wildcards import Patterns


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        # Without a wildcard: only the whole name
        ("acme", "acme", True),
        ("acme", "acme-x", False),
        ("acme", "my-acme", False),
        ("acme", "acm", False),
        ("acme-x", "acme-x", True),
        # All spellings are equal
        ("ACME", "acme", True),
        ("Acme_X", "acme-x", True),
        ("acme.x", "acme-x", True),
        ("acme.x", "acme1x", False),
        ("acme.-_x", "acme-x", True),
        ("acme--x", "acme-x", True),
        # A star matches any text, and the empty one
        ("*", "a", True),
        ("*", "acme-x-1", True),
        ("**", "acme", True),
        ("acme*", "acme", True),
        ("acme*", "acme-x", True),
        ("acme*", "acmeology", True),
        ("acme*", "my-acme", False),
        ("acme-*", "acme-x", True),
        ("acme-*", "acme-x-y", True),
        ("acme-*", "acme", False),
        ("acme-*", "acmex", False),
        ("Acme_*", "acme-x", True),
        ("acme.*", "acme-x", True),
        ("acme.*", "acmex", False),
        ("*acme", "acme", True),
        ("*acme", "my-acme", True),
        ("*acme", "acme-x", False),
        ("*-acme", "my-acme", True),
        ("*-acme", "acme", False),
        ("*acme*", "my-acme-x", True),
        ("*acme*", "acme", True),
        ("*acme*", "acm-e", False),
        ("a*e", "ae", True),
        ("a*e", "acme", True),
        ("a*e", "acmes", False),
        ("a*e", "a", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "axbxc", True),
        ("a*b*c", "acb", False),
        ("a*b*b", "ab", False),
        ("a*ab*b", "aab", False),
        ("a*ab*b", "aabb", True),
        ("acme-*-x", "acme-y-x", True),
        ("acme-*-x", "acme-x", False),
        ("acme_*_x", "acme-y-x", True),
        ("a***e", "acme", True),
        ("1*", "1-2", True),
        # No other character is special; Python code may pass any
        ("a?me", "acme", False),
        ("a+", "aaa", False),
        ("[a]cme", "acme", False),
        ("a|b", "a", False),
        ("(a)", "a", False),
        ("^a$", "a", False),
        ("a\\", "a", False),
        ("", "a", False),
    ],
)
def test_a_pattern_matches_a_name(pattern: str, name: str, matches: bool) -> None:
    assert Patterns([pattern]).match(NormalizedName(name)) == matches


@pytest.mark.parametrize(
    ("patterns", "matches"),
    [
        ([], False),
        (["acme"], True),
        (["other", "acme"], True),
        (["acme", "other"], True),
        (["other", "another"], False),
        (["oth*", "ac*"], True),
    ],
)
def test_one_of_many_patterns_is_enough(patterns: list[str], matches: bool) -> None:
    assert Patterns(patterns).match(NormalizedName("acme")) == matches
    assert Patterns(iter(patterns)).match(NormalizedName("acme")) == matches


NAMES = st.from_regex(r"[a-c1]([a-c1-]{0,12}[a-c1])?", fullmatch=True).map(canonicalize_name)
PATTERNS = st.from_regex(r"[A-Ca-c1._*-]{1,10}", fullmatch=True)


@given(PATTERNS, NAMES)
@hypothesis_settings(deadline=None, max_examples=300)
def test_a_star_matches_as_in_a_shell(pattern: str, name: NormalizedName) -> None:
    assert Patterns([pattern]).match(name) == fnmatchcase(name, canonicalize_name(pattern))


@given(NAMES, st.data())
@hypothesis_settings(deadline=None)
def test_a_star_matches_any_part_of_a_name(name: NormalizedName, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(name)))
    end = data.draw(st.integers(start, len(name)))
    assert Patterns([f"{name[:start]}*{name[end:]}"]).match(name)


@given(NAMES)
@hypothesis_settings(deadline=None)
def test_every_spelling_of_a_name_matches_it(name: NormalizedName) -> None:
    for separator in "-_.":
        assert Patterns([name.upper().replace("-", separator)]).match(name)


@given(st.lists(PATTERNS, max_size=5), NAMES)
@hypothesis_settings(deadline=None, max_examples=300)
def test_patterns_match_what_any_of_them_matches(patterns: list[str], name: NormalizedName) -> None:
    assert Patterns(patterns).match(name) == any(Patterns([pattern]).match(name) for pattern in patterns)
