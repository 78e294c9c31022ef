"""The pages for people, as text: whole, escaped, and without anything that runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import parse_qs

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._pages.about import About
from pypi_registry._pages.browser import PackageList, PackagePage, PackageRow, render_list, render_package
from pypi_registry._pages.document import Frame, Links
from pypi_registry._pages.landing import Landing, render_error, render_landing, render_search
from pypi_registry.model import (
    Digests,
    Group,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    Project,
    Status,
    Visibility,
)
from pypi_registry.storage import MAX_TOTAL

API = "https://registry.example/api/v4"
AT = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
HOSTILE = '</pre></code></title></td><script>alert(1)</script><img src=x onerror=alert(1)> " onfocus="x\' & {{7*7}}'

TOOLS = Project(1, "acme/tools", visibility=Visibility.PUBLIC)
CLOSED = Project(2, "acme/closed", visibility=Visibility.PRIVATE)
ACME = Group(10, "acme", "Acme")
DEMO = Package(7, 1, "My.Demo", canonicalize_name("My.Demo"), "1.0", AT)
FILE = PackageFile(
    8,
    DEMO,
    "My.Demo-1.0.tar.gz",
    871,
    Digests("a" * 64, "b" * 32),
    ">=3.11",
    datetime(2024, 6, 7, tzinfo=UTC),
    "0" * 32,
)


class Page(HTMLParser):
    """Reads a page as strictly as HTML lets one: every element is closed, or may do without an end tag."""

    VOID = frozenset({"meta", "br", "input", "link", "img", "hr"})
    OPTIONAL_END = frozenset({"li", "p", "td", "th", "tr", "thead", "tbody", "dt", "dd"})
    CLOSED_BY: Mapping[str, frozenset[str]] = {
        "li": frozenset({"li"}),
        "td": frozenset({"td", "th"}),
        "th": frozenset({"td", "th"}),
        "tr": frozenset({"td", "th", "tr"}),
        "tbody": frozenset({"td", "th", "tr", "thead", "tbody"}),
    }
    RUNS = frozenset({"script", "iframe", "object", "embed", "base", "svg", "math", "frame", "applet"})

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.text = ""
        self.feed(body.decode())
        self.close()
        assert self.open == []
        assert self.count("html") == self.count("main") == self.count("title") == self.count("h1") == 1

    def handle_decl(self, decl: str) -> None:
        assert decl.lower() == "doctype html"
        assert not self.elements

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in self.RUNS
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        assert not any(name.startswith("on") or name in ("style", "srcdoc") for name in names)
        self.elements.append((tag, dict(attrs)))
        while self.open and self.open[-1] in self.CLOSED_BY.get(tag, ()):
            self.open.pop()
        self.texts.setdefault(tag, []).append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.open, f"</{tag}> closes nothing"
        while self.open[-1] != tag:
            left = self.open.pop()
            assert left in self.OPTIONAL_END, f"</{tag}> before </{left}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data
        if "style" not in self.open:
            self.text += data

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def hrefs(self) -> list[str]:
        return [attributes["href"] or "" for _, attributes in self.elements if "href" in attributes]


def as_text(text: str, content_type: str) -> None:
    """Render no description."""


def frame(
    above: str = "..", home: str | None = "../../", caller: str | None = None, crumbs: Iterable[str] = ("acme", "tools")
) -> Frame:
    links = Links(
        project=lambda project: f"{above}/{project.id}",
        group=lambda group: f"{above}/groups/{group.id}",
        files=lambda project: f"{above}/{project.id}",
        home=home,
    )
    return Frame(links, [(name, f"{above}/{name}") for name in crumbs], caller)


def package_page(
    project: Project = TOOLS,
    package: Package = DEMO,
    files: Iterable[PackageFile] = (FILE,),
    metadata: PackageMetadata | None = None,
    others: Iterable[Package] = (),
    about: About | None = None,
    status: NameStatus | None = None,
    api_url: str = API,
    around: Frame | None = None,
) -> Page:
    details = PackageDetails(package, [*files], metadata or PackageMetadata())
    shown = PackagePage(project, details, [package, *others], False, about or About(), status or NameStatus())
    return Page(render_package(shown, around or frame(), api_url, as_text))


def row(package: Package = DEMO, project: Project = TOOLS, versions: int | None = 1, by: str = "ada") -> PackageRow:
    return PackageRow(project, package, versions, by)


def list_page(
    where: Project | Group = TOOLS,
    rows: Iterable[PackageRow] = (row(),),
    total: int | None = 1,
    page: int = 1,
    next_page: int | None = None,
    parameters: Mapping[str, str] | None = None,
    around: Frame | None = None,
) -> Page:
    shown = PackageList([*rows], total, page, next_page, parameters or {})
    return Page(render_list(where, shown, around or frame(), API, MAX_TOTAL))


def landing_page(
    rows: Iterable[PackageRow] = (row(),),
    projects: Iterable[Project] = (TOOLS,),
    page: int = 1,
    has_next: bool = False,
    around: Frame | None = None,
    api_url: str = API,
) -> Page:
    shown = Landing([*rows], [*projects], len([*projects]), page, has_next)
    return Page(render_landing(shown, around or frame(home="./"), api_url, MAX_TOTAL))


# The header


def test_the_header_shows_where_the_page_is() -> None:
    page = list_page()
    assert page.texts["nav"][0] == "Packagesacmetools"
    assert page.hrefs[:2] == ["../../", "../acme"]  # the page itself has no link
    assert ("nav", {"class": "crumbs", "aria-label": "Breadcrumb"}) in page.elements


@pytest.mark.parametrize(
    ("home", "caller", "words", "signs_in"),
    [
        ("../../", None, "Sign in", True),
        ("../../", "ada", "Signed in as ada", False),
        ("../../", HOSTILE, f"Signed in as {HOSTILE}", False),
        (None, None, "", False),
    ],
)
def test_the_header_shows_who_is_signed_in(home: str | None, caller: str | None, words: str, signs_in: bool) -> None:
    page = list_page(around=frame(home=home, caller=caller))
    assert words in page.texts["header"][0]
    assert ("../../sign-in" in page.hrefs) == signs_in


# Lists


@pytest.mark.parametrize(
    ("rows", "total", "words"),
    [
        ([], 0, "No packages yet."),
        ([row()], 1, "1 version, the last published first"),
        ([row()], 1234, "1,234 versions, the last published first"),
        ([row()], None, "more than 10,000 versions, the last published first"),
        ([], 30, "The packages of these versions are on earlier pages."),
    ],
)
@pytest.mark.parametrize("where", [TOOLS, ACME], ids=["project", "group"])
def test_a_list_counts_versions(where: Project | Group, rows: list[PackageRow], total: int | None, words: str) -> None:
    page = list_page(where, rows, total)
    assert words in [text.strip() for text in page.texts["p"]]
    assert page.count("table") == bool(rows)


def test_a_search_without_a_match_names_what_was_searched() -> None:
    page = list_page(rows=[], total=0, parameters={"package_name": HOSTILE})
    assert f"No package matches “{HOSTILE}”." in page.texts["p"]


def test_a_list_of_a_group_shows_what_which_version_how_many_where_when_and_who() -> None:
    page = list_page(ACME, [row(versions=3), row(replace(DEMO, id=9, yanked="broken"), CLOSED, None, "")])
    cells = [text.strip() for text in page.texts["td"]]
    assert cells[:4] == ["1.0", "3", "acme/tools", "2024-05-06 07:08 UTC by ada"]
    assert cells[4:] == ["1.0 yanked", "more than 10,000", "acme/closed", "2024-05-06 07:08 UTC"]
    assert page.texts["th"] == ["Name", "Newest version", "Versions", "Project", "Published", "My.Demo", "My.Demo"]
    assert {"../1/7", "../1", "../2/9", "../2"} <= {*page.hrefs}
    assert ("time", {"datetime": "2024-05-06T07:08:09Z"}) in page.elements


def test_a_list_of_a_project_does_not_repeat_the_project() -> None:
    assert list_page().texts["th"] == ["Name", "Newest version", "Versions", "Published", "My.Demo"]


@pytest.mark.parametrize(
    ("page", "next_page", "turns"), [(1, None, []), (1, 2, ["2"]), (2, 5, ["1", "5"]), (3, None, ["2"])]
)
def test_a_list_has_links_to_other_pages(page: int, next_page: int | None, turns: list[str]) -> None:
    parameters = {"package_name": "a b&c=<d>", "page": str(page)}
    hrefs = list_page(page=page, next_page=next_page, parameters=parameters).hrefs
    assert [parse_qs(href.removeprefix("?")) for href in hrefs if href.startswith("?")] == [
        {"package_name": ["a b&c=<d>"], "page": [turn]} for turn in turns
    ]


def test_a_list_is_searched_without_a_script() -> None:
    page = list_page(parameters={"package_name": HOSTILE})
    (field,) = [attributes for tag, attributes in page.elements if tag == "input"]
    assert field["name"] == "package_name" and field["value"] == HOSTILE and field["aria-label"]
    assert ("form", {"method": "get", "role": "search"}) in page.elements


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (TOOLS, f"{API}/projects/1/packages/pypi/simple"),
        (CLOSED, "https://__token__:TOKEN@registry.example/api/v4/projects/2/packages/pypi/simple"),
        (ACME, "https://__token__:TOKEN@registry.example/api/v4/groups/10/-/packages/pypi/simple"),
    ],
)
def test_a_list_shows_how_to_use_its_index(where: Project | Group, index: str) -> None:
    blocks = list_page(where).texts["pre"]
    assert blocks[:2] == [f"pip install NAME --index-url {index}", f"uv pip install NAME --default-index {index}"]
    assert blocks[2:4] == [f"export PIP_INDEX_URL={index}", f"export UV_DEFAULT_INDEX={index}"]
    assert len(blocks) == (6 if isinstance(where, Project) else 4)


# The package


def test_a_package_shows_how_to_install_it() -> None:
    page = package_page()
    index = f"{API}/projects/1/packages/pypi/simple"
    commands = page.texts["pre"]
    assert commands[:2] == [
        f"pip install My.Demo --index-url {index}",
        f"uv pip install My.Demo --default-index {index}",
    ]
    assert commands[2].splitlines() == [
        "[distutils]",  # without it twine finds no other section
        "index-servers = gitlab",
        "",
        "[gitlab]",
        f"repository = {API}/projects/1/packages/pypi",
        "username = __token__",
        "password = TOKEN",
    ]
    assert "personal access token." not in page.text
    assert page.texts["h1"] == ["My.Demo 1.0"]
    assert page.texts["title"] == ["My.Demo 1.0"]


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.INTERNAL])
def test_a_package_that_is_not_public_needs_a_token(visibility: Visibility) -> None:
    page = package_page(replace(TOOLS, visibility=visibility))
    index = "https://__token__:TOKEN@registry.example/api/v4/projects/1/packages/pypi/simple"
    assert page.texts["pre"][0] == f"pip install My.Demo --index-url {index}"
    assert "You will need a personal access token." in page.texts["p"]


LATER, PRE = replace(DEMO, id=9, version="2.0"), replace(DEMO, id=10, version="3.0rc1")


@pytest.mark.parametrize(
    ("versions", "requirement"),
    [
        pytest.param([DEMO], "My.Demo", id="the only one"),
        pytest.param([PRE, DEMO], "My.Demo", id="the newest that is final"),
        pytest.param([LATER, DEMO], "My.Demo==1.0", id="an older one"),
        pytest.param([replace(LATER, yanked=""), DEMO], "My.Demo", id="the newest that is not yanked"),
        pytest.param([replace(DEMO, yanked="x")], "My.Demo==1.0", id="yanked"),
        pytest.param([DEMO, replace(PRE, version="0.1.dev1")], "My.Demo", id="newer than a development release"),
    ],
)
def test_the_command_installs_the_version_that_is_shown(versions: list[Package], requirement: str) -> None:
    shown = next(each for each in versions if each.id == DEMO.id)
    page = PackagePage(TOOLS, PackageDetails(shown, [FILE], PackageMetadata()), versions, False, About(), NameStatus())
    assert page.requirement == requirement
    assert f"pip install {requirement} " in Page(render_package(page, frame(), API, as_text)).text


def test_an_epoch_is_quoted_for_the_shell() -> None:
    package = replace(DEMO, version="1!2.0", yanked="")
    assert package_page(package=package).texts["pre"][0].startswith("pip install 'My.Demo==1!2.0' --index-url ")


@pytest.mark.parametrize("where", [TOOLS, CLOSED], ids=["public", "private"])
def test_no_placeholder_looks_like_a_redirection(where: Project) -> None:
    for page in (package_page(where), list_page(where), landing_page()):
        assert page.count("pre") >= 3
        assert not {*"<>‹›〈〉＜＞"} & {*"".join(page.texts["pre"])}


def test_the_files_of_a_package_are_linked_and_described() -> None:
    other = replace(FILE, id=9, filename="My.Demo-1.0-py3-none-any.whl", uploaded_by=HOSTILE)
    page = package_page(files=[FILE, other])
    assert [href for href in page.hrefs if "download" in href] == [
        "../1/7/package_files/8/download",
        "../1/7/package_files/9/download",
    ]
    cells = [text.strip() for text in page.texts["td"]]
    assert cells[0].startswith("My.Demo-1.0.tar.gz") and "a" * 64 in cells[0]
    assert cells[1:3] == ["871 B", "2024-06-07 00:00 UTC"]
    assert cells[5] == f"2024-06-07 00:00 UTC by {HOSTILE}"


def test_a_package_without_files_has_a_sentence_instead() -> None:
    page = package_page(files=[])
    assert "All files were deleted." in page.texts["p"]
    assert page.count("table") == 0


def test_what_the_metadata_states_is_shown() -> None:
    about = About(
        authors=["Ada <ada@example.org>"],
        licence="MIT",
        links=[("Source", "https://example.org/source")],
        dependencies=['other>=1; python_version < "3.12"'],
        classifiers=["Typing :: Typed"],
    )
    page = package_page(about=about, metadata=PackageMetadata(summary="Sums.", keywords="a,b"))
    assert dict(zip(page.texts["dt"], page.texts["dd"], strict=True)) == {
        "Requires Python": ">=3.11",
        "Licence": "MIT",
        "Author": "Ada <ada@example.org>",
        "Keywords": "a,b",
    }
    assert 'other>=1; python_version < "3.12"' in page.texts["li"] and "Typing :: Typed" in page.texts["li"]
    assert ("a", {"href": "https://example.org/source", "rel": "nofollow noopener"}) in page.elements
    assert "Sums." in page.texts["p"]


def test_very_many_classifiers_are_counted_and_not_listed() -> None:
    page = package_page(about=About(classifiers=[f"Topic :: {number}" for number in range(1_234)]))
    assert "and 1,034 more" in page.texts["p"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (NameStatus(Status.ARCHIVED, "moved"), "This package is archived: no further versions are published (moved)."),
        (NameStatus(Status.DEPRECATED), "This package is deprecated."),
        (NameStatus(Status.QUARANTINED, HOSTILE), f"cannot be downloaded ({HOSTILE})."),
    ],
)
def test_the_status_of_a_package_is_shown(status: NameStatus, words: str) -> None:
    page = package_page(status=status)
    assert any(text.endswith(words) for text in page.texts["p"])
    assert any("download" in href for href in page.hrefs) == status.status.offers_files


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10.0 KiB"),
        (1024**2, "1.0 MiB"),
        (1024**3, "1.0 GiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_a_size_is_written_for_people(size: int, words: str) -> None:
    page = package_page(files=[replace(FILE, size=size)])
    assert page.texts["td"][1] == words


@pytest.mark.parametrize("size", [1024**2 - 1, 1024**3 - 1])
def test_a_size_never_reads_as_1024_of_a_unit(size: int) -> None:
    assert not package_page(files=[replace(FILE, size=size)]).texts["td"][1].startswith("1024")


@pytest.mark.parametrize(
    ("yanked", "words"),
    [
        (None, []),
        ("", ["This version was yanked."]),
        ("broken", ["This version was yanked: broken"]),
        (HOSTILE, [f"This version was yanked: {HOSTILE}"]),
    ],
    ids=["no", "without a reason", "with a reason", "hostile"],
)
def test_a_yanked_package_has_a_notice(yanked: str | None, words: list[str]) -> None:
    page = package_page(package=replace(DEMO, yanked=yanked))
    assert [text for text in page.texts["p"] if "yanked" in text] == words


def test_the_versions_are_linked_and_those_that_are_yanked_have_their_reason() -> None:
    others = [replace(DEMO, id=5, version="0.9", yanked="broken"), replace(DEMO, id=6, version="0.1+local.1")]
    page = package_page(files=[], others=others)
    assert page.texts["li"][3:] == ["1.0 2024-05-06", "0.9 yanked 2024-05-06broken", "0.1+local.1 2024-05-06"]
    assert page.hrefs[-2:] == ["../1/5", "../1/6"]
    assert ("strong", {"aria-current": "page"}) in page.elements


def test_very_many_versions_are_folded() -> None:
    others = [replace(DEMO, id=number, version=f"0.{number}") for number in range(200, 100, -1)]
    page = package_page(files=[], others=others)
    assert page.texts["summary"] == ["91 more"]
    assert page.count("details") == 1 and len([href for href in page.hrefs if href.startswith("../1/")]) == 100


# The landing page, and errors


def test_the_landing_page_shows_projects_and_what_was_published_last() -> None:
    page = landing_page(projects=[TOOLS, CLOSED], has_next=True, page=2)
    assert {"../1", "../2", "../1/7", "?page=1", "?page=3"} <= {*page.hrefs}
    assert page.texts["h2"] == ["Published last", "Projects", "How to use it"]
    assert "private" in page.texts["li"][-1]


@pytest.mark.parametrize(
    ("caller", "words"),
    [(None, "No project is public. Sign in to see yours."), ("ada", "You do not have access to any project.")],
)
def test_the_landing_page_without_projects_has_a_sentence(caller: str | None, words: str) -> None:
    page = landing_page(rows=[], projects=[], around=frame(home="./", caller=caller))
    assert words in page.texts["p"]


@pytest.mark.parametrize("has_credentials", [True, False])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 503, 507])
def test_an_error_is_a_page_with_a_way_back(status: int, has_credentials: bool) -> None:
    page = Page(render_error(status, HOSTILE, frame(), has_credentials=has_credentials))
    assert page.texts["h1"] == [f"{status} {HOSTILE}"]
    assert page.hrefs[-1] == "../../"


# What came from outside


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/markdown", "text/x-rst", "text/html", HOSTILE])
def test_without_a_renderer_a_description_is_plain_text(content_type: str) -> None:
    page = package_page(metadata=PackageMetadata(description=HOSTILE, description_content_type=content_type))
    assert HOSTILE in page.texts["pre"]
    assert page.count("article") == 0


@pytest.mark.parametrize("description", ["\n\n  first\n    second", "x" * 4000, "a\r\nb", "ünïcode ☃ 🐍", "&lt;b&gt;"])
def test_a_plain_description_loses_nothing(description: str) -> None:
    page = package_page(metadata=PackageMetadata(description=description))
    assert page.texts["pre"][2].replace("\r\n", "\n").strip() == description.replace("\r\n", "\n").strip()


def test_what_is_missing_leaves_no_headings() -> None:
    page = package_page()
    assert not {"Description", "Links", "Dependencies", "Classifiers"} & {*page.texts["h2"]}


HOSTILE_PAGES: Mapping[str, Callable[[], Page]] = {
    "summary": lambda: package_page(metadata=PackageMetadata(summary=HOSTILE)),
    "keywords": lambda: package_page(metadata=PackageMetadata(keywords=HOSTILE)),
    "description": lambda: package_page(metadata=PackageMetadata(description=HOSTILE)),
    "name": lambda: package_page(package=replace(DEMO, name=HOSTILE)),
    "version": lambda: package_page(package=replace(DEMO, version=HOSTILE)),
    "another version": lambda: package_page(others=[replace(DEMO, version=HOSTILE, yanked=HOSTILE)]),
    "file name": lambda: package_page(files=[replace(FILE, filename=HOSTILE)]),
    "requires-python": lambda: package_page(files=[replace(FILE, requires_python=HOSTILE)]),
    "path": lambda: package_page(replace(TOOLS, path=HOSTILE), around=frame(crumbs=[HOSTILE])),
    "URL": lambda: package_page(api_url=HOSTILE),
    "references": lambda: package_page(around=frame(above=HOSTILE, home=HOSTILE)),
    "about": lambda: package_page(about=About([HOSTILE], HOSTILE, [(HOSTILE, HOSTILE)], [HOSTILE], [HOSTILE])),
    "title of a list": lambda: list_page(replace(ACME, name=HOSTILE)),
    "path of a list": lambda: list_page(replace(ACME, path=HOSTILE)),
    "a row": lambda: list_page(ACME, [row(replace(DEMO, name=HOSTILE, version=HOSTILE), by=HOSTILE)]),
    "project of a row": lambda: list_page(ACME, [row(project=replace(TOOLS, path=HOSTILE))]),
    "references in a list": lambda: list_page(around=frame(above=HOSTILE)),
    "query": lambda: list_page(page=2, next_page=3, parameters={HOSTILE: HOSTILE}),
    "landing": lambda: landing_page(projects=[replace(TOOLS, path=HOSTILE)], api_url=HOSTILE),
    "search": lambda: Page(render_search(PackageList([], 0, 1, None, {"package_name": HOSTILE}), frame(), MAX_TOTAL)),
}


@pytest.mark.parametrize("page", HOSTILE_PAGES)
def test_what_came_from_outside_is_text(page: str) -> None:
    read = HOSTILE_PAGES[page]()  # which refuses whatever would run, and tags that close what they did not open
    assert read.count("img") == 0
    assert all(not href.startswith("javascript:") for href in read.hrefs)


@pytest.mark.parametrize("make", [list_page, package_page, landing_page], ids=["list", "package", "landing"])
def test_a_page_is_for_phones_and_for_readers(make: Callable[[], Page]) -> None:
    page = make()
    assert ("html", {"lang": "en"}) in page.elements
    assert ("meta", {"charset": "utf-8"}) in page.elements
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    style = page.texts["style"][0]
    assert "light dark" in style and ":focus-visible" in style and "@media (max-width" in style
    assert "url(" not in style and "@import" not in style
    assert page.count("header") == 1 and page.count("style") == 1
