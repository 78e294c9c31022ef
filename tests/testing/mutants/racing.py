"""How a mutant loses a race for certain: it waits for other threads in the middle of what must be one step."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Condition

TIMEOUT = 60.0  # seconds, for a busy machine; only a thread that stays alone waits as long


class Meeting:
    """The first threads wait for each other; later ones pass. One lost race is enough."""

    def __init__(self, threads: int = 2) -> None:
        self._barrier = Barrier(threads)

    def wait(self) -> None:
        with suppress(BrokenBarrierError):
            self._barrier.wait(TIMEOUT)
            self._barrier.abort()


class Count:
    """A number that grows, and for which threads can wait."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.value = 0

    def increment(self) -> None:
        with self._changed:
            self.value += 1
            self._changed.notify_all()

    def wait_for(self, value: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.value >= value, TIMEOUT)
