"""The web pages of the Packages API: lists of packages, and a package, read only. Values in, bytes out."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias
from urllib.parse import urlencode

from packaging.version import InvalidVersion, Version

from pypi_registry._pages.about import About
from pypi_registry._pages.document import (
    Frame,
    block,
    link,
    render_document,
    search_form,
    table,
    tag,
    time_of,
    visibility_tag,
)
from pypi_registry.model import (
    Group,
    Namespace,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    Project,
    Status,
    Visibility,
)

_SHOWN_VERSIONS = 10
_MAX_ITEMS = 200

RenderDescription: TypeAlias = Callable[[str, str], str | None]
"""Renders a description of a content type to safe HTML; None shows it as plain text."""


@dataclass(frozen=True, slots=True)
class PackageRow:
    """A name in a project, with its newest version."""

    project: Project
    newest: Package
    versions: int | None
    """How many versions there are; None if there are more than are counted."""
    published_by: str
    """Empty if the caller was anonymous or is not known."""


@dataclass(frozen=True, slots=True)
class PackageList:
    """One page of a list of packages."""

    rows: Sequence[PackageRow]
    total: int | None
    """How many versions the whole list has; None if it has more than are counted."""
    page: int
    next_page: int | None
    parameters: Mapping[str, str]
    """The query with which the list was requested."""

    @property
    def search(self) -> str:
        """The text for which names were searched."""
        return self.parameters.get("package_name", "")


def render_list(namespace: Namespace, shown: PackageList, frame: Frame, api_url: str, max_total: int) -> bytes:
    """Render one page of the packages of a project or a group.

    :param api_url: the URL at which the registry is mounted.
    :param max_total: the total up to which versions are counted.
    """
    body = f"""
<h1>Package registry</h1>
<p class="muted">{escape(namespace.path)}{visibility_tag(namespace.visibility)}</p>
{search_form("Search packages", shown.search)}
{package_list(shown, frame, max_total, with_projects=isinstance(namespace, Group))}
{_setup_of(namespace, api_url)}"""
    return render_document(f"Packages of {namespace.title}", frame, body)


def package_list(shown: PackageList, frame: Frame, max_total: int, *, with_projects: bool = True) -> str:
    """Write one page of a list: how much there is, a row for each name, and the links to other pages."""
    previous = _turn(shown.parameters, shown.page - 1, "Previous page") if shown.page > 1 else ""
    following = _turn(shown.parameters, shown.next_page, "Next page") if shown.next_page else ""
    return f"""<p class="muted">{_count(shown, max_total)}</p>
{package_table(shown.rows, frame, max_total, with_projects=with_projects) if shown.rows else ""}
<nav class="pages" aria-label="Pages">{previous}{following}</nav>"""


def package_table(rows: Iterable[PackageRow], frame: Frame, max_total: int, *, with_projects: bool = True) -> str:
    """Write a table with a row for each name."""

    def project(row: PackageRow) -> str:
        if not with_projects:
            return ""
        return f'<td data-label="Project">{link(row.project.path, frame.links.project(row.project))}</td>'

    cells = (
        f'<th scope="row">{link(row.newest.name, frame.links.package(row.project, row.newest.id))}</th>'
        f'<td data-label="Newest version">{escape(row.newest.version)}{_yanked_tag(row.newest)}</td>'
        f'<td data-label="Versions">{_number(row.versions, max_total)}</td>'
        f"{project(row)}"
        f'<td data-label="Published">{time_of(row.newest.created_at)}{_by(row.published_by)}</td>'
        for row in rows
    )
    headings = ["Name", "Newest version", "Versions", *(["Project"] if with_projects else []), "Published"]
    return table(headings, cells)


def _count(shown: PackageList, max_total: int) -> str:
    if shown.total == 0:
        return f"No package matches “{escape(shown.search)}”." if shown.search else "No packages yet."
    if not shown.rows:
        return "The packages of these versions are on earlier pages."
    words = f"{_number(shown.total, max_total)} {'version' if shown.total == 1 else 'versions'}"
    return f"{words}, the last published first"


def _number(number: int | None, max_total: int) -> str:
    """Write a number of versions.

    >>> _number(1234, 10_000), _number(None, 10_000)
    ('1,234', 'more than 10,000')
    """
    return f"more than {max_total:,}" if number is None else f"{number:,}"


def _turn(parameters: Mapping[str, str], page: int, text: str) -> str:
    return link(text, f"?{urlencode({**parameters, 'page': page})}")


def _setup_of(namespace: Namespace, api_url: str) -> str:
    index = index_url(namespace, api_url)
    publish = ""
    if isinstance(namespace, Project):
        publish = f"""<h3>Publish</h3>
