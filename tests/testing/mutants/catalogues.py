"""Catalogues that break one thing each, and the test of the suite that finds it."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import astuple, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock, get_ident, local
from typing import Any, ClassVar

from packaging.utils import NormalizedName, canonicalize_version
from packaging.version import Version

from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused
from pypi_registry.model import (
    Digests,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Status,
    Upload,
)
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.testing.mutants.racing import Count, Meeting

M = MemoryCatalogue
Make = Callable[[Path], Catalogue]


def mutant(base: type[MemoryCatalogue] = MemoryCatalogue, /, **methods: Any) -> Make:
    """Make a catalogue in memory of which these methods are others."""
    kind = type("Mutant", (base,), methods)
    return lambda path: kind()


def sends(change: Callable[[Upload], Upload]) -> Make:
    """Make a catalogue that takes an upload for another."""
    return mutant(add=lambda self, project, upload, key, at: M.add(self, project, change(upload), key, at))


def dates(change: Callable[[datetime], datetime]) -> Make:
    """Make a catalogue that takes a time for another."""
    return mutant(add=lambda self, project, upload, key, at: M.add(self, project, upload, key, change(at)))


def looks_first(refuse: Callable[[Any, Project, Upload], bool]) -> Make:
    """Make a catalogue that takes more file names for taken."""

    def add(self: Any, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if refuse(self, project, upload):
            raise FileTaken(upload.filename)
        return M.add(self, project, upload, key, at)

    return mutant(add=add)


def beforehand(act: Callable[[Any, Project, Upload, datetime], object]) -> Make:
    """Make a catalogue that does something before it knows whether an upload is refused."""

    def add(self: Any, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        act(self, project, upload, at)
        return M.add(self, project, upload, key, at)

    return mutant(add=add)


def afterwards(method: str, act: Callable[..., object]) -> Make:
    """Make a catalogue that does something more after a method."""

    def call(self: Any, *args: Any) -> Any:
        found = getattr(M, method)(self, *args)
        act(self, *args)
        return found

    return mutant(**{method: call})


def raises_no_revision(*methods: str, index_too: bool = True) -> Make:
    """Make a catalogue whose revisions stay when something changes."""

    def quiet(method: str) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            before = dict(self._revisions)
            found = getattr(M, method)(self, *args)
            self._revisions = before if index_too else {**self._revisions, **_of_index(before)}
            return found

        return call

    return mutant(**{method: quiet(method) for method in methods})


def _of_index(revisions: Mapping[tuple[int, str | None], int]) -> dict[tuple[int, str | None], int]:
    return {key: value for key, value in revisions.items() if key[1] is None}


# Adding


class KeepsWhatWasSaidFirst(MemoryCatalogue):
    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        known = dict(self._about)
        file = super().add(project, upload, key, at)
        self._about |= known
        return file


class KeepsOneMetadataAPackage(MemoryCatalogue):
    def core_metadata(self, file: PackageFile) -> bytes | None:
        found = [super(KeepsOneMetadataAPackage, self).core_metadata(each) for each in self.package_files(file.package)]
        return next((data for data in found if data is not None), None)


class FindsPackages(MemoryCatalogue):
    """Looks for the package of an upload in its own way."""

    def is_same(self, package: Package, project: Project, upload: Upload) -> bool:
        raise NotImplementedError

    def _package(self, project: Project, upload: Upload, at: datetime) -> Package:
        same = [package for package in self._packages.values() if self.is_same(package, project, upload)]
        package = same[0] if same else Package(0, project.id, upload.name, upload.normalized_name, upload.version, at)
        if not same:
            package = replace(package, id=self._next_id())
            self._packages[package.id] = package
        siblings = self._packages_by_name[package.project_id, package.normalized_name]
        if package.id not in siblings:
            siblings.append(package.id)
            self._revisions[project.id, None] = self._next_id()
        return package


def finds(is_same: Callable[[Package, Project, Upload], bool]) -> Make:
    return mutant(FindsPackages, is_same=lambda self, *args: is_same(*args))


def _same_name(package: Package, project: Project, upload: Upload) -> bool:
    return (package.project_id, package.normalized_name) == (project.id, upload.normalized_name)


class LetsANameBeTakenByAnotherPackage(MemoryCatalogue):
    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if upload.filename not in {file.filename for file in self.files([project.id], upload.normalized_name)}:
            self._filenames.discard((project.id, upload.filename))
        return super().add(project, upload, key, at)


class TakesUploadsUnder(MemoryCatalogue):
    """Takes uploads under names of a status that should take none."""

    status_taken: ClassVar[Status]

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        said = dict(self._statuses)
        if said.get((project.id, upload.normalized_name), NameStatus()).status == self.status_taken:
            self._statuses = {}
        try:
            return super().add(project, upload, key, at)
        finally:
            self._statuses = said


def _refuses(closed: Callable[[Project, Upload, int, str], bool]) -> Make:
    def refuse(self: Any, project: Project, upload: Upload, at: datetime) -> None:
        for (number, name), said in self._statuses.items():
            if said.status is Status.ARCHIVED and closed(project, upload, number, name):
                raise UploadsRefused(upload.normalized_name, said.status)

    return beforehand(refuse)


def _reuses_ids(self: MemoryCatalogue) -> int:
    return 1 + max([0, *self._files, *self._packages])


# Reading and deleting


class GivesItsOwnListsAway(MemoryCatalogue):
    def __init__(self) -> None:
        super().__init__()
        self._given: dict[int, list[PackageFile]] = {}

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        return self._given.setdefault(package.id, [*super().package_files(package)])


class DeletesThePackageWithItsLastFile(MemoryCatalogue):
    def delete_file(self, file: PackageFile) -> str | None:
        key = super().delete_file(file)
        if key is not None and not self.package_files(file.package):
            self.delete_package(file.package)
        return key


class RemembersYanks(MemoryCatalogue):
    """Yanks a version for ever, even one that is published anew."""

    def __init__(self) -> None:
        super().__init__()
        self._yanks: dict[tuple[int, str, str], str | None] = {}

    def yank(self, package: Package, reason: str | None) -> Package | None:
        self._yanks[package.project_id, package.normalized_name, canonicalize_version(package.version)] = reason
        return super().yank(package, reason)

    def _package(self, project: Project, upload: Upload, at: datetime) -> Package:
        package = super()._package(project, upload, at)
        key = project.id, upload.normalized_name, canonicalize_version(upload.version)
        package = self._packages[package.id] = replace(package, yanked=self._yanks.get(key))
        return package


def _deletes_what_is(also: Callable[[Package, Package], bool]) -> Make:
    def more(self: Any, package: Package) -> None:
        for other in [each for each in self._packages.values() if also(each, package)]:
            M.delete_package(self, other)

    return afterwards("delete_package", more)


class StillHasTheFilesOfADeletedPackage(MemoryCatalogue):
    def __init__(self) -> None:
        super().__init__()
        self._left: list[PackageFile] = []

    def delete_package(self, package: Package) -> Sequence[str]:
        self._left += self.package_files(package)
        return super().delete_package(package)

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        found = super().file(projects, sha256, filename)
        return found or next((file for file in self._left if file.filename == filename), None)


def _leaves_metadata(method: str) -> Make:
    def call(self: Any, *args: Any) -> Any:
        before = dict(self._core_metadata)
        found = getattr(M, method)(self, *args)
        self._core_metadata |= before
        return found

    return mutant(**{method: call})


def _fails_if_gone(self: Any, package: Package) -> Sequence[str]:
    if package.id not in self._packages:
        raise KeyError(package.id)
    return M.delete_package(self, package)


def _raises_for_nothing(self: Any, file: PackageFile) -> str | None:
    self._revise(file.package)
    return M.delete_file(self, file)


# Marking


def _yanks_what_is(also: Callable[[Package, Package], bool]) -> Make:
    def more(self: Any, package: Package, reason: str | None) -> None:
        for other in [each for each in self._packages.values() if also(each, package)]:
            M.yank(self, other, reason)

    return afterwards("yank", more)


def _shows_no_yank(self: Any, projects: Sequence[int], number: int) -> Package | None:
    package = M.package(self, projects, number)
    return package and replace(package, yanked=None)


def _unyanks(self: Any, project: Project, upload: Upload, at: datetime) -> Package:
    package = M._package(self, project, upload, at)
    package = self._packages[package.id] = replace(package, yanked=None)
    return package


def _said(self: Any, projects: Sequence[int], name: NormalizedName) -> list[NameStatus]:
    return [self._statuses[project, name] for project in projects if (project, name) in self._statuses]


def _of_those_who_say_something(self: Any, projects: Sequence[int], name: NormalizedName) -> NameStatus:
    there = [project for project in projects if self._packages_by_name.get((project, name))]
    found = {*_said(self, there, name)}
    return found.pop() if len(found) == 1 else NameStatus()


def _of_those_who_have_nothing_too(self: Any, projects: Sequence[int], name: NormalizedName) -> NameStatus:
    found = {self._statuses.get((project, name), NameStatus()) for project in projects}
    return found.pop() if len(found) == 1 else NameStatus()


def _as_text(self: Any, projects: Sequence[int], name: NormalizedName) -> NameStatus:
    found = M.status(self, projects, name)
    return replace(found, status=str(found.status))  # type: ignore[arg-type]


def _of_names_that_are_there(self: Any, project: Project, name: NormalizedName, status: NameStatus) -> None:
    if self.has_name([project.id], name):
        M.set_status(self, project, name, status)


def _without_reason(self: Any, project: Project, name: NormalizedName, status: NameStatus) -> None:
    M.set_status(self, project, name, replace(status, reason=""))


# Revising


def _of_first_project(self: Any, projects: Sequence[int], name: NormalizedName | None) -> int:
    return M.revision(self, projects[:1], name)


def _of_everything(self: Any, projects: Sequence[int], name: NormalizedName | None) -> int:
    known = M.revision(self, projects, name)
    return self._last_id if known else 0


def _one_at_least(self: Any, projects: Sequence[int], name: NormalizedName | None) -> int:
    return M.revision(self, projects, name) + bool(projects)


def _with_the_index(self: Any, package: Package) -> None:
    M._revise(self, package)
    self._revisions[package.project_id, None] = self._next_id()


def _everywhere(self: Any, package: Package) -> None:
    for project, name in [*self._revisions]:
        if name == package.normalized_name:
            self._revisions[project, name] = self._next_id()
    M._revise(self, package)


# Remembering


def _by_what_is_there(self: Any, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
    return M.was_published(self, root, name, projects) and any(
        package.normalized_name == name for package in self._packages.values()
    )


def _by_roots_of_today(self: Any, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
    today = {number for number, path in self._publishers.items() if path.partition("/")[0].lower() == root}
    return any((number, name) in self._published for number in {*today, *projects})


def _by_beginning(self: Any, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
    roots = [one for one, known in self._published if known == name and isinstance(one, str) and one.startswith(root)]
    return bool(roots) or M.was_published(self, root, name, projects)


class KeepsTheFirstPath(MemoryCatalogue):
    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        known = dict(self._publishers)
        file = super().add(project, upload, key, at)
        self._publishers |= known
        return file


# Listing


def lists(change: Callable[[PackageQuery], PackageQuery]) -> Make:
    """Make a catalogue that takes a question for another."""
    return mutant(packages=lambda self, projects, query: M.packages(self, projects, change(query)))


def sorts(key: Callable[[Any, Package], Any], order: str = "") -> Make:
    """Make a catalogue whose lists are in an order of its own."""

    def packages(self: Any, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        if order and query.order_by != order:
            return M.packages(self, projects, query)
        found, total = M.packages(self, projects, replace(query, descending=False, offset=0, limit=None))
        ordered = sorted(found, key=lambda package: key(self, package), reverse=query.descending)
        return ordered[query.offset :][: query.limit], total

    return mutant(packages=packages)


def _by_pattern(self: Any, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
    found, _ = M.packages(self, projects, replace(query, name="", offset=0, limit=None))
    pattern = re.escape(query.name).replace("%", ".*").replace("_", ".")
    found = [package for package in found if re.search(pattern, package.name, re.IGNORECASE)]
    return found[query.offset :][: query.limit], len(found)


def _in_one_case(self: Any, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
    found, _ = M.packages(self, projects, replace(query, offset=0, limit=None))
    found = [package for package in found if query.name in package.name]
    return found[query.offset :][: query.limit], len(found)


def _counts_the_page(self: Any, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
    found, _ = M.packages(self, projects, query)
    return found, len(found)


def _in_all_projects(self: Any, projects: Sequence[int], number: int) -> Package | None:
    found: Package | None = self._packages.get(number)
    return found


def _of_all_versions(self: Any, package: Package) -> Sequence[PackageFile]:
    return M.files(self, [package.project_id], package.normalized_name)


# At once


class LooksBeforeItLeaps(MemoryCatalogue):
    def __init__(self) -> None:
        super().__init__()
        self._meeting = Meeting()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if (project.id, upload.filename) in self._filenames:
            raise FileTaken(upload.filename)
        self._meeting.wait()
        with self._lock:
            self._filenames.discard((project.id, upload.filename))
        return super().add(project, upload, key, at)


class HasNoLock(MemoryCatalogue):
    def __init__(self) -> None:
        super().__init__()
        self._meeting, self._numbers_a_file = Meeting(), local()
        self._lock = nullcontext()  # type: ignore[assignment]

    def _package(self, project: Project, upload: Upload, at: datetime) -> Package:
        package = super()._package(project, upload, at)
        self._numbers_a_file.next = True
        return package

    def _next_id(self) -> int:
        number = self._last_id
        if vars(self._numbers_a_file).pop("next", False):
            self._meeting.wait()
        self._last_id = number + 1
        return self._last_id


class WritesRevisionsThatItReadBefore(MemoryCatalogue):
    """As "UPDATE … SET serial = ?" does, with a number that the program has counted up."""

    def __init__(self) -> None:
        super().__init__()
        self._meeting, self._one_by_one = Meeting(), Lock()
        self._looks: dict[int, Count] = {}

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        place = project.id, upload.normalized_name
        revision = self._revisions.get(place, 0)
        self._meeting.wait()
        with self._one_by_one:
            for looks in [*self._looks.values()]:
                looks.wait_for(2)  # whoever came before has looked at what it did
            file = super().add(project, upload, key, at)
            self._revisions[place] = revision + 1
            self._looks[get_ident()] = Count()
        return file

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        found = super().revision(projects, name)
        if get_ident() in self._looks:
            self._looks[get_ident()].one_more()
        return found


class HasMetadataLater(MemoryCatalogue):
    """Makes a file visible in one transaction and its metadata in another."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = Count()
        self._to_come: set[str] = set()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        self._to_come.add(upload.filename)
        file = super().add(project, upload, key, at)
        self._looks.wait_for(1)
        self._to_come.remove(upload.filename)
        return file

    def core_metadata(self, file: PackageFile) -> bytes | None:
        if file.filename in self._to_come:
            self._looks.one_more()
            return None
        return super().core_metadata(file)


