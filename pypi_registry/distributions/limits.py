"""Limits on what a file may demand of the programs that read it.

They are far above what real files need. "Largest seen" is the largest value among the distributions from PyPI that
``tests/corpus`` fetches.
"""

MAX_MEMBERS = 100_000
"""Files, folders and links in one archive. Largest seen: 16,000."""

MAX_PATH = 4096
"""Characters of one path; Linux's PATH_MAX."""

MAX_DIRECTORY = 16 * 1024**2
"""Bytes of the central directory of a zip archive, or of all extended headers of a tar archive."""

MAX_METADATA = 8 * 1024**2
"""Bytes of ``METADATA`` or ``PKG-INFO``, most of which is the description. Largest seen: 230 kB."""

MAX_HEADER_LINES = 50_000
"""Lines before the description, which old metadata has among them."""

MAX_WHEEL = 256 * 1024
"""Bytes of ``WHEEL``, which has one line per tag."""

MAX_RECORD = 16 * 1024**2
"""Bytes of ``RECORD``, which has one line per file. Largest seen: 2 MB."""

BUDGET = 64 * 1024**2
"""Bytes that are decompressed per upload to compare contents with ``RECORD``; more would double the cost of an upload.

Members with a data descriptor are decompressed in addition to this, whatever their size; `is_bomb` bounds them.
"""

_ALWAYS_ALLOWED = 64 * 1024**2
_MAX_RATIO = 50


def is_bomb(size: int, compressed_size: int) -> bool:
    """Return whether an archive contains suspiciously many bytes for its compressed size.

    The limits are those of PyPI: more than 64 MiB, and more than fifty times the archive. Largest ratio seen: twenty.

    >>> is_bomb(10**9, 10**8), is_bomb(10**9, 10**6)
    (False, True)
    """
    return size > max(_ALWAYS_ALLOWED, _MAX_RATIO * compressed_size)
