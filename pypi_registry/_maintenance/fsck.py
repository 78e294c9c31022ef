"""Checking a catalogue against its store of bytes, and repairing them, while the registry runs.

A registry stores bytes before their row, and deletes the row before the bytes. So the rows are read first, and then the
keys of the blobs: a row without a blob was deleted in between, or has lost its bytes. A blob without a row may belong
to an upload that is between the two, so only blobs older than a day count. What was found in these two lists is checked
again in the stores before it is reported or repaired.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from packaging.utils import canonicalize_name

from pypi_registry._excerpt import with_cause
from pypi_registry._maintenance.contradictions import file_contradictions, package_contradictions
from pypi_registry._maintenance.problems import Kind, Problem, Repair
from pypi_registry._maintenance.reading import WholeBlobs, WholeCatalogue, read_records
from pypi_registry._maintenance.snapshot import FileRow, PackageRow, Snapshot, batches
from pypi_registry._paths import root_of
from pypi_registry._records import FileRecord, PackageRecord, PublicationRecord, Record
from pypi_registry.errors import RegistryError, StorageUnavailable
from pypi_registry.model import Digests, Project, Projects
from pypi_registry.storage import ChecksItself, ProjectPaths, Redirect

T = TypeVar("T")

_YOUNG = timedelta(days=1)
_BLOCK = 1024**2
_BATCH = 100  # blobs whose keys are looked up in the catalogue together, just before they are deleted
_BY = "fsck"


@dataclass(frozen=True, slots=True)
class Options:
    """What a check does."""

    digests: bool = False
    """Whether all bytes are read."""
    repair: bool = False
    drop_missing: bool = False
    """With `repair`: whether rows are deleted whose bytes are missing or wrong."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step of a check is."""

    unit: str
    """What is counted: "rows", "blobs", "files" or "bytes"."""
    done: int
    total: int | None = None
    """None while it is not known."""


