"""Where a command finds a registry: a configuration, a data folder, and the URLs of stores outside the folder."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from pypi_registry._cli.data_folder import DataFolder

CATALOGUE = "PYPI_REGISTRY_CATALOGUE"
BLOBS = "PYPI_REGISTRY_BLOBS"
CATALOGUE_SCHEMES = ("postgresql",)
BLOBS_SCHEMES = ("s3", "gs", "az")
DATA = Path("pypi-registry-data")
"""The data folder, if no option names one."""


class InvalidLocation(Exception):
    """The options do not name one registry; the message is for the person who typed them, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Location:
    """A registry, as the options of the command line name it."""

    folder: DataFolder
    config: Path
    """Its ``registry.toml``, which may be missing."""
    created: bool
    """Whether the configuration is the one of the data folder, which ``serve`` creates if it is missing."""
    catalogue: str | None = None
    """The URL of a catalogue; None: in the data folder."""
    blobs: str | None = None
    """The URL of a store of bytes; None: in the data folder. Both are URLs, or neither is."""
    named: bool = True
    """Whether the user has named where the catalogue is; otherwise it is in `DATA`, if there is one."""

    @classmethod
    def of(
        cls, data: Path | None, config: Path | None = None, *, catalogue: str | None = None, blobs: str | None = None
    ) -> Self:
        """Return the registry of a data folder; without `config`, its configuration is there, too.

        :param data: None is `DATA`, which the user has not named.
        """
        folder = DataFolder(DATA if data is None else data)
        named = data is not None or catalogue is not None
        return cls(folder, config or folder.config, config is None, catalogue, blobs, named)


def add_location(
    parser: argparse.ArgumentParser, *, config: str = "the configuration (default: DIR/registry.toml)"
) -> None:
    """Add the options with which every command finds a registry."""
    parser.add_argument("--config", type=Path, metavar="FILE", help=config)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help=f"the data folder (default: {DATA})",
    )
    add_catalogue(parser)
    parser.add_argument(
        "--blobs",
        metavar="URL",
        help=f"the bucket for the files: s3://BUCKET/PREFIX, gs://… or az://… (default: ${BLOBS}, or a folder in DIR)",
    )


def add_catalogue(parser: argparse.ArgumentParser) -> None:
    """Add the option for the URL of a catalogue."""
    parser.add_argument(
        "--catalogue",
        metavar="URL",
        help=f"the database: postgresql://USER@HOST/DATABASE (default: ${CATALOGUE}, or SQLite in DIR)",
    )


def add_side(parser: argparse.ArgumentParser, side: str, title: str) -> None:
    """Add the options with which a copy finds one of its two sides: ``from`` or ``to``."""
    parser.add_argument(f"--{side}-data", type=Path, metavar="DIR", help=f"{title}: its data folder")
    parser.add_argument(f"--{side}-catalogue", metavar="URL", help=f"{title}: the URL of its database")
    parser.add_argument(f"--{side}-blobs", metavar="URL", help=f"{title}: the URL of its bucket")


def side_location(options: argparse.Namespace, side: str) -> Location:
    """Return the registry that the options of one side of a copy name. The environment is ignored.

    :raises InvalidLocation: if they name none, or more than one, or a URL is not of a store, or holds a password.
    """
    values = vars(options)
    data: Path | None = values[f"{side}_data"]
    catalogue = _url(values[f"{side}_catalogue"], f"--{side}-catalogue", "", {}, CATALOGUE_SCHEMES)
    blobs = _url(values[f"{side}_blobs"], f"--{side}-blobs", "", {}, BLOBS_SCHEMES)
    if (data is None) == (catalogue is None) or (catalogue is None) != (blobs is None):
        raise InvalidLocation(f"pass --{side}-data, or both --{side}-catalogue and --{side}-blobs")
    return Location.of(data or Path(os.devnull), catalogue=catalogue, blobs=blobs)


def location(options: argparse.Namespace, environ: Mapping[str, str] | None = None) -> Location:
    """Return the registry that the options, and where they are silent the environment, name.

    :raises InvalidLocation: if one URL is there without the other, or a URL is not of a store, or holds a password.
    """
    catalogue, blobs = catalogue_url(options, environ), _url(options.blobs, "--blobs", BLOBS, environ, BLOBS_SCHEMES)
    if (catalogue is None) != (blobs is None):
        absent, present = ("--catalogue", "--blobs") if catalogue is None else ("--blobs", "--catalogue")
        raise InvalidLocation(f"{present} needs {absent}, too: both stores are in the data folder, or neither is")
    return Location.of(options.data, options.config, catalogue=catalogue, blobs=blobs)


def catalogue_url(options: argparse.Namespace, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the URL of the catalogue; None if neither the options nor the environment name one.

    :raises InvalidLocation: if it is not the URL of a catalogue, or holds a password.
    """
    return _url(options.catalogue, "--catalogue", CATALOGUE, environ, CATALOGUE_SCHEMES)


def _url(
    option: str | None, name: str, variable: str, environ: Mapping[str, str] | None, schemes: tuple[str, ...]
) -> str | None:
    environ = os.environ if environ is None else environ
    url = option if option is not None else environ.get(variable) or None
    if url is None:
        return None
    source = name if option is not None else variable
    expected = " or ".join(f"{scheme}://…" for scheme in schemes)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidLocation(f"{source}: this is not a URL such as {expected}") from None
    # A URL is visible in the list of processes, and in the history of a shell.
    if parts.password is not None or any("password" in key.lower() for key, _ in parse_qsl(parts.query)):
        raise InvalidLocation(
            f"{source}: the URL contains a password: pass it as {_PASSWORDS.get(parts.scheme, 'PGPASSWORD')}"
        )
    if parts.scheme not in schemes:
        raise InvalidLocation(
            f"{source}: {parts.scheme or 'no scheme'!r} is not the scheme of a URL such as {expected}"
        )
    return url


_PASSWORDS = {"s3": "AWS_SECRET_ACCESS_KEY", "gs": "GOOGLE_APPLICATION_CREDENTIALS", "az": "AZURE_STORAGE_ACCOUNT_KEY"}
"""The environment variable of each engine for its secret."""
