"""The pages that belong to no project: the landing page of `serve`, and errors in a browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from pypi_registry._pages.browser import (
    UPLOAD,
    USER,
    PackageList,
    PackageRow,
    group_index_url,
    index_url,
    package_list,
    package_table,
    pypi_url,
    pypirc,
    with_token,
)
from pypi_registry._pages.document import Frame, block, link, render_document, search_form, visibility_tag
from pypi_registry.model import Group, Project

_TITLE = "A registry of Python packages"


@dataclass(frozen=True, slots=True)
class Landing:
    """The parts of a registry that its visitor may see."""

    newest: Sequence[PackageRow]
    """The packages that were published last."""
    projects: Sequence[Project]
    """One page of the projects, by path."""
    project_count: int
    """Of all pages."""
    page: int
    has_next: bool
    example: Project | None = None
    """The project in the commands to copy; None if there is none."""
    group: Group | None = None
    """A group above it from whose index the visitor may install; None if there is none."""


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
{_how_to(shown, api_url)}"""
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
    return "You do not have access to any project."


def _how_to(shown: Landing, api_url: str) -> str:
    example, group = shown.example, shown.group
    url = pypi_url("PROJECT" if example is None else example.id, api_url)
    index = with_token(f"{url}/simple") if example is None else index_url(example, api_url)
    return f"""<h2>How to use it</h2>
<p>This registry has the URLs of GitLab's PyPI package registry. {_words(example)}</p>
<h3>Publish</h3>
{block(f"twine upload --repository-url {url} --username {USER} --password TOKEN dist/*")}
<p>Or with the URL and the token in <code>~/.pypirc</code>:</p>
{block(pypirc(url))}
{block(UPLOAD)}
<h3>Install</h3>
{block(f"pip install NAME --index-url {index}")}
{block(f"uv pip install NAME --default-index {index}")}
{_install_from_group(group, api_url) if group or example is None else ""}
<p>For all commands of a shell:</p>
{block(f"export PIP_INDEX_URL={index}")}
{block(f"export UV_DEFAULT_INDEX={index}")}"""


def _words(example: Project | None) -> str:
    """Explain the placeholders in the commands."""
    if example is not None:
        return f"""These commands are for the project <code>{escape(example.path)}</code>. The page of each project
shows them with its own id. <code>TOKEN</code> is your token, and <code>NAME</code> the name of a package."""
    return """In these commands, <code>PROJECT</code> is the id of a project, <code>GROUP</code> the id of a group,
<code>TOKEN</code> your token, and <code>NAME</code> the name of a package. An id can also be a path in which
<code>%2F</code> replaces each slash. The page of each project shows the commands with its own id."""


def _install_from_group(group: Group | None, api_url: str) -> str:
    index = with_token(group_index_url("GROUP", api_url)) if group is None else index_url(group, api_url)
    title = "a group" if group is None else f"the group {escape(group.path)}"
    return f"<p>From all projects of {title}:</p>\n{block(f'pip install NAME --index-url {index}')}"


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
