"""The contents of members of a zip archive: decompressed within a budget, and compared with digests."""

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import comparable_bytes
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.zip_directory import ZipMember
from pypi_registry.distributions.zips import Zip


def read_member(archive: Zip, path: str, limit: int) -> bytes:
    """Return the contents of a small file.

    :raises InvalidArchive: if the archive does not have it, it is damaged, or it has more than `limit` bytes.
    """
    member = archive.files.get(path)
    if member is None:
        raise InvalidArchive(f"the archive has no {excerpt(path)}")
    if member.size > limit:
        raise InvalidArchive(f"{excerpt(path)} has {member.size} bytes, more than {limit}")
    return read_all(archive, member)


def read_all(archive: Zip, member: ZipMember) -> bytes:
    """Return the contents of a member, all of them in memory.

    :raises InvalidArchive: if they are damaged.
    """
    return b"".join(archive.unpack(member))


def content_problems(
    archive: Zip,
    digests: Mapping[str, tuple[str, str]],
    budget: int | None,
    source: str = "",
    unpacked: Mapping[str, bytes] = MappingProxyType({}),
) -> Iterator[str]:
    """Yield the members that are damaged, or do not have their digest; decompress at most `budget` bytes.

    Members with a data descriptor are all decompressed, and use up the budget first, because some readers find the end
    of such data only by decompressing it. `is_bomb` alone bounds their cost, as in a gzipped tar. If they have more
    than `comparable_bytes`, no digest is compared.

    Nothing is decompressed if the archive has problems: it is refused anyway, and may be a bomb.

    :param digests: by path, the name of an algorithm in hashlib and the digest, in URL-safe base64 without padding.
    :param budget: None to decompress everything.
    :param source: the file that contains the digests, for messages.
    :param unpacked: by path, contents that were decompressed before; they are not decompressed again.
    """
    if archive.problems:
        return
    members = archive.members_by_offset
    if budget is None:
        budget = limit = sum(member.size for member in members)
    else:
        limit = comparable_bytes(archive.size)
    streamed = sum(member.size for member in members if member.has_descriptor)
    if streamed > limit:
        digests = {}
    left = min(budget, limit) - streamed
    for member in members:
        if not member.has_descriptor:
            if member.size > left:
                continue
            left -= member.size
        contents = unpacked.get(member.path)
        try:
            chunks = archive.unpack(member) if contents is None else [contents]
            if not _have_digest(chunks, digests.get(member.path)):
                yield f"{source} has a different digest for {excerpt(member.path)}"
        except InvalidArchive as error:
            yield str(error)


def _have_digest(chunks: Iterable[bytes], digest: tuple[str, str] | None) -> bool:
    """Return whether contents have a digest, if it is known; in any case, read them to the end to find damage."""
    if digest is None:
        deque(chunks, maxlen=0)
        return True
    algorithm, expected = digest
    actual = getattr(hashlib, algorithm)()
    for chunk in chunks:
        actual.update(chunk)
    # Recording installed projects, "The RECORD file": "encoded with the urlsafe-base64-nopad encoding". Some tools
    # write the padding, and some write hexadecimal digits (gmsh).
    encoded = base64.urlsafe_b64encode(actual.digest()).decode()
    return expected in (encoded.rstrip("="), encoded) or expected == actual.hexdigest()
