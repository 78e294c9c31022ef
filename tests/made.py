"""Where the makers of distributions were; they are in `pypi_registry.testing.making`."""

from pypi_registry.testing.making import *  # noqa: F403
