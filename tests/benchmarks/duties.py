"""The sink once more, with some of what a registry must do beside storing bytes."""

import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pypi_registry import multipart
from pypi_registry.body import Body
from pypi_registry.distributions import verify
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.benchmarks import filling
from tests.benchmarks.limits import CREATED
from tests.benchmarks.registry import PROJECT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def dutiful_sink(folder: str, duties: Sequence[str]) -> "WSGIApplication":
    """Keep "rows", divide the "form", or "verify" the file."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    catalogue = SQLiteCatalogue(place / "catalogue.sqlite") if "rows" in duties else None
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(CREATED)))]

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        digest, key = hashlib.sha256(), secrets.token_hex(16)
        incoming, chunks, names = place / f"{key}.incoming", [], [""]
        with incoming.open("xb", buffering=0) as file:
            for data in (
                _content(environ, names) if "form" in duties else iter(lambda: environ["wsgi.input"].read(1024**2), b"")
            ):
                digest.update(data)
                file.write(data)
                chunks.append(data)
            if "verify" in duties:
                assert not verify(io.BytesIO(b"".join(chunks)), names[-1]).faults
            os.fsync(file.fileno())
        incoming.replace(place / key)
        descriptor = os.open(place, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        if catalogue is not None:
            catalogue.add(PROJECT, filling.described(f"small-{key[0]}", f"1.{int(key, 16)}"), key, filling.AT)
        start_response("201 Created", headers)
        return [CREATED]

    return application


def _content(environ: "WSGIEnvironment", names: list[str]) -> Iterator[bytes]:
    """Give the bytes of the file, and note its name."""
    for part in multipart.parts(Body(environ), environ["CONTENT_TYPE"]):
        if part.name == "content":
            names.append(part.filename or "")
            yield from part.chunks
