"""The URLs to which names are forwarded."""

from urllib.parse import urlsplit

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._index_urls import is_index_url, package_url
from pypi_registry.forwarding import PYPI, Forward


@pytest.mark.parametrize(
    "index",
    [
        "https://mirror.example/root/simple",
        "https://mirror.example/root/simple/",
        "https://mirror.example/root/simple///",
    ],
)
def test_the_url_of_a_package_has_one_slash_before_and_after_its_name(index: str) -> None:
    assert package_url(index, canonicalize_name("My.Pkg")) == "https://mirror.example/root/simple/my-pkg/"


@pytest.mark.parametrize(
    "text",
    [
        PYPI,
        "http://localhost:8080/simple",
        "https://user:secret@mirror.example/simple/",
        "https://[2001:db8::1]:8443/simple/",
        "HTTPS://mirror.example",
    ],
)
def test_the_url_of_an_index(text: str) -> None:
    assert is_index_url(text)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "mirror.example/simple/",
        "/simple/",
        "//mirror.example/simple/",
        "ftp://mirror.example/simple/",
        "https:///simple/",
        "https://:443/simple/",
        "https://mirror.example:port/simple/",
        "https://mirror.example:0/simple/",
        "https://mirror.example:99999/simple/",
        "https://[mirror/simple/",
        "https://mirror.example/simple/?a=b",
        "https://mirror.example/simple/#a",
        "https://mirror.example/simple/ ",
        "https://mirror.example/\r\nSet-Cookie: a=b",
        "https://mirror.exämple/simple/",
        b"https://mirror.example/simple/",
        None,
        True,
    ],
    ids=repr,
)
def test_any_other_value_is_not_the_url_of_an_index(value: object) -> None:
    assert not is_index_url(value)


def test_a_forward_protects_published_names_unless_it_is_declared_otherwise() -> None:
    assert Forward("https://mirror.example/simple/") == Forward("https://mirror.example/simple/", False)
    assert not Forward("https://mirror.example/simple/").even_if_published


def test_pypi_is_reached_over_tls() -> None:
    url = urlsplit(PYPI)
    assert (url.scheme, url.path) == ("https", "/simple/")
    assert url.hostname