class RaisesTheRevisionFirst(MemoryCatalogue):
    """Raises it in a transaction of its own, and does one of the things that raise it only when readers have looked."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = Count()

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        found = super().revision(projects, name)
        self._looks.one_more()
        return found

    def _raise(self, place: tuple[int, NormalizedName | None]) -> None:
        with self._lock:
            self._revisions[place] = self._next_id()
        self._looks.wait_for(self._looks.value + 10)  # of three readers one has begun and ended in between


def raises_first(act: str, place: Callable[..., tuple[int, NormalizedName | None]]) -> Make:
    def call(self: RaisesTheRevisionFirst, *args: Any) -> Any:
        if not self._looks.value:
            return getattr(M, act)(self, *args)
        self._raise(place(*args))
        raised = self._revisions[place(*args)]
        found = getattr(M, act)(self, *args)
        self._revisions[place(*args)] = raised
        return found

    return mutant(RaisesTheRevisionFirst, **{act: call})


_PLACES: dict[str, Callable[..., tuple[int, NormalizedName | None]]] = {
    "add": lambda project, upload, key, at: (project.id, upload.normalized_name),
    "yank": lambda package, reason: (package.project_id, package.normalized_name),
    "set_status": lambda project, name, status: (project.id, name),
    "delete_file": lambda file: (file.package.project_id, file.package.normalized_name),
}


class DeletesFileByFile(MemoryCatalogue):
    """Takes as many transactions to delete a package as it has files, and lets others look in between."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = Count()

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        found = super().files(projects, name)
        self._looks.one_more()
        return found

    def delete_package(self, package: Package) -> Sequence[str]:
        first, *_ = self.package_files(package)
        self.delete_file(first)
        self._looks.wait_for(self._looks.value + 4)  # of three readers one has begun in between
        return [first.key, *super().delete_package(package)]


