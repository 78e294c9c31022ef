"""What must be in a wheel (https://packaging.python.org/specifications/binary-distribution-format/)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypi_registry.distributions.contents import content_faults, read_member
from pypi_registry.distributions.faults import Unreadable, some
from pypi_registry.distributions.filenames import is_same_version, read_wheel_filename
from pypi_registry.distributions.findings import Findings
from pypi_registry.distributions.limits import MAX_METADATA, MAX_PATH, MAX_RECORD, MAX_WHEEL
from pypi_registry.distributions.metadata import header_values, is_utf8, read_metadata, unfolded
from pypi_registry.distributions.schemes import scheme_faults
from pypi_registry.distributions.zips import Zip
from pypi_registry.errors import excerpt

_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})+", re.ASCII)
_TAG = re.compile(r"[\w.]+-[\w.]+-[\w.]+", re.ASCII)
_Named: TypeAlias = tuple[NormalizedName, Version] | None
_MAX_ROW = 2 * MAX_PATH  # characters: a path, perhaps quoted, a digest and a size
# Beyond ASCII: of Latin-1, and what Unicode breaks lines at. pip cuts RECORD at these too, which makes a path two rows.
_LINE_BREAK = re.compile(r"[\x80-\x9f\u2028\u2029]")
_SMALL = 64 * 1024  # bytes of a RECORD whose rows may all be in memory beside it

# Signatures of RECORD, which cannot be named in it with a digest.
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
# "The hash algorithm must be sha256 or better; specifically, md5, sha1 and sha224 are not permitted."
_HASHES = {"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b"}


def check_wheel(archive: Zip, filename: str, budget: int | None) -> Findings:
    """Look into a wheel; `budget` is how many bytes may be unpacked for the digests in ``RECORD``, None for all."""
    faults = [*archive.faults]
    faults += (f"entry {excerpt(member.path)} is a link" for member in archive.members if member.is_link)
    files = [member.path for member in archive.members if not member.is_folder]
    faults += (f"the path {excerpt(path)} holds a control character" for path in files if _LINE_BREAK.search(path))
    named = read_wheel_filename(filename)  # if it is none, that is a fault of its own
    try:
        info = _info_folder(archive, named, filename)
    except Unreadable as error:
        return Findings(None, (*faults, str(error)))
    faults += scheme_faults(files, f"{info.rpartition('.')[0]}.data")
    metadata = None
    unpacked: dict[str, bytes] = {}

    def read(name: str, limit: int) -> bytes:
        path = f"{info}/{name}"
        unpacked[path] = read_member(archive, path, limit)
        return unpacked[path]

    try:
        metadata = read_metadata(read("METADATA", MAX_METADATA), "METADATA")
    except Unreadable as error:
        faults.append(str(error))
    try:
        faults += _wheel_faults(read("WHEEL", MAX_WHEEL), named, filename)
    except Unreadable as error:
        faults.append(str(error))
    try:
        record, repeated = _read_record(read("RECORD", MAX_RECORD), len(archive.members))
    except Unreadable as error:
        return Findings(metadata, (*faults, str(error)))
    if repeated:
        faults.append(f"RECORD names more than once {some(repeated)}")
    faults += _record_faults(record, archive, info)
    digests = {path: (row.algorithm, row.digest) for path, row in record.items() if row.algorithm in _HASHES}
    faults += content_faults(archive, digests, budget, "RECORD", unpacked)
    return Findings(metadata, tuple(faults))


def _info_folder(archive: Zip, named: _Named, filename: str) -> str:
    tops = {member.path.partition("/")[0] for member in archive.members if "/" in member.path}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))  # for some file systems case is nothing
    if len(found) != 1:
        raise Unreadable(f"a wheel has one .dist-info folder at its top, and this has {some(found) or 'none'}")
    name, _, version = found[0].removesuffix(".dist-info").partition("-")
    if named is None or [name, version] == filename.split("-")[:2]:
        return found[0]
    if not (canonicalize_name(name) == named[0] and is_same_version(version, named[1])):
        raise Unreadable(f"the folder {excerpt(found[0])} does not agree with the file name {excerpt(filename)}")
    return found[0]


def _wheel_faults(data: bytes, named: _Named, filename: str) -> Iterator[str]:
    """Name what is wrong with ``WHEEL``.

    Its tags are a record of what was built, from which repairing tools and publishers have moved away in the platform;
    no installer reads them. So only a file name that shares no Python and ABI with them is wrong.
    """
    if not is_utf8(data):
        yield "WHEEL is not UTF-8"
    versions, purities, tags = header_values(data, ("Wheel-Version", "Root-Is-Purelib", "Tag"), "WHEEL").values()
    versions, tags = [*map(unfolded, versions)], [*map(unfolded, tags)]
    if len(versions) != 1 or _VERSION.fullmatch(versions[0]) is None:
        yield "WHEEL has no Wheel-Version, or more than one"
    elif int(versions[0].partition(".")[0]) > 1:
        yield f"WHEEL has the Wheel-Version {excerpt(versions[0])}, and installers know 1.0"
    if [value.lower() for value in purities] not in (["true"], ["false"]):  # as they are: pip knows no "true "
        yield "WHEEL does not say once whether Root-Is-Purelib"
    if unread := [tag for tag in tags if _TAG.fullmatch(tag) is None]:
        yield f"WHEEL has what is no tag: {some(unread)}"
    elif tags and named and not any(_shares_python_and_abi(tag, filename) for tag in tags):
        yield f"WHEEL has tags that the file name {excerpt(filename)} does not have: {some(tags)}"


def _shares_python_and_abi(tag: str, filename: str) -> bool:
    # Compressed tags are products ("py2.py3-none-any"), so they have a pair in common if they have both of its parts.
    *_, python, abi, _ = filename.lower().split("-")
    pythons, abis, _ = tag.lower().split("-")
    return bool({*pythons.split(".")} & {*python.split(".")} and {*abis.split(".")} & {*abi.split(".")})


class _Row(NamedTuple):
    """What ``RECORD`` says of a file."""

    algorithm: str
    """Empty if there is no digest."""
    digest: str
    """In base64 for URLs, without padding."""
    size: str
    """Bytes, or empty."""


def _read_record(data: bytes, members: int) -> tuple[Mapping[str, _Row], Sequence[str]]:
    """Give the first row of each path, and the paths that have more than one."""
    record: dict[str, _Row] = {}
    repeated: dict[str, None] = {}
    try:
        for number, row in enumerate(_rows(data)):
            if number > members + len(_SIGNATURES):
                raise Unreadable("RECORD names more files than the archive has members")
            path, digest, size = row
            if not digest.isprintable():  # like Unicode's line breaks, behind which pip would see one more row
                raise ValueError
            algorithm, _, value = digest.partition("=")
            if path in record:
                repeated[path] = None
            else:
                record[path] = _Row(algorithm, value, size)
    except (ValueError, csv.Error):  # as of a row of another length, and of what is not UTF-8
        raise Unreadable(
            "RECORD is not a table of path, digest and size in UTF-8, or has an empty line or control characters"
        ) from None
    return record, [*repeated]


def _rows(data: bytes) -> Iterable[Sequence[str]]:
    # Nearly every table is small and without quotes, and then csv would do the same for more.
    if len(data) <= _SMALL and data.isascii() and b'"' not in data and b"\r" not in data:
        lines = data.decode("ascii").split("\n")
        if max(map(len, lines)) < _MAX_ROW:
            return [line.split(",") for line in (lines if lines[-1] else lines[:-1])]
    return csv.reader(_lines(data), strict=True)


def _lines(data: bytes) -> Iterator[str]:
    for line in io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""):
        if len(line) > _MAX_ROW:
            raise Unreadable(f"RECORD has a line of more than {_MAX_ROW} characters")
        yield line


def _record_faults(record: Mapping[str, _Row], archive: Zip, info: str) -> Iterator[str]:
    files = {member.path: member for member in archive.members if not member.is_folder}
    undigested = {f"{info}/{name}" for name in ("RECORD", *_SIGNATURES)}
    unnamed = [path for path in files if path not in record and path not in undigested]
    absent, of_another_size, without_digest = [], [], []
    for path, row in record.items():
        if path not in files:
            absent.append(path)
        elif row.size not in ("", str(files[path].size)):
            of_another_size.append(path)
        if not row.algorithm and (row.digest or path not in undigested):
            without_digest.append(path)
    for what, paths in (
        ("RECORD does not name", unnamed),
        ("RECORD names what is not in the archive:", absent),
        ("RECORD has another size of", of_another_size),
        ("RECORD has no digest of", without_digest),
    ):
        if paths:
            yield f"{what} {some(paths)}"
    for algorithm in sorted({row.algorithm for row in record.values()} - {"", *_HASHES}):
        yield f"RECORD has digests of {excerpt(algorithm)}, and only sha256 and better ones are permitted"
