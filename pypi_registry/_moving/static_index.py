"""A static index: the simple pages, files and core metadata of some projects, as a folder for any web server.

Everything is written beside its path and renamed. New files come before the pages that list them, and are deleted after
the pages that listed them. So a web server may serve the folder during a second export.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt, with_cause
from pypi_registry._pages.simple import MediaType, render_index, render_package
from pypi_registry._pages.variants import variants_files
from pypi_registry._variants import SUFFIX as VARIANTS_SUFFIX
from pypi_registry.distributions.filenames import filename_problems
from pypi_registry.errors import RegistryError, StorageUnavailable
from pypi_registry.model import Listing, PackageFile, Projects
from pypi_registry.storage import Blobs, Catalogue, Redirect

MARK = ".pypi-registry-export"
"""The file that shows that a folder was created by an export, which may delete in it."""

_PAGES = {"index.html": MediaType.TEXT_HTML, "index.json": MediaType.JSON}
_CROSS_DEVICE = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}
_BLOCK = 1024**2


class ForeignFolder(RegistryError):
    """The folder holds something that no export has written, and that an export must not change."""

    def __init__(self, folder: str, reason: str = "this folder is not empty, and no export has written it") -> None:
        super().__init__(folder, reason)
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


@runtime_checkable
class LinksFiles(Protocol):
    """An optional part of a store of bytes: its files can get a second name on the same disk."""

    def link(self, key: str, path: str | os.PathLike[str]) -> None:
        """Create a hard link to the bytes of a key.

        :raises OSError: if the key does not exist, or the file system cannot link there.
        """


@dataclass(frozen=True, slots=True)
class NotExported:
    """A file that was not exported."""

    file: PackageFile
    reason: str
    """A sentence."""


@dataclass(slots=True)
class Summary:
    """What an export has done."""

    names: int = 0
    files: int = 0
    """Files that the index has now."""
    linked: int = 0
    """New hard links."""
    copied: int = 0
    """New copies."""
    deleted: int = 0
    """Files that were deleted, because the index no longer lists them."""
    left: int = 0
    """Files that were not exported."""


class Export:
    """One export of projects into a folder.

    :param title: of the list of names.
    :param on_progress: called with the number of names that are exported, and of all.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: Blobs,
        projects: Projects,
        title: str,
        folder: Path,
        *,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.summary = Summary()
        self._catalogue, self._blobs, self._projects, self._title = catalogue, blobs, projects, title
        self._folder, self._pages, self._files = folder, folder / "simple", folder / "files"
        self._on_progress = on_progress or (lambda done, total: None)
        self._listed: set[str] = set()  # digest/name of each file that a page lists
        self._variants: set[str] = set()  # and of each variants JSON (PEP 825)

    def run(self) -> Iterator[NotExported]:
        """Export everything once, and yield each file that could not be exported.

        :raises ForeignFolder: if the folder is not empty and no export has written it.
        :raises StorageUnavailable: if the catalogue cannot answer now.
        :raises OSError: if the folder cannot be written.
        """
        self._prepare()
        names = self._catalogue.names(self._projects)
        exported: list[NormalizedName] = []
        for number, name in enumerate(names):
            self._on_progress(number, len(names))
            listing = self._catalogue.listing(self._projects, name)
            if listing is None:  # it was deleted meanwhile
                continue
            files: list[PackageFile] = []
            for file in listing.offered_files:
                reason = self._export(file)
                if reason is None:
                    files.append(file)
                else:
                    self.summary.left += 1
                    yield NotExported(file, reason)
            self._write_variants(name, files)
            self._write_package(name, listing, files)
            exported.append(name)
        self._write_index(exported)
        self._delete_old(exported)
        self.summary.names, self.summary.files = len(exported), len(self._listed)

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / MARK).exists():
            if any(self._folder.iterdir()):
                raise ForeignFolder(str(self._folder))
            (self._folder / MARK).write_text("pypi-registry export writes this folder and deletes old files in it.\n")
        _enter(self._pages)
        _enter(self._files)

    # Files

    def _export(self, file: PackageFile) -> str | None:
        """Write a file and its core metadata; return why it is impossible, or None."""
        if any(filename_problems(file.filename)) or not _DIGEST.fullmatch(file.digests.sha256):
            return f"{excerpt(file.filename)} is not the name of a file that can be written"
        folder = self._files / file.digests.sha256
        _enter(folder)
        path = folder / file.filename
        if not _has_size(path, file.size):
            reason = self._write_file(file, path)
            if reason is not None:
                return reason
        if file.core_metadata_sha256 is not None:
            data = self._catalogue.core_metadata(file.id)
            if data is None:
                return "its core metadata is missing"
            metadata = folder / f"{file.filename}.metadata"
            if not _has_size(metadata, len(data)) or metadata.read_bytes() != data:
                _write(metadata, data)
        self._listed.add(f"{file.digests.sha256}/{file.filename}")
        return None

    def _write_variants(self, name: NormalizedName, files: Sequence[PackageFile]) -> None:
        for each in variants_files(name, files):
            folder = self._files / each.sha256
            _enter(folder)
            _write(folder / each.filename, each.content)
            self._variants.add(f"{each.sha256}/{each.filename}")

    def _write_file(self, file: PackageFile, path: Path) -> str | None:
        try:
            stream = self._blobs.open(file.blob_key, size=file.size)
        except (StorageUnavailable, OSError) as error:
            return f"its bytes cannot be read: {with_cause(error)}"
        if stream is None:
            return "its bytes are missing"
        if isinstance(stream, Redirect):
            return "the store redirects to its bytes instead of returning them"
        beside = _beside(path)
        try:
            with stream, _naming(path):
                if self._link(file.blob_key, beside):
                    self.summary.linked += 1
                else:
                    with beside.open("wb") as copy:
                        shutil.copyfileobj(stream, copy, _BLOCK)
                    self.summary.copied += 1
            beside.replace(path)
            if beside.exists():  # renaming one hard link of a file to another one does nothing (POSIX, rename)
                beside.unlink()
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return None

    def _link(self, key: str, path: Path) -> bool:
        if not isinstance(self._blobs, LinksFiles):
            return False
        try:
            self._blobs.link(key, path)
        except OSError as error:
            if error.errno in _CROSS_DEVICE:  # another disk, or a file system without hard links
                return False
            raise
        return True

    # Pages

    def _write_package(self, name: NormalizedName, listing: Listing, files: Sequence[PackageFile]) -> None:
        folder = self._pages / name
        _enter(folder)
        for page, media_type in _PAGES.items():
            _write(folder / page, render_package(name, files, media_type, listing.status, trailing_slash=True))
        for path in folder.iterdir():  # an export that was killed may have left files
            if path.name not in _PAGES:
                _delete(path)

    def _write_index(self, names: Sequence[NormalizedName]) -> None:
        for page, media_type in _PAGES.items():
            _write(self._pages / page, render_index(self._title, names, media_type, trailing_slash=True))

    # What the index no longer has

    def _delete_old(self, names: Sequence[NormalizedName]) -> None:
        present = {*names, *_PAGES}
        for path in self._pages.iterdir():
            if path.name not in present:
                _delete(path)
        listed = self._listed | self._variants
        for folder in self._files.iterdir():
            if not _DIGEST.fullmatch(folder.name):  # not created by an export
                continue
            _enter(folder)
            for path in folder.iterdir():
                if f"{folder.name}/{path.name.removesuffix('.metadata')}" not in listed:
                    self.summary.deleted += not path.name.endswith((".metadata", VARIANTS_SUFFIX, _SUFFIX))
                    path.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()


_SUFFIX = ".part"
_DIGEST = re.compile("[0-9a-f]{64}")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add a path to an error of the disk that names none: writing to an open file raises such errors."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _enter(folder: Path) -> None:
    """Create a folder if it is missing.

    :raises ForeignFolder: if a symbolic link is there: what it leads to must not be written or deleted.
    """
    if folder.is_symlink():
        raise ForeignFolder(str(folder), "this is a symbolic link, and an export follows none below its folder")
    folder.mkdir(exist_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}{_SUFFIX}")


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes) -> None:
    """Write a file, so that a reader sees the old bytes or the new ones; an unchanged file keeps its time."""
    if _has_size(path, len(data)) and path.read_bytes() == data:
        return
    beside = _beside(path)
    try:
        with _naming(path):
            beside.write_bytes(data)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
