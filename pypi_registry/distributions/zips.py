"""A zip archive, read so that every reader must see the same in it.

A zip says everything twice: in the directory at its end, and before each member. Some readers believe the one, some the
other. Here both must agree to the byte, members must follow each other without a gap, and nothing may stand before,
between or behind them. The format is PKWARE's APPNOTE.TXT, whose sections are named below.
"""

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import BinaryIO, NamedTuple

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.limits import MAX_DIRECTORY, MAX_MEMBERS, MAX_PATH, is_bomb
from pypi_registry.distributions.paths import path_faults
from pypi_registry.errors import excerpt

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = struct.Struct("<4x2x3H4x3L4H2x2L")  # 4.3.12, without what is of no use here
_LOCAL = struct.Struct("<4x2x2H4x3L2H")  # 4.3.7, likewise
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF  # the value stands in a zip64 record

_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_STREAMED = 1 << 3  # CRC and sizes stand behind the data
_UTF8 = 1 << 11
_EFFORT = 1 << 1 | 1 << 2  # how hard the packer tried, which nobody needs to know
_KNOWN_FLAGS = _ENCRYPTED | _STREAMED | _UTF8 | _EFFORT
_STORED, _DEFLATED = 0, 8
_NEEDED = 45  # version 4.5 has zip64, and what came later has compression and encryption that are refused anyway
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # extra fields: 4.5.3, 4.6.9

_PIECE = 256 * 1024  # bytes unpacked at once

_Read = Callable[[int, int], bytes]


class _Told(NamedTuple):
    """What a zip says twice of each member."""

    raw_path: bytes
    flags: int
    method: int
    crc: int
    size: int
    packed: int


_TITLES = ("name", "flags", "compression method", "CRC", "size", "compressed size")


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
    told: _Told
    entry_at: int
    """Where its entry begins in the directory."""
    size: int
    """Bytes when unpacked."""
    is_folder: bool
    is_link: bool
    is_streamed: bool
    """Whether only a reader that goes by the directory knows where the data ends without unpacking it."""


class Zip:
    """The members of a zip archive, and what is wrong with its structure; contents are read by `unpack`.

    :raises Unreadable: if the file is no zip archive, or its directory cannot be found and read for certain.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        size = stream.seek(0, os.SEEK_END)
        self._directory_at, directory, count = _read_directory(size, self._read)
        self.members: Sequence[ZipMember] = [*_entries(directory, count)]
        if any(member.at + member.told.packed > self._directory_at for member in self.members):
            raise Unreadable("the archive's directory names an entry beyond the end of the archive")
        self.in_order = sorted(self.members, key=attrgetter("at"))
        """The members as they follow each other in the file."""
        self._data_at: dict[int, int] = {}
        files = [member.path for member in self.members if not member.is_folder]
        folders = [member.path.removesuffix("/") for member in self.members if member.is_folder]
        self.faults = [*_entry_faults(self.members), *path_faults(files, folders), *self._layout_faults(directory)]
        unpacked = sum(member.size for member in self.members)
        if is_bomb(unpacked, size):
            self.faults.append(f"the archive of {size} bytes unpacks to {unpacked}: it may be a bomb")

    def _read(self, at: int, size: int) -> bytes:
        self._stream.seek(at)
        return self._stream.read(size)

    def _layout_faults(self, directory: bytes) -> Iterator[str]:
        """Compare what stands before and behind each member's data with the directory, in the order of the file."""
        expected = 0
        ends = [*(member.at for member in self.in_order), self._directory_at][1:]
        for member, end in zip(self.in_order, ends, strict=True):
            if member.at != expected:
                what = "overlaps the one before it" if member.at < expected else "has other data before it"
                yield f"entry {excerpt(member.path)} {what}"
            local = _read_local(member, directory, self._read)
            if local is None:
                yield f"entry {excerpt(member.path)} has no header of its own"
                return
            told, self._data_at[member.at] = local
            if told is not member.told and (differing := _differing(member.told, told)):
                yield f"entry {excerpt(member.path)} differs from the archive's directory: {', '.join(differing)}"
            expected = self._data_at[member.at] + member.told.packed
            if told.flags & _STREAMED:
                descriptor = self._read(expected, max(0, min(end - expected, 24)))
                if descriptor not in _descriptors(member.told):
                    yield f"entry {excerpt(member.path)} has a data descriptor that disagrees with the directory"
                expected += len(descriptor)
        if expected != self._directory_at:
            yield "the archive holds data that belongs to no entry of its directory"

    def unpack(self, member: ZipMember) -> Iterable[bytes]:
        """Give the contents of a member piece by piece.

        :raises Unreadable: if they are damaged, or are not what the directory says.
        """
        whole = self._unpack_at_once(member)
        return self._unpack_in_pieces(member) if whole is None else [whole]

    def _unpack_at_once(self, member: ZipMember) -> bytes | None:
        """Give the contents of a member that is small and sound, as nearly all are; None of any other."""
        at, told = self._data_at.get(member.at), member.told
        if at is None or told.packed > _PIECE or told.size > _PIECE:
            return None
        data = self._read(at, told.packed)
        if told.method == _DEFLATED:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(data, told.size + 1)  # one byte more is enough to know
            except zlib.error:
                return None
            if not inflater.eof or inflater.unused_data:
                return None
        return data if (len(data), zlib.crc32(data)) == (told.size, told.crc) else None

    def _unpack_in_pieces(self, member: ZipMember) -> Iterator[bytes]:
        size = crc = 0
        for piece in self._pieces(member):
            size += len(piece)
            if size > member.size:
                break  # a bomb may go on for long
            crc = zlib.crc32(piece, crc)
            yield piece
        if (size, crc) != (member.size, member.told.crc):
            what = "size" if size != member.size else "CRC"
            raise Unreadable(f"the contents of {excerpt(member.path)} do not have the {what} that the archive says")

    def _pieces(self, member: ZipMember) -> Iterator[bytes]:
        if member.at not in self._data_at:
            raise Unreadable(f"the contents of {excerpt(member.path)} cannot be found")
        at, left = self._data_at[member.at], member.told.packed
        inflater = zlib.decompressobj(-zlib.MAX_WBITS) if member.told.method == _DEFLATED else None
        while left and (packed := self._read(at, min(left, _PIECE))):
            at, left = at + len(packed), left - len(packed)
            yield from _inflated(inflater, packed, member) if inflater else [packed]
        if inflater and not (inflater.eof and not left and not inflater.unused_data):
            raise Unreadable(f"the compressed contents of {excerpt(member.path)} do not end where they should")


