"""The suites in the hands of a host: as the documentation has it, under pytest, under unittest, and by hand."""

import subprocess
import sys
import unittest
from pathlib import Path

import pytest

from pypi_registry.storage import Blobs, Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing import AuthContract, BlobsContract, CatalogueContract, DirectoryContract
from tests.test_docs import PAGES, program

PAGE = "testing-contracts.md"
SUITES = [AuthContract, BlobsContract, CatalogueContract, DirectoryContract]


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
    """The Python of the page, as a test module of somebody's own."""
    (tmp_path / "test_ours.py").write_text(program(PAGES[PAGE]), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_the_page_runs_under_pytest(example: Path) -> None:
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ours.py", folder=example)
    unittests = count_tests(BlobsContract)
    assert f"{sum(map(count_tests, SUITES)) + unittests - 3} passed, 3 skipped" in told


def test_the_page_runs_under_unittest(example: Path) -> None:
    told = run("-m", "unittest", "test_ours", folder=example)
    assert f"Ran {count_tests(BlobsContract)} tests" in told
    assert "OK (skipped=3)" in told


def test_the_suites_need_no_package_of_test_tools(tmp_path: Path) -> None:
    names = ("pytest", "_pytest", "webtest", "requests", "httpx", "hypothesis")
    run("-c", f"import sys, pypi_registry.testing; assert not {{*sys.modules}} & {{*{names}}}", folder=tmp_path)


def test_a_failed_assert_shows_both_sides(tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(
        "from pypi_registry.testing import BlobsContract\n"
        "from pypi_registry.stores.memory import MemoryBlobs\n"
        "class Blobs(MemoryBlobs):\n"
        "    def delete(self, key): self._blobs[key] = b'what should be gone'\n"
        "class TestOurs(BlobsContract):\n"
        "    def make_blobs(self): return Blobs()\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "deleted_is_gone", "test_ours.py"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 1
    assert "assert <_io.BytesIO object at" in done.stdout


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
def test_a_suite_that_is_not_told_what_it_is_about_says_so(suite: type, hook: str) -> None:
    with pytest.raises(NotImplementedError, match=rf"{suite.__name__} .* override {hook}\(\)"):
        getattr(suite(), hook)()


def test_what_lasts_is_skipped_where_nothing_is_known_to_last() -> None:
    with pytest.raises(unittest.SkipTest, match="reopen"):
        CatalogueContract().reopen(MemoryCatalogue())
    with pytest.raises(unittest.SkipTest, match="reopen"):
        BlobsContract().reopen(MemoryBlobs())


def test_a_store_that_redirects_must_say_where_the_bytes_are() -> None:
    with pytest.raises(NotImplementedError, match=r"follow\(\)"):
        BlobsContract().follow(Redirect("https://bytes.example/"))


def test_every_thread_that_a_suite_starts_is_left() -> None:
    class Counting(BlobsContract):
        left = 0

        def make_blobs(self) -> Blobs:
            return MemoryBlobs()

        def leave_thread(self) -> None:
            Counting.left += 1

    Counting().test_many_threads_write_and_delete_at_once()
    assert Counting.left == 8


def test_the_suites_tell_what_they_publish_to() -> None:
    assert len({project.id for project in CatalogueContract.projects}) == len(CatalogueContract.projects) == 5
