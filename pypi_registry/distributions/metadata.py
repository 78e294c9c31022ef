"""Core metadata: the ``METADATA`` of a wheel and the ``PKG-INFO`` of an sdist.

https://packaging.python.org/specifications/core-metadata/. It may be of any version, from 1.0 to versions newer than
this code, so only the fields that an index needs are parsed and checked.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import filterfalse

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import WHEEL_SUFFIX, is_same_version, parse_version
from pypi_registry._names import MAX_LENGTH, normalize
from pypi_registry.distributions.limits import MAX_FIELDS, MAX_HEADER, MAX_HEADER_LINES, MAX_VALUE, MAX_VALUES
from pypi_registry.distributions.report import CoreMetadata, InvalidArchive
from pypi_registry.distributions.specifiers import requirement_problems, specifier_problem
from pypi_registry.errors import InvalidName, InvalidVersion
from pypi_registry.versions import check_version

_SINGLE_USE = ("Metadata-Version", "Name", "Version", "Requires-Python")
_MULTIPLE_USE = ("Dynamic", "Requires-Dist", "Provides-Extra")
_UNFOLDED = {"Metadata-Version", "Version", "Requires-Python", "Dynamic", "Requires-Dist"}
_DEPENDENCY_FIELDS = {"requires-dist", "requires-python", "provides-extra"}

# A line of the fields. Of names, RFC 5322, 3.6.8: "any printable US-ASCII character except colon". The email parser
# ignores a field without a name, and white space before the first field.
_FIELD = re.compile(rb"[!-9;-~]*:|[ \t]")
_ENCODED_WORD = re.compile(r"=\?[^?]++\?[bq]\?", re.IGNORECASE)  # RFC 2047; uv decodes it, pip does not
_METADATA_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)


def is_metadata_served(metadata: CoreMetadata, filename: str) -> bool:
    """Return whether an index may serve the core metadata beside its file, so that installers need not download it.

    PEP 658 requires "a Core Metadata file that will not be modified when the distribution is processed and/or
    installed". That is always true for a wheel. For an sdist it is true if the fields about dependencies are the same
    in every wheel that is built from it. Core metadata specification, "Dynamic":

    "If a field is *not* marked as ``Dynamic``, then the value of the field in any wheel built from the sdist MUST match
    the value in the sdist. [...] If the sdist metadata version is older than version 2.2, then all fields should be
    treated as if they were specified with ``Dynamic``".

    Metadata of an sdist that is not UTF-8 is not served: a build backend may be able to read it, but pip cannot.
    """
    return filename.endswith(WHEEL_SUFFIX) or (
        _metadata_version(metadata.metadata_version) >= (2, 2)
        and not metadata.dynamic & _DEPENDENCY_FIELDS
        and is_utf8(metadata.data)
    )


def is_utf8(data: bytes) -> bool:
    """Return whether installers can decode this file, which they do as a whole."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_metadata(data: bytes, title: str = "the metadata") -> CoreMetadata:
    r"""Parse core metadata; `title` names it in the problems.

    >>> parse_metadata(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nA description").name
    'demo'

    :raises InvalidArchive: if it lacks a required field, has a single-use field twice, or if readers parse it
        differently.
    """
    values = header_values(data, (*_SINGLE_USE, *_MULTIPLE_USE), title)
    problems = [
        f"has an encoded word in {field}, which only some readers decode"
        for field, found in values.items()
        if any(map(_ENCODED_WORD.search, found))
    ]
    # pip and uv strip white space from each field except the name.
    values = {field: [*map(unfolded, found)] if field in _UNFOLDED else found for field, found in values.items()}
    problems += _field_problems(values)
    if problems:
        raise InvalidArchive(f"{title} {', '.join(problems)}")
    return CoreMetadata(
        data=data,
        metadata_version=values["Metadata-Version"][0],
        name=values["Name"][0],
        version=values["Version"][0],
        requires_python="".join(values["Requires-Python"]),
        dynamic=frozenset(map(str.lower, values["Dynamic"])),
        requires_dist=tuple(values["Requires-Dist"]),
    )


def dependency_problems(metadata: CoreMetadata, title: str) -> Iterator[str]:
    r"""Yield the problems of `Requires-Python` and `Requires-Dist`; `title` names the file.

    >>> found = parse_metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Python: ~=3")
    >>> list(dependency_problems(found, "METADATA"))
    ["METADATA has an invalid Requires-Python: '~=3' is not a version specifier, such as '>=3.9'"]
    """
    if problem := specifier_problem(metadata.requires_python):
        yield f"{title} has an invalid Requires-Python: {problem}"
    for problem in requirement_problems(metadata.requires_dist):
        yield f"{title} has an invalid Requires-Dist: {problem}"


