"""A catalogue and a store of bytes that live as long as the process."""

import io
import secrets
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence, Set
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from threading import Lock
from typing import Any, BinaryIO, Self

from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry._filenames import identity_of
from pypi_registry._paths import root_of
from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused
from pypi_registry.model import (
    Deletion,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageQuery,
    Project,
    Projects,
    Upload,
    VariantsHistory,
)
from pypi_registry.storage import MAX_PUBLICATIONS, MAX_TOTAL, check_variant, variants_after
from pypi_registry.stores._search import name_matches

_FEW = 100  # projects with a page; the revisions of more would cost too much


class MemoryCatalogue:
    """Stores rows in dictionaries, under one lock.

    Implements `Catalogue`, `KeepsVariants`, `ProjectPaths` and `Enumerable`.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last_id = 0
        self._copied: CopiedRecord | None = None
        # Rows. A record of a file holds its package as it was when the file was added.
        self._paths: dict[int, str] = {}
        self._packages: dict[int, PackageRecord] = {}
        self._files: dict[int, FileRecord] = {}
        self._statuses: dict[tuple[int, NormalizedName], NameStatus] = {}
        self._publications: dict[NormalizedName, set[tuple[str, int]]] = defaultdict(set)
        # Indexes of the rows: ids of packages by name, project and version; names by project; ids and names of files
        self._packages_of_name: dict[NormalizedName, dict[int, dict[str, int]]] = defaultdict(dict)
        self._names_of_project: dict[int, set[NormalizedName]] = defaultdict(set)
        self._files_of_package: dict[int, list[int]] = {}
        self._files_of_digest: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._filenames: set[tuple[int, str]] = set()
        self._identities: set[tuple[int, str | None]] = set()  # without None
        # Revisions, by the id of a project or by a root group; the name of an index is None.
        self._revisions: dict[tuple[int | str, NormalizedName | None], int] = {}
        self._roots: dict[int, set[str]] = defaultdict(set)  # the root groups in which a project ever was

    def copy(self) -> Self:
        """Return a catalogue with the same rows. A later change of one does not affect the other."""
        other = type(self)()
        with self._lock:
            rows = {name: value for name, value in vars(self).items() if name != "_lock"}
            vars(other).update(deepcopy(rows))
        return other

    # Changes

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        name = upload.normalized_name
        with self._lock:
            status = self._status(project.id, name).status
            if not status.accepts_uploads:
                raise UploadsRefused(name, status)
            identity = upload.identity
            if (project.id, upload.filename) in self._filenames or (project.id, identity) in self._identities:
                raise FileTaken(upload.filename)
            self._paths[project.id] = project.path
            self._roots[project.id].add(project.root)
            self._publications[name].add((project.root, project.id))
            package = self._package_of_version(project.id, name, upload.version)
            if package is None:
                package = Package(self._next_id(), project.id, upload.name, name, upload.version, at)
                self._insert_package(PackageRecord(package, upload.metadata))
            else:
                check_variant(upload, self._variants_of(package))
                self._packages[package.id] = replace(self._packages[package.id], metadata=upload.metadata)
            file = PackageFile(
                id=self._next_id(),
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
            self._insert_file(FileRecord(file, upload.core_metadata, identity))
            self._keep_variants(file)
            return file

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        with self._lock:
            record = self._files.get(file_id)
            if record is None or record.file.package.project_id != project.id:
                return None
            self._follow(project)
            [file] = self._rows([file_id])
            self._delete_file(file)
            self._keep_variants(file)
            is_last = not self._files_of_package[file.package.id]
            if is_last:
                self._delete_package(file.package)
            return Deletion(file.package, [file], package_deleted=is_last)

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        with self._lock:
            record = self._package_record(project.id, package_id)
            if record is None:
                return None
            self._follow(project)
            files = self._rows(self._files_of_package[package_id])
            for file in files:
                self._delete_file(file)
            self._delete_package(record.package)
            return Deletion(record.package, files, package_deleted=True)

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        with self._lock:
            record = self._package_record(project.id, package_id)
            if record is None:
                return None
            self._follow(project)
            package = replace(record.package, yanked=reason)
            self._packages[package_id] = replace(record, package=package)
            self._renew(project.id, package.normalized_name)
            return package

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        with self._lock:
            self._follow(project)
            self._statuses[project.id, name] = status
            self._renew(project.id, name)

    # Simple pages and files

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        with self._lock:
            published = self._names_of_project if name is None else self._packages_of_name.get(name, {})
            if len(projects) == 1:
                [id_] = projects.ids
                return self._revisions.get((id_, name)) if id_ in published else None
            if len(published) < _FEW:
                found = [(id_, self._revisions.get((id_, name))) for id_ in published if id_ in projects]
                return tuple(sorted(found)) or None
            if not any(id_ in projects for id_ in published):
                return None
            # Return the revisions of the root groups. There are none if the projects published in another root group
            # and then moved here: their next change adds it.
            return tuple(self._revisions.get((root, name)) for root in sorted(projects.roots))

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        with self._lock:
            found = (names for id_, names in self._names_of_project.items() if id_ in projects)
            return sorted({*chain.from_iterable(found)})

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        with self._lock:
            found = {id_: ids for id_, ids in self._packages_of_name.get(name, {}).items() if id_ in projects}
            if not found:
                return None
            packages = chain.from_iterable(ids.values() for ids in found.values())
            files = self._rows(chain.from_iterable(self._files_of_package[package] for package in packages))
            return Listing(files, {id_: self._status(id_, name) for id_ in found})

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        with self._lock:
            found = [
                FileWithStatus(file, self._status(file.package.project_id, file.package.normalized_name))
                for file in reversed(self._rows(self._files_of_digest.get((sha256, filename), ())))
                if file.package.project_id in projects
            ]
        offered = [file for file in found if file.status.status.offers_files]
        return next(iter(offered or found), None)

    def core_metadata(self, file_id: int) -> bytes | None:
        with self._lock:
            record = self._files.get(file_id)
            return None if record is None else record.core_metadata

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        with self._lock:
            return sorted(self._publications.get(name, ()))[:MAX_PUBLICATIONS]

    # The Packages API

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        with self._lock:
            found = [
                record.package
                for record in self._packages.values()
                if record.package.project_id in projects and _matches(record.package, query)
            ]
            found.sort(key=lambda package: (self._order(package, query), package.id), reverse=query.descending)
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end], len(found) if len(found) <= MAX_TOTAL else None

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        with self._lock:
            record = self._package_record(project_id, package_id)
            if record is None:
                return None
            return PackageDetails(record.package, self._rows(self._files_of_package[package_id]), record.metadata)

    # KeepsVariants

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        with self._lock:
            packages = self._packages_of_name.get(name, {})
            ids = (packages[id_].get(canonicalize_version(version), 0) for id_ in packages if id_ in projects)
            found = [self._packages[id_] for id_ in sorted(ids) if id_]
            return [
                VariantsHistory(project_id, self._status(project_id, name), record.variants)
                for record in found
                if record.variants
                for project_id in (record.package.project_id,)
            ]

    # ProjectPaths

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        with self._lock:
            return sorted((id_, path) for id_, path in self._paths.items() if ids is None or id_ in ids)

    # Enumerable

    def records(self) -> Iterator[Record]:
        with self._lock:
            found: list[Record] = [LastIdsRecord(self._last_id, self._last_id)] if self._last_id else []
            found += [self._copied] if self._copied else []
            found += [ProjectRecord(id_, path) for id_, path in self._paths.items()]
            found += self._packages.values()
            found += [replace(self._files[file.id], file=file) for file in self._rows(self._files)]
            found += [StatusRecord(id_, name, status) for (id_, name), status in self._statuses.items()]
            found += [
                PublicationRecord(name, root, id_)
                for name, publications in self._publications.items()
                for root, id_ in sorted(publications)
            ]
        return iter(found)

    def restore(self, record: Record) -> None:
        with self._lock:
            match record:
                case LastIdsRecord():
                    self._last_id = max(self._last_id, record.package, record.file)
                case CopiedRecord():
                    self._copied = record
                case ProjectRecord():
                    self._paths[record.id] = record.path
                    self._roots[record.id].add(root_of(record.path))
                case PackageRecord():
                    self._restore_package(record)
                case FileRecord():
                    self._restore_file(record)
                case StatusRecord():
                    if self._statuses.get((record.project_id, record.name)) != record.status:
                        self._statuses[record.project_id, record.name] = record.status
                        self._renew(record.project_id, record.name)
                case PublicationRecord():
                    self._publications[record.name].add((record.root, record.project_id))
                    self._roots[record.project_id].add(record.root)

    def listed(self, blob_keys: Collection[str]) -> Set[str]:
        with self._lock:
            return {record.file.blob_key for record in self._files.values()}.intersection(blob_keys)

    def correct_size(self, file_id: int, size: int) -> bool:
        with self._lock:
            record = self._files.get(file_id)
            if record is None:
                return False
            self._files[file_id] = replace(record, file=replace(record.file, size=size))
            self._renew(record.file.package.project_id, record.file.package.normalized_name)
            return True

    def _restore_package(self, record: PackageRecord) -> None:
        package = record.package
        if self._packages.get(package.id) == record:
            return
        if package.id in self._packages:
            found = self._packages[package.id].package
            if replace(found, yanked=package.yanked) != package:
                raise ValueError(f"another package has the id {package.id}")
            self._packages[package.id] = record
            if found.yanked != package.yanked:
                self._renew(package.project_id, package.normalized_name)
            return
        if self._package_of_version(package.project_id, package.normalized_name, package.version):
            raise ValueError(f"the project has another package {package.normalized_name} {package.version}")
        self._insert_package(record)

    def _restore_file(self, record: FileRecord) -> None:
        file = record.file
        if file.id in self._files and replace(self._files[file.id], file=self._rows([file.id])[0]) == record:
            return
        if file.id in self._files:
            raise ValueError(f"another file has the id {file.id}")
        if (file.package.project_id, file.filename) in self._filenames:
            raise ValueError(f"the project has another file {file.filename}")
        if (file.package.project_id, record.identity) in self._identities:
            raise ValueError(f"the project has another file of the identity {record.identity}")
        if self._package_record(file.package.project_id, file.package.id) is None:
            raise ValueError(f"the package of {file.filename} is missing")
        self._insert_file(record)

    # Rows and their indexes

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _follow(self, project: Project) -> None:
        """Store where a project is now: it may have moved since its last change."""
        self._roots[project.id].add(project.root)
        if project.id in self._paths:
            self._paths[project.id] = project.path

    def _renew(self, project_id: int, name: NormalizedName | None) -> None:
        # A random value, so that no other catalogue ever returns it for another page.
        owners: list[int | str] = [project_id, *self._roots[project_id]]
        self._revisions |= {(owner, name): secrets.randbits(64) for owner in owners}

    def _insert_package(self, record: PackageRecord) -> None:
        package = record.package
        self._last_id = max(self._last_id, package.id)
        self._packages[package.id] = record
        self._files_of_package[package.id] = []
        versions = self._packages_of_name[package.normalized_name].setdefault(package.project_id, {})
        versions[canonicalize_version(package.version)] = package.id
        names = self._names_of_project[package.project_id]
        if package.normalized_name not in names:
            names.add(package.normalized_name)
            self._renew(package.project_id, None)
        self._renew(package.project_id, package.normalized_name)

    def _delete_package(self, package: Package) -> None:
        del self._packages[package.id]
        del self._files_of_package[package.id]
        packages = self._packages_of_name[package.normalized_name]
        del packages[package.project_id][canonicalize_version(package.version)]
        if not packages[package.project_id]:
            del packages[package.project_id]
            names = self._names_of_project[package.project_id]
            names.remove(package.normalized_name)
            if not names:
                del self._names_of_project[package.project_id]
            self._renew(package.project_id, None)

    def _insert_file(self, record: FileRecord) -> None:
        file = record.file
        self._last_id = max(self._last_id, file.id)
        self._files[file.id] = record
        self._files_of_package[file.package.id].append(file.id)
        self._files_of_digest[file.digests.sha256, file.filename].append(file.id)
        self._filenames.add((file.package.project_id, file.filename))
        if record.identity is not None:
            self._identities.add((file.package.project_id, record.identity))
        self._renew(file.package.project_id, file.package.normalized_name)

    def _delete_file(self, file: PackageFile) -> None:
        identity = self._files.pop(file.id).identity
        self._files_of_package[file.package.id].remove(file.id)
        self._files_of_digest[file.digests.sha256, file.filename].remove(file.id)
        self._filenames.remove((file.package.project_id, file.filename))
        if identity is not None:
            self._identities.remove((file.package.project_id, identity))
            self._pass_on(identity, file.package)
        self._renew(file.package.project_id, file.package.normalized_name)

    def _pass_on(self, identity: str, package: Package) -> None:
        """Give the identity of a deleted file to the oldest other file that has a spelling of its name."""
        for id_ in sorted(self._files_of_package[package.id]):
            record = self._files[id_]
            if identity_of(record.file.filename, package.normalized_name, package.version) == identity:
                self._files[id_] = replace(record, identity=identity)
                self._identities.add((package.project_id, identity))
                return

    def _variants_of(self, package: Package) -> Iterator[str | None]:
        return (self._files[id_].file.variant for id_ in self._files_of_package[package.id])

    def _keep_variants(self, file: PackageFile) -> None:
        """Store the present content of the variants JSON of a package, after a file was added or deleted."""
        if file.variant is not None:
            record = self._packages[file.package.id]
            variants = tuple(variants_after(record.variants, self._variants_of(file.package)))
            self._packages[file.package.id] = replace(record, variants=variants)

    # Reading rows

    def _rows(self, file_ids: Iterable[int]) -> list[PackageFile]:
        """Return files with their packages as they are now, the oldest first."""
        files = (self._files[id_].file for id_ in sorted(file_ids))
        return [replace(file, package=self._packages[file.package.id].package) for file in files]

    def _package_record(self, project_id: int, package_id: int) -> PackageRecord | None:
        record = self._packages.get(package_id)
        return record if record is not None and record.package.project_id == project_id else None

    def _package_of_version(self, project_id: int, name: NormalizedName, version: str) -> Package | None:
        versions = self._packages_of_name.get(name, {}).get(project_id, {})
        id_ = versions.get(canonicalize_version(version))
        return None if id_ is None else self._packages[id_].package

    def _status(self, project_id: int, name: NormalizedName) -> NameStatus:
        return self._statuses.get((project_id, name), NameStatus())

    def _order(self, package: Package, query: PackageQuery) -> Any:
        if query.order_by == "project_path":
            return self._paths.get(package.project_id, "")
        return getattr(package, query.order_by)


def _matches(package: Package, query: PackageQuery) -> bool:
    return (
        name_matches(package.name, query.name)
        and query.normalized_name in (None, package.normalized_name)
        and query.version in ("", package.version)
    )


class MemoryBlobs:
    """Stores bytes in a dictionary. Implements `Blobs`, `CreatesFiles` and `EnumerableBlobs`."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, datetime]] = {}

    def new_file(self) -> BinaryIO:
        return io.BytesIO()

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        file.seek(0)
        self._blobs[key] = file.read(), datetime.now(UTC)

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | None:
        found = self._blobs.get(key)
        if found is None:
            return None
        data, _ = found
        if len(data) != size:
            raise StorageUnavailable(f"the blob {key} has {len(data)} bytes instead of {size}")
        return io.BytesIO(data if part is None else data[part.start : part.stop])

    def delete(self, key: str) -> None:
        self._blobs.pop(key, None)

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        for key, (data, stored_at) in list(self._blobs.items()):
            yield key, len(data), stored_at
