"""GitLab's rule for versions, to the letter.

The expression is in GitLab's manual, "Ensure your version string is valid"
(https://docs.gitlab.com/user/packages/pypi_repository/). It is the one of PEP 440, appendix B, without the white space
around it.
"""

import re

from pypi_registry.errors import InvalidVersion

# Where GitLab's expression ends with Ruby's \z, we call re.fullmatch: `$` would match before the newline of "1.0\n",
# and Python has \z only since 3.14.
#
# A deliberate difference: with /i, Ruby also folds LATIN SMALL LETTER LONG S to "s" and KELVIN SIGN to "k", so GitLab
# accepts "1.0po\u017ft1". With re.ASCII we refuse both, as PEP 440 and `packaging` do; no client could install it.
_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_PATTERN = r"""
    v?
    (?:([0-9]+)!)?                                                 # epoch
    ([0-9]+(?:\.[0-9]+)*)                                          # release segment
    ([-_\.]?((a|b|c|rc|alpha|beta|pre|preview))[-_\.]?([0-9]+)?)?  # pre-release
    ((?:-([0-9]+))|(?:[-_\.]?(post|rev|r)[-_\.]?([0-9]+)?))?       # post release
    ([-_\.]?(dev)[-_\.]?([0-9]+)?)?                                # dev release
    (?:\+([a-z0-9]+(?:[-_\.][a-z0-9]+)*))?                         # local version
    """
_VERSION = re.compile(_PATTERN, _FLAGS)

# Matches the longest beginning of a text that is a version. It is the same language; the longer words come first,
# because the first alternative that matches wins.
_BEGINNING = re.compile(_PATTERN.replace("a|b|c|rc|alpha|beta|pre|preview", "alpha|a|beta|b|c|rc|preview|pre"), _FLAGS)


def is_valid_version(text: str) -> bool:
    r"""Return whether GitLab accepts this version.

    >>> is_valid_version("1.0rc1"), is_valid_version("1.0\n"), is_valid_version("latest")
    (True, False, False)
    """
    return _VERSION.fullmatch(text) is not None


def check_version(text: str) -> None:
    """Raise an error for a version that GitLab does not accept.

    >>> check_version("1.0_1")
    Traceback (most recent call last):
    pypi_registry.errors.InvalidVersion: '1.0_1' is not a valid version: unexpected '_1'

    :raises InvalidVersion: if the text is not a version; it is a :class:`ValueError`.
    """
    if not is_valid_version(text):
        beginning = _BEGINNING.match(text)
        raise InvalidVersion(text, beginning.end() if beginning else 0)
