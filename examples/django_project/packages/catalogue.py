"""The registry's catalogue in Django's ORM, for any database of Django's."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from django.db import OperationalError, transaction
from django.db.models import OuterRef, Q, Subquery, Sum
from packaging.utils import NormalizedName

from pypi_registry import model
from pypi_registry.errors import StorageUnavailable, UploadsRefused
from pypi_registry.model import NameStatus, PackageMetadata, PackageQuery, Status, Upload

from .models import INDEX, File, Name, Package, Published, Publisher


@contextmanager
def answering() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StorageUnavailable("the database does not answer") from error


class Answering:
    def __init_subclass__(cls) -> None:
        for name, method in [*vars(cls).items()]:
            if callable(method):
                setattr(cls, name, answering()(method))


class DjangoCatalogue(Answering):
    @transaction.atomic
    def add(self, project: model.Project, upload: Upload, key: str, at: datetime) -> model.PackageFile:
        name = Name.locked(project.id, upload.normalized_name)
        if name.status in (Status.ARCHIVED, Status.QUARANTINED):
            raise UploadsRefused(upload.normalized_name, name.status)
        is_new_name = not self.has_name([project.id], upload.normalized_name)
        package = Package.published(upload, project.id, at)
        file = File.published(upload, package, key, at)
        Published.objects.get_or_create(name=upload.normalized_name, root=project.root, project=project.id)
        Publisher.objects.update_or_create(project=project.id, defaults={"path": project.path})
        name.revise(index=is_new_name)
        return file.value()

    @transaction.atomic
    def delete_file(self, file: model.PackageFile) -> str | None:
        name = Name.locked(file.package.project_id, file.package.normalized_name)
        found = File.objects.filter(id=file.id)
        key = found.values_list("key", flat=True).first()
        if found.delete()[0]:
            name.revise()
        return key

    @transaction.atomic
    def delete_package(self, package: model.Package) -> Sequence[str]:
        name = Name.locked(package.project_id, package.normalized_name)
        keys = list(File.objects.filter(package=package.id).values_list("key", flat=True))
        if Package.objects.filter(id=package.id).delete()[0]:
            name.revise(index=not self.has_name([package.project_id], package.normalized_name))
        return keys

    @transaction.atomic
    def yank(self, package: model.Package, reason: str | None) -> model.Package | None:
        name = Name.locked(package.project_id, package.normalized_name)
        if not Package.objects.filter(id=package.id).update(yanked=reason):
            return None
        name.revise()
        return replace(package, yanked=reason)

    @transaction.atomic
    def set_status(self, project: model.Project, name: NormalizedName, status: NameStatus) -> None:
        row = Name.locked(project.id, name)
        row.status, row.reason = status.status, status.reason
        row.revise()

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        there = Package.objects.filter(project__in=projects, normalized_name=name).values("project")
        found = {*Name.objects.filter(name=name, project__in=there).values_list("status", "reason")}
        [(status, reason)] = found if len(found) == 1 else {(Status.ACTIVE, "")}
        return NameStatus(Status(status), reason)

    @transaction.atomic  # so that the page and the total are of one moment
    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[model.Package], int]:
        if "\0" in query.name:
            return [], 0  # no name has it, and SQLite takes it for the end of the pattern
        wanted = {"normalized": query.normalized_name, "version": query.version or None}
        whole = {key: value for key, value in wanted.items() if value is not None}
        found = Package.objects.filter(**whole, name__icontains=query.name, project__in=projects)
        path = Publisher.objects.filter(project=OuterRef("project")).values("path")
        sign = "-" if query.descending else ""
        rows = found.annotate(project_path=Subquery(path)).order_by(f"{sign}{query.order_by}", f"{sign}id")
        end = None if query.limit is None else query.offset + query.limit
        return [row.value() for row in rows[query.offset : end]], found.count()

    def package(self, projects: Sequence[int], number: int) -> model.Package | None:
        return next((row.value() for row in Package.objects.filter(id=number, project__in=projects)), None)

    def package_files(self, package: model.Package) -> Sequence[model.PackageFile]:
        return File.values(package=package.id)

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        return Package.objects.filter(project__in=projects, normalized_name=name).exists()

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        names = Package.objects.filter(project__in=projects).values_list("normalized", flat=True)
        return [NormalizedName(name) for name in names.order_by("normalized").distinct()]

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[model.PackageFile]:
        return File.values(project__in=projects, package__normalized=name)

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> model.PackageFile | None:
        return next(reversed(File.values(project__in=projects, sha256=sha256, filename=filename)), None)

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

    def about(self, package: model.Package) -> PackageMetadata:
        said = Package.objects.filter(id=package.id).values_list("about", flat=True).first()
        return PackageMetadata(**json.loads(said)) if said else PackageMetadata()
