"""The result of a verification: the core metadata of a file, and the problems that were found in the file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pypi_registry._excerpt import excerpt

_MAX_LISTED = 3
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The fields of the core metadata that an index uses."""

    data: bytes
    """The whole ``METADATA`` or ``PKG-INFO``, as in the file."""
    metadata_version: str
    """``Metadata-Version``, such as ``2.4``."""
    name: str
    """As in the file."""
    version: str
    """As in the file, without white space around it."""
    requires_python: str
    """A version specifier; empty if the file has none."""
    dynamic: frozenset[str]
    """The names of the ``Dynamic`` fields, in lower case: a wheel built from this sdist may change them (PEP 643)."""
    requires_dist: tuple[str, ...] = ()
    """The ``Requires-Dist`` fields, as in the file, each on one line; of equal ones at most two."""


@dataclass(frozen=True, slots=True)
class Report:
    """The metadata of a wheel or an sdist, and the problems of the file."""

    metadata: CoreMetadata | None = None
    """None if the file has no core metadata, or core metadata that cannot be parsed."""
    problems: tuple[str, ...] = ()
    """One sentence per problem; empty for a valid file."""
    variant: str | None = None
    """The variant metadata of a wheel variant (PEP 825), as canonical JSON; None if there is none, or it is invalid."""


class InvalidArchive(Exception):
    """A file cannot be read further; ``str()`` is the problem. It never leaves `pypi_registry.distributions`."""


def listed(paths: Sequence[str]) -> str:
    """Return the first of several paths as text.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more")
    """
    more = f" and {len(paths) - _MAX_LISTED} more" if len(paths) > _MAX_LISTED else ""
    return ", ".join(excerpt(path) for path in paths[:_MAX_LISTED]) + more


def truncated(problems: Iterable[str]) -> tuple[str, ...]:
    """Return each problem once, and only the first of very many.

    >>> truncated(["a", "b", "a"])
    ('a', 'b')
    """
    found = [*dict.fromkeys(problems)]
    if len(found) <= _MAX_PROBLEMS:
        return tuple(found)
    return (*found[:_MAX_PROBLEMS], f"and {len(found) - _MAX_PROBLEMS} more problems")
