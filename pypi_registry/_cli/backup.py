"""``pypi-registry backup``: a folder from which ``serve --data`` continues."""

import argparse
import errno
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from pypi_registry._cli.data_folder import DataFolder, UnusableData
from pypi_registry._cli.location import InvalidLocation, Location, add_location, location
from pypi_registry._cli.progress import Meter, printable
from pypi_registry._cli.results import add_json, facts_of, results
from pypi_registry._cli.stores import open_stores
from pypi_registry._disk import create_folder, disk_errors_as_storage_errors, sync_folder
from pypi_registry._excerpt import with_cause
from pypi_registry._maintenance.backup import Backup, Counts
from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

_FOLDERS = ("files", "tmp", "lost+found")
_FILES = ("catalogue.sqlite3", "registry.toml", "audit.jsonl")
"""What may be in the folder of a backup: what a backup or a registry writes, and what a new file system has."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "backup",
        help="back up a data folder",
        description="Copy the catalogue, the files, the audit log and registry.toml into a folder. The registry "
        "can keep running. The next backup into the same folder copies only new files. To restore, serve that folder.",
    )
    parser.add_argument("target", type=Path, metavar="DEST", help="the folder of the backup, created if missing")
    add_location(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return backup(location(options), options.target, as_json=options.json)


def backup(where: Location, target: Path, *, as_json: bool = False) -> int:
    """Back up a registry; return 0 if the backup has all files and the configuration, otherwise 1.

    :raises InvalidLocation: if the stores are not in the data folder.
    :raises UnusableData: if the data folder cannot be read, or `target` cannot be used.
    :raises RegistryError: if the catalogue has a different schema version, or a store cannot be read or written.
    :raises OSError: if a file or a folder cannot be read or written.
    """
    if where.catalogue is not None:
        raise InvalidLocation(
            "backup copies a data folder only: back up PostgreSQL with pg_dump first, then the bucket with the tools "
            "of its provider"
        )
    folder = where.folder.folder
    if _overlap(folder, target):
        raise UnusableData(target, f"a backup must be outside the data folder {folder}")
    DataFolder(target).require_owner()
    with open_stores(where, create=False) as stores:  # before the folder of the backup is created
        assert isinstance(stores.catalogue, SQLiteCatalogue)
        assert isinstance(stores.blobs, FileBlobs)
        with DataFolder(target).locked():
            _require_backup(target)
            try:
                is_complete = _back_up(where, stores.catalogue, stores.blobs, target, as_json=as_json)
            except (StorageFull, OSError) as error:
                if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                reason = "there is not enough space for the backup; an earlier backup in this folder is unchanged"
                raise UnusableData(target, reason) from error
            except StorageUnavailable as error:
                at = target if isinstance(error.__cause__, OSError) else where.folder.catalogue
                raise UnusableData(at, with_cause(error)) from error
    return 0 if is_complete else 1


def _back_up(where: Location, catalogue: SQLiteCatalogue, blobs: FileBlobs, target: Path, *, as_json: bool) -> bool:
    """Back up a registry, and return whether the backup has all files and the configuration."""
    meter = Meter("pypi-registry backup")
    create_folder(target / "files", mode=0o700)  # the folder of the backup may exist, and be readable by others
    work = Backup(
        catalogue,
        blobs,
        target,
        FileBlobs(target / "files"),
        on_progress=lambda done: meter.show("files", done, None),
    )
    with results("files", as_json=as_json, meter=meter) as output:
        for file, reason in work.copy():
            line = f"{file.filename} (file {file.id}, blob {file.blob_key}): {reason}"
            output.add(line, facts_of(file, reason))
        meter.erase()
        has_config = _copy(where.config, target / "registry.toml", required=not where.created)
        if not has_config:
            # The packages are backed up nevertheless: the file may have been deleted by mistake.
            print(f"{printable(where.config)} is missing: {_without_config(target)}", file=sys.stderr)
        # After the catalogue: the log has a line for each change that the copy of the catalogue has.
        _copy(where.folder.folder / "audit.jsonl", target / "audit.jsonl", required=False)
        work.finish()
        output.end({"files": work.counts.files, **asdict(work.counts)}, _summary(work.counts, target))
    return has_config and not work.counts.damaged


def _without_config(target: Path) -> str:
    has_earlier = (target / "registry.toml").exists()
    contents = (
        "has the registry.toml of an earlier backup" if has_earlier else "cannot be served without a registry.toml"
    )
    return f"name the configuration in use with --config; the backup {contents}"


def _summary(counts: Counts, target: Path) -> str:
    done = f"{counts.linked:,} linked, {counts.copied:,} copied, {counts.present:,} present, {counts.deleted:,} deleted"
    text = f"{target}: {counts.files:,} {'file' if counts.files == 1 else 'files'}: {done}"
    if counts.damaged:
        text += f"; {counts.damaged:,} without their bytes: see pypi-registry fsck"
    if counts.linked:
        text += "; linked files share the disk with the registry"
    return text


def _overlap(folder: Path, target: Path) -> bool:
    first, second = folder.resolve(), target.resolve()
    return first == second or first in second.parents or second in first.parents


def _require_backup(target: Path) -> None:
    """Refuse a folder that belongs to something else: a backup deletes what it does not list.

    :raises UnusableData: if there is something in it that neither a backup nor a registry writes.
    """
    for path in target.iterdir():
        if path.name not in _FOLDERS and not path.name.startswith(_FILES):
            raise UnusableData(target, f"this is not the folder of a backup: it has {printable(path.name)!r}")


def _copy(source: Path, target: Path, *, required: bool) -> bool:
    """Copy a file durably and atomically, readable only by its owner; return whether there is one.

    Without one, the copy of an earlier backup stays: the file may have been deleted by mistake.
    """
    try:
        stream = source.open("rb")
    except FileNotFoundError:
        if required:
            raise
        return False
    unfinished = target.with_name(f"{target.name}.new")
    with stream, disk_errors_as_storage_errors():
        unfinished.unlink(missing_ok=True)  # of a backup that was killed
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(stream, copy)
            copy.flush()
            os.fsync(descriptor)
        unfinished.replace(target)
        sync_folder(target.parent)
    return True
