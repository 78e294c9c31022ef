"""The pages in a real browser: Debian's Chromium, headless."""

import base64
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.clients.programs import Programs
from tests.clients.served import Served
from tests.clients.wire import get

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]


def dom(address: str, profile: Path, *more: str) -> str:
    """Return what a browser has made of a page.

    :param more: other switches.
    """
    switches = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
    quiet = ("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}")
    command = [CHROMIUM, *switches, *quiet, *more, "--dump-dom", address]
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


FOREIGN_PAGE = """<!DOCTYPE html>
<form method="post" enctype="multipart/form-data" action="{action}">
  <input name="name" value="demo"><input name="version" value="1.0"><input type="file" name="content">
</form>
<script>
  const bytes = Uint8Array.from(atob("{content}"), (letter) => letter.charCodeAt(0));
  const chosen = new DataTransfer();
  chosen.items.add(new File([bytes], "{filename}"));
  document.forms[0].elements.content.files = chosen.files;
  document.forms[0].submit();
</script>
"""


def test_a_page_of_another_origin_publishes_nothing_over_plain_http(
    serve: Callable[..., Served], wheel: Path, tmp_path: Path
) -> None:
    """A browser sends no ``Sec-Fetch-Site`` to this host name; the password in the URL stands for a stored one."""
    server = serve()
    place = f"registry.test:{server.port}/api/v4/projects/1/packages/pypi"
    content = base64.b64encode(wheel.read_bytes()).decode()
    action = f"http://owner:{server.secret}@{place}"
    (tmp_path / "index.html").write_text(FOREIGN_PAGE.format(action=action, content=content, filename=wheel.name))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as foreign:
        Thread(target=foreign.serve_forever).start()
        names = "--host-resolver-rules=MAP *.test 127.0.0.1"
        shown = dom(f"http://foreign.test:{foreign.server_port}/", tmp_path / "profile", names, "--timeout=5000")
        foreign.shutdown()
    assert "403 Forbidden - a browser sent this request for another site" in shown
    assert '"POST /api/v4/projects/1/packages/pypi" 403' in server.err
    listing = f"{server.api}/projects/1/packages/pypi/simple/demo/"
    assert get(listing, server.secret).status == 302  # there is no such package: PyPI is asked


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
