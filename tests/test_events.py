"""The audit log: one line of JSON per event."""

import hashlib
import io
import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest
from packaging.utils import NormalizedName

from pypi_registry import events
from pypi_registry._publishing.publish import Stores, delete_file, delete_package, publish, set_status, yank
from pypi_registry.events import Actor, AuditLog, Event, Published
from pypi_registry.model import Digests, NameStatus, PackageFile, Project, Status, Upload
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

PROJECT = Project(7, "acme/tools")
ADA = Actor("ada", "personal token laptop", "192.0.2.7")
SHA256 = hashlib.sha256(b"data").hexdigest()
KEYS = [
    "time",
    "action",
    "principal",
    "token",
    "address",
    "project",
    "project_id",
    "package",
    "version",
    "files",
    "status",
    "reason",
]


class Audited:
    """Stores in memory with an audit log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stores = Stores(MemoryCatalogue(), MemoryBlobs(), AuditLog(path))

    def publish(self, filename: str = "My_Demo-1.0.tar.gz", actor: Actor = ADA) -> PackageFile:
        upload = Upload("My.Demo", NormalizedName("my-demo"), "1.0", filename, 4, Digests(SHA256), requires_python="")
        return publish(self.stores, PROJECT, upload, io.BytesIO(b"data"), actor=actor)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    return Audited(tmp_path / "audit.jsonl")


def test_a_line_has_who_what_where_and_when(audited: Audited) -> None:
    before = datetime.now(UTC)
    audited.publish()
    [line] = audited.lines()
    assert before <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    assert line == {
        "action": "Published",
        "principal": "ada",
        "token": "personal token laptop",
        "address": "192.0.2.7",
        "project": "acme/tools",
        "project_id": 7,
        "package": "my-demo",
        "version": "1.0",
        "files": [{"name": "My_Demo-1.0.tar.gz", "sha256": SHA256}],
        "status": None,
        "reason": None,
    }


def test_every_kind_of_event_is_a_line_with_all_keys(audited: Audited) -> None:
    stores, file = audited.stores, audited.publish()
    yank(stores, PROJECT, file.package.id, "broken", actor=ADA)
    yank(stores, PROJECT, file.package.id, None, actor=ADA)
    set_status(stores, PROJECT, file.package.normalized_name, NameStatus(Status.ARCHIVED, "old"), actor=ADA)
    set_status(stores, PROJECT, file.package.normalized_name, NameStatus(), actor=ADA)
    delete_file(stores, PROJECT, file.id, actor=ADA)
    lines = audited.lines()
    assert {line["action"] for line in lines} == {kind.__name__ for kind in get_args(Event)}
    assert [[*line] for line in lines] == [KEYS] * len(lines)
    shown = [(line["action"], line["version"], line["status"], line["reason"]) for line in lines]
    assert shown == [
        ("Published", "1.0", None, None),
        ("Yanked", "1.0", None, "broken"),
        ("Unyanked", "1.0", None, None),
        ("StatusChanged", None, "archived", "old"),
        ("StatusChanged", None, "active", ""),
        ("FileDeleted", "1.0", None, None),
        ("PackageDeleted", "1.0", None, None),
    ]


def test_a_deleted_package_is_one_line_with_its_files(audited: Audited) -> None:
    audited.publish()
    file = audited.publish("my_demo-1.0-py3-none-any.whl")
    delete_package(audited.stores, PROJECT, file.package.id, actor=ADA)
    [line] = audited.lines()[2:]
    assert line["action"] == "PackageDeleted"
    names = sorted(each["name"] for each in line["files"])
    assert names == ["My_Demo-1.0.tar.gz", "my_demo-1.0-py3-none-any.whl"]


def test_a_package_deleted_with_its_last_file_is_two_lines(audited: Audited) -> None:
    first, last = audited.publish(), audited.publish("my_demo-1.0-py3-none-any.whl")
    for file in (first, last):
        delete_file(audited.stores, PROJECT, file.id, actor=ADA)
    shown = [(line["action"], len(line["files"])) for line in audited.lines()[2:]]
    assert shown == [("FileDeleted", 1), ("FileDeleted", 1), ("PackageDeleted", 0)]


@pytest.mark.parametrize("text", ["line\nfeed", "\u2028\x00\x85", "é☃", "\ud800", '"quoted" \\'])
def test_no_text_can_begin_a_line_of_its_own(audited: Audited, text: str) -> None:
    audited.publish(actor=Actor(text, text, text))
    [line] = audited.lines()
    assert (line["principal"], line["token"], line["address"]) == (text, text, text)
    assert audited.path.read_bytes().isascii()


def test_times_are_in_utc(tmp_path: Path) -> None:
    log, path = AuditLog(tmp_path / "log"), tmp_path / "log"
    log.write("Restored", ADA, {}, at=datetime(2026, 7, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert json.loads(path.read_bytes())["time"] == "2026-07-01T00:00:00.000000Z"


def test_a_line_of_your_own_has_the_same_keys_and_more(tmp_path: Path) -> None:
    AuditLog(tmp_path / "log").write("TokenCreated", ADA, {"reason": "new laptop", "count": 3})
    line = json.loads((tmp_path / "log").read_bytes())
    assert [*line] == [*KEYS, "count"]
    assert (line["action"], line["reason"], line["files"]) == ("TokenCreated", "new laptop", [])


def test_a_line_that_cannot_be_written_is_logged_and_the_change_stands(
    audited: Audited, caplog: pytest.LogCaptureFixture
) -> None:
    audited.path.mkdir()
    file = audited.publish()
    assert audited.stores.catalogue.package(PROJECT.id, file.package.id) is not None
    [record] = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.ERROR and record.exc_info is None
    assert message.startswith(f"{audited.path}: Is a directory; this line is missing there: ")
    assert json.loads(message.partition("there: ")[2])["action"] == "Published"


def test_create_reports_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log")
    assert not (tmp_path / "log").exists()
    log.create()
    assert (tmp_path / "log").read_bytes() == b""
    with pytest.raises(FileNotFoundError):
        AuditLog(tmp_path / "missing" / "log").create()


def test_the_names_of_actions_are_the_names_of_events() -> None:
    assert all(getattr(events, kind.__name__) is kind for kind in get_args(Event))
    assert Published in get_args(Event)
