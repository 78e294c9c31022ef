"""The pages in a real browser: Debian's Chromium, headless."""

import base64
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.programs import Programs
from tests.clients.served import Served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]


def dom(address: str, profile: Path) -> str:
    """Return what a browser has made of a page."""
    switches = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
    quiet = ("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}")
    command = [CHROMIUM, *switches, *quiet, "--dump-dom", address]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", timeout=60)
    assert done.returncode == 0
    return done.stdout


def test_a_browser_is_asked_for_a_password_and_shown_the_packages(
    serve: Callable[..., Served], programs: Programs, wheel: Path, tmp_path: Path
) -> None:
    server = serve()
    programs.twine_upload(f"{server.api}/projects/1/packages/pypi", server.secret, wheel)
    login = f"{server.api.replace('://', f'://owner:{server.secret}@', 1)}/projects/1/packages"
    listed = dom(login, tmp_path / "profile")
    assert "<h1>Package registry</h1>" in listed
    assert 'packages/1">demo</a>' in listed
    shown = dom(f"{login}/1", tmp_path / "profile")
    assert "<h1>demo 1.0</h1>" in shown
    assert "demo-1.0-py3-none-any.whl" in shown
    assert "demo" not in dom(f"{server.api}/projects/1/packages", tmp_path / "stranger")


def test_the_landing_page_is_shown(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve()
    assert "twine upload" in dom(server.site, tmp_path / "profile")


def test_without_credentials_the_browser_gets_the_challenge(serve: Callable[..., Served]) -> None:
    server = serve()
    request = urllib.request.Request(f"{server.api}/projects/1/packages", headers={"Accept": "text/html"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")
    caught.value.close()
    request.add_header("Authorization", "Basic " + base64.b64encode(f"owner:{server.secret}".encode()).decode())
    with urllib.request.urlopen(request) as answer:
        assert b"Package registry" in answer.read()
