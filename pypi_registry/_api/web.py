"""What the web pages of lists and packages show, collected from the collaborators."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from pypi_registry._api.access import REVALIDATE
from pypi_registry._api.call import Call
from pypi_registry._api.listing import Paging
from pypi_registry._http.response import VARY, Response, html_response
from pypi_registry._pages.about import About, read_about
from pypi_registry._pages.browser import PackageList, PackagePage, PackageRow, render_list, render_package
from pypi_registry._pages.descriptions import render_description
from pypi_registry._pages.document import Frame, Links
from pypi_registry._paths import paths_above
from pypi_registry.auth import Ability, Principal
from pypi_registry.directory import Directory
from pypi_registry.model import (
    Namespace,
    NameStatus,
    Package,
    PackageDetails,
    PackageQuery,
    Project,
    Projects,
)
from pypi_registry.storage import MAX_TOTAL, Catalogue

_LOOKBACK = 500
"""Versions before a page that are read, too: a name among them is on an earlier page, so it needs no look-up."""

_LOOKAHEAD = 500
"""Versions after a page that are read to find more names for its rows."""

_MAX_VERSIONS = 1_000
"""Versions that the page of a package lists at most."""


def list_page(
    call: Call,
    namespace: Namespace,
    principal: Principal,
    projects: Projects,
    query: PackageQuery | None,
    paging: Paging,
    parameters: Mapping[str, str],
) -> Response:
    """Respond with a page of the packages of a project or a group.

    :param query: None if no package can match.
    """
    shown = package_list(call.services.stores.catalogue, projects, query, paging, parameters)
    frame = frame_of(call, namespace, principal)
    return web_page(render_list(namespace, shown, frame, call.api_url, MAX_TOTAL))


def package_page(call: Call, project: Project, principal: Principal, details: PackageDetails) -> Response:
    """Respond with the page of a package."""
    catalogue, package = call.services.stores.catalogue, details.package
    query = PackageQuery(normalized_name=package.normalized_name, descending=True, limit=_MAX_VERSIONS + 1)
    found, _ = catalogue.packages(Projects([project]), query)
    page = PackagePage(
        project,
        details,
        versions=sorted(found[:_MAX_VERSIONS], key=_version_key, reverse=True),
        more_versions=len(found) > _MAX_VERSIONS,
        about=_about(catalogue, details),
        status=_status(catalogue, project, details),
    )
    frame = frame_of(call, project, principal, f"{package.name} {package.version}")
    render = partial(render_description, cache=call.services.pages)
    return web_page(render_package(page, frame, call.api_url, render))


def web_page(body: bytes) -> Response:
    """Respond with a page that only its caller may see."""
    return html_response("200 OK", body, VARY, REVALIDATE)


# Lists


def package_list(
    catalogue: Catalogue,
    projects: Projects,
    query: PackageQuery | None,
    paging: Paging,
    parameters: Mapping[str, str],
) -> PackageList:
    """Return one page of the packages that match a query, the last published first.

    A page number counts versions, and a package is on the page of its newest version. If a page would have less than
    half of its rows, because the packages of its versions are on earlier pages, it also gets the rows of later pages.
    At most `_LOOKAHEAD` versions after it are read, and at most twice `Paging.per_page` names are looked up. So a page
    may have fewer rows, or none.

    :param query: the search; its order, offset and limit are ignored. None if nothing can match.
    """
    if query is None:
        return PackageList([], 0, paging.page, None, parameters)
    rows: list[PackageRow] = []
    seen: set[tuple[int, str]] = set()
    looked_up, next_page = 0, paging.page
    for part in _parts(catalogue, projects, query, paging):
        seen.update(map(_key, part.newer))
        for package in part.versions:
            if _key(package) not in seen:
                seen.add(_key(package))
                looked_up += 1
                rows += _row(catalogue, projects, query, package)
        next_page += 1
        if len(rows) > paging.per_page // 2 or looked_up > paging.per_page:
            break
    return PackageList(rows, part.total, paging.page, next_page if part.has_more else None, parameters)


class _Part(NamedTuple):
    """The versions of one page number."""

    newer: Sequence[Package]
    """The last versions before these, at most `_LOOKBACK`; empty if the previous part contained them."""
    versions: Sequence[Package]
    total: int | None
    has_more: bool


def _parts(catalogue: Catalogue, projects: Projects, query: PackageQuery, paging: Paging) -> Iterator[_Part]:
    """Yield the versions of a page, also if it has none, then those of the pages after it, up to `_LOOKAHEAD`."""
    offset, before = paging.offset, min(paging.offset, _LOOKBACK)
    for size in (paging.per_page, _LOOKAHEAD // paging.per_page * paging.per_page):
        window = replace(query, order_by="created_at", descending=True, offset=offset - before, limit=before + size + 1)
        found, total = catalogue.packages(projects, window)
        newer, found = found[:before], found[before:]
        for start in range(0, size, paging.per_page):
            end = start + paging.per_page
            has_more = len(found) > end
            yield _Part(newer, found[start:end], total, has_more)
            if not has_more:
                return
            newer = []
        offset, before = offset + size, 0


def _key(package: Package) -> tuple[int, str]:
    return package.project_id, package.normalized_name


def _row(catalogue: Catalogue, projects: Projects, query: PackageQuery, package: Package) -> Sequence[PackageRow]:
    """Return the row of a package if no version of it is newer."""
    project = projects.get(package.project_id)
    assert project is not None  # the catalogue lists packages of these projects only
    of_name = replace(
        query,
        normalized_name=package.normalized_name,
        order_by="created_at",
        descending=True,
        offset=0,
        limit=1,
    )
    newest, versions = catalogue.packages(Projects([project]), of_name)
    if not newest or newest[0].id != package.id:
        return []
    details = catalogue.package(project.id, package.id)
    published_by = details.files[0].uploaded_by if details and details.files else ""
    return [PackageRow(project, package, versions, published_by)]


# Packages


def _version_key(package: Package) -> tuple[Version, int]:
    try:
        return Version(package.version), package.id
    except InvalidVersion:
        # GitLab's expression for valid versions accepts some that packaging does not.
        return Version("0.dev0"), package.id


def _about(catalogue: Catalogue, details: PackageDetails) -> About:
    """Return the facts in the core metadata of the newest file that has core metadata."""
    for file in reversed(details.files):
        if file.core_metadata_sha256 is not None and (data := catalogue.core_metadata(file.id)) is not None:
            return read_about(data)
    return About()


def _status(catalogue: Catalogue, project: Project, details: PackageDetails) -> NameStatus:
    for file in details.files[:1]:
        if found := catalogue.file(Projects([project]), file.digests.sha256, file.filename):
            return found.status
    return NameStatus()


# Frames


def frame_of(call: Call, namespace: Namespace, principal: Principal, *more: str) -> Frame:
    """Return the frame of a page of a project or a group: the groups above it, and the caller.

    :param more: the names of levels below it.
    """
    links = call.links
    own = links.project(namespace) if isinstance(namespace, Project) else None
    last_segment = namespace.path.rpartition("/")[2]
    crumbs = [*_above(call.services.directory, links, namespace, principal), (last_segment, own)]
    crumbs += [(name, None) for name in more]
    return Frame(links, crumbs, caller=None if principal.anonymous else principal.name)


def _above(
    directory: Directory, links: Links, namespace: Namespace, principal: Principal
) -> Sequence[tuple[str, str | None]]:
    """Return the groups above, with a reference to each whose packages the caller may list."""
    crumbs: list[tuple[str, str | None]] = []
    for path in paths_above(namespace.path):
        group = directory.group(path) if links.group else None
        url = links.group(group) if links.group and group and principal.can(Ability.READ_PACKAGE, group) else None
        crumbs.append((path.rpartition("/")[2], url))
    return crumbs
