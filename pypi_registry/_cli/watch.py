"""A file that is reloaded when it changes, and other work that is done regularly."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

_log = logging.getLogger("pypi_registry")

INTERVAL = 0.25
"""Seconds between two checks."""

QUIET = 0.5
"""Seconds without a change before a file is reloaded: an editor may still be writing it."""

RETRY = 5.0
"""Seconds after which a file is reloaded again that could not be read."""

Fingerprint = tuple[int, ...] | None


class Watch:
    """Calls `changed` in a thread of its own after a file has changed and then stayed the same for a while.

    A change is a difference from the file as it was when this object was created, so create it before the file is
    first read. `changed` handles a file that is invalid or deleted. It is called again after a while if it returns
    False, or raises, which is logged: a revoked token must not stay valid because of an error.

    :param regularly: is called in the same thread at each check. It must not wait for long.
    """

    def __init__(
        self, path: Path, changed: Callable[[], object], *, regularly: Callable[[], object] = lambda: None
    ) -> None:
        self._path = path
        self._changed = changed
        self._regularly = regularly
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
            with _logging("the regular work of this process has failed"):
                self._regularly()
            now = fingerprint(self._path)
            if now != seen:
                seen, since = now, time.monotonic()
            elif now != self._known and time.monotonic() - since >= QUIET:
                reloaded = False
                with _logging(f"{self._path} was not reloaded"):
                    reloaded = self._changed() is not False
                if reloaded:
                    self._known = now
                else:
                    since += RETRY


@contextmanager
def _logging(failure: str) -> Iterator[None]:
    """Log an exception: neither it nor a log that cannot be written may end the thread."""
    try:
        yield
    except Exception:
        with suppress(Exception):
            _log.exception(failure)


def fingerprint(path: Path) -> Fingerprint:
    """Return a value that differs when a file has changed; None if the file cannot be examined.

    It includes the time of the last status change (ctime), which no program that copies files can set back.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
