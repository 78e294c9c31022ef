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
def test_a_record_that_nobody_writes_is_a_problem(row: bytes, problem: str) -> None:
    assert problem in verify(io.BytesIO(with_record(row * (150_000 // len(row)))), WHEEL).problems


def test_a_record_that_is_too_long_for_the_members_is_not_read() -> None:
    data = with_record(b"ab,,\n" * MEBIBYTE)
    with peak() as needed:
        [problem] = verify(io.BytesIO(data), WHEEL).problems
    assert "RECORD' has 5242880 bytes, more than" in problem
    assert needed.bytes < MEBIBYTE
