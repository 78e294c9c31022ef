"""The PyPI endpoints, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/pypi/).

Each takes a `Call` and gives an `Response`. Who asks comes first: before that nothing of a body is read, and nothing is
forwarded.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from packaging.utils import NormalizedName

from pypi_registry._api.cache_control import REVALIDATE, file_policy, if_none_match, page_policy
from pypi_registry._api.files import answer_package_file, is_quarantined, quarantined
from pypi_registry._http.multipart import content_type, parts
from pypi_registry._http.negotiation import Negotiated, negotiate
from pypi_registry._http.request import (
    VARY,
    Call,
    Response,
    bytes_response,
    is_plain,
    json_response,
    read_json,
    redirect_response,
)
from pypi_registry._pages import simple
from pypi_registry._pages.cache import PageCache
from pypi_registry._publishing.publish import FORM_ROOM, publish
from pypi_registry.auth import Ability, Principal, require
from pypi_registry.errors import FileTooLarge, InvalidRequest, NotFound, RegistryError
from pypi_registry.forwarding import Forward, forward_url
from pypi_registry.model import Group, NameStatus, PackageFile, PackageName, Project, Status

# An open registry has an empty index for whatever is asked for; to keep those would cost more than to make them.
_KEPT_NOWHERE = PageCache(max_bytes=0)


def file(call: Call) -> Response:
    """``GET …/packages/pypi/files/:sha256/:filename``"""
    view = _view(call)
    found = _file(call, view)
    return answer_package_file(call, found, _file_policy(call, view, found))


def core_metadata(call: Call) -> Response:
    """``GET …/packages/pypi/files/:sha256/:filename.metadata``, which is ours: what a file says of itself (PEP 658)."""
    view = _view(call)
    found = _file(call, view)
    etag = f'"{found.metadata_sha256}"'
    headers = VARY, _file_policy(call, view, found), ("ETag", etag), ("X-Content-Type-Options", "nosniff")
    if found.metadata_sha256 and if_none_match(call, etag):
        return Response("304 Not Modified", [*headers])
    data = call.registry.catalogue.core_metadata(found) if found.metadata_sha256 else None
    if data is None:
        raise NotFound("Metadata")
    return bytes_response("200 OK", "text/plain; charset=utf-8", data, *headers)


def index(call: Call) -> Response:
    """``GET …/packages/pypi/simple``"""
    view, wanted = _view(call), _wanted(call)

    def render() -> bytes:
        names = call.registry.catalogue.names(view.ids)
        return simple.render_index(view.where.title, names, wanted.form, slash=call.address.slash)

    page = _page(call, view, view.where.title, None, wanted, render)
    assert page is not None  # an empty index is a page too
    return page


def package(call: Call) -> Response:
    """``GET …/packages/pypi/simple/:package_name``"""
    view, name = _view(call), _name(call)
    return _package_page(call, view, name, _wanted(call)) or _elsewhere(call, view.where, name)


def published(call: Call) -> Response:
    """``GET /projects/:id/packages/pypi/+simple/:package_name``, where hatch looks for what it need not publish.

    As HTML, which it reads whatever it is given. Never elsewhere: what another index has is not published here.
    """
    view, name = _view(call), _name(call)
    page = _package_page(call, view, name, _wanted(call)._replace(form=simple.MediaType.TEXT_HTML))
    if page is None:
        raise NotFound("Package")
    return page


def set_status(call: Call) -> Response:
    """``PATCH /projects/:id/packages/pypi/simple/:package_name``, which is ours: the project status of PEP 792."""
    project, principal = call.project(), call.principal()
    require(principal, Ability.ADMIN_PACKAGE, project)
    name = _name(call)
    wanted = read_json(call)
    status, reason = wanted.get("status"), wanted.get("reason", "")
    faults = [f"{key} is not known" for key in wanted if key not in ("status", "reason")]
    if status not in [*Status]:
        faults.append(f"status must be one of {', '.join(Status)}")
    if not isinstance(reason, str) or not is_plain(reason):
        faults.append("reason must be a text without control characters")
    if faults:
        raise InvalidRequest(faults)
    if not call.registry.catalogue.revision([project.id], name):  # it never was in this project
        raise NotFound("Package")
    call.registry.catalogue.set_status(project, name, NameStatus(Status(str(status)), str(reason)))
    return json_response("200 OK", {"name": name, "status": status, "reason": reason})


def upload(call: Call) -> Response:
    """``POST /projects/:id/packages/pypi``"""
    project, principal = call.project(), call.principal()
    require(principal, Ability.CREATE_PACKAGE, project)
    limit = call.registry.max_file_size
    if (call.body.length or 0) >= limit + FORM_ROOM:
        raise FileTooLarge(limit, status=413)
    publish(
        parts(call.body, content_type(call.environ)),
        project,
        catalogue=call.registry.catalogue,
        blobs=call.registry.blobs,
        max_file_size=limit,
        verify=call.registry.verify,
        permit=lambda name: require(principal, Ability.CREATE_PACKAGE, PackageName(project, name)),
    )
    return json_response("201 Created", {"message": "201 Created"})


class _View(NamedTuple):
    """What a caller may read at an address."""

    where: Project | Group
    principal: Principal
    projects: Sequence[Project]
    """The project, or those of the group that the caller may read."""
    ids: tuple[int, ...]
    """Of these projects."""


def _view(call: Call) -> _View:
    where, principal = call.readable()
    if isinstance(where, Project):
        return _View(where, principal, [where], (where.id,))
    projects = principal.readable(where)
    return _View(where, principal, projects, _ids(projects))


_KNOWN_IDS: dict[int, tuple[Sequence[Project], tuple[int, ...]]] = {}
_MOST_KNOWN, _MOST_IN_ALL = 64, 50_000  # groups, and projects in them: a host may give new ones at each request


def _ids(projects: Sequence[Project]) -> tuple[int, ...]:
    """Give the ids of projects. Those of a tuple are kept: a directory may give the same thousands again and again."""
    known = _KNOWN_IDS.get(id(projects))
    if known is not None and known[0] is projects:
        return known[1]
    ids = tuple(project.id for project in projects)
    if isinstance(projects, tuple) and len(ids) <= _MOST_IN_ALL:
        in_all = sum(len(known_ids) for _, known_ids in [*_KNOWN_IDS.values()])
        if len(_KNOWN_IDS) >= _MOST_KNOWN or in_all + len(ids) > _MOST_IN_ALL:
            _KNOWN_IDS.clear()
        _KNOWN_IDS[id(projects)] = projects, ids
    return ids


def _file(call: Call, view: _View) -> PackageFile:
    """Find the newest file of an address that is not quarantined; several projects of a group may offer the same.

    :raises NotFound: if there is none.
    :raises Forbidden: if all are quarantined.
    """
    sha256, filename = call.address.parts["sha256"].lower(), call.address.parts["filename"]
    refusal: RegistryError | None = None
    ids = view.ids
    while (found := call.registry.catalogue.file(ids, sha256, filename)) is not None:
        if not is_quarantined(call, found):
            return found
        refusal = quarantined(found)
        ids = tuple(number for number in ids if number != found.package.project_id)
    raise refusal or NotFound("Package" if isinstance(view.where, Project) else "")


def _file_policy(call: Call, view: _View, file: PackageFile) -> tuple[str, str]:
    if isinstance(view.where, Project):
        return file_policy(call, view.where)
    return file_policy(call, view.where, *(it for it in view.projects if it.id == file.package.project_id))


def _name(call: Call) -> NormalizedName:
    if call.address.name is None:
        raise NotFound("Package")
    return call.address.name


def _wanted(call: Call) -> Negotiated:
    get = call.environ.get
    return negotiate(get("HTTP_ACCEPT") or "", get("HTTP_ACCEPT_ENCODING") or "", get("QUERY_STRING") or "")


def _package_page(call: Call, view: _View, name: NormalizedName, wanted: Negotiated) -> Response | None:
    """Answer with the page of a name; None if it is not here."""
    catalogue = call.registry.catalogue

    def render() -> bytes | None:
        files = catalogue.files(view.ids, name)
        if not files and not catalogue.has_name(view.ids, name):
            return None
        offered, status = _offered(call, files), catalogue.status(view.ids, name)
        return simple.render_package(name, offered, wanted.form, status, slash=call.address.slash)

    return _page(call, view, "", name, wanted, render)


def _offered(call: Call, files: Sequence[PackageFile]) -> Sequence[PackageFile]:
    """Leave out the files of projects in which the name is quarantined."""
    closed = {
        file.package.project_id: is_quarantined(call, file)
        for file in {file.package.project_id: file for file in files}.values()
    }
    return [file for file in files if not closed[file.package.project_id]]


def _page(
    call: Call,
    view: _View,
    title: str,
    name: NormalizedName | None,
    wanted: Negotiated,
    render: Callable[[], bytes | None],
) -> Response | None:
    """Answer with the page of a name, or with the index of this title; None if there is nothing to show.

    It is rendered once a revision.
    """
    # Read before the rows: a change in between makes the page newer than its number, and it is rendered once more.
    revision = call.registry.catalogue.revision(view.ids, name)
    if not revision and name:
        return None
    pages = call.registry.pages if revision else _KEPT_NOWHERE
    key = view.ids, title, name, wanted.form, call.address.slash
    page = pages.get(key, revision, render, gzip=wanted.gzip)
    if page is None:
        return None
    policy = page_policy(call, view.where, view.principal, view.projects)
    if if_none_match(call, page.etag):
        return Response("304 Not Modified", [VARY, policy, ("ETag", page.etag)])
    headers = [("Content-Type", wanted.form.content_type), *page.headers, VARY, policy]
    return Response("200 OK", headers, [page.body])


def _was_published(call: Call, where: Project | Group, name: NormalizedName) -> bool:
    """Tell whether a name may be private to the root group of a place, as it is called now or was then."""
    directory = call.registry.directory
    root = directory.group(where.path.partition("/")[0])
    projects = _ids(directory.projects_in(root)) if root else ()
    return call.registry.catalogue.was_published(where.root, name, projects)


def _elsewhere(call: Call, where: Project | Group, name: NormalizedName) -> Response:
    """Forward a name that is not here, for a caller who may read the place."""
    forward_to = call.registry.forward_to
    index = forward_to(where, name) if callable(forward_to) else forward_to
    if index is None:
        raise NotFound("Package")
    if not isinstance(index, Forward) and _was_published(call, where, name):
        raise NotFound("Package")
    return redirect_response(forward_url(index, name), VARY, REVALIDATE)
