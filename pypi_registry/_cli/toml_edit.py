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
from typing import Any

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


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of an array of tables, with the tables in it."""

    statements: list[_Statement]

    @property
    def end_of_first(self) -> int:
        """Where the keys of the table itself end, before those of the tables in it."""
        end = self.statements[0].end
        for statement in self.statements[1:]:
            if statement.is_header:
                break
            end = statement.end
        return end


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
    """Remove some tables of an array of tables, by their positions from 0. Comments outside of them stay.

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


def set_true(text: str, kind: str, position: int, key: str) -> str:
    """Set a key of one table of an array of tables to true.

    :raises NotEditable: if the array cannot be edited.
    """

    def change(data: Data) -> None:
        data[kind][position][key] = True

    array = _inline_array(text, kind)
    if array is not None:
        return _checked(text, _edit_inline(text, array, kind, lambda tables: _set(tables, position, key)), change)
    table = _tables(text, kind)[position]
    for statement in table.statements[1:]:
        if statement.is_header:
            break
        if key in tomllib.loads(statement.text):
            line = re.sub(r"=(\s*)false\b", r"=\1true", statement.text, count=1)
            return _checked(text, f"{text[: statement.start]}{line}{text[statement.end :]}", change)
    end = table.end_of_first
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return _checked(text, f"{before}{key} = true\n{text[end:]}", change)


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


def _set(tables: Any, position: int, key: str) -> None:
    tables[position][key] = True
