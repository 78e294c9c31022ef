import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pypi_registry import __version__
from pypi_registry._cli.data_folder import DataFolder
from pypi_registry._cli.main import main
from pypi_registry._cli.server import Server
from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.stores.sqlite import SQLiteCatalogue


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which nothing may be created by accident."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def no_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a start that should have been refused fail the test, instead of serving for ever."""

    def run(server: Server, ready: object) -> None:
        raise AssertionError("it serves")

    monkeypatch.setattr(Server, "run", run)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must end with status 2 and one line; return the line."""
    assert main([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pypi-registry: ") and err.endswith("\n") and err.count("\n") == 1, err
    return err.removeprefix("pypi-registry: ").rstrip("\n")


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command whose arguments are wrong; return the last line, after the usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("usage: pypi-registry")
    return str(err.splitlines()[-1])


# serve: starts that are refused


def test_a_port_in_use_is_refused_before_anything_is_created(
    capsys: pytest.CaptureFixture[str], an_empty_folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(capsys, "serve", "--port", str(port))
    assert line == f"127.0.0.1:{port}: Address already in use"
    assert not [*an_empty_folder.iterdir()]


@pytest.mark.parametrize("host", ["192.0.2.1", 64 * "a" + ".example", "a..example"])
def test_an_address_of_another_machine_is_refused(
    capsys: pytest.CaptureFixture[str], an_empty_folder: Path, host: str
) -> None:
    assert refusal(capsys, "serve", "--host", host, "--port", "0").startswith(f"{host}:0: ")
    assert not [*an_empty_folder.iterdir()]


@pytest.mark.parametrize("port", ["-1", "65536", "99999999999", "http", "80.0", "", "٨٠"])
def test_a_bad_port_is_named(capsys: pytest.CaptureFixture[str], port: str) -> None:
    line = usage_error(capsys, "serve", f"--port={port}")
    assert line.endswith(f"argument --port: {port!r} is not a port: 0 to 65535")


@pytest.mark.parametrize("count", ["-1", "100", "1.0", "one", "", "٣"])
def test_a_bad_number_of_proxies_is_named(capsys: pytest.CaptureFixture[str], count: str) -> None:
    line = usage_error(capsys, "serve", f"--proxies={count}")
    assert line.endswith(f"argument --proxies: {count!r} is not a number of proxies: 0 to 99")


def test_data_that_is_a_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"precious")
    assert refusal(capsys, "serve", "--port", "0", "--data", file) == f"{file}: Not a directory"
    assert refusal(capsys, "serve", "--port", "0", "--data", file / "x") == f"{file / 'x'}: Not a directory"
    assert file.read_bytes() == b"precious"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="modes do not bind root")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_without_permission_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, mode: int) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=mode)
    line = refusal(capsys, "serve", "--port", "0", "--data", data)
    data.chmod(0o700)
    assert line.startswith(str(data)) and line.endswith("Permission denied")


def test_a_folder_that_may_not_be_created_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    data = tmp_path / "data"
    assert refusal(capsys, "serve", "--port", "0", "--data", data) == f"{data}: Permission denied"


def test_a_folder_of_another_program_is_refused_and_unchanged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "tmp").mkdir(parents=True)
    (theirs / "tmp" / "file").write_bytes(b"precious")
    line = refusal(capsys, "serve", "--port", "0", "--data", theirs)
    assert line == f"{theirs}: this has a tmp/ with files, but is not a data folder of this program"
    assert [*theirs.rglob("*")] == [theirs / "tmp", theirs / "tmp" / "file"]
    assert (theirs / "tmp" / "file").read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators there")
def test_a_spool_that_is_a_link_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.prepare()
    data.catalogue.touch()
    data.spool.rmdir()
    data.spool.symlink_to(tmp_path)
    assert str(data.spool) in refusal(capsys, "serve", "--port", "0", "--data", data.folder)


@pytest.mark.parametrize("name", ["files", "tmp"])
def test_a_file_where_a_folder_is_needed_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / name).write_bytes(b"precious")
    line = refusal(capsys, "serve", "--port", "0", "--data", data)
    assert line.startswith(str(data / name)) and line.endswith(": Not a directory")
    assert (data / name).read_bytes() == b"precious"


def test_a_catalogue_that_is_no_database_is_named_and_unchanged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    data.folder.mkdir()
    data.catalogue.write_bytes(1000 * b"no database ")
    line = refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert line == f"{data.catalogue}: file is not a database"
    assert data.catalogue.read_bytes() == 1000 * b"no database "


def test_a_catalogue_that_is_a_folder_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.catalogue.mkdir(parents=True)
    line = refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert line == f"{data.catalogue}: unable to open database file"


def test_a_catalogue_of_a_newer_version_is_named_and_unchanged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    data.folder.mkdir()
    with closing(sqlite3.connect(data.catalogue)) as newer:
        newer.execute("PRAGMA user_version = 999")
    line = refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert line.startswith(f"{data.catalogue} ") and "999" in line


def test_a_refused_start_creates_no_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.folder.mkdir()
    data.catalogue.write_bytes(1000 * b"no database ")
    refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert not data.config.exists()


def test_a_refused_start_leaves_no_database_open(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[SQLiteCatalogue] = []

    class Noted(SQLiteCatalogue):
        def close(self) -> None:
            super().close()
            closed.append(self)

    monkeypatch.setattr("pypi_registry._cli.stores.SQLiteCatalogue", Noted)
    data = DataFolder(tmp_path / "data")
    data.folder.mkdir()
    data.config.write_text("max_file_size = 0", encoding="utf-8")
    refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert len(closed) == 1


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_configuration_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], an_empty_folder: Path, tmp_path: Path, name: str
) -> None:
    config = tmp_path / name
    assert refusal(capsys, "serve", "--port", "0", "--config", config).startswith(f"{config}: ")
    assert not [*an_empty_folder.iterdir()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("forward_to =", "this is not TOML: ", id="not TOML"),
        pytest.param("x = " + 5000 * "1", "this is not TOML: ", id="an enormous number"),
        pytest.param("x = " + 5000 * "[", "this is not TOML: ", id="deeply nested"),
        pytest.param("max_file_size = -1", "max_file_size = -1: must be ", id="number out of range"),
        pytest.param("forward_to = 1", "forward_to = 1: must be ", id="wrong type"),
        pytest.param("forward_too = true", "forward_too = (not shown): there is no such key; did you mean", id="key"),
        pytest.param("projects = [{ id = 1 }]", "projects[1].path: is missing", id="missing key"),
        pytest.param(
            'projects = [{ id = 1, path = "a/b", visibility = "open" }]',
            "projects[1].visibility = 'open': must be one of public, internal, private",
            id="value that is no choice",
        ),
        pytest.param(
            'users = [{ name = "ada", roles = { "a/b" = "owner" } }]',
            "users[1].roles = 'a/b': there is no such project or group",
            id="value that names nothing",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_named_by_file_key_and_value(
    capsys: pytest.CaptureFixture[str], an_empty_folder: Path, tmp_path: Path, text: str, message: str
) -> None:
    config = tmp_path / "registry.toml"
    config.write_text(text, encoding="utf-8")
    assert refusal(capsys, "serve", "--port", "0", "--config", config).startswith(f"{config}: {message}")
    assert not [*an_empty_folder.iterdir()]


def test_a_mistake_in_the_configuration_of_the_folder_is_named_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    data.folder.mkdir()
    data.config.write_text("max_file_size = 0", encoding="utf-8")
    line = refusal(capsys, "serve", "--port", "0", "--data", data.folder)
    assert line.startswith(f"{data.config}: max_file_size = 0: ")


def test_a_configuration_that_is_not_utf_8_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "registry.toml"
    config.write_bytes(b'x = "\xff"')
    line = refusal(capsys, "serve", "--port", "0", "--config", config)
    assert line == f"{config}: this is not UTF-8 from byte 5 on"


def test_a_missing_server_is_named_with_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pypi_registry._cli.serve", "pypi_registry._cli.server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert refusal(capsys, "serve", "--port", "0").endswith(
        f": the extra 'serve' installs it, in a clone with: {sys.executable} -m pip install '.[serve]'"
    )


# token


def created(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """Create a token; return the secret, which must be a word of its own, and the table."""
    assert main(["token", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    [secret] = [word for word in out.split() if word.startswith("registry-")]
    introduction, _, table = out.partition("[[tokens]]")
    assert f"\n{secret}\n" in introduction
    assert secret not in table
    return secret, f"[[tokens]]{table}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The ``registry.toml`` of a first start."""
    data = DataFolder(tmp_path / "data")
    data.prepare()
    assert data.first_config()
    return data.config


