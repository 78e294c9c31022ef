"""Stores of bytes that break one thing each, and the test of the suite that finds it."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import local
from typing import Any, BinaryIO, ClassVar

from pypi_registry.storage import Blobs, NewBlob
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, _NewMemoryBlob
from tests.testing.mutants.racing import Count, Meeting

Make = Callable[[Path], Blobs]


def mutant(**methods: Any) -> Make:
    """Make a store in memory of which these methods are others."""
    kind = type("Mutant", (MemoryBlobs,), methods)
    return lambda path: kind()


def writes(new_blob: Callable[[dict[str, bytes], str], NewBlob]) -> Make:
    """Make a store whose new blobs are others."""

    @contextmanager
    def create(self: Any, key: str) -> Iterator[NewBlob]:
        yield new_blob(self._blobs, key)

    return mutant(create=create)


class ShowsWhatIsWritten(_NewMemoryBlob):
    def write(self, data: bytes) -> None:
        super().write(data)
        self.commit()


class KeepsNoEmptyBlobs(_NewMemoryBlob):
    def commit(self) -> None:
        if self._data:
            super().commit()


class TakesBytesForText(_NewMemoryBlob):
    def write(self, data: bytes) -> None:
        super().write(data.replace(b"\r\n", b"\n"))


class WritesAtMostAMegabyte(_NewMemoryBlob):
    """As a raw file may, which says how much of what it was given it has written."""

    def write(self, data: bytes) -> None:
        super().write(data[: 1024**2])


class ReadsBackWhatWasFlushed(_NewMemoryBlob):
    def read_back(self) -> BinaryIO:
        return io.BytesIO(self._data[: len(self._data) // 4096 * 4096])


class _Shared(io.BytesIO):
    def close(self) -> None:
        pass


class ReadsBackFromWhereItWrites(_NewMemoryBlob):
    """Reads and writes through one stream with one position, and begins nothing anew."""

    def __init__(self, blobs: dict[str, bytes], key: str) -> None:
        super().__init__(blobs, key)
        self._stream = _Shared()

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def read_back(self) -> BinaryIO:
        self._stream.seek(0)
        return self._stream

    def commit(self) -> None:
        self._blobs[self._key] = self._stream.getvalue()


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *args: int) -> int:
        raise io.UnsupportedOperation("seek")


class ReadsBackThroughAPipe(_NewMemoryBlob):
    def read_back(self) -> BinaryIO:
        return _Pipe(self._data)


class CommitsInTwoSteps(MemoryBlobs):
    """Has the beginning of a blob in its place before the rest, and goes on when somebody has seen it."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = Count()

    @contextmanager
    def create(self, key: str) -> Iterator[_NewMemoryBlob]:
        looks = self.looks

        class New(_NewMemoryBlob):
            def commit(self) -> None:
                self._blobs[self._key] = bytes(self._data[:1000])
                looks.wait_for(looks.value + 1)
                super().commit()

        yield New(self._blobs, key)

    def open(self, key: str) -> BinaryIO | None:
        found = super().open(key)
        if found is not None:
            self.looks.one_more()
        return found


class _Late(_NewMemoryBlob):
    committed = False

    def commit(self) -> None:
        self.committed = True


@contextmanager
def _commits_when_it_is_left(self: Any, key: str) -> Iterator[NewBlob]:
    blob = _Late(self._blobs, key)
    yield blob
    if blob.committed:
        _NewMemoryBlob.commit(blob)


@contextmanager
def _commits_whatever_happens(self: Any, key: str) -> Iterator[NewBlob]:
    blob = _NewMemoryBlob(self._blobs, key)
    try:
        yield blob
    finally:
        blob.commit()


@contextmanager
def _commits_if_nothing_happens(self: Any, key: str) -> Iterator[NewBlob]:
    blob = _NewMemoryBlob(self._blobs, key)
    yield blob
    blob.commit()


@contextmanager
def _commits_what_was_cut_off(self: Any, key: str) -> Iterator[NewBlob]:
    blob = _NewMemoryBlob(self._blobs, key)
    try:
        yield blob
    except Exception:
        blob.commit()
        raise


@contextmanager
def _hides_what_happened(self: Any, key: str) -> Iterator[NewBlob]:
    with suppress(Exception):
        yield _NewMemoryBlob(self._blobs, key)


