"""OpenStack Swift with its S3 interface: a distributed object store, here with one device and one replica."""

import getpass
import shutil
import socket
import subprocess
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.ports import free_port

VERSION = "swift==2.38.0"  # older ones do not run on today's Python
ACCESS_KEY, SECRET_KEY = "test:tester", "this-is-the-secret-key-of-swift"

_SWIFT = """
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = only
default = yes
"""

_SERVER = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
log_address = /nonexistent
"""

_STORAGE = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY = """
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


@contextmanager
def swift(folder: Path) -> Iterator[str]:
    """Install Swift into an environment of its own, run its four servers, and yield the URL of the S3 interface."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    programs = environment / "bin"
    _run(programs / "pip", "install", "--quiet", VERSION)
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT)
    ports = {kind: free_port() for kind in ("account", "container", "object", "proxy")}
    with ExitStack() as stack:
        for kind, port in ports.items():
            if kind != "proxy":
                builder = folder / f"{kind}.builder"
                _run(programs / "swift-ring-builder", builder, "create", "4", "1", "0")
                _run(programs / "swift-ring-builder", builder, "add", f"r1z1-127.0.0.1:{port}/d1", "1")
                _run(programs / "swift-ring-builder", builder, "rebalance")
            text = _SERVER.format(folder=folder, port=port, user=getpass.getuser())
            text += _PROXY.format(secret=SECRET_KEY) if kind == "proxy" else _STORAGE.format(kind=kind)
            stack.enter_context(_server(programs, folder, kind, port, text))
        yield f"http://127.0.0.1:{ports['proxy']}"
    shutil.rmtree(folder)


@contextmanager
def _server(programs: Path, folder: Path, kind: str, port: int, configuration: str) -> Iterator[None]:
    path = folder / f"{kind}.conf"
    path.write_text(configuration)
    with (folder / f"{kind}.log").open("wb") as log:
        server = subprocess.Popen([programs / f"swift-{kind}-server", path], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (folder / f"{kind}.log").read_text()
                time.sleep(0.05)  # between two tries to connect
        yield
    finally:
        server.terminate()
        server.wait()


def _run(program: Path, *arguments: str | Path) -> None:
    ended = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
