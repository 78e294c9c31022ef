"""The hooks of the suite of a catalogue, and what its tests publish, read and compare."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, ClassVar
from unittest import SkipTest

from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry._variants import canonical
from pypi_registry.model import (
    Deletion,
    Digests,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
    VariantsHistory,
)
from pypi_registry.storage import Catalogue, Enumerable, KeepsVariants, ProjectPaths
from pypi_registry.testing.contracts.threads import Threads

TOOLS, LIBS, OUTSIDE = Project(1, "acme/tools"), Project(2, "acme/libs"), Project(10**18 - 1, "other/project")
NESTED, ALONE = Project(3, "acme/deep/er/project"), Project(4, "alone")
MOVED_TOOLS = replace(TOOLS, path="Moved/tools")

IN_TOOLS, IN_LIBS, IN_OUTSIDE = Projects([TOOLS]), Projects([LIBS]), Projects([OUTSIDE])
IN_ACME, IN_THREE = Projects([TOOLS, LIBS]), Projects([OUTSIDE, LIBS, TOOLS])
EVERYWHERE = Projects([TOOLS, LIBS, OUTSIDE, NESTED, ALONE])
SELECTIONS = (*(Projects([project]) for project in EVERYWHERE), IN_ACME, IN_THREE, EVERYWHERE)
"""A page shows one project, or the projects of a group."""

DEMO, OTHER = canonicalize_name("demo"), canonicalize_name("other")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SHA256 = "a" * 64
_ALL = PackageQuery()


class CatalogueHooks(Threads):
    """The hooks that a subclass overrides."""

    projects: ClassVar[Sequence[Project]] = tuple(EVERYWHERE)
    """The projects to which the suite publishes. If your rows refer to rows of projects, create these in
    `make_catalogue`."""

    def make_catalogue(self) -> Catalogue:
        """Return an empty catalogue; called once per test."""
        raise NotImplementedError(f"{type(self).__name__} must override make_catalogue()")

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        """Return another instance over the same data, as after a restart or in another process; both are used then.

        Without it, the tests of durability are skipped, which is right only for a catalogue in memory.
        """
        raise SkipTest("reopen() is not overridden: these rows are not durable")

    def make_second_catalogue(self) -> Catalogue:
        """Return another empty catalogue, which shares no data with the first one; called once per test at most.

        Without it, no test shows that revisions are random.
        """
        raise SkipTest("make_second_catalogue() is not overridden")

    def fill(self, catalogue: Catalogue, uploads: Iterable[Upload]) -> None:
        """Publish 10,000 uploads to the first project, in their order; override it if there is a faster way.

        The test reads only `packages`, so it needs no files.
        """
        for each in uploads:
            add(catalogue, TOOLS, each)


# Publishing


def upload(
    filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0", sha256: str = SHA256, **fields: Any
) -> Upload:
    """Return an upload in which only these fields matter."""
    made = Upload(name, canonicalize_name(name), version, filename, 4, Digests(sha256), "")
    return replace(made, **fields)


def variant(label: str, *levels: str, namespaces: Sequence[str] = ("cpu",)) -> str:
    """Return the variant metadata of a wheel variant (PEP 825) with one property, or without any."""
    properties = {"cpu": {"level": [*levels]}} if levels else {}
    return canonical(
        {
            "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
            "default-priorities": {"namespace": [*namespaces]},
            "variants": {label: properties},
        }
    )


def add(
    catalogue: Catalogue, project: Project, added: Upload | str, *, key: str = "", at: datetime = AT, by: str = ""
) -> PackageFile:
    """Publish an upload, or a file of ``demo`` 1.0 with this name, under a fresh key unless `key` is passed."""
    sent = upload(added) if isinstance(added, str) else added
    return catalogue.add(project, sent, key or token_hex(16), at, by)


def add_variant(
    catalogue: Catalogue, project: Project, text: str, tags: str = "py3-none-any", version: str = "1.0"
) -> PackageFile:
    """Publish a wheel variant of ``demo``."""
    label = text.rpartition('"variants":{"')[2].partition('"')[0]
    sent = upload(f"demo-{version}-{tags}-{label}.whl", version=version, sha256=SHA256, variant=text)
    return add(catalogue, project, sent)


def publish_history(catalogue: Catalogue) -> None:
    """Publish, yank, archive, move and delete, so that the catalogue has rows of every kind."""
    metadata = PackageMetadata("2.1", "a@example.org", "é ☃", "one", "two", "text/plain")
    kept = add(catalogue, TOOLS, upload("demo-1.0.zip", metadata=metadata, core_metadata=b"Name: demo\n\0"), by="ada")
    file = add(catalogue, TOOLS, upload("demo-1.0.tar.gz", metadata=metadata))
    gone = add(catalogue, TOOLS, upload("demo-3.0.zip", version="3.0"))
    add(catalogue, TOOLS, upload("demo-1.0-py3-none-any-fast.whl", variant=variant("fast", "v3")))
    slow = add(catalogue, TOOLS, upload("demo-1.0-py3-none-any-slow.whl", variant=variant("slow", "v1")))
    add(catalogue, LIBS, upload("demo-1.0.zip", requires_python=">=3.8", core_metadata=b""))
    add(catalogue, replace(LIBS, path="moved/libs"), upload("other-1.0.zip", "other"))
    catalogue.yank(TOOLS, kept.package.id, "broken", "")
    catalogue.set_status(replace(LIBS, path="moved/libs"), DEMO, NameStatus(Status.ARCHIVED, "old"), "")
    catalogue.set_status(TOOLS, OTHER, NameStatus(Status.DEPRECATED), "")
    catalogue.delete_file(TOOLS, file.id, "")
    catalogue.delete_file(TOOLS, slow.id, "")
    catalogue.delete_package(TOOLS, gone.package.id, "")


# Reading: sequences become tuples, so that results can be compared


def listing(catalogue: Catalogue, projects: Projects, name: NormalizedName = DEMO) -> Listing | None:
    """Return the listing of a name."""
    found = catalogue.listing(projects, name)
    return found and Listing(tuple(found.files), dict(found.statuses))


def files_of(catalogue: Catalogue, projects: Projects, name: NormalizedName = DEMO) -> list[PackageFile]:
    """Return the files of a name."""
    found = catalogue.listing(projects, name)
    return [*found.files] if found else []


def statuses_of(catalogue: Catalogue, projects: Projects, name: NormalizedName = DEMO) -> dict[int, NameStatus]:
    """Return the statuses of a name by the ids of projects."""
    found = catalogue.listing(projects, name)
    return dict(found.statuses) if found else {}


def find(catalogue: Catalogue, projects: Projects, filename: str, sha256: str = SHA256) -> PackageFile | None:
    """Return the file that a download finds."""
    found = catalogue.file(projects, sha256, filename)
    return found.file if found else None


def details(catalogue: Catalogue, package: Package) -> PackageDetails | None:
    """Return a package with its files and its metadata."""
    found = catalogue.package(package.project_id, package.id)
    return found and replace(found, files=tuple(found.files))


def listed(catalogue: Catalogue, projects: Projects, query: PackageQuery = _ALL) -> tuple[list[Package], int | None]:
    """Return one page of a list, and the total."""
    packages, total = catalogue.packages(projects, query)
    return [*packages], total


def deleted(found: Deletion | None) -> Deletion:
    """Return what was deleted, with its files sorted by id."""
    assert found is not None, "nothing was deleted"
    return replace(found, files=tuple(sorted(found.files, key=lambda file: file.id)))


def filenames(files: Iterable[PackageFile]) -> list[str]:
    """Return the names of files in their order."""
    return [file.filename for file in files]


# Optional protocols


def with_project_paths(catalogue: Catalogue) -> ProjectPaths:
    """Return the catalogue as `ProjectPaths`, or skip the test."""
    if not isinstance(catalogue, ProjectPaths):
        raise SkipTest(f"{type(catalogue).__name__} does not implement ProjectPaths")
    return catalogue


def as_enumerable(catalogue: Catalogue) -> Enumerable:
    """Return the catalogue as `Enumerable`, or skip the test."""
    if not isinstance(catalogue, Enumerable):
        raise SkipTest(f"{type(catalogue).__name__} does not implement Enumerable")
    return catalogue


def as_keeping_variants(catalogue: Catalogue) -> KeepsVariants:
    """Return the catalogue as `KeepsVariants`, or skip the test."""
    if not isinstance(catalogue, KeepsVariants):
        raise SkipTest(f"{type(catalogue).__name__} does not implement KeepsVariants")
    return catalogue


def contents_of(catalogue: Catalogue) -> list[str]:
    """Return each content of the variants JSON of ``demo`` 1.0 in the first project; skip if none is kept."""
    found = histories(as_keeping_variants(catalogue).variants(IN_TOOLS, DEMO, "1.0"))
    return [content for history in found for content in history.contents]


def histories(found: Sequence[VariantsHistory]) -> list[VariantsHistory]:
    """Return histories whose contents can be compared."""
    return [VariantsHistory(each.project_id, each.status, [*each.contents]) for each in found]


# Everything


def answers(catalogue: Catalogue, names: Sequence[NormalizedName] = (DEMO, OTHER)) -> dict[str, object]:
    """Return what every method that reads returns, except revisions."""
    packages, _ = listed(catalogue, EVERYWHERE)
    found = [details(catalogue, package) for package in packages]
    files = [file for each in found if each for file in each.files]
    return {
        "packages": [listed(catalogue, projects) for projects in SELECTIONS],
        "package": found,
        "names": [[*catalogue.names(projects)] for projects in SELECTIONS],
        "listing": [listing(catalogue, projects, name) for projects in SELECTIONS for name in names],
        "file": [catalogue.file(EVERYWHERE, file.digests.sha256, file.filename) for file in files],
        "core_metadata": [catalogue.core_metadata(file.id) for file in files],
        "publications": [sorted(catalogue.publications(name)) for name in names],
        "variants": [
            (package.id, [(each.project_id, each.status, tuple(each.contents)) for each in found])
            for package in packages
            if isinstance(catalogue, KeepsVariants)
            for found in [catalogue.variants(EVERYWHERE, package.normalized_name, package.version)]
        ],
        "project_paths": [*catalogue.project_paths()] if isinstance(catalogue, ProjectPaths) else [],
    }


def revisions(
    catalogue: Catalogue,
    names: Sequence[NormalizedName] = (DEMO, OTHER),
    selections: Sequence[Projects] = SELECTIONS,
) -> dict[tuple[Projects, str | None], object]:
    """Return the revision of every page and every index."""
    return {(projects, name): catalogue.revision(projects, name) for projects in selections for name in (*names, None)}


def everything(catalogue: Catalogue) -> dict[str, object]:
    """Return what every method that reads returns, to compare it before and after something that changes nothing."""
    return answers(catalogue) | {"revision": revisions(catalogue)}
