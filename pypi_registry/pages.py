"""Rendered pages, as they are and compressed, kept in memory for as long as they are true."""

import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

MAX_BYTES = 64 * 1024**2

ENTRY_BYTES = 700
"""What a page that is kept takes beside its body and what its key holds; about 600 were measured."""


class Page(NamedTuple):
    """The bytes of a page, and the tag that is theirs alone."""

    body: bytes
    etag: str
    """A strong entity tag, quoted: the digest of the bytes, since a restored database would repeat a serial."""
    gzipped: bool = False


class Pages:
    """Keeps the pages that were asked for last, in at most `max_bytes` of memory. Used from many threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[int, Page, int]] = OrderedDict()
        self._lock = Lock()

    def get(
        self, key: Hashable, revision: int, render: Callable[[], bytes | None], *, key_bytes: int = 0
    ) -> Page | None:
        """Give the page as of `revision`, which was looked up before; render it only if it is not here.

        None if `render` finds nothing to show, which is not kept. `key_bytes` is what the key holds, at most.
        """
        place = key, "identity"
        page = self._known(place, revision)
        if page is None and (body := render()) is not None:
            page = _page(body)
            self._keep(place, revision, page, key_bytes)
        return page

    def get_gzipped(
        self, key: Hashable, revision: int, render: Callable[[], bytes | None], *, key_bytes: int = 0
    ) -> Page | None:
        """Give the page compressed, which is kept as a page of its own; as it is if compressing makes it no smaller."""
        place = key, "gzip"
        page = self._known(place, revision)
        if page is None and (plain := self.get(key, revision, render, key_bytes=key_bytes)) is not None:
            page = _compressed(plain)
            self._keep(place, revision, page, key_bytes)
        return page

    def _known(self, place: Hashable, revision: int) -> Page | None:
        with self._lock:
            known = self._pages.get(place)
            if known is None or known[0] != revision:
                return None
            self._pages.move_to_end(place)
            return known[1]

    def _keep(self, place: Hashable, revision: int, page: Page, key_bytes: int) -> None:
        size = len(page.body) + key_bytes + ENTRY_BYTES
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


def _page(body: bytes, *, gzipped: bool = False) -> Page:
    return Page(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', gzipped)


def _compressed(page: Page) -> Page:
    # The first level makes a page nearly as small as the ninth. zlib's header of a gzip holds no time (zlib.h,
    # deflateInit2), so that equal pages have equal bytes.
    body = zlib.compress(page.body, level=1, wbits=zlib.MAX_WBITS + 16)
    return _page(body, gzipped=True) if len(body) < len(page.body) else page
