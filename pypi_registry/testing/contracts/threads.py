"""Running a test in several threads at once, and expecting an error."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class Threads:
    """The base of all suites: implementations are called from many threads, so the suites start some."""

    def leave_thread(self) -> None:
        """Clean up at the end of a thread that the suite started.

        For a library that keeps a connection per thread, as Django does.
        """

    def _in_threads(self, act: Callable[[int], T], count: int = 8) -> list[T]:
        """Call a function in several threads that start together, and return what each call returned."""
        start = Barrier(count)

        def run(number: int) -> T:
            try:
                start.wait()
                return act(number)
            finally:
                self.leave_thread()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, range(count)))

    def _beside_readers(self, act: Callable[[], object], read: Callable[[], object], readers: int = 3) -> None:
        """Call a function once, while other threads call `read` in a loop until it has returned, and once more."""
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

        self._in_threads(run, readers + 1)


def raised(error: type[E], act: Callable[P, object], *args: P.args, **keywords: P.kwargs) -> E:
    """Call a function that must raise an error, and return the error. Other errors pass through."""
    try:
        found = act(*args, **keywords)
    except error as expected:
        return expected
    raise AssertionError(f"{error.__name__} was not raised, {found!r} was returned")
