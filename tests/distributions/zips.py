"""Zip archives, byte by byte: each field may be told to lie, as no library lets it.

The layout is that of PKWARE's APPNOTE.TXT 6.3: §4.3.7 local header, §4.3.9 data descriptor, §4.3.12 central directory,
§4.3.14 and §4.3.15 zip64 end of central directory record and locator, §4.3.16 end of central directory record.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIPTOR, STRONG, UTF8, MASKED = 0x1, 0x8, 0x40, 0x800, 0x2000
SENTINEL = 0xFFFFFFFF
SYMLINK = 0o120777 << 16
FOLDER = 0o40755 << 16 | 0x10

Fields = Mapping[str, int | bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of an archive, honest but for what is said otherwise."""

    name: bytes
    data: bytes = b""
    method: int = STORED
    flags: int = 0
    packed: bytes | None = None
    """What stands in the archive for the data; None: what the method makes of it."""
    extra: bytes = b""
    """In both headers; `local` and `central` may say another one."""
    attributes: int = 0o100644 << 16
    system: int = 3
    """That made it, by which `attributes` are read; 3: Unix."""
    local: Fields = field(default_factory=dict)
    """What the local header says instead: name, version, flags, method, crc, packed, size, extra."""
    central: Fields = field(default_factory=dict)
    """What the central directory says instead: those, and disk, attributes, offset and comment."""
    descriptor: bytes = b""
    before: bytes = b""
    """Bytes that stand before the local header."""
    present: bool = True
    """False: there is no local header and no data, only the line in the central directory."""
    listed: bool = True
    """False: the central directory does not know it."""

    @property
    def bytes_packed(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflate(self.data) if self.method == DEFLATED else self.data

    @property
    def facts(self) -> dict[str, int | bytes]:
        return {
            "name": self.name,
            "version": 20,
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.data),
            "packed": len(self.bytes_packed),
            "size": len(self.data),
            "extra": self.extra,
        }

    def local_part(self) -> bytes:
        """Give the local header, the data and the data descriptor."""
        if not self.present:
            return self.before
        said = self.facts | dict(self.local)
        header = struct.pack(
            "<4s5H3L2H",
            b"PK\3\4",
            *(said[key] for key in ("version", "flags", "method")),
            0,
            0x5C21,
            *(said[key] for key in ("crc", "packed", "size")),
            len(_bytes(said["name"])),
            len(_bytes(said["extra"])),
        )
        names = _bytes(said["name"]) + _bytes(said["extra"])
        return self.before + header + names + self.bytes_packed + self.descriptor

    def central_part(self, offset: int) -> bytes:
        """Give the line of the central directory for an entry whose local header is at an offset."""
        told: dict[str, int | bytes] = {"disk": 0, "attributes": self.attributes, "offset": offset, "comment": b""}
        said = self.facts | told | dict(self.central)
        header = struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            self.system << 8 | 20,
            *(said[key] for key in ("version", "flags", "method")),
            0,
            0x5C21,
            *(said[key] for key in ("crc", "packed", "size")),
            *(len(_bytes(said[key])) for key in ("name", "extra", "comment")),
            said["disk"],
            0,
            said["attributes"],
            said["offset"],
        )
        return header + _bytes(said["name"]) + _bytes(said["extra"]) + _bytes(said["comment"])


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


@lru_cache(maxsize=8)
def deflate(data: bytes) -> bytes:
    """Give a raw deflate stream."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def streamed(entry: Entry, *, crc: int | None = None, packed: int | None = None, size: int | None = None) -> Entry:
    """Give the entry as it is written where one cannot go back: its sizes in a data descriptor, which may lie."""
    facts = entry.facts
    said = (
        facts["crc"] if crc is None else crc,
        facts["packed"] if packed is None else packed,
        facts["size"] if size is None else size,
    )
    return replace(
        entry,
        flags=entry.flags | DESCRIPTOR,
        local={"crc": 0, "packed": 0, "size": 0, **entry.local},
        descriptor=struct.pack("<4s3L", b"PK\7\x08", *said),
    )


def field_of(identifier: int, data: bytes) -> bytes:
    """Give one field of an extra."""
    return struct.pack("<2H", identifier, len(data)) + data


def zip64_field(*numbers: int) -> bytes:
    return field_of(1, struct.pack(f"<{len(numbers)}Q", *numbers))


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """A central directory as it was written: where it begins, its bytes, how many lines it has."""

    offset: int
    data: bytes
    count: int


def end_record(directory: Directory, comment: bytes = b"", **lies: int) -> bytes:
    """Give the end of central directory record; lies: disk, directory_disk, here, count, size, offset."""
    said = {
        "disk": 0,
        "directory_disk": 0,
        "here": directory.count,
        "count": directory.count,
        "size": len(directory.data),
        "offset": directory.offset,
    } | lies
    return struct.pack("<4s4H2LH", b"PK\5\6", *said.values(), len(comment)) + comment


def zip64_end(directory: Directory, *, at: int | None = None, disks: int = 1, **lies: int) -> bytes:
    """Give zip64's end record and its locator, which says that the record is `at` an offset.

    Lies: length, disk, directory_disk, here, count, size, offset.
    """
    said = {
        "length": 44,
        "disk": 0,
        "directory_disk": 0,
        "here": directory.count,
        "count": directory.count,
        "size": len(directory.data),
        "offset": directory.offset,
    } | lies
    length = said.pop("length")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", length, 45, 45, *said.values())
    place = directory.offset + len(directory.data) if at is None else at
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, place, disks)


def archive(
    entries: Iterable[Entry],
    *,
    before: bytes = b"",
    counted: bool = True,
    gap: bytes = b"",
    zip64: Mapping[str, int] | None = None,
    gap_after: bytes = b"",
    comment: bytes = b"",
    after: bytes = b"",
    end: Mapping[str, int] | None = None,
) -> bytes:
    """Give an archive, honest but for what is said otherwise.

    :param before: what stands before it; offsets count it, if they are `counted`.
    :param gap: what stands between the last entry and the central directory.
    :param zip64: what zip64's end record says otherwise; None: there is none.
    :param gap_after: what stands between the central directory and the end record.
    :param end: what the end record says otherwise.
    """
    entries = [*entries]
    start = len(before) if counted else 0
    body, lines = bytearray(), []
    for entry in entries:
        if entry.listed:
            lines.append(entry.central_part(start + len(body) + len(entry.before)))
        body += entry.local_part()
    directory = Directory(offset=start + len(body) + len(gap), data=b"".join(lines), count=len(lines))
    tail = b"" if zip64 is None else zip64_end(directory, **zip64)
    ending = end_record(directory, comment, **(end or {}))
    return before + bytes(body) + gap + directory.data + tail + gap_after + ending + after