class AddsWhileOthersRead(MemoryCatalogue):
    """Adds nothing but one thing before somebody reads, who waits in the middle until one more is there."""

    def __init__(self) -> None:
        super().__init__()
        self._added, self._reading = Count(), Count()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if self._added.value:
            self._reading.wait_for(1)
        file = super().add(project, upload, key, at)
        self._added.one_more()
        return file

    def in_the_middle(self) -> None:
        self._reading.one_more()
        if self._reading.value == 1:
            self._added.wait_for(self._added.value + 1)


class CountsLater(AddsWhileOthersRead):
    """Counts what it lists in a transaction of its own."""

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        found, _ = super().packages(projects, query)
        self.in_the_middle()
        return found, super().packages(projects, query)[1]


class ReadsWithoutALock(AddsWhileOthersRead):
    """Reads names one by one."""

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        found = set()
        for project, name in self._packages_by_name:
            self.in_the_middle()
            found |= {name} if project in projects else set()
        return sorted(found)


class GivesAKeyToAllWhoDelete(MemoryCatalogue):
    def __init__(self) -> None:
        super().__init__()
        self._meeting = Meeting()

    def delete_file(self, file: PackageFile) -> str | None:
        key = file.key if file.id in self._files else None
        self._meeting.wait()
        super().delete_file(file)
        return key


