"""What a catalogue stores, as one record per row: to check, copy and export whole catalogues."""

from dataclasses import dataclass
from typing import TypeAlias

from packaging.utils import NormalizedName

from pypi_registry.model import NameStatus, Package, PackageFile, PackageMetadata


@dataclass(frozen=True, slots=True)
class LastIdsRecord:
    """The highest ids that packages and files ever had, so that no copy uses an id twice; 0 if there were none."""

    package: int
    file: int


@dataclass(frozen=True, slots=True)
class CopiedRecord:
    """Up to which ids the packages and files of a copy come from its source.

    A copy writes it after the highest ids: files that are published to the target directly get ids above them.
    """

    package: int
    file: int


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project to which something was ever published."""

    id: int
    path: str


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """A package with its metadata."""

    package: Package
    metadata: PackageMetadata
    variants: tuple[str, ...] = ()
    """Each content that its variants JSON has had (PEP 825), the oldest first; empty if it never had one."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file with its core metadata."""

    file: PackageFile
    core_metadata: bytes | None
    identity: str | None = None
    """As `Upload.identity`, unique within a project; None if another file has it, too, or if there is none."""


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """The project status of a name in a project."""

    project_id: int
    name: NormalizedName
    status: NameStatus


@dataclass(frozen=True, slots=True)
class PublicationRecord:
    """A name that was published in a project, under a root group."""

    name: NormalizedName
    root: str
    project_id: int


Record: TypeAlias = (
    LastIdsRecord | CopiedRecord | ProjectRecord | PackageRecord | FileRecord | StatusRecord | PublicationRecord
)
