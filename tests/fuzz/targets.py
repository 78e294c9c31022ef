"""What is fuzzed: each target parses bytes, and raises only what its documentation names, which the target catches."""

import gzip
import io
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pypi_registry._http.body import Body
from pypi_registry._http.multipart import parts
from pypi_registry._names import normalize
from pypi_registry.distributions import Report, read_unverified, verify
from pypi_registry.distributions.entry_points import parse_entry_points, script_problems
from pypi_registry.distributions.filenames import filename_problems, wheel_name_and_version
from pypi_registry.distributions.metadata import is_metadata_served, metadata_problems, parse_metadata
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.errors import InvalidName, InvalidRequest, InvalidVersion
from pypi_registry.versions import check_version

Target: TypeAlias = Callable[[bytes], None]

BOUNDARY = "b"


def wheel(data: bytes) -> None:
    _check(verify(io.BytesIO(data), "demo-1.0-py3-none-any.whl"))


def zipped_sdist(data: bytes) -> None:
    _check(verify(io.BytesIO(data), "demo-1.0.zip"))


def sdist(data: bytes) -> None:
    _check(verify(io.BytesIO(data), "demo-1.0.tar.gz"))


def tar(data: bytes) -> None:
    """Verify a tar archive, which is compressed first: mutated gzip streams hardly ever reach the tar reader."""
    sdist(gzip.compress(data, 1, mtime=0))


def unverified(data: bytes) -> None:
    for filename in ("demo-1.0-py3-none-any.whl", "demo-1.0.zip", "demo-1.0.tar.gz"):
        read_unverified(io.BytesIO(data), filename)


def metadata(data: bytes) -> None:
    try:
        found = parse_metadata(data)
    except InvalidArchive as error:
        assert str(error).isprintable()  # noqa: PT017 - the fuzzer has no pytest
        return
    assert all(problem.isprintable() for problem in metadata_problems(found))
    is_metadata_served(found, "demo-1.0.tar.gz")


def entry_points(data: bytes) -> None:
    try:
        groups = parse_entry_points(data)
    except InvalidArchive as error:
        assert str(error).isprintable()  # noqa: PT017 - the fuzzer has no pytest
        return
    assert all(problem.isprintable() for problem in script_problems(groups, ["x.data/scripts/a"], "x.data"))


def form(data: bytes) -> None:
    """Parse a multipart form; its first byte is the number of bytes that arrive at once."""
    size = data[0] + 1 if data else 1
    body = Body({"wsgi.input": _Slow(data[1:], size), "wsgi.input_terminated": True})
    try:
        for _, _, chunks in parts(body, f"multipart/form-data; boundary={BOUNDARY}"):
            b"".join(chunks)
    except InvalidRequest:
        pass


def version(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        check_version(text)
    except InvalidVersion as error:
        assert str(error).isprintable()  # noqa: PT017 - the fuzzer has no pytest
    try:
        normalize(text)
    except InvalidName as error:
        assert str(error).isprintable()  # noqa: PT017 - the fuzzer has no pytest


def filename(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert all(problem.isprintable() for problem in filename_problems(text))
    if found := wheel_name_and_version(text):
        name, wheel_version = found
        assert not [*filename_problems(text, name, str(wheel_version))]


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (wheel, zipped_sdist, sdist, tar, unverified, metadata, entry_points, form, version, filename)
}


def _check(report: Report) -> None:
    assert report.problems or report.metadata is not None
    assert all(problem.isprintable() and len(problem) < 1000 for problem in report.problems)


class _Slow(io.BytesIO):
    """A stream that returns at most so many bytes at once."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size if size is None or size < 0 else min(size, self._size))
