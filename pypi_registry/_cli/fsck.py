"""``pypi-registry fsck``: what a check of the data folder finds, as lines for people or as JSON for programs."""

import argparse
from dataclasses import asdict

from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.progress import Meter, counted
from pypi_registry._cli.results import add_json, results
from pypi_registry._cli.stores import open_stores
from pypi_registry._maintenance.fsck import Check, Options, Progress
from pypi_registry._maintenance.problems import Problem


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "fsck",
        help="check the stored data, and repair it",
        description="Compare the catalogue with the stored files. The registry can keep running.",
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
    add_json(parser)
    parser.set_defaults(run=_run, fail=parser.error)


def _run(options: argparse.Namespace) -> int:
    if options.drop_missing and not options.repair:
        options.fail("--drop-missing needs --repair")
    checked, where = Options(options.digests, options.repair, options.drop_missing), location(options)
    if options.repair and where.catalogue is None:
        where.folder.require_owner()
    return fsck(where, checked, as_json=options.json)


def fsck(where: Location, options: Options, *, as_json: bool) -> int:
    """Check a registry and print what was found; return 0 if no problem remains, otherwise 1.

    :raises UnusableData: if a store cannot be read.
    :raises RegistryError: if the catalogue has a different schema version, or holds a row that cannot be read.
    :raises OSError: if a file or a folder cannot be read.
    """
    meter = Meter("pypi-registry fsck")

    def show(progress: Progress) -> None:
        meter.show(progress.unit, progress.done, progress.total)

    with (
        open_stores(where, create=False) as stores,
        results("problems", as_json=as_json, meter=meter) as output,
    ):
        check = Check(stores.catalogue, stores.blobs, options, on_progress=show)
        problems = repaired = 0
        for problem in check.problems():
            output.add(_line(problem), asdict(problem))
            problems += 1
            repaired += problem.repaired
        counts = {"files": check.files, "blobs": check.blobs}
        remaining = problems - repaired
        output.end(
            {**counts, "problems": problems, "repaired": repaired, "remaining": remaining},
            f"{counted(check.files, 'file')}, {counted(check.blobs, 'blob')}: {counted(problems, 'problem')}, "
            f"{repaired:,} repaired, {remaining:,} remaining",
        )
    return 1 if remaining else 0


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
