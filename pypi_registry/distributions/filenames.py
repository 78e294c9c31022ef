"""The file names of wheels and sdists: which are valid, and whether they match a name and a version."""

import re
from collections.abc import Iterator
from functools import lru_cache
from math import prod

from packaging.utils import NormalizedName, parse_wheel_filename
from packaging.version import Version

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import SDIST_SUFFIXES, WHEEL_SUFFIX, is_sdist_of, parse_version, split_label

MAX_FILENAME = 255
"""Characters of a file name: NAME_MAX of common file systems. All characters are ASCII, so these are bytes, too."""

MAX_TAGS = 1000
"""Tags for which the file name of a wheel may stand; 255 characters could stand for 50,000. Largest seen: 4."""

# The characters of names, versions and tags. None of them has a meaning in a path, a header, HTML or a URL. They are
# checked first, because packaging's parsers accept NUL, quotes, spaces and "../".
_FILENAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*")

_LABEL = re.compile(r"[0-9a-z_.]+")


def filename_problems(filename: str, name: NormalizedName | None = None, version: str | None = None) -> Iterator[str]:
    """Yield the problems of a file name, and where it does not match a name and a version (None: not known).

    Versions are compared as versions: ``1.0.0-RC1`` in a form matches ``1.0.0rc1`` in a file name. A valid file name
    has no problems.

    >>> list(filename_problems("demo-1.0-py3-none-any.whl", NormalizedName("demo"), "1.0.0"))
    []
    >>> list(filename_problems("demo-1.0.tar.gz", NormalizedName("other"), "1.0"))
    ["File name 'demo-1.0.tar.gz' does not match the name other and the version '1.0'"]
    """
    if not _is_plain(filename):
        yield (
            f"File name {excerpt(filename)} is invalid: at most {MAX_FILENAME} letters, digits and '._+!-', no path, "
            "beginning with a letter, a digit or '_'"
        )
    elif filename.endswith(WHEEL_SUFFIX):
        yield from _wheel_filename_problems(filename, name, version)
    elif filename.endswith(SDIST_SUFFIXES):
        if name and version and not is_sdist_of(filename, name, parse_version(version)):
            yield _does_not_match(filename, name, version)
    else:
        yield (
            f"File name {excerpt(filename)} has neither the suffix of a wheel ({WHEEL_SUFFIX}) nor that of an sdist "
            f"({', '.join(SDIST_SUFFIXES)})"
        )


def wheel_name_and_version(filename: str) -> tuple[NormalizedName, Version] | None:
    """Return the name and the version in the file name of a wheel; None if it is not a valid one.

    >>> wheel_name_and_version("My_demo-1.0-py3-none-any.whl")
    ('my-demo', <Version('1.0')>)
    """
    if not filename.endswith(WHEEL_SUFFIX) or not _is_plain(filename):
        return None
    try:
        return _parsed_wheel_filename(filename)
    except ValueError:
        return None


def _is_plain(filename: str) -> bool:
    """Return whether a file name may reach packaging: it is not too long and has only the usual characters."""
    return len(filename) <= MAX_FILENAME and _FILENAME.fullmatch(filename) is not None


def _wheel_filename_problems(filename: str, name: NormalizedName | None, version: str | None) -> Iterator[str]:
    # Binary distribution format, "File name convention":
    # "{distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl"; with a label by PEP 825
    try:
        found_name, found_version = _parsed_wheel_filename(filename)
    except ValueError as error:  # InvalidWheelFilename, InvalidVersion, and in newer versions of packaging InvalidTag
        yield f"File name {excerpt(filename)} is not valid for a wheel: {error}"
        return
    if name and version and not (found_name == name and found_version == parse_version(version)):
        yield _does_not_match(filename, name, version)


# Each upload parses its file name several times.
@lru_cache(maxsize=64)
def _parsed_wheel_filename(filename: str) -> tuple[NormalizedName, Version]:
    plain, label = split_label(filename)
    # PEP 825: "The variant label MUST be non-empty and consist only of 0-9, a-z, _ and . ASCII characters".
    if label is not None and _LABEL.fullmatch(label) is None:
        raise ValueError(f"its variant label {excerpt(label)} is not made of lower-case letters, digits, '_' and '.'")
    # PEP 425, "Compressed Tag Sets": the tags are all combinations of their parts, and packaging creates each of them.
    *_, pythons, abis, platforms = ("--" + plain.removesuffix(WHEEL_SUFFIX)).split("-")
    # PEP 825: "The Python tag component MUST NOT start with a digit."
    if pythons[:1].isdigit():
        raise ValueError(f"its Python tag {excerpt(pythons)} begins with a digit")
    if (count := prod(tags.count(".") + 1 for tags in (pythons, abis, platforms))) > MAX_TAGS:
        raise ValueError(f"it expands to {count} tags, more than {MAX_TAGS}")
    parsed = parse_wheel_filename(plain)[:2]  # packaging 26.3 reads an additional part as an invalid build tag
    if not all(".".join((pythons, abis, platforms)).split(".")):  # older versions of packaging accept it
        raise ValueError("it has an empty tag")
    return parsed


def _does_not_match(filename: str, name: NormalizedName, version: str) -> str:
    return f"File name {excerpt(filename)} does not match the name {name} and the version {excerpt(version)}"
