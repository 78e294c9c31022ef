"""``entry_points.txt`` of a wheel: for each entry point in some of its groups, installers write a script.

https://packaging.python.org/specifications/entry-points/. pip and uv parse the file with different parsers, and PyPI
with a third, so this one refuses what they parse differently, and what one of them cannot parse. Since 2026, PyPI
refuses invalid files, too (https://github.com/pypi/warehouse/pull/20081).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import MAX_ENTRY_POINT_LINES
from pypi_registry.distributions.report import InvalidArchive, listed

EntryPoints: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each group its entry points, by name."""

_SCRIPT_GROUPS = ("console_scripts", "gui_scripts")

# All characters that some readers treat as the end of a line, and NUL: pip splits the file with `str.splitlines`.
_CONTROL_CHARACTER = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_GROUP = re.compile(r"\[([^\[\]]+)\]")

# "For new entry points, it is recommended to use only letters, numbers, underscores, dots and dashes". The letters are
# those of ASCII: which others are equal depends on the file system.
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# "importable.module:object.attr", and extras, which installers ignore. pip accepts neither white space around the colon
# nor a dash in the module. In a longer value it may find another name for the script.
_OBJECT = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*\s*(\[[\w-]+(, *\w+)*\])?")
# uv refuses to install scripts with the names of interpreters, which would replace that of the environment.
_INTERPRETER = re.compile(r"(pythonw?|pypyw?|graalpy)([0-9][0-9.]*t?)?(\.exe|\.py[a-z]*)?", re.IGNORECASE)


def parse_entry_points(data: bytes) -> EntryPoints:
    r"""Parse ``entry_points.txt``.

    >>> parse_entry_points(b"[console_scripts]\ndemo = demo.main:run\n")
    {'console_scripts': {'demo': 'demo.main:run'}}

    :raises InvalidArchive: if readers parse it differently.
    """
    groups: dict[str, dict[str, str]] = {}
    names: dict[str, str] | None = None  # of the current group
    name_indent: int | None = None  # of the name before this line; None after a section
    for line in _lines(data):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        # configparser: a line that is indented more than the name before it continues that name's value. For pip it is
        # a name of its own.
        indent = len(line) - len(line.lstrip())
        if name_indent is not None and indent > name_indent:
            raise InvalidArchive(f"entry_points.txt has a value of several lines, which end in {excerpt(text)}")
        if text.startswith("["):
            group = _parse_group(text)
            if group in groups:
                raise InvalidArchive(f"entry_points.txt has the section {excerpt(group)} twice")
            names = groups[group] = {}
            name_indent = None
            continue
        name, equals, value = text.partition("=")
        name = name.rstrip()
        # After a semicolon, configparser reads a comment, and pip a name.
        if names is None or not equals or not name or name.startswith(";"):
            raise InvalidArchive(f"entry_points.txt has a line that only some readers parse: {excerpt(text)}")
        if name in names:
            raise InvalidArchive(f"entry_points.txt has the name {excerpt(name)} twice in one section")
        names[name] = value.lstrip()
        name_indent = indent
    return groups


def _lines(data: bytes) -> Iterator[str]:
    """Return the lines that are not empty.

    :raises InvalidArchive: if there are too many, or readers split the file differently.
    """
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InvalidArchive("entry_points.txt is not UTF-8") from None
    if _CONTROL_CHARACTER.search(text):
        raise InvalidArchive("entry_points.txt has a control character, which some readers treat as the end of a line")
    if text.count("\n") > MAX_ENTRY_POINT_LINES:
        raise InvalidArchive(f"entry_points.txt has more than {MAX_ENTRY_POINT_LINES} lines")
    return filter(None, text.split("\n"))


def _parse_group(line: str) -> str:
    match = _GROUP.fullmatch(line)
    # "DEFAULT" is not a group for configparser: it adds these names to all groups.
    if match is None or match[1] != match[1].strip() or match[1] == "DEFAULT":
        raise InvalidArchive(f"entry_points.txt has a section that only some readers parse: {excerpt(line)}")
    return match[1]


def script_problems(groups: EntryPoints, files: Iterable[str], data_folder: str) -> Iterator[str]:
    """Yield the problems of the scripts that installers write: for entry points, and from the ``.data`` folder.

    >>> list(script_problems({"console_scripts": {"../a": "b:c"}}, [], "demo-1.0.data"))
    ["entry_points.txt has invalid names of scripts: '../a'"]
    """
    scripts = [_Script(*entry_point) for group in _SCRIPT_GROUPS for entry_point in groups.get(group, {}).items()]
    if invalid := [name for name, _ in scripts if _SCRIPT_NAME.fullmatch(name) is None or name in (".", "..")]:
        yield f"entry_points.txt has invalid names of scripts: {listed(invalid)}"
    if interpreters := [name for name, _ in scripts if _INTERPRETER.fullmatch(name)]:
        yield f"entry_points.txt has scripts with the name of an interpreter: {listed(interpreters)}"
    if values := [value for _, value in scripts if value is not None and _OBJECT.fullmatch(value) is None]:
        yield f"entry_points.txt has scripts that are not 'module:object': {listed(values)}"
    yield from _collisions([*_files_of_scripts(files, data_folder), *scripts])


class _Script(NamedTuple):
    name: str
    value: str | None
    """Of an entry point; None for a file in the data folder."""


def _collisions(scripts: Iterable[_Script]) -> Iterator[str]:
    """Yield the scripts that would be installed over each other, on Windows or where case is ignored, too."""
    found: dict[str, _Script] = {}  # by the name of the installed file
    for script in scripts:
        others = [found.setdefault(name, script) for name in _installed_names(script)]
        if different := [other for other in others if other is not script and not _is_same_program(other, script)]:
            names = listed([*dict.fromkeys([different[0].name, script.name])])
            yield f"the wheel, by its entry_points.txt and data folder, has two scripts of one name: {names}"


def _is_same_program(one: _Script, other: _Script) -> bool:
    """Return whether two entry points whose names differ only in case or suffix are the same program."""
    return one.value is not None and one.value == other.value and one.name != other.name


def _files_of_scripts(files: Iterable[str], data_folder: str) -> Iterator[_Script]:
    """Yield the files in the data folder that become scripts; its scheme "data" contains the folder of scripts."""
    for path in files:
        if path.startswith(data_folder):
            folder, _, name = path.removeprefix(f"{data_folder}/").rpartition("/")
            if folder.lower() in ("scripts", "data/bin", "data/scripts"):
                yield _Script(name, None)


def _installed_names(script: _Script) -> Sequence[str]:
    name = script.name.lower()
    if script.value is None:
        return [name]
    # On Windows, pip and uv write NAME.exe, and remove the suffix of a Python file before.
    stem, _, suffix = name.rpartition(".")
    return [name, f"{stem if stem and suffix.startswith('py') else name}.exe"]
