"""The faster way to read parts returns what Werkzeug and the general way return, or None."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from pypi_registry._http import multipart
from pypi_registry._http.body import Body
from pypi_registry._http.common_parts import common_boundary, common_parts
from pypi_registry.errors import InvalidRequest

TEXT = st.text("aZ9_:-.+! \"'\\;=%/é", max_size=8)


def names(head: bytes) -> tuple[str, str | None] | None:
    found = common_parts(b"--b\r\n" + head + b"\r\n\r\n\r\n--b--\r\n", b"--b")
    return found[0][:2] if found else None


@settings(max_examples=500)
@given(name=TEXT, filename=st.none() | TEXT, mimetype=st.none() | st.sampled_from(["text/plain", "a/b; c=d"]))
def test_names_are_those_that_werkzeug_reads(name: str, filename: str | None, mimetype: str | None) -> None:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    head = f"Content-Disposition: {disposition}" + ("" if mimetype is None else f"\r\nContent-Type: {mimetype}")
    _, options = parse_options_header(disposition)
    assert names(head.encode()) in (None, (options.get("name", ""), options.get("filename")))


@given(TEXT, st.sampled_from(["", " ", '"', "; charset=utf-8"]))
def test_a_boundary_is_the_one_that_werkzeug_reads(boundary: str, after: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}{after}"
    assert common_boundary(content_type) in (None, parse_options_header(content_type)[1].get("boundary", ""))


def test_the_headers_of_twine_and_uv_are_read() -> None:
    # requests-toolbelt (twine) and reqwest (uv).
    assert common_boundary("multipart/form-data; boundary=5e6a0ff0c1e94a0e") == "5e6a0ff0c1e94a0e"
    assert names(b'Content-Disposition: form-data; name=":action"') == (":action", None)
    head = b'Content-Disposition: form-data; name="content"; filename="demo-1.0+x.tar.gz"'
    assert names(head + b"\r\nContent-Type: application/octet-stream") == ("content", "demo-1.0+x.tar.gz")


HEAD = b'Content-Disposition: form-data; name="a"\r\n\r\n'
PIECES = [HEAD, b"--b", b"--b", b"\r\n", b"\r\n", b"\n", b"\r", b"--", b"-", b" ", b"x", b'Content-Type: x"\r\n']


def parsed(form: bytes) -> object:
    """Return the names and contents of the parts, with the error that ends them."""
    body = Body({"wsgi.input": io.BytesIO(form), "CONTENT_LENGTH": str(len(form))})
    found: list[object] = []
    try:
        for part in multipart.parts(body, "multipart/form-data; boundary=b"):
            found.append((part.name, part.filename, b"".join(part.chunks)))
    except InvalidRequest as error:
        found.append(str(error))
    return found


@settings(max_examples=1_000)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join))
def test_a_form_has_the_same_parts_without_the_faster_way(form: bytes) -> None:
    form = b"--b\r\n" + HEAD + form + b"\r\n--b--\r\n"
    found = parsed(form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "common_parts", lambda *_: None)
        assert parsed(form) == found


COMMON = b"--b\r\n" + HEAD + b"1\r\n--b\r\n" + HEAD + b"\r\n--b--\r\n"


def test_every_part_is_returned() -> None:
    assert common_parts(COMMON, b"--b") == [("a", None, b"1"), ("a", None, b"")]


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--b--\r\n",
        COMMON[:-1],  # the last byte has not arrived
        COMMON + b"\r\n",  # an epilogue
        b"\r\n" + COMMON,  # a preamble
        COMMON.replace(b"1\r\n--b\r\n", b"1\n--b\r\n"),  # other line breaks
        COMMON.replace(b"1\r\n--b\r\n", b"1\r--b\r\n"),
        COMMON.replace(b"1\r\n--b\r\n", b"1\r\n--b\n"),
        COMMON.replace(b"1\r\n--b\r\n", b"1\r\n--b \r\n"),  # blanks
        COMMON.replace(b"1", b"--b"),  # a boundary that is none
        COMMON.replace(b"1", b"x--b\r\n"),
        COMMON.replace(b"1", b"\r\n--bb\r\n"),
        COMMON.replace(b"1", b"\r\n--b--\r\n"),  # an early end
        COMMON.replace(b"form-data", b"attachment"),
    ],
)
def test_a_form_that_is_written_in_another_way_is_left_to_the_general_way(form: bytes) -> None:
    assert common_parts(form, b"--b") is None


def test_a_form_with_very_many_parts_is_left_to_the_general_way() -> None:
    part = b"--b\r\n" + HEAD + b"\r\n"
    found = common_parts(part * 100 + b"--b--\r\n", b"--b")
    assert found is not None
    assert len(found) == 100
    assert common_parts(part * 101 + b"--b--\r\n", b"--b") is None
