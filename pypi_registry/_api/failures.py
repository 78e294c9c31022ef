"""What happens to an exception: a response, as a page for browsers where they see pages, and a line in the log."""

import logging

from pypi_registry._api.call import Call
from pypi_registry._api.errors import error_response, internal_error_response
from pypi_registry._api.links import page_links
from pypi_registry._excerpt import excerpt, with_cause
from pypi_registry._http.negotiation import prefers_html
from pypi_registry._http.notes import FULL, UNAVAILABLE, UNKNOWN
from pypi_registry._http.request import Request, read_credentials
from pypi_registry._http.response import Response, html_response
from pypi_registry._pages.document import Frame
from pypi_registry._pages.landing import render_error
from pypi_registry.errors import OutcomeUnknown, RegistryError, StorageFull, StorageUnavailable

_log = logging.getLogger("pypi_registry")

_FOR_PROGRAMS = "/packages/pypi"
"""In the path of every simple page, file and upload."""


_STORAGE_ERRORS = (StorageFull, FULL), (StorageUnavailable, UNAVAILABLE), (OutcomeUnknown, UNKNOWN)


def failure_response(request: Request, call: Call | None, error: Exception) -> Response:
    """Return the response to an error, and log the error if the server caused it.

    :param call: None if the request has no route.
    """
    if isinstance(error, RegistryError):
        request.notes["reason"] = _reason_of(error)
    response = error_response(error) if isinstance(error, RegistryError) else internal_error_response()
    _log_failure(request, response, error)
    return _as_page(request, call, response) if _sees_pages(request, call) else response


def _reason_of(error: RegistryError) -> str:
    """Return the reason for logs: the notes of the error (PEP 678), which no client sees, or else its sentence."""
    return "; ".join(getattr(error, "__notes__", ())) or str(error)


def _sees_pages(request: Request, call: Call | None) -> bool:
    """Return whether a browser requests the URL of a web page.

    Old versions of pip accept HTML only, so simple pages, files and uploads have no page for an error.
    """
    has_page = call.match.route.has_page if call else _FOR_PROGRAMS not in request.header("PATH_INFO")
    return has_page and prefers_html(request.header("HTTP_ACCEPT"))


def _as_page(request: Request, call: Call | None, response: Response) -> Response:
    links = page_links(call.match if call else None, request.environ)
    status, _, reason = response.status.partition(" ")
    headers = [header for header in response.headers if header[0] not in ("Content-Type", "Content-Length")]
    has_credentials = read_credentials(request.environ, job_header=True) is not None
    page = render_error(int(status), reason, Frame(links), has_credentials=has_credentials)
    return html_response(response.status, page, *headers)


def _log_failure(request: Request, response: Response, error: Exception) -> None:
    """Log an error that the server caused; errors that clients caused are not logged."""
    for type_, kind in _STORAGE_ERRORS:
        if isinstance(error, type_):
            request.notes["storage_error"] = kind
    # A stranger may choose the method and the path.
    what = excerpt(request.method), excerpt(str(request.environ.get("PATH_INFO")), 200)
    if isinstance(error, StorageUnavailable | StorageFull):
        _log.error("%s %s: %s", *what, with_cause(error))
    elif response.status.startswith("500"):
        _log.error("%s %s failed", *what, exc_info=error)
