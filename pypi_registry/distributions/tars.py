r"""A reader of gzipped tar archives that accepts only archives that every reader understands in the same way.

A tar archive is a sequence of blocks of 512 bytes. Each member is a header block and its data, filled up to a whole
block. A block of zeros ends the archive. The header has too little room for long paths and large sizes, so an extended
header may precede it: a block of its own, whose data replaces fields of the header that follows::

    header of type "x", data "30 path=a/very/long/path...\n"     replaces the path of the next header
    header of a file, data
    ...
    blocks of zeros

There are three generations of the format: ustar (POSIX.1-1988), GNU tar with its long names (types "L" and "K"), and
pax (POSIX.1-2001, types "x" and "g"). Readers differ in which fields they let an extended header replace, in what they
do with a second value for the same field, and in whether an invalid header is an error or the end of the archive. If a
reader is wrong about one size, it continues at a wrong offset, and finds headers in what is the data of a file for
other readers. So one archive can contain harmless files for a scanner and others for an installer.

This reader raises `InvalidArchive` wherever readers are known to differ: two sizes or two paths for one member, an
invalid header, data after the end, more than one gzip stream. The standard library's tarfile was not used, because it
takes an invalid header for the end of the archive, does not notice the second of two sizes, and keeps a header of any
size in memory.

The offsets of fields are in POSIX, "pax", section "ustar Interchange Format".
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import (
    MAX_DIRECTORY,
    MAX_MEMBERS,
    MAX_PATH,
    MAX_PAX_RECORDS,
    is_bomb,
    is_mostly_headers,
)
from pypi_registry.distributions.report import InvalidArchive

_BLOCK = 512
_CHUNK = 256 * 1024  # bytes that are read and decompressed at once

# The values of "typeflag". A regular file is "0", NUL in archives from before POSIX, or "7", which POSIX reserves and
# readers treat as "0".
_FILES = (b"0", b"\0", b"7")
_HARD_LINK, _LINK, _FOLDER = b"1", b"2", b"5"
_DEVICES = (b"3", b"4", b"6")  # and pipes
_PAX, _PAX_GLOBAL = b"x", b"g"
_GNU_LONG = {b"L": "path", b"K": "linkpath"}
_TYPES = {*_FILES, _HARD_LINK, _LINK, _FOLDER, *_DEVICES}
_EXTENDED_HEADERS = {_PAX, _PAX_GLOBAL, *_GNU_LONG}

# Mode, uid, gid, mtime, devmajor and devminor. They are not needed here, but tarfile takes a header for the end of the
# archive if one of them is not a number.
_UNUSED_NUMBERS = [slice(*ends) for ends in ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))]
_OCTAL = re.compile(rb"[0-7]*")
_MAX_EXTENDED_HEADER = 1024**2  # bytes: a path, the target of a link, and some times are much less
_REPLACED = ("path", "linkpath", "size")  # the fields of a pax header that change how a member is read


class TarMember(NamedTuple):
    """A file, folder or link."""

    path: str
    """Without ``./`` at its beginning and without a slash at its end; bytes that are not UTF-8 are surrogates."""
    size: int
    """Bytes."""
    type: bytes
    """The ``typeflag`` of the header."""
    target: str
    """Where a link points; empty for all other members."""

    @property
    def is_folder(self) -> bool:
        return self.type == _FOLDER

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link, whose target is relative to its folder."""
        return self.type == _LINK

    @property
    def is_hard_link(self) -> bool:
        """Whether this is a second name of a file, whose target is relative to the top of the archive."""
        return self.type == _HARD_LINK

    @property
    def is_device(self) -> bool:
        """Whether this is a device or a pipe."""
        return self.type in _DEVICES


