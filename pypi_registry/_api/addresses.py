"""What an address says: below the mount point, whatever the server has made of it."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from packaging.utils import NormalizedName

from pypi_registry._names import normalize
from pypi_registry._publishing.publish import MAX_LENGTH
from pypi_registry.directory import Ref, parse_ref
from pypi_registry.errors import InvalidName


class Address(NamedTuple):
    """The path of a request, read once and then remembered: it says the same to everybody."""

    path: str
    """Decoded, with exactly one slash at the beginning."""
    parts: Mapping[str, str]
    """What stands for the named parts of its route."""
    is_group: bool
    """Whether it is of a group, and not of a project."""
    ref: Ref | None
    """Of its project or group; None is the id of nothing."""
    name: NormalizedName | None
    """Of a package; None if it has none, or what is none."""
    slash: bool
    """Whether it ends in a slash, on which the links of a page depend."""

    @classmethod
    def read(cls, path: str, parts: Mapping[str, str]) -> Self:
        """Read a path, given what stands for its parts."""
        is_group = "group" in parts
        ref = parse_ref(parts["group" if is_group else "project"])
        return cls(path, parts, is_group, ref, _name(parts.get("name", "")), path.endswith("/"))


def _name(text: str) -> NormalizedName | None:
    try:
        return normalize(text) if len(text) <= MAX_LENGTH else None
    except InvalidName:
        return None


def read_path(path_info: str) -> str:
    r"""Read a ``PATH_INFO``, decoded as UTF-8, with exactly one slash at the beginning.

    WSGI hands on bytes as latin-1. Some servers leave the scheme and the host of an absolute-form target in it.

    >>> read_path("http://registry.example/caf\xc3\xa9")
    '/café'
    """
    text = path_info
    if text.startswith(("http://", "https://")):
        text = text.partition("//")[2].partition("/")[2]
    if not text.isascii():
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    return "/" + text.lstrip("/")
