import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from webtest import TestApp

import examples.flask_app as example
from examples.flask_app import create_app, new_token
from examples.flask_app.models import Group, Membership, Project, Token, User
from examples.flask_app.packages import READING, WRITING, OurProjects, OurUsers
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution
from pypi_registry.testing.contracts import AuthContract, Caller, DirectoryContract, KnownAuth, KnownDirectory
from tests.clients.programs import Programs
from tests.examples.readme import Example
from tests.ports import free_port
from tests.servers.running import process

PYPI = "/api/v4/projects/acme%2Ftools/packages/pypi"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application that closes its databases after the test."""
    monkeypatch.setenv("FLASK_SECRET_KEY", "a key for the tests")
    with ExitStack() as stack:
        monkeypatch.setattr(
            example, "SQLiteCatalogue", lambda path: stack.enter_context(closing(SQLiteCatalogue(path)))
        )
        app = create_app(str(tmp_path / "instance"))
        stack.callback(sessions_of(app).kw["bind"].dispose)
        yield app


def sessions_of(app: Flask) -> sessionmaker[Session]:
    found: sessionmaker[Session] = app.extensions["sessions"]
    return found


@pytest.fixture
def demo(app: Flask) -> tuple[str, str]:
    """The password and the token that ``flask demo`` prints."""
    printed = app.test_cli_runner().invoke(args=["demo"]).output
    found = re.search(r"the password (\S+), .* the token (\S+)", printed)
    assert found, printed
    return found[1], found[2]


def browser(app: Flask, password: str) -> TestApp:
    client = TestApp(app, lint=True)
    client.post("/sign-in", {"name": "ada", "password": password}, status=302)
    return client


def publish(client: TestApp, **options: Any) -> Any:
    form, sdist = {"name": "demo", "version": "1.0"}, distribution("demo-1.0.tar.gz")
    return client.post(PYPI, form, upload_files=[("content", "demo-1.0.tar.gz", sdist)], **options)


def program(app: Flask, secret: str) -> TestApp:
    client = TestApp(app, lint=True)
    client.authorization = ("Basic", ("ada", secret))
    return client


def test_the_demo_again_prints_another_password_and_token(app: Flask, demo: tuple[str, str]) -> None:
    printed = app.test_cli_runner().invoke(args=["demo"]).output
    _, password, secret = re.split(r"password |, .* token ", printed.strip())
    assert (password, secret) != demo
    browser(app, password)
    for each in (demo[1], secret):
        program(app, each).get(f"{PYPI}/simple/", status=200)


@pytest.mark.usefixtures("demo")
def test_the_application_keeps_its_pages_and_its_routes_below_the_mount(app: Flask) -> None:
    client = TestApp(app, lint=True)
    home = client.get("/", status=200)
    assert "acme/open" in home
    assert "acme/tools" not in home
    assert client.get("/api/v4/version", status=200).json == {"version": "our application"}
    assert client.get("/api/v4/absent", status=404).content_type == "text/html"
    assert client.get(f"{PYPI}/simple/", status=401).json == {"message": "401 Unauthorized"}


def test_a_token_publishes_and_installs(app: Flask, demo: tuple[str, str]) -> None:
    client = program(app, demo[1])
    publish(client, status=201)
    page = client.get("/api/v4/groups/acme/-/packages/pypi/simple/demo/")
    assert page.click("demo-1.0.tar.gz").body == distribution("demo-1.0.tar.gz")
    program(app, "a guess").get(f"{PYPI}/simple/demo/", status=401)


def test_a_session_reads_the_pages_for_people(app: Flask, demo: tuple[str, str]) -> None:
    publish(program(app, demo[1]))
    client = browser(app, demo[0])
    client.extra_environ["HTTP_ACCEPT"] = "text/html"
    packages = client.get("/").click("acme/tools")
    assert "demo" in packages
    TestApp(app).get(packages.request.path, headers={"Accept": "text/html"}, status=401)
    client.post("/sign-out")
    client.get(packages.request.path, status=401)


@pytest.mark.parametrize("sent", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_session_changes_nothing(app: Flask, demo: tuple[str, str], sent: dict[str, str]) -> None:
    publish(program(app, demo[1]))
    page = program(app, demo[1]).get(f"{PYPI}/simple/demo/").body
    client = browser(app, demo[0])
    publish(client, headers=sent, status=403)
    [package] = client.get("/api/v4/projects/acme%2Ftools/packages").json
    client.delete(f"/api/v4/projects/acme%2Ftools/packages/{package['id']}", headers=sent, status=403)
    client.patch_json(f"{PYPI}/simple/demo", {"status": "archived"}, headers=sent, status=403)
    assert program(app, demo[1]).get(f"{PYPI}/simple/demo/").body == page


def test_a_page_creates_a_token_of_which_only_the_digest_is_stored(app: Flask, demo: tuple[str, str]) -> None:
    page = browser(app, demo[0]).post("/tokens", status=200)
    found = re.search(r"<code>(\S+)</code>", page.text)
    assert found
    publish(program(app, found[1]), status=201)
    with sessions_of(app)() as database:
        assert sha256(found[1].encode()).hexdigest() in database.scalars(select(Token.sha256)).all()
    database_file = b"".join(path.read_bytes() for path in Path(app.instance_path).glob("application.sqlite3*"))
    assert found[1].encode() not in database_file
    TestApp(app).post("/tokens", status=403)


def test_the_session_cookie_is_not_sent_from_other_sites(app: Flask, demo: tuple[str, str]) -> None:
    client = TestApp(app)
    cookie = client.post("/sign-in", {"name": "ada", "password": demo[0]}).headers["Set-Cookie"]
    assert {"SameSite=Lax", "HttpOnly"} <= {part.strip() for part in cookie.split(";")}
    client.reset()
    client.post("/sign-in", {"name": "ada", "password": "a guess"}, status=403)


class TestUsersAndProjects(DirectoryContract, AuthContract):
    PROJECTS = ("acme/tools", "acme/open", "acme/libs/core", "acme-old/tools")

    @pytest.fixture(autouse=True)
    def filled(self, app: Flask) -> None:
        self.app, self.secrets = app, {}
        with sessions_of(app).begin() as database:
            groups = {path: Group(path=path) for path in ("acme", "acme/libs", "acme-old")}
            projects = [Project(path=path, public=path == "acme/open") for path in self.PROJECTS]
            ada, bob = User(name="ada", password_hash="-"), User(name="bob", password_hash="-")
            database.add_all([ada, bob, *groups.values(), *projects])
            ada.memberships.append(Membership(group=groups["acme"], publishes=True))
            bob.memberships.append(Membership(group=groups["acme/libs"]))
            database.flush()
            self.ids_by_path = {project.path: project.id for project in projects}
            self.ids = {user.name: user.id for user in (ada, bob)}
            self.secrets = {user.name: new_token(database, user) for user in (ada, bob)}

    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            OurProjects(sessions_of(self.app)),
            self.ids_by_path,
            {"acme": self.PROJECTS[:3], "acme/libs": ["acme/libs/core"], "acme-old": ["acme-old/tools"]},
            absent=["", "tools", "acme/none", 0, 999],
        )

    def make_auth(self) -> KnownAuth:
        projects = OurProjects(sessions_of(self.app))
        seen, all_of_it = READING - {Ability.READ_GROUP}, READING | WRITING - {Ability.READ_GROUP}
        group = READING - {Ability.READ_PROJECT}
        with self.app.test_client() as client:
            with client.session_transaction() as session:
                session["user"] = self.ids["ada"]
            cookie = client.get_cookie("session")
            assert cookie
        hers = dict.fromkeys(self.PROJECTS[:3], seen)
        return KnownAuth(
            OurUsers(self.app, sessions_of(self.app)),
            projects,
            {
                "ada's token": Caller(
                    Credentials(AuthScheme.BASIC, self.secrets["ada"], "any"),
                    {path: all_of_it - {Ability.READ_GROUP} for path in hers},
                    {"acme": group, "acme/libs": group},
                    name="ada",
                ),
                "ada's session": Caller(
                    None,
                    hers,
                    {"acme": group, "acme/libs": group},
                    name="ada",
                    environ={"HTTP_COOKIE": f"session={cookie.value}"},
                ),
                "bob's token": Caller(
                    Credentials(AuthScheme.BEARER, self.secrets["bob"]),
                    {"acme/libs/core": seen, "acme/open": seen},
                    {"acme/libs": group},
                    name="bob",
                ),
            },
            anonymous=Caller(None, {"acme/open": seen}, anonymous=True),
        )


@pytest.mark.slow
def test_the_lines_of_the_readme_publish_and_install(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    programs, example, port = Programs(home), Example.copied("flask_app", tmp_path), free_port()
    printed = programs.shell(example.line("flask --app flask_app demo"), tmp_path)
    secret = printed.rpartition(" ")[2].strip()
    key = {"FLASK_SECRET_KEY": "a key for the tests"}
    run = [*shlex.split(example.line("flask --app flask_app run")), "--port", str(port)]
    with process(run, tmp_path, port, environment=key):
        example.publish_and_install(programs, f"127.0.0.1:{port}", secret, shown="127.0.0.1:5000")
        version = programs.shell(example.line("curl ").replace("5000", str(port)))
        assert '"our application"' in version
    gunicorn = [*shlex.split(example.line("gunicorn ")), "--bind", f"127.0.0.1:{port}"]
    with process(gunicorn, tmp_path, port, environment=key):
        assert '"our application"' in programs.shell(example.line("curl ").replace("5000", str(port)))
