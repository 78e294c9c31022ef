"""What each reader of an archive costs at most: ``python -m tests.distributions.costs`` prints seconds per megabyte.

`READERS` is the table: for each part of an archive that is parsed, the file that costs most per byte of the upload, of
any size below a limit of `pypi_registry.distributions.limits`. A file may be invalid: also a refusal costs time.

An upload has at least 400 bytes besides the file: the head of the request, the other fields of the form and its
boundaries. They count as uploaded.
"""

import argparse
import gc
import io
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pypi_registry.distributions import verify
from pypi_registry.distributions.filenames import _parsed_wheel_filename as parse_wheel_filename
from tests.distributions import tars, zips
from tests.distributions.hostile import FILES, INFO, METADATA, SDIST, WHEEL, WHEEL_FILE, ZIPPED, Row, record, rows
from tests.distributions.tars import Member, long_name, pax
from tests.distributions.zips import DEFLATED, Entry, archive, streamed

MEGABYTE = 1000**2
AROUND = 400
LIMIT = 5.0
"""Seconds per megabyte of an upload that no reader may exceed."""
TOP = b"demo-1.0/"
VARIANT = WHEEL.replace(".whl", "-fast.whl")
PKG_INFO = Member(name=TOP + b"PKG-INFO", data=METADATA)


@dataclass(frozen=True, slots=True)
class Reader:
    """A part of archives, and a maker of files whose other parts are small."""

    filename: str
    make: Callable[[int], bytes]
    """A function that returns a file with so many of what costs."""
    sizes: Sequence[int]
    """For which it is measured; the last one is at a limit, or beyond it."""


def wheel_of(files: Mapping[bytes, bytes], more: Iterable[Entry] = (), listed: Iterable[Row] = ()) -> bytes:
    """Return a wheel of deflated files, with a RECORD, in which `listed` are further rows."""
    files = {**{path: data for path, data in FILES.items() if path.startswith(INFO)}, **files}
    record_data = record([*listed, *rows(files)])
    named = [(path, data) for path, data in {**files, INFO + b"RECORD": record_data}.items()]
    return archive([*(Entry(name=path, data=data, method=DEFLATED) for path, data in named), *more])


def wheel_info(name: bytes, data: bytes) -> bytes:
    return wheel_of({INFO + name: data})


def wheel_file(data: bytes) -> bytes:
    return wheel_info(b"WHEEL", data)


def variant_file(data: bytes) -> bytes:
    return wheel_info(b"variant.json", data)


def variant(namespace: Sequence[str], values: int = 1, features: int = 1) -> bytes:
    properties = {namespace[0]: {f"f{n}": [f"v{m}" for m in range(values)] for n in range(features)}}
    schema = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
    document = {"$schema": schema, "default-priorities": {"namespace": namespace}, "variants": {"fast": properties}}
    return json.dumps(document, separators=(",", ":")).encode()


def entry_points_file(data: bytes) -> bytes:
    return wheel_info(b"entry_points.txt", data)


def metadata(data: bytes) -> bytes:
    return wheel_info(b"METADATA", data)


def sdist_of(members: Iterable[Member | bytes], pkg_info: bytes = METADATA) -> bytes:
    parts = [Member(name=TOP + b"PKG-INFO", data=pkg_info), *members]
    return _gzipped(b"".join(part if isinstance(part, bytes) else part.blocks() for part in parts) + bytes(1024))


def _gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(data) + packer.flush()


def name_of(number: int) -> bytes:
    """Return a short name that no other number has."""
    letters = b"0123456789abcdefghijklmnopqrstuvwxyz"
    digits = bytearray()
    while number or not digits:
        number, digit = divmod(number, len(letters))
        digits.append(letters[digit])
    return bytes(digits)


def pax_of(*records: tuple[bytes, bytes]) -> bytes:
    return b"".join(part.blocks() for part in [pax(*records)])


# Zip archives


def entries(count: int) -> bytes:
    return wheel_of({}, [Entry(name=name_of(number)) for number in range(count)])


