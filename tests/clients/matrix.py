"""The matrix: which client is tested with what, and how it turns out; as Markdown, for the documentation."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients.bench import Bench

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
MATRIX = "the matrix"
"""The part of the page that a program writes; another one is named by its own tests."""

Check = Callable[[Bench, str, str], None]


@dataclass(frozen=True)
class Row:
    """Something that is tested with several clients."""

    title: str
    words: Mapping[str, str]
    """By client, how it turns out. A client that cannot do such a thing is left out."""
    check: Check
    """Given the bench, a client and its word, fails unless it turns out so."""

    def cell(self, client: str) -> str:
        """Return the name of a cell."""
        return f"{self.check.__name__}-{client}"


@dataclass(frozen=True)
class Table:
    """Rows for the same clients."""

    columns: Mapping[str, str]
    """By client, how it is called at the head of its column."""
    rows: Sequence[Row]

    def markdown(self, word: Callable[[Row, str], str]) -> str:
        lines = [[row.title, *(word(row, client) for client in self.columns)] for row in self.rows]
        return _lines(["", *self.columns.values()], lines)


@dataclass(frozen=True)
class LineByClient(Table):
    """The same with a line for each client, and a note at its end."""

    notes: Mapping[str, str]

    def markdown(self, word: Callable[[Row, str], str]) -> str:
        lines = [
            [title, *(word(row, client) for row in self.rows), self.notes.get(client, "")]
            for client, title in self.columns.items()
        ]
        return _lines(["", *(row.title for row in self.rows), "note"], lines)


def _lines(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *lines])


def one_client_for_each_outcome(tables: Sequence[Table]) -> set[str]:
    """Choose cells: of each row, for each of its words, the client of which the fewest are chosen so far."""
    chosen: Counter[str] = Counter()
    cells = set()
    for row in (row for table in tables for row in table.rows):
        for word in dict.fromkeys(row.words.values()):
            client = min((each for each in row.words if row.words[each] == word), key=lambda each: chosen[each])
            chosen[client] += 1
            cells.add(row.cell(client))
    return cells


def expected(row: Row, client: str) -> str:
    return row.words.get(client, "–")


def markdown(tables: Sequence[Table], word: Callable[[Row, str], str] = expected) -> str:
    return "\n" + "\n".join(table.markdown(word) for table in tables) + "\n"


def as_it_ran(tables: Sequence[Table], passed: Mapping[str, bool]) -> str:
    """Return the matrix as it turned out, by cell."""

    def word(row: Row, client: str) -> str:
        if client not in row.words:
            return expected(row, client)
        return {True: row.words[client], False: "FAILED", None: "not run"}[passed.get(row.cell(client))]

    return markdown(tables, word)


def on_the_page(part: str = MATRIX) -> str:
    """Return a part of the page that a program has written."""
    found = _place(part).search(PAGE.read_text(encoding="utf-8"))
    assert found, f"{PAGE} has no place for {part}"
    return found[0]


def write_to_the_page(written: str, part: str = MATRIX) -> None:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_place(part).sub(lambda _: written, text), encoding="utf-8")


def _place(part: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {part}: written by a program -->\n).*(?=<!-- end of {part} -->)", re.DOTALL)
