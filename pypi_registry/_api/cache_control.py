"""What caches may keep of an answer, for whom, and whether they hold it already (RFC 9110 and 9111)."""

import re
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

from pypi_registry._http.request import Call
from pypi_registry.auth import Ability, Principal
from pypi_registry.model import Group, Project, Visibility

# pip and uv honour max-age on pages, and would miss a fresh upload for as long; asking again costs a 304.
REVALIDATE = ("Cache-Control", "private, no-cache")
_REVALIDATE_SHARED = ("Cache-Control", "no-cache")

# A file never changes; who may have it does. "public" lets a shared cache keep what it was given for a token, which it
# otherwise must not (RFC 9111, 3.5).
_IMMUTABLE = ("Cache-Control", "private, max-age=31536000, immutable")
_IMMUTABLE_SHARED = ("Cache-Control", "public, max-age=31536000, immutable")


def page_policy(call: Call, where: Project | Group, asker: Principal, projects: Iterable[Project]) -> tuple[str, str]:
    """Say who may keep a page of these projects: anybody, if anybody would get the same page."""
    if where.visibility != Visibility.PUBLIC:
        return REVALIDATE
    if asker.anonymous:  # a page is asked for again each time, so one that was made for nobody needs no second look
        return _REVALIDATE_SHARED

    def sees_the_same(nobody: Principal) -> bool:
        if not nobody.can(Ability.READ_PACKAGE, where):
            return False
        return isinstance(where, Project) or _ids(nobody.readable(where)) == _ids(projects)

    return _REVALIDATE_SHARED if _is_for_all(call, sees_the_same) else REVALIDATE


def file_policy(call: Call, *places: Project | Group) -> tuple[str, str]:
    """Say who may keep a file that lies in these places: anybody, if anybody may read all of them."""
    for place in places:
        if place.visibility != Visibility.PUBLIC:
            return _IMMUTABLE
    # A file is not asked for again, so this is also asked for an anonymous caller: a host may trust its address.
    may_read = _is_for_all(call, lambda nobody: all(nobody.can(Ability.READ_PACKAGE, place) for place in places))
    return _IMMUTABLE_SHARED if may_read else _IMMUTABLE


def _ids(projects: Iterable[Project]) -> set[int]:
    return {project.id for project in projects}


def _is_for_all(call: Call, may: Callable[[Principal], bool]) -> bool:
    """Ask about somebody who shows nothing of who they are."""
    try:
        nobody = call.registry.auth.authenticate(None, _bare(call.environ))
        return nobody.anonymous and may(nobody)
    except Exception:  # the caller has an answer already, which is theirs alone then
        return False


def _bare(environ: Mapping[str, object]) -> Mapping[str, object]:
    """Give what of a request says what is asked, and of whom; a cookie, an address, a certificate may tell who asks."""
    get = environ.get
    return {
        **_NOBODYS,
        "SCRIPT_NAME": get("SCRIPT_NAME", ""),
        "PATH_INFO": get("PATH_INFO", ""),
        "SERVER_NAME": get("SERVER_NAME", ""),
        "SERVER_PORT": get("SERVER_PORT", ""),
        "SERVER_PROTOCOL": get("SERVER_PROTOCOL", ""),
        "HTTP_HOST": get("HTTP_HOST", ""),
        "wsgi.url_scheme": get("wsgi.url_scheme", ""),
        "wsgi.input": BytesIO(),
        "wsgi.errors": get("wsgi.errors"),
    }


_NOBODYS = {
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def if_none_match(call: Call, etag: str) -> bool:
    """Tell whether the client already holds the representation with this (strong, quoted) entity tag.

    Compared weakly, as RFC 9110, 13.1.2 has it, since proxies that compress make tags weak.
    """
    known = call.header("HTTP_IF_NONE_MATCH")
    return bool(known) and (etag in re.findall(r'"[^"]*"', known) or known.strip() == "*")
