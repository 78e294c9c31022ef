"""The PyPI endpoints, in the order of GitLab's manual (https://docs.gitlab.com/api/packages/pypi/).

Each receives a `Call` and returns a `Response`. Access is checked first: before that, no body is read and nothing is
forwarded.
"""

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import NamedTuple

from packaging.utils import NormalizedName

from pypi_registry._api.access import REVALIDATE, file_policy, page_policy, readable_projects, require
from pypi_registry._api.call import Call
from pypi_registry._api.cors import (
    VARY_BY_ORIGIN,
    is_for_every_page,
    is_preflight,
    needs_absolute_urls,
    preflight_headers,
)
from pypi_registry._api.files import missing, package_file_response, require_offered
from pypi_registry._api.negotiation import Negotiated, negotiate
from pypi_registry._api.variants import find_variants
from pypi_registry._http.errors import NotAuthenticated
from pypi_registry._http.multipart import content_type, parts
from pypi_registry._http.request import unknown_keys
from pypi_registry._http.response import (
    HTML_HEADERS,
    VARY,
    Headers,
    Response,
    bytes_response,
    json_response,
    redirect_response,
)
from pypi_registry._index_urls import package_url
from pypi_registry._pages.cache import RenderedPage, render_page
from pypi_registry._pages.simple import MediaType, render_index, render_package
from pypi_registry._paths import fold
from pypi_registry._publishing import publish as publishing
from pypi_registry._publishing.checks import check_upload, name_of, reason_problems
from pypi_registry._publishing.form import MAX_FIELDS, read_form
from pypi_registry._publishing.incoming import new_file
from pypi_registry._variants import name_and_version
from pypi_registry.auth import Ability, Principal
from pypi_registry.errors import FileTooLarge, Forbidden, InsufficientScope, InvalidRequest, InvalidToken, NotFound
from pypi_registry.events import Actor
from pypi_registry.forwarding import Forward
from pypi_registry.model import FileWithStatus, Group, Namespace, NameStatus, PackageName, Project, Projects, Status
from pypi_registry.storage import MAX_PUBLICATIONS

SLOW_UPLOAD = 5.0
"""Seconds after which an upload looks up its project and authenticates its caller again: both may have changed."""


def file(call: Call) -> Response:
    """``GET …/packages/pypi/files/:sha256/:filename``"""
    view = _view(call)
    found = _file(call, view)
    return package_file_response(call, found.file, _file_policy(view, found))


def core_metadata(call: Call) -> Response:
    """``GET …/packages/pypi/files/:sha256/:filename.metadata``, which is not GitLab's: core metadata (PEP 658)."""
    view = _view(call)
    found = _file(call, view)
    digest = found.file.core_metadata_sha256
    etag = f'"{digest}"'
    headers = VARY, _file_policy(view, found), ("ETag", etag), ("X-Content-Type-Options", "nosniff")
    if digest is not None and call.request.has_representation(etag):
        return Response("304 Not Modified", [*headers])
    if digest is None:
        raise NotFound("Metadata")
    data = call.services.stores.catalogue.core_metadata(found.file.id)
    if data is None:
        raise missing(call, found.file, f"the core metadata of {found.file.filename} is missing")
    return bytes_response("200 OK", "text/plain; charset=utf-8", data, *headers)


def variants(call: Call) -> Response:
    """``GET …/packages/pypi/files/:sha256/:release-variants.json``, which is not GitLab's: PEP 825."""
    view = _view(call)
    wanted = name_and_version(call.match.parameters["release"])
    if wanted is None:
        raise NotFound("Package")
    digest = call.match.parameters["sha256"].lower()
    found = find_variants(call.services.stores.catalogue, view.projects, *wanted, digest)
    namespaces = (project for project in map(view.projects.get, found.project_ids) if project is not None)
    etag = f'"{digest}"'
    policy = file_policy(view.principal, view.namespace, *namespaces)
    headers = VARY, policy, ("ETag", etag), ("X-Content-Type-Options", "nosniff")
    if call.request.has_representation(etag):
        return Response("304 Not Modified", [*headers])
    return bytes_response("200 OK", "application/json", found.content, *headers)


def index(call: Call) -> Response:
    """``GET …/packages/pypi/simple``"""
    view, wanted = _view(call), _negotiated(call)
    catalogue = call.services.stores.catalogue
    title, trailing_slash = view.namespace.title, call.match.trailing_slash

    def render() -> bytes:
        names = catalogue.names(view.projects)
        return render_index(title, names, wanted.media_type, trailing_slash=trailing_slash)

    revision = catalogue.revision(view.projects, None)
    if revision is None:
        # In an open registry every path is an empty project, so these indexes would fill the cache.
        page = render_page(render, gzip=wanted.gzip)
    else:
        key = view.projects.cache_key, title, wanted.content_type, trailing_slash
        page = _cached(call, key, revision, wanted) or call.services.pages.get(
            key,
            revision,
            render,
            gzip=wanted.gzip,
            read_revision=lambda: catalogue.revision(view.projects, None),
        )
    assert page is not None  # an empty index is a page, too
    return _page_response(call, view, page, wanted)


