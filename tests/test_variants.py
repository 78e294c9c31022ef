"""The variants JSON of a version (PEP 825): generated from its wheels, and what contradicts in them."""

import json
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from pypi_registry import _variants
from pypi_registry._variants import (
    canonical,
    compose,
    conflicts,
    extended,
    json_filename,
    name_and_version,
    schema_version,
)

DRAFT = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
Properties = Mapping[str, Mapping[str, Sequence[str]]]


def text(
    variants: Mapping[str, Properties],
    namespaces: Sequence[str] = ("cpu",),
    providers: Mapping[str, Any] | None = None,
    schema: str = DRAFT,
) -> str:
    document = {"$schema": schema, "default-priorities": {"namespace": [*namespaces]}, "variants": variants}
    return canonical(document | ({} if providers is None else {"providers": providers}))


def level(value: str) -> Properties:
    return {"cpu": {"level": [value]}}


FAST, SLOW = text({"fast": level("v3")}), text({"slow": level("v1")})

# Names


@pytest.mark.parametrize(
    ("name", "version", "filename"),
    [
        ("demo", "1.0", "demo-1.0-variants.json"),
        ("my-long-demo", "1.0", "my_long_demo-1.0-variants.json"),
        ("demo", "v1.0-RC1", "demo-1.0rc1-variants.json"),
        ("demo", "1.0-1", "demo-1.0.post1-variants.json"),
        ("demo", "1!2.0+CU-12", "demo-1!2.0+cu.12-variants.json"),
    ],
)
def test_the_file_name_contains_name_and_version_as_in_a_wheel(name: str, version: str, filename: str) -> None:
    assert json_filename(NormalizedName(name), version) == filename
    found = name_and_version(filename.removesuffix("-variants.json"))
    assert found is not None
    assert json_filename(*found) == filename


@pytest.mark.parametrize(
    "stem", ["", "demo", "demo-", "-1.0", "Demo-1.0", "de-mo-1.0", "demo-v1", "demo-1.0-x", "de.mo-1"]
)
def test_another_spelling_is_no_file_name(stem: str) -> None:
    assert name_and_version(stem) is None


@pytest.mark.parametrize(
    ("url", "version"),
    [
        (DRAFT, (0, 1, 1)),
        ("https://packaging.python.org/x/1.12.0.json", (1, 12, 0)),
        ("https://example.org/v2.0.0", (2, 0, 0)),
        ("https://example.org/v1.0.json", None),
        ("https://example.org/v1.0.0/schema.json", None),
        ("https://example.org/v1.0.0.json?x", None),
        ("", None),
    ],
)
def test_the_version_of_the_format_is_the_end_of_the_url(url: str, version: tuple[int, int, int] | None) -> None:
    assert schema_version(url) == version


# Composing


def test_nothing_is_composed_of_nothing() -> None:
    assert compose([]) is None


def test_the_variants_are_those_of_all_wheels_and_the_longest_list_of_namespaces_counts() -> None:
    gpu = text({"gpu": {"gpu": {"kind": ["b", "a"]}}}, ["cpu", "gpu"])
    null = text({"null": {}})
    for texts in permutations([FAST, gpu, null, FAST, SLOW]):
        assert compose(texts) == (
            f'{{"$schema":"{DRAFT}","default-priorities":{{"namespace":["cpu","gpu"]}},"variants":'
            '{"fast":{"cpu":{"level":["v3"]}},"gpu":{"gpu":{"kind":["a","b"]}},"null":{},"slow":{"cpu":{"level":["v1"]}}}}'
        )


def test_providers_are_those_of_all_wheels_whatever_the_order_of_their_keys() -> None:
    one = text({"a": level("v1")}, ["cpu"], {"cpu": {"requires": ["x"], "plugin-api": "y"}})
    other = text(
        {"b": level("v2")}, ["cpu", "gpu"], {"gpu": {"requires": ["z"]}, "cpu": {"plugin-api": "y", "requires": ["x"]}}
    )
    assert compose([one, other]) == compose([other, one])
    assert json.loads(compose([one, other]) or "")["providers"] == {
        "cpu": {"requires": ["x"], "plugin-api": "y"},
        "gpu": {"requires": ["z"]},
    }
    assert [*conflicts(one, [other])] == []


def test_of_released_versions_of_one_format_the_newest_is_written() -> None:
    urls = [f"https://packaging.python.org/v1.{minor}.0.json" for minor in (2, 10, 9)]
    texts = [text({f"l{number}": level("v1")}, schema=url) for number, url in enumerate(urls)]
    for each in permutations(texts):
        composed = compose(each)
        assert json.loads(composed or "")["$schema"] == urls[1]
        assert [*conflicts(each[0], each[1:])] == []


def test_a_label_with_two_meanings_is_left_out_whatever_the_order() -> None:
    third = text({"fast": level("v9"), "null": {}})
    for texts in permutations([FAST, text({"fast": level("v4")}), SLOW, third]):
        assert [*json.loads(compose(texts) or "")["variants"]] == ["null", "slow"]


