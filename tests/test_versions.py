"""GitLab's version rule: a table, `packaging` as the oracle, and texts made to be slow."""

import pickle
from importlib.metadata import version
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion as PackagingInvalidVersion
from packaging.version import Version

import pypi_registry
from pypi_registry.errors import InvalidVersion
from pypi_registry.versions import check_version, is_valid_version

# Older ones take letters beyond ASCII: no oracle, and the reason why we have rules of our own.
newest_packaging = pytest.mark.skipif(Version(version("packaging")) < Version("26.3"), reason="needs packaging 26.3")

VALID = [
    pytest.param("0", id="zero"),
    pytest.param("1", id="one number"),
    pytest.param("1.0", id="two numbers"),
    pytest.param("0.0.1", id="three numbers"),
    pytest.param("1.2.3.4.5.6.7.8.9.10", id="ten numbers"),
    pytest.param("2024.01.31", id="a date"),
    pytest.param("01.00", id="leading zeros"),
    pytest.param("v1.0", id="a leading v"),
    pytest.param("V1.0", id="a leading capital V"),
    pytest.param("1!2.0", id="an epoch"),
    pytest.param("01!01.00", id="an epoch with a leading zero"),
    pytest.param("v1!1.0", id="a v and an epoch"),
    pytest.param("1.0a1", id="alpha, short"),
    pytest.param("1.0b2", id="beta, short"),
    pytest.param("1.0c4", id="candidate, one letter"),
    pytest.param("1.0.c4", id="candidate, one letter, after a dot"),
    pytest.param("1.0rc1", id="candidate"),
    pytest.param("1.0RC1", id="candidate in capitals"),
    pytest.param("1.0.0-RC1", id="candidate in capitals, after a hyphen"),
    pytest.param("1.0alpha1", id="alpha"),
    pytest.param("1.0beta1", id="beta"),
    pytest.param("1.0pre2", id="pre"),
    pytest.param("1.0preview2", id="preview"),
    pytest.param("1.0-pre_2", id="pre between a hyphen and an underscore"),
    pytest.param("1.0_beta.3", id="beta between an underscore and a dot"),
    pytest.param("1.0a", id="alpha without a number"),
    pytest.param("1.0rc-", id="candidate with a hyphen and nothing after it"),
    pytest.param("1.0rc_", id="candidate with an underscore and nothing after it"),
    pytest.param("1.0rc.", id="candidate with a dot and nothing after it"),
    pytest.param("1.0rc-1", id="candidate with a hyphen before its number"),
    pytest.param("1.0rc--1", id="candidate with a hyphen, then a post release by a hyphen"),
    pytest.param("1.0-1", id="post release by a hyphen"),
    pytest.param("1.0.post1", id="post release"),
    pytest.param("1.0post", id="post release without a number"),
    pytest.param("1.0.POST1", id="post release in capitals"),
    pytest.param("1.0-post-1", id="post release between hyphens"),
    pytest.param("1.0rev2", id="rev"),
    pytest.param("1.0_rev_2", id="rev between underscores"),
    pytest.param("1.0r3", id="r"),
    pytest.param("1.0r", id="r without a number"),
    pytest.param("1.0.dev", id="development release without a number"),
    pytest.param("1.0dev1", id="development release"),
    pytest.param("1.0.dev456", id="development release after a dot"),
    pytest.param("1.0-DEV_4", id="development release in capitals"),
    pytest.param("1.0dev-", id="development release with a hyphen and nothing after it"),
    pytest.param("1.0-1-dev", id="post release by a hyphen, then dev"),
    pytest.param("1.0a2.dev456", id="alpha and dev"),
    pytest.param("1.0b2.post345.dev456", id="beta, post and dev"),
    pytest.param("1.0.post1.dev2", id="post and dev"),
    pytest.param("1.0+abc", id="local label"),
    pytest.param("1.0+ABC", id="local label in capitals"),
    pytest.param("1.0+0", id="local number"),
    pytest.param("1.0+abc.7", id="local label and number"),
    pytest.param("1.0+a_b-c.d", id="local labels with each separator"),
    pytest.param("1.0+0ab.0cd", id="local labels that begin with a digit"),
    pytest.param("1.0+ubuntu.1", id="local label of a distribution"),
    pytest.param("2.2.0+cu121", id="local label of a build"),
    pytest.param("1!1.2.3rc4.post5.dev6+abc.7", id="everything"),
    pytest.param("V1!1.2.3-RC_4-POST.5_DEV-6+ABC_7", id="everything, spelled differently"),
    pytest.param("1" * 4301, id="a number of 4301 digits"),
]

