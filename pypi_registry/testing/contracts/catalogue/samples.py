"""What the suite of a catalogue publishes, and where; and the hooks that its parts share."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import ClassVar
from unittest import SkipTest

from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.model import Digests, Package, PackageFile, PackageQuery, Project, Upload
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.threads import Threads

TOOLS, LIBS, ELSEWHERE = Project(1, "acme/tools"), Project(2, "acme/libs"), Project(10**18 - 1, "other/place")
NESTED, ALONE = Project(3, "acme/deep/er/project"), Project(4, "alone")
PLACES: Sequence[Sequence[int]] = [
    *([project.id] for project in (TOOLS, LIBS, ELSEWHERE, NESTED, ALONE)),
    [TOOLS.id, LIBS.id],
    [ELSEWHERE.id, LIBS.id, TOOLS.id],
]
"""A page is of one project, or of those of a group."""

DEMO, OTHER = canonicalize_name("demo"), canonicalize_name("other")
_ALL = PackageQuery()
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class CatalogueHooks(Threads):
    """What a host fills in."""

    projects: ClassVar[Sequence[Project]] = (TOOLS, LIBS, ELSEWHERE, NESTED, ALONE)
    """Where the suite publishes; a store whose rows refer to rows of projects makes those in `make_catalogue`."""

    def make_catalogue(self) -> Catalogue:
        """Give a catalogue that is empty; called once a test."""
        raise NotImplementedError(f"{type(self).__name__} must say what it is about: override make_catalogue()")

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        """Give another instance over the same data, as a restart and another process have; both are used then.

        Without it the tests of what lasts are skipped, which is right only for a catalogue in memory.
        """
        raise SkipTest("this catalogue lasts as long as its object: reopen() is not overridden")


def upload(
    filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0", sha256: str = "a" * 64
) -> Upload:
    """Make an upload of which only these things matter."""
    return Upload(name, canonicalize_name(name), version, filename, 4, Digests(sha256), "")


def add(
    catalogue: Catalogue, project: Project, added: Upload | str, *, key: str = "", at: datetime = AT
) -> PackageFile:
    """Publish an upload, or one of ``demo`` with this file name, under a key that is fresh unless one is given."""
    return catalogue.add(project, upload(added) if isinstance(added, str) else added, key or token_hex(16), at)


def filenames(files: Iterable[PackageFile]) -> list[str]:
    """Give what files are called, in their order."""
    return [file.filename for file in files]


def listed(catalogue: Catalogue, projects: Sequence[int], query: PackageQuery = _ALL) -> tuple[list[Package], int]:
    """Give one page of a list as a list."""
    packages, total = catalogue.packages(projects, query)
    return [*packages], total


def revisions(catalogue: Catalogue, names: Iterable[NormalizedName]) -> dict[tuple[int, str | None], int]:
    """Give the revision of each project's pages and index."""
    return {
        (project.id, name): catalogue.revision([project.id], name)
        for project in CatalogueHooks.projects
        for name in (*names, None)
    }


def everything(catalogue: Catalogue, names: Sequence[NormalizedName] = (DEMO, OTHER)) -> dict[str, object]:
    """Give what every method that reads answers, so that "nothing changed" can be said in one line."""
    everywhere = [project.id for project in CatalogueHooks.projects]
    packages, _ = listed(catalogue, everywhere)
    files = [file for package in packages for file in catalogue.package_files(package)]
    return {
        "packages": [listed(catalogue, place) for place in PLACES],
        "package": [catalogue.package(place, package.id) for place in PLACES for package in packages],
        "package_files": files,
        "about": [catalogue.about(package) for package in packages],
        "core_metadata": [catalogue.core_metadata(file) for file in files],
        "names": [list(catalogue.names(place)) for place in PLACES],
        "has_name": [catalogue.has_name(place, name) for place in PLACES for name in names],
        "files": [list(catalogue.files(place, name)) for place in PLACES for name in names],
        "file": [catalogue.file(everywhere, file.digests.sha256, file.filename) for file in files],
        "status": [catalogue.status(place, name) for place in PLACES for name in names],
        "revision": [catalogue.revision(place, name) for place in PLACES for name in (*names, None)],
        "publishers": list(catalogue.publishers()),
        "was_published": [
            catalogue.was_published(root, name, projects)
            for root in ("acme", "moved", "other", "alone", "")
            for name in names
            for projects in ([], [TOOLS.id])
        ],
    }
