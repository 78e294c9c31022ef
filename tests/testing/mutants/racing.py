"""How a mutant loses a race surely: it waits for the others in the middle of what should be one step."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Condition

PATIENCE = 5.0  # seconds, for a machine that is busy; only who comes alone waits as long


class Meeting:
    """Where the first threads wait for each other before any goes on: one race that is lost is enough."""

    def __init__(self, threads: int = 2) -> None:
        self._barrier = Barrier(threads)

    def wait(self) -> None:
        with suppress(BrokenBarrierError):
            self._barrier.wait(PATIENCE)
            self._barrier.abort()  # and nobody waits from now on


class Count:
    """Counts what happens, for those who wait until enough has happened."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.value = 0

    def one_more(self) -> None:
        with self._changed:
            self.value += 1
            self._changed.notify_all()

    def wait_for(self, value: int) -> None:
        """Wait until so much has happened."""
        with self._changed:
            self._changed.wait_for(lambda: self.value >= value, PATIENCE)
