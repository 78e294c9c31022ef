"""The pages for people, as text: whole, escaped, and without anything that runs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import parse_qs

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._pages.browser import PackageList, render_list, render_package
from pypi_registry.model import (
    Digests,
    Group,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    Project,
    Projects,
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
    OPTIONAL_END = frozenset({"li", "p", "td", "th", "tr", "thead", "tbody"})
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


def package_page(
    project: Project = TOOLS,
    package: Package = DEMO,
    files: Iterable[PackageFile] = (FILE,),
    metadata: PackageMetadata | None = None,
    others: Iterable[Package] = (),
    packages_path: str = ".",
    api_url: str = API,
) -> Page:
    details = PackageDetails(package, [*files], metadata or PackageMetadata())
    return Page(render_package(project, details, [*others], packages_path, api_url, as_text))


def list_page(
    where: Project | Group = TOOLS,
    packages: Iterable[Package] = (DEMO,),
    total: int | None = 1,
    page: int = 1,
    has_next: bool = False,
    parameters: Mapping[str, str] | None = None,
    above: str = "..",
) -> Page:
    projects = Projects([TOOLS, CLOSED])
    shown = PackageList(
        where, [*packages], projects, total, page, has_next, parameters or {}, lambda project: f"{above}/{project.id}"
    )
    return Page(render_list(shown, MAX_TOTAL))


# The list


@pytest.mark.parametrize(
    ("packages", "total", "words"),
    [([], 0, "0 packages"), ([DEMO], 1, "1 package"), ([DEMO, replace(DEMO, id=9)], 2, "2 packages")],
    ids=["none", "one", "two"],
)
@pytest.mark.parametrize("where", [TOOLS, ACME], ids=["project", "group"])
def test_a_list_counts_its_packages(where: Project | Group, packages: list[Package], total: int, words: str) -> None:
    page = list_page(where, packages, total)
    assert words in [text.strip() for text in page.texts["p"]]
    assert page.count("table") == bool(packages)
    assert page.hrefs == [f"../1/{package.id}" for package in packages]


def test_a_list_says_what_which_version_where_and_when() -> None:
    page = list_page(ACME, [DEMO, replace(DEMO, id=9, project_id=2, yanked="broken")])
    cells = [text.strip() for text in page.texts["td"]]
    assert cells[:4] == ["My.Demo", "1.0", "acme/tools", "2024-05-06 07:08 UTC"]
    assert cells[4:7] == ["My.Demo (yanked)", "1.0", "acme/closed"]
    assert page.texts["th"] == ["Name", "Version", "Project", "Published"]
    assert [attributes.get("scope") for tag, attributes in page.elements if tag == "th"] == 4 * ["col"]
    assert ("time", {"datetime": "2024-05-06T07:08:09Z"}) in page.elements


@pytest.mark.parametrize(
    ("page", "pages", "turns"),
    [
        (1, 1, []),
        (1, 3, ["2"]),
        (2, 3, ["1", "3"]),
        (3, 3, ["2"]),
    ],
)
def test_a_list_can_be_turned(page: int, pages: int, turns: list[str]) -> None:
    parameters = {"package_name": "a b&c=<d>", "page": str(page), "sort": "desc"}
    hrefs = list_page(packages=[], page=page, has_next=page < pages, parameters=parameters).hrefs
    assert [parse_qs(href.removeprefix("?")) for href in hrefs] == [
        {"package_name": ["a b&c=<d>"], "page": [turn], "sort": ["desc"]} for turn in turns
    ]


def test_a_list_is_searched_without_a_script() -> None:
    page = list_page(parameters={"package_name": HOSTILE})
    (field,) = [attributes for tag, attributes in page.elements if tag == "input"]
    assert field["name"] == "package_name" and field["value"] == HOSTILE
    assert ("form", {"method": "get", "role": "search"}) in page.elements
    assert "Name" in page.texts["label"][0]


# The package


def test_a_package_says_how_to_install_it() -> None:
    page = package_page()
    commands = page.texts["pre"]
    assert commands[0] == f"pip install My.Demo --index-url {API}/projects/1/packages/pypi/simple"
    assert commands[1].splitlines() == [
        "[distutils]",  # without it twine finds no other section
        "index-servers = gitlab",
        "",
        "[gitlab]",
        f"repository = {API}/projects/1/packages/pypi",
        "username = __token__",
        "password = <your personal access token>",
    ]
    assert "personal access token." not in page.text
    assert page.texts["h1"] == ["My.Demo 1.0"]
    assert page.texts["title"] == ["My.Demo 1.0"]


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.INTERNAL])
def test_a_package_that_is_not_public_needs_a_token(visibility: Visibility) -> None:
    page = package_page(replace(TOOLS, visibility=visibility))
    index = "https://__token__:<your_personal_token>@registry.example/api/v4/projects/1/packages/pypi/simple"
    assert page.texts["pre"][0] == f"pip install My.Demo --index-url {index}"
    assert "You will need a personal access token." in page.texts["p"]


def test_the_files_of_a_package_are_linked_and_described() -> None:
    other = replace(FILE, id=9, filename="My.Demo-1.0-py3-none-any.whl", requires_python="")
    page = package_page(files=[FILE, other])
    assert page.hrefs == ["./7/package_files/8/download", "./7/package_files/9/download"]
    cells = [text.strip() for text in page.texts["td"]]
    assert cells[0].startswith("My.Demo-1.0.tar.gz") and "a" * 64 in cells[0]
    assert cells[1:4] == ["871 B", ">=3.11", "2024-06-07 00:00 UTC"]
    assert cells[6] == "–"


@pytest.mark.parametrize(("name", "shown"), [("ada", " by ada"), (HOSTILE, f" by {HOSTILE}"), ("", "")])
def test_a_file_has_the_name_of_who_uploaded_it(name: str, shown: str) -> None:
    page = package_page(files=[replace(FILE, uploaded_by=name)])
    assert page.texts["td"][3].strip() == f"2024-06-07 00:00 UTC{shown}"


def test_a_list_of_more_packages_than_are_counted_has_no_number() -> None:
    page = list_page(total=None, has_next=True)
    assert "more than 10,000 packages" in [text.strip() for text in page.texts["p"]]
    assert page.hrefs[-1] == "?page=2"


def test_a_package_without_files_says_so() -> None:
    page = package_page(files=[])
    assert "All files were deleted." in page.texts["p"]
    assert page.count("table") == 0


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
def test_a_yanked_package_says_so(yanked: str | None, words: list[str]) -> None:
    page = package_page(package=replace(DEMO, yanked=yanked))
    assert [text for text in page.texts["p"] if "yanked" in text] == words


def test_the_other_versions_are_linked() -> None:
    others = [replace(DEMO, id=5, version="0.9", yanked=""), replace(DEMO, id=6, version="2!1.0+local.1")]
    page = package_page(files=[], others=others)
    assert page.texts["li"] == ["0.9 (yanked)", "2!1.0+local.1"]
    assert page.hrefs == ["./5", "./6"]


# What came from outside


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/markdown", "text/x-rst", "text/html", HOSTILE])
def test_without_a_renderer_a_description_is_plain_text(content_type: str) -> None:
    page = package_page(metadata=PackageMetadata(description=HOSTILE, description_content_type=content_type))
    assert page.texts["pre"][-1] == HOSTILE
    assert page.count("article") == 0


@pytest.mark.parametrize("description", ["\n\n  first\n    second", "x" * 4000, "a\r\nb", "ünïcode ☃ 🐍", "&lt;b&gt;"])
def test_a_plain_description_loses_nothing(description: str) -> None:
    page = package_page(metadata=PackageMetadata(description=description))
    assert page.texts["pre"][-1].replace("\r\n", "\n").strip() == description.replace("\r\n", "\n").strip()


def test_nothing_said_leaves_no_headings() -> None:
    page = package_page()
    assert not {"Description", "Other versions"} & set(page.texts["h2"])


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(lambda: package_page(metadata=PackageMetadata(summary=HOSTILE)), id="summary"),
        pytest.param(lambda: package_page(metadata=PackageMetadata(description=HOSTILE)), id="description"),
        pytest.param(lambda: package_page(package=replace(DEMO, name=HOSTILE)), id="name"),
        pytest.param(lambda: package_page(package=replace(DEMO, version=HOSTILE)), id="version"),
        pytest.param(lambda: package_page(others=[replace(DEMO, version=HOSTILE)]), id="another version"),
        pytest.param(lambda: package_page(files=[replace(FILE, filename=HOSTILE)]), id="file name"),
        pytest.param(lambda: package_page(files=[replace(FILE, requires_python=HOSTILE)]), id="requires-python"),
        pytest.param(lambda: package_page(replace(TOOLS, path=HOSTILE)), id="path"),
        pytest.param(lambda: package_page(api_url=HOSTILE), id="address"),
        pytest.param(lambda: package_page(packages_path=HOSTILE), id="path of the packages"),
        pytest.param(lambda: list_page(replace(ACME, name=HOSTILE)), id="title of a list"),
        pytest.param(lambda: list_page(replace(ACME, path=HOSTILE)), id="path of a list"),
        pytest.param(lambda: list_page(packages=[replace(DEMO, name=HOSTILE)]), id="name in a list"),
        pytest.param(lambda: list_page(packages=[replace(DEMO, version=HOSTILE)]), id="version in a list"),
        pytest.param(lambda: list_page(above=HOSTILE), id="address in a list"),
        pytest.param(lambda: list_page(page=2, has_next=True, parameters={HOSTILE: HOSTILE}), id="query"),
    ],
)
def test_what_came_from_outside_is_text(page: object) -> None:
    assert callable(page)
    read: Page = page()  # which refuses whatever would run, and tags that close what they did not open
    assert read.count("img") == 0
    assert all(not href.startswith("javascript:") for href in read.hrefs)


@pytest.mark.parametrize("body", [render_list, render_package], ids=["list", "package"])
def test_a_page_is_for_phones_and_for_readers(body: object) -> None:
    page = list_page() if body is render_list else package_page()
    assert ("html", {"lang": "en"}) in page.elements
    assert ("meta", {"charset": "utf-8"}) in page.elements
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    style = page.texts["style"][0]
    assert "light dark" in style and ":focus-visible" in style and "@media (max-width" in style
    assert "url(" not in style and "@import" not in style
