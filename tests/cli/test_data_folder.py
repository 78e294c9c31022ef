import errno
import os
import re
import stat
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_registry._cli.data_folder import PROJECT, USER, DataFolder, UnusableData
from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.forwarding import PYPI
from tests.clients.served import served

ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A folder that does not exist yet."""
    return DataFolder(tmp_path / "deep" / "data")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_created_with_its_parents(folder: DataFolder) -> None:
    folder.prepare()
    assert folder.folder.is_dir()
    assert [*folder.spool.iterdir()] == []


@ON_POSIX
def test_only_the_owner_may_enter_the_folder(folder: DataFolder) -> None:
    folder.prepare()
    assert mode(folder.folder) == mode(folder.spool) == 0o700


def test_preparing_again_empties_the_spool_and_changes_nothing_else(folder: DataFolder) -> None:
    folder.prepare()
    folder.catalogue.write_bytes(b"a catalogue")
    folder.files.mkdir()
    (folder.files / "kept").write_bytes(b"a file")
    (folder.spool / "left").write_bytes(b"half a body")
    (folder.spool / "below").mkdir()
    folder.prepare()
    assert [*folder.spool.iterdir()] == []
    assert folder.catalogue.read_bytes() == b"a catalogue"
    assert (folder.files / "kept").read_bytes() == b"a file"


@ON_POSIX
def test_one_serve_at_a_time_uses_a_folder(folder: DataFolder) -> None:
    with folder.locked():
        assert mode(folder.folder) == 0o700
        with (
            pytest.raises(UnusableData, match="another serve, or a backup, uses this folder") as raised,
            folder.locked(),
        ):
            pass
        assert raised.value.path == folder.folder
    with folder.locked():
        pass


def test_a_folder_without_locks_is_used_without(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", flock)
    with folder.locked(), folder.locked():
        folder.prepare()


def test_a_tmp_of_another_program_is_refused_and_unchanged(folder: DataFolder) -> None:
    folder.spool.mkdir(parents=True)
    (folder.spool / "theirs").write_bytes(b"precious")
    with pytest.raises(UnusableData, match="has a tmp/ with files") as raised:
        folder.prepare()
    assert raised.value.path == folder.folder
    assert str(raised.value).startswith(f"{folder.folder}: ")
    assert (folder.spool / "theirs").read_bytes() == b"precious"
    assert [*folder.folder.iterdir()] == [folder.spool]


def test_an_empty_tmp_of_another_program_is_accepted(folder: DataFolder) -> None:
    folder.spool.mkdir(parents=True)
    folder.prepare()
    assert [*folder.spool.iterdir()] == []


@ON_POSIX
def test_the_target_of_a_tmp_that_is_a_symbolic_link_is_not_emptied(folder: DataFolder, tmp_path: Path) -> None:
    folder.folder.mkdir(parents=True)
    folder.catalogue.write_bytes(b"a catalogue")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "theirs").write_bytes(b"precious")
    folder.spool.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableData, match="symbolic link"):
        folder.prepare()
    assert (tmp_path / "elsewhere" / "theirs").read_bytes() == b"precious"


def test_the_secret_of_the_first_configuration_belongs_to_an_owner(folder: DataFolder) -> None:
    folder.prepare()
    secret = folder.first_config()
    assert secret
    accounts = Accounts.from_toml(folder.config)
    project = accounts.project(PROJECT)
    assert project and accounts.project("main/packages") == project
    for method, ability in [("POST", Ability.CREATE_PACKAGE), ("GET", Ability.READ_PACKAGE)]:
        sent = Credentials(AuthScheme.BASIC, secret, USER)
        assert accounts.authenticate(sent, project, {"REQUEST_METHOD": method}).can(ability, project)
        assert not accounts.authenticate(None, project, {"REQUEST_METHOD": method}).can(ability, project)


def test_the_example_package_of_the_printed_lines_is_reserved(folder: DataFolder) -> None:
    folder.prepare()
    folder.first_config()
    accounts = Accounts.from_toml(folder.config)
    project = accounts.project(PROJECT)
    assert project
    assert accounts.forward_to(project, NormalizedName("mypypipackage")) is None
    assert accounts.forward_to(project, NormalizedName("other")) == PYPI


def test_only_the_digest_of_the_secret_is_stored(folder: DataFolder) -> None:
    folder.prepare()
    secret = folder.first_config()
    assert secret
    text = folder.config.read_text(encoding="utf-8")
    assert secret not in text and secret.removeprefix("registry-") not in text
    assert f'sha256 = "{sha256(secret.encode()).hexdigest()}"' in text
    assert [path.name for path in folder.folder.iterdir() if path.is_file()] == ["registry.toml"]


def test_each_first_start_creates_another_secret(tmp_path: Path) -> None:
    secrets = set()
    for name in "abc":
        folder = DataFolder(tmp_path / name)
        folder.prepare()
        secrets.add(folder.first_config())
    assert len(secrets) == 3


@ON_POSIX
def test_only_the_owner_may_read_the_configuration(folder: DataFolder) -> None:
    folder.prepare()
    folder.first_config()
    assert mode(folder.config) == 0o600


def test_the_examples_in_the_comments_of_the_configuration_are_valid(folder: DataFolder) -> None:
    folder.prepare()
    folder.first_config()
    text = folder.config.read_text(encoding="utf-8")
    uncommented = re.sub(r"^# (?=\[\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert uncommented.count("\n[[groups]]\n") == 1 and "\nprotect = " in uncommented
    folder.config.write_text(uncommented, encoding="utf-8")
    group = Accounts.from_toml(folder.config).group(1)
    assert group and group.path == "main"


def test_an_existing_configuration_is_not_changed(folder: DataFolder) -> None:
    folder.prepare()
    assert folder.first_config()
    before = folder.config.read_bytes()
    assert folder.first_config() is None
    assert folder.config.read_bytes() == before
    folder.config.write_text("# mine", encoding="utf-8")
    assert folder.first_config() is None
    assert folder.config.read_text(encoding="utf-8") == "# mine"


def test_a_first_start_succeeds_after_one_that_was_killed(folder: DataFolder) -> None:
    folder.prepare()
    left = folder.config.with_suffix(".new")
    left.write_text("[[proj", encoding="utf-8")
    assert folder.first_config()
    assert not left.exists()
    Accounts.from_toml(folder.config)


def test_a_second_start_changes_nothing_and_prints_no_secret(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as first:
        secret = first.secret
        assert secret in first.line("twine upload ") and secret in first.line("pip install ")
        assert first.line("pip install ").endswith("/projects/1/packages/pypi/simple mypypipackage")
        assert first.line("twine upload ").endswith(" dist/*")
    before = (data / "registry.toml").read_bytes()
    with served(data) as second:
        assert second.out == f"Serving on {second.api}/\n"
    assert (data / "registry.toml").read_bytes() == before
    assert secret not in first.err + second.err


def test_with_config_no_other_configuration_is_created(tmp_path: Path) -> None:
    config = tmp_path / "registry.toml"
    config.write_text("forward_to = false", encoding="utf-8")
    with served(tmp_path / "data", "--config", str(config)) as server:
        assert server.out == f"Serving on {server.api}/\n"
        assert not (tmp_path / "data" / "registry.toml").exists()
    assert config.read_text(encoding="utf-8") == "forward_to = false"
