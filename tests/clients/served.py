"""``python -m pypi_registry serve`` as a process: started on a free port, watched, stopped."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0
"""Seconds after which something that has to happen counts as not happening."""


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Wait until a condition holds; return the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"this did not come true within {seconds} seconds"
        time.sleep(0.01)
    return time.monotonic() - started


class Served:
    """A server; whatever it prints goes into files, so that it never waits for a reader."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        run = sum(1 for _ in data.parent.glob(f"{data.name}.*.out"))
        self._out = data.with_name(f"{data.name}.{run}.out")
        self._err = data.with_name(f"{data.name}.{run}.err")
        # waitress leaves it to the interpreter to close what a client that went away has sent.
        warnings = ["-W", "error", "-W", "ignore::ResourceWarning"]
        command = [sys.executable, *warnings, "-m", "pypi_registry", "serve", "--port", "0", "--data", str(data)]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen([*command, *options], stdout=out, stderr=err, cwd=data.parent)

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        until(lambda: "Serving on" in self.out or self.process.poll() is not None)
        assert self.process.poll() is None, self.err

    @property
    def api(self) -> str:
        """The printed address, without its last slash: ``http://127.0.0.1:8080/api/v4``."""
        found = re.search(r"^Serving on (http://\S+/api/v4)/$", self.out, re.MULTILINE)
        assert found, self.out
        return found[1]

    @property
    def site(self) -> str:
        """The printed address without its path: ``http://127.0.0.1:8080``."""
        return self.api.removesuffix("/api/v4")

    @property
    def port(self) -> int:
        return int(self.site.rpartition(":")[2])

    @property
    def secret(self) -> str:
        """The token of a first start."""
        return self.line("registry-")

    def line(self, beginning: str) -> str:
        """Return the only printed line with this beginning."""
        [found] = [line for line in self.out.splitlines() if line.startswith(beginning)]
        return found

    @property
    def access_lines(self) -> list[str]:
        return [line for line in self.err.splitlines() if re.match(r"127\.0\.0\.1 \d{4}-", line)]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_until_stopped(self) -> None:
        """Wait for the end after a signal, which must be a good one."""
        try:
            status = self.process.wait(PATIENCE)
        finally:
            self.kill()
        assert status == 0, self.err
        assert "Traceback" not in self.out + self.err, self.err

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        self.wait_until_stopped()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def served(data: Path, *options: str) -> Iterator[Served]:
    """Serve; at the end it must have stopped well, unless the test itself stopped or killed it."""
    server = Served(data, *options)
    try:
        server.wait_until_ready()
        yield server
        if server.process.poll() is None:
            server.stop()
    finally:
        server.kill()
