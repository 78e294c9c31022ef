"""The PyPI endpoints, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/pypi/).

Each takes a `Call` and gives an `Answer`. Who asks comes first: before that nothing of a body is read, and nothing is
forwarded.
"""

from collections.abc import Callable
from html import escape
from urllib.parse import unquote

from packaging.utils import NormalizedName

from pypi_registry import simple
from pypi_registry.auth import Ability, Principal, require
from pypi_registry.directory import parse_ref
from pypi_registry.downloads import answer_file
from pypi_registry.edge import VARY, Answer, Call, answer_bytes, answer_json, simple_form, unchanged
from pypi_registry.errors import FileTooLarge, InvalidName, NotFound
from pypi_registry.forwarding import Released, forward_url
from pypi_registry.model import Group, PackageName, Project
from pypi_registry.multipart import content_type, parts
from pypi_registry.names import normalize
from pypi_registry.storage import Redirect
from pypi_registry.uploads import FORM_ROOM, publish

# pip and uv honour max-age on pages, and would miss a fresh upload for as long; asking again costs a 304.
_FRESH = ("Cache-Control", "private, no-cache")
_FOR_EVER = ("Cache-Control", "private, max-age=31536000, immutable")  # a file's digest is in its address

_ID_BYTES = 40  # of a project's id in the key of a page


def file(call: Call) -> Answer:
    """``GET …/packages/pypi/files/:sha256/:filename``"""
    where, projects = _readable(call)
    found = call.registry.catalogue.file(projects, call.captured["sha256"].lower(), call.captured["filename"])
    if found is None:
        raise NotFound("Package" if isinstance(where, Project) else "")
    stream = call.registry.blobs.open(found.key)
    if stream is None:
        raise NotFound
    if isinstance(stream, Redirect):
        return _moved(stream.url)
    content = [
        ("Content-Type", "application/octet-stream"),  # never guessed: for ".tar.gz" a guess adds Content-Encoding
        ("Content-Disposition", f'attachment; filename="{found.filename}"'),
        ("X-Content-Type-Options", "nosniff"),
    ]
    etag = f'"{found.digests.sha256}"'
    return answer_file(call, stream, found.size, etag, validators=[VARY, _FOR_EVER], content=content)


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
    try:
        name = normalize(call.captured["name"])
    except InvalidName:
        raise NotFound("Package") from None

    def render(form: simple.Form) -> bytes | None:
        files = call.registry.catalogue.files(projects, name)
        return simple.render_package(name, files, form, slash=call.slash) if files else None

    return _page(call, projects, ("", name), render) or _elsewhere(call, where, name)


def upload(call: Call) -> Answer:
    """``POST /projects/:id/packages/pypi``"""
    project = _project(call)
    principal = _principal(call)
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


def _project(call: Call) -> Project:
    ref = parse_ref(unquote(call.captured["project"]))  # some servers leave %2F in it
    project = None if ref is None else call.registry.directory.project(ref)
    if project is None:
        raise NotFound
    return project


def _group(call: Call) -> Group:
    ref = parse_ref(unquote(call.captured["group"]))
    group = None if ref is None else call.registry.directory.group(ref)
    if group is None:
        raise NotFound
    return group


def _principal(call: Call) -> Principal:
    return call.registry.auth.authenticate(call.credentials, call.environ)


def _readable(call: Call) -> tuple[Project | Group, tuple[int, ...]]:
    """Give the project or group of a request, and the ids of those of its projects that the caller may read.

    An unknown id is 404 for everybody, so it comes before the credentials.
    """
    where = _project(call) if "project" in call.captured else _group(call)
    principal = _principal(call)
    require(principal, Ability.READ_PACKAGE, where)
    if isinstance(where, Project):
        return where, (where.id,)
    return where, tuple(project.id for project in principal.readable(where))


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
    headers = VARY, _FRESH, ("ETag", page.etag)
    if unchanged(call, page.etag):
        return Answer("304 Not Modified", [*headers])
    return answer_bytes("200 OK", form.content_type, page.body, *headers)


def _elsewhere(call: Call, where: Project | Group, name: NormalizedName) -> Answer:
    """Forward a name that is not here, for a caller who may read the place."""
    forward_to = call.registry.forward_to
    index = forward_to(where, name) if callable(forward_to) else forward_to
    if index is None:
        raise NotFound("Package")
    if not isinstance(index, Released) and call.registry.catalogue.was_published(where.root, name):
        raise NotFound("Package")
    return _moved(forward_url(index, name))


def _moved(url: str) -> Answer:
    # 302, since CacheControl (pip, poetry) keeps a 301 for ever. HTML without an anchor: uv before 0.12 reads this body
    # as the page, and fails on any other type.
    text = f"<!DOCTYPE html>\n<title>Found</title>\nThis resource has been moved temporarily to {escape(url)}.\n"
    return answer_bytes("302 Found", "text/html; charset=utf-8", text.encode(), VARY, _FRESH, ("Location", url))
