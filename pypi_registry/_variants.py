"""Wheel variants (PEP 825): the JSON of a version, generated from what its wheels contain.

The variant metadata of a wheel and the variants JSON of a version have one format. Texts of both are canonical here:
their meaning alone determines their bytes, so equal variants have one digest, in any order of the uploads.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pypi_registry._excerpt import excerpt

SUFFIX = "-variants.json"

MAX_JSON = 256 * 1024
"""Bytes of the variants JSON of one version in one project."""

MAX_HISTORY = 1024**2
"""Bytes of all contents of this JSON that are kept: the last 250, if each has 4 kB."""

Variants: TypeAlias = Mapping[str, Any]
"""A parsed and verified text; its keys are ``$schema``, ``default-priorities``, ``variants``, perhaps ``providers``."""

_MAX_LISTED = 8  # values in a message
_SCHEMA_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(\.json)?")


def json_filename(name: NormalizedName, version: str) -> str:
    """Return the file name of the variants JSON of a version.

    >>> json_filename(NormalizedName("my-demo"), "1.0-RC1")
    'my_demo-1.0rc1-variants.json'
    """
    # PEP 825: "normalized according to the same rules as wheel files".
    return f"{name.replace('-', '_')}-{Version(version)}{SUFFIX}"


def name_and_version(stem: str) -> tuple[NormalizedName, str] | None:
    """Return the name and the version in the file name of a variants JSON without its suffix; None if it is none.

    >>> name_and_version("my_demo-1.0")
    ('my-demo', '1.0')
    """
    name, _, version = stem.partition("-")
    try:
        found = canonicalize_name(name), str(Version(version))
    except (InvalidVersion, ValueError):  # ValueError for a number of thousands of digits
        return None
    return found if name and json_filename(*found) == f"{stem}{SUFFIX}" else None


def schema_version(url: str) -> tuple[int, int, int] | None:
    """Return the version of the format that the URL of a schema names; None if it names none.

    >>> schema_version("https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json")
    (0, 1, 1)
    """
    found = _SCHEMA_VERSION.fullmatch(url.rpartition("/")[2])
    return found and (int(found[1]), int(found[2]), int(found[3]))


def canonical(variants: Variants) -> str:
    """Return variants as canonical JSON, in ASCII characters; lists of values are sorted, as PEP 825 requires."""
    document = {
        "$schema": variants["$schema"],
        "default-priorities": {"namespace": variants["default-priorities"]["namespace"]},
        **({"providers": _sorted(variants["providers"])} if "providers" in variants else {}),
        "variants": {
            label: {
                namespace: {feature: sorted(values) for feature, values in sorted(features.items())}
                for namespace, features in sorted(properties.items())
            }
            for label, properties in sorted(variants["variants"].items())
        },
    }
    return json.dumps(document, separators=(",", ":"))


def compose(texts: Iterable[str]) -> str | None:
    """Return the variants of several canonical texts as one; None if there are none.

    PEP 825: "the resulting variants dictionary MUST be a union of all the input dictionaries." Wheels of one project
    never contradict each other, because `conflicts` is checked for each upload. Those of several projects may. A label
    with two meanings is left out. If a text contradicts the ones before it in anything else, those of its labels are
    left out that the texts before it do not have. Clients ignore wheels whose label is missing.
    """
    documents = [json.loads(text) for text in dict.fromkeys(texts)]
    if not documents:
        return None
    composed, *others = documents
    for other in others:
        if next(_conflicts_of_versions(other, composed), None) is None:
            composed = _union(composed, other)
    meanings: dict[str, Any] = {}
    ambiguous = {
        label
        for each in documents
        for label, properties in each["variants"].items()
        if meanings.setdefault(label, properties) != properties
    }
    labels = {label: properties for label, properties in composed["variants"].items() if label not in ambiguous}
    return canonical({**composed, "variants": labels})


def extended(history: Sequence[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Return the contents that the JSON of a version has had, the oldest first, followed by the present one."""
    present = compose(texts)
    if present is None:
        return tuple(history)
    contents = [*(content for content in history if content != present), present]
    while sum(map(len, contents)) > MAX_HISTORY:
        del contents[0]
    return tuple(contents)


