"""Rendered pages, as they are and compressed, kept in memory for as long as they are true."""

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

MAX_BYTES = 64 * 1024**2

ENTRY_BYTES = 700
"""What a page that is kept takes beside its body and what its key holds; about 600 were measured."""


@dataclass(frozen=True, slots=True)
class Page:
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

        def make() -> Page | None:
            body = render()
            return None if body is None else _page(body)

        return self._get((key, "identity"), revision, make, key_bytes)

    def get_gzipped(
        self, key: Hashable, revision: int, render: Callable[[], bytes | None], *, key_bytes: int = 0
    ) -> Page | None:
        """Give the page compressed, which is kept as a page of its own; as it is if compressing makes it no smaller."""

        def make() -> Page | None:
            page = self.get(key, revision, render, key_bytes=key_bytes)
            return None if page is None else _compressed(page)

        return self._get((key, "gzip"), revision, make, key_bytes)

    def _get(self, key: Hashable, revision: int, make: Callable[[], Page | None], key_bytes: int) -> Page | None:
        with self._lock:
            known = self._pages.get(key)
            if known is not None and known[0] == revision:
                self._pages.move_to_end(key)
                return known[1]
        page = make()
        if page is not None:
            with self._lock:
                self._keep(key, revision, page, len(page.body) + key_bytes + ENTRY_BYTES)
        return page

    def _keep(self, key: Hashable, revision: int, page: Page, size: int) -> None:
        if key in self._pages:
            self._bytes -= self._pages.pop(key)[2]
        if size > self._max_bytes:
            return  # it would drive out all the others, and then itself
        self._bytes += size
        self._pages[key] = revision, page, size
        while self._bytes > self._max_bytes:
            _, (_, _, dropped) = self._pages.popitem(last=False)
            self._bytes -= dropped


def _page(body: bytes, *, gzipped: bool = False) -> Page:
    return Page(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', gzipped)


def _compressed(page: Page) -> Page:
    # No time in it, so that equal pages have equal bytes. The first level makes a page nearly as small as the ninth.
    body = gzip.compress(page.body, compresslevel=1, mtime=0)
    return _page(body, gzipped=True) if len(body) < len(page.body) else page
