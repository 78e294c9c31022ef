"""Stores that implement the required methods and nothing else, and inherit nothing: the least that a suite accepts."""

import io
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from secrets import token_hex
from threading import RLock
from typing import BinaryIO

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused
from pypi_registry.model import (
    Deletion,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Upload,
)
from pypi_registry.storage import MAX_PUBLICATIONS, MAX_TOTAL, check_variant


class PlainCatalogue:
    """Searches lists of rows. A revision is that of each project, which is simple and slow."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.ids = count(1)
        self.packages_by_id: dict[int, Package] = {}
        self.metadata: dict[int, PackageMetadata] = {}
        self.files_by_id: dict[int, PackageFile] = {}
        self.identities: dict[int, str | None] = {}
        self.core_metadata_by_id: dict[int, bytes | None] = {}
        self.statuses: dict[tuple[int, NormalizedName], NameStatus] = defaultdict(NameStatus)
        self.published: dict[NormalizedName, set[tuple[str, int]]] = defaultdict(set)
        self.paths: dict[int, str] = {}
        self.revisions: dict[tuple[int, NormalizedName | None], str] = {}

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        name = upload.normalized_name
        with self.lock:
            status = self.statuses[project.id, name].status
            if not status.accepts_uploads:
                raise UploadsRefused(name, status)
            taken = [file for file in self.files_by_id.values() if file.package.project_id == project.id]
            identity = upload.identity or upload.filename
            if any(upload.filename == file.filename or identity == self.identities[file.id] for file in taken):
                raise FileTaken(upload.filename)
            same = [
                package
                for package in self.packages_by_id.values()
                if (package.project_id, package.normalized_name) == (project.id, name)
                and Version(package.version) == Version(upload.version)
            ]
            check_variant(upload, [file.variant for file in taken if file.package.id in [each.id for each in same]])
            package = same[0] if same else Package(next(self.ids), project.id, upload.name, name, upload.version, at)
            file = PackageFile(
                id=next(self.ids),
                package=package,
                filename=upload.filename,
                size=upload.size,
                digests=upload.digests,
                requires_python=upload.requires_python,
                uploaded_at=at,
                blob_key=blob_key,
                core_metadata_sha256=upload.core_metadata_sha256,
                uploaded_by=by,
                variant=upload.variant,
            )
            names = {*self.names(Projects([project]))}
            self.packages_by_id[package.id] = package
            self.metadata[package.id] = upload.metadata
            self.files_by_id[file.id] = file
            self.identities[file.id] = upload.identity
            self.core_metadata_by_id[file.id] = upload.core_metadata
            self.published[name].add((project.root, project.id))
            self.paths[project.id] = project.path
            self.changed(project, name, names)
            return file

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        with self.lock:
            file = self.files_by_id.get(file_id)
            if file is None or file.package.project_id != project.id:
                return None
            found = self.package(project.id, file.package.id)
            assert found is not None
            if len(found.files) == 1:
                return self.delete_package(project, found.package.id, by)
            del self.files_by_id[file_id]
            self.changed(project, found.package.normalized_name)
            return Deletion(found.package, [replace(file, package=found.package)], package_deleted=False)

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        with self.lock:
            found = self.package(project.id, package_id)
            if found is None:
                return None
            names = {*self.names(Projects([project]))}
            del self.packages_by_id[package_id]
            for file in found.files:
                del self.files_by_id[file.id]
            self.changed(project, found.package.normalized_name, names)
            return Deletion(found.package, found.files, package_deleted=True)

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        with self.lock:
            found = self.package(project.id, package_id)
            if found is None:
                return None
            package = self.packages_by_id[package_id] = replace(found.package, yanked=reason)
            self.changed(project, package.normalized_name)
            return package

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        with self.lock:
            self.statuses[project.id, name] = status
            self.changed(project, name)

    def changed(self, project: Project, name: NormalizedName, names: set[NormalizedName] | None = None) -> None:
        if project.id in self.paths:
            self.paths[project.id] = project.path
        self.revisions[project.id, name] = token_hex()
        if names is not None and names != {*self.names(Projects([project]))}:
            self.revisions[project.id, None] = token_hex()

    def files_in(self, ids: Sequence[int], name: NormalizedName | None = None) -> list[PackageFile]:
        return [
            replace(file, package=self.packages_by_id[file.package.id])
            for file in self.files_by_id.values()
            if file.package.project_id in ids and name in (None, file.package.normalized_name)
        ]

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        with self.lock:
            if not self.files_in(projects.ids, name):
                return None
            return tuple((id_, self.revisions.get((id_, name))) for id_ in sorted(projects.ids))

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        with self.lock:
            packages = self.packages_by_id.values()
            return sorted({package.normalized_name for package in packages if package.project_id in projects})

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        with self.lock:
            files = self.files_in(projects.ids, name)
            ids = {file.package.project_id for file in files}
            return Listing(files, {id_: self.statuses[id_, name] for id_ in ids}) if files else None

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        with self.lock:
            found = [
                FileWithStatus(file, self.statuses[file.package.project_id, file.package.normalized_name])
                for file in self.files_in(projects.ids)
                if (file.digests.sha256, file.filename) == (sha256, filename)
            ]
        offered = [each for each in found if each.status.status.offers_files]
        return next(reversed(offered or found), None)

    def core_metadata(self, file_id: int) -> bytes | None:
        with self.lock:
            return self.core_metadata_by_id[file_id] if file_id in self.files_by_id else None

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        with self.lock:
            return [*self.published[name]][:MAX_PUBLICATIONS]

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        with self.lock:
            found = [
                package
                for package in self.packages_by_id.values()
                if package.project_id in projects
                and _has_words(package.name, query.name)
                and query.normalized_name in (None, package.normalized_name)
                and query.version in ("", package.version)
            ]
            paths = dict(self.paths)

        def order(package: Package) -> tuple[object, int]:
            by_path = query.order_by == "project_path"
            return paths[package.project_id] if by_path else getattr(package, query.order_by), package.id

        found.sort(key=order, reverse=query.descending)
        total = len(found) if len(found) <= MAX_TOTAL else None
        return found[query.offset :][: query.limit], total

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        with self.lock:
            package = self.packages_by_id.get(package_id)
            if package is None or package.project_id != project_id:
                return None
            files = [file for file in self.files_in([project_id]) if file.package.id == package_id]
            return PackageDetails(package, files, self.metadata[package_id])


def _has_words(name: str, search: str) -> bool:
    # Bytes have two cases of ASCII letters only.
    found, words = name.encode().lower(), [word.encode().lower() for word in search.split()]
    return all(word in found if len(word.decode()) >= 3 else word == found for word in words)


class PlainBlobs:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        file.seek(0)
        self.blobs[key] = file.read()

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | None:
        data = self.blobs.get(key)
        if data is None:
            return None
        if len(data) != size:
            raise StorageUnavailable(f"the blob has {len(data)} bytes instead of {size}")
        return io.BytesIO(data if part is None else data[part.start : part.stop])

    def delete(self, key: str) -> None:
        self.blobs.pop(key, None)
