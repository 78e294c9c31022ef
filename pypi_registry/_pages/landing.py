"""The pages that belong to no project: the landing page of `serve`, and errors in a browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from pypi_registry._pages.browser import PackageList, PackageRow, package_list, package_table
from pypi_registry._pages.document import Frame, block, link, render_document, search_form, visibility_tag
from pypi_registry.model import Project

_TITLE = "A registry of Python packages"


@dataclass(frozen=True, slots=True)
class Landing:
    """What the visitor of a registry may see of it."""

    newest: Sequence[PackageRow]
    """The packages that were published last."""
    projects: Sequence[Project]
    """One page of the projects, by path."""
    project_count: int
    """Of all pages."""
    page: int
    has_next: bool


def render_landing(shown: Landing, frame: Frame, api_url: str, max_total: int) -> bytes:
    """Render the page at ``/`` of a registry that runs alone.

    :param api_url: the URL at which the registry is mounted.
    :param max_total: the total up to which versions are counted.
    """
    body = f"""
<h1>{_TITLE}</h1>
{search_form("Search packages", "")}
{f"<h2>Published last</h2>{package_table(shown.newest, frame, max_total)}" if shown.newest else ""}
{_projects(shown, frame)}
{_how_to(api_url)}"""
    return render_document(_TITLE, frame, body)


def render_search(shown: PackageList, frame: Frame, max_total: int) -> bytes:
    """Render the packages of all projects that match a search."""
    body = f"""
<h1>Search</h1>
{search_form("Search packages", shown.search)}
{package_list(shown, frame, max_total)}"""
    return render_document(f"{shown.search} – search", frame, body)


def _projects(shown: Landing, frame: Frame) -> str:
    if not shown.project_count:
        return f"<h2>Projects</h2><p>{_no_projects(frame)}</p>"
    items = "".join(
        f"<li>{link(project.path, frame.links.project(project))}{visibility_tag(project.visibility)}</li>"
        for project in shown.projects
    )
    previous = link("Previous page", f"?page={shown.page - 1}") if shown.page > 1 else ""
    following = link("Next page", f"?page={shown.page + 1}") if shown.has_next else ""
    return f"""<h2>Projects</h2>
<p class="muted">{shown.project_count:,} {"project" if shown.project_count == 1 else "projects"}</p>
<ul class="plain">{items}</ul>
<nav class="pages" aria-label="Pages">{previous}{following}</nav>"""


def _no_projects(frame: Frame) -> str:
    if frame.caller is None:
        return f"No project is public. {link('Sign in', f'{frame.links.home}sign-in')} to see yours."
    return "You have access to no project."


def _how_to(api_url: str) -> str:
    scheme, _, rest = api_url.partition("://")
    with_token = f"{scheme}://USER:TOKEN@{rest}"
    project, group = (
        f"{with_token}/projects/1/packages/pypi/simple",
        f"{with_token}/groups/GROUP/-/packages/pypi/simple",
    )
    pypirc = (
        f"[distutils]\nindex-servers = gitlab\n\n[gitlab]\nrepository = {api_url}/projects/1/packages/pypi\n"
        "username = USER\npassword = TOKEN"
    )
    return f"""<h2>How to use it</h2>
<p>This registry has the URLs of GitLab's PyPI package registry. <code>USER</code> is any word, <code>TOKEN</code> a
token of this registry, and <code>1</code> the id of a project, or its path written as <code>GROUP%2FPROJECT</code>. The
page of each project shows these commands with its own id.</p>
<h3>Publish</h3>
{block(f"twine upload --repository-url {api_url}/projects/1/packages/pypi --username USER --password TOKEN dist/*")}
<p>Or with the URL and the token in <code>~/.pypirc</code>:</p>
{block(pypirc)}
{block("twine upload --repository gitlab dist/*")}
<h3>Install</h3>
{block(f"pip install --index-url {project} mypypipackage")}
{block(f"uv pip install --default-index {project} mypypipackage")}
<p>From all projects of a group:</p>
{block(f"pip install --index-url {group} mypypipackage")}
<p>For all commands of a shell:</p>
{block(f"export PIP_INDEX_URL={project}")}
{block(f"export UV_DEFAULT_INDEX={project}")}"""


_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "Sign in with a token of this registry as the password. The user name may be any word.",
    HTTPStatus.FORBIDDEN: "Your token does not allow this.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address, or you may not see it.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Try again in a few seconds.",
}


def render_error(status: int, reason: str, frame: Frame, *, has_credentials: bool) -> bytes:
    """Render an error.

    :param reason: what the status line states after the number.
    :param has_credentials: whether the request has credentials, valid or not.
    """
    advice = next((text for known, text in _ADVICE.items() if known == status), "")
    if status == HTTPStatus.NOT_FOUND and frame.links.sign_in and not has_credentials:
        advice += f" If it is private, {link('sign in', frame.links.sign_in)}."
    body = f"""
<h1>{status} {escape(reason)}</h1>
{f"<p>{advice}</p>" if advice else ""}
{f"<p>{link('All packages', frame.links.home)}</p>" if frame.links.home else ""}"""
    return render_document(f"{status} {reason}", frame, body)
