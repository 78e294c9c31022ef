"""``pypi-registry prune``: deletes or yanks old versions."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from packaging.utils import NormalizedName

from pypi_registry._cli.audit import add_audit, audit_log
from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.namespaces import find_project, read_accounts
from pypi_registry._cli.progress import Meter, counted
from pypi_registry._cli.results import add_json, results
from pypi_registry._cli.stores import open_stores
from pypi_registry._maintenance.prune import Candidate, Kind, Rule, parse_age, removable
from pypi_registry._publishing import publish as publishing
from pypi_registry.accounts.wildcards import Patterns
from pypi_registry.events import Actor, Event
from pypi_registry.model import PackageQuery, Project, Projects
from pypi_registry.storage import Catalogue

ACTOR = Actor("prune")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "prune",
        help="delete or yank old versions",
        description="Delete or yank old versions of the packages of a project. The highest version of each name always "
        "stays. Pass --keep, --older-than, or both. If you pass both, only versions that satisfy both conditions are "
        "deleted.",
    )
    add_location(parser)
    parser.add_argument("--project", required=True, metavar="PATH", help="the full path or the id of the project")
    parser.add_argument(
        "--name", metavar="PATTERN", default="*", help="only these names; * matches any text (default: all)"
    )
    parser.add_argument("--keep", type=_number, metavar="N", help="keep the N highest versions of each name")
    parser.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="delete only versions whose newest file is older: 90d, 12w or 36h",
    )
    parser.add_argument("--pre-releases", action="store_true", help="select only alphas, betas and release candidates")
    parser.add_argument("--dev-releases", action="store_true", help="select only developmental releases (.dev)")
    parser.add_argument("--yank", action="store_true", help="yank the versions instead of deleting them")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be deleted or yanked, and change nothing"
    )
    add_audit(parser)
    add_json(parser)
    parser.set_defaults(run=_run, fail=parser.error)


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of versions: 1 or more")
    return number


def _age(text: str) -> timedelta:
    age = parse_age(text)
    if age is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age, such as 90d, 12w or 36h")
    return age


@dataclass(frozen=True, slots=True)
class Options:
    """What is pruned, and how."""

    project: str
    rule: Rule
    names: Patterns
    yank: bool = False
    dry_run: bool = False


def _run(options: argparse.Namespace) -> int:
    flags = {Kind.PRE_RELEASE: options.pre_releases, Kind.DEV_RELEASE: options.dev_releases}
    age: timedelta | None = options.older_than
    if options.keep is None and age is None:
        options.fail("pass --keep, --older-than, or both")
    rule = Rule(
        options.keep,
        None if age is None else datetime.now(UTC) - age,
        frozenset(kind for kind, wanted in flags.items() if wanted),
    )
    wanted = Options(options.project, rule, Patterns([options.name]), options.yank, options.dry_run)
    where = location(options)
    if wanted.dry_run:
        return prune(where, wanted, on_event=None, as_json=options.json)
    if where.catalogue is None or options.audit is None:
        where.folder.require_owner()
    return prune(where, wanted, on_event=audit_log(where, options), as_json=options.json)


_PAST = {"delete": "deleted", "yank": "yanked"}


def prune(
    where: Location,
    options: Options,
    *,
    on_event: Callable[[Event], object] | None = None,
    as_json: bool = False,
) -> int:
    """Remove versions and print each; return 0.

    :raises InvalidLocation: if there is no such project.
    :raises InvalidConfig: if the configuration is wrong.
    :raises UnusableData: if a store or the configuration cannot be read.
    :raises RegistryError: if a store cannot be reached.
    """
    project = find_project(read_accounts(where), where, options.project)
    verb = "yank" if options.yank else "delete"
    versions = files = 0
    meter = Meter("pypi-registry prune")
    with (
        open_stores(where, create=False) as found,
        results("versions", as_json=as_json, meter=meter) as output,
    ):
        stores = publishing.Stores(found.catalogue, found.blobs, on_event)
        for candidate, size in _versions(found.catalogue, project, options, meter):
            if not options.dry_run and not _remove(stores, project, candidate, yank=options.yank):
                continue  # another program has deleted it meanwhile
            name, version = candidate.package.normalized_name, candidate.package.version
            done = f"would {verb}" if options.dry_run else _PAST[verb]
            output.add(
                f"{done} {name} {version} ({counted(size, 'file')})", {"name": name, "version": version, "files": size}
            )
            versions, files = versions + 1, files + size
        total = counted(versions, "version")
        total = f"would {verb} {total}" if options.dry_run else f"{total} {_PAST[verb]}"
        output.end({"versions": versions, "files": files}, f"{total}, {counted(files, 'file')}")
    if options.dry_run:
        print("this was a dry run: nothing was changed", file=sys.stderr)
    return 0


def _versions(
    catalogue: Catalogue, project: Project, options: Options, meter: Meter
) -> Iterator[tuple[Candidate, int]]:
    """Yield the versions that are to be removed, with the number of their files."""
    names = [name for name in catalogue.names(Projects([project])) if options.names.match(name)]
    for number, name in enumerate(names):
        meter.show("names", number, len(names))
        found = _candidates(catalogue, project, name)
        for candidate in removable([each for each, _ in found], options.rule):
            if not (options.yank and candidate.package.yanked is not None):
                yield candidate, dict(found)[candidate]


def _candidates(catalogue: Catalogue, project: Project, name: NormalizedName) -> Sequence[tuple[Candidate, int]]:
    packages, _ = catalogue.packages(Projects([project]), PackageQuery(normalized_name=name))
    listing = catalogue.listing(Projects([project]), name)
    times = defaultdict(list)
    for file in listing.files if listing else ():
        times[file.package.id].append(file.uploaded_at)
    return [
        (Candidate(package, max(times[package.id], default=package.created_at)), len(times[package.id]))
        for package in packages
    ]


def _remove(stores: publishing.Stores, project: Project, candidate: Candidate, *, yank: bool) -> bool:
    package_id = candidate.package.id
    if yank:
        return publishing.yank(stores, project, package_id, "", actor=ACTOR) is not None
    return publishing.delete_package(stores, project, package_id, actor=ACTOR) is not None
