"""Records what a registry asks of the disk: each write, flush, rename and delete, in order, with marks between them.

``strace`` records the calls of a process of its own (`record`); the process runs `CHANGES` (`main`).
"""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pypi_registry._cli.data_folder import DataFolder
from tests.reliability.changes import CHANGES, Client, Stored

CALLS = (
    "openat,close,read,lseek,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,dup,dup2,dup3,copy_file_range,sendfile"
)
CHECKPOINTS = (4, 8)
"""Before these changes another program moves the write-ahead log into the database, as SQLite does now and then."""

_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_STANDARD_OUTPUT = "1"
_ARGUMENT = re.compile(r'"(?:\\x[0-9a-f]{2})*"|[^,"]+')


@dataclass(frozen=True)
class SystemCall:
    """A call of the system that succeeded; strings are bytes."""

    name: str
    arguments: tuple[bytes | str, ...]
    result: int

    def data(self, position: int) -> bytes:
        """Return an argument that is a string of bytes."""
        value = self.arguments[position]
        assert isinstance(value, bytes), self
        return value

    def path(self, position: int) -> str:
        return self.data(position).decode()

    def number(self, position: int) -> int:
        return int(self.arguments[position])


@dataclass(frozen=True)
class Mark:
    """A moment of the run: a change begins, or is acknowledged."""

    text: str


def record(folder: Path, log: Path) -> None:
    """Run `CHANGES` in a process of its own with its data in `folder`, which does not exist, and write `log`.

    :raises CalledProcessError: if that fails.
    """
    command = ["strace", "-o", str(log), "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-e", "signal=none"]
    subprocess.run(
        [*command, sys.executable, "-m", "tests.reliability.recording", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def parse(log: Path) -> Iterator[SystemCall | Mark]:
    """Return what happened between the first mark and the last one."""
    started = False
    with log.open(encoding="ascii") as lines:
        for line in lines:
            found = _CALL.match(line)
            if found is None or int(found["result"]) < 0:
                continue
            texts = [text.strip() for text in _ARGUMENT.findall(found["arguments"])]
            call = SystemCall(found["name"], tuple(map(_value, filter(None, texts))), int(found["result"]))
            if call.name == "write" and call.arguments[0] == _STANDARD_OUTPUT:
                started = True
                yield Mark(call.data(1).decode().strip())
            elif started:
                yield call


def _value(text: str) -> bytes | str:
    return bytes.fromhex(text[1:-1].replace("\\x", "")) if text.startswith('"') else text


def main(folder: Path) -> None:
    """Start as ``serve`` does, run every change, and mark each moment by one write to the standard output."""
    _mark("start")
    data = DataFolder(folder)
    data.prepare()
    stored = Stored.open(folder)
    data.first_config()
    _mark("started")
    client = Client(stored.registry)
    for number, change in enumerate(CHANGES):
        if number in CHECKPOINTS:
            other = sqlite3.connect(data.catalogue)
            assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
            other.close()
        request = change.prepare(client)
        _mark(f"begin {number}")
        assert request().status_int == change.done
        _mark(f"acknowledged {number}")
    stored.close()
    _mark("end")


def _mark(text: str) -> None:
    os.write(1, text.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
