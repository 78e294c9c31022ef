"""Catalogues that break one law each, and the test of the suite that must find it."""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from functools import partial
from itertools import count
from secrets import token_hex
from threading import Lock, get_ident
from typing import Any, Self, TypeAlias

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._filenames import identity_of
from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused, VariantConflict
from pypi_registry.model import (
    Deletion,
    Digests,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
)
from pypi_registry.storage import MAX_TOTAL, check_variant
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts.catalogue.samples import DEMO, EVERYWHERE, LIBS, OTHER, TOOLS, files_of, find
from tests.testing.mutants.racing import Count, Meeting
from tests.testing.mutants.wrapping import CatalogueWrapper, Override, after, before, on_error, returns, takes

W: TypeAlias = CatalogueWrapper
ALL = PackageQuery()
ACTIVE = NameStatus()


def sends(change: Callable[[Upload], Upload]) -> Override:
    """Store another upload than the one that was sent."""
    return takes("add", lambda self, project, upload, *rest: (project, change(upload), *rest))


def dates(change: Callable[[datetime], datetime]) -> Override:
    return takes("add", lambda self, project, upload, key, at, by: (project, upload, key, change(at), by))


def asks(change: Callable[[PackageQuery], PackageQuery]) -> Override:
    return takes("packages", lambda self, projects, query: (projects, change(query)))


def everywhere(method: str) -> Override:
    return takes(method, lambda self, projects, *rest: (EVERYWHERE, *rest))


def each_project() -> list[Projects]:
    return [Projects([project]) for project in EVERYWHERE]


def packages_of(self: W, project: Project) -> Sequence[Package]:
    return self.inner.packages(Projects([project]), ALL)[0]


def with_package(found: Any, **fields: Any) -> Any:
    """Return a file or a package with other fields of the package."""
    if isinstance(found, Package):
        return replace(found, **fields)
    return found and replace(found, package=replace(found.package, **fields))


def with_files(change: Callable[[list[PackageFile]], Sequence[PackageFile]]) -> Callable[..., Any]:
    """Return a listing, a deletion or a package with other files."""
    return lambda self, found, *args: found and replace(found, files=change([*found.files]))


# Adding


