"""Fixtures that more than one test module uses."""

import gc
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from webtest import TestApp
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry import Registry
from tests.clients.reporting import pytest_runtest_logreport as pytest_runtest_logreport
from tests.clients.reporting import pytest_terminal_summary as pytest_terminal_summary
from tests.postgres import Cluster, running

PREFIXES = ["", "/api/v4", "/deep/er/api/v4"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests with real programs, too")
    parser.addoption("--long", action="store_true", help="run everything: sweeps and matrices, too")
    parser.addoption("--catalogue", choices=["memory", "postgres"], default="memory", help="for the tests over HTTP")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "everywhere: runs all cases below every prefix, because they test URLs")
    if config.getoption("--catalogue") == "postgres":
        from tests import over_postgres  # psycopg is imported for no other test

        config.pluginmanager.register(over_postgres)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()  # otherwise each full collection examines the 20,000 tests again: an eighth of all processor time


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = config.getoption("--long")
    slow = long or config.getoption("--slow")
    tiers = [name for name, wanted in (("slow", slow), ("long", long)) if not wanted]
    left_out = _cases_repeated_below_a_prefix(items)
    left_out |= {item for item in items if any(item.get_closest_marker(tier) for tier in tiers)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # the longest first, for pytest-xdist


def _cases_repeated_below_a_prefix(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return the cases that do not run: at the root all cases of a test run, below each prefix only the first one.

    A test marked `everywhere` runs all of its cases below every prefix.
    """
    seen: set[tuple[str, str]] = set()
    repeated = set()
    for item in items:
        case = getattr(item, "callspec", None)
        prefix = case.params.get("client_of") if case else None
        if not prefix or item.get_closest_marker("everywhere"):
            continue
        test = item.nodeid.partition("[")[0], prefix
        if test in seen:
            repeated.add(item)
        seen.add(test)
    return repeated


class Client:
    """A WebTest client, lint on, for a registry below a prefix."""

    def __init__(self, registry: Registry, prefix: str) -> None:
        mounted: Any = DispatcherMiddleware(_not_found, {prefix: registry}) if prefix else registry
        self.app = TestApp(mounted, lint=True)
        self.prefix = prefix

    def get(self, path: str, **options: Any) -> Any:
        return self.app.get(self.prefix + path, **options)

    def head(self, path: str, **options: Any) -> Any:
        return self.app.head(self.prefix + path, **options)

    def post(self, path: str, *args: Any, **options: Any) -> Any:
        return self.app.post(self.prefix + path, *args, **options)


def _not_found(environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"a page of the application"]


@pytest.fixture(params=PREFIXES, ids=lambda prefix: prefix or "root")
def client_of(request: pytest.FixtureRequest) -> Callable[[Registry], Client]:
    """Return a function that mounts a registry: at the root, and below each prefix."""
    return lambda registry: Client(registry, request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server whose commits do not wait for the disk: one for each worker of pytest-xdist."""
    with running() as cluster:
        yield cluster


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that SQLite runs on connections that are opened from here on."""
    run: list[str] = []
    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(run.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return run
