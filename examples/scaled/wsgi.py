"""One of several equal servers: users and projects in registry.toml, rows in PostgreSQL, files in a bucket."""

import os

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from pypi_registry.accounts import Accounts
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.postgres import PostgresCatalogue

catalogue = PostgresCatalogue(os.environ["PYPI_REGISTRY_CATALOGUE"])
catalogue.check_schema()  # without `pypi-registry migrate`, the server does not start
blobs = ObjectBlobs.from_url(os.environ["PYPI_REGISTRY_BLOBS"], spool=os.environ.get("REGISTRY_SPOOL") or None)
registry = Accounts.from_toml("registry.toml").registry(catalogue=catalogue, blobs=blobs)
mounted = DispatcherMiddleware(NotFound(), {"/api/v4": registry})
# nginx sets these headers, and clients reach the servers only through nginx.
application = ProxyFix(mounted, x_for=1, x_proto=1, x_host=1, x_prefix=1)
