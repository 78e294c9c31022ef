"""Fixtures for pytest; the ``conftest.py`` at the top says ``pytest_plugins = ["pypi_registry.testing.fixtures"]``."""

from collections.abc import Iterator

import pytest

from pypi_registry.testing.fake import FakeRegistry


@pytest.fixture(scope="session")
def fake_registry_configuration() -> FakeRegistry:
    """Make the registry that is started, once a session: override it for another project or other limits."""
    return FakeRegistry()


@pytest.fixture(scope="session")
def fake_registry_session(fake_registry_configuration: FakeRegistry) -> Iterator[FakeRegistry]:
    """Start the registry; what is put into it stays until a test asks for `fake_registry`."""
    with fake_registry_configuration as registry:
        yield registry


@pytest.fixture
def fake_registry(fake_registry_session: FakeRegistry) -> Iterator[FakeRegistry]:
    """Give the started registry with nothing in it: no package, request, token or fault of another test."""
    fake_registry_session.clear()
    yield fake_registry_session.start()  # a test may have stopped it, to be without an index
    fake_registry_session.clear()
