"""A page of another origin in Chromium: it fetches an index and a wheel, and micropip in Pyodide installs."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.devtools import Browser
from tests.clients.distributions import make_wheel
from tests.clients.node import NPM, node_modules
from tests.clients.notebook import micropip_installs, notebook
from tests.clients.programs import Programs
from tests.clients.served import Served, served
from tests.clients.test_browser import CHROMIUM

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]

SECRET = "the-secret-of-the-notebook"
CONFIG = f"""
forward_to = false
projects = [
  {{ id = 1, path = "acme/open", visibility = "public" }},
  {{ id = 2, path = "acme/closed", visibility = "private" }},
]
groups = [{{ path = "acme", visibility = "public" }}]
users = [{{ name = "ada", roles = {{ acme = "maintainer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""
# A request with options; its status, what is readable of it, or the error.
FETCH = """
fetch({url}, {options}).then(
    async response => [response.status, response.headers.get("etag"), await response.text()],
    error => [0, "", String(error)],
)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the other origin."""
    return tmp_path / "root"


@pytest.fixture
def window(root: Path, tmp_path: Path) -> Iterator[Browser]:
    """A browser with a page of another origin, whose user knows a password for the registry."""
    with notebook(root, tmp_path / "profile", login=("ada", SECRET)) as window:
        yield window


@pytest.fixture
def registry(tmp_path: Path, programs: Programs, wheel: Path) -> Iterator[Served]:
    """A server with demo 1.0 in a public and in a private project."""
    config = tmp_path / "registry.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with served(tmp_path / "data", "--config", str(config)) as server:
        programs.twine_upload(f"{server.api}/projects/1/packages/pypi", SECRET, wheel)
        secret = make_wheel(tmp_path / "secret", "secret", "1.0")
        programs.twine_upload(f"{server.api}/projects/2/packages/pypi", SECRET, secret)
        yield server


def fetched(window: Browser, url: str, **options: object) -> tuple[int, str | None, str]:
    found = window.value_of(FETCH.format(url=json.dumps(url), options=json.dumps(options)))
    assert isinstance(found, list)
    return found[0], found[1], found[2]


def test_a_page_of_another_origin_reads_what_everyone_may_read(window: Browser, registry: Served, wheel: Path) -> None:
    group, accept = f"{registry.api}/groups/acme/-/packages/pypi", {"Accept": "application/vnd.pypi.simple.v1+json"}
    status, _, text = fetched(window, f"{group}/simple/", headers=accept)
    assert (status, json.loads(text)["projects"]) == (200, [{"name": "demo"}])
    status, etag, text = fetched(window, f"{group}/simple/demo/", headers=accept)
    [file] = json.loads(text)["files"]
    assert etag and sha256(wheel.read_bytes()).hexdigest() == file["hashes"]["sha256"]
    digest = (
        f"fetch({json.dumps(file['url'])}).then(r => r.arrayBuffer()).then(b => crypto.subtle.digest('SHA-256', b))"
    )
    as_numbers = f"{digest}.then(d => Array.from(new Uint8Array(d)))"
    numbers = window.value_of(as_numbers)
    assert isinstance(numbers, list) and bytes(numbers).hex() == file["hashes"]["sha256"]
    status, _, text = fetched(window, f"{file['url']}.metadata")
    assert (status, "Name: demo" in text) == (200, True)

    # With these headers, Chromium sends a preflight first.
    known = {"If-None-Match": etag, "X-Requested-With": "notebook", "Cache-Control": "no-cache", **accept}
    assert fetched(window, f"{group}/simple/demo/", headers=known)[0] == 304
    assert fetched(window, file["url"], headers={"Range": "bytes=0-1", "If-Range": "x"})[0] == 200
    assert fetched(window, file["url"], headers={"Range": "bytes=0-1"})[0] == 206
    assert any("OPTIONS" in line for line in registry.access_lines)
    assert fetched(window, f"{group}/simple/other/")[0] == 404

    # Nothing else, not even that it exists; also not with credentials.
    private, missing = (f"{registry.api}/projects/{number}/packages/pypi/simple/" for number in (2, 3))
    for url, options in (
        (private, {}),
        (missing, {}),
        (private, {"credentials": "include"}),
        (f"{group}/simple/", {"credentials": "include"}),
        (f"{group}/simple/", {"headers": {"PRIVATE-TOKEN": SECRET}}),
        (f"{registry.api}/projects/1/packages", {}),
        (f"{registry.site}/", {}),
    ):
        assert fetched(window, url, **options)[::2] == (0, "TypeError: Failed to fetch")


@pytest.mark.skipif(not NPM, reason="npm is not installed")
def test_micropip_installs(root: Path, window: Browser, registry: Served, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    missing, index = (f"{registry.api}/{path}/packages/pypi/simple" for path in ("projects/3", "groups/acme/-"))
    modules = node_modules(pytestconfig.cache.mkdir("clients"))
    assert micropip_installs(window, root, modules, "demo==1.0", missing, index) == {"demo": "1.0"}
