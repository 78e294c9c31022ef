"""The HTTP tests over PostgreSQL: with ``--catalogue=postgres``, the tests get its catalogue for `MemoryCatalogue`.

``python -m pytest tests/api --catalogue=postgres``. A test of `--long` runs it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from pypi_registry.stores import memory
from pypi_registry.stores.postgres import PostgresCatalogue
from tests.postgres import Databases, running


class _Replacement:
    """Databases for the catalogues that a test creates, each empty in the beginning."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._open: list[PostgresCatalogue] = []

    def register(self, catalogue: PostgresCatalogue) -> str:
        self._open.append(catalogue)
        return self._databases.empty(f"http{len(self._open)}")

    @contextmanager
    def closing_new_ones(self) -> Iterator[None]:
        """Close the catalogues that are created meanwhile; their databases are then used again."""
        before = len(self._open)
        yield
        while len(self._open) > before:
            self._open.pop().close()


_REPLACEMENT = pytest.StashKey[_Replacement]()
_SERVERS = pytest.StashKey[ExitStack]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace the class before the test modules import it."""
    stack = session.config.stash[_SERVERS] = ExitStack()
    replacement = session.config.stash[_REPLACEMENT] = _Replacement(Databases(stack.enter_context(running())))

    class MemoryCatalogue(PostgresCatalogue):
        def __init__(self) -> None:
            super().__init__(replacement.register(self), max_size=16)

    memory.MemoryCatalogue = MemoryCatalogue  # type: ignore[assignment, misc]  # a class cannot be replaced for mypy


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_SERVERS].close()


# pytest sets up the fixtures of a module before those of a test, so each catalogue lives as long as its fixture.
@pytest.fixture(autouse=True, scope="module")
def _databases_of_the_module(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.config.stash[_REPLACEMENT].closing_new_ones():
        yield


@pytest.fixture(autouse=True)
def _databases_of_the_test(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.config.stash[_REPLACEMENT].closing_new_ones():
        yield
