"""Rendered pages in memory: while they are true, the latest asked for, and not too many bytes."""

import gzip
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from random import Random
from threading import Barrier

import pytest

from pypi_registry._pages.cache import ENTRY_BYTES, PageCache, RenderedPage
from tests.distributions.measuring import peak

GZIP = ("Content-Encoding", "gzip")
KEY_BYTES = 44  # of a letter, and of whether the page is compressed


def nothing() -> None:
    return None


def never() -> bytes:
    raise AssertionError("the page was rendered although it is kept")


def kept(pages: PageCache, key: Hashable, revision: int = 1) -> RenderedPage | None:
    """Give the page if it is kept; like any asking, this makes it the last one asked for."""
    return pages.get(key, revision, nothing)


def opened(page: RenderedPage) -> bytes:
    return gzip.decompress(page.body) if GZIP in page.headers else page.body


def room(pages: int, bodies: int) -> int:
    """Give what so many pages take whose keys are one letter each, and whose bodies have so many bytes together."""
    return pages * (ENTRY_BYTES + KEY_BYTES) + bodies


class Rendering:
    """Renders a text, and counts how often."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.body


def test_a_page_is_rendered_once_a_revision() -> None:
    pages = PageCache()
    render = Rendering(b"page")
    first = pages.get("k", 1, render)
    assert first is not None
    assert first.body == b"page"
    assert pages.get("k", 1, render) == first
    assert pages.get("k", 1, never) == first
    assert render.times == 1


@pytest.mark.parametrize("revision", [2, 100, 0], ids=["the next", "a later", "an earlier, from a restored store"])
def test_another_revision_is_rendered_again_and_replaces_the_page(revision: int) -> None:
    pages = PageCache()
    pages.get("k", 1, lambda: b"old")
    new = pages.get("k", revision, lambda: b"new")
    assert new is not None
    assert new.body == b"new"
    assert pages.get("k", revision, never) == new
    assert kept(pages, "k", 1) is None


def test_keys_do_not_share_pages() -> None:
    pages = PageCache()
    keys: list[Hashable] = [("a", True), ("a", False), ("a",), ((1, 2), "a"), ((1,), "a")]
    for number, key in enumerate(keys):
        pages.get(key, 1, Rendering(b"%d" % number))
    assert [page and page.body for page in (kept(pages, key) for key in keys)] == [b"0", b"1", b"2", b"3", b"4"]


def test_the_tag_is_strong_quoted_and_made_from_the_bytes_alone() -> None:
    one, same, other = (
        PageCache().get(key, revision, Rendering(body))
        for key, revision, body in [
            ("a", 1, b"page"),
            ("b", 2, b"page"),
            ("a", 1, b"pagE"),
        ]
    )
    assert one and same and other
    assert one.etag == f'"{sha256(b"page").hexdigest()[:32]}"'
    assert one.headers == (("ETag", one.etag), ("Content-Length", "4"))
    assert same.etag == one.etag
    assert other.etag != one.etag


def test_nothing_is_not_kept() -> None:
    pages = PageCache()
    assert pages.get("k", 1, nothing) is None
    page = pages.get("k", 1, lambda: b"now")
    assert page is not None
    assert page.body == b"now"


def test_nothing_at_a_new_revision_does_not_bring_back_the_old_page() -> None:
    pages = PageCache()
    pages.get("k", 1, lambda: b"old")
    assert pages.get("k", 2, nothing) is None
    assert pages.get("k", 2, nothing) is None


def test_an_empty_page_is_a_page() -> None:
    pages = PageCache()
    page = pages.get("k", 1, lambda: b"")
    assert page is not None
    assert pages.get("k", 1, never) == page


def test_a_failure_to_render_is_passed_on_and_nothing_is_kept() -> None:
    def fail() -> bytes:
        raise RuntimeError("the store is away")

    pages = PageCache()
    with pytest.raises(RuntimeError, match="the store is away"):
        pages.get("k", 1, fail)
    page = pages.get("k", 1, lambda: b"back")
    assert page is not None
    assert page.body == b"back"


def test_pages_are_kept_up_to_the_last_byte() -> None:
    pages = PageCache(max_bytes=room(3, 30))
    for key in "abc":
        pages.get(key, 1, Rendering(b"x" * 10))
    assert [key for key in "abc" if kept(pages, key)] == ["a", "b", "c"]


def test_one_byte_too_many_drives_out_the_page_not_asked_for_longest() -> None:
    pages = PageCache(max_bytes=room(4, 30))
    for key in "abc":
        pages.get(key, 1, Rendering(b"x" * 10))
    pages.get("d", 1, Rendering(b"x"))
    assert [key for key in "dcba" if kept(pages, key)] == ["d", "c", "b"]


def test_a_page_as_large_as_all_room_is_kept() -> None:
    pages = PageCache(max_bytes=room(1, 30))
    pages.get("a", 1, Rendering(b"x" * 30))
    assert kept(pages, "a")


def test_a_page_that_is_asked_for_stays() -> None:
    pages = PageCache(max_bytes=room(3, 30))
    for key in "abc":
        pages.get(key, 1, Rendering(b"x" * 10))
    assert kept(pages, "a")
    pages.get("d", 1, Rendering(b"x" * 10))
    assert [key for key in "abcd" if kept(pages, key)] == ["a", "c", "d"]


def test_a_page_that_is_rendered_again_stays() -> None:
    pages = PageCache(max_bytes=room(3, 30))
    for key in "abc":
        pages.get(key, 1, Rendering(b"x" * 10))
    pages.get("a", 2, Rendering(b"y" * 10))
    pages.get("d", 1, Rendering(b"x" * 10))
    assert [key for key in "bcd" if kept(pages, key)] == ["c", "d"]
    assert kept(pages, "a", 2)


def test_a_large_page_drives_out_as_many_as_it_must() -> None:
    pages = PageCache(max_bytes=room(3, 30))
    for key in "abc":
        pages.get(key, 1, Rendering(b"x" * 10))
    pages.get("d", 1, Rendering(b"x" * (ENTRY_BYTES + 15)))
    assert [key for key in "dcba" if kept(pages, key)] == ["d", "c"]


@pytest.mark.parametrize("sizes", [(20, 5), (5, 20)], ids=["smaller", "larger"])
def test_a_page_that_is_replaced_counts_with_its_new_size_only(sizes: tuple[int, int]) -> None:
    pages = PageCache(max_bytes=room(2, 30))
    for revision in range(10):
        for size in sizes:
            pages.get("k", revision * 100 + size, Rendering(b"x" * size))
    pages.get("o", 1, Rendering(b"x" * (30 - sizes[1])))
    assert kept(pages, "k", 900 + sizes[1])
    assert kept(pages, "o")
    pages.get("o", 2, Rendering(b"x" * (31 - sizes[1])))
    assert kept(pages, "k", 900 + sizes[1]) is None


def test_a_page_larger_than_all_room_is_given_and_not_kept() -> None:
    pages = PageCache(max_bytes=room(1, 30))
    page = pages.get("l", 1, Rendering(b"x" * 31))
    assert page is not None
    assert page.body == b"x" * 31
    assert kept(pages, "l") is None


def test_a_page_larger_than_all_room_does_not_drive_out_the_others() -> None:
    pages = PageCache(max_bytes=room(1, 30))
    pages.get("a", 1, Rendering(b"x" * 10))
    pages.get("l", 1, Rendering(b"x" * 31))
    assert kept(pages, "a")


def test_no_more_memory_is_held_than_is_counted_however_small_the_pages_are() -> None:
    pages = PageCache(max_bytes=1_000_000)
    with peak() as held:
        for number in range(5000):
            title = f"{number}" * 100
            key = (number + 10**6, number + 10**15), title, None, "text/html", True
            pages.get(key, number + 10**9, Rendering(b"%d" % number), gzip=True)
    assert held.bytes < 1_000_000


def test_without_room_every_page_is_rendered() -> None:
    pages = PageCache(max_bytes=0)
    render = Rendering(b"page")
    for _ in range(2):
        page = pages.get("k", 1, render)
        assert page is not None
        assert page.body == b"page"
    assert render.times == 2


# Compressed


BODY = b'<a href="../../files/0/demo-1.0.tar.gz">demo-1.0.tar.gz</a><br>' * 50


def test_a_page_is_compressed_once_a_revision_and_only_when_asked_for() -> None:
    pages, render = PageCache(), Rendering(BODY)
    plain = pages.get("k", 1, render)
    first = pages.get("k", 1, render, gzip=True)
    assert plain and first
    assert GZIP not in plain.headers
    assert GZIP in first.headers
    assert gzip.decompress(first.body) == BODY
    assert len(first.body) < len(BODY)
    assert pages.get("k", 1, never, gzip=True) is first
    assert pages.get("k", 1, never) is plain
    assert render.times == 1


def test_a_page_first_asked_for_compressed_is_rendered_once_for_both() -> None:
    pages, render = PageCache(), Rendering(BODY)
    pages.get("k", 1, render, gzip=True)
    plain = pages.get("k", 1, never)
    assert plain is not None
    assert plain.body == BODY
    assert render.times == 1


def test_the_tag_of_a_compressed_page_is_the_digest_of_its_own_bytes() -> None:
    pages = PageCache()
    plain, packed = pages.get("k", 1, Rendering(BODY)), pages.get("k", 1, never, gzip=True)
    assert plain and packed
    assert packed.etag == f'"{sha256(packed.body).hexdigest()[:32]}"'
    assert packed.etag != plain.etag


def test_equal_pages_have_equal_bytes_whenever_they_are_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    one = PageCache().get("a", 1, Rendering(BODY), gzip=True)
    monkeypatch.setattr("time.time", lambda: 2e9)
    other = PageCache().get("b", 2, Rendering(BODY), gzip=True)
    assert one == other


def test_another_revision_is_compressed_again() -> None:
    pages = PageCache()
    pages.get("k", 1, Rendering(BODY), gzip=True)
    new = pages.get("k", 2, Rendering(BODY + b"new"), gzip=True)
    assert new is not None
    assert gzip.decompress(new.body) == BODY + b"new"


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256))], ids=["empty", "short", "without repetition"])
def test_a_page_that_gets_no_smaller_stays_as_it_is(body: bytes) -> None:
    pages = PageCache()
    packed = pages.get("k", 1, Rendering(body), gzip=True)
    assert packed == pages.get("k", 1, never)
    assert packed is not None
    assert packed.body == body
    assert GZIP not in packed.headers
    assert pages.get("k", 1, never, gzip=True) == packed


def test_nothing_is_not_compressed() -> None:
    assert PageCache().get("k", 1, nothing, gzip=True) is None


def test_the_bytes_of_both_count() -> None:
    packed = PageCache().get("k", 1, Rendering(BODY), gzip=True)
    assert packed is not None
    both = room(2, len(BODY) + len(packed.body))

    roomy = PageCache(max_bytes=both)
    roomy.get("k", 1, Rendering(BODY), gzip=True)
    assert kept(roomy, "k")
    assert roomy.get("k", 1, never, gzip=True) == packed
    roomy.get("o", 1, Rendering(b"x"))
    assert kept(roomy, "k") is None  # that which was not asked for longest
    assert roomy.get("k", 1, never, gzip=True) == packed

    tight = PageCache(max_bytes=both - 1)
    tight.get("k", 1, Rendering(BODY), gzip=True)
    assert kept(tight, "k") is None
    assert tight.get("k", 1, never, gzip=True) == packed


def test_what_a_key_takes_counts_for_each_form_of_a_page() -> None:
    packed = PageCache().get("k", 1, Rendering(BODY), gzip=True)
    assert packed is not None
    key = ("k", (), ("☃" * 20, 10**12))  # a letter, 80 bytes, and a number of 40
    for more, is_kept in ((2 * 120, True), (2 * 120 - 1, False)):
        pages = PageCache(max_bytes=room(2, len(BODY) + len(packed.body)) + more)
        pages.get(key, 1, Rendering(BODY), gzip=True)
        assert bool(kept(pages, key)) is is_kept
        assert pages.get(key, 1, never, gzip=True) == packed


# Threads


def test_a_page_that_takes_long_to_render_does_not_hold_up_another() -> None:
    both_are_rendering = Barrier(2, timeout=10)

    def render() -> bytes:
        both_are_rendering.wait()
        return b"page"

    pages = PageCache()
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda key: pages.get(key, 1, render), ["a", "b"]))
    assert [page and page.body for page in found] == [b"page", b"page"]


def test_two_threads_may_render_one_page_and_it_counts_once() -> None:
    both_are_rendering = Barrier(2, timeout=10)

    def render() -> bytes:
        both_are_rendering.wait()
        return b"x" * 20

    pages = PageCache(max_bytes=room(2, 30))
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: pages.get("a", 1, render), range(2)))
    assert found[0] == found[1]
    pages.get("b", 1, Rendering(b"x" * 10))
    assert kept(pages, "a")
    assert kept(pages, "b")


def test_many_threads_get_what_they_asked_for_and_the_room_is_not_overrun() -> None:
    limit, keys, revisions = room(15, 2000), "abcdefghijklmnopqrst", 3
    pages = PageCache(max_bytes=limit)

    def body(key: str, revision: int) -> bytes:
        return f"{key}@{revision}|".encode() * (10 + keys.index(key))

    def render_of(key: str, revision: int) -> Callable[[], bytes]:
        return lambda: body(key, revision)

    def ask(seed: int) -> list[tuple[str, int]]:
        random = Random(seed)
        wrong = []
        for _ in range(500):
            key, revision = random.choice(keys), random.randrange(revisions)
            page = pages.get(key, revision, render_of(key, revision), gzip=random.random() < 0.5)
            if page is None or opened(page) != body(key, revision):
                wrong.append((key, revision))
        return wrong

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [[]] * 8
    places = [(key, revision) for key in keys for revision in range(revisions)]
    held = {place: page for place in places if (page := kept(pages, *place))}
    taken = room(len(held), sum(len(page.body) for page in held.values()))
    assert 0 < taken <= limit
    # The sum it keeps is right: one page may grow by what is left, and none is driven out; nor may it by a byte more.
    oldest, *others, (key, revision) = held
    grown = held[key, revision].body + b"x" * (limit - taken)
    pages.get(key, revision + 10, Rendering(grown))
    pages.get(key, revision + 10, never)
    assert all(kept(pages, *place) == held[place] for place in (oldest, *others))
    pages.get(key, revision + 20, Rendering(grown + b"x"))
    assert kept(pages, *oldest) is None


@pytest.mark.parametrize("gzip", [False, True])
def test_a_page_that_changed_while_it_was_rendered_is_not_cached(gzip: bool) -> None:
    """A restored catalogue may have the older revision again, with the older rows."""
    pages = PageCache()
    revision = 1

    def render() -> bytes:
        nonlocal revision
        revision = 2  # another upload, before the rows are read
        return b"with the other upload " * 100

    page = pages.get("k", 1, render, gzip=gzip, read_revision=lambda: revision)
    assert page is not None
    assert b"with the other upload" in opened(page)
    restored = pages.get("k", 1, lambda: b"restored", gzip=gzip, read_revision=lambda: 1)
    assert restored is not None
    assert opened(restored) == b"restored"
    assert pages.get("k", 1, never, gzip=gzip) == restored
