"""The pages of `serve`: the landing page, the way to sign in, and GitLab's "Package registry" pages."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from webtest import TestApp

from pypi_registry._api.links import API_PREFIX
from pypi_registry._cli import front as front_module
from pypi_registry._cli.site import Site
from pypi_registry._paths import fold
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, TokenKind, User, token_digest
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import Package, PackageQuery, Projects, Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHALLENGE = 'Basic realm="GitLab Packages Registry"'
PROGRAMS = {
    "curl": "*/*",
    "pip": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
    "uv": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
    "twine": "*/*",
    "requests": "*/*",
    "none": "",
    "json": "application/json, text/html;q=0.9",
}

PUBLIC, INTERNAL, PRIVATE = Visibility.PUBLIC, Visibility.INTERNAL, Visibility.PRIVATE
PATHS = {
    1: ("acme/open", PUBLIC),
    2: ("acme/inside", INTERNAL),
    3: ("acme/secret/plans", PRIVATE),
    4: ("other/hidden", PRIVATE),
}
NAMES = {1: "opendemo", 2: "insidedemo", 3: "plansdemo", 4: "hiddendemo"}


def token(secret: str, kind: TokenKind = TokenKind.PERSONAL, **options: Any) -> Token:
    scopes = {TokenKind.PERSONAL: {"api"}, TokenKind.DEPLOY: {"read_package_registry"}, TokenKind.JOB: set[str]()}
    return Token(sha256=token_digest(secret), kind=kind, scopes=frozenset(scopes[kind]), **options)


ACCOUNTS = Accounts(
    projects=[
        ProjectConfig(id=number, path=path, visibility=visibility) for number, (path, visibility) in PATHS.items()
    ],
    groups=[GroupConfig(path="acme", visibility=PUBLIC), GroupConfig(path="acme/secret")],
    users=[
        User(name="admin", admin=True),
        User(name="owner", roles={"acme": Role.OWNER}),
        User(name="guest", roles={"other/hidden": Role.GUEST}),
        User(name="nobody"),
        User(name="late", roles={"other/hidden": Role.DEVELOPER}),
    ],
    tokens=[
        *(token(name, user=name) for name in ("admin", "owner", "guest", "nobody", "late")),
        token("revoked", user="owner", revoked=True),
        token("deploy", TokenKind.DEPLOY, path="acme/secret"),
        token("job", TokenKind.JOB, user="owner", path="acme/inside"),
    ],
    forwarding=False,
)

# Who may see which projects
VISITORS: Mapping[str, Sequence[int]] = {
    "": [1],
    "wrong": [1],
    "revoked": [1],
    "nobody": [1, 2],
    "guest": [1, 2, 4],
    "owner": [1, 2, 3],
    "admin": [1, 2, 3, 4],
    "deploy": [1, 3],
}


class Front:
    """A browser, or another client, in front of a site in which every project has a package."""

    def __init__(self, catalogue: MemoryCatalogue | None = None) -> None:
        self.site = Site(ACCOUNTS.registry(catalogue=catalogue or MemoryCatalogue(), blobs=MemoryBlobs()))
        self.app: Any = TestApp(self.site, lint=True)
        for number, name in NAMES.items():
            self.publish(number, name, "1.0")

    def publish(self, project: int, name: str, version: str) -> None:
        files = [("content", f"{name}-{version}.tar.gz", distribution(f"{name}-{version}.tar.gz"))]
        form = {"name": name, "version": version}
        url = f"/api/v4/projects/{project}/packages/pypi"
        self.app.post(url, form, upload_files=files, headers=login("admin"), status=201)

    def get(self, path: str, secret: str = "", accept: str = BROWSER, **options: Any) -> Any:
        options.setdefault("status", 200)
        return self.app.get(path, headers={"Accept": accept, **login(secret)}, **options)


def login(secret: str) -> dict[str, str]:
    user = "gitlab-ci-token" if secret == "job" else "any"
    pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"} if secret else {}


@pytest.fixture(scope="module")
def front() -> Front:
    return Front()


def links(page: Any) -> Iterator[str]:
    """Return the paths to which the links of a page lead."""
    for href in re.findall('href="([^"]*)"', page.text):
        yield urlsplit(urljoin(page.request.url, unescape(href))).path


# What a visitor may see


@pytest.mark.parametrize("secret", VISITORS)
def test_the_landing_page_shows_the_projects_of_the_visitor_and_no_others(front: Front, secret: str) -> None:
    page = front.get("/", secret)
    for number, (path, _) in PATHS.items():
        assert (path in page.text) == (number in VISITORS[secret])
        assert (NAMES[number] in page.text) == (number in VISITORS[secret])
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in page.headers["Vary"]


@pytest.mark.parametrize(
    ("secret", "project", "group"),
    [
        pytest.param("", 1, "acme", id="a stranger: a public project, without a token"),
        pytest.param("nobody", 2, "acme", id="a user without a role: the first project by path"),
        pytest.param("owner", 2, "acme", id="a user with a role: one in which they may publish"),
        pytest.param("late", 4, None, id="also if it is not the first, and without the group that they may not read"),
        pytest.param("deploy", 1, "acme", id="a token that cannot publish"),
    ],
)
def test_the_commands_of_the_landing_page_name_a_project_of_the_visitor(
    front: Front, secret: str, project: int, group: str | None
) -> None:
    page = front.get("/", secret)
    commands = [unescape(text) for text in re.findall("<pre[^>]*><code>(.*?)</code>", page.text, re.DOTALL)]
    api, public = "http://localhost:80/api/v4", PATHS[project][1] is PUBLIC
    url = f"{api}/projects/{project}/packages/pypi"
    index = f"{url}/simple" if public else f"{url}/simple".replace("://", "://__token__:TOKEN@")
    assert commands[0] == f"twine upload --repository-url {url} --username __token__ --password TOKEN dist/*"
    assert f"repository = {url}\nusername = __token__\npassword = TOKEN" in commands[1]
    assert commands[2:5] == [
        "twine upload --repository gitlab dist/*",
        f"pip install NAME --index-url {index}",
        f"uv pip install NAME --default-index {index}",
    ]
    assert commands[-2:] == [f"export PIP_INDEX_URL={index}", f"export UV_DEFAULT_INDEX={index}"]
    of_group = [] if group is None else [ACCOUNTS.group(group)]
    assert commands[5:-2] == [
        f"pip install NAME --index-url {api}/groups/{each.id}/-/packages/pypi/simple" for each in of_group if each
    ]


@pytest.mark.parametrize("secret", VISITORS)
def test_a_search_finds_packages_of_the_visitor_and_no_others(front: Front, secret: str) -> None:
    page = front.get("/?package_name=demo", secret)
    assert {name for name in NAMES.values() if name in page.text} == {NAMES[number] for number in VISITORS[secret]}
    assert f"{len(VISITORS[secret])} version" in page.text


@pytest.mark.parametrize("secret", VISITORS)
def test_no_page_reveals_what_its_visitor_may_not_see(front: Front, secret: str) -> None:
    """Every link is followed, and every address that could exist is tried."""
    hidden = [
        word for number, (path, _) in PATHS.items() if number not in VISITORS[secret] for word in (NAMES[number], path)
    ]
    found = set[str]()
    waiting = ["/", "/?package_name=e", "/?package_name=demo&page=1", "/?page=1", "/acme", "/groups/acme", "/nothing"]
    for number, (path, _) in PATHS.items():
        waiting += [f"/{path}", f"/{path}/-/packages", f"/{path}/-/packages/{number}", f"/{path}/-/packages/99"]
        waiting += [f"{API_PREFIX}/projects/{number}{tail}" for tail in ("", "/packages", "/packages/1", "/packages/4")]
    for group in ("acme", "acme/secret", "other", "groups"):
        waiting += [f"/groups/{group}/-/packages", f"{API_PREFIX}/groups/{group.replace('/', '%2F')}/packages"]
    while waiting:
        url = waiting.pop()
        if url in found:
            continue
        found.add(url)
        answer = front.get(url, secret, status="*")
        asked = {*re.split(r"[/?=&]", url)}
        body = answer.body.decode("latin-1")
        for word in hidden:
            assert word not in body or asked & {*word.split("/")}, url
        if answer.status_int == 200 and answer.content_type == "text/html":
            followed = [*links(answer)]
            assert all(front.get(link, secret, status="*").status_int in (200, 302, 401) for link in followed)
            waiting += [link for link in followed if "download" not in link]


@pytest.mark.parametrize("secret", ["", "guest", "deploy"])
def test_a_group_above_has_a_link_only_for_those_who_may_list_it(front: Front, secret: str) -> None:
    number = VISITORS[secret][-1]
    page = front.get(f"/{PATHS[number][0]}/-/packages", secret)
    groups = [link for link in links(page) if link.startswith("/groups/")]
    assert (
        groups
        == {
            "": ["/groups/acme/-/packages"],
            "guest": [],
            "deploy": ["/groups/acme/-/packages", "/groups/acme/secret/-/packages"],
        }[secret]
    )


# Signing in


@pytest.mark.parametrize("secret", ["", "wrong", "revoked"])
@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_signing_in_asks_for_credentials(front: Front, secret: str, accept: str) -> None:
    answer = front.get("/sign-in", secret, accept, status=401)
    assert CHALLENGE in answer.headers.getall("WWW-Authenticate")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("secret", ["owner", "guest", "deploy", "nobody", "job"])
def test_after_signing_in_the_landing_page_follows(front: Front, secret: str) -> None:
    answer = front.get("/sign-in", secret, status=302)
    assert (
        urljoin("https://registry.example/pypi/sign-in", answer.headers["Location"]) == "https://registry.example/pypi/"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    name = {"deploy": "deploy token", "job": "owner"}.get(secret, secret)
    assert f"Signed in as {name}" in front.get("/", secret).text


@pytest.mark.parametrize(
    "query", ["?next=https://evil.example/", "?url=//evil.example", "?%0D%0ALocation:%20evil.example"]
)
def test_nothing_else_in_the_request_decides_where_signing_in_leads(front: Front, query: str) -> None:
    headers = {"Referer": "https://evil.example/", "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = front.app.get(f"/sign-in{query}", headers={**login("owner"), **headers}, status=302)
    assert answer.headers["Location"] == "./"
    front.app.get("/sign-in//evil.example", headers=login("owner"), status=404)


@pytest.mark.parametrize(
    "path",
    [
        "/acme/open/-/packages",
        "/acme/open/-/packages/1",
        "/api/v4/projects/1/packages",
        "/a b/caf\u00e9",
        "/a?b#c;d:e@f",
    ],
)
def test_after_signing_in_the_page_follows_that_the_address_names(front: Front, path: str) -> None:
    for site in ("https://registry.example", "https://registry.example/mounted/below"):
        location = front.get(f"/sign-in?{urlencode({'to': path})}", "owner", status=302).headers["Location"]
        assert urljoin(f"{site}/sign-in", location) == f"{site}{quote(path)}"


OPEN_REDIRECTS = [
    "https://evil.example/",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "///evil.example",
    "/acme//evil.example",
    "/https://evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/acme\\..\\evil",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\x00/evil.example",
    "/\x7f/evil.example",
    "/\x85/evil.example",
    "/\u2028/evil.example",
    "/\u202eevil.example",
    "/..",
    "/../evil",
    "/acme/../../evil",
    "/./evil",
    "/acme/.",
    "../evil",
    "./evil",
    ".//evil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example",
    "?x",
    "#x",
    "",
    "/",
    f"/{'a' * 2000}",
]


@pytest.mark.parametrize("to", OPEN_REDIRECTS)
def test_signing_in_leads_to_no_other_site(front: Front, to: str) -> None:
    """Also if a proxy decodes the address once more, or the text is encoded several times."""
    once = quote(to, safe="")
    everything = "".join(f"%{byte:02x}" for byte in to.encode())
    for encoded in {to if to.isascii() and to.isprintable() and "#" not in to else once, once, everything}:
        assert front.get(f"/sign-in?to={encoded}", "owner", status=302).headers["Location"] == "./"
    for again in (quote(once, safe=""), quote(quote(once, safe=""), safe=""), f"/{quote(once, safe='')}"):
        location = front.get(f"/sign-in?to={again}", "owner", status=302).headers["Location"]
        assert location == "./" or not re.search("%(?!20)", once)
    for query in (f"to=/acme&to={once}", f"to=//evil.example&to={once}"):
        assert front.get(f"/sign-in?{query}", "owner", status=302).headers["Location"] == "./"


@pytest.mark.parametrize(
    ("to", "query"),
    [
        ("/acme/open/-/packages", "package_name=demo&page=2"),
        ("/acme/open/-/packages", "package_name=caf%C3%A9+x&order_by=name"),
        ("/a?b", "c?d/e:@f"),
        ("", "package_name=acme"),
    ],
)
def test_after_signing_in_the_page_has_its_query(front: Front, to: str, query: str) -> None:
    location = front.get(f"/sign-in?{urlencode({'to': to, 'query': query})}", "owner", status=302).headers["Location"]
    assert (
        urljoin("https://registry.example/sign-in", location) == f"https://registry.example{quote(to or '/')}?{query}"
    )


@pytest.mark.parametrize("query", ["a#b", "a b", "a\r\nb: c", "a\\b", "caf\u00e9", "<b>", '"', "a" * 2001])
def test_a_query_that_no_redirect_may_contain_is_dropped(front: Front, query: str) -> None:
    address = f"/sign-in?{urlencode({'to': '/acme/open/-/packages', 'query': query})}"
    assert front.get(address, "owner", status=302).headers["Location"] == "./acme/open/-/packages"


def test_without_credentials_signing_in_asks_for_them_wherever_it_leads(front: Front) -> None:
    for to in ("/acme/open/-/packages", "//evil.example"):
        answer = front.get(f"/sign-in?to={to}", status=401)
        assert "Location" not in answer.headers and "evil" not in answer.text


PRIVATE_AND_MISSING = [
    ("/acme/secret/plans", "/acme/secret/none"),
    ("/other/hidden", "/other/none"),
    ("/groups/acme/secret", "/groups/acme/none"),
]


@pytest.mark.parametrize(("private", "missing"), PRIVATE_AND_MISSING)
def test_the_page_of_a_404_offers_to_sign_in_and_is_the_same_whether_the_address_exists(
    front: Front, private: str, missing: str
) -> None:
    page, other = front.get(private, status=404), front.get(missing, status=404)
    assert page.text.replace(private, missing) == other.text
    assert "If it is private, <a " in page.text
    [reference] = {href for href in re.findall('href="([^"]*)"', page.text) if "sign-in" in href}
    address = urljoin(f"https://registry.example/pypi{private}", unescape(reference))
    assert address == f"https://registry.example/pypi/sign-in?to={private}"
    location = front.get(address.removeprefix("https://registry.example/pypi"), "admin", status=302).headers["Location"]
    assert urljoin(address, location) == f"https://registry.example/pypi{private}"
    assert front.get(private, "admin", status=302).follow(headers=login("admin")).status_int == 200


def test_a_404_offers_to_sign_in_only_to_browsers_without_credentials(front: Front) -> None:
    for secret in ("owner", "wrong", "revoked"):
        assert "If it is private" not in front.get("/other/hidden", secret, status=404).text
    for accept in PROGRAMS.values():
        assert front.get("/other/hidden", accept=accept, status=404).json == {"error": "404 Not Found"}
    page = TestApp(front.site.registry, lint=True).get("/projects/9/packages", headers={"Accept": BROWSER}, status=404)
    assert "You may not see it" not in page.text and "sign" not in page.text, "there is no such page without serve"


@pytest.mark.parametrize("mount", ["", "/pypi"])
@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/acme/open/-/packages", "/acme/open/-/packages"),
        ("/acme/open/-/packages/1", "/acme/open/-/packages/1"),
        ("/api/v4/projects/acme%2Fopen/packages", "/api/v4/projects/acme/open/packages"),
        ("/", None),
        ("/%2525", None),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/a%0Ab", None),
        ("/a%5Cb", None),
        (f"/{'a' * 9000}", None),
    ],
)
def test_every_page_has_a_link_that_signs_in_and_returns(front: Front, path: str, to: str | None, mount: str) -> None:
    page = front.get(path, extra_environ={"SCRIPT_NAME": mount}, status="*")
    [reference] = {unescape(href) for href in re.findall('href="([^"]*)"', page.text) if "sign-in" in href}
    found = urlsplit(urljoin(f"https://registry.example{mount}{path}", reference))
    assert (found.netloc, found.path) == ("registry.example", f"{mount}/sign-in")
    assert found.query == ("" if to is None else f"to={to}")


@pytest.mark.parametrize(
    "address",
    ["/?package_name=x", "/acme/open/-/packages?package_name=de%20mo&page=1", "/api/v4/projects/1/packages?page=1"],
)
def test_the_link_that_signs_in_returns_to_the_search(front: Front, address: str) -> None:
    page = front.get(address, status="*")
    [reference] = {unescape(href) for href in re.findall('href="([^"]*)"', page.text) if "sign-in" in href}
    site = f"https://registry.example/pypi{address}"
    sign_in = urljoin(site, reference).removeprefix("https://registry.example/pypi")
    location = front.get(sign_in, "owner", status=302).headers["Location"]
    assert urljoin("https://registry.example/pypi/sign-in", location) == site
    again = front.get(sign_in, status=401)  # the page that a browser shows if the person cancels
    [reference] = {unescape(href) for href in re.findall('href="([^"]*)"', again.text) if "sign-in" in href}
    assert urljoin("https://registry.example/pypi/sign-in", reference) == f"https://registry.example/pypi{sign_in}"


# Addresses


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/acme/open/-/packages", "<h1>Package registry</h1>"),
        ("/Acme/OPEN/-/packages/", "<h1>Package registry</h1>"),
        ("/groups/acme/-/packages", "<h1>Package registry</h1>"),
        ("/acme/open/-/packages/1", "<h1>opendemo 1.0</h1>"),
        ("/acme/open/-/packages?package_name=open", "opendemo"),
    ],
)
@pytest.mark.parametrize("accept", [BROWSER, *PROGRAMS.values()])
def test_the_addresses_of_gitlabs_web_interface_are_pages_for_everyone(
    front: Front, path: str, words: str, accept: str
) -> None:
    page = front.get(path, accept=accept)
    assert page.content_type == "text/html" and words in page.text
    assert front.app.head(path, headers={"Accept": accept}).headers["Content-Length"] == str(len(page.body))


def test_the_web_path_and_the_web_url_of_the_api_lead_to_pages(front: Front) -> None:
    for project in VISITORS["owner"]:
        [package] = front.get(f"{API_PREFIX}/projects/{project}/packages", "owner", "*/*").json
        assert NAMES[project] in front.get(package["_links"]["web_path"], "owner").text
        url = front.get(f"{API_PREFIX}/projects/{project}", "owner", "*/*").json["web_url"]
        answer = front.get(urlsplit(url).path, "owner", status=302)
        assert NAMES[project] in answer.follow(headers=login("owner")).text
    url = front.get(f"{API_PREFIX}/groups/acme", accept="*/*").json["web_url"]
    assert "opendemo" in front.get(urlsplit(url).path, status=302).follow().text


def test_every_page_links_to_the_pages_around_it(front: Front) -> None:
    assert {"/acme/open/-/packages", "/acme/open/-/packages/1", "/sign-in"} <= {*links(front.get("/"))}
    around = {"/", "/groups/acme/-/packages", "/sign-in"}
    assert around | {"/acme/open/-/packages/1"} <= {*links(front.get("/acme/open/-/packages"))}
    assert around | {"/acme/open/-/packages"} <= {*links(front.get("/acme/open/-/packages/1"))}
    api = f"{API_PREFIX}/projects/1/packages"
    assert {"/", f"{api}/1", f"{API_PREFIX}/groups/{ACCOUNTS.group('acme').id}/packages"} <= {*links(front.get(api))}  # type: ignore[union-attr]  # it exists
    assert {"/", api} <= {link.rstrip("/") or "/" for link in links(front.get(f"{api}/1"))}


def test_a_number_is_a_path_at_the_addresses_of_the_web_interface(front: Front) -> None:
    front.get("/1/-/packages", status=404)
    front.get("/groups/1/-/packages", status=404)


@pytest.mark.parametrize("path", ["/api/v4", "/api/v4/"])
def test_a_browser_at_the_api_comes_to_the_landing_page_and_a_program_does_not(front: Front, path: str) -> None:
    location = front.get(path, status=302).headers["Location"]
    assert urljoin(f"https://registry.example/pypi{path}", location) == "https://registry.example/pypi/"
    for accept in PROGRAMS.values():
        assert front.get(path, accept=accept, status=404).json == {"error": "404 Not Found"}


@pytest.mark.parametrize("path", ["/", "/sign-in", "/acme/open/-/packages", "/acme/open/-/packages/1"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_only_show(front: Front, path: str, method: str) -> None:
    answer = front.app.request(path, method=method, headers=login("admin"), status=405)
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "opendemo" in front.get("/", "admin").text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/acme/open/-/packages/1", "/nothing"])
def test_a_page_of_another_origin_changes_nothing(front: Front, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", **login("admin")}
    answer = front.app.post(path, headers=headers, status=403)
    assert "another site" in answer.json["message"]


# Errors


MISSING = [
    "/nothing",
    "/acme/open/-/packages/99",
    "/acme/none/-/packages",
    "/api/v4/nothing",
    "/api/v4/projects/9/packages",
]


@pytest.mark.parametrize("path", MISSING)
def test_an_error_is_a_page_in_a_browser_and_json_elsewhere(front: Front, path: str) -> None:
    page = front.get(path, status=404)
    assert page.content_type == "text/html" and "<h1>404 " in page.text
    assert "/" in [*links(page)]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for accept in PROGRAMS.values():
        assert front.get(path, accept=accept, status=404).content_type == "application/json"


PROJECT = "/api/v4/projects/1/packages"
FOR_PROGRAMS = [
    ("GET", f"{PROJECT}/pypi/simple/none/", 404),
    ("GET", "/api/v4/projects/9/packages/pypi/simple/", 404),
    ("GET", "/api/v4/projects/3/packages/pypi/simple/", 401),
    ("GET", f"{PROJECT}/pypi/files/{64 * 'a'}/none-1.0.tar.gz", 404),
    ("GET", f"{PROJECT}/pypi/files/{64 * 'a'}/none-1.0.tar.gz.metadata", 404),
    ("GET", f"{PROJECT}/pypi/nothing", 404),
    ("GET", f"{PROJECT}/pypi", 405),
    ("POST", f"{PROJECT}/pypi", 401),
    ("POST", f"{PROJECT}/pypi/simple", 405),
    ("GET", f"{PROJECT}/1/package_files/99/download", 404),
    ("GET", "/api/v4/groups/acme/-/packages/pypi/simple/none/", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), FOR_PROGRAMS)
def test_simple_pages_files_and_uploads_have_no_page_for_an_error(
    front: Front, method: str, path: str, status: int
) -> None:
    for accept in (BROWSER, "text/html"):  # which is all that pip accepted before version 22
        answer = front.app.request(path, method=method, headers={"Accept": accept}, status=status)
        assert answer.content_type == "application/json"


def test_a_store_that_cannot_answer_is_a_page_too() -> None:
    class Failing(MemoryCatalogue):
        is_broken = False

        def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
            if self.is_broken:
                raise StorageUnavailable("the disk is gone")
            return super().packages(projects, query)

    catalogue = Failing()
    front = Front(catalogue)
    catalogue.is_broken = True
    page = front.get("/", status=503)
    assert page.content_type == "text/html" and page.headers["Retry-After"]
    assert front.get("/", accept="*/*", status=503).content_type == "application/json"


@pytest.mark.parametrize("query", ["page=0", "page=x", f"package_name={300 * 'a'}"])
def test_a_malformed_query_is_400(front: Front, query: str) -> None:
    assert "<h1>400 " in front.get(f"/?{query}", status=400).text


# Pages of long lists


def test_the_projects_are_paged_by_path() -> None:
    many = [ProjectConfig(id=number + 1, path=f"group/p{number:03}", visibility=PUBLIC) for number in range(120)]
    site = Site(Accounts(projects=many[::-1]).registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs()))
    app, shown = TestApp(site, lint=True), list[str]()
    page = app.get("/")
    for _ in range(3):
        shown += re.findall(">(group/p[0-9]+)</a>", page.text)
        page = page.click("Next page") if "Next page" in page.text else page
    assert shown == [f"group/p{number:03}" for number in range(120)]
    assert app.get("/?page=999", status=200)


def test_the_projects_are_sorted_once_for_all_visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"group/p{number:02}" for number in range(60)]
    accounts = Accounts(
        projects=[ProjectConfig(id=number + 1, path=path) for number, path in enumerate(paths)][::-1],
        users=[User(name=f"user{number}", roles=dict.fromkeys(paths[number::7], Role.GUEST)) for number in range(40)],
        tokens=[token(f"user{number}", user=f"user{number}") for number in range(40)],
    )
    app = TestApp(Site(accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())), lint=True)
    folded = list[str]()

    def recorded(path: str) -> str:
        folded.append(path)
        return fold(path)

    monkeypatch.setattr(front_module, "fold", recorded)
    for _ in range(2):
        for number in range(40):
            page = app.get("/", headers=login(f"user{number}"))
            assert re.findall(">(group/p[0-9]+)</a>", page.text) == paths[number::7]
    assert sorted(folded) == paths


def test_a_package_is_listed_once_at_its_newest_version() -> None:
    front = Front()
    for number in range(60):
        front.publish(1, "often", f"1.{number}")
    front.publish(1, "once", "1.0")
    page = front.get("/acme/open/-/packages")
    names = re.findall(r'packages/\d+">(\w+)</a></th>', page.text)
    assert names == ["once", "often", "opendemo"]
    assert "1.59" in page.text and ">60</td>" in page.text and "62 versions" in page.text
    assert "Next page" not in page.text
    shown = front.get("/acme/open/-/packages").click("often")
    versions = re.findall(r"<li>(?:<strong[^>]*>|<a [^>]*>)(1\.\d+)<", shown.text)
    assert versions == [f"1.{number}" for number in range(59, -1, -1)]


def test_a_page_reads_a_bounded_number_of_versions() -> None:
    class Counting(MemoryCatalogue):
        read = 0

        def packages(self, projects: Projects, query: PackageQuery) -> tuple[Sequence[Package], int | None]:
            found, total = super().packages(projects, query)
            self.read += len(found)
            return found, total

    catalogue = Counting()
    front = Front(catalogue)
    for number in range(30):
        front.publish(1, "often", f"1.{number}")
    for number in range(45):
        front.publish(1, f"other{number}", "1.0")
    catalogue.read = 0
    front.get("/acme/open/-/packages")
    assert catalogue.read <= 21 + 20  # a page and one more, and the newest version of each


def test_a_group_that_the_caller_must_not_see_is_as_one_that_does_not_exist(front: Front) -> None:
    for secret in ("guest", "nobody"):
        answers = [
            front.get(f"/groups/{path}/-/packages", secret, status="*") for path in ("acme/secret", "acme/absent")
        ]
        assert answers[0].status == answers[1].status
        assert answers[0].text.replace("secret", "absent") == answers[1].text


def test_a_refused_sign_in_leads_to_the_same_page_again(front: Front) -> None:
    page = front.get("/sign-in?to=/acme/secret/plans/-/packages", status=401)
    assert "/sign-in" in links(page)
    assert "sign-in?to=/acme/secret/plans/-/packages" in unescape(page.text)
    assert "to=/sign-in" not in front.get("/sign-in", status=401)
