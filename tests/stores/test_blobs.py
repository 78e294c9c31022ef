"""The contract of a store of bytes, over every store of the package."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_registry.storage import Blobs, Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs
from pypi_registry.testing.contracts import BlobsContract


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
