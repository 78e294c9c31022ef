"""Where faults are planted: between a client and the honest answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import TypeAlias
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from pypi_registry._http.request import Response
from pypi_registry.testing.faults import Exchange, Fault
from pypi_registry.testing.requests import RecordedRequest

Matcher: TypeAlias = str | int | Callable[[RecordedRequest], bool]
"""Which requests: a text, a number, or a function that tells.

A text, in which ``*`` stands for anything, is the name of a package or of a file, the path of a project, an address or
the path of one, or a method and one of these. A number is that of the request, counted from 1.
"""


def check_rule(where: object, times: object, after: object) -> None:
    """Refuse what no request could ever be, which else would be a fault that nobody meets.

    :raises TypeError: if `where` is neither a text nor a number nor a function, or one of the others is no number.
    :raises ValueError: if `where` is empty or a number below 1, or one of the others a number below 0.
    """
    if not (isinstance(where, str | int) or callable(where)):
        raise TypeError(f"where= must be a text, the number of a request, or a function: {where!r}")
    if isinstance(where, int) and where < 1:
        raise ValueError(f"where= counts requests from 1: {where!r}")
    if where == "":
        raise ValueError("where= is empty, and so is no request; '*' is any of them")
    for name, number in (("times", times), ("after", after)):
        if not (isinstance(number, int) or (name == "times" and number is None)):
            raise TypeError(f"{name}= must be a number of requests: {number!r}")
        if number is not None and number < 0:
            raise ValueError(f"{name}= counts requests, and cannot be below 0: {number!r}")


def matches(where: Matcher, request: RecordedRequest) -> bool:
    """Tell whether a request is one of those that are meant."""
    if callable(where):
        return where(request)
    if isinstance(where, int):
        return request.number == where
    if request.package and request.package == canonicalize_name(where):
        return True
    where = _as_path(where)
    texts = (request.package, request.filename, request.project, request.path, str(request))
    return any(fnmatchcase(text, where) for text in texts if text)


def _as_path(where: str) -> str:
    """Write an address as a request has its path: without scheme, host and login, and unquoted."""
    return unquote(re.sub(r"^([A-Z]+ )?https?://[^/]*", r"\1", where))


@dataclass(eq=False)
class FaultRule:
    """A fault that was planted: what it met, and how to be rid of it."""

    where: Matcher
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

    def answer(self, exchange: Exchange) -> Response:
        """Answer wrongly, if the request is meant and it is not over."""
        request = exchange.request
        concerned = not self.fault.kinds or request.kind in self.fault.kinds
        if concerned and matches(self.where, request) and self._is_due(request):
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
