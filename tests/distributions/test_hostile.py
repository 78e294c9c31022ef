"""Each hostile distribution is refused, by `verify` and over HTTP, at little cost, and leaves nothing."""

import io
import json
import re
import sqlite3
import tracemalloc
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry.distributions import verify
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.distributions.hostile import HOSTILE, Hostile, sdist

MEGABYTE = 1024**2

PEAK = 48 * MEGABYTE
"""More memory than looking into any file may take, whatever it claims to hold."""
UNPACKED = 128 * MEGABYTE
"""More bytes than may be unpacked for an upload: 64 MiB for RECORD's digests, and what is always read."""

# What takes seconds to make, and is large.
LARGE = {
    "zip: too many entries",
    "wheel: a huge METADATA",
    "wheel: a huge WHEEL",
    "wheel: a huge RECORD",
    "wheel: a RECORD of a great many rows",
    "tar: a huge global pax header",
    "tar: long paths in great number",
    "tar: too many members",
    "tar: a huge PKG-INFO",
}


class Counted(io.BytesIO):
    """Knows how many bytes were read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        size = super().readinto(buffer)
        self.count += size
        return size


@dataclass
class CountedUnpacking:
    """Stands for zlib's inflater, and knows how many bytes all of them gave."""

    make: Callable[..., Any]
    count: int = 0

    def __call__(self, *args: Any) -> Any:
        return _Inflater(self, self.make(*args))


class _Inflater:
    def __init__(self, counted: CountedUnpacking, inflater: Any) -> None:
        self._counted = counted
        self._inflater = inflater

    def decompress(self, *args: Any) -> bytes:
        data: bytes = self._inflater.decompress(*args)
        self._counted.count += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inflater, name)


@lru_cache(maxsize=len(HOSTILE))
def _kept(hostile: Hostile) -> bytes:
    return hostile.make()


def bytes_of(hostile: Hostile) -> bytes:
    """Give its bytes; what is large is made anew each time, and not kept."""
    return hostile.make() if any(hostile is HOSTILE[row] for row in LARGE) else _kept(hostile)


def every(*, with_slow: Container[str]) -> pytest.MarkDecorator:
    """Parametrize a test with every file. What is large is part of a sweep, except for the rows that are named."""

    def marks(row: str) -> list[pytest.MarkDecorator]:
        tier = pytest.mark.slow if row in with_slow else pytest.mark.long
        return [tier] if row in LARGE else []

    cases = [pytest.param(hostile, id=row, marks=marks(row)) for row, hostile in HOSTILE.items()]
    return pytest.mark.parametrize("hostile", cases)


@every(with_slow=LARGE)
def test_it_is_refused_with_a_sentence_that_names_the_matter(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Counted(bytes_of(hostile))
    unpacking = CountedUnpacking(zlib.decompressobj)
    monkeypatch.setattr(zlib, "decompressobj", unpacking)
    tracemalloc.start()
    try:
        report = verify(stream, hostile.filename)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [problem for problem in report.problems if re.search(hostile.pattern, problem, re.IGNORECASE)], (
        report.problems
    )
    assert all(problem.isprintable() and len(problem) < 500 for problem in report.problems)
    assert peak < PEAK
    assert unpacking.count < UNPACKED
    assert stream.count <= 2 * len(stream.getvalue()) + MEGABYTE


@every(with_slow=["zip: too many entries"])
def test_it_is_refused_where_everything_is_unpacked(hostile: Hostile) -> None:
    assert verify(io.BytesIO(bytes_of(hostile)), hostile.filename, budget=None).problems


@dataclass(frozen=True)
class Deployment:
    """A registry, and a function that returns everything in its stores."""

    registry: Registry
    held: Callable[[], object]

    def publish(self, filename: str, data: bytes, name: str = "demo", version: str = "1.0") -> tuple[str, Any]:
        """Upload as twine does; return the status and the body."""
        form = {":action": "file_upload", "name": name, "version": version, "content": (io.BytesIO(data), filename)}
        return self.ask("/projects/7/packages/pypi", method="POST", data=form)

    def ask(self, path: str, **options: Any) -> tuple[str, Any]:
        environ = EnvironBuilder(path, headers=[("Accept", "application/json")], **options).get_environ()
        with environ["wsgi.input"]:
            body, status, _ = run_wsgi_app(self.registry, environ)
            return status, json.loads(b"".join(body))


def in_memory(folder: Path) -> Deployment:
    catalogue = MemoryCatalogue()
    registry = Registry(auth=AllowAll(), catalogue=catalogue, blobs=FileBlobs(folder), forward_to=None)
    return Deployment(registry, lambda: ([*catalogue.records()], files_below(folder)))


def on_the_disk(folder: Path) -> Deployment:
    database = folder / "registry.db"
    catalogue = SQLiteCatalogue(database)
    _OPENED.append(catalogue)
    registry = Registry(auth=AllowAll(), catalogue=catalogue, blobs=FileBlobs(folder / "blobs"), forward_to=None)
    return Deployment(registry, lambda: (rows_of(database), files_below(folder / "blobs")))


_OPENED: list[SQLiteCatalogue] = []


@pytest.fixture(scope="module", autouse=True)
def catalogues_are_closed() -> Iterator[None]:
    yield
    for catalogue in _OPENED:
        catalogue.close()


def files_below(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def rows_of(database: Path) -> Sequence[str]:
    connection = sqlite3.connect(database)
    try:
        return [*connection.iterdump()]
    finally:
        connection.close()


@pytest.fixture(scope="module", params=[in_memory, on_the_disk])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A registry that stays empty: nothing is ever accepted."""
    return request.param(tmp_path_factory.mktemp("deployment"))


@every(with_slow=["zip: too many entries"])
def test_an_upload_is_refused_and_leaves_nothing(deployment: Deployment, hostile: Hostile) -> None:
    data = bytes_of(hostile)
    before = deployment.held()
    status, body = deployment.publish(hostile.filename, data)
    assert status.partition(" ")[0] == "400"
    problems = verify(io.BytesIO(data), hostile.filename).problems
    assert problems and set(problems) <= set(body["errors"])
    assert all(problem in body["message"] for problem in problems)
    assert deployment.held() == before
    assert deployment.ask("/projects/7/packages/pypi/simple/demo")[0].partition(" ")[0] == "404"


@pytest.mark.parametrize("make", [in_memory, on_the_disk])
def test_a_good_upload_would_be_seen(make: Callable[[Path], Deployment], tmp_path: Path) -> None:
    deployment = make(tmp_path)
    before = deployment.held()
    status, _ = deployment.publish("demo-1.0.tar.gz", sdist())
    assert status.partition(" ")[0] == "201"
    assert deployment.held() != before
