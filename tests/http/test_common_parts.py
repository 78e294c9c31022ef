"""The faster way to read parts returns what Werkzeug and the general way return, or None."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from pypi_registry._http import multipart
from pypi_registry._http.body import Body
from pypi_registry._http.common_parts import common_boundary, common_part
from pypi_registry.errors import InvalidRequest

TEXT = st.text("aZ9_:-.+! \"'\\;=%/é", max_size=8)


def names(head: bytes) -> tuple[bytes, bytes | None] | None:
    found = common_part(head + b"\r\n\r\n\r\n--b\r\n", 0, b"--b")
    return found and found[:2]


@settings(max_examples=500)
@given(name=TEXT, filename=st.none() | TEXT, mimetype=st.none() | st.sampled_from(["text/plain", "a/b; c=d"]))
def test_names_are_those_that_werkzeug_reads(name: str, filename: str | None, mimetype: str | None) -> None:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    head = f"Content-Disposition: {disposition}" + ("" if mimetype is None else f"\r\nContent-Type: {mimetype}")
    _, options = parse_options_header(disposition)
    expected = options.get("name", "").encode(), options["filename"].encode() if "filename" in options else None
    assert names(head.encode()) in (None, expected)


@given(TEXT, st.sampled_from(["", " ", '"', "; charset=utf-8"]))
def test_a_boundary_is_the_one_that_werkzeug_reads(boundary: str, after: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}{after}"
    assert common_boundary(content_type) in (None, parse_options_header(content_type)[1].get("boundary", ""))


def test_the_headers_of_twine_and_uv_are_read() -> None:
    # requests-toolbelt (twine) and reqwest (uv).
    assert common_boundary("multipart/form-data; boundary=5e6a0ff0c1e94a0e") == "5e6a0ff0c1e94a0e"
    assert names(b'Content-Disposition: form-data; name=":action"') == (b":action", None)
    head = b'Content-Disposition: form-data; name="content"; filename="demo-1.0+x.tar.gz"'
    assert names(head + b"\r\nContent-Type: application/octet-stream") == (b"content", b"demo-1.0+x.tar.gz")


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
        patch.setattr(multipart, "common_part", lambda *_: None)
        assert parsed(form) == found


@pytest.mark.parametrize(
    "rest",
    [
        b"\r\n--b",  # the next bytes have not arrived
        b"\r\n--b\r",
        b"1\n--b\r\n",  # another line break
        b"1\r--b\r\n",
        b"1\r\n--b \r\n",  # blanks
        b"1\r\n--b\n",
        b"--b\r\n",  # not at the beginning of a line
        b"1--b\r\n\r\n--b\r\n",
        b"1\r\n--bb\r\n\r\n--b\r\n",
    ],
)
def test_whatever_is_written_in_another_way_is_left_to_the_general_way(rest: bytes) -> None:
    assert common_part(HEAD + rest, 0, b"--b") is None
    assert common_part(HEAD + b"1\r\n--b\r\n" + rest, 0, b"--b") is not None
