"""``pypi-registry copy`` between a data folder and a database with a bucket: there, with changes, and back."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pypi_registry._cli.location import Location
from pypi_registry._cli.main import main
from pypi_registry._cli.stores import open_stores
from pypi_registry._records import CopiedRecord
from pypi_registry.model import NameStatus, PackageMetadata, Status
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import DEMO, TOOLS, answers
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores
from tests.postgres import Cluster
from tests.stores.buckets import Moto, moto, use_endpoint

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
