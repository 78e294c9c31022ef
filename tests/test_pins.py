"""What CI installs is pinned: each requirement of pyproject.toml, in one version, with hashes."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".ci" / "requirements"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

SELECTED = {
    line[1]: (re.findall(r"--extra (\S+)", line[2]), ["install", *re.findall(r"--group (\S+)", line[2])])
    for line in re.finditer(r"^pin (\w+)(.*)$", (FOLDER / "renew").read_text(encoding="utf-8"), re.MULTILINE)
}
"""The extras and groups that each file pins."""


def group(name: str) -> Iterator[str]:
    for entry in PYPROJECT["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(entry["include-group"])


def required(name: str) -> list[Requirement]:
    extras, groups = SELECTED[name]
    texts = [*PROJECT["dependencies"]]
    texts += [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return [Requirement(text) for text in [*texts, *(text for each in groups for text in group(each))]]


def entries(name: str) -> list[str]:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in text.splitlines() if not line.startswith("#")]


def pinned(name: str) -> list[Requirement]:
    return [Requirement(entry.partition(" --hash")[0]) for entry in entries(name)]


def test_each_file_is_renewed_by_the_command() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == SELECTED.keys() >= {"base", "lowest", "static", "test"}
    groups = {each for _, groups in SELECTED.values() for each in groups}
    included = {
        entry["include-group"]
        for name in groups
        for entry in PYPROJECT["dependency-groups"][name]
        if isinstance(entry, dict)
    }
    assert groups | included == PYPROJECT["dependency-groups"].keys()


@pytest.mark.parametrize("name", SELECTED)
def test_each_line_is_one_version_with_hashes(name: str) -> None:
    for entry in entries(name):
        assert re.fullmatch(
            r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[^\s*]+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry
        ), entry


@pytest.mark.parametrize("name", SELECTED)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_are_those_that_the_project_file_requires(name: str, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    found: dict[str, str] = {}
    for pin in pinned(name):
        if pin.marker is None or pin.marker.evaluate(environment):
            key = canonicalize_name(pin.name)
            assert key not in found, f"{pin.name} is pinned twice on Python {python}"
            [found[key]] = [each.version for each in pin.specifier]
    for requirement in required(name):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            version = found[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: {version} is pinned"


def test_the_lowest_versions_of_the_project_file_are_those_that_are_tested() -> None:
    extras = PROJECT["optional-dependencies"].values()
    promised = [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]
    lower = {f"{each.name}=={bound.version}" for each in promised for bound in each.specifier if bound.operator == ">="}
    lines = (FOLDER / "lowest.in").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} == lower
    assert len(lower) == len(promised)
    assert {f"{pin.name}{pin.specifier}" for pin in pinned("lowest")} >= lower


def test_what_builds_the_project_is_pinned() -> None:
    assert {*PYPROJECT["build-system"]["requires"]} <= {*group("install")}


def test_the_command_of_the_readme_installs_what_is_pinned() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [command] = [line for line in text.splitlines() if "-m pytest" in line]
    assert "--require-hashes -r .ci/requirements/test.txt" in command
    assert "--no-deps --no-build-isolation" in command


def test_no_file_of_ci_names_an_index() -> None:
    for path in FOLDER.iterdir():
        assert "://" not in path.read_text(encoding="utf-8"), path
