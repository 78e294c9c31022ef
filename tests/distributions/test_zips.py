"""Zip archives: what an honest packer writes is taken as it is, and lies cost little."""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry.distributions import limits, zip_directory
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.zip_directory import FileHeader, ZipMember, parse_entries, read_directory
from pypi_registry.distributions.zips import (
    Zip,
    is_local_header_equal,
    is_ordinary,
    member_problems,
    parse_local_header,
)
from tests.distributions.measuring import Counted, peak
from tests.distributions.zips import (
    DEFLATED,
    DESCRIPTOR,
    FOLDER,
    SENTINEL,
    STORED,
    SYMLINK,
    UTF8,
    Entry,
    archive,
    field_of,
    streamed,
    zip64_field,
)

MEBIBYTE = 1024**2


def opened(data: bytes) -> Zip:
    return Zip(io.BytesIO(data))


def unpacked(found: Zip) -> dict[str, bytes]:
    return {member.path: b"".join(found.unpack(member)) for member in found.members}


def problems_of(*entries: Entry, **archived: Any) -> list[str]:
    return opened(archive(entries, **archived)).problems


def why_unreadable(data: bytes) -> str:
    with pytest.raises(InvalidArchive) as caught:
        opened(data)
    assert str(caught.value).isprintable()
    return str(caught.value)


A = Entry(name=b"demo/a.txt", data=b"some data\n" * 40)
B = Entry(name=b"demo/b.txt", data=b"other data\n")


# What an honest packer writes


