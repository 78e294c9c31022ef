"""`ObjectBlobs` in GCS and in Azure: what differs from S3, and a registry whose files are there.

The suite of the contract runs in `test_blobs.py`.
"""

import hashlib
import json
import secrets
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from obstore.store import AzureStore, GCSStore

from pypi_registry._cli.main import main
from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.testing.archives import distribution
from tests.clients.served import served
from tests.clients.wire import get, login, request, upload
from tests.postgres import Cluster
from tests.stores import azurite
from tests.stores.azurite import new_container, use_azurite
from tests.stores.buckets import error_response, raw_server, received_head
from tests.stores.gcs import GCS, fake_gcs_server, new_key, pem, put_in_fake_gcs_server, use_gcs
from tests.stores.test_objects import KEY, MEGABYTE, opened, put


@dataclass(frozen=True)
class Cloud:
    """A bucket of GCS, or a container of Azure, which obstore uses."""

    scheme: str
    name: str
    use_key: Callable[[str], None]
    """Lets obstore use another key."""
    wrong_key: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.name}/prefix"

    def store(self) -> GCSStore | AzureStore:
        """Return obstore's client."""
        return GCSStore(self.name) if self.scheme == "gs" else AzureStore(self.name)


@pytest.fixture(params=["gs", pytest.param("az", marks=pytest.mark.long)])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    if request.param == "gs":
        gcs: GCS = request.getfixturevalue("gcs")
        name = gcs.new_bucket()
        return Cloud("gs", name, lambda key: use_gcs(monkeypatch, gcs.moto.endpoint, key), pem(new_key()))
    endpoint: str = request.getfixturevalue("azurite_endpoint")
    use_azurite(monkeypatch, endpoint)
    wrong_key = azurite.KEY.swapcase()
    return Cloud("az", new_container(endpoint), lambda key: use_azurite(monkeypatch, endpoint, key), wrong_key)


def acts(blobs: ObjectBlobs) -> list[Callable[[], object]]:
    """Return a call of each method that sends a request."""
    return [
        lambda: put(blobs, b"x"),
        lambda: put(blobs, bytes(9 * MEGABYTE)),
        lambda: blobs.open(KEY, size=1),
        lambda: blobs.open(KEY, size=1, part=range(1)),
        lambda: blobs.delete(KEY),
        lambda: [*blobs.keys()],
        blobs.check_health,
    ]


def test_a_wrong_key_is_an_error_without_the_key(cloud: Cloud) -> None:
    put(ObjectBlobs(cloud.url), b"x")
    cloud.use_key(cloud.wrong_key)
    for act in acts(ObjectBlobs(cloud.url)):
        with pytest.raises(StorageUnavailable, match="refuses the request or its credentials") as raised:
            act()
        shown = "".join(traceback.format_exception(raised.value))
        assert "http://" not in shown
        for line in cloud.wrong_key.splitlines():
            assert line not in shown


def test_credentials_that_the_server_of_tokens_refuses_are_an_error_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = b'{"error": "invalid_client", "error_description": "of hunter2"}'

    def refuse(connection: socket.socket) -> None:
        while received_head(connection):
            head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

    with raw_server(refuse) as url:
        use_azurite(monkeypatch, url)
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
        for name, value in {"CLIENT_ID": "id", "CLIENT_SECRET": "hunter2", "TENANT_ID": "tenant"}.items():
            monkeypatch.setenv(f"AZURE_{name}", value)
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", url)
        for act in acts(ObjectBlobs("az://container")):
            with pytest.raises(StorageUnavailable, match="refuses the request or its credentials") as raised:
                act()
            assert str(raised.value.__cause__) == "GenericError 400"
            assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_bucket_that_does_not_exist_is_unavailable(cloud: Cloud) -> None:
    for act in acts(ObjectBlobs(f"{cloud.scheme}://no-such-bucket/prefix")):
        with pytest.raises(StorageUnavailable, match="no such bucket"):
            act()


@pytest.mark.parametrize("size", [1, 9 * MEGABYTE], ids=["small", "in parts"])
def test_an_object_has_the_headers_of_a_download(cloud: Cloud, size: int) -> None:
    put(ObjectBlobs(cloud.url), bytes(size), filename="é.whl")
    assert obstore.get(cloud.store(), f"prefix/{KEY}").attributes == {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment; filename*=UTF-8''%C3%A9.whl",
        "Cache-Control": "private, max-age=31536000, immutable",
    }


