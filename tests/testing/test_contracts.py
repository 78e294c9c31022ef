"""The suites as an application uses them: as the documentation shows, under pytest, under unittest, and by hand."""

import subprocess
import sys
import unittest
from collections.abc import Iterable
from pathlib import Path

import pytest

from pypi_registry.model import Package, Upload
from pypi_registry.storage import Blobs, Catalogue, CreatesFiles, Enumerable, EnumerableBlobs, ProjectPaths, Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing import AuthContract, BlobsContract, CatalogueContract, DirectoryContract
from pypi_registry.testing.contracts.catalogue.samples import AT, TOOLS
from tests.test_docs import PAGES, program
from tests.testing.plain import PlainBlobs, PlainCatalogue

PAGE = "testing-contracts.md"
SUITES = [AuthContract, BlobsContract, CatalogueContract, DirectoryContract]


# Implementations that inherit nothing and have no optional part


class TestPlainCatalogue(CatalogueContract):
    def make_catalogue(self) -> Catalogue:
        return PlainCatalogue()

    make_second_catalogue = make_catalogue

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return catalogue

    def fill(self, catalogue: Catalogue, uploads: Iterable[Upload]) -> None:
        assert isinstance(catalogue, PlainCatalogue)
        for each in uploads:
            id_ = next(catalogue.ids)
            package = Package(id_, TOOLS.id, each.name, each.normalized_name, each.version, AT)
            catalogue.packages_by_id[id_] = package


class TestPlainBlobs(BlobsContract):
    def make_blobs(self) -> Blobs:
        return PlainBlobs()

    def reopen(self, blobs: Blobs) -> Blobs:
        return blobs


def test_the_plain_implementations_have_no_base_and_no_optional_part() -> None:
    assert PlainCatalogue.__bases__ == PlainBlobs.__bases__ == (object,)
    assert not isinstance(PlainCatalogue(), ProjectPaths | Enumerable)
    assert not isinstance(PlainBlobs(), CreatesFiles | EnumerableBlobs)


# The page about the suites


def count_tests(suite: type) -> int:
    return sum(name.startswith("test_") for name in dir(suite))


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command], cwd=folder, capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The Python of the page, as a test module of an application."""
    (tmp_path / "test_ours.py").write_text(program(PAGES[PAGE]), encoding="utf-8")
    return tmp_path


# Blobs in memory cannot be opened a second time.
SKIPPED = 3


@pytest.mark.slow
def test_the_page_runs_under_pytest(example: Path) -> None:
    output = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ours.py", folder=example)
    tests = sum(map(count_tests, SUITES)) + count_tests(BlobsContract)
    skipped = SKIPPED + 1  # the principals of the page do not implement ReadsMany
    assert f"{tests - skipped} passed, {skipped} skipped" in output


def test_the_page_runs_under_unittest(example: Path) -> None:
    output = run("-m", "unittest", "test_ours", folder=example)
    assert f"Ran {count_tests(BlobsContract)} tests" in output
    assert f"OK (skipped={SKIPPED})" in output


def test_the_suites_need_no_package_of_test_tools(tmp_path: Path) -> None:
    names = ("pytest", "_pytest", "webtest", "requests", "httpx", "hypothesis")
    run("-c", f"import sys, pypi_registry.testing; assert not {{*sys.modules}} & {{*{names}}}", folder=tmp_path)


@pytest.mark.slow
def test_a_failed_assert_shows_both_sides(tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(
        "from pypi_registry.testing import BlobsContract\n"
        "from pypi_registry.stores.memory import MemoryBlobs\n"
        "class Blobs(MemoryBlobs):\n"
        "    def delete(self, key): pass\n"
        "class TestOurs(BlobsContract):\n"
        "    def make_blobs(self): return Blobs()\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "deleted_bytes_are_gone",
            "test_ours.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 1
    assert "assert b'one' is None" in done.stdout


# Hooks


@pytest.mark.parametrize(
    ("suite", "hook"),
    [
        (CatalogueContract, "make_catalogue"),
        (BlobsContract, "make_blobs"),
        (DirectoryContract, "make_directory"),
        (AuthContract, "make_auth"),
    ],
)
def test_a_missing_hook_is_named(suite: type, hook: str) -> None:
    with pytest.raises(NotImplementedError, match=rf"{suite.__name__} .* override {hook}\(\)"):
        getattr(suite(), hook)()


def test_tests_without_their_optional_hook_are_skipped() -> None:
    with pytest.raises(unittest.SkipTest, match="reopen"):
        CatalogueContract().reopen(MemoryCatalogue())
    with pytest.raises(unittest.SkipTest, match="make_second_catalogue"):
        CatalogueContract().make_second_catalogue()
    with pytest.raises(unittest.SkipTest, match="reopen"):
        BlobsContract().reopen(MemoryBlobs())


def test_a_store_that_redirects_must_override_follow() -> None:
    with pytest.raises(NotImplementedError, match=r"follow\(\)"):
        BlobsContract().follow(Redirect("https://bytes.example/"))


class RedirectingBlobs(PlainBlobs):
    """A store whose bytes are sent by another server."""

    def open(self, key: str, *, size: int, part: range | None = None) -> Redirect:  # type: ignore[override]  # no bytes
        return Redirect(f"/bytes/{key}", internal=True)


class TestRedirectingBlobs(BlobsContract):
    def make_blobs(self) -> Blobs:
        self.blobs = RedirectingBlobs()
        return self.blobs

    def follow(self, redirect: Redirect) -> bytes | None:
        return self.blobs.blobs.get(redirect.url.removeprefix("/bytes/"))


def test_leave_thread_is_called_in_every_thread_that_a_suite_starts() -> None:
    class Counting(BlobsContract):
        left = 0

        def make_blobs(self) -> Blobs:
            return MemoryBlobs()

        def leave_thread(self) -> None:
            Counting.left += 1

    Counting().test_many_threads_store_and_delete_at_once()
    assert Counting.left == 8


def test_the_suite_names_the_projects_to_which_it_publishes() -> None:
    assert len({project.id for project in CatalogueContract.projects}) == len(CatalogueContract.projects) == 5