INVALID = [
    pytest.param("", 0, id="nothing"),
    pytest.param("latest", 0, id="a word"),
    pytest.param("v", 0, id="a v alone"),
    pytest.param("vv1.0", 0, id="two v"),
    pytest.param("v 1.0", 0, id="a blank after the v"),
    pytest.param("w1.0", 0, id="another letter than v"),
    pytest.param("a1", 0, id="alpha before the number"),
    pytest.param(".1", 0, id="a dot first"),
    pytest.param("-1", 0, id="a minus"),
    pytest.param("+1", 0, id="a plus"),
    pytest.param("!1", 0, id="an epoch without a number"),
    pytest.param("==1.0", 0, id="a specifier"),
    pytest.param("\u0661.\u0660", 0, id="Arabic digits"),
    pytest.param("\uff11.0", 0, id="a wide digit"),
    pytest.param("\ufeff1.0", 0, id="a byte order mark"),
    pytest.param(" 1.0", 0, id="a blank before"),
    pytest.param("\t1.0", 0, id="a tab before"),
    pytest.param("\n1.0", 0, id="a newline before"),
    pytest.param("\x1c1.0", 0, id="a file separator before"),
    pytest.param("1.0 ", 3, id="a blank after"),
    pytest.param("1.0\n", 3, id="a newline after"),
    pytest.param("1.0\r\n", 3, id="a line break after"),
    pytest.param("1.0\n2.0", 3, id="a second line"),
    pytest.param("1.0\u00a0", 3, id="a blank that does not break, after"),
    pytest.param("1.0\u2028", 3, id="a line separator after"),
    pytest.param("1.0\u200b", 3, id="a blank of no width after"),
    pytest.param("1.0\x00", 3, id="NUL after"),
    pytest.param("1. 0", 1, id="a blank within"),
    pytest.param("1.0.", 3, id="a dot last"),
    pytest.param("1..0", 1, id="two dots"),
    pytest.param("1.0.*", 3, id="a star"),
    pytest.param("1,0", 1, id="a comma"),
    pytest.param("1.x", 1, id="an x for a number"),
    pytest.param("1.0x", 3, id="a letter that means nothing"),
    pytest.param("1!", 1, id="an epoch alone"),
    pytest.param("1!!1", 1, id="two exclamation marks"),
    pytest.param("1!2!3", 3, id="two epochs"),
    pytest.param("1.1!2", 3, id="an epoch with a dot"),
    pytest.param("1.0_1", 3, id="post release by an underscore"),
    pytest.param("1.0--1", 3, id="post release by two hyphens"),
    pytest.param("1.0-", 3, id="a hyphen last"),
    pytest.param("1-1-1", 3, id="two post releases by hyphens"),
    pytest.param("1.0a1a2", 5, id="two alphas"),
    pytest.param("1.0rc..1", 6, id="two dots before the candidate's number"),
    pytest.param("1.0dev1.post1", 7, id="dev before post"),
    pytest.param("1.0.post1a1", 9, id="post before alpha"),
    pytest.param("1.0+", 3, id="a plus last"),
    pytest.param("1.0+a+b", 5, id="two local versions"),
    pytest.param("1.0+a..b", 5, id="an empty local label"),
    pytest.param("1.0+_a", 3, id="a local label that begins with an underscore"),
    pytest.param("1.0+a_", 5, id="a local label that ends in an underscore"),
    pytest.param("1.0+a.", 5, id="a local label that ends in a dot"),
    pytest.param("1.0+a b", 5, id="a local label with a blank"),
    pytest.param("1.0+a/b", 5, id="a local label with a slash"),
    pytest.param("1.0+é", 3, id="a local label with an accent"),
    pytest.param("1.0po\u017ft1", 3, id="the long s, which Ruby folds to s"),
    pytest.param("1.0+\u212a", 3, id="the Kelvin sign, which Ruby folds to k"),
    pytest.param("1.0+a\u212a", 5, id="the Kelvin sign within a local label"),
    pytest.param("1.0+\u017f", 3, id="the long s as a local label"),
    pytest.param("1.0alpha_x", 9, id="alpha, then a letter"),
    pytest.param("1.0beta1!", 8, id="beta, then an exclamation mark"),
    pytest.param("1.0preview2 ", 11, id="preview, then a blank"),
    pytest.param("1.0.rev1x", 8, id="rev, then a letter"),
    pytest.param("../1.0", 0, id="a path"),
    pytest.param("<b>1.0</b>", 0, id="markup"),
]


@pytest.mark.parametrize("text", VALID)
def test_a_version_that_gitlab_takes_is_valid(text: str) -> None:
    assert is_valid_version(text) is True
    check_version(text)


