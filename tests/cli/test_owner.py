"""Commands of root on the data folder of another user, who must be able to use every file afterwards."""

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypi_registry._cli.data_folder import DataFolder, UnusableData
from pypi_registry._cli.main import main
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user"
)

TOML = '[[projects]]\nid = 42\npath = "acme/tools"\n\n[[users]]\nname = "ada"\nroles = { acme = "owner" }\n'
UID, GID = 12345, 23456  # of nobody on this machine


def give(folder: Path, uid: int = UID, gid: int = GID) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid)


def owners(folder: Path) -> Mapping[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_uid for path in (folder, *folder.rglob("*"))}


@dataclass(frozen=True)
class Machine:
    """A registry of another user, and a folder with a distribution."""

    data: Path
    dist: Path
    own: Path
    """A data folder of root."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data folder, and with the distributions that are in it."""
    folder = tmp_path_factory.mktemp("registry")
    for name in ("own", "dist"):
        (folder / name).mkdir()
    (folder / "own" / "registry.toml").write_text(TOML)
    for version in ("1.0", "2.0"):
        (folder / "dist" / f"demo-{version}.tar.gz").write_bytes(distribution(f"demo-{version}.tar.gz"))
    assert main(["import", str(folder / "dist"), "--data", str(folder / "own"), "--project", "acme/tools"]) == 0
    return folder


@pytest.fixture
def machine(registry: Path, tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "data", tmp_path / "dist", tmp_path / "own")
    shutil.copytree(registry, tmp_path, dirs_exist_ok=True)
    shutil.copytree(machine.own, machine.data)
    give(machine.data)
    return machine


CHANGING = [
    # The address is of no machine, so that `serve` ends in any case.
    "serve --host 192.0.2.1 --port 0 --data DATA",
    "serve --host 192.0.2.1 --port 0 --data DATA --audit AUDIT",
    "import DIST --project acme/tools --data DATA",
    "import DIST --project acme/tools --data DATA --audit AUDIT --dry-run",
    "prune --project acme/tools --keep 1 --data DATA",
    "fsck --repair --data DATA",
    "copy --from-data OWN --to-data DATA",
    "backup DATA --data OWN",
    "user add bob --data EMPTY",
    "project add acme/tools --data EMPTY",
]


@pytest.mark.parametrize("command", CHANGING)
def test_a_command_that_changes_a_folder_of_another_user_is_refused(
    machine: Machine, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    give(empty)
    words = {"DATA": machine.data, "DIST": machine.dist, "OWN": machine.own, "EMPTY": empty, "AUDIT": tmp_path / "log"}
    before = owners(tmp_path)
    assert main([str(words.get(word, word)) for word in command.split()]) == 2
    path = empty if "EMPTY" in command else machine.data / "catalogue.sqlite3"
    assert capsys.readouterr() == (
        "",
        f"pypi-registry: {path}: this belongs to the user id {UID}, who could not use the files that root creates "
        f"here; run the command as this user: setpriv --reuid={UID} --regid={GID} --clear-groups -- …\n",
    )
    assert owners(tmp_path) == before


READING = [
    "prune --project acme/tools --keep 1 --dry-run --data DATA --audit AUDIT",
    "fsck --digests --data DATA",
    "prune --project acme/tools --keep 1 --dry-run --data DATA",
    "export TARGET --project acme/tools --data DATA",
    "backup TARGET --data DATA",
    "copy --from-data DATA --to-data TARGET",
    "user list --data DATA",
    "project list --data DATA",
    "token list --data DATA",
    # These replace registry.toml by a file with the same owner.
    "user change ada --admin --data DATA",
    "project add acme/next --data DATA",
    "token add --user ada --data DATA",
]


@pytest.mark.parametrize("command", READING)
def test_a_command_that_creates_no_file_there_runs(machine: Machine, command: str, tmp_path: Path) -> None:
    words = {"DATA": machine.data, "TARGET": tmp_path / "target", "AUDIT": machine.data / "new.jsonl"}
    assert main([str(words.get(word, word)) for word in command.split()]) == 0
    assert {*owners(machine.data).values()} == {UID}


def test_a_registry_that_runs_keeps_the_owner_of_the_files_beside_its_catalogue(machine: Machine) -> None:
    with closing(SQLiteCatalogue(machine.data / "catalogue.sqlite3", create=False)) as catalogue:
        assert len([*catalogue.records()]) > 0
        found = owners(machine.data)
    assert {"catalogue.sqlite3-wal", "catalogue.sqlite3-shm"} <= found.keys()
    assert {*found.values()} == {UID}


def test_a_catalogue_of_another_user_counts_in_a_folder_of_root(machine: Machine) -> None:
    os.chown(machine.data, 0, 0)
    with pytest.raises(UnusableData, match=r"catalogue\.sqlite3: this belongs to"):
        DataFolder(machine.data).require_owner()
    DataFolder(machine.own).require_owner()
    DataFolder(machine.data / "new").require_owner()


def test_a_catalogue_of_root_counts_in_a_folder_of_another_user(machine: Machine) -> None:
    os.chown(machine.own, UID, GID)  # a container runs as root on a folder of the machine
    DataFolder(machine.own).require_owner()


def test_a_registry_without_a_catalogue_belongs_to_the_owner_of_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text(TOML)
    DataFolder(tmp_path).require_owner()
    os.chown(tmp_path / "registry.toml", UID, GID)
    with pytest.raises(UnusableData, match=r"registry\.toml: this belongs to"):
        DataFolder(tmp_path).require_owner()
    DataFolder(tmp_path).require_owner(new=True)


@pytest.mark.parametrize(("platform", "program"), [("linux", "runuser"), ("darwin", "sudo")])
def test_the_message_has_the_name_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, program: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    shutil.chown(tmp_path, "nobody")
    with pytest.raises(UnusableData) as refused:
        DataFolder(tmp_path).require_owner()
    assert "this belongs to the user nobody, who" in str(refused.value)
    assert str(refused.value).endswith(f"run the command as this user: {program} -u nobody -- …")


STORES = "--catalogue postgresql://localhost/registry --blobs s3://bucket"
ELSEWHERE = [
    (f"fsck --repair --data DATA {STORES}", "fsck.fsck"),
    (f"import DIST --project acme/tools --data DATA --audit off {STORES}", "import_.import_packages"),
    (f"prune --project acme/tools --keep 1 --data DATA --audit off {STORES}", "prune.prune"),
]


@pytest.mark.parametrize(("command", "work"), ELSEWHERE)
def test_a_folder_in_which_nothing_is_written_does_not_count(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, command: str, work: str
) -> None:
    monkeypatch.setattr(f"pypi_registry._cli.{work}", lambda *arguments, **options: 0)
    words = {"DATA": machine.data, "DIST": machine.dist}
    assert main([str(words.get(word, word)) for word in command.split()]) == 0


@pytest.mark.parametrize("command", [command.replace("--audit off ", "") for command, _ in ELSEWHERE[1:]])
def test_a_folder_with_the_audit_log_counts(machine: Machine, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"DATA": machine.data, "DIST": machine.dist}
    assert main([str(words.get(word, word)) for word in command.split()]) == 2
    assert f"this belongs to the user id {UID}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["import DIST --dry-run", "prune --keep 1 --dry-run"])
def test_a_dry_run_creates_no_audit_log(machine: Machine, tmp_path: Path, command: str) -> None:
    options = ["--project", "acme/tools", "--data", str(machine.own), "--audit", str(tmp_path / "log")]
    assert main([str(machine.dist) if word == "DIST" else word for word in command.split()] + options) == 0
    assert not (tmp_path / "log").exists()