def _inflated(inflater: "zlib._Decompress", packed: bytes, member: ZipMember) -> Iterator[bytes]:
    most = min(_PIECE, member.size + 1)  # one byte more than there should be is enough to know
    try:
        piece = inflater.decompress(packed, most)
        yield piece
        # What fills a piece to the last byte may go on although nothing packed is left.
        while not inflater.eof and (inflater.unconsumed_tail or len(piece) == most):
            piece = inflater.decompress(inflater.unconsumed_tail, most)
            yield piece
    except zlib.error:
        raise Unreadable(f"the contents of {excerpt(member.path)} cannot be inflated") from None


def _read_directory(size: int, read: _Read) -> tuple[int, bytes, int]:
    """Find the directory by the one end that the archive has; give its place, its bytes and how many entries it has."""
    end_at = _find_end(size, read)
    disk, first_disk, count_here, count, length, at = short = _END.unpack(read(end_at, _END.size))[1:7]
    zip64 = _read_zip64_end(end_at, read)
    if zip64 is not None:
        full = (*(4 * [_FULL16]), _FULL32, _FULL32)
        if any(told not in (true, beyond) for told, true, beyond in zip(short, zip64, full, strict=True)):
            raise Unreadable("the archive's end and its zip64 end disagree")
        disk, first_disk, count_here, count, length, at = zip64
        end_at -= _LOCATOR.size + _END64.size
    elif count == _FULL16 or _FULL32 in (length, at):
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


def _find_end(size: int, read: _Read) -> int:
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


def _read_zip64_end(end_at: int, read: _Read) -> tuple[int, ...] | None:
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


def _entries(directory: bytes, count: int) -> Iterator[ZipMember]:
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
        raise Unreadable(f"entry {_excerpt(raw_path)} has a name of more than {MAX_PATH} bytes")
    extra = _extra_fields(directory[extra_at : extra_at + extra_length], raw_path)
    if needed > _NEEDED:
        raise Unreadable(f"entry {_excerpt(raw_path)} needs a reader of version {needed / 10} of the format")
    if _ZIP64 in extra or _FULL32 in (size, packed, begins) or disk == _FULL16:
        size, packed, begins, disk = _zip64_values(
            [(size, _FULL32), (packed, _FULL32), (begins, _FULL32), (disk, _FULL16)], extra.get(_ZIP64), raw_path
        )
    if disk:
        raise Unreadable(f"entry {_excerpt(raw_path)} is on another disk")
    path, mode = raw_path.decode("utf-8", "surrogateescape"), attributes >> 16
    told = _Told(raw_path, flags, method, crc, size, packed)
    is_folder, is_link, is_streamed = path.endswith("/"), stat.S_ISLNK(mode), bool(flags & _STREAMED)
    return ZipMember(path, begins, mode, told, at, size, is_folder, is_link, is_streamed), following


def _zip64_values(values: Sequence[tuple[int, int]], extra: bytes | None, raw_path: bytes) -> list[int]:
    """Replace the values that are as large as their fields by what the zip64 field has, which holds just those."""
    missing = sum(value == full for value, full in values)
    extra = extra or b""
    widths = [4 if full == _FULL16 else 8 for value, full in values if value == full]
    if len(extra) != sum(widths) or (extra and not missing):
        raise Unreadable(f"entry {_excerpt(raw_path)} has a zip64 field that does not fit it")
    found = []
    for value, full in values:
        if value == full:
            width = widths.pop(0)
            value, extra = int.from_bytes(extra[:width], "little"), extra[width:]
        found.append(value)
    return found


