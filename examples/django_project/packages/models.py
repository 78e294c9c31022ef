"""The application's projects and tokens, and the rows of the registry's catalogue."""

import json
import secrets
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from itertools import product
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, models, transaction
from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry import model
from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.storage import check_variant, variants_after

# Projects: beside Django's own users and groups. A group's name is its path: "acme", or "acme/libs".


class Project(models.Model):
    group = models.ForeignKey(Group, on_delete=models.PROTECT)
    slug = models.SlugField()
    public = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["group", "slug"], name="slug_in_group"),)

    def __str__(self) -> str:
        return f"{self.group.name}/{self.slug}"


class Token(models.Model):
    sha256 = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return f"a token of {self.user}"


# The catalogue. `project` is an id and no foreign key: publications stay when the project is deleted.


INDEX = NormalizedName("")


def narrowed(rows: "models.QuerySet[Any]", projects: model.Projects) -> "models.QuerySet[Any]":
    """Select the rows of projects if they are few. Databases accept no list of 100,000 ids, so callers select again."""
    return rows.filter(project__in=projects.ids) if len(projects) <= 100 else rows


class Publisher(models.Model):
    """A project that has changed something in the catalogue."""

    project = models.BigIntegerField(primary_key=True)
    path = models.TextField()
    """As of its last change."""
    roots = models.TextField(default="[]")
    """JSON: all root groups in which the project ever was."""

    def __str__(self) -> str:
        return self.path

    @classmethod
    def locked(cls, project: model.Project) -> "Publisher":
        """Return the row of a project, with its path as it is now. Changes of one project wait here for each other."""
        publisher, _ = cls.objects.select_for_update().get_or_create(project=project.id)
        publisher.path = project.path
        publisher.roots = json.dumps(sorted({*json.loads(publisher.roots), project.root}))
        publisher.save()
        return publisher

    def has(self, name: str) -> bool:
        """Return whether the project has a package of a name."""
        return Package.objects.filter(project=self.project, normalized_name=name).exists()

    def renew(self, name: NormalizedName, *, index: bool = False) -> None:
        """Change the revision of the page of a name, and perhaps that of the index, in the project and its groups."""
        owners = [Revision.owner_of(self.project), *json.loads(self.roots)]
        # Sorted, so that two transactions do not lock the rows of a root group in different orders.
        pages = sorted(product(owners, [name, INDEX] if index else [name]))
        rows = [Revision(owner=owner, name=page, value=secrets.token_hex(8)) for owner, page in pages]
        Revision.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["name", "owner"], update_fields=["value"]
        )


class Revision(models.Model):
    """The revision of the page of a name, or of an index, whose name is `INDEX`."""

    owner = models.TextField()
    """A root group, or what `owner_of` returns for a project."""
    name = models.CharField(max_length=255)
    value = models.CharField(max_length=16)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "owner"], name="revision_once"),)

    def __str__(self) -> str:
        return self.value

    @staticmethod
    def owner_of(project_id: int) -> str:
        return f"#{project_id}"  # no path contains this character

    @classmethod
    def values_of(cls, owners: Collection[str], name: str) -> tuple[tuple[str, str], ...]:
        rows = cls.objects.filter(owner__in=owners, name=name).order_by("owner")
        return tuple(rows.values_list("owner", "value"))


class NameStatus(models.Model):
    project = models.BigIntegerField()
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    reason = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "project"], name="status_once"),)

    def __str__(self) -> str:
        return f"{self.name} is {self.status}"

    @classmethod
    def of(cls, project_id: int, name: str) -> model.NameStatus:
        row = cls.objects.filter(project=project_id, name=name).first()
        return model.NameStatus(model.Status(row.status), row.reason) if row else model.NameStatus()

    @classmethod
    def require_uploads(cls, project_id: int, name: str) -> None:
        status = cls.of(project_id, name).status
        if not status.accepts_uploads:
            raise UploadsRefused(name, status)


class Publication(models.Model):
    """A name that was ever published, and where; never deleted."""

    name = models.CharField(max_length=255)
    root = models.TextField()
    project = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "root", "project"], name="publication_once"),)

    def __str__(self) -> str:
        return self.name


