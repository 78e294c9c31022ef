"""``entry_points.txt`` of a wheel: for each entry point in some of its groups, installers write a script.

https://packaging.python.org/specifications/entry-points/. pip and uv parse the file with different parsers, and PyPI
with a third, so this one refuses what they parse differently, and what one of them cannot parse. Since 2026, PyPI
refuses invalid files, too (https://github.com/pypi/warehouse/pull/20081).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.report import InvalidArchive, listed

EntryPoints: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each group its entry points, by name."""

_SCRIPT_GROUPS = ("console_scripts", "gui_scripts")

# All that some readers take for the end of a line, and NUL: pip splits the file with `str.splitlines`.
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
    names: dict[str, str] | None = None
    indent, may_continue = 0, False
    for line in _lines(data):
        text = line.strip()
        if not text or text[0] == "#":
            continue
        # configparser: a line that is indented more than the name before it continues that name's value. For pip it is
        # a name of its own.
        before, indent = indent, len(line) - len(line.lstrip())
        if may_continue and indent > before:
            raise InvalidArchive(f"entry_points.txt has a value of several lines, which end in {excerpt(text)}")
        may_continue = text[0] != "["
        if text[0] == "[":
            group = _parse_group(text)
            if group in groups:
                raise InvalidArchive(f"entry_points.txt has the section {excerpt(group)} twice")
            names = groups[group] = {}
            continue
        name, equals, value = text.partition("=")
        name = name.rstrip()
        if names is None or not equals or not name or name[0] == ";":
            raise InvalidArchive(f"entry_points.txt has a line that only some readers parse: {excerpt(text)}")
        if name in names:
            raise InvalidArchive(f"entry_points.txt has the name {excerpt(name)} twice in one section")
        names[name] = value.lstrip()
    return groups


def _lines(data: bytes) -> list[str]:
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InvalidArchive("entry_points.txt is not UTF-8") from None
    if _CONTROL_CHARACTER.search(text):
        raise InvalidArchive("entry_points.txt has a control character, which some readers take for the end of a line")
    return text.split("\n")


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
    scripts = [(name, value) for group in _SCRIPT_GROUPS for name, value in groups.get(group, {}).items()]
    invalid = [name for name, _ in scripts if _SCRIPT_NAME.fullmatch(name) is None or name in (".", "..")]
    if invalid:
        yield f"entry_points.txt has invalid names of scripts: {listed(invalid)}"
    if interpreters := [name for name, _ in scripts if _INTERPRETER.fullmatch(name)]:
        yield f"entry_points.txt has scripts with the name of an interpreter: {listed(interpreters)}"
    if values := [value for _, value in scripts if _OBJECT.fullmatch(value) is None]:
        yield f"entry_points.txt has scripts that are not 'module:object': {listed(values)}"
    yield from _collisions(scripts, files, data_folder)


class _Script(NamedTuple):
    name: str
    value: str | None
    """Of an entry point; None for a file."""


def _collisions(scripts: Iterable[tuple[str, str]], files: Iterable[str], data_folder: str) -> Iterator[str]:
    """Yield the scripts that would be installed over each other, also where file systems ignore case, and on Windows.

    Entry points that differ in that only, and have the same value, are the same program.
    """
    found: dict[str, _Script] = {}
    prefix = f"{data_folder}/"
    of_files = [
        _Script(name, None) for path in files if path.startswith(prefix) for name in _installed_scripts(path, prefix)
    ]
    for script in (*of_files, *(_Script(*script) for script in scripts)):
        for installed_name in _installed_names(script):
            other = found.setdefault(installed_name, script)
            if other is not script and (script.value is None or other.value != script.value or other == script):
                pair = listed([other.name, script.name]) if other.name != script.name else excerpt(script.name)
                yield f"the wheel, by its entry_points.txt and data folder, has two scripts of one name: {pair}"
                break


def _installed_scripts(path: str, prefix: str) -> Iterator[str]:
    """Yield the name of the script if a file in the data folder becomes one: the scheme "data" contains "scripts"."""
    folder, _, name = path.removeprefix(prefix).rpartition("/")
    if folder.lower() in ("scripts", "data/bin", "data/scripts"):
        yield name


def _installed_names(script: _Script) -> set[str]:
    name = script.name.lower()
    if script.value is None:
        return {name}
    # On Windows, pip and uv write NAME.exe, and remove the suffix of a Python file before.
    stem, _, suffix = name.rpartition(".")
    return {name, f"{stem if stem and suffix.startswith('py') else name}.exe"}
