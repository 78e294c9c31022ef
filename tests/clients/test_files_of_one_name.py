"""Two projects of a group have a file of one name: lock files of both work at the group, with pip and uv."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from pypi_registry.testing import archives
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served, served

pytestmark = pytest.mark.slow

SECRET = "the-secret-of-the-group"
CONFIG = f"""
forward_to = false
projects = [{{ id = 1, path = "acme/one" }}, {{ id = 2, path = "acme/two" }}]
users = [{{ name = "ada", roles = {{ acme = "maintainer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""
PROJECTS = {"one": "/projects/1/packages/pypi", "two": "/projects/2/packages/pypi"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with demo 1.0 in two projects, first in `one`; each has a module with the name of its project."""
    folder = tmp_path_factory.mktemp("group")
    config = folder / "registry.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with served(folder / "data", "--config", str(config)) as server:
        for name, path in PROJECTS.items():
            wheel = archives.make_wheel("demo", "1.0", files={f"from_{name}.py": ""}).write_to(folder / name)
            Programs(folder).twine_upload(f"{server.api}{path}", SECRET, wheel)
        yield server


def index(server: Served, path: str) -> str:
    return with_login(f"{server.api}{path}/simple/", SECRET)


def installed(programs: Programs, install: str, folder: str) -> str:
    """Run a command that installs into a folder, and return of which project the wheel is."""
    programs.shell(f"{install} --no-deps --target '{folder}'")
    [module] = (programs.home / folder).glob("from_*.py")
    return module.stem.removeprefix("from_")


def test_a_lock_file_of_each_project_installs_at_the_group(server: Served, programs: Programs) -> None:
    group = index(server, "/groups/acme/-/packages/pypi")
    for name, path in PROJECTS.items():
        own = index(server, path)
        programs.shell(f"echo demo | uv pip compile --generate-hashes --quiet - -o {name}.txt --index-url {own}")
        for tool in ("python -m pip", "uv pip"):
            install = f"{tool} install --require-hashes -r {name}.txt --index-url {group}"
            assert installed(programs, install, f"{name} by {tool}") == name


def test_without_hashes_pip_installs_the_newest_and_uv_the_oldest(server: Served, programs: Programs) -> None:
    # docs/gitlab.md states this: if it changes, the page must, too.
    group = index(server, "/groups/acme/-/packages/pypi")
    assert installed(programs, f"python -m pip install demo --index-url {group}", "by-pip") == "two"
    assert installed(programs, f"uv pip install demo --index-url {group}", "by-uv") == "one"


def test_uv_lock_at_the_group_and_sync(server: Served, programs: Programs) -> None:
    project = programs.home / "project"
    project.mkdir()
    url = index(server, "/groups/acme/-/packages/pypi")
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['demo']\n"
        f"[[tool.uv.index]]\nname = 'acme'\nurl = '{url}'\ndefault = true\n"
    )
    # Settings of the project are read, unlike those of the machine.
    programs.shell("unset UV_NO_CONFIG; uv lock && uv sync --locked --no-install-project", project)
    assert [*project.glob(".venv/lib/python*/site-packages/demo-1.0.dist-info")]
