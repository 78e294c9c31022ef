"""``docs/openapi.json`` describes every endpoint, and what it describes is what the registry does."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry._api import listing, packages
from pypi_registry._api.links import API_PREFIX
from pypi_registry._api.routes import ROUTES
from pypi_registry.distributions import verify
from pypi_registry.model import Status
from pypi_registry.testing.archives import distribution

PATH = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: Mapping[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
METHODS = {"get", "post", "patch", "delete", "put"}
FILENAME = "demo-1.0-py3-none-any.whl"
CONTENT = distribution(FILENAME)
VARIANT = "demo-1.0-py3-none-any-fast.whl"
VARIANTS_SHA256 = sha256((verify(BytesIO(distribution(VARIANT)), VARIANT).variant or "").encode()).hexdigest()
EXAMPLES_PER_OPERATION = 20
KNOWN = {
    "project": "acme%2Ftools",
    "group": "acme",
    "name": "Demo",
    "sha256": sha256(CONTENT).hexdigest(),
    "filename": FILENAME,
    "release": "demo-1.0",
    "package_id": 1,
    "package_file_id": 2,
}
"""Path parameters of what `populated` publishes."""


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & {*item}:
            yield path, method, item[method]


def test_the_document_has_the_routes_and_methods_of_the_registry_and_no_others() -> None:
    routes = {re.sub(r":(\w+)", r"{\1}", route.path): {*map(str.lower, route.endpoints)} for route in ROUTES}
    assert {path: METHODS & {*item} for path, item in DOCUMENT["paths"].items()} == routes
    assert DOCUMENT["servers"] == [{"url": API_PREFIX}]


def test_every_path_declares_its_parameters() -> None:
    for path, item in DOCUMENT["paths"].items():
        assert {resolved(each)["name"] for each in item["parameters"]} == {*re.findall(r"{(\w+)}", path)}, path


def test_every_parameter_of_a_list_is_in_the_document_with_its_values() -> None:
    documented = {
        resolved(each)["name"]
        for path, _, operation in operations()
        for each in operation.get("parameters", ())
        if resolved(each)["in"] == "query" and "/pypi" not in path
    }
    assert documented == {*listing._PARAMETERS}
    parameters = DOCUMENT["components"]["parameters"]
    assert {*parameters["package_type"]["schema"]["enum"]} == packages.PACKAGE_TYPES
    assert {*parameters["status"]["schema"]["enum"]} == packages.STATUSES
    assert {*parameters["order_by_project"]["schema"]["enum"]} == {*packages._ORDERS}
    assert {*parameters["order_by_group"]["schema"]["enum"]} == {*packages._ORDERS, "project_path"}
    assert {*parameters["order_by_files"]["schema"]["enum"]} == {*packages._FILE_ORDERS}
    assert DOCUMENT["components"]["schemas"]["ChangeStatus"]["properties"]["status"]["enum"] == [*Status]


def test_every_reference_resolves_and_every_component_is_used() -> None:
    used = {*references(DOCUMENT)}
    for reference in used:
        resolved({"$ref": reference})
    components = {f"#/components/{kind}/{name}" for kind, found in DOCUMENT["components"].items() for name in found}
    unused = {each for each in components - used if "/securitySchemes/" not in each}
    assert unused == {"#/components/responses/NotAllowed"}, "the answer to all other methods, which none of them has"


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for key in part["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return resolved(found)


def populated() -> Registry:
    """Return an open registry with one package, which has the ids in `KNOWN`."""
    registry = Registry()
    for filename, content in ((FILENAME, CONTENT), (VARIANT, distribution(VARIANT))):
        TestApp(registry).post(
            "/projects/acme%2Ftools/packages/pypi",
            {":action": "file_upload", "name": "demo", "version": "1.0"},
            upload_files=[("content", filename, content)],
            status=201,
        )
    return registry


@pytest.mark.slow
def test_the_document_is_valid_and_so_are_its_examples() -> None:
    pytest.importorskip("openapi_spec_validator", reason="the dependency group openapi is not installed")
    import jsonschema_rs
    from openapi_spec_validator import validate

    validate(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema.get("examples") or name in ("Refusal", "Upload"), name
        whole = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
        for example in schema.get("examples", ()):
            jsonschema_rs.validate(whole, example)


@pytest.mark.slow
def test_generated_requests_get_documented_responses_and_no_500(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("schemathesis", reason="the dependency group openapi is not installed")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from schemathesis import openapi
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ]
    document = json.dumps({**DOCUMENT, "servers": [{"url": "/"}]}).encode()
    served: list[Registry] = []

    def application(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/openapi.json":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [document]
        return served[-1](environ, start_response)

    seen: Counter[tuple[str, int]] = Counter()
    schema: Any = openapi.from_wsgi("/openapi.json", application)
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES_PER_OPERATION,
            deadline=None,
            suppress_health_check=[*HealthCheck],
            database=None,
            derandomize=True,
        )
        @given(case=operation.as_strategy(), exists=st.booleans())
        def respond(case: Any, exists: bool) -> None:
            served[:] = [populated()]
            if exists:
                known = KNOWN | ({"sha256": VARIANTS_SHA256} if "release" in case.path_parameters else {})
                case.path_parameters |= {key: known[key] for key in case.path_parameters}
            # schemathesis does not decompress what a WSGI application returns.
            response = case.call(headers={"Accept-Encoding": "identity"})
            seen[case.operation.label, response.status_code] += 1
            case.validate_response(response, checks=checks)

        respond()
    with capsys.disabled():
        print(f"\n{sum(seen.values())} generated requests, {len(seen)} pairs of operation and status")
    successful = {label for label, status in seen if status < 300}
    assert len(successful) > len([*operations()]) / 2, "most of what was generated never got further than a refusal"
