"""Fault rules: which requests a fault affects, and how often."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import TypeAlias
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from pypi_registry._http.response import Response
from pypi_registry.testing.faults import Exchange, Fault
from pypi_registry.testing.requests import RecordedRequest

Matcher: TypeAlias = str | int | Callable[[RecordedRequest], bool]
"""Which requests match: a string, a number, or a function that returns whether a request matches.

A string is the name of a package or of a file, the path of a project, a URL or its path, or a method followed by a
space and one of these; ``*`` in it matches any characters. A number is the number of the request, counted from 1.
"""


def check_rule(matcher: object, times: object, after: object) -> None:
    """Reject a rule that could never affect a request.

    :raises TypeError: if `matcher` is neither a text nor a number nor a function, or another argument is not a number.
    :raises ValueError: if `matcher` is empty or a number below 1, another argument is below 0, or `times` is 0.
    """
    if not (isinstance(matcher, str | int) or callable(matcher)):
        raise TypeError(f"matcher= must be a string, the number of a request, or a function: {matcher!r}")
    if isinstance(matcher, int) and matcher < 1:
        raise ValueError(f"matcher= counts requests from 1: {matcher!r}")
    if matcher == "":
        raise ValueError("matcher= is empty and matches no request; '*' matches all requests")
    for name, number in (("times", times), ("after", after)):
        if not (isinstance(number, int) or (name == "times" and number is None)):
            raise TypeError(f"{name}= must be a number of requests: {number!r}")
        if number is not None and number < 0:
            raise ValueError(f"{name}= counts requests and cannot be below 0: {number!r}")
    if times == 0:
        raise ValueError("times=0: no request would meet the fault; times=None means all requests that match")


def matches(matcher: Matcher, request: RecordedRequest) -> bool:
    """Return whether a request matches."""
    if callable(matcher):
        return matcher(request)
    if isinstance(matcher, int):
        return request.number == matcher
    if request.package and request.package == canonicalize_name(matcher):
        return True
    pattern = _as_path(matcher)
    texts = (request.package, request.filename, request.project, request.path, str(request))
    return any(fnmatchcase(text, pattern) for text in texts if text)


def _as_path(matcher: str) -> str:
    """Convert a URL to the form of `RecordedRequest.path`: unquoted, without scheme, host and credentials."""
    return unquote(re.sub(r"^([A-Z]+ )?https?://[^/]*", r"\1", matcher))


def check_met(rules: Iterable["FaultRule"], requests: Sequence[RecordedRequest]) -> None:
    """Reject rules that have affected no request.

    :raises AssertionError: if there is one; the message names each of them and lists the recorded requests.
    """
    unmet = [f"  {rule.matcher!r}: {rule.fault!r}" for rule in rules if not rule.met]
    if unmet:
        lines = ["these faults were never met:", *unmet, "the requests were:", *(f"  {each}" for each in requests)]
        raise AssertionError("\n".join(lines if requests else [*lines[:-1], "there were no requests"]))


@dataclass(eq=False)
class FaultRule:
    """A fault that was injected: the requests that it affected, and `lift` to end it."""

    matcher: Matcher
    fault: Fault
    times: int | None = None
    after: int = 0
    met: list[RecordedRequest] = field(default_factory=list, init=False)
    """The requests that the fault affected, the oldest first."""
    _seen: int = field(default=0, init=False, repr=False)
    _lifted: bool = field(default=False, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def lift(self) -> None:
        """End the rule. Nothing changes for requests that the fault has already affected."""
        self._lifted = True

    def respond(self, exchange: Exchange) -> Response:
        """Respond with the fault if the request matches and the rule still applies; otherwise without it."""
        request = exchange.request
        is_affected = not self.fault.kinds or request.kind in self.fault.kinds
        if is_affected and matches(self.matcher, request) and self._is_due(request):
            return self.fault.respond(exchange)
        return exchange.get_response(exchange.environ)

    def _is_due(self, request: RecordedRequest) -> bool:
        with self._lock:
            self._seen += 1
            is_due = not self._lifted and self._seen > self.after
            is_due = is_due and (self.times is None or len(self.met) < self.times)
            if is_due:
                self.met.append(request)
            return is_due
