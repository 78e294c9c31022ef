"""The nouns: what the contracts speak of. Frozen, without behaviour beyond their own fields."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from packaging.utils import NormalizedName


class Visibility(StrEnum):
    """Who may see a project or a group (GitLab's "Project and group visibility")."""

    PUBLIC = "public"
    """Anyone."""
    INTERNAL = "internal"
    """Anyone who is signed in."""
    PRIVATE = "private"
    """Members only."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """What projects and groups have in common."""

    id: int
    path: str
    """Full path, such as ``acme/libs/tools``: the groups from the outermost on, without slashes at the ends."""
    name: str = ""
    """For people; empty means the last segment of the path."""
    visibility: Visibility = Visibility.PRIVATE
    """Only what is public may be kept by caches that several people share."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or last_segment(self.path)

    @property
    def root(self) -> str:
        """The path of the outermost group in lower case; the place's own if it stands in none."""
        return root_of(self.path)


# Both are dataclasses, as their base is one: a decorator of their own would only make all of it again, at each import.
# Who adds a field must add it.
class Project(Namespace):
    """A place where packages are published."""

    __slots__ = ()


class Group(Namespace):
    """A place where projects and further groups are kept."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PackageName:
    """A name within a project: what GitLab's protection rules speak of."""

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
    """When its first file came; aware, UTC."""
    yanked: str | None = None
    """Why its files should not be installed any more (PEP 592), may be empty; None if they should."""


class Status(StrEnum):
    """What a project of the simple index is to those who install it (PEP 792)."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    """Takes no uploads."""
    QUARANTINED = "quarantined"
    """Takes no uploads and offers no files."""
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class NameStatus:
    """The status of a name in one project, or in several that agree."""

    status: Status = Status.ACTIVE
    reason: str = ""
    """For people; may be empty."""


@dataclass(frozen=True, slots=True)
class PackageQuery:
    """Which packages of a list are wanted, and in which order. Ties are broken by id, in the same direction."""

    name: str = ""
    """Part of a name, in any case; empty for all."""
    normalized_name: NormalizedName | None = None
    """A whole name; None for all."""
    version: str = ""
    """A version as uploaded; empty for all."""
    order_by: Literal["created_at", "name", "version", "project_path"] = "created_at"
    descending: bool = False
    offset: int = 0
    limit: int | None = None
    """None for all that follow."""


@dataclass(frozen=True, slots=True)
class PackageMetadata:
    """What the last upload of a package said about it.

    Each text is cut as GitLab cuts it, and empty if nothing was said.
    """

    metadata_version: str = ""
    author_email: str = ""
    summary: str = ""
    keywords: str = ""
    description: str = ""
    description_content_type: str = ""


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of a file's bytes, lower-case hexadecimal; None where nobody asked for that one."""

    sha256: str
    md5: str | None = None
    blake2_256: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that may be published: checked, its bytes already in the store of blobs."""

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
    """A version specifier; empty means that nothing was said."""
    about: PackageMetadata = field(default_factory=PackageMetadata)
    core_metadata: bytes | None = None
    """What the file says of itself, as it is served beside it (PEP 658); None if it is not served."""

    @property
    def metadata_sha256(self) -> str | None:
        """The digest of the metadata that is served, lower-case hexadecimal."""
        return None if self.core_metadata is None else sha256(self.core_metadata).hexdigest()


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package, as the catalogue keeps it."""

    id: int
    package: Package
    filename: str
    size: int
    """Bytes."""
    digests: Digests
    requires_python: str
    """A version specifier; empty means that nothing was said."""
    uploaded_at: datetime
    """When this project got the file; aware, UTC."""
    key: str
    """Under which the store of blobs holds the bytes."""
    metadata_sha256: str | None = None
    """Digest of the core metadata that is served beside the file, lower-case hexadecimal; None if none is."""


def last_segment(path: str) -> str:
    """Give what a thing is called within its group.

    >>> last_segment("acme/libs/tools")
    'tools'
    """
    return path.rpartition("/")[2]


def root_of(path: str) -> str:
    """Give the outermost group of a path, in lower case: case makes no two places of one.

    >>> root_of("Acme/libs/tools")
    'acme'
    """
    return path.partition("/")[0].lower()


def is_below(path: str, group: str) -> bool:
    """Tell whether the project or group at `path` lies in the group at `group`, however deep.

    >>> is_below("acme/libs/tools", "acme"), is_below("acme2/tools", "acme")
    (True, False)
    """
    return path.startswith(f"{group}/")


def paths_above(path: str) -> list[str]:
    """Give the groups that a path lies in, the outermost first.

    >>> paths_above("acme/libs/tools")
    ['acme', 'acme/libs']
    """
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments))]
