"""Where a name goes that is not here: to another index, or nowhere."""

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import quote

from packaging.utils import NormalizedName

from pypi_registry.model import Group, Project

PYPI = "https://pypi.org/simple/"
"""The simple index of the public PyPI."""

ForwardTo: TypeAlias = str | Callable[[Project | Group, NormalizedName], str | None] | None
"""A simple index's URL; None for nowhere; or who decides it for a project or group and a name."""


class Released(str):
    """A simple index's URL for a name that goes there although somebody once published it here.

    Without it, a name that was ever published under a root group is never forwarded from there again, since what
    answers it elsewhere may be a stranger's package (dependency confusion).
    """

    __slots__ = ()


def forward_url(index: str, name: NormalizedName) -> str:
    """Give the address of a name's page in another index.

    >>> forward_url("https://mirror.example/simple", "demo")
    'https://mirror.example/simple/demo/'
    """
    return f"{index.rstrip('/')}/{quote(name)}/"
