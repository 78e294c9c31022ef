"""``user``, ``project`` and ``token`` on a ``registry.toml``: what they change, print and refuse."""

import errno
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_registry._cli import user
from pypi_registry._cli.main import main
from pypi_registry.accounts import Accounts, token_digest
from pypi_registry.accounts.toml import parse_settings
from pypi_registry.model import Digests, Project, Upload
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

CONFIG = """\
# The registry of Acme
reserved = ["acme-*"] # ours

[[projects]]
id = 41
path = "acme/tools"
# job_token_allowlist = []

# A library
[[projects]]
id = 7
path = "acme/libs/core"

[[users]]
name = "ada"
admin = true

# Bob is new
[[users]]
name = "bob"
roles = { "acme/tools" = "developer" }

[[tokens]]
name = "laptop"
kind = "personal"
user = "ada"
scopes = ["api"]
sha256 = "aaaa000000000000000000000000000000000000000000000000000000000000"

[[tokens]]
name = "laptop"
kind = "personal"
user = "bob"
scopes = ["read_api"]
sha256 = "aaaabbbb00000000000000000000000000000000000000000000000000000000"
expires = 2037-01-01T00:00:00Z

# For the robot
[[tokens]]
name = "robot"
kind = "deploy"
on = "acme"
scopes = ["read_package_registry"]
sha256 = "cccc000000000000000000000000000000000000000000000000000000000000"
"""


class Commands:
    """Runs commands on a data folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.config = folder, folder / "registry.toml"
        self._capsys = capsys

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed, and return what it prints."""
        assert main([*arguments, "--data", str(self.folder)]) == 0
        return self._capsys.readouterr().out

    def refused(self, *arguments: str) -> str:
        """Run a command that must end with status 2 and change nothing, and return the message."""
        before = self.config.read_bytes() if self.config.exists() else None
        try:
            status = main([*arguments, "--data", str(self.folder)])
        except SystemExit as ended:
            status = int(str(ended.code))
        out, err = self._capsys.readouterr()
        assert (status, out) == (2, "")
        assert (self.config.read_bytes() if self.config.exists() else None) == before
        return str(err.splitlines()[-1])

    @property
    def text(self) -> str:
        return self.config.read_text(encoding="utf-8")

    def users(self) -> dict[str, dict[str, str]]:
        settings = parse_settings(self.config.read_bytes())
        return {user.name: {path: role.name for path, role in user.roles.items()} for user in settings["users"]}


@pytest.fixture
def acme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    (tmp_path / "registry.toml").write_text(CONFIG, encoding="utf-8")
    return Commands(tmp_path, capsys)


@pytest.fixture
def new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(tmp_path / "new", capsys)


# Users


def test_a_user_is_added_and_everything_else_stays(acme: Commands) -> None:
    roles = ["--role", "acme=reporter", "--role", "Acme/Tools=maintainer"]
    assert acme.run("user", "add", "cy", "--admin", *roles) == "created user cy\n"
    table = '\n[[users]]\nname = "cy"\nadmin = true\nroles = { "acme" = "reporter", "Acme/Tools" = "maintainer" }\n'
    before, bob, after = CONFIG.partition('roles = { "acme/tools" = "developer" }\n')
    assert acme.text == f"{before}{bob}{table}{after}"


@pytest.mark.parametrize("name", ["José", "two words", "☃", 'a "quoted" \\ one', "[[users]]", "a#b", "registry-like"])
def test_names_may_have_any_visible_character(acme: Commands, name: str) -> None:
    acme.run("user", "add", name)
    assert [*acme.users()] == ["ada", "bob", name]
    acme.run("user", "remove", name)
    assert acme.text == CONFIG


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "ada"], "pypi-registry: there is already a user 'ada'"),
        (["add", ""], "argument NAME: '' is not a name: "),
        (["add", "a\nb"], r"argument NAME: 'a\nb' is not a name: "),
        (["add", " a"], "argument NAME: ' a' is not a name: "),
        (["add", "cy", "--role", "acme/tool=guest"], "no project or group 'acme/tool'; there are acme, acme/libs, "),
        (["add", "cy", "--role", "acme=boss"], "'boss' is not a role; the roles are guest, reporter, developer, "),
        (["add", "cy", "--role", "acme=admin"], "'admin' is not a role; the roles are "),
        (["add", "cy", "--role", "acme"], "'acme' is not PATH=ROLE, such as acme/tools=developer"),
        (["add", "cy", "--role", "=guest"], "'=guest' is not PATH=ROLE"),
        (["add", "cy", "--role", "acme=guest", "--role", "ACME=owner"], "--role: 'ACME' has two roles"),
        (["remove", "cy"], "pypi-registry: there is no user 'cy'; the users are ada, bob"),
    ],
)
def test_a_wrong_user_is_refused_with_the_choices(acme: Commands, arguments: list[str], message: str) -> None:
    assert message in acme.refused("user", *arguments)