def _extra_fields(extra: bytes, raw_path: bytes) -> Mapping[int, bytes]:
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
            raise Unreadable(f"entry {_excerpt(raw_path)} has an extra field that cannot be read")
        fields[kind], at = extra[at + 4 : end], end
    if fields.get(_UNICODE_PATH, b"\1\0\0\0\0" + raw_path)[5:] != raw_path:
        raise Unreadable(f"entry {_excerpt(raw_path)} has another name in its Unicode path field")
    return fields


def _read_local(member: ZipMember, directory: bytes, read: _Read) -> tuple[_Told, int] | None:
    """Read the header that stands before a member's data, and tell where the data begins; None if there is none."""
    # From the version that is needed to the length of the extra field, both headers have the same fields. Of nearly all
    # members these agree to the byte, and there is no extra field.
    fields = directory[member.entry_at + 6 : member.entry_at + 32]
    expected = b"PK\x03\x04" + fields + member.told.raw_path
    if fields.endswith(b"\0\0") and read(member.at, len(expected)) == expected:
        return member.told, member.at + len(expected)
    header = read(member.at, _LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        return None
    flags, method, crc, packed, size, path_length, extra_length = _LOCAL.unpack(header)
    rest = read(member.at + _LOCAL.size, path_length + extra_length)
    raw_path, extra = rest[:path_length], _extra_fields(rest[path_length:], rest[:path_length])
    if _ZIP64 in extra:
        # Here both sizes must be in it (4.5.3), if they are known by now.
        late = [struct.pack("<2Q", 0, 0)] if flags & _STREAMED else []
        if extra[_ZIP64] not in [struct.pack("<2Q", member.size, member.told.packed), *late]:
            raise Unreadable(f"entry {_excerpt(raw_path)} has a zip64 field that does not fit it")
        long_size, long_packed = struct.unpack("<2Q", extra[_ZIP64])
        size, packed = long_size if size == _FULL32 else size, long_packed if packed == _FULL32 else packed
    return _Told(raw_path, flags, method, crc, size, packed), member.at + len(header) + len(rest)


def _differing(true: _Told, told: _Told) -> list[str]:
    """Name what a member's own header says otherwise than the directory."""
    if told.flags & _STREAMED:  # the header may have been written before anything was known
        late = {field: getattr(true, field) for field in ("crc", "size", "packed") if getattr(told, field) == 0}
        told = told._replace(**late)
    true, told = (each._replace(flags=each.flags & ~_EFFORT) for each in (true, told))
    return [title for title, one, other in zip(_TITLES, true, told, strict=True) if one != other]


def _descriptors(told: _Told) -> set[bytes]:
    """Give what may stand behind a member's data (4.3.9): with a signature or without, with sizes of 4 or 8 bytes."""
    values = told.crc, told.packed, told.size
    long = struct.pack("<L2Q", *values)
    short = struct.pack("<3L", *(value & _FULL32 for value in values)) if max(values) <= _FULL32 else long
    return {short, long, b"PK\x07\x08" + short, b"PK\x07\x08" + long}


def _entry_faults(members: Sequence[ZipMember]) -> Iterator[str]:
    for member in members:
        if not _is_usual(member, member.told):
            for fault in _member_faults(member, member.told):
                yield f"entry {excerpt(member.path)} {fault}"


def _is_usual(member: ZipMember, told: _Told) -> bool:
    """Tell at little cost of nearly all members that they have none of the faults below."""
    return (
        not told.flags & ~(_EFFORT | _UTF8)
        and (told.method == _DEFLATED or (told.method == _STORED and told.size == told.packed))
        and stat.S_IFMT(member.mode) in (0, stat.S_IFREG)
        and not member.is_folder
        and member.path.isascii()
    )


def _member_faults(member: ZipMember, told: _Told) -> Iterator[str]:
    if told.flags & _ENCRYPTED:
        yield "is encrypted"
    if told.flags & ~_KNOWN_FLAGS:
        yield "has flags that not every reader knows"
    if told.method not in (_STORED, _DEFLATED):
        yield f"is compressed by method {told.method}, which not every reader knows"
    if told.method == _STORED and told.size != told.packed:
        yield "is not compressed and yet has two sizes"
    if told.method == _STORED and told.flags & _STREAMED and told.size:
        yield "is not compressed, and only what stands behind its data says where it ends"
    if member.is_folder and told.size:
        yield "is a folder with contents"
    if stat.S_ISDIR(member.mode) and not member.is_folder:
        yield "is a folder for some readers only"
    if stat.S_IFMT(member.mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        yield "is a device or a pipe"
    if not told.flags & _UTF8 and not member.path.isascii():
        yield "has a name beyond ASCII that is not marked as UTF-8"
    elif not _is_unicode(member.path):
        yield "has a name that is not UTF-8"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _excerpt(raw_path: bytes) -> str:
    return excerpt(raw_path.decode("utf-8", "replace"))
