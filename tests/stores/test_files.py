import errno
import io
import itertools
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.storage import Redirect
from pypi_registry.stores import files
from pypi_registry.stores.files import FileBlobs

KEY = "0123456789abcdef" * 2
BAD_KEYS = [
    "",
    "a" * 31,
    "a" * 33,
    "A" * 32,
    "g" * 32,
    "a" * 32 + "\n",
    "a" * 31 + "\n",
    "../" + "a" * 29,
    "a" * 15 + "/" + "a" * 16,
    "a" * 31 + "\0",
    "٠" * 32,
    "incoming",
    "." * 32,
]


def put(blobs: FileBlobs, key: str = KEY, data: bytes = b"bytes") -> None:
    """Store bytes as an upload does: through a new file of the store."""
    with blobs.new_file() as file:
        file.write(data)
        put_file(blobs, key, file, data)


def put_copy(blobs: FileBlobs, key: str = KEY, data: bytes = b"bytes") -> None:
    """Store the bytes of a file that the store did not create."""
    put_file(blobs, key, io.BytesIO(data), data)


def put_file(blobs: FileBlobs, key: str, file: BinaryIO, data: bytes) -> None:
    blobs.put(key, file, size=len(data), sha256=sha256(data).hexdigest(), filename="demo-1.0.tar.gz")


Put = Callable[[FileBlobs, str, bytes], None]
both_ways = pytest.mark.parametrize("put", [put, put_copy], ids=["its own file", "another file"])


def get(blobs: FileBlobs, key: str = KEY, size: int = 5) -> bytes | None:
    stream = opened(blobs, key, size=size)
    if stream is None:
        return None
    with stream:
        return stream.read()


def opened(blobs: FileBlobs, key: str = KEY, *, size: int = 5, part: range | None = None) -> BinaryIO | None:
    stream = blobs.open(key, size=size, part=part)
    assert not isinstance(stream, Redirect)
    return stream


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_folder_is_created_if_it_is_missing(tmp_path: Path) -> None:
    put(FileBlobs(str(tmp_path / "a" / "b")))
    assert get(FileBlobs(tmp_path / "a" / "b")) == b"bytes"