def package(call: Call) -> Response:
    """``GET …/packages/pypi/simple/:package_name``"""
    view, name = _view(call), _name(call)
    return _package_page(call, view, name, _negotiated(call)) or _forward(call, view, name)


def published(call: Call) -> Response:
    """``GET /projects/:id/packages/pypi/+simple/:package_name``, which hatch uses to skip files that exist already.

    The response is always HTML, which is all that hatch reads. Nothing is forwarded: what another index has is not
    published here.
    """
    view, name = _view(call), _name(call)
    html = MediaType.TEXT_HTML
    wanted = _negotiated(call)._replace(media_type=html, content_type=html.content_type)
    page = _package_page(call, view, name, wanted)
    if page is None:
        raise NotFound("Package")
    return page


def set_status(call: Call) -> Response:
    """``PATCH /projects/:id/packages/pypi/simple/:package_name``, which is not GitLab's: project status (PEP 792)."""
    project = call.project()
    principal = call.authenticate(project)
    require(principal, Ability.ADMIN_PACKAGE, project)
    name = _name(call)
    body = call.request.read_json()
    status, reason = body.get("status"), body.get("reason", "")
    problems = unknown_keys(body, "status", "reason")
    if status not in [*Status]:
        problems.append(f"status must be one of {', '.join(Status)}")
    problems += reason_problems("reason", reason)
    if problems:
        raise InvalidRequest(problems)
    publications = call.services.stores.catalogue.publications(name)
    if len(publications) < MAX_PUBLICATIONS and project.id not in {project_id for _, project_id in publications}:
        raise NotFound("Package")  # it was never published in this project
    wanted = NameStatus(Status(str(status)), str(reason))
    publishing.set_status(call.services.stores, project, name, wanted, actor=call.actor(principal))
    return json_response("200 OK", {"name": name, "status": status, "reason": reason})


def upload(call: Call) -> Response:
    """``POST /projects/:id/packages/pypi``"""
    services, project = call.services, call.project()
    principal = call.authenticate(project)
    require(principal, Ability.CREATE_PACKAGE, project)
    body = call.request.body
    if (body.length or 0) >= services.max_file_size + MAX_FIELDS:
        raise FileTooLarge(services.max_file_size, declared=True)
    started = time.monotonic()
    with new_file(services.stores.blobs) as spool:
        form = read_form(
            parts(body, content_type(call.request.environ)),
            spool,
            max_file_size=services.max_file_size,
            verify=services.verify,
            on_filename=lambda filename: call.request.notes.update({"filename": filename}),
        )
        name = name_of(form)
        digest = form.digests.get("sha256_digest", "")
        call.request.notes.update({"package": name or "", "version": form.first("version"), "sha256": digest})
        if name:  # GitLab checks its protection rules before the fields of the form
            require(principal, Ability.CREATE_PACKAGE, PackageName(project, name))
        checked = check_upload(form)

        def confirm() -> tuple[Project, Actor]:
            if time.monotonic() - started <= SLOW_UPLOAD:
                return project, actor
            found = call.reload_project()
            again = call.authenticate(found)
            require(again, Ability.CREATE_PACKAGE, found)
            require(again, Ability.CREATE_PACKAGE, PackageName(found, checked.normalized_name))
            return found, call.actor(again)

        actor = call.actor(principal)
        publishing.publish(services.stores, project, checked, spool, actor=actor, confirm=confirm)
    return json_response("201 Created", {"message": "201 Created"})


def preflight(call: Call) -> Headers:
    """Return the headers by which ``OPTIONS`` allows or refuses a request of a page of another origin."""
    if not is_preflight(call):
        return []
    with suppress(NotFound, Forbidden, NotAuthenticated, InvalidToken, InsufficientScope):
        _view(call)
    return preflight_headers(allowed=call.is_for_every_page)


class _View(NamedTuple):
    """What a caller may read at a path."""

    namespace: Namespace
    principal: Principal
    projects: Projects
    """The project, or those of the group that the caller may read."""
    all_projects: Projects
    """The project, or all of the group."""


def _view(call: Call) -> _View:
    namespace, principal = call.reader()
    if isinstance(namespace, Project):
        readable = all_projects = Projects([namespace])
    else:
        all_projects = call.services.directory.projects_in(namespace)
        readable = readable_projects(principal, all_projects)
    call.is_for_every_page = is_for_every_page(principal, namespace, readable)
    return _View(namespace, principal, readable, all_projects)


def _file(call: Call, view: _View) -> FileWithStatus:
    """Find the file of a path; several projects of a group may have the same.

    :raises NotFound: if there is none.
    :raises Forbidden: if its name is quarantined in all of them.
    """
    sha256, filename = call.match.parameters["sha256"].lower(), call.match.parameters["filename"]
    found = call.services.stores.catalogue.file(view.projects, sha256, filename)
    if found is None:
        raise NotFound("Package" if isinstance(view.namespace, Project) else "")
    require_offered(found.file, found.status)
    return found


def _file_policy(view: _View, found: FileWithStatus) -> tuple[str, str]:
    project = view.projects.get(found.file.package.project_id)
    return file_policy(view.principal, view.namespace, project or view.namespace)


