"""``pypi-registry copy`` between a data folder and a database with a bucket: there, with changes, and back."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug.wrappers import Request, Response

from pypi_registry._cli.location import Location
from pypi_registry._cli.main import main
from pypi_registry._cli.stores import open_stores
from pypi_registry._records import CopiedRecord
from pypi_registry.model import NameStatus, PackageMetadata, Status
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution
from pypi_registry.testing.contracts.catalogue.samples import DEMO, TOOLS, answers
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores
from tests.postgres import Cluster
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, Moto, moto, use_endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    with moto() as served:
        use_endpoint(monkeypatch, served.endpoint)
        yield served


def test_a_registry_is_copied_to_a_database_and_a_bucket_and_back(
    tmp_path: Path, postgres: Cluster, bucket: Moto, capsys: pytest.CaptureFixture[str]
) -> None:
    data, back = tmp_path / "data", tmp_path / "back"
    url, blobs = postgres.create_database("copied"), f"s3://{bucket.new_bucket()}/prefix"
    there = ("--from-data", str(data), "--to-catalogue", url, "--to-blobs", blobs)
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        stores = Stores(catalogue, FileBlobs(data / "files"))
        first = stores.publish(FIRST, core_metadata=b"Name: demo")
        assert main(["copy", *there]) == 2
        assert "pypi-registry migrate" in capsys.readouterr().err
        assert main(["migrate", "--catalogue", url]) == 0
        assert main(["copy", *there]) == 0
        stores.publish(SECOND, metadata=PackageMetadata(summary="new"))
        gone = stores.publish("demo-9.0.tar.gz", version="9.0")
        catalogue.delete_package(TOOLS, gone.package.id, "ada")
        catalogue.yank(TOOLS, first.package.id, "broken", "ada")
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED, "old"), "ada")
        capsys.readouterr()
        assert main(["copy", *there]) == 0
        assert f"1 file copied ({len(DATA)} bytes), 0 deleted, 2 yanks" in capsys.readouterr().out
        catalogue.delete_file(TOOLS, first.id, "ada")
        assert main(["copy", *there]) == 0
        assert "0 files copied (0 bytes), 1 deleted, 0 yanks" in capsys.readouterr().out
        assert main(["copy", "--from-catalogue", url, "--from-blobs", blobs, "--to-data", str(back)]) == 0
        expected = answers(catalogue)
        records = [*catalogue.records()]
    with open_stores(Location.of(tmp_path, catalogue=url, blobs=blobs), create=False) as copy:
        assert answers(copy.catalogue) == expected
        assert len([*copy.blobs.keys()]) == 1
    with closing(SQLiteCatalogue(back / "catalogue.sqlite3")) as copied:
        assert answers(copied) == expected
        found = (record for record in copied.records() if not isinstance(record, CopiedRecord))
        assert sorted(found, key=repr) == sorted(records, key=repr)
    assert main(["fsck", "--digests", "--data", str(back)]) == 0


def test_an_error_of_the_object_store_has_its_cause_and_no_secret(
    tmp_path: Path, postgres: Cluster, bucket: Moto, capsys: pytest.CaptureFixture[str]
) -> None:
    """The object store quotes the whole request in its response, as S3 does for a wrong signature."""
    data, folder, config = tmp_path / "data", tmp_path / "dist", tmp_path / "registry.toml"
    config.write_text('projects = [{ id = 1, path = "acme/tools" }]\n')
    folder.mkdir()
    (folder / FIRST).write_bytes(distribution(FIRST))
    url, blobs = postgres.create_database("refused"), f"s3://{bucket.new_bucket()}/prefix"
    there = ("--catalogue", url, "--blobs", blobs, "--config", str(config), "--data", str(tmp_path / "other"))
    assert main(["migrate", "--catalogue", url]) == 0
    assert main(["import", str(folder), "--project", "1", *there]) == 0
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        Stores(catalogue, FileBlobs(data / "files")).publish(SECOND)
    (folder / SECOND).write_bytes(distribution(SECOND))
    capsys.readouterr()

    def refuse(request: Request) -> Response:
        quoted = f"<Code>SignatureDoesNotMatch</Code><CanonicalRequest>{request.url} {request.headers}{SECRET_KEY}"
        return Response(f"<Error>{quoted}</CanonicalRequest></Error>", 403, content_type="application/xml")

    bucket.fault = refuse
    for arguments, status in (
        (["copy", "--from-data", str(data), "--to-catalogue", postgres.create_database("new"), "--to-blobs", blobs], 2),
        (["copy", "--from-catalogue", url, "--from-blobs", blobs, "--to-data", str(tmp_path / "copy")], 1),
        (["import", str(folder), "--project", "1", *there], 2),
        (["fsck", *there], 2),
        (["export", str(tmp_path / "exported"), "--project", "1", *there], 1),
    ):
        if "--to-catalogue" in arguments:
            assert main(["migrate", "--catalogue", postgres.url("new")]) == 0
            capsys.readouterr()
        assert main(arguments) == status, arguments
        shown = "".join(capsys.readouterr())
        reason = r"the object store refuses the request or its credentials \(\w+ 403 SignatureDoesNotMatch\)"
        assert len(re.findall(reason, shown)) == 1, shown
        for secret in (ACCESS_KEY, SECRET_KEY, "Signature=", "http://"):
            assert secret not in shown
