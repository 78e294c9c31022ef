"""The contract for who may do what, and the table that turns a "no" into GitLab's 401, 403 or 404.

A host answers questions; which status a refusal becomes is decided here, for all hosts alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import NamedTuple, Protocol, Self, TypeAlias

from pypi_registry.directory import Directory
from pypi_registry.errors import Forbidden, NotAuthenticated, NotFound, RegistryError
from pypi_registry.model import Group, PackageName, Project


class Ability(Enum):
    """What a principal may do to a subject, in GitLab's words."""

    READ_PROJECT = "read_project"
    """Know that a project exists."""
    READ_GROUP = "read_group"
    """Know that a group exists."""
    READ_PACKAGE = "read_package"
    """List and download the packages of a project, or those of a group that the principal may read."""
    CREATE_PACKAGE = "create_package"
    """Publish to a project, or under a name of it."""
    YANK_PACKAGE = "yank_package"
    """Yank a package, and take that back. Ours, as GitLab knows no yanking."""
    DESTROY_PACKAGE = "destroy_package"
    """Delete packages and files of a project, or under a name of it."""
    ADMIN_PACKAGE = "admin_package"
    """Archive, quarantine or deprecate a name of a project."""


class AuthScheme(StrEnum):
    """How a client showed its secret."""

    BASIC = "Basic"
    BEARER = "Bearer"
    PRIVATE_TOKEN = "PRIVATE-TOKEN"
    DEPLOY_TOKEN = "DEPLOY-TOKEN"
    JOB_TOKEN = "JOB-TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret as a client showed it; its repr does not."""

    presented: AuthScheme
    secret: str = field(repr=False)
    user: str = ""
    """The user name of Basic authentication; empty for the other forms."""


Subject: TypeAlias = Project | Group | PackageName


class Principal(Protocol):
    """Somebody, for the length of one request."""

    @property
    def anonymous(self) -> bool:
        """Whether nobody is known to be asking, so that credentials could help."""

    def can(self, ability: Ability, subject: Subject) -> bool:
        """Answer for a project or a group; a `PackageName` asks whether a protection rule leaves the ability intact.

        It is the same answer however the place was found. Who may do anything to a place may know that it exists. Say
        no to an ability that you do not know: a later version may ask for one more.
        """

    def readable(self, group: Group) -> Sequence[Project]:
        """Give the projects of the group, and of all groups below it, whose packages this principal may read.

        Each once, and all of them if it may read the group.
        """


class Auth(Protocol):
    """Knows tokens, and what each may do. Called from any thread, once a request.

    And at most once more, without credentials and with an environ in which nothing tells who asks, to learn what a
    shared cache may keep; an error there means that it is private. No secret stands in a repr or in an error.
    """

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        """Tell who asks.

        `credentials` is None if the request shows none. `environ` is the WSGI environ, for hosts with sessions; leave
        it as it is, and the body unread. Basic credentials that are not known are an anonymous principal's, as in
        GitLab, and so is an unknown ``DEPLOY-TOKEN``.

        :raises InvalidToken: if GitLab answers 401 even for a public project: an expired or a revoked personal token, a
            wrong job token, an unknown ``PRIVATE-TOKEN`` or Bearer token.
        :raises InsufficientScope: if the token's scope excludes this request, whatever its user may do.
        """


class Challenge(Enum):
    """How a refusal is put, which differs between GitLab's APIs."""

    ALWAYS = "asking"
    """The PyPI endpoints: 401 wherever credentials could help, so that clients send them."""
    NEVER = "hiding"
    """The Packages API: never 401 for want of credentials; what is not to be seen is 404, the rest 403."""
    BROWSER = "browsing"
    """Its pages: 401 all the same, as nothing else makes a browser ask for a password."""


def require(principal: Principal, ability: Ability, subject: Subject, manner: Challenge = Challenge.ALWAYS) -> None:
    """Let a principal pass, or refuse as GitLab does.

    :raises NotAuthenticated: if credentials could help.
    :raises NotFound: if this principal must not learn that the subject exists.
    :raises Forbidden: if it knows the subject, but may not do this.
    """
    if not principal.can(ability, subject):
        raise refusal(principal, ability, subject, manner)


def refusal(principal: Principal, ability: Ability, subject: Subject, manner: Challenge) -> RegistryError:
    """Choose the answer to a principal that may not do a thing (GitLab's specifications of its endpoints)."""
    if isinstance(subject, PackageName):
        return Forbidden(_PROTECTED.get(ability, "Package protected."))
    to_see = Ability.READ_GROUP if isinstance(subject, Group) else Ability.READ_PROJECT
    asking = principal.anonymous and manner is not Challenge.NEVER
    if not principal.can(to_see, subject):
        return NotAuthenticated() if asking else NotFound(_named(subject, manner))
    if asking and ability is not Ability.READ_PACKAGE:
        return NotAuthenticated()
    return Forbidden()


def _named(place: Project | Group, manner: Challenge) -> str:
    if manner is Challenge.ALWAYS:
        return ""
    return "Group" if isinstance(place, Group) else "Project"


_PROTECTED = {Ability.DESTROY_PACKAGE: "Package is deletion protected."}


@dataclass(frozen=True, slots=True)
class AllowAll:
    """Lets anyone do anything. Say it aloud: ``Registry(auth=Open(), …)``."""

    directory: Directory | None = None
    """Whose projects a group page shows; None is filled in by `Registry`."""

    def over(self, directory: Directory) -> Self:
        """Give the same for this directory, unless one was already named."""
        return self if self.directory else replace(self, directory=directory)

    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Principal:
        return _Anyone(self.directory)


class _Anyone(NamedTuple):
    directory: Directory | None

    @property
    def anonymous(self) -> bool:
        return True

    def can(self, ability: Ability, subject: Subject) -> bool:
        return True

    def readable(self, group: Group) -> Sequence[Project]:
        return self.directory.projects_in(group) if self.directory else []
