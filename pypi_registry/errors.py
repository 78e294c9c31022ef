"""What can go wrong, as one shallow tree::

    RegistryError
    ├── InvalidName             (a ValueError)
    ├── InvalidVersion          (a ValueError)
    ├── InvalidRequest          400, every fault of what a request carries
    │   └── InvalidUpload       400, of an upload
    │       └── FileTaken       400, the project has a file of that name
    ├── InvalidParameter        400, of a query
    ├── FileTooLarge            400, or 413 where the declared length alone tells
    ├── NotAuthenticated        401, who are you?
    ├── InvalidToken            401, a token that is known to be bad
    ├── Forbidden               403
    ├── UploadsRefused          403, the name is archived or quarantined
    ├── InsufficientScope       403, a token that may not do this at all
    ├── NotFound                404
    ├── NoSuchRoute             404, no endpoint has this address
    ├── MethodNotAllowed        405
    ├── NothingToRegister       410
    ├── LengthRequired          411
    ├── PreconditionFailed      412
    ├── StorageUnavailable      503
    └── StorageFull             507

An error carries facts as attributes and hands them to ``Exception`` unchanged, so that it can be pickled. ``str()``
makes GitLab's sentence of them, without the status; ``status`` is a hint that only `app` turns into HTTP. No error
holds a secret.
"""

from collections.abc import Sequence


class RegistryError(Exception):
    """The base of every error that this package raises on purpose."""

    status: int = 500
    """The HTTP status that fits."""


class InvalidName(RegistryError, ValueError):
    """Says that a text is not the name of a Python project."""

    status = 400

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{excerpt(self.name)} is not made of ASCII letters and digits, with '.', '-' and '_' between them"


class InvalidVersion(RegistryError, ValueError):
    """Says that a text is not a version, and from where on it is not."""

    status = 400

    def __init__(self, version: str, position: int) -> None:
        super().__init__(version, position)
        self.version = version
        self.position = position
        """How many characters the longest beginning has that is a version; 0 if none is."""

    def __str__(self) -> str:
        text = excerpt(self.version)
        if not self.version:
            return "the version is empty"
        if self.position == 0:
            return f"{text} does not begin like a version, which is 'v' or nothing and then a number"
        return f"{text} is not a version from {excerpt(self.version[self.position :])} on"


class InvalidRequest(RegistryError):
    """Names everything that is wrong with what a request carries; nothing of it was done."""

    status = 400

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(faults)
        self.faults: tuple[str, ...] = tuple(faults)
        """One sentence a fault, at least one."""

    def __str__(self) -> str:
        return f"Bad request - Validation failed: {', '.join(self.faults)}"


class InvalidUpload(InvalidRequest):
    """Names everything that is wrong with one upload; nothing of it was stored."""


class InvalidParameter(RegistryError):
    """Says that a parameter of an address or a query has a value that it cannot have."""

    status = 400

    def __init__(self, name: str, fault: str = "does not have a valid value") -> None:
        super().__init__(name, fault)
        self.name = name
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.name} {self.fault}"


class FileTaken(InvalidUpload):
    """Says that the project already holds a file of this name."""

    def __init__(self, filename: str) -> None:
        # GitLab's words, which uv and poetry look for, and PyPI's, which older twine, poetry and pdm look for.
        super().__init__([f"File name has already been taken ({filename} already exists)"])
        self.args = (filename,)
        self.filename = filename


class FileTooLarge(RegistryError):
    """Says that a file is as large as the limit, or larger."""

    def __init__(self, limit: int, status: int = 400) -> None:
        super().__init__(limit, status)
        self.limit = limit
        """Bytes; a file must be smaller."""
        self.status = status
        """413 where no byte had to be read to know it, else 400."""

    def __str__(self) -> str:
        phrase = "Bad request" if self.status == 400 else "Request Entity Too Large"
        return f"{phrase} - File is too large (it must be smaller than {self.limit} bytes)"


class NotAuthenticated(RegistryError):
    """Says that nobody was named, and that somebody must be."""

    status = 401

    def __str__(self) -> str:
        return "Unauthorized"


class InvalidToken(RegistryError):
    """Says that a token is known to be bad, which GitLab answers with 401 even where anyone may read."""

    status = 401

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        """``"expired"``, ``"revoked"``, or empty where GitLab says nothing more."""

    def __str__(self) -> str:
        return f"Unauthorized - Token {self.reason}" if self.reason else "Unauthorized"


class Forbidden(RegistryError):
    """Says that the principal is known, sees the subject, and may not do this."""

    status = 403

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Forbidden - {self.reason}" if self.reason else "Forbidden"


class UploadsRefused(RegistryError):
    """Says that a name takes no uploads in a project, because of its status."""

    status = 403

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        """``"archived"`` or ``"quarantined"``."""

    def __str__(self) -> str:
        return f"Forbidden - {self.name} is {self.reason} and takes no uploads"


class InsufficientScope(RegistryError):
    """Says that the token's scope excludes the request, whatever its user may do."""

    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope
        """The scope that would do."""

    def __str__(self) -> str:
        return f"Forbidden - the token lacks the scope {self.scope}"


class NotFound(RegistryError):
    """Says that a thing does not exist, or not for this principal."""

    status = 404

    def __init__(self, what: str = "") -> None:
        super().__init__(what)
        self.what = what
        """What was looked for: ``"Package"``; empty where GitLab does not say."""

    def __str__(self) -> str:
        return f"{self.what} Not Found".lstrip()


class NoSuchRoute(NotFound):
    """Says that no endpoint has this address."""


class MethodNotAllowed(RegistryError):
    """Says that the address exists, but not for this method."""

    status = 405

    def __init__(self, allowed: Sequence[str], advice: str = "") -> None:
        super().__init__(allowed, advice)
        self.allowed: tuple[str, ...] = tuple(allowed)
        self.advice = advice
        """Where to go instead; may be empty."""

    def __str__(self) -> str:
        return f"Not Allowed - {self.advice}" if self.advice else "Not Allowed"


class RegistrationNotSupported(RegistryError):
    """Says that names are not registered before files are uploaded, as old tools do, by ``:action=submit``."""

    status = 410

    def __str__(self) -> str:
        return "Gone - a name need not be registered, upload a file instead"


class PreconditionFailed(RegistryError):
    """Says that a thing has changed since the moment that the request named."""

    status = 412

    def __str__(self) -> str:
        return "Precondition Failed"


class LengthRequired(RegistryError):
    """Says that the body of a request has no end that could be known."""

    status = 411

    def __str__(self) -> str:
        return "Length Required - send a Content-Length"


class StorageUnavailable(RegistryError):
    """Says that a store cannot answer now; nothing was changed, and the same request may succeed later."""

    status = 503

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Service Unavailable - {self.reason}"


class StorageFull(RegistryError):
    """Says that a store has no room; nothing was changed."""

    status = 507

    def __str__(self) -> str:
        return "Insufficient Storage"


def excerpt(text: str, limit: int = 60) -> str:
    """Quote a text from outside for a message: escaped, and cut in the middle if it is longer than `limit`.

    >>> excerpt("1.0" + 100 * "x", limit=10)
    "'1.0xx…xxxxx'"
    """
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return repr(text)
