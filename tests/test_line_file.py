"""Appending lines from many threads and processes, with rotation, forks, and disks that store a part of a line."""

import errno
import json
import multiprocessing
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from pypi_registry import _line_file
from pypi_registry._line_file import LineFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no open file")


def line_of(writer: int, number: int) -> bytes:
    return json.dumps([writer, number, "x" * (number * 37 % 5000)]).encode() + b"\n"


def append_many(path: Path, writer: int, count: int) -> None:
    file = LineFile(path)
    for number in range(count):
        file.append(line_of(writer, number))


def read(*paths: Path) -> list[tuple[int, int]]:
    """Return who wrote each line, and its number; every line must be readable."""
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    return [(writer, number) for writer, number, _ in map(json.loads, lines)]


def test_a_file_is_created_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "log"
    LineFile(path).append(b"a\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_keeps_its_lines_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    path.chmod(0o640)
    file = LineFile(path)
    file.create()
    file.append(b"after\n")
    assert path.read_bytes() == b"before\nafter\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_lines_of_eight_processes_do_not_mix(tmp_path: Path) -> None:
    path, count = tmp_path / "log", 200
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=append_many, args=(path, writer, count)) for writer in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    lines = read(path)
    assert len(lines) == 8 * count
    for each in range(8):
        assert [number for writer, number in lines if writer == each] == [*range(count)]


def test_threads_lose_no_line_while_the_file_is_rotated(tmp_path: Path) -> None:
    path, file, stop = tmp_path / "log", LineFile(tmp_path / "log"), Event()
    counts = dict[int, int]()

    def append(writer: int) -> None:
        number = 0
        while not stop.is_set():
            file.append(line_of(writer, number))
            number += 1
        counts[writer] = number

    threads = [Thread(target=append, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    rotated = [tmp_path / f"log.{number}" for number in range(50)]
    for target in rotated:
        while not path.exists():
            pass
        path.rename(target)
    stop.set()
    for thread in threads:
        thread.join()
    lines = read(*rotated, *([path] if path.exists() else []))
    assert sorted(lines) == [(writer, number) for writer in range(4) for number in range(counts[writer])]


def test_a_line_after_a_fork_goes_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LineFile(path)
    file.append(b"of the parent\n")
    child = multiprocessing.get_context("fork").Process(target=file.append, args=(b"of the child\n",))
    child.start()
    child.join()
    file.append(b"of the parent again\n")
    assert path.read_bytes() == b"of the parent\nof the child\nof the parent again\n"


class FillingDisk:
    """Replaces `os.write`: stores as many bytes of each call as a list has, and reports a full disk for None."""

    def __init__(self, takes: list[int | None], between: Callable[[], object] = lambda: None) -> None:
        self._takes = takes
        self._between = between
        self._write = os.write

    def __call__(self, file: int, data: bytes) -> int:
        if not self._takes:
            return self._write(file, data)
        take = self._takes.pop(0)
        if take is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(file, data[:take])
        self._between()
        return written


def test_a_line_of_which_a_part_was_stored_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    monkeypatch.setattr(os, "write", FillingDisk([3]))
    LineFile(path).append(b"a line\n")
    assert path.read_bytes() == b"a line\n"


@pytest.mark.parametrize("takes", [[3, None], [3, 2], [1, None], [6, None]], ids=str)
def test_what_a_full_disk_stored_of_a_line_becomes_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: list[int | None]
) -> None:
    path, file = tmp_path / "log", LineFile(tmp_path / "log")
    file.append(b"before\n")
    monkeypatch.setattr(os, "write", FillingDisk(takes))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file.append(b"a line\n")
    file.append(b"after\n")
    assert path.read_bytes().split() == [b"before", b"after"]
    assert path.read_bytes().endswith(b"\nafter\n")


def test_a_line_of_another_process_between_the_parts_is_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"

    def append_of_another() -> None:
        with path.open("ab") as other:
            other.write(b"of another\n")

    monkeypatch.setattr(os, "write", FillingDisk([3], append_of_another))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        LineFile(path).append(b"a line\n")
    assert path.read_bytes().split(b"\n") == [b"  ", b"of another", b"   ", b""]


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a disk that is always full")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        LineFile("/dev/full").append(b"a line\n")


def test_the_first_line_after_a_power_cut_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_line_file, "_STILL", 0)
    path = tmp_path / "log"
    path.write_bytes(b"before\nthe beginning of a li")
    LineFile(path).append(b"after\n")
    assert path.read_bytes() == b"before\nthe beginning of a li\nafter\n"


def test_a_line_that_another_process_is_writing_is_not_taken_for_a_cut_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"the beginning of a li")

    def grow(seconds: float) -> None:
        with path.open("ab") as other:
            other.write(b"ne\n")

    monkeypatch.setattr(time, "sleep", grow)
    LineFile(path).append(b"after\n")
    assert path.read_bytes() == b"the beginning of a line\nafter\n"


def test_a_pipe_can_be_the_file() -> None:
    reading, writing = os.pipe()
    try:
        LineFile(f"/dev/fd/{writing}").append(b"a line\n")
        assert os.read(reading, 100) == b"a line\n"
    finally:
        os.close(reading)
        os.close(writing)
