"""Ends a process before and after each step of each change, and checks what a restart finds.

``python -m tests.reliability.crashes`` runs the whole sweep and prints its counts as one line of JSON.

A step is a call of the system that a change needs, a statement of SQLite, or a call of a store. The package has no
hooks for this: the child process replaces `os` functions, the class of SQLite connections, and the methods of the
stores. Each case is a fork of one process, which has imported everything already.
"""

import io
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from pypi_registry.stores import files
from tests.reliability.changes import CHANGES, Client, Stored, assert_promises_hold

KILLED = 77  # the exit status of a child that a step ended
DONE = 78  # the exit status of a child whose change was acknowledged before the step was reached

CALLS = ("open", "close", "fsync", "replace", "unlink", "stat", "posix_fadvise")
BLOBS = ("new_file", "put", "open", "delete")
CATALOGUE = ("add", "delete_file", "delete_package", "yank", "set_status")


@dataclass
class Steps:
    """Counts steps, and ends the process when it reaches one of them."""

    last: int
    names: list[str] = field(default_factory=list)
    is_armed: bool = False

    def reach(self, name: str) -> None:
        if self.is_armed:
            self.names.append(name)
            if len(self.names) > self.last:
                os._exit(KILLED)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def step(*arguments: Any, **options: Any) -> Any:
            self.reach(f"before {name}")
            try:
                return function(*arguments, **options)
            finally:
                self.reach(f"after {name}")

        return step


@contextmanager
def watched(steps: Steps) -> Iterator[None]:
    """Count every step of this process while the block runs."""

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            execute = steps.around(f"SQL {' '.join(statement.split()[:3])}", super().execute)
            return execute(statement, *parameters)  # type: ignore[no-any-return]  # it was wrapped

    def connect(*arguments: Any, **options: Any) -> Any:
        return real_connect(*arguments, **{**options, "factory": Connection})

    class FileIO(io.FileIO):  # below the class of the package, which translates its errors
        def write(self, data: Any, /) -> int:
            return steps.around("write", super().write)(data)  # type: ignore[no-any-return]  # it was wrapped

    class NewRawFile(files._NewRawFile, FileIO):
        pass

    real_connect: Any = sqlite3.connect
    calls: Any = {name: steps.around(f"os.{name}", getattr(os, name)) for name in CALLS}
    with (
        mock.patch.multiple(os, **calls),
        mock.patch.object(sqlite3, "connect", connect),
        mock.patch.object(files, "_NewRawFile", NewRawFile),
    ):
        yield


def run_change(folder: Path, number: int, steps: Steps) -> None:
    """Run one change, until a step ends the process."""
    with watched(steps):
        stored = Stored.open(folder)
        for store, methods in ((stored.blobs, BLOBS), (stored.catalogue, CATALOGUE)):
            for name in methods:
                setattr(store, name, steps.around(f"{type(store).__name__}.{name}", getattr(store, name)))
        request = CHANGES[number].prepare(Client(stored.registry))
        steps.is_armed = True
        response = request()
        steps.is_armed = False
        assert response.status_int == CHANGES[number].done, f"{response.status} {response.text}"


def end_at(folder: Path, number: int, last: int) -> tuple[bool, str]:
    """Run one change in a fork that ends after so many steps; return whether it did, and the name of that step."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            steps = Steps(last)
            real_exit = os._exit
            with mock.patch.object(
                os, "_exit", lambda status: (os.write(writing, steps.names[-1].encode()), real_exit(status))
            ):
                run_change(folder, number, steps)
            real_exit(DONE)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        name = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (KILLED, DONE), f"the child ended with status {status}"
    return status == KILLED, name


def sweep(folder: Path, changes: Sequence[int]) -> Counter[str]:
    """Sweep the steps of changes, and return how often each step ended the process.

    :raises AssertionError: if a promise is broken; a note names the change and the step.
    """
    kills: Counter[str] = Counter()
    before = folder / "before"
    Stored.open(before).close()
    for number, change in enumerate(CHANGES):
        for last in count() if number in changes else ():
            crashed = folder / "crashed"
            shutil.copytree(before, crashed)
            was_killed, step = end_at(crashed, number, last)
            try:
                assert_promises_hold(crashed, number, acknowledged=not was_killed)
            except Exception as error:
                error.add_note(f"{change.title}: killed {step or 'after all steps'} (step {last})")
                raise
            shutil.rmtree(crashed)
            if not was_killed:
                break
            kills[step] += 1
        stored = Stored.open(before)
        change.apply(Client(stored.registry))
        stored.close()
    return kills


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kills = sweep(Path(folder), range(len(CHANGES)))
    print(json.dumps({"kills": kills.total(), "steps": len(kills), "changes": len(CHANGES)}))


if __name__ == "__main__":
    main()
