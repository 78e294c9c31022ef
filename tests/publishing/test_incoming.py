"""A file that is still arriving behaves like one that is there, and nothing of it is taken twice."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry._publishing.incoming import IncomingFile, incoming_file
from pypi_registry.testing.archives import distribution


class Sent:
    """Chunks on their way, which are kept as they come."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = [*chunks]
        self.kept = bytearray()
        self.read_backs: list[io.BytesIO] = []

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.kept += chunk
            yield chunk

    def read_back(self) -> BinaryIO:
        self.read_backs.append(io.BytesIO(bytes(self.kept)))
        return self.read_backs[-1]

    @property
    def incoming_file(self) -> IncomingFile:
        return IncomingFile(iter(self), self.read_back)


WHENCES = [os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]
acts = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 12)),
    st.tuples(st.just("seek"), st.integers(-12, 40), st.sampled_from(WHENCES)),
    st.tuples(st.just("tell")),
    st.tuples(st.just("read all")),
)


def outcome(stream: BinaryIO, act: tuple[object, ...]) -> object:
    """Do one thing with a stream, and give what comes of it."""
    match act:
        case ("read", int(size)):
            return stream.read(size)
        case ("seek", int(offset), int(whence)):
            try:
                return stream.seek(offset, whence)
            except (ValueError, OSError):
                return "refused"
        case ("tell",):
            return stream.tell()
        case _:
            return stream.read()


@given(st.lists(st.binary(max_size=9), max_size=6), st.lists(acts, max_size=12), st.sampled_from([1, 4, 8192]))
@settings(max_examples=150, deadline=None)
def test_it_behaves_like_a_file_that_is_there(chunks: list[bytes], acts: list[tuple[object, ...]], buffer: int) -> None:
    sent, there = Sent(chunks), io.BytesIO(b"".join(chunks))
    # As its readers see it: a raw stream may give less than was asked for.
    stream = io.BufferedReader(sent.arriving, buffer)
    for act in acts:
        assert outcome(stream, act) == outcome(there, act)
        assert stream.tell() == there.tell()
    assert len(sent.read_backs) <= 1


@given(st.lists(st.binary(max_size=9), max_size=6), st.lists(st.integers(1, 12), max_size=12))
@settings(max_examples=50, deadline=None)
def test_alone_it_gives_what_there_is_of_the_present_chunk(chunks: list[bytes], sizes: list[int]) -> None:
    sent = Sent(chunks)
    stream, data = sent.arriving, b"".join(chunks)
    for size in sizes:
        at = stream.tell()
        piece = stream.read(size)
        assert piece == data[at : at + len(piece)]
        assert bool(piece) is (at < len(data))
        assert stream.tell() == at + len(piece)
    at = stream.tell()
    assert stream.readall() == data[at:]


def test_it_says_that_it_can_be_read_and_moved_and_not_written() -> None:
    stream = Sent([b"a"]).arriving
    assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)


def test_whoever_reads_forward_reads_along_and_nothing_back() -> None:
    sent = Sent([b"one", b"two", b"three"])
    stream = sent.arriving
    assert stream.read(2) == b"on"
    assert sent.kept == b"one"
    assert stream.seek(2) == 2
    assert stream.seek(0, os.SEEK_CUR) == 2
    assert sent.kept == b"one"
    assert stream.read(9) == b"e"
    assert stream.read(9) == b"two"
    assert sent.kept == b"onetwo"
    assert (stream.read(9), stream.read(9), stream.read(9)) == (b"three", b"", b"")
    assert sent.read_backs == []


@pytest.mark.parametrize(("offset", "whence"), [(1, os.SEEK_SET), (1, os.SEEK_CUR), (0, os.SEEK_END), (4, os.SEEK_SET)])
def test_whoever_goes_elsewhere_waits_until_all_has_come(offset: int, whence: int) -> None:
    sent = Sent([b"one", b"two", b"three"])
    stream = sent.arriving
    assert stream.read(2) == b"on"
    expected = io.BytesIO(b"onetwothree")
    expected.seek(2)
    assert stream.seek(offset, whence) == expected.seek(offset, whence)
    assert sent.kept == b"onetwothree"
    assert stream.read(99) == expected.read(99)
    assert len(sent.read_backs) == 1


def test_a_buffered_reader_goes_back_a_little_without_waiting() -> None:
    sent = Sent([b"one", b"two"])
    stream = io.BufferedReader(sent.arriving)
    assert stream.read(2) == b"on"
    stream.seek(0)  # within what the reader in front of it holds
    assert stream.read(6) == b"onetwo"
    assert sent.read_backs == []


