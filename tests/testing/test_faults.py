"""Faults: what each of them does, to which requests, and how often."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pypi_simple import ProjectPage
from webtest import TestApp

from pypi_registry._http.response import Response
from pypi_registry._pages.simple import MediaType
from pypi_registry.testing import ConnectionDropped, FakeRegistry, RecordedRequest, faults, make_sdist
from pypi_registry.testing.faults import Exchange, Fault, PageFault
from pypi_registry.testing.projects import PublishedFile

PROJECT_PATH = "/api/v4/projects/fake%2Fpackages/packages/pypi"
PAGE = f"{PROJECT_PATH}/simple/demo/"


UNTYPED: Any = faults
"""For calls that a type checker would refuse."""


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def file(registry: FakeRegistry) -> PublishedFile:
    [file] = registry.add("demo", "1.0")
    return file


def client(registry: FakeRegistry) -> TestApp:
    return TestApp(registry.app, lint=True)


def path_of(file: PublishedFile) -> str:
    return urlsplit(file.url).path


def statuses(registry: FakeRegistry, *paths: str) -> list[int]:
    return [client(registry).get(path, expect_errors=True).status_int for path in paths]


# Which requests


@pytest.mark.parametrize(
    ("matcher", "met"),
    [
        ("demo", ["page", "metadata", "file"]),
        ("Demo", ["page", "metadata", "file"]),
        ("dem", []),
        ("dem*", ["page", "metadata", "file"]),
        ("demo-1.0-py3-none-any.whl", ["file"]),
        ("*.whl", ["file"]),
        ("*.whl.metadata", ["metadata"]),
        ("demo-1.0*", ["metadata", "file"]),
        ("fake/packages", ["index", "page", "metadata", "file", "upload"]),
        ("acme/tools", []),
        ("*/simple/demo/", ["page"]),
        ("*/simple/*", ["index", "page"]),
        ("/api/v4/projects/fake/packages/packages/pypi/simple/demo/", ["page"]),
        ("http://registry.invalid/*", ["index", "page", "metadata", "file", "upload"]),
        (f"http://registry.invalid{PAGE}", ["page"]),
        (f"http://any:s%2Fcret@127.0.0.1:80{PROJECT_PATH}/simple/*", ["index", "page"]),
        (f"GET http://registry.invalid{PROJECT_PATH}*", ["index", "page", "metadata", "file"]),
        (f"{PROJECT_PATH}/files/*.whl", ["file"]),
        ("POST *", ["upload"]),
        ("GET */simple/*", ["index", "page"]),
        ("*", ["index", "page", "metadata", "file", "upload"]),
        (3, ["metadata"]),
        (9, []),
        (lambda request: request.kind == "page", ["page"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_requests_that_match_meet_the_fault(
    matcher: str | int | Callable[[RecordedRequest], bool], met: list[str], registry: FakeRegistry, file: PublishedFile
) -> None:
    rule = registry.fault(matcher, faults.Status(503))
    paths = [f"{PROJECT_PATH}/simple/", PAGE, f"{path_of(file)}.metadata", path_of(file)]
    found = statuses(registry, *paths)
    sdist = make_sdist("demo", "1.0")
    form, files = {"name": "demo", "version": "1.0"}, [("content", sdist.filename, sdist.data)]
    found.append(client(registry).post(PROJECT_PATH, form, upload_files=files, expect_errors=True).status_int)
    kinds = ["index", "page", "metadata", "file", "upload"]
    assert [kind for kind, status in zip(kinds, found, strict=True) if status == 503] == met
    assert [request.kind for request in rule.met] == met
    assert [request.status for request in registry.requests] == found


# How often


@pytest.mark.parametrize(
    ("times", "after", "expected"),
    [
        (None, 0, [503, 503, 503, 503]),
        (1, 0, [503, 200, 200, 200]),
        (2, 0, [503, 503, 200, 200]),
        (None, 3, [200, 200, 200, 503]),
        (1, 1, [200, 503, 200, 200]),
    ],
)
def test_times_and_after_count_the_requests_that_match(
    times: int | None, after: int, expected: list[int], registry: FakeRegistry
) -> None:
    registry.fault("*/simple/", faults.Status(503), times=times, after=after)
    assert statuses(registry, *[f"{PROJECT_PATH}/simple/"] * 4) == expected


def test_requests_that_do_not_match_are_not_counted(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("*/simple/", faults.Status(503), times=1, after=1)
    assert statuses(registry, f"{PROJECT_PATH}/simple/", PAGE, path_of(file), f"{PROJECT_PATH}/simple/") == [
        200,
        200,
        200,
        503,
    ]


def test_a_page_fault_does_not_count_requests_for_files(registry: FakeRegistry, file: PublishedFile) -> None:
    rule = registry.fault("demo", faults.WrongHash(), times=1)
    statuses(registry, path_of(file), f"{path_of(file)}.metadata")
    assert rule.met == []
    statuses(registry, PAGE)
    assert [request.kind for request in rule.met] == ["page"]


def test_faults_that_replace_the_response_act_in_the_order_of_injection(registry: FakeRegistry) -> None:
    for status in (503, 429, 401):
        registry.fault("*", faults.Status(status), times=1)
    assert statuses(registry, *[f"{PROJECT_PATH}/simple/"] * 4) == [503, 429, 401, 200]


def test_a_fault_that_was_lifted_is_over(registry: FakeRegistry) -> None:
    rule = registry.fault("*", faults.Status(503))
    assert statuses(registry, f"{PROJECT_PATH}/simple/") == [503]
    rule.lift()
    assert statuses(registry, f"{PROJECT_PATH}/simple/") == [200]
    assert len(rule.met) == 1


@pytest.mark.parametrize(
    ("create", "error", "message"),
    [
        (lambda: faults.Status(99), ValueError, "status= must be the number of an HTTP status, from 200 to 599: 99"),
        (lambda: faults.Status(100), ValueError, "from 200 to 599: 100"),
        (lambda: faults.Status(600), ValueError, "from 200 to 599: 600"),
        (lambda: UNTYPED.Status("503"), TypeError, "status= must be a number: '503'"),
        (lambda: faults.Status(True), TypeError, "status= must be a number: True"),
        (lambda: UNTYPED.Status(503, "1"), TypeError, "headers= must be a mapping"),
        (lambda: faults.Delay(-1), ValueError, "seconds= must be at least 0: -1"),
        (lambda: faults.Delay(float("nan")), ValueError, "seconds= must be at least 0: nan"),
        (lambda: UNTYPED.Delay("1"), TypeError, "seconds= must be a number: '1'"),
        (lambda: faults.SlowBody(size=0), ValueError, "size= must be at least 1: 0"),
        (lambda: faults.SlowBody(seconds=-0.1), ValueError, "seconds= must be at least 0: -0.1"),
        (lambda: faults.Truncate(-1), ValueError, "after= must be at least 0: -1"),
        (lambda: UNTYPED.Truncate(1.5), TypeError, "after= must be a number: 1.5"),
    ],
)
def test_a_fault_that_could_not_respond_is_rejected(
    create: Callable[[], Fault], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        create()


@pytest.mark.parametrize("fault", [503, faults.Status, None, "hang"], ids=repr)
def test_a_value_that_is_not_a_fault_is_rejected(fault: Any, registry: FakeRegistry) -> None:
    with pytest.raises(TypeError, match="fault= must be a fault"):
        registry.fault("*", fault)


@pytest.mark.parametrize("matcher", [None, b"demo", ["demo"], re.compile("demo"), 1.5], ids=repr)
def test_a_value_that_is_not_a_matcher_is_rejected(matcher: Any, registry: FakeRegistry) -> None:
    with pytest.raises(TypeError, match="matcher= must be a string, the number of a request, or a function"):
        registry.fault(matcher, faults.Status(503))


def test_the_number_of_a_request_is_at_least_1(registry: FakeRegistry) -> None:
    with pytest.raises(ValueError, match="counts requests from 1: 0"):
        registry.fault(0, faults.Status(503))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"matcher": ""}, ValueError, "matcher= is empty"),
        ({"times": 0}, ValueError, "times=0: no request would meet the fault"),
        ({"times": -1}, ValueError, "times= counts requests and cannot be below 0: -1"),
        ({"times": "2"}, TypeError, "times= must be a number of requests: '2'"),
        ({"after": -1}, ValueError, "after= counts requests and cannot be below 0: -1"),
        ({"after": None}, TypeError, "after= must be a number of requests: None"),
    ],
)
def test_a_rule_that_no_request_could_meet_is_rejected(
    options: dict[str, Any], error: type[Exception], message: str, registry: FakeRegistry
) -> None:
    with pytest.raises(error, match=message):
        registry.fault(**{"matcher": "*", "fault": faults.Status(503), **options})


def test_faults_are_values() -> None:
    assert faults.Status(503, {"Retry-After": "1"}) == faults.Status(503, {"Retry-After": "1"})
    assert faults.Truncate(5) != faults.Truncate(6)
    assert str(faults.SlowBody(10, 0.5)) == "SlowBody(size=10, seconds=0.5)"


# Instead of the response


def test_a_status_has_headers_and_a_message(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(429, {"Retry-After": "7"}, message="slow down"))
    response = client(registry).get(PAGE, status=429)
    assert (response.status, response.headers["Retry-After"]) == ("429 slow down", "7")
    assert response.json == {"message": "429 slow down"}


def test_a_status_without_a_message_has_the_standard_phrase(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(503))
    assert client(registry).get(PAGE, status=503).json == {"message": "503 Service Unavailable"}


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_cannot_have_a_body_has_none(status: int, registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(status))
    assert client(registry).get(PAGE, status=status).body == b""


def test_expired_token_gives_the_response_of_the_registry(registry: FakeRegistry) -> None:
    registry.tokens(expired="x")
    expected = client(registry).get(PAGE, headers={"PRIVATE-TOKEN": "x"}, status=401)
    registry.clear()
    registry.fault("*", faults.ExpiredToken())
    response = client(registry).get(PAGE, status=401)
    assert response.json == expected.json
    assert response.headers.getall("WWW-Authenticate") == expected.headers.getall("WWW-Authenticate")


def test_a_redirect_loop_redirects_to_the_same_url(registry: FakeRegistry) -> None:
    registry.fault("demo", faults.RedirectLoop())
    response = client(registry).get(PAGE, status=302)
    for _ in range(3):
        response = response.follow(status=302)


# While the response is sent


@pytest.fixture
def get(registry: FakeRegistry) -> Iterator[Callable[[str], HTTPResponse]]:
    """Return a function that sends a request over a socket."""
    connections = []

    def get(path: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=60)
        connections.append(connection)
        connection.request("GET", path)
        return connection.getresponse()

    with registry:
        yield get
        for connection in connections:
            connection.close()


Get = Callable[[str], HTTPResponse]


@pytest.mark.parametrize(("after", "received"), [(None, None), (0, 0), (5, 5)])
def test_a_body_is_truncated(
    after: int | None, received: int | None, registry: FakeRegistry, file: PublishedFile, get: Get
) -> None:
    registry.fault("*.whl", faults.Truncate(after), times=1)
    response = get(path_of(file))
    assert response.headers["Content-Length"] == str(len(file.data))
    with pytest.raises(IncompleteRead) as caught:
        response.read()
    assert caught.value.partial == file.data[: len(file.data) // 2 if received is None else received]
    assert get(path_of(file)).read() == file.data


def test_a_connection_ends_without_a_response(registry: FakeRegistry, get: Get) -> None:
    registry.fault("*", faults.Disconnect())
    with pytest.raises(RemoteDisconnected):
        get(PAGE)
    assert [request.status for request in registry.requests] == [None]


def test_a_request_hangs_until_the_client_times_out(registry: FakeRegistry) -> None:
    with registry:
        registry.fault("*", faults.Hang())
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=0.05)
        connection.request("GET", PAGE)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()


def trace(registry: FakeRegistry, file: PublishedFile, fault: Fault) -> list[object]:
    """Return what a fault does: pauses in seconds, ``"get"`` for the registry's response, and bytes that it sends."""
    steps: list[object] = []

    def get_response(environ: dict[str, Any]) -> Response:
        steps.append("get")
        return Response("200 OK", [], [file.data])

    client(registry).get(path_of(file))
    request = registry.requests[-1]
    for data in fault.respond(Exchange(request, {}, get_response, steps.append)).body:
        steps.append(len(data))
    return steps


