"""What docs/serve.md shows beside `serve` itself: the backup, gunicorn, and nginx with a certificate."""

import shlex
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.programs import Programs, with_login
from tests.clients.served import served
from tests.servers.running import free_port, nginx, process
from tests.test_docs import PAGES, blocks

pytestmark = pytest.mark.slow

PAGE = PAGES["serve.md"]
BACK_UP, RESTORE, GUNICORN = blocks(PAGE, "sh")

SECRET = "the-secret-of-the-page"
REGISTRY_TOML = f"""
forward_to = false
projects = [{{ id = 1, path = "acme/tools" }}]
users = [{{ name = "ada", roles = {{ acme = "developer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""


def test_a_restored_backup_has_all_packages(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    with served(tmp_path / "pypi-registry-data") as server:
        secret = server.secret
        programs.twine_upload(f"{server.api}/projects/1/packages/pypi", secret, wheel)
        programs.shell(BACK_UP, tmp_path)  # while it runs
    copy, start = RESTORE.splitlines()
    assert start.endswith("-m pypi_registry serve --data restored")
    programs.shell(copy, tmp_path)
    with served(tmp_path / "restored") as server:
        index = with_login(f"{server.api}/projects/1/packages/pypi/simple", secret)
        programs.run("pip", "download", "--no-deps", "--index-url", index, "demo")
    assert (programs.home / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="there is no nginx, or no openssl")
def test_gunicorn_behind_nginx_with_a_certificate(programs: Programs, wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    [block], [module, *_] = blocks(PAGE, "nginx"), blocks(PAGE, "python")
    (tmp_path / "wsgi.py").write_text(module, encoding="utf-8")
    (tmp_path / "registry.toml").write_text(REGISTRY_TOML, encoding="utf-8")
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    certificate += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "packages.example.key"]
    subprocess.run([*certificate, "-out", "packages.example.pem"], cwd=tmp_path, check=True, capture_output=True)
    behind, port = free_port(), free_port()
    for example, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/nginx/": f"{tmp_path}/",
        "127.0.0.1:8080": f"127.0.0.1:{behind}",
    }.items():
        assert example in block
        block = block.replace(example, here)
    command = [*shlex.split(GUNICORN), "--bind", f"127.0.0.1:{behind}"]
    with process(command, tmp_path, behind), nginx(block, tmp_path, port):
        place = f"https://localhost:{port}/api/v4/projects/acme%2Ftools/packages/pypi"
        trusting = {"TWINE_CERT": "packages.example.pem", "PIP_CERT": "packages.example.pem"}
        trust = " ".join(f"{name}={tmp_path / file}" for name, file in trusting.items())
        programs.shell(f"{trust} twine upload --repository-url {place} -u any -p {SECRET} {wheel}")
        index = with_login(f"{place}/simple", SECRET)
        programs.shell(f"{trust} pip download --no-deps --index-url {index} demo")
        programs.shell(
            f"pip download --retries 0 --no-deps --index-url {index} demo", status=1
        )  # who does not trust it
    assert (programs.home / wheel.name).read_bytes() == wheel.read_bytes()
