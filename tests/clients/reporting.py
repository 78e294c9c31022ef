"""At the end of a run: the matrix of clients, as it turned out.

The hooks are in the uppermost conftest.py, as the process that reports for the workers of pytest-xdist loads no other.
"""

import pytest

CELL = "cell of the matrix"
"""The property in which a test records its cell."""

cells: dict[str, bool] = {}
"""What has run of the matrix and of its table of releases, and whether it passed."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for cell in (str(value) for name, value in report.user_properties if name == CELL):
        cells[cell] = report.passed and cells.get(cell, True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if cells:
        from tests.clients import matrix, test_matrix, test_releases

        terminalreporter.section("the clients")
        for tables in (test_matrix.TABLES, test_releases.TABLES):
            if cells.keys() & {row.cell(client) for table in tables for row in table.rows for client in row.words}:
                terminalreporter.write(matrix.as_it_ran(tables, cells))
