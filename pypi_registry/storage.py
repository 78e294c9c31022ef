"""The contracts for what is kept: a catalogue of rows, and a store of bytes.

A store never sees HTTP, and knows nothing of who may do what. Both are called from many threads at once, and by other
processes on the same data.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from packaging.utils import NormalizedName

from pypi_registry.model import NameStatus, Package, PackageFile, PackageMetadata, PackageQuery, Project, Upload


class Catalogue(Protocol):
    """Keeps packages and files as rows.

    Each method is one transaction. What a method that changes something has returned from is durable; where it raises,
    nothing was changed. Ids are never used twice. `projects` is a sequence of project ids, in any order and perhaps
    thousands, so that a project's page and a group's are the same code; an empty one holds nothing. A sequence that is
    given back is the caller's own. Texts may hold any character.

    Every method raises `StorageUnavailable` if the store cannot answer now, and `StorageFull` if it has no room.
    """

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        """Publish a file, whose bytes lie under `key`, at the time `at` (aware, UTC).

        Its package is the project's one of this normalized name and of an equal version (``1.0`` and ``1.0.0`` are
        equal), or a new one, and stays yanked if it is. What the upload says about the package replaces what was said
        before. Remembers for ever that the name was published under the project's root group, and where the project is.

        :raises UploadsRefused: if the name's status in the project is archived or quarantined; this is asked first.
        :raises FileTaken: if the project has a file of this name, whose case counts. The constraint is the store's own,
            not a look before the leap: of two uploads at once, one fails.
        """

    def delete_file(self, file: PackageFile) -> str | None:
        """Remove a file's row, and give the key of its bytes; None if it is gone already.

        Of two who delete at once, one gets the key. Its package stays, even with no file left. Its name is free at
        once.
        """

    def delete_package(self, package: Package) -> Sequence[str]:
        """Remove a package and the rows of its files, and give the keys of their bytes; harmless if it is gone."""

    def yank(self, package: Package, reason: str | None) -> Package | None:
        """Yank a package (the reason may be empty), or with None take that back; None if it is gone."""

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        """Say what a name of a project is from now on, also if it has no package, or loses its last."""

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        """Give the status of a name, if all of these projects that have such a package agree; else `ACTIVE`."""

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        """Give one page of the packages of these projects, and how many there are on all pages."""

    def package(self, projects: Sequence[int], number: int) -> Package | None:
        """Give the package with this id, or None."""

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        """Give the files of a package, the oldest first."""

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        """Tell whether a name has a package in these projects, with files or without."""

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        """Give the names that have a package in these projects, each once, sorted."""

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        """Give the files of a name, the oldest first."""

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        """Give the newest file with this name and this digest (lower-case hexadecimal), or None."""

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        """Give a number that is raised whenever the page of a name changes, or the index, for which `name` is None.

        What raises it is a file that comes or goes, a package that goes or is yanked or not any more, and a status; for
        the index, a name that gets its first package or loses its last. In one project nothing else does. For several
        projects it may be that of all there are. Whoever sees a number sees what raised it.

        0 if no project ever had such a name (had anything at all, for the index). It must be cheap: it is asked on
        every request for a page.
        """

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        """Tell whether the name was ever published under this root group (lower case), or in one of these projects.

        Whatever was deleted or moved since, and whatever the group was called then.
        """

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        """Give the id and the full path of each project that ever published, as they were at its last upload.

        Those among `projects`, or all if it is None; sorted by id.
        """

    def core_metadata(self, file: PackageFile) -> bytes | None:
        """Give the core metadata that came with a file; None if none did, or if the file is gone.

        It is kept here and not beside the bytes, so that one transaction makes a file and its metadata visible: pip and
        uv fail on a page that promises metadata which is not there.
        """

    def about(self, package: Package) -> PackageMetadata:
        """Give what the last upload of a package said about it; nothing if it is gone."""


class NewBlob(Protocol):
    """Bytes on their way into a store; written and read back by one thread."""

    def write(self, data: bytes) -> object:
        """Append; all of `data` or an exception."""

    def read_back(self) -> BinaryIO:
        """Give a seekable stream over what was written so far, which the caller closes before it writes on."""

    def commit(self) -> None:
        """Make the bytes durable and visible under their key."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the bytes are found instead."""

    url: str
    """For the client: an object store's signed URL. For the server, if `internal`: an address of its own."""
    internal: bool = False
    """Whether the server in front of this one sends them, as nginx does for ``X-Accel-Redirect``."""


class Blobs(Protocol):
    """Keeps bytes under keys, which are 32 lower-case hexadecimal digits, fresh for every upload.

    An instance that begins disturbs no upload of another over the same data.
    """

    def create(self, key: str) -> AbstractContextManager[NewBlob]:
        """Begin a blob, which nobody else sees before its commit, and everybody whole from then on.

        Leaving the context without a commit leaves nothing, whatever happened, and the key may be used again; after a
        commit the bytes stay. An exception passes through.

        :raises StorageFull: if there is no room, here or on writing and committing.
        """

    def open(self, key: str) -> BinaryIO | Redirect | None:
        """Give the bytes as a seekable stream, which the caller closes, or say where they are.

        None if there are none.
        """

    def delete(self, key: str) -> None:
        """Forget the bytes; harmless if there are none."""
