"""How much a file may ask of those who read it. Real files stay far below; what they have is said at each limit."""

MAX_MEMBERS = 100_000
"""Files, folders and links in one archive. Seen: 16,000."""

MAX_PATH = 4096
"""Characters of one path; what Linux takes."""

MAX_DIRECTORY = 16 * 1024**2
"""Bytes of the names of all members, with what is said about them: a zip's directory, a tar's extended headers."""

MAX_METADATA = 8 * 1024**2
"""Bytes of ``METADATA`` or ``PKG-INFO``, most of which is a README. Seen: 230 kB."""

MAX_HEADER_LINES = 50_000
"""Lines before the README, which old metadata has among them."""

MAX_WHEEL = 256 * 1024
"""Bytes of ``WHEEL``, which has a line a tag."""

MAX_RECORD = 16 * 1024**2
"""Bytes of ``RECORD``, which has a line a file. Seen: 2 MB."""

BUDGET = 64 * 1024**2
"""Bytes that an upload may have unpacked to compare contents with ``RECORD``; more would double what it costs.

Members of which only their own data says where it ends are unpacked whatever they have; `is_bomb` bounds them.
"""

_ALWAYS_UNPACKED = 64 * 1024**2
_MAX_RATIO = 50


def is_bomb(unpacked: int, packed: int) -> bool:
    """Tell whether an archive of so many bytes may not unpack to so many.

    The bounds are those of PyPI: more than 64 MiB, and more than fifty times the archive. Seen: twenty times.

    >>> is_bomb(10**9, 10**8), is_bomb(10**9, 10**6)
    (False, True)
    """
    return unpacked > max(_ALWAYS_UNPACKED, _MAX_RATIO * packed)
