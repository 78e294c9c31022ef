"""The recipes for GitLab CI and GitHub Actions: their lines, run one by one with the variables that a job has there."""

import os
import re
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it brings no types, and these would be for this file alone

from tests.clients.programs import SCRIPTS, Programs, VirtualEnvironment
from tests.clients.served import Served, served, until
from tests.clients.terminal import Terminal
from tests.clients.wire import get
from tests.test_docs import PAGES, blocks, text_of

pytestmark = pytest.mark.slow

PAGE = PAGES["ci.md"]
PROJECT = """\
[build-system]
requires = ["flit_core>=3.11,<5"]
build-backend = "flit_core.buildapi"

[project]
name = "mypypipackage"
version = "{version}"
description = "what the jobs publish"
"""


@dataclass(frozen=True)
class Machine:
    """A machine that runs jobs, and the registry that they use instead of that of the page."""

    folder: Path
    server: Served
    token: str

    def here(self, text: str) -> str:
        """Return a text with the URL of the registry, which has no certificate."""
        return text.replace("packages.example", self.server.site.removeprefix("http://")).replace("https://", "http://")

    def checkout(self, version: str) -> Path:
        """Create a clone of the repository at a tag, whose files have the present time."""
        folder = self.folder / f"checkout-{len([*self.folder.glob('checkout-*')])}"
        (folder / "src" / "mypypipackage").mkdir(parents=True)
        (folder / "src" / "mypypipackage" / "__init__.py").write_text(f'VERSION = "{version}"\n')
        (folder / "pyproject.toml").write_text(PROJECT.format(version=version))
        commit = "git -c user.name=ada -c user.email=ada@example.org commit --quiet --message release"
        dated = {"GIT_AUTHOR_DATE": "2026-11-30T00:00:00Z", "GIT_COMMITTER_DATE": "2026-11-30T00:00:00Z"}
        self.run(f"git init --quiet\ngit add .\n{commit}", folder, dated)
        return folder

    def run(self, lines: str, cwd: Path, variables: Mapping[str, str], scripts: Path = SCRIPTS) -> str:
        """Run lines in a new job, which has no cache of an earlier one, and return what they print."""
        home = self.folder / f"home-{len([*self.folder.glob('home-*')])}"
        home.mkdir()
        path = os.pathsep.join([str(scripts), str(SCRIPTS), os.environ["PATH"]])
        job = {"CI": "true", "HOME": str(home), "UV_CACHE_DIR": str(home / "uv"), "PIP_NO_CACHE_DIR": "1", "PATH": path}
        return Terminal(cwd, 0, environment={**job, **variables}).type(lines)

    def published(self) -> set[str]:
        """Return the names of the files in the registry."""
        page = get(f"{self.server.api}/projects/acme%2Ftools/packages/pypi/simple/mypypipackage/", self.token)
        return {*re.findall(r">(mypypipackage-\S+?)</a>", page.body.decode())}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A registry with the project and the deploy token of the page."""
    with served(tmp_path / "data") as server:
        terminal = Terminal(tmp_path, 0, environment={"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"})
        terminal.type("pypi-registry project add acme/tools --data data")
        scope = "--kind deploy --on acme/tools --scope write_package_registry"
        printed = terminal.type(f"pypi-registry token add {scope} --name release --data data")
        [token] = re.findall(r"^registry-\S+$", printed, re.MULTILINE)
        until(lambda: get(f"{server.api}/projects/acme%2Ftools/packages/pypi/simple/", token).status == 200)
        yield Machine(tmp_path, server, token)


@pytest.fixture
def image(installing: Programs, virtual_environment: VirtualEnvironment) -> Path:
    """The scripts of an environment that stands for the image, with the tests' own build and twine in it."""
    (virtual_environment.packages / "tests.pth").write_text(sysconfig.get_path("purelib"))  # `installing` deletes it
    return installing.first


def recipe(machine: Machine, key: str) -> dict[str, Any]:
    """Return the only recipe of the page that has a key."""
    recipes: list[dict[str, Any]] = [yaml.safe_load(machine.here(block)) for block in blocks(PAGE, "yaml")]
    [found] = [each for each in recipes if key in each]
    return found


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Return the value of a variable with those of others in it, as GitLab expands it."""
    return re.sub(r"\$(\w+)", lambda name: variables[name[1]], text)


def test_the_jobs_of_gitlab_publish_and_install(machine: Machine, image: Path) -> None:
    config = recipe(machine, "publish")
    assert {*config} == {"variables", "test", "publish"}
    assert config["publish"]["rules"] == [{"if": "$CI_COMMIT_TAG"}], "of a tag only, whose variable is protected"
    given = {"GITLAB_CI": "true", "CI_COMMIT_TAG": "v0.0.1", "REGISTRY_TOKEN": machine.token, **config["variables"]}

    def run(name: str, cwd: Path) -> str:
        own = {key: expanded(value, given) for key, value in config[name].get("variables", {}).items()}
        return machine.run("\n".join(config[name]["script"]), cwd, {**given, **own}, image)

    printed = run("publish", machine.checkout("0.0.1"))
    assert machine.token not in printed
    assert machine.published() == {"mypypipackage-0.0.1-py2.py3-none-any.whl", "mypypipackage-0.0.1.tar.gz"}
    assert "Successfully installed mypypipackage-0.0.1" in run("test", machine.folder)
    [pip_index] = re.findall("`PIP_INDEX_URL=(.*?)`", machine.here(text_of(PAGE)))
    for variable, install in ("PIP_INDEX_URL", "pip install"), ("UV_DEFAULT_INDEX", "uv pip install"):
        line = f"export {variable}={pip_index}\n{install} --target {variable} mypypipackage"
        assert "mypypipackage" in machine.run(line, machine.folder, given, image)


def test_the_job_of_github_publishes_once_however_often_it_runs(machine: Machine) -> None:
    checkout, uv, *lines = recipe(machine, "jobs")["jobs"]["publish"]["steps"]
    assert [step["uses"].partition("@")[0] for step in (checkout, uv)] == ["actions/checkout", "astral-sh/setup-uv"]
    for skipped in (0, 2):
        folder = machine.checkout("0.0.2")
        for step in lines:
            secrets = {"${{ secrets.REGISTRY_TOKEN }}": machine.token}
            variables = {key: secrets.get(value, value) for key, value in step.get("env", {}).items()}
            assert "${{" not in "".join(variables.values())
            printed = machine.run(step["run"], folder, {"GITHUB_ACTIONS": "true", **variables})
        assert printed.count("already exists, skipping") == skipped, printed
        assert machine.published() == {"mypypipackage-0.0.2-py2.py3-none-any.whl", "mypypipackage-0.0.2.tar.gz"}
