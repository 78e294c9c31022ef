"""Notes: what the registry notes about a request in its environ, for metrics and logs around it. Never a secret.

A middleware puts a dictionary into the environ before it calls the registry, and reads it when the response has begun.
Without a middleware the notes are lost. Several middlewares share one dictionary.
"""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NOTES = "pypi_registry.notes"
"""The key of the environ."""

FULL, UNAVAILABLE, UNKNOWN = "full", "unavailable", "unknown_outcome"
"""The kinds of failure of a store."""


class Notes(TypedDict, total=False):
    """What is noted about a request: each key only if there is something to note.

    The texts are as long as clients choose, except `route` and `storage_error`.
    """

    route: str
    """The path in the table of routes, ``/projects/:project/packages/pypi``; missing if no route matches."""
    is_routine: bool
    """Whether the request comes every few seconds and its response is always the same, so that no log needs it."""
    received: int
    """Bytes of the body that were read."""
    was_cached: bool
    """Of a simple page: whether it was in the cache."""
    is_forwarded: bool
    """Whether the response is a redirect to the upstream index."""
    storage_error: str
    """How a store failed: `FULL`, `UNAVAILABLE` or `UNKNOWN`."""

    principal: str
    """The name of the principal; of a token that was refused, if it is known."""
    token: str
    """The `via` of the principal; of a token that was refused, if it is known."""
    refused_token: str
    """Why the token of the request was not accepted."""
    project: str
    """The full path of the project or group."""
    project_id: int
    """The id of the project; missing if it is a group."""
    filename: str
    """Of an upload, as the next three."""
    package: str
    version: str
    sha256: str
    reason: str
    """Why the request was refused: for logs only, as it may name what the client must not learn."""


def take_notes(environ: "WSGIEnvironment") -> Notes:
    """Let the registry note what it does with a request, and return the notes: they are complete after the response."""
    notes: Notes = environ.setdefault(NOTES, Notes())
    return notes


def notes_of(environ: "WSGIEnvironment") -> Notes:
    """Return the dictionary for the notes of a request; a new one, which nobody reads, if no middleware takes notes."""
    notes: Notes | None = environ.get(NOTES)
    return Notes() if notes is None else notes
