"""Where clients are redirected for names that are not in this registry: to another index, or nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from packaging.utils import NormalizedName

from pypi_registry.model import Namespace

PYPI = "https://pypi.org/simple/"
"""The simple index of PyPI."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A simple index, and whether it also serves names that were published here."""

    url: str
    even_if_published: bool = False
    """Whether a name is forwarded even if it was once published here.

    If False, a name that was ever published under a root group is never forwarded from there again, because the other
    index may have a stranger's package with this name (dependency confusion).
    """


ForwardTo: TypeAlias = str | Callable[[Namespace, NormalizedName], str | Forward | None] | None
"""The URL of a simple index, None (which forwards nothing), or a function that decides per namespace and name."""