class KeepsTheFirstMetadata(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.first: dict[int, PackageMetadata] = {}

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        file = self.inner.add(project, upload, *rest)
        self.first.setdefault(file.package.id, upload.metadata)
        return file

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        found = self.inner.package(project_id, package_id)
        return found and replace(found, metadata=self.first[package_id])


def of_the_package(self: W, file_id: int) -> bytes | None:
    """Return the core metadata of any file."""
    files = files_of(self.inner, EVERYWHERE)
    return next((data for file in files if (data := self.inner.core_metadata(file.id))), None)


def as_old_as_its_files(self: W, found: tuple[Sequence[Package], int], *args: Any) -> Any:
    packages, total = found
    times = {file.package.id: file.uploaded_at for file in reversed(files_of(self.inner, EVERYWHERE))}
    return [replace(package, created_at=times[package.id]) for package in packages], total


def another_version_if_spelled_otherwise(self: W, project: Project, upload: Upload, *rest: Any) -> Any:
    files = files_of(self.inner, EVERYWHERE, upload.normalized_name)
    is_new = all(file.package.version == upload.version for file in files)
    return project, upload if is_new else replace(upload, version=f"{upload.version}.99"), *rest


def overwrites(self: W, error: Exception, project: Project, upload: Upload, *rest: Any) -> PackageFile:
    for name in (DEMO, OTHER):
        for file in files_of(self.inner, Projects([project]), name):
            if file.filename == upload.filename:
                self.inner.delete_file(project, file.id, "")
    return self.inner.add(project, upload, *rest)


class UniqueBy(W):
    """Takes more file names for taken."""

    key: Callable[[Project, Upload], object]

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.taken: set[object] = set()

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        file = self.inner.add(project, upload, *rest)
        key = type(self).key(project, upload)
        if key in self.taken:
            raise FileTaken(upload.filename)
        self.taken.add(key)
        return file


def publishes_anyway(self: W, error: Exception, project: Project, upload: Upload, *rest: Any) -> PackageFile:
    """Publish a file whose identity is taken, under a name without an identity."""
    file = self.inner.add(project, replace(upload, filename=f"{token_hex(4)}.zip"), *rest)
    return replace(file, filename=upload.filename)


def leaves_a_trace(self: W, error: Exception, project: Project, upload: Upload, *rest: Any) -> None:
    if isinstance(error, UploadsRefused):
        self.inner.set_status(project, upload.normalized_name, ACTIVE, "")
    file = self.inner.add(project, replace(upload, filename="trace.zip"), *rest)
    self.inner.delete_file(project, file.id, "")
    if isinstance(error, UploadsRefused):
        self.inner.set_status(project, upload.normalized_name, NameStatus(Status(error.status), "why"), "")
    raise error


def accepts_if(status: Status) -> Override:
    def accept(self: W, error: UploadsRefused, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        if error.status != status:
            raise error
        self.inner.set_status(project, upload.normalized_name, ACTIVE, "")
        return self.inner.add(project, upload, *rest)

    return on_error("add", UploadsRefused, accept)


def checks_the_file_name_first(self: W, project: Project, upload: Upload, *rest: Any) -> None:
    if find(self.inner, Projects([project]), upload.filename):
        raise FileTaken(upload.filename)


class RefusesMore(W):
    """Refuses uploads because of a status that is not theirs."""

    concerns: Callable[[Project, NormalizedName, Project, NormalizedName], bool]

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.closed: list[tuple[Project, NormalizedName]] = []

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        self.closed = [] if status.status.accepts_uploads else [(project, name)]
        self.inner.set_status(project, name, status, by)

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        for closed in self.closed:
            if type(self).concerns(*closed, project, upload.normalized_name):
                raise UploadsRefused(upload.normalized_name, "archived")
        return self.inner.add(project, upload, *rest)


class ReusesIds(W):
    """Uses the lowest id that no file has."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.real: dict[int, int] = {}

    def add(self, *args: Any) -> PackageFile:
        file = self.inner.add(*args)
        free = next(number for number in count(1) if number not in self.real)
        self.real[free] = file.id
        return replace(file, id=free)

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        return self.inner.delete_file(project, self.real.pop(file_id), by)


# Reading


def per_project(self: W, projects: Projects) -> list[NormalizedName]:
    return sorted(name for project in projects for name in self.inner.names(Projects([project])))


def one_status_for_all(self: W, found: Listing | None, *args: Any) -> Listing | None:
    return found and replace(found, statuses=dict.fromkeys(found.statuses, next(iter(found.statuses.values()))))


def with_statuses_of_all(self: W, found: Listing | None, projects: Projects, name: NormalizedName) -> Listing | None:
    return found and replace(found, statuses=dict.fromkeys(projects.ids, ACTIVE) | dict(found.statuses))


def best_file(key: Callable[[FileWithStatus], Any]) -> Override:
    """Choose another of several files."""

    def file(self: W, projects: Projects, *address: str) -> FileWithStatus | None:
        found = [self.inner.file(Projects([project]), *address) for project in projects]
        return max(filter(None, found), key=key, default=None)

    return {"file": file}


def by_file_name(self: W, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
    files = [file for file in files_of(self.inner, projects) if file.filename == filename]
    return FileWithStatus(files[-1], ACTIVE) if files else None


def few_projects(self: W, projects: Projects, name: NormalizedName) -> None:
    if len(projects) > 999:
        raise StorageUnavailable("too many SQL variables")


class ReturnsItsOwnLists(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.returned: dict[int, PackageDetails] = {}

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        found = self.inner.package(project_id, package_id)
        assert found is not None
        return self.returned.setdefault(package_id, replace(found, files=[*found.files]))


# Deleting


class Remembers(W):
    """Returns from one method what it returned for the same arguments before, if there is nothing now."""

    method: str

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.known: dict[object, Any] = {}

        def call(*args: Any) -> Any:
            found = getattr(inner, self.method)(*args)
            if found is not None:
                self.known[args] = found
            return self.known.get(args)

        setattr(self, self.method, call)


def remembers(method: str) -> type[W]:
    return type("Mutant", (Remembers,), {"method": method})


class HidesWhatHadTheNameOfADeletedFile(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.deleted: set[str] = set()

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        deletion = self.inner.delete_file(project, file_id, by)
        self.deleted |= {file.filename for file in deletion.files} if deletion else set()
        return deletion

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        return None if filename in self.deleted else self.inner.file(projects, sha256, filename)


def deletes_also(is_also: Callable[[Package, Package], bool]) -> Override:
    def more(self: W, deletion: Deletion | None, *args: Any) -> None:
        for project in EVERYWHERE:
            for package in packages_of(self, project):
                if deletion and is_also(package, deletion.package):
                    self.inner.delete_package(project, package.id, "")

    return after("delete_package", more)


def missing_package(self: W, project: Project, package_id: int, by: str) -> None:
    if self.inner.package(project.id, package_id) is None:
        raise LookupError(package_id)


class YanksForEver(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.yanked: dict[tuple[int, str, Version], str | None] = {}

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        package = self.inner.yank(project, package_id, reason, by)
        if package:
            self.yanked[project.id, package.normalized_name, Version(package.version)] = reason
        return package

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        file = self.inner.add(project, upload, *rest)
        reason = self.yanked.get((project.id, upload.normalized_name, Version(upload.version)))
        package = self.inner.yank(project, file.package.id, reason, "")
        return replace(file, package=package) if package else file


def in_any_project(method: str) -> Override:
    def call(self: W, project: Project, *args: Any) -> Any:
        return next(filter(None, (getattr(self.inner, method)(each, *args) for each in EVERYWHERE)), None)

    return {method: call}


def refused_if_quarantined(self: W, project: Project, *args: Any) -> None:
    page = self.inner.listing(Projects([project]), DEMO)
    if page and not page.statuses[project.id].status.offers_files:
        raise UploadsRefused(DEMO, "quarantined")


def resets_the_status(self: W, deletion: Deletion | None, project: Project, *args: Any) -> None:
    if deletion and deletion.package_deleted:
        self.inner.set_status(project, deletion.package.normalized_name, ACTIVE, "")


# Yanks and statuses


def yanks_also(is_also: Callable[[Package, Package], bool]) -> Override:
    def more(self: W, package: Package | None, _: Project, package_id: int, reason: str | None, by: str) -> None:
        for project in EVERYWHERE:
            for other in packages_of(self, project):
                if package and is_also(other, package):
                    self.inner.yank(project, other.id, reason, by)

    return after("yank", more)


def _same_name(one: Package, other: Package) -> bool:
    return (one.project_id, one.normalized_name) == (other.project_id, other.normalized_name)


def _same_version(one: Package, other: Package) -> bool:
    return (one.normalized_name, one.version) == (other.normalized_name, other.version)


def cannot_undo(self: W, project: Project, package_id: int, reason: str | None, by: str) -> Any:
    return project, package_id, reason or "for ever", by


def as_text(self: W, found: Listing | None, *args: Any) -> Any:
    return found and replace(
        found,
        statuses={id_: NameStatus(str(each.status), each.reason) for id_, each in found.statuses.items()},  # type: ignore[arg-type]
    )


def if_there(self: W, project: Project, name: NormalizedName, status: NameStatus, by: str) -> Any:
    is_there = name in self.inner.names(Projects([project]))
    return project, name, status if is_there else ACTIVE, by


def for_all_names(self: W, found: None, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
    for other in self.inner.names(Projects([project])):
        self.inner.set_status(project, other, status, by)


def unyanks(self: W, file: PackageFile, project: Project, *args: Any) -> Any:
    self.inner.yank(project, file.package.id, None, "")
    return with_package(file, yanked=None)


class YankerIsUploader(W):
    by = ""

    def yank(self, *args: Any) -> Package | None:
        self.by = args[-1]
        return self.inner.yank(*args)

    def listing(self, projects: Projects, name: NormalizedName) -> Any:
        found = self.inner.listing(projects, name)
        change = with_files(lambda files: [replace(file, uploaded_by=self.by or file.uploaded_by) for file in files])
        return change(self, found)


class Changes(W):
    """Sends every change through one method."""

    def _change(self, method: str, *args: Any) -> Any:
        raise NotImplementedError

    def add(self, *args: Any) -> Any:
        return self._change("add", *args)

    def yank(self, *args: Any) -> Any:
        return self._change("yank", *args)

    def set_status(self, *args: Any) -> Any:
        return self._change("set_status", *args)

    def delete_file(self, *args: Any) -> Any:
        return self._change("delete_file", *args)

    def delete_package(self, *args: Any) -> Any:
        return self._change("delete_package", *args)

    def restore(self, *args: Any) -> Any:
        return self._change("restore", *args)

    def correct_size(self, *args: Any) -> Any:
        return self._change("correct_size", *args)


class ListsDeletedFiles(W):
    """Never forgets a key."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.keys: set[str] = set()

    def listed(self, blob_keys: Any) -> Any:
        self.keys |= self.inner.listed(blob_keys)
        return self.keys.intersection(blob_keys)


# Revisions


class Quiet(Changes):
    """Returns old revisions after some changes."""

    is_quiet: Callable[[str, Project | None, Projects, NormalizedName | None], bool]

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.pages: set[tuple[Projects, NormalizedName | None]] = set()
        self.shown: dict[Hashable, Hashable] = {}

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        self.pages.add((projects, name))
        real = self.inner.revision(projects, name)
        return self.shown.get((projects, name, real), real)

    def _change(self, method: str, *args: Any) -> Any:
        old = {page: self.revision(*page) for page in [*self.pages]}
        found = getattr(self.inner, method)(*args)
        project = args[0] if isinstance(args[0], Project) else None
        for page, revision in old.items():
            if revision is not None and type(self).is_quiet(method, project, *page):
                self.shown[*page, self.inner.revision(*page)] = revision
        return found


def quiet(is_quiet: Callable[[str, Project | None, Projects, NormalizedName | None], bool]) -> type[W]:
    return type("Mutant", (Quiet,), {"is_quiet": staticmethod(is_quiet)})


def quiet_page(method: str) -> type[W]:
    return quiet(lambda called, project, projects, name: called == method and name is not None)


def quiet_index(method: str) -> type[W]:
    return quiet(lambda called, project, projects, name: called == method and name is None)


def of_all_pages(self: W, projects: Projects, name: NormalizedName | None) -> Hashable | None:
    found = self.inner.revision(projects, name)
    if found is None:
        return None
    return (
        found,
        *(self.inner.revision(each, page) for each in each_project() for page in (DEMO, OTHER)),
    )


def with_pages(self: W, found: Hashable | None, projects: Projects, name: NormalizedName | None) -> Hashable | None:
    return found if name or not found else (found, *(self.inner.revision(projects, page) for page in (DEMO, OTHER)))


def under_published_roots(self: W, found: Hashable, projects: Projects, name: NormalizedName | None) -> Hashable:
    roots = {root for root, _ in self.inner.publications(DEMO)}
    return found if projects.roots & roots else None


class Counts(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.seen: dict[Hashable, int] = {}

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        found = self.inner.revision(projects, name)
        return None if found is None else self.seen.setdefault((projects, name, found), len(self.seen))


# History


def while_there(self: W, found: Any, name: NormalizedName) -> Any:
    page = self.inner.listing(EVERYWHERE, name)
    return [pair for pair in found if page and pair[1] in page.statuses]


def root_of_today(self: W, found: Any, name: NormalizedName) -> Any:
    paths = dict(self.inner.project_paths())
    return [(paths[id_].partition("/")[0].lower(), id_) for _, id_ in found]


class ReturnsAllPublications(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.pairs: set[tuple[str, int]] = set()

    def add(self, project: Project, *rest: Any) -> PackageFile:
        self.pairs.add((project.root, project.id))
        return self.inner.add(project, *rest)

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        return [*self.pairs]


def with_a_status(self: W, found: Any, project: Project, *args: Any) -> None:
    if not self.inner.project_paths([project.id]):
        self.inner.restore(ProjectRecord(project.id, project.path))


def with_packages(self: W, found: Any, *args: Any) -> Any:
    there = {package.project_id for package in self.inner.packages(EVERYWHERE, ALL)[0]}
    return [pair for pair in found if pair[0] in there]


def with_the_old_path(self: W, project: Project, *rest: Any) -> Any:
    paths = dict(self.inner.project_paths([project.id]))
    return replace(project, path=paths.get(project.id, project.path)), *rest


# Listing


def lists(change: Callable[[W, list[Package], PackageQuery], list[Package]], **asked: Any) -> Override:
    """Filter or sort packages in another way."""

    def packages(self: W, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        whole = replace(query, descending=False, offset=0, limit=None, **asked)
        found = change(self, [*self.inner.packages(projects, whole)[0]], query)
        return found[query.offset :][: query.limit], len(found)

    return {"packages": packages}


def searches(matches: Callable[[str, str], bool]) -> Override:
    return lists(lambda self, found, query: [each for each in found if matches(each.name, query.name)], name="")


def words(matches: Callable[[str, str], bool]) -> Override:
    return searches(lambda name, search: all(matches(name, word) for word in search.split()))


def sorts(key: Callable[[Package], Any], order: str) -> Override:
    return lists(
        lambda self, found, query: (
            sorted(found, key=key, reverse=query.descending)
            if query.order_by == order
            else found[:: -1 if query.descending else 1]
        )
    )


def _by_minimum(name: str, word: str) -> bool:
    return word.lower() in name.lower() if len(word) >= 3 else word.lower() == name.lower()


def _as_pattern(name: str, word: str) -> bool:
    pattern = re.escape(word).replace("%", ".*").replace("_", ".")
    return re.search(pattern if len(word) >= 3 else f"^{pattern}$", name, re.IGNORECASE | re.ASCII) is not None


# Records


def lazily(self: W) -> Iterator[Record]:
    for kind in (
        LastIdsRecord,
        CopiedRecord,
        ProjectRecord,
        PackageRecord,
        FileRecord,
        StatusRecord,
        PublicationRecord,
    ):
        yield from [record for record in self.inner.records() if isinstance(record, kind)]


def without(kind: type[Any]) -> Callable[..., Any]:
    return lambda self, found: (record for record in found if not isinstance(record, kind))


def without_identities(self: W, found: Iterator[Record]) -> Iterator[Record]:
    return (replace(each, identity=None) if isinstance(each, FileRecord) else each for each in found)


class FreesTheIdentityOfADeletedFile(W):
    """Publishes spellings of the name of a deleted file, whatever other file is a spelling of it."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.free: set[str | None] = set()

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        deletion = self.inner.delete_file(project, file_id, by)
        for file in deletion.files if deletion else ():
            self.free.add(identity_of(file.filename, file.package.normalized_name, file.package.version))
        return deletion

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        if upload.identity in self.free:
            upload = replace(upload, filename=f"{token_hex(4)}.zip")
        return self.inner.add(project, upload, *rest)


def without_core_metadata(self: W, found: Iterator[Record]) -> Iterator[Record]:
    return (replace(each, core_metadata=None) if isinstance(each, FileRecord) else each for each in found)


def of_what_is_left(self: W, found: Iterator[Record]) -> Iterator[Record]:
    files = [record.file for record in self.inner.records() if isinstance(record, FileRecord)]
    last = LastIdsRecord(max(file.package.id for file in files), max(file.id for file in files))
    return (last if isinstance(each, LastIdsRecord) else each for each in found)


def as_if_all_were_copied(self: W, found: Iterator[Record]) -> Iterator[Record]:
    for record in found:
        if not isinstance(record, CopiedRecord):
            yield record
        if isinstance(record, LastIdsRecord):
            yield CopiedRecord(record.package, record.file)


class KeepsTheHighestMark(W):
    """Never lowers the ids up to which it is a copy."""

    def restore(self, record: Record) -> None:
        if isinstance(record, CopiedRecord):
            for copied in self.inner.records():
                if isinstance(copied, CopiedRecord):
                    record = CopiedRecord(max(record.package, copied.package), max(record.file, copied.file))
        self.inner.restore(record)


def strictly(self: W, record: Record) -> None:
    """Take a package in another state for another package."""
    if isinstance(record, PackageRecord):
        found = {each.package.id: each for each in self.inner.records() if isinstance(each, PackageRecord)}
        if found.get(record.package.id, record) != record:
            raise ValueError("another package has the id")
    self.inner.restore(record)


def once(self: W, record: Record) -> None:
    if isinstance(record, PackageRecord) and record in self.inner.records():
        raise ValueError("there is such a package")


class CountsIdsFromOne(W):
    """Does not learn ids from records, or in another instance."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.ids = count(1)

    def add(self, *args: Any) -> PackageFile:
        file = self.inner.add(*args)
        package = replace(file.package, id=next(self.ids))
        return replace(file, id=next(self.ids), package=package)


# Concurrency


class LooksBeforeItLeaps(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting, self.lock = Meeting(), Lock()

    def add(self, project: Project, upload: Upload, *rest: Any) -> Any:
        if any(file.filename == upload.filename for file in files_of(self.inner, Projects([project]))):
            raise FileTaken(upload.filename)
        self.meeting.wait()
        with self.lock:
            return on_error("add", FileTaken, overwrites)["add"](self, project, upload, *rest)


class LooksForSpellingsBeforeItLeaps(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting, self.lock = Meeting(), Lock()

    def add(self, project: Project, upload: Upload, *rest: Any) -> Any:
        for file in files_of(self.inner, Projects([project])):
            if identity_of(file.filename, upload.normalized_name, upload.version) == upload.identity:
                raise FileTaken(upload.filename)
        self.meeting.wait()
        with self.lock:
            return on_error("add", FileTaken, publishes_anyway)["add"](self, project, upload, *rest)


def files_of_version(self: W, projects: Projects, upload: Upload) -> list[PackageFile]:
    """Return the files of the version of an upload, in whichever spelling."""
    found = files_of(self.inner, projects, upload.normalized_name)
    return [file for file in found if Version(file.package.version) == Version(upload.version)]


def compares_with(files: Callable[[W, Project, Upload], Sequence[PackageFile]]) -> Override:
    """Compare the variant of an upload with other files than those of its package."""
    return before(
        "add",
        lambda self, project, upload, *rest: check_variant(
            upload, (file.variant for file in files(self, project, upload))
        ),
    )


def without_variant(self: W, error: Exception, project: Project, upload: Upload, *rest: Any) -> PackageFile:
    return self.inner.add(project, replace(upload, variant=None), *rest)


def with_a_trace(self: W, error: Exception, project: Project, upload: Upload, *rest: Any) -> PackageFile:
    self.inner.set_status(project, upload.normalized_name, NameStatus(Status.DEPRECATED), "")
    raise error


def with_contents(change: Callable[[list[str]], Sequence[str]]) -> Callable[..., Any]:
    return lambda self, found, *args: [replace(each, contents=change([*each.contents])) for each in found]


class KeepsContentsForEver(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.seen: dict[object, Any] = {}

    def variants(self, *args: Any) -> Any:
        self.seen[args] = self.inner.variants(*args) or self.seen.get(args, [])
        return self.seen[args]


class LooksForContradictionsBeforeItLeaps(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting, self.lock = Meeting(), Lock()

    def add(self, project: Project, upload: Upload, *rest: Any) -> Any:
        check_variant(upload, (file.variant for file in files_of_version(self, Projects([project]), upload)))
        self.meeting.wait()
        with self.lock:
            return on_error("add", VariantConflict, without_variant)["add"](self, project, upload, *rest)


class AddsAPackageTwice(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting = Meeting()

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        if not files_of(self.inner, Projects([project])):
            self.meeting.wait()
            upload = replace(upload, version=f"{upload.version}.{get_ident()}")
        return self.inner.add(project, upload, *rest)


class WritesRevisionsThatItReadBefore(W):
    """Counts in the program, as "UPDATE … SET revision = ?" does with a number that was read before."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting, self.one_by_one, self.current = Meeting(), Lock(), 1
        self.looks: dict[int, Count] = {}

    def add(self, *args: Any) -> PackageFile:
        revision = self.current
        self.meeting.wait()
        with self.one_by_one:
            for looks in [*self.looks.values()]:
                looks.wait_for(2)  # the thread before has looked at its page
            file = self.inner.add(*args)
            self.current = revision + 1
            self.looks[get_ident()] = Count()
        return file

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        found = self.current
        if get_ident() in self.looks:
            self.looks[get_ident()].increment()
        return found


class AddsCoreMetadataLater(W):
    """Makes a file visible in one transaction and its core metadata in another."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.looks = Count()
        self.to_come: set[str] = set()

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        self.to_come.add(upload.filename)
        file = self.inner.add(project, upload, *rest)
        self.looks.wait_for(1)
        self.to_come.remove(upload.filename)
        return file

    def core_metadata(self, file_id: int) -> bytes | None:
        [filename] = [file.filename for file in files_of(self.inner, EVERYWHERE) if file.id == file_id]
        if filename in self.to_come:
            self.looks.increment()
            return None
        return self.inner.core_metadata(file_id)


class ChangesTheRevisionFirst(Changes):
    """Changes revisions in a transaction of their own, one kind of change only when readers have looked at it."""

    broken: str

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.looks, self.current = Count(), token_hex()

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        found = self.current
        self.looks.increment()
        return found

    def _change(self, method: str, *args: Any) -> Any:
        if method != self.broken or not self.looks.value:
            found = getattr(self.inner, method)(*args)
            self.current = token_hex()
            return found
        self.current = token_hex()
        self.looks.wait_for(self.looks.value + 10)  # one of three readers has begun and ended meanwhile
        return getattr(self.inner, method)(*args)


class DeletesFileByFile(W):
    """Deletes a package in several transactions, and lets readers in between."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.looks = Count()

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        found = self.inner.listing(projects, name)
        self.looks.increment()
        return found

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        self.inner.delete_file(project, files_of(self.inner, Projects([project]))[0].id, by)
        self.looks.wait_for(self.looks.value + 4)  # one of three readers has begun meanwhile
        return self.inner.delete_package(project, package_id, by)


class ChangesWhileOthersRead(Changes):
    """Makes no change until somebody reads, who waits in the middle for two more changes."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.changes, self.reading = Count(), Count()

    def _change(self, method: str, *args: Any) -> Any:
        if self.changes.value > 1:
            self.reading.wait_for(1)
        found = getattr(self.inner, method)(*args)
        self.changes.increment()
        return found

    def in_the_middle(self) -> None:
        self.reading.increment()
        if self.reading.value == 1:
            self.changes.wait_for(self.changes.value + 3)


class CountsLater(ChangesWhileOthersRead):
    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        found = self.inner.packages(projects, query)[0]
        self.in_the_middle()
        return found, self.inner.packages(projects, query)[1]


class ReadsStatusesLater(ChangesWhileOthersRead):
    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        found = self.inner.listing(projects, name)
        self.in_the_middle()
        later = self.inner.listing(projects, name)
        return found and later and Listing(found.files, later.statuses)


class ReadsFileStatusesLater(ChangesWhileOthersRead):
    def file(self, *args: Any) -> FileWithStatus | None:
        found = self.inner.file(*args)
        self.in_the_middle()
        later = self.inner.file(*args)
        return found and later and FileWithStatus(found.file, later.status)


class ReadsWithoutALock(ChangesWhileOthersRead):
    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        found = self.inner.names(projects)
        self.in_the_middle()
        if self.inner.names(projects) != found:
            raise RuntimeError("dictionary changed size during iteration")
        return found


class DeletesForAll(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.meeting = Meeting()

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        files = [file for file in files_of(self.inner, Projects([project])) if file.id == file_id]
        self.meeting.wait()
        self.inner.delete_file(project, file_id, by)
        return Deletion(files[0].package, files, package_deleted=True) if files else None


class DeletesWhatItDoesNotReturn(W):
    """Reads the files of a package, and later deletes what it has by then."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.added, self.deleting, self.one_by_one = Count(), Count(), Lock()

    def add(self, *args: Any) -> PackageFile:
        if self.added.value > 1:
            self.deleting.wait_for(1)
        file = self.inner.add(*args)
        self.added.increment()
        return file

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        self.added.wait_for(1)
        return self.inner.listing(projects, name)

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        return None  # so that the package stays

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        with self.one_by_one:  # the first thread that reads the files is the one that deletes them
            found = self.inner.package(project.id, package_id)
            self.deleting.increment()
            # One of three writers has begun and ended meanwhile: three files may be there and not be counted yet.
            self.added.wait_for(min(self.added.value + 4, 30))  # 30 files are added
            deletion = self.inner.delete_package(project, package_id, by)
        return replace(deletion, files=found.files) if deletion and found else None


class ReadsTheStatusTooEarly(W):
    """Reads whether a name accepts uploads, and adds the file when that has changed."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.in_the_middle, self.closed, self.counted, self.added = Count(), Count(), Count(), Count()

    def set_status(self, *args: Any) -> None:
        self.in_the_middle.wait_for(1)
        self.closed.increment()

    def add(self, project: Project, upload: Upload, *rest: Any) -> PackageFile:
        if self.closed.value:
            raise UploadsRefused(upload.normalized_name, "quarantined")
        if self.added.value > 5:
            self.in_the_middle.increment()
            self.counted.wait_for(1)
        self.added.increment()
        return self.inner.add(project, upload, *rest)

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        found = self.inner.listing(projects, name)
        self.counted.increment()
        return found


# Durability


class Restarts(W):
    """Does something to its rows when it is opened again."""

    at_restart: Callable[[Any], object]

    def reopened(self) -> Self:
        again = type(self)(self.inner)
        type(self).at_restart(again)
        return again


def restarts(at_restart: Callable[[Any], object], **methods: Any) -> type[W]:
    return type("Mutant", (Restarts,), {"at_restart": staticmethod(at_restart), **methods})


def begin_anew(self: W) -> None:
    self.inner = MemoryCatalogue()


def lose_yanks(self: W) -> None:
    for project in EVERYWHERE:
        for package in packages_of(self, project):
            self.inner.yank(project, package.id, None, "")


def lose_the_last_file(self: W) -> None:
    file = files_of(self.inner, EVERYWHERE)[-1]
    [project] = [project for project in EVERYWHERE if project.id == file.package.project_id]
    self.inner.delete_file(project, file.id, "")


def replaced(**methods: Callable[..., Any]) -> Callable[[Any], None]:
    """Replace methods of the new instance only."""

    def at_restart(self: W) -> None:
        for name, method in methods.items():
            setattr(self, name, partial(method, self))

    return at_restart


class CachesPages(W):
    """Relies on no other instance to make changes."""

    cached: str

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.cache: dict[object, Any] = {}

        def read(*args: Any) -> Any:
            if args not in self.cache:
                self.cache[args] = getattr(inner, self.cached)(*args)
            return self.cache[args]

        def change(method: str, *args: Any) -> Any:
            self.cache.clear()
            return getattr(inner, method)(*args)

        setattr(self, self.cached, read)
        for method in ("add", "yank", "set_status", "delete_file", "delete_package"):
            setattr(self, method, partial(change, method))


class KnowsItsOwnFileNames(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.own, self.lock = set[str](), Lock()

    def add(self, project: Project, upload: Upload, *rest: Any) -> Any:
        with self.lock:
            if upload.filename in self.own:
                raise FileTaken(upload.filename)
            self.own.add(upload.filename)
            return on_error("add", FileTaken, overwrites)["add"](self, project, upload, *rest)


class UsesIdsAgain(W):
    """Counts on from the highest id that is in use when it is opened."""

    free: PackageFile | None = None
    is_again = False

    def delete_package(self, *args: Any) -> Deletion | None:
        deletion = self.inner.delete_package(*args)
        self.free = deletion.files[0] if deletion else None
        return deletion

    def reopened(self) -> Self:
        again = type(self)(self.inner)
        again.free = self.free
        again.is_again = True
        return again

    def add(self, *args: Any) -> PackageFile:
        file = self.inner.add(*args)
        if self.free is None or not self.is_again:
            return file
        return replace(file, id=self.free.id, package=self.free.package)


# By the test that must find it: what is broken, and the mutant, as a class or as its methods.
Mutant = type[W] | Override
MUTANTS: Mapping[str, Mapping[str, Mutant]] = {
    "test_every_reading_method_returns_an_added_file_as_it_was_sent": {
        "sizes have 32 bits": sends(lambda upload: replace(upload, size=upload.size % 2**32)),
        "names are stored normalized": sends(lambda upload: replace(upload, name=upload.normalized_name)),
        "versions are stored normalized": sends(lambda upload: replace(upload, version=str(Version(upload.version)))),
        "ids of projects have 53 bits": takes(
            "names", lambda self, projects: (Projects(replace(p, id=int(float(p.id))) for p in projects),)
        ),
        "the uploader is not stored": takes("add", lambda self, *args: (*args[:-1], "")),
    },
    "test_what_an_upload_does_not_state_stays_empty": {
        "empty digests are not None": sends(
            lambda upload: replace(upload, digests=Digests(*(text or "" for text in astuple(upload.digests))))
        ),
    },
    "test_a_text_may_hold_any_character": {
        "texts end at NUL": sends(
            lambda upload: replace(
                upload, metadata=replace(upload.metadata, summary=upload.metadata.summary.partition("\0")[0])
            )
        ),
    },
    "test_the_metadata_of_the_last_upload_replaces_that_of_the_package": {
        "the first metadata is kept": KeepsTheFirstMetadata,
    },
    "test_core_metadata_belongs_to_its_file_byte_by_byte": {
        "core metadata is stored as text": sends(
            lambda upload: replace(
                upload, core_metadata=upload.core_metadata and upload.core_metadata.decode(errors="replace").encode()
            )
        ),
        "empty core metadata is None": sends(
            lambda upload: replace(upload, core_metadata=upload.core_metadata or None)
        ),
        "core metadata belongs to the package": {"core_metadata": of_the_package},
    },
    "test_times_are_aware_and_exact_to_the_microsecond_in_any_year": {
        "times have no zone": dates(lambda at: at.replace(tzinfo=None)),
        "times are rounded to milliseconds": dates(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    },
    "test_a_package_was_created_when_its_first_file_was_uploaded": {
        "a package is as old as its oldest file": returns("packages", as_old_as_its_files),
    },
    "test_equal_versions_are_one_package_in_the_first_spelling": {
        "versions are compared as texts": takes("add", another_version_if_spelled_otherwise),
    },
    "test_different_projects_names_and_versions_are_different_packages": {
        "local versions are not compared": sends(
            lambda upload: replace(upload, version=Version(upload.version).public)
        ),
        "all projects share a package": takes("add", lambda self, project, *rest: (TOOLS, *rest)),
    },
    "test_a_file_name_is_unique_in_a_project": {
        "an upload overwrites a file": on_error("add", FileTaken, overwrites),
    },
    "test_a_file_name_is_case_sensitive_and_free_in_other_projects": {
        "file names ignore case": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: (project.id, upload.filename.lower())}
        ),
        "file names are unique in all projects": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: upload.filename}
        ),
    },
    "test_another_spelling_of_a_file_name_is_refused_and_changes_nothing": {
        "other spellings are published": on_error("add", FileTaken, publishes_anyway),
        "a refused spelling leaves a trace": on_error("add", FileTaken, leaves_a_trace),
    },
    "test_another_spelling_of_a_file_name_is_free_in_other_projects": {
        "identities are unique in all projects": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: upload.identity}
        ),
    },
    "test_the_files_of_one_release_are_no_spellings_of_one_name": {
        f"identities ignore {what}": type("Mutant", (UniqueBy,), {"key": key})
        for what, key in {
            "suffixes": lambda project, upload: upload.filename.removesuffix(".zip").removesuffix(".tar.gz"),
            "build tags": lambda project, upload: re.sub(r"-[0-9]\w*-py", "-py", upload.filename),
            "letters in build tags": lambda project, upload: upload.filename.replace("-1a-", "-1-"),
            "tags": lambda project, upload: re.sub("-cp311-.*", "", upload.filename),
        }.items()
    },
    "test_files_without_an_identity_are_no_spellings_of_one_name": {
        "a missing identity is unique": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: (project.id, upload.identity)}
        ),
    },
    "test_an_upload_whose_file_name_is_taken_changes_nothing": {
        "a refused file name leaves a trace": on_error("add", FileTaken, leaves_a_trace),
    },
    "test_an_archived_or_quarantined_name_refuses_uploads_and_nothing_changes": {
        "a refused upload leaves a trace": on_error("add", UploadsRefused, leaves_a_trace),
        "archived names accept uploads": accepts_if(Status.ARCHIVED),
        "quarantined names accept uploads": accepts_if(Status.QUARANTINED),
        "the file name is checked before the status": before("add", checks_the_file_name_first),
    },
    "test_a_status_refuses_uploads_of_its_name_in_its_project_until_it_is_changed": {
        "a name is archived in all projects": type(
            "Mutant", (RefusesMore,), {"concerns": lambda _, closed, project, name: closed == name}
        ),
        "all names of a project are archived": type(
            "Mutant", (RefusesMore,), {"concerns": lambda closed, _, project, name: closed == project}
        ),
    },
    "test_ids_are_never_used_twice": {
        "ids of deleted files are used again": ReusesIds,
    },
    "test_names_are_sorted_and_unique": {
        "names are not sorted": returns("names", lambda self, found, projects: found[::-1]),
        "names are sorted without hyphens": returns(
            "names", lambda self, found, projects: sorted(found, key=lambda name: name.replace("-", ""))
        ),
        "names appear once per project": {"names": per_project},
    },
    "test_a_name_is_there_while_it_has_a_package": {
        "a missing name has an empty listing": returns("listing", lambda self, found, *args: found or Listing([], {})),
        "names stay for ever": remembers("listing"),
    },
    "test_a_listing_has_the_files_of_its_name_and_projects_oldest_first": {
        "the newest file comes first": returns("listing", with_files(lambda files: files[::-1])),
        "files are sorted by name": returns(
            "listing", with_files(lambda files: sorted(files, key=lambda file: file.filename))
        ),
        "a listing has the files of all projects": everywhere("listing"),
    },
    "test_a_listing_has_the_files_of_one_name_of_every_project": {
        "of files with one name, the newest is listed": returns(
            "listing", with_files(lambda files: [*{file.filename: file for file in files}.values()])
        ),
        "of files with one digest, the newest is listed": returns(
            "listing", with_files(lambda files: [*{file.digests.sha256: file for file in files}.values()])
        ),
    },
    "test_a_listing_has_the_status_in_each_project_that_has_the_name": {
        "all projects have one status": returns("listing", one_status_for_all),
        "projects without the name have a status": returns("listing", with_statuses_of_all),
    },
    "test_a_name_may_have_many_files_and_a_project_many_names": {
        "a listing has 100 files at most": returns("listing", with_files(lambda files: files[:100])),
        "an index has 100 names at most": returns("names", lambda self, found, projects: found[:100]),
    },
    "test_of_several_files_with_one_name_and_digest_the_newest_is_found": {
        "the oldest file is found": best_file(lambda found: -found.file.id),
    },
    "test_a_quarantined_file_is_found_only_if_every_other_is_quarantined": {
        "the newest file is found although it is quarantined": best_file(lambda found: found.file.id),
        "quarantined files are not found": returns(
            "file", lambda self, found, *args: found if found and found.status.status.offers_files else None
        ),
    },
    "test_a_file_is_found_with_the_status_of_its_name_in_its_project": {
        "a file is found without a status": returns(
            "file", lambda self, found, *args: found and replace(found, status=ACTIVE)
        ),
    },
    "test_a_file_is_found_by_its_project_its_digest_and_its_name": {
        "a file is found by its name alone": {"file": by_file_name},
        "a file is found in all projects": everywhere("file"),
    },
    "test_without_projects_there_is_nothing": {
        "no projects are all projects": takes("names", lambda self, projects: (projects or EVERYWHERE,)),
    },
    "test_a_group_may_have_thousands_of_projects": {
        "a group has 999 projects at most": before("listing", few_projects),
    },
    "test_a_returned_sequence_belongs_to_the_caller": {
        "what is returned is not copied": ReturnsItsOwnLists,
    },
    "test_a_deleted_file_is_returned_and_gone": {
        "a deletion of a file has no files": returns("delete_file", with_files(lambda files: [])),
        "core metadata stays after its file": remembers("core_metadata"),
        "the files of a deleted package are still found": remembers("file"),
    },
    "test_a_package_is_deleted_with_its_last_file": {
        "a package is not deleted with its last file": returns(
            "delete_file", lambda self, found, *args: found and replace(found, package_deleted=False)
        ),
        "an empty package is still found": remembers("package"),
    },
    "test_a_file_is_deleted_once": {
        "a file can be deleted twice": remembers("delete_file"),
    },
    "test_an_id_of_another_project_changes_nothing": {
        "a deletion of nothing changes the revision": after(
            "delete_file", lambda self, found, project, *args: self.inner.set_status(project, DEMO, ACTIVE, "")
        ),
        "files are deleted in any project": in_any_project("delete_file"),
        "packages are deleted in any project": in_any_project("delete_package"),
        "packages are yanked in any project": in_any_project("yank"),
    },
    "test_the_name_of_a_deleted_file_is_free_at_once": {
        "the name of a deleted file stays taken": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: (project.id, upload.filename)}
        ),
    },
    "test_other_spellings_of_the_name_of_a_deleted_file_are_free_at_once": {
        "the identity of a deleted file stays taken": type(
            "Mutant", (UniqueBy,), {"key": lambda project, upload: (project.id, upload.identity)}
        ),
    },
    "test_after_the_newest_file_was_deleted_the_next_one_is_found": {
        "a deleted file hides the next one": HidesWhatHadTheNameOfADeletedFile,
    },
    "test_a_deleted_package_is_returned_with_its_files_and_gone": {
        "a deletion of a package has one file": returns("delete_package", with_files(lambda files: files[:1])),
        "all versions are deleted with one": deletes_also(_same_name),
    },
    "test_a_package_is_deleted_once": {
        "deleting a missing package is an error": before("delete_package", missing_package),
    },
    "test_a_deleted_version_that_is_uploaded_again_is_a_new_package": {
        "a version stays yanked for ever": YanksForEver,
    },
    "test_deleting_in_one_project_changes_no_other": {
        "a package is deleted in all projects": deletes_also(_same_version),
    },
    "test_a_quarantined_name_can_be_yanked_and_deleted_and_stays_quarantined": {
        "quarantined names cannot be yanked": before("yank", refused_if_quarantined),
        "the status is deleted with the last package": after("delete_file", resets_the_status),
    },
    "test_every_reading_method_returns_a_yanked_package_as_yanked": {
        "a package alone is not yanked": returns(
            "package", lambda self, found, *args: with_package(found, yanked=None)
        ),
        "an empty reason is None": takes(
            "yank", lambda self, project, id_, reason, by: (project, id_, reason or None, by)
        ),
        "a yank cannot be undone": takes("yank", cannot_undo),
        "all versions are yanked with one": yanks_also(_same_name),
        "a package is yanked in all projects": yanks_also(_same_version),
    },
    "test_yanks_and_statuses_change_nothing_else": {
        "a yank changes who uploaded": YankerIsUploader,
    },
    "test_a_file_that_is_added_to_a_yanked_package_is_yanked": {
        "a new file undoes a yank": returns("add", unyanks),
    },
    "test_yanking_does_not_change_the_order_of_files": {
        "yanked files come last": returns(
            "listing", with_files(lambda files: sorted(files, key=lambda file: file.package.yanked is not None))
        ),
    },
    "test_a_status_holds_with_its_reason_until_the_next": {
        "a status has no reason": takes(
            "set_status", lambda self, project, name, status, by: (project, name, replace(status, reason=""), by)
        ),
        "a status is a text": returns("listing", as_text),
        "a status is that of all names": after("set_status", for_all_names),
    },
    "test_a_status_holds_while_the_name_has_no_package": {
        "a status needs a package": takes("set_status", if_there),
    },
    "test_there_is_a_revision_where_there_is_something_to_show": {
        "there always is a revision": returns("revision", lambda self, found, *args: found or 0),
    },
    "test_every_change_of_a_page_changes_its_revision": {
        **{
            f"the revision does not change with {method}": quiet_page(method)
            for method in ("add", "yank", "set_status", "delete_file", "delete_package")
        },
    },
    "test_a_revision_of_several_projects_changes_with_each_of_them": {
        "a group has the revision of its first project": takes(
            "revision", lambda self, projects, name: (Projects([*projects][:1]), name)
        ),
    },
    "test_the_revision_of_the_index_changes_with_the_first_and_the_last_package_of_a_name": {
        **{
            f"the revision of the index does not change with {method}": quiet_index(method)
            for method in ("add", "delete_file", "delete_package")
        },
    },
    "test_the_revision_of_the_index_stays_while_a_project_has_the_same_names": {
        "the revision of the index changes with every page": returns("revision", with_pages),
    },
    "test_the_revision_of_a_project_stays_where_nothing_changed": {
        "every change changes every revision": {"revision": of_all_pages},
        "a revision is new at every call": returns("revision", lambda self, found, *args: found and token_hex()),
    },
    "test_the_revision_of_a_group_stays_when_another_root_group_changes": {
        "groups have a revision for all root groups": {"revision": of_all_pages},
    },
    "test_a_project_that_moved_has_a_revision_in_its_new_root_group_at_once": {
        "a root group has a revision when it has published": returns("revision", under_published_roots),
    },
    "test_a_change_of_a_project_that_moved_changes_the_revisions_of_both_root_groups": {
        "a change leaves the revisions of the old root group": quiet(
            lambda called, project, projects, name: project is not None and project.root not in projects.roots
        ),
        "a change leaves the revisions of the new root group": quiet(
            lambda called, project, projects, name: "moved" in projects.roots
        ),
    },
    "test_revisions_are_random": {
        "revisions are counted": Counts,
    },
    "test_publications_are_pairs_of_root_group_and_project": {
        "root groups keep their case": returns(
            "publications", lambda self, found, name: [(root.title(), id_) for root, id_ in found]
        ),
        "publications have duplicates": returns("publications", lambda self, found, name: [*found, *found]),
    },
    "test_a_publication_stays_whatever_is_deleted": {
        "publications end with the last package": returns("publications", while_there),
    },
    "test_a_project_that_moved_publishes_under_its_new_root_group_too": {
        "publications follow a project that moved": returns("publications", root_of_today),
    },
    "test_at_most_1000_publications_are_returned": {
        "all publications are returned": ReturnsAllPublications,
    },
    "test_project_paths_are_those_of_projects_that_ever_published_sorted_by_id": {
        "project paths are not sorted": returns("project_paths", lambda self, found, ids=None: found[::-1]),
        "project paths are always all": takes("project_paths", lambda self, ids=None: ()),
        "project paths are those of projects with packages": returns("project_paths", with_packages),
        "a status makes a project path": after("set_status", with_a_status),
    },
    "test_every_change_stores_the_path_that_the_project_has_now": {
        **{
            f"{method} keeps the old path": takes(method, with_the_old_path)
            for method in ("add", "yank", "set_status", "delete_file", "delete_package")
        },
    },
    "test_a_list_has_the_packages_of_its_projects": {
        "a list has the packages of all projects": everywhere("packages"),
    },
    "test_a_search_finds_every_word_literally_and_in_any_case": {
        "a search is case-sensitive": words(lambda name, word: word in name if len(word) >= 3 else word == name),
        "a search folds the case of all letters": words(_by_minimum),
        "a search takes patterns": words(_as_pattern),
        "short words match parts": words(lambda name, word: word.encode().lower() in name.encode().lower()),
        "one word is enough": searches(
            lambda name, search: any(_by_minimum(name, word) for word in search.split() or [name])
        ),
        "a search is one phrase": searches(lambda name, search: _by_minimum(name, search.strip() or name)),
    },
    "test_a_list_is_filtered_by_name_and_by_version_as_uploaded": {
        "a whole name is a search": asks(
            lambda query: replace(query, name=query.normalized_name or query.name, normalized_name=None)
        ),
        "a list has all versions": asks(lambda query: replace(query, version="")),
    },
    "test_a_list_has_every_order_and_ties_follow_by_id": {
        "ties follow in one direction": sorts(lambda package: package.name, "name"),
        "every list is sorted by time": asks(lambda query: replace(query, order_by="created_at")),
        "versions are sorted as versions": sorts(lambda package: (Version(package.version), package.id), "version"),
    },
    "test_a_list_has_every_page_of_every_order": {
        "a limit of 0 is none": asks(lambda query: replace(query, limit=query.limit or None)),
        "every page is the first": asks(lambda query: replace(query, offset=0)),
    },
    "test_a_total_counts_what_the_query_finds": {
        "the total is that of the page": returns("packages", lambda self, found, *args: (found[0], len(found[0]))),
    },
    "test_a_total_is_exact_up_to_10_000_and_then_none": {
        "a total has no limit": returns("packages", lambda self, found, *args: (found[0], found[1] or MAX_TOTAL + 1)),
        "a total ends below its limit": returns(
            "packages", lambda self, found, *args: (found[0], None if found[1] == MAX_TOTAL else found[1])
        ),
    },
    "test_the_order_by_project_follows_a_project_that_moved": {
        "projects are sorted by id": sorts(lambda package: (package.project_id, package.id), "project_path"),
    },
    "test_a_package_is_found_only_in_its_project": {
        "a package is found in any project": {
            "package": lambda self, project_id, package_id: next(
                filter(None, (self.inner.package(id_, package_id) for id_ in EVERYWHERE.ids)), None
            )
        },
    },
    "test_a_package_has_its_own_files_oldest_first": {
        "a package has the newest file first": returns("package", with_files(lambda files: files[::-1])),
    },
    "test_the_records_are_everything_and_a_package_comes_before_its_files": {
        **{
            f"records lack each {kind.__name__}": returns("records", without(kind))
            for kind in (ProjectRecord, PackageRecord, FileRecord, StatusRecord, PublicationRecord)
        },
        "files come before packages": returns("records", lambda self, found: iter([*found][::-1])),
    },
    "test_records_restore_the_answers_of_a_catalogue_in_another_one": {
        "records lack core metadata": returns("records", without_core_metadata),
        "publications are not restored": {
            "restore": lambda self, record: (
                None if isinstance(record, PublicationRecord) else self.inner.restore(record)
            )
        },
    },
    "test_the_identity_of_a_file_is_restored": {
        "identities are not restored": takes(
            "restore",
            lambda self, record: (replace(record, identity=None) if isinstance(record, FileRecord) else record,),
        ),
    },
    "test_the_highest_ids_are_recorded_also_those_of_what_was_deleted": {
        "the highest ids are not recorded": returns("records", without(LastIdsRecord)),
        "the highest ids of what is left are recorded": returns("records", of_what_is_left),
    },
    "test_restored_highest_ids_are_not_used_again_and_never_lowered": {
        "the highest ids are not restored": {
            "restore": lambda self, record: None if isinstance(record, LastIdsRecord) else self.inner.restore(record)
        },
    },
    "test_the_ids_up_to_which_a_catalogue_is_a_copy_are_those_that_were_restored_last": {
        "the ids of a copy are not recorded": returns("records", without(CopiedRecord)),
        "every catalogue is a copy": returns("records", as_if_all_were_copied),
        "the ids of a copy are never lowered": KeepsTheHighestMark,
        "the ids of a copy are taken for the highest ids": {
            "restore": lambda self, record: self.inner.restore(
                LastIdsRecord(record.package, record.file) if isinstance(record, CopiedRecord) else record
            )
        },
    },
    "test_a_record_replaces_an_older_state_of_itself": {
        "a package that changed is in conflict with itself": {"restore": strictly},
        "the path of a project stays": {
            "restore": lambda self, record: (
                None
                if isinstance(record, ProjectRecord) and self.inner.project_paths([record.id])
                else self.inner.restore(record)
            )
        },
    },
    "test_the_record_of_an_added_file_has_its_identity": {
        "records lack identities": returns("records", without_identities),
    },
    "test_while_a_restored_spelling_of_a_name_is_left_no_other_is_published": {
        "no other spelling gets the identity": FreesTheIdentityOfADeletedFile,
    },
    "test_a_spelling_without_the_identity_is_deleted_alone": {
        "every deleted spelling frees the identity": FreesTheIdentityOfADeletedFile,
    },
    "test_restoring_a_record_again_changes_nothing": {
        "restoring again is an error": before("restore", once),
        "restoring again changes a revision": after(
            "restore", lambda self, found, record: self.inner.set_status(TOOLS, DEMO, ACTIVE, "")
        ),
    },
    "test_a_record_in_conflict_with_another_raises_value_error_and_changes_nothing": {
        "conflicts are ignored": on_error("restore", ValueError, lambda self, error, record: None),
    },
    "test_what_is_added_after_a_restore_has_fresh_ids": {
        "ids are counted without those of records": CountsIdsFromOne,
    },
    "test_a_restored_file_changes_the_revision_of_its_page": {
        "a restored file changes no revision": quiet(lambda called, project, projects, name: called == "restore"),
    },
    "test_listed_are_the_blob_keys_of_files_as_they_are_now": {
        "every key is listed": {"listed": lambda self, keys: {*keys}},
        "keys that were not asked for are listed": {
            "listed": lambda self, keys: {
                record.file.blob_key for record in self.inner.records() if isinstance(record, FileRecord)
            }
        },
        "keys of deleted files stay listed": ListsDeletedFiles,
    },
    "test_a_corrected_size_changes_one_file_and_the_revision_of_its_page": {
        "no size is corrected": {"correct_size": lambda self, file_id, size: True},
        "a file that does not exist is corrected": {
            "correct_size": lambda self, file_id, size: self.inner.correct_size(file_id, size) or True
        },
        "a corrected size changes no revision": quiet(lambda called, project, projects, name: called == "correct_size"),
    },
    "test_records_are_of_one_moment": {
        "records are of several moments": {"records": lazily},
    },
    "test_of_simultaneous_uploads_exactly_one_gets_the_file_name": {
        "a look before the leap": LooksBeforeItLeaps,
    },
    "test_of_simultaneous_uploads_under_spellings_of_one_name_exactly_one_is_published": {
        "a look for spellings before the leap": LooksForSpellingsBeforeItLeaps,
    },
    "test_simultaneous_uploads_of_a_version_share_one_package": {
        "two threads add one package": AddsAPackageTwice,
    },
    "test_a_revision_belongs_to_one_page": {
        "a revision is read before it is written": WritesRevisionsThatItReadBefore,
    },
    "test_readers_see_whole_files_each_with_its_core_metadata": {
        "core metadata comes after its file": AddsCoreMetadataLater,
    },
    "test_no_reading_method_fails_beside_writers": {
        "names are read without a lock": ReadsWithoutALock,
    },
    "test_files_and_statuses_are_of_one_moment": {
        "statuses are read after files": ReadsStatusesLater,
        "the status is read after the file": ReadsFileStatusesLater,
    },
    "test_a_total_is_of_the_same_moment_as_its_page": {
        "a total is counted later": CountsLater,
    },
    "test_readers_see_all_files_of_a_deleted_package_or_none": {
        "a package is deleted file by file": DeletesFileByFile,
    },
    "test_who_sees_a_revision_sees_the_changes_that_led_to_it": {
        **{
            f"a revision changes before {method}": type("Mutant", (ChangesTheRevisionFirst,), {"broken": method})
            for method in ("add", "yank", "set_status", "delete_file")
        },
    },
    "test_who_sees_a_revision_of_the_index_sees_the_changes_that_led_to_it": {
        "a revision of the index changes before the name is gone": type(
            "Mutant", (ChangesTheRevisionFirst,), {"broken": "delete_package"}
        ),
    },
    "test_of_simultaneous_deletions_exactly_one_returns_each_file": {
        "all who delete at once get the file": DeletesForAll,
    },
    "test_deleting_beside_adding_loses_no_file": {
        "files that were added since are lost": DeletesWhatItDoesNotReturn,
    },
    "test_after_a_name_was_quarantined_no_simultaneous_upload_of_it_succeeds": {
        "the status is read too early": ReadsTheStatusTooEarly,
    },
    "test_every_method_returns_a_file_with_its_variant": {
        "variants are not stored": sends(lambda upload: replace(upload, variant=None)),
        "a listing has no variants": returns(
            "listing", with_files(lambda files: [replace(file, variant=None) for file in files])
        ),
    },
    "test_a_variant_that_contradicts_its_package_is_refused_and_changes_nothing": {
        "contradictions are accepted": on_error("add", VariantConflict, without_variant),
        "a contradiction leaves a trace": on_error("add", VariantConflict, with_a_trace),
    },
    "test_a_variant_is_compared_only_with_the_files_that_its_package_has": {
        "variants of all versions are compared": compares_with(
            lambda self, project, upload: files_of(self.inner, Projects([project]), upload.normalized_name)
        ),
        "variants of all projects are compared": compares_with(
            lambda self, project, upload: files_of_version(self, EVERYWHERE, upload)
        ),
    },
    "test_a_file_name_that_is_taken_is_refused_as_taken_whatever_its_variant": {
        "variants are compared before file names": compares_with(
            lambda self, project, upload: files_of_version(self, Projects([project]), upload)
        ),
    },
    "test_each_content_of_the_variants_json_is_kept": {
        "only the present content is kept": returns("variants", with_contents(lambda contents: contents[-1:])),
        "the newest content is the first": returns("variants", with_contents(lambda contents: contents[::-1])),
        "a content is repeated": returns("variants", with_contents(lambda contents: [*contents, contents[-1]])),
    },
    "test_contents_stay_after_the_last_variant_and_are_gone_with_the_package": {
        "contents stay for ever": KeepsContentsForEver,
    },
    "test_contents_are_those_of_a_version_in_the_wanted_projects_with_the_status_of_each": {
        "contents are those of all projects": everywhere("variants"),
        "contents are those of one version": takes(
            "variants", lambda self, projects, name, version: (projects, name, "1")
        ),
        "no project has a status": returns(
            "variants", lambda self, found, *args: [replace(each, status=ACTIVE) for each in found]
        ),
        "versions are compared as texts": {
            "variants": lambda self, projects, name, version: (
                self.inner.variants(projects, name, version) if version in ("1.0", "2.0") else []
            )
        },
    },
    "test_of_simultaneous_variants_that_contradict_each_other_exactly_one_is_published": {
        "a look for contradictions before the leap": LooksForContradictionsBeforeItLeaps,
    },
    "test_another_instance_has_the_contents_and_adds_to_them": {
        "contents are lost": restarts(replaced(variants=lambda self, *args: [])),
    },
    "test_everything_is_there_after_a_restart": {
        "nothing is durable": restarts(begin_anew),
        "the last file is lost": restarts(lose_the_last_file),
        "yanks are lost": restarts(lose_yanks),
        "statuses are lost": restarts(lambda self: self.inner.set_status(LIBS, DEMO, ACTIVE, "")),
        "core metadata is lost": restarts(replaced(core_metadata=lambda self, file_id: None)),
        "publications are lost": restarts(replaced(publications=lambda self, name: [])),
        "revisions are lost": restarts(replaced(revision=lambda self, *args: (self.inner.revision(*args), id(self)))),
    },
    "test_the_id_of_something_deleted_is_not_used_after_a_restart": {
        "ids of what was deleted are used again": UsesIdsAgain,
    },
    "test_another_instance_sees_every_change_at_once": {
        "each instance caches pages": type("Mutant", (CachesPages,), {"cached": "listing"}),
    },
    "test_revisions_change_in_every_instance_whichever_makes_the_change": {
        "each instance caches revisions": type("Mutant", (CachesPages,), {"cached": "revision"}),
    },
    "test_two_instances_use_no_id_twice": {
        "each instance counts its own ids": CountsIdsFromOne,
    },
    "test_of_simultaneous_uploads_through_two_instances_exactly_one_gets_the_file_name": {
        "each instance knows its own file names": KnowsItsOwnFileNames,
    },
}
