"""``--json``: the one JSON document that commands print, the same facts as their lines, and what a page says of it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli.main import main
from pypi_registry.model import PackageFile, Project
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing import make_sdist, make_wheel
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores

Output = pytest.CaptureFixture[str]
TOOLS = Project(42, "acme/tools")
PAGE = Path(__file__).parents[2] / "docs" / "administration.md"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "registry.toml").write_text(f'[[projects]]\nid = {TOOLS.id}\npath = "{TOOLS.path}"\n')
    return folder


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(data / "files"))


@pytest.fixture
def lost(stores: Stores) -> PackageFile:
    """The second of two files, whose bytes are missing."""
    stores.publish(FIRST, TOOLS)
    file = stores.publish(SECOND, TOOLS)
    stores.blobs.delete(file.blob_key)
    return file


def facts(lost: PackageFile) -> dict[str, object]:
    return {
        "project_id": TOOLS.id,
        "filename": SECOND,
        "file_id": lost.id,
        "blob_key": lost.blob_key,
        "reason": "its bytes are missing",
    }


def run(capsys: Output, *arguments: object, status: int) -> dict[str, Any]:
    """Run a command with ``--json``, and return the document."""
    assert main([*map(str, arguments), "--json"]) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def documented(command: str) -> tuple[str, set[str], set[str]]:
    """Return what the page states of a command: the key of its list, the keys of an object in it and of the summary."""
    [row] = re.findall(rf"^\| `{command}` \| (.*) \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    in_list, in_summary = ({*re.findall("`(.*?)`", re.sub(r"\(.*?\)", "", cell))} for cell in row[1:])
    return row[0].split("`")[1], in_list, in_summary


def check(command: str, document: Mapping[str, Any]) -> None:
    key, in_list, in_summary = documented(command)
    assert {*document} == {key, "summary"}
    assert all({*each} == in_list for each in document[key])
    assert {*document["summary"]} == in_summary
    assert all(type(each) is int for each in document["summary"].values())


def test_export(data: Path, tmp_path: Path, lost: PackageFile, capsys: Output) -> None:
    command = "export", tmp_path / "static", "--data", data, "--project", "acme/tools"
    document = run(capsys, *command, status=1)
    counts = {"names": 1, "files": 1, "linked": 1, "copied": 0, "deleted": 0, "left": 1}
    assert document == {"files": [facts(lost)], "summary": counts}
    check("export", document)


def test_copy(data: Path, tmp_path: Path, lost: PackageFile, capsys: Output) -> None:
    document = run(capsys, "copy", "--from-data", data, "--to-data", tmp_path / "copy", status=1)
    counts = {"files": 1, "bytes": len(DATA), "deleted": 0, "changed": 0, "left": 1}
    assert document == {"files": [facts(lost)], "summary": counts}
    check("copy", document)


def test_backup(data: Path, tmp_path: Path, lost: PackageFile, capsys: Output) -> None:
    document = run(capsys, "backup", tmp_path / "backup", "--data", data, status=1)
    counts = {"files": 1, "linked": 1, "copied": 0, "present": 0, "deleted": 0, "damaged": 1}
    assert document == {"files": [facts(lost)], "summary": counts}
    check("backup", document)


@pytest.mark.parametrize("options", [("--dry-run",), ("--yank",), ()])
def test_prune(data: Path, stores: Stores, capsys: Output, options: tuple[str, ...]) -> None:
    for version in ("1.0", "1.10", "1.9"):
        stores.publish(f"demo-{version}.tar.gz", TOOLS, version=version)
    command = "prune", "--data", data, "--project", "acme/tools", "--keep", "1"
    document = run(capsys, *command, *options, status=0)
    versions = [{"name": "demo", "version": version, "files": 1} for version in ("1.0", "1.9")]
    assert document == {"versions": versions, "summary": {"versions": 2, "files": 2}}
    check("prune", document)


def test_import(data: Path, tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    make_wheel("demo", "1.0").write_to(folder)
    (folder / "demo-1.0.tar.gz").write_bytes(make_sdist("demo", "1.0").data + b"\0garbage")
    (folder / "README").touch()
    command = "import", folder, "--data", data, "--project", "acme/tools"
    dry = run(capsys, *command, "--dry-run", status=0)
    titles = {each["title"]: (each["kind"], each["reason"]) for each in dry["files"]}
    assert titles == {"demo-1.0-py3-none-any.whl": ("imported", ""), "demo-1.0.tar.gz": ("imported", "")}
    check("import", dry)
    document = run(capsys, *command, status=1)
    [refused] = document["files"]
    assert (refused["kind"], refused["title"]) == ("refused", "demo-1.0.tar.gz")
    assert refused["reason"] == "the file has data after its gzip stream"
    counts = document["summary"]
    assert (counts["imported"], counts["refused"], counts["ignored"], counts["without_time"]) == (1, 1, 1, 1)
    check("import", document)


def test_fsck(data: Path, lost: PackageFile, capsys: Output) -> None:
    document = run(capsys, "fsck", "--data", data, status=1)
    assert documented("fsck")[0] == "problems"
    assert {*document["summary"]} == documented("fsck")[2]
    assert [problem["filename"] for problem in document["problems"]] == [SECOND]


def test_a_command_that_an_error_ends_prints_a_valid_document_without_a_summary(
    data: Path, tmp_path: Path, lost: PackageFile, capsys: Output
) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "of somebody else").touch()
    command = ["export", str(tmp_path / "static"), "--data", str(data), "--project", "acme/tools", "--json"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"files": [], "summary": None}
    assert "no export has written it" in err


def test_a_command_that_cannot_begin_prints_nothing(tmp_path: Path, capsys: Output) -> None:
    assert main(["backup", str(tmp_path / "backup"), "--data", str(tmp_path / "absent"), "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
