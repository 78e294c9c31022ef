"""What all web pages share: the document around a page, its style sheet, its header, and small parts of HTML.

No page has a script, and none loads anything. All text from outside is escaped.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from urllib.parse import quote

from pypi_registry.model import Group, PackageFile, Project, Visibility

# Each text colour has a contrast of at least 4.5:1 on each background (WCAG 2.2, 1.4.3), which a test computes.
COLOURS = {
    "light": {
        "bg": "#ffffff",
        "surface": "#f5f7f9",
        "text": "#1c2128",
        "muted": "#57606a",
        "link": "#0a58a8",
        "line": "#d4dae1",
        "button": "#0a58a8",
        "on-button": "#ffffff",
        "notice": "#fff3dc",
        "notice-line": "#b35c00",
    },
    "dark": {
        "bg": "#14181d",
        "surface": "#1d232a",
        "text": "#e4e8ed",
        "muted": "#a0abb7",
        "link": "#7db8ff",
        "line": "#37414c",
        "button": "#2563a8",
        "on-button": "#ffffff",
        "notice": "#33270f",
        "notice-line": "#e0a030",
    },
}


def _variables(theme: str) -> str:
    return "; ".join(f"--{name}: {colour}" for name, colour in COLOURS[theme].items())


_STYLE = f"""
:root {{ color-scheme: light dark; {_variables("light")} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables("dark")} }} }}
* {{ box-sizing: border-box }}
body {{ margin: 0; background: var(--bg); color: var(--text); font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere }}
.bar, main {{ max-width: 68rem; margin: 0 auto; padding: 0 1.25rem }}
.top {{ border-bottom: 1px solid var(--line); background: var(--surface) }}
.bar {{ display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; padding-block: .7rem }}
.bar > :last-child {{ margin-inline-start: auto }}
.crumbs ol {{ display: flex; flex-wrap: wrap; margin: 0; padding: 0; list-style: none }}
.crumbs li + li::before {{ content: "/"; color: var(--muted); padding: 0 .5rem }}
main {{ padding-block: 1.75rem 4rem }}
a {{ color: var(--link); text-decoration-thickness: 1px; text-underline-offset: .18em }}
.top a, td a, th a {{ text-decoration: none }}
a:hover {{ text-decoration: underline }}
:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px }}
h1 {{ margin: 0; font-size: 1.75rem; line-height: 1.25 }}
h2 {{ margin: 2.25rem 0 .6rem; font-size: 1.2rem; line-height: 1.3 }}
h3 {{ margin: 1.5rem 0 .4rem; font-size: 1rem }}
p, ul {{ margin: .6rem 0 }}
.muted, small, dt, thead th {{ color: var(--muted) }}
small {{ font-size: .85rem }}
form {{ display: flex; flex-wrap: wrap; gap: .5rem; margin: 1.25rem 0 }}
label {{ flex: 1 1 16rem; max-width: 32rem }}
input {{ width: 100%; color: var(--text); background: var(--bg); border: 1px solid var(--muted); border-radius: .4rem }}
button {{ color: var(--on-button); background: var(--button); border: 1px solid var(--button); border-radius: .4rem }}
input, button {{ font: inherit; padding: .45rem .8rem }}
table {{ width: 100%; border-collapse: collapse }}
th, td {{ padding: .6rem 1rem .6rem 0; text-align: start; vertical-align: top; border-bottom: 1px solid var(--line) }}
th {{ font-weight: 600 }}
thead th {{ padding-block: .35rem; font-size: .85rem; font-weight: 500 }}
td {{ font-variant-numeric: tabular-nums }}
time, .number {{ white-space: nowrap }}
pre, code {{ font: .875rem/1.55 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace }}
pre {{ margin: .6rem 0; padding: .8rem 1rem; overflow-x: auto; overflow-wrap: normal; background: var(--surface);
  border: 1px solid var(--line); border-radius: .4rem }}
pre.copy {{ white-space: pre-wrap; overflow-wrap: anywhere }}
small code {{ font-size: .75rem }}
td {{ overflow-wrap: break-word }}
.wide {{ overflow-wrap: anywhere; width: 60% }}
.plain {{ padding: 0; list-style: none }}
.plain li {{ padding: .2rem 0 }}
.tag {{ display: inline-block; padding: 0 .5rem; font-size: .8rem; font-weight: 400; color: var(--muted);
  border: 1px solid var(--line); border-radius: 1rem }}
