"""``pypi-registry fsck``: what a check of the data folder finds, as lines for people or as JSON for programs."""

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Protocol

from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.progress import Meter, counted, printable
from pypi_registry._cli.stores import open_stores
from pypi_registry._maintenance.fsck import Check, Options, Progress
from pypi_registry._maintenance.problems import Problem


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "fsck",
        help="check the stored data, and repair it",
        description="Compare the catalogue with the stored files. The registry may run meanwhile.",
    )
    add_location(parser, config="ignored; accepted so that the options of serve can be reused")
    parser.add_argument("--digests", action="store_true", help="read all files, and compare their digests")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="delete blobs that belong to no file and are older than a day; correct sizes and derived rows",
    )
    parser.add_argument(
        "--drop-missing", action="store_true", help="with --repair: delete files whose bytes are missing or wrong"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_run, fail=parser.error)


def _run(options: argparse.Namespace) -> int:
    if options.drop_missing and not options.repair:
        options.fail("--drop-missing needs --repair")
    checked = Options(options.digests, options.repair, options.drop_missing)
    return fsck(location(options), checked, as_json=options.json)


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a complete check has seen; the names are keys of the JSON document."""

    files: int
    blobs: int
    problems: int
    repaired: int
    remaining: int


def fsck(where: Location, options: Options, *, as_json: bool) -> int:
    """Check a registry and print what was found; return 0 if no problem remains, otherwise 1.

    :raises UnusableData: if a store cannot be read.
    :raises RegistryError: if the catalogue has another schema, or holds a row that cannot be read.
    :raises OSError: if a file or a folder cannot be read.
    """
    output: _Output = _JSON() if as_json else _Lines()
    with open_stores(where, create=False) as stores:
        meter = Meter("pypi-registry fsck")

        def show(progress: Progress) -> None:
            meter.show(progress.unit, progress.done, progress.total)

        check = Check(stores.catalogue, stores.blobs, options, on_progress=show)
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
                f"{counted(summary.files, 'file')}, {counted(summary.blobs, 'blob')}: "
                f"{counted(summary.problems, 'problem')}, "
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