class Unseekable(io.RawIOBase):
    """A pipe: whoever writes into it cannot go back, and says late what it wrote."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.data += data
        return len(data)


names = st.lists(
    st.text(st.characters(exclude_characters="/\\:", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=9).filter(
        lambda part: set(part) != {"."}
    ),
    min_size=1,
    max_size=3,
).map("/".join)
contents = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda piece, times: piece * times, st.binary(max_size=3), st.integers(0, 99_999)),
)


def apart(paths: Mapping[str, object]) -> bool:
    """Tell whether no path lies in another."""
    return not any(path.startswith(f"{other}/") for path in paths for other in paths)


@given(
    st.dictionaries(
        names,
        st.tuples(
            contents, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.integers(0, 9), st.booleans()
        ),
        max_size=5,
    ).filter(apart),
    st.lists(names, max_size=2),
    st.binary(max_size=20).filter(lambda comment: b"PK" not in comment),
)
@settings(max_examples=100, deadline=None)
def test_what_zipfile_writes_is_sound_and_unpacks_to_the_same(
    files: dict[str, tuple[bytes, int, int, bool]], folders: list[str], comment: bytes
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for path, (data, method, level, long) in files.items():
            info = zipfile.ZipInfo(path)
            info.compress_type = method
            info._compresslevel = level  # type: ignore[attr-defined]  # it has no other name before Python 3.13
            with written.open(info, "w", force_zip64=long) as member:
                member.write(data)
        for path in {f"more/{path}/" for path in folders}:
            written.writestr(path, b"")
        written.comment = comment
    found = opened(stream.getvalue())
    assert found.problems == []
    held = unpacked(found)
    assert {path: data for path, data in held.items() if not path.endswith("/")} == {
        path: data for path, (data, *_) in files.items()
    }
    with zipfile.ZipFile(stream) as theirs:
        assert [(member.path, member.size, member.is_folder) for member in found.members] == [
            (info.filename, info.file_size, info.is_dir()) for info in theirs.infolist()
        ]


@given(st.dictionaries(names, contents, max_size=4).filter(apart))
@settings(max_examples=50, deadline=None)
def test_what_zipfile_writes_into_a_pipe_is_sound_and_unpacks_to_the_same(files: dict[str, bytes]) -> None:
    pipe = Unseekable()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as written:
        for path, data in files.items():
            written.writestr(path, data)
    found = opened(bytes(pipe.data))
    assert found.problems == []
    assert all(member.header.flags & DESCRIPTOR for member in found.members)
    assert unpacked(found) == files


@pytest.mark.parametrize(
    ("entries", "archived"),
    [
        pytest.param([], {}, id="nothing in it"),
        pytest.param([A, B], {"comment": b"c" * 65535}, id="the longest comment"),
        pytest.param([A, B], {"comment": b"PK\5"}, id="a comment that begins like an end"),
        pytest.param([replace(A, data=b"PK\5\6" + bytes(18)), B], {}, id="an end within a file"),
        pytest.param([replace(A, data=archive([B]))], {}, id="an archive within a file"),
        pytest.param([replace(A, central={"comment": b"about it"}), B], {}, id="a comment on an entry"),
        pytest.param([replace(A, extra=field_of(0x5455, b"\3" + bytes(8)))], {}, id="times"),
        pytest.param([replace(A, extra=field_of(0x5455, b"") + bytes(3))], {}, id="zeros behind a field"),
        pytest.param([replace(A, extra=bytes(7))], {}, id="zeros for a field"),
        pytest.param([replace(A, local={"extra": field_of(0xD935, bytes(9))})], {}, id="alignment in one header only"),
        pytest.param(
            [replace(A, extra=field_of(0x7075, struct.pack("<BL", 1, zlib.crc32(A.name)) + A.name))],
            {},
            id="the same name in a Unicode path field",
        ),
        pytest.param([replace(A, flags=0x2, local={"flags": 0x6})], {}, id="two opinions on how hard was tried"),
        pytest.param([replace(A, local={"version": 45}, central={"version": 10})], {}, id="two versions needed"),
        pytest.param([Entry(name="demo/é".encode(), flags=UTF8)], {}, id="a name beyond ASCII"),
        pytest.param([replace(A, flags=UTF8)], {}, id="a name in ASCII, marked as UTF-8"),
        pytest.param([Entry(name=b"demo/", attributes=FOLDER), A], {}, id="a folder"),
        pytest.param([Entry(name=b"demo/", method=DEFLATED, attributes=FOLDER), A], {}, id="a folder, packed"),
        pytest.param([replace(A, attributes=0)], {}, id="no mode"),
        pytest.param([A, B], {"zip64": {}}, id="a zip64 end that nobody needs"),
        pytest.param(
            [A, B],
            {"zip64": {}, "end": {"here": 0xFFFF, "count": 0xFFFF, "size": SENTINEL, "offset": SENTINEL}},
            id="a zip64 end for all",
        ),
        pytest.param([A, B], {"zip64": {}, "end": {"offset": SENTINEL}}, id="for the offset"),
        pytest.param([A, B], {"zip64": {}, "end": {"disk": 0xFFFF, "directory_disk": 0xFFFF}}, id="for disks"),
        pytest.param([A, B], {"zip64": {"disks": 0}}, id="a locator that counts no disks"),
        pytest.param(
            [replace(A, central={"size": SENTINEL, "extra": zip64_field(400)})], {}, id="zip64 for the size"
        ),
        pytest.param(
            [replace(A, central={"packed": SENTINEL, "extra": zip64_field(400)})], {}, id="zip64 for the packed size"
        ),
        pytest.param([replace(A, central={"offset": SENTINEL, "extra": zip64_field(0)})], {}, id="for an offset"),
        pytest.param(
            [replace(A, central={"disk": 0xFFFF, "extra": field_of(1, bytes(4))})], {}, id="zip64 for the disk"
        ),
        pytest.param(
            [
                replace(
                    A,
                    central={
                        "size": SENTINEL, "packed": SENTINEL, "offset": SENTINEL, "disk": 0xFFFF,
                        "extra": field_of(1, struct.pack("<3QL", 400, 400, 0, 0)),
                    },
                    local={"size": SENTINEL, "packed": SENTINEL, "extra": zip64_field(400, 400)},
                )
            ],
            {},
            id="zip64 for everything",
        ),
        pytest.param([replace(A, local={"extra": zip64_field(400, 400)})], {}, id="zip64 said once more"),
    ],
)  # fmt: skip
def test_what_is_unusual_and_has_one_meaning_is_sound(entries: list[Entry], archived: dict[str, Any]) -> None:
    found = opened(archive(entries, **archived))
    assert found.problems == []
    assert list(unpacked(found).values()) == [entry.data for entry in entries]


FACTS = zlib.crc32(A.data), len(replace(A, method=DEFLATED).bytes_packed), len(A.data)


@pytest.mark.parametrize(
    "late", [{}, {"crc": FACTS[0]}, {"crc": FACTS[0], "packed": FACTS[1], "size": FACTS[2]}], ids=str
)
@pytest.mark.parametrize(
    "descriptor",
    [
        pytest.param(struct.pack("<3L", *FACTS), id="short"),
        pytest.param(struct.pack("<4s3L", b"PK\7\x08", *FACTS), id="short, with a signature"),
        pytest.param(struct.pack("<L2Q", *FACTS), id="long"),
        pytest.param(struct.pack("<4sL2Q", b"PK\7\x08", *FACTS), id="long, with a signature"),
    ],
)
def test_what_a_packer_knew_late_stands_behind_the_data(descriptor: bytes, late: dict[str, int]) -> None:
    entry = replace(streamed(replace(A, method=DEFLATED, local=late)), descriptor=descriptor)
    found = opened(archive([B, entry, replace(entry, name=b"demo/c.txt")]))  # in the middle, and at the end
    assert found.problems == []
    assert unpacked(found) == {"demo/b.txt": B.data, "demo/a.txt": A.data, "demo/c.txt": A.data}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda it: it[:-1] + bytes([it[-1] ^ 1]), id="another size"),
        pytest.param(lambda it: bytes([it[0] ^ 1]) + it[1:], id="another CRC"),
        pytest.param(lambda it: b"PK\7\7" + it, id="another signature"),
        pytest.param(lambda it: it + b"\0", id="a byte more"),
        pytest.param(lambda it: it[:-1], id="a byte less"),
        pytest.param(lambda it: it + it, id="twice"),
        pytest.param(lambda it: b"", id="none"),
        pytest.param(lambda it: it + bytes(100), id="much more"),
    ],
)
@pytest.mark.parametrize("last", [True, False], ids=["at the end", "in the middle"])
def test_a_data_descriptor_that_says_otherwise_is_named(change: Callable[[bytes], bytes], last: bool) -> None:
    entry = streamed(replace(A, method=DEFLATED))
    entry = replace(entry, descriptor=change(struct.pack("<3L", *FACTS)))
    problems = problems_of(*([B, entry] if last else [entry, B]))
    assert any("demo/a.txt" in problem and "descriptor" in problem for problem in problems)


# What the members are


def member_of(entry: Entry) -> ZipMember:
    [member] = opened(archive([entry])).members
    return member


@pytest.mark.parametrize(
    ("entry", "is_folder", "is_link"),
    [
        pytest.param(A, False, False, id="file"),
        pytest.param(Entry(name=b"demo/", attributes=FOLDER), True, False, id="folder"),
        pytest.param(Entry(name=b"demo/", attributes=0), True, False, id="folder without a mode"),
        pytest.param(Entry(name=b"demo/a", data=b"b", attributes=SYMLINK), False, True, id="link"),
        pytest.param(
            Entry(name=b"demo/a", attributes=stat.S_IFLNK), False, False, id="a link's mode in the wrong half"
        ),
    ],
)
def test_a_member_is_a_file_a_folder_or_a_link(entry: Entry, is_folder: bool, is_link: bool) -> None:
    member = member_of(entry)
    assert (member.path, member.size) == (entry.name.decode(), len(entry.data))
    assert (member.is_folder, member.is_link) == (is_folder, is_link)


@pytest.mark.parametrize("kind", [stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK], ids=oct)
def test_a_member_may_not_be_a_device(kind: int) -> None:
    [problem] = problems_of(replace(A, attributes=(kind | 0o644) << 16))
    assert problem == "entry 'demo/a.txt' is a device or a pipe"


def test_a_folder_for_some_readers_is_no_file_for_others() -> None:
    for attributes in ((stat.S_IFDIR | 0o755) << 16, (stat.S_IFREG | 0o644) << 16 | 0x10, 0x10):
        [problem] = problems_of(replace(A, attributes=attributes))
        assert problem == "entry 'demo/a.txt' is a folder for some readers only"


def test_a_label_of_a_disk_is_no_file() -> None:
    [problem] = problems_of(replace(A, attributes=0x08))  # unzip takes the dots out of its name
    assert problem == "entry 'demo/a.txt' is the volume label of a disk"


def test_a_folder_has_no_contents_and_leads_nowhere() -> None:
    folder = Entry(name=b"demo/empty/", attributes=FOLDER)
    assert problems_of(folder) == []
    told = {"crc": 1}
    assert problems_of(replace(folder, local=told, central=told)) == ["entry 'demo/empty/' is a folder with contents"]
    assert problems_of(replace(folder, attributes=SYMLINK)) == ["entry 'demo/empty/' is a link for some readers only"]


@pytest.mark.parametrize("needed", [46, 62, 255])
def test_a_member_needs_no_newer_reader_than_zip64_does(needed: int) -> None:
    assert problems_of(replace(A, central={"version": 45})) == []
    assert "'demo/a.txt' needs version" in why_unreadable(archive([replace(A, central={"version": needed})]))


def test_a_name_beyond_ascii_is_marked_as_utf_8() -> None:
    [problem] = problems_of(Entry(name="demo/é".encode()))
    assert problem == "entry 'demo/é' has a non-ASCII name that is not marked as UTF-8"


def test_a_name_that_is_not_utf_8_is_named_once_and_can_be_printed() -> None:
    for flags in (0, UTF8):
        [problem] = problems_of(Entry(name=b"demo/\xff", flags=flags))
        assert "UTF-8" in problem
        assert problem.isprintable()


# The structure. What has another meaning to other readers is in `hostile`; here is where exactly the lines run


@pytest.mark.parametrize(
    ("local", "named"),
    [
        ({"name": b"demo/x.txt"}, "name"),
        ({"crc": 1}, "CRC"),
        ({"size": 1}, "size"),
        ({"packed": 1}, "compressed size"),
        ({"method": DEFLATED}, "compression method"),
        ({"flags": UTF8}, "flags"),
        ({"flags": 0x1}, "flags"),
        ({"name": b"demo/x.txt", "crc": 1, "size": 2}, "name, CRC, size"),
        ({"crc": 0, "size": 0, "packed": 0}, "CRC, size, compressed size"),
    ],
    ids=str,
)
def test_what_the_two_headers_say_otherwise_is_named(local: dict[str, int | bytes], named: str) -> None:
    assert problems_of(replace(A, local=local), B) == [
        f"entry 'demo/a.txt' has a local header that differs from the central directory: {named}"
    ]


def test_members_may_stand_in_another_order_than_in_the_directory() -> None:
    data = archive([A, B])
    at, second = data.index(b"PK\1\2"), data.rindex(b"PK\1\2")
    swapped = data[:at] + data[second:-22] + data[at:second] + data[-22:]
    found = opened(swapped)
    assert found.problems == []
    assert [*unpacked(found)] == ["demo/b.txt", "demo/a.txt"]
    assert unpacked(found) == {"demo/a.txt": A.data, "demo/b.txt": B.data}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\5\6", id="the beginning of an end"),
        pytest.param(b"PK\5\6" + bytes(17), id="an end that is a byte too short"),
        pytest.param(b"PK\5\6" + bytes(16) + b"\1\0", id="an end without its comment"),
        pytest.param(b"x" * 100_000, id="no archive"),
        pytest.param(b"PK\5\6" + bytes(18) + bytes(70_000), id="an end that is too far from the end"),
    ],
)
def test_what_has_no_end_is_no_archive(data: bytes) -> None:
    assert why_unreadable(data) == "the file is not a zip archive, is truncated, or has data after its end record"


def test_the_end_is_found_behind_the_longest_comment_and_not_read_further_back() -> None:
    data = archive([replace(A, data=bytes(10 * MEBIBYTE))], comment=b"c" * 65535)
    stream = Counted(data)
    assert Zip(stream).problems == []
    assert stream.given < 70_000


@pytest.mark.parametrize(("limit", "is_refused"), [(2, False), (1, True)])
def test_members_are_counted(monkeypatch: pytest.MonkeyPatch, limit: int, is_refused: bool) -> None:
    monkeypatch.setattr(zip_directory, "MAX_MEMBERS", limit)
    if is_refused:
        assert why_unreadable(archive([A, B])) == "the archive has 2 entries, more than 1"
    else:
        assert problems_of(A, B) == []


def test_the_directory_has_bounds_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive([A, B])
    length = data.rindex(b"PK\5\6") - data.index(b"PK\1\2")
    monkeypatch.setattr(zip_directory, "MAX_DIRECTORY", length)
    assert opened(data).problems == []
    monkeypatch.setattr(zip_directory, "MAX_DIRECTORY", length - 1)
    assert f"directory has {length} bytes, more than {length - 1}" in why_unreadable(data)


def test_a_directory_of_more_bytes_than_may_be_is_not_read() -> None:
    claim = {"here": 0xFFFF, "count": 0xFFFF, "size": SENTINEL, "offset": SENTINEL}
    stream = Counted(archive([A], zip64={"size": 2**40}, end=claim))
    with pytest.raises(InvalidArchive):
        Zip(stream)
    assert stream.given < 1000


@pytest.mark.parametrize(("size", "is_bomb"), [(64 * MEBIBYTE, False), (64 * MEBIBYTE + 1, True)])
def test_an_archive_may_say_that_it_unpacks_to_64_mebibytes(size: int, is_bomb: bool) -> None:
    told: Mapping[str, int | bytes] = {"size": size - len(B.data)}
    problems = problems_of(replace(A, method=DEFLATED, local=told, central=told), B)
    assert [problem for problem in problems if "bomb" in problem] == problems
    assert bool(problems) is is_bomb


@pytest.mark.parametrize(("more", "is_bomb"), [(0, False), (1, True)])
def test_a_large_archive_may_say_that_it_unpacks_to_fifty_times_itself(more: int, is_bomb: bool) -> None:
    large = replace(B, data=bytes(2_000_000))
    length = len(archive([replace(A, method=DEFLATED), large]))
    told: Mapping[str, int | bytes] = {"size": 50 * length - len(large.data) + more}
    assert bool(problems_of(replace(A, method=DEFLATED, local=told, central=told), large)) is is_bomb
    assert limits.is_bomb(50 * length + more, length) is is_bomb


# Contents


def damage(entry: Entry) -> str:
    """Give what is wrong with the contents of an archive whose structure is right."""
    found = opened(archive([entry, B]))
    assert found.problems == []
    with pytest.raises(InvalidArchive) as caught:
        list(found.unpack(found.members[0]))
    assert "demo/a.txt" in str(caught.value)
    return str(caught.value)


def both(entry: Entry, **told: int) -> Entry:
    return replace(entry, local=told, central=told)


PACKED = replace(A, method=DEFLATED)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        pytest.param(both(A, crc=1), "CRC", id="stored, another CRC"),
        pytest.param(both(PACKED, crc=1), "CRC", id="packed, another CRC"),
        pytest.param(both(PACKED, size=399), "size", id="packed, less said"),
        pytest.param(both(PACKED, size=401), "size", id="packed, more said"),
        pytest.param(both(PACKED, size=0), "size", id="packed, nothing said"),
        pytest.param(replace(PACKED, packed=PACKED.bytes_packed + b"more"), "end", id="bytes behind the stream"),
        pytest.param(replace(PACKED, packed=PACKED.bytes_packed[:-1]), "end", id="a stream that is cut"),
        pytest.param(replace(PACKED, packed=b""), "end", id="no stream"),
        pytest.param(replace(PACKED, packed=b"\xff" * 9), "decompressed", id="no deflate stream"),
        pytest.param(replace(PACKED, packed=zlib.compress(A.data)), "decompressed", id="a stream with zlib's header"),
    ],
)
def test_damage_is_found_when_contents_are_read(entry: Entry, what: str) -> None:
    assert what in damage(entry)


def test_contents_without_a_header_of_their_own_cannot_be_found() -> None:
    found = opened(archive([A, replace(B, central={"offset": 5})]))
    assert "entry 'demo/b.txt' overlaps the one before it" in found.problems
    with pytest.raises(InvalidArchive) as caught:
        list(found.unpack(found.members[1]))
    assert "cannot be found" in str(caught.value)


PIECE = 256 * 1024


@pytest.mark.parametrize("method", [STORED, DEFLATED], ids=["stored", "packed"])
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, 3_000_000])
@pytest.mark.parametrize("make", [bytes, os.urandom], ids=["zeros", "noise"])
def test_contents_come_in_pieces(method: int, size: int, make: Callable[[int], bytes]) -> None:
    data = make(size)
    stream = Counted(archive([replace(A, data=data, method=method), B]))
    found = Zip(stream)
    before = stream.given
    pieces = list(found.unpack(found.members[0]))
    assert b"".join(pieces) == data
    assert all(len(piece) <= PIECE for piece in pieces)
    assert stream.given - before == found.members[0].header.compressed_size
    assert stream.largest <= max(PIECE, 66_000)


def said_to_be(size: int, data: bytes, level: int) -> Counted:
    """Give an archive whose headers say that its data has so many bytes."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    told: Mapping[str, int | bytes] = {"size": size}
    return Counted(archive([replace(A, method=DEFLATED, packed=packed, local=told, central=told)]))


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_more_than_was_said_is_not_read_on(size: int) -> None:
    stream = said_to_be(size, os.urandom(3_000_000), level=0)
    found = Zip(stream)
    before = stream.given
    with pytest.raises(InvalidArchive) as caught:
        list(found.unpack(found.members[0]))
    assert "size" in str(caught.value)
    assert stream.given - before <= PIECE


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_a_bomb_is_inflated_no_further_than_was_said(size: int) -> None:
    found = Zip(said_to_be(size, bytes(40_000_000), level=9))
    with peak() as held, pytest.raises(InvalidArchive) as caught:
        list(found.unpack(found.members[0]))
    assert "size" in str(caught.value)
    assert held.bytes < 500_000 + size


