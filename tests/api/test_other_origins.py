"""A browser attaches stored Basic credentials to what a page of another origin makes it send (CSRF)."""

import base64
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import Project, Registry
from pypi_registry._cli.site import Site
from pypi_registry._http.request import Request
from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.model import PackageQuery, Projects
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ACCOUNTS = Accounts(
    projects=[ProjectConfig(id=1, path="acme/tools")],
    users=[User(name="ada", roles={"acme": Role.OWNER})],
    tokens=[Token(user="ada", scopes=frozenset({"api"}), sha256=token_digest("secret"))],
)
TOOLS = Projects([Project(1, "acme/tools")])
LOGINS = {
    "Basic": {"Authorization": f"Basic {base64.b64encode(b'ada:secret').decode()}"},
    "PRIVATE-TOKEN": {"PRIVATE-TOKEN": "secret"},
    "Bearer": {"Authorization": "Bearer secret"},
}
PLACE = "/api/v4/projects/1/packages"
FOREIGN = {"Origin": "http://evil.example"}
SENT = (FOREIGN, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"})

HTTP, TLS = "http://registry.example", "https://registry.example"

# The URL that the client uses, what a browser sends, whether it is a page of the registry's own origin
CASES: list[tuple[str, Mapping[str, str], bool]] = [
    (HTTP, {}, True),  # a program
    (HTTP, {"Origin": HTTP}, True),
    (HTTP, {"Origin": "http://registry.example:80"}, True),
    (HTTP, {"Origin": "HTTP://Registry.Example"}, True),
    (HTTP, {"Origin": "http://evil.example"}, False),
    (HTTP, {"Origin": "http://registry.example:8080"}, False),
    (HTTP, {"Origin": "http://registry.example.evil.example"}, False),
    (HTTP, {"Origin": "http://evil-registry.example"}, False),
    (HTTP, {"Origin": "http://sub.registry.example"}, False),
    (HTTP, {"Origin": "http://registry.example@evil.example"}, False),
    (HTTP, {"Origin": "http://registry.example/"}, False),
    (HTTP, {"Origin": "http://registry.example http://evil.example"}, False),
    (HTTP, {"Origin": "http://registry.example, http://evil.example"}, False),
    (HTTP, {"Origin": "registry.example"}, False),
    (HTTP, {"Origin": "//registry.example"}, False),
    (HTTP, {"Origin": "ftp://registry.example"}, False),
    (HTTP, {"Origin": "null"}, False),
    (HTTP, {"Origin": "file://"}, False),
    (HTTP, {"Origin": "chrome-extension://registry.example"}, False),
    ("http://registry.example:80", {"Origin": HTTP}, True),
    ("http://registry.example:8080", {"Origin": "http://registry.example:8080"}, True),
    ("http://registry.example:8080", {"Origin": HTTP}, False),
    ("http://REGISTRY.example", {"Origin": HTTP}, True),
    ("http://[::1]:8080", {"Origin": "http://[::1]:8080"}, True),
    ("http://[::1]:8080", {"Origin": "http://[::2]:8080"}, False),
    # TLS may end at a proxy that does not forward the scheme: then the host is compared.
    (HTTP, {"Origin": TLS}, True),
    (HTTP, {"Origin": "https://registry.example:443"}, True),
    (HTTP, {"Origin": "https://registry.example:8443"}, False),
    ("http://registry.example:8443", {"Origin": "https://registry.example:8443"}, True),
    (HTTP, {"Origin": "https://evil.example"}, False),
    (TLS, {"Origin": TLS}, True),
    (TLS, {"Origin": "https://registry.example:443"}, True),
    (TLS, {"Origin": HTTP}, False),
    (TLS, {"Origin": "http://registry.example:443"}, False),
    (TLS, {"Origin": "null"}, False),
    # Where a browser sends Sec-Fetch-Site, that header decides.
    (TLS, {"Sec-Fetch-Site": "same-origin"}, True),
    (TLS, {"Sec-Fetch-Site": "none"}, True),
    (TLS, {"Sec-Fetch-Site": "same-site"}, False),
    (TLS, {"Sec-Fetch-Site": "cross-site"}, False),
    (TLS, {"Sec-Fetch-Site": "something-new"}, False),
    (TLS, {"Sec-Fetch-Site": "cross-site", "Origin": TLS}, False),
    (TLS, {"Sec-Fetch-Site": "same-site", "Origin": TLS}, False),
    ("http://internal.example", {"Sec-Fetch-Site": "same-origin", "Origin": TLS}, True),
]


@pytest.mark.parametrize(("url", "sent", "own"), CASES)
def test_what_a_page_of_another_origin_sends_is_refused_and_changes_nothing(
    url: str, sent: Mapping[str, str], own: bool
) -> None:
    catalogue = MemoryCatalogue()
    client = TestApp(Site(ACCOUNTS.registry(catalogue=catalogue, blobs=MemoryBlobs())))
    scheme, _, host = url.partition("://")
    client.extra_environ.update({"wsgi.url_scheme": scheme})
    answer = publish(client, {**sent, "Host": host, **LOGINS["Basic"]})
    assert answer.status_int == (201 if own else 403)
    assert catalogue.packages(TOOLS, PackageQuery())[1] == own


def publish(client: Any, headers: Mapping[str, str]) -> Any:
    form, content = {"name": "demo", "version": "1.0"}, distribution("demo-1.0.tar.gz")
    files = [("content", "demo-1.0.tar.gz", content)]
    return client.post(f"{PLACE}/pypi", form, upload_files=files, headers=dict(headers), status="*")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nowhere",
        "/api/v4/nowhere",
        PLACE,
        f"{PLACE}/1",
        f"{PLACE}/1/package_files",
        f"{PLACE}/1/package_files/1",
        f"{PLACE}/1/package_files/1/download",
        f"{PLACE}/pypi",
        f"{PLACE}/pypi/simple",
        f"{PLACE}/pypi/simple/demo",
        f"{PLACE}/pypi/files/{64 * '0'}/demo-1.0.tar.gz",
        "/api/v4/projects/2/packages/pypi",
        "/api/v4/groups/acme/-/packages/pypi",
    ],
)
def test_every_method_that_may_change_something_is_refused_at_every_address(site: TestApp, path: str) -> None:
    for method, login, sent in product(("POST", "PUT", "PATCH", "DELETE"), LOGINS.values(), SENT):
        answer = site.request(path, method=method, body=b"{}", headers={**sent, **login}, status=403)
        assert answer.json == {"message": "403 Forbidden - a browser sent this request for another site"}


