"""The HTTP endpoints over PostgreSQL: each once, compared with the catalogue in memory; or the whole suite of tests."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import AllowAll, Registry
from pypi_registry._api.routes import ROUTES, match
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.testing import Distribution, Variant, make_sdist, make_wheel

ROOT = Path(__file__).parents[3]
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
PROJECT, GROUP = "/projects/acme%2Ftools", "/groups/acme"


class Story:
    """Requests to a registry, with the status and the body of each response."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._app = TestApp(Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs(), forward_to=None))
        self.responses: list[tuple[str, int, str]] = []
        self.endpoints: set[tuple[str, str]] = set()

    def tell(self) -> None:
        for distribution in (make_wheel("demo", "1.0"), make_sdist("demo", "1.0"), make_wheel("demo", "1.0")):
            self._upload(distribution)
        self._upload(make_wheel("other", "2.0"))
        self._upload(make_wheel("fast", "1.0", variant=Variant("q1")))
        self._send("PATCH", f"{PROJECT}/packages/pypi/simple/other", {"status": "deprecated", "reason": "old\0"})
        for namespace in (PROJECT, f"{GROUP}/-"):
            for path in ("/packages/pypi/simple", "/packages/pypi/simple/demo", "/packages/pypi/simple/other"):
                self._send("GET", namespace + path)
                page = self._send("GET", namespace + path, headers=JSON)
            [file] = page.json["files"]
            url = f"{namespace}/packages/pypi/files/{file['hashes']['sha256']}/{file['filename']}"
            self._send("GET", url)
            self._send("GET", f"{url}.metadata")
            _, variants = self._send("GET", f"{namespace}/packages/pypi/simple/fast", headers=JSON).json["files"]
            digest = variants["hashes"]["sha256"]
            self._send("GET", f"{namespace}/packages/pypi/files/{digest}/{variants['filename']}")
        self._send("GET", f"{PROJECT}/packages/pypi/+simple/demo")
        for namespace in (PROJECT, GROUP):
            self._send("GET", namespace)
        self._send("GET", f"{GROUP}/packages?order_by=version&sort=desc")
        packages = self._send("GET", f"{PROJECT}/packages").json
        demo, other, _ = (f"{PROJECT}/packages/{package['id']}" for package in packages)
        self._send("GET", demo)
        self._send("PATCH", demo, {"yanked": "broken"})
        files = self._send("GET", f"{demo}/package_files").json
        self._send("GET", f"{demo}/package_files/{files[0]['id']}/download")
        self._send("DELETE", f"{demo}/package_files/{files[0]['id']}")
        self._send("DELETE", f"{demo}/package_files/{files[0]['id']}")
        self._send("DELETE", other)
        self._send("GET", f"{PROJECT}/packages")
        self._send("GET", f"{PROJECT}/packages/pypi/simple/demo", headers=JSON)

    def _upload(self, distribution: Distribution) -> None:
        name, version = distribution.filename.split("-")[:2]
        fields = {"metadata_version": "2.1", "name": name, "version": version.removesuffix(".tar.gz")}
        upload = [("content", distribution.filename, distribution.data)]
        path = f"{PROJECT}/packages/pypi"
        self._note("POST", path, self._app.post(path, fields, upload_files=upload, expect_errors=True))

    def _send(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        if body is not None:
            options |= {"body": json.dumps(body).encode(), "content_type": "application/json"}
        response = self._app.request(path, method=method, expect_errors=True, **options)
        self._note(method, path, response)
        return response

    def _note(self, method: str, path: str, response: Any) -> None:
        body = _without_ids_and_times(response.body.decode("latin-1"))
        self.responses.append((_without_ids_and_times(f"{method} {path}"), response.status_int, body))
        self.endpoints.add((match(path.partition("?")[0]).route.path, method))


def _without_ids_and_times(text: str) -> str:
    """Return a text that does not depend on the moment, nor on ids: those of a refused upload are not used again."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return re.sub(r'("id": |"package_id": |packages/|package_files/)\d+', r"\1ID", text)


@pytest.mark.slow
def test_each_endpoint_responds_as_over_memory(catalogue: PostgresCatalogue) -> None:
    stories = [Story(each) for each in (MemoryCatalogue(), catalogue)]
    for story in stories:
        story.tell()
    in_memory, in_database = stories
    assert in_database.responses == in_memory.responses
    assert {status for _, status, _ in in_database.responses} == {200, 201, 204, 400, 404}
    assert in_database.endpoints == {(route.path, method) for route in ROUTES for method in route.endpoints}


@pytest.mark.long
def test_the_whole_suite_over_http_passes() -> None:
    command = [sys.executable, "-m", "pytest", "tests/api", "--catalogue=postgres", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
