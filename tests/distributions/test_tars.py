"""Gzipped tars: what other people's packers write is read as they read it, in one pass; lies cost little."""

import gzip
import io
import random
import tarfile
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry.distributions import tars as reader
from pypi_registry.distributions import verify
from pypi_registry.distributions.limits import MAX_PATH
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.tars import Tar, TarMember
from pypi_registry.testing.archives import core_metadata
from tests.distributions.measuring import Counted, peak
from tests.distributions.tars import (
    CHARACTER,
    FIFO,
    FOLDER,
    GNU_LINK,
    GNU_MAGIC,
    HARD_LINK,
    NO_MAGIC,
    OLD_FILE,
    PAX_GLOBAL,
    SYMLINK,
    Member,
    base_256,
    long_name,
    octal,
    padded,
    pax,
    tar,
    zipped,
    zipped_zeros,
)

MEBIBYTE = 1024**2


def members_of(data: bytes) -> list[TarMember]:
    return [*Tar(io.BytesIO(data))]


def why_unreadable(data: bytes) -> str:
    with pytest.raises(InvalidArchive) as caught:
        members_of(data)
    assert str(caught.value).isprintable()
    return str(caught.value)


def contents(data: bytes) -> dict[str, bytes]:
    archive = Tar(io.BytesIO(data))
    return {member.path: archive.read() for member in archive}


A = Member(name=b"demo/a.txt", data=b"some data\n" * 100)
B = Member(name=b"demo/b.txt", data=b"other data\n")
GNU = [replace(member, magic=GNU_MAGIC) for member in (A, B)]


# What other packers write