@pytest.fixture(scope="module")
def site() -> TestApp:
    catalogue, blobs = MemoryCatalogue(), MemoryBlobs()
    client = TestApp(Site(ACCOUNTS.registry(catalogue=catalogue, blobs=blobs)))
    assert publish(client, LOGINS["Basic"]).status_int == 201
    return client


@pytest.mark.parametrize("path", ["/", PLACE, f"{PLACE}/1", f"{PLACE}/pypi/simple/", f"{PLACE}/pypi/simple/demo/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_is_for_pages_of_other_origins_too(site: TestApp, path: str, method: str) -> None:
    answer = site.request(path, method=method, headers={**FOREIGN, **LOGINS["Basic"]}, status="*")
    assert answer.status_int in (200, 204, 405)


def test_no_body_is_read_and_nobody_is_asked_for_a_foreign_page() -> None:
    class Untouched:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    nobody: Any = Untouched()
    registry = Registry(directory=nobody, auth=nobody, catalogue=nobody, blobs=nobody)
    TestApp(registry).post("/projects/1/packages/pypi", {"name": "demo"}, headers=FOREIGN, status=403)


@pytest.mark.parametrize("prefix", ["", "/api/v4", "/deep/er/api/v4"])
def test_a_mounted_registry_refuses_and_the_application_around_it_decides_for_itself(prefix: str) -> None:
    def application(environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"of the application"]

    client = TestApp(Registry(fallback=application), extra_environ={"SCRIPT_NAME": prefix})
    client.post("/projects/1/packages/pypi", headers=FOREIGN, status=403)
    assert client.post("/issues", headers=FOREIGN, status=200).body == b"of the application"


def test_an_empty_header_is_none() -> None:
    environ = {"REQUEST_METHOD": "POST", "wsgi.url_scheme": "http", "HTTP_ORIGIN": "", "HTTP_SEC_FETCH_SITE": ""}
    assert not Request(environ).is_cross_origin
