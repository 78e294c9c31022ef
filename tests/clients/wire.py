"""Requests as no well-mannered program makes them: slow ones, doctored ones; and the answers to the letter."""

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.clients.served import PATIENCE

BOUNDARY = "0f8a1b2c3d4e5f60"


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: Message
    body: bytes


def login(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()}


def request(method: str, address: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """Send one request, following nothing."""
    place = urlsplit(address)
    connection = HTTPConnection(place.netloc, timeout=PATIENCE)
    try:
        target = address.removeprefix(f"{place.scheme}://{place.netloc}") or "/"
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.reason, answer.headers, answer.read())
    finally:
        connection.close()


def get(address: str, secret: str = "") -> Answer:
    return request("GET", address, login(secret) if secret else {})


def form(fields: Mapping[str, str], filename: str, content: bytes) -> bytes:
    """Write an upload as a multipart form, its boundary `BOUNDARY`."""
    texts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'
    return "".join([*texts, file]).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(address: str, secret: str, fields: Mapping[str, str], filename: str, content: bytes) -> Answer:
    """Publish a file at ``…/projects/:id/packages/pypi``."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **login(secret)}
    return request("POST", address, headers, form(fields, filename, content))


class Slow:
    """A request of which the server gets as much as a test wants it to have.

    What was sent has left this process, so all but what the system's buffers hold has reached the server.
    """

    def __init__(self, address: str, head: str, body: bytes = b"") -> None:
        place = urlsplit(address)
        assert place.hostname and place.port
        self._socket = socket.create_connection((place.hostname, place.port), timeout=PATIENCE)
        self._left = memoryview(f"{head}\r\n\r\n".encode() + body)

    @classmethod
    def upload(cls, address: str, secret: str, fields: Mapping[str, str], filename: str, content: bytes) -> Self:
        place, body = urlsplit(address), form(fields, filename, content)
        lines = [f"POST {place.path} HTTP/1.1", f"Host: {place.netloc}", f"Content-Length: {len(body)}"]
        lines += [f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]
        lines += [f"{name}: {value}" for name, value in login(secret).items()]
        return cls(address, "\r\n".join(lines), body)

    @classmethod
    def download(cls, address: str, secret: str) -> Self:
        place = urlsplit(address)
        lines = [f"GET {place.path} HTTP/1.1", f"Host: {place.netloc}", "Connection: close"]
        return cls(address, "\r\n".join([*lines, *(f"{name}: {value}" for name, value in login(secret).items())]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, size: int | None = None) -> None:
        """Send so many bytes more, or all that are left."""
        size = len(self._left) if size is None else size
        self._socket.sendall(self._left[:size])
        self._left = self._left[size:]

    def answer(self) -> HTTPResponse:
        """Wait for the head of the answer; its body can be read as slowly as one likes."""
        response = HTTPResponse(self._socket)
        response.begin()
        return response