parts = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\:\0", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30
).filter(lambda part: set(part) != {"."})
paths = st.lists(parts, min_size=1, max_size=6).map("/".join)
FORMATS = {"USTAR": tarfile.USTAR_FORMAT, "GNU": tarfile.GNU_FORMAT, "PAX": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@given(
    st.dictionaries(paths, st.binary(max_size=1200), max_size=5),
    st.lists(paths, max_size=2),
    st.integers(0, 2**33),
    st.floats(0, 2**33).filter(lambda time: "e" not in str(time)),  # which uv does not read
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_tarfile_writes_is_read_as_tarfile_reads_it(
    form: int, files: dict[str, bytes], folders: list[str], owner: int, modified: float, first: bool
) -> None:
    top = "demo-1.0"
    files = {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    metadata = core_metadata("demo", "1.0", requires_python=">=3.8")
    told = [("PKG-INFO", metadata), *((f"files/{path}", data) for path, data in files.items())]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form, compresslevel=1) as written:
        for path in ["", *(f"folders/{path}" for path in folders)]:
            info = tarfile.TarInfo(f"{top}/{path}" if path else top)
            info.type = tarfile.DIRTYPE
            add(written, info)
        for path, data in told if first else reversed(told):
            info = tarfile.TarInfo(f"{top}/{path}")
            info.size = len(data)
            info.uid, info.mtime = (owner, modified) if form != tarfile.USTAR_FORMAT else (7, 0)
            add(written, info, data)
    data = stream.getvalue()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        theirs = [(member.name, member.size, member.isdir()) for member in archive]
        held = {member.name: file.read() for member in archive if (file := archive.extractfile(member))}
    assert [(member.path, member.size, member.is_folder) for member in members_of(data)] == theirs
    assert {path: found for path, found in contents(data).items() if path in held} == held
    found = verify(io.BytesIO(data), "demo-1.0.tar.gz")
    assert found.problems == ()
    assert found.metadata is not None
    assert found.metadata.data == metadata


def add(written: tarfile.TarFile, info: tarfile.TarInfo, data: bytes = b"") -> None:
    try:
        written.addfile(info, io.BytesIO(data))
    except ValueError:  # a name is too long for the format
        assert written.format == tarfile.USTAR_FORMAT
        written.addfile(tarfile.TarInfo("demo-1.0/short" + str(len(written.getmembers()))))


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("length", [1, 99, 100, 101, 155, 156, 200, 250])
def test_names_and_links_may_be_longer_than_their_fields(form: int, length: int) -> None:
    path, target = "/".join(["demo", *["d" * 49] * (length // 50), "f" * (length % 50)]).rstrip("/"), "t" * length
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as written:
        for name, kind in ((path, tarfile.REGTYPE), ("demo/link", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target if kind == tarfile.SYMTYPE else ""
            if form != tarfile.USTAR_FORMAT or len(info.linkname) <= 100:
                written.addfile(info)
    file, *link = members_of(stream.getvalue())
    assert (file.path, file.target, file.is_link) == (path, "", False)
    assert [(member.path, member.target, member.is_link) for member in link] in ([], [("demo/link", target, True)])


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_what_a_field_holds_of_a_long_name_may_end_in_a_slash(form: int) -> None:
    path = f"demo/{'d' * 94}/a.txt"  # its first hundred bytes are a folder's
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as written:
        written.addfile(tarfile.TarInfo(path))
    [found] = members_of(stream.getvalue())
    assert (found.path, found.is_folder) == (path, False)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([A, B], ["demo/a.txt", "demo/b.txt"], id="files"),
        pytest.param([replace(A, magic=GNU_MAGIC)], ["demo/a.txt"], id="a GNU header"),
        pytest.param([replace(A, type=OLD_FILE)], ["demo/a.txt"], id="a file of before POSIX"),
        pytest.param([replace(A, type=b"7")], ["demo/a.txt"], id="a contiguous file"),
        pytest.param([Member(name=b"demo/", type=OLD_FILE)], ["demo"], id="a folder of before POSIX"),
        pytest.param([Member(name=b"demo/", type=FOLDER)], ["demo"], id="a folder"),
        pytest.param([Member(name=b"demo", type=FOLDER)], ["demo"], id="a folder without a slash"),
        pytest.param([replace(A, name=b"a.txt", prefix=b"demo/b/c")], ["demo/b/c/a.txt"], id="a prefix"),
        pytest.param([replace(A, name=b"d" * 100)], ["d" * 100], id="a name that fills its field"),
        pytest.param([replace(A, name=b"demo/a\0junk")], ["demo/a"], id="what follows a NUL"),
        pytest.param([replace(A, name="demo/é".encode())], ["demo/é"], id="a name in UTF-8"),
        pytest.param([replace(A, size=b"%011o " % 1000)], ["demo/a.txt"], id="a size and a blank"),
        pytest.param([replace(A, size=b"%o\0\0\0\0\0\0\0\0" % 1000)], ["demo/a.txt"], id="a size and zeros"),
        pytest.param([replace(A, size=base_256(1000), magic=GNU_MAGIC)], ["demo/a.txt"], id="a size in base 256"),
        pytest.param(
            [replace(A, uid=b"\x80\0\0\0\x7f\xff\xff\xff", magic=GNU_MAGIC)],
            ["demo/a.txt"],
            id="an owner in base 256",
        ),
        pytest.param([pax((b"path", b"demo/long")), A, B], ["demo/long", "demo/b.txt"], id="a pax path"),
        pytest.param([long_name(b"demo/long"), *GNU], ["demo/long", "demo/b.txt"], id="a GNU name"),
        pytest.param(
            [pax((b"mtime", b"1.5"), (b"path", "demo/é".encode()), (b"comment", b"x=y\n")), A],
            ["demo/é"],
            id="a pax path among others",
        ),
        pytest.param([pax((b"size", b"1000")), A], ["demo/a.txt"], id="the same size in pax"),
        pytest.param([pax((b"comment", b"")), A], ["demo/a.txt"], id="an empty value of no meaning"),
        pytest.param([pax((b"comment", b"c"), type=PAX_GLOBAL), A], ["demo/a.txt"], id="a global comment, as git has"),
        pytest.param(
            [pax((b"comment", b"c"), type=PAX_GLOBAL), pax((b"path", b"demo/x")), A],
            ["demo/x"],
            id="a global pax header and one for a member",
        ),
        pytest.param(
            [pax((b"path", b"demo/x")), A, pax((b"path", b"demo/y")), B], ["demo/x", "demo/y"], id="a pax path each"
        ),
        pytest.param([pax((b"path", b"d" * MAX_PATH)), A], ["d" * MAX_PATH], id="the longest path"),
    ],
)
def test_members_come_in_their_order(members: list[Member], expected: list[str]) -> None:
    found = members_of(zipped(tar(members)))
    assert [member.path for member in found] == expected
    told = [member for member in members if member.type in (b"0", b"\0", b"7", FOLDER)]
    assert [member.size for member in found] == [len(member.data) for member in told]
    assert [member.is_folder for member in found] == [
        member.type == FOLDER or member.name[-1:] == b"/" for member in told
    ]


@pytest.mark.parametrize(
    ("member", "is_what", "target"),
    [
        pytest.param(A, (False, False, False, False), "", id="file"),
        pytest.param(Member(name=b"demo", type=FOLDER), (True, False, False, False), "", id="folder"),
        pytest.param(Member(name=b"l", type=SYMLINK, link=b"./b/"), (False, True, False, False), "./b/", id="link"),
        pytest.param(
            Member(name=b"h", type=HARD_LINK, link=b"demo/b"), (False, False, True, False), "demo/b", id="hard link"
        ),
        pytest.param(Member(name=b"c", type=CHARACTER), (False, False, False, True), "", id="device"),
        pytest.param(Member(name=b"b", type=b"4"), (False, False, False, True), "", id="block device"),
        pytest.param(Member(name=b"f", type=FIFO), (False, False, False, True), "", id="pipe"),
    ],
)
def test_a_member_is_one_thing(member: Member, is_what: tuple[bool, ...], target: str) -> None:
    [found] = members_of(zipped(tar([member])))
    assert (found.is_folder, found.is_link, found.is_hard_link, found.is_device) == is_what
    assert found.target == target


@pytest.mark.parametrize(
    "before",
    [pytest.param(pax((b"linkpath", b"t" * 300)), id="pax"), pytest.param(long_name(b"t" * 300, GNU_LINK), id="GNU")],
)
def test_a_link_leads_where_its_extended_header_says(before: Member) -> None:
    link = Member(name=b"demo/l", type=SYMLINK, link=b"short", magic=before.magic)
    assert [member.target for member in members_of(zipped(tar([before, link, link])))] == ["t" * 300, "short"]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(bytes(1024), id="two blocks"),
        pytest.param(bytes(10_240), id="twenty blocks"),
        pytest.param(bytes(3 * MEBIBYTE), id="many blocks"),
        pytest.param(bytes(1024 + 100), id="blocks and a part of one"),
    ],
)
def test_an_archive_may_end_in_any_number_of_zeros_from_two_blocks(end: bytes) -> None:
    assert contents(zipped(tar([A], end))) == {"demo/a.txt": A.data}


@pytest.mark.parametrize("zeros", [0, 1, 512, MEBIBYTE])
def test_a_gzip_file_may_be_padded_with_zeros(zeros: int) -> None:
    assert contents(zipped(tar([A])) + bytes(zeros)) == {"demo/a.txt": A.data}


# Contents


def test_contents_are_read_or_left_out() -> None:
    archive = Tar(io.BytesIO(zipped(tar([A, B, A, B]))))
    read = [archive.read() for number, _ in enumerate(archive) if number in (1, 2)]
    assert read == [B.data, A.data]


def test_contents_that_were_read_once_are_gone() -> None:
    archive = Tar(io.BytesIO(zipped(tar([A]))))
    assert [(archive.read(), archive.read()) for _ in archive] == [(A.data, b"")]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 256 * 1024, 3_000_000])
def test_contents_of_any_size_are_read(size: int) -> None:
    large = replace(A, data=random.Random(size).randbytes(size))
    assert contents(zipped(tar([B, large, replace(B, name=b"demo/c")]))) == {
        "demo/b.txt": B.data,
        "demo/a.txt": large.data,
        "demo/c": B.data,
    }


# What is wrong. What has another meaning to other readers is in `hostile`; here is where exactly the lines run


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(b"junk" * 1000, "not a gzip file", id="junk"),
        pytest.param(zipped(tar([A]))[:40], "truncated", id="a gzip file that is cut"),
        pytest.param(zipped(tar([A]))[:-1], "truncated", id="a gzip file without its last byte"),
        pytest.param(zipped(tar([A]))[:-4] + b"\1\2\3\4", "damaged", id="a gzip file with another size"),
        pytest.param(zipped(tar([A]))[:-8] + b"\1" * 8, "damaged", id="a gzip file with another CRC"),
        pytest.param(zlib.compress(tar([A])), "not a gzip file", id="zlib's header"),
        pytest.param(zipped(tar([A])) + b"\1", "after its gzip stream", id="a byte behind"),
        pytest.param(zipped(tar([A])) + bytes(600_000) + b"\1", "after its gzip stream", id="a byte far behind"),
        pytest.param(zipped(tar([A])) + zipped(b""), "after its gzip stream", id="a second gzip stream"),
        pytest.param(zipped(tar([A], bytes(1024) + b"\1")), "after its end", id="a byte behind the end"),
        pytest.param(zipped(tar([A], bytes(1024)) + bytes(600_000) + b"\1"), "after its end", id="far behind the end"),
        pytest.param(zipped(tar([A], bytes(512) + B.blocks())), "after its end", id="a member behind a block of zeros"),
        pytest.param(zipped(tar([A], bytes(100))), "truncated", id="a part of a block"),
        pytest.param(zipped(tar([A], b"\1" * 100)), "truncated", id="a part of a header"),
        pytest.param(zipped(tar([A], b"\1" * 512)), "cannot be read", id="a header that is none"),
        pytest.param(zipped(A.header()), "truncated", id="a header without contents"),
        pytest.param(zipped(A.header() + A.data[:600]), "truncated", id="half of the contents"),
        pytest.param(zipped(A.header() + A.data), "truncated", id="contents without their padding"),
        pytest.param(zipped(tar([replace(A, checksum=b"0000000\0")])), "cannot be read", id="a checksum of zero"),
        pytest.param(zipped(tar([replace(A, checksum=b"\x80" + bytes(7))])), "cannot be read", id="another checksum"),
        pytest.param(zipped(tar([replace(A, size=b"00000001_50\0")])), "number", id="a size with an underscore"),
        pytest.param(zipped(tar([replace(A, size=b"-0000000001\0")])), "number", id="a size below zero"),
        pytest.param(zipped(tar([replace(A, size=b"\xff" * 12)])), "number", id="a size below zero, in base 256"),
        pytest.param(zipped(tar([replace(A, size=octal(5)[:5] + b"\0" + octal(5)[:6])])), "number", id="two numbers"),
        pytest.param(
            zipped(tar([replace(A, prefix=b"demo", magic=GNU_MAGIC)])), "prefix", id="a prefix in a GNU header"
        ),
        pytest.param(
            zipped(tar([replace(A, prefix=b"demo", magic=NO_MAGIC)])), "magic", id="a header from before POSIX"
        ),
        pytest.param(zipped(tar([pax((b"path", b""))])), "empty", id="an empty pax path"),
        pytest.param(zipped(tar([long_name(b""), A])), "empty", id="an empty GNU name"),
        pytest.param(zipped(tar([pax((b"path", b"d" * (MAX_PATH + 1))), A])), "too long", id="a path that is too long"),
        pytest.param(zipped(tar([pax((b"size", b"999")), A])), "two sizes", id="another size in pax"),
        pytest.param(zipped(tar([pax((b"size", b"01000")), A])), "two sizes", id="the same size in pax, with a zero"),
        pytest.param(
            zipped(tar([pax((b"size", b"1000")), pax((b"mtime", b"1")), A])),
            "two extended headers",
            id="a header between size and member",
        ),
        pytest.param(zipped(tar([pax((b"GNU.sparse.size", b"1")), A])), "sparse", id="sparse"),
        pytest.param(
            zipped(tar([A, pax((b"path", b"demo/x"))])), "without the member it belongs to", id="a pax header last"
        ),
        pytest.param(
            zipped(tar([*GNU, long_name(b"demo/x")])), "without the member it belongs to", id="a GNU name last"
        ),
        pytest.param(
            zipped(tar([A, pax((b"comment", b"b"), type=PAX_GLOBAL)])),
            "without the member it belongs to",
            id="a global one last",
        ),
        pytest.param(
            zipped(tar([replace(long_name(b"demo/x/y"), size=octal(6)), A])), "after its end", id="a name that goes on"
        ),
        pytest.param(
            zipped(tar([replace(pax((b"a", b"b"), (b"path", b"demo/x")), size=octal(6)), A])),
            "after its end",
            id="a record behind a pax header",
        ),
        pytest.param(zipped(tar([replace(A, size=b"\0" + octal(len(A.data))[1:])])), "number", id="a size behind NUL"),
        pytest.param(zipped(tar([replace(A, size=b" \0" + octal(len(A.data))[2:])])), "number", id="a size far behind"),
        pytest.param(zipped(tar([replace(A, name=b"")])), "without a name", id="a file without a name"),
        pytest.param(zipped(tar([replace(A, name=b"./")])), "some readers", id="a file that is the top"),
        pytest.param(zipped(tar([replace(A, name=b".")])), "'./'", id="a file that is the top, without a slash"),
        pytest.param(
            zipped(tar([Member(name=b"", type=OLD_FILE, prefix=b"demo")])),
            "no path",
            id="a folder by its prefix alone",
        ),
        pytest.param(
            zipped(tar([replace(long_name(b"demo/x"), data=b"demo/x\0junk"), A])),
            "after its end",
            id="junk behind a name",
        ),
        pytest.param(zipped(tar([pax((b"path", b"demo/x/")), A])), "some readers", id="a file renamed to a folder"),
        pytest.param(zipped(tar([replace(A, name=b"demo/x/")])), "some readers", id="a file with a slash"),
        pytest.param(
            zipped(tar([pax((b"path", b"demo/x")), Member(name=b"demo/x/", type=OLD_FILE, data=B.blocks())])),
            "some readers",
            id="an old folder renamed to a file",
        ),
        pytest.param(
            zipped(tar([Member(name=b"demo/", type=OLD_FILE, data=b"x")])), "contents", id="a folder's contents"
        ),
        pytest.param(zipped(tar([Member(name=b"d", type=FIFO, data=b"x")])), "contents", id="a pipe's contents"),
        pytest.param(zipped(tar([replace(A, type=b"X")])), "type b'X'", id="another kind"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, problem: str) -> None:
    assert problem in why_unreadable(data)


NUMBERS, DEVICE_NUMBERS = ["mode", "uid", "gid", "mtime"], ["major", "minor"]
FOR_TARFILE = [b"   644 \0", b"\t644\0", b"644\0x", b"\x80\1\2\3", b"\xff\xfe\xfd\xfc"]


@pytest.mark.parametrize("field", [*NUMBERS, *DEVICE_NUMBERS])
@pytest.mark.parametrize(
    "text",
    [b"x", b"8", b"0644x", b"6 4", b"-1", b"+1", b"0o7", b"0_7", b"\xb2", b"\x81", b"\xfe"],
    ids=lambda text: text.decode("latin-1"),
)
def test_a_number_that_nobody_needs_can_be_read_all_the_same(field: str, text: bytes) -> None:
    data = zipped(tar([A, replace(B, **{field: text}), A]))  # tarfile takes B for the end
    assert "number" in why_unreadable(data)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *((field, text) for field in [*NUMBERS, *DEVICE_NUMBERS] for text in (b"", b"0", b"0000000\0", b"644 \0")),
        *((field, text) for field in DEVICE_NUMBERS for text in FOR_TARFILE),
    ],
)
def test_a_number_that_nobody_needs_has_the_forms_that_tarfile_and_uv_read(field: str, text: bytes) -> None:
    data = zipped(tar([A, replace(B, **{field: text})]))
    with tarfile.open(fileobj=io.BytesIO(data)) as theirs:
        assert theirs.getnames() == [member.path for member in members_of(data)] == [A.name.decode(), B.name.decode()]


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("text", FOR_TARFILE)
def test_a_form_that_only_tarfile_reads_is_named(field: str, text: bytes) -> None:
    problem = why_unreadable(zipped(tar([A, replace(B, **{field: text})])))
    assert field in problem
    assert "b.txt" in problem


