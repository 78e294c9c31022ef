"""Without a socket: requests, urllib3, httpx and WebTest meet the same registry, and the same faults."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
import urllib3
from pypi_simple import PyPISimple
from urllib3.exceptions import MaxRetryError

from pypi_registry._pages.simple import MediaType
from pypi_registry.testing import FakeRegistry, faults, make_sdist
from pypi_registry.testing.httpx_transport import HttpxTransport
from pypi_registry.testing.server import ConnectionDropped
from pypi_registry.testing.transports import pool_manager, requests_adapter

FOREVER = 3600


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    """A registry that is not started, in a process that cannot open a socket."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("somebody opens a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return FakeRegistry()


@pytest.fixture
def session(registry: FakeRegistry) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount(registry.url, requests_adapter(registry))
    return session


@pytest.fixture
def pool(registry: FakeRegistry) -> urllib3.PoolManager:
    return pool_manager(registry, retries=False)


def test_requests_reads_pages_and_files(registry: FakeRegistry, session: requests.Session) -> None:
    [file] = registry.add("demo")
    page = session.get(f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value})
    assert page.json()["name"] == "demo"
    assert page.headers["Content-Encoding"] == "gzip"
    assert session.get(file.url).content == file.data
    assert session.get(file.url, headers={"Range": "bytes=2-4"}).content == file.data[2:5]
    head = session.head(file.url)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(file.data)))
    assert session.get(f"{registry.index_url}/absent/").status_code == 404


@pytest.mark.parametrize("streamed", [False, True])
def test_requests_publishes(streamed: bool, registry: FakeRegistry, session: requests.Session) -> None:
    sdist = make_sdist("demo", "1.0", size=300_000)
    form = requests.Request(
        "POST",
        registry.upload_url,
        data={"name": "demo", "version": "1.0"},
        files={"content": (sdist.filename, sdist.data)},
        auth=("ada", "secret"),
    )
    prepared = session.prepare_request(form)
    if streamed:
        body = prepared.body
        assert isinstance(body, bytes)
        prepared.body = iter([body[:1000], body[1000:]])  # requests sends it piece by piece
    assert session.send(prepared).status_code == 201
    assert registry.packages["demo"]["1.0"][0].data == sdist.data
    assert registry.requests[-1].user == "ada"


def test_what_is_built_on_requests_needs_only_its_session(registry: FakeRegistry, session: requests.Session) -> None:
    registry.add("demo", "1.0")
    with PyPISimple(registry.index_url, session=session) as index:
        [package] = index.get_project_page("demo").packages
    assert package.version == "1.0"


CUT, DROPPED = requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (faults.Cut(), CUT),
        (faults.Disconnect(), DROPPED),
        (faults.RedirectLoop(), requests.exceptions.TooManyRedirects),
        (faults.Hang(), requests.exceptions.ReadTimeout),
        (faults.SlowStart(FOREVER + 1), requests.exceptions.ReadTimeout),
        (faults.Drip(100, FOREVER + 1), DROPPED),
    ],
    ids=str,
)
def test_requests_takes_a_fault_as_it_would_on_a_network(
    what: faults.Fault, error: type[Exception], registry: FakeRegistry, session: requests.Session
) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", what, times=None if isinstance(what, faults.RedirectLoop) else 1)
    with pytest.raises(error):
        session.get(file.url, timeout=FOREVER)
    registry.clear()
    [file] = registry.add("demo")
    assert session.get(file.url).content == file.data


def test_a_wait_that_is_shorter_than_the_timeout_is_waited_for(
    registry: FakeRegistry, session: requests.Session
) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", faults.SlowStart(0.001))
    assert session.get(file.url, timeout=FOREVER).content == file.data


def test_retries_of_urllib3_are_its_own(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(503, {"Retry-After": "0"}), times=2)
    retries = urllib3.Retry(3, status_forcelist=[503])
    answer = pool_manager(registry, retries=retries).request("GET", registry.index_url)
    assert answer.status == 200
    assert [request.status for request in registry.requests] == [503, 503, 200]


def test_urllib3_gives_up_as_it_does(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Disconnect())
    with pytest.raises(MaxRetryError):
        pool_manager(registry, retries=urllib3.Retry(2)).request("GET", registry.index_url)
    assert len(registry.requests) == 3


def test_urllib3_publishes_and_reads(registry: FakeRegistry, pool: urllib3.PoolManager) -> None:
    sdist = make_sdist("demo", "1.0")
    fields: dict[str, Any] = {"name": "demo", "version": "1.0", "content": (sdist.filename, sdist.data)}
    assert pool.request("POST", registry.upload_url, fields=fields).status == 201
    page = pool.request("GET", f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value})
    assert json.loads(page.data)["files"][0]["filename"] == sdist.filename
    assert pool.request("HEAD", f"{registry.index_url}/demo/").data == b""


