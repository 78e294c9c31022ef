"""The state of a fake registry between two calls of `clear`: a real registry, and the fault rules in front of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry._api.links import API_PREFIX
from pypi_registry._app import Registry
from pypi_registry._http.body import Body
from pypi_registry._http.response import Response
from pypi_registry._open_access import OpenDirectory
from pypi_registry._publishing.publish import Stores
from pypi_registry.distributions import Verify
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.faults import Exchange
from pypi_registry.testing.requests import RecordedRequest, read_request
from pypi_registry.testing.rules import FaultRule
from pypi_registry.testing.server import CLIENT_TIMEOUT, ClientTimeout, ConnectionDropped
from pypi_registry.testing.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_GetResponse: TypeAlias = Callable[["WSGIEnvironment"], Response]


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `Registry` that a fake registry passes on."""

    max_file_size: int
    verify: Verify | None


class Engine:
    """A WSGI application that records requests and applies the fault rules."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = MemoryCatalogue()
        self.blobs = MemoryBlobs()
        self.stores = Stores(self.catalogue, self.blobs)
        self.tokens = Tokens()
        self.rules: list[FaultRule] = []
        self.requests: list[RecordedRequest] = []
        self._get_response = self._registry_over(self.catalogue)
        self._lock = Lock()
        self._ended = Event()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = self._record(environ)
        get_response = self._get_response
        for rule in reversed(self.rules):
            get_response = self._apply(rule, request, get_response)
        response = get_response(environ)
        # A fault may not have read the body. A client that sends all of it before it reads would miss the response.
        Body(environ).drain(longest=self.settings.max_file_size)
        self.requests[request.number - 1] = replace(request, status=int(response.status[:3]))
        return response.send(environ, start_response)

    def _registry_over(self, catalogue: MemoryCatalogue) -> _GetResponse:
        """Create a registry that shows the packages of a catalogue."""
        registry = Registry(
            directory=OpenDirectory(catalogue),
            auth=self.tokens,
            catalogue=catalogue,
            blobs=self.blobs,
            max_file_size=self.settings.max_file_size,
            verify=self.settings.verify,
        )
        return _get_response_from(DispatcherMiddleware(NotFound(), {API_PREFIX: registry}))

    def inject(self, rule: FaultRule) -> FaultRule:
        """Apply a rule to all requests from now on."""
        rule.fault = rule.fault.injected(lambda: self._registry_over(self.catalogue.copy()))
        self.rules.append(rule)
        return rule

    @contextmanager
    def waits_ended(self) -> Iterator[None]:
        """End all waits of faults, and let none begin within the context."""
        self.end()
        yield
        self._ended.clear()

    def end(self) -> None:
        """End all waits of faults, and let none begin again."""
        self._ended.set()

    def _record(self, environ: "WSGIEnvironment") -> RecordedRequest:
        with self._lock:
            request = read_request(len(self.requests) + 1, environ)
            self.requests.append(request)
            return request

    def _apply(self, rule: FaultRule, request: RecordedRequest, get_response: _GetResponse) -> _GetResponse:
        return lambda environ: rule.respond(
            Exchange(request, environ, get_response, lambda seconds: self._pause(environ, seconds))
        )

    def _pause(self, environ: "WSGIEnvironment", seconds: float | None) -> None:
        timeout = environ.get(CLIENT_TIMEOUT)
        if timeout is not None and (seconds is None or seconds > timeout):
            raise ClientTimeout("the client has timed out")
        if self._ended.wait(seconds):
            raise ConnectionDropped("the fake registry was stopped or cleared")


def _get_response_from(application: "WSGIApplication") -> _GetResponse:
    def get_response(environ: "WSGIEnvironment") -> Response:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *exc_info: object) -> Any:
            started.append((status, headers))

        body = application({**environ}, start_response)
        return Response(*started[0], body)

    return get_response
