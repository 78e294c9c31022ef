"""Distributions that look odd and must be accepted: each is what some tool wrote once, or may write."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.distributions import tars, zips
from tests.distributions.hostile import (
    ALL_SENTINELS,
    CODE,
    DATA,
    DESCRIBED,
    FILES,
    INFO,
    MEMBERS,
    METADATA,
    OLD,
    PKG_INFO,
    SDIST,
    SETUP,
    TOP,
    WHEEL,
    WHEEL_FILE,
    ZIPPED,
    digest_of,
    gnu_sdist,
    gnu_sdist_with,
    gzip_header,
    instead,
    link,
    listed,
    record,
    rows,
    sdist,
    sdist_before,
    sdist_saying,
    sdist_with,
    sdist_zip,
    wheel,
    wheel_recorded,
    wheel_recording,
    wheel_saying,
    wheel_starting,
    wheel_tagged,
    wheel_with,
)
from tests.distributions.tars import Member, base_256, long_name, pax, tar
from tests.distributions.zips import DEFLATED, UTF8, Entry, archive, field_of, streamed, zip64_field


@dataclass(frozen=True, slots=True)
class Harmless:
    """A distribution that must be accepted."""

    filename: str
    make: Callable[[], bytes]
    name: str = "demo"
    version: str = "1.0"


def every(**changes: Any) -> bytes:
    """Make a wheel each entry of which is changed."""
    return archive(replace(entry, **changes) for entry in listed())


def deflated_and_streamed(signature: bool = True) -> bytes:
    entries = [streamed(replace(entry, method=DEFLATED)) for entry in listed()]
    if not signature:
        entries = [replace(entry, descriptor=entry.descriptor[4:]) for entry in entries]
    return archive(entries)


def with_folders(**changes: Any) -> bytes:
    folders = [Entry(name=name, attributes=zips.FOLDER, **changes) for name in (b"demo/", INFO)]
    return archive([*folders, *listed()])


def backwards() -> bytes:
    """The central directory lists the entries in another order than they stand in."""
    entries = listed()
    honest = archive(entries)
    start = honest.index(b"PK\1\2")
    lines = [b"PK\1\2" + line for line in honest[start:-22].split(b"PK\1\2")[1:]]
    return honest[:start] + b"".join(reversed(lines)) + honest[-22:]


def zipfile_writes(
    *, streaming: bool = False, force_zip64: bool = False, compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Give what the standard library writes; streaming: to a stream in which it cannot go back."""
    stream = io.BytesIO()
    if streaming:
        stream.seekable = lambda: False  # type: ignore[method-assign]
        stream.seek = _refuse  # type: ignore[method-assign]
        stream.tell = _refuse  # type: ignore[method-assign]
    with zipfile.ZipFile(stream, "w", compression) as written:
        for entry in listed():
            info = zipfile.ZipInfo(entry.name.decode())
            info.compress_type = compression
            with written.open(info, "w", force_zip64=force_zip64) as member:
                member.write(entry.data)
    return stream.getvalue()


def _refuse(*_: object) -> int:
    raise io.UnsupportedOperation


def central_zip64() -> bytes:
    """Sizes and the offset stand in zip64 fields although they would fit where they belong."""
    offset = 0
    entries = []
    for entry in listed():
        size = len(entry.data)
        entries.append(
            replace(
                entry,
                local={"size": zips.SENTINEL, "packed": zips.SENTINEL, "extra": zip64_field(size, size)},
                central={
                    **dict.fromkeys(("size", "packed", "offset"), zips.SENTINEL),
                    "extra": zip64_field(size, size, offset),
                },
            )
        )
        offset += len(entries[-1].local_part())
    return archive(entries)


def nested() -> bytes:
    """A stored zip, with an end record of its own, lies where one looks for the end."""
    inner = archive([Entry(name=b"inside.txt", data=b"inside")], comment=b"inner")
    return wheel({**FILES, b"demo/inner.zip": inner})


