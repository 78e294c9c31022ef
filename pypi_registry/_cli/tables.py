"""Lists as aligned columns for people, or as JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence

from pypi_registry._cli.output import write_out
from pypi_registry._cli.progress import printable

_EMPTY = "-"


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows, each with a value per column: a text, a list or a table of texts, a flag, or None.

    :raises OSError: if the standard output cannot be written.
    """
    write_out(sys.stdout, _json(columns, rows) if as_json else _lines(columns, rows))


def _json(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    return json.dumps([{column: row[column] for column in columns} for row in rows], indent=2) + "\n"


def _lines(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[position]) for line in cells) for position in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = [f"{key}={each}" for key, each in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(map(str, value))
    return printable(str(value)) if value not in (None, "") else _EMPTY