@pytest.mark.parametrize(("text", "position"), INVALID)
def test_a_version_that_gitlab_refuses_is_invalid(text: str, position: int) -> None:
    assert is_valid_version(text) is False
    with pytest.raises(InvalidVersion) as caught:
        check_version(text)
    assert caught.value.version == text


@pytest.mark.parametrize(("text", "position"), INVALID)
def test_the_position_is_the_end_of_the_longest_beginning_that_is_a_version(text: str, position: int) -> None:
    with pytest.raises(InvalidVersion) as caught:
        check_version(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "the version is empty", id="nothing"),
        pytest.param(
            "latest",
            "'latest' is not a valid version: it must begin with a number, or with 'v' and a number",
            id="a word",
        ),
        pytest.param("1.0_1", "'1.0_1' is not a valid version: unexpected '_1'", id="an end that does not belong"),
        pytest.param("1.0\n", "'1.0\\n' is not a valid version: unexpected '\\n'", id="a newline after"),
        pytest.param("1.0+", "'1.0+' is not a valid version: unexpected '+'", id="a local label that is not there"),
    ],
)
def test_a_version_is_refused_with_what_is_wrong_with_it(text: str, sentence: str) -> None:
    with pytest.raises(InvalidVersion) as caught:
        check_version(text)
    assert str(caught.value) == sentence


def test_the_refusal_is_a_value_error_that_can_be_pickled() -> None:
    with pytest.raises(ValueError) as caught:
        check_version("1.0_1")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, InvalidVersion)
    assert (again.version, again.position) == ("1.0_1", 3)


def test_the_validator_is_public() -> None:
    assert pypi_registry.is_valid_version is is_valid_version
    assert pypi_registry.check_version is check_version
    assert pypi_registry.InvalidVersion is InvalidVersion


def packaging_takes(text: str) -> bool:
    """Say what the oracle says; unlike GitLab it takes white space around a version."""
    if text != text.strip():
        return False
    try:
        Version(text)
    except PackagingInvalidVersion:
        return False
    return True


WORDS = ["a", "b", "c", "rc", "alpha", "beta", "pre", "preview", "post", "rev", "r", "dev"]
SEPARATORS = ["", ".", "-", "_"]
NUMBERS = ["", "0", "7", "007", str(2**70)]


def spellings(words: list[str]) -> list[str]:
    """Give every spelling of one segment of a version, and nothing, which is one too."""
    cases = [case for word in words for case in (word, word.upper(), word.title())]
    return ["", *("".join(pieces) for pieces in product(SEPARATORS, cases, SEPARATORS, NUMBERS))]


# Versions in every spelling.
VERSIONS = st.tuples(
    st.sampled_from(["", "v", "V"]),
    st.sampled_from(["", "0!", "1!", "01!"]),
    st.sampled_from(["0", "1", "01", "1.0", "1.2.3", "2024.01.31", f"1.{2**70}"]),
    st.sampled_from(spellings(WORDS[:8])),
    st.sampled_from(["-0", "-12", *spellings(WORDS[8:11])]),
    st.sampled_from(spellings(WORDS[11:])),
    st.sampled_from(["", "+a", "+0", "+ABC", "+a.1", "+0a-b_c.D"]),
).map("".join)

PIECES = st.sampled_from(
    [
        *WORDS,
        *(word.upper() for word in WORDS),
        *"0123456789!+.-_*vVxE",
        *" \t\n\x0b\x1c\x85\xa0\u2028\u200b\x00",
        *"\u017f\u212a\u0130\u0661\uff11é",
        "po\u017ft",
    ]
)

# A version with something put in or taken out somewhere; or a heap of pieces.
NEAR_VERSIONS = st.one_of(
    st.tuples(VERSIONS, st.integers(0, 25), st.integers(0, 2), PIECES | st.just("")).map(
        lambda change: change[0][: change[1]] + change[3] + change[0][change[1] + change[2] :]
    ),
    st.lists(PIECES, max_size=6).map("".join),
)


@given(VERSIONS)
@settings(max_examples=100, deadline=None)
def test_every_spelling_of_the_grammar_is_valid(text: str) -> None:
    assert is_valid_version(text)
    assert packaging_takes(text)


@newest_packaging
@given(NEAR_VERSIONS)
@example("1.0\n")
@example("1.0\x1c")
@settings(max_examples=300, deadline=None)
def test_the_language_is_that_of_packaging_without_white_space_around(text: str) -> None:
    assert is_valid_version(text) is packaging_takes(text)


