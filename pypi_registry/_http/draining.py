"""Reading the rest of a refused body, so that its sender sees the refusal, without a thread that waits for ever.

Many clients send all of a body before they read the response. If a server closes the connection meanwhile, they report
a broken connection, and nginx responds 502, after which twine sends the file again.
"""

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from threading import Lock, Timer
from typing import Any, Protocol

from pypi_registry._http.body import Body

PATIENCE = 5.0
"""Seconds that reading the rest of a body may take, in addition to one second for each megabyte that arrives."""

_SECONDS_PER_BYTE = 1 / 1000**2

MAX_ANONYMOUS = 2
"""Bodies of anonymous callers that are read at one time. Each occupies a thread of the server."""

_SOCKETS = ("gunicorn.socket", "werkzeug.socket")
_QUEUED = 64 * 1024**2  # bytes; more than a kernel buffers for a connection that is not read


class RunningTimer(Protocol):
    """A timer that can be cancelled."""

    def cancel(self) -> None: ...


StartTimer = Callable[[float, Callable[[], None]], RunningTimer]


def _start_timer(seconds: float, function: Callable[[], None]) -> RunningTimer:
    timer = Timer(seconds, function)
    timer.daemon = True  # a server that stops does not wait for it
    timer.start()
    return timer


class Drains:
    """The refused bodies that are being read. Threads share it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, start_timer: StartTimer = _start_timer) -> None:
        self._clock = clock
        self._start_timer = start_timer
        self._anonymous: deque[_Drain] = deque()
        self._lock = Lock()

    def drain(self, body: Body, environ: Mapping[str, object], *, longest: int, authenticated: bool) -> "Cut | None":
        """Read the rest of a body, as far as its sender may occupy this thread.

        A read may wait for ever, and then only another thread can end it, by shutting the reading side of the socket.
        Where no socket is known, only the bodies of authenticated callers are read.

        :param longest: bytes; a body that is declared shorter is read to its end.
        :returns: what must be done after the response if the reading side was shut; otherwise None.
        """
        if body.ended:
            return None
        connection = _socket_of(environ)
        if connection is None:
            if authenticated:
                body.drain(longest)
            return None
        drain = _Drain(body, connection, self._clock, self._start_timer)
        if authenticated:
            drain.run(longest)
        else:
            with self._lock:
                # The oldest one has received the least for its time: otherwise it would have ended.
                if len(self._anonymous) >= MAX_ANONYMOUS:
                    self._anonymous.popleft().cut()
                self._anonymous.append(drain)
            try:
                drain.run(longest)
            finally:
                with self._lock, suppress(ValueError):  # a later drain may have removed it
                    self._anonymous.remove(drain)
        return Cut(connection) if drain.was_cut else None


def _socket_of(environ: Mapping[str, object]) -> Any:
    """Return the socket of the connection; None if the server does not name it.

    The streams of an HTTP/2 connection share one socket, so none of them may shut it.
    """
    if str(environ.get("SERVER_PROTOCOL")).startswith("HTTP/2"):
        return None
    if "uwsgi.version" in environ and "uwsgi" in sys.modules:
        return _Descriptor(sys.modules["uwsgi"].connection_fd())
    return next((environ[key] for key in _SOCKETS if key in environ), None)


class _Descriptor:
    """A connection of which only the file descriptor is known, as in uwsgi. The server still owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def shutdown(self, side: int) -> None:
        with self._copy() as connection:
            connection.shutdown(side)

    def recv(self, size: int) -> bytes:
        with self._copy() as connection:
            return connection.recv(size)

    def _copy(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self._descriptor))


class _Drain:
    """One body that is being read, and the timer that ends it."""

    def __init__(self, body: Body, connection: Any, clock: Callable[[], float], start_timer: StartTimer) -> None:
        self._body = body
        self._connection = connection
        self._clock = clock
        self._start_timer = start_timer
        self._timer: RunningTimer | None = None
        self._lock = Lock()
        self._has_ended = False
        self.was_cut = False

    def run(self, longest: int) -> None:
        self._began, self._before = self._clock(), self._body.received
        self._end_in_time()
        try:
            self._body.drain(longest)
        finally:
            with self._lock:  # from here on the connection may carry another request
                self._has_ended = True
                if self._timer is not None:
                    self._timer.cancel()

    def _end_in_time(self) -> None:
        arrived = self._body.received - self._before
        left = self._began + PATIENCE + arrived * _SECONDS_PER_BYTE - self._clock()
        with self._lock:
            if left > 0 and not self._has_ended and not self.was_cut:
                try:
                    self._timer = self._start_timer(left, self._end_in_time)
                    return
                except RuntimeError:  # there is no thread for a timer, so nothing could end the read
                    pass
        self.cut()

    def cut(self) -> None:
        """Shut the reading side: a read that waits returns, and later ones do not wait."""
        with self._lock:
            if not self._has_ended and not self.was_cut:
                self.was_cut = True
                _shut(self._connection, socket.SHUT_RD)


class Cut:
    """A connection whose reading side was shut within a body. It must not carry another request."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def after(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of a response; when the server closes it, the connection is ended."""
        return _EndsConnection(body, self._connection)


class _EndsConnection:
    """The body of a response, after which the server cannot receive or send anything on the connection.

    On Linux, bytes that arrive after the reading side was shut can still be read. A server that keeps the connection
    would parse the rest of the refused body as a request. With both sides shut the kernel resets the connection when
    more bytes arrive (RFC 1122, 4.2.2.13), so those in its queue are the last ones.
    """

    def __init__(self, body: Iterable[bytes], connection: Any) -> None:
        self._body = body
        self._connection = connection

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            _shut(self._connection, socket.SHUT_WR)
            _empty(self._connection)


# An `SSLSocket` would continue without encryption after its own `shutdown()`, so the methods of the base class are
# called. A socket of gevent or eventlet is of another class.


def _shut(connection: Any, side: int) -> None:
    with suppress(OSError):  # the client may be gone
        if isinstance(connection, socket.socket):
            socket.socket.shutdown(connection, side)
        else:
            connection.shutdown(side)


def _empty(connection: Any) -> None:
    receive = connection.recv
    if isinstance(connection, socket.socket):
        receive = socket.socket.recv.__get__(connection)
    with suppress(OSError):
        dropped = 0
        while dropped < _QUEUED and (data := receive(64 * 1024)):
            dropped += len(data)
