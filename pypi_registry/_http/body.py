"""The body of a request, as the server passes it on."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import LimitedStream

from pypi_registry._http.errors import LengthRequired
from pypi_registry.errors import InvalidRequest

READ_SIZE = 512 * 1024
"""Bytes. gunicorn copies its buffer at every read: with reads of 64 KiB an upload takes twice the time."""

_DRAIN_SIZE = 64 * 1024  # a read may return only when all its bytes have arrived, and only then they count as received

_LENGTH = re.compile("[0-9]{1,100}")

DRAINED = 10 * 1000**2
"""How many bytes are read of a refused body that is too large, or whose length is not known."""


class Body:
    """The body of one request. Nothing is read before `read` is called."""

    def __init__(self, environ: Mapping[str, object]) -> None:
        text = environ.get("CONTENT_LENGTH")
        self._environ = environ
        self._stream: IO[bytes] | None = None
        self.received = 0
        """Bytes that were read."""
        self._was_read_to_end = False
        self.length = int(text) if isinstance(text, str) and _LENGTH.fullmatch(text) else None
        """As declared, in bytes; None if it was not declared, or is not a number."""

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; empty at the end.

        :raises LengthRequired: if the end of the body cannot be determined; reading on would block for ever.
        :raises InvalidRequest: if the client closed the connection.
        """
        if self._stream is None:
            self._stream = self._open()
        try:
            data = self._stream.read(size)
        except (OSError, ClientDisconnected) as error:  # servers raise errors of their own, all of them OSErrors
            raise InvalidRequest(["the request ended before its body was complete"]) from error
        self.received += len(data)
        self._was_read_to_end = not data and size > 0
        return data

    @property
    def ended(self) -> bool:
        """Whether all of the body was read."""
        return self._was_read_to_end or (self.length is not None and self.received >= self.length)

    def _open(self) -> IO[bytes]:
        stream: Any = self._environ["wsgi.input"]
        if self._environ.get("wsgi.input_terminated"):
            return stream  # type: ignore[no-any-return]  # the server's own stream, which ends where the body does
        if self.length is None:
            raise LengthRequired
        return LimitedStream(stream, self.length)  # type: ignore[return-value]  # only its read() is used

    def drain(self, longest: int) -> None:
        """Read the rest of the body if less than `longest` bytes were declared; otherwise at most `DRAINED` bytes."""
        with suppress(Exception):  # whatever the server raises: the response is ready, and the client may be gone
            left = self.length if self.length is not None and self.length < longest else DRAINED
            while left > 0 and (data := self.read(min(left, _DRAIN_SIZE))):
                left -= len(data)
