"""The parts of a form, as they arrive (RFC 7578).

Werkzeug reads the headers of a part. The body is divided here: its decoder takes a third of the time of a small upload,
copies a large one three times, and adds a byte to a file that a read happens to cut at a certain place.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from werkzeug.http import parse_options_header

from pypi_registry._http.body import READ_SIZE, Body
from pypi_registry._publishing.publish import Part
from pypi_registry.errors import InvalidUpload

MAX_PARTS = 20_000
_MAX_BOUNDARY = 200  # characters; RFC 2046 allows 70, and in a form of line breaks each is compared with all of it
_MAX_HEAD = 64 * 1024  # bytes of the headers of one part, and of all parts together
_MAX_HEADS = 4 * 1024**2
_USUAL_HEAD = 200
_MAX_BLANKS = 100  # between a boundary and the end of its line

# What clients send. All else is Werkzeug's business: these two would take it a twentieth of the time of a small upload.
_USUAL_TYPE = r"multipart/form-data; boundary=([\w-]+)"
_USUAL_PART = re.compile(
    rb'Content-Disposition: form-data; name="([\w:-]+)"(?:; filename="([\w.+!-]+)")?(?:\r\nContent-Type: [\w/-]+)?'
)

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")  # tools of old end lines without \r
_AFTER_BOUNDARY = re.compile(rb"(--)|[ \t]{0,%d}\r?\n" % _MAX_BLANKS)
_LINE_BREAK = re.compile(rb"\r?\n|\r")


def parts(body: Body, content_type: str) -> Iterator[Part]:
    """Split a form into its parts, reading the body as they are taken.

    :raises InvalidUpload: if the body is no form, or breaks off.
    """
    boundary = _boundary(content_type)
    if not boundary:
        raise InvalidUpload(["the body must be multipart/form-data, with a boundary"])
    if len(boundary) > _MAX_BOUNDARY:
        raise InvalidUpload([f"the boundary of the form has more than {_MAX_BOUNDARY} characters"])
    form = _Form(body, boundary.encode("latin-1", "replace"))
    before = 0
    for chunk in form.content():
        before += len(chunk)
        if before > 2 * READ_SIZE:
            raise InvalidUpload(["the form has no end to what stands before a part"])
    count = heads = 0
    while not form.ended:
        head = form.head()
        count, heads = count + 1, heads + len(head)
        if count > MAX_PARTS:
            raise InvalidUpload([f"the form has more than {MAX_PARTS} parts"])
        if heads > _MAX_HEADS:
            raise InvalidUpload([f"the parts of the form have more than {_MAX_HEADS} bytes of headers"])
        chunks = form.content()
        yield Part(*(_named if len(head) > _USUAL_HEAD else _known_name)(head), chunks)
        for _ in chunks:
            pass  # what was left of it lies before the next part


def _boundary(content_type: str) -> str:
    """Read the boundary; empty if there is none, or another type."""
    if usual := re.fullmatch(_USUAL_TYPE, content_type, re.ASCII):
        return usual[1]
    mimetype, options = parse_options_header(content_type)
    return options.get("boundary", "") if mimetype.lower() == "multipart/form-data" else ""


class _Form:
    """The bytes of a form, as far as they have come and are not taken."""

    def __init__(self, body: Body, boundary: bytes) -> None:
        self._body = body
        self._boundary = b"--" + boundary
        self._line = b"\n" + self._boundary
        self._longest = len(b"\r\n" + self._boundary) + _MAX_BLANKS + len(b"\r\n")
        self._data = b""
        self._at = 0  # so much of the data is taken
        self._begins = True  # what follows is at the beginning of a line
        self.ended = False
        """Whether the last boundary has come."""

    def head(self) -> bytes:
        """Take the headers of a part.

        :raises InvalidUpload: if they are too many, or the form cannot be read.
        """
        searched = self._at
        while (blank := _BLANK_LINE.search(self._data, searched)) is None:
            seen = len(self._data) - self._at
            if seen > _MAX_HEAD:
                break
            self._read_on()
            searched = max(0, seen - len(b"\r\n\r"))
        if blank is None or blank.start() - self._at > _MAX_HEAD:
            raise InvalidUpload([f"a part of the form has more than {_MAX_HEAD} bytes of headers"])
        head = self._data[self._at : blank.start()]
        self._at, self._begins = blank.end(), True
        return head

    def content(self) -> Iterator[bytes]:
        """Take what comes before the next boundary: at once what is here already, as of most parts it is.

        :raises InvalidUpload: if the form cannot be read.
        """
        found = self._find_boundary()
        return self._content_to_come() if found is None else iter(self._up_to(*found))

    def _content_to_come(self) -> Iterator[bytes]:
        while (found := self._find_boundary()) is None:
            end = self._end_of_content()
            if end > self._at:
                chunk, self._at, self._begins = self._data[self._at : end], end, False
                yield chunk
            self._read_on()
        yield from self._up_to(*found)

    def _up_to(self, start: int, end: int) -> tuple[bytes, ...]:
        """Take the content before a boundary and the boundary itself."""
        at, self._at = self._at, end
        return (self._data[at:start],) if start > at else ()

    def _find_boundary(self) -> tuple[int, int] | None:
        """Find where the line break before the next boundary begins, and where the boundary's line ends."""
        data, taken = self._data, self._at
        at_once = self._begins and data.startswith(self._boundary, taken)
        at = taken if at_once else data.find(self._line, taken) + 1
        while at_once or at:
            after = _AFTER_BOUNDARY.match(data, at + len(self._boundary))
            if after is not None:
                self.ended = after[1] is not None
                start = at if at == taken else at - (2 if data[at - 2 : at] == b"\r\n" else 1)
                return max(start, taken), after.end()
            at_once, at = False, data.find(self._line, at) + 1
        return None

    def _end_of_content(self) -> int:
        """Find where a boundary may begin of which a part has come; content goes on up to there."""
        data, whole = self._data, self._boundary
        tail = max(self._at, len(data) - self._longest)
        lines = [(found.start(), found.end()) for found in _LINE_BREAK.finditer(data, tail)]
        if self._begins and tail == self._at:
            lines.insert(0, (tail, tail))
        maybe = (before for before, line in lines if whole.startswith(data[line : line + len(whole)]))
        return next(maybe, len(data))

    def _read_on(self) -> None:
        more = self._body.read(READ_SIZE)
        if not more:
            raise InvalidUpload(["the form cannot be read: it ends before its last boundary"])
        self._data, self._at = self._data[self._at :] + more, 0


def _named(head: bytes) -> tuple[str, str | None]:
    """Read the name and the file name that the headers of a part give it.

    :raises InvalidUpload: if they give none, or cannot be read.
    """
    if usual := _USUAL_PART.fullmatch(head):
        return usual[1].decode(), usual[2].decode() if usual[2] else None
    try:
        lines = re.sub(rb"\r?\n[ \t]+", b" ", head).decode().split("\n")
    except UnicodeDecodeError as error:
        raise InvalidUpload([f"the form cannot be read: {error}"]) from None
    headers = (line.partition(":") for line in lines)
    for value in (value for name, _, value in headers if name.strip().lower() == "content-disposition"):
        _, options = parse_options_header(value.strip())
        return options.get("name", ""), options.get("filename")
    raise InvalidUpload(["the form cannot be read: a part has no Content-Disposition"])


# Most headers come with every upload, and to read them takes as long as all the rest of the division.
_known_name = lru_cache(maxsize=128)(_named)


def content_type(environ: Mapping[str, object]) -> str:
    """Give the Content-Type of a request; empty if it has none."""
    return str(environ.get("CONTENT_TYPE") or "")
