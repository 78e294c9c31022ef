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


class Arriving(io.BytesIO):
    """A body of which the first read returns so many bytes."""

    def __init__(self, form: bytes, first: int | None = None) -> None:
        super().__init__(form)
        self._first = first

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if self.tell() else self._first or size)


def parsed(form: bytes, boundary: str = "boundary=b", first: int | None = None) -> list[object]:
    """Return the names and contents of the parts, with the error that ends them.

    :param first: how many bytes the first read returns; None for all.
    """
    body = Body({"wsgi.input": Arriving(form, first), "wsgi.input_terminated": True})
    found: list[object] = []
    try:
        for name, filename, chunks in multipart.parts(body, f"multipart/form-data; {boundary}"):
            found.append((name, filename, b"".join(chunks)))
    except InvalidRequest as error:
        found.append(str(error))
    return found


def parsed_generally(form: bytes, boundary: str = "boundary=b", first: int | None = None) -> list[object]:
    """Return what `parsed` returns, without the faster way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "common_parts", lambda *_: None)
        return parsed(form, boundary, first)


@settings(max_examples=1_000)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join))
def test_a_form_has_the_same_parts_without_the_faster_way(form: bytes) -> None:
    form = b"--b\r\n" + HEAD + form + b"\r\n--b--\r\n"
    assert parsed(form) == parsed_generally(form)


def test_a_boundary_that_contains_line_breaks_is_left_to_the_general_way() -> None:
    # RFC 2231 encodes any character. In the content, two boundaries share "--a".
    boundary, line = "boundary*=utf-8''a%0D%0A--a", b"--a\r\n--a"
    parts = HEAD + b"1\r\n--a\n" + line + b"\r\n--a\r\n" + HEAD + b"2"
    form = line + b"\r\n" + parts + b"\r\n" + line + b"--\r\n"
    assert parsed(form, boundary) == parsed_generally(form, boundary)


COMMON = b"--b\r\n" + HEAD + b"1\r\n--b\r\n" + HEAD + b"\r\n--b--\r\n"


@pytest.mark.parametrize("blanks", [998, 999])
def test_what_follows_the_last_boundary_is_counted_in_the_same_way(blanks: int) -> None:
    form = COMMON + b" " * blanks
    found = parsed(form, first=len(COMMON))
    assert found == parsed_generally(form, first=len(COMMON))
    assert len(found) == (2 if blanks == 998 else 3)  # the third is the error


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
