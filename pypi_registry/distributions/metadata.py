"""Core metadata: what a wheel's ``METADATA`` or an sdist's ``PKG-INFO`` says.

https://packaging.python.org/specifications/core-metadata/. Of any version, from 1.0 to what is newer than we know, so
only what is needed here is read, and nothing else is judged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._names import normalize
from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.filenames import WHEEL, is_same_version
from pypi_registry.distributions.limits import MAX_HEADER_LINES
from pypi_registry.errors import InvalidName, InvalidVersion, excerpt
from pypi_registry.versions import check_version

_LINE = re.compile(rb"(?:([!-9;-~]*):)?([^\r\n]*)(?:\r\n|\r|\n|\Z)")  # perhaps with a field's name
_SINGLE = ("Metadata-Version", "Name", "Version", "Requires-Python")
_READ = (*_SINGLE, "Dynamic", "Requires-Dist", "Provides-Extra")
MAX_LENGTH = 255
"""Characters of a name, of a version and of ``Requires-Python``, as in GitLab's tables."""

_ENCODED = re.compile(r"=\?[^?]+\?[bq]\?", re.IGNORECASE)  # a word as in RFC 2047, which uv decodes and pip does not
_BLANKS = re.compile(r"[ \t\n]+")
_OF_DEPENDENCIES = {"requires-dist", "requires-python", "provides-extra"}


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The part of core metadata that an index acts on."""

    data: bytes
    """All of it, as in the file."""
    version_of_format: str
    """``Metadata-Version``, such as ``2.4``."""
    name: str
    """As in the file."""
    version: str
    """As in the file, without blanks around it."""
    requires_python: str
    """A version specifier; empty if nothing is said."""
    dynamic: frozenset[str]
    """The fields, in lower case, that may be different in a wheel that is built of this sdist (PEP 643)."""


def is_served(metadata: CoreMetadata, filename: str) -> bool:
    """Tell whether an index may offer metadata in place of its file (PEP 658).

    A wheel's always. An sdist's only if a wheel built of it is sure to need the same (PEP 643): the metadata is of 2.2
    or newer, and no field of dependencies is dynamic. And only in UTF-8: a builder may read another encoding, pip not.
    """
    return filename.endswith(WHEEL) or (
        _numbers(metadata.version_of_format) >= (2, 2)
        and not metadata.dynamic & _OF_DEPENDENCIES
        and is_utf8(metadata.data)
    )


def is_utf8(data: bytes) -> bool:
    """Tell whether installers can read this: they decode all of a file at once."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_metadata(data: bytes, title: str = "the metadata") -> CoreMetadata:
    r"""Read core metadata; `title` is what it is called in a sentence about a fault.

    >>> read_metadata(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nA description").name
    'demo'

    :raises Unreadable: if it lacks a field that every version requires, has one twice that may be there once, or has
        what readers do not agree about.
    """
    values = header_values(data, _READ, title)
    faults = [
        f"has an encoded word in {field}, which not all readers decode"
        for field, found in values.items()
        if any(map(_ENCODED.search, found))
    ]
    # pip and uv trim each field but the name.
    values = {field: found if field == "Name" else [*map(unfolded, found)] for field, found in values.items()}
    faults += _field_faults(values)
    if faults:
        raise Unreadable(f"{title} {', '.join(faults)}")
    version_of_format, name, version, requires_python = ("".join(values[field]) for field in _SINGLE)
    dynamic = frozenset(map(str.lower, values["Dynamic"]))
    return CoreMetadata(data, version_of_format, name, version, requires_python, dynamic)


def _field_faults(values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for field in _SINGLE:
        found = values[field]
        if len(found) > 1:
            yield f"has more than one {field}"
        elif field == "Requires-Python" and not found:
            continue
        elif not any(found) and field != "Requires-Python":
            yield f"has no {field}"
        elif len(found[0]) > MAX_LENGTH or not found[0].isprintable():
            yield f"has a {field} of more than {MAX_LENGTH} characters, or with control characters"
        elif field == "Metadata-Version" and not _numbers(found[0]):
            yield f"has the {field} {excerpt(found[0])}, which is none"


def header_values(data: bytes, fields: Sequence[str], title: str) -> Mapping[str, Sequence[str]]:
    """Give the values of each of some fields, as the email parser would.

    That is as they are, but for the blanks before them; a folded one has line breaks. Those count that stand before the
    first empty line. That parser keeps everything, at forty times the size.

    :raises Unreadable: if there are more lines than anybody writes, or one that readers do not agree about.
    """
    found: dict[bytes, list[list[bytes]]] = {field.lower().encode(): [] for field in fields}
    lines: list[bytes] = []  # of one value
    for number, match in enumerate(_LINE.finditer(data)):
        if number > MAX_HEADER_LINES:
            raise Unreadable(f"{title} has more than {MAX_HEADER_LINES} lines of fields")
        name, text = match.groups()
        if name is not None:  # a field without a name is passed over
            lines = [text]
            if (values := found.get(name.lower())) is not None:
                values.append(lines)
        elif text[:1] in (b" ", b"\t"):
            lines.append(text)
        elif text.startswith(b"From "):  # as in a mailbox: the email parser passes it over and reads on
            raise Unreadable(f"{title} has a line that begins with 'From ' among its fields")
        else:
            break  # an empty line, as at the very end, or the beginning of a text
    return {field: [*map(_value, values)] for field, values in zip(fields, found.values(), strict=True)}


def _value(lines: Sequence[bytes]) -> str:
    return b"\n".join(lines).lstrip(b" \t").decode("utf-8", "replace")


def unfolded(value: str) -> str:
    """Put a value on one line, with single blanks in it and none around it."""
    return " ".join(filter(None, _BLANKS.split(value)))


def _numbers(version: str) -> tuple[int, ...]:
    """Give 2.10 as (2, 10), and nothing for what is no version of a format."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version, re.ASCII) else ()


def disagreements(
    metadata: CoreMetadata, name: NormalizedName | None = None, version: str | None = None
) -> Iterator[str]:
    r"""Name what metadata says that cannot be, or otherwise than somebody else who says a name and a version.

    None is not known.

    >>> found = read_metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1")
    >>> list(disagreements(found, NormalizedName("b"), "1.0"))
    ["Name is b, and 'a' in the file's metadata"]
    """
    try:
        found = normalize(metadata.name)
    except InvalidName as error:
        yield f"the file's metadata is wrong: {error}"
    else:
        if name and found != name:
            yield f"Name is {name}, and {excerpt(metadata.name)} in the file's metadata"
    try:
        check_version(metadata.version)
    except InvalidVersion as error:
        yield f"the file's metadata is wrong: {error}"
    else:
        # Nearly always both are written alike, and then there is nothing to parse.
        is_other = version != metadata.version
        if version and is_other and not is_same_version(metadata.version, Version(version)):
            yield f"Version is {excerpt(version)}, and {excerpt(metadata.version)} in the file's metadata"
