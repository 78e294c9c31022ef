"""Each suite finds what it must: implementations that break one law each are caught by the test of this law."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest

from pypi_registry.accounts import Accounts
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts import (
    AuthContract,
    BlobsContract,
    CatalogueContract,
    DirectoryContract,
    KnownAuth,
    KnownDirectory,
)
from tests.testing.known import accounts, known_auth, known_directory
from tests.testing.mutants import auths, blobs, catalogues, directories, wrapping


class CatalogueSuite(CatalogueContract):
    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.kind = kind

    def make_catalogue(self) -> Any:
        return self.kind(MemoryCatalogue())

    make_second_catalogue = make_catalogue

    def reopen(self, catalogue: Any) -> Any:
        return catalogue.reopened()


class BlobsSuite(BlobsContract):
    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.kind, self.folder = kind, folder

    def make_blobs(self) -> Any:
        return self.kind(FileBlobs(self.folder))

    def reopen(self, blobs: Any) -> Any:
        return blobs.reopened()


class DirectorySuite(DirectoryContract):
    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.kind = kind

    def make_directory(self) -> KnownDirectory:
        return known_directory(self.kind(accounts(Accounts)))


class AuthSuite(AuthContract):
    def __init__(self, kind: type[Any], folder: Path) -> None:
        self.kind = kind

    def make_auth(self) -> KnownAuth:
        both = self.kind(accounts(Accounts))
        return known_auth(both, both)


@pytest.fixture(autouse=True)
def on_a_build_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """There pytest shows the whole difference, which must not take hours for a megabyte."""
    monkeypatch.setenv("CI", "true")


Suite = Callable[[type[Any], Path], object]
SUITES: Mapping[str, tuple[Suite, type[Any], Mapping[str, Mapping[str, Any]]]] = {
    "catalogue": (CatalogueSuite, wrapping.CatalogueWrapper, catalogues.MUTANTS),
    "blobs": (BlobsSuite, wrapping.BlobsWrapper, blobs.MUTANTS),
    "directory": (DirectorySuite, wrapping.AccountsWrapper, directories.MUTANTS),
    "auth": (AuthSuite, wrapping.AccountsWrapper, auths.MUTANTS),
}


def is_found(suite: object, name: str) -> bool:
    """Return whether a test of a suite fails."""
    try:
        getattr(suite, name)()
    except (NameError, AttributeError, TypeError, SkipTest):  # the mutant itself is wrong, which proves nothing
        raise
    except Exception:
        return True
    return False


@pytest.mark.parametrize(
    ("contract", "name", "broken"),
    [(each, name, broken) for each in SUITES for name, found in SUITES[each][2].items() for broken in found],
)
def test_a_broken_law_is_found_by_its_test(contract: str, name: str, broken: str, tmp_path: Path) -> None:
    suite, wrapper, mutants = SUITES[contract]
    mutant = mutants[name][broken]
    kind = mutant if isinstance(mutant, type) else type("Mutant", (wrapper,), mutant)
    assert is_found(suite(kind, tmp_path), name)


@pytest.mark.parametrize("contract", SUITES)
def test_every_test_of_a_suite_finds_a_mutant(contract: str) -> None:
    suite, _, mutants = SUITES[contract]
    assert {name for name in dir(suite) if name.startswith("test_")} == {
        name for name, found in mutants.items() if found
    }
