import errno
import io
import itertools
import os
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.errors import StorageFull
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


def put(blobs: FileBlobs, key: str = KEY, *chunks: bytes) -> None:
    with blobs.create(key) as blob:
        for chunk in chunks or [b"bytes"]:
            blob.write(chunk)
        blob.commit()


def get(blobs: FileBlobs, key: str = KEY) -> bytes | None:
    stream = blobs.open(key)
    if stream is None:
        return None
    assert not isinstance(stream, Redirect)
    with stream:
        return stream.read()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_folder_is_made_if_it_is_missing(tmp_path: Path) -> None:
    put(FileBlobs(str(tmp_path / "a" / "b")))
    assert get(FileBlobs(tmp_path / "a" / "b")) == b"bytes"


def test_nginx_is_told_where_in_its_location_the_bytes_lie(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    served = FileBlobs(tmp_path, accel="/blobs/").open(KEY)
    assert served == Redirect(f"/blobs/{KEY[0]}/{KEY}", internal=True)
    assert (tmp_path / served.url.removeprefix("/blobs/")).read_bytes() == b"bytes"
    assert FileBlobs(tmp_path, accel="/blobs/").open("0" * 32) is None


@pytest.mark.parametrize("accel", ["", "blobs", "/blobs", "blobs/"])
def test_the_address_of_a_location_begins_and_ends_with_a_slash(tmp_path: Path, accel: str) -> None:
    with pytest.raises(ValueError, match="accel= must begin and end with a slash"):
        FileBlobs(tmp_path, accel=accel)


def test_bytes_survive_opening_the_folder_again(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    again = FileBlobs(tmp_path)
    assert get(again) == b"bytes"
    again.delete(KEY)
    assert FileBlobs(tmp_path).open(KEY) is None


def test_a_blob_is_one_file_and_nothing_else_stays(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    (path,) = files_below(tmp_path)
    assert path.read_bytes() == b"bytes"
    assert path.name == KEY


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_what_is_no_key_touches_no_file(tmp_path: Path, key: str) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    outside = tmp_path / ("a" * 29)
    outside.write_bytes(b"precious")
    for act in (blobs.open, blobs.delete, lambda key: put(blobs, key)):
        with pytest.raises(ValueError, match="is not a key"):
            act(key)
    assert files_below(tmp_path) == [outside]


def test_what_was_left_half_written_is_removed_after_a_day(tmp_path: Path) -> None:
    FileBlobs(tmp_path)
    old, fresh = tmp_path / "incoming" / ("a" * 32), tmp_path / "incoming" / ("b" * 32)
    for path, age in ((old, 25), (fresh, 23)):
        path.write_bytes(b"half")
        then = time.time() - age * 3600
        os.utime(path, (then, then))
    FileBlobs(tmp_path)
    assert files_below(tmp_path) == [fresh]


def test_what_is_committed_is_never_too_old(tmp_path: Path) -> None:
    put(FileBlobs(tmp_path))
    for path in files_below(tmp_path):
        os.utime(path, (0, 0))
    assert get(FileBlobs(tmp_path)) == b"bytes"


def test_another_process_that_opens_the_folder_disturbs_no_upload(tmp_path: Path) -> None:
    with FileBlobs(tmp_path).create(KEY) as blob:
        blob.write(b"by")
        FileBlobs(tmp_path)
        blob.write(b"tes")
        blob.commit()
    assert get(FileBlobs(tmp_path)) == b"bytes"


def test_bytes_and_names_are_on_the_disk_before_a_commit_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    sync, replace = os.fsync, os.replace

    def noting_sync(descriptor: int) -> None:
        there = [tmp_path, *tmp_path.rglob("*")]
        (path,) = (path for path in there if os.path.samestat(os.fstat(descriptor), path.stat()))
        happened.append(f"sync {path.relative_to(tmp_path).as_posix()}")
        sync(descriptor)

    def noting_replace(source: str, target: str) -> None:
        happened.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "replace", noting_replace)
    blobs = FileBlobs(tmp_path)
    assert happened == ["sync ."]  # the names of its folders
    happened.clear()
    put(blobs)
    assert happened == [f"sync incoming/{KEY}", "replace", "sync 0"]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system writes when it likes")
def test_the_disk_begins_to_write_a_file_while_it_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def noting(descriptor: int, offset: int, length: int, advice: int) -> None:
        assert os.fstat(descriptor).st_size == offset + length  # nothing of it is in the buffer of this process
        begun.append((offset, length))
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noting)
    blobs, data = FileBlobs(tmp_path), secrets.token_bytes(1024**2)
    put(blobs, KEY, *[data] * 10)
    assert begun == [(0, 1024**2), (1024**2, 4 * 1024**2), (5 * 1024**2, 4 * 1024**2)]
    stream = blobs.open(KEY)
    assert isinstance(stream, io.FileIO)
    with stream:
        assert stream.read() == data * 10


def test_blobs_stay_where_they_are_when_their_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a daemon goes to the root
    blobs = FileBlobs("here")
    monkeypatch.chdir("/")
    put(blobs, KEY, b"data")
    assert (tmp_path / "here" / "0" / KEY).read_bytes() == b"data"


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system writes when it likes")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ESPIPE], ids=errno.errorcode.get)
def test_a_file_system_that_takes_no_advice_takes_large_files(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fadvise", refusing)
    blobs, data = FileBlobs(tmp_path), secrets.token_bytes(1024**2)
    put(blobs, KEY, *[data] * 10)
    assert (tmp_path / "0" / KEY).read_bytes() == data * 10


@pytest.mark.parametrize("accel", [None, "/blobs/"])
def test_a_disk_that_cannot_be_read_is_no_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accel: str | None
) -> None:
    def broken(*args: object, **options: object) -> Any:
        raise OSError(errno.EIO, "the disk gives up")

    blobs = FileBlobs(tmp_path, accel=accel)
    put(blobs)
    assert blobs.open(KEY.replace("0", "1")) is None
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", broken)
        patched.setattr(files, "open", broken, raising=False)
        with pytest.raises(OSError, match="gives up"):
            blobs.open(KEY)


class FullDisk(io.FileIO):
    """A file on a disk that has no room left."""

    number = errno.ENOSPC

    def write(self, data: Any) -> int:
        raise OSError(self.number, "no room")


def on_a_full_disk(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(FullDisk, "number", number)

    def opened(path: str, mode: str) -> io.BufferedWriter:
        return io.BufferedWriter(FullDisk(path, mode))

    monkeypatch.setattr(files, "open", opened, raising=False)


@pytest.mark.parametrize("data", [b"x", b"x" * 1_000_000], ids=["on committing", "on writing"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, number: int
) -> None:
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        on_a_full_disk(patched, number)
        with pytest.raises(StorageFull):
            put(blobs, KEY, data)
    assert files_below(tmp_path) == []
    put(blobs, KEY, data)
    assert get(blobs) == data


def test_a_disk_without_room_for_a_file_is_full_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(path: str, mode: str) -> Any:
        raise OSError(errno.ENOSPC, "no room for a name")

    blobs = FileBlobs(tmp_path)
    monkeypatch.setattr(files, "open", no_room, raising=False)
    with pytest.raises(StorageFull), blobs.create(KEY):
        pass


def test_any_other_error_of_the_disk_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        on_a_full_disk(patched, errno.EIO)
        with pytest.raises(OSError, match="no room") as caught:
            put(blobs)
    assert caught.value.errno == errno.EIO
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("failing", [1, 2], ids=["syncing the bytes", "syncing the name"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, OSError)], ids=["full", "broken"]
)
def test_a_commit_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, number: int, error: type[Exception]
) -> None:
    blobs = FileBlobs(tmp_path)
    calls = itertools.count(1)

    def failing_sync(descriptor: int) -> None:
        if next(calls) == failing:
            raise OSError(number, "the disk gives up")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing_sync)
        with pytest.raises(error):
            put(blobs)
    assert next(calls) == failing + 1
    assert files_below(tmp_path) == []


def test_a_move_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_replace(source: str, target: str) -> None:
        raise OSError(errno.EIO, "the disk gives up")

    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", no_replace)
        with pytest.raises(OSError, match="gives up"):
            put(blobs)
    assert files_below(tmp_path) == []
