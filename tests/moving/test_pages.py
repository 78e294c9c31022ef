"""Pages of other indexes are read as clients read them, and nothing of them is trusted."""

import encodings.aliases
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_registry._moving.pages import HTML_TYPES, JSON_TYPE, Limits, read_files, read_names
from pypi_registry._moving.source import SourceError, SourceFile
from pypi_registry._pages.simple import MediaType, render_index, render_package
from pypi_registry.model import Digests, NameStatus, Package, PackageFile, Status

URL = "https://index.example/simple/demo/"
HTML = HTML_TYPES[1]
SHA = "ab" * 32
WHEEL = "demo-1.0-py3-none-any.whl"


def html(text: str, url: str = URL) -> list[SourceFile]:
    return [*read_files(text.encode(), HTML, url).files]


def entry(**fields: Any) -> SourceFile:
    [found] = of_json({"filename": WHEEL, "url": WHEEL, "hashes": {}, **fields})
    return found


def of_json(*entries: object) -> list[SourceFile]:
    page = {"meta": {"api-version": "1.0"}, "name": "demo", "files": entries}
    return [*read_files(json.dumps(page).encode(), JSON_TYPE, URL).files]


@pytest.mark.parametrize("media_type", MediaType)
def test_our_own_pages_are_read_in_every_form(media_type: MediaType) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    names = [NormalizedName("demo"), NormalizedName("other")]
    index = render_index("tools", names, media_type, trailing_slash=True)
    assert read_names(index, media_type.content_type, "https://index.example/simple/") == names
    package = Package(1, 1, "demo", names[0], "1.0", at, "broken <here>")
    file = PackageFile(2, package, WHEEL, 4, Digests(SHA), ">=3.8", at, "0" * 32)
    page = render_package(names[0], [file], media_type, NameStatus(Status.ARCHIVED), trailing_slash=True)
    is_json = media_type is MediaType.JSON
    assert read_files(page, media_type.content_type, URL).files == [
        SourceFile(
            WHEEL,
            f"https://index.example/files/{SHA}/{WHEEL}",
            {"sha256": SHA},
            4 if is_json else None,
            at if is_json else None,
            "broken <here>",
        )
    ]


@pytest.mark.parametrize(
    ("href", "url"),
    [
        (f"{WHEEL}#sha256={SHA}", f"{URL}{WHEEL}"),
        (f"../../files/{WHEEL}", f"https://index.example/files/{WHEEL}"),
        (f"/files/{WHEEL}", f"https://index.example/files/{WHEEL}"),
        (f"//other.example/{WHEEL}", f"https://other.example/{WHEEL}"),
        (f"http://user:secret@other.example:81/{WHEEL}", f"http://other.example:81/{WHEEL}"),
        (f"http://[::1]:8080/{WHEEL}", f"http://[::1]:8080/{WHEEL}"),
        (f"{WHEEL}?token=x", f"{URL}{WHEEL}?token=x"),
        (f"  {WHEEL}\n", f"{URL}{WHEEL}"),
        ("demo-1.0%2Blocal-py3-none-any.whl", f"{URL}demo-1.0%2Blocal-py3-none-any.whl"),
    ],
)
def test_links_are_relative_to_the_page(href: str, url: str) -> None:
    assert [file.url for file in html(f'<a href="{href}">{WHEEL}</a>')] == [url]
    assert entry(url=href).url == url