def conflicts(new: str, others: Iterable[str]) -> Iterator[str]:
    """Yield why the variants of a wheel contradict those of the other wheels of its version, which do not conflict."""
    composed = compose(others)
    if composed is None:
        return
    one, other = json.loads(new), json.loads(composed)
    yield from _conflicts_of_versions(one, other)
    for label, properties in one["variants"].items():
        yield from _conflicts_of_properties(label, properties, other["variants"].get(label, properties))
    if len(canonical(_union(other, one))) > MAX_JSON:
        yield f"the variants of this version would have more than {MAX_JSON} bytes"


def _conflicts_of_versions(one: Variants, other: Variants) -> Iterator[str]:
    """Yield the contradictions in the keys that all wheels of a version share."""
    if one["$schema"] != other["$schema"] and not _are_compatible(one["$schema"], other["$schema"]):
        yield (
            f"$schema is {excerpt(one['$schema'], 200)} here and {excerpt(other['$schema'], 200)} in other wheels of "
            "this version, and these versions of the format cannot be combined"
        )
    # "The metadata is considered consistent if the longer list starts with the elements of the shorter list, in the
    # same order."
    lists = [each["default-priorities"]["namespace"] for each in (one, other)]
    shorter, longer = sorted(lists, key=len)
    if longer[: len(shorter)] != shorter:
        yield (
            f"default-priorities.namespace is {_listed(lists[0])} here and {_listed(lists[1])} in other wheels of this "
            "version, and one of them must begin with the other"
        )
    providers = other.get("providers", {})
    for namespace, provider in one.get("providers", {}).items():
        if providers.get(namespace, provider) != provider:
            yield f"the provider of the namespace {namespace} differs from the one in other wheels of this version"


def _conflicts_of_properties(label: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    # "the same variant label MUST always map to the same set of properties"
    names = {(namespace, feature) for each in (one, other) for namespace in each for feature in each[namespace]}
    for namespace, feature in sorted(names):
        here, there = (each.get(namespace, {}).get(feature) for each in (one, other))
        if here != there:
            yield (
                f"the label {excerpt(label)} has {namespace} :: {feature} :: {_listed(here)} here and {_listed(there)} "
                "in other wheels of this version"
            )


def _are_compatible(one: str, other: str) -> bool:
    # Of versions that begin with zero: "Tools MUST NOT make any compatibility assumptions over these versions."
    versions = schema_version(one), schema_version(other)
    majors = {version[0] if version else 0 for version in versions}
    return len(majors) == 1 and majors != {0}


def _union(one: Variants, other: Variants) -> Variants:
    both = one, other
    providers = {
        namespace: min(found, key=json.dumps)  # the order of keys may differ, and must not depend on the order of texts
        for namespace in {namespace for each in both for namespace in each.get("providers", {})}
        if (found := [each["providers"][namespace] for each in both if namespace in each.get("providers", {})])
    }
    return {
        "$schema": max((each["$schema"] for each in both), key=lambda url: (schema_version(url) or (), url)),
        # "combining the metadata MUST result in the longer list being used"
        "default-priorities": max(
            (each["default-priorities"] for each in both), key=lambda each: len(each["namespace"])
        ),
        **({"providers": providers} if providers else {}),
        "variants": {**one["variants"], **other["variants"]},
    }


def _sorted(providers: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(sorted(providers.items()))


def _listed(values: Sequence[str] | None) -> str:
    if values is None:
        return "nothing"
    more = f" and {len(values) - _MAX_LISTED} more" if len(values) > _MAX_LISTED else ""
    return f"[{', '.join(values[:_MAX_LISTED])}{more}]"
