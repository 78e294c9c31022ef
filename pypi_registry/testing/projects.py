"""A project of a fake registry: its URLs, its packages, and how a test publishes to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TypeAlias, Unpack
from urllib.parse import quote

from pypi_registry._api.links import API_PREFIX
from pypi_registry._paths import id_from_path, is_valid_path
from pypi_registry._publishing.checks import read_distribution
from pypi_registry._publishing.publish import publish, yank
from pypi_registry.events import Actor
from pypi_registry.model import PackageFile, PackageQuery, Project, Projects, Visibility
from pypi_registry.testing.archives import Contents, Distribution, Variant, make_sdist, make_wheel
from pypi_registry.testing.engine import Engine


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file in the registry, published by the test or by a client."""

    filename: str
    url: str
    """Where it is downloaded; its core metadata is at this URL with ``.metadata`` appended."""
    sha256: str
    data: bytes = field(repr=False)
    requires_python: str
    uploaded: datetime
    """Aware, UTC."""
    yanked: str | None
    """Why the version was yanked, may be empty; None if it was not."""


Packages: TypeAlias = Mapping[str, Mapping[str, Sequence[PublishedFile]]]
"""Normalized name -> version as first published -> files."""


def _check_file(file: object) -> None:
    if not isinstance(file, Distribution | Path):
        path = f"Path({file!r})" if isinstance(file, str) else 'Path("dist/demo-1.0.tar.gz")'
        raise TypeError(f"publish() needs a {path} or a Distribution, such as make_wheel() returns: {file!r}")


def _check_uploaded(uploaded: object) -> None:
    example = "such as datetime(2024, 5, 1, tzinfo=UTC)"
    if not (uploaded is None or isinstance(uploaded, datetime)):
        raise TypeError(f"uploaded= must be a datetime, {example}: {uploaded!r}")
    if uploaded is not None and uploaded.tzinfo is None:
        raise ValueError(f"uploaded= must be aware, {example}: {uploaded!r}")


class FakeProject:
    """A project of a fake registry. It need not be created: every path is a project."""

    def __init__(self, path: str, origin: Callable[[], str], engine: Callable[[], Engine]) -> None:
        if not is_valid_path(path):
            raise ValueError(f"{path!r} is not the path of a project, such as acme/tools")
        self.path = path
        self._get_origin = origin
        self._get_engine = engine

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r} at {self._get_origin()}>"

    @property
    def upload_url(self) -> str:
        """The URL to which twine and uv publish."""
        return f"{self._get_origin()}{API_PREFIX}/projects/{quote(self.path, safe='')}/packages/pypi"

    @property
    def index_url(self) -> str:
        """The URL from which pip and uv install the packages of the project."""
        return f"{self.upload_url}/simple"

    @property
    def group_index_url(self) -> str:
        """The URL from which pip and uv install the packages of all projects in the group of this project.

        :raises ValueError: if the project is not in a group.
        """
        group, slash, _ = self.path.rpartition("/")
        if not slash:
            raise ValueError(f"the project {self.path!r} is not in a group")
        return f"{self._get_origin()}{API_PREFIX}/groups/{quote(group, safe='')}/-/packages/pypi/simple"

    @property
    def packages(self) -> Packages:
        """The packages that are in the project now: normalized name -> version as first published -> files."""
        catalogue = self._get_engine().catalogue
        found: dict[str, dict[str, Sequence[PublishedFile]]] = {}
        packages, _ = catalogue.packages(Projects([self._project]), PackageQuery())
        for package in packages:
            details = catalogue.package(package.project_id, package.id)
            if details is not None:  # a client may have deleted it meanwhile
                files = [self._published(file) for file in details.files]
                found.setdefault(package.normalized_name, {})[package.version] = files
        return found

    def add(
        self,
        name: str,
        version: str = "1.0",
        *,
        wheel: bool = True,
        sdist: bool = False,
        tags: str = "py3-none-any",
        build: str = "",
        variant: Variant | None = None,
        yanked: str | bool | None = None,
        uploaded: datetime | None = None,
        **contents: Unpack[Contents],
    ) -> Sequence[PublishedFile]:
        """Build a wheel, an sdist, or both, and publish them; return them in this order.

        :param tags: the tags of the wheel, as in its file name.
        :param build: the build number of the wheel; empty for none.
        :param variant: what the wheel was built for, if it is a wheel variant (PEP 825).
        :param yanked: why the version is yanked, may be empty; True for no reason, None or False if it is not yanked.
        :param uploaded: the upload time, aware; None is now.
        :param contents: metadata and files of the distributions: the keys of :class:`~pypi_registry.testing.Contents`.
        :raises FileTaken: if the project has a file with this name, or with another spelling of it.
        :raises VariantConflict: if the variant contradicts another one of the version.
        """
        contents.setdefault("metadata_version", "2.2")  # the first one whose metadata is served for sdists, too
        distributions = (
            [make_wheel(name, version, tags=tags, build=build, variant=variant, **contents)] if wheel else []
        )
        distributions += [make_sdist(name, version, **contents)] if sdist else []
        return [self.publish(each, yanked=yanked, uploaded=uploaded) for each in distributions]

    def publish(
        self, file: Distribution | Path, *, yanked: str | bool | None = None, uploaded: datetime | None = None
    ) -> PublishedFile:
        """Publish a distribution that exists already. Its contents are not verified.

        :param yanked: as for `add`; `uploaded` likewise.
        :raises TypeError: if `file` is neither a `Path` nor a `Distribution`, or `uploaded` is not a datetime.
        :raises ValueError: if `uploaded` is not aware.
        :raises InvalidUpload: if the file name is not that of a wheel or an sdist, or differs from the metadata.
        :raises FileTaken: if the project has a file with this name, or with another spelling of it.
        :raises VariantConflict: if it is a wheel variant that contradicts another one of its version.
        """
        _check_file(file)
        _check_uploaded(uploaded)
        if isinstance(yanked, bool):  # as on JSON pages (PEP 592)
            yanked = "" if yanked else None
        if isinstance(file, Path):
            file = Distribution(file.name, file.read_bytes())
        stores, actor = self._get_engine().stores, Actor()
        at = (uploaded or datetime.now(UTC)).astimezone(UTC)
        data = BytesIO(file.data)
        upload = read_distribution(data, file.filename, verify=None)
        published = publish(stores, self._project, upload, data, actor=actor, at=at)
        if yanked is not None:
            package = yank(stores, self._project, published.package.id, yanked, actor=actor)
            published = replace(published, package=package or published.package)
        return self._published(published)

    @property
    def _project(self) -> Project:
        return Project(id_from_path(self.path), self.path, visibility=Visibility.PUBLIC)

    def _published(self, file: PackageFile) -> PublishedFile:
        stream = self._get_engine().blobs.open(file.blob_key, size=file.size)
        return PublishedFile(
            filename=file.filename,
            url=f"{self.upload_url}/files/{file.digests.sha256}/{quote(file.filename, safe='+!')}",
            sha256=file.digests.sha256,
            data=stream.read() if stream else b"",
            requires_python=file.requires_python,
            uploaded=file.uploaded_at,
            yanked=file.package.yanked,
        )