@contextmanager
def _says_what_happened_in_its_own_words(self: Any, key: str) -> Iterator[NewBlob]:
    try:
        yield _NewMemoryBlob(self._blobs, key)
    except Exception as error:
        raise RuntimeError("the blob was not written") from error


@contextmanager
def _takes_back_what_was_committed(self: Any, key: str) -> Iterator[NewBlob]:
    try:
        yield _NewMemoryBlob(self._blobs, key)
    except BaseException:
        self.delete(key)
        raise


class LeavesAHalf(MemoryBlobs):
    """Has a place for half a blob, which it clears when the blob is committed."""

    def __init__(self) -> None:
        super().__init__()
        self._incoming: set[str] = set()

    @contextmanager
    def create(self, key: str) -> Iterator[_NewMemoryBlob]:
        if key in self._incoming:
            raise FileExistsError(key)
        self._incoming.add(key)
        yield _NewMemoryBlob(self._blobs, key)
        self._incoming.remove(key)


class WritesToTheBlobThatBeganLast(MemoryBlobs):
    """Keeps for all threads in one place which blob is being written."""

    def __init__(self) -> None:
        super().__init__()
        self._meeting = Meeting(threads=8)
        self.data = bytearray()

    @contextmanager
    def create(self, key: str) -> Iterator[_NewMemoryBlob]:
        store = self

        class New(_NewMemoryBlob):
            def write(self, data: bytes) -> None:
                store.data += data

        blob = New(self._blobs, key)
        self.data = blob._data
        self._meeting.wait()
        yield blob


class WritesOneBlobAThread(MemoryBlobs):
    """Keeps for each thread which blob is being written."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = local()

    @contextmanager
    def create(self, key: str) -> Iterator[_NewMemoryBlob]:
        writing = self._writing

        class New(_NewMemoryBlob):
            def write(self, data: bytes) -> None:
                writing.data += data

        blob = New(self._blobs, key)
        writing.data = blob._data
        yield blob


class SharesItsStreams(MemoryBlobs):
    def __init__(self) -> None:
        super().__init__()
        self._streams: dict[str, BinaryIO] = {}

    def open(self, key: str) -> BinaryIO | None:
        stream = self._streams.get(key)
        if stream is None or stream.closed:
            stream = super().open(key)
            if stream is not None:
                self._streams[key] = stream
        return stream


def _through_a_pipe(self: Any, key: str) -> BinaryIO | None:
    data = self._blobs.get(key)
    return None if data is None else _Pipe(data)


def _empty_if_there_is_none(self: Any, key: str) -> BinaryIO:
    return io.BytesIO(self._blobs.get(key, b""))


def _fails_if_there_is_none(self: Any, key: str) -> BinaryIO:
    return io.BytesIO(self._blobs[key])


def _deletes_what_must_be_there(self: Any, key: str) -> None:
    del self._blobs[key]


def _deletes_its_folder(self: Any, key: str) -> None:
    for other in [other for other in self._blobs if other[0] == key[0]]:
        del self._blobs[other]


class ClearsWhatOthersWrite(FileBlobs):
    """Takes whatever is half written for what a killed process has left."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for left in (path / "incoming").iterdir():
            left.unlink()


