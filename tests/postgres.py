"""A real PostgreSQL for the tests: created in a temporary folder, started on a free port, stopped in the end.

Nothing of a cluster that the system runs is used. PostgreSQL refuses to run as root, so root starts it as an ordinary
user.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pypi_registry.stores.postgres import migrate
from tests.ports import free_port

_DEBIAN = "/usr/lib/postgresql"
_ORDINARY_USERS = ("postgres", "nobody")

UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for tests that lose no power: commits do not wait for the disk."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server."""

    folder: Path
    port: int

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        return f"postgresql://registry@127.0.0.1:{port or self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres", values: Any = None) -> list[Any]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, template: str = "template0") -> str:
        """Create a database, and return its URL."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def start(self) -> None:
        self._pg_ctl("start", "--wait", "--log", f"{self.folder}/log")

    def stop(self, mode: str = "fast") -> None:
        self._pg_ctl("stop", "--wait", "--mode", mode)

    def restart(self, mode: str = "fast") -> None:
        self._pg_ctl("restart", "--wait", "--mode", mode, "--log", f"{self.folder}/log")

    def _pg_ctl(self, *arguments: str) -> None:
        _run("pg_ctl", "--pgdata", str(self.folder / "data"), *arguments)


@dataclass(frozen=True, slots=True)
class Databases:
    """Databases of a cluster that have the tables of a catalogue."""

    cluster: Cluster

    def empty(self, name: str) -> str:
        """Return the URL of a database whose tables are empty, and whose ids begin again."""
        url = self.cluster.url(name)
        if not self.cluster.execute("SELECT FROM pg_database WHERE datname = %s", values=(name,)):
            self.cluster.create_database(name)
            migrate(url)
            return url
        tables = (
            "SELECT string_agg(relname, ', ') FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind = 'r' AND relname != 'pypi_registry_schema'"
        )
        [[tables]] = self.cluster.execute(tables, name)
        self.cluster.execute(f"TRUNCATE {tables} RESTART IDENTITY", name)
        return url

    def url(self, name: str) -> str:
        return self.cluster.url(name)

    def execute(self, statement: str, name: str, values: Any = None) -> list[Any]:
        return self.cluster.execute(statement, name, values)


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL: of the newest version that Debian installed, or from the path."""
    versions = sorted(Path(_DEBIAN).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(versions[-1]) if versions else shutil.which(name)


@contextmanager
def running(settings: Mapping[str, str] = UNSAFE, programs: Iterable[str] = ("initdb", "pg_ctl")) -> Iterator[Cluster]:
    """Create a cluster and run it; skip the test if PostgreSQL is not installed."""
    missing = [name for name in programs if program(name) is None]
    if missing:
        pytest.skip(f"PostgreSQL is not installed: no {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # pytest's folders are closed to other users
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, ordinary_user())
        _run("initdb", "--pgdata", f"{folder}/data", "--username", "registry", "--auth", "trust", "--no-sync",
             "--encoding", "UTF8", "--locale", "C.UTF-8")  # fmt: skip
        cluster = Cluster(folder, free_port())
        lines = {"port": str(cluster.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **settings}
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _run(name: str, *arguments: str) -> None:
    path = program(name)
    assert path is not None
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam(ordinary_user())
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # The server inherits the standard streams, so a pipe would never end.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                              timeout=60, **options)  # fmt: skip
        output.seek(0)
        assert done.returncode == 0, output.read().decode()


def ordinary_user() -> str:
    for name in _ORDINARY_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.skip("PostgreSQL does not run as root, and there is no ordinary user")
