"""pip and uv print for each fault what the documentation shows."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypi_registry.testing import FakeRegistry, faults, make_sdist, make_wheel, with_credentials
from pypi_registry.testing.faults import Fault
from pypi_registry.testing.rules import Matcher
from tests.clients.programs import Programs
from tests.clients.toolbox import CLIENTS, Tool, Toolbox

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
WITHOUT_RETRIES = {
    "PIP_RETRIES": "0",
    "PIP_RESUME_RETRIES": "0",
    "PIP_TIMEOUT": "1",
    "UV_HTTP_RETRIES": "0",
    "UV_HTTP_TIMEOUT": "1",
}
DATES = {"pip": ["--uploaded-prior-to", "2100-01-01"], "uv": ["--exclude-newer", "2100-01-01"]}


@dataclass(frozen=True)
class Row:
    """A row of the table: a fault, and what each client prints."""

    matcher: Matcher
    fault: Fault
    note: str
    """The text after the fault."""
    printed: dict[str, str]

    def __str__(self) -> str:
        return f"{self.matcher} {self.fault}{self.note}"


def read_rows(page: str) -> Iterator[Row]:
    for injected, note, *printed in re.findall(
        r"^\| `(\"[^`]+)`([^|]*) \| `+([^|]+?)`+ \| `+([^|]+?)`+ \|$", page, re.M
    ):
        matcher, fault = eval(f"({injected})", vars(faults).copy())
        yield Row(matcher, fault, note, dict(zip(("pip", "uv"), printed, strict=True)))


ROWS = [*read_rows(PAGE)]


def is_printed(sentence: str, output: str) -> bool:
    """Return whether an output contains a sentence, in which an ellipsis replaces text that varies."""
    pattern = ".*?".join(re.escape(part) for part in sentence.split("…"))
    return re.search(pattern, " ".join(output.split())) is not None


def test_every_line_of_the_table_is_read() -> None:
    table = PAGE.partition("| injected | pip | uv |")[2].partition("\n\n")[0]
    assert len(ROWS) == len(table.strip().splitlines()) - 1
    assert len(ROWS) > 15


def test_the_page_names_the_versions_and_the_settings() -> None:
    text = " ".join(PAGE.split())
    assert f"the output of {CLIENTS['pip'].title} and {CLIENTS['uv'].title}" in text
    assert [f"`{name}={value}`" for name, value in WITHOUT_RETRIES.items() if f"`{name}={value}`" not in text] == []


@pytest.mark.parametrize(
    ("sentence", "output", "expected"),
    [
        ("0 bytes (…)", "error: 0 bytes (a lot)", True),
        ("0 bytes (…)", "error:\n0   bytes\n(a lot)", True),
        ("0 bytes (…)", "error: 1 byte", False),
        ("a.b", "a-b", False),
    ],
)
def test_a_sentence_is_found(sentence: str, output: str, expected: bool) -> None:
    assert is_printed(sentence, output) == expected


@pytest.fixture(scope="session")
def toolbox(request: pytest.FixtureRequest) -> Toolbox:
    assert request.config.cache is not None
    return Toolbox.fill(request.config.cache.mkdir("clients"))


Install = Callable[..., str]


@pytest.fixture
def install(toolbox: Toolbox, tmp_path: Path) -> Install:
    """Return a function that installs with a client from an index, and returns what the client prints."""

    def install(client: str, index: str, *arguments: str, fails: bool = False, settings: dict[str, str]) -> str:
        tool = Tool(tmp_path, toolbox.scripts(client), settings)
        target = ["--target", str(tmp_path / "site")]
        line = {
            "pip": ["pip", "install", *target, "--index-url", index, *arguments],
            "uv": ["uv", "pip", "install", "--python", sys.executable, *target, "--default-index", index, *arguments],
        }
        return tool.shell(("! " if fails else "") + shlex.join(line[client]))

    return install


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "client"),
    [  # by turns; the other client of a row runs with --long
        pytest.param(row, client, id=f"{row}-{client}", marks=[pytest.mark.long] if (number + turn) % 2 else [])
        for number, row in enumerate(ROWS)
        for turn, client in enumerate(["pip", "uv"])
    ],
)
def test_a_client_prints_what_the_documentation_shows(
    row: Row, client: str, fake_registry: FakeRegistry, install: Install
) -> None:
    fake_registry.add("demo", "1.0")
    rule = fake_registry.fault(row.matcher, row.fault)
    arguments = DATES[client] if "a date" in row.note else []
    requirement = "demo"
    if "version 2.0" in row.note:
        fake_registry.add("demo", "2.0")
        requirement = "demo==2.0"
    printed = install(client, fake_registry.index_url, *arguments, requirement, fails=True, settings=WITHOUT_RETRIES)
    assert rule.met
    assert is_printed(row.printed[client], printed), printed


@pytest.mark.slow
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_without_a_fault_a_client_installs(
    client: str, fake_registry: FakeRegistry, install: Install, tmp_path: Path
) -> None:
    fake_registry.add("demo", "1.0", requires=["built", "other[more]"], files={"demo.py": "SAYS = 'demo'"})
    fake_registry.add("built", "1.0", wheel=False, sdist=True, files={"built.py": "SAYS = 'built'"})
    fake_registry.add("other", "1.0", extras={"more": ["third"]})
    fake_registry.project("fake/deep/one").add("third", "1.0")
    fake_registry.tokens(read="secret")
    index = with_credentials(fake_registry.group_index_url, "secret")
    install(client, index, *DATES[client], "demo", settings=WITHOUT_RETRIES)
    site = tmp_path / "site"
    assert {path.name.partition("-")[0] for path in site.glob("*.dist-info")} == {"demo", "built", "other", "third"}
    assert (site / "built.py").read_text() == "SAYS = 'built'"
    assert {request.headers.get("Authorization") for request in fake_registry.requests} == {"Basic ***"}


@pytest.mark.slow
@pytest.mark.parametrize(("client", "retries", "word"), [("pip", 5, "five"), ("uv", 3, "three")])
@pytest.mark.parametrize("fault", [faults.Status(503), faults.Status(429), faults.Disconnect()], ids=str)
def test_a_client_retries_as_often_as_documented(
    client: str, retries: int, word: str, fault: Fault, fake_registry: FakeRegistry, install: Install
) -> None:
    fake_registry.add("demo", "1.0")
    fault = faults.Status(fault.status, {"Retry-After": "0"}) if isinstance(fault, faults.Status) else fault
    rule = fake_registry.fault("demo", fault)
    install(client, fake_registry.index_url, "demo", fails=True, settings={})
    assert len(rule.met) == 1 + retries
    assert re.search(
        rf"{client} (with default settings )?repeats the request up to {word} times", " ".join(PAGE.split())
    )


@pytest.mark.slow
def test_twine_and_uv_publish(fake_registry: FakeRegistry, tmp_path: Path) -> None:
    fake_registry.tokens(write="secret")
    wheel, sdist = make_wheel("demo", "1.0"), make_sdist("demo", "1.0", size=3_000_000)
    programs = Programs(tmp_path)
    programs.twine_upload(fake_registry.upload_url, "secret", wheel.write_to(tmp_path / "dist"))
    url = ["--publish-url", fake_registry.upload_url, "--username", "any", "--password", "secret"]
    programs.run("uv", "publish", *url, sdist.write_to(tmp_path / "dist"))
    files = fake_registry.packages["demo"]["1.0"]
    assert [(file.filename, file.data) for file in files] == [
        (wheel.filename, wheel.data),
        (sdist.filename, sdist.data),
    ]
    fake_registry.fault("POST *", faults.Status(507, message="no room here"))
    printed = programs.twine_upload(fake_registry.upload_url, "secret", wheel.write_to(tmp_path / "dist"), status=1)
    assert "no room here" in printed


@pytest.mark.slow
def test_uv_publish_retries_after_a_dropped_connection(fake_registry: FakeRegistry, tmp_path: Path) -> None:
    fake_registry.fault("POST *", faults.Disconnect(), times=1)
    path = make_sdist("demo", "1.0").write_to(tmp_path / "dist")
    Programs(tmp_path).run(
        *("uv", "publish", "--publish-url", fake_registry.upload_url, "--username", "any", "--password", "any", path)
    )
    assert [request.status for request in fake_registry.requests] == [None, 201]
