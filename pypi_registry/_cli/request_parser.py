"""Parsing requests: waitress's parser, in linear time, within limits, and stricter where proxies could differ."""

import re
from typing import Any, BinaryIO, Protocol

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.rfc7230 import CHUNK_EXT_RE
from waitress.utilities import BadRequest, Error, RequestHeaderFieldsTooLarge

from pypi_registry._api.errors import error_response
from pypi_registry._cli.limits import Settings
from pypi_registry._cli.spool import Body
from pypi_registry._disk import disk_errors_as_storage_errors
from pypi_registry._http.notes import Notes
from pypi_registry._http.response import Response
from pypi_registry.errors import StorageFull, StorageUnavailable

BLOCK = 256 * 1024
"""Bytes of a body that are received at once."""

HEAD_BLOCK = 16 * 1024
"""Bytes that are received at once where the next request may begin in them. They wait until this one is answered."""

_BLANK_LINE = b"\r\n\r\n"

# RFC 9110, 9.1: "method = token".
_IS_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")


class Refusal(Error):
    """A response of the registry, where waitress expects one of its errors."""

    def __init__(self, response: Response) -> None:
        super().__init__("")
        self._response = response
        self.code = int(response.status[:3])
        self.reason = response.status[4:]

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], Any]:
        return self._response.status, self._response.headers, b"".join(self._response.body)


class RequestTimeout(Error):
    """The client took too long."""

    code = 408
    reason = "Request Timeout"


class RequestParser(HTTPRequestParser):
    """One request while it arrives."""

    adj: Settings
    body_rcv: Any
    headers: dict[str, str]

    def __init__(self, adj: Settings) -> None:
        super().__init__(adj)
        self._head = bytearray()
        self.began = False
        """Whether more than blank lines has arrived."""
        self.notes = Notes()
        """What is noted about the request, also before it has an environ."""

    def wanted(self) -> int:
        """Return how many bytes to receive at once: of the next request at most `HEAD_BLOCK`."""
        return HEAD_BLOCK if self.body_rcv is None else min(self.body_rcv.wanted(), BLOCK)

    def received(self, data: bytes) -> int:
        """Take the next bytes of the request, and return how many of them belong to it."""
        return super().received(data) if self.headers_finished else self._receive_head(data)

    def _receive_head(self, data: bytes) -> int:
        # waitress joins and searches all of the head at each call: quadratic for a head that arrives byte by byte.
        before = len(self._head)
        # RFC 9112, 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least one
        # empty line (CRLF) received prior to the request-line."
        self._head += data if before else data.lstrip(b"\r\n")
        self.began = bool(self._head)
        if self.began and _IS_TOKEN.match(self._head) is None:  # TLS, for example, whose client should not have to wait
            return self._refuse_head(data, BadRequest("Start line is invalid"))
        end = self._head.find(_BLANK_LINE, max(0, before - len(_BLANK_LINE) + 1))
        size = len(self._head) if end < 0 else end + len(_BLANK_LINE)
        if size >= self.adj.limits.head_bytes:
            return self._refuse_head(data, self._too_large())
        if end < 0:
            return len(data)
        unparsed = len(self._head) - end - len(_BLANK_LINE)
        head = bytes(self._head[: end + len(_BLANK_LINE)])
        self._head.clear()
        if head.count(b"\r\n") - 2 > self.adj.limits.head_lines:
            return self._refuse_head(data, self._too_large())
        super().received(head)
        return len(data) - unparsed

    def _too_large(self) -> Error:
        limits = self.adj.limits
        return RequestHeaderFieldsTooLarge(
            f"the head of a request has at most {limits.head_bytes} bytes and {limits.head_lines} header lines"
        )

    def _refuse_head(self, data: bytes, error: Error) -> int:
        self.error = error
        self.headers_finished = self.completed = True
        return len(data)

    def parse_header(self, header_plus: bytes) -> None:
        # RFC 9112, 5.2: "A server that receives an obs-fold in a request message that is not within a "message/http"
        # container MUST either reject the message by sending a 400 (Bad Request) …" or replace it; proxies differ.
        if re.search(rb"\r\n[ \t]", header_plus):
            raise ParsingError("a header must not be continued on the next line")
        # RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message […]
        # that contains more than one Host header field line".
        if len(re.findall(rb"(?im)^host:", header_plus)) > 1:
            raise ParsingError("there is more than one Host")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a URI with an invalid host, or a length of thousands of digits
            raise ParsingError(str(error)) from error
        if self.chunked:
            # RFC 9112, 6.1: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding".
            # "A sender MUST NOT apply the chunked transfer coding more than once to a message body".
            codings = re.findall(rb"(?im)^transfer-encoding:([^\r\n]*)", header_plus)
            if "CONTENT_LENGTH" in self.headers or [each.strip().lower() for each in codings] != [b"chunked"]:
                raise ParsingError("the length of the body is ambiguous")
            self.body_rcv = ChunkedBody(Body(self.adj.spool))
        elif "TRANSFER_ENCODING" in self.headers:
            # RFC 9112, 6.1: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header
            # field MUST treat the message as if the framing is faulty".
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        elif self.content_length:
            self.body_rcv = FixedBody(Body(self.adj.spool), self.content_length)