def paste(config: Path, table: str) -> Accounts:
    with config.open("a", encoding="utf-8") as stream:
        stream.write(table)
    return Accounts.from_toml(config)


@pytest.mark.parametrize(
    ("arguments", "user", "abilities"),
    [
        pytest.param([], "any", "read publish", id="the default"),
        pytest.param(["--scope", "read_api"], "any", "read", id="reading"),
        pytest.param(["--scope", "read_api", "--scope", "api", "--user", "owner"], "any", "read publish", id="both"),
        pytest.param(["--kind", "deploy", "--on", "main"], "any", "read publish", id="deploy"),
        pytest.param(
            ["--kind", "deploy", "--on", "main/packages", "--scope", "read_package_registry"],
            "any",
            "read",
            id="deploy for reading",
        ),
        pytest.param(["--kind", "job", "--on", "main/packages"], "gitlab-ci-token", "read publish", id="job"),
        pytest.param(["--expires", "2999-01-01T00:00:00+02:00"], "any", "read publish", id="with an expiry"),
        pytest.param(["--name", 'a "name" \\ with\nall of \x7f it: é☃'], "any", "read publish", id="odd name"),
    ],
)
def test_a_created_token_works_after_it_was_pasted(
    capsys: pytest.CaptureFixture[str], config: Path, arguments: list[str], user: str, abilities: str
) -> None:
    secret, table = created(capsys, *arguments)
    accounts = paste(config, table)
    project = accounts.project(1)
    assert project
    principal = accounts.authenticate(Credentials(AuthScheme.BASIC, secret, user), project, {"REQUEST_METHOD": "GET"})
    assert principal.can(Ability.READ_PACKAGE, project)
    if "publish" in abilities:
        principal = accounts.authenticate(
            Credentials(AuthScheme.BASIC, secret, user), project, {"REQUEST_METHOD": "POST"}
        )
        assert principal.can(Ability.CREATE_PACKAGE, project)


