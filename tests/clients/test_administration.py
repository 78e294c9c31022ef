"""The recipes for administrators, typed one after the other as the pages show them, while a registry runs."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION
from pypi_registry.testing.archives import distribution
from tests.clients.programs import SCRIPTS
from tests.clients.served import until
from tests.clients.terminal import Terminal
from tests.clients.wire import Answer, get, upload
from tests.ports import free_port
from tests.test_docs import PAGES, ROOT, blocks, text_of

pytestmark = pytest.mark.slow

PAGE = PAGES["administration.md"]
SECRET = re.compile(r"^registry-\S+$", re.MULTILINE)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal in an empty folder, in which the command is installed."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".curlrc").write_text("fail\nsilent\nshow-error\n")
    environment = {"HOME": str(tmp_path / "home"), "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])}
    folder = tmp_path / "machine"
    folder.mkdir()
    return Terminal(folder, free_port(), {"/srv/": f"{tmp_path}/srv/"}, environment)


@dataclass(frozen=True)
class Administered:
    """A registry that runs, and its administrator at another terminal."""

    terminal: Terminal
    log: Path
    secret: str

    @property
    def data(self) -> Path:
        return self.terminal.folder / "pypi-registry-data"

    def type(self, lines: str) -> str:
        """Run lines, after those that set the two variables of the page."""
        variables = blocks(PAGE, "sh")[0].replace("registry-…", self.secret)
        return self.terminal.type(variables + lines)

    def publish(self, filename: str, project: str = "1", secret: str = "") -> Answer:
        name, version = re.match(r"(.+?)-([0-9.]+?)(?=-|\.tar)", filename).groups()  # type: ignore[union-attr]  # it matches
        address = f"http://127.0.0.1:{self.terminal.port}/api/v4/projects/{project}/packages/pypi"
        fields = {"name": name, "version": version}
        return upload(address, secret or self.secret, fields, filename, distribution(filename))

    def edit(self, old: str, new: str) -> None:
        """Edit registry.toml, and wait until it is reloaded."""
        config, reloads = self.data / "registry.toml", text_of(self.log).count("reloaded")
        text = config.read_text(encoding="utf-8")
        assert old in text
        config.write_text(text.replace(old, new, 1), encoding="utf-8")
        until(lambda: text_of(self.log).count("reloaded") > reloads)

    def page(self, port: int) -> bytes:
        """Return the page of demo of a registry on a port."""
        return get(f"http://127.0.0.1:{port}/api/v4/projects/1/packages/pypi/simple/demo/", self.secret).body

    def status(self, path: str, secret: str = "") -> int:
        return get(f"http://127.0.0.1:{self.terminal.port}{path}", secret or self.secret).status


@pytest.fixture
def administered(terminal: Terminal) -> Iterator[Administered]:
    with terminal.running("pypi-registry serve") as log:
        [secret] = {*SECRET.findall(text_of(log))}
        yield Administered(terminal, log, secret)


def test_the_recipes_to_the_letter(administered: Administered) -> None:
    (
        _,
        add_project,
        add_person,
        change_roles,
        add_machine,
        revoke,
        remove_person,
        who,
        deleted,
        refused,
        failed,
        find,
        yank,
        delete,
        quarantine,
        prune,
        backup,
        restore,
        fsck,
        backup_as_json,
        _upgrade,  # typed in the test of the quickstart, which has a clone
    ) = blocks(PAGE, "sh")
    _as_the_user, protect = blocks(PAGE, "text")
    type_, publish = administered.type, administered.publish

    for filename in ("demo-1.0.tar.gz", "demo-2.0.tar.gz", "demo-2.0-py3-none-any.whl"):
        assert publish(filename).status == 201

    assert "acme/tools" in type_(add_project).splitlines()[-1]
    [ada] = SECRET.findall(type_(add_person))
    assert type_(change_roles).splitlines() == [
        "changed user ada",
        "role in acme: reporter (before: developer)",
        "role in acme/tools: maintainer (before: none)",
        "changed user ada",
        "role in acme/tools: none (before: maintainer)",
        "changed user ada",
        "administrator: yes (before: no)",
        "changed user ada",
        "role in acme: developer (before: reporter)",
        "administrator: no (before: yes)",
    ]
    [robot] = SECRET.findall(type_(add_machine))
    tools = "/api/v4/projects/acme%2Ftools/packages/pypi/simple/"
    until(lambda: administered.status(tools, robot) == 200)
    assert publish("tool-0.0.tar.gz", "acme%2Ftools", robot).status == 403, "it only installs"
    for number in range(12):
        assert publish(f"tool-{number}.0.tar.gz", "acme%2Ftools", ada).status == 201

    assert publish("core-x-1.0.tar.gz", "acme%2Ftools", ada).status == 201
    rule = next(line for line in protect.splitlines() if line.startswith("protect = "))
    administered.edit('path = "acme/tools"\n', f'path = "acme/tools"\n{rule}\n')
    assert publish("core-x-1.1.tar.gz", "acme%2Ftools", ada).status == 403
    [reserved] = re.findall("`(reserved = .*?)`", text_of(PAGE))
    administered.edit('reserved = ["mypypipackage"]', reserved)
    index = "/api/v4/projects/1/packages/pypi/simple"
    assert (administered.status(f"{index}/acme-x/"), administered.status(f"{index}/other/")) == (404, 302)

    assert "ada's laptop" in type_(revoke)
    until(lambda: administered.status(tools, ada) == 401)
    type_(remove_person)
    assert "ada" not in type_("pypi-registry user list")

    assert [line.split("\t")[1:] for line in type_(who).splitlines()] == [
        ["Published", "owner", "1.0"],
        ["Published", "owner", "2.0"],
        ["Published", "owner", "2.0"],
    ]
    assert [line.split("\t")[1:] for line in type_(refused).splitlines()] == [
        [
            "deploy token build machine",
            "acme/tools",
            "",
            "403",
            "deploy token build machine may not publish packages in acme/tools "
            "(the scopes of the token do not allow create_package)",
        ],
        [
            "ada",
            "acme/tools",
            "core-x-1.1.tar.gz",
            "403",
            "ada may not publish core-x in acme/tools "
            "(a protection rule for this name requires the role maintainer, not developer)",
        ],
    ]
    # The first one of an address is a line: that of the robot, if its token was tried before the reload.
    [[address, project, count, reason]] = [line.split("\t")[1:] for line in type_(failed).splitlines()]
    assert (address, project, count) == ("127.0.0.1", "acme/tools", "1") and reason.startswith("the token is ")
    assert type_(deleted) == ""
    assert '"version": "1.0"' in type_(find)
    yanked, restored = type_(yank).replace("}{", "}\n{").splitlines()
    assert '"it deletes your files"' in yanked and '"it deletes your files"' not in restored
    assert '"demo-2.0-py3-none-any.whl"' in type_(delete)
    left = type_(find)
    assert '"version": "2.0"' in left and '"version": "1.0"' not in left
    assert [line.split("\t")[1:] for line in type_(deleted).splitlines()] == [
        ["owner", "127.0.0.1", "demo", "1.0", "demo-1.0.tar.gz"],
        ["owner", "127.0.0.1", "demo", "2.0", "demo-2.0-py3-none-any.whl"],
    ]
    assert '"quarantined"' in type_(quarantine)
    assert administered.status(f"{index}/demo/") == 200

    dry_run, pruned = prune.splitlines()
    assert type_(dry_run).count("would delete tool ") == type_(pruned).count("deleted tool ") == 2

    assert ": 12 files: " in type_(backup)
    assert type_(backup_as_json) == "0\n"
    type_(fsck)

    copy, serve_copy = restore.splitlines()
    type_(copy)
    another = replace(administered.terminal, port=free_port())
    page = administered.page(administered.terminal.port)
    assert b"demo-2.0.tar.gz" in page
    with another.running(serve_copy):
        assert administered.page(another.port) == page


def test_going_back_after_an_upgrade_to_the_letter(terminal: Terminal) -> None:
    """The catalogue of an older version is in its place again, as that version has left it."""
    *_, go_back = blocks(PAGES["upgrading.md"], "sh")
    older = SCHEMA_VERSION - 1
    database = terminal.folder / "pypi-registry-data" / "catalogue.sqlite3"
    database.parent.mkdir()
    shutil.copy(ROOT / "tests" / "stores" / "data" / f"schema{older}.sqlite3", database)
    with closing(sqlite3.connect(database)) as connection:
        before = [*connection.iterdump()]
    with terminal.running("pypi-registry serve") as log:
        assert f"migrated from schema version {older} to {SCHEMA_VERSION}; a copy" in text_of(log)
    # The page shows what a later version writes.
    terminal.type(go_back.replace(f"before-{SCHEMA_VERSION}", f"before-{older}"))
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (older,)
        assert [*connection.iterdump()] == before
    assert {path.name for path in database.parent.glob("catalogue.sqlite3*")} >= {"catalogue.sqlite3.newer"}
