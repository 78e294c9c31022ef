"""Moving in and out with real programs: other indexes, twine's own uploads, a static index, a copy under load."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pypi_registry._records import CopiedRecord, FileRecord
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution, make_sdist, make_wheel
from tests.clients import indexes, wire
from tests.clients.programs import Programs
from tests.clients.served import PATIENCE, Served, served, until
from tests.clients.toolbox import INDEXES, Toolbox
from tests.ports import free_port
from tests.servers.running import process

pytestmark = pytest.mark.slow

TOML = """
forward_to = false
[[projects]]
id = 1
path = "acme/twine"
visibility = "public"
[[projects]]
id = 2
path = "acme/import"
visibility = "public"
[[users]]
name = "ada"
admin = true
[[tokens]]
kind = "personal"
user = "ada"
scopes = ["api"]
sha256 = "{digest}"
"""
SECRET = "the-secret-of-ada"
HEADERS = (
    ("Author", "Adä"),
    ("Author-Email", "Ada <ada@example.org>"),
    ("Keywords", "one,two words"),
    ("Description-Content-Type", "text/markdown"),
    ("Classifier", "Topic :: System :: Archiving :: Packaging"),
)
FILES = [
    make_wheel("demo", "1.0", requires_python=">=3.8,<4", headers=HEADERS, metadata_version="2.1"),
    make_sdist("demo", "1.0", requires_python=">=3.8,<4", headers=HEADERS, metadata_version="2.2"),
    make_wheel("My_Other.Demo", "2.0rc1", metadata_version="2.2"),
]


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> Callable[[str], Toolbox]:
    """Return a function that installs one other index, which is kept until its version changes."""
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("indexes")
    return lambda name: Toolbox.fill(folder / name, {name: INDEXES[name]})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "registry.toml").write_text(TOML.format(digest=sha256(SECRET.encode()).hexdigest()))
    return folder


def run(*arguments: object, status: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """Run a command; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pypi_registry", *map(str, arguments)],
        env={**os.environ, "NETRC": os.devnull, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=10 * PATIENCE,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def answers(server: Served, project: int) -> dict[str, Any]:
    """Return every page and every entity of a project, without ids, times, and the name of who published."""
    api = f"{server.api}/projects/{project}/packages"
    found: dict[str, Any] = {}
    for name in ("", "demo/", "my-other-demo/"):
        for accept in ("text/html", "application/vnd.pypi.simple.v1+json"):
            body = wire.request("GET", f"{api}/pypi/simple/{name}", {"Accept": accept}).body
            body = body.replace(b"Links for import", b"Links for twine")
            found[f"{name} {accept}"] = _plain(json.loads(body)) if "json" in accept else body
    for package in json.loads(wire.get(api).body):
        key = f"{package['name']} {package['version']}"
        found[key] = _plain(json.loads(wire.get(f"{api}/{package['id']}").body))
        found[f"{key} files"] = _plain(json.loads(wire.get(f"{api}/{package['id']}/package_files").body))
    return found


_DIFFERENT = {"id", "created_at", "upload-time", "package_id", "_links", "project_id", "project_path", "uploaded_by"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in _DIFFERENT}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def metadata_of(data: Path, project: int) -> list[object]:
    """Return everything that the catalogue stores of a project, but ids, times, and who published."""
    found: list[object] = []
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3", create=False)) as catalogue:
        for record in catalogue.records():
            if isinstance(record, FileRecord) and record.file.package.project_id == project:
                file = record.file
                details = catalogue.package(project, file.package.id)
                assert details is not None
                core_metadata, identity = record.core_metadata, record.identity
                found.append((file.filename, file.size, file.digests, file.requires_python, core_metadata, identity))
                found.append((file.package.name, file.package.version, details.metadata))
    return found


def test_an_import_stores_what_an_upload_by_twine_stores(data: Path, tmp_path: Path, programs: Programs) -> None:
    paths = [file.write_to(tmp_path / "dist") for file in FILES]
    with served(data) as server:
        for path in paths:
            programs.twine_upload(f"{server.api}/projects/1/packages/pypi", SECRET, path)
        # By the order of their names, as the folder is read.
        run("import", tmp_path / "dist", "--data", data, "--project", "acme/import")
        by_twine, by_import = answers(server, 1), answers(server, 2)
    assert {**by_import, " text/html": None} == {**by_twine, " text/html": None}
    assert sorted(map(repr, metadata_of(data, 2))) == sorted(map(repr, metadata_of(data, 1)))
    assert "one, two words" in repr(metadata_of(data, 2))


def test_a_registry_is_imported_into_another_one(data: Path, tmp_path: Path, programs: Programs) -> None:
    with served(data) as server:
        api = f"{server.api}/projects/1/packages"
        programs.twine_upload(f"{api}/pypi", SECRET, *(file.write_to(tmp_path / "dist") for file in FILES))
        [package] = [each for each in json.loads(wire.get(api).body) if each["name"] == "demo"]
        yanking = {**wire.login(SECRET), "Content-Type": "application/json"}
        body = json.dumps({"yanked": "broken"}).encode()
        assert wire.request("PATCH", f"{api}/{package['id']}", yanking, body).status == 200
        options = ("import", f"{api}/pypi/simple", "--data", data, "--project", "acme/import")
        assert "3 files imported" in run(*options)
        assert "3 already there" in run(*options)
        for name in ("demo/", "my-other-demo/"):
            pages = [
                wire.request(
                    "GET",
                    f"{server.api}/projects/{project}/packages/pypi/simple/{name}",
                    {"Accept": "application/vnd.pypi.simple.v1+json"},
                ).body
                for project in (1, 2)
            ]
            assert pages[0] == pages[1]  # with upload times and yanks


def check_import(name: str, peers: Callable[[str], Toolbox], data: Path, tmp_path: Path) -> None:
    with indexes.running(name, peers(name), tmp_path / "index", FILES) as index:
        options = ("import", index.url, "--data", data, "--project", "acme/import")
        printed = run(*options, environment=index.credentials)
        assert "3 files imported, 0 already there, 0 refused, 0 failed" in printed
        assert ("without an upload time" in printed) is not index.has_upload_times
        assert ("without a digest" in printed) is not index.has_digests
        assert indexes.PASSWORD not in printed
        assert "0 files imported, 3 already there" in run(*options, environment=index.credentials)
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3")) as catalogue:
        stored = {record.file.filename for record in catalogue.records() if isinstance(record, FileRecord)}
    assert stored == {file.filename for file in FILES}
    assert run("fsck", "--digests", "--data", data).endswith("0 problems, 0 repaired, 0 remaining\n")


def test_pypiserver_is_imported(peers: Callable[[str], Toolbox], data: Path, tmp_path: Path) -> None:
    check_import("pypiserver", peers, data, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in indexes.STARTS if name != "pypiserver"])
