"""Real distributions from the index that pip uses: which of a project's files are taken, and their bytes, kept."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from pypi_simple import DistributionPackage, PyPISimple

ERAS = (2006, 2008, 2010, 2012, 2014, 2016, 2019, 2022, 9999)
"""The last years of the times in which file formats were alike, roughly."""

KINDS = (".whl", ".tar.gz", ".zip")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file of an index, and what makes it the same file tomorrow."""

    project: str
    filename: str
    sha256: str
    year: int
    """In which it was published; 0: unknown."""


def choose(packages: Iterable[DistributionPackage], max_size: int) -> list[DistributionPackage]:
    """Give the newest file of each kind and era, and the newest wheel of each kind of machine."""
    chosen: dict[tuple[object, ...], DistributionPackage] = {}
    for package in sorted(packages, key=_uploaded):
        if package.filename.endswith(KINDS) and (package.size or 0) <= max_size and not package.is_yanked:
            chosen[_kind(package)] = package
    return list(chosen.values())


def _uploaded(package: DistributionPackage) -> tuple[str, str]:
    return (package.upload_time.isoformat() if package.upload_time else "", package.filename)


def _kind(package: DistributionPackage) -> tuple[object, ...]:
    era = era_of(package.upload_time.year if package.upload_time else 0)
    if package.package_type == "sdist":
        return era, package.filename.endswith(".zip")
    platform = package.filename.removesuffix(".whl").rpartition("-")[2]
    return era, "wheel", platform.partition("_")[0] if era == ERAS[-1] else ""


def era_of(year: int) -> int:
    """Give the last year of the era that a year is in."""
    return next(last for last in ERAS if year <= last)


class Index:
    """The index that pip is set up for, asked for one thing at a time."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._pages: dict[str, list[DistributionPackage]] = {}
        session = requests.Session()
        if certificates := _pip_says("global.cert"):
            session.verify = certificates
        address = os.environ.get("PIP_INDEX_URL") or _pip_says("global.index-url")
        self._client = PyPISimple(address, session=session) if address else PyPISimple(session=session)

    def files(self, project: str) -> list[DistributionPackage]:
        """Give all files of a project; asks once."""
        if project not in self._pages:
            self._pages[project] = self._client.get_project_page(project).packages
        return self._pages[project]

    def path(self, chosen: Chosen) -> Path:
        """Give the file, fetched if it is not here yet. Its digest is checked as it arrives."""
        path = self._cache / chosen.filename
        if not path.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            package = next(it for it in self.files(chosen.project) if it.digests.get("sha256") == chosen.sha256)
            part = path.with_suffix(f".{os.getpid()}.part")
            self._client.download_package(package, part)
            part.replace(path)
        return path


def _pip_says(setting: str) -> str:
    command = [sys.executable, "-m", "pip", "config", "get", setting]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def corpus(projects: Iterable[str], index: Index, remembered: Path, max_size: int) -> Iterator[Chosen]:
    """Choose of each project; what was chosen is remembered, so that the next run asks for nothing."""
    known: dict[str, list[Chosen]] = {}
    if remembered.exists():
        known = {name: [Chosen(**it) for it in entries] for name, entries in json.loads(remembered.read_text()).items()}
    for project in projects:
        if project not in known:
            known[project] = [
                Chosen(project, it.filename, it.digests["sha256"], it.upload_time.year if it.upload_time else 0)
                for it in choose(index.files(project), max_size)
            ]
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.write_text(json.dumps({name: [*map(asdict, them)] for name, them in known.items()}, indent=1))
        yield from known[project]


def pinned(listing: Path) -> Iterator[Chosen]:
    """Read a list of chosen files: a project, a file name, a SHA-256 and a year a line."""
    for line in listing.read_text().splitlines():
        if not line.startswith("#"):
            project, filename, sha256, year = line.split()
            yield Chosen(project, filename, sha256, int(year))


def room_for(chosen: Iterable[Chosen], index: Index, max_total: int) -> Iterator[tuple[Path, int]]:
    """Give each file and its year, fetched if it is not here yet, as long as they have no more bytes together."""
    total = 0
    for it in chosen:
        path = index.path(it)
        total += path.stat().st_size
        if total > max_total:
            return
        yield path, it.year
