"""When two file names are spellings of one: the identity of a file."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name, canonicalize_version, parse_wheel_filename
from packaging.version import Version

from pypi_registry import _filenames
from pypi_registry._filenames import canonical_version, identity_of, parse_version, split_label

DEMO = NormalizedName("my-demo")

SPELLINGS = [
    [
        "My_Demo-1.0-py3-none-any.whl",
        "my.demo-1.0.0-py3-none-any.whl",
        "MY_DEMO-1-PY3-none-ANY.whl",
        "my_demo-v1.0-py3.py3-none-any.whl",
    ],
    ["my_demo-1.0-py2.py3-none-any.whl", "my_demo-1.0-py3.py2-none-any.whl"],
    [
        "my_demo-1.0-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "my_demo-1.0-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    ],
    ["my_demo-1.0-1-py3-none-any.whl", "my_demo-1.0-01-py3-none-any.whl"],
    ["my_demo-1.0-0-py3-none-any.whl", "my_demo-1.0-00-py3-none-any.whl"],
    ["my_demo-1.0-1a-py3-none-any.whl"],
    ["my_demo-1.0-1A-py3-none-any.whl"],
    ["my_demo-1.0-10-py3-none-any.whl"],
    ["my_demo-1.0-py3-none-any-x86_64_v3.whl", "My_Demo-1-py3-none-any-x86_64_v3.whl"],
    ["my_demo-1.0-1-py3-none-any-x86_64_v3.whl"],
    ["my_demo-1.0-py3-none-any-1.whl"],
    ["my_demo-1.0-1-py3-none-any-1.whl", "my_demo-1-01-py3-none-any-1.whl"],
    ["my_demo-1.0.tar.gz", "My-Demo-1.0.0.tar.gz", "my.demo-1.tar.gz"],
    ["my_demo-1.0.zip", "my-demo-1.zip"],
]
"""Each list holds the spellings of one name, of version 1.0."""

NONE = [
    "my_demo-1.1-py3-none-any.whl",
    "other-1.0-py3-none-any.whl",
    "my_demo-1.0.whl",
    "my_demo-1.0-none-any.whl",
    "my_demo-1.0-1-2-3-py3-none-any.whl",
    "my_demo-1.0-x-py3-none-any-label-label.whl",
    "my_demo-latest-py3-none-any.whl",
    "my_demo-1.1.tar.gz",
    "my_demo.tar.gz",
    "else-1.0.zip",
    "my_demo-1.0.exe",
    ".whl",
    ".zip",
    "",
    f"my_demo-{'1' * 5000}.zip",
]


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda spellings: spellings[0])
def test_the_spellings_of_a_file_name_have_one_identity(spellings: list[str]) -> None:
    [identity] = {identity_of(each, DEMO, version) for each in spellings for version in ("1.0", "1", "v1.0.0")}
    assert identity is not None
    assert identity_of(identity, DEMO, "1.0") == identity, "the identity is one of the spellings"


def test_different_files_have_different_identities() -> None:
    found = [identity_of(spellings[0], DEMO, "1.0") for spellings in SPELLINGS]
    assert len({*found}) == len(SPELLINGS)


@pytest.mark.parametrize("filename", NONE, ids=lambda filename: filename[:40] or "nothing")
def test_a_file_name_of_another_release_has_no_identity(filename: str) -> None:
    assert identity_of(filename, DEMO, "1.0") is None


@pytest.mark.parametrize("version", ["latest", "", "1" * 5000], ids=["a word", "nothing", "5000 digits"])
def test_an_invalid_version_has_no_identity(version: str) -> None:
    assert identity_of(f"my_demo-{version}.zip", DEMO, version) is None


def test_a_long_build_tag_is_no_error() -> None:
    build = "1" * 5000
    assert identity_of(f"my_demo-1.0-{build}-py3-none-any.whl", DEMO, "1.0") == f"my_demo-1-{build}-py3-none-any.whl"


_TAGS = st.lists(st.sampled_from(["py2", "py3", "PY3", "cp311", "none", "any", "linux_x86_64"]), min_size=1, max_size=3)
_WHEELS = st.builds(
    lambda name, version, build, *tags: "-".join([name, version, *build, *map(".".join, tags)]) + ".whl",
    st.sampled_from(["my_demo", "My.Demo", "MY_demo"]),
    st.sampled_from(["1.0", "1", "1.0.0", "1.0+local", "1.0+LOCAL", "1.0rc1"]),
    st.sampled_from([[], ["1"], ["01"], ["1a"], ["2"]]),
    _TAGS,
    _TAGS,
    _TAGS,
)


@given(st.lists(_WHEELS, min_size=2, max_size=6))
def test_two_wheels_have_one_identity_if_packaging_parses_the_same(filenames: list[str]) -> None:
    for one, other in combinations(filenames, 2):
        parsed = [parse_wheel_filename(filename) for filename in (one, other)]
        identities = [identity_of(filename, DEMO, str(Version(filename.split("-")[1]))) for filename in (one, other)]
        assert None not in identities
        assert (identities[0] == identities[1]) == (parsed[0] == parsed[1])


@pytest.mark.parametrize(
    ("filename", "label"),
    [
        ("demo-1.0-py3-none-any.whl", None),
        ("demo-1.0-7-py3-none-any.whl", None),
        ("demo-1.0-py3-none-any-q1.whl", "q1"),
        ("demo-1.0-py3-none-any-7.whl", "7"),
        ("demo-1.0-7-py3-none-any-q1.whl", "q1"),
        ("demo-1.0-py3-none-any-.whl", ""),
        ("demo-1.0-x-py3-none-any-q1.whl", None),
        ("demo-1.0-py3-none-any-q1-q2.whl", None),
        ("demo-1.0-7-3-none-any-q1.whl", None),
        ("demo-1.0.tar.gz", None),
        ("demo-1.0-py3-none-any-q1.zip", None),
    ],
)
def test_a_label_is_distinguished_from_a_build_tag(filename: str, label: str | None) -> None:
    found = split_label(filename)
    assert found[1] == label
    assert filename == (found[0] if label is None else f"{found[0].removesuffix('.whl')}-{label}.whl")


@given(st.text(max_size=40), st.text(max_size=10), st.sampled_from([".whl", ".zip", ".tar.gz", ""]))
def test_no_text_is_an_error(stem: str, version: str, suffix: str) -> None:
    identity = identity_of(stem + suffix, canonicalize_name(stem), version)
    assert identity is None or identity.endswith(suffix)


@pytest.mark.parametrize(("length", "is_cached"), [(255, True), (256, False)])
def test_a_long_version_does_not_go_into_the_caches(length: int, is_cached: bool) -> None:
    text = "1." + "0" * (length - 2)
    caches = _filenames._parsed_version, _filenames._canonical_version
    for cache in caches:
        cache.cache_clear()
    assert (parse_version(text), canonical_version(text)) == (Version("1.0"), "1")
    assert [cache.cache_info().currsize for cache in caches] == [is_cached, is_cached]


@pytest.mark.parametrize("text", ["1.0.0-RC1", "latest", "", "1!2.0+A.b", "x" * 300])
def test_a_canonical_version_is_that_of_packaging(text: str) -> None:
    assert canonical_version(text) == canonicalize_version(text)