class Tar:
    """A gzipped tar archive. Iterate over it once; `read` returns the contents of the current member."""

    def __init__(self, stream: BinaryIO) -> None:
        self._gzip = _GzipReader(stream)
        self._size = 0  # of the data after the current header
        self._left = 0  # the part of it that was not read yet
        self._extended_size = 0  # of all extended headers

    def __iter__(self) -> Iterator[TarMember]:
        """Yield the members in the order of the file.

        :raises InvalidArchive: if the file is not a gzipped tar archive, is truncated, or readers differ about it.
        """
        count = 0
        extended: dict[str, str] = {}  # what extended headers state about the next member
        member_must_follow = False
        # "At the end of the archive file there shall be two 512-octet logical records filled with binary zeros". Some
        # archives have only one, or none.
        while (block := self._gzip.read(_BLOCK)).strip(b"\0"):
            count += 1
            if count > MAX_MEMBERS:
                raise InvalidArchive(f"the archive has more than {MAX_MEMBERS} members")
            if is_mostly_headers(count * _BLOCK + self._extended_size, self._gzip.compressed_size):
                raise InvalidArchive(f"the archive has {count} headers, too many for its compressed size")
            header = _parse_header(block)
            self._size = self._left = header.size
            member_must_follow = header.type in _EXTENDED_HEADERS
            if member_must_follow:
                # Some readers use the size for this header instead of the member (GHSA-3cv2-h65g-fgmm).
                if "size" in extended:
                    raise InvalidArchive("the archive has an extended header between a size and its member")
                _update_extended(extended, header.type, self._read_extended_header())
            else:
                yield _member(header, extended)
                extended.clear()
                self._gzip.skip(self._left + -self._size % _BLOCK)
        if member_must_follow:
            raise InvalidArchive("the archive ends after an extended header, without the member it belongs to")
        if len(block) % _BLOCK:
            raise InvalidArchive("the archive is truncated")
        self._gzip.finish()

    def read(self) -> bytes:
        """Return the contents of the current member, all of them in memory."""
        size, self._left = self._left, 0
        data = self._gzip.read(size)
        if len(data) < size:
            raise InvalidArchive("the archive is truncated")
        return data

    def _read_extended_header(self) -> bytes:
        self._extended_size += self._size
        if self._size > _MAX_EXTENDED_HEADER or self._extended_size > MAX_DIRECTORY:
            raise InvalidArchive(f"the archive has extended headers of {self._extended_size} bytes, which is too many")
        data = self.read()
        # tarfile parses the whole block, not only `size` bytes of it.
        if self._gzip.read(-self._size % _BLOCK).strip(b"\0"):
            raise InvalidArchive("the archive has an extended header with data after its end")
        return data


