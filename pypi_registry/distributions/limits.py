"""Limits on what a file may demand of the programs that read it.

They are far above what real files need. "Largest seen" is the largest value among 1,200 distributions, nearly all of
them from PyPI, with those that ``tests/corpus`` fetches.
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

MAX_HEADER = 256 * 1024
"""Bytes of the fields before the description, which old metadata has among them. Largest seen: 80 kB."""

MAX_HEADER_LINES = 20_000
"""Lines of these fields. Largest seen: 1,700."""

MAX_FIELDS = 5_000
"""Fields, each of which may have several lines. Largest seen: 544."""

MAX_VALUE = 4096
"""Bytes in the value of a field that an index or an installer reads, such as one dependency."""

MAX_VALUES = 128 * 1024
"""Bytes in all these values together. Largest seen: 25 kB."""

MAX_UNUSUAL = 500
"""Characters of all dependencies whose form is so unusual that a parser must read them. Largest seen: 241, in one."""

MAX_WHEEL = 32 * 1024
"""Bytes of ``WHEEL``, which has one line per tag. Largest seen: 224."""

MAX_ENTRY_POINTS = 64 * 1024
"""Bytes of ``entry_points.txt``. Largest seen: 3 kB."""

MAX_ENTRY_POINT_LINES = 2_000
"""Lines of it. Largest seen: 68."""

MAX_VARIANT = 64 * 1024
"""Bytes of ``variant.json``. PEP 825 expects "a long list of GPUs or CPU extension sets"; its examples have 1 kB."""

MAX_RECORD = 16 * 1024**2
"""Bytes of ``RECORD``, which has one line per file. Largest seen: 2 MB."""

BUDGET = 64 * 1024**2
"""Bytes that are decompressed per upload to compare contents with ``RECORD``; more would double the cost of an upload.

Members with a data descriptor are decompressed in addition to this, whatever their size; `is_bomb` bounds them.
"""

MAX_PAX_RECORDS = 64
"""Records in one extended header of a tar archive. Largest seen: 2."""


def comparable_bytes(archive_size: int) -> int:
    """Return how many bytes of an archive's contents may be compared with digests.

    A digest costs more time than to decompress zeros, of which a thousand bytes are compressed to one.
    """
    return max(256 * 1024, 200 * archive_size)


def is_mostly_headers(header_size: int, compressed_size: int) -> bool:
    """Return whether the headers of a tar archive are suspiciously large for its compressed size.

    Headers cost more time per byte than other contents. Largest ratio seen, without the first 16 KiB: four.

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
