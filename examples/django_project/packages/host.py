"""What the registry asks the host: which projects and groups there are, and who may do what."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.wsgi import WSGIRequest

from pypi_registry import model
from pypi_registry.accounts import token_digest
from pypi_registry.auth import Ability, AuthScheme, Credentials, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidToken
from pypi_registry.model import PackageName, Visibility

from .models import Project, Token

READING = {Ability.READ_GROUP, Ability.READ_PROJECT, Ability.READ_PACKAGE}
WRITING = {  # Django's own permissions of a group, on the model of a package
    Ability.CREATE_PACKAGE: "add_package",
    Ability.YANK_PACKAGE: "change_package",
    Ability.DESTROY_PACKAGE: "delete_package",
}


class DjangoProjects:
    """The directory."""

    def project(self, ref: Ref) -> model.Project | None:
        projects = Project.objects.select_related("group")
        if isinstance(ref, int):
            row = projects.filter(id=ref).first()
        else:
            path, _, slug = ref.rpartition("/")
            row = projects.filter(group__name__iexact=path, slug__iexact=slug).first()
        return None if row is None else _project(row)

    def group(self, ref: Ref) -> model.Group | None:
        groups = Group.objects
        row = (groups.filter(id=ref) if isinstance(ref, int) else groups.filter(name__iexact=ref)).first()
        return None if row is None else model.Group(row.id, row.name)

    def projects_in(self, group: model.Group) -> Sequence[model.Project]:
        projects = Project.objects.select_related("group")
        inside = projects.filter(group__name__iexact=group.path)
        return [_project(row) for row in inside | projects.filter(group__name__istartswith=f"{group.path}/")]


def _project(row: Project) -> model.Project:
    return model.Project(row.id, str(row), visibility=Visibility.PUBLIC if row.public else Visibility.PRIVATE)


class DjangoUsers:
    """The auth: tokens for programs, Django's sessions for browsers."""

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> "Visitor":
        user = _signed_in(environ) if credentials is None else _holder(credentials)
        rights: dict[str, set[str]] = defaultdict(set)
        if user is not None:
            for path, permission in user.groups.values_list("name", "permissions__codename"):
                rights[path.lower()].add(permission or "")  # None: the group gives no permission, its members read
        return Visitor(rights, anonymous=user is None, has_token=credentials is not None)


def _holder(credentials: Credentials) -> User | None:
    token = Token.objects.select_related("user").filter(sha256=token_digest(credentials.secret)).first()
    if token is not None and token.user.is_active:
        return token.user
    if credentials.presented is not AuthScheme.BASIC:
        raise InvalidToken
    return None


def _signed_in(environ: Mapping[str, object]) -> User | None:
    request: Any = WSGIRequest({**environ})
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    return user if isinstance(user, User) else None


@dataclass(frozen=True)
class Visitor:
    """Somebody, for the length of one request; so what they may do is looked up at once."""

    rights: Mapping[str, Set[str]]
    """The name of a group, in lower case -> the permissions that it gives."""
    anonymous: bool
    has_token: bool

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            return ability in WRITING  # no name is kept for some of those who publish
        place = f"{subject.path.lower()}/"
        rights = [permissions for path, permissions in self.rights.items() if place.startswith(f"{path}/")]
        if ability in READING:
            return bool(rights) or subject.visibility is Visibility.PUBLIC
        # Browsers send a cookie with whatever a stranger's page makes them do: it reads, and never writes.
        needed = WRITING.get(ability)
        return needed is not None and self.has_token and any(needed in permissions for permissions in rights)

    def readable(self, group: model.Group) -> Sequence[model.Project]:
        return [each for each in DjangoProjects().projects_in(group) if self.can(Ability.READ_PACKAGE, each)]
