"""What docs/serve.md shows beside `serve` itself: the backup, gunicorn, and nginx and Apache with a certificate."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.clients.distributions import make_wheel
from tests.clients.programs import SCRIPTS, Programs, with_login
from tests.clients.served import Served, served, until
from tests.ports import free_port
from tests.servers.running import nginx, process
from tests.test_docs import PAGES, blocks

pytestmark = pytest.mark.slow

PAGE = PAGES["serve.md"]


def block(start: str) -> str:
    """Return the only block of commands of the page that begins so."""
    [found] = [each for each in blocks(PAGE, "sh") if each.startswith(start)]
    return found


FSCK, BACK_UP, RESTORE = block("pypi-registry fsck "), block("pypi-registry backup "), block("cp -a ")
RESTORE_RUNNING, GUNICORN = block("cp -an "), block("gunicorn ")
SERVE, SERVE_WITH_URL = block("pypi-registry serve --proxies 1\n"), block("pypi-registry serve --proxies 1 --url ")
BACKUP = "/srv/backup/pypi-registry"

SECRET = "the-secret-of-the-page"
REGISTRY_TOML = f"""
forward_to = false
projects = [{{ id = 1, path = "acme/tools" }}]
users = [{{ name = "ada", roles = {{ acme = "maintainer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""


def test_a_restored_backup_has_all_packages(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    back_up, restore, restore_running = (
        block.replace(BACKUP, str(tmp_path / "backup")) for block in (BACK_UP, RESTORE, RESTORE_RUNNING)
    )
    with served(tmp_path / "pypi-registry-data") as server:
        secret = server.secret
        programs.twine_upload(f"{server.api}/projects/1/packages/pypi", secret, wheel)
        programs.shell(back_up, tmp_path)  # while it runs
        index = f"{server.api}/projects/1/packages/pypi/simple/"
        later = make_wheel(tmp_path / "later", "demo", "2.0")
        programs.twine_upload(f"{server.api}/projects/1/packages/pypi", secret, later)
        assert "demo-2.0" in requests.get(f"{index}demo/", auth=("any", secret), timeout=30).text
        packages = f"{server.api}/projects/1/packages"
        [first] = requests.get(f"{packages}?package_version=1.0", auth=("any", secret), timeout=30).json()
        requests.delete(f"{packages}/{first['id']}", auth=("any", secret), timeout=30).raise_for_status()
        programs.shell(restore_running, tmp_path)
        until(lambda: "demo-2.0" not in requests.get(f"{index}demo/", auth=("any", secret), timeout=30).text)
        programs.run("pip", "download", "--no-deps", "--index-url", with_login(index, secret), "demo")
        assert (programs.home / wheel.name).read_bytes() == wheel.read_bytes()
        (programs.home / wheel.name).unlink()
        programs.shell(FSCK, tmp_path)
    copy, start = restore.splitlines()
    assert start.endswith("-m pypi_registry serve --data restored")
    programs.shell(copy, tmp_path)
    with served(tmp_path / "restored") as server:
        index = with_login(f"{server.api}/projects/1/packages/pypi/simple", secret)
        programs.run("pip", "download", "--no-deps", "--index-url", index, "demo")
    assert (programs.home / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_line_for_cron_runs_in_the_environment_of_cron(tmp_path: Path) -> None:
    """Debian's crontab(5): PATH is /usr/bin:/bin, SHELL /bin/sh, and HOME is that of the user."""
    [line] = [text for text in blocks(PAGE, "text") if " prune " in text]
    schedule = line.split(" ", 5)[:5]
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in schedule)
    command = line.split(" ", 5)[5]
    assert "%" not in command, "cron ends the command there"
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "registry.toml").write_text(REGISTRY_TOML, encoding="utf-8")
    with served(data) as server:
        programs = {"/opt/pypi-registry/bin/pypi-registry": f"{SCRIPTS}/pypi-registry", "/var/lib/pypi-registry": data}
        for shown, here in programs.items():
            assert shown in command
            command = command.replace(shown, str(here))
        environment = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={tmp_path}", "SHELL=/bin/sh", "/bin/sh", "-c", command]
        done = subprocess.run(environment, cwd=tmp_path, capture_output=True, encoding="utf-8")
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), "cron sends what is printed by mail"
        assert "0 versions deleted" in (data / "prune.log").read_text(encoding="utf-8")
        assert server.process.poll() is None


NEEDS_NGINX = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")), reason="there is no nginx, or no openssl"
)
MODULES = Path("/usr/lib/apache2/modules")
APACHE_MODULES = ("mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "headers")


@NEEDS_NGINX
def test_gunicorn_behind_nginx_with_a_certificate(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    server, module, proxy_fix, *_ = blocks(PAGE, "nginx")[0], *blocks(PAGE, "python")
    (tmp_path / "wsgi.py").write_text(module + proxy_fix, encoding="utf-8")
    (tmp_path / "registry.toml").write_text(REGISTRY_TOML, encoding="utf-8")
    make_certificate(tmp_path)
    behind, port = free_port(), free_port()
    command = [*shlex.split(GUNICORN), "--bind", f"127.0.0.1:{behind}"]
    with process(command, tmp_path, behind), nginx(here(server, tmp_path, port, behind), tmp_path, port):
        use_with_real_clients(programs, wheel, tmp_path, f"https://localhost:{port}", landing=False)
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(tmp_path / "packages.example.pem")
            paths = ("/-/liveness", "/-/readiness", "/", "/sign-in", "/acme/tools/-/packages", "/api/v4/")
            found = {path: session.get(f"https://localhost:{port}{path}", auth=("any", SECRET)) for path in paths}
        assert [answer.status_code for answer in found.values()] == [200, 200, 404, 404, 404, 404]
        assert found["/-/readiness"].json() == {"status": "ok"}


@NEEDS_NGINX
def test_serve_behind_nginx_with_a_certificate(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    port = free_port()
    with behind_a_proxy(tmp_path) as server:
        block = here(blocks(PAGE, "nginx")[0], tmp_path, port, server.port)
        with nginx(block, tmp_path, port):
            use_with_real_clients(programs, wheel, tmp_path, f"https://localhost:{port}")
        assert all(line.startswith("127.0.0.1 ") for line in server.err.splitlines())


@NEEDS_NGINX
def test_serve_behind_nginx_with_a_certificate_below_a_prefix(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    port = free_port()
    with behind_a_proxy(tmp_path) as server:
        whole, location = blocks(PAGE, "nginx")
        head, _, _ = whole.partition("    location / {")
        with nginx(here(f"{head}{location}}}", tmp_path, port, server.port), tmp_path, port):
            use_with_real_clients(programs, wheel, tmp_path, f"https://localhost:{port}/pypi")


@pytest.mark.skipif(not (MODULES / "mod_proxy_http.so").exists(), reason="there is no Apache")
def test_serve_behind_apache_with_a_certificate(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    port, [block] = free_port(), blocks(PAGE, "apache")
    with behind_a_proxy(tmp_path) as server:
        (tmp_path / "site.conf").write_text(here(block, tmp_path, port, server.port))
        loaded = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in APACHE_MODULES]
        lines = [f"PidFile {tmp_path}/apache.pid", "ErrorLog /dev/stderr", "ServerName localhost", *loaded]
        lines += [f"Mutex file:{tmp_path}", f"Listen 127.0.0.1:{port}", f"Include {tmp_path}/site.conf"]
        (tmp_path / "apache.conf").write_text("\n".join([*lines, ""]))
        with process(["apache2", "-f", str(tmp_path / "apache.conf"), "-DFOREGROUND"], tmp_path, port):
            use_with_real_clients(programs, wheel, tmp_path, f"https://localhost:{port}")


def make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "packages.example.key"]
    subprocess.run([*command, "-out", "packages.example.pem"], cwd=folder, check=True, capture_output=True)


def here(block: str, folder: Path, port: int, behind: int) -> str:
    """Return a configuration of the page with the ports and the folder of a test."""
    known = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
        "/etc/nginx/": f"{folder}/",
        "/etc/apache2/": f"{folder}/",
        "127.0.0.1:8080": f"127.0.0.1:{behind}",
    }
    assert sum(example in block for example in known) == 3
    for example, replacement in known.items():
        block = block.replace(example, replacement)
    return block


@contextmanager
def behind_a_proxy(folder: Path) -> Iterator[Served]:
    """Run `serve` with the options of the page."""
    program, command, *options = shlex.split(SERVE)
    assert (program, command) == ("pypi-registry", "serve")
    config = folder / "registry.toml"
    config.write_text(REGISTRY_TOML, encoding="utf-8")
    with served(folder / "data", *options, "--config", str(config)) as server:
        yield server


def use_with_real_clients(programs: Programs, wheel: Path, folder: Path, site: str, *, landing: bool = True) -> None:
    """Publish and install; then look for a URL in anything sent that is not that of the proxy."""
    place = f"{site}/api/v4/projects/acme%2Ftools/packages/pypi"
    certificate = folder / "packages.example.pem"
    trust = f"TWINE_CERT={certificate} PIP_CERT={certificate}"
    programs.shell(f"{trust} twine upload --repository-url {place} -u any -p {SECRET} {wheel}")
    index = with_login(f"{place}/simple", SECRET)
    programs.shell(f"{trust} pip download --no-deps --index-url {index} demo")
    assert (programs.home / wheel.name).read_bytes() == wheel.read_bytes()
    # uv refuses a certificate that is its own authority.
    locked = programs.shell(
        f"echo demo | uv pip compile --format pylock.toml --allow-insecure-host localhost --index-url {index} -"
    )
    assert set(re.findall(r"https?://[^/\"]+", locked)) == {site.removesuffix("/pypi")}
    programs.shell(f"pip download --retries 0 --no-deps --index-url {index} demo", status=1)  # it does not trust it
    with requests.Session() as session:
        session.trust_env = False  # a bundle in the environment would win over this certificate
        session.verify, session.auth = str(certificate), ("any", SECRET)
        seen = {path: visit(session, site, path) for path in PATHS}
    assert f"repository = {site}/api/v4/projects/1/packages/pypi" in seen["/api/v4/projects/1/packages/1"]
    assert f"{site}/api/v4/projects/1/packages/1" in seen["/api/v4/projects/1/packages?per_page=1"]
    if landing:
        assert f"--repository-url {site}/api/v4/projects/1/packages/pypi" in seen["/"]


HTML, SIMPLE_JSON, JSON = "text/html", "application/vnd.pypi.simple.v1+json", "application/json"
PATHS = {
    "/": HTML,
    "/api/v4/projects/1/packages/pypi/simple/": HTML,
    "/api/v4/projects/acme%2Ftools/packages/pypi/simple/demo/": HTML,
    "/api/v4/projects/1/packages/pypi/simple/demo/": SIMPLE_JSON,
    "/api/v4/projects/acme%2Ftools/packages": HTML,
    "/api/v4/projects/1/packages/1": HTML,
    "/api/v4/groups/acme/packages": HTML,
    "/api/v4/groups/acme/packages?package_name=demo": JSON,
    "/api/v4/projects/1/packages?per_page=1": JSON,
    "/api/v4/projects/1/packages/1/package_files": JSON,
    "/api/v4/projects/9/packages": JSON,
}


def visit(session: requests.Session, site: str, path: str) -> str:
    """Request a page, and what it links to; return its text."""
    forged = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    forged |= {"Forwarded": "host=evil.example;proto=http", "X-Forwarded-Port": "66", "X-Forwarded-Ssl": "off"}
    for headers in ({}, forged):
        response = session.get(site + path, headers={"Accept": PATHS[path], **headers}, allow_redirects=False)
        sent = f"{response.headers}\n{response.text}"
        assert "http://" not in sent
        assert "evil" not in sent
        absolute = re.findall(r"https://[^\s<>\"']*", sent.replace(OF_A_PERSON, ""))
        assert all(found.startswith(f"{site}/api/v4") for found in absolute), absolute
        for link in re.findall(r'href="([^"]+)"', response.text) + re.findall(r"<(https:[^>]+)>", sent):
            assert session.get(urljoin(response.url, unescape(link)), headers={"Accept": HTML}).status_code == 200
    return response.text


OF_A_PERSON = "__token__:TOKEN@"
