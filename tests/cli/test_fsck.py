"""``pypi-registry fsck``: exit statuses, lines for people, JSON for programs, progress."""

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pypi_registry._cli import progress
from pypi_registry._cli.main import main
from pypi_registry._maintenance.problems import Kind, Repair
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from tests.maintenance.damage import DATA, FIRST, OTHER, SECOND, Stores, restore

Output = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    """The stores of a registry with one file; its other folders and files are missing, as fsck needs none of them."""
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        stores = Stores(catalogue, FileBlobs(data / "files"))
        stores.publish()
        yield stores


def fsck(data: Path, *options: str) -> int:
    return main(["fsck", "--data", str(data), *options])


def add_old_blob(data: Path, stores: Stores) -> str:
    key = stores.put("e" * 32)
    past = time.time() - 25 * 3600
    os.utime(data / "files" / "e" / key, (past, past))
    return key


def tree(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


def test_of_a_clean_registry_the_status_is_0_and_nothing_is_created(data: Path, stores: Stores, capsys: Output) -> None:
    before = tree(data)
    assert fsck(data) == fsck(data, "--digests") == fsck(data, "--digests", "--repair", "--drop-missing") == 0
    assert capsys.readouterr() == (3 * "1 file, 1 blob: 0 problems, 0 repaired, 0 remaining\n", "")
    assert tree(data) == before


def test_each_problem_is_a_line_and_the_status_is_1_until_all_are_repaired(
    data: Path, stores: Stores, capsys: Output
) -> None:
    old = add_old_blob(data, stores)
    gone = stores.publish(SECOND)
    stores.blobs.delete(gone.blob_key)
    assert fsck(data) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"unlisted-blob: {old}: a blob of {len(DATA)} bytes, older than a day, belongs to no file "
        "[repair with --repair]",
        f"missing-blob: acme/tools {SECOND} (file {gone.id}, blob {gone.blob_key}): its bytes are missing "
        "[repair with --repair --drop-missing]",
        "2 files, 2 blobs: 2 problems, 0 repaired, 2 remaining",
    ]
    assert fsck(data, "--repair") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("belongs to no file [repaired]")
    assert lines[-1] == "2 files, 2 blobs: 2 problems, 1 repaired, 1 remaining"
    assert fsck(data, "--repair", "--drop-missing") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 files, 1 blob: 1 problem, 1 repaired, 0 remaining"
    assert fsck(data) == 0


def test_wrong_digests_are_found_with_their_option(data: Path, stores: Stores, capsys: Output) -> None:
    stores.replace(stores.publish(SECOND).blob_key, OTHER)
    assert fsck(data) == 0
    assert fsck(data, "--digests") == 1
    assert capsys.readouterr().out.splitlines()[1].startswith(f"wrong-digest: acme/tools {SECOND} (file ")


def test_a_package_and_the_store_itself_have_lines_of_their_own(data: Path, stores: Stores, capsys: Output) -> None:
    restore(stores, {"name": "else\x1b[2J\n"}, project=False)
    (data / "files" / "0" / "x\ny").touch()
    assert fsck(data) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        r"inconsistent-blobs: 0/x\ny is not a blob",
        r"contradictory-row: project 7 other 1.0: the name 'else\x1b[2J\n' is not a spelling of 'other'",
        "contradictory-row: project 7 other 1.0: the catalogue lacks the path of its project",
    ]


FIELDS = {
    "kind": str,
    "detail": str,
    "project_id": int,
    "project": str,
    "package": str,
    "version": str,
    "filename": str,
    "file_id": int,
    "blob_key": str,
    "repair": str,
    "repaired": bool,
}


def test_the_json_document_has_every_field_of_every_problem(data: Path, stores: Stores, capsys: Output) -> None:
    key = add_old_blob(data, stores)
    gone = stores.publish(SECOND)
    stores.blobs.delete(gone.blob_key)
    restore(stores, {"version": "new"})
    assert fsck(data, "--json", "--repair") == 1
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    assert {*document} == {"problems", "summary"}
    assert document["summary"] == {"files": 3, "blobs": 3, "problems": 3, "repaired": 1, "remaining": 2}
    for problem in document["problems"]:
        assert {*problem} == {*FIELDS}
        assert all(problem[name] is None or type(problem[name]) is kind for name, kind in FIELDS.items())
        assert problem["kind"] in [*Kind]
        assert problem["repair"] in [None, *Repair]
    found = {problem["kind"]: problem for problem in document["problems"]}
    assert found["unlisted-blob"]["blob_key"] == key
    assert found["unlisted-blob"]["repaired"] is True
    assert found["missing-blob"] == {
        "kind": "missing-blob",
        "detail": "its bytes are missing",
        "project_id": 1,
        "project": "acme/tools",
        "package": "demo",
        "version": "1.0",
        "filename": SECOND,
        "file_id": gone.id,
        "blob_key": gone.blob_key,
        "repair": "--repair --drop-missing",
        "repaired": False,
    }


def test_the_json_document_of_a_clean_registry_has_no_problems(data: Path, stores: Stores, capsys: Output) -> None:
    assert fsck(data, "--json") == 0
    summary = {"files": 1, "blobs": 1, "problems": 0, "repaired": 0, "remaining": 0}
    assert json.loads(capsys.readouterr().out) == {"problems": [], "summary": summary}


# Status 2


