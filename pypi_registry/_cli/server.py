"""The server of ``serve``: waitress, stopped without cutting anybody off.

waitress takes a request whole before the application sees it, so a slow client costs memory and disk but no thread. The
other side of it: it cannot refuse before the body has arrived, as gunicorn can.
"""

import errno
import logging
import os
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from pypi_registry._cli.site import AccessLog
from pypi_registry._publishing.publish import FORM_ROOM

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 8
"""They only compute and wait for the disk: clients are waited for elsewhere."""

CONNECTIONS = 1000
BACKLOG = 1024

GRACE = 60.0
"""Seconds that requests under way are given to end after a signal."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 is any that is free.

    :raises OSError: if that cannot be; its ``filename`` is the address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as stack:
            listening = stack.enter_context(socket.socket(family, kind, protocol))
            if os.name == "posix":  # on Windows the option lets two programs share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)  # of two that only bind, Linux would refuse none
            stack.pop_all()
            return listening
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "this is no host name", f"{host}:{port}") from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error


class Server:
    """waitress on an open socket, accepting connections from the moment it is made."""

    def __init__(self, application: "WSGIApplication", log: AccessLog, listening: socket.socket, spool: Path) -> None:
        self._spool = spool
        tempfile.tempdir = str(spool)  # the only way to tell waitress where to put bodies
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue that is used is no news
        server: Any = create_server(  # its stubs leave out what makes it stop well
            application,
            sockets=[listening],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            backlog=BACKLOG,
            outbuf_high_watermark=2**62,  # an answer waits on the disk for a client that reads slowly, not in a thread
            asyncore_use_poll=True,
            recv_bytes=256 * 1024,
            ident="pypi_registry",
        )
        server.channel_class = _channel_class(log)
        self._server = server
        self._stopping = Event()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as they came to be."""
        host, port = self._server.socket.getsockname()[:2]
        return host, port

    def limit_bodies(self, max_file_size: int) -> None:
        """Let bodies in that are so large that the registry's own answer is "File is too large"."""
        self._server.adj.max_request_body_size = max_file_size + FORM_ROOM

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, then finish what was begun.

        `ready` is called once a signal would be understood.
        """
        try:
            with _signals(self._stop):
                ready()
                while not self._stopping.is_set():
                    self._turn(timeout=1)
                    self._keep_spool()
            self._finish()  # a second signal ends it at once
        finally:
            wasyncore.close_all(self._server._map)

    def _stop(self) -> None:
        self._stopping.set()
        self._server.pull_trigger()  # wakes the loop

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._server._map, count=1)

    def _keep_spool(self) -> None:
        """Make the spool again if it is gone: some systems clean away folders in which nothing happens for days."""
        if not self._spool.is_dir():
            with suppress(OSError):
                self._spool.mkdir(mode=0o700)

    def _finish(self) -> None:
        with selectors.DefaultSelector() as connecting:
            connecting.register(self._server.socket, selectors.EVENT_READ)
            while connecting.select(timeout=0) and len(self._server.active_channels) < CONNECTIONS:
                self._turn(timeout=0)  # takes in whom the system has let connect, one a turn
        self._turn(timeout=0)  # and what they sent
        wasyncore.dispatcher.close(self._server)
        deadline = time.monotonic() + GRACE
        while self._server.active_channels and time.monotonic() < deadline:
            for channel in [*self._server.active_channels.values()]:
                if not _busy(channel):
                    channel.will_close = True
            self._turn(timeout=0.1)
        self._server.task_dispatcher.shutdown()


def _busy(channel: Any) -> bool:
    """Tell whether a connection has a request that is arriving, at work, or being answered."""
    arriving = channel.request is not None and channel.request.headers_finished
    return bool(channel.requests or arriving or channel.total_outbufs_len)


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    def receive(number: int, frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def _channel_class(log: AccessLog) -> type[HTTPChannel]:
    """Make waitress write a line also for the requests that it answers itself, malformed and enormous ones."""

    class LoggedError(ErrorTask):
        def execute(self) -> None:
            super().execute()
            request: Any = self.request
            method = getattr(request, "command", "-")  # it has none before its first line is understood
            log.write(self.channel.addr[0], method, "-", str(request.error.code), "-", 0.0)

    class Channel(HTTPChannel):
        error_task_class = LoggedError

    return Channel
