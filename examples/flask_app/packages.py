"""What the registry asks the host: which projects and groups there are, and who may do what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, sessionmaker

from pypi_registry.accounts import token_digest
from pypi_registry.auth import Ability, AuthScheme, Credentials, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidToken
from pypi_registry.model import Group, PackageName, Project, Visibility

from . import models

READING = {Ability.READ_GROUP, Ability.READ_PROJECT, Ability.READ_PACKAGE}
WRITING = {Ability.CREATE_PACKAGE, Ability.YANK_PACKAGE, Ability.DESTROY_PACKAGE}


@dataclass(frozen=True)
class OurProjects:
    """The directory."""

    sessions: sessionmaker[Session]

    def project(self, ref: Ref) -> Project | None:
        with self.sessions() as session:
            row = session.scalar(select(models.Project).where(_named(models.Project, ref)))
            return None if row is None else _project(row)

    def group(self, ref: Ref) -> Group | None:
        with self.sessions() as session:
            row = session.scalar(select(models.Group).where(_named(models.Group, ref)))
            return None if row is None else Group(row.id, row.path)

    def projects_in(self, group: Group) -> Sequence[Project]:
        below = models.Project.path.istartswith(f"{group.path}/", autoescape=True)
        with self.sessions() as session:
            return [_project(row) for row in session.scalars(select(models.Project).where(below))]


def _named(table: type[models.Project | models.Group], ref: Ref) -> ColumnElement[bool]:
    return table.id == ref if isinstance(ref, int) else table.path == ref


def _project(row: models.Project) -> Project:
    return Project(row.id, row.path, visibility=Visibility.PUBLIC if row.public else Visibility.PRIVATE)


@dataclass(frozen=True)
class OurUsers:
    """The auth: tokens for programs, the session of the host's own pages for browsers."""

    app: Flask
    projects: OurProjects

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> "Visitor":
        with self.projects.sessions() as session:
            if credentials is None:
                user = session.get(models.User, self._signed_in(environ))
            else:
                token = session.get(models.Token, token_digest(credentials.secret))
                user = session.get(models.User, token.user_id) if token else None
                if user is None and credentials.presented is not AuthScheme.BASIC:
                    raise InvalidToken
            rights = {each.group.path.lower(): each.publishes for each in user.memberships} if user else {}
        return Visitor(self.projects, rights, anonymous=user is None, has_token=credentials is not None)

    def _signed_in(self, environ: Mapping[str, object]) -> int:
        session = self.app.session_interface.open_session(self.app, self.app.request_class({**environ}))
        return session.get("user", 0) if session else 0


@dataclass(frozen=True)
class Visitor:
    """Somebody, for the length of one request; so what they may do is looked up at once."""

    projects: OurProjects
    rights: Mapping[str, bool]
    """The path of a group, in lower case -> whether they publish there."""
    anonymous: bool
    has_token: bool

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            return ability in WRITING  # no name is kept for some of those who publish
        place = f"{subject.path.lower()}/"
        rights = [publishes for path, publishes in self.rights.items() if place.startswith(f"{path}/")]
        if ability in READING:
            return bool(rights) or subject.visibility is Visibility.PUBLIC
        # Browsers send a cookie with whatever a stranger's page makes them do: it reads, and never writes.
        return ability in WRITING and self.has_token and any(rights)

    def readable(self, group: Group) -> Sequence[Project]:
        return [project for project in self.projects.projects_in(group) if self.can(Ability.READ_PACKAGE, project)]