def test_a_gzipped_tar_is_read_along() -> None:
    data = distribution("demo-1.0.tar.gz", files={"a.txt": "a" * 5000})
    sent = Sent(data[start : start + 100] for start in range(0, len(data), 100))
    with tarfile.open(fileobj=io.BufferedReader(sent.arriving), mode="r|gz") as archive:
        assert [member.name for member in archive] == ["demo-1.0/PKG-INFO", "demo-1.0/a.txt"]
    assert sent.read_backs == []


def test_a_zip_is_read_when_all_has_come() -> None:
    data = distribution("demo-1.0.zip", files={"a.txt": "a" * 5000})
    sent = Sent(data[start : start + 100] for start in range(0, len(data), 100))
    with zipfile.ZipFile(io.BufferedReader(sent.arriving)) as archive:
        assert archive.testzip() is None
        assert archive.read("demo-1.0/a.txt") == b"a" * 5000
    assert len(sent.read_backs) == 1


# The end, and ends that came too soon


@pytest.mark.parametrize("read", [0, 2, 3, 4, 11])
def test_what_nobody_reads_is_awaited(read: int) -> None:
    sent = Sent([b"one", b"", b"two", b"three"])
    stream = sent.arriving
    stream.read(read)
    stream.await_all()
    assert sent.kept == b"onetwothree"


def test_a_chunk_of_nothing_is_not_the_end() -> None:
    stream = io.BufferedReader(Sent([b"", b"one", b"", b"", b"two", b""]).arriving)
    assert stream.read() == b"onetwo"


class BrokenError(Exception):
    pass


def breaking() -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    raise BrokenError


READERS: list[Callable[[BinaryIO], object]] = [
    lambda stream: None,
    lambda stream: stream.read(1),
    lambda stream: stream.read(),
    lambda stream: stream.seek(0, os.SEEK_END),
    lambda stream: [stream.read(5), stream.seek(0)],
]
readers = pytest.mark.parametrize("read", READERS, ids=["nothing", "a byte", "all", "the end", "a part and back"])


@readers
@pytest.mark.parametrize("buffer", [1, 8192])
def test_what_ended_it_early_is_told_even_if_the_reader_takes_no_notice(
    read: Callable[[BinaryIO], object], buffer: int
) -> None:
    stream = IncomingFile(breaking(), lambda: io.BytesIO(b"onetwo"))
    reader = io.BufferedReader(stream, buffer)
    for _ in range(3):
        with suppress(BrokenError):
            read(reader)
    for _ in range(2):
        with pytest.raises(BrokenError):
            stream.await_all()


def test_nobody_goes_back_in_what_broke_off() -> None:
    def read_back() -> BinaryIO:
        raise AssertionError("a part was taken for the whole")

    stream = IncomingFile(breaking(), read_back)
    for _ in range(3):
        with pytest.raises(BrokenError):
            stream.seek(1)


def test_closing_it_closes_what_it_opened_and_may_be_done_twice() -> None:
    sent = Sent([b"one"])
    with sent.arriving as stream:
        stream.seek(1)
        assert not sent.read_backs[0].closed
        stream.close()
    assert stream.closed
    assert sent.read_backs[0].closed


def test_what_was_closed_can_be_awaited_still() -> None:
    sent = Sent([b"one", b"two"])
    stream = sent.arriving
    io.BufferedReader(stream).close()
    assert stream.closed
    stream.await_all()
    assert sent.kept == b"onetwo"


# One that came at once


@pytest.mark.parametrize(
    ("chunks", "read_backs"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([b"0123456789"], 0, id="at once"),
        pytest.param([b"01234", b"56789"], 1, id="in two pieces"),
        pytest.param([b"01234", b"", b"5678", b"9"], 1, id="in several"),
    ],
)
def test_only_what_came_in_pieces_is_read_where_it_is_kept(chunks: list[bytes], read_backs: int) -> None:
    sent = Sent(chunks)
    with incoming_file(iter(sent), sent.read_back) as stream:
        assert stream.seek(0, os.SEEK_END) == len(b"".join(chunks))
        stream.seek(0)
        assert stream.read() == b"".join(chunks)
    assert len(sent.read_backs) == read_backs
    assert all(kept.closed for kept in sent.read_backs)


def test_whoever_reads_nothing_lets_all_of_it_come() -> None:
    sent = Sent([b"0", b"1", b"2"])
    with incoming_file(iter(sent), sent.read_back):
        pass
    assert sent.kept == b"012"


def test_what_ends_it_early_is_raised_although_the_reader_took_no_notice() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"0"
        yield b"1"
        raise OSError("the client went away")

    with pytest.raises(OSError, match="went away"), incoming_file(chunks(), Sent([]).read_back) as stream:
        stream.read(1)
