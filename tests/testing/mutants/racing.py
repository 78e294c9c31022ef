"""How a mutant loses a race for certain: it waits for other threads in the middle of what must be one step."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Condition
from typing import Any, TypeVar

T = TypeVar("T")

TIMEOUT = 60.0  # seconds, for a busy machine; only a thread that stays alone waits as long


class Meeting:
    """The first threads wait for each other; later ones pass. One lost race is enough."""

    def __init__(self, threads: int = 2) -> None:
        self._barrier = Barrier(threads)

    def wait(self) -> None:
        with suppress(BrokenBarrierError):
            self._barrier.wait(TIMEOUT)
            self._barrier.abort()


class Shared:
    """A variable that all threads share. The first threads all read what one of them wrote.

    Without the second meeting a thread may read what another wrote for a later call, which can be its own value.
    """

    def __init__(self, threads: int) -> None:
        self._written, self._read = Meeting(threads), Meeting(threads)
        self._value: Any = None

    def exchange(self, value: T) -> T:
        self._value = value
        self._written.wait()
        found: T = self._value
        self._read.wait()
        return found


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
