"""The services that change a registry: what they write, in which order, and which events they send."""

import hashlib
import io
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, get_args

import pytest
from packaging.utils import NormalizedName

from pypi_registry._publishing.publish import Stores, delete_file, delete_package, publish, set_status, yank
from pypi_registry.errors import (
    FileTaken,
    Forbidden,
    OutcomeUnknown,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
)
from pypi_registry.events import (
    Actor,
    Event,
    FileDeleted,
    PackageDeleted,
    Published,
    StatusChanged,
    Unyanked,
    Yanked,
)
from pypi_registry.model import Digests, NameStatus, PackageFile, Project, Projects, Status, Upload
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

PROJECT, OTHER = Project(1, "acme/tools"), Project(2, "acme/other")
HERE = Projects([PROJECT])
DEMO = NormalizedName("demo")
DATA = b"the bytes of a file"
ADA = Actor("ada", "personal token laptop", "192.0.2.7")
BOB = Actor("bob")


def upload(filename: str = "demo-1.0.tar.gz", version: str = "1.0", data: bytes = DATA) -> Upload:
    return Upload(
        "Demo", DEMO, version, filename, len(data), Digests(hashlib.sha256(data).hexdigest()), requires_python=""
    )


class Journaled:
    """A store that records the calls of its methods, and raises an error in one of them."""

    def __init__(self, store: object, journal: list[tuple[str, tuple[object, ...]]]) -> None:
        self._store = store
        self._journal = journal
        self.failing: dict[str, BaseException] = {}
        self.failing_once: dict[str, BaseException] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: object, **options: object) -> object:
            self._journal.append((name, args))
            if name in self.failing:
                raise self.failing[name]
            if name in self.failing_once:
                raise self.failing_once.pop(name)
            return method(*args, **options)

        return call


class RecordedStores:
    """Stores whose calls and events are recorded in one journal."""

    def __init__(self, on_event: Callable[[Event], object] | None = None) -> None:
        self.journal: list[tuple[str, tuple[Any, ...]]] = []
        self.memory, self.bytes = MemoryCatalogue(), MemoryBlobs()
        self.catalogue, self.blobs = Journaled(self.memory, self.journal), Journaled(self.bytes, self.journal)
        self.stores: Any = Stores(self.catalogue, self.blobs, on_event or self._record)

    def _record(self, event: Event) -> None:
        self.journal.append((type(event).__name__, (event,)))

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.journal]

    @property
    def events(self) -> list[Event]:
        return [args[0] for _, args in self.journal if args and isinstance(args[0], get_args(Event))]

    def publish(
        self,
        upload: Upload,
        data: bytes = DATA,
        *,
        at: datetime | None = None,
        confirm: Callable[[], tuple[Project, Actor]] | None = None,
    ) -> PackageFile:
        return publish(self.stores, PROJECT, upload, io.BytesIO(data), actor=ADA, at=at, confirm=confirm)

    def filled(self) -> tuple[PackageFile, PackageFile]:
        """Publish two files of one package, and start a new journal."""
        files = self.publish(upload()), self.publish(upload("demo-1.0.zip"))
        self.journal.clear()
        return files

    @property
    def stored_bytes(self) -> list[bytes]:
        blobs = [*self.bytes.keys()]
        return [stream.read() for key, size, _ in blobs if (stream := self.bytes.open(key, size=size))]

    @property
    def files(self) -> list[PackageFile]:
        listing = self.memory.listing(HERE, DEMO)
        return [*listing.files] if listing else []

    def assert_empty(self) -> None:
        assert self.stored_bytes == []
        assert self.files == []
        assert self.memory.revision(HERE, None) is None
        assert self.memory.publications(DEMO) == []


@pytest.fixture
def registry() -> RecordedStores:
    return RecordedStores()


# Publishing


def test_a_file_is_stored_with_its_time_its_key_and_the_name_of_the_actor(registry: RecordedStores) -> None:
    before = datetime.now(UTC)
    file = registry.publish(upload())
    assert registry.files == [file]
    assert (file.package.project_id, file.package.name, file.package.version) == (PROJECT.id, "Demo", "1.0")
    assert (file.filename, file.size, file.digests) == ("demo-1.0.tar.gz", len(DATA), upload().digests)
    assert file.uploaded_by == "ada"
    assert before <= file.uploaded_at <= datetime.now(UTC)
    assert file.uploaded_at.utcoffset() == timedelta(0)
    stream = registry.bytes.open(file.blob_key, size=file.size)
    assert stream is not None
    assert stream.read() == DATA


