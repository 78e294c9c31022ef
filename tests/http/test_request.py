import base64
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry._http.request import Request, origin, read_credentials
from pypi_registry._http.response import Response, bytes_response, json_response, status_line
from pypi_registry._open_access import AllowAll, OpenDirectory
from pypi_registry.auth import AuthScheme, Credentials, Principal
from pypi_registry.model import Namespace
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

BASIC, BEARER = AuthScheme.BASIC, AuthScheme.BEARER


# Credentials


def _basic(pair: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(pair.encode(encoding)).decode()}"}


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"HTTP_AUTHORIZATION": ""}, None, id="an empty header"),
        pytest.param(_basic("ada:secret"), Credentials(BASIC, "secret", "ada"), id="Basic"),
        pytest.param({"HTTP_AUTHORIZATION": "basic YTpi"}, Credentials(BASIC, "b", "a"), id="lower-case scheme"),
        pytest.param({"HTTP_AUTHORIZATION": "BASIC YTpi"}, Credentials(BASIC, "b", "a"), id="upper-case scheme"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic   YTpi "}, Credentials(BASIC, "b", "a"), id="blanks around"),
        pytest.param(_basic("ada:b:c:"), Credentials(BASIC, "b:c:", "ada"), id="colons in the secret"),
        pytest.param(_basic("ada: b "), Credentials(BASIC, " b ", "ada"), id="blanks in the secret"),
        pytest.param(_basic("bücher:gehéim"), Credentials(BASIC, "gehéim", "bücher"), id="UTF-8, as uv"),
        pytest.param(
            _basic("bücher:gehéim", "latin-1"), Credentials(BASIC, "gehéim", "bücher"), id="latin-1, as twine"
        ),
        pytest.param(_basic("ada:☃"), Credentials(BASIC, "☃", "ada"), id="UTF-8 only"),
        pytest.param(_basic(":secret"), Credentials(BASIC, "secret", ""), id="no user"),
        pytest.param(_basic("ada:"), Credentials(BASIC, "", "ada"), id="an empty secret"),
        pytest.param(_basic(":"), Credentials(BASIC, "", ""), id="a colon alone"),
        pytest.param(_basic(f"ada:{LONG}"), Credentials(BASIC, LONG, "ada"), id="10 kB"),
        pytest.param(_basic("no-colon"), None, id="no colon"),
        pytest.param(_basic(""), None, id="an empty pair"),
        pytest.param(
            {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(b'jos' + bytes([0xE9]) + ':é'.encode()).decode()}"},
            Credentials(BASIC, "é", "josé"),
            id="a user in latin-1 and a secret in UTF-8",
        ),
        pytest.param({"HTTP_AUTHORIZATION": "Basic"}, None, id="a scheme alone"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic YTpi!"}, None, id="no base64"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic YTpiY"}, None, id="base64 cut short"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic YT\npi"}, None, id="base64 in two lines"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic YTpi YTpi"}, None, id="base64 twice"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic é"}, None, id="no ASCII"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic:YTpi"}, None, id="no blank"),
        pytest.param({"HTTP_AUTHORIZATION": "Digest YTpi"}, None, id="another scheme"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer t0k3n"}, Credentials(BEARER, "t0k3n"), id="Bearer"),
        pytest.param({"HTTP_AUTHORIZATION": "bearer  t0k3n "}, Credentials(BEARER, "t0k3n"), id="bearer with blanks"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer \xc3\xa9"}, Credentials(BEARER, "é"), id="Bearer in UTF-8"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer \xe9"}, Credentials(BEARER, "é"), id="Bearer in latin-1"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer"}, None, id="Bearer of nothing"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer  "}, None, id="Bearer of blanks"),
        pytest.param({"HTTP_PRIVATE_TOKEN": "t"}, Credentials(AuthScheme.PRIVATE_TOKEN, "t"), id="PRIVATE-TOKEN"),
        pytest.param({"HTTP_DEPLOY_TOKEN": "t"}, Credentials(AuthScheme.DEPLOY_TOKEN, "t"), id="DEPLOY-TOKEN"),
        pytest.param({"HTTP_JOB_TOKEN": "t"}, Credentials(AuthScheme.JOB_TOKEN, "t"), id="JOB-TOKEN"),
        pytest.param({"HTTP_JOB_TOKEN": "\xc3\xa9"}, Credentials(AuthScheme.JOB_TOKEN, "é"), id="a header in UTF-8"),
        pytest.param(
            {"HTTP_DEPLOY_TOKEN": "t", **_basic("a:b")}, Credentials(AuthScheme.DEPLOY_TOKEN, "t"), id="a header first"
        ),
        pytest.param({"HTTP_PRIVATE_TOKEN": "", **_basic("a:b")}, Credentials(BASIC, "b", "a"), id="not an empty one"),
    ],
)
def test_credentials_are_read_and_malformed_ones_are_none(
    environ: Mapping[str, object], expected: Credentials | None
) -> None:
    assert read_credentials(environ, job_header=True) == expected
    is_job = expected is not None and expected.scheme is AuthScheme.JOB_TOKEN
    assert read_credentials(environ) == (None if is_job else expected)


