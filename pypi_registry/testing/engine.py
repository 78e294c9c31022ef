"""All that a fake registry is between one clearing and the next: a real registry, and what stands in front of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from pypi_registry._app import Registry
from pypi_registry._cli.site import Site
from pypi_registry._http.body import Body
from pypi_registry._http.request import Response
from pypi_registry.directory import OpenDirectory
from pypi_registry.distributions import Verify
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.faults import Ask, Exchange
from pypi_registry.testing.requests import RecordedRequest, read_request
from pypi_registry.testing.rules import FaultRule
from pypi_registry.testing.server import PATIENCE, ClientTimeout, ConnectionDropped
from pypi_registry.testing.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Settings:
    """What a `Registry` is told beside its stores."""

    max_file_size: int
    verify: Verify | None


class State:
    """A WSGI application that records, and misbehaves as the rules say."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = MemoryCatalogue()
        self.blobs = MemoryBlobs()
        self.tokens = Tokens(OpenDirectory(self.catalogue))
        self.rules: list[FaultRule] = []
        self.requests: list[RecordedRequest] = []
        self._honest = self._asking(self.catalogue)
        self._lock = Lock()
        self._over = Event()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = self._record(environ)
        ask = self._honest
        for rule in reversed(self.rules):
            ask = self._through(rule, request, ask)
        answer = ask(environ)
        Body(environ).drain(longest=self.settings.max_file_size)
        self.requests[request.number - 1] = replace(request, status=int(answer.status[:3]))
        return answer.send(environ, start_response)

    def _asking(self, catalogue: MemoryCatalogue) -> Ask:
        """Make what answers honestly, of a catalogue."""
        registry = Registry(
            directory=OpenDirectory(catalogue),
            auth=self.tokens,
            catalogue=catalogue,
            blobs=self.blobs,
            forward_to=None,
            max_file_size=self.settings.max_file_size,
            verify=self.settings.verify,
        )
        return _ask_of(Site(registry))

    def plant(self, rule: FaultRule) -> FaultRule:
        """Let a rule hold from now on."""
        rule.fault = rule.fault.planted(lambda: self._asking(self.catalogue.copy()))
        self.rules.append(rule)
        return rule

    @contextmanager
    def nothing_waits(self) -> Iterator[None]:
        """End what waits, and let nothing wait until the context is left."""
        self.end()
        yield
        self._over.clear()

    def end(self) -> None:
        """End what waits, and let nothing wait any more."""
        self._over.set()

    def _record(self, environ: "WSGIEnvironment") -> RecordedRequest:
        with self._lock:
            request = read_request(len(self.requests) + 1, environ)
            self.requests.append(request)
            return request

    def _through(self, rule: FaultRule, request: RecordedRequest, ask: Ask) -> Ask:
        return lambda environ: rule.answer(
            Exchange(request, environ, ask, lambda seconds: self._pause(environ, seconds))
        )

    def _pause(self, environ: "WSGIEnvironment", seconds: float | None) -> None:
        patience = environ.get(PATIENCE)
        if patience is not None and (seconds is None or seconds > patience):
            raise ClientTimeout("the client waits no longer")
        if self._over.wait(seconds):
            raise ConnectionDropped("the fake registry was stopped or cleared")


def _ask_of(application: "WSGIApplication") -> Ask:
    def ask(environ: "WSGIEnvironment") -> Response:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *exc_info: object) -> Any:
            started.append((status, headers))

        body = application({**environ}, start_response)
        return Response(*started[0], body)

    return ask
