"""What a Python project may be called, and when two spellings are one name."""

import re

from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.errors import InvalidName

# PEP 508: ^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$ with re.IGNORECASE. Without re.ASCII the long s and the Kelvin sign
# would pass, and `$` would let a final newline through.
_NAME = "[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]"


def normalize(text: str) -> NormalizedName:
    """Give the one spelling by which a name is looked up (PEP 503).

    >>> normalize("My..Pkg__demo")
    'my-pkg-demo'

    :raises InvalidName: if the text is not a name by PEP 508.
    """
    if re.fullmatch(_NAME, text, re.IGNORECASE | re.ASCII) is None:
        raise InvalidName(text)
    return canonicalize_name(text)
