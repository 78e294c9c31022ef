"""Verify wheels (https://packaging.python.org/specifications/binary-distribution-format/)."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import is_same_version, split_label
from pypi_registry.distributions.contents import content_problems, read_member
from pypi_registry.distributions.entry_points import parse_entry_points, script_problems
from pypi_registry.distributions.filenames import wheel_name_and_version
from pypi_registry.distributions.limits import (
    MAX_ENTRY_POINTS,
    MAX_METADATA,
    MAX_PATH,
    MAX_RECORD,
    MAX_VARIANT,
    MAX_WHEEL,
)
from pypi_registry.distributions.metadata import dependency_problems, header_values, is_utf8, parse_metadata, unfolded
from pypi_registry.distributions.report import InvalidArchive, Report, listed
from pypi_registry.distributions.schemes import scheme_problems
from pypi_registry.distributions.variants import VARIANT_JSON, parse_variant
from pypi_registry.distributions.zips import Zip

_WHEEL_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})+", re.ASCII)
_TAG = re.compile(r"[\w.]+-[\w.]+-[\w.]+", re.ASCII)
_NameAndVersion: TypeAlias = tuple[NormalizedName, Version] | None
_MAX_ROW = 2 * MAX_PATH  # characters of a row in RECORD: a path, perhaps quoted, a digest and a size
# Control characters of Latin-1, and the line breaks of Unicode. pip splits RECORD with str.splitlines, which splits at
# these, too, so that one path would become two rows.
_LINE_BREAK = re.compile(r"[\x80-\x9f\u2028\u2029]")

# "RECORD.jws and RECORD.p7s are deprecated. Where they are still used, neither RECORD.jws nor RECORD.p7s are mentioned
# in RECORD."
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
# Files of other formats that an installer reads in .dist-info. If METADATA has no Requires-Dist, pip takes dependencies
# from requires.txt, and uv does not. uv writes the others when it installs, and `uv pip freeze` fails where it cannot
# parse one of them.
_OF_OTHERS = {
    "requires.txt": "whose dependencies only some installers read",
    "uv_build.json": "which uv writes when it installs",
    "uv_cache.json": "which uv writes when it installs",
}
# "The hash algorithm must be sha256 or better"
_HASHES = {"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b"}


def verify_wheel(archive: Zip, filename: str, budget: int | None) -> Report:
    """Verify a wheel; at most `budget` bytes are decompressed to compare digests in ``RECORD``, all if it is None."""
    files = archive.files
    problems = [*archive.problems]
    problems += (f"entry {excerpt(member.path)} is a link" for member in archive.members if member.is_link)
    problems += (
        f"the path {excerpt(path)} contains a control character"
        for path in files
        if not path.isascii() and _LINE_BREAK.search(path)
    )
    expected = wheel_name_and_version(filename)  # None is a problem of the file name, which `verify` reports
    try:
        info = _info_folder(archive, expected, filename)
    except InvalidArchive as error:
        return Report(None, (*problems, str(error)))
    prefix = f"{info}/"
    for path in files:
        if reason := _OF_OTHERS.get(path.removeprefix(prefix).lower()):
            problems.append(f"the .dist-info folder contains {excerpt(path.rpartition('/')[2])}, {reason}")
    data_folder = f"{info.rpartition('.')[0]}.data"
    problems += scheme_problems(files, data_folder)
    metadata = variant = None
    unpacked: dict[str, bytes] = {}

    def read(name: str, limit: int) -> bytes:
        path = prefix + name
        unpacked[path] = read_member(archive, path, limit)
        return unpacked[path]

    # "Wheel .dist-info directories include at a minimum METADATA, WHEEL, and RECORD."
    try:
        metadata = parse_metadata(read("METADATA", MAX_METADATA), "METADATA")
    except InvalidArchive as error:
        problems.append(str(error))
    else:
        if not is_utf8(metadata.data):  # pip fails with a traceback for everyone who requests the name
            problems.append("METADATA is not UTF-8")
        problems += dependency_problems(metadata, "METADATA")
    try:
        problems += _wheel_file_problems(read("WHEEL", MAX_WHEEL), expected, filename)
    except InvalidArchive as error:
        problems.append(str(error))
    try:
        variant = _variant(prefix + VARIANT_JSON in files, read, split_label(filename)[1])
    except InvalidArchive as error:
        problems.append(str(error))
    try:
        has_entry_points = f"{prefix}entry_points.txt" in files
        groups = parse_entry_points(read("entry_points.txt", MAX_ENTRY_POINTS)) if has_entry_points else {}
        problems += script_problems(groups, files, data_folder)
    except InvalidArchive as error:
        problems.append(str(error))
    try:
        record, repeated = _parse_record(read("RECORD", _max_record(len(archive.members))), len(archive.members))
    except InvalidArchive as error:
        problems.append(str(error))
    else:
        problems += _record_problems(record, repeated, archive, info)
        digests = {path: (row.algorithm, row.digest) for path, row in record.items() if row.algorithm in _HASHES}
        problems += content_problems(archive, digests, budget, "RECORD", unpacked)
    return Report(metadata, tuple(problems), variant)


def _variant(exists: bool, read: Callable[[str, int], bytes], label: str | None) -> str | None:
    """Return the variant metadata of a wheel with a variant label; None if the wheel is not a variant.

    :raises InvalidArchive: if it is not valid, or only the file name or only the archive is that of a variant.
    """
    # PEP 825: a variant wheel "MUST specify a variant label in the filename, which makes it distinct from non-variant
    # wheels. It MUST include a variant metadata file".
    if label is None and exists:
        raise InvalidArchive(f"the .dist-info folder contains {VARIANT_JSON}, but the file name has no variant label")
    if label is None:
        return None
    if not exists:
        raise InvalidArchive(
            f"the file name has the variant label {excerpt(label)}, but the .dist-info folder has no {VARIANT_JSON}"
        )
    return parse_variant(read(VARIANT_JSON, MAX_VARIANT), label)


def _info_folder(archive: Zip, expected: _NameAndVersion, filename: str) -> str:
    """Return the name of the only ``.dist-info`` folder; ``{distribution}-{version}.dist-info`` by the specification.

    :raises InvalidArchive: if there are none or several, or it does not match the file name.
    """
    tops = {member.path.partition("/")[0] for member in archive.members if "/" in member.path}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))  # some file systems ignore case
    if len(found) != 1:
        raise InvalidArchive(
            f"a wheel must have one .dist-info folder at its top, but this has {listed(found) or 'none'}"
        )
    name, _, version = found[0].removesuffix(".dist-info").partition("-")
    if expected and not (canonicalize_name(name) == expected[0] and is_same_version(version, expected[1])):
        raise InvalidArchive(f"the folder {excerpt(found[0])} does not match the file name {excerpt(filename)}")
    return found[0]


def _wheel_file_problems(data: bytes, expected: _NameAndVersion, filename: str) -> Iterator[str]:
    """Yield the problems of ``WHEEL``.

    Its tags state for what the wheel was built. Tools that repair wheels, and publishers, change the platform in the
    file name only, and no installer reads the tags. So they are a problem only if none of them shares its Python and
    its ABI with the file name.
    """
    if not is_utf8(data):
        yield "WHEEL is not UTF-8"
    versions, purities, tags = header_values(data, ("Wheel-Version", "Root-Is-Purelib", "Tag"), "WHEEL").values()
    versions, tags = [*map(unfolded, versions)], [*map(unfolded, dict.fromkeys(tags))]
    if len(versions) != 1 or _WHEEL_VERSION.fullmatch(versions[0]) is None:
        yield "WHEEL has no Wheel-Version, or more than one"
    # "A wheel installer [...] must fail if Wheel-Version has a greater major version than the version it supports."
    elif int(versions[0].partition(".")[0]) > 1:
        yield f"WHEEL has the Wheel-Version {excerpt(versions[0])}, but installers support 1.0"
    # "Root-Is-Purelib is true if the top level directory of the archive should be installed into purelib". White space
    # is not stripped: pip does not accept "true ".
    if [value.lower() for value in purities] not in (["true"], ["false"]):
        yield "WHEEL must have one Root-Is-Purelib, true or false"
    if invalid := [tag for tag in tags if _TAG.fullmatch(tag) is None]:
        yield f"WHEEL has invalid tags: {listed(invalid)}"
    elif tags and expected and not any(_share_python_and_abi(tag, filename) for tag in tags):
        yield f"WHEEL has tags that the file name {excerpt(filename)} does not have: {listed(tags)}"


def _share_python_and_abi(tag: str, filename: str) -> bool:
    # PEP 425, "Compressed Tag Sets": "py2.py3-none-any" means each combination of its parts. So two tags have one in
    # common if they have a Python in common and an ABI in common.
    *_, python, abi, _ = split_label(filename)[0].lower().split("-")
    pythons, abis, _ = tag.lower().split("-")
    return bool({*pythons.split(".")} & {*python.split(".")} and {*abis.split(".")} & {*abi.split(".")})


class _Row(NamedTuple):
    """What ``RECORD`` states about a file."""

    algorithm: str
    """Empty if there is no digest."""
    digest: str
    """In URL-safe base64, without padding."""
    size: str
    """Bytes; may be empty."""


def _parse_record(data: bytes, members: int) -> tuple[Mapping[str, _Row], Sequence[str]]:
    """Return the first row of each path, and the paths that have more than one.

    :raises InvalidArchive: if it is not a table that every reader parses in the same way, or is too large.
    """
    record: dict[str, _Row] = {}
    repeated: dict[str, None] = {}
    try:
        # Recording installed projects: "The CSV dialect must be readable with the default reader of Python's csv
        # module". "Each record is composed of three elements: the file's path, the hash of the contents, and its size."
        for count, row in enumerate(csv.reader(_lines(data), strict=True)):
            if count > members + len(_SIGNATURES):
                raise InvalidArchive("RECORD lists more files than the archive has members")
            path, digest, size = row
            if not digest.isprintable():  # pip would split the row at a line break of Unicode
                raise ValueError
            algorithm, _, value = digest.partition("=")
            if path in record:
                repeated[path] = None
            else:
                record[path] = _Row(algorithm, value, size)
    except (ValueError, csv.Error):  # also for a row of another length, and for what is not UTF-8
        raise InvalidArchive(
            "RECORD is not a table of path, digest and size in UTF-8, or has an empty line or control characters"
        ) from None
    return record, [*repeated]


def _max_record(members: int) -> int:
    """Return how many bytes ``RECORD`` may have; without more members, no more rows are parsed."""
    return min(MAX_RECORD, 4 * _MAX_ROW * (members + len(_SIGNATURES)))  # UTF-8 has at most four bytes per character


def _lines(data: bytes) -> Iterator[str]:
    for line in io.StringIO(data.decode(), newline=""):
        if len(line) > _MAX_ROW:
            raise InvalidArchive(f"RECORD has a line of more than {_MAX_ROW} characters")
        yield line


def _record_problems(record: Mapping[str, _Row], repeated: Sequence[str], archive: Zip, info: str) -> Iterator[str]:
    files = archive.files
    # "every file except RECORD, which cannot contain a hash of itself, must include its hash"
    may_lack_digest = {f"{info}/{name}" for name in ("RECORD", *_SIGNATURES)}
    # "Apart from RECORD, RECORD.jws and RECORD.p7s, installation will fail if any file in the archive is not both
    # mentioned and correctly hashed in RECORD."
    unlisted = [path for path in files if path not in record and path not in may_lack_digest]
    missing, of_different_size, without_digest = [], [], []
    for path, row in record.items():
        if path not in files:
            missing.append(path)
        elif row.size not in ("", str(files[path].size)):
            of_different_size.append(path)
        if not row.algorithm and (row.digest or path not in may_lack_digest):
            without_digest.append(path)
    for problem, paths in (
        ("RECORD lists more than once", repeated),
        ("RECORD does not list", unlisted),
        ("RECORD lists files that are not in the archive:", missing),
        ("RECORD has a different size for", of_different_size),
        ("RECORD has no digest for", without_digest),
    ):
        if paths:
            yield f"{problem} {listed(paths)}"
    for algorithm in sorted({row.algorithm for row in record.values()} - {"", *_HASHES}):
        yield f"RECORD has digests of {excerpt(algorithm)}, but only sha256 and better are permitted"
