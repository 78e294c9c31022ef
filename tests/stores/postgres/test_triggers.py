"""Changes that another program makes with SQL: the triggers keep what is derived from the rows."""

import psycopg
import pytest

from pypi_registry.model import NameStatus, Status
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.testing.contracts.catalogue.samples import DEMO, IN_ACME, IN_TOOLS, LIBS, OTHER, TOOLS, add, upload
from tests.postgres import Cluster

# A change of the page of ``demo`` in the project TOOLS, and whether it changes the index
CHANGES = {
    "UPDATE packages SET yanked = 'broken' WHERE id = 1": False,
    "UPDATE packages SET version = '1.00' WHERE id = 1": False,
    "UPDATE packages SET name = 'Demo' WHERE id = 1": False,
    "UPDATE files SET requires_python = '>=3' WHERE id = 1": False,
    "DELETE FROM files WHERE id = 1": False,
    "DELETE FROM files WHERE project_id = 1": False,
    "DELETE FROM files; DELETE FROM packages WHERE id IN (1, 2)": True,
    "DELETE FROM files; DELETE FROM packages": True,
    "UPDATE statuses SET reason = 'new' WHERE name = 'demo'": False,
    "UPDATE statuses SET name = 'demo2' WHERE name = 'demo'": False,
    "DELETE FROM statuses": False,
}

DERIVED = {
    "SELECT name, project_id FROM project_revisions": "SELECT '', project_id FROM packages "
    "UNION SELECT normalized_name, project_id FROM packages",
    "SELECT id, package_count FROM projects WHERE package_count != 0": "SELECT project_id, count(*) FROM packages "
    "GROUP BY 1",
}


@pytest.fixture
def filled(catalogue: PostgresCatalogue) -> PostgresCatalogue:
    for version in ("1.0", "2.0"):
        add(catalogue, TOOLS, upload(f"demo-{version}.zip", version=version))
    add(catalogue, TOOLS, upload("other.zip", "other"))
    add(catalogue, LIBS, "demo.zip")
    for name in (DEMO, OTHER):
        catalogue.set_status(TOOLS, name, NameStatus(Status.DEPRECATED), "")
    return catalogue


@pytest.mark.parametrize(("statement", "changes_index"), CHANGES.items())
def test_a_change_by_another_program_changes_revisions(
    filled: PostgresCatalogue, postgres: Cluster, statement: str, changes_index: bool
) -> None:
    before = [filled.revision(projects, name) for name in (DEMO, None) for projects in (IN_TOOLS, IN_ACME)]
    postgres.execute(statement, "catalogue")
    after = [filled.revision(projects, name) for name in (DEMO, None) for projects in (IN_TOOLS, IN_ACME)]
    changed = [was != now for was, now in zip(before, after, strict=True)]
    assert changed == [True, True, changes_index, changes_index]
    for derived, expected in DERIVED.items():
        assert sorted(postgres.execute(derived, "catalogue")) == sorted(postgres.execute(expected, "catalogue"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM projects",
        "UPDATE packages SET project_id = 2 WHERE id = 1",
        "UPDATE packages SET normalized_name = 'renamed' WHERE id = 1",
    ],
)
def test_what_would_leave_wrong_numbers_is_refused(
    filled: PostgresCatalogue, postgres: Cluster, statement: str
) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        postgres.execute(statement, "catalogue")
