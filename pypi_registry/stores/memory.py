"""A catalogue and a store of bytes that last as long as the process."""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import BinaryIO

from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry.errors import FileTaken
from pypi_registry.model import About, Package, PackageFile, Project, Upload


class MemoryCatalogue:
    """Keeps rows in dictionaries, under one lock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: dict[tuple[int, NormalizedName], list[PackageFile]] = defaultdict(list)
        self._filenames: set[tuple[int, str]] = set()
        self._addresses: dict[tuple[str, str], list[PackageFile]] = defaultdict(list)
        self._packages: dict[tuple[int, NormalizedName, str], Package] = {}
        self._about: dict[int, About] = {}
        self._revision = 0
        self._revisions: dict[tuple[int, NormalizedName | None], int] = {}
        self._published: set[tuple[str, NormalizedName]] = set()
        self._publishers: dict[int, str] = {}

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        with self._lock:
            if (project.id, upload.filename) in self._filenames:
                raise FileTaken(upload.filename)
            self._revision += 1
            package = self._package(project, upload)
            file = PackageFile(
                id=self._revision,
                package=package,
                filename=upload.filename,
                size=upload.size,
                digests=upload.digests,
                requires_python=upload.requires_python,
                uploaded_at=at,
                key=key,
            )
            self._revisions[project.id, upload.normalized] = self._revision
            if not self._files[project.id, upload.normalized]:
                self._revisions[project.id, None] = self._revision
            self._files[project.id, upload.normalized].append(file)
            self._filenames.add((project.id, upload.filename))
            self._addresses[upload.digests.sha256, upload.filename].append(file)
            self._about[package.id] = upload.about
            self._published.add((project.root, upload.normalized))
            self._publishers[project.id] = project.path
            return file

    def _package(self, project: Project, upload: Upload) -> Package:
        identity = project.id, upload.normalized, canonicalize_version(upload.version)
        if identity not in self._packages:
            self._packages[identity] = Package(
                len(self._packages) + 1, project.id, upload.name, upload.normalized, upload.version
            )
        return self._packages[identity]

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        wanted = set(projects)
        with self._lock:
            return sorted({name for (project, name), files in self._files.items() if files and project in wanted})

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        with self._lock:
            found = [file for project in set(projects) for file in self._files.get((project, name), ())]
        return sorted(found, key=lambda file: file.id)

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        with self._lock:
            found = self._addresses.get((sha256, filename), [])
            return next((file for file in reversed(found) if file.package.project_id in projects), None)

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        with self._lock:
            return max((self._revisions.get((project, name), 0) for project in projects), default=0)

    def was_published(self, root: str, name: NormalizedName) -> bool:
        with self._lock:
            return (root, name) in self._published

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        with self._lock:
            return sorted(
                (number, path) for number, path in self._publishers.items() if projects is None or number in projects
            )

    def about(self, package: Package) -> About:
        with self._lock:
            return self._about[package.id]


class MemoryBlobs:
    """Keeps bytes in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    @contextmanager
    def create(self, key: str) -> Iterator["_NewMemoryBlob"]:
        yield _NewMemoryBlob(self._blobs, key)

    def open(self, key: str) -> BinaryIO | None:
        data = self._blobs.get(key)
        return None if data is None else io.BytesIO(data)

    def delete(self, key: str) -> None:
        self._blobs.pop(key, None)


class _NewMemoryBlob:
    def __init__(self, blobs: dict[str, bytes], key: str) -> None:
        self._blobs = blobs
        self._key = key
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._data += data

    def read_back(self) -> BinaryIO:
        return io.BytesIO(self._data)

    def commit(self) -> None:
        self._blobs[self._key] = bytes(self._data)
