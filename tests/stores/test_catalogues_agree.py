"""Both catalogues answer alike, whatever was done to them: each is the oracle of the other."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_registry.errors import RegistryError
from pypi_registry.model import (
    Digests,
    NameStatus,
    Package,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Status,
    Upload,
)
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PROJECTS = [Project(1, "beta/one"), Project(2, "Alpha/two"), Project(3, "alpha/three")]
PLACES: list[list[int]] = [[1], [2], [3], [1, 2], [3, 2, 1], []]
NAMES = ["demo", "Demo.X", "demo-x", "A_b"]
NORMALIZED = sorted({canonicalize_name(name) for name in [*NAMES, "absent"]})
VERSIONS = ["1.0", "1.0.0", "1.10", "1.9", "2.0a1"]
ORDERS = get_args(get_type_hints(PackageQuery)["order_by"])

Act = tuple[Any, ...]

uploads = st.builds(
    Upload,
    name=st.sampled_from(NAMES),
    normalized_name=st.just(canonicalize_name("replaced below")),
    version=st.sampled_from(VERSIONS),
    filename=st.sampled_from(["a.zip", "b.zip", "c.whl", "d.whl", "A.zip"]),
    size=st.just(4),
    digests=st.sampled_from(["a" * 64, "b" * 64]).map(Digests),
    requires_python=st.sampled_from(["", ">=3.8"]),
    about=st.builds(PackageMetadata, summary=st.text(max_size=3)),
).map(lambda upload: replace(upload, normalized_name=canonicalize_name(upload.name)))
statuses = st.builds(NameStatus, st.sampled_from(Status), st.sampled_from(["", "why"]))
queries = st.builds(
    PackageQuery,
    name=st.sampled_from(["", "DEMO", "o.", "_", "%", "-x", "b"]),
    normalized_name=st.sampled_from([None, *NORMALIZED]),
    version=st.sampled_from(["", *VERSIONS]),
    order_by=st.sampled_from(ORDERS),
    descending=st.booleans(),
    offset=st.integers(0, 3),
    limit=st.none() | st.integers(0, 3),
)
# Numbers choose among the packages and files that there ever were, so some are gone.
number = st.integers(0, 20)
projects = st.sampled_from(PROJECTS) | st.just(Project(1, "moved/one"))
adding = st.tuples(st.just("add"), projects, uploads, st.integers(0, 2).map(lambda days: AT + timedelta(days)))
acts: st.SearchStrategy[Act] = (
    adding
    | adding
    | st.tuples(st.just("delete_file"), number)
    | st.tuples(st.just("delete_package"), number)
    | st.tuples(st.just("yank"), number, st.sampled_from([None, "", "broken"]))
    | st.tuples(st.just("set_status"), projects, st.sampled_from(NORMALIZED), statuses)
)


class Told:
    """A catalogue, and whatever it has given; ids are told by the order in which they first came."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.packages: dict[int, Package] = {}
        self.files: dict[int, PackageFile] = {}

    def do(self, act: Act, count: int) -> object:
        """Do a thing; give what came of it."""
        match act:
            case "add", project, upload, at:
                try:
                    file = self.catalogue.add(project, upload, f"{count:032}", at)
                except RegistryError as error:
                    return type(error), error.args
                assert file.id not in self.files
                self.files[file.id] = file
                self.packages.setdefault(file.package.id, file.package)
                return self.file(file)
            case "delete_file", number if self.files:
                return self.catalogue.delete_file(_pick(self.files, number))
            case "delete_package", number if self.packages:
                return sorted(self.catalogue.delete_package(_pick(self.packages, number)))
            case "yank", number, reason if self.packages:
                package = self.catalogue.yank(_pick(self.packages, number), reason)
                return package and self.package(package)
            case "set_status", project, name, status:
                self.catalogue.set_status(project, name, status)
        return None

    def package(self, package: Package) -> Package:
        return replace(package, id=[*self.packages].index(package.id))

    def file(self, file: PackageFile) -> PackageFile:
        return replace(file, id=[*self.files].index(file.id), package=self.package(file.package))

    def list(self, places: Sequence[int], query: PackageQuery) -> object:
        found, total = self.catalogue.packages(places, query)
        return [self.package(package) for package in found], total

    def revisions(self) -> dict[tuple[int, str | None], int]:
        return {
            (project.id, name): self.catalogue.revision([project.id], name)
            for project in PROJECTS
            for name in (*NORMALIZED, None)
        }

    def everything(self) -> object:
        """What every method that reads answers."""
        catalogue = self.catalogue
        there = [package for package in self.packages.values() if catalogue.package([1, 2, 3], package.id)]
        addresses = sorted({(file.digests.sha256, file.filename) for file in self.files.values()})
        return {
            "publishers": list(catalogue.publishers()),
            "published": [
                catalogue.was_published(root, name) for root in ("alpha", "beta", "moved") for name in NORMALIZED
            ],
            "about": [catalogue.about(package) for package in there],
            "package_files": [
                [self.file(file) for file in catalogue.package_files(package)] for package in self.packages.values()
            ],
            "places": [
                {
                    "names": list(catalogue.names(place)),
                    "publishers": list(catalogue.publishers(place)),
                    "packages": self.list(place, PackageQuery()),
                    "package": [
                        (package := catalogue.package(place, number)) and self.package(package)
                        for number in self.packages
                    ],
                    "has_name": [catalogue.has_name(place, name) for name in NORMALIZED],
                    "status": [catalogue.status(place, name) for name in NORMALIZED],
                    "files": [[self.file(file) for file in catalogue.files(place, name)] for name in NORMALIZED],
                    "file": [(file := catalogue.file(place, *address)) and self.file(file) for address in addresses],
                }
                for place in PLACES
            ],
        }


def _pick(things: dict[int, Any], number: int) -> Any:
    return [*things.values()][number % len(things)]


def _raised(before: dict[Any, int], after: dict[Any, int]) -> set[Any]:
    assert all(before[key] <= after[key] for key in before)
    return {key for key in before if before[key] < after[key]}


@contextmanager
def both() -> Iterator[tuple[Told, Told]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SQLiteCatalogue(Path(folder) / "catalogue.db")) as stored,
    ):
        yield Told(MemoryCatalogue()), Told(stored)


@given(st.lists(acts, max_size=25), st.lists(st.tuples(st.sampled_from(PLACES), queries), max_size=8))
@settings(max_examples=40, deadline=None)
def test_both_catalogues_answer_alike(done: list[Act], asked: list[tuple[list[int], PackageQuery]]) -> None:
    with both() as (memory, stored):
        for count, act in enumerate(done):
            before = memory.revisions(), stored.revisions()
            assert memory.do(act, count) == stored.do(act, count)
            assert _raised(before[0], memory.revisions()) == _raised(before[1], stored.revisions())
        for place, query in asked:
            assert memory.list(place, query) == stored.list(place, query)
        assert memory.everything() == stored.everything()
