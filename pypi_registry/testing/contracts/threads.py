"""How a contract tries a thing: in many threads at once, beside readers, and where it must fail."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class Threads:
    """What all suites share: the contracts are for many threads, so the suites start some."""

    def leave_thread(self) -> None:
        """Tidy up in a thread that the suite started and is about to end.

        For a library that keeps a connection for each thread, as Django does.
        """

    def _at_once(self, act: Callable[[int], T], count: int = 8) -> list[T]:
        """Do a thing in many threads that start together; give what each returned."""
        start = Barrier(count)

        def run(number: int) -> T:
            try:
                start.wait()
                return act(number)
            finally:
                self.leave_thread()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, range(count)))

    def _in_another_thread(self, act: Callable[[], T]) -> T:
        """Do a thing as another request would, and give what came of it."""
        return self._at_once(lambda _: act(), 1)[0]

    def _beside(self, act: Callable[[], object], read: Callable[[], object], readers: int = 3) -> None:
        """Do a thing once, while other threads read, again and again until it is done and once more."""
        done = Event()

        def run(number: int) -> None:
            if number == 0:
                try:
                    act()
                finally:
                    done.set()
                return
            while not done.is_set():
                read()
            read()

        self._at_once(run, readers + 1)


def raised(error: type[E], act: Callable[P, object], *args: P.args, **keywords: P.kwargs) -> E:
    """Call what must raise, and give the error; any other passes through."""
    try:
        found = act(*args, **keywords)
    except error as expected:
        return expected
    raise AssertionError(f"{error.__name__} was not raised, and {found!r} came back")
