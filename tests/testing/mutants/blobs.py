"""Stores of bytes that break one law each, and the test of the suite that must find it."""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Self, TypeAlias, cast

from pypi_registry.testing.contracts.blobs import put
from tests.testing.mutants.racing import Count, Shared
from tests.testing.mutants.wrapping import BlobsWrapper, Override, after, before, returns

W: TypeAlias = BlobsWrapper


def bytes_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


# Storing


def stores(change: Callable[[bytes], bytes | None]) -> Override:
    """Store other bytes than those of the file."""

    def changed(self: W, key: str, file: BinaryIO, **_: Any) -> None:
        data = change(bytes_of(file))
        if data is not None:
            put(self.inner, key, data)

    return {"put": changed}


def from_its_position(self: W, key: str, file: BinaryIO, **_: Any) -> None:
    put(self.inner, key, file.read())


def and_closes_it(self: W, key: str, file: BinaryIO, **more: Any) -> None:
    self.inner.put(key, file, **more)
    file.close()


def needs_a_descriptor(self: W, key: str, file: BinaryIO, **more: Any) -> None:
    file.fileno()
    self.inner.put(key, file, **more)


class StoresInTwoSteps(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.looks = Count()
        self.begun: dict[str, bytes] = {}

    def put(self, key: str, file: BinaryIO, **more: Any) -> None:
        self.begun[key] = bytes_of(file)[:1000]
        self.looks.wait_for(self.looks.value + 1)
        self.inner.put(key, file, **more)
        del self.begun[key]

    def open(self, key: str, **more: Any) -> Any:
        if key in self.begun:
            self.looks.increment()
            return io.BytesIO(self.begun.get(key, b""))
        return self.inner.open(key, **more)


def stores_what_it_could_read(self: W, key: str, file: BinaryIO, **more: Any) -> None:
    try:
        self.inner.put(key, file, **more)
    except BaseException:
        put(self.inner, key, b"")
        raise


def hides_errors(self: W, key: str, file: BinaryIO, **more: Any) -> None:
    try:
        self.inner.put(key, file, **more)
    except BaseException:
        return


# Reading


def opens(change: Callable[[range], range]) -> Override:
    """Return another part than the one asked for."""

    def changed(self: W, key: str, *, size: int, part: range | None = None) -> Any:
        return self.inner.open(key, size=size, part=part if part is None else change(part))

    return {"open": changed}


class _BeyondItsEnd(io.BytesIO):
    def __init__(self, part: bytes, rest: bytes) -> None:
        super().__init__(part)
        self.rest = rest

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data and size != 0:
            data, self.rest = self.rest, b""
        return data


def reads_beyond_the_end(self: W, key: str, *, size: int, part: range | None = None) -> Any:
    with cast(BinaryIO, self.inner.open(key, size=size)) as whole:
        data = whole.read()
    return _BeyondItsEnd(data[part.start : part.stop], data[part.stop :]) if part else io.BytesIO(data)


class SharesStreams(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.streams: dict[str, Any] = {}

    def open(self, key: str, *, size: int, part: range | None = None) -> Any:
        if key not in self.streams:
            self.streams[key] = self.inner.open(key, size=size)
        self.streams[key].seek(part.start if part else 0)
        return self.streams[key]


class KnowsSizes(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.sizes: dict[str, int] = {}

    def put(self, key: str, file: BinaryIO, *, size: int, **more: Any) -> None:
        self.sizes[key] = size
        self.inner.put(key, file, size=size, **more)

    def open(self, key: str, *, size: int, part: range | None = None) -> Any:
        stored = self.sizes.get(key, size)
        return self.inner.open(key, size=stored if self.accepts(stored, size, part) else size, part=part)

    def accepts(self, stored: int, size: int, part: range | None) -> bool:
        return True


def accepts(condition: Callable[[int, int, range | None], bool]) -> type[W]:
    return type("Mutant", (KnowsSizes,), {"accepts": lambda self, *args: condition(*args)})


def one_key(method: str) -> Override:
    return {method: lambda self, key, *args, **more: getattr(self.inner, method)("0" * 32, *args, **more)}


def fails_for_none(self: W, key: str, **more: Any) -> Any:
    found = self.inner.open(key, **more)
    if found is None:
        raise FileNotFoundError(key)
    return found


# Deleting, and many threads


def keys_of(self: W) -> list[str]:
    found = [*self.inner.keys()]
    return [key for key, _, _ in found]


def deletes_all(matches: Callable[[str, str], bool]) -> Override:
    def more(self: W, found: None, key: str) -> None:
        for other in keys_of(self):
            if matches(other, key):
                self.inner.delete(other)

    return after("delete", more)


def must_exist(self: W, key: str) -> None:
    if key not in keys_of(self):
        raise FileNotFoundError(key)


class SharesWhatIsStored(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.data = Shared(threads=8)

    def put(self, key: str, file: BinaryIO, **more: Any) -> None:
        put(self.inner, key, self.data.exchange(bytes_of(file)))


# Optional parts


class _Pipe(io.BytesIO):
    def seek(self, *args: int) -> int:
        raise io.UnsupportedOperation("seek")


class _Kept(io.BytesIO):
    def close(self) -> None:
        pass


class ReturnsOneFile(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.file = _Kept()

    def new_file(self) -> BinaryIO:
        return self.file


class StoresWhatIsClosed(W):
    def new_file(self) -> BinaryIO:
        inner = self.inner

        class Stored(io.BytesIO):
            def close(self) -> None:
                if not self.closed:
                    put(inner, f"{id(self):032x}", self.getvalue())
                super().close()

        return Stored()


class ListsForEver(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.deleted: list[tuple[str, int, datetime]] = []

    def delete(self, key: str) -> None:
        found = [*self.inner.keys()]
        self.deleted += [each for each in found if each[0] == key]
        self.inner.delete(key)

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        yield from self.inner.keys()
        yield from self.deleted


# Durability


class LosesWhatItKnows(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.lost = set(keys_of(self))

    def open(self, key: str, **more: Any) -> Any:
        return None if key in self.lost else self.inner.open(key, **more)


class KnowsItsOwnKeys(W):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.known = set(keys_of(self))

    def put(self, key: str, *args: Any, **more: Any) -> None:
        self.known.add(key)
        self.inner.put(key, *args, **more)

    def open(self, key: str, **more: Any) -> Any:
        return self.inner.open(key, **more) if key in self.known else None


class ClearsNewFiles(W):
    """Takes the files of running uploads for those that a killed process has left."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.files: list[BinaryIO] = []

    def new_file(self) -> BinaryIO:
        self.files.append(self.inner.new_file())
        return self.files[-1]

    def reopened(self) -> Self:
        for file in self.files:
            file.truncate(0)
        return type(self)(self.inner)


# By the test that must find it: what is broken, and the mutant, as a class or as its methods.
Mutant = type[W] | Override
MUTANTS: Mapping[str, Mapping[str, Mutant]] = {
    "test_stored_bytes_are_returned_as_they_were": {
        "no bytes are no blob": stores(lambda data: data or None),
        "bytes are stored as text": stores(lambda data: data.replace(b"\r\n", b"\n")),
        "a long file is cut": stores(lambda data: data[: 1024**2]),
    },
    "test_any_seekable_file_at_any_position_is_stored_whole_and_stays_open": {
        "a file is stored from its position": {"put": from_its_position},
        "a file is closed": {"put": and_closes_it},
        "a file needs a descriptor": {"put": needs_a_descriptor},
    },
    "test_readers_beside_put_see_all_bytes_or_none": {
        "a file is stored in two steps": StoresInTwoSteps,
    },
    "test_if_put_raises_nothing_is_stored": {
        "what could be read is stored": {"put": stores_what_it_could_read},
        "errors are hidden": {"put": hides_errors},
    },
    "test_a_key_has_its_own_bytes": {
        "there is one key": one_key("put") | one_key("open") | one_key("delete"),
    },
    "test_a_key_that_does_not_exist_has_no_bytes": {
        "a missing key has empty bytes": {
            "open": lambda self, key, **more: self.inner.open(key, **more) or io.BytesIO()
        },
        "a missing key is an error": {"open": fails_for_none},
    },
    "test_a_part_is_read_forward_to_its_end": {
        "a part is the whole": {"open": lambda self, key, size, part=None: self.inner.open(key, size=size)},
        "a part includes its end": opens(lambda part: range(part.start, part.stop + 1)),
        "an empty part is the whole": {
            "open": lambda self, key, size, part=None: self.inner.open(key, size=size, part=part or None)
        },
        "a part goes on after its end": {"open": reads_beyond_the_end},
    },
    "test_each_stream_has_its_own_position": {
        "readers share a stream": SharesStreams,
    },
    "test_another_size_than_the_stored_one_raises_storage_unavailable": {
        "the size is not checked": accepts(lambda stored, size, part: True),
        "the size is not checked for parts": accepts(lambda stored, size, part: part is not None),
        "a blob may be longer": accepts(lambda stored, size, part: stored > size),
    },
    "test_deleted_bytes_are_gone_and_others_stay": {
        "nothing is deleted": {"delete": lambda self, key: None},
        "everything is deleted": deletes_all(lambda other, key: True),
    },
    "test_deleting_a_key_that_does_not_exist_is_harmless": {
        "deleting a missing key is an error": before("delete", must_exist),
    },
    "test_many_threads_store_and_delete_at_once": {
        "neighbours are deleted": deletes_all(lambda other, key: other[:31] == key[:31]),
        "threads share what is stored": SharesWhatIsStored,
    },
    "test_a_new_file_is_empty_and_can_be_written_read_and_sought": {
        "a new file cannot be sought": {"new_file": lambda self: _Pipe()},
        "a new file is not empty": {"new_file": lambda self: io.BytesIO(b"old")},
    },
    "test_new_files_are_private": {
        "there is one new file": ReturnsOneFile,
    },
    "test_a_new_file_that_is_closed_without_put_leaves_nothing": {
        "closing a new file stores it": StoresWhatIsClosed,
    },
    "test_every_key_is_listed_with_its_size_and_its_time": {
        "sizes are not listed": returns("keys", lambda self, found: ((key, 0, at) for key, _, at in found)),
        "times have no zone": returns(
            "keys", lambda self, found: ((key, size, at.replace(tzinfo=None)) for key, size, at in found)
        ),
        "a key is not listed": returns("keys", lambda self, found: iter([*found][1:])),
        "deleted keys are listed": ListsForEver,
    },
    "test_stored_bytes_are_there_and_deleted_bytes_are_not_after_a_restart": {
        "nothing is durable": LosesWhatItKnows,
    },
    "test_another_instance_sees_every_change_at_once": {
        "each instance knows its own keys": KnowsItsOwnKeys,
    },
    "test_starting_another_instance_does_not_disturb_an_upload": {
        "a new instance clears new files": ClearsNewFiles,
    },
}
