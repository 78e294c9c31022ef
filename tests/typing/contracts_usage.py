"""The contracts as an application implements them, and their data types: type checkers read this, nothing runs it."""

import io
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, assert_type

from packaging.utils import NormalizedName

from pypi_registry import Registry
from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, Principal, ReadsMany, Subject
from pypi_registry.directory import Directory, Ref
from pypi_registry.errors import FileTaken, InsufficientScope, InvalidToken
from pypi_registry.events import Event, Published, Yanked
from pypi_registry.forwarding import Forward
from pypi_registry.model import (
    Deletion,
    Digests,
    FileWithStatus,
    Group,
    Listing,
    Namespace,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    PackageName,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
    VariantsHistory,
    Visibility,
)
from pypi_registry.storage import (
    Blobs,
    Catalogue,
    ChecksHealth,
    ChecksItself,
    CreatesFiles,
    Enumerable,
    EnumerableBlobs,
    KeepsVariants,
    ProjectPaths,
    Redirect,
    check_variant,
    variants_after,
)
from pypi_registry.stores.memory import MemoryCatalogue

# A directory


class OurProjects:
    def project(self, ref: Ref) -> Project | None:
        return Project(ref if isinstance(ref, int) else 1, "acme/tools", "Tools", Visibility.PUBLIC)

    def group(self, ref: Ref) -> Group | None:
        return None

    def projects_in(self, group: Group) -> Projects:
        return Projects([Project(1, f"{group.path}/tools")])


def projects(some: Projects) -> None:
    assert_type(next(iter(some)), Project)
    assert_type(some.ids, tuple[int, ...])
    assert_type(some.roots, frozenset[str])
    assert_type(some.cache_key, Hashable)
    assert_type(some.get(1), Project | None)
    assert_type(some.only(lambda project: project.visibility is Visibility.PUBLIC), Projects)
    assert_type((1 in some, len(some)), tuple[bool, int])


def title(namespace: Namespace) -> str:
    assert_type(namespace, Project | Group)
    return f"{namespace.title} in {namespace.root}"


# An auth


@dataclass(frozen=True)
class Visitor:
    name: str = ""
    via: str = ""

    @property
    def anonymous(self) -> bool:
        return not self.name

    def can(self, ability: Ability, subject: Subject) -> bool:
        match subject:
            case Project():
                return ability is not Ability.CREATE_PACKAGE or not self.anonymous
            case Group():
                return ability in (Ability.READ_GROUP, Ability.READ_PACKAGE)
            case PackageName(project, name):
                return name.startswith(project.title)

    def readable(self, projects: Projects) -> Projects:
        return projects


class OurTokens:
    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Visitor:
        if credentials is None or credentials.scheme is AuthScheme.BASIC:
            return Visitor()
        if credentials.secret == "expired":
            raise InvalidToken("expired")
        if environ["REQUEST_METHOD"] == "POST":
            raise InsufficientScope("api")
        return Visitor(credentials.user, via="token")


def asked(auth: Auth, principal: Principal, projects: Projects) -> None:
    assert_type(auth.authenticate(None, None, {}), Principal)
    assert_type((principal.name, principal.via, principal.anonymous), tuple[str, str, bool])
    if isinstance(principal, ReadsMany):
        assert_type(principal.readable(projects), Projects)


# A catalogue


