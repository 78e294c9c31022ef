r"""A reader of gzipped tar archives that accepts only archives that every reader understands in the same way.

A tar archive is a sequence of blocks of 512 bytes. Each member is a header block and its data, filled up to a whole
block. A block of zeros ends the archive. The header has too little space for long paths and large sizes, so an extended
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
invalid header, data after the end, more than one gzip stream. It also refuses each form that pip (whose reader is
tarfile) or uv cannot read: ``tests/distributions/test_tar_readers.py`` has the table, and compares it with both. The
standard library's tarfile was not used, because it treats an invalid header as the end of the archive, does not notice
the second of two sizes, and keeps a header of any size in memory.

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
_GZIP = b"\x1f\x8b"  # the first bytes of a gzip file
_FHCRC = 2  # a flag in its fourth byte
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

_POSIX, _GNU = "POSIX", "GNU tar"
# "magic" and "version". uv reads no others, and one of them in all of an archive: tar's format from before POSIX, and
# mixtures, are read by tarfile alone.
_FORMATS = {b"ustar\x0000": _POSIX, b"ustar  \0": _GNU}
_FORMAT_OF_EXTENDED = {_PAX: _POSIX, _PAX_GLOBAL: _POSIX, **dict.fromkeys(_GNU_LONG, _GNU)}

_NUMBERS = {
    field: slice(*ends)
    for field, ends in {
        "mode": (100, 108),
        "uid": (108, 116),
        "gid": (116, 124),
        "size": (124, 136),
        "mtime": (136, 148),
    }.items()
}
_CHECKSUM = slice(148, 156)
# tarfile treats a header as the end of the archive if one of these is not a number; uv does not read them.
_DEVICE_NUMBERS = {"devmajor": slice(329, 337), "devminor": slice(337, 345)}
_OCTAL = re.compile(rb"[0-7]*")
_MAX_TIME = 2.0**63  # seconds; Python's os.utime raises OverflowError

_MAX_EXTENDED_HEADER = 1024**2  # bytes: a path, the target of a link, and some times are much less
_REPLACED = ("path", "linkpath", "size")  # the fields of a pax header that change how a member is read
# The keywords of POSIX, "pax", "pax Extended Header", and the extensions that uv accepts besides: those of star and
# libarchive. All others, such as the labels of SELinux that GNU tar writes with an option, are errors for it.
_TIMES, _IDS = ("atime", "ctime", "mtime"), ("gid", "uid")
_KEYWORDS = {*_REPLACED, *_TIMES, *_IDS, "charset", "comment", "gname", "hdrcharset", "uname"}
_EXTENSIONS = ("realtime.", "security.", "LIBARCHIVE.", "SCHILY.")
_CHARSETS = {"", "BINARY", "ISO-IR 10646 2000 UTF-8"}
_XATTR = b"SCHILY.xattr."  # the only records whose values need not be UTF-8
_TIME = re.compile(r"([0-9]+(\.[0-9]+)?)?", re.ASCII)
_ID = re.compile(r"[0-9]{0,20}", re.ASCII)


class TarMember(NamedTuple):
    """A file, folder or link."""

    path: str
    """Without a slash at its end."""
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
        format_ = ""  # of the first header
        previous = b""  # the type of the header before
        while (block := self._gzip.read(_BLOCK)).strip(b"\0"):
            count += 1
            if count > MAX_MEMBERS:
                raise InvalidArchive(f"the archive has more than {MAX_MEMBERS} members")
            if is_mostly_headers(count * _BLOCK + self._extended_size, self._gzip.compressed_size):
                raise InvalidArchive(f"the archive has {count} headers, too many for its compressed size")
            header = _parse_header(block)
            format_ = format_ or header.format
            if header.format != format_ or _FORMAT_OF_EXTENDED.get(header.type, format_) != format_:
                raise InvalidArchive(f"the archive has a header in another format than {format_}'s, {_quoted(header)}")
            self._size = self._left = header.size
            if header.type in _EXTENDED_HEADERS:
                # Some readers use a size in the first one for the second one (GHSA-3cv2-h65g-fgmm). uv reads none.
                if previous == _PAX:
                    raise InvalidArchive("the archive has two extended headers for one member")
                _update_extended(extended, header.type, self._read_extended_header())
            else:
                yield _member(header, extended)
                extended.clear()
                self._gzip.skip(self._left + -self._size % _BLOCK)
            previous = header.type
        if previous in _EXTENDED_HEADERS:
            raise InvalidArchive("the archive ends after an extended header, without the member it belongs to")
        # "At the end of the archive file there shall be two 512-octet logical records filled with binary zeros". To
        # uv, an archive without them is truncated.
        end = block + self._gzip.read(_BLOCK)
        if end.strip(b"\0"):
            raise InvalidArchive("the archive has data after its end")
        self._gzip.finish()
        if len(end) < 2 * _BLOCK:
            raise InvalidArchive("the archive is truncated: it does not end with two blocks of zeros")

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
                compressed = self._stream.read(_CHUNK) if self.compressed_size else self._first_bytes()
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

    def _first_bytes(self) -> bytes:
        start = b""
        while len(start) < 4 and (more := self._stream.read(_CHUNK)):  # a stream may return few bytes at a time
            start += more
        # RFC 1952, 2.3.1, "FLG": "If FHCRC is set, a CRC16 for the gzip header is present". uv reads it as data.
        if start.startswith(_GZIP) and start[3:] and start[3] & _FHCRC:
            raise InvalidArchive("the file has a checksum of its gzip header, which only some readers support")
        return start


class _Header(NamedTuple):
    path: str
    size: int
    type: bytes
    target: str
    format: str


def _parse_header(block: bytes) -> _Header:
    # "chksum" is the sum of all bytes of the header, where those of the field itself count as spaces. Zeros add
    # nothing, and removing them first is faster than adding them.
    checksum = sum((block[:148] + block[156:]).translate(None, b"\0")) + 8 * ord(" ")
    if len(block) < _BLOCK or _number(block[_CHECKSUM], _POSIX) != checksum:
        raise InvalidArchive("the archive has a header that cannot be read, or is truncated")
    path, header_type, prefix = _text(block[:100]), block[156:157], _text(block[345:500])
    format_ = _FORMATS.get(block[257:265])
    if format_ is None:
        raise InvalidArchive(
            f"the archive's member {excerpt(path)} has the magic {block[257:265]!r}, which is neither that of {_POSIX} "
            f"nor of {_GNU}"
        )
    numbers = {field: _number(block[where], format_) for field, where in _NUMBERS.items()}
    for field, number in numbers.items():
        # tarfile reads a size of NULs as 0, uv does not.
        is_empty = field == "size" and not block[_NUMBERS[field]].strip(b"\0")
        if number is None or is_empty or (field == "mtime" and float(number) >= _MAX_TIME):
            raise _invalid_number(field, block[_NUMBERS[field]], path)
    for field, where in _DEVICE_NUMBERS.items():
        if not _is_number_for_tarfile(block[where]):
            raise _invalid_number(field, block[where], path)
    if prefix:
        # tarfile puts the prefix before the path in every format; other readers do so only in ustar.
        if format_ != _POSIX:
            raise InvalidArchive(f"the archive's member {excerpt(path)} has a prefix that its format does not have")
        if not path:  # some readers treat the member as a folder
            raise InvalidArchive(f"the archive has a member with a prefix, {excerpt(prefix)}, but no path")
        path = f"{prefix}/{path}"
    return _Header(path, numbers["size"] or 0, header_type, _text(block[157:257]), format_)


def _number(field: bytes, format_: str) -> int | None:
    """Return the number in a field; None if it has a form that some readers do not parse.

    Octal digits begin the field, and spaces or NULs end it; a field of NULs is zero. Base-256, of which only GNU tar
    writes it, has no negative numbers here.
    """
    if field[0] == 0x80 and format_ == _GNU:
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0")
    if len(digits) == len(field) or _OCTAL.fullmatch(digits) is None or (not digits and b" " in field):
        return None
    return int(digits or b"0", 8)


def _is_number_for_tarfile(field: bytes) -> bool:
    """Return whether tarfile accepts a field as a number. It may be negative, or have bytes after a NUL."""
    return field[0] in (0x80, 0xFF) or _OCTAL.fullmatch(field.partition(b"\0")[0].strip()) is not None


def _invalid_number(field: str, value: bytes, path: str) -> InvalidArchive:
    return InvalidArchive(
        f"the archive's member {excerpt(path)} has {value!r} as its {field}, a number that only some readers parse"
    )


def _quoted(header: _Header) -> str:
    return f"of type {header.type!r} and with the name {excerpt(header.path)}"


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    """Return whether all bytes of a text of `_text` were UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _update_extended(extended: dict[str, str], header_type: bytes, data: bytes) -> None:
    """Add what an extended header states about the next member."""
    if header_type in _GNU_LONG:
        text, _, rest = data.partition(b"\0")
        if rest.strip(b"\0"):
            raise InvalidArchive("the archive has a long name with data after its end")
        records = [(_GNU_LONG[header_type], text.decode("utf-8", "surrogateescape"))]
    else:
        records = [*_parse_pax_records(data)]
    if not records:
        raise InvalidArchive("the archive has an extended header without records")
    if any(not value or len(value) > MAX_PATH for key, value in records if key in _REPLACED):
        raise InvalidArchive("the archive has an extended header with a path that is empty or too long")
    for key, value in records:
        _check_record(key, value)
        # A global header applies to all members that follow. Readers differ about global paths and sizes, about which
        # of two values counts, and about GNU's sparse files, whose size is not that of their data.
        if key.startswith("GNU.sparse") or (key in _REPLACED and (header_type == _PAX_GLOBAL or key in extended)):
            raise InvalidArchive(f"the archive has an extended header whose {key!r} readers interpret differently")
        if key in _REPLACED:
            extended[key] = value