def recorded_with(algorithm: str) -> bytes:
    return wheel_recorded(lambda _: rows(FILES, algorithm))


def signed() -> bytes:
    return archive([*listed(), Entry(name=INFO + b"RECORD.jws", data=b"{}"), Entry(name=INFO + b"RECORD.p7s")])


def signed_and_listed() -> bytes:
    files = {**FILES, INFO + b"RECORD.jws": b"{}"}
    return wheel_recorded(lambda lines: [*lines[:-2], (INFO + b"RECORD.jws", b"", b""), lines[-1]], files)


def in_hexadecimal() -> bytes:
    """Write RECORD as gmsh_wheel does (gmsh 4.15)."""
    digests = {path: hashlib.sha256(data).hexdigest().encode() for path, data in FILES.items()}
    return wheel_recorded(
        lambda lines: [*((path, b"sha256=" + digests[path], size) for path, _, size in lines[:-1]), lines[-1]]
    )


def named(filename: str, name: bytes, version: bytes, tags: bytes = b"py3-none-any") -> Callable[[], bytes]:
    """Give a maker of a wheel whose folder is what the file name begins with."""
    info = "-".join(filename.split("-")[:2]).encode() + b".dist-info/"

    def make() -> bytes:
        files = {
            **CODE,
            info + b"METADATA": METADATA.replace(b"demo", name).replace(b"1.0", version),
            info + b"WHEEL": WHEEL_FILE.replace(b"py3-none-any", tags),
        }
        lines = [*rows(files)[:-1], (info + b"RECORD", b"", b"")]
        entries = [Entry(name=path, data=data) for path, data in files.items()]
        return archive([*entries, Entry(name=info + b"RECORD", data=record(lines))])

    return make


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def tarfile_writes(format: int) -> bytes:  # noqa: A002 — it is what tarfile calls it
    """Give what the standard library writes, with a path that fits no header."""
    stream = io.BytesIO()
    paths = ["PKG-INFO", "setup.py", "/".join(["a" * 60] * 4), f"{'b' * 40}/é"]
    with tarfile.open(fileobj=stream, mode="w:gz", format=format) as written:
        for path in paths:
            member = tarfile.TarInfo(f"demo-1.0/{path}")
            member.size, member.mtime = len(METADATA), 1_700_000_000.5 if format == tarfile.PAX_FORMAT else 0
            written.addfile(member, io.BytesIO(METADATA))
        written.addfile(_linked("demo-1.0/hard", "demo-1.0/setup.py", tarfile.LNKTYPE))
        written.addfile(_linked("demo-1.0/soft", "setup.py", tarfile.SYMTYPE))
    return stream.getvalue()