def test_a_file_may_have_been_published_earlier_and_its_event_is_of_now(registry: RecordedStores) -> None:
    at, before = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)
    assert registry.publish(upload(), at=at).uploaded_at == at
    [event] = registry.events
    assert before <= event.at <= datetime.now(UTC)


def test_every_file_has_a_fresh_key_of_32_hexadecimal_digits(registry: RecordedStores) -> None:
    keys = [registry.publish(upload(filename)).blob_key for filename in ("demo-1.0.tar.gz", "demo-1.0.zip")]
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)


def test_the_bytes_are_stored_before_the_row(registry: RecordedStores) -> None:
    registry.publish(upload())
    assert registry.steps == ["put", "add", "Published"]


def test_the_store_of_bytes_receives_what_it_needs_to_know() -> None:
    received: dict[str, object] = {}

    class Blobs(MemoryBlobs):
        def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
            received.update(size=size, sha256=sha256, filename=filename)

    publish(Stores(MemoryCatalogue(), Blobs()), PROJECT, upload(), io.BytesIO(DATA), actor=ADA)
    assert received == {
        "size": len(DATA),
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "filename": "demo-1.0.tar.gz",
    }


def test_a_file_name_that_is_taken_leaves_the_first_file_alone(registry: RecordedStores) -> None:
    first = registry.publish(upload())
    with pytest.raises(FileTaken) as caught:
        registry.publish(upload(data=b"other"), b"other")
    assert caught.value.filename == "demo-1.0.tar.gz"
    assert registry.files == [first]
    assert registry.stored_bytes == [DATA]


def test_a_file_name_is_taken_in_any_spelling_of_its_version(registry: RecordedStores) -> None:
    registry.publish(upload(version="1.0"))
    with pytest.raises(FileTaken):
        registry.publish(upload(version="1.0.0"))
    assert registry.stored_bytes == [DATA]


def test_the_refusal_of_another_spelling_names_the_file_that_exists(registry: RecordedStores) -> None:
    registry.publish(upload(version="1.0"))
    registry.publish(upload(filename="demo-1.0.zip"))
    with pytest.raises(FileTaken) as caught:
        registry.publish(upload(filename="Demo-1.0.0.tar.gz"))
    assert (caught.value.filename, caught.value.existing) == ("Demo-1.0.0.tar.gz", "demo-1.0.tar.gz")
    assert str(caught.value) == (
        "File name has already been taken (Demo-1.0.0.tar.gz already exists as demo-1.0.tar.gz)"
    )
    registry.catalogue.failing["listing"] = StorageUnavailable("busy")
    with pytest.raises(FileTaken) as caught:
        registry.publish(upload(filename="Demo-1.0.0.tar.gz"))
    assert (caught.value.filename, caught.value.existing) == ("Demo-1.0.0.tar.gz", "")
    assert len(registry.stored_bytes) == 2


@pytest.mark.parametrize(
    "error",
    [FileTaken("demo-1.0.tar.gz"), UploadsRefused("demo", "archived"), StorageUnavailable("busy"), StorageFull()],
    ids=repr,
)
def test_the_bytes_are_deleted_if_the_catalogue_refuses_the_row(registry: RecordedStores, error: RegistryError) -> None:
    registry.catalogue.failing["add"] = error
    with pytest.raises(type(error)) as caught:
        registry.publish(upload())
    assert caught.value is error
    looked_up = ["listing"] if isinstance(error, FileTaken) else []  # for another spelling of the file name
    assert registry.steps == ["put", "add", "delete", *looked_up]
    registry.assert_empty()


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("?"), RuntimeError("?"), OSError("lost"), KeyboardInterrupt()], ids=repr
)
def test_the_bytes_stay_if_it_is_not_known_whether_the_row_was_written(
    registry: RecordedStores, error: BaseException
) -> None:
    registry.catalogue.failing["add"] = error
    with pytest.raises(type(error)) as caught:
        registry.publish(upload())
    assert caught.value is error
    assert registry.steps == ["put", "add"]
    assert registry.stored_bytes == [DATA]


