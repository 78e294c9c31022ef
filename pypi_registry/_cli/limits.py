"""The numbers of ``serve``: what one client, and all clients together, may use of it."""

import socket
from dataclasses import dataclass
from typing import Any

from waitress.adjustments import Adjustments

from pypi_registry._cli.spool import Spool

UNSENT = 256 * 1024
"""Bytes of a response that the system keeps beyond what it has sent. Without a limit Linux keeps some megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What `serve` limits. A test sets its own."""

    connections: int = 1000
    share: int = 10
    """One address may have the connections divided by this."""
    head_bytes: int = 32 * 1024
    """As much as nginx accepts by default, four buffers of 8 KiB."""
    head_lines: int = 100
    """As many header lines as gunicorn and Apache accept by default."""
    head_seconds: float = 20
    body_grace: float = 30
    """Seconds in which a body may be as slow as it likes."""
    body_rate: int = 10_000
    """Bytes per second that a body must bring on average after the grace."""
    unchecked_body: int = 1024**2
    """Bytes. The credentials of a request with a larger body are checked before the body is read."""
    drop_seconds: float = 5
    """Seconds in which the rest of a refused request is read and dropped, so that its client sees the response."""
    idle_seconds: float = 120
    """Seconds after which a connection is closed on which no byte was sent or received."""
    stalled_seconds: float = 10
    """Seconds without a byte after which a connection may be closed to make room for another."""
    stop_seconds: float = 60
    """Seconds that requests in progress have to finish after a signal."""


class Settings(Adjustments):
    """waitress's settings, which it passes to each connection and each parser, with ours."""

    def __init__(self, limits: Limits, spool: Spool, **settings: Any) -> None:
        super().__init__(max_request_header_size=limits.head_bytes, **settings)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self.socket_options = [*self.socket_options, (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)]
        self.limits = limits
        self.spool = spool