def test_a_removed_user_takes_their_tokens_with_them_and_no_comment(acme: Commands) -> None:
    assert (
        acme.run("user", "remove", "bob") == "removed user bob\nremoved personal token laptop (sha256 aaaabbbb0000…)\n"
    )
    comments = [line for line in CONFIG.splitlines() if line.startswith("#")]
    assert [line for line in acme.text.splitlines() if line.startswith("#")] == comments
    assert "bob" not in acme.text and "aaaabbbb" not in acme.text
    assert [*acme.users()] == ["ada"]


def test_the_last_administrator_can_be_removed_with_a_note(acme: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "remove", "ada", "--data", str(acme.folder)]) == 0
    assert capsys.readouterr().err == "note: no administrator and no owner remains\n"


def test_a_user_is_changed_and_everything_else_stays(acme: Commands) -> None:
    output = acme.run(
        *("user", "change", "bob", "--role", "acme=reporter", "--role", "acme/libs=owner"),
        *("--remove-role", "ACME/Tools", "--admin"),
    )
    assert output == (
        "changed user bob\n"
        "role in acme: reporter (before: none)\n"
        "role in acme/libs: owner (before: none)\n"
        "role in acme/tools: none (before: developer)\n"
        "administrator: yes (before: no)\n"
    )
    line = 'roles = { "acme/tools" = "developer" }\n'
    assert acme.text == CONFIG.replace(line, 'roles = { "acme" = "reporter", "acme/libs" = "owner" }\nadmin = true\n')
    assert acme.run("user", "change", "bob", "--no-admin", "--role", "ACME=owner") == (
        "changed user bob\nrole in acme: owner (before: reporter)\nadministrator: no (before: yes)\n"
    )
    assert acme.users()["bob"] == {"acme": "OWNER", "acme/libs": "OWNER"}


def test_a_change_that_changes_nothing_writes_nothing(acme: Commands) -> None:
    output = acme.run("user", "change", "bob", "--role", "ACME/tools=developer", "--no-admin")
    assert output == "user bob has these rights already; nothing was changed\n"
    assert acme.text == CONFIG


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bob"], "give --role, --remove-role, --admin or --no-admin"),
        (["cy", "--admin"], "pypi-registry: there is no user 'cy'; the users are ada, bob"),
        (
            ["bob", "--role", "acme/absent=guest"],
            "--role: there is no project or group 'acme/absent'; there are",
        ),
        (["bob", "--role", "acme=king"], "'king' is not a role; the roles are guest, "),
        (["bob", "--role", "acme=guest", "--role", "ACME=owner"], "--role: 'ACME' has two roles"),
        (["bob", "--remove-role", "acme"], "--remove-role: bob has no role in 'acme'; paths with a role: acme/tools"),
        (["ada", "--remove-role", "acme"], "--remove-role: ada has no role in 'acme'; paths with a role: none"),
        (["bob", "--role", "acme/tools=guest", "--remove-role", "acme/TOOLS"], "--remove-role: 'acme/TOOLS' has a new"),
        (["bob", "--admin", "--remove-role", "acme"], "--remove-role: bob has no role in 'acme'"),
    ],
)
def test_a_wrong_change_of_a_user_is_refused(acme: Commands, arguments: list[str], message: str) -> None:
    assert message in acme.refused("user", "change", *arguments)


def test_a_change_without_a_file_creates_none(new: Commands) -> None:
    assert "there is no user 'ada'" in new.refused("user", "change", "ada", "--admin")
    assert not new.config.exists()


def test_the_last_administrator_can_be_changed_with_a_note(acme: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "change", "ada", "--no-admin", "--data", str(acme.folder)]) == 0
    assert capsys.readouterr().err == "note: no administrator and no owner remains\n"


