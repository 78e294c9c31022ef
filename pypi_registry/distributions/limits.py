"""How much a file may ask of those who unpack it. Real files stay far below; `python -m pypi_registry check` tells."""

MAX_MEMBERS = 100_000
"""Files, folders and links in one archive."""

MAX_METADATA = 20 * 1000**2
"""Bytes of ``METADATA`` or ``PKG-INFO``; the README in it is most of that."""

MAX_WHEEL = 1024**2
"""Bytes of ``WHEEL``, which has a line a tag."""

MAX_RECORD = 32 * 1024**2
"""Bytes of ``RECORD``, which has a line a file."""

MAX_PAX = 1024**2
"""Bytes of one extended header in a tar: a path, a link and some times."""

BUDGET = 64 * 1024**2
"""Bytes that an upload may have unpacked to compare contents with ``RECORD``; more would double what it costs."""

_ALWAYS_UNPACKED = 64 * 1024**2
_MAX_RATIO = 50


def is_bomb(unpacked: int, packed: int) -> bool:
    """Tell whether an archive of so many bytes may not unpack to so many.

    The bounds are those of PyPI: more than 64 MiB, and more than fifty times the archive.

    >>> is_bomb(10**9, 10**8), is_bomb(10**9, 10**6)
    (False, True)
    """
    return unpacked > max(_ALWAYS_UNPACKED, _MAX_RATIO * packed)
