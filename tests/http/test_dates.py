"""Dates in headers: the three formats of HTTP, and everything that is none."""

from datetime import UTC, datetime

import pytest

from pypi_registry._http.dates import read_date

DATE = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_formats_are_read(text: str) -> None:
    assert read_date(text) == DATE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        f"Sun, 06 Nov {'9' * 5000} 08:49:37 GMT",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nix 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        ", ".join(["Sun"] * 1000),
        "0" * 100_000,
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_date(text) is None
