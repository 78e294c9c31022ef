"""Which form of a page a client gets, and when it is compressed: by tables, and over HTTP."""

import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import Client as WerkzeugClient
from werkzeug.test import TestResponse

from pypi_registry import Registry
from pypi_registry._api.negotiation import negotiate
from pypi_registry._http.negotiation import accepts_gzip, prefers_html
from pypi_registry._pages.simple import MediaType
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

JSON, HTML, TEXT_HTML = MediaType.JSON, MediaType.HTML, MediaType.TEXT_HTML
V1 = "application/vnd.pypi.simple.v1"
LATEST = "application/vnd.pypi.simple.latest"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def simple_media_type(accept: str, query: str = "") -> MediaType:
    return negotiate(accept, "", query).media_type


# The media type of a page

ACCEPTED = [
    pytest.param(f"{V1}+json, {V1}+html; q=0.1, text/html; q=0.01", JSON, id="pip since 22.2, pdm"),
    pytest.param(f"{V1}+json, {V1}+html;q=0.2, text/html;q=0.01", JSON, id="uv"),
    pytest.param(f"{V1}+json, */*;q=0.1", JSON, id="poetry"),
    pytest.param(f"{V1}+json, {V1}+html, text/html;q=0.01", JSON, id="pypi-simple"),
    pytest.param("application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7", TEXT_HTML, id="uv, of an upload"),
    pytest.param("text/html", TEXT_HTML, id="pip before 22.2"),
    pytest.param("*/*", TEXT_HTML, id="hatch, curl, requests"),
    pytest.param("", TEXT_HTML, id="urllib, no header"),
    pytest.param("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", TEXT_HTML, id="Java"),
    pytest.param(CHROME, TEXT_HTML, id="Chrome"),
    pytest.param(FIREFOX, TEXT_HTML, id="Firefox"),
    pytest.param("text/*", TEXT_HTML, id="any text"),
    pytest.param("application/*", JSON, id="any application"),
    pytest.param("application/*;q=0.1, text/html", TEXT_HTML, id="rather HTML than any application"),
    pytest.param(f"{V1}+json", JSON, id="JSON alone"),
    pytest.param(f"{V1}+html", HTML, id="HTML alone"),
    pytest.param(f"{LATEST}+json", JSON, id="latest JSON"),
    pytest.param(f"{LATEST}+html", HTML, id="latest HTML"),
    pytest.param(f"{LATEST}+html;q=0.9, {LATEST}+json;q=0.3", HTML, id="latest with q"),
    pytest.param(f"{V1}+json;q=0.5, text/html", TEXT_HTML, id="q-values against JSON"),
    pytest.param(f"text/html;q=0.9, {V1}+json", JSON, id="q-values for JSON"),
    pytest.param(f"{V1}+json;q=0.001, {V1}+html;q=0", JSON, id="a very small q"),
    pytest.param(f"{V1}+json;q=0, text/html;q=0.1", TEXT_HTML, id="JSON excluded"),
    pytest.param(f"{V1}+json;q=0, */*", TEXT_HTML, id="JSON excluded from all"),
    pytest.param(V1.upper() + "+JSON", JSON, id="upper case"),
    pytest.param(LATEST.upper() + "+JSON;Q=0.5", JSON, id="latest in upper case"),
    pytest.param(f"  {V1}+json  ,text/html ; q=0.1", JSON, id="blanks"),
    pytest.param("application/json", TEXT_HTML, id="another JSON"),
    pytest.param("application/vnd.pypi.simple.v2+json", TEXT_HTML, id="a version to come"),
    pytest.param(f"application/vnd.pypi.simple.v2+json, {V1}+json;q=0.5", JSON, id="a version to come, or ours"),
    pytest.param("image/png", TEXT_HTML, id="a picture"),
    pytest.param("text/html;q=0", TEXT_HTML, id="nothing at all"),
    pytest.param("text/html;q=2", TEXT_HTML, id="an impossible q"),
    pytest.param("garbage,,;;=,/,q=1", TEXT_HTML, id="garbage"),
    pytest.param("\x00\xff", TEXT_HTML, id="worse garbage"),
]


