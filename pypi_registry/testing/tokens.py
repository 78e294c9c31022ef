"""Who may do what in a fake registry: everyone may do anything, until tokens are set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pypi_registry._open_access import AllowAll
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal, Subject
from pypi_registry.errors import InvalidToken
from pypi_registry.model import Namespace

Right: TypeAlias = Literal["read", "write", "expired"]

_READING = (Ability.READ_PROJECT, Ability.READ_GROUP, Ability.READ_PACKAGE)
_IGNORED_IF_UNKNOWN = (AuthScheme.BASIC, AuthScheme.DEPLOY_TOKEN)


class Tokens:
    """An `Auth` that knows secrets, and what each of them allows."""

    def __init__(self) -> None:
        self.rights: Mapping[str, Right] | None = None
        """By secret; None lets everyone do anything."""

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        if self.rights is None:
            return AllowAll().authenticate(credentials, namespace, environ)
        right = self.rights.get(credentials.secret) if credentials else None
        if right == "expired":
            raise InvalidToken("expired")
        if credentials and right is None and credentials.scheme not in _IGNORED_IF_UNKNOWN:
            raise InvalidToken
        return TokenPrincipal(credentials.user if credentials else "", right)


@dataclass(frozen=True, slots=True)
class TokenPrincipal:
    """The holder of a token; an anonymous caller if the right is None."""

    user: str
    """The user name of Basic authentication; empty for the other schemes."""
    right: Right | None

    @property
    def name(self) -> str:
        if self.anonymous:
            return ""
        return self.user or self.via

    @property
    def via(self) -> str:
        return f"{self.right} token" if self.right else ""

    @property
    def anonymous(self) -> bool:
        return self.right is None

    def can(self, ability: Ability, subject: Subject) -> bool:
        return self.right == "write" or (self.right == "read" and ability in _READING)
