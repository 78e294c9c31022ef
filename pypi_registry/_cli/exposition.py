"""The port of ``serve --metrics``, from which Prometheus reads the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from pypi_registry.metrics import Metrics

HOST = "127.0.0.1"
"""Metrics tell how a registry is used, and need no token."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """Metrics, and where they are read."""

    metrics: Metrics
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/metrics"


@contextmanager
def exposed(port: int) -> Iterator[Exposition]:
    """Expose metrics for the length of a ``with`` block; port 0 chooses a free port.

    :raises OSError: if the port cannot be used; its ``filename`` is the address.
    """
    collectors = CollectorRegistry()
    ProcessCollector(registry=collectors)  # memory, processor time, open files
    try:
        server, thread = start_http_server(port, HOST, collectors)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{HOST}:{port}") from error
    try:
        yield Exposition(Metrics(collectors), server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
