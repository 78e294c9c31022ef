"""What the catalogue stores of core metadata: not more than a few times the upload."""

import sqlite3
import zlib
from pathlib import Path

import pytest

from pypi_registry.stores._rows import read_text, text_as_blob
from tests.distributions.costs import metadata
from tests.distributions.hostile import METADATA, WHEEL
from tests.distributions.test_hostile import on_the_disk

LONGEST = METADATA + b"\n" + b"x" * (1024**2 - len(METADATA) - 1)


@pytest.mark.parametrize("data", [METADATA, LONGEST, b"", b"x" * 16_383, b"x" * 16_384])
def test_core_metadata_is_read_as_it_was_stored(data: bytes) -> None:
    assert read_text(text_as_blob(data)) == data


def test_a_short_upload_does_not_become_a_large_catalogue(tmp_path: Path) -> None:
    deployment = on_the_disk(tmp_path)
    upload = metadata(LONGEST)
    assert len(upload) < 3_000
    status, body = deployment.publish(WHEEL, upload)
    assert status.partition(" ")[0] == "201", body
    connection = sqlite3.connect(tmp_path / "registry.db")
    try:
        [(data,)] = connection.execute("SELECT data FROM core_metadata").fetchall()
    finally:
        connection.close()
    assert len(data) < 16 * len(upload)
    assert zlib.decompress(data[1:]) == LONGEST
