"""The registry's catalogue in Django's ORM, for any database of Django's."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import OuterRef, Q, Subquery, Sum
from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry import model
from pypi_registry.errors import FileTaken, StorageUnavailable, UploadsRefused
from pypi_registry.model import About, Digests, NameStatus, PackageQuery, Status, Upload

from .models import File, Name, Package, Published, Publisher

T = TypeVar("T")

INDEX = NormalizedName("")


@contextmanager
def answering() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StorageUnavailable("the database does not answer") from error


def always_answering(kind: type[T]) -> type[T]:
    for name, method in [*vars(kind).items()]:
        if callable(method):
            setattr(kind, name, answering()(method))
    return kind


@always_answering
class DjangoCatalogue:
    @transaction.atomic
    def add(self, project: model.Project, upload: Upload, key: str, at: datetime) -> model.PackageFile:
        name = _locked(project.id, upload.normalized)
        if name.status in (Status.ARCHIVED, Status.QUARANTINED):
            raise UploadsRefused(upload.normalized, name.status)
        is_new_name = not self.has_name([project.id], upload.normalized)
        about = json.dumps(asdict(upload.about))
        package, _ = Package.objects.update_or_create(
            project=project.id,
            normalized=upload.normalized,
            canonical=canonicalize_version(upload.version),
            defaults={"about": about},
            create_defaults={"about": about, "name": upload.name, "version": upload.version, "created_at": at},
        )
        try:
            with transaction.atomic():
                row = _row(upload, package=package, project=project.id, key=key, uploaded_at=at)
                row.save()
        except IntegrityError as error:
            raise FileTaken(upload.filename) from error
        Published.objects.get_or_create(name=upload.normalized, root=project.root, project=project.id)
        Publisher.objects.update_or_create(project=project.id, defaults={"path": project.path})
        _revise(name, index=is_new_name)
        return _file(row)

    @transaction.atomic
    def delete_file(self, file: model.PackageFile) -> str | None:
        name = _locked(file.package.project_id, file.package.normalized)
        found = File.objects.filter(id=file.id)
        key = found.values_list("key", flat=True).first()
        if found.delete()[0]:
            _revise(name)
        return key

    @transaction.atomic
    def delete_package(self, package: model.Package) -> Sequence[str]:
        name = _locked(package.project_id, package.normalized)
        keys = list(File.objects.filter(package=package.id).values_list("key", flat=True))
        if Package.objects.filter(id=package.id).delete()[0]:
            _revise(name, index=not self.has_name([package.project_id], package.normalized))
        return keys

    @transaction.atomic
    def yank(self, package: model.Package, reason: str | None) -> model.Package | None:
        name = _locked(package.project_id, package.normalized)
        if not Package.objects.filter(id=package.id).update(yanked=reason):
            return None
        _revise(name)
        return replace(package, yanked=reason)

    @transaction.atomic
    def set_status(self, project: model.Project, name: NormalizedName, status: NameStatus) -> None:
        row = _locked(project.id, name)
        row.status, row.reason = status.status, status.reason
        _revise(row)

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        there = Package.objects.filter(project__in=projects, normalized=name).values("project")
        found = {*Name.objects.filter(name=name, project__in=there).values_list("status", "reason")}
        [(status, reason)] = found if len(found) == 1 else {(Status.ACTIVE, "")}
        return NameStatus(Status(status), reason)

    @transaction.atomic  # so that the page and the total are of one moment
    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[model.Package], int]:
        if "\0" in query.name:
            return [], 0  # no name has it, and SQLite takes it for the end of the pattern
        wanted = {"normalized": query.normalized, "version": query.version or None}
        whole = {key: value for key, value in wanted.items() if value is not None}
        found = Package.objects.filter(**whole, name__icontains=query.name, project__in=projects)
        path = Publisher.objects.filter(project=OuterRef("project")).values("path")
        sign = "-" if query.descending else ""
        rows = found.annotate(project_path=Subquery(path)).order_by(f"{sign}{query.order_by}", f"{sign}id")
        end = None if query.limit is None else query.offset + query.limit
        return [_package(row) for row in rows[query.offset : end]], found.count()

    def package(self, projects: Sequence[int], number: int) -> model.Package | None:
        row = Package.objects.filter(id=number, project__in=projects).first()
        return None if row is None else _package(row)

    def package_files(self, package: model.Package) -> Sequence[model.PackageFile]:
        return _files(Q(package=package.id))

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        return Package.objects.filter(project__in=projects, normalized=name).exists()

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        names = Package.objects.filter(project__in=projects).values_list("normalized", flat=True)
        return [NormalizedName(name) for name in names.order_by("normalized").distinct()]

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[model.PackageFile]:
        return _files(Q(project__in=projects, package__normalized=name))

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> model.PackageFile | None:
        found = _files(Q(project__in=projects, sha256=sha256, filename=filename))
        return found[-1] if found else None

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        rows = Name.objects.filter(name=INDEX if name is None else name, project__in=projects)
        return rows.aggregate(sum=Sum("serial"))["sum"] or 0  # each only ever rises, so their sum does

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        return Published.objects.filter(Q(root=root) | Q(project__in=projects), name=name).exists()

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        rows = Publisher.objects.order_by("project").values_list("project", "path")
        return list(rows if projects is None else rows.filter(project__in=projects))

    def core_metadata(self, file: model.PackageFile) -> bytes | None:
        data = File.objects.filter(id=file.id).values_list("core_metadata", flat=True).first()
        return None if data is None else bytes(data)

    def about(self, package: model.Package) -> About:
        said = Package.objects.filter(id=package.id).values_list("about", flat=True).first()
        return About(**json.loads(said)) if said else About()


def _locked(project: int, name: str) -> Name:
    """Give the row of a name, which is there once: whoever changes the name's packages waits here for whoever does."""
    return Name.objects.select_for_update().get_or_create(project=project, name=name)[0]


_TAKEN = ("filename", "size", "requires_python", "core_metadata", "metadata_sha256")


def _row(upload: Upload, **columns: Any) -> File:
    return File(**columns, **asdict(upload.digests), **{name: getattr(upload, name) for name in _TAKEN})


def _revise(name: Name, *, index: bool = False) -> None:
    for row in [name, _locked(name.project, INDEX)] if index else [name]:
        row.serial += 1
        row.save()


def _files(wanted: Q) -> Sequence[model.PackageFile]:
    rows = File.objects.filter(wanted).select_related("package").defer("core_metadata").order_by("id")
    return [_file(row) for row in rows]


def _file(row: File) -> model.PackageFile:
    digests = Digests(row.sha256, row.md5, row.blake2_256)
    return model.PackageFile(
        *(row.id, _package(row.package), row.filename, row.size, digests, row.requires_python, row.uploaded_at),
        *(row.key, row.metadata_sha256),
    )


def _package(row: Package) -> model.Package:
    name = NormalizedName(row.normalized)
    return model.Package(row.id, row.project, row.name, name, row.version, row.created_at, row.yanked)
