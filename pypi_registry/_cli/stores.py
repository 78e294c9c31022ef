"""Opens the stores of a registry. The library of an engine is imported only when a URL names the engine."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pypi_registry._cli.data_folder import DataFolder, UnusableData
from pypi_registry._cli.location import InvalidLocation, Location
from pypi_registry._disk import create_folder
from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.storage import Blobs, Catalogue, Enumerable, EnumerableBlobs
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.stores.sqlite.files_at import why_not_created

RESERVE = 8 * 1024**2
"""Bytes of the disk that are kept for deletions."""


class EnumerableCatalogue(Catalogue, Enumerable, Protocol):
    """A catalogue that a command can also read as a whole."""


class ListedBlobs(Blobs, EnumerableBlobs, Protocol):
    """A store of bytes that a command can also read as a whole."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one registry."""

    catalogue: EnumerableCatalogue
    blobs: ListedBlobs


@contextmanager
def open_stores(location: Location, *, create: bool, spool: Path | None = None) -> Iterator[Stores]:
    """Open the stores of a registry for the length of a ``with`` block.

    :param create: whether a missing catalogue in the data folder is created, and an older one migrated. A database
        server is never changed here: ``pypi-registry migrate`` does that.
    :param spool: the folder in which uploads to an object store wait; None: the folder for temporary files.
    :raises InvalidLocation: if a URL, or an environment variable of its engine, cannot be used.
    :raises UnusableData: if the data folder, or a file in it, cannot be used.
    :raises RegistryError: if a store has a different schema version, or cannot be reached.
    """
    if location.catalogue is None or location.blobs is None:
        with closing(_catalogue(location.folder, create)) as catalogue:
            if create:  # the data folder may exist, and be readable by others
                create_folder(location.folder.files, mode=0o700)
            try:
                yield Stores(catalogue, FileBlobs(location.folder.files, create=create))
            except sqlite3.Error as error:  # a damaged file shows itself only when it is read
                raise UnusableData(location.folder.catalogue, str(error)) from error
        return
    # Imported here: the engines are in extras of their own.
    from pypi_registry.stores.objects import ObjectBlobs
    from pypi_registry.stores.postgres import PostgresCatalogue

    # It warns of each attempt to connect. The error of the request or of the command has the cause of the last one.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    try:
        objects = ObjectBlobs.from_url(location.blobs, spool=spool)
    except ValueError as error:
        raise InvalidLocation(f"--blobs: {error}") from error
    try:
        database = PostgresCatalogue(location.catalogue)
    except ValueError as error:
        raise InvalidLocation(f"--catalogue: {error}") from error
    with closing(database):
        database.check_schema()
        yield Stores(database, objects)


def require_catalogue(location: Location, *others: str) -> None:
    """Refuse to continue if there is no catalogue, and the user has not named the folder or the database for it.

    Otherwise a command with only ``--config`` would treat an existing registry as a new one. Without ``--config``, the
    configuration is in the default data folder, so the catalogue of the same registry is there, too.

    :param others: what else the user can name, for the message.
    :raises UnusableData: if there was a catalogue.
    :raises InvalidLocation: if there was none.
    """
    path = location.folder.catalogue
    if location.named or location.created or path.exists():
        return
    if reason := why_not_created(str(path.absolute())):
        raise UnusableData(path, reason)
    *first, last = "the data folder of the registry with --data", "its database with --catalogue", *others
    raise InvalidLocation(f"there is no catalogue in {location.folder.folder}: name {', '.join(first)}, or {last}")


def _catalogue(folder: DataFolder, create: bool) -> SQLiteCatalogue:
    path = folder.catalogue
    if create and (reason := why_not_created(str(path.absolute()))):
        raise UnusableData(path, reason)
    try:
        return SQLiteCatalogue(path, reserve=RESERVE) if create else SQLiteCatalogue(path, create=False)
    except (sqlite3.Error, StorageUnavailable, StorageFull) as error:
        raise UnusableData(path, str(error.__cause__ or error)) from error
