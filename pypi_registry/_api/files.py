"""A file on its way to a client: whole, a range of it, or nothing if the client has it (RFC 9110, 13 and 14)."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pypi_registry._api.cache_control import REVALIDATE, if_none_match
from pypi_registry._http.request import VARY, Call, Headers, Response, redirect_response
from pypi_registry.errors import Forbidden, NotFound
from pypi_registry.model import PackageFile, Status
from pypi_registry.storage import Redirect

BLOCK = 256 * 1024
"""Bytes at once, where the server does not send the file itself."""


def requested_range(header: str, size: int) -> range | None:
    """Read a Range header for a representation of `size` bytes.

    None means the whole of it, also where the header is malformed, has several ranges or another unit: a server may
    ignore it. An empty range cannot be satisfied. A suffix longer than the file is all of it, which Werkzeug refuses.

    >>> requested_range("bytes=-10000", 871), requested_range("bytes=100-", 871), requested_range("bytes=900-", 871)
    (range(0, 871), range(100, 871), range(0, 0))
    """
    match = re.fullmatch(r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", header, re.IGNORECASE | re.ASCII)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        if size == 0 and int(last):
            return None  # the last bytes of nothing are all of it
        return _clipped(size - min(int(last), size), size, size)
    if last and int(last) < int(first):
        return None
    return _clipped(int(first), int(last) + 1 if last else size, size)


def _clipped(start: int, stop: int, size: int) -> range:
    return range(start, min(stop, size)) if start < size else range(0)


def answer_package_file(call: Call, file: PackageFile, policy: tuple[str, str]) -> Response:
    """Answer with a file of a package; `policy` says who may keep it.

    :raises NotFound: if its bytes are missing.
    """
    stream = call.registry.blobs.open(file.key)
    if stream is None:
        raise NotFound
    if isinstance(stream, Redirect) and not stream.internal:
        return redirect_response(stream.url, VARY, REVALIDATE)
    content = [
        ("Content-Type", "application/octet-stream"),  # never guessed: for ".tar.gz" a guess adds Content-Encoding
        ("Content-Disposition", f'attachment; filename="{file.filename}"'),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if isinstance(stream, Redirect):  # ranges, entity tags and lengths are the business of whoever sends the bytes
        return Response("200 OK", [("X-Accel-Redirect", stream.url), ("Content-Length", "0"), VARY, policy, *content])
    etag = f'"{file.digests.sha256}"'
    return answer_file(call, stream, file.size, etag, validators=[VARY, policy], content=content)


def is_quarantined(call: Call, file: PackageFile) -> bool:
    """Tell whether a file must not be offered, because of the status of its name in its project (PEP 792)."""
    package = file.package
    return call.registry.catalogue.status([package.project_id], package.normalized_name).status is Status.QUARANTINED


def quarantined(file: PackageFile) -> Forbidden:
    """Make the refusal of such a file."""
    return Forbidden(f"{file.package.normalized} is quarantined")


def answer_file(
    call: Call, stream: BinaryIO, size: int, etag: str, *, validators: Headers, content: Headers
) -> Response:
    """Answer with a file of `size` bytes, or the part of it that was asked for; the server closes the stream.

    `validators` are headers of every answer that speaks of the file, `content` those that come with its bytes.
    """
    validators = [("ETag", etag), *validators]
    if if_none_match(call, etag):
        stream.close()
        return Response("304 Not Modified", validators)
    asked = call.header("HTTP_RANGE")
    part = requested_range(asked, size) if asked and _may_have_part(call, etag) else None
    headers = [("Accept-Ranges", "bytes"), *validators, *content]
    if part is None:
        return Response("200 OK", [("Content-Length", str(size)), *headers], _sent(call, stream))
    if not part:
        stream.close()
        return Response("416 Range Not Satisfiable", [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
    extent = ("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
    return Response(
        "206 Partial Content",
        [("Content-Length", str(len(part))), extent, *headers],
        _sent(call, _Window(stream, part)),
    )


def _may_have_part(call: Call, etag: str) -> bool:
    # Range is for GET only (RFC 9110, 14.2). If-Range must be our strong tag: we send no date that could be compared.
    return call.method == "GET" and call.header("HTTP_IF_RANGE") in ("", etag)


def _sent(call: Call, stream: "BinaryIO | _Window") -> Iterable[bytes]:
    # The wrapper must reach the server untouched. Then gunicorn, uwsgi and bjoern use sendfile for a file, and no
    # thread of waitress waits for a client that reads slowly, be it a whole file or a part.
    wrapper = call.environ.get("wsgi.file_wrapper")
    return wrapper(stream, BLOCK) if wrapper else _Blocks(stream)


class _Window:
    """A part of a stream, as a stream. Without a ``fileno``, or a server would send more of the file than the part."""

    def __init__(self, stream: BinaryIO, part: range) -> None:
        self._stream = stream
        self._part = part
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = len(self._part) - self._at
        self._stream.seek(self._part.start + self._at)
        data = self._stream.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._part)}[whence]
        self._at = max(0, min(base + offset, len(self._part)))
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._stream.close()


class _Blocks:
    """A stream as blocks, for a server without a wrapper; closes the stream even if nobody ever iterated."""

    def __init__(self, stream: "BinaryIO | _Window") -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._stream.read(BLOCK), b"")

    def close(self) -> None:
        self._stream.close()
