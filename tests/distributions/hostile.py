"""Distributions that must be refused, each bad in one way and good in all others, made byte by byte.

`HOSTILE` is the table: what is wrong, the file name, a maker of the bytes, and a pattern for a word that any clear
sentence about it would have.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import random
import struct
import tarfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from tests.distributions import tars, zips
from tests.distributions.tars import Member, base_256, long_name, octal, pax, tar, zipped
from tests.distributions.zips import (
    DEFLATED,
    ENCRYPTED,
    MASKED,
    SENTINEL,
    STRONG,
    UTF8,
    Entry,
    archive,
    deflate,
    end_record,
    field_of,
    streamed,
    zip64_field,
)

WHEEL, SDIST, ZIPPED = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"

MANY = 120_000
"""More entries than any honest distribution has."""
HUGE = 40 * 1024**2
"""More bytes than any honest METADATA has, or RECORD, or pax header."""
BOMB = 256 * 1024**2
"""Zeros; a thousand to one when they are packed."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A distribution that must be refused."""

    filename: str
    make: Callable[[], bytes]
    pattern: str
    """A regular expression that one of the problems must match; case is ignored."""


# A good wheel, and ways to make it a bad one

INFO = b"demo-1.0.dist-info/"
DATA = b"demo/data.txt"
METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: Made for a test\n"
WHEEL_FILE = b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

OLD = b"Metadata-Version: 1.0\nName: demo\nVersion: 1.0\nSummary: UNKNOWN\nAuthor: J\xf6rg\nPlatform: UNKNOWN\n"
DESCRIBED = METADATA + b"\nName: evil\nVersion: 2.0\n\nAuthor: J\xf6rg, in latin-1\n"
"""Metadata in Latin-1: clients build an sdist with it, and pip cannot read a wheel with it."""

Files = Mapping[bytes, bytes]
Row = tuple[bytes, bytes, bytes]

CODE: Files = {b"demo/__init__.py": b"VERSION = '1.0'\n", DATA: b"some data\n" * 40}
FILES: Files = {**CODE, INFO + b"METADATA": METADATA, INFO + b"WHEEL": WHEEL_FILE}


def rows(files: Files, algorithm: str = "sha256") -> list[Row]:
    """Give the rows of RECORD, its own last."""
    own = (INFO + b"RECORD", b"", b"")
    return [*((path, digest_of(data, algorithm), b"%d" % len(data)) for path, data in files.items()), own]


def digest_of(data: bytes, algorithm: str = "sha256") -> bytes:
    digest = hashlib.new(algorithm, data).digest()
    return algorithm.encode() + b"=" + urlsafe_b64encode(digest).rstrip(b"=")


def record(lines: Iterable[Row], newline: bytes = b"\n") -> bytes:
    return b"".join(b",".join(row) + newline for row in lines)


def listed(files: Files = FILES) -> list[Entry]:
    """Give the entries of a wheel with these files, and RECORD, which tells the truth."""
    return [Entry(name=path, data=data) for path, data in {**files, INFO + b"RECORD": record(rows(files))}.items()]


def wheel(files: Files = FILES, **archived: Any) -> bytes:
    return archive(listed(files), **archived)


def wheel_with(*, name: bytes = DATA, **changes: Any) -> bytes:
    """Make a wheel one entry of which is changed."""
    return archive(replace(entry, **changes) if entry.name == name else entry for entry in listed())


def wheel_but(change: Callable[[Entry], Entry]) -> bytes:
    """Make a wheel one entry of which is changed by a function."""
    return archive(change(entry) if entry.name == DATA else entry for entry in listed())


def wheel_and(*more: Entry) -> bytes:
    """Make a wheel with more entries, which RECORD does not know."""
    return archive([*listed(), *more])


def wheel_saying(metadata: bytes) -> bytes:
    return wheel({**FILES, INFO + b"METADATA": metadata})


def wheel_tagged(wheel_file: bytes) -> bytes:
    return wheel({**FILES, INFO + b"WHEEL": wheel_file})


def wheel_starting(entry_points: bytes, files: Files = FILES) -> bytes:
    """Make a wheel with an entry_points.txt."""
    return wheel({**files, INFO + b"entry_points.txt": entry_points})


def wheel_recorded(change: Callable[[list[Row]], Iterable[Row]], files: Files = FILES) -> bytes:
    """Make a wheel whose RECORD is changed."""
    return wheel_recording(record(change(rows(files))), files)


def wheel_recording(data: bytes, files: Files = FILES) -> bytes:
    return archive([*listed(files)[:-1], Entry(name=INFO + b"RECORD", data=data)])


def without(*paths: bytes) -> Files:
    return {path: data for path, data in FILES.items() if path not in paths}


def renamed(change: Callable[[bytes], bytes]) -> bytes:
    """Make a wheel one path of which is changed, in RECORD too."""
    return wheel({change(path) if path == DATA else path: data for path, data in FILES.items()})


def instead(path: bytes, *, digest: bytes | None = None, size: bytes | None = None) -> bytes:
    """Make a wheel whose RECORD has another digest or size for a path."""

    def change(lines: list[Row]) -> Iterable[Row]:
        for place, right, length in lines:
            if place == path:
                yield place, right if digest is None else digest, length if size is None else size
            else:
                yield place, right, length

    return wheel_recorded(change)


# Zip structure


def only_local() -> bytes:
    hidden = Entry(name=b"demo/hidden.py", data=b"import os\n", listed=False)
    first, *others = listed()
    return archive([first, hidden, *others])


def only_local_at_the_end() -> bytes:
    return archive([*listed(), Entry(name=b"demo/hidden.py", data=b"import os\n", listed=False)])


def only_central() -> bytes:
    files = {**FILES, b"demo/nowhere.py": b""}
    return archive(replace(entry, present=entry.name != b"demo/nowhere.py") for entry in listed(files))


def one_header_two_names() -> bytes:
    """The central directory gives a second name to the bytes of an entry, which RECORD knows by both names."""
    files = {b"demo/a.txt": b"same", b"demo/b.txt": b"same", **FILES}
    first, second, *others = listed(files)
    return archive([first, replace(second, present=False, central={"offset": 0}), *others])


def quoted_overlap() -> bytes:
    """David Fifield's bomb: the data of an entry holds the local headers of those after it ("A better zip bomb")."""
    kernel = Entry(name=b"demo/b.txt", data=bytes(50_000), method=DEFLATED)
    whole = kernel.local_part()
    header = whole.removesuffix(kernel.bytes_packed)
    quote = struct.pack("<B2H", 0, len(header), len(header) ^ 0xFFFF)  # "so many bytes as they are", then more follows
    size: Mapping[str, int] = {"packed": len(quote + whole)}
    quoting = Entry(
        name=b"demo/a.txt", data=header + kernel.data, method=DEFLATED, packed=quote, local=size, central=size
    )
    files = {quoting.name: quoting.data, kernel.name: kernel.data, **FILES}
    return archive([quoting, kernel, *listed(files)[2:]])


def same_entry_many_times() -> bytes:
    """A full overlap: a thousand names for one megabyte of zeros."""
    data = bytes(1024**2)
    packed = deflate(data)
    names = [b"demo/%04d.bin" % number for number in range(1000)]
    first, *others = [
        Entry(name=name, data=data, method=DEFLATED, packed=packed, central={"offset": 0}) for name in names
    ]
    return archive([first, *(replace(entry, present=False) for entry in others), *listed()])


def concatenated() -> bytes:
    """Two archives, one behind the other: which is read depends on the end one begins at."""
    return wheel({**FILES, DATA: b"the first\n"}) + wheel()


def end_in_the_comment() -> bytes:
    """The comment is itself an end record, for another central directory; who looks for the last one finds it."""
    entries = listed()
    evil = [*entries[:1], replace(entries[1], central={"name": b"demo/evil.txt"}), *entries[2:]]
    honest, other = archive(entries), archive(evil)
    # Both have the same local parts up to the directory, so the second directory can lie in the gap before the first.
    start = honest.index(b"PK\1\2")
    theirs = other[start:-22]
    ours = zips.Directory(offset=start + len(theirs), data=honest[start:-22], count=len(entries))
    hidden = zips.Directory(offset=start, data=theirs, count=len(entries))
    return honest[:start] + theirs + ours.data + end_record(ours, comment=end_record(hidden))


def signature_in_the_comment() -> bytes:
    return wheel(comment=b"harmless words, PK\5\6, and more words than an end record has bytes")


def another_directory() -> bytes:
    """A central directory that nobody is told of stands before the one that counts."""
    entries = listed()
    start = archive(entries).index(b"PK\1\2")
    return archive(entries, gap=archive(entries)[start:-22])


def zip64_disagrees() -> bytes:
    """Both end records are whole and name different directories."""
    entries = listed()
    honest = archive(entries)
    start = honest.index(b"PK\1\2")
    line = len(honest[start:-22])
    first_line = 46 + len(entries[0].name)
    return archive(entries, zip64={"offset": start + first_line, "size": line - first_line, "count": len(entries) - 1,
                                   "here": len(entries) - 1})  # fmt: skip


ALL_SENTINELS = {"disk": 0, "here": 0xFFFF, "count": 0xFFFF, "size": SENTINEL, "offset": SENTINEL}


def zip64(lies: Mapping[str, int]) -> bytes:
    return wheel(zip64=lies, end=ALL_SENTINELS)


def central_64(central: Mapping[str, int | bytes]) -> bytes:
    return wheel_with(central=central)


def descriptors(**lies: int) -> bytes:
    return wheel_but(lambda entry: streamed(replace(entry, method=DEFLATED), **lies))


