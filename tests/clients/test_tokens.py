"""The three kinds of token, sent by real programs; a CI job as in GitLab's manual."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.programs import Programs, with_login
from tests.clients.served import Served

pytestmark = pytest.mark.slow

SECRETS = {"personal": "a-personal-secret", "deploy": "a-deploy-secret", "job": "a-job-secret"}
USERS = {"personal": "any", "deploy": "gitlab+deploy-token-1", "job": "gitlab-ci-token"}
CONFIG = """
forward_to = false
projects = [{ id = 1, path = "acme/tools" }]
users = [{ name = "ada", roles = { "acme" = "developer" } }]
"""
KINDS = {
    "personal": 'user = "ada"\nscopes = ["api"]',
    "deploy": 'on = "acme"\nscopes = ["write_package_registry"]',
    "job": 'user = "ada"\non = "acme/tools"',
}


@pytest.fixture
def server(serve: Callable[..., Served], tmp_path: Path) -> Served:
    config = tmp_path / "registry.toml"
    tokens = (
        f'[[tokens]]\nkind = "{kind}"\n{rest}\nsha256 = "{sha256(SECRETS[kind].encode()).hexdigest()}"\n'
        for kind, rest in KINDS.items()
    )
    config.write_text(CONFIG + "\n".join(tokens), encoding="utf-8")
    return serve("--config", str(config))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_token_publishes_and_installs(server: Served, programs: Programs, wheel: Path, kind: str) -> None:
    address = f"{server.api}/projects/acme%2Ftools/packages/pypi"
    login = ("--username", USERS[kind], "--password", SECRETS[kind])
    programs.run("twine", "upload", "--disable-progress-bar", "--repository-url", address, *login, wheel)
    for place in (f"{address}/simple", f"{server.api}/groups/acme/-/packages/pypi/simple"):
        index = with_login(place, SECRETS[kind], USERS[kind].replace("+", "%2B"))
        programs.run("pip", "install", "--no-deps", "--upgrade", "--target", "by-pip", "--index-url", index, "demo")
        uv = ("uv", "pip", "install", "--no-deps", "--reinstall", "--target", "by-uv", "--default-index", index, "demo")
        programs.run(*uv)
    assert (programs.home / "by-pip" / "demo-1.0.dist-info").is_dir()
    assert (programs.home / "by-uv" / "demo-1.0.dist-info").is_dir()
    assert not any(secret in server.out + server.err for secret in SECRETS.values())


def test_the_script_of_a_ci_job_works_unchanged(server: Served, programs: Programs, wheel: Path) -> None:
    given = f"CI_JOB_TOKEN={SECRETS['job']} CI_API_V4_URL={server.api} CI_PROJECT_ID=1"
    # Word for word from GitLab's manual; the job before it has built the files.
    script = (
        "TWINE_PASSWORD=${CI_JOB_TOKEN} TWINE_USERNAME=gitlab-ci-token python -m twine upload "
        "--repository-url ${CI_API_V4_URL}/projects/${CI_PROJECT_ID}/packages/pypi dist/*"
    )
    dist = programs.home / "dist"
    dist.mkdir()
    wheel.rename(dist / wheel.name)
    programs.shell(f"export {given}; {script}")
    assert [line.split()[4] for line in server.access_lines if "POST" in line] == ["201"]


def test_a_job_token_with_another_user_name_is_anonymous(server: Served, programs: Programs, wheel: Path) -> None:
    shown = programs.twine_upload(f"{server.api}/projects/1/packages/pypi", SECRETS["job"], wheel, status=1)
    assert "401 Unauthorized" in shown
