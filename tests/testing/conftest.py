"""The fixtures, for the tests in this directory only: `pytest_plugins` would enable them everywhere."""

from pypi_registry.testing.fixtures import fake_registry as fake_registry
from pypi_registry.testing.fixtures import fake_registry_configuration as fake_registry_configuration
from pypi_registry.testing.fixtures import fake_registry_session as fake_registry_session
