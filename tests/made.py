"""Where the makers of distributions were; they are in `pypi_registry.testing.making`."""

from typing import Any

from pypi_registry.testing.making import distribution as distribution
from pypi_registry.testing.making import make_sdist, make_wheel
from pypi_registry.testing.making import name_and_version as name_and_version


def sdist(name: str, version: str, **contents: Any) -> bytes:
    return make_sdist(name, version, **contents).data


def wheel(name: str, version: str, **contents: Any) -> bytes:
    return make_wheel(name, version, **contents).data
