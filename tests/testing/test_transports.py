"""Without a socket, requests, urllib3 and httpx reach the registry, and meet its faults as on a network."""

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
from pypi_registry.testing.requests_transport import requests_adapter
from pypi_registry.testing.server import ConnectionDropped
from pypi_registry.testing.urllib3_transport import pool_manager

FOREVER = 3600


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    """A registry that is not started, in a process that cannot connect a socket."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a socket was connected")

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
        prepared.body = iter([body[:1000], body[1000:]])  # requests sends it in chunks
    assert session.send(prepared).status_code == 201
    assert registry.packages["demo"]["1.0"][0].data == sdist.data
    assert registry.requests[-1].user == "ada"


def test_a_library_built_on_requests_needs_only_the_session(registry: FakeRegistry, session: requests.Session) -> None:
    registry.add("demo", "1.0")
    with PyPISimple(registry.index_url, session=session) as index:
        [package] = index.get_project_page("demo").packages
    assert package.version == "1.0"


INCOMPLETE, DROPPED = requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.Truncate(), INCOMPLETE),
        (faults.Disconnect(), DROPPED),
        (faults.RedirectLoop(), requests.exceptions.TooManyRedirects),
        (faults.Hang(), requests.exceptions.ReadTimeout),
        (faults.Delay(FOREVER + 1), requests.exceptions.ReadTimeout),
        (faults.SlowBody(100, FOREVER + 1), DROPPED),
    ],
    ids=str,
)
def test_requests_raises_the_same_error_as_on_a_network(
    fault: faults.Fault, error: type[Exception], registry: FakeRegistry, session: requests.Session
) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", fault, times=None if isinstance(fault, faults.RedirectLoop) else 1)
    with pytest.raises(error):
        session.get(file.url, timeout=FOREVER)
    registry.clear()
    [file] = registry.add("demo")
    assert session.get(file.url).content == file.data


def test_a_delay_shorter_than_the_timeout_happens(registry: FakeRegistry, session: requests.Session) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", faults.Delay(0.001))
    assert session.get(file.url, timeout=FOREVER).content == file.data


def test_urllib3_retries_a_busy_registry(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(503, {"Retry-After": "0"}), times=2)
    retries = urllib3.Retry(3, status_forcelist=[503])
    response = pool_manager(registry, retries=retries).request("GET", registry.index_url)
    assert response.status == 200
    assert [request.status for request in registry.requests] == [503, 503, 200]


def test_urllib3_raises_after_its_last_retry(registry: FakeRegistry) -> None:
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


def test_a_body_can_be_read_in_chunks(registry: FakeRegistry, pool: urllib3.PoolManager) -> None:
    [file] = registry.add("demo", size=100_000)
    response = pool.request("GET", file.url, preload_content=False)
    assert b"".join(response.stream(1000)) == file.data
    assert pool.request("GET", registry.index_url).status == 200


def test_httpx_can_use_its_own_wsgi_transport(registry: FakeRegistry) -> None:
    [file] = registry.add("demo")
    with httpx.Client(transport=httpx.WSGITransport(registry.app)) as client:
        assert (
            client.get(f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value}).json()["name"] == "demo"
        )
        assert client.get(file.url).content == file.data
        registry.fault("*", faults.Status(429, {"Retry-After": "3"}), times=1)
        assert client.get(file.url).headers["Retry-After"] == "3"
        registry.fault("*", faults.Truncate())
        with pytest.raises(ConnectionDropped):
            client.get(file.url)


Send = Callable[..., list[httpx.Response]]


@pytest.fixture
def send(registry: FakeRegistry) -> Iterator[Send]:
    """Return a function that sends a request twice, by a synchronous and by an asynchronous client."""
    transport = HttpxTransport(registry)

    async def send_async(method: str, url: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, url, **options)

    with httpx.Client(transport=transport) as client:

        def send(method: str, url: str, **options: Any) -> list[httpx.Response]:
            return [client.request(method, url, **options), asyncio.run(send_async(method, url, **options))]

        yield send


def test_httpx_reads_pages_and_files(registry: FakeRegistry, send: Send) -> None:
    [file] = registry.add("demo", size=100_000)
    for page in send("GET", f"{registry.index_url}/demo/", headers={"Accept": MediaType.JSON.value}):
        assert page.json()["name"] == "demo"
        assert page.headers["Content-Encoding"] == "gzip"
    assert [response.content for response in send("GET", file.url)] == [file.data] * 2
    assert [response.headers["Content-Length"] for response in send("HEAD", file.url)] == [str(len(file.data))] * 2
    assert [response.status_code for response in send("GET", f"{registry.index_url}/absent/")] == [404, 404]


def test_httpx_publishes(registry: FakeRegistry, send: Send) -> None:
    sdist = make_sdist("demo", "1.0")
    form = {"data": {"name": "demo", "version": "1.0"}, "files": {"content": (sdist.filename, sdist.data)}}
    assert [response.status_code for response in send("POST", registry.upload_url, **form)] == [201, 400]
    assert registry.packages["demo"]["1.0"][0].data == sdist.data


@pytest.mark.parametrize("client", ["synchronous", "asynchronous"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.Truncate(), httpx.RemoteProtocolError),
        (faults.Disconnect(), httpx.RemoteProtocolError),
        (faults.Hang(), httpx.ReadTimeout),
        (faults.Delay(FOREVER + 1), httpx.ReadTimeout),
        (faults.SlowBody(100, FOREVER + 1), httpx.ReadTimeout),
    ],
    ids=str,
)
def test_httpx_raises_the_same_error_as_on_a_network(
    fault: faults.Fault, error: type[Exception], client: str, registry: FakeRegistry, send: Send
) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", fault, after=0 if client == "synchronous" else 1, times=1)
    with pytest.raises(error):
        send("GET", file.url, timeout=FOREVER)
    assert [response.content for response in send("GET", file.url)] == [file.data] * 2


def test_httpx_waits_for_a_delay_shorter_than_its_timeout(registry: FakeRegistry, send: Send) -> None:
    [file] = registry.add("demo")
    registry.fault("demo", faults.Delay(0.001))
    registry.fault("demo", faults.SlowBody(500, 0.001))
    for timeout in (FOREVER, None):
        assert [response.content for response in send("GET", file.url, timeout=timeout)] == [file.data] * 2


def test_requests_adapter_accepts_the_arguments_of_an_adapter(registry: FakeRegistry) -> None:
    options: dict[str, Any] = {"max_retries": urllib3.Retry(1, status_forcelist=[503])}
    session = requests.Session()
    session.mount("http://", requests_adapter(registry, **options))
    registry.fault("*", faults.Status(503), times=1)
    assert session.get("http://anywhere.invalid/api/v4/projects/1/packages/pypi/simple/").status_code == 200
