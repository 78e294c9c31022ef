"""How the ``:id`` of a URL refers to a project or a group."""

import pytest

from pypi_registry._api.routes import match
from pypi_registry._http.errors import NoSuchRoute
from pypi_registry.directory import Ref


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("0", 0),
        ("42", 42),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("0" * 18 + "1", None),
        ("9" * 5000, None),
        ("-1", None),
        ("-0", None),
        ("-", "-"),
        ("--1", "--1"),
        ("1-", "1-"),
        ("42a", "42a"),
        ("4.2", "4.2"),
        ("1_000", "1_000"),
        ("42%0A", "42\n"),
        (" 42", " 42"),
        ("٤٢", "٤٢"),
        ("²", "²"),
        ("42/tools", "42/tools"),
        ("acme", "acme"),
        ("acme/libs/tools", "acme/libs/tools"),
        ("acme%2Ftools", "acme/tools"),
        ("%34%32", 42),
        ("a%00b", None),
    ],
    ids=lambda value: repr(value)[:24],
)
@pytest.mark.parametrize("path", ["/projects/{}/packages", "/groups/{}/-/packages/pypi/simple/"])
def test_a_text_that_looks_like_a_number_is_an_id_or_nothing(text: str, ref: Ref | None, path: str) -> None:
    found = match(path.format(text).encode().decode("latin-1")).ref
    assert found == ref
    assert type(found) is type(ref)


def test_an_empty_id_matches_no_route() -> None:
    with pytest.raises(NoSuchRoute):
        match("/projects//packages")
