"""The directory of a zip archive: found by the one end that the archive has, and read entry by entry.

The format is PKWARE's APPNOTE.TXT, whose sections are named below.
"""

import stat
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.limits import MAX_DIRECTORY, MAX_MEMBERS, MAX_PATH
from pypi_registry.errors import excerpt

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = struct.Struct("<4x2x3H4x3L4H2x2L")  # 4.3.12, without what is of no use here
_FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF  # the value stands in a zip64 record

STREAMED = 1 << 3  # a flag: CRC and sizes stand behind the data
ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # extra fields: 4.5.3, 4.6.9
_NEEDED = 45  # version 4.5 has zip64, and what came later has compression and encryption that are refused anyway

Read: TypeAlias = Callable[[int, int], bytes]
"""Gives some bytes of the archive: from where, and how many."""


class Told(NamedTuple):
    """What a zip says twice of each member."""

    raw_path: bytes
    flags: int
    method: int
    crc: int
    size: int
    packed: int


class ZipMember(NamedTuple):
    """A file, folder or link, as the directory describes it.

    Everything that is asked again and again of each member is a field, and no property.
    """

    path: str
    """A folder's ends in a slash."""
    at: int
    """Where its own header begins."""
    mode: int
    """As ``st_mode``, or 0; unzip believes it whatever system the archive says it was made on."""
    dos: int
    """MS-DOS's attributes, which Unix's packers write too."""
    told: Told
    entry_at: int
    """Where its entry begins in the directory."""
    size: int
    """Bytes when unpacked."""
    is_folder: bool
    is_link: bool
    is_streamed: bool
    """Whether only a reader that goes by the directory knows where the data ends without unpacking it."""


def read_directory(size: int, read: Read) -> tuple[int, bytes, int]:
    """Find the directory by the one end that the archive has; give its place, its bytes and how many entries it has."""
    end_at = _find_end(size, read)
    disk, first_disk, count_here, count, length, at = short = _END.unpack(read(end_at, _END.size))[1:7]
    zip64 = _read_zip64_end(end_at, read)
    if zip64 is not None:
        full = (*(4 * [_FULL16]), FULL32, FULL32)
        if any(told not in (true, beyond) for told, true, beyond in zip(short, zip64, full, strict=True)):
            raise Unreadable("the archive's end and its zip64 end disagree")
        disk, first_disk, count_here, count, length, at = zip64
        end_at -= _LOCATOR.size + _END64.size
    elif count == _FULL16 or FULL32 in (length, at):
        raise Unreadable("the archive's end refers to a zip64 end that is not there")
    if disk or first_disk or count_here != count:
        raise Unreadable("the archive is one of several disks, by its end")
    if at + length != end_at:
        raise Unreadable("the archive's directory is not where its end says, or has other data around it")
    if count > MAX_MEMBERS:
        raise Unreadable(f"the archive has {count} entries, more than {MAX_MEMBERS}")
    if length > MAX_DIRECTORY:
        raise Unreadable(f"the archive's directory has {length} bytes, more than {MAX_DIRECTORY}")
    return at, read(at, length), count


def _find_end(size: int, read: Read) -> int:
    """Find the end of central directory record, with nothing behind it but its comment."""
    start = max(0, size - _END.size - _FULL16)
    tail = read(start, size - start)
    places, at = [], tail.rfind(b"PK\x05\x06")
    while at >= 0:
        places.append(at)
        at = tail.rfind(b"PK\x05\x06", 0, at)
    fitting = [at for at in places if at + _END.size + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)]
    if not fitting:
        raise Unreadable("the file is no zip archive, is cut short, or has data behind its end")
    if fitting != places[:1]:  # some readers look for the first, some for the last, some for one that fits
        raise Unreadable("the archive has more than one end")
    return start + fitting[0]


def _read_zip64_end(end_at: int, read: Read) -> tuple[int, ...] | None:
    """Read the zip64 end that stands directly before the end; None if there is none."""
    locator_at = end_at - _LOCATOR.size
    locator = read(locator_at, _LOCATOR.size) if locator_at >= 0 else b""
    if locator[:4] != b"PK\x06\x07":
        return None
    _, disk, at, disks = _LOCATOR.unpack(locator)
    record = read(at, _END64.size) if at == locator_at - _END64.size else b""
    if record[:4] != b"PK\x06\x06" or disk or disks > 1:
        raise Unreadable("the archive's zip64 end is not where its locator says")
    _, length, _, _, *values = _END64.unpack(record)
    if length != _END64.size - 12:  # of what follows this field
        raise Unreadable("the archive's zip64 end holds more than is known of it")
    return tuple(values)