class KnowsWhatItHasWritten(FileBlobs):
    """Lists the keys when it begins, and adds to the list what it writes itself."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._keys = {file.name for file in path.glob("??/*")}

    @contextmanager
    def create(self, key: str) -> Iterator[Any]:
        with super().create(key) as blob:
            yield blob
        self._keys.add(key)

    def open(self, key: str) -> Any:
        return super().open(key) if key in self._keys else None


class EachHasAFolderOfItsOwn(FileBlobs):
    opened: ClassVar[int] = 0

    def __init__(self, path: Path) -> None:
        EachHasAFolderOfItsOwn.opened += 1
        super().__init__(path / f"{self.opened}")


# What is broken: the store, and the test that finds it.
MUTANTS: dict[str, tuple[Make, str]] = {
    "what is written is seen": (writes(ShowsWhatIsWritten), "test_before_the_commit_nobody_sees_anything"),
    "what is committed is seen later": (
        mutant(create=_commits_when_it_is_left),
        "test_before_the_commit_nobody_sees_anything",
    ),
    "a commit has two steps": (
        lambda path: CommitsInTwoSteps(),
        "test_whoever_reads_beside_a_commit_gets_all_or_nothing",
    ),
    "an empty blob is none": (writes(KeepsNoEmptyBlobs), "test_what_was_written_and_committed_is_there"),
    "bytes are taken for text": (writes(TakesBytesForText), "test_what_was_written_and_committed_is_there"),
    "a long write is cut": (writes(WritesAtMostAMegabyte), "test_what_was_written_and_committed_is_there"),
    "leaving commits": (mutant(create=_commits_if_nothing_happens), "test_without_a_commit_there_is_nothing"),
    "leaving commits, whatever happens": (
        mutant(create=_commits_whatever_happens),
        "test_after_an_exception_there_is_nothing_and_it_passes_through",
    ),
    "an exception commits": (
        mutant(create=_commits_what_was_cut_off),
        "test_after_an_exception_there_is_nothing_and_it_passes_through",
    ),
    "an exception is hidden": (
        mutant(create=_hides_what_happened),
        "test_after_an_exception_there_is_nothing_and_it_passes_through",
    ),
    "an exception becomes another": (
        mutant(create=_says_what_happened_in_its_own_words),
        "test_after_an_exception_there_is_nothing_and_it_passes_through",
    ),
    "a key that was given up stays taken": (lambda path: LeavesAHalf(), "test_a_key_that_was_given_up_can_be_used"),
    "what was committed is taken back": (
        mutant(create=_takes_back_what_was_committed),
        "test_what_was_committed_stays_whatever_comes_then",
    ),
    "what is in a buffer is not read back": (
        writes(ReadsBackWhatWasFlushed),
        "test_what_was_written_so_far_is_read_back",
    ),
    "reading back moves the end": (writes(ReadsBackFromWhereItWrites), "test_what_was_written_so_far_is_read_back"),
    "what is read back cannot be sought": (
        writes(ReadsBackThroughAPipe),
        "test_what_was_written_so_far_is_read_back",
    ),
    "what is opened cannot be sought": (
        mutant(open=_through_a_pipe),
        "test_a_stream_can_be_sought_and_is_nobody_elses",
    ),
    "a thread writes one blob": (
        lambda path: WritesOneBlobAThread(),
        "test_two_blobs_that_are_written_in_turns_do_not_mix",
    ),
    "readers share a stream": (lambda path: SharesItsStreams(), "test_a_stream_can_be_sought_and_is_nobody_elses"),
    "what never was is empty": (mutant(open=_empty_if_there_is_none), "test_what_never_was_is_none"),
    "what never was is an error": (mutant(open=_fails_if_there_is_none), "test_what_never_was_is_none"),
    "keys are cut": (
        mutant(
            create=lambda self, key: MemoryBlobs.create(self, key[:0]),
            open=lambda self, key: MemoryBlobs.open(self, key[:0]),
            delete=lambda self, key: MemoryBlobs.delete(self, key[:0]),
        ),
        "test_a_key_is_one_blob",
    ),
    "nothing is deleted": (
        mutant(delete=lambda self, key: None),
        "test_what_is_deleted_is_gone_and_nothing_else_is",
    ),
    "others are deleted, too": (
        mutant(delete=lambda self, key: self._blobs.clear()),
        "test_what_is_deleted_is_gone_and_nothing_else_is",
    ),
    "what is gone cannot be deleted": (
        mutant(delete=_deletes_what_must_be_there),
        "test_to_delete_what_is_not_there_is_harmless",
    ),
    "what lies beside it is deleted, too": (
        mutant(delete=_deletes_its_folder),
        "test_many_threads_write_and_delete_at_once",
    ),
    "threads share what is being written": (
        lambda path: WritesToTheBlobThatBeganLast(),
        "test_many_threads_write_and_delete_at_once",
    ),
    "nothing lasts": (
        lambda path: EachHasAFolderOfItsOwn(path),
        "test_what_was_committed_lasts_and_what_was_deleted_stays_away",
    ),
    "each instance knows its own blobs": (
        lambda path: KnowsWhatItHasWritten(path),
        "test_what_one_instance_does_the_other_sees_at_once",
    ),
    "a new instance clears what others write": (
        lambda path: ClearsWhatOthersWrite(path),
        "test_an_instance_that_begins_disturbs_no_upload_of_another",
    ),
}
