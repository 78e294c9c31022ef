"""Rendered pages, as they are and compressed, kept in memory for as long as they are true."""

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

MAX_BYTES = 64 * 1024**2

ENTRY_BYTES = 1000
"""What a page that is kept takes beside its body and what its key holds; about 700 were measured."""
_ID_BYTES, _LETTER_BYTES = 40, 4  # at most, of a number and of each letter of a text in a key


class RenderedPage(NamedTuple):
    """The bytes of a page, the tag that is theirs alone, and what else is always said of them."""

    body: bytes
    etag: str
    """A strong entity tag, quoted: the digest of the bytes, since a restored database would repeat a serial."""
    headers: tuple[tuple[str, str], ...]
    """The tag, the length, and the encoding if the bytes are compressed."""


class PageCache:
    """Keeps the pages that were asked for last, in at most `max_bytes` of memory. Used from many threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[int, RenderedPage, int]] = OrderedDict()
        self._lock = Lock()

    def get(
        self, key: Hashable, revision: int, render: Callable[[], bytes | None], *, gzip: bool = False
    ) -> RenderedPage | None:
        """Give the page as of `revision`, which was looked up before; render it only if it is not here.

        None if `render` finds nothing to show, which is not kept. A page that is compressed is kept as one of its own,
        and stays as it is if that makes it no smaller.
        """
        place = key, gzip
        with self._lock:
            known = self._pages.get(place)
            if known is not None and known[0] == revision:
                self._pages.move_to_end(place)
                return known[1]
        if gzip:
            plain = self.get(key, revision, render)
            page = plain and _compressed(plain)
        else:
            body = render()
            page = None if body is None else _page(body)
        if page is not None:
            self._keep(place, revision, page)
        return page

    def _keep(self, place: Hashable, revision: int, page: RenderedPage) -> None:
        size = len(page.body) + _held(place) + ENTRY_BYTES
        with self._lock:
            if place in self._pages:
                self._bytes -= self._pages.pop(place)[2]
            if size > self._max_bytes:
                return  # it would drive out all the others, and then itself
            self._bytes += size
            self._pages[place] = revision, page, size
            while self._bytes > self._max_bytes:
                _, (_, _, dropped) = self._pages.popitem(last=False)
                self._bytes -= dropped


def _held(key: Hashable) -> int:
    """Count the bytes of what a key holds, at most."""
    if isinstance(key, tuple):
        return sum(map(_held, key))
    return _LETTER_BYTES * len(key) if isinstance(key, str) else _ID_BYTES


def _page(body: bytes, *more: tuple[str, str]) -> RenderedPage:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return RenderedPage(body, etag, (("ETag", etag), ("Content-Length", str(len(body))), *more))


def _compressed(page: RenderedPage) -> RenderedPage:
    # The first level makes a page nearly as small as the ninth. zlib's header of a gzip holds no time (zlib.h,
    # deflateInit2), so that equal pages have equal bytes.
    body = zlib.compress(page.body, level=1, wbits=zlib.MAX_WBITS + 16)
    return _page(body, ("Content-Encoding", "gzip")) if len(body) < len(page.body) else page
