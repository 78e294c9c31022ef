"""What happened in a registry, for audit logs, webhooks, mirrors and CDN purges.

``Registry(on_event=…)`` calls a function with one of these after the change was committed and before the response is
sent. If the function raises, the error is logged and the change stands. If the process dies between the commit and the
call, the event is lost: read from the catalogue what must not be lost.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from packaging.utils import NormalizedName

from pypi_registry._line_file import LineFile
from pypi_registry.model import NameStatus, Package, PackageFile, Project

_log = logging.getLogger("pypi_registry")


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller who changes something."""

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


class AuditLog:
    """Writes each event as one line of JSON: ``Registry(on_event=AuditLog("audit.jsonl"))``.

    Any number of threads and processes may write to one file, each with an `AuditLog` of its own or with the same. A
    killed process loses no line of a change that was acknowledged. The lines are not flushed to the disk, so a power
    cut may lose the last ones, and a line that was cut off by it stays in the file.

    A file that was renamed or deleted, as logrotate does, is created again, readable by its owner only. If a line
    cannot be written, it is logged to the logger ``pypi_registry`` with the reason; the change stands.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = LineFile(path)

    @property
    def path(self) -> str:
        """The path of the file."""
        return self._file.path

    def create(self) -> None:
        """Create the file if it is missing, to learn at the start whether it can be written.

        :raises OSError: if it cannot.
        """
        self._file.create()

    def __call__(self, event: Event) -> None:
        project, actor = event.project, event.actor
        match event:
            case Published() | FileDeleted() | PackageDeleted():
                facts = {**_package(event.package), "files": _files(event.files)}
            case Yanked():
                facts = {**_package(event.package), "reason": event.reason}
            case Unyanked():
                facts = _package(event.package)
            case StatusChanged():
                status = event.status
                facts = {"package": event.name, "status": str(status.status), "reason": status.reason}
        where = {"project": project.path, "project_id": project.id}
        self.write(type(event).__name__, actor, {**where, **facts}, at=event.at)

    def write(self, action: str, actor: Actor, facts: Mapping[str, object], *, at: datetime | None = None) -> None:
        """Write a line of your own, such as a refused request or a new token.

        :param action: what happened; for events it is the name of the class.
        :param facts: more keys, or values for those that every line has.
        :param at: when it happened (aware); None is now.
        """
        at = (at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        who = {"principal": actor.name, "token": actor.via, "address": actor.address}
        entry = {"time": f"{at.isoformat(timespec='microseconds')}Z", "action": action, **who, **_NO_FACTS, **facts}
        line = json.dumps(entry) + "\n"  # in ASCII, so that no text can end the line
        try:
            self._file.append(line.encode())
        except OSError as error:
            _log.error("%s: %s; this line is missing there: %s", self.path, error.strerror, line.rstrip())


_NO_FACTS: Mapping[str, object] = {
    "project": None,
    "project_id": None,
    "package": None,
    "version": None,
    "files": (),
    "status": None,
    "reason": None,
}
"""The keys that every line has, so that a reader need not know which action has which."""


def _package(package: Package) -> dict[str, object]:
    return {"package": package.normalized_name, "version": package.version}


def _files(files: Iterable[PackageFile]) -> list[dict[str, str]]:
    return [{"name": file.filename, "sha256": file.digests.sha256} for file in files]
