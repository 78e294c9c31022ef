"""The catalogue behind a real PgBouncer in transaction mode: each transaction may get another session."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.model import PackageQuery, Project, Projects
from pypi_registry.stores.postgres import PostgresCatalogue, migrate
from pypi_registry.stores.postgres.schema import SCHEMA_VERSION
from pypi_registry.testing.contracts.catalogue.samples import (
    EVERYWHERE,
    IN_TOOLS,
    TOOLS,
    add,
    everything,
    files_of,
    publish_history,
    upload,
)
from tests.ports import free_port
from tests.postgres import Cluster, ordinary_user
from tests.stores.postgres.test_pool import COMMIT
from tests.tcp_proxy import Fault, proxy_to

pytestmark = pytest.mark.slow

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
unix_socket_dir =
logfile = {folder}/log
"""


@pytest.fixture
def pgbouncer(postgres: Cluster) -> Iterator[int]:
    """The port of a PgBouncer in front of the server, which shares two sessions among all clients."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="pgbouncer-")), free_port()
    (folder / "settings").write_text(SETTINGS.format(server=postgres.port, port=port, folder=folder))
    (folder / "users").write_text('"registry" ""\n')
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam(ordinary_user())
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    process = subprocess.Popen([program, str(folder / "settings")], stderr=subprocess.DEVNULL, cwd="/", **options)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def test_everything_works_behind_it(
    pgbouncer: int, postgres: Cluster, database: str, catalogue: PostgresCatalogue
) -> None:
    url = f"{postgres.url('catalogue', pgbouncer)}?prepare_threshold=none"
    assert migrate(url) == (SCHEMA_VERSION, SCHEMA_VERSION)
    with closing(PostgresCatalogue(url)) as behind:
        publish_history(behind)
        for _ in range(10):  # a statement is prepared after five executions
            assert everything(behind) == everything(catalogue)
            assert behind.packages(EVERYWHERE, PackageQuery(name="demo"))[1] == 2
        assert [*behind.records()] == [*catalogue.records()]
        projects = [Project(number, f"root{number}/project") for number in range(100, 108)]
        with ThreadPoolExecutor(8) as threads:
            done = [
                threads.submit(add, behind, project, upload(f"{number}.zip", f"name{number}"))
                for number in range(10)
                for project in projects
            ]
        assert len([each.result() for each in done]) == 80
        assert len(catalogue.names(Projects(projects))) == 10


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.LOSE_CLIENT])
def test_a_commit_without_an_answer_is_looked_up_behind_it(
    pgbouncer: int, postgres: Cluster, catalogue: PostgresCatalogue, fault: Fault
) -> None:
    with proxy_to(pgbouncer) as proxy:
        url = f"{postgres.url('catalogue', proxy.port)}?prepare_threshold=none"
        with closing(PostgresCatalogue(url)) as behind:
            first = add(behind, TOOLS, "demo.zip")
            proxy.fail_once_at(COMMIT, fault)
            second = add(behind, TOOLS, "other.zip")
            proxy.fail_once_at(COMMIT, fault)
            assert behind.delete_file(TOOLS, first.id, "") is not None
            assert proxy.faults == 2
    assert files_of(catalogue, IN_TOOLS) == [second]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < until
