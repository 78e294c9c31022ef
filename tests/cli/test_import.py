"""``pypi-registry import``: what it prints, its exit status, and what it never shows."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pypi_registry._cli import import_
from pypi_registry._cli.main import main
from pypi_registry._moving import index as network
from pypi_registry._moving.importing import Import, Outcome
from pypi_registry.model import PackageFile, Project, Projects
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing import FakeRegistry, make_sdist, make_wheel
from pypi_registry.testing.archives import Distribution

Output = pytest.CaptureFixture[str]
TOOLS = Project(42, "acme/tools")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "registry.toml").write_text('[[projects]]\nid = 42\npath = "acme/tools"\n')
    return folder


@pytest.fixture
def index() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


def run(data: Path, source: object, *options: str, project: str = "acme/tools") -> int:
    return main(["import", str(source), "--data", str(data), "--project", project, *options])


def files(data: Path, name: str = "demo") -> list[PackageFile]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        listing = catalogue.listing(Projects([TOOLS]), name)  # type: ignore[arg-type]  # a normalized name
    return [*listing.files] if listing else []


def test_an_index_is_imported_and_a_second_time_skipped(data: Path, index: FakeRegistry, capsys: Output) -> None:
    index.add("demo", "1.0", sdist=True, yanked="broken")
    index.add("other", "2.0")
    assert run(data, index.index_url) == 0
    assert capsys.readouterr() == ("3 files imported, 0 already there, 0 refused, 0 failed; 1 version yanked\n", "")
    assert [(file.filename, file.package.yanked) for file in files(data)] == [
        ("demo-1.0-py3-none-any.whl", "broken"),
        ("demo-1.0.tar.gz", "broken"),
    ]
    assert run(data, index.index_url, "--name", "Demo", "--jobs", "1") == 0
    assert capsys.readouterr().out == "0 files imported, 2 already there, 0 refused, 0 failed; 0 versions yanked\n"


def test_each_change_is_a_line_of_the_audit_log(data: Path, index: FakeRegistry) -> None:
    index.add("demo", "1.0", yanked="broken")
    assert run(data, index.index_url, "--dry-run") == 0
    assert run(data, index.index_url) == 0
    lines = [json.loads(line) for line in (data / "audit.jsonl").read_text().splitlines()]
    assert [(line["principal"], line["version"]) for line in lines] == 2 * [("import", "1.0")]
    assert lines[0]["files"][0]["name"] == "demo-1.0-py3-none-any.whl"
    assert run(data, index.index_url, "--audit", "off") == 0


def test_what_is_refused_is_printed_with_its_reason_and_is_status_1(
    data: Path, index: FakeRegistry, capsys: Output
) -> None:
    broken = Distribution("demo-1.0.tar.gz", make_sdist("demo", "1.0").data + b"\0garbage")
    index.publish(broken)
    index.add("demo", "2.0")
    assert run(data, index.index_url) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("refused: demo-1.0.tar.gz: ")
    assert last == "1 file imported, 0 already there, 1 refused, 0 failed; 0 versions yanked"
    assert run(data, index.index_url, "--no-verify") == 0


def test_a_dry_run_prints_what_would_be_imported(data: Path, index: FakeRegistry, capsys: Output) -> None:
    index.add("demo", "1.0")
    assert run(data, index.index_url, "--dry-run") == 0
    assert capsys.readouterr().out == (
        "to import: demo-1.0-py3-none-any.whl\n"
        "1 file to import, 0 already there, 0 refused, 0 failed; 0 versions to yank\n"
    )
    assert files(data) == []


def test_a_folder_is_imported(data: Path, tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    make_wheel("demo", "1.0").write_to(folder)
    (folder / "README").touch()
    assert run(data, folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 file imported, 0 already there, 0 refused, 0 failed; 0 versions yanked",
        "1 file without an upload time at the source: got the current time",
        "1 other file in the folder ignored",
    ]


SECRET = "the-secret-of-the-source"


@pytest.mark.parametrize("way", ["url", "environment", "netrc"])
def test_credentials_are_used_and_never_shown(
    way: str, data: Path, index: FakeRegistry, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.tokens(read=SECRET)
    index.add("demo", "1.0")
    (data.parent / "netrc").touch(0o600)
    url = index.index_url
    assert run(data, url) == 2
    assert "401 Unauthorized; credentials are read from netrc" in capsys.readouterr().err
    if way == "url":
        url = url.replace("://", f"://any:{SECRET}@")
    elif way == "environment":
        monkeypatch.setenv("PYPI_REGISTRY_SOURCE_USER", "any")
        monkeypatch.setenv("PYPI_REGISTRY_SOURCE_PASSWORD", SECRET)
    else:
        (data.parent / "netrc").write_text(f"machine 127.0.0.1 login any password {SECRET}\n")
    assert run(data, url, "--name", "demo", "--name", "absent") == 1
    index.stop()
    monkeypatch.setattr(network, "_ATTEMPTS", 1)
    assert run(data, url) == 2
    shown = capsys.readouterr()
    assert "refused: absent: the source has no such name" in shown.out
    assert "Connection refused" in shown.err
    assert SECRET not in shown.out + shown.err


def test_what_cannot_run_is_status_2(data: Path, index: FakeRegistry, capsys: Output) -> None:
    cases = {
        "ftp://index.example/simple": "SOURCE is neither the URL of an index",
        "file:///etc": "SOURCE is neither the URL of an index",
        "absent": "SOURCE is neither the URL of an index",
        f"{index.url}/absent/": "pass --name",
        f"{index.index_url}?a=b": "is not the URL of a simple index",
    }
    for source, problem in cases.items():
        assert run(data, source) == 2
        assert problem in capsys.readouterr().err
    assert run(data, index.index_url, project="acme/absent") == 2
    assert "'acme/absent' is not the path of a project" in capsys.readouterr().err
    (data / "registry.toml").unlink()
    assert run(data, index.index_url) == 2
    assert "`pypi-registry serve` creates one" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--jobs", "0"), ("--jobs", "x"), ("--name", "not a name")], ids=" ".join)
def test_wrong_options_are_status_2(options: tuple[str, ...], data: Path, capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        run(data, "absent", *options)
    assert caught.value.code == 2


def test_an_import_that_is_interrupted_prints_how_to_continue(
    data: Path, index: FakeRegistry, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        index.add("demo", f"{number}")

    class Interrupted(Import):
        def _publish(self, received: Any) -> Outcome:
            if self.summary.imported == 2:
                raise KeyboardInterrupt
            return super()._publish(received)

    with monkeypatch.context() as patch:
        patch.setattr(import_, "Import", Interrupted)
        assert run(data, index.index_url) == 2
    assert capsys.readouterr() == (
        "2 files imported, 0 already there, 0 refused, 0 failed; 0 versions yanked\n",
        "pypi-registry: interrupted; run the same command again to continue the import\n",
    )
    assert run(data, index.index_url) == 0
    assert capsys.readouterr().out.startswith("3 files imported, 2 already there, ")


def test_the_limit_of_the_configuration_applies(data: Path, index: FakeRegistry, capsys: Output) -> None:
    [file] = index.add("demo", "1.0")
    config = data / "registry.toml"
    config.write_text(f"max_file_size = {len(file.data)}\n{config.read_text()}")
    assert run(data, index.index_url) == 1
    assert "File is too large" in capsys.readouterr().out
    assert json.dumps([each.filename for each in files(data)]) == "[]"
