"""Faults: what each of them does, to which requests, how often."""

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

from pypi_registry._http.request import Response
from pypi_registry._pages.simple import MediaType
from pypi_registry.testing import FakeRegistry, RecordedRequest, faults, make_sdist
from pypi_registry.testing.faults import Exchange, Fault, PageFault
from pypi_registry.testing.projects import PublishedFile

PLACE = "/api/v4/projects/fake%2Fpackages/packages/pypi"
PAGE = f"{PLACE}/simple/demo/"


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


# Where


@pytest.mark.parametrize(
    ("where", "met"),
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
        (f"http://any:s%2Fcret@127.0.0.1:80{PLACE}/simple/*", ["index", "page"]),
        (f"GET http://registry.invalid{PLACE}*", ["index", "page", "metadata", "file"]),
        (f"{PLACE}/files/*.whl", ["file"]),
        ("POST *", ["upload"]),
        ("GET */simple/*", ["index", "page"]),
        ("*", ["index", "page", "metadata", "file", "upload"]),
        (3, ["metadata"]),
        (9, []),
        (lambda request: request.kind == "page", ["page"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_fault_is_met_where_it_was_planted(
    where: str | int | Callable[[RecordedRequest], bool], met: list[str], registry: FakeRegistry, file: PublishedFile
) -> None:
    rule = registry.fault(where, faults.Status(503))
    paths = [f"{PLACE}/simple/", PAGE, f"{path_of(file)}.metadata", path_of(file)]
    answered = statuses(registry, *paths)
    sdist = make_sdist("demo", "1.0")
    form, files = {"name": "demo", "version": "1.0"}, [("content", sdist.filename, sdist.data)]
    answered.append(client(registry).post(PLACE, form, upload_files=files, expect_errors=True).status_int)
    kinds = ["index", "page", "metadata", "file", "upload"]
    assert [kind for kind, status in zip(kinds, answered, strict=True) if status == 503] == met
    assert [request.kind for request in rule.met] == met
    assert [request.status for request in registry.requests] == answered


# How often


@pytest.mark.parametrize(
    ("times", "after", "expected"),
    [
        (None, 0, [503, 503, 503, 503]),
        (1, 0, [503, 200, 200, 200]),
        (2, 0, [503, 503, 200, 200]),
        (None, 3, [200, 200, 200, 503]),
        (1, 1, [200, 503, 200, 200]),
        (0, 0, [200, 200, 200, 200]),
    ],
)
def test_a_fault_is_met_so_many_times_after_so_many(
    times: int | None, after: int, expected: list[int], registry: FakeRegistry
) -> None:
    registry.fault("*/simple/", faults.Status(503), times=times, after=after)
    assert statuses(registry, *[f"{PLACE}/simple/"] * 4) == expected


def test_requests_that_are_not_meant_are_not_counted(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("*/simple/", faults.Status(503), times=1, after=1)
    assert statuses(registry, f"{PLACE}/simple/", PAGE, path_of(file), f"{PLACE}/simple/") == [200, 200, 200, 503]


def test_a_fault_of_pages_is_not_used_up_by_files(registry: FakeRegistry, file: PublishedFile) -> None:
    rule = registry.fault("demo", faults.WrongHash(), times=1)
    statuses(registry, path_of(file), f"{path_of(file)}.metadata")
    assert rule.met == []
    statuses(registry, PAGE)
    assert [request.kind for request in rule.met] == ["page"]


def test_faults_come_one_after_the_other_as_they_were_planted(registry: FakeRegistry) -> None:
    for status in (503, 429, 401):
        registry.fault("*", faults.Status(status), times=1)
    assert statuses(registry, *[f"{PLACE}/simple/"] * 4) == [503, 429, 401, 200]


def test_a_fault_that_was_lifted_is_over(registry: FakeRegistry) -> None:
    rule = registry.fault("*", faults.Status(503))
    assert statuses(registry, f"{PLACE}/simple/") == [503]
    rule.lift()
    assert statuses(registry, f"{PLACE}/simple/") == [200]
    assert len(rule.met) == 1


@pytest.mark.parametrize("what", [503, faults.Status, None, "hang"], ids=repr)
def test_what_is_no_fault_is_refused(what: Any, registry: FakeRegistry) -> None:
    with pytest.raises(TypeError, match="what= must be a fault"):
        registry.fault("*", what)


@pytest.mark.parametrize("where", [None, b"demo", ["demo"], re.compile("demo"), 1.5], ids=repr)
def test_what_is_no_place_is_refused(where: Any, registry: FakeRegistry) -> None:
    with pytest.raises(TypeError, match="where= must be a text, the number of a request, or a function"):
        registry.fault(where, faults.Status(503))


def test_a_request_has_no_number_below_1(registry: FakeRegistry) -> None:
    with pytest.raises(ValueError, match="counts requests from 1: 0"):
        registry.fault(0, faults.Status(503))


@pytest.mark.parametrize(
    ("options", "error", "fault"),
    [
        ({"where": ""}, ValueError, "where= is empty"),
        ({"times": -1}, ValueError, "times= counts requests, and cannot be below 0: -1"),
        ({"times": "2"}, TypeError, "times= must be a number of requests: '2'"),
        ({"after": -1}, ValueError, "after= counts requests, and cannot be below 0: -1"),
        ({"after": None}, TypeError, "after= must be a number of requests: None"),
    ],
)
def test_a_rule_that_could_never_hold_is_refused(
    options: dict[str, Any], error: type[Exception], fault: str, registry: FakeRegistry
) -> None:
    with pytest.raises(error, match=fault):
        registry.fault(**{"where": "*", "what": faults.Status(503), **options})


def test_faults_are_values() -> None:
    assert faults.Status(503, {"Retry-After": "1"}) == faults.Status(503, {"Retry-After": "1"})
    assert faults.Cut(5) != faults.Cut(6)
    assert str(faults.Drip(10, 0.5)) == "Drip(size=10, seconds=0.5)"


# Instead of an answer


def test_a_status_comes_with_its_headers_and_its_message(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(429, {"Retry-After": "7"}, message="slow down"))
    answer = client(registry).get(PAGE, status=429)
    assert (answer.status, answer.headers["Retry-After"]) == ("429 slow down", "7")
    assert answer.json == {"message": "429 slow down"}


def test_a_status_without_a_message_says_its_own_phrase(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(503))
    assert client(registry).get(PAGE, status=503).json == {"message": "503 Service Unavailable"}


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_has_none(status: int, registry: FakeRegistry) -> None:
    registry.fault("*", faults.Status(status))
    assert client(registry).get(PAGE, status=status).body == b""


def test_an_expired_token_is_refused_as_the_registry_does_it(registry: FakeRegistry) -> None:
    registry.tokens(expired="x")
    honest = client(registry).get(PAGE, headers={"PRIVATE-TOKEN": "x"}, status=401)
    registry.clear()
    registry.fault("*", faults.ExpiredToken())
    answer = client(registry).get(PAGE, status=401)
    assert answer.json == honest.json
    assert answer.headers.getall("WWW-Authenticate") == honest.headers.getall("WWW-Authenticate")


def test_a_redirect_loop_leads_to_where_it_is(registry: FakeRegistry) -> None:
    registry.fault("demo", faults.RedirectLoop())
    answer = client(registry).get(PAGE, status=302)
    for _ in range(3):
        answer = answer.follow(status=302)


# On the way


@pytest.fixture
def get(registry: FakeRegistry) -> Iterator[Callable[[str], HTTPResponse]]:
    """Give a function that asks over a socket."""
    connections = []

    def ask(path: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=60)
        connections.append(connection)
        connection.request("GET", path)
        return connection.getresponse()

    with registry:
        yield ask
        for connection in connections:
            connection.close()


Get = Callable[[str], HTTPResponse]


@pytest.mark.parametrize(("after", "left"), [(None, None), (0, 0), (5, 5)])
def test_a_body_is_cut(
    after: int | None, left: int | None, registry: FakeRegistry, file: PublishedFile, get: Get
) -> None:
    registry.fault("*.whl", faults.Cut(after), times=1)
    answer = get(path_of(file))
    assert answer.headers["Content-Length"] == str(len(file.data))
    with pytest.raises(IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == file.data[: len(file.data) // 2 if left is None else left]
    assert get(path_of(file)).read() == file.data


def test_a_connection_ends_without_an_answer(registry: FakeRegistry, get: Get) -> None:
    registry.fault("*", faults.Disconnect())
    with pytest.raises(RemoteDisconnected):
        get(PAGE)
    assert [request.status for request in registry.requests] == [None]


def test_a_request_hangs_until_the_client_gives_up(registry: FakeRegistry) -> None:
    with registry:
        registry.fault("*", faults.Hang())
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=0.05)
        connection.request("GET", PAGE)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()


def what_happens(registry: FakeRegistry, file: PublishedFile, what: Fault) -> list[object]:
    """Give what a fault does in its order: waiting so many seconds, asking, sending so many bytes."""
    happened: list[object] = []

    def ask(environ: dict[str, Any]) -> Response:
        happened.append("asks")
        return Response("200 OK", [], [file.data])

    client(registry).get(path_of(file))
    request = registry.requests[-1]
    for data in what.answer(Exchange(request, {}, ask, happened.append)).body:
        happened.append(len(data))
    return happened


def test_the_first_byte_of_an_answer_comes_late(registry: FakeRegistry, file: PublishedFile) -> None:
    assert what_happens(registry, file, faults.SlowStart(7)) == [7, "asks", len(file.data)]


def test_a_body_drips(registry: FakeRegistry) -> None:
    [file] = registry.add("demo", "1.0", size=5000)
    rest = len(file.data) - 4000
    assert what_happens(registry, file, faults.Drip(2000, 7)) == ["asks", 2000, 7, 2000, 7, rest]


@pytest.mark.parametrize("what", [faults.SlowStart(0.001), faults.Drip(100, 0.001)], ids=str)
def test_what_is_slow_arrives_whole(what: Fault, registry: FakeRegistry, file: PublishedFile, get: Get) -> None:
    registry.fault("*.whl", what)
    assert get(path_of(file)).read() == file.data


# Core metadata


def test_metadata_that_the_page_promises_is_missing(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.MissingMetadata())
    assert (
        "core-metadata"
        in json.loads(client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value}).text)["files"][0]
    )
    assert statuses(registry, f"{path_of(file)}.metadata", path_of(file)) == [404, 200]


def test_metadata_is_that_of_another_version(registry: FakeRegistry, file: PublishedFile) -> None:
    path = f"{path_of(file)}.metadata"
    honest = client(registry).get(path)
    registry.fault("demo", faults.WrongMetadata("2.0"))
    wrong = client(registry).get(path, headers={"If-None-Match": honest.headers["ETag"]}, status=200)
    assert wrong.body == honest.body.replace(b"Version: 1.0", b"Version: 2.0")
    assert wrong.body != honest.body
    assert wrong.headers["ETag"] != honest.headers["ETag"]


# Pages

ACCEPT = [MediaType.JSON, MediaType.HTML, MediaType.TEXT_HTML]


def read_page(registry: FakeRegistry, form: MediaType, path: str = PAGE) -> ProjectPage:
    """Ask as pip does, again and with what it has kept, and read the page with somebody else's reader."""
    headers = {"Accept": form.value, "Accept-Encoding": "gzip"}
    first = client(registry).get(path, headers=headers, status=200)
    again = client(registry).get(path, headers={**headers, "If-None-Match": first.headers["ETag"]}, expect_errors=True)
    assert again.status_int == 304 or again.body == first.body
    answer = client(registry).get(path, headers={"Accept": form.value})
    content_type = answer.headers["Content-Type"]
    if "json" in content_type:
        return ProjectPage.from_json_data(json.loads(answer.text), f"{registry.url}{path}")
    return ProjectPage.from_html("demo", answer.text, f"{registry.url}{path}")


@pytest.mark.parametrize("form", ACCEPT)
def test_a_digest_on_the_page_is_not_the_files(form: MediaType, registry: FakeRegistry, file: PublishedFile) -> None:
    assert read_page(registry, form).packages[0].digests == {"sha256": file.sha256}
    registry.fault("demo", faults.WrongHash())
    [shown] = read_page(registry, form).packages
    assert shown.url == file.url
    assert re.fullmatch("[0-9a-f]{64}", shown.digests["sha256"])
    assert shown.digests["sha256"] != sha256(file.data).hexdigest()


def test_a_lie_on_a_page_is_seen_by_those_who_have_kept_the_truth(registry: FakeRegistry, file: PublishedFile) -> None:
    headers = {"Accept": MediaType.JSON.value, "Accept-Encoding": "gzip"}
    kept = client(registry).get(PAGE, headers=headers)
    registry.fault("demo", faults.WrongHash())
    headers["If-None-Match"] = kept.headers["ETag"]
    answer = client(registry).get(PAGE, headers=headers, status=200)
    assert file.sha256 not in json.loads(answer.text)["files"][0]["hashes"].values()
    client(registry).head(PAGE, headers=headers, status=200)


@pytest.mark.parametrize("form", ACCEPT)
def test_a_page_does_not_say_when_files_were_uploaded(
    form: MediaType, registry: FakeRegistry, file: PublishedFile
) -> None:
    registry.fault("demo", faults.NoUploadTime())
    [shown] = read_page(registry, form).packages
    assert (shown.filename, shown.upload_time) == (file.filename, None)


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}?format={Form.JSON.value.replace('+', '%2B')}", f"{PLACE}/simple/"])
def test_html_is_all_there_is(path: str, registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("*", faults.HtmlOnly())
    answer = client(registry).get(path, headers={"Accept": MediaType.JSON.value})
    assert answer.content_type == "text/html"
    assert "demo" in answer.html.find("a").text


@pytest.mark.parametrize("path", [PAGE, f"{PLACE}/simple/"])
def test_a_page_is_called_something_else(path: str, registry: FakeRegistry, file: PublishedFile) -> None:
    honest = client(registry).get(path, headers={"Accept": MediaType.JSON.value})
    registry.fault("*", faults.WrongContentType("text/plain"))
    answer = client(registry).get(
        path, headers={"Accept": MediaType.JSON.value, "If-None-Match": honest.headers["ETag"]}
    )
    assert (answer.headers["Content-Type"], answer.body) == ("text/plain", honest.body)
    assert client(registry).get(path_of(file)).content_type == "application/octet-stream"


def test_a_page_is_as_it_was_when_the_fault_was_planted(registry: FakeRegistry, file: PublishedFile) -> None:
    before = client(registry).get(PAGE).body
    rule = registry.fault("*", faults.StalePage())
    [newer] = registry.add("demo", "2.0", yanked="broken")
    registry.add("other")
    assert client(registry).get(PAGE).body == before
    assert "other" not in client(registry).get(f"{PLACE}/simple/")
    assert statuses(registry, f"{PLACE}/simple/other/", path_of(newer)) == [404, 200]
    rule.lift()
    assert "demo-2.0" in client(registry).get(PAGE)


def test_two_stale_pages_are_of_two_times(registry: FakeRegistry) -> None:
    shown = []
    for version in ("1.0", "2.0", "3.0"):
        registry.add("demo", version)
        registry.fault("demo", faults.StalePage(), times=1)
    for _ in range(4):
        shown.append([each.version for each in read_versions(registry)])
    assert shown == [["1.0"], ["1.0", "2.0"], ["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"]]


def read_versions(registry: FakeRegistry) -> list[Any]:
    answer = client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value})
    return ProjectPage.from_json_data(json.loads(answer.text), registry.url).packages


@pytest.mark.parametrize("what", [faults.WrongHash(), faults.NoUploadTime(), faults.WrongContentType()], ids=str)
def test_a_page_that_is_not_there_cannot_lie(what: Fault, registry: FakeRegistry) -> None:
    registry.fault("*", what)
    assert "404" in client(registry).get(PAGE, status=404).json["message"]


# Together


def test_faults_of_one_page_come_together(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", faults.WrongHash())
    registry.fault("demo", faults.HtmlOnly())
    registry.fault("demo", faults.SlowStart(0.001))
    answer = client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value})
    assert answer.content_type == "text/html"
    [shown] = ProjectPage.from_html("demo", answer.text, f"{registry.url}{PAGE}").packages
    assert shown.digests["sha256"] != file.sha256


