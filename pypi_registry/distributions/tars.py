"""A gzipped tar, read in one pass, so that every reader must see the same in it.

What readers take differently is a fault: two sizes or two names for one member, an end that only some recognize. The
format is POSIX's ("pax", with the ustar interchange format in it) with GNU's long names. The standard library's tarfile
would read it, but takes a broken header for the end, believes one of two sizes, and keeps a header of any size in
memory.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.limits import MAX_DIRECTORY, MAX_MEMBERS, MAX_PATH, is_bomb
from pypi_registry.errors import excerpt

_BLOCK = 512
_PIECE = 256 * 1024  # bytes at once, packed and unpacked

_FILES = (b"0", b"\0", b"7")
_HARD_LINK, _LINK, _FOLDER = b"1", b"2", b"5"
_DEVICES = (b"3", b"4", b"6")  # and pipes
_PAX, _PAX_GLOBAL = b"x", b"g"
_GNU_LONG = {b"L": "path", b"K": "linkpath"}
_KINDS = {*_FILES, _HARD_LINK, _LINK, _FOLDER, *_DEVICES}
_EXTENSIONS = {_PAX, _PAX_GLOBAL, *_GNU_LONG}
_OCTAL = re.compile(rb"[0-7]*")
# Mode, owner, group, time and the numbers of a device: of no use here, but where one cannot be read tarfile ends.
_UNUSED = [slice(*ends) for ends in ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))]
_MAX_EXTENSION = 1024**2  # bytes of one header: a path, a link, some times
_BELIEVED = ("path", "linkpath", "size")  # of what pax headers say, what changes the meaning of a member


class TarMember(NamedTuple):
    """A file, folder or link in a tar."""

    path: str
    """Without ``./`` at its beginning and a slash at its end; bytes that are not UTF-8 are surrogates."""
    size: int
    """Bytes."""
    kind: bytes
    target: str
    """Where a link leads; empty for all else."""

    @property
    def is_folder(self) -> bool:
        return self.kind == _FOLDER

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link, whose target is a path from here."""
        return self.kind == _LINK

    @property
    def is_hard_link(self) -> bool:
        """Whether this is another name of a file, whose target is a path from the top."""
        return self.kind == _HARD_LINK

    @property
    def is_device(self) -> bool:
        """Whether this is a device or a pipe."""
        return self.kind in _DEVICES


class Tar:
    """A gzipped tar. Iterate over it once; `read` gives the contents of the member that was given last."""

    def __init__(self, stream: BinaryIO) -> None:
        self._gunzip = _Gunzip(stream)
        self._size = self._left = 0
        self._extensions = 0

    def __iter__(self) -> Iterator[TarMember]:
        """Give the members in their order.

        :raises Unreadable: if the file is no gzipped tar, is cut short, or could be read in more than one way.
        """
        count = 0
        extended: dict[str, str] = {}
        is_awaited = False  # a member, as a header that belongs to it was there
        while (block := self._gunzip.read(_BLOCK)).strip(b"\0"):
            count += 1
            if count > MAX_MEMBERS:
                raise Unreadable(f"the archive has more than {MAX_MEMBERS} members")
            header = _read_header(block)
            self._size = self._left = header.size
            is_awaited = header.kind in _EXTENSIONS
            if is_awaited:
                if "size" in extended:  # some readers take it for that of this header (GHSA-3cv2-h65g-fgmm)
                    raise Unreadable("the archive has an extended header between a member and its size")
                _extend(extended, header.kind, self._read_extension())
            else:
                yield _member(header, extended)
                extended.clear()
                self._gunzip.skip(self._left + -self._size % _BLOCK)
        if is_awaited:
            raise Unreadable("the archive ends after a header that belongs to a next member")
        if len(block) % _BLOCK:
            raise Unreadable("the archive is cut short")
        self._gunzip.finish()

    def read(self) -> bytes:
        """Give the contents of the present member, all of them at once."""
        size, self._left = self._left, 0
        data = self._gunzip.read(size)
        if len(data) < size:
            raise Unreadable("the archive is cut short")
        return data

    def _read_extension(self) -> bytes:
        self._extensions += self._size
        if self._size > _MAX_EXTENSION or self._extensions > MAX_DIRECTORY:
            raise Unreadable(f"the archive has extended headers of {self._extensions} bytes, which is too many")
        data = self.read()
        if self._gunzip.read(-self._size % _BLOCK).strip(b"\0"):  # tarfile reads on to the end of the block
            raise Unreadable("the archive has an extended header with data behind it")
        return data


