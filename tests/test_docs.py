"""README.md and the documentation: their code runs, their links lead to files, their keys and numbers are right."""

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, ProtectionRule, Token, User
from pypi_registry.forwarding import PYPI
from pypi_registry.metrics import Metrics
from pypi_registry.stores.sqlite.schema import SCHEMA_VERSION
from tests.generated import generate, is_generated
from tests.test_public_names import NAMES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = {README.name: README} | {
    page.relative_to(DOCS).as_posix(): page
    for page in [*sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("reference/*.md"))]
}
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page that are tagged with a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def program(page: Path) -> str:
    """Return the Python blocks of a page as one program, each line at its number, so that tracebacks match the page."""
    lines, inside = [], False
    for line in text_of(page).splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        lines.append(line if inside else "")
    return "\n".join(lines)


# A block that is a part of an example has the tag ``py``: it does not run by itself.
RUN = [name for name, page in PAGES.items() if blocks(page, "python")]


@pytest.fixture
def registry_toml(tmp_path: Path) -> Path:
    """The example of serve.md, in its own folder."""
    [example] = blocks(PAGES["serve.md"], "toml")
    path = tmp_path / "registry.toml"
    path.write_text(example, encoding="utf-8")
    return path


def test_the_pages_that_show_python_are_found() -> None:
    assert {"README.md", "flask.md", "serve.md"} <= {*RUN}