class Package(models.Model):
    VALUE = ("id", "project", "name", "normalized_name", "version", "created_at", "yanked")
    """The columns of a `model.Package`, in its order."""

    project = models.BigIntegerField()
    name = models.CharField(max_length=255)
    normalized_name = models.CharField(max_length=255)
    version = models.CharField(max_length=255)
    canonical_version = models.CharField(max_length=255)
    """1.0 and 1.0.0 are one package."""
    metadata = models.TextField()
    """JSON; a JSONField of PostgreSQL refuses some characters that a description may contain."""
    created_at = models.DateTimeField()
    yanked = models.TextField(null=True)
    variants = models.TextField(default="[]")
    """JSON: each content that the variants JSON of the package has had."""

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["normalized_name", "project", "canonical_version"], name="version_in_project"
            ),
        )
        indexes = (models.Index(fields=["project", "normalized_name"], name="names_of_project"),)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @classmethod
    def published(cls, upload: model.Upload, project_id: int, at: datetime) -> "Package":
        metadata = json.dumps(asdict(upload.metadata))
        return cls.objects.update_or_create(
            project=project_id,
            normalized_name=upload.normalized_name,
            canonical_version=canonicalize_version(upload.version),
            defaults={"metadata": metadata},
            create_defaults={"metadata": metadata, "name": upload.name, "version": upload.version, "created_at": at},
        )[0]

    @classmethod
    def matching(cls, query: model.PackageQuery) -> "models.QuerySet[Package]":
        """Return the packages that a query finds, in its order."""
        if "\0" in query.name:
            return cls.objects.none()  # no name contains it, and for SQLite it ends the pattern
        rows = cls.objects.all()
        for word in query.name.split():  # short words match only whole names, as in GitLab
            rows = rows.filter(name__icontains=word) if len(word) >= 3 else rows.filter(name__iexact=word)
        if query.normalized_name is not None:
            rows = rows.filter(normalized_name=query.normalized_name)
        if query.version:
            rows = rows.filter(version=query.version)
        path = Publisher.objects.filter(project=models.OuterRef("project")).values("path")
        sign = "-" if query.descending else ""
        return rows.annotate(project_path=models.Subquery(path)).order_by(f"{sign}{query.order_by}", f"{sign}id")

    @classmethod
    def histories(cls, projects: model.Projects, name: NormalizedName, version: str) -> list[model.VariantsHistory]:
        """Return what the variants JSON of a version was in each project."""
        where = {"normalized_name": name, "canonical_version": canonicalize_version(version)}
        rows = narrowed(cls.objects.filter(**where).exclude(variants="[]").order_by("id"), projects)
        return [
            model.VariantsHistory(row.project, NameStatus.of(row.project, name), json.loads(row.variants))
            for row in rows
            if row.project in projects
        ]

    def file_deleted(self) -> bool:
        """Delete the package if it has no file any more, otherwise store its variants; return whether it is deleted."""
        is_last = not File.objects.filter(package=self).exists()
        if is_last:
            self.delete()
        else:
            self.keep_variants()
        return is_last

    def keep_variants(self) -> None:
        """Store what the variants JSON is now, after a file was added or deleted."""
        present = File.objects.filter(package=self).values_list("variant", flat=True).order_by("id")
        self.variants = json.dumps([*variants_after(json.loads(self.variants), present)])
        self.save(update_fields=["variants"])

    def value(self) -> model.Package:
        return model.Package(*(getattr(self, column) for column in self.VALUE))

    def stated_metadata(self) -> model.PackageMetadata:
        return model.PackageMetadata(**json.loads(self.metadata))


_FROM_UPLOAD = ("filename", "identity", "size", "requires_python", "core_metadata", "core_metadata_sha256", "variant")


class File(models.Model):
    package = models.ForeignKey(Package, on_delete=models.CASCADE)
    project = models.BigIntegerField()
    filename = models.CharField(max_length=255)
    identity = models.TextField(null=True)
    """The same for all spellings of the file name; NULL if it has none."""
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    md5 = models.CharField(max_length=32, null=True)
    blake2_256 = models.CharField(max_length=64, null=True)
    requires_python = models.TextField()
    uploaded_at = models.DateTimeField()
    uploaded_by = models.TextField()
    blob_key = models.CharField(max_length=32)
    core_metadata = models.BinaryField(null=True)
    core_metadata_sha256 = models.CharField(max_length=64, null=True)
    variant = models.TextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "filename"], name="filename_in_project"),
            models.UniqueConstraint(fields=["project", "identity"], name="identity_in_project"),
        )

    def __str__(self) -> str:
        return self.filename

    @classmethod
    def published(cls, upload: model.Upload, package: Package, blob_key: str, at: datetime, by: str) -> "File":
        values = {**asdict(upload.digests), **{name: getattr(upload, name) for name in _FROM_UPLOAD}}
        row = cls(package=package, project=package.project, blob_key=blob_key, uploaded_at=at, uploaded_by=by, **values)
        try:
            with transaction.atomic():  # otherwise the error would end the transaction around it
                row.save()
        except IntegrityError as error:
            raise FileTaken(upload.filename) from error
        if upload.variant is not None:
            others = cls.objects.filter(package=package).exclude(id=row.id)
            check_variant(upload, others.values_list("variant", flat=True).order_by("id"))
            package.keep_variants()
        return row

    @classmethod
    def rows(cls, **where: Any) -> "models.QuerySet[File]":
        """Return files with their packages and the statuses of their names, the oldest first."""
        name = models.OuterRef("package__normalized_name")
        statuses = NameStatus.objects.filter(project=models.OuterRef("project"), name=name)
        rows = cls.objects.filter(**where).select_related("package").defer("core_metadata").order_by("id")
        return rows.annotate(name_status=models.Subquery(statuses.values("status")[:1])).annotate(
            reason=models.Subquery(statuses.values("reason")[:1])
        )

    def value(self) -> model.PackageFile:
        return model.PackageFile(
            id=self.id,
            package=self.package.value(),
            filename=self.filename,
            size=self.size,
            digests=model.Digests(self.sha256, self.md5, self.blake2_256),
            requires_python=self.requires_python,
            uploaded_at=self.uploaded_at,
            blob_key=self.blob_key,
            core_metadata_sha256=self.core_metadata_sha256,
            uploaded_by=self.uploaded_by,
            variant=self.variant,
        )

    def status(self) -> model.NameStatus:
        """Return the status of the name, of a row of `rows`."""
        found: Any = self
        return model.NameStatus(model.Status(found.name_status or "active"), found.reason or "")