@pytest.mark.parametrize(
    "href",
    [
        f"file:///etc/{WHEEL}",
        f"ftp://index.example/{WHEEL}",
        f"gopher://index.example/{WHEEL}",
        f"data:text/plain,{WHEEL}",
        f"javascript:{WHEEL}",
        f"http:///{WHEEL}",
        f"http://[::1/{WHEEL}",
        f"http://index.example:99999/{WHEEL}",
        f"http://index.example:x/{WHEEL}",
        f"https://index.example/a b/{WHEEL}",
    ],
)
def test_other_schemes_and_broken_urls_are_problems_of_one_entry(href: str) -> None:
    page = read_files(f'<a href="{href}">{WHEEL}</a><a href="ok-1.0.zip">ok</a>'.encode(), HTML, URL)
    assert [file.filename for file in page.files] == ["ok-1.0.zip"]
    [(title, problem)] = page.problems
    assert (WHEEL in title, "cannot be requested" in problem) == (True, True)
    body = json.dumps({"files": [{"filename": WHEEL, "url": href, "hashes": {}}]}).encode()
    assert len(read_files(body, JSON_TYPE, URL).problems) == 1


def test_a_base_element_is_followed_and_cannot_change_the_scheme() -> None:
    [file] = html(f'<base href="https://files.example/a/"><a href="{WHEEL}">x</a>')
    assert file.url == f"https://files.example/a/{WHEEL}"
    [file] = html(f'<base href="file:///etc/"><a href="{WHEEL}">x</a>')
    assert file.url == f"{URL}{WHEEL}"


@pytest.mark.parametrize(
    ("anchor", "filename"),
    [
        (f'<a href="x/{WHEEL}">whatever</a>', WHEEL),
        ('<a href="demo-1.0%2Blocal.tar.gz">x</a>', "demo-1.0+local.tar.gz"),
        (f'<a href="download?id=7">\n {WHEEL}\n</a>', WHEEL),
        (f'<a href="download?id=7"><b>{WHEEL[:4]}</b>{WHEEL[4:]}</a>', WHEEL),
        ('<a href="%2e%2e%2fevil.whl">x</a>', "../evil.whl"),  # refused as a file name later
    ],
)
def test_the_file_name_is_that_of_the_url(anchor: str, filename: str) -> None:
    assert [file.filename for file in html(anchor)] == [filename]


def test_the_list_of_a_web_server_has_other_links_too() -> None:
    links = ["../", "?C=N;O=D", "/", f"{WHEEL}.asc", f"{WHEEL}.metadata", "deep/", "#top", WHEEL]
    assert [file.filename for file in html("".join(f'<a href="{link}">{link}</a>' for link in links))] == [WHEEL]


@pytest.mark.parametrize(
    ("attribute", "yanked"),
    [("", None), ("data-yanked", ""), ('data-yanked=""', ""), ('data-yanked="a &lt; b"', "a < b")],
)
def test_yanks_in_html(attribute: str, yanked: str | None) -> None:
    assert [file.yanked for file in html(f'<a href="{WHEEL}" {attribute}>x</a>')] == [yanked]


@pytest.mark.parametrize(
    ("value", "yanked"), [(True, ""), (False, None), ("", None), ("broken", "broken"), (None, None), (1, None)]
)
def test_yanks_in_json(value: object, yanked: str | None) -> None:
    assert entry(yanked=value).yanked == yanked


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-01-02T03:04:05.123456Z", datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2024-01-02T05:04:05+02:00", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-01-02T03:04:05", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1704164645, None),
        (None, None),
        ("2999-01-01T00:00:00Z", None),
    ],
    ids=str,
)
def test_upload_times(text: object, time: datetime | None) -> None:
    assert entry(**{"upload-time": text}).uploaded_at == time
    if isinstance(text, str):
        assert html(f'<a href="{WHEEL}" data-upload-time="{text}">x</a>')[0].uploaded_at == time


