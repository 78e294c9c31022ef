"""What happened in a registry, for audit logs, webhooks, mirrors and CDN purges.

``Registry(on_event=…)`` calls a function with one of these after the change was committed and before the response is
sent. If the function raises, the error is logged and the change stands. If the process dies between the commit and the
call, the event is lost: what must not be lost is read from the catalogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from packaging.utils import NormalizedName

from pypi_registry.model import NameStatus, Package, PackageFile, Project


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something."""

    name: str = ""
    """The name of the principal; empty if it is anonymous."""
    via: str = ""
    """The kind and the name of the token; may be empty."""
    address: str = ""
    """The network address of the client, as the server reports it; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    at: datetime
    """Aware, UTC."""
    actor: Actor
    project: Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(_Event):
    """A file was published."""

    package: Package
    files: Sequence[PackageFile]
    """One file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDeleted(_Event):
    """A file was deleted. If it was the last of its package, `PackageDeleted` follows."""

    package: Package
    files: Sequence[PackageFile]
    """One file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDeleted(_Event):
    """A package was deleted."""

    package: Package
    files: Sequence[PackageFile]
    """The files that were deleted with it; none if it was deleted with its last file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yanked(_Event):
    """A package was yanked."""

    package: Package
    reason: str
    """May be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unyanked(_Event):
    """The yank of a package was undone."""

    package: Package


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(_Event):
    """The project status of a name was set (PEP 792)."""

    name: NormalizedName
    status: NameStatus


Event: TypeAlias = Published | FileDeleted | PackageDeleted | Yanked | Unyanked | StatusChanged
"""What `on_event` receives."""
