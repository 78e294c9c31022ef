"""Two servers behind nginx, over PostgreSQL and a bucket, while one after the other fails, and what was promised holds.

``python -m tests.reliability.two_servers [--kills N] [--outage SECONDS] [--brief]`` prints its counts as one line of
JSON. It runs `examples/scaled/`. Eight clients publish, delete, yank and race through nginx, and two read, without a
pause. The clock of the second server is a minute ahead (`tests/reliability/ahead/`).
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Event, Lock

from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.served import until
from tests.examples.scaled import Scaled, scaled
from tests.reliability.bucket import Bucket, State, in_front_of
from tests.reliability.load import JSON, Entry, Load, Lost, Reader, Registry, Writer
from tests.servers.running import ROOT
from tests.stores.buckets import rclone

CLIENTS, READERS = 8, 2
AHEAD = 60
"""Seconds by which the clock of the second server is ahead."""

_PROJECT = "/projects/acme%2Ftools"
_CLOCK = Path(__file__).with_name("ahead")
_PROBE = "probe"


@dataclass
class Seen:
    """What all clients saw."""

    counts: Counter[str] = field(default_factory=Counter)
    sent: set[str] = field(default_factory=set)
    """The digests of all files that a client sent, whatever the response was."""
    slowest: float = 0.0
    """Seconds until the slowest response with a 5xx."""
    last: str = ""
    """The status line of the last one."""
    lock: Lock = field(default_factory=Lock)

    def refused(self, answer: wire.Answer, seconds: float) -> None:
        with self.lock:
            self.counts[str(answer.status)] += 1
            self.slowest = max(self.slowest, seconds)
            self.last = f"{answer.status} {answer.reason}"


@dataclass
class Faulty(Registry):
    """A registry of which a part may be away: a 5xx is no more known to the client than a connection that ends."""

    seen: Seen
    servers: Sequence["Faulty"] = ()
    """Each server, without nginx."""

    def request(self, method: str, path: str, body: object = None, accept: str = "*/*") -> wire.Answer:
        with self._counted():
            return self._checked(lambda: super(Faulty, self).request(method, path, body, accept))

    def upload(self, filename: str, data: bytes) -> wire.Answer:
        self.seen.sent.add(sha256(data).hexdigest())
        with self._counted():
            return self._checked(lambda: super(Faulty, self).upload(filename, data))

    def page(self, name: str) -> dict[str, tuple[Entry, str]]:
        files = super().page(name)
        for filename, ((digest, _), _) in files.items():
            assert digest in self.seen.sent, f"{filename} is listed, and no client sent these bytes"
        return files

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except Refused:
            raise
        except Lost:
            self.seen.counts["connections that ended"] += 1
            raise

    def _checked(self, send: Callable[[], wire.Answer]) -> wire.Answer:
        started = time.monotonic()
        answer = send()
        if answer.status >= 500:
            self.seen.refused(answer, time.monotonic() - started)
            assert answer.status in (502, 503, 504), answer  # a 500 is a defect
            if answer.status == 503:
                assert answer.headers["Retry-After"], answer
            raise Refused
        return answer


class Refused(Lost):
    """The response was a 5xx."""


class Client(Writer):
    """A writer that goes on after a request without a response, and leaves the file of that request alone."""

    statuses_of_deletion = (204, 404)  # nginx repeats a DELETE if a server was killed meanwhile
    registry: Faulty

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                step = self._choose.choices((self._publish, self._race, self._delete, self._yank), (4, 3, 2, 1))[0]
                try:
                    step()
                except Lost:
                    self.counts["without an outcome"] += 1
                    self._stopped.wait(0.1)  # a client that is refused at once does not send thousands of requests
        except BaseException as error:
            self.error = error

    def check(self) -> None:
        """Compare the model with the page; what is not known stays so, as a killed server may have been committing."""
        found = self.registry.page(self._name)
        for filename in found.keys() | self.possible.keys():
            entry = found[filename][0] if filename in found else None
            possible = self.possible.get(filename, {None})
            assert entry in possible, f"{filename} is {entry}, and not one of {possible}"

    def _files(self) -> list[str]:
        return [filename for filename, possible in self.possible.items() if len(possible) == 1 and None not in possible]

    def _publish(self) -> None:
        before = self.counts["published"]
        super()._publish()
        assert self.counts["published"] == before + 1
        for server in self.registry.servers:
            try:
                found = server.page(self._name)
            except Lost:
                continue
            for filename in self._files():
                [entry] = self.possible[filename]
                listed = found.get(filename)
                assert listed and listed[0] == entry, f"{filename} is not on the page of {server.addresses[0]}"
            self.counts["pages of each server compared"] += 1


class Visitor(Reader):
    """A reader that goes on after a request without a response."""

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                for name in self._names:
                    try:
                        self.counts["read"] += self._registry.read(name)
                    except Lost:
                        self.counts["readings that ended"] += 1
                        self._stopped.wait(0.1)  # as above
        except BaseException as error:
            self.error = error


@dataclass
class Run:
    """The running servers and clients, and what can happen to them."""

    scaled: Scaled
    bucket: Bucket
    outage: float
    """Seconds."""
    load: Load = field(default_factory=lambda: Load(CLIENTS, READERS, writer=Client, reader=Visitor))
    seen: Seen = field(default_factory=Seen)
    choose: random.Random = field(default_factory=lambda: random.Random(15))
    faults: Counter[str] = field(default_factory=Counter)
    recovery: dict[str, float] = field(default_factory=dict)
    """Seconds from the end of each kind of fault until both servers do everything again, the longest of each kind."""
    _probes: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        secret = self.scaled.secret
        servers = [Faulty([server.api + _PROJECT], secret, self.seen) for server in self.scaled.servers]
        self.registry = Faulty([self.scaled.api + _PROJECT], secret, self.seen, servers)

    # Faults

    def kill(self) -> None:
        server = self.choose.choice(self.scaled.servers)
        self.wait_for_responses(self.choose.randrange(1, 40))
        server.kill()
        server.start()

    def restart_database(self, mode: str) -> None:
        self.scaled.cluster.restart(mode)

    def stop_database(self) -> None:
        self.scaled.cluster.stop("fast")
        self.last()
        self.scaled.cluster.start()

    def terminate_backends(self) -> None:
        self.wait_for_responses(10)
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'registry'"
        self.faults["connections terminated"] += len(self.scaled.cluster.execute(others))

    def fail_bucket(self, state: State) -> None:
        self.bucket.become(state)
        self.last()
        self.bucket.become(State.WELL)

    def kill_bucket(self) -> None:
        self.scaled.rclone.kill()
        self.last()
        self.scaled.rclone.start()

    def lose_object(self) -> None:
        """Delete the bytes of a listed file behind the registry; it is refused clearly, and served when it is back."""
        filename = f"lost-{next(self._probes)}.tar.gz"
        data = distribution(filename)
        assert self.registry.upload(filename, data).status == 201
        digest = sha256(data).hexdigest()
        [path] = [path for path in self._objects() if sha256(path.read_bytes()).hexdigest() == digest]
        moved = path.with_name("moved")
        address = self.registry.page("lost")[filename][1]
        path.rename(moved)
        for server in self.registry.servers:
            try:
                answer = server.request("GET", address)
            except Refused:
                continue
            raise AssertionError(f"the bytes are missing, and the response is {answer}")
        moved.rename(path)
        for server in self.registry.servers:
            assert server.request("GET", address).body == data

    def _objects(self) -> Iterator[Path]:
        folder = self.scaled.rclone.folder / self.scaled.bucket / "registry"
        for path in folder.iterdir():
            if path.is_file():
                yield path

    def seconds_between_clocks(self) -> int:
        """Publish through each server, and return by how much the second one's time of upload is ahead."""
        times = []
        for server in self.registry.servers:
            filename = f"clock-{next(self._probes)}.tar.gz"
            before = datetime.now(UTC)
            assert server.upload(filename, distribution(filename)).status == 201
            path = "/packages/pypi/simple/clock/"
            [file] = [
                file
                for file in json.loads(server.request("GET", path, accept=JSON).body)["files"]
                if file["filename"] == filename
            ]
            times.append(datetime.fromisoformat(file["upload-time"]) - before)
        seconds = round((times[1] - times[0]).total_seconds())
        assert abs(seconds - AHEAD) < AHEAD / 2
        return seconds

    # Waiting

    def last(self) -> None:
        """Let the fault last for `outage` seconds."""
        Event().wait(self.outage)

    def wait_for_responses(self, number: int) -> None:
        before = self.load.responses
        until(lambda: self.load.responses >= before + number or self.load.has_failed())

    def recover(self, fault: str) -> None:
        """Wait until each server publishes, lists and delivers again, without a restart."""
        try:
            seconds = until(self._is_well)
        except AssertionError as error:
            error.add_note(f"after: {fault}; the last refusal: {self.seen.last}")
            raise
        self.recovery[fault] = max(self.recovery.get(fault, 0.0), round(seconds, 1))
        assert not self.load.has_failed()

    def _is_well(self) -> bool:
        try:
            for server in self.registry.servers:
                filename = f"{_PROBE}-{next(self._probes)}.tar.gz"
                data = distribution(filename)
                assert server.upload(filename, data).status == 201
                [(_, path)] = [each for name, each in server.page(_PROBE).items() if name == filename]
                assert sha256(server.request("GET", path).body).hexdigest() == sha256(data).hexdigest()
        except Lost:
            return False
        return True


