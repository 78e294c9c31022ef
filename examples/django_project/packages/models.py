"""The host's projects and tokens, and the rows of the registry's catalogue."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, models, transaction
from packaging.utils import NormalizedName, canonicalize_version

from pypi_registry import model
from pypi_registry.errors import FileTaken

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


# The catalogue. `project` is a number and no foreign key: what was published is remembered when the project is gone.


INDEX = NormalizedName("")


class Name(models.Model):
    """A name in a project, with the number that its page's revision is; `INDEX` stands for the list of names."""

    project = models.BigIntegerField()
    name = models.CharField(max_length=255)
    serial = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, default="active")
    reason = models.TextField(default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "project"], name="name_in_project"),)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def locked(cls, project: int, name: str) -> "Name":
        """Give the row of a name, which is there once: whoever changes its packages waits here for whoever does."""
        return cls.objects.select_for_update().get_or_create(project=project, name=name)[0]

    def revise(self, *, index: bool = False) -> None:
        """Raise the revision of the name's page, and perhaps that of the index."""
        for row in [self, Name.locked(self.project, INDEX)] if index else [self]:
            row.serial += 1
            row.save()


class Published(models.Model):
    """A name that was ever published, and where; never deleted."""

    name = models.CharField(max_length=255)
    root = models.TextField()
    project = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "root", "project"], name="published_once"),)

    def __str__(self) -> str:
        return self.name


class Publisher(models.Model):
    """A project that ever published, and its path then."""

    project = models.BigIntegerField(primary_key=True)
    path = models.TextField()

    def __str__(self) -> str:
        return self.path


class Package(models.Model):
    project = models.BigIntegerField()
    name = models.CharField(max_length=255)
    normalized_name = models.CharField(max_length=255)
    version = models.CharField(max_length=255)
    canonical = models.CharField(max_length=255)
    """1.0 and 1.0.0 are one package."""
    about = models.TextField()
    """JSON; a JSONField of PostgreSQL refuses some characters that a description may hold."""
    created_at = models.DateTimeField()
    yanked = models.TextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["normalized", "project", "canonical"], name="version_in_project"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @classmethod
    def published(cls, upload: model.Upload, project: int, at: datetime) -> "Package":
        about = json.dumps(asdict(upload.about))
        return cls.objects.update_or_create(
            project=project,
            normalized_name=upload.normalized_name,
            canonical=canonicalize_version(upload.version),
            defaults={"about": about},
            create_defaults={"about": about, "name": upload.name, "version": upload.version, "created_at": at},
        )[0]

    def value(self) -> model.Package:
        name = NormalizedName(self.normalized_name)
        return model.Package(self.id, self.project, self.name, name, self.version, self.created_at, self.yanked)


_TAKEN = ("filename", "size", "requires_python", "core_metadata", "metadata_sha256")


class File(models.Model):
    package = models.ForeignKey(Package, on_delete=models.CASCADE)
    project = models.BigIntegerField()
    filename = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    md5 = models.CharField(max_length=32, null=True)
    blake2_256 = models.CharField(max_length=64, null=True)
    requires_python = models.TextField()
    uploaded_at = models.DateTimeField()
    key = models.CharField(max_length=32)
    core_metadata = models.BinaryField(null=True)
    metadata_sha256 = models.CharField(max_length=64, null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "filename"], name="filename_in_project"),)

    def __str__(self) -> str:
        return self.filename

    @classmethod
    def published(cls, upload: model.Upload, package: Package, key: str, at: datetime) -> "File":
        digests, taken = asdict(upload.digests), {name: getattr(upload, name) for name in _TAKEN}
        row = cls(package=package, project=package.project, key=key, uploaded_at=at, **digests, **taken)
        try:
            with transaction.atomic():  # or the failure would be that of all around it
                row.save()
        except IntegrityError as error:
            raise FileTaken(upload.filename) from error
        return row

    @classmethod
    def values(cls, **wanted: Any) -> Sequence[model.PackageFile]:
        rows = cls.objects.filter(**wanted).select_related("package").defer("core_metadata").order_by("id")
        return [row.value() for row in rows]

    def value(self) -> model.PackageFile:
        digests, package = model.Digests(self.sha256, self.md5, self.blake2_256), self.package.value()
        return model.PackageFile(
            *(self.id, package, self.filename, self.size, digests, self.requires_python, self.uploaded_at),
            *(self.key, self.metadata_sha256),
        )
