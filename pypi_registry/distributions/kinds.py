"""The kinds of distributions: a file name's ending says which one a file must be, and what looks into it."""

from typing import BinaryIO

from pypi_registry.distributions.findings import Findings
from pypi_registry.distributions.sdists import check_sdist, check_zipped_sdist
from pypi_registry.distributions.tars import Tar
from pypi_registry.distributions.wheels import check_wheel
from pypi_registry.distributions.zips import Zip


def check(stream: BinaryIO, filename: str, budget: int | None) -> Findings:
    """Look into a file of whatever kind it is; find nothing in one of no kind, whose name is a fault of its own.

    :raises Unreadable: if it is no archive of that kind.
    """
    if filename.endswith(".whl"):
        return check_wheel(Zip(stream), filename, budget)
    if filename.endswith(".zip"):
        return check_zipped_sdist(Zip(stream), budget)
    if filename.endswith(".tar.gz"):
        return check_sdist(Tar(stream))
    return Findings()
