"""Access decisions: refusals with GitLab's 401, 403 or 404, and which caches may store a response."""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from pypi_registry._http.errors import NotAuthenticated
from pypi_registry._http.request import SAFE_METHODS, Request
from pypi_registry.auth import Ability, Principal, Subject
from pypi_registry.errors import Forbidden, NotFound, RegistryError
from pypi_registry.model import Group, Namespace, PackageName, Projects, Visibility


class Challenge(Enum):
    """Whether a refusal asks an anonymous caller for credentials."""

    ALWAYS = "always"
    """The PyPI endpoints: 401 wherever credentials could help, so that clients send them."""
    NEVER = "never"
    """The Packages API: never 401 for lack of credentials, but 404 if the caller must not see the subject, or 403."""
    BROWSER = "browser"
    """The web pages of the Packages API: 401, because nothing else makes a browser ask for a password."""


def require(
    principal: Principal,
    ability: Ability,
    subject: Subject,
    challenge: Challenge = Challenge.ALWAYS,
    *,
    action: Ability | None = None,
) -> None:
    """Return if the principal has an ability, or refuse as GitLab does.

    :param action: what the request asks for, if that is another ability; for logs.
    :raises NotAuthenticated: if credentials could help.
    :raises NotFound: if the principal must not learn that the subject exists.
    :raises Forbidden: if the principal may know the subject, but may not do this.
    """
    if not principal.can(ability, subject):
        error = refusal(principal, ability, subject, challenge)
        if not isinstance(error, NotAuthenticated):  # uv's first request always gets it, so no log needs it
            error.add_note(explanation(principal, ability, subject, action or ability))
        raise error


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


def explanation(principal: Principal, ability: Ability, subject: Subject, action: Ability) -> str:
    """Return who may not do what, and why: for logs only, the response to the client does not contain it.

    The principals of `Accounts` give the reason with their method ``why_not(ability, subject)``. An application's
    principal may have a method of this name with another meaning: it must not change the response.
    """
    namespace, name = (subject.project, subject.name) if isinstance(subject, PackageName) else (subject, "packages")
    who = principal.name or ("an anonymous caller" if principal.anonymous else "a caller without a name")
    what = _ACTIONS[action].format(name=name, path=namespace.path)
    why_not: Callable[[Ability, Subject], object] | None = getattr(principal, "why_not", None)
    why: object = None
    if why_not is not None:
        with suppress(Exception):
            why = why_not(ability, subject)
    return f"{who} may not {what} ({why if isinstance(why, str) else f'this needs {ability.value}'})"


_ACTIONS = {
    Ability.READ_PROJECT: "see {path}",
    Ability.READ_GROUP: "see {path}",
    Ability.READ_PACKAGE: "read {name} in {path}",
    Ability.CREATE_PACKAGE: "publish {name} in {path}",
    Ability.YANK_PACKAGE: "yank {name} in {path}",
    Ability.DESTROY_PACKAGE: "delete {name} in {path}",
    Ability.ADMIN_PACKAGE: "set the status of {name} in {path}",
}


def _named(namespace: Namespace, challenge: Challenge) -> str:
    if challenge is Challenge.ALWAYS:
        return ""
    return "Group" if isinstance(namespace, Group) else "Project"


def require_same_origin(request: Request) -> None:
    """Refuse a request that may change something if a browser sends it for a page of another origin (CSRF).

    :raises Forbidden: for such a request.
    """
    if request.method not in SAFE_METHODS and request.is_cross_origin:
        raise Forbidden("a browser sent this request for another site")


_PROTECTED = {Ability.DESTROY_PACKAGE: "Package is deletion protected."}


def readable_projects(principal: Principal, projects: Projects) -> Projects:
    """Return those of the projects whose packages the principal may read."""
    # By attribute: isinstance() with a runtime-checkable protocol takes as long as a third of a page.
    readable: Callable[[Projects], Projects] | None = getattr(principal, "readable", None)
    if readable is not None:
        return readable(projects)
    return projects.only(lambda project: principal.can(Ability.READ_PACKAGE, project))


# Which caches may store a response (RFC 9111)

# pip and uv honour max-age on pages, and would miss a new upload for as long; a revalidation costs a 304.
REVALIDATE = ("Cache-Control", "private, no-cache")
_REVALIDATE_SHARED = ("Cache-Control", "no-cache")

# The bytes of a file never change; who may read it can change.
_IMMUTABLE = ("Cache-Control", "private, max-age=31536000, immutable")
# RFC 9111, 5.2.2.10: for a shared cache s-maxage overrides max-age, and a stale response must be validated before it is
# used again. So after an hour no shared cache sends a file that was quarantined or deleted.
_IMMUTABLE_SHARED = ("Cache-Control", "public, max-age=31536000, s-maxage=3600, immutable")


def page_policy(principal: Principal, namespace: Namespace) -> tuple[str, str]:
    """Return the Cache-Control header of a simple page."""
    return _REVALIDATE_SHARED if _is_for_everyone(principal, namespace) else REVALIDATE


def file_policy(principal: Principal, *namespaces: Namespace) -> tuple[str, str]:
    """Return the Cache-Control header of a file that the caller may read in all of these namespaces."""
    return _IMMUTABLE_SHARED if _is_for_everyone(principal, *namespaces) else _IMMUTABLE


def _is_for_everyone(principal: Principal, *namespaces: Namespace) -> bool:
    # RFC 9111, 3.5, forbids a shared cache to reuse a response to a request with an Authorization header field "unless
    # the response contains a Cache-Control field with a response directive that allows it to be stored by a shared
    # cache". So such a directive is sent to anonymous callers only.
    return principal.anonymous and all(each.visibility is Visibility.PUBLIC for each in namespaces)
