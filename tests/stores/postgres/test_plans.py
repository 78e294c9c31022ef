"""Which plans PostgreSQL chooses, and how many statements a request sends."""

from contextlib import closing
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import Visibility
from pypi_registry.accounts import Accounts, ProjectConfig
from pypi_registry.model import Project, Projects
from pypi_registry.stores.memory import MemoryBlobs
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.stores.postgres.pool import Connection
from pypi_registry.testing.contracts.catalogue.samples import DEMO, IN_ACME, TOOLS, add
from tests import explain


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the catalogue sends, each a round trip."""
    sent: list[str] = []
    execute: Any = Connection.execute

    def noted(self: Connection, query: str, *arguments: Any, **options: Any) -> Any:
        sent.append(query)
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(Connection, "execute", noted)
    return sent


def test_an_unchanged_page_is_one_round_trip(database: str, statements: list[str]) -> None:
    many = Projects([TOOLS, *(Project(number, f"acme/{number}") for number in range(100, 400))])
    with closing(PostgresCatalogue(database, max_size=1)) as catalogue:
        add(catalogue, TOOLS, "demo.zip")
        for projects in (Projects([TOOLS]), IN_ACME, many):
            statements.clear()
            assert catalogue.revision(projects, DEMO) is not None
            assert len(statements) == 1
        page = "/projects/acme%2Ftools/packages/pypi/simple/demo"
        directory = Accounts(projects=[ProjectConfig(id=TOOLS.id, path=TOOLS.path, visibility=Visibility.PUBLIC)])
        client = TestApp(directory.registry(catalogue=catalogue, blobs=MemoryBlobs()))
        tag = client.get(page).headers["ETag"]
        statements.clear()
        assert client.get(page, headers={"If-None-Match": tag}).status_int == 304
        assert len(statements) == 1


@pytest.mark.slow
def test_no_statement_of_a_request_reads_a_table_of_thousands_of_rows() -> None:
    _check(60_000)


@pytest.mark.long
def test_no_statement_of_a_request_reads_a_table_of_a_million_rows() -> None:
    _check(explain.FILES)


def _check(files: int) -> None:
    with explain.filled(files) as cluster:
        explain.exercise(cluster)
        found = explain.plans(cluster)
        assert len(found) > 50
        assert any("INSERT INTO root_revisions" in plan.statement for plan in found), "no statement of a trigger"
        wrong = [f"{plan.statement}: {plan.whole_tables}" for plan in explain.unexpected(found)]
        assert wrong == []
