"""What is known of a request, and what is not."""

from collections.abc import Mapping
from typing import Any

import pytest
from webtest import TestApp
from werkzeug.test import EnvironBuilder

from pypi_registry.testing import FakeRegistry, RecordedRequest
from pypi_registry.testing.requests import read_request

PLACE = "/api/v4/projects/fake%2Fpackages/packages/pypi"
GROUP = "/api/v4/groups/fake/-/packages/pypi"
DIGEST = "0" * 64


def recorded(method: str, path: str, headers: Mapping[str, str] | None = None) -> RecordedRequest:
    return read_request(1, EnvironBuilder(path, method=method, headers=[*(headers or {}).items()]).get_environ())


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"{PLACE}/simple", ("index", "fake/packages", "", "")),
        ("HEAD", f"{PLACE}/simple/", ("index", "fake/packages", "", "")),
        ("GET", f"{PLACE}/simple/My.Demo/", ("page", "fake/packages", "my-demo", "")),
        ("GET", f"{PLACE}/%2Bsimple/demo/", ("page", "fake/packages", "demo", "")),
        ("GET", f"{GROUP}/simple/demo/", ("page", "fake", "demo", "")),
        (
            "GET",
            f"{PLACE}/files/{DIGEST}/My_Demo-1.0%2Blocal.tar.gz",
            ("file", "fake/packages", "my-demo", "My_Demo-1.0+local.tar.gz"),
        ),
        (
            "GET",
            f"{GROUP}/files/{DIGEST}/demo-1.0-py3-none-any.whl.metadata",
            ("metadata", "fake", "demo", "demo-1.0-py3-none-any.whl.metadata"),
        ),
        ("GET", f"{PLACE}/files/{DIGEST}/no-distribution", ("file", "fake/packages", "", "no-distribution")),
        ("POST", PLACE, ("upload", "fake/packages", "", "")),
        ("DELETE", PLACE, ("other", "", "", "")),
        ("GET", "/api/v4/projects/7/packages", ("other", "7", "", "")),
        ("GET", "/", ("other", "", "", "")),
        ("GET", "/elsewhere", ("other", "", "", "")),
    ],
)
def test_a_request_says_what_it_is_for(method: str, path: str, expected: tuple[str, str, str, str]) -> None:
    request = recorded(method, path)
    assert (request.kind, request.project, request.package, request.filename) == expected


def test_the_text_of_a_request_is_its_method_and_its_path_however_it_was_quoted() -> None:
    requests = [recorded("GET", f"{PLACE}/files/{DIGEST}/demo-1.0{plus}b.tar.gz") for plus in ("+", "%2B", "%2b")]
    expected = f"GET /api/v4/projects/fake/packages/packages/pypi/files/{DIGEST}/demo-1.0+b.tar.gz"
    assert {str(request) for request in requests} == {expected}
    assert recorded("GET", "/caf%C3%A9").path == "/café"


@pytest.mark.parametrize(
    ("header", "value", "shown"),
    [
        ("Authorization", "Basic YW55OnNlY3JldA==", "Basic ***"),
        ("Authorization", "Bearer secret", "Bearer ***"),
        ("Authorization", "secret", "***"),
        ("PRIVATE-TOKEN", "secret", "***"),
        ("DEPLOY-TOKEN", "secret", "***"),
        ("JOB-TOKEN", "secret with blanks", "***"),
        ("Cookie", "session=secret; other=YW55OnNlY3JldA==", "***"),
        ("Proxy-Authorization", "Basic YW55OnNlY3JldA==", "Basic ***"),
        ("X-Api-Key", "secret", "***"),
        ("Referer", "https://ada:secret@host.example/?page=1", "https://***@host.example/?page=1"),
        ("Referer", "https://secret@with:secret@host.example/", "https://***@host.example/"),
    ],
)
def test_a_secret_is_masked(header: str, value: str, shown: str) -> None:
    request = recorded("GET", "/", {header: value})
    assert request.headers[header] == shown
    shown_anywhere = repr(request) + repr([*request.headers])
    assert [secret for secret in ("secret", "YW55") if secret in shown_anywhere] == []


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("private_token=secret", "private_token=***"),
        ("page=2&job_token=secret&format=x", "page=2&job_token=***&format=x"),
        ("page=2", "page=2"),
        ("", ""),
        ("Password=secret&client_secret=secret&api_key=secret", "Password=***&client_secret=***&api_key=***"),
        ("private%5Ftoken=secret&pass%77ord=secret", "private%5Ftoken=***&pass%77ord=***"),
        ("next=https://ada:secret@host.example/", "next=https://***@host.example/"),
    ],
)
def test_a_secret_in_the_query_is_masked_too(query: str, shown: str) -> None:
    assert recorded("GET", f"/?{query}").query == shown


def test_a_login_in_an_address_that_is_asked_for_as_from_a_proxy_is_masked() -> None:
    environ = EnvironBuilder("/").get_environ() | {"PATH_INFO": "http://ada:secret@host.example/simple/"}
    request = read_request(1, environ)
    assert str(request) == "GET http://***@host.example/simple/"
    assert "secret" not in repr(request)


def test_the_rest_of_the_headers_is_there_by_name_in_any_case() -> None:
    headers = recorded("GET", "/", {"Range": "bytes=0-4", "user-agent": "pip/26"}).headers
    assert (headers["range"], headers["User-Agent"]) == ("bytes=0-4", "pip/26")
    assert headers.get("If-Range") is None


def test_the_user_is_known_though_the_secret_is_not() -> None:
    assert recorded("GET", "/", {"Authorization": "Basic YW55OnNlY3JldA=="}).user == "any"
    assert recorded("GET", "/", {"Authorization": "Bearer secret"}).user == ""


def test_requests_are_counted_and_show_how_they_ended() -> None:
    registry = FakeRegistry()
    [file] = registry.add("demo")
    client: Any = TestApp(registry.app)
    path = file.url.removeprefix(registry.url)
    client.get(f"{PLACE}/simple/demo/")
    client.get(path, headers={"Range": "bytes=0-4"})
    client.get(f"{PLACE}/simple/absent/", status=404)
    shown = [(request.number, request.kind, request.package, request.status) for request in registry.requests]
    assert shown == [(1, "page", "demo", 200), (2, "file", "demo", 206), (3, "page", "absent", 404)]


def test_the_list_of_requests_is_the_callers_own() -> None:
    registry = FakeRegistry()
    before = registry.requests
    TestApp(registry.app).get(f"{PLACE}/simple/")
    assert (len(before), len(registry.requests)) == (0, 1)
