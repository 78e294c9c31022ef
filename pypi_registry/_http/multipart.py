"""The parts of a multipart form, as they arrive (RFC 7578 and 2046).

Werkzeug parses the headers of a part. The body is split here: Werkzeug's decoder takes a third of the time of a small
upload, copies a large one three times, and adds a byte to a file if a read ends at a certain position.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias

from werkzeug.http import parse_options_header

from pypi_registry._http.body import READ_SIZE, Body
from pypi_registry._http.common_parts import common_boundary, common_parts
from pypi_registry.errors import InvalidRequest

MAX_PARTS = 20_000
_MAX_BOUNDARY = 200  # characters; RFC 2046 allows 70, and in a form of line breaks each is compared with all of it
_MAX_HEAD = 64 * 1024  # bytes of the headers of one part, and of all parts together
_MAX_HEADS = 4 * 1024**2
_MAX_BLANKS = 100  # between a boundary and the end of its line
_MAX_END = 1000  # bytes behind the last boundary, all of them blanks or line breaks

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")  # old tools end lines without \r
_AFTER_BOUNDARY = re.compile(rb"(--)|[ \t]{0,%d}(?:\r?\n|(\r[^\n]))" % _MAX_BLANKS)
_LINE_BREAK = re.compile(rb"\r?\n|\r")
_BARE_CR = re.compile(rb"\r(?!\n)")

_HAS_BARE_CR = "the form cannot be read: a carriage return without a line feed ends a line"


Part: TypeAlias = tuple[str, str | None, Iterator[bytes]]
"""The name, the file name and the bytes of a part of a form; they must be read before the next part is requested.