def test_another_index_is_imported(name: str, peers: Callable[[str], Toolbox], data: Path, tmp_path: Path) -> None:
    check_import(name, peers, data, tmp_path)


def test_a_static_index_serves_pip_and_uv(data: Path, tmp_path: Path, programs: Programs, installing: Programs) -> None:
    folder, dist = tmp_path / "static", tmp_path / "dist"
    for file in (make_wheel("demo", "1.0", requires="other>=1"), make_wheel("demo", "2.0", requires="other>=1")):
        file.write_to(dist)
    make_wheel("other", "1.5").write_to(dist)
    run("import", dist, "--data", data, "--project", "acme/import")
    run("export", folder, "--data", data, "--group", "acme")
    port = free_port()
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)]
    with process(server, tmp_path, port):
        url = f"http://127.0.0.1:{port}/simple/"
        installing.run("pip", "install", "--index-url", url, "demo")
        assert "demo 2.0" in " ".join(installing.run("pip", "list").split())
        uv = ("uv", "pip", "install", "--python", sys.executable, "--target", tmp_path / "target")
        programs.run(*uv, "--default-index", url, "demo<2")
        run("prune", "--data", data, "--project", "acme/import", "--keep", "1")
        run("export", folder, "--data", data, "--group", "acme")
        programs.run(*uv, "--reinstall", "--refresh", "--default-index", url, "demo==1.0", status=1)
    assert {path.name for path in (tmp_path / "target").glob("*.dist-info")} == {
        "demo-1.0.dist-info",
        "other-1.5.dist-info",
    }


