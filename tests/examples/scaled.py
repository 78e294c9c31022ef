"""The example of several servers as it runs: two gunicorns behind nginx, a PostgreSQL, and rclone as the bucket."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.programs import SCRIPTS, Programs
from tests.clients.served import PATIENCE, until
from tests.examples.readme import Example
from tests.ports import free_port
from tests.postgres import Cluster, running
from tests.servers.running import ROOT, listens, nginx
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, Rclone, new_bucket, rclone

PORTS = ("8001", "8002")
WITHOUT_POWER_CUTS = {"fsync": "off"}
"""Settings of a database that may be killed: what it committed is with the system, if not on the disk."""


@dataclass
class Server:
    """One of the servers, which can be killed and started again on its port."""

    command: Sequence[str]
    folder: Path
    port: int
    environment: Mapping[str, str]
    log: Path
    starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v4"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, as systemd does, again and again until it listens: it ends if its database is away."""
        until(self._starts)

    def _starts(self) -> bool:
        self.starts += 1
        with self.log.open("ab") as log:
            # A group of processes of its own, so that all of them can be killed at once.
            self._process = subprocess.Popen(self.command, cwd=self.folder, env={**self.environment}, stdout=log,
                                             stderr=log, start_new_session=True)  # fmt: skip
        until(lambda: self._listens() or self._process is None or self._process.poll() is not None)
        return self._process.poll() is None

    def _listens(self) -> bool:
        return listens(self.port)

    def kill(self) -> None:
        """Kill all its processes, as a machine that stops does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                assert self._process.wait(PATIENCE) == 0, self.log.read_text(errors="replace")
            finally:
                self.kill_what_is_left()

    def kill_what_is_left(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._process = None


@dataclass(frozen=True)
class Scaled:
    """The running example."""

    example: Example
    programs: Programs
    secret: str
    servers: Sequence[Server]
    nginx: int
    """The port of nginx."""
    cluster: Cluster
    rclone: Rclone
    bucket: str

    @property
    def api(self) -> str:
        """The URL of the API, through nginx."""
        return f"http://127.0.0.1:{self.nginx}/api/v4"


@contextmanager
def scaled(
    folder: Path, *, endpoint: int | None = None, rclone_server: Rclone | None = None,
    environments: Sequence[Mapping[str, str]] = ({}, {}),
) -> Iterator[Scaled]:  # fmt: skip
    """Set up a copy of the example by its README, and run it.

    :param endpoint: the port of a proxy in front of `rclone_server`.
    :param environments: more environment variables, of each server.
    """
    with ExitStack() as stack:
        cluster = stack.enter_context(running(WITHOUT_POWER_CUTS))
        bucket_server = rclone_server or stack.enter_context(rclone(folder / "served"))
        bucket = new_bucket(bucket_server.endpoint)
        (folder / "home").mkdir()
        programs, example = Programs(folder / "home"), Example.copied("scaled", folder)
        secret = _append_token(programs, example)
        _write_environment(example, cluster, endpoint or bucket_server.port, bucket)
        (example.folder / "spool").mkdir()
        environment = _read_environment(programs, example)
        _run(example.line("pypi-registry migrate"), example, environment)
        servers = []
        for shown, more in zip(PORTS, environments, strict=True):
            port = free_port()
            line = example.line(f"gunicorn --config gunicorn.conf.py --bind 127.0.0.1:{shown}").removesuffix(" &")
            command = shlex.split(line.replace(shown, str(port)))
            log = folder / f"server-{shown}.log"
            servers.append(Server(command, example.folder, port, {**environment, **more}, log))
            stack.callback(servers[-1].kill_what_is_left)
            servers[-1].start()
        port = free_port()
        text = (example.folder / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
        for shown, server in zip(PORTS, servers, strict=True):
            text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{server.port}")
        (folder / "nginx").mkdir()
        stack.enter_context(nginx(text, folder / "nginx", port))
        yield Scaled(example, programs, secret, servers, port, cluster, bucket_server, bucket)
        for server in servers:
            server.stop()


def _append_token(programs: Programs, example: Example) -> str:
    printed = programs.shell(example.line("pypi-registry token"), example.folder)
    head, _, table = printed.partition("[[tokens]]")
    with (example.folder / "registry.toml").open("a") as config:
        config.write(f"[[tokens]]{table}")
    return next(word for word in head.split() if word.startswith("registry-"))


def _write_environment(example: Example, cluster: Cluster, endpoint: int, bucket: str) -> None:
    path = example.folder / "registry.env"
    text = path.read_text()
    for shown, here in {
        "postgresql://registry@127.0.0.1:5432/registry": cluster.create_database("registry"),
        "s3://packages/registry": f"s3://{bucket}/registry",
        "http://127.0.0.1:9000": f"http://127.0.0.1:{endpoint}",
        "AWS_ACCESS_KEY_ID=change-me-change-me-change-me": f"AWS_ACCESS_KEY_ID={ACCESS_KEY}",
        "AWS_SECRET_ACCESS_KEY=change-me": f"AWS_SECRET_ACCESS_KEY={SECRET_KEY}",
    }.items():
        assert shown in text
        text = text.replace(shown, here)
    path.write_text(text)


def _read_environment(programs: Programs, example: Example) -> Mapping[str, str]:
    """Return the environment in which the README starts the servers."""
    text = programs.shell(f"{example.line('set -a')}; env -0", example.folder)
    environment = dict(entry.split("=", 1) for entry in text.split("\0") if entry)
    return {**environment, "PYTHONPATH": str(ROOT), "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])}


def _run(line: str, example: Example, environment: Mapping[str, str]) -> None:
    done = subprocess.run(shlex.split(line), cwd=example.folder, env={**environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
