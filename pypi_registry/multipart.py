"""The body of a request, and the parts of a form in it, as they arrive.

Werkzeug's decoder splits the bytes. What a form may cost is bounded here: the decoder's own bounds count a whole read,
and would refuse reads of the size that servers are fast with.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Event, Field, File, MultipartDecoder, State
from werkzeug.wsgi import LimitedStream

from pypi_registry.errors import InvalidUpload, LengthRequired
from pypi_registry.uploads import Part

READ_SIZE = 1024**2
"""Bytes. gunicorn copies what it holds at every read: with reads of 64 KiB an upload takes twice the time."""

DRAINED = 10 * 1000**2
"""How many bytes are read of a refused body that is too large, or whose length nobody knows."""

MAX_PARTS = 20_000
# Characters of the headers of one part, and of all: the decoder takes half a second for a megabyte of them.
_MAX_HEAD = 64 * 1024
_MAX_HEADS = 4 * 1024**2


class Body:
    """The body of one request; nothing is read before it is asked for."""

    def __init__(self, environ: dict[str, object]) -> None:
        self._environ = environ
        self._stream: IO[bytes] | None = None

    @property
    def length(self) -> int | None:
        """The declared length in bytes, or None."""
        text = self._environ.get("CONTENT_LENGTH")
        return int(text) if isinstance(text, str) and re.fullmatch("[0-9]{1,100}", text) else None

    @property
    def expected(self) -> bool:
        """Whether there may be anything to read."""
        return bool(self.length) or bool(self._environ.get("HTTP_TRANSFER_ENCODING"))

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
            known = self.length is not None and self.length < longest
            left = self.length or 0 if known else DRAINED if self.expected else 0
            while left > 0 and (data := self.read(min(left, READ_SIZE))):
                left -= len(data)


def parts(body: Body, content_type: str) -> Iterator[Part]:
    """Split a form into its parts, reading the body as they are taken.

    :raises InvalidUpload: if the body is no form, or breaks off.
    """
    mimetype, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if mimetype.lower() != "multipart/form-data" or not boundary:
        raise InvalidUpload(["the body must be multipart/form-data, with a boundary"])
    events = _events(body, MultipartDecoder(boundary.encode("latin-1", "replace"), max_parts=MAX_PARTS))
    for event in events:
        if isinstance(event, Field | File):
            chunks = _chunks(events)
            yield Part(event.name or "", event.filename if isinstance(event, File) else None, chunks)
            for _ in chunks:
                pass  # what was left of it lies before the next part


def _chunks(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        assert isinstance(event, Data)  # as long as a part goes on, nothing else comes
        if event.data:
            yield event.data
        if not event.more_data:
            return


def _pieces(body: Body) -> Iterator[bytes]:
    """Read a form such that no piece ends between the two hyphens at its very end.

    There the decoder takes the line break before the boundary for a byte of the file (Werkzeug 3.1.9). A client that
    sends a file again would cut it at the same place again. A hundred hyphens are more than any boundary has.
    """
    held = b""
    while data := body.read(READ_SIZE):
        data = held + data
        end = len(data.rstrip(b"-"))
        end = end if len(data) - end <= 100 else len(data)
        held = data[end:]
        yield data[:end]
    yield held


def _events(body: Body, decoder: MultipartDecoder) -> Iterator[Event]:
    pieces = _pieces(body)
    heads = 0
    try:
        while True:
            event = decoder.next_event()
            if isinstance(event, Field | File):
                heads += _head_size(event)
                if heads > _MAX_HEADS:
                    raise InvalidUpload([f"the parts of the form have more than {_MAX_HEADS} characters of headers"])
            if event is not NEED_DATA:
                yield event
            elif decoder.state is State.EPILOGUE:
                return  # what follows the last boundary means nothing, and the decoder would collect it
            elif decoder.state in (State.PREAMBLE, State.PART) and len(decoder.buffer) > 2 * READ_SIZE:
                raise InvalidUpload(["the form has no end to what stands before a part"])
            else:
                decoder.receive_data(next(pieces, None))
    except RequestEntityTooLarge:
        raise InvalidUpload([f"the form has more than {MAX_PARTS} parts"]) from None
    except ValueError as error:  # the decoder's only word for a form that is cut short or malformed
        raise InvalidUpload([f"the form cannot be read: {error}"]) from error


def _head_size(part: Field | File) -> int:
    size = sum(len(name) + len(value) for name, value in part.headers)
    if size > _MAX_HEAD:
        raise InvalidUpload([f"a part of the form has more than {_MAX_HEAD} characters of headers"])
    return size


def content_type(environ: Mapping[str, object]) -> str:
    """Give the Content-Type of a request; empty if it has none."""
    return str(environ.get("CONTENT_TYPE") or "")
