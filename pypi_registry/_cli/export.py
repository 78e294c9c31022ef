"""``pypi-registry export``: a static index, which any web server serves to pip and uv."""

import argparse
from dataclasses import asdict
from pathlib import Path

from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.namespaces import find_group, find_project, read_accounts
from pypi_registry._cli.progress import Meter, counted
from pypi_registry._cli.results import add_json, facts_of, results
from pypi_registry._cli.stores import open_stores
from pypi_registry._moving.static_index import Export
from pypi_registry.model import Namespace, Projects


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "export",
        help="write a static index",
        description="Write the packages of a project or a group into a folder, which any web server can serve to pip "
        "and uv. A later export into the same folder adds new files and deletes files that no longer exist.",
    )
    add_location(parser)
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="the target: an empty or missing folder, or an earlier export"
    )
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--project", metavar="PATH", help="the full path or the id of the project to export")
    whose.add_argument(
        "--group", metavar="PATH", help="the full path or the id of the group to export, with all projects below it"
    )
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return export(location(options), options.folder, options.project, options.group, as_json=options.json)


def export(
    where: Location, folder: Path, project_path: str | None, group_path: str | None, *, as_json: bool = False
) -> int:
    """Export a project or a group, and print what could not be exported; return 0, or 1 if a file was not exported.

    :raises InvalidLocation: if there is no such project or group.
    :raises InvalidConfig: if the configuration is wrong.
    :raises UnusableData: if a store or the configuration cannot be read.
    :raises RegistryError: if a store cannot be reached, or the folder belongs to something else.
    :raises OSError: if the folder cannot be written.
    """
    namespace, projects = _namespace(where, project_path, group_path)
    meter = Meter("pypi-registry export")
    with (
        open_stores(where, create=False) as stores,
        results("files", as_json=as_json, meter=meter) as output,
    ):
        exporting = Export(
            stores.catalogue,
            stores.blobs,
            projects,
            namespace.title,
            folder,
            on_progress=lambda done, total: meter.show("names", done, total),
        )
        for left in exporting.run():
            line = f"not exported: {left.file.filename} (file {left.file.id}): {left.reason}"
            output.add(line, facts_of(left.file, left.reason))
        summary = exporting.summary
        output.end(
            asdict(summary),
            f"{counted(summary.files, 'file')} of {counted(summary.names, 'name')}: {summary.linked:,} linked, "
            f"{summary.copied:,} copied, {summary.deleted:,} deleted, {summary.left:,} not exported",
        )
    return 1 if summary.left else 0


def _namespace(where: Location, project_path: str | None, group_path: str | None) -> tuple[Namespace, Projects]:
    accounts = read_accounts(where)
    if project_path is not None:
        project = find_project(accounts, where, project_path)
        return project, Projects([project])
    group = find_group(accounts, where, group_path or "")
    return group, accounts.projects_in(group)
