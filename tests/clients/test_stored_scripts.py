"""Packages whose every field is a script, in a browser: nothing of them runs, and the policy of a page holds alone.

A script that runs requests `CANARY`, and so does an image that is loaded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

from pypi_registry import Project, Registry, Visibility
from pypi_registry._open_access import Everyone
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Projects
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution, wheel_filename
from tests.clients.test_browser import CHROMIUM, dom

CANARY = "/canary"
TAG = f"<script>fetch('{CANARY}?script')</script><img src={CANARY}?image onerror=\"fetch('{CANARY}?handler')\">"
SCRIPT = f"</title></pre></td>'\">{TAG}"  # at most 255 characters, as a summary
FRAME = f"{SCRIPT}<iframe srcdoc='{escape(TAG)}'></iframe><form action={CANARY}?form>"
MARKDOWN = f"# a\n\n{TAG}\n\n[a](javascript:fetch('{CANARY}?link')) ![b]({CANARY}?markdown)\n\n<div>\n{TAG}\n</div>\n"
PROJECT = Project(1, f"acme/{SCRIPT}", visibility=Visibility.PUBLIC)
GROUP = Group(2, f"acme{SCRIPT}", SCRIPT)

FIELDS = {
    "summary": SCRIPT,
    "author": SCRIPT,
    "author_email": f"{SCRIPT} <a@b.example>",
    "maintainer": SCRIPT,
    "maintainer_email": f"{SCRIPT} <a@b.example>",
    "home_page": f"javascript:{SCRIPT}",
    "download_url": f"javascript:{SCRIPT}",
    "project_urls": f"{SCRIPT}, javascript:{SCRIPT}",
    "classifiers": SCRIPT,
    "keywords": SCRIPT,
    "license": SCRIPT,
    # A Requires-Python with a script is refused, and so is a dependency, except in the text of a marker.
    "requires_dist": f"other; os_name == \"<script>fetch('{CANARY}?dependency')</script>\"",
    "platform": SCRIPT,
}
HEADERS = {
    "summary": "Summary",
    "author": "Author",
    "author_email": "Author-email",
    "maintainer": "Maintainer",
    "home_page": "Home-page",
    "project_urls": "Project-URL",
    "classifiers": "Classifier",
    "keywords": "Keywords",
    "license": "License",
    "requires_dist": "Requires-Dist",
}


class Directory:
    """One project in one group, both with hostile names."""

    def project(self, ref: Ref) -> Project | None:
        return PROJECT if ref in (PROJECT.id, PROJECT.path) else None

    def group(self, ref: Ref) -> Group | None:
        return GROUP if ref in (GROUP.id, GROUP.path) else None

    def projects_in(self, group: Group) -> Projects:
        return Projects([PROJECT])


class Auth:
    """Everyone may do anything, under a hostile name."""

    def authenticate(self, credentials: object, namespace: object, environ: Mapping[str, object]) -> Everyone:
        return Everyone(name=SCRIPT, via=SCRIPT, anonymous=False)


@dataclass
class Site:
    """A registry, and what a browser asked for beside its pages."""

    application: Any
    pages_escape: bool = True
    """Whether the pages are as the registry renders them; otherwise all their text becomes markup."""
    policy: bool = True
    """Whether the pages have their Content-Security-Policy."""
    url: str = ""
    canaries: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == CANARY:
            self.canaries.append(environ["QUERY_STRING"])
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b""]
        started: list[Any] = []
        body = b"".join(self.application(environ, lambda *response: started.append(response)))
        status, headers = started[0][:2]
        names = {name.lower(): value for name, value in headers}
        if names.get("content-type", "").startswith("text/html"):
            if not self.pages_escape and "content-encoding" not in names:
                body = unescape(body.decode()).encode()
            left_out = {"content-length"} if self.policy else {"content-length", "content-security-policy"}
            headers = [(name, value) for name, value in headers if name.lower() not in left_out]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server names it so
        pass


@contextmanager
def running(site: Site) -> Iterator[None]:
    server = make_server("127.0.0.1", 0, site, handler_class=Quiet)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publish(url: str) -> None:
    """Publish hostile packages, with a description in Markdown and one in HTML."""
    project = f"{url}/projects/1/packages"
    for version, content_type, text in (("1.0", "text/markdown", MARKDOWN), ("2.0+script", "text/html", FRAME)):
        filename = wheel_filename("demo", version)
        described = {**FIELDS, "description": text, "description_content_type": content_type}
        headers = [(HEADERS[name], value) for name, value in FIELDS.items() if name in HEADERS]
        headers.append(("Description-Content-Type", content_type))
        form = {":action": "file_upload", "protocol_version": "1", "name": "demo", "version": version, **described}
        content = distribution(filename, headers=headers)
        answer = requests.post(f"{project}/pypi", data=form, files={"content": (filename, content)}, timeout=30)
        assert answer.status_code == 201, answer.text
    for package in requests.get(project, timeout=30).json():
        answer = requests.patch(f"{project}/{package['id']}", json={"yanked": SCRIPT}, timeout=30)
        assert answer.status_code == 200, answer.text
    status = {"status": "deprecated", "reason": SCRIPT}
    assert requests.patch(f"{project}/pypi/simple/demo", json=status, timeout=30).status_code == 200


@pytest.fixture
def site() -> Iterator[Site]:
    registry = Registry(
        directory=Directory(),
        auth=Auth(),
        catalogue=MemoryCatalogue(),
        blobs=MemoryBlobs(),
        forward_to="https://index.example/<script>/",
    )
    site = Site(registry)
    with running(site):
        publish(site.url)
        yield site


def pages(site: Site) -> list[str]:
    """Return the URLs of all pages: lists, packages, simple pages, a redirect and errors."""
    packages = requests.get(f"{site.url}/projects/1/packages", timeout=30).json()
    query = "?package_name=%3C/title%3E%3Cscript%3Efetch('/canary')%3C/script%3E"
    return [
        f"{site.url}{path}"
        for path in (
            "/projects/1/packages",
            "/groups/2/packages",
            f"/projects/1/packages{query}",
            *(f"/projects/1/packages/{package['id']}" for package in packages),
            "/projects/1/packages/pypi/simple/",
            "/projects/1/packages/pypi/simple/demo/",
            "/groups/2/-/packages/pypi/simple/demo/",
            "/projects/1/packages/%3Cscript%3E",
            "/projects/%3Cscript%3Efetch('/canary')%3C%2Fscript%3E/packages",
            "/%3Cscript%3E",
        )
    ]


def test_every_page_has_a_policy_that_runs_nothing(site: Site) -> None:
    redirect = f"{site.url}/projects/1/packages/pypi/simple/other/"
    kinds = set()
    for url in [*pages(site), redirect]:
        answer = requests.get(url, headers={"Accept": "text/html"}, allow_redirects=False, timeout=30)
        kind = answer.headers["Content-Type"].partition(";")[0]
        kinds.add((kind, answer.status_code))
        if kind == "text/html":
            assert "<script" not in answer.text and "<img" not in answer.text and "<iframe" not in answer.text
            policy = answer.headers["Content-Security-Policy"].split("; ")
            assert "default-src 'none'" in policy and not any(part.startswith("script-src") for part in policy)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        else:
            assert kind == "application/json" and answer.status_code >= 400
    assert kinds >= {("text/html", 200), ("text/html", 302), ("text/html", 404)}


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("pages_escape", [True, False], ids=["escaped", "with the policy alone"])
def test_no_stored_script_runs_in_a_browser(site: Site, pages_escape: bool, tmp_path: Path) -> None:
    site.pages_escape = pages_escape
    for url in pages(site):
        assert dom(url, tmp_path / "profile")
    assert site.canaries == []


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_the_scripts_would_run_without_escaping_and_policy(site: Site, tmp_path: Path) -> None:
    site.pages_escape = site.policy = False
    [package, *_] = requests.get(f"{site.url}/projects/1/packages", timeout=30).json()
    for url in (f"{site.url}/projects/1/packages", f"{site.url}/projects/1/packages/{package['id']}"):
        site.canaries.clear()
        dom(url, tmp_path / "profile")
        assert {"script", "image"} <= set(site.canaries)
