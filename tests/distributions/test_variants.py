"""What ``variant.json`` of a wheel variant must be (PEP 825)."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement

from pypi_registry.distributions import read_unverified, verify
from pypi_registry.distributions.limits import MAX_VARIANT
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.variants import parse_variant
from pypi_registry.testing.archives import Variant, make_wheel

DRAFT = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
VALID: Mapping[str, Any] = {
    "$schema": DRAFT,
    "default-priorities": {"namespace": ["cpu", "gpu"]},
    "variants": {"fast": {"cpu": {"level": ["v3"]}}},
}


def wheel(data: bytes | str | None, label: str = "fast") -> tuple[bytes, str]:
    """Return a wheel with these contents of ``variant.json``, or without one, and its file name."""
    files: dict[str, str | bytes] = {"demo.py": ""}
    if data is not None:
        files["demo-1.0.dist-info/variant.json"] = data
    made = make_wheel("demo", "1.0", files=files)
    return made.data, made.filename.replace(".whl", f"-{label}.whl") if label else made.filename


def problems_of(data: bytes | str | None, label: str = "fast") -> list[str]:
    content, filename = wheel(data, label)
    return [*verify(io.BytesIO(content), filename).problems]


def changed(**keys: Any) -> str:
    """Return a valid document with other values; None removes a key."""
    document = {
        **VALID,
        **{name.replace("_", "-").replace("-schema", "$schema"): value for name, value in keys.items()},
    }
    return json.dumps({name: value for name, value in document.items() if value is not None})


def variants(properties: object, label: str = "fast") -> str:
    return changed(variants={label: properties})


@pytest.mark.parametrize(
    ("data", "label"),
    [
        pytest.param(changed(), "fast", id="one property"),
        pytest.param(variants({}, "null"), "null", id="the null variant"),
        pytest.param(variants({"gpu": {"kind": ["b", "a"]}, "cpu": {"level": ["v1.0"]}}, "_._"), "_._", id="unsorted"),
        pytest.param(variants({"cpu": {"level": ["v3"]}}, "2fast"), "2fast", id="a label that begins with a digit"),
        pytest.param(variants({"cpu": {"level": ["v3"]}}, "cuda12.6"), "cuda12.6", id="a label with a dot"),
        pytest.param(variants({"cpu": {"level": ["v3"]}}, "x" * 64), "x" * 64, id="a long label"),
        pytest.param(changed(_schema="https://packaging.python.org/x/v1.4.0.json"), "fast", id="a newer minor version"),
        pytest.param(
            changed(providers={"cpu": {"requires": ["x"]}, "gpu": {"optional": True}}), "fast", id="providers"
        ),
        pytest.param("\n " + json.dumps(VALID, indent=4) + "\n", "fast", id="white space"),
        pytest.param(changed().replace("level", "\\u006cevel"), "fast", id="an escaped letter"),
    ],
)
def test_a_valid_file_has_no_problem(data: str, label: str) -> None:
    assert problems_of(data, label) == []
    content, filename = wheel(data, label)
    variant = verify(io.BytesIO(content), filename).variant
    assert variant is not None
    assert variant.isascii()
    assert json.loads(variant)["variants"] == {
        label: {
            namespace: {feature: sorted(values) for feature, values in features.items()}
            for namespace, features in json.loads(data)["variants"][label].items()
        }
    }
    assert parse_variant(variant.encode(), label) == variant


PROPERTIES = (
    "variant.json must have in variants.fast an object of namespaces, each with features, each with a list of at least "
    "one value, each once (lower-case letters, digits and '_'; in values also '.')"
)
PRIORITIES = "variant.json must have in default-priorities only namespace, a list of at least one namespace, each once"
SCHEMA = "variant.json has a $schema that is not an https:// URL with a version number, such as …/v0.1.1.json"
NOT_JSON = "variant.json is not valid JSON: "
ONLY_LABEL = "variant.json must have in variants only the label of the file name, 'fast', but has "


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param("", NOT_JSON, id="empty"),
        pytest.param("{", NOT_JSON, id="cut off"),
        pytest.param("\ufeff" + changed(), NOT_JSON, id="a byte order mark"),
        pytest.param(changed().encode("utf-16"), "variant.json is not UTF-8", id="UTF-16"),
        pytest.param(changed().encode() + b"\xff", "variant.json is not UTF-8", id="not UTF-8"),
        pytest.param(
            changed(providers={"cpu": {"x": "\ud800"}}), "variant.json is not UTF-8, or", id="half a character"
        ),
        pytest.param("[]", "variant.json is not a JSON object", id="a list"),
        pytest.param("null", "variant.json is not a JSON object", id="null"),
        pytest.param('{"a": 1, "a": 2}', f"{NOT_JSON}it contains the number '1'", id="numbers"),
        pytest.param('{"a": NaN}', f"{NOT_JSON}it contains the number 'NaN'", id="no number"),
        pytest.param(f'{{"a": {"1" * 5000}}}', f"{NOT_JSON}it contains the number", id="a number of 5000 digits"),
        pytest.param('{"a": "1", "b": "1", "a": "1"}', f"{NOT_JSON}it has the key 'a' twice", id="a key twice"),
        pytest.param(
            changed().replace('"level"', '"level": ["v3"], "level"'),
            f"{NOT_JSON}it has the key 'level' twice",
            id="a feature twice",
        ),
        pytest.param("[" * 8000, "variant.json is nested too deeply", id="deep lists"),
        pytest.param('{"a":' * 3000, "variant.json is nested too deeply", id="deep objects"),
        pytest.param(" " * (MAX_VARIANT + 1), f"has {MAX_VARIANT + 1} bytes, more than {MAX_VARIANT}", id="too large"),
        pytest.param("{}", "variant.json has no $schema and no default-priorities and no variants", id="no key"),
        pytest.param(changed(_schema=None), "variant.json has no $schema", id="no schema"),
        pytest.param(changed(variants=None), "variant.json has no variants", id="no variants"),
        pytest.param(changed(more={}), "variant.json has unknown keys: 'more'", id="an unknown key"),
        pytest.param(changed(_schema=["x"]), SCHEMA, id="a list as schema"),
        pytest.param(changed(_schema="https://example.org/schema.json"), SCHEMA, id="no version"),
        pytest.param(changed(_schema="http://example.org/v1.0.0.json"), SCHEMA, id="not https"),
        pytest.param(changed(_schema="https://example.org/\u2028/v1.0.0.json"), SCHEMA, id="a line break in the URL"),
        pytest.param(changed(_schema=f"https://example.org/{'x' * 300}/v1.0.0.json"), SCHEMA, id="a long URL"),
        pytest.param(
            changed(_schema="https://packaging.python.org/v2.0.0.json"),
            "variant.json has the format version 2.0.0, and this registry supports 0.x and 1.x",
            id="an unknown major version",
        ),
        pytest.param(
            changed(_schema="https://example.org/peps/850/v0.2.0.json"),
            "variant.json has no providers, which the $schema of PEP 850 requires",
            id="no providers",
        ),
        pytest.param(changed(default_priorities=[]), PRIORITIES, id="a list of priorities"),
        pytest.param(changed(default_priorities={}), PRIORITIES, id="no priorities"),
        pytest.param(changed(default_priorities={"namespace": []}), PRIORITIES, id="no namespace"),
        pytest.param(changed(default_priorities={"namespace": "cpu"}), PRIORITIES, id="a text of namespaces"),
        pytest.param(changed(default_priorities={"namespace": ["cpu", "cpu"]}), PRIORITIES, id="a namespace twice"),
        pytest.param(changed(default_priorities={"namespace": ["cpu", "GPU"]}), PRIORITIES, id="capitals"),
        pytest.param(changed(default_priorities={"namespace": ["cpu", None]}), PRIORITIES, id="null as namespace"),
        pytest.param(changed(default_priorities={"namespace": ["cpu"], "feature": {}}), PRIORITIES, id="features"),
        pytest.param(changed(variants=[]), "variant.json has variants that are not an object", id="a list of variants"),
        pytest.param(changed(variants={}), f"{ONLY_LABEL}none", id="no variant"),
        pytest.param(variants({"cpu": {"level": ["v3"]}}, "slow"), f"{ONLY_LABEL}'slow'", id="another label"),
        pytest.param(changed(variants={"fast": {}, "slow": {}}), f"{ONLY_LABEL}'fast', 'slow'", id="two labels"),
        pytest.param(variants({}), "variant.json has no properties for the label fast", id="no properties"),
        pytest.param(variants([]), PROPERTIES, id="a list of properties"),
        pytest.param(variants({"cpu": {}}), PROPERTIES, id="no feature"),
        pytest.param(variants({"cpu": []}), PROPERTIES, id="a list of features"),
        pytest.param(variants({"cpu": {"level": []}}), PROPERTIES, id="no value"),
        pytest.param(variants({"cpu": {"level": "v3"}}), PROPERTIES, id="a text of values"),
        pytest.param(variants({"cpu": {"level": ["v3", "v3"]}}), PROPERTIES, id="a value twice"),
        pytest.param(variants({"cpu": {"level": ["v3", True]}}), PROPERTIES, id="true as value"),
        pytest.param(variants({"cpu": {"level": ["V3"]}}), PROPERTIES, id="a value in capitals"),
        pytest.param(variants({"cpu": {"level": ["v3\n"]}}), PROPERTIES, id="a line break in a value"),
        pytest.param(variants({"cpu": {"le.vel": ["v3"]}}), PROPERTIES, id="a dot in a feature"),
        pytest.param(variants({"c-pu": {"level": ["v3"]}}), PROPERTIES, id="a hyphen in a namespace"),
        pytest.param(variants({"": {"level": ["v3"]}}), PROPERTIES, id="an empty namespace"),
        pytest.param(
            variants({"tpu": {"level": ["v3"]}}),
            "variant.json lacks in default-priorities.namespace what its properties use: 'tpu'",
            id="an unlisted namespace",
        ),
        pytest.param(
            changed(providers=[]),
            "variant.json must have in providers an object for each namespace",
            id="a list of providers",
        ),
        pytest.param(
            changed(providers={"cpu": {}, "gpu": {"x": "y"}}),
            "variant.json must have in providers an object for each namespace, which is not empty",
            id="an empty provider",
        ),
        pytest.param(
            changed(providers={"cpu": {"x": "y"}}),
            "variant.json has providers of 'cpu', but the namespaces 'cpu', 'gpu'",
            id="a missing provider",
        ),
    ],
)
def test_a_file_that_is_wrong_has_one_problem(data: bytes | str, problem: str) -> None:
    [found] = problems_of(data)
    assert problem in found
    assert verify(io.BytesIO(wheel(data)[0]), wheel(data)[1]).variant is None


def test_the_null_variant_has_no_properties() -> None:
    [found] = problems_of(variants({"cpu": {"level": ["v3"]}}, "null"), "null")
    assert found == "variant.json has properties for the label null"


def test_all_problems_are_named() -> None:
    data = changed(_schema="x", default_priorities={}, variants={"slow": {}}, more="x")
    [found] = problems_of(data)
    assert found.count("variant.json") == 1
    for part in ("unknown keys", "$schema", "default-priorities", "'slow'"):
        assert part in found


def test_a_label_and_the_file_belong_together() -> None:
    assert problems_of(None) == [
        "the file name has the variant label 'fast', but the .dist-info folder has no variant.json"
    ]
    assert problems_of(changed(), "") == [
        "the .dist-info folder contains variant.json, but the file name has no variant label"
    ]
    assert problems_of(None, "") == []


def test_an_invalid_label_is_a_problem_of_the_file_name() -> None:
    found = problems_of(variants({"cpu": {"level": ["v3"]}}, "LVL2"), "LVL2")
    assert found == [
        "File name 'demo-1.0-py3-none-any-LVL2.whl' is not valid for a wheel: its variant label 'LVL2' is not made of "
        "lower-case letters, digits, '_' and '.'"
    ]


def test_tags_and_the_dist_info_folder_are_compared_without_the_label() -> None:
    made = make_wheel("demo", "1.0", tags="cp311-abi3-linux_x86_64", build="7", variant=Variant("fast"))
    assert made.filename == "demo-1.0-7-cp311-abi3-linux_x86_64-fast.whl"
    assert verify(io.BytesIO(made.data), made.filename).problems == ()
    other = made.filename.replace("cp311", "cp312")
    [found] = verify(io.BytesIO(made.data), other).problems
    assert found.startswith(f"WHEEL has tags that the file name '{other}' does not have")


def test_an_unverified_file_has_its_variant_if_it_is_valid() -> None:
    for data, expected in ((changed(), json.dumps(VALID, separators=(",", ":"))), ("{}", None), (None, None)):
        content, filename = wheel(data)
        found = read_unverified(io.BytesIO(content), filename)
        assert (found.variant, found.problems) == (expected, ())
        assert found.metadata is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_json_is_an_error_of_another_kind(document: object) -> None:
    for data in (document, {**VALID, "variants": document}, {**VALID, "default-priorities": document}):
        with pytest.raises(InvalidArchive):
            parse_variant(json.dumps(data).encode(), "fast")


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error_of_another_kind(data: bytes) -> None:
    with pytest.raises(InvalidArchive):
        parse_variant(data, "fast")


@pytest.mark.parametrize(
    "marker",
    [
        "variant_label == 'fast'",
        "'a' in variant_namespaces",
        "'a :: b' in variant_features",
        "'a::b::c' in variant_properties",
    ],
)
def test_a_dependency_for_some_variants_is_refused_as_long_as_no_installer_reads_it(marker: str) -> None:
    """PEP 825 has four environment markers; packaging, and so pip and this package, parses none of them.

    uv 0.13.9 drops all versions of which the metadata has one. When packaging parses them, this test fails.
    """
    with pytest.raises(InvalidRequirement):
        Requirement(f"other; {marker}")
    made = make_wheel("demo", "1.0", variant=Variant("fast"), headers=[("Requires-Dist", f"other; {marker}")])
    [problem] = verify(io.BytesIO(made.data), made.filename).problems
    assert "is not a dependency specifier" in problem
