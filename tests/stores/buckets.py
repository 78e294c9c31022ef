"""Object stores for the tests: moto in this process, and rclone as a program that can be killed."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.ports import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCESS_KEY, SECRET_KEY = "AKIATHISISNOTASECRETKEY", "this-is-the-secret-key-of-the-tests"


def use_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str, **more: str) -> None:
    """Let obstore use an endpoint, by its environment variables; no others of the machine are left."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-central-1",
        "AWS_ALLOW_HTTP": "true",
        **more,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that an object store received."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


def new_bucket(endpoint: str, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> str:
    """Create an empty bucket and return its name."""
    name = f"bucket-{secrets.token_hex(8)}"
    _client(endpoint, access_key, secret_key).create_bucket(Bucket=name)
    return name


def unfinished_uploads(endpoint: str, bucket: str) -> list[str]:
    """Return the keys of the multipart uploads that were neither completed nor aborted."""
    found = _client(endpoint, ACCESS_KEY, SECRET_KEY).list_multipart_uploads(Bucket=bucket)
    return [each["Key"] for each in found.get("Uploads", [])]


def _client(endpoint: str, access_key: str, secret_key: str) -> Any:
    import boto3  # it takes long to import

    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


Fault = Callable[[Request], "WSGIApplication | None"]


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # with connections that stay open, as real object stores have

    def log(self, *args: Any) -> None:
        pass


@dataclass
class Moto:
    """moto's S3, on a port of this process, with the requests that it received and faults in front of it."""

    application: "WSGIApplication"
    endpoint: str = ""
    sent: list[Sent] = field(default_factory=list)
    fault: Fault | None = None
    """Returns what responds to a request instead of moto, or None."""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.sent.append(Sent(request.method, request.path, request.query_string.decode(), headers))
        other = self.fault(request) if self.fault is not None else None
        if other is None:
            return self.application(environ, start_response)
        _ = request.get_data()  # otherwise its rest would be read as the next request
        return other(environ, start_response)

    def new_bucket(self) -> str:
        """Create an empty bucket and return its name."""
        name = new_bucket(self.endpoint)
        self.sent.clear()
        return name

    @property
    def lines(self) -> list[str]:
        """The method and the kind of each request."""
        return [f"{each.method} {each.query.partition('=')[0]}".strip() for each in self.sent]


@contextmanager
def moto() -> Iterator[Moto]:
    """Run moto's S3."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # take long to import

    served = Moto(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=_QuietHandler)
    served.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error_response(status: int, code: str) -> Response:
    """Return an error as S3 describes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return Response(body, status, content_type="application/xml")


@contextmanager
def raw_server(respond: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that accepts connections and lets `respond` do with them what it wants; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=_respond_and_close, args=(connection, respond), daemon=True).start()

    thread = Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _respond_and_close(connection: socket.socket, respond: Callable[[socket.socket], None]) -> None:
    with connection:
        try:
            respond(connection)
        except OSError:  # the client has closed
            return


def received_head(connection: socket.socket) -> bytes:
    """Receive the head of a request; empty if the client has closed."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            return b""
        head += data
    return head


class Rclone:
    """``rclone serve s3`` over a folder. It can be killed, and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("rclone")
        options = [
            "--addr",
            f"127.0.0.1:{self.port}",
            "--auth-key",
            f"{ACCESS_KEY},{SECRET_KEY}",
            "--config",
            os.devnull,
        ]
        with (self.folder.parent / "rclone.log").open("ab") as log:
            command = [str(program), "serve", "s3", *options, str(self.folder)]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)  # between two tries to connect

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def rclone(folder: Path) -> Iterator[Rclone]:
    """Run ``rclone serve s3``."""
    served = Rclone(folder)
    folder.mkdir()
    served.start()
    try:
        yield served
    finally:
        served.kill()
        shutil.rmtree(folder)
