"""Core metadata: what a wheel's ``METADATA`` or an sdist's ``PKG-INFO`` says.

https://packaging.python.org/specifications/core-metadata/. Of any version, from 1.0 to what is newer than we know, so
only what is needed here is read, and nothing else is judged.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypi_registry.distributions.faults import Unreadable
from pypi_registry.distributions.filenames import WHEEL, is_same_version
from pypi_registry.errors import excerpt

# Empty lines as the email parser sees them, by whose rules the field names and the end of them are defined.
_EMPTY_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_SINGLE = ("Metadata-Version", "Name", "Version", "Requires-Python")
_MAX_REQUIRES_PYTHON = 255  # characters; as many as GitLab keeps of what a form says
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
    """As in the file."""
    requires_python: str
    """A version specifier; empty if nothing is said."""
    dynamic: frozenset[str]
    """The fields, in lower case, that may be different in a wheel that is built of this sdist (PEP 643)."""


def is_served(metadata: CoreMetadata, filename: str) -> bool:
    """Tell whether an index may offer metadata in place of its file (PEP 658).

    A wheel's always. An sdist's only if a wheel built of it is sure to need the same (PEP 643): the metadata is of 2.2
    or newer, and no field of dependencies is dynamic.
    """
    return filename.endswith(WHEEL) or (
        _numbers(metadata.version_of_format) >= (2, 2) and not metadata.dynamic & _OF_DEPENDENCIES
    )


def read_metadata(data: bytes) -> CoreMetadata:
    r"""Read core metadata.

    >>> read_metadata(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nA description").name
    'demo'

    :raises Unreadable: if it lacks a field that every version requires, or has one twice that may be there once.
    """
    head = _head(data)
    values = {field: [_unfolded(value) for value in head.get_all(field, [])] for field in _SINGLE}
    required = [field for field in _SINGLE if field != "Requires-Python"]
    faults = [f"has no {field}" for field in required if not any(values[field])]
    faults += [f"has more than one {field}" for field in _SINGLE if len(values[field]) > 1]
    if any(_is_unfit(value) for value in values["Requires-Python"]):
        faults.append(f"has a Requires-Python with control characters, or of more than {_MAX_REQUIRES_PYTHON}")
    if not faults and not _numbers(values["Metadata-Version"][0]):
        faults = [f"has the Metadata-Version {excerpt(values['Metadata-Version'][0])}, which is none"]
    if faults:
        raise Unreadable(", ".join(faults))
    dynamic = frozenset(_unfolded(value).lower() for value in head.get_all("Dynamic", []))
    version_of_format, name, version, requires_python = ("".join(values[field]) for field in _SINGLE)
    return CoreMetadata(data, version_of_format, name, version, requires_python, dynamic)


def _head(data: bytes) -> Message:
    """Parse what stands before the first empty line; behind it there is the description, as long as a README."""
    end = _EMPTY_LINE.search(data)
    return BytesParser(policy=compat32).parsebytes(data[: end.start()] if end else data)


def _unfolded(value: object) -> str:
    # Bytes that are not UTF-8 come as a Header, and old files have them, in fields that matter to nobody here.
    return " ".join(str(value).split())


def _is_unfit(requires_python: str) -> bool:
    return len(requires_python) > _MAX_REQUIRES_PYTHON or not requires_python.isprintable()


def _numbers(version: str) -> tuple[int, ...]:
    """Give 2.10 as (2, 10), and nothing for what is no version of a format."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version, re.ASCII) else ()


def disagreements(
    metadata: CoreMetadata, name: NormalizedName | None = None, version: str | None = None
) -> Iterator[str]:
    r"""Name what metadata says otherwise than somebody else who says a name and a version; None if not known.

    >>> found = read_metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1")
    >>> list(disagreements(found, NormalizedName("b"), "1.0"))
    ["Name is b, and 'a' in the file's metadata"]
    """
    if name and canonicalize_name(metadata.name) != name:
        yield f"Name is {name}, and {excerpt(metadata.name)} in the file's metadata"
    if version and not is_same_version(metadata.version, Version(version)):
        yield f"Version is {excerpt(version)}, and {excerpt(metadata.version)} in the file's metadata"