class _GzipReader:
    """The decompressed bytes of a gzip file, forward only.

    The file must be one gzip stream. RFC 1952, 2.2, allows several ("members"), but some readers see only the first.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.compressed_size = self._size = 0
        self._buffer, self._offset = b"", 0

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        data = self._buffer[self._offset : self._offset + size]
        self._offset += len(data)
        if len(data) == size:
            return data
        # A stream may return few bytes at a time, so the chunks are joined once.
        chunks, left = [data], size - len(data)
        while left and (chunk := self._next_chunk()):
            self._buffer, self._offset = chunk, min(left, len(chunk))
            chunks.append(chunk[: self._offset])
            left -= self._offset
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        while (size := size - (len(self._buffer) - self._offset)) > 0:
            self._buffer, self._offset = self._next_chunk(), 0
            if not self._buffer:
                raise InvalidArchive("the archive is truncated")
        self._offset = len(self._buffer) + size

    def finish(self) -> None:
        """Read to the end. Only zeros may follow: tar archives and gzip files are padded with them."""
        rest = self._buffer[self._offset :]
        while not rest.strip(b"\0"):
            rest = self._next_chunk()
            if not rest:
                break
        else:
            raise InvalidArchive("the archive has data after its end")
        rest = self._inflater.unused_data
        while not rest.strip(b"\0"):
            rest = self._stream.read(_CHUNK)
            if not rest:
                return
        raise InvalidArchive("the file has data after its gzip stream")

    def _next_chunk(self) -> bytes:
        """Return some decompressed bytes; none only at the end of the gzip stream."""
        chunk = b""
        while not (chunk or self._inflater.eof):
            compressed = self._inflater.unconsumed_tail
            if not compressed:
                compressed = self._stream.read(_CHUNK)
                self.compressed_size += len(compressed)
            if not compressed:
                raise InvalidArchive("the file is truncated")
            try:
                chunk = self._inflater.decompress(compressed, _CHUNK)
            except zlib.error:
                raise InvalidArchive("the file is not a gzip file, or is damaged") from None
        self._size += len(chunk)
        if is_bomb(self._size, self.compressed_size):
            raise InvalidArchive(
                f"the first {self.compressed_size} bytes of the file contain {self._size} bytes: it may be a bomb"
            )
        return chunk


class _Header(NamedTuple):
    path: str
    size: int
    type: bytes
    target: str


def _parse_header(block: bytes) -> _Header:
    # "chksum" is the sum of all bytes of the header, where those of the field itself count as spaces. Zeros add
    # nothing, and removing them first is faster than adding them.
    checksum = sum((block[:148] + block[156:]).translate(None, b"\0")) + 8 * ord(" ")
    if len(block) < _BLOCK or _number(block[148:156]) != checksum:
        raise InvalidArchive("the archive has a header that cannot be read, or is truncated")
    if not all(_is_number_for_tarfile(block[field]) for field in _UNUSED_NUMBERS):
        raise _invalid_number()
    path, header_type, prefix = _text(block[:100]), block[156:157], _text(block[345:500])
    if prefix:
        # tarfile puts the prefix before the path in every format; other readers do so only in ustar.
        if block[257:263] != b"ustar\0":
            raise InvalidArchive(f"the archive's member {excerpt(path)} has a prefix that its format does not have")
        if not path:  # some readers take the member for a folder
            raise InvalidArchive(f"the archive has a member with a prefix, {excerpt(prefix)}, but no path")
        path = f"{prefix}/{path}"
    return _Header(path, _number(block[124:136]), header_type, _text(block[157:257]))


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # base-256, an extension of GNU tar and star
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0").lstrip(b" ")  # a NUL among the digits is refused: some readers stop at it
    if _OCTAL.fullmatch(digits) is None:
        raise _invalid_number()
    return int(digits or b"0", 8)


def _is_number_for_tarfile(field: bytes) -> bool:
    """Return whether tarfile accepts a field as a number. It may be negative, or have bytes after a NUL."""
    return field[0] in (0x80, 0xFF) or _OCTAL.fullmatch(field.partition(b"\0")[0].strip()) is not None


def _invalid_number() -> InvalidArchive:
    return InvalidArchive("the archive has a header with a number that cannot be read")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _update_extended(extended: dict[str, str], header_type: bytes, data: bytes) -> None:
    """Add what an extended header states about the next member."""
    if header_type in _GNU_LONG:
        text, _, rest = data.partition(b"\0")
        if rest.strip(b"\0"):
            raise InvalidArchive("the archive has a long name with data after its end")
        records = [(_GNU_LONG[header_type], text.decode("utf-8", "surrogateescape"))]
    else:
        records = [*_parse_pax_records(data)]
    if any(not value or len(value) > MAX_PATH for key, value in records if key in _REPLACED):
        raise InvalidArchive("the archive has an extended header with a path that is empty or too long")
    for key, value in records:
        # A global header applies to all members that follow. Readers differ about global paths and sizes, about which
        # of two values counts, and about GNU's sparse files, whose size is not that of their data.
        if key.startswith("GNU.sparse") or (key in _REPLACED and (header_type == _PAX_GLOBAL or key in extended)):
            raise InvalidArchive(f"the archive has an extended header whose {key!r} readers interpret differently")
        if key in _REPLACED:
            extended[key] = value


_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,8}) ([^=\n]{1,200})=")


def _parse_pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    # pax, "pax Extended Header": "An extended header shall consist of one or more records, each constructed as follows:
    # "%d %s=%s\n", <length>, <keyword>, <value>". The length includes itself and the newline.
    offset = 0
    count = 0
    while offset < len(data):
        count += 1
        if count > MAX_PAX_RECORDS:
            raise InvalidArchive(f"the archive has an extended header of more than {MAX_PAX_RECORDS} records")
        match = _PAX_RECORD.match(data, offset)
        end = offset + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise InvalidArchive("the archive has an extended header that cannot be read")
        value = data[match.end() : end - 1]
        yield match[2].decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        offset = end


def _member(header: _Header, extended: Mapping[str, str]) -> TarMember:
    """Return the member of a header, with the fields that extended headers replace."""
    path = extended.get("path", header.path)
    if "size" in extended and extended["size"] != str(header.size):
        raise InvalidArchive(f"the archive's member {excerpt(path)} has two sizes")
    # In the format before POSIX, a folder is a file whose path ends with a slash. tarfile looks for the slash in the
    # header, not in an extended header.
    is_old_folder = header.type == b"\0" and header.path.endswith("/")
    member_type = _FOLDER if is_old_folder else header.type
    if (path.endswith("/") and member_type != _FOLDER) or (is_old_folder and not path.endswith("/")):
        raise InvalidArchive(f"the archive's member {excerpt(path)} is a folder for some readers only")
    if member_type not in _TYPES:
        raise InvalidArchive(
            f"the archive's member {excerpt(path)} has the type {member_type!r}, which only some readers support"
        )
    if header.size and member_type not in _FILES:
        raise InvalidArchive(f"the archive's member {excerpt(path)} is not a file, but has contents")
    plain_path = _without_dot(path)
    if not plain_path and member_type != _FOLDER:
        raise InvalidArchive(f"the archive has a member whose name, {excerpt(path)}, is not a path")
    target = ""
    if member_type in (_LINK, _HARD_LINK):
        target = extended.get("linkpath", header.target)
        if member_type == _HARD_LINK:
            target = _without_dot(target)
    return TarMember(plain_path, header.size, member_type, target)


def _without_dot(path: str) -> str:
    """Return a path without ``./`` at its beginning and a slash at its end; empty for the top of the archive."""
    plain = re.sub(r"^(\./)+", "", path) if path.startswith("./") else path
    return "" if plain == "." else plain.rstrip("/") or plain
