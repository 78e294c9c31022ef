"""The web pages for people: GitLab's "Package registry", read only. Values in, bytes out; no script.

All text from outside is escaped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TypeAlias
from urllib.parse import urlencode

from pypi_registry.model import (
    Namespace,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    Project,
    Projects,
    Visibility,
)

_STYLE = """
:root { color-scheme: light dark }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
a { color: LinkText }
a:focus-visible, input:focus-visible, button:focus-visible { outline: 2px solid Highlight; outline-offset: 2px }
header p, td small, dt { color: GrayText }
table { width: 100%; border-collapse: collapse }
th, td { padding: .4rem .6rem .4rem 0; text-align: start; vertical-align: top; border-bottom: 1px solid #8884 }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8886; border-radius: .3rem; overflow-wrap: normal }
code { font-size: .9em }
.notice { padding: .6rem .8rem; border-inline-start: .3rem solid #c60; background: #c601 }
input, button { font: inherit; padding: .3rem .6rem; max-width: 100% }
nav { display: flex; gap: 1rem; padding: 1rem 0 }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%) }
  tr, td { display: block; border: 0; padding: .1rem 0 }
  tr { padding: .6rem 0; border-bottom: 1px solid #8884 }
}
"""


RenderDescription: TypeAlias = Callable[[str, str], str | None]
"""Renders a description of a content type to safe HTML; None shows it as plain text."""


@dataclass(frozen=True, slots=True)
class PackageList:
    """One page of a list of packages."""

    namespace: Namespace
    packages: Sequence[Package]
    projects: Projects
    """Those of the packages, at least."""
    total: int | None
    """How many packages the whole list has; None if it has more than are counted."""
    page: int
    has_next: bool
    parameters: Mapping[str, str]
    """The query with which the list was requested."""
    packages_path: Callable[[Project], str]
    """Returns the URL of the packages of a project, relative to the page."""


def render_list(shown: PackageList, max_total: int) -> bytes:
    """Render one page of a list of packages.

    :param max_total: the total up to which packages are counted.
    """
    search = shown.parameters.get("package_name", "")
    rows = (
        f'<tr><td><a href="{escape(shown.packages_path(project))}/{package.id}">{escape(package.name)}</a>'
        f"{_yanked_mark(package)}<td>{escape(package.version)}<td>{escape(project.path)}<td>{_date(package.created_at)}"
        for package in shown.packages
        if (project := shown.projects.get(package.project_id))
    )
    previous = _turn(shown.parameters, shown.page - 1, "Previous") if shown.page > 1 else ""
    following = _turn(shown.parameters, shown.page + 1, "Next") if shown.has_next else ""
    body = f"""
<header><h1>Package registry</h1><p>{escape(shown.namespace.path)}</p></header>
<form method="get" role="search">
  <label>Name <input type="search" name="package_name" value="{escape(search)}"></label>
  <button>Search</button>
</form>
<p>{_count(shown.total, max_total)}</p>
{_table(["Name", "Version", "Project", "Published"], rows) if shown.packages else ""}
<nav aria-label="Pages">{previous}{following}</nav>"""
    return _document(f"Packages of {shown.namespace.title}", body)


def _count(total: int | None, max_total: int) -> str:
    """Write how many packages there are.

    >>> _count(1, 10_000), _count(None, 10_000)
    ('1 package', 'more than 10,000 packages')
    """
    if total is None:
        return f"more than {max_total:,} packages"
    return f"{total} {'package' if total == 1 else 'packages'}"


def render_package(
    project: Project,
    details: PackageDetails,
    others: Sequence[Package],
    packages_path: str,
    api_url: str,
    render_description: RenderDescription,
) -> bytes:
    """Render a package with its files.

    :param others: the other versions of its name.
    :param packages_path: the URL of the packages of the project, relative to the page.
    :param api_url: the URL at which the registry is mounted.
    """
    package, metadata = details.package, details.metadata
    rows = (
        f'<tr><td><a href="{escape(_file_path(packages_path, file))}">{escape(file.filename)}</a>'
        f"<br><small>SHA-256 <code>{file.digests.sha256}</code></small>"
        f"<td>{_size(file.size)}<td>{escape(file.requires_python) or '–'}<td>{_date(file.uploaded_at)}{_by(file)}"
        for file in details.files
    )
    versions = "".join(
        f'<li><a href="{escape(packages_path)}/{other.id}">{escape(other.version)}</a>{_yanked_mark(other)}'
        for other in others
    )
    body = f"""
