"""Which responses a page of another origin may read, such as micropip in Pyodide and JupyterLite (CORS).

A browser hides a response from pages of other origins unless a header allows it (https://fetch.spec.whatwg.org/, "CORS
protocol"). Only what everyone may read is allowed. The value is ``*``: browsers then refuse every response to a request
with credentials, and the header is the same for all origins, so that caches can share a response.
"""

from pypi_registry._api.call import Call
from pypi_registry._http.response import VARY, Headers, Response
from pypi_registry._open_access import Everyone
from pypi_registry.auth import Principal
from pypi_registry.model import Namespace, Projects, Visibility

_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")

# What a page may read besides the headers that the Fetch standard always allows, as Content-Length.
_EXPOSED = ("Access-Control-Expose-Headers", "Accept-Ranges, Content-Disposition, Content-Range, ETag")

# What a program may send: no credentials, because no other origin may read the response to a request with credentials.
_REQUEST_HEADERS = (
    "Accept, Accept-Language, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, "
    "If-Unmodified-Since, Pragma, Range, User-Agent, X-Requested-With"
)
_ALLOWED = (
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", _REQUEST_HEADERS),
    ("Access-Control-Max-Age", "7200"),  # seconds; Chromium keeps the result for no longer
)

VARY_BY_ORIGIN = ("Vary", "Origin")
"""The header of a page that may have absolute URLs."""


def is_for_every_page(principal: Principal, namespace: Namespace, projects: Projects) -> bool:
    """Return whether pages of all origins may read what a principal reads in a namespace.

    :param projects: those of the namespace that the principal may read.
    """
    return (
        principal.anonymous
        # In an open registry everything is public, because only the network protects it. A page from the internet that
        # is opened inside this network must not read it.
        and not isinstance(principal, Everyone)
        and namespace.visibility is Visibility.PUBLIC
        and projects.all_public
    )


def allow_every_page(response: Response) -> Response:
    """Let pages of all origins read a response, even an error: micropip skips an index that responds with 404."""
    return response._replace(headers=[*response.headers, _ANY_ORIGIN, _EXPOSED])


def needs_absolute_urls(call: Call) -> bool:
    """Return whether a page of another origin requests something that everyone may read.

    micropip 0.11.1 resolves relative URLs in HTML only, and requests JSON.
    """
    return call.is_for_every_page and bool(call.request.header("HTTP_ORIGIN"))


def is_preflight(call: Call) -> bool:
    """Return whether a browser asks whether a page of another origin may send a request (CORS-preflight request)."""
    header = call.request.header
    return bool(header("HTTP_ORIGIN")) and header("HTTP_ACCESS_CONTROL_REQUEST_METHOD") in ("GET", "HEAD")


def preflight_headers(*, allowed: bool) -> Headers:
    """Return the headers that only the response to a preflight has.

    A preflight has no credentials, so for a private namespace it is refused in the same way as for a missing one.
    """
    return [VARY, ("Vary", "Origin, Access-Control-Request-Method"), *(_ALLOWED if allowed else ())]
