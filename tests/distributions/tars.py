"""Tar archives, byte by byte: each field may be told to lie, as no library lets it.

The layout is POSIX's ustar and pax interchange formats, and GNU tar's manual for what it adds ("Basic Tar Format").
"""

import gzip
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

BLOCK = 512
FILE, OLD_FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, FOLDER, FIFO = (
    b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6",
)  # fmt: skip
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK, GNU_SPARSE, GNU_VOLUME = b"x", b"g", b"L", b"K", b"S", b"M"
POSIX_MAGIC, GNU_MAGIC, NO_MAGIC = b"ustar\x0000", b"ustar  \0", bytes(8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One member, honest but for what is said otherwise."""

    name: bytes
    data: bytes = b""
    type: bytes = FILE
    link: bytes = b""
    size: bytes | None = None
    """The twelve bytes of the field; None: the length of the data."""
    mode: bytes = b"0000644\0"
    uid: bytes = b"0000000\0"
    gid: bytes = b"0000000\0"
    mtime: bytes = b"00000000000\0"
    major: bytes = b"0000000\0"
    minor: bytes = b"0000000\0"
    magic: bytes = POSIX_MAGIC
    checksum: bytes | None = None
    """The eight bytes of the field; None: what it must be."""
    prefix: bytes = b""

    def header(self) -> bytes:
        """Give the block before the data."""
        block = bytearray(
            struct.pack(
                "100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x",
                self.name,
                self.mode,
                self.uid,
                self.gid,
                octal(len(self.data)) if self.size is None else self.size,
                self.mtime,
                b" " * 8,
                self.type,
                self.link,
                self.magic,
                b"",
                b"",
                self.major,
                self.minor,
                self.prefix,
            )
        )
        block[148:156] = b"%06o\0 " % sum(block) if self.checksum is None else self.checksum
        return bytes(block)

    def blocks(self) -> bytes:
        """Give all of it, up to a whole number of blocks."""
        return self.header() + padded(self.data)


def octal(number: int) -> bytes:
    return b"%011o\0" % number


def base_256(number: int) -> bytes:
    """Give a number as GNU tar writes those that do not fit, in twelve bytes."""
    return (b"\x80" if number >= 0 else b"\xff") + (number % 256**11).to_bytes(11, "big")


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def records(*pairs: tuple[bytes, bytes]) -> bytes:
    """Give pax records: each begins with its own length."""
    return b"".join(map(_record, pairs))


def _record(pair: tuple[bytes, bytes]) -> bytes:
    rest = b" %s=%s\n" % pair
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d%s" % (length, rest)


def pax(*pairs: tuple[bytes, bytes], type: bytes = PAX) -> Member:  # noqa: A002 — it is what tar calls it
    return Member(name=b"PaxHeaders/x", data=records(*pairs), type=type)


def long_name(name: bytes, type: bytes = GNU_NAME) -> Member:  # noqa: A002
    return Member(name=b"././@LongLink", data=name + b"\0", type=type, magic=GNU_MAGIC)


def tar(members: Iterable[Member], end: bytes = bytes(2 * BLOCK)) -> bytes:
    return b"".join(member.blocks() for member in members) + end


def zipped(data: bytes) -> bytes:
    """Give one gzip member."""
    return gzip.compress(data, mtime=0)


def zipped_zeros(head: bytes, zeros: int) -> bytes:
    """Give one gzip member of some bytes and a great many zeros, without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    checksum, out, chunk = zlib.crc32(head), [packer.compress(head)], bytes(1024**2)
    for _ in range(zeros // len(chunk)):
        checksum = zlib.crc32(chunk, checksum)
        out.append(packer.compress(chunk))
    out.append(packer.flush())
    length = len(head) + zeros // len(chunk) * len(chunk)
    return b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + b"".join(out) + struct.pack("<2L", checksum, length % 2**32)
