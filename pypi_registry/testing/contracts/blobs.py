"""The suite of a store of bytes."""

import hashlib
import io
import secrets
from unittest import SkipTest

from pypi_registry.storage import Blobs, NewBlob, Redirect
from pypi_registry.testing.contracts.threads import Threads

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class BlobsContract(Threads):
    """Tests `Blobs`: subclass it in your tests, and override `make_blobs`, and `reopen` if your bytes last.

    A store that answers with a `Redirect` overrides `follow` as well.
    """

    def make_blobs(self) -> Blobs:
        """Give a store that is empty; called once a test."""
        raise NotImplementedError(f"{type(self).__name__} must say what it is about: override make_blobs()")

    def reopen(self, blobs: Blobs) -> Blobs:
        """Give another instance over the same data, as a restart and another process have; both are used then.

        Without it the tests of what lasts are skipped, which is right only for a store in memory.
        """
        raise SkipTest("these blobs last as long as their object: reopen() is not overridden")

    def follow(self, redirect: Redirect) -> bytes:
        """Give the bytes that a client finds where it is sent."""
        raise NotImplementedError(f"{type(self).__name__} must override follow(), as {redirect} was answered")

    def _get(self, blobs: Blobs, key: str = KEY) -> bytes | None:
        found = blobs.open(key)
        if isinstance(found, Redirect):
            return self.follow(found)
        if found is None:
            return None
        with found as stream:
            return stream.read()

    # What was written

    def test_what_was_written_and_committed_is_there(self) -> None:
        blobs = self.make_blobs()
        for number, chunks in enumerate(_CHUNKS):
            put(blobs, f"{number:032x}", *chunks)
        for number, chunks in enumerate(_CHUNKS):
            for _ in range(2):
                assert _shown(self._get(blobs, f"{number:032x}")) == _shown(b"".join(chunks)), number

    def test_before_the_commit_nobody_sees_anything(self) -> None:
        blobs = self.make_blobs()
        with blobs.create(KEY) as blob:
            assert self._in_another_thread(lambda: blobs.open(KEY)) is None
            blob.write(b"bytes")
            assert self._in_another_thread(lambda: blobs.open(KEY)) is None
            assert _read_back(blob) == b"bytes"
            assert self._in_another_thread(lambda: blobs.open(KEY)) is None
            blob.commit()
            assert self._in_another_thread(lambda: self._get(blobs)) == b"bytes"
        assert self._get(blobs) == b"bytes"

    def test_whoever_reads_beside_a_commit_gets_all_or_nothing(self) -> None:
        blobs = self.make_blobs()
        data = secrets.token_bytes(300_001)
        for number in range(5):
            key = f"{number:032x}"
            seen: set[object] = set()

            def write(key: str = key) -> None:
                with blobs.create(key) as blob:
                    for start in range(0, len(data), 100_000):
                        blob.write(data[start : start + 100_000])
                    blob.commit()

            def read(key: str = key, seen: set[object] = seen) -> None:
                seen.add(_shown(self._get(blobs, key)))

            self._beside(write, read)
            assert seen - {None} == {_shown(data)}

    def test_two_blobs_that_are_written_in_turns_do_not_mix(self) -> None:
        blobs = self.make_blobs()
        with blobs.create(KEY) as one, blobs.create(OTHER) as other:
            for number in range(3):
                one.write(b"one %d, " % number)
                other.write(b"other %d, " % number)
            assert (_read_back(one), _read_back(other)) == (b"one 0, one 1, one 2, ", b"other 0, other 1, other 2, ")
            other.commit()
            assert blobs.open(KEY) is None
            one.commit()
        assert (self._get(blobs, KEY), self._get(blobs, OTHER)) == (
            b"one 0, one 1, one 2, ",
            b"other 0, other 1, other 2, ",
        )

    # What was not committed

    def test_without_a_commit_there_is_nothing(self) -> None:
        blobs = self.make_blobs()
        for written in _WRITTEN:
            with blobs.create(KEY) as blob:
                blob.write(written)
            assert blobs.open(KEY) is None, len(written)

    def test_after_an_exception_there_is_nothing_and_it_passes_through(self) -> None:
        blobs = self.make_blobs()
        for error in (ValueError("bad form"), OSError("broken pipe"), KeyboardInterrupt(), GeneratorExit()):
            for written in _WRITTEN:
                assert _fails_with(error, blobs, written) is error
                assert blobs.open(KEY) is None, (error, len(written))

    def test_a_key_that_was_given_up_can_be_used(self) -> None:
        blobs = self.make_blobs()
        with blobs.create(KEY) as blob:
            blob.write(b"one, and much longer than the other")
        assert _fails_with(ValueError("bad form"), blobs, b"one more")
        put(blobs, KEY, b"other")
        assert self._get(blobs) == b"other"

    def test_what_was_committed_stays_whatever_comes_then(self) -> None:
        blobs = self.make_blobs()
        error = ValueError("later")
        assert _fails_with(error, blobs, b"bytes", commit=True) is error
        assert self._get(blobs) == b"bytes"

    # Reading

    def test_what_was_written_so_far_is_read_back(self) -> None:
        blobs = self.make_blobs()
        with blobs.create(KEY) as blob:
            assert _read_back(blob) == b""
            blob.write(b"one")
            blob.write(b"two")
            with blob.read_back() as stream:
                assert stream.seekable()
                assert stream.read(2) == b"on"
                assert stream.seek(-3, io.SEEK_END) == 3
                assert stream.read() == b"two"
                assert stream.seek(1) == stream.tell() == 1
                assert stream.read(3) == b"net"
            blob.write(b"three")
            assert _read_back(blob) == _read_back(blob) == b"onetwothree"
            blob.write(b"x" * 1_000_000)
            assert _shown(_read_back(blob)) == _shown(b"onetwothree" + b"x" * 1_000_000)
            blob.commit()
        assert _shown(self._get(blobs)) == _shown(b"onetwothree" + b"x" * 1_000_000)

    def test_a_stream_can_be_sought_and_is_nobody_elses(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"0123456789")
        first, second = blobs.open(KEY), blobs.open(KEY)
        if isinstance(first, Redirect) or isinstance(second, Redirect):
            assert isinstance(first, Redirect) and isinstance(second, Redirect)
            raise SkipTest("this store answers with redirects, which have no stream")
        assert first is not None
        assert second is not None
        with first, second:
            assert first.seekable()
            assert first.seek(5) == 5
            assert first.read(2) == b"56"
            assert second.read(2) == b"01"
            assert first.seek(0, io.SEEK_END) == 10
            assert first.read(1) == b""
            first.seek(0)
            assert first.read() == b"0123456789"
            assert first.read() == b""
        assert first.closed
        assert second.closed

    def test_what_never_was_is_none(self) -> None:
        blobs = self.make_blobs()
        assert blobs.open(KEY) is None
        put(blobs, KEY, b"one")
        assert blobs.open(OTHER) is None

    def test_a_key_is_one_blob(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        assert (self._get(blobs, KEY), self._get(blobs, OTHER)) == (b"one", b"two")

    # Deleting

    def test_what_is_deleted_is_gone_and_nothing_else_is(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        blobs.delete(KEY)
        assert blobs.open(KEY) is None
        assert self._get(blobs, OTHER) == b"two"

    def test_to_delete_what_is_not_there_is_harmless(self) -> None:
        blobs = self.make_blobs()
        blobs.delete(KEY)
        put(blobs, KEY, b"one")
        blobs.delete(KEY)
        blobs.delete(KEY)
        assert blobs.open(KEY) is None

    # Many threads

    def test_many_threads_write_and_delete_at_once(self) -> None:
        blobs = self.make_blobs()
        keys = [f"{number:032x}" for number in range(80)]

        def act(number: int) -> None:
            for count, key in enumerate(keys[number::8]):
                put(blobs, key, key.encode(), b"!")
                assert self._get(blobs, key) == f"{key}!".encode()
                if count % 2:
                    blobs.delete(key)

        self._at_once(act)
        kept = {key: f"{key}!".encode() for number in range(8) for key in keys[number::8][::2]}
        assert {key: self._get(blobs, key) for key in keys} == {key: kept.get(key) for key in keys}

    # What lasts

    def test_what_was_committed_lasts_and_what_was_deleted_stays_away(self) -> None:
        blobs = self.make_blobs()
        put(blobs, KEY, b"one")
        put(blobs, OTHER, b"two")
        blobs.delete(OTHER)
        again = self.reopen(blobs)
        assert (self._get(again, KEY), again.open(OTHER)) == (b"one", None)

    def test_what_one_instance_does_the_other_sees_at_once(self) -> None:
        first = self.make_blobs()
        second = self.reopen(first)
        put(second, KEY, b"one")
        assert self._get(first) == b"one"
        first.delete(KEY)
        assert second.open(KEY) is None

    def test_an_instance_that_begins_disturbs_no_upload_of_another(self) -> None:
        blobs = self.make_blobs()
        with blobs.create(KEY) as blob:
            blob.write(b"by")
            again = self.reopen(blobs)
            assert again.open(KEY) is None
            blob.write(b"tes")
            assert _read_back(blob) == b"bytes"
            blob.commit()
        assert self._get(again) == b"bytes"


_CHUNKS: list[list[bytes]] = [
    [],
    [b""],
    [b"one"],
    [b"one", b"", b"two", b"three"],
    [bytes([number % 256]) for number in range(1000)],
    [secrets.token_bytes(3_000_001), b"end"],
    [b"\r\n", b"\n", b"\r", b"\x1a\0"],
]
_WRITTEN = [b"", b"bytes", b"x" * 1_000_000]


def put(blobs: Blobs, key: str, *chunks: bytes) -> None:
    """Write a blob and commit it."""
    with blobs.create(key) as blob:
        for chunk in chunks:
            blob.write(chunk)
        blob.commit()


def _shown(data: bytes | None) -> object:
    """Give what pytest may show of bytes: where ``CI`` is set, it compares megabytes line by line, for hours."""
    if data is None or len(data) < 100:
        return data
    return f"{len(data)} bytes, {data[:20]!r}…, SHA-256 {hashlib.sha256(data).hexdigest()}"


def _read_back(blob: NewBlob) -> bytes:
    with blob.read_back() as stream:
        return stream.read()


def _fails_with(error: BaseException, blobs: Blobs, written: bytes, *, commit: bool = False) -> BaseException | None:
    """Fail in the middle of a blob, and give what came out of it."""

    def fail() -> None:
        with blobs.create(KEY) as blob:
            blob.write(written)
            if commit:
                blob.commit()
            raise error

    try:
        fail()
    except BaseException as caught:
        return caught
    return None
