"""The contract of a store of bytes, sentence by sentence, over every store of the package."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pypi_registry.storage import Blobs, Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs

KEY = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture(params=["memory", "files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """A store; one of files must have nothing half written left in the end."""
    if request.param == "memory":
        yield MemoryBlobs()
        return
    yield FileBlobs(tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []


def put(blobs: Blobs, key: str, *chunks: bytes) -> None:
    with blobs.create(key) as blob:
        for chunk in chunks:
            blob.write(chunk)
        blob.commit()


def get(blobs: Blobs, key: str) -> bytes | None:
    stream = blobs.open(key)
    assert not isinstance(stream, Redirect)
    if stream is None:
        return None
    with stream:
        return stream.read()


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([], id="no write"),
        pytest.param([b""], id="an empty write"),
        pytest.param([b"one"], id="one write"),
        pytest.param([b"one", b"", b"two", b"three"], id="several writes"),
        pytest.param([bytes([number % 256]) for number in range(1000)], id="a byte at a time"),
        pytest.param([secrets.token_bytes(3_000_001), b"end"], id="megabytes"),
    ],
)
def test_what_was_written_and_committed_is_there(blobs: Blobs, chunks: list[bytes]) -> None:
    put(blobs, KEY, *chunks)
    assert get(blobs, KEY) == b"".join(chunks)
    assert get(blobs, KEY) == b"".join(chunks)


def test_without_a_commit_there_is_nothing(blobs: Blobs) -> None:
    with blobs.create(KEY) as blob:
        blob.write(b"bytes")
    assert blobs.open(KEY) is None


def test_before_the_commit_nobody_sees_anything(blobs: Blobs) -> None:
    with blobs.create(KEY) as blob:
        blob.write(b"bytes")
        assert blobs.open(KEY) is None
        blob.commit()
        assert get(blobs, KEY) == b"bytes"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("written", [b"", b"bytes", b"x" * 1_000_000], ids=["nothing", "a little", "much"])
def test_an_exception_leaves_nothing_and_passes_through(
    blobs: Blobs, error: type[BaseException], written: bytes
) -> None:
    raised = error("the client went away")

    def write_and_fail() -> None:
        with blobs.create(KEY) as blob:
            blob.write(written)
            raise raised

    with pytest.raises(error) as caught:
        write_and_fail()
    assert caught.value is raised
    assert blobs.open(KEY) is None
    put(blobs, KEY, b"again")
    assert get(blobs, KEY) == b"again"


def test_what_was_committed_stays_whatever_comes_then(blobs: Blobs) -> None:
    def commit_and_fail() -> None:
        with blobs.create(KEY) as blob:
            blob.write(b"bytes")
            blob.commit()
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        commit_and_fail()
    assert get(blobs, KEY) == b"bytes"


def test_what_was_written_so_far_is_read_back(blobs: Blobs) -> None:
    with blobs.create(KEY) as blob:
        with blob.read_back() as stream:
            assert stream.read() == b""
        blob.write(b"one")
        blob.write(b"two")
        with blob.read_back() as stream:
            assert stream.read(2) == b"on"
            assert stream.seek(-3, 2) == 3
            assert stream.read() == b"two"
        blob.write(b"three")
        with blob.read_back() as stream:
            assert stream.read() == b"onetwothree"
        blob.commit()
    assert get(blobs, KEY) == b"onetwothree"


def test_a_stream_can_be_sought_and_is_nobody_elses(blobs: Blobs) -> None:
    put(blobs, KEY, b"0123456789")
    first, second = blobs.open(KEY), blobs.open(KEY)
    assert first is not None
    assert second is not None
    assert not isinstance(first, Redirect)
    assert not isinstance(second, Redirect)
    with first, second:
        assert first.seekable()
        first.seek(5)
        assert first.read(2) == b"56"
        assert second.read(2) == b"01"
        first.seek(0)
        assert first.read() == b"0123456789"
        assert first.read() == b""
    assert first.closed
    assert second.closed


def test_a_key_is_one_blob(blobs: Blobs) -> None:
    put(blobs, KEY, b"one")
    put(blobs, OTHER, b"two")
    assert (get(blobs, KEY), get(blobs, OTHER)) == (b"one", b"two")


def test_what_never_was_is_none(blobs: Blobs) -> None:
    put(blobs, KEY, b"one")
    assert blobs.open(OTHER) is None


def test_what_is_deleted_is_gone_and_nothing_else_is(blobs: Blobs) -> None:
    put(blobs, KEY, b"one")
    put(blobs, OTHER, b"two")
    blobs.delete(KEY)
    assert blobs.open(KEY) is None
    assert get(blobs, OTHER) == b"two"


def test_to_delete_what_is_not_there_is_harmless(blobs: Blobs) -> None:
    blobs.delete(KEY)
    put(blobs, KEY, b"one")
    blobs.delete(KEY)
    blobs.delete(KEY)
    assert blobs.open(KEY) is None


def test_many_threads_write_at_once(blobs: Blobs) -> None:
    start = Barrier(8)
    keys = [f"{number:032x}" for number in range(80)]

    def act(number: int) -> None:
        start.wait()
        for key in keys[number::8]:
            put(blobs, key, key.encode(), b"!")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))
    assert [get(blobs, key) for key in keys] == [f"{key}!".encode() for key in keys]
