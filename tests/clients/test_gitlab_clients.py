"""GitLab's own clients, and what others wrote for its REST API: they work without a change."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from requests import Response

from tests.clients.distributions import make_wheel
from tests.clients.node import NPM, node_modules
from tests.clients.programs import Programs
from tests.clients.served import Served, served
from tests.clients.toolbox import run_uv

pytest.importorskip("gitlab")
import gitlab  # after the check that it is installed
from gitlab.exceptions import (
    GitlabAuthenticationError,
    GitlabDeleteError,
    GitlabGetError,
    GitlabListError,
)

pytestmark = pytest.mark.slow

SECRETS = {"ada": "the-secret-of-a-maintainer", "bob": "the-secret-of-a-guest"}
TOKENS = "".join(
    f'  {{ kind = "personal", user = "{user}", scopes = ["api"], sha256 = "{sha256(secret.encode()).hexdigest()}" }},\n'
    for user, secret in SECRETS.items()
)
CONFIG = f"""
forward_to = false
projects = [{{ id = 1, path = "acme/tools" }}, {{ id = 2, path = "acme/libs/core" }}]
users = [
  {{ name = "ada", roles = {{ acme = "maintainer" }} }},
  {{ name = "bob", roles = {{ acme = "guest" }} }},
]
tokens = [
{TOKENS}]
"""
PUBLISHED = [(1, "alpha", "1.0"), (1, "alpha", "2.0"), (1, "beta", "1.0"), (2, "delta", "1.0")]
ALPHA_1, ALPHA_2, BETA, DELTA = (f"{name} {version}" for _, name, version in PUBLISHED)
NPM_SCRIPT = Path(__file__).with_name("npm") / "packages.mjs"
GITLAB_PYPI = "gitlab-pypi==1.0.0"


@pytest.fixture
def server(tmp_path: Path, programs: Programs) -> Iterator[Served]:
    config = tmp_path / "registry.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with served(tmp_path / "data", "--config", str(config)) as server:
        for project, name, version in PUBLISHED:
            wheel = make_wheel(tmp_path / "wheels", name, version)
            programs.twine_upload(f"{server.api}/projects/{project}/packages/pypi", SECRETS["ada"], wheel)
        yield server


def listed(manager: object, **options: object) -> list[str]:
    """Return the packages of all pages, each as name and version."""
    found = manager.list(get_all=True, **options)  # type: ignore[attr-defined]  # projects and groups have one each
    return [f"{package.name} {package.version}" for package in found]


def test_python_gitlab(server: Served, tmp_path: Path) -> None:
    client = gitlab.Gitlab(server.site, private_token=SECRETS["ada"])
    project, group = client.projects.get("acme/tools"), client.groups.get("acme")
    assert (project.id, project.path_with_namespace, group.full_path) == (1, "acme/tools", "acme")
    for query, expected in (
        ({}, [ALPHA_1, ALPHA_2, BETA]),
        ({"per_page": 1}, [ALPHA_1, ALPHA_2, BETA]),
        ({"order_by": "name", "sort": "desc"}, [BETA, ALPHA_2, ALPHA_1]),
        ({"order_by": "version", "sort": "desc"}, [ALPHA_2, BETA, ALPHA_1]),
        ({"order_by": "type"}, [ALPHA_1, ALPHA_2, BETA]),
        ({"package_name": "PHA alp"}, [ALPHA_1, ALPHA_2]),
        ({"package_name": "be"}, []),
        ({"package_version": "2.0"}, [ALPHA_2]),
        ({"package_type": "pypi", "status": "default"}, [ALPHA_1, ALPHA_2, BETA]),
        ({"package_type": "npm"}, []),
        ({"include_versionless": True}, [ALPHA_1, ALPHA_2, BETA]),
    ):
        assert listed(project.packages, **query) == expected
    assert listed(group.packages) == [ALPHA_1, ALPHA_2, BETA, DELTA]
    assert listed(group.packages, exclude_subgroups=True) == [ALPHA_1, ALPHA_2, BETA]
    assert listed(group.packages, exclude_subgroups=False, order_by="project_path", per_page=3)[0] == DELTA
    iterator = project.packages.list(iterator=True, per_page=2)
    assert (iterator.total, iterator.total_pages, len([*iterator])) == (3, 2, 3)

    package = project.packages.list(package_name="alpha", package_version="1.0")[0]
    assert [other["version"] for other in project.packages.get(package.id).versions] == ["2.0"]
    [file] = package.package_files.list(get_all=True, order_by="file_name", sort="desc")
    path = f"/projects/1/packages/{package.id}/package_files/{file.id}/download"
    downloaded = client.http_get(path, raw=True)
    assert isinstance(downloaded, Response)
    assert sha256(downloaded.content).hexdigest() == file.file_sha256

    with pytest.raises(GitlabListError, match="sort does not have a valid value") as list_error:
        project.packages.list(sort="up", package_type="npm")
    with pytest.raises(GitlabGetError, match="404 Package Not Found") as get_error:
        project.packages.get(999)
    with pytest.raises(GitlabGetError, match="404"):
        client.projects.get("acme/nothing")
    with pytest.raises(GitlabAuthenticationError):
        gitlab.Gitlab(server.site, private_token="wrong").projects.get(1)
    guest = gitlab.Gitlab(server.site, private_token=SECRETS["bob"]).projects.get(1)
    with pytest.raises(GitlabDeleteError, match="403 Forbidden") as delete_error:
        guest.packages.delete(package.id)
    errors = (list_error, get_error, delete_error)
    assert [error.value.response_code for error in errors] == [400, 404, 403]

    package.package_files.delete(file.id)  # its last file, so the package is deleted, too
    project.packages.delete(project.packages.list(package_name="beta")[0].id)
    assert listed(project.packages) == [ALPHA_2]


@pytest.mark.skipif(not NPM, reason="npm is not installed")
def test_gitbeaker(server: Served, programs: Programs, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    folder = node_modules(pytestconfig.cache.mkdir("clients"))
    node = shutil.which("node")
    assert node
    found = json.loads(programs.run(node, NPM_SCRIPT, folder, server.site, SECRETS["ada"]))
    assert found == {
        "project": [1, "acme/tools", "private"],
        "group": "acme",
        "all": [ALPHA_1, ALPHA_2, BETA],
        "newest": [BETA, ALPHA_2, ALPHA_1],
        "words": [ALPHA_1, ALPHA_2],
        "version": [ALPHA_2],
        "npm": [],
        "group_all": [DELTA, ALPHA_1, ALPHA_2, BETA],
        "direct": [ALPHA_1, ALPHA_2, BETA],
        "versions": ["2.0"],
        "files": ["alpha-1.0-py3-none-any.whl"],
        "size": (server.data.parent / "wheels" / "alpha-1.0-py3-none-any.whl").stat().st_size,
        "page": True,
        "statuses": [404, 400, 404, 401, 404],
        "left": [ALPHA_2],
    }


def python_3_12() -> str:
    """Return an interpreter that gitlab-pypi supports; empty if there is none."""
    names = ("python3", *(f"python3.{minor}" for minor in range(12, 16)))
    for path in filter(None, map(shutil.which, names)):
        done = subprocess.run([path, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"], capture_output=True)
        if not done.returncode:
            return path
    return ""


def test_gitlab_pypi(server: Served, programs: Programs, tmp_path: Path) -> None:
    python = python_3_12()
    if not python:
        pytest.skip("gitlab-pypi needs Python 3.12")
    environment = tmp_path / "environment"
    run_uv("venv", "--quiet", "--no-project", "--python", python, str(environment))
    run_uv("pip", "install", "--quiet", "--python", str(environment), GITLAB_PYPI)
    options = f"--url {server.site} --token {SECRETS['ada']}"

    def run(command: str, *, project: str = "acme/tools", status: int = 0) -> str:
        return programs.shell(f"{environment}/bin/gitlab-pypi {command} {options} --project {project}", status=status)

    assert [entry["name"] for entry in json.loads(run("list --json"))] == ["alpha", "beta"]
    assert run("show alpha --plain").split() == ["alpha==2.0", "alpha==1.0"]
    run("download alpha --all --output-dir got")
    wheels = [(programs.home / "got" / f"alpha-{version}-py3-none-any.whl") for version in ("1.0", "2.0")]
    assert [wheel.read_bytes() for wheel in wheels] == [
        (tmp_path / "wheels" / wheel.name).read_bytes() for wheel in wheels
    ]
    gamma = make_wheel(tmp_path / "wheels", "gamma", "1.0")
    run(f"upload {gamma}")
    assert "has already been taken" in run(f"upload {gamma}", status=1)
    run("delete beta==1.0")
    assert [entry["name"] for entry in json.loads(run("list --json"))] == ["alpha", "gamma"]
    assert "404" in run("list", project="acme/nothing", status=1)
