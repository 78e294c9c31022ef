"""``pypi-registry import``: the packages of another index, or a folder of distributions."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from pypi_registry._cli.audit import add_audit, audit_log
from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.namespaces import find_project, read_accounts
from pypi_registry._cli.progress import Meter, counted
from pypi_registry._cli.results import Results, add_json, results
from pypi_registry._cli.stores import open_stores, require_catalogue
from pypi_registry._moving.folder import FolderSource
from pypi_registry._moving.importing import Import, Kind, Options, Outcome, Progress, Summary
from pypi_registry._moving.source import Source
from pypi_registry._names import normalize
from pypi_registry._publishing.publish import Stores
from pypi_registry.distributions import verify
from pypi_registry.errors import InvalidName, RegistryError
from pypi_registry.events import Event


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "import",
        help="import packages from another index or a folder",
        description="Import the packages of another index (PEP 503 or 691), or the wheels and sdists in a folder, into "
        "a project. Files that are already in the project are skipped, so the same command resumes an interrupted "
        "import.",
        epilog="Credentials for the index are read from ~/.netrc, or from PYPI_REGISTRY_SOURCE_USER and "
        "PYPI_REGISTRY_SOURCE_PASSWORD. To trust another certificate authority, set REQUESTS_CA_BUNDLE to its "
        "certificate file.",
    )
    parser.add_argument("source", metavar="SOURCE", help="the URL of a simple index, or a folder")
    add_location(parser)
    parser.add_argument("--project", required=True, metavar="PATH", help="the full path or the id of the project")
    parser.add_argument(
        "--name",
        action="append",
        type=_name,
        metavar="NAME",
        help="import only this name; may be repeated (default: all)",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=4,
        metavar="N",
        help="the number of files to download at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--no-verify", action="store_true", help="accept files whose contents violate the rules for uploads"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be imported, and change nothing")
    add_audit(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _name(text: str) -> NormalizedName:
    try:
        return normalize(text)
    except InvalidName as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _jobs(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 2 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of downloads: 1 to 99")
    return number


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The options of the command line."""

    source: str
    project: str
    names: Sequence[NormalizedName]
    jobs: int
    verified: bool
    dry_run: bool


def _run(options: argparse.Namespace) -> int:
    wanted = _Wanted(
        options.source,
        options.project,
        [*dict.fromkeys(options.name or ())],
        options.jobs,
        not options.no_verify,
        options.dry_run,
    )
    where = location(options)
    if where.catalogue is None or options.audit is None:
        where.folder.require_owner()
    require_catalogue(where)
    audit = None if options.dry_run else audit_log(where, options)
    return import_packages(where, wanted, on_event=audit, as_json=options.json)


class NoSource(RegistryError):
    """The source is neither a URL nor a folder."""

    def __str__(self) -> str:
        return "SOURCE is neither the URL of an index (http://… or https://…) nor a folder"


def import_packages(
    where: Location,
    wanted: _Wanted,
    *,
    on_event: Callable[[Event], object] | None = None,
    as_json: bool = False,
) -> int:
    """Import packages, and print what was refused; return 0, or 1 if a file was refused or could not be read.

    :raises InvalidLocation: if there is no such project.
    :raises InvalidConfig: if the configuration is wrong.
    :raises UnusableData: if a store or the configuration cannot be read.
    :raises RegistryError: if the source or a store cannot be reached.
    """
    accounts = read_accounts(where)
    project = find_project(accounts, where, wanted.project)
    options = Options(
        accounts.max_file_size, verify if wanted.verified else None, wanted.names, wanted.jobs, wanted.dry_run
    )
    meter = Meter("pypi-registry import")

    def show(progress: Progress) -> None:
        meter.show("files", progress.done, progress.total)

    with (
        _open_source(wanted) as source,
        open_stores(where, create=True) as found,
        results("files", as_json=as_json, meter=meter) as output,
    ):
        importing = Import(source, Stores(found.catalogue, found.blobs, on_event), project, options, on_progress=show)
        interrupted = False
        with closing(importing.run()) as outcomes:
            try:
                for outcome in outcomes:
                    _report(outcome, output, wanted.dry_run)
            except KeyboardInterrupt:
                interrupted = True
        ignored = source.ignored if isinstance(source, FolderSource) else 0
        _summarize(importing.summary, ignored, output, wanted.dry_run)
    if interrupted:
        print("pypi-registry: interrupted; run the same command again to continue the import", file=sys.stderr)
        return 2
    return 1 if importing.summary.refused or importing.summary.failed else 0


@contextmanager
def _open_source(wanted: _Wanted) -> Iterator[Source]:
    if urlsplit(wanted.source).scheme in ("http", "https"):
        from pypi_registry._moving.index import Address, IndexSource

        address = Address.of(wanted.source, os.environ)
        with closing(IndexSource(address, jobs=wanted.jobs, environ=os.environ)) as index:
            yield index
    elif Path(wanted.source).is_dir():
        yield FolderSource(Path(wanted.source))
    else:
        raise NoSource


def _report(outcome: Outcome, output: Results, dry_run: bool) -> None:
    if outcome.kind in (Kind.REFUSED, Kind.FAILED):
        output.add(f"{outcome.kind}: {outcome.title}: {outcome.reason}", asdict(outcome))
    elif dry_run and outcome.kind is Kind.IMPORTED:
        output.add(f"to import: {outcome.title}", asdict(outcome))


def _summarize(summary: Summary, ignored: int, output: Results, dry_run: bool) -> None:
    verb = "to import" if dry_run else "imported"
    lines = [
        f"{counted(summary.imported, 'file')} {verb}, {summary.present:,} already there, {summary.refused:,} refused, "
        f"{summary.failed:,} failed; {counted(summary.yanked, 'version')} {'to yank' if dry_run else 'yanked'}"
    ]
    if summary.without_time:
        lines.append(
            f"{counted(summary.without_time, 'file')} without an upload time at the source: got the current time"
        )
    if summary.without_digest:
        lines.append(f"{counted(summary.without_digest, 'file')} without a digest at the source: not compared")
    if ignored:
        lines.append(f"{counted(ignored, 'other file')} in the folder ignored")
    output.end({**asdict(summary), "ignored": ignored}, *lines)
