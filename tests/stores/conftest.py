"""Fixtures with object stores."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.stores import swift
from tests.stores.azurite import azurite
from tests.stores.buckets import Moto, Rclone, moto, rclone, use_endpoint
from tests.stores.gcs import GCS, new_key, pem, use_gcs


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
def service_account_key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def gcs(s3: Moto, service_account_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> GCS:
    """moto as GCS, which obstore uses."""
    use_gcs(monkeypatch, s3.endpoint, pem(service_account_key))
    return GCS(s3, service_account_key)


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    with rclone(tmp_path_factory.mktemp("rclone") / "served") as served:
        yield served


@pytest.fixture(scope="session")
def swift_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with swift.swift(tmp_path_factory.mktemp("swift")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def azurite_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite(tmp_path_factory.mktemp("azurite")) as endpoint:
        yield endpoint
