"""Paths and links that are let through stay inside, by other people's rules too, and mean one thing."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry.distributions.limits import MAX_PATH
from pypi_registry.distributions.paths import Links, is_harmless, link_problem, path_problem, path_problems

# One path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("demo", id="a file at the top"),
        pytest.param("demo/core.py", id="a file in a folder"),
        pytest.param("demo/", id="a folder"),
        pytest.param("demo/a/b/c/", id="a deep folder"),
        pytest.param("demo/.hidden", id="a dot first"),
        pytest.param("demo/..hidden", id="two dots first"),
        pytest.param("demo/...", id="three dots"),
        pytest.param("demo/a..b/c..", id="dots inside and last"),
        pytest.param("demo/ a b ", id="blanks"),
        pytest.param("demo/a:b", id="a colon, not after a drive's letter"),
        pytest.param("ab:c", id="a colon after two letters"),
        pytest.param("1:c", id="a colon after a digit"),
        pytest.param("demo/-rf", id="a hyphen first"),
        pytest.param("demo/naïve ☃.txt", id="other letters"),
        pytest.param("demo/'\"<>&|*?.txt", id="what means something elsewhere"),
        pytest.param("~/demo", id="a tilde, which only shells expand"),
        pytest.param("d" * 4096, id="as long as may be"),
    ],
)
def test_a_path_inside_has_no_problem(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("", "empty part", id="nothing"),
        pytest.param("/", "absolute", id="the root"),
        pytest.param("/etc/passwd", "absolute", id="from the root"),
        pytest.param("//server/share", "absolute", id="a share"),
        pytest.param("C:/demo", "absolute", id="from a drive"),
        pytest.param("c:demo", "absolute", id="within a drive"),
        pytest.param("..", "contains '..'", id="the folder above"),
        pytest.param("../", "contains '..'", id="the folder above, as a folder"),
        pytest.param("../evil.py", "contains '..'", id="upwards"),
        pytest.param("demo/../../evil.py", "contains '..'", id="in and out"),
        pytest.param("demo/../demo/a", "contains '..'", id="out and in"),
        pytest.param("demo/..", "contains '..'", id="upwards last"),
        pytest.param(".", "empty part", id="the folder itself"),
        pytest.param("./demo", "empty part", id="a dot first"),
        pytest.param("demo/./a", "empty part", id="a dot between"),
        pytest.param("demo/.", "empty part", id="a dot last"),
        pytest.param("demo//a", "empty part", id="two slashes"),
        pytest.param("demo\\a", "backslash", id="a backslash"),
        pytest.param("..\\evil", "backslash", id="upwards, with a backslash"),
        pytest.param("demo/\0", "control character", id="NUL"),
        pytest.param("demo/a\n", "control character", id="a newline"),
        pytest.param("demo/\x1b[2J", "control character", id="an escape"),
        pytest.param("demo/\x1f", "control character", id="the last control character"),
        pytest.param("demo/\x7f", "control character", id="DEL"),
        pytest.param("d" * 4097, "4096 characters", id="too long"),
    ],
)
def test_a_path_that_is_none_or_leads_out_is_named(path: str, problem: str) -> None:
    found = path_problem(path)
    assert problem in found
    assert found.isprintable()
    assert len(found) < 200


# Paths together


@pytest.mark.parametrize(
    ("files", "folders", "repeated"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param(["a", "b", "c/d", "c/e"], [], [], id="files"),
        pytest.param(["a/b"], ["a", "c", "c/d"], [], id="folders with members of their own"),
        pytest.param([], ["a", "a"], [], id="a folder twice"),
        pytest.param(["a/b", "a/b.py", "a/bc", "a.b", "a-b/c"], [], [], id="names that begin alike"),
        pytest.param(["a", "A"], [], [], id="names in another case"),
        pytest.param(["a", "a"], [], ["a"], id="a file twice"),
        pytest.param(["a/b", "c", "a/b"], [], ["a/b"], id="a file twice, in a folder"),
        pytest.param(["a", "a/b"], [], ["a"], id="a file that others lie in"),
        pytest.param(["a/b", "a"], [], ["a"], id="a file that others lie in, after them"),
        pytest.param(["a", "a!", "a-b", "a/b"], [], ["a"], id="a file that others lie in, and what sorts between"),
        pytest.param(["a", "a/b/c/d"], [], ["a"], id="a file that others lie deep in"),
        pytest.param(["a/b", "a/b/c/d"], [], ["a/b"], id="a file in a folder that others lie in"),
        pytest.param(["a"], ["a"], ["a"], id="a file that is a folder"),
        pytest.param(["a/b"], ["a/b"], ["a/b"], id="a file that is a folder in a folder"),
        pytest.param(["a"], ["a/b"], ["a"], id="a file that a folder lies in"),
        pytest.param(["a/b"], ["a/b/c/d"], ["a/b"], id="a file that a folder lies deep in"),
        pytest.param(["a", "b", "a/c", "b/c"], [], ["a", "b"], id="two files that others lie in"),
    ],
)
def test_a_place_is_taken_once(files: list[str], folders: list[str], repeated: list[str]) -> None:
    found = [*path_problems(files, folders)]
    assert sorted(found) == [f"the path {path!r} occurs more than once" for path in repeated]


def test_each_path_is_looked_at_alone_too() -> None:
    found = [*path_problems(["/a", "b"], ["../c"])]
    assert len(found) == 2
    assert "'/a'" in found[0]
    assert "'../c'" in found[1]


letters = st.text(st.sampled_from("aZ0_-./\\: \0\n~\x7fé☃"), max_size=8)


@given(st.one_of(letters, st.sampled_from(["d" * 4096, "d" * 4097, "a/" * 2048 + "b", "a/" * 2047 + "b"])))
@settings(max_examples=500, deadline=None)
def test_a_path_among_others_has_the_problem_that_it_has_alone(path: str) -> None:
    assert [*path_problems(["x", path, "y/z"], [])] == [*filter(None, [path_problem(path)])]


pieces = st.sampled_from(["a", "b", "..", ".", "", "c.py", "C:", "\\"])
paths = st.lists(pieces, min_size=1, max_size=4).map("/".join)


@given(st.lists(paths, max_size=5), st.lists(paths, max_size=3))
@settings(max_examples=60, deadline=None)
def test_paths_without_a_problem_can_all_be_made_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, files: list[str], folders: list[str]
) -> None:
    if [*path_problems(files, folders)]:
        return
    root = tmp_path_factory.mktemp("root")
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        with (root / file).open("x") as stream:
            stream.write(str(number))
    assert [(root / file).read_text() for file in files] == [str(number) for number in range(len(files))]
    assert sorted(path for path in root.rglob("*") if path.is_file()) == sorted(root / file for file in files)


# Links


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("demo/a", "b", id="beside it"),
        pytest.param("demo/a", "./b", id="beside it, with a dot"),
        pytest.param("demo/a", "b/c//d", id="below it"),
        pytest.param("demo/a/b", "../c", id="above it"),
        pytest.param("demo/a/b/c", "../../d/e", id="far above it"),
        pytest.param("demo/a/b", "..", id="to its folder's folder"),
        pytest.param("demo/a", ".", id="to its folder"),
        pytest.param("demo/a/b", "../a/../c", id="up, down and up"),
        pytest.param("demo/a", "other", id="to another link"),
        pytest.param("demo/a", "naïve ☃", id="other letters"),
        pytest.param("demo/a", "...", id="three dots"),
    ],
)
def test_a_link_that_stays_inside_has_no_problem(path: str, target: str) -> None:
    assert link_problem(path, target, "demo", Links([path, "demo/other"])) == ""


@pytest.mark.parametrize(
    ("path", "target", "problem"),
    [
        pytest.param("demo/a", "", "not a path", id="nothing"),
        pytest.param("demo/a", "/etc/passwd", "outside", id="absolute"),
        pytest.param("demo/a", "/demo/b", "outside", id="absolute, and looks like inside"),
        pytest.param("demo/a", "C:\\x", "outside", id="a drive"),
        pytest.param("demo/a", "c:x", "outside", id="within a drive"),
        pytest.param("demo/a", "b\\..\\..\\c", "outside", id="backslashes"),
        pytest.param("demo/a", "b\0", "not a path", id="NUL"),
        pytest.param("demo/a", "..", "outside", id="the folder above"),
        pytest.param("demo/a", "../demo/b", "outside", id="out and in"),
        pytest.param("demo/a", "../../etc", "outside", id="far out"),
        pytest.param("demo/a/b", "../../x", "outside", id="out of a folder"),
        pytest.param("demo/a", "b/../../c", "outside", id="down and out"),
        pytest.param("demo/a/b", "../..", "outside", id="up to the top's folder"),
        pytest.param("a", "b", "outside", id="at the top, beside the folder"),
        pytest.param("other/a", "b", "outside", id="in another folder"),
        pytest.param("demo/a", "through/b", "through another link", id="through a link"),
        pytest.param("demo/a", "through/../b", "through another link", id="through a link and up"),
        pytest.param("demo/a", "through/", "through another link", id="into a link"),
        pytest.param("demo/a/b", "../through/c", "through another link", id="up and through a link"),
        pytest.param("demo/a/b", "../through/../../../etc", "through another link", id="out through a link"),
    ],
)
def test_a_link_that_leads_out_or_anywhere_is_named(path: str, target: str, problem: str) -> None:
    found = link_problem(path, target, "demo", Links([path, "demo/through"]))
    assert problem in found
    assert found.isprintable()


def test_a_problem_of_a_link_is_short() -> None:
    assert len(link_problem("demo/" + "a" * 5000, "../" * 5000, "demo", Links([]))) < 250


targets = st.lists(st.sampled_from(["a", "b", "..", ".", "", "x", "C:"]), min_size=1, max_size=5).map("/".join)


@given(st.dictionaries(st.sampled_from(["demo/a", "demo/b", "demo/a/b", "demo/x/a", "demo/x/b"]), targets, max_size=4))
@settings(max_examples=60, deadline=None)
def test_links_without_a_problem_stay_inside_when_a_file_system_follows_them(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str]
) -> None:
    if any(problems_of_links(links)):
        return
    root = tmp_path_factory.mktemp("root").resolve()
    for path in links:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    for path, target in links.items():
        (root / path).symlink_to(target)
        member = tarfile.TarInfo(path)
        member.type, member.linkname = tarfile.SYMTYPE, target
        tarfile.data_filter(member, str(root))  # raises if it leads out
    for path in links:
        assert inside(root / path, root / "demo")


def problems_of_links(links: dict[str, str]) -> Sequence[str]:
    return [
        *path_problems([*links], []),
        *filter(None, (link_problem(*link, "demo", Links(links)) for link in links.items())),
    ]


def inside(link: Path, folder: Path) -> bool:
    """Tell whether a link ends inside, or nowhere since it points to itself."""
    try:
        return link.resolve(strict=False).is_relative_to(folder)
    except (OSError, RuntimeError):
        return True


# Mostly harmless paths, and the characters and parts that make one harmful.
PARTS = st.text(st.sampled_from("aZ09_-."), max_size=4) | st.sampled_from(
    ["", ".", "..", ".a", "a.", "C:", "a b", "\\", "\n", "a\n", "\x7f", "é", "\u0661", "a" * MAX_PATH]
)


@given(st.lists(PARTS, min_size=1, max_size=4).map("/".join))
@settings(max_examples=500, deadline=None)
def test_a_harmless_path_has_no_problem(path: str) -> None:
    """The fast check of nearly all paths and the full one agree."""
    assert not is_harmless(path) or path_problem(path) == ""


@pytest.mark.parametrize("path", ["demo.py", "demo/__init__.py", "a-b/c_d/e.f-g", "demo-1.0.dist-info/METADATA"])
def test_ordinary_paths_are_harmless(path: str) -> None:
    assert is_harmless(path)
