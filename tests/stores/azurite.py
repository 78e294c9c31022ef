"""Azurite, Microsoft's emulator of Azure Blob Storage. It verifies the signature of each request."""

import base64
import hmac
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.ports import free_port
from tests.servers.running import process

VERSION = "azurite@3.35.0"  # newer ones do not run on Node 20
ACCOUNT = "registry"
KEY = base64.b64encode(b"this-is-the-secret-key-of-azurite").decode()

# Errors of npm if it cannot reach its registry.
_UNREACHABLE = ("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "ETIMEDOUT")


def use_azurite(monkeypatch: pytest.MonkeyPatch, endpoint: str, key: str = KEY) -> None:
    """Let obstore use Azurite, by its environment variables; no others of the machine are left."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "AZURITE_"))]:
        monkeypatch.delenv(name)
    variables = {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": key,
        "AZURE_STORAGE_ENDPOINT": endpoint,
        "AZURE_ALLOW_HTTP": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def new_container(endpoint: str) -> str:
    """Create an empty container and return its name. obstore creates none."""
    name = f"container-{secrets.token_hex(8)}"
    signed = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2023-11-03"}
    # Azure's manual, "Authorize with Shared Key": the method, eleven empty headers, those of Azure, and the resource,
    # in which an emulator repeats the account.
    lines = ["PUT", *[""] * 11, *(f"{header}:{value}" for header, value in signed.items())]
    text = "\n".join([*lines, f"/{ACCOUNT}/{ACCOUNT}/{name}", "restype:container"])
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    parts = urlsplit(endpoint)
    connection = HTTPConnection(parts.netloc, timeout=30)
    headers = {**signed, "Authorization": f"SharedKey {ACCOUNT}:{signature}"}
    connection.request("PUT", f"{parts.path}/{name}?restype=container", headers=headers)
    response = connection.getresponse()
    assert response.status == 201, response.read()
    connection.close()
    return name


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Install Azurite into a folder, run its server of blobs, and yield the URL of the account."""
    port = free_port()
    command = [_installed(folder), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    with process(command, folder, port, environment={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}):
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def _installed(folder: Path) -> str:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--omit=optional", "--no-audit"]
    done = subprocess.run([*command, "--no-fund", VERSION], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0 and any(code in done.stderr for code in _UNREACHABLE):
        pytest.skip("npm cannot reach its registry")
    assert done.returncode == 0, done.stderr
    return str(folder / "node_modules" / ".bin" / "azurite-blob")
