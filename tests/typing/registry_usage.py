"""`pypi_registry` and its collaborators, as an application uses them: type checkers read this file, nothing runs it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, assert_never, assert_type

from packaging.utils import NormalizedName
from prometheus_client import CollectorRegistry, make_wsgi_app

from pypi_registry import (
    AllowAll,
    Group,
    InvalidVersion,
    Project,
    Registry,
    Visibility,
    check_version,
    is_valid_version,
)
from pypi_registry.distributions import CoreMetadata, Report, Verify, read_unverified, verify
from pypi_registry.events import (
    Actor,
    AuditLog,
    Event,
    FileDeleted,
    PackageDeleted,
    Published,
    StatusChanged,
    Unyanked,
    Yanked,
)
from pypi_registry.forwarding import PYPI, Forward, ForwardTo
from pypi_registry.health import Health
from pypi_registry.metrics import Metrics
from pypi_registry.model import Namespace
from pypi_registry.storage import MAX_PUBLICATIONS, MAX_TOTAL, Blobs
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.postgres import PostgresCatalogue, migrate
from pypi_registry.stores.postgres import UnknownSchema as UnknownPostgresSchema
from pypi_registry.stores.sqlite import SQLiteCatalogue, UnknownSchema
from pypi_registry.versions import check_version as the_same_check
from pypi_registry.versions import is_valid_version as the_same_question

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def registries(others: "WSGIApplication") -> "WSGIApplication":
    Registry()
    Registry(auth=AllowAll(), forward_to=PYPI, verify=None, on_event=None)
    Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=MemoryBlobs())
    return Registry(
        auth=AllowAll(),
        catalogue=SQLiteCatalogue("data/catalogue.sqlite3"),
        blobs=FileBlobs("data/files", accel="/blobs/"),
        forward_to=index_of,
        max_file_size=100_000_000,
        verify=no_notebooks,
        fallback=others,
        on_event=print_line,
    )


# Monitoring


def monitored() -> "list[WSGIApplication]":
    catalogue, blobs, collectors = MemoryCatalogue(), MemoryBlobs(), CollectorRegistry()
    metrics = Metrics(collectors)
    registry = Registry(auth=AllowAll(), catalogue=catalogue, blobs=blobs, on_event=metrics.on_event)
    health = Health(catalogue, blobs, timeout=1)
    assert_type(health.unavailable(), list[str])
    return [metrics.middleware(registry), health, make_wsgi_app(collectors)]


# Forwarding


def index_of(namespace: Namespace, name: NormalizedName) -> str | Forward | None:
    assert_type(namespace, Project | Group)
    if namespace.root == "secret" or name.startswith("acme-"):
        return None
    return Forward(PYPI, even_if_published=name == "pip") if namespace.visibility is Visibility.PUBLIC else PYPI


def all_ways_to_forward() -> list[ForwardTo]:
    return [None, PYPI, index_of]


# Events


def print_line(event: Event) -> None:
    assert_type(event.actor, Actor)
    assert_type((event.actor.name, event.actor.via, event.actor.address), tuple[str, str, str])
    line = f"{event.at.isoformat()} {event.actor.name} {event.project.path} {detail(event)}"
    assert_type(line, str)


def detail(event: Event) -> str:
    match event:
        case Published() | FileDeleted() | PackageDeleted():
            return ", ".join(f"{file.filename} {file.digests.sha256}" for file in event.files)
        case Yanked():
            return f"{event.package.name} {event.package.version}: {event.reason}"
        case Unyanked():
            return event.package.name
        case StatusChanged():
            return f"{event.name}: {event.status.status}"
        case _:
            assert_never(event)


def callbacks(lines: list[Event]) -> list[Callable[[Event], object]]:
    return [print_line, lines.append, audit_log()]


def audit_log() -> AuditLog:
    log = AuditLog(Path("audit.jsonl"))
    assert_type(log.path, str)
    log.create()
    log.write("TokenCreated", Actor("ada"), {"reason": "a new laptop"}, at=datetime.now(UTC))
    return log


# Verification


def no_notebooks(stream: BinaryIO, filename: str) -> Report:
    report = verify(stream, filename, budget=None)
    assert_type(report.problems, tuple[str, ...])
    assert_type(report.variant, str | None)
    return replace(report, problems=(*report.problems, "a problem of our own"))


def only_read(stream: BinaryIO, filename: str) -> Report:
    metadata = read_unverified(stream, filename).metadata
    assert_type(metadata, CoreMetadata | None)
    return Report(metadata)


def verifiers() -> list[Verify]:
    return [no_notebooks, only_read, verify]


# Stores and versions


def stores() -> None:
    assert_type(MemoryCatalogue().copy(), MemoryCatalogue)
    assert_type(ObjectBlobs.from_url("s3://bucket/prefix?deliver=redirect", spool="spool"), ObjectBlobs)
    blobs: list[Blobs] = [
        ObjectBlobs("gs://bucket"),
        ObjectBlobs("s3://b", deliver="redirect", spool=Path("spool")),
    ]
    assert_type([*ObjectBlobs("az://container").keys()], list[tuple[str, int, datetime]])
    assert blobs
    assert_type((MAX_PUBLICATIONS, MAX_TOTAL), tuple[int, int])
    try:
        SQLiteCatalogue("catalogue.sqlite3", create=False).close()
    except UnknownSchema as error:
        assert_type(str(error), str)
    url = "postgresql://registry@db.example.org/registry"
    assert_type(migrate(url), tuple[int, int])
    try:
        PostgresCatalogue(url, min_size=0, max_size=4, prepare_threshold=None).check_schema()
    except UnknownPostgresSchema as error:
        assert_type((error.url, error.found), tuple[str, int])


def versions(text: str) -> None:
    assert_type(is_valid_version(text), bool)
    assert the_same_question is is_valid_version and the_same_check is check_version
    try:
        check_version(text)
    except InvalidVersion as error:
        assert_type((error.version, error.position), tuple[str, int])
