"""The contract for who may do what.

An application answers yes or no. Which HTTP status a "no" becomes is decided in one table for all applications.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

from pypi_registry.model import Group, Namespace, PackageName, Project, Projects


class Ability(Enum):
    """What a principal may do to a subject, in GitLab's words."""

    READ_PROJECT = "read_project"
    """Learn that a project exists."""
    READ_GROUP = "read_group"
    """Learn that a group exists."""
    READ_PACKAGE = "read_package"
    """List and download the packages of a project; of a group: use its index, which shows its readable projects."""
    CREATE_PACKAGE = "create_package"
    """Publish to a project, or under a name in it."""
    YANK_PACKAGE = "yank_package"
    """Yank a package, and undo it. GitLab has no yanking; this ability is ours."""
    DESTROY_PACKAGE = "destroy_package"
    """Delete packages and files of a project, or under a name in it."""
    ADMIN_PACKAGE = "admin_package"
    """Archive, quarantine or deprecate a name in a project."""


class AuthScheme(StrEnum):
    """How a client sends its secret."""

    BASIC = "Basic"
    BEARER = "Bearer"
    PRIVATE_TOKEN = "PRIVATE-TOKEN"
    DEPLOY_TOKEN = "DEPLOY-TOKEN"
    JOB_TOKEN = "JOB-TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret that a client sent. The repr does not show it."""

    scheme: AuthScheme
    secret: str = field(repr=False)
    user: str = ""
    """The user name of Basic authentication; empty for the other schemes."""


Subject: TypeAlias = Project | Group | PackageName
"""The object of an ability: a project, a group, or a name in a project."""


class Principal(Protocol):
    """The caller of one request.

    A principal may also implement `ReadsMany`; without it, the registry calls `can` for each project of a group.
    """

    @property
    def name(self) -> str:
        """The user of a personal or job token, ``deploy token NAME``, or an empty string if the caller is anonymous.

        Web pages show this name as the publisher of a file. The catalogue, events and logs contain it, too.
        """

    @property
    def via(self) -> str:
        """The kind and the name of the token, such as ``personal token laptop``, for the audit log; may be empty."""

    @property
    def anonymous(self) -> bool:
        """Whether the caller is unknown; if so, credentials could give access."""

    def can(self, ability: Ability, subject: Subject) -> bool:
        """Return whether the principal has an ability; for a `PackageName`, whether the protection rules allow it.

        The result must not depend on whether the URL contains the id or the path of the project or group. A principal
        that has any ability in a project or group must also have `READ_PROJECT` or `READ_GROUP` there. Return False for
        an unknown ability because a later version may add abilities.
        """


@runtime_checkable
class ReadsMany(Protocol):
    """An optional part of a principal, for groups with many projects."""

    def readable(self, projects: Projects) -> Projects:
        """Return the projects whose packages the principal may read.

        If the principal may read all of them, return `projects` itself. Otherwise, return the same object on each call
        if possible.
        """


class Auth(Protocol):
    """Turns credentials into a principal.

    The registry calls an auth from any thread. The repr and the errors of an auth must not contain secrets.
    """

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        """Return the principal of the caller.

        The registry calls this method once per request, after it has found the project or group, so an application can
        load the user and their role in one query. If the body of an upload took longer than five seconds, the registry
        calls the method again, just before it publishes the file.

        `credentials` is None if the request has none. `namespace` is the project or group of the request. It is None
        for pages that belong to neither, and when ``serve`` checks the credentials before it receives a large body.
        `environ` is the WSGI environ, for applications with sessions: do not change it and do not read the body.
        Unknown Basic credentials and an unknown ``DEPLOY-TOKEN`` make the caller anonymous, as in GitLab.

        :raises InvalidToken: if the token is an expired or revoked personal token, a wrong job token, or an unknown
            ``PRIVATE-TOKEN`` or Bearer token. For these, GitLab returns 401 even if the project is public.
        :raises InsufficientScope: if the scopes of the token exclude this request, even if the role of the user allows
            it.
        """
