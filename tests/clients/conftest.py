"""Fixtures for tests that run real programs against a real port."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.distributions import make_wheel, write_manual_package
from tests.clients.programs import Programs, VirtualEnvironment
from tests.clients.served import Served, served
from tests.clients.toolbox import CLIENTS, INDEXES, RELEASED, LazyToolbox, Toolbox


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that starts a server with options; the data folder stays the same from start to start."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(served(tmp_path / "data", *options))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def programs(home: Path) -> Programs:
    """twine, pip and uv of the tests' own environment."""
    return Programs(home)


@pytest.fixture(scope="session")
def toolbox(request: pytest.FixtureRequest) -> Toolbox:
    """Every client, each in an environment that is kept until its versions change."""
    assert request.config.cache is not None
    return Toolbox.fill(request.config.cache.mkdir("clients"))


@pytest.fixture(scope="session")
def releases(request: pytest.FixtureRequest) -> LazyToolbox:
    """Old and new releases of clients."""
    assert request.config.cache is not None
    return LazyToolbox.open(
        request.config.cache.mkdir("releases"), {**RELEASED, "maturin": CLIENTS["maturin"], "devpi": INDEXES["devpi"]}
    )


@pytest.fixture(scope="session")
def virtual_environment(tmp_path_factory: pytest.TempPathFactory) -> VirtualEnvironment:
    return VirtualEnvironment.make(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture
def installing(home: Path, virtual_environment: VirtualEnvironment) -> Iterator[Programs]:
    """The python and pip of a virtual environment, into which anything may be installed."""
    before = {*virtual_environment.packages.iterdir()}
    yield Programs(home, virtual_environment.scripts)
    for installed in {*virtual_environment.packages.iterdir()} - before:
        shutil.rmtree(installed) if installed.is_dir() else installed.unlink()


@pytest.fixture(scope="session")
def built_by_the_manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which GitLab's manual ran ``python -m build``; build finds setuptools as pip does."""
    folder = tmp_path_factory.mktemp("manual") / "MyPyPiPackage"
    write_manual_package(folder)
    done = subprocess.run([sys.executable, "-m", "build"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A small wheel: demo 1.0."""
    return make_wheel(tmp_path / "made", "demo", "1.0")