class DeletesWhatCameSinceItLooked(MemoryCatalogue):
    """Lists the keys of a package, and then deletes what it has by then."""

    def __init__(self) -> None:
        super().__init__()
        self._added, self._deleting = Count(), Count()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if self._added.value > 1:
            self._deleting.wait_for(1)
        file = super().add(project, upload, key, at)
        self._added.one_more()
        return file

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        self._added.wait_for(1)
        return super().packages(projects, query)

    def delete_file(self, file: PackageFile) -> str | None:
        return None  # so that there is something left to lose

    def delete_package(self, package: Package) -> Sequence[str]:
        keys = [file.key for file in self.package_files(package)]
        self._deleting.one_more()
        self._added.wait_for(min(self._added.value + 2, 30))  # the last of all is the thirtieth
        super().delete_package(package)
        return keys


class AsksForTheStatusTooEarly(MemoryCatalogue):
    """Asks whether a name takes uploads, and lets the file in when that has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._in_the_middle, self._closed, self._counted = Count(), Count(), Count()

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        self._in_the_middle.wait_for(1)
        self._closed.one_more()

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if self._closed.value:
            raise UploadsRefused(upload.normalized_name, "quarantined")
        if len(self._files) > 5:
            self._in_the_middle.one_more()
            self._counted.wait_for(1)
        return super().add(project, upload, key, at)

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        found = super().files(projects, name)
        self._counted.one_more()
        return found


# Lasting


class SharesAllButItsCount(MemoryCatalogue):
    """Shares its rows with others of the same path, and counts ids for itself."""

    shared: ClassVar[dict[Path, "SharesAllButItsCount"]] = {}

    def __init__(self, path: Path) -> None:
        super().__init__()
        vars(self).update(vars(self.shared.setdefault(path, self)))


class KnowsItsOwnFileNames(SharesAllButItsCount):
    """Looks for file names in what it has itself seen."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._filenames = set()


def restarts(statement: str) -> Make:
    """Make a catalogue that loses something when it is opened."""

    class Loses(SQLiteCatalogue):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            with self._connections.transaction() as connection:
                connection.execute(statement)

    return lambda path: Loses(path / "catalogue.db")


class EachHasAFileOfItsOwn(SQLiteCatalogue):
    opened: ClassVar[int] = 0

    def __init__(self, path: Path) -> None:
        EachHasAFileOfItsOwn.opened += 1
        super().__init__(path / f"{self.opened}.db")


class ReadsEachStatusOnce(SQLiteCatalogue):
    """Trusts that nobody else says anything."""

    def __init__(self, path: Path) -> None:
        super().__init__(path / "catalogue.db")
        self._known: dict[tuple[tuple[int, ...], str], NameStatus] = {}

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        self._known.clear()
        super().set_status(project, name, status)

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        return self._known.setdefault((tuple(projects), name), super().status(projects, name))


class ReadsTheRevisionOnce(SQLiteCatalogue):
    """Trusts that nobody else changes anything."""

    def __init__(self, path: Path) -> None:
        super().__init__(path / "catalogue.db")
        self._known: dict[tuple[int, ...], int] = {}

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        self._known = {}
        return super().add(project, upload, key, at)

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        key = (*projects, hash(name))
        return self._known.setdefault(key, super().revision(projects, name))


