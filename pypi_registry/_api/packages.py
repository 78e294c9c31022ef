"""The Packages API, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/).

JSON for programs, web pages for browsers. A program without access to a resource gets 404; a browser gets 401, because
nothing else makes it ask for a password.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from pypi_registry._api.access import REVALIDATE, Challenge, file_policy, readable_projects, require
from pypi_registry._api.call import Call
from pypi_registry._api.files import package_file_response, require_offered
from pypi_registry._api.listing import (
    choice,
    flag,
    is_descending,
    list_parameters,
    list_response,
    read_paging,
)
from pypi_registry._api.web import list_page, package_page
from pypi_registry._http.dates import read_date
from pypi_registry._http.errors import InvalidParameter, PreconditionFailed
from pypi_registry._http.request import unknown_keys
from pypi_registry._http.response import VARY, Response, json_response
from pypi_registry._paths import MAX_DIGITS, fold
from pypi_registry._publishing import publish as publishing
from pypi_registry._publishing.checks import reason_problems
from pypi_registry.auth import Ability, Principal
from pypi_registry.errors import InvalidRequest, NotFound
from pypi_registry.model import (
    Group,
    Namespace,
    Package,
    PackageDetails,
    PackageFile,
    PackageName,
    PackageQuery,
    Project,
    Projects,
)

PACKAGE_TYPES = frozenset(
    {
        "maven",
        "npm",
        "conan",
        "nuget",
        "pypi",
        "composer",
        "generic",
        "golang",
        "debian",
        "rubygems",
        "helm",
        "terraform_module",
        "rpm",
        "ml_model",
        "cargo",
    }
)
STATUSES = frozenset({"default", "hidden", "processing", "error", "pending_destruction", "deprecated"})


def list_packages(call: Call) -> Response:
    """``GET /projects/:id/packages`` and ``GET /groups/:id/packages``"""
    html = call.wants_page
    namespace, principal = call.reader(_challenge(html))
    parameters = list_parameters(call.request)
    projects = _projects(call, namespace, principal, parameters)
    paging, query = read_paging(parameters), _query(parameters, namespace)
    if html:
        return list_page(call, namespace, principal, projects, query, paging, parameters)
    # The query asks for one package more than the page has. This shows whether there is a next page, even if the list
    # is too long for a total.
    found, total = call.services.stores.catalogue.packages(projects, query) if query else ([], 0)
    packages, has_next = found[: paging.per_page], len(found) > paging.per_page
    entities = [_listed_entity(call, principal, namespace, projects, package) for package in packages]
    kind = "groups" if isinstance(namespace, Group) else "projects"
    return list_response(call, f"/{kind}/{namespace.id}/packages", entities, paging, total, has_next=has_next)


def show_package(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id``"""
    html = call.wants_page
    project, principal, details = _package(call, _challenge(html))
    if html:
        return package_page(call, project, principal, details)
    package = details.package
    query = PackageQuery(normalized_name=package.normalized_name, descending=True)
    versions, _ = call.services.stores.catalogue.packages(Projects([project]), query)
    others = [other for other in versions if other.id != package.id]
    entity = _package_entity(call, principal, project, package)
    entity["versions"] = [
        {"id": other.id, "version": other.version, "created_at": _time(other.created_at), "tags": []}
        for other in others
    ]
    return json_response("200 OK", entity, VARY, REVALIDATE)


def change_package(call: Call) -> Response:
    """``PATCH /projects/:id/packages/:package_id``, which is not GitLab's: ``{"yanked": true}``, a reason, or false."""
    project, principal, details = _package(call)
    _require_named(principal, Ability.YANK_PACKAGE, Ability.CREATE_PACKAGE, project, details.package)
    body = call.request.read_json()
    yanked = body.get("yanked")
    problems = unknown_keys(body, "yanked")
    if not isinstance(yanked, bool):
        problems += reason_problems("yanked", yanked, "true, false or a reason")
    if problems:
        raise InvalidRequest(problems)
    reason = None if yanked is False else yanked if isinstance(yanked, str) else ""
    actor = call.actor(principal)
    changed = publishing.yank(call.services.stores, project, details.package.id, reason, actor=actor)
    if changed is None:
        raise NotFound
    return json_response("200 OK", _package_entity(call, principal, project, changed), VARY, REVALIDATE)


def delete_package(call: Call) -> Response:
    """``DELETE /projects/:id/packages/:package_id``"""
    project, principal, details = _package(call)
    package = details.package
    _require_named(principal, Ability.DESTROY_PACKAGE, Ability.DESTROY_PACKAGE, project, package)
    _require_unmodified(call, package.created_at)
    if publishing.delete_package(call.services.stores, project, package.id, actor=call.actor(principal)) is None:
        raise NotFound("Package")
    return Response("204 No Content", [])