def test_nginx_receives_the_path_of_the_bytes_in_its_location(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    served = FileBlobs(tmp_path, accel="/blobs/").open(KEY, size=5)
    assert served == Redirect(f"/blobs/{KEY[0]}/{KEY}", internal=True)
    assert (tmp_path / served.url.removeprefix("/blobs/")).read_bytes() == b"bytes"
    assert FileBlobs(tmp_path, accel="/blobs/").open("0" * 32, size=5) is None


@pytest.mark.parametrize("accel", ["", "blobs", "/blobs", "blobs/"])
def test_the_path_of_a_location_begins_and_ends_with_a_slash(tmp_path: Path, accel: str) -> None:
    with pytest.raises(ValueError, match="accel= must begin and end with a slash"):
        FileBlobs(tmp_path, accel=accel)


def test_bytes_survive_opening_the_folder_again(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    again = FileBlobs(tmp_path)
    assert get(again) == b"bytes"
    again.delete(KEY)
    assert FileBlobs(tmp_path).open(KEY, size=5) is None


@both_ways
def test_a_blob_is_one_file_and_nothing_else_stays(tmp_path: Path, put: Put) -> None:
    put(FileBlobs(tmp_path), KEY, b"bytes")
    assert files_below(tmp_path) == [tmp_path / KEY[0] / KEY]
    assert (tmp_path / KEY[0] / KEY).read_bytes() == b"bytes"


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_an_invalid_key_touches_no_file(tmp_path: Path, key: str) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    outside = tmp_path / ("a" * 29)
    outside.write_bytes(b"precious")
    acts: list[Callable[[str], object]] = [
        lambda key: blobs.open(key, size=8),
        blobs.delete,
        lambda key: put(blobs, key),
        lambda key: put_copy(blobs, key),
    ]
    for act in acts:
        with pytest.raises(ValueError, match="is not a key"):
            act(key)
    assert files_below(tmp_path) == [outside]


def test_blobs_stay_where_they_are_when_their_process_changes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a daemon changes to the root
    blobs = FileBlobs("here")
    monkeypatch.chdir("/")
    put(blobs, KEY, b"data")
    assert (tmp_path / "here" / "0" / KEY).read_bytes() == b"data"


# New files


def test_a_new_file_is_moved_and_stays_open(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    with blobs.new_file() as file:
        file.write(b"bytes")
        [path] = (tmp_path / "incoming").iterdir()
        before = path.stat().st_ino
        put_file(blobs, KEY, file, b"bytes")
        assert (tmp_path / KEY[0] / KEY).stat().st_ino == before
        file.seek(1)
        assert file.read() == b"ytes"
    assert get(blobs) == b"bytes"


def test_an_open_file_is_copied_where_it_cannot_be_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on Windows.
    blobs, replace = FileBlobs(tmp_path), os.replace
    created: list[Any] = []

    class NewFile(files._NewFile):
        def __init__(self, folder: str, name: str) -> None:
            super().__init__(folder, name)
            created.append(self)

    def replace_closed(source: str, target: str) -> None:
        assert not any(file.raw.name == source for file in created if not file.closed)
        replace(source, target)

    monkeypatch.setattr(files, "_CAN_RENAME_OPEN_FILES", False)
    monkeypatch.setattr(files, "_NewFile", NewFile)
    monkeypatch.setattr(os, "replace", replace_closed)
    with blobs.new_file() as file:
        file.write(b"bytes")
        put_file(blobs, KEY, file, b"bytes")
        assert not file.closed
    assert get(blobs) == b"bytes"
    assert files_below(tmp_path) == [tmp_path / KEY[0] / KEY]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_new_file_that_is_closed_or_dropped_is_deleted(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    for size in (0, 5, 100_000):
        blobs.new_file().write(b"x" * size)  # dropped
        with blobs.new_file() as file:
            file.write(b"x" * size)
            assert len(files_below(tmp_path)) == 1
        file.close()
    assert files_below(tmp_path) == []


def test_a_new_file_can_be_stored_under_two_keys(tmp_path: Path) -> None:
    blobs, other = FileBlobs(tmp_path), "1" * 32
    with blobs.new_file() as file:
        file.write(b"bytes")
        put_file(blobs, KEY, file, b"bytes")
        put_file(blobs, other, file, b"bytes")
    blobs.delete(KEY)
    assert get(blobs, other) == b"bytes"


def test_a_new_file_of_another_folder_is_copied(tmp_path: Path) -> None:
    blobs, others = FileBlobs(tmp_path / "one"), FileBlobs(tmp_path / "other")
    with others.new_file() as file:
        file.write(b"bytes")
        put_file(blobs, KEY, file, b"bytes")
        assert len(files_below(tmp_path / "other")) == 1
    assert files_below(tmp_path) == [tmp_path / "one" / KEY[0] / KEY]


def test_incomplete_files_are_deleted_after_a_day(tmp_path: Path) -> None:
    FileBlobs(tmp_path)
    old, fresh = tmp_path / "incoming" / ("a" * 32), tmp_path / "incoming" / ("b" * 32)
    for path, age in ((old, 25), (fresh, 23)):
        path.write_bytes(b"half")
        then = time.time() - age * 3600
        os.utime(path, (then, then))
    FileBlobs(tmp_path)
    assert files_below(tmp_path) == [fresh]


def test_a_stored_file_is_never_too_old(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    for path in files_below(tmp_path):
        os.utime(path, (0, 0))
    assert get(FileBlobs(tmp_path)) == b"bytes"


def test_another_process_that_opens_the_folder_does_not_disturb_an_upload(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    with blobs.new_file() as file:
        file.write(b"by")
        FileBlobs(tmp_path)
        file.write(b"tes")
        put_file(blobs, KEY, file, b"bytes")
    assert get(FileBlobs(tmp_path)) == b"bytes"


# Reading


def test_a_whole_file_has_a_descriptor_for_sendfile_and_no_buffer(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    put(blobs)
    stream = opened(blobs)
    assert isinstance(stream, io.FileIO)
    with stream:
        assert os.fstat(stream.fileno()).st_size == 5


@pytest.mark.parametrize("part", [None, range(1, 3)], ids=repr)
@pytest.mark.parametrize("size", [0, 4, 6])
def test_bytes_of_another_length_are_not_opened(tmp_path: Path, part: range | None, size: int) -> None:
    blobs = FileBlobs(tmp_path)
    put(blobs)
    with pytest.raises(StorageUnavailable, match=f"5 bytes instead of {size}"):
        blobs.open(KEY, size=size, part=part)


PARTS = [range(10), range(1), range(3, 7), range(9, 10), range(5, 5)]


@pytest.mark.parametrize("part", PARTS, ids=repr)
@pytest.mark.parametrize("block", [1, 2, 100, -1])
def test_a_part_is_read_forward(tmp_path: Path, part: range, block: int) -> None:
    blobs = FileBlobs(tmp_path)
    put(blobs, KEY, b"0123456789")
    stream = opened(blobs, size=10, part=part)
    assert stream is not None
    with stream:
        pieces = [*iter(lambda: stream.read(block), b"")]
    assert b"".join(pieces) == b"0123456789"[part.start : part.stop]
    assert all(len(piece) <= block for piece in pieces if block > 0)
    assert stream.closed


def test_a_part_can_be_sought_and_never_leaves_its_bounds(tmp_path: Path) -> None:
    # As waitress measures it.
    blobs = FileBlobs(tmp_path)
    put(blobs, KEY, b"0123456789")
    stream = opened(blobs, size=10, part=range(2, 6))
    assert stream is not None
    with stream:
        assert stream.seekable()
        assert (stream.tell(), stream.seek(0, os.SEEK_END), stream.tell()) == (0, 4, 4)
        assert stream.read(9) == b""
        assert (stream.seek(1), stream.read(2), stream.tell()) == (1, b"34", 3)
        assert (stream.seek(-1, os.SEEK_CUR), stream.read()) == (2, b"45")
        assert (stream.seek(-9, os.SEEK_CUR), stream.read(1)) == (0, b"2")
        assert (stream.seek(99), stream.read(1)) == (4, b"")


def test_a_part_has_no_descriptor(tmp_path: Path) -> None:
    # A server that uses sendfile would send more than the part.
    blobs = FileBlobs(tmp_path)
    put(blobs)
    stream = opened(blobs, part=range(1, 3))
    assert stream is not None
    with stream:
        assert not hasattr(stream, "fileno")


def test_closing_a_part_closes_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[BinaryIO] = []

    def noting(*args: Any, **options: Any) -> Any:
        streams.append(io.open(*args, **options))  # noqa: SIM115, UP020  # as the store calls it
        return streams[-1]

    blobs = FileBlobs(tmp_path)
    put(blobs)
    monkeypatch.setattr(files, "open", noting, raising=False)
    part = opened(blobs, part=range(1, 3))
    assert part is not None
    part.close()
    part.close()
    with pytest.raises(StorageUnavailable):
        blobs.open(KEY, size=4)
    assert [stream.closed for stream in streams] == [True, True]


@pytest.mark.parametrize("accel", [None, "/blobs/"])
def test_a_disk_that_cannot_be_read_is_not_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accel: str | None
) -> None:
    def broken(*args: object, **options: object) -> Any:
        raise OSError(errno.EIO, "the disk is broken")

    blobs = FileBlobs(tmp_path, accel=accel)
    put(blobs)
    assert blobs.open(KEY.replace("0", "1"), size=5) is None
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", broken)
        patched.setattr(files, "open", broken, raising=False)
        with pytest.raises(StorageUnavailable, match="cannot be read or written"):
            blobs.open(KEY, size=5)


@pytest.mark.parametrize("accel", [None, "/blobs/"])
@pytest.mark.parametrize("part", [None, range(1, 3)])
@pytest.mark.parametrize("stored", [b"", b"byte", b"bytes!"], ids=repr)
def test_a_file_of_another_size_is_not_opened(
    tmp_path: Path, accel: str | None, part: range | None, stored: bytes
) -> None:
    blobs = FileBlobs(tmp_path, accel=accel)
    put(blobs)
    (tmp_path / KEY[0] / KEY).write_bytes(stored)
    with pytest.raises(StorageUnavailable, match=f"the blob {KEY} has {len(stored)} bytes instead of 5"):
        blobs.open(KEY, size=5, part=part)


def test_a_folder_that_is_read_only_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*args: object, **options: object) -> Any:
        raise OSError(errno.EROFS, "read-only", str(tmp_path))

    blobs = FileBlobs(tmp_path)
    put(blobs)
    monkeypatch.setattr(files, "_NewRawFile", read_only)
    monkeypatch.setattr(os, "unlink", read_only)
    for act in (blobs.new_file, lambda: put_copy(blobs), lambda: blobs.delete(KEY)):
        with pytest.raises(StorageUnavailable) as caught:
            act()
        assert str(tmp_path) not in str(caught.value)


def test_keys_have_sizes_and_times_and_other_files_are_not_listed(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    expected = {f"{number:x}" * 32: number for number in range(16)}
    for key, size in expected.items():
        put(blobs, key, b"x" * size)
    (tmp_path / "0" / "README").write_bytes(b"no blob")
    with blobs.new_file() as file:
        file.write(b"half")
        found = [*blobs.keys()]
    assert {key: size for key, size, _ in found} == expected
    assert len(found) == 16
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=1) for _, _, at in found)


def test_a_blob_that_is_deleted_while_keys_are_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FileBlobs(tmp_path)
    for key in ("00" * 16, "01" * 16):
        put(blobs, key)
    keys = blobs.keys()
    gone = {"00" * 16, "01" * 16} - {next(keys)[0]}
    blobs.delete(*gone)
    assert [*keys] == []


# Durability, and errors of the disk


@both_ways
def test_bytes_and_names_are_on_the_disk_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Put
) -> None:
    happened: list[str] = []
    sync, replace = os.fsync, os.replace

    def noting_sync(descriptor: int) -> None:
        there = [tmp_path, tmp_path.parent, *tmp_path.rglob("*")]
        (path,) = (path for path in there if os.path.samestat(os.fstat(descriptor), path.stat()))
        below = os.path.relpath(path, tmp_path)
        happened.append(f"sync {below.partition(os.sep)[0]}")
        if path.is_file():
            assert path.read_bytes() == b"bytes"
        sync(descriptor)

    def noting_replace(source: str, target: str) -> None:
        happened.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "replace", noting_replace)
    blobs = FileBlobs(tmp_path)
    assert happened == ["sync ..", "sync ."]  # its own name, and those of its folders
    happened.clear()
    put(blobs, KEY, b"bytes")
    assert happened == ["sync incoming", "replace", "sync 0"]


def fill_disk(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let every write of a new file fail."""

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(number, "no room")

    class NewRawFile(files._NewRawFile, Full):
        pass

    monkeypatch.setattr(files, "_NewRawFile", NewRawFile)


@both_ways
@pytest.mark.parametrize("size", [1, 1_000_000], ids=["from a buffer", "at once"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_raises_storage_full_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, number: int, put: Put
) -> None:
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        fill_disk(patched, number)
        with pytest.raises(StorageFull):
            put(blobs, KEY, b"x" * size)
    assert files_below(tmp_path) == []
    put(blobs, KEY, b"x" * size)
    assert get(blobs, size=size) == b"x" * size


def test_writing_and_flushing_a_new_file_raise_storage_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FileBlobs(tmp_path)
    fill_disk(monkeypatch, errno.ENOSPC)
    with blobs.new_file() as file, pytest.raises(StorageFull):
        file.write(b"x" * 1_000_000)
    with blobs.new_file() as file:
        file.write(b"x")
        with pytest.raises(StorageFull):
            file.flush()
    assert files_below(tmp_path) == []


def test_a_disk_without_room_for_a_name_raises_storage_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(path: str, mode: str) -> Any:
        raise OSError(errno.ENOSPC, "no room for a name")

    blobs = FileBlobs(tmp_path)
    monkeypatch.setattr(files, "_NewRawFile", no_room)
    with pytest.raises(StorageFull):
        blobs.new_file()
    with pytest.raises(StorageFull):
        put_copy(blobs)


@both_ways
def test_any_other_error_of_the_disk_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Put) -> None:
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        fill_disk(patched, errno.EPIPE)
        with pytest.raises(OSError, match="no room") as caught:
            put(blobs, KEY, b"bytes")
    assert caught.value.errno == errno.EPIPE
    assert files_below(tmp_path) == []


@both_ways
@pytest.mark.parametrize("failing", [1, 2], ids=["syncing the bytes", "syncing the name"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable)], ids=["full", "broken"]
)
def test_a_put_that_fails_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, number: int, error: type[Exception], put: Put
) -> None:
    blobs = FileBlobs(tmp_path)
    calls = itertools.count(1)

    def failing_sync(descriptor: int) -> None:
        if next(calls) == failing:
            raise OSError(number, "the disk is broken")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing_sync)
        with pytest.raises(error):
            put(blobs, KEY, b"bytes")
    assert next(calls) == failing + 1
    assert files_below(tmp_path) == []


@both_ways
def test_a_move_that_fails_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Put) -> None:
    def no_replace(source: str, target: str) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", no_replace)
        with pytest.raises(StorageUnavailable):
            put(blobs, KEY, b"bytes")
    assert files_below(tmp_path) == []


def test_a_source_that_cannot_be_read_stores_nothing(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    blobs = FileBlobs(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        put_file(blobs, KEY, Broken(b"bytes"), b"bytes")
    assert files_below(tmp_path) == []


def test_a_large_file_is_copied_whole(tmp_path: Path) -> None:
    blobs, data = FileBlobs(tmp_path), secrets.token_bytes(3_000_001)
    file = io.BytesIO(data)
    file.seek(5)  # put() accepts any position
    put_file(blobs, KEY, file, data)
    assert not file.closed
    assert (tmp_path / "0" / KEY).read_bytes() == data


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system decides alone when it writes")
def test_the_disk_begins_to_write_a_large_file_while_it_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def noting(descriptor: int, offset: int, length: int, advice: int) -> None:
        assert os.fstat(descriptor).st_size == offset + length  # nothing of it is in the buffer of this process
        begun.append((offset, length))
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noting)
    blobs, data = FileBlobs(tmp_path), secrets.token_bytes(1024**2)
    put(blobs, KEY, data)
    assert begun == []
    with blobs.new_file() as file:
        for _ in range(10):
            file.write(data)
        put_file(blobs, KEY, file, data * 10)
    assert begun == [(0, 4 * 1024**2), (4 * 1024**2, 4 * 1024**2)]
    assert (tmp_path / "0" / KEY).read_bytes() == data * 10


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system decides alone when it writes")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ESPIPE], ids=errno.errorcode.get)
def test_a_file_system_without_advice_stores_large_files(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fadvise", refusing)
    blobs, data = FileBlobs(tmp_path), secrets.token_bytes(10 * 1024**2)
    put(blobs, KEY, data)
    assert (tmp_path / "0" / KEY).read_bytes() == data
