"""References between web pages: relative wherever they can be, so that they are right behind every proxy.

There are two kinds of web pages. Those of the Packages API are at its own URLs, wherever the registry is mounted. The
others are at the URLs of GitLab's web interface, such as ``/acme/tools/-/packages``, which only ``serve`` has.
"""

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from pypi_registry._http.request import mount_path, read_path
from pypi_registry._pages.document import Links
from pypi_registry.model import Group, Project

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from pypi_registry._api.call import Match

API_PREFIX = "/api/v4"
"""Where GitLab has its API, and where applications mount the registry."""

SIGN_IN = "/sign-in"
"""The page of ``serve`` that asks a browser for credentials."""

SITE = "pypi_registry.site"
"""The key of the environ by which ``serve`` tells the registry that it has a landing page.

The value is a reference from the requested page to the landing page, ``../../../``, if the page is at a URL of GitLab's
web interface; otherwise None.
"""


def page_links(match: "Match | None", environ: "WSGIEnvironment") -> Links:
    """Return the references from the requested page, which may be an error, to others.

    :param match: the route of the API; None if there is no such route.
    """
    home: str | None = environ.get(SITE)
    if home is None:
        return api_links(match, environ)
    here, query = read_path(environ.get("PATH_INFO", "")), environ.get("QUERY_STRING", "")
    return site_links(home, *page_after_sign_in(query)) if here == SIGN_IN else site_links(home, here, query)


def site_links(home: str, here: str = "", query: str = "") -> Links:
    """Return the references from a page at a URL of GitLab's web interface.

    :param home: the reference to the landing page; empty for that page itself.
    :param here: the path of the page, decoded; empty for the landing page.
    :param query: the query of the page, as the client sent it.
    """
    return Links(
        project=lambda project: f"{home}{quote(project.path)}/-/packages",
        group=lambda group: f"{home}groups/{quote(group.path)}/-/packages",
        files=lambda project: f"{home}{API_PREFIX[1:]}/projects/{project.id}/packages",
        home=home or "./",
        here=own_path(here),
        query=own_query(query),
    )


def api_links(match: "Match | None", environ: "WSGIEnvironment") -> Links:
    """Return the references from a page at a URL of the Packages API.

    :param match: the route of the page; None if there is no such route.
    """
    has_site = SITE in environ
    mount = mount_path(environ)
    if match is None or _has_slash(match):
        # Servers decode %2F, so nothing shows how many segments of the requested path this id is.
        top = f"{mount}/"
        home = f"{mount.removesuffix(API_PREFIX)}/"
    else:
        # A reference is resolved against the folder of the page: without a final slash, that is one level higher.
        top = "../" * (match.route.path.count("/") - (0 if match.trailing_slash else 1))
        home = f"{top}{'../' * API_PREFIX.count('/')}"

    def project(project: Project) -> str:
        return _below_own_id(match) if match and not match.is_group else f"{top}projects/{project.id}/packages"

    def group(group: Group) -> str:
        return f"{top}groups/{group.id}/packages"

    is_right_anywhere = has_site or top.startswith("..")
    here = own_path(f"{API_PREFIX}{read_path(environ.get('PATH_INFO', ''))}") if has_site else ""
    query = own_query(environ.get("QUERY_STRING", "")) if here else ""
    return Links(project, group if is_right_anywhere else None, project, home if has_site else None, here, query)


def page_after_sign_in(query: str) -> tuple[str, str]:
    """Return the path, decoded, and the query of the page to which ``/sign-in`` leads.

    Each is empty if its parameter is missing, or is not safe on this site.

    >>> page_after_sign_in("to=/acme/tools/-/packages&query=package_name%3Ddemo")
    ('/acme/tools/-/packages', 'package_name=demo')
    >>> page_after_sign_in("to=//other.example")
    ('', '')
    """
    found = dict(parse_qsl(query, keep_blank_values=True, errors="replace"))
    return own_path(found.get("to", "")), own_query(found.get("query", ""))


def own_path(text: str) -> str:
    r"""Return a text if it is a path of this site, decoded, to which a browser may be redirected; otherwise nothing.

    Anyone can send a user a link to ``/sign-in``, so it must lead to no other site (CWE-601). Browsers read a
    backslash as a slash, and drop control characters. A percent sign could hide either from a first decoding.

    >>> own_path("/acme/tools/-/packages")
    '/acme/tools/-/packages'
    >>> own_path("//other.example"), own_path("/\\other.example"), own_path("https://other.example"), own_path("/../x")
    ('', '', '', '')
    """
    return text if len(text) <= _MAX_PATH and text.isprintable() and _OWN_PATH.fullmatch(text) else ""


def own_query(text: str) -> str:
    r"""Return a text if it is a query, encoded, that a redirect may contain; otherwise nothing.

    >>> own_query("package_name=caf%C3%A9&page=2"), own_query("a#b"), own_query("a\r\nb:c")
    ('package_name=caf%C3%A9&page=2', '', '')
    """
    return text if len(text) <= _MAX_PATH and _OWN_QUERY.fullmatch(text) else ""


_MAX_PATH = 2_000
# RFC 3986, 3.4: query = *( pchar / "/" / "?" )
_OWN_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
_OWN_PATH = re.compile(r"(/(?!\.\.?(/|$))[^/\\%]+)+/?")


def _has_slash(match: "Match") -> bool:
    return "/" in match.parameters["group" if match.is_group else "project"]


def _below_own_id(match: "Match") -> str:
    """Return the reference to the packages of the requested project, below its id, however it is written."""
    if "package_id" in match.parameters:
        return ".." if match.trailing_slash else "."
    return "." if match.trailing_slash else "packages"