class RecordingAuth:
    """Records the credentials and the namespaces that it receives."""

    def __init__(self) -> None:
        self.seen: list[tuple[Credentials | None, Namespace | None]] = []

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        self.seen.append((credentials, namespace))
        return AllowAll().authenticate(credentials, namespace, environ)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/projects/1/packages/pypi/simple/", Credentials(BASIC, "secret", "ada")),
        ("/groups/1/-/packages/pypi/simple/", Credentials(BASIC, "secret", "ada")),
        ("/projects/1/packages", Credentials(AuthScheme.JOB_TOKEN, "t")),
        ("/groups/1/packages", Credentials(AuthScheme.JOB_TOKEN, "t")),
    ],
)
def test_only_the_packages_api_reads_a_job_token_header(path: str, expected: Credentials) -> None:
    auth, catalogue = RecordingAuth(), MemoryCatalogue()
    directory = OpenDirectory(catalogue)
    registry = Registry(directory=directory, auth=auth, catalogue=catalogue, blobs=MemoryBlobs())
    TestApp(registry, extra_environ={"HTTP_JOB_TOKEN": "t", **_basic("ada:secret")}).get(path, status=200)
    namespace = directory.group(1) if path.startswith("/groups") else directory.project(1)
    assert auth.seen == [(expected, namespace)]


@pytest.mark.parametrize("scheme", AuthScheme)
def test_the_repr_of_credentials_shows_no_secret(scheme: AuthScheme) -> None:
    credentials = Credentials(scheme, "s3cr3t", "ada")
    assert "s3cr3t" not in f"{credentials!r} {credentials}"
    assert "ada" in repr(credentials)


# Entity tags


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="empty"),
        pytest.param('"abc"', True, id="equal"),
        pytest.param('W/"abc"', True, id="weakly equal"),
        pytest.param('"x", "abc"', True, id="one of several"),
        pytest.param('"x",W/"abc" ,"y"', True, id="one of several, weak"),
        pytest.param('"a,b", "abc"', True, id="after one with a comma"),
        pytest.param("*", True, id="any"),
        pytest.param(" * ", True, id="any, with blanks"),
        pytest.param('"abcd"', False, id="longer"),
        pytest.param('"ab"', False, id="shorter"),
        pytest.param('"ABC"', False, id="another case"),
        pytest.param('"x", "y"', False, id="none of several"),
        pytest.param("abc", False, id="without quotes"),
        pytest.param('"abc', False, id="half quoted"),
        pytest.param('"*"', False, id="a star that is a tag"),
        pytest.param('"x, W/"abc', False, id="in between two tags"),
        pytest.param(",,;", False, id="garbage"),
        pytest.param(100_000 * '"', False, id="quotes"),
    ],
)
def test_a_client_has_the_representations_that_its_tags_name(header: str | None, expected: bool) -> None:
    environ = {"REQUEST_METHOD": "GET"} | ({} if header is None else {"HTTP_IF_NONE_MATCH": header})
    assert Request(environ).has_representation('"abc"') is expected


