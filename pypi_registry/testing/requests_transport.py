"""An adapter of requests that reaches a fake registry without a socket, as in `urllib3_transport`."""

from typing import Any

from requests.adapters import HTTPAdapter

from pypi_registry.testing.fake import FakeRegistry
from pypi_registry.testing.urllib3_transport import pool_manager


def requests_adapter(registry: FakeRegistry, **options: Any) -> HTTPAdapter:
    """Create an adapter, to be mounted in a session of requests at the `url` of the registry.

    :param options: the arguments of requests' ``HTTPAdapter``.
    """

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
            self.poolmanager = pool_manager(registry, num_pools=connections, maxsize=maxsize, block=block, **more)

    return Adapter(**options)
