"""The registry alone, for any WSGI server: users and projects in registry.toml, packages in data/."""

import os
from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from pypi_registry.accounts import Accounts
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

FOLDER = Path(os.environ.get("REGISTRY_FOLDER", "."))
accounts = Accounts.from_toml(FOLDER / "registry.toml")
registry = accounts.registry(
    catalogue=SQLiteCatalogue(FOLDER / "data" / "catalogue.sqlite3"),
    # REGISTRY_ACCEL=/blobs/ lets nginx send the files. Then responses have no body, and only nginx-accel.conf adds it.
    blobs=FileBlobs(FOLDER / "data" / "files", accel=os.environ.get("REGISTRY_ACCEL") or None),
)
mounted = DispatcherMiddleware(NotFound(), {"/api/v4": registry})
# REGISTRY_PROXIES=1 trusts the X-Forwarded-… headers of one proxy, such as nginx. With 0 they change nothing.
proxies = int(os.environ.get("REGISTRY_PROXIES", "0"))
application = ProxyFix(mounted, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
