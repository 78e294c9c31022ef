"""The problems of real distributions, and why some are refused rightly."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pypi_registry.distributions import Report

_NO_VERSION = "its version has a letter that GitLab's rule does not allow; for pip it is not a version either (PEP 440)"

EXPLAINED = {
    **{
        f"pytz-{version}": _NO_VERSION
        for version in (
            *("2006p.tar.gz", "2006p.zip", "2008i.tar.gz", "2008i.zip", "2010o.tar.gz", "2010o.zip"),
            *("2012g.zip", "2012h.tar.gz"),
        )
    },
    "html5lib-1.0-reupload.tar.gz": "its metadata has version 1.0, but its name does not; pip leaves such a file out",
    **dict.fromkeys(
        ("wheel-0.14.0-py2.py3-none-any.whl", "Django-1.7.1-py2.py3-none-any.whl"),
        "its data folder has the scripts of its entry points, which pip leaves out",
    ),
}
"""File name -> why it is refused, and what others do with it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A distribution, and what was found in it."""

    path: Path
    year: int
    """In which it was published; 0: unknown."""
    problems: tuple[str, ...]
    seconds: float

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def kind(self) -> str:
        return "wheel" if self.path.suffix == ".whl" else "sdist"


def check(path: Path, verify: Callable[..., Report]) -> tuple[str, ...]:
    """Return the problems of a file, all of which is decompressed."""
    with path.open("rb") as stream:
        report = verify(stream, path.name, budget=None)
    if not report.problems and report.metadata is None:
        return ("no metadata was found, and no problem reported",)
    return report.problems