<header><h1>{escape(package.name)} {escape(package.version)}</h1>
<p>{escape(project.path)} · published {_date(package.created_at)}</p></header>
{_yanked_notice(package)}
{f"<p>{escape(metadata.summary)}</p>" if metadata.summary else ""}
<h2>Install</h2>
<pre><code>{escape(_pip_command(project, package, api_url))}</code></pre>
{"" if project.visibility is Visibility.PUBLIC else "<p>You will need a personal access token.</p>"}
<h2>Registry setup</h2>
<p>If you haven't already done so, add the configuration below to your <code>.pypirc</code> file.</p>
<pre><code>{escape(_pypirc(project, api_url))}</code></pre>
<h2>Files</h2>
{_table(["Name", "Size", "Required Python", "Published"], rows) if details.files else "<p>All files were deleted.</p>"}
{f"<h2>Other versions</h2><ul>{versions}</ul>" if versions else ""}
{f"<h2>Description</h2>{_description(metadata, render_description)}" if metadata.description else ""}"""
    return _document(f"{package.name} {package.version}", body)


def _document(title: str, body: str) -> bytes:
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
<main>{body}
</main>
</html>
""".encode()


def _table(headings: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{heading}' for heading in headings)
    return f"<table><thead><tr>{head}<tbody>{''.join(rows)}</table>"


def _turn(parameters: Mapping[str, str], page: int, text: str) -> str:
    return f'<a href="?{escape(urlencode({**parameters, "page": page}))}">{text}</a>'


def _file_path(packages_path: str, file: PackageFile) -> str:
    return f"{packages_path}/{file.package.id}/package_files/{file.id}/download"


def _pypi_url(project: Project, api_url: str) -> str:
    return f"{api_url}/projects/{project.id}/packages/pypi"


def _pip_command(project: Project, package: Package, api_url: str) -> str:
    index = f"{_pypi_url(project, api_url)}/simple"
    if project.visibility is not Visibility.PUBLIC:
        scheme, _, rest = index.partition("://")
        index = f"{scheme}://__token__:<your_personal_token>@{rest}"
    return f"pip install {package.name} --index-url {index}"


def _pypirc(project: Project, api_url: str) -> str:
    return (
        f"[distutils]\nindex-servers = gitlab\n\n[gitlab]\nrepository = {_pypi_url(project, api_url)}\n"
        "username = __token__\npassword = <your personal access token>"
    )


def _date(at: datetime) -> str:
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _by(file: PackageFile) -> str:
    return f" by {escape(file.uploaded_by)}" if file.uploaded_by else ""


def _size(size: int) -> str:
    """Write a number of bytes for people, in the units of GitLab's page.

    >>> _size(999), _size(1536), _size(5 * 1024**3)
    ('999 B', '1.5 KiB', '5.0 GiB')
    """
    if size < 1024:
        return f"{size} B"
    amount, units = size / 1024, ["KiB", "MiB", "GiB"]
    while round(amount, 1) >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f} {units[0]}"


def _yanked_mark(package: Package) -> str:
    return "" if package.yanked is None else " <small>(yanked)</small>"


def _yanked_notice(package: Package) -> str:
    if package.yanked is None:
        return ""
    reason = f": {escape(package.yanked)}" if package.yanked else "."
    return f'<p class="notice">This version was yanked{reason}</p>'


def _description(metadata: PackageMetadata, render: RenderDescription) -> str:
    rendered = render(metadata.description, metadata.description_content_type)
    return f"<pre>{escape(metadata.description)}</pre>" if rendered is None else f"<article>{rendered}</article>"


def render_landing(site_url: str, api_prefix: str) -> bytes:
    """Render the page at ``/`` of a registry that runs alone.

    :param site_url: the URL of this page as the client sees it, without a final slash.
    :param api_prefix: the path below it at which the registry is mounted.
    """
    scheme, _, rest = site_url.partition("://")
    api_url, with_token = f"{site_url}{api_prefix}", f"{scheme}://USER:TOKEN@{rest}{api_prefix}"
    body = f"""
<h1>A registry of Python packages</h1>
<p>This registry has the URLs of GitLab's PyPI package registry. <code>USER</code> is any word, <code>TOKEN</code> a
token of this registry, and <code>1</code> the id of a project, or its path written as
<code>group%2Fproject</code>.</p>
<h2>Publish</h2>
<pre>twine upload --repository-url {escape(api_url)}/projects/1/packages/pypi \\
    --username USER --password TOKEN dist/*</pre>
<h2>Install</h2>
<pre>pip install --index-url {escape(with_token)}/projects/1/packages/pypi/simple mypypipackage</pre>
<p>From all projects of a group:</p>
<pre>pip install --index-url {escape(with_token)}/groups/GROUP/-/packages/pypi/simple mypypipackage</pre>"""
    return _document("A registry of Python packages", body)
