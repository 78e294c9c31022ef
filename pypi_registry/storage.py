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
"""Up to this number `Catalogue.packages` counts exactly, as GitLab does."""

MAX_PUBLICATIONS: int = 1_000
"""Rows that `Catalogue.publications` returns at most."""

_MAX_CONFLICTS = 10  # that an error names


class Catalogue(Protocol):
    """Stores packages and files as rows.

    Each method is one transaction. When a method that changes something returns, the change is durable; if it raises,
    nothing was changed. Ids are never used twice. Texts may hold any character. A returned sequence belongs to the
    caller.

    Methods that change something take the project as the directory has it now, an id, and `by`, the name of the
    principal (empty if it is anonymous). A project may have moved to another root group since its last change. Methods
    that read one project take its id; those that read several take `Projects`, which may hold 100,000. Without
    projects there is nothing to read.

    Every method raises `StorageUnavailable` if the store cannot answer now, and `StorageFull` if it has no room.
    Nothing was changed then. If it is not known whether something was changed, as after a commit without an answer,
    the method raises `OutcomeUnknown` or an error of its own.
    """

    # Changes

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        """Publish a file whose bytes are stored under `blob_key`, at the time `at` (aware, UTC).

        Its package is the one of the project with this normalized name and an equal version (``1.0`` and ``1.0.0`` are
        equal), or a new one; a yanked package stays yanked. The metadata of the upload replaces the metadata that the
        package had. The catalogue stores for ever that the name was published in this project and under its root
        group.

        For example::

            catalogue.add(project, upload, "0123456789abcdef" * 2, datetime.now(UTC), "ada")

        The file has the `Upload.variant`. For a file that has one, the catalogue calls `check_variant`, in the same
        transaction.

        :raises UploadsRefused: if the project status of the name is archived or quarantined; this is checked first.
        :raises FileTaken: if the project has a file with this name (case matters), or with the same
            `Upload.identity`, unless that is None. Constraints of the store itself decide, not a check before: of two
            uploads at once, one fails.
        :raises VariantConflict: if the variant contradicts that of another file of the package.
        """

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        """Delete a file; None if the project has none with this id. Its name and its identity are free at once.

        A catalogue that stores several files of one identity, as it may after `Enumerable.restore`, passes the
        identity on to the oldest of the others.

        The package is deleted with its last file, as in GitLab. Of two callers that delete at once, one gets the
        `Deletion`.
        """

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        """Delete a package with its files; None if the project has none with this id."""

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        """Yank a package for a reason (may be empty), or undo it with None.

        Returns the changed package; None if the project has none with this id.
        """

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        """Set the project status of a name; it holds also while the name has no package."""

    # Simple pages and files

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        """Return an opaque value that changes whenever the page of a name changes; with None, whenever the index does.

        A page changes when a file or a package is added or deleted, a package is yanked or restored, or a status is
        set. The index changes when a name gets its first package or loses its last one. The revision of one project
        changes for no other reason. That of several projects may also change with other projects of their root
        groups, but not with projects of other root groups.

        A caller that sees a revision also sees the changes that led to it. The values are random, so that a restored
        database never returns the revision of a newer page. None if there is nothing to show; of a name that a hundred
        other projects have, a store may return a value instead. The registry calls this for every request for a page,
        so it must be cheap.
        """

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        """Return the names that have a package in these projects, each once, sorted."""

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        """Return the files of a name with its statuses; None if no project has a package of this name.

        These are all files, also those of several projects that have one file name.
        `Listing.offered_files` decides which of them a page shows.
        """

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        """Return a file by its digest (lower-case hexadecimal) and its name; None if there is none.

        Of several, the newest whose name is not quarantined in its project; if all are quarantined, the newest.
        """

    def core_metadata(self, file_id: int) -> bytes | None:
        """Return the core metadata of a file; None if it has none, or if the file does not exist.

        It is stored here and not beside the bytes, so that one transaction makes a file and its core metadata visible:
        pip and uv fail if a page promises metadata that does not exist.
        """

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        """Return where a name was ever published: root group (lower case) and project id, each pair once.

        At most `MAX_PUBLICATIONS` pairs; the registry treats a name with so many as published everywhere.
        """

    # The Packages API

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        """Return one page of the packages of these projects, and how many the whole list has.

        The number is exact up to `MAX_TOTAL`, and None above. A page of a list of 1,000,000 packages must cost about
        the same as one of a list of 1,000.
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
    """Return the contents of the variants JSON of a package after a change: those of `history`, and the present one.

    For example, in `Catalogue.add` and in `Catalogue.delete_file`, if the file has a variant::

        package.variants = variants_after(package.variants, (file.variant for file in files))

    :param history: the contents before the change, the oldest first.
    :param variants: the `PackageFile.variant` of each file of the package after the change.
    """
    return extended(history, filter(None, variants))


@runtime_checkable
class KeepsVariants(Protocol):
    """An optional part of a catalogue: it keeps what the variants JSON of a version (PEP 825) was before.

    uv fails if a page that it has read links to a JSON that has changed since. With this protocol, the old content
    stays available; without it, only the present one is.
    """

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        """Return what `variants_after` returned for the packages of a version, those with lower ids first.

        The contents exist as long as the package exists. A package that never had a variant is left out.
        """


@runtime_checkable
class ProjectPaths(Protocol):
    """An optional part of a catalogue, which an open registry needs: the projects that ever published."""

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        """Return the id and the full path of each project that ever published, as of its last change, sorted by id.

        Only those among `ids`, or all if it is None.
        """


# Copies and checks of whole stores


@runtime_checkable
class Enumerable(Protocol):
    """A catalogue of which everything can be read and written as records, to check, copy and export it.

    The registry does not use it. The classes of records are private: pass a record to `restore` of another catalogue.
    """

    def records(self) -> Iterator[Record]:
        """Yield every record, of one moment: a package before its files, a project before its packages.

        The first record holds the highest ids that were ever used, also by what was deleted. A catalogue that never had
        a package has no record. Only a catalogue that is a copy has a record of the ids up to which it is one.
        """

    def restore(self, record: Record) -> None:
        """Write a record with its ids. Writing the same record again changes nothing.

        If there is an older state of the record, this replaces what a registry may change later: the path of a project,
        the metadata, the yank and the variants of a package, a status, and the ids up to which the catalogue is a copy.
        The highest ids only grow: later ones are above them.

        The record of a file holds its identity. It is None for all but the oldest of several files that were published
        under spellings of one file name, before this was refused.

        :raises ValueError: if another record has its id, its file name or its identity, or the package of a file is
            missing.
        """

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        """Return those of these keys that a file has now. A program that deletes blobs asks this just before."""

    def correct_size(self, file_id: int, size: int) -> bool:
        """Set the size of a file in bytes, which changes the revision of its page; False if there is no such file."""


@runtime_checkable
class EnumerableBlobs(Protocol):
    """A store of bytes whose keys can be listed."""

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield the key of each blob with its size in bytes and the time at which it was stored (aware, UTC)."""