@pytest.mark.parametrize("what", [faults.Status(503), faults.ExpiredToken(), faults.RedirectLoop()], ids=str)
def test_an_upload_that_is_refused_is_read_so_that_the_client_sees_the_answer(
    what: Fault, registry: FakeRegistry
) -> None:
    with registry:
        registry.fault("POST *", what)
        connection = HTTPConnection("127.0.0.1", urlsplit(registry.url).port or 0, timeout=60)
        for _ in range(2):
            connection.request("POST", PLACE, bytes(5_000_000))
            assert connection.getresponse().read()
        connection.close()


# One of your own


@dataclass(frozen=True)
class Shouting(PageFault):
    mark: str

    def change_file(self, file: dict[str, Any]) -> None:
        file["filename"] = file["filename"].upper() + self.mark

    def change_html(self, body: bytes) -> bytes:
        return body.replace(b"demo", b"DEMO")


@dataclass(frozen=True)
class Teapot(Fault):
    def answer(self, exchange: Exchange) -> Response:
        answer = exchange.ask(exchange.environ)
        return Response("418 I'm a teapot", answer.headers, answer.body)


def test_a_fault_may_be_ones_own(registry: FakeRegistry, file: PublishedFile) -> None:
    registry.fault("demo", Shouting("!"), times=2)
    page = json.loads(client(registry).get(PAGE, headers={"Accept": MediaType.JSON.value}).text)
    assert page["files"][0]["filename"] == "DEMO-1.0-PY3-NONE-ANY.WHL!"
    assert "DEMO" in client(registry).get(PAGE)
    registry.fault("demo", Teapot())
    assert client(registry).get(path_of(file), status=418).body == file.data


def test_every_fault_has_a_row_in_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "testing.md"
    public = {
        name
        for name, value in vars(faults).items()
        if isinstance(value, type) and issubclass(value, Fault) and not name.startswith("_")
    }
    mentioned = {name for name in public if re.search(rf"`[^`|]*\b{name}\(", page.read_text(encoding="utf-8"))}
    assert mentioned == public - {"Fault", "PageFault"}
