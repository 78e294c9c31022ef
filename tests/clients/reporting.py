"""At the end of a run: the matrix of clients, as it turned out.

The hooks are in the uppermost conftest.py, as the process that reports for the workers of pytest-xdist loads no other.
"""

import pytest

CELL = "cell of the matrix"
"""The property in which a test records its cell."""

_cells: dict[str, bool] = {}
"""What has run of the matrix, and whether it passed."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for cell in (str(value) for name, value in report.user_properties if name == CELL):
        _cells[cell] = report.passed and _cells.get(cell, True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _cells:
        from tests.clients import matrix
        from tests.clients.test_matrix import TABLES

        terminalreporter.section("the clients")
        terminalreporter.write(matrix.as_it_ran(TABLES, _cells))
