"""Fixtures for the tests of the catalogue in PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from pypi_registry.stores.postgres import PostgresCatalogue
from tests.postgres import Cluster, Databases


@pytest.fixture
def database(postgres: Cluster) -> str:
    """The URL of an empty catalogue."""
    return Databases(postgres).empty("catalogue")


@pytest.fixture
def catalogue(database: str) -> Iterator[PostgresCatalogue]:
    with closing(PostgresCatalogue(database)) as opened:
        yield opened
