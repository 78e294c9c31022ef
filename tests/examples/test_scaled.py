"""The example of several servers: published through one, installed through the other, each endpoint through nginx."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from pypi_registry._api.routes import ROUTES, match
from pypi_registry.testing import Distribution, Variant, make_sdist, make_wheel
from tests.clients import wire
from tests.clients.programs import with_login
from tests.examples.scaled import Scaled, Server, scaled
from tests.ports import free_port

pytestmark = pytest.mark.slow

PROJECT = "/projects/acme%2Ftools"
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaled]:
    with scaled(tmp_path_factory.mktemp("scaled")) as started:
        yield started


def test_what_one_server_publishes_the_other_installs(running: Scaled) -> None:
    one, other = running.servers
    wheel = make_wheel("mypypipackage", "0.0.1").write_to(running.programs.home / "dist")
    shown = f"127.0.0.1:{one.port}"
    twine = running.example.line("twine upload ").replace("127.0.0.1:8001", shown).replace("TOKEN", running.secret)
    assert wheel.exists()
    running.programs.shell(twine)
    pip = running.example.line("pip install --index-url ").replace("8002", str(other.port))
    site = running.programs.home / "site"
    running.programs.shell(f"PIP_TARGET={site} {pip.replace('TOKEN', running.secret)}")
    assert (site / "mypypipackage.py").exists()
    index = with_login(f"{other.api}{PROJECT}/packages/pypi/simple", running.secret)
    uv = ("uv", "pip", "install", "--target", running.programs.home / "uv", "--index-url", index, "mypypipackage")
    running.programs.run(*uv)
    assert (running.programs.home / "uv" / "mypypipackage.py").exists()
    assert "already exists" in running.programs.shell(twine.replace(str(one.port), str(other.port)), status=1)


class Story:
    """Requests through nginx, and the endpoints that they reached."""

    def __init__(self, api: str, secret: str) -> None:
        self._api, self._secret = api, secret
        self.endpoints: set[tuple[str, str]] = set()

    def send(self, method: str, path: str, status: int, body: object = None, accept: str = "*/*") -> wire.Answer:
        headers = {**wire.login(self._secret), "Accept": accept, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = wire.request(method, self._api + path, headers, data)
        assert answer.status == status, (method, path, answer)
        self.endpoints.add((match(path.partition("?")[0]).route.path, method))
        return answer

    def upload(self, distribution: Distribution, status: int) -> None:
        name, version = distribution.filename.removesuffix(".tar.gz").split("-")[:2]
        path = f"{PROJECT}/packages/pypi"
        fields = {"name": name, "version": version}
        answer = wire.upload(self._api + path, self._secret, fields, distribution.filename, distribution.data)
        assert answer.status == status, answer
        self.endpoints.add((match(path).route.path, "POST"))


def test_each_endpoint_responds_through_nginx(running: Scaled) -> None:
    story = Story(running.api, running.secret)
    wheel, sdist, other = make_wheel("demo", "1.0"), make_sdist("demo", "1.0"), make_wheel("other", "2.0")
    fast = make_wheel("fast", "1.0", variant=Variant("q1"))
    for distribution in (wheel, sdist, other, fast):
        story.upload(distribution, 201)
    story.upload(wheel, 400)
    story.send("PATCH", f"{PROJECT}/packages/pypi/simple/other", 200, {"status": "deprecated"})
    for namespace in (PROJECT, "/groups/acme/-"):
        story.send("GET", f"{namespace}/packages/pypi/simple/", 200)
        path = f"{namespace}/packages/pypi/simple/demo/"
        page = json.loads(story.send("GET", path, 200, accept=JSON).body)
        assert {file["filename"] for file in page["files"]} == {wheel.filename, sdist.filename}
        for file in page["files"]:
            address = urljoin(path, file["url"]).partition("#")[0]
            data = {wheel.filename: wheel.data, sdist.filename: sdist.data}[file["filename"]]
            assert story.send("GET", address, 200).body == data
            if file["filename"] == wheel.filename:
                story.send("GET", f"{address}.metadata", 200)
        path = f"{namespace}/packages/pypi/simple/fast/"
        _, variants = json.loads(story.send("GET", path, 200, accept=JSON).body)["files"]
        story.send("GET", urljoin(path, variants["url"]).partition("#")[0], 200)
    story.send("GET", f"{PROJECT}/packages/pypi/+simple/demo", 200)
    for path in ("/groups/acme/packages", "/groups/acme", PROJECT):
        story.send("GET", path, 200)
    packages = json.loads(story.send("GET", f"{PROJECT}/packages?package_name=demo", 200).body)
    demo = f"{PROJECT}/packages/{packages[0]['id']}"
    story.send("GET", demo, 200)
    story.send("PATCH", demo, 200, {"yanked": "broken"})
    files = json.loads(story.send("GET", f"{demo}/package_files", 200).body)
    story.send("GET", f"{demo}/package_files/{files[0]['id']}/download", 200)
    story.send("DELETE", f"{demo}/package_files/{files[0]['id']}", 204)
    story.send("DELETE", demo, 204)
    story.send("GET", demo, 404)
    assert story.endpoints == {(route.path, method) for route in ROUTES for method in route.endpoints}


def test_absolute_urls_are_those_of_nginx_whatever_a_client_forges(running: Scaled) -> None:
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    headers = {**wire.login(running.secret), **forged, "Host": "packages.example"}
    answer = wire.request("GET", f"{running.api}{PROJECT}/packages", headers)
    assert answer.headers["Link"].startswith("<http://packages.example/api/v4/projects/")


def test_a_server_without_migrated_tables_does_not_start_and_names_the_command(running: Scaled, tmp_path: Path) -> None:
    server: Server = running.servers[0]
    environment = {**server.environment, "PYPI_REGISTRY_CATALOGUE": running.cluster.create_database("empty")}
    command = [word.replace(str(server.port), str(free_port())) for word in server.command]
    done = subprocess.run(command, cwd=server.folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "pypi-registry migrate" in done.stderr
