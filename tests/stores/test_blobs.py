"""The contract of a store of bytes, over every store of the package."""

import hashlib
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from pypi_registry.storage import Blobs, Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.testing.contracts import BlobsContract
from tests.stores import swift
from tests.stores.azurite import new_container, use_azurite
from tests.stores.buckets import Moto, Rclone, new_bucket, use_endpoint
from tests.stores.gcs import GCS


class TestMemoryBlobs(BlobsContract):
    def make_blobs(self) -> Blobs:
        return MemoryBlobs()


class TestFileBlobs(BlobsContract):
    accel: str | None = None

    @pytest.fixture(autouse=True)
    def folder_without_incomplete_files(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        yield
        assert list((tmp_path / "incoming").iterdir()) == []

    def make_blobs(self) -> Blobs:
        return FileBlobs(self.folder, accel=self.accel)

    def reopen(self, blobs: Blobs) -> Blobs:
        return self.make_blobs()


class TestFileBlobsThatNginxSends(TestFileBlobs):
    accel = "/blobs/"

    def follow(self, redirect: Redirect) -> bytes:
        assert redirect.internal
        return (self.folder / redirect.url.removeprefix("/blobs/")).read_bytes()


class TestObjectBlobs(BlobsContract):
    """Over moto, which does not verify signatures; rclone does."""

    deliver = ""

    @pytest.fixture(autouse=True)
    def bucket(self, s3: Moto, tmp_path: Path) -> Iterator[None]:
        self.url = f"s3://{s3.new_bucket()}/a/prefix{self.deliver}"
        self.spool = tmp_path / "spool"
        yield
        assert [*self.spool.iterdir()] == []

    def make_blobs(self) -> Blobs:
        return ObjectBlobs.from_url(self.url, spool=self.spool)

    def reopen(self, blobs: Blobs) -> Blobs:
        return self.make_blobs()


class _StoresInParts(TestObjectBlobs):
    def test_a_large_file_is_stored_in_parts(self) -> None:
        blobs = ObjectBlobs(self.url.partition("?")[0])
        data = secrets.token_bytes(20_000_000)
        digest = hashlib.sha256(data).hexdigest()
        blobs.put("a" * 32, BytesIO(data), size=len(data), sha256=digest, filename="demo-1.0.tar.gz")
        found = self._get(self.make_blobs(), "a" * 32, len(data))
        assert found is not None and hashlib.sha256(found).hexdigest() == digest


class TestObjectBlobsOfGCS(_StoresInParts):
    """Over moto, which processes the XML API of GCS; the tokens are verified."""

    @pytest.fixture(autouse=True)
    def bucket(self, gcs: GCS, tmp_path: Path) -> None:
        self.url = f"gs://{gcs.new_bucket()}/a/prefix"
        self.spool = tmp_path / "spool"


@pytest.mark.long
class TestObjectBlobsInAzurite(_StoresInParts):
    @pytest.fixture(autouse=True)
    def bucket(self, azurite_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        use_azurite(monkeypatch, azurite_endpoint)
        self.url = f"az://{new_container(azurite_endpoint)}/a/prefix"
        self.spool = tmp_path / "spool"


@pytest.mark.slow
class TestObjectBlobsInRclone(TestObjectBlobs):
    @pytest.fixture(autouse=True)
    def bucket(self, rclone_server: Rclone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        use_endpoint(monkeypatch, rclone_server.endpoint)
        self.url = f"s3://{new_bucket(rclone_server.endpoint)}/a/prefix{self.deliver}"
        self.spool = tmp_path / "spool"


@pytest.mark.slow
class TestObjectBlobsThatRedirectToRclone(TestObjectBlobsInRclone):
    deliver = "?deliver=redirect"

    def follow(self, redirect: Redirect) -> bytes | None:
        return followed(redirect)


@pytest.mark.long
class TestObjectBlobsInSwift(_StoresInParts):
    @pytest.fixture(autouse=True)
    def bucket(self, swift_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keys = {"AWS_ACCESS_KEY_ID": swift.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": swift.SECRET_KEY}
        use_endpoint(monkeypatch, swift_endpoint, AWS_REGION="us-east-1", **keys)
        name = new_bucket(swift_endpoint, swift.ACCESS_KEY, swift.SECRET_KEY)
        self.url = f"s3://{name}/a/prefix{self.deliver}"
        self.spool = tmp_path / "spool"


@pytest.mark.long
class TestObjectBlobsThatRedirectToSwift(TestObjectBlobsInSwift):
    deliver = "?deliver=redirect"

    def follow(self, redirect: Redirect) -> bytes | None:
        return followed(redirect)


def followed(redirect: Redirect) -> bytes | None:
    """Return what a client receives."""
    assert not redirect.internal
    try:
        with urllib.request.urlopen(redirect.url) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 404:
                raise
        return None