def _check_record(key: str, value: str) -> None:
    """Raise an error for a record of a pax header that uv or tarfile cannot read."""
    if key not in _KEYWORDS and not key.startswith(_EXTENSIONS):
        raise InvalidArchive(f"the archive has an extended header with the keyword {excerpt(key)}, which uv refuses")
    if key == "hdrcharset" and value not in _CHARSETS:
        raise InvalidArchive(
            f"the archive has an extended header with the hdrcharset {excerpt(value)}, which uv refuses"
        )
    is_time = key in _TIMES
    if (is_time and (_TIME.fullmatch(value) is None or float(value or 0) >= _MAX_TIME)) or (
        key in _IDS and (_ID.fullmatch(value) is None or int(value or 0) >= 2**64)
    ):
        raise InvalidArchive(
            f"the archive has an extended header whose {key} is {excerpt(value)}, a number that only some readers parse"
        )


_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,8}) ([^=\n]{1,200})=")


def _parse_pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    # pax, "pax Extended Header": "An extended header shall consist of one or more records, each constructed as follows:
    # "%d %s=%s\n", <length>, <keyword>, <value>". The length includes itself and the newline.
    offset = 0
    count = 0
    seen: set[bytes] = set()
    while offset < len(data):
        count += 1
        if count > MAX_PAX_RECORDS:
            raise InvalidArchive(f"the archive has an extended header of more than {MAX_PAX_RECORDS} records")
        match = _PAX_RECORD.match(data, offset)
        end = offset + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise InvalidArchive("the archive has an extended header that cannot be read")
        key, value = match[2], data[match.end() : end - 1]
        if key in seen:
            raise InvalidArchive(f"the archive has an extended header with two records {excerpt(_text(key))}")
        seen.add(key)
        try:
            yield key.decode(), value.decode("utf-8", "replace" if key.startswith(_XATTR) else "strict")
        except UnicodeDecodeError:
            name = excerpt(_text(key))
            raise InvalidArchive(f"the archive has an extended header whose {name} is not UTF-8") from None
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
    target = extended.get("linkpath", header.target)
    member = f"the archive's member {excerpt(path)}"
    if target and member_type not in (_LINK, _HARD_LINK):
        raise InvalidArchive(f"{member} is not a link, but has the target {excerpt(target)}")
    if not (_is_utf8(path) and _is_utf8(target)):
        raise InvalidArchive(f"{member} has a name or a target that is not UTF-8")
    # pip reads "." as the folder of the sdist. A symbolic link is relative to its folder, so it may begin with "./".
    if f"{path}/".startswith("./") or (member_type == _HARD_LINK and target.startswith("./")):
        raise InvalidArchive(f"{member} has a name or a target that begins with './', and pip cannot install it")
    if not path:
        raise InvalidArchive("the archive has a member without a name")
    return TarMember(path.rstrip("/") or path, header.size, member_type, target)
