"""What a file name says of a wheel or an sdist, and which file names may be."""

import re
from collections.abc import Iterator
from functools import lru_cache

from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from pypi_registry.errors import excerpt

WHEEL = ".whl"
SDISTS = (".tar.gz", ".zip")

# packaging's parsers let NUL, quotes, blanks and "../" through, so the characters come first. These are the ones that
# names, versions and tags are made of: none of them means anything to a path, a header, HTML or a URL.
_SAFE = r"[A-Za-z0-9_][A-Za-z0-9._+!-]*"
_PURE = r"([A-Za-z0-9]+(?:_[A-Za-z0-9]+)*)-([0-9]+(?:\.[0-9]+)*)-(?:py2\.)?py3-none-any\.whl"
_MAX_LENGTH = 255  # what file systems take


def filename_faults(filename: str, name: NormalizedName | None = None, version: str | None = None) -> Iterator[str]:
    """Name what is wrong with a file name, given the name and the version that it must speak of; None if not known.

    Versions are compared as versions: ``1.0.0-RC1`` in a form agrees with ``1.0.0rc1`` in a file name. Nothing is
    yielded for a good file name.

    >>> list(filename_faults("demo-1.0-py3-none-any.whl", NormalizedName("demo"), "1.0.0"))
    []
    >>> list(filename_faults("demo-1.0.tar.gz", NormalizedName("other"), "1.0"))
    ["File name 'demo-1.0.tar.gz' does not agree with the name other and the version '1.0'"]
    """
    if re.fullmatch(_SAFE, filename) is None or len(filename) > _MAX_LENGTH:
        yield (
            f"File name {excerpt(filename)} is invalid: at most {_MAX_LENGTH} letters, digits and '._+!-', no path, "
            "beginning with a letter, a digit or '_'"
        )
    elif filename.endswith(WHEEL):
        yield from _wheel_faults(filename, name, version)
    elif filename.endswith(SDISTS):
        if name and version and not any(_sdist_readings(filename, name, Version(version))):
            yield _disagrees(filename, name, version)
    else:
        yield f"File name {excerpt(filename)} is neither a wheel's (.whl) nor an sdist's (.tar.gz, .zip)"


def read_wheel_filename(filename: str) -> tuple[NormalizedName, Version] | None:
    """Read the name and the version in the file name of a wheel; None if it is no wheel's.

    One that is too long is none: packaging multiplies the tags in it, and takes ten seconds for those in 2 kB.

    >>> read_wheel_filename("My_demo-1.0-py3-none-any.whl")
    ('my-demo', <Version('1.0')>)
    """
    if not filename.endswith(WHEEL) or any(filename_faults(filename)):
        return None
    return _parsed(filename)


def _wheel_faults(filename: str, name: NormalizedName | None, version: str | None) -> Iterator[str]:
    try:
        found = _parsed(filename)
    except ValueError as error:  # InvalidWheelFilename, InvalidVersion, and in newer versions of packaging InvalidTag
        yield f"File name {excerpt(filename)} is not a wheel's: {error}"
        return
    if name and version and not (_has_version(filename, found[1], version) and found[0] == name):
        yield _disagrees(filename, name, version)


def _has_version(filename: str, found: Version, version: str) -> bool:
    # Nearly always both are written alike, and then there is nothing to parse.
    return filename.split("-")[1] == version or found == Version(version)


@lru_cache(maxsize=64)
def _parsed(filename: str) -> tuple[NormalizedName, Version]:
    # Each who looks at an upload asks for the same name, and packaging makes all tags of it each time. Those of most
    # wheels are known to be right.
    if pure := re.fullmatch(_PURE, filename):
        return canonicalize_name(pure[1]), Version(pure[2])
    return parse_wheel_filename(filename)[:2]


def _sdist_readings(filename: str, name: NormalizedName, version: Version) -> Iterator[bool]:
    # Old sdists have a hyphen in the name, in the version or in both ("zope-interface-3.0-1.tar.gz"), so any hyphen may
    # be the one between them. packaging knows neither the name nor the version, and must guess.
    stem = filename.removesuffix(next(filter(filename.endswith, SDISTS)))
    for hyphen in re.finditer("-", stem):
        if canonicalize_name(stem[: hyphen.start()]) == name:
            yield is_same_version(stem[hyphen.end() :], version)


def is_same_version(text: str, version: Version) -> bool:
    """Tell whether a text is this version, however it is written.

    >>> is_same_version("1.0.0-RC1", Version("1rc1"))
    True
    """
    try:
        return Version(text) == version
    except ValueError:
        return False


def _disagrees(filename: str, name: NormalizedName, version: str) -> str:
    return f"File name {excerpt(filename)} does not agree with the name {name} and the version {excerpt(version)}"
