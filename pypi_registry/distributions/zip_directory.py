"""The central directory of a zip archive: found by the only end record of the archive, and parsed entry by entry.

`pypi_registry.distributions.zips` explains why. Section numbers are those of PKWARE's APPNOTE.TXT.
"""

import stat
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import MAX_DIRECTORY, MAX_MEMBERS, MAX_PATH
from pypi_registry.distributions.report import InvalidArchive

_END = struct.Struct("<4s4H2LH")  # 4.3.16 End of central directory record
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15 Zip64 end of central directory locator
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14 Zip64 end of central directory record
_ENTRY = struct.Struct("<4x2x3H4x3L4H2x2L")  # 4.3.12 Central directory structure, without the fields not needed here

# 4.4.1.4: "If one of the fields in the end of central directory record is too small to hold required data, the field
# should be set to -1 (0xFFFF or 0xFFFFFFFF) and the ZIP64 format record should be created."
_FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF

HAS_DESCRIPTOR = 1 << 3  # 4.4.4, bit 3: CRC and sizes follow the data
ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # header IDs of extra fields: 4.5.3, 4.6.9
_MAX_VERSION_NEEDED = 45  # 4.4.3.2: version 4.5 has zip64; newer versions add compression and encryption, both refused

Read: TypeAlias = Callable[[int, int], bytes]
"""A function that returns bytes of the archive, from an offset, and fewer of them only at the end of the archive."""


class FileHeader(NamedTuple):
    """The fields that both the local header of a member and its entry in the central directory have."""

    raw_path: bytes
    flags: int
    method: int
    crc: int
    size: int
    compressed_size: int


