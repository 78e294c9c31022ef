"""What `tests.benchmarks.scaled` compares with SQLite and files: PostgreSQL with a bucket, and an object streamed."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import from_url

from pypi_registry import Registry
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.postgres import PostgresCatalogue
from tests.benchmarks.limits import Constant
from tests.benchmarks.registry import accounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def scaled(catalogue: str, blobs: str, spool: str) -> Registry:
    """Return the registry of the other rows over PostgreSQL and a bucket."""
    stores = PostgresCatalogue(catalogue), ObjectBlobs.from_url(blobs, spool=spool)
    return accounts().registry(catalogue=stores[0], blobs=stores[1], forward_to=None)


def bare_object(answer: str, url: str, key: str) -> "WSGIApplication":
    """Stream one object through obstore, with the headers of an answer."""
    said = Constant.read_from(Path(answer))
    store = from_url(url, client_options={"allow_http": True})

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(said.status, said.headers)
        for chunk in obstore.get(store, key).stream(min_chunk_size=256 * 1024):
            yield bytes(chunk)

    return application
