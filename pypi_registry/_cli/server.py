"""The server of ``serve``: waitress, with limits and a graceful stop.

waitress receives a whole request before it calls the application, so a slow client costs memory and disk, but no
thread. What the application may not be asked before the body has arrived, `refuse` decides from the head.
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

from waitress import wasyncore

from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.limits import Limits, Settings
from pypi_registry._cli.listener import Listener
from pypi_registry._cli.spool import Spool
from pypi_registry._http.response import Response
from pypi_registry._publishing.form import MAX_FIELDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

THREADS = 8
"""Threads compute and wait for the disk. They never wait for clients: the main loop does."""

BACKLOG = 1024


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


def _refuse_nothing(environ: "WSGIEnvironment") -> None:
    return None


def _count_nothing(method: str, status: str) -> None:
    return None


def _unchanged(environ: "WSGIEnvironment") -> "WSGIEnvironment":
    return environ


class Server:
    """waitress on an open socket. It accepts connections as soon as it is created.

    :param spool: the folder for large bodies, and for responses that wait for a slow client.
    :param refuse: returns the response to a request with a large body that is to be refused before its body arrives,
        None to accept it. It is called in the main loop, so it must not wait for anything.
    :param refused: is called with the method and the status of each request that the server refuses itself, or whose
        client closes the connection before it is complete (499).
    :param forwarded: returns the environ of a request that the server itself refuses with the client's address and
        path, as proxies forward them, for the access log.
    :param limits_addresses: whether one address may have only a tenth of the connections. False behind a proxy, whose
        address is that of every client.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        log: AccessLog,
        listening: socket.socket,
        spool: Path,
        *,
        refuse: Callable[["WSGIEnvironment"], Response | None] = _refuse_nothing,
        refused: Callable[[str, str], object] = _count_nothing,
        forwarded: Callable[["WSGIEnvironment"], "WSGIEnvironment"] = _unchanged,
        limits_addresses: bool = True,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._spool = Spool(spool)
        tempfile.tempdir = str(spool)  # for this process: a store without new_file() takes Python's own setting
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for a thread
        settings = Settings(
            self._limits,
            self._spool,
            sockets=[listening],
            backlog=BACKLOG,
            outbuf_high_watermark=2**62,  # a response waits in the spool for a slow client, and not in a thread
            clear_untrusted_proxy_headers=False,  # behind_proxies() reads them, or nobody does
            ident="pypi_registry",
        )
        self._listener = Listener(
            application,
            listening,
            settings,
            threads=THREADS,
            access_log=log,
            refuse=refuse,
            refused=refused,
            forwarded=forwarded,
            limits_addresses=limits_addresses,
            clock=clock,
        )
        self._stopping = Event()

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the socket."""
        host, port = self._listener.socket.getsockname()[:2]
        return host, port

    def limit_bodies(self, max_file_size: int) -> None:
        """Accept bodies larger than a file may be, so that the registry itself responds "File is too large"."""
        self._listener.adj.max_request_body_size = max_file_size + MAX_FIELDS

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, then finish the requests in progress.

        `ready` is called as soon as signals are handled.
        """
        try:
            with _signals(self._stop):
                ready()
                while not self._stopping.is_set():
                    self._turn(timeout=1)
                    self._spool.restore()
            self._finish()  # a second signal stops it at once
        finally:
            wasyncore.close_all(self._listener._map)

    def _stop(self) -> None:
        self._stopping.set()
        self._listener.pull_trigger()  # wakes the loop

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._listener._map, count=1)
        self._listener.enforce()

    def _finish(self) -> None:
        listener = self._listener
        with selectors.DefaultSelector() as connecting:
            connecting.register(listener.socket, selectors.EVENT_READ)
            while connecting.select(timeout=0) and listener.has_room and listener.readable():
                self._turn(timeout=0)  # accepts one connection that the system has already queued
        self._turn(timeout=0)  # receives what they have sent
        wasyncore.dispatcher.close(listener)
        deadline = time.monotonic() + self._limits.stop_seconds
        while listener.active_channels and time.monotonic() < deadline:
            for channel in [*listener.active_channels.values()]:
                if not channel.is_busy:
                    channel.will_close = True
            self._turn(timeout=0.1)
        listener.task_dispatcher.shutdown()


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
