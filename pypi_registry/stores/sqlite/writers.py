"""The queue of the threads of one process that write to one SQLite file."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock, RLock

from pypi_registry.errors import StorageUnavailable

BLOCKED = 1.0
"""Seconds for which another program must have held the write lock before `max_waiting` applies."""

PATIENCE = 5.0
"""Seconds that a writer waits for another program."""

_STALLED = 30.0  # seconds that a writer waits for one other writer of its process
_UNSEEN = 1.0  # seconds without an attempt after which it is unknown whether the lock was held all the time


class WriterQueue:
    """Lets one thread of the process write at a time, in the order in which they called `acquire`.

    SQLite waits for a lock by polling. So only the first writer polls; the others wait here, without a connection. A
    long wait is not an error while the queue moves. Only while another program holds the lock, the queue is limited:
    `blocked` measures how long the lock has been held.

    :param max_waiting: how many writers may wait while another program holds the lock; the first one is one of them.
    """

    def __init__(self, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_waiting = max_waiting
        self._clock = clock
        self._mutex = RLock()  # reentrant: a signal handler may fork, and a fork joins the queue
        self._busy = False
        self._moves = 0
        self._waiting: deque[_Waiting] = deque()
        self._blocked_since: float | None = None
        self._blocked_at = 0.0  # when an attempt failed last
        self._version = 0

    def acquire(self, timeout: float = _STALLED, *, first: bool = False) -> None:
        """Wait until no other thread of the process writes.

        :param timeout: seconds without a move of the queue after which this is an error.
        :param first: whether to overtake those that wait.
        :raises StorageUnavailable: if the queue does not move, or another program holds the lock for too long.
        """
        with self._mutex:
            if not self._busy:
                self._busy = True
                return
            if self._is_blocked() and 1 + len(self._waiting) >= self._max_waiting and not first:
                raise _busy()
            turn = _Waiting(self._clock())
            if first:
                self._waiting.appendleft(turn)
            else:
                self._waiting.append(turn)
            moves = self._moves
        while not turn.came.acquire(timeout=timeout):
            with self._mutex:
                if turn not in self._waiting:
                    break  # the turn came at this moment
                if moves == self._moves:
                    self._waiting.remove(turn)
                    raise _busy()
                moves = self._moves
        if turn.is_refused:
            raise _busy()

    def release(self) -> None:
        """Let the next thread write."""
        with self._mutex:
            self._moves += 1
            if self._waiting:
                self._waiting.popleft().came.release()
            else:
                self._busy = False

    def begun(self) -> None:
        """Note that the first writer has the lock of SQLite."""
        self._blocked_since = None

    def blocked(self, since: float, version: int) -> None:
        """Note that the first writer did not get the lock of SQLite, and limit the queue if that takes too long.

        :param since: when it began to wait, by the clock of the queue.
        :param version: changes when another program has changed the file: then the lock was not held all the time.
        :raises StorageUnavailable: if the writer has waited for long enough.
        """
        with self._mutex:
            now = self._clock()
            if self._blocked_since is None or version != self._version or now - self._blocked_at > _UNSEEN:
                self._blocked_since, self._version = now, version
            self._blocked_at = now
            if not self._is_blocked():
                return
            while 1 + len(self._waiting) > self._max_waiting:
                self._waiting.pop().refuse()
            while self._waiting and self._is_over(self._waiting[0].since, now):
                self._waiting.popleft().refuse()
            if self._is_over(since, now):
                raise _busy()

    def _is_blocked(self) -> bool:
        now = self._clock()
        return (
            self._blocked_since is not None
            and now - self._blocked_at <= _UNSEEN
            and now - self._blocked_since > BLOCKED
        )

    def _is_over(self, since: float, now: float) -> bool:
        assert self._blocked_since is not None
        return now - max(since, self._blocked_since) >= PATIENCE


class _Waiting:
    """A thread that waits."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.came = Lock()  # released when its turn came, or when it is refused
        self.came.acquire()
        self.is_refused = False

    def refuse(self) -> None:
        self.is_refused = True
        self.came.release()


def _busy() -> StorageUnavailable:
    return StorageUnavailable("the catalogue is busy")