def packed(change: Callable[[bytes], bytes], **more: Any) -> bytes:
    """Make a wheel one deflate stream of which is changed; headers tell the length that it then has."""
    return wheel_but(lambda entry: replace(entry, method=DEFLATED, packed=change(deflate(entry.data)), **more))


def both(**lies: int | bytes) -> bytes:
    """Make a wheel one entry of which both headers lie about, in the same words."""
    return wheel_with(local=lies, central=lies)


def unicode_path(name: bytes, said: bytes = DATA) -> bytes:
    """Give Info-ZIP's Unicode path field: a version, the CRC of the name in the header, and the name that counts."""
    return field_of(0x7075, struct.pack("<BL", 1, zlib.crc32(said)) + name)


def compressed_as(method: int, packer: Callable[[bytes], bytes]) -> bytes:
    return wheel_but(lambda entry: replace(entry, method=method, packed=packer(entry.data)))


def lzma_of(data: bytes) -> bytes:
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1}])
    return struct.pack("<2BH", 9, 4, 5) + struct.pack("<BL", 93, 8 * 1024**2) + raw


def descriptor_within() -> bytes:
    """The data of a stored entry ends early for a reader that looks for the descriptor; an entry follows for it."""
    short = b"EVIL = True\n"
    early = streamed(Entry(name=DATA, data=short)).descriptor
    data = short + early + Entry(name=b"demo/evil.py", data=b"x").local_part()
    entries = listed({**FILES, DATA: data})
    return archive(streamed(entry) if entry.name == DATA else entry for entry in entries)


def within_packed() -> bytes:
    """A deflate stream ends before its data does, and an entry follows, for a reader that goes by the stream's end.

    It is larger than what is unpacked of an upload, and packs too badly for a bomb.
    """
    data = b"".join(random.Random(n).randbytes(1024**2) + bytes(32 * 1024**2) for n in range(2)) + b"end"
    honest = streamed(Entry(name=b"demo/large.bin", data=data, method=DEFLATED))
    stream = honest.bytes_packed
    hidden = streamed(Entry(name=b"demo/evil.py", data=b"EVIL = True\n", method=DEFLATED)).local_part()
    large = streamed(replace(honest, packed=stream + honest.descriptor + hidden, descriptor=b""))
    return archive([large, *listed({large.name: data, **FILES})[1:]])


def made_by(system: int) -> bytes:
    """Make a wheel with a link whose mode another system than Unix wrote; Info-ZIP's unzip makes it all the same."""
    entries = listed({**FILES, b"demo/latest": b"../../../etc/passwd"})
    return archive(
        replace(entry, attributes=zips.SYMLINK, system=system) if entry.name == b"demo/latest" else entry
        for entry in entries
    )


def many_tags() -> bytes:
    """Give a WHEEL of some 30 kB whose tags multiply to many thousands."""
    words = [b".".join(b"a%x" % (31 * line + number) for number in range(31)) for line in range(80)]
    return wheel_tagged(WHEEL_FILE.partition(b"Tag")[0] + b"".join(b"Tag: %s-%s-any\n" % (it, it) for it in words))


def many_rows() -> bytes:
    """Give a RECORD that has as many rows as its size allows, of files that are not there."""
    lines = b"".join(b"%x,,\n" % number for number in range(3_000_000))[: 31 * 1024**2].rpartition(b"\n")[0]
    return archive([*listed()[:-1], Entry(name=INFO + b"RECORD", data=lines, method=DEFLATED)])


# Bombs


