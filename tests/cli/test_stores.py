"""The stores that URLs name: how they are opened, and what a URL that cannot be used is refused with."""

import pytest

from pypi_registry._cli.location import InvalidLocation, Location
from pypi_registry._cli.main import main
from pypi_registry._cli.stores import open_stores

DATABASE = "postgresql://registry@127.0.0.1:1/registry"
BUCKET = "s3://bucket/prefix"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")


@pytest.mark.parametrize(
    ("catalogue", "blobs", "option"),
    [
        (DATABASE, "s3://bucket/?deliver=often", "--blobs"),
        (DATABASE, "s3://bucket/?speed=9", "--blobs"),
        (DATABASE, "s3://", "--blobs"),
        ("postgresql://host/database?colour=red", BUCKET, "--catalogue"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_by_the_option(
    tmp_path_factory: pytest.TempPathFactory, catalogue: str, blobs: str, option: str
) -> None:
    where = Location.of(tmp_path_factory.mktemp("data"), catalogue=catalogue, blobs=blobs)
    with pytest.raises(InvalidLocation, match=f"^{option}: ") as refused, open_stores(where, create=True):
        pass
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["fsck"]], ids=["serve", "fsck"])
def test_a_database_that_is_away_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory, command: list[str]
) -> None:
    data = tmp_path_factory.mktemp("data")
    assert main([*command, "--data", str(data), "--catalogue", DATABASE, "--blobs", BUCKET]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1), err
    assert err.startswith("pypi-registry: ") and "s3cret" not in err
    assert not (data / "catalogue.sqlite3").exists() and not (data / "files").exists()
