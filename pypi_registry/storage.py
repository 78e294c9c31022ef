"""The contracts for what is stored: a catalogue of rows, and a store of bytes.

A store never sees HTTP and does not decide who may do what. The registry calls both from many threads at once, and
other processes may use the same data.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import BinaryIO, Protocol, runtime_checkable

from packaging.utils import NormalizedName

from pypi_registry._records import Record
from pypi_registry._variants import conflicts, extended
from pypi_registry.errors import VariantConflict
from pypi_registry.model import (
    Deletion,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageQuery,
    Project,
    Projects,
    Upload,
    VariantsHistory,
)

MAX_TOTAL: int = 10_000
"""The highest number that `Catalogue.packages` counts, as in GitLab."""

MAX_PUBLICATIONS: int = 1_000
"""The highest number of pairs that `Catalogue.publications` returns."""

_MAX_CONFLICTS = 10  # that an error names


class Catalogue(Protocol):
    """Stores packages and files as rows.

    Each method is one transaction. A method that makes changes returns only when they are durable. Ids are never
    reused. Strings may contain any characters. The caller may modify a returned sequence.

    Methods that make changes receive the project in the form in which the directory currently returns it, and `by`, the
    name of the principal (empty if the principal is anonymous). The project may have moved to another root group since
    the previous write. Methods that read one project receive its id. Methods that read several projects receive
    `Projects`, which may contain 100,000 projects, or none.

    Every method raises `StorageUnavailable` if the store cannot answer now, and `StorageFull` if it has no space. If a
    change may have been committed, for example because the database did not confirm a commit, the method raises
    `OutcomeUnknown` or an error of its own. After any other error of `pypi_registry.errors`, nothing has changed.
    """

    # Changes

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        """Publish a file whose bytes are stored under `blob_key`, at the time `at` (aware, UTC).

        The file becomes part of the project's package with this normalized name and an equal version (``1.0`` and
        ``1.0.0`` are equal). If there is no such package, the catalogue creates it. A yanked package stays yanked. The
        metadata of the upload replaces the metadata of the package. The catalogue permanently records that the name was
        published in this project and under its root group.

        For example::

            catalogue.add(project, upload, "0123456789abcdef" * 2, datetime.now(UTC), "ada")

        The catalogue stores `Upload.variant` with the file. If the variant is not None, it calls `check_variant` in the
        same transaction.

        :raises UploadsRefused: if the project status of the name is archived or quarantined. The catalogue checks this
            first.
        :raises FileTaken: if the project has a file with this name (case-sensitive), or with the same
            `Upload.identity`, unless that is None. The store must enforce this with a constraint, not with an earlier
            check: of two simultaneous uploads, one must fail.
        :raises VariantConflict: if the variant contradicts the variant of another file of the package.
        """

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        """Delete a file; return None if the project has none with this id. Later uploads may use its name and identity.

        After `Enumerable.restore`, a catalogue may have several files with one identity. If the file that owns the
        identity is deleted, the oldest of the others becomes the owner.

        If the package has no other file, the package is deleted, too, as in GitLab. If two callers delete the file
        simultaneously, only one of them gets the `Deletion`.
        """

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        """Delete a package with its files; return None if the project has none with this id."""

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        """Yank a package for a reason, which may be empty; if the reason is None, undo the yank.

        Returns the changed package; None if the project has none with this id.
        """

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        """Set the project status of a name. The name keeps the status even while it has no package."""

    # Simple pages and files

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        """Return an opaque value that changes with the page of a name or, if `name` is None, with the index.

        A page changes when a file or a package is added or deleted, when a package is yanked or a yank is undone, or
        when a status is set. The index changes when a name gets its first package or loses its last one. For one
        project, the revision changes for no other reason. For several projects, it may also change with other projects
        of their root groups, but not with projects of other root groups.

        A caller that gets a revision also sees the changes that led to it. The values are random, so a restored
        database never returns the revision of a newer page. The registry calls this method for every request for a
        page, so it must be cheap.

        The method returns None if there is nothing to show. For several projects, it may return a value even then, if
        any project of their root groups has ever had the name or a status for the name, or if at least a hundred
        projects have the name. For the index, it may do so if at least one name meets this condition. If the method
        returns a value although there is nothing to show, `listing` returns None, and `names` returns nothing.
        """

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        """Return the names that have a package in these projects, sorted and without duplicates."""

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        """Return the files of a package name with its statuses; None if no project has a package with this name.

        The listing contains all files, even if files of several projects have the same file name.
        `Listing.offered_files` decides which of them a page shows.
        """

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        """Return a file by its digest (lower-case hexadecimal) and its name; None if there is none.

        If there are several, this method returns the newest file whose package name is not quarantined in its project.
        If all of them are quarantined, it returns the newest file.
        """

    def core_metadata(self, file_id: int) -> bytes | None:
        """Return the core metadata of a file; None if it has none or if the file does not exist.

        The catalogue stores core metadata so that one transaction makes a file and its core metadata visible: pip and
        uv fail if a page announces metadata that does not exist.
        """

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        """Return each pair of a root group (lower case) and a project id under which a name was ever published.

        The method returns each pair once and returns at most `MAX_PUBLICATIONS` pairs. If it returns that many, the
        registry assumes that the name was published under every root group.
        """

    # The Packages API

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        """Return one page of the packages of these projects, and the length of the whole list.

        The length is exact up to `MAX_TOTAL` and None for longer lists. A page of a list of 1,000,000 packages must
        cost about as much as a page of a list of 1,000.
        """

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        """Return a package with its files and its metadata; None if the project has none with this id."""


def check_variant(upload: Upload, others: Iterable[str | None]) -> None:
    """Check that the variant of an upload does not contradict those of the other files of its package.

    For example::

        check_variant(upload, (file.variant for file in files))

    :param others: the `PackageFile.variant` of each.
    :raises VariantConflict: if it contradicts one of them.
    """
    if upload.variant is not None:
        found = tuple(islice(conflicts(upload.variant, filter(None, others)), _MAX_CONFLICTS))
        if found:
            raise VariantConflict(upload.filename, found)


def variants_after(history: Sequence[str], variants: Iterable[str | None]) -> Sequence[str]:
    """Return the contents of a variants JSON after a change of its package: those in `history`, then the current ones.

    For example, in `Catalogue.add` and in `Catalogue.delete_file`, if the file has a variant::

        package.variants = variants_after(package.variants, (file.variant for file in files))

    :param history: the contents before the change, the oldest first.
    :param variants: the `PackageFile.variant` of each file of the package after the change.
    """
    return extended(history, filter(None, variants))


@runtime_checkable
class KeepsVariants(Protocol):
    """An optional part of a catalogue: it keeps earlier contents of the variants JSON of a version (PEP 825).

    uv fails if a page that it has read links to a JSON that has changed since. With this protocol, the old content
    stays available; without it, only the present one is.
    """

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        """Return what `variants_after` returned for the packages of a version, those with lower ids first.

        The contents exist as long as the package exists. A package that never had a variant is left out.
        """


@runtime_checkable
class ProjectPaths(Protocol):
    """An optional part of a catalogue, which an open registry needs: the projects with publications."""

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        """Return the id of each project that ever published, and its full path at its last change, sorted by id.

        Returns only projects whose id is in `ids`; all if `ids` is None.
        """


# Copies and checks of whole stores


@runtime_checkable
class Enumerable(Protocol):
    """A catalogue that reads and writes all its data as records, so that programs can check, copy and export it.

    The registry does not use it. The classes of records are private: pass a record to `restore` of another catalogue.
    """

    def records(self) -> Iterator[Record]:
        """Yield every record, in one consistent state: a package before its files, a project before its packages.

        The first record contains the highest ids that were ever used, including those of deleted rows. A catalogue that
        never had a package has no record. A catalogue that is a copy also has a record with the highest copied ids.
        """

    def restore(self, record: Record) -> None:
        """Write a record with its ids. Writing the same record again changes nothing.

        If the catalogue has an older state of the record, this replaces the values that a registry can change: the path
        of a project, the metadata, the yank and the variants of a package, a status, and the highest copied ids. The
        highest used ids never decrease, and later ids are above them.

        The record of a file contains its identity. Several files may have been published under spellings of one file
        name, before this was refused; then the identity is None for all except the oldest.

        :raises ValueError: if another record has the same id, file name or identity, or if the package of a file is
            missing.
        """

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        """Return those of the keys that belong to a file now. A program calls this just before it deletes blobs."""

    def correct_size(self, file_id: int, size: int) -> bool:
        """Set the size of a file in bytes, which changes the revision of its page; False if there is no such file."""


@runtime_checkable
class EnumerableBlobs(Protocol):
    """An optional part of `Blobs`: lists all keys."""

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield the key of each blob with its size in bytes and the time at which it was stored (aware, UTC)."""