The file name is None for a text field, and empty for a file without a name.
"""


def parts(body: Body, content_type: str) -> Iterator[Part]:
    """Split a form into its parts, and read the body as far as the parts are read.

    :raises InvalidRequest: if the body is not a form, or ends too early.
    """
    common = common_boundary(content_type)
    boundary = common or _boundary(content_type)
    if not boundary:
        raise InvalidRequest(["the body must be multipart/form-data, with a boundary"])
    if len(boundary) > _MAX_BOUNDARY:
        raise InvalidRequest([f"the boundary of the form has more than {_MAX_BOUNDARY} characters"])
    form = _Form(body, boundary.encode("latin-1", "replace"))
    form.read_on()
    # Other boundaries may contain line breaks (RFC 2231), and then two boundaries may share bytes.
    if common and (found := form.common_parts()) is not None:
        for name, filename, content in found:
            yield name, filename, iter((content,) if content else ())
        return form.read_end()
    before = 0
    for chunk in form.content():
        before += len(chunk)
        if before > 2 * READ_SIZE:
            raise InvalidRequest(["the form has too much data before its first part"])
    count = heads = 0
    while not form.ended:
        head = form.head()
        count, heads = count + 1, heads + len(head)
        if count > MAX_PARTS:
            raise InvalidRequest([f"the form has more than {MAX_PARTS} parts"])
        if heads > _MAX_HEADS:
            raise InvalidRequest([f"the parts of the form have more than {_MAX_HEADS} bytes of headers"])
        chunks = form.content()
        yield *_names(head), chunks
        for _ in chunks:
            pass  # what the caller has not read comes before the next part
    form.read_end()


def _boundary(content_type: str) -> str:
    """Return the boundary; empty if there is none, or if this is another media type."""
    mimetype, options = parse_options_header(content_type)
    return options.get("boundary", "") if mimetype.lower() == "multipart/form-data" else ""


class _Form:
    """The bytes of a form that have arrived and were not yet returned."""

    def __init__(self, body: Body, boundary: bytes) -> None:
        self._body = body
        self._boundary = b"--" + boundary
        self._line = b"\n" + self._boundary
        self._after_bare_cr = b"\r" + self._boundary
        self._longest = len(b"\r\n" + self._boundary) + _MAX_BLANKS + len(b"\r\n")
        self._data = b""
        self._at = 0  # where the unread part of the data begins
        self._begins = True  # what follows is at the beginning of a line
        self.ended = False
        """Whether the last boundary has arrived."""

    def common_parts(self) -> list[tuple[str, str | None, bytes]] | None:
        """Return all parts if `pypi_registry._http.common_parts` reads them; None otherwise."""
        found = common_parts(self._data, self._boundary)
        if found is not None:
            self._at = len(self._data) - len(b"\r\n")  # of the last boundary: `read_end` counts it
        return found

    def head(self) -> bytes:
        """Read the headers of a part.

        :raises InvalidRequest: if they are too long, or the form ends.
        """
        searched = self._at
        while (blank := _BLANK_LINE.search(self._data, searched)) is None:
            seen = len(self._data) - self._at
            if seen > _MAX_HEAD:
                break
            self.read_on()
            searched = max(0, seen - len(b"\r\n\r"))
        if blank is None or blank.start() - self._at > _MAX_HEAD:
            raise InvalidRequest([f"a part of the form has more than {_MAX_HEAD} bytes of headers"])
        head = self._data[self._at : blank.start()]
        self._at, self._begins = blank.end(), True
        return head

    def content(self) -> Iterator[bytes]:
        """Return the content up to the next boundary, in one piece if all of it is buffered.

        :raises InvalidRequest: if the form ends.
        """
        found = self._find_boundary()
        return self._arriving_content() if found is None else iter(self._up_to(*found))

    def _arriving_content(self) -> Iterator[bytes]:
        while (found := self._find_boundary()) is None:
            end = self._end_of_content()
            self._refuse_bare_cr(len(self._data))
            if end > self._at:
                chunk, self._at, self._begins = self._data[self._at : end], end, False
                yield chunk
            self.read_on()
        yield from self._up_to(*found)

    def _up_to(self, start: int, end: int) -> tuple[bytes, ...]:
        """Return the content before a boundary, and skip the boundary."""
        if self._data.find(self._after_bare_cr, self._at, start) >= 0:
            self._refuse_bare_cr(start)
        at, self._at = self._at, end
        return (self._data[at:start],) if start > at else ()

    def _refuse_bare_cr(self, end: int) -> None:
        """Refuse a boundary after a carriage return alone, which some parsers treat as a line break, and we do not.

        :raises InvalidRequest: if there is one in the content up to `end`.
        """
        line = self._after_bare_cr
        at = self._data.find(line, self._at, end)
        while at >= 0:
            if _AFTER_BOUNDARY.match(self._data, at + len(line)):
                raise InvalidRequest([_HAS_BARE_CR])
            at = self._data.find(line, at + 1, end)

    def read_end(self) -> None:
        """Read the body to its end, behind the last boundary.

        RFC 2046, 5.1.1, allows an epilogue there, but no client of a registry sends one. Parsers disagree about
        it, so it is refused.

        :raises InvalidRequest: if any text follows.
        """
        rest = self._data[self._at :]
        with suppress(InvalidRequest):  # the client may have gone away when the form was complete
            while len(rest) <= _MAX_END and not rest.strip(b" \t\r\n") and (more := self._body.read(READ_SIZE)):
                rest += more
        if len(rest) > _MAX_END or rest.strip(b" \t\r\n"):
            raise InvalidRequest(["the form has text after its last boundary"])
        if _BARE_CR.search(rest):
            raise InvalidRequest([_HAS_BARE_CR])

    def _find_boundary(self) -> tuple[int, int] | None:
        """Return where the line break before the next boundary begins, and where the line of the boundary ends."""
        # RFC 2046, 5.1.1: "The boundary delimiter MUST occur at the beginning of a line, i.e., following a CRLF, and
        # the initial CRLF is considered to be attached to the boundary delimiter line rather than part of the
        # preceding part."
        data, begin = self._data, self._at
        at_begin = self._begins and data.startswith(self._boundary, begin)
        at = begin if at_begin else data.find(self._line, begin) + 1
        while at_begin or at:
            after = _AFTER_BOUNDARY.match(data, at + len(self._boundary))
            if after is not None:
                self.ended = after[1] is not None
                if after[2]:
                    raise InvalidRequest([_HAS_BARE_CR])
                start = at if at == begin else at - (2 if data[at - 2 : at] == b"\r\n" else 1)
                return max(start, begin), after.end()
            at_begin, at = False, data.find(self._line, at) + 1
        return None

    def _end_of_content(self) -> int:
        """Return the first position at which a partly received boundary can start; content goes up to there."""
        data, whole = self._data, self._boundary
        tail = max(self._at, len(data) - self._longest)
        lines = [(found.start(), found.end()) for found in _LINE_BREAK.finditer(data, tail)]
        if self._begins and tail == self._at:
            lines.insert(0, (tail, tail))
        maybe = (before for before, line in lines if whole.startswith(data[line : line + len(whole)]))
        return next(maybe, len(data))

    def read_on(self) -> None:
        """Read at least as many bytes as are buffered, so that each byte is copied only a few times if reads are small.

        :raises InvalidRequest: if the form ends.
        """
        pieces, kept, arrived = [self._data[self._at :]], len(self._data) - self._at, 0
        while arrived <= kept and (more := self._body.read(READ_SIZE)):
            pieces.append(more)
            arrived += len(more)
        if not arrived:
            raise InvalidRequest(["the form cannot be read: it ends before its last boundary"])
        self._data, self._at = b"".join(pieces), 0


def _names(head: bytes) -> tuple[str, str | None]:
    """Return the name and the file name in the headers of a part.

    :raises InvalidRequest: if there is no name, or the headers cannot be read.
    """
    if _BARE_CR.search(head):
        raise InvalidRequest([_HAS_BARE_CR])
    try:
        lines = re.sub(rb"\r?\n[ \t]+", b" ", head).decode().split("\n")
    except UnicodeDecodeError as error:
        raise InvalidRequest([f"the form cannot be read: {error}"]) from None
    headers = (line.partition(":") for line in lines)
    for value in (value for name, _, value in headers if name.strip().lower() == "content-disposition"):
        _, options = parse_options_header(value.strip())
        return options.get("name", ""), options.get("filename")
    raise InvalidRequest(["the form cannot be read: a part has no Content-Disposition"])


def content_type(environ: Mapping[str, object]) -> str:
    """Return the Content-Type of a request; empty if it has none."""
    return str(environ.get("CONTENT_TYPE") or "")
