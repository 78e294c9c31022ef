"""The Django example: its stores pass the contract suites, and real programs use both ways of mounting."""

import importlib.util
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.auth import AuthScheme, Credentials
from pypi_registry.model import Upload
from pypi_registry.storage import Blobs, Catalogue
from pypi_registry.testing.archives import distribution
from pypi_registry.testing.contracts import (
    UNKNOWN_TOKENS,
    AuthContract,
    BlobsContract,
    Caller,
    CatalogueContract,
    DirectoryContract,
    KnownAuth,
    KnownDirectory,
)
from tests.clients.programs import Programs
from tests.clients.wire import get, login, request, upload
from tests.examples.readme import EXAMPLES, Example
from tests.ports import free_port
from tests.servers.running import process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="Django is not installed"),
    # Django leaves it to the interpreter to close the connection of a thread that has ended.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NAMES = "examples.django_project.packages"
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, after Django was set up in this process."""
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{NAMES}.settings"
    os.environ["DJANGO_SECRET_KEY"] = "a key for the tests"
    os.environ["DJANGO_DATA"] = str(tmp_path_factory.mktemp("django"))
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    connections.close_all()
    return Path(connections.settings["default"]["NAME"])


@pytest.fixture
def tables(migrated: Path, tmp_path: Path) -> Iterator[None]:
    """A new database for a test."""
    from django.db import connections

    name = shutil.copy(migrated, tmp_path)
    for settings in (connections.settings["default"], connections["default"].settings_dict):
        settings["NAME"] = name  # for the connections of later threads, and for that of this one
    yield
    connections.close_all()


class Connected:
    """A suite whose threads open connections of Django's."""

    @pytest.fixture(autouse=True)
    def prepared(self, tables: None) -> None:
        pass

    def leave_thread(self) -> None:
        from django.db import connections

        connections.close_all()


class TestTheCatalogueInTheORM(Connected, CatalogueContract):
    def make_catalogue(self) -> Catalogue:
        from examples.django_project.packages.catalogue import DjangoCatalogue

        return DjangoCatalogue()

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        self.leave_thread()
        return self.make_catalogue()

    def fill(self, catalogue: Catalogue, uploads: Iterable[Upload]) -> None:
        from examples.django_project.packages.models import File, Package, Publisher

        project = self.projects[0]
        Publisher.locked(project)
        packages, files = [], []
        for each in uploads:
            package = Package(project=project.id, name=each.name, normalized_name=each.normalized_name)
            package.version = package.canonical_version = each.version
            package.created_at, package.metadata = AT, "{}"
            file = File(package=package, project=project.id, filename=each.filename, size=each.size)
            file.sha256, file.uploaded_at = each.digests.sha256, AT
            packages.append(package)
            files.append(file)
        Package.objects.bulk_create(packages)
        File.objects.bulk_create(files)


