"""The test suite of the example passes, alone and in parallel, and fails if its program has a defect."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pypi_registry.testing import FakeRegistry
from tests.clients.programs import SCRIPTS

FOLDER = Path(__file__).parents[2] / "examples" / "tests_with_a_fake"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, outside of the directories that have settings of ours."""
    return Path(shutil.copytree(FOLDER, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__")))


def run(folder: Path, *options: str, settings: Mapping[str, str] = {}) -> tuple[int, str]:
    """Run the tests of the example in a process of their own; return the exit status and the output."""
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


@pytest.mark.slow
def test_the_suite_of_the_example_passes(folder: Path) -> None:
    status, printed = run(folder, "test_newest.py")
    assert (status, " passed" in printed) == (0, True), printed


@pytest.mark.slow
def test_twine_publishes_and_pip_installs_in_the_suite_of_the_example(folder: Path) -> None:
    status, printed = run(folder, "test_programs.py")
    assert (status, " passed" in printed) == (0, True), printed


INSTALLING = """
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "pip", "download", "--dest", ".", "--index-url"],
        ["uv", "pip", "install", "--python", sys.executable, "--target", ".", "--default-index"],
    ],
)
def test_a_client_uses_this_index_alone(fake_registry, tmp_path, command):
    fake_registry.add("demo", "1.0")
    subprocess.run([*command, fake_registry.index_url, "demo"], cwd=tmp_path, check=True)
    assert "file" in [request.kind for request in fake_registry.requests]
"""


@pytest.mark.slow
@pytest.mark.parametrize("cleared", [True, False])
def test_the_settings_of_a_developer_reach_pip_and_uv_only_without_the_fixture(folder: Path, cleared: bool) -> None:
    elsewhere = FakeRegistry()
    (folder / "test_installing.py").write_text(INSTALLING, encoding="utf-8")
    if not cleared:
        (folder / "conftest.py").write_text('pytest_plugins = ["pypi_registry.testing.fixtures"]', encoding="utf-8")
    with elsewhere:
        elsewhere.add("demo", "2.0")
        settings = {
            "PATH": os.pathsep.join([str(SCRIPTS), os.defpath]),
            "PIP_EXTRA_INDEX_URL": elsewhere.index_url,
            "UV_INDEX": elsewhere.index_url,
            "UV_CACHE_DIR": str(folder / "cache"),
        }
        status, printed = run(folder, "test_installing.py", settings=settings)
    assert status == (0 if cleared else 1), printed
    assert bool(elsewhere.requests) != cleared


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
        *(
            pytest.param(*defect, marks=pytest.mark.long)
            for defect in (
                ("canonicalize_name(name)", "name", "test_the_requested_name_is_normalized"),
                ("Retry(3,", "Retry(1,", "test_a_request_is_repeated_if_the_index_is_busy"),
                ("response.status_code == 404", "not response.ok", "test_a_token_in_the_url"),
                ("max((version_of(", "max((str(", "test_the_highest_version"),
            )
        ),
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
