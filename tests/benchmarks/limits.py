"""What a server can do at all: WSGI functions that give a constant answer, send a file, or only store what comes."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True)
class Constant:
    """An answer: what an application said once."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def write_to(self, path: Path) -> Path:
        path.write_bytes(json.dumps([self.status, self.headers]).encode() + b"\n" + self.body)
        return path

    @classmethod
    def read_from(cls, path: Path) -> "Constant":
        head, _, body = path.read_bytes().partition(b"\n")
        status, headers = json.loads(head)
        return cls(status, [(name, value) for name, value in headers], body)


def constant(answer: str) -> "WSGIApplication":
    """Return the answer that a file holds, whatever is asked."""
    said = Constant.read_from(Path(answer))
    status, headers, body = said.status, said.headers, said.body

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(status, headers)
        return [body] if body else []

    return application


def bare_file(answer: str, file: str) -> "WSGIApplication":
    """Send a file, with the headers of an answer."""
    said = Constant.read_from(Path(answer))
    status, headers = said.status, said.headers

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(status, headers)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](open(file, "rb", buffering=0), 256 * 1024)  # noqa: PTH123, SIM115
        return wrapped

    return application


def store(place: Path, chunks: Iterable[bytes]) -> str:
    """Take the sha256 of bytes, keep them under a new key, and flush file and folder: what durable storage costs."""
    digest, key = hashlib.sha256(), secrets.token_hex(16)
    incoming = place / f"{key}.incoming"
    with incoming.open("xb", buffering=0) as file:
        for data in chunks:
            digest.update(data)
            file.write(data)
        os.fsync(file.fileno())
    incoming.replace(place / key)
    descriptor = os.open(place, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return key


CREATED = b'{"message": "201 Created"}'


def sink(folder: str) -> "WSGIApplication":
    """Store a body as it comes, in pieces of 1 MiB."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(CREATED)))]

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        store(place, iter(lambda: environ["wsgi.input"].read(1024**2), b""))
        start_response("201 Created", headers)
        return [CREATED]

    return application


def small_werkzeug(body: bytes, login: str) -> "WSGIApplication":
    """Do what a page takes in the usual way: Werkzeug's Map, Request and Response, and a page that is at hand."""
    map_ = Map([Rule("/projects/<int:project>/packages/pypi/simple/<name>/", endpoint="page")])
    etag = hashlib.sha256(body).hexdigest()

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        response: Response | HTTPException
        try:
            map_.bind_to_environ(environ).match()
            authorization = request.authorization
            if authorization is None or authorization.password != login:
                response = Response("401 Unauthorized", 401)
            else:
                request.accept_mimetypes.best_match(["text/html", "application/vnd.pypi.simple.v1+json"])
                response = Response(body, content_type="application/vnd.pypi.simple.v1+json")
                response.set_etag(etag)
                response.vary.add("Accept")
                response.make_conditional(request)
        except HTTPException as error:
            response = error
        return response(environ, start_response)

    return application
