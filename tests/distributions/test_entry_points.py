"""``entry_points.txt``: what is parsed, what is refused, and that Python's own parsers agree about what is accepted."""

import configparser
import importlib.metadata
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pypi_registry.distributions.entry_points import parse_entry_points, script_problems
from pypi_registry.distributions.limits import MAX_ENTRY_POINT_LINES
from pypi_registry.distributions.report import InvalidArchive

CONSOLE = "[console_scripts]\n"


def problems_of(text: str, files: Sequence[str] = ()) -> list[str]:
    try:
        groups = parse_entry_points(text.encode())
    except InvalidArchive as error:
        return [str(error)]
    return [*script_problems(groups, files, "demo-1.0.data")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param(CONSOLE + "x = a:b", {"console_scripts": {"x": "a:b"}}, id="no line break at the end"),
        pytest.param("[a]\r\nx=y\r\n", {"a": {"x": "y"}}, id="CRLF"),
        pytest.param("# note\n\n[a]\n# x = 1\nx = y\n   # note\nz\t=\t1\n", {"a": {"x": "y", "z": "1"}}, id="comments"),
        pytest.param("\n    [a]\n    x = y\n    z = 1\n    ", {"a": {"x": "y", "z": "1"}}, id="everything indented"),
        pytest.param("[a]\n  x = y\n z = 1\n", {"a": {"x": "y", "z": "1"}}, id="less and less indented"),
        pytest.param(
            "[a]\ns3:// b = c=d\nC =\nc = x y\n", {"a": {"s3:// b": "c=d", "C": "", "c": "x y"}}, id="other names"
        ),
        pytest.param("[a b.c-d]\n[e]\n", {"a b.c-d": {}, "e": {}}, id="sections without names"),
    ],
)
def test_what_every_reader_parses_is_parsed(text: str, expected: object) -> None:
    assert parse_entry_points(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("\ufeff[a]\nx = y\n", "only some readers parse", id="a byte order mark"),
        pytest.param("x = y\n[a]\n", "only some readers parse", id="a name before the first section"),
        pytest.param("[a]\nx\n", "only some readers parse", id="no equals sign"),
        pytest.param("[a]\nx : y\n", "only some readers parse", id="a colon"),
        pytest.param("[a]\n= y\n", "only some readers parse", id="no name"),
        pytest.param("[a]\n; note\n", "only some readers parse", id="a comment after a semicolon"),
        pytest.param("[a]\n;x = y\n", "only some readers parse", id="a name after a semicolon"),
        pytest.param("[a]\nx = y\n  z = 1\n", "several lines", id="a continued value"),
        pytest.param("[a]\nx = y\n\n  [b]\n", "several lines", id="a section in a continued value"),
        pytest.param("[a]\nx = y\n# note\n z = 1\n", "several lines", id="a value continued after a comment"),
        pytest.param("[a]\n[a]\n", "section 'a' twice", id="a section twice"),
        pytest.param("[a]\nx = y\nx = z\n", "name 'x' twice", id="a name twice"),
        pytest.param("[[a]]\n", "section", id="two brackets"),
        pytest.param("[ a ]\n", "section", id="white space in brackets"),
        pytest.param("[a] # note\n", "section", id="text after a section"),
        pytest.param("[a\n", "section", id="an open bracket"),
        pytest.param("[]\n", "section", id="an empty section"),
        pytest.param("[DEFAULT]\nx = y\n", "section", id="names for all sections"),
        pytest.param("[a]\nx = y\rz = 1\n", "control character", id="a carriage return"),
        pytest.param("[a]\nx = y\x0cz = 1\n", "control character", id="a form feed"),
        pytest.param("[a]\nx = y\x85z = 1\n", "control character", id="a next line of Latin-1"),
        pytest.param("[a]\nx = y\u2028z = 1\n", "control character", id="a line separator"),
        pytest.param("[a]\nx\0 = y\n", "control character", id="NUL"),
    ],
)
def test_what_readers_parse_differently_is_a_problem(text: str, problem: str) -> None:
    [found] = problems_of(text)
    assert problem in found
    assert "entry_points.txt" in found
    assert found.isprintable()


def test_other_encodings_are_a_problem() -> None:
    with pytest.raises(InvalidArchive, match=r"entry_points\.txt is not UTF-8"):
        parse_entry_points(b"[a]\nx = \xe9\n")


@pytest.mark.parametrize("line", [b"", b"# note", b"x%d = a:b"])
def test_the_lines_have_a_limit(line: bytes) -> None:
    lines = [line.replace(b"%d", b"%d" % number) + b"\n" for number in range(MAX_ENTRY_POINT_LINES)]
    parse_entry_points(b"[a]\n" + b"".join(lines[1:]))
    with pytest.raises(InvalidArchive, match=rf"entry_points\.txt has more than {MAX_ENTRY_POINT_LINES} lines"):
        parse_entry_points(b"[a]\n" + b"".join(lines))


