"""Errors that only an HTTP request can cause."""

from collections.abc import Sequence

from pypi_registry.errors import NotFound, RegistryError


class NotAuthenticated(RegistryError):
    """The request has no valid credentials, and needs them."""

    def __str__(self) -> str:
        return "authentication is required"


class InvalidParameter(RegistryError):
    """A parameter of the path or of the query has a value that is not allowed."""

    def __init__(self, name: str, problem: str = "does not have a valid value") -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


class NoSuchRoute(NotFound):
    """No endpoint has this path."""


class MethodNotAllowed(RegistryError):
    """The path exists, but not for this method."""

    def __init__(self, allowed: Sequence[str], advice: str = "") -> None:
        super().__init__(allowed, advice)
        self.allowed: tuple[str, ...] = tuple(allowed)
        self.advice = advice
        """What the client should do instead; may be empty."""

    def __str__(self) -> str:
        return self.advice or f"only {', '.join(self.allowed)} is allowed"


class LengthRequired(RegistryError):
    """The end of the request body cannot be determined."""

    def __str__(self) -> str:
        return "send a Content-Length"


class PreconditionFailed(RegistryError):
    """The resource has changed since the time that the request names."""

    def __str__(self) -> str:
        return "the resource has changed"