def _linked(path: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.linkname = kind, target
    return member


GIT = pax((b"comment", b"0123456789abcdef0123456789abcdef01234567"), type=tars.PAX_GLOBAL)
NINE = b"Metadata-Version: 9.9\nName: demo\nVersion: 1.0\nBrand-New: yes\nName-Of-Dog: Rex\n"

WHEELS: Mapping[str, Callable[[], bytes]] = {
    # Zip
    "stored": wheel,
    "deflated": lambda: every(method=DEFLATED),
    "deflated, with words on how hard": lambda: every(method=DEFLATED, flags=0x6),
    "zipfile's": zipfile_writes,
    "zipfile's, stored": lambda: zipfile_writes(compression=zipfile.ZIP_STORED),
    "zipfile's with force_zip64": lambda: zipfile_writes(force_zip64=True),
    "zipfile's into a pipe": lambda: zipfile_writes(streaming=True),
    "zipfile's with force_zip64 into a pipe": lambda: zipfile_writes(streaming=True, force_zip64=True),
    "data descriptors": deflated_and_streamed,
    "data descriptors without a signature": lambda: deflated_and_streamed(signature=False),
    "a data descriptor of nothing": lambda: archive(
        [streamed(Entry(name=b"demo/", attributes=zips.FOLDER)), *listed()]),
    "folders": with_folders,
    "deflated folders": lambda: with_folders(method=DEFLATED),
    "a deflated empty file": lambda: archive(
        replace(entry, method=DEFLATED) for entry in listed({**FILES, b"demo/py.typed": b""})),
    "zip64 sizes that were not needed": central_zip64,
    "a zip64 end record that was not needed": lambda: wheel(zip64={}, end=ALL_SENTINELS),
    "a zip64 end record beside a whole one": lambda: wheel(zip64={}),
    "an archive comment": lambda: wheel(comment=b"Made on a Tuesday"),
    "an entry's comment": lambda: wheel_with(central={"comment": b"Made on a Tuesday"}),
    "times and owners in extras": lambda: wheel_with(
        local={"extra": field_of(0x5455, b"\3" + bytes(8)) + field_of(0x7875, b"\1\4" + bytes(4) + b"\4" + bytes(4))},
        central={"extra": field_of(0x5455, b"\3" + bytes(4)) + field_of(0x7875, b"")}),
    "extras padded with zeros, as zipalign does": lambda: wheel_with(local={"extra": bytes(3)}),
    "the directory backwards": backwards,
    "a zip within, just before the end": nested,
    "names beyond ASCII": lambda: archive(
        replace(entry, flags=0 if entry.name.isascii() else UTF8)
        for entry in listed({**FILES, "demo/größe-⊗.txt".encode(): b""})),
    "a Unicode path field with the same name": lambda: wheel_with(
        extra=field_of(0x7075, struct.pack("<BL", 1, zlib.crc32(DATA)) + DATA)),
    "the UTF-8 flag on ASCII": lambda: every(flags=UTF8),
    "no modes, from DOS": lambda: every(attributes=0x20, system=0),
    "modes, from DOS": lambda: every(system=0),
    "names that differ in capitals only": lambda: wheel({**FILES, b"demo/data.TXT": b""}),
    "a deep path": lambda: wheel({**FILES, b"a/" * 200 + b"b": b""}),
    # Wheel
    "vendored dist-info": lambda: wheel({**FILES, b"demo/_vendor/evil-2.0.dist-info/METADATA": b"Name: evil\n"}),
    "vendored RECORD and WHEEL": lambda: wheel({**FILES, b"demo/RECORD": b"", b"demo/WHEEL": b""}),
    "a data folder": lambda: wheel({**FILES, b"demo-1.0.data/scripts/demo": b"#!python\n"}),
    "a data folder with every scheme": lambda: wheel({
        **FILES, **{b"demo-1.0.data/" + place: b"" for place in (
            b"purelib/demo/x.py", b"platlib/demo/y.so", b"headers/demo/x.h", b"scripts/demo", b"data/share/demo/x",
            b"data/x.dist-info/y")}}),
    "names that hold .data": lambda: wheel({**FILES, b"demo.data.py": b"", b"demo/x.data": b"", b"demo/y.data/z": b""}),
    "a URL that ends like an encoded word": lambda: wheel_saying(
        METADATA + b"Requires-Dist: x @ https://host.example/x.zip?a=?b\nAuthor: =?utf-8?q?J=C3=B6rg?=\n"),
    "files that are named like a folder": lambda: wheel(
        {**FILES, b"demo/evil-1.0.dist-info": b"", b"x.dist-info.py": b""}),
    "files that no installer decodes, in Latin-1": lambda: wheel({
        **FILES, **{INFO + name: b"J\xf6rg" for name in (
            b"top_level.txt", b"INSTALLER", b"REQUESTED", b"direct_url.json", b"licenses/LICENSE", b"AUTHORS",
            b"zip-safe", b"namespace_packages.txt", b"dependency_links.txt", b"pbr.json", b"metadata.json",
            b"sboms/x.json", b"licenses/requires.txt", b"PKG-INFO")}}),
    "RECORD before all": lambda: archive([listed()[-1], *listed()[:-1]]),
    "CRLF in RECORD": lambda: wheel_recording(record(rows(FILES), b"\r\n")),
    "no line break at the end of RECORD": lambda: wheel_recording(record(rows(FILES))[:-1]),
    "quotes in RECORD": lambda: wheel_recorded(
        lambda lines: [(b'"demo/a,b.txt"', *lines[0][1:]), *lines[1:]], {b"demo/a,b.txt": b"", **FILES}),
    "no sizes in RECORD": lambda: wheel_recorded(lambda lines: [(path, digest, b"") for path, digest, _ in lines]),
    "padded digests in RECORD": lambda: instead(DATA, digest=digest_of(FILES[DATA]) + b"="),
    "hexadecimal digests in RECORD": in_hexadecimal,
    "SHA-384": lambda: recorded_with("sha384"),
    "SHA-512": lambda: recorded_with("sha512"),
    "signatures": signed,
    "a signature that RECORD lists": signed_and_listed,
    "CRLF in METADATA": lambda: wheel_saying(crlf(METADATA + b"\nA description\n")),
    "CRLF in WHEEL": lambda: wheel_tagged(crlf(WHEEL_FILE)),
    "tags for another platform, as of ray": lambda: wheel_tagged(WHEEL_FILE.replace(b"-any", b"-linux_x86_64")),
    "compressed tags in WHEEL": lambda: wheel_tagged(WHEEL_FILE.replace(b"py3", b"py2.py3")),
    "no tags in WHEEL, of wheel 0.14": lambda: wheel_tagged(WHEEL_FILE.partition(b"Tag")[0]),
    "Wheel-Version 0.1, of wheel 0.14": lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b"0.1")),
    "Wheel-Version 1.9": lambda: wheel_tagged(WHEEL_FILE.replace(b"1.0", b"1.9")),
    # entry_points.txt
    "entry points as setuptools writes them": lambda: wheel_starting(
        b"[console_scripts]\nx = demo:f\ny.py = demo.a:f.g [a, b]\n\n[other.group]\ns3:// = demo\n"),
    "entry points with comments, blanks and CRLF": lambda: wheel_starting(
        b"# note\r\n\r\n[console_scripts]\r\n# x = 1\r\nx=demo:f\r\n   # note\r\n\r\n[gui_scripts]"),
    "entry points that are all indented, without a last line break": lambda: wheel_starting(
        b"\n        [console_scripts]\n        x = demo:f\n        y = demo:g\n\n        [other]\n        x = y"),
    "other groups' names are free": lambda: wheel_starting(
        b"[other]\n../x = demo:f\n/tmp/y : z = %(a)s\nX =\nx = 1 = 2\n"),
    "an empty entry_points.txt": lambda: wheel_starting(b""),
    "two names for one script, by case and suffix": lambda: wheel_starting(
        b"[console_scripts]\nX = demo:f\nx = demo:f\nx.py = demo:f\n"),
    "an entry_points.txt elsewhere": lambda: wheel(
        {**FILES, b"demo/entry_points.txt": b"[console_scripts]\n../x = a:b\n"}),
    # Metadata
    "metadata of a version to come": lambda: wheel_saying(NINE),
    "a name in capitals and an equal version": lambda: wheel_saying(
        METADATA.replace(b"demo", b"Demo").replace(b"1.0", b"1.0.0")),
    "a value in several lines": lambda: wheel_saying(METADATA + b"License: one\n two\n\tName: evil\n"),
    "an empty Requires-Python": lambda: wheel_saying(METADATA + b"Requires-Python:\n"),
    "a Requires-Python that pip and uv repair": lambda: wheel_saying(METADATA + b"Requires-Python: >=3.5.*\n"),
    "a Requires-Python with a comma at its end": lambda: wheel_saying(METADATA + b"Requires-Python: >=3.7,\n"),
    "UTF-8 in METADATA": lambda: wheel_saying(METADATA + "Author: Jörg\n\nÄ\n".encode()),
    "small letters in field names": lambda: wheel_saying(METADATA.replace(b"Name:", b"name:")),
}  # fmt: skip

