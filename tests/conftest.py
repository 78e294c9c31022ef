"""Fixtures that more than one test module uses."""

from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry import Registry

PREFIXES = ["", "/api/v4", "/deep/er/api/v4"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests with real programs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if item not in slow]
    if slow:
        config.hook.pytest_deselected(items=slow)


class Client:
    """A WebTest client, lint on, for a registry below a prefix."""

    def __init__(self, registry: Registry, prefix: str) -> None:
        mounted: Any = DispatcherMiddleware(_nobody_home, {prefix: registry}) if prefix else registry
        self.app = TestApp(mounted, lint=True)
        self.prefix = prefix

    def get(self, path: str, **options: Any) -> Any:
        return self.app.get(self.prefix + path, **options)

    def head(self, path: str, **options: Any) -> Any:
        return self.app.head(self.prefix + path, **options)

    def post(self, path: str, *args: Any, **options: Any) -> Any:
        return self.app.post(self.prefix + path, *args, **options)


def _nobody_home(environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"the host's own page"]


@pytest.fixture(params=PREFIXES, ids=lambda prefix: prefix or "root")
def client_of(request: pytest.FixtureRequest) -> Callable[[Registry], Client]:
    """Give a function that mounts a registry, at the root and below prefixes."""
    return lambda registry: Client(registry, request.param)
