"""Links of pages are relative: right behind every proxy, whatever it forwards."""

import re
from collections.abc import Iterable
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry.testing.archives import distribution

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BROWSER = "text/html,application/xhtml+xml"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
TOOLS = "acme/libs/tools"


class Stripping:
    """A registry below ``/api/v4``, behind a proxy that strips a prefix and does not forward it."""

    PREFIX = "/strip/ped"

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"].removeprefix(self.PREFIX)
        environ.update(SCRIPT_NAME="/api/v4", PATH_INFO=path.removeprefix("/api/v4"))
        return self.registry(environ, start_response)


@pytest.fixture(scope="module")
def client() -> TestApp:
    client = TestApp(Stripping(Registry()))
    for filename in ("demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-2.0.tar.gz"):
        version = filename.split("-")[1].removesuffix(".tar.gz")
        form, files = {"name": "demo", "version": version}, [("content", filename, distribution(filename))]
        client.post(f"{Stripping.PREFIX}/api/v4/projects/acme%2Flibs%2Ftools/packages/pypi", form, upload_files=files)
    return client


def links(page: Any) -> list[str]:
    if page.content_type == SIMPLE_JSON:
        return [file["url"] for file in page.json.get("files", [])]
    return [unescape(found) for found in re.findall(r'(?:href|action|src)="([^"]*)"', page.text)]


def follow(client: TestApp, url: str, accept: str, visited: set[str]) -> None:
    """Follow every link of a page, and of the pages that it leads to."""
    path = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl()
    if path in visited:
        return
    visited.add(path)
    page = client.get(path, headers={"Accept": accept}, status=200)
    if page.content_type == "application/octet-stream":
        return
    for link in links(page):
        found = urlsplit(link)
        assert not found.scheme and not found.netloc, link
        follow(client, urljoin(url, link), accept, visited)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "page",
    [
        "projects/{project}/packages",
        "projects/{project}/packages/1",
        "projects/{project}/packages/pypi/simple",
        "projects/{project}/packages/pypi/simple/demo",
        "groups/acme/packages",
        "groups/acme/-/packages/pypi/simple/demo",
        "groups/acme%2Flibs/-/packages/pypi/simple/demo",
    ],
)
@pytest.mark.parametrize("project", ["acme%2Flibs%2Ftools", "acme/libs/tools"])
@pytest.mark.parametrize("accept", [BROWSER, SIMPLE_JSON])
def test_every_link_leads_on_behind_a_prefix_that_nobody_forwards(
    client: TestApp, page: str, project: str, slash: str, accept: str
) -> None:
    path = f"{Stripping.PREFIX}/api/v4/{page.format(project=project)}{slash}"
    visited: set[str] = set()
    follow(client, f"https://registry.example{path}", accept, visited)
    assert all(path.startswith(f"{Stripping.PREFIX}/api/v4/") for path in visited)
    if accept == BROWSER:  # the JSON of an index, and that of the Packages API, have names and ids, but no links
        assert any(path.endswith((".tar.gz", "/download")) for path in visited)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("group", ["acme%2Flibs", "acme/libs"])
@pytest.mark.parametrize("script_name", ["", "/api/v4", "/pre/fix/api/v4", "//evil.example/api/v4"])
def test_the_list_of_a_subgroup_has_paths_below_the_forwarded_prefix(
    client: TestApp, group: str, slash: str, script_name: str
) -> None:
    registry: Any = TestApp(client.app.registry, extra_environ={"SCRIPT_NAME": script_name})
    page = registry.get(f"/groups/{group}/packages{slash}", headers={"Accept": BROWSER}, status=200)
    prefix = f"/{script_name.strip('/')}" if script_name else ""
    assert len(links(page)) == 2
    assert all(re.fullmatch(rf"{re.escape(prefix)}/projects/\d+/packages(/\d+)?", link) for link in links(page))


@pytest.mark.parametrize("script_name", ["/pre/fix", "pre/fix", "//pre/fix/", "evil.example", ".evil.example"])
def test_a_prefix_never_becomes_a_part_of_the_host(client: TestApp, script_name: str) -> None:
    registry: Any = TestApp(client.app.registry, extra_environ={"SCRIPT_NAME": script_name}, lint=False)
    headers = {"Host": "registry.example"}
    [package, *_] = registry.get("/projects/acme%2Flibs%2Ftools/packages", headers=headers).json
    url = urlsplit(package["_links"]["delete_api_path"])
    assert url.netloc == "registry.example"
    assert url.path.startswith(f"/{script_name.strip('/')}/projects/")
