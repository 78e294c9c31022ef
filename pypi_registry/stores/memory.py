"""A catalogue and a store of bytes that last as long as the process."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import BinaryIO, Self

from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, Package, PackageFile, PackageMetadata, PackageQuery, Project, Status, Upload


class MemoryCatalogue:
    """Keeps rows in dictionaries, under one lock."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last_id = 0
        self._packages: dict[int, Package] = {}
        self._about: dict[int, PackageMetadata] = {}
        self._files: dict[int, PackageFile] = {}
        self._core_metadata: dict[int, bytes] = {}
        self._packages_by_name: dict[tuple[int, NormalizedName], list[int]] = defaultdict(list)
        self._files_by_package: dict[int, list[int]] = defaultdict(list)
        self._files_by_digest: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._filenames: set[tuple[int, str]] = set()
        self._statuses: dict[tuple[int, NormalizedName], NameStatus] = {}
        self._revisions: dict[tuple[int, NormalizedName | None], int] = {}
        self._published: set[tuple[str | int, NormalizedName]] = set()
        self._publishers: dict[int, str] = {}

    def copy(self) -> Self:
        """Give a catalogue with the same rows, which goes its own way from here."""
        other = type(self)()
        with self._lock:
            rows = {name: value for name, value in vars(self).items() if name != "_lock"}
            vars(other).update(deepcopy(rows))
        return other

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        with self._lock:
            status = self._statuses.get((project.id, upload.normalized_name), NameStatus()).status
            if status in (Status.ARCHIVED, Status.QUARANTINED):
                raise UploadsRefused(upload.normalized_name, status)
            if (project.id, upload.filename) in self._filenames:
                raise FileTaken(upload.filename)
            package = self._package(project, upload, at)
            file = PackageFile(
                id=self._next_id(),
                package=package,
                filename=upload.filename,
                size=upload.size,
                digests=upload.digests,
                requires_python=upload.requires_python,
                uploaded_at=at,
                key=key,
                metadata_sha256=upload.metadata_sha256,
            )
            self._files[file.id] = file
            if upload.core_metadata is not None:
                self._core_metadata[file.id] = upload.core_metadata
            self._files_by_package[package.id].append(file.id)
            self._files_by_digest[file.digests.sha256, file.filename].append(file.id)
            self._filenames.add((project.id, file.filename))
            self._about[package.id] = upload.about
            self._published |= {(project.root, upload.normalized_name), (project.id, upload.normalized_name)}
            self._publishers[project.id] = project.path
            self._revise(package)
            return file

    def _package(self, project: Project, upload: Upload, at: datetime) -> Package:
        version = canonicalize_version(upload.version)
        siblings = self._packages_by_name[project.id, upload.normalized_name]
        for sibling in map(self._packages.__getitem__, siblings):
            if canonicalize_version(sibling.version) == version:
                return sibling
        package = Package(self._next_id(), project.id, upload.name, upload.normalized_name, upload.version, at)
        if not siblings:
            self._revisions[project.id, None] = self._next_id()
        siblings.append(package.id)
        self._packages[package.id] = package
        return package

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _revise(self, package: Package) -> None:
        self._revisions[package.project_id, package.normalized_name] = self._next_id()

    def delete_file(self, file: PackageFile) -> str | None:
        with self._lock:
            if file.id not in self._files:
                return None
            self._forget(file)
            self._files_by_package[file.package.id].remove(file.id)
            self._revise(file.package)
            return file.key

    def delete_package(self, package: Package) -> Sequence[str]:
        with self._lock:
            if self._packages.pop(package.id, None) is None:
                return []
            del self._about[package.id]
            files = [self._files[number] for number in self._files_by_package.pop(package.id)]
            for file in files:
                self._forget(file)
            siblings = self._packages_by_name[package.project_id, package.normalized_name]
            siblings.remove(package.id)
            if not siblings:
                self._revisions[package.project_id, None] = self._next_id()
            self._revise(package)
            return [file.key for file in files]

    def _forget(self, file: PackageFile) -> None:
        del self._files[file.id]
        self._core_metadata.pop(file.id, None)
        self._files_by_digest[file.digests.sha256, file.filename].remove(file.id)
        self._filenames.remove((file.package.project_id, file.filename))

    def yank(self, package: Package, reason: str | None) -> Package | None:
        with self._lock:
            if package.id not in self._packages:
                return None
            changed = self._packages[package.id] = replace(self._packages[package.id], yanked=reason)
            self._revise(changed)
            return changed

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        with self._lock:
            self._statuses[project.id, name] = status
            self._revisions[project.id, name] = self._next_id()

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        with self._lock:
            found = {
                self._statuses.get((project, name), NameStatus())
                for project in projects
                if self._packages_by_name.get((project, name))
            }
            return found.pop() if len(found) == 1 else NameStatus()

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        wanted = set(projects)
        with self._lock:
            found = [
                package
                for package in self._packages.values()
                if package.project_id in wanted
                and _lower(query.name) in _lower(package.name)
                and query.normalized_name in (None, package.normalized_name)
                and query.version in ("", package.version)
            ]
            paths = dict(self._publishers)
        found.sort(key=lambda package: (_ORDERS[query.order_by](package, paths), package.id), reverse=query.descending)
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end], len(found)

    def package(self, projects: Sequence[int], number: int) -> Package | None:
        with self._lock:
            package = self._packages.get(number)
            return package if package is not None and package.project_id in projects else None

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        with self._lock:
            return list(self._rows(self._files_by_package.get(package.id, ())))

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        with self._lock:
            return any(self._packages_by_name.get((project, name)) for project in projects)

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        wanted = set(projects)
        with self._lock:
            return sorted(
                {name for (project, name), there in self._packages_by_name.items() if there and project in wanted}
            )

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        with self._lock:
            packages = [
                package for project in set(projects) for package in self._packages_by_name.get((project, name), ())
            ]
            found = [*self._rows(file for package in packages for file in self._files_by_package[package])]
        return sorted(found, key=lambda file: file.id)

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        with self._lock:
            found = self._rows(reversed(self._files_by_digest.get((sha256, filename), [])))
            return next((file for file in found if file.package.project_id in projects), None)

    def _rows(self, numbers: Iterable[int]) -> Iterator[PackageFile]:
        for number in numbers:
            file = self._files[number]
            yield replace(file, package=self._packages[file.package.id])  # it may have been yanked since

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        with self._lock:
            return max((self._revisions.get((project, name), 0) for project in projects), default=0)

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        with self._lock:
            return (root, name) in self._published or any((project, name) in self._published for project in projects)

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        with self._lock:
            return sorted(
                (number, path) for number, path in self._publishers.items() if projects is None or number in projects
            )

    def core_metadata(self, file: PackageFile) -> bytes | None:
        with self._lock:
            return self._core_metadata.get(file.id)

    def about(self, package: Package) -> PackageMetadata:
        with self._lock:
            return self._about.get(package.id, PackageMetadata())


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text  # names are ASCII; the Kelvin sign is no k


_ORDERS: Mapping[str, Callable[[Package, Mapping[int, str]], object]] = {
    "created_at": lambda package, _: package.created_at,
    "name": lambda package, _: package.name,
    "version": lambda package, _: package.version,
    "project_path": lambda package, paths: paths[package.project_id],
}


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
