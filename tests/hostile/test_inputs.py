"""Hypothesis draws the whole input of every endpoint: path, query, headers and body. It shrinks what breaks a rule."""

import io
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypi_registry._api.routes import ROUTES, Route
from tests.hostile.requests import (
    BOUNDARY,
    DIGEST,
    HEADERS,
    QUERY,
    SECRET,
    TEXTS,
    VARIANTS_DIGEST,
    Responses,
    registry,
    split_parameter,
)

ENDPOINTS = [(route, method) for route in ROUTES for method in (*route.endpoints, "HEAD", "OPTIONS")]
VALID = {"project": "1", "group": "1", "name": "demo", "filename": "demo-1.0.tar.gz", "release": "demo-1.0"}
VALID |= {"package_id": "1", "package_file_id": "1"}

wsgi_text = st.text(st.characters(max_codepoint=255), max_size=60)  # each character is a byte (PEP 3333)
encoded = st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass").decode("latin-1"))
hostile = st.sampled_from([text.encode("utf-8", "surrogatepass").decode("latin-1") for text in TEXTS])
texts = st.one_of(hostile, encoded, wsgi_text)
headers = st.dictionaries(st.sampled_from(sorted({*HEADERS} - {"wsgi.url_scheme"})), texts, max_size=4)
queries = st.lists(st.tuples(st.sampled_from(QUERY), texts), max_size=4)
forms = st.lists(st.tuples(texts, texts, st.binary(max_size=60)), max_size=4)


def _form(parts: list[tuple[str, str, bytes]]) -> bytes:
    written = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'.encode() + data
        for name, filename, data in parts
    ]
    return b"\r\n".join([*written, f"--{BOUNDARY}--\r\n".encode()])


bodies = st.one_of(
    st.binary(max_size=200), forms.map(_form), texts.map(lambda text: f'{{"yanked": "{text}"}}'.encode())
)


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Responses]:
    with registry(tmp_path_factory.mktemp("hostile")) as found:
        yield Responses(found)


def send(responses: Responses, route: Route, method: str, data: st.DataObject) -> None:
    """Send a request of which any part may be wrong."""
    parts = []
    for part in route.path.split("/"):
        name, suffix = split_parameter(part)
        digest = VARIANTS_DIGEST if ":release" in route.path else DIGEST
        valid = digest if name == "sha256" else VALID.get(name, "") + suffix
        parts.append(data.draw(st.one_of(st.just(valid), texts)) if name else part)
    body = data.draw(bodies)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/".join(parts) + data.draw(st.sampled_from(["", "/"])),
        "QUERY_STRING": "&".join(f"{name}={value}" for name, value in data.draw(queries)),
        "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_PRIVATE_TOKEN": SECRET,
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    environ |= data.draw(headers)
    responses.send(environ)


def endpoint_name(value: object) -> str:
    return value.path if isinstance(value, Route) else str(value)


def check(responses: Responses, route: Route, method: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[*HealthCheck], database=None)
    @given(data=st.data())
    def send_one(data: st.DataObject) -> None:
        send(responses, route, method, data)

    send_one()


@pytest.mark.parametrize(("route", "method"), ENDPOINTS, ids=endpoint_name)
def test_no_input_of_an_endpoint_breaks_a_rule(responses: Responses, route: Route, method: str) -> None:
    check(responses, route, method, examples=15)


@pytest.mark.long
@pytest.mark.parametrize(("route", "method"), ENDPOINTS, ids=endpoint_name)
def test_no_input_of_an_endpoint_breaks_a_rule_in_a_long_run(responses: Responses, route: Route, method: str) -> None:
    check(responses, route, method, examples=1000)
