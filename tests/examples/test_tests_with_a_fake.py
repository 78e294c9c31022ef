"""The test-suite of the example passes, alone and in parallel, and finds what is wrong with its program."""

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
    """The example, copied to where no settings of ours reach."""
    return Path(shutil.copytree(FOLDER, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__")))


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Run its tests, in a process of their own; give the exit status and what is printed."""
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
        (' if not file.get("yanked")', "", "test_a_yanked_version_does_not_count"),
        ("canonicalize_name(name)", "name", "test_any_spelling_of_a_name"),
        ("Retry(3,", "Retry(1,", "test_an_index_that_is_busy"),
        ("answer.status_code == 404", "not answer.ok", "test_a_token_in_the_address"),
        ("max((version_of(", "max((str(", "test_the_highest_version"),
    ],
)
def test_the_suite_of_the_example_finds_a_mistake(folder: Path, right: str, wrong: str, found_by: str) -> None:
    program = folder / "newest.py"
    text = program.read_text(encoding="utf-8")
    assert right in text
    program.write_text(text.replace(right, wrong), encoding="utf-8")
    status, printed = run(folder, "-q", "test_newest.py")
    assert status == 1
    assert re.search(rf"^FAILED .*::{found_by}", printed, re.MULTILINE), printed
