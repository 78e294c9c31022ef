"""Verify the variant metadata of a wheel (PEP 825): ``variant.json`` in its ``.dist-info`` folder.

PEP 825: "Tools that are in a position to reject invalid data at the point it enters the ecosystem, such as a package
index accepting an upload, SHOULD do so." The key ``providers`` is not in PEP 825 but in its successor, PEP 850, without
which no installer supports a property; uv 0.13.9 and variantlib 0.2.2 read it.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pypi_registry._excerpt import excerpt
from pypi_registry._variants import canonical, schema_version
from pypi_registry.distributions.report import InvalidArchive, listed

VARIANT_JSON = "variant.json"
NULL = "null"

_SUPPORTED_MAJORS = (0, 1)  # drafts have 0.x.y; "Once the proposal is complete, the latest draft will be promoted"
_MAX_URL = 255  # characters of $schema
_NAME = re.compile(r"[a-z0-9_]+")
_VALUE = re.compile(r"[a-z0-9_.]+")
_KEYS = {"$schema", "default-priorities", "variants"}


def parse_variant(data: bytes, label: str) -> str:
    r"""Return the variant metadata of a wheel as canonical JSON.

    :param label: the variant label in the file name of the wheel.
    :raises InvalidArchive: if it is not valid, or not that of the label; it names all problems.

    >>> parse_variant(
    ...     b'{"$schema": "https://example.org/v1.0.0.json", "default-priorities": {"namespace": ["cpu"]},'
    ...     b' "variants": {"fast": {"cpu": {"level": ["v3", "v2"]}}}}',
    ...     "fast",
    ... ).rpartition('"variants":')[2]
    '{"fast":{"cpu":{"level":["v2","v3"]}}}}'
    """
    document = _parse(data)
    problems = [*_problems(document, label)]
    if problems:
        raise InvalidArchive(f"{VARIANT_JSON} {', '.join(problems)}")
    return canonical(document)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_float=_no_number,
            parse_int=_no_number,
            parse_constant=_no_number,
        )
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair, which uv does not read
    except RecursionError:
        raise InvalidArchive(f"{VARIANT_JSON} is nested too deeply") from None
    except UnicodeError:
        raise InvalidArchive(f"{VARIANT_JSON} is not UTF-8, or escapes half of a character") from None
    except ValueError as error:
        raise InvalidArchive(f"{VARIANT_JSON} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArchive(f"{VARIANT_JSON} is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 8259, 4: "When the names within an object are not unique, the behavior of software that receives such an
    # object is unpredictable."
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"it has the key {excerpt(name)} twice")
        found[name] = value
    return found


def _no_number(text: str) -> object:
    raise ValueError(f"it contains the number {excerpt(text)}, which the format does not have")


def _problems(document: dict[str, Any], label: str) -> Iterator[str]:
    if missing := sorted(_KEYS - document.keys()):
        yield f"has no {' and no '.join(missing)}"
    if unknown := sorted(document.keys() - _KEYS - {"providers"}):
        yield f"has unknown keys: {listed(unknown)}"
    if missing:
        return
    yield from _schema_problems(document["$schema"])
    priorities = document["default-priorities"]
    namespaces = priorities.get("namespace") if isinstance(priorities, dict) else None
    if not isinstance(priorities, dict) or priorities.keys() != {"namespace"} or not _is_list(namespaces, _NAME):
        # "it MUST NOT be empty: a package version providing variant wheels MUST use at least one variant namespace."
        yield "must have in default-priorities only namespace, a list of at least one namespace, each once"
        namespaces = None
    yield from _variants_problems(document["variants"], label, namespaces)
    if "providers" in document:
        yield from _providers_problems(document["providers"], namespaces)
    elif "/peps/850/" in str(document["$schema"]):
        yield "has no providers, which the $schema of PEP 850 requires"  # and uv 0.13.9


def _schema_problems(schema: object) -> Iterator[str]:
    version = schema_version(schema) if isinstance(schema, str) and len(schema) <= _MAX_URL else None
    if version is None or not str(schema).startswith("https://") or not str(schema).isprintable():
        # "The schema URL MUST include a version number"
        yield "has a $schema that is not an https:// URL with a version number, such as …/v0.1.1.json"
    # "Tools MUST reject metadata with a major version number that they do not support."
    elif version[0] not in _SUPPORTED_MAJORS:
        yield f"has the format version {'.'.join(map(str, version))}, and this registry supports 0.x and 1.x"


def _variants_problems(variants: object, label: str, namespaces: object) -> Iterator[str]:
    if not isinstance(variants, dict):
        yield "has variants that are not an object"
        return
    # "it MUST contain exactly one entry, whose key is the variant label present in that wheel's filename."
    if variants.keys() != {label}:
        found = listed([*variants]) or "none"
        yield f"must have in variants only the label of the file name, {excerpt(label)}, but has {found}"
        return
    properties = variants[label]
    if not _is_tree(properties):
        yield (
            f"must have in variants.{label} an object of namespaces, each with features, each with a list of at least "
            "one value, each once (lower-case letters, digits and '_'; in values also '.')"
        )
        return
    # "The label null is reserved and always corresponds to the variant with zero properties"
    if (label == NULL) == bool(properties):
        yield f"has {'properties' if properties else 'no properties'} for the label {label}"
    # "This list MUST contain all namespaces used in variant properties"
    if isinstance(namespaces, list) and (unlisted := [*properties.keys() - {*namespaces}]):
        yield f"lacks in default-priorities.namespace what its properties use: {listed(sorted(unlisted))}"


def _providers_problems(providers: object, namespaces: object) -> Iterator[str]:
    if not isinstance(providers, dict) or not all(isinstance(each, dict) and each for each in providers.values()):
        yield "must have in providers an object for each namespace, which is not empty"
    elif isinstance(namespaces, list) and providers.keys() != {*namespaces}:
        yield f"has providers of {listed([*providers]) or 'nothing'}, but the namespaces {listed([*namespaces])}"


def _is_tree(properties: object) -> bool:
    """Return whether this maps namespaces to features to lists of values.

    A namespace without a feature has no property, and variantlib reads such a variant as the null variant.
    """
    return isinstance(properties, dict) and all(
        _is_name(namespace)
        and isinstance(features, dict)
        and features != {}
        and all(_is_name(feature) and _is_list(values, _VALUE) for feature, values in features.items())
        for namespace, features in properties.items()
    )


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _is_list(values: object, pattern: re.Pattern[str]) -> bool:
    return (
        isinstance(values, list)
        and 0 < len(values) == len({*_texts(values)})
        and all(map(pattern.fullmatch, _texts(values)))
    )


def _texts(values: Iterable[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))