@pytest.mark.parametrize("group", ["console_scripts", "gui_scripts"])
@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/b", "a\\b", ".", "..", "a b", "C:x", "\u00e9", "\u212a", "x\u00a0y", "%(a)s"]
)
def test_a_script_is_installed_in_its_folder(group: str, name: str) -> None:
    [found] = problems_of(f"[{group}]\n{name} = a:b\n")
    assert "entry_points.txt has invalid names of scripts" in found
    assert problems_of(f"[other]\n{name} = a:b\n") == []


@pytest.mark.parametrize("name", ["x", "X-1_2.py", ".x", "x.", "...", "-x", "pythonic", "python-config", "pip3.12"])
def test_other_names_of_scripts_are_accepted(name: str) -> None:
    assert problems_of(f"{CONSOLE}{name} = a:b\n") == []


@pytest.mark.parametrize("name", ["python", "Python3", "python3.12t", "pythonw.exe", "python.py", "pypy3", "graalpy"])
def test_a_script_does_not_replace_the_interpreter(name: str) -> None:
    [found] = problems_of(f"{CONSOLE}{name} = a:b\n")
    assert "interpreter" in found


@pytest.mark.parametrize("value", ["a:b", "a.b:c.d", "a:b [x]", "a:b[x-y, z]", "\u00e9:b"])
def test_the_values_of_scripts_are_accepted(value: str) -> None:
    assert problems_of(f"{CONSOLE}x = {value}\n") == []


@pytest.mark.parametrize(
    "value",
    ["", "a", "a-b:c", "a : b", "a:b # note", "a:b [x-y, z-w]", "a:b []", "a:b=c", "/tmp/y=a:b", "../y = a:b", "a:"],
)
def test_the_values_of_scripts_that_an_installer_cannot_read_are_problems(value: str) -> None:
    [found] = problems_of(f"{CONSOLE}x = {value}\n")
    assert "entry_points.txt has scripts that are not 'module:object'" in found


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param(CONSOLE + "x = a:b\n[gui_scripts]\nx = a:b\n", [], id="console and gui"),
        pytest.param(CONSOLE + "x = a:b\nX = a:c\n", [], id="ignoring case"),
        pytest.param(CONSOLE + "x = a:b\nx.py = a:c\n", [], id="on Windows"),
        pytest.param(CONSOLE + "x = a:b\nx.exe = a:c\n", [], id="on Windows, exe"),
        pytest.param(CONSOLE + "x = a:b\n", ["demo-1.0.data/scripts/x"], id="a script"),
        pytest.param(CONSOLE + "x = a:b\n", ["demo-1.0.data/scripts/X"], id="a script, ignoring case"),
        pytest.param(CONSOLE + "x = a:b\n", ["demo-1.0.data/scripts/x.exe"], id="a program for Windows"),
        pytest.param(CONSOLE + "x = a:b\n", ["demo-1.0.data/data/bin/x"], id="a file in bin"),
        pytest.param("", ["demo-1.0.data/scripts/x", "demo-1.0.data/data/bin/x"], id="two files"),
        pytest.param("", ["demo-1.0.data/scripts/x", "demo-1.0.data/data/Scripts/x"], id="two files, on Windows"),
    ],
)
def test_scripts_that_would_be_installed_over_each_other_are_a_problem(text: str, files: Sequence[str]) -> None:
    [found] = problems_of(text, files)
    assert "two scripts of one name" in found and "entry_points.txt" in found


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param(CONSOLE + "x = a:b\ny = a:b\n", ["demo-1.0.data/scripts/z"], id="different names"),
        pytest.param(CONSOLE + "x = a:b\nX = a:b\n", [], id="one program, by case"),
        pytest.param(CONSOLE + "x = a:b\nx.py = a:b\n", [], id="one program, with a suffix"),
        pytest.param(CONSOLE + "x = a:b\n", ["demo-1.0.data/scripts/x.py", "demo/x", "x"], id="a file of another name"),
        pytest.param(
            CONSOLE + "x = a:b\n", ["demo-1.0.data/data/share/x", "demo-1.0.data/headers/x"], id="other folders"
        ),
        pytest.param(CONSOLE + "x = a:b\n[other]\nx = a:c\n", [], id="a group without scripts"),
    ],
)
def test_other_scripts_are_no_problem(text: str, files: Sequence[str]) -> None:
    assert problems_of(text, files) == []


lines = st.sampled_from(
    ["[a]", "[b]", " [c]", "x = y", "y=1", "  z = 2", " x=3", "# n", "", "  ", "; x = 1", "w", "v =", "[d] e"]
)


@given(st.lists(lines, max_size=8).map("\n".join))
@example("[a]\nx = y\n\n z = 1")
def test_the_standard_library_parses_what_is_accepted_in_the_same_way(text: str) -> None:
    try:
        found = parse_entry_points(text.encode())
    except InvalidArchive:
        return
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # names keep their case, as the specification shows it
    parser.read_string(text)
    expected = {(group, name, value) for group in parser.sections() for name, value in parser[group].items()}
    installed = importlib.metadata.EntryPoints._from_text_for(text, None)  # type: ignore[attr-defined]  # what pip calls
    pairs = {(group, name, value) for group, names in found.items() for name, value in names.items()}
    assert pairs == expected == {(each.group, each.name, each.value) for each in installed}
