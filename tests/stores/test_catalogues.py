"""The contract of a catalogue over every catalogue of the package, and what is asked of ours only."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.model import Digests, PackageFile, PackageQuery, Project, Upload
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts import CatalogueContract

TOOLS = Project(1, "acme/tools")
DEMO = canonicalize_name("demo")


class TestMemoryCatalogue(CatalogueContract):
    def make_catalogue(self) -> Catalogue:
        return MemoryCatalogue()


class TestSQLiteCatalogue(CatalogueContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "catalogue.db"
        with ExitStack() as self.opened:
            yield

    def make_catalogue(self) -> Catalogue:
        return self.opened.enter_context(closing(SQLiteCatalogue(self.path)))

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return self.make_catalogue()


@pytest.fixture(params=["memory", "sqlite"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    if request.param == "memory":
        yield MemoryCatalogue()
        return
    with closing(SQLiteCatalogue(tmp_path / "catalogue.db")) as stored:
        yield stored


def add(catalogue: Catalogue, filename: str, name: str = "demo") -> PackageFile:
    upload = Upload(name, canonicalize_name(name), "1.0", filename, 4, Digests("a" * 64), "")
    return catalogue.add(TOOLS, upload, "0" * 32, datetime(2026, 1, 2, tzinfo=UTC))


def test_a_copy_of_a_catalogue_in_memory_goes_its_own_way() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, "demo-1.0.zip")
    copy = catalogue.copy()
    catalogue.yank(file.package, "broken")
    catalogue.delete_file(file)
    assert list(copy.files([TOOLS.id], DEMO)) == [file]
    copy.delete_package(file.package)
    assert list(catalogue.names([TOOLS.id])) == ["demo"]
    assert copy.revision([TOOLS.id], None) > catalogue.revision([TOOLS.id], None)


def test_ids_only_rise(catalogue: Catalogue) -> None:
    files: list[PackageFile] = []
    for count in range(6):
        files.append(add(catalogue, "demo-1.0.zip"))
        if count % 2:
            catalogue.delete_package(files[-1].package)
        else:
            catalogue.delete_file(files[-1])
    assert [file.id for file in files] == sorted({file.id for file in files})
    packages = [file.package.id for file in files[::2]]
    assert packages == sorted(set(packages))


def test_names_are_the_kind_of_string_that_was_put_in(catalogue: Catalogue) -> None:
    add(catalogue, "demo-1.0.zip")
    assert [type(name) for name in catalogue.names([TOOLS.id])] == [str]


def test_a_letter_that_python_takes_for_k_in_lower_case_is_another(catalogue: Catalogue) -> None:
    add(catalogue, "kiwi-1.0.zip", "Kiwi")
    assert catalogue.packages([TOOLS.id], PackageQuery(name="\N{KELVIN SIGN}iwi")) == ([], 0)


def test_a_file_cannot_be_changed_by_whoever_was_given_it() -> None:
    added = add(MemoryCatalogue(), "demo-1.0.tar.gz")
    with pytest.raises(FrozenInstanceError):
        added.filename = "other"  # type: ignore[misc]
