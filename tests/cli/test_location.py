"""The options and the environment variables that name a registry."""

import argparse
from pathlib import Path

import pytest

from pypi_registry._cli.location import InvalidLocation, Location, add_location, location
from pypi_registry._cli.main import main

DATABASE = "postgresql://registry@db.example/registry"
BUCKET = "s3://bucket/prefix"


def named(*arguments: str, **environ: str) -> Location:
    parser = argparse.ArgumentParser()
    add_location(parser)
    return location(parser.parse_args(arguments), environ)


def refusal(*arguments: str, **environ: str) -> str:
    with pytest.raises(InvalidLocation) as refused:
        named(*arguments, **environ)
    return str(refused.value)


def test_without_options_everything_is_in_the_data_folder() -> None:
    found = named()
    assert found.folder.folder == Path("pypi-registry-data")
    assert (found.config, found.created) == (Path("pypi-registry-data/registry.toml"), True)
    assert (found.catalogue, found.blobs) == (None, None)
    assert not found.named


def test_a_folder_or_a_database_is_named_and_a_configuration_is_not() -> None:
    assert named("--data", "d").named and named("--data", "pypi-registry-data").named
    assert named("--catalogue", DATABASE, "--blobs", BUCKET).named
    assert named(PYPI_REGISTRY_CATALOGUE=DATABASE, PYPI_REGISTRY_BLOBS=BUCKET).named
    assert not named("--config", "c.toml").named


def test_a_configuration_elsewhere_leaves_the_stores_in_the_data_folder() -> None:
    found = named("--data", "d", "--config", "c.toml")
    assert (found.folder.folder, found.config, found.created) == (Path("d"), Path("c.toml"), False)


def test_urls_replace_the_stores_and_nothing_else() -> None:
    found = named("--data", "d", "--catalogue", DATABASE, "--blobs", BUCKET)
    assert (found.catalogue, found.blobs, found.config) == (DATABASE, BUCKET, Path("d/registry.toml"))


def test_the_environment_names_what_the_options_do_not() -> None:
    variables = {"PYPI_REGISTRY_CATALOGUE": DATABASE, "PYPI_REGISTRY_BLOBS": BUCKET}
    found = named(**variables)
    assert (found.catalogue, found.blobs) == (DATABASE, BUCKET)
    found = named("--blobs", "gs://other", **variables)
    assert (found.catalogue, found.blobs) == (DATABASE, "gs://other")
    assert named(PYPI_REGISTRY_CATALOGUE="", PYPI_REGISTRY_BLOBS="").catalogue is None


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [(("--catalogue", DATABASE), "--blobs"), (("--blobs", BUCKET), "--catalogue")],
    ids=["catalogue", "blobs"],
)
def test_one_url_alone_is_refused(arguments: tuple[str, ...], absent: str) -> None:
    assert f"needs {absent}, too" in refusal(*arguments)


@pytest.mark.parametrize(
    ("catalogue", "blobs", "variable"),
    [
        ("postgresql://user:s3cret@host/db", BUCKET, "PGPASSWORD"),
        ("postgresql://host/db?password=s3cret", BUCKET, "PGPASSWORD"),
        ("postgresql://host/db?user=u&sslpassword=s3cret", BUCKET, "PGPASSWORD"),
        ("postgresql://user:@host/db", BUCKET, "PGPASSWORD"),
        (DATABASE, "s3://key:s3cret@bucket", "AWS_SECRET_ACCESS_KEY"),
        (DATABASE, "az://account:s3cret@container", "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(catalogue: str, blobs: str, variable: str) -> None:
    message = refusal("--catalogue", catalogue, "--blobs", blobs)
    assert "contains a password" in message and variable in message
    assert "s3cret" not in message


@pytest.mark.parametrize("url", ["", "sqlite:///file", "db.example/registry", "mysql://h/d", "postgresql://[::1/d"])
def test_a_url_of_no_catalogue_is_refused(url: str) -> None:
    assert "--catalogue: " in refusal(f"--catalogue={url}", "--blobs", BUCKET)


@pytest.mark.parametrize("url", ["", "https://bucket", "file:///folder", "bucket"])
def test_a_url_of_no_bucket_is_refused(url: str) -> None:
    assert "--blobs: " in refusal("--catalogue", DATABASE, f"--blobs={url}")


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    assert refusal(PYPI_REGISTRY_CATALOGUE="x", PYPI_REGISTRY_BLOBS=BUCKET).startswith("PYPI_REGISTRY_CATALOGUE: ")


def test_a_command_ends_with_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["fsck", "--data", str(tmp_path), "--blobs", BUCKET]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and err.startswith("pypi-registry: --blobs needs --catalogue")
    assert not [*tmp_path.iterdir()]
