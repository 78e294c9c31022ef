"""The simple pages, read by two parsers that we did not write, and by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from packaging.utils import NormalizedName
from pypi_simple import DistributionPackage, IndexPage, ProjectPage

from pypi_registry._pages.simple import MediaType, render_index, render_package
from pypi_registry.model import Digests, Package, PackageFile

NAME = NormalizedName("my-pkg")
AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)

# Where pages stand: behind a prefix or none, ids as numbers and as paths, encoded or not.
ROOTS = [
    "http://localhost:8080/projects/1/packages/pypi/",
    "https://gitlab.example.com/api/v4/projects/acme%2Flibs%2Ftools/packages/pypi/",
    "https://gitlab.example.com/api/v4/projects/acme/libs/tools/packages/pypi/",
    "https://gitlab.example.com/deep/er/api/v4/groups/acme%2Flibs/-/packages/pypi/",
]
roots = pytest.mark.parametrize("root", ROOTS)
slashes = pytest.mark.parametrize("trailing_slash", [True, False], ids=["slash", "no slash"])
both_htmls = pytest.mark.parametrize("form", [MediaType.TEXT_HTML, MediaType.HTML])


def file_of(
    filename: str, version: str = "1.0", *, requires_python: str = "", name: str = "My_Pkg", data: bytes = b""
) -> PackageFile:
    data = data or filename.encode()
    package = Package(1, 42, name, NAME, version, AT)
    return PackageFile(7, package, filename, len(data), Digests(sha256(data).hexdigest()), requires_python, AT, "key")


METADATA_SHA256 = sha256(b"Metadata-Version: 2.2\n").hexdigest()


def changed(file: PackageFile, *, metadata: str | None = None, yanked: str | None = None) -> PackageFile:
    return replace(file, core_metadata_sha256=metadata, package=replace(file.package, yanked=yanked))


FILES = [
    file_of("My_Pkg-1.0.tar.gz", "1.0", requires_python=">=3.8"),
    file_of("my_pkg-1.0-py3-none-any.whl", "1.0", requires_python=">=3.8, <4"),
    file_of("my_pkg-1!2.0+cu121-py3-none-any.whl", "1!2.0+cu121"),
    file_of("my.pkg-1.10-rc-1.zip", "1.10-RC1", requires_python="!=3.0.*,>=2.7"),
]


class Reader(HTMLParser):
    """Collects what a page holds; fails on a tag that is closed out of turn, and on text where none belongs."""

    VOID = ("meta", "br")
    WITH_TEXT = ("title", "h1", "a")

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.declaration = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self._open: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_decl(self, decl: str) -> None:
        self.declaration = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "a":
            self.anchors.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        assert tag in self.WITH_TEXT or not data.strip()
        if tag == "a":
            attributes, text = self.anchors[-1]
            self.anchors[-1] = attributes, text + data
        else:
            self.texts[tag] = self.texts.get(tag, "") + data

    @property
    def kinds(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def page_of(files: Sequence[PackageFile], *, trailing_slash: bool = True) -> Reader:
    return Reader(render_package(NAME, files, MediaType.TEXT_HTML, trailing_slash=trailing_slash))


def json_of(files: Sequence[PackageFile], *, trailing_slash: bool = True) -> dict[str, object]:
    page: dict[str, object] = json.loads(render_package(NAME, files, MediaType.JSON, trailing_slash=trailing_slash))
    return page


def entries_of(files: Sequence[PackageFile]) -> list[dict[str, object]]:
    entries = json_of(files)["files"]
    assert isinstance(entries, list)
    return entries


def test_each_form_has_its_content_type() -> None:
    assert {form: form.content_type for form in MediaType} == {
        MediaType.TEXT_HTML: "text/html; charset=utf-8",
        MediaType.HTML: "application/vnd.pypi.simple.v1+html; charset=utf-8",
        MediaType.JSON: "application/vnd.pypi.simple.v1+json",
    }


@slashes
def test_both_html_forms_are_the_same_bytes(trailing_slash: bool) -> None:
    index = [
        render_index("Tools", [NAME], form, trailing_slash=trailing_slash)
        for form in (MediaType.TEXT_HTML, MediaType.HTML)
    ]
    package = [
        render_package(NAME, FILES, form, trailing_slash=trailing_slash)
        for form in (MediaType.TEXT_HTML, MediaType.HTML)
    ]
    assert index[0] == index[1]
    assert package[0] == package[1]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(render_index("Tools", [NAME], MediaType.TEXT_HTML, trailing_slash=True), id="index"),
        pytest.param(render_index("Tools", [], MediaType.TEXT_HTML, trailing_slash=True), id="empty index"),
        pytest.param(render_package(NAME, FILES, MediaType.TEXT_HTML, trailing_slash=True), id="package"),
        pytest.param(render_package(NAME, [], MediaType.TEXT_HTML, trailing_slash=True), id="package without files"),
    ],
)
def test_an_html_page_is_html5_and_names_its_version(page: bytes) -> None:
    reader = Reader(page)
    assert page.startswith(b"<!DOCTYPE html>\n")
    assert reader.declaration == "DOCTYPE html"
    assert [attributes for tag, attributes in reader.tags if tag == "meta"] == [
        {"charset": "utf-8"},
        {"name": "pypi:repository-version", "content": "1.4"},
    ]
    assert reader.kinds <= {"html", "head", "meta", "title", "body", "h1", "a", "br"}


# The index


@slashes
@roots
def test_the_links_of_an_index_arrive_at_the_packages(root: str, trailing_slash: bool) -> None:
    reader = Reader(
        render_index("Tools", [NAME, NormalizedName("demo")], MediaType.TEXT_HTML, trailing_slash=trailing_slash)
    )
    address = f"{root}simple/" if trailing_slash else f"{root}simple"
    assert [(urljoin(address, str(attributes["href"])), text) for attributes, text in reader.anchors] == [
        (f"{root}simple/my-pkg/", "my-pkg"),
        (f"{root}simple/demo/", "demo"),
    ]


@slashes
@both_htmls
def test_pypi_simple_reads_the_html_index(form: MediaType, trailing_slash: bool) -> None:
    page = IndexPage.from_html(
        render_index("Tools", [NormalizedName("demo"), NAME], form, trailing_slash=trailing_slash)
    )
    assert page.projects == ["demo", "my-pkg"]
    assert page.repository_version == "1.4"


@slashes
def test_pypi_simple_reads_the_json_index(trailing_slash: bool) -> None:
    body = render_index("Tools", [NormalizedName("demo"), NAME], MediaType.JSON, trailing_slash=trailing_slash)
    page = IndexPage.from_json_data(json.loads(body))
    assert page.projects == ["demo", "my-pkg"]
    assert page.repository_version == "1.4"


def test_the_json_index_is_what_pep_691_says() -> None:
    assert json.loads(render_index("Tools", [NormalizedName("demo"), NAME], MediaType.JSON, trailing_slash=True)) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "demo"}, {"name": "my-pkg"}],
    }


def test_an_empty_index_is_a_page() -> None:
    reader = Reader(render_index("Tools", [], MediaType.TEXT_HTML, trailing_slash=True))
    assert reader.anchors == []
    assert reader.texts["h1"] == "Links for Tools"
    assert json.loads(render_index("Tools", [], MediaType.JSON, trailing_slash=True))["projects"] == []


def test_an_index_takes_its_names_from_any_iterable() -> None:
    names = (NormalizedName(name) for name in ("a", "b"))
    assert IndexPage.from_html(render_index("Tools", names, MediaType.TEXT_HTML, trailing_slash=True)).projects == [
        "a",
        "b",
    ]


HOSTILE = [
    pytest.param("</title><script>alert(1)</script>", id="a script"),
    pytest.param('"><img src=x onerror=alert(1)>', id="an attribute's end"),
    pytest.param("' onmouseover='alert(1)", id="an apostrophe"),
    pytest.param("&lt;b&gt; & &amp;", id="entities"),
    pytest.param("<!-- -->", id="a comment"),
    pytest.param("Café ☃ \U0001f40d", id="other letters"),
    pytest.param("{title} %s", id="placeholders"),
]


@pytest.mark.parametrize("title", HOSTILE)
def test_the_title_of_an_index_is_text_whatever_it_holds(title: str) -> None:
    reader = Reader(render_index(title, [NAME], MediaType.TEXT_HTML, trailing_slash=True))
    assert reader.texts["title"] == f"Links for {title}"
    assert reader.texts["h1"] == f"Links for {title}"
    assert reader.kinds == {"html", "head", "meta", "title", "body", "h1", "a"}


# The package


@slashes
@roots
def test_the_links_of_a_package_arrive_at_the_files(root: str, trailing_slash: bool) -> None:
    address = f"{root}simple/my-pkg/" if trailing_slash else f"{root}simple/my-pkg"
    arrived = [
        urljoin(address, str(attributes["href"]))
        for attributes, _ in page_of(FILES, trailing_slash=trailing_slash).anchors
    ]
    assert arrived == [
        f"{root}files/{file.digests.sha256}/{file.filename}#sha256={file.digests.sha256}" for file in FILES
    ]


@slashes
@roots
def test_the_urls_of_the_json_arrive_at_the_files_and_have_no_fragment(root: str, trailing_slash: bool) -> None:
    address = f"{root}simple/my-pkg/" if trailing_slash else f"{root}simple/my-pkg"
    entries = json_of(FILES, trailing_slash=trailing_slash)["files"]
    assert isinstance(entries, list)
    assert [urljoin(address, entry["url"]) for entry in entries] == [
        f"{root}files/{file.digests.sha256}/{file.filename}" for file in FILES
    ]


def test_the_text_of_a_link_is_the_last_part_of_its_address() -> None:
    anchors = page_of(FILES).anchors
    assert [text for _, text in anchors] == [file.filename for file in FILES]
    assert [urlsplit(str(attributes["href"])).path.rpartition("/")[2] for attributes, _ in anchors] == [
        file.filename for file in FILES
    ]


def test_links_do_not_name_scheme_host_or_root() -> None:
    hrefs = [str(attributes["href"]) for attributes, _ in page_of(FILES).anchors]
    assert len(hrefs) == len(FILES)
    assert all(href.startswith("../../files/") for href in hrefs)


def test_requires_python_is_there_only_where_it_says_something() -> None:
    said = [attributes.get("data-requires-python", "absent") for attributes, _ in page_of(FILES).anchors]
    assert said == [">=3.8", ">=3.8, <4", "absent", "!=3.0.*,>=2.7"]
    assert [entry.get("requires-python", "absent") for entry in entries_of(FILES)] == said


@pytest.mark.parametrize("text", HOSTILE)
def test_requires_python_arrives_as_it_is_whatever_it_holds(text: str) -> None:
    files = [file_of("my_pkg-1.0.tar.gz", requires_python=text)]
    reader = page_of(files)
    [(attributes, _)] = reader.anchors
    assert attributes.keys() == {"href", "data-requires-python"}
    assert attributes["data-requires-python"] == text
    assert reader.kinds == {"html", "head", "meta", "title", "body", "h1", "a"}
    assert entries_of(files)[0]["requires-python"] == text


@pytest.mark.parametrize("name", HOSTILE)
def test_the_title_of_a_package_is_text_whatever_it_holds(name: str) -> None:
    reader = page_of([file_of("my_pkg-1.0.tar.gz", name=name)])
    assert reader.texts["title"] == f"Links for {name}"
    assert reader.texts["h1"] == f"Links for {name}"
    assert reader.kinds == {"html", "head", "meta", "title", "body", "h1", "a"}


@pytest.mark.parametrize(
    "filename",
    [
        *HOSTILE,
        pytest.param("a b#c?d=e&f%2F.whl", id="what means something to a URL"),
        pytest.param("a;b:c@d,e=f$g.whl", id="what may mean something to a URL"),
    ],
)
def test_a_file_name_is_text_and_one_part_of_a_path_whatever_it_holds(filename: str) -> None:
    # No upload has such a name, but a host's own catalogue may.
    files = [file_of(filename)]
    reader = page_of(files)
    [(attributes, text)] = reader.anchors
    assert text == filename
    assert reader.kinds == {"html", "head", "meta", "title", "body", "h1", "a"}
    for url in (str(attributes["href"]), str(entries_of(files)[0]["url"])):
        last = urlsplit(url).path.rpartition(f"/{files[0].digests.sha256}/")[2]
        assert "/" not in last
        assert unquote(last) == filename
        assert urlsplit(url).query == ""


def test_the_title_is_the_name_as_it_was_first_uploaded() -> None:
    files = [file_of("a-1.tar.gz", name="My_Pkg"), file_of("a-2.tar.gz", name="my.pkg")]
    assert page_of(files).texts["h1"] == "Links for My_Pkg"


def test_a_package_without_files_is_a_page() -> None:
    assert page_of([]).anchors == []
    assert page_of([]).texts["h1"] == "Links for my-pkg"
    assert json_of([]) == {"meta": {"api-version": "1.4"}, "name": "my-pkg", "versions": [], "files": []}


def test_the_json_of_a_package_is_what_pep_691_and_pep_700_say() -> None:
    digest = sha256(b"hello").hexdigest()
    file = file_of("my_pkg-1.0.tar.gz", "1.0", requires_python=">=3.8", data=b"hello")
    assert json_of([file]) == {
        "meta": {"api-version": "1.4"},
        "name": "my-pkg",
        "versions": ["1.0"],
        "files": [
            {
                "filename": "my_pkg-1.0.tar.gz",
                "url": f"../../files/{digest}/my_pkg-1.0.tar.gz",
                "hashes": {"sha256": digest},
                "size": 5,
                "upload-time": "2026-03-04T05:06:07.000089Z",
                "requires-python": ">=3.8",
            }
        ],
    }


def test_the_json_holds_no_null() -> None:
    # uv refuses the whole page for some of them.
    assert b"null" not in render_package(NAME, FILES, MediaType.JSON, trailing_slash=True)


def test_the_time_of_an_upload_has_six_digits_of_a_second_and_ends_in_z() -> None:
    whole = replace(FILES[0], uploaded_at=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert entries_of([whole])[0]["upload-time"] == "2026-12-31T23:59:59.000000Z"


@pytest.mark.parametrize(
    ("versions", "shown"),
    [
        pytest.param(["1.9", "1.10"], ["1.9", "1.10"], id="sorted as numbers"),
        pytest.param(["2.0", "1.0"], ["1.0", "2.0"], id="sorted"),
        pytest.param(["1.0", "1.0rc1", "1.0.dev1", "1!0.1"], ["1.0.dev1", "1.0rc1", "1.0", "1!0.1"], id="pre-releases"),
        pytest.param(["1.0.0-RC1"], ["1.0.0rc1"], id="normalized"),
        pytest.param(["v01.00"], ["1.0"], id="normalized numbers"),
        pytest.param(["1.0-1"], ["1.0.post1"], id="normalized post release"),
        pytest.param(["1.0+Ubuntu_1"], ["1.0+ubuntu.1"], id="normalized local version"),
        pytest.param(["1.0", "1.0"], ["1.0"], id="unique"),
        pytest.param(["1.0rc1", "1.0-RC-1"], ["1.0rc1"], id="unique in two spellings"),
    ],
)
def test_the_versions_are_normalized_sorted_and_unique(versions: list[str], shown: list[str]) -> None:
    files = [file_of(f"my_pkg-{number}.tar.gz", version) for number, version in enumerate(versions)]
    assert json_of(files)["versions"] == shown


def test_equal_versions_are_shown_once() -> None:
    files = [file_of("a-1.tar.gz", "1.0"), file_of("b-1.tar.gz", "1.0.0")]
    assert json_of(files)["versions"] in (["1.0"], ["1.0.0"])


def test_of_two_files_with_one_name_each_is_shown_with_its_own_digest() -> None:
    old = file_of("my_pkg-1.0.tar.gz", "1.0", requires_python=">=2.7", data=b"old")
    new = file_of("my_pkg-1.0.tar.gz", "1.0", requires_python=">=3.8", data=b"new!")
    other = file_of("my_pkg-1.1.tar.gz", "1.1")
    files = [old, other, new]
    anchors = page_of(files).anchors
    assert [text for _, text in anchors] == [file.filename for file in files]
    assert [attributes.get("data-requires-python") for attributes, _ in anchors] == [">=2.7", None, ">=3.8"]
    hrefs = [str(attributes["href"]) for attributes, _ in anchors]
    assert [href.rpartition("=")[2] for href in hrefs] == [file.digests.sha256 for file in files]
    assert len({href.partition("#")[0] for href in hrefs}) == 3
    entries = entries_of(files)
    assert [entry["hashes"] for entry in entries] == [{"sha256": file.digests.sha256} for file in files]
    assert [entry["size"] for entry in entries] == [3, other.size, 4]
    assert json_of(files)["versions"] == ["1.0", "1.1"]


def test_files_of_one_name_may_have_two_versions() -> None:
    files = [file_of("my_pkg-1.0.tar.gz", "1.0"), file_of("my_pkg-1.0.tar.gz", "1.0.post1")]
    assert json_of(files)["versions"] == ["1.0", "1.0.post1"]


def facts(package: DistributionPackage) -> tuple[object, ...]:
    """Give what both forms say of a file, as pypi-simple understands it."""
    return (
        package.filename,
        package.url,
        package.project,
        package.version,
        package.package_type,
        package.digests,
        package.requires_python,
        package.has_sig,
        package.is_yanked,
        package.has_metadata,
        package.provenance_url,
    )


@slashes
@roots
@both_htmls
def test_html_and_json_agree_field_by_field(form: MediaType, root: str, trailing_slash: bool) -> None:
    address = f"{root}simple/my-pkg/" if trailing_slash else f"{root}simple/my-pkg"
    html = ProjectPage.from_html("my-pkg", render_package(NAME, FILES, form, trailing_slash=trailing_slash), address)
    body = ProjectPage.from_json_data(json_of(FILES, trailing_slash=trailing_slash), address)
    assert [facts(package) for package in html.packages] == [facts(package) for package in body.packages]
    assert html.repository_version == body.repository_version == "1.4"


def test_pypi_simple_reads_the_files_of_both_forms() -> None:
    address = f"{ROOTS[0]}simple/my-pkg/"
    html = ProjectPage.from_html("my-pkg", render_package(NAME, FILES, MediaType.HTML, trailing_slash=True), address)
    body = ProjectPage.from_json_data(json_of(FILES), address)
    for page in (html, body):
        assert [
            (package.filename, package.url, package.digests, package.requires_python) for package in page.packages
        ] == [
            (
                file.filename,
                f"{ROOTS[0]}files/{file.digests.sha256}/{file.filename}",
                {"sha256": file.digests.sha256},
                file.requires_python or None,
            )
            for file in FILES
        ]
    assert body.project == "my-pkg"
    assert body.versions == ["1.0", "1.10rc1", "1!2.0+cu121"]
    assert [(package.size, package.upload_time) for package in body.packages] == [(file.size, AT) for file in FILES]


# Metadata and yanking, in both forms

MANY_SORTS = [
    *FILES,
    changed(file_of("my_pkg-2.0-py3-none-any.whl", "2.0"), metadata=METADATA_SHA256),
    changed(file_of("my_pkg-2.1-py3-none-any.whl", "2.1", requires_python=">=3"), metadata=METADATA_SHA256, yanked=""),
    changed(file_of("my_pkg-2.2.tar.gz", "2.2"), yanked='broke <&> "all"'),
]


def test_metadata_is_offered_by_its_digest_under_both_names() -> None:
    [plain, (offered, _)] = page_of([FILES[0], MANY_SORTS[4]]).anchors
    assert offered.keys() - plain[0].keys() == {"data-core-metadata", "data-dist-info-metadata"}
    assert offered["data-core-metadata"] == offered["data-dist-info-metadata"] == f"sha256={METADATA_SHA256}"
    assert [entry.get("core-metadata", "absent") for entry in entries_of([FILES[0], MANY_SORTS[4]])] == [
        "absent",
        {"sha256": METADATA_SHA256},
    ]


def test_json_offers_metadata_under_one_name() -> None:
    assert b"dist-info-metadata" not in render_package(NAME, MANY_SORTS, MediaType.JSON, trailing_slash=True)


@slashes
@roots
@both_htmls
def test_html_and_json_agree_on_metadata_and_yanking(form: MediaType, root: str, trailing_slash: bool) -> None:
    address = f"{root}simple/my-pkg/" if trailing_slash else f"{root}simple/my-pkg"
    html = ProjectPage.from_html(
        "my-pkg", render_package(NAME, MANY_SORTS, form, trailing_slash=trailing_slash), address
    )
    body = ProjectPage.from_json_data(json_of(MANY_SORTS, trailing_slash=trailing_slash), address)
    for page in (html, body):
        assert [bool(package.has_metadata) for package in page.packages] == [
            file.core_metadata_sha256 is not None for file in MANY_SORTS
        ]
        assert [package.metadata_digests or {} for package in page.packages] == [
            {"sha256": file.core_metadata_sha256} if file.core_metadata_sha256 else {} for file in MANY_SORTS
        ]
        assert [package.is_yanked for package in page.packages] == [
            file.package.yanked is not None for file in MANY_SORTS
        ]
        assert [package.requires_python or "" for package in page.packages] == [
            file.requires_python for file in MANY_SORTS
        ]
        assert [package.metadata_url for package in page.packages if package.has_metadata] == [
            f"{package.url}.metadata" for package in page.packages if package.has_metadata
        ]
        assert [package.yanked_reason for package in page.packages][-1] == MANY_SORTS[-1].package.yanked
    assert [(package.filename, package.url, package.digests) for package in html.packages] == [
        (package.filename, package.url, package.digests) for package in body.packages
    ]


def test_only_json_says_how_large_files_are_and_when_they_came() -> None:
    address = f"{ROOTS[0]}simple/my-pkg/"
    html = ProjectPage.from_html(
        "my-pkg", render_package(NAME, MANY_SORTS, MediaType.HTML, trailing_slash=True), address
    )
    body = ProjectPage.from_json_data(json_of(MANY_SORTS), address)
    assert {(package.size, package.upload_time) for package in html.packages} == {(None, None)}
    assert [(package.size, package.upload_time) for package in body.packages] == [
        (file.size, file.uploaded_at) for file in MANY_SORTS
    ]


def test_the_json_of_files_of_many_sorts_holds_no_null() -> None:
    assert b"null" not in render_package(NAME, MANY_SORTS, MediaType.JSON, trailing_slash=True)