def _too_many(self: Any, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
    if len(projects) > 999:
        raise StorageUnavailable("too many SQL variables")
    return M.files(self, projects, name)


# What is broken: the catalogue, and the test that finds it.
MUTANTS: dict[str, tuple[Make, str]] = {
    # Adding
    "sizes have 32 bits": (
        sends(lambda upload: replace(upload, size=upload.size % 2**32)),
        "test_what_was_added_is_given_back_as_it_was",
    ),
    "names are kept normalized": (
        sends(lambda upload: replace(upload, name=upload.normalized_name)),
        "test_what_was_added_is_given_back_as_it_was",
    ),
    "versions are kept normalized": (
        sends(lambda upload: replace(upload, version=str(Version(upload.version)))),
        "test_what_was_added_is_given_back_as_it_was",
    ),
    "digests are empty where nobody asked": (
        sends(lambda upload: replace(upload, digests=Digests(*(text or "" for text in astuple(upload.digests))))),
        "test_what_was_not_said_stays_unsaid",
    ),
    "texts end at NUL": (
        sends(
            lambda upload: replace(upload, about=replace(upload.about, summary=upload.about.summary.partition("\0")[0]))
        ),
        "test_a_text_about_a_package_may_hold_any_character",
    ),
    "what was said first is kept": (
        lambda path: KeepsWhatWasSaidFirst(),
        "test_what_the_last_upload_of_a_package_said_replaces_what_was_said_before",
    ),
    "core metadata is kept as a text": (
        sends(
            lambda upload: replace(
                upload, core_metadata=upload.core_metadata and upload.core_metadata.decode(errors="replace").encode()
            )
        ),
        "test_core_metadata_is_that_of_its_file_byte_by_byte",
    ),
    "core metadata that is empty is none": (
        sends(lambda upload: replace(upload, core_metadata=upload.core_metadata or None)),
        "test_core_metadata_is_that_of_its_file_byte_by_byte",
    ),
    "core metadata is that of another file": (
        lambda path: KeepsOneMetadataAPackage(),
        "test_core_metadata_is_that_of_its_file_byte_by_byte",
    ),
    "times have no zone": (
        dates(lambda at: at.replace(tzinfo=None)),
        "test_a_time_is_aware_and_kept_to_the_microsecond_in_any_year",
    ),
    "times are rounded to seconds": (
        dates(lambda at: at.replace(microsecond=0)),
        "test_a_time_is_aware_and_kept_to_the_microsecond_in_any_year",
    ),
    "times are rounded to milliseconds": (
        dates(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
        "test_a_time_is_aware_and_kept_to_the_microsecond_in_any_year",
    ),
    "a package is as old as its last file": (
        afterwards(
            "add",
            lambda self, project, upload, key, at: self._packages.update(
                (number, replace(package, created_at=at)) for number, package in self._packages.items()
            ),
        ),
        "test_a_package_came_when_its_first_file_did",
    ),
    "versions are compared as texts": (
        finds(
            lambda package, project, upload: _same_name(package, project, upload) and package.version == upload.version
        ),
        "test_equal_versions_are_one_package_named_as_it_first_was",
    ),
    "local versions are not compared": (
        finds(
            lambda package, project, upload: (
                _same_name(package, project, upload)
                and Version(package.version).public == Version(upload.version).public
            )
        ),
        "test_what_differs_is_another_package",
    ),
    "all projects share a package": (
        finds(
            lambda package, project, upload: (
                package.normalized_name == upload.normalized_name
                and Version(package.version) == Version(upload.version)
            )
        ),
        "test_what_differs_is_another_package",
    ),
    "a file name may be taken by another package": (
        lambda path: LetsANameBeTakenByAnotherPackage(),
        "test_a_file_name_is_there_once_in_a_project",
    ),
    "file names have no case": (
        looks_first(
            lambda self, project, upload: (
                upload.filename.lower()
                in [file.filename.lower() for file in self._files.values() if file.package.project_id == project.id]
            )
        ),
        "test_a_file_name_has_case_and_is_free_in_another_project",
    ),
    "a file name is there once in all projects": (
        looks_first(lambda self, project, upload: upload.filename in [file.filename for file in self._files.values()]),
        "test_a_file_name_has_case_and_is_free_in_another_project",
    ),
    "an upload that is refused leaves a package": (
        beforehand(lambda self, project, upload, at: self._package(project, upload, at)),
        "test_an_upload_whose_file_name_is_taken_changes_nothing",
    ),
    "an upload that is refused has said something": (
        beforehand(lambda self, project, upload, at: self._about.update(dict.fromkeys([*self._about], upload.about))),
        "test_an_upload_whose_file_name_is_taken_changes_nothing",
    ),
    "an upload that is refused was published": (
        beforehand(lambda self, project, upload, at: self._published.add((project.root, upload.normalized_name))),
        "test_a_name_that_is_archived_or_quarantined_takes_no_uploads_and_nothing_changes",
    ),
    "archived names take uploads": (
        mutant(TakesUploadsUnder, status_taken=Status.ARCHIVED),
        "test_a_name_that_is_archived_or_quarantined_takes_no_uploads_and_nothing_changes",
    ),
    "quarantined names take uploads": (
        mutant(TakesUploadsUnder, status_taken=Status.QUARANTINED),
        "test_a_name_that_is_archived_or_quarantined_takes_no_uploads_and_nothing_changes",
    ),
    "a name is archived in all projects": (
        _refuses(lambda project, upload, number, name: upload.normalized_name == name),
        "test_uploads_are_refused_under_that_name_in_that_project_only_and_until_it_is_active_again",
    ),
    "all names of a project are archived with one": (
        _refuses(lambda project, upload, number, name: project.id == number),
        "test_uploads_are_refused_under_that_name_in_that_project_only_and_until_it_is_active_again",
    ),
    "ids of what was deleted are used again": (mutant(_next_id=_reuses_ids), "test_ids_are_never_used_twice"),
    # Reading
    "names are not sorted": (
        mutant(names=lambda self, projects: M.names(self, projects)[::-1]),
        "test_names_are_each_there_once_and_sorted",
    ),
    "names are sorted as people do": (
        mutant(names=lambda self, projects: sorted(M.names(self, projects), key=lambda name: name.replace("-", ""))),
        "test_names_are_each_there_once_and_sorted",
    ),
    "names are there once a project": (
        mutant(names=lambda self, projects: sorted(name for each in projects for name in M.names(self, [each]))),
        "test_names_are_each_there_once_and_sorted",
    ),
    "a name without files is not there": (
        mutant(has_name=lambda self, projects, name: bool(M.files(self, projects, name))),
        "test_a_name_is_there_while_it_has_a_package_with_files_or_without",
    ),
    "a name is there for ever": (
        mutant(has_name=lambda self, projects, name: any((project, name) in self._published for project in projects)),
        "test_a_name_is_there_while_it_has_a_package_with_files_or_without",
    ),
    "files have the newest first": (
        mutant(files=lambda self, projects, name: M.files(self, projects, name)[::-1]),
        "test_files_are_those_of_the_name_and_of_the_projects_oldest_first",
    ),
    "files are sorted by name": (
        mutant(
            files=lambda self, projects, name: sorted(M.files(self, projects, name), key=lambda file: file.filename)
        ),
        "test_files_are_those_of_the_name_and_of_the_projects_oldest_first",
    ),
    "files are those of all projects": (
        mutant(files=lambda self, projects, name: M.files(self, [*self._publishers], name)),
        "test_files_are_those_of_the_name_and_of_the_projects_oldest_first",
    ),
    "there is a page of files and no more": (
        mutant(files=lambda self, projects, name: M.files(self, projects, name)[:100]),
        "test_there_may_be_more_than_a_page_of_anything",
    ),
    "there is a page of names and no more": (
        mutant(names=lambda self, projects: M.names(self, projects)[:100]),
        "test_there_may_be_more_than_a_page_of_anything",
    ),
    "numbers of projects have 53 bits": (
        mutant(names=lambda self, projects: M.names(self, [int(float(number)) for number in projects])),
        "test_what_was_added_is_given_back_as_it_was",
    ),
    "core metadata that was read is kept": (
        mutant(core_metadata=lru_cache(None)(M.core_metadata)),
        "test_a_deleted_file_gives_back_its_key_and_is_gone_from_everywhere",
    ),
    "a yank takes what was said": (
        afterwards("yank", lambda self, package, reason: self._about.update({package.id: PackageMetadata()})),
        "test_what_a_mark_does_not_speak_of_stays_as_it_was",
    ),
    "the oldest file is found": (
        mutant(
            file=lambda self, projects, sha256, filename: next(
                (
                    file
                    for file in self._rows(self._files_by_digest.get((sha256, filename), []))
                    if file.package.project_id in projects
                ),
                None,
            )
        ),
        "test_of_several_files_the_newest_of_that_name_and_digest_is_found",
    ),
    "a file is found by its digest": (
        mutant(
            file=lambda self, projects, sha256, filename: next(
                (
                    file
                    for file in reversed(self._files.values())
                    if file.digests.sha256 == sha256 and file.package.project_id in projects
                ),
                None,
            )
        ),
        "test_a_file_needs_its_project_its_digest_and_its_name",
    ),
    "a file is found in all projects": (
        mutant(file=lambda self, projects, sha256, filename: M.file(self, [*self._publishers], sha256, filename)),
        "test_a_file_needs_its_project_its_digest_and_its_name",
    ),
    "no projects are all projects": (
        mutant(names=lambda self, projects: M.names(self, projects or [*self._publishers])),
        "test_no_projects_hold_nothing",
    ),
    "a group may have 999 projects": (mutant(files=_too_many), "test_a_group_may_have_thousands_of_projects"),
    "what is given can be changed": (lambda path: GivesItsOwnListsAway(), "test_what_was_given_is_the_callers_own"),
    # Deleting
    "a key is given to all who ask": (
        mutant(delete_file=lambda self, file: M.delete_file(self, file) or file.key),
        "test_a_file_deleted_twice_is_harmless_and_gives_no_key",
    ),
    "what changes nothing raises a revision": (
        mutant(delete_file=_raises_for_nothing),
        "test_a_file_deleted_twice_is_harmless_and_gives_no_key",
    ),
    "core metadata outlives its file": (
        _leaves_metadata("delete_file"),
        "test_a_deleted_file_gives_back_its_key_and_is_gone_from_everywhere",
    ),
    "core metadata outlives its package": (
        _leaves_metadata("delete_package"),
        "test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere",
    ),
    "a package goes with its last file": (
        lambda path: DeletesThePackageWithItsLastFile(),
        "test_a_package_stays_with_no_file_left",
    ),
    "the name of a deleted file stays taken": (
        afterwards("delete_file", lambda self, file: self._filenames.add((file.package.project_id, file.filename))),
        "test_the_name_and_the_address_of_a_deleted_file_are_free_at_once",
    ),
    "a deleted file takes its twins with it": (
        afterwards(
            "delete_file", lambda self, file: self._files_by_digest.pop((file.digests.sha256, file.filename), None)
        ),
        "test_what_is_deleted_uncovers_the_file_that_was_the_newest_before",
    ),
    "a deleted package gives one key": (
        mutant(delete_package=lambda self, package: M.delete_package(self, package)[:1]),
        "test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere",
    ),
    "a deleted package leaves its files": (
        lambda path: StillHasTheFilesOfADeletedPackage(),
        "test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere",
    ),
    "a deleted package still has something said about it": (
        mutant(
            delete_package=lambda self, package: (
                kept := dict(self._about),
                M.delete_package(self, package),
                self._about.update(kept),
            )[1]
        ),
        "test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere",
    ),
    "a package without files cannot be deleted": (
        mutant(
            delete_package=lambda self, package: (
                M.delete_package(self, package) if M.package_files(self, package) else []
            )
        ),
        "test_a_package_without_files_gives_back_no_keys",
    ),
    "a package that is gone is an error": (
        mutant(delete_package=_fails_if_gone),
        "test_a_package_deleted_twice_is_harmless",
    ),
    "what is published anew is yanked": (
        lambda path: RemembersYanks(),
        "test_what_was_deleted_may_be_published_again_as_something_new",
    ),
    "all versions are deleted with one": (
        _deletes_what_is(
            lambda other, package: (
                (other.project_id, other.normalized_name) == (package.project_id, package.normalized_name)
            )
        ),
        "test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere",
    ),
    "a package is deleted in all projects": (
        _deletes_what_is(
            lambda other, package: (other.normalized_name, other.version) == (package.normalized_name, package.version)
        ),
        "test_deleting_in_one_project_touches_no_other",
    ),
    "a status goes with the last package": (
        afterwards(
            "delete_package",
            lambda self, package: self._statuses.pop((package.project_id, package.normalized_name), None),
        ),
        "test_a_name_that_takes_no_uploads_can_be_yanked_and_deleted_and_still_takes_none",
    ),
    # Marking
    "a package that is asked for alone is not yanked": (
        mutant(package=_shows_no_yank),
        "test_a_yanked_package_is_so_in_every_way_that_it_is_read",
    ),
    "an empty reason is none": (
        mutant(yank=lambda self, package, reason: M.yank(self, package, reason or None)),
        "test_a_yanked_package_is_so_in_every_way_that_it_is_read",
    ),
    "a yank cannot be taken back": (
        mutant(
            yank=lambda self, package, reason: M.yank(
                self, package, self._packages[package.id].yanked if reason is None else reason
            )
        ),
        "test_a_yanked_package_is_so_in_every_way_that_it_is_read",
    ),
    "all versions are yanked with one": (
        _yanks_what_is(
            lambda other, package: (
                (other.project_id, other.normalized_name) == (package.project_id, package.normalized_name)
            )
        ),
        "test_a_yanked_package_is_so_in_every_way_that_it_is_read",
    ),
    "a package is yanked in all projects": (
        _yanks_what_is(
            lambda other, package: (other.normalized_name, other.version) == (package.normalized_name, package.version)
        ),
        "test_a_yanked_package_is_so_in_every_way_that_it_is_read",
    ),
    "a new file takes a yank back": (
        mutant(_package=_unyanks),
        "test_a_file_that_comes_to_a_yanked_package_is_yanked",
    ),
    "yanked files come last": (
        mutant(
            files=lambda self, projects, name: sorted(
                M.files(self, projects, name), key=lambda file: file.package.yanked is not None
            )
        ),
        "test_yanking_moves_no_file_to_another_place_in_the_order",
    ),
    "names have no status": (
        mutant(status=lambda self, projects, name: None),
        "test_a_name_is_active_until_something_else_is_said",
    ),
    "a status has no reason": (
        mutant(set_status=_without_reason),
        "test_a_status_is_given_back_with_its_reason_until_the_next",
    ),
    "a status is a text": (
        mutant(status=_as_text),
        "test_a_status_is_given_back_with_its_reason_until_the_next",
    ),
    "a status is of names that are there": (
        mutant(set_status=_of_names_that_are_there),
        "test_a_status_may_be_said_before_there_is_anything_of_the_name",
    ),
    "those who say nothing agree": (
        mutant(status=_of_those_who_say_something),
        "test_the_status_of_several_projects_is_what_they_agree_on",
    ),
    "those who have nothing of a name have a say": (
        mutant(status=_of_those_who_have_nothing_too),
        "test_projects_without_the_name_have_no_say_in_its_status",
    ),
    # Revising
    "revisions begin at 1": (mutant(revision=_one_at_least), "test_what_never_was_has_the_revision_0"),
    "an upload raises no revision": (raises_no_revision("add"), "test_every_file_raises_the_revision_of_its_page"),
    "an upload raises no revision of the index": (
        mutant(
            revision=lambda self, projects, name: (
                int(bool(M.revision(self, projects, None))) if name is None else M.revision(self, projects, name)
            )
        ),
        "test_every_new_name_raises_the_revision_of_the_index",
    ),
    "a group has the revision of its first project": (
        mutant(revision=_of_first_project),
        "test_a_name_that_is_new_in_one_project_of_a_group_raises_the_index_of_the_group",
    ),
    "a yank raises no revision": (raises_no_revision("yank"), "test_whatever_changes_a_page_raises_its_revision"),
    "a status raises no revision": (
        raises_no_revision("set_status"),
        "test_whatever_changes_a_page_raises_its_revision",
    ),
    "a file that goes raises no revision": (
        raises_no_revision("delete_file"),
        "test_whatever_changes_a_page_raises_its_revision",
    ),
    "a package that goes raises no revision": (
        raises_no_revision("delete_package"),
        "test_whatever_changes_a_page_raises_its_revision",
    ),
    "a name that goes raises no revision of the index": (
        raises_no_revision("delete_package", index_too=False),
        "test_the_index_changes_when_a_name_loses_its_last_package_and_gets_one_again",
    ),
    "every change raises the revision of the index": (
        mutant(_revise=_with_the_index),
        "test_the_revision_of_the_index_stays_while_it_shows_the_same_names",
    ),
    "every change raises every revision": (
        mutant(revision=_of_everything),
        "test_a_revision_stays_where_nothing_changed",
    ),
    "a change raises the revision in all projects": (
        mutant(_revise=_everywhere),
        "test_deleting_in_one_project_touches_no_other",
    ),
    # Remembering
    "what was deleted was never published": (
        mutant(was_published=_by_what_is_there),
        "test_a_name_stays_published_whatever_is_deleted",
    ),
    "names are published under the root group of today": (
        mutant(was_published=_by_roots_of_today),
        "test_a_project_that_moved_has_published_under_both_roots",
    ),
    "root groups are compared by their beginning": (
        mutant(was_published=_by_beginning),
        "test_a_name_was_published_under_its_root_group_and_under_no_other",
    ),
    "root groups have case": (
        afterwards(
            "add",
            lambda self, project, upload, key, at: (
                self._published.discard((project.root, upload.normalized_name)),
                self._published.add((project.path.partition("/")[0], upload.normalized_name)),
            ),
        ),
        "test_the_root_group_counts_in_lower_case",
    ),
    "projects are not asked for what they published": (
        mutant(was_published=lambda self, root, name, projects=(): M.was_published(self, root, name)),
        "test_a_name_was_published_in_its_project_whatever_the_root_group_is_called_by_now",
    ),
    "publishers are in the order in which they came": (
        mutant(
            publishers=lambda self, projects=None: [
                pair for pair in self._publishers.items() if projects is None or pair[0] in projects
            ]
        ),
        "test_publishers_are_the_projects_that_ever_published_sorted_by_id",
    ),
    "publishers are all, whoever is meant": (
        mutant(publishers=lambda self, projects=None: M.publishers(self)),
        "test_publishers_are_the_projects_that_ever_published_sorted_by_id",
    ),
    "publishers are those that have something": (
        mutant(
            publishers=lambda self, projects=None: [
                pair
                for pair in M.publishers(self, projects)
                if pair[0] in [package.project_id for package in self._packages.values()]
            ]
        ),
        "test_publishers_are_the_projects_that_ever_published_sorted_by_id",
    ),
    "a publisher keeps its first path": (
        lambda path: KeepsTheFirstPath(),
        "test_a_publisher_has_the_path_that_it_had_at_its_last_upload",
    ),
    # Listing
    "a list has the packages of all projects": (
        mutant(packages=lambda self, projects, query: M.packages(self, [*self._publishers], query)),
        "test_a_list_has_the_packages_of_its_projects",
    ),
    "a part of a name has case": (
        mutant(packages=_in_one_case),
        "test_a_name_is_found_by_any_part_in_any_case_with_every_character_literal",
    ),
    "a part of a name is a pattern": (
        mutant(packages=_by_pattern),
        "test_a_name_is_found_by_any_part_in_any_case_with_every_character_literal",
    ),
    "a whole name is a part of one": (
        lists(lambda query: replace(query, name=query.normalized_name or query.name, normalized_name=None)),
        "test_a_list_is_filtered_by_whole_name_and_by_version_as_they_were_uploaded",
    ),
    "a list has all versions": (
        lists(lambda query: replace(query, version="")),
        "test_a_list_is_filtered_by_whole_name_and_by_version_as_they_were_uploaded",
    ),
    "ties are broken in one direction": (
        sorts(lambda self, package: (package.name,), "name"),
        "test_a_list_has_every_order_with_ties_by_id",
    ),
    "every list is in the order of time": (
        lists(lambda query: replace(query, order_by="created_at")),
        "test_a_list_has_every_order_with_ties_by_id",
    ),
    "versions are sorted as versions": (
        sorts(lambda self, package: (Version(package.version), package.id), "version"),
        "test_a_list_has_every_order_with_ties_by_id",
    ),
    "a limit of 0 is none": (
        lists(lambda query: replace(query, limit=query.limit or None)),
        "test_a_list_has_every_page_of_every_order",
    ),
    "every page is the first": (
        lists(lambda query: replace(query, offset=0)),
        "test_a_list_has_every_page_of_every_order",
    ),
    "the total is that of the page": (
        mutant(packages=_counts_the_page),
        "test_a_page_counts_what_the_filter_lets_through",
    ),
    "projects are sorted by their number": (
        sorts(lambda self, package: (package.project_id, package.id), "project_path"),
        "test_the_order_by_project_follows_a_project_that_moved",
    ),
    "a package is found in all projects": (
        mutant(package=_in_all_projects),
        "test_a_package_is_found_by_its_id_only_within_the_projects",
    ),
    "a package has the files of all its versions": (
        mutant(package_files=_of_all_versions),
        "test_the_files_of_a_package_are_its_own_oldest_first",
    ),
    # At once
    "a look before the leap": (
        lambda path: LooksBeforeItLeaps(),
        "test_of_uploads_at_once_exactly_one_gets_a_file_name",
    ),
    "no lock": (lambda path: HasNoLock(), "test_files_added_at_once_make_one_package_and_are_all_there"),
    "a revision that was read before it was raised": (
        lambda path: WritesRevisionsThatItReadBefore(),
        "test_one_revision_shows_one_page",
    ),
    "a file that is there before its metadata": (
        lambda path: HasMetadataLater(),
        "test_readers_beside_writers_see_whole_files_each_with_its_metadata",
    ),
    **{
        f"a revision that {act} raises before it does anything": (
            raises_first(act, place),
            "test_whoever_sees_a_revision_sees_what_raised_it",
        )
        for act, place in _PLACES.items()
    },
    "a revision of the index that is raised before a name is gone": (
        raises_first("delete_package", lambda package: (package.project_id, None)),
        "test_whoever_sees_a_revision_of_the_index_sees_what_raised_it",
    ),
    "a package that is deleted file by file": (
        lambda path: DeletesFileByFile(),
        "test_whoever_reads_beside_a_deletion_sees_all_of_a_package_or_nothing",
    ),
    "a total that is counted later": (
        lambda path: CountsLater(),
        "test_a_list_is_of_the_moment_in_which_it_is_counted",
    ),
    "names that are read without a lock": (
        lambda path: ReadsWithoutALock(),
        "test_no_method_that_reads_fails_beside_those_that_write",
    ),
    "a key for all who delete at once": (
        lambda path: GivesAKeyToAllWhoDelete(),
        "test_of_those_who_delete_at_once_exactly_one_gets_each_key",
    ),
    "files that came since it looked are lost": (
        lambda path: DeletesWhatCameSinceItLooked(),
        "test_deleting_at_once_with_adding_loses_no_key_and_leaves_no_orphan",
    ),
    "a status that was asked for too early": (
        lambda path: AsksForTheStatusTooEarly(),
        "test_after_a_name_was_closed_no_upload_at_once_with_it_gets_in",
    ),
    # Lasting
    "nothing lasts": (lambda path: EachHasAFileOfItsOwn(path), "test_everything_lasts"),
    "the last file is lost": (
        restarts("DELETE FROM files WHERE id = (SELECT max(id) FROM files)"),
        "test_everything_lasts",
    ),
    "core metadata is lost": (restarts("DELETE FROM core_metadata"), "test_everything_lasts"),
    "yanks are lost": (restarts("UPDATE packages SET yanked = NULL"), "test_everything_lasts"),
    "statuses are lost": (restarts("DELETE FROM statuses"), "test_everything_lasts"),
    "revisions are lost": (restarts("DELETE FROM revisions"), "test_everything_lasts"),
    "what was published is forgotten": (restarts("DELETE FROM published"), "test_everything_lasts"),
    "ids begin anew": (
        restarts("DELETE FROM sqlite_sequence"),
        "test_an_id_that_was_deleted_is_not_used_again_after_a_restart",
    ),
    "each instance knows its own statuses": (
        lambda path: ReadsEachStatusOnce(path),
        "test_what_one_instance_does_the_other_sees_at_once",
    ),
    "each instance knows its own revisions": (
        lambda path: ReadsTheRevisionOnce(path),
        "test_revisions_rise_whichever_instance_raises_them",
    ),
    "each instance counts its own ids": (
        lambda path: SharesAllButItsCount(path),
        "test_two_instances_use_no_id_twice",
    ),
    "each instance knows its own file names": (
        lambda path: KnowsItsOwnFileNames(path),
        "test_of_uploads_at_once_through_two_instances_exactly_one_gets_a_file_name",
    ),
}
