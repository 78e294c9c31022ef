"""A file that is read again when it changes."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

INTERVAL = 0.25
"""Seconds between two looks."""

QUIET = 0.5
"""Seconds for which a file must have stood still: an editor may still be writing it."""

Fingerprint = tuple[int, ...] | None


class Watch:
    """Calls `changed` in a thread of its own, some time after a file changed and then stood still.

    What counts is how the file was when this object was made; so make it before the file is first read.

    Whatever `changed` raises is a defect: it has to deal with a file that is wrong or gone.
    """

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._path = path
        self._changed = changed
        self._known = fingerprint(path)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        seen, since = self._known, time.monotonic()
        while not self._stop.wait(INTERVAL):
            now = fingerprint(self._path)
            if now != seen:
                seen, since = now, time.monotonic()
            elif now != self._known and time.monotonic() - since >= QUIET:
                self._known = now
                self._changed()


def fingerprint(path: Path) -> Fingerprint:
    """Give what differs when a file has changed; None if it cannot be looked at.

    The time of the last status change is in it, which no copying program sets back.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
