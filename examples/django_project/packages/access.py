"""What the registry asks the application: which projects and groups exist, and who may do what."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
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
from pypi_registry.model import Namespace, PackageName, Projects, Visibility

from .models import Project, Token

READING = {Ability.READ_GROUP, Ability.READ_PROJECT, Ability.READ_PACKAGE}
WRITING = {  # Django's own permissions of a group, on the model of a package
    Ability.CREATE_PACKAGE: "add_package",
    Ability.YANK_PACKAGE: "change_package",
    Ability.DESTROY_PACKAGE: "delete_package",
}


class DjangoProjects:
    """The `Directory`."""

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

    def projects_in(self, group: model.Group) -> Projects:
        projects = Project.objects.select_related("group")
        inside = projects.filter(group__name__iexact=group.path)
        return Projects(_project(row) for row in inside | projects.filter(group__name__istartswith=f"{group.path}/"))


def _project(row: Project) -> model.Project:
    return model.Project(row.id, str(row), visibility=Visibility.PUBLIC if row.public else Visibility.PRIVATE)


class DjangoUsers:
    """The `Auth`: programs send tokens, browsers send Django's session."""

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> "Caller":
        user = _signed_in(environ) if credentials is None else _owner(credentials)
        if user is None:
            return Caller()
        permissions: dict[str, set[str]] = defaultdict(set)
        for path, permission in user.groups.values_list("name", "permissions__codename"):
            permissions[path.lower()].add(permission or "")  # None if the group has no permission: its members read
        return Caller(user.username, "session" if credentials is None else "personal token", permissions)


def _owner(credentials: Credentials) -> User | None:
    token = Token.objects.select_related("user").filter(sha256=token_digest(credentials.secret)).first()
    if token is not None and token.user.is_active:
        return token.user
    if credentials.scheme is not AuthScheme.BASIC:
        raise InvalidToken
    return None


def _signed_in(environ: Mapping[str, object]) -> User | None:
    request: Any = WSGIRequest({**environ})
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    return user if isinstance(user, User) else None


@dataclass(frozen=True)
class Caller:
    """The `Principal`; everything that determines its abilities was loaded before."""

    name: str = ""
    via: str = ""
    permissions: Mapping[str, Set[str]] = field(default_factory=dict)
    """The name of each group of which the user is a member, in lower case -> the permissions of the group."""

    @property
    def anonymous(self) -> bool:
        return not self.name

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            return ability in WRITING  # there are no protection rules
        path = f"{subject.path.lower()}/"
        found = [permissions for group, permissions in self.permissions.items() if path.startswith(f"{group}/")]
        if ability in READING:
            return bool(found) or subject.visibility is Visibility.PUBLIC
        # A page of another site can make a browser send a request with the cookie, so a session only reads.
        needed = WRITING.get(ability)
        return needed is not None and self.via != "session" and any(needed in permissions for permissions in found)
