"""What the registry asks the application: which projects and groups exist, and who may do what."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, sessionmaker

from pypi_registry.accounts import token_digest
from pypi_registry.auth import Ability, AuthScheme, Credentials, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidToken
from pypi_registry.model import Group, Namespace, PackageName, Project, Projects, Visibility

from . import models

READING = {Ability.READ_GROUP, Ability.READ_PROJECT, Ability.READ_PACKAGE}
WRITING = {Ability.CREATE_PACKAGE, Ability.YANK_PACKAGE, Ability.DESTROY_PACKAGE}


@dataclass(frozen=True)
class OurProjects:
    """The `Directory`."""

    sessions: sessionmaker[Session]

    def project(self, ref: Ref) -> Project | None:
        with self.sessions() as session:
            row = session.scalar(select(models.Project).where(_refers_to(models.Project, ref)))
            return None if row is None else _project(row)

    def group(self, ref: Ref) -> Group | None:
        with self.sessions() as session:
            row = session.scalar(select(models.Group).where(_refers_to(models.Group, ref)))
            return None if row is None else Group(row.id, row.path)

    def projects_in(self, group: Group) -> Projects:
        below = models.Project.path.istartswith(f"{group.path}/", autoescape=True)
        with self.sessions() as session:
            return Projects(_project(row) for row in session.scalars(select(models.Project).where(below)))


def _refers_to(table: type[models.Project | models.Group], ref: Ref) -> ColumnElement[bool]:
    return table.id == ref if isinstance(ref, int) else table.path == ref


def _project(row: models.Project) -> Project:
    return Project(row.id, row.path, visibility=Visibility.PUBLIC if row.public else Visibility.PRIVATE)


@dataclass(frozen=True)
class OurUsers:
    """The `Auth`: programs send tokens, browsers send the session of the application's pages."""

    app: Flask
    sessions: sessionmaker[Session]

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> "Caller":
        with self.sessions() as session:
            if credentials is None:
                user = session.get(models.User, self._signed_in(environ))
            else:
                token = session.get(models.Token, token_digest(credentials.secret))
                user = session.get(models.User, token.user_id) if token else None
                if user is None and credentials.scheme is not AuthScheme.BASIC:
                    raise InvalidToken
            if user is None:
                return Caller()
            publishes = {membership.group.path.lower(): membership.publishes for membership in user.memberships}
            return Caller(user.name, "session" if credentials is None else "personal token", publishes)

    def _signed_in(self, environ: Mapping[str, object]) -> int:
        session = self.app.session_interface.open_session(self.app, self.app.request_class({**environ}))
        return session.get("user", 0) if session else 0


@dataclass(frozen=True)
class Caller:
    """The `Principal`; everything that determines its abilities was loaded before."""

    name: str = ""
    via: str = ""
    publishes: Mapping[str, bool] | None = None
    """The path of each group of which the user is a member, in lower case -> whether they publish there."""

    @property
    def anonymous(self) -> bool:
        return not self.name

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            return ability in WRITING  # there are no protection rules
        path = f"{subject.path.lower()}/"
        memberships = [publishes for group, publishes in (self.publishes or {}).items() if path.startswith(f"{group}/")]
        if ability in READING:
            return bool(memberships) or subject.visibility is Visibility.PUBLIC
        # A page of another site can make a browser send a request with the cookie, so a session only reads.
        return ability in WRITING and self.via != "session" and any(memberships)