class TestTheBytesInAStorage(BlobsContract):
    @pytest.fixture(autouse=True)
    def prepared(self, migrated: Path, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_blobs(self) -> Blobs:
        from django.core.files.storage import FileSystemStorage

        from examples.django_project.packages.blobs import StorageBlobs

        return StorageBlobs(FileSystemStorage(self.folder))

    def reopen(self, blobs: Blobs) -> Blobs:
        return self.make_blobs()


class TestUsersAndProjects(Connected, DirectoryContract, AuthContract):
    PROJECTS = ("acme/tools", "acme/open", "acme/libs/core", "acme-old/tools")

    @pytest.fixture(autouse=True)
    def filled(self, prepared: None) -> None:
        from django.contrib.auth.models import Group, Permission, User

        from examples.django_project.packages.models import Project, Token
        from pypi_registry.accounts import token_digest

        groups = {name: Group.objects.create(name=name) for name in ("acme", "acme/libs", "acme-old")}
        groups["acme"].permissions.set(Permission.objects.filter(codename="add_package"))
        self.ids_by_path = {}
        for path in self.PROJECTS:
            group, _, slug = path.rpartition("/")
            public = path == "acme/open"
            self.ids_by_path[path] = Project.objects.create(group=groups[group], slug=slug, public=public).id
        for name, member in (("ada", "acme"), ("bob", "acme/libs"), ("eve", "acme")):
            user = User.objects.create_user(name, is_active=name != "eve")  # hashing a password takes long
            user.groups.add(groups[member])
            Token.objects.create(sha256=token_digest(f"the secret of {name}"), user=user)

    def make_directory(self) -> KnownDirectory:
        from examples.django_project.packages.access import DjangoProjects

        return KnownDirectory(
            DjangoProjects(),
            self.ids_by_path,
            {"acme": self.PROJECTS[:3], "acme/libs": ["acme/libs/core"], "acme-old": ["acme-old/tools"]},
            absent=["", "tools", "acme/none", 0, 999],
        )

    def make_auth(self) -> KnownAuth:
        from django.contrib.auth.models import User
        from django.test import Client

        from examples.django_project.packages.access import READING, DjangoProjects, DjangoUsers
        from pypi_registry.auth import Ability

        seen, group = READING - {Ability.READ_GROUP}, READING - {Ability.READ_PROJECT}
        browser: Any = Client()
        browser.force_login(User.objects.get(username="ada"))
        cookie = f"sessionid={browser.cookies['sessionid'].value}"
        hers, groups = self.PROJECTS[:3], {"acme": group, "acme/libs": group}
        blocked = Credentials(AuthScheme.PRIVATE_TOKEN, "the secret of eve")
        return KnownAuth(
            DjangoUsers(),
            DjangoProjects(),
            {
                "ada's token": Caller(
                    Credentials(AuthScheme.BASIC, "the secret of ada", "any"),
                    {path: seen | {Ability.CREATE_PACKAGE} for path in hers},
                    groups,
                    name="ada",
                ),
                "ada's session": Caller(
                    None, dict.fromkeys(hers, seen), groups, environ={"HTTP_COOKIE": cookie}, name="ada"
                ),
                "bob's token": Caller(
                    Credentials(AuthScheme.BEARER, "the secret of bob"),
                    {"acme/libs/core": seen, "acme/open": seen},
                    {"acme/libs": group},
                    name="bob",
                ),
            },
            anonymous=Caller(None, {"acme/open": seen}, anonymous=True),
            invalid_tokens=[*UNKNOWN_TOKENS, blocked],
        )


def test_the_stores_are_short() -> None:
    """The contracts are small enough to be implemented in an afternoon."""
    files = [EXAMPLES / "django_project" / "packages" / name for name in ("catalogue.py", "blobs.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 200


def test_the_lines_of_the_readme_publish_and_install_by_both_ways_of_mounting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    example, port = Example.copied("django_project", tmp_path), free_port()
    key = "DJANGO_SECRET_KEY=a-key-for-the-tests"
    programs = Programs(home)
    for beginning in (
        "python3 manage.py migrate",
        "python3 manage.py demo",
        "python3 manage.py demo",
    ):  # twice: harmless
        programs.shell(f"export {key}; {example.line(beginning)}", example.folder)
    secret = programs.shell(f"export {key}; {example.line('python3 manage.py token')}", example.folder).strip()
    run = example.line("gunicorn ").split(" #")[0]
    command = [*shlex.split(run), "--bind", f"127.0.0.1:{port}"]
    environment = {"DJANGO_SECRET_KEY": "a-key-for-the-tests"}
    with process(command, example.folder, port, environment=environment):
        example.publish_and_install(programs, f"127.0.0.1:{port}", secret, shown="127.0.0.1:8000")
        host = f"http://127.0.0.1:{port}"
        assert b"Our projects" in get(f"{host}/").body
        through_the_view(f"{host}/by-a-view/api/v4/projects/acme%2Fopen/packages/pypi", secret)
        (tmp_path / "another").mkdir()
        beside, by_a_view = "8000/api/v4/projects/acme%2Ftools", f"{port}/by-a-view/api/v4/projects/acme%2Fopen"
        example.publish_and_install(Programs(tmp_path / "another"), by_a_view, secret, shown=beside)


def through_the_view(place: str, secret: str) -> None:
    content, fields = distribution("demo-1.0.tar.gz", size=100_000), {"name": "demo", "version": "1.0"}
    assert upload(place, "a guess", fields, "demo-1.0.tar.gz", content).status == 401
    assert upload(place, secret, fields, "demo-1.0.tar.gz", content).status == 201
    again = upload(place, secret, fields, "demo-1.0.tar.gz", content)
    assert (again.status, "already exists" in again.reason) == (400, True)
    page = request("GET", f"{place}/simple/demo/", {**login(secret), "Accept": "text/html"})
    link = page.body.decode().partition('href="')[2].partition('"')[0].partition("#")[0]
    file = f"{place}/files/{link.partition('/files/')[2]}"
    assert get(file, secret).body == content
    part = request("GET", file, {"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])
    head = request("HEAD", file, {})
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(content)), b"")
    assert get(f"{place}/simple/caf%C3%A9/").status == 404
    assert get(f"{place.replace('acme%2Fopen', 'acme%2Ftools')}/simple/").status == 401
