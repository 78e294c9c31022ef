"""The registry alone: gunicorn, uwsgi, nginx and Apache with the files of the example, except ports and folders."""

import getpass
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.programs import Programs
from tests.clients.wire import get, login, request
from tests.examples.readme import EXAMPLES, Example
from tests.ports import free_port
from tests.servers.running import nginx, process

pytestmark = pytest.mark.slow

PLACE = "/api/v4/projects/acme%2Ftools/packages/pypi"
MOD_WSGI = Path("/usr/lib/apache2/modules/mod_wsgi.so")
APACHE = """
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {module}
WSGISocketPrefix {folder}/wsgi
Listen 127.0.0.1:{port}
User www-data
Group www-data
Include {folder}/apache.conf
"""

FORGED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "192.0.2.66",
    "SCRIPT_NAME": "/api",
}
NEEDS_NGINX = pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx")


class Standalone:
    """A copy of the example, set up by its README."""

    def __init__(self, folder: Path) -> None:
        (folder / "home").mkdir()
        self.programs = Programs(folder / "home")
        self.example = Example.copied("standalone", folder)
        self.folder = self.example.folder
        printed = self.programs.shell(self.example.line("pypi-registry token"), self.folder)
        self.secret, _, table = printed.partition("[[tokens]]")
        self.secret = next(word for word in self.secret.split() if word.startswith("registry-"))
        with (self.folder / "registry.toml").open("a") as config:
            config.write(f"[[tokens]]{table}")

    @contextmanager
    def served(self, server: str, **environment: str) -> Iterator[int]:
        port = free_port()
        for name in ("gunicorn.conf.py", "uwsgi.ini"):
            path = self.folder / name
            path.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", path.read_text()))
        with process(shlex.split(self.example.line(server)), self.folder, port, environment=environment):
            yield port

    @contextmanager
    def behind_nginx(self, configuration: str, upstream: int) -> Iterator[int]:
        port, text = free_port(), (self.folder / configuration).read_text()
        for example, here in {
            "listen 80;": f"listen 127.0.0.1:{port};",
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
            "/srv/registry/": f"{self.folder}/",
        }.items():
            text = text.replace(example, here)
        with nginx(text, self.folder, port):
            yield port

    @contextmanager
    def in_apache(self) -> Iterator[int]:
        """Run Apache with the virtual host; mod_wsgi has a Python of its own, so copy what the registry needs."""
        port, path, library = free_port(), self.folder / "apache.conf", self.folder / "library"
        for name in ("pypi_registry", "werkzeug", "packaging", "markupsafe"):
            shutil.copytree(Path(str(import_module(name).__file__)).parent, library / name)
        (self.folder / "data").mkdir()
        user = getpass.getuser()
        if user == "root":  # Apache runs nothing as root
            user = "www-data"
            shutil.chown(self.folder / "data", user)
        text = path.read_text()
        for example, here in {
            "*:80": f"127.0.0.1:{port}",
            "user=registry group=registry": f"user={user}",
            "python-home=/srv/registry/venv python-path=": f"python-path={library}:",
            "/srv/registry": f"{self.folder}",
        }.items():
            assert example in text
            text = text.replace(example, here)
        path.write_text(text)
        main = self.folder / "main.conf"
        main.write_text(APACHE.format(folder=self.folder, port=port, module=MOD_WSGI, modules=MOD_WSGI.parent))
        with process(["apache2", "-f", str(main), "-DFOREGROUND"], self.folder, port):
            yield port

    def publish_and_install(self, port: int) -> None:
        self.example.publish_and_install(self.programs, f"127.0.0.1:{port}", self.secret, shown="127.0.0.1:8000")

    def shown_url(self, port: int, headers: Mapping[str, str]) -> str:
        """Return the URL of the API as it is in a list of the Packages API."""
        address = f"http://127.0.0.1:{port}{PLACE.removesuffix('/pypi')}"
        return request("GET", address, {**login(self.secret), **headers}).headers["Link"][1:].partition("/projects/")[0]

    def file(self, port: int) -> str:
        """Return the URL of the published file."""
        host = f"http://127.0.0.1:{port}"
        accept = {"Accept": "application/vnd.pypi.simple.v1+json", **login(self.secret)}
        [file] = json.loads(request("GET", f"{host}{PLACE}/simple/mypypipackage/", accept).body)["files"]
        return f"{host}{PLACE}/files/{file['url'].partition('/files/')[2].partition('#')[0]}"


@pytest.fixture
def standalone(tmp_path: Path) -> Standalone:
    return Standalone(tmp_path)


