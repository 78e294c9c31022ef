"""Metrics for Prometheus: a WSGI middleware and an ``on_event`` function. It needs the extra ``metrics``.

Nothing is registered by itself: `Metrics` gets the registry of collectors that it writes to.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from pypi_registry._http.notes import FULL, UNAVAILABLE, UNKNOWN, Notes, take_notes
from pypi_registry.events import Event, FileDeleted, PackageDeleted, Published, StatusChanged, Unyanked, Yanked

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from pypi_registry._http.response import Headers

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT"})
_OTHER = "other"
"""The label for values that a client can choose freely: an unknown path, method or status."""
_SERVER = "server"
"""The label for all paths that a server has not passed to the application."""

_CHANGES: dict[type, str] = {
    FileDeleted: "file_deleted",
    PackageDeleted: "package_deleted",
    Yanked: "yanked",
    Unyanked: "unyanked",
    StatusChanged: "status_changed",
}
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Seconds. A cached page takes about a millisecond, a large upload minutes."""


class Metrics:
    """Counts requests and changes.

    >>> from pypi_registry import Registry
    >>> collectors = CollectorRegistry()
    >>> metrics = Metrics(collectors)
    >>> application = metrics.middleware(Registry(on_event=metrics.on_event))

    :param collectors: where the metrics are registered; ``prometheus_client.make_wsgi_app(collectors)`` exposes them.
    """

    def __init__(self, collectors: CollectorRegistry) -> None:
        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(f"pypi_registry_{name}", help_, labels, registry=collectors)

        self._requests = counter("requests", "Requests by route, method and status.", "route", "method", "status")
        self._seconds = Histogram(
            "pypi_registry_request_seconds",
            "Seconds until the response began.",
            ("route", "method"),
            registry=collectors,
            buckets=_BUCKETS,
        )
        self._received = counter("request_bytes", "Bytes of request bodies that were read.")
        self._sent = counter("response_bytes", "Bytes of response bodies, as their Content-Length declares them.")
        self._uploads = counter("uploads", "Files that were published.")
        self._uploaded = counter("uploaded_bytes", "Bytes of the files that were published.")
        self._changes = counter("changes", "Changes other than uploads.", "change")
        self._redirects = counter("upstream_redirects", "Redirects to the upstream index.")
        self._hits = counter("page_cache_hits", "Simple pages that were in the cache.")
        self._misses = counter("page_cache_misses", "Simple pages that were rendered.")
        self._errors = counter("storage_errors", "Requests that failed because of a store.", "kind")
        for change in _CHANGES.values():  # from 0, so that the first change counts as an increase
            self._changes.labels(change)
        for kind in (FULL, UNAVAILABLE, UNKNOWN):
            self._errors.labels(kind)

    def middleware(self, application: "WSGIApplication") -> "WSGIApplication":
        """Return an application that counts the requests to a registry, or to an application in which it is mounted.

        Paths that are no route of the registry have the route ``other``.
        """

        def counted(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            started = time.perf_counter()
            notes = take_notes(environ)
            status, length = "500", 0  # what a server responds if the application raises an exception

            def observed(line: str, headers: "Headers", /, *exc_info: Any) -> Any:
                nonlocal status, length
                status, length = line[:3], _length_of(headers)
                return start_response(line, headers, *exc_info)

            try:
                return application(environ, observed)  # unchanged: a server recognizes its own file wrapper
            finally:
                seconds = time.perf_counter() - started
                self._count(notes, environ["REQUEST_METHOD"], status, length, seconds)

        return counted

    def count_refusal(self, method: str, status: str) -> None:
        """Count a request that the server has refused before it called the application, under the route ``server``.

        ``serve`` calls this. Of such a request nothing but its method and its status is counted.

        :param status: three digits.
        """
        self._count_request(_SERVER, method, status)

    def on_event(self, event: Event) -> None:
        """Count a change: pass this as ``Registry(on_event=…)``, or call it from a function of your own."""
        if isinstance(event, Published):
            self._uploads.inc(len(event.files))
            self._uploaded.inc(sum(file.size for file in event.files))
        else:
            self._changes.labels(_CHANGES[type(event)]).inc()

    def _count(self, notes: Notes, method: str, status: str, length: int, seconds: float) -> None:
        route = notes.get("route", _OTHER)
        self._count_request(route, method, status)
        self._seconds.labels(route, _label_of(method)).observe(seconds)
        self._received.inc(notes.get("received", 0))
        if method != "HEAD" and status != "304":  # their Content-Length is that of another response
            self._sent.inc(length)
        if "is_forwarded" in notes:
            self._redirects.inc()
        if "was_cached" in notes:
            (self._hits if notes["was_cached"] else self._misses).inc()
        if "storage_error" in notes:
            self._errors.labels(notes["storage_error"]).inc()

    def _count_request(self, route: str, method: str, status: str) -> None:
        self._requests.labels(route, _label_of(method), status if status.isdecimal() else _OTHER).inc()


def _label_of(method: str) -> str:
    return method if method in _METHODS else _OTHER


def _length_of(headers: "Headers") -> int:
    """Return the declared length of a response in bytes; 0 if there is none."""
    for name, value in headers:
        if name.lower() == "content-length" and value.isdecimal():
            return int(value)
    return 0
