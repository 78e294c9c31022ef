"""What all rows share: how much is measured, full registries, running servers, rounds in which two sides alternate."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from types import MappingProxyType

from pypi_registry.model import PackageFile
from tests.benchmarks import filling, loads, memory
from tests.benchmarks.limits import Constant
from tests.benchmarks.registry import Ask
from tests.benchmarks.servers import Server, Servers

Side = Callable[[], float]
"""Measures once; more is better."""

Turn = Callable[[], Sequence[float]]
"""Sends a few requests, and returns the seconds of each."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int = 7
    seconds: int = 2
    """Of load, for each side in each round."""
    names: int = 100_000
    large_file: int = 200_000_000
    big_upload: int = 500_000_000
    small_uploads: int = 400


QUICK = Plan(rounds=2, seconds=1, large_file=50_000_000, big_upload=40_000_000, small_uploads=50)


@dataclass(frozen=True)
class Measured:
    """What came out, a number a round."""

    values: tuple[float, ...]
    note: str = ""
    """The two absolute numbers, or whatever helps to judge the first."""

    @property
    def middle(self) -> float:
        return median(self.values)


def alternate(rounds: int, ours: Side, theirs: Side, unit: str) -> Measured:
    """Measure both sides in turn, ours first in every other round, and return their ratio in each."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = theirs(), ours()
        else:
            first, second = ours(), theirs()
        pairs.append((first, second))
    note = f"{median(a for a, _ in pairs):,.0f} and {median(b for _, b in pairs):,.0f} {unit}"
    return Measured(tuple(a / b for a, b in pairs), note)


def in_turns(rounds: int, turns: int, ours: Turn, theirs: Turn) -> Measured:
    """Let both sides take short turns, and return for each round the ratio of their rates, by the median latencies.

    For differences of a few percent: what else the machine does for a second then slows both sides alike, and a
    median ignores the requests that waited for it.
    """
    pairs = []
    for _ in range(rounds):
        latencies: tuple[list[float], list[float]] = [], []
        for number in range(turns):
            sides = (ours, latencies[0]), (theirs, latencies[1])
            for turn, seconds in sides if number % 2 else reversed(sides):
                seconds.extend(turn())
        pairs.append((median(latencies[0]), median(latencies[1])))
    note = (
        f"{median(a for a, _ in pairs) * 1e3:,.2f} and {median(b for _, b in pairs) * 1e3:,.2f} ms, "
        "measured in short alternating turns"
    )
    return Measured(tuple(b / a for a, b in pairs), note)


@dataclass
class Bench:
    """Folders and servers, made when a row needs them and kept for the next."""

    plan: Plan
    folder: Path
    stack: ExitStack
    stored: dict[str, PackageFile] = field(default_factory=dict)
    """Files that can be downloaded, by name."""
    _running: dict[str, Server] = field(default_factory=dict)

    @cached_property
    def servers(self) -> Servers:
        return Servers(self.folder)

    @cached_property
    def small(self) -> Path:
        """A registry of ten projects, among them those whose pages are asked for."""
        folder = self.folder / "small"
        filling.fill(folder, [*filling.well_known(), *filling.names(10)])
        return folder

    @cached_property
    def large(self) -> Path:
        """The same, with 100,000 more."""
        folder = self.folder / "large"
        filling.fill(folder, [*filling.well_known(), *filling.names(self.plan.names)])
        return folder

    @cached_property
    def wheel(self) -> Path:
        """A big wheel."""
        path = self.folder / memory.FILENAME
        memory.make_wheel(path, self.plan.big_upload)
        return path

    def ours(self, folder: Path, forward_to: str | None = None) -> Server:
        """Our application under gunicorn, one for each folder."""
        key = f"{folder} {forward_to}"
        if key not in self._running:
            started = self.servers.gunicorn("ours", folder=str(folder), forward_to=forward_to)
            self._running[key] = self.stack.enter_context(started)
        return self._running[key]

    def write_answer(self, ask: Ask, port: int, other: Mapping[str, str] = MappingProxyType({})) -> Path:
        """Keep what is answered, without the headers that a server adds, and with other values of some."""
        status, headers, body = loads.fetch(ask, port)
        added = ("server", "date", "connection")
        own = [(name, other.get(name, value)) for name, value in headers if name.lower() not in added]
        return Constant(status, own, body).write_to(self.servers.new_folder() / "answer")

    @contextmanager
    def limit(self, ask: Ask, port: int) -> Iterator[Server]:
        """A bare function that answers as our server does."""
        with self.servers.gunicorn("constant", answer=str(self.write_answer(ask, port))) as server:
            yield server

    def against(
        self,
        ask: Ask,
        port: int,
        theirs: AbstractContextManager[Server],
        their_ask: Ask | None = None,
        clients: int = 8,
    ) -> Measured:
        """Compare the rate of a request at one of our servers with that at another."""
        with theirs as other:
            wanted, seconds = their_ask or ask, self.plan.seconds
            loads.send(port, [ask.to(port)] * 200, clients, status=ask.status)  # to warm up
            loads.send(other.port, [wanted.to(other.port)] * 200, clients, status=wanted.status)
            return alternate(
                self.plan.rounds,
                lambda: loads.rate(ask, port, seconds, clients),
                lambda: loads.rate(wanted, other.port, seconds, clients),
                "per second",
            )


def milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3
