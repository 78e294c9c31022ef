"""A file that is still arriving behaves like a complete one, and each of its bytes is read and written once."""

import errno
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry._publishing.incoming import IncomingFile, new_file, read_while_it_arrives
from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.stores.files import FileBlobs
from pypi_registry.testing.archives import distribution


def nothing(stream: BinaryIO) -> None:
    """Read nothing of a stream."""


class Spool(io.BytesIO):
    """Counts what is read of a spool file."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


class Sent:
    """Chunks that arrive, and the spool file to which they are written."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter([*chunks])
        self.file = Spool()

    def stream(self) -> IncomingFile:
        return IncomingFile(self.chunks, self.file)

    @property
    def written(self) -> bytes:
        return self.file.getvalue()


WHENCES = [os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]
acts = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 12)),
    st.tuples(st.just("seek"), st.integers(-12, 40), st.sampled_from(WHENCES)),
    st.tuples(st.just("tell")),
    st.tuples(st.just("read all")),
)


def outcome(stream: BinaryIO, act: tuple[object, ...]) -> object:
    """Do one thing with a stream, and return what comes of it."""
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
def test_it_behaves_like_a_complete_file(chunks: list[bytes], acts: list[tuple[object, ...]], buffer: int) -> None:
    sent, complete = Sent(chunks), io.BytesIO(b"".join(chunks))
    # As its readers see it: a raw stream may return less than was asked for.
    stream = io.BufferedReader(sent.stream(), buffer)
    for act in acts:
        assert outcome(stream, act) == outcome(complete, act)
        assert stream.tell() == complete.tell()
    assert complete.getvalue().startswith(sent.written)


@given(st.lists(st.binary(max_size=9), max_size=6), st.lists(st.integers(1, 12), max_size=12))
@settings(max_examples=50, deadline=None)
def test_unbuffered_it_returns_the_rest_of_the_last_chunk(chunks: list[bytes], sizes: list[int]) -> None:
    sent = Sent(chunks)
    stream, data = sent.stream(), b"".join(chunks)
    for size in sizes:
        at = stream.tell()
        piece = stream.read(size)
        assert piece == data[at : at + len(piece)]
        assert bool(piece) is (at < len(data))
        assert stream.tell() == at + len(piece)
    at = stream.tell()
    assert stream.readall() == data[at:]


def test_it_can_be_read_and_sought_and_not_written() -> None:
    stream = Sent([b"a"]).stream()
    assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)


def test_reading_forward_reads_the_chunks_and_not_the_spool_file() -> None:
    sent = Sent([b"one", b"two", b"three"])
    stream = sent.stream()
    assert stream.read(2) == b"on"
    assert sent.written == b"one"
    assert stream.seek(2) == 2
    assert stream.seek(0, os.SEEK_CUR) == 2
    assert sent.written == b"one"
    assert stream.read(9) == b"e"
    assert stream.read(9) == b"two"
    assert sent.written == b"onetwo"
    assert (stream.read(9), stream.read(9), stream.read(9)) == (b"three", b"", b"")
    assert sent.file.reads == 0


@pytest.mark.parametrize(("offset", "whence"), [(1, os.SEEK_SET), (1, os.SEEK_CUR), (0, os.SEEK_END), (4, os.SEEK_SET)])
def test_seeking_waits_until_all_has_arrived(offset: int, whence: int) -> None:
    sent = Sent([b"one", b"two", b"three"])
    stream = sent.stream()
    assert stream.read(2) == b"on"
    expected = io.BytesIO(b"onetwothree")
    expected.seek(2)
    assert stream.seek(offset, whence) == expected.seek(offset, whence)
    assert sent.written == b"onetwothree"
    assert stream.read(99) == expected.read(99)
    assert sent.written == b"onetwothree"


