"""Measure how the lists of the Packages API cost more with 1,000,000 files than with 1,000.

Usage: python -m tests.benchmarks.packages_list [--quick] [--folder FOLDER]

Both catalogues have 100 files in each project of one group. The requests go to the application in this process, from a
member of the group, who reads all of it, and from a member of ten of its projects. The times are processor time, which
other processes disturb less than the time of a clock; each is the least of several. The largest catalogue has 700 MB.
"""

import argparse
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue, schema
from tests.benchmarks.inside import answer, environ_of
from tests.benchmarks.registry import Ask, project

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

GROUP = "acme"
NAMES, VERSIONS = 20, 5
"""Of each project: names, and versions of each name, with one file each."""
FEW = 10
"""How many projects the second reader reads."""
SMALL, BIG, QUICK_BIG = 10, 10_000, 1_000
"""Projects."""

READERS = ("all", "ten projects")
ORDERS = [(order, sort) for order in ("created_at", "name", "version", "project_path") for sort in ("asc", "desc")]
MOST_FOR_SIZE, MOST_FOR_DEPTH = 3, 50
# fmt: off
_WORDS = (
    "acme", "auth", "base", "batch", "cache", "client", "core", "data", "delta", "edge", "event", "field", "flow",
    "graph", "grid", "hash", "host", "index", "info", "json", "kern", "key", "lib", "log", "media", "mesh", "net",
    "node", "object", "pack", "path", "query", "queue", "rest", "route", "scan", "server", "sync", "table", "task",
    "unit", "user", "value", "view", "web", "worker", "xml", "yaml", "zone",
)
# fmt: on


@dataclass(frozen=True)
class Filled:
    """A catalogue with an application over it."""

    application: "WSGIApplication"
    files: int
    name: str
    """The name of a package that both readers read."""


