"""Each suite finds what it should: stores, directories and auths that break one thing each are caught by it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest

from pypi_registry.accounts import Accounts
from pypi_registry.storage import Blobs, Catalogue
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts import (
    AuthContract,
    BlobsContract,
    CatalogueContract,
    DirectoryContract,
    KnownAuth,
    KnownDirectory,
)
from tests.testing.known import accounts, known_auth, known_directory
from tests.testing.mutants import auths, blobs, catalogues, directories


class CatalogueSuite(CatalogueContract):
    def __init__(self, make: Callable[[Path], Catalogue], folder: Path, opened: ExitStack) -> None:
        self._make, self._folder, self._opened = make, folder, opened

    def make_catalogue(self) -> Catalogue:
        catalogue = self._make(self._folder)
        if isinstance(catalogue, SQLiteCatalogue):
            self._opened.enter_context(closing(catalogue))
        return catalogue

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return self.make_catalogue()


class BlobsSuite(BlobsContract):
    def __init__(self, make: Callable[[Path], Blobs], folder: Path, opened: ExitStack) -> None:
        self._make, self._folder = make, folder

    def make_blobs(self) -> Blobs:
        return self._make(self._folder)

    def reopen(self, blobs: Blobs) -> Blobs:
        return self.make_blobs()


class DirectorySuite(DirectoryContract):
    def __init__(self, directory: Accounts, folder: Path, opened: ExitStack) -> None:
        self._directory = directory

    def make_directory(self) -> KnownDirectory:
        return known_directory(self._directory)


class AuthSuite(AuthContract):
    def __init__(self, auth: Accounts, folder: Path, opened: ExitStack) -> None:
        self._auth = auth

    def make_auth(self) -> KnownAuth:
        return known_auth(self._auth, self._auth)


@pytest.fixture(autouse=True)
def on_a_build_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """There pytest shows all of what differs, which must not take hours: what a store should have is a megabyte."""
    monkeypatch.setenv("CI", "true")


SUITES: Mapping[str, tuple[type, Mapping[str, tuple[Any, str]]]] = {
    "catalogue": (CatalogueSuite, catalogues.MUTANTS),
    "blobs": (BlobsSuite, blobs.MUTANTS),
    "directory": (DirectorySuite, directories.MUTANTS),
    "auth": (AuthSuite, auths.MUTANTS),
}


def faults(suite: object, *names: str) -> Iterator[tuple[str, Exception]]:
    """Run tests of a suite, and give what they find."""
    for name in names:
        act: Callable[[], None] = getattr(suite, name)
        try:
            act()
        except SkipTest:
            pass
        except (NameError, AttributeError, TypeError):  # a mutant that is wrong in itself, which proves nothing
            raise
        except Exception as error:
            yield name, error


def names_of_tests(suite: type) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_")]


class MemoryCatalogueSuite(CatalogueContract):
    def make_catalogue(self) -> Catalogue:
        return MemoryCatalogue()


UNBROKEN: Mapping[str, Callable[[Path], object]] = {
    "catalogue": lambda folder: MemoryCatalogueSuite(),
    "blobs": lambda folder: BlobsSuite(FileBlobs, folder, ExitStack()),
    "directory": lambda folder: DirectorySuite(accounts(Accounts), folder, ExitStack()),
    "auth": lambda folder: AuthSuite(accounts(Accounts), folder, ExitStack()),
}


@pytest.mark.parametrize("contract", UNBROKEN)
def test_whoever_calls_the_tests_by_hand_finds_nothing_where_nothing_is_broken(contract: str, tmp_path: Path) -> None:
    for name in names_of_tests(SUITES[contract][0]):
        folder = tmp_path / name
        folder.mkdir()
        assert [*faults(UNBROKEN[contract](folder), name)] == []


@pytest.mark.parametrize(("contract", "broken"), [(name, broken) for name in SUITES for broken in SUITES[name][1]])
def test_what_is_broken_is_caught_by_a_test_that_says_so(contract: str, broken: str, tmp_path: Path) -> None:
    suite, mutants = SUITES[contract]
    mutant, test = mutants[broken]
    with ExitStack() as opened:
        assert [name for name, _ in faults(suite(mutant, tmp_path, opened), test)] == [test]


@pytest.mark.parametrize("contract", SUITES)
def test_every_test_of_a_suite_has_a_mutant_that_it_finds(contract: str) -> None:
    suite, mutants = SUITES[contract]
    assert {*names_of_tests(suite)} == {test for _, test in mutants.values()}
