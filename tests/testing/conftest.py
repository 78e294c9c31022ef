"""Our own tests take the fixtures as everybody does, but for these folders only."""

from pypi_registry.testing.fixtures import fake_registry as fake_registry
from pypi_registry.testing.fixtures import fake_registry_configuration as fake_registry_configuration
from pypi_registry.testing.fixtures import fake_registry_session as fake_registry_session
