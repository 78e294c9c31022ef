"""The Packages API, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/).

JSON for programs, pages for browsers. A program without the right to see a thing is told that it does not exist; a
browser is asked for credentials, which only a 401 makes it do.
"""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from werkzeug.http import parse_date

from pypi_registry._api.cache_control import REVALIDATE, file_policy
from pypi_registry._api.files import answer_package_file, is_quarantined, quarantined
from pypi_registry._http.negotiation import prefers_html
from pypi_registry._http.request import VARY, Call, Response, bytes_response, is_plain, json_response, origin, read_json
from pypi_registry._pages import browser
from pypi_registry.auth import Ability, Challenge, Principal, require
from pypi_registry.errors import InvalidParameter, InvalidRequest, NotFound, PreconditionFailed
from pypi_registry.model import Group, Package, PackageFile, PackageName, PackageQuery, Project

PACKAGE_TYPES = (
    *("maven", "npm", "conan", "nuget", "pypi", "composer", "generic", "golang", "debian", "rubygems", "helm"),
    *("terraform_module", "rpm", "ml_model", "cargo"),
)
STATUSES = ("default", "hidden", "processing", "error", "pending_destruction", "deprecated")
_DEFAULT_PER_PAGE, _MAX_PER_PAGE = 20, 100


class Paging(NamedTuple):
    """Which page of a list is wanted."""

    page: int
    per_page: int

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page

    def pages(self, total: int) -> int:
        """Give how many pages there are; one at least, even of nothing."""
        return max(1, -(-total // self.per_page))


def list_packages(call: Call) -> Response:
    """``GET /projects/:id/packages`` and ``GET /groups/:id/packages``"""
    html = prefers_html(call.header("HTTP_ACCEPT"))
    where, principal = call.readable(_manner(html), packages_api=True)
    parameters = _parameters(call)
    projects = {project.id: project for project in _projects(where, principal, parameters)}
    paging, query = _paging(parameters), _query(parameters, where)
    found, total = call.registry.catalogue.packages([*projects], query) if query else ([], 0)
    if html:
        pages = paging.pages(total)
        return _page(browser.render_list(where, found, projects, total, paging.page, pages, parameters, _api(call)))
    entities = [_package_entity(call, principal, projects[package.project_id], package) for package in found]
    if isinstance(where, Group):
        for entity, package in zip(entities, found, strict=True):
            project = projects[package.project_id]
            entity |= {"project_id": project.id, "project_path": project.path}
    kind = "projects" if isinstance(where, Project) else "groups"
    return _answer_list(call, f"/{kind}/{where.id}/packages", entities, paging, total)


def show_package(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id``"""
    html = prefers_html(call.header("HTTP_ACCEPT"))
    project, principal, package = _package(call, _manner(html))
    catalogue = call.registry.catalogue
    versions, _ = catalogue.packages(
        [project.id], PackageQuery(normalized_name=package.normalized_name, descending=True)
    )
    others = [other for other in versions if other.id != package.id]
    if html:
        files, about = catalogue.package_files(package), catalogue.about(package)
        return _page(browser.render_package(project, package, files, about, others, _api(call)))
    entity = _package_entity(call, principal, project, package)
    entity["versions"] = [
        {"id": other.id, "version": other.version, "created_at": _time(other.created_at), "tags": []}
        for other in others
    ]
    return json_response("200 OK", entity, VARY, REVALIDATE)


def change_package(call: Call) -> Response:
    """``PATCH /projects/:id/packages/:package_id``, which is ours: ``{"yanked": true}`` or a reason or false."""
    project, principal, package = _package(call)
    _require_named(principal, Ability.YANK_PACKAGE, Ability.CREATE_PACKAGE, project, package)
    wanted = read_json(call)
    yanked = wanted.get("yanked")
    faults = [f"{key} is not known" for key in wanted if key != "yanked"]
    if not isinstance(yanked, bool | str) or (isinstance(yanked, str) and not is_plain(yanked)):
        faults.append("yanked must be true, false or a reason without control characters")
    if faults:
        raise InvalidRequest(faults)
    reason = None if yanked is False else yanked if isinstance(yanked, str) else ""
    changed = call.registry.catalogue.yank(package, reason)
    if changed is None:
        raise NotFound
    return json_response("200 OK", _package_entity(call, principal, project, changed), VARY, REVALIDATE)


def delete_package(call: Call) -> Response:
    """``DELETE /projects/:id/packages/:package_id``"""
    project, principal, package = _package(call)
    _require_named(principal, Ability.DESTROY_PACKAGE, Ability.DESTROY_PACKAGE, project, package)
    _require_unmodified(call, package.created_at)
    for key in call.registry.catalogue.delete_package(package):
        call.registry.blobs.delete(key)
    return Response("204 No Content", [])


def list_files(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id/package_files``"""
    project, _, package = _package(call)
    parameters = _parameters(call)
    paging = _paging(parameters)
    order = _choice(parameters, "order_by", _FILE_ORDERS, "id")
    files = sorted(call.registry.catalogue.package_files(package), key=lambda file: file.id)
    files.sort(key=_FILE_ORDERS[order], reverse=_is_descending(parameters))
    shown = files[paging.offset : paging.offset + paging.per_page]
    path = f"/projects/{project.id}/packages/{package.id}/package_files"
    return _answer_list(call, path, [_file_entity(file) for file in shown], paging, len(files))


def delete_file(call: Call) -> Response:
    """``DELETE /projects/:id/packages/:package_id/package_files/:package_file_id``"""
    project, principal, package = _package(call)
    _require_named(principal, Ability.DESTROY_PACKAGE, Ability.DESTROY_PACKAGE, project, package)
    file = _file(call, package)
    _require_unmodified(call, file.uploaded_at)
    key = call.registry.catalogue.delete_file(file)
    if key is None:
        raise NotFound
    call.registry.blobs.delete(key)
    return Response("204 No Content", [])


def download_file(call: Call) -> Response:
    """``GET /projects/:id/packages/:package_id/package_files/:package_file_id/download``"""
    project, _, package = _package(call)
    file = _file(call, package)
    if is_quarantined(call, file):
        raise quarantined(file)
    return answer_package_file(call, file, file_policy(call, project))


def _manner(html: bool) -> Challenge:
    return Challenge.BROWSER if html else Challenge.NEVER


def _package(call: Call, manner: Challenge = Challenge.NEVER) -> tuple[Project, Principal, Package]:
    project = call.project(packages_api=True)
    principal = call.principal(packages_api=True)
    require(principal, Ability.READ_PACKAGE, project, manner)
    package = call.registry.catalogue.package([project.id], _number(call, "package_id"))
    if package is None:
        raise NotFound("Package")
    return project, principal, package


def _file(call: Call, package: Package) -> PackageFile:
    number = _number(call, "package_file_id")
    for file in call.registry.catalogue.package_files(package):
        if file.id == number:
            return file
    raise NotFound


def _number(call: Call, name: str) -> int:
    text = call.address.parts[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidParameter(name, "is invalid")
    return int(text)


def _require_named(principal: Principal, ability: Ability, named: Ability, project: Project, package: Package) -> None:
    """Ask for an ability in the project, and then for one under the name, which a rule may protect."""
    require(principal, ability, project, Challenge.NEVER)
    require(principal, named, PackageName(project, package.normalized_name), Challenge.NEVER)


def _require_unmodified(call: Call, since: datetime) -> None:
    known = parse_date(call.header("HTTP_IF_UNMODIFIED_SINCE"))
    if known is not None and since.replace(microsecond=0) > known:
        raise PreconditionFailed


def _projects(where: Project | Group, principal: Principal, parameters: Mapping[str, str]) -> Sequence[Project]:
    if isinstance(where, Project):
        return [where]
    readable = principal.readable(where)
    if not _flag(parameters, "exclude_subgroups"):
        return readable
    return [project for project in readable if project.path.rpartition("/")[0].lower() == where.path.lower()]


def _query(parameters: Mapping[str, str], where: Project | Group) -> PackageQuery | None:
    """Read what is asked of a list; None if no package of ours can be meant."""
    package_type = _choice(parameters, "package_type", PACKAGE_TYPES, "pypi")
    status = _choice(parameters, "status", STATUSES, "default")
    _flag(parameters, "include_versionless")  # ours all have a version
    orders = _ORDERS if isinstance(where, Project) else {**_ORDERS, "project_path": "project_path"}
    order = _choice(parameters, "order_by", orders, "created_at")
    if package_type != "pypi" or status != "default":
        return None
    paging = _paging(parameters)
    return PackageQuery(
        name=parameters.get("package_name", ""),
        version=parameters.get("package_version", ""),
        order_by=orders[order],
        descending=_is_descending(parameters),
        offset=paging.offset,
        limit=paging.per_page,
    )


_ORDERS: Mapping[str, Literal["created_at", "name", "version", "project_path"]] = {
    "created_at": "created_at",
    "name": "name",
    "version": "version",
    "type": "created_at",  # all of ours are of one type
}
_KNOWN = frozenset(
    {
        *("page", "per_page", "order_by", "sort", "package_name", "package_version", "package_type", "status"),
        *("include_versionless", "exclude_subgroups"),
    }
)
_FILE_ORDERS: Mapping[str, Callable[[PackageFile], Any]] = {
    "id": lambda file: file.id,
    "created_at": lambda file: file.uploaded_at,
    "file_name": lambda file: file.filename,
}


def _parameters(call: Call) -> Mapping[str, str]:
    # What is not known is not repeated in links, either: it may be a secret that somebody tried to pass.
    given = parse_qsl(call.header("QUERY_STRING"), keep_blank_values=True, errors="replace")
    return {name: value for name, value in given if name in _KNOWN}


def _choice(parameters: Mapping[str, str], name: str, allowed: Container[str], default: str) -> str:
    value = parameters.get(name, default)
    if value not in allowed:
        raise InvalidParameter(name)
    return value


def _is_descending(parameters: Mapping[str, str]) -> bool:
    return _choice(parameters, "sort", ("asc", "desc"), "asc") == "desc"


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    return _choice(parameters, name, ("true", "false", "1", "0"), "false") in ("true", "1")


def _paging(parameters: Mapping[str, str]) -> Paging:
    numbers = {}
    for name, default in (("page", 1), ("per_page", _DEFAULT_PER_PAGE)):
        text = parameters.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
            raise InvalidParameter(name)
        numbers[name] = int(text)
    return Paging(numbers["page"], min(numbers["per_page"], _MAX_PER_PAGE))


def _answer_list(
    call: Call, path: str, entities: Sequence[Mapping[str, object]], paging: Paging, total: int
) -> Response:
    """Answer with one page of the list at a path, and with GitLab's headers about the others."""
    last = paging.pages(total)
    pages = {
        "prev": paging.page - 1 if 1 < paging.page <= last + 1 else None,
        "next": paging.page + 1 if paging.page < last else None,
        "first": 1,
        "last": last,
    }
    known = _parameters(call)
    address = f"{_api(call)}{path}"
    links = ", ".join(
        f'<{address}?{urlencode({**known, "page": page, "per_page": paging.per_page})}>; rel="{rel}"'
        for rel, page in pages.items()
        if page
    )
    counts = {
        "X-Total": total,
        "X-Total-Pages": last,
        "X-Per-Page": paging.per_page,
        "X-Page": paging.page,
        "X-Next-Page": pages["next"] or "",
        "X-Prev-Page": pages["prev"] or "",
    }
    headers = [VARY, REVALIDATE, ("Link", links), *((name, str(count)) for name, count in counts.items())]
    return bytes_response("200 OK", "application/json", json.dumps(entities).encode(), *headers)


def _api(call: Call) -> str:
    """Give the address at which the registry is mounted, as the client sees it."""
    return f"{origin(call.environ)}{quote(call.header('SCRIPT_NAME').encode('latin-1', 'replace'))}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _package_entity(call: Call, principal: Principal, project: Project, package: Package) -> dict[str, object]:
    links = {"web_path": f"/{project.path}/-/packages/{package.id}"}
    if principal.can(Ability.DESTROY_PACKAGE, project):
        links["delete_api_path"] = f"{_api(call)}/projects/{project.id}/packages/{package.id}"
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
    }


def _page(body: bytes) -> Response:
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff")
    return bytes_response("200 OK", "text/html; charset=utf-8", body, VARY, REVALIDATE, *headers)