@pytest.mark.parametrize(
    "roles",
    ["[users.roles]\n'acme/tools' = 'guest' # tools\n", "roles.'acme/tools' = 'guest' # tools\nadmin = false\n"],
    ids=["a table", "dotted keys"],
)
def test_roles_may_be_written_in_every_way(acme: Commands, roles: str) -> None:
    acme.config.write_text(CONFIG.replace('roles = { "acme/tools" = "developer" }\n', roles), encoding="utf-8")
    acme.run("user", "change", "bob", "--role", "Acme/Tools=owner", "--role", "acme=reporter", "--admin")
    assert "# tools" in acme.text
    acme.run("user", "change", "bob", "--remove-role", "acme/tools")
    acme.run("user", "change", "bob", "--remove-role", "acme")
    assert acme.users()["bob"] == {}
    assert [user.admin for user in parse_settings(acme.config.read_bytes())["users"]] == [True, True]


def test_users_are_listed(acme: Commands) -> None:
    assert acme.run("user", "list").splitlines() == [
        "NAME  ADMIN  ROLES",
        "ada   yes    -",
        "bob   no     acme/tools=developer",
    ]
    assert json.loads(acme.run("user", "list", "--json")) == [
        {"name": "ada", "admin": True, "roles": {}},
        {"name": "bob", "admin": False, "roles": {"acme/tools": "developer"}},
    ]


# Projects


def test_a_project_gets_an_id_above_all_others(acme: Commands) -> None:
    assert acme.run("project", "add", "acme/new", "--visibility", "internal") == "created project acme/new: id 42\n"
    assert '\n[[projects]]\nid = 42\npath = "acme/new"\nvisibility = "internal"\n' in acme.text
    assert acme.run("project", "add", "acme/next") == "created project acme/next: id 43\n"


@pytest.fixture
def published(acme: Commands) -> Commands:
    """A catalogue in which a project has published that is gone from the file, with its package."""
    FileBlobs(acme.folder / "files")
    with closing(SQLiteCatalogue(acme.folder / "catalogue.sqlite3")) as catalogue:
        project, name = Project(99, "acme/gone"), NormalizedName("demo")
        upload = Upload("demo", name, "1.0", "demo-1.0.tar.gz", 4, Digests("0" * 64), requires_python="")
        file = catalogue.add(project, upload, "0" * 32, datetime.now(UTC), "ada")
        catalogue.delete_package(project, file.package.id, "ada")
    return acme


def test_an_id_never_returns_although_its_packages_are_deleted(published: Commands) -> None:
    assert published.run("project", "add", "acme/new") == "created project acme/new: id 100\n"
    assert "99 was the id of 'acme/gone', which has published" in published.refused(
        "project", "add", "acme/other", "--id", "99"
    )
    assert published.run("project", "add", "Acme/Gone", "--id", "99") == "created project Acme/Gone: id 99\n"


def test_a_project_that_has_published_before_is_named(published: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["project", "add", "acme/gone", "--data", str(published.folder)]) == 0
    assert capsys.readouterr().err.startswith("note: acme/gone has published packages as project 99; ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["acme/tools"], "pypi-registry: there is already a project 'acme/tools'"),
        (["ACME/Tools"], "pypi-registry: there is already a project 'ACME/Tools'"),
        (["acme/new", "--id", "7"], "--id: 7 is the id of 'acme/libs/core'"),
        (["acme/new", "--id", "-1"], "argument --id: "),
        (["acme/new", "--id", "1" * 19], "is not an id: a number of at most 18 digits"),
        (["acme/libs"], "projects[3].path = 'acme/libs': is the path of a group"),
        (["acme//new"], "argument PATH: 'acme//new' is not a path: segments of"),
        (["acme/né"], "argument PATH: 'acme/né' is not a path: segments of"),
        (["acme/new", "--visibility", "open"], "argument --visibility: "),
    ],
)
def test_a_wrong_project_is_refused(acme: Commands, arguments: list[str], message: str) -> None:
    assert message in acme.refused("project", "add", *arguments)


def test_the_highest_id_of_all_asks_for_a_choice(acme: Commands) -> None:
    acme.run("project", "add", "acme/new", "--id", "9" * 18)
    assert "choose one with --id" in acme.refused("project", "add", "acme/next")


def test_a_catalogue_that_is_missing_after_it_was_created_is_named(published: Commands) -> None:
    (published.folder / "catalogue.sqlite3").unlink()
    assert str(published.folder / "catalogue.sqlite3") in published.refused("project", "add", "acme/new")


