"""A catalogue in Django's ORM, for SQLite and PostgreSQL."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from django.db import OperationalError, transaction
from packaging.utils import NormalizedName

from pypi_registry import model
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import Deletion, FileWithStatus, Listing, PackageDetails, PackageQuery, Projects, Upload
from pypi_registry.storage import MAX_PUBLICATIONS, MAX_TOTAL

from .models import INDEX, File, NameStatus, Package, Publication, Publisher, Revision, narrowed


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
    def add(self, project: model.Project, upload: Upload, blob_key: str, at: datetime, by: str) -> model.PackageFile:
        publisher, name = Publisher.locked(project), upload.normalized_name
        NameStatus.require_uploads(project.id, name)
        is_new = not publisher.has(name)
        package = Package.published(upload, project.id, at)
        file = File.published(upload, package, blob_key, at, by)
        Publication.objects.get_or_create(name=name, root=project.root, project=project.id)
        publisher.renew(name, index=is_new)
        return file.value()

    @transaction.atomic
    def delete_file(self, project: model.Project, file_id: int, by: str) -> Deletion | None:
        publisher = Publisher.locked(project)
        row = File.rows(id=file_id, project=project.id).first()
        if row is None:
            return None
        file, package = row.value(), row.package
        row.delete()
        is_last = package.file_deleted()
        publisher.renew(file.package.normalized_name, index=not publisher.has(file.package.normalized_name))
        return Deletion(file.package, [file], package_deleted=is_last)

    @transaction.atomic
    def delete_package(self, project: model.Project, package_id: int, by: str) -> Deletion | None:
        publisher = Publisher.locked(project)
        row = Package.objects.filter(id=package_id, project=project.id).first()
        if row is None:
            return None
        package, files = row.value(), [file.value() for file in File.rows(package=row)]
        row.delete()
        publisher.renew(package.normalized_name, index=not publisher.has(package.normalized_name))
        return Deletion(package, files, package_deleted=True)

    @transaction.atomic
    def yank(self, project: model.Project, package_id: int, reason: str | None, by: str) -> model.Package | None:
        publisher = Publisher.locked(project)
        row = Package.objects.filter(id=package_id, project=project.id).first()
        if row is None:
            return None
        row.yanked = reason
        row.save()
        publisher.renew(row.normalized_name)
        return row.value()

    @transaction.atomic
    def set_status(self, project: model.Project, name: NormalizedName, status: model.NameStatus, by: str) -> None:
        publisher = Publisher.locked(project)
        values = {"status": status.status, "reason": status.reason}
        NameStatus.objects.update_or_create(project=project.id, name=name, defaults=values)
        publisher.renew(name)

    # A method that reads executes one statement, so that its result is of one moment in every isolation level.

    def revision(self, projects: Projects, name: NormalizedName | None) -> Hashable | None:
        owners = [Revision.owner_of(id_) for id_ in projects.ids] if len(projects) == 1 else projects.roots
        values = Revision.values_of(owners, INDEX if name is None else name)
        if values and len(projects) > 1:  # perhaps only another project of the root groups has the name
            return values
        # A project that moved has packages, but its new root group has no revision before the next change.
        where = {} if name is None else {"normalized_name": name}
        found = narrowed(Package.objects.filter(**where), projects).values_list("project", flat=True)
        return values if any(project in projects for project in found.iterator()) else None

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        rows = narrowed(Package.objects.all(), projects).values_list("project", "normalized_name").distinct()
        return sorted({NormalizedName(name) for project, name in rows.iterator() if project in projects})

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        rows = [row for row in narrowed(File.rows(package__normalized_name=name), projects) if row.project in projects]
        return Listing([row.value() for row in rows], {row.project: row.status() for row in rows}) if rows else None

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        rows = File.rows(sha256=sha256, filename=filename).reverse()
        found = [FileWithStatus(row.value(), row.status()) for row in rows if row.project in projects]
        return next(iter([each for each in found if each.status.status.offers_files] or found), None)

    def core_metadata(self, file_id: int) -> bytes | None:
        data = File.objects.filter(id=file_id).values_list("core_metadata", flat=True).first()
        return None if data is None else bytes(data)

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[model.VariantsHistory]:
        return Package.histories(projects, name, version)

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        return list(Publication.objects.filter(name=name).values_list("root", "project")[:MAX_PUBLICATIONS])

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[model.Package], int | None]:
        rows = narrowed(Package.matching(query), projects).values_list(*Package.VALUE).iterator()
        stop = None if query.limit is None else max(query.offset + query.limit, MAX_TOTAL) + 1
        found = list(islice((row for row in rows if row[1] in projects), stop))
        total = len(found) if len(found) <= MAX_TOTAL else None
        return [model.Package(*row) for row in found[query.offset :][: query.limit]], total

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        rows = list(File.rows(project=project_id, package=package_id))
        files = [row.value() for row in rows]
        return PackageDetails(files[0].package, files, rows[0].package.stated_metadata()) if files else None
