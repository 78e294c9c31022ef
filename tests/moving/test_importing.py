"""An import publishes what a source has, as twine would, and continues where an earlier one stopped."""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, md5, sha256
from pathlib import Path
from threading import Barrier, Event
from typing import BinaryIO

import pytest
from packaging.utils import NormalizedName

from pypi_registry._moving.digests import Comparison
from pypi_registry._moving.folder import FolderSource
from pypi_registry._moving.importing import ACTOR, MAX_FAILURES, Import, Kind, Options, Outcome, Progress, Summary
from pypi_registry._moving.source import SourceError, SourceFile, SourcePage, Stopped
from pypi_registry._publishing.checks import read_distribution
from pypi_registry._publishing.publish import Stores, publish
from pypi_registry.distributions import verify
from pypi_registry.errors import FileTooLarge, StorageFull
from pypi_registry.events import Actor, Published, Yanked
from pypi_registry.events import Event as RegistryEvent
from pypi_registry.model import NameStatus, PackageFile, Project, Projects, Status
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import Distribution, Variant, make_sdist, make_wheel
from tests.testing.mutants.wrapping import BlobsWrapper

TOOLS = Project(42, "acme/tools")
IN_TOOLS = Projects([TOOLS])
DEMO = NormalizedName("demo")
LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass
class FakeSource:
    """A source in memory."""

    pages: dict[NormalizedName, list[SourceFile]] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    """By URL."""
    fetched: list[str] = field(default_factory=list)
    lacks_digests: bool = True
    one_name_per_page: bool = True
    stopped: Event = field(default_factory=Event)
    on_fetch: Callable[[SourceFile], object] = lambda file: None

    def add(
        self,
        file: Distribution,
        *,
        name: str = "demo",
        digests: Mapping[str, str] | None = None,
        uploaded_at: datetime | None = LONG_AGO,
        yanked: str | None = None,
        size: int | None = None,
    ) -> SourceFile:
        digests = {"sha256": sha256(file.data).hexdigest()} if digests is None else digests
        url = f"memory:{name}/{len(self.data)}"
        added = SourceFile(file.filename, url, digests, size, uploaded_at, yanked)
        self.pages.setdefault(NormalizedName(name), []).append(added)
        self.data[url] = file.data
        return added

    def names(self) -> Sequence[NormalizedName]:
        return sorted(self.pages)

    def page(self, name: NormalizedName) -> SourcePage:
        if name not in self.pages:
            raise SourceError("nothing is here", 404)
        return SourcePage(self.pages[name])

    def fetch(self, file: SourceFile, into: BinaryIO, *, max_size: int) -> None:
        self.fetched.append(file.filename)
        self.on_fetch(file)
        if self.stopped.is_set():
            raise Stopped
        data = self.data[file.url]
        if len(data) >= max_size:
            raise FileTooLarge(max_size)
        comparison = Comparison(file.digests)
        comparison.update(data)
        into.write(data)
        comparison.check()

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def stores() -> Stores:
    return Stores(MemoryCatalogue(), MemoryBlobs())


OPTIONS = Options(max_file_size=10**6, verify=verify, jobs=3)


def imported(
    source: FakeSource | FolderSource, stores: Stores, options: Options = OPTIONS
) -> tuple[list[Outcome], Summary]:
    if isinstance(source, FakeSource):
        source.stopped.clear()
    importing = Import(source, stores, TOOLS, options)
    return [*importing.run()], importing.summary


def files(stores: Stores, name: NormalizedName = DEMO) -> list[PackageFile]:
    listing = stores.catalogue.listing(IN_TOOLS, name)
    return [*listing.files] if listing else []


WHEEL = make_wheel("demo", "1.0")
SDIST = make_sdist("demo", "1.0")


