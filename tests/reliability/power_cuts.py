"""Replays the states in which a power cut can leave the disk, and checks what a restart finds.

``python -m tests.reliability.power_cuts`` replays all that are of interest, and prints its counts as one line of JSON.
"""

import json
import random
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from pypi_registry.accounts import Accounts
from tests.reliability.changes import CHANGES, Stored, assert_promises_hold
from tests.reliability.disk import Disk, Moment
from tests.reliability.recording import parse, record

ALL = -4
"""Each flushed state with one effect more, each full one with one effect less, and four at random."""


@dataclass
class Counts:
    moments: int = 0
    states: int = 0


def replay(folder: Path, *, samples: int, every: int = 1) -> Counts:
    """Record a run, and replay its power cuts.

    :param folder: exists; for data of this function.
    :param samples: see `Disk.kept`.
    :param every: of how many moments one is replayed.
    :raises AssertionError: if a promise is broken; a note names the moment.
    """
    log, data = folder / "log", folder / "recorded" / "data"
    data.parent.mkdir()
    record(data, log)
    disk, choose, counts = Disk.replay(data, parse(log)), random.Random(7), Counts()
    log.unlink()
    seen: set[tuple[object, ...]] = set()
    for moment in disk.moments[::every]:
        counts.moments += 1
        for effects in disk.kept(moment, choose, samples):
            state = (moment.marks, *((id(effect.inode), effect.number, len(effect.data)) for effect in effects))
            if state in seen:
                continue
            seen.add(state)
            counts.states += 1
            found = folder / "found"
            found.mkdir()
            disk.write(effects, found)
            try:
                _check(found / "data", moment)
            except Exception as error:
                error.add_note(f"power cut after call {moment.number}, {moment.marks[-1]!r}; state {counts.states}")
                raise
            shutil.rmtree(found)
    return counts


def _check(folder: Path, moment: Moment) -> None:
    *_, last = moment.marks
    if "started" in moment.marks:  # the secret of its token was printed
        assert Accounts.from_toml(folder / "registry.toml").project(1)
    word, _, number = last.partition(" ")
    if number:
        assert_promises_hold(folder, int(number), acknowledged=word == "acknowledged")
    elif last == "end":
        assert_promises_hold(folder, len(CHANGES) - 1, acknowledged=True)
    else:  # nothing was acknowledged; it has to start
        Stored.open(folder).close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # in memory
        print(json.dumps(asdict(replay(Path(folder), samples=ALL))))


if __name__ == "__main__":
    main()