def entries(directory: bytes, count: int) -> Iterator[ZipMember]:
    """Read each entry of a directory, which must have as many as the archive's end says."""
    at = 0
    for _ in range(count):
        if directory[at : at + 4] != b"PK\x01\x02" or len(directory) < at + _ENTRY.size:
            raise Unreadable("the archive's directory has fewer entries than its end says")
        member, at = _read_entry(directory, at)
        yield member
    if at != len(directory):
        raise Unreadable("the archive's directory has more entries than its end says, or is cut short")


def _read_entry(directory: bytes, at: int) -> tuple[ZipMember, int]:
    """Read an entry of the directory, and tell where the next one begins."""
    needed, flags, method, crc, packed, size, *lengths, disk, attributes, begins = _ENTRY.unpack_from(directory, at)
    path_length, extra_length, comment_length = lengths
    extra_at = at + _ENTRY.size + path_length
    following = extra_at + extra_length + comment_length
    raw_path = directory[at + _ENTRY.size : extra_at]
    if len(raw_path) > MAX_PATH:
        raise Unreadable(f"entry {excerpt_of(raw_path)} has a name of more than {MAX_PATH} bytes")
    extra = extra_fields(directory[extra_at : extra_at + extra_length], raw_path)
    if needed > _NEEDED:
        raise Unreadable(f"entry {excerpt_of(raw_path)} needs a reader of version {needed / 10} of the format")
    if ZIP64 in extra or FULL32 in (size, packed, begins) or disk == _FULL16:
        size, packed, begins, disk = _zip64_values(
            [(size, FULL32), (packed, FULL32), (begins, FULL32), (disk, _FULL16)], extra.get(ZIP64), raw_path
        )
    if disk:
        raise Unreadable(f"entry {excerpt_of(raw_path)} is on another disk")
    path, mode, dos = raw_path.decode("utf-8", "surrogateescape"), attributes >> 16, attributes & 0xFF
    told = Told(raw_path, flags, method, crc, size, packed)
    is_folder, is_link, is_streamed = path.endswith("/"), stat.S_ISLNK(mode), bool(flags & STREAMED)
    return ZipMember(path, begins, mode, dos, told, at, size, is_folder, is_link, is_streamed), following


def _zip64_values(values: Sequence[tuple[int, int]], extra: bytes | None, raw_path: bytes) -> list[int]:
    """Replace the values that are as large as their fields by what the zip64 field has, which holds just those."""
    missing = sum(value == full for value, full in values)
    extra = extra or b""
    widths = [4 if full == _FULL16 else 8 for value, full in values if value == full]
    if len(extra) != sum(widths) or (extra and not missing):
        raise Unreadable(f"entry {excerpt_of(raw_path)} has a zip64 field that does not fit it")
    found = []
    for value, full in values:
        if value == full:
            width = widths.pop(0)
            value, extra = int.from_bytes(extra[:width], "little"), extra[width:]
        found.append(value)
    return found


def extra_fields(extra: bytes, raw_path: bytes) -> Mapping[int, bytes]:
    """Split an extra field (4.5.1); zeros at its end, with which some align what follows, count as nothing."""
    fields: dict[int, bytes] = {}
    if not extra:
        return fields  # as nearly always
    at = 0
    while at < len(extra):
        kind, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        if not kind and not extra[at:].strip(b"\0"):
            break
        end = at + 4 + length
        if end > len(extra) or kind in fields:
            raise Unreadable(f"entry {excerpt_of(raw_path)} has an extra field that cannot be read")
        fields[kind], at = extra[at + 4 : end], end
    if fields.get(_UNICODE_PATH, b"\1\0\0\0\0" + raw_path)[5:] != raw_path:
        raise Unreadable(f"entry {excerpt_of(raw_path)} has another name in its Unicode path field")
    return fields


def excerpt_of(raw_path: bytes) -> str:
    """Give the beginning of a path for a sentence, whatever is in it."""
    return excerpt(raw_path.decode("utf-8", "replace"))