# The fast checks of nearly all members, and the full ones


@given(
    name=st.sampled_from([b"a", b"a/", "é".encode(), b"\xff"]),
    flags=st.sampled_from([0, UTF8, DESCRIPTOR, 2, 4, 1, 1 << 6, 1 << 13, 1 << 4, UTF8 | 6]),
    method=st.sampled_from([STORED, DEFLATED, 12]),
    crc=st.integers(0, 1),
    size=st.integers(0, 2),
    compressed_size=st.integers(0, 2),
    mode=st.sampled_from([0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR]),
    dos_attributes=st.sampled_from([0, 0x01, 0x08, 0x10, 0x20]),
)
@settings(max_examples=1000, deadline=None)
def test_an_ordinary_member_has_no_problem(
    *, name: bytes, flags: int, method: int, crc: int, size: int, compressed_size: int, mode: int, dos_attributes: int
) -> None:
    header = FileHeader(name, flags, method, crc, size, compressed_size)
    path = name.decode("utf-8", "surrogateescape")
    member = ZipMember(path, path.endswith("/"), size, header, 0, 0, mode, dos_attributes)
    assert not (is_ordinary(member) and [*member_problems(member)])


LIES = st.dictionaries(
    st.sampled_from(["version", "flags", "method", "crc", "packed", "size"]), st.integers(0, 3), max_size=2
)


@given(local=LIES, central=LIES, extra=st.sampled_from([b"", bytes(4), field_of(7, b"x")]))
@settings(max_examples=500, deadline=None)
def test_a_local_header_that_has_the_same_bytes_is_parsed_as_the_same_header(
    local: dict[str, int | bytes], central: dict[str, int | bytes], extra: bytes
) -> None:
    stream = io.BytesIO(archive([replace(B, local=local, central={**central, "extra": extra}, extra=extra), A]))

    def read(offset: int, size: int) -> bytes:
        stream.seek(offset)
        return stream.read(size)

    directory = read_directory(len(stream.getvalue()), read)
    for member in parse_entries(directory):
        if is_local_header_equal(member, directory.data, read):
            data_offset = member.header_offset + 30 + len(member.header.raw_path)
            assert parse_local_header(member, read) == (member.header, data_offset)


def test_what_python_writes_is_ordinary_and_has_equal_headers() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("demo/a.txt", A.data)

    def read(offset: int, size: int) -> bytes:
        stream.seek(offset)
        return stream.read(size)

    directory = read_directory(len(stream.getvalue()), read)
    [member] = parse_entries(directory)
    assert is_ordinary(member)
    assert is_local_header_equal(member, directory.data, read)
