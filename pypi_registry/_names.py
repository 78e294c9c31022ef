"""Which names a Python project may have, and when two spellings are one name."""

import re
from functools import lru_cache

from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.errors import InvalidName

MAX_LENGTH = 255
"""Characters that a name, a version and ``Requires-Python`` may have, as in GitLab's tables."""

# PEP 508: "^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$", with re.IGNORECASE.
#
# re.fullmatch, because `$` also matches before a final newline; re.ASCII, because re.IGNORECASE alone lets the long s
# (U+017F) match "S" and the Kelvin sign (U+212A) match "K". packaging.utils.canonicalize_name(validate=True) rejects
# all three only since version 26.3. Older versions, down to the 23.2 that we support, accept them.
_NAME = re.compile("[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)


def normalize(text: str) -> NormalizedName:
    """Return the one spelling by which a name is compared (PEP 503, "Normalized Names").

    >>> normalize("My..Pkg__demo")
    'my-pkg-demo'

    :raises InvalidName: if the text is not a name by PEP 508.
    """
    if _NAME.fullmatch(text) is None:
        raise InvalidName(text)
    return _canonical_name(text) if len(text) <= MAX_LENGTH else canonicalize_name(text)


@lru_cache(maxsize=64)  # each upload normalizes its name several times
def _canonical_name(text: str) -> NormalizedName:
    return canonicalize_name(text)
