"""What a log may show of a request: who the caller is, what is uploaded, why it is refused. Never a secret.

A middleware around the registry puts an empty dictionary into the environ before it calls the registry, and reads it
when the response has begun. Without the dictionary nothing is noted.
"""

from collections.abc import Iterable, Iterator, Mapping

from pypi_registry._http.multipart import Part
from pypi_registry.auth import Credentials, Principal
from pypi_registry.errors import InsufficientScope, InvalidToken

LOG_FIELDS = "pypi_registry.log_fields"
"""The key of the environ. The values are texts, and as long as clients choose:

- ``principal`` and ``token``: the name and the `via` of the principal; of a token that was refused, if they are known
- ``refused_token``: why the token of the request was not accepted
- ``project``: the full path
- ``filename``, ``package``, ``version``, ``sha256``: of an upload
- ``reason``: why the request was refused
"""


_NOT_ACCEPTED = "the token is unknown, expired or revoked"


def note(environ: Mapping[str, object], **fields: str) -> None:
    """Note fields, if a log wants them."""
    noted = environ.get(LOG_FIELDS)
    if isinstance(noted, dict):
        noted.update(fields)


def note_caller(environ: Mapping[str, object], principal: Principal, credentials: Credentials | None) -> None:
    """Note the caller; also that credentials were sent and not accepted, where this makes a caller anonymous."""
    if LOG_FIELDS not in environ:
        return
    note(environ, principal=principal.name, token=principal.via)
    if principal.anonymous and credentials is not None and credentials.secret:
        note(environ, refused_token=_NOT_ACCEPTED)


def note_refused_token(environ: Mapping[str, object], error: InvalidToken | InsufficientScope) -> None:
    """Note the token with which the auth refuses a request."""
    note(environ, principal=error.principal, token=error.via)
    if isinstance(error, InvalidToken):
        known = error.reason in ("expired", "revoked")
        note(environ, refused_token=str(error) if known else _NOT_ACCEPTED)


def noting_the_file(environ: Mapping[str, object], parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts of an upload, and note the name of its file before the file is read."""
    for part in parts:
        if part.name == "content" and part.filename:
            note(environ, filename=part.filename)
        yield part
