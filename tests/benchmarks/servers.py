"""Servers as processes of their own, on a core of their own: started on a free port, awaited, stopped."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.applications import choice

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0

_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


class NotInstalled(Exception):
    """Says which program a row would need."""


def pin_load() -> str:
    """Keep this process, and what it starts, to the first core; tell how the two sides are kept apart."""
    if len(_CORES) < 2:
        return "load and server share one core, or know none"
    os.sched_setaffinity(0, {_CORES[0]})
    return f"load on core {_CORES[0]}, servers on core {_CORES[-1]}"


@contextmanager
def _on_the_server_core() -> Iterator[None]:
    if len(_CORES) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CORES[-1]})  # a process that is started now inherits it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    @cached_property
    def worker(self) -> int:
        """The process that answers: gunicorn's first child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0])


@contextmanager
def _started(command: Sequence[str], port: int, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    with log.open("wb") as out, _on_the_server_core():
        process = subprocess.Popen(
            [*command], cwd=ROOT, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _await(process, port, log)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(b"HEAD /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if connection.recv(1):
                    return
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} was not ready: {log.read_text(encoding='utf-8', errors='replace')}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _needs(module: str) -> None:
    if find_spec(module) is None:
        raise NotInstalled(module)


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NotInstalled(name)
    return found


class Servers:
    """Starts servers whose files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def new_folder(self) -> Path:
        self._number += 1
        path = self._folder / f"server-{self._number}"
        path.mkdir()
        return path

    def _log(self) -> Path:
        return self.new_folder() / "log"

    @contextmanager
    def gunicorn(
        self, application: str, *, workers: int = 1, threads: int = 8, **arguments: object
    ) -> Iterator[Server]:
        """One gthread worker of 8 threads, as every row has it."""
        _needs("gunicorn")
        if application == "pypiserver":
            _needs(application)
        port = free_port()
        options = ["--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)]
        options += ["--bind", f"127.0.0.1:{port}", "--keep-alive", "60", "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", *options, "tests.benchmarks.applications:chosen()"]
        with _started(command, port, choice(application, **arguments), self._log()) as server:
            yield server

    @contextmanager
    def bjoern(self, application: str, **arguments: object) -> Iterator[Server]:
        _needs("bjoern")
        port = free_port()
        program = "import bjoern; from tests.benchmarks.applications import chosen; "
        program += f"bjoern.run(chosen(), '127.0.0.1', {port})"
        with _started([sys.executable, "-c", program], port, choice(application, **arguments), self._log()) as server:
            yield server

    @contextmanager
    def granian(self, application: str, **arguments: object) -> Iterator[Server]:
        _needs("granian")
        port = free_port()
        options = ["--interface", "wsgi", "--factory", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
        command = [sys.executable, "-m", "granian", *options, "tests.benchmarks.applications:chosen"]
        with _started(command, port, choice(application, **arguments), self._log()) as server:
            yield server

    @contextmanager
    def nginx(self, files: Path, upstream: int | None = None) -> Iterator[Server]:
        """Send the files of a folder; with an upstream, only what it names by ``X-Accel-Redirect``."""
        program, port, place = _program("nginx"), free_port(), self.new_folder()
        locations = f"location / {{ root {files}; }}"
        if upstream is not None:
            proxy = f"proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_set_header Connection '';"
            locations = f"location /blobs/ {{ internal; alias {files}/; }} location / {{ {proxy} }}"
        temporary = "".join(
            f"{what}_temp_path {place}/{what}; " for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        (place / "nginx.conf").write_text(
            f"{user} worker_processes 1; pid {place}/pid; daemon off; error_log {place}/error; "
            "events { worker_connections 256; } http { access_log off; sendfile on; keepalive_requests 1000000; "
            f"{temporary} server {{ listen 127.0.0.1:{port}; {locations} }} }}",
            encoding="utf-8",
        )
        command = [program, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "error")]
        with _started(command, port, {}, self._log()) as server:
            yield server

    @contextmanager
    def pypiron(self) -> Iterator[Server]:
        """The registry in Rust, empty, with access control; it is to fetch nothing from outside."""
        program, port, place = _program("pypiron"), free_port(), self.new_folder()
        options = ["--data-dir", str(place / "data"), "--spool-dir", str(place), "--bind-addr", f"127.0.0.1:{port}"]
        options += ["--uploader-user", PYPIRON_LOGIN[0], "--uploader-pass", PYPIRON_LOGIN[1]]
        options += ["--read-user", "reader", "--read-pass", "reads", "--advisory-feed", "", "--malware-block", "false"]
        with _started([program, "serve", *options], port, {}, self._log()) as server:
            yield server


PYPIRON_LOGIN = ("__token__", "uploads")