SDISTS: Mapping[str, Callable[[], bytes]] = {
    "as tar writes it": sdist,
    "tarfile's, GNU": lambda: tarfile_writes(tarfile.GNU_FORMAT),
    "tarfile's, pax": lambda: tarfile_writes(tarfile.PAX_FORMAT),
    "no folders": lambda: sdist(members=MEMBERS[2:]),
    "folders twice": lambda: sdist(MEMBERS[0], MEMBERS[1]),
    "git archive's global pax header": lambda: sdist(members=[GIT, *MEMBERS]),
    "pax times and owners": lambda: sdist_before(
        pax((b"mtime", b"1.5"), (b"uid", b"4000000000"), (b"uname", "Jörg".encode()))),
    "a pax path": lambda: sdist(pax((b"path", TOP + "größe".encode())), Member(name=b"short")),
    "a pax path, and a name of its own that was cut at a slash, as of numpy 2.5.5": lambda: sdist(
        pax((b"path", TOP + b"a" * 90 + b"/file.txt")), Member(name=TOP + b"a" * 90 + b"/", data=b"content")),
    "a pax size that the header says, too": lambda: sdist_before(pax((b"size", b"%d" % len(SETUP.data)))),
    "a GNU name": lambda: gnu_sdist(long_name(TOP + b"long/" * 60 + b"x"), Member(name=b"short")),
    "a GNU link": lambda: gnu_sdist(long_name(b"long/" * 60, tars.GNU_LINK), link(b"short")),
    "a prefix": lambda: sdist(Member(name=b"deep/file.py", prefix=b"demo-1.0/quite")),
    "a name that fills its field": lambda: sdist(Member(name=TOP + b"a" * (100 - len(TOP)))),
    "symbolic links within": lambda: sdist(
        link(b"setup.py"), link(b"../demo/__init__.py", name=TOP + b"demo/other"), link(b"demo", name=TOP + b"folder")),
    "a symbolic link to nothing yet": lambda: sdist(link(b"build/generated.py")),
    "a hard link": lambda: sdist(link(SETUP.name, tars.HARD_LINK)),
    "a hard link to a hard link": lambda: sdist(
        link(SETUP.name, tars.HARD_LINK), link(TOP + b"latest", tars.HARD_LINK, TOP + b"newest")),
    "a symbolic link with a dot": lambda: sdist(link(b"./setup.py")),
    "an owner in base 256, of GNU tar": lambda: gnu_sdist_with(uid=b"\x80" + (2**40).to_bytes(7, "big")),
    "a size in base 256, of GNU tar": lambda: gnu_sdist_with(size=base_256(len(SETUP.data))),
    "GNU's magic": gnu_sdist,
    "numbers that blanks or NULs end": lambda: sdist_with(
        mode=b"644 \0\0\0\0", uid=b"000000 \0", mtime=b"0       \0\0\0 "),
    "numbers of NULs": lambda: sdist_with(mode=bytes(8), uid=bytes(8), gid=bytes(8), mtime=bytes(12)),
    "a contiguous file": lambda: sdist(Member(name=TOP + b"contiguous", type=b"7")),
    "zeros up to a record of 10,240 bytes": lambda: sdist(end=bytes(20 * 512)),
    "a name in UTF-8": lambda: sdist(Member(name=TOP + "größe".encode())),
    "a blank and odd signs in a name": lambda: sdist(Member(name=TOP + b"a b'c\"d%20?*<>|.txt")),
    "egg-info": lambda: sdist(Member(name=TOP + b"demo.egg-info/PKG-INFO", data=METADATA.replace(b"demo", b"evil"))),
    "another folder's name, as of html5lib's reupload": lambda: sdist(members=[
        replace(member, name=member.name.replace(TOP, b"demo-1.0-final/")) for member in MEMBERS]),
    "a name in its gzip header": lambda: gzip_header(8, b"dist/demo-1.0.tar\0"),
    "all that a gzip header may have, except its checksum": lambda: gzip_header(
        29, b"\5\0extra" + b"demo-1.0.tar\0" + b"a comment\0"),
    "zeros after gzip's bytes, as on a tape": lambda: sdist() + bytes(1000),
    "gzip's, packed little": lambda: gzip.compress(tar(MEMBERS), 1),
    "gzip's, not packed": lambda: gzip.compress(tar(MEMBERS), 0),
    "metadata of version 1.0, in latin-1": lambda: sdist_saying(OLD),
    "metadata of a version to come": lambda: sdist_saying(NINE),
    "a description in latin-1 that looks like metadata": lambda: sdist_saying(DESCRIBED),
    "CRLF in PKG-INFO": lambda: sdist_saying(crlf(METADATA)),
    "much that packs well": lambda: sdist(Member(name=TOP + b"zeros", data=bytes(4 * 1024**2))),
}  # fmt: skip

