"""An HTTP response that ends with an error if it arrives too slowly.

The time-outs of sockets hold for one read. So a server that sends a byte now and then, in the body, in the headers or
between the chunks, keeps a client waiting for ever. Here each byte that the socket returns counts.
"""

import io
from collections.abc import Callable
from http.client import HTTPResponse
from socket import socket
from time import monotonic

GRACE = 60.0
"""Seconds in which a response may arrive at any rate."""
MIN_RATE = 1024
"""Bytes per second that must arrive on average, when `GRACE` is over."""


class TooSlow(OSError):
    """A response arrives too slowly."""


class Pace:
    """Counts the bytes of one response.

    :param clock: returns seconds, and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._received = 0

    def add(self, count: int) -> None:
        """Count bytes that arrived.

        :raises TooSlow: if there were too few since the start.
        """
        self._received += count
        if self._received < (self._clock() - self._started - GRACE) * MIN_RATE:
            raise TooSlow(f"the source sends fewer than {MIN_RATE} bytes a second")


class PacedResponse(HTTPResponse):
    """A response whose bytes are all counted, also those of its headers."""

    def __init__(self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_PacedReader(self.fp.detach(), Pace(monotonic)))


class _PacedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, pace: Pace) -> None:
        self._raw, self._pace = raw, pace

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: "bytearray | memoryview", /) -> int | None:  # type: ignore[override]  # some buffers
        count = self._raw.readinto(buffer)
        if count:
            self._pace.add(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
