"""A backup of a catalogue in SQLite and of its files: a folder on which a registry can be started.

The order of the steps keeps the backup complete at each moment, while clients publish and delete, and also if the
program is killed:

1. Copy the catalogue, in one consistent state, under another name.
2. Copy the bytes of each file that this copy lists, unless an earlier backup has copied them: bytes never change.
3. A client may have deleted a file, with its bytes, since step 1. Delete it from the copy of the catalogue, too.
4. Rename the copy of the catalogue to its final name. Before this step, the earlier backup is still complete.
5. Delete the bytes that only the earlier backup listed.
"""

import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pypi_registry._disk import sync_folder
from pypi_registry._records import FileRecord, ProjectRecord
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import PackageFile, Project
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.stores.sqlite.files_at import has_content

_BATCH = 1000  # keys that one call looks up in the catalogue


@dataclass(slots=True)
class Counts:
    """What a backup has done."""

    linked: int = 0
    """Files of which the backup has a hard link."""
    copied: int = 0
    present: int = 0
    """Files that an earlier backup had copied."""
    deleted: int = 0
    """Files of the earlier backup that are no longer listed."""
    damaged: int = 0
    """Files that are listed, and whose bytes are missing or cannot be read."""

    @property
    def files(self) -> int:
        return self.linked + self.copied + self.present


class Backup:
    """One backup of two stores into a folder that no other program uses.

    :param folder: exists. `files` is the store in it.
    :param on_progress: called with the number of files that are done.
    """

    def __init__(
        self,
        catalogue: SQLiteCatalogue,
        blobs: FileBlobs,
        folder: Path,
        files: FileBlobs,
        *,
        on_progress: Callable[[int], object] = lambda done: None,
    ) -> None:
        self.counts = Counts()
        self._catalogue, self._blobs, self._files = catalogue, blobs, files
        self._target = folder / "catalogue.sqlite3"
        self._new = folder / "catalogue.sqlite3.new"
        self._on_progress = on_progress

    def copy(self) -> Iterator[tuple[PackageFile, str]]:
        """Do the steps 1 to 3; yield each file whose bytes cannot be copied, with the reason.

        Such a file stays listed in the backup, as it does in the registry.

        :raises StorageUnavailable: if the catalogue is damaged, or a store cannot be read or written.
        :raises StorageFull: if there is no space.
        :raises OSError: if a folder cannot be written.
        """
        _delete_database(self._new)  # left by a backup that was killed
        self._catalogue.copy_to(self._new)
        _require_intact(self._new)
        with closing(SQLiteCatalogue(self._new, create=False)) as copy:
            yield from self._copy_files(copy)
        self._files.flush_names()

    def finish(self) -> None:
        """Do the steps 4 and 5: from here on, this is the backup."""
        _apply_log(self._target)
        self._new.replace(self._target)
        sync_folder(self._target.parent)
        with closing(SQLiteCatalogue(self._target, create=False)) as catalogue:
            keys = (key for key, _, _ in self._files.keys())  # noqa: SIM118  # it is not a mapping
            while batch := [*islice(keys, _BATCH)]:
                for key in {*batch} - catalogue.listed(batch):
                    self._files.delete(key)
                    self.counts.deleted += 1

    def _copy_files(self, copy: SQLiteCatalogue) -> Iterator[tuple[PackageFile, str]]:
        paths: dict[int, str] = {}
        gone: list[PackageFile] = []
        for record in copy.records():
            if isinstance(record, ProjectRecord):
                paths[record.id] = record.path
            elif isinstance(record, FileRecord):
                reason = self._copy_bytes(record.file)
                if not reason:
                    self._on_progress(self.counts.files)
                elif self._catalogue.listed([record.file.blob_key]):
                    self.counts.damaged += 1
                    yield record.file, reason
                else:
                    gone.append(record.file)
        for file in gone:
            id_ = file.package.project_id
            copy.delete_file(Project(id_, paths[id_]), file.id, "")

    def _copy_bytes(self, file: PackageFile) -> str:
        """Copy the bytes of a file; return why that is not possible, or an empty text."""
        source, target = Path(self._blobs.path_of(file.blob_key)), Path(self._files.path_of(file.blob_key))
        if _size_of(target) == file.size:
            self.counts.present += 1
            return ""
        found = _size_of(source)
        if found != file.size:
            return "its bytes are missing" if found is None else f"it has {found} bytes instead of {file.size}"
        if _link(source, target):
            self.counts.linked += 1
            return ""
        try:
            with _Source(source) as stream:
                self._files.put(
                    file.blob_key, stream, size=file.size, sha256=file.digests.sha256, filename=file.filename
                )
        except _Unreadable as error:
            return f"its bytes cannot be read: {error}"
        self.counts.copied += 1
        return ""


class _Unreadable(Exception):
    """The bytes of one file cannot be read: the others are copied nevertheless."""


class _Source(io.FileIO):
    """A file of the registry: its errors differ in type from errors of the backup."""

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(path)
        except OSError as error:
            raise _Unreadable(error.strerror) from error

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except OSError as error:
            raise _Unreadable(error.strerror) from error


def _size_of(path: Path) -> int | None:
    """Return the bytes of a file; None if it is missing."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _link(source: Path, target: Path) -> bool:
    """Replace `target` by a hard link to `source`; return False if the file system does not allow it."""
    try:
        target.unlink(missing_ok=True)  # of another size, so it is not what the catalogue lists
        target.hardlink_to(source)
    except OSError:  # another file system, one without links, or a file of another user
        return False
    return True


def _require_intact(database: Path) -> None:
    """Check a copy before it replaces an earlier one, because copying a damaged page succeeds.

    :raises StorageUnavailable: if it is damaged.
    """
    # As if it was immutable: otherwise SQLite creates two more files, for which a full disk has no space.
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?immutable=1", uri=True)) as connection:
        try:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        _delete_database(database)
        raise StorageUnavailable(f"the catalogue is damaged: {found}")


def _apply_log(database: Path) -> None:
    """Write the log of a database into it: a log beside another database would damage that one.

    There is one if a registry ran on an earlier backup and was killed.
    """
    if has_content(f"{database}-wal"):
        with closing(sqlite3.connect(database)) as connection:  # the last connection deletes the log
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _delete_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
