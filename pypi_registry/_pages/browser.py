"""The pages for people: GitLab's "Package registry", read only. Values in, bytes out; no script.

Everything that came from outside is escaped. A description is shown as plain text, unless readme_renderer is installed,
which renders and sanitizes Markdown and reStructuredText.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from pypi_registry.model import Group, Package, PackageFile, PackageMetadata, Project, Visibility

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


def render_list(
    where: Project | Group,
    packages: Sequence[Package],
    projects: Mapping[int, Project],
    total: int,
    page: int,
    pages: int,
    parameters: Mapping[str, str],
    api: str,
) -> bytes:
    """Render one page of a list of packages; `parameters` is the query it was asked with, `api` where links begin."""
    search = parameters.get("package_name", "")
    rows = (
        f'<tr><td><a href="{escape(_package_url(api, package))}">{escape(package.name)}</a>{_yanked_mark(package)}'
        f"<td>{escape(package.version)}<td>{escape(projects[package.project_id].path)}"
        f"<td>{_date(package.created_at)}"
        for package in packages
    )
    body = f"""
<header><h1>Package registry</h1><p>{escape(where.path)}</p></header>
<form method="get" role="search">
  <label>Name <input type="search" name="package_name" value="{escape(search)}"></label>
  <button>Search</button>
</form>
<p>{total} {"package" if total == 1 else "packages"}</p>
{_table(["Name", "Version", "Project", "Published"], rows) if packages else ""}
<nav aria-label="Pages">{_turn(parameters, page - 1, "Previous", page > 1)}{
        _turn(parameters, page + 1, "Next", page < pages)
    }</nav>"""
    return _document(f"Packages of {where.title}", body)


def render_package(
    project: Project,
    package: Package,
    files: Sequence[PackageFile],
    about: PackageMetadata,
    others: Sequence[Package],
    api: str,
) -> bytes:
    """Render a package with its files; `others` are its other versions, `api` is where links begin."""
    rows = (
        f'<tr><td><a href="{escape(_file_url(api, file))}">{escape(file.filename)}</a>'
        f"<br><small>SHA-256 <code>{file.digests.sha256}</code></small>"
        f"<td>{_size(file.size)}<td>{escape(file.requires_python) or '–'}<td>{_date(file.uploaded_at)}"
        for file in files
    )
    versions = "".join(
        f'<li><a href="{escape(_package_url(api, other))}">{escape(other.version)}</a>{_yanked_mark(other)}'
        for other in others
    )
    body = f"""
<header><h1>{escape(package.name)} {escape(package.version)}</h1>
<p>{escape(project.path)} · published {_date(package.created_at)}</p></header>
{_yanked_notice(package)}
{f"<p>{escape(about.summary)}</p>" if about.summary else ""}
<h2>Install</h2>
<pre><code>{escape(_pip_command(project, package, api))}</code></pre>
{"" if project.visibility is Visibility.PUBLIC else "<p>You will need a personal access token.</p>"}
<h2>Registry setup</h2>
<p>If you haven't already done so, add the configuration below to your <code>.pypirc</code> file.</p>
<pre><code>{escape(_pypirc(project, api))}</code></pre>
<h2>Files</h2>
{_table(["Name", "Size", "Required Python", "Published"], rows) if files else "<p>All files were deleted.</p>"}
{f"<h2>Other versions</h2><ul>{versions}</ul>" if versions else ""}
{f"<h2>Description</h2>{_description(about)}" if about.description else ""}"""
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


def _turn(parameters: Mapping[str, str], page: int, text: str, there: bool) -> str:
    query = urlencode({**parameters, "page": page})
    return f'<a href="?{escape(query)}">{text}</a>' if there else ""


def _package_url(api: str, package: Package) -> str:
    return f"{api}/projects/{package.project_id}/packages/{package.id}"


def _file_url(api: str, file: PackageFile) -> str:
    return f"{_package_url(api, file.package)}/package_files/{file.id}/download"


def _pypi_url(project: Project, api: str) -> str:
    return f"{api}/projects/{project.id}/packages/pypi"


def _pip_command(project: Project, package: Package, api: str) -> str:
    index = f"{_pypi_url(project, api)}/simple"
    if project.visibility is not Visibility.PUBLIC:
        scheme, _, rest = index.partition("://")
        index = f"{scheme}://__token__:<your_personal_token>@{rest}"
    return f"pip install {package.name} --index-url {index}"


def _pypirc(project: Project, api: str) -> str:
    return (
        f"[gitlab]\nrepository = {_pypi_url(project, api)}\n"
        "username = __token__\npassword = <your personal access token>"
    )


def _date(at: datetime) -> str:
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


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


def _description(about: PackageMetadata) -> str:
    rendered = _rendered(about.description, about.description_content_type)
    return f"<pre>{escape(about.description)}</pre>" if rendered is None else f"<article>{rendered}</article>"


def _rendered(text: str, content_type: str) -> str | None:
    """Render Markdown or reStructuredText to safe HTML; None if that cannot be done."""
    try:
        match content_type.partition(";")[0].strip().lower():
            case "text/markdown":
                from readme_renderer import markdown

                rendered: str | None = markdown.render(text)
            case "text/x-rst":
                from readme_renderer import rst

                rendered = rst.render(text)
            case _:
                rendered = None
    except ImportError:  # of the package, or of what its Markdown needs
        return None
    return rendered