def fill(path: Path, projects: int) -> str:
    """Create a catalogue, and return the name of one package in the first project.

    Rows of schema 2 are inserted and migrated: a million uploads would take hours.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        for statement in "\n--\n".join(schema.STEPS[:2]).split("\n--\n"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        for table, rows in (("packages", _packages(projects)), ("files", _files(projects))):
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * _WIDTHS[table])})", rows)
        connection.executemany(
            "INSERT INTO publishers VALUES (?, ?)", ((each, project(each).path) for each in range(1, projects + 1))
        )
        connection.execute("INSERT OR IGNORE INTO published SELECT normalized, ?, project_id FROM packages", (GROUP,))
        connection.execute("COMMIT")
    SQLiteCatalogue(path).close()
    return next(_names(1))


_WIDTHS = {"packages": 9, "files": 12}


def _names(project_id: int) -> Iterator[str]:
    noise = random.Random(project_id)
    for _ in range(NAMES):
        yield f"{noise.choice(_WORDS)}-{noise.choice(_WORDS)}-{noise.randrange(36**4):x}"


def _packages(projects: int) -> Iterator[tuple[object, ...]]:
    noise, id_ = random.Random(0), 0
    metadata = '{"summary": "%s"}' % ("x" * 100)
    for project_id in range(1, projects + 1):
        for name in _names(project_id):
            for number in range(VERSIONS):
                id_ += 1
                version = f"{number}.{noise.randrange(100)}"
                created_at = 1_700_000_000_000_000 + noise.randrange(10**15)
                yield id_, project_id, name, name, version, version, metadata, created_at, None


def _files(projects: int) -> Iterator[tuple[object, ...]]:
    for id_, project_id, name, _, version, *_, created_at, _ in _packages(projects):
        filename = f"{name}-{id_}-{version}.tar.gz"
        digest = sha256(filename.encode()).hexdigest()
        yield id_, id_, project_id, filename, 10_000, digest, None, None, ">=3.9", created_at, digest[:32], None


def open_registry(path: Path, projects: int, name: str) -> Filled:
    """Open a registry with two users, whose tokens are their names."""
    ten = {project(number).path: Role.DEVELOPER for number in range(1, projects + 1, projects // FEW)}
    accounts = Accounts(
        projects=[ProjectConfig(id=number, path=project(number).path) for number in range(1, projects + 1)],
        groups=[GroupConfig(path=GROUP, visibility=Visibility.PUBLIC)],
        users=[User(name="all", roles={GROUP: Role.DEVELOPER}), User(name="ten", roles=ten)],
        tokens=[
            Token(user=reader.split()[0], scopes=frozenset({"api"}), sha256=token_digest(f"registry-{reader}"))
            for reader in READERS
        ],
    )
    registry = accounts.registry(catalogue=SQLiteCatalogue(path), blobs=MemoryBlobs(), forward_to=None)
    return Filled(registry, projects * NAMES * VERSIONS, name)


def ask(reader: str, *, html: bool = False, **parameters: object) -> Ask:
    """Return the request for a list of the group."""
    headers = {"PRIVATE-TOKEN": f"registry-{reader}", "Accept": "text/html" if html else "application/json"}
    return Ask(f"/groups/{GROUP}/packages?{urlencode(parameters)}", headers)


def microseconds(filled: Filled, asked: Ask, seconds: float) -> float:
    """Return the processor time of a request: the least of several."""
    environ = environ_of(asked)
    status, body = answer(filled.application, dict(environ))
    assert status == "200 OK", (status, body)
    least, end, repetitions = float("inf"), time.perf_counter() + seconds, 0
    while repetitions < 3 or time.perf_counter() < end:
        started = time.thread_time()
        answer(filled.application, dict(environ))
        least = min(least, time.thread_time() - started)
        repetitions += 1
    return least * 1e6


def requests(reader: str, filled: Filled) -> Mapping[str, Ask]:
    """Return the requests whose cost should not depend on the number of files."""
    return {
        **{f"first page, {order} {sort}": ask(reader, order_by=order, sort=sort) for order, sort in ORDERS},
        "search: a whole name": ask(reader, package_name=filled.name),
        "search: the end of a name": ask(reader, package_name=filled.name[-5:]),
        "search: a frequent word": ask(reader, package_name="pack"),
        "search: nothing": ask(reader, package_name="no-such-name"),
        "list in a browser": ask(reader, html=True),
        "search in a browser": ask(reader, html=True, package_name=filled.name),
    }


def compare_sizes(small: Filled, big: Filled, seconds: float) -> Iterator[tuple[str, float, float]]:
    """Yield what was requested, and the microseconds of both catalogues."""
    for reader in READERS:
        for what, asked in requests(reader, small).items():
            other = requests(reader, big)[what]
            yield f"{what}; {reader}", microseconds(small, asked, seconds), microseconds(big, other, seconds)


def compare_depths(big: Filled, seconds: float) -> Iterator[tuple[str, float, float]]:
    """Yield what was requested, and the microseconds of the first page and of the deeper one."""
    for reader, files in zip(READERS, (big.files, FEW * NAMES * VERSIONS), strict=True):
        for order, sort in ORDERS:
            first = microseconds(big, ask(reader, order_by=order, sort=sort), seconds)
            pages = -(-files // 20)
            for where, page in (("middle", pages // 2), ("last", pages)):
                deep = microseconds(big, ask(reader, order_by=order, sort=sort, page=page), seconds)
                yield f"{where} page, {order} {sort}; {reader}", first, deep


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.packages_list", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_BIG * NAMES * VERSIONS:,} files at most")
    parser.add_argument("--folder", type=Path, help="where to create the catalogues")
    options = parser.parse_args(arguments)
    seconds = 0.1 if options.quick else 0.5
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        small, big = (
            _filled(Path(folder) / f"{projects}.sqlite3", projects)
            for projects in (SMALL, QUICK_BIG if options.quick else BIG)
        )
        missed = _show(f"{small.files:,}", f"{big.files:,}", compare_sizes(small, big, seconds), MOST_FOR_SIZE)
        missed += _show("first page", "deep page", compare_depths(big, seconds), MOST_FOR_DEPTH)
    print(f"\ngoals not met: {missed}")
    return 1 if missed else 0


def _filled(path: Path, projects: int) -> Filled:
    started = time.monotonic()
    filled = open_registry(path, projects, fill(path, projects))
    print(f"{filled.files:,} files: {path.stat().st_size // 10**6} MB, {time.monotonic() - started:.0f} s", flush=True)
    return filled


def _show(first: str, second: str, rows: Iterator[tuple[str, float, float]], most: float) -> int:
    print(f"\n{'µs':60} {first:>12} {second:>12}    ratio, at most {most}")
    missed = 0
    for what, one, other in rows:
        is_missed = other > most * one
        missed += is_missed
        print(f"{what:60} {one:12.0f} {other:12.0f} {other / one:8.1f} {'NOT MET' if is_missed else ''}", flush=True)
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