@pytest.mark.parametrize(
    "data",
    [
        b"9 path=x", b"8 path=x\n", b"99 path=x\n", b"0 path=x\n", b"09 path=x\n", b"-9 path=x\n",
        b"path=x\n", b"9path=x\n\n", b" 9 path=x\n", b"7 path\n", b"4 =\n", b"5 =x\n", b"9 path=x\n\n", b"\0",
        b"9 path=x\n9 path", b"9 pa\nth=x\n", b"1" * 500 + b" path=x\n",
    ],
    ids=str,
)  # fmt: skip
def test_pax_records_must_be_whole(data: bytes) -> None:
    before = replace(pax(), data=data)
    assert "cannot be read" in why_unreadable(zipped(tar([before, A])))


# Bounds


@pytest.mark.parametrize(("limit", "is_refused"), [(3, False), (2, True)])
def test_members_are_counted_and_headers_before_them_too(
    monkeypatch: pytest.MonkeyPatch, limit: int, is_refused: bool
) -> None:
    monkeypatch.setattr(reader, "MAX_MEMBERS", limit)
    data = zipped(tar([pax((b"comment", b"c")), A, B]))
    if is_refused:
        assert why_unreadable(data) == "the archive has more than 2 members"
    else:
        assert len(members_of(data)) == 2


