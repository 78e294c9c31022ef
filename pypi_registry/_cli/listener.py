"""The listening socket: which connections are accepted, and what they may use together."""

import errno
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.channel import TIMED_OUT, Channel, network_of
from pypi_registry._cli.limits import Settings
from pypi_registry._http.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_log = logging.getLogger("pypi_registry")

Socket = socket.socket  # an attribute of the class below is also called socket

PAUSE = 1.0
"""Seconds without accepting after the system had no descriptor or no memory for a connection."""

SILENCE = 60.0
"""Seconds between two messages of one kind."""

INTERVAL = 1.0
"""Seconds between two checks of deadlines."""

_RESERVED = 128
"""Descriptors for all but connections: the catalogue and the files of eight threads, logs, sockets, modules."""

_PER_CONNECTION = 2
"""Descriptors: a connection has a socket, and a body or a response in a file."""

_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def affordable_connections(wanted: int) -> int:
    """Return how many connections the limit of descriptors allows. It is raised as far as it is needed and possible."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return wanted
    needed = _RESERVED + _PER_CONNECTION * wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # some systems have another limit, which they do not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    return max(1, (soft - _RESERVED) // _PER_CONNECTION)


class Listener(TcpWSGIServer):
    """Accepts connections.

    If there are too many, from one address or altogether, the one is closed that has waited longest for its client.

    :param refuse: returns the response to a request with a large body that is to be refused before its body arrives.
    :param refused: is called with the method and the status of each request that does not reach the application.
    :param forwarded: returns an environ with the client's address and path, for the access log.
    :param limits_addresses: whether one address may have only a part of the connections.
    :param clock: seconds, monotonic.
    """

    channel_class = Channel
    active_channels: dict[int, Channel]  # type: ignore[assignment]  # the stub is wrong
    adj: Settings
    socket: Socket
    _map: Any  # missing in the stub

    def __init__(
        self,
        application: "WSGIApplication",
        listening: Socket,
        settings: Settings,
        *,
        threads: int,
        access_log: AccessLog,
        refuse: Callable[["WSGIEnvironment"], Response | None],
        refused: Callable[[str, str], object],
        forwarded: Callable[["WSGIEnvironment"], "WSGIEnvironment"],
        limits_addresses: bool,
        clock: Callable[[], float],
    ) -> None:
        self.access_log = access_log
        self.refuse = refuse
        self.refused = refused
        self.forwarded = forwarded
        self.clock = clock
        self.max_connections = affordable_connections(settings.limits.connections)
        if self.max_connections < settings.limits.connections:
            _log.warning("the limit of open files allows only %d connections", self.max_connections)
        self._per_address = max(1, self.max_connections // settings.limits.share) if limits_addresses else None
        self._paused_until = self._next_check = -1.0
        self._logged: dict[str, float] = {}
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        super().__init__(
            application,
            map={},
            _sock=listening,
            dispatcher=dispatcher,
            adj=settings,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
            bind_socket=False,
        )

    @property
    def has_room(self) -> bool:
        """Whether a connection can be accepted without closing another."""
        return len(self.active_channels) < self.max_connections

    def enforce(self) -> None:
        """End what has taken too long, about once a second."""
        now = self.clock()
        if now >= self._next_check:
            self._next_check = now + INTERVAL
            for channel in [*self.active_channels.values()]:
                channel.enforce(now)

    def readable(self) -> bool:
        if not self.accepting or self.clock() < self._paused_until:
            return False
        return self.has_room or self._closable(self.active_channels.values()) is not None

    def handle_accept(self) -> None:
        try:
            accepted = self.accept()
            if accepted is None:
                return
        except OSError as error:
            if error.errno in _NO_RESOURCES:  # the connection stays in the queue, and would wake the loop at once
                self._paused_until = self.clock() + PAUSE
            self._log_seldom("connections cannot be accepted: %s", error.strerror)
            return
        connection, address = accepted
        if not self._make_room(address[0]):
            connection.close()
            return
        try:
            self.set_socket_options(connection)
            self.channel_class(self, connection, address, self.adj, map=self._map)
        except OSError:  # the client is gone
            connection.close()

    def _make_room(self, address: str) -> bool:
        """Close a connection if there are too many, and return whether there is room for one from this address."""
        everyone = self.active_channels.values()
        if self._per_address is not None:
            network = network_of(address)
            peers = [each for each in everyone if each.network == network]
            if len(peers) >= self._per_address:
                self._log_seldom("%s has reached the limit of connections per address", network)
                return self._close_one(peers)
        if self.has_room:
            return True
        self._log_seldom("the limit of %d connections is reached", self.max_connections)
        return self._close_one(everyone)

    def _close_one(self, channels: Iterable[Channel]) -> bool:
        found = self._closable(channels)
        if found is not None:
            found.handle_close(TIMED_OUT)
        return found is not None

    def _closable(self, channels: Iterable[Channel]) -> Channel | None:
        now = self.clock()
        costs = [(cost, each) for each in channels if (cost := each.cost_of_closing(now)) is not None]
        return min(costs, key=lambda cost: cost[0])[1] if costs else None

    def _log_seldom(self, message: str, *facts: object) -> None:
        now = self.clock()
        if now - self._logged.get(message, -SILENCE) >= SILENCE:
            self._logged[message] = now
            _log.warning(message, *facts)
