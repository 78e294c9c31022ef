"""Copies of a database while programs use it: for a backup, and before a migration."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from pypi_registry._disk import sync_folder


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Write what `source` reads into a file, durably and atomically; an existing file is replaced.

    The copy has one consistent state. Other connections may write meanwhile, but `source` must not be in a transaction
    that writes. The copy may be read only by its owner: it holds the names of private packages.

    :raises sqlite3.Error: if the source cannot be read, or the copy cannot be written.
    :raises OSError: if the copy cannot be written.
    """
    unfinished = target.with_name(f"{target.name}.incomplete")  # if a killed process left one, it is overwritten
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as copy:
            # No other process opens this file, and if a crash leaves one, the next copy overwrites it.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy)
        _sync_file(unfinished)
    except BaseException:
        _delete(unfinished)
        raise
    unfinished.replace(target)
    try:
        sync_folder(target.parent)
    except BaseException:
        _delete(target)
        raise


def copy_before_migration(path: str, version: int) -> Path:
    """Copy the database at `path`, and return where the copy is; no older copy is replaced.

    The caller holds the write lock of the database and has changed nothing. So this reads it with a connection of its
    own: a connection in a transaction that writes cannot be the source of a copy.

    :raises sqlite3.Error: if the database cannot be read, or the copy cannot be written.
    :raises OSError: if the copy cannot be written.
    """
    target = _free_name(Path(f"{path}.before-{version}"))
    with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as source:
        copy_database(source, target)
    return target


def _free_name(wanted: Path) -> Path:
    """Return a path that is free: an older copy exists if an administrator has gone back to this version before."""
    number, free = 2, wanted
    while os.path.lexists(free):
        free = wanted.with_name(f"{wanted.name}.{number}")
        number += 1
    return free


def _delete(path: Path) -> None:
    with suppress(OSError):  # the error before it is the one that counts
        path.unlink(missing_ok=True)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
