"""Both catalogues return the same after any changes: each is the oracle of the other."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.errors import RegistryError
from pypi_registry.model import (
    Deletion,
    Digests,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
)
from pypi_registry.storage import Catalogue, ProjectPaths
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PROJECTS = [Project(1, "beta/one"), Project(2, "Alpha/two"), Project(3, "alpha/three")]
MOVED = Project(1, "moved/one")
SELECTIONS = [Projects(PROJECTS[number] for number in numbers) for numbers in ([0], [1], [2], [0, 1], [2, 1, 0], [])]
NAMES = ["demo", "Demo.X", "demo-x", "A_b"]
NORMALIZED = sorted({canonicalize_name(name) for name in [*NAMES, "absent"]})
VERSIONS = ["1.0", "1.0.0", "1.10", "1.9", "2.0a1"]
ORDERS = get_args(get_type_hints(PackageQuery)["order_by"])

Change = tuple[Any, ...]

uploads = st.builds(
    Upload,
    name=st.sampled_from(NAMES),
    normalized_name=st.just(canonicalize_name("replaced below")),
    version=st.sampled_from(VERSIONS),
    filename=st.sampled_from(["a.zip", "b.zip", "c.whl", "d.whl", "A.zip"]),
    size=st.just(4),
    digests=st.sampled_from(["a" * 64, "b" * 64]).map(Digests),
    requires_python=st.sampled_from(["", ">=3.8"]),
    metadata=st.builds(PackageMetadata, summary=st.text(max_size=3)),
    core_metadata=st.none() | st.binary(max_size=3),
).map(lambda upload: replace(upload, normalized_name=canonicalize_name(upload.name)))
statuses = st.builds(NameStatus, st.sampled_from(Status), st.sampled_from(["", "why"]))
queries = st.builds(
    PackageQuery,
    name=st.sampled_from(["", "DEMO", "o.x", "A_B", "a_b demo", "%", "-x", "mo-", "b"]),
    normalized_name=st.sampled_from([None, *NORMALIZED]),
    version=st.sampled_from(["", *VERSIONS]),
    order_by=st.sampled_from(ORDERS),
    descending=st.booleans(),
    offset=st.integers(0, 3),
    limit=st.none() | st.integers(0, 3),
)
# A number selects one of all packages or files that there ever were, so some are deleted.
number = st.integers(0, 20)
projects = st.sampled_from([*PROJECTS, MOVED])
adding = st.tuples(
    st.just("add"),
    projects,
    uploads,
    st.integers(0, 2).map(lambda days: AT + timedelta(days)),
    st.sampled_from(["", "ada"]),
)
changes: st.SearchStrategy[Change] = (
    adding
    | adding
    | st.tuples(st.just("delete_file"), projects, number)
    | st.tuples(st.just("delete_package"), projects, number)
    | st.tuples(st.just("yank"), projects, number, st.sampled_from([None, "", "broken"]))
    | st.tuples(st.just("set_status"), projects, st.sampled_from(NORMALIZED), statuses)
)


class Recorded:
    """A catalogue, and everything that it returned. An id is replaced by the order in which it first came."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.packages: dict[int, Package] = {}
        self.files: dict[int, PackageFile] = {}

    def do(self, change: Change, count: int) -> object:
        """Make a change, and return what came of it."""
        match change:
            case "add", project, upload, at, by:
                try:
                    file = self.catalogue.add(project, upload, f"{count:032}", at, by)
                except RegistryError as error:
                    return type(error), error.args
                assert file.id not in self.files
                self.files[file.id] = file
                self.packages.setdefault(file.package.id, file.package)
                return self.file(file)
            case "delete_file", project, number if self.files:
                return self.deletion(self.catalogue.delete_file(project, _pick(self.files, number), ""))
            case "delete_package", project, number if self.packages:
                return self.deletion(self.catalogue.delete_package(project, _pick(self.packages, number), ""))
            case "yank", project, number, reason if self.packages:
                package = self.catalogue.yank(project, _pick(self.packages, number), reason, "")
                return package and self.package(package)
            case "set_status", project, name, status:
                self.catalogue.set_status(project, name, status, "")
        return None

    def package(self, package: Package) -> Package:
        return replace(package, id=[*self.packages].index(package.id))

    def file(self, file: PackageFile) -> PackageFile:
        return replace(file, id=[*self.files].index(file.id), package=self.package(file.package))

    def deletion(self, deletion: Deletion | None) -> object:
        files = sorted(map(self.file, deletion.files), key=lambda file: file.id) if deletion else []
        return deletion and (self.package(deletion.package), files, deletion.package_deleted)

    def list(self, projects: Projects, query: PackageQuery) -> object:
        found, total = self.catalogue.packages(projects, query)
        return [self.package(package) for package in found], total

    def listing(self, projects: Projects, name: NormalizedName) -> object:
        found = self.catalogue.listing(projects, name)
        return found and ([self.file(file) for file in found.files], dict(found.statuses))

    def details(self, project: Project, package_id: int) -> object:
        found = self.catalogue.package(project.id, package_id)
        return found and (self.package(found.package), [self.file(file) for file in found.files], found.metadata)

    def found_file(self, projects: Projects, address: tuple[str, str]) -> object:
        found = self.catalogue.file(projects, *address)
        return found and (self.file(found.file), found.status)

    def revisions(self) -> dict[tuple[int, str | None], object]:
        return {
            (project.id, name): self.catalogue.revision(Projects([project]), name)
            for project in PROJECTS
            for name in (*NORMALIZED, None)
        }

    def everything(self) -> object:
        """Return what every method that reads returns."""
        catalogue = self.catalogue
        addresses = sorted({(file.digests.sha256, file.filename) for file in self.files.values()})
        return {
            "project_paths": catalogue.project_paths() if isinstance(catalogue, ProjectPaths) else None,
            "publications": [sorted(catalogue.publications(name)) for name in NORMALIZED],
            "package": [self.details(project, id_) for project in PROJECTS for id_ in self.packages],
            "core_metadata": [catalogue.core_metadata(id_) for id_ in self.files],
            "selections": [
                {
                    "names": [*catalogue.names(projects)],
                    "packages": self.list(projects, PackageQuery()),
                    "listing": [self.listing(projects, name) for name in NORMALIZED],
                    "file": [self.found_file(projects, address) for address in addresses],
                    "revision": [catalogue.revision(projects, name) is None for name in (*NORMALIZED, None)]
                    if len(projects) < 2
                    else [],
                }
                for projects in SELECTIONS
            ],
        }


def _pick(found: dict[int, Any], number: int) -> int:
    return [*found][number % len(found)]


def _changed(before: dict[Any, object], after: dict[Any, object]) -> set[Any]:
    return {key for key in before if before[key] != after[key]}


@contextmanager
def both() -> Iterator[tuple[Recorded, Recorded]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SQLiteCatalogue(Path(folder) / "catalogue.sqlite3")) as stored,
    ):
        yield Recorded(MemoryCatalogue()), Recorded(stored)


@given(st.lists(changes, max_size=25), st.lists(st.tuples(st.sampled_from(SELECTIONS), queries), max_size=8))
@settings(max_examples=40, deadline=None)
def test_both_catalogues_return_the_same(done: list[Change], asked: list[tuple[Projects, PackageQuery]]) -> None:
    with both() as (memory, stored):
        for count, change in enumerate(done):
            before = memory.revisions(), stored.revisions()
            assert memory.do(change, count) == stored.do(change, count)
            assert _changed(before[0], memory.revisions()) == _changed(before[1], stored.revisions())
        for projects, query in asked:
            assert memory.list(projects, query) == stored.list(projects, query)
        assert memory.everything() == stored.everything()
