"""``pypi-registry copy``: what it prints, its exit status, and what it refuses."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pypi_registry._cli.main import main
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import TOOLS
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores

Output = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(data / "files"))


def copy(source: Path, target: Path) -> int:
    return main(["copy", "--from-data", str(source), "--to-data", str(target)])


def test_a_data_folder_is_copied_and_the_copy_is_kept_up_to_date(
    data: Path, stores: Stores, tmp_path: Path, capsys: Output
) -> None:
    first = stores.publish(FIRST)
    assert copy(data, tmp_path / "copy") == 0
    nothing = "0 yanks, statuses and descriptions changed, 0 not copied\n"
    assert capsys.readouterr() == (f"1 file copied ({len(DATA)} bytes), 0 deleted, {nothing}", "")
    stores.publish(SECOND)
    stores.catalogue.delete_file(TOOLS, first.id, "")
    assert copy(data, tmp_path / "copy") == 0
    assert capsys.readouterr().out == f"1 file copied ({len(DATA)} bytes), 1 deleted, {nothing}"
    assert copy(data, tmp_path / "copy") == 0
    assert capsys.readouterr().out == f"0 files copied (0 bytes), 0 deleted, {nothing}"
    assert not (tmp_path / "copy" / "registry.toml").exists()
    assert main(["fsck", "--digests", "--data", str(tmp_path / "copy")]) == 0


def test_the_environment_is_ignored(
    data: Path, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYPI_REGISTRY_CATALOGUE", "postgresql://nowhere.invalid/x")
    monkeypatch.setenv("PYPI_REGISTRY_BLOBS", "s3://nowhere")
    assert copy(data, tmp_path / "copy") == 0


def test_a_file_that_cannot_be_copied_is_status_1(data: Path, stores: Stores, tmp_path: Path, capsys: Output) -> None:
    file = stores.publish(FIRST)
    stores.blobs.delete(file.blob_key)
    assert copy(data, tmp_path / "copy") == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == f"not copied: {FIRST} (file {file.id}): its bytes are missing"
    assert "fsck --digests lists the problems at the source" in shown.err


def test_another_registry_is_not_overwritten(data: Path, stores: Stores, tmp_path: Path, capsys: Output) -> None:
    stores.publish(FIRST)
    with closing(SQLiteCatalogue(tmp_path / "other" / "catalogue.sqlite3")) as catalogue:
        other = Stores(catalogue, FileBlobs(tmp_path / "other" / "files"))
        file = other.publish(SECOND)
        assert copy(data, tmp_path / "other") == 2
        assert "the target is neither empty nor a copy of this source" in capsys.readouterr().err
        assert other.filenames() == {SECOND}
        assert other.has(file.blob_key)


def test_what_was_published_to_a_copy_is_not_deleted(
    data: Path, stores: Stores, tmp_path: Path, capsys: Output
) -> None:
    stores.publish(FIRST)
    assert copy(data, tmp_path / "copy") == 0
    with closing(SQLiteCatalogue(tmp_path / "copy" / "catalogue.sqlite3")) as catalogue:
        target = Stores(catalogue, FileBlobs(tmp_path / "copy" / "files"))
        file = target.publish("demo-5.0.zip", version="5.0")
        gone = stores.publish("demo-6.0.zip", version="6.0")
        stores.catalogue.delete_package(TOOLS, gone.package.id, "")
        capsys.readouterr()
        assert copy(data, tmp_path / "copy") == 2
        assert capsys.readouterr() == (
            "",
            "pypi-registry: the target is neither empty nor a copy of this source: its file demo-5.0.zip "
            f"(id {file.id}) is not at the source, and was not copied from there; nothing was changed\n",
        )
        assert target.filenames() == {FIRST, "demo-5.0.zip"}
        assert target.has(file.blob_key)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "pass --from-data, or both --from-catalogue and --from-blobs"),
        (("--from-data", "{data}"), "pass --to-data, or both --to-catalogue and --to-blobs"),
        (("--from-data", "{data}", "--to-data", "{data}/../data"), "the source and the target are the same"),
        (("--from-data", "{data}", "--from-blobs", "s3://x", "--to-data", "{data}2"), "pass --from-data, or both"),
        (("--from-data", "{data}", "--to-catalogue", "postgresql://h/d"), "pass --to-data, or both"),
        (
            ("--from-data", "{data}", "--to-catalogue", "postgresql://u:secret@h/d", "--to-blobs", "s3://b"),
            "--to-catalogue: the URL contains a password",
        ),
        (("--from-data", "{data}/absent", "--to-data", "{data}2"), "absent"),
    ],
    ids=range(7),
)
def test_what_cannot_run_is_status_2(
    options: tuple[str, ...], problem: str, data: Path, stores: Stores, capsys: Output
) -> None:
    assert main(["copy", *(option.replace("{data}", str(data)) for option in options)]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert "secret" not in error
