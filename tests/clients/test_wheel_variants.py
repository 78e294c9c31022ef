"""Wheel variants (PEP 825) at a real port: variantlib makes them, uv chooses one, and other clients ignore them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from pypi_registry.testing import archives
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served, served
from tests.clients.wire import login, request

variantlib = pytest.importorskip("variantlib.variants_json")
pytestmark = pytest.mark.slow

SECRET = "the-secret-of-the-group"
CONFIG = f"""
forward_to = false
projects = [{{ id = 1, path = "acme/one" }}, {{ id = 2, path = "acme/two" }}]
users = [{{ name = "ada", roles = {{ acme = "maintainer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""
ONE, TWO, GROUP = "/projects/1/packages/pypi", "/projects/2/packages/pypi", "/groups/acme/-/packages/pypi"

# uv supports what the static properties list, the first one best.
PYPROJECT = """
[variant.default-priorities]
namespace = ["tuning"]
[variant.providers.tuning.static-properties]
profile = ["quick", "small"]
"""
PROPERTIES = {"q1": "quick", "s1": "small", "x1": "unknown"}


class Maker:
    """Makes wheels with variantlib, each with a module that has the name of its variant."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = Programs(folder)
        (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")

    def make(self, version: str, *labels: str) -> Sequence[Path]:
        return [self._make(version, label) for label in labels]

    def _make(self, version: str, label: str) -> Path:
        wheel = archives.make_wheel("paper-lamp", version, files={f"from_{label}.py": ""})
        plain = wheel.write_to(self.folder / f"{version}-{label}")
        if label == "plain":
            return plain
        options = (
            ("--null-variant",)
            if label == "null"
            else ("--property", f"tuning :: profile :: {PROPERTIES[label]}", "--variant-label", label)
        )
        self.programs.run(
            "variantlib", "make-variant", "--skip-plugin-validation", "-f", plain, "-o", self.folder, *options
        )
        return self.folder / f"{plain.stem}-{label}.whl"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("variants"))


@pytest.fixture(scope="module")
def server(maker: Maker) -> Iterator[Served]:
    config = maker.folder / "registry.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with served(maker.folder / "data", "--config", str(config)) as server:
        maker.programs.twine_upload(
            f"{server.api}{ONE}",
            SECRET,
            *maker.make("2.1", "plain", "null", "s1", "q1", "x1"),
            *maker.make("1.0", "s1"),
        )
        yield server


def installed(programs: Programs, install: str, folder: str) -> str:
    """Run a command that installs into a folder, and return which variant is there."""
    programs.shell(f"{install} --no-deps --target '{folder}'")
    [module] = (programs.home / folder).glob("from_*.py")
    return module.stem.removeprefix("from_")


UV_WITH_VARIANTS = "uv pip install --preview-features wheel-variants"
INSTALLERS = {UV_WITH_VARIANTS: "q1", "uv pip install": "plain", "python -m pip install": "plain"}


@pytest.mark.parametrize("path", [ONE, GROUP], ids=["project", "group"])
@pytest.mark.parametrize("install", INSTALLERS)
def test_uv_installs_the_best_variant_and_others_the_plain_wheel(
    server: Served, programs: Programs, install: str, path: str
) -> None:
    index = with_login(f"{server.api}{path}/simple/", SECRET)
    assert installed(programs, f"{install} paper-lamp --index-url {index}", "folder") == INSTALLERS[install]


def test_variantlib_composes_the_same_json_from_the_wheels(server: Served, maker: Maker) -> None:
    maker.programs.run("variantlib", "generate-index-json", "-d", maker.folder)
    for version in ("2.1", "1.0"):
        theirs = json.loads((maker.folder / f"paper_lamp-{version}-variants.json").read_text(encoding="utf-8"))
        for path in (ONE, GROUP):
            found = json.loads(content_of(server, path, listed_json(server, path, version)))
            assert found == theirs
            variantlib.VariantsJson(found)  # it validates what it reads


def test_uv_installs_by_a_page_from_before_the_variants_changed(
    server: Served, maker: Maker, programs: Programs
) -> None:
    """The JSON that the older page links is no longer on any page, and uv fails without it."""
    programs.twine_upload(f"{server.api}{TWO}", SECRET, *maker.make("3.0", "plain", "s1"))
    older = page_of(server, TWO)
    programs.twine_upload(f"{server.api}{TWO}", SECRET, *maker.make("3.0", "q1"))
    listed = {listed_json(server, TWO, "3.0")["url"], listed_json(server, GROUP, "3.0")["url"]}
    assert not listed & {entry["url"] for entry in older}
    page = programs.home / "older.html"
    page.write_text("".join(map(anchor, older, len(older) * [f"{server.api}{TWO}/simple/paper-lamp/"])))
    install = f"{UV_WITH_VARIANTS} paper-lamp==3.0 --no-index --find-links '{page}'"
    assert installed(programs, install, "folder") == "s1"


def page_of(server: Served, path: str) -> Sequence[Mapping[str, Any]]:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    page = request("GET", f"{server.api}{path}/simple/paper-lamp/", {**login(SECRET), **accept})
    files: Sequence[Mapping[str, Any]] = json.loads(page.body)["files"]
    return files


def anchor(entry: Mapping[str, Any], base: str) -> str:
    url = with_login(urljoin(base, entry["url"]), SECRET)
    return f'<a href="{url}#sha256={entry["hashes"]["sha256"]}">{entry["filename"]}</a><br>\n'


def listed_json(server: Served, path: str, version: str) -> Mapping[str, Any]:
    name = f"paper_lamp-{version}-variants.json"
    [entry] = [entry for entry in page_of(server, path) if entry["filename"] == name]
    return entry


def content_of(server: Served, path: str, entry: Mapping[str, Any]) -> bytes:
    found = request("GET", urljoin(f"{server.api}{path}/simple/paper-lamp/", entry["url"]), login(SECRET))
    assert (found.status, sha256(found.body).hexdigest(), len(found.body)) == (
        200,
        entry["hashes"]["sha256"],
        entry["size"],
    )
    return found.body
