"""Rows about the time and memory before the first request."""

import os
import subprocess
import sys

from tests.benchmarks import uploading
from tests.benchmarks.bench import Bench, Measured, alternate

_TIMED = "import time; start = time.perf_counter(); import {}; print((time.perf_counter() - start) * 1000)"
_FAKE = """
import time
import urllib.request
from pypi_registry.testing import FakeRegistry
start = time.perf_counter()
with FakeRegistry() as registry:
    urllib.request.urlopen(registry.index_url).read()
    print((time.perf_counter() - start) * 1000)
"""


def _run(program: str) -> float:
    # pip compiles what it installs; so let the first run compile this tree, whatever the environment variables are.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=True)
    return float(done.stdout)


def imported(bench: Bench) -> Measured:
    def ours() -> float:
        return min(_run(_TIMED.format("pypi_registry")) for _ in range(5))

    def theirs() -> float:
        return min(_run(_TIMED.format("werkzeug.wrappers, packaging.utils, sqlite3")) for _ in range(5))

    ours(), theirs()
    return alternate(bench.plan.rounds, ours, theirs, "ms")


def resident(bench: Bench) -> Measured:
    values = []
    for _ in range(min(3, bench.plan.rounds)):
        with bench.servers.gunicorn("ours", folder=str(bench.small)) as server:
            values.append(uploading.resident(server))
    with bench.servers.gunicorn("sink", folder=str(bench.servers.new_folder())) as server:
        return Measured(tuple(values), f"the sink: {uploading.resident(server):.1f}")


def fake(bench: Bench) -> Measured:
    return Measured(tuple(_run(_FAKE) for _ in range(bench.plan.rounds)))
