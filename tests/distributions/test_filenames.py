"""What may be a distribution's file name, for a given name and version."""

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from pypi_registry._filenames import split_label
from pypi_registry.distributions.filenames import filename_problems, wheel_name_and_version


def problems_of(filename: str, name: str = "demo", version: str = "1.0") -> list[str]:
    return list(filename_problems(filename, NormalizedName(name), version))


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        pytest.param("demo-1.0-py3-none-any.whl", "demo", "1.0", id="wheel"),
        pytest.param("six-1.16.0-py2.py3-none-any.whl", "six", "1.16.0", id="wheel for two Pythons"),
        pytest.param("zope.interface-6.0-cp311-cp311-win_amd64.whl", "zope-interface", "6.0", id="wheel with a dot"),
        pytest.param("ruamel_yaml-0.18.6-py3-none-any.whl", "ruamel-yaml", "0.18.6", id="wheel with an underscore"),
        pytest.param("PyYAML-6.0.1-cp311-cp311-macosx_11_0_arm64.whl", "pyyaml", "6.0.1", id="wheel with capitals"),
        pytest.param("My.Pkg_Demo-1.0-py3-none-any.whl", "my-pkg-demo", "1.0", id="wheel with dot and underscore"),
        pytest.param(
            "cryptography-42.0.5-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "cryptography",
            "42.0.5",
            id="wheel with many tags",
        ),
        pytest.param("demo-1.0-1-py3-none-any.whl", "demo", "1.0", id="wheel with a build tag"),
        pytest.param("demo-1.0-2024_abc.1-py3-none-any.whl", "demo", "1.0", id="wheel with a long build tag"),
        pytest.param("demo-1!2.0-py3-none-any.whl", "demo", "1!2.0", id="wheel with an epoch"),
        pytest.param("demo-1.0-py3-none-any-x86_64_v3.whl", "demo", "1.0", id="variant"),
        pytest.param("demo-1.0-py3-none-any-null.whl", "demo", "1.0", id="null variant"),
        pytest.param("demo-1.0-py3-none-any-2fast.whl", "demo", "1.0", id="variant whose label begins with a digit"),
        pytest.param("demo-1.0-7-py3-none-any-q1.whl", "demo", "1.0", id="variant with a build tag"),
        pytest.param("demo-1.0-py3-none-any-_._.whl", "demo", "1.0", id="variant without a letter in its label"),
        pytest.param("torch-2.2.0+cu121-cp311-cp311-linux_x86_64.whl", "torch", "2.2.0+cu121", id="local wheel"),
        pytest.param("demo-1.0+ubuntu_1-py3-none-any.whl", "demo", "1.0+ubuntu.1", id="local wheel, escaped"),
        pytest.param("demo-1.0.post1.dev2-py3-none-any.whl", "demo", "1.0.post1.dev2", id="wheel of a post release"),
        pytest.param(
            "demo-1.0.0rc1-py3-none-any.whl", "demo", "1.0.0-RC1", id="wheel of a candidate, spelled otherwise"
        ),
        pytest.param("demo-1.0-py3-none-any.whl", "demo", "1.0.0", id="wheel of an equal version"),
        pytest.param("demo-1-py3-none-any.whl", "demo", "v1.0", id="wheel of an equal version, with v"),
        pytest.param("demo-1.0.tar.gz", "demo", "1.0", id="sdist"),
        pytest.param("my_pkg_demo-1.0.tar.gz", "my-pkg-demo", "1.0", id="sdist of today"),
        pytest.param("pytz-2024.1.zip", "pytz", "2024.1", id="zipped sdist"),
        pytest.param("Zope.Interface-6.0.zip", "zope-interface", "6.0", id="zipped sdist with capitals"),
        pytest.param("backports.zoneinfo-0.2.1.tar.gz", "backports-zoneinfo", "0.2.1", id="sdist with a dot"),
        pytest.param("PyYAML-6.0.1.tar.gz", "pyyaml", "6.0.1", id="sdist with capitals"),
        pytest.param("python-dateutil-2.9.0.post0.tar.gz", "python-dateutil", "2.9.0.post0", id="sdist with a hyphen"),
        pytest.param("zope-interface-3.0-1.tar.gz", "zope-interface", "3.0-1", id="sdist with hyphens everywhere"),
        pytest.param("demo-1.0-rc-1.tar.gz", "demo", "1.0rc1", id="sdist with hyphens in its version"),
        pytest.param("demo-1.0.0-RC1.tar.gz", "demo", "1.0.0rc1", id="sdist of a candidate, spelled otherwise"),
        pytest.param("demo-1!2.0.tar.gz", "demo", "1!2.0", id="sdist with an epoch"),
        pytest.param("my_pkg_demo-1.0.0rc1+local.1.tar.gz", "my-pkg-demo", "1.0.0rc1+local.1", id="local sdist"),
        pytest.param("demo-1.0+local-1.tar.gz", "demo", "1.0+local.1", id="local sdist with a hyphen"),
        pytest.param("demo-v1.0.tar.gz", "demo", "1.0", id="sdist with v"),
        pytest.param("2to3-1.0.tar.gz", "2to3", "1.0", id="sdist that begins with a digit"),
        pytest.param("a-1-0.tar.gz", "a-1", "0", id="sdist of two readings, this one"),
        pytest.param("a-1-0.tar.gz", "a", "1.post0", id="sdist of two readings, or this one"),
    ],
)
def test_a_file_name_that_agrees_has_no_problem(filename: str, name: str, version: str) -> None:
    assert problems_of(filename, name, version) == []


