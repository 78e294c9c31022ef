"""Lets each step of each change fail, and checks the response, what is stored, and that no restart is needed.

``python -m tests.reliability.faults`` runs the whole sweep and prints its counts as one line of JSON; ``--every N``
lets one step of N fail, another one for each change and fault.

The steps are those of ``crashes``. A step fails once, or it and all steps after it fail until the response was sent, as
on a disk that stays full. The response must be 503 with ``Retry-After``, or 507, or that of a change that was made in
spite of the fault.
"""

import argparse
import errno
import io
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Any
from unittest import mock

from pypi_registry.stores import files
from pypi_registry.stores.sqlite import pool, writers
from tests.reliability.changes import CHANGES, Change, Client, Stored, states
from tests.reliability.crashes import Steps, watched

MOST_FILES = 2  # of a package that one of the changes deletes
SHORT = 0.02  # seconds that a writer waits for a lock that is never released

DISK = {number: errno.errorcode[number] for number in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE)}
SQLITE = {
    code: name
    for name, code in vars(sqlite3).items()
    if name in {f"SQLITE_{end}" for end in ("FULL", "IOERR", "READONLY", "CANTOPEN", "BUSY", "CORRUPT", "NOMEM")}
}


def disk_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def sqlite_error(code: int) -> Exception:
    if code == sqlite3.SQLITE_NOMEM:
        return MemoryError()  # as Python does
    kind = sqlite3.DatabaseError if code == sqlite3.SQLITE_CORRUPT else sqlite3.OperationalError
    error = kind(SQLITE[code])
    error.sqlite_errorcode = code
    return error


@dataclass(frozen=True)
class Fault:
    """What fails, and for how long."""

    title: str
    make: Callable[[], Exception]
    is_of_sqlite: bool
    stays: bool


FAULTS = [
    Fault(f"{name} {'from then on' if stays else 'once'}", make, of_sqlite, stays)
    for stays in (False, True)
    for of_sqlite, errors in ((False, DISK), (True, SQLITE))
    for number, name in errors.items()
    for make in [lambda number=number, of_sqlite=of_sqlite: (sqlite_error if of_sqlite else disk_error)(number)]
]


class FailingSteps(Steps):
    """Raises an error at a step, instead of ending the process."""

    def __init__(self, last: int, fault: Fault) -> None:
        super().__init__(last)
        self._fault = fault
        self.failed = ""

    def reach(self, name: str) -> None:
        """Only what is done before a step can fail, except that a commit may fail after it was done."""
        is_of_sqlite = name.startswith(("before SQL", "before connect"))
        after_commit = name == "after SQL COMMIT"
        if not self.is_armed or not (name.startswith("before") or after_commit):
            return
        if (is_of_sqlite or after_commit) != self._fault.is_of_sqlite:
            return
        if after_commit and self._fault.title != "SQLITE_IOERR once":
            return
        self.names.append(name)
        number = len(self.names) - 1
        if number == self.last or (self._fault.stays and number > self.last):
            self.failed = self.failed or name
            raise self._fault.make()


@contextmanager
def short_waits() -> Iterator[None]:
    with (
        mock.patch.multiple(writers, BLOCKED=0.0, PATIENCE=SHORT),
        mock.patch.multiple(pool, _OPEN_TIMEOUT=SHORT, _CHECK_INTERVAL=0.0),
    ):
        yield


@contextmanager
def failing(steps: FailingSteps) -> Iterator[None]:
    """Let the steps fail while the block runs."""
    with ExitStack() as stack:
        stack.enter_context(watched(steps))
        # What `crashes` has no step for: opening a file, and opening a connection.
        stack.enter_context(mock.patch.object(files, "open", steps.around("open", open), create=True))
        stack.enter_context(mock.patch.object(files, "_NewRawFile", _failing_file(steps)))
        stack.enter_context(mock.patch.object(sqlite3, "connect", steps.around("connect", sqlite3.connect)))
        yield