def test_other_objects_of_the_bucket_are_not_keys(cloud: Cloud) -> None:
    blobs = ObjectBlobs(cloud.url)
    put(blobs, b"x")
    for name in ("readme", f"prefix/{KEY}/x", f"prefix/x{KEY}", "prefix/readme", f"prefixed/{KEY}", KEY):
        obstore.put(cloud.store(), name, b"x")
    assert [(key, size) for key, size, _ in [*blobs.keys()]] == [(KEY, 1)]
    assert [key for key, _, _ in [*ObjectBlobs(f"{cloud.scheme}://{cloud.name}").keys()]] == [KEY]


def test_a_part_that_gcs_refuses_aborts_the_upload(gcs: GCS) -> None:
    blobs = ObjectBlobs(f"gs://{gcs.new_bucket()}")
    gcs.fault = lambda sent: error_response(403, "AccessDenied") if sent.args.get("partNumber") == "2" else None
    with pytest.raises(StorageUnavailable, match="refuses the request"):
        put(blobs, bytes(17 * MEGABYTE))
    assert gcs.moto.lines[-1] == "DELETE uploadId"
    assert blobs.open(KEY, size=17 * MEGABYTE) is None


@pytest.mark.long
def test_objects_of_fake_gcs_server_are_read_listed_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, other = secrets.token_bytes(3_000_001), "f" * 32
    with fake_gcs_server(tmp_path) as url:
        objects = {f"a/prefix/{KEY}": data, f"a/prefix/{other}": b"", f"b/{'e' * 32}": b"x"}
        put_in_fake_gcs_server(url, "bucket-1", objects)
        use_gcs(monkeypatch, url)
        blobs = ObjectBlobs("gs://bucket-1/a/prefix")
        assert {key: size for key, size, _ in [*blobs.keys()]} == {KEY: len(data), other: 0}
        with opened(blobs, len(data)) as stream:
            assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(data).digest()
        for part in (range(1), range(100, 300), range(2_000_000, len(data)), range(7, 7)):
            with opened(blobs, len(data), part) as stream:
                assert stream.read() == data[part.start : part.stop]
        blobs.delete(KEY)
        assert [key for key, _, _ in [*blobs.keys()]] == [other]


@pytest.mark.slow
def test_files_are_uploaded_downloaded_checked_and_deleted(
    cloud: Cloud,
    postgres: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The environment variables name the stores, and contain the credentials."""
    monkeypatch.setenv("PYPI_REGISTRY_CATALOGUE", postgres.create_database(f"clouds_{cloud.scheme}"))
    monkeypatch.setenv("PYPI_REGISTRY_BLOBS", cloud.url)
    monkeypatch.chdir(tmp_path)
    assert main(["migrate"]) == 0
    blobs = ObjectBlobs(cloud.url)
    with served(tmp_path / "pypi-registry-data") as server:
        api = f"{server.api}/projects/1/packages"
        for version, size in (("1.0", 1000), ("2.0", 20 * MEGABYTE)):  # sent in one request, and in parts
            filename = f"demo-{version}.tar.gz"
            data = distribution(filename, size=size)
            fields = {"name": "demo", "version": version}
            assert upload(f"{api}/pypi", server.secret, fields, filename, data).status == 201
            url = f"{api}/pypi/files/{hashlib.sha256(data).hexdigest()}/{filename}"
            whole = get(url, server.secret)
            assert (whole.status, len(whole.body), whole.body == data) == (200, len(data), True)
            part = request("GET", url, {**login(server.secret), "Range": "bytes=100-299"})
            assert (part.status, part.body) == (206, data[100:300])
            head = request("HEAD", url, login(server.secret))
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
        assert main(["fsck", "--digests"]) == 0
        sizes = sorted(size for _, size, _ in [*blobs.keys()])
        assert len(sizes) == 2 and sizes[1] == len(data)

        packages = {package["version"]: package["id"] for package in json.loads(get(api, server.secret).body)}
        assert request("DELETE", f"{api}/{packages['1.0']}", login(server.secret)).status == 204
        [(key, _, _)] = [*blobs.keys()]
        blobs.delete(key)  # not by the registry
        assert get(url, server.secret).status == 503
    capsys.readouterr()
    assert main(["fsck"]) == 1
    assert "missing-blob: main/packages demo-2.0.tar.gz" in capsys.readouterr().out