class ZipMember(NamedTuple):
    """A file, folder or link, as the central directory describes it."""

    path: str
    """That of a folder ends with a slash."""
    is_folder: bool
    size: int
    """Decompressed bytes."""
    header: FileHeader
    header_offset: int
    """Where the local header begins in the archive."""
    entry_offset: int
    """Where the entry begins in the central directory."""
    mode: int
    """``st_mode``, or 0. Readers such as unzip use it whatever the field "version made by" states."""
    dos_attributes: int
    """The attributes of MS-DOS, which archivers on Unix write, too."""

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link; the contents are its target."""
        return stat.S_ISLNK(self.mode)

    @property
    def has_descriptor(self) -> bool:
        """Whether a data descriptor follows the data.

        A reader that does not use the central directory can find the end of the data only by decompressing it.
        """
        return bool(self.header.flags & HAS_DESCRIPTOR)


class CentralDirectory(NamedTuple):
    """The central directory, not parsed yet."""

    offset: int
    """Where it begins in the archive."""
    data: bytes
    entry_count: int
    """How many entries the end record states."""


def read_directory(size: int, read: Read) -> CentralDirectory:
    """Find and read the central directory of an archive of `size` bytes.

    :raises InvalidArchive: if readers may find different directories, or it is too large.
    """
    end_offset = _find_end(size, read)
    disk, first_disk, count_here, count, length, offset = values = _END.unpack(read(end_offset, _END.size))[1:7]
    values64 = _read_zip64_end(end_offset, read)
    if values64 is not None:
        full = (_FULL16, _FULL16, _FULL16, _FULL16, FULL32, FULL32)
        if any(value not in (value64, limit) for value, value64, limit in zip(values, values64, full, strict=True)):
            raise InvalidArchive("the archive's end record and its zip64 end record disagree")
        disk, first_disk, count_here, count, length, offset = values64
        end_offset -= _LOCATOR.size + _END64.size
    elif count == _FULL16 or FULL32 in (length, offset):
        raise InvalidArchive("the archive's end record refers to a zip64 end record, which is missing")
    if disk or first_disk or count_here != count:
        raise InvalidArchive("the archive's end record describes one part of an archive that spans several disks")
    if offset + length != end_offset:
        raise InvalidArchive("the archive's central directory does not end where its end record begins")
    if count > MAX_MEMBERS:
        raise InvalidArchive(f"the archive has {count} entries, more than {MAX_MEMBERS}")
    if length > MAX_DIRECTORY:
        raise InvalidArchive(f"the archive's central directory has {length} bytes, more than {MAX_DIRECTORY}")
    return CentralDirectory(offset, read(offset, length), count)


def _find_end(size: int, read: Read) -> int:
    """Return the offset of the end of central directory record, which nothing but its comment may follow."""
    start = max(0, size - _END.size - _FULL16)
    tail = read(start, size - start)
    candidates, offset = [], tail.rfind(b"PK\x05\x06")
    while offset >= 0:
        candidates.append(offset)
        offset = tail.rfind(b"PK\x05\x06", 0, offset)
    # 4.3.16: the last field of the record is the length of the comment.
    fitting = [
        at for at in candidates if at + _END.size + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)
    ]
    if not fitting:
        raise InvalidArchive("the file is not a zip archive, is truncated, or has data after its end record")
    # Some readers use the first candidate, some the last, and some one that fits the length of the file.
    if fitting != candidates[:1]:
        raise InvalidArchive("the archive has more than one end record")
    return start + fitting[0]


def _read_zip64_end(end_offset: int, read: Read) -> tuple[int, ...] | None:
    """Return the values of the zip64 end record, which must stand directly before the end record; None without one."""
    locator_offset = end_offset - _LOCATOR.size
    locator = read(locator_offset, _LOCATOR.size) if locator_offset >= 0 else b""
    if locator[:4] != b"PK\x06\x07":
        return None
    _, disk, offset, disks = _LOCATOR.unpack(locator)
    record = read(offset, _END64.size) if offset == locator_offset - _END64.size else b""
    if record[:4] != b"PK\x06\x06" or disk or disks > 1:
        raise InvalidArchive("the archive's zip64 end record is not where its locator states")
    _, length, _, _, *values = _END64.unpack(record)
    # 4.3.14.1: "should be the size of the remaining record and should not include the leading 12 bytes"
    if length != _END64.size - 12:
        raise InvalidArchive("the archive's zip64 end record has an extension")
    return tuple(values)


def parse_entries(directory: CentralDirectory) -> Iterator[ZipMember]:
    """Parse each entry of a central directory.

    :raises InvalidArchive: if an entry is invalid, or there are more or fewer than the end record states.
    """
    offset = 0
    for _ in range(directory.entry_count):
        if directory.data[offset : offset + 4] != b"PK\x01\x02" or len(directory.data) < offset + _ENTRY.size:
            raise InvalidArchive("the archive's central directory has fewer entries than its end record states")
        member, offset = _parse_entry(directory.data, offset)
        yield member
    if offset != len(directory.data):
        raise InvalidArchive(
            "the archive's central directory has more entries than its end record states, or is truncated"
        )


def _parse_entry(data: bytes, entry_offset: int) -> tuple[ZipMember, int]:
    """Return the member of an entry, and the offset of the next entry."""
    version, flags, method, crc, compressed_size, size, *rest = _ENTRY.unpack_from(data, entry_offset)
    path_length, extra_length, comment_length, disk, attributes, header_offset = rest
    path_offset = entry_offset + _ENTRY.size
    extra_offset = path_offset + path_length
    next_offset = extra_offset + extra_length + comment_length
    raw_path = data[path_offset:extra_offset]
    if len(raw_path) > MAX_PATH:
        raise InvalidArchive(f"entry {raw_excerpt(raw_path)} has a name of more than {MAX_PATH} bytes")
    extra = parse_extra_fields(data[extra_offset : extra_offset + extra_length], raw_path) if extra_length else {}
    if version > _MAX_VERSION_NEEDED:
        raise InvalidArchive(f"entry {raw_excerpt(raw_path)} needs version {version / 10} of the zip format")
    if ZIP64 in extra or FULL32 in (size, compressed_size, header_offset) or disk == _FULL16:
        size, compressed_size, header_offset, disk = _zip64_values(
            [(size, FULL32), (compressed_size, FULL32), (header_offset, FULL32), (disk, _FULL16)],
            extra.get(ZIP64),
            raw_path,
        )
    if disk:
        raise InvalidArchive(f"entry {raw_excerpt(raw_path)} is on another disk")
    header = FileHeader(raw_path, flags, method, crc, size, compressed_size)
    path, mode, dos_attributes = raw_path.decode("utf-8", "surrogateescape"), attributes >> 16, attributes & 0xFF
    member = ZipMember(path, path.endswith("/"), size, header, header_offset, entry_offset, mode, dos_attributes)
    return member, next_offset


def _zip64_values(values: Sequence[tuple[int, int]], extra: bytes | None, raw_path: bytes) -> list[int]:
    """Replace each value that is at its limit by the one in the zip64 extra field, which has only those (4.5.3).

    "The order of the fields in the zip64 extended information record is fixed, but the fields MUST only appear if the
    corresponding Local or Central directory record field is set to 0xFFFF or 0xFFFFFFFF."
    """
    extra = extra or b""
    widths = [4 if limit == _FULL16 else 8 for value, limit in values if value == limit]
    if len(extra) != sum(widths):
        raise InvalidArchive(f"entry {raw_excerpt(raw_path)} has a zip64 field that does not match it")
    found = []
    for value, limit in values:
        if value == limit:
            width = widths.pop(0)
            value, extra = int.from_bytes(extra[:width], "little"), extra[width:]
        found.append(value)
    return found


def parse_extra_fields(extra: bytes, raw_path: bytes) -> Mapping[int, bytes]:
    """Split extra fields (4.5.1), by header ID. Zeros at the end are padding: some archivers align the data with them.

    :raises InvalidArchive: if they cannot be split, one occurs twice, or one contains a different path.
    """
    fields: dict[int, bytes] = {}
    offset = 0
    while offset < len(extra):
        header_id = int.from_bytes(extra[offset : offset + 2], "little")
        length = int.from_bytes(extra[offset + 2 : offset + 4], "little")
        if not header_id and not extra[offset:].strip(b"\0"):
            break
        end = offset + 4 + length
        if end > len(extra) or header_id in fields:
            raise InvalidArchive(f"entry {raw_excerpt(raw_path)} has an extra field that cannot be read")
        fields[header_id], offset = extra[offset + 4 : end], end
    # 4.6.9: one byte of version, four of CRC, then the path. Readers use it instead of the path in the header.
    if _UNICODE_PATH in fields and fields[_UNICODE_PATH][5:] != raw_path:
        raise InvalidArchive(f"entry {raw_excerpt(raw_path)} has a different name in its Unicode path field")
    return fields


def raw_excerpt(raw_path: bytes) -> str:
    """Quote a path of any bytes for a message."""
    return excerpt(raw_path.decode("utf-8", "replace"))
