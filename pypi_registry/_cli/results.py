"""What a command has found and done: lines for people, or one JSON document for programs."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from pypi_registry._cli.progress import Meter, printable
from pypi_registry.model import PackageFile

Facts = Mapping[str, object]
"""What `json.dumps` accepts, under names that are keys of the JSON document."""


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that prints JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")


def facts_of(file: PackageFile, reason: str) -> Facts:
    """Return the facts of a file with which something is wrong."""
    return {
        "project_id": file.package.project_id,
        "filename": file.filename,
        "file_id": file.id,
        "blob_key": file.blob_key,
        "reason": reason,
    }


class Results(Protocol):
    """Where a command writes what it finds, while it runs: the number of things has no limit."""

    def add(self, line: str, facts: Facts) -> None:
        """Write one thing that was found or done."""

    def end(self, summary: Facts, *lines: str) -> None:
        """Write the summary; a command that does not call this was not completed."""


@contextmanager
def results(key: str, *, as_json: bool, meter: Meter) -> Iterator[Results]:
    """Write to the standard output, and erase the bar of a meter before each line and at the end.

    The JSON document has two keys: `key`, a list of the things that were added, and ``summary``. It is valid also if
    the command was not completed: then the summary is null.
    """
    output = _JSON(meter, key) if as_json else _Lines(meter)
    try:
        yield output
    finally:
        meter.erase()
        output.close()


class _Lines:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def add(self, line: str, facts: Facts) -> None:
        self._meter.erase()
        print(printable(line), flush=True)

    def end(self, summary: Facts, *lines: str) -> None:
        for line in lines:
            self.add(line, summary)

    def close(self) -> None:
        pass


class _JSON:
    def __init__(self, meter: Meter, key: str) -> None:
        self._meter = meter
        self._separator = "\n"
        self._summary: Facts | None = None
        print(f"{{{json.dumps(key)}: [", end="")

    def add(self, line: str, facts: Facts) -> None:
        self._meter.erase()
        print(self._separator, json.dumps(facts), sep="", end="")
        self._separator = ",\n"

    def end(self, summary: Facts, *lines: str) -> None:
        self._summary = summary

    def close(self) -> None:
        print("\n],", f'"summary": {json.dumps(self._summary)}}}', flush=True)
