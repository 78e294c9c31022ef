"""Finding the content of a variants JSON (PEP 825) by its digest: the present one, or an earlier one.

uv fails if a page that it has read links to a JSON that does not exist any more. So each content stays available, as
long as its version exists and the caller may read what it describes.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import product
from typing import NamedTuple

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._pages.variants import variants_files
from pypi_registry._variants import compose
from pypi_registry.errors import Forbidden, NotFound
from pypi_registry.model import Projects
from pypi_registry.storage import Catalogue, KeepsVariants

_MAX_COMPOSED = 4 * 1024**2  # bytes that a request generates at most, about 50 ms


class Found(NamedTuple):
    """A content of the JSON, and the ids of the projects whose variants it may describe."""

    content: bytes
    project_ids: Sequence[int]


def find_variants(catalogue: Catalogue, projects: Projects, name: NormalizedName, version: str, digest: str) -> Found:
    """Find the content of the variants JSON of a version by its SHA-256 digest.

    :param projects: those that the caller may read.
    :raises NotFound: if the JSON never had this content, or only from a project or a package that no longer exists.
    :raises Forbidden: if the name is quarantined in all projects that have the version.
    """
    histories = catalogue.variants(projects, name, version) if isinstance(catalogue, KeepsVariants) else ()
    offered = [history for history in histories if history.status.status.offers_files]
    if histories and not offered:
        raise Forbidden(f"{name} is quarantined")
    for content in _contents([history.contents for history in offered]):
        if sha256(content).hexdigest() == digest:
            return Found(content, [history.project_id for history in offered])
    listing = catalogue.listing(projects, name)
    files = listing.offered_files if listing else ()
    if listing and listing.files and not files:
        raise Forbidden(f"{name} is quarantined")
    for each in variants_files(name, files):
        if each.sha256 == digest and each.version == Version(version):
            return Found(each.content, [*{file.package.project_id for file in files}])
    raise NotFound("Package")


def _contents(histories: Sequence[Sequence[str]]) -> Iterator[bytes]:
    """Yield every content that the JSON may have had: first those of one project, then those generated from several.

    The present contents come first. A project may have been added, or may have become readable, between two changes of
    another one, so each combination of their contents is possible.
    """
    yield from (content.encode() for history in histories for content in reversed(history))
    if len(histories) < 2:
        return
    composed = 0
    for combination in product(*([*reversed(history), ""] for history in histories)):
        contents = [content for content in combination if content]
        composed += sum(map(len, contents))
        if composed > _MAX_COMPOSED:
            return
        yield (compose(contents) or "").encode()
