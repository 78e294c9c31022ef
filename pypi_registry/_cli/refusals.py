"""Refused uploads and failed sign-ins in the audit log of ``serve``: from finished responses, as they are no events.

A stranger can send any number of requests, so the lines of failed sign-ins are bounded, and so is the memory for their
addresses. Uploads of anonymous callers are no more than sign-ins that failed, or were not tried.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from pypi_registry._api.links import API_PREFIX
from pypi_registry._api.routes import match
from pypi_registry._cli.channel import CLIENT_CLOSED, network_of
from pypi_registry._http.notes import Notes
from pypi_registry.errors import NotFound
from pypi_registry.events import Actor, AuditLog

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MINUTE = 60.0
MAX_ADDRESSES = 1_000
"""Addresses of one minute that have lines of their own. All others share one line."""

_MAX_TEXT = 2_000
"""Characters of a text in a line."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line of the audit log."""

    action: str
    actor: Actor
    facts: Mapping[str, object]


class Refusals:
    """Writes refusals to an audit log.

    :param clock: seconds, monotonic.
    """

    def __init__(self, audit: AuditLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._sign_ins = FailedSignIns()
        self._lock = Lock()

    def record(self, environ: "WSGIEnvironment", status: int, notes: Notes) -> None:
        """Write what is to be written after a response."""
        lines: list[tuple[Refusal, int | None]] = []
        refusal = refusal_of(environ, status, notes)
        with self._lock:
            now = self._clock()
            lines.extend(self._sign_ins.due(now))
            if refusal is not None and refusal.action == SIGN_IN_FAILED:
                lines.extend(self._sign_ins.add(refusal, now))
            elif refusal is not None:
                lines.append((refusal, None))
        self._write(lines)

    def write_due(self) -> None:
        """Write the counts of the minutes that are over: call this regularly, as no other request may come."""
        with self._lock:
            lines = [*self._sign_ins.due(self._clock())]
        self._write(lines)

    def close(self) -> None:
        """Write what is still counted."""
        with self._lock:
            lines = [*self._sign_ins.rest()]
        self._write(lines)

    def _write(self, lines: Iterable[tuple[Refusal, int | None]]) -> None:
        for refusal, count in lines:
            counted = {} if count is None else {"count": count}
            self._audit.write(refusal.action, refusal.actor, {**refusal.facts, **counted})


SIGN_IN_FAILED = "SignInFailed"
UPLOAD_REFUSED = "UploadRefused"


def refusal_of(environ: "WSGIEnvironment", status: int, notes: Notes) -> Refusal | None:
    """Return the refusal of a request; None if it was not refused, or nobody in particular was.

    A request without a token is no failed sign-in: uv asks without one first.
    """
    if status < 400 or status == int(CLIENT_CLOSED):
        return None
    refused_token = notes.get("refused_token", "")
    is_known = bool(notes.get("token") or notes.get("principal"))
    actor = Actor(notes.get("principal", ""), notes.get("token", ""), environ.get("REMOTE_ADDR") or "")
    where = {"project": notes.get("project"), "project_id": notes.get("project_id")}
    facts: dict[str, object] = {**where, "response": status}
    if refused_token:
        return Refusal(SIGN_IN_FAILED, actor, {**facts, "reason": refused_token})
    if is_known and _is_upload(environ):
        return Refusal(UPLOAD_REFUSED, actor, {**facts, **_upload(notes)})
    return None


def _is_upload(environ: "WSGIEnvironment") -> bool:
    path = str(environ.get("PATH_INFO", "")).removeprefix(API_PREFIX)
    try:
        return environ["REQUEST_METHOD"] == "POST" and "POST" in match(path).route.endpoints
    except NotFound:
        return False


def _upload(notes: Notes) -> dict[str, object]:
    filename = notes.get("filename", "")[:_MAX_TEXT]
    return {
        "package": notes.get("package") or None,
        "version": notes.get("version", "")[:_MAX_TEXT] or None,
        "files": [{"name": filename, "sha256": notes.get("sha256") or None}] if filename else [],
        "reason": notes.get("reason", "")[:_MAX_TEXT] or None,
    }


@dataclass(slots=True)
class _Minute:
    """A minute in which an address has had its line."""

    began: float
    last: Refusal | None = None
    """The latest one that was only counted."""
    count: int = 0


class FailedSignIns:
    """Decides which failed sign-ins become lines: at most one per address and minute, and none is lost from the count.

    The first of an address is a line at once, with a count of 1. Those of the next minute are counted; their number is
    a line when the minute is over, which begins another minute. Of IPv6, a /64 is one address.
    """

    def __init__(self, max_addresses: int = MAX_ADDRESSES) -> None:
        self._max_addresses = max_addresses
        self._minutes: dict[str, _Minute] = {}  # in the order in which they began

    def add(self, refusal: Refusal, now: float) -> Iterator[tuple[Refusal, int]]:
        """Count a failed sign-in, and yield it if it becomes a line."""
        network = _network(refusal.actor.address)
        if network not in self._minutes and len(self._minutes) >= self._max_addresses:
            network, refusal = _OTHERS, Refusal(refusal.action, Actor(), refusal.facts)
        minute = self._minutes.get(network)
        if minute is None:
            self._minutes[network] = _Minute(now)
            yield refusal, 1
        else:
            minute.last = refusal
            minute.count += 1

    def due(self, now: float) -> Iterator[tuple[Refusal, int]]:
        """Yield the counts of the minutes that are over."""
        while self._minutes:
            network, minute = next(iter(self._minutes.items()))
            if now - minute.began < MINUTE:
                return
            del self._minutes[network]
            if minute.last is not None:
                self._minutes[network] = _Minute(now)
                yield minute.last, minute.count

    def rest(self) -> Iterator[tuple[Refusal, int]]:
        """Yield all counts that are not lines yet."""
        for minute in self._minutes.values():
            if minute.last is not None:
                yield minute.last, minute.count
        self._minutes.clear()


_OTHERS = ""


def _network(address: str) -> str:
    try:
        return network_of(address) or "-"
    except ValueError:  # a server may report something else than an IP address
        return address
