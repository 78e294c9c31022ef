"""``pypi-registry copy``: a registry into other stores, again and again until the switch."""

import argparse
import os
import sys
from dataclasses import asdict

from pypi_registry._cli.location import InvalidLocation, Location, add_side, side_location
from pypi_registry._cli.progress import Meter, counted
from pypi_registry._cli.results import add_json, facts_of, results
from pypi_registry._cli.stores import open_stores
from pypi_registry._maintenance.copy import Copy, Progress, Side


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "copy",
        help="copy a registry into other stores",
        description="Copy a whole registry into another data folder, or to a database and a bucket. The registry "
        "can keep running. A later run copies only the changes since the previous run.",
    )
    add_side(parser, "from", "the registry to copy")
    add_side(parser, "to", "the copy, which must be empty or an older copy of the same registry")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    source, target = side_location(options, "from"), side_location(options, "to")
    if _is_same(source, target):
        raise InvalidLocation("the source and the target are the same")
    if target.catalogue is None:
        target.folder.require_owner()
    return copy(source, target, as_json=options.json)


def _is_same(source: Location, target: Location) -> bool:
    if source.catalogue is not None or target.catalogue is not None:
        return source.catalogue == target.catalogue or source.blobs == target.blobs
    return os.path.realpath(source.folder.folder) == os.path.realpath(target.folder.folder)


def copy(source: Location, target: Location, *, as_json: bool = False) -> int:
    """Copy a registry and print what could not be copied; return 0, or 1 if a file was not copied.

    :raises UnusableData: if a store cannot be read or created.
    :raises RegistryError: if the target is not empty and not a copy of the source, or a store cannot be reached.
    :raises OSError: if a file or a folder cannot be read or written.
    """
    meter = Meter("pypi-registry copy")

    def show(progress: Progress) -> None:
        meter.show(progress.unit, progress.done, progress.total)

    with (
        open_stores(source, create=False) as old,
        open_stores(target, create=True) as new,
        results("files", as_json=as_json, meter=meter) as output,
    ):
        copying = Copy(Side(old.catalogue, old.blobs), Side(new.catalogue, new.blobs), on_progress=show)
        for left in copying.run():
            line = f"not copied: {left.file.filename} (file {left.file.id}): {left.reason}"
            output.add(line, facts_of(left.file, left.reason))
        summary = copying.summary
        output.end(
            asdict(summary),
            f"{counted(summary.files, 'file')} copied ({counted(summary.bytes, 'byte')}), {summary.deleted:,} deleted, "
            f"{summary.changed:,} yanks, statuses and descriptions changed, {summary.left:,} not copied",
        )
    if summary.left:
        print("pypi-registry copy: fsck --digests lists the problems at the source", file=sys.stderr)
    return 1 if summary.left else 0
