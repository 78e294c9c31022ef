"""Fixtures for pytest. To use them, put ``pytest_plugins = ["pypi_registry.testing.fixtures"]`` into ``conftest.py``.

pytest accepts this line only in the ``conftest.py`` of the root directory.
"""

from collections.abc import Iterator

import pytest

from pypi_registry.testing.fake import FakeRegistry


@pytest.fixture(scope="session")
def fake_registry_configuration() -> FakeRegistry:
    """Create the registry that is started once per session; override it for another project or other limits."""
    return FakeRegistry()


@pytest.fixture(scope="session")
def fake_registry_session(fake_registry_configuration: FakeRegistry) -> Iterator[FakeRegistry]:
    """Start the registry; its packages stay until a test uses `fake_registry`."""
    with fake_registry_configuration as registry:
        yield registry


@pytest.fixture
def fake_registry(fake_registry_session: FakeRegistry) -> Iterator[FakeRegistry]:
    """Return the started registry, empty: without the packages, requests, tokens and faults of other tests."""
    fake_registry_session.clear()
    yield fake_registry_session.start()  # a test may have stopped it
    fake_registry_session.clear()
