"""Recorded requests: what they contain, and that they contain no secret."""

from collections.abc import Mapping
from typing import Any

import pytest
from webtest import TestApp
from werkzeug.test import EnvironBuilder

from pypi_registry.testing import FakeRegistry, RecordedRequest
from pypi_registry.testing.requests import read_request

PROJECT_PATH = "/api/v4/projects/fake%2Fpackages/packages/pypi"
GROUP_PATH = "/api/v4/groups/fake/-/packages/pypi"
DIGEST = "0" * 64


def recorded(method: str, path: str, headers: Mapping[str, str] | None = None) -> RecordedRequest:
    return read_request(1, EnvironBuilder(path, method=method, headers=[*(headers or {}).items()]).get_environ())


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"{PROJECT_PATH}/simple", ("index", "fake/packages", "", "")),
        ("HEAD", f"{PROJECT_PATH}/simple/", ("index", "fake/packages", "", "")),
        ("GET", f"{PROJECT_PATH}/simple/My.Demo/", ("page", "fake/packages", "my-demo", "")),
        ("GET", f"{PROJECT_PATH}/%2Bsimple/demo/", ("page", "fake/packages", "demo", "")),
        ("GET", f"{GROUP_PATH}/simple/demo/", ("page", "fake", "demo", "")),
        (
            "GET",
            f"{PROJECT_PATH}/files/{DIGEST}/My_Demo-1.0%2Blocal.tar.gz",
            ("file", "fake/packages", "my-demo", "My_Demo-1.0+local.tar.gz"),
        ),
        (
            "GET",
            f"{GROUP_PATH}/files/{DIGEST}/demo-1.0-py3-none-any.whl.metadata",
            ("metadata", "fake", "demo", "demo-1.0-py3-none-any.whl.metadata"),
        ),
        ("GET", f"{PROJECT_PATH}/files/{DIGEST}/no-distribution", ("file", "fake/packages", "", "no-distribution")),
        ("POST", PROJECT_PATH, ("upload", "fake/packages", "", "")),
        ("DELETE", PROJECT_PATH, ("other", "fake/packages", "", "")),
        ("GET", "/api/v4/projects/7/packages", ("other", "7", "", "")),
        ("GET", "/", ("other", "", "", "")),
        ("GET", "/elsewhere", ("other", "", "", "")),
    ],
)
def test_a_request_has_its_kind_project_package_and_file_name(
    method: str, path: str, expected: tuple[str, str, str, str]
) -> None:
    request = recorded(method, path)
    assert (request.kind, request.project, request.package, request.filename) == expected


def test_str_returns_the_method_and_the_unquoted_path() -> None:
    requests = [
        recorded("GET", f"{PROJECT_PATH}/files/{DIGEST}/demo-1.0{plus}b.tar.gz") for plus in ("+", "%2B", "%2b")
    ]
    expected = f"GET /api/v4/projects/fake/packages/packages/pypi/files/{DIGEST}/demo-1.0+b.tar.gz"
    assert {str(request) for request in requests} == {expected}
    assert recorded("GET", "/caf%C3%A9").path == "/café"


@pytest.mark.parametrize(
    ("header", "value", "recorded_value"),
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
def test_a_secret_in_a_header_is_masked(header: str, value: str, recorded_value: str) -> None:
    request = recorded("GET", "/", {header: value})
    assert request.headers[header] == recorded_value
    text = repr(request) + repr([*request.headers])
    assert [secret for secret in ("secret", "YW55") if secret in text] == []


@pytest.mark.parametrize(
    ("query", "recorded_query"),
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
def test_a_secret_in_the_query_is_masked(query: str, recorded_query: str) -> None:
    assert recorded("GET", f"/?{query}").query == recorded_query


def test_credentials_in_an_absolute_request_target_are_masked() -> None:
    environ = EnvironBuilder("/").get_environ() | {"PATH_INFO": "http://ada:secret@host.example/simple/"}
    request = read_request(1, environ)
    assert str(request) == "GET http://***@host.example/simple/"
    assert "secret" not in repr(request)


def test_other_headers_are_recorded() -> None:
    headers = recorded("GET", "/", {"Range": "bytes=0-4", "user-agent": "pip/26"}).headers
    assert (headers["range"], headers["User-Agent"]) == ("bytes=0-4", "pip/26")
    assert headers.get("If-Range") is None


def test_the_user_is_recorded() -> None:
    assert recorded("GET", "/", {"Authorization": "Basic YW55OnNlY3JldA=="}).user == "any"
    assert recorded("GET", "/", {"Authorization": "Bearer secret"}).user == ""


def test_requests_are_numbered_and_have_a_status() -> None:
    registry = FakeRegistry()
    [file] = registry.add("demo")
    client: Any = TestApp(registry.app)
    path = file.url.removeprefix(registry.url)
    client.get(f"{PROJECT_PATH}/simple/demo/")
    client.get(path, headers={"Range": "bytes=0-4"})
    client.get(f"{PROJECT_PATH}/simple/absent/", status=404)
    found = [(request.number, request.kind, request.package, request.status) for request in registry.requests]
    assert found == [(1, "page", "demo", 200), (2, "file", "demo", 206), (3, "page", "absent", 404)]


def test_the_list_of_requests_is_a_copy() -> None:
    registry = FakeRegistry()
    before = registry.requests
    TestApp(registry.app).get(f"{PROJECT_PATH}/simple/")
    assert (len(before), len(registry.requests)) == (0, 1)
