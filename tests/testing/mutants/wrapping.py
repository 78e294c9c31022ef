"""Mutants are wrappers: they pass every call to an implementation, and override a method or two to break one law.

They use the methods of the protocols and nothing else of what they wrap.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence, Set
from datetime import datetime
from typing import Any, BinaryIO, Protocol, Self

from packaging.utils import NormalizedName

from pypi_registry._records import Record
from pypi_registry.auth import Ability, Auth, Principal, ReadsMany, Subject
from pypi_registry.directory import Directory, Ref
from pypi_registry.model import (
    Deletion,
    FileWithStatus,
    Group,
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
from pypi_registry.storage import (
    Blobs,
    Catalogue,
    CreatesFiles,
    Enumerable,
    EnumerableBlobs,
    KeepsVariants,
    ProjectPaths,
    Redirect,
)


class FullCatalogue(Catalogue, KeepsVariants, ProjectPaths, Enumerable, Protocol): ...


class FullBlobs(Blobs, CreatesFiles, EnumerableBlobs, Protocol): ...


class DirectoryAndAuth(Directory, Auth, Protocol): ...


class FullPrincipal(Principal, ReadsMany, Protocol): ...


class CatalogueWrapper:
    def __init__(self, inner: FullCatalogue) -> None:
        self.inner = inner

    def reopened(self) -> Self:
        return type(self)(self.inner)

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        return self.inner.add(project, upload, blob_key, at, by)

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        return self.inner.delete_file(project, file_id, by)

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        return self.inner.delete_package(project, package_id, by)

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        return self.inner.yank(project, package_id, reason, by)

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        self.inner.set_status(project, name, status, by)

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        return self.inner.revision(projects, name)

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        return self.inner.names(projects)

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        return self.inner.listing(projects, name)

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        return self.inner.file(projects, sha256, filename)

    def core_metadata(self, file_id: int) -> bytes | None:
        return self.inner.core_metadata(file_id)

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        return self.inner.publications(name)

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        return self.inner.packages(projects, query)

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        return self.inner.package(project_id, package_id)

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        return self.inner.variants(projects, name, version)

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        return self.inner.project_paths(ids)

    def records(self) -> Iterator[Record]:
        return self.inner.records()

    def restore(self, record: Record) -> None:
        self.inner.restore(record)

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        return self.inner.listed(blob_keys)

    def correct_size(self, file_id: int, size: int) -> bool:
        return self.inner.correct_size(file_id, size)


class BlobsWrapper:
    def __init__(self, inner: FullBlobs) -> None:
        self.inner = inner

    def reopened(self) -> Self:
        return type(self)(self.inner)

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        self.inner.put(key, file, size=size, sha256=sha256, filename=filename)

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        return self.inner.open(key, size=size, part=part)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def new_file(self) -> BinaryIO:
        return self.inner.new_file()

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        return self.inner.keys()


class AccountsWrapper:
    """Wraps a `Directory` that is an `Auth` as well."""

    def __init__(self, inner: DirectoryAndAuth) -> None:
        self.inner = inner

    def project(self, ref: Ref) -> Project | None:
        return self.inner.project(ref)

    def group(self, ref: Ref) -> Group | None:
        return self.inner.group(ref)

    def projects_in(self, group: Group) -> Projects:
        return self.inner.projects_in(group)

    def authenticate(self, *args: Any) -> Any:
        return self.inner.authenticate(*args)


class PrincipalWrapper:
    """Wraps a principal, and has the accounts and the arguments of its request at hand."""

    def __init__(self, inner: FullPrincipal, accounts: AccountsWrapper, *args: Any) -> None:
        self.inner, self.accounts, self.args = inner, accounts, args

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def via(self) -> str:
        return self.inner.via

    @property
    def anonymous(self) -> bool:
        return self.inner.anonymous

    def can(self, ability: Ability, subject: Subject) -> bool:
        return self.inner.can(ability, subject)

    def readable(self, projects: Projects) -> Projects:
        return self.inner.readable(projects)


# Overriding a method. `self` is the mutant, and `self.inner` what it wraps.

Override = dict[str, Callable[..., Any]]


def takes(method: str, change: Callable[..., tuple[Any, ...]]) -> Override:
    """Call a method with other arguments."""
    return {method: lambda self, *args: getattr(self.inner, method)(*change(self, *args))}


def returns(method: str, change: Callable[..., Any]) -> Override:
    """Change what a method returned: ``change(self, returned, *arguments)``."""
    return {method: lambda self, *args: change(self, getattr(self.inner, method)(*args), *args)}


def after(method: str, act: Callable[..., Any]) -> Override:
    """Do something more after a method: ``act(self, returned, *arguments)``."""

    def call(self: Any, *args: Any) -> Any:
        found = getattr(self.inner, method)(*args)
        act(self, found, *args)
        return found

    return {method: call}


def before(method: str, act: Callable[..., Any]) -> Override:
    """Do something before a method, or raise an error."""

    def call(self: Any, *args: Any) -> Any:
        act(self, *args)
        return getattr(self.inner, method)(*args)

    return {method: call}


def on_error(method: str, error: type[Exception], act: Callable[..., Any]) -> Override:
    """Do something else if a method raises an error: ``act(self, error, *arguments)``."""

    def call(self: Any, *args: Any) -> Any:
        try:
            return getattr(self.inner, method)(*args)
        except error as raised:
            return act(self, raised, *args)

    return {method: call}