@runtime_checkable
class ChecksItself(Protocol):
    """An optional part of a `Catalogue` or of `Blobs`: finds problems that no caller can see.

    Examples are an index that disagrees with its rows, and a file that a killed process has left.
    """

    def inconsistencies(self, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
        """Yield each problem: a sentence, whether the store can repair it, and whether it has done so.

        Other programs may use the store meanwhile. With `repair`, the store repairs the problems that it can repair.
        """


@runtime_checkable
class ChecksHealth(Protocol):
    """An optional part of a `Catalogue` or of `Blobs`: a cheap check of whether it can answer now.

    Without it, a health check reads a name from the catalogue, and opens a missing key in the blobs. Implement this
    protocol if such a check proves nothing: for a store that signs URLs without a request, or in which all keys are
    missing while its disk is not mounted.
    """

    def check_health(self) -> None:
        """Return if the store can answer now.

        :raises StorageUnavailable: if it cannot.
        """


# Bytes


@dataclass(frozen=True, slots=True)
class Redirect:
    """The URL of the bytes, instead of the bytes."""

    url: str
    """A URL for the client, such as a signed URL of an object store. If `internal`, a URL of the front-end server."""
    internal: bool = False
    """Whether the front-end server sends the bytes; nginx supports this with ``X-Accel-Redirect``."""


class Blobs(Protocol):
    """Stores bytes under keys. A key consists of 32 lower-case hexadecimal digits. Every upload gets a new key.

    If another instance opens the same data, it must not disturb uploads in progress. Every method raises
    `StorageUnavailable` if the store cannot answer now.

    A store may also implement `CreatesFiles`. Otherwise, the registry writes incoming uploads to files in the system's
    temporary folder.
    """

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        """Store the bytes of a file under a key, durably and atomically: other callers see all bytes or none.

        `file` is seekable, may be at any position, and must stay open. It contains `size` bytes with this digest
        (lower-case hexadecimal). `filename` is the name under which clients will download the bytes. If this method
        raises an exception, nothing is stored.

        :raises StorageFull: if the store has no space.
        """

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        """Return the bytes, or `part` of them (positions from 0, step 1), as a stream that is read sequentially.

        The caller closes the stream. The method returns None if the key does not exist, and a `Redirect` if another
        server sends the bytes. Before it returns a `Redirect`, it checks the size if this needs no network request.
        Otherwise, the other server reports missing bytes.

        :raises StorageUnavailable: if the number of bytes under the key is not `size`.
        """

    def delete(self, key: str) -> None:
        """Delete the bytes; do nothing if there are none.

        The registry calls this method when no row contains the key. If the method raises an error, the registry only
        logs it.
        """


@runtime_checkable
class CreatesFiles(Protocol):
    """An optional part of `Blobs`: creates the file to which the registry writes an upload before storing it."""

    def new_file(self) -> BinaryIO:
        """Return an empty file that is private, writable, readable and seekable.

        Closing the file deletes it, unless it was passed to `put`.

        :raises StorageFull: if there is no space. Writing to the file may raise this error, too.
        """
