"""``pypi-registry prune``: what it prints, what it deletes, what it refuses."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pypi_registry._cli.location import Location
from pypi_registry._cli.main import main
from pypi_registry._cli.prune import ACTOR, Options, prune
from pypi_registry._maintenance.prune import Rule
from pypi_registry.accounts.wildcards import Patterns
from pypi_registry.events import Event, PackageDeleted, Yanked
from pypi_registry.model import PackageFile, PackageQuery, Project, Projects
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import add, upload
from tests.maintenance.damage import Stores

Output = pytest.CaptureFixture[str]
TOOLS, OTHER = Project(42, "acme/tools"), Project(43, "acme/other")
TOML = "".join(f'[[projects]]\nid = {project.id}\npath = "{project.path}"\n' for project in (TOOLS, OTHER))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "registry.toml").write_text(TOML)
    return folder


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(data / "files"))


def publish(stores: Stores, *versions: str, name: str = "demo", project: Project = TOOLS, days: int = 0) -> PackageFile:
    for version in versions:
        key = stores.put(f"{hash((name, version, project.id)) & (1 << 128) - 1:032x}")
        sent = upload(f"{name}-{version}.tar.gz", name, version, size=19)
        file = add(stores.catalogue, project, sent, key=key, at=datetime.now(UTC) - timedelta(days))
    return file


def versions(stores: Stores, project: Project = TOOLS) -> list[tuple[str, bool]]:
    packages, _ = stores.catalogue.packages(Projects([project]), PackageQuery(order_by="version"))
    return [(f"{package.name} {package.version}", package.yanked is not None) for package in packages]


def run(data: Path, *options: str, project: str = "acme/tools") -> int:
    return main(["prune", "--data", str(data), "--project", project, *options])


def test_old_versions_are_deleted_with_their_files(data: Path, stores: Stores, capsys: Output) -> None:
    publish(stores, "1.9", "1.10", "1.2")
    publish(stores, "1.9", "1.10", project=OTHER)
    assert run(data, "--keep", "1") == 0
    assert capsys.readouterr() == (
        "deleted demo 1.2 (1 file)\ndeleted demo 1.9 (1 file)\n2 versions deleted, 2 files\n",
        "",
    )
    assert versions(stores) == [("demo 1.10", False)]
    assert len(versions(stores, OTHER)) == 2
    assert len([*stores.blobs.keys()]) == 3
    assert run(data, "--keep", "1") == 0
    assert capsys.readouterr().out == "0 versions deleted, 0 files\n"


@pytest.mark.parametrize(("options", "verb", "past"), [((), "delete", "deleted"), (("--yank",), "yank", "yanked")])
def test_a_dry_run_prints_what_would_be_done_and_changes_nothing(
    data: Path, stores: Stores, options: tuple[str, ...], verb: str, past: str, capsys: Output
) -> None:
    publish(stores, "1.0", "1.1a1", "2.0.dev1", "2.0")
    before = versions(stores)
    options = "--keep", "1", "--pre-releases", "--dev-releases", *options
    assert run(data, *options, "--dry-run") == 0
    assert capsys.readouterr() == (
        f"would {verb} demo 1.1a1 (1 file)\nwould {verb} demo 2.0.dev1 (1 file)\nwould {verb} 2 versions, 2 files\n",
        "this was a dry run: nothing was changed\n",
    )
    assert versions(stores) == before
    assert run(data, *options) == 0
    assert capsys.readouterr() == (
        f"{past} demo 1.1a1 (1 file)\n{past} demo 2.0.dev1 (1 file)\n2 versions {past}, 2 files\n",
        "",
    )
    assert [name for name, yanked in versions(stores) if not yanked] == ["demo 1.0", "demo 2.0"]


def test_with_two_conditions_a_version_must_meet_both(data: Path, stores: Stores) -> None:
    publish(stores, "1.0", "3.0", "4.0", days=100)
    publish(stores, "2.0")
    assert run(data, "--keep", "2", "--older-than", "90d") == 0
    assert [name for name, _ in versions(stores)] == ["demo 2.0", "demo 3.0", "demo 4.0"]


def test_old_versions_are_yanked_once(data: Path, stores: Stores, capsys: Output) -> None:
    publish(stores, "1.0", days=100)
    publish(stores, "2.0", days=99)
    publish(stores, "3.0")
    assert run(data, "--older-than", "90d", "--yank") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 versions yanked, 2 files"
    assert versions(stores) == [("demo 1.0", True), ("demo 2.0", True), ("demo 3.0", False)]
    assert run(data, "--older-than", "90d", "--yank") == 0
    assert capsys.readouterr().out == "0 versions yanked, 0 files\n"


def test_a_version_is_as_old_as_its_newest_file(data: Path, stores: Stores) -> None:
    publish(stores, "1.0", days=100)
    add(stores.catalogue, TOOLS, upload("demo-1.0.zip", size=19), key=stores.put("a" * 32), at=datetime.now(UTC))
    publish(stores, "2.0", days=100)
    assert run(data, "--older-than", "90d") == 0
    assert len(versions(stores)) == 2


def test_names_are_limited_by_a_pattern(data: Path, stores: Stores) -> None:
    for name in ("acme-a", "acme-b", "other"):
        publish(stores, "1.0", "2.0", name=name)
    assert run(data, "--keep", "1", "--name", "Acme_*") == 0
    found = sorted(name for name, _ in versions(stores))
    assert found == ["acme-a 2.0", "acme-b 2.0", "other 1.0", "other 2.0"]


def test_each_change_is_an_event(data: Path, stores: Stores) -> None:
    publish(stores, "1.0", "2.0", "3.0")
    where, events = Location.of(data), list[Event]()
    options = Options("acme/tools", Rule(keep=2), Patterns(["*"]), yank=True)
    prune(where, options, on_event=events.append)
    prune(where, replace(options, yank=False), on_event=events.append)
    prune(where, replace(options, rule=Rule(keep=1), dry_run=True), on_event=events.append)
    assert [(type(event), event.actor) for event in events] == [(Yanked, ACTOR), (PackageDeleted, ACTOR)]


def test_each_change_is_a_line_of_the_audit_log(data: Path, stores: Stores) -> None:
    publish(stores, "1.0", "2.0", "3.0")
    assert run(data, "--keep", "2", "--dry-run") == 0
    assert not (data / "audit.jsonl").exists()
    assert run(data, "--keep", "2") == 0
    [line] = (data / "audit.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["principal"], found["package"], found["version"]) == ("prune", "demo", "1.0")
    assert run(data, "--keep", "1", "--audit", "off") == 0
    assert len((data / "audit.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--keep", "0"),
        ("--keep", "-1"),
        ("--keep", "x"),
        ("--older-than", "90"),
        ("--keep", "0", "--older-than", "90d"),
    ],
    ids=" ".join,
)
def test_wrong_options_are_status_2(options: tuple[str, ...], data: Path, stores: Stores) -> None:
    publish(stores, "1.0", "2.0")
    with pytest.raises(SystemExit) as caught:
        run(data, *options)
    assert caught.value.code == 2
    assert len(versions(stores)) == 2


def test_what_does_not_exist_is_status_2(data: Path, capsys: Output) -> None:
    assert run(data, "--keep", "1") == 2  # there is no catalogue, and none is created
    assert "catalogue.sqlite3" in capsys.readouterr().err
    assert run(data, "--keep", "1", project="acme/absent") == 2
    assert capsys.readouterr().err == (
        f"pypi-registry: --project: 'acme/absent' is not the path of a project in {data}/registry.toml\n"
    )
    (data / "registry.toml").unlink()
    assert run(data, "--keep", "1") == 2
    assert "registry.toml: there is no such file" in capsys.readouterr().err
    assert [*data.iterdir()] == []


def test_a_project_may_be_named_by_its_id(data: Path, stores: Stores) -> None:
    publish(stores, "1.0", "2.0")
    assert run(data, "--keep", "1", project="42") == 0
    assert len(versions(stores)) == 1
