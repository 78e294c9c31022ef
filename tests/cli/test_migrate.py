"""``pypi-registry migrate``: what it prints, and its exit status."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pypi_registry._cli.main import main
from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.postgres import PostgresCatalogue, UnknownSchema, schema
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_TOOLS,
    TOOLS,
    add,
    add_variant,
    contents_of,
    files_of,
    variant,
)
from tests.ports import free_port
from tests.postgres import Cluster, Databases
from tests.test_docs import ROOT

LAST = schema.SCHEMA_VERSION


@pytest.fixture
def url(postgres: Cluster) -> str:
    """The URL of a new database."""
    return postgres.create_database("migrated")


def test_a_new_database_gets_the_tables_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--catalogue", url]) == 0
    assert capsys.readouterr().out == f"Created the tables of the catalogue, schema version {LAST}.\n"
    with closing(PostgresCatalogue(url)) as catalogue:
        add(catalogue, TOOLS, "demo-1.0.zip")
        before = catalogue.revision(IN_TOOLS, DEMO)
        assert main(["migrate", "--catalogue", url]) == 0
        assert capsys.readouterr().out == f"The catalogue already has schema version {LAST}.\n"
        assert catalogue.revision(IN_TOOLS, DEMO) == before


def test_the_environment_names_the_database(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYPI_REGISTRY_CATALOGUE", url)
    assert main(["migrate"]) == 0
    assert "Created" in capsys.readouterr().out


def test_two_machines_migrate_at_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(main, [["migrate", "--catalogue", url]] * 4)] == [0] * 4
    lines = capsys.readouterr().out.splitlines()
    words = [line.split()[0] for line in lines]
    assert (len(words), words.count("Created")) == (4, 1)
    assert {*words} <= {"Created", "Migrated", "The"}, "each step is a transaction, so several may take part"
    with closing(PostgresCatalogue(url)) as catalogue:
        catalogue.check_schema()


def test_a_database_without_tables_names_the_command(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(PostgresCatalogue(url)) as catalogue:
        with pytest.raises(UnknownSchema) as raised:
            catalogue.check_schema()
        expected = f"the catalogue {url} has no tables of pypi-registry; run: pypi-registry migrate --catalogue {url}"
        assert str(raised.value) == expected
        with pytest.raises(StorageUnavailable, match="run: pypi-registry migrate --catalogue URL") as refused:
            add(catalogue, TOOLS, "demo-1.0.zip")
        assert "127.0.0.1" not in str(refused.value)  # clients read it
        assert expected in caplog.messages
        main(["migrate", "--catalogue", url])
        add(catalogue, TOOLS, "demo-1.0.zip")  # without a restart


@pytest.mark.parametrize(("version", "words"), [(0, "no tables"), (LAST + 1, f"versions up to {LAST}")])
def test_another_version_is_refused_in_one_line(
    url: str, postgres: Cluster, capsys: pytest.CaptureFixture[str], version: int, words: str
) -> None:
    main(["migrate", "--catalogue", url])
    postgres.execute(f"UPDATE pypi_registry_schema SET version = {version}", "migrated")
    with closing(PostgresCatalogue(url)) as catalogue, pytest.raises(UnknownSchema) as raised:
        catalogue.check_schema()
    assert words in str(raised.value)
    assert f"pypi-registry migrate --catalogue {url}" in str(raised.value)
    assert "\n" not in str(raised.value)
    if version:
        capsys.readouterr()
        assert main(["migrate", "--catalogue", url]) == 2
        assert words in capsys.readouterr().err


def test_what_cannot_be_a_catalogue_is_status_2(postgres: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    url = postgres.create_database("migrated")
    postgres.execute("CREATE TABLE files (id int)", "migrated")
    assert main(["migrate", "--catalogue", url]) == 2
    assert "tables of another program: relation" in capsys.readouterr().err
    postgres.execute("DROP DATABASE migrated")
    postgres.execute("CREATE DATABASE migrated TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    assert main(["migrate", "--catalogue", url]) == 2
    assert "create it with the encoding UTF8" in capsys.readouterr().err
    postgres.execute("DROP DATABASE migrated")
    for wrong in (url, "postgresql://registry@127.0.0.1:1/registry"):
        assert main(["migrate", "--catalogue", wrong]) == 2
        assert "the database of the catalogue does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["migrate", "fsck"])
def test_a_database_that_cannot_be_reached_is_one_line_with_the_cause_and_no_password(
    command: str, tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAHUNTER", "AWS_SECRET_ACCESS_KEY": "hunter2-of-s3", "AWS_REGION": "eu-central-1"}
    there = ["--catalogue", f"postgresql://ada@127.0.0.1:{free_port()}/registry", "--blobs", "s3://bucket/prefix"]
    done = subprocess.run(  # in a process of its own, because pytest receives what is logged
        [sys.executable, "-m", "pypi_registry", command, *there],
        cwd=tmp_path,
        env={**os.environ, **keys, "PGPASSWORD": "hunter2", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    reason = "the database of the catalogue does not answer (connection "
    assert done.stderr.startswith(f"pypi-registry: {reason}") and "Connection refused" in done.stderr
    assert "hunter" not in done.stderr.lower()


@pytest.mark.parametrize(
    "url", ["postgresql://registry@/db?nonsense=1", "postgresql://registry@db?prepare_threshold=x"]
)
def test_a_url_that_libpq_does_not_understand_is_status_2(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--catalogue", url]) == 2
    assert capsys.readouterr().err.startswith("pypi-registry: --catalogue: ")


def test_a_data_folder_needs_no_migration(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("PYPI_REGISTRY_CATALOGUE", raising=False)
    assert main(["migrate"]) == 2
    assert "migrate needs --catalogue URL" in capsys.readouterr().err


def test_a_step_that_fails_leaves_the_version_before(
    url: str, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE more (id int8); SELECT 1/0"))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", LAST + 1)
    assert main(["migrate", "--catalogue", url]) == 2
    assert postgres.execute("SELECT version FROM pypi_registry_schema", "migrated") == [(LAST,)]
    assert postgres.execute("SELECT to_regclass('more')", "migrated") == [(None,)]
    with (
        closing(PostgresCatalogue(url)) as catalogue,
        pytest.raises(UnknownSchema, match=f"version {LAST} of an older"),
    ):
        catalogue.check_schema()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS[:LAST], "CREATE TABLE more (id int8)"))
    assert main(["migrate", "--catalogue", url]) == 0
    assert Databases(postgres).execute("SELECT version FROM pypi_registry_schema", "migrated") == [(LAST + 1,)]


_FIRST_ROWS = """
INSERT INTO packages (project_id, name, normalized_name, version, canonical_version, metadata, created_at)
VALUES (1, 'demo', 'demo', '1.0', '1', '{"summary": "old"}', 0);
INSERT INTO files (package_id, project_id, filename, size, sha256, requires_python, uploaded_at, blob_key, uploaded_by)
VALUES (1, 1, 'demo-1.0.zip', 4, 'aa', '', 0, 'key', 'ada');
"""


def test_the_rows_of_the_first_version_are_kept_and_uploads_go_on(
    url: str, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(schema, "SCHEMA_VERSION", 1)
        assert main(["migrate", "--catalogue", url]) == 0
    postgres.execute(_FIRST_ROWS, "migrated")
    assert main(["migrate", "--catalogue", url]) == 0
    with closing(PostgresCatalogue(url)) as catalogue:
        [old] = files_of(catalogue, IN_TOOLS)
        assert (old.filename, old.variant) == ("demo-1.0.zip", None)
        assert contents_of(catalogue) == []
        new = add_variant(catalogue, TOOLS, variant("fast", "v3"))
        assert files_of(catalogue, IN_TOOLS) == [old, new]
        assert contents_of(catalogue) == [new.variant]
