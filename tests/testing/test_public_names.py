"""The public names for tests: more of them, or fewer, is a change that somebody has to want."""

import pypi_registry.testing
from pypi_registry.testing import faults


def test_the_public_names_are_these() -> None:
    found = {
        name
        for name, value in vars(pypi_registry.testing).items()
        if getattr(value, "__module__", "").startswith("pypi_registry.testing")
    }
    assert found == {
        "AuthContract",
        "BlobsContract",
        "CatalogueContract",
        "DirectoryContract",
        "Distribution",
        "FakeProject",
        "FakeRegistry",
        "PublishedFile",
        "RecordedRequest",
        "Rule",
        "make_sdist",
        "make_wheel",
        "with_login",
    }


def test_the_public_faults_are_these() -> None:
    found = {name for name, value in vars(faults).items() if getattr(value, "__module__", "") == faults.__name__}
    assert {name for name in found if not name.startswith("_")} == {
        "Cut",
        "Disconnect",
        "Drip",
        "Exchange",
        "ExpiredToken",
        "Fault",
        "Hang",
        "HtmlOnly",
        "MissingMetadata",
        "NoUploadTime",
        "PageFault",
        "RedirectLoop",
        "SlowStart",
        "StalePage",
        "Status",
        "WrongContentType",
        "WrongHash",
        "WrongMetadata",
    }
