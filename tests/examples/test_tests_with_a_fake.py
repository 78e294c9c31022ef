"""The test suite of the example passes, alone and in parallel, and fails if its program has a defect."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "tests_with_a_fake"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, outside of the directories that have settings of ours."""
    return Path(shutil.copytree(FOLDER, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__")))


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Run the tests of the example in a process of their own; return the exit status and the output."""
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    done = subprocess.run(
        [*command, *options], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    return done.returncode, done.stdout


def test_the_suite_of_the_example_passes(folder: Path) -> None:
    status, printed = run(folder, "test_newest.py")
    assert (status, " passed" in printed) == (0, True), printed


@pytest.mark.slow
def test_twine_publishes_and_pip_installs_in_the_suite_of_the_example(folder: Path) -> None:
    status, printed = run(folder, "test_programs.py")
    assert (status, " passed" in printed) == (0, True), printed


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_the_suite_of_the_example_passes_in_parallel(folder: Path) -> None:
    status, printed = run(folder, "-n", "2")
    assert (status, " passed" in printed) == (0, True), printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "found_by"),
    [
        (' if not file.get("yanked")', "", "test_a_yanked_version_is_ignored"),
        ("canonicalize_name(name)", "name", "test_the_requested_name_is_normalized"),
        ("Retry(3,", "Retry(1,", "test_a_request_is_repeated_if_the_index_is_busy"),
        ("response.status_code == 404", "not response.ok", "test_a_token_in_the_url"),
        ("max((version_of(", "max((str(", "test_the_highest_version"),
    ],
)
def test_the_suite_of_the_example_finds_a_defect(folder: Path, right: str, wrong: str, found_by: str) -> None:
    program = folder / "newest.py"
    text = program.read_text(encoding="utf-8")
    assert right in text
    program.write_text(text.replace(right, wrong), encoding="utf-8")
    status, printed = run(folder, "-q", "test_newest.py")
    assert status == 1
    assert re.search(rf"^FAILED .*::{found_by}", printed, re.MULTILINE), printed