class OurCatalogue:
    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        if upload.filename == "taken":
            raise FileTaken(upload.filename)
        check_variant(upload, [None, upload.variant])
        package = Package(1, project.id, upload.name, upload.normalized_name, upload.version, created_at=at)
        digests = Digests(upload.digests.sha256, md5=None, blake2_256=None)
        return PackageFile(
            2,
            package,
            upload.filename,
            upload.size,
            digests,
            upload.requires_python,
            at,
            blob_key,
            upload.core_metadata_sha256,
            uploaded_by=by,
            variant=upload.variant,
        )

    def delete_file(self, project: Project, file_id: int, by: str) -> Deletion | None:
        return None

    def delete_package(self, project: Project, package_id: int, by: str) -> Deletion | None:
        found = self.package(project.id, package_id)
        return Deletion(found.package, found.files, package_deleted=True) if found else None

    def yank(self, project: Project, package_id: int, reason: str | None, by: str) -> Package | None:
        found = self.package(project.id, package_id)
        return replace(found.package, yanked=reason) if found else None

    def set_status(self, project: Project, name: NormalizedName, status: NameStatus, by: str) -> None:
        pass

    def revision(self, projects: Projects, name: NormalizedName | None) -> str | None:
        return "random" if name else None

    def names(self, projects: Projects) -> Sequence[NormalizedName]:
        return [NormalizedName("demo")]

    def listing(self, projects: Projects, name: NormalizedName) -> Listing | None:
        return Listing([], {1: NameStatus(Status.DEPRECATED, "use another")})

    def file(self, projects: Projects, sha256: str, filename: str) -> FileWithStatus | None:
        return None

    def core_metadata(self, file_id: int) -> bytes | None:
        return b""

    def publications(self, name: NormalizedName) -> Sequence[tuple[str, int]]:
        return [("acme", 1)]

    def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
        return [], query.limit or query.offset

    def package(self, project_id: int, package_id: int) -> PackageDetails | None:
        package = Package(package_id, project_id, "demo", NormalizedName("demo"), "1.0", datetime.now(UTC))
        return PackageDetails(package, (), PackageMetadata(summary=package.name))

    # Optional

    def variants(self, projects: Projects, name: NormalizedName, version: str) -> Sequence[VariantsHistory]:
        return [VariantsHistory(1, NameStatus(), variants_after((), [None]))]

    def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
        return [(1, "acme/tools")]


def keeping(catalogue: OurCatalogue) -> KeepsVariants:
    return catalogue


def copy(source: Enumerable, target: Enumerable) -> None:
    for record in source.records():
        target.restore(record)


def inconsistencies(store: Catalogue | Blobs) -> list[str]:
    if not isinstance(store, ChecksItself):
        return []
    return [sentence for sentence, _, repaired in store.inconsistencies(repair=True) if not repaired]


def check_health(store: Catalogue | Blobs) -> None:
    if isinstance(store, ChecksHealth):
        store.check_health()


def shown(listing: Listing) -> None:
    assert_type(listing.offered_files, Sequence[PackageFile])
    assert_type(listing.status, NameStatus)
    assert_type((listing.status.status.accepts_uploads, listing.status.status.offers_files), tuple[bool, bool])


# Bytes


class OurBlobs:
    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        file.seek(0)

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        return Redirect(f"https://bytes.example/{key}") if size else Redirect("/blobs/", internal=True)

    def delete(self, key: str) -> None:
        pass

    # Optional

    def new_file(self) -> BinaryIO:
        return io.BytesIO()

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        yield "0" * 32, 4, datetime.now(UTC)


# All together


def on_event(event: Event) -> None:
    match event:
        case Published(project=project, files=[file]):
            assert_type((project, file.uploaded_by, event.actor.address), tuple[Project, str, str])
        case Yanked():
            assert_type((event.package, event.reason), tuple[Package, str])
        case _:
            pass


def forward(namespace: Namespace, name: NormalizedName) -> str | Forward | None:
    return Forward("https://index.example/simple/", even_if_published=True) if name == "demo" else None


def ours() -> tuple[Directory, Auth, Catalogue, Blobs]:
    Registry(
        directory=OurProjects(),
        auth=OurTokens(),
        catalogue=OurCatalogue(),
        blobs=OurBlobs(),
        forward_to=forward,
        on_event=on_event,
    )
    return OurProjects(), OurTokens(), OurCatalogue(), OurBlobs()


def optional() -> tuple[ReadsMany, ProjectPaths, Enumerable, CreatesFiles, EnumerableBlobs]:
    return Visitor(), OurCatalogue(), MemoryCatalogue(), OurBlobs(), OurBlobs()


REVISION: Callable[[Projects, NormalizedName | None], Hashable | None] = OurCatalogue().revision
