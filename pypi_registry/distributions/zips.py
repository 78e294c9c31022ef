"""A zip archive, read so that every reader must see the same in it.

A zip says everything twice: in the directory at its end, and before each member. Some readers believe the one, some the
other. Here both must agree to the byte, members must follow each other without a gap, and nothing may stand before,
between or behind them. The format is PKWARE's APPNOTE.TXT, whose sections are named below.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import BinaryIO

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.limits import is_bomb
from pypi_registry.distributions.paths import path_faults
from pypi_registry.distributions.zip_directory import (
    FULL32,
    STREAMED,
    ZIP64,
    Read,
    Told,
    ZipMember,
    entries,
    excerpt_of,
    extra_fields,
    read_directory,
)
from pypi_registry.errors import excerpt

_LOCAL = struct.Struct("<4x2x2H4x3L2H")  # 4.3.7, without what is of no use here

_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_EFFORT = 1 << 1 | 1 << 2  # how hard the packer tried, which nobody needs to know
_KNOWN_FLAGS = _ENCRYPTED | STREAMED | _UTF8 | _EFFORT
_STORED, _DEFLATED = 0, 8
_LABEL, _FOLDER = 0x08, 0x10  # of MS-DOS's attributes

_PIECE = 256 * 1024  # bytes unpacked at once

_TITLES = ("name", "flags", "compression method", "CRC", "size", "compressed size")


class Zip:
    """The members of a zip archive, and what is wrong with its structure; contents are read by `unpack`.

    :raises Unreadable: if the file is no zip archive, or its directory cannot be found and read for certain.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        size = stream.seek(0, os.SEEK_END)
        self._directory_at, directory, count = read_directory(size, self._read)
        self.members: Sequence[ZipMember] = [*entries(directory, count)]
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
            if told.flags & STREAMED:
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


def _read_local(member: ZipMember, directory: bytes, read: Read) -> tuple[Told, int] | None:
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
    raw_path, extra = rest[:path_length], extra_fields(rest[path_length:], rest[:path_length])
    if ZIP64 in extra:
        # Here both sizes must be in it (4.5.3), if they are known by now.
        late = [struct.pack("<2Q", 0, 0)] if flags & STREAMED else []
        if extra[ZIP64] not in [struct.pack("<2Q", member.size, member.told.packed), *late]:
            raise Unreadable(f"entry {excerpt_of(raw_path)} has a zip64 field that does not fit it")
        long_size, long_packed = struct.unpack("<2Q", extra[ZIP64])
        size, packed = long_size if size == FULL32 else size, long_packed if packed == FULL32 else packed
    return Told(raw_path, flags, method, crc, size, packed), member.at + len(header) + len(rest)


def _differing(true: Told, told: Told) -> list[str]:
    """Name what a member's own header says otherwise than the directory."""
    if told.flags & STREAMED:  # the header may have been written before anything was known
        late = {field: getattr(true, field) for field in ("crc", "size", "packed") if getattr(told, field) == 0}
        told = told._replace(**late)
    true, told = (each._replace(flags=each.flags & ~_EFFORT) for each in (true, told))
    return [title for title, one, other in zip(_TITLES, true, told, strict=True) if one != other]


def _descriptors(told: Told) -> set[bytes]:
    """Give what may stand behind a member's data (4.3.9): with a signature or without, with sizes of 4 or 8 bytes."""
    values = told.crc, told.packed, told.size
    long = struct.pack("<L2Q", *values)
    short = struct.pack("<3L", *(value & FULL32 for value in values)) if max(values) <= FULL32 else long
    return {short, long, b"PK\x07\x08" + short, b"PK\x07\x08" + long}


def _entry_faults(members: Sequence[ZipMember]) -> Iterator[str]:
    for member in members:
        if not _is_usual(member, member.told):
            for fault in _member_faults(member, member.told):
                yield f"entry {excerpt(member.path)} {fault}"


def _is_usual(member: ZipMember, told: Told) -> bool:
    """Tell at little cost of nearly all members that they have none of the faults below."""
    return (
        not told.flags & ~(_EFFORT | _UTF8)
        and (told.method == _DEFLATED or (told.method == _STORED and told.size == told.packed))
        and stat.S_IFMT(member.mode) in (0, stat.S_IFREG)
        and not (member.is_folder or member.dos & (_LABEL | _FOLDER))
        and member.path.isascii()
    )


def _member_faults(member: ZipMember, told: Told) -> Iterator[str]:
    if told.flags & _ENCRYPTED:
        yield "is encrypted"
    if told.flags & ~_KNOWN_FLAGS:
        yield "has flags that not every reader knows"
    if told.method not in (_STORED, _DEFLATED):
        yield f"is compressed by method {told.method}, which not every reader knows"
    if told.method == _STORED and told.size != told.packed:
        yield "is not compressed and yet has two sizes"
    if told.method == _STORED and told.flags & STREAMED and told.size:
        yield "is not compressed, and only what stands behind its data says where it ends"
    if member.is_folder and (told.size or told.crc):
        yield "is a folder with contents"
    if member.is_folder and member.is_link:
        yield "is a link for some readers only"
    if member.dos & _LABEL:
        yield "is the label of a disk"
    if (stat.S_ISDIR(member.mode) or member.dos & _FOLDER) and not member.is_folder:
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
