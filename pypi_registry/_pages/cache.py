"""The cache of rendered pages, plain and compressed."""

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

MAX_BYTES = 64 * 1024**2

ENTRY_BYTES = 1000
"""Bytes of memory that a cached page needs beside its body and its key; about 700 were measured."""
_VALUE_BYTES, _LETTER_BYTES = 40, 4  # at most, of a number and of each letter of a text in a key


class RenderedPage(NamedTuple):
    """The bytes of a page, and the headers that belong to them."""

    body: bytes
    etag: str
    """A strong entity tag, quoted: the digest of the bytes."""
    headers: tuple[tuple[str, str], ...]
    """The tag, the length, and the encoding if the bytes are compressed."""


class PageCache:
    """Caches the pages that were requested last, in at most `max_bytes` of memory. Threads share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[Hashable, RenderedPage, int]] = OrderedDict()
        self._lock = Lock()

    def cached(self, key: Hashable, revision: Hashable, *, gzip: bool = False) -> RenderedPage | None:
        """Return the page as of `revision` if it is cached; None otherwise."""
        entry = key, gzip
        with self._lock:
            found = self._pages.get(entry)
            if found is None or found[0] != revision:
                return None
            self._pages.move_to_end(entry)
            return found[1]

    def get(
        self,
        key: Hashable,
        revision: Hashable,
        render: Callable[[], bytes | None],
        *,
        gzip: bool = False,
        read_revision: Callable[[], Hashable] | None = None,
    ) -> RenderedPage | None:
        """Return the page as of `revision`, which the caller read before; call `render` only if it is not cached.

        Returns None if `render` returns None, which is not cached. The compressed page is a separate entry; it is the
        plain page if compression does not make it smaller.

        :param read_revision: reads the revision once more. A page that changed while it was rendered is not cached:
            after a restore of the catalogue, its older revision could be the present one again.
        """
        if (cached := self.cached(key, revision, gzip=gzip)) is not None:
            return cached
        if gzip:
            plain = self.get(key, revision, render, read_revision=read_revision)
            page = plain and _compressed(plain)
        else:
            page = render_page(render)
        if page is not None and (read_revision is None or read_revision() == revision):
            self._store((key, gzip), revision, page)
        return page

    def _store(self, entry: Hashable, revision: Hashable, page: RenderedPage) -> None:
        size = len(page.body) + _size_of(entry) + ENTRY_BYTES
        with self._lock:
            if entry in self._pages:
                self._bytes -= self._pages.pop(entry)[2]
            if size > self._max_bytes:
                return  # larger than the cache
            self._bytes += size
            self._pages[entry] = revision, page, size
            while self._bytes > self._max_bytes:
                _, (_, _, dropped) = self._pages.popitem(last=False)
                self._bytes -= dropped


def render_page(render: Callable[[], bytes | None], *, gzip: bool = False) -> RenderedPage | None:
    """Render a page without a cache; None if `render` returns None."""
    body = render()
    if body is None:
        return None
    page = _page(body)
    return _compressed(page) if gzip else page


def _size_of(key: Hashable) -> int:
    """Return an upper bound of the bytes of a key."""
    if isinstance(key, tuple):
        return sum(map(_size_of, key))
    return _LETTER_BYTES * len(key) if isinstance(key, str | bytes) else _VALUE_BYTES


def _page(body: bytes, *more: tuple[str, str]) -> RenderedPage:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return RenderedPage(body, etag, (("ETag", etag), ("Content-Length", str(len(body))), *more))


def _compressed(page: RenderedPage) -> RenderedPage:
    # The first level makes a page nearly as small as the ninth. The gzip header that zlib writes holds no time (zlib.h,
    # deflateInit2), so that equal pages have equal bytes.
    body = zlib.compress(page.body, level=1, wbits=zlib.MAX_WBITS + 16)
    return _page(body, ("Content-Encoding", "gzip")) if len(body) < len(page.body) else page