@pytest.mark.parametrize(("accept", "form"), ACCEPTED)
def test_a_page_has_a_form_for_everybody(accept: str, form: MediaType) -> None:
    assert simple_media_type(accept) is form
    assert simple_media_type(accept) is form  # cached


@pytest.mark.parametrize("accept", [f"{V1}+json", "text/html", "image/png"])
@pytest.mark.parametrize(
    ("query", "form"),
    [
        pytest.param(f"format={V1}%2Bjson", JSON, id="JSON"),
        pytest.param(f"format={V1}%2bhtml", HTML, id="HTML"),
        pytest.param("format=text/html", TEXT_HTML, id="text/html"),
        pytest.param("format=text%2Fhtml", TEXT_HTML, id="text/html, quoted"),
        pytest.param(f"format={quote(V1 + '+json', safe='')}", JSON, id="all quoted"),
        pytest.param(f"format={V1}+json", JSON, id="a plus that nobody quoted"),
        pytest.param(f"format={V1}%20json", JSON, id="a plus that became a blank"),
        pytest.param(f"format={LATEST}%2Bjson", JSON, id="latest JSON"),
        pytest.param(f"format={LATEST}+html", HTML, id="latest HTML"),
        pytest.param(f"format={V1.upper()}%2BJSON", JSON, id="upper case"),
        pytest.param(f"x=1&format={V1}%2Bhtml&y=2", HTML, id="among others"),
        pytest.param(f"format=pdf&format={V1}%2Bjson", JSON, id="the first that is known"),
        pytest.param(f"format={V1}%2Bjson&format=text/html", JSON, id="the first of two"),
    ],
)
def test_a_form_named_in_the_address_comes_before_what_is_accepted(query: str, form: MediaType, accept: str) -> None:
    assert simple_media_type(accept, query) is form


@pytest.mark.parametrize(("accept", "form"), [(f"{V1}+json", JSON), ("", TEXT_HTML)])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "format",
        "format=",
        "format=json",
        "format=application/json",
        f"format={V1.replace('v1', 'v2')}%2Bjson",
        f"format={V1}%252Bjson",
        f"formats={V1}%2Bhtml",
        f"FORMAT={V1}%2Bhtml",
        "format=%ff%00",
        "=&&;;%",
        f"format={V1}%2Bhtml;q=0.5",
    ],
)
def test_a_form_that_nobody_knows_leaves_it_to_what_is_accepted(query: str, accept: str, form: MediaType) -> None:
    assert simple_media_type(accept, query) is form


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (CHROME, True),
        (FIREFOX, True),
        ("text/html", True),
        ("text/*", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("application/json;q=0.5, text/html", True),
        ("image/png", False),
    ],
)
def test_who_prefers_html_is_a_person_with_a_browser(accept: str, expected: bool) -> None:
    assert prefers_html(accept) is expected


def test_only_the_beginning_of_a_header_is_read() -> None:
    # Werkzeug would take minutes for the blanks.
    blanks = 200_000 * " "
    assert simple_media_type(f"a/b{blanks}x") is TEXT_HTML
    assert simple_media_type(f"{JSON}{blanks}") is JSON
    assert simple_media_type(f"{1000 * ','}{V1}+json") is TEXT_HTML
    assert simple_media_type("", f"{1000 * '&'}format={V1}%2Bjson") is TEXT_HTML
    assert accepts_gzip(f"gzip{blanks}")
    assert not accepts_gzip(f"{1000 * ','}gzip")
    assert prefers_html(f"text/html{blanks}")


def test_a_form_is_served_under_a_content_type_that_clients_take() -> None:
    assert [form.content_type for form in MediaType] == [
        "text/html; charset=utf-8",
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.v1+html; charset=utf-8",
    ]


# Compression

