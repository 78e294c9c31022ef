"""Full paths of projects and groups."""

import hashlib

import pytest

from pypi_registry._paths import fold, id_from_path, is_below, is_valid_path, last_segment, paths_above, root_of


@pytest.mark.parametrize(
    "text",
    ["acme", "acme/tools", "a/b/c/d/e/f", "my.libs/tools-2_x", "_acme/.hidden", "1/2", "a..b", "A/B", "42", "..."],
)
def test_a_path_is_made_of_segments(text: str) -> None:
    assert is_valid_path(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/acme",
        "acme/",
        "acme//tools",
        ".",
        "..",
        "acme/..",
        "../acme",
        "acme/./tools",
        "-acme",
        "acme/-/tools",
        "ac me",
        "acme\n",
        "acme\0",
        "acme\\tools",
        "acme%2Ftools",
        "café",
        "ac:me",
        "acme?",
    ],
    ids=repr,
)
def test_any_other_text_is_not_a_path(text: str) -> None:
    assert not is_valid_path(text)


def test_the_id_of_a_path_is_the_same_on_every_machine_and_in_any_case() -> None:
    assert id_from_path("acme/tools") == int(hashlib.sha256(b"acme/tools").hexdigest()[:16], 16) % 10**15
    assert id_from_path("Acme/TOOLS") == id_from_path("acme/tools")


def test_the_ids_of_paths_differ_and_fit_into_a_double() -> None:
    ids = {id_from_path(f"acme/{index}") for index in range(2000)}
    assert len(ids) == 2000
    assert all(0 <= id_ < 2**53 and float(id_) == id_ for id_ in ids)


@pytest.mark.parametrize(
    ("path", "root", "last", "above"),
    [
        ("acme", "acme", "acme", []),
        ("Acme/Tools", "acme", "Tools", ["Acme"]),
        ("acme/libs/Tools", "acme", "Tools", ["acme", "acme/libs"]),
    ],
)
def test_the_parts_of_a_path(path: str, root: str, last: str, above: list[str]) -> None:
    assert (root_of(path), last_segment(path), paths_above(path)) == (root, last, above)


@pytest.mark.parametrize(
    ("path", "group", "expected"),
    [
        ("acme/tools", "acme", True),
        ("acme/libs/tools", "acme", True),
        ("acme", "acme", False),
        ("acme2/tools", "acme", False),
        ("other/acme/tools", "acme", False),
        ("acme/tools", "", False),
    ],
)
def test_a_path_is_below_a_group_or_not(path: str, group: str, expected: bool) -> None:
    assert is_below(path, group) is expected


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Acme/Tools", "acme/tools"),
        ("acme/\N{KELVIN SIGN}it", "acme/\N{KELVIN SIGN}it"),
        ("ACME/\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "acme/\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"),
        ("\N{LATIN CAPITAL LETTER E WITH ACUTE}", "\N{LATIN CAPITAL LETTER E WITH ACUTE}"),
        ("A\ud800\0", "a\ud800\0"),
    ],
)
def test_only_ascii_letters_have_a_case(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert root_of(text) == folded.partition("/")[0]


def test_a_path_has_at_most_1000_characters() -> None:
    assert is_valid_path("a/" * 499 + "ab")
    assert not is_valid_path("a/" * 500 + "a")
