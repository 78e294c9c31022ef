"""GitLab's version rule, to the letter.

The expression stands in GitLab's manual, "Ensure your version string is valid"
(https://docs.gitlab.com/user/packages/pypi_repository/). It is the one of PEP 440, appendix B, without the white space
around it.
"""

import re

from pypi_registry.errors import InvalidVersion

# Ruby's \z is spelled re.fullmatch: `$` would let "1.0\n" through, and \z is no Python before 3.14.
#
# Deviation, on purpose: with /i Ruby also folds LATIN SMALL LETTER LONG S to "s" and KELVIN SIGN to "k", so GitLab
# takes "1.0po\u017ft1". With re.ASCII we refuse both, as PEP 440 and `packaging` do; no client could install it.
#
# Texts, which `re` compiles when they are first used, and keeps: compiled here they took a millisecond of each import.
_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_VERSION = r"""
    v?
    (?:([0-9]+)!)?                                                 # epoch
    ([0-9]+(?:\.[0-9]+)*)                                          # release segment
    ([-_\.]?((a|b|c|rc|alpha|beta|pre|preview))[-_\.]?([0-9]+)?)?  # pre-release
    ((?:-([0-9]+))|(?:[-_\.]?(post|rev|r)[-_\.]?([0-9]+)?))?       # post release
    ([-_\.]?(dev)[-_\.]?([0-9]+)?)?                                # dev release
    (?:\+([a-z0-9]+(?:[-_\.][a-z0-9]+)*))?                         # local version
    """

# The same language with the longer words first, so that a match of a beginning is the longest there is.
_BEGINNING = _VERSION.replace("a|b|c|rc|alpha|beta|pre|preview", "alpha|a|beta|b|c|rc|preview|pre")


def is_valid_version(text: str) -> bool:
    r"""Tell whether GitLab would take this version.

    >>> is_valid_version("1.0rc1"), is_valid_version("1.0\n"), is_valid_version("latest")
    (True, False, False)
    """
    return re.fullmatch(_VERSION, text, _FLAGS) is not None


def check_version(text: str) -> None:
    """Refuse a version that GitLab would not take.

    >>> check_version("1.0_1")
    Traceback (most recent call last):
    pypi_registry.errors.InvalidVersion: '1.0_1' is not a version from '_1' on

    :raises InvalidVersion: if the text is not a version; it is a :class:`ValueError`.
    """
    if not is_valid_version(text):
        beginning = re.match(_BEGINNING, text, _FLAGS)
        raise InvalidVersion(text, beginning.end() if beginning else 0)