# The origin


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("registry.example", "https://registry.example"),
        ("registry.example:8443", "https://registry.example:8443"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080"),
        ("[::1]:8080", "https://[::1]:8080"),
        ("[::ffff:127.0.0.1]", "https://[::ffff:127.0.0.1]"),
        ("my_host-2", "https://my_host-2"),
        (None, "https://server.example:443"),
        ("", "https://server.example:443"),
        ("registry.example/path", "https://server.example:443"),
        ("user@registry.example", "https://server.example:443"),
        ("registry.example:", "https://server.example:443"),
        ("registry.example:123456", "https://server.example:443"),
        ("registry.example\n", "https://server.example:443"),
        ('"><script>', "https://server.example:443"),
        ("registry example", "https://server.example:443"),
        ("caf\xc3\xa9.example", "https://server.example:443"),
        ("[::1", "https://server.example:443"),
    ],
)
def test_a_host_header_that_is_none_is_replaced_by_the_servers_name(host: str | None, expected: str) -> None:
    environ: dict[str, object] = {"wsgi.url_scheme": "https", "SERVER_NAME": "server.example", "SERVER_PORT": "443"}
    if host is not None:
        environ["HTTP_HOST"] = host
    assert origin(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"SERVER_NAME": "::1", "SERVER_PORT": "80"}, "http://[::1]:80", id="an address of version 6"),
        pytest.param({"SERVER_NAME": "[::1]", "SERVER_PORT": "80"}, "http://[::1]:80", id="one in brackets"),
        pytest.param({"SERVER_NAME": '"><script>', "SERVER_PORT": "80"}, "http://localhost", id="no name"),
        pytest.param({"HTTP_HOST": "a.example", "wsgi.url_scheme": "HTTPS"}, "https://a.example", id="upper case"),
        pytest.param({"HTTP_HOST": "a.example", "wsgi.url_scheme": "javascript"}, "http://a.example", id="no scheme"),
    ],
)
def test_an_origin_is_valid_whatever_a_middleware_has_read_from_headers(
    environ: Mapping[str, object], expected: str
) -> None:
    assert origin({"wsgi.url_scheme": "http", **environ}) == expected


# Answers


@pytest.mark.parametrize(
    ("status", "sentence", "line"),
    [
        pytest.param(404, "", "404 Not Found", id="the standard phrase"),
        pytest.param(404, "Package Not Found", "404 Package Not Found", id="a sentence"),
        pytest.param(400, "a\r\nb", "400 a b", id="CR LF"),
        pytest.param(400, "a\n\n\tb", "400 a b", id="white space"),
        pytest.param(400, "a\x00b\x7fc\x9fd", "400 a?b?c?d", id="controls"),
        pytest.param(400, "a\x0bb\x85c\u2028d", "400 a b c d", id="other line ends"),
        pytest.param(400, "naïve", "400 naïve", id="latin-1"),
        pytest.param(400, "☃ 日本", "400 ? ??", id="beyond latin-1"),
        pytest.param(400, "\r\n \t", "400 Bad Request", id="nothing but white space"),
        pytest.param(400, "x" * 200, "400 " + "x" * 200, id="200 characters"),
        pytest.param(400, "x" * 201, "400 " + "x" * 200, id="201 characters"),
        pytest.param(400, "x" * 199 + " y", "400 " + "x" * 199, id="cut at a blank"),
        pytest.param(507, "", "507 Insufficient Storage", id="507"),
    ],
)
def test_a_status_line_is_one_short_line_of_latin_1(status: int, sentence: str, line: str) -> None:
    assert status_line(status, sentence) == line


def test_a_json_answer_is_ascii_and_knows_its_length() -> None:
    answer = json_response("400 No", {"message": "é ☃"}, ("Allow", "GET"))
    assert answer.body == [b'{"message": "\\u00e9 \\u2603"}']
    assert answer.headers == [("Content-Type", "application/json"), ("Content-Length", "28"), ("Allow", "GET")]


def test_an_empty_body_is_nothing_to_send() -> None:
    answer = bytes_response("200 OK", "text/html", b"")
    assert list(answer.body) == []
    assert ("Content-Length", "0") in answer.headers


class Stream:
    """A body that remembers how it was treated."""

    def __init__(self) -> None:
        self.read = False
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.read = True
        return iter([b"bytes"])

    def close(self) -> None:
        self.closed += 1


def _send(answer: Response, method: str) -> tuple[Any, list[object]]:
    started: list[object] = []

    def start_response(*given: object) -> Any:
        started.extend(given)

    return answer.send({"REQUEST_METHOD": method}, start_response), started


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_gets_the_very_body_of_an_answer_and_closes_it_itself(method: str) -> None:
    stream = Stream()
    sent, started = _send(Response("200 OK", [("ETag", '"x"')], stream), method)
    assert sent is stream
    assert started == ["200 OK", [("ETag", '"x"')]]
    assert not stream.read
    assert stream.closed == 0


def test_the_body_of_a_head_is_closed_and_never_read() -> None:
    stream = Stream()
    sent, started = _send(Response("200 OK", [("ETag", '"x"')], stream), "HEAD")
    assert list(sent) == []
    assert started == ["200 OK", [("ETag", '"x"')]]
    assert not stream.read
    assert stream.closed == 1


def test_the_body_of_a_head_may_be_a_list() -> None:
    sent, _ = _send(json_response("200 OK", {}), "HEAD")
    assert list(sent) == []
