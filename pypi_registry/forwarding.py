"""Where a name goes that is not here: to another index, or nowhere."""

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from pypi_registry.model import Group, Project

PYPI = "https://pypi.org/simple/"
"""The simple index of the public PyPI."""

ForwardTo: TypeAlias = str | Callable[[Project | Group, NormalizedName], str | None] | None
"""A simple index's URL; None for nowhere; or who decides it for a project or group and a name."""


class Forward(str):
    """A simple index's URL for a name that goes there although somebody once published it here.

    Without it, a name that was ever published under a root group is never forwarded from there again, since what
    answers it elsewhere may be a stranger's package (dependency confusion).
    """

    __slots__ = ()


def is_index(text: object) -> bool:
    """Tell whether this could be the address of a simple index, to which clients may be sent as it is.

    >>> is_index("https://mirror.example/simple"), is_index("mirror.example"), is_index("https://mirror.example/?a=b")
    (True, False, False)
    """
    if not isinstance(text, str) or re.fullmatch(r"[!-~]+", text) is None:
        return False
    try:
        url = urlsplit(text)
        reachable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return reachable and not url.query and not url.fragment


def forward_url(index: str, name: NormalizedName) -> str:
    """Give the address of a name's page in another index.

    >>> forward_url("https://mirror.example/simple", "demo")
    'https://mirror.example/simple/demo/'
    """
    return f"{index.rstrip('/')}/{name}/"