def test_the_first_byte_is_delayed(registry: FakeRegistry, file: PublishedFile) -> None:
    assert trace(registry, file, faults.Delay(7)) == [7, "get", len(file.data)]


def test_a_body_is_sent_slowly(registry: FakeRegistry) -> None:
    [file] = registry.add("demo", "1.0", size=5000)
    rest = len(file.data) - 4000
    assert trace(registry, file, faults.SlowBody(2000, 7)) == ["get", 2000, 7, 2000, 7, rest]


@pytest.mark.parametrize("fault", [faults.Delay(0.001), faults.SlowBody(100, 0.001)], ids=str)
def test_a_slow_response_is_complete(fault: Fault, registry: FakeRegistry, file: PublishedFile, get: Get) -> None:
    registry.fault("*.whl", fault)
    assert get(path_of(file)).read() == file.data


# Core metadata


def test_metadata_that_the_page_offers_is_missing(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.MissingMetadata())
    assert (
        "core-metadata"
        in json.loads(client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value}).text)["files"][0]
    )
    assert statuses(registry, f"{path_of(file)}.metadata", path_of(file)) == [404, 200]


def test_metadata_has_another_version(registry: FakeRegistry, file: PublishedFile) -> None:
    path = f"{path_of(file)}.metadata"
    expected = client(registry).get(path)
    registry.fault("demo", faults.WrongMetadata("2.0"))
    wrong = client(registry).get(path, headers={"If-None-Match": expected.headers["ETag"]}, status=200)
    assert wrong.body == expected.body.replace(b"Version: 1.0", b"Version: 2.0")
    assert wrong.body != expected.body
    assert wrong.headers["ETag"] != expected.headers["ETag"]


