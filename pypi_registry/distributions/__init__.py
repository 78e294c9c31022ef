"""What a wheel or an sdist says of itself, and whether every reader would see the same in it.

Pure, and of use without a registry: a stream and a file name in, findings out; nothing is extracted, and memory is
bounded whatever the file claims::

    with open("demo-1.0-py3-none-any.whl", "rb") as file:
        findings = verify(file, "demo-1.0-py3-none-any.whl")
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

from pypi_registry._names import normalize
from pypi_registry.distributions.faults import Unreadable, bounded
from pypi_registry.distributions.filenames import filename_faults as filename_faults
from pypi_registry.distributions.findings import Findings as Findings
from pypi_registry.distributions.limits import BUDGET
from pypi_registry.distributions.metadata import CoreMetadata as CoreMetadata
from pypi_registry.distributions.metadata import disagreements as disagreements
from pypi_registry.distributions.metadata import is_served as is_served

Verify: TypeAlias = Callable[[BinaryIO, str], Findings]
"""What looks into a file: its bytes as a seekable stream, from the beginning, and its name."""


def verify(stream: BinaryIO, filename: str, *, budget: int | None = BUDGET) -> Findings:
    """Look into a wheel or an sdist, and name everything that is wrong with it.

    A gzipped tar is read once, forward only; of a zip archive mostly the directories are read.

    :param stream: the whole file, at its beginning; it is neither closed nor written to.
    :param filename: without a path. It says which kind of file this must be.
    :param budget: bytes that may be unpacked from a zip archive to compare contents with the digests in ``RECORD``,
        beside its metadata; None for all.
    """
    findings = _look_into(stream, filename, budget)
    faults = [*filename_faults(filename), *findings.faults]
    if findings.metadata:
        faults += _metadata_faults(findings.metadata, filename)
    return Findings(findings.metadata, bounded(faults))


def trust(stream: BinaryIO, filename: str) -> Findings:
    """Read the metadata if that can be done, and find no fault with anything."""
    return Findings(_look_into(stream, filename, budget=0).metadata)


def _look_into(stream: BinaryIO, filename: str, budget: int | None) -> Findings:
    # What reads archives is loaded with the first of them: a seventh of what an import of this package takes.
    from pypi_registry.distributions.kinds import check

    try:
        return check(stream, filename, budget)
    except Unreadable as error:
        return Findings(None, (str(error),))


def _metadata_faults(metadata: CoreMetadata, filename: str) -> Iterator[str]:
    """Name what is wrong with a name and a version, or in the file name if they are right."""
    wrong = [*disagreements(metadata)]
    yield from wrong or filename_faults(filename, normalize(metadata.name), metadata.version)
