"""The errors of this package, as one shallow tree::

    RegistryError
    ├── InvalidName           (a ValueError) not the name of a Python project
    ├── InvalidVersion        (a ValueError) not a valid version in GitLab
    ├── InvalidRequest        names every problem of a request
    │   └── InvalidUpload     names every problem of an upload
    │       ├── FileTaken     the project has a file with this name, or a spelling of it
    │       └── VariantConflict  a wheel variant contradicts another one of its version
    ├── FileTooLarge          the file has as many bytes as the limit, or more
    ├── UploadsRefused        the project status of the name is archived or quarantined
    ├── InvalidToken          the token is expired, revoked or wrong
    ├── InsufficientScope     the scopes of the token exclude the request
    ├── Forbidden             the principal may not do this
    ├── NotFound              it does not exist, or the principal must not know that it exists
    ├── OutcomeUnknown        a store does not know whether the change was committed
    ├── StorageUnavailable    a store cannot answer now
    └── StorageFull           a store is full

Each error has facts as attributes and passes them to ``Exception`` unchanged, so that it can be pickled. ``str()``
returns a plain sentence. The HTTP status and GitLab's wording are added where errors become responses. No error
contains a secret.
"""

from collections.abc import Sequence

from pypi_registry._excerpt import excerpt


class RegistryError(Exception):
    """The base of every error that this package raises on purpose."""


class InvalidName(RegistryError, ValueError):
    """The text is not the name of a Python project."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{excerpt(self.name)} must consist of ASCII letters and digits, with '.', '-' and '_' only between them"


class InvalidVersion(RegistryError, ValueError):
    """The text is not a valid version in GitLab."""

    def __init__(self, version: str, position: int) -> None:
        super().__init__(version, position)
        self.version = version
        self.position = position
        """The length of the longest valid version at the beginning of the text; 0 if there is none."""

    def __str__(self) -> str:
        text = excerpt(self.version)
        if not self.version:
            return "the version is empty"
        if self.position == 0:
            return f"{text} is not a valid version: it must begin with a number, or with 'v' and a number"
        return f"{text} is not a valid version: unexpected {excerpt(self.version[self.position :])}"


class InvalidRequest(RegistryError):
    """Names every problem of a request. Nothing was changed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems: tuple[str, ...] = tuple(problems)
        """One sentence per problem, at least one."""

    def __str__(self) -> str:
        return ", ".join(self.problems)


class InvalidUpload(InvalidRequest):
    """Names every problem of one upload. Nothing was stored."""


class FileTaken(InvalidUpload):
    """The project already has a file with this name, or with another spelling of it."""

    def __init__(self, filename: str, existing: str = "") -> None:
        # GitLab's words, which uv and poetry look for, and PyPI's, which older twine, poetry and pdm look for.
        spelled = f" as {existing}" if existing not in ("", filename) else ""
        super().__init__([f"File name has already been taken ({filename} already exists{spelled})"])
        self.args = (filename, existing)
        self.filename = filename
        """The name of the refused file."""
        self.existing = existing
        """The name of the file in the project; empty if it is not known."""


class VariantConflict(InvalidUpload):
    """A wheel variant contradicts other wheels of its version (PEP 825), so no index could describe all of them."""

    def __init__(self, filename: str, conflicts: Sequence[str]) -> None:
        super().__init__([f"{filename} contradicts other wheels: {conflict}" for conflict in conflicts])
        self.args = (filename, conflicts)
        self.filename = filename
        """The name of the refused file."""
        self.conflicts: tuple[str, ...] = tuple(conflicts)
        """One sentence per contradiction, at least one."""


class FileTooLarge(RegistryError):
    """The file has as many bytes as the limit, or more."""

    def __init__(self, limit: int, *, declared: bool = False) -> None:
        super().__init__(limit, declared)
        self.limit = limit
        """Bytes; a file must be smaller."""
        self.declared = declared
        """Whether the declared length of the body was too large, so that no byte of the body was read."""

    def __reduce__(self) -> tuple[object, ...]:
        return _file_too_large, (self.limit, self.declared)

    def __str__(self) -> str:
        return f"File is too large (it must be smaller than {self.limit} bytes)"


def _file_too_large(limit: int, declared: bool) -> FileTooLarge:
    return FileTooLarge(limit, declared=declared)


class UploadsRefused(RegistryError):
    """A name accepts no uploads in a project, because of its project status (PEP 792)."""

    def __init__(self, name: str, status: str) -> None:
        super().__init__(name, status)
        self.name = name
        self.status = status
        """``"archived"`` or ``"quarantined"``."""

    def __str__(self) -> str:
        return f"{self.name} is {self.status} and accepts no uploads"


class InvalidToken(RegistryError):
    """The token is expired, revoked or wrong; in this case GitLab returns 401, even for a public project."""

    def __init__(self, reason: str = "", principal: str = "", via: str = "") -> None:
        super().__init__(reason, principal, via)
        self.reason = reason
        """``"expired"``, ``"revoked"``, or empty where GitLab names no reason."""
        self.principal = principal
        """The name of the principal to whom the token belongs, for logs only; may be empty, as for an unknown token."""
        self.via = via
        """The kind and the name of the token, for logs only; may be empty."""

    def __str__(self) -> str:
        return f"the token is {self.reason or 'invalid'}"


class InsufficientScope(RegistryError):
    """The scopes of the token exclude the request, even if the user of the token may send it."""

    def __init__(self, scope: str, principal: str = "", via: str = "") -> None:
        super().__init__(scope, principal, via)
        self.scope = scope
        """The scope that the request needs."""
        self.principal = principal
        """The name of the principal to whom the token belongs, for logs only; may be empty."""
        self.via = via
        """The kind and the name of the token, for logs only; may be empty."""

    def __str__(self) -> str:
        return f"the token lacks the scope {self.scope}"


class Forbidden(RegistryError):
    """The principal may know that the subject exists, but may not do this."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason or "this is not allowed"


class NotFound(RegistryError):
    """The thing does not exist, or the principal must not know that it exists."""

    def __init__(self, what: str = "") -> None:
        super().__init__(what)
        self.what = what
        """What does not exist, ``"Package"``; empty where GitLab does not name it."""

    def __str__(self) -> str:
        return f"{self.what or 'this'} does not exist"


class StorageUnavailable(RegistryError):
    """A store cannot answer now. Nothing was changed, and the same request may succeed later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class OutcomeUnknown(RegistryError):
    """A store does not know whether the change was committed, or whether it will last."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class StorageFull(RegistryError):
    """A store is full. Nothing was changed."""

    def __str__(self) -> str:
        return "the storage is full"
