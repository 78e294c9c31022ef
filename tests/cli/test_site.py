import io
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from webtest import TestApp
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import Registry
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.site import Site
from pypi_registry.testing.archives import distribution

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@pytest.fixture
def site() -> Site:
    return Site(Registry())


@pytest.fixture
def client(site: Site) -> TestApp:
    return TestApp(site, lint=True)


# The page for people


@pytest.mark.parametrize("host", ["registry.example", "registry.example:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_the_landing_page_shows_commands_with_the_host_of_the_request(client: TestApp, host: str) -> None:
    page = client.get("/", headers={"Host": host}, status=200)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"twine upload --repository-url http://{host}/api/v4/projects/PROJECT/packages/pypi" in page.text
    assert f"--index-url http://__token__:TOKEN@{host}/api/v4/projects/PROJECT/packages/pypi/simple" in page.text
    assert f"--index-url http://__token__:TOKEN@{host}/api/v4/groups/GROUP/-/packages/pypi/simple" in page.text


def test_the_landing_page_has_the_scheme_of_the_request(client: TestApp) -> None:
    page = client.get("/", extra_environ={"wsgi.url_scheme": "https", "HTTP_HOST": "registry.example"})
    assert "https://registry.example/api/v4/" in page.text
    assert "http://" not in page.text


@pytest.mark.parametrize("host", ["", "a b", '"><script>', "a/b", "evil.example@registry.example", "a:b"])
def test_an_invalid_host_is_not_shown(client: TestApp, host: str) -> None:
    environ = {"HTTP_HOST": host, "SERVER_NAME": "registry.example", "SERVER_PORT": "8080"}
    page = client.get("/", extra_environ=environ, status=200)
    assert "http://registry.example:8080/api/v4/" in page.text
    assert not host or host not in page.text


def test_the_landing_page_has_no_scripts_and_loads_nothing(client: TestApp) -> None:
    page = client.get("/")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"<script|<img|<link|\ssrc=", page.text)


def test_head_of_the_landing_page_has_its_length_and_no_body(client: TestApp) -> None:
    answer = client.head("/", status=200)
    assert answer.body == b""
    assert answer.headers["Content-Length"] == client.get("/").headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_landing_page_refuses_other_methods(client: TestApp, method: str) -> None:
    answer = client.request("/", method=method, status=405)
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.json == {"error": "405 Not Allowed"}


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/api",
        "/api/v3/projects/1/packages/pypi/simple/",
        "/API/V4/projects/1/packages/pypi/simple/",
        "/api/v4projects/1/packages/pypi/simple/",
        "/projects/1/packages/pypi/simple/",
    ],
)
def test_other_paths_are_not_found(client: TestApp, path: str) -> None:
    assert client.get(path, status=404).json == {"error": "404 Not Found"}


# The registry below it


def test_the_registry_is_below_api_v4(client: TestApp) -> None:
    form, sdist = {"name": "demo", "version": "1.0"}, distribution("demo-1.0.tar.gz")
    files = [("content", "demo-1.0.tar.gz", sdist)]
    client.post("/api/v4/projects/1/packages/pypi", form, upload_files=files, status=201)
    page = client.get("/api/v4/projects/1/packages/pypi/simple/demo/", status=200)
    assert page.click("demo-1.0.tar.gz").body == sdist
    assert client.get("/api/v4", status=404).json == client.get("/api/v4/", status=404).json


def test_the_registry_receives_its_mount_point() -> None:
    seen: list[tuple[str, str]] = []

    class Spy(Registry):
        def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"]))
            return super().__call__(environ, start_response)

    client = TestApp(Site(Spy()))
    client.get("/api/v4/projects/1/packages/pypi/simple/")
    client.get("/api/v4/x", extra_environ={"SCRIPT_NAME": "/outer"}, status=404)
    assert seen == [("/api/v4", "/projects/1/packages/pypi/simple/"), ("/outer/api/v4", "/x")]


@pytest.mark.parametrize("prefix", ["", "/api/v4", "/api/v4/projects"])
def test_a_path_of_very_many_slashes_costs_little(site: Site, prefix: str) -> None:
    environ = create_environ() | {"PATH_INFO": prefix + 250_000 * "/"}
    started = time.thread_time()
    _, status, _ = run_wsgi_app(site, environ)
    assert status.startswith("404")
    assert time.thread_time() - started < 2


def test_a_new_registry_handles_the_next_request(site: Site, client: TestApp) -> None:
    client.get("/api/v4/projects/1/packages/pypi/simple/absent/", status=404)
    site.registry = Registry(forward_to="https://mirror.example/simple")
    moved = client.get("/api/v4/projects/1/packages/pypi/simple/absent/", status=302)
    assert moved.headers["Location"] == "https://mirror.example/simple/absent/"


# The access log