ENCODINGS = [
    pytest.param("gzip, deflate", True, id="pip, pdm"),
    pytest.param("gzip, deflate, zstd", True, id="uv, poetry, pypi-simple"),
    pytest.param("gzip, deflate, br, zstd", True, id="a browser"),
    pytest.param("identity", False, id="pip, of a file"),
    pytest.param("Identity", False, id="poetry, of a file"),
    pytest.param("", False, id="no header"),
    pytest.param("gzip", True, id="gzip alone"),
    pytest.param("GZip", True, id="in any case"),
    pytest.param("x-gzip", True, id="its old name"),
    pytest.param("gzip;q=0.001", True, id="a small q"),
    pytest.param("gzip;q=1.0, identity;q=0", True, id="nothing else"),
    pytest.param("*", True, id="anything"),
    pytest.param("*;q=0.1", True, id="anything, with a small q"),
    pytest.param("br, *;q=0.1", True, id="anything else"),
    pytest.param("deflate, zstd, br", False, id="others"),
    pytest.param("gzip;q=0", False, id="excluded"),
    pytest.param("gzip;q=0, *", False, id="excluded from anything"),
    pytest.param("*;q=0", False, id="nothing"),
    pytest.param("*;q=0, gzip", True, id="nothing but gzip"),
    pytest.param("gzip ; q=0.000", False, id="excluded, with blanks"),
    pytest.param("gzip;q=none", False, id="a q that is none"),
    pytest.param("gzipped", False, id="a longer name"),
    pytest.param(",;=,q=1", False, id="garbage"),
]


