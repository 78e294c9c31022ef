"""The forms of uploads, as twine sends them, down to the bytes on the wire."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pypi_registry.testing.archives import make_wheel
from tests.benchmarks.memory import FILENAME
from tests.benchmarks.registry import LOGIN, PYPI

BOUNDARY = "b0bdf34d6ac5443e8a9c7d4a1a6b9c2f"
SMALL = 10_000
"""Bytes of a small wheel."""


@dataclass(frozen=True)
class Form:
    """A request as what comes before the file, and what comes after it."""

    head: bytes
    tail: bytes


def upload_body(name: str, version: str) -> bytes:
    """Return the body of the upload of a wheel of 10 KB, without the head of the request."""
    wheel = make_wheel(name, version, size=SMALL, requires_python=">=3.9")
    sent = form(wheel.filename, name, version, len(wheel.data), digests(wheel.data), PYPI, LOGIN)
    return sent.head.partition(b"\r\n\r\n")[2] + wheel.data + sent.tail


def form(
    filename: str, name: str, version: str, size: int, digests: Mapping[str, str], path: str, login: Mapping[str, str]
) -> Form:
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "summary": "Made for a test",
        "author_email": "Ada <ada@example.org>",
        "license": "MIT",
        "requires_python": ">=3.9",
        "keywords": "a,b",
        "filetype": "bdist_wheel",
        "description_content_type": "text/markdown",
        "description": "What it is for.\n" * 60,
        "pyversion": "py3",
        "comment": "",
        **digests,
    }
    before = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    before += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
    before += "Content-Type: application/octet-stream\r\n\r\n"
    tail = f"\r\n--{BOUNDARY}--\r\n"
    headers = {
        "Host": "127.0.0.1",
        "User-Agent": "twine/7.0.0",
        "Connection": "keep-alive",
        **login,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(before) + size + len(tail)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Form(f"POST {path} HTTP/1.1\r\n{lines}\r\n{before}".encode(), tail.encode())


def basic(user: str, secret: str) -> Mapping[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def small_uploads(
    number: int, start: int = 0, *, path: str = PYPI, login: Mapping[str, str] = LOGIN
) -> Iterator[bytes]:
    """Create uploads of wheels of 10 KB: ever new versions of fifty names."""
    for each in range(start, start + number):
        name, version = f"small-{each % 50}", f"1.{each}"
        wheel = make_wheel(name, version, size=SMALL, requires_python=">=3.9")
        said = form(wheel.filename, name, version, len(wheel.data), digests(wheel.data), path, login)
        yield said.head + wheel.data + said.tail


def digests(data: bytes) -> dict[str, str]:
    return {
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
    }


def digests_of(file: Path) -> dict[str, str]:
    sha256, blake2 = hashlib.sha256(), hashlib.blake2b(digest_size=32)
    with file.open("rb") as stream:
        while data := stream.read(1024**2):
            sha256.update(data)
            blake2.update(data)
    return {"sha256_digest": sha256.hexdigest(), "blake2_256_digest": blake2.hexdigest()}


def big_upload(
    file: Path, project: int, declared: Mapping[str, str], *, path: str = "", login: Mapping[str, str] = LOGIN
) -> Form:
    """Create the form of the wheel of `tests.benchmarks.memory`."""
    place = path or f"/projects/{project}/packages/pypi"
    return form(FILENAME, "enormous", "1.0", file.stat().st_size, declared, place, login)
