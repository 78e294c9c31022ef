"""Where faults are planted: between a client and the honest answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import TypeAlias

from packaging.utils import canonicalize_name

from pypi_registry.edge import Answer
from pypi_registry.testing.faults import Exchange, Fault
from pypi_registry.testing.recording import RecordedRequest

Where: TypeAlias = str | int | Callable[[RecordedRequest], bool]
"""Which requests: a text, a number, or a function that tells.

A text, in which ``*`` stands for anything, is the name of a package or of a file, the path of a project, the path of an
address, or a method and a path. A number is that of the request, counted from 1.
"""


def is_there(where: Where, request: RecordedRequest) -> bool:
    """Tell whether a request is one of those that are meant."""
    if callable(where):
        return where(request)
    if isinstance(where, int):
        return request.number == where
    if request.package and request.package == canonicalize_name(where):
        return True
    texts = (request.package, request.filename, request.project, request.path, str(request))
    return any(fnmatchcase(text, where) for text in texts if text)


@dataclass(eq=False)
class Rule:
    """A fault that was planted: what it met, and how to be rid of it."""

    where: Where
    fault: Fault
    times: int | None = None
    after: int = 0
    met: list[RecordedRequest] = field(default_factory=list, init=False)
    """The requests that met it, in their order."""
    _seen: int = field(default=0, init=False, repr=False)
    _lifted: bool = field(default=False, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def lift(self) -> None:
        """End it; what is under way goes on."""
        self._lifted = True

    def answer(self, exchange: Exchange) -> Answer:
        """Answer wrongly, if the request is meant and it is not over."""
        request = exchange.request
        concerned = not self.fault.kinds or request.kind in self.fault.kinds
        if concerned and is_there(self.where, request) and self._is_due(request):
            return self.fault.answer(exchange)
        return exchange.ask(exchange.environ)

    def _is_due(self, request: RecordedRequest) -> bool:
        with self._lock:
            self._seen += 1
            due = not self._lifted and self._seen > self.after
            due = due and (self.times is None or len(self.met) < self.times)
            if due:
                self.met.append(request)
            return due
