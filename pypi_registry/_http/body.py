"""The body of a request, as its server hands it on."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import LimitedStream

from pypi_registry.errors import InvalidUpload, LengthRequired

READ_SIZE = 512 * 1024
"""Bytes. gunicorn copies what it holds at every read: with reads of 64 KiB an upload takes twice the time."""

DRAINED = 10 * 1000**2
"""How many bytes are read of a refused body that is too large, or whose length nobody knows."""


class Body:
    """The body of one request; nothing is read before it is asked for."""

    def __init__(self, environ: Mapping[str, object]) -> None:
        text = environ.get("CONTENT_LENGTH")
        self._environ = environ
        self._stream: IO[bytes] | None = None
        self.length = int(text) if isinstance(text, str) and re.fullmatch("[0-9]{1,100}", text) else None
        """As declared, in bytes; None if that was not, or cannot be."""

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; empty at the end.

        :raises LengthRequired: if the end of the body cannot be known; to read on would wait for ever.
        :raises InvalidUpload: if the client went away.
        """
        if self._stream is None:
            self._stream = self._open()
        try:
            return self._stream.read(size)
        except (OSError, ClientDisconnected) as error:  # servers raise errors of their own kinds, all of them OSErrors
            raise InvalidUpload(["the request broke off before its end"]) from error

    def _open(self) -> IO[bytes]:
        stream: Any = self._environ["wsgi.input"]
        if self._environ.get("wsgi.input_terminated"):
            return stream  # type: ignore[no-any-return]  # the server's own, which ends where the body does
        if self.length is None:
            raise LengthRequired
        return LimitedStream(stream, self.length)  # type: ignore[return-value]  # it reads, which is all that is asked

    def drain(self, longest: int) -> None:
        """Read on for a bounded while, for a client that sends before it listens.

        A body that is declared shorter than `longest` bytes is read to its end: nginx gives an answer of its own, 502,
        if a server closes while it is sending, and twine sends a file again on any 5xx.
        """
        with suppress(Exception):  # whatever the server raises, the answer is made, and nobody may be there to hear it
            left = self.length if self.length is not None and self.length < longest else DRAINED
            while left > 0 and (data := self.read(min(left, READ_SIZE))):
                left -= len(data)