.notice {{ padding: .6rem .9rem; background: var(--notice); border-inline-start: .3rem solid var(--notice-line) }}
.pages {{ display: flex; gap: 1.25rem; margin: 1.25rem 0 }}
.pages:empty {{ display: none }}
.columns {{ display: grid; gap: 0 3rem; grid-template-columns: minmax(0, 1fr) 17rem }}
aside {{ font-size: .925rem }}
dl {{ margin: 0 }}
dd {{ margin: 0 0 .6rem }}
article table {{ display: block; overflow-x: auto; width: auto }}
summary {{ cursor: pointer; padding: .5rem 0; color: var(--link) }}
@media (max-width: 48rem) {{
  .columns {{ display: block }}
  .rows thead {{ position: absolute; clip-path: inset(50%) }}
  .rows :is(tr, th, td) {{ display: block; width: auto; border: 0; padding: .1rem 0 }}
  .rows td[data-label]::before {{ content: attr(data-label) " "; color: var(--muted) }}
  .rows tr {{ padding: .7rem 0; border-bottom: 1px solid var(--line) }}
}}
"""


@dataclass(frozen=True, slots=True)
class Links:
    """References from one page to others, relative to it wherever they can be."""

    project: Callable[[Project], str]
    """Returns the reference to the packages of a project."""
    group: Callable[[Group], str] | None
    """Returns the reference to the packages of a group; None if no reference would be right behind every proxy."""
    files: Callable[[Project], str]
    """Returns the reference to the packages of a project in the API, below which the files are."""
    home: str | None = None
    """The reference to the landing page; None if there is none."""
    here: str = ""
    """The path of the page below the landing page, decoded, to which signing in returns; empty: to the landing page."""
    query: str = ""
    """The query of the page, encoded."""

    @property
    def sign_in(self) -> str | None:
        """The reference to the page that asks for credentials; None if there is none."""
        if self.home is None:
            return None
        to = [f"to={quote(self.here)}"] if self.here else []
        query = [f"query={quote(self.query, safe='')}"] if self.query else []
        return f"{self.home}sign-in{'?' if to or query else ''}{'&'.join(to + query)}"

    def package(self, project: Project, package_id: int) -> str:
        """Return the reference to the page of a package."""
        return f"{self.project(project)}/{package_id}"

    def file(self, project: Project, file: PackageFile) -> str:
        """Return the reference to the bytes of a file."""
        return f"{self.files(project)}/{file.package.id}/package_files/{file.id}/download"


@dataclass(frozen=True, slots=True)
class Frame:
    """The surroundings of the content of a page: the levels above it, and the caller."""

    links: Links
    crumbs: Sequence[tuple[str, str | None]] = field(default_factory=tuple)
    """Each level above the page and the page itself: its name, and the reference to it."""
    caller: str | None = None
    """The name of the caller; None if the caller is anonymous."""


def render_document(title: str, frame: Frame, body: str) -> bytes:
    """Render a whole page.

    :param title: text.
    :param body: HTML.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="same-origin">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
<header class="top"><div class="bar">{_crumbs(frame)}{_caller(frame)}</div></header>
<main>{body}
</main>
</html>
""".encode()


def _crumbs(frame: Frame) -> str:
    levels = [("Packages", frame.links.home), *frame.crumbs]
    items = "".join(
        f"<li>{link(name, url) if url and number < len(levels) else f'<span>{escape(name)}</span>'}</li>"
        for number, (name, url) in enumerate(levels, 1)
    )
    return f'<nav class="crumbs" aria-label="Breadcrumb"><ol>{items}</ol></nav>'


def _caller(frame: Frame) -> str:
    if frame.caller is not None:
        return f'<span class="muted">Signed in as {escape(frame.caller)}</span>'
    return "" if frame.links.sign_in is None else f"<span>{link('Sign in', frame.links.sign_in)}</span>"


def link(text: str, url: str) -> str:
    """Write a link."""
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def table(headings: Sequence[str], rows: Iterable[str]) -> str:
    """Write a table; a row is the HTML of its cells."""
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def search_form(label: str, text: str) -> str:
    """Write the form that searches packages by name on the same page."""
    field = f'type="search" name="package_name" value="{escape(text)}" placeholder="{label}" aria-label="{label}"'
    return f"""<form method="get" role="search">
<label><input {field}></label>
<button>Search</button>
</form>"""


def time_of(at: datetime) -> str:
    """Write a time, in UTC."""
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def tag(text: str) -> str:
    """Write a short remark beside a name."""
    return f' <span class="tag">{escape(text)}</span>'


def visibility_tag(visibility: Visibility) -> str:
    """Write who may see a project or a group."""
    return tag(visibility.value)


def block(text: str) -> str:
    """Write text that is to be copied as a whole; long lines are wrapped, and copied as they are."""
    return f'<pre class="copy"><code>{escape(text)}</code></pre>'
