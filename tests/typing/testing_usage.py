"""The public names of `pypi_registry.testing` in use, for type checkers; this file is not run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter

from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.storage import Blobs, Catalogue, Redirect
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing import (
    AuthContract,
    BlobsContract,
    CatalogueContract,
    ConnectionDropped,
    Contents,
    DirectoryContract,
    Distribution,
    FakeProject,
    FakeRegistry,
    FaultRule,
    Matcher,
    PublishedFile,
    RecordedRequest,
    Variant,
    faults,
    make_sdist,
    make_wheel,
    with_credentials,
)
from pypi_registry.testing.contracts import UNKNOWN_TOKENS, Caller, KnownAuth, KnownDirectory
from pypi_registry.testing.contracts import AuthContract as TheSameAuthContract
from pypi_registry.testing.contracts import BlobsContract as TheSameBlobsContract
from pypi_registry.testing.contracts import CatalogueContract as TheSameCatalogueContract
from pypi_registry.testing.contracts import DirectoryContract as TheSameDirectoryContract
from pypi_registry.testing.fixtures import fake_registry, fake_registry_configuration, fake_registry_session
from pypi_registry.testing.httpx_transport import HttpxTransport
from pypi_registry.testing.requests_transport import requests_adapter
from pypi_registry.testing.urllib3_transport import pool_manager


def a_registry() -> None:
    with FakeRegistry() as registry:
        assert_type(registry, FakeRegistry)
        assert_type([registry.url, registry.api_url, registry.upload_url], list[str])
        assert_type(registry.index_url + registry.group_index_url, str)
    registry = FakeRegistry("acme/tools", max_file_size=1000, verify=None).start()
    registry.stop()
    registry.clear()
    assert_type(registry.project("acme/website"), FakeProject)
    assert_type(with_credentials(registry.index_url, "secret", user="ada"), str)


def packages(registry: FakeRegistry, folder: Path) -> None:
    files = registry.add(
        "demo",
        "1.2",
        sdist=True,
        requires=["other>=2"],
        requires_python=">=3.9",
        extras={"test": ["pytest"]},
        files={"demo.py": "", "demo/data": b""},
        yanked="broken",
        uploaded=datetime(2024, 5, 1, tzinfo=UTC),
        tags="cp312-abi3-win32",
        build="1",
        metadata_version="2.4",
        headers=[("License-Expression", "MIT")],
        payload=b"more",
        size=1000,
    )
    assert_type(files, Sequence[PublishedFile])
    variant = Variant("q1", {"tuning": {"profile": ["quick"]}}, namespaces=["tuning"], providers={}, schema="")
    registry.project("acme/tools").add("demo", variant=variant)
    assert_type(registry.publish(make_wheel("demo", "2.0")), PublishedFile)
    registry.publish(folder / "demo-3.0.tar.gz", yanked="", uploaded=datetime.now(UTC))
    contents: Contents = {"requires": "other", "extras": {"test": ["pytest"]}}
    assert_type(make_wheel("demo", "1.0", tags="py3-none-any", **contents), Distribution)
    assert_type(make_sdist("demo", "1.0", ending=".zip").write_to(folder), Path)
    file = registry.packages["demo"]["1.2"][0]
    assert_type((file.filename, file.url, file.sha256, file.data), tuple[str, str, str, bytes])
    assert_type((file.uploaded, file.yanked), tuple[datetime, str | None])


def tokens(registry: FakeRegistry) -> None:
    registry.tokens(read="r", write=["w1", "w2"], expired={"x"})
    registry.tokens()


def recorded_requests(registry: FakeRegistry) -> None:
    assert_type(registry.requests, Sequence[RecordedRequest])
    request = registry.requests[0]
    assert_type((request.number, request.method, request.path, request.status), tuple[int, str, str, int | None])
    assert_type(request.headers.get("Range"), str | None)
    assert request.kind == "page" and request.package == "demo"


def injected_faults(registry: FakeRegistry) -> None:
    rule = registry.fault("demo", faults.Status(503, {"Retry-After": "1"}), times=2, after=1)
    assert_type(rule, FaultRule)
    assert_type(rule.met, list[RecordedRequest])
    rule.lift()
    matchers: list[Matcher] = [3, "*", f"{registry.index_url}/*", lambda request: request.kind == "page"]
    registry.fault(matchers[0], faults.Hang())
    registry.fault(lambda request: request.user == "ada", faults.SlowBody(size=10, seconds=0.5))
    examples: list[faults.Fault] = [
        faults.Truncate(),
        faults.Disconnect(),
        faults.ExpiredToken(),
        faults.HtmlOnly(),
        faults.MissingMetadata(),
        faults.NoUploadTime(),
        faults.RedirectLoop(),
        faults.Delay(1.5),
        faults.StalePage(),
        faults.WrongContentType("text/plain"),
        faults.WrongHash(),
        faults.WrongMetadata("2.0"),
    ]
    for fault in examples:
        registry.fault("*", fault)


@dataclass(frozen=True)
class WrongSize(faults.PageFault):
    size: int

    def change_file(self, file: dict[str, Any]) -> None:
        file["size"] = self.size


@dataclass(frozen=True)
class Teapot(faults.Fault):
    def respond(self, exchange: faults.Exchange) -> faults.Response:
        exchange.pause(0.1)
        response = exchange.get_response(exchange.environ)
        assert_type(response, faults.Response)
        if exchange.request.method == "HEAD":
            raise ConnectionDropped
        return faults.Response("418 I'm a teapot", response.headers, response.body)


def without_a_socket(registry: FakeRegistry) -> None:
    adapter = requests_adapter(registry, max_retries=3)
    assert_type(adapter, HTTPAdapter)
    requests.Session().mount(registry.url, adapter)
    assert_type(pool_manager(registry, num_pools=1), urllib3.PoolManager)
    assert_type(httpx.Client(transport=HttpxTransport(registry)), httpx.Client)
    assert_type(httpx.AsyncClient(transport=HttpxTransport(registry)), httpx.AsyncClient)


def with_pytest() -> list[object]:
    return [fake_registry, fake_registry_configuration, fake_registry_session]


class TestOurBlobs(BlobsContract):
    def make_blobs(self) -> Blobs:
        return MemoryBlobs()

    def reopen(self, blobs: Blobs) -> Blobs:
        return blobs

    def follow(self, redirect: Redirect) -> bytes:
        return redirect.url.encode()


class TestOurCatalogue(CatalogueContract):
    def make_catalogue(self) -> MemoryCatalogue:
        assert_type([project.id for project in self.projects], list[int])
        return MemoryCatalogue()

    def make_second_catalogue(self) -> Catalogue:
        return MemoryCatalogue()

    def reopen(self, catalogue: Catalogue) -> Catalogue:
        return catalogue

    def leave_thread(self) -> None:
        assert_type([project.path for project in self.projects], list[str])


class TestOurApplication(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(Accounts(), {"acme/tools": 1}, {"acme": ["acme/tools"]}, absent=[7, "x"], any_case=False)

    def make_auth(self) -> KnownAuth:
        ada = Caller(
            Credentials(AuthScheme.BASIC, "secret", "ada"),
            projects={"acme/tools": [Ability.READ_PACKAGE]},
            groups={"acme": {Ability.READ_GROUP}},
            denied_names={("acme/tools", "core"): [Ability.CREATE_PACKAGE]},
            environ={"REMOTE_USER": "ada"},
            excluded_methods=["POST"],
            name="ada",
        )
        stranger = Caller(None, anonymous=True)
        invalid = [*UNKNOWN_TOKENS, Credentials(AuthScheme.BEARER, "expired")]
        return KnownAuth(Accounts(), Accounts(), {"Ada": ada}, anonymous=stranger, invalid_tokens=invalid)


def the_same() -> list[type]:
    return [TheSameAuthContract, TheSameBlobsContract, TheSameCatalogueContract, TheSameDirectoryContract]
