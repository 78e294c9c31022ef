"""Edits the tables of a ``registry.toml`` as text: every other character stays, comments and order included.

tomlkit parses a whole document and writes it again. It keeps a comment with the table before it, so removing that table
removes a comment that describes the next one, and it moves arrays of tables together that were apart. So tables are
found and edited here, and tomlkit edits what has a syntax of its own: an array of inline tables. Each result is parsed
by `tomllib` and compared with what it must be.
"""

import copy
import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice, takewhile
from typing import Any

from pypi_registry.accounts.tokens import toml_value

Data = dict[str, Any]

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # a string may end with two quotes of its own
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


class NotEditable(Exception):
    """A file is written in a way that is not understood here; a person has to edit it."""

    def __str__(self) -> str:
        return "this file is written in a way that this command cannot edit: edit it by hand"


@dataclass(frozen=True, slots=True)
class _Statement:
    """A header of a table, or a key with its value, with the rest of its last line."""

    start: int
    end: int
    text: str
    is_header: bool

    def is_header_of(self, kind: str, inner: str) -> bool:
        """Return whether it is ``[kind.inner]``."""
        return self.is_header and tomllib.loads(self.text) == {kind: {inner: {}}}


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of an array of tables, with the tables in it."""

    statements: list[_Statement]

    @property
    def end_of_first(self) -> int:
        """Where the keys of the table itself end, before those of the tables in it."""
        return [self.statements[0], *self.own][-1].end

    @property
    def own(self) -> list[_Statement]:
        """The keys of the table itself."""
        return [*takewhile(lambda statement: not statement.is_header, self.statements[1:])]

    def section(self, kind: str, inner: str) -> list[_Statement]:
        """Return the header of a table in it, such as ``[users.roles]``, and its keys; empty if there is none."""
        found = dropwhile(lambda statement: not statement.is_header_of(kind, inner), self.statements[1:])
        return [*islice(found, 1), *takewhile(lambda statement: not statement.is_header, found)]


def add(text: str, kind: str, table: str) -> str:
    """Add a table to the array of tables `kind`, after its last one, or at the end of the file.

    :param table: its TOML, with the header ``[[kind]]``.
    :raises NotEditable: if the array cannot be edited.
    """
    entry = tomllib.loads(table)[kind][0]

    def change(data: Data) -> None:
        data.setdefault(kind, []).append(entry)

    array = _inline_array(text, kind)
    if array is not None:
        return _checked(text, _edit_inline(text, array, kind, lambda tables: _append(tables, entry)), change)
    tables = _tables(text, kind)
    if not tables:
        if text and not text.endswith("\n"):
            text += "\n"
        separator = "" if not text or text.endswith("\n\n") else "\n"
        return _checked(text, f"{text}{separator}{table}", change)
    end = _end_with_comments(text, tables[-1].statements[-1].end)
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return _checked(text, f"{before}\n{table}{text[end:]}", change)


def remove(text: str, kind: str, positions: Collection[int]) -> str:
    """Remove some tables of an array of tables, by their positions from 0. Comments outside them stay.

    :raises NotEditable: if the array cannot be edited.
    """

    def change(data: Data) -> None:
        data[kind] = [table for position, table in enumerate(data[kind]) if position not in positions]

    array = _inline_array(text, kind)
    if array is not None:
        return _checked(text, _edit_inline(text, array, kind, lambda tables: _delete(tables, positions)), change)
    tables = _tables(text, kind)
    edited = text
    for position in sorted(positions, reverse=True):
        for start, end in reversed(_spans(tables[position])):
            edited = _without(edited, start, end)
    return _checked(text, edited, change)


def set_key(text: str, kind: str, position: int, key: str, value: bool) -> str:
    """Set a key of one table of an array of tables to true or false.

    :raises NotEditable: if the array cannot be edited.
    """

    def change(data: Data) -> None:
        data[kind][position][key] = value

    array = _inline_array(text, kind)
    if array is not None:
        edited = _edit_inline(text, array, kind, lambda tables: _set(tables, position, key, value))
        return _checked(text, edited, change)
    table, written = _tables(text, kind)[position], str(value).lower()
    for statement in table.own:
        if key in tomllib.loads(statement.text):
            line = re.sub(r"=(\s*)(?:true|false)\b", rf"=\1{written}", statement.text, count=1)
            return _checked(text, _replaced(text, statement, line), change)
    return _checked(text, _inserted(text, table.end_of_first, f"{key} = {written}"), change)


def set_entry(text: str, kind: str, position: int, inner: str, key: str, value: str | None) -> str:
    """Set a text in the table `inner` of one table of an array of tables, as in ``roles = { "acme" = "owner" }``.

    :param value: None deletes the key, which exists.
    :raises NotEditable: if the array or the inner table cannot be edited.
    """

    def change(data: Data) -> None:
        entries = data[kind][position].setdefault(inner, {})
        if value is None:
            del entries[key]
        else:
            entries[key] = value

    array = _inline_array(text, kind)
    if array is not None:
        edited = _edit_inline(text, array, kind, lambda tables: _set_entry(tables[position], inner, key, value))
        return _checked(text, edited, change)
    table = _tables(text, kind)[position]
    edit = _edit_section if table.section(kind, inner) else _edit_own
    return _checked(text, edit(text, table, kind, inner, key, value), change)


def _checked(before: str, after: str, change: Callable[[Data], None]) -> str:
    expected = copy.deepcopy(tomllib.loads(before))
    change(expected)
    expected = {key: value for key, value in expected.items() if value != []}
    try:
        found = {key: value for key, value in tomllib.loads(after).items() if value != []}
    except tomllib.TOMLDecodeError as error:
        raise NotEditable from error
    if found != expected:
        raise NotEditable
    return after


# Where tables are


_BLANK_LINE = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")


def _statements(text: str) -> Iterator[_Statement]:
    start = 0
    while start < len(text):
        blank = _BLANK_LINE.match(text, start)
        end = blank.end() if blank else _end_of_statement(text, start)
        if not blank:
            statement = text[start:end]
            yield _Statement(start, end, statement, statement.lstrip().startswith("["))
        start = end


def _end_of_statement(text: str, start: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        found = token.group()
        if found == "\n" and not depth:
            return token.end()
        depth += (found in "[{") - (found in "]}")
    return len(text)


def _tables(text: str, kind: str) -> list[_Table]:
    tables: list[_Table] = []
    is_inside = False
    for statement in _statements(text):
        if statement.is_header:
            header = tomllib.loads(statement.text)
            is_inside = kind in header
            if isinstance(header.get(kind), list) and not header[kind][0]:
                tables.append(_Table([]))
        if is_inside and tables:
            tables[-1].statements.append(statement)
    return tables


def _inline_array(text: str, kind: str) -> _Statement | None:
    for statement in _statements(text):
        if statement.is_header:
            return None
        if kind in tomllib.loads(statement.text):
            return statement
    return None


def _spans(table: _Table) -> list[tuple[int, int]]:
    """Return where a table and the tables in it are; comments and other tables may be between them."""
    spans: list[tuple[int, int]] = []
    for statement in table.statements:
        if statement.is_header:
            spans.append((statement.start, statement.end))
        else:
            spans[-1] = spans[-1][0], statement.end
    return spans


_COMMENT_LINE = re.compile(r"[ \t]*#[^\n]*(\n|$)")
_REST_OF_COMMENT = re.compile(r"([ \t]+#[^\n]*(\n|$))*")


def _end_with_comments(text: str, end: int) -> int:
    """Return where the comments end that follow a table, if a blank line separates them from what comes next."""
    position = end
    while found := _COMMENT_LINE.match(text, position):
        position = found.end()
    return position if position == len(text) or not text[position:].partition("\n")[0].strip() else end


def _without(text: str, start: int, end: int) -> str:
    rest = _REST_OF_COMMENT.match(text, end)  # lines that continue the comment of the last line
    before, after = text[:start], text[rest.end() if rest else end :]
    if (not before or before.endswith("\n\n")) and after.startswith("\n"):
        after = after[1:]
    return before + after


def _replaced(text: str, statement: _Statement, line: str) -> str:
    return f"{text[: statement.start]}{line}{text[statement.end :]}"


def _inserted(text: str, end: int, line: str) -> str:
    """Insert a line after the statement that ends at `end`."""
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{before}{line}\n{text[end:]}"


# Tables in a table


def _edit_section(text: str, table: _Table, kind: str, inner: str, key: str, value: str | None) -> str:
    """Edit the lines below a header such as ``[users.roles]``."""
    header, *entries = table.section(kind, inner)
    for entry in entries:
        if key in tomllib.loads(entry.text):
            if value is None:
                return _without(text, entry.start, entry.end)
            return _replaced(text, entry, _with_value(entry.text, value))
    last = entries[-1] if entries else header
    return _inserted(text, last.end, f"{_indent(last)}{_entry(key, value)}")


def _edit_own(text: str, table: _Table, kind: str, inner: str, key: str, value: str | None) -> str:
    """Edit ``roles = { … }``, or lines such as ``roles.acme = "owner"``, or add the first entry."""
    entries = [statement for statement in table.own if inner in tomllib.loads(statement.text)]
    if not entries:
        return _inserted(text, table.end_of_first, f"{inner} = {{ {_entry(key, value)} }}")
    braces = _braces(entries[0].text)
    if braces is not None:
        return _replaced(text, entries[0], _edit_braces(entries[0].text, *braces, key, value))
    for entry in entries:
        if key in tomllib.loads(entry.text)[inner]:
            if value is not None:
                return _replaced(text, entry, _with_value(entry.text, value))
            if len(entries) == 1:
                return _replaced(text, entry, f"{inner} = {{}}\n")
            return _without(text, entry.start, entry.end)
    return _inserted(text, entries[-1].end, f"{_indent(entries[-1])}{inner}.{_entry(key, value)}")


def _braces(line: str) -> tuple[int, int] | None:
    """Return where the inline table of a line begins and ends; None if there is none."""
    braces = [token for token in _TOKEN.finditer(line) if token.group() in "{}"]
    return (braces[0].start(), braces[-1].end()) if braces else None


_IN_BRACES = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^,"'])+""", re.DOTALL)


