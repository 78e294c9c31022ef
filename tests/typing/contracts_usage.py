"""The contracts, filled as a host fills them, and their nouns: read by type checkers, run by nobody."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO, assert_type

from packaging.utils import NormalizedName

from pypi_registry import Registry
from pypi_registry.auth import (
    Ability,
    AllowAll,
    Auth,
    AuthScheme,
    Challenge,
    Credentials,
    Principal,
    Subject,
    refusal,
    require,
)
from pypi_registry.directory import MAX_DIGITS, Directory, OpenDirectory, Ref, id_from_path, is_valid_path, parse_ref
from pypi_registry.errors import FileTaken, InsufficientScope, InvalidToken, RegistryError
from pypi_registry.model import (
    Digests,
    Group,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    PackageName,
    PackageQuery,
    Project,
    Status,
    Upload,
    Visibility,
    is_below,
    last_segment,
    paths_above,
    root_of,
)
from pypi_registry.storage import Blobs, Catalogue, NewBlob, Redirect

# A directory


class OurProjects:
    def project(self, ref: Ref) -> Project | None:
        return Project(ref if isinstance(ref, int) else id_from_path(ref), "acme/tools", "Tools", Visibility.PUBLIC)

    def group(self, ref: Ref) -> Group | None:
        return None

    def projects_in(self, group: Group) -> Sequence[Project]:
        return [] if is_below("acme/tools", group.path) else ()


def refs(text: str) -> None:
    assert_type(parse_ref(text), Ref | None)
    assert_type(is_valid_path(text[:MAX_DIGITS]), bool)
    assert_type((last_segment(text), root_of(text)), tuple[str, str])
    assert_type([*paths_above(text)], list[str])


def open_directory(catalogue: Catalogue) -> Directory:
    return OpenDirectory(catalogue)


# An auth


@dataclass(frozen=True)
class Visitor:
    anonymous: bool

    def can(self, ability: Ability, subject: Subject) -> bool:
        match subject:
            case Project():
                return ability is not Ability.CREATE_PACKAGE or not self.anonymous
            case Group():
                return ability in (Ability.READ_GROUP, Ability.READ_PACKAGE)
            case PackageName(project, name):
                return name.startswith(project.title)

    def readable(self, group: Group) -> Sequence[Project]:
        return ()


class OurTokens:
    def authenticate(self, credentials: Credentials | None, environ: Mapping[str, object]) -> Visitor:
        if credentials is None or credentials.presented is AuthScheme.BASIC:
            return Visitor(anonymous=True)
        if credentials.secret == "expired":
            raise InvalidToken("expired")
        if environ["REQUEST_METHOD"] == "POST":
            raise InsufficientScope("api")
        return Visitor(anonymous=credentials.user == "")


def refused(principal: Principal, project: Project, auth: Auth) -> None:
    require(principal, Ability.READ_PACKAGE, project)
    require(auth.authenticate(None, {}), Ability.CREATE_PACKAGE, PackageName(project, NormalizedName("demo")))
    assert_type(refusal(principal, Ability.READ_PROJECT, project, Challenge.NEVER), RegistryError)
    assert_type(AllowAll(OurProjects()).over(OurProjects()), AllowAll)


# Stores


class OurCatalogue:
    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        if upload.filename == "taken":
            raise FileTaken(upload.filename)
        package = Package(1, project.id, upload.name, upload.normalized_name, upload.version, created_at=at)
        digests = Digests(upload.digests.sha256, md5=None, blake2_256=None)
        return PackageFile(
            2, package, upload.filename, upload.size, digests, upload.requires_python, at, key, upload.metadata_sha256
        )

    def delete_file(self, file: PackageFile) -> str | None:
        return file.key

    def delete_package(self, package: Package) -> Sequence[str]:
        return [str(package.id)]

    def yank(self, package: Package, reason: str | None) -> Package | None:
        return replace(package, yanked=reason)

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus) -> None:
        pass

    def status(self, projects: Sequence[int], name: NormalizedName) -> NameStatus:
        return NameStatus(Status.DEPRECATED, "use another")

    def packages(self, projects: Sequence[int], query: PackageQuery) -> tuple[Sequence[Package], int]:
        return [], query.limit or query.offset

    def package(self, projects: Sequence[int], number: int) -> Package | None:
        return None

    def package_files(self, package: Package) -> Sequence[PackageFile]:
        return ()

    def has_name(self, projects: Sequence[int], name: NormalizedName) -> bool:
        return False

    def names(self, projects: Sequence[int]) -> Sequence[NormalizedName]:
        return [NormalizedName("demo")]

    def files(self, projects: Sequence[int], name: NormalizedName) -> Sequence[PackageFile]:
        return ()

    def file(self, projects: Sequence[int], sha256: str, filename: str) -> PackageFile | None:
        return None

    def revision(self, projects: Sequence[int], name: NormalizedName | None) -> int:
        return 0

    def was_published(self, root: str, name: NormalizedName, projects: Sequence[int] = ()) -> bool:
        return True

    def publishers(self, projects: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        return [(1, "acme/tools")]

    def core_metadata(self, file: PackageFile) -> bytes | None:
        return b""

    def about(self, package: Package) -> PackageMetadata:
        return PackageMetadata(summary=package.name)


class OurNewBlob:
    def write(self, data: bytes) -> int:
        return len(data)

    def read_back(self) -> BinaryIO:
        return io.BytesIO()

    def commit(self) -> None:
        pass


class OurBlobs:
    @contextmanager
    def create(self, key: str) -> Iterator[NewBlob]:
        yield OurNewBlob()

    def open(self, key: str) -> BinaryIO | Redirect | None:
        return Redirect(f"https://bytes.example/{key}") if key else Redirect("/blobs/", internal=True)

    def delete(self, key: str) -> None:
        pass


def ours() -> tuple[Directory, Auth, Catalogue, Blobs]:
    Registry(directory=OurProjects(), auth=OurTokens(), catalogue=OurCatalogue(), blobs=OurBlobs())
    return OurProjects(), OurTokens(), OurCatalogue(), OurBlobs()
