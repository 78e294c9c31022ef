"""Pure decisions: which records contradict themselves."""

import re
from collections.abc import Iterator
from hashlib import sha256

from pypi_registry._names import normalize
from pypi_registry._records import FileRecord, PackageRecord
from pypi_registry.distributions.filenames import filename_problems
from pypi_registry.errors import InvalidName
from pypi_registry.model import Package
from pypi_registry.versions import is_valid_version

_KEY = re.compile("[0-9a-f]{32}")
_SHA256 = re.compile("[0-9a-f]{64}")


def package_contradictions(record: PackageRecord) -> Iterator[str]:
    """Yield a sentence for each contradiction in a package."""
    package = record.package
    if _normalized(package.name) != package.normalized_name:
        yield f"the name {package.name!r} is not a spelling of {package.normalized_name!r}"
    if not is_valid_version(package.version):
        yield f"{package.version!r} is not a version"


def file_contradictions(record: FileRecord) -> Iterator[str]:
    """Yield a sentence for each contradiction in a file, or between it and its package."""
    file = record.file
    if _is_valid(file.package):  # otherwise the package is the problem
        yield from filename_problems(file.filename, file.package.normalized_name, file.package.version)
    if _KEY.fullmatch(file.blob_key) is None:
        yield f"{file.blob_key!r} is not the key of a blob"
    if _SHA256.fullmatch(file.digests.sha256) is None:
        yield f"{file.digests.sha256!r} is not a SHA-256 digest"
    if (record.core_metadata is None) != (file.core_metadata_sha256 is None):
        present, absent = "core metadata", "the digest of its core metadata"
        if record.core_metadata is None:
            present, absent = absent, present
        yield f"the file has {present}, but not {absent}"
    elif record.core_metadata is not None and sha256(record.core_metadata).hexdigest() != file.core_metadata_sha256:
        yield "the core metadata of the file has another digest than its row"


def _is_valid(package: Package) -> bool:
    return _normalized(package.normalized_name) == package.normalized_name and is_valid_version(package.version)


def _normalized(name: str) -> str | None:
    try:
        return normalize(name)
    except InvalidName:
        return None
