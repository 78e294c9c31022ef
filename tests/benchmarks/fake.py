"""How long the fake registry takes from its start to its first page, beside other ways to have an index in a test.

Usage: python tests/benchmarks/fake.py [--rounds 200]

Each round makes a registry with one package in it, starts it, asks for the page of the package, and stops it. Beside
it, in the same run: the same application under Werkzeug's server in a thread, and pypiserver as a process of its own,
if it is installed, with the same package in its folder. All times are medians, in milliseconds.
"""

import argparse
import importlib.util
import logging
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from werkzeug.serving import make_server

from pypi_registry.testing import FakeRegistry, make_wheel

Served = Callable[[], AbstractContextManager[str]]
"""Starts an index; its context is the address of the page of ``demo``."""

FIRST = """
import time
from urllib.request import urlopen
from pypi_registry.testing import FakeRegistry

began = time.perf_counter()
with FakeRegistry() as registry:
    registry.add("demo", "1.0")
    with urlopen(f"{registry.index_url}/demo/") as page:
        assert b"demo-1.0" in page.read()
    print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds: int = parser.parse_args().rounds
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    imported = statistics.median(seconds_of("import pypi_registry.testing") - seconds_of("pass") for _ in range(10))
    print(f"import pypi_registry.testing: {imported * 1000:.0f} ms, once")
    firsts = [float(subprocess.check_output([sys.executable, "-c", FIRST])) for _ in range(10)]
    print(f"the very first page of a process, after the import: {statistics.median(firsts) * 1000:.1f} ms")
    print(f"{'':24} {'start':>10} {'first page':>12} {'stop':>10} {'a page more':>12}")
    fake = measured("FakeRegistry", a_fake, rounds)
    other = measured("under Werkzeug's server", under_werkzeug, max(1, rounds // 20))
    print(f"{'':24} the fake has its first page after {fake / other:.2f} times as long")
    if importlib.util.find_spec("pypiserver") is None:
        print("pypiserver is not installed")
        return
    other = measured("pypiserver, a process", a_pypiserver, max(1, rounds // 40))
    print(
        f"{'':24} the fake has its first page after {fake / other:.5f} times as long: {other / fake:.0f} times as fast"
    )


def seconds_of(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def measured(name: str, serve: Served, rounds: int) -> float:
    """Measure, print, and return the seconds until the first page."""
    starts, pages, stops, more = [], [], [], []
    for _ in range(rounds):
        began = time.perf_counter()
        context = serve()
        page = context.__enter__()
        starts.append(time.perf_counter() - began)
        place = urlsplit(page)
        connection = HTTPConnection(place.netloc)
        get(connection, place.path)
        pages.append(time.perf_counter() - began)
        asked = time.perf_counter()
        for _ in range(10):
            get(connection, place.path)
        more.append((time.perf_counter() - asked) / 10)
        connection.close()
        ended = time.perf_counter()
        context.__exit__(None, None, None)
        stops.append(time.perf_counter() - ended)
    times = [1000 * statistics.median(some) for some in (starts, pages, stops, more)]
    print(f"{name:24} {times[0]:10.2f} {times[1]:12.2f} {times[2]:10.2f} {times[3]:12.2f}")
    return statistics.median(pages)


def get(connection: HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    if b"demo-1.0-py3-none-any.whl" not in answer.read():
        raise SystemExit(f"{path}: {answer.status} {answer.reason}")


@contextmanager
def a_fake() -> Iterator[str]:
    with FakeRegistry() as registry:
        registry.add("demo", "1.0")
        yield f"{registry.index_url}/demo/"


@contextmanager
def under_werkzeug() -> Iterator[str]:
    registry = FakeRegistry()
    registry.add("demo", "1.0")
    server = make_server("127.0.0.1", 0, registry.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield registry.index_url.replace(registry.url, f"http://127.0.0.1:{server.port}") + "/demo/"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def a_pypiserver() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        make_wheel("demo", "1.0").write_to(Path(folder))
        port = free_port()
        command = [sys.executable, "-m", "pypiserver", "run", "--interface", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen([*command, "--disable-fallback", folder], stderr=subprocess.DEVNULL)
        while not is_open(port):
            time.sleep(0.001)
        yield f"http://127.0.0.1:{port}/simple/demo/"
        server.terminate()
        server.wait()


def free_port() -> int:
    with FakeRegistry() as registry:
        return urlsplit(registry.url).port or 0


def is_open(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.connect()
    except OSError:
        return False
    connection.close()
    return True


if __name__ == "__main__":
    main()
