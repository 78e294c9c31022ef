"""Ways to write in a wrong order, which the crash sweep must find."""

import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO
from unittest import mock

from pypi_registry._publishing import publish as publishing
from pypi_registry._publishing.publish import Stores
from pypi_registry.events import Actor
from pypi_registry.model import Deletion, PackageFile, PackageQuery, Project, Projects, Upload
from pypi_registry.stores.memory import MemoryCatalogue
from tests.reliability import crashes


def row_before_its_bytes(
    stores: Stores, project: Project, upload: Upload, file: BinaryIO, *, actor: Actor, at: datetime | None = None
) -> PackageFile:
    key = secrets.token_hex(16)
    added = stores.catalogue.add(project, upload, key, at or datetime.now(UTC), actor.name)
    stores.blobs.put(key, file, size=upload.size, sha256=upload.digests.sha256, filename=upload.filename)
    return added


def bytes_deleted_before_their_row(stores: Stores, project: Project, file_id: int, *, actor: Actor) -> Deletion | None:
    packages, _ = stores.catalogue.packages(Projects([project]), PackageQuery())
    for package in packages:
        details = stores.catalogue.package(project.id, package.id)
        for file in details.files if details else ():
            if file.id == file_id:
                stores.blobs.delete(file.blob_key)
    return stores.catalogue.delete_file(project, file_id, actor.name)


def upload_without_its_row(
    stores: Stores, project: Project, upload: Upload, file: BinaryIO, *, actor: Actor, at: datetime | None = None
) -> PackageFile:
    """Acknowledge an upload whose row is lost with the process."""
    memory = MemoryCatalogue()
    return memory.add(project, upload, secrets.token_hex(16), at or datetime.now(UTC), actor.name)


MUTANTS: dict[str, tuple[str, Callable[..., object]]] = {
    function.__name__: (replaced, function)
    for replaced, function in (
        ("publish", row_before_its_bytes),
        ("publish", upload_without_its_row),
        ("delete_file", bytes_deleted_before_their_row),
    )
}


def main(name: str) -> None:
    """Run the crash sweep with a mutant."""
    replaced, function = MUTANTS[name]
    with mock.patch.object(publishing, replaced, function):
        crashes.main()


if __name__ == "__main__":
    main(sys.argv[1])
