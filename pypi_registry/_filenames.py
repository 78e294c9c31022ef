"""The parts of the file name of a wheel or an sdist, and when two file names are spellings of one."""

import re

from packaging.utils import NormalizedName, canonicalize_name, canonicalize_version
from packaging.version import Version

WHEEL_SUFFIX = ".whl"
SDIST_SUFFIX = ".tar.gz"
ZIPPED_SDIST_SUFFIX = ".zip"
"""Sdists from before PEP 527 ("Removing Un(der)used file types/extensions on PyPI") may be zip archives."""
SDIST_SUFFIXES = (SDIST_SUFFIX, ZIPPED_SDIST_SUFFIX)


def identity_of(filename: str, name: NormalizedName, version: str) -> str | None:
    """Return the one spelling by which file names are compared; None if it is not a file name of this release.

    An installer that reads two spellings of one file name in an index installs either. So two file names have one
    identity if they contain the same normalized name, an equal version, the same build tag and the same set of tags
    (and, in a wheel variant, the same label); of an sdist, if they contain the same name, version and suffix.

    >>> identity_of("My.Pkg-1.0.0-01-py3.py2-none-any.whl", NormalizedName("my-pkg"), "1.0")
    'my_pkg-1-1-py2.py3-none-any.whl'
    >>> identity_of("My-Pkg-1.0.tar.gz", NormalizedName("my-pkg"), "1.0")
    'my_pkg-1.tar.gz'
    """
    try:
        parsed = Version(version)
    except ValueError:
        return None
    canonical = f"{name.replace('-', '_')}-{canonicalize_version(parsed)}"
    if filename.endswith(WHEEL_SUFFIX):
        found_name, _, rest = filename.removesuffix(WHEEL_SUFFIX).partition("-")
        found_version, *parts = rest.split("-")
        if canonicalize_name(found_name) != name or not is_same_version(found_version, parsed):
            return None
        tags = _canonical_tags(parts)
        return tags and f"{canonical}-{tags}{WHEEL_SUFFIX}"
    if suffix := next(filter(filename.endswith, SDIST_SUFFIXES), ""):
        return f"{canonical}{suffix}" if is_sdist_of(filename, name, parsed) else None
    return None


def _canonical_tags(parts: list[str]) -> str | None:
    """Return the parts of the file name of a wheel that follow its version, each in one spelling; None if invalid."""
    # Binary distribution format: "{distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl".
    # PEP 825 adds "(-{variant label})?". A build tag "must start with a digit", and a Python tag must not.
    build = re.match("[0-9]+", parts[0]) if len(parts) in (4, 5) else None
    pythons_at = 1 if build else 0
    if not 3 <= len(parts) - pythons_at <= 4:
        return None
    # packaging ignores the case of tags, and reads the beginning of a build tag as a number.
    builds = [f"{build[0].lstrip('0') or '0'}{parts[0][build.end() :]}"] if build else []
    # PEP 425, "Compressed Tag Sets": the tags are all combinations, so the three sets stand for the set of tags.
    tags = [".".join(sorted({*tags.lower().split(".")})) for tags in parts[pythons_at : pythons_at + 3]]
    return "-".join([*builds, *tags, *parts[pythons_at + 3 :]])


def is_sdist_of(filename: str, name: NormalizedName, version: Version) -> bool:
    """Return whether the file name of an sdist contains this name and a spelling of this version.

    >>> is_sdist_of("zope-interface-3.0-1.tar.gz", NormalizedName("zope-interface"), Version("3.0.post1"))
    True
    """
    # PEP 625 allows one hyphen, between the name and the version. In older sdists, the name, the version or both may
    # have hyphens ("zope-interface-3.0-1.tar.gz"), so each hyphen is tried as the separator. packaging's parser does
    # not know the name and the version, and has to guess.
    stem = filename.removesuffix(next(filter(filename.endswith, SDIST_SUFFIXES)))
    return any(
        canonicalize_name(stem[: hyphen.start()]) == name and is_same_version(stem[hyphen.end() :], version)
        for hyphen in re.finditer("-", stem)
    )


def is_same_version(text: str, version: Version) -> bool:
    """Return whether a text is a spelling of this version.

    >>> is_same_version("1.0.0-RC1", Version("1rc1"))
    True
    """
    try:
        return Version(text) == version
    except ValueError:
        return False