@pytest.mark.parametrize("name", RUN)
def test_python_blocks_run(name: str, registry_toml: Path) -> None:
    path = registry_toml.with_name(f"{name}.py")
    path.write_text(program(PAGES[name]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=path.parent, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


EXCERPTS = [
    pytest.param(block, id=f"{name} {language} {number}")
    for name in PAGES
    for language in ("py", "nginx")
    for number, block in enumerate(blocks(PAGES[name], language))
    if name != "serve.md"  # whose block for nginx is run
]


def code_of(text: str) -> list[str]:
    """Return the lines of a program or a configuration without comments and empty lines."""
    lines = [re.sub(r"(^|\s+)# .*", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("block", EXCERPTS)
def test_an_example_has_the_lines_of_an_excerpt_in_this_order(block: str) -> None:
    def has_it(path: Path) -> bool:
        rest = iter(code_of(text_of(path)))
        return all(line in rest for line in code_of(block))

    assert any(has_it(path) for path in (ROOT / "examples").rglob("*") if path.suffix in {".conf", ".py"})


def test_the_excerpts_are_found() -> None:
    assert len(EXCERPTS) >= 7


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.parent.name)
def test_the_readme_of_an_example_is_a_screen_long(page: Path) -> None:
    assert len(text_of(page).splitlines()) <= 50


GUIDES = sorted((ROOT / ".github").glob("*.md"))


@pytest.mark.parametrize("page", [*PAGES.values(), *EXAMPLES, *GUIDES], ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    targets = [urlsplit(target) for target in re.findall(r"\]\(([^)\s]+)\)", prose)]
    relative = [target.path for target in targets if not target.scheme and target.path]
    assert [path for path in relative if not (page.parent / path).is_file()] == []


# What GitHub shows


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if is_generated(page)])
def test_the_generated_parts_of_a_page_are_up_to_date(name: str) -> None:
    page = PAGES[name]
    assert text_of(page) == generate(page), "run python -m tests.generated"


def test_the_contracts_and_every_public_module_have_generated_parts() -> None:
    generated = {name for name, page in PAGES.items() if is_generated(page)}
    reference = {name for name in PAGES if name.startswith("reference/")}
    assert generated >= {"contracts.md", "testing.md", "fastapi.md"} | reference


@pytest.mark.parametrize("page", [*PAGES.values(), *EXAMPLES], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_nothing_that_only_sphinx_understands(page: Path) -> None:
    shown = re.sub(r"<!--.*?-->", "", text_of(page), flags=re.DOTALL)
    assert re.findall(r"^`{3,}\{.*|\{[\w:]+\}`[^`]*`", shown, re.MULTILINE) == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES.values(), *EXAMPLES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_lead_to_headings(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    links = [urlsplit(target) for target in re.findall(r"\]\(([^)\s]+)\)", prose)]
    targets = [
        (page.parent / link.path if link.path else page, link.fragment)
        for link in links
        if not link.scheme and link.fragment
    ]
    assert [(path.name, anchor) for path, anchor in targets if anchor not in anchors(path)] == []


def test_every_page_is_in_a_table_of_contents() -> None:
    trees = [block for name in ("index.md", "reference.md") for block in blocks(PAGES[name], "{toctree}")]
    named = {line.rpartition("<")[2].rstrip(">") for line in "\n".join(trees).splitlines()}
    assert {f"{name}.md" for name in named} >= PAGES.keys() - {"README.md", "index.md"}


def test_the_reference_has_a_page_for_each_public_module() -> None:
    pages = [page for name, page in PAGES.items() if name.startswith("reference/")]
    assert {text_of(page).splitlines()[0] for page in pages} == {f"# `{module}`" for module in NAMES}


# registry.toml


def test_the_example_of_registry_toml_is_valid(registry_toml: Path) -> None:
    accounts = Accounts.from_toml(registry_toml)
    project = accounts.project("acme/tools")
    assert project is not None
    assert accounts.project(42) == project


KEYS = {(Token, "path"): "on", (Accounts, "forwarding"): "forward_to"}
"""The fields and arguments that have another name than their key."""


def keys_of(tables: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for table in tables for key in table}


@pytest.mark.parametrize(
    ("table", "entry"), [("groups", GroupConfig), ("projects", ProjectConfig), ("users", User), ("tokens", Token)]
)
def test_the_example_and_the_page_show_every_key_of_a_table(table: str, entry: type, registry_toml: Path) -> None:
    keys = {KEYS.get((entry, field.name), field.name) for field in fields(entry)}
    assert keys_of(tomllib.loads(text_of(registry_toml))[table]) == keys
    assert [key for key in keys if f"`{key}`" not in text_of(PAGES["serve.md"])] == []


def test_the_example_and_the_page_show_every_key_of_the_file(registry_toml: Path) -> None:
    example = tomllib.loads(text_of(registry_toml))
    arguments = inspect.signature(Accounts).parameters
    assert example.keys() == {KEYS.get((Accounts, name), name) for name in arguments}
    assert keys_of(example["projects"][0]["protect"]) == {field.name for field in fields(ProtectionRule)}


# README.md and the project file


def test_the_two_commands_of_the_readme_are_one_line_each() -> None:
    run, test = (block.splitlines() for block in blocks(README, "sh"))
    assert len(run) == len(test) == 1
    assert "-m pypi_registry serve" in run[0]
    assert [line for line in text_of(README).splitlines() if "-m pytest" in line] == test  # .ci/run looks for it


def test_the_readme_has_three_starts_of_at_most_five_lines() -> None:
    application, _, fake = blocks(README, "python")
    for start in (blocks(README, "sh")[0], application, fake):
        assert len([line for line in start.splitlines() if line]) <= 5


def test_the_application_of_the_readme_serves_the_registry() -> None:
    names: dict[str, Any] = {"__name__": __name__}
    exec(blocks(README, "python")[0], names)
    response = names["app"].test_client().get("/api/v4/projects/1/packages/pypi/simple/")
    assert response.status_code == 200


def test_the_fake_of_the_readme_prints_its_index(capsys: pytest.CaptureFixture[str]) -> None:
    exec(blocks(README, "python")[2], {})
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\S+/simple\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", ["README.md", "comparison.md"])
def test_the_comparison_leaves_no_cell_open_and_has_a_date(name: str) -> None:
    text = text_of(PAGES[name])
    rows = [line.strip("|").split("|")[1:] for line in text.splitlines() if line.count("|") == 7]
    assert len(rows) >= 10
    assert all(cell.strip() for row in rows for cell in row), rows
    assert re.search(r"\bWe checked [^.]+ on \d{1,2} [A-Z][a-z]+ 20\d\d\b", " ".join(text.split()))


def test_the_readme_links_to_every_page() -> None:
    links = set(re.findall(r"\]\(docs/([\w-]+\.md)", text_of(README)))
    guides = {name for name in PAGES if "/" not in name} - {"README.md", "index.md", "changelog.md"}
    assert guides <= links


def test_the_quickstart_begins_with_the_command_of_the_readme() -> None:
    assert blocks(PAGES["quickstart.md"], "sh")[0] == blocks(README, "sh")[0]


def test_the_host_of_pypi_is_named_in_one_file_only() -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a clone")
    host = urlsplit(PYPI).netloc.encode()
    paths = [ROOT / name for name in listed.split("\0") if name]
    found = [path for path in paths if path.is_file() and host in path.read_bytes()]
    assert found == [ROOT / "pypi_registry" / "forwarding.py"]


# monitoring.md and upgrading.md


def test_the_page_about_monitoring_lists_every_metric_and_no_other() -> None:
    collectors = CollectorRegistry()
    Metrics(collectors)
    defined = {
        family.name + ("_total" if family.type == "counter" else ""): family.type for family in collectors.collect()
    }
    rows = re.findall(r"^\| `(pypi_registry_\w+)` \| (\w+) \|", text_of(PAGES["monitoring.md"]), re.MULTILINE)
    assert dict(rows) == defined


def test_the_alerts_and_their_page_use_metrics_that_exist() -> None:
    alerts = (ROOT / "examples" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    page = text_of(PAGES["monitoring.md"])
    listed = {*re.findall(r"^\| `(pypi_registry_\w+)`", page, re.MULTILINE)}
    used = {name.removesuffix("_bucket") for name in re.findall(r"pypi_registry_\w+", alerts + page)}
    assert used - listed == set()
    assert set(re.findall(r"alert: (\w+)", alerts)) == set(re.findall(r"^\| `(Registry\w+)`", page, re.MULTILINE))
    assert blocks(PAGES["monitoring.md"], "yaml") == [
        (ROOT / "examples" / "monitoring" / "prometheus.yml").read_text(encoding="utf-8")
    ]


def test_the_page_about_upgrading_lists_every_schema() -> None:
    rows = re.findall(r"^\| ([0-9]+) \|", text_of(PAGES["upgrading.md"]), re.MULTILINE)
    assert [int(number) for number in rows] == [*range(1, SCHEMA_VERSION + 1)]


def test_the_changes_name_the_present_schema_among_what_needs_care() -> None:
    section = text_of(ROOT / "CHANGELOG.md").partition("### Before you upgrade")[2].partition("\n### ")[0]
    assert f"schema {SCHEMA_VERSION}" in section


# The map of the modules in design.md


def mapped_modules() -> list[str]:
    """Return the modules that have a row in the map, in its order, by their paths in the package."""
    package, folder, found = ROOT / "pypi_registry", "", []
    for line in text_of(DOCS / "design.md").splitlines():
        if line.startswith("### "):
            [folder] = re.findall(r"`(\w+/)`", line) or [""]
        elif row := re.match(r"\| ((?:`[\w/]+\.py`(?:, )?)+) \|", line):
            names = re.findall(r"`([^`]+)`", row[1])
            found += [folder + name if (package / folder / name).exists() else name for name in names]
    return found


def test_the_map_has_one_row_for_each_module() -> None:
    package = ROOT / "pypi_registry"
    modules = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    packages = {module for module in modules if module.endswith("/__init__.py")}
    mapped = mapped_modules()
    assert len(mapped) == len({*mapped}) and modules - packages <= {*mapped} <= modules
