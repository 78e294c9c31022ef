"""Where the database is, and that no message holds its password."""

import pytest

from pypi_registry.errors import StorageUnavailable
from pypi_registry.stores.postgres import PostgresCatalogue, migrate, pool
from pypi_registry.stores.postgres.conninfo import parsed, shown
from pypi_registry.testing.contracts.catalogue.samples import DEMO, IN_TOOLS

WRONG = [
    "postgresql://ada:secret@host/db?nonsense=1",
    "password=secret host",
    "postgresql://ada:secret@[host/db",
    "postgresql://ada:secret@host/db?prepare_threshold=often",
]


@pytest.mark.parametrize("conninfo", WRONG)
def test_a_wrong_connection_string_is_not_quoted(conninfo: str) -> None:
    for call in (PostgresCatalogue, migrate):
        with pytest.raises(ValueError) as raised:
            call(conninfo)
        assert "secret" not in f"{raised.value!r} {raised.value.__cause__!r}"


def test_a_database_that_is_away_is_named_without_its_password(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_TIME_LIMIT", 0.2)
    catalogue = PostgresCatalogue("postgresql://ada:secret@127.0.0.1:1/db")
    with pytest.raises(StorageUnavailable) as raised:
        catalogue.revision(IN_TOOLS, DEMO)
    catalogue.close()
    assert str(raised.value) == "the database of the catalogue does not answer"
    assert "secret" not in caplog.text


def test_the_url_of_a_connection_string_has_no_password() -> None:
    parameters, threshold = parsed("host=db user=ada password=secret dbname=registry port=5433")
    assert (shown(parameters), threshold) == ("postgresql://ada@db:5433/registry", 5)


def test_a_url_chooses_whether_statements_are_prepared() -> None:
    for query, expected in (("?prepare_threshold=none", None), ("?connect_timeout=9&prepare_threshold=0", 0)):
        parameters, threshold = parsed(f"postgresql://db/registry{query}")
        assert threshold == expected
        assert "prepare_threshold" not in parameters
    assert parameters["connect_timeout"] == "9"


@pytest.mark.parametrize("sizes", [{"min_size": -1}, {"max_size": 0}, {"min_size": 3, "max_size": 2}])
def test_sizes_are_checked(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="_size="):
        PostgresCatalogue("postgresql://db/registry", **sizes)