UNSAFE = "is invalid: at most 255 letters, digits and '._+!-', no path"
UNKNOWN = "has neither the suffix of a wheel (.whl) nor that of an sdist (.tar.gz, .zip)"
NO_WHEEL = "is not valid for a wheel: "
NO_LABEL = "is not made of lower-case letters, digits, '_' and '.'"
DIGIT = "its Python tag '3' begins with a digit"
DISAGREES = "does not match the name demo and the version '1.0'"


@pytest.mark.parametrize(
    ("filename", "problem"),
    [
        pytest.param("", UNSAFE, id="nothing"),
        pytest.param(".", UNSAFE, id="the folder itself"),
        pytest.param("..", UNSAFE, id="the folder above"),
        pytest.param("../../demo-1.0.tar.gz", UNSAFE, id="a path upwards"),
        pytest.param("../demo-1.0-py3-none-any.whl", UNSAFE, id="a wheel's path upwards"),
        pytest.param("/demo-1.0.tar.gz", UNSAFE, id="a path from the root"),
        pytest.param("dist/demo-1.0.tar.gz", UNSAFE, id="a path downwards"),
        pytest.param("..\\..\\demo-1.0.tar.gz", UNSAFE, id="a path upwards, with backslashes"),
        pytest.param("C:\\dist\\demo-1.0.tar.gz", UNSAFE, id="a path from a drive"),
        pytest.param("C:demo-1.0.tar.gz", UNSAFE, id="a path within a drive"),
        pytest.param("demo-1.0.tar.gz:stream", UNSAFE, id="an alternate stream"),
        pytest.param("demo\x00-1.0.tar.gz", UNSAFE, id="NUL in the name"),
        pytest.param("demo-1.0.tar.gz\x00", UNSAFE, id="NUL at the end"),
        pytest.param("demo-1.0-py3-none-any\x00.whl", UNSAFE, id="NUL in a tag"),
        pytest.param("demo-1.0.tar.gz\n", UNSAFE, id="a newline at the end"),
        pytest.param("demo\n-1.0.tar.gz", UNSAFE, id="a newline in the name"),
        pytest.param("demo-1.0.tar.gz\r\nX-Header: 1", UNSAFE, id="a header"),
        pytest.param("demo-1.0 .tar.gz", UNSAFE, id="a blank"),
        pytest.param(" demo-1.0.tar.gz", UNSAFE, id="a blank first"),
        pytest.param('demo"-1.0.tar.gz', UNSAFE, id="a quote"),
        pytest.param("demo'-1.0.tar.gz", UNSAFE, id="an apostrophe"),
        pytest.param('demo-1.0-py3-none-any"onclick="x.whl', UNSAFE, id="an attribute in a tag"),
        pytest.param("demo-1.0-py3-none-<b>.whl", UNSAFE, id="markup in a tag"),
        pytest.param("<b>demo</b>-1.0.tar.gz", UNSAFE, id="markup in the name"),
        pytest.param("demo&amp;-1.0.tar.gz", UNSAFE, id="an entity"),
        pytest.param("demo%2F-1.0.tar.gz", UNSAFE, id="a percent sign"),
        pytest.param("demo-1.0.tar.gz?x", UNSAFE, id="a query"),
        pytest.param("demo-1.0.tar.gz#x", UNSAFE, id="a fragment"),
        pytest.param("demo;-1.0.tar.gz", UNSAFE, id="a semicolon"),
        pytest.param("démo-1.0.tar.gz", UNSAFE, id="an accent"),
        pytest.param("demo-1.\uff10.tar.gz", UNSAFE, id="a wide digit"),
        pytest.param("te\u017ft-1.0.tar.gz", UNSAFE, id="the long s"),
        pytest.param("demo\u200b-1.0.tar.gz", UNSAFE, id="a blank of no width"),
        pytest.param("demo\u202ezg.rat.tar.gz", UNSAFE, id="text turned around"),
        pytest.param("demo\ud800-1.0.tar.gz", UNSAFE, id="half a character"),
        pytest.param("-1.0.tar.gz", UNSAFE, id="a hyphen first"),
        pytest.param(".demo-1.0.tar.gz", UNSAFE, id="a dot first"),
        pytest.param(".whl", UNSAFE, id="the ending of a wheel alone"),
        pytest.param(".tar.gz", UNSAFE, id="the ending of an sdist alone"),
        pytest.param("d" * 300 + "-1.0.tar.gz", UNSAFE, id="300 characters"),
        pytest.param("demo-1.0." + "0" * 5000 + ".tar.gz", UNSAFE, id="5000 digits"),
        pytest.param("demo-1.0." + "0" * 5000 + "-py3-none-any.whl", UNSAFE, id="a wheel with 5000 digits"),
        pytest.param("demo-1.0-py3.7.egg", UNKNOWN, id="an egg"),
        pytest.param("demo-1.0-py3-none-any.WHL", UNKNOWN, id="a wheel in capitals"),
        pytest.param("demo-1.0.TAR.GZ", UNKNOWN, id="an sdist in capitals"),
        pytest.param("demo-1.0.tgz", UNKNOWN, id="tgz"),
        pytest.param("demo-1.0.tar.bz2", UNKNOWN, id="tar.bz2"),
        pytest.param("demo-1.0.tar", UNKNOWN, id="tar"),
        pytest.param("demo-1.0.gz", UNKNOWN, id="gz"),
        pytest.param("demo-1.0.win32.exe", UNKNOWN, id="a Windows installer"),
        pytest.param("demo-1.0.tar.gz.asc", UNKNOWN, id="a signature"),
        pytest.param("demo-1.0-py3-none-any.whl.metadata", UNKNOWN, id="the metadata of a wheel"),
        pytest.param("demo", UNKNOWN, id="no ending"),
        pytest.param("demo.whl", NO_WHEEL, id="a wheel's name alone"),
        pytest.param("demo-1.0.whl", NO_WHEEL, id="a wheel without tags"),
        pytest.param("demo-1.0-py3-none.whl", NO_WHEEL, id="a wheel without a platform"),
        pytest.param("demo-1.0-1-2-py3-none-any.whl", NO_WHEEL, id="a wheel with two build tags"),
        pytest.param("demo-1.0-x1-py3-none-any-fast.whl", NO_WHEEL, id="a build tag that begins with a letter"),
        pytest.param("demo-1.0-x1-py3-none-manylinux2014_x86_64-LVL2.whl", NO_WHEEL, id="that, and a label"),
        pytest.param("demo-1.0-py3-none-any-LVL2.whl", NO_LABEL, id="a label in capitals"),
        pytest.param("demo-1.0-1-py3-none-any-LVL2.whl", NO_LABEL, id="a build tag and a label in capitals"),
        pytest.param("demo-1.0-py3-none-any-a+b.whl", NO_LABEL, id="a label with a plus"),
        pytest.param("demo-1.0-py3-none-any-.whl", NO_LABEL, id="an empty label"),
        pytest.param("demo-1.0-py3-none-any-fast-x.whl", NO_WHEEL, id="two labels"),
        pytest.param("demo-1.0-1-py3-none-any-fast-x.whl", NO_WHEEL, id="a build tag and two labels"),
        pytest.param("demo-1.0-3-none-any.whl", DIGIT, id="a Python tag that begins with a digit"),
        pytest.param("demo-1.0-1-3-none-any.whl", DIGIT, id="that, and a build tag"),
        pytest.param("demo-1.0--py3-none-any.whl", NO_WHEEL, id="a build tag of nothing"),
        pytest.param("demo-1.0-py3.-none-any.whl", NO_WHEEL, id="an empty Python tag"),
        pytest.param("demo-1.0-py3--any.whl", NO_WHEEL, id="an empty ABI tag"),
        pytest.param("demo-1.0-py3-none-.whl", NO_WHEEL, id="an empty platform tag"),
        pytest.param("demo__x-1.0-py3-none-any.whl", NO_WHEEL, id="a wheel with two underscores"),
        pytest.param("demo-latest-py3-none-any.whl", NO_WHEEL, id="a wheel with a word for a version"),
        pytest.param("demo-1.0_1-py3-none-any.whl", NO_WHEEL, id="a wheel with an escaped hyphen in its version"),
        pytest.param("other-1.0-py3-none-any.whl", DISAGREES, id="another wheel"),
        pytest.param("demo-1.1-py3-none-any.whl", DISAGREES, id="a wheel of another version"),
        pytest.param("demo-1.0+local-py3-none-any.whl", DISAGREES, id="a wheel of a local version"),
        pytest.param("demo-1!1.0-py3-none-any.whl", DISAGREES, id="a wheel of another epoch"),
        pytest.param("other-1.0.tar.gz", DISAGREES, id="another sdist"),
        pytest.param("demos-1.0.tar.gz", DISAGREES, id="a longer name"),
        pytest.param("demo-x-1.0.tar.gz", DISAGREES, id="a name with more to it"),
        pytest.param("demo-1.1.tar.gz", DISAGREES, id="an sdist of another version"),
        pytest.param("demo-1.0rc1.tar.gz", DISAGREES, id="an sdist of a candidate"),
        pytest.param("demo-1.0+local.tar.gz", DISAGREES, id="an sdist of a local version"),
        pytest.param("demo-1.0-1.tar.gz", DISAGREES, id="an sdist of a post release"),
        pytest.param("demo-latest.tar.gz", DISAGREES, id="an sdist with a word for a version"),
        pytest.param("demo-.tar.gz", DISAGREES, id="an sdist without a version"),
        pytest.param("demo.tar.gz", DISAGREES, id="an sdist with a name alone"),
        pytest.param("1.0.tar.gz", DISAGREES, id="an sdist with a version alone"),
        pytest.param("demo1.0.tar.gz", DISAGREES, id="an sdist without a hyphen"),
        pytest.param("demo_1.0.tar.gz", DISAGREES, id="an sdist with an underscore for the hyphen"),
        pytest.param("demo--1.0.tar.gz", DISAGREES, id="an sdist with two hyphens"),
        pytest.param("_demo-1.0.tar.gz", DISAGREES, id="an sdist that begins with an underscore"),
        pytest.param("_demo-1.0-py3-none-any.whl", DISAGREES, id="a wheel that begins with an underscore"),
        pytest.param("demo-1.0-py3-none-any.tar.gz", DISAGREES, id="an sdist with a wheel's tags"),
        pytest.param("demo-1.0.linux-x86_64.tar.gz", DISAGREES, id="a dumb binary distribution"),
        pytest.param("demo-1.0.tar.gz.zip", DISAGREES, id="an sdist that was zipped"),
        pytest.param("demo-1.0.zip.tar.gz", DISAGREES, id="a zipped sdist in a tar"),
        pytest.param("demo-1.0.tar.gz.tar.gz", DISAGREES, id="an sdist in a tar"),
    ],
)
def test_a_file_name_that_is_wrong_has_one_problem(filename: str, problem: str) -> None:
    [found] = problems_of(filename)
    assert problem in found
    assert found.startswith("File name ")
    assert found.isprintable()


