"""A catalogue in one SQLite file: the public names."""

from pypi_registry.stores.sqlite.catalogue import SQLiteCatalogue as SQLiteCatalogue
from pypi_registry.stores.sqlite.schema import UnknownSchema as UnknownSchema
