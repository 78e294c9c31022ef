"""Caching proxies as processes: each reads an index with credentials of its own, and others install from it."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients import wire
from tests.clients.indexes import as_json, put
from tests.clients.served import PATIENCE
from tests.clients.toolbox import Toolbox
from tests.ports import free_port
from tests.servers.running import process


@contextmanager
def proxpi(toolbox: Toolbox, folder: Path, index: str) -> Iterator[str]:
    """Run proxpi in front of an index; yield its own simple index."""
    port = free_port()
    settings = {
        "FLASK_APP": "proxpi.server",
        "PROXPI_INDEX_URL": f"{index}/",
        "PROXPI_CACHE_DIR": str(folder / "files"),
    }
    command = [str(toolbox.scripts("proxpi") / "flask"), "run", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, folder, port, environment=settings):
        yield f"http://127.0.0.1:{port}/index/"


@contextmanager
def devpi(toolbox: Toolbox, folder: Path, index: str) -> Iterator[str]:
    """Run devpi with a mirror of an index; yield the mirror's simple index."""
    port, scripts, data = free_port(), toolbox.scripts("devpi"), str(folder / "devpi")
    init: list[str | Path] = [scripts / "devpi-init", "--serverdir", data, "--no-root-pypi"]
    subprocess.run(init, check=True, cwd=folder, capture_output=True)
    command = [str(scripts / "devpi-server"), "--serverdir", data, "--host", "127.0.0.1", "--port", str(port)]
    with process(command, folder, port, patience=4 * PATIENCE):
        url = f"http://127.0.0.1:{port}"
        login = wire.request("POST", f"{url}/+login", *as_json({"user": "root", "password": ""}))
        token = json.loads(login.body)["result"]["password"]
        auth = base64.b64encode(f"root:{token}".encode()).decode()
        put(f"{url}/root/mirror", {"type": "mirror", "mirror_url": f"{index}/"}, {"X-Devpi-Auth": auth})
        yield f"{url}/root/mirror/+simple/"