# Pages

ACCEPT = [MediaType.JSON, MediaType.HTML, MediaType.TEXT_HTML]


def read_page(registry: FakeRegistry, media_type: MediaType, path: str = PAGE) -> ProjectPage:
    """Request a page as pip does, then again as from its cache; parse it with pypi-simple."""
    headers = {"Accept": media_type.value, "Accept-Encoding": "gzip"}
    first = client(registry).get(path, headers=headers, status=200)
    again = client(registry).get(path, headers={**headers, "If-None-Match": first.headers["ETag"]}, expect_errors=True)
    assert again.status_int == 304 or again.body == first.body
    response = client(registry).get(path, headers={"Accept": media_type.value})
    content_type = response.headers["Content-Type"]
    if "json" in content_type:
        return ProjectPage.from_json_data(json.loads(response.text), f"{registry.url}{path}")
    return ProjectPage.from_html("demo", response.text, f"{registry.url}{path}")


@pytest.mark.parametrize("media_type", ACCEPT)
def test_the_digest_on_the_page_is_wrong(media_type: MediaType, registry: FakeRegistry, file: PublishedFile) -> None:
    assert read_page(registry, media_type).packages[0].digests == {"sha256": file.sha256}
    registry.fault("demo", faults.WrongHash())
    [shown] = read_page(registry, media_type).packages
    assert shown.url == file.url
    assert re.fullmatch("[0-9a-f]{64}", shown.digests["sha256"])
    assert shown.digests["sha256"] != sha256(file.data).hexdigest()


