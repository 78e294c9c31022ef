"""The registry alone, for any WSGI server: users and projects in registry.toml, packages below data/."""

import os
from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry import Registry
from pypi_registry.accounts import Accounts
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

FOLDER = Path(os.environ.get("REGISTRY_FOLDER", "."))
accounts = Accounts.from_toml(FOLDER / "registry.toml")
registry = Registry(
    directory=accounts,
    auth=accounts,
    catalogue=SQLiteCatalogue(FOLDER / "data" / "catalogue.sqlite3"),
    # REGISTRY_ACCEL=/blobs/ lets nginx send the files: only with nginx-accel.conf, or nobody does.
    blobs=FileBlobs(FOLDER / "data" / "files", accel=os.environ.get("REGISTRY_ACCEL") or None),
    forward_to=accounts.forward_to,
    max_file_size=accounts.max_file_size,
)
application = DispatcherMiddleware(NotFound(), {"/api/v4": registry})