@pytest.mark.parametrize(("header", "expected"), ENCODINGS)
def test_a_body_may_be_compressed_for_those_who_say_so(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


# Over HTTP

TOOLS, ACME = "/projects/acme%2Ftools/packages/pypi", "/groups/acme/-/packages/pypi"
GZIP = {"Accept-Encoding": "gzip, deflate"}
NONE = {"Accept-Encoding": "identity"}
PAGES = [
    f"{TOOLS}/simple/",
    f"{TOOLS}/simple/demo/",
    f"{TOOLS}/simple/demo",
    f"{TOOLS}/%2Bsimple/demo/",
    f"{ACME}/simple/",
    f"{ACME}/simple/demo/",
]


def publish(client: Any, filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0") -> None:
    content = [("content", filename, distribution(filename))]
    client.post(TOOLS, {"name": name, "version": version}, upload_files=content, status=201)


@pytest.fixture
def client(client_of: ClientOf) -> Any:
    client = client_of(Registry(forward_to="https://mirror.example/simple/"))
    for number in range(20):
        publish(client, f"demo-1.{number}.tar.gz", version=f"1.{number}")
        publish(client, f"other_{number}-1.0.tar.gz", name=f"other-{number}")
    return client


def raw(client: Any, path: str, *asked: dict[str, str], status: int = 200, method: str = "GET") -> TestResponse:
    """Ask without WebTest, which unpacks whatever comes."""
    headers = [pair for some in asked for pair in some.items()]
    answer = WerkzeugClient(client.app.app).open(f"{client.prefix}{path}", method=method, headers=headers)
    assert answer.status_code == status
    return answer


@pytest.mark.parametrize("accept", [f"{V1}+json", "text/html"], ids=["json", "html"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_compressed_for_those_who_take_it(client: Any, path: str, accept: str) -> None:
    plain = raw(client, path, {"Accept": accept}, NONE)
    packed = raw(client, path, {"Accept": accept}, GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)
    assert packed.headers["Content-Length"] == str(len(packed.data))
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    assert "Accept-Encoding" in packed.headers["Vary"].split(", ")
    assert packed.headers["Vary"] == plain.headers["Vary"]
    head = raw(client, path, {"Accept": accept}, GZIP, method="HEAD")
    assert head.headers == packed.headers
    assert head.data == b""


@pytest.mark.parametrize("path", PAGES)
def test_each_representation_is_304_by_its_own_tag_only(client: Any, path: str) -> None:
    tags = {asked["Accept-Encoding"]: raw(client, path, asked).headers["ETag"] for asked in (GZIP, NONE)}
    assert len(set(tags.values())) == 2
    assert all(tag.startswith('"') for tag in tags.values())
    for asked in (GZIP, NONE):
        own = tags[asked["Accept-Encoding"]]
        (other,) = set(tags.values()) - {own}
        for known in (own, f"W/{own}", f"{other}, {own}", "*"):
            answer = raw(client, path, asked, {"If-None-Match": known}, status=304)
            assert answer.data == b""
            assert answer.headers["ETag"] == own
            assert {"Vary", "Cache-Control"} <= set(answer.headers.keys())
            assert not {"Content-Encoding", "Content-Type"} & set(answer.headers.keys())
        raw(client, path, asked, {"If-None-Match": other})


def test_an_upload_is_seen_in_the_compressed_page(client: Any) -> None:
    before = raw(client, f"{TOOLS}/simple/demo/", GZIP)
    publish(client, "demo-2.0.tar.gz", version="2.0")
    after = raw(client, f"{TOOLS}/simple/demo/", GZIP, {"If-None-Match": before.headers["ETag"]})
    assert b"demo-2.0.tar.gz" in gzip.decompress(after.data)


def test_a_page_that_would_not_get_smaller_is_sent_as_it_is(client_of: ClientOf) -> None:
    path = f"{TOOLS}/simple/"
    plain, same = (raw(client_of(Registry()), path, {"Accept": f"{V1}+json"}, asked) for asked in (NONE, GZIP))
    assert json.loads(plain.data)["projects"] == []
    assert same.data == plain.data
    assert "Content-Encoding" not in same.headers
    assert same.headers["ETag"] == plain.headers["ETag"]


def test_equal_pages_have_equal_tags_in_two_processes_compressed_or_not(client_of: ClientOf) -> None:
    def tags() -> list[str]:
        client = client_of(Registry())
        for number in range(20):
            publish(client, f"other_{number}-1.0.tar.gz", name=f"other-{number}")
        return [raw(client, f"{TOOLS}/simple/", asked).headers["ETag"] for asked in (GZIP, NONE)]

    assert tags() == tags()


def test_nothing_but_a_page_is_compressed(client: Any) -> None:
    page = json.loads(raw(client, f"{TOOLS}/simple/demo/", {"Accept": f"{V1}+json"}).data)
    file = page["files"][0]["url"].replace("../..", TOOLS)
    for path, status in [
        (file, 200),
        (f"{TOOLS}/simple/absent/", 302),
        (f"{TOOLS}/simple/-/", 404),
        (TOOLS, 405),
        ("/projects/acme%2Ftools/packages", 200),
    ]:
        answer = raw(client, path, GZIP, status=status)
        assert "Content-Encoding" not in answer.headers, path


@pytest.mark.parametrize("path", [f"{TOOLS}/simple", f"{TOOLS}/simple/demo/", f"{ACME}/simple/", f"{ACME}/simple/demo"])
def test_an_address_may_name_the_form_of_its_page(client: Any, path: str) -> None:
    asked = raw(client, f"{path}?format={V1}%2Bjson", {"Accept": "text/html"})
    assert asked.headers["Content-Type"] == f"{V1}+json"
    assert asked.data == raw(client, path, {"Accept": f"{V1}+json"}).data
    html = raw(client, f"{path}?format=text/html", {"Accept": f"{V1}+json"})
    assert html.headers["Content-Type"] == "text/html; charset=utf-8"
    assert html.data == raw(client, path).data
    assert raw(client, f"{path}?format=pdf", {"Accept": f"{V1}+json"}).headers["Content-Type"] == f"{V1}+json"


@pytest.mark.parametrize(("accept", "form"), [case for case in ACCEPTED if case.id != "worse garbage"])
def test_a_page_comes_in_its_form_and_never_as_406(client: Any, accept: str, form: MediaType) -> None:
    for path in (f"{TOOLS}/simple/", f"{TOOLS}/simple/demo/"):
        answer = raw(client, path, {"Accept": accept} if accept else {})
        assert answer.headers["Content-Type"] == form.content_type
        assert "Accept" in answer.headers["Vary"].split(", ")