def _name(call: Call) -> NormalizedName:
    if call.match.name is None:
        raise NotFound("Package")
    return call.match.name


def _negotiated(call: Call) -> Negotiated:
    get = call.request.environ.get
    return negotiate(get("HTTP_ACCEPT") or "", get("HTTP_ACCEPT_ENCODING") or "", get("QUERY_STRING") or "")


def _package_page(call: Call, view: _View, name: NormalizedName, wanted: Negotiated) -> Response | None:
    """Respond with the page of a name; None if no project has a package of this name."""
    revision = call.services.stores.catalogue.revision(view.projects, name)
    if revision is None:
        return None
    is_absolute = wanted.media_type is MediaType.JSON and needs_absolute_urls(call)
    base = _files_url(call, view.namespace) if is_absolute else call.match.trailing_slash
    key = view.projects.cache_key, name, wanted.content_type, base, "package"
    page = _cached(call, key, revision, wanted) or _render_package(call, view, name, wanted, key, revision, base)
    return page and _page_response(call, view, page, wanted)


def _render_package(
    call: Call,
    view: _View,
    name: NormalizedName,
    wanted: Negotiated,
    key: Hashable,
    revision: Hashable,
    base: str | bool,
) -> RenderedPage | None:
    """Render the page of a name and cache it.

    :param base: the URL of the files, or whether the URL of the page ends in a slash, for relative links.
    """
    catalogue = call.services.stores.catalogue

    def render() -> bytes | None:
        listing = catalogue.listing(view.projects, name)
        if listing is None:
            return None
        return render_package(
            name,
            listing.offered_files,
            wanted.media_type,
            listing.status,
            trailing_slash=call.match.trailing_slash,
            files_url=base if isinstance(base, str) else "",
        )

    def read_revision() -> Hashable | None:
        return catalogue.revision(view.projects, name)

    return call.services.pages.get(key, revision, render, gzip=wanted.gzip, read_revision=read_revision)


def _cached(call: Call, key: Hashable, revision: Hashable, wanted: Negotiated) -> RenderedPage | None:
    """Return a page from the cache, and note whether it was there, perhaps not compressed yet."""
    pages = call.services.pages
    page = pages.cached(key, revision, gzip=wanted.gzip)
    call.request.notes["was_cached"] = page is not None or (wanted.gzip and pages.cached(key, revision) is not None)
    return page


def _files_url(call: Call, namespace: Namespace) -> str:
    path = f"groups/{namespace.id}/-" if isinstance(namespace, Group) else f"projects/{namespace.id}"
    return f"{call.api_url}/{path}/packages/pypi/files"


def _page_response(call: Call, view: _View, page: RenderedPage, wanted: Negotiated) -> Response:
    policy = page_policy(view.principal, view.namespace)
    is_json = wanted.media_type is MediaType.JSON
    vary = [VARY, VARY_BY_ORIGIN] if is_json and call.is_for_every_page else [VARY]
    if call.request.has_representation(page.etag):
        return Response("304 Not Modified", [*vary, policy, ("ETag", page.etag)])
    html = () if is_json else HTML_HEADERS
    headers = [("Content-Type", wanted.content_type), *page.headers, *vary, policy, *html]
    return Response("200 OK", headers, [page.body])


def _forward(call: Call, view: _View, name: NormalizedName) -> Response:
    """Redirect a caller who may read the namespace to another index, for a name that is not in this registry.

    :raises NotFound: if the name is not forwarded.
    """
    forward_to, namespace = call.services.forward_to, view.namespace
    target = forward_to(namespace, name) if callable(forward_to) else forward_to
    if target is None:
        raise NotFound("Package")
    forward = target if isinstance(target, Forward) else Forward(target)
    if not forward.even_if_published and _was_published(call, view, name):
        raise NotFound("Package")
    call.request.notes["is_forwarded"] = True
    return redirect_response(package_url(forward.url, name), VARY, REVALIDATE)


def _was_published(call: Call, view: _View, name: NormalizedName) -> bool:
    """Return whether a name was published by a project that is in the same root group now, or was at that time.

    The package of a stranger in another index must not replace a private one (dependency confusion).
    """
    directory, namespace, root = call.services.directory, view.namespace, view.namespace.root
    publications = call.services.stores.catalogue.publications(name)
    if len(publications) >= MAX_PUBLICATIONS or root in {published_root for published_root, _ in publications}:
        return True
    # A project may have moved here after it published. The directory looks up this root group and not the projects of
    # the publications: the time of the response would show whether the name exists under other root groups.
    published = {project_id for _, project_id in publications}
    if isinstance(namespace, Group) and fold(namespace.path) == root:
        return any(project_id in view.all_projects for project_id in published)
    group = directory.group(root)
    if group is not None:
        projects_here = directory.projects_in(group)
        return any(project_id in projects_here for project_id in published)
    # The namespace of a user is not a group. Only its projects can be looked up, one by one.
    projects = map(directory.project, published)
    return any(project is not None and project.root == root for project in projects)


Endpoint = Callable[[Call], Response]
