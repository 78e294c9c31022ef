"""Importing the files of another index, or of a folder, into a project.

Several files are downloaded and verified at once, and published one after another in the order of the source, so that
pages list them as the source does. Published files stay: after an import was stopped, the next one continues it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from itertools import chain
from typing import BinaryIO, TypeVar

from packaging.utils import InvalidSdistFilename, NormalizedName, canonicalize_version, parse_sdist_filename
from packaging.version import InvalidVersion

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import SDIST_SUFFIXES
from pypi_registry._moving.digests import WrongDigest
from pypi_registry._moving.source import Source, SourceError, SourceFile, Stopped
from pypi_registry._publishing.checks import MAX_REASON, is_plain, read_as_twine
from pypi_registry._publishing.incoming import new_file
from pypi_registry._publishing.publish import Stores, publish, yank
from pypi_registry._variants import SUFFIX
from pypi_registry.distributions import Verify
from pypi_registry.distributions.filenames import MAX_FILENAME, filename_problems, wheel_name_and_version
from pypi_registry.errors import FileTaken, FileTooLarge, InvalidUpload, UploadsRefused, VariantConflict
from pypi_registry.events import Actor
from pypi_registry.model import Package, PackageFile, Project, Projects, Upload

T = TypeVar("T")
R = TypeVar("R")

ACTOR = Actor("import")

MAX_FAILURES = 25
"""Failures in a row after which an import ends: the source is unavailable, and each attempt waits for it."""


class Kind(StrEnum):
    """The kinds of outcome for a file."""

    IMPORTED = "imported"
    PRESENT = "already there"
    REFUSED = "refused"
    """Its bytes or its name are not accepted; a second import would refuse it again."""
    FAILED = "failed"
    """The source could not be read; a second import may succeed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for a file, or for a whole name whose page could not be read."""

    kind: Kind
    title: str
    """The file name, or the name."""
    reason: str = ""
    """Why it was not imported; empty if it was."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is imported, and how."""

    max_file_size: int
    """Bytes; a file must be smaller."""
    verify: Verify | None
    """Checks each file; None accepts any file whose name and metadata agree."""
    names: Sequence[NormalizedName] = ()
    """Only these names; empty means all."""
    jobs: int = 4
    """How many files are downloaded at once."""
    dry_run: bool = False
    """Whether nothing is downloaded and nothing changed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    done: int
    """Files."""
    total: int | None
    """Files; None until all pages were read."""


@dataclass(slots=True)
class Summary:
    """What an import has done."""

    imported: int = 0
    present: int = 0
    refused: int = 0
    failed: int = 0
    without_time: int = 0
    """Imported files for which the source states no upload time."""
    without_digest: int = 0
    """Imported files for which the source declares no digest, where it should."""
    yanked: int = 0
    """Versions that were yanked."""

    def count(self, kind: Kind) -> None:
        """Count a file."""
        match kind:
            case Kind.IMPORTED:
                self.imported += 1
            case Kind.PRESENT:
                self.present += 1
            case Kind.REFUSED:
                self.refused += 1
            case Kind.FAILED:
                self.failed += 1


@dataclass(frozen=True, slots=True)
class _Task:
    """A file of the source, or a problem that was found before any file was read."""

    file: SourceFile
    name: NormalizedName
    existing: PackageFile | None = None
    """The file of the project with this name."""
    yanked: str | None = None
    """Why all files of its version were yanked; None if they were not."""
    outcome: Outcome | None = None
    """The outcome, if it is decided without reading the file."""


@dataclass(frozen=True, slots=True)
class _Received:
    """A file that was read and verified, or why it was not."""

    task: _Task
    upload: Upload | None = None
    spool: BinaryIO | None = None
    outcome: Outcome | None = None


class Import:
    """One import of a source into a project.

    :param on_progress: called after each file.
    """

    def __init__(
        self,
        source: Source,
        stores: Stores,
        project: Project,
        options: Options,
        *,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> None:
        self.summary = Summary()
        self._source, self._stores, self._project, self._options = source, stores, project, options
        self._on_progress = on_progress or (lambda progress: None)
        self._tasks = self._failures = 0
        self._all_pages_read = False
        self._yanked: set[int] = set()  # ids of packages that were yanked, or would be

    def run(self) -> Generator[Outcome, None, None]:
        """Import everything once, and yield the outcome for each file. To stop it, close the iterator.

        :raises SourceError: if the list of names cannot be read, or the source fails again and again.
        :raises StorageUnavailable: if a store cannot answer now.
        :raises StorageFull: if a store has no space.
        """
        names = self._options.names or self._source.names()
        received: deque[Future[_Received]] = deque()
        with ThreadPoolExecutor(self._options.jobs) as pool:
            try:
                pages = _ahead(pool, self._tasks_of, names, self._options.jobs, deque())
                tasks = self._counted(chain.from_iterable(pages))
                for number, each in enumerate(_ahead(pool, self._receive, tasks, 2 * self._options.jobs, received), 1):
                    outcome = self._publish(each)
                    self.summary.count(outcome.kind)
                    self._count_failures(outcome)
                    self._on_progress(Progress(number, self._tasks if self._all_pages_read else None))
                    yield outcome
            finally:
                # Threads that are still reading must end soon; the files that they have read are dropped.
                self._source.stop()
                pool.shutdown(cancel_futures=True)
                for future in received:
                    _drop(future)

    def _count_failures(self, outcome: Outcome) -> None:
        self._failures = self._failures + 1 if outcome.kind is Kind.FAILED else 0
        if self._failures == MAX_FAILURES:
            raise SourceError(f"{MAX_FAILURES} failures in a row, the last one: {outcome.reason}")

    def _counted(self, tasks: Iterable[_Task]) -> Iterator[_Task]:
        for task in tasks:
            self._tasks += 1
            yield task
        self._all_pages_read = True

    # In a thread of the pool: finding the files

    def _tasks_of(self, name: NormalizedName) -> Sequence[_Task]:
        try:
            page = self._source.page(name)
        except SourceError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return [_decided(name, SourceFile(name, ""), Kind.REFUSED, "the source has no such name")]
            return [_decided(name, SourceFile(name, ""), Kind.FAILED, str(error))]
        listing = self._stores.catalogue.listing(Projects([self._project]), name)
        existing = {file.filename: file for file in listing.files} if listing else {}
        tasks = [_decided(name, SourceFile(title, ""), Kind.REFUSED, problem) for title, problem in page.problems]
        yanked = _yanked_versions(page.files, name)
        # The variants JSON of a version (PEP 825) is generated here, from the wheels.
        for file in _in_order([file for file in page.files if not file.filename.endswith(SUFFIX)]):
            task = _Task(file, name, existing.get(file.filename), yanked.get(_version_of(file.filename, name)))
            tasks.append(replace(task, outcome=self._decide(task)))
        return tasks

    def _decide(self, task: _Task) -> Outcome | None:
        """Return the outcome for a file; None if it depends on the bytes of the file."""
        file, existing = task.file, task.existing
        problem = next(filename_problems(file.filename), None)
        if problem is not None:
            title = file.filename if len(file.filename) <= MAX_FILENAME else excerpt(file.filename, MAX_FILENAME)
            return Outcome(Kind.REFUSED, title, problem)
        if existing is not None:
            same = _is_same(existing, file.digests)
            if same:
                return Outcome(Kind.PRESENT, file.filename)
            if same is False:
                return _taken(file, existing)
        if file.size is not None and file.size >= self._options.max_file_size:
            return Outcome(Kind.REFUSED, file.filename, str(FileTooLarge(self._options.max_file_size)))
        if self._options.dry_run:
            # Without a digest, only the bytes would show whether it is the same file.
            return Outcome(Kind.IMPORTED if existing is None else Kind.PRESENT, file.filename)
        return None

    # In a thread of the pool: receiving the bytes of a file

    def _receive(self, task: _Task) -> _Received:
        if task.outcome is not None:
            return _Received(task, outcome=task.outcome)
        spool = new_file(self._stores.blobs)
        try:
            self._source.fetch(task.file, spool, max_size=self._options.max_file_size)
            upload = read_as_twine(
                spool, task.file.filename, verify=self._options.verify, with_md5="md5" in task.file.digests
            )
            problem = self._problem_of(task, upload)
        except (FileTooLarge, InvalidUpload, WrongDigest) as error:
            problem = Outcome(Kind.REFUSED, task.file.filename, str(error))
        except SourceError as error:
            problem = Outcome(Kind.FAILED, task.file.filename, str(error))
        except BaseException:
            spool.close()
            raise
        if problem is not None:
            spool.close()
            return _Received(task, outcome=problem)
        return _Received(task, upload, spool)

    def _problem_of(self, task: _Task, upload: Upload) -> Outcome | None:
        if self._source.one_name_per_page and upload.normalized_name != task.name:
            reason = f"it is on the page of {task.name}, and belongs to {upload.normalized_name}"
            return Outcome(Kind.REFUSED, task.file.filename, reason)
        if task.existing is not None:
            if task.existing.digests.sha256 == upload.digests.sha256:
                return Outcome(Kind.PRESENT, task.file.filename)
            return _taken(task.file, task.existing)
        return None

    # In the thread of the caller: publishing

    def _publish(self, received: _Received) -> Outcome:
        task, upload, spool = received.task, received.upload, received.spool
        if upload is None or spool is None:
            assert received.outcome is not None
            if task.existing is not None and received.outcome.kind is Kind.PRESENT:
                self._yank(task, task.existing.package)
            elif self._options.dry_run and received.outcome.kind is Kind.IMPORTED:
                self._count_missing(task.file)
            return received.outcome
        with spool:
            try:
                added = publish(self._stores, self._project, upload, spool, actor=ACTOR, at=task.file.uploaded_at)
            except FileTaken as error:
                return self._taken_meanwhile(task, upload, error)
            except (UploadsRefused, VariantConflict) as error:
                return Outcome(Kind.REFUSED, task.file.filename, str(error))
        self._count_missing(task.file)
        self._yank(task, added.package)
        return Outcome(Kind.IMPORTED, task.file.filename)

    def _taken_meanwhile(self, task: _Task, upload: Upload, error: FileTaken) -> Outcome:
        found = self._stores.catalogue.file(Projects([self._project]), upload.digests.sha256, upload.filename)
        if found is None:
            return Outcome(Kind.REFUSED, task.file.filename, str(error))
        self._yank(task, found.file.package)
        return Outcome(Kind.PRESENT, task.file.filename)

    def _count_missing(self, file: SourceFile) -> None:
        self.summary.without_time += file.uploaded_at is None
        self.summary.without_digest += self._source.lacks_digests and not file.digests

    def _yank(self, task: _Task, package: Package) -> None:
        if task.yanked is None or package.yanked is not None or package.id in self._yanked:
            return
        self._yanked.add(package.id)
        self.summary.yanked += 1
        if not self._options.dry_run:
            yank(self._stores, self._project, package.id, task.yanked, actor=ACTOR)


# Pure decisions


def _decided(name: NormalizedName, file: SourceFile, kind: Kind, reason: str) -> _Task:
    return _Task(file, name, outcome=Outcome(kind, file.filename, reason))


def _taken(file: SourceFile, existing: PackageFile) -> Outcome:
    reason = f"the project has another file with this name, with the SHA-256 digest {existing.digests.sha256}"
    return Outcome(Kind.REFUSED, file.filename, reason)


def _is_same(existing: PackageFile, digests: Mapping[str, str]) -> bool | None:
    """Return whether a file has the digests that a source declares; None if they cannot be compared."""
    stored = {"sha256": existing.digests.sha256, "md5": existing.digests.md5}
    stored["blake2_256"] = existing.digests.blake2_256
    compared = [stored[name] == digest for name, digest in digests.items() if stored.get(name) is not None]
    return all(compared) if compared else None


def _in_order(files: Sequence[SourceFile]) -> Sequence[SourceFile]:
    """Return files with the oldest first, if the source states when all of them were uploaded."""
    times = [(file.uploaded_at, number) for number, file in enumerate(files) if file.uploaded_at is not None]
    return [files[number] for _, number in sorted(times)] if len(times) == len(files) else files


def _version_of(filename: str, name: NormalizedName) -> str:
    """Return the canonical version in a file name; the file name itself if it has none."""
    if any(filename_problems(filename)):  # no long text may reach packaging: int() refuses 5,000 digits
        return filename
    wheel = wheel_name_and_version(filename)
    if wheel is not None:
        return canonicalize_version(wheel[1])
    with suppress(InvalidSdistFilename, InvalidVersion):
        if filename.endswith(SDIST_SUFFIXES):
            return canonicalize_version(parse_sdist_filename(filename)[1])
    return filename


def _yanked_versions(files: Iterable[SourceFile], name: NormalizedName) -> Mapping[str, str]:
    """Return the versions of which all files are yanked, each with its reason."""
    found: dict[str, list[str | None]] = {}
    for file in files:
        found.setdefault(_version_of(file.filename, name), []).append(file.yanked)
    return {
        version: _as_reason(next(filter(None, reasons), ""))
        for version, reasons in found.items()
        if None not in reasons
    }


def _as_reason(text: str) -> str:
    r"""Return the reason for a yank as this registry accepts it.

    >>> _as_reason("broken\non 3.11"), len(_as_reason(2000 * "x"))
    ('broken on 3.11', 1000)
    """
    plain = "".join(letter if is_plain(letter) else " " for letter in text)
    return plain if len(plain) <= MAX_REASON else f"{plain[: MAX_REASON - 3]}..."


# Threads


def _ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[T], R],
    items: Iterable[T],
    ahead: int,
    pending: "deque[Future[R]]",
) -> Iterator[R]:
    """Yield the results of a function in the order of the items, computed in a pool; at most `ahead` of them wait."""
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > ahead:
            yield pending[0].result()
            pending.popleft()
    while pending:
        yield pending[0].result()
        pending.popleft()


def _drop(future: "Future[_Received]") -> None:
    """Close the file of a result that is not used."""
    if future.cancelled():
        return
    with suppress(Stopped, Exception):  # the error that ended the import is the one that counts
        spool = future.result().spool
        if spool is not None:
            spool.close()