class BodyReceiver(Protocol):
    """What waitress's parser needs to receive a body, and `wanted`."""

    completed: bool
    error: Error | None

    def wanted(self) -> int:
        """Return how many bytes to receive at once."""

    def received(self, data: bytes) -> int:
        """Take the next bytes, and return how many of them belong to the body."""

    def getfile(self) -> BinaryIO:
        """Return the whole body."""

    def getbuf(self) -> Body: ...
    def __len__(self) -> int: ...


class _Receiver:
    def __init__(self, body: Body) -> None:
        self._body = body
        self.completed = False
        self.error: Error | None = None

    def __len__(self) -> int:
        return len(self._body)

    def getfile(self) -> BinaryIO:
        return self._body.getfile()

    def getbuf(self) -> Body:
        return self._body

    def _store(self, data: bytes, *, is_last: bool) -> None:
        try:
            with disk_errors_as_storage_errors():
                if data:
                    self._body.append(data)
                if is_last:
                    self._body.finish()
        except (StorageFull, StorageUnavailable) as error:
            self.error = Refusal(error_response(error))
        except OSError:  # any other error of the disk
            self.error = Refusal(error_response(StorageUnavailable("the body cannot be stored now")))
        self.completed = is_last and self.error is None


class FixedBody(_Receiver):
    """A body whose length is declared."""

    def __init__(self, body: Body, size: int) -> None:
        super().__init__(body)
        self._left = size

    def wanted(self) -> int:
        return self._left

    def received(self, data: bytes) -> int:
        data = data[: self._left]
        self._left -= len(data)
        self._store(data, is_last=not self._left)
        return len(data)


_MAX_LINE = 4096
"""Bytes of the line before a chunk, with its extensions, and of one line of the trailer."""

_MAX_UNUSED = 16 * 1024
"""Bytes of all extensions and of the trailer of one body."""


class ChunkedBody(_Receiver):
    """A body in chunks (RFC 9112, 7.1). It looks at each byte once, and stores once per call.

    waitress copies the rest of the data several times per chunk: 2 MB in chunks of one byte stop its loop for seconds.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self._left = 0
        """Bytes of the current chunk that have not arrived."""
        self._line = b""
        """The beginning of a line that has not ended."""
        self._take_line = self._take_size
        self._unused = 0

    def wanted(self) -> int:
        return self._left + HEAD_BLOCK

    def received(self, data: bytes) -> int:
        carried, data = len(self._line), self._line + data
        position, parts, ended = 0, [], False
        while position < len(data) and not ended and self.error is None:
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                break
            ended = self._take_line(data[position:end])
            position = end + 2
        self._line = b"" if ended else data[position:]
        if len(self._line) > _MAX_LINE:
            self.error = BadRequest("Invalid chunk size")
        if self.error is None:
            self._store(b"".join(parts), is_last=ended)
        return (position if ended else len(data)) - carried

    def _take_size(self, line: bytes) -> bool:
        size, semicolon, _ = line.partition(b";")
        extensions = line[len(size) :]
        if re.fullmatch(rb"[0-9A-Fa-f]{1,16}", size) is None:
            self.error = BadRequest("Invalid chunk size")
        elif semicolon and (len(line) > _MAX_LINE or CHUNK_EXT_RE.match(extensions) is None):  # type: ignore[call-overload]  # a pattern of bytes, which its stub does not know
            self.error = BadRequest("Invalid chunk extension")
        else:
            self._count_unused(extensions)
            self._left = int(size, 16)
            self._take_line = self._take_end if self._left else self._take_trailer
        return False

    def _take_end(self, line: bytes) -> bool:
        if line:
            self.error = BadRequest("Chunk not properly terminated")
        self._take_line = self._take_size
        return False

    def _take_trailer(self, line: bytes) -> bool:
        self._count_unused(line)
        return not line

    def _count_unused(self, text: bytes) -> None:
        # RFC 9112, 7.1.1: "A server ought to limit the total length of chunk extensions received in a request".
        self._unused += len(text)
        if self._unused > _MAX_UNUSED:
            self.error = BadRequest("Too many chunk extensions or trailers")
