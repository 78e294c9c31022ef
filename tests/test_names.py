"""PEP 508's names, in ASCII, and PEP 503's one spelling of each."""

from importlib.metadata import version

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.utils import InvalidName as PackagingInvalidName
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import Version

from pypi_registry._names import normalize
from pypi_registry.errors import InvalidName

# Older ones take a final newline, and letters beyond ASCII: no oracle, and the reason why we have rules of our own.
newest_packaging = pytest.mark.skipif(Version(version("packaging")) < Version("26.3"), reason="needs packaging 26.3")


@pytest.mark.parametrize(
    ("text", "normalized_name"),
    [
        pytest.param("demo", "demo", id="as it is"),
        pytest.param("a", "a", id="one letter"),
        pytest.param("A", "a", id="one capital"),
        pytest.param("7", "7", id="one digit"),
        pytest.param("2to3", "2to3", id="a digit at the beginning"),
        pytest.param("Django", "django", id="a capital"),
        pytest.param("zope.interface", "zope-interface", id="a dot"),
        pytest.param("ruamel_yaml", "ruamel-yaml", id="an underscore"),
        pytest.param("my-pkg", "my-pkg", id="a hyphen"),
        pytest.param("My..Pkg__demo", "my-pkg-demo", id="dots and underscores, twice each"),
        pytest.param("a-_.-b", "a-b", id="a run of all three"),
        pytest.param("a" + "-" * 7 + "b", "a-b", id="seven hyphens"),
        pytest.param("I", "i", id="the capital that Turkish folds otherwise"),
        pytest.param("__init__"[2:6] + "-1.0", "init-1-0", id="what looks like a version at the end"),
    ],
)
def test_a_name_has_one_spelling(text: str, normalized_name: str) -> None:
    assert normalize(text) == normalized_name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("-", id="a hyphen alone"),
        pytest.param("_", id="an underscore alone"),
        pytest.param(".", id="a dot alone"),
        pytest.param("..", id="the folder above"),
        pytest.param("-demo", id="a hyphen at the beginning"),
        pytest.param("demo-", id="a hyphen at the end"),
        pytest.param("_demo", id="an underscore at the beginning"),
        pytest.param("demo_", id="an underscore at the end"),
        pytest.param(".demo", id="a dot at the beginning"),
        pytest.param("demo.", id="a dot at the end"),
        pytest.param("de mo", id="a blank"),
        pytest.param(" demo", id="a blank before"),
        pytest.param("demo ", id="a blank after"),
        pytest.param("demo\n", id="a newline after"),
        pytest.param("\ndemo", id="a newline before"),
        pytest.param("demo\r\nx", id="a line break within"),
        pytest.param("demo\x00", id="NUL"),
        pytest.param("de/mo", id="a slash"),
        pytest.param("de\\mo", id="a backslash"),
        pytest.param("@scope/demo", id="a scope, which GitLab takes"),
        pytest.param("a+b", id="a plus"),
        pytest.param("demo[extra]", id="an extra"),
        pytest.param("demo==1.0", id="a requirement"),
        pytest.param("<b>", id="markup"),
        pytest.param("%64emo", id="a percent sign"),
        pytest.param("café", id="an accent"),
        pytest.param("cafe\u0301", id="an accent of its own"),
        pytest.param("te\u017ft", id="the long s, which folds to s"),
        pytest.param("\u212a", id="the Kelvin sign, which folds to k"),
        pytest.param("\u0130", id="the dotted capital I"),
        pytest.param("d\u0435mo", id="a Cyrillic e"),
        pytest.param("\u0661", id="an Arabic digit"),
        pytest.param("\uff11", id="a wide digit"),
        pytest.param("demo\u200b", id="a blank of no width"),
        pytest.param("de\ud800mo", id="half a character"),
    ],
)
def test_what_is_no_name_is_refused_with_the_text_as_a_fact(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        normalize(text)
    assert caught.value.name == text


NAMES = st.text(st.sampled_from("aAzZ09kKsS._-._-"), min_size=1, max_size=12).map(lambda text: text.strip("._-") or "x")


@newest_packaging
@given(NAMES | st.text(st.sampled_from("aAzZ09kKsS._- \n\u017f\u212a\u00e9\u0661+/@"), max_size=8))
@example("demo\n")
@settings(max_examples=200, deadline=None)
def test_names_are_those_of_packaging(text: str) -> None:
    try:
        expected = canonicalize_name(text, validate=True)
    except PackagingInvalidName:
        with pytest.raises(InvalidName):
            normalize(text)
    else:
        assert normalize(text) == expected


@given(NAMES)
@settings(max_examples=100, deadline=None)
def test_a_normalized_name_is_its_own_spelling(text: str) -> None:
    normalized_name = normalize(text)
    assert is_normalized_name(normalized_name)
    assert normalize(normalized_name) == normalized_name


@pytest.mark.parametrize("run", ["-", ".", "_", "-_.", "a", "a-"])
def test_a_very_long_name_is_decided_all_the_same(run: str) -> None:
    text = "a" + run * (100_000 // len(run))
    assert normalize(text + "b").endswith("b")
    with pytest.raises(InvalidName):
        normalize(text + "!")
