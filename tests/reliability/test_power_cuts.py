"""A power cut at any moment: the promises hold for whatever part of the unflushed writes the disk has kept."""

import os
import random
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from tests.reliability import recording
from tests.reliability.disk import Disk
from tests.reliability.power_cuts import ALL, replay
from tests.reliability.recording import Mark, SystemCall

ROOT = Path("/parent/data")


@pytest.fixture(scope="module")
def strace() -> None:
    """Skip where no process may be traced."""
    if shutil.which("strace") is None or subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode:
        pytest.skip("strace is missing, or may not trace processes here")


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
def test_every_promise_holds_after_a_power_cut_at_many_moments(tmp_path: Path) -> None:
    counts = replay(tmp_path, samples=1, every=4)
    print(counts)
    assert counts.states > 100


@pytest.mark.long
@pytest.mark.usefixtures("strace")
def test_every_promise_holds_after_a_power_cut_at_every_moment(tmp_path: Path) -> None:
    counts = replay(tmp_path, samples=ALL)
    print(counts)
    assert counts.states > 1000


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("flush", ["fsync", pytest.param("fdatasync", marks=pytest.mark.long)])
def test_the_replay_finds_a_flush_that_is_missing(tmp_path: Path, flush: str) -> None:
    calls = recording.parse

    def without_flush(log: Path) -> list[SystemCall | Mark]:
        return [call for call in calls(log) if isinstance(call, Mark) or call.name != flush]

    with mock.patch("tests.reliability.power_cuts.parse", without_flush), pytest.raises(Exception) as caught:
        replay(tmp_path, samples=1)
    assert "power cut after call" in caught.value.__notes__[0]


# The model of the disk


def states(*calls: SystemCall, folder: Path, samples: int = 0) -> list[dict[str, bytes]]:
    """Return the files that a disk may have after some calls, by path below the parent."""
    disk = Disk.replay(ROOT, calls)
    found = []
    for number, effects in enumerate(disk.kept(disk.moments[-1], random.Random(1), samples)):
        written = folder / str(number)
        written.mkdir()
        disk.write(effects, written)
        found.append(
            {str(path.relative_to(written)): path.read_bytes() for path in written.rglob("*") if path.is_file()}
        )
    return found


def opened(path: str, flags: str, descriptor: int) -> SystemCall:
    return SystemCall("openat", ("AT_FDCWD", path.encode(), flags), descriptor)


def written(descriptor: int, data: bytes) -> SystemCall:
    return SystemCall("write", (str(descriptor), data, str(len(data))), len(data))


def call(name: str, *arguments: "str | bytes") -> SystemCall:
    return SystemCall(name, arguments, 0)


NEW = [opened("/parent/a", "O_RDWR|O_CREAT", 3), written(3, b"data")]
FOLDER = [opened("/parent", "O_RDONLY", 4), call("fsync", "4")]
RENAMED = call("rename", b"/parent/a", b"/parent/b")


@pytest.mark.parametrize(
    ("calls", "possible"),
    [
        (NEW, [{"a": b"data"}, {}]),
        ([*NEW, *FOLDER], [{"a": b"data"}, {"a": b""}]),
        ([*NEW, call("fsync", "3")], [{"a": b"data"}, {}]),
        ([*NEW, call("fdatasync", "3"), *FOLDER], [{"a": b"data"}]),
        ([*NEW, call("fsync", "3"), *FOLDER, RENAMED], [{"b": b"data"}, {"a": b"data"}]),
        ([*NEW, *FOLDER, RENAMED, *FOLDER], [{"b": b"data"}, {"b": b""}]),
        ([*NEW, call("fsync", "3"), *FOLDER, call("unlink", b"/parent/a")], [{}, {"a": b"data"}]),
        ([*NEW, call("ftruncate", "3", "2"), call("fsync", "3"), *FOLDER], [{"a": b"da"}]),
    ],
)
def test_the_disk_keeps_what_was_flushed_and_may_lose_the_rest(
    calls: list[SystemCall], possible: list[dict[str, bytes]], tmp_path: Path
) -> None:
    assert states(*calls, folder=tmp_path) == possible


def test_any_part_of_the_unflushed_writes_may_be_lost_alone(tmp_path: Path) -> None:
    calls = [opened("/parent/a", "O_RDWR|O_CREAT", 3), *FOLDER, written(3, b"one"), written(3, b"two")]
    found = states(*calls, folder=tmp_path, samples=-1)
    assert {b"", b"one", b"\0\0\0two", b"onetwo"} <= {state["a"] for state in found}
