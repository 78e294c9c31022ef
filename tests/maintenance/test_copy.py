"""A copy holds what its source holds, whatever happens meanwhile, and never harms another registry."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest
from packaging.utils import NormalizedName
from webtest import TestApp

from pypi_registry import AllowAll, Registry
from pypi_registry._maintenance.copy import Copy, Progress, RedirectingSource, Side, Summary, TargetChanged
from pypi_registry._maintenance.differences import WrongTarget
from pypi_registry._records import CopiedRecord, FileRecord, LastIdsRecord, Record
from pypi_registry.accounts import Accounts, ProjectConfig
from pypi_registry.model import Digests, NameStatus, PackageFile, PackageMetadata, Project, Status, Visibility
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_TOOLS,
    LIBS,
    MOVED_TOOLS,
    OTHER,
    TOOLS,
    answers,
    files_of,
    variant,
)
from tests.maintenance.damage import DATA, FIRST, SECOND, Stores
from tests.testing.mutants.wrapping import BlobsWrapper, CatalogueWrapper


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Callable[[], Stores]]:
    """Return a function that creates empty stores in a folder."""
    with ExitStack() as opened:
        numbers = count()

        def create() -> Stores:
            folder = tmp_path / str(next(numbers))
            catalogue = opened.enter_context(closing(SQLiteCatalogue(folder / "catalogue.sqlite3")))
            return Stores(catalogue, FileBlobs(folder / "files"))

        yield create


def in_memory() -> Stores:
    return Stores(MemoryCatalogue(), MemoryBlobs())


def copied(source: Stores, target: Stores) -> Summary:
    copying = Copy(side(source), side(target))
    assert [*copying.run()] == []
    return copying.summary


def side(stores: Stores) -> Side:
    return Side(stores.catalogue, stores.blobs)


def publish_history(stores: Stores) -> None:
    """Publish, yank, archive, move and delete, so that there is something of every kind; with bytes."""
    metadata = PackageMetadata("2.1", "a@example.org", "é ☃", "one", "# two", "text/markdown")
    kept = stores.publish("demo-1.0.zip", metadata=metadata, core_metadata=b"Name: demo\n\0")
    gone = stores.publish("demo-1.0.tar.gz", metadata=metadata)
    lost = stores.publish("demo-3.0.zip", version="3.0")
    stores.publish("demo-1.0.zip", LIBS, requires_python=">=3.8", core_metadata=b"")
    stores.publish("other-1.0.zip", replace(LIBS, path="moved/libs"), name="other", normalized_name=OTHER)
    stores.catalogue.yank(TOOLS, kept.package.id, "broken", "ada")
    stores.catalogue.set_status(replace(LIBS, path="moved/libs"), DEMO, NameStatus(Status.ARCHIVED, "old"), "ada")
    stores.catalogue.set_status(TOOLS, OTHER, NameStatus(Status.DEPRECATED), "ada")
    for deletion in (
        stores.catalogue.delete_file(TOOLS, gone.id, "ada"),
        stores.catalogue.delete_package(TOOLS, lost.package.id, "ada"),
    ):
        assert deletion is not None
        for file in deletion.files:
            stores.blobs.delete(file.blob_key)


def contents(stores: Stores) -> dict[str, bytes]:
    """Return the bytes of every file by its blob key."""
    found = {}
    for record in stores.catalogue.records():
        if isinstance(record, FileRecord):
            stream = stores.blobs.open(record.file.blob_key, size=record.file.size)
            assert stream is not None and not isinstance(stream, Redirect)
            with stream:
                found[record.file.blob_key] = stream.read()
    return found


PAGES = [
    f"/{kind}/packages/pypi/simple{name}"
    for kind in ("projects/acme%2Ftools", "projects/moved%2Flibs", "groups/acme/-", "groups/moved/-")
    for name in ("", "/", "/demo", "/demo/", "/other/", "/absent/")
]
LISTS = [
    "/projects/acme%2Ftools/packages?order_by=version",
    "/projects/moved%2Flibs/packages",
    "/groups/acme/packages",
]
ACCEPTED = ["text/html", "application/vnd.pypi.simple.v1+json"]


ACCOUNTS = Accounts(
    projects=[
        ProjectConfig(id=TOOLS.id, path="acme/tools", visibility=Visibility.PUBLIC),
        ProjectConfig(id=LIBS.id, path="moved/libs", visibility=Visibility.PUBLIC),
    ]
)


class Answer(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes


def pages(stores: Stores) -> dict[tuple[str, str, str], Answer]:
    """Return every page in every form: status, headers and bytes."""
    app = TestApp(Registry(directory=ACCOUNTS, auth=AllowAll(), catalogue=stores.catalogue, blobs=stores.blobs))
    found: dict[tuple[str, str, str], Answer] = {}

    def get(path: str, accept: str, encoding: str = "identity") -> Any:
        headers = {"Accept": accept, "Accept-Encoding": encoding}
        response = app.get(path, headers=headers, expect_errors=True)
        sent = {name: value for name, value in response.headerlist if name != "Date"}
        found[path, accept, encoding] = Answer(response.status, sent, response.body)
        return response

    for path in PAGES:
        for accept in ACCEPTED:
            for encoding in ("identity", "gzip"):
                get(path, accept, encoding)
    for path in LISTS:
        get(path, "text/html")
        for package in get(path, "application/json").json:
            base = f"/projects/{package.get('project_id', path.split('/')[2])}/packages/{package['id']}"
            for accept in ("text/html", "application/json"):
                get(base, accept)
                get(f"{base}/package_files", accept)
    return found


def test_every_page_is_the_same_byte_for_byte(on_disk: Callable[[], Stores]) -> None:
    source, target, back = on_disk(), on_disk(), in_memory()
    publish_history(source)
    copied(source, target)
    copied(target, back)
    before = pages(source)
    assert len([answer for answer in before.values() if answer.status == "200 OK"]) > 40
    assert pages(target) == before
    assert pages(back) == before


def test_everything_is_copied_there_and_back(on_disk: Callable[[], Stores]) -> None:
    source, middle, back = in_memory(), on_disk(), in_memory()
    publish_history(source)
    files = len(contents(source))
    assert copied(source, middle) == Summary(files=files, bytes=files * len(DATA), changed=2)
    assert copied(middle, back).files == files
    for stores in (middle, back):
        assert answers(stores.catalogue) == answers(source.catalogue)
        assert contents(stores) == contents(source)
        assert {key for key, _, _ in stores.blobs.keys()} == {*contents(source)}  # noqa: SIM118  # no mapping
        assert stores.check() == []


def test_the_copy_never_uses_an_id_of_the_source_again(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    source.publish(FIRST)
    gone = source.publish("demo-2.0.tar.gz", version="2.0")
    source.catalogue.delete_package(TOOLS, gone.package.id, "ada")
    copied(source, target)
    added = target.publish("demo-3.0.tar.gz", version="3.0")
    assert (added.id > gone.id, added.package.id > gone.package.id) == (True, True)


def test_a_second_copy_writes_nothing_if_nothing_changed(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    publish_history(source)
    copied(source, target)
    read_only = Side(ReadOnlyCatalogue(target.catalogue), ReadOnlyBlobs(target.blobs))
    copying = Copy(side(source), read_only)
    assert [*copying.run()] == []
    assert copying.summary == Summary()


class ReadOnlyCatalogue(CatalogueWrapper):
    def restore(self, record: Record) -> None:
        raise AssertionError(record)


class ReadOnlyBlobs(BlobsWrapper):
    def put(self, key: str, *args: Any, **options: Any) -> None:
        raise AssertionError(key)


def test_a_second_copy_carries_every_kind_of_change(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    publish_history(source)
    copied(source, target)
    [kept] = files_of(source.catalogue, IN_TOOLS)
    changes: list[Callable[[], object]] = [
        lambda: source.catalogue.yank(TOOLS, kept.package.id, None, "ada"),
        lambda: source.publish("demo-1.0-py3-none-any.whl", metadata=PackageMetadata(summary="new")),
        lambda: source.catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED, "why"), "ada"),
        lambda: source.catalogue.set_status(TOOLS, DEMO, NameStatus(), "ada"),
        lambda: source.publish("demo-4.0.zip", MOVED_TOOLS, version="4.0"),
        lambda: source.catalogue.delete_file(MOVED_TOOLS, kept.id, "ada"),
        lambda: source.publish("demo-1.0.zip", MOVED_TOOLS),  # the name that was free again
        lambda: source.catalogue.delete_package(MOVED_TOOLS, kept.package.id, "ada"),
        lambda: source.publish("demo-1.0.zip", MOVED_TOOLS),  # a package with a new id
        lambda: source.publish("new-1.0.zip", Project(3, "new/root"), name="new", normalized_name=NEW),
    ]
    for change in changes:
        change()
        copied(source, target)
        names = (DEMO, OTHER, NEW)
        assert answers(target.catalogue, names) == answers(source.catalogue, names)
        assert contents(target) == contents(source)
        assert target.check() == []


NEW = NormalizedName("new")


def test_a_package_whose_only_copied_file_was_replaced_keeps_its_id(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    first = source.publish(FIRST)
    source.publish("kept-1.0.zip", name="kept", normalized_name=NormalizedName("kept"))
    copied(source, target)
    second = source.publish(SECOND)
    source.catalogue.delete_file(TOOLS, first.id, "ada")
    assert second.package == first.package
    assert copied(source, target) == Summary(files=1, bytes=len(DATA), deleted=1)
    assert answers(target.catalogue) == answers(source.catalogue)


# Wrong targets


def another_registry(source: Stores, target: Stores) -> None:
    for number in range(3):
        target.publish(f"demo-{number}.tar.gz", version=str(number))


def a_copy_that_was_published_to(source: Stores, target: Stores) -> None:
    copied(source, target)
    target.publish("demo-9.0.tar.gz", version="9.0")


def a_registry_with_another_name(source: Stores, target: Stores) -> None:
    target.publish("alien-1.0.tar.gz", name="alien", normalized_name=NormalizedName("alien"))


def a_registry_with_another_status(source: Stores, target: Stores) -> None:
    target.catalogue.set_status(TOOLS, OTHER, NameStatus(Status.ARCHIVED), "")


def a_registry_whose_packages_are_deleted(source: Stores, target: Stores) -> None:
    file = target.publish("alien-1.0.tar.gz", name="alien", normalized_name=NormalizedName("alien"))
    target.catalogue.delete_file(TOOLS, file.id, "")


def a_registry_with_ids_that_the_source_has_deleted(source: Stores, target: Stores) -> None:
    target.publish(FIRST)


def a_copy_of_another_registry(source: Stores, target: Stores) -> None:
    other = in_memory()
    other.publish(FIRST)
    copied(other, target)


def a_row_with_another_blob_key(source: Stores, target: Stores) -> None:
    for record in source.catalogue.records():
        if isinstance(record, FileRecord):
            record = replace(record, file=replace(record.file, blob_key="f" * 32))
        target.catalogue.restore(record)


WRONG: dict[Callable[[Stores, Stores], None], str] = {
    another_registry: "is not the one of the source",
    a_copy_that_was_published_to: "demo-9.0.tar.gz",
    a_registry_with_another_name: "published name alien",
    a_registry_with_another_status: "status of other",
    a_registry_whose_packages_are_deleted: "published name alien",
    a_registry_with_ids_that_the_source_has_deleted: "is not at the source, and was not copied from there",
    a_copy_of_another_registry: "the source has none of its packages",
    a_row_with_another_blob_key: "is not the one of the source",
}


@pytest.mark.parametrize("prepare", WRONG, ids=lambda prepare: prepare.__name__)
def test_another_registry_is_never_changed(prepare: Callable[[Stores, Stores], None]) -> None:
    source, target = in_memory(), in_memory()
    gone = source.publish(FIRST)
    source.catalogue.delete_file(TOOLS, gone.id, "")
    source.publish("demo-2.0.tar.gz", version="2.0")
    source.publish("other-1.0.zip", name="other", normalized_name=OTHER)
    prepare(source, target)
    before, blobs = [*target.catalogue.records()], {*target.blobs.keys()}
    with pytest.raises(WrongTarget, match=WRONG[prepare]):
        copied(source, target)
    assert [*target.catalogue.records()] == before
    assert {*target.blobs.keys()} == blobs


def test_yanks_statuses_and_deletions_that_were_made_at_a_copy_are_undone(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    publish_history(source)
    kept = source.publish("demo-5.0.zip", version="5.0")
    source.catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "old"), "ada")
    copied(source, target)
    [yanked, gone] = files_of(target.catalogue, IN_TOOLS)
    assert gone == kept
    target.catalogue.yank(TOOLS, yanked.package.id, None, "bob")
    target.catalogue.set_status(TOOLS, DEMO, NameStatus(), "bob")
    target.catalogue.delete_package(TOOLS, gone.package.id, "bob")
    target.blobs.delete(gone.blob_key)
    assert copied(source, target) == Summary(files=1, bytes=len(DATA), changed=2)
    assert answers(target.catalogue) == answers(source.catalogue)
    assert contents(target) == contents(source)


# What was published to a copy directly: its ids are no higher than those that the source has used since


def publish_and_delete(stores: Stores, last: int) -> None:
    """Use ids up to one, and leave nothing of them."""
    for number in count():
        file = stores.publish(f"demo-6.{number}.zip", version=f"6.{number}")
        stores.catalogue.delete_package(TOOLS, file.package.id, "ada")
        stores.blobs.delete(file.blob_key)
        if file.id >= last and file.package.id >= last:
            return


def is_refused(source: Stores, target: Stores, file: PackageFile) -> None:
    """Check that the target is refused because of a file, again and again, and stays as it is."""
    before, data = [*target.catalogue.records()], contents(target)
    assert file.blob_key in data
    problem = rf"its file {file.filename} \(id {file.id}\) is not at the source, and was not copied from there"
    for _ in range(2):
        with pytest.raises(WrongTarget, match=problem):
            copied(source, target)
    assert [*target.catalogue.records()] == before
    assert contents(target) == data


def mark(stores: Stores) -> list[CopiedRecord]:
    return [record for record in stores.catalogue.records() if isinstance(record, CopiedRecord)]


def test_what_was_published_to_a_copy_is_not_deleted(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    publish_history(source)
    copied(source, target)
    file = target.publish("demo-5.0.zip", version="5.0")
    publish_and_delete(source, file.id)
    is_refused(source, target, file)
    target.catalogue.delete_package(TOOLS, file.package.id, "ada")
    target.blobs.delete(file.blob_key)
    copied(source, target)
    assert answers(target.catalogue) == answers(source.catalogue)


def test_what_was_published_to_the_old_registry_after_the_switch_is_not_deleted(
    on_disk: Callable[[], Stores],
) -> None:
    old, new = on_disk(), on_disk()
    publish_history(old)
    copied(old, new)
    file = old.publish("demo-5.0.zip", version="5.0")
    publish_and_delete(new, file.id)
    is_refused(new, old, file)


def test_nothing_is_deleted_of_a_registry_that_never_was_a_copy(on_disk: Callable[[], Stores]) -> None:
    old, new = on_disk(), on_disk()
    publish_history(old)
    file = old.publish("demo-5.0.zip", version="5.0")
    copied(old, new)
    assert mark(old) == []
    new.catalogue.delete_package(TOOLS, file.package.id, "ada")
    is_refused(new, old, file)


def test_a_copy_of_a_copy_carries_what_the_middle_one_deletes_of_its_own(on_disk: Callable[[], Stores]) -> None:
    first, middle, last = on_disk(), on_disk(), on_disk()
    publish_history(first)
    copied(first, middle)
    own = middle.publish("demo-5.0.zip", version="5.0")
    copied(middle, last)
    assert mark(last) == [CopiedRecord(own.package.id, own.id)]
    assert mark(middle) != mark(last)
    middle.catalogue.delete_package(TOOLS, own.package.id, "ada")
    assert copied(middle, last).deleted == 1
    assert answers(last.catalogue) == answers(middle.catalogue)
    later = last.publish("demo-7.0.zip", version="7.0")
    publish_and_delete(middle, later.id)
    is_refused(middle, last, later)


def test_what_is_published_to_the_target_of_a_killed_copy_is_not_deleted(on_disk: Callable[[], Stores]) -> None:
    for changes in count():
        source, target = on_disk(), on_disk()
        publish_history(source)
        copied(source, target)
        publish_and_delete(source, last=0)
        source.publish("demo-4.0.zip", version="4.0")
        try:
            assert [*Copy(side(source), Side(KilledAfter(target.catalogue, changes), target.blobs)).run()] == []
        except Killed:
            file = target.publish("demo-8.0.zip", version="8.0")
            publish_and_delete(source, file.id)
            is_refused(source, target, file)
            continue
        break
    assert changes == 4  # the highest ids, those of the copy, the package and the file


def test_what_is_published_to_the_target_while_a_copy_begins_is_not_deleted(on_disk: Callable[[], Stores]) -> None:
    source, target = on_disk(), on_disk()
    publish_history(source)
    copied(source, target)
    publish_and_delete(source, last=0)
    added: list[PackageFile] = []

    class PublishedToMeanwhile(CatalogueWrapper):
        def restore(self, record: Record) -> None:
            if isinstance(record, LastIdsRecord):
                added.append(target.publish("demo-8.0.zip", version="8.0"))
            super().restore(record)

    before = mark(target)
    with pytest.raises(TargetChanged, match=r"demo-8\.0\.zip \(id \d+\) was published to it"):
        [*Copy(side(source), Side(PublishedToMeanwhile(target.catalogue), target.blobs)).run()]
    assert mark(target) == before
    is_refused(source, target, *added)


# Faults


class Killed(BaseException):
    """Ends a copy as a kill would."""


class KilledAfter(CatalogueWrapper):
    """A target whose process is killed after some changes."""

    def __init__(self, inner: Any, changes: int) -> None:
        super().__init__(inner)
        self.changes = changes

    def _change(self) -> None:
        self.changes -= 1
        if self.changes < 0:
            raise Killed

    def restore(self, record: Record) -> None:
        self._change()
        super().restore(record)

    def delete_file(self, *args: Any) -> Any:
        self._change()
        return super().delete_file(*args)


def test_a_copy_that_is_killed_anywhere_lists_no_file_without_bytes_and_is_continued(
    on_disk: Callable[[], Stores],
) -> None:
    source, target = in_memory(), on_disk()
    publish_history(source)
    kills = 0
    for changes in count():
        try:
            assert [*Copy(side(source), Side(KilledAfter(target.catalogue, changes % 3), target.blobs)).run()] == []
        except Killed:
            kills += 1
            contents(target)  # every listed file has its bytes
            continue
        break
    assert kills > 3
    assert answers(target.catalogue) == answers(source.catalogue)
    assert contents(target) == contents(source)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda source, file: source.blobs.delete(file.blob_key), "its bytes are missing"),
        (lambda source, file: source.replace(file.blob_key, DATA[::-1]), "its bytes have the SHA-256 digest "),
        (lambda source, file: source.replace(file.blob_key, DATA[1:]), "its bytes cannot be read: "),
    ],
    ids=["missing", "wrong", "truncated"],
)
def test_a_damaged_file_is_reported_and_everything_else_copied(
    damage: Callable[..., object], reason: str, on_disk: Callable[[], Stores]
) -> None:
    source, target = on_disk(), on_disk()
    file, other = source.publish(FIRST), source.publish("demo-2.0.tar.gz", version="2.0")
    damage(source, file)
    copying = Copy(side(source), side(target))
    [left] = copying.run()
    assert (left.file, left.reason.startswith(reason)) == (file, True)
    assert copying.summary == Summary(files=1, bytes=len(DATA), left=1)
    assert files_of(target.catalogue, IN_TOOLS) == [other]
    assert [*target.catalogue.names(IN_TOOLS)] == [DEMO]


def test_wrong_md5_digests_are_reported() -> None:
    source, target = in_memory(), in_memory()
    source.publish(FIRST, digests=Digests(sha256(DATA).hexdigest(), "0" * 32))
    [left] = Copy(side(source), side(target)).run()
    assert left.reason.startswith("its bytes have the right SHA-256 digest, but not the MD5")
    assert [*target.catalogue.names(IN_TOOLS)] == []


def test_a_file_that_was_deleted_meanwhile_is_no_problem() -> None:
    source, target = in_memory(), in_memory()
    file = source.publish(FIRST)

    class Deletes(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            source.catalogue.delete_file(TOOLS, file.id, "ada")
            source.blobs.delete(key)
            return None

    copying = Copy(Side(source.catalogue, Deletes(source.blobs)), side(target))
    assert [*copying.run()] == []
    assert copying.summary == Summary()
    assert copied(source, target) == Summary()


def test_a_source_that_redirects_is_refused() -> None:
    source, target = in_memory(), in_memory()
    source.publish(FIRST)

    class Redirects(BlobsWrapper):
        def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
            return Redirect("https://bucket.example/")

    with pytest.raises(RedirectingSource):
        [*Copy(Side(source.catalogue, Redirects(source.blobs)), side(target)).run()]


def test_a_target_to_which_another_program_writes_is_reported() -> None:
    source, target = in_memory(), in_memory()
    source.publish(FIRST)

    class Writes(BlobsWrapper):
        def put(self, key: str, *args: Any, **options: Any) -> None:
            if not files_of(target.catalogue, IN_TOOLS):
                target.publish(FIRST)
            super().put(key, *args, **options)

    with pytest.raises(TargetChanged, match="another program writes to the target"):
        [*Copy(side(source), Side(target.catalogue, Writes(target.blobs))).run()]


def test_progress_counts_rows_and_then_files() -> None:
    source, target = in_memory(), in_memory()
    source.publish(FIRST)
    source.publish(SECOND)
    seen: list[Progress] = []
    assert [*Copy(side(source), side(target), on_progress=seen.append).run()] == []
    assert [each.done for each in seen if each.unit == "rows"] == [*range(1, 7)]
    assert seen[-2:] == [Progress("files", 0, 2), Progress("files", 1, 2)]


def test_a_second_copy_has_every_content_of_the_variants_json() -> None:
    source, target = in_memory(), in_memory()
    for label in ("fast", "slow"):
        source.publish(f"demo-1.0-py3-none-any-{label}.whl", variant=variant(label, "v1"))
        copied(source, target)
    file = source.publish("demo-1.0-py3-none-any-more.whl", variant=variant("more", "v1"))
    deletion = source.catalogue.delete_file(TOOLS, file.id, "ada")
    assert deletion is not None
    source.blobs.delete(file.blob_key)
    copied(source, target)
    assert answers(target.catalogue) == answers(source.catalogue)
    [history] = target.catalogue.variants(IN_TOOLS, DEMO, "1.0")
    assert len(history.contents) == 3
    assert copied(source, target).changed == 0
