"""The fixtures as others use them: pytest in a process of its own, alone and with xdist."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import PAGES, blocks

ENABLED = 'pytest_plugins = ["pypi_registry.testing.fixtures"]\n'

TESTS = """
import os
from pathlib import Path
from urllib.request import urlopen

import pytest
from pypi_registry.testing import faults

SEEN = Path(__file__).with_name("seen.txt")

@pytest.mark.parametrize("number", range(6))
def test_the_registry_is_empty(fake_registry, number):
    assert (fake_registry.packages, fake_registry.requests) == ({}, [])
    with urlopen(fake_registry.index_url) as response:
        assert response.status == 200
    fake_registry.add("demo", f"{number}.0")
    fake_registry.tokens(read="secret")
    fake_registry.fault("*", faults.Status(503))
    with SEEN.open("a") as file:
        file.write(f"{os.getpid()} {fake_registry.url}\\n")

@pytest.mark.parametrize("number", range(2))
def test_a_registry_that_another_test_stopped_is_started_again(fake_registry, number):
    urlopen(fake_registry.index_url).close()
    fake_registry.stop()

def test_the_session_has_one_server(fake_registry_session, fake_registry):
    assert fake_registry_session is fake_registry
    assert fake_registry.path == "fake/packages"
"""


def run(folder: Path, *options: str, conftest: str = ENABLED, tests: str = TESTS) -> str:
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    (folder / "test_mine.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-W", "error", "-q", "--rootdir", str(folder), "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *options, "test_mine.py"], cwd=folder, capture_output=True, encoding="utf-8")
    return done.stdout + done.stderr


@pytest.mark.slow
def test_each_test_has_the_same_server_and_an_empty_registry(tmp_path: Path) -> None:
    assert "9 passed" in run(tmp_path)
    assert len({*(tmp_path / "seen.txt").read_text().splitlines()}) == 1


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_each_worker_of_xdist_has_its_own_server(tmp_path: Path) -> None:
    assert "9 passed" in run(tmp_path, "-n", "2")
    seen = dict(line.split() for line in (tmp_path / "seen.txt").read_text().splitlines())
    assert len(seen) == len({*seen.values()}) == 2


@pytest.mark.slow
def test_without_the_plugin_there_is_no_fixture(tmp_path: Path) -> None:
    assert re.search(r"fixture 'fake_registry(_session)?' not found", run(tmp_path, conftest=""))


@pytest.mark.slow
def test_the_configuration_can_be_overridden_as_documented(tmp_path: Path) -> None:
    [example] = [block for block in blocks(PAGES["testing.md"], "python") if "def fake_registry_configuration" in block]
    conftest = f"from pypi_registry.testing import FakeRegistry\n{ENABLED}\n{example}"
    tests = """
from urllib.error import HTTPError
from urllib.request import urlopen
import pytest

@pytest.mark.parametrize("again", [1, 2])
def test_mine(fake_registry, again):
    assert "acme%2Ftools" in fake_registry.index_url
    with pytest.raises(HTTPError, match="401") as caught:
        urlopen(fake_registry.index_url)
    caught.value.close()
"""
    assert "2 passed" in run(tmp_path, conftest=conftest, tests=tests)
