"""Measure what can be tuned: threads, workers, and nginx sending the files.

Usage: python -m tests.benchmarks.tuning

Workers share the core of the servers here, so that more of them bring nothing but what they cost.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks import filling, loads
from tests.benchmarks.bench import Bench, Plan
from tests.benchmarks.registry import LOGIN, PYPI, Ask, page
from tests.benchmarks.servers import pin_load

ROUNDS, SECONDS = 3, 1
SETTINGS = ((1, 1), (1, 2), (1, 4), (1, 8), (1, 32), (2, 4), (4, 8))
LARGE = 100_000_000


def main() -> int:
    print(f"{pin_load()}; load average before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Plan(), Path(folder), stack)
        _threads(bench)
        _accel(bench, stack)
    return 0


def _threads(bench: Bench) -> None:
    running = {}
    for workers, threads in SETTINGS:
        started = bench.servers.gunicorn("ours", workers=workers, threads=threads, folder=str(bench.small))
        running[workers, threads] = bench.stack.enter_context(started)
    rates: dict[tuple[int, int], list[float]] = {setting: [] for setting in SETTINGS}
    for _ in range(ROUNDS):
        for setting, server in running.items():
            rates[setting].append(loads.rate(page(filling.TEN), server.port, SECONDS))
    for (workers, threads), values in rates.items():
        print(f"workers {workers}, threads {threads:2}: {median(values):7,.0f} pages a second", flush=True)


def _accel(bench: Bench, stack: ExitStack) -> None:
    names = {"of 10 KB": 10_000, "of 100 MB": LARGE}
    files = {what: filling.store(bench.small, what.replace(" ", "-"), size) for what, size in names.items()}
    direct = bench.ours(bench.small)
    behind = stack.enter_context(bench.servers.gunicorn("ours", folder=str(bench.small), accel="/blobs/"))
    nginx = stack.enter_context(bench.servers.nginx(bench.small / "files", behind.port))
    for what, file in files.items():
        ask = Ask(f"{PYPI}/files/{file.digests.sha256}/{file.filename}", LOGIN)
        for way, server in (("gunicorn", direct), ("nginx by accel", nginx)):
            if file.size == LARGE:
                values = [loads.download(server.port, ask, LARGE, 8, 1) / 1e6 for _ in range(ROUNDS)]
                unit = "MB/s, 8 clients"
            else:
                values, unit = [loads.rate(ask, server.port, SECONDS) for _ in range(ROUNDS)], "per second"
            print(f"file {what}, sent by {way}: {median(values):,.0f} {unit}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
