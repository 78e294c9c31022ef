"""What every server of the matrix serves: a registry below its mount point, its data in the current folder."""

from hashlib import sha256
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.servers.running import MAX_FILE_SIZE, SECRET

_accounts = Accounts(
    projects=[ProjectConfig(id=1, path="acme/tools")],
    users=[User(name="ada", roles={"acme": Role.DEVELOPER})],
    tokens=[Token(user="ada", scopes=frozenset({"api"}), sha256=sha256(SECRET.encode()).hexdigest())],
    forward_to=False,
    max_file_size=MAX_FILE_SIZE,
)
_registry = Registry(
    directory=_accounts,
    auth=_accounts,
    catalogue=SQLiteCatalogue("catalogue.sqlite3"),
    blobs=FileBlobs("files"),
    forward_to=_accounts.forward_to,
    max_file_size=_accounts.max_file_size,
)
application = DispatcherMiddleware(NotFound(), {"/api/v4": _registry})


def asgi() -> Any:
    """Make the same for a server that speaks ASGI."""
    from a2wsgi import WSGIMiddleware

    mounted: Any = application  # its types and a2wsgi's differ in words alone
    return WSGIMiddleware(mounted)