def test_where_there_is_no_registry_nothing_is_created(data: Path, tmp_path: Path, capsys: Output) -> None:
    assert fsck(data, "--repair") == 2
    assert capsys.readouterr() == ("", f"pypi-registry: {data}/catalogue.sqlite3: No such file or directory\n")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_without_the_folder_of_files_nothing_is_checked(
    data: Path, stores: Stores, capsys: Output, options: tuple[str, ...]
) -> None:
    (data / "files").rename(data / "elsewhere")
    assert fsck(data, "--repair", "--drop-missing", *options) == 2
    assert capsys.readouterr() == ("", f"pypi-registry: {data}/files/incoming: No such file or directory\n")
    assert not (data / "files").exists()
    assert stores.filenames() == {FIRST}


def test_one_of_the_folders_of_files_is_missing(data: Path, stores: Stores, capsys: Output) -> None:
    for path in (data / "files" / "a").iterdir():
        path.rename(data / path.name)
    (data / "files" / "a").rmdir()
    assert fsck(data, "--repair", "--drop-missing") == 2
    assert capsys.readouterr() == ("", f"pypi-registry: {data}/files/a: No such file or directory\n")
    assert stores.filenames() == {FIRST}


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (2, "start the registry with this version"),
        (99, "this program supports only versions up to"),
        (0, "schema version 0"),
    ],
)
def test_a_catalogue_of_another_version_is_not_migrated(
    data: Path, stores: Stores, capsys: Output, version: int, sentence: str
) -> None:
    with closing(sqlite3.connect(data / "catalogue.sqlite3")) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    assert fsck(data) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"pypi-registry: {data}/catalogue\.sqlite3 has .*{sentence}.*\n", err)
    with closing(sqlite3.connect(data / "catalogue.sqlite3")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


@pytest.mark.parametrize("content", [b"junk" * 1000, b""])
def test_a_file_that_is_not_a_catalogue(data: Path, capsys: Output, content: bytes) -> None:
    data.mkdir()
    (data / "catalogue.sqlite3").write_bytes(content)
    FileBlobs(data / "files")
    assert fsck(data, "--repair") == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"pypi-registry: {data}/catalogue.sqlite3")
    assert (data / "catalogue.sqlite3").read_bytes() == content


def test_a_check_that_ends_early_prints_a_valid_document_without_a_summary(
    data: Path, stores: Stores, capsys: Output
) -> None:
    add_old_blob(data, stores)
    with closing(sqlite3.connect(data / "catalogue.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO statuses (project_id, name, status, reason) VALUES (1, 'demo', 'bad', '')")
    assert fsck(data, "--json", "--repair") == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["summary"] is None
    assert [problem["kind"] for problem in document["problems"]] == ["inconsistent-catalogue"]
    assert err.startswith("pypi-registry: the catalogue has a row that cannot be read")
    assert err.count("\n") == 1
    assert stores.has("e" * 32)


def test_an_error_of_the_disk_has_its_cause(data: Path, stores: Stores, capsys: Output) -> None:
    [path] = [path for path in (data / "files").rglob("*") if path.is_file()]
    path.unlink()
    path.mkdir()
    assert fsck(data, "--digests") == 1
    [line, *_] = capsys.readouterr().out.splitlines()
    cause = f"Is a directory ([Errno 21] Is a directory: '{path}')"
    assert f"its bytes cannot be read: files cannot be read or written: {cause}" in line


def test_rows_are_dropped_by_a_repair_only(data: Path, stores: Stores, capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        fsck(data, "--drop-missing")
    assert caught.value.code == 2
    assert "--drop-missing needs --repair" in capsys.readouterr().err


def test_a_configuration_is_accepted_and_not_read(data: Path, stores: Stores, tmp_path: Path) -> None:
    assert fsck(data, "--config", str(tmp_path / "registry.toml")) == 0
    assert not (tmp_path / "registry.toml").exists()


def test_the_program_exits_with_the_status(data: Path, stores: Stores) -> None:
    add_old_blob(data, stores)
    run = [sys.executable, "-m", "pypi_registry", "fsck", "--data", str(data)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("unlisted-blob: ")


# Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_shows_the_progress_and_is_erased_before_each_line(
    data: Path, stores: Stores, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", terminal)
        patched.setattr(progress, "_INTERVAL", -1)
        add_old_blob(data, stores)
        assert fsck(data, "--digests") == 1
    nothing, *drawn = terminal.getvalue().split("\r")
    assert nothing == ""
    assert f"[{'.' * 30}]   0% 1 rows\x1b[K" in drawn
    assert f"[{'#' * 30}] 100% {len(DATA)} of {len(DATA)} bytes\x1b[K" in drawn
    assert drawn.count("\x1b[K") == 2, "before the problem, and before the summary"
    assert drawn[-1] == "\x1b[K"


def test_elsewhere_there_is_a_line_a_minute(
    data: Path, stores: Stores, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.publish(SECOND)
    clock = [0.0]

    def minutes() -> float:
        clock[0] += 45
        return clock[0]

    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=minutes))
    assert fsck(data) == 0
    lines = capsys.readouterr().err.splitlines()
    # Six rows, two blobs and two files, at 45 seconds each: a line at each second one.
    assert lines == [
        f"pypi-registry fsck: {text}" for text in ("2 rows", "4 rows", "6 rows", "2 blobs", "2 of 2 files")
    ]
