"""Limits on what a file may demand of the programs that read it.

They are far above what real files need. "Largest seen" is the largest value among the distributions from PyPI that
``tests/corpus`` fetches.
"""

MAX_MEMBERS = 100_000
"""Files, folders and links in one archive. Largest seen: 16,000."""

MAX_PATH = 4096
"""Characters of one path; Linux's PATH_MAX."""

MAX_DEPTH = 256
"""Parts of one path, or of the target of a link."""

MAX_DIRECTORY = 16 * 1024**2
"""Bytes of the central directory of a zip archive, or of all extended headers of a tar archive."""

MAX_METADATA = 1024**2
"""Bytes of ``METADATA`` or ``PKG-INFO``, most of which is the description. Largest seen: 230 kB."""

MAX_FIELDS = 256 * 1024
"""Bytes of the fields before the description, which old metadata has among them. Largest seen: 91 kB."""

MAX_HEADER_LINES = 5_000
"""Lines of these fields. Largest seen: 1,700."""

MAX_INDEX_FIELDS = 128 * 1024
"""Characters in the values of the fields that an index or an installer reads, most of them dependencies."""

MAX_WHEEL = 32 * 1024
"""Bytes of ``WHEEL``, which has one line per tag. Largest seen: 224."""

MAX_ENTRY_POINTS = 64 * 1024
"""Bytes of ``entry_points.txt``. Largest seen: 3 kB."""

MAX_RECORD = 16 * 1024**2
"""Bytes of ``RECORD``, which has one line per file. Largest seen: 2 MB."""

BUDGET = 64 * 1024**2
"""Bytes that are decompressed per upload to compare contents with ``RECORD``; more would double the cost of an upload.

Members with a data descriptor are decompressed in addition to this, whatever their size; `is_bomb` bounds them.
"""


def comparable_bytes(budget: int, archive_size: int) -> int:
    """Return how much of a budget an archive may use: a small archive of zeros would cost much more than its upload.

    Largest ratio seen: twenty.
    """
    return min(budget, max(256 * 1024, 200 * archive_size))


MAX_PAX_RECORDS = 64
"""Records in one extended header of a tar archive; most have one to four."""


def is_mostly_headers(header_size: int, compressed_size: int) -> bool:
    """Return whether the headers of a tar archive are suspiciously large for its compressed size.

    Headers cost more time per byte than other contents. A header of 512 bytes is compressed to seventy or more, of
    which only its path, its size, its time and its checksum differ from the one before. Largest ratio seen: seven.

    >>> is_mostly_headers(16_000 * 512, 16_000 * 70), is_mostly_headers(16_000 * 512, 16_000)
    (False, True)
    """
    return header_size > 16 * 1024 + 64 * compressed_size


_ALWAYS_ALLOWED = 64 * 1024**2
_MAX_RATIO = 50


def is_bomb(size: int, compressed_size: int) -> bool:
    """Return whether an archive contains suspiciously many bytes for its compressed size.

    The limits are those of PyPI: more than 64 MiB, and more than fifty times the archive. Largest ratio seen: twenty.

    >>> is_bomb(10**9, 10**8), is_bomb(10**9, 10**6)
    (False, True)
    """
    return size > max(_ALWAYS_ALLOWED, _MAX_RATIO * compressed_size)