def test_a_created_table_has_what_the_options_state(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--name", "ada's laptop", "--user", "ada", "--scope", "read_api", "--expires", "2027-01-01T00:00:00Z"]
    _, table = created(capsys, *arguments)
    [token] = tomllib.loads(table)["tokens"]
    digest = token.pop("sha256")
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert token == {
        "name": "ada's laptop",
        "kind": "personal",
        "user": "ada",
        "scopes": ["read_api"],
        "expires": datetime(2027, 1, 1, tzinfo=UTC),
    }


def test_created_secrets_differ_and_need_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    secrets = {created(capsys)[0] for _ in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"registry-[A-Za-z0-9_-]{40}", secret) for secret in secrets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scope", "write"], "the scopes of a personal token are: api, read_api"),
        (["--kind", "job", "--on", "a/b", "--scope", "api"], "the scopes of a job token are: none"),
        (["--kind", "deploy"], "a deploy token needs --on"),
        (["--kind", "job"], "a job token needs --on"),
        (["--kind", "other"], "argument --kind: "),
        (["--expires", "soon"], "argument --expires: 'soon' is not a time, such as 2027-01-01T00:00:00Z"),
        (["--expires", "2027-01-01"], "argument --expires: '2027-01-01' needs a UTC offset, such as Z"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert f"error: {message}" in usage_error(capsys, "token", *arguments)


# The program


MODULE = [sys.executable, "-m", "pypi_registry"]
SCRIPT = [str(Path(sys.executable).with_name("pypi-registry"))]


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["--version"], (0, f"{__version__}\n", "")),
        (["serve", "--config", "none.toml"], (2, "", "pypi-registry: none.toml: No such file or directory\n")),
    ],
    ids=str,
)
@pytest.mark.parametrize("program", [MODULE, SCRIPT], ids=["module", "script"])
def test_the_module_and_the_console_script_are_programs(
    program: list[str], arguments: list[str], result: tuple[int, str, str]
) -> None:
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == result


@pytest.mark.parametrize("command", [[], ["serve"], ["token"], ["check"]], ids=lambda words: words[0] if words else "")
def test_the_module_and_the_console_script_are_the_same_program(command: list[str]) -> None:
    shown = [subprocess.check_output([*program, *command, "--help"], text=True) for program in (MODULE, SCRIPT)]
    assert shown[0] == shown[1]
    assert shown[0].startswith("usage: pypi-registry ")


def test_without_a_command_the_usage_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "COMMAND" in usage_error(capsys)


@pytest.mark.parametrize("flushed", [False, True])
def test_a_reader_that_ends_early_is_no_traceback(tmp_path: Path, flushed: bool) -> None:
    (tmp_path / "no-archive-1.0.tar.gz").write_bytes(b"")
    environ = {**os.environ, **({"PYTHONUNBUFFERED": "1"} if flushed else {})}
    command = [sys.executable, "-m", "pypi_registry", "check", str(tmp_path / "no-archive-1.0.tar.gz")]
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environ, timeout=60, check=False)
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (2, b"")