def test_extended_headers_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    comment = pax((b"comment", b"c" * 90))
    data = zipped(tar([comment, A, comment, B]))
    monkeypatch.setattr(reader, "MAX_DIRECTORY", 2 * len(comment.data))
    assert len(members_of(data)) == 2
    monkeypatch.setattr(reader, "MAX_DIRECTORY", 2 * len(comment.data) - 1)
    assert "extended headers" in why_unreadable(data)


def test_a_header_that_is_too_large_is_not_read() -> None:
    noise = random.Random(0).randbytes(6 * MEBIBYTE)
    stream = Counted(zipped(tar([pax((b"comment", noise)), A])))
    with peak() as held, pytest.raises(InvalidArchive):
        [*Tar(stream)]
    assert stream.given < MEBIBYTE
    assert held.bytes < 2 * MEBIBYTE


def test_a_large_archive_is_read_once_forward_in_pieces() -> None:
    noise = random.Random(0).randbytes(5_000_000)
    data = zipped(tar([replace(A, data=noise), B]))
    stream = Counted(data)
    with peak() as held:
        assert [member.size for member in Tar(stream)] == [len(noise), len(B.data)]
    assert stream.given == len(data)
    assert not stream.moved
    assert stream.largest <= 256 * 1024
    assert held.bytes < 1_500_000