@lru_cache(maxsize=1)
def zeros_packed() -> tuple[bytes, int, bytes]:
    """Give so many zeros as a deflate stream, their CRC and the row's digest."""
    packer, crc, digest, out = zlib.compressobj(9, zlib.DEFLATED, -15), 0, hashlib.sha256(), []
    chunk = bytes(1024**2)
    for _ in range(BOMB // len(chunk)):
        out.append(packer.compress(chunk))
        crc = zlib.crc32(chunk, crc)
        digest.update(chunk)
    out.append(packer.flush())
    return b"".join(out), crc, b"sha256=" + urlsafe_b64encode(digest.digest()).rstrip(b"=")


def zeros() -> bytes:
    stream, crc, digest = zeros_packed()
    told: dict[str, int | bytes] = {"crc": crc, "size": BOMB}
    bomb = Entry(name=b"demo/zeros.bin", method=DEFLATED, packed=stream, local=told, central=told)
    recorded = record([(bomb.name, digest, b"%d" % BOMB), *rows(FILES)])
    return archive([bomb, *listed()[:-1], Entry(name=INFO + b"RECORD", data=recorded)])


def zeros_denied() -> bytes:
    """The same, but all headers say that there are a hundred bytes."""
    stream, _, _ = zeros_packed()
    return wheel_with(method=DEFLATED, packed=stream, data=bytes(100))


def many_entries() -> bytes:
    return wheel({**{b"demo/%06d" % number: b"" for number in range(MANY)}, **FILES},
                 zip64={}, end=ALL_SENTINELS)  # fmt: skip


@lru_cache(maxsize=1)
def noise() -> bytes:
    """Give a great deal of text that cannot be packed well, so that no ratio gives it away."""
    return random.Random(0).randbytes(HUGE // 2).hex().encode()


# A good sdist, and ways to make it a bad one

TOP = b"demo-1.0/"
FOLDERS = [Member(name=folder, type=tars.FOLDER, mode=b"0000755\0") for folder in (TOP, TOP + b"demo/")]
PKG_INFO = Member(name=TOP + b"PKG-INFO", data=METADATA)
SETUP = Member(name=TOP + b"setup.py", data=b"from setuptools import setup\nsetup()\n")
MODULE = Member(name=TOP + b"demo/__init__.py", data=b"VERSION = '1.0'\n")
MEMBERS = [*FOLDERS, PKG_INFO, SETUP, MODULE]
GNU_MEMBERS = [replace(member, magic=tars.GNU_MAGIC) for member in MEMBERS]


def sdist(*more: Member, members: Iterable[Member] = MEMBERS, end: bytes = bytes(1024)) -> bytes:
    return zipped(tar([*members, *more], end))


def sdist_with(**changes: Any) -> bytes:
    """Make an sdist one member of which is changed."""
    return sdist(members=[replace(member, **changes) if member is SETUP else member for member in MEMBERS])


def sdist_before(*more: Member, members: Iterable[Member] = MEMBERS) -> bytes:
    """Make an sdist with members before one of its own, about which they state something."""
    parts = ([*more, member] if member.name == SETUP.name else [member] for member in members)
    return sdist(members=chain.from_iterable(parts))


def gnu_sdist(*more: Member) -> bytes:
    """Make an sdist all headers of which are GNU tar's."""
    return sdist(*(replace(member, magic=tars.GNU_MAGIC) for member in more), members=GNU_MEMBERS)


def gnu_sdist_with(**changes: Any) -> bytes:
    """Make an sdist of GNU tar one member of which is changed."""
    return sdist(members=[replace(it, **changes) if it.name == SETUP.name else it for it in GNU_MEMBERS])


def below_a_dot() -> list[Member]:
    """Give members as of `tar c ./demo-1.0`."""
    return [replace(member, name=b"./" + member.name) for member in MEMBERS]


def link(target: bytes, type: bytes = tars.SYMLINK, name: bytes = TOP + b"latest") -> Member:  # noqa: A002
    return Member(name=name, type=type, link=target)


def sdist_saying(metadata: bytes) -> bytes:
    return sdist(members=[replace(member, data=metadata) if member is PKG_INFO else member for member in MEMBERS])


def without_metadata(*more: Member) -> bytes:
    return sdist(*more, members=[member for member in MEMBERS if member is not PKG_INFO])


def smuggled() -> bytes:
    """Who believes the header's size finds another archive's members in what is the data for the others.

    CVE-2025-62518: readers that take pax's size for the data and the header's for the way to the next header.
    """
    inner = tar([Member(name=TOP + b"evil.py", data=b"import os\n")], end=b"")
    length = b"%d" % len(inner)
    return sdist(pax((b"size", length)), Member(name=TOP + b"inner.tar", data=inner, size=octal(0)))


OLD_FOLDER = Member(
    name=TOP + b"notes/", type=tars.OLD_FILE, data=tar([Member(name=TOP + b"evil.py", data=b"import os\n")], end=b"")
)
"""A folder as it was before POSIX, by its name alone, with contents: tarfile reads those as members."""


def renamed_folder() -> bytes:
    """The header's own name is a folder's, pax's is not: who goes by the one skips no data, who by the other does."""
    return sdist(pax((b"path", TOP + b"notes.txt")), OLD_FOLDER)


def long_paths() -> bytes:
    """Give a hundred paths of half a million characters."""
    text = noise()[:1000_000]
    paths = [TOP + text[number * 1000 :][:500_000] for number in range(100)]
    return sdist(*chain.from_iterable((pax((b"path", path)), Member(name=b"x")) for path in paths))


def sdist_zip(files: Mapping[bytes, bytes] | None = None, *more: Entry) -> bytes:
    files = {TOP + b"PKG-INFO": METADATA, TOP + b"setup.py": SETUP.data} if files is None else files
    return archive([*(Entry(name=path, data=data) for path, data in files.items()), *more])


def bzipped() -> bytes:
    return bz2.compress(tar(MEMBERS))


def foreign(mode: str) -> bytes:
    """Give an sdist that tarfile wrote, for a wrong place."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as written:  # type: ignore[call-overload]
        for name, data in ((PKG_INFO.name, METADATA), (SETUP.name, SETUP.data)):
            member = tarfile.TarInfo(name.decode())
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def gzip_with(*, flags: int = 0, crc: int = 0, size: int = 0) -> bytes:
    """Give an sdist whose gzip header or trailer is changed: flags, and what is added to the CRC and to the size."""
    data = tar(MEMBERS)
    header = b"\x1f\x8b\x08" + bytes([flags, 0, 0, 0, 0, 2, 255])
    return header + deflate(data) + struct.pack("<2L", (zlib.crc32(data) + crc) % 2**32, (len(data) + size) % 2**32)


def gzip_header(flags: int, fields: bytes) -> bytes:
    """Give an sdist with these fields in its gzip header, and with a checksum of it if a flag announces one."""
    data = tar(MEMBERS)
    header = b"\x1f\x8b\x08" + bytes([flags, 0, 0, 0, 0, 0, 3]) + fields
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header + deflate(data) + struct.pack("<2L", zlib.crc32(data), len(data))


def junk() -> bytes:
    return random.Random(1).randbytes(5000)


ZIP_STRUCTURE: Mapping[str, Hostile] = {
    row: Hostile(WHEEL, make, says)
    for row, (make, says) in {
        # The two headers of an entry
        "local name differs": (lambda: wheel_with(local={"name": b"demo/evil.txt"}), "name"),
        "local name is longer": (lambda: wheel_with(local={"name": b"demo/other.txt"}), "name"),
        "local size differs": (lambda: wheel_with(local={"size": 7}), "size"),
        "local packed size differs": (lambda: wheel_with(local={"packed": 7}), "size"),
        "local CRC differs": (lambda: wheel_with(local={"crc": 7}), "crc"),
        "local method differs": (lambda: wheel_with(local={"method": DEFLATED}), "method|compress"),
        "local flags differ": (lambda: wheel_with(local={"flags": UTF8}), "flag"),
        "only the local header is encrypted": (lambda: wheel_with(local={"flags": ENCRYPTED}), "flag|encrypt"),
        "a local header without sizes": (lambda: wheel_with(local={"size": 0, "packed": 0, "crc": 0}), "size|crc"),
        # Which entries there are
        "an entry only in a local header": (only_local, "other data"),
        "a last entry only in a local header": (only_local_at_the_end, "belongs to no entry"),
        "an entry only in the central directory": (only_central, "nowhere"),
        "two names for one entry": (one_header_two_names, "overlap"),
        "the same name twice": (lambda: wheel_and(listed()[0]), "twice|duplicate|more than once"),
        "the same name with other data": (
            lambda: wheel_and(Entry(name=DATA, data=b"other")), "twice|duplicate|more than once"),
        "a file and a folder of one name": (
            lambda: wheel({b"demo/a": b"", b"demo/a/b": b"", **FILES}), "folder|more than once"),
        "a file and a folder of one name, the folder first": (
            lambda: wheel({b"demo/a/b": b"", b"demo/a": b"", **FILES}), "folder|more than once"),
        "a file and a folder entry of one name": (
            lambda: archive([Entry(name=b"demo/a/", attributes=zips.FOLDER), *listed({b"demo/a": b"", **FILES})]),
            "folder|more than once"),
        # What stands around entries
        "bytes before the first entry": (lambda: wheel(before=b"#!/bin/sh\nexit\n"), "before|begin"),
        "bytes before the archive": (
            lambda: wheel(before=b"#!/bin/sh\nexit\n", counted=False), "director|offset"),
        "bytes after the end": (lambda: wheel(after=b"more"), "behind|after"),
        "a zero byte after the end": (lambda: wheel(after=b"\0"), "behind|after"),
        "two archives, one behind the other": (concatenated, "director|offset"),
        "an end record in the comment": (end_in_the_comment, "more than one end|comment"),
        "an end record's signature in the comment": (signature_in_the_comment, "more than one end|comment"),
        "a comment that is truncated": (lambda: wheel(comment=b"a comment")[:-3], "truncated"),
        "a gap between entries": (
            lambda: wheel_with(before=b"nobody's bytes"), "gap|other data"),
        "a gap before the central directory": (
            lambda: wheel(gap=b"nobody's bytes"), "gap|belongs to no entry"),
        "a gap after the central directory": (
            lambda: wheel(gap_after=b"nobody's bytes"), "gap|director"),
        "a central directory that is not told of": (another_directory, "gap|belongs to no entry"),
        "overlapping entries": (quoted_overlap, "overlap"),
        "a thousand names for one entry": (same_entry_many_times, "overlap"),
        # The end record
        "a disk of many": (lambda: wheel(end={"disk": 1}), "disk|part|volume"),
        "a directory on another disk": (lambda: wheel(end={"directory_disk": 1}), "disk|part|volume"),
        "an entry on another disk": (lambda: wheel_with(central={"disk": 1}), "disk|part|volume"),
        "fewer entries here than in all": (lambda: wheel(end={"here": 2}), "disk|part|volume|count|entries"),
        "a count that is too low": (lambda: wheel(end={"count": 2, "here": 2}), "count|entries|director"),
        "a count that is too high": (lambda: wheel(end={"count": 20, "here": 20}), "count|entries|director"),
        "a directory that is not where it is said to be": (lambda: wheel(end={"offset": 0}), "director|offset|where"),
        "a directory one byte off": (
            lambda: wheel(end={"offset": wheel().index(b"PK\1\2") + 1}), "director|offset|where"),
        "a directory beyond the end": (lambda: wheel(end={"offset": 2**31}), "director|offset|where"),
        "a directory that is longer": (lambda: wheel(end={"size": 10_000}), "director|size"),
        "a directory that is shorter": (lambda: wheel(end={"size": 100}), "director|size"),
        "an entry beyond the end": (lambda: wheel_with(central={"offset": 2**31}), "no header|offset|beyond"),
        "no end record": (lambda: wheel()[:-22], "not a zip|truncated"),
        "the first half": (lambda: wheel()[: len(wheel()) // 2], "not a zip|truncated"),
        # zip64
        "zip64's end record names another directory": (zip64_disagrees, "zip64"),
        "zip64's end record has a length of its own": (lambda: zip64({"length": 60}), "zip64"),
        "zip64's end record is shorter than it can be": (lambda: zip64({"length": 12}), "zip64"),
        "zip64's end record is elsewhere": (lambda: zip64({"at": 0}), "zip64"),
        "zip64's end record is beyond the end": (lambda: zip64({"at": 2**40}), "zip64"),
        "zip64's archive has two disks": (lambda: zip64({"disks": 2}), "disk|part|volume|zip64"),
        "zip64's end record is on another disk": (lambda: zip64({"disk": 1}), "disk|part|volume|zip64"),
        "zip64's counts disagree": (lambda: zip64({"here": 1}), "disk|part|volume|zip64|count|entries"),
        "zip64's directory is beyond the end": (lambda: zip64({"offset": 2**62}), "zip64|director"),
        "no zip64 end record where one is announced": (
            lambda: wheel(end={"offset": SENTINEL}), "zip64|director|offset"),
        "an entry that announces zip64 and has none": (
            lambda: central_64({"size": SENTINEL, "packed": SENTINEL}), "zip64"),
        "an entry whose local header announces zip64 and has none": (
            lambda: wheel_with(local={"size": SENTINEL, "packed": SENTINEL}), "zip64|size"),
        "zip64 sizes that are not announced": (
            lambda: central_64({"extra": zip64_field(7, 7)}), "zip64|size"),
        "zip64 sizes that are not announced, in the local header": (
            lambda: wheel_with(local={"extra": zip64_field(7, 7)}), "zip64|size"),
        "zip64 twice": (
            lambda: central_64({"size": SENTINEL, "packed": SENTINEL, "extra": zip64_field(400, 400) * 2}),
            "zip64|extra|twice"),
        "zip64 twice, with different sizes": (
            lambda: central_64(
                {"size": SENTINEL, "packed": SENTINEL, "extra": zip64_field(400, 400) + zip64_field(7, 7)}),
            "zip64|extra|twice"),
        "zip64 too short": (
            lambda: central_64({"size": SENTINEL, "packed": SENTINEL, "extra": zip64_field(400)}), "zip64|extra"),
        "zip64 with a wrong offset": (
            lambda: central_64({"offset": SENTINEL, "extra": zip64_field(2**40)}), "no header|offset|beyond"),
        "zip64 sizes that differ between the headers": (
            lambda: wheel_with(local={"size": SENTINEL, "packed": SENTINEL, "extra": zip64_field(7, 7)}),
            "zip64|size"),
        # Data descriptors
        "a descriptor with a wrong CRC": (lambda: descriptors(crc=7), "descriptor|crc"),
        "a descriptor with a wrong size": (lambda: descriptors(size=7), "descriptor|size"),
        "a descriptor with a wrong packed size": (lambda: descriptors(packed=7), "descriptor|size"),
        "a descriptor that is announced and not there": (
            lambda: wheel_but(lambda entry: replace(streamed(replace(entry, method=DEFLATED)), descriptor=b"")),
            "descriptor"),
        "a descriptor that is there and not announced": (
            lambda: wheel_with(descriptor=streamed(listed()[1]).descriptor), "gap|other data|descriptor"),
        "a descriptor, and another size in the local header": (
            lambda: wheel_but(
                lambda entry: streamed(replace(entry, method=DEFLATED, local={"size": 7, "packed": 9, "crc": 3}))),
            "size|crc|descriptor"),
        "a descriptor within stored data": (descriptor_within, "descriptor|stored|compress"),
        "a descriptor, and lies in the zip64 field": (
            lambda: wheel_but(
                lambda entry: streamed(
                    replace(entry, method=DEFLATED, local={"extra": zip64_field(7, 7)}))), "zip64|size|descriptor"),
        "an entry within the packed data of a large one": (within_packed, "deflate|data|stream|descriptor|compress"),
        # Encryption, methods
        "encrypted": (lambda: wheel_with(flags=ENCRYPTED), "encrypt"),
        "strongly encrypted": (lambda: wheel_with(flags=ENCRYPTED | STRONG), "encrypt"),
        "strongly encrypted, without the first flag": (lambda: wheel_with(flags=STRONG), "encrypt|flag"),
        "masked headers": (lambda: wheel_with(flags=MASKED), "encrypt|mask|flag"),
        "patched data": (lambda: wheel_with(flags=0x20), "patch|flag"),
        "a flag that nobody knows": (lambda: wheel_with(flags=0x8000), "flag"),
        "LZMA": (lambda: compressed_as(14, lzma_of), "compress|method"),
        "bzip2": (lambda: compressed_as(12, bz2.compress), "compress|method"),
        "deflate64": (lambda: compressed_as(9, deflate), "compress|method"),
        "AES": (lambda: compressed_as(99, deflate), "compress|method"),
        "a method nobody knows": (lambda: compressed_as(0xBEEF, deflate), "compress|method"),
        # What the packed bytes are
        "bytes after a deflate stream": (lambda: packed(lambda stream: stream + b"more"), "deflate|data|stream|after"),
        "a deflate stream that is cut": (lambda: packed(lambda stream: stream[:-3]), "deflate|data|stream|short|cut"),
        "no deflate stream": (lambda: packed(lambda stream: b"\xff" * 9), "deflate|data|stream|unpack|compress"),
        "content with another CRC": (lambda: both(crc=7), "crc"),
        "packed content with another CRC": (lambda: packed(lambda stream: stream, data=b"o" * 400), "crc|size"),
        "less content than both headers say": (lambda: packed(lambda stream: stream, local={"size": 900},
                                                              central={"size": 900}), "size"),
        "more content than both headers say": (lambda: packed(lambda stream: stream, local={"size": 9},
                                                              central={"size": 9}), "size|more"),
        "stored, with two sizes": (lambda: both(size=9), "size"),
        # Extras
        "another name in a Unicode path field": (
            lambda: wheel_with(extra=unicode_path(b"demo/evil.txt")), "name|path|unicode"),
        "another name in a Unicode path field of the central header": (
            lambda: central_64({"extra": unicode_path(b"../../evil.txt")}), "name|path|unicode|extra"),
        "an extra that is longer than itself": (
            lambda: wheel_with(extra=struct.pack("<2H", 0xCAFE, 500) + b"short"), "extra"),
        "an extra that ends within a field's head": (lambda: wheel_with(extra=b"\xfe"), "extra"),
        # Names
        "a name that goes up": (lambda: renamed(lambda _: b"../evil.py"), "name|path"),
        "a name that goes up within": (lambda: renamed(lambda _: b"demo/../../evil.py"), "name|path"),
        "a name that goes up and stays": (lambda: renamed(lambda _: b"demo/../evil.py"), "name|path"),
        "a name that ends upwards": (lambda: renamed(lambda _: b"demo/.."), "name|path"),
        "an absolute name": (lambda: renamed(lambda _: b"/tmp/evil.py"), "name|path|absolute"),
        "a backslash": (lambda: renamed(lambda _: b"demo\\evil.py"), "name|path|backslash"),
        "a backslash that goes up": (lambda: renamed(lambda _: b"..\\..\\evil.py"), "name|path|backslash"),
        "a drive": (lambda: renamed(lambda _: b"C:/evil.py"), "name|path|drive"),
        "a share": (lambda: renamed(lambda _: b"//host/share/evil.py"), "name|path"),
        "a zero byte in a name": (lambda: renamed(lambda _: b"demo/ok.py\0.txt"), "character"),
        "a line break in a name": (
            lambda: wheel_recorded(lambda lines: [(b'"demo/a\nb.py"', *lines[0][1:]), *lines[1:]],
                                   {b"demo/a\nb.py": CODE[DATA], **without(DATA)}),
            "character"),
        "an escape in a name": (lambda: renamed(lambda _: b"demo/\x1b[2J.py"), "character"),
        "a next line of Latin-1 in a name": (lambda: renamed(lambda _: "demo/a\x85b.py".encode()), "character"),
        "a line separator in a name": (lambda: renamed(lambda _: "demo/a\u2028b.py".encode()), "character"),
        "a file that pip takes for a second folder": (
            lambda: wheel({**FILES, b"evil-1.0.dist-info": b""}), "evil-1.0.dist-info"),
        "an empty part in a name": (lambda: renamed(lambda _: b"demo//evil.py"), "name|path"),
        "a dot for a part of a name": (lambda: renamed(lambda _: b"demo/./evil.py"), "name|path"),
        "no name": (lambda: renamed(lambda _: b""), "name|path"),
        "a name deeper than any file system allows": (
            lambda: renamed(lambda _: b"demo/" + b"a/" * 16_000 + b"b"), "name of more|path"),
        "a name that is not UTF-8 and says it is": (
            lambda: wheel_with(flags=UTF8).replace(DATA, b"demo/d\xe4ta.txt"), "name|path|utf"),
        "a symbolic link": (
            lambda: wheel_with(attributes=zips.SYMLINK), "link"),
        "a symbolic link that escapes": (
            lambda: wheel_and(Entry(name=b"demo/latest", data=b"../../../etc/passwd", attributes=zips.SYMLINK)),
            "link"),
        **{f"a symbolic link that system {system} made": ((lambda it: lambda: made_by(it))(system), "link")
           for system in (2, 5, 16, 30)},
        "a device": (lambda: wheel_with(attributes=0o20644 << 16), "device|special|regular|kind|type"),
        "a folder with content": (
            lambda: archive([Entry(name=b"demo/", data=b"content"), *listed()]), "folder|directory"),
        # Bombs
        "a bomb of zeros": (zeros, "ratio|times|unpack|bomb|large|more"),
        "a bomb that denies it": (zeros_denied, "size|more|ratio|times"),
        "too many entries": (many_entries, "entries|files|many"),
    }.items()
}  # fmt: skip


WHEEL_CONTENT: Mapping[str, Hostile] = {
    row: Hostile(WHEEL, make, says)
    for row, (make, says) in {
        # dist-info
        "two dist-info folders": (
            lambda: wheel({**FILES, b"evil-1.0.dist-info/METADATA": METADATA}), "dist-info"),
        "two dist-info folders that differ in capitals": (
            lambda: wheel({**FILES, b"Demo-1.0.dist-info/METADATA": METADATA}), "dist-info"),
        "no dist-info folder": (lambda: archive(listed()[:2]), "dist-info|METADATA"),
        "a dist-info folder of another project": (
            lambda: wheel().replace(INFO, b"evil-1.0.dist-info/"), "dist-info"),
        "a dist-info folder of another version": (
            lambda: wheel().replace(INFO, b"demo-2.0.dist-info/"), "dist-info"),
        "METADATA twice": (lambda: wheel_and(Entry(name=INFO + b"METADATA", data=METADATA)), "METADATA"),
        "METADATA in another dist-info folder only": (
            lambda: wheel({**without(INFO + b"METADATA"), b"evil-1.0.dist-info/METADATA": METADATA}), "dist-info"),
        "no METADATA": (lambda: wheel(without(INFO + b"METADATA")), "METADATA"),
        "METADATA in small letters": (
            lambda: wheel({**without(INFO + b"METADATA"), INFO + b"metadata": METADATA}), "METADATA"),
        "METADATA that is a folder": (
            lambda: wheel({**without(INFO + b"METADATA"), INFO + b"METADATA/x": METADATA}), "METADATA"),
        **{
            f"{name} of {what}": (
                (lambda path, text: lambda: wheel({**FILES, path: text}))(INFO + name.encode(), content), name)
            for name in ("requires.txt", "uv_build.json", "uv_cache.json")
            for what, content in {"Latin-1": b"J\xf6rg", "nothing": b"", "a dependency": b"other>=1\n"}.items()
        },
        "METADATA of version 1.0 in Latin-1": (lambda: wheel_saying(OLD), "METADATA is not UTF-8"),
        "a description in Latin-1": (lambda: wheel_saying(DESCRIBED), "METADATA is not UTF-8"),
        # WHEEL
        "no WHEEL": (lambda: wheel(without(INFO + b"WHEEL")), "WHEEL"),
        "WHEEL twice": (lambda: wheel_and(Entry(name=INFO + b"WHEEL", data=WHEEL_FILE)), "WHEEL"),
        "an empty WHEEL": (lambda: wheel_tagged(b""), "Wheel-Version"),
        "no Wheel-Version": (lambda: wheel_tagged(b"Root-Is-Purelib: true\nTag: py3-none-any\n"), "Wheel-Version"),
        "Wheel-Version 2.0": (lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b"2.0")), "Wheel-Version|2.0"),
        "Wheel-Version twice": (lambda: wheel_tagged(WHEEL_FILE + b"Wheel-Version: 2.0\n"), "Wheel-Version"),
        "Wheel-Version without a first number": (
            lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b".1")), "Wheel-Version"),
        "Wheel-Version of five thousand digits": (
            lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b"1" * 5000)), "Wheel-Version"),
        "Wheel-Version that is none": (lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b"one")), "Wheel-Version"),
        "tags of another Python": (lambda: wheel_tagged(WHEEL_FILE.replace(b"py3", b"cp27")), "tag"),
        "a tag that is none": (lambda: wheel_tagged(WHEEL_FILE.replace(b"py3-none-any", b"whatever")), "tag"),
        "a tag of characters that none has": (
            lambda: wheel_tagged(WHEEL_FILE.replace(b"py3-", b"py!3-")), "tag"),
        "tags in great number": (many_tags, "tag"),
        # RECORD
        "no RECORD": (lambda: archive(listed()[:-1]), "RECORD"),
        "RECORD twice": (lambda: wheel_and(Entry(name=INFO + b"RECORD", data=b"")), "RECORD"),
        "an empty RECORD": (lambda: wheel_recording(b""), "RECORD"),
        "a file that RECORD lacks": (lambda: wheel_recorded(lambda lines: lines[1:]), "RECORD"),
        "a row without its file": (
            lambda: wheel_recorded(lambda lines: [(b"demo/gone.py", digest_of(b""), b"0"), *lines]), "RECORD"),
        "a row that goes up": (
            lambda: wheel_recorded(lambda lines: [(b"../../evil.py", digest_of(b""), b"0"), *lines]), "RECORD"),
        "a row with an absolute path": (
            lambda: wheel_recorded(lambda lines: [(b"/etc/passwd", digest_of(b""), b"0"), *lines]), "RECORD"),
        "a row twice": (lambda: wheel_recorded(lambda lines: [lines[0], *lines]), "RECORD"),
        "a row twice, with two digests": (
            lambda: wheel_recorded(lambda lines: [(lines[0][0], digest_of(b"evil"), lines[0][2]), *lines]), "RECORD"),
        "a wrong size": (lambda: instead(DATA, size=b"7"), "RECORD|size"),
        "a size that is none": (lambda: instead(DATA, size=b"four hundred"), "RECORD|size"),
        "a negative size": (lambda: instead(DATA, size=b"-400"), "RECORD|size"),
        "a wrong hash": (lambda: instead(DATA, digest=digest_of(b"other")), "RECORD|hash|sha256"),
        "a wrong hash of METADATA": (
            lambda: instead(INFO + b"METADATA", digest=digest_of(b"other")), "RECORD|hash|sha256"),
        "no hash": (lambda: instead(DATA, digest=b""), "RECORD|hash"),
        "no hash of METADATA": (lambda: instead(INFO + b"METADATA", digest=b"", size=b""), "RECORD|hash"),
        "MD5": (lambda: wheel_recorded(lambda _: rows(FILES, "md5")), "md5|kind"),
        "SHA-1": (lambda: wheel_recorded(lambda _: rows(FILES, "sha1")), "sha1|kind"),
        "a hash nobody knows": (lambda: instead(DATA, digest=b"crc32=AAAAAA"), "crc32|hash|RECORD"),
        "a hash that is none": (lambda: instead(DATA, digest=b"sha256"), "RECORD|hash"),
        "a wrong hash in hexadecimal": (
            lambda: instead(DATA, digest=b"sha256=" + hashlib.sha256(b"other").hexdigest().encode()),
            "RECORD|hash|sha256"),
        "a row of two columns": (
            lambda: wheel_recording(record(rows(FILES)).replace(b",16\n", b"\n")), "RECORD"),
        "a row of four columns": (
            lambda: wheel_recording(record(rows(FILES)).replace(b",16\n", b",16,more\n")), "RECORD"),
        "a RECORD that is not UTF-8": (lambda: wheel_recording(record(rows(FILES)) + b"\xe4,,\n"), "RECORD"),
        "a second row behind a form feed, in RECORD's own": (
            lambda: wheel_recorded(lambda lines: [*lines[:-1], (lines[-1][0], b"=\x0csix.py", b"")]), "RECORD"),
        "a second row behind a line separator, in a digest": (
            lambda: instead(DATA, digest=digest_of(CODE[DATA]) + "\u2028six.py".encode()), "RECORD"),
        "a digest of no kind, in RECORD's own row": (
            lambda: wheel_recorded(lambda lines: [*lines[:-1], (lines[-1][0], b"=x", b"")]), "RECORD"),
        "an empty line in RECORD, where pip ends": (lambda: wheel_recording(record(rows(FILES)) + b"\n"), "RECORD"),
        "a zero byte in RECORD": (lambda: wheel_recording(record(rows(FILES)) + b"\0\n"), "RECORD"),
        "a quote in RECORD that never ends": (lambda: wheel_recording(b'"' + record(rows(FILES))), "RECORD"),
        "a huge field in RECORD": (
            lambda: wheel_recording(record([(b"demo/" + b"a" * 200_000, b"", b""), *rows(FILES)])), "RECORD"),
        # Sizes
        "a huge METADATA": (lambda: wheel_saying(METADATA + b"\n" + noise()), "METADATA"),
        "a huge WHEEL": (lambda: wheel_tagged(WHEEL_FILE + b"\n" + noise()), "WHEEL"),
        "a RECORD of a great many rows": (many_rows, "RECORD"),
        "a huge RECORD": (
            lambda: wheel_recording(record((b"demo/%x" % number, b"", b"") for number in range(HUGE // 16)) + noise()),
            "RECORD"),
    }.items()
}  # fmt: skip

# What entry_points.txt would install

_STARTING: Mapping[str, bytes] = {
    "a script that goes up": b"[console_scripts]\n../../outside = demo:f\n",
    "a script with an absolute path": b"[console_scripts]\n/tmp/x = demo:f\n",
    "a script in a folder": b"[console_scripts]\na/b = demo:f\n",
    "a script with a backslash": b"[gui_scripts]\n..\\x = demo:f\n",
    "a script that is its folder": b"[console_scripts]\n. = demo:f\n",
    "a script that is the folder above": b"[gui_scripts]\n.. = demo:f\n",
    "a script with white space in its name": b"[console_scripts]\nx y = demo:f\n",
    "a script with letters beyond ASCII": "[console_scripts]\nx\u00e9 = demo:f\n".encode(),
    "a script named as the interpreter": b"[console_scripts]\npython = demo:f\n",
    "a script that is no object": b"[console_scripts]\nx = demo\n",
    "a second name in a value": b"[console_scripts]\nx = /../../../y=demo:f\n",
    "a script behind a carriage return": b"[console_scripts]\nx = demo:f\r../y = demo:f\n",
    "a script behind a line separator": "[console_scripts]\nx = demo:f\u2028../y = demo:f\n".encode(),
    "a script in a continued value": b"[console_scripts]\nx = demo:f\n  ../y = demo:f\n",
    "a script behind a semicolon": b"[console_scripts]\n;../y = demo:f\n",
    "a section in two brackets": b"[[console_scripts]]\n../x = demo:f\n",
    "a section with text after it": b"[console_scripts] more\n../x = demo:f\n",
    "names for all sections": b"[DEFAULT]\n../x = demo:f\n[console_scripts]\n",
    "a name before the first section": b"x = demo:f\n[console_scripts]\n",
    "a section twice": b"[console_scripts]\nx = demo:f\n[console_scripts]\ny = demo:f\n",
    "a name twice": b"[console_scripts]\nx = demo:f\nx = demo:g\n",
    "a name twice in another group": b"[other]\nx = demo:f\nx = demo:g\n",
    "a colon for an equals sign": b"[console_scripts]\nx : demo:f\n",
    "a line without an equals sign": b"[console_scripts]\nx\n",
    "an empty name": b"[console_scripts]\n= demo:f\n",
    "a byte order mark": b"\xef\xbb\xbf[console_scripts]\nx = demo:f\n",
    "Latin-1": b"[console_scripts]\nx = demo:f\n# \xe9\n",
    "a zero byte": b"[console_scripts]\nx\0y = demo:f\n",
    "a console and a gui script of one name": b"[console_scripts]\nx = demo:f\n[gui_scripts]\nx = demo:g\n",
    "two scripts of one name, ignoring case": b"[console_scripts]\nX = demo:f\nx = demo:g\n",
    "too long": b"[other]\n" + b"".join(b"name%d = demo:f\n" % number for number in range(10_000)),
}

STARTING: Mapping[str, Hostile] = {
    **{
        row: Hostile(WHEEL, (lambda it: lambda: wheel_starting(it))(data), r"entry_points\.txt")
        for row, data in _STARTING.items()
    },
    "a script over a script of the data folder": Hostile(
        WHEEL,
        lambda: wheel_starting(b"[console_scripts]\nx = demo:f\n", {**FILES, b"demo-1.0.data/scripts/x": b""}),
        r"entry_points\.txt",
    ),
    "a script over a file in bin": Hostile(
        WHEEL,
        lambda: wheel_starting(b"[console_scripts]\nx = demo:f\n", {**FILES, b"demo-1.0.data/data/bin/x": b""}),
        r"entry_points\.txt",
    ),
}

# Where installers would put what lies in a wheel

_PLACED: Mapping[str, tuple[bytes, str]] = {
    "other metadata": (
        b"demo-1.0.data/purelib/demo-1.0.dist-info/METADATA", "purelib/demo-1.0.dist-info"),
    "other metadata, by case": (
        b"demo-1.0.data/platlib/Evil-1.0.Dist-Info/METADATA", "platlib/Evil-1.0.Dist-Info"),
    "a file's place": (b"demo-1.0.data/purelib/demo/data.txt", "demo/data.txt"),
    "a folder's place": (b"demo-1.0.data/platlib/demo", "more than once"),
    "of another name": (b"evil.data/purelib/x.py", "evil.data"),
    "of an equal version": (b"demo-1.0.0.data/purelib/x.py", "demo-1.0.0.data"),
    "by case": (b"Demo-1.0.data/purelib/x.py", "Demo-1.0.data"),
    "a scheme that nobody knows": (b"demo-1.0.data/foo/x.py", "data/foo"),
    "a scheme in capitals": (b"demo-1.0.data/PURELIB/x.py", "data/PURELIB"),
    "no scheme": (b"demo-1.0.data/x.py", "data/x.py"),
    "that is a file": (b"demo-1.0.data", "demo-1.0.data"),
    "that is a file of another name": (b"x.data", "x.data"),
    "a folder of scripts": (b"demo-1.0.data/scripts/a/b", "scripts/a/b"),
}  # fmt: skip

PLACED: Mapping[str, Hostile] = {
    f"data folder: {row}": Hostile(WHEEL, (lambda it: lambda: wheel({**FILES, it: b""}))(place), says)
    for row, (place, says) in _PLACED.items()
}

# What core metadata says, in a wheel and in an sdist

_SAYING: Mapping[str, tuple[bytes, str]] = {
    "no Name": (METADATA.replace(b"Name: demo\n", b""), "name"),
    "an empty Name": (METADATA.replace(b"demo", b""), "name"),
    "Name twice": (METADATA.replace(b"Name: demo\n", b"Name: demo\nName: evil\n"), "name"),
    "Name twice, the same": (METADATA.replace(b"Name: demo\n", b"Name: demo\nname: demo\n"), "name"),
    "another Name": (METADATA.replace(b"demo", b"evil"), "name|evil"),
    "a Name that is none": (METADATA.replace(b"demo", b"../demo"), r"\.\./demo"),
    "no Version": (METADATA.replace(b"Version: 1.0\n", b""), "version"),
    "an empty Version": (METADATA.replace(b"1.0", b""), "version"),
    "Version twice": (METADATA.replace(b"\nVersion: 1.0\n", b"\nVersion: 1.0\nVersion: 2.0\n"), "version"),
    "another Version": (METADATA.replace(b"1.0", b"2.0"), "version|2.0"),
    "a Version that is none": (METADATA.replace(b"1.0", b"one"), "version|one"),
    "no Metadata-Version": (METADATA.replace(b"Metadata-Version: 2.1\n", b""), "metadata-version"),
    "Metadata-Version twice": (b"Metadata-Version: 2.4\n" + METADATA, "metadata-version"),
    "Metadata-Version that is none": (METADATA.replace(b"2.1", b"new"), "metadata-version"),
    "Requires-Python twice": (METADATA + b"Requires-Python: >=3\nRequires-Python: <3\n", "requires-python"),
    "a control character in Requires-Python": (METADATA + b"Requires-Python: >=\x1b3\n", "requires-python|character"),
    "a blank after Name": (METADATA.replace(b"demo\n", b"demo \n"), "demo "),
    "a mailbox's line": (METADATA + b"From x\nRequires-Python: >=99\n", "From"),
    "an encoded word in Requires-Python": (METADATA + b"Requires-Python: =?utf-8?q?=3E=3D99?=\n", "requires-python"),
    "an encoded word in a dependency": (
        METADATA + b'Requires-Dist: evil; python_version >= "=?utf-8?Q?3?="\n',
        "requires-dist",
    ),
    "an encoded extra": (METADATA + b"Provides-Extra: =?utf-8?b?eA==?=\n", "provides-extra"),
    "an encoded word in Dynamic": (METADATA + b"Dynamic: =?utf-8?q?Requires-Dist?=\n", "dynamic"),
    "a vertical tab after Version": (METADATA.replace(b"1.0\n", b"1.0\x0b\n"), "version"),
    "a Requires-Python that is text": (METADATA + b"Requires-Python: Python 3, please\n", "requires-python.*'Python 3"),
    "a Requires-Python without an operator": (METADATA + b"Requires-Python: 3.6\n", "requires-python: '3.6'"),
    "a Requires-Python of one compatible number": (METADATA + b"Requires-Python: ~=3\n", "requires-python: '~=3'"),
    "a Requires-Dist that is text": (METADATA + b"Requires-Dist: the other one\n", "requires-dist: 'the other one'"),
    "a Requires-Dist with half a marker": (
        METADATA + b"Requires-Dist: x; python_version >\n",
        "requires-dist: 'x; python_version",
    ),
    "a Requires-Dist without a version": (METADATA + b"Requires-Dist: x>=\n", "requires-dist: 'x>='"),
    "an empty Requires-Dist": (METADATA + b"Requires-Dist:\n", "requires-dist"),
    "nothing": (b"", "name|metadata"),
    "no header": (b"\n" + METADATA, "name|metadata"),
}

SAYING: Mapping[str, Hostile] = {
    **{f"METADATA: {row}": Hostile(WHEEL, (lambda it: lambda: wheel_saying(it))(data), says)
       for row, (data, says) in _SAYING.items()},
    **{f"PKG-INFO: {row}": Hostile(SDIST, (lambda it: lambda: sdist_saying(it))(data), says)
       for row, (data, says) in _SAYING.items()},
}  # fmt: skip

TARS: Mapping[str, Hostile] = {
    row: Hostile(SDIST, make, says)
    for row, (make, says) in {
        # gzip
        "not gzip": (lambda: b"not gzip at all" * 100, "gzip"),
        "a tar that is not packed": (lambda: tar(MEMBERS), "gzip"),
        "a bzip2 tar": (bzipped, "gzip"),
        "a zip": (sdist_zip, "gzip"),
        "two gzip members": (
            lambda: zipped(tar(MEMBERS)[:1024]) + zipped(tar(MEMBERS)[1024:]), "behind|after|member"),
        "a second gzip member of nothing": (lambda: sdist() + zipped(b""), "behind|after|member"),
        "bytes after gzip's": (lambda: sdist() + b"more", "behind|after"),
        "bytes after zeros after gzip's": (lambda: sdist() + bytes(600_000) + b"more", "behind|after"),
        "gzip cut in the middle": (lambda: sdist()[: len(sdist()) // 2], "gzip|truncated|short|end"),
        "gzip cut in its trailer": (lambda: sdist()[:-3], "gzip|truncated|short|end"),
        "gzip with a wrong CRC": (lambda: gzip_with(crc=1), "crc|check|gzip"),
        "gzip with a wrong length": (lambda: gzip_with(size=1), "length|size|check|gzip"),
        "gzip with a reserved flag": (lambda: gzip_with(flags=0x80), "gzip|flag"),
        "gzip of nothing": (lambda: zipped(b""), "two blocks"),
        "gzip of no tar": (lambda: zipped(junk()), "tar|header|checksum"),
        "gzip of a zip": (lambda: zipped(sdist_zip()), "tar|header|checksum"),
        "gzip of a short block": (lambda: zipped(tar(MEMBERS)[:100]), "tar|header|short|truncated|end"),
        # Where members go
        "an absolute path": (lambda: sdist(Member(name=b"/tmp/evil.py")), "path|name|absolute|folder"),
        "a path that goes up": (lambda: sdist(Member(name=TOP + b"../../evil.py")), "path|name"),
        "a path that goes up and stays": (lambda: sdist(Member(name=TOP + b"demo/../evil.py")), "path|name"),
        "a path that is the folder above": (lambda: sdist(Member(name=b"..", type=tars.FOLDER)), "path|name"),
        "a backslash": (lambda: sdist(Member(name=TOP + b"..\\..\\evil.py")), "path|name|backslash"),
        "a drive": (lambda: sdist(Member(name=b"C:/evil.py")), "path|name|drive|folder"),
        "a line break in a name": (lambda: sdist(Member(name=TOP + b"a\nb")), "path|name|character"),
        "no name": (lambda: sdist(Member(name=b"")), "path|name"),
        "a prefix that goes up": (lambda: sdist(Member(name=b"evil.py", prefix=b"demo-1.0/../..")), "path|name"),
        "a pax path that goes up": (
            lambda: sdist_before(pax((b"path", b"demo-1.0/../../evil.py"))), "path|name"),
        "an absolute pax path": (lambda: sdist_before(pax((b"path", b"/tmp/evil.py"))), "path|name|absolute|folder"),
        "a zero byte in a pax path": (
            lambda: sdist_before(pax((b"path", b"demo-1.0/setup.py\0.txt"))), "path|name|character|pax"),
        "a GNU name that goes up": (
            lambda: sdist_before(long_name(b"demo-1.0/../../evil.py"), members=GNU_MEMBERS), r"path.*\.\."),
        "another name in a sparse file's pax header": (
            lambda: sdist_before(pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                                     (b"GNU.sparse.name", b"../../evil.py"), (b"GNU.sparse.realsize", b"1"))),
            "sparse|pax|name|path"),
        "a global pax header that renames all": (
            lambda: sdist(members=[pax((b"path", b"demo-1.0/evil.py"), type=tars.PAX_GLOBAL), *MEMBERS]),
            "pax|global|path|twice"),
        # Links
        "a symbolic link that goes up": (lambda: sdist(link(b"../../etc/passwd")), "link"),
        "a symbolic link to the folder above": (lambda: sdist(link(b"..")), "link"),
        "an absolute symbolic link": (lambda: sdist(link(b"/etc/passwd")), "link"),
        "a symbolic link that goes out and in": (lambda: sdist(link(b"../../x/demo-1.0/setup.py")), "link"),
        "a symbolic link in pax that goes up": (
            lambda: sdist(pax((b"linkpath", b"../../etc/passwd")), link(b"setup.py")), "link"),
        "a symbolic link in a GNU name that goes up": (
            lambda: gnu_sdist(long_name(b"../../etc/passwd", tars.GNU_LINK), link(b"setup.py")), r"link.*\.\."),
        "a symbolic link with a backslash": (lambda: sdist(link(b"..\\..\\evil")), "link"),
        "a symbolic link to nothing": (lambda: sdist(link(b"")), "link"),
        "a hard link that goes up": (lambda: sdist(link(b"demo-1.0/../../evil", tars.HARD_LINK)), "link"),
        "an absolute hard link": (lambda: sdist(link(b"/etc/passwd", tars.HARD_LINK)), "link"),
        "a hard link to another folder": (lambda: sdist(link(b"other/evil", tars.HARD_LINK)), "link"),
        "a hard link to what is not there": (lambda: sdist(link(b"demo-1.0/gone", tars.HARD_LINK)), "link"),
        "a hard link to what comes later": (
            lambda: sdist(link(b"demo-1.0/late", tars.HARD_LINK), Member(name=TOP + b"late")), "link"),
        "a path through a symbolic link": (
            lambda: sdist(link(b"demo"), Member(name=TOP + b"latest/evil.py")), "link|more than once"),
        "a path through a symbolic link that follows": (
            lambda: sdist(Member(name=TOP + b"latest/evil.py"), link(b"demo")), "link|more than once"),
        "links that escape together": (
            lambda: sdist(link(b"demo", name=TOP + b"a"), link(b"a/../..", name=TOP + b"b")), "link"),
        "a file in a link's place": (
            lambda: sdist(link(b"setup.py"), Member(name=TOP + b"latest")), "link|more than once"),
        "two links of one name": (lambda: sdist(link(b"setup.py"), link(b"demo")), "link|more than once"),
        "a hard link to itself": (lambda: sdist(link(TOP + b"latest", tars.HARD_LINK)), "link"),
        "hard links to each other": (
            lambda: sdist(link(TOP + b"a", tars.HARD_LINK, TOP + b"b"), link(TOP + b"b", tars.HARD_LINK, TOP + b"a")),
            "link"),
        "PKG-INFO that is a link": (
            lambda: without_metadata(Member(name=TOP + b"info", data=METADATA), link(b"info", name=PKG_INFO.name)),
            "PKG-INFO"),
        "PKG-INFO that is a hard link": (
            lambda: without_metadata(
                Member(name=TOP + b"info", data=METADATA), link(b"demo-1.0/info", tars.HARD_LINK, PKG_INFO.name)),
            "PKG-INFO"),
        # Kinds of members
        "a character device": (lambda: sdist(Member(name=TOP + b"null", type=tars.CHARACTER)), "device"),
        "a block device": (lambda: sdist(Member(name=TOP + b"disk", type=tars.BLOCK_DEVICE)), "device"),
        "a fifo": (lambda: sdist(Member(name=TOP + b"fifo", type=tars.FIFO)), "fifo|pipe|device|special|kind|type"),
        "a sparse file": (
            lambda: gnu_sdist(Member(name=TOP + b"sparse", type=tars.GNU_SPARSE)), "has the type"),
        "a part of another volume": (
            lambda: gnu_sdist(Member(name=TOP + b"part", type=tars.GNU_VOLUME)), "has the type"),
        "a kind nobody knows": (lambda: sdist(Member(name=TOP + b"what", type=b"Z")), "kind|type"),
        # Numbers
        "a wrong checksum": (lambda: sdist_with(checksum=b"000123\0 "), "checksum|header"),
        "a checksum that is none": (lambda: sdist_with(checksum=b"what ?\0 "), "checksum|header|number"),
        "a size that is none": (lambda: sdist_with(size=b"forty bytes\0"), "size|number|header"),
        "a size of 8 and 9": (lambda: sdist_with(size=b"00000000089\0"), "size|number|header"),
        "two sizes in one field": (lambda: sdist_with(size=b"0000045 001\0"), "size|number|header"),
        "a time that tarfile takes for the end": (
            lambda: sdist(Member(name=TOP + b"unseen.py", mtime=b"x")), "number|header"),
        "a negative size": (lambda: gnu_sdist_with(size=base_256(-512)), "size|number|header"),
        "a size beyond the end": (lambda: sdist_with(size=octal(10_000_000)), "size|end|short|truncated"),
        "a size beyond all ends": (lambda: gnu_sdist_with(size=base_256(2**70)), "size|end|short|truncated|large"),
        "another size in pax": (lambda: sdist_before(pax((b"size", b"5"))), "size"),
        "nothing in the header, a size in pax": (smuggled, "size"),
        "a size in a global pax header": (
            lambda: sdist(members=[pax((b"size", b"37"), type=tars.PAX_GLOBAL), *MEMBERS]), "size|global|pax"),
        "a size that is none in pax": (lambda: sdist_before(pax((b"size", b"-1"))), "size|pax"),
        "a folder with content": (
            lambda: sdist(replace(FOLDERS[1], name=TOP + b"more/", data=MODULE.blocks())),
            "folder|directory|size|not a file"),
        "a symbolic link with content": (
            lambda: sdist(replace(link(b"setup.py"), data=MODULE.blocks())), "link|size|not a file"),
        "a hard link with content": (
            lambda: sdist(replace(link(b"demo-1.0/setup.py", tars.HARD_LINK), data=MODULE.blocks())),
            "link|size|not a file"),
        "a file whose name ends in a slash": (
            lambda: sdist(Member(name=TOP + b"more/", type=tars.OLD_FILE, data=MODULE.blocks())),
            "folder|directory|size|not a file"),
        "a file that was a folder before pax renamed it": (renamed_folder, "folder|directory|size|not a file"),
        "a file that was a folder before GNU's name": (
            lambda: gnu_sdist(long_name(TOP + b"notes.txt"), OLD_FOLDER),
            "folder|directory|size|not a file"),
        # Extended headers
        "a pax record with a length of its own": (
            lambda: sdist_before(replace(pax(), data=b"99 path=demo-1.0/x\n")), "pax|extended header"),
        "a pax record without an equals sign": (
            lambda: sdist_before(replace(pax(), data=b"8 path x\n")), "pax|extended header"),
        "a pax path twice": (
            lambda: sdist_before(pax((b"path", b"demo-1.0/a.py"), (b"path", b"demo-1.0/b.py"))), "pax|twice|path"),
        "two pax headers for one member": (
            lambda: sdist_before(pax((b"path", b"demo-1.0/a.py")), pax((b"path", b"demo-1.0/b.py"))),
            "pax|extended header"),
        "a pax path and a GNU name": (
            lambda: sdist_before(pax((b"path", b"demo-1.0/a.py")), long_name(b"demo-1.0/b.py")), "format"),
        "two GNU names for one member": (
            lambda: sdist_before(
                long_name(b"demo-1.0/a.py"), long_name(b"demo-1.0/b.py"), members=GNU_MEMBERS), "extended header"),
        "a pax header for nothing": (lambda: sdist(pax((b"path", b"demo-1.0/a.py"))), "pax|header"),
        "a huge pax header": (lambda: sdist_before(pax((b"comment", bytes(HUGE)))), "extended header"),
        "a huge global pax header": (
            lambda: sdist_before(pax((b"comment", noise()), type=tars.PAX_GLOBAL)), "extended header"),
        "a huge GNU name": (
            lambda: sdist_before(long_name(TOP + b"a" * HUGE), members=GNU_MEMBERS), "extended header|long"),
        "a path deeper than any file system allows": (
            lambda: sdist_before(pax((b"path", TOP + b"a/" * 16_000 + b"b"))), "path"),
        "a path with more dots than any": (lambda: sdist_before(pax((b"path", b"./" * 20_000 + TOP + b"b"))), "path"),
        "long paths in great number": (long_paths, "path"),
        "a pax header that says it is huge": (
            lambda: sdist_before(replace(pax((b"comment", b"b")), size=b"77777777777\0")), "extended header"),
        # What pip or uv cannot read; `test_tar_readers` has all forms, and compares them with both
        "a dot before every path": (lambda: sdist(members=below_a_dot()), r"'\./'"),
        "a dot before every path, and a folder for it": (
            lambda: sdist(members=[Member(name=b"./", type=tars.FOLDER), *below_a_dot()]), r"'\./'"),
        "a folder that is a dot": (lambda: sdist(members=[Member(name=b".", type=tars.FOLDER), *MEMBERS]), r"'\./'"),
        "a dot before one path": (lambda: sdist(Member(name=b"./demo-1.0/a.py")), r"'\./'"),
        "a dot before the target of a hard link": (
            lambda: sdist(link(b"./" + SETUP.name, tars.HARD_LINK)), r"'\./'"),
        "a name that is not UTF-8": (lambda: sdist(Member(name=TOP + b"gr\xf6\xdfe")), "utf-8"),
        "a target that is not UTF-8": (lambda: sdist(link(b"gr\xf6\xdfe")), "utf-8"),
        "a GNU name that is not UTF-8": (
            lambda: gnu_sdist(long_name(TOP + b"gr\xf6\xdfe" * 40), Member(name=b"short")), "utf-8"),
        "a pax owner that is not UTF-8": (lambda: sdist_before(pax((b"uname", b"J\xf6rg"))), "uname.*utf-8"),
        "a GNU name in POSIX headers": (
            lambda: sdist(long_name(TOP + b"long/" * 60 + b"x"), Member(name=b"short")), "format"),
        "a GNU link in POSIX headers": (
            lambda: sdist(long_name(b"long/" * 60, tars.GNU_LINK), link(b"short")), "format"),
        "a GNU header among POSIX headers": (
            lambda: sdist(Member(name=TOP + b"other", magic=tars.GNU_MAGIC)), "format"),
        "a pax header among GNU headers": (
            lambda: gnu_sdist(pax((b"mtime", b"1.5")), Member(name=TOP + b"x")), "format"),
        "headers from before POSIX": (
            lambda: sdist(members=[replace(it, magic=tars.NO_MAGIC, type=tars.OLD_FILE) for it in MEMBERS]), "magic"),
        "an owner in base 256 in POSIX headers": (lambda: sdist_with(uid=base_256(2**40)[-8:]), "uid.*number"),
        "a size in base 256 in POSIX headers": (lambda: sdist_with(size=base_256(len(SETUP.data))), "size.*number"),
        "a time below zero": (lambda: gnu_sdist_with(mtime=base_256(-1)), "mtime.*number"),
        "a time of blanks": (lambda: sdist_with(mtime=b" " * 12), "mtime.*number"),
        "a number with blanks before it": (lambda: sdist_with(uid=b"     0 \0"), "uid.*number"),
        "a number that fills its field": (lambda: sdist_with(mtime=b"1" * 12), "mtime.*number"),
        "a keyword of no standard": (lambda: sdist_before(pax((b"RHT.security.selinux", b"x"))), "RHT"),
        "a pax time below zero": (lambda: sdist_before(pax((b"mtime", b"-1.5"))), "mtime.*number"),
        "a pax owner that is no number": (lambda: sdist_before(pax((b"uid", b"me"))), "uid.*number"),
        "a pax keyword twice": (lambda: sdist_before(pax((b"mtime", b"1"), (b"mtime", b"2"))), "two records"),
        "a pax header without records": (lambda: sdist_before(pax()), "without records"),
        "two pax headers in a row": (
            lambda: sdist_before(pax((b"mtime", b"1")), pax((b"uid", b"2"))), "two extended headers"),
        "a file with the target of a link": (lambda: sdist(Member(name=TOP + b"x", link=b"y")), "target"),
        "one block at the end": (lambda: sdist(end=bytes(512)), "two blocks"),
        "no end": (lambda: sdist(end=b""), "two blocks"),
        "a checksum of the gzip header": (lambda: gzip_header(2, b""), "gzip header"),
        # Which members there are
        "a member twice": (lambda: sdist(SETUP), "twice|duplicate|more than once"),
        "a member twice, through pax": (
            lambda: sdist(pax((b"path", SETUP.name)), Member(name=TOP + b"other.py")),
            "twice|duplicate|more than once"),
        "a file and a folder of one name": (
            lambda: sdist(Member(name=TOP + b"a"), Member(name=TOP + b"a/b")), "folder|more than once"),
        "a file and a folder of one name, the folder first": (
            lambda: sdist(Member(name=TOP + b"a/b"), Member(name=TOP + b"a")), "folder|more than once"),
        "PKG-INFO twice": (lambda: sdist(PKG_INFO), "PKG-INFO"),
        "PKG-INFO twice, with two texts": (
            lambda: sdist(replace(PKG_INFO, data=METADATA.replace(b"Summary", b"Home-page"))), "PKG-INFO"),
        "no PKG-INFO": (without_metadata, "PKG-INFO"),
        "PKG-INFO that is deeper only": (
            lambda: without_metadata(replace(PKG_INFO, name=TOP + b"demo.egg-info/PKG-INFO")), "PKG-INFO"),
        "PKG-INFO that is a folder": (
            lambda: without_metadata(Member(name=PKG_INFO.name + b"/", type=tars.FOLDER)), "PKG-INFO"),
        "PKG-INFO in a second top folder": (
            lambda: without_metadata(replace(PKG_INFO, name=b"evil-1.0/PKG-INFO")), "PKG-INFO|folder"),
        "PKG-INFO beside the top folder": (
            lambda: without_metadata(replace(PKG_INFO, name=b"PKG-INFO")), "PKG-INFO|folder"),
        "two top folders": (lambda: sdist(Member(name=b"evil-1.0/setup.py")), "folder|top"),
        "a file beside the top folder": (lambda: sdist(Member(name=b"setup.cfg")), "folder|top"),
        # The end
        "bytes after the end": (lambda: sdist(end=bytes(1024) + b"more" * 128), "behind|after"),
        "an archive after the end": (
            lambda: sdist(end=bytes(1024) + tar([Member(name=TOP + b"evil.py")])), "behind|after"),
        "a member after one block of zeros": (
            lambda: sdist(end=bytes(512) + tar([Member(name=TOP + b"evil.py")])), "behind|after"),
        "the end in the middle of a member": (
            lambda: zipped(tar([*MEMBERS, Member(name=TOP + b"long", data=b"a" * 2000)])[:-2048]),
            "truncated|truncated"),
        # Bombs
        "zeros without an end": (lambda: tars.zipped_zeros(tar(MEMBERS), 2 * BOMB), "ratio|times|unpack|bomb|large"),
        "a member of zeros": (
            lambda: tars.zipped_zeros(
                tar([*MEMBERS, Member(name=TOP + b"zeros", size=octal(2 * BOMB))], end=b""), 2 * BOMB + 1024**2),
            "ratio|times|unpack|bomb|large"),
        "too many members": (
            lambda: zipped(tar(Member(name=TOP + b"%06d" % number) for number in range(MANY))),
            "entries|members|files|many|ratio"),
        "a huge PKG-INFO": (lambda: sdist_saying(METADATA + b"\n" + noise()), "PKG-INFO"),
    }.items()
}  # fmt: skip


ZIPPED_SDISTS: Mapping[str, Hostile] = {
    row: Hostile(ZIPPED, make, says)
    for row, (make, says) in {
        "no PKG-INFO": (lambda: sdist_zip({TOP + b"setup.py": b""}), "PKG-INFO"),
        "PKG-INFO twice": (lambda: sdist_zip(None, Entry(name=PKG_INFO.name, data=METADATA)), "PKG-INFO"),
        "PKG-INFO in a second top folder": (
            lambda: sdist_zip({TOP + b"setup.py": b"", b"evil-1.0/PKG-INFO": METADATA}), "PKG-INFO|folder"),
        "two top folders": (lambda: sdist_zip(None, Entry(name=b"evil-1.0/setup.py")), "folder|top"),
        "a path that goes up": (lambda: sdist_zip(None, Entry(name=TOP + b"../../evil.py")), "path|name"),
        "an absolute path": (lambda: sdist_zip(None, Entry(name=b"/tmp/evil.py")), "path|name|absolute|folder"),
        "a symbolic link that escapes": (
            lambda: sdist_zip(None, Entry(name=TOP + b"latest", data=b"../../x", attributes=zips.SYMLINK)), "link"),
        "an absolute symbolic link": (
            lambda: sdist_zip(None, Entry(name=TOP + b"latest", data=b"/etc/passwd", attributes=zips.SYMLINK)), "link"),
        "a local name that differs": (
            lambda: sdist_zip(None, Entry(name=TOP + b"a.py", local={"name": TOP + b"b.py"})), "name"),
        "an entry only in a local header": (
            lambda: archive([Entry(name=TOP + b"evil.py", listed=False), Entry(name=PKG_INFO.name, data=METADATA)]),
            "other data"),
        "bytes after the end": (lambda: sdist_zip() + b"more", "behind|after"),
        "encrypted": (lambda: sdist_zip(None, Entry(name=TOP + b"a.py", flags=ENCRYPTED)), "encrypt"),
        "a wrong CRC": (
            lambda: sdist_zip(None, Entry(name=TOP + b"a.py", local={"crc": 7}, central={"crc": 7})), "crc"),
        "a bomb": (
            lambda: sdist_zip(None, replace(Entry(name=TOP + b"zeros", method=DEFLATED, packed=zeros_packed()[0]),
                                            local={"size": BOMB, "crc": zeros_packed()[1]},
                                            central={"size": BOMB, "crc": zeros_packed()[1]})),
            "ratio|times|unpack|bomb|large|more"),
        "another Name": (lambda: sdist_zip({PKG_INFO.name: METADATA.replace(b"demo", b"evil")}), "name|evil"),
        "another Version": (lambda: sdist_zip({PKG_INFO.name: METADATA.replace(b"1.0", b"2.0")}), "version|2.0"),
        "a wheel": (wheel, "PKG-INFO|folder|top"),
    }.items()
}  # fmt: skip

MISPLACED: Mapping[str, Hostile] = {
    "an empty wheel": Hostile(WHEEL, bytes, "not a zip|empty"),
    "an empty sdist": Hostile(SDIST, bytes, "gzip|empty|truncated"),
    "an empty zipped sdist": Hostile(ZIPPED, bytes, "not a zip|empty"),
    "a wheel of junk": Hostile(WHEEL, junk, "not a zip"),
    "an sdist of junk": Hostile(SDIST, junk, "gzip"),
    "a zipped sdist of junk": Hostile(ZIPPED, junk, "not a zip"),
    "a wheel that is a tar": Hostile(WHEEL, lambda: foreign("w"), "not a zip"),
    "a wheel that is an sdist": Hostile(WHEEL, sdist, "not a zip"),
    "a zipped sdist that is a tar": Hostile(ZIPPED, sdist, "not a zip"),
    "an sdist that is an xz tar": Hostile(SDIST, lambda: foreign("w:xz"), "gzip"),
    "a wheel without entries": Hostile(WHEEL, lambda: archive([]), "dist-info|METADATA|empty|no entries"),
    "a zipped sdist without entries": Hostile(ZIPPED, lambda: archive([]), "PKG-INFO|empty|folder at its top"),
    "an sdist without members": Hostile(SDIST, lambda: zipped(tar([])), "PKG-INFO|empty|folder at its top"),
    "a wheel and an sdist in one": Hostile(WHEEL, lambda: wheel(before=sdist()), "before|begin"),
    "an sdist and a wheel in one": Hostile(SDIST, lambda: sdist() + wheel(), "behind|after"),
    "a wheel within gzip": Hostile(WHEEL, lambda: gzip.compress(wheel(), mtime=0), "not a zip"),
}

HOSTILE: Mapping[str, Hostile] = {
    **{f"zip: {row}": it for row, it in ZIP_STRUCTURE.items()},
    **{f"wheel: {row}": it for row, it in WHEEL_CONTENT.items()},
    **{f"wheel: {row}": it for row, it in PLACED.items()},
    **{f"entry points: {row}": it for row, it in STARTING.items()},
    **SAYING,
    **{f"tar: {row}": it for row, it in TARS.items()},
    **{f"zipped sdist: {row}": it for row, it in ZIPPED_SDISTS.items()},
    **{f"misplaced: {row}": it for row, it in MISPLACED.items()},
}
