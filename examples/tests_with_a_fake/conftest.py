pytest_plugins = ["pypi_registry.testing.fixtures"]