@pytest.mark.parametrize(
    "contradicting",
    [
        pytest.param(text({"new": level("v4"), "fast": level("v3")}, ["gpu", "cpu"]), id="priorities"),
        pytest.param(text({"new": level("v4")}, schema=DRAFT.replace("0.1.1", "0.2.0")), id="another draft"),
        pytest.param(text({"new": level("v4")}, schema="https://example.org/v1.0.0.json"), id="another major version"),
        pytest.param(text({"new": level("v4")}, providers={"cpu": {"requires": ["other"]}}), id="a provider"),
    ],
)
def test_a_text_that_contradicts_the_ones_before_it_adds_no_label(contradicting: str) -> None:
    fast = text({"fast": level("v3")}, providers={"cpu": {"requires": ["x"]}})
    assert compose([fast, contradicting]) == fast
    ambiguous = contradicting.replace('"new"', '"fast"')
    assert json.loads(compose([fast, ambiguous]) or "")["variants"] == {}


def test_what_was_composed_is_composed_to_itself() -> None:
    both = compose([FAST, SLOW])
    assert both is not None
    assert compose([both]) == both
    assert compose([both, FAST]) == both


# Contradictions


@pytest.mark.parametrize(
    ("new", "problems"),
    [
        pytest.param(FAST, [], id="the same"),
        pytest.param(SLOW, [], id="another label"),
        pytest.param(text({"slow": level("v3")}), [], id="another label with the same properties"),
        pytest.param(text({"slow": level("v1")}, ["cpu", "gpu"]), [], id="more namespaces"),
        pytest.param(
            text({"fast": {"cpu": {"level": ["v3", "v4"]}}}),
            ["the label 'fast' has cpu :: level :: [v3, v4] here and [v3] in other wheels of this version"],
            id="more values",
        ),
        pytest.param(
            text({"fast": level("v3")}, [f"n{number}" for number in range(100)]),
            [
                "default-priorities.namespace is [n0, n1, n2, n3, n4, n5, n6, n7 and 92 more] here and [cpu] in other "
                "wheels of this version, and one of them must begin with the other"
            ],
            id="many namespaces",
        ),
        pytest.param(
            text({"fast": {"gpu": {"kind": ["a"]}}}, ["gpu"]),
            [
                "default-priorities.namespace is [gpu] here and [cpu] in other wheels of this version, and one of them "
                "must begin with the other",
                "the label 'fast' has cpu :: level :: nothing here and [v3] in other wheels of this version",
                "the label 'fast' has gpu :: kind :: [a] here and nothing in other wheels of this version",
            ],
            id="another namespace",
        ),
        pytest.param(
            text({"slow": level("v1")}, schema=DRAFT.replace("0.1.1", "0.2.0")),
            [
                f"$schema is '{DRAFT.replace('0.1.1', '0.2.0')}' here and '{DRAFT}' in other wheels of this version, "
                "and these versions of the format cannot be combined"
            ],
            id="another draft",
        ),
    ],
)
def test_what_contradicts_other_wheels(new: str, problems: Sequence[str]) -> None:
    assert [*conflicts(new, [FAST])] == problems
    assert [*conflicts(new, [])] == []


def test_the_json_of_a_version_may_not_become_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_variants, "MAX_JSON", len(compose([FAST, SLOW]) or ""))
    assert [*conflicts(SLOW, [FAST])] == []
    monkeypatch.setattr(_variants, "MAX_JSON", len(compose([FAST, SLOW]) or "") - 1)
    [problem] = conflicts(SLOW, [FAST])
    assert problem.startswith("the variants of this version would have more than")


# What is kept


def test_contents_are_kept_once_with_the_present_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    both = compose([FAST, SLOW]) or ""
    first = extended((), [FAST])
    second = extended(first, [FAST, SLOW])
    assert (first, second) == ((FAST,), (FAST, both))
    assert extended(second, [SLOW, FAST]) == second
    assert extended(second, [FAST]) == (both, FAST)
    assert extended(second, []) == second
    monkeypatch.setattr(_variants, "MAX_HISTORY", len(both) + len(SLOW))
    assert extended(second, [SLOW]) == (both, SLOW)


# Another implementation

_NAMES = st.sampled_from(["a", "b", "c"])
_PROPERTIES = st.dictionaries(
    _NAMES,
    st.dictionaries(_NAMES, st.sets(_NAMES, min_size=1).map(sorted), min_size=1, max_size=2),
    min_size=1,
    max_size=2,
)
_PROVIDER = st.sampled_from([{"requires": ["x"]}, {"static-properties": {"a": ["b", "a"]}}])


@st.composite
def _texts(draw: st.DrawFn) -> str:
    properties = draw(_PROPERTIES)
    label = draw(st.sampled_from(["l", "m"]))
    more = draw(st.lists(_NAMES, unique=True))
    namespaces = draw(st.permutations(sorted({*properties, *more})))
    return text({label: properties}, namespaces, {each: draw(_PROVIDER) for each in namespaces})


@given(st.lists(_texts(), min_size=1, max_size=4))
def test_variantlib_merges_to_the_same_and_finds_the_same_contradictions(texts: list[str]) -> None:
    variantlib = pytest.importorskip("variantlib.variants_json")
    errors = pytest.importorskip("variantlib.errors")
    merged = variantlib.VariantsJson(json.loads(texts[0]))
    accepted = [texts[0]]
    for each in texts[1:]:
        found = [*conflicts(each, accepted)]
        try:
            merged.merge(variantlib.VariantsJson(json.loads(each)))
        except errors.ValidationError:
            assert found
            return  # it may have merged a part
        assert found == []
        accepted.append(each)
    theirs, ours = json.loads(merged.to_str()), json.loads(compose(accepted) or "")
    assert {**theirs, "$schema": DRAFT} == ours
    assert {compose(order) for order in permutations(accepted)} == {compose(accepted)}
