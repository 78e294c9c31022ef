"""Lists over many projects, with the limits lowered so that few packages need every statement; memory is the oracle.

The projects, the packages and the queries are those of the tests for SQLite.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.model import PackageQuery, Projects
from pypi_registry.stores import memory
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.postgres import PostgresCatalogue, catalogue, lists, selections
from pypi_registry.testing.contracts.catalogue.samples import add, upload
from tests.postgres import Cluster, Databases
from tests.stores.test_sqlite_lists import PROJECTS, SELECTIONS, fill, queries

# How many projects are few, packages counted, projects whose revisions a group uses
LIMITS = {"usual": (100, 10_000, 100), "low": (4, 12, 3), "lowest": (1, 2, 1)}


@pytest.fixture(scope="module")
def filled(postgres: Cluster) -> Iterator[tuple[MemoryCatalogue, PostgresCatalogue]]:
    in_memory = MemoryCatalogue()
    with closing(PostgresCatalogue(Databases(postgres).empty("lists"))) as stored:
        fill(in_memory)
        fill(stored)
        yield in_memory, stored


@pytest.fixture(params=LIMITS)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    few, total, many = LIMITS[request.param]
    for module in (selections, catalogue):
        monkeypatch.setattr(module, "FEW", few)
    for each in (lists, memory):
        monkeypatch.setattr(each, "MAX_TOTAL", total)
    monkeypatch.setattr(catalogue, "_MANY", many)


def _agree(filled: tuple[MemoryCatalogue, PostgresCatalogue], projects: Projects, query: PackageQuery) -> None:
    in_memory, stored = filled
    expected, count = in_memory.packages(projects, query)
    found, total = stored.packages(projects, query)
    assert [replace(each, id=0) for each in found] == [replace(each, id=0) for each in expected], query
    assert total == count, query


@pytest.mark.usefixtures("limits")
def test_lists_are_those_of_the_catalogue_in_memory(filled: tuple[MemoryCatalogue, PostgresCatalogue]) -> None:
    for number, projects in enumerate(SELECTIONS.values()):
        for query in islice(queries(), number, None, 47):
            _agree(filled, projects, query)


@pytest.mark.slow
@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("projects", SELECTIONS)
def test_every_page_of_every_list_is_that_of_the_catalogue_in_memory(
    filled: tuple[MemoryCatalogue, PostgresCatalogue], projects: str
) -> None:
    for query in islice(queries(), None, None, 5):
        _agree(filled, SELECTIONS[projects], query)


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("projects", SELECTIONS)
def test_pages_of_many_projects_are_those_of_the_catalogue_in_memory(
    filled: tuple[MemoryCatalogue, PostgresCatalogue], projects: str
) -> None:
    in_memory, stored = filled
    wanted = SELECTIONS[projects]
    assert [*stored.names(wanted)] == [*in_memory.names(wanted)]
    for name in map(canonicalize_name, ("package-1-one", "a1", "absent")):
        found, expected = stored.listing(wanted, name), in_memory.listing(wanted, name)
        assert (found is None) == (expected is None)
        if found and expected:
            assert [file.filename for file in found.files] == [file.filename for file in expected.files]
            assert found.statuses == expected.statuses
    for number in range(0, 150, 7):
        copies = [each.file(wanted, "a" * 64, f"{number}.zip") for each in (stored, in_memory)]
        first, second = (copy and copy.file.blob_key for copy in copies)
        assert first == second


@pytest.mark.usefixtures("limits")
def test_a_selection_is_read_again_when_a_project_publishes_first(postgres: Cluster) -> None:
    with closing(PostgresCatalogue(Databases(postgres).empty("catalogue"))) as stored:
        in_memory = MemoryCatalogue()
        everything = Projects(PROJECTS)
        for number, project in enumerate(PROJECTS):
            for each in (stored, in_memory):
                fill_one(each, number, project.id)
            _agree((in_memory, stored), everything, PackageQuery(limit=5))
            assert [*stored.names(everything)] == [*in_memory.names(everything)]
            assert (stored.revision(everything, None) is None) == (in_memory.revision(everything, None) is None)


def fill_one(target: MemoryCatalogue | PostgresCatalogue, number: int, project_id: int) -> None:
    [project] = [each for each in PROJECTS if each.id == project_id]
    file = add(target, project, upload(f"{number}.zip", f"name{number}"))
    if number % 3 == 2:
        target.delete_file(project, file.id, "")
