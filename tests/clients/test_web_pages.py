"""The web pages of `serve` behind nginx with TLS: visited in Chromium, and their commands pasted into a shell."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.clients.devtools import Browser, browser
from tests.clients.distributions import make_wheel
from tests.clients.programs import Programs
from tests.clients.served import served
from tests.clients.test_browser import CHROMIUM
from tests.clients.test_page_of_serve import PAGE, REGISTRY_TOML, SECRET, SERVE_WITH_URL, here
from tests.ports import free_port
from tests.servers.running import nginx
from tests.test_docs import blocks

NEEDS = all([CHROMIUM, shutil.which("nginx"), shutil.which("openssl")])
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not NEEDS, reason="Chromium, nginx or openssl is not installed")]


@dataclass(frozen=True)
class Web:
    """A site behind nginx."""

    url: str
    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    certify(tmp_path)
    port = free_port()
    config = tmp_path / "registry.toml"
    config.write_text(REGISTRY_TOML, encoding="utf-8")
    program, command, *options = shlex.split(
        SERVE_WITH_URL.replace("https://packages.example", f"https://localhost:{port}")
    )
    assert (program, command) == ("pypi-registry", "serve")
    with served(tmp_path / "data", *options, "--config", str(config)) as server:
        assert f"Clients use https://localhost:{port}/" in server.out
        with nginx(here(blocks(PAGE, "nginx")[0], tmp_path, port, server.port), tmp_path, port):
            yield Web(f"https://localhost:{port}", tmp_path)


def certify(folder: Path) -> None:
    """Create an authority and a certificate by it: uv refuses a certificate that is its own authority."""
    (folder / "names").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    new = "openssl req -newkey rsa:2048 -nodes"
    for line in (
        f"{new} -x509 -days 1 -subj /CN=authority -keyout authority.key -out authority.pem",
        f"{new} -subj /CN=localhost -keyout packages.example.key -out request.pem",
        "openssl x509 -req -days 1 -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial "
        "-extfile names -out packages.example.pem",
    ):
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)


def copied(page: str) -> list[str]:
    """Return what the blocks of a page are when they are copied, with the token instead of the placeholder."""
    return [
        re.sub(r"\bTOKEN\b", SECRET, unescape(re.sub("<[^>]*>", "", block)))
        for block in re.findall("<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    ]


def links(page: str, url: str) -> Iterator[str]:
    for href in re.findall(r'<a [^>]*?href="([^"]*)"', page):
        yield urljoin(url, unescape(href))


def test_every_page_is_reached_by_links_and_its_commands_work_when_pasted(
    web: Web, programs: Programs, wheel: Path
) -> None:
    with browser(web.folder / "profile", "--ignore-certificate-errors", login=("ada", SECRET)) as window:
        stranger = window.visit(f"{web.url}/api/v4/")
        assert window.url == f"{web.url}/" and "No project is public." in stranger and "acme" not in stranger
        landing = window.click("a[href$=sign-in]")
        assert window.url == f"{web.url}/" and "Signed in as ada" in landing
        use_with_real_clients(web, programs, wheel, window, landing)
        assert "<h1>404 Not Found</h1>" in window.visit(f"{web.url}/nothing")


def test_a_link_to_a_private_page_leads_there_after_signing_in(web: Web) -> None:
    with browser(web.folder / "profile", "--ignore-certificate-errors", login=("ada", SECRET)) as window:
        for missing in ("/acme/tools", "/acme/none"):
            page = window.visit(f"{web.url}{missing}")
            assert "<h1>404 Not Found</h1>" in page and "If it is private, " in page
        window.visit(f"{web.url}/acme/tools")
        page = window.click("main p a")
        assert window.url == f"{web.url}/acme/tools/-/packages" and "Signed in as ada" in page


def use_the_landing_page(programs: Programs, landing: str, trust: str) -> None:
    """Publish version 2.0 twice, in both ways of the landing page, and install it in each of its ways."""
    twine, pypirc, upload, *installs, export_pip, export_uv = copied(landing)
    shutil.rmtree(programs.home / "dist")
    make_wheel(programs.home / "dist", "demo", "2.0")
    programs.shell(f"{trust} {twine}")
    (programs.home / ".pypirc").write_text(pypirc)
    assert "already been taken" in programs.shell(f"{trust} {upload} --verbose", status=1)
    installs += [f"{export_pip}; pip install NAME", f"{export_uv}; uv pip install NAME"]
    assert [line.split()[-2] for line in installs[:3]] == ["--index-url", "--default-index", "--index-url"]
    for number, line in enumerate(installs):
        programs.shell(f"export {trust}; {line.replace('NAME', 'demo')} --no-deps --target landing-{number}")
        assert (programs.home / f"landing-{number}" / "demo-2.0.dist-info").is_dir()


def use_with_real_clients(web: Web, programs: Programs, wheel: Path, window: Browser, landing: str) -> None:
    trust = f"TWINE_CERT={web.authority} PIP_CERT={web.authority} SSL_CERT_FILE={web.authority}"
    project = f"{web.url}/acme/tools/-/packages"
    *_, pypirc, upload = copied(window.click("main li a"))
    assert window.url == project
    (programs.home / ".pypirc").write_text(pypirc)
    shutil.copytree(wheel.parent, programs.home / "dist")
    programs.shell(f"{trust} {upload}")
    use_the_landing_page(programs, landing, trust)

    seen = dict[str, str]()
    waiting = [f"{web.url}/"]
    while waiting:
        url = waiting.pop()
        if url not in seen and "/package_files/" not in url:
            seen[url] = window.visit(url)
            assert "Signed in as ada" in seen[url]
            waiting += links(seen[url], url)
    assert {*seen} == {f"{web.url}/", project, f"{project}/1", f"{project}/2", f"{web.url}/groups/acme/-/packages"}
    for number, requirement in (("1.0", "demo==1.0"), ("2.0", "demo")):
        pip, uv, *_, of_package, upload_again = copied(seen[f"{project}/{number[0]}"])
        assert (of_package, upload_again) == (pypirc, upload)
        assert pip.startswith(f"pip install {requirement} --index-url ")
        programs.shell(f"{trust} {pip} --no-deps --target pip-{number}")
        programs.shell(f"{trust} {uv} --no-deps --target uv-{number}")
        for tool in ("pip", "uv"):
            assert (programs.home / f"{tool}-{number}" / f"demo-{number}.dist-info").is_dir()
    exports = "; ".join(line for line in copied(seen[project]) if line.startswith("export "))
    programs.shell(
        f"{exports}; export {trust}; uv pip install --target by-variable demo && pip download -d by-pip demo"
    )
    assert (programs.home / "by-variable" / "demo-2.0.dist-info").is_dir() and [*(programs.home / "by-pip").iterdir()]