def test_a_page_fault_affects_clients_that_have_cached_the_page(registry: FakeRegistry, file: PublishedFile) -> None:
    headers = {"Accept": MediaType.JSON.value, "Accept-Encoding": "gzip"}
    cached = client(registry).get(PAGE, headers=headers)
    registry.fault("demo", faults.WrongHash())
    headers["If-None-Match"] = cached.headers["ETag"]
    response = client(registry).get(PAGE, headers=headers, status=200)
    assert file.sha256 not in json.loads(response.text)["files"][0]["hashes"].values()
    client(registry).head(PAGE, headers=headers, status=200)


@pytest.mark.parametrize("media_type", ACCEPT)
def test_a_page_has_no_upload_times(media_type: MediaType, registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.NoUploadTime())
    [shown] = read_page(registry, media_type).packages
    assert (shown.filename, shown.upload_time) == (file.filename, None)


@pytest.mark.parametrize(
    "path", [PAGE, f"{PAGE}?format={MediaType.JSON.value.replace('+', '%2B')}", f"{PROJECT_PATH}/simple/"]
)
def test_pages_are_html_only(path: str, registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("*", faults.HtmlOnly())
    response = client(registry).get(path, headers={"Accept": MediaType.JSON.value})
    assert response.content_type == "text/html"
    assert "demo" in response.html.find("a").text


@pytest.mark.parametrize("path", [PAGE, f"{PROJECT_PATH}/simple/"])
def test_a_page_has_another_content_type(path: str, registry: FakeRegistry, file: PublishedFile) -> None:
    expected = client(registry).get(path, headers={"Accept": MediaType.JSON.value})
    registry.fault("*", faults.WrongContentType("text/plain"))
    response = client(registry).get(
        path, headers={"Accept": MediaType.JSON.value, "If-None-Match": expected.headers["ETag"]}
    )
    assert (response.headers["Content-Type"], response.body) == ("text/plain", expected.body)
    assert client(registry).get(path_of(file)).content_type == "application/octet-stream"


def test_a_stale_page_is_as_it_was_when_the_fault_was_injected(registry: FakeRegistry, file: PublishedFile) -> None:
    before = client(registry).get(PAGE).body
    rule = registry.fault("*", faults.StalePage())
    [newer] = registry.add("demo", "2.0", yanked="broken")
    registry.add("other")
    assert client(registry).get(PAGE).body == before
    assert "other" not in client(registry).get(f"{PROJECT_PATH}/simple/")
    assert statuses(registry, f"{PROJECT_PATH}/simple/other/", path_of(newer)) == [404, 200]
    rule.lift()
    assert "demo-2.0" in client(registry).get(PAGE)


def test_each_stale_page_has_its_own_time(registry: FakeRegistry) -> None:
    versions = []
    for version in ("1.0", "2.0", "3.0"):
        registry.add("demo", version)
        registry.fault("demo", faults.StalePage(), times=1)
    for _ in range(4):
        versions.append([each.version for each in read_versions(registry)])
    assert versions == [["1.0"], ["1.0", "2.0"], ["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"]]


def read_versions(registry: FakeRegistry) -> list[Any]:
    response = client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value})
    return ProjectPage.from_json_data(json.loads(response.text), registry.url).packages


