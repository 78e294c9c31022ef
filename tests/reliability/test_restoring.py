"""Restoring a database and a bucket to a moment, by the steps of the page about several servers."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli.main import main
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.testing.contracts.catalogue.samples import TOOLS
from tests.maintenance.damage import FIRST, SECOND, Stores
from tests.postgres import Cluster, program
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, Moto, moto, use_endpoint

pytestmark = pytest.mark.slow

LATER = "demo-2.0.tar.gz"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    with moto() as served:
        use_endpoint(monkeypatch, served.endpoint)
        yield served


def client(served: Moto) -> Any:
    import boto3  # it takes long to import

    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    return boto3.client("s3", endpoint_url=served.endpoint, region_name="us-east-1", **keys)


def run(name: str, *arguments: str) -> None:
    path = program(name)
    if path is None:
        pytest.skip(f"PostgreSQL is not installed: no {name}")
    done = subprocess.run([path, *arguments], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


def test_the_state_of_a_moment_is_restored(
    tmp_path: Path,
    postgres: Cluster,
    served: Moto,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bucket, dump = served.new_bucket(), tmp_path / "dump.sql"
    s3 = client(served)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    blobs, before = f"s3://{bucket}/prefix", postgres.create_database("before")
    assert main(["migrate", "--catalogue", before]) == 0
    with closing(PostgresCatalogue(before)) as catalogue:
        stores = Stores(catalogue, ObjectBlobs(blobs))
        stores.publish(FIRST)
        deleted = stores.publish(SECOND)
        run("pg_dump", "--file", str(dump), before)
        moment = datetime.now(UTC).replace(microsecond=0)  # S3 has whole seconds
        assert stores.catalogue.delete_file(TOOLS, deleted.id, "ada")
        stores.blobs.delete(deleted.blob_key)
        stores.publish(LATER, version="2.0")

    restored = postgres.create_database("restored")
    run("psql", "--quiet", "--file", str(dump), restored)
    check = ["fsck", "--digests", "--catalogue", restored, "--blobs", blobs]
    capsys.readouterr()
    assert main(check) == 1
    assert f"missing-blob: {TOOLS.path} {SECOND}" in capsys.readouterr().out

    for marker in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]:
        if marker["LastModified"] >= moment:
            s3.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])
    assert main(check) == 0
    with closing(PostgresCatalogue(restored)) as catalogue:
        stores = Stores(catalogue, ObjectBlobs(blobs))
        assert stores.filenames() == {FIRST, SECOND}
