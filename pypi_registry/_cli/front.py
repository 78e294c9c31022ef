"""The pages of `serve` that belong to no project: the landing page with the search, and the way to sign in."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from pypi_registry._api.access import readable_projects
from pypi_registry._api.call import Call, Dialect, Match, Services, authenticate
from pypi_registry._api.links import API_PREFIX, page_after_sign_in, site_links
from pypi_registry._api.listing import Paging, list_parameters, read_page_number
from pypi_registry._api.routes import packages_match, respond
from pypi_registry._api.web import package_list, web_page
from pypi_registry._http.errors import NoSuchRoute, NotAuthenticated
from pypi_registry._http.negotiation import prefers_html
from pypi_registry._http.request import Request, mount_url
from pypi_registry._http.response import VARY, Response, redirect_response
from pypi_registry._pages.browser import PackageList
from pypi_registry._pages.document import Frame
from pypi_registry._pages.landing import Landing, render_landing, render_search
from pypi_registry._paths import fold, last_segment, paths_above
from pypi_registry.auth import Ability, Principal
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.model import Group, Namespace, PackageQuery, Project, Projects
from pypi_registry.storage import MAX_TOTAL

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NEWEST = 10
_PROJECTS_PER_PAGE = 50
_PACKAGES_PER_PAGE = 20
_CANDIDATES = 200
"""Projects among which one is chosen for the commands to copy."""
NO_STORE = ("Cache-Control", "no-store")


def show_landing(services: Services, request: Request) -> Response:
    """``GET /``: the projects that the visitor may see, a search of their packages, and how to use the registry."""
    principal = _visitor(services, request.environ)
    parameters = list_parameters(request)
    page = read_page_number(parameters)
    all_projects = _all_projects(services)
    readable = readable_projects(principal, all_projects)
    frame = Frame(
        site_links("", query=request.header("QUERY_STRING")), caller=None if principal.anonymous else principal.name
    )
    if search := parameters.get("package_name", ""):
        found = _packages(services, readable, Paging(page, _PACKAGES_PER_PAGE), {"package_name": search})
        return web_page(render_search(found, frame, MAX_TOTAL))
    newest = _packages(services, readable, Paging(1, _NEWEST), {}).rows if page == 1 else []
    start = (page - 1) * _PROJECTS_PER_PAGE
    end = start + _PROJECTS_PER_PAGE
    by_path = filter(None, map(readable.get, _ids_by_path(all_projects)))
    projects = [*islice(by_path, max(end, _CANDIDATES))] if start < len(readable) else []
    example = _example(principal, projects[:_CANDIDATES])
    shown = Landing(
        newest[:_NEWEST],
        projects[start:end],
        len(readable),
        page,
        has_next=end < len(readable),
        example=example,
        group=None if example is None else _group_above(services, principal, example),
    )
    return web_page(render_landing(shown, frame, f"{mount_url(request.environ)}{API_PREFIX}", MAX_TOTAL))


def _example(principal: Principal, projects: Sequence[Project]) -> Project | None:
    """Return a project for the commands to copy: one in which the visitor may publish, if there is one."""
    publishable = (project for project in projects if principal.can(Ability.CREATE_PACKAGE, project))
    return next(publishable, projects[0] if projects else None)


def _group_above(services: Services, principal: Principal, project: Project) -> Group | None:
    """Return the highest group above a project from whose index the visitor may install."""
    groups = filter(None, map(services.directory.group, paths_above(project.path)))
    return next((group for group in groups if principal.can(Ability.READ_PACKAGE, group)), None)


def sign_in(services: Services, request: Request) -> Response:
    """``GET /sign-in?to=/acme/tools/-/packages``: 401 without valid credentials, otherwise a redirect to the page.

    The parameter ``query`` contains the query of the page. Without ``to``, or if it is not a path of this site, the
    redirect leads to the landing page. A browser sends credentials for ``/`` only after a page beside it has asked for
    them (RFC 7617, 2.2).

    :raises NotAuthenticated: if the caller is anonymous.
    """
    if authenticate(services.auth, request.environ, Dialect.PACKAGES).anonymous:
        raise NotAuthenticated
    # Relative, so that it is right behind every proxy, and cannot be a URL of another host.
    path, query = page_after_sign_in(request.header("QUERY_STRING"))
    return redirect_response(f".{quote(path or '/')}{'?' if query else ''}{query}", VARY, NO_STORE)


def show_packages_of_group(services: Services, request: Request, *, group: str) -> Response:
    """``GET /groups/<group path>/-/packages``

    A project ``groups/<path>`` has the same URL, and shows its packages if there is no such group.
    """
    # The response to a missing group is the same as that to a group which the caller must not see.
    directory, project = services.directory, f"groups/{group}"
    if directory.group(group) is None and directory.project(project) is not None:
        return show_packages_of_project(services, request, project=project, package_id=None)
    return _respond_as_api(services, request, packages_match(group, is_group=True))


def show_packages_of_project(services: Services, request: Request, *, project: str, package_id: str | None) -> Response:
    """``GET /<project path>/-/packages`` and ``GET /<project path>/-/packages/<id>``"""
    return _respond_as_api(services, request, packages_match(project, package_id=package_id))


def show_namespace(services: Services, request: Request, path: str) -> Response:
    """``GET /<project path>`` and ``GET /groups/<group path>``, the `web_url` of both: to the packages, in a browser.

    :raises NoSuchRoute: if there is no such project or group, or the caller may not see it.
    """
    if request.method not in ("GET", "HEAD") or not prefers_html(request.header("HTTP_ACCEPT")):
        raise NoSuchRoute
    directory = services.directory
    group = directory.group(path.removeprefix("groups/")) if path.startswith("groups/") else None
    namespace = group or directory.project(path)
    if namespace is None or not _may_see(_visitor(services, request.environ, namespace), namespace):
        raise NoSuchRoute
    return redirect_response(f"{last_segment(path)}/-/packages", VARY, NO_STORE)


def _may_see(principal: Principal, namespace: Namespace) -> bool:
    ability = Ability.READ_GROUP if isinstance(namespace, Group) else Ability.READ_PROJECT
    return principal.can(ability, namespace)


def _respond_as_api(services: Services, request: Request, match: Match) -> Response:
    """Respond with a page of the Packages API: the same rules, at another URL."""
    # A copy, because the access log writes the path that was requested.
    return respond(Call(Request({**request.environ, "SCRIPT_NAME": api_mount(request.environ)}), match, services))


def api_mount(environ: "WSGIEnvironment") -> str:
    """Return the mount point of the API, from which its absolute URLs follow."""
    mount: str = environ.get("SCRIPT_NAME", "")
    return mount + API_PREFIX


def _visitor(services: Services, environ: "WSGIEnvironment", namespace: Namespace | None = None) -> Principal:
    """Return the caller of a page that everybody may see: anonymous if the token is no longer valid."""
    try:
        return authenticate(services.auth, environ, Dialect.PACKAGES, namespace)
    except (InvalidToken, InsufficientScope):
        return services.auth.authenticate(None, namespace, environ)


def _all_projects(services: Services) -> Projects:
    """Return all projects, if the directory can list them, as `Accounts` can."""
    all_projects: Callable[[], Projects] | None = getattr(services.directory, "all_projects", None)
    return Projects() if all_projects is None else all_projects()


@lru_cache(maxsize=2)
def _ids_by_path(all_projects: Projects) -> Sequence[int]:
    """Return the ids of all projects in the order of their paths.

    Cached, because there may be 100,000. All visitors share one entry, whichever projects they may read.
    """
    return [project.id for project in sorted(all_projects, key=lambda project: fold(project.path))]


def _packages(services: Services, projects: Projects, paging: Paging, parameters: Mapping[str, str]) -> PackageList:
    query = PackageQuery(name=parameters.get("package_name", ""))
    return package_list(services.stores.catalogue, projects, query, paging, parameters)
