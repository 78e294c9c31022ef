"""The table that turns a "no" of a principal into GitLab's 401, 403 or 404, for all applications alike."""

from collections.abc import Callable
from enum import Enum

from pypi_registry.auth import Ability, Principal, Subject
from pypi_registry.errors import Forbidden, NotAuthenticated, NotFound, RegistryError
from pypi_registry.model import Group, Namespace, PackageName, Projects


class Challenge(Enum):
    """Whether a refusal asks an anonymous caller for credentials."""

    ALWAYS = "always"
    """The PyPI endpoints: 401 wherever credentials could help, so that clients send them."""
    NEVER = "never"
    """The Packages API: never 401 for lack of credentials; 404 for what must not be seen, 403 for the rest."""
    BROWSER = "browser"
    """The web pages of the Packages API: 401, because nothing else makes a browser ask for a password."""


def require(principal: Principal, ability: Ability, subject: Subject, challenge: Challenge = Challenge.ALWAYS) -> None:
    """Return if the principal has an ability, or refuse as GitLab does.

    :raises NotAuthenticated: if credentials could help.
    :raises NotFound: if the principal must not learn that the subject exists.
    :raises Forbidden: if the principal may know the subject, but may not do this.
    """
    if not principal.can(ability, subject):
        raise refusal(principal, ability, subject, challenge)


def refusal(principal: Principal, ability: Ability, subject: Subject, challenge: Challenge) -> RegistryError:
    """Return the error for a principal without an ability (GitLab's specifications of its endpoints)."""
    if isinstance(subject, PackageName):
        return Forbidden(_PROTECTED.get(ability, "Package protected."))
    to_see = Ability.READ_GROUP if isinstance(subject, Group) else Ability.READ_PROJECT
    challenged = principal.anonymous and challenge is not Challenge.NEVER
    if not principal.can(to_see, subject):
        return NotAuthenticated() if challenged else NotFound(_named(subject, challenge))
    if challenged and ability is not Ability.READ_PACKAGE:
        return NotAuthenticated()
    return Forbidden()


def _named(namespace: Namespace, challenge: Challenge) -> str:
    if challenge is Challenge.ALWAYS:
        return ""
    return "Group" if isinstance(namespace, Group) else "Project"


_PROTECTED = {Ability.DESTROY_PACKAGE: "Package is deletion protected."}


def readable_projects(principal: Principal, projects: Projects) -> Projects:
    """Return those of the projects whose packages the principal may read."""
    # By attribute: isinstance() with a runtime-checkable protocol takes as long as a third of a page.
    readable: Callable[[Projects], Projects] | None = getattr(principal, "readable", None)
    if readable is not None:
        return readable(projects)
    return projects.only(lambda project: principal.can(Ability.READ_PACKAGE, project))