@pytest.mark.parametrize("hidden", [True, False], ids=["behind the end", "in a member"])
def test_a_bomb_is_left_as_soon_as_it_shows(hidden: bool) -> None:
    head = tar([A]) if hidden else replace(A, size=octal(100 * MEBIBYTE), data=b"").header()
    stream = Counted(zipped_zeros(head, 100 * MEBIBYTE) + random.Random(0).randbytes(3 * MEBIBYTE))
    with peak() as held, pytest.raises(InvalidArchive) as caught:
        [*Tar(stream)]
    assert "bomb" in str(caught.value)
    assert stream.given <= 512 * 1024
    assert held.bytes < 2 * MEBIBYTE


def test_64_mebibytes_are_no_bomb_and_one_block_more_is() -> None:
    whole = 64 * MEBIBYTE
    size = whole - 3 * 512  # a header and two blocks at the end
    member = replace(A, data=b"", size=octal(size))
    assert len(members_of(gzip.compress(member.header() + bytes(size + 1024), 1))) == 1
    with pytest.raises(InvalidArchive, match="bomb"):
        members_of(gzip.compress(member.header() + bytes(size + 1024 + 512), 1))


def test_padding_is_part_of_no_member() -> None:
    data = A.header() + padded(A.data)[:-1] + b"x"  # some write junk there, which nobody reads
    assert contents(zipped(data + bytes(1024))) == {"demo/a.txt": A.data}