def test_an_import_that_is_interrupted_is_continued(data: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    for number in range(150):
        make_wheel("demo", f"{number}", size=20_000).write_to(dist)
    command = [sys.executable, "-m", "pypi_registry", "import", str(dist), "--data", str(data)]
    with subprocess.Popen(
        [*command, "--project", "acme/import"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as running:
        until(lambda: len([*(data / "files").glob("[0-9a-f]/*")]) > 5 or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        printed, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2, printed
    assert "interrupted; run the same command again to continue the import" in printed
    assert "Traceback" not in printed
    again = run("import", dist, "--data", data, "--project", "acme/import")
    present = int(again.split(" already there")[0].rpartition(" ")[2])
    assert 0 < present < 150
    assert f"{150 - present} files imported" in again
    assert run("fsck", "--digests", "--data", data).endswith("0 problems, 0 repaired, 0 remaining\n")


def publish_until(server: Served, stop: Event, client: int) -> dict[str, bytes]:
    """Publish files, and delete every third one; return the others."""
    kept: dict[str, bytes] = {}
    api, number = f"{server.api}/projects/1/packages", 0
    while not stop.is_set():
        number += 1
        version = f"{client}.{number}"
        filename = f"demo-{version}.tar.gz"
        content = distribution(filename, size=5_000)
        fields = {"name": "demo", "version": version}
        assert wire.upload(f"{api}/pypi", SECRET, fields, filename, content).status == 201
        kept[filename] = content
        if number % 3 == 0:
            listed = json.loads(wire.get(f"{api}?package_version={version}", SECRET).body)
            [package] = [each for each in listed if each["version"] == version]
            assert wire.request("DELETE", f"{api}/{package['id']}", wire.login(SECRET)).status == 204
            del kept[filename]
    return kept


def test_a_copy_under_load_that_is_killed_again_and_again_is_complete_in_the_end(data: Path, tmp_path: Path) -> None:
    target, stop = tmp_path / "copy", Event()
    command = [sys.executable, "-m", "pypi_registry", "copy", "--from-data", str(data), "--to-data", str(target)]
    kills = 0
    with served(data) as server, ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(publish_until, server, stop, number) for number in range(2)]
        try:
            for _ in range(6):
                kills += is_killed_while_it_copies(command, target)
                check_copy(target)
        finally:
            stop.set()
        files = {name: content for each in clients for name, content in each.result().items()}
        run("copy", "--from-data", data, "--to-data", target)
        assert kills >= 3
        assert len(files) > 20
        assert records_of(target) == records_of(data)
        assert check_copy(target) == files
        assert "0 files copied" in run("copy", "--from-data", data, "--to-data", target)
    (target / "registry.toml").write_text((data / "registry.toml").read_text())
    with served(data) as source, served(target) as copy:
        for path in ("", "demo/"):
            for accept in ("text/html", "application/vnd.pypi.simple.v1+json"):
                pages = [
                    wire.request("GET", f"{each.api}/projects/1/packages/pypi/simple/{path}", {"Accept": accept})
                    for each in (source, copy)
                ]
                assert pages[0].body == pages[1].body
                assert pages[0].headers["ETag"] == pages[1].headers["ETag"]


def is_killed_while_it_copies(command: Sequence[str], target: Path) -> bool:
    """Run a copy and kill it after some files; return whether it was still running then."""
    before = count_of_files(target)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        until(lambda: count_of_files(target) > before + 2 or running.poll() is not None)
        is_running = running.poll() is None
        running.kill()
    return is_running


def count_of_files(data: Path) -> int:
    return len([*(data / "files").glob("[0-9a-f]/*")])


def records_of(data: Path) -> list[object]:
    with closing(SQLiteCatalogue(data / "catalogue.sqlite3", create=False)) as catalogue:
        found = (record for record in catalogue.records() if not isinstance(record, CopiedRecord))
        return sorted(found, key=repr)


def check_copy(data: Path) -> dict[str, bytes]:
    """Return every file that a catalogue lists, with its bytes, which must be there."""
    if not (data / "catalogue.sqlite3").exists():
        return {}
    blobs, found = FileBlobs(data / "files"), {}
    for record in records_of(data):
        if isinstance(record, FileRecord):
            stream = blobs.open(record.file.blob_key, size=record.file.size)
            assert stream is not None, record.file
            with stream:  # type: ignore[union-attr]  # no nginx sends it
                found[record.file.filename] = stream.read()  # type: ignore[union-attr]  # likewise
    return found
