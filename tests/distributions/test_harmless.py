"""What looks odd, and is not: it is accepted, and its metadata is read."""

import io
import tarfile
import zipfile

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from pypi_registry.distributions import verify
from tests.distributions.harmless import HARMLESS, Harmless
from tests.distributions.test_hostile import in_memory

EVERY = pytest.mark.parametrize("harmless", [pytest.param(harmless, id=row) for row, harmless in HARMLESS.items()])


@EVERY
def test_it_is_accepted(harmless: Harmless) -> None:
    report = verify(io.BytesIO(harmless.make()), harmless.filename)
    assert report.problems == ()
    assert report.metadata is not None
    assert canonicalize_name(report.metadata.name) == harmless.name
    assert Version(report.metadata.version) == Version(harmless.version)


@EVERY
def test_it_is_accepted_where_everything_is_unpacked(harmless: Harmless) -> None:
    assert verify(io.BytesIO(harmless.make()), harmless.filename, budget=None).problems == ()


@EVERY
def test_the_standard_library_reads_it(harmless: Harmless) -> None:
    stream = io.BytesIO(harmless.make())
    if harmless.filename.endswith(".tar.gz"):
        with tarfile.open(fileobj=stream, mode="r:gz") as tar:
            paths = tar.getnames()
    else:
        with zipfile.ZipFile(stream) as archive:
            assert archive.testzip() is None
            paths = archive.namelist()
    assert [path for path in paths if path.endswith(("/METADATA", "/PKG-INFO"))]


@EVERY
def test_it_is_published(harmless: Harmless, tmp_path_factory: pytest.TempPathFactory) -> None:
    deployment = in_memory(tmp_path_factory.mktemp("deployment"))
    status, body = deployment.publish(harmless.filename, harmless.make(), harmless.name, harmless.version)
    assert status.partition(" ")[0] == "201", body
