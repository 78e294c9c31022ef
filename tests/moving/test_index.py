"""Requests to an index: what is retried, followed, sent and limited."""

import gzip
import io
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry._moving import index, pace
from pypi_registry._moving.digests import WrongDigest
from pypi_registry._moving.index import PASSWORD, USER, Address, IndexSource, InvalidSource, may_send_credentials
from pypi_registry._moving.pace import PacedResponse
from pypi_registry._moving.pages import HTML_TYPES, JSON_TYPE, PAGE_LIMITS
from pypi_registry._moving.source import SourceError, SourceFile, Stopped
from pypi_registry.errors import FileTooLarge
from pypi_registry.testing import FakeRegistry, faults
from pypi_registry.testing.server import Server

DEMO = NormalizedName("demo")
DATA = b"the bytes of a file"
DIGESTS = {"sha256": sha256(DATA).hexdigest()}
Answer = tuple[str, list[tuple[str, str]], list[bytes]]


@dataclass
class Foreign:
    """A server that answers as a test says."""

    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    """By path."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The environ of each request, in their order."""

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.requests.append(environ)
        answer = self.answers.get(environ["PATH_INFO"])
        status, headers, body = answer() if answer else ("404 Not Found", [], [b""])
        if not any(name == "Content-Length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(sum(map(len, body))))]
        start_response(status, headers)
        return body

    @property
    def authorizations(self) -> list[str | None]:
        return [request.get("HTTP_AUTHORIZATION") for request in self.requests]


@pytest.fixture
def foreign() -> Foreign:
    return Foreign()


@pytest.fixture
def url(foreign: Foreign) -> Iterator[str]:
    server = Server(foreign)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no attempt wait; return how long each would have."""
    waits: list[float] = []

    class NoWait(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return self.is_set()

    monkeypatch.setattr(index, "Event", NoWait)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return waits


def source_of(url: str, environ: Mapping[str, str] | None = None) -> "closing[IndexSource]":
    environ = {"NETRC": "/absent", **(environ or {})}
    return closing(IndexSource(Address.of(url, environ), jobs=2, environ=environ))


def fetch(url: str, path: str, *, max_size: int = 1000, digests: Mapping[str, str] = DIGESTS) -> bytes:
    into = io.BytesIO()
    with source_of(f"{url}/simple") as source:
        source.fetch(SourceFile("demo-1.0.zip", f"{url}{path}", digests), into, max_size=max_size)
    return into.getvalue()


def page(*files: str) -> Answer:
    entries = [{"filename": file, "url": file, "hashes": {}} for file in files]
    body = json.dumps({"meta": {"api-version": "1.0"}, "files": entries, "projects": [{"name": "demo"}]}).encode()
    return "200 OK", [("Content-Type", JSON_TYPE)], [body]


def redirect(location: str, status: str = "302 Found") -> Answer:
    return status, [("Location", location)], [b""]


def bytes_of(data: bytes, *headers: tuple[str, str]) -> Answer:
    return "200 OK", [("Content-Type", "application/octet-stream"), *headers], [data]


# Against ourselves


@pytest.mark.parametrize("html_only", [False, True])
def test_a_real_registry_is_read(html_only: bool) -> None:
    at = datetime(2024, 1, 2, tzinfo=UTC)
    with FakeRegistry() as registry:
        [published] = registry.add("My.Demo", "1.0", yanked="broken", uploaded=at)
        if html_only:
            registry.fault("*", faults.HtmlOnly())
        with source_of(registry.index_url) as source:
            assert source.names() == ["my-demo"]
            [file] = source.page(NormalizedName("my-demo")).files
            into = io.BytesIO()
            source.fetch(file, into, max_size=10**6)
        assert into.getvalue() == published.data
        assert (file.digests, file.yanked) == ({"sha256": published.sha256}, "broken")
        assert file.uploaded_at == (None if html_only else at)
        assert "application/vnd.pypi.simple.v1+json" in registry.requests[0].headers["Accept"]


def test_a_download_that_is_cut_off_begins_anew() -> None:
    with FakeRegistry() as registry:
        [published] = registry.add("demo", "1.0", size=300_000)
        rule = registry.fault(published.filename, faults.Truncate(1000), times=3)
        with source_of(registry.index_url) as source:
            [file] = source.page(DEMO).files
            into = io.BytesIO()
            source.fetch(file, into, max_size=10**6)
        assert into.getvalue() == published.data
        assert len(rule.met) == 3


def test_a_wrong_digest_is_not_retried() -> None:
    with FakeRegistry() as registry:
        registry.add("demo", "1.0")
        registry.fault("demo", faults.WrongHash())
        with source_of(registry.index_url) as source:
            [file] = source.page(DEMO).files
            before = len(registry.requests)
            with pytest.raises(WrongDigest):
                source.fetch(file, io.BytesIO(), max_size=10**6)
        assert len(registry.requests) == before + 1


# Retries


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 x", "502 x", "503 x", "504 x", "522 x"])
def test_temporary_errors_are_retried(status: str, foreign: Foreign, url: str, no_waits: list[float]) -> None:
    answers = iter([(status, [], [b""]), (status, [], [b""]), page()])
    foreign.answers["/simple/demo/"] = lambda: next(answers)
    with source_of(f"{url}/simple") as source:
        assert source.page(DEMO).files == []
    assert no_waits == [0.5, 1.0]


@pytest.mark.parametrize("status", ["400 x", "401 Unauthorized", "403 Forbidden", "404 x", "410 x", "501 x", "204 x"])
def test_other_errors_are_final(status: str, foreign: Foreign, url: str) -> None:
    foreign.answers["/simple/demo/"] = lambda: (status, [], [b""])
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError) as caught:
        source.page(DEMO)
    assert caught.value.status == int(status[:3])
    assert f"the source responds with {status}" in str(caught.value)
    assert ("PYPI_REGISTRY_SOURCE_USER" in str(caught.value)) == (status[:3] in ("401", "403"))
    assert len(foreign.requests) == 1


def test_an_index_without_a_list_of_names_needs_names(foreign: Foreign, url: str) -> None:
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match="pass --name"):
        source.names()


@pytest.mark.parametrize(
    ("value", "waits"),
    [
        ("7", [7.0]),
        ("0", [0.5]),
        ("Wed, 21 Oct 2015 07:28:00 GMT", [0.5]),
        ("soon", [0.5]),
        ("-1", [0.5]),
        ("9" * 400, None),
        ("601", None),
    ],
)
def test_retry_after_is_respected_within_reason(
    value: str, waits: list[float] | None, foreign: Foreign, url: str, no_waits: list[float]
) -> None:
    answers = iter([("503 x", [("Retry-After", value)], [b""]), page()])
    foreign.answers["/simple/demo/"] = lambda: next(answers)
    with source_of(f"{url}/simple") as source:
        if waits is None:
            with pytest.raises(SourceError, match="asks to wait"):
                source.page(DEMO)
        else:
            source.page(DEMO)
    assert no_waits == (waits or [])


def test_all_waits_of_an_import_together_are_limited(foreign: Foreign, url: str, no_waits: list[float]) -> None:
    turns = count()
    foreign.answers["/simple/demo/"] = lambda: page() if next(turns) % 2 else ("503 x", [("Retry-After", "600")], [b""])
    with source_of(f"{url}/simple") as source:
        for _ in range(36):
            source.page(DEMO)
        with pytest.raises(
            SourceError, match="the source responds with 503 x, and this import has waited for 6 hours already"
        ):
            source.page(DEMO)
        foreign.answers["/simple/demo/"] = page
        source.page(DEMO)  # what needs no wait is read
    assert sum(no_waits) == 6 * 3600


def test_a_server_that_is_away_is_an_error_after_some_attempts(no_waits: list[float]) -> None:
    server = Server(Foreign())
    server.stop()
    with source_of(f"http://127.0.0.1:{server.port}/simple") as source, pytest.raises(SourceError) as caught:
        source.names()
    assert "Connection refused" in str(caught.value)
    assert no_waits == [0.5, 1.0, 2.0, 4.0]


# Redirects and credentials


LOGIN = {USER: "ada", PASSWORD: "s3cr:t"}
AUTHORIZATION = "Basic YWRhOnMzY3I6dA=="


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_redirects_are_followed_and_links_are_relative_to_the_end(status: str, foreign: Foreign, url: str) -> None:
    foreign.answers["/simple/demo/"] = lambda: redirect("/deep/er/demo/", status)
    foreign.answers["/deep/er/demo/"] = lambda: page("demo-1.0.zip")
    with source_of(f"{url}/simple", LOGIN) as source:
        assert [file.url for file in source.page(DEMO).files] == [f"{url}/deep/er/demo/demo-1.0.zip"]
    assert foreign.authorizations == [AUTHORIZATION, AUTHORIZATION]


def test_credentials_are_never_sent_to_another_host(foreign: Foreign, url: str) -> None:
    other = Foreign({"/demo-1.0.zip": lambda: bytes_of(DATA), "/simple/demo/": lambda: page("demo-1.0.zip")})
    server = Server(other)
    elsewhere = f"http://user:x@localhost:{server.port}"
    foreign.answers["/simple/demo/"] = lambda: redirect(f"{elsewhere}/simple/demo/")
    foreign.answers["/file"] = lambda: redirect(f"{elsewhere}/demo-1.0.zip")
    try:
        with source_of(f"{url}/simple", LOGIN) as source:
            [file] = source.page(DEMO).files
            assert file.url == f"http://localhost:{server.port}/simple/demo/demo-1.0.zip"
            into = io.BytesIO()
            source.fetch(SourceFile("demo-1.0.zip", f"{url}/file", DIGESTS), into, max_size=100)
            assert into.getvalue() == DATA
            other.answers["/direct"] = lambda: bytes_of(DATA)
            direct = SourceFile("demo-1.0.zip", f"http://127.0.0.1:{server.port}/direct")
            source.fetch(direct, io.BytesIO(), max_size=100)  # the same host, and another port
    finally:
        server.stop()
    assert foreign.authorizations == [AUTHORIZATION, AUTHORIZATION]
    assert other.authorizations == [None, None, None]


@pytest.mark.parametrize(
    ("source", "url", "allowed"),
    [
        ("https://a.example/simple", "https://a.example/x", True),
        ("https://a.example/simple", "https://a.example:443/x", True),
        ("https://a.example/simple", "https://A.EXAMPLE/x", True),
        ("http://a.example/simple", "https://a.example/x", True),
        ("http://a.example:8080/simple", "https://a.example/x", False),
        ("https://a.example/simple", "http://a.example/x", False),
        ("https://a.example/simple", "https://a.example:8443/x", False),
        ("https://a.example/simple", "https://b.example/x", False),
        ("https://a.example/simple", "https://a.example.evil.example/x", False),
        ("https://a.example/simple", "https://sub.a.example/x", False),
    ],
)
def test_where_credentials_may_be_sent(source: str, url: str, allowed: bool) -> None:
    assert may_send_credentials(source, url) is allowed


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x.example/", "gopher://x", "http://[::1"])
def test_redirects_to_other_schemes_are_not_followed(location: str, foreign: Foreign, url: str) -> None:
    foreign.answers["/simple/demo/"] = lambda: redirect(location)
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match="neither http nor https"):
        source.page(DEMO)


def test_redirects_end(foreign: Foreign, url: str) -> None:
    foreign.answers["/simple/demo/"] = lambda: redirect("/simple/demo/")
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match="more than 10 redirects"):
        source.page(DEMO)
    assert len(foreign.requests) == 11


@pytest.mark.parametrize("text", ["https://ada:s3cr%3At@a.example/simple", "https://ada:s3cr%3At@a.example:443/simple"])
def test_credentials_of_a_url_are_used_and_hidden(text: str) -> None:
    address = Address.of(text, {USER: "other", PASSWORD: "other"})
    assert address.authorization == AUTHORIZATION
    assert "ada" not in address.url
    assert "s3cr" not in repr(address)
    assert AUTHORIZATION not in repr(address)


def test_credentials_of_the_environment_come_before_netrc(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine a.example login ada password s3cr:t\n")
    netrc.chmod(0o600)
    environ = {"NETRC": str(netrc)}
    assert Address.of("https://a.example/simple", environ).authorization == AUTHORIZATION
    assert Address.of("https://b.example/simple", environ).authorization is None
    other = Address.of("https://a.example/simple", {**environ, USER: "", PASSWORD: "token"}).authorization
    assert other == "Basic OnRva2Vu"
    netrc.write_text("machine a.example login ada passwort s3cr:t\n")
    with pytest.raises(InvalidSource) as caught:
        Address.of("https://a.example/simple", environ)
    assert str(caught.value) == f"{netrc}: line 1 cannot be read"
    assert caught.value.__suppress_context__


def test_credentials_may_hold_any_letter() -> None:
    address = Address.of("https://a.example/simple", {USER: "ü", PASSWORD: "€"})
    assert address.authorization == "Basic w7w64oKs"


@pytest.mark.parametrize(
    "text", ["https://", "https:///x", "http://[::1/x", "http://a.example:x/", "https://a.example/?a=b", "https://a b/"]
)
def test_what_is_no_url_is_an_error_without_its_secret(text: str) -> None:
    with pytest.raises(InvalidSource) as caught:
        Address.of(text.replace("://", "://user:secret@"), {"NETRC": "/absent"})
    assert "secret" not in str(caught.value)


# Limits


def test_what_is_no_page_is_not_read(foreign: Foreign, url: str) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b"x" * 100_000

    headers = [("Content-Type", "image/png"), ("Content-Length", "100000000")]
    foreign.answers["/simple/demo/"] = lambda: ("200 OK", headers, endless())  # type: ignore[assignment,return-value]  # iterable
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match="this is not a page of a simple index"):
        source.page(DEMO)
    assert sent < 1_000


def test_a_source_that_drips_is_an_error(
    foreign: Foreign, url: str, monkeypatch: pytest.MonkeyPatch, no_waits: list[float]
) -> None:
    ticks = count(step=100)
    monkeypatch.setattr(pace, "monotonic", lambda: float(next(ticks)))
    foreign.answers["/simple/demo/"] = page
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match="fewer than 1024 bytes a second"):
        source.page(DEMO)
    assert len(no_waits) == 4


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", [None, "http://proxy.example:3128"])
def test_no_connection_may_drip(scheme: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if proxy is not None:
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
    url = f"{scheme}://a.example/simple/"
    with source_of(url) as source:
        manager = source._manager(url)
        assert (manager.proxy is not None) == (proxy is not None)
        assert manager.connection_from_url(url).ConnectionCls.response_class is PacedResponse  # type: ignore[attr-defined]  # of http.client


@pytest.mark.parametrize(("media_type", "limit"), [(JSON_TYPE, 10_000), (HTML_TYPES[0], 5_000), (HTML_TYPES[1], 5_000)])
def test_a_page_that_is_too_large_is_an_error(
    media_type: str, limit: int, foreign: Foreign, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "PAGE_LIMITS", replace(PAGE_LIMITS, json_size=10_000, html_size=5_000))
    bomb = gzip.compress(b" " * 10**7)
    headers = [("Content-Type", media_type), ("Content-Encoding", "gzip")]
    foreign.answers["/simple/demo/"] = lambda: ("200 OK", headers, [bomb])
    with source_of(f"{url}/simple") as source, pytest.raises(SourceError, match=f"more than {limit} bytes"):
        source.page(DEMO)
    assert len(foreign.requests) == 1


@pytest.mark.parametrize("declared", [True, False])
def test_a_file_that_is_too_large_is_not_read_to_its_end(declared: bool, foreign: Foreign, url: str) -> None:
    sent = 0

    def endless() -> Answer:
        def blocks() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 65536
                yield b"x" * 65536

        return "200 OK", [("Content-Length", str(1000 * 65536))], blocks()  # type: ignore[return-value]  # an iterable

    foreign.answers["/file"] = endless
    if not declared:
        foreign.answers["/file"] = lambda: bytes_of(b"x" * 200_000)
    with pytest.raises(FileTooLarge):
        fetch(url, "/file", max_size=100_000, digests={})
    assert sent < 1000 * 65536


def test_a_file_that_is_compressed_on_its_way_is_compared_as_it_arrives(foreign: Foreign, url: str) -> None:
    foreign.answers["/file"] = lambda: bytes_of(gzip.compress(DATA), ("Content-Encoding", "gzip"))
    with pytest.raises(WrongDigest):
        fetch(url, "/file")
    assert foreign.requests[0]["HTTP_ACCEPT_ENCODING"] == "identity"


def test_a_query_is_not_shown(foreign: Foreign, url: str) -> None:
    with pytest.raises(SourceError) as caught:
        fetch(url, "/file?X-Signature=secret")
    assert "secret" not in str(caught.value)


def test_a_stopped_source_ends_every_request(foreign: Foreign, url: str) -> None:
    with source_of(f"{url}/simple") as source:

        def stop() -> Answer:
            source.stop()
            return bytes_of(DATA)

        foreign.answers["/file"] = stop
        with pytest.raises(Stopped):
            source.fetch(SourceFile("demo-1.0.zip", f"{url}/file"), io.BytesIO(), max_size=1000)
        with pytest.raises(Stopped):
            source.names()
    assert len(foreign.requests) == 1


def test_a_proxy_of_the_environment_is_used(foreign: Foreign, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign.answers["http://index.invalid/simple/demo/"] = lambda: page("demo-1.0.zip")
    monkeypatch.setenv("http_proxy", url.replace("://", "://proxy:secret@"))
    monkeypatch.setenv("no_proxy", "direct.example")
    with source_of("http://index.invalid/simple") as source:
        source.page(DEMO)
    [request] = foreign.requests
    assert request["HTTP_HOST"] == "index.invalid"
    assert request["HTTP_PROXY_AUTHORIZATION"].startswith("Basic ")


def test_certificates_are_verified_and_another_authority_can_be_named(tmp_path: Path) -> None:
    default = index.tls_context({})
    assert (default.verify_mode, default.check_hostname) == (ssl.CERT_REQUIRED, True)
    missing = tmp_path / "absent.pem"
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        with pytest.raises(InvalidSource, match=str(missing)):
            index.tls_context({name: str(missing)})
    assert index.tls_context({"REQUESTS_CA_BUNDLE": str(tmp_path)}).verify_mode is ssl.CERT_REQUIRED
