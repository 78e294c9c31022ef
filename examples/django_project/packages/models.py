"""The host's projects and tokens, and the rows of the registry's catalogue."""

from django.contrib.auth.models import Group, User
from django.db import models

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


class Name(models.Model):
    """A name in a project, with the number that its page's revision is; an empty name stands for the index."""

    project = models.BigIntegerField()
    name = models.CharField(max_length=255)
    serial = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, default="active")
    reason = models.TextField(default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "project"], name="name_in_project"),)

    def __str__(self) -> str:
        return self.name


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
    normalized = models.CharField(max_length=255)
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
