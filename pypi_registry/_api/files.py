"""A package file as a response."""

from io import BytesIO
from typing import BinaryIO

from pypi_registry._api.access import REVALIDATE
from pypi_registry._api.call import Call
from pypi_registry._http.ranges import file_response
from pypi_registry._http.response import VARY, Response, redirect_response
from pypi_registry.errors import Forbidden, NotFound, RegistryError, StorageUnavailable
from pypi_registry.model import NameStatus, PackageFile
from pypi_registry.storage import Redirect


def require_offered(file: PackageFile, status: NameStatus) -> None:
    """Return if the file may be offered, given the project status of its name (PEP 792).

    :raises Forbidden: if the name is quarantined.
    """
    if not status.status.offers_files:
        raise Forbidden(f"{file.package.normalized_name} is quarantined")


def missing(call: Call, file: PackageFile, problem: str) -> RegistryError:
    """Return the error for bytes or core metadata that are missing: `NotFound` if the file was deleted meanwhile."""
    details = call.services.stores.catalogue.package(file.package.project_id, file.package.id)
    exists = details is not None and any(each.id == file.id for each in details.files)
    return StorageUnavailable(problem) if exists else NotFound()


def package_file_response(call: Call, file: PackageFile, policy: tuple[str, str]) -> Response:
    """Respond with the bytes of a file, or redirect to them.

    :param policy: the Cache-Control header.
    :raises StorageUnavailable: if the bytes are missing, or their length is not that of the file.
    """
    content = [
        ("Content-Type", "application/octet-stream"),  # never guessed: for ".tar.gz" a guess adds Content-Encoding
        ("Content-Disposition", f'attachment; filename="{file.filename}"'),
        ("X-Content-Type-Options", "nosniff"),
    ]

    def open_part(part: range | None) -> BinaryIO | Response:
        found = call.services.stores.blobs.open(file.blob_key, size=file.size, part=part)
        if found is None:
            raise missing(call, file, f"the blob {file.blob_key} is missing")
        if not isinstance(found, Redirect):
            return found
        if not found.internal:
            # A URL that is signed for GET refuses HEAD, which uv sends. The row has all that the response needs.
            is_head = call.request.method == "HEAD"
            return BytesIO() if is_head else redirect_response(found.url, VARY, REVALIDATE)
        # The server that sends the bytes handles ranges, entity tags and the length.
        return Response("200 OK", [("X-Accel-Redirect", found.url), ("Content-Length", "0"), VARY, policy, *content])

    etag = f'"{file.digests.sha256}"'
    return file_response(call.request, open_part, file.size, etag, validators=[VARY, policy], content=content)