@pytest.mark.parametrize("server", ["gunicorn --config", "uwsgi --ini"])
def test_a_server_with_the_files_of_the_example_alone(standalone: Standalone, server: str) -> None:
    if shutil.which(server.split()[0], path=standalone.programs.environment["PATH"]) is None:
        pytest.skip(f"there is no {server.split()[0]}")
    with standalone.served(server) as port:
        standalone.publish_and_install(port)
        if server.startswith("gunicorn"):  # uwsgi believes a forwarded scheme, as docs/standalone.md states
            assert standalone.shown_url(port, {**FORGED, "Host": "a.example"}) == "http://a.example/api/v4"


@NEEDS_NGINX
@pytest.mark.parametrize("server", ["gunicorn --config", "uwsgi --ini"])
def test_behind_nginx(standalone: Standalone, server: str) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(standalone.served(server, REGISTRY_PROXIES="1"))
        port = stack.enter_context(standalone.behind_nginx("nginx-plain.conf", upstream))
        standalone.publish_and_install(port)
        assert standalone.shown_url(port, {**FORGED, "Host": "packages.example"}) == "http://packages.example/api/v4"
        whole = get(standalone.file(port), standalone.secret)
        part = request("GET", standalone.file(port), {**login(standalone.secret), "Range": "bytes=-10"})
        assert (part.status, part.body) == (206, whole.body[-10:])


@NEEDS_NGINX
def test_nginx_sends_the_files_itself_and_only_to_authorized_callers(standalone: Standalone) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(standalone.served("gunicorn --config", REGISTRY_ACCEL="/blobs/"))
        port = stack.enter_context(standalone.behind_nginx("nginx-accel.conf", upstream))
        standalone.publish_and_install(port)
        behind = get(standalone.file(port).replace(str(port), str(upstream)), standalone.secret)
        assert behind.body == b""  # nginx sends the bytes, not the server
        address = behind.headers["X-Accel-Redirect"]
        [blob] = (standalone.folder / "data" / "files").glob("[0-9a-f]/*")
        assert address == f"/blobs/{blob.parent.name}/{blob.name}"
        whole = get(standalone.file(port), standalone.secret)
        assert (whole.status, whole.body) == (200, blob.read_bytes())
        kept = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": behind.headers["Content-Disposition"],
            "Cache-Control": behind.headers["Cache-Control"],
            "X-Content-Type-Options": "nosniff",
            "X-Accel-Redirect": None,
        }
        assert {name: whole.headers[name] for name in kept} == kept
        assert len(whole.headers.get_all("X-Content-Type-Options", [])) == 1
        part = request("GET", standalone.file(port), {**login(standalone.secret), "Range": "bytes=-10"})
        assert (part.status, part.body) == (206, whole.body[-10:])
        assert get(standalone.file(port)).status == 401
        assert get(f"http://127.0.0.1:{port}{address}", standalone.secret).status == 404


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that the user of Apache can read."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(not (shutil.which("apache2") and MOD_WSGI.exists()), reason="there is no Apache with mod_wsgi")
def test_in_apache(open_to_all: Path) -> None:
    standalone = Standalone(open_to_all)
    with standalone.in_apache() as port:
        assert get(f"http://127.0.0.1:{port}{PLACE}/simple/").status == 401
        standalone.publish_and_install(port)
        whole = get(standalone.file(port), standalone.secret)
        part = request("GET", standalone.file(port), {**login(standalone.secret), "Range": "bytes=-10"})
        assert (part.status, part.body) == (206, whole.body[-10:])
        config = standalone.folder / "registry.toml"
        config.write_text(config.read_text().replace("[[tokens]]", "[[tokens]]\nrevoked = true"))
        (standalone.folder / "wsgi.py").touch()
        assert get(f"http://127.0.0.1:{port}{PLACE}/simple/", standalone.secret).status == 401


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "registry.service"
    gunicorn = tmp_path / "venv" / "bin" / "gunicorn"
    gunicorn.parent.mkdir(parents=True)
    gunicorn.touch(0o755)
    text = (EXAMPLES / "standalone" / "registry.service").read_text()
    unit.write_text(text.replace("/srv/registry/", f"{tmp_path}/"))
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    assert (done.returncode, [line for line in done.stdout.splitlines() if "registry.service" in line]) == (0, [])


def test_the_unit_runs_gunicorn_as_the_readme_does() -> None:
    unit = (EXAMPLES / "standalone" / "registry.service").read_text()
    [command] = re.findall(r"^ExecStart=/srv/registry/venv/bin/(.*)$", unit, re.MULTILINE)
    assert command in (EXAMPLES / "standalone" / "README.md").read_text().splitlines()