def test_files_keep_their_upload_time_and_belong_to_import(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    source.add(SDIST, uploaded_at=LONG_AGO - timedelta(days=1))
    source.add(make_wheel("other", "2.0"), name="other")
    outcomes, summary = imported(source, stores)
    assert [(each.kind, each.title) for each in outcomes] == [
        (Kind.IMPORTED, SDIST.filename),  # the oldest first, as pages list them
        (Kind.IMPORTED, WHEEL.filename),
        (Kind.IMPORTED, "other-2.0-py3-none-any.whl"),
    ]
    assert summary == Summary(imported=3)
    assert [file.uploaded_at for file in files(stores)] == [LONG_AGO - timedelta(days=1), LONG_AGO]
    assert {file.uploaded_by for file in files(stores)} == {"import"}
    assert files(stores)[0].package.created_at == LONG_AGO - timedelta(days=1)


def test_without_an_upload_time_it_is_the_present_time_and_counted(source: FakeSource, stores: Stores) -> None:
    before = datetime.now(UTC)
    source.add(WHEEL, uploaded_at=None)
    source.add(SDIST)
    assert imported(source, stores)[1] == Summary(imported=2, without_time=1)
    assert before <= files(stores)[0].uploaded_at <= datetime.now(UTC)


def test_the_order_of_the_page_counts_if_a_time_is_missing(source: FakeSource, stores: Stores) -> None:
    for number in (3, 1, 2):
        source.add(make_wheel("demo", f"{number}"), uploaded_at=None if number == 1 else LONG_AGO)
    imported(source, stores)
    assert [file.package.version for file in files(stores)] == ["3", "1", "2"]


def test_every_digest_is_compared(source: FakeSource, stores: Stores) -> None:
    algorithms = {
        "md5": md5(WHEEL.data).hexdigest().upper(),
        "sha256": sha256(WHEEL.data).hexdigest(),
        "blake2_256": blake2b(WHEEL.data, digest_size=32).hexdigest(),
        "blake2b": blake2b(WHEEL.data).hexdigest(),
    }
    for number, (name, digest) in enumerate(algorithms.items()):
        wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
        source.add(make_wheel("demo", f"{number}"), digests={"sha256": "0" * 64, name: wrong})
    source.add(WHEEL, digests=algorithms)
    source.add(SDIST, digests={"unknown": "00"})
    outcomes, summary = imported(source, stores)
    assert (summary.imported, summary.refused, summary.without_digest) == (2, 4, 0)
    reasons = [each.reason for each in outcomes if each.kind is Kind.REFUSED]
    assert all("digest does not match: the source declares" in reason for reason in reasons)


def test_missing_digests_are_counted(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL, digests={})
    source.add(SDIST)
    assert imported(source, stores)[1] == Summary(imported=2, without_digest=1)


# Again


def test_a_second_import_downloads_nothing_that_is_there(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    source.add(SDIST, digests={"md5": md5(SDIST.data).hexdigest()})
    imported(source, stores)
    source.fetched.clear()
    source.add(make_wheel("demo", "2.0"))
    assert imported(source, stores)[1] == Summary(imported=1, present=2)
    assert source.fetched == ["demo-2.0-py3-none-any.whl"]


def test_what_is_there_without_a_common_digest_is_downloaded_and_compared(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL, digests={})
    source.add(SDIST, digests={"md5": md5(SDIST.data).hexdigest()})
    imported(source, stores)
    source.pages[DEMO][0] = replace(source.pages[DEMO][0], digests={})
    assert imported(source, stores)[1] == Summary(present=2)
    source.data[source.pages[DEMO][0].url] = make_wheel("demo", "1.0", payload=b"other").data
    outcomes, summary = imported(source, stores)
    assert summary == Summary(present=1, refused=1)
    assert outcomes[0].reason.startswith("the project has another file with this name, with the SHA-256 digest ")


def test_another_digest_under_the_same_name_is_refused_without_a_download(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    imported(source, stores)
    other = FakeSource()
    other.add(make_wheel("demo", "1.0", payload=b"other"))
    outcomes, summary = imported(other, stores)
    assert (summary, other.fetched) == (Summary(refused=1), [])
    assert "another file with this name" in outcomes[0].reason
    assert [file.digests.sha256 for file in files(stores)] == [sha256(WHEEL.data).hexdigest()]


def test_what_someone_else_publishes_meanwhile_is_there_or_refused(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    source.add(SDIST)
    different = make_sdist("demo", "1.0", payload=b"other")

    def meanwhile(file: SourceFile) -> None:
        for each in (WHEEL, different):
            if each.filename == file.filename:
                data = io.BytesIO(each.data)
                upload = read_distribution(data, each.filename, verify=None)
                publish(stores, TOOLS, upload, data, actor=Actor("ada"))

    source.on_fetch = meanwhile
    outcomes, summary = imported(source, stores)
    assert summary == Summary(present=1, refused=1)
    assert [each.kind for each in outcomes] == [Kind.PRESENT, Kind.REFUSED]
    assert "already been taken" in outcomes[1].reason


# What is refused


@pytest.mark.parametrize(
    ("file", "options", "reason"),
    [
        (Distribution("demo-1.0-py3.8.egg", b""), OPTIONS, "neither the suffix of a wheel"),
        (Distribution("../../evil-1.0.tar.gz", b""), OPTIONS, "is invalid"),
        (Distribution("demo-1.0.tar.gz", b"no archive"), OPTIONS, "not a gzip"),
        (make_wheel("other", "1.0"), OPTIONS, "it is on the page of demo, and belongs to other"),
        (Distribution("demo-1.0.tar.gz", make_sdist("demo", "2.0").data), OPTIONS, "2.0"),
        (WHEEL, replace(OPTIONS, max_file_size=len(WHEEL.data)), "File is too large"),
        (make_wheel("demo", "1.0", requires_python=">=3\x07"), OPTIONS, "control character"),
    ],
    ids=["egg", "path", "no archive", "another name", "another version", "too large", "control character"],
)
def test_a_file_is_refused_with_its_reason_and_others_are_imported(
    file: Distribution, options: Options, reason: str, source: FakeSource, stores: Stores
) -> None:
    source.add(file)
    source.add(make_wheel("small", "9.0", files={}), name="small")
    outcomes, summary = imported(source, stores, replace(options, names=[DEMO]))
    assert [each.kind for each in outcomes] == [Kind.REFUSED]
    assert reason in outcomes[0].reason
    assert summary == Summary(refused=1)
    assert imported(source, stores, OPTIONS)[1].imported >= 1
    assert len([*stores.blobs.keys()]) == len(files(stores)) + len(files(stores, NormalizedName("small")))  # type: ignore[attr-defined]  # MemoryBlobs


@pytest.mark.parametrize(
    "filename",
    [f"demo-{'1' * 5_000}.tar.gz", f"demo-{'1' * 5_000}-py3-none-any.whl", "x" * 10**6, "demo-1.0.zip/" * 1_000],
    ids=["sdist", "wheel", "text", "path"],
)
def test_a_long_file_name_is_refused_and_not_repeated(filename: str, source: FakeSource, stores: Stores) -> None:
    source.add(Distribution(filename, b""), yanked="")
    good = source.add(make_wheel("demo", "1.0"))
    [refused, _], summary = imported(source, stores)
    assert (refused.kind, len(refused.title) < 300, len(refused.reason) < 300) == (Kind.REFUSED, True, True)
    assert [file.filename for file in files(stores)] == [good.filename]
    assert summary.refused == 1


def test_a_declared_size_above_the_limit_is_refused_without_a_download(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL, size=10**6)
    assert imported(source, stores)[1] == Summary(refused=1)
    assert source.fetched == []


def test_old_files_that_the_rules_refuse_are_imported_without_them(source: FakeSource, stores: Stores) -> None:
    old = Distribution("demo-1.0.tar.gz", make_sdist("demo", "1.0").data + b"\0garbage")
    source.add(old)
    assert imported(source, stores)[1] == Summary(refused=1)
    assert imported(source, stores, replace(OPTIONS, verify=None))[1] == Summary(imported=1)


def test_an_archived_name_accepts_no_imports(source: FakeSource, stores: Stores) -> None:
    stores.catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED), "")
    source.add(WHEEL)
    outcomes, summary = imported(source, stores)
    assert (summary, outcomes[0].reason) == (Summary(refused=1), "demo is archived and accepts no uploads")


def test_names_may_be_selected_and_an_absent_one_is_refused(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    source.add(make_wheel("other", "2.0"), name="other")
    outcomes, summary = imported(source, stores, replace(OPTIONS, names=[DEMO, NormalizedName("absent")]))
    assert summary == Summary(imported=1, refused=1)
    assert outcomes[-1] == Outcome(Kind.REFUSED, "absent", "the source has no such name")
    assert files(stores, NormalizedName("other")) == []


def test_an_entry_that_cannot_be_read_is_refused(stores: Stores) -> None:
    class Broken(FakeSource):
        def page(self, name: NormalizedName) -> SourcePage:
            return SourcePage([], [("'x'", "it has no URL")])

    outcomes, summary = imported(Broken({DEMO: []}), stores)
    assert (outcomes, summary.refused) == ([Outcome(Kind.REFUSED, "'x'", "it has no URL")], 1)


def test_a_file_that_cannot_be_read_fails_and_others_are_imported(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    source.add(SDIST)

    def fail(file: SourceFile) -> None:
        if file.filename == WHEEL.filename:
            raise SourceError("the line is cut")

    source.on_fetch = fail
    assert imported(source, stores)[1] == Summary(imported=1, failed=1)
    source.on_fetch = lambda file: None
    assert imported(source, stores)[1] == Summary(imported=1, present=1)


def test_many_failures_in_a_row_end_the_import(source: FakeSource, stores: Stores) -> None:
    for number in range(2 * MAX_FAILURES):
        source.add(make_wheel("demo", f"{number}"))

    def fail(file: SourceFile) -> None:
        raise SourceError("the line is cut")

    source.on_fetch = fail
    with pytest.raises(SourceError, match="25 failures in a row, the last one: the line is cut"):
        imported(source, stores)


# Yanks


def test_a_version_is_yanked_if_all_its_files_are(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL, yanked="")
    source.add(SDIST, yanked="broken\non 3.11")
    source.add(make_wheel("demo", "2.0"), yanked="half")
    source.add(make_sdist("demo", "2.0"))
    source.add(make_wheel("demo", "3.0.0"), yanked="")
    source.add(make_sdist("demo", "3.0"), yanked=5000 * "x")
    assert imported(source, stores)[1] == Summary(imported=6, yanked=2)
    found = {file.package.version: file.package.yanked for file in files(stores)}
    assert found == {"1.0": "broken on 3.11", "2.0": None, "3.0.0": 997 * "x" + "..."}
    assert imported(source, stores)[1] == Summary(present=6)


def test_a_version_that_was_yanked_later_is_yanked_by_a_second_import(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL)
    imported(source, stores)
    source.pages[DEMO][0] = replace(source.pages[DEMO][0], yanked="late")
    assert imported(source, stores)[1] == Summary(present=1, yanked=1)
    assert files(stores)[0].package.yanked == "late"


# Running


def test_a_dry_run_downloads_and_changes_nothing_and_counts_the_same(source: FakeSource, stores: Stores) -> None:
    source.add(WHEEL, uploaded_at=None, yanked="")
    source.add(make_wheel("demo", "2.0"), digests={})
    source.add(Distribution("demo-1.0-py3.8.egg", b""))
    dry = imported(source, stores, replace(OPTIONS, dry_run=True))
    assert (source.fetched, files(stores)) == ([], [])
    assert [each.kind for each in dry[0]] == [each.kind for each in imported(source, stores)[0]]
    assert dry[1] == Summary(imported=2, refused=1, without_time=1, without_digest=1)


def test_several_files_are_downloaded_at_once(source: FakeSource, stores: Stores) -> None:
    for number in range(6):
        source.add(make_wheel("demo", f"{number}"))
    together = Barrier(3)
    source.on_fetch = lambda file: together.wait(30)  # every file waits for two others
    assert imported(source, stores)[1] == Summary(imported=6)


def test_an_import_that_is_stopped_is_continued(source: FakeSource, stores: Stores) -> None:
    for number in range(20):
        source.add(make_wheel("demo", f"{number}"))
    with closing(Import(source, stores, TOOLS, OPTIONS).run()) as outcomes:
        for _ in range(3):
            assert next(outcomes).kind is Kind.IMPORTED
    assert source.stopped.is_set()
    assert len(files(stores)) == 3
    assert len([*stores.blobs.keys()]) == 3  # type: ignore[attr-defined]  # MemoryBlobs
    assert imported(source, stores)[1] == Summary(imported=17, present=3)


def test_a_full_disk_ends_the_import_and_closes_every_file(source: FakeSource) -> None:
    opened: list[io.BytesIO] = []

    class Full(BlobsWrapper):
        def new_file(self) -> BinaryIO:
            opened.append(io.BytesIO())
            return opened[-1]

        def put(self, *args: object, **options: object) -> None:
            raise StorageFull

    for number in range(8):
        source.add(make_wheel("demo", f"{number}"))
    with pytest.raises(StorageFull):
        imported(source, Stores(MemoryCatalogue(), Full(MemoryBlobs())))
    assert opened
    assert all(file.closed for file in opened)


def test_progress_has_a_total_when_all_pages_are_read(source: FakeSource, stores: Stores) -> None:
    for number in range(20):
        source.add(make_wheel("demo", f"{number}"))
    seen: list[Progress] = []
    assert len([*Import(source, stores, TOOLS, OPTIONS, on_progress=seen.append).run()]) == 20
    assert [each.done for each in seen] == [*range(1, 21)]
    assert (seen[0].total, seen[-1].total) == (None, 20)


def test_events_have_the_present_time_and_the_name_of_the_import(source: FakeSource) -> None:
    events: list[RegistryEvent] = []
    source.add(WHEEL, yanked="broken")
    before = datetime.now(UTC)
    imported(source, Stores(MemoryCatalogue(), MemoryBlobs(), events.append))
    assert [type(event) for event in events] == [Published, Yanked]
    assert {event.actor for event in events} == {ACTOR}
    assert all(before <= event.at <= datetime.now(UTC) for event in events)


# Folders


def test_a_folder_is_read_with_all_below_it(tmp_path: Path, stores: Stores) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    WHEEL.write_to(tmp_path)
    SDIST.write_to(tmp_path / "deep")
    make_wheel("other", "2.0").write_to(tmp_path / "deep" / "er")
    for ignored in ("demo-1.0.tar.bz2", "README", "x.zip", "demo.whl", "demo-1.0.tar.gz.asc"):
        (tmp_path / ignored).write_bytes(b"?")
    source = FolderSource(tmp_path)
    assert source.ignored == 5
    assert imported(source, stores)[1] == Summary(imported=3, without_time=3)
    assert imported(FolderSource(tmp_path), stores)[1] == Summary(present=3)
    make_wheel("demo", "1.0", payload=b"other").write_to(tmp_path)
    assert imported(FolderSource(tmp_path), stores)[1] == Summary(present=2, refused=1)


def test_names_of_a_folder_may_be_selected(tmp_path: Path, stores: Stores) -> None:
    WHEEL.write_to(tmp_path)
    make_wheel("other", "2.0").write_to(tmp_path)
    options = replace(OPTIONS, names=[DEMO, NormalizedName("absent")])
    assert imported(FolderSource(tmp_path), stores, options)[1] == Summary(imported=1, refused=1, without_time=1)


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory"):
        FolderSource(tmp_path / "absent")


def test_wheel_variants_are_imported_and_their_json_is_composed_here(source: FakeSource, stores: Stores) -> None:
    fast, slow = (make_wheel("demo", "1.0", variant=Variant(label)) for label in ("fast", "slow"))
    source.add(fast)
    source.add(slow)
    source.add(Distribution("demo-1.0-variants.json", b"{}"))
    outcomes, _ = imported(source, stores)
    assert [(each.kind, each.title) for each in outcomes] == [
        (Kind.IMPORTED, fast.filename),
        (Kind.IMPORTED, slow.filename),
    ]
    assert source.fetched == [fast.filename, slow.filename]
    found = [file.variant for file in files(stores)]
    assert found == [verify(io.BytesIO(each.data), each.filename).variant for each in (fast, slow)]


def test_a_wheel_variant_that_contradicts_another_one_is_refused(source: FakeSource, stores: Stores) -> None:
    for tag, level in (("py2", "v1"), ("py3", "v3")):
        properties = {"cpu": {"level": [level]}}
        source.add(make_wheel("demo", "1.0", tags=f"{tag}-none-any", variant=Variant("fast", properties)))
    outcomes, _ = imported(source, stores)
    assert [each.kind for each in outcomes] == [Kind.IMPORTED, Kind.REFUSED]
    assert outcomes[1].reason == (
        "demo-1.0-py3-none-any-fast.whl contradicts other wheels: the label 'fast' has cpu :: level :: [v3] here and "
        "[v1] in other wheels of this version"
    )
    assert len(files(stores)) == 1


def test_wheel_variants_in_a_folder_are_imported(tmp_path: Path, stores: Stores) -> None:
    make_wheel("demo", "1.0", variant=Variant("fast")).write_to(tmp_path)
    (tmp_path / "demo-1.0-variants.json").write_text("{}")
    folder = FolderSource(tmp_path)
    _, summary = imported(folder, stores)
    assert (summary.imported, summary.refused, folder.ignored) == (1, 0, 1)