def list_files(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id/package_files``"""
    project, _, details = _package(call)
    parameters = list_parameters(call.request)
    paging = read_paging(parameters)
    order = choice(parameters, "order_by", _FILE_ORDERS, "id")
    files = sorted(details.files, key=lambda file: file.id)
    files.sort(key=_FILE_ORDERS[order], reverse=is_descending(parameters))
    end = paging.offset + paging.per_page
    entities = [_file_entity(file) for file in files[paging.offset : end]]
    path = f"/projects/{project.id}/packages/{details.package.id}/package_files"
    return list_response(call, path, entities, paging, len(files), has_next=len(files) > end)


def delete_file(call: Call) -> Response:
    """``DELETE /projects/:id/packages/:package_id/package_files/:package_file_id``"""
    project, principal, details = _package(call)
    _require_named(principal, Ability.DESTROY_PACKAGE, Ability.DESTROY_PACKAGE, project, details.package)
    file = _file(call, details)
    _require_unmodified(call, file.uploaded_at)
    if publishing.delete_file(call.services.stores, project, file.id, actor=call.actor(principal)) is None:
        raise NotFound
    return Response("204 No Content", [])


def download_file(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id/package_files/:package_file_id/download``"""
    project, principal, details = _package(call)
    file = _file(call, details)
    found = call.services.stores.catalogue.file(Projects([project]), file.digests.sha256, file.filename)
    if found is None:
        raise NotFound
    require_offered(file, found.status)
    return package_file_response(call, file, file_policy(principal, project))


def _challenge(html: bool) -> Challenge:
    return Challenge.BROWSER if html else Challenge.NEVER


def _package(call: Call, challenge: Challenge = Challenge.NEVER) -> tuple[Project, Principal, PackageDetails]:
    project = call.project()
    principal = call.authenticate(project)
    require(principal, Ability.READ_PACKAGE, project, challenge)
    details = call.services.stores.catalogue.package(project.id, _id(call, "package_id"))
    if details is None:
        raise NotFound("Package")
    return project, principal, details


def _file(call: Call, details: PackageDetails) -> PackageFile:
    file_id = _id(call, "package_file_id")
    for file in details.files:
        if file.id == file_id:
            return file
    raise NotFound


def _id(call: Call, name: str) -> int:
    text = call.match.parameters[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise InvalidParameter(name, "is invalid")
    return int(text)


def _require_named(principal: Principal, ability: Ability, named: Ability, project: Project, package: Package) -> None:
    """Require an ability in the project, and one under the name, which a protection rule may forbid."""
    require(principal, ability, project, Challenge.NEVER)
    require(principal, named, PackageName(project, package.normalized_name), Challenge.NEVER, action=ability)


def _require_unmodified(call: Call, modified_at: datetime) -> None:
    # RFC 9110, 13.1.4: "A recipient MUST ignore the If-Unmodified-Since header field if the received field value is not
    # a valid HTTP-date".
    since = read_date(call.request.header("HTTP_IF_UNMODIFIED_SINCE"))
    if since is not None and modified_at.replace(microsecond=0) > since:
        raise PreconditionFailed


def _projects(call: Call, namespace: Namespace, principal: Principal, parameters: Mapping[str, str]) -> Projects:
    if isinstance(namespace, Project):
        return Projects([namespace])
    exclude_subgroups = flag(parameters, "exclude_subgroups")
    readable = readable_projects(principal, call.services.directory.projects_in(namespace))
    if not exclude_subgroups:
        return readable
    return _directly_in(readable, fold(namespace.path))


@lru_cache(maxsize=16)
def _directly_in(projects: Projects, group: str) -> Projects:
    """Return the projects that no subgroup contains. Cached, because a group may have 100,000 projects."""
    return projects.only(lambda project: fold(project.path.rpartition("/")[0]) == group)


def _query(parameters: Mapping[str, str], namespace: Namespace) -> PackageQuery | None:
    """Return the query of a list; None if no package of this registry can match."""
    package_type = choice(parameters, "package_type", PACKAGE_TYPES, "pypi")
    status = choice(parameters, "status", STATUSES, "default")
    flag(parameters, "include_versionless")  # every package of this registry has a version
    orders = _ORDERS if isinstance(namespace, Project) else {**_ORDERS, "project_path": "project_path"}
    order, descending = choice(parameters, "order_by", orders, "created_at"), is_descending(parameters)
    if package_type != "pypi" or status != "default":
        return None
    paging = read_paging(parameters)
    return PackageQuery(
        name=parameters.get("package_name", ""),
        version=parameters.get("package_version", ""),
        order_by=orders[order],
        descending=descending,
        offset=paging.offset,
        limit=paging.per_page + 1,
    )


_ORDERS: Mapping[str, Literal["created_at", "name", "version", "project_path"]] = {
    "created_at": "created_at",
    "name": "name",
    "version": "version",
    "type": "created_at",  # all packages of this registry have one type
}
_FILE_ORDERS: Mapping[str, Callable[[PackageFile], Any]] = {
    "id": lambda file: file.id,
    "created_at": lambda file: file.uploaded_at,
    "file_name": lambda file: file.filename,
}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _listed_entity(
    call: Call, principal: Principal, namespace: Namespace, projects: Projects, package: Package
) -> Mapping[str, object]:
    project = projects.get(package.project_id)
    assert project is not None  # the catalogue lists packages of these projects only
    entity = _package_entity(call, principal, project, package)
    if isinstance(namespace, Group):
        entity |= {"project_id": project.id, "project_path": project.path}
    return entity


def _package_entity(call: Call, principal: Principal, project: Project, package: Package) -> dict[str, object]:
    links = {"web_path": f"{call.site_path}/{project.path}/-/packages/{package.id}"}
    if principal.can(Ability.DESTROY_PACKAGE, project):
        links["delete_api_path"] = f"{call.api_url}/projects/{project.id}/packages/{package.id}"
    return {
        "id": package.id,
        "name": package.name,
        "version": package.version,
        "package_type": "pypi",
        "status": "default",
        "_links": links,
        "created_at": _time(package.created_at),
        "last_downloaded_at": None,
        "tags": [],
        "yanked": False if package.yanked is None else package.yanked or True,
    }


def _file_entity(file: PackageFile) -> dict[str, object]:
    return {
        "id": file.id,
        "package_id": file.package.id,
        "created_at": _time(file.uploaded_at),
        "file_name": file.filename,
        "size": file.size,
        "file_md5": file.digests.md5,
        "file_sha1": None,
        "file_sha256": file.digests.sha256,
        "uploaded_by": file.uploaded_by or None,
    }
