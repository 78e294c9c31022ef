"""A static index has what the pages of the registry have, and is whole at every moment."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from packaging.utils import NormalizedName
from pypi_simple import ProjectPage

from pypi_registry._moving.static_index import MARK, Export, ForeignFolder, NotExported, Summary
from pypi_registry.model import NameStatus, Projects, Status
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import DEMO, IN_ACME, IN_TOOLS, LIBS, OTHER, TOOLS, variant
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores
from tests.testing.mutants.wrapping import BlobsWrapper

BASE = "http://static.example/"


@pytest.fixture(params=["memory", "sqlite and files"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryCatalogue(), MemoryBlobs())
        return
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as catalogue:
        yield Stores(catalogue, FileBlobs(tmp_path / "files"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


def export(stores: Stores, folder: Path, projects: Projects = IN_TOOLS) -> tuple[list[NotExported], Summary]:
    exporting = Export(stores.catalogue, stores.blobs, projects, "tools", folder)
    return [*exporting.run()], exporting.summary


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def page(folder: Path, name: str, form: str = "html") -> ProjectPage:
    """Return a page as a client reads it."""
    path = folder / "simple" / name / f"index.{form}"
    if form == "json":
        return ProjectPage.from_json_data(json.loads(path.read_bytes()), base_url=f"{BASE}simple/{name}/")
    return ProjectPage.from_html(name, path.read_bytes(), base_url=f"{BASE}simple/{name}/")


def at(folder: Path, url: str) -> Path:
    """Return the file that a web server sends for a URL."""
    assert url.startswith(BASE)
    return folder / unquote(urlsplit(url).path.lstrip("/"))


@pytest.mark.parametrize("form", ["html", "json"])
def test_pages_link_to_files_and_core_metadata(stores: Stores, folder: Path, form: str) -> None:
    stores.publish(FIRST, requires_python=">=3.8,<4")
    stores.publish(SECOND, core_metadata=b"Name: demo")
    stores.publish("demo-1.0+local.1.tar.gz", version="1.0+local.1")
    left, summary = export(stores, folder)
    assert left == []
    assert (summary.names, summary.files, summary.deleted, summary.left) == (1, 3, 0, 0)
    found = page(folder, "demo", form)
    assert [each.filename for each in found.packages] == [FIRST, SECOND, "demo-1.0+local.1.tar.gz"]
    for each in found.packages:
        assert at(folder, each.url.partition("#")[0]).read_bytes() == DATA
    sdist, wheel, _ = found.packages
    assert sdist.requires_python == ">=3.8,<4"
    assert wheel.has_metadata
    assert at(folder, wheel.metadata_url.partition("#")[0]).read_bytes() == b"Name: demo"
    index = (folder / "simple" / "index.html").read_text()
    assert urljoin(f"{BASE}simple/", "demo/") == f"{BASE}simple/demo/"
    assert '<a href="demo/">demo</a>' in index


def test_files_are_hard_links_where_that_is_possible(tmp_path: Path, folder: Path) -> None:
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as catalogue:
        stores = Stores(catalogue, FileBlobs(tmp_path / "files"))
        file = stores.publish(FIRST)
        assert export(stores, folder)[1] == Summary(names=1, files=1, linked=1)
        exported = folder / "files" / file.digests.sha256 / FIRST
        assert exported.samefile(tmp_path / "files" / file.blob_key[0] / file.blob_key)
        assert export(stores, folder)[1] == Summary(names=1, files=1)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_files_are_copied_where_links_are_impossible(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_link(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as catalogue:
        stores = Stores(catalogue, FileBlobs(tmp_path / "files"))
        file = stores.publish(FIRST)
        monkeypatch.setattr(os, "link", no_link)
        assert export(stores, folder)[1] == Summary(names=1, files=1, copied=1)
    assert (folder / "files" / file.digests.sha256 / FIRST).read_bytes() == DATA


def test_the_same_bytes_in_two_projects_are_one_file(stores: Stores, folder: Path) -> None:
    first = stores.publish(FIRST)
    stores.publish(FIRST, LIBS)
    stores.publish("other-1.0.zip", LIBS, name="other", normalized_name=OTHER)
    assert export(stores, folder, IN_ACME)[1].files == 2
    assert [path.name for path in (folder / "files" / first.digests.sha256).iterdir()].count(FIRST) == 1
    assert [each.filename for each in page(folder, "demo").packages] == [FIRST]


def test_yanks_and_statuses_are_on_the_pages(stores: Stores, folder: Path) -> None:
    file = stores.publish(FIRST)
    stores.publish("other-1.0.zip", name="other", normalized_name=OTHER)
    stores.catalogue.yank(TOOLS, file.package.id, "broken <here>", "")
    stores.catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED, "old"), "")
    stores.catalogue.set_status(TOOLS, OTHER, NameStatus(Status.QUARANTINED), "")
    assert export(stores, folder)[1].files == 1
    for form in ("html", "json"):
        [package] = page(folder, "demo", form).packages
        assert (package.is_yanked, package.yanked_reason) == (True, "broken <here>")
        assert page(folder, "other", form).packages == []
        assert b"archived" in (folder / "simple" / "demo" / f"index.{form}").read_bytes()
    assert not any("other" in path for path in tree(folder / "files"))


def test_a_second_export_removes_what_is_gone_and_leaves_the_rest_untouched(stores: Stores, folder: Path) -> None:
    kept, gone = stores.publish(FIRST), stores.publish(SECOND, core_metadata=b"Name: demo")
    lost = stores.publish("other-1.0.zip", name="other", normalized_name=OTHER, core_metadata=b"Name: other")
    export(stores, folder)
    untouched = folder / "files" / kept.digests.sha256 / FIRST
    before = untouched.stat()
    stores.catalogue.delete_file(TOOLS, gone.id, "")
    stores.catalogue.delete_package(TOOLS, lost.package.id, "")
    assert export(stores, folder)[1].deleted == 2
    assert tree(folder) == {
        MARK,
        "simple/index.html",
        "simple/index.json",
        "simple/demo/index.html",
        "simple/demo/index.json",
        f"files/{kept.digests.sha256}/{FIRST}",
    }
    assert (untouched.stat().st_ino, untouched.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_a_killed_export_left_is_removed(stores: Stores, folder: Path) -> None:
    file = stores.publish(FIRST)
    export(stores, folder)
    before = tree(folder)
    for path in ("simple", "simple/demo", f"files/{file.digests.sha256}"):
        (folder / path / ".0123.part").write_bytes(b"half")
    assert export(stores, folder)[1].deleted == 0
    assert tree(folder) == before


def test_at_every_moment_each_link_of_each_page_leads_to_a_file(stores: Stores, folder: Path) -> None:
    gone = stores.publish(FIRST)
    export(stores, folder)
    stores.catalogue.delete_file(TOOLS, gone.id, "")
    stores.publish(SECOND, key=gone.blob_key)
    stores.publish("other-1.0.zip", name="other", normalized_name=OTHER)
    checked = 0

    def check(*args: object) -> None:
        nonlocal checked
        for path in (folder / "simple").glob("*/index.html"):
            for each in page(folder, path.parent.name).packages:
                assert at(folder, each.url.partition("#")[0]).read_bytes() == DATA
                checked += 1

    class Watched(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            check()
            return super().open(key, size=size, part=part)

    exporting = Export(stores.catalogue, Watched(stores.blobs), IN_TOOLS, "tools", folder, on_progress=check)
    assert [*exporting.run()] == []
    assert checked >= 4
    assert [each.filename for each in page(folder, "demo").packages] == [SECOND]


def test_a_file_without_its_bytes_is_reported_and_not_listed(stores: Stores, folder: Path) -> None:
    file = stores.publish(FIRST)
    stores.publish(SECOND)
    stores.blobs.delete(file.blob_key)
    left, summary = export(stores, folder)
    assert [(each.file.filename, each.reason) for each in left] == [(FIRST, "its bytes are missing")]
    assert (summary.files, summary.left) == (1, 1)
    assert [each.filename for each in page(folder, "demo").packages] == [SECOND]


@pytest.mark.parametrize("filename", ["../../escaped.whl", "/tmp/escaped.whl", "a/b.whl", ".htaccess", ""])
def test_a_row_with_a_path_in_its_name_writes_nothing(folder: Path, filename: str) -> None:
    stores = Stores(MemoryCatalogue(), MemoryBlobs())
    stores.publish(filename)
    [left], _ = export(stores, folder)
    assert left.reason.endswith("is not the name of a file that can be written")
    assert not any("escaped" in str(path) for path in folder.parent.rglob("*"))


def test_a_folder_that_belongs_to_something_else_is_not_touched(stores: Stores, folder: Path) -> None:
    (folder / "simple").mkdir(parents=True)
    (folder / "simple" / "precious").touch()
    with pytest.raises(ForeignFolder, match="this folder is not empty, and no export has written it"):
        export(stores, folder)
    assert tree(folder) == {"simple/precious"}


@pytest.mark.parametrize("place", ["simple", "files", "simple/demo", "files/{sha256}"])
def test_symbolic_links_are_not_followed(stores: Stores, folder: Path, place: str) -> None:
    file = stores.publish(FIRST)
    export(stores, folder)
    link = folder / place.format(sha256=file.digests.sha256)
    elsewhere = folder.parent / "elsewhere"
    link.rename(elsewhere)
    for name in ("precious", "f" * 64):
        (elsewhere / name).mkdir()
        (elsewhere / name / "precious").touch()
    (elsewhere / "precious.zip").touch()
    before = {path: path.lstat().st_mtime_ns for path in elsewhere.rglob("*")}
    link.symlink_to(elsewhere)
    stores.publish(SECOND)
    with pytest.raises(ForeignFolder, match="this is a symbolic link") as caught:
        export(stores, folder)
    assert caught.value.folder == str(link)
    assert {path: path.lstat().st_mtime_ns for path in elsewhere.rglob("*")} == before


def test_a_link_beside_the_files_of_an_index_that_lists_none_of_it_is_an_error(stores: Stores, folder: Path) -> None:
    export(stores, folder)
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (folder / "files" / ("f" * 64)).symlink_to(elsewhere)
    with pytest.raises(ForeignFolder, match="this is a symbolic link"):
        export(stores, folder)
    assert tree(elsewhere) == {"precious"}


def test_other_folders_beside_the_files_are_not_touched(stores: Stores, folder: Path) -> None:
    export(stores, folder)
    (folder / "files" / "precious").mkdir()
    (folder / "files" / "precious" / "demo-1.0.zip").touch()
    assert export(stores, folder)[1].deleted == 0
    assert "files/precious/demo-1.0.zip" in tree(folder)


@pytest.mark.parametrize("method", ["write_bytes", "copyfileobj"])
def test_an_error_of_the_disk_names_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stores = Stores(MemoryCatalogue(), MemoryBlobs())
    stores.publish(FIRST)
    monkeypatch.setattr(Path if method == "write_bytes" else shutil, method, full)
    with pytest.raises(OSError, match=f"No space left on device.*{'index' if method == 'write_bytes' else FIRST}"):
        export(stores, folder)


def test_an_empty_project_is_an_empty_index(stores: Stores, folder: Path) -> None:
    assert export(stores, folder) == ([], Summary())
    assert tree(folder) == {MARK, "simple/index.html", "simple/index.json"}


def test_a_name_that_was_deleted_meanwhile_is_left_out(stores: Stores, folder: Path) -> None:
    file = stores.publish("other-1.0.zip", name="other", normalized_name=OTHER)
    stores.publish("a-1.0.zip", name="a", normalized_name=NormalizedName("a"))

    def delete(done: int, total: int) -> None:
        stores.catalogue.delete_package(TOOLS, file.package.id, "")

    exporting = Export(stores.catalogue, stores.blobs, IN_TOOLS, "tools", folder, on_progress=delete)
    assert [*exporting.run()] == []
    assert exporting.summary.names == 1
    assert "other" not in (folder / "simple" / "index.html").read_text()


@pytest.mark.parametrize("form", ["html", "json"])
def test_the_variants_json_of_a_version_is_a_file_as_long_as_it_is_listed(
    stores: Stores, folder: Path, form: str
) -> None:
    stores.publish("demo-1.0-py3-none-any-fast.whl", variant=variant("fast", "v3"))
    name = "demo-1.0-variants.json"

    def listed() -> list[Path]:
        links = [each.url for each in page(folder, "demo", form).packages if each.filename == name]
        return [at(folder, url.partition("#")[0]) for url in links]

    left, summary = export(stores, folder)
    assert (left, summary.files, summary.deleted) == ([], 1, 0)
    [first] = listed()
    assert first.read_text() == variant("fast", "v3")
    assert first.parent.name == sha256(first.read_bytes()).hexdigest()
    slow = stores.publish("demo-1.0-py3-none-any-slow.whl", variant=variant("slow", "v1"))
    export(stores, folder)
    [second] = listed()
    assert [*json.loads(second.read_bytes())["variants"]] == ["fast", "slow"]
    assert not first.parent.exists()
    stores.catalogue.delete_package(TOOLS, slow.package.id, "")
    stores.publish(FIRST)
    _, summary = export(stores, folder)
    assert listed() == []
    assert summary.deleted == 2
    assert not [path for path in tree(folder) if path.endswith(name)]
