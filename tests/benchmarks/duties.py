"""The sink once more, with some of what a registry must do beside storing bytes."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pypi_registry._http import multipart
from pypi_registry._http.body import Body
from pypi_registry.distributions import verify
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.benchmarks import filling
from tests.benchmarks.limits import CREATED, store
from tests.benchmarks.registry import PROJECT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def dutiful_sink(folder: str, duties: Sequence[str]) -> "WSGIApplication":
    """Store a small body, and keep "rows", divide the "form", "verify" the file that is in it."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    catalogue = SQLiteCatalogue(place / "catalogue.sqlite") if "rows" in duties else None
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(CREATED)))]

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        filename, data = _content(environ) if "form" in duties else ("", environ["wsgi.input"].read(1024**2))
        if "verify" in duties:
            assert not verify(io.BytesIO(data), filename).problems
        key = store(place, [data])
        if catalogue is not None:
            catalogue.add(PROJECT, filling.described(f"small-{key[0]}", f"1.{int(key, 16)}"), key, filling.AT, "ada")
        start_response("201 Created", headers)
        return [CREATED]

    return application


def _content(environ: "WSGIEnvironment") -> tuple[str, bytes]:
    """Return the name and the bytes of the file in a form."""
    filename, data = "", b""
    for _, found, chunks in multipart.parts(Body(environ), environ["CONTENT_TYPE"]):
        if found is not None:
            filename, data = found, b"".join(chunks)
    return filename, data
