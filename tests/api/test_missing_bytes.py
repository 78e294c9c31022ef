"""Rows whose bytes are missing or have another length: 503, and a line in the log."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from webtest import TestApp

from pypi_registry import AllowAll, Project, Registry
from pypi_registry._maintenance.fsck import Check, Options
from pypi_registry._maintenance.problems import Kind
from pypi_registry._paths import id_from_path
from pypi_registry.model import PackageFile, Projects
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

FILENAME = "demo-1.0-py3-none-any.whl"
DATA = distribution(FILENAME)
PROJECT = Project(id_from_path("acme"), "acme")
PYPI = "/projects/acme/packages/pypi"


class Site:
    """A registry with one file."""

    def __init__(self, blobs: MemoryBlobs | FileBlobs) -> None:
        self.blobs = blobs
        self.catalogue = MemoryCatalogue()
        self.app = TestApp(Registry(auth=AllowAll(), catalogue=self.catalogue, blobs=blobs))
        form = {"name": "demo", "version": "1.0"}
        self.app.post(PYPI, form, upload_files=[("content", FILENAME, DATA)], status=201)

    @property
    def file(self) -> PackageFile:
        listing = self.catalogue.listing(Projects([PROJECT]), "demo")  # type: ignore[arg-type]  # a normalized name
        assert listing is not None
        return listing.files[0]

    @property
    def paths(self) -> tuple[str, str, str]:
        digest = hashlib.sha256(DATA).hexdigest()
        return (
            f"{PYPI}/files/{digest}/{FILENAME}",
            f"/groups/acme/-/packages/pypi/files/{digest}/{FILENAME}",
            f"/projects/acme/packages/{self.file.package.id}/package_files/{self.file.id}/download",
        )

    def replace_bytes(self, size: int | None) -> str:
        """Let other bytes be stored, or none; return the key."""
        [(key, _, _)] = self.blobs.keys()
        self.blobs.delete(key)
        if size is not None:
            self.blobs.put(key, BytesIO(bytes(size)), size=size, sha256="", filename=FILENAME)
        return key


@pytest.fixture(params=["memory", "files", "nginx"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    accel = "/blobs/" if request.param == "nginx" else None
    return Site(MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path, accel=accel))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("part", ["", "bytes=0-1", "bytes=-5", "bytes=5-"])
@pytest.mark.parametrize(
    "size", [None, 0, len(DATA) - 1, len(DATA) + 1], ids=["missing", "empty", "truncated", "longer"]
)
def test_a_file_without_its_bytes_is_a_logged_503(
    site: Site, caplog: pytest.LogCaptureFixture, method: str, part: str, size: int | None
) -> None:
    key = site.replace_bytes(size)
    for path in (site.paths[0], site.paths[2]):
        caplog.clear()
        answer = site.app.request(path, method=method, headers={"Range": part} if part else {}, status=503)
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not {"Content-Range", "ETag", "X-Accel-Redirect"} & {*answer.headers}
        (record,) = caplog.records
        assert key in record.getMessage()


@pytest.mark.parametrize("site", ["memory", "files"], indirect=True)
def test_wrong_bytes_of_the_right_length_are_found_by_clients_and_by_a_check_of_the_digests(site: Site) -> None:
    """To compare digests, the registry would have to read each file twice."""
    site.replace_bytes(len(DATA))
    page: Any = site.app.get(f"{PYPI}/simple/demo/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}).json
    (listed,) = page["files"]
    sent = site.app.get(site.paths[0], status=200).body
    assert hashlib.sha256(sent).hexdigest() != listed["hashes"]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert [*Check(site.catalogue, site.blobs, Options()).problems()] == []
    (problem,) = Check(site.catalogue, site.blobs, Options(digests=True)).problems()
    assert problem.kind is Kind.WRONG_DIGEST and not problem.repaired


def test_a_file_that_the_client_has_is_not_opened(site: Site) -> None:
    site.replace_bytes(None)
    tag = f'"{hashlib.sha256(DATA).hexdigest()}"'
    site.app.get(site.paths[0], headers={"If-None-Match": tag}, status=304)


def test_the_bytes_are_served_again_when_they_are_restored(site: Site) -> None:
    key = site.replace_bytes(None)
    site.app.get(site.paths[0], status=503)
    site.blobs.put(key, BytesIO(DATA), size=len(DATA), sha256="", filename=FILENAME)
    site.app.get(site.paths[0], status=200)


class DeletesWhenOpened(MemoryBlobs):
    """Lets another request delete the file after its row was read, and before its bytes are opened."""

    site: "Site | None" = None

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | None:
        assert self.site is not None
        self.site.catalogue.delete_file(PROJECT, self.site.file.id, "")
        return None


@pytest.mark.parametrize("number", [0, 2])
def test_a_file_that_is_deleted_while_it_is_opened_is_404(number: int, caplog: pytest.LogCaptureFixture) -> None:
    blobs = DeletesWhenOpened()
    site = blobs.site = Site(blobs)
    site.app.get(site.paths[number], status=404)
    assert caplog.records == []


def test_a_redirect_of_another_server_is_not_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.blobs, "open", lambda key, **_: Redirect("https://objects.example/signed"))
    site.app.get(site.paths[0], status=302)


def test_core_metadata_that_a_row_promises_and_has_not_is_503(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"{site.paths[0]}.metadata"
    site.app.get(path, status=200)
    monkeypatch.setattr(site.catalogue, "core_metadata", lambda file_id: None)
    for method in ("GET", "HEAD"):
        answer: Any = site.app.request(path, method=method, status=503)
        assert answer.headers["Retry-After"] == "5"
    assert FILENAME in caplog.text


def test_core_metadata_of_a_file_that_was_deleted_meanwhile_is_404(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{site.paths[0]}.metadata"

    def deleted(file_id: int) -> None:
        site.catalogue.delete_file(PROJECT, file_id, "")

    monkeypatch.setattr(site.catalogue, "core_metadata", deleted)
    site.app.get(path, status=404)


def test_a_folder_in_the_place_of_a_blob_is_503_and_its_deletion_204(tmp_path: Path) -> None:
    site = Site(FileBlobs(tmp_path))
    key = site.replace_bytes(None)
    (tmp_path / key[0] / key).mkdir()
    for path in (site.paths[0], site.paths[2]):
        assert site.app.get(path, status=503).headers["Retry-After"] == "5"
    site.app.delete(f"/projects/acme/packages/{site.file.package.id}", status=204)