def _edit_braces(line: str, start: int, end: int, key: str, value: str | None) -> str:
    inside = _IN_BRACES.findall(line[start + 1 : end - 1])
    try:
        entries = {next(iter(tomllib.loads(entry)), ""): entry.strip() for entry in inside}
    except tomllib.TOMLDecodeError as error:  # a comma in a string of several lines
        raise NotEditable from error
    entries.pop("", None)  # between the braces of an empty table
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = _with_value(entries[key], value) if key in entries else _entry(key, value)
    edited = f"{{ {', '.join(entries.values())} }}" if entries else "{}"
    return f"{line[:start]}{edited}{line[end:]}"


def _with_value(line: str, value: str) -> str:
    """Replace the value of a line, which is its last string."""
    *_, last = (token for token in _TOKEN.finditer(line) if token.group()[0] in "\"'")
    return f"{line[: last.start()]}{toml_value(value)}{line[last.end() :]}"


def _entry(key: str, value: str | None) -> str:
    return f"{toml_value(key)} = {toml_value(value or '')}"


def _indent(statement: _Statement) -> str:
    return statement.text[: len(statement.text) - len(statement.text.lstrip())]


# Arrays of inline tables


def _edit_inline(text: str, array: _Statement, kind: str, edit: Callable[[Any], object]) -> str:
    import tomlkit  # an extra brings it, and most files need it not

    document = tomlkit.parse(array.text)
    edit(document[kind])
    return f"{text[: array.start]}{tomlkit.dumps(document)}{text[array.end :]}"


def _append(tables: Any, entry: Data) -> None:
    import tomlkit

    table = tomlkit.inline_table()
    table.update(entry)
    written = tables.as_string()
    if "\n" in written:
        indented = re.search(r"\n([ \t]*)\{", written)
        tables.add_line(table, indent=indented[1] if indented else "    ")
    else:
        tables.append(table)


def _delete(tables: Any, positions: Collection[int]) -> None:
    for position in sorted(positions, reverse=True):
        del tables[position]


def _set(tables: Any, position: int, key: str, value: bool) -> None:
    tables[position][key] = value


def _set_entry(table: Any, inner: str, key: str, value: str | None) -> None:
    if value is None:
        del table[inner][key]
    elif inner in table:
        table[inner][key] = value
    else:
        table[inner] = {key: value}