ZIPPED_SDISTS: Mapping[str, Callable[[], bytes]] = {
    "as zip writes it": sdist_zip,
    "folders": lambda: archive(
        [Entry(name=TOP, attributes=zips.FOLDER), Entry(name=PKG_INFO.name, data=METADATA, method=DEFLATED)]),
    "a symbolic link within": lambda: sdist_zip(
        None, Entry(name=TOP + b"latest", data=b"setup.py", attributes=zips.SYMLINK)),
    "data descriptors": lambda: sdist_zip(None, streamed(Entry(name=TOP + b"a.py", data=b"a = 1\n", method=DEFLATED))),
    "egg-info": lambda: sdist_zip(None, Entry(name=TOP + b"demo.egg-info/PKG-INFO", data=METADATA)),
}  # fmt: skip

_LOCAL_FILE = "demo-1.0+ubuntu_1-cp311-cp311-linux_x86_64.whl"
_BUILT, _ESCAPED, _DOTTED = (
    "demo-1.0-7-py3-none-any.whl",
    "my_demo-1.0rc1-py3-none-any.whl",
    "My.Demo-1.0-py3-none-any.whl",
)

NAMED: Mapping[str, Harmless] = {
    "wheel: a build tag": Harmless(_BUILT, named(_BUILT, b"demo", b"1.0")),
    "wheel: a local version": Harmless(
        _LOCAL_FILE, named(_LOCAL_FILE, b"demo", b"1.0+ubuntu.1", b"cp311-cp311-linux_x86_64"), "demo", "1.0+ubuntu.1"),
    "wheel: an escaped name": Harmless(_ESCAPED, named(_ESCAPED, b"My-Demo", b"1.0.0-RC1"), "my-demo", "1.0.0-RC1"),
    "wheel: a name with dots": Harmless(_DOTTED, named(_DOTTED, b"My.Demo", b"1.0"), "my-demo"),
    "sdist: hyphens in the file name": Harmless("my-demo-1.0-1.tar.gz", lambda: sdist_saying(
        METADATA.replace(b"demo", b"my_demo").replace(b"1.0", b"1.0-1")), "my-demo", "1.0-1"),
}  # fmt: skip

HARMLESS: Mapping[str, Harmless] = {
    **{f"wheel: {row}": Harmless(WHEEL, make) for row, make in WHEELS.items()},
    **{f"sdist: {row}": Harmless(SDIST, make) for row, make in SDISTS.items()},
    **{f"zipped sdist: {row}": Harmless(ZIPPED, make) for row, make in ZIPPED_SDISTS.items()},
    **NAMED,
}