@pytest.mark.parametrize(
    ("hashes", "digests"),
    [
        ({"sha256": SHA.upper(), "md5": "0" * 32}, {"sha256": SHA, "md5": "0" * 32}),
        ({"sha256": "no hexadecimal"}, {}),
        ({"crc32": "00000000", "sha256": 7}, {}),
        ({"sha512": "0" * 10**6}, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_digests(hashes: object, digests: object) -> None:
    assert entry(hashes=hashes).digests == digests


@pytest.mark.parametrize(("size", "found"), [(7, 7), (0, 0), (-1, None), (True, None), ("7", None), (1.5, None)])
def test_sizes(size: object, found: int | None) -> None:
    assert entry(size=size).size == found


@pytest.mark.parametrize("wrong", [{}, {"filename": 1, "url": "x"}, {"filename": WHEEL}, [], None, "x"], ids=str)
def test_an_entry_that_is_none_is_a_problem_of_its_own(wrong: object) -> None:
    page = read_files(
        json.dumps({"files": [wrong, {"filename": WHEEL, "url": WHEEL, "hashes": {}}]}).encode(), JSON_TYPE, URL
    )
    assert (len(page.files), len(page.problems)) == (1, 1)


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (b"{}", "application/json", "its Content-Type is 'application/json'"),
        (b"", "", "its Content-Type is ''"),
        (b"{", JSON_TYPE, "not valid JSON"),
        (b"[" * 100_000, JSON_TYPE, "not valid JSON"),
        (b"\xff\xfe\x00", JSON_TYPE, "not valid JSON"),
        (b"[]", JSON_TYPE, "not an object"),
        (b"{}", JSON_TYPE, "no list of"),
        (b'{"files": {}, "projects": {}}', JSON_TYPE, "no list of"),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON_TYPE, "version '2.0' of the simple API"),
        (b'<meta name="pypi:repository-version" content="2.0">', HTML, "version '2.0' of the simple API"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_page_is_an_error(body: bytes, content_type: str, problem: str) -> None:
    for read in (read_files, read_names):
        with pytest.raises(SourceError) as caught:
            read(body, content_type, URL)
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"<![", b"<!doctype [ <!x", b"<a href='x", b"<!--", b"&#xffffffffff;", b"<a href='demo-1.zip'>" + b"x" * 10**6],
)
def test_broken_html_is_read_or_an_error(body: bytes) -> None:
    try:
        page = read_files(body, HTML, URL)
    except SourceError:
        return
    assert len(page.files) <= 1


def test_names_are_normalized_and_what_is_none_is_left_out() -> None:
    body = b'<a href="/simple/My_Demo/">My_Demo</a><a href="my-demo/">my.demo</a><a href="x/">!</a><a href="y/"></a>'
    assert read_names(body, f"{HTML}; charset=latin-1", URL) == ["my-demo", "y"]
    page = {"projects": [{"name": "B"}, {"name": 1}, {}, None, {"name": "a" * 300}, {"name": "../etc"}]}
    assert read_names(json.dumps(page).encode(), JSON_TYPE, URL) == ["b"]


# Codecs of Python: not for text, slow, or without the option "replace".
OTHER_CODECS = [*encodings.aliases.aliases.values(), "idna", "punycode", "raw_unicode_escape", "undefined", "unknown"]


@pytest.mark.parametrize(
    "charset",
    [
        "",
        "; charset=utf-8",
        '; charset="UTF-8"',
        *(f"; charset={name}" for name in sorted({*OTHER_CODECS} - {"ascii"})),
    ],
)
def test_a_page_is_utf_8_whatever_other_charset_it_names(charset: str) -> None:
    body = f'<a href="{WHEEL}" data-yanked="schlie\u00dfen">x</a>'.encode()
    assert read_files(body, HTML + charset, URL).files[0].yanked == "schlie\u00dfen"


@pytest.mark.parametrize("charset", ["ISO-8859-1", "latin-1", "windows-1252", "utf-16", "utf-16le", "UTF-16BE"])
def test_other_charsets_of_pages_are_decoded(charset: str) -> None:
    body = f'<a href="{WHEEL}" data-yanked="schlie\u00dfen">x</a>'.encode(charset)
    assert read_files(body, f"{HTML}; charset={charset}", URL).files[0].yanked == "schlie\u00dfen"


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8", "utf-16", "windows-1252"])
def test_bytes_that_a_charset_does_not_have_are_no_error(charset: str) -> None:
    assert len(read_files(b"<a href=\x81\x00\xd8\xff>", f"{HTML}; charset={charset}", URL).files) <= 1


# Limits

LIMITS = Limits(10**6, 10**6, entries=3, values=100)


def files_of(count: int, link: str = WHEEL) -> dict[str, bytes]:
    return {
        HTML: f'<a href="../">up</a><a href="{link}">{WHEEL}</a>'.encode() * count,
        JSON_TYPE: json.dumps({"files": [{"filename": WHEEL, "url": link}] * count}).encode(),
    }


@pytest.mark.parametrize("media_type", [HTML, JSON_TYPE])
def test_the_files_of_a_page_are_limited(media_type: str) -> None:
    assert len(read_files(files_of(3)[media_type], media_type, URL, LIMITS).files) == 3
    for link in (WHEEL, "ftp://x/y"):
        with pytest.raises(SourceError, match="the page has more than 3 files"):
            read_files(files_of(4, link)[media_type], media_type, URL, LIMITS)


@pytest.mark.parametrize("media_type", [HTML, JSON_TYPE])
def test_the_names_of_an_index_are_limited(media_type: str) -> None:
    def body(count: int) -> bytes:
        if media_type == HTML:
            return "".join(f"<a href='x'>n{number % count}</a>" for number in range(10)).encode()
        return json.dumps({"projects": [{"name": f"n{number % count}"} for number in range(10)]}).encode()

    assert len(read_names(body(3), media_type, URL, LIMITS)) == 3
    with pytest.raises(SourceError, match="the index has more than 3 names; pass --name"):
        read_names(body(4), media_type, URL, LIMITS)


@pytest.mark.parametrize("value", ["{}", "[]", "0", '"x"', "[[[0]]]", '{"a":0}', "1e9"])
@pytest.mark.parametrize("read", [read_files, read_names])
def test_the_values_of_a_json_page_are_counted_before_they_are_read(
    value: str, read: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "loads", None)
    body = f'{{"x":[{",".join([value] * 100)}]}}'.encode()
    with pytest.raises(SourceError, match="the JSON page has more than 100 values"):
        read(body, JSON_TYPE, URL, LIMITS)


@pytest.mark.parametrize("media_type", [HTML, JSON_TYPE])
def test_the_first_problems_of_a_page_are_reported_and_the_others_counted(media_type: str) -> None:
    body = files_of(1_000, "ftp://x/y")[media_type]
    page = read_files(body, media_type, URL)
    assert len(page.problems) == 21
    assert page.problems[-1] == ("980 more entries", "they cannot be read either")


def test_a_long_base_is_not_copied_into_each_link() -> None:
    body = f"<base href='https://files.example/{'x' * 2_000}/'>".encode() + files_of(2)[HTML]
    long = f"https://index.example/{'x' * 2_000}/"
    for text, media_type, url in ((body, HTML, URL), *((text, form, long) for form, text in files_of(2).items())):
        with pytest.raises(SourceError, match="has more than 2000 characters") as caught:
            read_files(text, media_type, url)
        assert len(str(caught.value)) < 200


def test_the_query_of_a_page_is_no_part_of_the_base() -> None:
    for media_type, body in files_of(1).items():
        [file] = read_files(body, media_type, f"{URL}?signature={'x' * 10_000}").files
        assert file.url == f"{URL}{WHEEL}"


def test_a_link_keeps_the_start_of_a_long_text() -> None:
    [file] = html(f"<a href='download?id=7'>{WHEEL}{' <' * 50_000}</a>")
    assert file.filename == "download"
    [file] = html(f"<a href='download?id=7'>{WHEEL}{' ' * 100_000}x</a>")
    assert file.filename == WHEEL


def test_an_entity_with_thousands_of_digits_is_text() -> None:
    number = "&#" + "1" * 5_000
    [file] = html(f"<a href='{WHEEL}' data-yanked='{number}'>{number}</a>")
    assert file.yanked == number
