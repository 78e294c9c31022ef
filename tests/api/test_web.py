"""Which rows the pages of a list have. The whole pages are in `test_packages`, and their HTML in `tests/pages`."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pypi_registry import Project
from pypi_registry._api import web
from pypi_registry._api.listing import Paging
from pypi_registry._api.web import package_list
from pypi_registry._pages.browser import PackageList
from pypi_registry.model import PackageQuery, Projects
from pypi_registry.stores._search import name_matches
from pypi_registry.stores.memory import MemoryCatalogue
from tests.benchmarks.filling import described

PROJECTS = [Project(1, "acme/tools"), Project(2, "acme/libs")]
AT = datetime(2026, 1, 2, tzinfo=UTC)
PER_PAGE = 4

Published = tuple[Project, str, str]
"""A project, a name and a version."""


def versions(names: Sequence[str], number: int) -> list[Published]:
    """Return so many rounds, in each of which every name gets a version."""
    return [(PROJECTS[0], name, f"{each}.0") for each in range(number) for name in names]


def many(number: int) -> list[str]:
    return [f"name{each}" for each in range(number)]


def shuffled(seed: int) -> list[Published]:
    """Return versions of few names with many versions and of many names with few, in two projects."""
    chosen = random.Random(seed)
    return [
        (chosen.choice(PROJECTS), f"name{int(chosen.paretovariate(0.7)) % 50}", f"{version}.0")
        for version in range(200)
    ]


HISTORIES: dict[str, list[Published]] = {
    "nothing": [],
    "one version of each": versions(many(30), 1),
    "rounds of few names": versions(many(7), 20),
    "rounds of more names than a page looks back": versions(many(40), 5),
    "one name is published often, last": versions(many(10), 1) + versions(["often"], 100),
    "one name is published often, first": versions(["often"], 100) + versions(many(10), 1),
    "old names below rounds of others": versions(["old", "older"], 3) + versions(many(15), 8),
    "another spelling is the newest": [
        (PROJECTS[0], spelling, version)
        for version, spelling in (("1.0", "My.Name0"), ("2.0", "my-name0"), ("3.0", "other"))
    ],
    **{f"random {seed}": shuffled(seed) for seed in range(8)},
}


def published(history: Sequence[Published]) -> MemoryCatalogue:
    catalogue = MemoryCatalogue()
    for number, (project, name, version) in enumerate(history):
        catalogue.add(project, described(name, version), f"{number:032x}", AT + timedelta(seconds=number), "ada")
    return catalogue


def follow(list_page: Callable[[int], PackageList]) -> list[PackageList]:
    """Return the pages to which the links to next pages lead."""
    pages = [list_page(1)]
    while (following := pages[-1].next_page) is not None:
        assert following > pages[-1].page
        pages.append(list_page(following))
    return pages


@pytest.mark.parametrize("search", ["", "name", "my.name"])
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_the_pages_have_each_package_once_at_its_newest_version(
    history: Sequence[Published], search: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_LOOKBACK", 20)
    monkeypatch.setattr(web, "_LOOKAHEAD", 30)
    catalogue, matching = published(history), [each for each in history if name_matches(each[1], search)]
    newest: dict[tuple[int, str], str] = {}
    numbers: dict[tuple[int, str], int] = {}
    for project, name, version in reversed(matching):
        key = project.id, described(name, version).normalized_name
        newest.setdefault(key, version)
        numbers[key] = numbers.get(key, 0) + 1

    def list_page(number: int) -> PackageList:
        return package_list(catalogue, Projects(PROJECTS), PackageQuery(name=search), Paging(number, PER_PAGE), {})

    pages = follow(list_page)
    rows = [row for page in pages for row in page.rows]
    shown = [((row.project.id, row.newest.normalized_name), row.newest.version) for row in rows]
    assert shown == [*newest.items()]
    assert [row.versions for row in rows] == [*numbers.values()]
    assert {page.total for page in pages} == {len(matching)}


def test_a_page_after_the_last_one_is_empty() -> None:
    catalogue = published(versions(many(7), 3))
    shown = package_list(catalogue, Projects(PROJECTS), PackageQuery(), Paging(99, PER_PAGE), {})
    assert (shown.rows, shown.total, shown.next_page) == ([], 21, None)
