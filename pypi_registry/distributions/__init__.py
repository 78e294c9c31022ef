"""Verify wheels and sdists: read their core metadata, and find what installers would read in different ways.

It works without a registry. Nothing is extracted, and memory is bounded whatever a file claims to contain::

    with open("demo-1.0-py3-none-any.whl", "rb") as file:
        report = verify(file, "demo-1.0-py3-none-any.whl")
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from pypi_registry._filenames import SDIST_SUFFIX, WHEEL_SUFFIX, ZIPPED_SDIST_SUFFIX
from pypi_registry._names import normalize
from pypi_registry.distributions.filenames import filename_problems
from pypi_registry.distributions.limits import BUDGET
from pypi_registry.distributions.metadata import metadata_problems
from pypi_registry.distributions.report import CoreMetadata as CoreMetadata
from pypi_registry.distributions.report import InvalidArchive, truncated
from pypi_registry.distributions.report import Report as Report
from pypi_registry.distributions.sdists import verify_sdist, verify_zipped_sdist
from pypi_registry.distributions.tars import Tar
from pypi_registry.distributions.wheels import verify_wheel
from pypi_registry.distributions.zips import Zip

Verify: TypeAlias = Callable[[BinaryIO, str], Report]
"""A function that verifies a file: it receives a seekable stream (positioned at its beginning) and the file name."""


def verify(stream: BinaryIO, filename: str, *, budget: int | None = BUDGET) -> Report:
    """Verify a wheel or an sdist, and report every problem.

    A gzipped tar is read once, forward only. Of a zip archive, mostly the headers are read.

    :param stream: the whole file, at its beginning; it is neither closed nor written to.
    :param filename: without a path. Its suffix decides which kind of archive the file must be.
    :param budget: how many bytes may be decompressed from a zip archive, besides its metadata, to compare contents with
        the digests in ``RECORD``; None for all.
    """
    report = _verify_archive(stream, filename, budget)
    problems = [*filename_problems(filename), *report.problems]
    if report.metadata:
        problems += _name_and_version_problems(report.metadata, filename)
    return Report(report.metadata, truncated(problems), report.variant)


def read_unverified(stream: BinaryIO, filename: str) -> Report:
    """Read the metadata of a file as far as possible, without verifying the file, and report no problems.

    The parameters are those of `verify`.
    """
    return replace(_verify_archive(stream, filename, budget=0), problems=())


def _verify_archive(stream: BinaryIO, filename: str, budget: int | None) -> Report:
    try:
        if filename.endswith(WHEEL_SUFFIX):
            return verify_wheel(Zip(stream), filename, budget)
        if filename.endswith(ZIPPED_SDIST_SUFFIX):
            return verify_zipped_sdist(Zip(stream), budget)
        if filename.endswith(SDIST_SUFFIX):
            return verify_sdist(Tar(stream))
    except InvalidArchive as error:
        return Report(problems=(str(error),))
    return Report()  # `filename_problems` reports the suffix


def _name_and_version_problems(metadata: CoreMetadata, filename: str) -> Iterator[str]:
    """Yield the problems of a name and a version; if they have none, those of a file name that does not match them."""
    invalid = [*metadata_problems(metadata)]
    yield from invalid or filename_problems(filename, normalize(metadata.name), metadata.version)
