"""``pypi-registry export``: what it prints, and its exit status."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pypi_registry._cli.main import main
from pypi_registry.model import Project
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.maintenance.damage import FIRST, SECOND, Stores

Output = pytest.CaptureFixture[str]
TOOLS, OTHER = Project(42, "acme/tools"), Project(43, "acme/other")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    projects = (f'[[projects]]\nid = {project.id}\npath = "{project.path}"\n' for project in (TOOLS, OTHER))
    (folder / "registry.toml").write_text("".join(projects))
    return folder


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(data / "files"))


def run(data: Path, folder: Path, *options: str) -> int:
    return main(["export", str(folder), "--data", str(data), *options])


def test_a_project_or_a_group_is_exported(data: Path, stores: Stores, tmp_path: Path, capsys: Output) -> None:
    stores.publish(FIRST, TOOLS)
    stores.publish(SECOND, OTHER)
    assert run(data, tmp_path / "a", "--project", "acme/tools") == 0
    assert capsys.readouterr() == ("1 file of 1 name: 1 linked, 0 copied, 0 deleted, 0 not exported\n", "")
    assert run(data, tmp_path / "b", "--group", "acme") == 0
    assert capsys.readouterr().out == "2 files of 1 name: 2 linked, 0 copied, 0 deleted, 0 not exported\n"
    assert run(data, tmp_path / "b", "--project", "acme/other") == 0
    assert capsys.readouterr().out == "1 file of 1 name: 0 linked, 0 copied, 1 deleted, 0 not exported\n"
    assert "<title>Links for acme</title>" not in (tmp_path / "b" / "simple" / "index.html").read_text()


def test_a_file_without_its_bytes_is_status_1(data: Path, stores: Stores, tmp_path: Path, capsys: Output) -> None:
    file = stores.publish(FIRST, TOOLS)
    stores.blobs.delete(file.blob_key)
    assert run(data, tmp_path / "a", "--project", "acme/tools") == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"not exported: {FIRST} (file {file.id}): its bytes are missing"
    assert last == "0 files of 1 name: 0 linked, 0 copied, 0 deleted, 1 not exported"


def test_what_cannot_run_is_status_2(data: Path, stores: Stores, tmp_path: Path, capsys: Output) -> None:
    assert run(data, tmp_path, "--project", "acme/tools") == 2
    assert "this folder is not empty, and no export has written it" in capsys.readouterr().err
    assert run(data, tmp_path / "a", "--group", "absent") == 2
    assert "--group: 'absent' is not the path of a group" in capsys.readouterr().err
    for options in ((), ("--project", "a", "--group", "b")):
        with pytest.raises(SystemExit) as caught:
            run(data, tmp_path / "a", *options)
        assert caught.value.code == 2
    assert not (tmp_path / "a").exists()
