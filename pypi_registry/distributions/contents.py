"""The contents of a zip archive, read within a budget and compared with digests that are known of them."""

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.zip_directory import ZipMember
from pypi_registry.distributions.zips import Zip
from pypi_registry.errors import excerpt


def read_member(archive: Zip, path: str, limit: int) -> bytes:
    """Give the contents of a small file.

    :raises Unreadable: if it is not there, is not what the archive says, or has more than `limit` bytes.
    """
    member = next((member for member in archive.members if member.path == path), None)
    if member is None:
        raise Unreadable(f"the archive has no {excerpt(path)}")
    if member.size > limit:
        raise Unreadable(f"{excerpt(path)} has {member.size} bytes, more than {limit}")
    return read_all(archive, member)


def read_all(archive: Zip, member: ZipMember) -> bytes:
    """Give the contents of a member, all of them at once.

    :raises Unreadable: if they are not what the archive says.
    """
    return b"".join(archive.unpack(member))


def content_faults(
    archive: Zip,
    digests: Mapping[str, tuple[str, str]],
    budget: int | None,
    source: str = "",
    unpacked: Mapping[str, bytes] = MappingProxyType({}),
) -> Iterator[str]:
    """Unpack files as long as the budget (bytes unpacked; None for all) lasts, and name those that are damaged.

    Those that are streamed are all unpacked, and use the budget up first: some readers find the end of their data in no
    other way. What they cost is bounded by `is_bomb` alone, as in a gzipped tar.

    Nothing is unpacked of an archive whose structure has faults.

    `digests` has, by path, an algorithm of hashlib and what it must give, in base64 for URLs without padding; `source`
    is where they stand. `unpacked` has, by path, what was unpacked already and was sound: it is not unpacked again.
    """
    if archive.faults:
        return  # it is refused anyway, and might be a bomb
    members = archive.in_order
    if budget is None:
        left = sum(member.size for member in members)
    else:
        left = budget - sum(member.size for member in members if member.is_streamed)
    for member in members:
        if member.is_streamed or member.size <= left:
            left -= 0 if member.is_streamed else member.size
            known = unpacked.get(member.path)
            try:
                pieces = archive.unpack(member) if known is None else [known]
                if not _have_digest(pieces, digests.get(member.path)):
                    yield f"{source} has another digest of {excerpt(member.path)}"
            except Unreadable as error:
                yield str(error)


def _have_digest(pieces: Iterable[bytes], digest: tuple[str, str] | None) -> bool:
    """Tell whether contents have this digest, if one is known; in any case they are unpacked to their end."""
    if digest is None:
        deque(pieces, maxlen=0)
        return True
    algorithm, expected = digest
    running = getattr(hashlib, algorithm)()
    for piece in pieces:
        running.update(piece)
    # Base64 without padding is what the specification says; some write padding, some hexadecimal digits (gmsh).
    encoded = base64.urlsafe_b64encode(running.digest()).decode()
    return expected in (encoded.rstrip("="), encoded) or expected == running.hexdigest()
