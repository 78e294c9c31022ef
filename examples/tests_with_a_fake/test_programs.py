import subprocess
import sys
from pathlib import Path

import pytest
from newest import newest_version
from packaging.version import Version

from pypi_registry.testing import FakeRegistry, faults, make_wheel, with_credentials


def run(*arguments: str | Path) -> str:
    """Run a Python module as a program; return all that it prints."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel("demo", "2.0", files={"demo.py": "SAYS = 'hello'"}).write_to(tmp_path / "dist")


def test_pip_installs_what_twine_publishes(fake_registry: FakeRegistry, wheel: Path, tmp_path: Path) -> None:
    fake_registry.tokens(read="installs", write="publishes")
    run("twine", "upload", "--repository-url", fake_registry.upload_url, "-u", "any", "-p", "publishes", wheel)
    index_url = with_credentials(fake_registry.index_url, "installs")
    assert newest_version(index_url, "demo") == Version("2.0")
    site = tmp_path / "site"
    run("pip", "--isolated", "install", "--no-cache-dir", "--target", site, "--index-url", index_url, "demo")
    assert (site / "demo.py").read_text() == "SAYS = 'hello'"
    assert {request.kind for request in fake_registry.requests} >= {"upload", "page", "file"}


def test_twine_retries_if_the_registry_is_busy(fake_registry: FakeRegistry, wheel: Path) -> None:
    busy = fake_registry.fault("POST *", faults.Status(503, message="come back later"), times=2)
    printed = run("twine", "upload", "--repository-url", fake_registry.upload_url, "-u", "any", "-p", "any", wheel)
    assert (printed.count("come back later"), len(busy.met)) == (2, 2)
    assert [*fake_registry.packages["demo"]] == ["2.0"]
