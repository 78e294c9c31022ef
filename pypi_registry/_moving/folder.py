"""A folder of distributions as a source."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import BinaryIO

from packaging.utils import InvalidSdistFilename, NormalizedName, parse_sdist_filename
from packaging.version import InvalidVersion

from pypi_registry._disk import disk_errors_as_storage_errors
from pypi_registry._filenames import SDIST_SUFFIXES
from pypi_registry._moving.digests import Comparison
from pypi_registry._moving.source import SourceError, SourceFile, SourcePage, Stopped
from pypi_registry.distributions.filenames import filename_problems, wheel_name_and_version
from pypi_registry.errors import FileTooLarge

_BLOCK = 1024**2


class FolderSource:
    """The wheels and sdists in a folder and in all folders below it.

    Files whose names are not those of a wheel or an sdist are skipped. Links to folders are not followed.

    :raises SourceError: if the folder cannot be read.
    """

    lacks_digests = one_name_per_page = False

    def __init__(self, folder: Path) -> None:
        self._stopped = Event()
        self.ignored = 0
        """How many other files there are."""
        self._files: dict[NormalizedName, list[Path]] = {}
        for path in _files_below(folder):
            name = _name_of(path.name)
            if name is None:
                self.ignored += 1
            else:
                self._files.setdefault(name, []).append(path)

    def names(self) -> Sequence[NormalizedName]:
        return sorted(self._files)

    def page(self, name: NormalizedName) -> SourcePage:
        if name not in self._files:
            raise SourceError("the folder has no file of this name", 404)
        files = []
        for path in self._files[name]:
            try:
                digest, size = hashlib.sha256(), 0
                for block in self._blocks(path):
                    digest.update(block)
                    size += len(block)
            except OSError as error:
                raise SourceError(f"{path}: {error.strerror}") from error
            files.append(SourceFile(path.name, str(path), {"sha256": digest.hexdigest()}, size))
        return SourcePage(files)

    def fetch(self, file: SourceFile, into: BinaryIO, *, max_size: int) -> None:
        comparison = Comparison(file.digests)
        size = 0
        for block in self._read(Path(file.url)):
            size += len(block)
            if size >= max_size:
                raise FileTooLarge(max_size)
            comparison.update(block)
            with disk_errors_as_storage_errors():
                into.write(block)
        comparison.check()

    def stop(self) -> None:
        self._stopped.set()

    def _read(self, path: Path) -> Iterator[bytes]:
        try:
            yield from self._blocks(path)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error

    def _blocks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                if self._stopped.is_set():
                    raise Stopped
                yield block


def _files_below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise SourceError(f"{error.filename}: {error.strerror}") from error

    for parent, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        yield from (path for path in (Path(parent, name) for name in sorted(files)) if path.is_file())


def _name_of(filename: str) -> NormalizedName | None:
    """Return the name in the file name of a wheel or an sdist; None if it is neither."""
    if any(filename_problems(filename)):
        return None
    wheel = wheel_name_and_version(filename)
    if wheel is not None:
        return wheel[0]
    try:
        return parse_sdist_filename(filename)[0] if filename.endswith(SDIST_SUFFIXES) else None
    except (InvalidSdistFilename, InvalidVersion):
        return None
