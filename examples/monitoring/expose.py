"""Exposes what all workers have counted, on a port of this machine. Runs beside gunicorn, as a process of its own."""

import os

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

collectors = CollectorRegistry()
MultiProcessCollector(collectors)  # type: ignore[no-untyped-call]  # it has no types; reads PROMETHEUS_MULTIPROC_DIR
port = int(os.environ.get("METRICS_PORT", "9100"))
server, thread = start_http_server(port, "127.0.0.1", collectors)
thread.join()