def perform(run: Run, faults: Sequence[tuple[str, Callable[[], None], int]]) -> dict[str, object]:
    """Let the faults happen, each so many times, while the clients work; check everything; return the counts."""
    run.load.start(run.registry)
    try:
        for name, fault, times in faults:
            for _ in range(times):
                run.wait_for_responses(10)
                fault()
                run.faults[name] += 1
                run.recover(name)
            print(f"{name}: {times}", file=sys.stderr, flush=True)
    finally:
        run.load.stop()
    run.load.check(run.registry)
    listed = sum(len(run.registry.page(f"load{number}")) for number in range(CLIENTS))
    return {
        "faults": dict(run.faults),
        "clients": dict(run.load.counts),
        "listed, downloaded and compared at the end": listed,
        "responses with a 5xx": dict(run.seen.counts),
        "slowest 5xx, seconds": round(run.seen.slowest, 1),
        "seconds until recovery": run.recovery,
    }


def whole(run: Run, kills: int) -> Sequence[tuple[str, Callable[[], None], int]]:
    """Return every kind of fault."""
    return (
        ("an object is lost", run.lose_object, 3),
        ("the bucket is killed", run.kill_bucket, 1),
        ("the bucket is slow", partial(run.fail_bucket, State.SLOW), 1),
        ("the bucket responds 503", partial(run.fail_bucket, State.ERRORS), 1),
        ("the bucket is silent", partial(run.fail_bucket, State.SILENT), 1),
        ("the bucket refuses connections", partial(run.fail_bucket, State.REFUSES), 1),
        ("pg_terminate_backend for all", run.terminate_backends, 10),
        ("PostgreSQL stopped", run.stop_database, 1),
        ("PostgreSQL restarted, immediate", partial(run.restart_database, "immediate"), 3),
        ("PostgreSQL restarted, fast", partial(run.restart_database, "fast"), 2),
        ("a server killed", run.kill, kills),
    )


