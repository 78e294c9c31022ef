"""Upload forms for tests: their parts, as the multipart parser yields them."""

import hashlib
from collections.abc import Iterable

from pypi_registry._http.multipart import Part
from pypi_registry.testing.archives import distribution

DATA = distribution("demo-1.0.tar.gz")
MEGABYTE = b"x" * 1000**2

Field = tuple[str, str | bytes]


def text(name: str, value: str | bytes) -> Part:
    return (name, None, iter([value.encode() if isinstance(value, str) else value]))


def file(filename: str, *chunks: bytes, name: str = "content") -> Part:
    return (name, filename, iter(chunks))


def texts(fields: Iterable[Field]) -> list[Part]:
    return [text(name, value) for name, value in fields]


def form(*more: Field, filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0") -> list[Part]:
    """Make a form that is valid except for the arguments; its fields come before its file."""
    return [text("name", name), text("version", version), *texts(more), file(filename, data_of(filename))]


def data_of(filename: str) -> bytes:
    """Make a file that matches its name; the sdist of demo 1.0 if the name is invalid."""
    try:
        return distribution(filename)
    except ValueError:
        return DATA


def wheel_form(*more: Field, data: bytes = b"", filename: str = "demo-1.0-py3-none-any.whl") -> list[Part]:
    return [*form()[:2], *texts(more), file(filename, data or distribution(filename))]


def pieces(data: bytes, size: int = 65536) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def digests_of(data: bytes) -> dict[str, str]:
    return {
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "md5_digest": hashlib.md5(data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
    }
