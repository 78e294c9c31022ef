"""Fixtures with object stores."""

from collections.abc import Iterator

import pytest

from tests.stores import swift
from tests.stores.buckets import Moto, Rclone, moto, rclone, use_endpoint


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    with moto() as served:
        yield served


@pytest.fixture
def s3(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """moto's S3, which obstore uses; no request is recorded yet."""
    use_endpoint(monkeypatch, moto_server.endpoint)
    moto_server.fault = None
    moto_server.sent.clear()
    return moto_server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    with rclone(tmp_path_factory.mktemp("rclone") / "served") as served:
        yield served


@pytest.fixture(scope="session")
def swift_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with swift.swift(tmp_path_factory.mktemp("swift")) as endpoint:
        yield endpoint
