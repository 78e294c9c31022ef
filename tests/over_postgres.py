"""The HTTP tests over PostgreSQL: with ``--catalogue=postgres``, the tests get its catalogue for `MemoryCatalogue`.

``python -m pytest tests/api --catalogue=postgres``. A test of `--long` runs it.
"""

from collections.abc import Iterator
from contextlib import ExitStack

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

    def close(self) -> None:
        for each in self._open:
            each.close()
        self._open.clear()


class Plugin:
    """Replaces the class before the test modules import it."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def pytest_sessionstart(self) -> None:
        replacement = _Replacement(Databases(self._stack.enter_context(running())))

        class MemoryCatalogue(PostgresCatalogue):
            def __init__(self) -> None:
                super().__init__(replacement.register(self), max_size=16)

        self._replacement = replacement
        memory.MemoryCatalogue = MemoryCatalogue  # type: ignore[assignment, misc]  # it is another class on purpose

    def pytest_sessionfinish(self) -> None:
        self._stack.close()

    @pytest.fixture(autouse=True)
    def _databases(self) -> Iterator[None]:
        yield
        self._replacement.close()