<p>Add this to <code>~/.pypirc</code>; <code>TOKEN</code> is your token.</p>
{block(pypirc(pypi_url(namespace.id, api_url)))}
{block(UPLOAD)}"""
    return f"""<h2>Use this registry</h2>
<h3>Install</h3>
{block(f"pip install NAME --index-url {index}")}
{block(f"uv pip install NAME --default-index {index}")}
<p>For all commands of a shell:</p>
{block(f"export PIP_INDEX_URL={index}")}
{block(f"export UV_DEFAULT_INDEX={index}")}
{publish}"""


@dataclass(frozen=True, slots=True)
class PackagePage:
    """A package, as its page shows it."""

    project: Project
    details: PackageDetails
    versions: Sequence[Package]
    """All versions of the name, the highest first."""
    more_versions: bool
    """Whether there are more versions than these."""
    about: About
    status: NameStatus

    @property
    def requirement(self) -> str:
        """What pip installs: the name alone if that selects this version, and the exact version otherwise."""
        package = self.details.package
        preferred = [each for each in self.versions if each.yanked is None]
        final = [each for each in preferred if not is_prerelease(each.version)] or preferred
        is_default = bool(final) and final[0].id == package.id
        return package.name if is_default else shlex.quote(f"{package.name}=={package.version}")


def is_prerelease(version: str) -> bool:
    """Return whether installers ignore a version while there is another one."""
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def render_package(page: PackagePage, frame: Frame, api_url: str, render_description: RenderDescription) -> bytes:
    """Render a package with its files.

    :param api_url: the URL at which the registry is mounted.
    """
    package, metadata = page.details.package, page.details.metadata
    index = index_url(page.project, api_url)
    body = f"""
<h1>{escape(package.name)} {escape(package.version)}</h1>
<p class="muted">Published {time_of(package.created_at)}{_by(_publisher(page.details))}{
        visibility_tag(page.project.visibility)
    }</p>
{_status_notice(page.status)}{_yanked_notice(package)}
{f"<p>{escape(metadata.summary)}</p>" if metadata.summary else ""}
<div class="columns"><div>
<h2>Install</h2>
{block(f"pip install {page.requirement} --index-url {index}")}
{block(f"uv pip install {page.requirement} --default-index {index}")}
{"" if page.project.visibility is Visibility.PUBLIC else "<p>You will need a personal access token.</p>"}
<h2>Files</h2>
{_files(page, frame)}
{_description(metadata, render_description)}
<h2>Registry setup</h2>
<p>If you haven't already done so, add the configuration below to your <code>.pypirc</code> file.</p>
{block(pypirc(pypi_url(page.project.id, api_url)))}
{block(UPLOAD)}
</div><aside>
<h2>Versions</h2>
{_versions(page, frame)}
{_about(page)}
</aside></div>"""
    return render_document(f"{package.name} {package.version}", frame, body)


def _publisher(details: PackageDetails) -> str:
    return details.files[0].uploaded_by if details.files else ""


def _files(page: PackagePage, frame: Frame) -> str:
    if not page.details.files:
        return "<p>All files were deleted.</p>"
    is_offered = page.status.status.offers_files
    rows = (
        f'<td class="wide">{_file_name(file, frame.links.file(page.project, file) if is_offered else None)}</td>'
        f'<td class="number" data-label="Size">{size_of(file.size)}</td>'
        f'<td data-label="Uploaded">{time_of(file.uploaded_at)}{_by(file.uploaded_by)}</td>'
        for file in page.details.files
    )
    return table(["Name", "Size", "Uploaded"], rows)


def _file_name(file: PackageFile, url: str | None) -> str:
    name = escape(file.filename) if url is None else link(file.filename, url)
    return f"{name}<br><small>SHA-256 <code>{file.digests.sha256}</code></small>"


def _versions(page: PackagePage, frame: Frame) -> str:
    items = [_version(page, each, frame) for each in page.versions]
    first, rest = items[:_SHOWN_VERSIONS], items[_SHOWN_VERSIONS:]
    more = f'<ul class="plain">{"".join(rest)}</ul>' if rest else ""
    if page.more_versions:
        more += "<p>Older versions are not listed here.</p>"
    folded = f"<details><summary>{len(rest):,} more</summary>{more}</details>" if rest else more
    return f'<ul class="plain">{"".join(first)}</ul>{folded}'


def _version(page: PackagePage, package: Package, frame: Frame) -> str:
    is_shown = package.id == page.details.package.id
    name = f'<strong aria-current="page">{escape(package.version)}</strong>'
    if not is_shown:
        name = link(package.version, frame.links.package(page.project, package.id))
    reason = f"<br><small>{escape(package.yanked)}</small>" if package.yanked else ""
    return f"<li>{name}{_yanked_tag(package)} <small>{package.created_at:%Y-%m-%d}</small>{reason}</li>"


def _about(page: PackagePage) -> str:
    about, metadata = page.about, page.details.metadata
    authors = about.authors or ([metadata.author_email] if metadata.author_email else [])
    requires_python = next((file.requires_python for file in page.details.files if file.requires_python), "")
    texts = {
        "Requires Python": requires_python,
        "Licence": about.licence,
        "Author": ", ".join(authors),
        "Keywords": metadata.keywords,
    }
    terms = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in texts.items() if text)
    links = "".join(
        f'<li><a href="{escape(url)}" rel="nofollow noopener">{escape(label)}</a></li>' for label, url in about.links
    )
    return (
        (f"<h2>About</h2><dl>{terms}</dl>" if terms else "")
        + (f'<h2>Links</h2><ul class="plain">{links}</ul>' if links else "")
        + _list("Dependencies", about.dependencies)
        + _list("Classifiers", about.classifiers)
    )


def _list(heading: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts[:_MAX_ITEMS])
    more = len(texts) - _MAX_ITEMS
    return f'<h2>{heading}</h2><ul class="plain">{items}</ul>{f"<p>and {more:,} more</p>" if more > 0 else ""}'


def index_url(namespace: Namespace, api_url: str) -> str:
    """Return the URL of an index, with a user name and the word TOKEN if it is not public."""
    if isinstance(namespace, Project):
        url = f"{pypi_url(namespace.id, api_url)}/simple"
    else:
        url = group_index_url(namespace.id, api_url)
    return url if namespace.visibility is Visibility.PUBLIC else with_token(url)


def pypi_url(project: int | str, api_url: str) -> str:
    """Return the URL of the PyPI endpoints of a project."""
    return f"{api_url}/projects/{project}/packages/pypi"


def group_index_url(group: int | str, api_url: str) -> str:
    """Return the URL of the index of a group."""
    return f"{api_url}/groups/{group}/-/packages/pypi/simple"


USER = "__token__"
"""The user name in all commands: the registry ignores it."""

UPLOAD = "twine upload --repository gitlab dist/*"
"""Publishes with the configuration of `pypirc`."""


def with_token(url: str) -> str:
    """Return a URL with a user name and the word TOKEN in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{USER}:TOKEN@{rest}"


