"""The PyPI endpoints, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/pypi/).

Each takes a `Call` and gives an `Answer`. Who asks comes first: before that nothing of a body is read, and nothing is
forwarded.
"""

from collections.abc import Callable, Sequence

from packaging.utils import NormalizedName

from pypi_registry import simple
from pypi_registry.auth import Ability, require
from pypi_registry.downloads import answer_package_file, is_quarantined
from pypi_registry.edge import (
    FRESH,
    VARY,
    Answer,
    Call,
    answer_bytes,
    answer_json,
    answer_redirect,
    is_plain,
    read_json,
    simple_form,
    unchanged,
)
from pypi_registry.errors import FileTooLarge, InvalidName, InvalidRequest, NotFound
from pypi_registry.forwarding import Released, forward_url
from pypi_registry.model import Group, NameStatus, PackageFile, PackageName, Project, Status
from pypi_registry.multipart import content_type, parts
from pypi_registry.names import normalize
from pypi_registry.uploads import FORM_ROOM, MAX_LENGTH, publish

_ID_BYTES = 40  # of a project's id in the key of a page


def file(call: Call) -> Answer:
    """``GET …/packages/pypi/files/:sha256/:filename``"""
    where, projects = _readable(call)
    sha256, filename = call.captured["sha256"].lower(), call.captured["filename"]
    catalogue = call.registry.catalogue
    newest = found = catalogue.file(projects, sha256, filename)
    while found is not None and is_quarantined(call, found):  # another project of the group may offer the same file
        closed = found.package.project_id
        projects = tuple(project for project in projects if project != closed)
        found = catalogue.file(projects, sha256, filename)
    if newest is None:
        raise NotFound("Package" if isinstance(where, Project) else "")
    return answer_package_file(call, found or newest)


def index(call: Call) -> Answer:
    """``GET …/packages/pypi/simple``"""
    where, projects = _readable(call)

    def render(form: simple.Form) -> bytes:
        return simple.render_index(where.title, call.registry.catalogue.names(projects), form, slash=call.slash)

    page = _page(call, projects, (where.title, None), render)
    assert page is not None  # an empty index is a page too
    return page


def package(call: Call) -> Answer:
    """``GET …/packages/pypi/simple/:package_name``"""
    where, projects = _readable(call)
    name = _name(call)
    catalogue = call.registry.catalogue

    def render(form: simple.Form) -> bytes | None:
        files = catalogue.files(projects, name)
        if not files and not catalogue.has_name(projects, name):
            return None
        offered = _offered(call, files)
        return simple.render_package(name, offered, form, catalogue.status(projects, name), slash=call.slash)

    return _page(call, projects, ("", name), render) or _elsewhere(call, where, name)


def set_status(call: Call) -> Answer:
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
    return answer_json("200 OK", {"name": name, "status": status, "reason": reason})


def upload(call: Call) -> Answer:
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
        permit=lambda name: require(principal, Ability.CREATE_PACKAGE, PackageName(project, name)),
    )
    return answer_json("201 Created", {"message": "201 Created"})


def _readable(call: Call) -> tuple[Project | Group, tuple[int, ...]]:
    """Give the project or group of a request, and the ids of those of its projects that the caller may read."""
    where, principal = call.readable()
    if isinstance(where, Project):
        return where, (where.id,)
    return where, tuple(project.id for project in principal.readable(where))


def _name(call: Call) -> NormalizedName:
    text = call.captured["name"]
    try:
        if len(text) > MAX_LENGTH:
            raise InvalidName(text)
        return normalize(text)
    except InvalidName:
        raise NotFound("Package") from None


def _offered(call: Call, files: Sequence[PackageFile]) -> Sequence[PackageFile]:
    """Leave out the files of projects in which the name is quarantined."""
    quarantined = {
        file.package.project_id: is_quarantined(call, file)
        for file in {file.package.project_id: file for file in files}.values()
    }
    return [file for file in files if not quarantined[file.package.project_id]]


def _page(
    call: Call,
    projects: tuple[int, ...],
    subject: tuple[str, NormalizedName | None],
    render: Callable[[simple.Form], bytes | None],
) -> Answer | None:
    """Answer with a simple page, rendered once a revision; None if there is nothing to show."""
    form = simple_form(call)
    # Read before the rows: a change in between makes the page newer than its number, and it is rendered once more.
    revision = call.registry.catalogue.revision(projects, subject[1])
    if not revision and subject[1]:
        return None
    key = projects, subject, form, call.slash
    page = call.registry.pages.get(key, revision, lambda: render(form), key_bytes=_ID_BYTES * len(projects))
    if page is None:
        return None
    headers = VARY, FRESH, ("ETag", page.etag)
    if unchanged(call, page.etag):
        return Answer("304 Not Modified", [*headers])
    return answer_bytes("200 OK", form.content_type, page.body, *headers)


def _was_published(call: Call, where: Project | Group, name: NormalizedName) -> bool:
    """Tell whether a name may be private to the root group of a place, as it is called now or was then."""
    directory = call.registry.directory
    root = directory.group(where.path.partition("/")[0])
    projects = [project.id for project in directory.projects_in(root)] if root else []
    return call.registry.catalogue.was_published(where.root, name, projects)


def _elsewhere(call: Call, where: Project | Group, name: NormalizedName) -> Answer:
    """Forward a name that is not here, for a caller who may read the place."""
    forward_to = call.registry.forward_to
    index = forward_to(where, name) if callable(forward_to) else forward_to
    if index is None:
        raise NotFound("Package")
    if not isinstance(index, Released) and _was_published(call, where, name):
        raise NotFound("Package")
    return answer_redirect(forward_url(index, name), VARY, FRESH)