def test_a_buffered_reader_goes_back_a_little_without_waiting() -> None:
    sent = Sent([b"one", b"two"])
    stream = io.BufferedReader(sent.stream())
    assert stream.read(2) == b"on"
    stream.seek(0)  # within the buffer
    assert stream.read(6) == b"onetwo"
    assert sent.file.reads == 0


def test_a_gzipped_tar_is_read_while_it_arrives() -> None:
    data = distribution("demo-1.0.tar.gz", files={"a.txt": "a" * 5000})
    sent = Sent(data[start : start + 100] for start in range(0, len(data), 100))
    with tarfile.open(fileobj=io.BufferedReader(sent.stream()), mode="r|gz") as archive:
        assert [member.name for member in archive] == ["demo-1.0/PKG-INFO", "demo-1.0/a.txt"]
    assert sent.file.reads == 0


def test_a_zip_is_read_when_all_has_arrived() -> None:
    data = distribution("demo-1.0.zip", files={"a.txt": "a" * 5000})
    sent = Sent(data[start : start + 100] for start in range(0, len(data), 100))
    with zipfile.ZipFile(io.BufferedReader(sent.stream())) as archive:
        assert archive.testzip() is None
        assert archive.read("demo-1.0/a.txt") == b"a" * 5000
    assert sent.written == data


# The end, and ends that came too soon


@pytest.mark.parametrize("read", [0, 2, 3, 4, 11])
def test_bytes_that_are_not_read_are_received(read: int) -> None:
    sent = Sent([b"one", b"", b"two", b"three"])
    stream = sent.stream()
    stream.read(read)
    stream.receive_all()
    assert sent.written == b"onetwothree"


def test_an_empty_chunk_is_not_the_end() -> None:
    stream = io.BufferedReader(Sent([b"", b"one", b"", b"", b"two", b""]).stream())
    assert stream.read() == b"onetwo"


class BrokenError(Exception):
    pass


def breaking() -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    raise BrokenError


class FullAfterThreeBytes(io.BytesIO):
    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > 3:
            raise OSError(errno.ENOSPC, "no room")
        return super().write(data)


READERS: dict[str, Callable[[BinaryIO], object]] = {
    "nothing": lambda stream: None,
    "a byte": lambda stream: stream.read(1),
    "all": lambda stream: stream.read(),
    "the end": lambda stream: stream.seek(0, os.SEEK_END),
    "a part and back": lambda stream: [stream.read(5), stream.seek(0)],
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)
BREAKS: dict[str, tuple[Callable[[], IncomingFile], type[Exception]]] = {
    "the network": (lambda: IncomingFile(breaking(), io.BytesIO()), BrokenError),
    "the disk": (lambda: IncomingFile(iter([b"one", b"two", b"three"]), FullAfterThreeBytes()), StorageFull),
}
breaks = pytest.mark.parametrize(("make", "error"), BREAKS.values(), ids=BREAKS)


@breaks
@readers
@pytest.mark.parametrize("buffer", [1, 8192])
def test_an_error_is_raised_in_the_end_even_if_the_reader_ignored_it(
    read: Callable[[BinaryIO], object], buffer: int, make: Callable[[], IncomingFile], error: type[Exception]
) -> None:
    stream = make()
    reader = io.BufferedReader(stream, buffer)
    for _ in range(3):
        with suppress(error):
            read(reader)
    for _ in range(2):
        with pytest.raises(error):
            stream.receive_all()


@breaks
def test_an_incomplete_file_cannot_be_sought(make: Callable[[], IncomingFile], error: type[Exception]) -> None:
    stream = make()
    for _ in range(3):
        with pytest.raises(error):
            stream.seek(1)


