"""A reader of zip archives that accepts only archives that every reader understands in the same way.

A zip archive describes each member twice: in a local header directly before its data, and in an entry of the central
directory, near the end of the file. The end of central directory record, the last record in the file, states where the
central directory is::

    local header, data [, data descriptor]     of the first member
    local header, data [, data descriptor]     of the second member
    ...
    central directory: one entry per member
    [zip64 end record, zip64 locator]
    end record [, comment]

Nothing forces the two descriptions to agree, and the standard does not say which one counts. A reader that streams goes
from one local header to the next; most others use the central directory. Some look for the end record from the end of
the file, some for one that fits the length of the file. So one archive can contain harmless files for a scanner and
others for an installer.

This reader does not choose. It requires that both descriptions are equal in every field that matters, that the members
follow each other without a gap or an overlap, that nothing precedes the first one, that the central directory follows
the last one, and that there is one end record with nothing but its comment after it. Then all ways to read the archive
lead to the same members. Features that only some readers support are problems, too.

"Folder" is a member whose path ends with a slash; "directory" always means the central directory. Section numbers are
those of PKWARE's APPNOTE.TXT, version 6.3.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import BinaryIO

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import is_bomb
from pypi_registry.distributions.paths import path_problems
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.zip_directory import (
    FULL32,
    HAS_DESCRIPTOR,
    ZIP64,
    FileHeader,
    Read,
    ZipMember,
    parse_entries,
    parse_extra_fields,
    raw_excerpt,
    read_directory,
)

_LOCAL = struct.Struct("<4x2x2H4x3L2H")  # 4.3.7 Local file header, without the fields not needed here

# 4.4.4 General purpose bit flag
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_UTF8 = 1 << 11
_COMPRESSION_LEVEL = 1 << 1 | 1 << 2  # information about the compressor, which no reader uses
_KNOWN_FLAGS = _ENCRYPTED | HAS_DESCRIPTOR | _UTF8 | _COMPRESSION_LEVEL

_STORED, _DEFLATED = 0, 8  # 4.4.5 Compression method
_DOS_VOLUME_LABEL, _DOS_FOLDER = 0x08, 0x10  # 4.4.15 External file attributes: "the MS-DOS directory attribute byte"

_CHUNK = 256 * 1024  # bytes that are read and decompressed at once

_FIELDS = ("name", "flags", "compression method", "CRC", "size", "compressed size")  # those of `FileHeader`


class Zip:
    """The members of a zip archive, and the problems of its structure.

    :raises InvalidArchive: if the file is not a zip archive, or its central directory cannot be parsed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = size = stream.seek(0, os.SEEK_END)
        directory = read_directory(size, self._read)
        self.members: Sequence[ZipMember] = [*parse_entries(directory)]
        if any(member.header_offset + member.header.compressed_size > directory.offset for member in self.members):
            raise InvalidArchive("the archive's central directory has an entry beyond the end of the archive")
        self.members_by_offset = sorted(self.members, key=attrgetter("header_offset"))
        """The members in the order of their data in the file."""
        self._data_offsets: dict[int, int] = {}  # by the offset of the local header
        paths = [member.path for member in self.members if not member.is_folder]
        folders = [member.path.removesuffix("/") for member in self.members if member.is_folder]
        self.files = {member.path: member for member in self.members if not member.is_folder}
        """The files and links by path, in the order of the central directory."""
        self.problems = [
            *_entry_problems(self.members),
            *path_problems(paths, folders),
            *self._layout_problems(directory.data, directory.offset),
        ]
        unpacked = sum(member.size for member in self.members)
        if is_bomb(unpacked, size):
            self.problems.append(f"the archive of {size} bytes contains {unpacked} bytes: it may be a zip bomb")

    def _read(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(size)

    def _layout_problems(self, directory: bytes, directory_offset: int) -> Iterator[str]:
        """Compare local headers and data descriptors with the central directory, in the order of the file."""
        expected = 0  # the offset at which the next local header must begin
        next_offsets = [*(member.header_offset for member in self.members_by_offset), directory_offset][1:]
        for member, next_offset in zip(self.members_by_offset, next_offsets, strict=True):
            if member.header_offset != expected:
                what = "overlaps the one before it" if member.header_offset < expected else "has other data before it"
                yield f"entry {excerpt(member.path)} {what}"
            if member.header_offset < expected:
                # Many entries may refer to one local header, and parsing it for each costs quadratic time.
                return
            if is_local_header_equal(member, directory, self._read):
                local, data_offset = member.header, member.header_offset + _LOCAL.size + len(member.header.raw_path)
            elif parsed := parse_local_header(member, self._read):
                local, data_offset = parsed
                if differences := _differences(member.header, local):
                    yield (
                        f"entry {excerpt(member.path)} has a local header that differs from the central directory: "
                        f"{', '.join(differences)}"
                    )
            else:
                yield f"entry {excerpt(member.path)} has no local header"
                return
            self._data_offsets[member.header_offset] = data_offset
            expected = data_offset + member.header.compressed_size
            # 4.3.9.1: "This descriptor MUST exist if bit 3 of the general purpose bit flag is set [...]. It is byte
            # aligned and immediately follows the last byte of compressed data."
            if local.flags & HAS_DESCRIPTOR:
                descriptor = self._read(expected, max(0, min(next_offset - expected, 24)))
                if descriptor not in _descriptors(member.header):
                    yield f"entry {excerpt(member.path)} has a data descriptor that differs from the central directory"
                expected += len(descriptor)
        if expected != directory_offset:
            yield "the archive contains data that belongs to no entry of its central directory"

    def unpack(self, member: ZipMember) -> Iterator[bytes]:
        """Yield the contents of a member in chunks.

        :raises InvalidArchive: if they are damaged, or do not have the size and the CRC in the central directory.
        """
        header, offset = member.header, self._data_offsets.get(member.header_offset)
        if offset is None:
            raise InvalidArchive(f"the contents of {excerpt(member.path)} cannot be found")
        inflater = zlib.decompressobj(-zlib.MAX_WBITS) if header.method == _DEFLATED else None
        left, size, crc = header.compressed_size, 0, 0
        while left and (compressed := self._read(offset, min(left, _CHUNK))):
            offset, left = offset + len(compressed), left - len(compressed)
            for chunk in _inflate(inflater, compressed, member) if inflater else (compressed,):
                size += len(chunk)
                if size > header.size:  # it may be a bomb
                    raise _stated_otherwise(member, "size")
                crc = zlib.crc32(chunk, crc)
                yield chunk
        if inflater and not (inflater.eof and not left and not inflater.unused_data):
            raise InvalidArchive(
                f"the compressed contents of {excerpt(member.path)} do not end where the archive states"
            )
        if size != header.size or crc != header.crc:
            raise _stated_otherwise(member, "size" if size != header.size else "CRC")


def _stated_otherwise(member: ZipMember, what: str) -> InvalidArchive:
    return InvalidArchive(f"the contents of {excerpt(member.path)} do not have the {what} that the archive states")


def _inflate(inflater: "zlib._Decompress", compressed: bytes, member: ZipMember) -> Iterator[bytes]:
    limit = min(_CHUNK, member.size + 1)  # one byte more than stated is enough to detect a wrong size
    try:
        chunk = inflater.decompress(compressed, limit)
        yield chunk
        # When a chunk is exactly full, the inflater may hold more output although it has no input left.
        while not inflater.eof and (inflater.unconsumed_tail or len(chunk) == limit):
            chunk = inflater.decompress(inflater.unconsumed_tail, limit)
            yield chunk
    except zlib.error:
        raise InvalidArchive(f"the contents of {excerpt(member.path)} cannot be decompressed") from None


def is_local_header_equal(member: ZipMember, directory: bytes, read: Read) -> bool:
    """Return whether the local header certainly equals the entry: both have the same bytes, and no extra field.

    That is true for nearly all members, and much faster than to parse the local header.
    """
    # 4.3.7 and 4.3.12: from "version needed to extract" to "extra field length", both headers have the same fields.
    fields = directory[member.entry_offset + 6 : member.entry_offset + 32]
    expected = b"PK\x03\x04" + fields + member.header.raw_path
    return fields.endswith(b"\0\0") and read(member.header_offset, len(expected)) == expected


def parse_local_header(member: ZipMember, read: Read) -> tuple[FileHeader, int] | None:
    """Return the local header of a member and the offset of its data; None if there is no local header.

    :raises InvalidArchive: if it has an invalid extra field.
    """
    fixed = read(member.header_offset, _LOCAL.size)
    if len(fixed) < _LOCAL.size or fixed[:4] != b"PK\x03\x04":
        return None
    flags, method, crc, compressed_size, size, path_length, extra_length = _LOCAL.unpack(fixed)
    rest = read(member.header_offset + _LOCAL.size, path_length + extra_length)
    raw_path = rest[:path_length]
    extra = parse_extra_fields(rest[path_length:], raw_path)
    if ZIP64 in extra:
        # 4.5.3: "This entry in the Local header MUST include BOTH original and compressed file size fields." With a
        # data descriptor, an archiver did not know them yet.
        sizes = [struct.pack("<2Q", member.size, member.header.compressed_size)]
        if flags & HAS_DESCRIPTOR:
            sizes.append(struct.pack("<2Q", 0, 0))
        if extra[ZIP64] not in sizes:
            raise InvalidArchive(f"entry {raw_excerpt(raw_path)} has a zip64 field that does not match it")
        size64, compressed_size64 = struct.unpack("<2Q", extra[ZIP64])
        size = size64 if size == FULL32 else size
        compressed_size = compressed_size64 if compressed_size == FULL32 else compressed_size
    header = FileHeader(raw_path, flags, method, crc, size, compressed_size)
    return header, member.header_offset + len(fixed) + len(rest)


def _differences(entry: FileHeader, local: FileHeader) -> list[str]:
    """Return the names of the fields in which a local header differs from the central directory."""
    # 4.4.4, bit 3: "If this bit is set, the fields crc-32, compressed size and uncompressed size are set to zero in the
    # local header. The correct values are put in the data descriptor". Some archivers set correct values here, too.
    if local.flags & HAS_DESCRIPTOR:
        local = local._replace(
            crc=local.crc or entry.crc,
            size=local.size or entry.size,
            compressed_size=local.compressed_size or entry.compressed_size,
        )
    entry, local = (header._replace(flags=header.flags & ~_COMPRESSION_LEVEL) for header in (entry, local))
    return [field for field, one, other in zip(_FIELDS, entry, local, strict=True) if one != other]


def _descriptors(header: FileHeader) -> set[bytes]:
    """Return the possible data descriptors (4.3.9): with or without a signature, with sizes of 4 or of 8 bytes.

    4.3.9.3: "Implementers should be aware that ZIP files may be encountered with or without this signature".
    """
    values = header.crc, header.compressed_size, header.size
    long = struct.pack("<L2Q", *values)
    short = struct.pack("<3L", *values) if max(values) <= FULL32 else long
    return {short, long, b"PK\x07\x08" + short, b"PK\x07\x08" + long}


def _entry_problems(members: Sequence[ZipMember]) -> Iterator[str]:
    for member in members:
        if not is_ordinary(member):
            for problem in member_problems(member):
                yield f"entry {excerpt(member.path)} {problem}"


def is_ordinary(member: ZipMember) -> bool:
    """Return whether a member certainly has no problem; it is faster than `member_problems`. Nearly all are ordinary.

    A test compares both.
    """
    header = member.header
    return (
        not header.flags & ~(_COMPRESSION_LEVEL | _UTF8)
        and (header.method == _DEFLATED or (header.method == _STORED and header.size == header.compressed_size))
        and stat.S_IFMT(member.mode) in (0, stat.S_IFREG)
        and not (member.is_folder or member.dos_attributes & (_DOS_VOLUME_LABEL | _DOS_FOLDER))
        and member.path.isascii()
    )


def member_problems(member: ZipMember) -> Iterator[str]:
    """Yield the features of a member that only some readers support, or that readers support in different ways."""
    header = member.header
    if header.flags & _ENCRYPTED:
        yield "is encrypted"
    if header.flags & ~_KNOWN_FLAGS:
        yield "has flags that only some readers support"
    if header.method not in (_STORED, _DEFLATED):
        yield f"has the compression method {header.method}, which only some readers support"
    if header.method == _STORED and header.size != header.compressed_size:
        yield "is not compressed, but has two different sizes"
    if header.method == _STORED and member.has_descriptor and header.size:
        yield "is not compressed, and only its data descriptor states where it ends"
    if member.is_folder and (header.size or header.crc):
        yield "is a folder with contents"
    if member.is_folder and member.is_link:
        yield "is a link for some readers only"
    if member.dos_attributes & _DOS_VOLUME_LABEL:
        yield "is the volume label of a disk"
    if (stat.S_ISDIR(member.mode) or member.dos_attributes & _DOS_FOLDER) and not member.is_folder:
        yield "is a folder for some readers only"
    if stat.S_IFMT(member.mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        yield "is a device or a pipe"
    # Binary distribution format: "The filenames inside the archive are encoded as UTF-8."
    if not header.flags & _UTF8 and not member.path.isascii():
        yield "has a non-ASCII name that is not marked as UTF-8"
    elif not _is_unicode(member.path):
        yield "has a name that is not UTF-8"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
