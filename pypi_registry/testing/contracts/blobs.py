"""The suite of a store of bytes."""

import hashlib
import io
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING, BinaryIO
from unittest import SkipTest

from pypi_registry.errors import StorageUnavailable
from pypi_registry.storage import Blobs, CreatesFiles, EnumerableBlobs, Redirect
from pypi_registry.testing.contracts.threads import Threads, raised

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class BlobsContract(Threads):
    """Tests `Blobs`: subclass it in your tests, and override `make_blobs`, and `reopen` if the bytes are durable.

    A store that returns a `Redirect` overrides `follow` as well.
    """

    def make_blobs(self) -> Blobs:
        """Return an empty store; called once per test."""
        raise NotImplementedError(f"{type(self).__name__} must override make_blobs()")

    def reopen(self, blobs: Blobs) -> Blobs:
        """Return another instance over the same data, as after a restart or in another process; both are used then.

        Without it, the tests of durability are skipped, which is right only for a store in memory.
        """
        raise SkipTest("reopen() is not overridden: these bytes are not durable")

    def follow(self, redirect: Redirect) -> bytes | None:
        """Return the bytes that a client receives from the URL of a redirect, or None if there are none."""
        raise NotImplementedError(f"{type(self).__name__} must override follow(): the store returned {redirect}")

    def _get(self, blobs: Blobs, key: str, size: int) -> bytes | None:
        found = blobs.open(key, size=size)
        if isinstance(found, Redirect):
            return self.follow(found)
        if found is None:
            return None
        with found:
            return found.read()

    # Storing

    def test_stored_bytes_are_returned_as_they_were(self) -> None:
        blobs = self.make_blobs()
        for number, data in enumerate(_DATA):
            put(blobs, f"{number:032x}", data)
        for number, data in enumerate(_DATA):
            for _ in range(2):
                assert _short(self._get(blobs, f"{number:032x}", len(data))) == _short(data), number

    def test_any_seekable_file_at_any_position_is_stored_whole_and_stays_open(self) -> None:
        blobs = self.make_blobs()
        data = secrets.token_bytes(100_001)
        kinds: list[Callable[[], BinaryIO]] = [io.BytesIO, tempfile.TemporaryFile, _own_file(blobs)]
        for kind, make in enumerate(kinds):
            for position in (0, 1, 50_000, len(data)):
                key = f"{kind}{position:031x}"
                with make() as file:
                    file.write(data)
                    file.seek(position)
                    put(blobs, key, file, data)
                    assert not file.closed
                    assert _short(self._get(blobs, key, len(data))) == _short(data), (kind, position)
                assert _short(self._get(blobs, key, len(data))) == _short(data), (kind, position)

    def test_readers_beside_put_see_all_bytes_or_none(self) -> None:
        blobs = self.make_blobs()
        data = secrets.token_bytes(300_001)
        for number in range(5):
            key = f"{number:032x}"
            seen: set[object] = set()

            def read(key: str = key, seen: set[object] = seen) -> None:
                seen.add(_short(self._get(blobs, key, len(data))))

            self._beside_readers(lambda key=key: put(blobs, key, data), read)  # type: ignore[misc]
            assert seen - {None} == {_short(data)}

    def test_if_put_raises_nothing_is_stored(self) -> None:
        blobs = self.make_blobs()
        for error in (OSError("broken disk"), KeyboardInterrupt()):
            for good in (0, 100_000):
                with io.BufferedReader(_BrokenFile(300_000, good, error), 1000) as file:
                    assert _raised_by_put(blobs, file, 300_000) is not None
                assert self._get(blobs, KEY, 300_000) is None, (error, good)
                assert self._get(blobs, KEY, good) is None, (error, good)
        put(blobs, KEY, b"other")
        assert self._get(blobs, KEY, 5) == b"other"

    def test_a_key_has_its_own_bytes(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        assert (self._get(blobs, KEY, 3), self._get(blobs, OTHER, 3)) == (b"one", b"two")

    # Reading

    def test_a_key_that_does_not_exist_has_no_bytes(self) -> None:
        blobs = self.make_blobs()
        assert self._get(blobs, KEY, 3) is None
        put(blobs, KEY, b"one")
        for size in (0, 3):
            assert self._get(blobs, OTHER, size) is None
        found = blobs.open(OTHER, size=3, part=range(1))
        assert found is None or isinstance(found, Redirect)

    def test_a_part_is_read_forward_to_its_end(self) -> None:
        blobs = self.make_blobs()
        data = secrets.token_bytes(200_003)
        put(blobs, KEY, data)
        for part in _parts(len(data)):
            with _stream(blobs, KEY, len(data), part) as stream:
                assert _short(stream.read()) == _short(data[part.start : part.stop]), part
                assert stream.read() == stream.read(1) == b"", part
            with _stream(blobs, KEY, len(data), part) as stream:
                assert stream.read(0) == b""
                chunks = iter(lambda: stream.read(70_001), b"")
                assert _short(b"".join(chunks)) == _short(data[part.start : part.stop]), part

    def test_each_stream_has_its_own_position(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"0123456789")
        first, second = _stream(blobs, KEY, 10), _stream(blobs, KEY, 10, range(4, 8))
        with first, second:
            assert (first.read(2), second.read(2), first.read(2), second.read(9)) == (b"01", b"45", b"23", b"67")
        assert first.closed
        assert second.closed
        assert self._get(blobs, KEY, 10) == b"0123456789"

    def test_another_size_than_the_stored_one_raises_storage_unavailable(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"0123456789")
        put(blobs, OTHER, b"")
        _open_and_close(blobs, KEY, 10, None)
        for size in (0, 9, 11, 10**12):
            for part in (None, range(min(size, 3))):
                raised(StorageUnavailable, _open_and_close, blobs, KEY, size, part)
        raised(StorageUnavailable, _open_and_close, blobs, OTHER, 1, None)

    # Deleting

    def test_deleted_bytes_are_gone_and_others_stay(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        blobs.delete(KEY)
        assert self._get(blobs, KEY, 3) is None
        assert self._get(blobs, OTHER, 3) == b"two"

    def test_deleting_a_key_that_does_not_exist_is_harmless(self) -> None:
        blobs = self.make_blobs()
        blobs.delete(KEY)
        put(blobs, KEY, b"one")
        blobs.delete(KEY)
        blobs.delete(KEY)
        assert self._get(blobs, KEY, 3) is None

    # Many threads

    def test_many_threads_store_and_delete_at_once(self) -> None:
        blobs = self.make_blobs()
        keys = [f"{number:032x}" for number in range(80)]

        def act(number: int) -> None:
            for count, key in enumerate(keys[number::8]):
                put(blobs, key, key.encode())
                assert self._get(blobs, key, 32) == key.encode()
                if count % 2:
                    blobs.delete(key)

        self._in_threads(act)
        kept = {key for number in range(8) for key in keys[number::8][::2]}
        assert {key for key in keys if self._get(blobs, key, 32) == key.encode()} == kept
        assert {key for key in keys if self._get(blobs, key, 32) is None} == {*keys} - kept

    # CreatesFiles

    def test_a_new_file_is_empty_and_can_be_written_read_and_sought(self) -> None:
        with _creates_files(self.make_blobs()).new_file() as file:
            assert file.read() == b""
            assert file.write(b"one") == 3
            assert file.seek(0) == 0
            assert file.read(2) == b"on"
            assert file.seek(0, io.SEEK_END) == file.tell() == 3
            file.write(b"x" * 1_000_000)
            assert file.seek(2) == 2
            assert _short(file.read()) == _short(b"e" + b"x" * 1_000_000)

    def test_new_files_are_private(self) -> None:
        blobs = self.make_blobs()
        makes = _creates_files(blobs)
        start = Barrier(8)

        def act(number: int) -> bytes:
            with makes.new_file() as file:
                file.write(b"%d" % number)
                start.wait(10)
                file.seek(0)
                return file.read()

        assert self._in_threads(act) == [b"%d" % number for number in range(8)]

    def test_a_new_file_that_is_closed_without_put_leaves_nothing(self) -> None:
        blobs = self.make_blobs()
        makes, lists = _creates_files(blobs), _enumerable(blobs)
        with makes.new_file() as file:
            file.write(b"one")
            file.flush()
            assert [*lists.keys()] == []
            with makes.new_file() as other:
                other.write(b"two")
                put(blobs, KEY, other, b"two")
        assert file.closed
        [(key, size, _)] = lists.keys()
        assert (key, size) == (KEY, 3)
        assert self._get(blobs, KEY, 3) == b"two"

    # EnumerableBlobs

    def test_every_key_is_listed_with_its_size_and_its_time(self) -> None:
        blobs = self.make_blobs()
        lists = _enumerable(blobs)
        assert [*lists.keys()] == []
        before = datetime.now(UTC)
        sizes = {f"{number:x}{number:031x}": number for number in range(16)}
        for key, size in sizes.items():
            put(blobs, key, b"x" * size)
        for key in [*sizes][::3]:
            blobs.delete(key)
            del sizes[key]
        found = [*lists.keys()]
        assert {key: size for key, size, _ in found} == sizes
        assert len(found) == len(sizes)
        for _, _, at in found:
            assert at.utcoffset() == timedelta(0)
            assert abs(at - before) < timedelta(minutes=1)

    # Durability

    def test_stored_bytes_are_there_and_deleted_bytes_are_not_after_a_restart(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        blobs.delete(OTHER)
        again = self.reopen(blobs)
        assert (self._get(again, KEY, 3), self._get(again, OTHER, 3)) == (b"one", None)

    def test_another_instance_sees_every_change_at_once(self) -> None:
        first = self.make_blobs()
        second = self.reopen(first)
        put(second, KEY, b"one")
        assert self._get(first, KEY, 3) == b"one"
        first.delete(KEY)
        assert self._get(second, KEY, 3) is None

    def test_starting_another_instance_does_not_disturb_an_upload(self) -> None:
        blobs = self.make_blobs()
        with _own_file(blobs)() as file:
            file.write(b"by")
            file.flush()
            again = self.reopen(blobs)
            assert self._get(again, KEY, 5) is None
            file.write(b"tes")
            put(blobs, KEY, file, b"bytes")
        assert self._get(again, KEY, 5) == b"bytes"


_DATA = [
    b"",
    b"o",
    b"\r\n\n\r\x1a\0",
    bytes(range(256)),
    secrets.token_bytes(3_000_001),
]


def _parts(size: int) -> list[range]:
    starts = (0, 1, 65_536, size - 1)
    return [
        range(size),
        *(range(start, size) for start in starts),
        *(range(start, start + 1) for start in starts),
        *(range(start, start) for start in (*starts, size)),
        range(100_000),
        range(1000, 150_000),
    ]


def put(blobs: Blobs, key: str, file: BinaryIO | bytes, data: bytes = b"") -> None:
    """Store bytes, or a file that holds `data`."""
    if isinstance(file, bytes):
        put(blobs, key, io.BytesIO(file), file)
        return
    blobs.put(key, file, size=len(data), sha256=hashlib.sha256(data).hexdigest(), filename="demo-1.0.tar.gz")


def _raised_by_put(blobs: Blobs, file: BinaryIO, size: int) -> BaseException | None:
    try:
        blobs.put(KEY, file, size=size, sha256="a" * 64, filename="demo-1.0.tar.gz")
    except BaseException as error:
        return error
    return None


class _BrokenFile(io.RawIOBase):
    """A file that raises an error where it is read from a position on."""

    def __init__(self, size: int, good: int, error: BaseException) -> None:
        self._size, self._good, self._error, self._position = size, good, error, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        count = min(len(view), self._good - self._position)
        if count <= 0:
            raise self._error
        view[:count] = bytes(count)
        self._position += count
        return count


def _stream(blobs: Blobs, key: str, size: int, part: range | None = None) -> BinaryIO:
    found = blobs.open(key, size=size, part=part)
    if isinstance(found, Redirect):
        raise SkipTest("this store redirects, so it returns no streams")
    assert found is not None
    return found


def _open_and_close(blobs: Blobs, key: str, size: int, part: range | None) -> None:
    _stream(blobs, key, size, part).close()


def _creates_files(blobs: Blobs) -> CreatesFiles:
    if not isinstance(blobs, CreatesFiles):
        raise SkipTest(f"{type(blobs).__name__} does not implement CreatesFiles")
    return blobs


def _enumerable(blobs: Blobs) -> EnumerableBlobs:
    if not isinstance(blobs, EnumerableBlobs):
        raise SkipTest(f"{type(blobs).__name__} does not implement EnumerableBlobs")
    return blobs


def _own_file(blobs: Blobs) -> Callable[[], BinaryIO]:
    """Return the function that creates the file into which an upload is received."""
    return blobs.new_file if isinstance(blobs, CreatesFiles) else tempfile.TemporaryFile


def _short(data: bytes | None) -> object:
    """Return a short text for long bytes: where ``CI`` is set, pytest compares megabytes line by line, for hours."""
    if data is None or len(data) < 100:
        return data
    return f"{len(data)} bytes, {data[:20]!r}…, SHA-256 {hashlib.sha256(data).hexdigest()}"
