"""A file to which threads and processes append whole lines."""

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_STILL = 0.05  # seconds in which a line that another process is writing has grown


class LineFile:
    """Appends each line with one write, so that lines of several threads and processes do not mix.

    POSIX, write(): "If the O_APPEND flag of the file status flags is set, the file offset shall be set to the end of
    the file prior to each write and no intervening file modification operation shall occur between changing the file
    offset and the write operation."

    The file is opened for each line, which takes a few microseconds. So a file that was renamed or deleted, as
    logrotate does, is created again, a fork at any moment is harmless, and no thread can close what another one uses.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._may_be_cut = True
        """Whether the file may end in the middle of a line: after a power cut, or on a full disk."""

    def create(self) -> None:
        """Create the file, readable by its owner only, if it is missing. The first line does so, too.

        :raises OSError: if it cannot be opened for writing.
        """
        with self._opened():
            pass

    def append(self, line: bytes) -> None:
        """Append a line, which ends with a line feed.

        :raises OSError: if it was not written, for example because the disk is full.
        """
        with self._opened() as file:
            if self._may_be_cut:
                self._may_be_cut = False
                if _is_cut(file):
                    line = b"\n" + line
            written = os.write(file, line)
            if written < len(line):
                self._complete(file, line, written)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        file = os.open(self.path, _FLAGS, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    def _complete(self, file: int, line: bytes, written: int) -> None:
        """Write the rest of a line, of which a full disk has stored a part.

        If there is no space for it either, or another process has written in between, the parts are made blank, so that
        all other lines can be read.

        :raises OSError: if the line was not written.
        """
        rest = line[written:]
        parts = [(os.lseek(file, 0, os.SEEK_CUR) - written, written)]  # no other thread has this descriptor
        try:
            more = os.write(file, rest)
            parts.append((os.lseek(file, 0, os.SEEK_CUR) - more, more))
            if more == len(rest) and parts[1][0] == sum(parts[0]):
                return
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        except OSError:
            self._may_be_cut = True
            for part in parts:
                _erase(file, *part)
            raise


def _is_cut(file: int) -> bool:
    """Return whether a file ends in the middle of a line that no process is writing."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return False
    size = -1
    while (end := os.lseek(file, 0, os.SEEK_END)) != size:
        if not end or _byte_at(file, end - 1) == b"\n":
            return False
        size = end
        time.sleep(_STILL)  # another process may be in the middle of a write
    return True


def _byte_at(file: int, position: int) -> bytes:
    os.lseek(file, position, os.SEEK_SET)
    return os.read(file, 1)


def _erase(file: int, start: int, size: int) -> None:
    """Replace what was written with a blank line. Windows leaves it as it is; then the next line begins anew."""
    if sys.platform != "win32" and size:
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_RDWR)  # Linux appends in pwrite(), too, if O_APPEND is set
        os.pwrite(file, b" " * (size - 1) + b"\n", start)
