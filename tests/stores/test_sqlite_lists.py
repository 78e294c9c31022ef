"""Lists over many projects, with the limits lowered so that small catalogues need every plan; memory is the oracle."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.model import Digests, PackageQuery, Project, Projects, Upload
from pypi_registry.storage import Catalogue
from pypi_registry.stores import memory
from pypi_registry.stores._search import search_words
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue, frequent, lists, selections

PROJECTS = [Project(number, f"{'ab'[number % 2]}/p{number % 7}/x{number // 2}") for number in range(1, 25)]
SILENT = [Project(number, f"silent/{number}") for number in range(100, 110)]
"""They never publish."""
AT = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = get_args(get_type_hints(PackageQuery)["order_by"])

SELECTIONS = {
    "none": Projects(),
    "one": Projects(PROJECTS[3:4]),
    "few": Projects(PROJECTS[2:7]),
    "many": Projects(PROJECTS[2:19]),
    "everything": Projects(PROJECTS),
    "everything and more": Projects([*PROJECTS, *SILENT]),
    "few among silent": Projects([*SILENT, *PROJECTS[4:6]]),
    "one among silent": Projects([*SILENT, PROJECTS[5]]),
    "silent": Projects(SILENT),
}
FILTERS = [
    PackageQuery(),
    PackageQuery(name="pack"),
    PackageQuery(name="AGE-1"),
    PackageQuery(name="pack one"),
    PackageQuery(name="a1"),
    PackageQuery(name="a1 A1"),
    PackageQuery(name="a1 pack"),
    PackageQuery(name="nothing"),
    PackageQuery(name="\N{KELVIN SIGN}age"),
    PackageQuery(name="pack\N{IDEOGRAPHIC SPACE}one\N{NO-BREAK SPACE}"),
    PackageQuery(name="pack\0"),
    PackageQuery(name="pack " * 30),
    PackageQuery(name=" ".join("package-1-one"[start:] for start in range(11)) + " pac pack packa packag package pa"),
    PackageQuery(name=" ".join(f"package-1-one{'x' * count}" for count in range(21))),
    PackageQuery(version="1.0"),
    PackageQuery(name="one", version="2.0"),
    PackageQuery(normalized_name=canonicalize_name("package-1-one")),
    PackageQuery(normalized_name=canonicalize_name("package-1-one"), version="1.0"),
]
# How many projects are few, packages walked without counting, packages counted, packages that are not cached
LIMITS = {"usual": (100, 1_000, 10_000, 1_000), "cached": (2, 3, 100, 1), "low": (4, 3, 12, 4), "lowest": (1, 1, 2, 0)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryCatalogue, Path]:
    in_memory, path = MemoryCatalogue(), tmp_path_factory.mktemp("lists") / "catalogue.sqlite3"
    with closing(SQLiteCatalogue(path)) as stored:
        fill(in_memory)
        fill(stored)
    return in_memory, path


@pytest.fixture
def filled(written: tuple[MemoryCatalogue, Path]) -> Iterator[tuple[MemoryCatalogue, SQLiteCatalogue]]:
    in_memory, path = written
    with closing(SQLiteCatalogue(path)) as stored:  # a new one, because it caches totals, which depend on the limits
        yield in_memory, stored


def fill(catalogue: Catalogue) -> None:
    noise = random.Random(1)
    names = ["package-1-one", "Package.1_one", "package-2-two", "a1", "A1", "one", "Zpack", "other"]
    for number in range(150):
        name, version = noise.choice(names), noise.choice(["1.0", "2.0", "1.10"])
        sent = Upload(name, canonicalize_name(name), version, f"{number}.zip", 4, Digests("a" * 64), "")
        project, at = noise.choice(PROJECTS), AT + timedelta(days=noise.randrange(9))
        file = catalogue.add(project, sent, f"{number:032}", at, "")
        if number % 10 == 9:
            catalogue.delete_package(project, file.package.id, "")


@pytest.fixture(params=LIMITS)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    few, shallow, total, cached = LIMITS[request.param]
    monkeypatch.setattr(selections, "FEW", few)
    monkeypatch.setattr(lists, "_SHALLOW", shallow)
    monkeypatch.setattr(lists, "MAX_TOTAL", total)
    monkeypatch.setattr(lists, "MANY", cached)
    monkeypatch.setattr(memory, "MAX_TOTAL", total)


def queries() -> Iterator[PackageQuery]:
    pages = [(0, None), (0, 3), (2, 5), (9, 4), (40, 3), (5, None), (10**6, 2)]
    for query, order, descending, (offset, limit) in product(FILTERS, ORDERS, (False, True), pages):
        yield replace(query, order_by=order, descending=descending, offset=offset, limit=limit)


def list_everything(catalogue: SQLiteCatalogue) -> None:
    """Read every kind of list, for a test of the statements."""
    for projects in SELECTIONS.values():
        catalogue.names(projects)
        for query in queries():
            catalogue.packages(projects, query)


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("projects", SELECTIONS)
def test_every_page_of_every_list_is_that_of_the_catalogue_in_memory(
    filled: tuple[MemoryCatalogue, SQLiteCatalogue], projects: str
) -> None:
    in_memory, stored = filled
    ids = _new_ids(stored, in_memory)
    for query in queries():
        expected, count = in_memory.packages(SELECTIONS[projects], query)
        found, total = stored.packages(SELECTIONS[projects], query)
        assert [ids[package.id] for package in found] == [package.id for package in expected], query
        assert total == count, query


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("projects", SELECTIONS)
def test_the_names_of_many_projects_are_those_of_the_catalogue_in_memory(
    filled: tuple[MemoryCatalogue, SQLiteCatalogue], projects: str
) -> None:
    in_memory, stored = filled
    assert stored.names(SELECTIONS[projects]) == in_memory.names(SELECTIONS[projects])
    for name in map(canonicalize_name, ("package-1-one", "a1", "absent")):
        expected, found = (catalogue.listing(SELECTIONS[projects], name) for catalogue in filled)
        assert (found is None) == (expected is None)
        if found and expected:
            assert [file.filename for file in found.files] == [file.filename for file in expected.files]
            assert found.statuses == expected.statuses
        assert (stored.revision(SELECTIONS[projects], name) is None) == (expected is None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Flask\tLOGIN flask", ["flask", "login"]),
        ("one\N{IDEOGRAPHIC SPACE}two\N{NO-BREAK SPACE}", ["one", "two"]),
        (" ".join(f"word{number}" for number in range(20)), [f"word{number}" for number in range(20)]),
        (" ".join(f"word{number}" for number in range(21)), None),
        ("x" * 255, ["x" * 255]),
        ("demo " + "x" * 256, None),
        ("demo caf\N{LATIN SMALL LETTER E WITH ACUTE}", None),
        ("demo a\0b", None),
    ],
)
def test_the_words_of_a_search(text: str, words: list[str] | None) -> None:
    assert search_words(text) == words


def test_a_search_for_very_many_words_finds_nothing(
    filled: tuple[MemoryCatalogue, SQLiteCatalogue], limits: None
) -> None:
    for number in (100, 1_100, 15_000):
        query = PackageQuery(name=" ".join(f"w{word}" for word in range(number)))
        for catalogue in filled:
            assert catalogue.packages(SELECTIONS["everything"], query) == ([], 0)


@pytest.mark.parametrize("order", ORDERS)
def test_a_wrong_number_of_packages_shows_no_package_of_another_project(
    catalogue: SQLiteCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr(selections, "FEW", 1)
    for project in PROJECTS[:3]:
        add(catalogue, project, f"of-{project.id}")
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite3")) as connection:
        connection.execute("UPDATE projects SET package_count = 0 WHERE id = ?", (PROJECTS[0].id,))
        connection.commit()
    mine = Projects(PROJECTS[1:3])
    assert catalogue.names(mine) == ["of-2", "of-3"]
    for search in ("", "of-"):
        query = PackageQuery(name=search, order_by=order)
        assert {package.project_id for package in catalogue.packages(mine, query)[0]} <= {2, 3}


def _new_ids(stored: SQLiteCatalogue, in_memory: MemoryCatalogue) -> dict[int, int]:
    """Return the ids in memory by those in SQLite: packages and files share one sequence in memory."""
    of_both = (catalogue.packages(Projects(PROJECTS), PackageQuery()) for catalogue in (stored, in_memory))
    new, old = (sorted(package.id for package in packages) for packages, _ in of_both)
    return dict(zip(new, old, strict=True))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[SQLiteCatalogue]:
    with closing(SQLiteCatalogue(tmp_path / "catalogue.sqlite3")) as opened:
        yield opened


def add(catalogue: SQLiteCatalogue, project: Project, name: str) -> int:
    sent = Upload(name, canonicalize_name(name), "1.0", f"{name}.zip", 4, Digests("a" * 64), "")
    return catalogue.add(project, sent, "0" * 32, AT, "").package.id


def test_a_cached_selection_notices_the_first_and_the_last_package_of_a_project(
    catalogue: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "FEW", 1)
    projects = Projects(PROJECTS[:3])
    ids: list[int] = []
    for project in PROJECTS[:3]:
        ids.append(add(catalogue, project, "demo"))
        assert [package.id for package in catalogue.packages(projects, PackageQuery())[0]] == ids
    for project in PROJECTS[:3]:
        catalogue.delete_package(project, ids.pop(0), "")
        assert [package.id for package in catalogue.packages(projects, PackageQuery())[0]] == ids


def test_a_cached_total_notices_deletions(catalogue: SQLiteCatalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_TOTAL", 2)
    projects, query = Projects(PROJECTS[:1]), PackageQuery(name="demo")
    ids = [add(catalogue, PROJECTS[0], f"demo-{number}") for number in range(3)]
    for _ in range(2):
        assert catalogue.packages(projects, query)[1] is None
    catalogue.delete_package(PROJECTS[0], ids[0], "")
    assert catalogue.packages(projects, query)[1] == 2
    add(catalogue, PROJECTS[0], "demo-4")
    assert catalogue.packages(projects, query)[1] is None


def test_a_cached_total_notices_every_change(catalogue: SQLiteCatalogue, tmp_path: Path) -> None:
    """Of a search that matches many packages; each is of one name, so that only the totals are cached."""
    path = tmp_path / "catalogue.sqlite3"
    add(catalogue, PROJECTS[0], "first")
    insert = (
        "INSERT INTO packages (id, project_id, name, normalized_name, version, canonical_version, metadata, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, '{}', 0)"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            insert, ((10 + 2 * n, PROJECTS[n % 2].id, "demo", "demo", str(n), str(n)) for n in range(frequent.MANY + 1))
        )
    total = frequent.MANY + 1
    both, one = Projects(PROJECTS[:2]), Projects(PROJECTS[:1])

    def check(total: int, in_one: int) -> None:
        for projects, expected in ((both, total), (one, in_one)):
            for query in (PackageQuery(name="emo"), PackageQuery(name="emo", offset=expected - 1, limit=5)):
                page, found = catalogue.packages(projects, query)
                assert (found, len(page)) == (expected, 1 if query.offset else expected)

    changes = [
        (insert, (9_001, PROJECTS[0].id, "demo-b", "demo-b", "x", "x"), 1, 1),  # the highest id
        (insert, (11, PROJECTS[1].id, "demo-c", "demo-c", "x", "x"), 1, 0),  # between others
        (insert, (9_002, PROJECTS[0].id, "other", "other", "x", "x"), 0, 0),
        ("UPDATE packages SET name = 'renamed' WHERE id = ?", (9_001,), -1, -1),
        ("UPDATE packages SET project_id = ? WHERE id = 11", (PROJECTS[0].id,), 0, 1),
        ("DELETE FROM packages WHERE id = ?", (9_002,), 0, 0),
        ("DELETE FROM packages WHERE id = ?", (12,), -1, 0),
    ]
    in_one = total - total // 2
    for statement, values, change, change_in_one in changes:
        for _ in range(2):
            check(total, in_one)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement, values)
        total, in_one = total + change, in_one + change_in_one
        check(total, in_one)


def test_a_search_finds_names_before_and_after_they_are_indexed(
    catalogue: SQLiteCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MAX_TOTAL", 1)  # so that the index is used
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite3")) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for number in range(600):
            id_ = add(catalogue, PROJECTS[0], f"name-{number:03}")
            if number in (0, 254, 255, 256, 257, 599):
                [package], total = catalogue.packages(Projects(PROJECTS), PackageQuery(name=f"e-{number:03}"))
                assert (package.id, total) == (id_, 1)
        [(indexed,)] = connection.execute("SELECT name_id FROM name_search_end")
        assert indexed == 512
        connection.execute("INSERT INTO name_search (name_search) VALUES ('integrity-check')")
    for package_id in (1, 256, 600):
        catalogue.delete_package(PROJECTS[0], package_id, "")
    for number, total in ((0, 0), (1, 1), (255, 0), (599, 0), (598, 1)):
        assert catalogue.packages(Projects(PROJECTS), PackageQuery(name=f"e-{number:03}"))[1] == total