def _failing_file(steps: FailingSteps) -> Any:
    class FileIO(io.FileIO):
        def __init__(self, *arguments: Any) -> None:
            steps.reach("before create")
            super().__init__(*arguments)

        def close(self) -> None:
            if self.closed:
                return
            super().close()
            steps.reach("before close")  # Linux closes a descriptor, whatever the error

    class NewRawFile(files._NewRawFile, FileIO):
        pass

    return NewRawFile


def fail_at(folder: Path, number: int, last: int, fault: Fault) -> str:
    """Let one step of a change fail; return its name, or nothing if the change has no such step.

    :raises AssertionError: if a promise is broken.
    """
    change, before, after = CHANGES[number], states()[number], states()[number + 1]
    stored = Stored.open(folder)
    steps = FailingSteps(last, fault)
    try:
        client = Client(stored.registry)
        request = change.prepare(client)
        stored.catalogue.close()  # so that opening a connection is a step, too
        with failing(steps):
            steps.is_armed = True
            response = request()
            steps.is_armed = False
        stray = _check_response(folder, change, response, steps.failed)
        found = client.state()
        if response.status_int == change.done:
            assert found == after, "an acknowledged change is lost"
        elif "not known" in response.text:
            assert found in (before, after), "a change is neither done nor undone"
        else:
            assert found == before, "a refused change was done"
        response = change.prepare(client)()  # no restart, and the fault is gone
        assert response.status_int in (change.done, change.again), f"recovery: {response.status} {response.text}"
        assert client.state() == after, "the change is not done after the recovery"
        _check_files(folder, stored, stray)
    finally:
        stored.close()
    return steps.failed


def _check_response(folder: Path, change: Change, response: Any, failed: str) -> int:
    """Check a response; return how many blobs that nothing lists may stay."""
    status = response.status_int
    assert status in (change.done, 503, 507), f"{response.status} {response.text}"
    if status == 503:
        assert response.headers["Retry-After"] == "5"
    if status >= 500:
        assert failed, f"{response.status} {response.text}"
        assert str(folder) not in response.text, f"a path is shown: {response.text}"
    return MOST_FILES if failed else 0


def _check_files(folder: Path, stored: Stored, stray: int) -> None:
    """Check that no bytes stayed, except those of an error whose outcome was unknown or that stopped their deletion."""
    incomplete = [*(folder / "files" / "incoming").iterdir()]
    assert len(incomplete) <= (1 if stray else 0), "incomplete files stay"
    with stored.catalogue._pool.lease() as connection:
        listed = {key for (key,) in connection.execute("SELECT blob_key FROM files")}
    found = {key for key, *_ in iter(stored.blobs.keys())}
    assert listed <= found, "a listed file has no bytes"
    assert len(found - listed) <= stray, "bytes stay that nothing lists"


def sweep(folder: Path, *, every: int = 1, faults: Sequence[Fault] = tuple(FAULTS)) -> Counter[str]:
    """Sweep the steps of all changes; return how often each step failed.

    :raises ExceptionGroup: of all promises that are broken; notes name the change, the fault and the step.
    """
    tried: Counter[str] = Counter()
    broken: list[Exception] = []
    starts = cycle(range(every))  # the first step to fail, another one for each change and fault
    before = folder / "before"
    Stored.open(before).close()
    with short_waits():
        for number, change in enumerate(CHANGES):
            for fault in faults:
                for last in count(next(starts), every):
                    failing_folder = folder / "failing"
                    shutil.copytree(before, failing_folder)
                    try:
                        failed = fail_at(failing_folder, number, last, fault)
                    except Exception as error:
                        error.add_note(f"{change.title}: {fault.title}, step {last}")
                        broken.append(error)
                        failed = "broken"
                    shutil.rmtree(failing_folder)
                    if not failed:
                        break
                    tried[failed] += 1
            stored = Stored.open(before)
            change.apply(Client(stored.registry))
            stored.close()
    if broken:
        raise ExceptionGroup("broken promises", broken)
    return tried


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tried = sweep(Path(folder), every=options.every)
    print(json.dumps({"faults": tried.total(), "steps": len(tried), "changes": len(CHANGES), "kinds": len(FAULTS)}))


if __name__ == "__main__":
    main()
