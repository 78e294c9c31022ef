"""A file as a response: whole, one range of it, or nothing if the client has it (RFC 9110, 13 and 14)."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from pypi_registry._http.request import Request
from pypi_registry._http.response import Headers, Response

BLOCK = 256 * 1024
"""Bytes read at once, where the server does not send the file itself."""


def requested_range(header: str, size: int) -> range | None:
    """Read a Range header for a representation of `size` bytes.

    None means the whole of it, also where the header is malformed, has several ranges or another unit. RFC 9110, 14.2:
    "A server MAY ignore the Range header field." An empty range cannot be satisfied.

    14.1.2: "If the selected representation is shorter than the specified suffix-length, the entire representation is
    used." Werkzeug's ``Range.range_for_length`` returns None then, so the header is read here.

    >>> requested_range("bytes=-10000", 871), requested_range("bytes=100-", 871), requested_range("bytes=900-", 871)
    (range(0, 871), range(100, 871), range(0, 0))
    """
    match = re.fullmatch(r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", header, re.IGNORECASE | re.ASCII)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        if size == 0 and int(last):
            return None  # the last bytes of an empty file are all of it
        return _clipped(size - min(int(last), size), size, size)
    if last and int(last) < int(first):
        return None
    return _clipped(int(first), int(last) + 1 if last else size, size)


def _clipped(start: int, stop: int, size: int) -> range:
    return range(start, min(stop, size)) if start < size else range(0)


def file_response(
    request: Request,
    open_part: Callable[[range | None], BinaryIO | Response],
    size: int,
    etag: str,
    *,
    validators: Headers,
    content: Headers,
) -> Response:
    """Respond with a file of `size` bytes, or with the part of it that was requested. The server closes the stream.

    :param open_part: opens a part of the file, or with None the whole file; or returns a response to send instead.
    :param validators: headers of every response about the file.
    :param content: headers of a response with bytes of the file.
    """
    validators = [("ETag", etag), *validators]
    if request.has_representation(etag):
        return Response("304 Not Modified", validators)
    header = request.header("HTTP_RANGE")
    part = requested_range(header, size) if header and _range_applies(request, etag) else None
    headers = [("Accept-Ranges", "bytes"), *validators, *content]
    if part is not None and not part:
        return Response("416 Range Not Satisfiable", [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
    # The response to HEAD has no bytes, and an object store would begin to send the whole file.
    stream = open_part(range(0) if request.method == "HEAD" else part)
    if isinstance(stream, Response):
        return stream
    body = _body(request, stream)
    if part is None:
        return Response("200 OK", [("Content-Length", str(size)), *headers], body)
    extent = ("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
    return Response("206 Partial Content", [("Content-Length", str(len(part))), extent, *headers], body)


def _range_applies(request: Request, etag: str) -> bool:
    # RFC 9110, 14.2: "A server MUST ignore a Range header field received with a request method that is unrecognized or
    # for which range handling is not defined. For this specification, GET is the only method for which range handling
    # is defined." If-Range must be our strong tag (13.1.5); we send no date that it could name.
    return request.method == "GET" and request.header("HTTP_IF_RANGE") in ("", etag)


def _body(request: Request, stream: BinaryIO) -> Iterable[bytes]:
    # The wrapper must reach the server unchanged (PEP 3333, "Optional Platform-Specific File Handling"). Then gunicorn,
    # uwsgi and bjoern use sendfile for a file, and no thread of waitress waits for a client that reads slowly.
    wrapper = request.environ.get("wsgi.file_wrapper")
    return wrapper(stream, BLOCK) if wrapper else _Blocks(stream)


class _Blocks:
    """A stream as blocks, for a server without a wrapper. It closes the stream even if nothing was iterated."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._stream.read(BLOCK), b"")

    def close(self) -> None:
        self._stream.close()