@given(NEAR_VERSIONS)
@settings(max_examples=150, deadline=None)
def test_a_refusal_points_behind_the_longest_beginning_that_is_a_version(text: str) -> None:
    if is_valid_version(text):
        check_version(text)
        return
    with pytest.raises(InvalidVersion) as caught:
        check_version(text)
    beginnings = [end for end in range(1, len(text)) if is_valid_version(text[:end])]
    assert caught.value.position == max(beginnings, default=0)


@pytest.mark.parametrize("text", [" 1.0", "1.0 ", "1.0\n", "\t1.0", "1.0\u00a0", "\x1c1.0", "1.0\u2028"], ids=ascii)
def test_unlike_packaging_we_refuse_white_space_around(text: str) -> None:
    assert Version(text) == Version("1.0")
    assert not is_valid_version(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1." + "1" * 4301, id="in the release"),
        pytest.param("1" * 4301 + "!1", id="in the epoch"),
        pytest.param("1.0+" + "1" * 4301, id="in the local version"),
    ],
)
def test_unlike_packaging_we_take_a_number_of_more_than_4300_digits(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Version(text)
    assert not isinstance(caught.value, PackagingInvalidVersion)
    assert is_valid_version(text)


LONG = 100_000
HALF = LONG // 2
QUARTER = LONG // 4
SEGMENTS = "1." * QUARTER + "1a" + "1" * QUARTER + ".post" + "1" * QUARTER + ".dev" + "1" * QUARTER

ENDLESS = [
    pytest.param("1" * LONG, None, id="digits"),
    pytest.param("1" * LONG + "x", LONG, id="digits, then a letter"),
    pytest.param("1" * LONG + "\n", LONG, id="digits, then a newline"),
    pytest.param("1." * HALF + "1", None, id="numbers and dots"),
    pytest.param("1." * HALF, LONG - 1, id="numbers and dots, a dot last"),
    pytest.param("." * LONG, 0, id="dots only"),
    pytest.param("1" + "." * LONG, 1, id="a number, then dots only"),
    pytest.param("1" * HALF + "!" + "1" * HALF, None, id="a long epoch"),
    pytest.param("1" * HALF + "!" + "1" * HALF + "!", LONG + 1, id="two long epochs"),
    pytest.param("1!" * HALF, 3, id="nothing but epochs"),
    pytest.param("v" * LONG, 0, id="nothing but v"),
    pytest.param("1a" + "1" * LONG, None, id="a long alpha"),
    pytest.param("1a-" + "1" * LONG + "x", LONG + 3, id="a long alpha, then a letter"),
    pytest.param("1-" + "1" * LONG + "-", LONG + 2, id="a long post release, then a hyphen"),
    pytest.param("1.dev" + "1" * LONG + "_", LONG + 5, id="a long development release, then an underscore"),
    pytest.param("1" + "-1" * HALF, 3, id="nothing but post releases"),
    pytest.param("1" + "a" * LONG, 2, id="nothing but alphas"),
    pytest.param("1" + "dev" * LONG, 4, id="nothing but development releases"),
    pytest.param("1+" + "a" * LONG, None, id="a long local label"),
    pytest.param("1+" + "a" * LONG + "!", LONG + 2, id="a long local label, then an exclamation mark"),
    pytest.param("1+" + "a." * HALF + "a", None, id="many local labels"),
    pytest.param("1+" + "a." * HALF, LONG + 1, id="many local labels, a dot last"),
    pytest.param("1+" + "1-" * HALF + "+", LONG + 1, id="many local numbers, a plus last"),
    pytest.param(SEGMENTS, None, id="every segment long"),
    pytest.param(SEGMENTS + "x", len(SEGMENTS), id="every segment long, then a letter"),
    pytest.param("1" + " " * LONG, 1, id="a number, then blanks"),
    pytest.param(" " * LONG + "1", 0, id="blanks, then a number"),
]


@pytest.mark.parametrize(("text", "position"), ENDLESS)
def test_a_text_of_100_000_characters_is_decided(text: str, position: int | None) -> None:
    assert is_valid_version(text) is (position is None)


@pytest.mark.parametrize(("text", "position"), [row for row in ENDLESS if row.values[1] is not None])
def test_a_text_of_100_000_characters_is_refused_in_a_short_sentence(text: str, position: int) -> None:
    with pytest.raises(InvalidVersion) as caught:
        check_version(text)
    assert caught.value.position == position
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("text", "position"), [row for row in ENDLESS if row.values[1] is None])
def test_a_version_of_100_000_characters_is_not_refused(text: str, position: None) -> None:
    check_version(text)