LINE = re.compile(r'(\S+) (\S+) "([A-Z]+) (\S+)" (\d{3}) (\d+|-) (\d+\.\d{3})(?: \w+="[^"]*")*\n')


def responding(body: bytes, *headers: tuple[str, str]) -> Application:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [*headers])
        return [body]

    return application


class Logged:
    """A client whose requests are logged, and the log."""

    def __init__(self, application: Any) -> None:
        self.stream = io.StringIO()
        self.log = AccessLog(application, self.stream)
        self.client = TestApp(self.log)

    @property
    def line(self) -> tuple[str, ...]:
        match = LINE.fullmatch(self.stream.getvalue())
        assert match, self.stream.getvalue()
        return match.groups()


def test_a_request_has_one_line(site: Site) -> None:
    logged = Logged(site)
    answer = logged.client.get("/api/v4/projects/1/packages/pypi/simple/", extra_environ={"REMOTE_ADDR": "192.0.2.7"})
    client, moment, method, path, status, length, _ = logged.line
    assert (client, method, path, status) == ("192.0.2.7", "GET", "/api/v4/projects/1/packages/pypi/simple/", "200")
    assert length == str(len(answer.body))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


def test_a_line_has_dashes_for_unknown_values() -> None:
    logged = Logged(responding(b"x", ("Content-Type", "text/plain")))
    logged.client.get("/")
    client, *_, length, _ = logged.line
    assert (client, length) == ("-", "-")


def test_a_line_contains_no_query_no_header_and_no_body(site: Site) -> None:
    logged = Logged(site)
    logged.client.post(
        "/api/v4/projects/1/packages/pypi?private_token=SECRET",
        {"name": "SECRET"},
        headers={
            "Authorization": "Basic SECRET",
            "PRIVATE-TOKEN": "SECRET",
            "Referer": "SECRET",
            "User-Agent": "SECRET",
            "Cookie": "SECRET",
            "X-Forwarded-For": "SECRET",
        },
        status="*",
    )
    assert "SECRET" not in logged.stream.getvalue()
    assert logged.line[3] == "/api/v4/projects/1/packages/pypi"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("/%0A127.0.0.1", "/%0A127.0.0.1", id="a line break"),
        pytest.param("/%0D%0A", "/%0D%0A", id="a carriage return"),
        pytest.param("/%22%20200%205", "/%22%20200%205", id="a quote and blanks"),
        pytest.param("/%1B%5B2J%07", "/%1B%5B2J%07", id="a terminal's commands"),
        pytest.param("/%00%7F", "/%00%7F", id="NUL and DEL"),
        pytest.param("/caf%C3%A9%E2%80%AE", "/caf%C3%A9%E2%80%AE", id="UTF-8"),
        pytest.param("/%FF%85", "/%FF%85", id="not UTF-8"),
        pytest.param("/%250A", "/%250A", id="a percent sign"),
        pytest.param("/%3Fprivate_token", "/%3Fprivate_token", id="a question mark"),
        pytest.param("/demo-1.0+local.1!:@,;=~", "/demo-1.0+local.1!:@,;=~", id="what needs no quotes"),
    ],
)
def test_nothing_in_a_path_can_forge_a_line(site: Site, path: str, shown: str) -> None:
    logged = Logged(site)
    logged.client.get(path, status=404)
    assert logged.line[3] == shown
    assert logged.stream.getvalue().isascii()


@pytest.mark.parametrize(
    ("method", "shown"),
    [("M-SEARCH", "M-SEARCH"), ('GE"T', "GE%22T"), ("\x1b[2JGET", "%1B%5B2JGET"), ("G\xc9T", "G%C3%89T")],
    ids=["a dash", "a quote", "a terminal's commands", "latin-1"],
)
def test_nothing_in_a_method_can_forge_a_line(site: Site, method: str, shown: str) -> None:
    stream = io.StringIO()
    run_wsgi_app(AccessLog(site, stream), create_environ() | {"REQUEST_METHOD": method})
    assert f' "{shown} /" 405 ' in stream.getvalue()
    assert stream.getvalue().isascii()


def test_a_request_whose_application_raises_has_a_line_and_the_exception_is_raised_on() -> None:
    def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise LookupError

    logged = Logged(failing)
    with pytest.raises(LookupError):
        logged.client.get("/")
    assert logged.line[4] == "500"


def test_the_server_receives_the_body_that_the_application_returned() -> None:
    body = [b"a file wrapper, say"]

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    def start_response(*_: object) -> Any:
        pass

    log = AccessLog(application, io.StringIO())
    assert log({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, start_response) is body


def test_requests_succeed_after_the_reader_of_the_log_has_closed_it(site: Site) -> None:
    class Broken(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    TestApp(AccessLog(site, Broken())).get("/", status=200)


def test_each_line_is_flushed_at_once(site: Site) -> None:
    flushed: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    TestApp(AccessLog(site, Stream())).get("/")
    assert LINE.fullmatch(flushed[-1])
