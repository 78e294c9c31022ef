"""GitLab's health checks (https://docs.gitlab.com/administration/monitoring/health_check/), for load balancers.

``serve`` has them at ``/-/liveness`` and ``/-/readiness``. An application mounts `Health` wherever it wants.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, BinaryIO

from packaging.utils import canonicalize_name

from pypi_registry._excerpt import with_cause
from pypi_registry._http.notes import notes_of
from pypi_registry._http.response import Response, json_response
from pypi_registry.storage import Blobs, Catalogue, ChecksHealth, Redirect

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_log = logging.getLogger("pypi_registry")

_KEPT = 1.0  # seconds for which a result is reused
_NAME = canonicalize_name("pypi-registry")  # any name will do
_KEY = 32 * "0"
_NO_STORE = ("Cache-Control", "no-store")


class Health:
    """A WSGI application that responds to ``GET /liveness`` and ``GET /readiness``, for every caller.

    ``/liveness`` always returns 200, because the process responds. ``/readiness`` returns 200 if both stores answer,
    otherwise 503. The body names the stores that do not answer, ``catalogue`` or ``blobs``, and nothing else.

    >>> from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
    >>> Health(MemoryCatalogue(), MemoryBlobs()).unavailable()
    []

    Each store is checked in a thread of its own, by one request at a time, once per second at most; others share
    the result. So a store that never answers occupies only one thread, for any number of requests.

    :param timeout: seconds after which a store that has not answered counts as unavailable.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: Blobs,
        *,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = (
            _Probe("catalogue", lambda: _ask_catalogue(catalogue), timeout, clock),
            _Probe("blobs", lambda: _ask_blobs(blobs), timeout, clock),
        )

    def unavailable(self) -> list[str]:
        """Return which stores do not answer: ``catalogue``, ``blobs``, both or none."""
        runs = [(probe, probe.run()) for probe in self._probes]  # side by side
        return [probe.name for probe, run in runs if not probe.has_answered(run)]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._respond(environ).send(environ, start_response)

    def _respond(self, environ: "WSGIEnvironment") -> Response:
        path = str(environ.get("PATH_INFO", "")).rstrip("/")
        check = self._checks.get(path)
        if check is None:
            return json_response("404 Not Found", {"error": "404 Not Found"})
        notes = notes_of(environ)
        notes["route"] = f"/-{path}"
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return json_response("405 Method Not Allowed", {"error": "405 Not Allowed"}, ("Allow", "GET, HEAD"))
        failed = check()
        if failed:
            body = {"status": "failed", **{f"{name}_check": [{"status": "failed"}] for name in failed}}
            return json_response("503 Service Unavailable", body, _NO_STORE)
        notes["is_routine"] = True
        return json_response("200 OK", {"status": "ok"}, _NO_STORE)

    @property
    def _checks(self) -> Mapping[str, Callable[[], list[str]]]:
        return {"/liveness": list, "/readiness": self.unavailable}


def _ask_catalogue(catalogue: Catalogue) -> None:
    if isinstance(catalogue, ChecksHealth):
        catalogue.check_health()
    else:
        catalogue.publications(_NAME)


def _ask_blobs(blobs: Blobs) -> None:
    if isinstance(blobs, ChecksHealth):
        blobs.check_health()
        return
    found: BinaryIO | Redirect | None = blobs.open(_KEY, size=0)
    if found is not None and not isinstance(found, Redirect):
        with closing(found):
            pass


class _Run:
    """One check of a store, in a thread."""

    def __init__(self, ask: Callable[[], None], clock: Callable[[], float]) -> None:
        self.started = clock()
        self.ended: float | None = None
        self.error: Exception | None = None
        self.done = Event()
        self._ask, self._clock = ask, clock
        self.thread = Thread(target=self._run, name="pypi_registry.health", daemon=True)

    def start(self) -> None:
        try:
            self.thread.start()
        except RuntimeError as error:  # there are too many threads already
            self._end(error)

    def _run(self) -> None:
        try:
            self._ask()
        except Exception as error:
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self.error, self.ended = error, self._clock()
        self.done.set()


class _Probe:
    """Checks one store; a result is reused for a second."""

    def __init__(self, name: str, ask: Callable[[], None], timeout: float, clock: Callable[[], float]) -> None:
        self.name = name
        self._ask, self._timeout, self._clock = ask, timeout, clock
        self._lock = Lock()
        self._last: _Run | None = None
        self._was_available = True

    def run(self) -> _Run:
        """Return the check whose result counts now; start one if there is none."""
        with self._lock:
            if self._last is None or self._is_over(self._last):
                self._last = _Run(self._ask, self._clock)
                self._last.start()
            return self._last

    def _is_over(self, run: _Run) -> bool:
        if run.ended is not None:
            return self._clock() >= run.ended + _KEPT
        return not run.done.is_set() and not run.thread.is_alive()  # the thread stayed in the parent at a fork

    def has_answered(self, run: _Run) -> bool:
        """Wait for the end of a check, until the timeout; return whether the store is available."""
        run.done.wait(max(0.0, run.started + self._timeout - self._clock()))
        is_available = run.done.is_set() and run.error is None
        with self._lock:
            has_changed, self._was_available = self._was_available != is_available, is_available
        if has_changed:
            self._log(run, is_available)
        return is_available

    def _log(self, run: _Run, is_available: bool) -> None:
        """Log a change, and not each result: a load balancer sends a request every few seconds."""
        if is_available:
            _log.warning("readiness: %s: the store answers again", self.name)
            return
        reason = f"no answer in {self._timeout:g} seconds" if run.error is None else with_cause(run.error)
        _log.error("readiness: %s: %s", self.name, reason)