def _field_problems(values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    # "The required fields are: Metadata-Version, Name, Version. All the other fields are optional."
    for field in _SINGLE_USE:
        found = values[field]
        if len(found) > 1:
            yield f"has more than one {field}"
        elif field == "Requires-Python" and not found:
            continue
        elif not any(found) and field != "Requires-Python":
            yield f"has no {field}"
        elif len(found[0]) > MAX_LENGTH or not found[0].isprintable():
            yield f"has a {field} of more than {MAX_LENGTH} characters, or with control characters"
        elif field == "Metadata-Version" and not _metadata_version(found[0]):
            yield f"has the invalid {field} {excerpt(found[0])}"


def header_values(data: bytes, fields: Sequence[str], title: str) -> Mapping[str, Sequence[str]]:
    """Return the values of some fields, as the standard library's email parser does.

    Core metadata specification: "the practical standard is set by what the standard library email.parser module can
    parse using the compat32 policy". The email parser itself keeps everything in memory, at forty times the size.

    Fields end at the first empty line. Of equal fields, with the same value, at most two are returned. Of a value, only
    the white space at its beginning is removed; a folded value keeps its line breaks.

    :raises InvalidArchive: if there are too many fields, a value is too long, or readers parse a line differently.
    """
    head = data[: MAX_HEADER + 1]
    if b"\r" in head:
        head = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = head.find(b"\n\n")
    head = head.removesuffix(b"\n") if end < 0 else head[:end]
    if (end < 0 and len(data) > MAX_HEADER) or head.count(b"\n") > MAX_HEADER_LINES:
        raise InvalidArchive(f"{title} has more than {MAX_HEADER_LINES} lines or {MAX_HEADER} bytes of fields")
    # No "\r" is left, so it can stand for the line breaks in a folded field.
    lines = head.replace(b"\n ", b"\r ").replace(b"\n\t", b"\r\t").split(b"\n", MAX_FIELDS)
    if len(lines) > MAX_FIELDS:
        raise InvalidArchive(f"{title} has more than {MAX_FIELDS} fields")
    # Many equal lines are compressed to nearly nothing, so they are counted before anything else is done with each.
    counts: Mapping[bytes, int] = dict.fromkeys(lines, 1)
    if len(counts) < len(lines):
        counts = Counter(lines)
    text = next(filterfalse(_FIELD.match, counts), None)
    if text is not None:
        if text.startswith(b"From "):
            # The envelope line of a mailbox: the email parser ignores it and reads on, other readers stop.
            raise InvalidArchive(f"{title} has a line that begins with 'From ' among its fields")
        counts = Counter(lines[: lines.index(text)])
    found: dict[bytes, list[str]] = {field.lower().encode(): [] for field in fields}
    size = 0
    for line, count in counts.items():
        name, _, value = line.partition(b":")
        if (values := found.get(name.lower())) is not None:
            size += len(value)
            if len(value) > MAX_VALUE or size > MAX_VALUES:
                raise InvalidArchive(
                    f"{title} has a {name.decode()} of more than {MAX_VALUE} bytes, or more than {MAX_VALUES} bytes of "
                    f"{', '.join(fields)}"
                )
            values += [value.lstrip(b" \t").replace(b"\r", b"\n").decode("utf-8", "replace")] * min(count, 2)
    return dict(zip(fields, found.values(), strict=True))


def unfolded(value: str) -> str:
    """Return a value on one line, with single spaces in it and without white space around it."""
    spaced = value.replace("\n", " ").replace("\t", " ")
    return " ".join(filter(None, spaced.split(" "))) if " " in spaced else spaced


def _metadata_version(text: str) -> tuple[int, ...]:
    """Return "2.10" as (2, 10), and nothing for other texts."""
    match = _METADATA_VERSION.fullmatch(text)
    return tuple(map(int, match.groups())) if match else ()


def metadata_problems(
    metadata: CoreMetadata, name: NormalizedName | None = None, version: str | None = None
) -> Iterator[str]:
    r"""Yield the problems of the name and the version in core metadata.

    :param name: the name in the form of the upload; None if there is no form.
    :param version: likewise, a valid version.

    >>> found = parse_metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1")
    >>> list(metadata_problems(found, NormalizedName("b"), "1.0"))
    ["Name is b, but 'a' in the file's metadata"]
    """
    try:
        found = normalize(metadata.name)
    except InvalidName as error:
        yield f"the file's metadata is invalid: {error}"
    else:
        if name and found != name:
            yield f"Name is {name}, but {excerpt(metadata.name)} in the file's metadata"
    try:
        check_version(metadata.version)
    except InvalidVersion as error:
        yield f"the file's metadata is invalid: {error}"
    else:
        if version and not is_same_version(metadata.version, parse_version(version)):
            yield f"Version is {excerpt(version)}, but {excerpt(metadata.version)} in the file's metadata"