@pytest.fixture
def elsewhere(published: Commands, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without variables that name a database."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    for variable in ("PYPI_REGISTRY_CATALOGUE", "PYPI_REGISTRY_BLOBS"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def test_an_id_needs_the_catalogue(published: Commands, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["project", "add", "acme/new", "--config", str(published.config)]) == 2
    assert capsys.readouterr() == (
        "",
        "pypi-registry: there is no catalogue in pypi-registry-data: name the data folder of the registry with --data, "
        "its database with --catalogue, or the id of the project with --id\n",
    )
    assert (published.text, [*elsewhere.iterdir()]) == (CONFIG, [])


def test_without_options_a_new_registry_is_created_as_by_the_other_commands(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["user", "add", "ada"]) == 0
    assert main(["project", "add", "acme/new"]) == 0
    assert "created project acme/new: id" in capsys.readouterr().out
    assert [path.name for path in elsewhere.iterdir()] == ["pypi-registry-data"]


def test_an_id_that_was_named_needs_no_catalogue(published: Commands, elsewhere: Path) -> None:
    assert main(["project", "add", "acme/new", "--id", "100", "--config", str(published.config)]) == 0
    assert "id = 100" in published.text


def test_the_catalogue_of_the_default_folder_counts(
    published: Commands, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published.folder.rename(elsewhere / "pypi-registry-data")
    assert main(["project", "add", "acme/new"]) == 0
    assert capsys.readouterr() == ("created project acme/new: id 100\n", "")
    (elsewhere / "pypi-registry-data" / "catalogue.sqlite3").unlink()
    assert main(["project", "add", "acme/next"]) == 2
    assert "the catalogue is missing: restore it" in capsys.readouterr().err


def test_a_named_folder_without_a_catalogue_is_noted_beside_another_configuration(
    published: Commands, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["project", "add", "acme/new", "--data", "new", "--config", str(published.config)]) == 0
    assert capsys.readouterr() == (
        "created project acme/new: id 42\n",
        f"note: new has no catalogue yet, so the id is above those in {published.config} only\n",
    )
    assert [*elsewhere.iterdir()] == []


def test_projects_are_listed(acme: Commands) -> None:
    assert acme.run("project", "list").splitlines() == [
        "ID  PATH            VISIBILITY",
        "41  acme/tools      private",
        "7   acme/libs/core  private",
    ]
    assert json.loads(acme.run("project", "list", "--json"))[0] == {
        "id": 41,
        "path": "acme/tools",
        "visibility": "private",
    }


# Tokens


def test_a_token_is_added_and_its_secret_printed_alone(acme: Commands) -> None:
    secret = acme.run("token", "add", "--user", "bob", "--name", "work", "--expires", "2999-12-31")
    assert re.fullmatch(r"registry-[\w-]{40}\n", secret)
    assert acme.text == (
        f'{CONFIG}\n[[tokens]]\nname = "work"\nkind = "personal"\nuser = "bob"\nscopes = ["api"]\n'
        f'sha256 = "{token_digest(secret.strip())}"\nexpires = 2999-12-31T00:00:00Z\n'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--user: there is no user 'owner'; the users are ada, bob"),
        (["--user", "cy"], "--user: there is no user 'cy'; the users are ada, bob"),
        (["--kind", "job", "--user", "bob", "--on", "acme"], "--on: there is no project 'acme'; there are acme/tools"),
        (["--kind", "deploy", "--on", "acm"], "--on: there is no project or group 'acm'; there are acme, acme/libs, "),
        (["--kind", "deploy"], "a deploy token needs --on"),
        (["--user", "bob", "--scope", "write"], "the scopes of a personal token are: api, read_api"),
        (["--user", "bob", "--expires", "2001-01-01"], "is in the past"),
        (["--user", "bob", "--expires", "tomorrow"], "'tomorrow' is not a time, such as 2027-01-01T00"),
        (["--user", "bob", "--expires", "2999-01-01T00:00:00"], "needs a UTC offset, such as Z"),
        (["--user", "bob", "--name", "a\nb"], "has a control character"),
    ],
)
def test_a_wrong_token_is_refused_and_no_secret_is_printed(acme: Commands, arguments: list[str], message: str) -> None:
    assert message in acme.refused("token", "add", *arguments)


def test_options_before_the_action_count_too(acme: Commands) -> None:
    acme.run("token", "--user", "bob", "--name", "work", "add")
    assert '\nname = "work"\nkind = "personal"\nuser = "bob"\n' in acme.text


class Full(io.StringIO):
    """An output on a disk without room."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_secret_that_cannot_be_printed_creates_no_token(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["token", "add", "--user", "bob", "--data", str(acme.folder)]) == 2
    assert acme.text == CONFIG
    assert [path.name for path in acme.folder.iterdir()] == ["registry.toml"]


def test_a_secret_that_cannot_be_printed_creates_no_file(new: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["user", "add", "ada", "--data", str(new.folder)]) == 2
    assert [*new.folder.iterdir()] == []


def test_tokens_are_listed(acme: Commands) -> None:
    acme.run("token", "revoke", "robot")
    assert acme.run("token", "list").splitlines() == [
        "NAME    KIND      USER  ON    SCOPES                 EXPIRES               STATE    SHA256",
        "laptop  personal  ada   -     api                    -                     valid    aaaa00000000",
        "laptop  personal  bob   -     read_api               2037-01-01T00:00:00Z  valid    aaaabbbb0000",
        "robot   deploy    -     acme  read_package_registry  -                     revoked  cccc00000000",
    ]
    assert json.loads(acme.run("token", "list", "--json"))[1] == {
        "name": "laptop",
        "kind": "personal",
        "user": "bob",
        "on": "",
        "scopes": ["read_api"],
        "expires": "2037-01-01T00:00:00Z",
        "state": "valid",
        "sha256": "aaaabbbb" + 56 * "0",
    }


@pytest.mark.parametrize(
    ("arguments", "digest"),
    [
        (["robot"], "cccc"),
        (["--sha256", "CCCC"], "cccc"),
        (["laptop", "--sha256", "aaaab"], "aaaabbbb"),
        (["--sha256", "aaaa0000"], "aaaa0000"),
    ],
)
def test_a_token_is_revoked(acme: Commands, arguments: list[str], digest: str) -> None:
    assert acme.run("token", "revoke", *arguments).startswith("revoked ")
    revoked = [token for token in parse_settings(acme.config.read_bytes())["tokens"] if token.revoked]
    assert [token.sha256.startswith(digest) for token in revoked] == [True]
    assert acme.text.replace("revoked = true\n", "") == CONFIG


def test_a_revoked_token_with_the_same_name_is_not_meant(acme: Commands) -> None:
    acme.run("token", "revoke", "--sha256", "aaaa0000")
    assert acme.run("token", "revoke", "laptop") == "revoked personal token laptop (sha256 aaaabbbb0000…)\n"
    assert acme.run("token", "revoke", "robot") == "revoked deploy token robot (sha256 cccc00000000…)\n"
    assert acme.run("token", "revoke", "robot") == "deploy token robot (sha256 cccc00000000…) is revoked already\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["desktop"], "there is no such token; the tokens are personal token laptop (sha256 aaaa00000000…) of ada, "),
        (["laptop"], "(sha256 aaaa00000000…) of ada, personal token laptop (sha256 aaaabbbb0000…) of bob; choose one"),
        (["--sha256", "aaaa"], "choose one with --sha256"),
        (["robot", "--sha256", "aaaa"], "there is no such token"),
        (["--sha256", "aaa"], "'aaa' is not the beginning of a digest: 4 to 64 hexadecimal digits"),
        ([], "give the NAME of the token, or --sha256 PREFIX"),
    ],
)
def test_an_unknown_or_ambiguous_token_is_refused(acme: Commands, arguments: list[str], message: str) -> None:
    assert message in acme.refused("token", "revoke", *arguments)


def test_a_printed_table_can_be_appended_to_the_file_and_its_secret_is_visible(acme: Commands) -> None:
    with acme.config.open("a", encoding="utf-8") as stream:
        command = [sys.executable, "-m", "pypi_registry", "token", "--user", "bob"]
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=True)
    [secret] = re.findall(r"registry-[\w-]{40}", done.stderr)
    assert secret not in acme.text
    assert parse_settings(acme.config.read_bytes())["tokens"][-1].sha256 == token_digest(secret)


# Files


def test_a_new_folder_gets_a_configuration_for_its_owner_only(new: Commands) -> None:
    new.run("project", "add", "acme/tools")
    new.run("user", "add", "ada", "--role", "acme=owner")
    secret = new.run("token", "add", "--user", "ada").strip()
    Accounts.from_toml(new.config)
    assert token_digest(secret) in new.text and secret not in new.text
    assert stat.S_IMODE(new.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.folder.stat().st_mode) == 0o700
    assert [path.name for path in new.folder.iterdir()] == ["registry.toml"]


@pytest.mark.parametrize("arguments", [("user", "add", "ada", "--role", "a=guest"), ("token", "add"), ("user", "list")])
def test_a_mistake_in_a_new_folder_creates_no_file(new: Commands, arguments: tuple[str, ...]) -> None:
    new.refused(*arguments)
    assert not new.config.exists()


def test_another_configuration_must_exist(acme: Commands, tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    assert str(config) in acme.refused("user", "add", "cy", "--config", str(config))
    config.write_text("# empty\n", encoding="utf-8")
    acme.run("user", "add", "cy", "--config", str(config))
    assert config.read_text(encoding="utf-8") == '# empty\n\n[[users]]\nname = "cy"\n'
    assert acme.text == CONFIG


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="a byte order mark"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), id="both"),
    ],
)
def test_the_encoding_of_a_file_stays(acme: Commands, encode: Callable[[str], bytes]) -> None:
    acme.run("user", "add", "cy")
    expected = encode(acme.text)
    acme.config.write_bytes(encode(CONFIG))
    acme.run("user", "add", "cy")
    assert acme.config.read_bytes() == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other modes")
def test_the_mode_and_a_symbolic_link_stay(acme: Commands, tmp_path: Path) -> None:
    real = tmp_path / "real" / "config.toml"
    real.parent.mkdir()
    acme.config.rename(real)
    real.chmod(0o640)
    acme.config.symlink_to(real)
    acme.run("user", "add", "cy")
    assert acme.config.is_symlink()
    assert "cy" in real.read_text(encoding="utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["config.toml"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(acme: Commands) -> None:
    os.chown(acme.config, 12345, 23456)
    acme.run("user", "add", "cy")
    status = acme.config.stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


def test_a_file_that_is_not_valid_is_not_changed(acme: Commands) -> None:
    acme.config.write_text(CONFIG.replace("admin = true", "admin = 1"), encoding="utf-8")
    message = acme.refused("user", "add", "cy")
    assert message == f"pypi-registry: {acme.config}: users[1].admin = 1: must be true or false"


def test_a_file_of_inline_tables_is_edited(acme: Commands) -> None:
    acme.config.write_text(
        "projects = [{ id = 3, path = 'a/b' }]\nusers = [\n  { name = 'ada' }, # the boss\n]\n"
        f"tokens = [{{ name = 't', kind = 'personal', user = 'ada', sha256 = '{64 * 'a'}', scopes = ['api'] }}]"
        " # one\n",
        encoding="utf-8",
    )
    assert acme.run("project", "add", "a/c") == "created project a/c: id 4\n"
    acme.run("user", "add", "bob", "--role", "a=owner")
    acme.run("token", "add", "--user", "bob", "--name", "new")
    acme.run("token", "revoke", "t")
    acme.run("user", "change", "ada", "--role", "a=guest", "--admin")
    assert acme.users() == {"ada": {"a": "GUEST"}, "bob": {"a": "OWNER"}}
    acme.run("user", "remove", "ada")
    acme.run("user", "change", "bob", "--role", "a=maintainer", "--role", "a/b=owner")
    acme.run("user", "change", "bob", "--remove-role", "a")
    assert acme.users() == {"bob": {"a/b": "OWNER"}}
    assert "# one" in acme.text


def test_two_commands_at_once_make_both_changes(acme: Commands) -> None:
    command = [sys.executable, "-m", "pypi_registry", "user", "add", "--data", str(acme.folder)]
    running = [subprocess.Popen([*command, f"user{number}"], stdout=subprocess.PIPE) for number in range(6)]
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sorted(acme.users()) == ["ada", "bob", *(f"user{number}" for number in range(6))]


def test_a_change_of_an_editor_meanwhile_is_not_lost(acme: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor knows no lock."""
    edits = iter([CONFIG.replace("# ours", "# edited")])

    class Printed(io.StringIO):
        pass

    add = user.add_user

    def add_while_editing(*arguments: object) -> object:
        if text := next(edits, None):
            acme.config.write_text(text, encoding="utf-8")
        return add(*arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(user, "add_user", add_while_editing)
    acme.run("user", "add", "cy")
    assert "# edited" in acme.text and [*acme.users()] == ["ada", "bob", "cy"]


@pytest.mark.parametrize("command", ["user", "project", "token"])
def test_help_names_roles_scopes_and_actions(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"user": ["guest", "owner", "developer"], "token": ["api", "read_package_registry"], "project": ["add"]}
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in [*words[command], "list"])
