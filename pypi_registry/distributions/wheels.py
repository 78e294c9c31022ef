"""What must be in a wheel (https://packaging.python.org/specifications/binary-distribution-format/)."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import compat32
from math import prod
from typing import NamedTuple

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from pypi_registry.distributions.contents import content_faults, read_member
from pypi_registry.distributions.faults import Unreadable, some
from pypi_registry.distributions.filenames import is_same_version
from pypi_registry.distributions.findings import Findings
from pypi_registry.distributions.limits import MAX_METADATA, MAX_RECORD, MAX_WHEEL
from pypi_registry.distributions.metadata import read_metadata
from pypi_registry.distributions.zips import Zip
from pypi_registry.errors import excerpt

# Signatures of RECORD, which cannot be named in it with a digest.
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
# "The hash algorithm must be sha256 or better; specifically, md5, sha1 and sha224 are not permitted."
_HASHES = ("sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b")


def check_wheel(archive: Zip, filename: str, budget: int | None) -> Findings:
    """Look into a wheel; `budget` is how many bytes may be unpacked for the digests in ``RECORD``, None for all."""
    faults = [*archive.faults]
    faults += (f"entry {excerpt(member.path)} is a link" for member in archive.members if member.is_link)
    try:
        info = _info_folder(archive, filename)
    except Unreadable as error:
        return Findings(None, (*faults, str(error)))
    metadata = None
    try:
        metadata = read_metadata(read_member(archive, f"{info}/METADATA", MAX_METADATA))
    except Unreadable as error:
        faults.append(str(error))
    try:
        faults += _wheel_faults(read_member(archive, f"{info}/WHEEL", MAX_WHEEL), filename)
    except Unreadable as error:
        faults.append(str(error))
    try:
        record = _read_record(read_member(archive, f"{info}/RECORD", MAX_RECORD))
    except Unreadable as error:
        return Findings(metadata, (*faults, str(error)))
    faults += _record_faults(record, archive, info)
    # What is not sound is refused anyway, and might be a bomb.
    digests = {path: (row.algorithm, row.digest) for path, row in record.items() if row.algorithm in _HASHES}
    faults += content_faults(archive, digests, 0 if archive.faults else budget, "RECORD")
    return Findings(metadata, tuple(faults))


def _info_folder(archive: Zip, filename: str) -> str:
    tops = {member.path.partition("/")[0] for member in archive.members if "/" in member.path}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))  # for some file systems case is nothing
    if len(found) != 1:
        raise Unreadable(f"a wheel has one .dist-info folder at its top, and this has {some(found) or 'none'}")
    name, _, version = found[0].removesuffix(".dist-info").partition("-")
    try:
        named, known, _, _ = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):
        return found[0]
    if canonicalize_name(name) != named or not is_same_version(version, known):
        raise Unreadable(f"the folder {excerpt(found[0])} does not agree with the file name {excerpt(filename)}")
    return found[0]


def _wheel_faults(data: bytes, filename: str) -> Iterator[str]:
    """Name what is wrong with ``WHEEL``.

    Its tags are a record of what was built, from which repairing tools and publishers have moved away in the platform;
    no installer reads them. So only a file name that shares no Python and ABI with them is wrong.
    """
    said = BytesParser(policy=compat32).parsebytes(data, headersonly=True)
    versions = [str(text).strip() for text in said.get_all("Wheel-Version", [])]
    version = versions[0] if len(versions) == 1 else ""
    if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})*", version) is None:
        yield "WHEEL has no Wheel-Version, or more than one"
    elif int(version.partition(".")[0]) > 1:
        yield f"WHEEL has the Wheel-Version {excerpt(version)}, and installers know 1.0"
    if str(said.get("Root-Is-Purelib", "")).strip().lower() not in ("true", "false"):
        yield "WHEEL does not say whether Root-Is-Purelib"
    tags = [str(text).strip() for text in said.get_all("Tag", [])]
    if unread := [text for text in tags if not any(_tags(text))]:
        yield f"WHEEL has what is no tag: {some(unread)}"
    told = {(tag.interpreter, tag.abi) for text in tags for tag in _tags(text)}
    named = {(tag.interpreter, tag.abi) for tag in _tags("-".join(filename.removesuffix(".whl").split("-")[-3:]))}
    if told and named and not told & named:
        pairs = sorted("-".join(pair) for pair in told)
        yield f"WHEEL has tags that the file name {excerpt(filename)} does not have: {some(pairs)}"


def _tags(text: str) -> Iterator[Tag]:
    # Compressed tags multiply: what would be more than any wheel has is none.
    parts = text.split("-")
    if len(parts) == 3 and prod(part.count(".") + 1 for part in parts) <= 1000:
        yield from parse_tag(text)


class _Row(NamedTuple):
    """What ``RECORD`` says of a file."""

    algorithm: str
    """Empty if there is no digest."""
    digest: str
    """In base64 for URLs, without padding."""
    size: str
    """Bytes, or empty."""


def _read_record(data: bytes) -> Mapping[str, _Row]:
    record: dict[str, _Row] = {}
    twice = []
    try:
        for row in csv.reader(io.StringIO(data.decode(), newline=""), strict=True):
            if not row:
                continue
            path, digest, size = row
            if path in record:
                twice.append(path)
            algorithm, _, value = digest.partition("=")
            record[path] = _Row(algorithm, value, size)
    except (ValueError, csv.Error):  # a row of another length is a ValueError too, and so is what is not UTF-8
        raise Unreadable("RECORD is not a table of path, digest and size in UTF-8") from None
    if twice:
        raise Unreadable(f"RECORD names more than once {some(twice)}")
    return record


def _record_faults(record: Mapping[str, _Row], archive: Zip, info: str) -> Iterator[str]:
    files = {member.path: member for member in archive.members if not member.is_folder}
    itself = f"{info}/RECORD"
    undigested = {itself, *(f"{info}/{name}" for name in _SIGNATURES)}
    for what, paths in {
        "RECORD does not name": [path for path in files if path not in record and path not in undigested],
        "RECORD names what is not in the archive:": [path for path in record if path not in files],
        "RECORD has another size of": [
            path for path, row in record.items() if path in files and row.size not in ("", str(files[path].size))
        ],
        "RECORD has no digest of": [
            path for path, row in record.items() if not row.algorithm and path not in undigested
        ],
    }.items():
        if paths:
            yield f"{what} {some(paths)}"
    for algorithm in sorted({row.algorithm for row in record.values()} - {"", *_HASHES}):
        yield f"RECORD has digests of {excerpt(algorithm)}, and only sha256 and better ones are permitted"
