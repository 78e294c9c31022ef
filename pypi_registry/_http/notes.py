"""What is noted about a request in its environ, for the middleware around the registry: metrics and the access log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NOTES = "pypi_registry.notes"
_ROUTINE = "pypi_registry.routine"


@dataclass(slots=True)
class Notes:
    """What the registry notes about a request."""

    route: str = ""
    """The path in the table of routes, ``/projects/:project/packages/pypi``; empty if no route matches."""
    received: int = 0
    """Bytes of the body that were read."""
    was_cached: bool | None = None
    """Whether the simple page was in the cache; None if the response is no simple page."""
    is_forwarded: bool = False
    """Whether the response is a redirect to the upstream index."""
    storage_error: str = ""
    """What a store could not do: `FULL`, `UNAVAILABLE` or `UNKNOWN`; empty if both have answered."""


FULL, UNAVAILABLE, UNKNOWN = "full", "unavailable", "unknown_outcome"


def take_notes(environ: "WSGIEnvironment") -> Notes:
    """Let the registry note what it does with a request, and return the notes: they are complete after the response."""
    notes: Notes = environ.setdefault(_NOTES, Notes())
    return notes


def notes_of(environ: "WSGIEnvironment") -> Notes | None:
    """Return where to note something about a request; None if nobody asked for notes."""
    return environ.get(_NOTES)


def mark_as_routine(environ: "WSGIEnvironment") -> None:
    """Leave a request out of the access log: it comes every few seconds, and its response is always the same."""
    environ[_ROUTINE] = True


def is_routine(environ: "WSGIEnvironment") -> bool:
    """Return whether a request is to be left out of the access log."""
    return _ROUTINE in environ
