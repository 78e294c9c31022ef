"""Other indexes as processes, with packages in them: what people move in from."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pypi_registry.testing.archives import Distribution
from tests.clients import wire
from tests.clients.programs import Programs
from tests.clients.served import PATIENCE
from tests.clients.toolbox import Toolbox
from tests.ports import free_port
from tests.servers.running import process

USER, PASSWORD = "tester", "the-secret-of-the-index"


@dataclass(frozen=True)
class Index:
    """An index that runs."""

    url: str
    credentials: Mapping[str, str]
    """The environment variables with which it is read; empty if everyone may."""
    has_upload_times: bool
    has_digests: bool = True


Start = Callable[[Toolbox, Path, Sequence[Distribution]], "Iterator[Index]"]


def pypiserver(toolbox: Toolbox, folder: Path, files: Sequence[Distribution]) -> Iterator[Index]:
    packages = folder / "packages"
    for file in files:
        file.write_to(packages)
    port = free_port()
    program = str(toolbox.scripts("pypiserver") / "pypi-server")
    command = [program, "run", "-i", "127.0.0.1", "-p", str(port), "--disable-fallback", str(packages)]
    with process(command, folder, port):
        yield Index(f"http://127.0.0.1:{port}/simple/", {}, has_upload_times=False)


def simple_repository_server(toolbox: Toolbox, folder: Path, files: Sequence[Distribution]) -> Iterator[Index]:
    packages = folder / "packages"
    for file in files:
        file.write_to(packages / canonicalize_name(file.filename.partition("-")[0]))
    port = free_port()
    program = str(toolbox.scripts("simple-repository-server") / "simple-repository-server")
    with process([program, str(packages), "--host", "127.0.0.1", "--port", str(port)], folder, port):
        yield Index(f"http://127.0.0.1:{port}/simple/", {}, has_upload_times=True, has_digests=False)


def devpi(toolbox: Toolbox, folder: Path, files: Sequence[Distribution]) -> Iterator[Index]:
    port, scripts, data = free_port(), toolbox.scripts("devpi"), str(folder / "devpi")
    subprocess.run(
        [scripts / "devpi-init", "--serverdir", data, "--no-root-pypi"], check=True, cwd=folder, capture_output=True
    )
    with process(
        [str(scripts / "devpi-server"), "--serverdir", data, "--port", str(port)], folder, port, patience=4 * PATIENCE
    ):
        url = f"http://127.0.0.1:{port}"
        put(f"{url}/{USER}", {"password": PASSWORD})
        login = wire.request("POST", f"{url}/+login", *as_json({"user": USER, "password": PASSWORD}))
        token = json.loads(login.body)["result"]["password"]
        auth = base64.b64encode(f"{USER}:{token}".encode()).decode()
        put(f"{url}/{USER}/dev", {"type": "stage", "bases": []}, {"X-Devpi-Auth": auth})
        _upload(folder, f"{url}/{USER}/dev/", USER, files)
        yield Index(f"{url}/{USER}/dev/+simple/", {}, has_upload_times=False)


def pypiron(toolbox: Toolbox, folder: Path, files: Sequence[Distribution]) -> Iterator[Index]:
    port, data = free_port(), folder / "pypiron"
    options = ["--data-dir", str(data), "--spool-dir", str(folder), "--bind-addr", f"127.0.0.1:{port}"]
    options += ["--uploader-user", "__token__", "--uploader-pass", PASSWORD]
    options += ["--read-user", USER, "--read-pass", PASSWORD, "--advisory-feed", "", "--malware-block", "false"]
    with process([str(toolbox.scripts("pypiron") / "pypiron"), "serve", *options], folder, port):
        url = f"http://127.0.0.1:{port}"
        _upload(folder, f"{url}/legacy/", "__token__", files)
        credentials = {"PYPI_REGISTRY_SOURCE_USER": USER, "PYPI_REGISTRY_SOURCE_PASSWORD": PASSWORD}
        yield Index(f"{url}/simple/", credentials, has_upload_times=True)


STARTS: Mapping[str, Start] = {
    "pypiserver": pypiserver,
    "devpi": devpi,
    "simple-repository-server": simple_repository_server,
    "pypiron": pypiron,
}


@contextmanager
def running(name: str, toolbox: Toolbox, folder: Path, files: Sequence[Distribution]) -> Iterator[Index]:
    """Run an index that has these files."""
    folder.mkdir()
    yield from STARTS[name](toolbox, folder, files)


def as_json(value: object) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a request that sends JSON and wants JSON."""
    return {"Content-Type": "application/json", "Accept": "application/json"}, json.dumps(value).encode()


def put(url: str, value: object, more: Mapping[str, str] | None = None) -> None:
    """Create a user or an index of devpi.

    :param more: other headers.
    """
    headers, body = as_json(value)
    answer = wire.request("PUT", url, {**headers, **(more or {})}, body)
    assert answer.status in (200, 201), answer.body


def _upload(folder: Path, url: str, user: str, files: Sequence[Distribution]) -> None:
    dist = folder / "dist"
    paths = [file.write_to(dist) for file in files]
    options = ("--disable-progress-bar", "--non-interactive", "--repository-url", url)
    Programs(folder).run("twine", "upload", *options, "--username", user, "--password", PASSWORD, *paths)
