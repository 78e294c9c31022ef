"""Who may do what in a fake registry: anybody anything, until tokens are set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pypi_registry.auth import Ability, AllowAll, AuthScheme, Credentials, Principal, Subject
from pypi_registry.directory import Directory
from pypi_registry.errors import InvalidToken
from pypi_registry.model import Group, PackageName, Project

Right: TypeAlias = Literal["read", "write", "expired"]


class Tokens:
    """Secrets, each with what it may do: an `Auth`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.rights: Mapping[str, Right] | None = None
        """None lets anybody do anything."""

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        if self.rights is None:
            return AllowAll(self._directory).authenticate(credentials, environ)
        right = self.rights.get(credentials.secret) if credentials else None
        if right == "expired":
            raise InvalidToken("expired")
        if credentials and right is None and credentials.presented is not AuthScheme.BASIC:
            raise InvalidToken
        return _Holder(self._directory, right)


@dataclass(frozen=True, slots=True)
class _Holder:
    directory: Directory
    right: Right | None

    @property
    def anonymous(self) -> bool:
        return self.right is None

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName) or self.right == "write":
            return True
        return self.right == "read" and ability in (Ability.READ_PROJECT, Ability.READ_GROUP, Ability.READ_PACKAGE)

    def readable(self, group: Group) -> Sequence[Project]:
        return self.directory.projects_in(group) if self.right else []