def pypirc(url: str) -> str:
    """Return the configuration with which twine publishes to a URL."""
    return f"[distutils]\nindex-servers = gitlab\n\n[gitlab]\nrepository = {url}\nusername = {USER}\npassword = TOKEN"


def _by(name: str) -> str:
    return f" by {escape(name)}" if name else ""


def size_of(size: int) -> str:
    """Write a number of bytes for people, in the units of GitLab's page.

    >>> size_of(999), size_of(1536), size_of(5 * 1024**3)
    ('999 B', '1.5 KiB', '5.0 GiB')
    """
    if size < 1024:
        return f"{size} B"
    amount, units = size / 1024, ["KiB", "MiB", "GiB"]
    while round(amount, 1) >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f} {units[0]}"


def _yanked_tag(package: Package) -> str:
    return "" if package.yanked is None else tag("yanked")


def _yanked_notice(package: Package) -> str:
    if package.yanked is None:
        return ""
    reason = f": {escape(package.yanked)}" if package.yanked else "."
    return f'<p class="notice">This version was yanked{reason}</p>'


_STATUS_NOTICES = {
    Status.ARCHIVED: "This package is archived: no further versions are published",
    Status.QUARANTINED: "This package is quarantined: its files cannot be downloaded",
    Status.DEPRECATED: "This package is deprecated",
}


def _status_notice(status: NameStatus) -> str:
    if status.status not in _STATUS_NOTICES:
        return ""
    reason = f" ({escape(status.reason)})" if status.reason else ""
    return f'<p class="notice">{_STATUS_NOTICES[status.status]}{reason}.</p>'


def _description(metadata: PackageMetadata, render: RenderDescription) -> str:
    if not metadata.description:
        return ""
    rendered = render(metadata.description, metadata.description_content_type)
    shown = f"<pre>{escape(metadata.description)}</pre>" if rendered is None else f"<article>{rendered}</article>"
    return f"<h2>Description</h2>{shown}"
