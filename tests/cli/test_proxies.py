"""``serve --proxies N`` and ``--url``: what decides under which URL a client reaches the registry, and from where."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.main import main
from pypi_registry._cli.proxies import PublicURL, at_url, behind_proxies
from pypi_registry._cli.site import Site
from pypi_registry.events import Event
from pypi_registry.testing.archives import distribution

DIRECT, DIRECT_ADDRESS = "http://registry.internal:8080", "10.0.0.1"
PACKAGES = "/api/v4/projects/1/packages"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


class Served:
    """What `serve` serves behind N proxies, and what it makes known of a client."""

    def __init__(self, proxies: int, url: PublicURL | None = None) -> None:
        self.log, self.events = io.StringIO(), list[Event]()
        application = at_url(AccessLog(Site(Registry(on_event=self.events.append)), self.log), url)
        direct = {"REMOTE_ADDR": DIRECT_ADDRESS, "HTTP_HOST": "registry.internal:8080", "SERVER_PORT": "8080"}
        self.client: Any = TestApp(behind_proxies(application, proxies), extra_environ=direct)

    def publish(self, headers: Mapping[str, str], status: int = 201) -> None:
        files = [("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))]
        form = {"name": "demo", "version": "1.0"}
        self.client.post(f"{PACKAGES}/pypi", form, upload_files=files, headers=dict(headers), status=status)

    def get(self, path: str, headers: Mapping[str, str]) -> Any:
        return self.client.get(path, headers=dict(headers), status=200)


# The number of proxies, the headers that arrive -> the URL at which the client reaches the server, its address
FORWARDED: list[tuple[int, Mapping[str, str], str, str]] = [
    (0, {}, DIRECT, DIRECT_ADDRESS),
    (
        0,
        {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Prefix": "/evil",
            "X-Forwarded-For": "192.0.2.66",
            "X-Forwarded-Port": "66",
            "Forwarded": "for=192.0.2.66;host=evil.example;proto=https",
        },
        DIRECT,
        DIRECT_ADDRESS,
    ),
    (1, {}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Proto": "https"}, "https://registry.internal:8080", DIRECT_ADDRESS),
    (1, {"X-Forwarded-Proto": "https", "Host": "packages.example"}, "https://packages.example", DIRECT_ADDRESS),
    (
        1,
        {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "packages.example:8443",
            "X-Forwarded-Prefix": "/pypi",
            "X-Forwarded-For": "192.0.2.7",
        },
        "https://packages.example:8443/pypi",
        "192.0.2.7",
    ),
    # What the client sends comes first, what the proxy appends comes last.
    (
        1,
        {
            "X-Forwarded-Proto": "http, https",
            "X-Forwarded-Host": "evil.example, packages.example",
            "X-Forwarded-Prefix": "/evil, /pypi",
            "X-Forwarded-For": "192.0.2.66, 192.0.2.7",
        },
        "https://packages.example/pypi",
        "192.0.2.7",
    ),
    (
        2,
        {
            "X-Forwarded-Proto": "http, https, http",
            "X-Forwarded-Host": "evil.example, packages.example, inner.example",
            "X-Forwarded-Prefix": "/evil, /outer, /inner",
            "X-Forwarded-For": "192.0.2.66, 192.0.2.7, 10.0.0.2",
        },
        "https://packages.example/outer",
        "192.0.2.7",
    ),
    # Only one of the two proxies has sent a value: it may be the client's.
    (2, {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.66"}, DIRECT, DIRECT_ADDRESS),
    # These are never trusted.
    (1, {"X-Forwarded-Port": "66", "Forwarded": "host=evil.example;proto=https"}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "on", "X-Scheme": "https"}, DIRECT, DIRECT_ADDRESS),
    # What is not a scheme, a host, a path or an address is ignored.
    (1, {"X-Forwarded-Proto": "HTTPS"}, "https://registry.internal:8080", DIRECT_ADDRESS),
    (1, {"X-Forwarded-Proto": "javascript"}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Host": 'evil"><script>'}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Host": "user@evil.example"}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Host": "[::1]:8443"}, "http://[::1]:8443", DIRECT_ADDRESS),
    (1, {"X-Forwarded-Prefix": "pypi"}, f"{DIRECT}/pypi", DIRECT_ADDRESS),
    (1, {"X-Forwarded-Prefix": "//evil.example/"}, f"{DIRECT}/evil.example", DIRECT_ADDRESS),
    (1, {"X-Forwarded-Prefix": "/"}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-Prefix": "/a><b"}, f"{DIRECT}/a%3E%3Cb", DIRECT_ADDRESS),
    (1, {"X-Forwarded-For": "192.0.2.7:4711"}, DIRECT, "192.0.2.7"),
    (1, {"X-Forwarded-For": '"[2001:db8::1]:4711"'}, DIRECT, "2001:db8::1"),
    (1, {"X-Forwarded-For": "2001:DB8:0::1"}, DIRECT, "2001:db8::1"),
    (1, {"X-Forwarded-For": "unknown"}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-For": '"127.0.0.1 2026-01-01T00:00:00Z GET"'}, DIRECT, DIRECT_ADDRESS),
    (1, {"X-Forwarded-For": "fe80::1%a b"}, DIRECT, DIRECT_ADDRESS),
]


@pytest.mark.parametrize(("proxies", "headers", "url", "address"), FORWARDED)
def test_every_absolute_url_is_the_clients(proxies: int, headers: Mapping[str, str], url: str, address: str) -> None:
    served, api = Served(proxies), f"{url}/api/v4"
    served.publish(headers)
    landing = served.get("/", headers)
    shown = served.get(f"{PACKAGES}/1", {**headers, **BROWSER})
    listed = served.get(PACKAGES, headers)
    assert f"twine upload --repository-url {api}/projects/1/packages/pypi" in landing.text
    scheme, _, rest = api.partition("://")
    assert f"pip install NAME --index-url {api}/projects/1/packages/pypi/simple" in landing.text
    assert f"pip install demo --index-url {api}/projects/1/packages/pypi/simple" in shown.text
    assert f"repository = {api}/projects/1/packages/pypi\n" in shown.text
    assert listed.json[0]["_links"]["delete_api_path"] == f"{api}/projects/1/packages/1"
    assert {link.partition("?")[0] for link in re.findall("<(.*?)>", listed.headers["Link"])} == {
        f"{api}/projects/1/packages"
    }
    pages = [served.get(f"{PACKAGES}/{page}", headers) for page in ("pypi/simple/", "pypi/simple/demo/")]
    for page in pages:
        assert "://" not in page.text
    for page in (landing, shown, served.get(PACKAGES, {**headers, **BROWSER})):
        assert not re.findall('href="[a-z]+:', page.text)
    assert "evil.example" not in rest.partition("/")[0]
    whole = "".join(f"{page.headers}{page.text}" for page in (landing, shown, listed, *pages))
    assert set(re.findall(r"(https?)://", whole)) == {scheme}
    assert {line.split()[0] for line in served.log.getvalue().splitlines()} == {address}
    assert [event.actor.address for event in served.events] == [address]


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_pages_for_installers_depend_on_no_header(proxies: int) -> None:
    """Caches, uv.lock and poetry.lock have the same URLs, whatever a proxy or a client sends."""
    served = Served(proxies)
    served.publish({})
    for path in ("pypi/simple", "pypi/simple/", "pypi/simple/demo", "pypi/simple/demo/"):
        pages = set()
        for _, headers, _, _ in FORWARDED:
            page = served.get(f"{PACKAGES}/{path}", headers)
            pages.add((page.body, page.headers["ETag"]))
        assert len(pages) == 1


@pytest.mark.parametrize(
    ("proxies", "forwarded", "origin", "status"),
    [
        (1, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example"}, "https://packages.example", 201),
        (1, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example"}, "http://packages.example", 403),
        (1, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example"}, DIRECT, 403),
        (1, {"X-Forwarded-Host": "evil.example, packages.example"}, "http://evil.example", 403),
        (0, {"X-Forwarded-Host": "evil.example"}, "http://evil.example", 403),
        (2, {"X-Forwarded-Host": "evil.example"}, "http://evil.example", 403),
        (0, {}, DIRECT, 201),
    ],
)
def test_the_origin_of_a_browser_is_compared_with_the_forwarded_one(
    proxies: int, forwarded: Mapping[str, str], origin: str, status: int
) -> None:
    Served(proxies).publish({**forwarded, "Origin": origin}, status)


def test_the_access_log_has_the_path_that_the_client_used() -> None:
    served = Served(1)
    served.client.get("/api/v4/nowhere", headers={"X-Forwarded-Prefix": "/pypi"}, status=404)
    assert '"GET /pypi/api/v4/nowhere" 404' in served.log.getvalue()


def test_a_request_without_a_host_keeps_none() -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [])
        return []

    environ = {"REMOTE_ADDR": "", "wsgi.url_scheme": "http", "SERVER_NAME": "a", "SERVER_PORT": "1"}
    environ["HTTP_X_FORWARDED_HOST"] = "not a host"
    [*behind_proxies(application, 1)(environ, lambda *_: None)]  # type: ignore[arg-type]  # a start_response for a test
    assert "HTTP_HOST" not in seen[0]
    assert (seen[0]["SERVER_NAME"], seen[0]["SERVER_PORT"], seen[0]["SCRIPT_NAME"]) == ("a", "1", "")


# --url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://packages.example", "https://packages.example"),
        ("https://packages.example/", "https://packages.example"),
        ("HTTPS://Packages.Example:8443/", "https://packages.example:8443"),
        ("http://[::1]:8080/pypi/", "http://[::1]:8080/pypi"),
        ("https://packages.example/a/b-c_d.e~f", "https://packages.example/a/b-c_d.e~f"),
    ],
)
def test_a_public_url_is_parsed(text: str, url: str) -> None:
    assert str(PublicURL.parse(text)) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "begin with"),
        ("packages.example", "begin with"),
        ("//packages.example", "begin with"),
        ("ftp://packages.example", "begin with"),
        ("javascript:alert(1)", "begin with"),
        ("https://", "host"),
        ("https:///pypi", "host"),
        ("https://packages.example:0", "host"),
        ("https://packages.example:99999", "not a URL"),
        ("https://packages.example:x", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://a b", "characters"),
        ("https://packages.example\n", "characters"),
        ("https://päckages.example", "xn--"),
        ("https://ada:secret@packages.example", "password"),
        ("https://@packages.example", "password"),
        ("https://packages.example/?", "query"),
        ("https://packages.example/?a=b", "query"),
        ("https://packages.example/#", "fragment"),
        ("https://packages.example/a//b", "slashes"),
        ("https://packages.example/../a", "slashes"),
        ("https://packages.example/%2e", "slashes"),
        ('https://packages.example/"><script>', "slashes"),
    ],
)
def test_what_is_no_public_url_is_refused_with_the_reason(
    text: str, problem: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=problem):
        PublicURL.parse(text)
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--data", str(tmp_path / "data"), f"--url={text}"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert problem in err and "secret" not in err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize("url", ["https://packages.example", "https://packages.example:8443/pypi"])
def test_with_a_public_url_no_request_changes_an_absolute_url(proxies: int, url: str) -> None:
    served = Served(proxies, PublicURL.parse(url))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    headers["X-Forwarded-Prefix"] = "/evil"
    served.publish(headers)
    pages = [served.get(path, headers) for path in ("/", PACKAGES, f"{PACKAGES}/pypi/simple/demo/")]
    pages += [served.get(path, {**headers, **BROWSER}) for path in (PACKAGES, f"{PACKAGES}/1")]
    whole = "".join(f"{page.headers}{page.text}" for page in pages).replace("__token__:TOKEN@", "")
    assert "evil" not in whole
    assert {*re.findall(r"https?://[^\s<>\"']*?(?=/api/v4)", whole)} == {url}
    assert pages[1].json[0]["_links"]["web_path"].startswith(urlsplit(url).path + "/")
    # A browser sends the origin that it sees; a page of any other origin changes nothing.
    assert served.client.post("/", headers={"Origin": "http://evil.example"}, status=403)
    assert served.client.post("/", headers={"Origin": url.removesuffix("/pypi")}, status=405)
