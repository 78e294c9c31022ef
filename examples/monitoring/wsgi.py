"""The registry alone, as in examples/standalone, with metrics and health checks."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry.accounts import Accounts
from pypi_registry.health import Health
from pypi_registry.metrics import Metrics
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

FOLDER = Path(os.environ.get("REGISTRY_FOLDER", "."))
catalogue = SQLiteCatalogue(FOLDER / "data" / "catalogue.sqlite3")
blobs = FileBlobs(FOLDER / "data" / "files")
metrics = Metrics(CollectorRegistry())
accounts = Accounts.from_toml(FOLDER / "registry.toml")
registry = accounts.registry(catalogue=catalogue, blobs=blobs, on_event=metrics.on_event)
mounted = DispatcherMiddleware(NotFound(), {"/api/v4": registry, "/-": Health(catalogue, blobs)})
application = metrics.middleware(mounted)
