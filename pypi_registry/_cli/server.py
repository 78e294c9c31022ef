"""The server of ``serve``: waitress, with a graceful stop.

waitress receives a whole request before it calls the application, so a slow client costs memory and disk, but no
thread. Its price: it cannot refuse an upload before the body has arrived, as gunicorn can.
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

from pypi_registry._cli.access_log import AccessLog
from pypi_registry._publishing.form import MAX_FIELDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 8
"""Threads compute and wait for the disk. They never wait for clients: the main loop does."""

CONNECTIONS = 1000
BACKLOG = 1024

GRACE = 60.0
"""Seconds that requests in progress have to finish after a signal."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 chooses a free port.

    :raises OSError: if that fails; its ``filename`` is the address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as stack:
            listening = stack.enter_context(socket.socket(family, kind, protocol))
            if os.name == "posix":  # on Windows the option would let two programs share a port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)  # Linux lets two programs bind, and refuses the second only here
            stack.pop_all()
            return listening
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "this is not a host name", f"{host}:{port}") from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error


class Server:
    """waitress on an open socket. It accepts connections as soon as it is created."""

    def __init__(self, application: "WSGIApplication", log: AccessLog, listening: socket.socket, spool: Path) -> None:
        self._spool = spool
        tempfile.tempdir = str(spool)  # for this process: waitress has no setting for the folder of its temporary files
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for a thread
        server: Any = create_server(  # its type stubs lack what a graceful stop needs
            application,
            sockets=[listening],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            backlog=BACKLOG,
            outbuf_high_watermark=2**62,  # a response waits on the disk for a slow client, and not in a thread
            asyncore_use_poll=True,
            recv_bytes=256 * 1024,
            clear_untrusted_proxy_headers=False,  # behind_proxies() reads them, or nobody does
            ident="pypi_registry",
        )
        server.channel_class = _channel_class(log)
        self._server = server
        self._stopping = Event()

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the socket."""
        host, port = self._server.socket.getsockname()[:2]
        return host, port

    def limit_bodies(self, max_file_size: int) -> None:
        """Accept bodies larger than a file may be, so that the registry itself responds "File is too large"."""
        self._server.adj.max_request_body_size = max_file_size + MAX_FIELDS

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, then finish the requests in progress.

        `ready` is called as soon as signals are handled.
        """
        try:
            with _signals(self._stop):
                ready()
                while not self._stopping.is_set():
                    self._turn(timeout=1)
                    self._restore_spool()
            self._finish()  # a second signal stops it at once
        finally:
            wasyncore.close_all(self._server._map)

    def _stop(self) -> None:
        self._stopping.set()
        self._server.pull_trigger()  # wakes the loop

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._server._map, count=1)

    def _restore_spool(self) -> None:
        """Create the spool again if it was deleted: some systems delete folders that were not used for days."""
        if not self._spool.is_dir():
            with suppress(OSError):
                self._spool.mkdir(mode=0o700)

    def _finish(self) -> None:
        with selectors.DefaultSelector() as connecting:
            connecting.register(self._server.socket, selectors.EVENT_READ)
            while connecting.select(timeout=0) and len(self._server.active_channels) < CONNECTIONS:
                self._turn(timeout=0)  # accepts one connection that the system has already queued
        self._turn(timeout=0)  # receives what they have sent
        wasyncore.dispatcher.close(self._server)
        deadline = time.monotonic() + GRACE
        while self._server.active_channels and time.monotonic() < deadline:
            for channel in [*self._server.active_channels.values()]:
                if not _busy(channel):
                    channel.will_close = True
            self._turn(timeout=0.1)
        self._server.task_dispatcher.shutdown()


def _busy(channel: Any) -> bool:
    """Return whether a connection has a request that is arriving, is processed, or whose response is being sent."""
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
    """Return a channel class that also logs what waitress itself responds to: malformed and too large requests."""

    class LoggedError(ErrorTask):
        def execute(self) -> None:
            super().execute()
            request: Any = self.request
            method = getattr(request, "command", "-")  # None until its first line is parsed
            log.write(self.channel.addr[0], method, "-", str(request.error.code), "-", 0.0)

    class Channel(HTTPChannel):
        error_task_class = LoggedError

    return Channel
