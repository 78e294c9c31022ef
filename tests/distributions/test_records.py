"""``RECORD`` of a size that is allowed, and of a shape that nobody writes: little work and little memory."""

import io
import zipfile

import pytest

from pypi_registry.distributions import verify
from pypi_registry.testing.archives import distribution
from tests.distributions.measuring import peak

WHEEL = "demo-1.0-py3-none-any.whl"
RECORD = "demo-1.0.dist-info/RECORD"
MEBIBYTE = 1024**2


def with_record(record: bytes) -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(distribution(WHEEL))) as good,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in good.namelist():
            made.writestr(name, record if name == RECORD else good.read(name))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param(b"ab,,\n", "RECORD lists more files than the archive has members", id="one row again and again"),
        pytest.param(b",", "RECORD has a line of more than 8192 characters", id="one row of commas"),
    ],
)
def test_a_record_that_nobody_writes_costs_little(row: bytes, problem: str) -> None:
    data = with_record(row * (8 * MEBIBYTE // len(row)))
    with peak() as needed:
        problems = verify(io.BytesIO(data), WHEEL).problems
    assert problem in problems
    assert needed.bytes < 48 * MEBIBYTE
