"""The project or the group that an option of the command line names."""

from pathlib import Path

from pypi_registry._cli.data_folder import UnusableData
from pypi_registry._cli.location import InvalidLocation, Location
from pypi_registry.accounts import Accounts
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project


def read_accounts(location: Location) -> Accounts:
    """Return the accounts of a registry.

    :raises UnusableData: if its data folder has no configuration.
    :raises InvalidConfig: if anything in the configuration is wrong.
    :raises OSError: if it cannot be read.
    """
    path: Path = location.config
    try:
        return Accounts.from_toml(path)
    except FileNotFoundError as error:
        if not location.created:
            raise
        reason = "there is no such file: name the configuration with --config, or the data folder with --data"
        raise UnusableData(path, reason) from error


def find_project(accounts: Accounts, location: Location, text: str) -> Project:
    """Return the project with a full path or an id.

    :raises InvalidLocation: if there is none.
    """
    project = accounts.project(_ref(text))
    if project is None:
        raise InvalidLocation(f"--project: {text!r} is not the path of a project in {location.config}")
    return project


def find_group(accounts: Accounts, location: Location, text: str) -> Group:
    """Return the group with a full path or an id.

    :raises InvalidLocation: if there is none.
    """
    group = accounts.group(_ref(text))
    if group is None:
        raise InvalidLocation(f"--group: {text!r} is not the path of a group in {location.config}")
    return group


def _ref(text: str) -> Ref:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else text
