"""The data types of the contracts. They are immutable, and their methods depend only on their own fields."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName

from pypi_registry._filenames import identity_of
from pypi_registry._paths import last_segment, root_of


class Visibility(StrEnum):
    """Who may see a project or a group (GitLab's manual, "Project and group visibility")."""

    PUBLIC = "public"
    """Everyone."""
    INTERNAL = "internal"
    """Everyone who is signed in."""
    PRIVATE = "private"
    """Members only."""


@dataclass(frozen=True, slots=True)
class _Namespace:
    """The fields that projects and groups share."""

    id: int
    """At most 18 digits. It stays when the path changes, and is never reused."""
    path: str
    """Full path, such as ``acme/libs/tools``: the groups from the root on, without slashes at the ends."""
    name: str = ""
    """A title for people; empty means the last segment of the path."""
    visibility: Visibility = Visibility.PRIVATE
    """Shared caches may store responses only for public projects and groups."""

    @property
    def title(self) -> str:
        """The name that people read."""
        return self.name or last_segment(self.path)

    @property
    def root(self) -> str:
        """The path of the root group in lower case; if no group contains this one, its own path."""
        return root_of(self.path)


@dataclass(frozen=True, slots=True)
class Project(_Namespace):
    """A project, to which packages are published."""


@dataclass(frozen=True, slots=True)
class Group(_Namespace):
    """A group, which contains projects and further groups."""


Namespace: TypeAlias = Project | Group
"""A project or a group: a URL refers to one of them."""


class Projects:
    """An immutable set of projects, in the order of the argument.

    Two objects are equal if they contain equal projects. The hash and the cache key are computed once per object, so an
    unchanged group is cheap if the directory returns the same object again.

    >>> projects = Projects([Project(1, "acme/tools"), Project(2, "acme/libs")])
    >>> projects.ids, 2 in projects, [project.path for project in projects]
    ((1, 2), True, ['acme/tools', 'acme/libs'])
    """

    __slots__ = ("_all_public", "_by_id", "_cache_key", "_ids", "_roots")

    def __init__(self, projects: Iterable[Project] = ()) -> None:
        self._by_id = {project.id: project for project in projects}
        self._ids: tuple[int, ...] | None = None
        self._roots: frozenset[str] | None = None
        self._all_public: bool | None = None
        self._cache_key: Hashable = None

    def __iter__(self) -> Iterator[Project]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, project: object) -> bool:
        """Return whether the set contains a project, or a project with an id."""
        if isinstance(project, Project):
            return self._by_id.get(project.id) == project
        return project in self._by_id

    def get(self, id: int) -> Project | None:  # noqa: A002  # GitLab's word
        """Return the project with an id, or None."""
        return self._by_id.get(id)

    def only(self, condition: Callable[[Project], bool]) -> "Projects":
        """Return the projects that meet a condition; this object itself if all projects meet it."""
        found = [project for project in self if condition(project)]
        return self if len(found) == len(self) else Projects(found)

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the projects."""
        if self._ids is None:
            self._ids = tuple(self._by_id)
        return self._ids

    @property
    def roots(self) -> frozenset[str]:
        """The root groups of the projects, in lower case."""
        if self._roots is None:
            self._roots = frozenset(project.root for project in self)
        return self._roots

    @property
    def all_public(self) -> bool:
        """Whether each of the projects is public."""
        if self._all_public is None:
            self._all_public = all(project.visibility is Visibility.PUBLIC for project in self)
        return self._all_public

    @property
    def cache_key(self) -> Hashable:
        """A short value that two objects share exactly if they have the same ids, in any order.

        A cache stores it instead of 100,000 ids.
        """
        if self._cache_key is None:
            ids = self._by_id if len(self._by_id) == 1 else sorted(self._by_id)
            many = len(ids) > 4
            self._cache_key = blake2b(repr(ids).encode(), digest_size=32).digest() if many else tuple(ids)
        return self._cache_key

    def __hash__(self) -> int:
        return hash(self.cache_key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projects):
            return NotImplemented
        return self is other or self._by_id == other._by_id

    def __repr__(self) -> str:
        return f"<{len(self)} projects>" if len(self) > 3 else f"Projects({[*self]!r})"


@dataclass(frozen=True, slots=True)
class PackageName:
    """A name within a project: the subject of GitLab's package protection rules."""

    project: Project
    name: NormalizedName


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one name in one project."""

    id: int
    project_id: int
    name: str
    """As first uploaded."""
    normalized_name: NormalizedName
    version: str
    """As first uploaded; ``1.0`` and ``1.0.0`` are one package."""
    created_at: datetime
    """When its first file was uploaded; aware, UTC."""
    yanked: str | None = None
    """The reason why the version was yanked (PEP 592), may be empty; None if it was not yanked."""


class Status(StrEnum):
    """The status of one name, which the simple index calls a project (PEP 792, "Project status markers")."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    """"The project does not expect to be updated in the future.\""""
    QUARANTINED = "quarantined"
    """"The project is considered generally unsafe for use, e.g. due to malware.\""""
    DEPRECATED = "deprecated"
    """Obsolete; an index treats it as active."""

    @property
    def accepts_uploads(self) -> bool:
        """Whether files may be uploaded.

        Of archived and of quarantined: "The index hosting the project MUST NOT allow uploads of new distributions to
        the project."
        """
        return self not in (Status.ARCHIVED, Status.QUARANTINED)

    @property
    def offers_files(self) -> bool:
        """Whether files may be downloaded.

        Of quarantined: "The index hosting the project MUST NOT offer any distributions of the project for download."
        """
        return self is not Status.QUARANTINED


