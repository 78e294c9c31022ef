"""How faults of a file are put, and how many."""

from collections.abc import Iterable, Sequence

from pypi_registry.errors import excerpt

_SHOWN = 3
_MAX_FAULTS = 20


class Unreadable(Exception):
    """Says why reading a file cannot go on; never leaves `pypi_registry.distributions`."""


def some(paths: Sequence[str]) -> str:
    """Name the first of several paths.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more")
    """
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(excerpt(path) for path in paths[:_SHOWN]) + more


def bounded(faults: Iterable[str]) -> tuple[str, ...]:
    """Give each fault once, and of very many only the first.

    >>> bounded(["a", "b", "a"])
    ('a', 'b')
    """
    found = [*dict.fromkeys(faults)]
    if len(found) <= _MAX_FAULTS:
        return tuple(found)
    return (*found[:_MAX_FAULTS], f"and {len(found) - _MAX_FAULTS} faults more")
