"""`pypi_registry` itself and what it is given, used as a stranger does: read by type checkers, run by nobody."""

from typing import TYPE_CHECKING, BinaryIO, assert_type

from packaging.utils import NormalizedName

from pypi_registry import PYPI, AllowAll, InvalidVersion, Registry, check_version, is_valid_version
from pypi_registry.distributions import (
    CoreMetadata,
    Findings,
    Verify,
    disagreements,
    filename_faults,
    is_served,
    trust,
    verify,
)
from pypi_registry.forwarding import PYPI as THE_SAME_PYPI
from pypi_registry.forwarding import Forward, ForwardTo, forward_url, is_index
from pypi_registry.model import Group, Project
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue, UnknownSchema
from pypi_registry.versions import check_version as the_same_check
from pypi_registry.versions import is_valid_version as the_same_question

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def registries(others: "WSGIApplication") -> "WSGIApplication":
    Registry()
    Registry(auth=AllowAll(), forward_to=None)
    Registry(auth=AllowAll(), forward_to=PYPI, verify=None)
    Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=MemoryBlobs())
    return Registry(
        auth=AllowAll(),
        catalogue=SQLiteCatalogue("data/catalogue.sqlite3"),
        blobs=FileBlobs("data/files", accel="/blobs/"),
        forward_to=where_names_go,
        max_file_size=100_000_000,
        verify=no_notebooks,
        fallback=others,
    )


# Forwarding


def where_names_go(place: Project | Group, name: NormalizedName) -> str | None:
    return None if place.root == "secret" or name.startswith("acme-") else Forward(PYPI)


def indexes(text: str, name: NormalizedName) -> ForwardTo:
    assert_type(is_index(text) or is_index(THE_SAME_PYPI), bool)
    assert_type(forward_url(text, name), str)
    return where_names_go


# What an upload must be


def no_notebooks(stream: BinaryIO, filename: str) -> Findings:
    findings = verify(stream, filename, budget=None)
    assert_type(findings.faults, tuple[str, ...])
    return Findings(findings.metadata, (*findings.faults, "a fault of ours"))


def looks() -> list[Verify]:
    return [no_notebooks, verify, trust]


def metadata(findings: Findings) -> CoreMetadata | None:
    if findings.metadata is not None and is_served(findings.metadata, "demo-1.0.tar.gz"):
        assert_type([*disagreements(findings.metadata)], list[str])
    assert_type([*filename_faults("demo-1.0.tar.gz", NormalizedName("demo"), "1.0")], list[str])
    return findings.metadata


# Stores and versions


def stores() -> None:
    assert_type(MemoryCatalogue().copy(), MemoryCatalogue)
    try:
        SQLiteCatalogue("catalogue.sqlite3").close()
    except UnknownSchema as error:
        assert_type(str(error), str)


def versions(text: str) -> None:
    assert_type(is_valid_version(text), bool)
    assert the_same_question is is_valid_version and the_same_check is check_version
    try:
        check_version(text)
    except InvalidVersion as error:
        assert_type((error.version, error.position, error.status), tuple[str, int, int])