@dataclass(frozen=True, slots=True)
class NameStatus:
    """The project status of a name, in one project or in several with the same status."""

    status: Status = Status.ACTIVE
    reason: str = ""
    """For people; may be empty."""


@dataclass(frozen=True, slots=True)
class PackageQuery:
    """Which packages a list shows, and in which order. Packages with equal keys are sorted by id."""

    name: str = ""
    """A search for names, in any case; empty for all.

    The text is split at white space. A word of three or more characters matches any part of the name as uploaded; a
    shorter word matches only a whole name (GitLab's ``MIN_CHARS_FOR_PARTIAL_MATCHING``). All words must match; more
    than 20 different words match nothing. Only ASCII letters have a case; other letters match nothing.
    """
    normalized_name: NormalizedName | None = None
    """A whole name; None for all."""
    version: str = ""
    """A version as uploaded; empty for all."""
    order_by: Literal["created_at", "name", "version", "project_path"] = "created_at"
    descending: bool = False
    offset: int = 0
    limit: int | None = None
    """None for all packages after the offset."""


@dataclass(frozen=True, slots=True)
class PackageMetadata:
    """The metadata of a package, from its last upload.

    Each text is shortened as in GitLab, and empty if the upload did not contain it.
    """

    metadata_version: str = ""
    author_email: str = ""
    summary: str = ""
    keywords: str = ""
    description: str = ""
    description_content_type: str = ""


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of the bytes of a file, lower-case hexadecimal; None where a digest was not computed."""

    sha256: str
    md5: str | None = None
    blake2_256: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was checked and may be published."""

    name: str
    """As sent."""
    normalized_name: NormalizedName
    version: str
    """As sent."""
    filename: str
    size: int
    """Bytes."""
    digests: Digests
    requires_python: str
    """A version specifier; empty means none."""
    metadata: PackageMetadata = field(default_factory=PackageMetadata)
    core_metadata: bytes | None = None
    """The core metadata that is served beside the file (PEP 658); None if none is served."""
    variant: str | None = None
    """The variant metadata of a wheel variant (PEP 825), as canonical JSON in ASCII; None for every other file."""

    @property
    def core_metadata_sha256(self) -> str | None:
        """The digest of the core metadata that is served, lower-case hexadecimal."""
        return None if self.core_metadata is None else sha256(self.core_metadata).hexdigest()

    @property
    def identity(self) -> str | None:
        """A text that all spellings of the file name share: ``demo-1.0-py3-none-any.whl``, ``Demo-1-py3-none-any.whl``.

        None if the file name has a different name or version; the registry publishes no such file.
        """
        return identity_of(self.filename, self.normalized_name, self.version)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package, as the catalogue stores it."""

    id: int
    package: Package
    filename: str
    size: int
    """Bytes."""
    digests: Digests
    requires_python: str
    """A version specifier; empty means none."""
    uploaded_at: datetime
    """When the file was published in this project; aware, UTC."""
    blob_key: str
    """The key of the bytes in the store of blobs."""
    core_metadata_sha256: str | None = None
    """The digest of the core metadata served beside the file, lower-case hexadecimal; None if none is served."""
    uploaded_by: str = ""
    """The name of the principal who published the file; empty if it was anonymous or is not known."""
    variant: str | None = None
    """The variant metadata of a wheel variant (PEP 825), as canonical JSON in ASCII; None for every other file."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one name, with the project status of the name in each project, in one consistent state."""

    files: Sequence[PackageFile]
    """The oldest first."""
    statuses: Mapping[int, NameStatus]
    """By the id of each project that has a package of this name."""

    @property
    def offered_files(self) -> Sequence[PackageFile]:
        """The files that a page lists, the oldest first, without those of projects in which the name is quarantined.

        Files with the same name and different contents are all listed. If several files have the same name and SHA-256,
        only the newest is listed, which is also the one that `Catalogue.file` returns. It is yanked if all of them are.
        """
        copies: dict[tuple[str, str], PackageFile] = {}
        for file in self.files:
            if self.statuses[file.package.project_id].status.offers_files:
                older = copies.pop((file.filename, file.digests.sha256), file)  # the newest copy gives the order
                yanked = file.package.yanked if older.package.yanked is not None else None
                listed = (
                    file if yanked == file.package.yanked else replace(file, package=replace(file.package, yanked=None))
                )
                copies[file.filename, file.digests.sha256] = listed
        return [*copies.values()]

    @property
    def status(self) -> NameStatus:
        """The project status that all projects share; active if they differ."""
        found = {*self.statuses.values()}
        return found.pop() if len(found) == 1 else NameStatus()


@dataclass(frozen=True, slots=True)
class FileWithStatus:
    """A file, with the project status of its name in its project."""

    file: PackageFile
    status: NameStatus


@dataclass(frozen=True, slots=True)
class VariantsHistory:
    """All contents that the variants JSON (PEP 825) of one package has had."""

    project_id: int
    status: NameStatus
    """Of the name in the project."""
    contents: Sequence[str]
    """Canonical JSON in ASCII, the oldest first."""


@dataclass(frozen=True, slots=True)
class PackageDetails:
    """A package with its files and its metadata, in one consistent state."""

    package: Package
    files: Sequence[PackageFile]
    """The oldest first."""
    metadata: PackageMetadata


@dataclass(frozen=True, slots=True)
class Deletion:
    """The package and the files that a catalogue has deleted."""

    package: Package
    files: Sequence[PackageFile]
    """The caller must delete their bytes, too."""
    package_deleted: bool
    """Whether the package was deleted with its last file."""
