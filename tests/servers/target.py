"""What every server of the matrix serves: a registry below its mount point, with its data in the current folder."""

from hashlib import sha256
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.servers.running import MAX_FILE_SIZE, SECRET

_accounts = Accounts(
    projects=[ProjectConfig(id=1, path="acme/tools")],
    users=[User(name="ada", roles={"acme": Role.MAINTAINER})],
    tokens=[Token(user="ada", scopes=frozenset({"api"}), sha256=sha256(SECRET.encode()).hexdigest())],
    forwarding=False,
    max_file_size=MAX_FILE_SIZE,
)
_registry = _accounts.registry(catalogue=SQLiteCatalogue("catalogue.sqlite3"), blobs=FileBlobs("files"))
application = DispatcherMiddleware(NotFound(), {"/api/v4": _registry})


def asgi() -> Any:
    """Return the same for an ASGI server."""
    from a2wsgi import WSGIMiddleware

    mounted: Any = application  # its types and a2wsgi's are equal, but have different names
    return WSGIMiddleware(mounted)