def test_nothing_is_written_after_an_error() -> None:
    file = FullAfterThreeBytes()
    stream = IncomingFile(iter([b"one", b"four", b""]), file)
    for _ in range(3):
        with suppress(StorageFull):
            stream.read(9)
    assert file.getvalue() == b"one"


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable), (errno.EPIPE, BrokenPipeError)],
    ids=["full", "broken", "no error of a disk"],
)
def test_each_error_of_the_disk_is_one_of_a_store(number: int, error: type[Exception]) -> None:
    class Broken(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(number, "the disk is broken")

    with pytest.raises(error):
        read_while_it_arrives(iter([b"one", b"two"]), Broken(), nothing)


def test_closing_it_does_not_close_the_spool_file() -> None:
    sent = Sent([b"one", b"two"])
    stream = sent.stream()
    io.BufferedReader(stream).close()
    stream.close()
    assert stream.closed
    assert not sent.file.closed
    stream.receive_all()
    assert sent.written == b"onetwo"


# The function that reads it


@pytest.mark.parametrize(
    ("chunks", "reads_file"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([b"0123456789"], False, id="at once"),
        pytest.param([b"01234", b"56789"], True, id="in two chunks"),
        pytest.param([b"01234", b"", b"5678", b"9"], True, id="in several"),
    ],
)
def test_a_file_of_one_chunk_is_read_from_memory(chunks: list[bytes], reads_file: bool) -> None:
    def read(stream: BinaryIO) -> tuple[int, int, bytes]:
        return stream.seek(0, os.SEEK_END), stream.seek(0), stream.read()

    sent, whole = Sent(chunks), b"".join(chunks)
    assert read_while_it_arrives(sent.chunks, sent.file, read) == (len(whole), 0, whole)
    assert bool(sent.file.reads) is reads_file
    assert sent.written == b"".join(chunks)


@readers
@pytest.mark.parametrize("chunks", [[], [b"0"], [b"0", b"1", b"2"]], ids=len)
def test_all_bytes_are_in_the_spool_file_in_the_end(
    tmp_path: Path, chunks: list[bytes], read: Callable[[BinaryIO], object]
) -> None:
    path = tmp_path / "spool"
    with path.open("wb+") as file:
        read_while_it_arrives(iter(chunks), file, read)
        assert path.read_bytes() == b"".join(chunks)


@readers
@pytest.mark.parametrize("chunks", [[b"0123"], [b"0", b"1", b"2", b"3"]], ids=len)
def test_an_error_is_raised_even_if_the_reader_ignored_it(
    chunks: list[bytes], read: Callable[[BinaryIO], object]
) -> None:
    def read_on(stream: BinaryIO) -> None:
        with suppress(StorageFull, BrokenError):
            read(stream)

    with pytest.raises(StorageFull):
        read_while_it_arrives(iter(chunks), FullAfterThreeBytes(), read_on)
    with pytest.raises(BrokenError):
        read_while_it_arrives(breaking(), io.BytesIO(), read_on)


def test_a_disk_that_is_full_when_the_buffer_is_flushed_raises_storage_full() -> None:
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(errno.EDQUOT, "no room")

    for chunks in ([b"0"], [b"0", b"1"]):
        with pytest.raises(StorageFull):
            read_while_it_arrives(iter(chunks), Full(), nothing)


# The spool file


class OnlyBlobs:
    """A store of bytes that does not implement `CreatesFiles`."""

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        raise NotImplementedError

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | None:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError


def test_a_store_creates_the_spool_file_if_it_can(tmp_path: Path) -> None:
    with new_file(FileBlobs(tmp_path)) as file:
        file.write(b"bytes")
        assert len([*(tmp_path / "incoming").iterdir()]) == 1
    assert [*(tmp_path / "incoming").iterdir()] == []


def test_the_spool_file_is_a_temporary_file_if_the_store_creates_none() -> None:
    with new_file(OnlyBlobs()) as file:
        file.write(b"bytes")
        file.seek(1)
        assert file.read() == b"ytes"
        os.fstat(file.fileno())  # a file of the system


def test_a_temporary_folder_without_room_raises_storage_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> BinaryIO:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    with pytest.raises(StorageFull):
        new_file(OnlyBlobs())
