import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask
from webtest import TestApp

from examples.flask_app import app as example
from examples.flask_app.app import create_app
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.making import distribution
from tests.clients.distributions import make_wheel
from tests.clients.programs import Programs
from tests.clients.served import PATIENCE, until

FOLDER = Path(__file__).parents[2] / "examples" / "flask_app"
SECRET = "the-secret-of-the-example"
PLACE = "/api/v4/projects/1/packages/pypi"


@pytest.fixture(autouse=True)
def catalogues_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An application has its catalogue for as long as it runs; a test does not run on."""
    with ExitStack() as stack:
        monkeypatch.setattr(
            example, "SQLiteCatalogue", lambda path: stack.enter_context(closing(SQLiteCatalogue(path)))
        )
        yield


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("FLASK_TOKEN_SHA256", sha256(SECRET.encode()).hexdigest())
    return create_app(str(tmp_path / "instance"))


def test_the_host_keeps_its_own_page(app: Flask) -> None:
    assert "Our team" in TestApp(app, lint=True).get("/", status=200)
    assert TestApp(app).get("/absent", status=404).content_type == "text/html"


def test_the_registry_below_it_asks_who_is_there(app: Flask) -> None:
    answer = TestApp(app, lint=True).get(f"{PLACE}/simple/", status=401)
    assert answer.json == {"message": "401 Unauthorized"}


def test_the_one_token_publishes_and_installs(app: Flask, tmp_path: Path) -> None:
    client = TestApp(app, lint=True)
    client.authorization = ("Basic", ("ada", SECRET))
    form, sdist = {"name": "demo", "version": "1.0"}, distribution("demo-1.0.tar.gz")
    client.post(PLACE, form, upload_files=[("content", "demo-1.0.tar.gz", sdist)], status=201)
    page = client.get("/api/v4/projects/team%2Fpackages/packages/pypi/simple/demo/")
    assert page.click("demo-1.0.tar.gz").body == sdist
    assert {path.name for path in (tmp_path / "instance").iterdir()} >= {"catalogue.sqlite3", "files"}


def test_without_a_token_nobody_may_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_TOKEN_SHA256", raising=False)
    client = TestApp(create_app(str(tmp_path)))
    for secret in ("", SECRET):
        client.authorization = ("Basic", ("ada", secret))
        client.get(f"{PLACE}/simple/", status=401)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The application, run as its README says, but on a free port."""
    shutil.copy(FOLDER / "app.py", tmp_path)
    (tmp_path / "home").mkdir()
    environment = {**Programs(tmp_path / "home").environment, "FLASK_TOKEN_SHA256": sha256(SECRET.encode()).hexdigest()}
    command = [sys.executable, "-m", *line_of_the_readme("flask ").split(), "--port", "0"]
    log = tmp_path / "flask.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=stream, stderr=stream)
    try:
        until(lambda: "Running on" in log.read_text() or process.poll() is not None)
        found = re.search(r"Running on http://(\S+)", log.read_text())
        assert found, log.read_text()
        yield found[1]
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert "Traceback" not in log.read_text(), log.read_text()


def line_of_the_readme(beginning: str) -> str:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    [found] = [line for line in lines if line.startswith(beginning)]
    return found


@pytest.mark.slow
def test_the_lines_of_the_readme_publish_and_install(address: str, tmp_path: Path) -> None:
    programs = Programs(tmp_path / "home")
    make_wheel(tmp_path / "dist", "mypypipackage", "0.0.1")
    twine, pip = (
        line_of_the_readme(beginning).replace("127.0.0.1:5000", address).replace("SECRET", SECRET)
        for beginning in ("twine upload ", "pip install ")
    )
    programs.shell(twine, tmp_path)
    programs.shell(f"PIP_TARGET={tmp_path / 'site'} {pip}", tmp_path)
    shown = programs.run("python", "-c", "import mypypipackage; print(mypypipackage.VERSION)", cwd=tmp_path / "site")
    assert shown == "0.0.1\n"
    assert "already exists" in programs.shell(twine, tmp_path, status=1)
