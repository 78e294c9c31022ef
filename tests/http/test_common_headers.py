"""The faster way to read headers returns what Werkzeug returns, or None."""

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from pypi_registry._http.common_headers import common_boundary, common_names

TEXT = st.text("aZ9_:-.+! \"'\\;=%/é", max_size=8)


@settings(max_examples=500)
@given(name=TEXT, filename=st.none() | TEXT, mimetype=st.none() | st.sampled_from(["text/plain", "a/b; c=d"]))
def test_names_are_those_that_werkzeug_reads(name: str, filename: str | None, mimetype: str | None) -> None:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    head = f"Content-Disposition: {disposition}" + ("" if mimetype is None else f"\r\nContent-Type: {mimetype}")
    _, options = parse_options_header(disposition)
    assert common_names(head.encode()) in (None, (options.get("name", ""), options.get("filename")))


@given(TEXT, st.sampled_from(["", " ", '"', "; charset=utf-8"]))
def test_a_boundary_is_the_one_that_werkzeug_reads(boundary: str, after: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}{after}"
    assert common_boundary(content_type) in (None, parse_options_header(content_type)[1].get("boundary", ""))


def test_the_headers_of_twine_and_uv_are_read() -> None:
    # requests-toolbelt (twine) and reqwest (uv).
    assert common_boundary("multipart/form-data; boundary=5e6a0ff0c1e94a0e") == "5e6a0ff0c1e94a0e"
    assert common_names(b'Content-Disposition: form-data; name=":action"') == (":action", None)
    head = b'Content-Disposition: form-data; name="content"; filename="demo-1.0+x.tar.gz"'
    assert common_names(head + b"\r\nContent-Type: application/octet-stream") == ("content", "demo-1.0+x.tar.gz")