def test_a_body_can_be_read_in_pieces(registry: FakeRegistry, pool: urllib3.PoolManager) -> None:
    [file] = registry.add("demo", size=100_000)
    answer = pool.request("GET", file.url, preload_content=False)
    assert b"".join(answer.stream(1000)) == file.data
    assert pool.request("GET", registry.index_url).status == 200


def test_httpx_takes_the_application_as_it_is(registry: FakeRegistry) -> None:
    [file] = registry.add("demo")
    with httpx.Client(transport=httpx.WSGITransport(registry.app)) as client:
        assert (
            client.get(f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value}).json()["name"] == "demo"
        )
        assert client.get(file.url).content == file.data
        registry.fault("*", faults.Status(429, {"Retry-After": "3"}), times=1)
        assert client.get(file.url).headers["Retry-After"] == "3"
        registry.fault("*", faults.Cut())
        with pytest.raises(ConnectionDropped):
            client.get(file.url)


Ask = Callable[..., list[httpx.Response]]


@pytest.fixture
def ask(registry: FakeRegistry) -> Iterator[Ask]:
    """Give a function that asks as httpx does, by a client that waits and by one that does not; they must agree."""
    transport = HttpxTransport(registry)

    async def ask_without_waiting(method: str, url: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, **options)

    with httpx.Client(transport=transport) as client:

        def ask(method: str, url: str, **options: Any) -> list[httpx.Response]:
            return [client.request(method, url, **options), asyncio.run(ask_without_waiting(method, url, **options))]

        yield ask


def test_httpx_reads_pages_and_files(registry: FakeRegistry, ask: Ask) -> None:
    [file] = registry.add("demo", size=100_000)
    for page in ask("GET", f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value}):
        assert page.json()["name"] == "demo"
        assert page.headers["Content-Encoding"] == "gzip"
    assert [answer.content for answer in ask("GET", file.url)] == [file.data] * 2
    assert [answer.headers["Content-Length"] for answer in ask("HEAD", file.url)] == [str(len(file.data))] * 2
    assert [answer.status_code for answer in ask("GET", f"{registry.index_url}/absent/")] == [404, 404]


def test_httpx_publishes(registry: FakeRegistry, ask: Ask) -> None:
    sdist = make_sdist("demo", "1.0")
    form = {"data": {"name": "demo", "version": "1.0"}, "files": {"content": (sdist.filename, sdist.data)}}
    assert [answer.status_code for answer in ask("POST", registry.upload_url, **form)] == [201, 400]
    assert registry.packages["demo"]["1.0"][0].data == sdist.data


@pytest.mark.parametrize("clients", ["waits", "does not wait"])
@pytest.mark.parametrize(
    ("what", "error"),
    [
        (faults.Cut(), httpx.RemoteProtocolError),
        (faults.Disconnect(), httpx.RemoteProtocolError),
        (faults.Hang(), httpx.ReadTimeout),
        (faults.SlowStart(FOREVER + 1), httpx.ReadTimeout),
        (faults.Drip(100, FOREVER + 1), httpx.ReadTimeout),
    ],
    ids=str,
)
def test_httpx_takes_a_fault_as_it_would_on_a_network(
    what: faults.Fault, error: type[Exception], clients: str, registry: FakeRegistry, ask: Ask
) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", what, after=0 if clients == "waits" else 1, times=1)
    with pytest.raises(error):
        ask("GET", file.url, timeout=FOREVER)
    assert [answer.content for answer in ask("GET", file.url)] == [file.data] * 2


def test_httpx_waits_as_long_as_its_timeout(registry: FakeRegistry, ask: Ask) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", faults.SlowStart(0.001))
    registry.fault("demo", faults.Drip(500, 0.001))
    for timeout in (FOREVER, None):
        assert [answer.content for answer in ask("GET", file.url, timeout=timeout)] == [file.data] * 2


def test_adapters_take_the_options_of_their_own_kind(registry: FakeRegistry) -> None:
    options: dict[str, Any] = {"max_retries": urllib3.Retry(1, status_forcelist=[503])}
    session = requests.Session()
    session.mount("http://", requests_adapter(registry, **options))
    registry.fault("*", faults.Status(503), times=1)
    assert session.get("http://anywhere.invalid/api/v4/projects/1/packages/pypi/simple/").status_code == 200
