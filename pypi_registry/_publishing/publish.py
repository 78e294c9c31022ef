"""The changes of a registry: publishing, deleting, yanking, and the status of a name; each with its event.

The order of writes: bytes (flushed to the disk), then row. The order of deletes: row, then bytes. So a crash, or an
error while bytes are deleted, leaves at worst bytes that nothing lists, and never a listed file without its bytes.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import identity_of
from pypi_registry.errors import FileTaken, OutcomeUnknown, RegistryError
from pypi_registry.events import (
    Actor,
    Event,
    FileDeleted,
    PackageDeleted,
    Published,
    StatusChanged,
    Unyanked,
    Yanked,
)
from pypi_registry.model import Deletion, NameStatus, Package, PackageFile, Project, Projects, Upload
from pypi_registry.storage import Blobs, Catalogue

_log = logging.getLogger("pypi_registry")


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of packages, and the function that is called after a change."""

    catalogue: Catalogue
    blobs: Blobs
    on_event: Callable[[Event], object] | None = None

    def notify(self, event: Event) -> None:
        """Call `on_event`. The change is committed already, so an error is logged and changes nothing."""
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception:
            _log.exception("on_event failed for %s", type(event).__name__)


def publish(
    stores: Stores,
    project: Project,
    upload: Upload,
    file: BinaryIO,
    *,
    actor: Actor,
    at: datetime | None = None,
    confirm: Callable[[], tuple[Project, Actor]] | None = None,
) -> PackageFile:
    """Publish a checked file.

    :param file: the bytes of the upload; seekable.
    :param at: the upload time of the file (aware, UTC), as of one that was published elsewhere before; None is now.
    :param confirm: is called when the bytes are stored, just before the commit. It returns the project and the actor as
        they are then, or raises a `RegistryError`; then nothing is published.
    :raises UploadsRefused: if the project status of the name is archived or quarantined.
    :raises FileTaken: if the project has a file with this name, or with another spelling of it.
    :raises VariantConflict: if it is a wheel variant that contradicts another one of its version.
    """
    now = datetime.now(UTC)  # of the event, also if the file was published elsewhere before
    # The key is fresh for each upload, so nothing can replace the bytes of another file.
    blob_key = secrets.token_hex(16)
    stores.blobs.put(blob_key, file, size=upload.size, sha256=upload.digests.sha256, filename=upload.filename)
    try:
        if confirm is not None:
            project, actor = confirm()
        added = stores.catalogue.add(project, upload, blob_key, at or now, actor.name)
    except OutcomeUnknown:  # the row may exist, and then it needs its bytes; an unexpected error is treated alike
        raise
    except RegistryError as error:  # the catalogue has no row
        _delete_bytes(stores, blob_key, upload.filename)
        if isinstance(error, FileTaken) and (existing := _other_spelling(stores.catalogue, project, upload)):
            raise FileTaken(upload.filename, existing) from error
        raise
    stores.notify(Published(at=now, actor=actor, project=project, package=added.package, files=(added,)))
    return added


def _other_spelling(catalogue: Catalogue, project: Project, upload: Upload) -> str | None:
    """Return the name of the oldest file of the project that is another spelling of the name of an upload."""
    try:
        listing = catalogue.listing(Projects([project]), upload.normalized_name)
    except RegistryError:  # the upload is refused without it, too
        return None
    names = [file.filename for file in listing.files if _is_spelling(file, upload)] if listing else []
    return None if upload.filename in names else next(iter(names), None)


def _is_spelling(file: PackageFile, upload: Upload) -> bool:
    return identity_of(file.filename, upload.normalized_name, upload.version) == upload.identity is not None


def delete_file(stores: Stores, project: Project, file_id: int, *, actor: Actor) -> Deletion | None:
    """Delete a file, and its package if it was the last one; None if the project has no such file."""
    deletion = stores.catalogue.delete_file(project, file_id, actor.name)
    if deletion is not None:
        at, package = datetime.now(UTC), deletion.package
        stores.notify(FileDeleted(at=at, actor=actor, project=project, package=package, files=deletion.files))
        if deletion.package_deleted:
            stores.notify(PackageDeleted(at=at, actor=actor, project=project, package=package, files=()))
        _delete_bytes_of(stores, deletion)
    return deletion


def delete_package(stores: Stores, project: Project, package_id: int, *, actor: Actor) -> Deletion | None:
    """Delete a package with its files; None if the project has no such package."""
    deletion = stores.catalogue.delete_package(project, package_id, actor.name)
    if deletion is not None:
        at, package = datetime.now(UTC), deletion.package
        stores.notify(PackageDeleted(at=at, actor=actor, project=project, package=package, files=deletion.files))
        _delete_bytes_of(stores, deletion)
    return deletion


def _delete_bytes_of(stores: Stores, deletion: Deletion) -> None:
    for file in deletion.files:
        _delete_bytes(stores, file.blob_key, file.filename)


def _delete_bytes(stores: Stores, blob_key: str, filename: str) -> None:
    """Delete bytes that have no row. The result for the caller is decided already, so an error is only logged."""
    try:
        stores.blobs.delete(blob_key)
    except Exception:  # a store of an application may raise errors of its own
        _log.exception("the bytes of %s were not deleted (key %s)", excerpt(filename), blob_key)


def yank(stores: Stores, project: Project, package_id: int, reason: str | None, *, actor: Actor) -> Package | None:
    """Yank a package for a reason (may be empty), or undo it with None; None if the project has no such package."""
    package = stores.catalogue.yank(project, package_id, reason, actor.name)
    if package is not None:
        at = datetime.now(UTC)
        if reason is None:
            stores.notify(Unyanked(at=at, actor=actor, project=project, package=package))
        else:
            stores.notify(Yanked(at=at, actor=actor, project=project, package=package, reason=reason))
    return package


def set_status(stores: Stores, project: Project, name: NormalizedName, status: NameStatus, *, actor: Actor) -> None:
    """Set the project status of a name (PEP 792)."""
    stores.catalogue.set_status(project, name, status, actor.name)
    stores.notify(StatusChanged(at=datetime.now(UTC), actor=actor, project=project, name=name, status=status))