class Check:
    """One check of two stores.

    :param now: the present time (aware). Blobs stored less than a day before it, or after it, are left alone.
    :param on_progress: called for each record, blob, file and block of bytes.
    """

    def __init__(
        self,
        catalogue: WholeCatalogue,
        blobs: WholeBlobs,
        options: Options,
        *,
        now: datetime | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> None:
        self.files = self.blobs = 0
        """How many there are; known when `problems` has ended."""
        self._catalogue, self._blobs, self._options = catalogue, blobs, options
        self._old = (now or datetime.now(UTC)) - _YOUNG
        self._on_progress = on_progress or (lambda progress: None)
        self._bytes_read = self._bytes = 0

    def problems(self) -> Iterator[Problem]:
        """Check everything once, and yield each problem: after its repair, if there was one.

        :raises UnreadableCatalogue: if a row cannot be read.
        :raises StorageUnavailable: if a store cannot answer now.
        :raises OSError: if the folder of a store cannot be read.
        """
        yield from self._found_by(self._catalogue, Kind.INCONSISTENT_CATALOGUE)
        yield from self._found_by(self._blobs, Kind.INCONSISTENT_BLOBS)
        with closing(Snapshot()) as snapshot:
            for record in self._counted("rows", read_records(self._catalogue)):
                snapshot.add(record)
                yield from _contradictions(record)
            snapshot.sort()
            snapshot.add_blobs(self._counted("blobs", self._blobs.keys()))
            self.files, self.blobs, self._bytes = (
                snapshot.count("files"),
                snapshot.count("blobs"),
                snapshot.bytes_of_files(),
            )
            yield from _contradictions_between_rows(snapshot)
            yield from self._unpublished(snapshot)
            yield from self._unlisted(snapshot)
            yield from self._files(snapshot)

    def _found_by(self, store: object, kind: Kind) -> Iterator[Problem]:
        """Yield the problems that a store finds by its own check."""
        if isinstance(store, ChecksItself):
            for detail, repairable, repaired in store.inconsistencies(repair=self._options.repair):
                yield Problem(kind, detail, repair=Repair.REPAIR if repairable else None, repaired=repaired)

    def _counted(self, unit: str, items: Iterable[T]) -> Iterator[T]:
        for number, item in enumerate(items, 1):
            yield item
            self._on_progress(Progress(unit, number))

    def _unpublished(self, snapshot: Snapshot) -> Iterator[Problem]:
        # Without its publication, a name that loses its last package may be redirected to another index.
        for package in snapshot.packages_without_publication():
            problem = _of_package(package, "the catalogue has no record that its name was published in its project")
            if package.path is None:  # without the path, its root group is unknown
                yield problem
                continue
            record = PublicationRecord(canonicalize_name(package.name), root_of(package.path), package.project_id)
            yield self._attempt(replace(problem, repair=Repair.REPAIR), partial(self._catalogue.restore, record))

    # Blobs without a file

    def _unlisted(self, snapshot: Snapshot) -> Iterator[Problem]:
        for batch in batches(snapshot.unlisted(self._old), _BATCH):
            listed = self._catalogue.listed([key for key, _ in batch])
            for key, size in batch:
                if key not in listed and self._exists(key, size) is not False:
                    detail = f"a blob of {size} bytes, older than a day, belongs to no file"
                    problem = Problem(Kind.UNLISTED_BLOB, detail, blob_key=key, repair=Repair.REPAIR)
                    yield self._attempt(problem, partial(self._blobs.delete, key))

    def _exists(self, key: str, size: int) -> bool | None:
        """Return whether there is a blob now; None if the store redirects without looking."""
        try:
            stream = self._blobs.open(key, size=size)
        except (StorageUnavailable, OSError):  # it has another size, or cannot be read
            return True
        if isinstance(stream, Redirect):
            return None
        if stream is not None:
            stream.close()
        return stream is not None

    # Files and their bytes

    def _files(self, snapshot: Snapshot) -> Iterator[Problem]:
        for number, (file, stored) in enumerate(snapshot.files_with_stored_size(), 1):
            problem = self._problem_of_bytes(file, stored)
            # The file may have been deleted since its row was read.
            if problem is not None and self._is_listed(file):
                yield self._attempt(problem, partial(self._repair, file, stored, problem))
            if not self._options.digests:
                self._on_progress(Progress("files", number, self.files))

    def _problem_of_bytes(self, file: FileRow, stored: int | None) -> Problem | None:
        if stored is None:
            # The blobs were listed after the row was read, so the blob counts as missing even if the store redirects.
            return None if self._exists(file.blob_key, file.size) else _missing(file)
        if stored == file.size and not self._options.digests:
            return None
        try:
            digests = self._digests(file, stored)
        except FileNotFoundError:
            return _missing(file)
        except (StorageUnavailable, OSError) as error:
            return _of_file(Kind.UNREADABLE_BLOB, file, f"its bytes cannot be read: {with_cause(error)}")
        if stored != file.size:
            return _wrong_size(file, stored, digests)
        return _wrong_digest(file, digests)

    def _digests(self, file: FileRow, stored: int) -> Digests | None:
        """Return those digests of the bytes that the row has; None if the store redirects.

        :raises FileNotFoundError: if there are no bytes.
        """
        stream = self._blobs.open(file.blob_key, size=stored)
        if stream is None:
            raise FileNotFoundError
        if isinstance(stream, Redirect):
            return None
        sha256 = hashlib.sha256()
        md5 = None if file.digests.md5 is None else hashlib.md5(usedforsecurity=False)
        blake2 = None if file.digests.blake2_256 is None else hashlib.blake2b(digest_size=32)
        computed = [each for each in (sha256, md5, blake2) if each is not None]
        with stream:
            while block := stream.read(_BLOCK):
                for each in computed:
                    each.update(block)
                self._bytes_read += len(block)
                if self._options.digests:
                    self._on_progress(Progress("bytes", self._bytes_read, self._bytes))
        return Digests(
            sha256.hexdigest(),
            None if md5 is None else md5.hexdigest(),
            None if blake2 is None else blake2.hexdigest(),
        )

    def _is_listed(self, file: FileRow) -> bool:
        found = self._catalogue.file(Projects([self._project(file)]), file.digests.sha256, file.filename)
        return found is not None and found.file.id == file.id

    def _project(self, file: FileRow) -> Project:
        """Return the project with its path as of now: a change of a file also stores the path."""
        catalogue = self._catalogue
        paths = dict(catalogue.project_paths([file.project_id])) if isinstance(catalogue, ProjectPaths) else {}
        return Project(file.project_id, paths.get(file.project_id) or file.path or "")

    # Repairing

    def _attempt(self, problem: Problem, repair: Callable[[], object]) -> Problem:
        """Return a problem after its repair, if the options include it."""
        options = self._options
        wanted = {Repair.REPAIR: options.repair, Repair.DROP_MISSING: options.repair and options.drop_missing}
        if problem.repair is None or not wanted[problem.repair]:
            return problem
        try:
            repair()
        except (RegistryError, OSError, ValueError) as error:
            return replace(problem, detail=f"{problem.detail}; the repair failed: {with_cause(error)}")
        return replace(problem, repaired=True)

    def _repair(self, file: FileRow, stored: int | None, problem: Problem) -> None:
        if problem.repair is Repair.REPAIR and stored is not None:
            self._catalogue.correct_size(file.id, stored)
            return
        self._catalogue.delete_file(self._project(file), file.id, _BY)
        if not self._catalogue.listed([file.blob_key]):
            self._blobs.delete(file.blob_key)


def _contradictions(record: Record) -> Iterator[Problem]:
    """Yield the problems that one record shows."""
    match record:
        case PackageRecord(package):
            row = PackageRow(package.id, package.project_id, None, package.normalized_name, package.version)
            yield from (_of_package(row, detail) for detail in package_contradictions(record))
        case FileRecord(file):
            for detail in file_contradictions(record):
                yield Problem(
                    Kind.CONTRADICTORY_ROW,
                    detail,
                    project_id=file.package.project_id,
                    package=file.package.normalized_name,
                    version=file.package.version,
                    filename=file.filename,
                    file_id=file.id,
                    blob_key=file.blob_key,
                )


def _contradictions_between_rows(snapshot: Snapshot) -> Iterator[Problem]:
    for detail, packages in (
        ("the catalogue lacks the path of its project", snapshot.packages_without_project()),
        ("it has no file", snapshot.packages_without_file()),
        ("another package has its id, or its project, name and version", snapshot.packages_twice()),
    ):
        yield from (_of_package(package, detail) for package in packages)
    for detail, files in (
        ("its package is missing", snapshot.files_without_package()),
        ("another file has its id", snapshot.files_with_a_shared("id")),
        ("another file of the project has its name", snapshot.files_with_a_shared("filename", within="project_id")),
        ("another file has its bytes", snapshot.files_with_a_shared("blob_key")),
    ):
        yield from (_of_file(Kind.CONTRADICTORY_ROW, file, detail) for file in files)
    for file, older in snapshot.respelled_files():
        detail = f"its name is another spelling of {older}, and clients install either of the two: delete one of them"
        yield _of_file(Kind.RESPELLED_FILE, file, detail)


def _missing(file: FileRow) -> Problem:
    return _of_file(Kind.MISSING_BLOB, file, "its bytes are missing", Repair.DROP_MISSING)


def _wrong_size(file: FileRow, stored: int, digests: Digests | None) -> Problem:
    detail = f"it has {stored} bytes, and {file.size} in the catalogue"
    if digests is None:
        return _of_file(Kind.WRONG_SIZE, file, f"{detail}; the store redirects, so its digest cannot be checked")
    if digests.sha256 == file.digests.sha256:
        return _of_file(Kind.WRONG_SIZE, file, f"{detail}, with the right digest", Repair.REPAIR)
    return _of_file(Kind.WRONG_SIZE, file, f"{detail}, with another digest", Repair.DROP_MISSING)


def _wrong_digest(file: FileRow, digests: Digests | None) -> Problem | None:
    if digests is None:
        return _of_file(Kind.UNREADABLE_BLOB, file, "the store redirects, so its digest cannot be checked")
    if digests.sha256 != file.digests.sha256:
        detail = f"its bytes have the SHA-256 digest {digests.sha256} instead of {file.digests.sha256}"
        return _of_file(Kind.WRONG_DIGEST, file, detail, Repair.DROP_MISSING)
    if digests != file.digests:
        detail = "its bytes have the right SHA-256 digest, but not the MD5 or BLAKE2 digest of the catalogue"
        return _of_file(Kind.CONTRADICTORY_ROW, file, detail)
    return None


def _of_file(kind: Kind, file: FileRow, detail: str, repair: Repair | None = None) -> Problem:
    return Problem(
        kind,
        detail,
        project_id=file.project_id,
        project=file.path,
        package=file.name,
        version=file.version,
        filename=file.filename,
        file_id=file.id,
        blob_key=file.blob_key,
        repair=repair,
    )


def _of_package(package: PackageRow, detail: str) -> Problem:
    return Problem(
        Kind.CONTRADICTORY_ROW,
        detail,
        project_id=package.project_id,
        project=package.path,
        package=package.name,
        version=package.version,
    )