def test_a_store_of_bytes_without_room_leaves_no_row(registry: RecordedStores) -> None:
    registry.blobs.failing["put"] = StorageFull()
    with pytest.raises(StorageFull):
        registry.publish(upload())
    assert registry.steps == ["put"]
    registry.assert_empty()


# Deleting


def test_the_row_of_a_file_is_deleted_before_its_bytes(registry: RecordedStores) -> None:
    first, second = registry.filled()
    deletion = delete_file(registry.stores, PROJECT, first.id, actor=BOB)
    assert deletion is not None
    assert (deletion.files, deletion.package_deleted) == ([first], False)
    assert registry.steps == ["delete_file", "FileDeleted", "delete"]
    assert registry.journal[-1] == ("delete", (first.blob_key,))
    assert registry.files == [second]
    assert len(registry.stored_bytes) == 1


def test_the_rows_of_a_package_are_deleted_before_its_bytes(registry: RecordedStores) -> None:
    files = registry.filled()
    deletion = delete_package(registry.stores, PROJECT, files[0].package.id, actor=BOB)
    assert deletion is not None
    assert deletion.files == [*files]
    assert registry.steps == ["delete_package", "PackageDeleted", "delete", "delete"]
    assert registry.stored_bytes == []
    assert registry.files == []


@pytest.mark.parametrize("service", [delete_file, delete_package])
@pytest.mark.parametrize("error", [StorageUnavailable("busy"), RuntimeError("?")], ids=repr)
def test_the_bytes_stay_if_the_row_was_not_deleted(
    registry: RecordedStores, service: Callable[..., object], error: Exception
) -> None:
    registry.filled()
    registry.catalogue.failing[service.__name__] = error
    with pytest.raises(type(error)):
        service(registry.stores, PROJECT, 1, actor=BOB)
    assert len(registry.stored_bytes) == 2
    assert registry.events == []


UNDELETABLE = [StorageUnavailable("the disk is busy"), PermissionError("the disk is read-only")]


