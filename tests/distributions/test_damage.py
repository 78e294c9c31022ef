"""Files damaged at random: looking into one never fails, and none is accepted that holds something else.

Something else is for a reader of the standard library another path, other contents of a path, or another kind of
member. Times, owners and the hints of who made an archive may change unseen: they stand under no checksum in a zip, no
digest covers them, and no reader here acts on them.
"""

import gzip
import io
import posixpath
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry.distributions import verify
from tests.distributions.harmless import HARMLESS
from tests.distributions.hostile import SDIST, WHEEL, ZIPPED

BASES = {
    row: (HARMLESS[row].filename, HARMLESS[row].make())
    for row in (
        "wheel: deflated",
        "wheel: data descriptors",
        "wheel: zip64 sizes that were not needed",
        "wheel: a zip64 end record that was not needed",
        "wheel: folders",
        "sdist: as tar writes it",
        "sdist: all that a gzip header may have, except its checksum",
        "zipped sdist: a symbolic link within",
    )
}
TARS = {
    row: gzip.decompress(HARMLESS[row].make())
    for row in (
        "sdist: as tar writes it",
        "sdist: tarfile's, GNU",
        "sdist: tarfile's, pax",
        "sdist: symbolic links within",
        "sdist: numbers that blanks or NULs end",
    )
}

Damage = Callable[[bytes], bytes]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Change a few bytes, cut something off, take something out, or say something twice."""
    flips = draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
    start, length = draw(st.floats(0, 1)), draw(st.integers(1, 600))
    kind = draw(st.sampled_from(["flip", "flip", "flip", "cut", "without", "twice"]))

    def damage(data: bytes) -> bytes:
        at = int(start * len(data))
        if kind == "cut":
            return data[:at]
        if kind == "without":
            return data[:at] + data[at + length :]
        if kind == "twice":
            return data[: at + length] + data[at:]
        damaged = bytearray(data)
        for place, difference in flips:
            damaged[int(place * len(data))] ^= difference
        return bytes(damaged)

    return damage


def is_header(block: bytes) -> bool:
    return len(block) == 512 and block[148:156].strip(b" \0").isdigit() and checksum(block) == block[148:154]


def checksum(block: bytes) -> bytes:
    return b"%06o" % (sum(block[:148]) + sum(block[156:]) + 8 * ord(" "))


def mended(data: bytes, damaged: bytes) -> bytes:
    """Give damaged headers the checksums that they should have now."""
    blocks = [damaged[at : at + 512] for at in range(0, len(damaged), 512)]
    for number, block in enumerate(blocks):
        if is_header(data[512 * number : 512 * number + 512]) and len(block) == 512:
            blocks[number] = block[:148] + checksum(block) + b"\0 " + block[156:]
    return b"".join(blocks)


def members_of(filename: str, data: bytes) -> Mapping[str, tuple[object, ...]]:
    """Give what the standard library sees, by path: what kind of member it is, and its contents or target."""
    if filename == SDIST:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            return {
                it.name: (it.isdir(), it.issym(), it.islnk(), it.linkname, _contents(tar, it))
                for it in tar.getmembers()
            }
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            it.filename: (it.is_dir(), it.external_attr >> 28 == 0xA, archive.read(it)) for it in archive.infolist()
        }


def _contents(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isreg() else None
    return file.read() if file else b""


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
@given(damage=damages())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_refused_or_holds_the_same(base: tuple[str, bytes], damage: Damage) -> None:
    filename, data = base
    damaged = damage(data)
    report = verify(io.BytesIO(damaged), filename)
    if not report.problems:
        assert members_of(filename, damaged) == members_of(filename, data)


@pytest.mark.parametrize("data", TARS.values(), ids=TARS.keys())
@given(damage=damages(), mend=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_tar_that_was_damaged_before_it_was_packed_is_refused_or_read_alike(
    data: bytes, damage: Damage, mend: bool
) -> None:
    """No checksum tells of damage in contents here, so what tarfile sees is compared with what was promised of it."""
    damaged = gzip.compress(mended(data, damage(data)) if mend else damage(data), 1)
    report = verify(io.BytesIO(damaged), SDIST)
    if report.problems:
        return
    with tarfile.open(fileobj=io.BytesIO(damaged), mode="r:gz") as tar:
        members = tar.getmembers()
        [metadata] = [_contents(tar, it) for it in members if re.fullmatch(r"(\./)?[^/]+/PKG-INFO", it.name)]
    files = [posixpath.normpath(it.name) for it in members if not it.isdir()]
    assert report.metadata is not None and report.metadata.data == metadata
    assert len(files) == len({*files}) and len({path.partition("/")[0] for path in files}) == 1
    assert not any(it.name.startswith("/") or ".." in it.name.split("/") for it in members)
    assert all(it.isreg() or it.isdir() or it.issym() or it.islnk() for it in members)


@pytest.mark.parametrize("filename", [WHEEL, SDIST, ZIPPED])
@given(data=st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_bytes_of_no_kind_are_refused(filename: str, data: bytes) -> None:
    assert verify(io.BytesIO(data), filename).problems