def test_a_problem_quotes_the_file_name_cut_short() -> None:
    [problem] = problems_of("x" * 5000 + ".tar.gz")
    assert problem.startswith("File name 'xxx")
    assert "xx.tar.gz' is invalid" in problem
    assert len(problem) < 250


@pytest.mark.parametrize(("length", "problems"), [(255, 0), (256, 1)])
@pytest.mark.parametrize("ending", ["-1.0-py3-none-any.whl", "-1.0.tar.gz", "-1.0.zip"])
def test_a_file_name_may_have_255_characters(ending: str, length: int, problems: int) -> None:
    name = "d" * (length - len(ending))
    assert len(problems_of(name + ending, name)) == problems


NAMES = ["demo", "Demo", "my.pkg", "My_Pkg", "my-pkg", "a", "2to3", "zope.interface", "x-1"]
VERSIONS = ["1.0", "1.0.0", "1", "1.0rc1", "1.0-RC1", "1!1.0", "1.0.post1", "1.0-1", "1.0.dev2", "1.0+a.1", "1.0+A_1"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", ["-py3-none-any.whl", ".tar.gz", ".zip"])
def test_what_the_build_tools_write_agrees_with_what_they_send(name: str, ending: str) -> None:
    for version in VERSIONS:
        filename = f"{name.replace('-', '_')}-{Version(version)}{ending}"
        assert problems_of(filename, canonicalize_name(name), version) == []


PIECES = [
    "demo",
    "Demo",
    "_",
    "-",
    ".",
    "+",
    "!",
    "1.0",
    "1",
    "0",
    "rc1",
    "a",
    "py3",
    "none",
    "any",
    "fast",
    "/",
    "\n",
    " ",
    "é",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=5).map("".join),
    st.sampled_from(["", "-1.0", "-py3-none-any", "-1.0-py3-none-any"]),
    st.sampled_from([".whl", ".tar.gz", ".zip", ".WHL", ""]),
)
@example("demo-1.0", "-py3-none-any", ".whl")
@settings(max_examples=100, deadline=None)
def test_packaging_reads_a_wheel_that_we_take_as_we_do(stem: str, tail: str, ending: str) -> None:
    filename = stem + tail + ending
    for name, version in product(["demo", "a"], ["1.0", "1"]):
        if not problems_of(filename, name, version):
            assert filename.isascii()
            assert filename.endswith((".whl", ".tar.gz", ".zip"))
            assert not set(filename) & set("/\\\n \"'<>&")
            if filename.endswith(".whl"):
                assert parse_wheel_filename(split_label(filename)[0])[:2] == (name, Version(version))


@pytest.mark.parametrize(
    "filename",
    [
        "dé-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-any\n.whl",
        "demo-1.0-py3-none-a b.whl",
        "demo-1.0-py3-none-any.WHL",
        f"{'d' * 250}-1.0-py3-none-any.whl",
        "demo-latest-py3-none-any.whl",
        "demo.whl",
        "demo-1.0.tar.gz",
    ],
)
def test_an_invalid_file_name_of_a_wheel_has_no_name_and_version(filename: str) -> None:
    assert wheel_name_and_version(filename) is None


@given(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), st.sampled_from(["", "-1.0", "-1.0-py3-none-any"]))
def test_a_file_name_of_a_wheel_has_a_name_and_a_version_if_it_is_valid(stem: str, tail: str) -> None:
    filename = f"{stem}{tail}.whl"
    assert (wheel_name_and_version(filename) is None) == any(filename_problems(filename))
