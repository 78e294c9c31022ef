"""Conditional requests, by a table."""

import pytest

from pypi_registry._http.conditional import if_none_match
from pypi_registry._http.request import Request


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="empty"),
        pytest.param('"abc"', True, id="equal"),
        pytest.param('W/"abc"', True, id="weakly equal"),
        pytest.param('"x", "abc"', True, id="one of several"),
        pytest.param('"x",W/"abc" ,"y"', True, id="one of several, weak"),
        pytest.param('"a,b", "abc"', True, id="after one with a comma"),
        pytest.param("*", True, id="any"),
        pytest.param(" * ", True, id="any, with blanks"),
        pytest.param('"abcd"', False, id="longer"),
        pytest.param('"ab"', False, id="shorter"),
        pytest.param('"ABC"', False, id="another case"),
        pytest.param('"x", "y"', False, id="none of several"),
        pytest.param("abc", False, id="without quotes"),
        pytest.param('"abc', False, id="half quoted"),
        pytest.param('"*"', False, id="a star that is a tag"),
        pytest.param('"x, W/"abc', False, id="in between two tags"),
        pytest.param(",,;", False, id="garbage"),
        pytest.param(100_000 * '"', False, id="quotes"),
    ],
)
def test_a_client_has_the_representations_that_its_tags_name(header: str | None, expected: bool) -> None:
    environ = {"REQUEST_METHOD": "GET"} | ({} if header is None else {"HTTP_IF_NONE_MATCH": header})
    assert if_none_match(Request(environ), '"abc"') is expected
