"""What the catalogue finds wrong with its own tables, and repairs, while it is used."""

import pytest

from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.testing.contracts.catalogue.samples import TOOLS, add, answers, publish_history, upload
from tests.postgres import Cluster


@pytest.fixture
def filled(catalogue: PostgresCatalogue) -> PostgresCatalogue:
    publish_history(catalogue)
    return catalogue


def damage(postgres: Cluster, statement: str) -> None:
    """Change the tables as another program does that leaves the triggers and the foreign keys out."""
    postgres.execute(f"SET session_replication_role = replica; {statement}", "catalogue")


def found(catalogue: PostgresCatalogue, *, repair: bool = False) -> list[tuple[str, bool, bool]]:
    return [*catalogue.inconsistencies(repair=repair)]


def test_a_catalogue_that_was_used_has_no_inconsistencies(filled: PostgresCatalogue) -> None:
    for number in range(10):
        file = add(filled, TOOLS, upload(f"n{number}-1.0.zip", f"n{number}"))
        if number % 3 == 0:
            filled.delete_file(TOOLS, file.id, "")
    assert found(filled) == []


REPAIRABLE = {
    "a number of packages": ("UPDATE projects SET package_count = 7 WHERE id = 1", "its row has the number 7"),
    "a project": ("DELETE FROM projects WHERE id = 1", "the project 1 has packages, but no row"),
    "a root group": ("DELETE FROM project_roots WHERE root = 'moved'", "'moved' of project 2 is not in project_roots"),
    "a revision": (
        "DELETE FROM project_revisions WHERE name = 'demo' AND project_id = 1",
        "the page 'demo' of project 1 has no revision",
    ),
    "the revision of an index": (
        "DELETE FROM project_revisions WHERE name = '' AND project_id = 1",
        "the page '' of project 1 has no revision",
    ),
    "a revision too many": (
        "INSERT INTO project_revisions (name, project_id) VALUES ('gone', 1)",
        "the page 'gone' of project 1 has a revision, but no package",
    ),
    "an identity": (
        "UPDATE files SET identity = NULL WHERE id = 1",
        "no file of the project 1 has the identity 'demo-1.zip', which another spelling of 'demo-1.0.zip' must not get",
    ),
    "a wrong identity": (
        "UPDATE files SET identity = 'demo-7.zip' WHERE id = 1",
        "the file 1 ('demo-1.0.zip') has the identity 'demo-7.zip' instead of 'demo-1.zip'",
    ),
}


@pytest.mark.parametrize("name", REPAIRABLE)
def test_a_derived_row_is_found_repaired_and_then_right(
    filled: PostgresCatalogue, postgres: Cluster, name: str
) -> None:
    statement, sentence = REPAIRABLE[name]
    before = {key: value for key, value in answers(filled).items() if key != "project_paths"}
    damage(postgres, statement)
    first = found(filled)
    assert [sentence in text for text, _, _ in first].count(True) == 1
    assert {(repairable, repaired) for _, repairable, repaired in first} == {(True, False)}
    assert found(filled) == first, "without repair nothing changes"
    assert all(repaired for _, _, repaired in found(filled, repair=True))
    assert found(filled) == []
    assert {key: value for key, value in answers(filled).items() if key != "project_paths"} == before


UNREPAIRABLE = {
    "a file in another project": (
        "UPDATE files SET project_id = 9 WHERE id = 1",
        "the file 1 ('demo-1.0.zip') is in project 9, but its package 1 is in project 1",
    ),
    "a canonical version": (
        "UPDATE packages SET canonical_version = '7' WHERE id = 1",
        "the package 1 has the version '1.0', but the canonical version '7'",
    ),
    "metadata": ("UPDATE packages SET metadata = '{' WHERE id = 1", "the package 1 has metadata that cannot be read"),
    "a status": (
        "UPDATE statuses SET status = 'bad' WHERE project_id = 1",
        "in project 1 is 'bad', which is not a status",
    ),
    "a package that is missing": (
        "DELETE FROM packages WHERE id = 1",
        "the file 1 ('demo-1.0.zip') refers to the package 1, which does not exist",
    ),
}


@pytest.mark.parametrize("name", UNREPAIRABLE)
def test_what_cannot_be_derived_is_found_and_kept(filled: PostgresCatalogue, postgres: Cluster, name: str) -> None:
    statement, sentence = UNREPAIRABLE[name]
    damage(postgres, statement)
    rows = content(postgres)
    texts = [text for text, repairable, repaired in found(filled, repair=True) if not repaired]
    assert any(sentence in text for text in texts), texts
    assert content(postgres) == rows


def content(postgres: Cluster) -> list[object]:
    return [postgres.execute(f"TABLE {table}", "catalogue") for table in ("files", "packages", "statuses")]


@pytest.mark.parametrize(
    ("change", "undo", "sentence"),
    [
        (
            "ALTER TABLE files DISABLE TRIGGER files_changed",
            "ALTER TABLE files ENABLE TRIGGER files_changed",
            "the trigger files_changed is missing, or disabled",
        ),
        (
            "ALTER INDEX files_by_digest RENAME TO gone",
            "ALTER INDEX gone RENAME TO files_by_digest",
            "the index files_by_digest is missing",
        ),
    ],
)
def test_what_the_schema_lacks_is_found(
    filled: PostgresCatalogue, postgres: Cluster, change: str, undo: str, sentence: str
) -> None:
    postgres.execute(change, "catalogue")
    try:
        assert found(filled, repair=True) == [(sentence, False, False)]
    finally:
        postgres.execute(undo, "catalogue")  # other tests use the tables
    assert found(filled) == []


def test_other_connections_can_write_while_a_check_waits(filled: PostgresCatalogue, postgres: Cluster) -> None:
    damage(postgres, "UPDATE projects SET package_count = 7")
    for number, _ in enumerate(filled.inconsistencies(repair=True)):
        add(filled, TOOLS, upload(f"between-{number}.zip", version=f"2.{number}"))
    assert found(filled) == []