class _Gunzip:
    """What a gzip file holds, forward only. It must be one gzip stream: of several, some readers see only the first."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._packed = self._unpacked = 0
        self._buffer, self._at = b"", 0

    def read(self, size: int) -> bytes:
        """Give so many bytes, and less only at the end."""
        while len(self._buffer) - self._at < size and (piece := self._piece()):
            self._buffer, self._at = self._buffer[self._at :] + piece, 0
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        return data

    def skip(self, size: int) -> None:
        while (size := size - (len(self._buffer) - self._at)) > 0:
            self._buffer, self._at = self._piece(), 0
            if not self._buffer:
                raise Unreadable("the archive is cut short")
        self._at = len(self._buffer) + size

    def finish(self) -> None:
        """Read on to the end, where there must be nothing but zeros, with which tars and gzip files are padded."""
        rest = self._buffer[self._at :]
        while not rest.strip(b"\0"):
            rest = self._piece()
            if not rest:
                break
        else:
            raise Unreadable("the archive has data behind its end")
        rest = self._inflater.unused_data
        while not rest.strip(b"\0"):
            rest = self._stream.read(_PIECE)
            if not rest:
                return
        raise Unreadable("the file has data behind its gzip stream")

    def _piece(self) -> bytes:
        piece = b""
        while not (piece or self._inflater.eof):
            packed = self._inflater.unconsumed_tail
            if not packed:
                packed = self._stream.read(_PIECE)
                self._packed += len(packed)
            if not packed:
                raise Unreadable("the file is cut short")
            try:
                piece = self._inflater.decompress(packed, _PIECE)
            except zlib.error:
                raise Unreadable("the file is no gzip file, or is damaged") from None
        self._unpacked += len(piece)
        if is_bomb(self._unpacked, self._packed):
            raise Unreadable(f"the first {self._packed} bytes of the file unpack to {self._unpacked}: it may be a bomb")
        return piece


class _Header(NamedTuple):
    path: str
    size: int
    kind: bytes
    target: str


def _read_header(block: bytes) -> _Header:
    filled = (block[:148] + block[156:]).translate(None, b"\0")  # most are zeros, which add nothing
    checksum = sum(filled) + 8 * ord(" ")
    if len(block) < _BLOCK or _number(block[148:156]) != checksum:
        raise Unreadable("the archive has a header that cannot be read, or is cut short")
    if not all(_is_number(block[unused]) for unused in _UNUSED):
        raise _no_number()
    path, kind, prefix = _text(block[:100]), block[156:157], _text(block[345:500])
    if prefix:
        if block[257:263] != b"ustar\0":  # tarfile takes it for the beginning of the path even here, others do not
            raise Unreadable(f"the archive's member {excerpt(path)} has a prefix that its format does not have")
        if not path:  # it would be a folder for some readers only
            raise Unreadable(f"the archive has a member with a prefix, {excerpt(prefix)}, and no path")
        path = f"{prefix}/{path}"
    return _Header(path, _number(block[124:136]), kind, _text(block[157:257]))


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU's and star's base-256
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0").lstrip(b" ")  # for some readers NUL is its end, wherever it stands
    if _OCTAL.fullmatch(digits) is None:
        raise _no_number()
    return int(digits or b"0", 8)


def _is_number(field: bytes) -> bool:
    """Tell whether tarfile takes this for a number, which may be below zero, or have something else behind it."""
    return field[0] in (0x80, 0xFF) or _OCTAL.fullmatch(field.partition(b"\0")[0].strip()) is not None


def _no_number() -> Unreadable:
    return Unreadable("the archive has a header with a number that cannot be read")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _extend(extended: dict[str, str], kind: bytes, data: bytes) -> None:
    """Take in what an extended header says of the member that follows."""
    if kind in _GNU_LONG:
        text, _, rest = data.partition(b"\0")
        if rest.strip(b"\0"):
            raise Unreadable("the archive has a long name with data behind it")
        said = [(_GNU_LONG[kind], text.decode("utf-8", "surrogateescape"))]
    else:
        said = [*_pax_records(data)]
    if any(not value or len(value) > MAX_PATH for key, value in said if key in _BELIEVED):
        raise Unreadable("the archive has an extended header with a path that is empty or too long")
    for key, value in said:
        if key.startswith("GNU.sparse") or (key in _BELIEVED and (kind == _PAX_GLOBAL or key in extended)):
            raise Unreadable(f"the archive has an extended header whose {key!r} readers take differently")
        if key in _BELIEVED:
            extended[key] = value


_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,8}) ([^=\n]{1,200})=")


def _pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        match = _PAX_RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise Unreadable("the archive has an extended header that cannot be read")
        value = data[match.end() : end - 1]
        yield match[2].decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
        at = end


def _member(header: _Header, extended: Mapping[str, str]) -> TarMember:
    path, target = extended.get("path", header.path), extended.get("linkpath", header.target)
    if "size" in extended and extended["size"] != str(header.size):
        raise Unreadable(f"the archive's member {excerpt(path)} has two sizes")
    kind = header.kind
    # Before POSIX, a folder had no kind of its own but a slash; tarfile looks for it in the header's own, short path.
    is_old_folder = kind == b"\0" and header.path.endswith("/")
    if (path.endswith("/") and not (is_old_folder or kind == _FOLDER)) or (is_old_folder and not path.endswith("/")):
        raise Unreadable(f"the archive's member {excerpt(path)} is a folder for some readers only")
    kind = _FOLDER if is_old_folder else kind
    if kind not in _KINDS:
        raise Unreadable(f"the archive's member {excerpt(path)} is of the kind {kind!r}, which not every reader knows")
    if header.size and kind not in _FILES:
        raise Unreadable(f"the archive's member {excerpt(path)} is no file, and has contents")
    plain = _plain(path)
    if not plain and kind != _FOLDER:
        raise Unreadable(f"the archive has a member whose name, {excerpt(path)}, is no path")
    is_link = kind in (_LINK, _HARD_LINK)
    return TarMember(plain, header.size, kind, (_plain(target) if kind == _HARD_LINK else target) * is_link)


def _plain(path: str) -> str:
    """Take away what says nothing; what remains of the folder that all of it lies in is empty."""
    plain = re.sub(r"^(\./)+", "", path) if path.startswith("./") else path
    return "" if plain == "." else plain.rstrip("/") or plain