def overlapping(count: int) -> bytes:
    """Every entry refers to one local header, which has many extra fields."""
    fields = b"".join(struct.pack("<2H", 0x8000 + number, 0) for number in range(min(count, 16_000)))
    first = Entry(name=b"a", local={"extra": fields})
    others = [Entry(name=name_of(number + 36), present=False, central={"offset": 0}) for number in range(count)]
    return archive([first, *others])


def extra_fields(count: int) -> bytes:
    fields = b"".join(struct.pack("<2H", 0x8000 + number, 0) for number in range(min(count, 16_000)))
    return wheel_of({}, [Entry(name=name_of(number), extra=fields) for number in range(10)])


def described(count: int) -> bytes:
    return wheel_of({}, [streamed(Entry(name=name_of(number), method=DEFLATED)) for number in range(count)])


def faulty(count: int) -> bytes:
    return wheel_of(
        {}, [Entry(name=b"/" + name_of(number), attributes=zips.SYMLINK, flags=1) for number in range(count)]
    )


def end_records(count: int) -> bytes:
    return archive([], comment=b"PK\5\6" * min(count, 16_000))


def zeros(count: int, algorithm: str = "sha256", descriptor: bool = False) -> bytes:
    data = bytes(count)
    row = rows({b"zeros": data}, algorithm)[0]
    entry = Entry(name=b"zeros", data=data, method=DEFLATED)
    return wheel_of({}, [streamed(entry) if descriptor else entry], [row])


