"""The parts of the file name of a wheel or an sdist, and when two file names are spellings of one."""

import re
from functools import lru_cache

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
        parsed = parse_version(version)
    except ValueError:
        return None
    canonical = f"{name.replace('-', '_')}-{canonical_version(version)}"
    if filename.endswith(WHEEL_SUFFIX):
        plain, label = split_label(filename)
        found_name, _, rest = plain.removesuffix(WHEEL_SUFFIX).partition("-")
        found_version, *parts = rest.split("-")
        if canonicalize_name(found_name) != name or not is_same_version(found_version, parsed):
            return None
        tags = _canonical_tags(parts)
        return tags and "-".join([canonical, tags, *([] if label is None else [label])]) + WHEEL_SUFFIX
    if suffix := next(filter(filename.endswith, SDIST_SUFFIXES), ""):
        return f"{canonical}{suffix}" if is_sdist_of(filename, name, parsed) else None
    return None


def split_label(filename: str) -> tuple[str, str | None]:
    """Return the file name of a wheel without its variant label, and the label; None if it has none.

    The file name need not be valid, and then the label need not be valid either.

    >>> split_label("demo-1.0-py3-none-any-x86_64_v3.whl")
    ('demo-1.0-py3-none-any.whl', 'x86_64_v3')
    >>> split_label("demo-1.0-1-py3-none-any.whl")
    ('demo-1.0-1-py3-none-any.whl', None)
    """
    # PEP 825: "{distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}(-{variant label})?.whl".
    # A label may begin with a digit, so the first part after the version decides: a build tag begins with a digit, and
    # "The Python tag component MUST NOT start with a digit."
    if filename.count("-") < 5:  # a label comes after the fifth hyphen at the earliest; most names have four
        return filename, None
    found = _WITH_LABEL.fullmatch(filename)
    return (filename, None) if found is None else (f"{found['plain']}{WHEEL_SUFFIX}", found["label"])


_WITH_LABEL = re.compile(
    r"(?P<plain>[^-]*-[^-]*(-[0-9][^-]*)?-(?![0-9])[^-]*-[^-]*-[^-]*)-(?P<label>[^-]*)\.whl", re.DOTALL
)


def _canonical_tags(parts: list[str]) -> str | None:
    """Return the parts between the version and the label of a wheel, each in one spelling; None if invalid."""
    build = re.match("[0-9]+", parts[0]) if len(parts) == 4 else None
    if len(parts) != (4 if build else 3):
        return None
    # packaging ignores the case of tags, and reads the beginning of a build tag as a number.
    builds = [f"{build[0].lstrip('0') or '0'}{parts[0][build.end() :]}"] if build else []
    # PEP 425, "Compressed Tag Sets": the tags are all combinations, so the three sets stand for the set of tags.
    return "-".join([*builds, *(".".join(sorted({*tags.lower().split(".")})) for tags in parts[-3:])])


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
        return parse_version(text) == version
    except ValueError:
        return False


# Each upload compares a version several times: in the form, the file name, the folder, the metadata and the catalogue.
_CACHED = 64
_MAX_CACHED = 255  # characters; longer texts, which anyone may send, do not go into the caches


def parse_version(text: str) -> Version:
    """Parse a version (PEP 440).

    :raises ValueError: if it is not valid.
    """
    return _parsed_version(text) if len(text) <= _MAX_CACHED else Version(text)


def canonical_version(text: str) -> str:
    """Return the one spelling by which versions are compared; of a text that is not a version, the text.

    >>> canonical_version("1.0.0-RC1"), canonical_version("latest")
    ('1rc1', 'latest')
    """
    return _canonical_version(text) if len(text) <= _MAX_CACHED else canonicalize_version(text)


@lru_cache(_CACHED)
def _parsed_version(text: str) -> Version:
    return Version(text)


@lru_cache(_CACHED)
def _canonical_version(text: str) -> str:
    return canonicalize_version(text)
