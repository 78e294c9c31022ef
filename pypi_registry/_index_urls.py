"""URLs of other simple indexes."""

import re
from urllib.parse import urlsplit

from packaging.utils import NormalizedName


def is_index_url(text: object) -> bool:
    """Return whether a text can be the URL of a simple index, to which clients may be redirected as it is.

    >>> is_index_url("https://mirror.example/simple"), is_index_url("mirror.example")
    (True, False)
    >>> is_index_url("https://mirror.example/?a=b")
    False
    """
    if not isinstance(text, str) or re.fullmatch(r"[!-~]+", text) is None:
        return False
    try:
        url = urlsplit(text)
        reachable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return reachable and not url.query and not url.fragment


def package_url(index: str, name: NormalizedName) -> str:
    """Return the URL of the page of a name in an index.

    >>> package_url("https://mirror.example/simple", "demo")
    'https://mirror.example/simple/demo/'
    """
    return f"{index.rstrip('/')}/{name}/"