def long_paths(count: int, part: bytes = b"a/") -> bytes:
    return wheel_of({}, [Entry(name=part * (4000 // len(part)) + name_of(number)) for number in range(count)])


def zipped_links(count: int) -> bytes:
    target = b"a/" * 2000 + b"b"
    links = [
        Entry(name=TOP + name_of(number), data=target, method=DEFLATED, attributes=zips.SYMLINK)
        for number in range(count)
    ]
    return archive([Entry(name=TOP + b"PKG-INFO", data=METADATA), *links])


def data_scheme(count: int) -> bytes:
    return wheel_of({}, [Entry(name=b"demo-1.0.data/scripts/" + name_of(number)) for number in range(count)])


def recorded(count: int, digest: bytes = b"") -> bytes:
    names = [name_of(number) for number in range(count)]
    return wheel_of({}, [Entry(name=name) for name in names], [(name, digest, b"") for name in names])


def repeated_row(count: int) -> bytes:
    return wheel_of({}, [], [(b"a", b"", b"")] * count)


def entry_points(count: int) -> bytes:
    lines = b"".join(name_of(number) + b"=a:b\n" for number in range(count))
    return wheel_info(b"entry_points.txt", b"[console_scripts]\n" + lines[:65_000].rpartition(b"\n")[0])


# Tar archives


def members(count: int) -> bytes:
    return sdist_of(Member(name=TOP + name_of(number)) for number in range(count))


def same_members(count: int) -> bytes:
    return sdist_of([Member(name=TOP + b"a")] * count)


def links(count: int, target: bytes = b"a/" * 2000 + b"b") -> bytes:
    return sdist_of(
        part
        for number in range(count)
        for part in (pax_of((b"linkpath", target)), Member(name=TOP + name_of(number), type=tars.SYMLINK))
    )


def deep_links(count: int) -> bytes:
    folder = TOP + b"a/" * 1900
    return sdist_of(
        part
        for number in range(count)
        for part in (pax_of((b"path", folder + name_of(number))), Member(name=b"x", link=b"b", type=tars.SYMLINK))
    )


def short_links(count: int) -> bytes:
    return sdist_of(Member(name=TOP + name_of(number), link=b"a", type=tars.SYMLINK) for number in range(count))


def hard_links(count: int) -> bytes:
    return sdist_of(
        Member(name=TOP + name_of(number), link=TOP + b"PKG-INFO", type=tars.HARD_LINK) for number in range(count)
    )


def pax_records(count: int) -> bytes:
    return sdist_of(pax_of(*[(b"a", b"")] * 50_000) for _ in range(count))


def pax_paths(count: int) -> bytes:
    return sdist_of(
        part
        for number in range(count)
        for part in (pax_of((b"path", TOP + b"a/" * 1900 + name_of(number))), Member(name=b"x"))
    )


def gnu_paths(count: int) -> bytes:
    return sdist_of(
        part for number in range(count) for part in (long_name(TOP + b"a/" * 1900 + name_of(number)), Member(name=b"x"))
    )


def big_file(count: int) -> bytes:
    return sdist_of([Member(name=TOP + b"zeros", data=bytes(count))])


def lines(text: bytes, before: bytes = METADATA) -> Callable[[int], bytes]:
    return lambda count: before + text * count


def dependencies(rest: bytes) -> Callable[[int], bytes]:
    return lambda count: METADATA + b"".join(b"Requires-Dist: a%d%s\n" % (n, rest) for n in range(count))


def made(make: Callable[[bytes], bytes], data: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda count: make(data(count))


def pkg_info(data: bytes) -> bytes:
    return sdist_of([], data)


_FIELDS: Mapping[str, tuple[Callable[[int], bytes], Sequence[int]]] = {
    "a folded field": (lines(b"\n a", METADATA + b"Summary: x"), (1_000, 4_900, 19_900, 80_000, 340_000)),
    "a field of many words": (lines(b" a", METADATA + b"Summary: x"), (30_000, 120_000, 500_000)),
    "a Version of many words": (lines(b" a", METADATA[:-30] + b"Requires-Python: x"), (30_000, 120_000, 500_000)),
    "short fields": (lines(b"a:\n"), (1_000, 4_900, 80_000, 300_000)),
    "empty names": (lines(b":\n"), (1_000, 4_900, 80_000, 500_000)),
    "Dynamic": (lines(b"Dynamic:a\n"), (1_000, 4_900, 80_000)),
    "Requires-Dist": (lines(b"Requires-Dist:\n"), (1_000, 4_900, 60_000)),
    "dependencies": (dependencies(b""), (1_000, 4_900, 60_000)),
    "dependencies with long markers": (dependencies(b"; " + b" or ".join([b'os_name=="a"'] * 250)), (8, 30, 200)),
    "dependencies of unusual forms": (dependencies(b"; os.name=='a'"), (25, 100, 5_000)),
    "one dependency of an unusual form": (dependencies(b"; " + b" or ".join([b"os.name=='a'"] * 33)), (1,)),
    "Requires-Python": (lines(b">=1,", METADATA + b"Requires-Python: "), (200, 800)),
    "Requires-Python of an unusual form": (lines(b">=1c1,", METADATA + b"Requires-Python: "), (80, 320)),
    "Name": (lines(b"Name:\n"), (1_000, 4_900, 80_000)),
    "encoded words": (lines(b"=?", METADATA + b"Requires-Dist: x"), (15_000, 60_000, 500_000)),
    "blanks": (lines(b" ", METADATA + b"Requires-Python: x"), (60_000, 250_000, 1_000_000)),
    "a name without a colon": (lines(b"a"), (60_000, 250_000, 1_000_000)),
    "carriage returns": (lines(b"a:\r"), (1_000, 4_900, 80_000, 300_000)),
    "a description": (lines(b"a", METADATA + b"\n"), (60_000, 250_000, 1_000_000)),
}

READERS: Mapping[str, Reader] = {
    "nothing: a wheel": Reader(WHEEL, lambda _: wheel_of({}), (1,)),
    "nothing: an sdist": Reader(SDIST, lambda _: sdist_of([]), (1,)),
    "file name: tags": Reader(f"demo-1.0-{'.'.join('p' * 38)}-{'.'.join('a' * 38)}-{'.'.join('x' * 38)}.whl",
                              lambda _: wheel_of({}), (1,)),
    "file name: different tags": Reader(
        "demo-1.0-{0}-{0}-{0}.whl".format(".".join(chr(97 + each) + "abc"[each % 3] for each in range(26))),
        lambda _: wheel_of({}), (1,)),
    "file name: hyphens": Reader(f"demo{'-' * 200}1.0.tar.gz", lambda _: sdist_of([]), (1,)),
    "zip: entries": Reader(WHEEL, entries, (100, 5_000, 20_000)),
    "zip: entries of one local header": Reader(WHEEL, overlapping, (100, 1_000, 4_000)),
    "zip: extra fields": Reader(WHEEL, extra_fields, (100, 1_000, 16_000)),
    "zip: data descriptors": Reader(WHEEL, described, (100, 5_000)),
    "zip: entries with problems": Reader(WHEEL, faulty, (100, 5_000)),
    "zip: end records": Reader(WHEEL, end_records, (100, 16_000)),
    "zip: long paths": Reader(WHEEL, long_paths, (10, 100, 1_000)),
    "zip: paths with a problem": Reader(WHEEL, lambda count: long_paths(count, b"./"), (10, 100, 1_000)),
    "zip: zeros, sha256": Reader(WHEEL, zeros, (50_000, 200_000, 1_000_000, 60_000_000)),
    "zip: zeros, sha3_512": Reader(
        WHEEL, lambda count: zeros(count, "sha3_512"), (50_000, 200_000, 1_000_000, 60_000_000)),
    "zip: zeros with a data descriptor": Reader(
        WHEEL, lambda count: zeros(count, "sha3_512", True), (50_000, 200_000, 1_000_000, 60_000_000)),
    "zip: symbolic links": Reader(ZIPPED, zipped_links, (10, 100, 500)),
    "data folder: scripts": Reader(WHEEL, data_scheme, (100, 5_000)),
    "RECORD: rows": Reader(WHEEL, recorded, (100, 5_000)),
    "RECORD: digests": Reader(
        WHEEL, lambda count: recorded(count, b"sha3_512=a"), (100, 5_000)),
    "RECORD: one row": Reader(WHEEL, repeated_row, (1_000, 50_000, 2_000_000)),
    "RECORD: a long line": Reader(
        WHEEL, lambda count: wheel_of({}, [], [(b"a" * count, b"", b"")]), (1_000, 100_000, 16_000_000)),
    "RECORD: quotes": Reader(
        WHEEL, lambda count: wheel_of({}, [], [(b'"' + b'""' * count + b'"', b"", b"")]), (1_000, 4_000, 1_000_000)),
    "WHEEL: tags": Reader(
        WHEEL, made(wheel_file, lines(b"Tag:a-b-c\n", WHEEL_FILE)), (700, 2_900, 25_000)),
    "WHEEL: a tag with many Python tags": Reader(
        WHEEL, made(wheel_file, lambda count: WHEEL_FILE + b"Tag: " + b"a." * count + b"a-b-c\n"),
        (2_000, 16_000, 100_000)),
    "WHEEL: fields": Reader(
        WHEEL, made(wheel_file, lines(b":\n", WHEEL_FILE)), (4_000, 16_000, 100_000)),
    "WHEEL: folded tags": Reader(
        WHEEL, made(wheel_file, lines(b" a", WHEEL_FILE)), (4_000, 16_000, 100_000)),
    "variant.json: values": Reader(
        VARIANT, made(variant_file, lambda count: variant(["a"], values=count)), (100, 1_600, 6_400)),
    "variant.json: features": Reader(
        VARIANT, made(variant_file, lambda count: variant(["a"], features=count)), (100, 800, 3_000)),
    "variant.json: namespaces": Reader(
        VARIANT, made(variant_file, lambda count: variant([f"n{n}" for n in range(count)])), (100, 1_600, 6_400)),
    "variant.json: keys": Reader(
        VARIANT, made(variant_file, lambda count: b"{%b}" % b",".join(b'"%b":""' % name_of(n) for n in range(count))),
        (100, 800, 3_500)),
    "variant.json: depth": Reader(VARIANT, made(variant_file, lambda count: b"[" * count), (900, 16_000, 64_000)),
    "entry_points.txt: scripts": Reader(WHEEL, entry_points, (100, 1_900, 7_000)),
    "entry_points.txt: comments": Reader(
        WHEEL, made(entry_points_file, lines(b"#\n", b"")), (450, 1_900, 32_000, 500_000)),
    "entry_points.txt: empty lines": Reader(
        WHEEL, made(entry_points_file, lines(b"\n", b"")), (450, 1_900, 64_000, 500_000)),
    "entry_points.txt: blank lines": Reader(
        WHEEL, made(entry_points_file, lines(b" \n", b"")), (450, 1_900, 32_000, 500_000)),
    "entry_points.txt: sections": Reader(
        WHEEL, made(entry_points_file, lambda count: b"".join(b"[%b]\n" % name_of(each) for each in range(count))),
        (100, 1_900, 9_000)),
    **{f"METADATA: {row}": Reader(WHEEL, made(metadata, make), sizes) for row, (make, sizes) in _FIELDS.items()},
    **{f"PKG-INFO: {row}": Reader(SDIST, made(pkg_info, make), sizes) for row, (make, sizes) in _FIELDS.items()},
    "tar: members": Reader(SDIST, members, (100, 1_000, 5_000, 50_000)),
    "tar: members of one path": Reader(SDIST, same_members, (100, 1_000, 5_000, 50_000)),
    "tar: symbolic links": Reader(SDIST, short_links, (100, 1_000, 20_000)),
    "tar: symbolic links to deep paths": Reader(SDIST, links, (10, 100, 1_000)),
    "tar: symbolic links in deep folders": Reader(SDIST, deep_links, (10, 100, 1_000)),
    "tar: symbolic links upwards": Reader(
        SDIST, lambda count: links(count, b"../" * 1300 + b"b"), (10, 100, 1_000)),
    "tar: symbolic links of dots": Reader(SDIST, lambda count: links(count, b"./" * 2000 + b"b"), (10, 100, 1_000)),
    "tar: hard links": Reader(SDIST, hard_links, (100, 1_000, 20_000)),
    "tar: pax records": Reader(SDIST, pax_records, (1, 10, 60)),
    "tar: pax paths": Reader(SDIST, pax_paths, (10, 100, 1_000)),
    "tar: long names": Reader(SDIST, gnu_paths, (10, 100, 1_000)),
    "tar: zeros": Reader(SDIST, big_file, (50_000, 1_000_000, 60_000_000)),
}  # fmt: skip


def seconds(filename: str, data: bytes, repeats: int = 3) -> float:
    """Return the shortest of several times that a verification takes, of the process's CPU."""
    times = []
    for _ in range(repeats):
        stream = io.BytesIO(data)
        parse_wheel_filename.cache_clear()  # an upload has a name of its own
        gc.collect()
        start = time.process_time()
        verify(stream, filename)
        times.append(time.process_time() - start)
    return min(times)


def cost(reader: Reader) -> tuple[float, int]:
    """Return the most seconds per megabyte of an upload, and how many bytes the file of that upload has."""
    files = (reader.make(size) for size in reader.sizes)
    return max((seconds(reader.filename, data) / (len(data) + AROUND) * MEGABYTE, len(data)) for data in files)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.distributions.costs", description=__doc__)
    parser.add_argument("readers", nargs="*", help="parts of the names of readers; all by default")
    parser.add_argument("--all", action="store_true", help="print every input, not only the worst of each reader")
    options = parser.parse_args(arguments)
    names = [name for name in READERS if not options.readers or any(part in name for part in options.readers)]
    worst = 0.0
    print("| reader | worst input | s/MB | size in bytes |\n|---|---|---|---|")
    for reader, inputs in groupby(names, lambda name: name.partition(": ")[0]):
        found = [(*cost(READERS[name]), name.removeprefix(f"{reader}: ")) for name in inputs]
        for highest, length, text in sorted(found, reverse=True) if options.all else [max(found)]:
            print(f"| {reader} | {text} | {highest:.2f} | {length:,} |", flush=True)
            worst = max(worst, highest)
    print(f"\nThe worst is {worst:.2f} s/MB; the limit is {LIMIT} s/MB.")
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