@pytest.mark.parametrize("fault", [faults.WrongHash(), faults.NoUploadTime(), faults.WrongContentType()], ids=str)
def test_a_page_that_does_not_exist_stays_404(fault: Fault, registry: FakeRegistry) -> None:
    registry.fault("*", fault)
    assert "404" in client(registry).get(PAGE, status=404).json["message"]


# Several faults


def test_faults_of_one_page_stack(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.WrongHash())
    registry.fault("demo", faults.HtmlOnly())
    registry.fault("demo", faults.Delay(0.001))
    response = client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value})
    assert response.content_type == "text/html"
    [shown] = ProjectPage.from_html("demo", response.text, f"{registry.url}{PAGE}").packages
    assert shown.digests["sha256"] != file.sha256


@pytest.mark.parametrize("fault", [faults.Status(503), faults.ExpiredToken(), faults.RedirectLoop()], ids=str)
def test_the_body_of_a_refused_upload_is_read_so_that_the_client_receives_the_response(
    fault: Fault, registry: FakeRegistry
) -> None:
    with registry:
        registry.fault("POST *", fault)
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=60)
        for _ in range(2):
            connection.request("POST", PROJECT_PATH, bytes(5_000_000))
            assert connection.getresponse().read()
        connection.close()


# Faults of your own


@dataclass(frozen=True)
class UpperCase(PageFault):
    mark: str

    def change_file(self, file: dict[str, Any]) -> None:
        file["filename"] = file["filename"].upper() + self.mark

    def change_html(self, body: bytes) -> bytes:
        return body.replace(b"demo", b"DEMO")


@dataclass(frozen=True)
class Teapot(Fault):
    def respond(self, exchange: Exchange) -> Response:
        response = exchange.get_response(exchange.environ)
        return Response("418 I'm a teapot", response.headers, response.body)


def test_faults_of_your_own(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", UpperCase("!"), times=2)
    page = json.loads(client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value}).text)
    assert page["files"][0]["filename"] == "DEMO-1.0-PY3-NONE-ANY.WHL!"
    assert "DEMO" in client(registry).get(PAGE)
    registry.fault("demo", Teapot())
    assert client(registry).get(path_of(file), status=418).body == file.data


def test_every_fault_is_in_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "testing.md"
    public = {
        name
        for name, value in vars(faults).items()
        if isinstance(value, type) and issubclass(value, Fault) and not name.startswith("_")
    }
    documented = {name for name in public if re.search(rf"`[^`|]*\b{name}\(", page.read_text(encoding="utf-8"))}
    assert documented == public - {"Fault", "PageFault"}


# Faults that were not met


def test_a_fault_that_no_request_met_is_named(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.assert_all_faults_met()
    registry.fault("demo", faults.Status(503), times=2)
    registry.fault("dmeo", faults.Hang())
    statuses(registry, PAGE)
    with pytest.raises(AssertionError) as raised:
        registry.assert_all_faults_met()
    assert str(raised.value) == (
        "these faults were never met:\n  'dmeo': Hang()\n"
        "the requests were:\n  GET /api/v4/projects/fake/packages/packages/pypi/simple/demo/"
    )


def test_a_fault_without_any_request_is_named(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Disconnect()).lift()
    with pytest.raises(AssertionError, match=re.escape("'*': Disconnect()\nthere were no requests")):
        registry.assert_all_faults_met()
    registry.clear()
    registry.assert_all_faults_met()


def test_all_faults_are_met_once_each_has_a_request(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.Status(503), times=1)
    registry.fault("*.whl", faults.Truncate())
    assert statuses(registry, PAGE) == [503]
    with pytest.raises(AssertionError, match=re.escape("'*.whl': Truncate(after=None)")):
        registry.assert_all_faults_met()
    statuses_until_dropped(registry, path_of(file))
    registry.assert_all_faults_met()


def statuses_until_dropped(registry: FakeRegistry, path: str) -> None:
    with pytest.raises(ConnectionDropped):
        client(registry).get(path)
