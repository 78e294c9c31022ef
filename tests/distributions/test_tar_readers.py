"""Which forms of tar pip and uv read: the verifier accepts what both read, and refuses what one of them does not.

`FORMS` and `OTHERS` have the answers of pip 26.3 and uv 0.13.9. The fast tests compare the verifier with them, and the
slow ones compare them with the clients. `python -m pytest tests/distributions/test_tar_readers.py --long` asks the
clients about every row.
"""

import io
import json
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pypi_registry.distributions import verify
from tests.clients.toolbox import Tool, Toolbox
from tests.distributions import tars
from tests.distributions.tars import Member, long_name, pax, tar, zipped

SDIST = "demo-1.0.tar.gz"
TOP = b"demo-1.0/"
# uv reads the metadata of such an sdist without building it: it has a version of at least 2.2 and nothing "Dynamic".
PKG_INFO = Member(name=TOP + b"PKG-INFO", data=b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n")
SETUP = Member(name=TOP + b"setup.py", data=b"from setuptools import setup\nsetup()\n")
FOLDER = Member(name=TOP, type=tars.FOLDER, mode=b"0000755\0")
EXTRA = Member(name=TOP + b"extra.txt", data=b"extra\n")
LINK = Member(name=TOP + b"link", type=tars.SYMLINK, link=b"PKG-INFO")
HARD_LINK = Member(name=TOP + b"hard", type=tars.HARD_LINK, link=PKG_INFO.name)
MEMBERS = [FOLDER, PKG_INFO, SETUP]

POSIX, GNU = "POSIX", "GNU"
WIDTHS = {"mode": 8, "uid": 8, "gid": 8, "mtime": 12, "size": 12, "checksum": 8, "major": 8, "minor": 8}


def gnu(*members: Member) -> list[Member]:
    return [replace(member, magic=tars.GNU_MAGIC) for member in members]


def value_of(field: str, member: Member) -> int:
    """Return the number that belongs into a field: another one would be wrong in every form."""
    if field == "checksum":
        return sum(replace(member, checksum=b" " * 8).header())
    return {"mode": 0o644, "size": len(member.data)}.get(field, 1)


Form = Callable[[int, int], bytes]


def octal(number: int) -> bytes:
    return b"%o" % number


def zeros(number: int, width: int, end: bytes = b"") -> bytes:
    return octal(number).rjust(width - len(end), b"0") + end


def blanks(number: int, width: int, end: bytes = b"") -> bytes:
    return octal(number).rjust(width - len(end), b" ") + end


def base_256(number: int, width: int, first: bytes = b"\x80") -> bytes:
    modulus: int = 256 ** (width - 1)
    return first + (number % modulus).to_bytes(width - 1, "big")


# The form of a number, and for which formats and fields pip ("p") and uv ("u") read it. The device numbers were tried
# in POSIX headers only; sizes and checksums only in forms that can state the right number.
OWNERS = ("mode", "uid", "gid")
ALL = (*OWNERS, "mtime", "size", "checksum")
DEVICES = ("major", "minor")

FORMS: Mapping[str, tuple[Form, Mapping[tuple[str, Sequence[str]], str]]] = {
    "zeros, a NUL": (lambda n, w: zeros(n, w, b"\0"), {(POSIX, ALL): "pu", (GNU, ALL): "pu", (POSIX, DEVICES): "pu"}),
    "zeros, a blank": (lambda n, w: zeros(n, w, b" "), {(POSIX, ALL): "pu", (GNU, ALL): "pu", (POSIX, DEVICES): "pu"}),
    "zeros, a blank, a NUL": (lambda n, w: zeros(n, w, b" \0"), {(POSIX, ALL): "pu", (GNU, ALL): "pu"}),
    "zeros, a NUL, a blank": (lambda n, w: zeros(n, w, b"\0 "), {(POSIX, ALL): "pu", (GNU, ALL): "pu"}),
    "zeros in the whole field": (zeros, {(POSIX, ALL): "p", (GNU, ALL): "p", (POSIX, DEVICES): "pu"}),
    "blanks, a NUL": (lambda n, w: blanks(n, w, b"\0"), {(POSIX, ALL): "p", (GNU, ALL): "p", (POSIX, DEVICES): "pu"}),
    "blanks, a blank": (lambda n, w: blanks(n, w, b" "), {(POSIX, ALL): "p", (GNU, ALL): "p", (POSIX, DEVICES): "pu"}),
    "digits and NULs": (lambda n, w: octal(n).ljust(w, b"\0"), {(POSIX, ALL): "pu", (GNU, ALL): "pu"}),
    "digits and blanks": (lambda n, w: octal(n).ljust(w, b" "), {(POSIX, ALL): "pu", (GNU, ALL): "pu"}),
    "digits, a blank, NULs": (lambda n, w: (octal(n) + b" ").ljust(w, b"\0"), {(POSIX, ALL): "pu", (GNU, ALL): "pu"}),
    "junk after a NUL": (
        lambda n, w: (octal(n) + b"\0").ljust(w, b"x"), {(POSIX, ALL): "p", (GNU, ALL): "p", (POSIX, DEVICES): "pu"}),
    "digits after a NUL": (lambda n, w: (octal(n) + b"\0").ljust(w, b"7"), {(POSIX, ALL): "p", (GNU, ALL): "p"}),
    "NULs": (
        lambda _, w: bytes(w),
        {(POSIX, (*OWNERS, "mtime")): "pu", (GNU, (*OWNERS, "mtime")): "pu", (POSIX, ("checksum",)): "",
         (POSIX, DEVICES): "pu"}),
    "blanks": (
        lambda _, w: b" " * w,
        {(POSIX, (*OWNERS, "mtime")): "p", (GNU, (*OWNERS, "mtime")): "p", (POSIX, ("checksum",)): ""}),
    "base-256": (base_256, {(POSIX, ALL): "p", (GNU, (*OWNERS, "mtime", "size")): "pu", (GNU, ("checksum",)): "p"}),
    "base-256, large": (
        lambda _, w: base_256(2**32, w), {(POSIX, ("uid", "mtime")): "p", (GNU, ("uid", "mtime")): "pu"}),
    "base-256, for no clock": (lambda _, w: base_256(2**64, w), {(POSIX, ("mtime",)): "", (GNU, ("mtime",)): ""}),
    "base-256, below zero": (
        lambda _, w: base_256(-1, w, b"\xff"), {(POSIX, ("uid", "mtime")): "p", (GNU, ("uid", "mtime")): "p"}),
    "base-256, of another mark": (lambda n, w: base_256(n, w, b"\xc0"), {(POSIX, ALL): "", (GNU, ALL): "",
                                                                        (POSIX, DEVICES): "u"}),
    "a minus": (lambda n, w: b"-" + zeros(n, w - 1, b"\0"), {(POSIX, (*OWNERS, "mtime")): "p"}),
    "a plus": (lambda n, w: b"+" + zeros(n, w - 1, b"\0"), {(POSIX, ALL): "p", (GNU, ALL): "p"}),
    "0o": (lambda n, w: b"0o" + zeros(n, w - 2, b"\0"), {(POSIX, ALL): "p", (GNU, ALL): "p"}),
    "a digit that is not octal": (
        lambda n, w: zeros(n, w - 1)[:-1] + b"8\0", {(POSIX, ALL): "", (POSIX, DEVICES): "u"}),
    "a letter": (lambda n, w: b"x".ljust(w, b"\0"), {(POSIX, ALL): "", (POSIX, DEVICES): "u"}),
    "a tab": (lambda n, w: b"\t" + zeros(n, w - 1, b"\0"), {(POSIX, ALL): "p", (GNU, ALL): "p"}),
    "the largest octal number": (lambda _, w: b"7" * (w - 1) + b"\0", {(POSIX, (*OWNERS, "mtime")): "pu"}),
}  # fmt: skip


def numbers() -> Iterator[tuple[str, tuple[bytes, str]]]:
    for title, (make, readers) in FORMS.items():
        for (layout, fields), who in readers.items():
            for field in fields:
                [member] = [EXTRA] if layout == POSIX else gnu(EXTRA)
                odd = replace(member, **{field: make(value_of(field, member), WIDTHS[field])})
                before = MEMBERS if layout == POSIX else gnu(*MEMBERS)
                yield f"{layout}, {field}: {title}", (zipped(tar([*before, odd])), who)


def and_(*more: Member) -> bytes:
    return zipped(tar([*MEMBERS, *more]))


def gnu_and(*more: Member) -> bytes:
    return zipped(tar([*gnu(*MEMBERS), *more]))


def keyword(name: str, value: str = "1") -> bytes:
    return and_(pax((name.encode(), value.encode())), EXTRA)


def in_every(**changes: bytes) -> bytes:
    return zipped(tar([replace(member, **changes) for member in [*MEMBERS, EXTRA]]))


def moved(*members: Member) -> list[Member]:
    return [replace(member, name=b"./" + member.name) for member in members]


def with_gzip_header(flag: int) -> bytes:
    """Give an sdist with an optional field of gzip's header (RFC 1952, 2.3.1): its checksum (2), or a name (8)."""
    data = and_(EXTRA)
    header = data[:3] + bytes([flag]) + data[4:10]
    field = (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") if flag == 2 else b"name\0"
    return header + field + data[10:]


OTHERS: Mapping[str, tuple[bytes, str]] = {
    # Names
    "a name in UTF-8": (and_(replace(EXTRA, name=TOP + "größe".encode())), "pu"),
    "a name in Latin-1": (and_(replace(EXTRA, name=TOP + b"gr\xf6\xdfe")), "p"),
    "a prefix in Latin-1": (and_(replace(EXTRA, name=b"x", prefix=TOP + b"gr\xf6")), "p"),
    "a pax path in Latin-1": (and_(pax((b"path", TOP + b"gr\xf6")), EXTRA), "p"),
    "a GNU name in Latin-1": (gnu_and(long_name(TOP + b"gr\xf6" * 50), *gnu(EXTRA)), "p"),
    "a target in Latin-1": (and_(replace(LINK, link=b"gr\xf6")), "p"),
    "a pax owner in Latin-1": (and_(pax((b"uname", b"J\xf6rg")), EXTRA), "p"),
    "a pax owner in UTF-8": (and_(pax((b"uname", "Jörg".encode())), EXTRA), "pu"),
    "members below a dot": (zipped(tar(moved(*MEMBERS))), "u"),
    "a dot, and members below it": (
        zipped(tar([Member(name=b"./", type=tars.FOLDER, mode=b"0000755\0"), *moved(*MEMBERS)])), "u"),
    "a symbolic link": (and_(LINK), "pu"),
    "a symbolic link to a dot": (and_(replace(LINK, link=b"./PKG-INFO")), "pu"),
    "a hard link": (and_(HARD_LINK), "pu"),
    "a file with the target of a link": (and_(replace(EXTRA, link=b"zzz")), "p"),
    # Formats
    "POSIX": (and_(EXTRA), "pu"),
    "GNU": (gnu_and(*gnu(EXTRA)), "pu"),
    "before POSIX": (in_every(magic=tars.NO_MAGIC), "p"),
    "POSIX without a version": (in_every(magic=b"ustar\0\0\0"), "p"),
    "a magic of no format": (in_every(magic=b"xxxxxxxx"), "p"),
    "a GNU header after POSIX": (and_(*gnu(EXTRA)), "p"),
    "a POSIX header after GNU": (gnu_and(EXTRA), "p"),
    "a long name of GNU after POSIX": (and_(long_name(TOP + b"x" * 150), EXTRA), "p"),
    "a long name of GNU": (gnu_and(long_name(TOP + b"x" * 150), *gnu(EXTRA)), "pu"),
    "a pax header after GNU": (gnu_and(pax((b"mtime", b"1.5")), *gnu(EXTRA)), "p"),
    "a contiguous file": (and_(replace(EXTRA, type=b"7")), "pu"),
    "a file of the type from before POSIX": (and_(replace(EXTRA, type=tars.OLD_FILE)), "pu"),
    # pax
    **{f"pax: {name}": (keyword(name), "pu") for name in (
        "atime", "ctime", "comment", "gname", "uname", "gid", "uid", "charset", "realtime.a",
        "security.b", "SCHILY.dev", "SCHILY.xattr.user.a", "LIBARCHIVE.creationtime")},
    **{f"pax: {name}": (keyword(name), "p") for name in (
        "RHT.security.selinux", "MSWINDOWS.rawsd", "NODETAR.x", "VENDOR.x", "mode", "nlink", "foo")},
    **{f"pax: hdrcharset={value}": (keyword("hdrcharset", value), "pu")
       for value in ("", "BINARY", "ISO-IR 10646 2000 UTF-8")},
    **{f"pax: hdrcharset={value}": (keyword("hdrcharset", value), "p") for value in ("1", "ISO-IR 646 1990")},
    **{f"pax: mtime={value}": (keyword("mtime", value), "pu") for value in ("", "0", "1", "01", "1.5")},
    **{f"pax: mtime={value}": (keyword("mtime", value), "p") for value in ("-1", "-1.5", "now", "1e3", "+1", "1.")},
    **{f"pax: uid={value}": (keyword("uid", value), "pu") for value in ("", "0", "01", "4000000000")},
    **{f"pax: uid={value}": (keyword("uid", value), "p") for value in ("-1", "me", "1.5", "18446744073709551616")},
    "pax: a keyword twice": (and_(pax((b"mtime", b"1"), (b"mtime", b"2")), EXTRA), "p"),
    "pax: no records": (and_(pax(), EXTRA), "p"),
    "pax: two headers": (and_(pax((b"comment", b"1")), pax((b"mtime", b"2")), EXTRA), "p"),
    "pax: a global one": (and_(pax((b"comment", b"x"), type=tars.PAX_GLOBAL), EXTRA), "pu"),
    # The end
    "no end": (zipped(tar([*MEMBERS, EXTRA], b"")), "p"),
    "an end of one block": (zipped(tar([*MEMBERS, EXTRA], bytes(512))), "p"),
    "an end of twenty blocks": (zipped(tar([*MEMBERS, EXTRA], bytes(10_240))), "pu"),
    "gzip: a name": (with_gzip_header(8), "pu"),
    "gzip: a checksum of its header": (with_gzip_header(2), "p"),
}  # fmt: skip

ROWS: Mapping[str, tuple[bytes, str]] = {**dict(numbers()), **OTHERS}
EVERY = pytest.mark.parametrize("row", ROWS)


@EVERY
def test_the_verifier_accepts_what_both_read(row: str) -> None:
    data, who = ROWS[row]
    problems = verify(io.BytesIO(data), SDIST).problems
    assert (not problems) == (who == "pu"), problems


# Each form for one field in `--slow`, and all of them in `--long`
SLOW = [*[*OTHERS][::3], *(row for row in ROWS if row.startswith("POSIX, mtime: "))]

_UNPACK = """
import json, os, sys, tempfile
from pip._internal.utils.unpacking import untar_file
found = {}
for name in os.listdir("."):
    with tempfile.TemporaryDirectory() as folder:
        try:
            untar_file(os.path.join(name, sys.argv[1]), folder)
        except Exception:
            found[name] = False
        else:
            files = os.listdir(folder)
            found[name] = "PKG-INFO" in files and len(files) == int(name.partition("-")[2])
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def toolbox(request: pytest.FixtureRequest) -> Toolbox:
    assert request.config.cache is not None
    return Toolbox.fill(request.config.cache.mkdir("clients"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", [pytest.param(SLOW, id="some"), pytest.param([*ROWS], id="all", marks=pytest.mark.long)]
)
def test_the_table_has_the_answers_of_pip_and_uv(rows: Sequence[str], toolbox: Toolbox, tmp_path: Path) -> None:
    folders = {row: tmp_path / "files" / f"{number}-{files_in(row)}" for number, row in enumerate(rows)}
    for row, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / SDIST).write_bytes(ROWS[row][0])
    pip, uv = (Tool(tmp_path, toolbox.scripts(client)) for client in ("pip", "uv"))
    unpacked = json.loads(pip.run("python", "-c", _UNPACK, SDIST, cwd=tmp_path / "files"))

    def is_read_by_uv(folder: Path) -> bool:
        command = [
            "uv",
            "pip",
            "install",
            "--dry-run",
            "--offline",
            "--no-deps",
            "--no-cache",
            "--target",
            "site",
            SDIST,
        ]
        environment = {**uv.environment, "UV_PYTHON": str(toolbox.scripts("uv") / "python")}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = dict(zip(rows, pool.map(is_read_by_uv, folders.values()), strict=True))
    answers = {row: "p" * unpacked[folder.name] + "u" * read[row] for row, folder in folders.items()}
    assert answers == {row: ROWS[row][1] for row in rows}


def files_in(row: str) -> int:
    """Return how many files pip must unpack: tarfile takes some headers for the end of the archive."""
    return len(MEMBERS) - 1 + (row not in ("members below a dot", "a dot, and members below it"))
