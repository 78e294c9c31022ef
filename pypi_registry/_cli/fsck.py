"""``pypi-registry fsck``: what a check of the data folder finds, as lines for people or as JSON for programs."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Protocol

from pypi_registry._cli.data_folder import DataFolder, UnusableData
from pypi_registry._cli.progress import Meter, printable
from pypi_registry._maintenance.fsck import Check, CheckedBlobs, CheckedCatalogue, Options, Progress
from pypi_registry._maintenance.problems import Problem
from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a complete check has seen; the names are keys of the JSON document."""

    files: int
    blobs: int
    problems: int
    repaired: int
    remaining: int


def fsck(folder: DataFolder, options: Options, *, as_json: bool) -> int:
    """Check a data folder and print what was found; return 0 if no problem remains, otherwise 1.

    :raises UnusableData: if a store cannot be read.
    :raises RegistryError: if the catalogue has another schema, or holds a row that cannot be read.
    :raises OSError: if a file or a folder cannot be read.
    """
    output: _Output = _JSON() if as_json else _Lines()
    with _stores(folder) as (catalogue, blobs):
        meter = Meter("pypi-registry fsck")

        def show(progress: Progress) -> None:
            meter.show(progress.unit, progress.done, progress.total)

        check = Check(catalogue, blobs, options, on_progress=show)
        summary = None
        output.begin()
        try:
            problems = repaired = 0
            for problem in check.problems():
                meter.erase()
                output.add(problem)
                problems += 1
                repaired += problem.repaired
            summary = _Summary(check.files, check.blobs, problems, repaired, problems - repaired)
        finally:
            meter.erase()
            output.end(summary)
        return 1 if summary.remaining else 0


@contextmanager
def _stores(folder: DataFolder) -> Iterator[tuple[CheckedCatalogue, CheckedBlobs]]:
    """Open the stores of a data folder. Nothing is created, migrated or deleted."""
    try:
        with closing(SQLiteCatalogue(folder.catalogue, create=False)) as catalogue:
            yield catalogue, FileBlobs(folder.files, create=False)
    except (sqlite3.Error, StorageUnavailable) as error:
        raise UnusableData(folder.catalogue, str(error.__cause__ or error)) from error


class _Output(Protocol):
    """How a check is printed, while it runs: the number of problems has no limit."""

    def begin(self) -> None: ...

    def add(self, problem: Problem) -> None: ...

    def end(self, summary: _Summary | None) -> None:
        """End the output; the summary is None if the check was not completed."""


class _Lines:
    """One line per problem, and one for the summary."""

    def begin(self) -> None:
        pass

    def add(self, problem: Problem) -> None:
        print(printable(_line(problem)), flush=True)

    def end(self, summary: _Summary | None) -> None:
        if summary is not None:
            print(
                f"{_count(summary.files, 'file')}, {_count(summary.blobs, 'blob')}: "
                f"{_count(summary.problems, 'problem')}, "
                f"{summary.repaired:,} repaired, {summary.remaining:,} remaining",
                flush=True,
            )


class _JSON:
    """One document, which is valid also if the check was not completed."""

    def begin(self) -> None:
        print('{"problems": [', end="")
        self._separator = "\n"

    def add(self, problem: Problem) -> None:
        print(self._separator, json.dumps(asdict(problem)), sep="", end="")
        self._separator = ",\n"

    def end(self, summary: _Summary | None) -> None:
        print("\n],", f'"summary": {json.dumps(summary and asdict(summary))}}}', flush=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _line(problem: Problem) -> str:
    parts = [f"{problem.kind}:"]
    if problem.project_id is not None:
        parts.append(problem.project or f"project {problem.project_id}")
    if problem.filename is not None:
        parts.append(f"{problem.filename} (file {problem.file_id}, blob {problem.blob_key})")
    elif problem.package is not None:
        parts.append(f"{problem.package} {problem.version}")
    elif problem.blob_key is not None:
        parts.append(problem.blob_key)
    if len(parts) > 1:
        parts[-1] += ":"
    parts.append(problem.detail)
    if problem.repaired:
        parts.append("[repaired]")
    elif problem.repair is not None:
        parts.append(f"[repair with {problem.repair}]")
    return " ".join(parts)
