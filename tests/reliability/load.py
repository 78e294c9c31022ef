"""Clients that publish, delete, yank and read at once, each with a model of what it may find.

A client has package names of its own, so that its model is exact. All clients also race for shared file names. A
request without a response leaves two possible states, until the next look at the page decides.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPException
from itertools import count
from threading import Event, Lock, Thread
from urllib.parse import urljoin

from pypi_registry.testing.archives import distribution
from tests.clients import wire

JSON = "application/vnd.pypi.simple.v1+json"
TAKEN = b"already been taken"
RACE = "race"

Entry = tuple[str, bool]
"""A listed file: its SHA-256, and whether it is yanked."""


class Lost(Exception):
    """The server did not answer."""


@dataclass
class Registry:
    """A running registry; several addresses are servers of one data folder."""

    addresses: Sequence[str]
    """``http://127.0.0.1:8080/api/v4/projects/1``, of each server."""
    secret: str

    def request(self, method: str, path: str, body: object = None, accept: str = "*/*") -> wire.Answer:
        """Send a request to one of the servers.

        :raises Lost: if there is no complete response.
        """
        headers = {**wire.login(self.secret), "Accept": accept, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            return wire.request(method, random.choice(self.addresses) + path, headers, data)
        except (OSError, HTTPException) as error:
            raise Lost from error

    def upload(self, filename: str, data: bytes) -> wire.Answer:
        name, version = filename.removesuffix(".tar.gz").split("-")
        address = f"{random.choice(self.addresses)}/packages/pypi"
        try:
            return wire.upload(address, self.secret, {"name": name, "version": version}, filename, data)
        except (OSError, HTTPException) as error:
            raise Lost from error

    def page(self, name: str) -> dict[str, tuple[Entry, str]]:
        """Return the listed files of a name, each with its path."""
        path = f"/packages/pypi/simple/{name}/"
        answer = self.request("GET", path, accept=JSON)
        assert answer.status in (200, 302, 404), answer
        if answer.status != 200:  # a name that was never published is redirected
            return {}
        return {
            file["filename"]: (
                (file["hashes"]["sha256"], file.get("yanked", False) is not False),
                urljoin(path, file["url"]),
            )
            for file in json.loads(answer.body)["files"]
        }

    def read(self, name: str) -> int:
        """Download every listed file of a name, compare it with its digest, and return their number.

        A file that is gone must be gone from the page, too.
        """
        files = self.page(name)
        for filename, ((digest, _), path) in files.items():
            answer = self.request("GET", path)
            if answer.status == 404:
                now = self.page(name).get(filename)
                assert now is None or now[0][0] != digest, f"{filename} is listed, and its bytes are missing"
            else:
                assert answer.status == 200, answer
                assert sha256(answer.body).hexdigest() == digest, f"{filename} has other bytes than its page lists"
        return len(files)

    def package(self, name: str, version: str) -> str | None:
        answer = self.request("GET", f"/packages?package_name={name}&package_version={version}")
        assert answer.status == 200, answer
        found = json.loads(answer.body)
        return f"/packages/{found[0]['id']}" if found else None


@dataclass
class Races:
    """What became of each shared file name."""

    winners: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The digests that got a 201."""
    unknown: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The digests of uploads that got no response."""
    lock: Lock = field(default_factory=Lock)


class Writer:
    """One client that changes the registry until it is stopped or the server is lost."""

    statuses_of_deletion: tuple[int, ...] = (204,)

    def __init__(self, number: int, registry: Registry, races: Races, stop: Event, seed: int) -> None:
        self.registry = registry
        self.counts: Counter[str] = Counter()
        self.error: BaseException | None = None
        self.possible: dict[str, set[Entry | None]] = {}
        self._name = f"load{number}"
        self._races = races
        self._stopped = stop
        self._choose = random.Random(seed)
        self._versions = count(seed * 1000)

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                step = self._choose.choices((self._publish, self._race, self._delete, self._yank), (4, 3, 2, 1))[0]
                step()
        except Lost:
            self.counts["lost"] += 1
        except BaseException as error:
            self.error = error

    def check(self) -> None:
        """Compare the model with the page, and continue with what the page shows.

        :raises AssertionError: if the page shows a state that no sequence of responses allows.
        """
        found = self.registry.page(self._name)
        for filename in found.keys() | self.possible.keys():
            entry = found[filename][0] if filename in found else None
            possible = self.possible.get(filename, {None})
            assert entry in possible, f"{filename} is {entry}, and not one of {possible}"
            self.possible[filename] = {entry}

    def _files(self) -> list[str]:
        return [filename for filename, possible in self.possible.items() if None not in possible]

    def _change(self, filename: str, after: Entry | None) -> None:
        """Note that a request is on its way: if it gets no response, both states are possible."""
        self.possible[filename] = self.possible.get(filename, {None}) | {after}

    def _publish(self) -> None:
        gone = [filename for filename, possible in self.possible.items() if possible == {None}]
        again = gone and self._choose.random() < 0.3  # the name of a deleted file is free
        filename = self._choose.choice(gone) if again else f"{self._name}-{next(self._versions)}.tar.gz"
        data = distribution(filename, payload=self._choose.randbytes(self._choose.choice((10, 1000, 600_000))))
        entry = sha256(data).hexdigest(), False
        self._change(filename, entry)
        answer = self.registry.upload(filename, data)
        assert answer.status == 201, answer
        self.possible[filename] = {entry}
        self.counts["published"] += 1

    def _race(self) -> None:
        """Upload a file whose name all others upload, too."""
        with self._races.lock:
            # A name whose upload got no response may have been won by it.
            filename = f"{RACE}-{len({*self._races.winners, *self._races.unknown})}.tar.gz"
        data = distribution(filename, payload=self._choose.randbytes(20))
        digest = sha256(data).hexdigest()
        try:
            answer = self.registry.upload(filename, data)
        except Lost:
            with self._races.lock:
                self._races.unknown[filename].append(digest)
            raise
        if answer.status == 201:
            with self._races.lock:
                self._races.winners[filename].append(digest)
            self.counts["races won"] += 1
        else:
            assert answer.status == 400 and TAKEN in answer.body, answer
            self.counts["races lost"] += 1

    def _delete(self) -> None:
        if not (files := self._files()):
            return
        filename = self._choose.choice(files)
        package = self.registry.package(self._name, filename.removesuffix(".tar.gz").split("-")[1])
        assert package is not None, f"{filename} has no package"
        self._change(filename, None)
        answer = self.registry.request("DELETE", package)
        assert answer.status in self.statuses_of_deletion, answer
        self.possible[filename] = {None}
        self.counts["deleted"] += 1

    def _yank(self) -> None:
        if not (files := self._files()):
            return
        filename = self._choose.choice(files)
        package = self.registry.package(self._name, filename.removesuffix(".tar.gz").split("-")[1])
        [(digest, yanked)] = (entry for entry in self.possible[filename] if entry)
        self._change(filename, (digest, not yanked))
        answer = self.registry.request("PATCH", f"{package}", {"yanked": not yanked})
        assert answer.status == 200, answer
        self.possible[filename] = {(digest, not yanked)}
        self.counts["yanked"] += 1


class Reader:
    """Reads the pages of the writers, and every file on them, until it is stopped or the server is lost."""

    def __init__(self, names: Sequence[str], registry: Registry, stop: Event) -> None:
        self.counts: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._names, self._registry, self._stopped = names, registry, stop

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                for name in self._names:
                    self.counts["read"] += self._registry.read(name)
        except Lost:
            pass
        except BaseException as error:
            self.error = error


class Load:
    """Writers and readers, started again after each crash with the models that they have."""

    def __init__(
        self, writers: int, readers: int, *, writer: "type[Writer] | None" = None, reader: "type[Reader] | None" = None
    ) -> None:
        self._writer, self._reader = writer or Writer, reader or Reader
        self.races = Races()
        self.counts: Counter[str] = Counter()
        self._models: list[dict[str, set[Entry | None]]] = [{} for _ in range(writers)]
        self._readers = readers
        self._round = 0
        self._writing: list[Writer] = []
        self._reading: list[Reader] = []

    def start(self, registry: Registry) -> None:
        """Start all clients."""
        self._round += 1
        self._stop = Event()
        seeds = range(self._round * 1000, self._round * 1000 + len(self._models))
        self._writing = [self._writer(n, registry, self.races, self._stop, seed) for n, seed in enumerate(seeds)]
        for writer, model in zip(self._writing, self._models, strict=True):
            writer.possible = model
        names = [RACE, *(f"load{number}" for number in range(len(self._models)))]
        self._reading = [self._reader(names, registry, self._stop) for _ in range(self._readers)]
        self._threads = [Thread(target=client.run) for client in self._clients()]
        for thread in self._threads:
            thread.start()

    def _clients(self) -> list[Writer | Reader]:
        return [*self._writing, *self._reading]

    @property
    def responses(self) -> int:
        """How many steps the writers have ended in this round."""
        return sum(writer.counts.total() for writer in self._writing)

    def has_done(self, responses: int) -> bool:
        """Return whether the writers have got so many responses together in this round, or one has failed."""
        return self.responses >= responses or self.has_failed()

    def each_has_done(self, responses: int) -> bool:
        """Return whether each writer has got so many responses in this round, or one has failed."""
        return min(writer.counts.total() for writer in self._writing) >= responses or self.has_failed()

    def has_failed(self) -> bool:
        """Return whether a client met a broken promise."""
        return any(client.error is not None for client in self._clients())

    def stop(self) -> None:
        """Wait for all clients.

        :raises AssertionError: if one of them met a broken promise.
        """
        self._stop.set()
        for thread in self._threads:
            thread.join()  # a server that was killed ends every request
        for client in self._clients():
            self.counts += client.counts
            if client.error is not None:
                raise client.error

    def check(self, registry: Registry) -> None:
        """Compare every model with what the registry shows, and read every file."""
        for writer in self._writing:
            writer.registry = registry
            writer.check()
        for number in range(len(self._models)):
            registry.read(f"load{number}")
        listed = {filename: entry[0] for filename, (entry, _) in registry.page(RACE).items()}
        registry.read(RACE)
        for filename in {*self.races.winners, *self.races.unknown, *listed}:
            winners, unknown = self.races.winners.get(filename, []), self.races.unknown.get(filename, [])
            assert len(winners) <= 1, f"{filename} was acknowledged {len(winners)} times"
            if winners:
                assert listed.get(filename) == winners[0], f"{filename} is not what was acknowledged"
            else:
                assert listed.get(filename) in (None, *unknown), f"{filename} is what nobody uploaded"
