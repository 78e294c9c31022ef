"""Texts as the database holds them."""

from hypothesis import given
from hypothesis import strategies as st

from pypi_registry.stores.postgres.texts import escaped, unescaped

TEXTS = st.text(st.sampled_from("\0\1\2\3ab\u00e9\U0001f40d"))


@given(TEXTS, TEXTS)
def test_every_text_is_exact_and_keeps_its_place_in_the_order(first: str, second: str) -> None:
    assert unescaped(escaped(first)) == first
    assert "\0" not in escaped(first)
    assert (first < second) == (escaped(first) < escaped(second))