def brief(run: Run) -> Sequence[tuple[str, Callable[[], None], int]]:
    """Return some of them, once."""
    return (
        ("a server killed", run.kill, 1),
        ("PostgreSQL restarted, immediate", partial(run.restart_database, "immediate"), 1),
        ("pg_terminate_backend for all", run.terminate_backends, 1),
        ("the bucket responds 503", partial(run.fail_bucket, State.ERRORS), 1),
        ("the bucket is killed", run.kill_bucket, 1),
        ("an object is lost", run.lose_object, 1),
    )


@contextmanager
def started(folder: Path, outage: float) -> Iterator[Run]:
    """Run the example, with a proxy in front of its bucket."""
    with rclone(folder / "served") as served, in_front_of(served.port) as bucket:
        environments: Sequence[dict[str, str]] = (
            {},
            {"PYTHONPATH": os.pathsep.join(map(str, (_CLOCK, ROOT))), "SECONDS_AHEAD": str(AHEAD)},
        )
        with scaled(folder, endpoint=bucket.port, rclone_server=served, environments=environments) as running:
            run = Run(running, bucket, outage)
            run.faults["seconds between the clocks"] = run.seconds_between_clocks()
            yield run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--outage", type=float, default=10.0, help="seconds (default: %(default)s)")
    parser.add_argument("--brief", action="store_true", help="some of the faults only")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        with started(folder, options.outage) as run:
            counts = perform(run, brief(run) if options.brief else whole(run, options.kills))
    finally:
        shutil.rmtree(folder)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
