"""A project of a fake registry: its addresses, what is published in it, and how a test publishes there itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TypeAlias, Unpack, cast
from urllib.parse import quote

from pypi_registry._cli.site import MOUNT
from pypi_registry._publishing.publish import Part, publish
from pypi_registry.directory import id_from_path, is_valid_path
from pypi_registry.distributions import trust
from pypi_registry.model import PackageFile, PackageQuery, Project, Upload, Visibility
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.archives import Contents, Distribution, make_sdist, make_wheel, name_and_version
from pypi_registry.testing.engine import State


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as the registry has it, whoever published it."""

    filename: str
    url: str
    """Where it is downloaded; its metadata is at this address with ``.metadata`` at its end."""
    sha256: str
    data: bytes = field(repr=False)
    requires_python: str
    uploaded: datetime
    """Aware, UTC."""
    yanked: str | None
    """Why its version should not be installed any more, may be empty; None if it should."""


Packages: TypeAlias = Mapping[str, Mapping[str, Sequence[PublishedFile]]]
"""Normalized name -> version as first published -> files."""


class FakeProject:
    """A project of a fake registry; it need not be made, every path is one."""

    def __init__(self, path: str, origin: Callable[[], str], state: Callable[[], State]) -> None:
        if not is_valid_path(path):
            raise ValueError(f"{path!r} is not the path of a project, such as acme/tools")
        self.path = path
        self._get_origin = origin
        self._get_state = state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r} at {self._get_origin()}>"

    @property
    def upload_url(self) -> str:
        """Where twine and uv publish."""
        return f"{self._get_origin()}{MOUNT}/projects/{quote(self.path, safe='')}/packages/pypi"

    @property
    def index_url(self) -> str:
        """From where pip and uv install what is in the project."""
        return f"{self.upload_url}/simple"

    @property
    def group_index_url(self) -> str:
        """From where pip and uv install what is in the project's group, and below it.

        :raises ValueError: if the project lies in no group.
        """
        group, slash, _ = self.path.rpartition("/")
        if not slash:
            raise ValueError(f"the project {self.path!r} lies in no group")
        return f"{self._get_origin()}{MOUNT}/groups/{quote(group, safe='')}/-/packages/pypi/simple"

    @property
    def packages(self) -> Packages:
        """What is published in the project now."""
        catalogue = self._get_state().catalogue
        found: dict[str, dict[str, Sequence[PublishedFile]]] = {}
        packages, _ = catalogue.packages([self._project.id], PackageQuery())
        for package in packages:
            files = [self._published(file) for file in catalogue.package_files(package)]
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
        yanked: str | bool | None = None,
        uploaded: datetime | None = None,
        **contents: Unpack[Contents],
    ) -> Sequence[PublishedFile]:
        """Make a wheel, an sdist, or both, and publish them; give them in this order.

        :param tags: of the wheel, as in its file name; and `build`, its build number.
        :param yanked: why the version is yanked, may be empty; True if nobody says why, None or False if it is not.
        :param uploaded: when; aware. None is now.
        :param contents: what they say and hold: the keys of :class:`~pypi_registry.testing.Contents`.
        :raises FileTaken: if the project has such a file.
        """
        contents.setdefault("metadata_version", "2.2")  # from which on an sdist's is served, too
        made = [make_wheel(name, version, tags=tags, build=build, **contents)] if wheel else []
        made += [make_sdist(name, version, **contents)] if sdist else []
        return [self.publish(each, yanked=yanked, uploaded=uploaded) for each in made]

    def publish(
        self, file: Distribution | Path, *, yanked: str | bool | None = None, uploaded: datetime | None = None
    ) -> PublishedFile:
        """Publish a file that was made already, and whose contents are not checked.

        :raises InvalidUpload: if it has not the file name of a wheel or an sdist.
        :raises FileTaken: if the project has such a file.
        """
        if uploaded is not None and uploaded.tzinfo is None:
            raise ValueError(f"uploaded= must be aware, such as datetime(2024, 5, 1, tzinfo=UTC): {uploaded!r}")
        if isinstance(yanked, bool):  # as pages have it
            yanked = "" if yanked else None
        if isinstance(file, Path):
            file = Distribution(file.name, file.read_bytes())
        state = self._get_state()
        at = (uploaded or datetime.now(UTC)).astimezone(UTC)
        published = publish(
            _form(file),
            self._project,
            catalogue=cast(Catalogue, _CatalogueAt(state.catalogue, at)),
            blobs=state.blobs,
            max_file_size=len(file.data) + 1,
            verify=None,
            permit=lambda name: None,
        )
        package = state.catalogue.yank(published.package, yanked) if yanked is not None else None
        return self._published(replace(published, package=package or published.package))

    @property
    def _project(self) -> Project:
        return Project(id_from_path(self.path), self.path, visibility=Visibility.PUBLIC)

    def _published(self, file: PackageFile) -> PublishedFile:
        stream = self._get_state().blobs.open(file.key)
        return PublishedFile(
            filename=file.filename,
            url=f"{self.upload_url}/files/{file.digests.sha256}/{quote(file.filename, safe='+!')}",
            sha256=file.digests.sha256,
            data=stream.read() if stream else b"",
            requires_python=file.requires_python,
            uploaded=file.uploaded_at,
            yanked=file.package.yanked,
        )


def _form(file: Distribution) -> Iterator[Part]:
    """Write the form with which a client publishes a file."""
    metadata = trust(BytesIO(file.data), file.filename).metadata
    name, version = (metadata.name, metadata.version) if metadata else name_and_version(file.filename)
    yield Part("name", None, iter([name.encode()]))
    yield Part("version", None, iter([version.encode()]))
    yield Part("content", file.filename, iter([file.data]))


class _CatalogueAt:
    """A catalogue to which files come at a time that a test chooses."""

    def __init__(self, catalogue: MemoryCatalogue, at: datetime) -> None:
        self._catalogue = catalogue
        self._at = at

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        return self._catalogue.add(project, upload, key, self._at)
