"""A catalogue in a PostgreSQL database: the public names. It needs the extra ``postgres``."""

from pypi_registry.stores.postgres.catalogue import PostgresCatalogue as PostgresCatalogue
from pypi_registry.stores.postgres.schema import UnknownSchema as UnknownSchema
from pypi_registry.stores.postgres.schema import migrate as migrate
