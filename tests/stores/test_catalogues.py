"""The contract of a catalogue over every catalogue of the package, and what only ours promise."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from pypi_registry.model import PackageFile, Projects, Upload
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts import CatalogueContract
from pypi_registry.testing.contracts.catalogue.samples import IN_TOOLS, TOOLS, add, files_of, listed
from tests.postgres import Cluster, Databases


class TestMemoryCatalogue(CatalogueContract):
    def make_catalogue(self) -> Catalogue:
        return MemoryCatalogue()

    make_second_catalogue = make_catalogue


class TestSQLiteCatalogue(CatalogueContract):
    @pytest.fixture(autouse=True)
    def in_a_folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        with ExitStack() as self.opened:
            yield

    def open_file(self, name: str) -> Catalogue:
        return self.opened.enter_context(closing(SQLiteCatalogue(self.folder / name)))

    def make_catalogue(self) -> Catalogue:
        return self.open_file("catalogue.sqlite3")

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return self.open_file("catalogue.sqlite3")

    def make_second_catalogue(self) -> Catalogue:
        return self.open_file("second.sqlite3")

    def fill(self, catalogue: Catalogue, uploads: Iterable[Upload]) -> None:
        # One transaction of another program; 10,000 transactions would take most of a minute.
        first, *others = uploads
        add(catalogue, TOOLS, first)
        columns = "project_id, version, canonical_version, metadata, created_at"
        insert = f"INSERT INTO packages (name, normalized_name, {columns}) SELECT ?, ?, {columns} FROM packages LIMIT 1"
        with closing(sqlite3.connect(self.folder / "catalogue.sqlite3")) as connection, connection:
            connection.executemany(insert, [(each.name, each.normalized_name) for each in others])


class TestPostgresCatalogue(CatalogueContract):
    @pytest.fixture(autouse=True)
    def in_a_database(self, postgres: Cluster) -> Iterator[None]:
        self.databases = Databases(postgres)
        with ExitStack() as self.opened:
            yield

    def open_database(self, url: str) -> Catalogue:
        return self.opened.enter_context(closing(PostgresCatalogue(url)))

    def make_catalogue(self) -> Catalogue:
        return self.open_database(self.databases.empty("contract"))

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return self.open_database(self.databases.url("contract"))

    def make_second_catalogue(self) -> Catalogue:
        return self.open_database(self.databases.empty("second"))

    def fill(self, catalogue: Catalogue, uploads: Iterable[Upload]) -> None:
        # One transaction of another program, as over SQLite.
        first, *others = uploads
        add(catalogue, TOOLS, first)
        columns = "project_id, version, canonical_version, metadata, created_at"
        insert = (
            f"INSERT INTO packages (name, normalized_name, {columns}) SELECT n, m, {columns} "
            f"FROM (SELECT {columns} FROM packages LIMIT 1) p, unnest(%s::text[], %s::text[]) j(n, m)"
        )
        names = [each.name for each in others], [each.normalized_name for each in others]
        self.databases.execute(insert, "contract", names)

    # More than a thousand transactions
    test_at_most_1000_publications_are_returned = pytest.mark.slow(
        CatalogueContract.test_at_most_1000_publications_are_returned
    )
    test_a_total_is_exact_up_to_10_000_and_then_none = pytest.mark.slow(
        CatalogueContract.test_a_total_is_exact_up_to_10_000_and_then_none
    )
    test_a_name_may_have_many_files_and_a_project_many_names = pytest.mark.slow(
        CatalogueContract.test_a_name_may_have_many_files_and_a_project_many_names
    )


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    if request.param == "memory":
        yield MemoryCatalogue()
        return
    if request.param == "postgres":
        databases = Databases(request.getfixturevalue("postgres"))
        with closing(PostgresCatalogue(databases.empty("contract"))) as in_database:
            yield in_database
        return
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as stored:
        yield stored


def test_a_copy_of_a_catalogue_in_memory_is_independent() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    copy = catalogue.copy()
    catalogue.delete_file(TOOLS, file.id, "")
    assert files_of(copy, IN_TOOLS) == [file]
    copy.yank(TOOLS, file.package.id, "broken", "")
    copy.delete_package(TOOLS, file.package.id, "")
    again = add(catalogue, TOOLS, "demo-1.0.zip")
    assert files_of(catalogue, IN_TOOLS) == [again]
    assert listed(copy, IN_TOOLS) == ([], 0)


def test_ids_only_grow(catalogue: Catalogue) -> None:
    files: list[PackageFile] = []
    for count in range(6):
        files.append(add(catalogue, TOOLS, "demo-1.0.zip"))
        if count % 2:
            catalogue.delete_package(TOOLS, files[-1].package.id, "")
        else:
            catalogue.delete_file(TOOLS, files[-1].id, "")
    assert [file.id for file in files] == sorted({file.id for file in files})
    packages = [file.package.id for file in files]
    assert packages == sorted(set(packages))


def test_names_are_plain_strings(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    assert [type(name) for name in catalogue.names(Projects([TOOLS]))] == [str]
