"""The work of parsing a request: linear in its bytes, however they are cut."""

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli.limits import Limits, Settings
from pypi_registry._cli.request_parser import RequestParser
from pypi_registry._cli.spool import Spool


class Counting(bytes):
    """Bytes that count how many bytes are copied out of them, by slices and by joining."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(key, slice):
            return found
        Counting.copied += len(found)
        return Counting(found)

    def __radd__(self, other: bytes) -> "Counting":
        Counting.copied += len(self) + len(other)
        return Counting(bytes.__add__(other, self))


class CountingHead(bytearray):
    """The head of a request, which counts how many bytes are searched and copied."""

    work = 0

    def find(self, sub: Any, start: Any = 0, stop: Any = None) -> int:
        CountingHead.work += len(self) - start
        return super().find(sub, start)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        CountingHead.work += len(found) if isinstance(key, slice) else 1
        return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Limits(), Spool(tmp_path), max_request_body_size=10**9)


def feed(parser: RequestParser, data: bytes, piece: int) -> int:
    """Give a parser data as a channel does, in pieces; return the number of calls."""
    calls = 0
    for start in range(0, len(data), piece):
        waiting = data[start : start + piece]
        while waiting and not parser.completed:
            waiting = waiting[parser.received(waiting) :]
            calls += 1
    assert parser.error is None
    return calls


def lines_run(act: Callable[[], object]) -> int:
    """Return how many lines of the package's parser were executed."""
    lines = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.endswith("request_parser.py"):
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return lines


HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"


def chunked(settings: Settings) -> RequestParser:
    parser = RequestParser(settings)
    feed(parser, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", 1000)
    return parser


@pytest.mark.parametrize("piece", [1, 7, 16 * 1024])
@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;a=b\r\nx\r\n"])
def test_chunks_of_one_byte_take_linear_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, piece: int, chunk: bytes
) -> None:
    def work(chunks: int) -> tuple[int, int]:
        monkeypatch.setattr(Counting, "copied", 0)
        data, parser = Counting(chunks * chunk), chunked(settings)
        lines = lines_run(lambda: feed(parser, data, piece))
        return lines, Counting.copied

    (lines, copied), (more_lines, more_copied) = work(100), work(400)
    assert 3 < more_lines / lines < 5
    assert 3 < more_copied / copied < 5
    assert more_lines < 50 * 400 * len(chunk)


def test_chunks_of_one_byte_are_stored_once_per_call(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    parser, appended = chunked(settings), []
    ordinary = parser.body_rcv.getbuf().append

    def append(data: bytes) -> None:
        appended.append(data)
        ordinary(data)

    monkeypatch.setattr(parser.body_rcv.getbuf(), "append", append)
    calls = feed(parser, 20_000 * b"1\r\nx\r\n" + b"0\r\n\r\n", 16 * 1024)
    assert len(appended) <= calls <= 8
    assert parser.get_body_stream().read() == 20_000 * b"x"
    assert parser.headers["CONTENT_LENGTH"] == "20000"


@pytest.mark.parametrize("piece", [1, 13, 4096])
def test_a_head_takes_linear_work(settings: Settings, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    def work(size: int) -> int:
        monkeypatch.setattr(CountingHead, "work", 0)
        parser = RequestParser(settings)
        parser._head = CountingHead()
        feed(parser, HEAD + b"X: " + size * b"x" + b"\r\n\r\n", piece)
        assert parser.completed
        return CountingHead.work

    assert work(20_000) / work(5_000) < 5


def test_a_head_in_pieces_is_parsed_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    ordinary = RequestParser.parse_header

    def parse_header(self: RequestParser, head: bytes) -> None:
        parsed.append(head)
        ordinary(self, head)

    monkeypatch.setattr(RequestParser, "parse_header", parse_header)
    feed(RequestParser(settings), HEAD + b"\r\n", 1)
    assert parsed == [HEAD + b"\r\n"]


def test_a_body_in_pieces_of_one_byte_is_appended_to_and_never_copied(settings: Settings) -> None:
    def work(size: int) -> int:
        parser = RequestParser(settings)
        feed(parser, HEAD + b"Content-Length: %d\r\n\r\n" % size, 1000)
        return lines_run(lambda: feed(parser, size * b"x", 1))

    assert 3 < work(2000) / work(500) < 5


@pytest.mark.parametrize("size", [10, 600_000, 2_000_000])
@pytest.mark.parametrize("kind", ["length", "chunks"])
def test_a_body_arrives_whole(settings: Settings, size: int, kind: str) -> None:
    content = bytes(index % 251 for index in range(size))
    parser = RequestParser(settings)
    if kind == "length":
        data = HEAD + b"Content-Length: %d\r\n\r\n" % size + content
    else:
        pieces = [content[start : start + 100_003] for start in range(0, size, 100_003)]
        data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        data += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    feed(parser, data, 65_537)
    assert parser.completed
    stream = parser.get_body_stream()
    assert stream.read(5) == content[:5]
    assert stream.read() == content[5:]
    assert stream.read(10) == b""
    spool = settings.spool
    assert (spool._on_disk, spool._in_memory) == ((size, 0) if size > 512 * 1024 else (0, size))
    parser.close()
    assert (spool._on_disk, spool._in_memory) == (0, 0)


PIECES = (
    b"GET /a?b HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0",
    b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X", b"http://[", b"//", b"%00",
    b"5\r\n12345\r\n", b"0\r\n\r\n", b"1;a=\"b\"\r\nx\r\n", b"FFFF", b"12345", b"\xff\xfe", b"99999999999999999999",
)  # fmt: skip


def outcome(settings: Settings, data: bytes, cuts: Sequence[int]) -> object:
    """Return what a parser makes of data that arrives in pieces: how many bytes it took, and the error or the body."""
    parser, taken = RequestParser(settings), 0
    for start, stop in pairwise([0, *cuts, len(data)]):
        waiting = data[start:stop]
        while waiting and not parser.completed:
            number = parser.received(waiting)
            assert 0 <= number <= len(waiting)
            taken += number
            waiting = waiting[number:]
    if not parser.completed:
        return "incomplete"
    if parser.error is not None:
        return parser.error.code
    found = taken, parser.command, parser.headers, parser.get_body_stream().read()
    parser.close()
    return found


def test_what_a_request_is_does_not_depend_on_how_it_is_cut(settings: Settings) -> None:
    generator, outcomes = random.Random(14), Counter[str]()
    for _ in range(150):
        data = b"".join(generator.choices(PIECES, k=generator.randint(1, 12)))
        if generator.random() < 0.5:
            data = b"POST / HTTP/1.1\r\n" + data
        whole = outcome(settings, data, [])
        for _ in range(2):
            cuts = sorted(generator.randint(0, len(data)) for _ in range(generator.randint(1, 20)))
            assert outcome(settings, data, cuts) == whole, data
        outcomes[type(whole).__name__ if isinstance(whole, tuple) else str(whole)] += 1
    assert {*outcomes} >= {"tuple", "400", "incomplete"}
    assert settings.spool._on_disk == 0
