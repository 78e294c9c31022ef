"""Copying a registry into another pair of stores, while both may run; a second run copies what has changed since.

The order: the ids, the names that were ever published, the statuses, what was deleted, and for each file its bytes, its
package and its row. So whenever a copy is killed, the target forwards no published name to another index, offers no
quarantined file, and lists no file without its bytes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from pypi_registry._excerpt import with_cause
from pypi_registry._maintenance.differences import Differences, compare
from pypi_registry._maintenance.reading import WholeBlobs, WholeCatalogue, read_records
from pypi_registry._publishing.incoming import new_file
from pypi_registry._records import (
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import RegistryError, StorageUnavailable
from pypi_registry.model import Digests, PackageFile, Project
from pypi_registry.storage import Redirect

T = TypeVar("T")

_BLOCK = 1024**2
_BY = "copy"


class RedirectingSource(RegistryError):
    """The store of the source redirects to its files instead of returning their bytes."""

    def __str__(self) -> str:
        return "the source redirects to its files: open it so that it returns their bytes (without deliver=redirect)"


class TargetChanged(RegistryError):
    """Another program has written to the target meanwhile."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"another program writes to the target: {self.reason}"


@dataclass(frozen=True, slots=True)
class Side:
    """The stores of one registry."""

    catalogue: WholeCatalogue
    blobs: WholeBlobs


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step of a copy is."""

    unit: str
    """What is counted: "rows" or "files"."""
    done: int
    total: int | None = None
    """None while it is not known."""


@dataclass(frozen=True, slots=True)
class NotCopied:
    """A file that was not copied."""

    file: PackageFile
    reason: str
    """A sentence."""


@dataclass(slots=True)
class Summary:
    """What a copy has done."""

    files: int = 0
    """Files that were copied."""
    bytes: int = 0
    """Of these files."""
    deleted: int = 0
    """Files that were deleted, as the source has deleted them."""
    changed: int = 0
    """Packages that were yanked, restored, or got other metadata or variants; and project statuses."""
    left: int = 0
    """Files that were not copied."""


class Copy:
    """One copy of a source to a target.

    :param on_progress: called for each row and file.
    """

    def __init__(self, source: Side, target: Side, *, on_progress: Callable[[Progress], object] | None = None) -> None:
        self.summary = Summary()
        self._source, self._target = source, target
        self._on_progress = on_progress or (lambda progress: None)

    def run(self) -> Iterator[NotCopied]:
        """Copy everything once, and yield each file that could not be copied.

        :raises WrongTarget: if the target is neither empty nor a copy of the source; nothing was changed.
        :raises UnreadableCatalogue: if a row cannot be read.
        :raises RedirectingSource: if the store of the source redirects.
        :raises StorageUnavailable: if a store cannot answer now.
        :raises StorageFull: if the target has no space.
        """
        rows = iter(range(1, 2**63))
        target = self._counted(rows, read_records(self._target.catalogue))
        source = self._counted(rows, read_records(self._source.catalogue))
        # The rows of the source are read in one consistent state, and all of them before the first byte is copied: a
        # long read transaction would keep SQLite from emptying its log.
        with closing(compare(target, source)) as differences:
            self._write_ids(differences)
            self._write_what_precedes_files(differences)
            self._delete(differences)
            for changed in differences.changed_packages():
                self._restore(changed)
                self.summary.changed += 1
            yield from self._copy_files(differences)

    def _counted(self, numbers: Iterator[int], records: Iterable[T]) -> Iterator[T]:
        for record in records:
            self._on_progress(Progress("rows", next(numbers)))
            yield record

    def _write_ids(self, differences: Differences) -> None:
        """Reserve the ids of the source in the target, then store up to which ids the target is a copy.

        If a file was published to the target meanwhile with such an id, the next copy would treat it as deleted at the
        source.
        """
        for last in differences.to_write(LastIdsRecord):
            self._restore(last)
        copied = differences.copied()
        if copied is None:
            return
        for record in read_records(self._target.catalogue):
            if isinstance(record, FileRecord) and differences.is_later(record.file):
                raise TargetChanged(f"{record.file.filename} (id {record.file.id}) was published to it")
        self._restore(copied)

    def _write_what_precedes_files(self, differences: Differences) -> None:
        for publication in differences.to_write(PublicationRecord):
            self._restore(publication)
        for project in differences.to_write(ProjectRecord):
            self._restore(project)
        for status in differences.to_write(StatusRecord):
            self._restore(status)
            self.summary.changed += 1

    def _restore(self, record: Record) -> None:
        try:
            self._target.catalogue.restore(record)
        except ValueError as error:
            raise TargetChanged(str(error)) from error

    # What the source has deleted

    def _delete(self, differences: Differences) -> None:
        catalogue = self._target.catalogue
        paths = differences.paths()
        for project_id, file_id in differences.deleted(FileRecord):
            project = Project(project_id, paths.get(project_id, ""))
            deletion = catalogue.delete_file(project, file_id, _BY)
            for file in deletion.files if deletion else ():
                self.summary.deleted += 1
                self._target.blobs.delete(file.blob_key)
        for project_id, package_id in differences.deleted(PackageRecord):
            catalogue.delete_package(Project(project_id, paths.get(project_id, "")), package_id, _BY)

    # Files

    def _copy_files(self, differences: Differences) -> Iterator[NotCopied]:
        total = differences.count_of_files()
        for number, record in enumerate(differences.to_write(FileRecord), 1):
            self._on_progress(Progress("files", number - 1, total))
            reason = self._copy_bytes(record.file)
            if reason is None:
                # Just before its first file, so that no page shows a package without files.
                package = differences.package(record.file.package.id)
                if package is not None:
                    self._restore(package)
                self._restore(record)
                self.summary.files += 1
                self.summary.bytes += record.file.size
            elif self._is_listed(record.file):  # otherwise it was deleted meanwhile
                self.summary.left += 1
                yield NotCopied(record.file, reason)

    def _is_listed(self, file: PackageFile) -> bool:
        return file.blob_key in self._source.catalogue.listed([file.blob_key])

    def _copy_bytes(self, file: PackageFile) -> str | None:
        """Copy the bytes of a file; return why it is impossible, or None."""
        try:
            stream = self._source.blobs.open(file.blob_key, size=file.size)
        except (StorageUnavailable, OSError) as error:
            return f"its bytes cannot be read: {with_cause(error)}"
        if isinstance(stream, Redirect):
            raise RedirectingSource
        if stream is None:
            return "its bytes are missing"
        with stream, new_file(self._target.blobs) as copy:
            try:
                found = _copied(stream, copy, file.digests)
            except _Unreadable as error:
                return f"its bytes cannot be read: {error}"
            if found.sha256 == file.digests.sha256 and found != file.digests:
                return "its bytes have the right SHA-256 digest, but not the MD5 or BLAKE2 digest of the catalogue"
            if found != file.digests:
                return f"its bytes have the SHA-256 digest {found.sha256} instead of {file.digests.sha256}"
            self._target.blobs.put(
                file.blob_key, copy, size=file.size, sha256=file.digests.sha256, filename=file.filename
            )
        return None


def _copied(stream: BinaryIO, copy: BinaryIO, wanted: Digests) -> Digests:
    """Copy a stream, and return those digests of it that are wanted."""
    sha256 = hashlib.sha256()
    md5 = None if wanted.md5 is None else hashlib.md5(usedforsecurity=False)
    blake2 = None if wanted.blake2_256 is None else hashlib.blake2b(digest_size=32)
    while block := _read(stream):
        for each in (sha256, md5, blake2):
            if each is not None:
                each.update(block)
        copy.write(block)
    return Digests(
        sha256.hexdigest(),
        None if md5 is None else md5.hexdigest(),
        None if blake2 is None else blake2.hexdigest(),
    )


class _Unreadable(Exception):
    """The source has failed, and not the target."""


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_BLOCK)
    except (StorageUnavailable, OSError) as error:
        raise _Unreadable(with_cause(error)) from error