@pytest.mark.parametrize("error", UNDELETABLE, ids=repr)
def test_a_file_whose_bytes_cannot_be_deleted_is_deleted_and_the_error_is_logged(
    registry: RecordedStores, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    first, second = registry.filled()
    registry.blobs.failing["delete"] = error
    deletion = delete_file(registry.stores, PROJECT, first.id, actor=BOB)
    assert deletion is not None
    assert deletion.files == [first]
    assert registry.files == [second]
    assert [type(event) for event in registry.events] == [FileDeleted]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("pypi_registry", logging.ERROR)
    assert first.blob_key in record.getMessage()
    assert first.filename in record.getMessage()
    assert str(error) in caplog.text


@pytest.mark.parametrize("error", UNDELETABLE, ids=repr)
def test_the_bytes_of_the_next_file_are_deleted_if_those_of_one_cannot_be(
    registry: RecordedStores, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    files = registry.filled()
    registry.blobs.failing_once["delete"] = error
    deletion = delete_package(registry.stores, PROJECT, files[0].package.id, actor=BOB)
    assert deletion is not None
    first, second = deletion.files
    assert registry.steps == ["delete_package", "PackageDeleted", "delete", "delete"]
    assert [args for step, args in registry.journal if step == "delete"] == [(first.blob_key,), (second.blob_key,)]
    assert registry.bytes.open(first.blob_key, size=first.size) is not None
    assert registry.bytes.open(second.blob_key, size=second.size) is None
    assert first.blob_key in caplog.text
    assert second.blob_key not in caplog.text


@pytest.mark.parametrize("error", UNDELETABLE, ids=repr)
def test_a_refused_upload_is_refused_for_its_reason_though_its_bytes_cannot_be_deleted(
    registry: RecordedStores, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    registry.publish(upload())
    registry.blobs.failing["delete"] = error
    with pytest.raises(FileTaken):
        registry.publish(upload())
    assert str(error) in caplog.text


@pytest.mark.parametrize("error", [TypeError("?"), KeyError("an error of a library")], ids=repr)
def test_any_error_of_a_store_of_bytes_is_logged_when_the_row_is_gone(
    registry: RecordedStores, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    first, _ = registry.filled()
    registry.blobs.failing["delete"] = error
    assert delete_file(registry.stores, PROJECT, first.id, actor=BOB) is not None
    assert first.blob_key in caplog.text  # for the administrator; `fsck` finds it


# Confirming


def test_the_confirmed_project_and_actor_are_published(registry: RecordedStores) -> None:
    moved = replace(PROJECT, path="elsewhere/tools")
    steps: list[object] = []

    def confirm() -> tuple[Project, Actor]:
        steps.extend(registry.steps)
        return moved, BOB

    file = registry.publish(upload(), confirm=confirm)
    assert steps == ["put"]  # just before the commit, when the bytes are stored
    assert registry.events == [
        Published(at=file.uploaded_at, actor=BOB, project=moved, package=file.package, files=(file,))
    ]


def test_what_is_not_confirmed_is_not_published(registry: RecordedStores) -> None:
    def confirm() -> tuple[Project, Actor]:
        raise Forbidden

    with pytest.raises(Forbidden):
        registry.publish(upload(), confirm=confirm)
    assert registry.steps == ["put", "delete"]
    assert [*registry.bytes.keys()] == []


# Events


def test_publishing_sends_published(registry: RecordedStores) -> None:
    file = registry.publish(upload())
    assert registry.events == [
        Published(at=file.uploaded_at, actor=ADA, project=PROJECT, package=file.package, files=(file,))
    ]


def test_deleting_a_file_sends_file_deleted(registry: RecordedStores) -> None:
    first, _ = registry.filled()
    before = datetime.now(UTC)
    delete_file(registry.stores, PROJECT, first.id, actor=BOB)
    [event] = registry.events
    assert event == FileDeleted(at=event.at, actor=BOB, project=PROJECT, package=first.package, files=[first])
    assert before <= event.at <= datetime.now(UTC)


def test_deleting_the_last_file_sends_file_deleted_and_then_package_deleted(registry: RecordedStores) -> None:
    first, second = registry.filled()
    delete_file(registry.stores, PROJECT, first.id, actor=BOB)
    registry.journal.clear()
    delete_file(registry.stores, PROJECT, second.id, actor=BOB)
    at = registry.events[0].at
    assert registry.events == [
        FileDeleted(at=at, actor=BOB, project=PROJECT, package=second.package, files=[second]),
        PackageDeleted(at=at, actor=BOB, project=PROJECT, package=second.package, files=()),
    ]


def test_deleting_a_package_sends_package_deleted_with_its_files(registry: RecordedStores) -> None:
    files = registry.filled()
    delete_package(registry.stores, PROJECT, files[0].package.id, actor=BOB)
    [event] = registry.events
    assert event == PackageDeleted(at=event.at, actor=BOB, project=PROJECT, package=files[0].package, files=[*files])


@pytest.mark.parametrize("reason", ["", "broken on 3.11"])
def test_yanking_sends_yanked_with_the_reason(registry: RecordedStores, reason: str) -> None:
    first, _ = registry.filled()
    package = yank(registry.stores, PROJECT, first.package.id, reason, actor=BOB)
    assert package == replace(first.package, yanked=reason)
    [event] = registry.events
    assert event == Yanked(at=event.at, actor=BOB, project=PROJECT, package=package, reason=reason)


def test_undoing_a_yank_sends_unyanked(registry: RecordedStores) -> None:
    first, _ = registry.filled()
    yank(registry.stores, PROJECT, first.package.id, "broken", actor=BOB)
    registry.journal.clear()
    package = yank(registry.stores, PROJECT, first.package.id, None, actor=BOB)
    assert package == first.package
    [event] = registry.events
    assert event == Unyanked(at=event.at, actor=BOB, project=PROJECT, package=package)


def test_setting_a_status_sends_status_changed(registry: RecordedStores) -> None:
    status = NameStatus(Status.QUARANTINED, "malware")
    set_status(registry.stores, PROJECT, DEMO, status, actor=BOB)
    [event] = registry.events
    assert event == StatusChanged(at=event.at, actor=BOB, project=PROJECT, name=DEMO, status=status)
    assert event.at.utcoffset() == timedelta(0)


CHANGES: dict[str, Callable[[RecordedStores, PackageFile], object]] = {
    "add": lambda registry, file: registry.publish(upload("demo-1.0-py3-none-any.whl")),
    "delete_file": lambda registry, file: delete_file(registry.stores, PROJECT, file.id, actor=ADA),
    "delete_package": lambda registry, file: delete_package(registry.stores, PROJECT, file.package.id, actor=ADA),
    "yank": lambda registry, file: yank(registry.stores, PROJECT, file.package.id, "broken", actor=ADA),
    "set_status": lambda registry, file: set_status(
        registry.stores, PROJECT, DEMO, NameStatus(Status.ARCHIVED), actor=ADA
    ),
}
every_change = pytest.mark.parametrize(("method", "change"), CHANGES.items(), ids=CHANGES)


@every_change
def test_the_catalogue_receives_the_name_of_the_actor(
    registry: RecordedStores, method: str, change: Callable[[RecordedStores, PackageFile], object]
) -> None:
    file, _ = registry.filled()
    change(registry, file)
    [args] = [args for step, args in registry.journal if step == method]
    assert (args[0], args[-1]) == (PROJECT, "ada")


@every_change
def test_an_event_is_sent_after_the_commit(
    registry: RecordedStores, method: str, change: Callable[[RecordedStores, PackageFile], object]
) -> None:
    file, _ = registry.filled()
    change(registry, file)
    [commit] = [position for position, step in enumerate(registry.steps) if step == method]
    assert registry.steps[commit + 1] in {each.__name__ for each in get_args(Event)}


@every_change
@pytest.mark.parametrize("error", [StorageUnavailable("busy"), RuntimeError("?")], ids=repr)
def test_no_event_is_sent_if_the_change_failed(
    registry: RecordedStores, error: Exception, method: str, change: Callable[[RecordedStores, PackageFile], object]
) -> None:
    file, _ = registry.filled()
    registry.catalogue.failing[method] = error
    with pytest.raises(type(error)) as caught:
        change(registry, file)
    assert caught.value is error
    assert registry.events == []


@pytest.mark.parametrize("project", [PROJECT, OTHER], ids=["an unknown id", "another project"])
def test_no_event_is_sent_if_there_is_nothing_to_change(registry: RecordedStores, project: Project) -> None:
    file, _ = registry.filled()
    file_id, package_id = (99, 99) if project is PROJECT else (file.id, file.package.id)
    assert delete_file(registry.stores, project, file_id, actor=ADA) is None
    assert delete_package(registry.stores, project, package_id, actor=ADA) is None
    assert yank(registry.stores, project, package_id, "broken", actor=ADA) is None
    assert registry.events == []
    assert len(registry.files) == 2
    assert len(registry.stored_bytes) == 2


@every_change
def test_an_error_of_on_event_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, method: str, change: Callable[[RecordedStores, PackageFile], object]
) -> None:
    def failing(event: Event) -> None:
        raise RuntimeError("the audit log is full")

    registry, other = RecordedStores(failing), RecordedStores()
    [file, _], [same, _] = registry.filled(), other.filled()
    caplog.clear()
    result, expected = change(registry, file), change(other, same)
    assert type(result) is type(expected)
    assert [step for step in other.steps if step[0].islower()] == registry.steps
    assert [each.filename for each in registry.files] == [each.filename for each in other.files]
    assert {(record.name, record.levelno) for record in caplog.records} == {("pypi_registry", logging.ERROR)}
    assert "the audit log is full" in caplog.text
    assert type(other.events[0]).__name__ in caplog.text


def test_after_an_error_of_on_event_the_next_event_is_sent() -> None:
    sent: list[Event] = []

    def failing_first(event: Event) -> None:
        sent.append(event)
        if len(sent) == 1:
            raise RuntimeError

    registry = RecordedStores(failing_first)
    file = registry.publish(upload())
    delete_file(registry.stores, PROJECT, file.id, actor=ADA)
    assert [type(event) for event in sent] == [Published, FileDeleted, PackageDeleted]


def test_without_on_event_changes_are_made() -> None:
    stores = Stores(MemoryCatalogue(), MemoryBlobs())
    file = publish(stores, PROJECT, upload(), io.BytesIO(DATA), actor=ADA)
    assert delete_file(stores, PROJECT, file.id, actor=ADA) is not None
