"""``pypi-registry project``: adds and lists the projects of a ``registry.toml``."""

import argparse
import sys

from pypi_registry._cli import toml_edit
from pypi_registry._cli.config_file import Change, ChangeRefused, Config, edit_config, read_config
from pypi_registry._cli.data_folder import UnusableData
from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.stores import open_stores, require_catalogue
from pypi_registry._cli.tables import print_rows
from pypi_registry._paths import MAX_DIGITS, fold, is_valid_path
from pypi_registry._records import ProjectRecord
from pypi_registry.accounts import ProjectConfig
from pypi_registry.accounts.toml_tables import project_table
from pypi_registry.model import Visibility
from pypi_registry.storage import ProjectPaths
from pypi_registry.stores.sqlite.files_at import why_not_created


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "project",
        help="add or list projects",
        description="Add or list projects in registry.toml. A running registry reloads the file within seconds.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser(
        "add",
        help="add a project",
        description="Add a project. A group exists as soon as the path of a project contains it.",
    )
    add.add_argument("path", metavar="PATH", type=_path, help="the full path, such as acme/tools")
    add.add_argument(
        "--id",
        type=_id,
        metavar="N",
        help="the id (default: above every id in registry.toml and the catalogue, even those of deleted projects)",
    )
    add.add_argument(
        "--visibility",
        type=Visibility,
        choices=[*Visibility],
        default=Visibility.PRIVATE,
        help="who may install: public means everyone, internal means every user with a token, private means users with "
        "a role in the project or in a group above it (default: %(default)s)",
    )
    add_location(add, config="the configuration (default: DIR/registry.toml, created if missing)")
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="list projects", description="List the projects with their ids.")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    add_location(listing)
    listing.set_defaults(run=_list)


def _path(text: str) -> str:
    if not is_valid_path(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a path: segments of ASCII letters, digits, '.', '-' and '_', with '/' between them"
        )
    return text


def _id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: a number of at most {MAX_DIGITS} digits")
    return int(text)


def _add(options: argparse.Namespace) -> int:
    where = location(options)
    if options.id is None:
        require_catalogue(where, "the id of the project with --id")
    published = published_projects(where)
    edit_config(where, lambda config: add_project(config, published, options.path, options.id, options.visibility))
    if options.id is None and not (where.created or where.catalogue or where.folder.catalogue.exists()):
        print(
            f"note: {where.folder.folder} has no catalogue yet, so the id is above those in {where.config} only",
            file=sys.stderr,
        )
    before = [number for number, path in published.items() if fold(path) == fold(options.path)]
    if before and options.id is None:
        print(
            f"note: {options.path} has published packages as project {before[0]}; they stay with that id",
            file=sys.stderr,
        )
    return 0


def published_projects(where: Location) -> dict[int, str]:
    """Return the path of every project that ever published, by its id. Packages that were deleted count, too.

    :raises UnusableData: if the catalogue cannot be read.
    :raises RegistryError: if the catalogue has a different schema version, or cannot be reached.
    """
    path = where.folder.catalogue
    if where.catalogue is None and not path.exists():
        if reason := why_not_created(str(path.absolute())):
            raise UnusableData(path, reason)
        return {}
    with open_stores(where, create=False) as stores:
        if isinstance(stores.catalogue, ProjectPaths):
            return dict(stores.catalogue.project_paths())
        return {record.id: record.path for record in stores.catalogue.records() if isinstance(record, ProjectRecord)}


def add_project(
    config: Config, published: dict[int, str], path: str, number: int | None, visibility: Visibility
) -> Change:
    """Add a project.

    :param published: the projects that the catalogue knows; an id never returns for another one.
    :param number: its id; None: one above all.
    :raises ChangeRefused: if the path or the id belongs to another project or group.
    """
    if any(fold(project.path) == fold(path) for project in config.projects):
        raise ChangeRefused(f"there is already a project {path!r}")
    used = {project.id: project.path for project in config.projects}
    if number is None:
        groups = (group.id for group in config.groups if group.id is not None)
        number = max([0, *used, *published, *groups]) + 1
        if number >= 10**MAX_DIGITS:
            raise ChangeRefused(f"no id of at most {MAX_DIGITS} digits is above all others: choose one with --id")
    elif number in used:
        raise ChangeRefused(f"--id: {number} is the id of {used[number]!r}")
    elif number in published and fold(published[number]) != fold(path):
        raise ChangeRefused(f"--id: {number} was the id of {published[number]!r}, which has published packages")
    project = ProjectConfig(id=number, path=path, visibility=visibility)
    return Change(
        toml_edit.add(config.text, "projects", project_table(project)), f"created project {path}: id {number}\n"
    )


def _list(options: argparse.Namespace) -> int:
    projects = read_config(location(options)).projects
    rows = [{"id": each.id, "path": each.path, "visibility": str(each.visibility)} for each in projects]
    print_rows(("id", "path", "visibility"), rows, as_json=options.json)
    return 0