@runtime_checkable
class ChecksItself(Protocol):
    """An optional part of a catalogue or a store of bytes: it finds problems that no caller can see.

    Such as an index that disagrees with its rows, or a file that a killed process left behind.
    """

    def inconsistencies(self, *, repair: bool) -> Iterator[tuple[str, bool, bool]]:
        """Yield each problem: a sentence, whether the store can repair it, and whether it has done so.

        Other programs may use the store meanwhile. With `repair`, the store repairs what it can, and nothing else.
        """


@runtime_checkable
class ChecksHealth(Protocol):
    """An optional part of a catalogue or a store of bytes: a cheap check of whether it can answer now.

    Without it, a health check reads a name from the catalogue, and looks for a missing key in the store of bytes. A
    store implements this if that proves nothing: one that signs URLs without a request, or in which all keys are
    missing as long as its disk is not mounted.
    """

    def check_health(self) -> None:
        """Return if the store can answer now.

        :raises StorageUnavailable: if it cannot.
        """


# Bytes


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the bytes are, instead of the bytes."""

    url: str
    """For the client: the signed URL of an object store. For the front-end server, if `internal`: a URL of its own."""
    internal: bool = False
    """Whether the server in front of this one sends the bytes, as nginx does for ``X-Accel-Redirect``."""


class Blobs(Protocol):
    """Stores bytes under keys: 32 lower-case hexadecimal digits, fresh for every upload.

    Starting another instance over the same data does not disturb the uploads of this one. Every method raises
    `StorageUnavailable` if the store cannot answer now.

    A store may also implement `CreatesFiles`; without it, an upload is received into a temporary file of the system.
    """

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        """Store the bytes of a file under a key, durably and atomically: other callers see all of them or nothing.

        `file` is seekable, at any position, and stays open; it holds `size` bytes with this digest (lower-case
        hexadecimal). `filename` is the name under which clients will download them. If this raises, nothing is stored.

        :raises StorageFull: if the store has no room.
        """

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        """Return the bytes, or `part` of them (positions from 0, step 1), as a stream that the caller reads forward.

        The caller closes the stream. None if the key does not exist. A store whose bytes are sent by another server
        returns a `Redirect`. It compares the size where that costs no request; otherwise the other server answers for
        bytes that are missing.

        :raises StorageUnavailable: if other than `size` bytes are stored under the key.
        """

    def delete(self, key: str) -> None:
        """Delete the bytes; harmless if there are none.

        The registry calls this when no row has the key, so it logs an error of this method and continues.
        """


@runtime_checkable
class CreatesFiles(Protocol):
    """An optional part of a store of bytes: the file into which an upload is received before it is stored."""

    def new_file(self) -> BinaryIO:
        """Return an empty file: private, writable, readable and seekable. Closing it deletes it, unless it was `put`.

        :raises StorageFull: if there is no room; also when it is written.
        """
